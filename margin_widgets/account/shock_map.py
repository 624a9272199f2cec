"""Equity of both modes after shocks of two marks, through liquidation on the way there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

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
from margin_widgets.account.figures import Column, Shown
from margin_widgets.account.frontier import pair_of
from margin_widgets.account.likely_moves import FAR, LikelyMoves
from margin_widgets.account.two_marks import MODES, PoolFigures, TwoMarks
from margin_widgets.engine.book import Bools, Floats

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

RULE = (
    "Both marks move in a straight line from the present to the cell, the others stay; a pool that"
    " reaches its trigger on the way is closed there by the venue's rule and stays closed."
)
STEPS = 16
"""Steps of the way at which books that bend (options, quanto) are looked at."""

_ROWS_AT_MOST = 13


@dataclass(frozen=True)
class ShockEvent:
    """A pool closed on the way to a cell.

    Attributes
    ----------
    mode, pool : str
    positions : tuple of str
    way : float
        Share of the way from the present to the cell at which it reaches its trigger.
    left : float
        What it still held there, in the account's currency; negative is paid by others.
    returned : float
        What of it came back to the account.
    """

    mode: str
    pool: str
    positions: tuple[str, ...]
    way: float
    left: float
    returned: float


@dataclass(frozen=True)
class ShockCell:
    """One pair of shocks.

    Attributes
    ----------
    first, second : float
        Relative moves of the two marks.
    isolated, cross : float
        Equity of the account afterwards.
    events : tuple of ShockEvent
        Pools closed on the way, in their order.
    """

    first: float
    second: float
    isolated: float
    cross: float
    events: tuple[ShockEvent, ...]


@dataclass(frozen=True, eq=False)
class ShockGrid:
    """Equity after every pair of shocks; rows are shocks of the second symbol.

    Attributes
    ----------
    books : Books
    first, second : str
        Symbols across and up.
    x, y : ndarray (C,), (R,)
        Ascending relative moves of their marks.
    isolated, cross : ndarray (R, C)
        Equity of the account after liquidations on the way.
    isolated_closed, cross_closed : ndarray of bool (R, C)
        Whether any pool of the mode was liquidated on the way.
    plane : TwoMarks
    likely : LikelyMoves or None
        Which moves are to be expected, if somebody has said so.
    """

    books: Books
    first: str
    second: str
    x: Floats
    y: Floats
    isolated: Floats
    cross: Floats
    isolated_closed: Bools
    cross_closed: Bools
    plane: TwoMarks
    likely: LikelyMoves | None = None

    @cached_property
    def far(self) -> Bools | None:
        """Cells that are hardly ever seen (R, C); None if nobody said what is likely."""
        if self.likely is None or not self.likely.knows(self.first, self.second):
            return None
        x, y = np.broadcast_arrays(self.x[None, :], self.y[:, None])
        seen: Bools = self.likely.distance(self.first, self.second, x, y) > FAR
        return seen

    @cached_property
    def difference(self) -> Floats:
        """Cross less isolated equity (R, C), exactly 0 where they differ by rounding only."""
        lead = self.cross - self.isolated
        size = max(1.0, float(np.abs(self.cross).max()), float(np.abs(self.isolated).max()))
        return np.where(np.abs(lead) <= 1e-9 * size, 0.0, lead)

    @property
    def largest(self) -> float:
        """Largest difference either way; 1 if there is none, for a scale of colours."""
        return float(np.abs(self.difference).max()) or 1.0

    @property
    def currency(self) -> str:
        """Valuation currency of all amounts."""
        return self.books.state.venue.currency

    def marks(self, first: float, second: float) -> tuple[float, float]:
        """Marks after two shocks."""
        here = self.books.marks
        x, y = float(here[self.plane.first]), float(here[self.plane.second])
        return x * (1 + first), y * (1 + second)

    def at(self, first: float, second: float) -> ShockCell:
        """One pair of shocks with all that happens on the way, whether it is on the grid or not."""
        number("first", first, above=-1.0)
        number("second", second, above=-1.0)
        ways = _Ways(self.plane, np.array([first]), np.array([second]))
        events = []
        for mode in MODES:
            names, members = self.books.pool_names(mode), self.books.pool_members(mode)
            for pool in np.flatnonzero(ways.closed(mode)[0]):
                way, left, returned = (float(one[0]) for one in ways.left(mode, int(pool)))
                place = int(self.plane.modes[mode].pool[pool])
                keys = tuple(self.books.keys[member] for member in members[place])
                events.append(ShockEvent(mode, names[place], keys, way, left, returned))
        events.sort(key=lambda one: one.way)
        equity = [float(ways.equity(mode)[0]) for mode in MODES]
        return ShockCell(first, second, equity[0], equity[1], tuple(events))

    # -- words --------------------------------------------------------------------------------

    @cached_property
    def text(self) -> str:
        """What is drawn, in sentences made from the data."""
        lead = self.difference
        said = [
            f"Equity of cross less that of isolated after shocks of {self.first} and {self.second}."
        ]
        for sign, mode in ((1, "Cross"), (-1, "Isolated")):
            ahead = sign * lead > 0
            if ahead.any():
                row, column = np.unravel_index(int(np.argmax(sign * lead)), lead.shape)
                said.append(
                    f"{mode} is ahead in {_share(ahead)}, at most by"
                    f" {fmt.amount(abs(float(lead[row, column])))} {self.currency}"
                    f" ({self.first} {_move(self.x[column])}, {self.second} {_move(self.y[row])})."
                )
        if not lead.any():
            said.append("Both modes end with the same equity everywhere.")
        fallen = f"Liquidated is cross in {_share(self.cross_closed)}, an isolated position in"
        said.append(f"{fallen} {_share(self.isolated_closed)}.")
        if self.far is not None and self.likely is not None:
            words = self.likely.text(self.first, self.second)
            away = f"more than {FAR:g} standard deviations away"
            said.append(f"Dotted is {_share(self.far)}: {away} ({words}).")
        said.append(RULE)
        return " ".join(said)

    def cell_text(self, first: float, second: float) -> str:
        """What one pair of shocks does, in a sentence."""
        cell = self.at(first, second)
        where = f"{self.first} {_move(first)}, {self.second} {_move(second)}"
        said = [
            f"{where}: equity isolated {fmt.amount(cell.isolated)}, cross {fmt.amount(cell.cross)}."
        ]
        for event in cell.events[:4]:
            name = event.pool if event.mode == "cross" else f"isolated {event.pool}"
            left = (
                f"{fmt.amount(event.left)} left"
                if event.left >= 0
                else f"{fmt.amount(-event.left)} short, paid by others"
            )
            back = f", {fmt.amount(event.returned)} of it returned" if event.returned > 0 else ""
            how = "at once" if event.way == 0 else f"{fmt.percent(event.way, 0)} of the way there"
            said.append(f"{name[:1].upper()}{name[1:]} is liquidated {how} with {left}{back}.")
        return " ".join(said)

    # -- out ----------------------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """One row per cell."""
        import pandas as pd

        x, y = np.meshgrid(self.x, self.y)
        return pd.DataFrame(
            {
                self.first: x.ravel(),
                self.second: y.ravel(),
                "isolated": self.isolated.ravel(),
                "cross": self.cross.ravel(),
                "difference": self.difference.ravel(),
                "isolated_closed": self.isolated_closed.ravel(),
                "cross_closed": self.cross_closed.ravel(),
            }
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows of the differences, some of many; letters say who was liquidated.

        Among plain numbers that is said by 1 and 0, in two further columns for each shock.
        """
        columns, down = _some(len(self.x)), _some(len(self.y))[::-1]
        corner = f"{self.second} down, {self.first} across"
        lead = f"(fractions): cross less isolated equity ({self.currency})"
        head: list[str] = [Column(f"{corner} (C, I: liquidated)", f"{corner} {lead}")]
        head += [
            Column(_move(self.x[column]), *_names(float(self.x[column]))) for column in columns
        ]
        rows: list[list[str]] = [
            [
                Shown(_move(self.y[row]), float(self.y[row])),
                *(self._cell(row, column) for column in columns),
            ]
            for row in down
        ]
        return head, rows

    def _cell(self, row: int, column: int) -> str:
        letters = "C" if self.cross_closed[row, column] else ""
        letters += "I" if self.isolated_closed[row, column] else ""
        lead = float(self.difference[row, column])
        numbers = lead, int("C" in letters), int("I" in letters)
        return Shown(f"{fmt.amount(lead, 0)} {letters}".strip(), numbers)

    @property
    def title(self) -> str:
        """Accessible name of the picture."""
        return f"Cross minus isolated equity after shocks of {self.first} and {self.second}"

    def svg(self) -> str:
        """The static picture; what is liquidated is marked in every other cell."""
        columns, rows = edges(self.x), edges(self.y)
        x_range = float(columns[0]), float(columns[-1])
        y_range = float(rows[0]), float(rows[-1])
        x = Axis(*x_range, ticks(round_ticks(*x_range, 6), _move), f"shock of {self.first}")
        y = Axis(*y_range, ticks(round_ticks(*y_range, 6), _move), f"shock of {self.second}")
        chart = Chart(x, y, self.title, self.text)
        shares = self.difference / self.largest
        chart.cells(columns, rows, [[_look(float(one)) for one in row] for row in shares])
        for closed, sign in ((self.cross_closed, 1), (self.isolated_closed, -1)):
            chart.line(*hatched(self.x, self.y, closed, sign), "word", width=0.7, dash="")
        if self.far is not None:
            chart.line(*dotted(self.x, self.y, self.far), "word", width=1.6, dash="")
        chart.line(*border(self.x, self.y, self.difference), "word", width=1.4, dash="")
        chart.line(np.array(x_range), np.zeros(2), "word", width=0.8, dash="")
        chart.line(np.zeros(2), np.array(y_range), "word", width=0.8, dash="")
        return chart.svg()

    def _repr_html_(self) -> str:
        legend = (
            "Blue: cross ahead; orange: isolated ahead; clear: equal. Strokes rising to the right:"
            " cross liquidated; falling: an isolated position liquidated. Heavy line: where the"
            " leader changes. "
        )
        return static_page(self.title, legend + self.text, self.svg(), static_table(*self.table()))


