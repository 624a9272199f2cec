"""From a goal to what has to change in each margin mode, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from margin_widgets.account.books import Books, keep_books
from margin_widgets.account.solve import words
from margin_widgets.account.solve.change import COLLATERAL, Change, changed, merged
from margin_widgets.account.solve.collateral import funding_asset
from margin_widgets.account.solve.goals import Goal, KeepRatio, LiquidationAt, Survive
from margin_widgets.account.solve.pools import NoSolutionError, Target, found_together
from margin_widgets.account.solve.solution import Need, Solution
from margin_widgets.engine.options import moves_with
from margin_widgets.venues.rules import LARGEST, SMALLEST, did_you_mean

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

QUANTITIES = ("collateral", "margin", "size", "leverage")
MODES = ("isolated", "cross")


@dataclass(frozen=True, eq=False)
class Answer:
    """One goal in both margin modes.

    Attributes
    ----------
    isolated, cross : Solution
    text : str
        How the two compare, and why.
    """

    isolated: Solution
    cross: Solution
    text: str

    def __str__(self) -> str:
        return "\n".join(filter(None, (str(self.isolated), str(self.cross), self.text)))

    def _repr_html_(self) -> str:
        from html import escape

        both = self.isolated._repr_html_() + self.cross._repr_html_()
        return f"<div>{both}<p>{escape(self.text)}</p></div>"


def find(
    account: Account, goal: Goal, quantity: str = "collateral", key: str | None = None
) -> Answer:
    """What has to change in each margin mode so that a goal is just met.

    Parameters
    ----------
    account : Account
    goal : Survive, KeepRatio or LiquidationAt
    quantity : {"collateral", "margin", "size", "leverage"}
        What may change.
    key : str, optional
        The one position that may change; all that the goal is about if none is given.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> print(find(presets.ref2(), Survive(-0.3)).text)
    Both modes need 21,315.00 USDT: in one common shock of all marks every position loses at the \
