"""Portfolio margin: the worst loss of a book over a grid of moves, plus contingencies.

Positions on one underlying form a *risk unit* and offset one another; units are summed. In each
scenario the price of one underlying, with everything on it, moves by a share of itself, implied
volatilities move, days may pass, and options are valued anew by Black (1976) with the price of the
underlying as their forward. A pool under portfolio margin counts the value of its options in its
margin balance: the worst loss is a loss of that value.

Amounts are in the quote currency in which the indices are given; a requirement of a unit whose
quote currency is another than the account's is multiplied by that currency's price.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from margin_widgets.engine import black
from margin_widgets.engine.book import Bools, Floats, Ints, Schedule
from margin_widgets.engine.grouping import sum_by

DAYS_PER_YEAR = 365.0
# Scenarios are valued together as long as they have about so many amounts.
_BLOCK = 2**14


@dataclass(frozen=True)
class Scenario:
    """One move of an underlying.

    Attributes
    ----------
    price : float
        Relative move of the price of the underlying and of every contract on it.
    volatility : float
        Move of implied volatilities, in the sense of `RiskGrid.volatility_in`.
    days : float
        Days that pass.
    counted : float
        Share of the profit or loss that counts.
    """

    price: float = 0.0
    volatility: float = 0.0
    days: float = 0.0
    counted: float = 1.0


@dataclass(frozen=True)
class RiskGrid:
    """The scenarios of an underlying: every price move with every volatility move, then others.

    Attributes
    ----------
    price_moves : tuple of float
        Relative moves.
    volatility_moves : tuple of float
        Moves of implied volatilities.
    volatility_in : {"relative", "points"}
        Whether a move is a share of each option's volatility or is added to it. A volatility never
        falls below 0.
    volatility_power, volatility_power_beyond : float
        A volatility move is multiplied by ``(volatility_days / days to expiry) ** power``, with the
        first power up to `volatility_days` to expiry and the second one beyond; 0 moves all
        expiries alike.
    volatility_days : float
        Days to expiry at which a volatility move is as written.
    fewest_days : float
        Days to expiry that count at least, so that the multiple stays finite.
    extremes : tuple of Scenario
        Further scenarios: extreme moves of which a share counts, the mere passing of days.
    """

    price_moves: tuple[float, ...]
    volatility_moves: tuple[float, ...] = (0.0,)
    volatility_in: Literal["relative", "points"] = "relative"
    volatility_power: float = 0.0
    volatility_power_beyond: float = 0.0
    volatility_days: float = 30.0
    fewest_days: float = 1.0
    extremes: tuple[Scenario, ...] = ()

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """All scenarios; results name them by their place here."""
        grid = (Scenario(m, v) for m in self.price_moves for v in self.volatility_moves)
        return (*grid, *self.extremes)

    def volatility_multiple(self, years: ArrayLike) -> Floats:
        """By how much a volatility move is larger at this time to expiry than as written."""
        days = np.maximum(np.asarray(years, dtype=float) * DAYS_PER_YEAR, self.fewest_days)
        beyond = days > self.volatility_days
        power = np.where(beyond, self.volatility_power_beyond, self.volatility_power)
        result: Floats = (self.volatility_days / days) ** power
        return result


@dataclass(frozen=True)
class PortfolioRules:
    """A venue's portfolio margin, as data.

    Maintenance margin of a unit is ``max(worst loss + contingencies, minimum charge)``.

    Attributes
    ----------
    grid : RiskGrid
        Scenarios of the underlyings that `grids` does not name.
    grids : mapping of str to RiskGrid
        Scenarios by base coin.
    short_option_rate : float
        Contingency on net short options of a strike, as a share of the index.
    options_rate : float
        Contingency on all options, long and short, as a share of the index.
    offset_futures_rate : float
        Contingency on futures that offset one another, as a share of the index.
    offset_vega_rate : float
        Contingency on vega that one expiry offsets for another, per percentage point of volatility.
    minimum_short_option_rate, minimum_futures_rate : float
        Minimum charge per short option and per future, long or short, as a share of the index.
    minimum_tiers : tuple of (float, float)
        (floor, multiplier) bands of the minimum charge of a unit, each of which multiplies what
        lies above its floor; none leaves the charge as it is.
    initial_factor : float
        Initial margin over maintenance margin.
    coin_profit_at : {"scenario", "present"}
        Price at which profit in coin is valued. The scenario's price is what the profit is worth
        when it is made, and makes inverse contracts offset linear ones; the present price is right
        where coin margin covers coin contracts.
    exact, approximate : tuple of str
        What of the venue's rules this reproduces, and what it simplifies or leaves out.
    """

    grid: RiskGrid
    grids: Mapping[str, RiskGrid] = field(default_factory=dict)
    short_option_rate: float = 0.0
    options_rate: float = 0.0
    offset_futures_rate: float = 0.0
    offset_vega_rate: float = 0.0
    minimum_short_option_rate: float = 0.0
    minimum_futures_rate: float = 0.0
    minimum_tiers: tuple[tuple[float, float], ...] = ()
    initial_factor: float = 1.0
    coin_profit_at: Literal["scenario", "present"] = "scenario"
    exact: tuple[str, ...] = ()
    approximate: tuple[str, ...] = ()

    def grid_of(self, coin: str) -> RiskGrid:
        """The scenarios of an underlying."""
        return self.grids.get(coin, self.grid)


@dataclass(frozen=True)
class RiskPositions:
    """N positions on U underlyings, as parallel arrays.

    Attributes
    ----------
    units : tuple of str (U,)
        Base coin of each underlying.
    unit : ndarray of int (N,)
        Underlying of each position.
    kind : ndarray of int (N,)
        +1 call, -1 put, 0 anything that moves one to one: futures, perpetuals, spot.
    in_coin : ndarray of bool (N,)
        Whether the contract pays in coin: inverse futures, and options with premiums in coin.
    size : ndarray (N,) or (..., N)
        Signed size in coin; in quote units for inverse futures.
    strike, years, volatility : ndarray (N,)
        Of options; ignored for the rest. The volatility is best the implied one of the mark.
    """

    units: tuple[str, ...]
    unit: Ints
    kind: Ints
    in_coin: Bools
    size: Floats
    strike: Floats
    years: Floats
    volatility: Floats

    def sum_by_unit(self, amounts: Floats) -> Floats:
        """Sum (..., N) over the positions of each underlying (..., U)."""
        return sum_by(self.unit, amounts, len(self.units))


@dataclass(frozen=True)
class PortfolioRequirement:
    """Portfolio margin per underlying; `...` are the leading axes of the marks.

    Attributes
    ----------
    maintenance, initial : ndarray (..., U)
        Margin of each unit; the requirement of the pool is their sum.
    worst : ndarray (..., U)
        Worst loss over the scenarios, 0 where none loses.
    scenario : ndarray of int (..., U)
        Number of the worst scenario in `RiskGrid.scenarios` of the unit, -1 where none loses.
    contingencies : mapping of str to ndarray (..., U)
    minimum : ndarray (..., U)
        Minimum charge.
    """

    maintenance: Floats
    initial: Floats
    worst: Floats
    scenario: Ints
    contingencies: Mapping[str, Floats]
    minimum: Floats


# Scenarios


def _moves(rules: PortfolioRules, units: tuple[str, ...]) -> Floats:
    """Price, volatility, days and counted share of each unit's scenarios (4, K, U)."""
    rows = zip_longest(*(rules.grid_of(coin).scenarios for coin in units), fillvalue=Scenario())
    moves = [[(s.price, s.volatility, s.days, s.counted) for s in row] for row in rows]
    return np.array(moves).reshape(len(moves), len(units), 4).transpose(2, 0, 1)


