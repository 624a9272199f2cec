"""Tier tables from pandas tables, as exchanges publish them: a row per symbol and band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import TraitError

from margin_widgets.account.frames import checked_columns, is_blank
from margin_widgets.venues.checks import RuleError
from margin_widgets.venues.tables import TierTable, tier_table

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("symbol", "floor", "rate", "max_leverage")
REQUIRED = COLUMNS[:3]


def tiers_from_frame(table: pd.DataFrame) -> dict[str, TierTable]:
    """Maintenance tiers by symbol, for ``venue.replace(tiers=...)``; every row is read or named.

    Parameters
    ----------
    table : DataFrame
        Columns ``symbol``, ``floor`` (of notional, or what the venue's ``tiers_by`` says), ``rate``
        and, if wanted, ``max_leverage`` (blank: not known). Floors of a symbol begin at 0 and rise,
        rates never fall. The index is not read.

    Raises
    ------
    TraitError
        Listing every bad row by its number, counted from 1, or the columns that are not known.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {"symbol": ["BTCUSDT"] * 2, "floor": [0, 300_000], "rate": [0.004, 0.005]}
    ... )
    >>> tiers_from_frame(table)["BTCUSDT"][1].rate
    0.005
    """
    columns = checked_columns("tiers", table, COLUMNS, REQUIRED)
    problems: list[str] = []
    found: dict[str, TierTable] = {}
    for place, cells in enumerate(table.to_numpy(object), start=1):
        row = dict(zip(columns, cells, strict=True))
        try:
            symbol = row["symbol"]
            if is_blank(symbol) or not isinstance(symbol, str) or not symbol.strip():
                raise TraitError("symbol: blank")
            found[symbol] = _with(symbol, found.get(symbol, ()), row)
        except TraitError as error:
            problems.append(f"row {place}: {error}")
    if problems:
        raise TraitError("\n".join(problems))
    if not found:
        raise TraitError("tiers: the table has no rows")
    return found


def _with(symbol: str, before: TierTable, row: dict[str, Any]) -> TierTable:
    """The tiers of a symbol and one more; TraitError that says what is wrong with it."""
    blank = [name for name in REQUIRED if is_blank(row[name])]
    if blank:
        raise TraitError(f"{symbol} {' and '.join(blank)}: blank")
    most = row.get("max_leverage")
    cells = (row["floor"], row["rate"], None if is_blank(most) else most)
    try:
        return tier_table(symbol, [*before, cells])
    except RuleError as error:
        # There the row is counted within the symbol, here within the table.
        raise TraitError(f"{symbol}: {str(error).partition(': ')[2]}") from None
