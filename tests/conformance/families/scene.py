"""Accounts made of the inputs of a case, under a venue's rule set or under rules from parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import margin_widgets as mw
from tests.conformance.outcome import Got, NotUnderstoodError

UNTOUCHED = 1e12
"""Wallet of an account of which only figures are asked that no collateral enters."""

Tiers = float | Sequence[Sequence[float]]


@dataclass(frozen=True)
class Leg:
    """One position of a case.

    Parameters
    ----------
    size : float
        Signed; coin of a linear contract, contracts of an inverse one.
    tiers : rate or (floor, rate) rows
    initial : rate or rows, optional
        Of the initial margin, where a case states it apart from the leverage.
    slope : float
        Rate that each coin of size adds.
    multiplier : float
        Of an inverse contract.
    """

    symbol: str
    size: float
    entry: float
    mark: float
    tiers: Tiers = 0.0
    leverage: float | None = None
    margin: float | None = None
    initial: Tiers | None = None
    slope: float = 0.0
    inverse: bool = False
    multiplier: float = 1.0


@dataclass(frozen=True)
class Scene:
    """An account of a case: what is held, under which rules, with what collateral.

    Parameters
    ----------
    legs : tuple of Leg
    venue : str
        Name of a rule set; "generic" for one from parts.
    settings : mapping
        Fields of the rule set that the case states, or its formula implies.
    wallet : float, optional
        In the settlement asset; None if the case states none.
    isolated : bool
    tick : float, optional
    order_margin : float
    """

    legs: tuple[Leg, ...]
    venue: str = "generic"
    settings: Mapping[str, Any] = field(default_factory=dict)
    wallet: float | None = None
    isolated: bool = False
    tick: float | None = None
    order_margin: float = 0.0

    def replace(self, **changes: Any) -> Scene:
        """Return a scene with some parts exchanged."""
        return replace(self, **changes)

    def marked(self, mark: float, leg: int = 0) -> Scene:
        """Return the scene with one leg at another mark."""
        legs = list(self.legs)
        legs[leg] = replace(legs[leg], mark=mark)
        return self.replace(legs=tuple(legs))

    @cached_property
    def rules(self) -> mw.RuleSet:
        """The rule set, with what the case states put in."""
        base = mw.venues.get(self.venue)
        first = self.legs[0] if self.legs else None
        currency = "USD" if first and first.inverse and self.venue == "generic" else base.currency
        contracts: dict[str, Any] = {}
        tiers: dict[str, Any] = {}
        initial: dict[str, Any] = {}
        slopes: dict[str, float] = {}
        for leg in self.legs:
            tiers[leg.symbol] = leg.tiers
            if leg.initial is not None:
                initial[leg.symbol] = leg.initial
            if leg.slope:
                slopes[leg.symbol] = leg.slope
            if leg.inverse:
                contracts[leg.symbol] = mw.Contract(
                    kind="inverse",
                    multiplier=leg.multiplier,
                    base="COIN",
                    quote="USD",
                    settle="COIN",
                    tick=self.tick,
                )
            else:
                contracts[leg.symbol] = mw.Contract(
                    base=leg.symbol, quote=currency, settle=currency, tick=self.tick
                )
        parts = {"contracts": contracts, "tiers": tiers, **self.settings}
        if any(not isinstance(leg.tiers, float) for leg in self.legs):
            # Tables of cases are continuous and by notional, whatever the venue's own are by.
            parts |= {"tiers_by": "notional", "tier_rate": "marginal"}
        if initial:
            parts["initial_tiers"] = initial
        if slopes:
            parts["size_slopes"] = slopes
        if self.venue == "generic":
            return mw.venues.generic(currency=currency, **parts)
        return base.replace(**parts)

    @cached_property
    def account(self) -> mw.Account:
        """The account."""
        asset = self.rules.currency
        if self.legs:
            asset = str(self.rules.contract(self.legs[0].symbol).settle)
        wallet = self.wallet
        if wallet is None:
            margins = [leg.margin for leg in self.legs if leg.margin is not None]
            wallet = max(sum(margins), 0.0) if self.isolated and margins else UNTOUCHED
        return mw.Account(
            venue=self.rules,
            collateral={asset: wallet},
            positions=[
                mw.Position(
                    leg.symbol,
                    quantity=leg.size,
                    entry_price=leg.entry,
                    leverage=leg.leverage or 1.0,
                    margin=leg.margin,
                )
                for leg in self.legs
            ],
            marks={leg.symbol: leg.mark for leg in self.legs},
            order_margin=self.order_margin,
        )

    @property
    def report(self) -> Any:
        """The account's report under the margin mode of the case."""
        return self.account.isolated if self.isolated else self.account.cross

    def position(self, leg: int = 0) -> Any:
        """Report of one position."""
        return self.report.positions[leg]

    def in_settlement(self, amount: float, leg: int = 0) -> float:
        """An amount of a report in the settlement asset of a leg."""
        if not self.legs or not self.legs[leg].inverse:
            return amount
        return amount / float(self.account.asset_price("COIN"))

    def without_fee(self) -> Scene:
        """The same account where closing costs nothing."""
        return self.replace(settings={**self.settings, "taker_fee": 0.0})

    @property
    def fee_is_apart(self) -> bool:
        """Whether the venue states maintenance without the closing fee that it requires."""
        rules = self.rules
        at = getattr(rules, "closing_fee_at", "mark")
        return bool(rules.closing_fee and at == "mark" and not getattr(rules, "fee_shown", False))

    @property
    def name(self) -> str:
        """Which account this is, for the table."""
        mode = "isolated" if self.isolated else "cross"
        return f"Account under {self.venue}, {mode}"


