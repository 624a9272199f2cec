"""The range of an x axis: steady while a person types, and the same for the same account."""

from __future__ import annotations

KEPT = 50
"""Ranges that are remembered."""


class SteadyRange:
    """What an x axis shows; it changes only when it must, or back to what was shown before."""

    def __init__(self) -> None:
        self._now: tuple[str, float, float] = ("", 0.0, 1.0)
        self._seen: dict[tuple[str, float, float], tuple[float, float]] = {}

    def fit(self, view: str, fresh: tuple[float, float], present: float) -> tuple[float, float]:
        """The range to show.

        Parameters
        ----------
        view : str
            What the axis is; another one begins anew.
        fresh : (float, float)
            The range that an account like this would begin with.
        present : float
            Where the account is now.
        """
        known = self._seen.pop((view, *fresh), None)
        if known is not None:
            # An account seen before looks as it did: after a drag and undo as before the drag.
            self._now = (view, *known)
        elif not self._still_fits(view, fresh, present):
            self._now = (view, *fresh)
        self._seen[view, *fresh] = self._now[1:]
        if len(self._seen) > KEPT:
            del self._seen[next(iter(self._seen))]
        return self._now[1:]

    def _still_fits(self, view: str, fresh: tuple[float, float], present: float) -> bool:
        shown, low, high = self._now
        if view != shown:
            return False
        margin = 0.02 * (high - low)
        if not low + margin <= present <= high - margin:
            return False
        # A fresh range reaches 1.45 times as far as the first trigger: up to there must show.
        far = 0.72
        shows = low <= present - far * (present - fresh[0])
        shows = shows and high >= present + far * (fresh[1] - present)
        return shows and high - low <= 3 * (fresh[1] - fresh[0])
