"""Margin ratio against price: how near each pool comes to liquidation on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from traitlets import Enum, Float, TraitError, validate

from margin_widgets.account.figures import KeyFigure, figure_of
from margin_widgets.account.ratio_curve import (
    CEILING,
    RatioCurve,
    conventions,
    ratio_curve,
    resolved,
)
from margin_widgets.widgets.curve_picture import CurvePicture
from margin_widgets.widgets.data_twin import data_button, data_table
from margin_widgets.widgets.parsing import parse_number
from margin_widgets.widgets.picture import choice, field
from margin_widgets.widgets.plotting import (
    CLEAR,
    CROSS,
    FRAMES,
    ISOLATED,
    NARROWEST,
    STEM,
    TEXT,
    LabelPlacer,
    Placed,
    assign,
    ended,
    nice_ticks,
    rows,
)
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account, Curve
    from margin_widgets.account.ratio_curve import Level, PoolLine

LEVELS_AT_MOST = 4
"""Bands of a rule set that are drawn, liquidation among them."""
IN_THE_WAY = 60.0
_TRIGGER = "var(--mw-guide-trigger, #4D4D4D)"
_BEFORE = "var(--mw-guide-level, #80868B)"
_ALERT = "var(--mw-guide-alert, #1A73E8)"
_COLORS = {"cross": CROSS, "isolated": ISOLATED}
_FADED = 0.35


class RatioPlot(CurvePicture):
    """Margin ratio of every pool against price, up to where it is liquidated.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; ``selection.view`` is what the x axis is, the isolated pool of
        ``selection.key`` is drawn heavier than the others, and ``selection.mode`` is emphasised.
    convention : {"rising", "falling", "venue"}
    alert : float or None
    active : bool
        Whether it follows edits from the start.

    Attributes
    ----------
    convention : {"rising", "falling", "venue"}
        Maintenance over margin balance, which rises towards liquidation; margin balance over
        maintenance, which falls; or the venue's own ratio, which may be one of these.
    alert : float or None
        A level of one's own, as maintenance over margin balance whatever the convention; drag its
        handle, type it, or set it here.
    active : bool
        While False (in a hidden tab) the plot does not follow edits; set True it catches up.
    data : RatioCurve or None
        What is drawn.
    cross_line, isolated_lines : bqplot.Lines
        A row for each pool; `isolated_line` is that of the selected position.
    levels : bqplot.Lines
        Bands and the lines at which they begin, liquidation last.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = mw.RatioPlot(mw.presets.ref2())
    >>> plot.alert = 0.8
    >>> "reaches your alert 80" in plot.caption
    True
    >>> plot.close()
    """

    convention = Enum(("rising", "falling", "venue"), "rising", help="which ratio is drawn")
    alert = Float(0.8, allow_none=True, help="maintenance over margin balance, or None")

    title: ClassVar[str] = "Margin ratio"
    kind: ClassVar[str] = "ratio"
    tight = NARROWEST

    data: RatioCurve | None

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        convention: str = "rising",
        alert: float | None = 0.8,
        active: bool = True,
    ) -> None:
        self.set_trait("convention", convention)
        self.set_trait("alert", alert)
        super().__init__(account, selection, active=active)
        self.observe(self._on_setting, ["convention", "alert"])
        self.follow(self.selection, self._on_mode, "mode")

    @validate("alert")
    def _check_alert(self, proposal: Any) -> float | None:
        value: float | None = proposal["value"]
        if value is not None and not 0 < value <= CEILING:
            raise TraitError(
                f"alert: {value:g} must be > 0 and <= {CEILING:g}, as maintenance over margin"
                " balance"
            )
        return value

    # ------------------------------------------------------------ marks

    def _marks(self) -> tuple[list[Any], list[Any]]:
        fills = ["var(--mw-liq, #B5558C)"] + [TEXT] * (LEVELS_AT_MOST - 1)
        self.levels = self._lines(
            [CLEAR] * LEVELS_AT_MOST + [_TRIGGER] + [_BEFORE] * (LEVELS_AT_MOST - 1),
            fill="inside",
            fill_colors=fills + [CLEAR] * LEVELS_AT_MOST,
            fill_opacities=[0.12, 0.12, 0.06, 0.03] + [0.0] * LEVELS_AT_MOST,
        )
        self.stem = self._lines([STEM], stroke_width=1.2)
        self.cross_line = self._lines([CROSS], stroke_width=2.4)
        dashed: dict[str, Any] = {"line_style": "dashed"}
        self.isolated_lines = self._lines([ISOLATED], stroke_width=1.3, **dashed)
        self.isolated_line = self._lines([ISOLATED], stroke_width=2.4, **dashed)
        self.alert_line = self._lines([_ALERT], stroke_width=1.4, visible=False)
        self.ends = self._points(marker="cross", default_size=50, stroke_width=0.0, visible=False)
        self.handle = self._handle(restrict_y=True, visible=False)
        lines = [self.levels, self.stem, self.cross_line, self.isolated_lines, self.isolated_line]
        return [*lines, self.alert_line, self.ends], [self.handle]

    # ------------------------------------------------------------ following the account

    @property
    def curve(self) -> Curve | None:
        """The curve on display, None without positions."""
        return None if self.data is None else self.data.curve

    def _compute(self) -> RatioCurve:
        self._fit_x()
        return self._read(self.sweep(self.account))

    def _read(self, curve: Curve, alert: float | None = None) -> RatioCurve:
        chosen = resolved(self.account.venue, self.convention)
        return ratio_curve(curve, chosen, alert=self.alert if alert is None else alert)

    def _on_setting(self, _change: Any) -> None:
        self.message = ""
        self.update()

    def _on_mode(self, _change: Any) -> None:
        if self.data is not None and self.active:
            self._draw_lines(self.data)

    # ------------------------------------------------------------ drawing

    def _draw(self, data: RatioCurve) -> None:
        self._frame(0.0, data.ceiling)
        assign(self.y_axis, label=f"{data.axis[:1].upper()}{data.axis[1:]}")
        self._draw_lines(data)
        self._draw_levels(data)
        self._draw_alert(data)
        assign(self.stem, x=np.full(2, data.curve.mark), y=np.array([0.0, data.ceiling]))
        ends = [(line.mode, *end) for line in data.drawn for end in data.ends(line)]
        if ends:
            x, y = (np.array([end[n] for end in ends]) for n in (1, 2))
            assign(self.ends, x=x, y=y, colors=[_COLORS[mode] for mode, _, _ in ends])
        assign(self.ends, visible=bool(ends))
        self._put_labels(self._words(data))

    def _set_domain(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        x_ticks: Mapping[float, str],
        y_ticks: Mapping[float, str],
    ) -> None:
        """Frame and ticks, those of the ratio as its convention is written."""
        if self.data is not None:
            y_ticks = {value: self.data.shown(value) for value in nice_ticks(*y)}
        super()._set_domain(x, y, x_ticks, y_ticks)

    def _draw_lines(self, data: RatioCurve) -> None:
        x = data.curve.x
        chosen = self._chosen(data)
        thin = [line for line in data.drawn if line.mode == "isolated" and line is not chosen]
        for mark, lines in ((self.cross_line, data.cross), (self.isolated_lines, thin)):
            series = [(x, data.clipped(line.y)) for line in lines]
            xs, ys = rows(series, (float(x[0]), 0.0))  # type: ignore[arg-type]
            if lines:  # bqplot keeps a single row as a plain line
                assign(mark, x=xs.squeeze(), y=ys.squeeze())
            assign(mark, visible=bool(lines))
        for mark, mode in (
            (self.cross_line, "cross"),
            (self.isolated_lines, "isolated"),
            (self.isolated_line, "isolated"),
        ):
            assign(mark, opacities=[1.0 if self.selection.mode in ("", mode) else _FADED])
        if chosen is not None:
            across, up = ended(x, data.clipped(chosen.y))
            assign(self.isolated_line, x=across, y=up)
        assign(self.isolated_line, visible=chosen is not None)

    def _chosen(self, data: RatioCurve) -> PoolLine | None:
        """The isolated pool of the selected position, else of what moves, else the nearest."""
        drawn = [line for line in data.drawn if line.key]
        positions = self.account.state.positions
        places = self.account.books.places
        for line in drawn:
            if line.key == self.selection.key:
                return line
        moved = [one for one in drawn if positions[places[one.key]].symbol == self.symbol]
        return next(iter(moved or drawn), None)

    def _draw_levels(self, data: RatioCurve) -> None:
        low, high = self._range
        across = [low, low, high, high]
        fills: list[tuple[list[float], list[float]]] = []
        edges: list[tuple[list[float], list[float]]] = []
        for one, (start, end) in _nearest_first(data):
            fills.append((across, [start, end, end, start]))
            edges.append(([low, high], [one.value, one.value]))
        empty: tuple[list[float], list[float]] = ([], [])
        for group in (fills, edges):
            group += [empty] * (LEVELS_AT_MOST - len(group))
        xs, ys = rows([*fills, *edges], (low, 0.0))
        assign(self.levels, x=xs, y=ys)

    def _draw_alert(self, data: RatioCurve) -> None:
        low, high = self._range
        value = data.alert_value
        shown = value is not None and value <= data.ceiling
        if shown and value is not None:
            assign(self.alert_line, x=np.array([low, high]), y=np.full(2, value))
            if not self._dragging:
                self._pin(self.handle, np.array([high]), np.array([value]))
        assign(self.alert_line, visible=shown)
        if not self._dragging:
            assign(self.handle, visible=shown)

    def _figures(self, data: RatioCurve) -> Iterator[tuple[str, KeyFigure]]:
        """The ratio of each mode and of the selected position's own pool, and what cross is of."""
        isolated, cross = self.account.isolated, self.account.cross
        yield "cross", figure_of(cross, "margin_ratio")
        yield "highest isolated", figure_of(isolated, "margin_ratio")
        if self.key and len(self.account.books.keys) > 1:
            yield f"isolated {self.key}", figure_of(isolated, "margin_ratio", self.key)
        yield "cross maintenance margin", figure_of(cross, "maintenance_margin")
        yield "cross margin balance", figure_of(cross, "margin_balance")

    # ------------------------------------------------------------ labels

    def _words(self, data: RatioCurve) -> list[Placed]:
        low, high = self._range
        drawn = [(data.curve.x, data.clipped(line.y)) for line in data.drawn]
        across = np.array([low, high])
        guides = [(across, np.full(2, one.value)) for one in data.levels]
        if data.alert_value is not None:
            guides.append((across, np.full(2, data.alert_value)))
        placed = []
        for frames in FRAMES:
            aside = self.tight if frames == "narrow" else 0.0
            up = (0.0, data.ceiling)
            placer = LabelPlacer(frames, (low, high), up, drawn, guides, aside=aside)
            pixel = data.ceiling / LabelPlacer.HEIGHT
            for line in data.drawn:
                for x, y in data.ends(line):
                    placer.take(x, y)
            self._place_levels(placer, data, pixel)
            if data.alert_value is not None and data.alert_value <= data.ceiling:
                placer.take(high, data.alert_value, 16.0)
                text = f"alert {data.shown(data.alert_value)}"
                placer.place(high, data.alert_value + 11 * pixel, text, "word", reach=4)
            self._place_clipped(placer, data)
            self._place_names(placer, data, pixel)
            placed += placer.placed
        return placed

    def _place_levels(self, placer: LabelPlacer, data: RatioCurve, pixel: float) -> None:
        """Name each band inside of it; those too thin for that beside the calmest of them."""
        low = self._range[0]
        towards = -1 if data.convention.falls else 1  # where a band lies of its level

        def inside(value: float, end: float) -> bool:
            return abs(end - value) >= 18 * pixel

        bands = _nearest_first(data)
        thin = [one for one, (start, end) in bands[1:] if not inside(start, end)]
        for number, (one, (start, end)) in enumerate(bands):
            if number == 0:
                side = towards if inside(start, end) else -towards
                text = f"{one.what} at {data.shown(one.value)}"
                placer.place(low, one.value + 11 * side * pixel, text, "word", reach=0)
            elif not thin:
                text = f"{one.what} from {data.shown(one.value)}"
                placer.place(low, one.value + 11 * towards * pixel, text, "word", reach=0)
        if thin:
            words = [f"{one.what} from {data.shown(one.value)}" for one, _ in bands[1:]]
            beside = bands[-1][0].value - 11 * towards * pixel
            if placer.fits(" · ".join(words), 1.0):
                words = [" · ".join(words[::-1])]
            for number, text in enumerate(words):
                away = LabelPlacer.LINE * number * towards * pixel
                placer.place(low, beside - away, text, "word", reach=0)

    def _place_clipped(self, placer: LabelPlacer, data: RatioCurve) -> None:
        """Say once for each mode where its lines leave the frame."""
        named: set[str] = set()
        for line in data.drawn:
            over = line.y > data.ceiling
            leaves = np.flatnonzero(over[1:] != over[:-1])
            leaves = leaves[np.isfinite(line.y[leaves]) & np.isfinite(line.y[leaves + 1])]
            if line.mode in named or not (over.any() and len(leaves)):
                continue
            named.add(line.mode)
            x = float(data.curve.x[leaves[0]])
            text = f"≫ {data.shown(data.ceiling)}"
            placer.place(x, 0.95 * data.ceiling, text, line.mode, reach=3, at_most=IN_THE_WAY)

    def _place_names(self, placer: LabelPlacer, data: RatioCurve, pixel: float) -> None:
        """Next to the end of a line its name: the first of a mode always, others if there is room.

        The line of the position that is looked at is named before the others.
        """
        chosen = self._chosen(data)
        named: set[str] = set()
        for line in sorted(data.drawn, key=lambda one: (one.mode, one is not chosen)):
            y = data.clipped(line.y)
            seen = np.flatnonzero(np.isfinite(y))
            if not len(seen):
                continue
            ends = data.ends(line)
            if ends:
                x, value = min(ends, key=lambda end: abs(end[0] - data.curve.mark))
                # Where nothing else is: below the level if the line comes from there, else above.
                value += (30 if data.convention.falls else -30) * pixel
                away: float | None = data.curve.mark
            else:
                at = int(seen[-1])
                x, value, away = float(data.curve.x[at]), float(y[at]), None
            first = line.mode not in named
            # A mode is named once whatever happens: a long symbol loses the word, then the symbol.
            shorter = [line.name.removeprefix(f"{line.mode} "), line.mode] if first else []
            for text in (line.name, *shorter):
                if placer.place(
                    x,
                    value,
                    text,
                    line.mode,
                    reach=9 if first else 4,
                    at_most=1e4 if first else IN_THE_WAY,
                    away_from=away,
                ):
                    break
            named.add(line.mode)

    # ------------------------------------------------------------ the alert and other controls

    def _controls_html(self, data: RatioCurve | None) -> str:
        if data is None:
            return ""
        options = []
        for name, one in conventions(self.account.venue).items():
            short = {"maintenance margin": "Maintenance", "margin balance": "Balance"}
            above = short.get(one.numerator, one.numerator.capitalize())
            below = short.get(one.denominator, one.denominator.capitalize()).lower()
            named = one.name not in ("margin ratio", "margin level")
            text = f"{above} ÷ {below}"
            options.append((name, f"{one.name}: {text.lower()}" if named else text))
        unit = " %" if data.convention.percent else ""
        value = "" if self.alert is None else _typed(data.of(self.alert), data.convention.percent)
        alert = field("Alert at", "alert", value, width=7, unit=unit)
        ratio = choice("Ratio", "convention", options, data.choice)
        return (
            f'<div class="mw-row">{self._view_switch()}</div>'
            f'<div class="mw-row mw-words">{ratio}{alert}</div>'
        )

    def _act(self, action: str, value: str) -> None:
        if action == "axis":
            self.view = value
        elif action == "convention":
            self.convention = value
        elif action == "alert":
            self._type_alert(value)

    def _type_alert(self, text: str) -> None:
        if self.data is None:
            return
        text = text.strip().removesuffix("%").strip()
        if not text:
            self.alert = None
            return
        percent = self.data.convention.percent
        number = parse_number("alert", text) / (100 if percent else 1)
        least = self.data.of(CEILING) if self.data.convention.falls else 0.0
        most = math.inf if self.data.convention.falls else CEILING
        if not (number > 0 and least <= number <= most):
            shown = self.data.shown
            bound = f">= {shown(least)}" if least else f"> 0 and <= {shown(most)}"
            raise ValueError(f"alert: {shown(number)} must be {bound}")
        self.alert = self.data.share_of(number)

    def preview(self, marks: Mapping[str, float]) -> None:
        """Show the ratios as they would be at other marks, at most ten times a second.

        Parameters
        ----------
        marks : mapping of symbol to price
            Marks that differ from the account's; empty to show the account again.
        """
        if not self.active:
            return
        if marks:
            self._preview(None, dict(marks))
        else:
            self.update()

    def _show_preview(self, *where: Any) -> None:
        if self._closed or self.data is None:
            return
        share, marks = where
        curve = self.sweep(self.account, marks=marks) if marks else self.data.curve
        # No other frame under the pointer.
        data = replace(self._read(curve, share), top=self.data.ceiling)
        self._draw(data)
        self.caption = data.text

    def _held(self, point: Mapping[str, float]) -> tuple[Any, ...]:
        """Where a drag is as maintenance over balance, on a round value inside of the frame."""
        data = self.data
        assert data is not None
        step = data.ceiling / (300 if data.convention.falls else 150)
        step = 10.0 ** math.floor(math.log10(step))
        y = float(f"{round(float(point['y']) / step) * step:.12g}")
        lowest = data.of(CEILING) if data.convention.falls else step
        inside = min(max(y, lowest), data.ceiling)
        held = "" if 0 <= point["y"] <= data.ceiling else f"held at {data.shown(inside)}"
        return min(data.share_of(inside), CEILING), None, held

    def _release(self, *where: Any) -> None:
        self.alert = where[0]

    def _end_preview(self) -> None:
        """Nothing is shown that the update after a drag does not replace."""

    # ------------------------------------------------------------ table

    def _fill_data(self) -> None:
        """The table twins; made only while they are open."""
        if self.data is None:
            assign(self._data_box, html="")
            return
        tables = ""
        if self._open:
            tables = data_table(*self.data.table())
            tables += data_table(*self.data.levels_table(), words=1)
            tables += data_table(*self.data.values_table())
        assign(self._data_box, html=data_button(opened=self._open) + tables)


def _nearest_first(data: RatioCurve) -> list[tuple[Level, tuple[float, float]]]:
    """Levels that have room in the frame, liquidation first."""
    return data.bands()[::-1][:LEVELS_AT_MOST]


def _typed(value: float, percent: bool) -> str:
    """A value as a person types it."""
    return f"{100 * value:.6g}" if percent else f"{value:.6g}"