def shock_map(
    account: Account,
    first: str | None = None,
    second: str | None = None,
    *,
    x: Sequence[float] | Floats | None = None,
    y: Sequence[float] | Floats | None = None,
    reach: float = 0.6,
    points: int = 41,
    likely: LikelyMoves | None = None,
) -> ShockGrid:
    """Equity of both modes after every pair of shocks of two marks.

    Both marks move in a straight line from the present to the cell, the others stay. A pool that
    reaches its trigger on the way is closed there by the venue's rule and stays closed.

    Parameters
    ----------
    account : Account
    first, second : str, optional
        Symbols across and up: of the first position, and of the largest position in another.
    x, y : sequence of float, optional
        Ascending relative moves, above -1; an even grid from ``-reach`` to ``reach`` if not given.
    reach : float
        Below 1.
    points : int
        Cells along each axis, 2 to 201.
    likely : LikelyMoves, optional
        Which moves are to be expected; cells far from that are told apart.

    Raises
    ------
    KeyError
        If the account neither holds nor marks a symbol.
    TraitError
        If there is only one symbol, or a move is out of bounds.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> grid = shock_map(mw.presets.ref2(), "BTCUSDT", "ETHUSDT")
    >>> cell = grid.at(0.0, -0.6)
    >>> cell.isolated, cell.cross, round(cell.events[-1].left, 2)
    (8000.0, 0.0, 353.54)
    """
    books = account.books
    first, second = pair_of(books, first, second)
    if not isinstance(points, int) or not 2 <= points <= 201:
        raise ValueError(f"points: {points!r} must be a whole number from 2 to 201")
    # Rounded, so that the shock in the middle is none at all.
    even = np.round(np.linspace(-reach, reach, points), 12)
    grids = []
    for name, moves in (("x", x), ("y", y)):
        given = even if moves is None else np.asarray(moves, dtype=float)
        if given.ndim != 1 or len(given) < 2 or not (np.diff(given) > 0).all():
            raise ValueError(f"{name}: two or more ascending moves are needed")
        number(name if moves is not None else "reach", float(given[0]), above=-1.0)
        number(name, float(given[-1]), above=-1.0)
        grids.append(given)
    plane = TwoMarks(books, books.symbols.index(first), books.symbols.index(second))
    across, up = np.broadcast_arrays(grids[0][None, :], grids[1][:, None])
    ways = _Ways(plane, across, up)
    return ShockGrid(
        books=books,
        first=first,
        second=second,
        x=grids[0],
        y=grids[1],
        isolated=ways.equity("isolated"),
        cross=ways.equity("cross"),
        isolated_closed=ways.any_closed("isolated"),
        cross_closed=ways.any_closed("cross"),
        plane=plane,
        likely=likely,
    )


