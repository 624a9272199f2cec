"""Standard margin of single option positions, as the venues charge it without portfolio margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from margin_widgets.engine.arrays import Floats

Applies = Literal["never", "puts", "always"]


@dataclass(frozen=True)
class OptionMargin:
    """A venue's standard margin of option positions; all rates are shares of the index price.

    A short option owes, per unit of the underlying and in quote units,

    - initially ``max(initial * index - out of the money, initial_floor * index) + premium``, and
    - for maintenance ``maintenance * max(index, mark) + mark + liquidation_fee * index``, where
      the mark counts beside the index only for the kinds that `maintenance_on_mark` names.

    A long option is paid for and owes nothing. Where premiums are in coin, the same formula in
    coin is this one divided by the index.

    Attributes
    ----------
    initial, initial_floor : float
        Initial rate before and after the amount out of the money is taken off.
    maintenance : float
        Maintenance rate.
    maintenance_on_mark : {"never", "puts", "always"}
        Whose maintenance rate applies to the mark where that is above the index.
    premium_at : {"mark", "higher of entry and mark"}
        The premium inside initial margin.
    liquidation_fee : float
        Fee of a forced close that maintenance margin holds in addition.
    initial_not_below_maintenance : {"never", "puts", "always"}
        Whose initial margin is at least the maintenance margin.
    value_in_margin_balance : bool
        Whether the value of options (negative for short ones) counts in the margin balance.
    order_fee, order_fee_cap : float
        Fee that an order to buy reserves beside its premium: a share of the index, capped at a
        share of the premium.
    order_premium_credited : bool
        Whether the premium to be received lowers the margin of an order to sell.
    """

    initial: float = 0.15
    initial_floor: float = 0.10
    maintenance: float = 0.075
    maintenance_on_mark: Applies = "never"
    premium_at: Literal["mark", "higher of entry and mark"] = "mark"
    liquidation_fee: float = 0.0
    initial_not_below_maintenance: Applies = "never"
    value_in_margin_balance: bool = False
    order_fee: float = 0.0
    order_fee_cap: float = 0.125
    order_premium_credited: bool = False


def _applies(rule: Applies, kind: ArrayLike) -> ArrayLike:
    return np.less(kind, 0) if rule == "puts" else rule == "always"


def maintenance_rate(
    rules: OptionMargin, kind: ArrayLike, index: ArrayLike, mark: ArrayLike
) -> Floats:
    """Maintenance margin of one unit of a short option, in quote units."""
    index, mark = np.asarray(index, dtype=float), np.asarray(mark, dtype=float)
    base = np.where(_applies(rules.maintenance_on_mark, kind), np.maximum(index, mark), index)
    result: Floats = rules.maintenance * base + mark + rules.liquidation_fee * index
    return result


def initial_rate(
    rules: OptionMargin,
    kind: ArrayLike,
    index: ArrayLike,
    strike: ArrayLike,
    mark: ArrayLike,
    entry: ArrayLike,
) -> Floats:
    """Initial margin of one unit of a short option, in quote units."""
    index, mark = np.asarray(index, dtype=float), np.asarray(mark, dtype=float)
    out_of_the_money = np.maximum(np.multiply(kind, np.subtract(strike, index)), 0.0)
    charge = np.maximum(rules.initial * index - out_of_the_money, rules.initial_floor * index)
    charge = charge + (mark if rules.premium_at == "mark" else np.maximum(entry, mark))
    floored: Floats = np.maximum(charge, maintenance_rate(rules, kind, index, mark))
    return np.where(_applies(rules.initial_not_below_maintenance, kind), floored, charge)


def maintenance(
    rules: OptionMargin,
    kind: ArrayLike,
    size: ArrayLike,
    index: ArrayLike,
    strike: ArrayLike,
    mark: ArrayLike,
    entry: ArrayLike,
) -> Floats:
    """Maintenance margin of held options, in quote units; all arguments broadcast.

    Parameters
    ----------
    rules : OptionMargin
    kind : array_like
        +1 for a call, -1 for a put.
    size : array_like
        Signed size in units of the underlying; long options owe nothing.
    index, strike : array_like
        Price of the underlying and strike, in quote units.
    mark, entry : array_like
        Premium at mark and at entry, in quote units per unit of the underlying. The venues' rules
        use neither the strike nor the entry here; they are taken so that both margins are called
        alike.
    """
    del strike, entry
    short: Floats = np.maximum(np.negative(size), 0.0)
    return short * maintenance_rate(rules, kind, index, mark)


def initial(
    rules: OptionMargin,
    kind: ArrayLike,
    size: ArrayLike,
    index: ArrayLike,
    strike: ArrayLike,
    mark: ArrayLike,
    entry: ArrayLike,
) -> Floats:
    """Initial margin of held options, in quote units; arguments as in `maintenance`."""
    short: Floats = np.maximum(np.negative(size), 0.0)
    return short * initial_rate(rules, kind, index, strike, mark, entry)


def order_initial(
    rules: OptionMargin,
    kind: ArrayLike,
    size: ArrayLike,
    index: ArrayLike,
    strike: ArrayLike,
    mark: ArrayLike,
    price: ArrayLike,
) -> Floats:
    """Margin that an order reserves at `price`, in quote units; arguments as in `maintenance`.

    An order to buy reserves its premium and, where the venue says so, the fee. An order to sell
    reserves the initial margin of the position it opens, entered at its own price.
    """
    size, price = np.asarray(size, dtype=float), np.asarray(price, dtype=float)
    fee = np.minimum(rules.order_fee * np.asarray(index, dtype=float), rules.order_fee_cap * price)
    reserved = initial_rate(rules, kind, index, strike, mark, price)
    if rules.order_premium_credited:
        reserved = np.maximum(reserved - price, 0.0)
    return np.where(size > 0, size * (price + fee), -size * reserved)
