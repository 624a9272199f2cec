"""Equity against price in both modes: the picture that tells isolated from cross."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from bqplot import Scatter
from traitlets import Bool

from margin_widgets.account import solve
from margin_widgets.account.formatting import amount, percent, plain, price
from margin_widgets.account.lead import Region, lead_regions
from margin_widgets.engine.piecewise import evaluate
from margin_widgets.widgets.editing import REFUSALS, guarded, reason
from margin_widgets.widgets.plotting import (
    CLEAR,
    CONFIGURED,
    CROSS,
    FRAMES,
    HANDLE,
    ISOLATED,
    STEM,
    SURFACE,
    Floats,
    LabelPlacer,
    Placed,
    Plot,
    Throttle,
    assign,
    nice_range,
    rows,
    with_gaps,
)
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account, Curve, LiquidationEvent

Series = tuple[list[float], list[float]]

LABELS_AT_MOST = 8
IN_THE_WAY = 60.0
OVER_ANOTHER = 290.0
# Markers nearer to each other than this many pixels, across and down, share a label.
TOGETHER_PX = (5.0, 22.0)
JUMP_PX = 16.0
BEYOND = "a liquidation at or beyond the present mark would close the position at once"
BELOW_ZERO = (
    "below zero: paid by the insurance fund or others",
    "below zero: paid by others",
    "below zero",
)
WORDS = {
    0: ("equal until something is liquidated", "equal"),
    1: ("cross ahead",),
    -1: ("isolated ahead",),
}
# One mark holds all guides, one row each, so that they travel in one message. The style sheet
# finds a row by the name of its variable and gives it its dash.
GUIDES = {
    "cross ahead": "var(--mw-guide-cross-ahead, transparent)",
    "isolated ahead": "var(--mw-guide-isolated-ahead, transparent)",
    "below zero": "var(--mw-guide-below-zero, transparent)",
    "zero": "var(--mw-guide-zero, #5F6368)",
    "entry": "var(--mw-guide-entry, #80868B)",
    "floor": "var(--mw-guide-floor, #80868B)",
    "maintenance": "var(--mw-guide-maintenance, #4D4D4D)",
    "jump": "var(--mw-guide-jump, #80868B)",
    "bankruptcy cross": "var(--mw-guide-bankruptcy-cross, #0072B2)",
    "bankruptcy isolated": "var(--mw-guide-bankruptcy-isolated, #B84300)",
}


@dataclass(frozen=True)
class Marker:
    """A LIQ marker on display: the mode's name, its colour, and the liquidation."""

    mode: str
    color: str
    event: LiquidationEvent