def _blocks_of_pnl(
    rules: PortfolioRules, positions: RiskPositions, mark: Floats, index: Floats
) -> Iterator[Floats]:
    """Profit of each unit in some scenarios (K', ..., U), block after block."""
    coins = futures(positions, mark)
    # What gains a move's share of itself. An inverse contract gains q (1/P - 1/P') coins, which
    # at the moved index are worth index q/P times the move: as much as a linear one of q/P coins.
    linear = positions.sum_by_unit(np.where(positions.in_coin, 0.0, coins * mark))
    inverse = positions.sum_by_unit(np.where(positions.in_coin, coins, 0.0)) * index
    option_gains = _option_gains(rules, positions, mark, index)
    moves = _moves(rules, positions.units)
    leading = np.broadcast_shapes(coins.shape[:-1], index.shape[:-1])
    ones = (1,) * len(leading)
    block = max(1, _BLOCK // max(1, math.prod(leading) * coins.shape[-1]))
    for start in range(0, moves.shape[1], block):
        some = moves[:, start : start + block]
        price, volatility, days, counted = some.reshape(*some.shape[:2], *ones, some.shape[2])
        # Of profit in coin, which is reckoned at the moved price.
        worth = 1.0 if rules.coin_profit_at == "scenario" else 1 / (1 + price)
        in_quote, in_coin = option_gains(price, volatility, days)
        yield ((linear + inverse * worth) * price + in_quote + in_coin * worth) * counted


def _option_gains(
    rules: PortfolioRules, positions: RiskPositions, mark: Floats, index: Floats
) -> Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]:
    """Make the function from moves of each unit (..., U) to the profit of its options (..., U).

    Of options with premiums in quote, and of those in coin, both at the moved price.
    """
    which = np.flatnonzero(positions.kind)
    unit, in_coin, kind = positions.unit[which], positions.in_coin[which], positions.kind[which]
    size, strike = positions.size[..., which], positions.strike[which]
    years, volatility = positions.years[which], positions.volatility[..., which]
    forward = index[..., unit]
    value = mark[..., which] * np.where(in_coin, forward, 1.0)
    beyond_model = value - black.price(kind, forward, strike, years, volatility)
    scale = np.ones(volatility.shape)  # of a move of volatility, per option
    for number, coin in enumerate(positions.units):
        grid, mine = rules.grid_of(coin), np.flatnonzero(unit == number)
        own = volatility[..., mine] if grid.volatility_in == "relative" else 1.0
        scale[..., mine] = own * grid.volatility_multiple(years[mine])

    def gains(price: Floats, shift: Floats, days: Floats) -> tuple[Floats, Floats]:
        moved = 1 + price[..., unit]
        new = beyond_model + black.price(
            kind,
            forward * moved,
            strike,
            years - days[..., unit] / DAYS_PER_YEAR,
            np.maximum(volatility + shift[..., unit] * scale, 0.0),
        )
        # A premium held in coin is worth more or less with the coin itself: that is no profit.
        gain = size * (np.maximum(new, 0.0) - value * np.where(in_coin, moved, 1.0))
        in_quote = sum_by(unit, np.where(in_coin, 0.0, gain), len(positions.units))
        return in_quote, sum_by(unit, np.where(in_coin, gain, 0.0), len(positions.units))

    return gains


