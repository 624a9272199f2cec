"""Figures of an account at given marks: profit, margins, and what each pool is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from margin_widgets.engine.book import Book, Floats
from margin_widgets.engine.partition import Partition


@dataclass(frozen=True)
class Valuation:
    """Amounts in the valuation currency; `...` are the leading axes of the marks.

    Attributes
    ----------
    notional, unrealized_pnl, maintenance, initial : ndarray (..., N)
        Per position. `initial` is at entry in an isolated pool and at mark in a shared one.
    equity : ndarray (..., P)
        Market value of each pool: wallet and unrealised profit, before haircuts.
    margin_balance : ndarray (..., P)
        The same after haircuts; what is held against the requirement.
    requirement : ndarray (..., P)
        Maintenance margin of each pool.
    idle : ndarray (...)
        Market value of the collateral that backs nothing.
    """

    notional: Floats
    unrealized_pnl: Floats
    maintenance: Floats
    initial: Floats
    equity: Floats
    margin_balance: Floats
    requirement: Floats
    idle: Floats


def unrealized_pnl(book: Book, price: Floats) -> Floats:
    """Unrealised profit in the settlement asset at `price` (..., N).

    Linear ``q (P - E)``; inverse ``q (1/E - 1/P)`` with ``q`` in quote units.
    """
    return book.size * np.where(
        book.position_inverse, 1 / book.entry - 1 / price, price - book.entry
    )


def notional(book: Book, price: Floats) -> Floats:
    """Notional in the settlement asset (..., N): linear ``|q| P``, inverse ``|q| / P``."""
    return np.abs(book.size) * np.where(book.position_inverse, 1 / price, price)


def count_as_margin(book: Book, amounts: Floats) -> Floats:
    """Amounts of assets (..., A) less their haircut; a negative amount (a loan) is not cut."""
    assets = np.arange(len(book.wallet), dtype=np.intp)
    return amounts - book.haircuts.at(assets, amounts)


@dataclass(frozen=True)
class MarkedBook:
    """A book at given marks, before anybody pools anything. Amounts in settlement assets.

    Attributes
    ----------
    marks : ndarray (..., S)
    asset_prices : ndarray (..., A)
    price, profit, notional, maintenance : ndarray (..., N)
        Mark, unrealised profit, notional and maintenance margin of each position.
    """

    book: Book
    marks: Floats
    asset_prices: Floats
    price: Floats
    profit: Floats
    notional: Floats
    maintenance: Floats


def mark_book(book: Book, marks: Floats) -> MarkedBook:
    """Value the positions of a book at `marks` (..., S)."""
    marks = np.asarray(marks, dtype=float)
    price = marks[..., book.symbol]
    size = notional(book, price)
    maintenance = (
        np.broadcast_to(book.entry_maintenance, size.shape)
        if book.maintenance_at_entry
        else book.maintenance(size)
    )
    return MarkedBook(
        book=book,
        marks=marks,
        asset_prices=book.asset_prices(marks),
        price=price,
        profit=unrealized_pnl(book, price),
        notional=size,
        maintenance=maintenance,
    )


def value(marked: MarkedBook, partition: Partition) -> Valuation:
    """Value positions and pools in the valuation currency."""
    book, asset_prices, profit = marked.book, marked.asset_prices, marked.profit
    settle_price = asset_prices[..., book.position_settle]
    reserved = (
        np.where(partition.own[partition.pool], book.entry_notional, marked.notional)
        / book.leverage
    )
    net = partition.wallet + partition.sum_by_pool_and_asset(profit, book.position_settle)
    pool_prices = asset_prices[..., None, :]
    required = marked.maintenance * settle_price
    return Valuation(
        notional=marked.notional * settle_price,
        unrealized_pnl=profit * settle_price,
        maintenance=required,
        initial=reserved * settle_price,
        equity=np.sum(net * pool_prices, axis=-1),
        margin_balance=np.sum(count_as_margin(book, net) * pool_prices, axis=-1),
        requirement=partition.sum_by_pool(required),
        idle=np.sum(partition.idle * asset_prices, axis=-1),
    )
