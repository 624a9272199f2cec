"""Pools along one moved price where no closed form exists: options, quanto, portfolio margin.

The same questions that `ray` answers exactly are answered here by evaluation: `valuation.value` on
a grid of factors around the present, the first change of sign on each side, and zooming into it
until what is left is straight. Two changes of sign within one step of the grid (1.4 % near the
present) are missed; nothing else is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from margin_widgets.engine.book import Book, Bools, Floats, Ints
from margin_widgets.engine.marked import MarkedBook
from margin_widgets.engine.options import is_option, reprice
from margin_widgets.engine.partition import Partition
from margin_widgets.engine.portfolio import PortfolioRules
from margin_widgets.engine.valuation import Valuation, mark_book, value

# Logarithms of the factors: fine up to a doubling, coarser up to 1 : 10,000, then up to 1e12.
_OUTWARD = np.concatenate(
    [np.linspace(0.0, 0.7, 51), np.linspace(0.7, 9.2, 41)[1:], np.linspace(9.2, 27.6, 41)[1:]]
)
_ZOOM = np.linspace(0.0, 1.0, 33)
_ZOOMS = 5
_ROUNDING = 1e-13


@dataclass(frozen=True)
class _Group:
    """Lines of one pool: its own positions as a book, and which marks move on each line.

    `follows` says whether options have to follow: on lines that move their underlying.
    """

    book: Book
    partition: Partition
    lines: Ints
    moves: Bools
    follows: bool


@dataclass(frozen=True)
class CurvedRay:
    """L lines, each one pool seen along a move of some marks by the factor u.

    Attributes
    ----------
    marked : MarkedBook
        At marks (S,).
    partition : Partition
    pool : ndarray of int (L,)
        Pool of each line.
    moves : ndarray of bool (L, S)
        Marks that are moved; options on a moved underlying follow it.
    portfolio : PortfolioRules or None
        Grid that the requirement is found on, in place of the sum of maintenance margins.
    """

    marked: MarkedBook
    partition: Partition
    pool: Ints
    moves: Bools
    portfolio: PortfolioRules | None = None

    @cached_property
    def _groups(self) -> list[_Group]:
        book, partition = self.marked.book, self.partition
        groups = []
        for pool in np.unique(self.pool):
            members = np.flatnonzero(partition.pool == pool)
            alone = Partition(
                pool=np.zeros(len(members), dtype=np.intp),
                wallet=partition.wallet[pool : pool + 1],
                idle=np.zeros(partition.wallet.shape[1]),
                own=partition.own[pool : pool + 1],
            )
            held = book.only(members)
            here = self.pool == pool
            moved = self.moves[:, held.index[is_option(held)]].any(axis=1)
            for follows in (False, True):
                lines = np.flatnonzero(here & (moved == follows))
                if len(lines):
                    groups.append(_Group(held, alone, lines, self.moves[lines], follows))
        return groups

    def _values(self, group: _Group, u: Floats) -> Valuation:
        """Figures of a group's pool at factors (l, K) of its lines: (l, K, 1)."""
        factors = np.where(group.moves[:, None, :], u[..., None], 1.0)
        marks = self.marked.marks * factors
        if group.follows:
            marks = reprice(group.book, self.marked.marks, marks)
        return value(mark_book(group.book, marks), group.partition, self.portfolio)

    def _collect(self, u: Floats, figure: Callable[[Valuation], Floats]) -> Floats:
        """A figure of every line at factors (L, K) or (K,)."""
        u = np.broadcast_to(u, (len(self.pool), u.shape[-1]))
        result = np.empty(u.shape)
        for group in self._groups:
            result[group.lines] = figure(self._values(group, u[group.lines]))
        return result

    def _surplus(self, figures: Valuation) -> Floats:
        needed = self.marked.book.trigger_level * figures.requirement
        return (figures.margin_balance - needed)[..., 0]

    def triggers(self) -> tuple[Floats, Floats]:
        """Factors below and above 1 at which the surplus is zero, NaN where there is none (L,)."""
        return self._zeros(self._surplus)

    def bankruptcies(self) -> tuple[Floats, Floats]:
        """Factors below and above 1 at which there is no equity, NaN where there is none (L,)."""
        return self._zeros(lambda figures: figures.equity[..., 0])

    def equity_at(self, u: Floats) -> Floats:
        """Market value of each pool at factors of its own (L, K)."""
        return self._collect(u, lambda figures: figures.equity[..., 0])

    def notional_at(self, u: Floats) -> Floats:
        """Notional of each pool at factors of its own (L, K)."""
        return self._collect(u, lambda figures: figures.notional.sum(axis=-1))

    def requirement_on(self, u: Floats) -> Floats:
        """Maintenance margin on a grid (G,) -> (L, G)."""
        return self._collect(u, lambda figures: figures.requirement[..., 0])

    def balance_on(self, u: Floats) -> Floats:
        """Margin balance on a grid (G,) -> (L, G)."""
        return self._collect(u, lambda figures: figures.margin_balance[..., 0])

    def equity_while_standing(self, u: Floats, begin: Ints, end: Ints) -> Floats:
        """Sum of the pools' equity on a grid (G,), each from its `begin` to before its `end`."""
        column = np.arange(len(u))
        standing = (column >= begin[:, None]) & (column < end[:, None])
        total: Floats = np.where(standing, self.equity_at(u), 0.0).sum(axis=0)
        return total

    def _zeros(self, figure: Callable[[Valuation], Floats]) -> tuple[Floats, Floats]:
        """Zeros nearest to u = 1, below and above it, NaN if none (L,)."""
        lower, upper = np.full(len(self.pool), np.nan), np.full(len(self.pool), np.nan)
        for group in self._groups:
            zeros = self._outward(group, figure)
            lower[group.lines], upper[group.lines] = np.split(zeros, 2)
        return lower, upper

    def _outward(self, group: _Group, figure: Callable[[Valuation], Floats]) -> Floats:
        """First zero of a figure away from the present, down and then up; NaN if none (2 l,)."""
        both = _Group(
            group.book,
            group.partition,
            np.tile(group.lines, 2),
            np.tile(group.moves, (2, 1)),
            group.follows,
        )
        rows = np.arange(len(both.lines))
        grid = np.exp(np.where(rows < len(group.lines), -1.0, 1.0)[:, None] * _OUTWARD)
        values = self._values(both, grid)
        scale = values.notional.sum(axis=-1)[:, 0] + np.abs(values.margin_balance[:, 0, 0])
        seen = figure(values)
        at_zero = np.abs(seen[:, 0]) <= _ROUNDING * scale
        # A pool exactly at its trigger is there on the side on which it falls.
        here = at_zero & (seen[:, 1] < -_ROUNDING * scale)
        above = at_zero | (seen[:, 0] > 0)
        crossed = np.where(above[:, None], seen < 0, seen > 0)
        crossed[at_zero] = False
        place = np.argmax(crossed, axis=1)
        exists = crossed[rows, place]
        near, far = grid[rows, np.maximum(place - 1, 0)], grid[rows, place]
        for _ in range(_ZOOMS):
            u = near[:, None] + (far - near)[:, None] * _ZOOM
            seen = figure(self._values(both, u))
            crossed = np.where(above[:, None], seen <= 0, seen >= 0)
            crossed[:, -1] = True
            place = np.maximum(np.argmax(crossed, axis=1), 1)
            near, far = u[rows, place - 1], u[rows, place]
            from_value, to_value = seen[rows, place - 1], seen[rows, place]
        # What is left of the bracket is 1e-8 wide at most: there every figure is a straight line.
        with np.errstate(all="ignore"):
            share = np.clip(from_value / (from_value - to_value), 0.0, 1.0)
        root = near + (far - near) * np.where(np.isnan(share), 0.5, share)
        return np.where(here, 1.0, np.where(exists, root, np.nan))


