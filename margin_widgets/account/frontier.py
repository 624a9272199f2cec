"""Where two marks together liquidate what: the conditional liquidation price as a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import TraitError

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.chart_svg import (
    Axis,
    Chart,
    round_ticks,
    static_page,
    static_table,
    ticks,
)
from margin_widgets.account.checks import number
from margin_widgets.account.curve import default_range
from margin_widgets.account.figures import (
    Column,
    KeyFigure,
    Shown,
    figure_if_same,
    figure_of,
)
from margin_widgets.account.likely_moves import LikelyMoves
from margin_widgets.account.two_marks import MODES, TwoMarks
from margin_widgets.engine.book import Bools, Floats, Ints
from margin_widgets.engine.liquidation import triggers_along
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

COLUMNS, ROWS = 49, 41
"""Grid on which changes of sign are looked for, before they are solved."""

_ZOOM = np.linspace(0.0, 1.0, 17)
_CONDITION = -0.1
"""Move of the second mark for which sentence and table say the first one's price."""

_SMALLEST = 0.01
"""Share of the frame from which on a region has a label."""
NOTHING = "nothing liquidated"

_LEG, _HALVINGS = 129, 50
"""Places at which each leg of a path is looked at, and how often the step of a fall is halved."""

Range = tuple[float, float]
Waypoints = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Boundary:
    """Where one pool reaches its trigger.

    Attributes
    ----------
    mode, pool : str
    positions : tuple of str
        Keys of the positions that are closed there.
    x, y : ndarray (M,)
        Marks of the first and the second symbol; NaN separates pieces.
    """

    mode: str
    pool: str
    positions: tuple[str, ...]
    x: Floats
    y: Floats


@dataclass(frozen=True)
class Area:
    """A polygon of marks at which a pool is below maintenance."""

    mode: str
    pool: str
    x: Floats
    y: Floats


@dataclass(frozen=True)
class Region:
    """Marks at which the same pools are below maintenance.

    Attributes
    ----------
    words : str
        A sentence's part.
    short, brief : str
        Who is below maintenance, as a label and as one for narrow frames. In a picture all regions
        take the same of both: see `Frontier.labels`.
    tone : {"word", "isolated", "cross"}
        Whose colour the words have.
    x, y : float
        A place well inside.
    width : float
        Share of the frame's width that is inside, left and right of that place together.
    share : float
        Share of the frame.
    """

    words: str
    short: str
    brief: str
    tone: str
    x: float
    y: float
    width: float
    share: float


@dataclass(frozen=True)
class PathEvent:
    """A pool that reaches its trigger on a path of both marks.

    Attributes
    ----------
    mode, pool : str
    positions : tuple of str
    leg : int
        Number of the waypoint on the way to which, from 1.
    x, y : float
        Marks there.
    """

    mode: str
    pool: str
    positions: tuple[str, ...]
    leg: int
    x: float
    y: float


