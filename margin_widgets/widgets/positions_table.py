"""The positions of an account as a table to edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


from margin_widgets.account import Position
from margin_widgets.account import formatting as fmt
from margin_widgets.account.position import MARGIN_MODES
from margin_widgets.venues.rules import did_you_mean
from margin_widgets.widgets.editing import REFUSALS, guarded, reason
from margin_widgets.widgets.frontend import Styled, Table
from margin_widgets.widgets.lifetime import Part
from margin_widgets.widgets.parsing import parse_block, parse_number
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account

DRAFT = "draft"
EDITABLE = ("symbol", "quantity", "entry_price", "leverage", "margin", "margin_mode")
TITLES = {
    "symbol": "Symbol",
    "quantity": "Quantity",
    "entry_price": "Entry",
    "leverage": "Leverage",
    "margin": "Margin",
    "margin_mode": "Mode",
    "isolated": "Liq. isolated",
    "cross": "Liq. cross",
}
HINTS = {
    "symbol": "name of the contract",
    "quantity": "signed size: positive is long, negative short",
    "entry_price": "average open price",
    "leverage": "leverage setting",
    "margin": "margin assigned in isolated mode; empty: initial margin at entry",
    "margin_mode": "mode in which the position is held",
    "isolated": "liquidation price if the position stands alone",
    "cross": "liquidation price if everything supports everything, other marks unchanged",
}
COLUMNS: list[dict[str, Any]] = [
    {"field": "symbol", "kind": "text", "align": "left"},
    {"field": "quantity", "kind": "number"},
    {"field": "entry_price", "kind": "number"},
    {"field": "leverage", "kind": "number", "hide_below": 400},
    {"field": "margin", "kind": "number", "hide_below": 520},
    {
        "field": "margin_mode",
        "kind": "choice",
        "choices": list(MARGIN_MODES),
        "align": "left",
        "hide_below": 440,
    },
    {"field": "isolated", "kind": "readonly", "explain": True},
    {"field": "cross", "kind": "readonly", "explain": True},
]


class PositionsTable(Part):
    """Edit positions: add, duplicate, delete, paste from a spreadsheet, undo and redo.

    Every accepted edit changes the account at once; a refused one stays in its cell with the
    reason, and the account stays as it was.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets.

    Attributes
    ----------
    table : Table
        The browser side; ``table.errors`` lists refused edits.
    """

    def __init__(self, account: Account, selection: Selection | None = None) -> None:
        self.account = account
        self.selection = selection or Selection()
        self._draft: dict[str, str] | None = None
        self.table = Table(
            columns=[
                {
                    "title": TITLES[one["field"]],
                    "hint": HINTS[one["field"]],
                    "align": "right",
                    **one,
                }
                for one in COLUMNS
            ],
            label="Positions",
            placeholder="No positions. Add one to see both margin modes.",
            actions=[
                {"action": "add", "label": "Add position", "needs_row": False},
                {"action": "duplicate", "label": "Duplicate", "needs_row": True},
                {"action": "delete", "label": "Delete", "needs_row": True},
            ],
            max_height=320,
        )
        super().__init__([Styled(html='<h3 class="mw-heading">Positions</h3>'), self.table])
        self.add_class("mw-panel")
        self.table.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self.update, "revision")
        self.follow(self.selection, self._show_selection, "key")
        self.follow(self.table, self._take_selection, "selected")
        self.update()

    @property
    def errors(self) -> list[dict[str, str]]:
        """Refused edits that still stand in their cells."""
        return list(self.table.errors)

    # -- to the browser -----------------------------------------------------------------------

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        rows = self._rows()
        known = {row["id"] for row in rows}
        standing = [one for one in self.table.errors if one["row"] in known]
        with self.table.hold_sync():
            self.table.rows = rows
            if len(standing) != len(self.table.errors):
                self.table.errors = standing
            if self.table.selected not in known:
                self.table.selected = ""
        self._show_selection()

    def _rows(self) -> list[dict[str, Any]]:
        account = self.account
        books = account.books
        prices = {
            mode: getattr(account, mode).column("liquidation_price")
            for mode in ("isolated", "cross")
        }
        rows = []
        for number, (row, contract_of) in enumerate(
            zip(account.positions, books.book.symbol, strict=True)
        ):
            tick = books.contracts[int(contract_of)].tick
            assigned = fmt.plain(float(books.book.margin[number]), 2)
            raw = {field: _raw(getattr(row, field)) for field in EDITABLE}
            liquidation = {
                mode: fmt.price(float(column[number]), tick) if column[number] > 0 else "none"
                for mode, column in prices.items()
            }
            rows.append(
                {
                    "id": row.id,
                    "text": {
                        "symbol": row.symbol,
                        "quantity": fmt.plain(row.quantity),
                        "entry_price": fmt.plain(row.entry_price),
                        "leverage": f"{fmt.plain(row.leverage)}×",
                        "margin": assigned,
                        "margin_mode": row.margin_mode,
                        **liquidation,
                    },
                    "raw": raw,
                    "classes": {
                        "margin_mode": f"mw-mode-{row.margin_mode}",
                        **({"margin": "mw-auto"} if row.margin is None else {}),
                    },
                }
            )
        if self._draft is not None:
            rows.append(
                {
                    "id": DRAFT,
                    "text": {**dict.fromkeys(TITLES, ""), **self._draft},
                    "raw": dict(self._draft),
                    "classes": {"margin_mode": f"mw-mode-{self._draft['margin_mode']}"},
                    "flags": ["draft"],
                }
            )
        return rows

    def _show_selection(self, change: Any = None) -> None:
        key = self.selection.key
        shown = self.account.positions[key].id if key in self.account.positions else ""
        if shown and self.table.selected != DRAFT:
            self.table.selected = shown

    def _take_selection(self, change: Any) -> None:
        if change["new"] and change["new"] != DRAFT and change["new"] in self.account.positions:
            self.selection.key = self.account.positions[change["new"]].key

    # -- from the browser ---------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "edit":
            self._edit(message["row"], message["field"], message["text"])
        elif kind == "cancel":
            self._forget(message["row"], message["field"])
        elif kind == "paste":
            self._paste(message["row"], message["field"], message["text"])
        elif kind == "undo":
            self.account.undo()
        elif kind == "redo":
            self.account.redo()
        elif kind == "explain":
            row = self.account.positions[message["row"]]
            self.selection.key = row.key
            self.selection.explain = f"{message['field']}.positions.{row.key}.liquidation_price"
        elif kind == "action":
            self._act(message["action"], message.get("row") or "")

    def _edit(self, row: str, field: str, text: str) -> None:
        if row == DRAFT:
            self._edit_draft(field, text)
            return
        revision = self.account.revision
        try:
            _assign(self.account.positions[row], field, text)
        except REFUSALS as error:
            self._refuse(row, field, text, reason(error))
            return
        self._forget(row, field)
        if self.account.revision == revision:  # what was typed means what was there before
            self.table.send({"type": "ack", "row": row, "field": field})

    def _edit_draft(self, field: str, text: str) -> None:
        if self._draft is None:  # it became a position while this edit was on its way
            return
        self._draft[field] = text.strip()
        self._forget(DRAFT, field)
        symbol = self._draft["symbol"]
        if field == "symbol" and not self._draft["entry_price"] and symbol in self.account.marks:
            self._draft["entry_price"] = _raw(self.account.marks[symbol])
        missing = [name for name in ("symbol", "quantity", "entry_price") if not self._draft[name]]
        if missing:
            self.update()
            return
        try:
            position = _position(self._draft)
            draft, self._draft = self._draft, None
            try:
                self.account.positions.append(position)
            except REFUSALS:
                self._draft = draft
                raise
        except REFUSALS as error:
            at = next((f for f in EDITABLE if f in reason(error).split(":")[0]), field)
            self._refuse(DRAFT, at, self._draft[at], reason(error))
            self.update()
            return
        self.selection.key = position.key

    def _act(self, action: str, row: str) -> None:
        if action == "add":
            self._begin({"leverage": "10", "margin_mode": "cross"})
        elif action == "duplicate" and row in self.account.positions:
            self._begin({f: _raw(getattr(self.account.positions[row], f)) for f in EDITABLE})
        elif action == "delete":
            if row == DRAFT:
                self._draft = None
                self.update()
            elif row in self.account.positions:
                self.account.positions.remove(row)

    def _begin(self, fields: dict[str, str]) -> None:
        self._draft = {field: fields.get(field, "") for field in EDITABLE}
        self.update()
        self.table.selected = DRAFT
        self.table.send({"type": "focus", "row": DRAFT, "field": "symbol", "edit": True})

    def _paste(self, row: str, field: str, text: str) -> None:
        block = parse_block(text)
        if not block:
            return
        header = [_field_named(cell) for cell in block[0]]
        if all(header):
            self._paste_positions([str(one) for one in header], block[1:], first=2)
        elif len(block[0]) >= 3 and not _is_number(block[0][0]):
            self._paste_positions(list(EDITABLE[: len(block[0])]), block, first=1)
        else:
            self._paste_cells(row, field, block)

    def _paste_positions(self, fields: list[str], lines: list[list[str]], first: int) -> None:
        """Pasted rows with symbols: known legs are changed, the others added; all or nothing."""
        for needed in ("symbol", "quantity"):
            if needed not in fields:
                raise ValueError(f"paste: no column {TITLES[needed]!r}")
        problems = []
        with self.account.edit():
            for number, cells in enumerate(lines, start=first):
                given = {name: cell for name, cell in zip(fields, cells, strict=False) if cell}
                try:
                    self._paste_one(given)
                except REFUSALS as error:
                    problems.append(f"row {number}: {reason(error)}")
            if problems:
                raise ValueError(f"paste: nothing was changed; {'; '.join(problems)}")

    def _paste_one(self, given: dict[str, str]) -> None:
        if "symbol" not in given or "quantity" not in given:
            raise ValueError(f"symbol and quantity are needed, found {', '.join(given.values())!r}")
        side = "long" if parse_number("quantity", given["quantity"]) > 0 else "short"
        key = f"{given['symbol']}:{side}"
        if key in self.account.positions:
            known = self.account.positions[key]
            for name, cell in given.items():
                _assign(known, name, cell)
        else:
            if "entry_price" not in given and given["symbol"] in self.account.marks:
                given = {**given, "entry_price": _raw(self.account.marks[given["symbol"]])}
            self.account.positions.append(_position(given))

    def _paste_cells(self, row: str, field: str, block: list[list[str]]) -> None:
        """Pasted values fill cells down and right of where they were pasted; all or nothing."""
        rows = [one.id for one in self.account.positions]
        start = rows.index(row) if row in rows else 0
        column = EDITABLE.index(field) if field in EDITABLE else 0
        if start + len(block) > len(rows):
            raise ValueError(
                f"paste: {len(block)} rows do not fit into the {len(rows) - start} from here;"
                " paste rows with symbols to add positions"
            )
        problems = []
        with self.account.edit():
            for number, cells in enumerate(block, start=1):
                position = self.account.positions[rows[start + number - 1]]
                for name, cell in zip(EDITABLE[column:], cells, strict=False):
                    try:
                        _assign(position, name, cell)
                    except REFUSALS as error:
                        problems.append(f"row {number}: {reason(error)}")
            if problems:
                raise ValueError(f"paste: nothing was changed; {'; '.join(problems)}")

    # -- refusals -------------------------------------------------------------------------------

    def _refuse(self, row: str, field: str, text: str, message: str) -> None:
        others = [e for e in self.table.errors if (e["row"], e["field"]) != (row, field)]
        self.table.errors = [
            *others,
            {"row": row, "field": field, "text": text, "message": message},
        ]

    def _forget(self, row: str, field: str) -> None:
        left = [
            one
            for one in self.table.errors
            if (one["row"], one["field"]) != (row, field) and one["row"]
        ]
        if len(left) != len(self.table.errors):
            self.table.errors = left

    def _tell(self, message: str) -> None:
        self._refuse("", "", "", message)


def _assign(position: Position, field: str, text: str) -> None:
    """Set a field of a position from what was typed."""
    if field in ("symbol", "margin_mode"):
        setattr(position, field, text.strip())
    elif field == "margin" and not text.strip():
        position.margin = None
    elif field in EDITABLE:
        setattr(position, field, parse_number(field, text))
    else:
        raise KeyError(f"{field}: cannot be edited{did_you_mean(field, EDITABLE)}")


def _position(given: dict[str, str]) -> Position:
    """Build a position from typed fields; what is missing gets its default."""
    numbers = {
        name: parse_number(name, given[name])
        for name in ("quantity", "entry_price", "leverage", "margin")
        if given.get(name)
    }
    if "entry_price" not in numbers:
        raise ValueError(f"entry_price: missing for {given['symbol']}")
    return Position(given["symbol"], margin_mode=given.get("margin_mode") or "cross", **numbers)


def _raw(content: object) -> str:
    """Text to edit a value by: all its digits, nothing for none."""
    if content is None:
        return ""
    return content if isinstance(content, str) else f"{content:.15g}"


def _field_named(title: str) -> str | None:
    plain = title.strip().lower().replace(" ", "_")
    aliases = {name.lower().replace(" ", "_"): field for field, name in TITLES.items()}
    aliases |= {"entry_price": "entry_price", "size": "quantity", "qty": "quantity"}
    aliases |= {field: field for field in EDITABLE}
    found = aliases.get(plain)
    return found if found in EDITABLE else None


def _is_number(text: str) -> bool:
    try:
        parse_number("", text)
    except ValueError:
        return False
    return True
