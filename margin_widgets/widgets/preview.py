"""How often a drag is previewed."""

from __future__ import annotations

MOST = 30.0
_rate = 10.0


def rate() -> float:
    """Previews a second at most, for widgets made from now on."""
    return _rate


def set_rate(rate: float) -> None:
    """Preview drags this many times a second at most, in widgets made from now on.

    Raises
    ------
    ValueError
        If it is not at least 1 and at most `MOST`.
    """
    global _rate  # noqa: PLW0603 - what many small parts share, and none of them is given
    if not 1 <= rate <= MOST:
        raise ValueError(f"preview rate: {rate:g} must be at least 1 and at most {MOST:g} a second")
    _rate = float(rate)
