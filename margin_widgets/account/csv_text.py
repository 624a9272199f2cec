"""A table as CSV: its numbers as they are computed, its words as they are shown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from margin_widgets.account.figures import Column, Shown

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Head and rows as CSV: cells that know their number give it in full, others their words.

    Numbers have a decimal point, no separators and no unit, which stands in the head; where there
    is none the cell is empty. A column whose cells tell several numbers becomes several.

    >>> head = ["pool", Column("distance", "distance (fraction)")]
    >>> csv_text(head, [["cross", Shown("−13.73\xa0%", -0.13734)], ["idle", Shown("none", None)]])
    'pool,distance (fraction)\ncross,-0.13734\nidle,\n'
    """
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    names = [one.names if isinstance(one, Column) else (_words(one),) for one in head]
    lines.writerow([name for group in names for name in group])
    for row in rows:
        cells = zip(row, names, strict=True)
        lines.writerow([cell for text, group in cells for cell in _cells(text, len(group))])
    return written.getvalue()


def _cells(text: str, count: int) -> list[str]:
    """What a cell gives to the columns that stand for its own."""
    if not isinstance(text, Shown):
        return [_words(text), *[""] * (count - 1)]
    numbers = text.number if isinstance(text.number, tuple) else (text.number,)
    return [_number(one) for one in (*numbers, *[None] * count)[:count]]


def _number(value: float | None) -> str:
    """All digits that are needed to read the same number again."""
    if value is None or not math.isfinite(value):
        return ""
    return str(value) if isinstance(value, int) else repr(float(value))


def _words(text: str) -> str:
    """Words as they are; what a spreadsheet would take for a formula is quoted."""
    shown = str(text).replace("\xa0", " ").replace("\u202f", " ")
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
