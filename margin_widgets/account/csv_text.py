"""A table of shown texts as CSV, its figures as plain numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

# Thousands are separated by commas and the minus is a character of its own; what is counted in
# (a per cent sign, a multiplication sign) follows, or letters that mark it.
_FIGURE = re.compile(r"([+−-]?)(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?\s?(%|×)?(\s[A-Z]+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Head and rows as CSV; words stay as they are, figures lose what makes them readable.

    >>> csv_text(["move", "equity"], [["−9.09\xa0%", "10,000.00"], ["none", "+5"]])
    'move,equity\n-9.09%,10000.00\nnone,5\n'
    """
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow([_plain(cell) for cell in head])
    lines.writerows([_plain(cell) for cell in row] for row in rows)
    return written.getvalue()


def _plain(text: str) -> str:
    """A cell as a program reads it; what a spreadsheet would take for a formula is quoted."""
    shown = str(text).replace("\xa0", " ").replace("\u202f", " ")
    found = _FIGURE.fullmatch(shown.strip())
    if found:
        sign, whole, part, unit, letters = found.groups(default="")
        minus = "-" if sign in ("−", "-") else ""
        return f"{minus}{whole.replace(',', '')}{part}{'%' if unit == '%' else ''}{letters}"
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
