"""dYdX: margin requirements, bankruptcy and fillable prices, the fund, in whole quantums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from margin_widgets.engine import handover, insurance, rounding, weights
from tests.conformance.cases import Case, Library
from tests.conformance.families.states import answered
from tests.conformance.outcome import Answer, Got, NotUnderstoodError
from tests.conformance.words import Given, as_number

RESOLUTION = {"BTC": -8, "ETH": -9}
"""Exponent of a base quantum of the protocol's test markets."""
QUOTE_QUANTUM = 1e-6


@dataclass(frozen=True)
class Holding:
    """One position of a subaccount, in coins and USD."""

    market: str
    size: float
    price: float

    @property
    def value(self) -> float:
        """Value at the oracle price, negative for a short, exact in decimals."""
        return float(rounding.exact(self.size) * rounding.exact(self.price))


@dataclass(frozen=True)
class Subaccount:
    """Positions and the quote balance behind them; amounts in USD."""

    balance: float
    holdings: tuple[Holding, ...]
    initial: float
    maintenance: float

    @property
    def net(self) -> float:
        """Net collateral."""
        worth = sum((rounding.exact(one.value) for one in self.holdings), rounding.exact(0))
        return float(rounding.exact(self.balance) + worth)

    def required(self, value: float) -> float:
        """Maintenance margin of a value, rounded up to quantums."""
        share = float(rounding.exact(self.maintenance) / rounding.exact(self.initial))
        return weights.margin_requirements(abs(value), self.initial, share, quantum=QUOTE_QUANTUM)[
            1
        ]

    @property
    def requirement(self) -> float:
        """Maintenance margin of all positions."""
        return sum(self.required(one.value) for one in self.holdings)

    def holding(self, market: Any) -> Holding:
        """The position in a market, the only one if none is named."""
        found = [one for one in self.holdings if market is None or one.market == market]
        if len(found) != 1:
            raise NotUnderstoodError(f"market {market!r} is not one of the positions")
        return found[0]


def subaccount(given: Given, *, priced: bool = True) -> Subaccount:
    """The subaccount of a case of the protocol's own tests."""
    rows = given.raw("positions_base_quantums")
    if not isinstance(rows, list) or not rows:
        raise NotUnderstoodError("the inputs name no positions in base quantums")
    holdings = []
    for market, quantums in rows:
        name = f"{str(market).lower()}_price"
        price = given.raw(name)
        if price is None and priced:
            raise NotUnderstoodError(f"the inputs have no {name!r}")
        holdings.append(Holding(str(market), coins(market, quantums), float(price or 0.0)))
    given.use("btc_price", "eth_price")  # stated of every market, whichever is held
    return Subaccount(
        balance=given.amount("quote_balance_usd", "quote_balance"),
        holdings=tuple(holdings),
        initial=given.number("imr") or 1.0,
        maintenance=given.number("mmr") or 0.0,
    )


def coins(market: Any, quantums: Any) -> float:
    """Coins of base quantums."""
    if market not in RESOLUTION:
        raise NotUnderstoodError(f"the size of a quantum of {market!r} is not stated")
    return float(rounding.exact(quantums) * rounding.exact(10) ** RESOLUTION[market])


def quantums(amount: float) -> float:
    """Quote quantums of an amount in USD."""
    return float(rounding.exact(amount) / rounding.exact(QUOTE_QUANTUM))


def bankruptcy(case: Case, library: Library) -> Answer:
    """Quote amount at which a part of a subaccount can be closed without loss to others."""
    given = Given(case.inputs)
    account = subaccount(given)
    holding = account.holding(given.raw("close_market", "market"))
    delta = coins(holding.market, given.amount("delta_quantums"))
    left = account.required(Holding(holding.market, holding.size + delta, holding.price).value)
    freed = rounding.exact(account.required(holding.value)) - rounding.exact(left)
    got = handover.bankruptcy_quote(
        -Holding(holding.market, delta, holding.price).value,
        account.net,
        float(freed),
        account.requirement,
        quantum=QUOTE_QUANTUM,
    )
    known: dict[str, Got] = {"bankruptcy_quote_quantums": quantums(got), "bankruptcy_quote": got}
    through = "engine.handover.bankruptcy_quote, engine.weights.margin_requirements"
    return answered(case, given, known, through)


