"""Two marks at once: where which mode liquidates what, and the present between its frontiers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import Enum, Instance, TraitError, TraitType, Unicode, default, validate

from margin_widgets.account.chart_svg import round_ticks, ticks
from margin_widgets.account.figures import KeyFigure, figure_of, figure_of_mark
from margin_widgets.account.frontier import (
    Frontier,
    Range,
    frontier,
    pair_of,
    symbols_that_matter,
    waypoints_of,
)
from margin_widgets.account.likely_moves import LikelyMoves
from margin_widgets.widgets.data_twin import OWN_KEYS
from margin_widgets.widgets.drawing import Axis
from margin_widgets.widgets.parsing import parse_number
from margin_widgets.widgets.picture import MARGIN, Picture, choice, field, slider
from margin_widgets.widgets.plotting import (
    CROSS,
    FRAMES,
    ISOLATED,
    STEM,
    TEXT,
    LabelPlacer,
    Placed,
    assign,
    move,
    nice_step,
    put_ticks,
    rows,
    short,
    side_by_side,
    text_px,
    tick_style,
)
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account

DRAGS = {"marks": "Drag the marks", "path": "Draw a path"}
ELLIPSE = "var(--mw-guide-trigger, #4D4D4D)"
AREAS = {
    "isolated": "var(--mw-guide-isolated-dead, transparent)",
    "cross": "var(--mw-guide-cross-dead, transparent)",
}


class PairOfMarks(Picture):
    """A picture of two symbols: the selected position's, and another one.

    Attributes
    ----------
    second : str
        The other symbol; empty for that of the largest position in another.
    """

    second = Unicode("", help="the other symbol; empty for that of the largest other position")

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        second: str = "",
        active: bool = True,
    ) -> None:
        self.set_trait("second", second)
        super().__init__(account, selection, active=active)
        self.observe(self._on_second, "second")

    def _on_second(self, _change: Any) -> None:
        self.message = ""
        self.update()

    def _pair(self) -> tuple[str, str]:
        """Symbols across and up."""
        books = self.account.books
        usable = symbols_that_matter(books)
        first = None
        if self.key:
            place = books.places[self.key]
            symbol = books.symbols[int(books.book.index[place])]
            first = symbol if symbol in usable else None
        second = self.second if self.second in usable and self.second != first else None
        return pair_of(books, first, second)

    def _computed(self) -> tuple[Any, str]:
        # Whoever has one mark only has done nothing wrong: no refusal, but what to do.
        if len(symbols_that_matter(self.account.books)) < 2:
            return None, self.empty
        return super()._computed()

    def _pair_controls(self, first: str, second: str) -> str:
        """What is across and what is up."""
        usable = symbols_that_matter(self.account.books)
        if len(usable) < 3:
            return ""
        across = [(one, one) for one in usable if self._position_on(one)]
        up = [(one, one) for one in usable if one != first]
        return (
            '<div class="mw-row">'
            + _select("Across", "first", across, first)
            + _select("Up", "second", up, second)
            + "</div>"
        )

    def _figures(self, data: Any) -> Iterator[tuple[str, KeyFigure]]:
        """Both marks, and the liquidation price of the first position on each."""
        for symbol in (data.first, data.second):
            yield symbol, figure_of_mark(data.books, symbol)
        for key in filter(None, map(self._position_on, (data.first, data.second))):
            for report in (self.account.isolated, self.account.cross):
                yield f"{report.mode} {key}", figure_of(report, "liquidation_price", key)

    def _position_on(self, symbol: str) -> str:
        """Key of the first position that the mark of a symbol moves, "" if none."""
        books = self.account.books
        place = books.symbols.index(symbol)
        held = np.flatnonzero(books.book.index == place)
        return books.keys[int(held[0])] if len(held) else ""

    def _choose(self, action: str, value: str) -> bool:
        """Take a choice of a symbol; False if it was none."""
        if action == "second":
            self.second = value
        elif action == "first":
            before = self._pair()
            # What was across goes up, if the two are exchanged.
            if value == before[1]:
                self.set_trait("second", before[0])
            self.selection.key = self._position_on(value)
        else:
            return False
        return True

    def _set_marks(self, first: str, x: float, second: str, y: float) -> None:
        """Set both marks as one edit."""
        with self.account.edit():
            if x != self.account.mark(first):
                self.account.marks[first] = x
            if y != self.account.mark(second):
                self.account.marks[second] = y


def _select(label: str, action: str, options: list[tuple[str, str]], chosen: str) -> str:
    """A list, however few it holds: two radio groups side by side would not say which is which."""
    padded = options if len(options) > 4 else [*options, *[("", "")] * 5]
    html = choice(label, action, padded, chosen)
    return html.replace('<option value=""></option>', "")


class FrontierPlot(PairOfMarks):
    """Marks of two symbols: regions in which isolated positions or the cross pool are liquidated.

    Drag the round handle to set both marks. While dragging the caption says what would be
    liquidated there; on release it makes one edit, which ``account.undo()`` takes back.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; the symbol of ``selection.key`` is across.
    second : str
        The symbol that goes up; by default that of the largest position in another.
    path : sequence of (float, float), or table
        Waypoints of both marks, or a table with a column named like each symbol; the caption says
        what is liquidated on the way. It is cleared when one of the symbols becomes another.
    likely : LikelyMoves, optional
        Which moves are to be expected: an ellipse around the present marks holds 95 % of them.
    active : bool
        Whether it follows edits.

    Attributes
    ----------
    drags : {"marks", "path"}
        Whether a drag sets both marks, or adds a waypoint.
    cross_line, isolated_line : bqplot.Lines
        Marks at which pools reach their trigger; NaN separates pools.
    path_line, ellipse : bqplot.Lines
    waypoints, falls : bqplot.Scatter
        Ends of the legs of the path, and where on it pools are liquidated.
    areas : bqplot.Lines
        What lies beyond them, isolated and cross.
    handle : bqplot.Scatter
        The present marks.
    data : Frontier or None

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = FrontierPlot(mw.presets.ref2())
    >>> plot.caption[:67]
    'BTCUSDT at 100,000.00 and ETHUSDT at 4,000.00: nothing liquidated. '
    >>> plot.close()
    """

    title = "Liquidation by two marks"
    kind = "frontier"
    empty = "Add positions in two symbols to see how one moves the liquidation price of the other."
    margin = {**MARGIN, "right": 58, "top": 30}  # noqa: RUF012 - read only, as in the base

    path: Any = TraitType(help="waypoints of both marks")
    likely = Instance(LikelyMoves, allow_none=True, help="which moves are to be expected")
    drags = Enum(list(DRAGS), "marks", help="what a drag of the handle does")

    data: Frontier | None

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        second: str = "",
        path: Any = (),
        likely: LikelyMoves | None = None,
        active: bool = True,
    ) -> None:
        self.account = account
        self.selection = selection = Selection() if selection is None else selection
        self.set_trait("second", second)
        self._path_of: tuple[str, str] | None = None
        self._dropping = False
        self.set_trait("path", path)
        self.set_trait("likely", likely)
        self._frame: tuple[str, str, Range, Range] = ("", "", (0.0, 1.0), (0.0, 1.0))
        super().__init__(account, selection, second=second, active=active)
        self.observe(self._on_second, ["path", "likely", "drags"])

    @default("path")
    def _no_path(self) -> list[tuple[float, float]]:
        return []

    @validate("path")
    def _check_path(self, proposal: Any) -> list[tuple[float, float]]:
        pair = self._pair_or_none()
        found = list(waypoints_of(proposal.value, pair))
        self._path_of = pair
        return found

    def _pair_or_none(self) -> tuple[str, str] | None:
        try:
            return self._pair()
        except TraitError:
            return None  # there are no two symbols

    def _on_second(self, change: Any) -> None:
        if not self._dropping:
            super()._on_second(change)

    def update(self) -> None:
        """Draw the account as it is now, without a path whose waypoints are marks of others."""
        pair = self._pair_or_none()
        if self.path and pair is not None and self._path_of != pair:
            if self._path_of is None:
                self._path_of = pair
            else:
                self._dropping = True
                try:
                    self.path = []
                finally:
                    self._dropping = False
        super().update()

    def _marks(self) -> tuple[list[Any], list[Any]]:
        self.areas = self._lines(
            list(AREAS.values()),
            fill="inside",
            fill_colors=[ISOLATED, CROSS],
            fill_opacities=[0.1, 0.1],
        )
        self.stem = self._lines([STEM], stroke_width=1.0)
        self.cross_line = self._lines([CROSS], stroke_width=2.4)
        self.isolated_line = self._lines([ISOLATED], stroke_width=2.0, line_style="dashed")
        self.ellipse = self._lines([ELLIPSE], stroke_width=1.4, visible=False)
        self.path_line = self._lines([TEXT], stroke_width=1.4, visible=False)
        self.waypoints = self._points(
            marker="circle", default_size=26, stroke_width=0.0, colors=[TEXT], visible=False
        )
        self.falls = self._points(marker="cross", default_size=60, stroke_width=0.0, visible=False)
        self.handle = self._handle()
        self.y_axis.label_offset = "54px"
        lines = [self.areas, self.stem, self.isolated_line, self.cross_line]
        return [*lines, self.ellipse, self.path_line, self.waypoints, self.falls], [self.handle]

    def _axes(self) -> list[Axis]:
        aside: dict[str, Any] = {"grid_lines": "none"}
        self.x_moves = Axis(scale=self._x, side="top", **aside)
        self.y_moves = Axis(scale=self._y, side="right", **aside)
        return [self.x_axis, self.y_axis, self.x_moves, self.y_moves]

    def _compute(self) -> Frontier:
        pair = self._pair()
        more: dict[str, Any] = {"path": self.path, "likely": self.likely}
        fresh = frontier(self.account, *pair, **more)
        known = self._frame
        if pair == known[:2] and _fits(fresh, known[2], known[3]):
            fresh = frontier(self.account, *pair, x_range=known[2], y_range=known[3], **more)
        self._frame = (*pair, fresh.x_range, fresh.y_range)
        return fresh

    # -- drawing ------------------------------------------------------------------------------

    def _draw(self, data: Frontier) -> None:
        x_values, crowded = side_by_side(*data.x_range, short)
        self._set_domain(
            data.x_range,
            data.y_range,
            ticks(x_values, short),
            ticks(round_ticks(*data.y_range, 6), short),
        )
        assign(self.x_axis, label=f"mark price of {data.first}", tick_style=tick_style(5, crowded))
        assign(self.y_axis, label=f"mark price of {data.second}")
        self._put_moves(data)
        for mark, mode in ((self.cross_line, "cross"), (self.isolated_line, "isolated")):
            lines = [line for line in data.boundaries if line.mode == mode]
            assign(mark, visible=bool(lines))
            if lines:
                gap = np.array([np.nan])
                x = np.concatenate([part for one in lines for part in (one.x, gap)])[:-1]
                y = np.concatenate([part for one in lines for part in (one.y, gap)])[:-1]
                assign(mark, x=x, y=y)
        series: dict[str, tuple[list[float], list[float]]] = {mode: ([], []) for mode in AREAS}
        for area in data.areas:
            series[area.mode][0].extend([*area.x.tolist(), math.nan])
            series[area.mode][1].extend([*area.y.tolist(), math.nan])
        corner = (data.x_range[0], data.y_range[0])
        xs, ys = rows([series[mode] for mode in AREAS], corner)
        assign(self.areas, x=xs, y=ys)
        self._draw_cross_hair(data, data.x, data.y)
        self._draw_path(data)
        at = data.path[-1] if self.drags == "path" and data.path else (data.x, data.y)
        self._pin(self.handle, np.array([at[0]]), np.array([at[1]]))
        self._put_labels(self._labels(data))

    def _draw_path(self, data: Frontier) -> None:
        """The path with what falls on it, and what is likely."""
        ellipse, trail, events = data.ellipse, data.trail, data.events
        if ellipse is not None:
            assign(self.ellipse, x=ellipse[0], y=ellipse[1])
        assign(self.ellipse, visible=ellipse is not None)
        if data.path:
            assign(self.path_line, x=trail[0], y=trail[1])
            assign(self.waypoints, x=trail[0][1:], y=trail[1][1:])
        if events:
            colors = {"cross": CROSS, "isolated": ISOLATED}
            assign(
                self.falls,
                x=np.array([one.x for one in events]),
                y=np.array([one.y for one in events]),
                colors=[colors[one.mode] for one in events],
            )
        for mark, shown in (
            (self.path_line, bool(data.path)),
            (self.waypoints, bool(data.path)),
            (self.falls, bool(events)),
        ):
            assign(mark, visible=shown)

    def _put_moves(self, data: Frontier) -> None:
        """Say beside the frame how far from the present marks a price is."""
        for axis, mark, (low, high) in (
            (self.x_moves, data.x, data.x_range),
            (self.y_moves, data.y, data.y_range),
        ):
            if axis is self.x_moves:
                moves, crowded = side_by_side(low / mark - 1, high / mark - 1, move)
                assign(axis, tick_style=tick_style(0, crowded))
            else:
                moves = round_ticks(low / mark - 1, high / mark - 1, 6)
            put_ticks(axis, {float(f"{mark * (1 + m):.12g}"): move(m) for m in moves})

    def _draw_cross_hair(self, data: Frontier, x: float, y: float) -> None:
        (left, right), (bottom, top) = data.x_range, data.y_range
        assign(
            self.stem,
            x=np.array([x, x, np.nan, left, right]),
            y=np.array([bottom, top, np.nan, y, y]),
        )

    def _labels(self, data: Frontier) -> list[Placed]:
        placed = []
        lines = [(line.x, line.y) for line in data.boundaries]
        lines += [data.trail] if data.path else []
        across = data.x_range[1] - data.x_range[0]
        for width, (narrowest, _) in FRAMES.items():
            placer = self._placer(width, lines)
            placer.take(data.x, data.y, 18.0)
            for event in data.events:
                placer.take(event.x, event.y)
            frame = narrowest - sum(self.margin[side] - MARGIN[side] for side in ("left", "right"))
            for region, words in data.labels(placer.fits):
                # A label grows to one side of its anchor: begin half of it to the left.
                half = (text_px(words) / 2 + LabelPlacer.GAP) / frame * across
                tone = region.tone
                placer.place(region.x - half, region.y, words, tone, reach=2, at_most=60.0)
            placed += placer.placed
        return placed

    # -- controls -----------------------------------------------------------------------------

    def _controls_html(self, data: Frontier | None) -> str:
        if data is None:
            return ""
        sliders = "".join(
            slider(
                symbol,
                action,
                value,
                *bounds,
                nice_step(bounds[1] - bounds[0], 200),
                data.price(symbol, value),
            )
            for symbol, action, value, bounds in (
                (data.first, "mark-first", data.x, data.x_range),
                (data.second, "mark-second", data.y, data.y_range),
            )
        )
        pair = self._pair_controls(data.first, data.second)
        drags = choice("A drag", "drags", list(DRAGS.items()), self.drags)
        added = field("Waypoint", "waypoint", "", width=17)
        clear = (
            f'<button class="mw-button" data-action="clear" data-key="clear"{OWN_KEYS}'
            f' aria-disabled="{str(not self.path).lower()}">Clear the path</button>'
        )
        return (
            f'{pair}<div class="mw-row">{sliders}</div>'
            f'<div class="mw-row">{drags}{added}{clear}</div>'
        )

    def _act(self, action: str, value: str) -> None:
        if self._choose(action, value) or self.data is None:
            return
        if action in ("mark-first", "mark-second"):
            symbol = self.data.first if action == "mark-first" else self.data.second
            self.account.marks[symbol] = parse_number(f"{symbol} mark", value)
        elif action == "drags":
            self.drags = value
        elif action == "clear":
            self.path = []
        elif action == "waypoint":
            self._add(*_two_marks(value, self.data.first, self.data.second))

    def _add(self, x: float, y: float) -> None:
        """Add a waypoint to the end of the path."""
        self.path = [*self.path, (x, y)]

    # -- dragging -----------------------------------------------------------------------------

    def _held(self, point: Any) -> tuple[float, float, str]:
        data = self.data
        assert data is not None
        found, held = [], False
        for name, (low, high) in (("x", data.x_range), ("y", data.y_range)):
            wanted, inset = float(point[name]), 0.005 * (high - low)
            digits = math.floor(math.log10((high - low) / 1000))
            inside = round(min(max(wanted, low + inset), high - inset), -digits)
            found.append(float(f"{inside:.12g}"))
            held |= not low <= wanted <= high
        return found[0], found[1], "held at the edge of the picture" if held else ""

    def _show_preview(self, x: float, y: float) -> None:
        data = self.data
        if self._closed or data is None or not self._dragging:
            return
        self._draw_cross_hair(data, x, y)
        price = data.cross_price(y)
        conditional = (
            f" The cross liquidation price of {data.first} is then"
            f" {data.price(data.first, price[0])}."
            if price
            else ""
        )
        self.caption = (
            f"{data.first} at {data.price(data.first, x)} and {data.second} at"
            f" {data.price(data.second, y)}: {data.at(x, y)}.{conditional}"
            f" Release to {'add a waypoint' if self.drags == 'path' else 'apply'},"
            " Escape to leave it."
        )

    def _end_preview(self) -> None:
        """Nothing but caption and cross-hair shows a drag; both are drawn anew."""

    def _release(self, x: float, y: float) -> None:
        data = self.data
        if data is None:
            return
        if self.drags == "path":
            self._add(x, y)
            return
        # A hand that only meant one direction leaves the other mark as it is.
        across, up = (high - low for low, high in (data.x_range, data.y_range))
        x = data.x if abs(x - data.x) < 0.002 * across else x
        y = data.y if abs(y - data.y) < 0.002 * up else y
        self._set_marks(data.first, x, data.second, y)


def _fits(fresh: Frontier, x_range: Range, y_range: Range) -> bool:
    """Whether a frame still shows the present well inside, and about as much as a new one would."""
    for value, (low, high), (new_low, new_high), trail in (
        (fresh.x, x_range, fresh.x_range, fresh.trail[0]),
        (fresh.y, y_range, fresh.y_range, fresh.trail[1]),
    ):
        if fresh.path and not low <= trail.min() <= trail.max() <= high:
            return False
        inset = 0.02 * (high - low)
        if not low + inset <= value <= high - inset:
            return False
        if not 1 / 3 <= (high - low) / (new_high - new_low) <= 3:
            return False
    return True


def _two_marks(text: str, first: str, second: str) -> tuple[float, float]:
    """Two numbers with a space, a semicolon or a slash between them."""
    parts = [part for part in re.split(r"[;/\s]+", text.strip()) if part]
    if len(parts) != 2:
        raise ValueError(f"waypoint: give marks of {first} and {second}, like 90,000 3,600")
    x, y = (
        parse_number(f"waypoint, {symbol}", part)
        for symbol, part in zip((first, second), parts, strict=True)
    )
    return x, y


__all__ = ["FrontierPlot", "PairOfMarks"]
