"""The table behind a picture: the button that shows it, its rows, and the same as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from zlib import crc32

from margin_widgets.account.csv_text import csv_text
from margin_widgets.widgets.markup import copy_button, shown_text

# JupyterLab leaves keys to what is focused if that itself carries this attribute; on a parent it
# does not reach the shortcuts of a notebook, which match whatever has the focus.
OWN_KEYS = ' data-lm-suppress-shortcuts="true"'


def data_button(*, opened: bool) -> str:
    """Shows the table, or hides it."""
    return (
        f'<button class="mw-button" data-action="data" data-key="data"{OWN_KEYS}'
        f' aria-expanded="{str(opened).lower()}">{"Hide" if opened else "Show"} data</button>'
    )


def data_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 0, name: str = ""
) -> str:
    """The table twin: the first column and the last `words` ones are words, the others figures.

    Below it stands a button that copies it as CSV; of tables with one head, each has its `name`.
    """
    last = len(head) - words
    listed = [tuple(row) for row in rows]

    def cells(row: Sequence[str], tag: str) -> str:
        first, *rest = row
        return f'<th scope="{"col" if tag == "th" else "row"}">{escape(first)}</th>' + "".join(
            f'<{tag} class="{"mw-right" if n < last else "mw-remark"}">{shown_text(cell)}</{tag}>'
            for n, cell in enumerate(rest, 1)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in listed)
    # Several tables may stand together: each copies its own.
    key = f"csv-{crc32('|'.join((name, *head)).encode()):08x}"
    return (
        f'<div class="mw-scroll" tabindex="0" role="region" aria-label="Data"{OWN_KEYS}'
        ' data-key="rows">'
        f'<table class="mw-data"><thead><tr>{cells(head, "th")}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
        f'<div class="mw-row">{copy_button(key, "Copy as CSV", shown=True)}'
        f'<pre class="mw-sr" aria-hidden="true" data-key="{key}">'
        f"{escape(csv_text(head, listed))}</pre></div>"
    )
