"""A picture of the highest ratio of each mode's pools: lines, trigger, liquidations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from margin_widgets.account.collateral_stress import CEILING
from margin_widgets.widgets.picture import Picture
from margin_widgets.widgets.plotting import (
    CLEAR,
    CROSS,
    ISOLATED,
    STEM,
    Floats,
    LabelPlacer,
    assign,
    rows,
)

GUIDES = {
    "beyond": "var(--mw-guide-beyond, transparent)",
    "trigger": "var(--mw-guide-trigger, #4D4D4D)",
}
IN_THE_WAY = 60.0
_COLORS = {"cross": CROSS, "isolated": ISOLATED}


class PoolRatioPicture(Picture):
    """Maintenance over margin balance of both modes against something.

    Attributes
    ----------
    cross_line, isolated_line : bqplot.Lines
        The highest ratio of the pools that stand.
    ends : bqplot.Scatter
        Where pools are liquidated.
    guides : bqplot.Lines
        What is beyond the trigger, and the trigger.
    stem : bqplot.Lines
        A place on the x axis.
    """

    def _ratio_marks(self) -> None:
        """Make what `_draw_trigger` and `_draw_ends` draw on, and the lines."""
        self.guides = self._lines(
            list(GUIDES.values()),
            fill="inside",
            fill_colors=["var(--mw-liq, #B5558C)", CLEAR],
            fill_opacities=[0.12, 0.0],
        )
        self.stem = self._lines([STEM], stroke_width=1.2)
        self.cross_line = self._lines([CROSS], stroke_width=2.4)
        self.isolated_line = self._lines([ISOLATED], stroke_width=2.4, line_style="dashed")
        self.ends = self._points(marker="cross", default_size=50, stroke_width=0.0, visible=False)
        assign(self.y_axis, label="maintenance ÷ margin balance")

    def _draw_trigger(self, low: float, high: float, trigger: float) -> None:
        """Draw the trigger between two places, and what is beyond it."""
        band = ([low, low, high, high], [trigger, CEILING, CEILING, trigger])
        xs, ys = rows([band, ([low, high], [trigger, trigger])], (low, trigger))
        assign(self.guides, x=xs, y=ys)

    def _draw_ends(self, ends: Sequence[tuple[str, float]], trigger: float) -> None:
        """Mark liquidations: the mode and the place of each."""
        if ends:
            assign(
                self.ends,
                x=np.array([x for _, x in ends]),
                y=np.full(len(ends), trigger),
                colors=[_COLORS[mode] for mode, _ in ends],
            )
        assign(self.ends, visible=bool(ends))

    def _name_lines(
        self, placer: LabelPlacer, drawn: Sequence[tuple[Floats, Floats]], at: int
    ) -> None:
        """Name the lines of cross and isolated, the first of `drawn`, at a point that they show."""
        names = (("cross", "cross"), ("isolated", "isolated (highest)"))
        for (mode, name), (x, ratio) in zip(names, drawn, strict=False):
            known: Any = np.flatnonzero(np.isfinite(ratio))
            if len(known):
                n = known[at]
                placer.place(float(x[n]), float(ratio[n]), name, mode, reach=5)
