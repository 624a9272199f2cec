"""Liquidation prices of 100,000 cross accounts in one call, beside lrvx and a plain Python loop.

All three get the same accounts, laid out beforehand as each wants them, and the same marks. lrvx
computes no liquidation prices; what it does fastest with an account is to check it at its marks,
which is right as long as there is one flat tier. The contenders take turns, and each is shown at
its best. What runs on one thread is measured in processor time, which others on the machine hardly
change; several threads by the clock, so that they only gain where processors are free.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import accumulate, repeat
from typing import Any

import numpy as np

from bench.report import Row
from margin_widgets import venues
from margin_widgets.engine import AccountBatch, Schedule

ACCOUNTS, POSITIONS, SYMBOLS = 100_000, 5, 20
ROUNDS, CALLS = 10, 10
PIECE = 1_000  # accounts
FLAT = 0.01  # maintenance rate

Table = list[tuple[float, float]]
Holding = tuple[float, list[tuple[int, float, float]]]


@dataclass
class Accounts:
    """Random accounts: five symbols of twenty each, long or short, from 1,000 to 10,000,000 USDT.

    The tiers are those of the first twenty symbols of Binance.
    """

    symbol: np.ndarray
    size: np.ndarray
    entry: np.ndarray
    wallet: np.ndarray
    marks: np.ndarray
    tables: list[Table]

    @classmethod
    def random(cls) -> Accounts:
        """Return the same accounts in every run; some are below their trigger."""
        rng = np.random.default_rng(3)
        shape = (ACCOUNTS, POSITIONS)
        marks = rng.lognormal(4, 2, SYMBOLS).round(4)
        symbol = rng.random((ACCOUNTS, SYMBOLS)).argsort(axis=1)[:, :POSITIONS].copy()
        worth = 10 ** rng.uniform(3, 7, shape)
        size = (rng.choice([-1, 1], shape) * worth / marks[symbol]).round(4)
        entry = (marks[symbol] * rng.uniform(0.9, 1.1, shape)).round(4)
        wallet = (worth.sum(axis=1) * rng.uniform(0.0, 0.5, ACCOUNTS)).round(2)
        binance = list(venues.get("binance-usdm").tiers.values())[:SYMBOLS]
        tables = [[(row[0], row[1]) for row in table] for table in binance]
        return cls(symbol, size, entry, wallet, marks, tables)

    def batch(self, tables: list[Table]) -> AccountBatch:
        """Return them as this package wants them."""
        tiers = Schedule.from_bands(tables)
        return AccountBatch(tiers, self.symbol, self.size, self.entry, self.wallet)

    def holdings(self) -> list[Holding]:
        """Return them as plain lists: wallet, and (symbol, size, entry) of each position."""
        arrays = (self.symbol, self.size, self.entry)
        rows = zip(*(array.tolist() for array in arrays), strict=True)
        positions = [list(zip(*row, strict=True)) for row in rows]
        return list(zip(self.wallet.tolist(), positions, strict=True))


# ------------------------------------------------------------------ plain Python


def loop(holdings: Sequence[Holding], marks: list[float], tables: list[Table]) -> list[Any]:
    """Solve each position of each account by walking through its tiers, as one would write it."""
    results = []
    for wallet, positions in holdings:
        surplus = wallet
        owed = []
        for symbol, size, entry in positions:
            margin = maintenance(abs(size) * marks[symbol], tables[symbol])
            surplus += size * (marks[symbol] - entry) - margin
            owed.append(margin)
        prices = []
        for (symbol, size, _), margin in zip(positions, owed, strict=True):
            rest = surplus - size * marks[symbol] + margin  # without what moves with this mark
            prices.append(liquidation_price(rest, size, tables[symbol]))
        results.append(prices)
    return results


def maintenance(notional: float, table: Table) -> float:
    """Charge each part of the notional at the rate of its tier."""
    total = below = 0.0
    for floor, rate in table:
        if notional <= floor:
            break
        total += (rate - below) * (notional - floor)
        below = rate
    return total


def liquidation_price(rest: float, size: float, table: Table) -> float | None:
    """Solve ``rest + size P = maintenance(|size| P)`` in the tier in which the root lies."""
    quantity, amount, below = abs(size), 0.0, 0.0
    last = len(table) - 1
    for place, (floor, rate) in enumerate(table):
        amount += (rate - below) * floor
        below = rate
        price = (rest + amount) / (rate * quantity - size)
        notional = quantity * price
        if notional >= floor and (place == last or notional < table[place + 1][0]):
            return price if price > 0 else None
    return None


def tuned_loop(
    holdings: Sequence[Holding], marks: list[float], tables: list[tuple[list[float], ...]]
) -> list[Any]:
    """Do the same with what can be known beforehand: this package's algorithm, one at a time."""
    results = []
    for wallet, positions in holdings:
        surplus = wallet
        worth = []
        for symbol, size, entry in positions:
            floors, rates, amounts, _, _ = tables[symbol]
            mark = marks[symbol]
            notional = abs(size) * mark
            tier = bisect_right(floors, notional) - 1
            margin = rates[tier] * notional - amounts[tier]
            surplus += size * (mark - entry) - margin
            worth.append(size * mark - margin)
        prices: list[float | None] = []
        for (symbol, size, _), own in zip(positions, worth, strict=True):
            _, rates, amounts, rising, falling = tables[symbol]
            wanted = own - surplus
            if wanted * size <= 0:
                prices.append(None)
            elif size > 0:
                tier = bisect_right(rising, wanted) - 1
                prices.append((wanted - amounts[tier]) / (size * (1 - rates[tier])))
            else:
                tier = bisect_right(falling, -wanted) - 1
                prices.append((wanted - amounts[tier]) / (size * (1 + rates[tier])))
        results.append(prices)
    return results


