"""The browser modules as widgets: clickable HTML, an editable table, sliders, keys of a figure."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import anywidget
from traitlets import Bool, Float, Int, List, Unicode, default

from margin_widgets.account.formatting import group
from margin_widgets.widgets import preview
from margin_widgets.widgets.together import Carrier

_BUILT = Path(__file__).parent / "static"


@cache
def built(name: str) -> str:
    """Text of a built file of the front end.

    Raises
    ------
    FileNotFoundError
        In a checkout whose front end has not been built, saying how.
    """
    path = _BUILT / name
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not built; run `make frontend` in the checkout")
    return path.read_text(encoding="utf-8")


class Html(Carrier, anywidget.AnyWidget):
    """HTML made and escaped by Python; clicks on ``data-action`` and ``data-explain`` arrive."""

    _esm = built("html.js")
    _css = built("html.css")

    html = Unicode("", help="what is shown; everything from outside is escaped").tag(sync=True)
    label = Unicode("", help="accessible name").tag(sync=True)
    live = Bool(False, help="whether changes are announced to screen readers").tag(sync=True)
    role = Unicode("", help="ARIA role").tag(sync=True)
    names = Unicode(
        "", help='what stands beside it and is named by it: "figure" or "tabpanel"'
    ).tag(sync=True)


class Styled(Html):
    """HTML that brings the style sheet shared by all parts; each root holds one."""

    _css = built("theme.css") + built("html.css")


class FigureKeys(Carrier, anywidget.AnyWidget):
    """What bqplot does not tell of a figure in the same box: Escape, and clicks with their place.

    Messages: ``{"type": "escape"}``, which waits for ``{"type": "escaped"}`` in answer, and
    ``{"type": "click", x, y, width}``, x and y as shares of the frame from its upper left.
    """

    _esm = built("figure.js")

    armed = Bool(False, help="whether Escape means something without a drag").tag(sync=True)


def by_columns(rows: list[dict[str, Any]], _widget: Any = None) -> dict[str, Any]:
    """Rows as the browser gets them: each name once, with the texts of all rows, null for none."""
    columns: dict[str, Any] = {"id": [row["id"] for row in rows]}
    for part in ("text", "raw", "classes"):
        if any(part in row for row in rows):
            fields = dict.fromkeys(field for row in rows for field in row.get(part, ()))
            columns[part] = {
                field: [row.get(part, {}).get(field) for row in rows] for field in fields
            }
    if any("flags" in row for row in rows):
        columns["flags"] = [" ".join(row.get("flags", ())) for row in rows]
    return columns


class Table(Carrier, anywidget.AnyWidget):
    """Editable table: Python owns the values, the browser sends edits as text."""

    _esm = built("table.js")
    _css = built("table.css")

    columns: Any = List(help="column descriptions").tag(sync=True)
    rows: Any = List(help="rows as text, ready to show").tag(sync=True, to_json=by_columns)
    selected = Unicode("", help="id of the selected row").tag(sync=True)
    place: Any = List(help="row and field of the cell with the focus").tag(sync=True)
    errors: Any = List(help="refused edits: row, field, text, message").tag(sync=True)
    label = Unicode("", help="accessible name").tag(sync=True)
    placeholder = Unicode("", help="shown without rows").tag(sync=True)
    actions: Any = List(help="buttons below the table").tag(sync=True)
    max_height = Int(400, help="pixels above which the rows scroll").tag(sync=True)


class Marks(Carrier, anywidget.AnyWidget):
    """One slider and one number per symbol."""

    _esm = built("marks.js")
    _css = built("marks.css")

    rows: Any = List(help="symbol, text, value, low, high, step, selected").tag(sync=True)
    errors: Any = List(help="refused edits: symbol, text, message").tag(sync=True)
    label = Unicode("Mark prices", help="accessible name").tag(sync=True)
    group = Unicode(help="what stands between thousands").tag(sync=True)
    interval = Float(help="milliseconds between previews while dragged").tag(sync=True)
    placeholder = Unicode("", help="shown without rows").tag(sync=True)

    @default("group")
    def _group_now(self) -> str:
        return group()

    @default("interval")
    def _interval_now(self) -> float:
        return 1000 / preview.rate()
