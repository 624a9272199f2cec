"""A venue's margin rules as one immutable value, and the checks that keep it consistent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

DOLLARS = ("USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "DAI")
"""Currencies taken as worth one another where no price says otherwise."""


class RuleError(ValueError):
    """A rule set, or a part given to one, that is not consistent."""


class Tier(NamedTuple):
    """One band of a tier table.

    `floor` is in notional (quote currency for linear contracts, coin for inverse ones); `rate` is
    the maintenance margin rate above it; `max_leverage` the leverage allowed there, if known.
    """

    floor: float
    rate: float
    max_leverage: float | None = None


TierTable = tuple[Tier, ...]
Bands = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Contract:
    """What one contract of a symbol is.

    Parameters
    ----------
    kind : {"linear", "inverse"}
        Linear pays in the quote currency, inverse in the base coin.
    multiplier : float
        Coin per contract (linear) or quote units per contract (inverse).
    base, quote, settle : str, optional
        Currencies; what is missing is taken from the symbol and the rule set's currency.
    tick : float, optional
        Smallest price step; prices are displayed on it.
    expiry : str, optional
        ISO date of delivery; none for a perpetual.

    Examples
    --------
    >>> Contract(kind="inverse", multiplier=100, base="BTC", settle="BTC").multiplier
    100
    """

    kind: Literal["linear", "inverse"] = "linear"
    multiplier: float = 1.0
    base: str | None = None
    quote: str | None = None
    settle: str | None = None
    tick: float | None = None
    expiry: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("linear", "inverse"):
            raise RuleError(f"contract kind: {self.kind!r} is not one of 'linear', 'inverse'")
        _require_positive("contract multiplier", self.multiplier)
        if self.tick is not None:
            _require_positive("contract tick", self.tick)

    def completed(self, symbol: str, currency: str) -> Contract:
        """Return the contract with base, quote and settle filled in."""
        quote = self.quote or _suffix_currency(symbol, currency)
        base = self.base or _prefix(symbol, quote)
        settle = self.settle or (base if self.kind == "inverse" else quote)
        if self.kind == "inverse" and settle != base:
            raise RuleError(
                f"contract {symbol}: an inverse contract settles in its base {base!r},"
                f" not {settle!r}"
            )
        if self.kind == "linear" and settle == base:
            raise RuleError(
                f"contract {symbol}: a linear contract cannot settle in its base {base!r};"
                " use kind='inverse'"
            )
        return replace(self, base=base, quote=quote, settle=settle)


@dataclass(frozen=True)
class RuleSet:
    """The margin rules of one venue at one date.

    Parameters
    ----------
    name, title, version, date : str
        `date` is the ISO date at which the rules were read.
    currency : str
        Valuation currency of an account under these rules.
    sources : tuple of str
        Where the rules come from.
    contracts : mapping of symbol to Contract
    tiers : mapping of symbol to tiers
        Each a rate, or (floor, rate) or (floor, rate, max_leverage) rows. The maintenance amounts
        follow from continuity.
    known_symbols_only : bool
        Whether symbols without a tier table are refused as unknown (else they are asked for).
    default_contract : Contract
        For symbols that `contracts` does not list.
    maintenance_at : {"mark", "entry"}
        Price at which maintenance is charged.
    taker_fee : float
    closing_fee_in_maintenance : bool
        Whether the taker fee of closing counts as maintenance.
    trigger : {"<=", "<"}
        Liquidated when margin balance ``<=`` (or ``<``) maintenance.
    cross_pool : {"account", "settlement"}
        Whether cross margin pools everything, or each settlement asset apart.
    residual : {"kept", "returned"}
        What happens to what is left in a liquidated pool.
    liquidation_fee : float
        Fee on the notional that a liquidation closes.
    haircuts : mapping of asset to share or bands
    margin_ratio_name : str
        What the venue itself calls the ratio, with the fraction.
    cannot_express, not_modelled : tuple of str
    """

    name: str
    title: str = ""
    version: str = "1"
    date: str = ""
    currency: str = "USDT"
    sources: tuple[str, ...] = ()
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    tiers: Mapping[str, TierTable] = field(default_factory=dict)
    known_symbols_only: bool = False
    default_contract: Contract = field(default_factory=Contract)
    maintenance_at: Literal["mark", "entry"] = "mark"
    taker_fee: float = 0.0
    closing_fee_in_maintenance: bool = False
    trigger: Literal["<=", "<"] = "<="
    cross_pool: Literal["account", "settlement"] = "account"
    residual: Literal["kept", "returned"] = "kept"
    liquidation_fee: float = 0.0
    haircuts: Mapping[str, Bands] = field(default_factory=dict)
    margin_ratio_name: str = "margin ratio = maintenance ÷ margin balance"
    cannot_express: tuple[str, ...] = ()
    not_modelled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_choice("maintenance_at", self.maintenance_at, ("mark", "entry"))
        _require_choice("trigger", self.trigger, ("<=", "<"))
        _require_choice("cross_pool", self.cross_pool, ("account", "settlement"))
        _require_choice("residual", self.residual, ("kept", "returned"))
        for name in ("taker_fee", "liquidation_fee"):
            _require_share(name, getattr(self, name))
        for name in ("sources", "cannot_express", "not_modelled"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        tiers = {symbol: tier_table(symbol, rows) for symbol, rows in self.tiers.items()}
        haircuts = {asset: haircut_bands(asset, rows) for asset, rows in self.haircuts.items()}
        contracts = {
            symbol: contract.completed(symbol, self.currency)
            for symbol, contract in self.contracts.items()
        }
        for name, mapping in (("tiers", tiers), ("haircuts", haircuts), ("contracts", contracts)):
            object.__setattr__(self, name, MappingProxyType(mapping))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by plain parts: read-only mappings cannot be pickled themselves."""
        return _rebuild, (self._parts(),)

    def __hash__(self) -> int:
        return hash((self.name, self.version, self.date))

    def __deepcopy__(self, memo: object) -> RuleSet:
        return self  # immutable

    def _parts(self) -> dict[str, Any]:
        parts = {one.name: getattr(self, one.name) for one in fields(self)}
        return {k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in parts.items()}

    def replace(self, **parts: Any) -> RuleSet:
        """Return these rules with some parts exchanged.

        Raises
        ------
        TypeError
            If a part does not exist.
        RuleError
            If the result is not consistent.

        Examples
        --------
        >>> from margin_widgets import venues
        >>> venues.get("binance-usdm").replace(taker_fee=0.0004).taker_fee
        0.0004
        """
        known = [one.name for one in fields(self)]
        for name in parts:
            if name not in known:
                raise TypeError(
                    f"RuleSet.replace: unknown part {name!r}{did_you_mean(name, known)}"
                )
        return RuleSet(**{**self._parts(), **parts})

    def contract(self, symbol: str) -> Contract:
        """Contract of a symbol, complete with its currencies."""
        listed = self.contracts.get(symbol)
        return listed or _inferred(self.default_contract, symbol, self.currency)

    def tier_table(self, symbol: str) -> TierTable:
        """Tiers of a symbol.

        Raises
        ------
        RuleError
            If the rule set has none for it.
        """
        try:
            return self.tiers[symbol]
        except KeyError:
            pass
        if self.known_symbols_only:
            hint = did_you_mean(symbol, self.tiers)
            raise RuleError(f"symbol: {symbol!r} is not known to {self.name}{hint}")
        raise RuleError(
            f"tiers: {self.name} has no maintenance tiers for {symbol!r}; give them as"
            f" rules.replace(tiers={{{symbol!r}: [(0, 0.005), …]}})"
        )

    def maintenance_amounts(self, symbol: str) -> tuple[float, ...]:
        """Amount subtracted in each tier so that maintenance margin is continuous."""
        amounts = [0.0]
        table = self.tier_table(symbol)
        for before, tier in pairwise(table):
            amounts.append(amounts[-1] + tier.floor * (tier.rate - before.rate))
        return tuple(float(f"{amount:.12g}") for amount in amounts)

    @property
    def closing_fee(self) -> float:
        """Share of notional added to maintenance for the fee of closing."""
        return self.taker_fee if self.closing_fee_in_maintenance else 0.0

    @property
    def label(self) -> str:
        """Name, version and date, as printed beside results."""
        return " · ".join(part for part in (self.name, f"v{self.version}", self.date) if part)


