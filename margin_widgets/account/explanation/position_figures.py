"""Figures of positions."""

from __future__ import annotations

from functools import partial

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation.assumptions import of_margin, of_price, of_trigger
from margin_widgets.account.explanation.collateral import explain_mark
from margin_widgets.account.explanation.explanation import Explanation, Question
from margin_widgets.account.explanation.leg import Leg
from margin_widgets.account.explanation.prices import explain_both_prices, explain_price, no_price
from margin_widgets.account.explanation.recipe import Recipe
from margin_widgets.account.explanation.sheet import Derived, Sheet, in_words
from margin_widgets.account.explanation.shocks import explain_both_shocks, explain_shock
from margin_widgets.account.explanation.shown import LABELS, show_share
from margin_widgets.account.report import MarginReport


def explain_position(report: MarginReport, index: int, figure: str, path: str) -> Explanation:
    """Explain a figure of a position."""
    leg = Leg(report, index)
    one, pool = leg.figures, leg.pool
    if figure == "mark":
        return explain_mark(Question(report, path, f"{one.key}, {LABELS[figure]}"), leg.symbol)
    question = Question(report, path, f"{one.key}, {report.mode} {LABELS[figure]}")
    if figure == "liquidation_shock":
        return explain_shock(question, one.liquidation_shock, pool)
    if figure == "liquidation_shocks":
        return explain_both_shocks(question, pool.figures.liquidation_shocks, [pool, pool])
    if figure == "liquidation_prices":
        return explain_both_prices(question, leg)
    if figure in ("liquidation_price", "bankruptcy_price"):
        return explain_price(question, leg, figure)
    return _RECIPES[figure].explain(question, leg, getattr(one, figure))


def _notional(leg: Leg, sheet: Sheet) -> str:
    return leg.valued(sheet, f"{leg.gross(sheet)}{leg.by}{leg.price(sheet)}")


def _unrealized_pnl(leg: Leg, sheet: Sheet) -> str:
    size, mark, entry = leg.signed(sheet), leg.price(sheet), leg.price(sheet, at_entry=True)
    gain = f"(1/{entry} − 1/{mark})" if leg.inverse else f"({mark} − {entry})"
    return leg.valued(sheet, f"{size}·{gain}")


def _initial_margin(leg: Leg, sheet: Sheet) -> str:
    size, price = leg.gross(sheet), leg.price(sheet, at_entry=leg.pool.own)
    leverage = float(leg.report.books.book.leverage[leg.index])
    setting = sheet.let("ℓ", "leverage setting", leverage)
    return leg.valued(sheet, f"{size}{leg.by}{price}/{setting}")


def _margin(leg: Leg, sheet: Sheet) -> str:
    books = leg.report.books
    if not leg.pool.own or books.state.positions[leg.index].margin is None:
        return _initial_margin(leg, sheet)
    assigned = float(books.book.margin[leg.index])
    return leg.valued(sheet, sheet.let("M", "margin assigned", assigned, leg.settle))


def _maintenance_margin(leg: Leg, sheet: Sheet) -> str:
    at_entry = leg.report.books.book.maintenance_at_entry
    size, price = leg.gross(sheet), leg.price(sheet, at_entry=at_entry)
    rate, amount = leg.tier(sheet, leg.notional(leg.entry if at_entry else leg.mark))
    due = f"{size}{leg.by}{price}·{rate} − {amount}"
    return leg.valued(sheet, f"({due})" if leg.converted else due)


def _margin_ratio(leg: Leg, sheet: Sheet) -> str | Derived:
    pool = leg.pool
    if pool.figures.margin_ratio is None:
        return in_words(
            f"margin balance {fmt.amount(pool.figures.margin_balance)} {leg.report.currency}"
            f" of pool {pool.name} is not positive, so there is no ratio"
        )
    return pool.ratio(sheet)


def _distance(leg: Leg, sheet: Sheet) -> str | Derived:
    value = leg.figures.liquidation_price
    if value is None:
        return no_price(leg)
    mark = leg.price(sheet)
    price = sheet.let("P_liq", "liquidation price", value, leg.quote)
    return f"|{mark} − {price}| / {mark}"


_RECIPES = {
    "notional": Recipe("NV", _notional),
    "unrealized_pnl": Recipe("uPnL", _unrealized_pnl),
    "initial_margin": Recipe("IM", _initial_margin),
    "margin": Recipe("M", _margin),
    "maintenance_margin": Recipe(
        "MM", _maintenance_margin, assumes=lambda leg: of_margin(leg.report)
    ),
    "margin_ratio": Recipe(
        "R",
        _margin_ratio,
        partial(show_share, none="no positive margin balance"),
        lambda leg: of_trigger(leg.report),
    ),
    "distance": Recipe(
        "distance", _distance, partial(show_share, none="no liquidation price"), of_price
    ),
}
