"""Figures of an account."""

from __future__ import annotations

from functools import partial

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation import condition, ratio, scenarios
from margin_widgets.account.explanation.assumptions import (
    AT_MARKS,
    of_haircuts,
    of_initial,
    of_margin,
    of_trigger,
)
from margin_widgets.account.explanation.explanation import Explanation, Question
from margin_widgets.account.explanation.pool import LOANS, Pool
from margin_widgets.account.explanation.pool_figures import status_line
from margin_widgets.account.explanation.recipe import Recipe
from margin_widgets.account.explanation.sheet import LONG_SUM, Derived, Sheet, grouped, in_words
from margin_widgets.account.explanation.shocks import (
    explain_both_shocks,
    explain_shock,
    first_pools,
)
from margin_widgets.account.explanation.shown import LABELS, Shown, show_multiple, show_share
from margin_widgets.account.explanation.terms import let
from margin_widgets.account.report import MarginReport
from margin_widgets.engine.book import Floats
from margin_widgets.engine.options import is_option
from margin_widgets.engine.valuation import count_as_margin


def explain_account(report: MarginReport, figure: str, path: str) -> Explanation:
    """Explain a figure of an account."""
    question = Question(report, path, f"{report.mode.capitalize()} {LABELS[figure]}")
    if figure == "status":
        return _explain_status(question)
    if figure == "liquidation_shock":
        value, shocks = report.liquidation_shock, report.liquidation_shocks
        pool = None if value is None else first_pools(report)[shocks.index(value)]
        return explain_shock(question, value, pool)
    if figure == "liquidation_shocks":
        return explain_both_shocks(question, report.liquidation_shocks, first_pools(report))
    return _RECIPES[figure].explain(question, report, getattr(report, figure))


def _explain_status(question: Question) -> Explanation:
    report = question.report
    stands = ">" if report.books.book.triggers_at_equality else "≥"
    level = report.books.book.trigger_level
    times = "" if level == 1 else f"{level:g} × "
    lines = [f"ok while margin balance {stands} {times}maintenance margin in every pool"]
    pools = sorted(_pools(report), key=lambda pool: pool.now.balance - level * pool.now.requirement)
    lines += [status_line(pool) for pool in pools[:LONG_SUM]]
    derived = in_words(*lines, f"= {report.status}")
    return question.answer(None, Shown(report.status), derived, of_trigger(report))


# -- what there is ------------------------------------------------------------------------------


def _equity(report: MarginReport, sheet: Sheet) -> str:
    wallet = let(sheet, "W", "wallet balance", report.wallet_balance, report.currency)
    marked = report.ledger.marked
    worth = marked.worth * marked.asset_prices[marked.book.position_settle]
    option = is_option(marked.book)
    return condition.with_positions(sheet, wallet, worth, option, report.currency).text


def _margin_balance(report: MarginReport, sheet: Sheet) -> str:
    ledger, book = report.ledger, report.books.book
    counts = ledger.marked.counted if ledger.portfolio is None else ledger.marked.worth
    net = ledger.partition.wallet + ledger.partition.sum_by_pool_and_asset(
        counts, book.position_settle
    )
    held = np.vstack([net, ledger.partition.idle])
    cut = ((held - count_as_margin(book, held)) * ledger.marked.asset_prices).sum(axis=0)
    equity = sheet.let("equity", "market value", report.equity, report.currency)
    terms = [
        (f"H({asset})", f"haircut on {asset}", float(value))
        for asset, value in zip(report.books.assets, cut, strict=True)
        if value
    ]
    uncounted = ledger.marked.worth - counts
    if uncounted.any():
        value = float((uncounted * ledger.marked.asset_prices[book.position_settle]).sum())
        terms.append(("ΣV", "value of the options, which does not count", value))
    if not terms:
        return equity
    return f"{equity} − {grouped(sheet.total(terms, report.currency, 'assets'))}"


def _wallet_balance(report: MarginReport, sheet: Sheet) -> str:
    wallet, prices = report.books.book.wallet, report.ledger.marked.asset_prices
    held = np.flatnonzero(wallet)
    shown = held if len(held) <= LONG_SUM else held[: LONG_SUM - 1]
    products = []
    for n in shown:
        asset = report.books.assets[n]
        product = sheet.let(asset, f"{asset} in the wallet", float(wallet[n]), asset)
        if asset != report.currency:
            product += "·" + sheet.let(f"p({asset})", f"price of {asset}", float(prices[n]))
        products.append(product)
    rest = held[len(shown) :]
    if len(rest):
        worth = float((wallet * prices)[rest].sum())
        products.append(sheet.let("others", f"{len(rest)} assets", worth, report.currency))
    return " + ".join(products) or "0"


def _available(report: MarginReport, sheet: Sheet) -> str:
    partition, figures = report.ledger.partition, report.ledger.valuation
    shared = np.flatnonzero(~partition.own)
    reserved = np.array([pool.initial_margin for pool in report.pools])
    idle = _counted(report, partition.idle)
    parts = []
    if len(shared) == 1:
        pool = int(shared[0])
        balance = sheet.let(
            "MB", "margin balance", float(figures.margin_balance[pool]), report.currency
        )
        margin = sheet.let("ΣIM", "initial margin", float(reserved[pool]), report.currency)
        parts.append(f"max(0, {balance} − {margin})" if idle else f"{balance} − {margin}")
    elif len(shared):
        free = float(np.maximum(figures.margin_balance - reserved, 0.0)[shared].sum())
        meaning = "margin balance less initial margin of each shared pool, at least 0"
        parts.append(sheet.let("Σfree", meaning, free, report.currency))
    if idle or not parts:
        meaning = "collateral that backs nothing, after haircut"
        parts.append(sheet.let("idle", meaning, idle, report.currency))
    return f"max(0, {' + '.join(parts)} − {_order_margin(report, sheet)})"


