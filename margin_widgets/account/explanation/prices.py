"""Liquidation and bankruptcy prices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation import condition
from margin_widgets.account.explanation.assumptions import of_price
from margin_widgets.account.explanation.equation import Equation, without_rounding
from margin_widgets.account.explanation.explanation import Explanation, Question
from margin_widgets.account.explanation.leg import Leg
from margin_widgets.account.explanation.sheet import (
    Derived,
    Sheet,
    both_sides,
    grouped,
    in_words,
)
from margin_widgets.account.explanation.shown import LABELS, Shown, show_price
from margin_widgets.account.explanation.venue_formulas import venue_formula
from margin_widgets.engine.book import Floats


def explain_price(question: Question, leg: Leg, figure: str) -> Explanation:
    """Explain the liquidation price, or the bankruptcy price (no maintenance, no haircut)."""
    maintained = figure == "liquidation_price"
    value = getattr(leg.figures, figure)
    shown = show_price(value, leg.contract, none=f"no {LABELS[figure]}")
    shown = shown._replace(rounding=shown.rounding + _displayed(leg, figure, value))
    derived = (
        no_price(leg, maintained=maintained)
        if value is None
        else _derive(leg, value, shown.text, maintained)
    )
    venue = venue_formula(leg, value) if maintained and value is not None else None
    return question.answer(value, shown, derived, of_price(leg, maintained=maintained), venue)


def _displayed(leg: Leg, figure: str, value: float | None) -> str:
    """Say what the venue itself shows, where it rounds to the tick."""
    displayed = getattr(leg.figures, f"displayed_{figure}")
    if value is None or displayed == value:
        return ""
    rules = leg.report.books.state.venue
    side = rules.rounding if figure == "liquidation_price" else rules.bankruptcy_rounding
    price = fmt.price(displayed, leg.contract.tick)
    return f"; the venue shows {price}, rounded to the tick {side.removesuffix(' entry')} the entry"


def explain_both_prices(question: Question, leg: Leg) -> Explanation:
    """Explain the liquidation prices on both sides of the mark."""
    pair = leg.figures.liquidation_prices
    sides = []
    for side, value in zip(("below the mark", "above the mark"), pair, strict=True):
        shown = show_price(value, leg.contract, none="none")
        derived = None if value is None else _derive(leg, value, shown.text, maintained=True)
        sides.append((side, shown.text, derived))
    text, both = both_sides(sides)
    if pair == (None, None):
        both = no_price(leg)
    one = next((value for value in pair if value is not None), None)
    rounding = show_price(one, leg.contract, none="").rounding
    return question.answer(None, Shown(text, rounding), both, of_price(leg))


def no_price(leg: Leg, *, maintained: bool = True) -> Derived:
    """Say why there is no price."""
    goal = "to its maintenance margin" if maintained else "to zero equity"
    lines = [f"no positive price of {leg.figures.symbol} brings pool {leg.pool.name} {goal}"]
    if maintained and leg.figures.status != "ok":
        lines.append("it is below maintenance margin already")
    if not leg.pool.closed_along(leg.symbol, maintained=maintained):
        return in_words(*lines)
    balance, required = (_in_values(terms) for terms in _terms(leg, leg.mark, maintained))
    held = "margin balance" if maintained else "equity"
    lines.append(f"near the mark its {held} is {balance}")
    if maintained:
        lines.append(f"and its requirement {required}")
    return in_words(*lines)


def _in_values(terms: Floats) -> str:
    """Write a sum of terms in (1, P, 1/P) without names."""
    sheet = Sheet()
    factors = ("", "·P", "/P")
    shown = [
        sheet.let("", "", float(term)) + by for term, by in zip(terms, factors, strict=True) if term
    ]
    return sheet.valued(" + ".join(shown) or "0")


def _derive(leg: Leg, value: float, text: str, maintained: bool) -> Derived:
    """Use the textbook formula, an equation where that does not hold, or else the condition."""
    if not leg.pool.closed_along(leg.symbol, maintained=maintained):
        return _by_condition(leg, value, text, maintained)
    haircut = _haircut_terms(leg, value) if maintained else np.zeros(3)
    if _textbook_holds(leg, haircut) and not (maintained and _beside_positions(leg, value)):
        return _by_textbook(leg, value, text, maintained, float(haircut[0]))
    return _by_equation(leg, value, text, maintained)


def _haircut_terms(leg: Leg, value: float) -> Floats:
    """Terms (3,) in ``(1, u, 1/u)`` of the pool's haircut near a price; its form must be closed."""
    ray, line = leg.pool.rays
    return ray.haircut.terms_at(int(line[leg.pool.place(leg.index)]), value / leg.mark)


def _beside_positions(leg: Leg, value: float) -> bool:
    """Whether the pool must hold more than the maintenance margins of its positions."""
    stand = leg.pool.at(condition.moved(leg.pool, leg.symbol, value / leg.mark))
    return leg.pool.level != 1 or stand.loans != 0


def _textbook_holds(leg: Leg, haircut: Floats) -> bool:
    """Whether nothing but profit and maintenance margin of the symbol's own legs moves."""
    assets = leg.pool.assets
    if leg.inverse:
        return len(assets) == 1 and not haircut.any()
    follow = leg.report.books.book.asset_symbol[assets] == leg.symbol
    return not haircut[1:].any() and not follow.any()


# -- the textbook formula -----------------------------------------------------------------------


class _Share(NamedTuple):
    """What one leg adds to the formula; empty where it adds nothing."""

    size: str
    entry: str
    amount: str
    rate: str


