"""What a recorded window of prices of one collateral asset would have done to both modes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import TraitError

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.chart_svg import Axis, Chart, round_ticks, static_page, static_table
from margin_widgets.account.checks import number
from margin_widgets.account.collateral_stress import CEILING, MODES, PoolLines
from margin_widgets.account.figures import Column, Shown
from margin_widgets.engine.book import Floats
from margin_widgets.engine.liquidation import stands
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

_ROWS_AT_MOST = 14


@dataclass(frozen=True)
class ReplayEvent:
    """A pool found at or below its trigger in a row, and closed there.

    Attributes
    ----------
    row : int
        From 0.
    pool : str
    positions : tuple of str
    price : float
        Price of the asset in that row: what the gap since the row before skipped is not traded.
    balance : float
        Margin balance of the pool there; negative is paid by others.
    """

    row: int
    pool: str
    positions: tuple[str, ...]
    price: float
    balance: float


@dataclass(frozen=True, eq=False)
class ReplaySeries:
    """One mode, row by row.

    Attributes
    ----------
    mode : str
    margin_ratio : ndarray (M,)
        Highest maintenance over margin balance of the pools that stand before the row; NaN if
        none does.
    events : tuple of ReplayEvent
    """

    mode: str
    margin_ratio: Floats
    events: tuple[ReplayEvent, ...]


@dataclass(frozen=True, eq=False)
class DepegReplay:
    """Both modes while the price of one collateral asset goes through a recorded window.

    All marks stay as they are. A pool is looked at in each row only: it is closed in the first
    one in which it is at its trigger or beyond, and stays closed when the price recovers.

    Attributes
    ----------
    books : Books
    asset : str
    times : tuple
        Labels of the rows.
    prices : ndarray (M,)
        In the account's currency.
    isolated, cross : ReplaySeries
    """

    books: Books
    asset: str
    times: tuple[Any, ...]
    prices: Floats
    isolated: ReplaySeries
    cross: ReplaySeries

    @property
    def series(self) -> tuple[ReplaySeries, ReplaySeries]:
        """Both modes."""
        return self.isolated, self.cross

    @cached_property
    def text(self) -> str:
        """What happens in the window, in a sentence or two."""
        low = int(np.argmin(self.prices))
        currency = self.books.state.venue.currency
        told = "; ".join(self._told(one) for one in self.series)
        return (
            f"{self.asset} over {len(self.prices)} rows from {self.times[0]} to {self.times[-1]}:"
            f" {fmt.price(float(self.prices[0]))} at first, lowest"
            f" {fmt.price(float(self.prices[low]))} {currency} at {self.times[low]}, all marks"
            f" stay. {told[:1].upper()}{told[1:]}. Between rows nothing is seen, and a pool closed"
            " once stays closed."
        )

    def _told(self, series: ReplaySeries) -> str:
        known = series.margin_ratio[np.isfinite(series.margin_ratio)]
        if not series.events:
            most = fmt.percent(float(known.max()), 1) if len(known) else "nothing to liquidate"
            return f"{series.mode} is not liquidated, its ratio at most {most}"
        named = [
            f"{'the account' if one.pool == 'cross' else one.pool} at {self.times[one.row]}"
            f" ({self.asset} at {fmt.price(one.price)})"
            for one in series.events[:2]
        ]
        if len(series.events) > 2:
            named.append(f"{len(series.events) - 2} more")
        return f"{series.mode} loses {', '.join(named)}"

    def to_frame(self) -> pd.DataFrame:
        """One row per row: the price, and the margin ratio of both modes."""
        import pandas as pd

        columns = {"price": self.prices}
        columns |= {f"{one.mode}_margin_ratio": one.margin_ratio for one in self.series}
        return pd.DataFrame(columns, index=pd.Index(list(self.times), name="time"))

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the table twin: some rows, the lowest and every liquidation."""
        price = f"price of {self.asset}"
        head = (
            "time",
            Column(price, f"{price} ({self.books.state.venue.currency})"),
            *(
                Column(mode, f"{mode}, maintenance over margin balance (fraction)")
                for mode in MODES
            ),
        )
        count = len(self.prices)
        step = max(1, -(-count // _ROWS_AT_MOST))
        shown = {*range(0, count, step), count - 1, int(np.argmin(self.prices))}
        shown |= {event.row for one in self.series for event in one.events}
        rows = []
        for row in sorted(shown):
            texts = []
            for series in self.series:
                ratio = float(series.margin_ratio[row])
                here = any(event.row == row for event in series.events)
                text = "closed" if math.isnan(ratio) else fmt.percent(ratio, 1)
                texts.append(Shown(f"{text}, liquidated here" if here else text, ratio))
            at = float(self.prices[row])
            rows.append((str(self.times[row]), Shown(fmt.price(at), at), *texts))
        return head, rows

    def svg(self) -> str:
        """The picture: the price above, the margin ratio of both modes below, row by row."""
        count = len(self.prices)
        places = np.arange(count, dtype=float)
        labels = {float(n): str(self.times[n]) for n in sorted({0, count // 2, count - 1})}
        low, high = float(self.prices.min()), float(self.prices.max())
        room = 0.08 * (high - low) or 0.05 * high
        across = Axis(0.0, float(count - 1), labels, "row by row")
        ratio = Axis(
            0.0,
            CEILING,
            {y: fmt.percent(y, 0) for y in round_ticks(0.0, CEILING, 3)},
            "maintenance ÷ margin balance",
            span=(0.0, 0.52),
        )
        price = Axis(
            low - room,
            high + room,
            {y: fmt.plain(float(f"{y:.8g}")) for y in round_ticks(low - room, high + room, 3)},
            f"price of {self.asset}",
            span=(0.62, 1.0),
        )
        title = f"{self.asset} over a recorded window"
        chart = Chart(across, ratio, title, self.text, panels=(price,))
        chart.line(places, self.prices, "word", axis=price, dash="")
        level = 1.0 / self.books.book.trigger_level
        chart.line(places[[0, -1]], np.full(2, level), "word", width=1.2)
        for series in (self.cross, self.isolated):
            seen = series.margin_ratio <= CEILING
            chart.line(places, np.where(seen, series.margin_ratio, np.nan), series.mode)
            for event in series.events[:4]:
                chart.point(float(event.row), level, series.mode)
        return chart.svg()

    def _repr_html_(self) -> str:
        title = f"{self.asset} over a recorded window"
        return static_page(title, self.text, self.svg(), static_table(*self.table()))


def depeg_replay(account: Account, asset: str, prices: pd.Series[float]) -> DepegReplay:
    """Take a collateral asset through recorded prices, row by row, all marks as they are.

    Parameters
    ----------
    account : Account
    asset : str
        One that the account holds or settles in; not the one in which amounts are told.
    prices : Series
        Prices in the account's currency, above 0; the index labels the rows, times usually. A
        column of what `margin_widgets.io.price_history` returns fits.

    Raises
    ------
    KeyError
        If the account does not hold the asset.
    TraitError
        For the account's own currency, for fewer than two rows, or naming every bad row.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> import pandas as pd
    >>> account = mw.presets.bitcoin_on_bitcoin()
    >>> window = pd.Series([100_000, 80_000, 95_000], index=["day 1", "day 2", "day 3"])
    >>> depeg_replay(account, "BTC", window).cross.events
    ()
    """
    books = account.books
    if asset not in books.assets:
        hint = did_you_mean(str(asset), books.assets)
        raise KeyError(f"asset: {asset!r} is no collateral of this account{hint}")
    if asset == account.currency:
        raise TraitError(f"asset: amounts are in {asset}, whose own price is 1")
    if len(prices) < 2:
        raise TraitError(f"prices: {len(prices)} rows; two or more are needed")
    values = _checked(prices.to_numpy(object))
    lines = PoolLines(books, asset)
    moves = values / lines.price - 1.0
    found = [_series(lines, mode, moves, values) for mode in MODES]
    return DepegReplay(books, asset, tuple(prices.index), values, *found)


def _checked(prices: Any) -> Floats:
    """Prices as numbers; TraitError that names every bad row, counted from 1."""
    told, problems = [], []
    for n, price in enumerate(prices, start=1):
        try:
            told.append(number(f"prices, row {n}", price, above=0.0))
        except TraitError as error:
            problems.append(str(error))
    if problems:
        raise TraitError("\n".join(problems))
    return np.array(told)


def _series(lines: PoolLines, mode: str, moves: Floats, prices: Floats) -> ReplaySeries:
    """One mode: pools are closed in the first row in which they do not stand any more."""
    books, ledger = lines.books, lines.ledgers[mode]
    balance, required = lines.at(mode, moves)
    exposed = ledger.partition.occupied
    surplus = balance - books.book.trigger_level * required
    fallen = ~stands(books.book, surplus, np.abs(balance) + required) | ledger.fallen
    closed = np.logical_or.accumulate(fallen & exposed, axis=0)
    # A pool that falls in a row stood before it: its ratio there is shown.
    stood = exposed & ~np.vstack([np.zeros((1, closed.shape[1]), dtype=bool), closed[:-1]])
    with np.errstate(all="ignore"):
        ratio = np.where(stood & (balance > 0), required / balance, np.nan)
    names, members = books.pool_names(mode), books.pool_members(mode)
    events = [
        ReplayEvent(
            row=row,
            pool=names[pool],
            positions=tuple(books.keys[n] for n in members[pool]),
            price=float(prices[row]),
            balance=float(balance[row, pool]),
        )
        for pool in np.flatnonzero(closed.any(axis=0)).tolist()
        for row in [int(np.argmax(closed[:, pool]))]
    ]
    events.sort(key=lambda one: one.row)
    return ReplaySeries(mode, np.fmax.reduce(ratio, axis=1, initial=np.nan), tuple(events))
