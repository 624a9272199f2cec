"""The collateral of an account as a table to edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.engine.valuation import count_as_margin
from margin_widgets.widgets.editing import REFUSALS, guarded, reason
from margin_widgets.widgets.frontend import Styled, Table
from margin_widgets.widgets.lifetime import Part
from margin_widgets.widgets.parsing import parse_number
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account

DRAFT = "draft"
COLUMNS: list[dict[str, Any]] = [
    {"field": "asset", "title": "Asset", "kind": "text", "align": "left", "hint": "name"},
    {"field": "amount", "title": "Amount", "kind": "number", "hint": "wallet balance; < 0: a loan"},
    {
        "field": "price",
        "title": "Price",
        "kind": "number",
        "hint": "fixed price in the account's currency; empty: follows a mark",
    },
    {
        "field": "haircut",
        "title": "Haircut",
        "kind": "number",
        "hint": "share that does not count as margin, in per cent",
    },
    {
        "field": "counts",
        "title": "Counts as",
        "kind": "readonly",
        "explain": True,
        "hint": "margin value: amount × price × (1 − haircut)",
    },
]


class CollateralTable(Part):
    """Edit wallet balances, fixed prices and haircuts of each asset.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets.
    """

    def __init__(self, account: Account, selection: Selection | None = None) -> None:
        self.account = account
        self.selection = selection or Selection()
        self._draft: dict[str, str] | None = None
        self.table = Table(
            columns=[{"align": "right", **one} for one in COLUMNS],
            label="Collateral",
            placeholder="No collateral. Add an asset.",
            actions=[
                {"action": "add", "label": "Add asset", "needs_row": False},
                {"action": "delete", "label": "Delete", "needs_row": True},
            ],
            max_height=180,
        )
        super().__init__([Styled(html='<h3 class="mw-heading">Collateral</h3>'), self.table])
        self.add_class("mw-panel")
        self.table.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self.update, "revision")
        self.update()

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        rows = self._rows()
        known = {row["id"] for row in rows}
        with self.table.hold_sync():
            self.table.rows = rows
            standing = [one for one in self.table.errors if one["row"] in known]
            if len(standing) != len(self.table.errors):
                self.table.errors = standing
            if self.table.selected not in known:
                self.table.selected = ""

    def _rows(self) -> list[dict[str, Any]]:
        books = self.account.books
        book = books.book
        prices = book.asset_prices(books.marks)
        counted = count_as_margin(book, book.wallet) * prices
        rows = []
        for asset, amount in self.account.collateral.items():
            place = books.assets.index(asset)
            fixed = asset in self.account.prices
            share = book.haircuts.steps[place]
            bands = np.count_nonzero(share) > 1
            rows.append(
                {
                    "id": asset,
                    "text": {
                        "asset": asset,
                        "amount": fmt.plain(amount),
                        "price": fmt.price(float(prices[place])),
                        "haircut": "in bands" if bands else fmt.percent(float(share.sum()), 1),
                        "counts": fmt.amount(float(counted[place])),
                    },
                    "raw": {
                        "asset": asset,
                        "amount": f"{amount:.15g}",
                        "price": f"{self.account.prices[asset]:.15g}" if fixed else "",
                        "haircut": "" if bands else f"{100 * float(share.sum()):.10g}",
                    },
                    "classes": {} if fixed else {"price": "mw-auto"},
                }
            )
        if self._draft is not None:
            rows.append(
                {
                    "id": DRAFT,
                    "text": {"price": "", "haircut": "", "counts": "", **self._draft},
                    "raw": dict(self._draft),
                    "classes": {},
                    "flags": ["draft"],
                }
            )
        return rows

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "edit":
            self._edit(message["row"], message["field"], message["text"])
        elif kind == "cancel":
            self._forget(message["row"], message["field"])
        elif kind == "paste":
            raise ValueError("paste: positions can be pasted into the positions table")
        elif kind == "undo":
            self.account.undo()
        elif kind == "redo":
            self.account.redo()
        elif kind == "explain":
            self.selection.explain = f"collateral.{message['row']}.counted"
        elif kind == "action":
            self._act(message["action"], message.get("row") or "")

    def _edit(self, row: str, field: str, text: str) -> None:
        revision = self.account.revision
        try:
            if row == DRAFT:
                self._edit_draft(field, text)
            else:
                self._assign(row, field, text)
        except REFUSALS as error:
            self._refuse(row, field, text, reason(error))
            return
        self._forget(row, field)
        if self.account.revision == revision:
            self.table.send({"type": "ack", "row": row, "field": field})

    def _assign(self, asset: str, field: str, text: str) -> None:
        account = self.account
        if field == "amount":
            account.collateral[asset] = parse_number("amount", text)
        elif field == "haircut":
            account.haircuts[asset] = parse_number("haircut", text) / 100
        elif field == "price":
            if text.strip():
                account.prices[asset] = parse_number("price", text)
            elif asset in account.prices:
                del account.prices[asset]
        elif field == "asset":
            name = text.strip()
            if name != asset and name in account.collateral:
                raise ValueError(f"asset: {name!r} is listed already")
            account.collateral = {
                name if one == asset else one: held for one, held in account.collateral.items()
            }

    def _edit_draft(self, field: str, text: str) -> None:
        if self._draft is None:  # it became an asset while this edit was on its way
            return
        self._draft[field] = text.strip()
        asset, amount = self._draft["asset"], self._draft["amount"]
        if not asset or not amount:
            self.update()
            return
        if asset in self.account.collateral:
            raise ValueError(f"asset: {asset!r} is listed already")
        number = parse_number("amount", amount)
        draft, self._draft = self._draft, None
        try:
            self.account.collateral[asset] = number
        except REFUSALS:
            self._draft = draft
            raise

    def _act(self, action: str, row: str) -> None:
        if action == "add":
            self._draft = {"asset": "", "amount": ""}
            self.update()
            self.table.selected = DRAFT
            self.table.send({"type": "focus", "row": DRAFT, "field": "asset", "edit": True})
        elif action == "delete" and row == DRAFT:
            self._draft = None
            self.update()
        elif action == "delete" and row in self.account.collateral:
            del self.account.collateral[row]

    def _refuse(self, row: str, field: str, text: str, message: str) -> None:
        self._forget(row, field)
        self.table.errors = [
            *self.table.errors,
            {"row": row, "field": field, "text": text, "message": message},
        ]

    def _forget(self, row: str, field: str) -> None:
        left = [e for e in self.table.errors if (e["row"], e["field"]) != (row, field) and e["row"]]
        if len(left) != len(self.table.errors):
            self.table.errors = left

    def _tell(self, message: str) -> None:
        self._refuse("", "", "", message)
