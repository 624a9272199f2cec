"""What an LP token is worth, stacked: what counts as margin, the haircut, the gap to holding."""

from __future__ import annotations

import numpy as np

from margin_widgets.account.chart_svg import round_ticks, ticks
from margin_widgets.account.lp_token import STACK, LpStress
from margin_widgets.widgets.drawing import LinearScale, Lines
from margin_widgets.widgets.panel import Panel, Span
from margin_widgets.widgets.plotting import (
    CLEAR,
    STEM,
    TEXT,
    Floats,
    LabelPlacer,
    assign,
    rows,
    short,
)

_GUIDE = "var(--mw-guide-trigger, #4D4D4D)"
_POINTS = 121
_ROOM = 15.0
"""Pixels that a part must be high for its name to stand in it."""


class WorthStack:
    """Three bands in a panel of a figure, told apart by their edges and names as well.

    Parameters
    ----------
    x : LinearScale
        Of the figure.
    span : (float, float)
        Shares of the frame between which it stands.

    Attributes
    ----------
    panel : Panel
    bands : bqplot.Lines
        A closed row for each part, from below.
    edges : bqplot.Lines
        The upper edge of each part; that of the last, holding the two coins, is dotted.
    """

    def __init__(self, x: LinearScale, span: Span) -> None:
        self.panel = Panel(x, span, "start")
        looks = {"interactions": {}, "scales": self.panel.scales, "visible": False}
        self.bands = Lines(
            x=[1.0],
            y=[0.0],
            colors=[CLEAR] * len(STACK),
            fill="inside",
            fill_colors=[STEM, STEM, "var(--mw-liq, #B5558C)"],
            fill_opacities=[0.5, 0.2, 0.34],
            **looks,
        )
        self.edges = Lines(x=[1.0], y=[0.0], colors=[TEXT, TEXT, _GUIDE], stroke_width=1.4, **looks)
        self.marks = [self.bands, self.edges]
        self.panel.axis.visible = False

    def draw(self, token: LpStress | None) -> None:
        """Show the parts of a token's worth, or nothing."""
        for one in (*self.marks, self.panel.axis):
            assign(one, visible=token is not None)
        if token is None:
            return
        x, above = self._edges(token)
        below = np.vstack([np.zeros_like(x), above[:-1]])
        there = x.tolist()
        around = [*there, *there[::-1]]
        closed = [(around, [*up, *down[::-1]]) for up, down in zip(above, below, strict=True)]
        xs, ys = rows(closed, (there[0], 0.0))
        assign(self.bands, x=xs, y=ys)
        assign(self.edges, x=np.tile(x, (len(STACK), 1)), y=above)
        top = float(above.max())
        currency = token.books.state.venue.currency
        places = ticks(round_ticks(0.0, top, 3), short)
        self.panel.frame(0.0, top, places, f"worth, {currency}")

    def _edges(self, token: LpStress) -> tuple[Floats, Floats]:
        """Moves, and the upper edge of each part (parts, moves)."""
        x = np.linspace(float(token.x[0]), float(token.x[-1]), _POINTS)
        return x, np.cumsum(token.stack_at(x), axis=0)

    def lines_on(self, y: LinearScale, token: LpStress) -> list[tuple[Floats, Floats]]:
        """The edges on the scale that labels have, which are not to cover them."""
        x, above = self._edges(token)
        return [(x, self.panel.on(y, row)) for row in above]

    def name(self, placer: LabelPlacer, y: LinearScale, token: LpStress) -> None:
        """Name each part where it is highest, inside if it is high enough."""
        x, above = self._edges(token)
        per_pixel = (float(y.max) - float(y.min)) / placer.HEIGHT
        below = np.vstack([np.zeros_like(x), above[:-1]])
        for text, up, down in zip(STACK, above, below, strict=True):
            at = int(np.argmax(up - down))
            high, low = (float(self.panel.on(y, edge[at])) for edge in (up, down))
            inside = high - low >= _ROOM * per_pixel
            middle = (high + low) / 2 if inside else high + 10 * per_pixel
            placer.place(
                float(x[at]), middle, text, "word", reach=2 if inside else 4, at_most=250.0
            )