def prepare(table: Table) -> tuple[list[float], ...]:
    """Return floors, rates, maintenance amounts, and notional less and plus margin at floors."""
    floors, rates = (list(column) for column in zip(*table, strict=True))
    steps = [b - a for a, b in zip([0.0, *rates], rates, strict=False)]
    amounts = list(accumulate(f * s for f, s in zip(floors, steps, strict=True)))
    at_floor = [r * f - a for f, r, a in zip(floors, rates, amounts, strict=True)]
    rising = [f - m for f, m in zip(floors, at_floor, strict=True)]
    falling = [f + m for f, m in zip(floors, at_floor, strict=True)]
    return floors, rates, amounts, rising, falling


# ------------------------------------------------------------------ lrvx


class Lrvx:
    """The accounts in lrvx, each with its marks set; checks are what it does with them."""

    def __init__(self, holdings: Sequence[Holding], marks: list[float]) -> None:
        import lrvx

        self.accounts, self.mark = [], marks[0]
        for number, (wallet, positions) in enumerate(holdings):
            account = lrvx.Account(number, wallet)
            account.set_margin_mode("cross")
            for symbol, size, entry in positions:
                account.open_position(symbol, size, entry)
                account.set_mark(symbol, marks[symbol])
            self.accounts.append(account)
        self.headroom = lrvx.Account.cross_headroom
        self.engine = lrvx.LiquidationEngine()
        self.engine.add_tier(0.0, FLAT)
        self.engine.set_adl_enabled(False)

    def check(self, part: slice) -> list[float]:
        """Return balance less maintenance of some accounts; the loop over them is in C, too."""
        return list(map(self.headroom, self.accounts[part], repeat(FLAT)))

    def liquidate(self, marks: list[float]) -> set[int]:
        """Attach all accounts to the engine and return those that it liquidates at the marks."""
        for account in self.accounts:
            self.engine.attach_account(account)
        return set(self.engine.on_marks(list(enumerate(marks)))["liquidated"])

    def walk(self) -> None:
        """Let the engine check all attached accounts, as it does when one mark changes."""
        self.engine.on_mark(0, self.mark)


# ------------------------------------------------------------------ measuring


class Best:
    """The best times of the contenders; of long tasks, piece by piece."""

    def __init__(self) -> None:
        self.pieces: dict[str, list[float]] = {}

    def time(
        self,
        name: str,
        *works: Callable[[], Any],
        clock: Callable[[], float] = time.process_time,
    ) -> None:
        """Do all the works, the pieces of one task, and keep the best time of each."""
        best = self.pieces.setdefault(name, [float("inf")] * len(works))
        for piece, work in enumerate(works):
            start = clock()
            work()
            best[piece] = min(best[piece], clock() - start)

    def seconds(self, name: str) -> float:
        """Return the best time of the whole task."""
        return sum(self.pieces[name])

    def rate(self, name: str) -> float:
        """Return millions of accounts per second."""
        return ACCOUNTS / self.seconds(name) / 1e6

    def times(self, name: str, other: str) -> float:
        """Return how many times faster the first is."""
        return self.seconds(other) / self.seconds(name)


