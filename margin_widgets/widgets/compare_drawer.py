"""The present state kept as a ghost, and what has changed since, figure by figure."""

from __future__ import annotations

from html import escape
from typing import Any

from traitlets import Bool, Instance

from margin_widgets.account import Account
from margin_widgets.account.comparison import MODES, Compared, Comparison, restore
from margin_widgets.account.state import AccountState
from margin_widgets.widgets.editing import guarded
from margin_widgets.widgets.explanation_box import ExplanationBox
from margin_widgets.widgets.frontend import Styled
from margin_widgets.widgets.markup import MODE_TITLES, button, figure
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.static_twin import StaticTwin

_EMPTY = (
    "Nothing is pinned. Pin the present state and go on editing: what changes is shown against it."
)


class CompareDrawer(StaticTwin):
    """Pin the account as it is, keep editing, and read pinned, now and change side by side.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; the selected position is the one that the sentence names.
    active : bool
        Whether it follows edits from the start.

    Attributes
    ----------
    pinned : Account or None
        A copy of the account as it was; assign one to compare with any other account.
    found : Comparison or None

    Examples
    --------
    >>> import margin_widgets as mw
    >>> account = mw.presets.ref2()
    >>> drawer = mw.CompareDrawer(account)
    >>> drawer.pin()
    >>> account.positions["BTCUSDT"].leverage = 20
    >>> drawer.found.get("isolated", "liquidation_price", "BTCUSDT").change_text
    '+5,025.13'
    >>> drawer.restore()
    >>> account.positions["BTCUSDT"].leverage
    10.0
    >>> drawer.close()
    """

    active = Bool(True, help="whether the drawer follows edits; it catches up when set")
    pinned = Instance(Account, allow_none=True, help="the account as it was pinned")

    def __init__(
        self, account: Account, selection: Selection | None = None, *, active: bool = True
    ) -> None:
        self.account = account
        self.selection = selection or Selection()
        self.found: Comparison | None = None
        self._state: AccountState | None = None
        self._head = Styled(label="Pinned state")
        self._message = Styled(live=True)
        self._sentence = Styled(label="What has changed since the pin", live=True)
        self.view = Styled(label="Pinned and present figures")
        self.explanation = ExplanationBox()
        parts = [self._head, self._message, self._sentence, self.view, self.explanation]
        super().__init__(parts)
        self.add_class("mw-panel")
        self.active = active
        for one in parts:
            one.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self._on_revision, "revision")
        self.follow(self.selection, self._on_key, "key")
        self.follow(self, self.update, "pinned")
        self.follow(self, self.update, "active")
        self.update()

    # -- what a person does -------------------------------------------------------------------

    def pin(self) -> None:
        """Keep the present state as the ghost, in place of a former one."""
        self._state = self.account.state
        self.pinned = self.account.copy()

    def unpin(self) -> None:
        """Let the ghost go."""
        self._state = self.pinned = None

    def restore(self) -> None:
        """Make the account what was pinned, as one edit that can be undone."""
        if self.pinned is None:
            return
        state = self.pinned.state
        # The state it was copied from knows which position is which.
        restore(self.account, self._state if self._state == state else state)
        self._message.html = '<p class="mw-note-line">As it was pinned; Undo takes it back.</p>'

    # -- out ----------------------------------------------------------------------------------

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        if not self.active:
            return
        self.found = self._compared()
        self._head.html = self._head_html()
        self._sentence.html = f'<p class="mw-caption mw-after">{escape(self.sentence())}</p>'
        self.view.html = "" if self.found is None else self._cards_html(self.found)

    def _compared(self) -> Comparison | None:
        return None if self.pinned is None else Comparison(self.pinned, self.account)

    def sentence(self) -> str:
        """What was edited since the pin and what it did to liquidation."""
        return self._sentence_of(self.found)

    def _sentence_of(self, found: Comparison | None) -> str:
        if found is None:
            return _EMPTY
        key = self.selection.key
        if key not in self.account.books.places:
            key = next(iter(self.account.books.keys), "")
        return found.sentence(key, "Since the pin")

    def _on_revision(self, change: Any) -> None:
        self._message.html = ""
        self.explanation.hide()
        self.update()

    def _on_key(self, change: Any) -> None:
        if self.active:
            self._sentence.html = f'<p class="mw-caption mw-after">{escape(self.sentence())}</p>'

    def _head_html(self) -> str:
        held = self.pinned is not None
        same = self.found is not None and not self.found.edits
        return (
            '<div class="mw-bar"><h3 class="mw-heading">Compare with a pinned state</h3>'
            '<span class="mw-spacer"></span>'
            f"{button('Pin again' if held else 'Pin', 'pin', title='drawer.pin()')}"
            f"{button('Unpin', 'unpin', enabled=held, title='drawer.unpin()')}"
            f"{button('Restore pinned', 'restore', enabled=held and not same)}"
            f"{button('Undo', 'undo', enabled=self.account.can_undo, title='Ctrl+Z')}</div>"
        )

    def _cards_html(self, found: Comparison) -> str:
        cards = "".join(
            f'<section class="mw-card mw-{mode}"><h3><span class="mw-dot"></span>'
            f"{MODE_TITLES[mode]}</h3>{_table_html(mode, found.of(mode))}</section>"
            for mode in MODES
        )
        more = f'<p class="mw-caption">and {found.more} more positions</p>' if found.more else ""
        return f'<div class="mw-cards">{cards}</div>{more}'

    def static_html(self) -> str:
        """Pinned and present figures as static tables."""
        found = self.found if self.active else self._compared()
        if found is None:
            return f"<p>{escape(_EMPTY)}</p>"
        return found.html(self._sentence_of(found), "pinned", "now")

    # -- in -----------------------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> None:
        kind, action = message.get("type"), message.get("action")
        if kind in ("undo", "redo"):
            getattr(self.account, kind)()
        elif kind == "explain" and self.found is not None:
            whose, _, path = str(message["path"]).partition(" ")
            shown = self.found.before if whose == "pinned" else self.found.now
            self.explanation.show(shown, path, whose, str(message["path"]))
        elif kind == "action" and action in ("pin", "unpin", "restore"):
            getattr(self, action)()
        elif kind == "action" and action in ("undo", "redo"):
            getattr(self.account, action)()
        elif kind == "action" and action == "hide-explanation":
            self.explanation.hide()

    def _tell(self, message: str) -> None:
        self._message.html = f'<p class="mw-error">{escape(message)}</p>'


def _table_html(mode: str, figures: tuple[Compared, ...]) -> str:
    head = "".join(
        f'<th scope="col" role="columnheader" class="mw-right">{title}</th>'
        for title in ("pinned", "now", "change")
    )
    rows = "".join(_row_html(one) for one in figures)
    return (
        '<table class="mw-data mw-fold" role="table" style="--mw-fold:3"><caption class="mw-sr">'
        f'{MODE_TITLES[mode]}: pinned, now and change</caption><thead role="rowgroup">'
        f'<tr role="row"><td role="cell"></td>{head}</tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody></table>'
    )


def _row_html(one: Compared) -> str:
    place = f"positions.{one.position}." if one.position else ""
    path = f"{one.mode}.{place}{one.name}"
    texts = [
        escape(text)
        if one.name == "equity_after" or text == "not held"
        else figure(text, f"{whose} {path}")
        for whose, text in (("pinned", one.before_text), ("now", one.now_text))
    ]
    change = f"<b>{escape(one.change_text)}</b>" if one.changed else "same"
    cells = "".join(f'<td role="cell" class="mw-right">{text}</td>' for text in (*texts, change))
    return f'<tr role="row"><th scope="row" role="rowheader">{escape(one.title)}</th>{cells}</tr>'
