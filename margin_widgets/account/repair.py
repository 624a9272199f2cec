"""What moves the account as it stands away from liquidation, and what each way costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from traitlets import TraitError

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books, keep_books
from margin_widgets.account.checks import number
from margin_widgets.account.positions import keys_of
from margin_widgets.account.solve.change import COLLATERAL, Change, changed, merged, money
from margin_widgets.account.solve.collateral import funding_asset
from margin_widgets.account.solve.solution import Edit
from margin_widgets.account.solve.trade import Trade, trade
from margin_widgets.engine.liquidation import triggers_along
from margin_widgets.engine.options import is_option
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account
    from margin_widgets.account.state import AccountState

ACTIONS = (
    "add collateral",
    "add margin",
    "close",
    "halve",
    "isolate",
    "move to cross",
    "lower leverage",
)
MOST = 12
"""Positions that are looked at: those nearest to liquidation."""

_NONE = Trade((), 0.0, 0.0, 0.0)
_DIGITS = 12


@dataclass(frozen=True)
class Distance:
    """How far the account is from its first liquidation.

    Attributes
    ----------
    move : float or None
        Relative move to the first liquidation of the account; 0 if a pool is below maintenance
        already, None if no move liquidates.
    pool : str
        Which pool that is; empty if there is none.
    of_pool : mapping of str to float or None
        The same for each pool.
    """

    move: float | None
    pool: str
    of_pool: dict[str, float | None]

    @property
    def first(self) -> float | None:
        """Size of the move, without its sign."""
        return None if self.move is None else abs(self.move)


@dataclass(frozen=True, eq=False)
class Repair(Edit):
    """One thing to do, how far it moves the account from liquidation, and what it costs.

    Amounts in the account's currency.

    Attributes
    ----------
    account : Account
    action : str
        One of `ACTIONS`.
    key : str
        Position it is about; empty for the account.
    title : str
        The action in words, e.g. "Halve ETHUSDT".
    changes : tuple of Change
    before, after : Distance
        As the account stands, and as it would.
    own_before, own_after : float or None
        The move that liquidates the pool it is about, before and after; None if there is none.
    added : float
        Fresh collateral.
    closed : float
        Notional that is closed.
    fee : float
        Taker fee on it.
    realized_loss : float
        Loss since entry that becomes final.
    note : str
        What else happens.
    row : str
        Id of the position whose pool `own_before` and `own_after` are of.
    """

    account: Account = field(repr=False)
    action: str
    key: str
    title: str
    changes: tuple[Change, ...]
    before: Distance
    after: Distance
    own_before: float | None = None
    own_after: float | None = None
    added: float = 0.0
    closed: float = 0.0
    fee: float = 0.0
    realized_loss: float = 0.0
    note: str = ""
    reason: str = ""
    row: str = ""
    state: AccountState = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", self.account.state)

    def own_key(self, *, after: bool) -> str:
        """Key of the position whose own pool is told, as things stand or after it; "" if gone."""
        state = changed(self.state, self.changes) if after else self.state
        keys = keys_of(state.positions)
        return next(
            (k for k, one in zip(keys, state.positions, strict=True) if one.id == self.row), ""
        )

    def cost_lines(self, figure: str) -> tuple[str, ...]:
        """How one of the amounts comes about, line by line.

        Parameters
        ----------
        figure : {"added", "fee", "loss", "cost"}

        Examples
        --------
        >>> from margin_widgets import presets
        >>> repairs(presets.ref2())["add collateral"].cost_lines("cost")
        ('added + fee + loss made final', '= 1,000.00 + 0.00 + 0.00', '= 1,000.00 USDT')
        """
        currency = self.state.venue.currency
        added, fee, loss = (fmt.amount(one) for one in (self.added, self.fee, self.realized_loss))
        closed = fmt.amount(self.closed)
        rate = fmt.plain(self.state.venue.taker_fee)
        terms = {
            "added": ("fresh collateral, in its own asset times its price",),
            "fee": ("taker fee rate times the notional closed", f"= {rate}·{closed}"),
            "loss": (f"loss since entry of the {closed} closed at the mark, 0 for a profit",),
            "cost": ("added + fee + loss made final", f"= {added} + {fee} + {loss}"),
        }
        total = {"added": added, "fee": fee, "loss": loss, "cost": fmt.amount(self.cost)}
        return (*terms[figure], f"= {total[figure]} {currency}")

    @property
    def id(self) -> str:
        """Action and position: no two repairs share it."""
        return f"{self.action}:{self.key}" if self.key else self.action

    @property
    def cost(self) -> float:
        """Fresh collateral, fee and loss made final."""
        return self.added + self.fee + self.realized_loss

    @property
    def gain(self) -> float:
        """By how much the first liquidation moves away; infinite if there is none any more."""
        if self.after.first is None:
            return 0.0 if self.before.first is None else math.inf
        return -math.inf if self.before.first is None else self.after.first - self.before.first

    @property
    def text(self) -> str:
        """What it does and costs, in a sentence."""
        parts = [f"{self.title}: {_moved(self.before, self.after)}"]
        costs = [
            f"{fmt.amount(amount)} {words}"
            for amount, words in (
                (self.added, "of fresh collateral"),
                (self.fee, "of taker fee"),
                (self.realized_loss, "of loss realised"),
            )
            if amount
        ]
        parts.append(f"It costs {' and '.join(costs)}." if costs else "It costs nothing.")
        if self.note:
            parts.append(f"{self.note}.")
        return " ".join(parts)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False)
class Repairs(Sequence[Repair]):
    """All that can be done, the best first, and what cannot.

    Ranked by distance to the first liquidation after it, the farthest first, then by cost, then as
    `ACTIONS` and positions are listed.

    Attributes
    ----------
    ranked : tuple of Repair
    refused : tuple of (str, str)
        Actions that cannot be taken, and why.
    now : Distance
        As the account stands.
    symbol : str or None
        The symbol whose moves distances are measured along; None for common moves of all marks.
    amount : float
        What adding collateral or margin adds, in the account's currency.
    hidden : int
        Positions farther from liquidation that were not looked at.
    """

    ranked: tuple[Repair, ...]
    refused: tuple[tuple[str, str], ...]
    now: Distance
    symbol: str | None
    amount: float
    hidden: int

    def __len__(self) -> int:
        return len(self.ranked)

    def __getitem__(self, which: int | slice | str) -> Repair:  # type: ignore[override]
        if isinstance(which, str):
            for one in self.ranked:
                if one.id == which:
                    return one
            raise KeyError(f"no repair {which!r}{did_you_mean(which, [r.id for r in self.ranked])}")
        return self.ranked[which]  # type: ignore[return-value]

    def __iter__(self) -> Iterator[Repair]:
        return iter(self.ranked)

    @property
    def text(self) -> str:
        """How the account stands and what moves it farthest from liquidation, in a sentence."""
        along = "" if self.symbol is None else f" of {self.symbol}"
        stands = f"As configured, {_first(self.now, along)}."
        better = [one for one in self.ranked if one.gain > 10.0**-_DIGITS]
        if not better:
            return f"{stands} No single action moves that away." if self.ranked else stands
        best = better[0]
        to = "then no move does" if best.after.move is None else f"then {_shown(best.after.move)}"
        return f"{stands} What moves that farthest away: {best.title} ({to})."

    def to_frame(self) -> pd.DataFrame:
        """One row per repair, the best first."""
        import pandas as pd

        return pd.DataFrame(
            {
                "action": [one.action for one in self.ranked],
                "position": [one.key for one in self.ranked],
                "move": [one.after.move for one in self.ranked],
                "first": [one.after.pool for one in self.ranked],
                "added": [one.added for one in self.ranked],
                "fee": [one.fee for one in self.ranked],
                "realized_loss": [one.realized_loss for one in self.ranked],
                "cost": [one.cost for one in self.ranked],
            }
        )


def default_amount(account: Account) -> float:
    """A tenth of the wallet, rounded down to 1, 2 or 5 times a power of ten.

    >>> from margin_widgets import presets
    >>> default_amount(presets.ref2())
    1000.0
    """
    rough = 0.1 * max(account.configured.wallet_balance, 0.0)
    rough = rough or 0.1 * account.configured.initial_margin
    if rough <= 0:
        return 100.0
    power = 10.0 ** math.floor(math.log10(rough) + 1e-12)
    return float(max(m * power for m in (1, 2, 5) if m * power <= rough * (1 + 1e-9)))


def repairs(account: Account, amount: float | None = None, symbol: str | None = None) -> Repairs:
    """What moves the account as it stands away from liquidation, ranked.

    Parameters
    ----------
    account : Account
    amount : float, optional
        What adding collateral or margin adds, in the account's currency, > 0; by default a tenth
        of the wallet.
    symbol : str, optional
        Measure distances along this symbol's price alone, not along a common move of all marks.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> found = repairs(presets.ref2())
    >>> best = found[0]
    >>> best.title, best.cost, round(best.after.move, 4), best.after.pool
    ('Close ETHUSDT', 0.0, -0.196, 'cross')
    """
    amount = default_amount(account) if amount is None else number("amount", amount, above=0.0)
    if symbol is not None and symbol not in account.books.symbols:
        hint = did_you_mean(symbol, account.books.symbols)
        raise KeyError(f"symbol: {symbol!r} is not in this account{hint}")
    return _Bench(account, amount, symbol).all()


def distance(books: Books, symbol: str | None = None) -> Distance:
    """How far the account as configured is from its first liquidation.

    Parameters
    ----------
    books : Books
    symbol : str, optional
        Along this symbol's price alone.
    """
    ledger = books.ledger("configured")
    if symbol is None:
        found = ledger.common_triggers
    else:
        place = books.symbols.index(symbol)
        found = triggers_along(ledger.ray_of(place), ledger.partition)
    moves = np.where(ledger.fallen, 0.0, found.nearest(1.0) - 1.0)
    names = books.pool_names("configured")
    of_pool = {
        name: None if math.isnan(move) else float(move)
        for name, move in zip(names, moves.tolist(), strict=True)
    }
    if not len(moves) or np.isnan(moves).all():
        return Distance(None, "", of_pool)
    first = int(np.nanargmin(np.abs(moves)))
    return Distance(float(moves[first]), names[first], of_pool)


class _CannotError(ValueError):
    """An action that cannot be taken, and why."""


@dataclass(frozen=True)
class _Draft:
    """Changes and costs of an action before it is judged."""

    changes: Sequence[Change]
    added: float = 0.0
    traded: Trade = _NONE
    note: str = ""


class _Bench:
    """Tries every action on the account."""

    def __init__(self, account: Account, amount: float, symbol: str | None) -> None:
        self.account, self.amount, self.symbol = account, amount, symbol
        self.books = account.books
        self.now = distance(self.books, symbol)
        self.refused: list[tuple[str, str]] = []

    def all(self) -> Repairs:
        """Every action on the positions nearest to liquidation, ranked."""
        places = self._nearest()
        found = [*self._deposits(places)]
        for place in places:
            found += self._about(place)
        order = {one.id: number for number, one in enumerate(found)}
        found.sort(key=lambda one: (_far(one.after.first), round(one.cost, 6), order[one.id]))
        return Repairs(
            tuple(found),
            tuple(self.refused),
            self.now,
            self.symbol,
            self.amount,
            len(self.books.keys) - len(places),
        )

    def _nearest(self) -> list[int]:
        """Numbers of the positions whose pools are nearest, the larger ones first among equals."""
        books = self.books
        pool, names = books.partitions["configured"].pool, books.pool_names("configured")
        notional = books.ledger("configured").valuation.notional

        def rank(place: int) -> tuple[float, float, int]:
            move = self.now.of_pool[names[int(pool[place])]]
            return (math.inf if move is None else abs(move), -float(notional[place]), place)

        return sorted(range(len(books.keys)), key=rank)[:MOST]

    # -- the actions ------------------------------------------------------------------------

    def _deposits(self, places: Sequence[int]) -> Iterator[Repair]:
        """Collateral for each shared pool."""
        partition = self.books.partitions["configured"]
        shared: dict[int, int] = {}
        for place in places:
            pool = int(partition.pool[place])
            if not partition.own[pool]:
                shared.setdefault(pool, place)
        if not shared and places:
            self.refused.append(
                ("Add collateral", "no position is in cross; what is idle helps none of them")
            )
        for place in shared.values():
            asset = funding_asset(self.account, self.books.state.positions[place].symbol)
            more = self.amount / self.account.asset_price(asset)
            title = f"Add {money(more, asset)} {asset} of collateral"
            key = asset if len(shared) > 1 else ""

            def draft(asset: str = asset, more: float = more) -> _Draft:
                return _Draft([self._wallet(asset, more)], self.amount)

            yield from self._try("add collateral", key, title, place, draft)

    def _about(self, place: int) -> Iterator[Repair]:
        key = self.books.keys[place]
        asset = self._asset(place)
        more = money(self.amount / self._price(place), asset)
        if self._own(place):
            halved = fmt.plain(self.books.state.positions[place].leverage / 2, 4)
            tries: list[tuple[str, str, Callable[[int], _Draft]]] = [
                ("add margin", f"Add {more} margin to {key}", self._add_margin),
                ("close", f"Close {key}", self._close),
                ("halve", f"Halve {key}", self._halve),
                ("move to cross", f"Move {key} to cross", self._to_cross),
                ("lower leverage", f"Lower the leverage of {key} to {halved}×", self._lower),
            ]
        else:
            tries = [
                ("close", f"Close {key}", self._close),
                ("halve", f"Halve {key}", self._halve),
                ("isolate", f"Isolate {key}", self._isolate),
            ]
        for action, title, make in tries:
            yield from self._try(action, key, title, place, lambda make=make: make(place))  # type: ignore[misc]

    def _add_margin(self, place: int) -> _Draft:
        more = self.amount / self._price(place)
        return self._assigned(place, float(self.books.book.margin[place]) + more, [])

    def _lower(self, place: int) -> _Draft:
        book, row = self.books.book, self.books.state.positions[place]
        if book.by_schedule[place] or is_option(book)[place]:
            raise _CannotError("its initial margin follows the venue's schedule, not the leverage")
        change = Change(
            self.books.keys[place], "leverage", row.leverage, row.leverage / 2, "×", row.id
        )
        follows = [change]
        if row.margin is not None:
            margin = Change(
                self.books.keys[place], "margin", row.margin, None, self._asset(place), row.id
            )
            follows.append(margin)
        then = keep_books(changed(self.books.state, follows))
        asked = float(then.book.margin[place])
        if asked <= float(book.margin[place]):
            raise _CannotError(f"it has more margin than {change.shown(change.after)} asks for")
        return self._assigned(place, asked, follows)

    def _assigned(self, place: int, margin: float, follows: list[Change]) -> _Draft:
        """A position with so much margin, from what is available and else from a deposit."""
        asset, price = self._asset(place), self._price(place)
        row, before = self.books.state.positions[place], float(self.books.book.margin[place])
        changes = follows or [
            Change(self.books.keys[place], "margin", before, margin, asset, row.id)
        ]
        extra = margin - before
        free = max(self._headroom(), 0.0) / price
        fresh = max(0.0, extra - free)
        if fresh <= 1e-9 * extra:
            return _Draft(changes, note="The margin comes from what is available")
        rest = f", {money(extra - fresh, asset)} from what is available" if extra > fresh else ""
        return _Draft(
            [*changes, self._wallet(asset, fresh)],
            fresh * price,
            note=f"{money(fresh, asset)} {asset} has to be deposited{rest}",
        )

    def _close(self, place: int) -> _Draft:
        traded = trade(self.books, place, 0.0, in_pocket=self._own(place))
        return _Draft(traded.changes, traded=traded)

    def _halve(self, place: int) -> _Draft:
        own = self._own(place)
        traded = trade(self.books, place, 0.5, in_pocket=own)
        note = "All of its margin stays with the other half" if own else ""
        return _Draft(traded.changes, traded=traded, note=note)

    def _isolate(self, place: int) -> _Draft:
        self._offers("isolated")
        books = self.books
        figures = books.ledger("configured").valuation
        row, price = books.state.positions[place], self._price(place)
        takes = float(books.book.margin[place]) * price
        released = float(figures.initial[place])
        if self._headroom() + released < takes * (1 - 1e-9):
            raise _CannotError(
                f"it takes {fmt.amount(takes)} of margin and only"
                f" {fmt.amount(max(self._headroom() + released, 0.0))} is available"
            )
        key = books.keys[place]
        change = Change(key, "margin_mode", "cross", "isolated", "", row.id)
        return _Draft([change], note=f"{fmt.amount(takes)} of margin is assigned to it")

    def _to_cross(self, place: int) -> _Draft:
        self._offers("cross")
        row = self.books.state.positions[place]
        change = Change(self.books.keys[place], "margin_mode", "isolated", "cross", "", row.id)
        return _Draft([change])

    # -- pieces -----------------------------------------------------------------------------

    def _own_move(self, books: Books, measured: Distance, row: str) -> float | None:
        """The move that liquidates the pool of a position, found by the position's id."""
        for place, one in enumerate(books.state.positions):
            if one.id == row:
                pool = int(books.partitions["configured"].pool[place])
                return measured.of_pool.get(books.pool_names("configured")[pool])
        return None

    def _try(
        self, action: str, key: str, title: str, place: int, make: Callable[[], _Draft]
    ) -> Iterator[Repair]:
        """The action, judged by an exact report of the account after it."""
        row = self.books.state.positions[place].id
        try:
            draft = make()
            changes = tuple(merged(draft.changes))
            after = keep_books(changed(self.books.state, changes))
        except (ValueError, TraitError) as error:
            self.refused.append((title, str(error)))
            return
        gone = self.symbol is not None and self.symbol not in after.symbols
        then = Distance(None, "", {}) if gone else distance(after, self.symbol)
        yield Repair(
            account=self.account,
            action=action,
            key=key,
            title=title,
            changes=changes,
            before=self.now,
            after=then,
            own_before=self._own_move(self.books, self.now, row),
            own_after=self._own_move(after, then, row),
            added=draft.added,
            closed=draft.traded.notional,
            fee=draft.traded.fee,
            realized_loss=max(0.0, -draft.traded.realized),
            note=draft.note,
            row=row,
        )

    def _offers(self, mode: str) -> None:
        venue = self.account.venue
        if venue.modes and mode not in venue.modes:
            raise _CannotError(f"{venue.name} has no {mode} margin")

    def _own(self, place: int) -> bool:
        partition = self.books.partitions["configured"]
        return bool(partition.own[partition.pool[place]])

    def _asset(self, place: int) -> str:
        return self.books.assets[int(self.books.book.position_settle[place])]

    def _price(self, place: int) -> float:
        return self.account.asset_price(self._asset(place))

    def _wallet(self, asset: str, more: float) -> Change:
        held = self.books.state.collateral.get(asset, 0.0)
        return Change(asset, COLLATERAL, held, held + more, asset)

    def _headroom(self) -> float:
        """What new margin may take; below 0 where initial margin is not covered."""
        report = self.account.configured
        shared = [pool for pool, own in zip(report.pools, self._owns(), strict=True) if not own]
        if not shared:
            return report.available
        lacking = sum(min(0.0, pool.margin_balance - pool.initial_margin) for pool in shared)
        return report.available + lacking

    def _owns(self) -> list[bool]:
        own: list[bool] = self.books.partitions["configured"].own.tolist()
        return own


def _far(first: float | None) -> float:
    """Sort key: the farthest first, no liquidation at all before that."""
    return -math.inf if first is None else -round(first, _DIGITS)


def _shown(move: float) -> str:
    return "now" if move == 0 else fmt.move(move)


def _first(now: Distance, along: str) -> str:
    what = f"move{along}" if along else "common move of all marks"
    if now.move is None:
        return f"no {what} liquidates anything"
    if now.move == 0:
        return f"{now.pool} is below maintenance at these marks"
    return f"a {what} by {_shown(now.move)} is the first to liquidate: {now.pool}"


def _moved(before: Distance, after: Distance) -> str:
    def at(one: Distance) -> str:
        return "none" if one.move is None else f"{_shown(one.move)} ({one.pool})"

    if after.move is None and before.move is None:
        return "no move liquidates before or after."
    if before.move is not None and after.move is not None:
        same = abs(abs(before.move) - abs(after.move)) < 10.0**-_DIGITS
        if same and before.pool == after.pool:
            return f"the first liquidation stays at {at(after)}."
    return f"the first liquidation moves from {at(before)} to {at(after)}."
