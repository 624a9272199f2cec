"""One position in many variants at once: other leverages or other sizes, all else the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from margin_widgets.account.books import Books
from margin_widgets.account.charges import Held, charges, measure
from margin_widgets.engine import Book, Partition
from margin_widgets.engine.book import Floats


@dataclass(frozen=True)
class Variants:
    """V copies of one position that differ in leverage or size.

    Attributes
    ----------
    book : Book
        The copies as its positions; what the venue charges is that of each copy, and so is the
        margin assigned: the initial margin at entry.
    measure : ndarray (V,)
        The amount of each that the venue compares with the floors of its tiers.
    """

    book: Book
    measure: Floats

    @property
    def alone(self) -> Partition:
        """Every copy in an isolated pool of its own."""
        book = self.book
        count = len(book.size)
        wallet = np.zeros((count, len(book.wallet)))
        wallet[np.arange(count), book.position_settle] = book.margin
        pools = np.arange(count, dtype=np.intp)
        return Partition(pools, wallet, np.zeros(len(book.wallet)), np.ones(count, dtype=bool))


def variants(
    books: Books,
    position: int,
    *,
    leverage: Floats | float | None = None,
    quantity: Floats | float | None = None,
) -> Variants:
    """Copies of a position with other leverages or quantities (V,).

    Parameters
    ----------
    books : Books
    position : int
        Number of the position; no option, whose margin follows neither.
    leverage, quantity : ndarray (V,), optional
        Leverages > 0; quantities of any sign but 0. The position's own where not given.
    """
    state, rules = books.state.positions[position], books.state.venue
    leverages, quantities = np.broadcast_arrays(
        np.asarray(state.leverage if leverage is None else leverage, dtype=float),
        np.asarray(state.quantity if quantity is None else quantity, dtype=float),
    )
    leverages, quantities = np.atleast_1d(leverages), np.atleast_1d(quantities)
    whole = books.book
    symbol = int(whole.symbol[position])
    contract = books.contracts[symbol]
    book = whole.only(np.full(len(quantities), position, dtype=np.intp))
    size = quantities * contract.multiplier
    book = book.replace(size=size, leverage=leverages)
    inverse = book.position_inverse
    held = Held(
        symbols=books.symbols,
        place=book.symbol,
        contracts=np.abs(quantities),
        coins=np.where(inverse, book.entry_notional, np.abs(size)),
        notional=book.entry_notional,
        inverse=inverse,
        long=size > 0,
        leverage=leverages,
    )
    charged = charges(rules, held)
    book = book.replace(
        rate=charged.rate,
        fixed=charged.fixed,
        square=charged.square,
        initial_rate=charged.initial_rate,
        initial_fixed=charged.initial_fixed,
    )
    book = book.replace(margin=book.initial_margin(book.entry_notional))
    return Variants(book, measure(rules, held))
