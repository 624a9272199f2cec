"""Positions and marks as pandas tables, out and in; every bad row is named.

>>> from margin_widgets import presets
>>> account = presets.ref2()
>>> again = from_frame(
...     positions_frame(account),
...     venue=account.venue,
...     collateral=account.collateral,
...     marks=marks_series(account),
... )
>>> [row.to_dict() for row in again.positions] == [row.to_dict() for row in account.positions]
True
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from traitlets import TraitError

from margin_widgets.account.checks import number
from margin_widgets.account.position import FIELDS, Position
from margin_widgets.account.report import POSITION_FIGURES
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

Row = TypeVar("Row")
Read = TypeVar("Read")

REQUIRED = FIELDS[:3]
REPORT_ONLY = ("side", "mark", *(name for name in POSITION_FIGURES if name not in FIELDS))


def positions_frame(account: Account) -> pd.DataFrame:
    """Return the positions as a table: one row each (index: its key), one column per field.

    `positions_from_frame` reads it back without loss. An assigned margin that is not set is blank.
    """
    import pandas as pd

    rows = list(account.positions)
    columns = {
        field: pd.Series(
            [getattr(row, field) for row in rows],
            dtype=object if field in ("symbol", "margin_mode") else float,
        )
        for field in FIELDS
    }
    return pd.DataFrame(columns).set_axis(pd.Index(account.positions.keys(), name="position"))


def positions_from_frame(frame: pd.DataFrame) -> list[Position]:
    """Positions from a table with a row each.

    Parameters
    ----------
    frame : DataFrame
        Columns ``symbol``, ``quantity`` and ``entry_price``; if wanted ``leverage``, ``margin`` and
        ``margin_mode``, where a blank cell means the default. The index is not read. Columns of a
        report (``side``, ``mark``, ``notional``, ...) may be there: they follow from the account
        and are not read, except that ``side`` must agree with the sign of the quantity. Where any
        of them is there, ``margin`` is a figure of the report too, and a warning says so.

    Raises
    ------
    TraitError
        Listing every bad row by its number, counted from 1, or the columns that are not known.
    """
    columns = checked_columns("positions", frame, FIELDS, REQUIRED, REPORT_ONLY)
    figures = [name for name in columns if name in REPORT_ONLY and name not in ("side", "mark")]
    fields = [name for name in FIELDS if name in columns]
    if figures and "margin" in fields:
        fields.remove("margin")
        warnings.warn(
            f"column 'margin' beside {figures[0]!r} is a figure of a report: it is not read as"
            " assigned margin",
            UserWarning,
            stacklevel=2,
        )

    def position(row: Mapping[str, Any]) -> Position:
        given = {name: row[name] for name in fields if not is_blank(row[name])}
        missing = [name for name in REQUIRED if name not in given]
        if missing:
            raise TraitError(f"{' and '.join(missing)}: blank")
        read = Position(**given)
        side = row.get("side")
        if not is_blank(side) and side != read.side:
            raise TraitError(
                f"{read.symbol} side: {side!r} disagrees with quantity {read.quantity:g};"
                " short positions have a negative quantity"
            )
        return read

    return each_row(
        position, (dict(zip(columns, row, strict=True)) for row in frame.to_numpy(object))
    )


def from_frame(frame: pd.DataFrame, **account_arguments: Any) -> Account:
    """Account with the positions of a table.

    Parameters
    ----------
    frame : DataFrame
        As for `positions_from_frame`.
    **account_arguments
        Of `Account`; `marks` may be a series or a table too, see `marks_from_frame`.

    Raises
    ------
    TraitError
        Listing every bad row by its number.
    """
    import pandas as pd

    from margin_widgets.account.account import Account

    marks = account_arguments.get("marks")
    if isinstance(marks, (pd.Series, pd.DataFrame)):
        account_arguments["marks"] = marks_from_frame(marks)
    return Account(positions=positions_from_frame(frame), **account_arguments)


def marks_series(account: Account) -> pd.Series[float]:
    """Return the marks as a series by symbol, as `marks_from_frame` reads it."""
    import pandas as pd

    marks = account.marks.copy()
    index = pd.Index(list(marks), name="symbol", dtype=object)
    return pd.Series(list(marks.values()), index=index, name="mark", dtype=float)


def marks_from_frame(table: pd.Series[Any] | pd.DataFrame, at: Any = None) -> dict[str, float]:
    """Marks by symbol from a series or a table.

    Parameters
    ----------
    table : Series or DataFrame
        A series of prices by symbol; a table with the columns ``symbol`` and ``mark``; or a table
        of price histories with a column per symbol and a row per time.
    at : optional
        Which row of price histories, by its label; the last one if not given.

    Raises
    ------
    TraitError
        Listing every price that is not one.

    Examples
    --------
    >>> import pandas as pd
    >>> history = pd.DataFrame({"BTCUSDT": [100_000.0, 98_000.0], "ETHUSDT": [4_000.0, 3_900.0]})
    >>> marks_from_frame(history)
    {'BTCUSDT': 98000.0, 'ETHUSDT': 3900.0}
    """
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        if {"symbol", "mark"} <= set(table.columns):
            table = table.set_index("symbol")["mark"]
        else:
            table = _moment(table, at)
    elif not isinstance(table, pd.Series):
        raise TraitError(f"marks: {type(table).__name__} is not a pandas series or table")
    twice = table.index[table.index.duplicated()].unique()
    if len(twice):
        raise TraitError(f"marks: {', '.join(map(str, twice))} given twice")

    def mark(item: tuple[Any, Any]) -> tuple[str, float]:
        symbol, price = item
        if not isinstance(symbol, str) or not symbol.strip():
            raise TraitError(f"{symbol!r} is not a symbol")
        return symbol, number(f"marks[{symbol!r}]", price, above=0.0)

    pairs = zip(table.index, table.to_numpy(object), strict=True)
    return dict(each_row(mark, pairs))


def _moment(table: pd.DataFrame, at: Any) -> pd.Series[Any]:
    if not len(table):
        raise TraitError("marks: the table has no rows")
    if at is None:
        return table.iloc[-1]
    try:
        found: pd.Series[Any] = table.loc[at]
    except KeyError:
        raise TraitError(
            f"marks: no row {at!r}; there are {table.index[0]} to {table.index[-1]}"
        ) from None
    if found.ndim != 1:
        raise TraitError(f"marks: {at!r} names {len(found)} rows")
    return found


def checked_columns(
    what: str,
    frame: pd.DataFrame,
    fields: Iterable[str],
    required: Iterable[str],
    ignored: Iterable[str] = (),
) -> list[str]:
    """Names of the columns of a table of rows.

    Parameters
    ----------
    what : str
        What the rows are, for the error.
    frame : DataFrame
    fields, required, ignored : iterable of str
        Columns that are read, that must be there, and that may be there beside them.

    Raises
    ------
    TraitError
        Listing columns that are not known, missing, or there twice.
    """
    columns = [str(name) for name in frame.columns]
    fields = tuple(fields)
    known = (*fields, *ignored)
    problems = [
        f"unknown column {name!r}{did_you_mean(name, fields)}"
        for name in columns
        if name not in known
    ]
    problems += [f"column {name!r} is missing" for name in required if name not in columns]
    problems += [f"column {name!r} is there twice" for name in known if columns.count(name) > 1]
    if problems:
        raise TraitError(f"{what}: {'; '.join(problems)}")
    return columns


def is_blank(cell: Any) -> bool:
    """Whether a cell of a table holds nothing."""
    import pandas as pd

    return (pd.api.types.is_scalar(cell) and bool(pd.isna(cell))) or cell == ""


def each_row(read: Callable[[Row], Read], rows: Iterable[Row]) -> list[Read]:
    """Read every row, then refuse all bad ones at once."""
    found, problems = [], []
    for place, row in enumerate(rows, start=1):
        try:
            found.append(read(row))
        except TraitError as error:
            problems.append(f"row {place}: {error}")
    if problems:
        raise TraitError("\n".join(problems))
    return found