def tier_table(symbol: str, rows: float | Iterable[Any]) -> TierTable:
    """Check tier rows: floors from 0 upward, rates within 0 and 1 that never fall.

    Raises
    ------
    RuleError
        Naming the symbol, the row (counted from 1) and the value.
    """
    if isinstance(rows, (int, float)):
        rows = [(0.0, rows)]
    table: list[Tier] = []
    for number, row in enumerate(rows, start=1):
        where = f"tiers of {symbol}, row {number}"
        try:
            tier = Tier(*(None if cell is None else float(cell) for cell in row))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise RuleError(f"{where}: {row!r} is not (floor, rate[, max_leverage])") from None
        if not math.isfinite(tier.floor) or not math.isfinite(tier.rate):
            raise RuleError(f"{where}: {row!r} holds a number that is not finite")
        if not table and tier.floor != 0:
            raise RuleError(f"{where}: the first floor is {tier.floor:g}, it must be 0")
        if table and tier.floor <= table[-1].floor:
            raise RuleError(
                f"{where}: floor {tier.floor:g} does not rise above {table[-1].floor:g}"
            )
        if not 0 <= tier.rate < 1:
            raise RuleError(f"{where}: rate {tier.rate:g} is not within 0 and 1")
        if table and tier.rate < table[-1].rate:
            raise RuleError(f"{where}: rate {tier.rate:g} falls below {table[-1].rate:g}")
        if tier.max_leverage is not None and not tier.max_leverage > 0:
            raise RuleError(f"{where}: max_leverage {tier.max_leverage:g} must be > 0")
        table.append(tier)
    if not table:
        raise RuleError(f"tiers of {symbol}: no rows")
    return tuple(table)


