"""Static pictures as inline SVG, and the round ticks that live pictures share with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

import numpy as np

from margin_widgets.engine.book import Floats

WIDTH, HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 26, 22, 42
# Between the light and the dark palette of the plots: at least 3:1 on white and on black.
COLORS = {"isolated": "#D55E00", "cross": "#1F86C4", "word": "currentColor", "liq": "#C25A94"}
DASHES = {"isolated": "7 4", "cross": "", "word": "2 3", "liq": ""}


def round_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that cuts `span` at most `most` times."""
    raw = span / max(most, 1)
    if not math.isfinite(raw) or raw <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0) if m * power >= raw * (1 - 1e-9))


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values within [low, high], at most `most` steps apart.

    >>> round_ticks(0, 1, 4)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    step = round_step(high - low, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{n * step:.12g}") for n in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 8) -> list[float]:
    """Round values of a logarithmic axis, at most `most`.

    >>> log_ticks(1, 125)
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    """
    decades = range(math.floor(math.log10(low) - 1e-9), math.ceil(math.log10(high) + 1e-9) + 1)
    found: list[float] = []
    for parts in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        every = [float(f"{m * 10.0**n:.12g}") for n in decades for m in parts]
        found = [one for one in every if low * (1 - 1e-9) <= one <= high * (1 + 1e-9)]
        if len(found) <= most:
            return found
    return found[:: math.ceil(len(found) / most)]


@dataclass(frozen=True)
class Axis:
    """One axis of a static picture.

    Parameters
    ----------
    low, high : float
    ticks : mapping of value to text
    label : str
    log : bool
        Whether it is logarithmic.
    span : (float, float)
        Shares of the frame between which it runs, for one of several panels.
    """

    low: float
    high: float
    ticks: Mapping[float, str]
    label: str
    log: bool = False
    span: tuple[float, float] = (0.0, 1.0)

    def share(self, values: Floats | float) -> Floats:
        """Place in the frame, from 0 to 1."""
        low, high, at = self.low, self.high, np.asarray(values, dtype=float)
        if self.log:
            low, high = math.log(low), math.log(high)
            at = np.log(np.maximum(at, 1e-300))
        within: Floats = self.span[0] + (at - low) / (high - low) * (self.span[1] - self.span[0])
        return within


@dataclass
class Chart:
    """A picture under construction: marks are added in the order in which they are drawn.

    Parameters
    ----------
    x, y : Axis
    title, description : str
        Accessible name, and the sentence that says what is drawn.
    panels : sequence of Axis
        Further y axes above or below the first.
    """

    x: Axis
    y: Axis
    title: str
    description: str
    panels: Sequence[Axis] = ()
    _parts: list[str] = field(default_factory=list)

    def _at(self, x: Floats | float, y: Floats | float, axis: Axis | None) -> tuple[Floats, Floats]:
        across = _LEFT + self.x.share(x) * (WIDTH - _LEFT - _RIGHT)
        up = HEIGHT - _BOTTOM - (axis or self.y).share(y) * (HEIGHT - _TOP - _BOTTOM)
        return across, up

    def line(
        self,
        x: Floats,
        y: Floats,
        tone: str,
        *,
        width: float = 2.0,
        dash: str | None = None,
        axis: Axis | None = None,
    ) -> None:
        """Add a polyline; NaN is a gap."""
        across, up = self._at(x, y, axis)
        seen = np.isfinite(across) & np.isfinite(up)
        pieces, broken = [], True
        for known, a, b in zip(seen, across, up, strict=True):
            if known:
                pieces.append(f"{'M' if broken else 'L'}{a:.1f} {b:.1f}")
            broken = not known
        dash = DASHES[tone] if dash is None else dash
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        if pieces:
            self._parts.append(
                f'<path d="{"".join(pieces)}" fill="none" stroke="{COLORS[tone]}"'
                f' stroke-width="{width:g}"{dashes}/>'
            )

    def area(
        self,
        x: Floats,
        y: Floats,
        tone: str,
        opacity: float = 0.14,
        *,
        axis: Axis | None = None,
    ) -> None:
        """Add a filled polygon."""
        across, up = self._at(x, y, axis)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, up, strict=True))
        self._parts.append(
            f'<polygon points="{points}" fill="{COLORS[tone]}" fill-opacity="{opacity:g}"/>'
        )

    def cells(self, x: Floats, y: Floats, fills: Sequence[Sequence[tuple[str, float]]]) -> None:
        """Add rectangles between edges (C + 1,), (R + 1,) in tones and opacities.

        Neighbours of one look are one; what is clear is left out, so that any ground shows.
        """
        across, _ = self._at(x, self.y.low, None)
        _, up = self._at(self.x.low, y, None)
        for row, colors in enumerate(fills):
            top, height = float(up[row + 1]), float(up[row] - up[row + 1])
            cuts = [n for n in range(len(colors)) if n == 0 or colors[n] != colors[n - 1]]
            for start, end in pairwise([*cuts, len(colors)]):
                tone, opacity = colors[start]
                left, width = float(across[start]), float(across[end] - across[start])
                if opacity > 0:
                    # Crisp edges: cells that are not quite opaque neither gape nor overlap.
                    self._parts.append(
                        f'<rect x="{left:.2f}" y="{top:.2f}" width="{width:.2f}"'
                        f' height="{height:.2f}" fill="{COLORS[tone]}"'
                        f' fill-opacity="{opacity:g}" shape-rendering="crispEdges"/>'
                    )

    def point(self, x: float, y: float, tone: str, axis: Axis | None = None) -> None:
        """Add a marker in the shape of a mode: circle for cross, square for isolated."""
        across, up = self._at(x, y, axis)
        a, b = float(across), float(up)
        shape = (
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4.5"'
            if tone != "isolated"
            else f'<rect x="{a - 4:.1f}" y="{b - 4:.1f}" width="8" height="8"'
        )
        self._parts.append(f'{shape} fill="{COLORS[tone]}"/>')

    def text(
        self, x: float, y: float, text: str, *, anchor: str = "start", axis: Axis | None = None
    ) -> None:
        """Add words beside a place, a little off it."""
        across, up = self._at(x, y, axis)
        aside = {"start": 7.0, "end": -7.0, "middle": 0.0}[anchor]
        at = min(max(float(up) + 4, _TOP + 8.0), HEIGHT - _BOTTOM - 4.0)
        self._parts.append(_text(float(across) + aside, at, text, anchor))

    def svg(self) -> str:
        """The picture; words take the colour of the page."""
        frame = [self._across(), *(self._up(axis) for axis in (self.y, *self.panels))]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
            f' style="width:100%;max-width:{WIDTH}px;height:auto" fill="currentColor"'
            f' font-family="system-ui,sans-serif" font-size="11">'
            f"<title>{escape(self.title)}</title><desc>{escape(self.description)}</desc>"
            f"{''.join(frame)}{''.join(self._parts)}</svg>"
        )

    def _across(self) -> str:
        parts = []
        bottom = HEIGHT - _BOTTOM
        for value, text in self.x.ticks.items():
            at = float(self._at(value, self.y.low, None)[0])
            parts.append(_path(f"M{at:.1f} {bottom}V{_TOP}", 0.1))
            parts.append(_text(at, bottom + 15, text, "middle"))
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        return "".join(parts) + _text(middle, HEIGHT - 8, self.x.label, "middle")

    def _up(self, axis: Axis) -> str:
        parts = []
        for value, text in axis.ticks.items():
            at = float(self._at(self.x.low, value, axis)[1])
            parts.append(_path(f"M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}", 0.45 if value == 0 else 0.12))
            parts.append(_text(_LEFT - 6, at + 4, text, "end"))
        top = HEIGHT - _BOTTOM - axis.span[1] * (HEIGHT - _TOP - _BOTTOM)
        return "".join(parts) + _text(4, top - 8, axis.label, "start")


