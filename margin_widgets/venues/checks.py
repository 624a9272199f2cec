"""What every part of a rule set must be: numbers in bounds, texts, choices; errors that say so."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from numbers import Real
from typing import Any

SMALLEST, LARGEST = 1e-15, 1e15
"""Beyond these no amount is meant: a double no longer resolves cents, or products vanish."""


class RuleError(ValueError):
    """A rule set, or a part given to one, that is not consistent.

    Attributes
    ----------
    words : str
        The same for those who work without code; the message itself if it names none.
    """

    def __init__(self, message: str, words: str = "") -> None:
        super().__init__(message)
        self.words = words or message


def real(content: object) -> float:
    """Float of any real number, infinite if it is too large for one.

    Raises
    ------
    TypeError
        If it is not a number; text and truth values are not.
    """
    if isinstance(content, bool) or not isinstance(content, (Real, Decimal)):
        raise TypeError(f"{content!r} is not a number")
    number: Any = content
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
    except ValueError:  # a signalling NaN
        return math.nan


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint with the nearest known names, or nothing."""
    near = get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(one) for one in near)}?" if near else ""


def size(name: str, content: object) -> float:
    """A number that an amount, price or multiplier can be: above 0."""
    number = _real_or_nan(content)
    if not SMALLEST <= number <= LARGEST:
        raise RuleError(f"{name}: {content!r} must be a number > 0, from 1e-15 to 1e15")
    return number


def amount(name: str, content: object) -> float:
    """A number that may be 0, but not negative."""
    number = _real_or_nan(content)
    if not 0 <= number <= LARGEST:
        raise RuleError(f"{name}: {content!r} must be a number >= 0, at most 1e15")
    return number


def share(name: str, content: object, *, whole: bool = False) -> float:
    """A number within 0 and 1; 1 itself only if `whole`."""
    number = _real_or_nan(content)
    if not (0 <= number < 1 or (whole and number == 1)):
        raise RuleError(f"{name}: {content!r} must be a number within 0 and 1")
    return number


def choice(name: str, content: object, choices: Iterable[str]) -> None:
    """Refuse what is not one of the choices."""
    known = tuple(choices)
    if content not in known:
        hint = did_you_mean(content, known) if isinstance(content, str) else ""
        raise RuleError(f"{name}: {content!r} is not one of {', '.join(map(repr, known))}{hint}")


def truth(name: str, content: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(content, bool):
        raise RuleError(f"{name}: {content!r} must be True or False")


def text(name: str, content: object, *, empty: bool = False) -> None:
    """Refuse what is not a text."""
    if not isinstance(content, str) or not (empty or content.strip()):
        raise RuleError(f"{name}: {content!r} must be a text{'' if empty else ', not empty'}")


def texts(name: str, content: object, *, choices: Iterable[str] | None = None) -> tuple[str, ...]:
    """Several texts, as a tuple; only of `choices` if there are any."""
    if isinstance(content, (str, Mapping)) or not isinstance(content, Iterable):
        raise RuleError(f"{name}: {content!r} must be several texts, such as ({content!r},)")
    several = tuple(content)
    for one in several:
        text(name, one, empty=True)
        if choices is not None:
            choice(name, one, choices)
    return several


def iso_date(name: str, content: object) -> None:
    """Refuse what is not an ISO date."""
    text(name, content)
    try:
        date.fromisoformat(str(content))
    except ValueError:
        raise RuleError(f"{name}: {content!r} is not an ISO date such as '2026-12-25'") from None


def mapping(name: str, content: object) -> Mapping[str, Any]:
    """Content as a mapping by names."""
    if not isinstance(content, Mapping):
        raise RuleError(f"{name}: {content!r} must be a mapping of names")
    for key in content:
        text(f"{name}, key", key)
    return content


def _real_or_nan(content: object) -> float:
    """A number, or NaN, which is within no bounds."""
    try:
        return real(content)
    except TypeError:
        return math.nan
