"""Figures of pools."""

from __future__ import annotations

from functools import partial

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
from margin_widgets.account.explanation.recipe import Recipe
from margin_widgets.account.explanation.sheet import LONG_SUM, Derived, Sheet, in_words
from margin_widgets.account.explanation.shocks import explain_both_shocks
from margin_widgets.account.explanation.shown import LABELS, Shown, show_multiple, show_share


def explain_pool(pool: Pool, figure: str, path: str) -> Explanation:
    """Explain a figure of a pool."""
    report = pool.report
    question = Question(report, path, f"Pool {pool.name}, {report.mode} {LABELS[figure]}")
    if figure == "status":
        return _explain_status(question, pool)
    if figure == "liquidation_shocks":
        return explain_both_shocks(question, pool.figures.liquidation_shocks, [pool, pool])
    return _RECIPES[figure].explain(question, pool, getattr(pool.figures, figure))


def explain_members(question: Question, pool: Pool) -> Explanation:
    """Explain which pool a position is in: with whom, and on what collateral."""
    report, keys = pool.report, pool.figures.positions
    alone = "an isolated position has a pool of its own"
    shared = "positions that are not isolated share a pool"
    if report.books.state.venue.cross_pool == "settlement":
        shared += " with those that settle in the same asset"
    named = [*keys[:LONG_SUM], f"{len(keys) - LONG_SUM} others"] if len(keys) > LONG_SUM else keys
    amounts = ", ".join(
        f"{fmt.plain(float(amount))} {asset}"
        for asset, amount in zip(
            report.books.assets, report.ledger.partition.wallet[pool.number], strict=True
        )
        if amount
    )
    lines = [
        alone if pool.own else shared,
        f"in it: {', '.join(named) or 'no position'}",
        f"on: {amounts or 'no collateral'}",
        f"= {pool.name}",
    ]
    return question.answer(None, Shown(pool.name), in_words(*lines), AT_MARKS)


def status_line(pool: Pool) -> str:
    """Compare margin balance with what triggers, by the venue's rule."""
    report = pool.report
    stands, falls = (">", "≤") if report.books.book.triggers_at_equality else ("≥", "<")
    stand = pool.now
    level = "" if pool.level == 1 else f"{pool.level:g}·"
    return (
        f"{pool.name}: {fmt.amount(stand.balance)} {falls if pool.fallen else stands}"
        f" {level}{fmt.amount(stand.requirement)} {report.currency}"
    )


def _explain_status(question: Question, pool: Pool) -> Explanation:
    status = pool.figures.status
    derived = in_words(status_line(pool), f"= {status}")
    return question.answer(None, Shown(status), derived, of_trigger(pool.report))


def _sum(pool: Pool, sheet: Sheet, *, symbol: str, figure: str) -> str:
    report = pool.report
    column = report.column(figure)
    terms = [
        (f"{symbol}({report.books.keys[n]})", f"{LABELS[figure]} of {report.books.keys[n]}", value)
        for n, value in ((int(n), float(column[n])) for n in pool.members)
    ]
    return sheet.total(terms, report.currency, "positions")


def _maintenance_margin(pool: Pool, sheet: Sheet) -> str:
    if pool.report.ledger.portfolio is not None:
        return scenarios.maintenance([pool], sheet)
    template, loans = _sum(pool, sheet, symbol="MM", figure="maintenance_margin"), pool.now.loans
    if loans:
        template += " + " + sheet.let("B", LOANS, loans, pool.report.currency)
    return template


def _initial_margin(pool: Pool, sheet: Sheet) -> str:
    if pool.report.ledger.portfolio is None:
        return _sum(pool, sheet, symbol="IM", figure="initial_margin")
    return scenarios.initial([pool], sheet)


def _equity(pool: Pool, sheet: Sheet) -> str:
    return condition.sides(pool, pool.now, sheet, maintained=False)[0].text


def _margin_balance(pool: Pool, sheet: Sheet) -> str:
    return condition.holds(pool, pool.now, sheet).text


def _available(pool: Pool, sheet: Sheet) -> str:
    figures, currency = pool.figures, pool.report.currency
    if pool.own:
        return "0"
    balance = sheet.let("MB", "margin balance", figures.margin_balance, currency)
    margin = sheet.let("IM", "initial margin", figures.initial_margin, currency)
    return f"max(0, {balance} − {margin})"


def _margin_ratio(pool: Pool, sheet: Sheet) -> str | Derived:
    if pool.figures.margin_ratio is None:
        return in_words(
            f"margin balance {fmt.amount(pool.figures.margin_balance)} {pool.report.currency}"
            f" of pool {pool.name} is not positive, so there is no ratio"
        )
    return pool.ratio(sheet)


def _effective_leverage(pool: Pool, sheet: Sheet) -> str | Derived:
    figures, currency = pool.figures, pool.report.currency
    if figures.effective_leverage is None:
        return in_words(f"margin balance {fmt.amount(figures.margin_balance)} is not positive")
    above = sheet.let("ΣNV", "notional of its positions", figures.notional, currency)
    return f"{above} / {sheet.let('MB', 'margin balance', figures.margin_balance, currency)}"


def _collateral_utilization(pool: Pool, sheet: Sheet) -> str | Derived:
    figures, currency = pool.figures, pool.report.currency
    if figures.collateral_utilization is None:
        return in_words("the collateral counts for nothing, so there is no ratio")
    above = sheet.let("IM", "initial margin", figures.initial_margin, currency)
    meaning = "margin value of the collateral, after haircut"
    return f"{above} / {sheet.let('MV', meaning, pool.now.margin_value, currency)}"


_RECIPES = {
    "notional": Recipe("NV", partial(_sum, symbol="NV", figure="notional")),
    "unrealized_pnl": Recipe("uPnL", partial(_sum, symbol="uPnL", figure="unrealized_pnl")),
    "initial_margin": Recipe("IM", _initial_margin, assumes=lambda pool: of_initial(pool.report)),
    "maintenance_margin": Recipe(
        "MM", _maintenance_margin, assumes=lambda pool: of_margin(pool.report)
    ),
    "equity": Recipe("EQ", _equity),
    "margin_balance": Recipe("MB", _margin_balance, assumes=lambda pool: of_haircuts(pool.report)),
    "available": Recipe(
        "AV", _available, assumes=lambda _: f"{AT_MARKS} An isolated pool lends nothing."
    ),
    "margin_ratio": Recipe(
        "R",
        _margin_ratio,
        partial(show_share, none="no positive margin balance"),
        lambda pool: of_trigger(pool.report),
        ratio.of_pool,
    ),
    "effective_leverage": Recipe(
        "ℓ_eff", _effective_leverage, partial(show_multiple, none="no equity")
    ),
    "collateral_utilization": Recipe(
        "CUR", _collateral_utilization, partial(show_share, none="no collateral")
    ),
}
"""Figures that are numbers."""

POOL_PATHS = (*_RECIPES, "liquidation_shocks", "status")
