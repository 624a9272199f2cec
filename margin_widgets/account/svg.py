"""Static pictures of a curve as SVG: in a notebook's output, in a page, and as files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.chart_svg import round_step, round_ticks
from margin_widgets.account.curve_words import (
    describe,
    describe_ratio,
    event_name,
    jump_words,
    place,
)
from margin_widgets.account.labels import LINE, Label, Placer, near, text_width
from margin_widgets.account.lead import lead_regions
from margin_widgets.account.palette import DARK, INLINE, THEMES, Palette, rules
from margin_widgets.account.svg_file import WIDTH, Theme, check_look
from margin_widgets.engine.piecewise import evaluate
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    from margin_widgets.account.curve import Curve, LiquidationEvent, ModeCurve
    from margin_widgets.account.equity_picture import EquityPicture
    from margin_widgets.engine.book import Floats

Picture = Literal["equity", "margin_ratio"]

HEIGHT = 440
CEILING = 1.5
"""Highest margin ratio drawn."""
_INLINE_WIDTH, _INLINE_HEIGHT = 640, 300
_FONT = 11.0
_FAMILY = "system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif"
_DASHES = {"cross": "", "isolated": "7 4", "configured": "8 3 2 3"}
_LABELS_AT_MOST = 8
_IN_THE_WAY, _OVER_ANOTHER = 60.0, 290.0
_JUMP = 18.0
_WORDS = {
    0: ("equal until something is liquidated", "equal"),
    1: ("cross ahead",),
    -1: ("isolated ahead",),
}
_BELOW_ZERO = ("below zero: paid by the insurance fund or others", "below zero: paid by others")


def equity_svg(curve: Curve, description: str = "") -> str:
    """Draw equity of both modes as inline SVG; text takes the colour of the page.

    Parameters
    ----------
    curve : Curve
    description : str
        Text twin for readers who do not see the picture; written from the curve if empty.
    """
    return inline_svg(curve, description=description)


def inline_svg(
    curve: Curve,
    picture: Picture = "equity",
    *,
    width: int = _INLINE_WIDTH,
    height: int = _INLINE_HEIGHT,
    description: str = "",
    palette: Palette = INLINE,
    beside: EquityPicture | None = None,
) -> str:
    """Draw a curve as an SVG element for a page that has a heading and a caption for it."""
    drawing = _Drawing(curve, picture, width, height, palette, headed=False, beside=beside)
    said = description or _sentence(curve, picture)
    style = f"width:100%;max-width:{width}px;height:auto"
    return drawing.element(said, f' style="{style}"')


def curve_svg(
    curve: Curve,
    picture: Picture = "equity",
    *,
    theme: Theme = "auto",
    width: int = WIDTH,
    height: int = HEIGHT,
    title: str | None = None,
    beside: EquityPicture | None = None,
) -> str:
    """Draw a curve as a complete SVG file, with title, rules and legend; `Curve.to_svg` explains.

    What is drawn `beside` are hypothetical accounts, in thin grey; words are then those of both.

    Raises
    ------
    ValueError
        If there is no such picture or theme, or the size is too small.
    """
    check_look(theme, width, height)
    drawing = _Drawing(
        curve, picture, width, height, THEMES[theme], headed=True, title=title, beside=beside
    )
    style = ""
    if theme == "auto":
        dark = rules(DARK)
        style = f"<style>@media screen and (prefers-color-scheme:dark){{{dark}}}</style>"
    size = f' width="{width}" height="{height}"'
    said = _sentence(curve, picture) if beside is None else beside.text
    return drawing.element(said, size, style) + "\n"


def _sentence(curve: Curve, picture: str) -> str:
    return describe(curve) if picture == "equity" else describe_ratio(curve)


# -- what is drawn ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Series:
    """A line: who it is, its places, and where it breaks."""

    mode: ModeCurve
    x: Floats
    y: Floats


class _Drawing:
    """One picture under construction: the frame first, then what is in it."""

    def __init__(
        self,
        curve: Curve,
        picture: str,
        width: int,
        height: int,
        palette: Palette,
        *,
        headed: bool,
        title: str | None = None,
        beside: EquityPicture | None = None,
    ) -> None:
        if picture not in get_args(Picture):
            hint = did_you_mean(str(picture), get_args(Picture))
            raise ValueError(
                f"picture: {picture!r} is not one of"
                f" {', '.join(map(repr, get_args(Picture)))}{hint}"
            )
        self.curve, self.picture, self.palette = curve, picture, palette
        self.ghosts = () if beside is None else beside.ghosts
        self.width, self.height = width, height
        self.parts: list[str] = []
        self.equity = picture == "equity"
        books = curve.books
        moved = "a common move of all marks" if curve.symbol is None else f"{curve.symbol}"
        subject = "Account equity" if self.equity else "Margin ratio"
        self.title = title or f"{subject} against {moved}"
        if palette["surface"][0] != "none":
            self._fill(f"M0 0H{width}V{height}H0Z", "surface")
        y = 6.0
        if headed:
            y = self._heading(books.state.name, books.state.venue.label)
        y = self._legend(y)
        self._scale(y)
        self._axes()
        if self.equity:
            self._equity()
        else:
            self._ratio()

    def element(self, description: str, attributes: str, style: str = "") -> str:
        """The SVG element."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="mw-figure"{attributes}'
            f' viewBox="0 0 {self.width} {self.height}" role="img"'
            f' font-family="{_FAMILY}" font-size="{_FONT:g}">'
            f"<title>{escape(self.title)}</title><desc>{escape(description)}</desc>"
            f"{style}{''.join(self.parts)}</svg>"
        )

    # Above the frame.

    def _heading(self, name: str, label: str) -> float:
        y = 6.0
        # Bold letters are wider.
        for line in _wrapped(self.title, self.width - 28, 15.0):
            y += 17
            self._text(14, y, line, "ink", size=14, bold=True)
        under = " · ".join(part for part in (name, label) if part)
        for line in _wrapped(under, self.width - 28, _FONT):
            y += 15
            self._text(14, y, line, "muted")
        return y + 7

    def _legend(self, y: float) -> float:
        entries = [("cross", "cross"), ("isolated", "isolated")]
        if self.equity:
            entries += [("muted", "maintenance in cross")]
            if self.curve.isolated.series.track.idle.any():
                entries += [("stem", "idle in isolated")]
            entries += [("ghost", f"thin: {one.name}") for one in self.ghosts]
        if self.curve.cross.events or self.curve.isolated.events:
            entries += [("liq", "liquidation")]
        x = 14.0
        for role, text in entries:
            wide = 30 + text_width(text, _FONT) + 14
            if x > 14 and x + wide > self.width:
                x, y = 14.0, y + 16
            middle = y + 8
            if role == "liq":
                self._stroke(f"M{x + 7:.1f} {middle - 4:.1f}l8 8m0 -8l-8 8", "muted", 2.0)
            elif role == "ghost":
                self._stroke(f"M{x:.1f} {middle:.1f}h24", "stem", 1.0)
            elif role in _DASHES:
                self._stroke(f"M{x:.1f} {middle:.1f}h24", role, 2.2, _DASHES[role])
            else:
                self._stroke(f"M{x:.1f} {middle:.1f}h24", role, 1.2, _GUIDES[role])
            self._text(x + 30, middle + 4, text, "ink")
            x += wide
        return y + 20

    # The frame.

    def _scale(self, y: float) -> None:
        curve = self.curve
        self.x0, self.x1 = float(curve.x[0]), float(curve.x[-1])
        if self.equity:
            low, high = _equity_range(curve, *(one.curve for one in self.ghosts))
        else:
            low, high = 0.0, CEILING
        # The label of the y axis stands above the frame, that of the second x axis as well.
        self.top = y + 16 + (16 if curve.symbol is not None else 0)
        self.bottom = self.height - 40.0
        most = max(2, min(7, int((self.bottom - self.top) / 42)))
        step = round_step(high - low, most)
        if self.equity:
            low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
        self.y0, self.y1 = low, high
        self.y_ticks = round_ticks(low, high, most)
        texts = [self._y_text(value) for value in self.y_ticks]
        self.left = 14 + max(text_width(text, _FONT) for text in texts) + 6
        form = move_text if curve.symbol is None else short
        widest = max(text_width(form(value), _FONT) for value in round_ticks(self.x0, self.x1, 6))
        self.right = self.width - max(14.0, widest / 2 + 3)
        self.labels = Placer(self.left, self.right, self.top, self.bottom, _FONT)

    def _y_text(self, value: float) -> str:
        return short(value) if self.equity else fmt.percent(value, 0)

    def _across(self, x: Floats | float) -> Floats:
        share: Floats = (np.asarray(x, dtype=float) - self.x0) / (self.x1 - self.x0)
        return self.left + share * (self.right - self.left)

    def _down(self, y: Floats | float) -> Floats:
        share: Floats = (np.asarray(y, dtype=float) - self.y0) / (self.y1 - self.y0)
        return self.bottom - share * (self.bottom - self.top)

    def _axes(self) -> None:
        curve = self.curve
        for value, text in ((value, self._y_text(value)) for value in self.y_ticks):
            at = float(self._down(value))
            self._stroke(f"M{self.left:.1f} {at:.1f}H{self.right:.1f}", "grid", 1.0)
            self._text(self.left - 6, at + 4, text, "ink", anchor="end")
        currency = curve.books.state.venue.currency
        what = f"account equity ({currency})" if self.equity else "maintenance ÷ margin balance"
        shared = curve.symbol is None
        above = self.top - 8 - (0 if shared else 16)
        self._text(14, above, _cut(what, self.width - 28, _FONT), "muted")
        form = move_text if shared else short
        for value, text in self._side_by_side(self.x0, self.x1, form):
            at = float(self._across(value))
            self._stroke(f"M{at:.1f} {self.bottom:.1f}V{self.top:.1f}", "grid", 1.0)
            self._text(at, self.bottom + 15, text, "ink", anchor="middle")
        if shared:
            words = "common move of all marks"
        else:
            words = f"mark price of {curve.symbol}, other marks unchanged"
            mark = curve.mark
            for value, text in self._side_by_side(
                self.x0 / mark - 1, self.x1 / mark - 1, move_text
            ):
                at = float(self._across(mark * (1 + value)))
                self._stroke(f"M{at:.1f} {self.top:.1f}v-4", "stem", 1.0)
                half = text_width(text, _FONT) / 2 + 2
                inside = min(max(at, half), self.width - half)
                self._text(inside, self.top - 7, text, "muted", anchor="middle")
        middle = (self.left + self.right) / 2
        words = _cut(words, self.width - 28, _FONT)
        half = text_width(words, _FONT) / 2
        middle = min(max(middle, half + 6), self.width - half - 6)
        self._text(middle, self.height - 9, words, "muted", anchor="middle")

    def _side_by_side(
        self, low: float, high: float, form: Callable[[float], str]
    ) -> list[tuple[float, str]]:
        """Round values of an x axis whose texts have room beside each other."""
        found: list[tuple[float, str]] = []
        for most in range(8, 0, -1):
            found = [(value, form(value)) for value in round_ticks(low, high, most)]
            wide = max((text_width(text, _FONT) for _, text in found), default=0.0) + 10
            apart = (self.right - self.left) / (high - low)
            apart *= found[1][0] - found[0][0] if len(found) > 1 else high - low
            if wide <= apart:
                break
        return found

    # Equity.

    def _equity(self) -> None:
        curve = self.curve
        top = max(self.y1, 0.0)
        regions = lead_regions(curve)
        for region in regions:
            if region.lead:
                role = "cross" if region.lead > 0 else "isolated"
                self._area(region.low, region.high, max(self.y0, 0.0), top, role, 0.09)
        if self.y0 < 0:
            self._hatch(float(self._down(0.0)))
        zero = float(self._down(0.0))
        self._level(0.0, "zero", 1.2)
        self._stem()
        self._guide(*_maintenance(curve), "muted")
        self._guide(*_floor(curve), "stem")
        self._draw_ghosts()
        drawn = [self._series(mode, mode.equity) for mode in (curve.cross, curve.isolated)]
        for one in drawn:
            self._line(one)
        self._jumps()
        markers = [
            (one.mode, event, event.equity_before) for one in drawn for event in one.mode.events
        ]
        self._markers(markers)
        self._name_markers(markers)
        self._name_ghosts()
        for region in regions:
            # Up to the line of the present, which words had better not cross.
            now = self.curve.mark
            high = now if region.low < now < region.high else region.high
            share = float(self._across(high) - self._across(region.low))
            words = [word for word in _WORDS[region.lead] if text_width(word, _FONT) + 12 <= share]
            if words:
                at = float(self._across(region.low))
                self.labels.place(
                    at, self.top + LINE / 2, words[0], "muted", reach=0, at_most=_OVER_ANOTHER
                )
        if zero < self.bottom - LINE:
            fits = [one for one in _BELOW_ZERO if text_width(one, _FONT) < self.right - self.left]
            word = fits[0] if fits and self._someone_pays() else "below zero"
            self.labels.place(self.left, zero + LINE, word, "ink", reach=2, at_most=_OVER_ANOTHER)
        self._name_jumps(markers)
        self._put_labels()

    def _draw_ghosts(self) -> None:
        """Hypothetical accounts in thin grey: dashes and hollow shapes still tell the modes."""
        for ghost in self.ghosts:
            for mode in (ghost.curve.cross, ghost.curve.isolated):
                one = self._series(mode, mode.equity)
                data = f"ghost-{ghost.name}-{mode.mode}"
                self._stroke(_route(one.x, one.y), "stem", 1.0, _DASHES[mode.mode], data=data)
                for event in mode.events:
                    x = float(self._across(event.x))
                    y = float(self._down(event.equity_before))
                    hollow = (
                        f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0"
                        if mode.mode == "cross"
                        else f"M{x - 3.5:.1f} {y - 3.5:.1f}h7v7h-7Z"
                    )
                    said = f"{ghost.name}, {mode.mode}: {event.pool} {place(ghost.curve, event.x)}"
                    self._stroke(hollow, "stem", 1.2, data=f"{data}-liq", title=said)

    def _name_ghosts(self) -> None:
        """Which thin line is which, beside the first of its liquidations that differs."""
        own = {
            (mode.mode, e.x)
            for mode in (self.curve.cross, self.curve.isolated)
            for e in mode.events
        }
        for ghost in self.ghosts:
            named = False
            for mode in (ghost.curve.cross, ghost.curve.isolated):
                for event in [e for e in mode.events if (mode.mode, e.x) not in own][:1]:
                    who = _short_name(event_name(ghost.curve, event))
                    *long, short = ghost.names(mode.mode, event, who)
                    at_all = _OVER_ANOTHER if named else 1e4
                    tries = [*((text, _OVER_ANOTHER) for text in long), (short, at_all)]
                    at = float(self._across(event.x)), float(self._down(event.equity_before))
                    reach = 5 if named else 12
                    named |= any(
                        self.labels.place(*at, text, "muted", reach=reach, at_most=at_most)
                        for text, at_most in tries
                    )

    def _someone_pays(self) -> bool:
        events = [*self.curve.cross.events, *self.curve.isolated.events]
        return any(event.pool_equity < 0 for event in events)

    def _jumps(self) -> None:
        """A thin bracket over the gap of each liquidation, and a tick where its pool is empty."""
        for mode in (self.curve.cross, self.curve.isolated):
            for event in mode.events:
                at = float(self._across(event.x))
                ends = self._down(np.array([event.equity_before, event.equity_after]))
                if abs(float(ends[1] - ends[0])) > 1:
                    a, b = float(ends[0]), float(ends[1])
                    self._stroke(f"M{at - 3:.1f} {a:.1f}h6m-3 0V{b:.1f}m-3 0h6", "stem", 1.0, "2 2")
                empty = event.bankruptcy_x
                if empty is not None and self.x0 <= empty <= self.x1:
                    zero = float(self._down(0.0))
                    self._stroke(
                        f"M{float(self._across(empty)):.1f} {zero:.1f}v-9",
                        mode.mode,
                        1.6,
                        title=f"{event_name(self.curve, event)} bankrupt at"
                        f" {place(self.curve, empty)}",
                    )

    def _name_jumps(self, markers: Sequence[tuple[ModeCurve, LiquidationEvent, float]]) -> None:
        for mode, event, _ in markers:
            ends = self._down(np.array([event.equity_before, event.equity_after]))
            if abs(float(ends[1] - ends[0])) >= _JUMP:
                self.labels.place(
                    float(self._across(event.x)),
                    float(ends.mean()),
                    jump_words(self.curve, event),
                    mode.mode,
                    reach=1,
                    at_most=_IN_THE_WAY,
                )

    # Margin ratio.

    def _ratio(self) -> None:
        curve = self.curve
        level = 1.0 / curve.books.book.trigger_level
        self._area(self.x0, self.x1, level, CEILING, "liq", 0.12)
        at = float(self._down(level))
        self._level(level, "ink", 1.4, "2 3")
        self._stem()
        drawn = []
        for mode in (curve.cross, curve.isolated):
            with np.errstate(invalid="ignore"):
                ratio = np.where(mode.margin_ratio <= CEILING, mode.margin_ratio, np.nan)
            drawn.append(self._series(mode, ratio))
            self._line(drawn[-1])
        markers = [
            (one.mode, event, level)
            for one in drawn
            for event in one.mode.events
            if event.x != curve.mark
        ]
        self._markers(markers)
        words = f"liquidation at {fmt.percent(level, 0 if level == 1 else 2)}"
        self.labels.place(self.left, at - LINE, words, "ink", reach=2)
        for one in drawn:
            over = np.flatnonzero(one.mode.margin_ratio > CEILING)
            if len(over):
                nearest = over[np.argmin(np.abs(curve.x[over] - curve.mark))]
                x, y = self._across(curve.x[nearest]), self._down(0.95 * CEILING)
                words = f"≫ {fmt.percent(CEILING, 0)}"
                self.labels.place(float(x), float(y), words, one.mode.mode, at_most=_OVER_ANOTHER)
        self._name_markers(markers)
        self._put_labels()

    # Parts of both.

    def _series(self, mode: ModeCurve, values: Floats) -> _Series:
        """Places of a line, NaN between both sides of each of its liquidations."""
        x = mode.x
        triggers = np.array([event.x for event in mode.events])
        where = np.flatnonzero((x[1:] == x[:-1]) & np.isin(x[1:], triggers)) + 1
        across = self._across(np.insert(x, where, x[where]))
        down = self._down(np.insert(values.astype(float), where, np.nan))
        self.labels.avoid(across, down)
        return _Series(mode, across, down)

    def _line(self, one: _Series) -> None:
        mode = one.mode.mode
        self._stroke(_route(one.x, one.y), mode, 2.4, _DASHES[mode], data=f"line-{mode}")

    def _guide(self, x: Floats, y: Floats, role: str) -> None:
        if len(x) and np.isfinite(y).any():
            across, down = self._across(x), self._down(y)
            self.labels.avoid(across, down, 1.5)
            self._stroke(_route(across, down), role, 1.2, _GUIDES[role], data=f"guide-{role}")

    def _level(self, y: float, role: str, width: float, dash: str = "") -> None:
        """A line across the frame."""
        at = float(self._down(y))
        self.labels.avoid(np.array([self.left, self.right]), np.array([at, at]), 1.5)
        self._stroke(f"M{self.left:.1f} {at:.1f}H{self.right:.1f}", role, width, dash)

    def _stem(self) -> None:
        """A line at the present."""
        if self.x0 <= self.curve.mark <= self.x1:
            at = float(self._across(self.curve.mark))
            self.labels.avoid(np.array([at, at]), np.array([self.top, self.bottom]), 1.5)
            self._stroke(f"M{at:.1f} {self.bottom:.1f}V{self.top:.1f}", "stem", 1.2, data="now")

    def _name_stem(self) -> None:
        if self.x0 <= self.curve.mark <= self.x1:
            at = float(self._across(self.curve.mark))
            self.labels.place(
                at, self.bottom - 0.6 * LINE, "now", "muted", reach=4, at_most=_OVER_ANOTHER
            )

    def _markers(self, markers: Sequence[tuple[ModeCurve, LiquidationEvent, float]]) -> None:
        for mode, event, y in markers:
            x, at = float(self._across(event.x)), float(self._down(y))
            self.labels.take(x, at)
            said = f"{mode.mode}: {event.pool} {place(self.curve, event.x)}"
            # A cross in the colour of the mode, on the shape of the mode.
            self._stroke(
                f"M{x - 4.5:.1f} {at - 4.5:.1f}l9 9m0 -9l-9 9",
                mode.mode,
                2.2,
                data=f"liq-{mode.mode}",
                title=said,
            )

    def _name_markers(self, markers: Sequence[tuple[ModeCurve, LiquidationEvent, float]]) -> None:
        """Words beside liquidations, of the cross account first; near ones share theirs."""
        mark = self.curve.mark
        crowded = _OVER_ANOTHER if self.width >= 500 else _OVER_ANOTHER / 3
        for mode in ("cross", "isolated"):
            mine = [one for one in markers if one[0].mode == mode]
            mine.sort(key=lambda one: (one[1].x < mark, abs(one[1].x - mark)))
            places = [(float(self._across(e.x)), float(self._down(y))) for _, e, y in mine]
            groups = near(places)[: _LABELS_AT_MOST if self.width >= 500 else 4]
            for group in groups:
                event, (x, y) = mine[group[0]][1], places[group[0]]
                who = event_name(self.curve, event)
                if len(group) > 1:
                    who = f"{sum(len(mine[one][1].positions) for one in group)} positions"
                where = "now" if event.x == mark else place(self.curve, event.x)
                self.labels.place(
                    x,
                    y,
                    f"LIQ {_short_name(who)} {where}",
                    mode,
                    reach=12 if mode == "cross" else 4,
                    at_most=1e4 if mode == "cross" else crowded,
                    away_from=float(self._across(mark)) if event.x != mark else None,
                )

    def _put_labels(self) -> None:
        self._name_stem()
        for one in self.labels.placed:
            self._label(one)

    def _label(self, one: Label) -> None:
        if one.far:
            x, y = one.of
            end = one.y + (5 if one.y < y else -5)
            inward = one.x + (6 if one.rightward else -6)
            self._stroke(f"M{x:.1f} {y:.1f}L{inward:.1f} {end:.1f}", one.role, 0.7)
        self._text(one.x, one.y + 4, one.text, one.role, "start" if one.rightward else "end")

    def _hatch(self, zero: float) -> None:
        """Diagonals over what lies below zero."""
        left, right, bottom, gap = self.left, self.right, self.bottom, 9.0
        routes = []
        start = left - (bottom - zero)
        while start < right:
            # From the lower edge up to the right, cut off at both sides.
            x0, y0 = max(start, left), bottom - max(0.0, left - start)
            x1 = min(start + bottom - zero, right)
            y1 = y0 - (x1 - x0)
            if x1 > x0:
                routes.append(f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}")
            start += gap
        self._stroke("".join(routes), "grid", 1.0, data="below-zero")

    def _area(
        self, low: float, high: float, bottom: float, top: float, role: str, opacity: float
    ) -> None:
        x0, x1 = (float(self._across(x)) for x in (low, high))
        y0, y1 = (float(self._down(y)) for y in (bottom, top))
        self._fill(f"M{x0:.1f} {y0:.1f}H{x1:.1f}V{y1:.1f}H{x0:.1f}Z", role, opacity)

    # Elements. Colours are attributes, which a style sheet may override by class.

    def _fill(self, route: str, role: str, opacity: float = 1.0) -> None:
        colour, own = self.palette[role]
        clear = f' fill-opacity="{own * opacity:g}"' if own * opacity < 1 else ""
        self.parts.append(f'<path class="mw-f-{role}" d="{route}" fill="{colour}"{clear}/>')

    def _stroke(
        self,
        route: str,
        role: str,
        width: float,
        dash: str = "",
        *,
        data: str = "",
        title: str = "",
    ) -> None:
        colour, opacity = self.palette[role]
        clear = f' stroke-opacity="{opacity:g}"' if opacity < 1 else ""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        what = f' data-mark="{data}"' if data else ""
        end = f"><title>{escape(title)}</title></path>" if title else "/>"
        self.parts.append(
            f'<path class="mw-s-{role}" d="{route}" fill="none" stroke="{colour}"'
            f' stroke-width="{width:g}"{clear}{dashes}{what}{end}'
        )

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        role: str,
        anchor: str = "start",
        *,
        size: float = 0.0,
        bold: bool = False,
    ) -> None:
        colour, opacity = self.palette[role]
        clear = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
        sized = f' font-size="{size:g}"' if size else ""
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(
            f'<text class="mw-f-{role}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
            f' fill="{colour}"{clear}{sized}{weight}>{escape(text)}</text>'
        )


