"""Margin ratio against the price of one collateral asset: haircut, de-peg, wrong-way risk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import Bool, Unicode

from margin_widgets.account.chart_svg import round_ticks, ticks
from margin_widgets.account.collateral_stress import (
    CEILING,
    CollateralStress,
    collateral_stress,
    followed_symbol,
    stressed_assets,
)
from margin_widgets.account.figures import KeyFigure, figure_of
from margin_widgets.account.formatting import percent
from margin_widgets.widgets.picture import Picture, choice
from margin_widgets.widgets.plotting import (
    CLEAR,
    CROSS,
    FRAMES,
    ISOLATED,
    STEM,
    Floats,
    Placed,
    assign,
    ended,
    move,
    rows,
    side_by_side,
    tick_style,
    with_gaps,
)
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account

GUIDES = {
    "beyond": "var(--mw-guide-beyond, transparent)",
    "trigger": "var(--mw-guide-trigger, #4D4D4D)",
}
IN_THE_WAY = 60.0


class CollateralStressPlot(Picture):
    """Maintenance over margin balance of both modes while one collateral asset changes its price.

    A pool is liquidated where its ratio reaches the trigger, and its line ends there.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets.
    asset : str, optional
        The asset to start with; the one worth most if none is given.
    with_mark : bool
        Whether a mark that the asset's price follows moves along, and so the positions on it.
    active : bool
        Whether it follows edits.

    Attributes
    ----------
    asset : str
    cross_line, isolated_line : bqplot.Lines
        Move of the asset's price, and the highest ratio of the pools that stand.
    ends : bqplot.Scatter
        Where pools are liquidated.
    data : CollateralStress or None

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = CollateralStressPlot(mw.presets.bitcoin_on_bitcoin())
    >>> plot.asset, round(plot.data.cross.events[0].x, 4)
    ('BTC', -0.2733)
    >>> plot.close()
    """

    title = "Collateral under stress"
    kind = "collateral-stress"
    empty = "Add a position to see what its collateral is worth under stress."

    asset = Unicode("", help="the collateral asset whose price moves")
    with_mark = Bool(True, help="whether a mark that the price follows moves along")

    data: CollateralStress | None

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        asset: str = "",
        with_mark: bool = True,
        active: bool = True,
    ) -> None:
        self.set_trait("asset", asset)
        self.set_trait("with_mark", with_mark)
        super().__init__(account, selection, active=active)
        self.observe(self._on_key, ["asset", "with_mark"])

    def _marks(self) -> tuple[list[Any], list[Any]]:
        self.guides = self._lines(
            list(GUIDES.values()),
            fill="inside",
            fill_colors=["var(--mw-liq, #B5558C)", CLEAR],
            fill_opacities=[0.12, 0.0],
        )
        self.stem = self._lines([STEM], stroke_width=1.2)
        self.cross_line = self._lines([CROSS], stroke_width=2.4)
        self.isolated_line = self._lines([ISOLATED], stroke_width=2.4, line_style="dashed")
        self.ends = self._points(marker="cross", default_size=50, stroke_width=0.0, visible=False)
        self.y_axis.label = "maintenance ÷ margin balance"
        lines = [self.guides, self.stem, self.cross_line, self.isolated_line, self.ends]
        return lines, []

    def _compute(self) -> CollateralStress:
        assets = stressed_assets(self.account)
        if self.asset not in assets:
            if not assets:
                raise ValueError(
                    f"No collateral but {self.account.currency}, in which amounts are told: its"
                    " price is 1 by definition. Add another asset to the collateral to stress it."
                )
            with self.hold_trait_notifications():
                self.set_trait("asset", assets[0])
        return collateral_stress(self.account, self.asset, with_mark=self.with_mark)

    # -- drawing ------------------------------------------------------------------------------

    def _draw(self, data: CollateralStress) -> None:
        low, high = float(data.x[0]), float(data.x[-1])
        values, crowded = side_by_side(low, high, move)
        assign(self.x_axis, tick_style=tick_style(5, crowded))
        self._set_domain(
            (low, high),
            (0.0, CEILING),
            ticks(values, move),
            ticks(round_ticks(0.0, CEILING, 6), lambda y: percent(y, 0)),
        )
        moving = f" and {data.symbol}" if data.symbol else " alone"
        assign(self.x_axis, label=f"move of {data.asset}{moving}")
        drawn = []
        for line, series in (
            (self.cross_line, data.cross),
            (self.isolated_line, data.isolated),
        ):
            ratio = np.where(series.margin_ratio <= CEILING, series.margin_ratio, np.nan)
            curve: Any = data
            along: Any = series
            x, y = ended(*with_gaps(curve, along, ratio))
            assign(line, x=x, y=y)
            drawn.append((data.x, ratio))
        trigger = data.trigger
        band = ([low, low, high, high], [trigger, CEILING, CEILING, trigger])
        xs, ys = rows([band, ([low, high], [trigger, trigger])], (low, trigger))
        assign(self.guides, x=xs, y=ys)
        assign(self.stem, x=np.zeros(2), y=np.array([0.0, CEILING]))
        events = [(s.mode, event) for s in (data.cross, data.isolated) for event in s.events]
        if events:
            color = {"cross": CROSS, "isolated": ISOLATED}
            assign(
                self.ends,
                x=np.array([event.x for _, event in events]),
                y=np.full(len(events), trigger),
                colors=[color[mode] for mode, _ in events],
            )
        assign(self.ends, visible=bool(events))
        self._put_labels(self._words(data, drawn))

    def _words(self, data: CollateralStress, drawn: list[tuple[Floats, Floats]]) -> list[Placed]:
        placed: list[Placed] = []
        for width in FRAMES:
            placer = self._placer(width, drawn)
            text = f"liquidation at {percent(data.trigger, 0)}"
            placer.place(float(data.x[0]), data.trigger + 0.06, text, "word")
            for series in (data.cross, data.isolated):
                for event in series.events:
                    placer.take(event.x, data.trigger)
                for number, event in enumerate(series.events[:4]):
                    name = "account" if event.pool == "cross" else event.pool
                    placer.place(
                        event.x,
                        data.trigger * 0.88,
                        f"LIQ {name} {percent(event.x, sign=True)}",
                        series.mode,
                        reach=9 if number == 0 else 4,
                        at_most=1e4 if number == 0 else IN_THE_WAY,
                        away_from=0.0,
                    )
            for series, (x, ratio) in zip((data.cross, data.isolated), drawn, strict=True):
                known = np.flatnonzero(np.isfinite(ratio))
                if len(known):
                    end = known[-1]
                    name = f"{series.mode} (highest)" if series.mode == "isolated" else series.mode
                    placer.place(float(x[end]), float(ratio[end]), name, series.mode, reach=5)
            placed += placer.placed
        return placed

    def _figures(self, data: CollateralStress) -> Iterator[tuple[str, KeyFigure]]:
        yield from data.present.items()
        for report in (self.account.cross, self.account.isolated):
            highest = "highest " if report.mode == "isolated" else ""
            yield f"{highest}{report.mode} ratio", figure_of(report, "margin_ratio")

    # -- controls -----------------------------------------------------------------------------

    def _controls_html(self, data: CollateralStress | None) -> str:
        assets = stressed_assets(self.account) if self.account.books.keys else ()
        if not assets:
            return ""
        parts = [choice("Asset", "asset", [(one, one) for one in assets], self.asset)]
        followed = followed_symbol(self.account, self.asset) if self.asset in assets else None
        if followed is not None:
            options = [("yes", "With its mark"), ("no", "Its price alone")]
            chosen = "yes" if self.with_mark else "no"
            parts.append(choice("What moves", "with_mark", options, chosen))
        return f'<div class="mw-row">{"".join(parts)}</div>'

    def _act(self, action: str, value: str) -> None:
        if action == "asset":
            self.asset = value
        elif action == "with_mark":
            self.with_mark = value == "yes"
