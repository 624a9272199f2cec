"""The account as Python, and the line of Python that does what a control does."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from margin_widgets.account.code_hint import edit_code, present_code
from margin_widgets.widgets.editing import guarded
from margin_widgets.widgets.frontend import Styled
from margin_widgets.widgets.lifetime import Part
from margin_widgets.widgets.markup import copy_button
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account


class CodeLine(Part):
    """One quiet line: the assignment that does the same as the control used last.

    After an edit, by whatever control, it is the code of that edit; before one, that of the
    control that has the focus.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with the controls; ``selection.control`` is the one that has the focus.

    Attributes
    ----------
    code : str
        The code on display, empty before anything was touched.
    """

    def __init__(self, account: Account, selection: Selection | None = None) -> None:
        self.account = account
        self.selection = selection or Selection()
        self.code = ""
        self._before = account.state
        self._edited = False
        self.view = Styled(label="The same in code")
        super().__init__([self.view])
        self.add_class("mw-code-line")
        self.view.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self._on_edit, "revision")
        self.follow(self.selection, self._on_control, "control")

    def _on_edit(self, change: Any) -> None:
        state = self.account.state
        code = edit_code(self._before, state)
        self._before = state
        if code:
            self._edited = True
            self._show(code)

    def _on_control(self, change: Any) -> None:
        if self._edited:  # the focus goes on by itself when an edit is done: that is still shown
            self._edited = False
            return
        code = present_code(self.account.state, change.new) if change.new else ""
        if code:
            self._show(code)

    def _show(self, code: str) -> None:
        self.code = code
        lines = code.split("\n")
        copy = copy_button("hint", "Copy this line" if len(lines) == 1 else "Copy these lines")
        if len(lines) == 1:
            html = f'<p>In code: <code data-key="hint">{escape(code)}</code> {copy}</p>'
        else:
            html = (
                f'<details data-key="hint-lines"><summary>In code: {len(lines)} lines</summary>'
                f'<pre data-key="hint" tabindex="0"><code>{escape(code)}</code></pre>'
                f"{copy}</details>"
            )
        self.view.html = f'<div class="mw-hint">{html}</div>'

    def _receive(self, message: dict[str, Any]) -> None:
        if message.get("type") in ("undo", "redo"):
            getattr(self.account, message["type"])()

    def _tell(self, message: str) -> None:
        self.view.html = f'<p class="mw-error">{escape(message)}</p>'


class PythonPanel(Part):
    """Python that rebuilds the account as it is now, to read and to copy.

    Parameters
    ----------
    account : Account

    Attributes
    ----------
    shown : bool
        Whether the code is on the page; it follows edits only then.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.shown = False
        self.view = Styled(label="This account as Python")
        super().__init__([self.view])
        self.view.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self.update, "revision")

    def toggle(self) -> None:
        """Show the code, or hide it."""
        self.shown = not self.shown
        self.update()

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        if not self.shown:
            self.view.html = ""
            return
        code = escape(self.account.to_python())
        self.view.html = (
            '<section class="mw-card mw-python"><div class="mw-bar"><h3>This account as Python</h3>'
            f'<span class="mw-spacer"></span>{copy_button("python", "Copy")}</div>'
            '<pre class="mw-scroll" data-key="python" tabindex="0" role="region"'
            f' aria-label="Python code"><code>{code}</code></pre></section>'
        )

    def _receive(self, message: dict[str, Any]) -> None:
        if message.get("type") in ("undo", "redo"):
            getattr(self.account, message["type"])()

    def _tell(self, message: str) -> None:
        self.view.html = f'<p class="mw-error" role="alert">{escape(message)}</p>'
