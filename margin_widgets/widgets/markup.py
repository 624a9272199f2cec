"""Pieces of HTML that several parts show; everything from outside is escaped here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from margin_widgets.account import formatting as fmt
from margin_widgets.account.figures import KeyFigure

MODE_TITLES = {"isolated": "Isolated", "cross": "Cross", "configured": "As configured"}


def figure(text: str, path: str, label: str = "") -> str:
    """A number that opens its explanation, with what it is called before it if that is given."""
    shown = f"{escape(label)} <b>{escape(text)}</b>" if label else escape(text)
    return (
        f'<button class="mw-num" data-explain="{escape(path)}" data-key="{escape(path)}"'
        f' title="Explain this number">{shown}</button>'
    )


def shown_text(text: str) -> str:
    """A text, escaped; one that is a figure of the account opens its explanation."""
    return figure(text, text.path) if isinstance(text, KeyFigure) else escape(text)


def button(
    label: str,
    action: str,
    *,
    enabled: bool = True,
    title: str = "",
    expanded: bool | None = None,
) -> str:
    """A button that sends an action; `expanded` says whether what it opens is open."""
    off = "" if enabled else ' aria-disabled="true"'
    hint = f' title="{escape(title)}"' if title else ""
    opens = "" if expanded is None else f' aria-expanded="{str(expanded).lower()}"'
    return (
        f'<button class="mw-button" data-action="{escape(action)}" data-key="{escape(action)}"'
        f"{off}{hint}{opens}>{escape(label)}</button>"
    )


def copy_button(key: str, label: str, *, shown: bool = False) -> str:
    """A button that copies the text of the element with this key, and says that it did.

    Its label is only heard, unless it is `shown`.
    """
    words = escape(label) if shown else "Copy"
    return (
        f'<button class="mw-button" data-copy="{escape(key)}" data-key="copy-{escape(key)}"'
        f' aria-label="{escape(label)}">{words}</button>'
        f'<span class="mw-copied" role="status" data-copied="{escape(key)}"></span>'
    )


def chip(text: str, *, note: bool = False, title: str = "") -> str:
    """A small label; a note is one that warns."""
    hint = f' title="{escape(title)}"' if title else ""
    return f'<span class="mw-chip{" mw-note" if note else ""}"{hint}>{escape(text)}</span>'


def meter(parts: Iterable[tuple[str, float]], label: str) -> str:
    """A bar of shares from the left, the widest first; `label` says it in words."""
    bars = "".join(
        f'<i class="{escape(name)}" style="width:{100 * min(max(share, 0.0), 1.0):.2f}%"></i>'
        for name, share in parts
    )
    return f'<div class="mw-meter" role="img" aria-label="{escape(label)}">{bars}</div>'


def ratio_text(ratio: float | None) -> str:
    """A margin ratio in words where it has no value."""
    return "no equity" if ratio is None else fmt.percent(ratio, 1)


def shock_text(shock: float | None) -> str:
    """A common move, or that there is none."""
    return "none" if shock is None else fmt.move(shock)


def tabs(label: str, options: Iterable[tuple[str, str]], chosen: str) -> str:
    """A tab list that sends the action ``tab``."""
    buttons = "".join(
        f'<button role="tab" aria-selected="{str(name == chosen).lower()}" data-action="tab"'
        f' data-value="{escape(name)}" data-key="tab-{escape(name)}">{escape(title)}</button>'
        for name, title in options
    )
    return f'<div class="mw-tabs" role="tablist" aria-label="{escape(label)}">{buttons}</div>'
