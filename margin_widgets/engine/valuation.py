"""Figures of an account at given marks: profit, margins, and what each pool is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from margin_widgets.engine.book import Book, Floats
from margin_widgets.engine.marked import MarkedBook
from margin_widgets.engine.options import with_option_initial, with_options
from margin_widgets.engine.partition import Partition
from margin_widgets.engine.portfolio import PortfolioRules
from margin_widgets.engine.risk_units import requirements


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
        Maintenance margin of each pool, that of its loans included.
    pool_initial : ndarray (..., P) or None
        Initial margin of each pool where it is no sum over positions (portfolio margin).
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
    pool_initial: Floats | None
    idle: Floats


def unrealized_pnl(book: Book, price: Floats) -> Floats:
    """Unrealised profit in the settlement asset at `price` (..., N).

    Linear ``q (P - E)``; inverse ``q (1/E - 1/P)`` with ``q`` in quote units.
    """
    if not book.position_inverse.any():
        return book.size * (price - book.entry)
    return book.size * np.where(
        book.position_inverse, 1 / book.entry - _one_over(book, price), price - book.entry
    )


def notional(book: Book, price: Floats) -> Floats:
    """Notional in the settlement asset (..., N): linear ``|q| P``, inverse ``|q| / P``."""
    return np.abs(book.size) * np.where(book.position_inverse, _one_over(book, price), price)


def _one_over(book: Book, price: Floats) -> Floats:
    """Reciprocal prices of inverse contracts; an option's price may be 0."""
    return 1 / np.where(book.position_inverse, price, 1.0)


def loan_margin(book: Book, amounts: Floats) -> Floats:
    """Maintenance margin of wallet amounts (..., A), of which the negative ones are borrowed.

    An unrealised loss is no loan: it lowers the balance and owes nothing more.
    """
    assets = np.arange(len(book.wallet), dtype=np.intp)
    return book.loans.at(assets, np.maximum(-amounts, 0.0))


def count_as_margin(book: Book, amounts: Floats) -> Floats:
    """Amounts of assets (..., A) less their haircut; a negative amount (a loan) is not cut."""
    assets = np.arange(len(book.wallet), dtype=np.intp)
    return amounts - book.haircuts.at(assets, amounts)


def mark_book(book: Book, marks: Floats) -> MarkedBook:
    """Value the positions of a book at `marks` (..., S)."""
    marks = np.asarray(marks, dtype=float)
    price = marks[..., book.symbol]
    profit, size = unrealized_pnl(book, price), notional(book, price)
    maintenance = (
        np.broadcast_to(book.entry_maintenance, size.shape)
        if book.maintenance_at_entry
        else book.maintenance(size)
    )
    marked = MarkedBook(
        book=book,
        marks=marks,
        asset_prices=book.asset_prices(marks),
        price=price,
        profit=profit,
        notional=size,
        maintenance=maintenance,
        worth=profit,
        counted=profit,
    )
    return marked if book.options is None else with_options(marked, marks[..., book.index])


def value(
    marked: MarkedBook, partition: Partition, portfolio: PortfolioRules | None = None
) -> Valuation:
    """Value positions and pools in the valuation currency.

    Under `portfolio` rules each pool must hold the worst loss over their grid; maintenance and
    initial margin of single positions are then NaN: they have none of their own.
    """
    book, asset_prices = marked.book, marked.asset_prices
    settle, pool_prices = book.position_settle, asset_prices[..., None, :]
    settle_price = asset_prices[..., settle]
    net = partition.wallet + partition.sum_by_pool_and_asset(marked.worth, settle)
    counted = net
    if portfolio is None and marked.counted is not marked.worth:
        counted = partition.wallet + partition.sum_by_pool_and_asset(marked.counted, settle)
    required = marked.maintenance * settle_price
    reserved = initial_margin(marked, partition) * settle_price
    if portfolio is None:
        requirement, pool_initial = partition.sum_by_pool(required), None
    else:
        requirement, pool_initial = requirements(marked, partition, portfolio)
        required, reserved = np.full_like(required, np.nan), np.full_like(reserved, np.nan)
    if book.has_loan_margin:
        requirement = requirement + np.sum(
            loan_margin(book, partition.wallet) * pool_prices, axis=-1
        )
    return Valuation(
        notional=marked.notional * settle_price,
        unrealized_pnl=marked.profit * settle_price,
        maintenance=required,
        initial=reserved,
        equity=np.sum(net * pool_prices, axis=-1),
        margin_balance=np.sum(count_as_margin(book, counted) * pool_prices, axis=-1),
        requirement=requirement,
        pool_initial=pool_initial,
        idle=np.sum(partition.idle * asset_prices, axis=-1),
    )


def initial_margin(marked: MarkedBook, partition: Partition) -> Floats:
    """Initial margin in the settlement asset: at entry in a pool of one's own, else at mark."""
    book = marked.book
    frozen = partition.own[partition.pool]
    reserved = book.initial_margin(np.where(frozen, book.entry_notional, marked.notional))
    return reserved if book.options is None else with_option_initial(marked, reserved)