def edges(centres: Floats) -> Floats:
    """Edges of cells around evenly spaced centres."""
    half = float(centres[1] - centres[0]) / 2
    found: Floats = np.round(np.append(centres - half, centres[-1] + half), 12)
    return found


def hatched(
    x: Floats, y: Floats, marked: Bools, sign: int, *, corners: bool = False
) -> tuple[Floats, Floats]:
    """Strokes through every other marked cell (R, C), rising (sign 1) or falling; NaN between.

    Strokes of neighbours along a diagonal join to one line. With `corners` there is a short one in
    a lower corner of every marked cell: left if rising, right if falling.
    """
    dx, dy = float(x[1] - x[0]), float(y[1] - y[0])
    row, column = np.nonzero(marked)
    some = np.full(len(row), corners) | ((row - sign * column) % 2 == 0)
    row, column = row[some], column[some]
    begin, end = (-0.5, 0.5) if not corners else ((-0.5, -0.24) if sign > 0 else (0.24, 0.5))
    across = np.array([begin, end, np.nan]) * dx + x[column][:, None]
    up = np.array([begin, end, np.nan]) * (sign * dy) + y[row][:, None]
    return across.ravel(), up.ravel()


def dotted(x: Floats, y: Floats, marked: Bools) -> tuple[Floats, Floats]:
    """A dot, as a very short stroke, in the middle of every other marked cell; NaN between."""
    row, column = np.nonzero(marked)
    some = (row + column) % 2 == 0
    row, column = row[some], column[some]
    half = 0.06 * float(x[1] - x[0])
    across = np.array([-half, half, np.nan]) + x[column][:, None]
    up = np.array([0.0, 0.0, np.nan]) + y[row][:, None]
    return across.ravel(), up.ravel()