@dataclass(frozen=True, eq=False)
class Frontier:
    """The plane of two marks, all others unchanged: what stands and what is below maintenance.

    Attributes
    ----------
    books : Books
    first, second : str
        Symbols across and up.
    x_range, y_range : (float, float)
    x, y : float
        The present marks.
    path : tuple of (float, float)
        Waypoints of both marks, after the present ones.
    likely : LikelyMoves or None
        Which moves are to be expected, if somebody has said so.
    """

    books: Books
    first: str
    second: str
    x_range: Range
    y_range: Range
    plane: TwoMarks
    path: Waypoints = ()
    likely: LikelyMoves | None = None

    @property
    def x(self) -> float:
        """Present mark of the first symbol."""
        return float(self.books.marks[self.plane.first])

    @property
    def y(self) -> float:
        """Present mark of the second symbol."""
        return float(self.books.marks[self.plane.second])

    # -- boundaries and areas -----------------------------------------------------------------

    @cached_property
    def _solved(self) -> tuple[tuple[Boundary, ...], tuple[Area, ...]]:
        lines: list[Boundary] = []
        areas: list[Area] = []
        for mode, pool, columns in self._columns():
            line, polygons = _drawn(columns, self.y_range)
            name, keys = self._named(mode, pool)
            if np.isfinite(line[1]).any():
                lines.append(Boundary(mode, name, keys, *line))
            areas += [Area(mode, name, *polygon) for polygon in polygons]
        return tuple(lines), tuple(areas)

    @property
    def boundaries(self) -> tuple[Boundary, ...]:
        """Lines on which a pool reaches its trigger, those in the frame."""
        return self._solved[0]

    @property
    def areas(self) -> tuple[Area, ...]:
        """Polygons in which a pool is below maintenance."""
        return self._solved[1]

    def _columns(self) -> Iterator[tuple[str, int, _Columns]]:
        """Every pool that the two marks can liquidate, solved up and down."""
        for mode in MODES:
            by_first, by_second = self.plane.depends(mode)
            for pool in np.flatnonzero(self.plane.modes[mode].exposed):
                # A pool that one mark does not move is solved once for all of that mark.
                counts = COLUMNS if by_first[pool] else 2, ROWS if by_second[pool] else 2
                surplus = self._surplus(mode, int(pool))
                columns = _solve(surplus, self.x_range, self.y_range, self.x, counts)
                yield mode, int(pool), columns

    def _surplus(self, mode: str, pool: int) -> Callable[[Floats, Floats], Floats]:
        def surplus(x: Floats, y: Floats) -> Floats:
            return self.plane.at(x, y, (mode,))[mode].surplus[..., pool]

        return surplus

    def _named(self, mode: str, pool: int) -> tuple[str, tuple[str, ...]]:
        number = int(self.plane.modes[mode].pool[pool])
        members = self.books.pool_members(mode)[number]
        keys = tuple(self.books.keys[member] for member in members)
        return self.books.pool_names(mode)[number], keys

    # -- a path, and what is likely -----------------------------------------------------------

    @cached_property
    def trail(self) -> tuple[Floats, Floats]:
        """Marks of the path, the present ones first; of one point if there is no path."""
        points = np.array([(self.x, self.y), *self.path])
        return points[:, 0], points[:, 1]

    @cached_property
    def events(self) -> tuple[PathEvent, ...]:
        """Pools that are liquidated along the path, in their order; they stay closed.

        Between waypoints both marks move in a straight line. What is below maintenance already is
        not among them.
        """
        if not self.path:
            return ()
        x, y = self.trail
        legs = np.linspace(0.0, len(self.path), (_LEG - 1) * len(self.path) + 1)
        numbers = np.arange(len(x))

        def at(place: Floats) -> tuple[Floats, Floats]:
            return np.interp(place, numbers, x), np.interp(place, numbers, y)

        found: list[tuple[float, PathEvent]] = []
        figures = self.plane.at(*at(legs))
        for mode in MODES:
            stands = figures[mode].stands
            fallen = ~stands & ~self.plane.modes[mode].fallen
            for pool in np.flatnonzero(fallen.any(axis=0)):
                first = int(np.argmax(fallen[:, pool]))
                low, high = float(legs[max(first - 1, 0)]), float(legs[first])
                for _ in range(_HALVINGS):
                    middle = (low + high) / 2
                    there = self.plane.at(*at(np.array(middle)), (mode,))[mode]
                    low, high = (middle, high) if there.stands[pool] else (low, middle)
                name, keys = self._named(mode, int(pool))
                leg = min(int(np.ceil(high)), len(self.path)) or 1
                mark = [float(one) for one in at(np.array(high))]
                found.append((high, PathEvent(mode, name, keys, leg, *mark)))
        return tuple(event for _, event in sorted(found, key=lambda one: one[0]))

    @cached_property
    def ellipse(self) -> tuple[Floats, Floats] | None:
        """Marks around what holds 95 % of all moves; None if nobody said what is likely."""
        if self.likely is None or not self.likely.knows(self.first, self.second):
            return None
        x, y = self.likely.ellipse(self.first, self.second)
        return self.x * (1.0 + x), self.y * (1.0 + y)

    def _path_text(self) -> str:
        count = len(self.path)
        told = f"Path of {count} waypoint{'s' if count > 1 else ''}:"
        fates = []
        for mode in ("isolated", "cross"):
            events = [one for one in self.events if one.mode == mode]
            if not events:
                fates.append(f"{mode} is not liquidated")
                continue
            places = [
                f"{one.pool if mode == 'isolated' or one.pool != 'cross' else 'the account'}"
                f" on the way to waypoint {one.leg} ({self.first}"
                f" {self.price(self.first, one.x)}, {self.second} {self.price(self.second, one.y)})"
                for one in events[:3]
            ]
            if len(events) > 3:
                places.append(f"{len(events) - 3} more")
            fates.append(f"{mode} loses {', '.join(places)}")
        return f"{told} {'; '.join(fates)}."

    # -- regions ------------------------------------------------------------------------------

    @cached_property
    def _grid(self) -> tuple[Floats, Floats, Ints, list[tuple[str, int]]]:
        """A coarse grid, and which pools are below maintenance there, as bits."""
        # Cell centres: no boundary of round marks runs through one.
        x = _centres(self.x_range, COLUMNS)
        y = _centres(self.y_range, ROWS)
        figures = self.plane.at(x[:, None], y[None, :])
        bits = np.zeros((len(x), len(y)), dtype=np.intp)
        pools = [(mode, pool) for mode in MODES for pool in range(len(self.plane.modes[mode].pool))]
        for bit, (mode, pool) in enumerate(pools[:60]):
            bits |= np.where(figures[mode].stands[..., pool], 0, 1 << bit)
        return x, y, bits, pools

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """What stands where, the largest first."""
        x, y, bits, pools = self._grid
        found = []
        for code in np.unique(bits):
            inside = bits == code
            place, width = _roomiest(inside)
            fallen = [pools[bit] for bit in range(len(pools)) if code >> bit & 1]
            words, short, brief, tone = self._words(fallen)
            share = float(inside.mean())
            at = float(x[place[0]]), float(y[place[1]])
            width += 1.0  # cells are counted by their centres: half of one more on either side
            found.append(Region(words, short, brief, tone, *at, width / len(x), share))
        return tuple(sorted(found, key=lambda one: -one.share))

    def labels(self, fits: Callable[[str, float], bool]) -> list[tuple[Region, str]]:
        """Regions that have a label, in one manner of speaking: the longer one if it fits in all.

        Parameters
        ----------
        fits : callable
            Whether words fit into a share of the frame's width.
        """
        shown = [one for one in self.regions if one.share >= _SMALLEST]
        if all(fits(one.short, one.width) for one in shown):
            return [(one, one.short) for one in shown]
        return [(one, one.brief) for one in shown if fits(one.brief, one.width)]

    def at(self, x: float, y: float) -> str:
        """What is below maintenance at two marks, in words."""
        return self._words(self._fallen(x, y))[0]

    def fallen(self, x: float, y: float) -> tuple[tuple[str, str], ...]:
        """Mode and name of the pools below maintenance at two marks."""
        return tuple((mode, self._named(mode, pool)[0]) for mode, pool in self._fallen(x, y))

    def _fallen(self, x: float, y: float) -> list[tuple[str, int]]:
        figures = self.plane.at(np.array(x), np.array(y))
        return [
            (mode, int(pool)) for mode in MODES for pool in np.flatnonzero(~figures[mode].stands)
        ]

    def _words(self, fallen: list[tuple[str, int]]) -> tuple[str, str, str, str]:
        """Words, short and brief words, and tone of a set of pools below maintenance."""
        if not fallen:
            return NOTHING, NOTHING, NOTHING, "word"
        isolated = [self._named(mode, pool)[0] for mode, pool in fallen if mode == "isolated"]
        cross = [self._named(mode, pool)[0] for mode, pool in fallen if mode == "cross"]
        names = [self._coin(key) for key in isolated]
        listed = " and ".join(names) if len(names) <= 2 else f"{len(names)} positions"
        pool = " + ".join(cross) if len(cross) <= 2 else f"{len(cross)} cross pools"
        who = self._who(names)
        if not cross:
            short = f"isolated {who} only"
            return f"isolated {listed} liquidated", short, f"isolated {who}", "isolated"
        if not isolated:
            return f"{pool} liquidated", f"{pool} only", pool, "cross"
        words = f"{pool} and isolated {listed} liquidated"
        return words, f"{pool} + isolated {who}", f"{pool} + {who}", "word"

    def _who(self, names: list[str]) -> str:
        """Isolated positions that are liquidated, in as few words as tell them from the others."""
        count = len(self.plane.modes["isolated"].pool)
        if len(names) == count > 1:
            return "both" if count == 2 else f"all {count}"
        return " + ".join(names)

    def _coin(self, key: str) -> str:
        """A position in as few words as say which it is."""
        if key not in self.books.places:  # a pool that only holds a loan
            return key
        position = self.books.places[key]
        base = str(self.books.contracts[int(self.books.book.symbol[position])].base)
        same = [one for one in self.books.contracts if str(one.base) == base]
        plain = key == self.books.symbols[int(self.books.book.symbol[position])]
        return base if len(same) == 1 and plain else key

    # -- words --------------------------------------------------------------------------------

    def price(self, symbol: str, value: float) -> str:
        """A price of a symbol on its tick."""
        return fmt.price(value, self.books.contracts[self.books.symbols.index(symbol)].tick)

    def cross_price(self, second: float) -> tuple[float, ...]:
        """Cross triggers of the first symbol, below and above its mark, with the second at a mark.

        The pool is that of the first symbol; empty if no positive price liquidates it. For a pool
        below maintenance there, the prices at which it is back above.
        """
        number("mark", second, above=0.0)
        if self._pool is None:
            return ()
        marks = self.plane.marks(np.array(self.x), np.array(second))
        ledger = self.books.ledger("cross", marks)
        found = triggers_along(ledger.ray_of(self.plane.first), ledger.partition)
        factors = (found.lower[self._pool], found.upper[self._pool])
        return tuple(float(one) * self.x for one in factors if np.isfinite(one))

    @cached_property
    def _pool(self) -> int | None:
        """Cross pool of the first symbol."""
        book = self.books.book
        held = np.flatnonzero(book.symbol == self.plane.first)
        partition = self.books.partitions["cross"]
        if len(held):
            return int(partition.pool[held[0]])
        moved = np.flatnonzero(self.plane.depends("cross")[0])
        return int(self.plane.modes["cross"].pool[moved[0]]) if len(moved) else None

    @cached_property
    def text(self) -> str:
        """What is drawn, in sentences made from the data."""
        now = self.at(self.x, self.y)
        first = (
            f"{self.first} at {self.price(self.first, self.x)} and {self.second} at"
            f" {self.price(self.second, self.y)}: {now}."
        )
        said = [first]
        moved = self.y * (1 + _CONDITION)
        here, there = self.cross_price(self.y), self.cross_price(moved)
        if here and there:
            same = abs(here[0] - there[0]) <= 1e-9 * here[0]
            said.append(
                f"The cross liquidation price of {self.first} is"
                f" {self.price(self.first, here[0])} as things are, and"
                f" {'still ' if same else ''}{self.price(self.first, there[0])} if"
                f" {self.second} is at {self.price(self.second, moved)}."
            )
        for line in self.boundaries:
            if line.mode == "isolated" and len(said) < 4:
                fixed = _constant(line)
                if fixed is not None:
                    axis, at = fixed
                    symbol = self.first if axis == 0 else self.second
                    other = self.second if axis == 0 else self.first
                    said.append(
                        f"Isolated {line.pool} is liquidated at {self.price(symbol, at)}, wherever"
                        f" {other} is."
                    )
        others = [
            symbol
            for place, symbol in enumerate(self.books.symbols)
            if place not in (self.plane.first, self.plane.second)
            and place in self.books.book.symbol
        ]
        if others:
            said.append(f"{len(others)} other mark{'s' if len(others) > 1 else ''} stay as now.")
        if self.path:
            said.append(self._path_text())
        if self.ellipse is not None and self.likely is not None:
            words = self.likely.text(self.first, self.second)
            said.append(f"The dotted ellipse holds 95\N{NO-BREAK SPACE}% of all moves ({words}).")
        return " ".join(said)

    def _held(self) -> KeyFigure | None:
        """The cross liquidation price of the first position in the first symbol; None without."""
        from margin_widgets.account.report import MarginReport

        held = np.flatnonzero(self.books.book.symbol == self.plane.first)
        if not len(held):
            return None
        report = MarginReport("cross", self.books)
        return figure_of(report, "liquidation_price", self.books.keys[int(held[0])])

    # -- out ----------------------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """One row per point of a boundary."""
        import pandas as pd

        rows = [
            (line.mode, line.pool, x, y)
            for line in self.boundaries
            for x, y in zip(line.x, line.y, strict=True)
            if np.isfinite(y)
        ]
        return pd.DataFrame(rows, columns=["mode", "pool", self.first, self.second])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows: conditional cross price of the first symbol, and what else is fallen."""
        cross = f"cross liquidation of {self.first}"
        sides = ("below", "above")
        head: list[str] = [
            Column(self.second, f"mark of {self.second}"),
            Column("move", f"move of {self.second} (fraction)"),
            Column(cross, *(f"{cross}, {side} its mark" for side in sides)),
            Column("move", *(f"move to it, {side} (fraction)" for side in sides)),
            f"at the present {self.first}",
        ]
        rows: list[list[str]] = []
        low, high = (at / self.y - 1 for at in self.y_range)
        moves = sorted({*round_ticks(low, high, 8), 0.0})
        held = self._held()
        for move in moves:
            second = self.y * (1 + move)
            if second <= 0:
                continue
            found = self.cross_price(second)
            prices = " / ".join(self.price(self.first, one) for one in found)
            away = " / ".join(fmt.percent(one / self.x - 1, sign=True) for one in found)
            below = next((one for one in found if one < self.x), None)
            above = next((one for one in found if one >= self.x), None)
            ends = (below, above)
            told: str = Shown(prices or "none", ends)
            if move == 0 and held is not None:
                same = figure_if_same(prices, held)
                told = KeyFigure(same, held.path, ends) if same is held else told
            moves_to = tuple(None if one is None else one / self.x - 1 for one in ends)
            rows.append(
                [
                    Shown(
                        self.price(self.second, second) + (" (now)" if move == 0 else ""), second
                    ),
                    Shown(fmt.percent(move, 1, sign=True), move),
                    told,
                    Shown(away or fmt.NO_VALUE, moves_to),
                    self.at(self.x, second),
                ]
            )
        return head, rows

    @property
    def title(self) -> str:
        """Accessible name of the picture."""
        return f"What {self.first} and {self.second} together liquidate"

    def svg(self) -> str:
        """The static picture."""
        x = Axis(
            *self.x_range,
            ticks(round_ticks(*self.x_range, 5), fmt.plain),
            f"mark price of {self.first}",
        )
        y = Axis(
            *self.y_range,
            ticks(round_ticks(*self.y_range, 5), fmt.plain),
            f"mark price of {self.second}",
        )
        chart = Chart(x, y, self.title, self.text)
        for area in self.areas:
            chart.area(area.x, area.y, area.mode, 0.13)
        for line in self.boundaries:
            chart.line(line.x, line.y, line.mode)
        for region, words in self.labels(lambda words, width: 0.011 * len(words) < width):
            chart.text(region.x, region.y, words, anchor="middle")
        if self.ellipse is not None:
            chart.line(*self.ellipse, "word", width=1.2, dash="2 3")
        if self.path:
            chart.line(*self.trail, "word", width=1.4, dash="")
        for x_at, y_at in self.path:
            chart.point(x_at, y_at, "word")
        for event in self.events:
            chart.point(event.x, event.y, event.mode)
        chart.point(self.x, self.y, "word")
        return chart.svg()

    def _repr_html_(self) -> str:
        return static_page(self.title, self.text, self.svg(), static_table(*self.table()))


def frontier(
    account: Account,
    first: str | None = None,
    second: str | None = None,
    *,
    x_range: Range | None = None,
    y_range: Range | None = None,
    path: Any = (),
    likely: LikelyMoves | None = None,
) -> Frontier:
    """The plane of two marks, with what each margin mode liquidates where.

    A pool counts as liquidated where it is below maintenance at these two marks; on the way there
    it may have been closed earlier.

    Parameters
    ----------
    account : Account
    first, second : str, optional
        Symbols across and up: of the first position, and of the largest position in another.
    x_range, y_range : (float, float), optional
        Marks that are shown; by default those that show the first liquidations of either symbol,
        and the path.
    path : sequence of (float, float), or table
        Waypoints of both marks, which go there in straight lines from where they are; of a table
        the columns named like the two symbols, in any order.
    likely : LikelyMoves, optional
        Which moves are to be expected.

    Raises
    ------
    KeyError
        If the account does not hold or mark a symbol.
    TraitError
        If there is only one symbol, or a range is no range.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plane = frontier(mw.presets.ref2(), "BTCUSDT", "ETHUSDT")
    >>> round(plane.cross_price(3_600)[0], 2)
    84783.92
    >>> plane.at(88_000, 3_900)
    'isolated BTC liquidated'
    >>> down = frontier(mw.presets.ref2(), path=[(88_000, 3_900), (100_000, 4_000)])
    >>> [(one.mode, one.pool, round(one.x, 2)) for one in down.events]
    [('isolated', 'BTCUSDT', 90452.26)]
    """
    books = account.books
    first, second = pair_of(books, first, second)
    waypoints = waypoints_of(path, (first, second))
    ranges = []
    for axis, (name, symbol, wanted) in enumerate(
        (("x_range", first, x_range), ("y_range", second, y_range))
    ):
        low, high = wanted or default_range(books, symbol)
        if wanted is None and waypoints:
            reached = [point[axis] for point in waypoints]
            low, high = min(low, 0.97 * min(reached)), max(high, 1.03 * max(reached))
        low = number(f"{name}[0]", low, above=0.0)
        ranges.append((low, number(f"{name}[1]", high, above=low)))
    plane = TwoMarks(books, books.symbols.index(first), books.symbols.index(second))
    return Frontier(books, first, second, ranges[0], ranges[1], plane, waypoints, likely)


def waypoints_of(path: Any, pair: tuple[str, str] | None = None) -> Waypoints:
    """Check a path: pairs of marks above 0, or a table with a column for each symbol.

    Parameters
    ----------
    path : sequence of (float, float), array or table
        Columns of a table are found by their names, in any order.
    pair : (str, str), optional
        Symbols across and up; without them a table is refused, for its columns say nothing.

    Raises
    ------
    TraitError
        Naming the waypoint, counted from 1, or the column that is neither symbol.
    """
    if hasattr(path, "columns"):
        path = _by_name(path, pair)
    elif hasattr(path, "tolist"):
        path = path.tolist()
    if path is None or isinstance(path, (str, bytes)) or not hasattr(path, "__iter__"):
        raise TraitError(f"path: {path!r} is not a list of pairs of marks")
    found = []
    for place, point in enumerate(path, start=1):
        try:
            x, y = point
        except (TypeError, ValueError):
            raise TraitError(f"waypoint {place}: {point!r} is not a pair of marks") from None
        names = f"waypoint {place}, first mark", f"waypoint {place}, second mark"
        found.append((number(names[0], x, above=0.0), number(names[1], y, above=0.0)))
    return tuple(found)


def _by_name(table: Any, pair: tuple[str, str] | None) -> list[list[Any]]:
    """Rows of a table with its columns in the order of the symbols."""
    if pair is None:
        raise TraitError("path: a table needs two symbols to be a path of; add a position")
    names = list(table.columns)
    problems = [
        f"column {name!r} is neither {pair[0]} nor {pair[1]}{did_you_mean(str(name), pair)}"
        for name in names
        if name not in pair
    ]
    problems += [f"no column {name!r}" for name in pair if name not in names]
    problems += [f"column {name!r} is there twice" for name in pair if names.count(name) > 1]
    if problems:
        raise TraitError(f"path: {'; '.join(problems)}")
    rows: list[list[Any]] = table[list(pair)].to_numpy(object).tolist()
    return rows


def symbols_that_matter(books: Books) -> tuple[str, ...]:
    """Symbols whose marks move pools: held or followed by collateral, no options."""
    book = books.book
    used = {*book.index.tolist(), *book.asset_symbol[book.wallet != 0].tolist()}
    return tuple(
        symbol
        for place, symbol in enumerate(books.symbols)
        if place in used and not books.contracts[place].is_option
    )


def pair_of(books: Books, first: str | None, second: str | None) -> tuple[str, str]:
    """Two different symbols, those not given chosen by what is held.

    Raises
    ------
    KeyError
        If the account neither holds nor marks one.
    TraitError
        If there is only one, or both are the same.
    """
    usable = symbols_that_matter(books)
    for name, symbol in (("first", first), ("second", second)):
        if symbol is not None and symbol not in usable:
            hint = did_you_mean(symbol, usable)
            raise KeyError(f"{name}: no {symbol!r} whose mark moves this account{hint}")
    if len(usable) < 2:
        raise TraitError(
            "symbols: two marks are needed to see how one moves the liquidation price of the other;"
            " add a position in a second symbol."
        )
    if first is not None and first == second:
        raise TraitError(f"second: {second!r} is the first symbol too; give another")
    sizes = books.ledger("cross").valuation.notional
    held = dict.fromkeys(usable, 0.0)
    for place, size in zip(books.book.index, sizes, strict=True):
        symbol = books.symbols[int(place)]
        held[symbol] = held.get(symbol, 0.0) + float(size)
    largest = sorted(usable, key=lambda symbol: -held[symbol])
    if first is None:
        positions = [books.symbols[int(place)] for place in books.book.index]
        first = next((s for s in (*positions, *largest) if s in usable and s != second), largest[0])
    if second is None:
        second = next(symbol for symbol in largest if symbol != first)
    return first, second


# -- solving ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Columns:
    """One pool solved at ascending x: whether it stands at the lower edge, and where that changes.

    Attributes
    ----------
    x : ndarray (K,)
    stands : ndarray of bool (K,)
    changes : list of ndarray
        Ascending y of each column.
    """

    x: Floats
    stands: Bools
    changes: list[Floats]

    def kind(self, place: int) -> tuple[bool, int]:
        """What must agree for two columns to be drawn as one piece."""
        return bool(self.stands[place]), len(self.changes[place])


def _solve(
    surplus: Callable[[Floats, Floats], Floats],
    x_range: Range,
    y_range: Range,
    present: float,
    counts: tuple[int, int],
) -> _Columns:
    """Solve one pool: exact in every column, and in x where a piece of boundary begins or ends."""
    x = np.linspace(*x_range, counts[0])
    y = np.linspace(*y_range, counts[1])
    if x_range[0] < present < x_range[1]:
        x = np.union1d(x, present)
    values = surplus(x[:, None], y[None, :])
    kinds = _kinds(values)
    borders = np.flatnonzero((kinds[1:] != kinds[:-1]).any(axis=1))
    if len(borders):
        x = np.union1d(x, _bisected(surplus, x[borders], x[borders + 1], kinds[borders], y))
        values = surplus(x[:, None], y[None, :])
    positive = values > 0
    column, row = np.nonzero(positive[:, 1:] != positive[:, :-1])
    low, high = y[row], y[row + 1]
    at = x[column]
    for _ in range(3):
        inner = low[:, None] + (high - low)[:, None] * _ZOOM
        seen = surplus(np.broadcast_to(at[:, None], inner.shape), inner)
        changed = (seen[:, 1:] > 0) != (seen[:, :1] > 0)
        place = np.where(changed.any(axis=1), np.argmax(changed, axis=1), len(_ZOOM) - 2)
        each = np.arange(len(low))
        low, high = inner[each, place], inner[each, place + 1]
        from_value, to_value = seen[each, place], seen[each, place + 1]
    if len(at):
        # What is left is straight: 1/4,913 of a cell, but for a floor of a tier inside of it.
        with np.errstate(all="ignore"):
            share = np.clip(from_value / (from_value - to_value), 0.0, 1.0)
        low = low + (high - low) * np.where(np.isnan(share), 0.5, share)
    changes = [low[column == number] for number in range(len(x))]
    return _Columns(x, positive[:, 0], changes)


def _kinds(values: Floats) -> Ints:
    """Of each column: whether the pool stands at the lower edge, how often that changes (K, 2)."""
    positive = values > 0
    changes = (positive[:, 1:] != positive[:, :-1]).sum(axis=1)
    return np.stack([positive[:, 0], changes], axis=1).astype(np.intp)


def _bisected(
    surplus: Callable[[Floats, Floats], Floats], low: Floats, high: Floats, kinds: Ints, y: Floats
) -> Floats:
    """X on both sides of where columns change their kind."""
    parts = np.linspace(0.0, 1.0, 9)
    each = np.arange(len(low))
    for _ in range(12):
        inner = low[:, None] + (high - low)[:, None] * parts
        values = surplus(inner.reshape(-1, 1), y[None, :])
        seen = _kinds(values).reshape(len(low), len(parts), 2)
        differs = (seen != kinds[:, None, :]).any(axis=2)
        differs[:, -1] = True
        place = np.maximum(np.argmax(differs, axis=1), 1)
        low, high = inner[each, place - 1], inner[each, place]
    return np.concatenate([low, high])


def _drawn(
    columns: _Columns, y_range: Range
) -> tuple[tuple[Floats, Floats], list[tuple[Floats, Floats]]]:
    """The boundary as a polyline with gaps, and polygons where the pool does not stand."""
    x, bottom, top = columns.x, *y_range
    kinds = [columns.kind(place) for place in range(len(x))]
    cuts = [0, *(n for n in range(1, len(x)) if kinds[n] != kinds[n - 1]), len(x)]
    pieces: list[tuple[Floats, Floats]] = []
    polygons: list[tuple[Floats, Floats]] = []
    for start, end in pairwise(cuts):
        stands, count = kinds[start]
        here = x[start:end]
        edges = [np.full(len(here), bottom)]
        edges += [
            np.array([columns.changes[n][one] for n in range(start, end)]) for one in range(count)
        ]
        edges.append(np.full(len(here), top))
        pieces += [(here, edge) for edge in edges[1:-1]]
        for band in range(count + 1):
            if stands == bool(band % 2) and len(here) > 1:
                lower, upper = edges[band], edges[band + 1]
                polygons.append(
                    (np.concatenate([here, here[::-1]]), np.concatenate([lower, upper[::-1]]))
                )
    # A boundary straight up: the pool stands on one side of it only, at every height.
    for n in cuts[1:-1]:
        (below, before), (above, after) = kinds[n - 1], kinds[n]
        if below != above and before == after == 0:
            pieces.append((np.full(2, (x[n - 1] + x[n]) / 2), np.array([bottom, top])))
    if not pieces:
        return (np.array([x[0]]), np.array([np.nan])), polygons
    gap = np.array([np.nan])
    xs = np.concatenate([part for at, _ in pieces for part in (at, gap)])[:-1]
    ys = np.concatenate([part for _, at in pieces for part in (at, gap)])[:-1]
    return (xs, ys), polygons


def _constant(line: Boundary) -> tuple[int, float] | None:
    """Axis (0 across, 1 up) and value of a boundary that is one mark of one symbol."""
    known = np.isfinite(line.y)
    for axis, values in enumerate((line.x[known], line.y[known])):
        if len(values) and np.ptp(values) <= 1e-9 * abs(values[0]):
            return axis, float(values[0])
    return None


def _centres(bounds: Range, count: int) -> Floats:
    low, high = bounds
    return low + (np.arange(count) + 0.5) * (high - low) / count


def _roomiest(inside: Bools) -> tuple[tuple[int, int], float]:
    """Cell of a mask with most room to both sides and above and below; cells in its row."""
    left, right = _run(inside, 0, 1), _run(inside, 0, -1)
    below, above = _run(inside, 1, 1), _run(inside, 1, -1)
    half = np.minimum(left, right)
    # Words are wide and low: a row above and below is worth several cells aside.
    room = np.where(inside, np.minimum(half, 4.0 * np.minimum(below, above)) + 0.01 * half, -1.0)
    place = np.unravel_index(int(np.argmax(room)), room.shape)
    width = float(2 * min(left[place], right[place]) - 1)
    return (int(place[0]), int(place[1])), width


def _run(inside: Bools, axis: int, step: int) -> Floats:
    """How many cells in a row are inside, up to and with each, along an axis."""
    turned = np.moveaxis(inside, axis, 0)[::step]
    count = np.zeros(turned.shape)
    running = np.zeros(turned.shape[1:])
    for n, one in enumerate(turned):
        running = np.where(one, running + 1, 0.0)
        count[n] = running
    return np.moveaxis(count[::step], 0, axis)
