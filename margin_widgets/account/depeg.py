"""What a recorded window of prices of one collateral asset would have done to both modes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import TraitError

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.chart_svg import Axis, Chart, round_ticks, static_page, static_table
from margin_widgets.account.checks import number
from margin_widgets.account.collateral_stress import CEILING, MODES, PoolLines, ratio_axis
from margin_widgets.account.figures import Column, KeyFigure, Shown
from margin_widgets.engine.book import Floats, Ints
from margin_widgets.engine.liquidation import stands
from margin_widgets.engine.valuation import count_as_margin
from margin_widgets.venues.rules import LARGEST, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

_ROWS_AT_MOST = 14
_DRAWN_AT_MOST = 800
_LABEL = 12


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
    row : int or None
        A row that is looked at, from 0.
    """

    books: Books
    asset: str
    times: tuple[Any, ...]
    prices: Floats
    isolated: ReplaySeries
    cross: ReplaySeries
    row: int | None = None

    @property
    def series(self) -> tuple[ReplaySeries, ReplaySeries]:
        """Both modes."""
        return self.isolated, self.cross

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Labels of the rows in words."""
        return row_labels(self.times)

    @property
    def lowest(self) -> int:
        """Row of the lowest price."""
        return int(np.argmin(self.prices))

    @property
    def trigger(self) -> float:
        """Ratio at which pools are liquidated."""
        return 1.0 / self.books.book.trigger_level

    @cached_property
    def present(self) -> dict[str, KeyFigure]:
        """Price of the asset now, what the wallet holds of it is worth, and what counts."""
        book, path = self.books.book, f"collateral.{self.asset}"
        place = self.books.assets.index(self.asset)
        price = float(book.asset_prices(self.books.marks)[place])
        worth = price * float(book.wallet[place])
        counted = price * float(count_as_margin(book, book.wallet)[place])
        return {
            f"{self.asset} now": KeyFigure(fmt.price(price), f"{path}.price", price),
            "worth": KeyFigure(fmt.amount(worth), path, worth),
            "counts as margin": KeyFigure(fmt.amount(counted), f"{path}.counted", counted),
        }

    @cached_property
    def text(self) -> str:
        """What happens in the window, in a sentence or two; and in the row looked at."""
        currency, low = self.books.state.venue.currency, self.lowest
        told = "; ".join(self._told(one) for one in self.series)
        window = (
            f"{self.asset} over {fmt.plain(len(self.prices))} rows from {self.labels[0]} to"
            f" {self.labels[-1]}: {fmt.price(float(self.prices[0]))} at first, lowest"
            f" {fmt.price(float(self.prices[low]))} {currency} at {self.labels[low]}, all marks"
            f" stay. {told[:1].upper()}{told[1:]}. Between rows nothing is seen, and a pool closed"
            " once stays closed."
        )
        return window if self.row is None else f"{window} {self.row_text(self.row)}"

    def row_text(self, row: int) -> str:
        """What holds in one row, in a sentence."""
        currency = self.books.state.venue.currency
        price = f"{self.asset} at {fmt.price(float(self.prices[row]))} {currency}"
        told = "; ".join(self._told_in(one, row) for one in self.series)
        return f"Row {fmt.plain(row + 1)}, {self.labels[row]}, {price}: {told}."

    def _told_in(self, series: ReplaySeries, row: int) -> str:
        falls = [one for one in series.events if one.row == row]
        here = _listed([one.pool for one in falls], "liquidated here")
        if len(falls) == 1:
            # Beyond the trigger, as prices between rows are not seen: maybe less than nothing.
            currency = self.books.state.venue.currency
            here.append(f"margin balance then {fmt.amount(falls[0].balance)} {currency}")
        gone = _listed([one.pool for one in series.events if one.row < row], "closed before")
        ratio = float(series.margin_ratio[row])
        stands = [] if math.isnan(ratio) else [fmt.percent(ratio, 1)]
        if not (stands or here or gone):
            stands = ["nothing to liquidate"]
        return f"{series.mode} {', '.join([*stands, *here, *gone])}"

    def _told(self, series: ReplaySeries) -> str:
        known = series.margin_ratio[np.isfinite(series.margin_ratio)]
        if not series.events:
            most = fmt.percent(float(known.max()), 1) if len(known) else "nothing to liquidate"
            return f"{series.mode} is not liquidated, its ratio at most {most}"
        named = [
            f"{_named(one.pool)} {self._when(one.row)} ({self.asset} at {fmt.price(one.price)})"
            for one in series.events[:2]
        ]
        if len(series.events) > 2:
            named.append(f"{len(series.events) - 2} more")
        return f"{series.mode} loses {', '.join(named)}"

    def _when(self, row: int) -> str:
        return f"at {self.labels[row]}" if row else "in the first row"

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
        shown |= set() if self.row is None else {self.row}
        rows = []
        for row in sorted(shown):
            texts = []
            for series in self.series:
                ratio = float(series.margin_ratio[row])
                here = any(event.row == row for event in series.events)
                text = "closed" if math.isnan(ratio) else fmt.percent(ratio, 1)
                texts.append(Shown(f"{text}, liquidated here" if here else text, ratio))
            at = float(self.prices[row])
            rows.append((self.labels[row], Shown(fmt.price(at), at), *texts))
        return head, rows

    @property
    def price_range(self) -> tuple[float, float]:
        """Prices between which the window is drawn."""
        low, high = float(self.prices.min()), float(self.prices.max())
        room = 0.08 * (high - low) or 0.05 * high
        return low - room, high + room

    @cached_property
    def drawn(self) -> Ints:
        """Rows that are drawn: all, or of many the extremes of short stretches, and liquidations.

        No low is left out, and a line has no more points than a screen can show.
        """
        count = len(self.prices)
        if count <= _DRAWN_AT_MOST:
            return np.arange(count)
        edges = np.linspace(0, count, _DRAWN_AT_MOST // 4 + 1).astype(int)
        kept = {0, count - 1}
        for begin, end in pairwise(edges.tolist()):
            part = self.prices[begin:end]
            kept |= {begin + int(part.argmin()), begin + int(part.argmax())}
        for event in (*self.isolated.events, *self.cross.events):
            kept |= {event.row, min(event.row + 1, count - 1)}
        return np.array(sorted(kept))

    def places(self, most: int = 3) -> dict[float, str]:
        """Some rows and their labels, away from both ends."""
        count = len(self.prices)
        found = (round((n + 0.5) / most * (count - 1)) for n in range(most))
        short = row_labels(self.times, short=True)
        return {float(row): short[row] for row in found}

    def svg(self) -> str:
        """The picture: the price above, the margin ratio of both modes below, row by row."""
        rows = self.drawn
        low, high = self.price_range
        across = Axis(-0.5, len(self.prices) - 0.5, self.places(), "row by row")
        prices = {y: fmt.plain(float(f"{y:.8g}")) for y in round_ticks(low, high, 3)}
        price = Axis(low, high, prices, f"price of {self.asset}", span=(0.62, 1.0))
        title = f"{self.asset} over a recorded window"
        chart = Chart(across, ratio_axis((0.0, 0.52)), title, self.text, panels=(price,))
        if self.row is not None:
            here = np.full(2, float(self.row))
            chart.line(here, np.array([low, high]), "word", width=0.8, dash="", axis=price)
            chart.line(here, np.array([0.0, CEILING]), "word", width=0.8, dash="")
        chart.line(rows.astype(float), self.prices[rows], "word", axis=price, dash="")
        level = self.trigger
        chart.line(np.array([across.low, across.high]), np.full(2, level), "word", width=1.2)
        for series in (self.cross, self.isolated):
            ratio = series.margin_ratio[rows]
            chart.line(rows.astype(float), np.where(ratio <= CEILING, ratio, np.nan), series.mode)
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
    values = checked_prices(prices)
    lines = PoolLines(books, asset)
    moves = values / lines.price - 1.0
    found = [_series(lines, mode, moves, values) for mode in MODES]
    return DepegReplay(books, asset, tuple(prices.index), values, isolated=found[0], cross=found[1])


def checked_prices(prices: pd.Series[float]) -> Floats:
    """Prices as numbers; TraitError that names every bad row, counted from 1."""
    if len(prices) < 2:
        raise TraitError(f"prices: {len(prices)} rows; two or more are needed")
    if prices.dtype.kind == "f":
        values = np.asarray(prices, dtype=float)
        if np.isfinite(values).all() and (values > 0).all() and values.max() <= LARGEST:
            return values
    told, problems = [], []
    for n, price in enumerate(prices.to_numpy(object), start=1):
        try:
            told.append(number(f"prices, row {n}", price, above=0.0))
        except TraitError as error:
            problems.append(str(error))
    if problems:
        raise TraitError("\n".join(problems))
    return np.array(told)


def row_labels(times: Sequence[Any], *, short: bool = False) -> tuple[str, ...]:
    """Labels of rows as text: times without the seconds and hours that all of them lack.

    Short ones leave out the time zone, and the year or the hours; other labels are cut.

    >>> from datetime import UTC, datetime
    >>> times = [datetime(2023, 3, 10, hour, tzinfo=UTC) for hour in (2, 8)]
    >>> row_labels(times)
    ('2023-03-10 02:00 UTC', '2023-03-10 08:00 UTC')
    >>> row_labels(times, short=True)
    ('03-10 02:00', '03-10 08:00')
    """
    if not all(isinstance(one, datetime) and one == one for one in times):  # NaT is no time
        texts = [str(one) for one in times]
        return tuple(_cut(one) for one in texts) if short else tuple(texts)
    days = all((one.hour, one.minute, one.second) == (0, 0, 0) for one in times)
    years = len({one.year for one in times}) > 1
    shape = "%m-%d" if short and not years else "%Y-%m-%d"
    if not days and not (short and years):
        shape += " %H:%M" if short or not any(one.second for one in times) else " %H:%M:%S"
    zoned = not short and not days
    zones = [f" {one.tzname()}" if zoned and one.tzinfo else "" for one in times]
    return tuple(one.strftime(shape) + zone for one, zone in zip(times, zones, strict=True))


def _cut(text: str) -> str:
    return text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…"


def _listed(pools: list[str], fate: str) -> list[str]:
    """What became of some pools, two of them by name; the one of the whole account needs none."""
    if pools == ["cross"]:
        return [fate]
    more = [f"{len(pools) - 2} more"] if len(pools) > 2 else []
    return [f"{' and '.join([*pools[:2], *more])} {fate}"] if pools else []


def _named(pool: str) -> str:
    return "the account" if pool == "cross" else pool


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
