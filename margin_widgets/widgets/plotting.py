"""What the plots share: colours, axes with readable ticks, throttling, and places for labels.

Colours are CSS variables with the light palette as fallback: the theme style sheet sets them, so a
theme switch recolours a plot without the kernel. Guides that need a dash of their own carry a
variable of their own, by which the style sheet finds them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ipywidgets import Widget
from numpy.typing import NDArray

from margin_widgets.account.formatting import percent, plain
from margin_widgets.widgets import preview
from margin_widgets.widgets.drawing import Axis

if TYPE_CHECKING:
    from margin_widgets.account import Curve, ModeCurve

Floats = NDArray[np.float64]

ALL = "all"
CROSS = "var(--mw-cross, #0072B2)"
ISOLATED = "var(--mw-isolated, #C04E00)"
CONFIGURED = "var(--mw-configured, #00805E)"
TEXT = "var(--mw-muted, #5F6368)"
SURFACE = "var(--mw-bg, #FFFFFF)"
HANDLE = "var(--mw-focus, #1A73E8)"
STEM = "var(--mw-plot-stem, #80868B)"
CLEAR = "transparent"

HEIGHT = 330
# Around the frame, as a CSS margin: margins of bqplot's own would make the width of a figure that
# is not on display negative, which the browser reports as errors.
MARGIN = {"top": 24, "bottom": 48, "left": 66, "right": 24}
FONT_PX = 11
# Python does not know how wide the figure is on screen. Labels are placed twice, for the frames of
# narrow and of wide figures, and the style sheet shows those that belong to the present width.
FRAMES = {"narrow": (250.0, 400.0), "wide": (430.0, 760.0)}
# By how much the frame of a part of 256 px is narrower still, its words being smaller reckoned in:
# for pictures whose labels are long.
NARROWEST = 22.0
BUTTONS_AT_MOST = 4
# Frames in which ticks side by side have room, and in which they are told to be crowded: there
# the style sheet hides every other one.
TICKS_PX, CROWDED_PX = 250.0, 200.0


def text_px(text: str) -> float:
    """About how wide a plot label is on screen."""
    return 0.56 * FONT_PX * len(text)


# ---------------------------------------------------------------- ranges and ticks


def nice_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that cuts `span` at most `most` times."""
    raw = span / max(most, 1)
    if not math.isfinite(raw) or raw <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0):
        if factor * power >= raw * (1 - 1e-9):
            return factor * power
    return 10.0 * power


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values within [low, high], at most `most` steps apart.

    >>> nice_ticks(0, 17_000)
    [0.0, 5000.0, 10000.0, 15000.0]
    """
    step = nice_step(high - low, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{n * step:.12g}") for n in range(first, last + 1)]


def nice_range(low: float, high: float, most: int = 6) -> tuple[float, float]:
    """The range widened to whole steps; a positive lower end stays positive.

    >>> nice_range(-0.218, 0.1)
    (-0.25, 0.1)
    """
    step = nice_step(high - low, 2 * most)
    start, end = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    if start <= 0 < low:
        start = low
    return float(f"{start:.12g}"), float(f"{end:.12g}")


def short(value: float) -> str:
    """A tick of an amount axis: thousands separated, millions and more abbreviated.

    >>> short(12_000.0), short(-2_500_000.0), short(0.25)
    ('12,000', '−2.5M', '0.25')
    """
    for size, unit in ((1e12, "tn"), (1e9, "bn"), (1e6, "M")):
        if abs(value) >= size:
            return plain(value / size, 4) + unit
    return plain(float(f"{value:.6g}"))


def move(value: float) -> str:
    r"""A tick of the axis of a common move.

    >>> move(-0.2), move(0.0), move(0.025)
    ('−20\xa0%', '0\xa0%', '+2.5\xa0%')
    """
    hundredths = abs(value) * 100
    digits = next((n for n in (0, 1) if abs(hundredths - round(hundredths, n)) < 1e-9), 2)
    return percent(value, digits, sign=True)


def side_by_side(low: float, high: float, text: Callable[[float], str]) -> tuple[list[float], bool]:
    """Round values whose labels have room side by side, and whether they are crowded."""
    for most in (6, 5, 4, 3):
        values = nice_ticks(low, high, most)
        widest = 6 + max((text_px(text(value)) for value in values), default=0.0)
        apart = (values[1] - values[0]) / (high - low) if len(values) > 1 else 1.0
        if widest <= apart * TICKS_PX:
            break
    return values, widest > apart * CROWDED_PX


def tick_style(below: float, crowded: bool) -> dict[str, str]:
    """Style of the ticks of an x axis, some pixels further below."""
    return {"transform": f"translateY({below}px)", "--mw-crowded": "yes" if crowded else "no"}


def put_ticks(axis: Axis, labels: Mapping[float, str]) -> None:
    """Put ticks with our own labels on an axis."""
    texts = {_javascript_number(value): text for value, text in labels.items()}
    # The labels go first and alone: new values start a transition in the browser that holds on to
    # the labels it finds.
    if axis.tick_labels != texts:
        axis.tick_labels = texts
    assign(axis, tick_values=np.array(list(labels)))


def _javascript_number(value: float) -> str:
    """The text JavaScript makes of a number: bqplot looks tick labels up by it."""
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(float(value))
    mantissa, _, exponent = text.partition("e")
    if exponent and -7 < int(exponent) < 0:
        return f"{value:.{len(mantissa.replace('-', '').replace('.', '')) - int(exponent) - 1}f}"
    return f"{mantissa}e{int(exponent):+d}" if exponent else text


# ---------------------------------------------------------------- sending as little as possible


def assign(widget: Widget, **values: Any) -> None:
    """Set traits in one message, leaving out those that stay as they are."""
    changed = {name: value for name, value in values.items() if not _same(widget, name, value)}
    if changed:
        with widget.hold_sync():
            for name, value in changed.items():
                setattr(widget, name, value)


def _same(widget: Widget, name: str, value: Any) -> bool:
    old = getattr(widget, name)
    if old is None or value is None:
        return old is value
    if isinstance(value, np.ndarray):
        if np.shape(old) != value.shape:
            return False
        return np.array_equal(old, value, equal_nan=value.dtype.kind == "f")
    return bool(old == value)


def with_gaps(curve: Curve, mode: ModeCurve, values: Floats) -> tuple[Floats, Floats]:
    """X and values of a mode, NaN between both sides of each of its liquidations."""
    x = curve.x
    triggers = np.array([event.x for event in mode.events])
    where = np.flatnonzero((x[1:] == x[:-1]) & np.isin(x[1:], triggers)) + 1
    return ended(np.insert(x, where, x[where]), np.insert(values, where, np.nan))


def rows(
    series: Sequence[tuple[Sequence[float], Sequence[float]]], rest: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Several polylines as the two matrices one `Lines` mark takes; NaN is a gap and the padding.

    bqplot writes invalid SVG for a line without points or with NaN at its end, so every row ends
    in the invisible lone point `rest`.
    """
    width = 2 + max((len(x) for x, _ in series), default=0)
    xs, ys = np.full((len(series), width), np.nan), np.full((len(series), width), np.nan)
    for row, (x, y) in enumerate(series):
        xs[row, : len(x)], ys[row, : len(y)] = x, y
    xs[:, -1], ys[:, -1] = rest
    return xs, ys


