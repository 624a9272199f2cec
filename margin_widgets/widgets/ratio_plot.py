"""Margin ratio against price: how near each mode comes to liquidation on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bqplot import Scatter
from traitlets import Bool

from margin_widgets.account.formatting import percent
from margin_widgets.widgets.equity_plot import IN_THE_WAY, name
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
    from margin_widgets.account import Account, Curve, LiquidationEvent

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
        self.ends = Scatter(
            x=[0.0],
            y=[0.0],
            scales=self.scales,
            marker="cross",
            default_size=50,
            stroke_width=0.0,
            visible=False,
            interactions={},
        )
        self.y_axis.label = "maintenance ÷ margin balance"
        lines = [self.guides, self.stem, self.cross_line, self.isolated_line, self.ends]
        return lines, []

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
        ends = [
            (mode, color, event)
            for mode, color, series in (
                ("cross", CROSS, curve.cross),
                ("isolated", ISOLATED, curve.isolated),
            )
            for event in series.events
            if event.x != curve.mark
        ]
        if ends:
            x = np.array([event.x for _, _, event in ends])
            assign(self.ends, x=x, y=np.ones(len(x)), colors=[color for _, color, _ in ends])
        assign(self.ends, visible=bool(ends))
        self._put_labels(self._words(curve, (low, high), drawn, [(e[0], e[2]) for e in ends]))
        self.caption = self._sentence()

    def _words(
        self,
        curve: Curve,
        x: tuple[float, float],
        drawn: list[tuple[Floats, Floats]],
        ends: list[tuple[str, LiquidationEvent]],
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
            for _, event in ends:
                placer.take(event.x, 1.0)
            named: set[str] = set()
            for mode, event in sorted(ends, key=lambda end: (end[0], abs(end[1].x - curve.mark))):
                # Next to its trigger the pool that is closed there is the highest one. The first
                # of a mode names the line, the others have a name where there is room.
                placer.place(
                    event.x,
                    0.88,
                    mode if mode == "cross" else f"{mode} {name(self.account, event)}",
                    mode,
                    reach=9 if mode not in named else 4,
                    at_most=1e4 if mode not in named else IN_THE_WAY,
                    away_from=curve.mark,
                )
                named.add(mode)
            for mode, (at, ratio) in zip(("cross", "isolated"), drawn, strict=True):
                known = np.flatnonzero(np.isfinite(ratio))
                if len(known) and mode not in named:
                    end = known[-1]
                    placer.place(float(at[end]), float(ratio[end]), mode, mode, reach=3)
            placed += placer.placed
        return placed

    def _sentence(self) -> str:
        isolated, cross = (
            "without balance" if ratio is None else percent(ratio, 1)
            for ratio in (self.account.isolated.margin_ratio, self.account.cross.margin_ratio)
        )
        return (
            "Maintenance over margin balance; a pool is liquidated at 100\N{NO-BREAK SPACE}% and "
            f"its line ends there. Now: highest isolated pool {isolated}, "
            f"cross {cross}."
        )
