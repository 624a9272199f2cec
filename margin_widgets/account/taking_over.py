"""An account takes over another's content as one edit, so that views and history stay."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from margin_widgets.account.position import FIELDS, Position
from margin_widgets.account.state import AccountState, PositionState

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

OTHERS = (
    "name",
    "venue",
    "collateral",
    "marks",
    "prices",
    "haircuts",
    "order_margin",
    "as_of",
)


def take_over(account: Account, state: AccountState) -> None:
    """Make an account what a state says, in one edit that can be undone.

    A position of the same symbol and side stays the same object, so that what points to it, such
    as the row selected in a table, still does.

    Parameters
    ----------
    account : Account
    state : AccountState

    Raises
    ------
    TraitError
        If the state is not sound; the account stays as it was.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> account, other = presets.ref2(), presets.ref2()
    >>> bitcoin = account.positions["BTCUSDT"]
    >>> other.positions["BTCUSDT"].quantity = 0.7
    >>> take_over(account, other.state)
    >>> bitcoin.quantity, account.undo(), bitcoin.quantity
    (0.7, True, 0.5)
    """
    with account.edit():
        free: dict[tuple[str, bool], list[Position]] = defaultdict(list)
        for row in reversed(account.positions):
            free[row.symbol, row.quantity > 0].append(row)
        account.positions = [_placed(one, free) for one in state.positions]
        for field in OTHERS:
            setattr(account, field, getattr(state, field))


def _placed(one: PositionState, free: dict[tuple[str, bool], list[Position]]) -> Position:
    """The position that already stands for a row, with the row's content, or a new one."""
    fields = {field: getattr(one, field) for field in FIELDS}
    rows = free[one.symbol, one.quantity > 0]
    if not rows:
        return Position(**fields)
    row = rows.pop()
    for field, content in fields.items():
        if getattr(row, field) != content:
            setattr(row, field, content)
    return row