def _collateral_utilization(report: MarginReport, sheet: Sheet) -> str | Derived:
    if report.collateral_utilization is None:
        return in_words("the collateral counts for nothing, so there is no ratio")
    used = sheet.let("ΣIM", "initial margin", report.initial_margin, report.currency)
    orders = _order_margin(report, sheet)
    counted = _counted(report, report.books.book.wallet)
    meaning = "margin value of the collateral, after haircut"
    return f"({used} + {orders}) / {sheet.let('MV', meaning, counted, report.currency)}"


def _order_margin(report: MarginReport, sheet: Sheet) -> str:
    return sheet.let("OM", "order margin", report.books.state.order_margin, report.currency)


def _counted(report: MarginReport, amounts: Floats) -> float:
    """Value of amounts of assets (A,) after haircut."""
    counted = count_as_margin(report.books.book, amounts)
    return float((counted * report.ledger.marked.asset_prices).sum())


# -- what positions and pools add up to ---------------------------------------------------------


def _sum_of_positions(report: MarginReport, sheet: Sheet, *, symbol: str, figure: str) -> str:
    terms = [
        (f"{symbol}({key})", f"{LABELS[figure]} of {key}", float(value))
        for key, value in zip(report.books.keys, report.column(figure), strict=True)
    ]
    return sheet.total(terms, report.currency, "positions")


def _initial_margin(report: MarginReport, sheet: Sheet) -> str:
    if report.ledger.portfolio is None:
        return _sum_of_positions(report, sheet, symbol="IM", figure="initial_margin")
    return scenarios.initial(_pools(report), sheet)


def _maintenance_margin(report: MarginReport, sheet: Sheet) -> str:
    if report.ledger.portfolio is not None:
        return scenarios.maintenance(_pools(report), sheet)
    template = _sum_of_positions(report, sheet, symbol="MM", figure="maintenance_margin")
    loans = report.maintenance_margin - float(report.column("maintenance_margin").sum())
    if report.books.book.has_loan_margin and loans:
        template += " + " + sheet.let("B", LOANS, loans, report.currency)
    return template


def _pools(report: MarginReport) -> list[Pool]:
    return [Pool(report, number) for number in range(len(report.pools))]


def _idle(report: MarginReport, sheet: Sheet) -> str:
    ledger, assets = report.ledger, report.books.assets
    amounts = ledger.partition.idle * ledger.marked.asset_prices
    terms = [
        (f"{asset}", f"{asset} that backs no position, at market value", float(amount))
        for asset, amount in zip(assets, amounts, strict=True)
        if amount
    ]
    return sheet.total(terms, report.currency, "assets")


def _worst_loss(report: MarginReport, sheet: Sheet) -> str:
    terms = [
        (f"EQ({pool.name})", f"equity of pool {pool.name}", pool.equity) for pool in report.pools
    ]
    return sheet.total(terms, report.currency, "pools")


def _margin_ratio(report: MarginReport, sheet: Sheet) -> str | Derived:
    pools = [Pool(report, int(number)) for number in np.flatnonzero(report.ledger.exposed)]
    if not pools:
        return "0"
    for pool in pools:
        if pool.figures.margin_ratio is None:
            return in_words(
                f"pool {pool.name}: margin balance {fmt.amount(pool.figures.margin_balance)}"
                f" {report.currency} is not positive, so there is no ratio"
            )
    return max(pools, key=lambda pool: pool.figures.margin_ratio or 0.0).ratio(sheet)


def _effective_leverage(report: MarginReport, sheet: Sheet) -> str | Derived:
    if report.effective_leverage is None:
        balance = f"{fmt.amount(report.margin_balance)} {report.currency}"
        return in_words(f"margin balance {balance} is not positive")
    gross = float(report.ledger.valuation.notional.sum())
    above = sheet.let("ΣNV", "notional of all positions", gross, report.currency)
    below = sheet.let("MB", "margin balance", report.margin_balance, report.currency)
    return f"{above} / {below}"


_RECIPES = {
    "equity": Recipe(LABELS["equity"], _equity),
    "margin_balance": Recipe(LABELS["margin_balance"], _margin_balance, assumes=of_haircuts),
    "wallet_balance": Recipe(LABELS["wallet_balance"], _wallet_balance),
    "unrealized_pnl": Recipe(
        LABELS["unrealized_pnl"],
        partial(_sum_of_positions, symbol="uPnL", figure="unrealized_pnl"),
    ),
    "initial_margin": Recipe(
        LABELS["initial_margin"],
        _initial_margin,
        assumes=of_initial,
    ),
    "maintenance_margin": Recipe(
        LABELS["maintenance_margin"], _maintenance_margin, assumes=of_margin
    ),
    "idle": Recipe(LABELS["idle"], _idle),
    "available": Recipe(
        LABELS["available"],
        _available,
        assumes=lambda _: f"{AT_MARKS} Isolated pools lend nothing.",
    ),
    "margin_ratio": Recipe(
        "R",
        _margin_ratio,
        partial(show_share, none="no positive margin balance"),
        of_trigger,
        ratio.of_report,
    ),
    "effective_leverage": Recipe(
        "ℓ_eff", _effective_leverage, partial(show_multiple, none="no equity")
    ),
    "collateral_utilization": Recipe(
        "CUR", _collateral_utilization, partial(show_share, none="no collateral")
    ),
    "worst_loss": Recipe(
        LABELS["worst_loss"],
        _worst_loss,
        assumes=lambda _: (
            f"{AT_MARKS} Nothing of a liquidated pool returns, and none falls below zero."
        ),
    ),
}
