"""Margin ratio against price: how near each mode comes to liquidation on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import Bool

from margin_widgets.account.formatting import percent
from margin_widgets.widgets.plotting import (
    CLEAR,
    CROSS,
    FRAMES,
    ISOLATED,
    STEM,
    Floats,
    LabelPlacer,
    Placed,
    Plot,
    assign,
    rows,
    with_gaps,
)
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account, Curve

CEILING = 1.5
GUIDES = {
    "beyond": "var(--mw-guide-beyond, transparent)",
    "trigger": "var(--mw-guide-trigger, #4D4D4D)",
}


class RatioPlot(Plot):
    """Maintenance over equity against price: cross pool, and the highest isolated pool.

    A pool is liquidated at 100 %, and its ratio ends there.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; ``selection.view`` is what the x axis is.

    Attributes
    ----------
    active : bool
        While False (in a hidden tab) the plot does not follow edits; set True it catches up.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = RatioPlot(mw.presets.ref2())
    >>> plot.caption.startswith("Maintenance")
    True
    >>> plot.close()
    """

    active = Bool(True, help="whether the plot follows edits; it catches up when set")

    def __init__(
        self, account: Account, selection: Selection | None = None, *, active: bool = True
    ) -> None:
        self._stale = False
        self.set_trait("active", active)
        super().__init__(account, selection, "ratio")
        self.observe(self._on_active, "active")

    def _marks(self) -> tuple[list[Any], list[Any]]:
        self.guides = self._lines(
            list(GUIDES.values()),
            fill="inside",
            fill_colors=["var(--mw-liq, #B5558C)", CLEAR],
            fill_opacities=[0.12, 0.0],
        )
        self.stem = self._lines([STEM], stroke_width=1.2)
        self.cross_line = self._lines([CROSS], stroke_width=2.4)
        self.isolated_line = self._lines([ISOLATED], stroke_width=2.4, line_style="dashed")
        self.y_axis.label = "maintenance ÷ margin balance"
        return [self.guides, self.stem, self.cross_line, self.isolated_line], []

    def _y_text(self, value: float) -> str:
        return percent(value, 0)

    def update(self) -> None:
        """Draw the account as it is now, or once the plot is active."""
        self._stale = not self.active
        if self.active:
            super().update()

    def _on_active(self, change: Any) -> None:
        if change.new and self._stale:
            self.update()

    def _draw(self, curve: Curve) -> None:
        self._set_domain(0.0, CEILING)
        drawn = []
        for line, series in ((self.cross_line, curve.cross), (self.isolated_line, curve.isolated)):
            ratio = np.where(series.margin_ratio <= CEILING, series.margin_ratio, np.nan)
            x, y = with_gaps(curve, series, ratio)
            assign(line, x=x, y=y)
            drawn.append((curve.x, ratio))
        _, low, high = self._range
        band = ([low, low, high, high], [1.0, CEILING, CEILING, 1.0])
        xs, ys = rows([band, ([low, high], [1.0, 1.0])], (low, 1.0))
        assign(self.guides, x=xs, y=ys)
        assign(self.stem, x=np.full(2, curve.mark), y=np.array([0.0, CEILING]))
        self._put_labels(self._words(curve, (low, high), drawn))
        self.caption = self._sentence()

    def _words(
        self, curve: Curve, x: tuple[float, float], drawn: list[tuple[Floats, Floats]]
    ) -> list[Placed]:
        placed = []
        for frames in FRAMES:
            placer = LabelPlacer(frames, x, (0.0, CEILING), drawn)
            beside = 1.0 + 11 * CEILING / LabelPlacer.HEIGHT
            placer.place(x[0], beside, "liquidation at 100\N{NO-BREAK SPACE}%", "word")
            for tone, series in (("cross", curve.cross), ("isolated", curve.isolated)):
                over = np.flatnonzero(series.margin_ratio > CEILING)
                if len(over):
                    nearest = over[np.argmin(np.abs(curve.x[over] - curve.mark))]
                    placer.place(float(curve.x[nearest]), 1.42, f"≫ {percent(CEILING, 0)}", tone)
            placed += placer.placed
        return placed

    def _sentence(self) -> str:
        isolated, cross = self.account.isolated.margin_ratio, self.account.cross.margin_ratio
        return (
            "Maintenance over margin balance; a pool is liquidated at 100\N{NO-BREAK SPACE}% and "
            f"its line ends there. Now: highest isolated pool {percent(isolated, 1)}, "
            f"cross {percent(cross, 1)}."
        )
