"""The marks of the picture of equity: curves, ghosts, guides, labels and handles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import Bool, Dict, validate

from margin_widgets.account.equity_picture import EquityPicture, Ghost, ghost
from margin_widgets.account.lead import lead_regions
from margin_widgets.widgets.curve_picture import CurvePicture
from margin_widgets.widgets.equity_guides import GUIDES, TINTED, guide_rows, marked
from margin_widgets.widgets.equity_labels import Marker, Scene, labels
from margin_widgets.widgets.plotting import (
    CLEAR,
    CONFIGURED,
    CROSS,
    ISOLATED,
    STEM,
    Floats,
    assign,
    nice_range,
    rows,
    with_gaps,
)

if TYPE_CHECKING:
    from margin_widgets.account import Account, Curve

# Thin neutral lines: the style sheet finds the dash of the mode by the name of the variable.
GHOST_LINES = {
    "cross": "var(--mw-ghost-cross, #767676)",
    "isolated": "var(--mw-ghost-isolated, #767676)",
}
UNTOUCHED = "var(--mw-ghost-untouched, #767676)"
GHOST_FILL = "var(--mw-ghost-fill, #FFFFFF)"
GHOST_STROKE = "var(--mw-ghost, #767676)"
GHOSTS_AT_MOST = 4
WIDTH, CHOSEN_WIDTH, FAINT = 2.4, 3.4, 0.45


class EquityCanvas(CurvePicture):
    """What the picture of equity shows; nothing here edits the account.

    Attributes
    ----------
    data : EquityPicture or None
        What is drawn, with its words and table.
    """

    show_configured = Bool(False, help="draw the account as configured too")
    show_untouched = Bool(False, help="draw the equity if nobody were liquidated")
    ghosts: Any = Dict(help="hypothetical accounts by name, drawn as thin lines; None for none")

    @validate("ghosts")
    def _check_ghosts(self, proposal: Any) -> dict[str, Account]:
        from margin_widgets.account.account import Account

        found = {name: one for name, one in proposal.value.items() if one is not None}
        for name, one in found.items():
            if not isinstance(name, str) or not name:
                raise ValueError(f"ghosts: {name!r} must be a name")
            if not isinstance(one, Account):
                raise ValueError(f"ghosts[{name!r}]: {one!r} must be an Account or None")
        if len(found) > GHOSTS_AT_MOST:
            raise ValueError(f"ghosts: {len(found)} given, at most {GHOSTS_AT_MOST} are drawn")
        return found

    # -- marks ----------------------------------------------------------------------------------

    def _marks(self) -> tuple[list[Any], list[Any]]:
        self._markers: list[Marker] = []
        self._entry_keys: list[str] = []
        self._ghost_curves: dict[str, tuple[Any, Ghost | None]] = {}
        tints = [TINTED.get(name, (CLEAR, 0.0)) for name in GUIDES]
        self.guides = self._lines(
            list(GUIDES.values()),
            fill="inside",
            fill_colors=[color for color, _ in tints],
            fill_opacities=[opacity for _, opacity in tints],
        )
        self.stem = self._lines([STEM], stroke_width=1.2)
        self.ghost_lines = self._lines([UNTOUCHED], stroke_width=1.2, visible=False)
        self.configured_line = self._lines([CONFIGURED], line_style="dash_dotted", visible=False)
        self.cross_line = self._lines([CROSS], stroke_width=WIDTH)
        self.isolated_line = self._lines([ISOLATED], stroke_width=WIDTH, line_style="dashed")
        hollow: dict[str, Any] = {
            "colors": [GHOST_FILL],
            "stroke": GHOST_STROKE,
            "stroke_width": 1.4,
            "default_size": 42,
            "visible": False,
        }
        self.ghost_liquidations = {
            "cross": self._points(marker="circle", **hollow),
            "isolated": self._points(marker="square", **hollow),
        }
        saltire: dict[str, Any] = {"marker": "cross", "default_size": 90, "stroke_width": 0.0}
        self.liquidations = self._points(enable_move=True, restrict_x=True, **saltire)
        self.trials = self._points(visible=False, **saltire)
        self.handle = self._round(restrict_x=True)
        self.entries = self._round(restrict_x=True, visible=False)
        self.entries.stroke = STEM
        self.entries.default_size = 70
        lines = [self.guides, self.stem, self.ghost_lines, self.configured_line]
        lines += [self.cross_line, self.isolated_line, *self.ghost_liquidations.values()]
        return lines, [self.trials, self.entries, self.liquidations, self.handle]

    @property
    def curve(self) -> Curve | None:
        """The curve on display, None without positions."""
        return None if self.data is None else self.data.curve

    # -- what is drawn --------------------------------------------------------------------------

    def _compute(self) -> EquityPicture:
        self._fit_x(*self.ghosts.values())
        curve = self.sweep(self.account)
        found = {name: self._ghost(name, one, curve) for name, one in self.ghosts.items()}
        drawn = tuple(one for one in found.values() if one is not None)
        return EquityPicture(curve, drawn, tuple(name for name in found if found[name] is None))

    def _ghost(self, name: str, hypothetical: Account, curve: Curve) -> Ghost | None:
        """The ghost, computed again only where something changed."""
        marks = tuple(self.account.books.marks.tolist())
        key = (hypothetical, hypothetical.revision, self.symbol, curve.low, curve.high, marks)
        known = self._ghost_curves.get(name)
        if known is None or known[0] != key:
            known = self._ghost_curves[name] = key, ghost(self.account, hypothetical, name, curve)
        return known[1]

    def _draw(self, data: EquityPicture) -> None:
        curve = data.curve
        assign(self.y_axis, label=f"account equity ({self.account.currency})")
        self._fit_y(data)
        self._draw_curves(curve)
        self._draw_ghosts(data)
        self._draw_stem(curve.mark)
        self._draw_entries()
        self._markers = self._draw_around(curve)
        self._draw_markers()

    def _draw_around(self, curve: Curve) -> list[Marker]:
        """Guides and labels of a curve; returns its LIQ markers."""
        low, high = self._range
        y = float(self._y.min), float(self._y.max)
        regions = lead_regions(curve)
        markers = [
            Marker(mode, color, event)
            for mode, color, series in (
                ("cross", CROSS, curve.cross),
                ("isolated", ISOLATED, curve.isolated),
            )
            for event in marked(series)
            if low <= event.x <= high
        ]
        entries = tuple(self._entries().values())
        series = guide_rows(curve, regions, entries, (low, high), y)
        xs, ys = rows([series[name] for name in GUIDES], (low, y[0]))
        assign(self.guides, x=xs, y=ys)
        ghosts = () if self.data is None else self.data.ghosts
        scene = Scene(curve, regions, markers, ghosts, entries, (low, high), y, self.show_untouched)
        self._put_labels(labels(scene))
        return markers

    def _fit_y(self, data: EquityPicture) -> None:
        ends = [0.0]
        for curve in (data.curve, *(one.curve for one in data.ghosts)):
            for mode in (curve.cross, curve.isolated):
                ends += [float(mode.equity.min()), float(mode.equity.max())]
                ends += [one for e in mode.events for one in (e.equity_before, e.equity_after)]
        if self.show_untouched:
            ends += [float(data.curve.cross.untouched.min())]
            ends += [float(data.curve.cross.untouched.max())]
        low, high = min(ends), max(ends)
        if high - low <= 0:
            high = low + 1.0
        # Room above the curve for the words of the regions, and below for the handle.
        room = high - low
        low = low - 0.06 * room if low < 0 else low
        self._frame(*nice_range(low, high + 0.04 * room))

    def _draw_curves(self, curve: Curve) -> None:
        chosen = self.selection.mode
        for line, series in (
            (self.cross_line, curve.cross),
            (self.isolated_line, curve.isolated),
        ):
            x, y = with_gaps(curve, series, series.equity)
            assign(
                line,
                x=x,
                y=y,
                stroke_width=CHOSEN_WIDTH if chosen == series.mode else WIDTH,
                opacities=[FAINT if chosen and chosen != series.mode else 1.0],
            )
        if self.show_configured:
            x, y = with_gaps(curve, curve.configured, curve.configured.equity)
            assign(self.configured_line, x=x, y=y)
        assign(self.configured_line, visible=self.show_configured)

    def _draw_ghosts(self, data: EquityPicture) -> None:
        drawn: list[tuple[str, Floats, Floats]] = []
        places: Mapping[str, list[tuple[float, float]]] = {"cross": [], "isolated": []}
        for one in data.ghosts:
            for series in (one.curve.cross, one.curve.isolated):
                x, y = with_gaps(one.curve, series, series.equity)
                drawn.append((GHOST_LINES[series.mode], x, y))
                places[series.mode].extend((e.x, e.equity_before) for e in series.events)
        if self.show_untouched:
            drawn.append((UNTOUCHED, data.curve.x, data.curve.cross.untouched))
        if drawn:
            rest = (self._range[0], float(self._y.min))
            xs, ys = rows([(x.tolist(), y.tolist()) for _, x, y in drawn], rest)
            assign(self.ghost_lines, colors=[color for color, _, _ in drawn], x=xs, y=ys)
        assign(self.ghost_lines, visible=bool(drawn))
        for mode, mark in self.ghost_liquidations.items():
            if places[mode]:
                x, y = np.array(places[mode]).T
                assign(mark, x=x, y=y)
            assign(mark, visible=bool(places[mode]))

    def _draw_stem(self, x: float) -> None:
        bottom, top = float(self._y.min), float(self._y.max)
        assign(self.stem, x=np.array([x, x]), y=np.array([bottom, top]))
        if not self._dragging:
            assign(self.handle, visible=self._range[0] <= x <= self._range[1])
            self._pin(self.handle, np.array([x]), np.array([bottom]))

    def _entries(self) -> dict[str, float]:
        """Entry prices on the axis by position."""
        low, high = self._range
        held = [one for one in self.account.positions if one.symbol == self.symbol]
        return {one.key: one.entry_price for one in held if low <= one.entry_price <= high}

    def _draw_entries(self) -> None:
        entries = self._entries()
        self._entry_keys = list(entries)
        assign(self.entries, visible=bool(entries))
        if entries and not self._dragging:
            top = np.full(len(entries), float(self._y.max))
            self._pin(self.entries, np.array(list(entries.values())), top)

    def _draw_markers(self) -> None:
        assign(self.liquidations, visible=bool(self._markers))
        if self._markers:
            assign(self.liquidations, colors=[marker.color for marker in self._markers])
            self._pin(self.liquidations, *_places(self._markers))

    def _show_trials(self, markers: list[Marker] | None, faded: Marker | None = None) -> None:
        """Put other LIQ markers over our own, which fade; None for the end of a drag."""
        if markers:
            x, y = _places(markers)
            assign(self.trials, colors=[marker.color for marker in markers], x=x, y=y)
        assign(self.trials, visible=bool(markers))
        seen = [0.35 if marker is faded else 0.0 for marker in self._markers]
        assign(self.liquidations, opacities=np.array(seen if markers is not None else [1.0]))


def _places(markers: list[Marker]) -> tuple[Floats, Floats]:
    x = np.array([marker.event.x for marker in markers])
    return x, np.array([marker.event.equity_before for marker in markers])
