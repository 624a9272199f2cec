"""What pictures of a move share: the choice of what moves, the slider of how far, and words."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ipywidgets import Widget
from traitlets import Bool, Dict, Float, Unicode, validate

from margin_widgets.account.checks import number
from margin_widgets.widgets.data_twin import data_button, data_table
from margin_widgets.widgets.editing import guarded
from margin_widgets.widgets.explaining import Explaining
from margin_widgets.widgets.frontend import Html, Styled
from margin_widgets.widgets.number_slider import NumberSlider
from margin_widgets.widgets.plotting import ALL, BUTTONS_AT_MOST, Throttle
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.static_twin import DrawnTwin
from margin_widgets.widgets.together import said_by

if TYPE_CHECKING:
    from margin_widgets.account import Account

DEFAULT_SHOCK = -0.12
REACH, STEP = 60.0, 0.5
"""The slider goes this far both ways, in steps, in per cent."""


class MovePicture(Explaining, DrawnTwin):
    """A picture of what a move of the marks does; it follows the account and the selection.

    Attributes
    ----------
    shock : float
        Relative move; above -1.
    view : str
        ``"all"`` for a common move of all marks, else the symbol that moves alone.
    marks : dict
        Marks at the end of the move in place of a shock; empty for none.
    caption : str
        What is drawn and what is assumed, as plain text.
    message : str
        Why the last action could not be done, empty if it could.
    active : bool
        While False (in a hidden tab) the picture does not follow edits; set True it catches up.
    """

    shock = Float(DEFAULT_SHOCK, help="relative move")
    view = Unicode(ALL, help='"all", or the symbol that moves alone')
    marks: Any = Dict(help="marks at the end of the move, in place of a shock")
    caption = Unicode("", help="what is drawn and what is assumed")
    message = Unicode("", help="why the last action could not be done")
    active = Bool(True, help="whether the picture follows edits; it catches up when set")

    title: ClassVar[str] = "Picture of a move"
    kind: ClassVar[str] = "move"
    """Its name in the style sheet."""
    empty: ClassVar[str] = "Add a position to see what a move does to both modes."
    remarks: ClassVar[int] = 1
    """Columns of words at the end of the table."""

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        shock: float = DEFAULT_SHOCK,
        marks: Mapping[str, float] | None = None,
        active: bool = True,
    ) -> None:
        self.account = account
        self.selection = Selection() if selection is None else selection
        self.data: Any = None
        self._closed = self._open = False
        self._switch = Styled(label=f"{self.title}: what moves")
        self._preview = Throttle(said_by(self._switch, self._show))
        self._slider = NumberSlider(
            "Move, %",
            "Move in per cent",
            100.0 * shock,
            low=-REACH,
            high=REACH,
            step=STEP,
            decimals=2,
            preview=lambda percents: self._preview(percents / 100.0),
            commit=self._on_slider,
            cancel=self.update,
            history=lambda kind: getattr(account, kind)(),
        )
        self._message_box = Html(live=True)
        self.picture = Html(label=self.title)
        self._caption_box = Html()
        self._data_box = Html(label=f"{self.title}: data")
        super().__init__(
            [
                self._switch,
                self._slider,
                self._message_box,
                self.picture,
                self._caption_box,
                self._data_box,
            ]
        )
        self.add_class("mw-panel")
        self.add_class(f"mw-{self.kind}")
        self.shock, self.marks = shock, dict(marks or {})
        self.active = active
        self.view = self.selection.view if self._has(self.selection.view) else ALL
        for one in (self._switch, self.picture, self._data_box):
            one.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self._on_revision, "revision")
        self.follow(self.selection, self._on_selection, "view")
        self.follow(self.selection, self._on_key, "key")
        self.observe(self._on_view, "view")
        self.observe(self._on_revision, ["shock", "marks", "active"])
        self.observe(self._on_message, "message")
        self.update()

    # What a subclass gives.

    def _compute(self, move: dict[str, Any]) -> Any:
        """What a move does, told by the arguments it is made of."""
        raise NotImplementedError

    def _picture(self, data: Any) -> str:
        """The picture as HTML."""
        raise NotImplementedError

    def _said(self, data: Any) -> str:
        """The sentence, and what is assumed."""
        said: str = data.text
        return said

    def _tools(self) -> str:
        """Further controls beside the choice of what moves."""
        return ""

    # Following the account.

    @validate("shock")
    def _check_shock(self, proposal: Any) -> float:
        return number("shock", proposal.value, above=-1.0)

    def _has(self, view: str) -> bool:
        return view == ALL or view in {one.symbol for one in self.account.positions}

    def update(self) -> None:
        """Draw the account as it is now, or once the picture is active."""
        if self._closed or not self.active:
            return
        if not self._has(self.view):
            self.view = ALL
            return
        self._preview.cancel()
        self._show()

    def _show(self, shock: float | None = None) -> None:
        """Draw the move; a shock that is tried out goes before what is set."""
        symbols = list(dict.fromkeys(one.symbol for one in self.account.positions))
        set_html(self._switch, move_switch(symbols, self.view, self._tools()) if symbols else "")
        self._slider.layout.display = None if symbols else "none"
        if shock is None:
            self._slider.show(100.0 * self.shock)
        if not symbols:
            self.data, self.caption = None, self.empty
        else:
            self.data = self._compute(self._move(shock))
            self.caption = self._said(self.data)
        set_html(self.picture, "" if self.data is None else self._picture(self.data))
        set_html(
            self._caption_box, f'<p class="mw-caption mw-after">{html.escape(self.caption)}</p>'
        )
        self._fill_data()

    def _move(self, shock: float | None = None) -> dict[str, Any]:
        """The move, as what is computed takes it."""
        move: dict[str, Any] = {"shock": self.shock if shock is None else shock}
        if self._has(self.view) and self.view != ALL:
            move["symbol"] = self.view
        return {"marks": self.marks} if self.marks and shock is None else move

    def _current(self) -> tuple[Any, str]:
        if not len(self.account.positions):
            return None, self.empty
        data = self._compute(self._move())
        return data, self._said(data)

    def _fill_data(self) -> None:
        """The table twin; made only while it is open."""
        if self.data is None:
            set_html(self._data_box, "")
            return
        head, rows = self.data.table()
        table = data_table(head, rows, words=self.remarks) if self._open else ""
        set_html(self._data_box, data_button(opened=self._open) + table)

    def _on_revision(self, _change: Any) -> None:
        self.message = ""
        self.update()

    def _on_selection(self, change: Any) -> None:
        if self._has(change.new):
            self.view = change.new

    def _on_key(self, _change: Any) -> None:
        self.update()

    def _on_view(self, change: Any) -> None:
        self.selection.view = change.new
        self._on_revision(change)

    def _on_slider(self, percents: float) -> None:
        shock = number("move", percents, above=-100.0) / 100.0
        self._preview.cancel()
        with self.hold_trait_notifications():
            self.shock, self.marks = shock, {}
        self.update()

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "explain":
            self._ask(message["path"])
        elif kind in ("undo", "redo"):
            getattr(self.account, kind)()
        elif kind == "action" and message["action"] == "axis":
            self.view = str(message["value"])
        elif kind == "action" and message["action"] == "data":
            self._open = not self._open
            self._fill_data()

    def _tell(self, message: str) -> None:
        self.message = message

    def _on_message(self, change: Any) -> None:
        text = html.escape(change.new)
        self._message_box.html = f'<p class="mw-error">{text}</p>' if text else ""

    def unfollow(self) -> None:
        """Stop observing, and forget what waits."""
        super().unfollow()
        self._preview.cancel()
        self._closed = True


def set_html(widget: Widget, content: str) -> None:
    """Send HTML only where it is another."""
    if widget.html != content:
        widget.html = content


def move_switch(symbols: Sequence[str], view: str, more: str = "") -> str:
    """What moves: buttons for few symbols, a list for many."""
    choices = [(symbol, symbol) for symbol in symbols] + [(ALL, "All marks")]
    if len(symbols) <= BUTTONS_AT_MOST:
        return f'<div class="mw-row">{segments("What moves", "axis", choices, view)}{more}</div>'
    options = "".join(
        f'<option value="{html.escape(value)}"{" selected" if value == view else ""}>'
        f"{html.escape(text)}</option>"
        for value, text in choices
    )
    return (
        f'<div class="mw-row"><label class="mw-row">Move <select data-action="axis">{options}'
        f"</select></label>{more}</div>"
    )


def segments(label: str, action: str, choices: Iterable[tuple[str, str]], chosen: str) -> str:
    """A row of buttons of which one is chosen."""
    buttons = "".join(
        f'<button role="radio" aria-checked="{str(value == chosen).lower()}" '
        f'data-action="{html.escape(action)}" data-value="{html.escape(value)}">'
        f"{html.escape(text)}</button>"
        for value, text in choices
    )
    return (
        f'<div class="mw-seg" role="radiogroup" aria-label="{html.escape(label)}">{buttons}</div>'
    )