class EquityPlot(Plot):
    """Account equity against price in both modes, with handles that edit the account.

    Drag the round handle to move the mark (in the view of all marks: all of them by one factor);
    drag an isolated LIQ marker to assign the margin that liquidates there; drag the cross LIQ
    marker to change the wallet so that cross liquidates there. While dragging the plot previews,
    on release it makes one edit, which ``account.undo()`` takes back.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; ``selection.view`` is what the x axis is.

    Attributes
    ----------
    cross_line, isolated_line, configured_line : bqplot.Lines
        Equity; NaN separates both sides of a liquidation.
    liquidations : bqplot.Scatter
        LIQ markers of both modes at (trigger, equity before).
    trials : bqplot.Scatter
        While a LIQ marker is dragged: where all of them would be.
    handle : bqplot.Scatter
        The handle of the mark.
    show_configured : bool
        Whether the account as configured is drawn too.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = EquityPlot(mw.presets.ref2())
    >>> plot.view
    'all'
    >>> plot.close()
    """

    show_configured = Bool(False, help="draw the account as configured too")

    def __init__(self, account: Account, selection: Selection | None = None) -> None:
        self._markers: list[Marker] = []
        self._dragged: Marker | None = None
        self._dragging = False
        self._pinned: dict[Scatter, Floats] = {}
        self._preview = Throttle(self._show_preview)
        super().__init__(account, selection, "equity")
        self.observe(self._on_revision, "show_configured")

    # ------------------------------------------------------------ marks

    def _marks(self) -> tuple[list[Any], list[Any]]:
        tints = [CROSS, ISOLATED, STEM] + [CLEAR] * (len(GUIDES) - 3)
        self.guides = self._lines(
            list(GUIDES.values()),
            fill="inside",
            fill_colors=tints,
            fill_opacities=[0.09, 0.09, 0.12] + [0.0] * (len(GUIDES) - 3),
        )
        self.stem = self._lines([STEM], stroke_width=1.2)
        self.configured_line = self._lines([CONFIGURED], line_style="dash_dotted", visible=False)
        self.cross_line = self._lines([CROSS], stroke_width=2.4)
        self.isolated_line = self._lines([ISOLATED], stroke_width=2.4, line_style="dashed")
        cross: dict[str, Any] = {"marker": "cross", "default_size": 90, "stroke_width": 0.0}
        self.liquidations = self._draggable(**cross)
        self.trials = Scatter(
            x=[0.0], y=[0.0], scales=self.scales, visible=False, interactions={}, **cross
        )
        self.handle = self._draggable(
            marker="circle", default_size=110, stroke_width=2.0, stroke=HANDLE, apply_clip=False
        )
        self.handle.colors = [SURFACE]
        self.liquidations.on_drag_start(self._guard(self._on_marker_start))
        self.liquidations.on_drag(self._guard(self._on_marker_drag))
        self.liquidations.on_drag_end(self._guard(self._on_marker_end))
        self.handle.on_drag_start(self._guard(self._on_handle_start))
        self.handle.on_drag(self._guard(self._on_handle_drag))
        self.handle.on_drag_end(self._guard(self._on_handle_end))
        self.y_axis.label = f"account equity ({self.account.currency})"
        lines = [self.guides, self.stem, self.configured_line, self.cross_line, self.isolated_line]
        return lines, [self.trials, self.liquidations, self.handle]

    def _guard(self, handler: Callable[[Any], None]) -> Callable[[Any, Any], None]:
        receive = guarded(handler, self._tell)
        return lambda mark, content: receive(mark, content, None)

    def _draggable(self, **traits: Any) -> Scatter:
        mark = Scatter(
            x=[0.0],
            y=[0.0],
            scales=self.scales,
            enable_move=True,
            restrict_x=True,
            interactions={},
            **traits,
        )
        mark.observe(self._on_moved_by_browser, "x")
        return mark

    def _pin(self, mark: Scatter, x: Floats, y: Floats) -> None:
        """Put a draggable mark where the account says."""
        self._pinned[mark] = x
        assign(mark, x=x, y=y)

    def _on_moved_by_browser(self, change: Any) -> None:
        # The browser writes x when a drag ends, before or after it says so: ours holds.
        pinned = self._pinned.get(change.owner)
        if not self._dragging and pinned is not None and not np.array_equal(change.new, pinned):
            change.owner.x = pinned

    # ------------------------------------------------------------ drawing

    def _draw(self, curve: Curve) -> None:
        self._preview.cancel()
        self._fit_y(curve)
        self._draw_curves(curve)
        self._draw_stem(curve.mark)
        self._markers = self._draw_around(curve)
        self._draw_markers()
        self.caption = describe(self.account, curve)

    def _draw_around(self, curve: Curve) -> list[Marker]:
        """Guides and labels of a curve; returns its LIQ markers."""
        _, low, high = self._range
        y = float(self._y.min), float(self._y.max)
        regions = lead_regions(curve)
        markers = [
            Marker(mode, color, event)
            for mode, color, series in (
                ("cross", CROSS, curve.cross),
                ("isolated", ISOLATED, curve.isolated),
            )
            for event in series.events
            if low <= event.x <= high
        ]
        self._draw_guides(curve, regions, y)
        self._put_labels(self._labels(curve, regions, markers, (low, high), y))
        return markers

    def _fit_y(self, curve: Curve) -> None:
        jumps = [
            value
            for event in (*curve.cross.events, *curve.isolated.events)
            for value in (event.equity_before, event.equity_after)
        ]
        values = np.concatenate([curve.cross.equity, curve.isolated.equity, jumps])
        low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
        if high - low <= 0:
            high = low + 1.0
        # Room above the curve for the words of the regions, and below for the handle.
        room = high - low
        low = low - 0.06 * room if low < 0 else low
        self._set_domain(*nice_range(low, high + 0.04 * room))

    def _draw_curves(self, curve: Curve) -> None:
        for line, series in (
            (self.cross_line, curve.cross),
            (self.isolated_line, curve.isolated),
        ):
            x, y = with_gaps(curve, series, series.equity)
            assign(line, x=x, y=y)
        if self.show_configured:
            x, y = with_gaps(curve, curve.configured, curve.configured.equity)
            assign(self.configured_line, x=x, y=y)
        assign(self.configured_line, visible=self.show_configured)

    def _draw_stem(self, x: float) -> None:
        bottom, top = float(self._y.min), float(self._y.max)
        assign(self.stem, x=np.array([x, x]), y=np.array([bottom, top]))
        if not self._dragging:
            self._pin(self.handle, np.array([x]), np.array([bottom]))

    def _draw_guides(self, curve: Curve, regions: list[Region], y: tuple[float, float]) -> None:
        bottom, top = y
        x0, x1 = float(self._x.min), float(self._x.max)
        series: dict[str, Series] = {name: ([], []) for name in GUIDES}

        def add(name: str, xs: list[float], ys: list[float]) -> None:
            series[name][0].extend([*xs, math.nan])
            series[name][1].extend([*ys, math.nan])

        for region in regions:
            if region.lead:
                a, b = region.low, region.high
                name = "cross ahead" if region.lead > 0 else "isolated ahead"
                add(name, [a, a, b, b], [max(bottom, 0.0), top, top, max(bottom, 0.0)])
        if bottom < 0:
            add("below zero", [x0, x0, x1, x1], [bottom, 0.0, 0.0, bottom])
        add("zero", [x0, x1], [0.0, 0.0])
        for entry in self._entries():
            add("entry", [entry, entry], [bottom, top])
        add("floor", *_floor(curve))
        add("maintenance", *_maintenance(curve))
        tick = 0.035 * (top - bottom)
        for mode, events in (("cross", curve.cross.events), ("isolated", curve.isolated.events)):
            for event in events:
                add("jump", [event.x, event.x], [event.equity_before, event.equity_after])
                if event.bankruptcy_x is not None:
                    at = event.bankruptcy_x
                    add(f"bankruptcy {mode}", [at, at], [0.0, tick])
        xs, ys = rows([series[name] for name in GUIDES], (x0, bottom))
        assign(self.guides, x=xs, y=ys)

    def _entries(self) -> list[float]:
        if self.symbol is None:
            return []
        return [p.entry_price for p in self.account.positions if p.symbol == self.symbol]

    def _draw_markers(self) -> None:
        assign(self.liquidations, visible=bool(self._markers))
        if self._markers:
            assign(self.liquidations, colors=[marker.color for marker in self._markers])
            self._pin(self.liquidations, *_places(self._markers))

    def _show_trials(self, markers: list[Marker] | None) -> None:
        """Put other LIQ markers over our own, which fade; None for the end of a drag."""
        if markers:
            x, y = _places(markers)
            assign(self.trials, colors=[marker.color for marker in markers], x=x, y=y)
        assign(self.trials, visible=bool(markers))
        faded = [0.35 if marker is self._dragged else 0.0 for marker in self._markers]
        assign(self.liquidations, opacities=np.array(faded if markers is not None else [1.0]))

    def _labels(
        self,
        curve: Curve,
        regions: list[Region],
        markers: list[Marker],
        x: tuple[float, float],
        y: tuple[float, float],
    ) -> list[Placed]:
        lines = [(curve.x, series.equity) for series in (curve.cross, curve.isolated)]
        guides = [(np.array(a), np.array(b)) for a, b in (_maintenance(curve), _floor(curve)) if a]
        top = y[1] - 10 / LabelPlacer.HEIGHT * (y[1] - y[0])
        across, down = x[1] - x[0], (y[1] - y[0]) / LabelPlacer.HEIGHT
        short_of = any(marker.event.pool_equity < 0 for marker in markers)
        placed = []
        for frames, (narrowest, _) in FRAMES.items():
            placer = LabelPlacer(frames, x, y, lines, guides)
            for marker in markers:
                placer.take(marker.event.x, marker.event.equity_before)
            placer.take(curve.mark, y[0], 16.0)
            for region in regions:
                words = WORDS[region.lead]
                share = (region.high - region.low) / across
                fitting = next((word for word in words if placer.fits(word, share)), None)
                if fitting is not None:
                    placer.place(region.low, top, fitting, "word", reach=0)
            near = TOGETHER_PX[0] * across / narrowest, TOGETHER_PX[1] * down
            # Cross comes first: its marker is never without a name.
            for group in _groups(markers, curve.mark, near)[:LABELS_AT_MOST]:
                event, mode = group[0].event, group[0].mode
                who = name(self.account, event)
                if len(group) > 1:
                    who = f"{sum(len(one.event.positions) for one in group)} positions"
                where = "now" if event.x == curve.mark else self._at(event.x)
                placer.place(
                    event.x,
                    event.equity_before,
                    f"LIQ {who} {where}",
                    mode,
                    reach=6 if mode == "cross" else 4,
                    at_most=1e4 if mode == "cross" else OVER_ANOTHER,
                    away_from=curve.mark if event.x != curve.mark else None,
                )
            if y[0] < -LabelPlacer.LINE * down:
                words = BELOW_ZERO if short_of else BELOW_ZERO[-1:]
                word = next((word for word in words if placer.fits(word, 1.0)), "")
                placer.place(x[0], -0.6 * LabelPlacer.LINE * down, word, "word", reach=2)
            for end, value, text, tone in _line_names(curve):
                placer.place(end, value, text, tone, reach=1, at_most=IN_THE_WAY)
            for marker in markers:
                event = marker.event
                change = event.equity_after - event.equity_before
                if abs(change) >= JUMP_PX * down:
                    middle = event.equity_before + change / 2
                    text = _jump(self.account, event)
                    placer.place(event.x, middle, text, marker.mode, reach=1, at_most=IN_THE_WAY)
            placed += placer.placed
        return placed

    def _at(self, x: float) -> str:
        return at(self.account, self.symbol, x)

    # ------------------------------------------------------------ dragging the mark

    def _on_handle_start(self, _content: Any) -> None:
        self._dragging = True
        self.message = ""

    def _on_handle_drag(self, content: Any) -> None:
        if self._dragging:
            self._preview("mark", self._clamped(content["point"]["x"]))

    def _on_handle_end(self, content: Any) -> None:
        x = self._released(content)

        def edit(account: Account) -> None:
            if self.symbol is not None:
                account.marks[self.symbol] = x
            else:
                moved = zip(account.books.symbols, account.books.marks.tolist(), strict=True)
                account.marks = {symbol: mark * (1 + x) for symbol, mark in moved}

        self._commit(edit if x != self.present else None)
        self._say_if_held(content, x)

    def _clamped(self, x: float) -> float:
        """The dragged x inside the frame, on a round value no finer than a pixel."""
        low, high = float(self._x.min), float(self._x.max)
        inset = 0.005 * (high - low)
        digits = math.floor(math.log10((high - low) / 1000))
        x = round(min(max(x, low + inset), high - inset), -digits)
        return float(f"{x:.12g}")

    def _say_if_held(self, content: Any, x: float) -> None:
        """Say so where the pointer had left the frame."""
        if not float(self._x.min) <= content["point"]["x"] <= float(self._x.max):
            held = f"held at the edge of the picture: {self._at(x)}"
            self.message = f"{self.message}; {held}" if self.message else held

    def _released(self, content: Any) -> float:
        self._preview.cancel()
        self._dragging = False
        return self._clamped(content["point"]["x"])

    # ------------------------------------------------------------ dragging a LIQ marker

    def _on_marker_start(self, content: Any) -> None:
        index = content["index"]
        self._dragging = True
        self._dragged = self._markers[index] if index < len(self._markers) else None
        self.message = ""

    def _on_marker_drag(self, content: Any) -> None:
        if self._dragged is not None:
            self._preview("liquidation", self._clamped(content["point"]["x"]))

    def _on_marker_end(self, content: Any) -> None:
        marker, self._dragged = self._dragged, None
        x = self._released(content)
        self._show_trials(None)
        if marker is None:
            self._commit(None)
            return
        edit: Callable[[Account], None] | None = None
        try:
            edit = self._solved(marker, x)
            self._trial(marker, edit)
        except REFUSALS as error:
            edit, self.message = None, reason(error)
        self._commit(edit)
        self._say_if_held(content, x)

    def _solved(self, marker: Marker, x: float) -> Callable[[Account], None]:
        """The edit that puts the marker's liquidation at x; ValueError where none does."""
        account, symbol, present = self.account, self.symbol, self.present
        if x == present or (marker.event.x - present) * (x - present) < 0:
            raise ValueError(BEYOND)
        if marker.mode == "isolated":
            key = marker.event.positions[0]
            target = x if symbol is not None else self._mark_of(key) * (1 + x)
            margin = solve.margin_for_liquidation(account, key, target)

            def assign_margin(edited: Account) -> None:
                edited.positions[key].margin = margin

            return assign_margin
        member = account.positions[marker.event.positions[0]].symbol
        change = (
            solve.wallet_for_shock(account, x, member)
            if symbol is None
            else solve.wallet_for_liquidation(account, symbol, x)
        )
        return lambda edited: solve.apply_wallet_change(edited, change, member)

    def _trial(self, marker: Marker, edit: Callable[[Account], None]) -> tuple[Account, Curve]:
        """The account as edited, and its curve; ValueError if the pool could not stand."""
        account = self.account.copy()
        edit(account)
        curve = self.sweep(account)
        events = curve.cross.events if marker.mode == "cross" else curve.isolated.events
        if any(one.pool == marker.event.pool and one.x == curve.mark for one in events):
            raise ValueError(BEYOND)
        return account, curve

    def _mark_of(self, key: str) -> float:
        return self.account.mark(self.account.positions[key].symbol)

    # ------------------------------------------------------------ preview and commit

    def preview(self, marks: Mapping[str, float]) -> None:
        """Show the curves as they would be at other marks, at most ten times a second.

        Parameters
        ----------
        marks : mapping of symbol to price
            Marks that differ from the account's; empty to show the account again.
        """
        if marks:
            self._preview("marks", dict(marks))
        else:
            self._preview.cancel()
            self.update()

    def _show_preview(self, kind: str, x: Any) -> None:
        if self._closed or self.curve is None:
            return
        if kind == "marks":
            curve = self.sweep(self.account, marks=x)
            self._draw_curves(curve)
            assign(self.stem, x=np.full(2, curve.mark))
            self._markers = self._draw_around(curve)
            self._draw_markers()
            return
        if not self._dragging:
            return
        if kind == "mark":
            self._draw_stem(x)
            self.caption = self._reading(self.curve, x)
            return
        if self._dragged is None:
            return
        try:
            trial, curve = self._trial(self._dragged, self._solved(self._dragged, x))
        except REFUSALS as error:
            self.message = reason(error)
            return
        self.message = ""
        self._draw_curves(curve)
        self._show_trials(self._draw_around(curve))
        self.caption = f"{self._wanted(self._dragged, trial, x)} Release to apply."

    def _reading(self, curve: Curve, x: float) -> str:
        """What both modes hold at x, read off the curve on display."""
        values = (
            f"{mode} {amount(_value_at(curve, series.equity, x))}"
            for mode, series in (("isolated", curve.isolated), ("cross", curve.cross))
        )
        where = "All marks" if self.symbol is None else self.symbol
        return f"{where} at {self._at(x)}: equity " + ", ".join(values) + ". Release to apply."

    def _wanted(self, marker: Marker, trial: Account, x: float) -> str:
        who = name(self.account, marker.event)
        if marker.mode == "isolated":
            key = marker.event.positions[0]
            now = self.account.isolated.positions[key].margin
            then = trial.isolated.positions[key].margin
            return (
                f"Isolated {who} liquidated at {self._at(x)}: assigned margin "
                f"{amount(then)} instead of {amount(now)}."
            )
        change = trial.cross.equity - self.account.cross.equity
        return (
            f"Cross liquidated at {self._at(x)}: wallet {'+' if change > 0 else ''}"
            f"{amount(change)} {self.account.currency}."
        )

    def _commit(self, edit: Callable[[Account], None] | None) -> None:
        """Make the edit, if any, and put everything where the account now says it is."""
        revision = self.account.revision
        try:
            if edit is not None:
                edit(self.account)
        except REFUSALS as error:
            self.message = reason(error)
        if self.account.revision == revision:
            message = self.message
            self.update()
            self.message = message
        # The browser has moved its copy of the marker: state the true place again.
        for mark, x in self._pinned.items():
            if len(x):
                mark.send_state("x")


