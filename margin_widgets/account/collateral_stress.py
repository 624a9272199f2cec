"""How near each mode comes to liquidation when the price of one collateral asset falls."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.chart_svg import (
    Axis,
    Chart,
    round_step,
    round_ticks,
    static_page,
    static_table,
    ticks,
)
from margin_widgets.account.checks import number
from margin_widgets.account.curve import trace
from margin_widgets.account.figures import Column, KeyFigure, Shown
from margin_widgets.account.pools_along import MODES, PoolsAlong, StressEvent, StressSeries
from margin_widgets.engine import Ledger, mark_book
from margin_widgets.engine.book import Book, Floats
from margin_widgets.engine.valuation import count_as_margin
from margin_widgets.venues.rules import DOLLARS, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

CEILING = 1.5
"""Ratios above are not drawn."""
_LOWEST = -0.99
_REACH, _REACH_DOLLAR = 0.6, 0.2
"""How far the picture goes down at least: for coins, and for dollar currencies."""


@dataclass(frozen=True, eq=False)
class CollateralStress:
    """Margin ratio of both modes against a move of the price of one collateral asset.

    Attributes
    ----------
    books : Books
    asset : str
    symbol : str or None
        The symbol whose mark moves with the asset; None if the asset's price moves alone.
    x : ndarray (M,)
        Relative moves. Every trigger in the range stands twice: of two equal entries the one
        nearer to zero is before the liquidation, the other after.
    isolated, cross : StressSeries
    again : callable
        The same between two other moves, on few points.
    """

    books: Books
    asset: str
    symbol: str | None
    x: Floats
    isolated: StressSeries
    cross: StressSeries
    again: Callable[[float, float], CollateralStress]

    @property
    def series(self) -> tuple[StressSeries, StressSeries]:
        """Both modes."""
        return self.isolated, self.cross

    @property
    def trigger(self) -> float:
        """Ratio at which pools are liquidated."""
        return 1.0 / self.books.book.trigger_level

    @cached_property
    def price(self) -> float:
        """Present price of the asset in the account's currency."""
        place = self.books.assets.index(self.asset)
        return float(self.books.book.asset_prices(self.books.marks)[place])

    @property
    def held(self) -> float:
        """Amount of the asset in the wallet."""
        return float(self.books.book.wallet[self.books.assets.index(self.asset)])

    @cached_property
    def counted(self) -> float:
        """Amount of it that counts as margin after the haircut."""
        kept = count_as_margin(self.books.book, self.books.book.wallet)
        return float(kept[self.books.assets.index(self.asset)])

    @property
    def haircut(self) -> float:
        """Share of the wallet balance that does not count."""
        return 1.0 - self.counted / self.held if self.held > 0 else 0.0

    def price_at(self, x: Any) -> Any:
        """Price of the asset after a move, or after each of many."""
        return self.price * (1 + x)

    @property
    def present(self) -> dict[str, KeyFigure]:
        """Price of the asset, what the wallet holds of it is worth, and what counts as margin."""
        path = f"collateral.{self.asset}"
        worth, counted = self.held * self.price, self.counted * self.price
        return {
            self.asset: KeyFigure(fmt.price(self.price), f"{path}.price", self.price),
            "worth": KeyFigure(fmt.amount(worth), path, worth),
            "counts as margin": KeyFigure(fmt.amount(counted), f"{path}.counted", counted),
        }

    @property
    def fixed(self) -> bool:
        """Whether amounts are in this asset, so that its price is 1 by definition."""
        return self.asset == self.books.state.venue.currency

    def ratio_at(self, mode: str, x: float) -> float | None:
        """Margin ratio of a mode at a move, before what falls there falls; None if none stands."""
        here = self if (self.x == x).any() else self.again(min(x, 0.0), max(x, 0.0))
        entries = np.flatnonzero(here.x == (x if here is self else here.x[0 if x < 0 else -1]))
        found = float(getattr(here, mode).margin_ratio[entries[-1 if x < 0 else 0]])
        return None if math.isnan(found) else found

    @cached_property
    def text(self) -> str:
        """What is drawn, in a sentence or two."""
        currency = self.books.state.venue.currency
        if self.fixed:
            return (
                f"Amounts are in {currency}: its own price is 1 and cannot be stressed. Choose"
                " another collateral asset."
            )
        with_mark = f" with the mark of {self.symbol}" if self.symbol else " alone, all marks stay"
        told = "; ".join(self._told(series) for series in self.series)
        return f"The price of {self.asset} moves{with_mark} ({self._held_text}): {told}."

    @property
    def _held_text(self) -> str:
        cut = f", haircut {fmt.percent(self.haircut, 1)}" if self.haircut > 0 else ", no haircut"
        at = f"{fmt.price(self.price)} {self.books.state.venue.currency}"
        return f"{fmt.plain(self.held, 8)} {self.asset} at {at}{cut}"

    def _told(self, series: StressSeries) -> str:
        now = self.ratio_at(series.mode, 0.0)
        today = "nothing to liquidate" if now is None else f"now {fmt.percent(now, 1)}"
        if not series.events:
            flat = np.nanmax(series.margin_ratio, initial=0) - np.nanmin(
                series.margin_ratio, initial=np.inf
            )
            same = now is not None and flat <= 1e-9 * max(now, 1e-12)
            return (
                f"{series.mode} {today} and stays there, as {self._why_flat(series.mode)}"
                if same
                else f"{series.mode} {today}, not liquidated in this range"
            )
        named = [
            f"{'the account' if one.pool == 'cross' else one.pool} at"
            f" {fmt.percent(one.x, sign=True)} ({self._prices_text(one.x)})"
            for one in series.events[:2]
        ]
        if len(series.events) > 2:
            named.append(f"{len(series.events) - 2} more")
        return f"{series.mode} {today}, liquidated: {', '.join(named)}"

    def _prices_text(self, x: float) -> str:
        """What costs what after a move."""
        return f"{self.asset} at {fmt.price(self.price_at(x))}"

    def _why_flat(self, mode: str) -> str:
        book, partition = self.books.book, self.books.partitions[mode]
        place = self.books.assets.index(self.asset)
        if partition.wallet[:, place].any() or (book.position_settle == place).any():
            return "what its pools hold and must hold changes alike"
        return "none of its pools holds it"

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the table twin, as text: round moves and every trigger."""
        head = (
            Column("move", "move (fraction)"),
            *self._worth_head(),
            *(
                Column(mode, f"{mode}, maintenance over margin balance (fraction)")
                for mode in MODES
            ),
        )
        low, high = float(self.x[0]), float(self.x[-1])
        places = {*round_ticks(low, high, 12), 0.0}
        places |= {event.x for one in self.series for event in one.events}
        rows = []
        for x in sorted(places):
            ratios = []
            for mode in MODES:
                ratio = self.ratio_at(mode, x)
                died = [one for one in getattr(self, mode).events if one.x == x]
                text = "liquidated" if ratio is None else fmt.percent(ratio, 1)
                text = f"{text}, liquidated here" if died and ratio is not None else text
                ratios.append(Shown(text, ratio))
            rows.append((Shown(fmt.percent(x, 2, sign=True), x), *self._worth_cells(x), *ratios))
        return head, rows

    def _worth_head(self) -> list[str]:
        """Heads of the columns between the move and the ratios."""
        currency = self.books.state.venue.currency
        names = (f"price of {self.asset}", "worth", "counts as margin")
        return [Column(name, f"{name} ({currency})") for name in names]

    def _worth_cells(self, x: float) -> list[str]:
        """Price, worth and margin value after a move; the present ones explain themselves."""
        if x == 0:
            return list(self.present.values())
        price = float(self.price_at(x))
        worth = [
            Shown(fmt.amount(held * price), held * price) for held in (self.held, self.counted)
        ]
        return [Shown(fmt.price(price), price), *worth]

    def to_frame(self) -> pd.DataFrame:
        """One row per move: the price, and the margin ratio of both modes."""
        import pandas as pd

        return pd.DataFrame(
            {
                "shock": self.x,
                "price": self.price_at(self.x),
                **{f"{one.mode}_margin_ratio": one.margin_ratio for one in self.series},
            }
        )

    def svg(self) -> str:
        """The picture as inline SVG; words take the colour of the page."""
        chart = self._chart()
        self._draw_ratios(chart)
        return chart.svg()

    def _chart(self) -> Chart:
        """The frame of the static picture, without marks."""
        title = f"Margin ratio against the price of {self.asset}"
        return Chart(
            self._across(f"move of the price of {self.asset}"), ratio_axis(), title, self.text
        )

    def _across(self, label: str) -> Axis:
        low, high = float(self.x[0]), float(self.x[-1])
        digits = 0 if high - low > 0.05 else 2
        places = round_ticks(low, high, 8)
        return Axis(low, high, ticks(places, lambda x: fmt.percent(x, digits, sign=True)), label)

    def _draw_ratios(self, chart: Chart) -> None:
        low, high = float(self.x[0]), float(self.x[-1])
        trigger = self.trigger
        chart.area(
            np.array([low, high, high, low]),
            np.array([trigger, trigger, CEILING, CEILING]),
            "liq",
            0.1,
        )
        chart.line(np.array([low, high]), np.full(2, trigger), "word", width=1.2)
        for series in (self.cross, self.isolated):
            seen = series.margin_ratio <= CEILING
            chart.line(self.x, np.where(seen, series.margin_ratio, np.nan), series.mode)
            for event in series.events[:4]:
                chart.point(event.x, trigger, series.mode)
                anchor = "end" if event.x > (low + high) / 2 else "start"
                under = trigger * (1 - 0.07 / (chart.y.span[1] - chart.y.span[0]))
                chart.text(event.x, under, f"LIQ {event.pool}", anchor=anchor)

    def _repr_html_(self) -> str:
        title = f"Collateral under stress: {self.asset}"
        if self.fixed:
            return static_page(title, self.text, "", "")
        head, rows = self.table()
        return static_page(title, self.text, self.svg(), static_table(head, rows))


def ratio_axis(span: tuple[float, float] = (0.0, 1.0)) -> Axis:
    """The axis of the ratio, on a part of the frame."""
    places = round_ticks(0.0, CEILING, 6 if span == (0.0, 1.0) else 3)
    shown = ticks(places, lambda y: fmt.percent(y, 0))
    return Axis(0.0, CEILING, shown, "maintenance ÷ margin balance", span=span)


def stressed_assets(account: Account) -> tuple[str, ...]:
    """Collateral assets whose price can move, those worth most first."""
    currency = account.currency
    worth: dict[str, float] = {
        asset: abs(held) * account.asset_price(asset)
        for asset, held in account.collateral.items()
        if held and asset != currency
    }
    return tuple(sorted(worth, key=lambda asset: -worth[asset]))


def followed_symbol(account: Account, asset: str) -> str | None:
    """The symbol whose mark says what an asset is worth; None if its price is fixed."""
    books = account.books
    symbol = int(books.book.asset_symbol[books.assets.index(asset)])
    return books.symbols[symbol] if symbol >= 0 else None


def collateral_stress(
    account: Account,
    asset: str,
    *,
    with_mark: bool = True,
    low: float | None = None,
    high: float | None = None,
    points: int = 400,
) -> CollateralStress:
    """Move the price of one collateral asset, haircuts applied.

    Parameters
    ----------
    account : Account
    asset : str
        One that the account holds or settles in.
    with_mark : bool
        Whether a mark that the asset's price follows moves along, and so the positions on it. If
        not, or where its price follows none, the asset's price moves alone: a de-peg.
    low, high : float, optional
        Relative moves between which; above -1. By default the liquidations of both modes show.
    points : int
        Size of the even grid.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> stress = collateral_stress(presets.bitcoin_on_bitcoin(), "BTC")
    >>> round(stress.cross.events[0].x, 4)
    -0.2733
    """
    books = account.books
    if asset not in books.assets:
        hint = did_you_mean(str(asset), books.assets)
        raise KeyError(f"asset: {asset!r} is no collateral of this account{hint}")
    symbol = followed_symbol(account, asset) if with_mark else None
    lines = PoolLines(books, asset) if symbol is None else None
    if low is None or high is None:
        nearest = lines.nearest() if lines else _nearest(account, str(symbol))
        fresh = move_range(nearest, dollar=asset in DOLLARS)
        low, high = fresh[0] if low is None else low, fresh[1] if high is None else high
    low = number("low", low, above=-1.0)
    high = number("high", high, above=low)
    if lines is not None:
        return lines.stress(low, high, points)
    assert symbol is not None
    return _with_mark(account.books, asset, symbol, low, high, points)


def _with_mark(
    books: Books, asset: str, symbol: str, low: float, high: float, points: int
) -> CollateralStress:
    """Both modes while the mark moves that the asset's price follows."""
    mark = float(books.marks[books.symbols.index(symbol)])
    curve = trace(books, symbol, mark * (1 + low), mark * (1 + high), points, None)
    found = []
    for mode in MODES:
        along = getattr(curve, mode)
        # Divided as the grid is: a trigger and its entries stay one and the same number.
        events = tuple(
            StressEvent(event.x / mark - 1.0, event.pool, event.positions) for event in along.events
        )
        found.append(StressSeries(mode, along.margin_ratio, events))
    return CollateralStress(
        books,
        asset,
        symbol,
        curve.x / mark - 1.0,
        isolated=found[0],
        cross=found[1],
        again=lambda low, high: _with_mark(books, asset, symbol, low, high, 2),
    )


