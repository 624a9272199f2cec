"""Margin ratio against the price of one collateral asset: haircut, de-peg, LP token."""

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
from margin_widgets.account.lp_token import LpStress, lp_stress, lp_symbols
from margin_widgets.widgets.drawing import Axis
from margin_widgets.widgets.panel import TALL, WHOLE, stretched
from margin_widgets.widgets.picture import choice
from margin_widgets.widgets.plotting import (
    FRAMES,
    NARROWEST,
    Floats,
    LabelPlacer,
    Placed,
    assign,
    ended,
    move,
    side_by_side,
    tick_style,
    with_gaps,
)
from margin_widgets.widgets.pool_ratio_picture import IN_THE_WAY, PoolRatioPicture
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.worth_stack import WorthStack

if TYPE_CHECKING:
    from margin_widgets.account import Account

RATIOS, WORTH = (0.5, 1.0), (0.0, 0.38)
"""Shares of the frame in which ratios and the worth of an LP token are drawn."""


class CollateralStressPlot(PoolRatioPicture):
    """Maintenance over margin balance of both modes while one collateral asset changes its price.

    A pool is liquidated where its ratio reaches the trigger, and its line ends there. As an LP
    token the asset's price goes with the root of a mark, positions on which move along; a stack
    below then says what of it counts as margin, what the haircut takes, and how much less it is
    than the two coins held.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets.
    asset : str, optional
        The asset to start with; the one worth most if none is given.
    with_mark : bool
        Whether a mark that the asset's price follows moves along, and so the positions on it.
    lp_of : str, optional
        The symbol on whose pair the asset is an LP token; empty if it is none.
    active : bool
        Whether it follows edits.

    Attributes
    ----------
    asset, lp_of : str
    cross_line, isolated_line : bqplot.Lines
        Move of the asset's price, and the highest ratio of the pools that stand.
    ends : bqplot.Scatter
        Where pools are liquidated.
    stack : WorthStack
        The marks of an LP token's worth.
    data : CollateralStress or None
        An `LpStress` where the asset is an LP token.

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
    tight = NARROWEST

    asset = Unicode("", help="the collateral asset whose price moves")
    with_mark = Bool(True, help="whether a mark that the price follows moves along")
    lp_of = Unicode("", help="the symbol on whose pair the asset is an LP token")

    data: CollateralStress | None

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        asset: str = "",
        with_mark: bool = True,
        lp_of: str = "",
        active: bool = True,
    ) -> None:
        self.set_trait("asset", asset)
        self.set_trait("with_mark", with_mark)
        self.set_trait("lp_of", lp_of)
        super().__init__(account, selection, active=active)
        self.observe(self._on_key, ["asset", "with_mark", "lp_of"])

    def _marks(self) -> tuple[list[Any], list[Any]]:
        self._ratio_marks()
        self.stack = WorthStack(self._x, WORTH)
        lines = [self.guides, self.stem, self.cross_line, self.isolated_line, self.ends]
        return [*self.stack.marks, *lines], []

    def _axes(self) -> list[Axis]:
        return [*super()._axes(), self.stack.panel.axis]

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
        if not self.lp_of:
            return collateral_stress(self.account, self.asset, with_mark=self.with_mark)
        try:
            return lp_stress(self.account, self.asset, self.lp_of)
        except KeyError as error:  # the symbol is gone: said in words, and another can be chosen
            raise ValueError(error.args[0]) from error

    # -- drawing ------------------------------------------------------------------------------

    def _draw(self, data: CollateralStress) -> None:
        low, high = float(data.x[0]), float(data.x[-1])
        token = data if isinstance(data, LpStress) else None
        values, crowded = side_by_side(low, high, move)
        assign(self.x_axis, tick_style=tick_style(5, crowded))
        self.height = LabelPlacer.HEIGHT if token is None else TALL
        assign(self.figure.layout, height=f"{self.height:.0f}px")
        self._set_domain(
            (low, high),
            stretched(0.0, CEILING, WHOLE if token is None else RATIOS),
            ticks(values, move),
            ticks(round_ticks(0.0, CEILING, 6 if token is None else 3), lambda y: percent(y, 0)),
        )
        assign(self.y_axis, label_location="middle" if token is None else "end")
        self.stack.draw(token)
        moving = f" and {data.symbol}" if data.symbol else " alone"
        moved = f"{data.asset}{moving}" if token is None else token.symbol
        assign(self.x_axis, label=f"move of {moved}")
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
        self._draw_trigger(low, high, data.trigger)
        assign(self.stem, x=np.zeros(2), y=np.array([float(self._y.min), CEILING]))
        ends = [(one.mode, event.x) for one in (data.cross, data.isolated) for event in one.events]
        self._draw_ends(ends, data.trigger)
        self._put_labels(self._words(data, drawn))

    def _words(self, data: CollateralStress, drawn: list[tuple[Floats, Floats]]) -> list[Placed]:
        placed: list[Placed] = []
        pixel = (float(self._y.max) - float(self._y.min)) / self.height
        token = data if isinstance(data, LpStress) else None
        if token is not None:
            drawn = [*drawn, *self.stack.lines_on(self._y, token)]
        for width in FRAMES:
            placer = self._placer(width, drawn)
            text = f"liquidation at {percent(data.trigger, 0)}"
            placer.place(float(data.x[0]), data.trigger + 10 * pixel, text, "word")
            for series in (data.cross, data.isolated):
                for event in series.events:
                    placer.take(event.x, data.trigger)
                for number, event in enumerate(series.events[:4]):
                    name = "account" if event.pool == "cross" else event.pool
                    text = f"LIQ {name} {percent(event.x, sign=True)}"
                    if not placer.fits(text, 0.5):
                        text = f"LIQ {percent(event.x, sign=True)}"
                    placer.place(
                        event.x,
                        data.trigger - 20 * pixel,
                        text,
                        series.mode,
                        reach=9 if number == 0 else 4,
                        at_most=1e4 if number == 0 else IN_THE_WAY,
                        away_from=0.0,
                    )
            self._name_lines(placer, drawn, -1)
            if token is not None:
                self.stack.name(placer, self._y, token)
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
        elif self.asset in assets:
            options = [("", "Its price alone")]
            options += [(one, f"LP of {one}") for one in lp_symbols(self.account, self.asset)]
            parts.append(choice("What moves", "lp_of", options, self.lp_of))
        return f'<div class="mw-row">{"".join(parts)}</div>'

    def _act(self, action: str, value: str) -> None:
        if action == "asset":
            with self.hold_trait_notifications():
                self.asset = value
                if self.lp_of not in lp_symbols(self.account, value):
                    self.lp_of = ""
        elif action == "with_mark":
            self.with_mark = value == "yes"
        elif action == "lp_of":
            self.lp_of = value
