"""Margin ratio of every pool along a price: in one convention, with its levels and an alert."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.chart_svg import (
    Axis,
    Chart,
    round_step,
    round_ticks,
    static_page,
    static_table,
    ticks,
)
from margin_widgets.account.curve_words import coin_name, place
from margin_widgets.account.figures import Column, KeyFigure, Shown
from margin_widgets.account.ratios import falling, rising
from margin_widgets.engine.ledger import Ledger
from margin_widgets.engine.liquidation import Triggers, triggers_along
from margin_widgets.engine.valuation import mark_book
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.curve import Curve, ModeCurve
    from margin_widgets.engine.book import Bools, Floats
    from margin_widgets.venues import RuleSet
    from margin_widgets.venues.ratio import RatioConvention

CEILING = 1.5
"""Highest ratio that is drawn where it rises, if pools are liquidated below that."""
LINES_AT_MOST = 12
"""Isolated pools with a line of their own; the others are drawn as the one nearest to the end."""
_ALONG = ("maintenance margin", "margin balance", "equity")
_MODES = ("cross", "isolated")
_NEAREST, _FURTHEST = 3.0, 6.0  # times the level: what of a falling ratio is drawn


def conventions(rules: RuleSet) -> dict[str, RatioConvention]:
    """Ratios that can be drawn under a rule set, by the name of the choice.

    ``"rising"`` is maintenance margin over margin balance, ``"falling"`` the other way round; one
    of them carries the venue's own name where the venue uses that fraction. ``"venue"`` is the
    venue's own where it is a third one, of figures that are known along a price.

    Examples
    --------
    >>> from margin_widgets import venues
    >>> [str(one) for one in conventions(venues.get("binance-portfolio-margin")).values()][1]
    'uniMMR = margin balance ÷ maintenance margin, liquidation at 1.05'
    """
    own, level = rules.margin_ratio, rules.trigger_level
    found = {"rising": rising(level), "falling": falling(level)}
    for name, one in found.items():
        if (own.numerator, own.denominator) == (one.numerator, one.denominator):
            # Where pools really fall is what the rules trigger at, whatever the name says.
            found[name] = replace(own, liquidation_at=one.liquidation_at, bands=())
            return found
    if own.numerator in _ALONG and own.denominator in _ALONG:
        found["venue"] = own
    return found


def resolved(rules: RuleSet, choice: str) -> str:
    """The convention that is meant: the venue's own may be one of the others.

    Where the venue's own cannot be drawn, it is the one that goes the same way.

    Raises
    ------
    KeyError
        If there is no such convention.
    """
    known = conventions(rules)
    if choice in known:
        return choice
    if choice != "venue":
        choices = ("rising", "falling", "venue")
        raise KeyError(
            f"convention: {choice!r} is not one of {', '.join(map(repr, choices))}"
            f"{did_you_mean(str(choice), choices)}"
        )
    return "falling" if rules.margin_ratio.falls else "rising"


@dataclass(frozen=True)
class Level:
    """A value of the ratio at which something begins.

    Attributes
    ----------
    what : str
        e.g. "notice" or "liquidation".
    value : float
    source : str
        Where the rule set has it from.
    """

    what: str
    value: float
    source: str


@dataclass(frozen=True, eq=False)
class PoolLine:
    """One pool along the axis.

    Attributes
    ----------
    mode : {"cross", "isolated"}
    name : str
        What it is called in labels, e.g. "cross" or "isolated ETH".
    pool : str
        Name of the pool, "" for several together.
    key : str
        Position of an isolated pool, else "".
    y : ndarray (M,)
        The ratio at `Curve.x`; NaN where the pool does not stand.
    now : float or None
        At the present marks, also of a pool that is closed there; None without a denominator.
    maintenance, balance : float
        Present figures of the pool.
    fallen : bool
        Whether it is below maintenance at the present marks.
    liquidated : (float or None, float or None)
        Places below and above the present at which it is liquidated, in the range or beyond.
    alerted : (float or None, float or None)
        Places at which it reaches the alert.
    beyond : bool
        Whether it is beyond the alert at the present marks.
    """

    mode: str
    name: str
    pool: str
    key: str
    y: Floats
    now: float | None
    maintenance: float
    balance: float
    fallen: bool
    liquidated: tuple[float | None, float | None]
    alerted: tuple[float | None, float | None]
    beyond: bool


@dataclass(frozen=True, eq=False)
class RatioCurve:
    """The margin ratio of every pool along a curve's axis.

    Attributes
    ----------
    curve : Curve
    choice : str
        Name of the convention; see `conventions`.
    convention : RatioConvention
    alert : float or None
        As maintenance over margin balance, whatever the convention.
    cross, isolated : tuple of PoolLine
        Isolated pools sorted by how near they are to liquidation now.
    top : float or None
        Highest value drawn, where it is given.
    """

    curve: Curve
    choice: str
    convention: RatioConvention
    alert: float | None
    cross: tuple[PoolLine, ...]
    isolated: tuple[PoolLine, ...]
    top: float | None = None

    @property
    def lines(self) -> tuple[PoolLine, ...]:
        """Every pool that can be liquidated."""
        return self.cross + self.isolated

    @property
    def trigger_level(self) -> float:
        """Multiple of the maintenance margin below which a pool is liquidated."""
        return self.curve.books.book.trigger_level

    def of(self, share: float) -> float:
        """Maintenance over balance, as this convention has it."""
        return 1.0 / share if self.convention.falls else share

    def share_of(self, value: float) -> float:
        """A value of this convention as maintenance over balance."""
        return 1.0 / value if self.convention.falls else value

    @cached_property
    def exact(self) -> bool:
        """Whether every pool is liquidated at the same value.

        Not if the ratio is of equity, of which haircuts take a part: the venue compares what
        counts as margin.
        """
        if "equity" not in (self.convention.numerator, self.convention.denominator):
            return True
        for mode in _MODES:
            figures = self.curve.books.ledger(mode, self.curve.marks).valuation
            if not np.allclose(figures.equity, figures.margin_balance, rtol=1e-9, atol=1e-9):
                return False
        return True

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """What the venue does on the way and at which value, liquidation last."""
        rules = self.curve.books.state.venue
        own, falls = rules.margin_ratio, self.convention.falls
        if not self.exact:
            return ()
        sources = rules.sources if hasattr(rules.sources, "get") else {}
        source = str(sources.get("margin_ratio", "")) or rules.label
        end = self.of(1.0 / self.trigger_level)
        found = []
        # Another figure than this convention's is no other value where `exact` holds.
        for what, value in own.bands:
            here = value if own.falls == falls else 1.0 / value
            if (here > end) if falls else (here < end):
                found.append(Level(what, here, source))
        trigger = str(sources.get("trigger_level", sources.get("trigger", ""))) or rules.label
        return (*found, Level("liquidation", end, trigger))

    @property
    def level(self) -> float | None:
        """Value at which pools are liquidated; None if it is not the same for all."""
        return self.levels[-1].value if self.levels else None

    @property
    def alert_value(self) -> float | None:
        """The alert in this convention; None if there is none, or no one value for all pools."""
        return self.of(self.alert) if self.alert is not None and self.exact else None

    @property
    def alert_is_late(self) -> bool:
        """Whether liquidation comes first."""
        return self.alert is not None and self.alert * self.trigger_level >= 1.0 - 1e-12

    @cached_property
    def ceiling(self) -> float:
        """Highest value drawn: what is above is cut off, and said to be."""
        if self.top is not None:
            return self.top
        end = self.of(1.0 / self.trigger_level)
        if not self.convention.falls:
            return max(CEILING, 1.25 * end)
        # What is near liquidation is what the picture is for: calm pools are above the frame.
        present = [line.now for line in self.lines if line.now is not None]
        high = min(max(1.25 * min(present, default=0.0), _NEAREST * end), _FURTHEST * end)
        step = round_step(high, 6)
        return step * math.ceil(high / step - 1e-9)

    def clipped(self, y: Floats) -> Floats:
        """What of a line is drawn; NaN elsewhere."""
        with np.errstate(invalid="ignore"):
            return np.where(y <= self.ceiling, y, np.nan)

    @cached_property
    def drawn(self) -> tuple[PoolLine, ...]:
        """Lines of the picture: every cross pool, and isolated ones as far as they are told apart.

        Beyond `LINES_AT_MOST`, the calmer ones are one line: that nearest to liquidation of them.
        """
        own, rest = self.isolated[:LINES_AT_MOST], self.isolated[LINES_AT_MOST:]
        if not rest:
            return self.cross + own
        nearest = np.fmin if self.convention.falls else np.fmax
        with np.errstate(invalid="ignore"):
            together = nearest.reduce([line.y for line in rest])
        others = replace(
            rest[0],
            name=f"nearest of {len(rest)} more isolated",
            pool="",
            key="",
            y=together,
        )
        return (*self.cross, *own, others)

    def shown(self, value: float | None, digits: int | None = None) -> str:
        """A value as this convention is written."""
        if value is None:
            return "no balance" if not self.convention.falls else "no maintenance"
        if not self.convention.percent:
            return fmt.plain(value, 4 if digits is None else digits + 2)
        if digits is None:
            digits = 0 if abs(100 * value - round(100 * value)) < 1e-7 else 2
        return fmt.percent(value, digits)

    # -- words --------------------------------------------------------------------------------

    @property
    def axis(self) -> str:
        """What the y axis is and where liquidation is on it, in few words."""
        own = self.convention
        short = {"maintenance margin": "maintenance", "margin balance": "balance"}
        fraction = f"{short.get(own.numerator, own.numerator)} ÷ " + short.get(
            own.denominator, own.denominator
        )
        end = "" if self.level is None else f", liquidation at {self.shown(self.level)}"
        return fraction + end

    @cached_property
    def text(self) -> str:
        """What is drawn, where the pools are now, and where they reach alert and liquidation."""
        own = self.convention
        way = "falls" if own.falls else "rises"
        named = "" if own.name in ("margin ratio", "margin level") else f"{own.name} = "
        fraction = f"{named}{own.numerator} ÷ {own.denominator} of each pool"
        end = "liquidation" + ("" if self.level is None else f" at {self.shown(self.level)}")
        parts = [
            f"{fraction[0].upper()}{fraction[1:]}: it {way} towards {end}, where its line ends."
        ]
        if named and fraction[0].islower():
            parts[0] = f"{fraction}: it {way} towards {end}, where its line ends."
        if self.level is None:
            parts.append("Haircuts take a part of equity, so pools fall at different values of it.")
        if not self.lines:
            return f"{parts[0]} No pool here can be liquidated."
        if self.curve.symbol is not None:
            parts.append(f"{self.curve.symbol} moves, the other marks stay.")
        parts.append(f"Now: {', '.join(self._now())}.")
        parts += self._told()
        steps = [f"{one.what} from {self.shown(one.value)}" for one in self.levels[:-1]]
        if steps:
            parts.append(f"On the way: {', '.join(steps)} ({self.levels[0].source}).")
        if any((line.y > self.ceiling).any() for line in self.lines):
            parts.append(f"Above {self.shown(self.ceiling)} nothing is drawn (≫).")
        return " ".join(parts)

    def _now(self) -> Iterator[str]:
        yield from (f"{line.name} {self.shown(line.now, 1)}" for line in self.cross)
        few = len(self.isolated) <= 3
        for line in self.isolated if few else self.isolated[:1]:
            yield f"{line.name} {self.shown(line.now, 1)}"
        if not few:
            yield f"{len(self.isolated) - 1} isolated ones further from it"

    def _told(self) -> list[str]:
        told = []
        alert = "" if self.alert is None else self.shown(self.of(self.alert))
        if alert and self.alert_is_late:
            told.append(f"Your alert {alert} is at or beyond liquidation.")
            alert = ""
        elif alert and not self.exact:
            alert = ""
        for lines in (self.cross, self.isolated):
            words = self._fate(lines, alert)
            if words:
                told.append(f"{words[0].upper()}{words[1:]}.")
        return told

    def _fate(self, lines: Sequence[PoolLine], alert: str) -> str:
        """Where the first of some pools reaches the alert and liquidation."""
        if not lines:
            return ""
        fallen = [line.name for line in lines if line.fallen]
        if fallen:
            return f"{_listed(fallen)} below maintenance at the present marks"
        if alert:
            beyond = [line.name for line in lines if line.beyond]
            if beyond:
                return f"{_listed(beyond)} beyond your alert {alert} at the present marks" + (
                    self._ends(lines)
                )
            reached = self._first(lines, "alerted")
            if reached is None:
                return f"{self._who(lines)} never reaches your alert {alert} along this axis"
            line, x = reached
            end = line.liquidated[0 if x < self.curve.mark else 1]
            then = "" if end is None else f" and is liquidated at {place(self.curve, end)}"
            first = " first" if len(lines) > 1 else ""
            at = place(self.curve, x)
            return f"{line.name} reaches your alert {alert}{first} at {at}{then}"
        reached = self._first(lines, "liquidated")
        if reached is None:
            return f"{self._who(lines)} is not liquidated anywhere along this axis"
        line, x = reached
        first = " first" if len(lines) > 1 else ""
        return f"{line.name} is liquidated{first} at {place(self.curve, x)}"

    def _ends(self, lines: Sequence[PoolLine]) -> str:
        reached = self._first(lines, "liquidated")
        if reached is None:
            return ""
        return f"; {reached[0].name} is liquidated at {place(self.curve, reached[1])}"

    def _who(self, lines: Sequence[PoolLine]) -> str:
        return lines[0].name if len(lines) == 1 else f"no {lines[0].mode} pool"

    def _first(self, lines: Sequence[PoolLine], what: str) -> tuple[PoolLine, float] | None:
        """The pool that gets somewhere by the smallest move, and the place."""
        found = [(line, x) for line in lines for x in getattr(line, what) if x is not None]
        mark = self.curve.mark
        return min(found, key=lambda one: abs(one[1] - mark), default=None)

    # -- the same as tables -------------------------------------------------------------------

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the pools, as text: present ratio, alert and liquidation."""
        symbol, unit = self.curve.symbol, self.curve.books.state.venue.currency
        where = f"mark of {symbol}" if symbol else "common move, fraction"
        head = (
            "pool",
            Column("now", f"now, {self._measure}"),
            *(
                Column(name, *(f"{name}, {side} ({where})" for side in ("below", "above")))
                for name in ("alert at", "liquidation at")
            ),
            *(
                Column(name, f"{name} ({unit})")
                for name in ("maintenance margin", "margin balance")
            ),
        )
        return head, [self._row(line) for line in self.lines]

    @property
    def _measure(self) -> str:
        """What the values are, for those who compute on."""
        own = self.convention
        return f"{own.numerator} over {own.denominator} (fraction)"

    def _row(self, line: PoolLine) -> tuple[str, ...]:
        """Words and figures of one pool."""
        path = f"{line.mode}.pools.{line.pool}"
        now: str = Shown(self.shown(line.now, 2), line.now)
        if self.choice == "rising":
            now = KeyFigure(now, f"{path}.margin_ratio", line.now)
        return (
            line.name,
            now,
            Shown("now" if line.beyond else self._places(line.alerted), line.alerted),
            Shown("now" if line.fallen else self._places(line.liquidated), line.liquidated),
            KeyFigure(fmt.amount(line.maintenance), f"{path}.maintenance_margin", line.maintenance),
            KeyFigure(fmt.amount(line.balance), f"{path}.margin_balance", line.balance),
        )

    def levels_table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the levels, as text."""
        rows: list[tuple[str, ...]] = [
            (one.what, Shown(self.shown(one.value), one.value), one.source) for one in self.levels
        ]
        if self.alert_value is not None:
            alert = Shown(self.shown(self.alert_value), self.alert_value)
            rows.insert(0, ("your alert", alert, "set here"))
        return ("level", Column("from", f"from, {self._measure}"), "source"), rows

    def values_table(self, most: int = 14) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the lines at round places of the axis, as text."""
        curve = self.curve
        places = round_ticks(curve.low, curve.high, most)
        what = "common move" if curve.symbol is None else f"mark of {curve.symbol}"
        lines = self.lines[: len(self.cross) + LINES_AT_MOST]
        values = {
            mode: _along(curve, mode, self.convention, np.array([self._u(x) for x in places]))
            for mode in {line.mode for line in lines}
        }
        rows = []
        for number, x in enumerate(places):
            cells: list[str] = []
            for line in lines:
                value = values[line.mode][
                    curve.books.pool_names(line.mode).index(line.pool), number
                ]
                told = "liquidated" if math.isnan(value) else self.shown(float(value), 1)
                cells.append(Shown(told, float(value)))
            rows.append((Shown(place(curve, x), x), *cells))
        axis = Column(what, what if curve.symbol else f"{what} (fraction)")
        return (axis, *(Column(one.name, f"{one.name}, {self._measure}") for one in lines)), rows

    def _u(self, x: float) -> float:
        return 1.0 + x if self.curve.symbol is None else x / self.curve.mark

    def _places(self, pair: tuple[float | None, float | None]) -> str:
        return " / ".join(place(self.curve, x) for x in pair if x is not None) or "nowhere"

    def to_frame(self) -> pd.DataFrame:
        """One row per place on the axis, one column per pool."""
        import pandas as pd

        axis = "shock" if self.curve.symbol is None else "price"
        return pd.DataFrame({axis: self.curve.x, **{line.name: line.y for line in self.lines}})

    # -- without a browser --------------------------------------------------------------------

    def svg(self) -> str:
        """The picture as one SVG element; words take the colour of the page."""
        curve, top = self.curve, self.ceiling
        low, high = float(curve.x[0]), float(curve.x[-1])
        digits = 0 if high - low > 0.05 else 2

        def x_text(x: float) -> str:
            return fmt.plain(x) if curve.symbol else fmt.percent(x, digits, sign=True)

        moved = "common move of all marks"
        if curve.symbol is not None:
            moved = f"mark price of {curve.symbol}, other marks unchanged"
        across = Axis(low, high, ticks(round_ticks(low, high, 6), x_text), moved)
        up = Axis(
            0.0,
            top,
            ticks(round_ticks(0.0, top, 6), lambda y: self.shown(y, 0)),
            self.axis,
        )
        chart = Chart(across, up, f"Margin ratio against {moved}", self.text)
        wide = np.array([low, high])
        for one, (start, end) in self.bands():
            corners = np.array([start, start, end, end])
            chart.area(
                np.array([low, high, high, low]),
                corners,
                "liq" if one.what == "liquidation" else "word",
                0.12 if one.what == "liquidation" else 0.06,
            )
            chart.line(wide, np.full(2, one.value), "word", width=1.2)
            chart.text(low, one.value + 0.03 * top, f"{one.what} at {self.shown(one.value)}")
        chart.line(np.full(2, curve.mark), np.array([0.0, top]), "word", width=1.0, dash="")
        if self.alert_value is not None and self.alert_value <= top:
            chart.line(wide, np.full(2, self.alert_value), "word", width=1.2, dash="6 3")
            words = f"alert {self.shown(self.alert_value)}"
            chart.text(high, self.alert_value + 0.03 * top, words, anchor="end")
        for line in self.drawn:
            y = self.clipped(line.y)
            chart.line(curve.x, y, line.mode, width=2.2 if line.mode == "cross" else 1.4)
            for x, value in self.ends(line):
                chart.point(x, value, line.mode)
            seen = np.flatnonzero(np.isfinite(y))
            if len(seen):
                at = seen[0] if curve.x[seen[0]] > low else seen[-1]
                inside = at != seen[-1]
                chart.text(
                    float(curve.x[at]),
                    0.92 * float(y[at]),
                    line.name,
                    anchor="start" if inside else "end",
                )
        return chart.svg()

    def bands(self) -> list[tuple[Level, tuple[float, float]]]:
        """Each level with the values between which it holds, as far as they are drawn."""
        found = []
        for number, one in enumerate(self.levels):
            last = number == len(self.levels) - 1
            limit = 0.0 if self.convention.falls else self.ceiling
            end = limit if last else self.levels[number + 1].value
            if one.value <= self.ceiling:
                found.append((one, (one.value, end)))
        return found

    def ends(self, line: PoolLine) -> list[tuple[float, float]]:
        """Where a line ends by liquidation in the range: place, and the ratio it really has."""
        x, found = self.curve.x, []
        for side, at in enumerate(line.liquidated):
            if at is None or line.fallen or not line.pool:
                continue
            here = np.flatnonzero((x == at) & np.isfinite(line.y))
            if len(here):
                value = float(line.y[here[-1 if side == 0 else 0]])
                exact = self.level is not None and math.isclose(value, self.level, rel_tol=1e-6)
                found.append((at, self.level if exact and self.level is not None else value))
        return found

    def _repr_html_(self) -> str:
        tables = "".join(
            static_table(*table)
            for table in (self.table(), self.levels_table(), self.values_table())
            if table[1]
        )
        return static_page("Margin ratio", self.text, self.svg(), tables)