# ---------------------------------------------------------------- what a curve says


def _places(markers: list[Marker]) -> tuple[Floats, Floats]:
    x = np.array([marker.event.x for marker in markers])
    return x, np.array([marker.event.equity_before for marker in markers])


def _groups(markers: list[Marker], mark: float, near: tuple[float, float]) -> list[list[Marker]]:
    """Markers that share a label: those of cross one by one, then isolated from the mark on."""
    groups = [[marker] for marker in markers if marker.mode == "cross"]
    alone = [marker for marker in markers if marker.mode == "isolated"]
    last: Marker | None = None
    for marker in sorted(alone, key=lambda one: (one.event.x < mark, abs(one.event.x - mark))):
        if (
            last is not None
            and abs(marker.event.x - groups[-1][0].event.x) <= near[0]
            and abs(marker.event.equity_before - last.event.equity_before) <= near[1]
        ):
            groups[-1].append(marker)
        else:
            groups.append([marker])
        last = marker
    # Two names still have room, and say more than a number.
    parts = [part for one in groups for part in ([one] if len(one) > 2 else [[m] for m in one])]
    return sorted(parts, key=lambda one: (one[0].mode, abs(one[0].event.x - mark)))


def _jump(account: Account, event: LiquidationEvent) -> str:
    """What a jump costs or spares the account, and where it goes to or comes from."""
    if event.pool_equity < 0:
        return f"{amount(-event.pool_equity)} paid by others"
    if account.venue.residual == "kept":
        return f"{amount(event.pool_equity)} to the insurance fund"
    return f"fee {amount(event.fee)}"


