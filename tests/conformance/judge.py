"""The pass mark.

A worked example states its tolerance, and that one counts. Elsewhere a price passes within one tick
where the tick is known, or within 1e-6 of the distance from mark or entry to the liquidation price;
a price printed to fewer digits cannot be held to more than a unit of its last one, and is held to
1e-4 of that distance at least. An amount passes within 1e-6 of itself, or a unit of its last digit.
A relative error on the price itself is never used: wrong formulas pass it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.conformance.outcome import Answer, Check, Got, Verdict

SHARE = 1e-6
COARSE = 1e-4
_ROUNDING = 1e-9


def is_price(name: str) -> bool:
    """Whether a figure is a price, whose distance from the mark counts."""
    return "price" in name


def unit(number: float) -> float:
    """One unit of the last decimal that a number was printed with; 0 for a whole number."""
    exponent = Decimal(repr(float(number))).normalize().as_tuple().exponent
    return 10.0**exponent if isinstance(exponent, int) and exponent < 0 else 0.0


def number(content: Any) -> float | None:
    """A stated number; None for "there is none": null, an empty text, and 0 of a price."""
    if content is None or content == "":
        return None
    if isinstance(content, bool):
        return float(content)
    try:
        return float(content)
    except (TypeError, ValueError):
        return None


def judge(name: str, expected: Any, answer: Answer, tolerance: Any = None) -> Check:
    """Compare one figure with what was expected."""
    got = answer.figures[name]
    wanted = number(expected)
    if wanted is None or got is None:
        there = wanted is not None or got is not None
        reason = f"there is {'a' if got is not None else 'no'} such price here" if there else ""
        verdict: Verdict = "fail" if there else "pass"
        return Check(name, expected, got, None, None, None, None, verdict, reason)
    if isinstance(expected, bool) or isinstance(got, bool):
        same = bool(wanted) == bool(got)
        return Check(name, expected, got, None, None, None, None, "pass" if same else "fail")
    error = abs(float(got) - wanted)
    in_ticks = relative = None
    distance = None
    if is_price(name):
        in_ticks = error / answer.tick if answer.tick else None
        if answer.reference is not None and answer.reference != wanted:
            distance = abs(answer.reference - wanted)
            relative = error / distance
    elif wanted:
        relative = error / abs(wanted)
    stated = number(tolerance)
    allowed = stated if stated is not None else mark(name, wanted, answer, distance)
    double = 1e-12 * max(abs(wanted), abs(float(got)))  # rounding of the doubles themselves
    passed, reason = error <= allowed + double, ""
    slack = answer.slack.get(name, 0.0)
    if not passed and stated is None and error <= allowed + slack:
        passed, allowed = True, allowed + slack
        reason = "within what the printed digits of the prices leave open"
    verdict = "pass" if passed else "fail"
    return Check(name, expected, got, error, in_ticks, relative, allowed, verdict, reason)


def mark(name: str, wanted: float, answer: Answer, distance: float | None) -> float:
    """The error allowed where the case states none."""
    if not is_price(name):
        return max(SHARE * abs(wanted), unit(wanted))
    if answer.tick:
        return answer.tick * (1 + _ROUNDING)
    if distance is None:
        return max(SHARE * abs(wanted), 0.0)
    return max(SHARE * distance, min(unit(wanted), COARSE * distance))


def shown(got: Got | Any) -> str:
    """A number as tables print it."""
    if got is None:
        return "none"
    if isinstance(got, bool):
        return "yes" if got else "no"
    if isinstance(got, (int, float)):
        return f"{got:.12g}"
    return str(got)
