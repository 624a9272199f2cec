"""Options: margin of short ones, and their marks as the underlying moves (in plain floats)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from judge.decimals import ONE, ZERO

if TYPE_CHECKING:
    from judge.book import Book, Leg, Marks


def maintenance(rules: dict[str, Any], leg: Leg, marks: Marks) -> Decimal:
    """Maintenance margin in the settlement asset; a long option owes nothing."""
    if leg.size > 0:
        return ZERO
    index, unit = index_and_unit(leg, marks)
    mark = marks[leg.symbol] * unit
    base = max(index, mark) if applies(rules["maintenance_on_mark"], leg) else index
    each = Decimal(rules["maintenance"]) * base + mark + Decimal(rules["liquidation_fee"]) * index
    return abs(leg.size) * each / unit


def initial(rules: dict[str, Any], leg: Leg, marks: Marks) -> Decimal:
    """Initial margin in the settlement asset; a long option is paid for."""
    if leg.size > 0:
        return ZERO
    index, unit = index_and_unit(leg, marks)
    out = leg.strike - index if leg.kind == "call" else index - leg.strike
    charge = Decimal(rules["initial"]) * index - max(ZERO, out)
    charge = max(charge, Decimal(rules["initial_floor"]) * index)
    mark = marks[leg.symbol] * unit
    charge += mark if rules["premium_at"] == "mark" else max(mark, leg.entry * unit)
    amount = abs(leg.size) * charge / unit
    if applies(rules["initial_not_below_maintenance"], leg):
        amount = max(amount, maintenance(rules, leg, marks))
    return amount


def applies(rule: str, leg: Leg) -> bool:
    return rule == "always" or (rule == "puts" and leg.kind == "put")


def index_and_unit(leg: Leg, marks: Marks) -> tuple[Decimal, Decimal]:
    """Price of the underlying, and what a premium of 1 is in quote currency."""
    index = marks[leg.index or ""]
    return index, index if leg.in_coin else ONE


def kinks(rules: dict[str, Any], leg: Leg, marks: Marks) -> list[Decimal]:
    """Own marks at which the margin of an option bends."""
    index, unit = index_and_unit(leg, marks)
    return [index / unit] if leg.size < 0 and applies(rules["maintenance_on_mark"], leg) else []


# ------------------------------------------------------------------ Black (1976)


def followed(book: Book, moved: Marks) -> Marks:
    """Marks in which each option whose underlying moved has followed at its volatility."""
    result = dict(moved)
    for leg in book.legs:
        if leg.is_option and moved[leg.index or ""] != book.marks[leg.index or ""]:
            index = float(moved[leg.index or ""])
            mark = price(leg.kind, index, float(leg.strike), leg.years, volatility(book, leg))
            result[leg.symbol] = Decimal(mark / index if leg.in_coin else mark)
    return result


def volatility(book: Book, leg: Leg) -> float:
    """Volatility at which the present mark is the price, by halving."""
    key = ("volatility", leg.symbol)
    if key not in book.cache:
        index, unit = index_and_unit(leg, book.marks)
        mark = float(book.marks[leg.symbol] * unit)
        low, high = 1e-4, 20.0
        for _ in range(100):
            middle = (low + high) / 2
            if price(leg.kind, float(index), float(leg.strike), leg.years, middle) < mark:
                low = middle
            else:
                high = middle
        book.cache[key] = (low + high) / 2
    return book.cache[key]


def price(kind: str, forward: float, strike: float, years: float, sigma: float) -> float:
    """Undiscounted value of an option on a forward."""
    spread = sigma * math.sqrt(max(0.0, years))
    if spread == 0:
        return max(0.0, forward - strike if kind == "call" else strike - forward)
    first = math.log(forward / strike) / spread + spread / 2
    second = first - spread
    if kind == "call":
        return forward * normal(first) - strike * normal(second)
    return strike * normal(-second) - forward * normal(-first)


def normal(x: float) -> float:
    """Standard normal distribution function."""
    return math.erfc(-x / math.sqrt(2)) / 2
