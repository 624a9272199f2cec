"""Decimals with many digits, and amounts charged band by band."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import wraps
from typing import Any

DIGITS = 90
ZERO = Decimal(0)
ONE = Decimal(1)

Bands = tuple[tuple[Decimal, Decimal], ...]


def exact(function: Callable) -> Callable:
    """Run a function with 90 digits, without touching the caller's decimal context."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with localcontext(prec=DIGITS):
            return function(*args, **kwargs)

    return wrapper


def bands_of(table: Any) -> Bands:
    """A rate, or (floor, rate) rows, as rows of decimals."""
    rows = table if isinstance(table, (list, tuple)) else [(0, table)]
    return tuple((Decimal(row[0]), Decimal(row[1])) for row in rows)


def banded(amount: Decimal, bands: Bands) -> Decimal:
    """Charge the part of `amount` inside each band at the rate of that band."""
    total = ZERO
    for i, (floor, rate) in enumerate(bands):
        if amount <= floor:
            break
        top = bands[i + 1][0] if i + 1 < len(bands) else amount
        total += (min(amount, top) - floor) * rate
    return total


def rate_at(amount: Decimal, bands: Bands) -> Decimal:
    """The rate of the band in which `amount` lies; at its floor the band has not begun yet."""
    return [rate for floor, rate in bands if floor < amount][-1]


def clamp(x: Decimal, low: Decimal, high: Decimal) -> Decimal:
    return max(low, min(x, high))