def ratio_curve(
    curve: Curve, convention: str = "rising", *, alert: float | None = None
) -> RatioCurve:
    """Follow the margin ratio of every pool along a curve, to its liquidation.

    Parameters
    ----------
    curve : Curve
    convention : {"rising", "falling", "venue"}
        See `conventions`. ``"venue"`` is also understood where the venue uses one of the others.
    alert : float, optional
        A level of one's own, as maintenance over margin balance; above 0.

    Raises
    ------
    KeyError
        If there is no such convention.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> found = ratio_curve(presets.ref2().curve("BTCUSDT"), alert=0.8)
    >>> round(found.cross[0].alerted[0], 2), round(found.cross[0].liquidated[0], 2)
    (81006.29, 80804.02)
    """
    rules = curve.books.state.venue
    convention = resolved(rules, convention)
    chosen = conventions(rules)[convention]
    cross, isolated = (tuple(_lines(curve, mode, chosen, alert)) for mode in _MODES)
    worse = sorted(isolated, key=lambda line: -_share(line))
    return RatioCurve(curve, convention, chosen, alert, cross, tuple(worse))


def _share(line: PoolLine) -> float:
    return line.maintenance / line.balance if line.balance > 0 else math.inf


def _lines(
    curve: Curve, mode: str, convention: RatioConvention, alert: float | None
) -> Iterator[PoolLine]:
    books, series = curve.books, _mode(curve, mode).series
    ledger = books.ledger(mode, curve.marks)
    figures = ledger.valuation
    amounts = {
        "maintenance margin": figures.requirement,
        "margin balance": figures.margin_balance,
        "equity": figures.equity,
    }
    ratios = _along(curve, mode, convention)
    fallen = np.asarray(series.track.fallen)
    reached, beyond = (None, fallen) if alert is None else _alerted(curve, ledger, alert)
    names, members = books.pool_names(mode), books.pool_members(mode)
    for pool in np.flatnonzero(ledger.exposed).tolist():
        below = amounts[convention.denominator][pool]
        key = books.keys[members[pool][0]] if ledger.partition.own[pool] else ""
        pair = [None if math.isnan(u) else curve.x_of(float(u)) for u in series.track.trigger[pool]]
        alerts: list[float | None] = [None, None]
        if reached is not None:
            both = (float(reached.lower[pool]), float(reached.upper[pool]))
            alerts = [None if math.isnan(u) else curve.x_of(u) for u in both]
        yield PoolLine(
            mode=mode,
            name=f"isolated {coin_name(books, key)}" if key else names[pool],
            pool=names[pool],
            key=key,
            y=ratios[pool],
            now=float(amounts[convention.numerator][pool] / below) if below > 0 else None,
            maintenance=float(figures.requirement[pool]),
            balance=float(figures.margin_balance[pool]),
            fallen=bool(fallen[pool]),
            liquidated=(pair[0], pair[1]),
            alerted=(alerts[0], alerts[1]),
            beyond=alert is not None and bool(beyond[pool]),
        )


