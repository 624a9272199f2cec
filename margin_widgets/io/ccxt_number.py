"""Numbers as ccxt structures hold them: numbers, numeric text, blanks."""

from __future__ import annotations

import math
from typing import Any


class RowError(ValueError):
    """A row that cannot be imported, with the reason."""


def number(name: str, content: Any) -> float | None:
    """A finite number, or None for a blank.

    Raises
    ------
    RowError
        Naming field and value.
    """
    if content is None or content == "":
        return None
    try:
        if isinstance(content, bool):
            raise TypeError
        found = float(content)
    except (TypeError, ValueError, OverflowError):
        raise RowError(f"{name}: {_shown(content)} is not a number") from None
    if not math.isfinite(found):
        raise RowError(f"{name}: {_shown(content)} is not finite")
    return found


def _shown(content: Any) -> str:
    text = repr(content)
    return text if len(text) <= 40 else f"{text[:37]}..."
