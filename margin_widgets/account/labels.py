"""Where the words of a static picture go: beside what they name, over as little as possible."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from margin_widgets.engine.book import Floats

GAP = 8.0
LINE = 13.5
NEVER = 1e4
"""Cost of leaving the frame."""
_LABEL, _ROW = 300.0, 14.0


def text_width(text: str, size: float) -> float:
    """About how wide a text is drawn; fonts differ, so rather too wide."""
    return 0.6 * size * len(text)


@dataclass(frozen=True)
class Label:
    """Words at a place of the picture, growing to the right or to the left of it."""

    x: float
    y: float
    text: str
    role: str
    rightward: bool
    of: tuple[float, float]
    """Place that it names."""

    @property
    def far(self) -> bool:
        """Whether a line has to lead to what it names."""
        return abs(self.y - self.of[1]) > 1.2 * LINE


@dataclass
class Placer:
    """Greedy placement of labels in a frame, in pixels with y downward.

    Parameters
    ----------
    left, right, top, bottom : float
        Of the frame.
    size : float
        Of the font.
    """

    left: float
    right: float
    top: float
    bottom: float
    size: float
    placed: list[Label] = field(default_factory=list)
    _boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    _points: list[Floats] = field(default_factory=list)

    def avoid(self, x: Floats, y: Floats, weight: float = 5.0) -> None:
        """Keep labels off a polyline where they can be; NaN is a gap."""
        for piece in np.split(np.arange(len(x)), np.flatnonzero(~np.isfinite(y)) + 1):
            known = piece[np.isfinite(y[piece])]
            if len(known):
                steps = np.hypot(np.diff(x[known]), np.diff(y[known]))
                length = np.concatenate([[0.0], np.cumsum(steps)])
                at = np.linspace(0.0, length[-1], int(min(length[-1] / 4, 600)) + 2)
                line = [np.interp(at, length, x[known]), np.interp(at, length, y[known])]
                self._points.append(np.array([*line, np.full(len(at), weight)]))

    def take(self, x: float, y: float, size: float = 12.0) -> None:
        """Keep a marker free of labels."""
        half = size / 2
        self._boxes.append((x - half, x + half, y - half, y + half))

    def place(
        self,
        x: float,
        y: float,
        text: str,
        role: str,
        *,
        reach: int = 5,
        at_most: float = NEVER,
        away_from: float | None = None,
    ) -> bool:
        """Put a label in the least bad place near (x, y).

        Parameters
        ----------
        reach : int
            Rows up and down that may be tried.
        at_most : float
            Cost from which the label is better left out.
        away_from : float, optional
            Another x, on whose far side the label belongs.
        """
        width = text_width(text, self.size)
        best: tuple[float, float, float] | None = None
        for shift in sorted(range(-reach, reach + 1), key=abs):
            middle = y + shift * LINE
            row = min(max(middle, self.top + LINE / 2), self.bottom - LINE / 2)
            if abs(row - middle) >= LINE / 2:
                continue
            for right in (True, False):
                start = x + GAP if right else x - GAP - width
                cost = _ROW * abs(shift) + self._cost(start, start + width, row)
                if away_from is not None and right == (away_from > x):
                    cost += 20.0
                if best is None or cost < best[0]:
                    best = cost, start, row
                    side = right
        if best is None or best[0] >= at_most:
            return False
        _, start, row = best
        self._boxes.append((start, start + width, row - LINE / 2, row + LINE / 2))
        self.placed.append(Label(x + (GAP if side else -GAP), row, text, role, side, (x, y)))
        return True

    def _cost(self, start: float, end: float, row: float) -> float:
        top, bottom = row - LINE / 2, row + LINE / 2
        cost = NEVER if start < self.left or end > self.right else 0.0
        for low, high, above, below in self._boxes:
            if start < high and low < end and top < below and above < bottom:
                cost += _LABEL
        for x, y, weight in self._points:
            under = (x > start - 2) & (x < end + 2) & (y > top - 1) & (y < bottom + 1)
            cost += float(weight[under].sum())
        return cost


def near(
    markers: Iterable[tuple[float, float]], across: float = 5.0, down: float = 22.0
) -> list[list[int]]:
    """Numbers of markers (in order along x) that are so near each other that they share a label."""
    groups: list[list[int]] = []
    last = (-np.inf, -np.inf)
    for number, (x, y) in enumerate(markers):
        if groups and abs(x - last[0]) <= across and abs(y - last[1]) <= down:
            groups[-1].append(number)
        else:
            groups.append([number])
        last = (x, y)
    # Two names still have room, and say more than a number.
    return [part for one in groups for part in ([one] if len(one) > 2 else [[n] for n in one])]
