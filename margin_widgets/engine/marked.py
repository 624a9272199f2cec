"""A book at given marks: what `valuation` makes and everything else reads."""

from __future__ import annotations

from dataclasses import dataclass

from margin_widgets.engine.arrays import Floats
from margin_widgets.engine.book import Book


@dataclass(frozen=True)
class MarkedBook:
    """A book at given marks, before anybody pools anything. Amounts in settlement assets.

    Attributes
    ----------
    marks : ndarray (..., S)
    asset_prices : ndarray (..., A)
    price, profit, notional, maintenance : ndarray (..., N)
        Mark, unrealised profit, notional and maintenance margin of each position.
    worth, counted : ndarray (..., N)
        What each position adds to its pool's equity, and to its margin balance. Both are its
        profit, except for options: their premium has left the wallet, so they add their value, and
        to the margin balance only where the venue counts it.
    """

    book: Book
    marks: Floats
    asset_prices: Floats
    price: Floats
    profit: Floats
    notional: Floats
    maintenance: Floats
    worth: Floats
    counted: Floats
