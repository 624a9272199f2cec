"""Portfolio margin: contingencies, volatility moves, weighted equity and loans."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

import margin_widgets as mw
from margin_widgets.engine import portfolio
from tests.conformance.cases import Case, Library
from tests.conformance.families.states import answered, state
from tests.conformance.outcome import Answer, Got, NotUnderstoodError
from tests.conformance.words import Given

_POWER_LAW = re.compile(r"\(30/d\)\^(?P<power>[\d.]+)\s*\*\s*(?P<base>[\d.]+)\s*%")
_ITEM = re.compile(
    r"(?P<what>option|future|vega)s? contingency (?P<rate>[\d.]+) ?% of (?P<amount>[\d.]+)"
)
_ROOT_LAW = re.compile(r"sqrt\(30/d\)\s*\*\s*(?P<base>[\d.]+)\s*%")


def deribit(case: Case, library: Library) -> Answer:
    """One part of portfolio margin: a contingency, or the volatility move of an expiry."""
    given = Given(case.inputs)
    if given.raw("item") is not None:
        return _item(case, given)
    if given.raw("net_short_at_strike", "net_short_options", "net_short") is not None:
        return _short_options(case, given)
    if given.raw("days", "days_to_expiry", "dte", "d") is not None:
        return _volatility(case, given)
    if given.raw("futures", "futures_positions", "offsetting_futures") is not None:
        return _offset(case, given)
    raise NotUnderstoodError(
        f"the part of portfolio margin that the inputs describe: {', '.join(given.unused)}"
    )


def _item(case: Case, given: Given) -> Answer:
    """A contingency written as a sentence: "option contingency 1% of 200 BTC"."""
    text = str(given.raw("item"))
    found = _ITEM.search(text)
    if not found:
        raise NotUnderstoodError(f"the item {text!r}")
    rate, amount = float(found["rate"]) / 100, float(found["amount"])
    if found["what"] == "vega":  # as much of one expiry against another
        group = np.zeros(2, dtype=np.intp)
        charge = float(portfolio.offset_charge(rate, [amount, -amount], group, 1)[0])
        through = "engine.portfolio.offset_charge"
    else:
        kind, name = ([1], "all options") if found["what"] == "option" else ([0, 0], "")
        grid = portfolio.RiskGrid((0.0,))
        rules = portfolio.PortfolioRules(grid, options_rate=rate, offset_futures_rate=rate)
        positions = _units([amount] if name else [amount, -amount], kind)
        marks, index = np.full(len(kind), 0.1 if name else 1.0), np.array([1.0])
        parts = portfolio.contingencies(rules, positions, marks, index)
        charge = float(parts[name or "offsetting futures"][0])
        through = "engine.portfolio.contingencies"
    return answered(case, given, {"value": charge, "contingency": charge}, through)


def _units(size: list[float], kind: list[int]) -> portfolio.RiskPositions:
    """Positions in one underlying, of one strike and expiry, in quote units at an index of 1."""
    number = len(size)
    return portfolio.RiskPositions(
        units=("COIN",),
        unit=np.zeros(number, dtype=np.intp),
        kind=np.array(kind),
        in_coin=np.zeros(number, dtype=bool),
        size=np.array(size, dtype=float),
        strike=np.ones(number),
        years=np.full(number, 0.25),
        volatility=np.full(number, 0.5),
    )


def _short_options(case: Case, given: Given) -> Answer:
    """Options that are short after netting calls and puts of a strike."""
    short = given.amount("net_short_at_strike", "net_short_options", "net_short")
    rate = given.amount("per_option", "rate", "rate_per_option")
    rules = portfolio.PortfolioRules(portfolio.RiskGrid((0.0,)), short_option_rate=rate)
    positions = _units([-short], [1])
    # At an index of 1 a contingency in quote units is one in coin.
    found = portfolio.contingencies(rules, positions, np.array([0.1]), np.array([1.0]))
    charge = float(found["net short options"][0])
    known: dict[str, Got] = {name: charge for name in case.expected if "contingency" in name}
    return answered(case, given, known, "engine.portfolio.contingencies")


def _offset(case: Case, given: Given) -> Answer:
    """Futures that offset one another."""
    held = given.raw("futures", "futures_positions", "offsetting_futures")
    rate = given.amount("rate", "offset_rate", "contingency_rate", "per_offset", "share")
    sizes = [float(one) for one in held] if isinstance(held, list) else [float(held), -float(held)]
    rules = portfolio.PortfolioRules(portfolio.RiskGrid((0.0,)), offset_futures_rate=rate)
    positions = _units(sizes, [0] * len(sizes))
    found = portfolio.contingencies(rules, positions, np.ones(len(sizes)), np.array([1.0]))
    charge = float(found["offsetting futures"][0])
    known: dict[str, Got] = {name: charge for name in case.expected if "contingency" in name}
    return answered(case, given, known, "engine.portfolio.contingencies")


def _volatility(case: Case, given: Given) -> Answer:
    """How far volatility moves for an expiry: the move at 30 days, times a power of 30 / days."""
    days = given.amount("days", "days_to_expiry", "dte", "d")
    base = given.raw("vol_move", "base_vol", "vol_shift", "base", "vol", "vol_range", "vol_30d")
    power = given.raw("power", "exponent")
    law, root = _POWER_LAW.search(case.note), _ROOT_LAW.search(case.note)
    if base is None and (law or root):
        base = float((law or root)["base"]) / 100  # type: ignore[index]
    if power is None and (law or root):
        power = float(law["power"]) if law else 0.5
    if base is None or power is None:
        raise NotUnderstoodError("the volatility move at 30 days, or its power, is not stated")
    grid = portfolio.RiskGrid(
        (0.0,), volatility_power=float(power), volatility_power_beyond=float(power)
    )
    multiple = float(grid.volatility_multiple(days / portfolio.DAYS_PER_YEAR))
    known: dict[str, Got] = {
        name: float(base) * multiple for name in case.expected if "vol" in name
    }
    return answered(case, given, known, "engine.portfolio.RiskGrid.volatility_multiple")


def binance(case: Case, library: Library) -> Answer:
    """Margin of loans, profit of positions."""
    given = Given(case.inputs)
    loan = given.raw("borrow", "borrowed", "loan", "borrow_amount", "loan_amount")
    if loan is None:
        return state(case, library)
    rate = given.amount("borrow_mmr", "mmr", "rate", "maintenance_rate", "borrow_mm_rate")
    price = given.raw("index", "index_price", "price")
    account = mw.Account(
        venue=mw.venues.generic(currency="USD", liability_rates={"COIN": rate}),
        collateral={"COIN": -abs(float(loan)), "USD": 1e9},
        prices={"COIN": 1.0 if price is None else float(price)},
    )
    required = account.cross.maintenance_margin
    names = ("maintenance_margin", "mm", "borrow_mm", "loan_mm", "borrow_maintenance_margin")
    known: dict[str, Got] = dict.fromkeys(names, required)
    return answered(case, given, known, "Account under generic, cross, liability rates")


SOLVERS: Mapping[str, Any] = {
    "F-DERIBIT-PM": deribit,
    "F-BINANCE-PM": binance,
}
