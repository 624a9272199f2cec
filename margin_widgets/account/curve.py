"""Both margin modes against one price or a common move, through liquidation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from margin_widgets.account.books import Books
from margin_widgets.account.checks import number
from margin_widgets.engine import sweep
from margin_widgets.engine.book import Floats
from margin_widgets.engine.piecewise import evaluate
from margin_widgets.engine.sweep import SweepSeries

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.svg import Picture
    from margin_widgets.account.svg_file import Theme


@dataclass(frozen=True)
class LiquidationEvent:
    """A pool closed on the way from the present marks.

    Attributes
    ----------
    x : float
        Price, or common relative move, at the trigger.
    pool : str
    positions : tuple of str
        Keys of the positions closed.
    equity_before, equity_after : float
        Equity of the account on both sides of the jump.
    pool_equity : float
        What the pool still held at the trigger.
    returned, fee : float
        What of it came back to the account, and the liquidation fee.
    bankruptcy_x : float or None
        Where the pool's equity would have been zero.
    """

    x: float
    pool: str
    positions: tuple[str, ...]
    equity_before: float
    equity_after: float
    pool_equity: float
    returned: float
    fee: float
    bankruptcy_x: float | None


@dataclass(frozen=True, eq=False)
class ModeCurve:
    """One margin mode along a curve.

    Attributes
    ----------
    x : ndarray (M,)
        Places on the axis; `Curve.x` for isolated and cross.
    """

    curve: Curve
    mode: str
    x: Floats
    series: SweepSeries

    @property
    def equity(self) -> Floats:
        """Equity of the account; flat in pools that were liquidated (M,)."""
        return _fixed(self.series.equity)

    @cached_property
    def untouched(self) -> Floats:
        """Equity if nobody were liquidated: every pool open all along the axis (M,)."""
        track, u = self.series.track, self.series.u
        first = np.zeros(len(track.fallen), dtype=np.intp)
        standing = track.ray.equity_while_standing(u, first, first + len(u))
        return _fixed(evaluate(track.idle, u) + standing)

    @property
    def maintenance(self) -> Floats:
        """Maintenance margin of the pools that stand (M,)."""
        return _fixed(self.series.maintenance)

    @property
    def margin_ratio(self) -> Floats:
        """Highest maintenance over margin balance of the pools that stand; NaN if none (M,)."""
        return _fixed(self.series.margin_ratio)

    @cached_property
    def events(self) -> tuple[LiquidationEvent, ...]:
        """Liquidations in the range, the nearest to the present first."""
        books = self.curve.books
        names, members = books.pool_names(self.mode), books.pool_members(self.mode)
        return tuple(
            LiquidationEvent(
                x=self.curve.x_of(event.u),
                pool=names[event.pool],
                positions=tuple(books.keys[member] for member in members[event.pool]),
                equity_before=event.equity_before,
                equity_after=event.equity_after,
                pool_equity=event.pool_equity,
                returned=event.returned,
                fee=event.fee,
                bankruptcy_x=(
                    None if math.isnan(event.bankruptcy_u) else self.curve.x_of(event.bankruptcy_u)
                ),
            )
            for event in self.series.events
        )


@dataclass(frozen=True, eq=False, repr=False)
class Curve:
    """Equity, maintenance and ratio of every margin mode along one axis.

    Attributes
    ----------
    books : Books
    symbol : str or None
        The symbol that moves; None for a common move of all marks.
    marks : ndarray (S,)
        Marks the move starts from.
    low, high : float
        Range of the axis.
    points : int
        Size of the even grid.
    """

    books: Books
    symbol: str | None
    marks: Floats
    low: float
    high: float
    points: int

    @property
    def mark(self) -> float:
        """Present place on the axis: the mark, or 0."""
        return 0.0 if self.symbol is None else self._base

    @property
    def x(self) -> Floats:
        """Ascending prices, or relative moves (M,).

        Every trigger of isolated and cross in the range appears twice: of two equal entries the
        one nearer to the mark is before the liquidation, the other after.
        """
        return self.cross.x

    def x_of(self, u: float) -> float:
        """Place on the axis of a factor on the moved marks."""
        return u - 1.0 if self.symbol is None else u * self._base

    def between(self, low: float, high: float) -> Curve:
        """The same curve on another range of the axis."""
        return replace(
            self,
            low=number("low", low, above=-1.0 if self.symbol is None else 0.0),
            high=number("high", high, above=low),
        )

    def at(self, values: Floats, x: float) -> float:
        """A series of the curve at x, on the side of a jump that lies nearer to the mark."""
        return float(np.interp(math.nextafter(x, self.mark), self.x, values))

    @cached_property
    def _base(self) -> float:
        if self.symbol is None:
            return 1.0
        return float(self.marks[self.books.symbols.index(self.symbol)])

    def _traced(self, modes: tuple[str, ...]) -> dict[str, ModeCurve]:
        """Curves of some modes on one grid that holds the triggers of all of them."""
        offset = 1.0 if self.symbol is None else 0.0
        swept = sweep(
            [self.books.ledger(mode, self.marks) for mode in modes],
            (self.low + offset) / self._base,
            (self.high + offset) / self._base,
            symbol=None if self.symbol is None else self.books.symbols.index(self.symbol),
            points=self.points,
        )
        x = swept.u - 1.0 if self.symbol is None else swept.u * self._base
        pairs = zip(modes, swept.series, strict=True)
        return {mode: ModeCurve(self, mode, x, series) for mode, series in pairs}

    @cached_property
    def _both(self) -> dict[str, ModeCurve]:
        return self._traced(("isolated", "cross"))

    @property
    def isolated(self) -> ModeCurve:
        """Every position alone with its own margin."""
        return self._both["isolated"]

    @property
    def cross(self) -> ModeCurve:
        """Everything supports everything."""
        return self._both["cross"]

    @cached_property
    def configured(self) -> ModeCurve:
        """The account as its positions' margin modes say, on a grid of its own."""
        return self._traced(("configured",))["configured"]

    def __repr__(self) -> str:
        axis = "common move" if self.symbol is None else f"price of {self.symbol}"
        return f"Curve({axis} from {self.low:g} to {self.high:g}, {len(self.x)} points)"

    def to_svg(
        self,
        picture: Picture = "equity",
        *,
        theme: Theme = "auto",
        width: int = 720,
        height: int = 440,
        title: str | None = None,
    ) -> str:
        """Draw the curve as a complete SVG file, with axes, legend and liquidations; no browser.

        Parameters
        ----------
        picture : {"equity", "margin_ratio"}
        theme : {"auto", "light", "dark"}
            "auto" follows the reader's system and prints light.
        width, height : int
            In pixels; words stay the same size.
        title : str, optional
            In place of what the curve is called.

        Raises
        ------
        ValueError
            If there is no such picture or theme, or the size is too small.

        Examples
        --------
        >>> from margin_widgets import presets
        >>> presets.ref2().curve("BTCUSDT").to_svg()[:38]
        '<svg xmlns="http://www.w3.org/2000/svg'
        """
        from margin_widgets.account.svg import curve_svg

        return curve_svg(self, picture, theme=theme, width=width, height=height, title=title)

    def to_png(
        self,
        picture: Picture = "equity",
        *,
        theme: Literal["light", "dark"] = "light",
        width: int = 720,
        height: int = 440,
        title: str | None = None,
        scale: float = 2.0,
    ) -> bytes:
        """Draw the curve as PNG; needs the optional ``margin-widgets[png]``.

        Parameters
        ----------
        picture, theme, width, height, title
            As of `to_svg`; a PNG has one theme.
        scale : float
            Pixels of the PNG per pixel of width and height.

        Raises
        ------
        ImportError
            If resvg_py is not installed, saying how to get it.
        """
        from margin_widgets.account.png import png

        svg = self.to_svg(picture, theme=theme, width=width, height=height, title=title)
        return png(svg, scale=scale)

    def describe(self) -> str:
        """Say what moves, what each mode loses where, what is left, and what is assumed."""
        from margin_widgets.account.curve_words import describe

        return describe(self)

    def to_frame(self) -> pd.DataFrame:
        """One row per x, equity, maintenance and ratio of both modes as columns."""
        import pandas as pd

        columns: dict[str, Floats] = {"shock" if self.symbol is None else "price": self.x}
        for curve in (self.isolated, self.cross):
            columns[f"{curve.mode}_equity"] = curve.equity
            columns[f"{curve.mode}_maintenance"] = curve.maintenance
            columns[f"{curve.mode}_margin_ratio"] = curve.margin_ratio
        return pd.DataFrame(columns)


