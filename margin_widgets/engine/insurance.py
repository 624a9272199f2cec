"""Who pays what a fallen pool cannot: the insurance fund, then the winners on the other side.

Money that leaves one hand arrives in another: a fund's delta is what traders lose to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from margin_widgets.engine.arrays import Floats, Ints
from margin_widgets.engine.rounding import exact, exact_down

KEPT_OF_FUND_FEE = 0.95
"""Drift: part of the spare margin that the fund's fee may take, lest the fee bankrupts."""


# -- the fund's delta -----------------------------------------------------------------------------


def fund_delta(margin: float, realized: float, fee: float = 0.0) -> float:
    """What the insurance fund receives of a closed position; negative if it pays.

    Parameters
    ----------
    margin : float
        Margin that stood behind it.
    realized : float
        Profit realised at the fill, negative for a loss.
    fee : float
        What others take first.

    Examples
    --------
    >>> fund_delta(50, 10 * (40 - 100))
    -550.0
    """
    return float(exact(margin) + exact(realized) - exact(fee))


def fund_delta_above_bankruptcy(
    quote: float, bankruptcy_quote: float, max_fee: float, *, quantum: float = 0.0
) -> float:
    """What the fund receives where the trader keeps what is left beyond a highest fee.

    Parameters
    ----------
    quote : float
        Quote amount of the fill: received for a long, negative (paid) for a short.
    bankruptcy_quote : float
        The same at the bankruptcy price, see `engine.handover.bankruptcy_quote`.
    max_fee : float
        Most that the fund takes, as a share of the quote amount.
    quantum : float
        Grid on which that fee is rounded down.

    Returns
    -------
    float
        ``min(max_fee * |quote|, quote - bankruptcy_quote)``; negative if the fund pays.

    Notes
    -----
    dYdX v4-chain, `clob/keeper/liquidations.go`, insurance fund delta.

    Examples
    --------
    >>> fund_delta_above_bankruptcy(5610, 5100, 0.005)
    28.05
    """
    spare = exact(quote) - exact(bankruptcy_quote)
    most = exact_down(abs(exact(quote)) * exact(max_fee), quantum)
    return float(min(most, spare))


def position_fund_fee(
    shortage: float,
    notional: float,
    margin_ratio: float,
    liquidator_fee: float,
    max_fee: float,
    *,
    quantum: float = 0.0,
) -> float:
    """Share of a perpetual's closed notional for the fund: what closing can spare, up to a most.

    ``min(max_fee, 0.95 (margin_ratio - liquidator_fee - shortage / notional))``, at least 0.

    Parameters
    ----------
    shortage : float
        What the pool lacks.
    notional : float
        Of the whole position, in the same currency.
    margin_ratio, liquidator_fee, max_fee : float
        Shares of notional.
    quantum : float
        Grid of the fee, on which it is rounded down; the protocol's is a millionth.

    Notes
    -----
    Drift, protocol-v2 `math/liquidation.rs`.

    Examples
    --------
    >>> position_fund_fee(20, 1_000, 0.05, 0.01, 0.05)
    0.019
    """
    if notional <= 0 or margin_ratio <= liquidator_fee:
        return 0.0
    spare = exact(margin_ratio) - exact(liquidator_fee) - exact(shortage) / exact(notional)
    fee = exact_down(max(spare, Fraction(0)) * exact(KEPT_OF_FUND_FEE), quantum)
    return float(min(fee, exact(max_fee)))


def loan_fund_fee(
    shortage: float,
    value: float,
    *,
    asset_weight: float,
    liability_weight: float,
    max_fee: float,
    asset_multiplier: float = 1.0,
    liability_multiplier: float = 1.0,
    quantum: float = 0.0,
) -> float:
    """Share of a loan for the fund: what handing it over can spare, up to a most.

    ``min(max_fee, (lw - aw am / lm - shortage / value) / lw)``, at least 0.

    Parameters
    ----------
    shortage : float
        What the pool lacks.
    value : float
        Value of the whole loan.
    asset_weight, liability_weight, asset_multiplier, liability_multiplier : float
        As for `engine.handover.liability_to_cover`.
    max_fee : float
    quantum : float
        Grid of the fee, on which it is rounded down; the protocol's is a millionth.

    Notes
    -----
    Drift, protocol-v2 `math/liquidation.rs`.

    Examples
    --------
    >>> weights = {"asset_weight": 1, "liability_weight": 1.1, "asset_multiplier": 1.01}
    >>> loan_fund_fee(5, 100, **weights, max_fee=0.05, quantum=1e-6)
    0.036363
    """
    if value <= 0 or asset_weight >= liability_weight or liability_multiplier == 0:
        return 0.0
    owed = exact(liability_weight)
    spare = owed - exact(asset_weight) * exact(asset_multiplier) / exact(liability_multiplier)
    spare -= exact(shortage) / exact(value)
    fee = exact_down(max(spare, Fraction(0)) / owed, quantum)
    return float(min(fee, exact(max_fee)))


# -- the winners ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Winners:
    """Positions in one symbol on the side that a liquidation must be matched with (N,).

    Attributes
    ----------
    size, entry : ndarray (N,)
        Signed size (base coin) and entry price.
    balance : ndarray (N,)
        What else each position's account or pool holds: its equity without this one's profit.
    mark : float
        Mark price of the symbol.
    maintenance : ndarray (N,), optional
        Maintenance margin of that account or pool, where the rank asks for it.
    """

    size: Floats
    entry: Floats
    balance: Floats
    mark: float
    maintenance: Floats | float = np.nan

    @property
    def profit(self) -> Floats:
        """Unrealised profit (N,)."""
        return self.size * (self.mark - self.entry)

    @property
    def equity(self) -> Floats:
        """Equity of each account or pool, this position's profit included (N,)."""
        return self.balance + self.profit

    @property
    def notional(self) -> Floats:
        """Notional at mark (N,)."""
        return np.abs(self.size) * self.mark