def border(x: Floats, y: Floats, lead: Floats) -> tuple[Floats, Floats]:
    """Edges between cells in which another mode is ahead, or none; NaN between strokes."""
    leader = np.sign(lead)
    strokes: list[tuple[float, float, float, float]] = []
    columns, rows = edges(x).tolist(), edges(y).tolist()
    for place, changes in enumerate((leader[:, 1:] != leader[:, :-1]).T, start=1):
        strokes += [(columns[place], rows[a], columns[place], rows[b]) for a, b in _runs(changes)]
    for place, changes in enumerate(leader[1:] != leader[:-1], start=1):
        strokes += [(columns[a], rows[place], columns[b], rows[place]) for a, b in _runs(changes)]
    if not strokes:
        return np.empty(0), np.empty(0)
    drawn = np.array(strokes)
    gap = np.full(len(drawn), np.nan)
    across = np.stack([drawn[:, 0], drawn[:, 2], gap], axis=1).ravel()
    return across, np.stack([drawn[:, 1], drawn[:, 3], gap], axis=1).ravel()


def _runs(marked: Bools) -> list[tuple[int, int]]:
    """Begin and end of what is marked in a row."""
    steps = np.diff(np.concatenate([[0], marked.astype(int), [0]]))
    begins, ends = (np.flatnonzero(steps == step).tolist() for step in (1, -1))
    return list(zip(begins, ends, strict=True))


# -- the way to a cell --------------------------------------------------------------------------


