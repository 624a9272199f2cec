"""The account's equity against one price or a common move, through and beyond liquidation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

from margin_widgets.engine.book import Book, Bools, Floats, Ints
from margin_widgets.engine.curved import CurvedRay
from margin_widgets.engine.grouping import sum_by
from margin_widgets.engine.ledger import Ledger
from margin_widgets.engine.liquidation import bankruptcy_along, triggers_along
from margin_widgets.engine.piecewise import evaluate
from margin_widgets.engine.ray import Ray


@dataclass(frozen=True)
class LiquidationEvent:
    """One pool closed on the way from the present marks.

    Attributes
    ----------
    u : float
        Factor on the moved marks at which the pool reaches its trigger.
    pool : int
    equity_before, equity_after : float
        Equity of the whole account on both sides of the jump.
    pool_equity : float
        What the pool still held at the trigger.
    returned : float
        What of it went back to the account.
    fee : float
        Liquidation fee charged out of it.
    bankruptcy_u : float
        Factor at which the pool's equity is zero, NaN if none.
    """

    u: float
    pool: int
    equity_before: float
    equity_after: float
    pool_equity: float
    returned: float
    fee: float
    bankruptcy_u: float


@dataclass(frozen=True)
class Track:
    """What a partition does along the move, apart from any grid.

    Attributes
    ----------
    idle : ndarray (3,)
        Terms of the collateral that backs nothing.
    trigger : ndarray (P, 2)
        Factors u that liquidate each pool, below and above the present; NaN if none.
    fallen : ndarray of bool (P,)
        Pools below maintenance at the present marks already.
    """

    book: Book
    ray: Ray | CurvedRay
    idle: Floats
    trigger: Floats
    fallen: Bools


@dataclass(frozen=True)
class SweepSeries:
    """One partition on the grid of u (G,)."""

    u: Floats
    track: Track

    @cached_property
    def _reached(self) -> Bools:
        """Which triggers lie on the grid (P, 2)."""
        trigger = self.track.trigger
        within: Bools = (trigger >= self.u[0]) & (trigger <= self.u[-1])
        return within

    @cached_property
    def _span(self) -> tuple[Ints, Ints]:
        """First point and end of the points at which each pool stands (P,)."""
        lower = np.nan_to_num(self.track.trigger[:, 0], nan=-np.inf)
        upper = np.nan_to_num(self.track.trigger[:, 1], nan=np.inf)
        # A trigger is on the grid twice: the entry nearer to 1 still stands.
        begin = np.searchsorted(self.u, lower, side="right") - self._reached[:, 0]
        end = np.searchsorted(self.u, upper, side="left") + self._reached[:, 1]
        begin = np.where(self.track.fallen, end, begin)
        return begin.astype(np.intp), np.maximum(begin, end).astype(np.intp)

    @cached_property
    def _left(self) -> tuple[Floats, Floats]:
        """Equity of each pool at its triggers below and above, and the fee taken there (P, 2)."""
        u = np.where(np.isnan(self.track.trigger), 1.0, self.track.trigger)
        ray = self.track.ray
        left = ray.equity_at(u)
        fee = self.track.book.liquidation_fee * ray.notional_at(u)
        return left, np.clip(fee, 0.0, np.maximum(left, 0.0))

    @cached_property
    def _returned(self) -> Floats:
        """What goes back to the account of each pool closed below and above (P, 2)."""
        left, fee = self._left
        return self.track.book.residual_returned * np.maximum(left - fee, 0.0)

    @cached_property
    def equity(self) -> Floats:
        """Equity of the account (G,): flat in every pool that was closed."""
        begin, end = self._span
        cells = len(self.u) + 1
        total = evaluate(self.track.idle, self.u)
        total = total + self.track.ray.equity_while_standing(self.u, begin, end)
        below, above = self._returned.T
        if below.any() or above.any():
            total = total + below.sum() - np.cumsum(sum_by(begin, below, cells))[:-1]
            total = total + np.cumsum(sum_by(end, above, cells))[:-1]
        return total

    @cached_property
    def standing(self) -> Bools:
        """Which pools stand at each point (P, G)."""
        begin, end = self._span
        column = np.arange(len(self.u))
        return (column >= begin[:, None]) & (column < end[:, None])

    @cached_property
    def requirements(self) -> Floats:
        """Maintenance margin of each pool (P, G); 0 where it was closed."""
        return np.where(self.standing, self.track.ray.requirement_on(self.u), 0.0)

    @cached_property
    def balances(self) -> Floats:
        """Margin balance of each pool as if nothing were closed (P, G)."""
        return self.track.ray.balance_on(self.u)

    @cached_property
    def maintenance(self) -> Floats:
        """Maintenance margin of the pools that stand (G,)."""
        total: Floats = self.requirements.sum(axis=0)
        return total

    @cached_property
    def margin_ratio(self) -> Floats:
        """Highest maintenance over margin balance of the pools that stand, NaN if none (G,)."""
        required, balance = self.requirements, self.balances
        with np.errstate(all="ignore"):
            ratio = np.where(self.standing & (balance > 0), required / balance, np.nan)
        highest: Floats = np.fmax.reduce(ratio, axis=0, initial=np.nan)
        return highest

    @cached_property
    def _bankruptcies(self) -> Floats:
        """Where each pool has no equity on the side of each of its triggers, NaN if none (P, 2)."""
        nearest = bankruptcy_along(self.track.ray)
        both = np.stack(self.track.ray.bankruptcies(), axis=1)
        with np.errstate(invalid="ignore"):
            below = np.where(both < 1.0, both, np.nan)
            above = np.where(both > 1.0, both, np.nan)
        sides = np.stack([np.fmax.reduce(below, axis=1), np.fmin.reduce(above, axis=1)], axis=1)
        # A pool that has fallen already is closed where it is, whichever side that lies on.
        return np.where(self.track.fallen[:, None], nearest[:, None], sides)

    @cached_property
    def events(self) -> tuple[LiquidationEvent, ...]:
        """Liquidations within the grid, nearest to the present first."""
        left, fee = self._left
        begin, end = self._span
        trigger = self.track.trigger
        bankruptcy = self._bankruptcies
        closed = [(int(p), int(side)) for p, side in zip(*np.nonzero(self._reached), strict=True)]
        closed.sort(key=lambda at: (abs(trigger[at] - 1.0), at[1], at[0]))
        found: list[LiquidationEvent] = []
        for (u, side), at_once in groupby(closed, key=lambda at: (float(trigger[at]), at[1])):
            pools = [pool for pool, _ in at_once]
            taken = left[pools, side] - self._returned[pools, side]
            if self.track.fallen[pools[0]]:
                equity = float(self.equity[np.searchsorted(self.u, 1.0)] + taken.sum())
            else:
                equity = float(self.equity[begin[pools[0]] if side == 0 else end[pools[0]] - 1])
            # Pools that fall at the same price are closed one after the other.
            for pool, loss in zip(pools, taken, strict=True):
                before, equity = equity, equity - float(loss)
                found.append(
                    LiquidationEvent(
                        u=u,
                        pool=pool,
                        equity_before=before,
                        equity_after=equity,
                        pool_equity=float(left[pool, side]),
                        returned=float(self._returned[pool, side]),
                        fee=float(fee[pool, side]),
                        bankruptcy_u=float(bankruptcy[pool, side]),
                    )
                )
        return tuple(found)


@dataclass(frozen=True)
class Sweep:
    """Several partitions of one book along the same grid.

    Attributes
    ----------
    u : ndarray (G,)
        Ascending factors on the moved marks. Every trigger in the range appears twice: the entry
        nearer to 1 is just before the liquidation, the other just after.
    series : tuple of SweepSeries
        One per partition.
    """

    u: Floats
    series: tuple[SweepSeries, ...]


def sweep(
    ledgers: Sequence[Ledger],
    low: float,
    high: float,
    *,
    symbol: int | None = None,
    points: int = 400,
) -> Sweep:
    """Move all marks (or one symbol's) from the present to factors `low` and `high`.

    From u = 1 outward, a pool that reaches its trigger is closed by the venue's rule and stays
    closed: its equity is flat from there on.

    Parameters
    ----------
    ledgers : sequence of Ledger
        One account at one set of marks, under one or several partitions.
    low, high : float
        Range of the factor u; ``0 < low < high``.
    symbol : int, optional
        The one symbol that moves; all marks move if not given.
    points : int
        Size of the even grid, to which the present and the triggers are added.
    """
    known: dict[int, Track] = {}  # modes that agree share a ledger
    for ledger in ledgers:
        if id(ledger) not in known:
            known[id(ledger)] = _track(ledger, symbol)
    tracks = [known[id(ledger)] for ledger in ledgers]
    triggers = np.concatenate([track.trigger.ravel() for track in tracks])
    low, high = _snapped(low, triggers), _snapped(high, triggers)
    reached = np.unique(triggers[(triggers >= low) & (triggers <= high)])
    present = [1.0] if low <= 1.0 <= high else []
    even = np.setdiff1d(np.concatenate([np.linspace(low, high, points), present]), reached)
    u = np.sort(np.concatenate([even, reached, reached]))
    return Sweep(u, tuple(SweepSeries(u, track) for track in tracks))


def _snapped(bound: float, triggers: Floats) -> float:
    """The trigger that a bound of the range means, if it is one but for rounding."""
    meant = triggers[np.abs(triggers - bound) <= 1e-12 * bound]
    return float(meant[0]) if len(meant) else bound


def _track(ledger: Ledger, symbol: int | None) -> Track:
    """Each pool's functions of u and its two triggers."""
    book, partition = ledger.book, ledger.partition
    if symbol is None:
        ray, triggers = ledger.common_ray, ledger.common_triggers
        follows = book.asset_symbol >= 0
    else:
        ray = ledger.ray_of(symbol)
        triggers = triggers_along(ray, partition)
        follows = book.asset_symbol == symbol
    fallen = ledger.fallen
    pair = np.stack([triggers.lower, triggers.upper], axis=1)
    pair[fallen] = (1.0, np.nan)
    idle = partition.idle * ledger.marked.asset_prices
    return Track(
        book=book,
        ray=ray,
        idle=np.array([idle[~follows].sum(), idle[follows].sum(), 0.0]),
        trigger=pair,
        fallen=fallen,
    )
