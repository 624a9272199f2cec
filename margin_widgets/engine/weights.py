"""Weights and rates that depend on size: on a position's own, on all deposits, on open interest."""

from __future__ import annotations

import numpy as np

from margin_widgets.engine.arrays import Floats
from margin_widgets.engine.rounding import exact, exact_down, exact_up, round_down

WEIGHT_STEP = 1e-4
"""Grid of Drift's weights and margin ratios."""


def asset_weight(
    weight: Floats | float, amount: Floats | float, imf: Floats | float, *, step: float = 0.0
) -> Floats:
    """Share of a held amount that counts as margin: ``min(w, 1.1 / (1 + imf sqrt(amount)))``.

    Parameters
    ----------
    weight : float or ndarray (...)
        The market's own weight, e.g. 0.9.
    amount : float or ndarray (...)
        Whole tokens held.
    imf : float or ndarray (...)
        How fast the weight falls with the square root of the amount; 0 for not at all.
    step : float
        Grid on which the weight is rounded down; `WEIGHT_STEP` is the protocol's.

    Notes
    -----
    Drift, protocol-v2 `math/margin.rs`, size discount of assets.

    Examples
    --------
    >>> float(asset_weight(0.9, 1_000, 0.01, step=WEIGHT_STEP))
    0.8357
    """
    discounted = 1.1 / (1 + np.asarray(imf) * np.sqrt(amount))
    return round_down(np.minimum(weight, discounted), step)


def liability_weight(
    weight: Floats | float, amount: Floats | float, imf: Floats | float, *, step: float = 0.0
) -> Floats:
    """Multiple of an owed amount that must be held: ``max(w, 0.8 w + imf sqrt(amount))``.

    The margin ratio of a perpetual position grows by the same rule, with its base amount.

    Parameters
    ----------
    weight, amount, imf, step
        As for `asset_weight`.

    Notes
    -----
    Drift, protocol-v2 `math/margin.rs`, size premium of liabilities.

    Examples
    --------
    >>> float(liability_weight(1.1, 1_000, 0.01, step=WEIGHT_STEP))
    1.1962
    """
    premium = 0.8 * np.asarray(weight) + np.asarray(imf) * np.sqrt(amount)
    return np.maximum(weight, round_down(premium, step))


def scaled_weight(
    weight: Floats | float, deposits: Floats | float, start: Floats | float, *, step: float = 0.0
) -> Floats:
    """Initial weight of an asset of which the venue holds much: it falls with all its deposits.

    Parameters
    ----------
    weight : float or ndarray (...)
    deposits : float or ndarray (...)
        Value of all deposits of the asset at the venue.
    start : float or ndarray (...)
        Value from which the weight shrinks as ``start / deposits``; 0 for never.
    step : float
        Grid on which the weight is rounded down.

    Notes
    -----
    Drift, protocol-v2 `state/spot_market.rs`, scaled initial asset weight.

    Examples
    --------
    >>> float(scaled_weight(0.9, 40_000 * 25, 500_000))
    0.45
    """
    held, cap = np.asarray(deposits, dtype=float), np.asarray(start, dtype=float)
    shrinks = (cap > 0) & (held > cap)
    return round_down(weight * np.where(shrinks, cap / np.where(shrinks, held, 1.0), 1.0), step)


def counted_profit(
    profit: Floats | float, *, weight: Floats | float = 1.0, most: float = np.inf
) -> Floats:
    """Unrealised profit that counts as collateral: losses whole, gains weighted and capped.

    Parameters
    ----------
    profit : float or ndarray (...)
    weight : float or ndarray (...)
        Share of a gain that counts; 0 where only losses do (Orderly's total collateral).
    most : float
        Most that counts of a gain (Drift, initial margin: 100 USD a position).

    Examples
    --------
    >>> counted_profit(np.array([-40.0, 30.0, 500.0]), most=100).tolist()
    [-40.0, 30.0, 100.0]
    """
    gain = np.minimum(np.asarray(weight) * np.maximum(profit, 0.0), most)
    counted: Floats = np.minimum(profit, 0.0) + gain
    return counted


def open_interest_fraction(
    base: float, open_interest: float, lower_cap: float, upper_cap: float, *, step: float = 0.0
) -> float:
    """Initial margin fraction that rises straight from `base` to 1 between two open interests.

    Parameters
    ----------
    base : float
        Fraction while open interest is at most `lower_cap`.
    open_interest, lower_cap, upper_cap : float
        Notional of all positions in the market and its bounds; no rise if `upper_cap` is 0.
    step : float
        Grid on which the rise is rounded down; the protocol's is a millionth.

    Notes
    -----
    dYdX v4-chain, `perpetuals/types/liquidity_tier.go`.

    Examples
    --------
    >>> open_interest_fraction(0.2, 15e6, 10e6, 20e6)
    0.6
    """
    lowest = exact(base)
    if upper_cap == 0 or open_interest <= lower_cap:
        return float(lowest)
    if open_interest >= upper_cap:
        return 1.0
    above = (exact(open_interest) - exact(lower_cap)) / (exact(upper_cap) - exact(lower_cap))
    return float(lowest + exact_down((1 - lowest) * above, step))


def margin_requirements(
    notional: float,
    initial_fraction: float,
    maintenance_share: float,
    *,
    scaled_fraction: float | None = None,
    quantum: float = 0.0,
) -> tuple[float, float]:
    """Initial and maintenance margin of a notional, each rounded up to whole quantums.

    Maintenance is a share of the initial margin at the base fraction, after its rounding: open
    interest raises initial margin only.

    Parameters
    ----------
    notional : float
        Its sign does not matter. It is cut to whole quantums first.
    initial_fraction : float
        Base initial margin over notional.
    maintenance_share : float
        Maintenance margin over base initial margin.
    scaled_fraction : float, optional
        Fraction in force for the initial margin, see `open_interest_fraction`.
    quantum : float
        Smallest amount of the quote currency in the unit of `notional`; 0 for no rounding.

    Notes
    -----
    dYdX v4-chain, `perpetuals/lib/lib.go`.

    Examples
    --------
    >>> margin_requirements(9200311488, 0.25, 0.6, quantum=1)
    (2300077872.0, 1380046724.0)
    """
    size = exact_down(abs(exact(notional)), quantum)
    base = exact_up(size * exact(initial_fraction), quantum)
    maintenance = exact_up(base * exact(maintenance_share), quantum)
    if scaled_fraction is None:
        return float(base), float(maintenance)
    return float(exact_up(size * exact(scaled_fraction), quantum)), float(maintenance)
