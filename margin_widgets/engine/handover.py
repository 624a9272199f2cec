"""How much of a position or a loan changes hands in a liquidation, and at what price.

Amounts and prices are plain numbers in one quote currency. Where a protocol computes in integers,
`quantum` names its smallest unit: results are then exact and rounded as it rounds them.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from margin_widgets.engine.arrays import Bools, Floats
from margin_widgets.engine.rounding import exact, exact_down, exact_up

GRACE_SLOTS = 1_500
SLOT_GROWTH = 1e-6
"""Drift: slots before a liquidator's fee grows, and by how much with each."""

CROSS_WEIGHT_STEP = 1e-5
"""Grid on which Drift rounds an asset's weight times its multiplier down."""


# -- prices -------------------------------------------------------------------------------------


def bankruptcy_price(
    size: Floats | float,
    price: Floats | float,
    equity: Floats | float,
    *,
    fee: Floats | float = 0.0,
    inverse: Bools | bool = False,
) -> Floats:
    """Price at which a position has used up the equity it has at another price.

    Linear ``(P - equity / q) / (1 - s f)``; inverse ``q (1 + s f) / (q / P + equity)``, with the
    signed size q in coin or quote units and s its sign.

    Parameters
    ----------
    size : float or ndarray (...)
        Signed; base coin (linear) or quote units (inverse).
    price : float or ndarray (...)
        Where it has that equity: the entry for the margin assigned, the mark for margin and profit.
    equity : float or ndarray (...)
        In the settlement asset.
    fee : float or ndarray (...)
        Taker fee of closing at the bankruptcy price, where the equity must pay it too.
    inverse : bool or ndarray (...)

    Returns
    -------
    ndarray (...)
        NaN where no positive price does it.

    Notes
    -----
    Bybit, "Bankruptcy Price (USDT Contract)" and "How to calculate Liquidation Price (Inverse
    Contract)".

    Examples
    --------
    >>> float(bankruptcy_price(1, 10_000, 200))
    9800.0
    >>> round(float(bankruptcy_price(10_000, 8_000, 0.5, fee=0.00075, inverse=True)), 2)
    5718.57
    """
    q, mark = np.asarray(size, dtype=float), np.asarray(price, dtype=float)
    side = np.sign(q)
    with np.errstate(divide="ignore", invalid="ignore"):
        linear = (mark - equity / q) / (1 - side * fee)
        coin = q * (1 + side * np.asarray(fee)) / (q / mark + equity)
    reached = np.where(inverse, coin, linear)
    positive: Floats = np.where((reached > 0) & np.isfinite(reached), reached, np.nan)
    return positive


def bankruptcy_quote(
    value: float,
    balance: float,
    closed_maintenance: float,
    maintenance: float,
    *,
    quantum: float = 0.0,
) -> float:
    """Quote amount for which a part of a pool can be closed without a loss to anybody else.

    The pool's balance is shared out by maintenance margin: ``value - balance * closed_maintenance
    / maintenance``.

    Parameters
    ----------
    value : float
        Value of what is closed at the oracle price: positive for the closing of a long.
    balance : float
        The pool's net collateral, unrealised profit included.
    closed_maintenance, maintenance : float
        Maintenance margin that the closing frees, and that of the pool before it.
    quantum : float
        The part of the balance is rounded down to it, so that the quote is never too low.

    Notes
    -----
    dYdX v4-chain, `clob/keeper/liquidations.go`, bankruptcy price in quote quantums.

    Examples
    --------
    >>> bankruptcy_quote(10_673_500, 49_987_000_000, 1_067_350, 5_000_000_000, quantum=1)
    2776.0
    """
    part = exact(balance) * exact(closed_maintenance) / exact(maintenance)
    return float(exact(value) - exact_down(part, quantum))


def fillable_price(
    price: float,
    size: float,
    maintenance: float,
    *,
    balance: float,
    requirement: float,
    adjustment: float = 1.0,
    spread: float = 0.1,
) -> float:
    """Price of a liquidation order: the oracle's, less a spread that grows towards bankruptcy.

    ``price - clamp(adjustment * (1 - balance / requirement), 0, 1) * spread * maintenance / size``.

    Parameters
    ----------
    price, size, maintenance : float
        Oracle price, signed size and own maintenance margin of the position.
    balance, requirement : float
        Net collateral and maintenance margin of its pool.
    adjustment : float
        How early the whole spread is reached; 1 for at bankruptcy.
    spread : float
        Largest spread as a share of the position's maintenance margin.

    Notes
    -----
    dYdX v4-chain, `clob/keeper/liquidations.go`, fillable price.

    Examples
    --------
    >>> fillable_price(50_000, 0.1, 500, balance=499, requirement=500, spread=0.2)
    49998.0
    """
    missing = exact(adjustment) * (1 - exact(balance) / exact(requirement))
    part = min(max(missing, Fraction(0)), Fraction(1))
    most = exact(spread) * exact(maintenance) / exact(size)
    return float(exact(price) - part * most)