def scenario_pnl(
    rules: PortfolioRules, positions: RiskPositions, mark: ArrayLike, index: ArrayLike
) -> Floats:
    """Profit of each underlying in each scenario, of which only the counted share.

    Parameters
    ----------
    rules : PortfolioRules
    positions : RiskPositions
    mark : array_like (..., N)
        Marks: quote units, or coin for options in coin.
    index : array_like (..., U)
        Price of each underlying.

    Returns
    -------
    ndarray (..., K, U)
        K is the longest of the units' scenario lists; shorter ones are followed by zeros.
    """
    mark, index = np.asarray(mark, dtype=float), np.asarray(index, dtype=float)
    blocks = list(_blocks_of_pnl(rules, positions, mark, index))
    if not blocks:  # no underlyings
        return np.zeros((*index.shape[:-1], 0, 0))
    return np.moveaxis(np.concatenate(blocks), 0, -2)


def worst_loss(
    rules: PortfolioRules, positions: RiskPositions, mark: ArrayLike, index: ArrayLike
) -> tuple[Floats, Ints]:
    """Worst loss of each underlying (..., U), and its scenario's number; 0 and -1 without any."""
    mark, index = np.asarray(mark, dtype=float), np.asarray(index, dtype=float)
    least, number, first = np.zeros(index.shape), np.full(index.shape, -1, dtype=np.intp), 0
    for pnl in _blocks_of_pnl(rules, positions, mark, index):
        lowest, place = pnl.min(axis=0), first + pnl.argmin(axis=0)
        number = np.where(lowest < least, place, number)
        least = np.minimum(least, lowest)
        first += len(pnl)
    return -least, number


# Contingencies


def offset_charge(rate: float, amounts: ArrayLike, group: Ints, groups: int) -> Floats:
    """Charge a rate on what offsets one another among signed amounts (..., N), by group.

    That is the lesser of all that is long and all that is short (..., groups): of 100 coins long
    in one future and 100 short in another, 100.
    """
    amounts = np.asarray(amounts, dtype=float)
    long = sum_by(group, np.maximum(amounts, 0.0), groups)
    short = sum_by(group, np.maximum(-amounts, 0.0), groups)
    return rate * np.minimum(long, short)


