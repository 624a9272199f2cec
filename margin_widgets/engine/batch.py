"""Many cross accounts at once: all liquidation prices of a batch in one call.

An account whose positions all settle in one asset is a sum with one term per position, and each
moves with one price only. Written in the price x at which notional is ``n = |q| x`` (x = P for
linear, 1/P for inverse contracts), the terms are

    y(n) =  n - M(n)    for a long linear or a short inverse position,
    y(n) = -n - M(n)    for the others,

with M the maintenance margin times the trigger level. The account's surplus is cash plus all y; a
position's price brings it to zero where ``y(n*) = y(n) - surplus``. y is piecewise linear and
monotone, so its inverse is one more table of lines, and the tier *at the liquidation price* takes
one look-up instead of a search: see `_Tables`.

What does not fit is solved as any other account, by `piecewise`, and also as a batch: several legs
of one symbol, whose price moves them all, and tiers whose rate falls or reaches 100 %.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from margin_widgets.engine.book import Bools, Floats, Ints, Schedule
from margin_widgets.engine.grouping import sum_by
from margin_widgets.engine.liquidation import Triggers
from margin_widgets.engine.piecewise import LARGEST, SMALLEST, Hinges, PiecewiseLines

Bits = NDArray[np.int64]

_ROUNDING = 1e-13
# Positions taken at a time: few enough for the processor's cache, so many that NumPy's own time for
# a call vanishes and threads seldom meet. Flat tiers need fewer intermediate results.
_CHUNK, _FLAT_CHUNK = 50_000, 125_000
_ARRAYS = 6  # of intermediate results
_THREADS = min(4, os.cpu_count() or 1)
_WIDEST = 50  # bits that the name of a cell lacks at most: then it spans a quarter of a doubling
_MOST_CELLS = 1 << 20


@dataclass(frozen=True)
class AccountBatch:
    """A cross accounts of up to K positions each, over S symbols.

    All of an account's wallet backs all of its positions. Its amounts are in the asset in which
    they settle: quote currency for linear contracts, coin for inverse ones. Accounts of one batch
    may have different ones.

    Parameters
    ----------
    tiers : Schedule (S rows)
        Maintenance margin over notional.
    symbol : ndarray of int (A, K)
        Symbol of each position; any symbol in an empty slot.
    size : ndarray (A, K)
        Signed size in coin (linear) or quote units (inverse); 0 in an empty slot.
    entry : ndarray (A, K)
        Entry prices; any number in an empty slot.
    wallet : ndarray (A,)
        Wallet balances; negative is a loan.
    closing_fee : ndarray (S,), optional
        Share of notional that the venue adds to maintenance for the fee of closing.
    inverse : ndarray of bool (S,), optional
        Whether the contract pays in its base coin; all are linear if not given.
    maintenance_at_entry : bool
        Whether maintenance is charged on the notional at entry instead of at mark.
    trigger_level : float
        Factor on maintenance at which an account is liquidated.
    triggers_at_equality : bool
        Whether a balance equal to that already liquidates (``<=``).

    Raises
    ------
    ValueError
        If shapes disagree or a symbol is none.
    """

    tiers: Schedule
    symbol: Ints
    size: Floats
    entry: Floats
    wallet: Floats
    closing_fee: Floats | None = None
    inverse: Bools | None = None
    maintenance_at_entry: bool = False
    trigger_level: float = 1.0
    triggers_at_equality: bool = True

    def __post_init__(self) -> None:
        symbols, shape = len(self.tiers.floors), self.symbol.shape
        if len(shape) != 2:
            msg = f"symbol must have the shape (accounts, positions), not {shape}"
            raise ValueError(msg)
        wanted = {"size": shape, "entry": shape, "wallet": shape[:1]}
        wanted |= {"closing_fee": (symbols,), "inverse": (symbols,)}
        for name, expected in wanted.items():
            given = getattr(self, name)
            if given is not None and given.shape != expected:
                msg = f"{name} must have the shape {expected}, not {given.shape}"
                raise ValueError(msg)
        if self.symbol.size and not 0 <= self.symbol.min() <= self.symbol.max() < symbols:
            msg = f"symbol must lie between 0 and {symbols - 1}, the last row of tiers"
            raise ValueError(msg)

    # ------------------------------------------------------------ results

    def liquidation_prices(
        self, marks: Floats, *, out: Floats | None = None, threads: int = _THREADS
    ) -> Floats:
        """Price of each position's symbol, other marks unchanged, that liquidates the account.

        For an account below its trigger already, the price at which it is back above. The nearer
        one where legs of one symbol have two.

        Parameters
        ----------
        marks : ndarray (S,) or (A, S)
            Marks for all accounts or for each; a batch of one account may be asked at many, (R, S).
        out : ndarray (A, K), optional
            Array for the result, if a call that is repeated shall not make a new one.
        threads : int
            Threads used at most; a small batch takes one in any case.

        Returns
        -------
        ndarray (A, K)
            NaN where no positive price does, and in empty slots.
        """
        batch, marks = self._at(marks)
        shape = batch.size.shape
        prices = np.empty(shape[::-1]).T if out is None else out
        if prices.shape != shape or prices.dtype != np.float64:
            msg = f"out must be float64 of the shape {shape}, not {prices.dtype} of {prices.shape}"
            raise ValueError(msg)
        batch._solve(marks, prices.T, threads)
        for odd, both, mark in batch._odd_triggers(marks):
            prices[odd] = both.nearest(mark)
        return prices

    def triggers(self, marks: Floats) -> Triggers:
        """`liquidation_prices` below and above the mark, NaN where there is none: (A, K) each."""
        batch, marks = self._at(marks)
        prices, mark = np.empty(batch.size.shape), batch._of_positions(marks)
        batch._solve(marks, prices.T, _THREADS)
        # A price at the mark itself lies on the side on which the account is below its trigger.
        below = (prices < mark) | ((prices == mark) & (batch.size > 0))
        result = Triggers(np.where(below, prices, np.nan), np.where(below, np.nan, prices))
        for odd, both, _ in batch._odd_triggers(marks):
            result.lower[odd], result.upper[odd] = both.lower, both.upper
        return result

    def equity(self, marks: Floats) -> Floats:
        """Wallet and unrealised profit of each account (A,)."""
        batch, marks = self._at(marks)
        profit = batch._side * (batch._notional(marks) - batch._entry_notional)
        equity: Floats = batch.wallet + profit.sum(axis=1)
        return equity

    def maintenance(self, marks: Floats) -> Floats:
        """Maintenance margin of each account (A,)."""
        batch, marks = self._at(marks)
        if batch.maintenance_at_entry:
            return batch._maintenance(batch._entry_notional)
        return batch._maintenance(batch._notional(marks))

    def fallen(self, marks: Floats) -> Bools:
        """Accounts below their trigger at `marks` (A,); not those that hold and owe nothing."""
        batch, marks = self._at(marks)
        equity = batch.equity(marks)
        surplus = equity - batch.trigger_level * batch.maintenance(marks)
        rounding = _ROUNDING * (batch._notional(marks).sum(axis=1) + np.abs(equity))
        stands = surplus > rounding if batch.triggers_at_equality else surplus >= -rounding
        exposed = np.any(batch.size != 0, axis=1) | (batch.wallet < 0)
        fallen: Bools = exposed & ~stands
        return fallen

    def take(self, accounts: Ints) -> AccountBatch:
        """The batch of some accounts."""
        rows = {name: getattr(self, name)[accounts] for name in ("symbol", "size", "entry")}
        return replace(self, wallet=self.wallet[accounts], **rows)

    # ------------------------------------------------------------ positions

    def _at(self, marks: Floats) -> tuple[AccountBatch, Floats]:
        """The batch for these marks: one account at R sets of marks is R accounts."""
        marks = np.ascontiguousarray(marks, dtype=float)
        accounts, symbols = len(self.symbol), len(self.tiers.floors)
        if marks.shape in ((symbols,), (accounts, symbols)):
            return self, marks
        if accounts != 1 or marks.ndim != 2 or marks.shape[1] != symbols:
            msg = f"marks must have the shape ({symbols},) or ({accounts}, {symbols}), "
            raise ValueError(msg + f"not {marks.shape}")
        return self.take(np.zeros(len(marks), dtype=np.intp)), marks

    def _of_positions(self, marks: Floats) -> Floats:
        """Mark of each position (A, K)."""
        if marks.ndim == 1:
            return marks[self.symbol]
        return np.take_along_axis(marks, self.symbol, axis=1)

    def _driving(self, marks: Floats) -> Floats:
        """The price x to which notional is proportional: the mark, or 1 / mark if inverse."""
        return marks if self.inverse is None else np.where(self.inverse, 1 / marks, marks)

    def _notional(self, marks: Floats) -> Floats:
        """Notional of each position (A, K)."""
        return np.abs(self.size) * self._of_positions(self._driving(marks))

    @cached_property
    def _entry_notional(self) -> Floats:
        """Notional of each position at entry, 0 in an empty slot (A, K)."""
        entry = np.where(self.size == 0, 1.0, self.entry)
        if self.inverse is not None:
            entry = np.where(self.inverse[self.symbol], 1 / entry, entry)
        return np.abs(self.size) * entry

    @cached_property
    def _side(self) -> Floats:
        """Whether a position gains (1) or loses (-1) as x rises, 0 in an empty slot (A, K)."""
        side = np.sign(self.size)
        return side if self.inverse is None else np.where(self.inverse[self.symbol], -side, side)

    def _maintenance(self, notional: Floats) -> Floats:
        """Maintenance margin of each account at notional (A, K) -> (A,)."""
        total = np.zeros(len(notional))
        for symbol, amount in zip(self.symbol.T, notional.T, strict=True):
            total += self.tiers.at(symbol, amount)
            if self.closing_fee is not None:
                total += self.closing_fee[symbol] * amount
        return total

    @cached_property
    def _cash(self) -> Floats:
        """What the surplus consists of apart from amounts that move with a mark (A,)."""
        cash: Floats = self.wallet - np.einsum("ak,ak->a", self._side, self._entry_notional)
        if self.maintenance_at_entry:
            cash -= self.trigger_level * self._maintenance(self._entry_notional)
        return cash

    @cached_property
    def _bands(self) -> tuple[Floats, Floats]:
        """Floors and steps of maintenance at trigger level, the closing fee one more (S, T)."""
        floors, steps = self.tiers.floors, self.trigger_level * self.tiers.steps
        fee = np.zeros(len(floors)) if self.closing_fee is None else self.closing_fee
        fee = self.trigger_level * fee
        if self.maintenance_at_entry:  # then it is a constant, and in the cash
            floors, steps, fee = floors[:, :0], steps[:, :0], np.zeros(len(fee))
        return np.insert(floors, 0, 0.0, axis=1), np.insert(steps, 0, fee, axis=1)

    # ------------------------------------------------------------ one look-up for each position

    @cached_property
    def _tables(self) -> _Tables:
        return _Tables.of(*self._bands)

    @cached_property
    def _slots(self) -> Ints:
        """Symbol of each position; slots first, so that accounts are added as vectors (K, A)."""
        return np.ascontiguousarray(self.symbol.T, dtype=np.intp)

    @cached_property
    def _row(self) -> Ints:
        """Where the table of each position begins (K, A)."""
        row = 2 * self._slots
        row += self._side.T < 0
        row *= self._tables.cells
        return row

    @cached_property
    def _quantity(self) -> Floats:
        """Size of each position without its sign (K, A)."""
        return np.abs(self.size.T, order="C")

    @cached_property
    def _weight(self) -> Floats:
        """Contribution y of each position per unit of x, where all tiers are flat (K, A)."""
        weight: Floats = self._quantity * self._tables.contribution.slope[self._row]
        return weight

    @cached_property
    def _reciprocal(self) -> Bools | None:
        """Which positions are in inverse contracts (K, A), None if none is."""
        if self.inverse is None or not self.inverse.any():
            return None
        return self.inverse[self._slots]

    def _solve(self, marks: Floats, prices: Floats, threads: int) -> None:
        """Write liquidation prices to `prices` (K, A); for `_odd` accounts they mean nothing."""
        driving, slots = self._driving(marks), len(prices)
        shared = marks.ndim == 1
        if shared:
            known = np.zeros(2 * len(marks) * self._tables.cells)
            known[:: self._tables.cells] = np.repeat(driving, 2)
        else:
            known = driving.reshape(-1)

        def solve(here: slice, memory: Floats) -> None:
            x, u, *spare = memory
            which = self._row[:, here]
            if not shared:
                which = self._slots[:, here] + np.arange(here.start, here.stop) * marks.shape[1]
            for slot in range(slots):
                known.take(which[slot], out=x[slot], mode="clip")
            (self._flat_factors if self._tables.flat else self._factors)(here, x, u, spare)
            x *= u
            if self._reciprocal is not None:
                np.reciprocal(x, out=x, where=self._reciprocal[:, here])
            # Whether there is a price is as good as random, and processors guess: masks would take
            # longer than all the rest. So the sign of what must be positive becomes all bits of a
            # number, which then is a NaN, or none.
            unusable = np.subtract(u, SMALLEST, out=spare[0]).view(np.int64)
            if not u.max() < LARGEST:  # an empty slot, or dust in a large account
                unusable |= np.subtract(LARGEST, u, out=u).view(np.int64)
            unusable >>= 63
            np.bitwise_or(x.view(np.int64), unusable, out=prices[:, here].view(np.int64))

        chunk = _FLAT_CHUNK if self._tables.flat else _CHUNK
        _in_chunks(solve, prices.shape, chunk, threads)

    def _flat_factors(self, here: slice, x: Floats, u: Floats, spare: list[Floats]) -> None:
        """`_factors` where maintenance is proportional to notional: ``u = 1 - surplus / y``."""
        y = np.multiply(self._weight[:, here], x, out=u)
        np.divide(self._surplus(here, y), y, out=u)
        np.subtract(1.0, u, out=u)

    def _factors(self, here: slice, x: Floats, u: Floats, spare: list[Floats]) -> None:
        """Factors on x that bring the surplus to zero, into `u`; all arrays (K, accounts)."""
        n, *spare = spare
        row, tables = self._row[:, here], self._tables
        np.multiply(self._quantity[:, here], x, out=n)
        np.clip(n, tables.low, tables.high, out=spare[0])
        tables.evaluate(tables.contribution, row, n, u, spare)
        np.subtract(u, self._surplus(here, u), out=u)
        np.abs(u, out=spare[0])
        np.clip(spare[0], tables.low, tables.high, out=spare[0])
        tables.evaluate(tables.notional, row, u, u, spare)
        u /= n

    def _surplus(self, here: slice, contributions: Floats) -> Floats:
        """Balance less requirement of each account (accounts,)."""
        total: Floats = self._cash[here] + contributions[0]
        for one in contributions[1:]:
            total += one
        return total

    # ------------------------------------------------------------ what takes more than a look-up

    @cached_property
    def _odd(self) -> Ints:
        """Accounts with several legs of a symbol, or with tiers that the tables do not hold."""
        slots = np.arange(self.symbol.shape[1])[:, None]
        held = np.where(self.size.T == 0, -1 - slots, self._slots)
        odd = np.zeros(len(self.symbol), dtype=bool)
        for apart in range(1, len(held)):
            odd |= np.any(held[apart:] == held[:-apart], axis=0)
        if not self._tables.simple.all():
            odd |= np.any((held >= 0) & ~self._tables.simple[held], axis=0)
        return np.flatnonzero(odd)

    def _odd_triggers(self, marks: Floats) -> Iterator[tuple[Ints, Triggers, Floats]]:
        """Accounts, their triggers and the marks of their positions, some at a time."""
        some = max(1, _CHUNK // max(1, self.symbol.shape[1]))
        for first in range(0, len(self._odd), some):
            odd = self._odd[first : first + some]
            batch, own = self.take(odd), marks if marks.ndim == 1 else marks[odd]
            yield odd, batch._exact_triggers(own), batch._of_positions(own)

    def _exact_triggers(self, marks: Floats) -> Triggers:
        """Triggers of any accounts: each symbol of each account is a line along its x (A, K)."""
        floors, steps = self._bands
        filled = self.size != 0
        symbol, side, n = self.symbol[filled], self._side[filled], self._notional(marks)[filled]
        owner = np.nonzero(filled)[0]
        y = side * n - Schedule(floors, steps).at(symbol, n)
        keys, line = np.unique(owner * len(floors) + symbol, return_inverse=True)
        account = keys // len(floors)
        # Where the whole account moves, nothing of its positions stays, to the last digit.
        alone = np.bincount(line) == np.bincount(owner, minlength=len(self.size))[account]
        staying = sum_by(owner, y, len(self.size))[account] - sum_by(line, y, len(keys))
        smooth = np.zeros((len(keys), 3))
        smooth[:, 0] = self._cash[account] + np.where(alone, 0.0, staying)
        smooth[:, 1] = sum_by(line, side * n, len(keys))
        position, band = np.nonzero(steps[symbol])
        inner = np.zeros((len(position), 3))
        inner[:, 0], inner[:, 1] = -floors[symbol[position], band], n[position]
        hinges = Hinges(line[position], -steps[symbol[position], band], inner)
        lower, upper = PiecewiseLines(smooth, hinges).zeros_around_one()
        if self.inverse is not None:
            falls = self.inverse[keys % len(floors)]
            lower, upper = np.where(falls, 1 / upper, lower), np.where(falls, 1 / lower, upper)
        mark = self._of_positions(marks)
        both = Triggers(np.full(mark.shape, np.nan), np.full(mark.shape, np.nan))
        both.lower[filled], both.upper[filled] = lower[line], upper[line]
        return Triggers(both.lower * mark, both.upper * mark)


@dataclass(frozen=True)
class _Lines:
    """For each cell the line that holds there, and what carries numbers beyond its edge away."""

    slope: Floats
    constant: Floats
    carry: Bits


@dataclass(frozen=True)
class _Tables:
    """The functions y(n) of all symbols, and their inverses n(y).

    The leading bits of a floating-point number are its logarithm, rounded down. They name a cell,
    so narrow that it holds no two edges of one function; what lies beyond the edge in its cell is
    carried into the next cell, and so each cell has one line. Every symbol has two rows of cells:
    row 2 s for positions that gain as x rises, row 2 s + 1 for those that lose.

    Attributes
    ----------
    shift : int
        Bits that the name of a cell lacks.
    low, high : float
        Where the first and the last cell of a row begin.
    cells : int
        Number of cells in a row.
    contribution, notional : _Lines
        y(n) and n(y), looked up by magnitude; n(y) is not positive where there is no such n.
    simple : ndarray of bool (S,)
        Symbols that the tables hold: the rate never falls and stays below 100 %.
    flat : bool
        Whether each function is one line.
    """

    shift: int
    low: float
    high: float
    cells: int
    contribution: _Lines
    notional: _Lines
    simple: Bools
    flat: bool

    @classmethod
    def of(cls, floors: Floats, steps: Floats) -> _Tables:
        """Tables for schedules (S, T) whose first floor is 0."""
        rates = np.cumsum(steps, axis=1)
        simple = np.all((steps >= 0) & (floors >= 0), axis=1) & (rates[:, -1] < 1)
        rates[~simple] = 0.0
        amounts = np.cumsum(steps * np.where(steps == 0, 0.0, floors), axis=1)
        # Lines y = slope n + constant of both rows of each symbol, and their inverses: (S, 2, T).
        slopes = np.array([[1.0], [-1.0]]) - rates[:, None]
        constants = np.repeat(amounts[:, None], 2, axis=1)
        has_edge = (simple[:, None] & (floors > 0) & np.isfinite(floors))[:, None]
        edges = np.where(has_edge, floors[:, None], 0.0)
        # Edges of both tables: (2, S, 2, T).
        edges = np.stack([np.broadcast_to(edges, slopes.shape), np.abs(slopes * edges + constants)])
        edges[~np.broadcast_to(has_edge, edges.shape)] = np.inf
        first_band = np.repeat(np.sum(floors <= 0, axis=1) - 1, 2)
        rows, shift = len(first_band), _WIDEST
        while (crowded := _crowded(edges, shift)).any():
            first, cells = _span(edges, shift - 1)
            if first + rows * cells > _MOST_CELLS:
                break
            shift -= 1
        simple &= ~crowded
        edges[:, crowded] = np.inf
        first, cells = _span(edges, shift)

        def lines(edges: Floats, slopes: Floats, constants: Floats) -> _Lines:
            """Lay the lines of all bands (S, 2, T) out in cells."""
            row, band = np.nonzero(np.isfinite(edges.reshape(rows, -1)))
            bits = edges.reshape(rows, -1)[row, band].view(np.int64)
            name = bits >> shift
            within = bits > name << shift  # else the band begins with the cell
            place = (row * cells + name - first).astype(np.intp)
            passed = np.bincount(place + within, minlength=rows * cells).reshape(rows, cells)
            bands = first_band[:, None] + np.cumsum(passed, axis=1)
            # The first cell of the first row stands at its name, so that names need no base.
            slope, constant = np.zeros((2, first + rows * cells))
            carry = np.zeros(len(slope), dtype=np.int64)
            slope[first:] = np.take_along_axis(slopes.reshape(rows, -1), bands, axis=1).ravel()
            constant[first:] = np.take_along_axis(constants.reshape(rows, -1), bands, 1).ravel()
            carry[first + place[within]] = ((name + 1 << shift) - bits)[within]
            return _Lines(slope, constant, carry)

        begins = np.array([first, first + cells - 1], dtype=np.int64) << shift
        return cls(
            shift=shift,
            low=float(begins.view(np.float64)[0]),
            high=float(begins.view(np.float64)[1]),
            cells=cells,
            contribution=lines(edges[0], slopes, constants),
            notional=lines(edges[1], 1 / slopes, -constants / slopes),
            simple=simple,
            flat=cells == 1,
        )

    def evaluate(
        self, lines: _Lines, row: Ints, at: Floats, out: Floats, spare: Sequence[Floats]
    ) -> None:
        """Write the functions of `row` at `at` to `out`, which may be `at`.

        Of three spare arrays, the first holds the magnitude of `at`, kept between `low` and `high`.
        """
        magnitude = spare[0]
        bits, cell, line = (array.view(np.int64) for array in spare)
        np.right_shift(bits, self.shift, out=cell)
        cell += row
        # Where indices have 32 bits, as in browsers, these are copied; else they are what they are.
        lines.carry.take(cell.astype(np.intp, copy=False), out=line, mode="clip")
        line += bits
        line >>= self.shift
        line += row
        index = line.astype(np.intp, copy=False)
        lines.slope.take(index, out=magnitude, mode="clip")
        np.multiply(magnitude, at, out=out)
        lines.constant.take(index, out=magnitude, mode="clip")
        out += magnitude


def _span(edges: Floats, shift: int) -> tuple[int, int]:
    """Name of the first cell of a row, one before all edges, and the number to one after them."""
    names = edges[np.isfinite(edges)].view(np.int64) >> shift
    if not len(names):
        return 0, 1
    first = int(names.min()) - 1
    return first, int(names.max()) + 2 - first


def _crowded(edges: Floats, shift: int) -> Bools:
    """Symbols with a cell that holds two edges of one row of (2, S, 2, T)."""
    names = edges.view(np.int64) >> shift
    same = (names[..., 1:] == names[..., :-1]) & np.isfinite(edges[..., 1:])
    crowded: Bools = np.any(same, axis=(0, 2, 3))
    return crowded


def _in_chunks(
    work: Callable[[slice, Floats], None], shape: tuple[int, ...], chunk: int, threads: int
) -> None:
    """Do `work` on the accounts of arrays (K, A), some at a time, lending it a few such arrays."""
    slots, accounts = shape
    chunks = -(-slots * accounts // chunk)
    if not chunks:
        return
    workers = 1 if sys.platform == "emscripten" else max(1, min(threads, chunks))
    bounds = np.linspace(0, accounts, chunks + 1).astype(int).tolist()
    # Who is done takes the next: another processor may be busy with something else.
    ahead = deque([*(slice(*pair) for pair in pairwise(bounds)), *[None] * workers])
    # All of it from this thread, whose memory is there already when a call is repeated.
    memories = np.empty((workers, _ARRAYS, slots * (accounts // chunks + 1)))

    def work_off(memory: Floats) -> None:
        with np.errstate(all="ignore"):
            for here in iter(ahead.popleft, None):
                size = slots * (here.stop - here.start)
                work(here, memory[:, :size].reshape(_ARRAYS, slots, -1))

    if workers == 1:
        work_off(memories[0])
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers - 1) as pool:  # NumPy computes without the interpreter's lock
        others = [pool.submit(work_off, memory) for memory in memories[1:]]
        work_off(memories[0])
    for one in others:
        one.result()
