"""What a contract of one venue is called at another, and what its tiers are there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from margin_widgets.venues import Contract, RuleError, RuleSet, Tier
from margin_widgets.venues.rules import DOLLARS, TierTable

_SPELLINGS = {"XBT": "BTC"}
"""Other codes of the same coin."""
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


class Counterpart(NamedTuple):
    """A contract at a venue, by its symbol there."""

    symbol: str
    contract: Contract


def same_coin(first: object, second: object) -> bool:
    """Whether two codes mean one asset."""
    return _SPELLINGS.get(str(first), first) == _SPELLINGS.get(str(second), second)


def alike(first: object, second: object) -> bool:
    """Whether one asset can stand for another: the same, or both dollars."""
    return same_coin(first, second) or (first in DOLLARS and second in DOLLARS)


def find(
    rules: RuleSet, symbol: str, contract: Contract, usable: Callable[[str], bool]
) -> Counterpart | None:
    """The listed contract of the same base, kind and delivery, in the same or another dollar.

    Parameters
    ----------
    rules : RuleSet
    symbol, contract : str, Contract
        What is looked for.
    usable : callable
        Whether there are tiers for a symbol; such contracts come first, then those in the same
        currencies, then those of the same name.
    """
    same = [
        one
        for one in _listed(rules).get(_identity(contract), ())
        if alike(one.contract.quote, contract.quote)
    ]

    def unlike(one: Counterpart) -> tuple[bool, ...]:
        return (
            not usable(one.symbol),
            one.contract.quote != contract.quote,
            one.contract.settle != contract.settle,
            one.symbol != symbol,
        )

    return min(same, key=unlike, default=None)


def find_option(rules: RuleSet, symbol: str, contract: Contract) -> Counterpart | None:
    """The same option there, on the underlying that it has there.

    It is looked for among the listed contracts and by what its symbol, and the usual symbols of
    such an option, mean under the rules. One that means the same as here comes first, then those
    that settle as their underlying does, then those that pay in coin or in dollars as here.

    Parameters
    ----------
    rules : RuleSet
    symbol, contract : str, Contract
        What is looked for.
    """
    if rules.contracts.get(symbol) == contract:
        return Counterpart(symbol, contract)
    named = []
    spells_coin = any("-USD-" in name for name in rules.contracts)  # as BTC-USD-SWAP
    for name in dict.fromkeys([symbol, *rules.contracts, *_option_symbols(contract)]):
        if "-USD-" in name and not spells_coin:
            continue
        try:
            named.append(Counterpart(name, rules.contract(name)))
        except RuleError:  # an option on a coin on which there is no contract
            continue
    same = [one for one in named if _is_option_like(one.contract, contract)]

    def unlike(one: Counterpart) -> tuple[bool, ...]:
        underlying = str(one.contract.underlying)
        return (
            one.contract != contract,
            one.contract.settle != rules.contract(underlying).settle,
            pays_in_coin(one.contract) != pays_in_coin(contract),
            one.contract.settle != contract.settle,
            one.symbol != symbol,
            ("_" in one.symbol) != ("_" in underlying),
        )

    return min(same, key=unlike, default=None)


def pays_in_coin(contract: Contract) -> bool:
    """Whether a contract settles in its base."""
    return contract.settle == contract.base


def lists(rules: RuleSet, contract: Contract) -> bool:
    """Whether a rule set lists a contract of the same base, kind and delivery."""
    return _identity(contract) in _listed(rules)


@lru_cache(maxsize=64)
def settlement_assets(rules: RuleSet, kind: str) -> frozenset[str]:
    """Assets in which the listed contracts of a kind settle."""
    every = (one.contract for group in _listed(rules).values() for one in group)
    return frozenset(str(contract.settle) for contract in every if contract.kind == kind)


def described(contract: Contract) -> str:
    """Say what a contract is without its symbol."""
    delivery = f" of {contract.expiry}" if contract.expiry else ""
    return f"{contract.kind} {contract.base}/{contract.quote} contract{delivery}"


def converted_tiers(
    table: TierTable, old: RuleSet, here: Contract, new: RuleSet, there: Contract
) -> TierTable | None:
    """A tier table in the units of another rule set; None where that would take a price.

    A single tier has no floor, so no unit.
    """
    if len(table) == 1:
        return table
    factor = _floor_factor(old.tiers_by, here, new.tiers_by, there)
    if factor is None:
        return None
    return tuple(Tier(row.floor * factor, row.rate, row.max_leverage) for row in table)


def _floor_factor(old: str, here: Contract, new: str, there: Contract) -> float | None:
    """What floors by one measure are to be multiplied with to be by another."""
    if old == new:
        return here.multiplier / there.multiplier if old == "contracts" else 1.0
    before, after = _coins(old, here), _coins(new, there)
    return before / after if before and after else None


def _coins(measure: str, contract: Contract) -> float | None:
    """Coins in one unit of a measure; None where that takes a price."""
    if measure == "size":
        return 1.0
    if measure == "notional":
        return 1.0 if contract.kind == "inverse" else None
    return contract.multiplier if contract.kind == "linear" else None


def _is_option_like(there: Contract, here: Contract) -> bool:
    """Whether two contracts are the same option, whatever they are on and paid in."""
    same = (there.kind, there.strike, there.expiry) == (here.kind, here.strike, here.expiry)
    return same and same_coin(there.base, here.base)


def _option_symbols(contract: Contract) -> list[str]:
    """Symbols that venues give such an option: paid in what is usual there, or in dollars."""
    day = date.fromisoformat(str(contract.expiry))
    strike = f"{contract.strike:.8f}".rstrip("0").rstrip(".").replace(".", "d")
    base = _SPELLINGS.get(str(contract.base), contract.base)
    terms = f"{day.day}{_MONTHS[day.month - 1]}{day:%y}-{strike}-{contract.kind[0].upper()}"
    plain, paid = f"{base}-{terms}", ("USDT", "USDC")
    coin = f"{base}-USD-{day:%y%m%d}-{strike}-{contract.kind[0].upper()}"
    return [
        plain,
        coin,
        *(f"{plain}-{one}" for one in paid),
        *(f"{base}_{one}-{terms}" for one in paid),
    ]


def _identity(contract: Contract) -> tuple[object, ...]:
    """What two contracts share if one can stand for the other; the quote currency apart."""
    paid_in: object = None
    if contract.is_option:
        paid_in = "coin" if pays_in_coin(contract) else "quote"
    elif contract.kind == "quanto":
        paid_in = _SPELLINGS.get(str(contract.settle), contract.settle)
    base = _SPELLINGS.get(str(contract.base), contract.base)
    return base, contract.kind, paid_in, contract.expiry, contract.strike


@lru_cache(maxsize=64)
def _listed(rules: RuleSet) -> dict[tuple[object, ...], list[Counterpart]]:
    """Contracts that a rule set names, by what they are."""
    found: dict[tuple[object, ...], list[Counterpart]] = {}
    for symbol in dict.fromkeys([*rules.contracts, *rules.tiers]):
        contract = rules.contract(symbol)
        found.setdefault(_identity(contract), []).append(Counterpart(symbol, contract))
    return found