def trace(
    books: Books,
    symbol: str | None,
    low: float | None,
    high: float | None,
    points: int,
    marks: Mapping[str, float] | None,
) -> Curve:
    """Compute the curve; `Account.curve` says what the arguments mean."""
    present = books.marks
    if marks:
        place = {name: index for index, name in enumerate(books.symbols)}
        present = present.copy()
        for name, mark in marks.items():
            if name not in place:
                raise KeyError(f"marks[{name!r}]: no such symbol in this account")
            present[place[name]] = number(f"marks[{name!r}]", mark, above=0.0)
    if low is None or high is None:
        wide = default_range(books, symbol)
        low = wide[0] if low is None else low
        high = wide[1] if high is None else high
    low = number("low", low, above=-1.0 if symbol is None else 0.0)
    high = number("high", high, above=low)
    return Curve(books, symbol, present, low, high, points)


def _fixed(values: Floats) -> Floats:
    """The array, no longer writable: a curve does not change."""
    values.setflags(write=False)
    return values


_MOST = 2.0
"""The largest rise that is shown unless a range is asked for."""


def default_range(books: Books, symbol: str | None) -> tuple[float, float]:
    """A range around the present that shows the nearest liquidation of each mode."""
    nearest = []
    for mode in ("isolated", "cross"):
        ledger = books.ledger(mode)
        if symbol is None:
            factors = ledger.common_triggers.nearest(1.0)
        else:
            mine = ledger.book.symbol == books.symbols.index(symbol)
            mark = books.marks[books.symbols.index(symbol)]
            factors = ledger.liquidation_prices.nearest(mark)[mine] / mark
        moves = factors[~np.isnan(factors)] - 1
        moves = moves[moves <= _MOST]  # those beyond would take the room of those that can be seen
        if len(moves):
            nearest.append(float(moves[np.argmin(np.abs(moves))]))
    down = min(1.45 * max([-move for move in nearest if move < 0], default=0.0), 0.95)
    up = min(1.45 * max([move for move in nearest if move > 0], default=0.0), _MOST)
    widest = max(down, up) or 0.5
    down, up = max(down, min(widest, 1.0) / 2, 0.02), max(up, widest / 2, 0.02)
    step = _round_step(down + up)
    low = max(-0.95, -math.ceil(down / step - 1e-9) * step)
    high = math.ceil(up / step - 1e-9) * step
    if symbol is None:
        return low, high
    mark = float(books.marks[books.symbols.index(symbol)])
    return mark * (1 + low), mark * (1 + high)


def _round_step(width: float) -> float:
    """A round step of 1, 2 or 5 that divides a width into about six."""
    rough = width / 6
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