def fillable(case: Case, library: Library) -> Answer:
    """Price of a liquidation order."""
    given = Given(case.inputs)
    account = subaccount(given)
    holding = account.holding(given.raw("market", "close_market"))
    adjustment = given.raw("bankruptcy_adjustment")
    spread = given.raw("spread_to_mm_ratio", "spread_to_maintenance_margin_ratio")
    got = handover.fillable_price(
        holding.price,
        holding.size,
        account.required(holding.value),
        balance=account.net,
        requirement=account.requirement,
        adjustment=1.0 if adjustment is None else float(adjustment),
        spread=0.1 if spread is None else float(spread),
    )
    through = "engine.handover.fillable_price, engine.weights.margin_requirements"
    return answered(case, given, {"fillable_price": got}, through)


def fund(case: Case, library: Library) -> Answer:
    """What the insurance fund gains or pays at a fill."""
    given = Given(case.inputs)
    account = subaccount(given, priced=False)
    fill = given.amount("fill_price")
    (holding,) = account.holdings if len(account.holdings) == 1 else (account.holding(None),)
    quote = Holding(holding.market, holding.size, fill).value
    # The whole balance belongs to the only position: its bankruptcy quote gives it back.
    at_fill = Subaccount(account.balance, (Holding(holding.market, holding.size, fill),), 1.0, 0.5)
    required = at_fill.requirement
    zero = handover.bankruptcy_quote(quote, at_fill.net, required, required, quantum=QUOTE_QUANTUM)
    got = insurance.fund_delta_above_bankruptcy(
        quote,
        zero,
        given.amount("max_liquidation_fee", "max_fee"),
        quantum=QUOTE_QUANTUM,
    )
    known: dict[str, Got] = {
        "insurance_fund_delta_quote_quantums": quantums(got),
        "insurance_fund_delta": got,
        "bankruptcy_quote_quantums": quantums(zero),
    }
    through = "engine.insurance.fund_delta_above_bankruptcy, engine.handover.bankruptcy_quote"
    return answered(case, given, known, through)


def _power(exponent: float) -> Fraction:
    """Ten to a small whole power, exactly."""
    if not (abs(exponent) <= 40 and exponent == int(exponent)):
        raise NotUnderstoodError(f"exponent {exponent:g} is none of a market")
    return rounding.exact(10) ** int(exponent)


def requirements(case: Case, library: Library) -> Answer:
    """Initial and maintenance margin of a position, with open interest, in quote quantums."""
    given = Given(case.inputs)
    price = rounding.exact(given.amount("price")) * _power(given.amount("price_exponent"))
    ten = _power(given.amount("atomic_resolution"))
    value = rounding.exact(given.amount("base_quantums")) * ten * price / rounding.exact(1e-6)
    ppm = rounding.exact(1e-6)
    initial = rounding.exact(given.amount("initial_margin_ppm")) * ppm
    share = rounding.exact(given.amount("maintenance_fraction_ppm")) * ppm
    interest, *caps = (
        rounding.exact(as_number(given.raw(name), name) or 0.0)
        for name in ("open_interest", "oi_lower_cap", "oi_upper_cap")
    )
    interest *= ten * price
    caps = [one * rounding.exact(QUOTE_QUANTUM) for one in caps]
    fraction = weights.open_interest_fraction(
        float(initial), float(interest), float(caps[0]), float(caps[1]), step=1e-6
    )
    got = weights.margin_requirements(
        float(value), float(initial), float(share), scaled_fraction=fraction, quantum=1
    )
    known: dict[str, Got] = {"im_quote_quantums": got[0], "mm_quote_quantums": got[1]}
    through = "engine.weights.margin_requirements, engine.weights.open_interest_fraction"
    return answered(case, given, known, through)


SOLVERS: Mapping[str, Any] = {
    "F-DYDX-BANK": bankruptcy,
    "F-DYDX-FILL": fillable,
    "F-DYDX-IF": fund,
    "F-DYDX-OIMF": requirements,
}