def _by_textbook(leg: Leg, value: float, text: str, maintained: bool, haircut: float) -> Derived:
    """Solve for the price in the tiers that hold there."""
    sheet = Sheet()
    balance = _standing(leg, sheet, maintained, haircut)
    pool, symbol = leg.pool, leg.report.books.book.symbol
    legs = [Leg(leg.report, int(n)) for n in pool.members if symbol[n] == leg.symbol]
    shares = []
    for one in legs:
        suffix = "" if len(legs) == 1 else "_L" if one.size > 0 else "_S"
        shares.append(_share(one, sheet, suffix, value if maintained else None))
    sizes = [one.size for one in shares]
    entries = [f"{one.size}{leg.by}{one.entry}" for one in shares]
    rates = [one.rate for one in shares if one.rate]
    balance = " ".join([balance, *(one.amount for one in shares if one.amount)])
    if leg.inverse:
        above, below = " + ".join([*rates, *sizes]), " + ".join([balance, *entries])
        template = f"{grouped(above)} / {grouped(below)}"
    elif rates:
        above = " − ".join([balance, *entries])
        template = f"({above}) / ({' + '.join(rates)} − {' − '.join(sizes)})"
    elif len(legs) == 1:
        template = f"{shares[0].entry} − {grouped(balance)} / {sizes[0]}"
    else:
        template = f"({' + '.join(entries)} − {grouped(balance)}) / ({' + '.join(sizes)})"
    return sheet.derive(_left(maintained), template, text)


def _standing(leg: Leg, sheet: Sheet, maintained: bool, haircut: float) -> str:
    """Introduce what the pool holds apart from the symbol's own legs."""
    report, pool = leg.report, leg.pool
    # In one asset the settlement price drops out; else everything is valued in the currency.
    alone = len(pool.assets) == 1
    price, unit = (leg.settle_price, leg.settle) if alone else (1.0, report.currency)
    balance = pool.collateral(sheet, unit, price)
    others = pool.members[report.books.book.symbol[pool.members] != leg.symbol]
    figures = report.ledger.valuation
    if len(others):
        profit = float(figures.unrealized_pnl[others].sum()) / price
        meaning = "unrealised PnL of the other symbols"
        balance += " + " + sheet.let("ΣuPnL_other", meaning, profit, unit)
    if haircut:
        balance += " − " + sheet.let("H", "haircut", haircut / price, unit)
    if len(others) and maintained:
        upkeep = float(figures.maintenance[others].sum()) / price
        meaning = "maintenance margin of the other symbols"
        balance += " − " + sheet.let("ΣMM_other", meaning, upkeep, unit)
    if not alone and leg.settle_price != 1:
        balance = f"{grouped(balance)}/{leg.settlement(sheet)}"
    return balance


def _share(leg: Leg, sheet: Sheet, suffix: str, maintained_at: float | None) -> _Share:
    """Introduce size and entry of a leg, and its maintenance margin at a price if it has any."""
    book = leg.report.books.book
    size = leg.signed(sheet, suffix)
    entry = sheet.let(f"E{suffix}", f"entry price of {leg.figures.key}", leg.entry, leg.quote)
    if maintained_at is None:
        return _Share(size, entry, "", "")
    if book.maintenance_at_entry:
        upkeep = float(book.entry_maintenance[leg.index])
        fixed = sheet.let(f"MM{suffix}", "maintenance margin at entry", upkeep, leg.settle)
        return _Share(size, entry, f"− {fixed}", "")
    gross = leg.gross(sheet, suffix)
    owed = leg.maintenance(leg.notional(maintained_at))
    rate = leg.rate(sheet, owed, suffix)
    constants = leg.constants(sheet, owed, suffix, signs=("+", "−"))
    return _Share(size, entry, " ".join(constants), f"{gross}·{rate}")


# -- the equation -------------------------------------------------------------------------------


def _by_equation(leg: Leg, value: float, text: str, maintained: bool) -> Derived:
    """Equate the piece of margin balance with the piece of requirement that hold at a price."""
    held, required = _terms(leg, value, maintained)
    name = "requirement" if leg.pool.level == 1 else f"{leg.pool.level:g} × requirement"
    equation = Equation(
        unknown="P",
        meaning=f"price of {leg.figures.symbol}",
        sides=("margin balance", name) if maintained else ("equity", "nothing left"),
        terms=(held, required * leg.pool.level),
        currency=leg.report.currency,
    )
    return equation.solved(_left(maintained), value, text)


def _terms(leg: Leg, price: float, maintained: bool) -> tuple[Floats, Floats]:
    """Terms in ``(1, P, 1/P)``, near a price, of what the pool holds and must hold."""
    mark, (ray, lines) = leg.mark, leg.pool.rays
    line, u = int(lines[leg.pool.place(leg.index)]), price / mark
    balance, required = ray.equity[line], np.zeros(3)
    if maintained:
        balance = balance - ray.haircut.terms_at(line, u)
        required = ray.requirement.terms_at(line, u)
    scale = np.array([1.0, 1.0 / mark, mark])
    return without_rounding(balance) * scale, without_rounding(required) * scale


# -- the condition ------------------------------------------------------------------------------


def _by_condition(leg: Leg, value: float, text: str, maintained: bool) -> Derived:
    """Print both sides at the price that was found by search."""
    found = ("P*", f"price of {leg.figures.symbol} at which they are equal, found by search")
    return condition.explained(
        leg.pool,
        condition.moved(leg.pool, leg.symbol, value / leg.mark),
        _left(maintained),
        (*found, value, leg.quote),
        text,
        maintained=maintained,
    )


def _left(maintained: bool) -> str:
    return "P" if maintained else "P_bk"