def _series(*keys: ArrayLike) -> tuple[Ints, Ints]:
    """Number positions (N,) by equal keys, of which the first is the unit; and units of numbers."""
    distinct, number = np.unique(np.column_stack(keys), axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.intp), distinct[:, 0].astype(np.intp)


def net_short_options(positions: RiskPositions) -> Floats:
    """Options short after calls and puts of a strike and expiry are added up (..., U), in coin.

    Ten calls long and twenty puts short at one strike are ten short.
    """
    size = np.where(positions.kind != 0, positions.size, 0.0)
    series, unit = _series(positions.unit, positions.strike, positions.years)
    net = sum_by(series, size, len(unit))
    return sum_by(unit, np.maximum(-net, 0.0), len(positions.units))


def gross_options(positions: RiskPositions) -> Floats:
    """Options, long and short together (..., U), in coin."""
    return positions.sum_by_unit(np.where(positions.kind != 0, np.abs(positions.size), 0.0))


def futures(positions: RiskPositions, mark: ArrayLike) -> Floats:
    """Signed coins of each position that is no option (..., N), 0 for options."""
    future = positions.kind == 0
    per_coin = np.where(future & positions.in_coin, np.asarray(mark, dtype=float), 1.0)
    return np.where(future, positions.size / per_coin, 0.0)


def vega_by_expiry(positions: RiskPositions, index: ArrayLike) -> tuple[Floats, Ints]:
    """Net vega of each expiry of each underlying (..., E), and the underlyings (E,).

    In quote units per percentage point of volatility.
    """
    forward = np.asarray(index, dtype=float)[..., positions.unit]
    option = positions.kind != 0
    # The rest has no strike and no time that mean anything.
    strike, years = np.where(option, positions.strike, 1.0), np.where(option, positions.years, 0.0)
    volatility = np.where(option, positions.volatility, 0.0)
    vega = positions.size * black.vega(forward, strike, years, volatility) / 100
    expiry, unit = _series(positions.unit, years)
    return sum_by(expiry, np.where(option, vega, 0.0), len(unit)), unit


def contingencies(
    rules: PortfolioRules, positions: RiskPositions, mark: ArrayLike, index: ArrayLike
) -> dict[str, Floats]:
    """What is charged on top of the worst loss (..., U), by name."""
    index, units = np.asarray(index, dtype=float), len(positions.units)
    coins = futures(positions, mark)
    vega, expiry_unit = vega_by_expiry(positions, index)
    offsetting = offset_charge(rules.offset_futures_rate, coins, positions.unit, units)
    return {
        "net short options": rules.short_option_rate * net_short_options(positions) * index,
        "all options": rules.options_rate * gross_options(positions) * index,
        "offsetting futures": offsetting * index,
        "offsetting vega": offset_charge(rules.offset_vega_rate, vega, expiry_unit, units),
    }


def tiered(tiers: tuple[tuple[float, float], ...], amounts: ArrayLike) -> Floats:
    """Amounts of which each part is multiplied by the multiplier of the band it lies in."""
    amounts = np.asarray(amounts, dtype=float)
    if not tiers:
        return amounts
    row = np.zeros(1, dtype=np.intp)
    return Schedule.from_bands([tiers]).at(row, amounts.reshape(-1, 1)).reshape(amounts.shape)


def minimum_charge(
    rules: PortfolioRules, positions: RiskPositions, mark: ArrayLike, index: ArrayLike
) -> Floats:
    """Least margin of each underlying (..., U), whatever its scenarios say."""
    index = np.asarray(index, dtype=float)
    coins = np.abs(futures(positions, mark))
    short = np.where(positions.kind != 0, np.maximum(-positions.size, 0.0), 0.0)
    raw = rules.minimum_futures_rate * coins + rules.minimum_short_option_rate * short
    return tiered(rules.minimum_tiers, positions.sum_by_unit(raw) * index)


def requirement(
    rules: PortfolioRules, positions: RiskPositions, mark: ArrayLike, index: ArrayLike
) -> PortfolioRequirement:
    """Portfolio margin of each underlying; arguments as in `scenario_pnl`."""
    worst, scenario = worst_loss(rules, positions, mark, index)
    on_top = contingencies(rules, positions, mark, index)
    minimum = minimum_charge(rules, positions, mark, index)
    maintenance = np.maximum(worst + sum(on_top.values()), minimum)
    return PortfolioRequirement(
        maintenance=maintenance,
        initial=rules.initial_factor * maintenance,
        worst=worst,
        scenario=scenario,
        contingencies=on_top,
        minimum=minimum,
    )
