"""What funding alone does to liquidation prices, day by day, while all marks stay."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.chart_svg import (
    Axis,
    Chart,
    round_ticks,
    static_page,
    static_table,
    ticks,
)
from margin_widgets.account.checks import number
from margin_widgets.account.figures import (
    MODES,
    Column,
    KeyFigure,
    Shown,
    figure_if_same,
    figure_of,
)
from margin_widgets.engine import Ledger, Partition, mark_book
from margin_widgets.engine.book import Floats, Ints
from margin_widgets.engine.liquidation import triggers_along
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

RATE = 0.0001
"""A usual funding rate per 8 hours: 0.01 %."""
BAND = 0.05
LONGEST = 3_650.0
"""Days that are drawn, unless nothing happened by then."""
FARTHEST = 36_500.0
"""Days beyond which nobody asks."""
_POINTS, _ZOOM, _ZOOMS = 121, 65, 4


@dataclass(frozen=True, eq=False)
class DriftSeries:
    """One mode over the days.

    Attributes
    ----------
    mode : str
    pool : str
        The pool that pays.
    days, prices : ndarray (M,)
        Days, and the liquidation price then; NaN where no price liquidates. The last is the day of
        the liquidation, if there is one in the range.
    per_day : float
        What the pool pays each day, in the account's currency; negative if it receives.
    crossing : float or None
        Day at which funding alone liquidates; None if it does not within `FARTHEST` days.
    payment : int or None
        The payment that does it, where funding is paid once an interval.
    """

    mode: str
    pool: str
    days: Floats
    prices: Floats
    per_day: float
    crossing: float | None
    payment: int | None


@dataclass(frozen=True, eq=False)
class FundingDrift:
    """Liquidation price of one position in both modes against days of funding.

    Attributes
    ----------
    books : Books
    key, symbol : str
    rates : mapping of symbol to rate
        Per interval; longs pay what is positive.
    hours : float
        Length of an interval.
    horizon : float
        Days in the picture.
    band : float
        Half the width of the band around the mark, as a share of it.
    isolated, cross : DriftSeries
    """

    books: Books
    key: str
    symbol: str
    rates: Mapping[str, float]
    hours: float
    horizon: float
    band: float
    isolated: DriftSeries
    cross: DriftSeries

    @property
    def series(self) -> tuple[DriftSeries, DriftSeries]:
        """Both modes."""
        return self.isolated, self.cross

    @property
    def mark(self) -> float:
        """Mark of the position, which stays."""
        return float(self.books.marks[self.books.symbols.index(self.symbol)])

    @property
    def tick(self) -> float | None:
        """Tick of the contract."""
        return self.books.contracts[self.books.symbols.index(self.symbol)].tick

    @property
    def rate(self) -> float:
        """Rate of the position's own contract."""
        return self.rates[self.symbol]

    def price_at(self, mode: str, day: float) -> float | None:
        """Liquidation price on a day; None where none liquidates or nothing stands any more."""
        series = getattr(self, mode)
        if series.crossing is not None and day > series.crossing:
            return None
        found = float(_prices(self.books, self.key, mode, self.rates, self.hours, day))
        return self.mark if day == series.crossing else None if math.isnan(found) else found

    @property
    def text(self) -> str:
        """What is drawn, in a sentence or two."""
        told = " ".join(self._told(series) for series in self.series)
        rate = fmt.percent(self.rate, 4, sign=True)
        who = "longs pay shorts" if self.rate > 0 else "shorts pay longs"
        pays = who if self.rate else "nobody pays"
        return (
            f"Funding {rate} every {self.hours:g} h ({pays}), all marks stay. {told} Funding is"
            " charged to the isolated margin, and in cross to the wallet of the pool."
        )

    def _told(self, series: DriftSeries) -> str:
        name = f"Isolated {self.key}" if series.mode == "isolated" else "The cross pool"
        flow = f"{'pays' if series.per_day > 0 else 'receives'} {fmt.amount(abs(series.per_day))}"
        flow = f"{flow} {self.books.state.venue.currency} a day" if series.per_day else "pays none"
        first = series.prices[0] if len(series.prices) else math.nan
        now = (
            "has no liquidation price"
            if math.isnan(first)
            else f"is liquidated at {fmt.price(float(first), self.tick)} today"
        )
        if series.crossing == 0:
            return f"{name} is below maintenance now."
        if series.crossing is None:
            limit = f" within {FARTHEST / 365:.0f} years" if self._pays(series.mode) else ""
            return f"{name} {flow} and {now}; funding alone does not liquidate it{limit}."
        count = f"payment {fmt.plain(series.payment)}"
        return (
            f"{name} {flow} and {now}; funding alone liquidates it in"
            f" {fmt.plain(series.crossing, 1)} days ({count})."
        )

    def _pays(self, mode: str) -> bool:
        """Whether the pool pays on balance in some currency, and so may fall in the end."""
        paid = _paid_by_pool(self.books, self.key, mode, self.rates, self.hours)[1]
        return bool((paid > 0).any())

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the table twin, as text: round days and every liquidation."""
        from margin_widgets.account.report import MarginReport

        unit = self.books.state.venue.currency
        head = (
            "day",
            *(Column(f"{mode} paid", f"{mode} paid ({unit})") for mode in MODES),
            *(f"{mode} liquidation price" for mode in MODES),
        )
        days = {*round_ticks(0.0, self.horizon, 8)}
        days |= {one.crossing for one in self.series if one.crossing is not None}
        rows: list[tuple[str, ...]] = []
        for day in sorted(one for one in days if one <= self.horizon):
            paid, prices = [], []
            for series in self.series:
                gone = series.crossing is not None and day > series.crossing
                so_far = series.per_day * day
                paid.append(
                    Shown(fmt.NO_VALUE, None) if gone else Shown(fmt.amount(so_far), so_far)
                )
                price = self.price_at(series.mode, day)
                text = "none" if price is None else fmt.price(price, self.tick)
                if day == 0:
                    report = MarginReport(series.mode, self.books)
                    text = figure_if_same(text, figure_of(report, "liquidation_price", self.key))
                if gone:
                    text, price = "liquidated", None
                elif day == series.crossing:
                    text = f"{text} = mark: liquidated"
                prices.append(text if isinstance(text, KeyFigure) else Shown(text, price))
            rows.append((Shown(fmt.plain(day, 2), day), *paid, *prices))
        return head, rows

    def to_frame(self) -> pd.DataFrame:
        """One row per mode and day: what was paid, and the liquidation price."""
        import pandas as pd

        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "mode": one.mode,
                        "day": one.days,
                        "paid": one.days * one.per_day,
                        "liquidation_price": one.prices,
                    }
                )
                for one in self.series
            ],
            ignore_index=True,
        )

    def price_range(self) -> tuple[float, float]:
        """Lowest and highest price in the picture."""
        known = np.concatenate([one.prices[np.isfinite(one.prices)] for one in self.series])
        ends = self.mark * (1 - self.band), self.mark * (1 + self.band)
        low, high = float(min([ends[0], *known])), float(max([ends[1], *known]))
        room = 0.1 * (high - low)
        return max(0.0, low - room), high + room

    def svg(self) -> str:
        """The picture as inline SVG; words take the colour of the page."""
        low, high = self.price_range()
        across = Axis(
            0.0,
            self.horizon,
            ticks(round_ticks(0.0, self.horizon, 8), fmt.plain),
            "days of funding",
        )
        up = Axis(
            low,
            high,
            ticks(round_ticks(low, high, 5), lambda y: fmt.plain(float(f"{y:.10g}"))),
            f"liquidation price of {self.key}",
        )
        chart = Chart(across, up, "Liquidation price against days of funding", self.text)
        near, far = self.mark * (1 - self.band), self.mark * (1 + self.band)
        days = np.array([0.0, self.horizon])
        chart.area(np.repeat(days, 2)[[0, 2, 3, 1]], np.array([near, near, far, far]), "word", 0.1)
        chart.line(days, np.full(2, self.mark), "word", width=1.2)
        mark = fmt.price(self.mark, self.tick)
        chart.text(0.0, far, f"mark {mark} ± {fmt.percent(self.band, 0)}")
        for series in (self.cross, self.isolated):
            chart.line(series.days, series.prices, series.mode)
            if series.crossing is not None and series.crossing <= self.horizon:
                chart.point(series.crossing, self.mark, series.mode)
                words = f"LIQ {series.mode}, day {fmt.plain(series.crossing, 1)}"
                chart.text(series.crossing, self.mark * (1 - self.band / 2), words, anchor="end")
        return chart.svg()

    def _repr_html_(self) -> str:
        head, rows = self.table()
        title = f"Funding drift: {self.key}"
        return static_page(title, self.text, self.svg(), static_table(head, rows))


def funding_drift(
    account: Account,
    key: str,
    rate: float | Mapping[str, float] = RATE,
    *,
    days: float | None = None,
    hours: float = 8.0,
    band: float = BAND,
) -> FundingDrift:
    """Let both modes pay funding day after day while all marks stay.

    Funding accrues evenly; where a venue charges it once an interval, `DriftSeries.payment` counts
    the payments. Options and futures with an expiry pay none.

    Parameters
    ----------
    account : Account
    key : str
        Key of the position whose liquidation price is followed.
    rate : float or mapping of symbol to rate
        Per interval, a share of the notional; longs pay what is positive. Symbols that a mapping
        leaves out pay none.
    days : float, optional
        Days in the picture; by default until both modes are liquidated.
    hours : float
        Length of an interval.
    band : float
        Half the width of the band around the mark, as a share of it.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> drift = funding_drift(presets.ref2(), "BTCUSDT", 0.0001)
    >>> round(drift.isolated.crossing, 2), round(drift.cross.crossing, 2)
    (316.67, 454.76)
    """
    books = account.books
    if key not in books.places:
        raise KeyError(f"key: no position {key!r}{did_you_mean(str(key), books.keys)}")
    if isinstance(rate, Mapping):
        for symbol in rate:
            if symbol not in books.symbols:
                hint = did_you_mean(str(symbol), books.symbols)
                raise KeyError(f"rate: no symbol {symbol!r} in this account{hint}")
        rates = {s: _rate(f"rate[{s!r}]", rate.get(s, 0.0)) for s in books.symbols}
    else:
        rates = dict.fromkeys(books.symbols, _rate("rate", rate))
    hours = number("hours", hours, above=0.0)
    band = number("band", band, low=0.0, high=0.5)
    crossings = {mode: _crossing(books, key, mode, rates, hours) for mode in MODES}
    if days is None:
        known = [day for day in crossings.values() if day]
        farthest = max(LONGEST, 1.1 * min(known, default=0.0))  # one liquidation always shows
        days = min(max(1.1 * max(known), 1.0), farthest) if known else 90.0
    horizon = number("days", days, above=0.0)
    series = [_series(books, key, mode, rates, hours, horizon, crossings[mode]) for mode in MODES]
    symbol = books.state.positions[books.places[key]].symbol
    return FundingDrift(books, key, symbol, rates, hours, horizon, band, *series)


def _rate(where: str, rate: float) -> float:
    return number(where, rate, low=-1.0, high=1.0)


# ---------------------------------------------------------------- many days at once


def _paid_per_day(books: Books, mode: str, rates: Mapping[str, float], hours: float) -> Floats:
    """What each position pays a day in its settlement asset (N,); it receives what is negative."""
    ledger = books.ledger(mode)
    book = ledger.book
    pays = [0.0 if one.is_option or one.expiry else 1.0 for one in books.contracts]
    each = np.array([rates[s] * on for s, on in zip(books.symbols, pays, strict=True)])
    amount: Floats = np.sign(book.size) * ledger.marked.notional * each[book.symbol] * 24.0 / hours
    return amount


def _paid_by_pool(
    books: Books, key: str, mode: str, rates: Mapping[str, float], hours: float
) -> tuple[Ints, Floats]:
    """Positions in a position's pool, and what it pays a day of each asset (A,)."""
    ledger = books.ledger(mode)
    pool = ledger.partition.pool
    members = np.flatnonzero(pool == pool[books.places[key]])
    paid: Floats = np.bincount(
        ledger.book.position_settle[members],
        _paid_per_day(books, mode, rates, hours)[members],
        minlength=len(ledger.book.wallet),
    ).astype(float)
    return members, paid