def ticks(values: Iterable[float], text: Callable[[float], str]) -> dict[float, str]:
    """Values and their texts."""
    return {value: text(value) for value in values}


def _path(route: str, opacity: float) -> str:
    return f'<path d="{route}" stroke="currentColor" stroke-opacity="{opacity}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


# ---------------------------------------------------------------- a picture with words and table

_CELL = "padding:2px 10px;white-space:nowrap;border:0;"
_HEAD = "border-bottom:1px solid rgba(128,128,128,.4);"


def static_page(title: str, text: str, svg: str, table: str) -> str:
    """What shows where nothing runs: heading, picture, sentence and table."""
    return (
        f'<div style="max-width:60rem;overflow-x:auto"><p style="margin:0 0 6px"><b>'
        f'{escape(title)}</b></p>{svg}<p style="margin:4px 0;opacity:.85">{escape(text)}</p>'
        f"{table}</div>"
    )


def static_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table without a style sheet; the first column is words, the others figures."""

    def cells(row: Sequence[str], tag: str, style: str) -> str:
        sides = ["left"] + ["right"] * (len(row) - 1)
        return "".join(
            f'<{tag} style="{_CELL}{style}text-align:{side}">{escape(cell)}</{tag}>'
            for cell, side in zip(row, sides, strict=True)
        )

    body = "".join(f"<tr>{cells(row, 'td', '')}</tr>" for row in rows)
    return (
        '<table style="border-collapse:collapse;margin:6px 0;color:inherit;font-size:inherit;'
        'font-variant-numeric:tabular-nums">'
        f"<thead><tr>{cells(head, 'th', _HEAD)}</tr></thead><tbody>{body}</tbody></table>"
    )