def skewed_price(
    price: Floats | float, size: Floats | float, scale: Floats | float, skew: Floats | float = 0.0
) -> Floats | float:
    """Price at which an order fills where it pays for the imbalance that it makes.

    ``price * (1 + (skew + size / 2) / scale)``: the mean of the premium before and after the order.

    Parameters
    ----------
    price : float or ndarray (...)
        Index price.
    size : float or ndarray (...)
        Signed size of the order.
    scale : float or ndarray (...)
        The market's skew scale.
    skew : float or ndarray (...)
        Longs less shorts before the order.

    Notes
    -----
    Synthetix v3 perps market, fill price.

    Examples
    --------
    >>> skewed_price(2_000.0, 20, 1_000)
    2020.0
    """
    return price * (1 + (skew + size / 2) / scale)


# -- how much ------------------------------------------------------------------------------------


def requirement_with_buffer(requirement: float, liabilities: float, buffer: float) -> float:
    """Requirement that a pool in liquidation must cover to leave it.

    Parameters
    ----------
    requirement : float
    liabilities : float
        Value of what is owed: notional of the positions, weighted value of the loans.
    buffer : float
        Share of it that is added.

    Notes
    -----
    Drift, protocol-v2 `state/margin_calculation.rs`.
    """
    return float(exact(requirement) + exact(buffer) * exact(liabilities))


def collateral_with_buffer(collateral: float, profit: float, buffer: float) -> float:
    """Collateral of a pool in liquidation: its losses count a little more.

    Parameters
    ----------
    collateral : float
        Total collateral, unrealised profit included.
    profit : float
        What of it may be a loss: unrealised profit of the position (of an isolated one), or the
        total collateral itself (of a cross pool).
    buffer : float
        Share by which a loss is raised.

    Notes
    -----
    Drift, protocol-v2 `state/margin_calculation.rs`.
    """
    return float(exact(collateral) + exact(buffer) * min(exact(profit), Fraction(0)))


def base_to_cover(
    shortage: float,
    price: float,
    margin_ratio: float,
    *,
    liquidator_fee: float = 0.0,
    fund_fee: float = 0.0,
    quote_price: float = 1.0,
    quantum: float = 0.0,
) -> float:
    """Base amount of a perpetual to hand over so that its pool is back at the requirement.

    ``shortage / (P P_quote (margin_ratio - liquidator_fee) - P fund_fee)``: each unit frees its
    margin and costs the fees.

    Parameters
    ----------
    shortage : float
        What the pool lacks.
    price, quote_price : float
        Oracle prices of the base and of the quote asset.
    margin_ratio : float
        Maintenance margin over notional.
    liquidator_fee, fund_fee : float
        Shares of the notional that liquidator and insurance fund take.
    quantum : float
        Grid of base amounts; the result is rounded down to it.

    Returns
    -------
    float
        Infinite where closing frees no more than it costs.

    Notes
    -----
    Drift, protocol-v2 `math/liquidation.rs`.

    Examples
    --------
    >>> base_to_cover(10, 100, 0.1, liquidator_fee=0.01, fund_fee=0.01)
    1.25
    """
    freed = exact(price) * exact(quote_price) * (exact(margin_ratio) - exact(liquidator_fee))
    freed -= exact(price) * exact(fund_fee)
    if margin_ratio <= liquidator_fee or freed <= 0:
        return math.inf
    return float(exact_down(exact(shortage) / freed, quantum))


