"""What a rule set charges each position: the arrays of a `Book` that its margin is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from margin_widgets.engine import Schedule
from margin_widgets.engine.book import Bools, Floats, Ints
from margin_widgets.venues import RuleSet
from margin_widgets.venues.tables import TierTable


@dataclass(frozen=True)
class Held:
    """Held positions as far as charges depend on them (N,).

    Attributes
    ----------
    symbols : tuple of str
        All symbols of the book (S,).
    place : ndarray of int
        Symbol of each position.
    contracts, coins, notional : ndarray
        Size in contracts, in coins, and as notional at entry in the settlement asset.
    inverse, long : ndarray of bool
    leverage : ndarray
    """

    symbols: tuple[str, ...]
    place: Ints
    contracts: Floats
    coins: Floats
    notional: Floats
    inverse: Bools
    long: Bools
    leverage: Floats


@dataclass(frozen=True)
class Charges:
    """The fields of the same names of `Book`."""

    tiers: Schedule
    rate: Floats
    fixed: Floats
    square: Floats
    initial: Schedule
    by_schedule: Bools
    initial_rate: Floats
    initial_fixed: Floats


def charges(rules: RuleSet, held: Held) -> Charges:
    """Lay out maintenance and initial margin of the positions."""
    maintenance, initial = _tables(rules, held.symbols)
    slope = _by_symbol(rules, held.symbols)[held.place]
    rising = np.where(held.inverse, 0.0, slope * held.coins)
    fee_rate, fee = _closing_fee(rules, held)
    inside, beside = rules.closing_fee_in_maintenance, rules.closing_fee_in_initial
    return Charges(
        tiers=maintenance.schedule,
        rate=_rates(rules, maintenance, held) + rising + (fee_rate if inside else 0.0),
        fixed=fee if inside else np.zeros_like(fee),
        square=np.where(held.inverse, slope, 0.0),
        initial=initial.schedule,
        by_schedule=initial.given[held.place],
        initial_rate=_rates(rules, initial, held) + rising + (fee_rate if beside else 0.0),
        initial_fixed=fee if beside else np.zeros_like(fee),
    )


def measure(rules: RuleSet, held: Held) -> Floats:
    """The amounts of positions that the floors of tiers are compared with (N,)."""
    return {"notional": held.notional, "size": held.coins, "contracts": held.contracts}[
        rules.tiers_by
    ]


@dataclass(frozen=True)
class _Tables:
    """Tier tables of the symbols (S,).

    `schedule` is what they make of a notional; empty where a position has one rate, because its
    tier is found by its size or its notional at entry and does not move with the mark.
    """

    tables: tuple[TierTable, ...]
    schedule: Schedule
    given: Bools


@lru_cache(maxsize=32)
def _tables(rules: RuleSet, symbols: tuple[str, ...]) -> tuple[_Tables, _Tables]:
    """Maintenance tables, and initial ones at the present open interest."""
    maintenance = tuple(rules.tiers.get(symbol, ()) for symbol in symbols)
    initial = tuple(_initial_table(rules, symbol) for symbol in symbols)
    made = []
    for tables in (maintenance, initial):
        moves = rules.tiers_by == "notional" and rules.tier_rate == "marginal"
        rows = [[tier[:2] for tier in table] if moves else [] for table in tables]
        given = np.array([bool(table) for table in tables], dtype=bool)
        made.append(_Tables(tables, Schedule.from_bands(rows), given))
    return made[0], made[1]


def _initial_table(rules: RuleSet, symbol: str) -> TierTable:
    table, interest = rules.initial_tiers.get(symbol, ()), rules.open_interest.get(symbol)
    if interest is None:
        return table
    return tuple(tier._replace(rate=interest.initial_rate(tier.rate)) for tier in table)


@lru_cache(maxsize=32)
def _by_symbol(rules: RuleSet, symbols: tuple[str, ...]) -> Floats:
    return np.array([rules.size_slopes.get(symbol, 0.0) for symbol in symbols])


def _rates(rules: RuleSet, given: _Tables, held: Held) -> Floats:
    """The one rate of each position whose tier does not move with the mark; 0 for others (N,)."""
    rates = np.zeros(len(held.contracts))
    if rules.tiers_by == "notional" and rules.tier_rate == "marginal":
        return rates
    amounts = measure(rules, held)
    if rules.tier_rate == "marginal":
        bands = Schedule.from_bands([[tier[:2] for tier in table] for table in given.tables])
        return bands.at(held.place, amounts) / amounts
    for number, (place, amount) in enumerate(zip(held.place, amounts, strict=True)):
        reached = [tier.rate for tier in given.tables[place] if tier.floor < amount]
        rates[number] = reached[-1] if reached else 0.0
    return rates


def _closing_fee(rules: RuleSet, held: Held) -> tuple[Floats, Floats]:
    """The fee of closing: as a share of the notional, and as an amount that is fixed at entry.

    At the bankruptcy price a linear long is worth ``1 - 1/leverage`` of its entry notional, a short
    ``1 + 1/leverage``; for inverse contracts, whose notional is in coin, the other way round.
    """
    nothing = np.zeros(len(held.contracts))
    if rules.closing_fee_at == "mark":
        return nothing + rules.taker_fee, nothing
    falls = held.long ^ held.inverse
    if rules.closing_fee_at == "worst bankruptcy":
        falls = np.zeros_like(falls)
    share = 1.0 + np.where(falls, -1.0, 1.0) / held.leverage
    return nothing, rules.taker_fee * held.notional * np.maximum(share, 0.0)
