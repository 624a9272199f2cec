"""Option positions in a book: their value, their margin, and their mark as the underlying moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from margin_widgets.engine import black, option_margin
from margin_widgets.engine.book import Book, Bools, Floats, Ints, Options
from margin_widgets.engine.marked import MarkedBook


def options_of(book: Book) -> Options:
    """The option contracts of a book that has some."""
    assert book.options is not None
    return book.options


def is_option(book: Book) -> Bools:
    """Which positions are options (N,)."""
    if book.options is None:
        return np.zeros(len(book.symbol), dtype=bool)
    option: Bools = book.options.kind[book.symbol] != 0
    return option


def moves_with(book: Book, symbol: int, moved: int) -> bool:
    """Whether a symbol's mark moves with that of `moved`: it is the same, or an option on it."""
    return symbol == moved or (book.options is not None and book.options.index[symbol] == moved)


def with_options(marked: MarkedBook, index: Floats) -> MarkedBook:
    """Value the options among positions that were marked as if all were linear.

    Parameters
    ----------
    marked : MarkedBook
    index : ndarray (..., N)
        Price of each position's underlying.
    """
    book = marked.book
    options, option = options_of(book), is_option(book)
    unit = np.where(options.in_coin[book.symbol], index, 1.0)  # of a premium, in quote currency
    owed = option_margin.maintenance(options.margin, *_described(marked, index, unit))
    worth = np.where(option, book.size * marked.price, marked.profit)
    counts = options.margin.value_in_margin_balance
    return replace(
        marked,
        notional=np.where(option, np.abs(book.size) * index / unit, marked.notional),
        maintenance=np.where(option, owed / unit, marked.maintenance),
        worth=worth,
        counted=worth if counts else np.where(option, 0.0, marked.profit),
    )


def with_option_initial(marked: MarkedBook, reserved: Floats) -> Floats:
    """Initial margin (..., N) in the settlement asset, that of options put in its place."""
    book = marked.book
    options, option = options_of(book), is_option(book)
    index = marked.marks[..., book.index]
    unit = np.where(options.in_coin[book.symbol], index, 1.0)
    held = option_margin.initial(options.margin, *_described(marked, index, unit))
    return np.where(option, held / unit, reserved)


def _described(marked: MarkedBook, index: Floats, unit: Floats) -> tuple[Floats | Ints, ...]:
    """Kind, size, index, strike, mark and entry of all positions, as the margin rules take them."""
    book, options = marked.book, options_of(marked.book)
    kind, strike = options.kind[book.symbol], options.strike[book.symbol]
    return kind, book.size, index, strike, marked.price * unit, book.entry * unit


def moved_marks(book: Book, present: Floats, factor: Floats | float) -> Floats:
    """Marks after a common move: all times the factor, options after their underlying."""
    moved = present * factor
    return moved if book.options is None else reprice(book, present, moved)


def reprice(book: Book, present: Floats, moved: Floats) -> Floats:
    """Marks (..., S) in which options have followed their underlying from `present` (S,).

    Black (1976) at the implied volatility of the present mark: an option whose underlying has not
    moved keeps the mark that `moved` has for it.
    """
    options = options_of(book)
    priced = np.flatnonzero(options.kind)
    now, then = present[options.index[priced]], moved[..., options.index[priced]]
    followed = black.option_marks(
        options.kind[priced],
        present[priced],
        now,
        then,
        options.strike[priced],
        options.years[priced],
        options.volatility[priced],
        options.in_coin[priced],
    )
    result = np.array(moved, dtype=float)
    result[..., priced] = np.where(then == now, moved[..., priced], followed)
    return result
