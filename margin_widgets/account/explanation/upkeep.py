"""What a position owes: the rate of its tier, the amount of that tier, and what is added."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from margin_widgets.account import formatting as fmt
from margin_widgets.venues.rules import TierTable

if TYPE_CHECKING:
    from margin_widgets.account.explanation.leg import Leg


@dataclass(frozen=True)
class Upkeep:
    """Margin near a notional n: ``n (rate + slope + fee) − amount + fixed + square n²``.

    Attributes
    ----------
    rate, where : float, str
        Rate of the tier, and which tier that is.
    amount : float or None
        Subtracted so that margin is continuous over tiers; None where a tier's rate holds for the
        whole position.
    slope, square : float
        What the size adds to the rate: of a linear contract, and of an inverse one per coin.
    fee, fixed : float
        Fee of closing: as a share of the notional, and as an amount that is fixed at entry.
    """

    rate: float
    where: str
    amount: float | None
    slope: float
    square: float
    fee: float
    fixed: float

    def at(self, notional: float) -> float:
        """The margin at a notional in the tier that this is of."""
        due = notional * (self.rate + self.slope + self.fee) + self.fixed - (self.amount or 0.0)
        return due + self.square * notional**2


NOTHING = Upkeep(0.0, "", None, 0.0, 0.0, 0.0, 0.0)


def maintenance(leg: Leg, notional: float) -> Upkeep:
    """Maintenance margin of a leg in the tier that holds at a notional (settlement asset)."""
    rules = leg.report.books.state.venue
    rate, where, amount = _tier(leg, rules.tier_table(leg.figures.symbol), notional)
    return _upkeep(leg, rate, where, amount, rules.closing_fee_in_maintenance)


def initial(leg: Leg, notional: float) -> Upkeep | None:
    """Initial margin of a leg by the venue's rates at a notional; None if leverage divides it."""
    rules, symbol = leg.report.books.state.venue, leg.figures.symbol
    table = rules.initial_tiers.get(symbol)
    if table is None:
        return None
    interest = rules.open_interest.get(symbol)
    if interest is not None:
        table = tuple(tier._replace(rate=interest.initial_rate(tier.rate)) for tier in table)
    rate, where, amount = _tier(leg, table, notional)
    if interest is not None:
        where += ", raised by open interest"
    return _upkeep(leg, rate, where, amount, rules.closing_fee_in_initial)


def added_initially(leg: Leg) -> Upkeep:
    """What is added to initial margin that the leverage divides: slope and closing fee."""
    rules = leg.report.books.state.venue
    return _upkeep(leg, 0.0, "", None, rules.closing_fee_in_initial)


def bankruptcy_share(leg: Leg) -> tuple[str, float]:
    """Sign and size of what the closing value at the bankruptcy price differs by from entry's."""
    falls = (leg.size > 0) != leg.inverse
    if leg.report.books.state.venue.closing_fee_at == "worst bankruptcy":
        falls = False
    return ("−" if falls else "+"), 1.0 / leg.leverage


def _upkeep(leg: Leg, rate: float, where: str, amount: float | None, with_fee: bool) -> Upkeep:
    rules = leg.report.books.state.venue
    slope = rules.size_slopes.get(leg.figures.symbol, 0.0)
    fee = rules.taker_fee if with_fee else 0.0
    at_mark = rules.closing_fee_at == "mark"
    sign, share = bankruptcy_share(leg)
    part = max(1.0 - share if sign == "−" else 1.0 + share, 0.0)
    return Upkeep(
        rate=rate,
        where=where,
        amount=amount,
        slope=0.0 if leg.inverse else slope * leg.coins,
        square=slope if leg.inverse else 0.0,
        fee=fee if at_mark else 0.0,
        fixed=0.0 if at_mark else fee * leg.notional(leg.entry) * part,
    )


def _tier(leg: Leg, table: TierTable, notional: float) -> tuple[float, str, float | None]:
    """Rate, place and amount of the tier that holds at a notional."""
    rules = leg.report.books.state.venue
    by, whole = rules.tiers_by, rules.tier_rate == "whole"
    unit = {"notional": leg.settle, "size": str(leg.contract.base), "contracts": "contracts"}[by]
    of = "a notional" if by == "notional" else "a size"
    measured = {
        "notional": leg.notional(leg.entry) if whole else notional,
        "size": leg.coins,
        "contracts": leg.contracts,
    }[by]
    tier = max(n for n, row in enumerate(table) if n == 0 or row.floor < measured)
    place = f"above {of} of {fmt.plain(table[tier].floor)} {unit}"
    where = f"tier {tier + 1} of {len(table)}, {place}" if len(table) > 1 else "one tier"
    amount = 0.0
    for before, row in pairwise(table[: tier + 1]):
        amount += row.floor * (row.rate - before.rate)
    if whole:
        return table[tier].rate, where, None
    if by == "notional":
        return table[tier].rate, where, amount
    if len(table) > 1:
        where = f"average over the tiers of {fmt.plain(measured)} {unit}"
    return table[tier].rate - amount / measured, where, None