def flat_with_amount(rate: float, amount: float) -> Tiers:
    """Tiers that are ``rate * notional - amount`` wherever that is positive."""
    return [(0.0, 0.0), (amount / rate, rate)] if amount > 0 and rate > 0 else rate


def tier_rows(content: Any) -> list[tuple[float, float]]:
    """(floor, rate) rows of a table written in any of the usual ways.

    Rows may be mappings, or lists: cap or floor, rate[, amount]; or floor, cap, rate[, ...].

    Raises
    ------
    NotUnderstoodError
        If it is none of them.
    """
    rows: list[tuple[float, float]] = []
    amounts: list[float | None] = []
    cap = 0.0
    try:
        starts_at_floor = not isinstance(content[0], Mapping) and float(content[0][0]) == 0.0
        for row in content:
            if isinstance(row, Mapping):
                floor = float(row.get("floor", row.get("notional_floor", cap)))
                rate = next(
                    float(row[name])
                    for name in ("mmr", "rate", "maintenance_margin_rate", "mm_rate")
                    if name in row
                )
                cap = float(row.get("cap") or row.get("notional_cap") or 0.0)
                stated = row.get("maintenance_amount", row.get("cum"))
            elif len(row) >= 4:
                floor, rate, stated = float(row[0]), float(row[2]), row[-1]
            elif starts_at_floor:
                floor, rate, stated = float(row[0]), float(row[1]), (*row, None)[2]
            else:
                floor, rate, cap, stated = cap, float(row[1]), float(row[0]), (*row, None)[2]
            rows.append((floor, rate))
            amounts.append(None if stated is None else float(stated))
    except (TypeError, ValueError, IndexError, KeyError, StopIteration):
        raise NotUnderstoodError(
            f"tier table {content!r} is not rows of bounds and rates"
        ) from None
    continuous = mw.venues.generic(tiers={"X": rows}).maintenance_amounts("X")
    for stated, amount in zip(amounts, continuous, strict=True):
        if stated is not None and abs(stated - amount) > 1e-6 * max(1.0, abs(amount)):
            raise NotUnderstoodError(
                f"the stated amount {stated:g} leaves a gap between tiers: {amount:g} does not"
            )
    return rows


def optional(figure: float | None) -> Got:
    """A price, or None."""
    return None if figure is None else float(figure)