same time, so pooling saves nothing.
    """
    isolated, cross = (solve(account, goal, quantity, mode, key) for mode in MODES)
    return Answer(isolated, cross, words.compared(isolated, cross))


def survive(
    account: Account,
    shock: float,
    change: str = "collateral",
    mode: str = "cross",
    *,
    symbol: str | None = None,
    key: str | None = None,
) -> Solution:
    """What lets an account survive a common shock, or a shock of one symbol.

    Parameters
    ----------
    account : Account
    shock : float
        Relative move, e.g. -0.3; above -1.
    change : {"collateral", "margin", "size", "leverage"}
        What may change.
    mode : {"isolated", "cross"}
    symbol : str, optional
        The symbol that moves alone.
    key : str, optional
        The one position that may change.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> account = presets.ref2()
    >>> survive(account, -0.3).total, survive(account, -0.3, "margin", "isolated").total
    (21315.0, 21315.0)
    """
    return solve(account, Survive(shock, symbol), change, mode, key)


def keep_ratio(
    account: Account,
    ratio: float,
    change: str = "collateral",
    mode: str = "cross",
    *,
    key: str | None = None,
) -> Solution:
    """What keeps the margin ratio of every pool at a value or below, at the present marks.

    Parameters
    ----------
    account : Account
    ratio : float
        Maintenance over margin balance; above 0 and at most 1, where pools are liquidated.
    change, mode, key
        As for `survive`.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> round(keep_ratio(presets.ref2(), 0.03).total, 6)
    15000.0
    """
    return solve(account, KeepRatio(ratio), change, mode, key)


def liquidate_at(
    account: Account, key: str, price: float, change: str = "margin", mode: str = "isolated"
) -> Solution:
    """What puts the liquidation price of a position at a price, all other marks unchanged.

    Parameters
    ----------
    account : Account
    key : str
        Key of the position.
    price : float
    change, mode
        As for `survive`.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> account = presets.ref2()
    >>> solution = liquidate_at(account, "BTCUSDT", 85_000)
    >>> print(solution.changes[0])
    BTCUSDT margin: 5,000.00 → 7,712.50 USDT
    >>> solution.preview().isolated.positions["BTCUSDT"].liquidation_price
    85000.0
    >>> solution.apply()
    >>> account.undo()
    True
    """
    return solve(account, LiquidationAt(key, price), change, mode)


def solve(
    account: Account,
    goal: Goal,
    quantity: str = "collateral",
    mode: str = "cross",
    key: str | None = None,
) -> Solution:
    """What has to change in one margin mode; `find` says what the arguments mean.

    Raises
    ------
    ValueError
        For a quantity or mode that does not exist, or a goal that is none; where there is a goal
        but nothing meets it, the solution's `reason` says so instead.
    KeyError
        If the account has no such position or symbol.
    """
    for name, given, known in (("quantity", quantity, QUANTITIES), ("mode", mode, MODES)):
        if given not in known:
            hint = did_you_mean(str(given), known)
            raise ValueError(f"{name}: {given!r} must be one of {', '.join(known)}{hint}")
    goal.check(account)
    books = account.books
    if isinstance(goal, LiquidationAt):
        goal = replace(goal, key=books.keys[account.positions.place(goal.key)])
        key = goal.key
    elif key is not None:
        key = books.keys[account.positions.place(key)]
    try:
        return _Solver(account, books, goal, quantity, mode, key).solution()
    except NoSolutionError as none:
        text = words.impossible(goal, mode, str(none))
        return Solution(account, goal, quantity, mode, text=text, reason=str(none))


@dataclass(frozen=True)
class _Solver:
    account: Account
    books: Books
    goal: Goal
    quantity: str
    mode: str
    key: str | None

    def solution(self) -> Solution:
        """The solution; NoSolutionError if there is none."""
        if not self.books.keys:
            raise NoSolutionError("there are no positions, so nothing is ever liquidated")
        targets = self._targets()
        if not targets:
            raise NoSolutionError(f"nothing in this account moves with {self.goal.symbol}")  # type: ignore[union-attr]
        solver: Callable[[list[Target]], Solution] = getattr(self, f"_{self.mode}_{self.quantity}")
        return solver(targets)

    def _targets(self) -> list[Target]:
        """The pools that the goal is about."""
        books, partition = self.books, self.books.partitions[self.mode]
        chosen = None if self.key is None else int(partition.pool[books.places[self.key]])
        found = []
        for pool, members in enumerate(books.pool_members(self.mode)):
            if not members or (chosen is not None and pool != chosen):
                continue
            if not self.goal.concerns(books, self.mode, pool):
                continue
            member = members[0] if self.key is None else books.places[self.key]
            if self.mode == "isolated":
                asset = books.assets[int(books.book.position_settle[member])]
            else:
                symbol = books.state.positions[member].symbol
                asset = funding_asset(self.account, symbol)
            found.append(Target(books, self.mode, self.goal, member, asset))
        return found

    # -- isolated: each position by itself ----------------------------------------------------

    def _isolated_margin(self, targets: list[Target]) -> Solution:
        return self._margins(targets, deposit=False)

    def _isolated_collateral(self, targets: list[Target]) -> Solution:
        return self._margins(targets, deposit=True)

    def _margins(self, targets: list[Target], *, deposit: bool) -> Solution:
        needs, changes = [], []
        targets = found_together(targets)
        all_met = all(target.met for target in targets)
        for target in targets:
            with _naming(target):
                needed = target.margin()
                needs.append(Need(target.name, target.asset, target.assigned, needed, target.met))
                if (all_met or not target.met) and _differ(needed, target.assigned):
                    changes += target.checked(target.with_margin(needed))
        short = self._short(changes)
        if deposit:
            held = self.books.state.collateral
            changes += [
                Change(asset, COLLATERAL, held.get(asset, 0.0), held.get(asset, 0.0) + more, asset)
                for asset, more in short.items()
            ]
        total = sum(need.needed * self.account.asset_price(need.unit) for need in needs)
        return self._made(
            needs,
            changes,
            all_met,
            words.margins(self.account, self.goal, targets, needs, total, short, deposit=deposit),
            total,
        )

    def _short(self, changes: list[Change]) -> dict[str, float]:
        """By how much margins, as changed, are more than the wallet, asset by asset."""
        margins = self.books.book.margin.copy()
        places = {row.id: place for place, row in enumerate(self.books.state.positions)}
        for one in changes:
            if one.field == "margin" and isinstance(one.after, float | int):
                margins[places[one.row]] = one.after
        settle = self.books.book.position_settle
        assigned = np.bincount(settle, margins, minlength=len(self.books.assets))
        wallet = self.books.book.wallet
        return {
            asset: float(assigned[place] - max(wallet[place], 0.0))
            for place, asset in enumerate(self.books.assets)
            if assigned[place] > max(wallet[place], 0.0) * (1 + 1e-12)
        }

    def _isolated_size(self, targets: list[Target]) -> Solution:
        return self._sizes([(target, [target.member]) for target in targets])

    def _isolated_leverage(self, targets: list[Target]) -> Solution:
        needs, changes = [], []
        all_met = all(target.met for target in targets)
        for target in targets:
            setting = float(self.books.book.leverage[target.member])
            with _naming(target):
                needed = target.leverage()
                needs.append(Need(target.name, "×", setting, needed, target.met))
                single = target.with_leverage(needed)
                if (all_met or not target.met) and (_differ(needed, setting) or len(single) > 1):
                    changes += target.checked(single)
        after = keep_books(changed(self.books.state, changes)) if changes else self.books
        margins = {target.name: float(after.book.margin[target.member]) for target in targets}
        short = _Solver(self.account, after, self.goal, "margin", self.mode, None)._short([])
        text = words.leverages(self.goal, targets, needs, margins, short)
        return self._made(needs, changes, all_met, text, None)

    # -- cross: the pool ------------------------------------------------------------------------

    def _cross_collateral(self, targets: list[Target]) -> Solution:
        needs, changes = [], []
        all_met = all(target.met for target in targets)
        for target in targets:
            needed = target.collateral()
            needs.append(Need(target.asset, target.asset, target.held, needed, target.met))
            if (all_met or not target.met) and _differ(needed, target.held):
                changes += target.checked(target.with_wallet(needed))
        total = self._pooled(targets) + sum(
            (need.needed - need.present) * self.account.asset_price(need.unit) for need in needs
        )
        text = words.collateral(self.account, self.goal, targets, needs, total)
        return self._made(needs, changes, all_met, text, total)

    def _pooled(self, targets: list[Target]) -> float:
        """Value of the wallets of the pools at the present prices."""
        wallet = self.books.partitions[self.mode].wallet
        prices = self.books.book.asset_prices(self.books.marks)
        return float(sum((wallet[target.pool] * prices).sum() for target in targets))

    def _cross_margin(self, targets: list[Target]) -> Solution:
        raise NoSolutionError(
            "a position in cross has no margin of its own: all collateral stands behind it; change"
            " the collateral"
        )

    def _cross_leverage(self, targets: list[Target]) -> Solution:
        raise NoSolutionError(words.leverage_in_cross(self.account, targets))

    def _cross_size(self, targets: list[Target]) -> Solution:
        moved = []
        for target in targets:
            places = target.members
            if self.key is not None:
                places = [self.books.places[self.key]]
            elif isinstance(self.goal, Survive) and self.goal.symbol is not None:
                symbol = self.books.symbols.index(self.goal.symbol)
                book = self.books.book
                on_it = [p for p in places if moves_with(book, int(book.symbol[p]), symbol)]
                places = on_it or places
            moved.append((target, places))
        return self._sizes(moved)

    def _sizes(self, moved: list[tuple[Target, list[int]]]) -> Solution:
        needs, changes, factors = [], [], {}
        all_met = all(target.met for target, _ in moved)
        for target, places in moved:
            with _naming(target):
                factor, single = target.resized(places)
                factors[target.name] = factor
                needs += [Need(*one, target.met) for one in target.size(factor, places)]
                if (all_met or not target.met) and _differ(factor, 1.0):
                    changes += target.checked(single)
        changes = merged(changes)
        text = words.sizes(self.goal, self.mode, needs, changes, factors)
        return self._made(needs, changes, all_met, text, None)

    # -- together -------------------------------------------------------------------------------

    def _made(
        self, needs: list[Need], changes: list[Change], met: bool, text: str, total: float | None
    ) -> Solution:
        state = self.books.state
        for one in changes:
            if isinstance(one.after, float) and not _holds(one.after):
                raise NoSolutionError(
                    f"it would take a {one.label} of {one.after:.3g}, which is beyond what an"
                    " account holds"
                )
        if changes:
            after = keep_books(changed(state, changes))
            known = {*self.books.warnings}
            # What a deposit mends, or is told in the sentence, is not a warning any more.
            new = [one for one in after.warnings if one not in known and "assumes" not in one]
            text += "".join(f" Note: {one}." for one in new[:2])
        return Solution(
            self.account,
            self.goal,
            self.quantity,
            self.mode,
            tuple(needs),
            tuple(changes),
            total,
            met,
            text,
        )


def _differ(needed: float, present: float) -> bool:
    """Whether two amounts differ by more than the rounding of having been found once before."""
    return abs(needed - present) > 1e-10 * max(abs(needed), abs(present))


def _holds(amount: float) -> bool:
    """Whether an account can hold an amount."""
    return amount == 0 or SMALLEST <= abs(amount) <= LARGEST


@contextmanager
def _naming(target: Target) -> Iterator[None]:
    """Say for which position there is no solution."""
    try:
        yield
    except NoSolutionError as none:
        if target.mode != "isolated" or target.name in f"{target.goal.words} {none}":
            raise
        raise NoSolutionError(f"{target.name}: {none}") from None
