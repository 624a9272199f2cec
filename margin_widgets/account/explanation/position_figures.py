"""Figures of positions."""

from __future__ import annotations

from functools import partial

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation import ratio, upkeep
from margin_widgets.account.explanation.assumptions import (
    AT_MARKS,
    of_own_margin,
    of_price,
    of_trigger,
)
from margin_widgets.account.explanation.collateral import explain_mark
from margin_widgets.account.explanation.explanation import Explanation, Question
from margin_widgets.account.explanation.leg import Leg
from margin_widgets.account.explanation.pool_figures import explain_members
from margin_widgets.account.explanation.prices import explain_both_prices, explain_price, no_price
from margin_widgets.account.explanation.recipe import Recipe
from margin_widgets.account.explanation.sheet import Derived, Sheet, in_words
from margin_widgets.account.explanation.shocks import explain_both_shocks, explain_shock
from margin_widgets.account.explanation.shown import LABELS, Shown, show_share
from margin_widgets.account.explanation.upkeep import Upkeep
from margin_widgets.account.report import MarginReport


def explain_position(report: MarginReport, index: int, figure: str, path: str) -> Explanation:
    """Explain a figure of a position."""
    leg = Leg(report, index)
    one, pool = leg.figures, leg.pool
    if figure == "mark":
        return explain_mark(Question(report, path, f"{one.key}, {LABELS[figure]}"), leg.symbol)
    title = f"{one.key}, {report.mode} {LABELS[figure]}"
    question = Question(report, path, title, option=leg.option)
    if figure in TEXTS:
        return _explain_text(question, leg, figure)
    if figure in _RECIPES and figure != "distance" and getattr(one, figure) is None:
        return _explain_none(question, leg, figure)
    if figure == "liquidation_shock":
        return explain_shock(question, one.liquidation_shock, pool)
    if figure == "liquidation_shocks":
        return explain_both_shocks(question, pool.figures.liquidation_shocks, [pool, pool])
    if figure == "liquidation_prices":
        return explain_both_prices(question, leg)
    if figure in ("liquidation_price", "bankruptcy_price"):
        return explain_price(question, leg, figure)
    return _RECIPES[figure].explain(question, leg, getattr(one, figure))


def _explain_none(question: Question, leg: Leg, figure: str) -> Explanation:
    """Say why a position has no such figure of its own."""
    if figure == "margin_ratio":
        return _RECIPES[figure].explain(question, leg, None)
    words = "under portfolio margin a pool has margins, a position has none of its own"
    return question.answer(None, Shown(f"no {LABELS[figure]}"), in_words(words), AT_MARKS)


def _explain_text(question: Question, leg: Leg, figure: str) -> Explanation:
    """Explain which pool the position is in, or what its liquidation price takes for granted."""
    if figure == "pool":
        return explain_members(question, leg.pool)
    held, books = leg.report.held_symbols(leg.index), leg.report.books
    text = leg.figures.condition or "on no other mark"
    lines = [f"{books.symbols[symbol]}: {_why_held(leg, symbol)}" for symbol in held] or [
        "no other contract and no collateral of another coin is in its pool"
    ]
    return question.answer(None, Shown(text), in_words(*lines, f"= {text}"), AT_MARKS)


def _why_held(leg: Leg, symbol: int) -> str:
    books, pool = leg.report.books, leg.pool
    mark = fmt.price(float(leg.report.ledger.marks[symbol]), books.contracts[symbol].tick)
    inside = [books.keys[n] for n in pool.members if books.book.symbol[n] == symbol]
    inside += [
        f"{books.assets[asset]} collateral"
        for asset in pool.assets
        if books.book.asset_symbol[asset] == symbol
    ]
    return f"mark {mark}, values {' and '.join(inside)} in pool {pool.name}"


def _notional(leg: Leg, sheet: Sheet) -> str:
    if leg.option:
        per_coin = f"/{leg.index_price(sheet)}" if leg.in_coin else ""
        return leg.valued(sheet, f"{leg.gross(sheet)}·{leg.index_price(sheet)}{per_coin}")
    return leg.valued(sheet, f"{leg.gross(sheet)}{leg.by}{leg.price(sheet)}")


def _unrealized_pnl(leg: Leg, sheet: Sheet) -> str:
    size, mark, entry = leg.signed(sheet), leg.price(sheet), leg.price(sheet, at_entry=True)
    gain = f"(1/{entry} − 1/{mark})" if leg.inverse else f"({mark} − {entry})"
    return leg.valued(sheet, f"{size}·{gain}")


def _initial_margin(leg: Leg, sheet: Sheet) -> str:
    if leg.option:
        return _initial_of_option(leg, sheet)
    return _initial(leg, sheet, at_entry=leg.pool.own)


def _initial(leg: Leg, sheet: Sheet, *, at_entry: bool) -> str:
    """Write initial margin: by the venue's rates where it has some, else notional over leverage."""
    scheduled = upkeep.initial(leg, leg.notional(leg.entry if at_entry else leg.mark))
    if scheduled:
        return _owed(leg, sheet, scheduled, at_entry=at_entry, name="i")
    size, price = leg.gross(sheet), leg.price(sheet, at_entry=at_entry)
    setting = sheet.let("ℓ", "leverage setting", leg.leverage)
    added = upkeep.added_initially(leg)
    template = f"{size}{leg.by}{price}/{setting}"
    if added == upkeep.NOTHING:
        return leg.valued(sheet, template)
    terms = [template]
    if added.slope or added.fee:
        terms.append(f"+ {size}{leg.by}{price}·{leg.rate(sheet, added, name='i')}")
    return _summed(leg, sheet, terms, f"{size}{leg.by}{price}", added)