def ended(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """A polyline whose NaN end, if any, is followed by an invisible lone point (see `rows`)."""
    if not len(y) or np.isfinite(y[-1]):
        return x, y
    known = np.flatnonzero(np.isfinite(y))
    last = (x[known[-1]], y[known[-1]]) if len(known) else (x[-1], 0.0)
    return np.append(x, [x[-1], last[0]]), np.append(y, [np.nan, last[1]])


class Throttle:
    """Call at most once per `interval` seconds, the latest arguments last.

    Without an interval it keeps to the rate of previews.

    Between calls the latest arguments wait for the event loop; where none is running there is
    nothing to wait on, and every call goes through at once.
    """

    def __init__(self, function: Callable[..., None], interval: float | None = None) -> None:
        self._function = function
        self._interval = 1 / preview.rate() if interval is None else interval
        self._last = -math.inf
        self._waiting: tuple[Any, ...] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, *args: Any) -> None:
        """Call now, or once the interval is over."""
        wait = self._last + self._interval - time.monotonic()
        if wait <= 0:
            self._run(args)
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._run(args)
            return
        self._waiting = args
        if self._timer is None:
            self._timer = loop.call_later(wait, self._trailing)

    def cancel(self) -> None:
        """Forget the call that waits, if any."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._waiting = None

    def _trailing(self) -> None:
        args, self._timer = self._waiting, None
        if args is not None:
            self._run(args)

    def _run(self, args: tuple[Any, ...]) -> None:
        self.cancel()
        self._function(*args)
        self._last = time.monotonic()


# ---------------------------------------------------------------- placing labels


_Box = tuple[float, float, float, float]
"""Left, right, bottom and top in pixels."""


@dataclass(frozen=True)
class Placed:
    """A label that found its place: anchored at x, y, growing to the right or to the left."""

    x: float
    y: float
    text: str
    color: str
    rightward: bool


class LabelPlacer:
    """Greedy placement of labels inside the frames of one class of widths.

    Parameters
    ----------
    width : {"narrow", "wide"}
    x_range, y_range : (float, float)
        Domain of the frame.
    lines, guides : list of (x, y)
        Polylines that labels should rather not cover, guides less so.
    aside : float
        Pixels that wider margins take from every frame.
    height : float
        Pixels of the frame.
    """

    GAP = 9.0
    LINE = 14.0
    HEIGHT = float(HEIGHT - MARGIN["top"] - MARGIN["bottom"])

    def __init__(
        self,
        width: str,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        lines: Sequence[tuple[Floats, Floats]] = (),
        guides: Sequence[tuple[Floats, Floats]] = (),
        *,
        aside: float = 0.0,
        height: float = HEIGHT,
    ) -> None:
        self.HEIGHT = height
        self._width = width
        self._frames = tuple(frame - aside for frame in FRAMES[width])
        self._x0, self._dx = x_range[0], x_range[1] - x_range[0]
        self._y0, self._dy = y_range[0], y_range[1] - y_range[0]
        self._taken: list[list[_Box]] = [[] for _ in self._frames]
        points = [self._sampled(x, y, 5.0) for x, y in lines]
        points += [self._sampled(x, y, 1.5) for x, y in guides]
        cover = np.concatenate(points, axis=1) if points else np.empty((3, 0))
        # From left to right: what a label may cover is then one slice.
        self._cover = cover[:, np.argsort(cover[0])]
        self.placed: list[Placed] = []

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (x - self._x0) / self._dx, (y - self._y0) / self._dy * self.HEIGHT

    def _sampled(self, x: Floats, y: Floats, weight: float) -> Floats:
        """Points of a polyline some pixels apart: share of the width, height in pixels, weight."""
        known = np.isfinite(y)
        if not known.any():
            return np.empty((3, 0))
        u, v = (x[known] - self._x0) / self._dx, (y[known] - self._y0) / self._dy * self.HEIGHT
        steps = np.hypot(np.diff(u) * self._frames[0], np.diff(v))
        length = np.concatenate([[0.0], np.cumsum(steps)])
        at = np.linspace(0.0, length[-1], int(min(length[-1] / 4, 500)) + 2)
        return np.vstack([np.interp(at, length, u), np.interp(at, length, v), at * 0 + weight])

    def fits(self, text: str, share: float) -> bool:
        """Whether a text has room in that share of the narrowest frame."""
        return text_px(text) + self.GAP + 3 <= share * self._frames[0]

    def take(self, x: float, y: float, size: float = 12.0) -> None:
        """Keep a marker of that size in pixels free of labels."""
        u, v = self._at(x, y)
        for taken, frame in zip(self._taken, self._frames, strict=True):
            taken.append((u * frame - size / 2, u * frame + size / 2, v - size / 2, v + size / 2))

    def place(
        self,
        x: float,
        y: float,
        text: str,
        tone: str,
        *,
        reach: int = 6,
        at_most: float = 1e4,
        away_from: float | None = None,
        rightward: bool = False,
    ) -> bool:
        """Put a label in the least bad place near (x, y); False if all leave the frame.

        A label that had better be missing than in the way is given a lower `at_most`; one that
        belongs on the far side of another x is told to keep `away_from` it, and one of what begins
        at x to grow `rightward` only. `tone` is
        ``"cross"``, ``"isolated"`` or ``"word"``: with the width it names the variable that
        colours the label, and hides it at other widths.
        """
        u, v = self._at(x, y)
        shift = np.arange(-reach, reach + 1)
        shift = shift[np.argsort(np.abs(shift), kind="stable")]
        wanted = v + shift * self.LINE
        row = np.clip(wanted, self.LINE / 2, self.HEIGHT - self.LINE / 2)
        inside = np.abs(row - wanted) < self.LINE / 2
        shift, row = shift[inside], row[inside]
        if not len(row):
            return False
        size = text_px(text)
        # Nothing is better than a place that costs nothing, and most labels have one at once.
        aside = None if away_from is None else bool(away_from > x)
        cost = self._costs(u, size, shift[:1], row[:1], aside, rightward)
        if cost.min() > 0.0:
            cost = self._costs(u, size, shift, row, aside, rightward)
        place, column = divmod(int(np.argmin(cost)), 2)
        if cost[place, column] >= at_most:
            return False
        right, middle = column == 0, float(row[place])
        for frame, taken in zip(self._frames, self._taken, strict=True):
            left = u * frame + (self.GAP if right else -self.GAP - size)
            taken.append((left, left + size, middle - self.LINE / 2, middle + self.LINE / 2))
        color = f"var(--mw-{self._width}-{tone}, {_TONES[tone]})"
        y = self._y0 + middle / self.HEIGHT * self._dy
        self.placed.append(Placed(x, y, text, color, right))
        return True

    def _costs(
        self,
        u: float,
        size: float,
        shift: Floats,
        row: Floats,
        kept_from: bool | None,
        rightward: bool,
    ) -> Floats:
        """What a label costs in each row (R, 2), to the right and to the left of its point.

        `kept_from` is the side to avoid, True for the right, None for neither.
        """
        cost = np.empty((len(row), 2))
        for column, right in enumerate((True, False)):
            begins = [
                u * frame + (self.GAP if right else -self.GAP - size) for frame in self._frames
            ]
            if (rightward and not right) or any(
                left < 0 or left + size > frame
                for left, frame in zip(begins, self._frames, strict=True)
            ):
                cost[:, column] = np.inf
                continue
            cost[:, column] = 14.0 * np.abs(shift)
            if kept_from is right:
                cost[:, column] += 20.0
            for frame, taken, left in zip(self._frames, self._taken, begins, strict=True):
                cost[:, column] += self._cost(frame, taken, left, left + size, row)
        return cost

    def _cost(
        self, frame: float, taken: list[_Box], left: float, right: float, row: Floats
    ) -> Floats:
        """What a label would cover in each row: other labels and markers, and lines."""
        low, high = row[:, None] - self.LINE / 2, row[:, None] + self.LINE / 2
        cost = np.zeros(len(row))
        beside = [box for box in taken if left < box[1] and box[0] < right]
        if beside:
            bottom, top = np.array(beside).T[2:]
            cost += 300.0 * ((low < top) & (bottom < high)).sum(axis=1)
        x, y, weight = self._cover
        under = slice(*np.searchsorted(x, [(left - 2) / frame, (right + 2) / frame]))
        y, weight = y[under], weight[under]
        cost += ((y > low - 1) & (y < high + 1)) @ weight
        return cost


_TONES = {"cross": "#0072B2", "isolated": "#C04E00", "word": "#5F6368"}
