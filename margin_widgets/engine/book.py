"""What an account holds, as parallel arrays: contracts, positions, collateral."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Schedule:
    """Continuous piecewise-linear amounts: a sum of steps of a rate, each above its floor.

    ``f(x) = sum(step_k * max(0, x - floor_k))``. Maintenance margin as a function of notional and
    the haircut as a function of a held amount both have this form; written so, the maintenance
    amounts of an exchange's tier table ("cum") follow and need not be carried along.

    Attributes
    ----------
    floors : ndarray (rows, bands)
        Where each band begins; `inf` pads short rows.
    steps : ndarray (rows, bands)
        By how much the marginal rate changes there; 0 pads short rows.
    """

    floors: Floats
    steps: Floats

    @classmethod
    def from_bands(cls, rows: Sequence[Sequence[tuple[float, float]]]) -> Schedule:
        """Build from (floor, rate) bands, one sequence of bands per row, in rising order."""
        width = max([1, *(len(row) for row in rows)])
        floors = np.full((len(rows), width), np.inf)
        steps = np.zeros((len(rows), width))
        for index, row in enumerate(rows):
            if row:
                bands = np.asarray(row, dtype=float)
                floors[index, : len(row)] = bands[:, 0]
                steps[index, : len(row)] = np.diff(bands[:, 1], prepend=0.0)
        return cls(floors, steps)

    def at(self, rows: Ints, amounts: Floats) -> Floats:
        """Values of the schedules of `rows` at `amounts` (..., len(rows)); 0 for negative ones."""
        floors, steps = self.floors[rows], self.steps[rows]
        if amounts.ndim == 1:
            total: Floats = (steps * np.maximum(amounts[:, None] - floors, 0.0)).sum(axis=1)
            return total
        total = np.zeros(amounts.shape)  # band by band: amounts may be a large grid
        for band in range(self.floors.shape[1]):
            total += steps[:, band] * np.maximum(amounts - floors[:, band], 0.0)
        return total


@dataclass(frozen=True)
class Book:
    """An account's holdings. S symbols, N positions, A assets.

    Amounts are in the settlement asset of a contract (quote currency for linear, coin for
    inverse); every asset has a price in one valuation currency.

    Attributes
    ----------
    inverse : ndarray of bool (S,)
        Whether the contract pays in its base coin.
    settle : ndarray of int (S,)
        Asset in which the contract pays.
    tiers : Schedule (S rows)
        Maintenance margin over notional (quote currency for linear, coin for inverse).
    closing_fee : ndarray (S,)
        Share of notional that the venue adds to maintenance for the fee of closing; 0 if none.
    symbol, size, entry, leverage, margin : ndarray (N,)
        Symbol index; signed size in coin (linear) or quote units (inverse); entry price; leverage
        setting; margin assigned in isolated mode (settlement asset).
    isolated : ndarray of bool (N,)
        Margin mode of each position as the account really stands.
    wallet : ndarray (A,)
        Wallet balance of each asset; negative is a loan.
    asset_symbol : ndarray of int (A,)
        Symbol whose mark the asset's price follows, -1 for a fixed price.
    asset_price : ndarray (A,)
        The fixed price, or the factor on the mark that is followed.
    haircuts : Schedule (A rows)
        Share of a held amount (in units of the asset) that does not count as margin.
    maintenance_at_entry : bool
        Whether maintenance is charged on the notional at entry instead of at mark.
    triggers_at_equality : bool
        Whether margin balance equal to the requirement already liquidates (``<=``).
    residual_returned : bool
        Whether what is left in a liquidated pool, less the fee, goes back to the account.
    liquidation_fee : float
        Fee on the notional that a liquidation closes.
    """

    inverse: Bools
    settle: Ints
    tiers: Schedule
    closing_fee: Floats
    symbol: Ints
    size: Floats
    entry: Floats
    leverage: Floats
    margin: Floats
    isolated: Bools
    wallet: Floats
    asset_symbol: Ints
    asset_price: Floats
    haircuts: Schedule
    maintenance_at_entry: bool = False
    triggers_at_equality: bool = True
    residual_returned: bool = False
    liquidation_fee: float = 0.0

    def replace(self, **changes: Any) -> Book:
        """Return a copy with some arrays exchanged."""
        return replace(self, **changes)

    @cached_property
    def position_inverse(self) -> Bools:
        """Whether each position's contract is inverse (N,)."""
        return self.inverse[self.symbol]

    @cached_property
    def position_settle(self) -> Ints:
        """Settlement asset of each position (N,)."""
        return self.settle[self.symbol]

    @cached_property
    def entry_notional(self) -> Floats:
        """Notional at entry in the settlement asset (N,)."""
        return np.abs(self.size) * np.where(self.position_inverse, 1 / self.entry, self.entry)

    @cached_property
    def entry_maintenance(self) -> Floats:
        """Maintenance margin on the entry notional, in the settlement asset (N,)."""
        return self.maintenance(self.entry_notional)

    def maintenance(self, notional: Floats) -> Floats:
        """Maintenance margin, closing fee included where the venue counts it (..., N)."""
        return self.tiers.at(self.symbol, notional) + self.closing_fee[self.symbol] * notional

    def asset_prices(self, marks: Floats) -> Floats:
        """Price of each asset in the valuation currency at `marks` (..., S) -> (..., A)."""
        if not np.any(self.asset_symbol >= 0):  # also the case of a book without symbols
            return np.broadcast_to(self.asset_price, (*marks.shape[:-1], len(self.asset_price)))
        followed = marks[..., np.maximum(self.asset_symbol, 0)]
        return self.asset_price * np.where(self.asset_symbol >= 0, followed, 1.0)