_GUIDES = {"muted": "2 3", "stem": "1 3"}


def _route(x: Floats, y: Floats) -> str:
    """Path of a polyline; NaN is a gap, points on a straight line are left out."""
    route = []
    known = np.isfinite(y)
    for piece in np.split(np.arange(len(x)), np.flatnonzero(~known)):
        seen = piece[known[piece]]
        points = _thinned(x[seen], y[seen])
        steps = (f"{a:.1f} {b:.1f}" for a, b in points)
        route.append("M" + "L".join(steps) if points else "")
    return "".join(route)


def _thinned(x: Floats, y: Floats) -> list[tuple[float, float]]:
    """Points without which a polyline would look different: off it by a fiftieth of a pixel."""
    if not len(x):
        return []
    kept, open_still = {0, len(x) - 1}, [(0, len(x) - 1)]
    while open_still:
        a, b = open_still.pop()
        if b - a < 2:
            continue
        within = slice(a + 1, b)
        rise = (y[b] - y[a]) / (x[b] - x[a]) if x[b] > x[a] else 0.0
        off = np.abs(y[a] + rise * (x[within] - x[a]) - y[within])
        worst = int(np.argmax(off))
        if off[worst] > 0.02:
            cut = a + 1 + worst
            kept.add(cut)
            open_still += [(a, cut), (cut, b)]
    return [(float(x[one]), float(y[one])) for one in sorted(kept)]


