"""Options on a forward by Black (1976), without discounting: prices, Greeks, implied volatility.

All functions broadcast their arguments. `kind` is +1 for a call and -1 for a put; `forward`,
`strike` and prices are in quote units; `years` is the time to expiry and `volatility` is per year,
so that ``total = volatility * sqrt(years)`` is all that the value depends on besides. No argument
warns: without time or volatility an option is worth its intrinsic value.

The normal distribution is evaluated here in NumPy, so that the engine needs no SciPy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from margin_widgets.engine.arrays import Floats

MOST_TOTAL = 64.0
"""Total volatility that `implied_volatility` gives for a price that no volatility reaches."""

# Below this share of the price, time value is the rounding of price less intrinsic value.
_ROUNDING = 1e-14
_MOST_STEPS = 100  # bisection alone would need half of them
# Beyond this many standard deviations both tails are 0 in floating point.
_FARTHEST = 1e3
_ROOT_TWO_PI = np.sqrt(2 * np.pi)

# (z + 5) exp(z^2 / 2) N(-z) in powers of (z - 5) / (z + 5), the first power first: the Chebyshev
# expansion to 24 terms, rewritten. Its relative error is below 4e-16 for every z >= 0.
_TAIL = (
    0.769193049750063,
    -0.665382502890057,
    0.4953056159699805,
    -0.3135331566712814,
    0.16502036617019517,
    -0.06911863870707162,
    0.02079506680323404,
    -0.002993376758978479,
    -0.0007978694277475279,
    0.0005448989683735693,
    -5.937558833378611e-05,
    -4.97623279246073e-05,
    1.668085271995103e-05,
    3.979361513905674e-06,
    -2.768878783721796e-06,
    -3.3354271426032944e-07,
    4.3347664291293257e-07,
    3.8571448727051053e-08,
    -6.741689056531273e-08,
    -6.940847490341722e-09,
    9.275082261775923e-09,
    1.2713759740614353e-09,
    -7.854458620632073e-10,
    -1.3312108289089629e-10,
)


def _scaled_tail(z: Floats) -> Floats:
    """``exp(z^2 / 2) N(-z)`` for z >= 0: the tail of the normal distribution, never 0."""
    t = (z - 5) / (z + 5)
    total: Floats = np.full(t.shape, _TAIL[-1])
    for coefficient in reversed(_TAIL[:-1]):
        total *= t
        total += coefficient
    total /= z + 5
    return total


def normal_distribution(x: ArrayLike) -> Floats:
    """Probability that a standard normal variable is below `x`, with full relative precision."""
    z: Floats = np.clip(np.asarray(x, dtype=float), -_FARTHEST, _FARTHEST)
    tail = np.exp(-0.5 * z * z) * _scaled_tail(np.abs(z))
    return np.where(z > 0, 1 - tail, tail)


def _density(x: Floats) -> Floats:
    result: Floats = np.exp(-0.5 * x * x) / _ROOT_TWO_PI
    return result


def _log_ratio(above: Floats, below: Floats) -> Floats:
    """``log(above / below)``, with full relative precision where the two are near each other."""
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = above / below
        near = np.log1p((above - below) / below)
        return np.where((apart > 0.5) & (apart < 2.0), near, np.log(apart))


def _deviations(log_ratio: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Black's d1 and d2."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        middle = np.where(log_ratio == 0, 0.0, log_ratio / total)
    near = np.clip(middle + total / 2, -_FARTHEST, _FARTHEST)
    return near, np.clip(middle - total / 2, -_FARTHEST, _FARTHEST)


def _time_value(low: Floats, log_ratio: Floats, total: Floats) -> Floats:
    """Value of the option out of the money on `low` and a higher price, ``log_ratio <= 0`` away.

    A call below its strike and a put above it are the same function of the lower and the higher
    of forward and strike. With ``w = low exp(-d1^2 / 2) = high exp(-d2^2 / 2)`` the value is w
    times a difference of scaled tails, which keeps the digits of options far out of the money.
    """
    near, far = _deviations(log_ratio, total)
    weight = low * np.exp(-0.5 * near * near)
    above, below = _scaled_tail(np.abs(near)), _scaled_tail(np.abs(far))
    value = np.where(near > 0, low - weight * (above + below), weight * (above - below))
    return np.where((total > 0) & (low > 0), np.maximum(value, 0.0), 0.0)


def _floats(*arguments: ArrayLike) -> list[Floats]:
    return [np.asarray(argument, dtype=float) for argument in arguments]


def price(
    kind: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike
) -> Floats:
    """Value of options in quote units, undiscounted.

    The relative error of an option out of the money is about ``1e-16 (1 + d^2 + 1 / total)``.

    Examples
    --------
    >>> float(price(1, 100.0, 100.0, 1.0, 0.2).round(6))
    7.965567
    """
    s, F, K, T, sigma = _floats(kind, forward, strike, years, volatility)
    low, high = np.minimum(F, K), np.maximum(F, K)
    total = sigma * np.sqrt(np.maximum(T, 0.0))
    return np.maximum(s * (F - K), 0.0) + _time_value(low, _log_ratio(low, high), total)


def delta(
    kind: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike
) -> Floats:
    """Change of the value per change of the forward, ``kind * N(kind * d1)``."""
    s, F, K, T, sigma = _floats(kind, forward, strike, years, volatility)
    near, _ = _deviations(_log_ratio(F, K), sigma * np.sqrt(np.maximum(T, 0.0)))
    result: Floats = s * normal_distribution(s * near)
    return result


def vega(forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike) -> Floats:
    """Change of the value per change of volatility by 1 (100 percentage points)."""
    F, K, T, sigma = _floats(forward, strike, years, volatility)
    root = np.sqrt(np.maximum(T, 0.0))
    near, _ = _deviations(_log_ratio(F, K), sigma * root)
    result: Floats = F * root * _density(near)
    return result


def theta(forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike) -> Floats:
    """Change of the value per year that passes, never above 0; 0 for an expired option."""
    T, sigma = _floats(years, volatility)
    left = np.where(T > 0, T, 1.0)
    decay = vega(forward, strike, left, sigma) * sigma / (2 * left)
    return np.where(T > 0, -decay, 0.0)


def implied_volatility(
    kind: ArrayLike, price: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike
) -> Floats:
    """Volatility at which options are worth `price`; always a finite number.

    A price at or below the intrinsic value gives 0, and so does an expired option. A price that no
    volatility reaches (a call at its forward, a put at its strike) gives the volatility whose
    total is `MOST_TOTAL`, at which `price` is that bound.

    Notes
    -----
    Value over total volatility is convex up to ``sqrt(2 |log(forward / strike)|)`` and concave
    beyond. Newton's method runs from that point into the side on which the price lies, on a scale
    on which that side is nearly straight (the inverse of the logarithm of the value below, the
    logarithm of the distance to the bound above), and bisects where a step would leave the bracket.
    """
    s, value, F, K, T = np.broadcast_arrays(*_floats(kind, price, forward, strike, years))
    low, high = np.minimum(F, K), np.maximum(F, K)
    time_value = value - np.maximum(s * (F - K), 0.0)
    solvable = (time_value > _ROUNDING * value) & (T > 0) & (low > 0)
    low, high = low[solvable], high[solvable]
    total = _implied_total(time_value[solvable] / low, _log_ratio(low, high))
    result = np.zeros(value.shape)
    result[solvable] = total / np.sqrt(T[solvable])
    return result


def _implied_total(target: Floats, log_ratio: Floats) -> Floats:
    """Total volatility at which time value is `target` times the lower price (M,)."""
    one, at_bound = np.ones(target.shape), target >= 1
    inflection = np.sqrt(-2 * log_ratio)
    convex = target < _time_value(one, log_ratio, inflection)
    low = np.where(convex, 0.0, inflection)
    high = np.where(convex, inflection, MOST_TOTAL)
    total = inflection
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # Both scales are increasing in the value, so one sign rules the bracket.
        goal = np.where(convex, -1 / np.log(target), -np.log1p(-target))
        for _ in range(_MOST_STEPS):
            value = _time_value(one, log_ratio, total)
            logarithm = np.log(value)
            miss = np.where(convex, -1 / logarithm, -np.log1p(-value)) - goal
            slope = _density(_deviations(log_ratio, total)[0])
            slope /= np.where(convex, value * logarithm * logarithm, 1 - value)
            low, high = np.where(miss < 0, total, low), np.where(miss > 0, total, high)
            newton = np.where(miss == 0, total, total - miss / slope)
            inside = (newton >= low) & (newton <= high)
            step = np.where(inside, newton, (low + high) / 2)
            # Newton's error is squared by each step, so that after a small one none is left.
            settled = np.where(inside, np.abs(step - total) <= 1e-9 * total, high - low <= 1e-15)
            total = step
            if np.all(settled | at_bound):
                break
    return np.where(at_bound, MOST_TOTAL, total)


def option_marks(
    kind: ArrayLike,
    mark: ArrayLike,
    index: ArrayLike,
    moved: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    volatility: ArrayLike,
    in_coin: ArrayLike = False,
) -> Floats:
    """Marks of options after their underlying moved, at unchanged implied volatility.

    Parameters
    ----------
    kind, strike, years, volatility : array_like
        As everywhere here; `volatility` is best the implied one of `mark`.
    mark : array_like
        Present mark: quote units per unit of the underlying, or coin where `in_coin`.
    index, moved : array_like
        Price of the underlying now and after the move.
    in_coin : array_like of bool
        Whether marks are in coin: value over the price of the underlying.

    Returns
    -------
    ndarray
        What Black's value at `moved` is, plus what the present mark is above its value at `index`;
        at least 0, and the present mark itself where nothing moved.
    """
    then, now, to = _floats(mark, index, moved)
    unit_now, unit_then = np.where(in_coin, now, 1.0), np.where(in_coin, to, 1.0)
    beyond_model = then * unit_now - price(kind, now, strike, years, volatility)
    value = np.maximum(price(kind, to, strike, years, volatility) + beyond_model, 0.0)
    return np.where(to == now, then, value / unit_then)
