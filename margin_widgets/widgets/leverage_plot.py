"""Liquidation price against leverage: what the leverage setting moves, and what it does not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from traitlets import Float, Instance, validate

from margin_widgets.account.chart_svg import round_ticks, ticks
from margin_widgets.account.checks import number
from margin_widgets.account.figures import KeyFigure, figure_of, figure_of_mark
from margin_widgets.account.formatting import amount, percent, plain, price
from margin_widgets.account.leverage_curve import AtLeverage, LeverageCurve, leverage_curve
from margin_widgets.account.likely_moves import LikelyMoves
from margin_widgets.widgets.drawing import Axis
from margin_widgets.widgets.picture import MARGIN, log_side_by_side
from margin_widgets.widgets.plotting import (
    CLEAR,
    CROSS,
    FRAMES,
    ISOLATED,
    STEM,
    LabelPlacer,
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

GUIDES = {
    "not allowed": "var(--mw-guide-beyond, transparent)",
    "cap": "var(--mw-guide-floor, #80868B)",
    "other caps": "var(--mw-guide-zero, #80868B)",
    "tiers": "var(--mw-guide-zero, #80868B)",
    "end": "var(--mw-guide-trigger, #4D4D4D)",
    "likely": "var(--mw-guide-likely, #80868B)",
}
# Cross by another measure of leverage: the colour of the mode, a dash of its own.
EFFECTIVE = "var(--mw-guide-effective, #0072B2)"


class LeveragePlot(SettingPicture):
    """Liquidation of one position against its leverage, isolated and cross.

    Drag the round handle along the isolated curve to set the position's leverage; a margin that was
    assigned by hand is then the margin at entry again. While dragging the plot previews, on release
    it makes one edit, which ``account.undo()`` takes back.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; ``selection.key`` is the position.
    likely : LikelyMoves, optional
        What the marks are expected to do; with it the plot marks the largest leverage at which
        isolated is liquidated with less than `probability`.
    probability : float
        Above 0, below 1.
    active : bool
        Whether it follows edits.

    Attributes
    ----------
    isolated_line, cross_line : bqplot.Lines
        Leverage setting, and distance from the mark to liquidation as a share of the mark.
    effective_line : bqplot.Lines
        Effective leverage of the cross pool, and the distance then.
    handle : bqplot.Scatter
        The position as it is.
    data : LeverageCurve or None

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = LeveragePlot(mw.presets.ref2())
    >>> plot.caption[:45]
    'BTCUSDT at 10×: isolated liquidation at 90,45'
    >>> plot.close()
    """

    title = "Liquidation against leverage"
    kind = "leverage"
    empty = "Add a position to see where leverage puts its liquidation."
    setting = "leverage"
    field_width = 6
    margin: ClassVar = {**MARGIN, "right": 72}

    likely = Instance(LikelyMoves, allow_none=True, help="which moves are to be expected")
    probability = Float(0.05, help="of a liquidation, to mark the largest leverage for")

    data: LeverageCurve | None

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        likely: LikelyMoves | None = None,
        probability: float = 0.05,
        active: bool = True,
    ) -> None:
        self.set_trait("likely", likely)
        self.set_trait("probability", probability)
        super().__init__(account, selection, active=active)
        self.observe(self._on_revision, ["likely", "probability"])

    @validate("probability")
    def _check_probability(self, proposal: Any) -> float:
        return number("probability", proposal.value, above=0.0, high=1.0 - 1e-12)

    def _marks(self) -> tuple[list[Any], list[Any]]:
        self.guides = self._lines(
            list(GUIDES.values()),
            fill="inside",
            fill_colors=[STEM] + [CLEAR] * (len(GUIDES) - 1),
            fill_opacities=[0.16] + [0.0] * (len(GUIDES) - 1),
        )
        self.effective_line = self._lines([EFFECTIVE], stroke_width=1.2)
        self.cross_line = self._lines([CROSS], stroke_width=2.4)
        self.isolated_line = self._lines([ISOLATED], stroke_width=2.4, line_style="dashed")
        self.stem = self._lines([STEM], stroke_width=1.0)
        self.effective_point = self._points(
            marker="circle", default_size=40, stroke_width=0.0, colors=[STEM], visible=False
        )
        self.x_axis.label = "leverage"
        self.y_axis.label = "distance to liquidation"
        below = [self.guides, self.stem, self.effective_line, self.cross_line, self.isolated_line]
        return below, [self.effective_point, *self._trial_and_handle()]

    def _axes(self) -> list[Axis]:
        self.price_axis = Axis(
            scale=self._y,
            side="right",
            grid_lines="none",
            label_offset="60px",
        )
        return [self.x_axis, self.y_axis, self.price_axis]

    def _compute(self) -> LeverageCurve:
        chance = self.probability
        return leverage_curve(self.account, self.key, likely=self.likely, probability=chance)

    # -- drawing ------------------------------------------------------------------------------

    def _draw(self, data: LeverageCurve) -> None:
        low, high = data.span
        top = data.reach
        values, crowded = log_side_by_side(low, high, _times)
        assign(self.x_axis, tick_style=tick_style(5, crowded))
        self._set_domain(
            (low, high),
            (0.0, top),
            ticks(values, _times),
            ticks(round_ticks(0.0, top, 5), lambda v: percent(v, 0 if top > 0.08 else 1)),
        )
        near, far = sorted((data.price_at(0.0), max(data.price_at(top), 0.0)))
        away = 1.0 if data.long else -1.0
        put_ticks(
            self.price_axis,
            {
                float(f"{away * (1 - at / data.mark):.12g}"): short(at)
                for at in round_ticks(near, far, 5)
            },
        )
        assign(self.price_axis, label=f"liquidation price of {data.symbol}")
        for line, x, y in (
            (self.isolated_line, data.leverage, data.isolated_distance),
            (self.cross_line, data.leverage, data.cross_distance),
            (self.effective_line, data.effective, data.effective_distance),
        ):
            inside = np.isfinite(y) & (y <= top)
            assign(line, visible=bool(inside.any()))
            if inside.any():
                x, y = ended(x, np.where(inside, y, np.nan))
                assign(line, x=x, y=y)
        self._draw_guides(data, top)
        self._draw_now(data, data.now, top)
        self._put_labels(self._labels(data, top))

    def _draw_guides(self, data: LeverageCurve, top: float) -> None:
        low, high = data.span
        series: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in GUIDES}
        edge = min(max(data.allowed, low), high)
        if edge < high:
            series["not allowed"] = ([edge, edge, high, high], [0.0, top, top, 0.0])
        tick = 0.05 * top
        caps = {most for _, most in data.caps} - {data.cap}
        verticals = (
            ("cap", [] if data.cap is None else [data.cap], (0.0, top)),
            ("other caps", sorted(caps), (top - tick, top)),
            ("tiers", [at for at, _ in data.tier_changes], (0.0, tick)),
            ("end", [] if data.end is None else [data.end], (0.0, top)),
            ("likely", [] if data.likely_most is None else [data.likely_most], (0.0, top)),
        )
        for name, places, (bottom, height) in verticals:
            for at in places:
                if low <= at <= high:
                    series[name][0].extend([at, at, math.nan])
                    series[name][1].extend([bottom, height, math.nan])
        xs, ys = rows([series[name] for name in GUIDES], (low, 0.0))
        assign(self.guides, x=xs, y=ys)

    def _draw_now(self, data: LeverageCurve, now: AtLeverage, top: float) -> None:
        # Where no price liquidates, the handle waits at the upper edge.
        at = top if now.isolated_distance is None else min(now.isolated_distance, top)
        assign(self.stem, x=np.full(2, now.leverage), y=np.array([0.0, top]))
        if not self._dragging:
            self._pin(self.handle, np.array([now.leverage]), np.array([at]))
        x, y = data.effective_now, data.now.cross_distance
        seen = x is not None and y is not None and data.span[0] <= x <= data.span[1] and y <= top
        if seen:
            assign(self.effective_point, x=np.array([x]), y=np.array([y]))
        assign(self.effective_point, visible=seen)

    def _labels(self, data: LeverageCurve, top: float) -> list[Placed]:
        lines = [
            (data.leverage, data.isolated_distance),
            (data.leverage, data.cross_distance),
            (
                data.effective,
                np.where(data.effective_distance <= top, data.effective_distance, top),
            ),
        ]
        lines = [(x, np.where(y <= top, y, np.nan)) for x, y in lines if len(x)]
        now, placed = data.now, []
        for width in FRAMES:
            placer = self._placer(width, lines)
            at = self._even(now.leverage)
            near = top if now.isolated_distance is None else min(now.isolated_distance, top)
            placer.take(at, near, 16.0)
            if now.isolated is not None and now.isolated_distance is not None:
                texts = [f"isolated {price(now.isolated, data.tick)}", "isolated"]
            else:
                texts = ["isolated: no price liquidates", "isolated: none"]
            _place(placer, at, near, texts, "isolated", reach=8)
            if now.cross_distance is not None and now.cross_distance <= top:
                texts = [f"cross {price(now.cross, data.tick)}", "cross"]
                end = self._even(min(data.leverage[-1], data.span[1]))  # the line may go on
                _place(placer, end, now.cross_distance, texts, "cross", reach=5)
            shown = np.flatnonzero(np.isfinite(data.effective_distance))
            shown = shown[data.effective_distance[shown] <= 0.9 * top]
            if len(shown):
                first = shown[0]
                x, y = self._even(data.effective[first]), float(data.effective_distance[first])
                texts = ["cross by effective leverage", "by effective leverage", "effective"]
                _place(placer, x, y, texts, "word", reach=6, at_most=60.0)
            if data.likely_most is not None:
                texts = [
                    f"{_times(data.likely_most)}: liquidated in less than {data.chance} of cases",
                    f"{_times(data.likely_most)}: less than {data.chance}",
                    f"{_times(data.likely_most)}: < {data.chance}",
                ]
                _place(placer, self._even(data.likely_most), 0.8 * top, texts, "word", reach=6)
            if data.allowed < data.span[1]:
                words = "not allowed" if data.cap is not None else "margin too small"
                edge = self._even(max(data.allowed, data.span[0]))
                texts = [f"above {_times(data.allowed)}: {words}", words]
                _place(placer, edge, 0.94 * top, texts, "word", reach=4)
            placed += placer.placed
        return placed

    def _figures(self, data: LeverageCurve) -> Iterator[tuple[str, KeyFigure]]:
        isolated, cross = self.account.isolated, self.account.cross
        yield "isolated", figure_of(isolated, "liquidation_price", data.key)
        yield "cross", figure_of(cross, "liquidation_price", data.key)
        yield "isolated margin", figure_of(isolated, "margin", data.key)
        yield "cross effective leverage", figure_of(cross, "effective_leverage")
        yield "mark", figure_of_mark(data.books, data.symbol)

    # -- setting the leverage -----------------------------------------------------------------

    def _present(self, data: LeverageCurve) -> float:
        return data.present

    def _set(self, value: float) -> None:
        """Set the leverage; the margin is then that at entry, as the curve says."""
        row = self.account.positions[self.key]
        with self.account.edit():
            row.leverage = value
            row.margin = None

    def _held(self, point: Any) -> tuple[float, str]:
        data = self.data
        assert data is not None
        low, _ = data.span
        wanted = float(point["x"])
        most = max(data.allowed, low)
        leverage = _round(min(max(wanted, low), most))
        if leverage > most:
            leverage = math.floor(most) if most >= 10 else math.floor(most * 10) / 10
        leverage = max(leverage, low)
        if wanted > most:
            reason = (
                f"the most that {self.account.venue.name} allows at this size"
                if most == data.cap
                else data.end_reason + f" from {_times(data.end or most)} on"
            )
            return leverage, f"held at {_times(leverage)}: {reason}"
        edge = f"held at {_times(leverage)}: the edge of the picture"
        return leverage, edge if wanted < low else ""

    def _try(self, data: LeverageCurve, value: float) -> tuple[float, float, str]:
        there = data.at(value)
        top = float(self._y.max)
        assign(self.stem, x=np.full(2, value))
        isolated, cross = (
            "at no price" if one is None else price(one, data.tick)
            for one in (there.isolated, there.cross)
        )
        words = (
            f"{data.key} at {_times(value)}: margin at entry {amount(there.margin)}, isolated"
            f" liquidation {isolated}, cross {cross}{data.condition}."
        )
        at = top if there.isolated_distance is None else min(there.isolated_distance, top)
        return value, at, words


def _place(
    placer: LabelPlacer, x: float, y: float, texts: list[str], tone: str, **how: Any
) -> None:
    """Put the first of some texts, the longest first, that finds a place."""
    for text in texts:
        before = len(placer.placed)
        placer.place(x, y, text, tone, **how)
        if len(placer.placed) > before:
            return


def _round(leverage: float) -> float:
    """A leverage as people set it: whole from 10 on, tenths below."""
    return float(round(leverage)) if leverage >= 10 else round(leverage, 1)


def _times(leverage: float) -> str:
    return f"{plain(float(f'{leverage:.4g}'))}×"
