"""The marks of an account: a slider and a number each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from margin_widgets.account import formatting as fmt
from margin_widgets.widgets.editing import REFUSALS, guarded, reason
from margin_widgets.widgets.frontend import Marks, Styled
from margin_widgets.widgets.parsing import parse_number
from margin_widgets.widgets.plotting import nice_step
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.static_twin import StaticTwin, page_of

if TYPE_CHECKING:
    from margin_widgets.account import Account

REACH = 0.5
"""A slider reaches this share below and above the mark it was made for."""


class MarksPanel(StaticTwin):
    """Set mark prices: previewed while a slider is dragged, one edit when it is released.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets.
    preview : callable, optional
        Called with ``{symbol: price}`` while a slider moves, and with ``{}`` when it is released
        without an edit.
    """

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        preview: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        self.account = account
        self.selection = selection or Selection()
        self.preview = preview
        self._ranges: dict[str, tuple[float, float]] = {}
        self._of: tuple[Any, ...] = ()
        self._rows: list[dict[str, Any]] = []
        self.marks = Marks(placeholder="No marks: they appear with positions.")
        super().__init__([Styled(html='<h3 class="mw-heading">Marks</h3>'), self.marks])
        self.add_class("mw-panel")
        self.marks.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self.update, "revision")
        self.follow(self.selection, self.update, "key")
        self.update()

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        account, books = self.account, self.account.books
        key = self.selection.key
        chosen = account.positions[key].symbol if key in account.positions else ""
        used = {*books.book.symbol.tolist(), *books.book.asset_symbol.tolist()}
        marks = books.marks.tolist()
        ranges = list(map(self._range, books.symbols, marks))
        # Most edits leave the marks as they are: their rows need not be written again.
        of = (books.symbols, books.contracts, marks, ranges, chosen, used, fmt.group())
        if self._of != of:
            self._of, self._rows = of, self._made(ranges, chosen, used)
        rows = self._rows
        errors = [one for one in self.marks.errors if one["symbol"] in books.symbols]
        with self.marks.hold_sync():
            if rows != self.marks.rows:
                self.marks.rows = rows
            if errors != self.marks.errors:
                self.marks.errors = errors

    def _made(
        self, ranges: Sequence[tuple[float, float]], chosen: str, used: set[int]
    ) -> list[dict[str, Any]]:
        """Rows of all marks; `used` are the numbers of those that a position or an asset needs."""
        books = self.account.books
        rows = []
        for number, (symbol, contract, mark, (low, high)) in enumerate(
            zip(books.symbols, books.contracts, books.marks.tolist(), ranges, strict=True)
        ):
            rows.append(
                {
                    "symbol": symbol,
                    "text": fmt.price(mark, contract.tick),
                    "value": mark,
                    "low": low,
                    "high": high,
                    "step": contract.tick or nice_step(high - low, 1000) / 10,
                    "selected": symbol == chosen,
                    "note": "" if number in used else "no position",
                }
            )
        return rows

    def static_html(self) -> str:
        """The marks as a static table."""
        rows = [(row["symbol"], row["text"], row["note"]) for row in self.marks.rows]
        told = "" if rows else self.marks.placeholder
        return page_of("Marks", told, ("Symbol", f"Mark ({self.account.currency})", ""), rows)

    def _range(self, symbol: str, mark: float) -> tuple[float, float]:
        """Range of a slider: it stays while the mark is well inside."""
        low, high = self._ranges.get(symbol, (0.0, 0.0))
        if not low * 1.05 < mark < high * 0.95:
            low, high = mark * (1 - REACH), mark * (1 + REACH)
            self._ranges[symbol] = (low, high)
        return low, high

    def _receive(self, message: dict[str, Any]) -> None:
        kind, symbol = message.get("type"), message.get("symbol", "")
        if kind == "preview":
            if self.preview:
                self.preview({symbol: float(message["value"])})
        elif kind == "commit":
            self._set(symbol, str(message["value"]), float(message["value"]))
        elif kind == "commit_text":
            text = message["text"]
            try:
                number = parse_number(f"{symbol} mark", text)
            except ValueError as error:
                self._refuse(symbol, text, str(error))
                return
            self._set(symbol, text, number)
        elif kind == "cancel":
            self._forget(symbol)
            if self.preview:
                self.preview({})
        elif kind == "select":
            self._select(symbol)
        elif kind == "undo":
            self.account.undo()
        elif kind == "redo":
            self.account.redo()

    def _set(self, symbol: str, text: str, number: float) -> None:
        revision = self.account.revision
        try:
            self.account.marks[symbol] = number
        except REFUSALS as error:
            self._refuse(symbol, text, reason(error))
            return
        self._forget(symbol)
        if self.account.revision == revision:
            if self.preview:
                self.preview({})
            self.marks.send_state("rows")

    def _select(self, symbol: str) -> None:
        self.selection.control = ("marks", symbol)
        for position in self.account.positions:
            if position.symbol == symbol:
                self.selection.key = position.key
                return

    def _refuse(self, symbol: str, text: str, message: str) -> None:
        self._forget(symbol)
        self.marks.errors = [
            *self.marks.errors,
            {"symbol": symbol, "text": text, "message": message},
        ]

    def _forget(self, symbol: str) -> None:
        left = [one for one in self.marks.errors if one["symbol"] != symbol and one["symbol"]]
        if len(left) != len(self.marks.errors):
            self.marks.errors = left

    def _tell(self, message: str) -> None:
        self._refuse("", "", message)
