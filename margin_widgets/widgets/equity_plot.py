"""Equity against price in both modes: the picture that tells isolated from cross."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from traitlets import Enum

from margin_widgets.account.curve_words import assumptions
from margin_widgets.account.equity_picture import Reading
from margin_widgets.account.figures import KeyFigure, figure_of
from margin_widgets.widgets.data_twin import OWN_KEYS, data_button, data_table
from margin_widgets.widgets.drawing import BrushIntervalSelector
from margin_widgets.widgets.equity_drags import EquityDrags
from margin_widgets.widgets.equity_guides import GUIDES
from margin_widgets.widgets.lifetime import close_inside
from margin_widgets.widgets.markup import chip
from margin_widgets.widgets.picture import choice
from margin_widgets.widgets.plotting import HANDLE, MARGIN, LabelPlacer, assign
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account
    from margin_widgets.account.curve import ModeCurve
    from margin_widgets.account.svg_file import Theme

__all__ = ["GUIDES", "EquityPlot"]

TOOLS = (("move", "Move"), ("brush", "Brush"), ("zoom", "Zoom"))
HEIGHT = 440
"""Pixels of the picture as a file."""
NARROWEST = 1e-3
"""The least share of the frame that a brush may mean."""
NEAR_PX = 9.0


class EquityPlot(EquityDrags):
    """Account equity against price in both modes, with handles that edit the account.

    Drag the round handle to move the mark (in the view of all marks: all of them by one factor);
    drag an isolated LIQ marker to assign the margin that liquidates there; drag the cross LIQ
    marker to change the wallet so that cross liquidates there; drag the handle at the upper edge
    to change an entry. While dragging the plot previews, on release it makes one edit, which
    ``account.undo()`` takes back; Escape ends a drag without one. A click on a curve selects its
    mode. Brush reads a range as a table, Zoom shows it alone.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; ``selection.view`` is what the x axis is, ``selection.mode`` the
        mode that is emphasised.
    active : bool
        Whether it follows edits.

    Attributes
    ----------
    cross_line, isolated_line, configured_line : bqplot.Lines
        Equity; NaN separates both sides of a liquidation.
    liquidations : bqplot.Scatter
        LIQ markers of both modes at (trigger, equity before).
    trials : bqplot.Scatter
        While a LIQ marker is dragged: where all of them would be.
    handle, entries : bqplot.Scatter
        The handles of the mark, and of the entries on this axis.
    ghosts : dict
        Hypothetical accounts by name, e.g. ``{"preview": other}``: thin lines of their own curves.
    ghost_lines : bqplot.Lines
        One row for each mode of each ghost, cross first.
    tool : {"move", "brush", "zoom"}
        What the mouse does; one at a time.
    reading : Reading or None
        The brushed range in figures.
    show_configured, show_untouched : bool
        Whether the account as configured, and the equity if nobody were liquidated, are drawn too.
    data : EquityPicture or None
        What is drawn, with its sentence and table.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = EquityPlot(mw.presets.ref2())
    >>> plot.view
    'all'
    >>> plot.close()
    """

    tool: Any = Enum([one for one, _ in TOOLS], "move", help="what the mouse does")

    title: ClassVar[str] = "Account equity"
    kind: ClassVar[str] = "equity"
    margin: ClassVar[Mapping[str, int]] = MARGIN

    def __init__(
        self, account: Account, selection: Selection | None = None, *, active: bool = True
    ) -> None:
        self.reading: Reading | None = None
        super().__init__(account, selection, active=active)
        self._brush = BrushIntervalSelector(scale=self._x, color=HANDLE)
        self._brush.observe(self._on_brush, ["selected", "brushing"])
        self.observe(self._on_tool, "tool")
        self.observe(self._on_shown, ["ghosts", "show_configured", "show_untouched"])
        self.follow(self.selection, self._on_mode, "mode")

    # -- drawn ----------------------------------------------------------------------------------

    def update(self) -> None:
        """Draw the account as it is now, or once the picture is active."""
        super().update()
        if self._made and not self._closed and self.active:
            self._read_again()
            self._fill_data()

    def _on_shown(self, _change: Any) -> None:
        self.update()

    def _on_mode(self, _change: Any) -> None:
        if self.data is not None and self.active:
            self._draw_curves(self.data.curve)
        self._fill_data()

    def _on_key(self, _change: Any) -> None:
        """Another position is selected: its places can be typed."""
        self._fill_data()

    def _caption_html(self) -> str:
        """The sentence; what it says of the rules, in chips."""
        told, chips = self.caption, ""
        if self.data is not None:
            told = told.replace(f" {self.data.assumed}", "")
            chips = "".join(chip(one) for one in assumptions(self.data.curve))
            chips = f'<p class="mw-row mw-chips" aria-label="Assumed">{chips}</p>'
        return f'<p class="mw-caption">{escape(told)}</p>{chips}'

    def _figures(self, data: Any) -> Iterator[tuple[str, KeyFigure]]:
        """Equity, and where the account is liquidated along the axis."""
        reports = self.account.isolated, self.account.cross
        yield "equity", figure_of(reports[1], "equity")
        if self.symbol is None:
            for report in reports:
                yield f"{report.mode} liquidation", figure_of(report, "liquidation_shock")
            return
        held = self.account.positions
        for key in [one.key for one in held if one.symbol == self.symbol][:2]:
            for report in reports:
                yield f"{report.mode} {key}", figure_of(report, "liquidation_price", key)

    # -- controls -------------------------------------------------------------------------------

    def _controls_html(self, data: Any) -> str:
        if data is None:
            return ""
        reset = ""
        if self._zoom is not None:
            reset = '<button class="mw-button" data-action="reset" data-key="reset">Reset</button>'
        tools = choice("What the mouse does", "tool", TOOLS, self.tool)
        return (
            f'<div class="mw-row mw-plot-bar">{self._view_switch()}<span class="mw-spacer"></span>'
            f"{reset}{tools}</div>"
        )

    def _fill_data(self) -> None:
        """What stands below the sentence: fields, what was read, and the table."""
        if self.data is None:
            assign(self._data_box, html="")
            return
        told = ""
        if self.tool != "move":
            told = self._range_html() + self._reading_html()
        elif self._typing:
            told = self._typing_html() + self._shown_html()
        typing = ""
        if self.tool == "move":
            typing = _opener("typing", "Type instead of dragging", opened=self._typing)
        buttons = typing + data_button(opened=self._open)
        table = _with_remarks(*self.data.table()) if self._open else ""
        assign(self._data_box, html=f'{told}<div class="mw-row">{buttons}</div>{table}')

    def _shown_html(self) -> str:
        """Which mode is looked at, and what else is drawn."""
        modes = (("", "Both modes"), ("isolated", "Isolated"), ("cross", "Cross"))
        boxes = "".join(
            f'<label class="mw-row"><input type="checkbox" data-action="{trait}"'
            f' data-key="{trait}"{" checked" if getattr(self, trait) else ""}>{words}</label>'
            for trait, words in (
                ("show_untouched", "if nobody liquidated"),
                ("show_configured", "as configured"),
            )
        )
        emphasised = choice("Mode looked at", "mode", modes, self.selection.mode)
        return f'<div class="mw-row">{emphasised}{boxes}</div>'

    def _range_html(self) -> str:
        """The range as two fields: what the brush does, by typing."""
        low, high = self._brushed
        words = "Read from" if self.tool == "brush" else "Show from"
        fields = self._field(words, "low", low) + self._field("to", "high", high)
        hint = "" if self.reading else "Drag across the picture, or type both ends. Escape leaves."
        return f'<div class="mw-row">{fields}<span class="mw-caption">{hint}</span></div>'

    def _reading_html(self) -> str:
        if self.reading is None:
            return ""
        words = f'<p class="mw-caption">{escape(self.reading.text)}</p>'
        return words + _with_remarks(*self.reading.table())

    def _act(self, action: str, value: str) -> None:
        if action == "axis":
            self.view = value
        elif action == "tool":
            self.tool = value
        elif action == "mode":
            self.selection.mode = value
        elif action in ("show_untouched", "show_configured"):
            self.set_trait(action, value == "True")
        elif action == "reset":
            self._zoom_to(None)
        elif action in ("low", "high"):
            low, high = self._brushed
            x = self._typed("from" if action == "low" else "to", value)
            self._use_range(*((x, high) if action == "low" else (low, x)))
        else:
            super()._act(action, value)

    # -- brush and zoom -------------------------------------------------------------------------

    @property
    def _brushed(self) -> tuple[float, float]:
        """The range that the fields show."""
        if self.tool == "brush" and self.reading is not None:
            return self.reading.curve.low, self.reading.curve.high
        return self._range

    def _on_tool(self, _change: Any) -> None:
        self.cancel()
        self.message = ""
        self.reading = None
        # Another interaction begins with nothing selected.
        assign(self._brush, selected=None)
        assign(self.figure, interaction=None if self.tool == "move" else self._brush)
        if self._keys is not None:
            self._keys.armed = self.tool != "move"
        assign(self._controls, html=self._controls_html(self.data))
        self._fill_data()

    def _on_brush(self, change: Any) -> None:
        """Read while brushing, at most ten times a second; zoom once it has ended."""
        if self.tool == "move" or self.data is None or self._closed:
            return
        chosen = self._brush.selected
        if chosen is None or len(chosen) != 2:
            return
        low, high = self._inside(*sorted(float(one) for one in chosen))
        if high - low < NARROWEST * (self._range[1] - self._range[0]):
            return
        if self.tool == "brush":
            self._preview("brush", (low, high))
        elif not self._brush.brushing:
            self._zoom_to((low, high))

    def _inside(self, low: float, high: float) -> tuple[float, float]:
        """A brushed range on round values, inside the frame."""
        left, right = self._range
        digits = -int(np.floor(np.log10((right - left) / 1000)))
        low, high = (float(f"{round(one, digits):.12g}") for one in (low, high))
        return max(low, left), min(high, right)

    def _show_preview(self, *where: Any) -> None:
        if where[0] != "brush":
            super()._show_preview(*where)
        elif self.tool == "brush" and self.data is not None and not self._closed:
            self.reading = self.data.reading(*where[1])
            self._fill_data()

    def _use_range(self, low: float, high: float) -> None:
        """Read or show a typed range."""
        if not low < high:
            raise ValueError(f"from: {self._at(low)} must be below {self._at(high)}")
        if self.tool == "zoom":
            self._zoom_to((low, high))
            return
        left, right = self._range
        if low < left or high > right:
            raise ValueError(
                f"from, to: {self._at(low)} to {self._at(high)} must lie in the picture,"
                f" {self._at(left)} to {self._at(right)}"
            )
        self.reading = self.data.reading(low, high)
        assign(self._brush, selected=np.array([low, high]))
        self._fill_data()

    def _read_again(self) -> None:
        """The reading follows an edit, as far as the range still is in the picture."""
        if self.reading is None:
            return
        held = self.reading.curve
        left, right = self._range
        fits = held.symbol == self.symbol and left <= held.low and held.high <= right
        self.reading = (
            self.data.reading(held.low, held.high) if fits and self.data is not None else None
        )
        if self.reading is None:  # nor does the brush stay over what is not read any more
            assign(self._brush, selected=None)

    def _zoom_to(self, part: tuple[float, float] | None) -> None:
        self._zoom = part
        assign(self._brush, selected=None)
        self.update()

    # -- keys and clicks on the figure ----------------------------------------------------------

    def _on_figure(self, content: Any) -> None:
        super()._on_figure(content)
        if content.get("type") == "click" and self.tool == "move" and self.data is not None:
            self._pick(content)

    def _escape(self) -> None:
        """A drag is taken back; without one, the tool is put away."""
        if self._dragging:
            self.cancel()
        else:
            self.tool = "move"

    def _pick(self, content: Mapping[str, float]) -> None:
        """Select the mode whose curve was clicked; a second click selects both again."""
        curve = self.data.curve
        near = [
            mode.mode
            for mode in (curve.cross, curve.isolated)
            if self._distance(mode, content) <= NEAR_PX
        ]
        if not near:
            return
        chosen = self.selection.mode
        # Where both curves lie under the pointer, they take turns.
        ring = [*near, ""]
        after = ring.index(chosen) + 1 if chosen in ring else 0
        self.selection.mode = ring[after % len(ring)]

    def _distance(self, mode: ModeCurve, content: Mapping[str, float]) -> float:
        """How many pixels a curve is away from a click, given as shares of the frame."""
        (low, high), wide = self._range, float(content["width"])
        x = (mode.x - low) / (high - low) * wide
        bottom, top = float(self._y.min), float(self._y.max)
        y = (mode.equity - bottom) / (top - bottom) * LabelPlacer.HEIGHT
        at = np.linspace(-NEAR_PX, NEAR_PX, 19) + content["x"] * wide
        near = np.hypot(
            at - content["x"] * wide,
            np.interp(at, x, y) - (1 - content["y"]) * LabelPlacer.HEIGHT,
        )
        return float(near.min())

    # -- files ----------------------------------------------------------------------------------

    def _svg_file(
        self, data: Any, theme: Theme, width: int, height: int | None, title: str | None
    ) -> str:
        """Drawn for the size, not scaled to it, ghosts included."""
        tall = HEIGHT if height is None else height
        svg: str = data.to_svg(theme=theme, width=width, height=tall, title=title)
        return svg

    # -- leaving nothing behind -----------------------------------------------------------------

    def unfollow(self) -> None:
        """Stop observing; what is not on the page is freed here, as no box holds it."""
        apart = self._made and not self._closed and self.figure.interaction is None
        super().unfollow()
        if apart:
            close_inside(self._brush)
            self._brush.close()


def _with_remarks(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose last column says what happens."""
    return data_table(head, rows, words=1)


def _opener(action: str, words: str, *, opened: bool) -> str:
    """A button that shows or hides something."""
    return (
        f'<button class="mw-button" data-action="{action}" data-key="{action}"{OWN_KEYS}'
        f' aria-expanded="{str(opened).lower()}">{words}</button>'
    )
