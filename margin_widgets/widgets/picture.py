"""A picture of one computed thing: figure, controls, caption and table, updated in place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ipywidgets import Layout, Widget
from traitlets import Bool, TraitError, Unicode

from margin_widgets.account.chart_svg import log_ticks
from margin_widgets.account.figures import KeyFigure
from margin_widgets.widgets.data_twin import OWN_KEYS, data_button, data_table
from margin_widgets.widgets.drawing import (
    Axis,
    Figure,
    Label,
    LinearScale,
    Lines,
    LogScale,
    Scatter,
)
from margin_widgets.widgets.editing import REFUSALS, guarded, reason
from margin_widgets.widgets.explaining import Explaining
from margin_widgets.widgets.frontend import FigureKeys, Html, Styled
from margin_widgets.widgets.lifetime import close_inside
from margin_widgets.widgets.markup import figure
from margin_widgets.widgets.plotting import (
    BUTTONS_AT_MOST,
    CROWDED_PX,
    FONT_PX,
    HANDLE,
    SURFACE,
    TEXT,
    TICKS_PX,
    Floats,
    LabelPlacer,
    Placed,
    Throttle,
    assign,
    put_ticks,
    text_px,
    tick_style,
)
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.static_twin import DrawnTwin
from margin_widgets.widgets.together import said_by

if TYPE_CHECKING:
    from margin_widgets.account import Account

MARGIN = {"top": 24, "bottom": 46, "left": 66, "right": 24}


class Picture(Explaining, DrawnTwin):
    """A bqplot figure of something computed from an account.

    A subclass computes (`_compute`), draws (`_draw`), says what its table is (`_table`) and which
    figures of the account it is about (`_figures`); what it computed has a ``text``, the sentence
    that is caption, alternative text and static caption.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; ``selection.key`` is the position looked at.
    active : bool
        Whether it follows edits.

    Attributes
    ----------
    active : bool
        While False (in a hidden tab) the picture does not follow edits; set True it catches up.
    caption : str
        What is drawn and what is assumed, made from the data.
    message : str
        Why the last edit could not be made, empty if it could.
    figure : bqplot.Figure
    """

    active = Bool(True, help="whether the picture follows edits; it catches up when set")
    caption = Unicode("", help="what is drawn and what is assumed")
    message = Unicode("", help="why the last edit could not be made")

    title: ClassVar[str] = "Picture"
    kind: ClassVar[str] = "picture"
    empty: ClassVar[str] = "Add a position to see this picture."
    log_x: ClassVar[bool] = False
    margin: ClassVar[Mapping[str, int]] = MARGIN
    height: float = LabelPlacer.HEIGHT
    """Pixels of the frame."""
    tight: ClassVar[float] = 0.0
    """Pixels less for labels in narrow frames; `NARROWEST` where they are long or close."""
    _made = False
    _keys: FigureKeys | None = None

    def __init__(
        self, account: Account, selection: Selection | None = None, *, active: bool = True
    ) -> None:
        self.account = account
        self.selection = Selection() if selection is None else selection
        self.data: Any = None
        self._shown = self._closed = self._stale = self._open = False
        self._dragging = False
        self._asked = ""
        self._pinned: dict[Scatter, tuple[Floats, Floats]] = {}
        self._controls = Styled(label=f"{self.title}: controls")
        self._caption_box = Html(names="figure")
        self._preview = Throttle(said_by(self._caption_box, self._show_preview))
        self._message_box = Html(live=True)
        self._data_box = Html(label=f"{self.title}: data")
        scale = LogScale if self.log_x else LinearScale
        self._x = scale(min=1.0, max=2.0)
        self._y = LinearScale(min=0.0, max=1.0)
        for one in (self._x, self._y):
            one.allow_padding = False
        self.x_axis = Axis(scale=self._x, label_offset="36px", tick_style=tick_style(5, False))
        self.y_axis = Axis(scale=self._y, side="left", label_offset="54px")
        self._labels_right = self._label_mark("start", LabelPlacer.GAP)
        self._labels_left = self._label_mark("end", -LabelPlacer.GAP)
        below, handles = self._marks()
        self.figure = Figure(
            axes=self._axes(),
            marks=[*below, self._labels_right, self._labels_left, *handles],
            fig_margin=dict.fromkeys(MARGIN, 0),
            padding_x=0.0,
            padding_y=0.0,
            animation_duration=0,
            display_toolbar=False,
            layout=Layout(
                width="auto",
                height=f"{self.height:.0f}px",
                min_width="0",
                margin=" ".join(
                    f"{self.margin[side]}px" for side in ("top", "right", "bottom", "left")
                ),
                overflow="visible",
            ),
        )
        super().__init__([self._controls, *self._below()])
        self._made = True
        self.active = active
        self.add_class(f"mw-{self.kind}-plot")
        self.add_class("mw-panel")
        self.figure.add_class("mw-plot")
        self._caption_box.add_class("mw-plot-caption")
        for box in (self._controls, self._caption_box, self._data_box):
            box.on_msg(guarded(self._receive, self._tell))
        if self._keys is not None:
            self._keys.on_msg(guarded(self._on_figure, self._tell))
        self.observe(self._on_caption, "caption")
        self.observe(self._on_message, "message")
        self.observe(self._on_active, "active")
        self.follow(account, self._on_revision, "revision")
        self.follow(self.selection, self._on_key, "key")
        self.update()

    # -- what a subclass gives ----------------------------------------------------------------

    def _marks(self) -> tuple[list[Any], list[Any]]:
        """Marks below the labels, and marks above them that can be dragged."""
        raise NotImplementedError

    def _axes(self) -> list[Axis]:
        return [self.x_axis, self.y_axis]

    def _compute(self) -> Any:
        """What is drawn; a refusal says in words why there is nothing."""
        raise NotImplementedError

    def _draw(self, data: Any) -> None:
        raise NotImplementedError

    def _controls_html(self, data: Any) -> str:
        """Keyboard ways for what the mouse does; `data` is None where nothing is drawn."""
        raise NotImplementedError

    def _figures(self, data: Any) -> Iterable[tuple[str, KeyFigure]]:
        """Names and figures of the account that stand below the caption; a click explains one."""
        return ()

    def _act(self, action: str, value: str) -> None:
        """Do what a control asks for."""
        raise NotImplementedError

    def _show_preview(self, *where: Any) -> None:
        """Show what a drag would do; called at most ten times a second."""
        raise NotImplementedError

    # -- the position looked at ---------------------------------------------------------------

    @property
    def key(self) -> str:
        """Key of the selected position; the first one if none is selected, "" without any."""
        keys = self.account.books.keys
        if self.selection.key in self.account.books.places:
            return self.selection.key
        return keys[0] if keys else ""

    # -- building blocks ----------------------------------------------------------------------

    @property
    def scales(self) -> dict[str, Any]:
        """The x and y scale of the marks."""
        return {"x": self._x, "y": self._y}

    def _lines(self, colors: Sequence[str], **traits: Any) -> Lines:
        settings: dict[str, Any] = {"stroke_width": 1.0, "interactions": {}, "scales": self.scales}
        return Lines(x=[1.0], y=[0.0], colors=list(colors), **{**settings, **traits})

    def _points(self, **traits: Any) -> Scatter:
        settings: dict[str, Any] = {"interactions": {}, "scales": self.scales}
        return Scatter(x=[1.0], y=[0.0], **{**settings, **traits})

    def _round(self, **traits: Any) -> Scatter:
        """A round handle, not listened to yet."""
        return self._points(
            marker="circle",
            default_size=110,
            stroke_width=2.0,
            stroke=HANDLE,
            colors=[SURFACE],
            apply_clip=False,
            enable_move=True,
            **traits,
        )

    def _handle(self, **traits: Any) -> Scatter:
        """A round handle that can be dragged."""
        mark = self._round(**traits)
        self._listen(mark, self._on_drag_start, self._on_drag, self._on_drag_end)
        return mark

    def _listen(
        self,
        mark: Scatter,
        start: Callable[[Any], None],
        moved: Callable[[Any], None],
        end: Callable[[Any], None],
    ) -> None:
        """Hear of the drags of a mark, and of Escape, which takes one back."""
        if self._keys is None:
            self._keys = FigureKeys()
        mark.observe(self._on_moved_by_browser, ["x", "y"])
        mark.on_drag_start(self._guard(start))
        mark.on_drag(self._guard(moved))
        mark.on_drag_end(self._guard(end))

    def _label_mark(self, align: str, offset: float) -> Label:
        return Label(
            x=[1.0],
            y=[0.0],
            text=[""],
            scales=self.scales,
            colors=[TEXT],
            align=align,
            x_offset=round(offset),  # older traitlets take no 9.0 for an integer
            default_size=float(FONT_PX),
            font_weight="normal",
            interactions={},
        )

    def _placer(
        self,
        width: str,
        lines: Sequence[tuple[Floats, Floats]] = (),
        guides: Sequence[tuple[Floats, Floats]] = (),
    ) -> LabelPlacer:
        """A placer of labels in the present frame; its x are those of `_even`."""
        across = (self._even(self._x.min), self._even(self._x.max))
        along = (float(self._y.min), float(self._y.max))
        even = [[(self._even(x), y) for x, y in group] for group in (lines, guides)]
        tight = self.tight if width == "narrow" else 0.0
        aside = tight + sum(self.margin[side] - MARGIN[side] for side in ("left", "right"))
        return LabelPlacer(width, across, along, *even, aside=aside, height=self.height)

    def _even(self, x: Any) -> Any:
        """X in units in which the frame is even: logarithms on a logarithmic axis."""
        return np.log(x) if self.log_x else x

    def _put_labels(self, placed: Sequence[Placed]) -> None:
        for mark, rightward in ((self._labels_right, True), (self._labels_left, False)):
            group = [label for label in placed if label.rightward is rightward]
            x = np.array([label.x for label in group] or [self._even(self._x.min)])
            assign(
                mark,
                x=np.exp(x) if self.log_x else x,
                y=np.array([label.y for label in group] or [float(self._y.min)]),
                text=np.array([label.text for label in group] or [""]),
                colors=[label.color for label in group] or [TEXT],
            )

    def _set_domain(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        x_ticks: Mapping[float, str],
        y_ticks: Mapping[float, str],
    ) -> None:
        """Frame and ticks; they stay while something is dragged."""
        assign(self._x, min=x[0], max=x[1])
        assign(self._y, min=y[0], max=y[1])
        put_ticks(self.x_axis, x_ticks)
        put_ticks(self.y_axis, y_ticks)

    # -- following the account ----------------------------------------------------------------

    def update(self) -> None:
        """Draw the account as it is now, or once the picture is active."""
        self._stale = not self.active
        if self._closed or not self.active:
            return
        self._preview.cancel()
        self.data, words = self._computed()
        if self.data is not None:
            self._draw(self.data)
        self._show_figure(self.data is not None)
        self._asked = "" if self.data is None else figures_row(self._figures(self.data))
        self.caption = words
        self._write_caption()  # also where the figures are others under the same words
        assign(self._controls, html=self._controls_html(self.data))
        self._fill_data()

    def _computed(self) -> tuple[Any, str]:
        try:
            data = self._compute() if self.account.books.keys else None
        except (TraitError, ValueError) as error:
            return None, reason(error)
        return data, self.empty if data is None else data.text

    def _current(self) -> tuple[Any, str]:
        return self._computed() if self._stale else (self.data, self.caption)

    def _show_figure(self, shown: bool) -> None:
        """Have the figure on the page only while there is something to draw."""
        if shown != self._shown:
            self._shown = shown
            self.children = [self._controls, *([self.figure] if shown else []), *self._below()]

    def _below(self) -> list[Widget]:
        """What stands below the figure."""
        told = [] if self._told is None else [self._told]
        keys = [] if self._keys is None else [self._keys]
        return [self._message_box, self._caption_box, self._data_box, *told, *keys]

    def _fill_data(self) -> None:
        """The table twin; made only while it is open."""
        if self.data is None:
            assign(self._data_box, html="")
            return
        table = data_table(*self._table(self.data)) if self._open else ""
        assign(self._data_box, html=data_button(opened=self._open) + table)

    def _on_revision(self, _change: Any) -> None:
        self.message = ""
        self.update()

    def _on_key(self, _change: Any) -> None:
        self.message = ""
        self.update()

    def _on_active(self, change: Any) -> None:
        if change.new and self._stale:
            self.update()

    def _on_caption(self, _change: Any) -> None:
        self._write_caption()

    def _write_caption(self) -> None:
        assign(self._caption_box, html=self._caption_html() + self._asked)

    def _caption_html(self) -> str:
        return f'<p class="mw-caption">{escape(self.caption)}</p>'

    def _on_message(self, change: Any) -> None:
        text = escape(change.new)
        self._message_box.html = f'<p class="mw-error">{text}</p>' if text else ""

    def _tell(self, message: str) -> None:
        self.message = message

    # -- controls and drags -------------------------------------------------------------------

    def _receive(self, content: Any) -> None:
        kind, action = content.get("type"), content.get("action")
        if kind in ("undo", "redo"):
            getattr(self.account, kind)()
        elif kind == "explain":
            self._ask(str(content["path"]))
        elif kind != "action":
            return
        elif action == "data":
            self._open = not self._open
            self._fill_data()
        elif action == "position":
            self.selection.key = str(content.get("value"))
        else:
            self.message = ""
            try:
                self._act(str(action), str(content.get("value")))
            except REFUSALS:
                # What was typed is refused: the control shows again what holds.
                self._controls.send_state("html")
                raise

    def _guard(self, handler: Callable[[Any], None]) -> Callable[[Any, Any], None]:
        receive = guarded(handler, self._tell)
        return lambda _mark, content: receive(self._caption_box, content, None)

    def _pin(self, mark: Scatter, x: Floats, y: Floats) -> None:
        """Put a draggable mark where the account says."""
        self._pinned[mark] = (x, y)
        assign(mark, x=x, y=y)

    def _on_moved_by_browser(self, change: Any) -> None:
        # The browser writes x and y when a drag ends, before or after it says so: ours hold.
        pinned = self._pinned.get(change.owner)
        if self._dragging or pinned is None:
            return
        wanted = pinned[0] if change.name == "x" else pinned[1]
        if not np.array_equal(change.new, wanted):
            setattr(change.owner, change.name, wanted)

    def _on_drag_start(self, _content: Any) -> None:
        self._dragging = True
        self.message = ""

    def _on_drag(self, content: Any) -> None:
        if self._dragging and self.data is not None:
            self._preview(*self._held(content["point"])[:-1])

    def _on_drag_end(self, content: Any) -> None:
        dragged = self._dragging
        self._let_go()
        if not dragged or self.data is None:  # cancelled: the browser still has moved its copy
            self._commit(lambda: None)
            return
        *where, held = self._held(content["point"])
        self._commit(lambda: self._release(*where))
        if held:
            self.message = f"{self.message}; {held}" if self.message else held

    def _let_go(self) -> None:
        self._preview.cancel()
        self._dragging = False
        self._end_preview()

    def cancel(self) -> None:
        """End a drag without an edit: everything is drawn as before it."""
        if not self._dragging:
            return
        self._let_go()
        self.message = ""
        self._commit(lambda: None)

    def _on_figure(self, content: Any) -> None:
        """Escape ends a drag; what holds it in the browser is let go only after the answer."""
        if content.get("type") == "escape" and self._keys is not None:
            self._escape()
            self._keys.send({"type": "escaped"})

    def _escape(self) -> None:
        self.cancel()

    def _held(self, point: Mapping[str, float]) -> tuple[Any, ...]:
        """Where the drag is, held inside of what is possible; last, why it was held, or ""."""
        raise NotImplementedError

    def _release(self, *where: Any) -> None:
        """Make the edit of a drag."""
        raise NotImplementedError

    def _end_preview(self) -> None:
        """Take away what only a drag shows."""
        raise NotImplementedError

    def _commit(self, edit: Callable[[], None]) -> None:
        """Make one edit, and put everything where the account now says it is."""
        revision = self.account.revision
        try:
            edit()
        except REFUSALS as error:
            self.message = reason(error)
        if self.account.revision == revision:
            message = self.message
            self.update()
            self.message = message
        # The browser has moved its copy of the mark: state the true place again.
        for mark in self._pinned:
            mark.send_state(["x", "y"])

    # -- leaving nothing behind ---------------------------------------------------------------

    def unfollow(self) -> None:
        """Stop observing; a figure that is not on the page is freed here, as no box holds it."""
        if not self._made:  # refused by its arguments before there was anything to free
            return
        super().unfollow()
        self._preview.cancel()
        if not self._closed and not self._shown:
            close_inside(self.figure)
            self.figure.close()
        self._closed = True


def log_side_by_side(
    low: float, high: float, text: Callable[[float], str]
) -> tuple[list[float], bool]:
    """Round values of a logarithmic axis whose labels have room, and whether they are crowded."""
    width = math.log(high / low)
    for most in (9, 6, 4):
        values = log_ticks(low, high, most)
        widest = 6 + max((text_px(text(value)) for value in values), default=0.0)
        gaps = [math.log(b / a) / width for a, b in pairwise(values)]
        if widest <= min(gaps, default=1.0) * TICKS_PX:
            break
    return values, widest > min(gaps, default=1.0) * CROWDED_PX


def position_choice(account: Account, key: str) -> str:
    """What position is looked at: buttons for few, a list for many, nothing for one."""
    keys = account.books.keys
    if len(keys) < 2:
        return ""
    return choice("Position", "position", [(one, one) for one in keys], key)


def choice(label: str, action: str, options: Sequence[tuple[str, str]], chosen: str) -> str:
    """Values and texts as buttons if they are few, else as a list."""
    if len(options) <= BUTTONS_AT_MOST:
        buttons = "".join(
            f'<button role="radio" aria-checked="{str(value == chosen).lower()}"{OWN_KEYS}'
            f' data-action="{escape(action)}" data-value="{escape(value)}">{escape(text)}</button>'
            for value, text in options
        )
        return f'<div class="mw-seg" role="radiogroup" aria-label="{escape(label)}">{buttons}</div>'
    listed = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>'
        f"{escape(text)}</option>"
        for value, text in options
    )
    return (
        f'<label class="mw-row">{escape(label)} <select data-action="{escape(action)}"'
        f' data-key="{escape(action)}"{OWN_KEYS}>{listed}</select></label>'
    )


def field(label: str, action: str, value: str, *, width: int = 9, unit: str = "") -> str:
    """A number to type; it arrives as text when it is committed."""
    name = f'data-action="{escape(action)}" data-key="{escape(action)}"{OWN_KEYS}'
    return (
        f'<label class="mw-row">{escape(label)} <input class="mw-field" type="text"'
        f' inputmode="decimal" {name} value="{escape(value)}"'
        f' style="width:{width}ch" autocomplete="off"></label>{escape(unit)}'
    )


def slider(
    label: str, action: str, value: float, low: float, high: float, step: float, text: str
) -> str:
    """A slider that arrow keys move; each step or release arrives as one action."""
    name = f'data-action="{escape(action)}" data-key="{escape(action)}"{OWN_KEYS}'
    return (
        f'<label class="mw-row mw-slider">{escape(label)} <input type="range" {name}'
        f' min="{low:.12g}" max="{high:.12g}" step="{step:.12g}"'
        f' value="{value:.12g}" aria-valuetext="{escape(text)}"> <output>{escape(text)}</output>'
        "</label>"
    )


def figures_row(figures: Iterable[tuple[str, KeyFigure]]) -> str:
    """A quiet row of figures, each with its name, that explain themselves; "" for none."""
    shown = "".join(figure(text, text.path, label) for label, text in figures)
    return f'<div class="mw-row mw-figures"><span>Explain:</span>{shown}</div>' if shown else ""
