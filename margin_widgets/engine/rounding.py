"""Numbers on a grid: prices on ticks, amounts in quantums, and exact decimals for chains."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

import numpy as np

from margin_widgets.engine.arrays import Floats

Direction = Literal["towards entry", "away from entry", "up", "down"]
DIRECTIONS = ("towards entry", "away from entry", "up", "down")

_NEAR = 1e-9
"""Part of a step within which a number counts as being on the grid."""


def to_tick(
    price: Floats | float,
    tick: Floats | float,
    direction: Direction,
    entry: Floats | float | None = None,
) -> Floats:
    """Round prices to ticks.

    A liquidation price goes towards the entry (earlier liquidation) and a bankruptcy price away
    from it, where a venue rounds them (Bybit and KuCoin, positions as their interfaces report
    them).

    Parameters
    ----------
    price : float or ndarray (...)
        NaN stays NaN.
    tick : float or ndarray (...)
        Price step; a price whose tick is NaN stays as it is.
    direction : {"towards entry", "away from entry", "up", "down"}
    entry : float or ndarray (...), optional
        Needed for the directions that name it.

    Examples
    --------
    >>> float(to_tick(5739.08, 0.5, "towards entry", entry=8000)), float(to_tick(9.3, 0.1, "down"))
    (5739.5, 9.3)
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction: {direction!r} is not one of {DIRECTIONS}")
    prices = np.asarray(price, dtype=float)
    if direction in ("up", "down"):
        upwards = np.full(prices.shape, direction == "up")
    elif entry is None:
        raise ValueError(f"direction {direction!r}: the entry price is missing")
    else:
        upwards = (np.asarray(entry) > prices) == (direction == "towards entry")
    ticks = np.broadcast_to(np.asarray(tick, dtype=float), prices.shape)
    rounded: Floats = np.where(np.isnan(ticks), prices, _on_grid(prices, ticks, upwards))
    return rounded


def round_up(amount: Floats | float, step: float) -> Floats:
    """Round amounts up to whole steps; 0 for no grid."""
    return _rounded(amount, step, upwards=True)


def round_down(amount: Floats | float, step: float) -> Floats:
    """Round amounts down to whole steps; 0 for no grid.

    Examples
    --------
    >>> float(round_down(0.3, 0.1)), float(round_up(0.31, 0.1))
    (0.3, 0.4)
    """
    return _rounded(amount, step, upwards=False)


def buffered(
    price: Floats | float, entry: Floats | float, share: Floats | float = 0.05
) -> Floats | float:
    """Liquidation price moved towards the entry by a share of the distance: a margin of safety.

    Parameters
    ----------
    price, entry : float or ndarray
    share : float
        0.05 is what freqtrade uses (its documentation, "liquidation_buffer").

    Examples
    --------
    >>> round(buffered(90_000.0, 100_000.0), 2)
    90500.0
    """
    return price + share * (entry - price)


# -- exact decimals -----------------------------------------------------------------------------


def exact(amount: float | Fraction) -> Fraction:
    """Return the decimal that a float is written as, exactly: 0.1 is one tenth.

    Protocols compute in integers of small units and round every division; sums of binary fractions
    would land beside their results.
    """
    if isinstance(amount, (int, Fraction)):
        return Fraction(amount)
    return Fraction(repr(float(amount)))


def exact_down(amount: Fraction, step: float) -> Fraction:
    """Round an exact number down to whole steps; 0 for no grid."""
    unit = exact(step)
    return unit * math.floor(amount / unit) if unit else amount


def exact_up(amount: Fraction, step: float) -> Fraction:
    """Round an exact number up to whole steps; 0 for no grid."""
    return -exact_down(-amount, step)


def _rounded(amount: Floats | float, step: float, *, upwards: bool) -> Floats:
    amounts = np.asarray(amount, dtype=float)
    if step == 0:
        return amounts
    steps = np.broadcast_to(np.asarray(step, dtype=float), amounts.shape)
    return _on_grid(amounts, steps, np.full(amounts.shape, upwards))


def _on_grid(amounts: Floats, steps: Floats, upwards: Floats) -> Floats:
    """Round to whole steps; what rounding errors put beside the grid is on it."""
    with np.errstate(invalid="ignore"):
        count = amounts / steps
        nearest = np.rint(count)
        slack = np.maximum(_NEAR, 4 * np.finfo(float).eps * np.abs(count))
        whole = np.where(upwards, np.ceil(count), np.floor(count))
        whole = np.where(np.abs(count - nearest) <= slack, nearest, whole)
        # Steps such as 0.05 are no binary fractions, but twentieths divide exactly.
        parts = np.rint(1 / steps)
        divides = (parts > 0) & (np.abs(parts * steps - 1) < _NEAR)
        on_grid: Floats = np.where(divides, whole / np.where(divides, parts, 1.0), whole * steps)
    return on_grid
