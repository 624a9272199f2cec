"""Both margin modes as functions of two marks; what neither of them moves is summed up once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from margin_widgets.account.books import Books
from margin_widgets.engine import Book, Ledger, Partition, mark_book, value
from margin_widgets.engine.book import Bools, Floats, Ints
from margin_widgets.engine.liquidation import stands
from margin_widgets.engine.marked import MarkedBook
from margin_widgets.engine.options import is_option, reprice

MODES = ("isolated", "cross")


@dataclass(frozen=True)
class PoolFigures:
    """Pools of one mode at many pairs of marks; `...` is the shape of the marks.

    Attributes
    ----------
    equity, notional, surplus : ndarray (..., P)
        Market value, notional, and margin balance less what triggers.
    stands : ndarray of bool (..., P)
        Whether each pool holds more than what triggers, by the venue's rule.
    rest : ndarray (...)
        Equity of all that no move of the two marks can liquidate.
    """

    equity: Floats
    notional: Floats
    surplus: Floats
    stands: Bools
    rest: Floats


@dataclass(frozen=True, eq=False)
class PoolsOfMode:
    """The pools of one mode that the two marks move, over the positions that they move.

    Attributes
    ----------
    pool : ndarray of int (P,)
        Their numbers among all pools of the mode.
    partition : Partition
        Of the moved positions only; wallets hold the profit of the others too.
    required, notional : ndarray (P, A)
        Maintenance margin and notional of the other positions, by asset.
    still : ndarray (A,)
        Amounts of the pools that do not move, of those that stand, and of idle collateral.
    fallen : ndarray of bool (P,)
        Below maintenance at the present marks.
    exposed : ndarray of bool (P,)
        Pools that can fall at all.
    """

    pool: Ints
    partition: Partition
    required: Floats
    notional: Floats
    still: Floats
    fallen: Bools
    exposed: Bools


class TwoMarks:
    """Pools of both modes at any marks of two symbols, the others as they are.

    Parameters
    ----------
    books : Books
    first, second : int
        Numbers of two symbols.
    """

    def __init__(self, books: Books, first: int, second: int) -> None:
        self.books = books
        self.first, self.second = first, second
        book = books.book
        pair = np.array([first, second])
        follows = np.isin(book.asset_symbol, pair)
        if book.options is None:
            moved = np.isin(book.symbol, pair) | follows[book.position_settle]
        else:  # options and what they are margined on depend on each other in too many ways
            moved = np.ones(len(book.symbol), dtype=bool)
        self._follows = follows
        self._moved = np.flatnonzero(moved)
        self._book: Book = book.only(self._moved)
        self.modes = {mode: self._reduced(books.ledger(mode)) for mode in MODES}

    def _reduced(self, ledger: Ledger) -> PoolsOfMode:
        book, partition, marked = ledger.book, ledger.partition, ledger.marked
        count, settle = len(partition.wallet), book.position_settle
        still = np.ones(len(book.symbol))
        still[self._moved] = 0.0
        profit = partition.sum_by_pool_and_asset(marked.worth * still, settle)
        required = partition.sum_by_pool_and_asset(marked.maintenance * still, settle)
        notional = partition.sum_by_pool_and_asset(marked.notional * still, settle)
        touched = np.zeros(count, dtype=bool)
        touched[partition.pool[self._moved]] = True
        touched |= partition.occupied & (partition.wallet[:, self._follows] != 0).any(axis=1)
        kept = np.flatnonzero(touched)
        # The others either stand wherever the two marks go, or are closed already.
        left = ~touched & ~ledger.fallen
        amounts = partition.idle + (partition.wallet + profit)[left].sum(axis=0)
        returned = _returned(
            book, ledger.valuation.equity, self._fee(book, ledger.valuation.notional, partition)
        )
        back = returned[~touched & ledger.fallen].sum()
        home = int(np.argmin(book.asset_symbol >= 0)) if len(amounts) else 0
        amounts = amounts.copy()
        amounts[home] += back / float(marked.asset_prices[home])
        place = np.full(count, -1, dtype=np.intp)
        place[kept] = np.arange(len(kept))
        return PoolsOfMode(
            pool=kept,
            partition=Partition(
                pool=place[partition.pool[self._moved]],
                wallet=(partition.wallet + profit)[kept],
                idle=np.zeros(len(book.wallet)),
                own=partition.own[kept],
            ),
            required=required[kept],
            notional=notional[kept],
            still=amounts,
            fallen=ledger.fallen[kept],
            exposed=_exposed(book, partition)[kept],
        )

    @staticmethod
    def _fee(book: Book, notional: Floats, partition: Partition) -> Floats:
        return book.liquidation_fee * partition.sum_by_pool(notional)

    # -- figures ------------------------------------------------------------------------------

    def marks(self, x: Floats, y: Floats) -> Floats:
        """All marks (..., S) where the first symbol is at `x` and the second at `y`."""
        x, y = np.broadcast_arrays(x, y)
        marks = np.broadcast_to(self.books.marks, (*x.shape, len(self.books.marks))).copy()
        marks[..., self.first], marks[..., self.second] = x, y
        if self.books.book.options is not None:
            marks = reprice(self.books.book, self.books.marks, marks)
        return marks

    def at(self, x: Floats, y: Floats, modes: tuple[str, ...] = MODES) -> dict[str, PoolFigures]:
        """Both modes, or some, at marks of the two symbols; positions are valued once for all."""
        marked = mark_book(self._book, self.marks(x, y))
        return {mode: self._figures(marked, self.modes[mode]) for mode in modes}

    def _figures(self, marked: MarkedBook, pools: PoolsOfMode) -> PoolFigures:
        figures = value(marked, pools.partition)
        prices = marked.asset_prices
        book, each = self.books.book, prices[..., None, :]
        required = figures.requirement + (pools.required * each).sum(axis=-1)
        surplus = figures.margin_balance - book.trigger_level * required
        notional = pools.partition.sum_by_pool(figures.notional)
        notional = notional + (pools.notional * each).sum(axis=-1)
        scale = notional + np.abs(figures.margin_balance)
        return PoolFigures(
            equity=figures.equity,
            notional=notional,
            surplus=surplus,
            stands=stands(book, surplus, scale) | ~pools.exposed,
            rest=(pools.still * prices).sum(axis=-1),
        )

    def returned(self, figures: PoolFigures) -> Floats:
        """What a pool gives back to the account if it is closed at these marks (..., P)."""
        book = self.books.book
        return _returned(book, figures.equity, book.liquidation_fee * figures.notional)

    # -- who is who ---------------------------------------------------------------------------

    def depends(self, mode: str) -> tuple[Bools, Bools]:
        """Which pools the first mark moves, and which the second (P,) each."""
        pools = self.modes[mode]
        found = []
        for symbol in (self.first, self.second):
            book = self._book
            moves = (book.symbol == symbol) | (book.index == symbol)
            moves |= book.asset_symbol[book.position_settle] == symbol
            some = np.zeros(len(pools.pool), dtype=bool)
            some[pools.partition.pool[moves]] = True
            some |= (pools.partition.wallet[:, book.asset_symbol == symbol] != 0).any(axis=1)
            found.append(some)
        return found[0], found[1]

    @cached_property
    def concave(self) -> bool:
        """Whether every surplus is concave in the two marks together.

        So it is for sums of amounts that are straight in either mark, with maintenance rates and
        haircuts that rise. A pool that stands at both ends of a straight move then stood all along.
        """
        book = self.books.book
        if book.curved:
            return False
        mine = book.asset_symbol[self._book.position_settle]
        # What an inverse contract pays in coin is straight in its mark if the coin follows it.
        bent = self._book.position_inverse & (mine != self._book.symbol)
        return not bool(bent.any())


def _returned(book: Book, equity: Floats, fee: Floats) -> Floats:
    left = np.maximum(equity, 0.0)
    back: Floats = book.residual_returned * np.maximum(left - np.minimum(fee, left), 0.0)
    return back


def _exposed(book: Book, partition: Partition) -> Bools:
    """Pools that can fall: not those of bought options alone, which can lose nothing more."""
    if book.options is None:
        return partition.occupied
    bought = is_option(book) & (book.size > 0)
    owing = partition.sum_by_pool((~bought).astype(float)) > 0
    exposed: Bools = owing | (partition.wallet < 0).any(axis=1)
    return exposed