def peak(work: Callable[[], Any]) -> float:
    """Return the most memory that the work took at once, in MB."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


def agreement(found: np.ndarray, looped: list[Any]) -> str:
    """Say on how many prices two agree to 1e-9, or on there being none."""
    wanted = np.array(looped, dtype=float)
    same = np.isnan(found) & np.isnan(wanted) | (np.abs(found - wanted) <= 1e-9 * wanted)
    return f"prices agree on {same.sum():,} of {same.size:,}"


def rows() -> Iterator[Row]:
    """Measure tiered accounts, then the same accounts with one flat tier."""
    accounts, best = Accounts.random(), Best()
    holdings, marks = accounts.holdings(), accounts.marks.tolist()
    parts = [slice(first, first + PIECE) for first in range(0, ACCOUNTS, PIECE)]
    flat_table: list[Table] = [[(0.0, FLAT)]] * SYMBOLS
    tables = {"tiers": accounts.tables, "flat": flat_table}
    batches = {name: accounts.batch(table) for name, table in tables.items()}
    prepared = [prepare(table) for table in accounts.tables]
    out = np.empty((POSITIONS, ACCOUNTS)).T
    lrvx = walking = None
    fallen_there: set[int] = set()
    if find_spec("lrvx"):
        # The engine closes positions: what it has walked through is another set of accounts.
        lrvx, walking = Lrvx(holdings, marks), Lrvx(holdings, marks)
        fallen_there = walking.liquidate(marks)

    for _ in range(ROUNDS):
        for name, batch in batches.items():
            solve = partial(batch.liquidation_prices, accounts.marks, out=out)
            for _ in range(CALLS):
                best.time(f"{name} by all threads", solve, clock=time.perf_counter)
                best.time(f"{name} by one thread", partial(solve, threads=1))
            task = partial(loop, marks=marks, tables=tables[name])
            best.time(f"{name} by loop", *(partial(task, holdings[part]) for part in parts))
        task = partial(tuned_loop, marks=marks, tables=prepared)
        best.time("tiers by tuned loop", *(partial(task, holdings[part]) for part in parts))
        best.time(
            "built", lambda: accounts.batch(accounts.tables).liquidation_prices(accounts.marks)
        )
        if lrvx and walking:
            checks = [partial(lrvx.check, part) for part in parts]
            for _ in range(CALLS):
                best.time("lrvx", *checks)
                best.time("lrvx engine", walking.walk)

    unit = "M accounts/s"
    for name, title in (("tiers", "batch, tiers of Binance"), ("flat", "batch, one flat tier")):
        one, every = f"{name} by one thread", f"{name} by all threads"
        ours = min(one, every, key=best.seconds)
        note = f"on one thread {best.rate(one):.3g}, on all {best.rate(every):.3g}"
        if name == "tiers":
            note = f"{ACCOUNTS:,} of {POSITIONS} positions, best of {ROUNDS * CALLS} calls; {note}"
            note += f"; with building the batch {best.rate('built'):.3g}; load average "
            note += f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
        yield Row(title, best.rate(ours), unit, note=note)
        batches[name].liquidation_prices(accounts.marks, out=out)
        same = agreement(out, loop(holdings, marks, tables[name]))
        yield Row("  plain Python loop", best.rate(f"{name} by loop"), unit, note=same)
        note = f"one thread: {best.times(one, f'{name} by loop'):.0f}"
        if name == "tiers":
            tuned = best.times(ours, "tiers by tuned loop")
            note += f"; over a loop that bisects prepared tables: {tuned:.0f}"
        times = best.times(ours, f"{name} by loop")
        yield Row("  batch over the loop", times, "times", at_least=200, note=note)

    if lrvx is None:
        yield Row("  lrvx", float("nan"), unit, note="not installed: pip install -e .[bench]")
    else:
        fallen = batches["flat"].fallen(accounts.marks)
        same = np.sum((np.array(lrvx.check(slice(None))) <= 0) == fallen)
        same_there = np.sum(np.isin(np.arange(ACCOUNTS), list(fallen_there)) == fallen)
        for name, called, agreed in (
            ("lrvx engine", "LiquidationEngine.on_mark, which walks all accounts", same_there),
            ("lrvx", "Account.cross_headroom, by map() at marks set before", same),
        ):
            title = f"  lrvx {version('lrvx')} account checks"
            yield Row(title, best.rate(name), unit, note=called)
            note = f"one thread: {best.times(one, name):.0f}; who has fallen: agree on "
            note += f"{agreed:,} of {ACCOUNTS:,}"
            times = best.times(ours, name)
            yield Row("  batch over lrvx", times, "times", at_least=20, note=note)

    batch = batches["tiers"]
    solving = peak(lambda: batch.liquidation_prices(accounts.marks))
    building = peak(lambda: accounts.batch(accounts.tables).liquidation_prices(accounts.marks))
    note = f"of a call, its result included; with building the batch {building:.0f}"
    yield Row("peak memory of the batch", solving, "MB", note=note)
