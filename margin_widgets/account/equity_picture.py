"""Equity of both modes against a price, beside that of hypothetical accounts: what is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.chart_svg import round_ticks, static_page, static_table
from margin_widgets.account.curve_words import assumed, describe, event_name, place
from margin_widgets.account.figures import (
    MODES,
    Column,
    KeyFigure,
    Shown,
    figure_if_same,
    figure_of,
)

if TYPE_CHECKING:
    from margin_widgets.account.account import Account
    from margin_widgets.account.curve import Curve, LiquidationEvent
    from margin_widgets.account.svg_file import Theme

ROWS = 12
"""About how many places the table tells apart from those where something happens."""


@dataclass(frozen=True, eq=False)
class Ghost:
    """A hypothetical account along the same axis.

    Attributes
    ----------
    name : str
        What it is called: "preview", "pinned".
    curve : Curve
        Its own curve, from its own marks.
    moved : bool
        Whether the axis is a common move that starts from other marks than the account's.
    given : str
        On the axis of one mark: what it takes for granted of other marks, where they are not the
        account's; "" where they are.
    """

    name: str
    curve: Curve
    moved: bool = False
    given: str = ""

    @property
    def sentence(self) -> str:
        """Where the hypothetical account is liquidated."""
        ends = []
        for mode in MODES:
            events = getattr(self.curve, mode).events
            told = [f"{event_name(self.curve, e)} {self._where(e)}" for e in events[:3]]
            if len(events) > 3:
                told.append(f"{len(events) - 3} more")
            ends.append(f"{mode} LIQ {', '.join(told) if told else 'none in this range'}")
        start = ", from its own marks" if self.moved else f", {self.given}" if self.given else ""
        return f"{self.name.capitalize()} (thin grey{start}): {'; '.join(ends)}."

    def names(self, mode: str, event: LiquidationEvent, who: str = "") -> list[str]:
        """Names of one of its liquidations, the best first; a cross price is conditional."""
        curve = self.curve
        now = event.x == curve.mark
        where = "now" if now else place(curve, event.x)
        text = f"{self.name} LIQ {who or event_name(curve, event)} {where}"
        return [f"{text} {self.given}", text] if self.given and mode == "cross" else [text]

    def _where(self, event: LiquidationEvent) -> str:
        now = event.x == self.curve.mark
        return "at its present marks" if now else place(self.curve, event.x)


def ghost(account: Account, hypothetical: Account, name: str, along: Curve) -> Ghost | None:
    """A hypothetical account beside a curve of the account; None if it has no such axis."""
    symbol = along.symbol
    if not hypothetical.books.keys:
        return None
    if symbol is None:
        both = set(account.books.symbols) & set(hypothetical.books.symbols)
        moved = any(account.mark(one) != hypothetical.mark(one) for one in both)
        curve = hypothetical.curve(shock=True, low=along.low, high=along.high, points=along.points)
        return Ghost(name, curve, moved)
    if symbol not in hypothetical.books.symbols:
        return None
    curve = hypothetical.curve(symbol, low=along.low, high=along.high, points=along.points)
    return Ghost(name, curve, given=_own_condition(account, hypothetical, symbol))


def _own_condition(account: Account, hypothetical: Account, symbol: str) -> str:
    """Marks beside the axis that are others than the account's, in a few words."""
    books = hypothetical.books
    used = {*books.book.symbol.tolist(), *books.book.asset_symbol.tolist()}
    known = account.books.symbols
    others = [
        f"{one} {fmt.plain(hypothetical.mark(one))}"
        for number, one in enumerate(books.symbols)
        if number in used and one != symbol
        if one not in known or hypothetical.mark(one) != account.mark(one)
    ]
    if len(others) > 3:
        return f"if {len(others)} other marks as it has them"
    return f"if {', '.join(others)}" if others else ""


