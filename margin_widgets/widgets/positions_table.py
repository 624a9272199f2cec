"""The positions of an account as a table to edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from margin_widgets.account import Position
from margin_widgets.account import formatting as fmt
from margin_widgets.account.position import MARGIN_MODES
from margin_widgets.venues.rules import did_you_mean
from margin_widgets.widgets.account_table import DRAFT, AccountTable
from margin_widgets.widgets.editing import REFUSALS, reason
from margin_widgets.widgets.parsing import parse_block, parse_number
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account
    from margin_widgets.account.state import PositionState

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
    "quantity": "signed size as the venue counts it, in coins or contracts: negative is short",
    "entry_price": "average open price",
    "leverage": "leverage setting",
    "margin": (
        "margin assigned in isolated mode, in what the contract settles in;"
        " empty: initial margin at entry"
    ),
    "margin_mode": "mode in which the position is held",
    "isolated": "liquidation price if the position stands alone",
    "cross": "liquidation price if everything supports everything, other marks unchanged",
}
COLUMNS: tuple[dict[str, Any], ...] = (
    {"field": "symbol", "kind": "text", "align": "left"},
    {"field": "quantity", "kind": "number"},
    {"field": "entry_price", "kind": "number"},
    {"field": "leverage", "kind": "number"},
    {"field": "margin", "kind": "number", "hide_below": 440},
    {
        "field": "margin_mode",
        "kind": "choice",
        "choices": list(MARGIN_MODES),
        "align": "left",
    },
    {"field": "isolated", "kind": "readonly", "explain": True},
    {"field": "cross", "kind": "readonly", "explain": True},
)


class PositionsTable(AccountTable):
    """Edit positions: add, duplicate, delete, paste from a spreadsheet, undo and redo.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets.
    """

    heading = "Positions"
    columns = tuple(
        {"title": TITLES[one["field"]], "hint": HINTS[one["field"]], **one} for one in COLUMNS
    )
    first_field = "symbol"

    def __init__(self, account: Account, selection: Selection | None = None) -> None:
        self._known: dict[str, tuple[Any, dict[str, Any]]] = {}
        super().__init__(
            account,
            selection,
            placeholder="No positions. Add one to see both margin modes.",
            actions=[
                {"action": "add", "label": "Add position", "needs_row": False},
                {"action": "duplicate", "label": "Duplicate", "needs_row": True},
                {"action": "delete", "label": "Delete", "needs_row": True},
            ],
            max_height=320,
        )
        self.follow(self.selection, self._show_selection, "key")
        self.follow(self.table, self._take_selection, "selected")

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        super().update()
        self._show_selection()

    def _rows(self) -> list[dict[str, Any]]:
        account = self.account
        books = account.books
        prices = {
            mode: getattr(account, mode).column("liquidation_price")
            for mode in ("isolated", "cross")
        }
        margins = books.book.margin.tolist()
        known, self._known = self._known, {}
        rows = []
        for number, (row, symbol) in enumerate(
            zip(books.state.positions, books.book.symbol.tolist(), strict=True)
        ):
            tick = books.contracts[symbol].tick
            # An edit leaves most positions as they are: their cells need not be written again.
            of = (row, margins[number], fmt.group())
            kept = known.get(row.id)
            own = kept[1] if kept and kept[0] == of else _cells(row, margins[number])
            self._known[row.id] = of, own
            liquidation = {
                mode: fmt.price(float(column[number]), tick) if column[number] > 0 else "none"
                for mode, column in prices.items()
            }
            rows.append({**own, "text": {**own["text"], **liquidation}})
        return rows

    def _show_selection(self, change: Any = None) -> None:
        key = self.selection.key
        shown = self.account.positions[key].id if key in self.account.positions else ""
        if shown and self.table.selected != DRAFT:
            self.table.selected = shown

    def _take_selection(self, change: Any) -> None:
        position = self.account.positions.by_id(change["new"])
        if position is not None:
            self.selection.key = position.key

    # -- edits ----------------------------------------------------------------------------------

    def _position(self, row: str) -> Position:
        position = self.account.positions.by_id(row)
        if position is None:
            raise KeyError("this position is no longer in the account")
        return position

    def _assign(self, row: str, field: str, text: str) -> None:
        _assign(self._position(row), field, text)

    def _explain(self, row: str, field: str) -> None:
        key = self._position(row).key
        self.selection.key = key
        self._ask(f"{field}.positions.{key}.liquidation_price")

    def _sets(self, row: str, field: str) -> tuple[str, ...]:
        return ("positions", self._position(row).key, field) if field in EDITABLE else ()

    def _delete(self, row: str) -> None:
        self.account.positions.remove(self._position(row))

    def _begin(self, row: str) -> dict[str, str]:
        fields = dict.fromkeys(EDITABLE, "") | {"leverage": "10", "margin_mode": "cross"}
        if row:
            copied = self._position(row).to_dict()
            # A symbol holds one leg a side, so the copy is the other leg: a hedge.
            fields |= copied | {"quantity": -copied["quantity"]}
        return {field: _raw(content) for field, content in fields.items()}

    def _missing(self, draft: dict[str, str]) -> bool:
        if draft["symbol"] in self.account.marks and not draft["entry_price"]:
            draft["entry_price"] = _raw(self.account.marks[draft["symbol"]])
        return not all(draft[field] for field in ("symbol", "quantity", "entry_price"))

    def _join(self, draft: dict[str, str]) -> None:
        position = _position(draft)
        self.account.positions.append(position)
        self.selection.key = position.key

    def _paste(self, row: str, field: str, text: str) -> None:
        block = parse_block(text)
        if not block:
            return
        header = [_field_named(cell) for cell in block[0]]
        if sum(map(bool, header)) >= 2:
            unknown = [cell for cell, known in zip(block[0], header, strict=True) if not known]
            if unknown:
                hint = did_you_mean(unknown[0], TITLES.values())
                raise ValueError(f"paste: unknown column {unknown[0]!r}{hint}")
            self._paste_positions([str(one) for one in header], block[1:], first=2)
        elif len(block[0]) >= 3 and not _is_number(block[0][0]):
            self._paste_positions(list(EDITABLE), block, first=1)
        else:
            self._paste_cells(row, field, block)

    def _paste_positions(self, fields: list[str], lines: list[list[str]], first: int) -> None:
        """Pasted rows with symbols: known legs are changed, the others added; all or nothing."""
        for needed in ("symbol", "quantity"):
            if needed not in fields:
                raise ValueError(f"paste: no column {TITLES[needed]!r}")
        problems = []
        seen: dict[str, int] = {}
        with self.account.edit():
            for number, cells in enumerate(lines, start=first):
                if len(cells) > len(fields):
                    problems.append(f"row {number}: {len(cells)} cells, {len(fields)} columns")
                    continue
                given = {name: cell for name, cell in zip(fields, cells, strict=False) if cell}
                try:
                    key = self._paste_one(given)
                    if key in seen:
                        raise ValueError(f"{key} stands in row {seen[key]} already")
                    seen[key] = number
                except REFUSALS as error:
                    problems.append(f"row {number}: {reason(error)}")
            if problems:
                raise ValueError(f"paste: nothing was changed; {'; '.join(problems)}")

    def _paste_one(self, given: dict[str, str]) -> str:
        """Take in one pasted position; return the leg it is."""
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
        return key

    def _paste_cells(self, row: str, field: str, block: list[list[str]]) -> None:
        """Pasted values fill cells down and right of where they were pasted; all or nothing."""
        rows = [one.id for one in self.account.positions]
        start = rows.index(row) if row in rows else 0
        if field not in EDITABLE:
            raise ValueError(f"paste: {TITLES.get(field, field)!r} is computed, not typed")
        column = EDITABLE.index(field)
        if start + len(block) > len(rows):
            raise ValueError(
                f"paste: {len(block)} rows do not fit into the {len(rows) - start} from here;"
                " paste rows with symbols to add positions"
            )
        problems = []
        with self.account.edit():
            for number, cells in enumerate(block, start=1):
                position = self._position(rows[start + number - 1])
                if len(cells) > len(EDITABLE) - column:
                    problems.append(f"row {number}: {len(cells)} cells do not fit from here")
                for name, cell in zip(EDITABLE[column:], cells, strict=False):
                    try:
                        _assign(position, name, cell)
                    except REFUSALS as error:
                        problems.append(f"row {number}: {reason(error)}")
            if problems:
                raise ValueError(f"paste: nothing was changed; {'; '.join(problems)}")


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


def _cells(row: PositionState, margin: float) -> dict[str, Any]:
    """The cells of a row that the position itself decides, with the margin assigned to it."""
    return {
        "id": row.id,
        "text": {
            "symbol": row.symbol,
            "quantity": fmt.plain(row.quantity),
            "entry_price": fmt.plain(row.entry_price),
            "leverage": f"{fmt.plain(row.leverage)}×",
            "margin": fmt.plain(float(f"{margin:.6g}")),
            "margin_mode": row.margin_mode,
        },
        "raw": {field: _raw(getattr(row, field)) for field in EDITABLE},
        "classes": {
            "margin_mode": f"mw-mode-{row.margin_mode}",
            **({"margin": "mw-auto"} if row.margin is None else {}),
        },
    }


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