def _on_days(
    books: Books, key: str, mode: str, rates: Mapping[str, float], hours: float, days: Floats
) -> Ledger:
    """The position's pool on each day as a pool of its own, so that all days are one ledger."""
    ledger = books.ledger(mode)
    book, partition = ledger.book, ledger.partition
    pool = partition.pool[books.places[key]]
    members, paid = _paid_by_pool(books, key, mode, rates, hours)
    count = len(days)
    return Ledger(
        mark_book(book.only(np.tile(members, count)), books.marks),
        Partition(
            pool=np.repeat(np.arange(count), len(members)),
            wallet=partition.wallet[pool] - np.outer(days, paid),
            idle=np.zeros(len(book.wallet)),
            own=np.full(count, partition.own[pool]),
        ),
    )


def _surplus(
    books: Books, key: str, mode: str, rates: Mapping[str, float], hours: float, days: Floats
) -> Floats:
    """Margin balance less what triggers, on each day."""
    ledger = _on_days(books, key, mode, rates, hours, days)
    figures = ledger.valuation
    left: Floats = figures.margin_balance - books.book.trigger_level * figures.requirement
    return left


def _crossing(
    books: Books, key: str, mode: str, rates: Mapping[str, float], hours: float
) -> float | None:
    """First day without surplus; None if there is none within `FARTHEST` days.

    The surplus is made of straight pieces (haircut bands and loans are its kinks): zooming in until
    one piece is left, its root is exact.
    """

    def surplus(days: Floats) -> Floats:
        return _surplus(books, key, mode, rates, hours, days)

    ledger = books.ledger(mode)
    if ledger.fallen[ledger.partition.pool[books.places[key]]]:
        return 0.0
    low, high = 0.0, 1.0
    while surplus(np.array([high]))[0] > 0:
        if high >= FARTHEST:
            return None
        low, high = high, min(2.0 * high, FARTHEST)
    for _ in range(_ZOOMS):
        days = np.linspace(low, high, _ZOOM)
        left = surplus(days)
        gone = int(np.argmax(left <= 0))
        if gone == 0:
            return float(days[0])
        low, high = float(days[gone - 1]), float(days[gone])
    before, after = surplus(np.array([low, high]))
    return float(low + (high - low) * before / (before - after))


