"""Numbers as people read them: one place for every format on screen and in sentences."""

from __future__ import annotations

import math
from decimal import Decimal

MINUS = "\N{MINUS SIGN}"
NO_VALUE = "\N{EN DASH}"
GROUPS = {
    "1,234.56": ",",
    "1 234.56": "\N{NARROW NO-BREAK SPACE}",
    "1’234.56": "\N{RIGHT SINGLE QUOTATION MARK}",
    "1234.56": "",
}
"""What stands between thousands, by a number written so. The point is the only decimal mark: what
is typed, pasted and computed on shares it, so that each of these forms can be read back."""

FAR = 10.0
"""A rise of marks beyond this, +1,000 %, is told as such: hedged books have theirs anywhere."""

_group = ","


def group() -> str:
    """What stands between thousands now."""
    return _group


def write_like(example: str) -> None:
    """Write numbers like one of `GROUPS` from now on, in all of this process.

    >>> write_like("1’234.56")
    >>> amount(10000)
    '10’000.00'
    >>> write_like("1,234.56")
    """
    global _group  # noqa: PLW0603 - each number is written by a plain function
    if example not in GROUPS:
        raise ValueError(f"number format: {example!r} is none of {', '.join(GROUPS)}")
    _group = GROUPS[example]


def _said(text: str) -> str:
    """A number in Python's form, as people read it."""
    return text.replace("-", MINUS).replace(",", _group)


def plain(value: float | None, decimals: int | None = None) -> str:
    """Thousands separated, at most `decimals` digits (all that carry meaning if None), true minus.

    >>> plain(100000.0), plain(-0.5), plain(1234.5678, 2)
    ('100,000', '−0.5', '1,234.57')
    """
    if value is None or not math.isfinite(value):
        return NO_VALUE
    if decimals is None:
        text = f"{value:,.10g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.10g}"
        if "e" in text and abs(value) < 1e15:
            text = f"{value:,.12f}".rstrip("0").rstrip(".")
    else:
        text = f"{value:,.{decimals}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
    if text == "-0":
        text = "0"
    return _said(text)


def amount(value: float | None, decimals: int = 2) -> str:
    """Money with fixed decimals.

    >>> amount(10000), amount(-1234.5)
    ('10,000.00', '−1,234.50')
    """
    if value is None or not math.isfinite(value):
        return NO_VALUE
    text = f"{value:,.{decimals}f}"
    if text.strip("-0.,") == "":
        text = text.lstrip("-")
    return _said(text)


def price(value: float | None, tick: float | None = None) -> str:
    """A price on its tick; without one, about six significant digits and at least cents above 1.

    >>> price(90452.2613, 0.1), price(80804.0201), price(0.00001234)
    ('90,452.3', '80,804.02', '0.00001234')
    """
    if value is None or not math.isfinite(value):
        return NO_VALUE
    text = amount(value, price_decimals(value, tick))
    if tick is None:  # at least cents, and beyond them only digits that say something
        whole, _, decimals = text.partition(".")
        return f"{whole}.{decimals[:2]}{decimals[2:].rstrip('0')}"
    return text


def price_decimals(value: float, tick: float | None = None) -> int:
    """How many decimals a price is shown with."""
    if tick:
        exponent = Decimal(repr(tick)).normalize().as_tuple().exponent
        return max(0, -exponent) if isinstance(exponent, int) else 0
    if value == 0:
        return 2
    magnitude = math.floor(math.log10(abs(value)))
    return min(12, max(2, 5 - magnitude))


def percent(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A fraction as per cent.

    >>> percent(-0.0909, sign=True), percent(0.1, 1)
    ('−9.09 %', '10.0 %')
    """
    if value is None or not math.isfinite(value):
        return NO_VALUE
    text = f"{100 * value:{'+' if sign else ''},.{digits}f}"
    if text.strip("+-0.,") == "":
        text = text.lstrip("+-")
    return _said(text) + "\N{NO-BREAK SPACE}%"


def move(value: float | None, digits: int = 2) -> str:
    """A relative move of marks with its sign; only that it is far, where figures would say nothing.

    >>> move(-0.0909), move(9946.26), move(None)
    ('−9.09 %', '> +1,000 %', '–')
    """
    if value is not None and FAR < value < math.inf:
        return f"> {percent(FAR, 0, sign=True)}"
    return percent(value, digits, sign=True)