class _Ways:
    """Straight moves from the present marks to many pairs of shocks, pools closed on the way.

    Parameters
    ----------
    plane : TwoMarks
    first, second : ndarray
        Relative moves of the two marks, of one shape (...).
    """

    def __init__(self, plane: TwoMarks, first: Floats, second: Floats) -> None:
        self._plane, self._first, self._second = plane, first, second
        here = plane.books.marks
        self._present = float(here[plane.first]), float(here[plane.second])
        self._end = self._figures(1.0)
        # Step of the way at which each pool was first seen fallen; the last one if it stands.
        self._step = {
            mode: np.where(one.stands, STEPS + 1, STEPS) for mode, one in self._end.items()
        }
        if not plane.concave:
            for step in range(STEPS - 1, 0, -1):
                for mode, one in self._figures(step / STEPS).items():
                    self._step[mode] = np.where(one.stands, self._step[mode], step)
        for mode, pools in plane.modes.items():
            self._step[mode] = np.where(pools.fallen, 0, self._step[mode])

    def _figures(
        self, way: Floats | float, some: Bools | None = None, modes: tuple[str, ...] = MODES
    ) -> dict[str, PoolFigures]:
        """Figures after a share of the way, for some of the cells."""
        first, second = self._first, self._second
        if some is not None:
            first, second = first[some], second[some]
        x, y = self._present
        return self._plane.at(x * (1 + way * first), y * (1 + way * second), modes)

    def closed(self, mode: str) -> Bools:
        """Which pools were closed on the way (..., P)."""
        closed: Bools = self._step[mode] <= STEPS
        return closed

    def any_closed(self, mode: str) -> Bools:
        """Whether any pool was closed on the way (...)."""
        found: Bools = np.asarray(self.closed(mode).any(axis=-1))
        return found

    def equity(self, mode: str) -> Floats:
        """Equity of the account at the end of the way (...)."""
        figures, closed = self._end[mode], self.closed(mode)
        after = np.where(closed, 0.0, figures.equity)
        if self._plane.books.book.residual_returned > 0:
            for pool in np.flatnonzero(closed.any(axis=tuple(range(closed.ndim - 1)))):
                mine = closed[..., pool]
                after[mine, pool] = self.left(mode, int(pool))[2]
        total: Floats = figures.rest + after.sum(axis=-1)
        return total

    def left(self, mode: str, pool: int) -> tuple[Floats, Floats, Floats]:
        """Of the cells in which a pool was closed: share of the way, what it held, what came back.

        All (n,), in the order of the cells.
        """
        some = self.closed(mode)[..., pool]
        way = self._triggers(mode, pool, some)
        figures = self._figures(way, some, (mode,))[mode]
        return way, figures.equity[..., pool], self._plane.returned(figures)[..., pool]

    def _triggers(self, mode: str, pool: int, some: Bools) -> Floats:
        """Share of the way at which a pool reaches its trigger, by regula falsi (Illinois)."""

        def surplus(way: Floats) -> Floats:
            return self._figures(way, some, (mode,))[mode].surplus[..., pool]

        step = self._step[mode][..., pool][some]
        high = step / STEPS
        low = np.where(step > 0, (step - 1) / STEPS, 0.0) if not self._plane.concave else high * 0.0
        at_low, at_high = surplus(low), surplus(high)
        solved = step == 0
        way, side = high.copy(), np.zeros(len(high))
        scale = 1e-12 * (np.abs(at_low) + np.abs(at_high))
        for _ in range(60):
            with np.errstate(all="ignore"):
                guess = (low * at_high - high * at_low) / (at_high - at_low)
            way = np.where(solved, way, np.where(np.isfinite(guess), guess, high))
            value = surplus(way)
            solved = solved | (np.abs(value) <= scale) | (high - low <= 1e-15)
            if solved.all():
                break
            above = value > 0
            # An end that stays for a second time counts half: it would hold the other back.
            at_high = np.where(above, np.where(side > 0, at_high / 2, at_high), value)
            at_low = np.where(above, value, np.where(side < 0, at_low / 2, at_low))
            low, high = np.where(above, way, low), np.where(above, high, way)
            side = np.where(above, 1.0, -1.0)
        return way


def _look(share: float) -> tuple[str, float]:
    """The tone of the mode that is ahead and how opaque it is; clear where both are equal."""
    return "cross" if share > 0 else "isolated", round(min(abs(share), 1.0), 3)


def _some(count: int) -> list[int]:
    """Places of a few of many cells, evenly spread around the middle one."""
    step = -(-(count - 1) // (_ROWS_AT_MOST - 1)) if count > _ROWS_AT_MOST else 1
    return list(range((count - 1) // 2 % step, count, step))


def _names(shock: float) -> tuple[str, str, str]:
    """What the columns of one shock are called among plain numbers."""
    return repr(shock), f"{shock!r} cross liquidated", f"{shock!r} isolated liquidated"


def _move(shock: float) -> str:
    digits = 0 if abs(100 * shock - round(100 * shock)) < 1e-9 else 1
    return fmt.percent(float(shock), digits, sign=True)


def _share(cells: Bools) -> str:
    """How many of the cells."""
    if cells.all():
        return "every cell"
    return f"{int(cells.sum()):,} of {cells.size:,} cells" if cells.any() else "no cell"
