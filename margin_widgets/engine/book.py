"""What an account holds, as parallel arrays: contracts, positions, collateral."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from margin_widgets.engine.arrays import Bools, Floats, Ints
from margin_widgets.engine.option_margin import OptionMargin

__all__ = ["Book", "Bools", "Floats", "Ints", "Options", "RiskUnits", "Schedule"]


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
class Options:
    """What the option contracts among the symbols are (S,).

    Attributes
    ----------
    kind : ndarray of int
        +1 call, -1 put, 0 no option.
    index : ndarray of int
        Symbol whose mark is the underlying's price; a contract that is no option has its own.
    strike, years, volatility : ndarray
        Strike, time to expiry and implied volatility at the present mark.
    in_coin : ndarray of bool
        Whether the premium is quoted and paid in the underlying coin.
    margin : OptionMargin
        The venue's standard margin of short options.
    """

    kind: Ints
    index: Ints
    strike: Floats
    years: Floats
    volatility: Floats
    in_coin: Bools
    margin: OptionMargin


@dataclass(frozen=True)
class RiskUnits:
    """The underlyings of a book's symbols.

    Attributes
    ----------
    names : tuple of str (U,)
        Base coins.
    of_symbol : ndarray of int (S,)
        Underlying of each symbol.
    index : ndarray of int (U,)
        Symbol whose mark is the price of each underlying.
    quote_price : ndarray (U,)
        What a unit of the currency that this price is in is worth, in the valuation currency.
    """

    names: tuple[str, ...]
    of_symbol: Ints
    index: Ints
    quote_price: Floats


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
    symbol, size, entry, leverage, margin : ndarray (N,)
        Symbol index; signed size in coin (linear) or quote units (inverse); entry price; leverage
        setting; margin assigned in isolated mode (settlement asset).
    rate, fixed, square : ndarray (N,)
        What a position owes beside its tiers: a share of its notional (a closing fee at mark, the
        one rate of a tier found by size), an amount that does not move (a closing fee at the
        bankruptcy price), and an amount per squared notional (a rate that rises with the coins of
        an inverse contract).
    initial : Schedule (S rows)
        Initial margin over notional, for the positions that `by_schedule` names.
    by_schedule : ndarray of bool (N,)
        Whose initial margin follows `initial` instead of the leverage.
    initial_rate, initial_fixed : ndarray (N,)
        What initial margin holds besides: a share of notional, and a fixed amount.
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
    loans : Schedule (A rows)
        Maintenance margin over a borrowed amount, both in units of the asset.
    options : Options or None
        What option contracts are; None for a book without any.
    units : RiskUnits or None
        Underlyings that portfolio margin moves one at a time.
    maintenance_at_entry : bool
        Whether maintenance is charged on the notional at entry instead of at mark.
    triggers_at_equality : bool
        Whether margin balance equal to the requirement already liquidates (``<=``).
    trigger_level : float
        How many times its maintenance margin a pool must hold.
    residual_returned : float
        Share of what is left in a liquidated pool, less the fee, that goes back to the account.
    liquidation_fee : float
        Fee on the notional that a liquidation closes.
    """

    inverse: Bools
    settle: Ints
    tiers: Schedule
    symbol: Ints
    size: Floats
    entry: Floats
    leverage: Floats
    margin: Floats
    rate: Floats
    fixed: Floats
    square: Floats
    initial: Schedule
    by_schedule: Bools
    initial_rate: Floats
    initial_fixed: Floats
    isolated: Bools
    wallet: Floats
    asset_symbol: Ints
    asset_price: Floats
    haircuts: Schedule
    loans: Schedule
    options: Options | None = None
    units: RiskUnits | None = None
    maintenance_at_entry: bool = False
    triggers_at_equality: bool = True
    trigger_level: float = 1.0
    residual_returned: float = 0.0
    liquidation_fee: float = 0.0

    def replace(self, **changes: Any) -> Book:
        """Return a copy with some arrays exchanged."""
        return replace(self, **changes)

    def only(self, positions: Ints) -> Book:
        """Return the book with only some of its positions."""
        names = (
            *("symbol", "size", "entry", "leverage", "margin", "isolated"),
            *("rate", "fixed", "square", "by_schedule", "initial_rate", "initial_fixed"),
        )
        return replace(self, **{name: getattr(self, name)[positions] for name in names})

    @cached_property
    def position_inverse(self) -> Bools:
        """Whether each position's contract is inverse (N,)."""
        return self.inverse[self.symbol]

    @cached_property
    def position_settle(self) -> Ints:
        """Settlement asset of each position (N,)."""
        return self.settle[self.symbol]

    @cached_property
    def index(self) -> Ints:
        """Symbol whose mark is the underlying's price, of each position (N,)."""
        return self.symbol if self.options is None else self.options.index[self.symbol]

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
        owed = self.tiers.at(self.symbol, notional) + self.rate * notional + self.fixed
        return owed + self.square * notional**2 if self.has_squares else owed

    def initial_margin(self, notional: Floats) -> Floats:
        """Initial margin, closing fee included where the venue holds it (..., N)."""
        if self.by_schedule.any():
            scheduled = self.initial.at(self.symbol, notional)
            reserved = np.where(self.by_schedule, scheduled, notional / self.leverage)
        else:
            reserved = notional / self.leverage
        held: Floats = reserved + self.initial_rate * notional + self.initial_fixed
        return held + self.square * notional**2 if self.has_squares else held

    @cached_property
    def has_squares(self) -> bool:
        """Whether any rate rises with the coins of an inverse contract."""
        return bool(self.square.any())

    @cached_property
    def has_loan_margin(self) -> bool:
        """Whether borrowed amounts have a maintenance margin."""
        return bool(self.loans.steps.any())

    @cached_property
    def curved(self) -> bool:
        """Whether amounts along a moved price are more than ``a + b u + c / u`` between kinks.

        So are options, rates that rise with the coins of an inverse contract, and contracts that
        pay ``q (P - E)`` in an asset whose own price moves (quanto): a product of two prices.
        """
        paid_in_moving = ~self.position_inverse & (self.asset_symbol[self.position_settle] >= 0)
        return self.options is not None or self.has_squares or bool(paid_in_moving.any())

    def asset_prices(self, marks: Floats) -> Floats:
        """Price of each asset in the valuation currency at `marks` (..., S) -> (..., A)."""
        if not np.any(self.asset_symbol >= 0):  # also the case of a book without symbols
            return np.broadcast_to(self.asset_price, (*marks.shape[:-1], len(self.asset_price)))
        followed = marks[..., np.maximum(self.asset_symbol, 0)]
        return self.asset_price * np.where(self.asset_symbol >= 0, followed, 1.0)
