"""What a picture of equity shows besides its curves: levels, regions, jumps and ticks as lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from margin_widgets.account.curve import Curve, LiquidationEvent, ModeCurve
from margin_widgets.account.lead import Region
from margin_widgets.engine.piecewise import evaluate
from margin_widgets.widgets.plotting import CROSS, ISOLATED, LabelPlacer

Series = tuple[list[float], list[float]]

# One mark holds all guides, one row each, so that they travel in one message. The style sheet
# finds a row by the name of its variable and gives it its dash.
GUIDES = {
    "cross ahead": "var(--mw-guide-cross-ahead, transparent)",
    "isolated ahead": "var(--mw-guide-isolated-ahead, transparent)",
    "below zero": "var(--mw-guide-below-zero, transparent)",
    "hatch": "var(--mw-guide-hatch, #B5B9BE)",
    "zero": "var(--mw-guide-zero, #5F6368)",
    "entry": "var(--mw-guide-entry, #80868B)",
    "floor": "var(--mw-guide-floor, #80868B)",
    "maintenance": "var(--mw-guide-maintenance, #4D4D4D)",
    "jump": "var(--mw-guide-jump, #80868B)",
    "bracket": "var(--mw-guide-bracket, #80868B)",
    "bankruptcy cross": "var(--mw-guide-bankruptcy-cross, #0072B2)",
    "bankruptcy isolated": "var(--mw-guide-bankruptcy-isolated, #B84300)",
}
TINTED = {"cross ahead": (CROSS, 0.09), "isolated ahead": (ISOLATED, 0.09)}
TINTED["below zero"] = ("var(--mw-plot-stem, #80868B)", 0.10)
"""Fill and opacity of the rows that are areas."""

MARKED_AT_MOST = 40
"""Liquidations of a mode with marks of their own; more would cover each other."""

_FRAME_PX = 520.0
"""A usual width of the frame, by which slants and brackets are sized."""
_HATCH_PX, _BRACKET_PX = 13.0, 4.0
SEEN_PX = 1.0
"""A jump of fewer pixels cannot be seen; hundreds of brackets for nothing would slow each edit."""


def marked(mode: ModeCurve) -> Sequence[LiquidationEvent]:
    """The liquidations that are marked: those nearest to the present. Curve and table have all."""
    return mode.events[:MARKED_AT_MOST]


def guide_rows(
    curve: Curve,
    regions: Iterable[Region],
    entries: Iterable[float],
    x: tuple[float, float],
    y: tuple[float, float],
) -> Mapping[str, Series]:
    """The polylines of every guide; NaN separates those of one row.

    Parameters
    ----------
    entries : iterable of float
        Entry prices on the axis.
    x, y : (float, float)
        The frame.
    """
    series: dict[str, Series] = {name: ([], []) for name in GUIDES}
    bottom, top = y

    def add(name: str, xs: Iterable[float], ys: Iterable[float]) -> None:
        series[name][0].extend([*xs, math.nan])
        series[name][1].extend([*ys, math.nan])

    for region in regions:
        if region.lead:
            a, b = region.low, region.high
            name = "cross ahead" if region.lead > 0 else "isolated ahead"
            add(name, [a, a, b, b], [max(bottom, 0.0), top, top, max(bottom, 0.0)])
    if bottom < 0:
        add("below zero", [x[0], x[0], x[1], x[1]], [bottom, 0.0, 0.0, bottom])
        for xs, ys in _slants(x, y):
            add("hatch", xs, ys)
    add("zero", x, [0.0, 0.0])
    for entry in entries:
        add("entry", [entry, entry], [bottom, top])
    add("floor", *floor(curve))
    add("maintenance", *maintenance(curve))
    tick, half = 0.035 * (top - bottom), _BRACKET_PX / _FRAME_PX * (x[1] - x[0])
    seen = SEEN_PX * (top - bottom) / LabelPlacer.HEIGHT
    for mode in (curve.cross, curve.isolated):
        for event in marked(mode):
            ends = [event.equity_before, event.equity_after]
            add("jump", [event.x, event.x], ends)
            if abs(ends[1] - ends[0]) >= seen:
                for end in ends:
                    add("bracket", [event.x - half, event.x + half], [end, end])
            if event.bankruptcy_x is not None:
                at = event.bankruptcy_x
                add(f"bankruptcy {mode.mode}", [at, at], [0.0, tick])
    return series


def _slants(x: tuple[float, float], y: tuple[float, float]) -> Iterable[Series]:
    """Diagonals over what lies below zero, from its lower edge up to the right."""
    across = (x[1] - x[0]) / _FRAME_PX
    down = (y[1] - y[0]) / LabelPlacer.HEIGHT
    deep = -y[0] / down  # in pixels, as is what follows
    start = -deep
    while start < _FRAME_PX:
        left, right = max(start, 0.0), min(start + deep, _FRAME_PX)
        if right > left:
            ends = [y[0] + down * (place - start) for place in (left, right)]
            yield [x[0] + across * left, x[0] + across * right], ends
        start += _HATCH_PX


def maintenance(curve: Curve, points: int = 60) -> Series:
    """Maintenance of the cross pools that stand, thinned to what a thin line needs."""
    x, y = curve.x, np.where(curve.cross.maintenance > 0, curve.cross.maintenance, np.nan)
    keep = np.zeros(len(x), bool)
    keep[:: max(1, len(x) // points)] = True
    keep[-1] = True
    edge = np.flatnonzero(x[1:] == x[:-1])
    keep[edge] = keep[edge + 1] = True
    return x[keep].tolist(), y[keep].tolist()


def floor(curve: Curve) -> Series:
    """What isolated cannot lose: the balance assigned to no position, which may move with x."""
    track = curve.isolated.series.track
    if not track.idle.any():
        return [], []
    u = curve.isolated.series.u[[0, -1]]
    if track.idle[2]:
        u = np.linspace(u[0], u[1], 60)
    return [curve.x_of(float(one)) for one in u], evaluate(track.idle, u).tolist()