def _line_names(curve: Curve) -> list[tuple[float, float, str, str]]:
    """x, y, text and tone of the names of the lines, at an end of each."""
    lead = np.abs(curve.cross.equity - curve.isolated.equity)
    end, other = (-1, 0) if lead[-1] > lead[0] else (0, -1)
    x, far = float(curve.x[end]), float(curve.x[other])
    if lead[end] == 0:
        names = [(x, float(curve.cross.equity[end]), "cross and isolated", "word")]
    else:
        names = [
            (x, float(curve.isolated.equity[end]), "isolated", "isolated"),
            (x, float(curve.cross.equity[end]), "cross", "cross"),
        ]
    floor = _floor(curve)[1]
    if floor:
        names.append((far, floor[other], "idle in isolated", "word"))
    maintenance = float(curve.cross.maintenance[other])
    if maintenance > 0:
        names.append((far, maintenance, "maintenance in cross", "word"))
    return names


def _value_at(curve: Curve, values: Floats, x: float) -> float:
    """A series at x, on the side of a jump that lies nearer to the mark."""
    toward = math.nextafter(x, curve.mark)
    return float(np.interp(toward, curve.x, values))


def _maintenance(curve: Curve, points: int = 60) -> Series:
    """Maintenance of the cross pools that stand, thinned to what a thin line needs."""
    x, y = curve.x, np.where(curve.cross.maintenance > 0, curve.cross.maintenance, np.nan)
    keep = np.zeros(len(x), bool)
    keep[:: max(1, len(x) // points)] = True
    keep[-1] = True
    edge = np.flatnonzero(x[1:] == x[:-1])
    keep[edge] = keep[edge + 1] = True
    return x[keep].tolist(), y[keep].tolist()


def _floor(curve: Curve) -> Series:
    """What isolated cannot lose: the balance assigned to no position, which may move with x."""
    track = curve.isolated.series.track
    if not track.idle.any():
        return [], []
    u = curve.isolated.series.u[[0, -1]]
    if track.idle[2]:
        u = np.linspace(u[0], u[1], 60)
    return [curve.x_of(float(one)) for one in u], evaluate(track.idle, u).tolist()


def name(account: Account, event: LiquidationEvent) -> str:
    """What a liquidation closes, in the words of a label: a coin, or the account.

    >>> import margin_widgets as mw
    >>> account = mw.presets.ref2()
    >>> [name(account, event) for event in account.curve(shock=True).isolated.events]
    ['ETH', 'BTC']
    """
    if event.pool not in account.books.keys:
        return "account" if event.pool == "cross" else f"{event.pool.removeprefix('cross ')} pool"
    symbol = account.positions[event.pool].symbol
    bases = [contract.base for contract in account.books.contracts]
    base = bases[account.books.symbols.index(symbol)]
    coin = base if base and bases.count(base) == 1 else symbol
    return coin + event.pool.removeprefix(symbol).replace(":", " ")


def at(account: Account, symbol: str | None, x: float) -> str:
    """A place on the x axis in words."""
    return (
        percent(x, sign=True) if symbol is None else price(x, account.venue.contract(symbol).tick)
    )


def describe(account: Account, curve: Curve) -> str:
    """The caption: what moves, what each mode loses where, and what is assumed."""
    rules = account.venue
    symbol = curve.symbol
    parts = [_moved(account, symbol)]
    events = [("isolated", curve.isolated.events), ("cross", curve.cross.events)]
    if any(found for _, found in events):
        parts.append("; ".join(_fate(account, curve, mode, found) for mode, found in events) + ".")
    elif symbol is not None and _never(account, symbol):
        parts.append(
            "No liquidation price: this position cannot reach maintenance at any positive price."
        )
    else:
        parts.append("No liquidation in this range.")
    fee = rules.closing_fee_in_maintenance
    left = "goes to the insurance fund" if rules.residual == "kept" else "is returned"
    parts.append(
        f"Closing fee in maintenance: {percent(rules.taker_fee, 3) if fee else 'off'} · "
        f"liquidation fee {percent(rules.liquidation_fee, 2)} · "
        f"what is left of a liquidated pool {left} · funding not modelled."
    )
    return " ".join(parts)


def _moved(account: Account, symbol: str | None) -> str:
    if symbol is None:
        return "All marks move by the same factor:"
    others = [other for other in account.books.symbols if other != symbol]
    if not others:
        return f"{symbol} moves:"
    if len(others) > 3:
        return f"{symbol} moves, the other {len(others)} marks stay:"
    held = ", ".join(f"{other} stays at {plain(account.mark(other))}" for other in others)
    return f"{symbol} moves, if {held}:"


def _fate(account: Account, curve: Curve, mode: str, events: tuple[LiquidationEvent, ...]) -> str:
    if not events:
        return f"{mode} is not liquidated in this range"
    few = len(events) <= 2
    losses = [
        f"{name(account, e)} at "
        + (at(account, curve.symbol, e.x) if e.x != curve.mark else "the present marks")
        + (f" ({_left([e])})" if few else "")
        for e in events[:3]
    ]
    if len(events) > 3:
        losses.append(f"{len(events) - 3} more")
    listed = " and ".join([", ".join(losses[:-1]), losses[-1]] if len(losses) > 1 else losses)
    in_all = "" if few else f" (in all {_left(events)})"
    rest = _rest(account, curve, mode, events)
    return f"{mode} loses {'the ' if mode == 'cross' else ''}{listed}{in_all}{rest}"


def _left(events: Sequence[LiquidationEvent]) -> str:
    """What the pools held when they were closed; where the money goes is told once for all."""
    held = sum(event.pool_equity for event in events if event.pool_equity >= 0)
    short_of = sum(-event.pool_equity for event in events if event.pool_equity < 0)
    texts = [f"{amount(held)} left"] if held or not short_of else []
    if short_of:
        texts.append(f"{amount(short_of)} short, paid by others")
    return ", ".join(texts)


def _rest(account: Account, curve: Curve, mode: str, events: tuple[LiquidationEvent, ...]) -> str:
    """What the mode has after the last of its liquidations, and whether that is the end of it."""
    after = events[-1].equity_after
    both_ways = any(e.x < curve.mark for e in events) and any(e.x > curve.mark for e in events)
    if both_ways or (mode == "cross" and abs(after) < 0.005):
        return ""
    open_still = len(account.positions) - sum(len(event.positions) for event in events)
    if open_still:
        count = f"{open_still} position{'s' if open_still > 1 else ''}"
        return f" and has {amount(after)} there with {count} still open"
    if after < 0:
        return f" and owes {amount(-after)} (margin lent beyond the wallet)"
    moves = (curve.isolated if mode == "isolated" else curve.cross).series.track.idle[1:].any()
    return f" and {'has' if moves else 'keeps'} {amount(after)}{' there' if moves else ''}"


def _never(account: Account, symbol: str) -> bool:
    return all(
        position.liquidation_prices == (None, None)
        for report in (account.isolated, account.cross)
        for position in report.positions.values()
        if position.symbol == symbol
    )
