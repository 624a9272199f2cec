"""One field that is to change: shown, written as code, tried on a state, made in an account."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from margin_widgets.account import formatting as fmt
from margin_widgets.account.state import AccountState

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

COLLATERAL = "collateral"
"""Field of a change of the wallet; every other field is one of a position."""

POSITION = "position"
"""Field of a change that takes a position out."""

_LABELS = {
    COLLATERAL: "wallet",
    POSITION: "position",
    "quantity": "size",
    "entry_price": "entry price",
    "margin_mode": "margin mode",
}
_AMOUNT_UNITS = ("USDT", "USDC", "USD", "FDUSD", "BUSD", "TUSD", "DAI")


@dataclass(frozen=True)
class Change:
    """One field, what it is and what it is to be.

    Attributes
    ----------
    name : str
        Key of the position, or the asset of the wallet.
    field : str
        ``"collateral"``, a field of a position, or ``"position"`` for one that is taken out.
    before, after : float, str or None
        A margin before is the one assigned, also where it follows the leverage. A margin after of
        None follows the leverage; a quantity after of None is none at all.
    unit : str
    row : str
        Id of the position, by which it is found again whatever its key is by then.
    """

    name: str
    field: str
    before: float | str | None
    after: float | str | None
    unit: str = ""
    row: str = ""

    @property
    def label(self) -> str:
        """What changes, in words."""
        return f"{self.name} {_LABELS.get(self.field, self.field)}"

    @property
    def code(self) -> str:
        """The assignment that does the same."""
        if self.field == COLLATERAL:
            return f"account.collateral[{self.name!r}] = {self.after!r}"
        if self.field == POSITION:
            return f"del account.positions[{self.name!r}]"
        return f"account.positions[{self.name!r}].{self.field} = {self.after!r}"

    def shown(self, content: float | str | None) -> str:
        """A value of the field as people read it."""
        if content is None:
            return "none" if self.field == POSITION else "by leverage"
        if isinstance(content, str):
            return content
        if self.field == "leverage":
            return f"{fmt.plain(content, 4)}×"
        if self.field == "entry_price":
            return fmt.price(content)
        if self.field in (COLLATERAL, "margin"):
            return money(content, self.unit)
        return fmt.plain(float(f"{content:.6g}"))

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit and self.field != "leverage" else ""
        return f"{self.label}: {self.shown(self.before)} → {self.shown(self.after)}{unit}"


def money(content: float, asset: str) -> str:
    """An amount of an asset: cents of a dollar currency, more digits of a coin.

    >>> money(15175, "USDT"), money(0.151234567, "BTC")
    ('15,175.00', '0.15123457')
    """
    if asset in _AMOUNT_UNITS or abs(content) >= 1_000:
        return fmt.amount(content)
    return fmt.plain(content, 8)


def changed(state: AccountState, changes: Iterable[Change]) -> AccountState:
    """Return the state with the changes made; it is not checked."""
    rows = {row.id: row for row in state.positions}
    wallet = dict(state.collateral)
    for one in changes:
        if one.field == COLLATERAL:
            wallet[one.name] = one.after  # type: ignore[assignment]
        elif one.field == POSITION:
            del rows[one.row]
        else:
            rows[one.row] = replace(rows[one.row], **{one.field: one.after})  # type: ignore[arg-type]
    return state.replace(positions=tuple(rows.values()), collateral=wallet)


def write(account: Account, changes: Sequence[Change]) -> None:
    """Make the changes in an account as one edit."""
    with account.edit():
        for one in changes:
            if one.field == COLLATERAL:
                account.collateral[one.name] = one.after
                continue
            position = account.positions.by_id(one.row)
            if position is None:
                raise KeyError(f"no position {one.name!r} any more")
            if one.field == POSITION:
                account.positions.remove(position)
            else:
                setattr(position, one.field, one.after)


def merged(changes: Sequence[Change]) -> list[Change]:
    """Several bookings to one wallet as one change, behind the changes of positions."""
    wallets: dict[str, list[Change]] = {}
    for one in changes:
        if one.field == COLLATERAL:
            wallets.setdefault(one.name, []).append(one)
    single = [one for one in changes if one.field != COLLATERAL]
    for bookings in wallets.values():
        first = bookings[0]
        booked = [one.after - one.before for one in bookings]  # type: ignore[operator]
        single.append(replace(first, after=math.fsum([first.before, *booked])))  # type: ignore[list-item]
    return single
