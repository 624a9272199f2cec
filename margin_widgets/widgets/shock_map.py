"""Heat map of two shocks: which mode is ahead, and by how much, after liquidations on the way."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from traitlets import Float, Instance, Int, TraitError, validate

from margin_widgets.account.chart_svg import round_ticks, ticks
from margin_widgets.account.figures import KeyFigure, figure_of, figure_of_mark
from margin_widgets.account.formatting import percent, plain
from margin_widgets.account.likely_moves import LikelyMoves
from margin_widgets.account.shock_map import ShockGrid, border, dotted, edges, hatched, shock_map
from margin_widgets.widgets.data_twin import OWN_KEYS
from margin_widgets.widgets.drawing import ColorScale, GridHeatMap
from margin_widgets.widgets.frontier_plot import PairOfMarks
from margin_widgets.widgets.picture import MARGIN, choice, slider
from margin_widgets.widgets.plotting import HANDLE, assign, ended, move, side_by_side, tick_style
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account

# What is between white and a colour cannot be a variable: the style sheet turns it in the dark.
AHEAD = {"isolated": "#D55E00", "equal": "#FFFFFF", "cross": "#0072B2"}
STROKE = "var(--mw-ink, #1B1F24)"
PRINTED_AT_MOST = 20
SIZES = {"13": "13 × 13", "41": "41 × 41"}
REACHES = {"0.15": "±15 %", "0.3": "±30 %", "0.6": "±60 %"}


class ShockMap(PairOfMarks):
    """Cross minus isolated equity after shocks of two marks; a click sets both marks.

    Blue cells: cross ahead; orange: isolated ahead. Strokes that rise to the right mark cells in
    which cross was liquidated on the way, falling ones those of an isolated position. With at most
    20 x 20 cells their values are printed.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; the symbol of ``selection.key`` is across.
    second : str
        The symbol that goes up; by default that of the largest position in another.
    points : int
        Cells along each axis, 5 to 61.
    reach : float
        Largest shock, above 0 and below 1.
    likely : LikelyMoves, optional
        Which moves are to be expected; cells far from that are dotted.
    active : bool
        Whether it follows edits.

    Attributes
    ----------
    cells : bqplot.GridHeatMap
        ``color`` is cross minus isolated equity, rows are shocks of the second symbol.
    cross_hatch, isolated_hatch : bqplot.Lines
        Strokes through cells in which something of the mode was liquidated.
    border : bqplot.Lines
        Where another mode is ahead, or none any more: the contour at zero.
    dots : bqplot.Lines
        In cells that are hardly ever seen.
    cell : (int, int)
        Column and row that the sliders have chosen.
    data : ShockGrid or None

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = ShockMap(mw.presets.ref2())
    >>> plot.data.difference.shape
    (41, 41)
    >>> plot.close()
    """

    title = "Two shocks"
    kind = "shock"
    empty = "Add positions in two symbols to see both modes after shocks of their marks."
    margin: ClassVar = {**MARGIN, "left": 70}

    points = Int(41, min=5, max=61, help="cells along each axis")
    reach = Float(0.6, help="largest shock")
    likely = Instance(LikelyMoves, allow_none=True, help="which moves are to be expected")

    data: ShockGrid | None

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        second: str = "",
        points: int = 41,
        reach: float = 0.6,
        likely: LikelyMoves | None = None,
        active: bool = True,
    ) -> None:
        self.cell: tuple[int, int] | None = None
        self.set_trait("likely", likely)
        self.set_trait("points", points)
        self.set_trait("reach", reach)
        super().__init__(account, selection, second=second, active=active)
        self.observe(self._on_grid, ["points", "reach", "likely"])

    @validate("reach")
    def _check_reach(self, proposal: Any) -> float:
        reach = float(proposal.value)
        if not 0 < reach < 1:
            raise TraitError(f"reach: {reach:g} must be above 0 and below 1")
        return reach

    def _on_grid(self, _change: Any) -> None:
        self.cell = None
        self.update()

    def _marks(self) -> tuple[list[Any], list[Any]]:
        self._color = ColorScale(colors=list(AHEAD.values()), min=-1.0, mid=0.0, max=1.0)
        self.cells = GridHeatMap(
            color=np.zeros((2, 2)),
            row=np.array([0.0, 0.5, 1.0]),
            column=np.array([0.0, 0.5, 1.0]),
            scales={"row": self._y, "column": self._x, "color": self._color},
            stroke="transparent",
            null_color="transparent",
            interactions={},
            font_style={"font-size": "10px", "fill": "#1B1F24"},
        )
        self.cells.on_element_click(self._guard(self._on_click))
        hatch: dict[str, Any] = {"stroke_width": 0.8, "opacities": [0.55]}
        self.cross_hatch = self._lines([STROKE], **hatch)
        self.isolated_hatch = self._lines([STROKE], **hatch)
        self.dots = self._lines([STROKE], stroke_width=2.0, opacities=[0.8])
        self.border = self._lines([STROKE], stroke_width=2.0)
        self.present = self._lines([STROKE], stroke_width=0.8, opacities=[0.4])
        self.cursor = self._lines([HANDLE], stroke_width=2.5, visible=False)
        hatches = [self.cross_hatch, self.isolated_hatch, self.dots]
        return [self.cells, *hatches, self.border, self.present, self.cursor], []

    def _compute(self) -> ShockGrid:
        return shock_map(
            self.account,
            *self._pair(),
            reach=self.reach,
            points=self.points,
            likely=self.likely,
        )

    # -- drawing ------------------------------------------------------------------------------

    def _draw(self, data: ShockGrid) -> None:
        columns, rows = edges(data.x), edges(data.y)
        frame = float(columns[0]), float(columns[-1])
        values, crowded = side_by_side(*frame, move)
        up = float(rows[0]), float(rows[-1])
        self._set_domain(frame, up, ticks(values, move), ticks(round_ticks(*up, 6), move))
        assign(self.x_axis, label=f"shock of {data.first}", tick_style=tick_style(5, crowded))
        assign(self.y_axis, label=f"shock of {data.second}")
        assign(self._color, min=-data.largest, max=data.largest)
        self._put_cells(data, columns, rows)
        corners = self._printed(data)
        nowhere = np.empty(0), np.empty(0)
        for line, (x, y) in (
            (self.cross_hatch, hatched(data.x, data.y, data.cross_closed, 1, corners=corners)),
            (
                self.isolated_hatch,
                hatched(data.x, data.y, data.isolated_closed, -1, corners=corners),
            ),
            (self.dots, nowhere if data.far is None else dotted(data.x, data.y, data.far)),
            (self.border, border(data.x, data.y, data.difference)),
        ):
            assign(line, visible=bool(len(x)))
            if len(x):
                x, y = ended(x, y)
                assign(line, x=x, y=y)
        (left, right), (bottom, top) = frame, up
        assign(
            self.present,
            x=np.array([0.0, 0.0, np.nan, left, right]),
            y=np.array([bottom, top, np.nan, 0.0, 0.0]),
        )
        self._draw_cursor(data)

    def _put_cells(self, data: ShockGrid, columns: Any, rows: Any) -> None:
        with self.cells.hold_sync():
            if self.cells.color.shape != data.difference.shape:
                # Rows and columns are checked against the colours: those go first.
                self.cells.row = self.cells.column = None
            assign(self.cells, color=data.difference)
            assign(self.cells, row=rows, column=columns)
            assign(self.cells, display_format=".2~s" if self._printed(data) else None)

    @staticmethod
    def _printed(data: ShockGrid) -> bool:
        """Whether cells are large enough for their values."""
        return max(len(data.x), len(data.y)) <= PRINTED_AT_MOST

    def _draw_cursor(self, data: ShockGrid) -> None:
        assign(self.cursor, visible=self.cell is not None)
        if self.cell is not None:
            column, row = self.cell
            x, y = edges(data.x)[column : column + 2], edges(data.y)[row : row + 2]
            assign(
                self.cursor,
                x=np.array([x[0], x[1], x[1], x[0], x[0]]),
                y=np.array([y[0], y[0], y[1], y[1], y[0]]),
            )

    def _figures(self, data: ShockGrid) -> Iterator[tuple[str, KeyFigure]]:
        """Where the shocks begin: both marks, the equity, and what each mode has at stake."""
        isolated, cross = self.account.isolated, self.account.cross
        for symbol in (data.first, data.second):
            yield symbol, figure_of_mark(data.books, symbol)
        yield "equity", figure_of(cross, "equity")
        yield "isolated at stake", figure_of(isolated, "worst_loss")
        yield "cross at stake", figure_of(cross, "worst_loss")

    # -- controls -----------------------------------------------------------------------------

    def _controls_html(self, data: ShockGrid | None) -> str:
        if data is None:
            return ""
        column, row = self.cell or (_nearest(data.x), _nearest(data.y))
        sliders = "".join(
            slider(symbol, action, place, 0, len(shocks) - 1, 1, move(float(shocks[place])))
            for symbol, action, place, shocks in (
                (data.first, "shock-first", column, data.x),
                (data.second, "shock-second", row, data.y),
            )
        )
        shocks = float(data.x[column]), float(data.y[row])
        off = self.cell is None or shocks == (0.0, 0.0)
        apply = (
            f'<button class="mw-button" data-action="apply" data-key="apply"{OWN_KEYS}'
            f' aria-disabled="{str(off).lower()}" title="Set the marks to what the sliders say">'
            "Set both marks</button>"
        )
        told = (
            f'<p class="mw-note-line" role="status">{escape(data.cell_text(*shocks))}</p>'
            if self.cell
            else ""
        )
        sizes = dict(SIZES) | {str(self.points): SIZES.get(str(self.points), f"{self.points}²")}
        reaches = dict(REACHES)
        reaches.setdefault(f"{self.reach:g}", f"±{percent(self.reach, 0)}")
        grids = choice("Cells", "points", list(sizes.items()), str(self.points))
        spans = choice("Shocks up to", "reach", list(reaches.items()), f"{self.reach:g}")
        return (
            f"{self._pair_controls(data.first, data.second)}"
            f'<div class="mw-row">{grids}{spans}</div>'
            f'<div class="mw-row">{sliders}{apply}</div>{told}{_legend(data)}'
        )

    def _act(self, action: str, value: str) -> None:
        data = self.data
        if self._choose(action, value) or data is None:
            return
        if action == "points":
            self.points = int(value)
        elif action == "reach":
            self.reach = float(value)
        elif action in ("shock-first", "shock-second"):
            column, row = self.cell or (_nearest(data.x), _nearest(data.y))
            first = action == "shock-first"
            place = min(max(int(float(value)), 0), (len(data.x) if first else len(data.y)) - 1)
            self.cell = (place, row) if first else (column, place)
            self._draw_cursor(data)
            assign(self._controls, html=self._controls_html(data))
        elif action == "apply" and self.cell is not None:
            self._set_cell(*self.cell)

    def _on_click(self, content: Any) -> None:
        """Set both marks to those of the cell under the pointer."""
        data, told = self.data, content.get("data") or {}
        if data is None or told.get("column") is None:
            return
        # The browser tells the edges at which a cell begins.
        column = int(np.argmin(np.abs(edges(data.x)[:-1] - float(told["column"]))))
        row = int(np.argmin(np.abs(edges(data.y)[:-1] - float(told["row"]))))
        self.message = ""
        self._set_cell(column, row)

    def _set_cell(self, column: int, row: int) -> None:
        data = self.data
        assert data is not None
        shocks = float(data.x[column]), float(data.y[row])
        first, second = (_round(mark) for mark in data.marks(*shocks))
        x = first if shocks[0] else self.account.mark(data.first)
        y = second if shocks[1] else self.account.mark(data.second)
        self.cell = None
        self._set_marks(data.first, x, data.second, y)


def _nearest(shocks: Any) -> int:
    """Place of the shock that is none, or nearly."""
    return int(np.argmin(np.abs(shocks)))


def _round(mark: float) -> float:
    """A mark without the digits that only a product has."""
    return float(f"{mark:.10g}")


def _legend(data: ShockGrid) -> str:
    """What colours and strokes mean."""
    most = plain(float(f"{data.largest:.3g}"))
    ramp = ", ".join(AHEAD.values())
    return (
        '<div class="mw-row mw-legend">'
        f'<span class="mw-key"><span>isolated ahead {escape(most)}</span>'
        f'<i class="mw-ramp" style="background:linear-gradient(to right,{ramp})"></i>'
        f"<span>cross ahead {escape(most)} {escape(data.currency)}</span></span>"
        '<span class="mw-key"><i class="mw-stroke mw-rising"></i>cross liquidated</span>'
        '<span class="mw-key"><i class="mw-stroke mw-falling"></i>isolated liquidated</span>'
        "<span>heavy line: the leader changes</span></div>"
    )
