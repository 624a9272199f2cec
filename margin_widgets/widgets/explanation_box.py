"""A place for the explanation of a number, inside the part that shows the number."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from margin_widgets.account.explanation import explain
from margin_widgets.widgets.frontend import Styled
from margin_widgets.widgets.markup import button

if TYPE_CHECKING:
    from margin_widgets.account import Account


class ExplanationBox(Styled):
    """Formula and substituted values of one figure of any account, announced when it changes."""

    def __init__(self) -> None:
        super().__init__(label="Explanation", live=True)
        self._of: tuple[str, str] | None = None

    def show(self, account: Account, path: str, whose: str) -> None:
        """Explain a figure; asking again for the same hides it.

        Parameters
        ----------
        account : Account
            The account the figure is of, which need not be the one on display.
        path : str
            As `Account.explain` takes it.
        whose : str
            What that account is called, e.g. the name of its rules.
        """
        if self._of == (path, whose):
            self.hide()
            return
        told = explain(account, path)
        lines = escape("\n".join(told.lines))
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(meaning)}</td>"
            f'<td class="mw-right">{escape(text)}</td></tr>'
            for name, meaning, text in told.symbols
        )
        table = f'<table class="mw-data"><tbody>{rows}</tbody></table>' if rows else ""
        self._of = path, whose
        self.html = (
            f'<div class="mw-bar"><h3>{escape(whose)} · {escape(told.title)}: {escape(told.text)}'
            f'</h3><span class="mw-spacer"></span>{button("Close", "hide-explanation")}</div>'
            f'<div class="mw-explain"><section><pre><code>{lines}</code></pre>{table}</section>'
            f"<section><h3>Assumes</h3><p>{escape(told.assumes)}</p>"
            f"<p>Rule set {escape(told.rules)}.</p></section></div>"
        )

    def hide(self) -> None:
        """Show nothing."""
        self._of = None
        self.html = ""
