"""What a move of the marks does to a margin mode: who falls on the way, and who lost what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.checks import number
from margin_widgets.account.curve import Curve, trace
from margin_widgets.engine import Ledger, mark_book
from margin_widgets.engine.book import Floats, Ints
from margin_widgets.engine.options import moved_marks, reprice
from margin_widgets.engine.valuation import count_as_margin
from margin_widgets.venues.rules import did_you_mean

_SAMPLES, _HALVINGS = 401, 60


@dataclass(frozen=True, eq=False)
class Move:
    """From the present marks to others, on the straight way.

    Attributes
    ----------
    books : Books
    symbol : str or None
        The one symbol that moves; None if all do.
    shock : float or None
        Relative move of the symbol, or of all marks; None for marks that each go their own way.
    marks : ndarray (S,)
        Where it ends.
    """

    books: Books
    symbol: str | None
    shock: float | None
    marks: Floats

    def marks_at(self, place: Floats) -> Floats:
        """Marks (E, S) at places (E,): relative moves, or shares of the way without a shock."""
        book, present = self.books.book, self.books.marks
        place = np.asarray(place, dtype=float)[:, None]
        if self.shock is not None and self.symbol is None:
            return moved_marks(book, present, 1.0 + place)
        if self.shock is None:
            moved = present + place * (self.marks - present)
            moved = np.where(place == 1.0, self.marks, moved)
        else:
            mine = np.array([name == self.symbol for name in self.books.symbols])
            moved = np.where(mine, present * (1.0 + place), present)
        return moved if book.options is None else reprice(book, present, moved)

    @property
    def goal(self) -> float:
        """The place at which the move ends."""
        return 1.0 if self.shock is None else self.shock

    def place_text(self, place: float) -> str:
        """A place on the way in words."""
        if place == 0.0:
            return "the present marks"
        if self.shock is None:
            return f"{fmt.percent(place, 1)} of the way"
        return fmt.move(place)

    @property
    def text(self) -> str:
        """The move in words."""
        if self.shock is not None:
            what = "All marks" if self.symbol is None else f"{self.symbol} alone"
            return f"{what} {fmt.percent(self.shock, sign=True)}"
        books = self.books
        moved = np.flatnonzero(self.marks != books.marks)
        named = [
            f"{books.symbols[s]} to {fmt.price(float(self.marks[s]), books.contracts[s].tick)}"
            for s in moved[:3]
        ]
        if len(moved) > 3:
            named.append(f"{len(moved) - 3} more marks")
        return f"{', '.join(named) or 'No mark moves'}, on a straight way"

    @cached_property
    def curve(self) -> Curve:
        """Both modes from the present to the end of a move that has a shock."""
        assert self.shock is not None
        base, offset = 1.0, 1.0
        if self.symbol is not None:
            base, offset = float(self.books.marks[self.books.symbols.index(self.symbol)]), 0.0
        # Where there is nowhere to go, what has fallen already is all there is to tell.
        away = max(abs(self.shock), 1e-12)
        low, high = (1.0 - away, 1.0) if self.shock <= 0 else (1.0, 1.0 + away)
        low, high = base * low - offset, base * high - offset
        return trace(self.books, self.symbol, low, high, 2, None)


def move_of(
    books: Books,
    shock: float | None = None,
    *,
    symbol: str | None = None,
    marks: Mapping[str, float] | None = None,
) -> Move:
    """Check a move: a shock of all marks or of one symbol, or the marks where it ends.

    Raises
    ------
    KeyError
        If the account neither holds nor marks a symbol.
    ValueError
        Unless exactly one of `shock` and `marks` is given.
    """
    if (shock is None) == (marks is None):
        raise ValueError("move: give either a shock or the marks where it ends")
    for name in [*(marks or {}), *([symbol] if symbol else [])]:
        if name not in books.symbols:
            raise KeyError(
                f"move: no symbol {name!r} in this account{did_you_mean(name, books.symbols)}"
            )
    if marks is not None:
        goal = books.marks.copy()
        for name, mark in marks.items():
            goal[books.symbols.index(name)] = number(f"marks[{name!r}]", mark, above=0.0)
        options = books.book.options
        if options is not None:
            told = [books.symbols.index(name) for name in marks]
            followed = reprice(books.book, books.marks, goal)
            followed[told] = goal[told]
            goal = followed
        else:
            moved = np.flatnonzero(goal != books.marks)
            if len(moved) == 1:  # the engine knows the way of one symbol exactly
                place = int(moved[0])
                return Move(
                    books, books.symbols[place], float(goal[place] / books.marks[place] - 1), goal
                )
        return Move(books, None, None, goal)
    shock = number("shock", shock, above=-1.0)
    move = Move(books, symbol, shock, books.marks)
    return Move(books, symbol, shock, move.marks_at(np.array([shock]))[0])


@dataclass(frozen=True)
class Fall:
    """A pool closed on the way.

    Attributes
    ----------
    pool : int
    name : str
    positions : tuple of str
    place : float
        Where, as `Move.marks_at` takes it.
    equity : float
        What the pool still held there.
    fee, returned : float
        What of it was charged, and what came back to the account.
    """

    pool: int
    name: str
    positions: tuple[str, ...]
    place: float
    equity: float
    fee: float
    returned: float

    @property
    def residual(self) -> float:
        """What was left beyond the fee and did not come back."""
        return max(self.equity, 0.0) - self.fee - self.returned

    @property
    def shortfall(self) -> float:
        """What was missing, which others pay."""
        return max(-self.equity, 0.0)


@dataclass(frozen=True, eq=False)
class Outcome:
    """One margin mode at the end of a move. Amounts in the account's currency.

    Attributes
    ----------
    move : Move
    mode : str
    falls : tuple of Fall
        The nearest first.
    pnl : ndarray (N,)
        Change of each position's worth, up to where its pool was closed.
    revaluation : ndarray (A,)
        Change of the worth of each collateral asset, up to where its pool was closed.
    start, end : float
        Equity of the account.
    haircut_start, haircut_end : float
        What of the equity does not count as margin.
    """

    move: Move
    mode: str
    falls: tuple[Fall, ...]
    pnl: Floats
    revaluation: Floats
    start: float
    end: float
    haircut_start: float
    haircut_end: float

    @property
    def fees(self) -> float:
        """Liquidation fees."""
        return sum(fall.fee for fall in self.falls)

    @property
    def residuals(self) -> float:
        """What was left in closed pools and did not come back."""
        return sum(fall.residual for fall in self.falls)

    @property
    def shortfalls(self) -> float:
        """What closed pools were short of, which others pay."""
        return sum(fall.shortfall for fall in self.falls)

    @cached_property
    def fallen(self) -> frozenset[str]:
        """Keys of the positions that were closed."""
        return frozenset(key for fall in self.falls for key in fall.positions)


def outcome(move: Move, mode: str) -> Outcome:
    """Carry one margin mode from the present to the end of a move."""
    books, book = move.books, move.books.book
    ledger = books.ledger(mode)
    partition, present = ledger.partition, ledger.marked
    falls = _falls(move, mode)
    places = [fall.place for fall in falls] + [move.goal]
    stack = move.marks_at(np.array(places))
    stack[-1] = move.marks
    marked = mark_book(book, stack)
    row = np.full(len(partition.wallet), len(falls), dtype=np.intp)
    row[[fall.pool for fall in falls]] = np.arange(len(falls))
    alive = row == len(falls)

    settle, mine = book.position_settle, row[partition.pool]
    each = np.arange(len(book.symbol))
    worth = marked.worth[mine, each] * marked.asset_prices[mine, settle]
    pnl = worth - present.worth * present.asset_prices[settle]
    goal_prices = marked.asset_prices[-1]
    revaluation = (partition.wallet * (marked.asset_prices[row] - present.asset_prices)).sum(axis=0)
    revaluation = revaluation + partition.idle * (goal_prices - present.asset_prices)

    now = ledger.valuation
    then = Ledger(mark_book(book, move.marks), partition, ledger.portfolio).valuation
    counted = count_as_margin(book, partition.idle)
    not_counted = partition.idle - counted
    standing = float(then.equity[alive].sum() + then.idle)
    return Outcome(
        move=move,
        mode=mode,
        falls=falls,
        pnl=pnl,
        revaluation=revaluation,
        start=float(now.equity.sum() + now.idle),
        end=standing + sum(fall.returned for fall in falls),
        haircut_start=float(
            (now.equity - now.margin_balance).sum() + not_counted @ present.asset_prices
        ),
        haircut_end=float(
            (then.equity - then.margin_balance)[alive].sum() + not_counted @ goal_prices
        ),
    )


def _falls(move: Move, mode: str) -> tuple[Fall, ...]:
    if move.shock is None:
        found = _on_a_straight_way(move, mode)
    else:
        found = [
            (event.pool, event.u - 1.0, event.pool_equity, event.fee, event.returned)
            for event in getattr(move.curve, mode).series.events
        ]
    books = move.books
    names, members = books.pool_names(mode), books.pool_members(mode)
    return tuple(
        Fall(pool, names[pool], tuple(books.keys[n] for n in members[pool]), *rest)
        for pool, *rest in found
    )


def _on_a_straight_way(move: Move, mode: str) -> list[tuple[int, float, float, float, float]]:
    """Pools that fall while several marks go to different ends: found by sampling and halving.

    A pool that falls and recovers between two samples is missed.
    """
    books, book = move.books, move.books.book
    ledger = books.ledger(mode)
    partition, portfolio = ledger.partition, ledger.portfolio

    def fallen(places: Floats) -> Ledger:
        return Ledger(mark_book(book, move.marks_at(places)), partition, portfolio)

    places = np.linspace(0.0, 1.0, _SAMPLES)
    below = fallen(places).fallen
    pools: Ints = np.flatnonzero(below.any(axis=0))
    if not len(pools):
        return []
    first = below[:, pools].argmax(axis=0)
    high = places[first]
    low = np.where(first > 0, places[np.maximum(first - 1, 0)], high)
    each = np.arange(len(pools))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        down = fallen(middle).fallen[each, pools]
        low, high = np.where(down, low, middle), np.where(down, middle, high)
    high = np.where(first > 0, high, 0.0)
    there = fallen(high)
    left = there.valuation.equity[each, pools]
    # The same charge as the engine takes of a pool that falls along one moved price.
    size = partition.sum_by_pool(there.valuation.notional)[each, pools]
    fee = np.clip(book.liquidation_fee * size, 0.0, np.maximum(left, 0.0))
    returned = book.residual_returned * np.maximum(left - fee, 0.0)
    order = np.lexsort((pools, high))
    return [
        (int(pools[n]), float(high[n]), float(left[n]), float(fee[n]), float(returned[n]))
        for n in order
    ]