def haircut_bands(asset: str, rows: float | Iterable[Any]) -> Bands:
    """Check haircut bands: (amount floor, share) rows, floors from 0 upward, rising shares."""
    if isinstance(rows, (int, float)):
        rows = [(0.0, rows)]
    bands: list[tuple[float, float]] = []
    for number, row in enumerate(rows, start=1):
        where = f"haircuts of {asset}, row {number}"
        try:
            floor, share = (float(cell) for cell in row)
        except (TypeError, ValueError):
            raise RuleError(f"{where}: {row!r} is not (floor, share)") from None
        if not bands and floor != 0:
            raise RuleError(f"{where}: the first floor is {floor:g}, it must be 0")
        if bands and not floor > bands[-1][0]:
            raise RuleError(f"{where}: floor {floor:g} does not rise above {bands[-1][0]:g}")
        if not (math.isfinite(floor) and 0 <= share <= 1):
            raise RuleError(f"{where}: haircut {share:g} is not within 0 and 1")
        if bands and share < bands[-1][1]:
            raise RuleError(f"{where}: haircut {share:g} falls below {bands[-1][1]:g}")
        bands.append((floor, share))
    if not bands:
        raise RuleError(f"haircuts of {asset}: no rows")
    return tuple(bands)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint with the nearest known names, or nothing."""
    near = get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(one) for one in near)}?" if near else ""


@lru_cache(maxsize=4096)
def _inferred(contract: Contract, symbol: str, currency: str) -> Contract:
    return contract.completed(symbol, currency)


def _rebuild(parts: dict[str, Any]) -> RuleSet:
    return RuleSet(**parts)


def _suffix_currency(symbol: str, currency: str) -> str:
    stem = symbol.split("_", maxsplit=1)[0].split("-", maxsplit=1)[0]
    for candidate in (currency, *DOLLARS[1:], DOLLARS[0]):
        if stem.endswith(candidate) and stem != candidate:
            return candidate
    return currency


def _prefix(symbol: str, quote: str) -> str:
    stem = symbol.split("_", maxsplit=1)[0].split("-", maxsplit=1)[0]
    return stem[: -len(quote)] if stem.endswith(quote) and stem != quote else stem


def _require_positive(name: str, number: object) -> None:
    if not isinstance(number, (int, float)) or not math.isfinite(number) or number <= 0:
        raise RuleError(f"{name}: {number!r} must be a finite number > 0")


def _require_share(name: str, number: object) -> None:
    if not isinstance(number, (int, float)) or not 0 <= number < 1:
        raise RuleError(f"{name}: {number!r} must be within 0 and 1")


def _require_choice(name: str, choice: object, choices: tuple[str, ...]) -> None:
    if choice not in choices:
        raise RuleError(f"{name}: {choice!r} is not one of {', '.join(map(repr, choices))}")
