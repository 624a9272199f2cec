"""One account under one partition at given marks: every figure, each computed once when asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from margin_widgets.engine import curved, ray
from margin_widgets.engine.book import Book, Bools, Floats, Ints
from margin_widgets.engine.curved import CurvedRay
from margin_widgets.engine.liquidation import Triggers, bankruptcy_along, stands, triggers_along
from margin_widgets.engine.marked import MarkedBook
from margin_widgets.engine.options import is_option
from margin_widgets.engine.partition import Partition
from margin_widgets.engine.portfolio import PortfolioRules
from margin_widgets.engine.ray import Ray
from margin_widgets.engine.valuation import Valuation, mark_book, value


@dataclass(frozen=True)
class Ledger:
    """The account's books as one margin mode keeps them.

    Parameters
    ----------
    marked : MarkedBook
        At marks (S,).
    partition : Partition
    portfolio : PortfolioRules, optional
        The grid whose worst loss pools must hold, instead of the sum of maintenance margins.
    """

    marked: MarkedBook
    partition: Partition
    portfolio: PortfolioRules | None = None

    @property
    def book(self) -> Book:
        """What the account holds."""
        return self.marked.book

    @property
    def marks(self) -> Floats:
        """Marks of the symbols (S,)."""
        return self.marked.marks

    @cached_property
    def valuation(self) -> Valuation:
        """Figures at the marks."""
        return value(self.marked, self.partition, self.portfolio)

    @property
    def curved(self) -> bool:
        """Whether figures along a moved price are found by search, not in closed form."""
        return self.book.curved or self.portfolio is not None

    @cached_property
    def fallen(self) -> Bools:
        """Pools with positions that are below maintenance at the marks (P,)."""
        figures, partition = self.valuation, self.partition
        scale = partition.sum_by_pool(figures.notional) + np.abs(figures.margin_balance)
        surplus = figures.margin_balance - self.book.trigger_level * figures.requirement
        return self.exposed & ~stands(self.book, surplus, scale)

    @cached_property
    def exposed(self) -> Bools:
        """Pools that can fall: not those of bought options alone, which can lose nothing more."""
        partition = self.partition
        if self.book.options is None:
            return partition.occupied
        bought = is_option(self.book) & (self.book.size > 0)
        owing = partition.sum_by_pool((~bought).astype(float)) > 0
        return owing | (partition.wallet < 0).any(axis=1)

    @cached_property
    def _alone(self) -> bool:
        """Whether each pool is one position on collateral that stays: all moves are its own."""
        still = not np.any(self.book.asset_symbol >= 0) and self.book.options is None
        return bool(self.partition.own.all() and still)

    @cached_property
    def _symbol_ray(self) -> tuple[Ray | CurvedRay, Ints]:
        """Each pool along a move of each of its symbols, and the line of each position."""
        if self._alone:
            return self.common_ray, self.partition.pool
        if self.curved:
            return curved.by_symbol(self.marked, self.partition, self.portfolio)
        return ray.by_symbol(self.marked, self.partition)

    @cached_property
    def _symbol_triggers(self) -> Triggers:
        if self._alone:
            return self.common_triggers
        return triggers_along(self._symbol_ray[0], self.partition)

    @cached_property
    def common_ray(self) -> Ray | CurvedRay:
        """Each pool along a common move of all marks."""
        return self.ray_of(None)

    def ray_of(self, symbol: int | None) -> Ray | CurvedRay:
        """Each pool along a move of one symbol's mark, or of all marks together."""
        if self.curved:
            return curved.together(self.marked, self.partition, symbol, self.portfolio)
        return ray.together(self.marked, self.partition, symbol)

    @cached_property
    def common_triggers(self) -> Triggers:
        """Factors on all marks at which each pool is liquidated (P,)."""
        return triggers_along(self.common_ray, self.partition)

    @cached_property
    def liquidation_prices(self) -> Triggers:
        """Price of each position's symbol, other marks unchanged, that liquidates its pool (N,).

        Two legs of one symbol in a pool share their prices. NaN where no positive price does. For
        a pool below maintenance already, the prices at which it is back above.
        """
        factors, (_, line) = self._symbol_triggers, self._symbol_ray
        mark = self.marks[self.book.symbol]
        return Triggers(_of(factors.lower, line) * mark, _of(factors.upper, line) * mark)

    @cached_property
    def bankruptcy_prices(self) -> Floats:
        """Price of each position's symbol at which its pool's equity is zero, NaN if none (N,)."""
        along, line = self._symbol_ray
        return _of(bankruptcy_along(along), line) * self.marks[self.book.symbol]

    @cached_property
    def liquidation_shocks(self) -> Triggers:
        """Common relative moves of all marks that liquidate each pool (P,), e.g. -0.0909.

        0 for a pool that is below maintenance already.
        """
        lower, upper = self.common_triggers.lower - 1.0, self.common_triggers.upper - 1.0
        return Triggers(np.where(self.fallen, 0.0, lower), np.where(self.fallen, 0.0, upper))

    def symbol_terms(self, position: int, u: float) -> tuple[Floats, Floats]:
        """Terms (3,) of a position's pool at a factor u on its symbol: margin balance, requirement.

        The piece of ``a + b u + c / u`` that holds there; for explanations.

        Raises
        ------
        ValueError
            If the book is curved.
        """
        along, line = self._symbol_ray
        if isinstance(along, CurvedRay):
            raise ValueError("symbol_terms: the book has no closed form along a moved price")
        mine = int(line[position])
        requirement = along.requirement.terms_at(mine, u)
        needed = self.book.trigger_level * requirement
        return along.surplus.terms_at(mine, u) + needed, requirement


def _of(values: Floats, line: Ints) -> Floats:
    """Values of lines (L,) for each position; NaN for one without a line, -1 (N,)."""
    return np.append(values, np.nan)[line]


def liquidation_prices(book: Book, partition: Partition, marks: Floats) -> Triggers:
    """`Ledger.liquidation_prices` for marks with leading axes: (..., S) -> (..., N)."""
    return _over_rows(book, partition, marks, lambda ledger: ledger.liquidation_prices)


def liquidation_shocks(book: Book, partition: Partition, marks: Floats) -> Triggers:
    """`Ledger.liquidation_shocks` for marks with leading axes: (..., S) -> (..., P)."""
    return _over_rows(book, partition, marks, lambda ledger: ledger.liquidation_shocks)


def bankruptcy_prices(book: Book, partition: Partition, marks: Floats) -> Floats:
    """`Ledger.bankruptcy_prices` for marks with leading axes: (..., S) -> (..., N)."""
    both = _over_rows(
        book,
        partition,
        marks,
        lambda ledger: Triggers(ledger.bankruptcy_prices, ledger.bankruptcy_prices),
    )
    return both.lower


def _over_rows(
    book: Book, partition: Partition, marks: Floats, figure: Callable[[Ledger], Triggers]
) -> Triggers:
    """A figure at every set of marks."""
    marks = np.asarray(marks, dtype=float)
    rows = marks.reshape(-1, marks.shape[-1])
    found = [figure(Ledger(mark_book(book, row), partition)) for row in rows]
    leading = marks.shape[:-1]
    return Triggers(
        np.array([one.lower for one in found]).reshape(*leading, -1),
        np.array([one.upper for one in found]).reshape(*leading, -1),
    )
