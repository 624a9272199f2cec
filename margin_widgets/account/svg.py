"""A small static picture: equity of both modes against a common move of all marks."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from margin_widgets.account import formatting as fmt

if TYPE_CHECKING:
    from margin_widgets.account.curve import Curve, ModeCurve
    from margin_widgets.engine.book import Floats

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 26, 26, 42
# Between the light and the dark palette of the plots: at least 3:1 on white and on black.
_STYLE = {"isolated": ("#D55E00", "7 4"), "cross": ("#1F86C4", "")}


def equity_svg(curve: Curve, description: str = "") -> str:
    """Draw a common-move curve as inline SVG; text takes the colour of the page.

    Parameters
    ----------
    curve : Curve
    description : str
        Text twin for readers who do not see the picture.
    """
    modes = (curve.cross, curve.isolated)  # the dashed line on top: where they agree, both show
    scale = _Scale(curve, modes)
    drawn = [
        _frame(scale, curve.books.state.venue.currency),
        *(_line(scale, mode) for mode in modes),
        *(_events(scale, mode) for mode in modes),
        _legend(),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' style="width:100%;max-width:{WIDTH}px;height:auto" fill="currentColor"'
        f' font-family="system-ui,sans-serif" font-size="11">'
        f"<title>Account equity against a common move of all marks</title>"
        f"<desc>{escape(description)}</desc>{''.join(drawn)}</svg>"
    )


class _Scale:
    """From moves and equities to places in the picture; zero equity is always in it."""

    def __init__(self, curve: Curve, modes: tuple[ModeCurve, ...]) -> None:
        self.x = curve.x
        low = min(0.0, *(float(mode.equity.min()) for mode in modes))
        high = max(0.0, *(float(mode.equity.max()) for mode in modes))
        self.step = _round_step((high - low) or 1.0, 4)
        self.low = math.floor(low / self.step + 1e-9) * self.step
        self.high = max(math.ceil(high / self.step - 1e-9), self.low / self.step + 1) * self.step

    def across(self, x: Floats | float) -> Floats:
        """Horizontal place."""
        share: Floats = (np.asarray(x) - self.x[0]) / (self.x[-1] - self.x[0])
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def up(self, y: Floats | float) -> Floats:
        """Vertical place."""
        share: Floats = (np.asarray(y) - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def _round_step(width: float, parts: int) -> float:
    rough = width / parts
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)


def _ticks(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _frame(scale: _Scale, currency: str) -> str:
    parts = []
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    for y in _ticks(scale.low, scale.high, scale.step):
        at = float(scale.up(y))
        strong = 0.5 if y == 0 else 0.15
        parts.append(_path(f"M{_LEFT} {at:.1f}H{right}", strong))
        parts.append(_text(_LEFT - 6, at + 4, fmt.plain(y), "end"))
    low, high = float(scale.x[0]), float(scale.x[-1])
    step = _round_step(high - low, 6)
    for x in _ticks(low, high, step):
        at = float(scale.across(x))
        parts.append(_path(f"M{at:.1f} {bottom}V{_TOP}", 0.6 if abs(x) < step / 2 else 0.1))
        digits = max(0, -math.floor(math.log10(step * 100)))
        parts.append(_text(at, bottom + 15, fmt.percent(x, digits, sign=True), "middle"))
    middle = (_LEFT + right) / 2
    parts.append(_text(middle, HEIGHT - 8, "common move of all marks", "middle"))
    parts.append(_text(4, 14, f"account equity ({currency})", "start"))
    return "".join(parts)


def _line(scale: _Scale, mode: ModeCurve) -> str:
    colour, dash = _STYLE[mode.mode]
    across, up = scale.across(scale.x), scale.up(mode.equity)
    # A trigger stands on the grid twice; the jump there is a gap, not a slope.
    jump = np.zeros(len(across), dtype=bool)
    jump[1:] = (np.diff(scale.x) == 0) & (np.abs(np.diff(up)) > 0.5)
    points = [
        f"{'M' if broken else 'L'}{x:.1f} {y:.1f}"
        for x, y, broken in zip(across, up, jump, strict=True)
    ]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    path = "M" + "".join(points)[1:]
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'


def _events(scale: _Scale, mode: ModeCurve) -> str:
    colour, _ = _STYLE[mode.mode]
    parts = []
    for number, event in enumerate(mode.events):
        x, y = float(scale.across(event.x)), float(scale.up(event.equity_before))
        parts.append(
            f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8" stroke="{colour}"'
            f' stroke-width="2" fill="none"><title>{escape(event.pool)}'
            f" {fmt.percent(event.x, sign=True)}</title></path>"
        )
        if number == 0:
            name = event.pool if len(event.pool) <= 16 else f"{event.pool[:15]}…"
            label = f"{name} {fmt.percent(event.x, sign=True)}"
            # Outward of the curve, and the two modes on different sides of it.
            inward = mode.mode == "isolated"
            right = (event.x < 0) == inward
            room = x < WIDTH - 150 if right else x > _LEFT + 150
            right = right if room else not right
            anchor, aside = ("start", 9) if right else ("end", -9)
            below = min(max(y + (12 if inward else -8), _TOP + 10), HEIGHT - _BOTTOM - 4)
            parts.append(_text(x + aside, below, label, anchor))
    return "".join(parts)


def _legend() -> str:
    parts = []
    for x, (mode, (colour, dash)) in zip((430, 540), _STYLE.items(), strict=True):
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<path d="M{x} 10h28" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts.append(_text(x + 34, 14, mode, "start"))
    return "".join(parts)


def _path(route: str, opacity: float) -> str:
    return f'<path d="{route}" stroke="currentColor" stroke-opacity="{opacity}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
