"""What one pool needs for a goal: its collateral, margin, sizes or leverage, exactly.

Collateral and margin come in closed form from the engine and are then judged by an exact report; so
is everything that has none, with a search between two such reports.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from traitlets import TraitError

from margin_widgets.account.books import Books, keep_books
from margin_widgets.account.solve.change import COLLATERAL, Change, changed, merged, money
from margin_widgets.account.solve.goals import Goal
from margin_widgets.account.solve.root import crossing, outward
from margin_widgets.account.solve.together import Found, margins_together
from margin_widgets.account.solve.trade import size_unit, trade
from margin_widgets.account.state import AccountState
from margin_widgets.engine.options import is_option
from margin_widgets.engine.solve import wallet_at_trigger

HIGHEST_LEVERAGE = 1000.0
"""The most that `Position` takes."""

_ROUNDING = 1e-15
_CLOSE = 1e-11
_NOTHING = 1e-14
"""An amount no larger, as a share of the scale, is the rounding of what it is made of."""


class NoSolutionError(ValueError):
    """There is no such amount, size or leverage; the text says why."""


@dataclass(frozen=True)
class Target:
    """One pool and what it is to withstand.

    Parameters
    ----------
    books : Books
    mode : str
    goal : Goal
    member : int
        Number of one position in the pool.
    asset : str
        What is added to the pool, or taken out.
    found : Found, optional
        Its margin, where that was found together with those of other positions.
    """

    books: Books
    mode: str
    goal: Goal
    member: int
    asset: str
    found: Found | None = None

    @cached_property
    def pool(self) -> int:
        """Number of the pool."""
        return int(self.books.partitions[self.mode].pool[self.member])

    @cached_property
    def members(self) -> list[int]:
        """Numbers of its positions."""
        return list(self.books.pool_members(self.mode)[self.pool])

    @property
    def name(self) -> str:
        """Name of the pool: the position's key, or "cross"."""
        return self.books.pool_names(self.mode)[self.pool]

    # -- judging ----------------------------------------------------------------------------

    def gap(self, changes: Sequence[Change] = ()) -> float:
        """By how much the goal is met after some changes, by an exact report of them."""
        books, member = self._tried(changes)
        return self.goal.gap(books, self.mode, member)

    @cached_property
    def now(self) -> float:
        """The gap as things are."""
        return self.gap() if self.found is None else self.found.gap

    @property
    def met(self) -> bool:
        """Whether nothing needs to change."""
        return self.now >= -_CLOSE * self.scale

    @cached_property
    def scale(self) -> float:
        """Size of the amounts that a gap is the difference of."""
        if self.found is not None:
            return self.found.scale
        figures = self.books.ledger(self.mode).valuation
        gross = float(figures.notional[self.members].sum())
        return gross + abs(float(figures.margin_balance[self.pool]))

    def _tried(self, changes: Sequence[Change]) -> tuple[Books, int]:
        if not changes and self.mode != "isolated":
            return self.books, self.member
        state = changed(self._part, changes)
        try:
            return keep_books(state), 0 if self.mode == "isolated" else self.member
        except TraitError as error:
            raise NoSolutionError(str(error)) from None

    @cached_property
    def _part(self) -> AccountState:
        """The part of the account that matters: an isolated position alone, or everything."""
        books = self.books
        if self.mode != "isolated":
            return books.state
        book, state = books.book, books.state
        asset = int(book.position_settle[self.member])
        needed = {int(book.symbol[self.member]), int(book.index[self.member])}
        needed |= {int(book.asset_symbol[asset])} - {-1}
        name = books.assets[asset]
        return state.replace(
            positions=(state.positions[self.member],),
            marks={books.symbols[one]: float(books.marks[one]) for one in sorted(needed)},
            collateral={name: state.collateral[name]} if name in state.collateral else {},
        )

    @cached_property
    def _own(self) -> tuple[Books, int]:
        """Books of that part, and the number of the member there."""
        if self.mode != "isolated":
            return self.books, self.member
        return self._tried(())

    def checked(self, changes: list[Change]) -> list[Change]:
        """The changes; NoSolutionError if they do not bring the pool where it is wanted."""
        if self.found is not None and changes == self.with_margin(self.found.margin):
            return changes
        books, member = self._tried(changes)
        gap = self.goal.gap(books, self.mode, member)
        if abs(gap) > 1e-9 * self.scale and not (self.goal.limit and gap > 0):
            raise NoSolutionError(
                "a tier begins there: its rate holds for the whole position, and what is required"
                " jumps over the goal"
            )
        if not self.goal.limit:
            missed = self.goal.missed(books, self.mode, member)  # type: ignore[union-attr]
            if missed:
                raise NoSolutionError(missed)
        return changes

    # -- collateral and margin --------------------------------------------------------------

    def wallet(self) -> float:
        """Amount of the asset in the pool with which the goal is just met."""
        books, member = self._own
        place = books.assets.index(self.asset)
        book = books.book.replace(trigger_level=self.goal.level(books.book))
        partition = books.partitions[self.mode]
        pool = int(partition.pool[member])
        try:
            return max(
                float(wallet_at_trigger(book, partition, marks, pool, place))
                for marks in self.goal.marks(books, member)
            )
        except ValueError as error:
            raise NoSolutionError(str(error)) from None

    def refined(self, amount: float, changes: Callable[[float], list[Change]]) -> float:
        """The amount, corrected where haircuts or loans depend on it, or the way has a dip."""
        gap = self.gap(changes(amount))
        if abs(gap) <= _CLOSE * self.scale:
            return amount

        def at(x: float) -> float:
            return self.gap(changes(x))

        step = (
            self.scale
            / self.books.book.asset_prices(self.books.marks)[self.books.assets.index(self.asset)]
        )
        for power in range(-20, 12):
            away = amount + math.copysign(step * 2.0**power, -gap)
            if (at(away) >= 0) != (gap >= 0):
                ends = sorted([(amount, gap), (away, at(away))], key=lambda end: end[1])
                return crossing(at, ends[1], ends[0], _ROUNDING * self.scale)
        raise NoSolutionError(f"no amount of {self.asset} does it")

    @cached_property
    def _price(self) -> float:
        """Price of the asset in the account's currency."""
        prices = self.books.book.asset_prices(self.books.marks)
        return float(prices[self.books.assets.index(self.asset)])

    def margin(self) -> float:
        """Margin of an isolated position with which the goal is just met."""
        if self.found is not None:
            return self.found.margin
        wanted = self.wallet()
        if abs(wanted) * self._price <= _NOTHING * self.scale:
            wanted = 0.0
        if wanted < 0:
            if not self.goal.limit:
                raise NoSolutionError(
                    f"even without any margin it would still hold {money(-wanted, self.asset)}"
                    f" {self.asset} above maintenance there"
                )
            wanted = 0.0
        if wanted == 0.0 and self.gap(self.with_margin(0.0)) >= 0:
            return 0.0
        return self.refined(wanted, lambda amount: self.with_margin(max(amount, 0.0)))

    def with_margin(self, amount: float) -> list[Change]:
        """The position with that margin."""
        row = self.books.state.positions[self.member]
        return [Change(self.name, "margin", self.assigned, amount, self.asset, row.id)]

    @property
    def assigned(self) -> float:
        """Margin assigned to an isolated position now."""
        return float(self.books.book.margin[self.member])

    @property
    def held(self) -> float:
        """What the pool holds of the asset now."""
        place = self.books.assets.index(self.asset)
        return float(self.books.partitions[self.mode].wallet[self.pool, place])

    def with_wallet(self, amount: float) -> list[Change]:
        """The wallet with so much of the asset in the pool."""
        before = self.books.state.collateral.get(self.asset, 0.0)
        after = before + (amount - self.held) if self.held != before else amount
        return [Change(self.asset, COLLATERAL, before, after, self.asset)]

    def collateral(self) -> float:
        """Amount of the asset in a shared pool with which the goal is just met."""
        wanted = self.wallet()
        if wanted < 0 <= self.held:
            if not self.goal.limit:
                raise NoSolutionError(
                    f"the pool would have to owe {money(-wanted, self.asset)} {self.asset}; even"
                    " without any it stands there"
                )
            wanted = 0.0
            if self.gap(self.with_wallet(0.0)) >= 0:
                return 0.0
        return self.refined(wanted, self.with_wallet)

    # -- size -------------------------------------------------------------------------------

    def resized(self, places: Sequence[int]) -> tuple[float, list[Change]]:
        """Factor on the sizes of some positions with which the goal is just met."""

        def changes(factor: float) -> list[Change]:
            return self._traded(places, factor)

        def gap(factor: float) -> float:
            try:
                return self.gap(changes(factor))
            except NoSolutionError:
                raise
            except ValueError:  # the pocket does not hold what the trade takes: not met
                return -math.inf

        now = self.now
        if abs(now) <= _ROUNDING * self.scale:
            return 1.0, []
        wider = outward()
        narrower = [1.0 / factor for factor in wider]
        searched = [wider, narrower] if now >= 0 else [narrower, wider]
        if self.goal.limit and now >= 0:
            searched = [wider]  # how far it may grow
        for factors in searched:
            tried = [(1.0, now)]
            for factor in factors:
                here = (factor, gap(factor))
                if math.isinf(here[1]) and not self.goal.limit:
                    continue
                if (here[1] >= 0) != (now >= 0):
                    # From the nearest size on this side, so that the first crossing is found.
                    near = min(tried, key=lambda one: abs(math.log(one[0] / factor)))
                    good, bad = (near, here) if now >= 0 else (here, near)
                    if math.isinf(bad[1]):
                        bad = (bad[0], -self.scale)
                    found = crossing(gap, good, bad, _ROUNDING * self.scale)
                    return found, changes(found)
                tried.append(here)
        return self._no_size(places)

    def _no_size(self, places: Sequence[int]) -> tuple[float, list[Change]]:
        who = " and ".join(self.books.keys[place] for place in places[:3])
        who += f" and {len(places) - 3} more" if len(places) > 3 else ""
        if self.now >= 0:
            told = "is too large for it" if self.goal.limit else "is liquidated there"
            raise NoSolutionError(f"no size of {who} {told}")
        if len(places) < len(self.members):
            raise NoSolutionError(
                f"no size of {who} does it: the other positions of the pool do not allow it"
            )
        raise NoSolutionError(f"no size of {who} does it, however small")

    def _traded(self, places: Sequence[int], factor: float) -> list[Change]:
        pocket = self.mode == "isolated"
        trades = [trade(self.books, place, factor, in_pocket=pocket) for place in places]
        return merged([change for one in trades for change in one.changes])

    def size(self, factor: float, places: Sequence[int]) -> list[tuple[str, str, float, float]]:
        """Name, unit, present and needed size of the positions."""
        rows = self.books.state.positions
        return [
            (
                self.books.keys[place],
                size_unit(self.books, place),
                rows[place].quantity,
                rows[place].quantity * factor,
            )
            for place in places
        ]

    # -- leverage ---------------------------------------------------------------------------

    def leverage(self) -> float:
        """Leverage setting of an isolated position whose margin at entry just meets the goal."""
        book, member = self.books.book, self.member
        if book.by_schedule[member] or is_option(book)[member]:
            raise NoSolutionError(
                f"the initial margin of {self.name} follows the venue's schedule, not the leverage"
            )
        notional = float(book.entry_notional[member])
        setting = float(book.leverage[member])
        reserved = float(book.initial_margin(book.entry_notional)[member])
        beside = reserved - notional / setting  # fees and the like, which come on top
        free = self.margin() - beside

        def at(leverage: float) -> float:
            return self.gap(self.with_leverage(leverage))

        if free <= notional / HIGHEST_LEVERAGE:
            if at(HIGHEST_LEVERAGE) >= 0 and self.goal.limit:
                return HIGHEST_LEVERAGE
            raise NoSolutionError(f"no leverage up to {HIGHEST_LEVERAGE:g}× is enough for it")
        found = notional / free
        gap = at(found)
        if abs(gap) <= _CLOSE * self.scale:
            return found
        # Fees at the bankruptcy price depend on the leverage itself.
        for factor in outward(12):
            near = min(found * factor, HIGHEST_LEVERAGE) if gap > 0 else found / factor
            if (at(near) >= 0) != (gap >= 0):
                ends = sorted([(found, gap), (near, at(near))], key=lambda end: end[1])
                return crossing(at, ends[1], ends[0], _ROUNDING * self.scale)
        raise NoSolutionError(f"no leverage up to {HIGHEST_LEVERAGE:g}× does it")

    def with_leverage(self, leverage: float) -> list[Change]:
        """The position with that leverage, its margin following it."""
        row = self.books.state.positions[self.member]
        changes = [Change(self.name, "leverage", row.leverage, leverage, "×", row.id)]
        if row.margin is not None:
            changes.append(Change(self.name, "margin", row.margin, None, self.asset, row.id))
        return changes

    # -- in words ---------------------------------------------------------------------------

    def breakdown(self) -> tuple[float, float] | None:
        """Loss and requirement where the goal bites, in the account's currency.

        None where haircuts, loans or the price of the collateral play a part as well.
        """
        if self.found is not None and not np.any(self.books.book.asset_symbol >= 0):
            return self.found.parts
        (books, member), goal = self._own, self.goal
        book, worst = books.book, None
        pool = books.partitions[self.mode].pool
        inside = pool == pool[member]
        for marks in goal.marks(books, member):
            ledger = books.ledger(self.mode, marks)
            marked = ledger.marked
            price = marked.asset_prices[book.position_settle]
            loss = -float((marked.counted * price)[inside].sum())
            needed = goal.level(book) * float(ledger.valuation.requirement[pool[member]])
            if worst is None or loss + needed > sum(worst):
                worst = (loss, needed)
        still = not np.any(book.asset_symbol[book.wallet != 0] >= 0)
        plain = still and not book.haircuts.steps.any() and not book.has_loan_margin
        return worst if plain else None

    def effective_leverage(self, extra: float) -> float | None:
        """Notional over balance of the pool with so much more, in the account's currency."""
        figures = self.books.ledger(self.mode).valuation
        gross = float(figures.notional[self.members].sum())
        balance = float(figures.margin_balance[self.pool]) + extra
        return gross / balance if balance > 0 else None


def found_together(targets: Sequence[Target]) -> list[Target]:
    """Isolated positions with their margins, as far as these can be found in one report."""
    first = targets[0]
    members = [target.member for target in targets]
    found = margins_together(first.books, first.goal, members, _CLOSE, _NOTHING)
    return [replace(target, found=found.get(target.member)) for target in targets]