def _mode(curve: Curve, mode: str) -> ModeCurve:
    return curve.cross if mode == "cross" else curve.isolated


def _along(curve: Curve, mode: str, convention: RatioConvention, u: Floats | None = None) -> Floats:
    """The ratio of each pool on the grid, or at ascending factors; NaN where none stands (P, G)."""
    series: Any = _mode(curve, mode).series
    track, standing = series.track, series.standing if u is None else None
    if standing is None:
        assert u is not None
        lower, upper = (track.trigger[:, side, None] for side in (0, 1))
        standing = ~((u < lower) | (u > upper)) & ~track.fallen[:, None]
        needed, balance = track.ray.requirement_on(u), track.ray.balance_on(u)
    else:
        u, needed, balance = series.u, series.requirements, series.balances
    amounts = {"maintenance margin": needed, "margin balance": balance}
    if "equity" in (convention.numerator, convention.denominator):
        amounts["equity"] = track.ray.equity_at(np.asarray(u)[None, :])
    above, below = amounts[convention.numerator], amounts[convention.denominator]
    with np.errstate(all="ignore"):
        ratio: Floats = np.where(standing & (below > 0), above / below, np.nan)
    return ratio


def _alerted(curve: Curve, ledger: Ledger, alert: float) -> tuple[Triggers, Bools]:
    """Factors at which each pool reaches an alert, and which are beyond it now.

    An alert is where a venue would liquidate that asks for that much more: its places are those of
    a higher trigger, in closed form like those.
    """
    book = ledger.book.replace(trigger_level=1.0 / alert)
    there = Ledger(mark_book(book, curve.marks), ledger.partition, ledger.portfolio)
    if curve.symbol is None:
        found = there.common_triggers
    else:
        moved = curve.books.symbols.index(curve.symbol)
        found = triggers_along(there.ray_of(moved), there.partition)
    return found, there.fallen


def _listed(names: Sequence[str]) -> str:
    """Names and the verb that goes with them."""
    if len(names) == 1:
        return f"{names[0]} is"
    if len(names) > 3:
        return f"{', '.join(names[:2])} and {len(names) - 2} more are"
    return f"{', '.join(names[:-1])} and {names[-1]} are"
