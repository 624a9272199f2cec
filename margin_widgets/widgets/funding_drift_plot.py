"""Liquidation price against days of funding: when funding alone liquidates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import Float, validate

from margin_widgets.account.chart_svg import round_ticks, ticks
from margin_widgets.account.checks import number
from margin_widgets.account.figures import KeyFigure, figure_of, figure_of_mark
from margin_widgets.account.formatting import percent, plain, price
from margin_widgets.account.funding_drift import BAND, RATE, FundingDrift, funding_drift
from margin_widgets.widgets.number_slider import NumberSlider
from margin_widgets.widgets.picture import Picture, position_choice
from margin_widgets.widgets.plotting import (
    CLEAR,
    CROSS,
    FRAMES,
    ISOLATED,
    NARROWEST,
    STEM,
    Placed,
    assign,
    ended,
    rows,
    short,
    side_by_side,
    tick_style,
)
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account

GUIDES = {
    "band": "var(--mw-guide-beyond, transparent)",
    "mark": "var(--mw-guide-trigger, #4D4D4D)",
}
REACH, STEP = 0.1, 0.001
"""The slider of the rate goes this far both ways, in steps, in per cent per interval."""
IN_THE_WAY = 60.0


class FundingDriftPlot(Picture):
    """Liquidation price of one position in both modes, day after day of funding, marks unchanged.

    Funding is charged to the isolated margin, and in cross to the wallet of the pool. A line ends
    where it reaches the mark: there funding alone has liquidated.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; ``selection.key`` is the position.
    rate : float
        Funding rate per 8 hours; longs pay what is positive.
    band : float
        Half the width of the band around the mark, as a share of it.
    active : bool
        Whether it follows edits.

    Attributes
    ----------
    rate : float
    cross_line, isolated_line : bqplot.Lines
        Days and liquidation price.
    ends : bqplot.Scatter
        Days at which funding alone liquidates.
    data : FundingDrift or None

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = FundingDriftPlot(mw.presets.ref2(), rate=0.0001)
    >>> [round(float(day), 2) for day in plot.ends.x]
    [454.76, 316.67]
    >>> plot.close()
    """

    title = "Funding drift"
    kind = "funding-drift"
    empty = "Add a position to see what funding does to its liquidation price."
    tight = NARROWEST

    rate = Float(RATE, help="funding rate per 8 hours")
    band = Float(BAND, help="half the width of the band around the mark")

    data: FundingDrift | None

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        rate: float = RATE,
        band: float = BAND,
        active: bool = True,
    ) -> None:
        self.set_trait("rate", rate)
        self.set_trait("band", band)
        self._slider = NumberSlider(
            "Funding per 8 h, %",
            "Funding rate per 8 hours in per cent",
            100.0 * rate,
            low=-REACH,
            high=REACH,
            step=STEP,
            decimals=4,
            preview=lambda percents: self._preview(percents / 100.0),
            commit=self._on_slider,
            cancel=self.update,
            history=lambda kind: getattr(account, kind)(),
        )
        super().__init__(account, selection, active=active)
        self._show_figure(self._shown)
        self.observe(self._on_rate, ["rate", "band"])

    def _marks(self) -> tuple[list[Any], list[Any]]:
        self.guides = self._lines(
            list(GUIDES.values()),
            fill="inside",
            fill_colors=[STEM, CLEAR],
            fill_opacities=[0.14, 0.0],
        )
        self.cross_line = self._lines([CROSS], stroke_width=2.4)
        self.isolated_line = self._lines([ISOLATED], stroke_width=2.4, line_style="dashed")
        self.ends = self._points(marker="cross", default_size=60, stroke_width=0.0, visible=False)
        self.x_axis.label = "days of funding, all marks unchanged"
        return [self.guides, self.cross_line, self.isolated_line, self.ends], []

    def _show_figure(self, shown: bool) -> None:
        super()._show_figure(shown)
        if self._slider not in self.children:
            self.children = [self._controls, self._slider, *self.children[1:]]
        assign(self._slider.layout, display=None if self.account.books.keys else "none")

    @validate("rate")
    def _check_rate(self, proposal: Any) -> float:
        return number("rate", proposal.value, low=-1.0, high=1.0)

    @validate("band")
    def _check_band(self, proposal: Any) -> float:
        return number("band", proposal.value, low=0.0, high=0.5)

    def _compute(self, rate: float | None = None) -> FundingDrift:
        rate = self.rate if rate is None else rate
        return funding_drift(self.account, self.key, rate, band=self.band)

    # -- drawing ------------------------------------------------------------------------------

    def _draw(self, data: FundingDrift) -> None:
        low, high = data.price_range()
        values, crowded = side_by_side(0.0, data.horizon, plain)
        assign(self.x_axis, tick_style=tick_style(5, crowded))
        self._set_domain(
            (0.0, data.horizon),
            (low, high),
            ticks(values, plain),
            ticks(round_ticks(low, high, 5), short),
        )
        assign(self.y_axis, label=f"liquidation price of {data.symbol}")
        for line, series in ((self.cross_line, data.cross), (self.isolated_line, data.isolated)):
            seen = bool(np.isfinite(series.prices).any())
            if seen:
                x, y = ended(series.days, series.prices)
                assign(line, x=x, y=y)
            assign(line, visible=seen)
        near, far = data.mark * (1 - data.band), data.mark * (1 + data.band)
        end = data.horizon
        band = ([0.0, 0.0, end, end], [near, far, far, near])
        xs, ys = rows([band, ([0.0, end], [data.mark, data.mark])], (0.0, data.mark))
        assign(self.guides, x=xs, y=ys)
        crossed = [
            (color, series.crossing)
            for color, series in ((CROSS, data.cross), (ISOLATED, data.isolated))
            if series.crossing is not None and series.crossing <= end
        ]
        if crossed:
            assign(
                self.ends,
                x=np.array([day for _, day in crossed]),
                y=np.full(len(crossed), data.mark),
                colors=[color for color, _ in crossed],
            )
        assign(self.ends, visible=bool(crossed))
        self._put_labels(self._words(data))

    def _words(self, data: FundingDrift) -> list[Placed]:
        lines = [(one.days, one.prices) for one in data.series]
        flat = (np.array([0.0, data.horizon]), np.full(2, data.mark))
        height = float(self._y.max) - float(self._y.min)
        long = self.account.positions[data.key].quantity > 0
        placed: list[Placed] = []
        for width in FRAMES:
            placer = self._placer(width, lines, [flat])
            for series in data.series:
                if series.crossing is not None and series.crossing <= data.horizon:
                    placer.take(series.crossing, data.mark)
            words = f"mark {price(data.mark, data.tick)} ± {percent(data.band, 0)}"
            if not placer.fits(words, 0.5):  # the axis says which mark, and the sentence
                words = f"mark ± {percent(data.band, 0)}"
            side = 0.05 if long else -0.05
            placer.place(0.0, data.mark + side * height, words, "word", reach=3)
            for series in (data.cross, data.isolated):
                mode = series.mode
                if series.crossing is not None and series.crossing <= data.horizon:
                    days = plain(series.crossing, 1)
                    text = f"LIQ {mode} in {days} days"
                    if not placer.fits(text, 0.5):
                        text = f"LIQ {days} d"
                    at = data.mark - side * height
                    placer.place(series.crossing, at, text, mode, reach=9)
                known = np.flatnonzero(np.isfinite(series.prices))
                if len(known):
                    first = known[0]
                    at = float(series.prices[first])
                    text = f"{mode} {price(at, data.tick)} today" if first == 0 else mode
                    placer.place(
                        float(series.days[first]), at, text, mode, reach=6, at_most=IN_THE_WAY
                    )
            placed += placer.placed
        return placed

    def _figures(self, data: FundingDrift) -> Iterator[tuple[str, KeyFigure]]:
        isolated, cross = self.account.isolated, self.account.cross
        yield "isolated", figure_of(isolated, "liquidation_price", data.key)
        yield "cross", figure_of(cross, "liquidation_price", data.key)
        yield "mark", figure_of_mark(data.books, data.symbol)
        yield "notional", figure_of(isolated, "notional", data.key)
        yield "isolated margin", figure_of(isolated, "margin", data.key)
        yield "cross margin balance", figure_of(cross, "margin_balance")

    # -- controls -----------------------------------------------------------------------------

    def _controls_html(self, data: FundingDrift | None) -> str:
        return position_choice(self.account, self.key)

    def _act(self, action: str, value: str) -> None:
        raise ValueError(f"{action}: no such control")

    def _on_rate(self, _change: Any) -> None:
        self.message = ""
        self._slider.show(100.0 * self.rate)
        self.update()

    def _on_slider(self, percents: float) -> None:
        self._preview.cancel()
        rate = number("funding rate", percents, low=-100.0, high=100.0) / 100.0
        if rate == self.rate:
            self.update()  # what was tried out goes
        self.rate = rate

    def _show_preview(self, *where: Any) -> None:
        """Draw another rate, as long as the slider is held."""
        if self._closed or not self.active or not self.account.books.keys:
            return
        self.data = self._compute(where[0])
        self._draw(self.data)
        self.caption = self.data.text
