"""Liquidation and bankruptcy prices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
from margin_widgets.engine.book import Floats
from margin_widgets.engine.ray import by_symbol


def explain_price(question: Question, leg: Leg, figure: str) -> Explanation:
    """Explain the liquidation price, or the bankruptcy price (no maintenance, no haircut)."""
    maintained = figure == "liquidation_price"
    value = getattr(leg.figures, figure)
    shown = show_price(value, leg.contract, none=f"no {LABELS[figure]}")
    derived = (
        no_price(leg, maintained=maintained)
        if value is None
        else _derive(leg, value, shown.text, maintained)
    )
    return question.answer(value, shown, derived, of_price(leg, maintained=maintained))


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
    """Use the textbook formula, or an equation where that formula does not hold."""
    haircut = _haircut(leg, value) if maintained else np.zeros(3)
    if _textbook_holds(leg, haircut):
        return _by_textbook(leg, value, text, maintained, float(haircut[0]))
    return _by_equation(leg, value, text, maintained)


def _haircut(leg: Leg, value: float) -> Floats:
    """Terms (3,) of the pool's haircut at a price."""
    ray, line = by_symbol(leg.report.ledger.marked, leg.report.ledger.partition)
    return ray.haircut.terms_at(int(line[leg.index]), value / leg.mark)


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
    rate, amount = leg.tier(sheet, leg.notional(maintained_at), suffix)
    return _Share(size, entry, f"+ {amount}", f"{gross}·{rate}")


# -- the equation -------------------------------------------------------------------------------


def _by_equation(leg: Leg, value: float, text: str, maintained: bool) -> Derived:
    """Equate the piece of margin balance with the piece of requirement that hold at a price."""
    equation = Equation(
        unknown="P",
        meaning=f"price of {leg.figures.symbol}",
        sides=("margin balance", "requirement") if maintained else ("equity", "nothing left"),
        terms=_terms(leg, value, maintained),
        currency=leg.report.currency,
    )
    return equation.solved(_left(maintained), value, text)


def _terms(leg: Leg, price: float, maintained: bool) -> tuple[Floats, Floats]:
    """Terms in ``(1, P, 1/P)``, near a price, of what the pool holds and must hold."""
    ledger, mark = leg.report.ledger, leg.mark
    if maintained:
        balance, required = ledger.symbol_terms(leg.index, price / mark)
    else:
        ray, line = by_symbol(ledger.marked, ledger.partition)
        balance, required = ray.equity[line[leg.index]], np.zeros(3)
    scale = np.array([1.0, 1.0 / mark, mark])
    return without_rounding(balance) * scale, without_rounding(required) * scale


def _left(maintained: bool) -> str:
    return "P" if maintained else "P_bk"