def liability_to_cover(
    shortage: float,
    price: float,
    *,
    asset_weight: float,
    liability_weight: float,
    asset_multiplier: float = 1.0,
    liability_multiplier: float = 1.0,
    fund_fee: float = 0.0,
    quantum: float = 0.0,
) -> float:
    """Amount of a loan to hand over, with assets against it, so that the requirement is met again.

    ``shortage / (P (lw - aw am / lm) - P fund_fee lw)``.

    Parameters
    ----------
    shortage : float
        What the pool lacks.
    price : float
        Price of a unit of the loan.
    asset_weight, liability_weight : float
        Weights with which asset (aw) and loan (lw) count.
    asset_multiplier, liability_multiplier : float
        Premium on the asset (am) and discount on the loan (lm) that the liquidator earns.
    fund_fee : float
        Share of the loan that the insurance fund takes.
    quantum : float
        Grid of the amount. With one, the asset's weight is rounded down on the protocol's grid
        (`CROSS_WEIGHT_STEP`) and at least one quantum is handed over.

    Returns
    -------
    float
        Infinite where the swap frees no more than it costs.

    Notes
    -----
    Drift, protocol-v2 `math/liquidation.rs`.

    Examples
    --------
    >>> liability_to_cover(10, 100, asset_weight=0.8, liability_weight=1.2)
    0.25
    """
    counted = exact(asset_weight) * exact(asset_multiplier) / exact(liability_multiplier)
    counted = exact_down(counted, CROSS_WEIGHT_STEP if quantum else 0.0)
    owed = exact(liability_weight)
    freed = exact(price) * (owed - counted) - exact(price) * exact(fund_fee) * owed
    if asset_weight >= liability_weight or counted >= owed or freed <= 0:
        return math.inf
    return float(max(exact_down(exact(shortage) / freed, quantum), exact(quantum)))


def liability_for_asset(
    amount: float,
    asset_price: float,
    liability_price: float,
    *,
    asset_multiplier: float = 1.0,
    liability_multiplier: float = 1.0,
    quantum: float = 0.0,
) -> float:
    """Amount of a loan that a whole asset pays for: ``amount P_a lm / (P_l am)``, rounded up.

    Parameters
    ----------
    amount, asset_price : float
        Of the asset that is handed over.
    liability_price : float
        Price of a unit of the loan.
    asset_multiplier, liability_multiplier : float
        Premium on the asset and discount on the loan that the liquidator earns.
    quantum : float
        Grid of the loan's amounts.

    Notes
    -----
    Drift, protocol-v2 `math/liquidation.rs`.

    Examples
    --------
    >>> round(liability_for_asset(10, 1, 100, asset_multiplier=1.01, liability_multiplier=0.99), 9)
    0.098019802
    """
    worth = exact(amount) * exact(asset_price) * exact(liability_multiplier)
    owed = worth / (exact(liability_price) * exact(asset_multiplier))
    return float(exact_up(owed, quantum))


def asset_for_liability(
    amount: float,
    liability_price: float,
    asset_price: float,
    *,
    asset_multiplier: float = 1.0,
    liability_multiplier: float = 1.0,
    quantum: float = 0.0,
) -> float:
    """Amount of an asset that goes with a loan: ``amount P_l am / (P_a lm)``, rounded down.

    Parameters
    ----------
    amount, liability_price : float
        Of the loan that is handed over.
    asset_price : float
        Price of a unit of the asset.
    asset_multiplier, liability_multiplier : float
        Premium on the asset and discount on the loan that the liquidator earns.
    quantum : float
        Grid of the asset's amounts.

    Notes
    -----
    Drift, protocol-v2 `math/liquidation.rs`.

    Examples
    --------
    >>> round(asset_for_liability(1, 100, 1, asset_multiplier=1.01, liability_multiplier=0.99), 6)
    102.020202
    """
    worth = exact(amount) * exact(liability_price) * exact(asset_multiplier)
    return float(exact_down(worth / (exact(asset_price) * exact(liability_multiplier)), quantum))


def liquidator_fee_after(base_fee: float, max_fee: float, slots: int) -> float:
    """Fee of a liquidator when nobody has acted for some slots.

    The base fee within `GRACE_SLOTS`; afterwards it is raised by `SLOT_GROWTH` for each of the
    slots, up to `max_fee`.

    Notes
    -----
    Drift, protocol-v2 `math/liquidation.rs`.

    Examples
    --------
    >>> liquidator_fee_after(0.02, 0.05, 10), liquidator_fee_after(0.02, 0.05, 10_000)
    (0.02, 0.03)
    """
    if slots < GRACE_SLOTS:
        return base_fee
    return float(min(exact(base_fee) + exact(SLOT_GROWTH) * slots, exact(max_fee)))


def share_freeable(
    shortage: float,
    *,
    elapsed: float,
    duration: float,
    initial: float,
    freed: float = 0.0,
    small: float = 50.0,
) -> float:
    """Share of a shortage that one liquidation may cover: it rises with time, small ones at once.

    Parameters
    ----------
    shortage, freed : float
        What the pool lacks, and what has been freed since the liquidation began.
    elapsed, duration : float
        Slots since then, and after how many everything may be freed.
    initial : float
        Share at the start.
    small : float
        Shortage below which everything may be freed.

    Notes
    -----
    Drift, protocol-v2 `math/liquidation.rs`.
    """
    if shortage < small:
        return 1.0
    part = min(1.0, initial + (elapsed / duration if duration else 1.0))
    return max(0.0, (shortage + freed) * part - freed) / shortage
