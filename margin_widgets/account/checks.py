"""What a number may be: one place for the bounds, and for the words when one is broken."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from traitlets import HasTraits, TraitError, TraitType

from margin_widgets.venues.rules import LARGEST, SMALLEST, real


def number(
    where: str,
    content: object,
    *,
    above: float | None = None,
    low: float | None = None,
    high: float = LARGEST,
    nonzero: bool = False,
) -> float:
    """Return a finite float within bounds, zero or of a size that an amount can have.

    Parameters
    ----------
    where : str
        Names the field in the error.
    content : object
    above : float, optional
        Exclusive lower bound.
    low, high : float
        Inclusive bounds; `low` is ``-high`` if not given.
    nonzero : bool

    Raises
    ------
    TraitError
        Naming field, value and bound.
    """
    low = -high if low is None else low
    try:
        result = real(content)
    except TypeError:
        shown = "an empty text" if isinstance(content, str) and not content else f"{content!r}"
        bound = _bound(above, low, high, nonzero)
        raise TraitError(f"{where}: {shown} is not a number; {bound}") from None
    # A move above -100 % may be as small as it likes; an amount or a price may not.
    tiny = above in (None, 0) and 0 < abs(result) < SMALLEST
    within = (
        math.isfinite(result)
        and not tiny
        and low <= result <= high
        and (above is None or result > above)
        and not (nonzero and result == 0)
    )
    if not within:
        shown = f"{result:.12g}" if math.isfinite(result) else f"{result} is not finite;"
        least = f"; if not zero, at least {SMALLEST:g} in size" if tiny and above is None else ""
        raise TraitError(f"{where}: {shown} {_bound(above, low, high, nonzero)}{least}")
    return result


def _bound(above: float | None, low: float, high: float, nonzero: bool) -> str:
    most = f"{high:g}".replace("e+", "e")
    if nonzero:
        return f"must not be zero, and at most {most} in size"
    if above is not None:
        least = f" (at least {SMALLEST:g})" if above == 0 else ""
        return f"must be > {above:g}{least} and at most {most}"
    if low == 0:
        return f"must be >= 0 and at most {most}"
    least = f"-{most}" if low == -high else f"{low:g}"
    return f"must be between {least} and {most}"


class Number(TraitType[float, Any]):
    """A finite float within bounds; `label` of the object is named in errors."""

    info_text = "a finite number"

    def __init__(self, default: float | None = 0.0, **kwargs: Any) -> None:
        bounds = ("above", "low", "high", "nonzero")
        self.bounds = {name: kwargs.pop(name) for name in bounds if name in kwargs}
        super().__init__(default, **kwargs)

    def validate(self, obj: HasTraits, content: object) -> float:
        """Check against the bounds."""
        where = " ".join(part for part in (getattr(obj, "label", ""), self.name or "") if part)
        return number(where, content, **self.bounds)


class Day(TraitType[str, Any]):
    """An ISO date as text, or nothing."""

    info_text = "an ISO date such as '2026-12-25', or an empty text"

    def validate(self, obj: HasTraits, content: object) -> str:
        """Check that the calendar has the day."""
        if isinstance(content, date):
            content = content.isoformat()[:10]
        try:
            return date.fromisoformat(content).isoformat() if content else ""  # type: ignore[arg-type]
        except (TypeError, ValueError):
            msg = f"{self.name}: {content!r} must be an ISO date such as '2026-12-25'"
            raise TraitError(msg) from None
