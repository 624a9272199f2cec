"""The venue's tiers as a staircase: what a position of any size must hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from margin_widgets.account.chart_svg import round_ticks, ticks
from margin_widgets.account.figures import KeyFigure, figure_of, figure_of_mark
from margin_widgets.account.formatting import plain
from margin_widgets.account.tier_curve import (
    LOWER_PANEL,
    UPPER_PANEL,
    AtSize,
    TierCurve,
    money,
    rate_text,
    tier_curve,
)
from margin_widgets.widgets.drawing import Axis, LinearScale
from margin_widgets.widgets.picture import MARGIN, log_side_by_side
from margin_widgets.widgets.plotting import (
    FRAMES,
    STEM,
    Placed,
    assign,
    ended,
    put_ticks,
    rows,
    short,
    tick_style,
)
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.setting_picture import SettingPicture

if TYPE_CHECKING:
    from margin_widgets.account import Account

TIER = "var(--mw-guide-tier, #1B1F24)"
AVERAGE = "var(--mw-guide-floor, #80868B)"


class TierPlot(SettingPicture):
    """Maintenance rate (steps) and maintenance margin (below) against the size of a position.

    Drag the round handle to set the position's quantity. While dragging the plot previews, on
    release it makes one edit, which ``account.undo()`` takes back.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; ``selection.key`` is the position.
    active : bool
        Whether it follows edits.

    Attributes
    ----------
    rate_line, average_line : bqplot.Lines
        Rate of the tier, and maintenance margin over notional, in the upper panel.
    margin_line : bqplot.Lines
        Maintenance margin, in the lower panel; NaN where it jumps.
    handle : bqplot.Scatter
        The position as it is.
    data : TierCurve or None

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = TierPlot(mw.presets.hedged_pair())
    >>> plot.data.now.rate
    0.004
    >>> plot.close()
    """

    title = "Maintenance tiers"
    kind = "tier"
    empty = "Add a position to see what tiers its size meets."
    setting = "quantity"
    field_width = 14
    margin: ClassVar = {**MARGIN, "left": 74}

    data: TierCurve | None

    def __init__(
        self, account: Account, selection: Selection | None = None, *, active: bool = True
    ) -> None:
        super().__init__(account, selection, active=active)

    def _marks(self) -> tuple[list[Any], list[Any]]:
        # One frame holds two panels: a scale of its own puts the rate into the upper one.
        self._rate = LinearScale(min=-1.0, max=1.0, allow_padding=False)
        upper = {"x": self._x, "y": self._rate}
        self.guides = self._lines([STEM])
        self.stem = self._lines([STEM], stroke_width=1.2)
        self.average_line = self._lines([AVERAGE], stroke_width=1.2, scales=upper)
        self.rate_line = self._lines([TIER], stroke_width=2.2, scales=upper)
        self.margin_line = self._lines([TIER], stroke_width=2.2)
        point: dict[str, Any] = {"marker": "circle", "default_size": 45, "stroke_width": 0.0}
        self.rate_point = self._points(colors=[STEM], scales=upper, **point)
        self.y_axis.label_location = "start"
        self.y_axis.label_offset = "60px"
        below = [self.guides, self.stem, self.average_line, self.rate_line, self.margin_line]
        return below, [self.rate_point, *self._trial_and_handle()]

    def _axes(self) -> list[Axis]:
        self.rate_axis = Axis(
            scale=self._rate,
            side="left",
            label="rate",
            label_location="end",
            label_offset="60px",
        )
        return [self.x_axis, self.y_axis, self.rate_axis]

    def _compute(self) -> TierCurve:
        return tier_curve(self.account, self.key)

    # -- drawing ------------------------------------------------------------------------------

    def _draw(self, data: TierCurve) -> None:
        low, high = data.span
        most, rate = data.highest
        top, ceiling = most / LOWER_PANEL[1], rate * 1.25
        values, crowded = log_side_by_side(low, high, short)
        assign(self.x_axis, tick_style=tick_style(5, crowded))
        self._set_domain(
            (low, high),
            (0.0, top),
            ticks(values, short),
            ticks(round_ticks(0.0, most, 4), short),
        )
        share = UPPER_PANEL[0]
        assign(self._rate, min=-share / (1 - share) * ceiling, max=ceiling)
        put_ticks(self.rate_axis, ticks(round_ticks(0.0, rate, 3), rate_text))
        assign(self.x_axis, label=data.unit)
        assign(self.y_axis, label=f"margin ({data.settle})")
        x, y = ended(*data.gapped())
        assign(self.margin_line, x=x, y=y)
        assign(self.rate_line, x=data.amount, y=data.rate)
        assign(self.average_line, x=data.amount, y=data.average)
        floors = [tier.floor for tier in data.tiers if low < tier.floor < high]
        series: tuple[list[float], list[float]] = ([], [])
        for floor in floors:
            series[0].extend([floor, floor, math.nan])
            series[1].extend([0.0, top, math.nan])
        xs, ys = rows([series], (low, 0.0))
        assign(self.guides, x=xs[0], y=ys[0], opacities=[0.5])
        self._draw_now(data.now, top)
        self._put_labels(self._labels(data, top))

    def _draw_now(self, now: AtSize, top: float) -> None:
        assign(self.stem, x=np.full(2, now.amount), y=np.array([0.0, top]))
        assign(self.rate_point, x=np.array([now.amount]), y=np.array([now.rate]))
        if not self._dragging:
            self._pin(self.handle, np.array([now.amount]), np.array([now.maintenance]))

    def _up(self, rate: Any) -> Any:
        """Height of rates in units of the lower panel's axis."""
        low, high = float(self._rate.min), float(self._rate.max)
        return (rate - low) / (high - low) * float(self._y.max)

    def _labels(self, data: TierCurve, top: float) -> list[Placed]:
        now, placed = data.now, []
        low, high = data.span
        heights = [data.maintenance, self._up(data.rate), self._up(data.average)]
        lines = [(data.amount, height) for height in heights]
        for width in FRAMES:
            placer = self._placer(width, lines)
            at = self._even(now.amount)
            placer.take(at, now.maintenance, 16.0)
            placer.take(at, self._up(now.rate))
            text = f"{plain(now.quantity, 8)}: maintenance {money(now.maintenance)}"
            placer.place(at, now.maintenance, text, "word", reach=6)
            for number, tier in enumerate(data.tiers, start=1):
                end = data.tiers[number].floor if number < len(data.tiers) else high
                if end <= low or tier.floor >= high:
                    continue
                middle = self._even(math.sqrt(max(tier.floor, low) * min(end, high)))
                most = f" · ≤ {plain(tier.max_leverage)}×" if tier.max_leverage else ""
                placer.place(
                    middle,
                    self._up(tier.rate) + 12 / placer.HEIGHT * top,
                    f"{rate_text(tier.rate)}{most}",
                    "word",
                    reach=1,
                    at_most=60.0 if number != now.tier else 290.0,
                )
            placed += placer.placed
        return placed

    def _figures(self, data: TierCurve) -> Iterator[tuple[str, KeyFigure]]:
        report = self.account.isolated
        yield "maintenance margin", figure_of(report, "maintenance_margin", data.key)
        yield "notional", figure_of(report, "notional", data.key)
        yield "isolated initial margin", figure_of(report, "initial_margin", data.key)
        yield "mark", figure_of_mark(data.books, data.symbol)

    # -- setting the quantity -----------------------------------------------------------------

    def _present(self, data: TierCurve) -> float:
        return data.now.quantity

    def _set(self, value: float) -> None:
        self.account.positions[self.key].quantity = value

    def _held(self, point: Any) -> tuple[float, str]:
        """The dragged quantity: three digits, within the picture."""
        data = self.data
        assert data is not None
        low, high = data.span
        wanted = float(point["x"])
        amount = min(max(wanted, low * 1.01), high / 1.01)
        quantity = math.copysign(float(f"{amount / data.per_contract:.3g}"), data.now.quantity)
        held = "" if low <= wanted <= high else "held at the edge of the picture"
        return quantity, f"{held}: quantity {plain(quantity, 8)}" if held else ""

    def _try(self, data: TierCurve, value: float) -> tuple[float, float, str]:
        there = data.at(abs(value) * data.per_contract)
        self._draw_now(there, float(self._y.max))
        words = (
            f"{data.key}: a quantity of {plain(value, 8)} is in tier {there.tier} (maintenance"
            f" rate {rate_text(there.rate)}) and must hold {money(there.maintenance)}"
            f" {data.settle} of maintenance margin."
        )
        return there.amount, there.maintenance, words