def profit_over_equity(winners: Winners) -> Floats:
    """Unrealised profit over equity."""
    return winners.profit / winners.equity


def profit_and_leverage(winners: Winners) -> Floats:
    """Relative profit times effective leverage; a loss is divided by it.

    Profit over entry notional and notional over equity (BitMEX, "Auto-Deleveraging"; Bybit ranks
    by the same two).
    """
    gained = winners.profit / (np.abs(winners.size) * winners.entry)
    leverage = winners.notional / winners.equity
    return np.where(gained > 0, gained * leverage, gained / leverage)


def profit_and_margin_ratio(winners: Winners) -> Floats:
    """Relative profit times maintenance over equity; a loss is divided by it.

    Profit over entry notional (Binance, "What Is Auto-Deleveraging", where the words are given and
    the quotient is not).
    """
    gained = winners.profit / (np.abs(winners.size) * winners.entry)
    ratio = winners.maintenance / winners.equity
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gained > 0, gained * ratio, gained / ratio)


def hyperliquid_index(winners: Winners) -> Floats:
    """Mark over entry (entry over mark for a short) times notional over account value.

    Hyperliquid, "Auto-deleveraging", writes it for a long; mirrored, a short that gained more
    comes first too.
    """
    moved = np.where(winners.size > 0, winners.mark / winners.entry, winners.entry / winners.mark)
    return moved * winners.notional / winners.equity


ADL_RANKS: Mapping[str, Callable[[Winners], Floats]] = MappingProxyType(
    {
        "pnl over equity": profit_over_equity,
        "profit and leverage": profit_and_leverage,
        "profit and margin ratio": profit_and_margin_ratio,
        "hyperliquid index": hyperliquid_index,
    }
)
"""Ranking formulas by name: who ranks highest is deleveraged first."""


def adl_order(winners: Winners, rank: str = "pnl over equity") -> Ints:
    """Order in which positions are deleveraged, those of equal rank as they were given (N,).

    Accounts without equity come last: they are to be liquidated themselves.

    Raises
    ------
    ValueError
        If there is no such rank.
    """
    if rank not in ADL_RANKS:
        raise ValueError(f"rank: {rank!r} is not one of {', '.join(map(repr, ADL_RANKS))}")
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(winners.equity > 0, ADL_RANKS[rank](winners), -np.inf)
    return np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")


@dataclass(frozen=True)
class Deleveraging:
    """What winners gave up for a deficit. Arrays in the order in which they were given (N,).

    Attributes
    ----------
    order : ndarray of int (N,)
        Who was asked first, second, ...
    closed : ndarray (N,)
        Size closed of each, signed as the position.
    absorbed : ndarray (N,)
        Gain that each gave up.
    equity : ndarray (N,)
        Equity of each afterwards.
    uncovered : float
        What of the deficit nobody was left to absorb.
    """

    order: Ints
    closed: Floats
    absorbed: Floats
    equity: Floats
    uncovered: float


def deleverage(
    deficit: float,
    winners: Winners,
    *,
    rank: str = "pnl over equity",
    quantity: float | None = None,
) -> Deleveraging:
    """Close winners at the bankruptcy price of a fallen position, in the order of their rank.

    Each gives up the difference between mark and bankruptcy price on what is closed, and keeps the
    rest of its gain.

    Parameters
    ----------
    deficit : float
        What margin and insurance fund do not cover, at least 0.
    winners : Winners
    rank : str
        Name in `ADL_RANKS`.
    quantity : float, optional
        Size of the fallen position; the bankruptcy price is then deficit / quantity away from the
        mark, and winners are closed up to that size in all. If not given, each winner is closed
        whole and gives up as much of its gain as is still wanted.

    Raises
    ------
    ValueError
        If there is no such rank, the deficit is negative or the quantity not positive.

    Examples
    --------
    >>> short = Winners(np.array([-10.0]), np.array([100.0]), balance=np.array([100.0]), mark=40)
    >>> float(deleverage(550, short).equity[0])
    150.0
    """
    if not deficit >= 0:
        raise ValueError(f"deficit: {deficit!r} must be at least 0")
    if quantity is not None and not quantity > 0:
        raise ValueError(f"quantity: {quantity!r} must be above 0")
    order = adl_order(winners, rank)
    size = np.abs(winners.size)
    # What each offers in turn: size at a price, or gain.
    offered = size if quantity is not None else np.maximum(winners.profit, 0.0)
    wanted = float(quantity) if quantity is not None else float(deficit)
    before = np.concatenate([[0.0], np.cumsum(offered[order])[:-1]])
    taken = np.zeros(len(size))
    taken[order] = np.clip(wanted - before, 0.0, offered[order])
    if quantity is not None:
        closed, absorbed = taken, taken * (deficit / quantity)
    else:
        closed, absorbed = np.where(taken > 0, size, 0.0), taken
    return Deleveraging(
        order=order,
        closed=closed * np.sign(winners.size),
        absorbed=absorbed,
        equity=winners.equity - absorbed,
        uncovered=max(0.0, float(deficit - absorbed.sum())),
    )
