"""Loss waterfall: what takes each mode from equity now to equity after a move."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from traitlets import Enum

from margin_widgets.account.waterfall import (
    MEASURES,
    MODES,
    TOTALS,
    Measure,
    Row,
    Waterfall,
    amount_text,
    waterfall,
)
from margin_widgets.widgets.markup import MODE_TITLES
from margin_widgets.widgets.move_picture import (
    DEFAULT_SHOCK,
    MovePicture,
    segments,
)
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account


class LossWaterfall(MovePicture):
    """From equity now to equity after a move, step by step, both modes in aligned rows.

    The steps of each mode sum to the difference of its totals, as printed to the cent. A click on
    a bar explains the figure behind it and selects the position it belongs to.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; ``selection.view`` is what moves.
    shock : float
        Relative move to start with.
    marks : mapping of symbol to price, optional
        Marks at the end of the move in place of a shock.
    measure : {"equity", "margin_balance"}
        Margin balance shows what haircuts do as a step of its own.

    Attributes
    ----------
    fall : Waterfall or None
        What is drawn, None without positions.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = LossWaterfall(mw.presets.ref2(), shock=-0.12)
    >>> round(plot.fall.end("cross"), 2)
    1600.0
    >>> plot.close()
    """

    title: ClassVar[str] = "Loss waterfall"
    kind: ClassVar[str] = "waterfall"

    measure = Enum(list(MEASURES), "equity", help="what is taken apart")

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        shock: float = DEFAULT_SHOCK,
        marks: Mapping[str, float] | None = None,
        measure: Measure = "equity",
        active: bool = True,
    ) -> None:
        self._keys: dict[str, str] = {}
        self.set_trait("measure", measure)
        super().__init__(account, selection, shock=shock, marks=marks, active=active)
        self.observe(self._on_revision, "measure")

    @property
    def fall(self) -> Waterfall | None:
        """What is drawn."""
        data: Waterfall | None = self.data
        return data

    def _tools(self) -> str:
        choices = [(name, title.capitalize()) for name, title in MEASURES.items()]
        return segments("What is taken apart", "measure", choices, self.measure)

    def _compute(self, move: dict[str, Any]) -> Waterfall:
        return waterfall(self.account, **move, measure=self.measure)

    def _picture(self, data: Waterfall) -> str:
        self._keys = {
            bar.path: row.key
            for row in data.rows
            for bar in row.bars.values()
            if row.key in self.account.positions
        }
        return picture(data, self.selection.key)

    def _said(self, data: Waterfall) -> str:
        return f"{data.text} {data.assumptions}"

    def _receive(self, message: dict[str, Any]) -> None:
        if message.get("type") == "explain" and message["path"] in self._keys:
            self.selection.key = self._keys[message["path"]]
        if message.get("type") == "action" and message["action"] == "measure":
            self.measure = message["value"]
            return
        super()._receive(message)


def picture(fall: Waterfall, selected: str = "") -> str:
    """The bars of both modes as a table whose cells are drawn."""
    heads = "".join(
        f'<th scope="col"><span class="mw-mode-{mode}">{MODE_TITLES[mode]}</span>'
        f" ({escape(fall.currency)})</th>"
        for mode in MODES
    )
    rows = "".join(_row(fall, row, row.key != "" and row.key == selected) for row in fall.rows)
    return (
        f'<table class="mw-falls"><caption class="mw-sr">{escape(fall.text)}</caption>'
        f'<thead><tr><th scope="col">Step</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _row(fall: Waterfall, row: Row, selected: bool) -> str:
    chosen = ' class="mw-chosen"' if selected else ""
    cells = "".join(_cell(fall, row, mode) for mode in MODES)
    return f'<tr{chosen}><th scope="row">{escape(row.label)}</th>{cells}</tr>'


def _cell(fall: Waterfall, row: Row, mode: str) -> str:
    low, high = fall.range
    span = (high - low) or 1.0
    bar, amount = row.bars[mode], amount_text(row, mode)
    left, right = (100 * (level - low) / span for level in sorted((bar.begin, bar.end)))
    kind = "total" if row.kind in TOTALS else "gain" if bar.amount > 0 else "loss"
    tone = " mw-charge" if row.kind in ("fee", "residual") else ""
    drawn = ""
    if bar.begin != bar.end:
        drawn = (
            f'<i class="mw-fall-bar mw-{kind}{tone}"'
            f' style="left:{left:.3f}%;width:{right - left:.3f}%"></i>'
        )
    if row is not fall.rows[-1]:  # the level at which the next step begins
        drawn += f'<i class="mw-fall-level" style="left:{100 * (bar.end - low) / span:.3f}%"></i>'
    zero = f'<i class="mw-fall-zero" style="left:{-100 * low / span:.3f}%"></i>'
    note = f", {bar.note}" if bar.note else ""
    said = escape(f"{mode}, {row.label}: {amount}{note}. Explain.")
    mark = '<i class="mw-fall-closed" aria-hidden="true">✕</i>' if _closes(row, bar.note) else ""
    return (
        f'<td class="mw-{mode}"><button class="mw-fall" data-explain="{escape(bar.path)}"'
        f' data-key="{escape(f"{mode}-{row.kind}-{row.key}")}" aria-label="{said}"'
        f' title="{escape(bar.note or "Explain this number")}">'
        f'<span class="mw-fall-track">{zero}{drawn}</span>'
        f'<span class="mw-figure">{mark}{escape(amount)}</span></button></td>'
    )


def _closes(row: Row, note: str) -> bool:
    """Whether a position was closed in this step."""
    return row.kind == "price" and bool(note)
