"""A place for the explanation of a number, inside the part that shows the number."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from margin_widgets.account.explanation import explain
from margin_widgets.widgets.frontend import Styled

if TYPE_CHECKING:
    from margin_widgets.account import Account


class ExplanationBox(Styled):
    """Formula and substituted values of one figure of any account, announced when it changes."""

    def __init__(self) -> None:
        super().__init__(label="Explanation", live=True)
        self._of: tuple[str, str, str] | None = None

    def show(self, account: Account, path: str, whose: str = "", asked: str = "") -> None:
        """Explain a figure; asking again for the same hides it.

        Parameters
        ----------
        account : Account
            The account the figure is of, which need not be the one on display.
        path : str
            As `Account.explain` takes it.
        whose : str
            What that account is called, e.g. the name of its rules; empty for the one on display.
        asked : str
            What the button of the figure sends, if that is not the path: it gets the focus back.
        """
        of = path, whose, asked or path
        if self._of == of:
            self.hide()
            return
        self._write(account, of)

    def tell(self, title: str, lines: Iterable[str], asked: str) -> None:
        """Say in lines how a number that is no figure of an account comes about; or hide it."""
        of = "", title, asked
        if self._of == of:
            self.hide()
            return
        self._of = of
        written = escape("\n".join(lines))
        self.html = f"{_head(title, asked)}<pre><code>{written}</code></pre>"

    def renew(self, account: Account) -> None:
        """Explain the same figure of the account as it is now; hide it if it is gone."""
        if self._of is None:
            return
        try:
            self._write(account, self._of)
        except KeyError:
            self.hide()

    def _write(self, account: Account, of: tuple[str, str, str]) -> None:
        path, whose, asked = of
        told = explain(account, path)
        lines = escape("\n".join(told.lines))
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(meaning)}</td>"
            f'<td class="mw-right">{escape(text)}</td></tr>'
            for name, meaning, text in told.symbols
        )
        table = f'<table class="mw-data"><tbody>{rows}</tbody></table>' if rows else ""
        opening = f"{whose} · " if whose else ""
        self._of = of
        self.html = (
            f"{_head(f'{opening}{told.title}: {told.text}', asked)}"
            f'<div class="mw-explain"><section><pre><code>{lines}</code></pre>{table}</section>'
            f"<section><h3>Assumes</h3><p>{escape(told.assumes)}</p>"
            f"<p>Rule set {escape(told.rules)}.</p></section></div>"
        )

    def hide(self) -> None:
        """Show nothing."""
        self._of = None
        self.html = ""


def _head(title: str, asked: str) -> str:
    """What is explained, and a way to close it that leads back to what was asked."""
    return (
        '<div class="mw-bar" style="margin-top:6px">'
        f'<h3 style="flex:1;min-width:0;font-size:15px">{escape(title)}</h3>'
        '<button class="mw-button" data-action="hide-explanation" data-key="hide-explanation"'
        f' data-value="{escape(asked)}">Close</button></div>'
    )
