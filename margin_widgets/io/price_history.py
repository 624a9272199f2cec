"""Price histories from pandas tables: a row per moment in UTC, a column per symbol."""

from __future__ import annotations

import datetime as dt
import numbers
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import TraitError

from margin_widgets.account.checks import number
from margin_widgets.account.frames import is_blank

if TYPE_CHECKING:
    import pandas as pd


_CLOCK = r"\d{2}(:?\d{2}(:?\d{2}([.,]\d{1,9})?)?)?"
_ISO = re.compile(
    rf"\s*(\d{{4}}-\d{{2}}-\d{{2}}([T ]{_CLOCK}\s?(Z|[+-]\d{{2}}(:?\d{{2}})?)?)?"
    rf"|\d{{8}}T{_CLOCK}(Z|[+-]\d{{2}}(:?\d{{2}})?)?)\s*",
    re.ASCII | re.IGNORECASE,
)


def price_history(
    table: pd.DataFrame,
    *,
    time: str | None = None,
    timezone: str | None = None,
    skip_bad_rows: bool = False,
) -> pd.DataFrame:
    """Check a table of marks; every row is either read or named.

    Parameters
    ----------
    table : DataFrame
        Index: times, ascending, each once; as datetimes, or as ISO 8601 text like
        ``"2026-11-22T08:00Z"``. Other text is refused: it would have to be guessed at.
        A column per symbol, prices above 0 in every row.
    time : str, optional
        Column that holds the times, in place of the index.
    timezone : str, optional
        What times without a zone are in, e.g. ``"UTC"``; without it they are refused.
    skip_bad_rows : bool
        Leave bad rows out and name them in a warning, in place of refusing the table.

    Returns
    -------
    DataFrame
        Index ``time`` in UTC, a column of floats per symbol: what `marks_from_frame` takes.

    Raises
    ------
    TraitError
        Listing every bad row by its number, counted from 1, or the columns that are no symbols.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {"BTCUSDT": [100_000, 98_000], "ETHUSDT": [4_000, 3_900]},
    ...     index=["2026-11-22T08:00Z", "2026-11-22T10:00+01:00"],
    ... )
    >>> price_history(table).index[1].isoformat()
    '2026-11-22T09:00:00+00:00'
    """
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise TraitError(f"prices: {type(table).__name__} is not a pandas table")
    if time is not None:
        if time not in table.columns:
            raise TraitError(f"prices: no column {time!r}; there are {_listed(table.columns)}")
        table = table.set_index(time)
    symbols = _symbols(table)
    times: list[Any] = []
    prices: list[list[float]] = []
    problems: list[str] = []
    cells = zip(table.index, table.to_numpy(object).tolist(), strict=True)
    for place, (moment, row) in enumerate(cells, start=1):
        try:
            when = _moment(moment, timezone)
            if times and when <= times[-1]:
                word = "there already" if when == times[-1] else f"before {times[-1].isoformat()}"
                raise TraitError(f"time {when.isoformat()} is {word}")
            found = _prices(symbols, row)
        except TraitError as error:
            problems.append(f"row {place}: {error}")
        else:
            times.append(when)
            prices.append(found)
    if problems and not skip_bad_rows:
        raise TraitError("\n".join(problems))
    if problems:
        told = f"{len(problems)} of {len(table)} rows are left out:"
        warnings.warn("\n".join([told, *problems]), UserWarning, stacklevel=2)
    if not times:
        raise TraitError("prices: the table has no rows")
    index = pd.DatetimeIndex(times, name="time")
    return pd.DataFrame(prices, index=index, columns=symbols, dtype=float)


def _symbols(table: pd.DataFrame) -> list[str]:
    """Names of the columns; TraitError where they cannot be symbols."""
    names = list(table.columns)
    problems = [
        f"column {place}: {name!r} is not a symbol"
        for place, name in enumerate(names, start=1)
        if not isinstance(name, str) or not name.strip()
    ]
    twice = {name for name in names if names.count(name) > 1}
    problems += [f"column {name!r} is there twice" for name in sorted(map(str, twice))]
    if not names:
        problems.append("no columns: give one per symbol")
    if problems:
        raise TraitError(f"prices: {'; '.join(problems)}")
    return names


def _moment(moment: Any, timezone: str | None) -> pd.Timestamp:
    """A time in UTC."""
    import pandas as pd

    if is_blank(moment):
        raise TraitError("time: blank")
    if isinstance(moment, (numbers.Number, np.number, np.bool_)):
        raise TraitError(f"time {moment!r} is a number; convert it with pandas.to_datetime first")
    if isinstance(moment, str):
        # Anything else is a guess: the month or the day first, a time of the day of today.
        if not _ISO.fullmatch(moment):
            raise TraitError(f"time {moment!r} is not a time like '2026-11-22T08:00Z' (ISO 8601)")
    elif not isinstance(moment, (dt.datetime, np.datetime64)):
        raise TraitError(f"time {moment!r} is not a time")
    try:
        found = pd.Timestamp(moment)
    except (TypeError, ValueError):
        raise TraitError(f"time {moment!r} is not a time") from None
    if found.tz is None:
        if timezone is None:
            raise TraitError(f"time {moment} has no zone; say what it is in, e.g. timezone='UTC'")
        try:
            found = found.tz_localize(timezone)
        except (TypeError, ValueError, KeyError) as error:
            raise TraitError(f"time {moment}: no such time in {timezone!r} ({error})") from None
    return found.tz_convert("UTC")


def _prices(symbols: Sequence[str], row: Sequence[Any]) -> list[float]:
    """Prices of a row; TraitError that names all bad ones."""
    found, problems = [], []
    for symbol, price in zip(symbols, row, strict=True):
        if is_blank(price):
            problems.append(f"{symbol}: blank")
            continue
        try:
            found.append(number(symbol, price, above=0.0))
        except TraitError as error:
            problems.append(str(error))
    if problems:
        raise TraitError("; ".join(problems))
    return found


def _listed(names: Any) -> str:
    return ", ".join(repr(str(name)) for name in names) or "none"