def _nearest(account: Account, symbol: str) -> list[float]:
    mark = account.mark(symbol)
    prices = [
        price
        for report in (account.isolated, account.cross)
        for price in report.trigger_prices(symbol)
        if price is not None
    ]
    return [price / mark - 1.0 for price in prices]


def move_range(moves: list[float], *, dollar: bool) -> tuple[float, float]:
    """A range that shows the nearest liquidations below and above."""
    reach = _REACH_DOLLAR if dollar else _REACH
    down = max([reach, *(-1.25 * move for move in moves if -1 < move < 0)])
    up = max([reach / 4, *(1.25 * move for move in moves if 0 < move < 2)])
    step = round_step(down + up, 8)
    return max(_LOWEST, -math.ceil(down / step - 1e-9) * step), math.ceil(up / step - 1e-9) * step


class PoolLines(PoolsAlong):
    """Pools as functions of one asset's price while all marks stay: straight lines, so exact.

    Amounts of an asset are worth its price times what they are, whatever haircut bands, tiers and
    loan rates say of the amounts; these do not change with the price.
    """

    def __init__(self, books: Books, asset: str) -> None:
        super().__init__(books)
        self.asset = asset
        self.lines = {mode: self._line(ledger) for mode, ledger in self.ledgers.items()}

    def _line(self, ledger: Ledger) -> tuple[Floats, Floats]:
        """Margin balance and requirement of each pool: value at the present and slope (2, P)."""
        moved = at_twice_the_price(self.books, self.asset)
        now = ledger.valuation
        then = Ledger(mark_book(moved, ledger.marks), ledger.partition, ledger.portfolio).valuation

        def pair(figure: str) -> Floats:
            values = [getattr(one, figure) for one in (now, then)]
            return np.stack([values[0], values[1] - values[0]])

        return pair("margin_balance"), pair("requirement")

    @property
    def price(self) -> float:
        """Present price of the asset in the account's currency."""
        place = self.books.assets.index(self.asset)
        return float(self.books.book.asset_prices(self.books.marks)[place])

    def at(self, mode: str, x: Floats) -> tuple[Floats, Floats]:
        """Margin balance and requirement of each pool (M, P) after relative moves (M,)."""
        (value, slope), (needed, needs) = self.lines[mode]
        return value + slope * x[:, None], needed + needs * x[:, None]

    def triggers(self, mode: str) -> Floats:
        """Moves below and above zero at which each pool has no surplus, NaN if none (P, 2)."""
        balance, required = self.lines[mode]
        level = self.books.book.trigger_level
        value, slope = balance - level * required
        with np.errstate(all="ignore"):
            root = np.where(slope != 0, -value / slope, np.nan)
        ledger = self.ledgers[mode]
        root[~ledger.partition.occupied | ledger.fallen | (root <= -1.0)] = np.nan
        both: Floats = np.stack(
            [np.where(root < 0, root, np.nan), np.where(root > 0, root, np.nan)], axis=1
        )
        return both

    def stress(self, low: float, high: float, points: int) -> CollateralStress:
        """Both modes between two moves."""
        x = self.grid(low, high, points)
        return CollateralStress(
            self.books,
            self.asset,
            None,
            x,
            isolated=self.series("isolated", x),
            cross=self.series("cross", x),
            again=lambda low, high: self.stress(low, high, 2),
        )


def at_twice_the_price(books: Books, asset: str) -> Book:
    """The account's book with the price of one asset doubled, and of all that is told in it."""
    book = books.book
    doubled = book.asset_price.copy()
    doubled[books.assets.index(asset)] *= 2.0
    # What is worth a mark that is told in this asset is worth more of it too.
    for other, symbol in enumerate(book.asset_symbol.tolist()):
        if symbol >= 0 and books.contracts[symbol].quote == asset:
            doubled[other] *= 2.0
    return book.replace(asset_price=doubled)


__all__ = [
    "CEILING",
    "MODES",
    "CollateralStress",
    "PoolLines",
    "StressEvent",
    "StressSeries",
    "at_twice_the_price",
    "collateral_stress",
    "followed_symbol",
    "move_range",
    "ratio_axis",
    "stressed_assets",
]
