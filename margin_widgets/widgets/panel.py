"""One of several panels in a figure, above or below each other: a y axis on a part of the frame.

bqplot has one frame per figure and one scale per mark. So each panel is a scale of its own, whose
domain is stretched so that what is shown takes only its part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from margin_widgets.widgets.drawing import Axis, LinearScale
from margin_widgets.widgets.plotting import assign, put_ticks

Span = tuple[float, float]
"""Shares of the frame, from below, between which a panel stands."""
WHOLE: Span = (0.0, 1.0)
TALL = 376.0
"""Pixels of a frame with two panels."""


def stretched(low: float, high: float, span: Span) -> tuple[float, float]:
    """The domain of a scale on which [low, high] takes a part of the frame.

    >>> stretched(0.0, 1.0, (0.5, 1.0))
    (-1.0, 1.0)
    """
    unit = (high - low) / (span[1] - span[0])
    return low - span[0] * unit, high + (1.0 - span[1]) * unit


class Panel:
    """A further y axis of a figure.

    Parameters
    ----------
    x : LinearScale
        Of the figure.
    span : (float, float)
    label_location : {"start", "end"}
        Where its name stands: at its own end of the frame.
    """

    def __init__(self, x: LinearScale, span: Span, label_location: str) -> None:
        self.span = span
        self._y = LinearScale(min=0.0, max=1.0)
        self._y.allow_padding = False
        self.scales: dict[str, Any] = {"x": x, "y": self._y}
        self.axis = Axis(
            scale=self._y, side="left", label_offset="54px", label_location=label_location
        )

    def frame(self, low: float, high: float, ticks: Mapping[float, str], label: str) -> None:
        """Show values between low and high."""
        y = stretched(low, high, self.span)
        assign(self._y, min=y[0], max=y[1])
        put_ticks(self.axis, ticks)
        assign(self.axis, label=label)

    def on(self, other: LinearScale, values: Any) -> Any:
        """Values of this panel on another scale of the figure: for labels, which share one."""
        share = (np.asarray(values) - self._y.min) / (self._y.max - self._y.min)
        return other.min + share * (other.max - other.min)
