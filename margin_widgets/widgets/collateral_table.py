"""The collateral of an account as a table to edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.engine.valuation import count_as_margin
from margin_widgets.widgets.account_table import AccountTable
from margin_widgets.widgets.parsing import parse_number
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account

COLUMNS: tuple[dict[str, Any], ...] = (
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
)


class CollateralTable(AccountTable):
    """Edit wallet balances, fixed prices and haircuts of each asset.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets.
    """

    heading = "Collateral"
    columns = COLUMNS
    first_field = "asset"

    def __init__(self, account: Account, selection: Selection | None = None) -> None:
        super().__init__(
            account,
            selection,
            placeholder="No collateral. Add an asset.",
            actions=[
                {"action": "add", "label": "Add asset", "needs_row": False},
                {"action": "delete", "label": "Delete", "needs_row": True},
            ],
            max_height=180,
        )

    def _rows(self) -> list[dict[str, Any]]:
        books = self.account.books
        book = books.book
        prices = book.asset_prices(books.marks)
        counted = count_as_margin(book, book.wallet) * prices
        currency = self.account.currency
        rows = []
        for asset, amount in self.account.collateral.items():
            place = books.assets.index(asset)
            fixed = asset in self.account.prices or asset == currency
            price = f"{self.account.prices[asset]:.15g}" if asset in self.account.prices else ""
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
                        **({} if asset == currency else {"price": price}),
                        "haircut": "" if bands else f"{100 * float(share.sum()):.10g}",
                    },
                    "classes": {} if fixed else {"price": "mw-auto"},
                }
            )
        return rows

    def _assign(self, row: str, field: str, text: str) -> None:
        account, asset = self.account, row
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
            with account.edit():
                for held in ("collateral", "prices", "haircuts"):
                    content = getattr(account, held)
                    setattr(
                        account, held, {name if a == asset else a: x for a, x in content.items()}
                    )

    def _begin(self, row: str) -> dict[str, str]:
        return {"asset": "", "amount": "", "price": ""}

    def _missing(self, draft: dict[str, str]) -> bool:
        return not (draft["asset"] and draft["amount"])

    def _join(self, draft: dict[str, str]) -> None:
        asset = draft["asset"]
        if asset in self.account.collateral:
            raise ValueError(f"asset: {asset!r} is listed already")
        with self.account.edit():
            if draft["price"]:
                self.account.prices[asset] = parse_number("price", draft["price"])
            self.account.collateral[asset] = parse_number("amount", draft["amount"])

    def _sets(self, row: str, field: str) -> tuple[str, ...]:
        held = {"asset": "collateral", "amount": "collateral", "price": "prices"}
        kind = (held | {"haircut": "haircuts"}).get(field)
        return (kind, row) if kind else ()

    def _delete(self, row: str) -> None:
        del self.account.collateral[row]

    def _explain(self, row: str, field: str) -> None:
        self._ask(f"collateral.{row}.counted")

    def _paste(self, row: str, field: str, text: str) -> None:
        raise ValueError("paste: paste positions into the positions table")