def _margin(leg: Leg, sheet: Sheet) -> str:
    books = leg.report.books
    if not leg.pool.own:
        return _initial_margin(leg, sheet)
    assigned = float(books.book.margin[leg.index])
    if books.state.positions[leg.index].margin is not None or leg.option:
        return leg.valued(sheet, sheet.let("M", "margin assigned", assigned, leg.settle))
    return _initial(leg, sheet, at_entry=True)


def _maintenance_margin(leg: Leg, sheet: Sheet) -> str:
    if leg.option:
        return _of_option(leg, sheet)
    at_entry = leg.report.books.book.maintenance_at_entry
    owed = leg.maintenance(leg.notional(leg.entry if at_entry else leg.mark))
    return _owed(leg, sheet, owed, at_entry=at_entry)


def _owed(leg: Leg, sheet: Sheet, owed: Upkeep, *, at_entry: bool, name: str = "m") -> str:
    """Write a margin by rates: the share of notional, what is constant, and the square."""
    size, price = leg.gross(sheet), leg.price(sheet, at_entry=at_entry)
    notional = f"{size}{leg.by}{price}"
    return _summed(leg, sheet, [f"{notional}·{leg.rate(sheet, owed, name=name)}"], notional, owed)


def _summed(leg: Leg, sheet: Sheet, terms: list[str], notional: str, owed: Upkeep) -> str:
    terms += leg.constants(sheet, owed)
    if owed.square:
        added = sheet.let("k", "rate added per coin of size", owed.square, f"per {leg.settle}")
        terms.append(f"+ {added}·({notional})·({notional})")
    due = " ".join(terms)
    return leg.valued(sheet, f"({due})" if leg.converted and len(terms) > 1 else due)


def _of_option(leg: Leg, sheet: Sheet) -> str:
    """Write the maintenance margin of an option: nothing if bought."""
    if leg.size > 0:
        return "0"
    rules = leg.option_margin
    size, index, premium = leg.gross(sheet), leg.index_price(sheet), leg.price(sheet)
    if leg.in_coin:
        premium = f"{premium}·{index}"
    rate = sheet.let("a", "maintenance margin rate of a short option", rules.maintenance)
    put = leg.contract.kind == "put"
    on_mark = rules.maintenance_on_mark == "always" or (rules.maintenance_on_mark == "puts" and put)
    base = f"max({index}, {premium})" if on_mark else index
    due = f"{rate}·{base} + {premium}"
    if rules.liquidation_fee:
        fee = sheet.let("f", "liquidation fee", rules.liquidation_fee)
        due += f" + {fee}·{index}"
    per_coin = f"/{index}" if leg.in_coin else ""
    return leg.valued(sheet, f"{size}·({due}){per_coin}")


def _initial_of_option(leg: Leg, sheet: Sheet) -> str:
    """Write the initial margin of an option: nothing if bought."""
    if leg.size > 0:
        return "0"
    rules, contract = leg.option_margin, leg.contract
    size, index, premium = leg.gross(sheet), leg.index_price(sheet), leg.price(sheet)
    entry = premium
    if rules.premium_at != "mark":
        entry = leg.price(sheet, at_entry=True)
    if leg.in_coin:
        premium, entry = f"{premium}·{index}", f"{entry}·{index}"
    strike = sheet.let("K", "strike", float(contract.strike or 0.0), str(contract.quote))
    out = f"{strike} − {index}" if contract.kind == "call" else f"{index} − {strike}"
    rate = sheet.let("i", "initial margin rate of a short option", rules.initial)
    floor = sheet.let("i_min", "least initial margin rate", rules.initial_floor)
    paid = premium if rules.premium_at == "mark" else f"max({entry}, {premium})"
    charge = f"max({rate}·{index} − max({out}, 0), {floor}·{index}) + {paid}"
    floored = rules.initial_not_below_maintenance
    if floored == "always" or (floored == "puts" and contract.kind == "put"):
        least = sheet.let(
            "MM", "maintenance margin per coin", leg.option_maintenance, str(contract.quote)
        )
        charge = f"max({charge}, {least})"
    per_coin = f"/{index}" if leg.in_coin else ""
    return leg.valued(sheet, f"{size}·({charge}){per_coin}")


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


TEXTS = ("pool", "condition")
"""Figures that are words."""

_RECIPES = {
    "notional": Recipe("NV", _notional),
    "unrealized_pnl": Recipe("uPnL", _unrealized_pnl),
    "initial_margin": Recipe("IM", _initial_margin),
    "margin": Recipe("M", _margin),
    "maintenance_margin": Recipe("MM", _maintenance_margin, assumes=of_own_margin),
    "margin_ratio": Recipe(
        "R",
        _margin_ratio,
        partial(show_share, none="no positive margin balance"),
        lambda leg: of_trigger(leg.report),
        lambda leg: ratio.of_pool(leg.pool),
    ),
    "distance": Recipe(
        "distance", _distance, partial(show_share, none="no liquidation price"), of_price
    ),
}