def by_symbol(
    marked: MarkedBook, partition: Partition, portfolio: PortfolioRules | None = None
) -> tuple[CurvedRay, Ints]:
    """`ray.by_symbol` for any book: one line per pool and symbol held in it.

    Under portfolio margin an option has none (-1): its requirement depends on the underlying, and
    its own mark alone cannot move.
    """
    book = marked.book
    symbols = len(book.inverse)
    priced = np.flatnonzero(~is_option(book) if portfolio else np.ones(len(book.symbol), bool))
    held = partition.pool[priced] * symbols + book.symbol[priced]
    pairs, place = np.unique(held, return_inverse=True)
    pool, symbol = pairs // max(symbols, 1), pairs % max(symbols, 1)
    moves = np.arange(symbols) == symbol[:, None]
    line = np.full(len(book.symbol), -1, dtype=np.intp)
    line[priced] = place
    return CurvedRay(marked, partition, pool, moves, portfolio), line


def together(
    marked: MarkedBook,
    partition: Partition,
    symbol: int | None = None,
    portfolio: PortfolioRules | None = None,
) -> CurvedRay:
    """`ray.together` for any book: all marks move, or only `symbol` does."""
    symbols, pools = len(marked.book.inverse), len(partition.wallet)
    if symbol is not None:
        moves = np.arange(symbols) == symbol
    elif marked.book.options is not None:
        moves = marked.book.options.kind == 0
    else:
        moves = np.ones(symbols, dtype=bool)
    return CurvedRay(
        marked,
        partition,
        np.arange(pools, dtype=np.intp),
        np.broadcast_to(moves, (pools, symbols)),
        portfolio,
    )
