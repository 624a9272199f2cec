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


def value(book: Book, partition: Partition, marks: Floats) -> Valuation:
    """Value positions and pools at `marks` (..., S) in the valuation currency.

    Examples
    --------
    See `margin_widgets.Account`, which builds the book and the partitions.
    """
    marks = np.asarray(marks, dtype=float)
    asset_prices = book.asset_prices(marks)
    price = marks[..., book.symbol]
    settle_price = asset_prices[..., book.position_settle]
    profit = unrealized_pnl(book, price)
    size_at_mark = notional(book, price)
    maintenance = (
        np.broadcast_to(book.entry_maintenance, size_at_mark.shape)
        if book.maintenance_at_entry
        else book.maintenance(size_at_mark)
    )
    reserved = (
        np.where(partition.own[partition.pool], book.entry_notional, size_at_mark) / book.leverage
    )
    net = partition.wallet + partition.sum_by_pool_and_asset(profit, book.position_settle)
    pool_prices = asset_prices[..., None, :]
    required = maintenance * settle_price
    return Valuation(
        notional=size_at_mark * settle_price,
        unrealized_pnl=profit * settle_price,
        maintenance=required,
        initial=reserved * settle_price,
        equity=np.sum(net * pool_prices, axis=-1),
        margin_balance=np.sum(count_as_margin(book, net) * pool_prices, axis=-1),
        requirement=partition.sum_by_pool(required),
        idle=np.sum(partition.idle * asset_prices, axis=-1),
    )