def _equity_range(*curves: Curve) -> tuple[float, float]:
    """Range of equity, zero and both sides of every jump included, with room for words."""
    ends = [0.0]
    for curve in curves:
        for mode in (curve.cross, curve.isolated):
            ends += [float(mode.equity.min()), float(mode.equity.max())]
            ends += [one for e in mode.events for one in (e.equity_before, e.equity_after)]
    low, high = min(ends), max(ends)
    room = (high - low) or 1.0
    return (low - 0.06 * room if low < 0 else low), high + 0.04 * room


def _maintenance(curve: Curve) -> tuple[Floats, Floats]:
    """Maintenance of the cross pools that stand."""
    held = curve.cross.maintenance
    return curve.x, np.where(held > 0, held, np.nan)


def _floor(curve: Curve) -> tuple[Floats, Floats]:
    """What isolated cannot lose: the balance assigned to no position, which may move with x."""
    track = curve.isolated.series.track
    if not track.idle.any():
        return np.empty(0), np.empty(0)
    ends = curve.isolated.series.u
    u = np.linspace(ends[0], ends[-1], 60)
    return np.array([curve.x_of(float(one)) for one in u]), evaluate(track.idle, u)


def _short_name(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:17]}…"


def _wrapped(text: str, width: float, size: float) -> list[str]:
    """A text in at most two lines."""
    most = max(4, int(width / text_width("0", size)))
    if len(text) <= most:
        return [text]
    space = text.rfind(" ", 0, most + 1)
    cut = space if space > most / 3 else most
    return [text[:cut].strip(), _cut(text[cut:].strip(), width, size)]


def _cut(text: str, width: float, size: float) -> str:
    """As much of a text as has room."""
    most = max(4, int(width / text_width("0", size)))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def short(value: float) -> str:
    """A tick of an amount axis: thousands separated, millions and more abbreviated.

    >>> short(12_000.0), short(-2_500_000.0), short(0.25)
    ('12,000', '−2.5M', '0.25')
    """
    for size, unit in ((1e12, "tn"), (1e9, "bn"), (1e6, "M")):
        if abs(value) >= size:
            return fmt.plain(value / size, 4) + unit
    return fmt.plain(float(f"{value:.6g}"))


def move_text(value: float) -> str:
    r"""A tick of an axis of moves.

    >>> move_text(-0.2), move_text(0.0), move_text(0.025)
    ('−20\xa0%', '0\xa0%', '+2.5\xa0%')
    """
    hundredths = abs(value) * 100
    digits = next((n for n in (0, 1) if abs(hundredths - round(hundredths, n)) < 1e-9), 2)
    return fmt.percent(value, digits, sign=True)
