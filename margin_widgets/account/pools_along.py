"""Pools of both modes along one move: where each is liquidated, and their ratios on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from margin_widgets.account.books import Books
from margin_widgets.engine.book import Floats

MODES = ("isolated", "cross")


@dataclass(frozen=True)
class StressEvent:
    """A pool that reaches its trigger.

    Attributes
    ----------
    x : float
        Relative move of what is on the axis.
    pool : str
    positions : tuple of str
    """

    x: float
    pool: str
    positions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StressSeries:
    """One mode along the move.

    Attributes
    ----------
    mode : str
    margin_ratio : ndarray (M,)
        Highest maintenance over margin balance of the pools that stand; NaN if none does.
    events : tuple of StressEvent
        The nearest to the present first.
    """

    mode: str
    margin_ratio: Floats
    events: tuple[StressEvent, ...]


class PoolsAlong:
    """Pools of an account as functions of a relative move; a subclass says which functions."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.ledgers = {mode: books.ledger(mode) for mode in MODES}

    def at(self, mode: str, x: Floats) -> tuple[Floats, Floats]:
        """Margin balance and requirement of each pool (M, P) after relative moves (M,)."""
        raise NotImplementedError

    def triggers(self, mode: str) -> Floats:
        """Moves below and above zero at which each pool has no surplus, NaN if none (P, 2)."""
        raise NotImplementedError

    def nearest(self) -> list[float]:
        """The triggers nearest to the present, below and above, of each mode."""
        found = []
        for mode in MODES:
            below, above = self.triggers(mode).T
            found += [float(np.fmax.reduce(below, initial=np.nan))]
            found += [float(np.fmin.reduce(above, initial=np.nan))]
        return [one for one in found if not math.isnan(one)]

    def grid(self, low: float, high: float, points: int) -> Floats:
        """An even grid with the present in it, and every trigger twice."""
        reached = np.unique(np.concatenate([self.triggers(mode).ravel() for mode in MODES]))
        reached = reached[(reached >= low) & (reached <= high)]
        present = [0.0] if low <= 0.0 <= high else []
        even = np.setdiff1d(np.concatenate([np.linspace(low, high, points), present]), reached)
        found: Floats = np.sort(np.concatenate([even, reached, reached]))
        return found

    def series(self, mode: str, x: Floats) -> StressSeries:
        """One mode on a grid of moves."""
        ledger, triggers = self.ledgers[mode], self.triggers(mode)
        balance, required = self.at(mode, x)
        below, above = triggers.T
        # Of the two entries of a trigger the one nearer to zero still stands.
        first = np.searchsorted(x, np.nan_to_num(below, nan=-np.inf), side="right")
        first = first - np.isin(below, x)
        last = np.searchsorted(x, np.nan_to_num(above, nan=np.inf), side="left")
        last = last + np.isin(above, x)
        column = np.arange(len(x))[:, None]
        up = (column >= first) & (column < last) & ledger.partition.occupied & ~ledger.fallen
        with np.errstate(all="ignore"):
            ratio = np.where(up & (balance > 0), required / balance, np.nan)
        names, members = self.books.pool_names(mode), self.books.pool_members(mode)
        places = sorted(
            (abs(at), side, pool, at)
            for pool, pair in enumerate(triggers.tolist())
            for side, at in enumerate(pair)
            if x[0] <= at <= x[-1]
        )
        events = tuple(
            StressEvent(at, names[pool], tuple(self.books.keys[n] for n in members[pool]))
            for _, _, pool, at in places
        )
        return StressSeries(mode, np.fmax.reduce(ratio, axis=1, initial=np.nan), events)