def _prices(
    books: Books,
    key: str,
    mode: str,
    rates: Mapping[str, float],
    hours: float,
    days: Floats | float,
) -> Floats:
    """Liquidation price of the position on each day, NaN if none."""
    shape = np.shape(days)
    ledger = _on_days(books, key, mode, rates, hours, np.atleast_1d(np.asarray(days, dtype=float)))
    place = int(books.book.symbol[books.places[key]])
    found = triggers_along(ledger.ray_of(place), ledger.partition).nearest(1.0)
    prices: Floats = (found * books.marks[place]).reshape(shape)
    return prices


def _series(
    books: Books,
    key: str,
    mode: str,
    rates: Mapping[str, float],
    hours: float,
    horizon: float,
    crossing: float | None,
) -> DriftSeries:
    ledger = books.ledger(mode)
    pool = int(ledger.partition.pool[books.places[key]])
    members = ledger.partition.pool == pool
    settled = ledger.marked.asset_prices[ledger.book.position_settle]
    per_day = float((_paid_per_day(books, mode, rates, hours) * settled)[members].sum())
    days = np.linspace(0.0, horizon, _POINTS)
    if crossing is not None and crossing <= horizon:
        days = np.append(days[days < crossing], crossing)
    prices = _prices(books, key, mode, rates, hours, days)
    if crossing is not None and crossing <= horizon:
        prices[-1] = books.marks[int(books.book.symbol[books.places[key]])]
    return DriftSeries(
        mode=mode,
        pool=books.pool_names(mode)[pool],
        days=days,
        prices=prices,
        per_day=per_day,
        crossing=crossing,
        payment=None if crossing is None else math.ceil(crossing * 24.0 / hours - 1e-9),
    )