@dataclass(frozen=True, eq=False)
class EquityPicture:
    """A curve, the hypothetical accounts beside it, and the words and table of both.

    Attributes
    ----------
    curve : Curve
    ghosts : tuple of Ghost
    absent : tuple of str
        Names of hypothetical accounts that have nothing on this axis.
    """

    curve: Curve
    ghosts: tuple[Ghost, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What moves, what each mode loses where, the hypothetical accounts, what is assumed."""
        nothing = [f"{name.capitalize()}: nothing on this axis." for name in self.absent]
        return " ".join([describe(self.curve), *(one.sentence for one in self.ghosts), *nothing])

    @property
    def assumed(self) -> str:
        """The part of the text that says what is assumed."""
        return assumed(self.curve)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows: round places, the mark, and every liquidation."""
        low, high = float(self.curve.x[0]), float(self.curve.x[-1])
        if self.curve.symbol is None:
            even = round_ticks(low, high, ROWS)
        else:
            base = self.curve.mark
            even = [base * (1 + one) for one in round_ticks(low / base - 1, high / base - 1, ROWS)]
        return self.reading(low, high, even).table()

    def reading(self, low: float, high: float, even: Sequence[float] = ()) -> Reading:
        """Read a range: its ends, what happens inside of it, and the least of each mode.

        Raises
        ------
        ValueError
            If the range is empty or leaves the axis.
        """
        whole = (low, high) == (float(self.curve.x[0]), float(self.curve.x[-1]))
        part = self.curve if whole else self.curve.between(low, high)
        ghosts = tuple(
            one if whole else replace(one, curve=one.curve.between(low, high))
            for one in self.ghosts
        )
        return Reading(part, ghosts, tuple(one for one in even if low < one < high))

    def to_svg(
        self,
        *,
        theme: Theme = "auto",
        width: int = 720,
        height: int = 440,
        title: str | None = None,
    ) -> str:
        """Draw both as a complete SVG file; see `Curve.to_svg`."""
        from margin_widgets.account.svg import curve_svg

        return curve_svg(
            self.curve, theme=theme, width=width, height=height, title=title, beside=self
        )

    def to_png(
        self,
        *,
        theme: Literal["light", "dark"] = "light",
        width: int = 720,
        height: int = 440,
        title: str | None = None,
        scale: float = 2.0,
    ) -> bytes:
        """Draw both as PNG; see `Curve.to_png`."""
        from margin_widgets.account.png import png

        return png(self.to_svg(theme=theme, width=width, height=height, title=title), scale=scale)

    def _repr_html_(self) -> str:
        from margin_widgets.account.svg import inline_svg

        head, rows = self.table()
        moved = self.curve.symbol or "a common move of all marks"
        svg = inline_svg(self.curve, description=self.text, beside=self)
        title = f"Account equity against {moved}"
        return static_page(title, self.text, svg, static_table(head, rows))


@dataclass(frozen=True, eq=False)
class Reading:
    """A stretch of the axis in figures.

    Attributes
    ----------
    curve : Curve
        On this stretch.
    ghosts : tuple of Ghost
    even : tuple of float
        Further places that are told.
    """

    curve: Curve
    ghosts: tuple[Ghost, ...]
    even: tuple[float, ...] = ()

    @property
    def least(self) -> Mapping[str, tuple[float, float]]:
        """Lowest equity of each mode and where it is, nearest to the mark if in many places."""
        found = {}
        for mode in MODES:
            series = getattr(self.curve, mode)
            jumps = [(e.x, v) for e in series.events for v in (e.equity_before, e.equity_after)]
            x = np.concatenate([self.curve.x, [at for at, _ in jumps]])
            values = np.concatenate([series.equity, [value for _, value in jumps]])
            low = np.flatnonzero(values <= values.min() + 1e-9 * (1 + abs(float(values.min()))))
            at = low[np.argmin(np.abs(x[low] - self.curve.mark))]
            found[mode] = (float(values[at]), float(x[at]))
        return found

    @property
    def text(self) -> str:
        """The range and the least of each mode in it."""
        curve = self.curve
        ends = f"{place(curve, float(curve.x[0]))} to {place(curve, float(curve.x[-1]))}"
        told = ", ".join(
            f"{mode} {fmt.amount(value)} at {place(curve, x)}"
            for mode, (value, x) in self.least.items()
        )
        return f"{ends}: lowest equity {told}."

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows, from the highest place down."""
        curve = self.curve
        axis = "common move" if curve.symbol is None else f"mark of {curve.symbol}"
        titles = [f"{mode} equity" for mode in MODES]
        titles += [f"{one.name}, {mode}" for one in self.ghosts for mode in MODES]
        unit = curve.books.state.venue.currency
        head: list[str] = [Column(axis, axis if curve.symbol else f"{axis} (fraction)")]
        head += [
            Column(one, f"{one} ({unit})", f"{one} after liquidation there ({unit})")
            for one in titles
        ]
        rows = [
            [Shown(place(curve, x), float(x)), *self._cells(x), what] for x, what in self._places()
        ]
        return [*head, "what happens"], rows

    def _places(self) -> list[tuple[float, str]]:
        """Places that are told and why, from the highest down."""
        curve = self.curve
        low, high = float(curve.x[0]), float(curve.x[-1])
        told: dict[float, list[str]] = {low: [], high: []}
        if low <= curve.mark <= high:
            told.setdefault(curve.mark, []).append("now")
        for owner, along in (("", curve), *((f"{one.name} ", one.curve) for one in self.ghosts)):
            for mode in MODES:
                for event in getattr(along, mode).events:
                    what = f"LIQ {owner}{mode} {event_name(along, event)}{_prices(along, event)}"
                    told.setdefault(self._known(told, event.x), []).append(what)
        for x in self.even:
            told.setdefault(self._known(told, x), [])
        return [(x, "; ".join(told[x])) for x in sorted(told, reverse=True)]

    def _known(self, told: Mapping[float, object], x: float) -> float:
        """The place that x is but for rounding, else x itself."""
        near = 1e-9 * float(self.curve.x[-1] - self.curve.x[0])
        return next((one for one in told if abs(one - x) <= near), x)

    def _equity(self, mode: str) -> KeyFigure:
        """The account's present equity in a mode."""
        from margin_widgets.account.report import MarginReport

        return figure_of(MarginReport(mode, self.curve.books), "equity")

    def _cells(self, x: float) -> list[str]:
        near = 1e-9 * float(self.curve.x[-1] - self.curve.x[0])
        cells: list[str] = []
        for along in (self.curve, *(one.curve for one in self.ghosts)):
            for mode in MODES:
                series = getattr(along, mode)
                here = [event for event in series.events if abs(event.x - x) <= near]
                if here:
                    before, after = here[0].equity_before, here[-1].equity_after
                    told = f"{fmt.amount(before)} → {fmt.amount(after)}"
                    cells.append(Shown(told, (before, after)))
                else:
                    equity = along.at(series.equity, x)
                    text = Shown(fmt.amount(equity), equity)
                    now = along is self.curve and x == along.mark
                    cells.append(figure_if_same(text, self._equity(mode)) if now else text)
        return cells


def _prices(curve: Curve, event: LiquidationEvent) -> str:
    """The fill where it is not the trigger, and the bankruptcy: three prices, apart."""
    fill = ", trigger passed, filled now" if event.x == curve.mark else ""
    if event.bankruptcy_x is None:
        return f"{fill}, bankrupt nowhere"
    return f"{fill}, bankrupt {place(curve, event.bankruptcy_x)}"
