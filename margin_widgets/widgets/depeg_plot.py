"""Recorded prices of one collateral asset, and how near both modes came row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import Any as Anything
from traitlets import Int, TraitError, Unicode, validate

from margin_widgets.account.chart_svg import round_ticks, ticks
from margin_widgets.account.checks import number
from margin_widgets.account.collateral_stress import CEILING, stressed_assets
from margin_widgets.account.depeg import DepegReplay, checked_prices, depeg_replay
from margin_widgets.account.figures import KeyFigure, figure_of
from margin_widgets.account.formatting import percent, plain, price
from margin_widgets.widgets.drawing import Axis
from margin_widgets.widgets.number_slider import NumberSlider
from margin_widgets.widgets.panel import TALL, Panel, stretched
from margin_widgets.widgets.picture import choice
from margin_widgets.widgets.plotting import (
    FRAMES,
    NARROWEST,
    TEXT,
    Floats,
    Placed,
    assign,
    ended,
    tick_style,
)
from margin_widgets.widgets.pool_ratio_picture import IN_THE_WAY, PoolRatioPicture
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account import Account

RATIOS, PRICES = (0.0, 0.52), (0.64, 1.0)
"""Shares of the frame in which ratios and prices are drawn."""
NOT_GIVEN = (
    "No recorded prices yet: assign a pandas Series of prices of one collateral asset to `prices`,"
    " its index the times."
)


class DepegPlot(PoolRatioPicture):
    """Prices of a collateral asset above, maintenance over margin balance of both modes below.

    The account goes through the recorded prices row by row, its marks as they are. A pool is closed
    in the first row in which it is at its trigger or beyond, and stays closed. Drag the round
    handle along the prices, move the slider or set `row` to say what holds in one row.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets.
    prices : Series, optional
        In the account's currency, above 0; the index labels the rows. Without any the widget waits.
    asset : str, optional
        Whose prices these are; by default what the series is called, or the only asset it can be.
    row : int, optional
        The row looked at, from 0 as in ``prices.iloc``; the lowest price if none is given.
    active : bool
        Whether it follows edits.

    Attributes
    ----------
    prices : Series or None
    asset : str
    row : int
    price_line : bqplot.Lines
        Row, counted from 0, and price.
    cross_line, isolated_line : bqplot.Lines
        Row, and the highest ratio of the pools that stand.
    ends : bqplot.Scatter
        Rows in which pools are liquidated.
    handle : bqplot.Scatter
        The row looked at.
    data : DepegReplay or None

    Examples
    --------
    >>> import margin_widgets as mw
    >>> import pandas as pd
    >>> window = pd.Series([100_000, 800, 95_000], index=["day 1", "day 2", "day 3"], name="BTC")
    >>> plot = DepegPlot(mw.presets.bitcoin_on_bitcoin(), prices=window)
    >>> plot.row, [event.row for event in plot.data.cross.events]
    (1, [1])
    >>> plot.close()
    """

    title = "Recorded window"
    kind = "depeg"
    empty = "Add a position to see what recorded prices of its collateral do to it."
    height = TALL
    tight = NARROWEST

    prices = Anything(None, allow_none=True, help="recorded prices, a pandas Series")
    asset = Unicode("", help="the collateral asset whose prices these are")
    row = Int(0, help="the row looked at, from 0")

    data: DepegReplay | None

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        prices: pd.Series[float] | None = None,
        asset: str = "",
        row: int | None = None,
        active: bool = True,
    ) -> None:
        self.set_trait("prices", prices)
        self.set_trait("asset", asset)
        self.set_trait("row", self._lowest() if row is None else row)
        self._slider = NumberSlider(
            "Row",
            "Row of the recorded window",
            1.0 + self.row,
            low=1.0,
            high=2.0,
            step=1.0,
            decimals=0,
            preview=lambda counted: self._preview(round(counted) - 1),
            commit=self._on_slider,
            cancel=self.update,
            history=lambda kind: getattr(account, kind)(),
        )
        super().__init__(account, selection, active=active)
        self._show_figure(self._shown)
        self.observe(self._on_prices, "prices")
        self.observe(self._on_key, ["asset", "row"])

    def _marks(self) -> tuple[list[Any], list[Any]]:
        self.panel = Panel(self._x, PRICES, "end")
        self._ratio_marks()
        self.price_line = self._lines([TEXT], stroke_width=1.8, scales=self.panel.scales)
        self.handle = self._handle(restrict_x=True, scales=self.panel.scales)
        assign(self.x_axis, label="row by row", tick_style=tick_style(5, crowded=True))
        assign(self.y_axis, label_location="start")
        lines = [self.guides, self.stem, self.price_line, self.cross_line, self.isolated_line]
        return [*lines, self.ends], [self.handle]

    def _axes(self) -> list[Axis]:
        return [*super()._axes(), self.panel.axis]

    def _show_figure(self, shown: bool) -> None:
        super()._show_figure(shown)
        if self._slider not in self.children:
            self.children = [self._controls, self._slider, *self.children[1:]]
        assign(self._slider.layout, display=None if shown else "none")

    # -- the window -----------------------------------------------------------------------------

    @validate("prices")
    def _check_prices(self, proposal: Any) -> Any:
        found = proposal.value
        if found is None:
            return found
        if not hasattr(found, "to_numpy") or not hasattr(found, "index"):
            raise TraitError(f"prices: {type(found).__name__} must be a pandas Series")
        checked_prices(found)
        return found

    @validate("row")
    def _check_row(self, proposal: Any) -> int:
        most = 0 if self.prices is None else len(self.prices) - 1
        return int(number("row", proposal.value, low=0, high=most))

    def _lowest(self) -> int:
        return 0 if self.prices is None else int(np.argmin(checked_prices(self.prices)))

    def _on_prices(self, _change: Any) -> None:
        self.message = ""
        row = self._lowest()
        if row == self.row:
            self.update()
        self.row = row

    def _whose(self) -> str:
        """The asset whose prices these are."""
        assets, named = stressed_assets(self.account), self.asset or str(self.prices.name)
        if named in assets:
            return named
        if self.asset:
            held = f"; it holds {', '.join(assets)}" if assets else ""
            raise ValueError(f"The account holds no {self.asset} whose price can move{held}.")
        if len(assets) != 1:
            which = f"one of {', '.join(assets)}" if assets else "but none in the collateral moves"
            raise ValueError(f"Say with `asset` whose prices these are: {which}.")
        return assets[0]

    def _compute(self) -> DepegReplay:
        if self.prices is None:
            raise ValueError(NOT_GIVEN)
        return replace(depeg_replay(self.account, self._whose(), self.prices), row=self.row)

    # -- drawing ------------------------------------------------------------------------------

    def _draw(self, data: DepegReplay) -> None:
        count, seen = len(data.prices), data.drawn
        left, right = -0.5, count - 0.5
        self._set_domain(
            (left, right),
            stretched(0.0, CEILING, RATIOS),
            data.places(),
            ticks(round_ticks(0.0, CEILING, 3), lambda y: percent(y, 0)),
        )
        low, high = data.price_range
        at = round_ticks(low, high, 3)
        self.panel.frame(
            low, high, {y: plain(float(f"{y:.8g}")) for y in at}, f"price of {data.asset}"
        )
        assign(self.price_line, x=seen.astype(float), y=data.prices[seen])
        drawn: list[tuple[Floats, Floats]] = []
        for line, series in ((self.cross_line, data.cross), (self.isolated_line, data.isolated)):
            ratio = series.margin_ratio[seen]
            ratio = np.where(ratio <= CEILING, ratio, np.nan)
            x, y = ended(seen.astype(float), ratio)
            assign(line, x=x, y=y)
            drawn.append((seen.astype(float), ratio))
        self._draw_trigger(left, right, data.trigger)
        both = (data.cross, data.isolated)
        ends = [(one.mode, float(event.row)) for one in both for event in one.events]
        self._draw_ends(ends, data.trigger)
        self._slider.show(1.0 + self.row, f"Row, 1 to {plain(count)}", (1.0, float(count), 1.0))
        self._draw_row(data, self.row)
        self._put_labels(self._words(data, drawn))

    def _draw_row(self, data: DepegReplay, row: int) -> None:
        top = self.panel.on(self._y, data.price_range[1])
        assign(self.stem, x=np.full(2, float(row)), y=np.array([0.0, float(top)]))
        if not self._dragging:
            self._pin(self.handle, np.array([float(row)]), data.prices[[row]])

    def _words(self, data: DepegReplay, drawn: list[tuple[Floats, Floats]]) -> list[Placed]:
        seen = data.drawn.astype(float)
        line = self.panel.on(self._y, data.prices[data.drawn])
        low = data.lowest
        placed: list[Placed] = []
        for width in FRAMES:
            placer = self._placer(width, [*drawn, (seen, line)])
            placer.take(float(data.row or 0), self._up(data, data.row or 0), 16.0)
            text = f"liquidation at {percent(data.trigger, 0)}"
            placer.place(-0.5, data.trigger + 0.11, text, "word")
            for series in (data.cross, data.isolated):
                for event in series.events:
                    placer.take(float(event.row), data.trigger)
            for series in (data.cross, data.isolated):
                for n, event in enumerate(series.events[:3]):
                    name = "account" if event.pool == "cross" else event.pool
                    placer.place(
                        float(event.row),
                        data.trigger * 0.8,
                        f"LIQ {name}",
                        series.mode,
                        reach=9 if n == 0 else 4,
                        at_most=1e4 if n == 0 else IN_THE_WAY,
                    )
            lowest = f"lowest {price(float(data.prices[low]))}"
            placer.place(float(low), self._up(data, low), lowest, "word", reach=3, at_most=250.0)
            # Where lines begin, as many end in a liquidation that has a label of its own.
            self._name_lines(placer, drawn, 0)
            placed += placer.placed
        return placed

    def _up(self, data: DepegReplay, row: int) -> float:
        return float(self.panel.on(self._y, data.prices[row]))

    def _figures(self, data: DepegReplay) -> Iterator[tuple[str, KeyFigure]]:
        yield from data.present.items()
        for report in (self.account.cross, self.account.isolated):
            highest = "highest " if report.mode == "isolated" else ""
            yield f"{highest}{report.mode} ratio now", figure_of(report, "margin_ratio")

    # -- the row looked at --------------------------------------------------------------------

    def _controls_html(self, data: DepegReplay | None) -> str:
        assets = stressed_assets(self.account) if self.account.books.keys else ()
        if data is not None or self.prices is None or len(assets) < 2:
            return ""
        options = [(one, one) for one in assets]
        return f'<div class="mw-row">{choice("Prices of", "asset", options, self.asset)}</div>'

    def _act(self, action: str, value: str) -> None:
        if action == "asset":
            self.asset = value

    def _on_slider(self, counted: float) -> None:
        self._preview.cancel()
        most = 1 if self.prices is None else len(self.prices)
        row = round(number("row", counted, low=1, high=most)) - 1
        if row == self.row:
            self.update()  # what was tried out goes
        self.row = row

    def _held(self, point: Mapping[str, float]) -> tuple[Any, ...]:
        data = self.data
        assert data is not None
        wanted = round(float(point["x"]))
        row = min(max(wanted, 0), len(data.prices) - 1)
        return row, "" if row == wanted else f"held at {data.labels[row]}: the window ends there"

    def _show_preview(self, *where: Any) -> None:
        if self._closed or not self.active or self.data is None:
            return
        data = replace(self.data, row=where[0])
        self._draw_row(data, where[0])
        self.caption = data.text

    def _end_preview(self) -> None:
        """Nothing is shown that the update after a drag does not replace."""

    def _release(self, *where: Any) -> None:
        self.row = where[0]
