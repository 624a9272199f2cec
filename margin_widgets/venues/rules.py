"""A venue's margin rules as one immutable value, and the checks that keep it consistent."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from html import escape
from itertools import pairwise
from numbers import Real
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

DOLLARS = ("USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "DAI")
"""Currencies taken as worth one another where no price says otherwise."""


SMALLEST, LARGEST = 1e-15, 1e15
"""Beyond these no amount is meant: a double no longer resolves cents, or products vanish."""

CHANGED = "+changed"
"""What the version of a rule set ends in once a part of it was exchanged."""


_UNIFIED = re.compile(r"(?P<base>\w+)/(?P<quote>\w+)(:\w+)?(-\d+)?$")
"""Symbols as ccxt unifies them: BTC/USDT:USDT-261225."""


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
    100.0
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
        object.__setattr__(self, "multiplier", _size("contract multiplier", self.multiplier))
        if self.tick is not None:
            object.__setattr__(self, "tick", _size("contract tick", self.tick))
        for name in ("base", "quote", "settle"):
            if getattr(self, name) is not None:
                _require_text(f"contract {name}", getattr(self, name))
        if self.expiry is not None:
            _require_text("contract expiry", self.expiry)
            try:
                date.fromisoformat(self.expiry)
            except ValueError:
                raise RuleError(
                    f"contract expiry: {self.expiry!r} is not an ISO date such as '2026-12-25'"
                ) from None

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
        for name in ("name", "title", "version", "date", "margin_ratio_name"):
            _require_text(name, getattr(self, name), empty=True)
        _require_text("currency", self.currency)
        for name in ("known_symbols_only", "closing_fee_in_maintenance"):
            if not isinstance(getattr(self, name), bool):
                raise RuleError(f"{name}: {getattr(self, name)!r} must be True or False")
        checked: dict[str, Any] = {
            name: _share(name, getattr(self, name)) for name in ("taker_fee", "liquidation_fee")
        }
        for name in ("sources", "cannot_express", "not_modelled"):
            checked[name] = _texts(name, getattr(self, name))
        checked["default_contract"] = as_contract("default_contract", self.default_contract)
        for name in ("tiers", "haircuts", "contracts"):
            _require_mapping(name, getattr(self, name))
        tiers = {symbol: tier_table(symbol, rows) for symbol, rows in self.tiers.items()}
        haircuts = {asset: haircut_bands(asset, rows) for asset, rows in self.haircuts.items()}
        contracts = {
            symbol: as_contract(f"contracts of {symbol}", one).completed(symbol, self.currency)
            for symbol, one in self.contracts.items()
        }
        for name, mapping in (("tiers", tiers), ("haircuts", haircuts), ("contracts", contracts)):
            checked[name] = MappingProxyType(mapping)
        for name, part in checked.items():
            object.__setattr__(self, name, part)

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

        Unless a name or version is given too, the version says that the rules were changed.

        Raises
        ------
        TypeError
            If a part does not exist.
        RuleError
            If the result is not consistent.

        Examples
        --------
        >>> from margin_widgets import venues
        >>> venues.get("binance-usdm").replace(taker_fee=0.0004).version
        '1+changed'
        """
        known = [one.name for one in fields(self)]
        for name in parts:
            if name not in known:
                raise TypeError(
                    f"RuleSet.replace: unknown part {name!r}{did_you_mean(name, known)}"
                )
        replaced = RuleSet(**{**self._parts(), **parts})
        if replaced == self or {"name", "version"} & set(parts) or self.version.endswith(CHANGED):
            return replaced
        return replace(replaced, version=self.version + CHANGED)

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

    def __repr__(self) -> str:
        dated = f", {self.date}" if self.date else ""
        symbols = f"{len(self.tiers)} symbol{'' if len(self.tiers) == 1 else 's'}"
        return f"RuleSet({self.name!r}, version {self.version!r}{dated}; {symbols})"

    def _repr_html_(self) -> str:
        rows = {
            "rules": self.title or self.name,
            "version": self.label,
            "currency": self.currency,
            "symbols": f"{len(self.tiers):,}",
            "maintenance at": self.maintenance_at,
            "taker fee": f"{self.taker_fee:.4%}",
            "liquidated when": f"margin balance {self.trigger} maintenance",
            "cross pool": self.cross_pool,
            "sources": ", ".join(self.sources),
        }
        cells = "".join(
            f'<tr><th style="text-align:left">{name}</th>'
            f'<td style="text-align:left">{escape(text)}</td></tr>'
            for name, text in rows.items()
        )
        return f"<table>{cells}</table>"


def tier_table(symbol: str, rows: float | Iterable[Any]) -> TierTable:
    """Check tier rows: floors from 0 upward, rates within 0 and 1 that never fall.

    Raises
    ------
    RuleError
        Naming the symbol, the row (counted from 1) and the value.
    """
    table: list[Tier] = []
    for number, row in enumerate(_rows(f"tiers of {symbol}", rows), start=1):
        where = f"tiers of {symbol}, row {number}"
        try:
            floor, rate, *most = row
            tier = Tier(real(floor), real(rate), *(None if x is None else real(x) for x in most))
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
    bands: list[tuple[float, float]] = []
    for number, row in enumerate(_rows(f"haircuts of {asset}", rows), start=1):
        where = f"haircuts of {asset}, row {number}"
        try:
            floor, share = (real(cell) for cell in row)
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


def as_contract(where: str, content: object) -> Contract:
    """Check a contract, given as such or as a mapping of its fields."""
    if isinstance(content, Contract):
        return content
    if not isinstance(content, Mapping):
        raise RuleError(f"{where}: {content!r} is not a Contract, nor a mapping of its fields")
    known = [one.name for one in fields(Contract)]
    for key in content:
        if key not in known:
            raise RuleError(f"{where}: unknown field {key!r}{did_you_mean(str(key), known)}")
    return Contract(**content)


def real(content: object) -> float:
    """Float of any real number, infinite if it is too large for one.

    Raises
    ------
    TypeError
        If it is not a number; text and truth values are not.
    """
    if isinstance(content, bool) or not isinstance(content, (Real, Decimal)):
        raise TypeError(f"{content!r} is not a number")
    number: Any = content
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
    except ValueError:  # a signalling NaN
        return math.nan


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
    unified = _UNIFIED.match(symbol)
    if unified:
        return unified["quote"]
    stem = symbol.split("_", maxsplit=1)[0].split("-", maxsplit=1)[0]
    for candidate in (currency, *DOLLARS[1:], DOLLARS[0]):
        if stem.endswith(candidate) and stem != candidate:
            return candidate
    return currency


def _prefix(symbol: str, quote: str) -> str:
    unified = _UNIFIED.match(symbol)
    if unified:
        return unified["base"]
    stem = symbol.split("_", maxsplit=1)[0].split("-", maxsplit=1)[0]
    return stem[: -len(quote)] if stem.endswith(quote) and stem != quote else stem


def _rows(where: str, rows: object) -> Iterable[Any]:
    """Rows of a table; a number is the rate of its only row."""
    try:
        return [(0.0, real(rows))]
    except TypeError:
        pass
    if isinstance(rows, (str, bytes, bool, Mapping)) or not isinstance(rows, Iterable):
        raise RuleError(f"{where}: {rows!r} is neither a rate nor rows of (floor, rate)")
    return rows


def _real_or_nan(content: object) -> float:
    """A number, or NaN, which is within no bounds."""
    try:
        return real(content)
    except TypeError:
        return math.nan


def _size(name: str, content: object) -> float:
    number = _real_or_nan(content)
    if not SMALLEST <= number <= LARGEST:
        raise RuleError(f"{name}: {content!r} must be a number > 0, from 1e-15 to 1e15")
    return number


def _share(name: str, content: object) -> float:
    number = _real_or_nan(content)
    if not 0 <= number < 1:
        raise RuleError(f"{name}: {content!r} must be a number within 0 and 1")
    return number


def _texts(name: str, content: object) -> tuple[str, ...]:
    if isinstance(content, str) or not isinstance(content, Iterable):
        raise RuleError(f"{name}: {content!r} must be several texts, such as ({content!r},)")
    texts = tuple(content)
    for one in texts:
        _require_text(name, one, empty=True)
    return texts


def _require_text(name: str, content: object, *, empty: bool = False) -> None:
    if not isinstance(content, str) or not (empty or content.strip()):
        raise RuleError(f"{name}: {content!r} must be a text{'' if empty else ', not empty'}")


def _require_mapping(name: str, content: object) -> None:
    if not isinstance(content, Mapping):
        raise RuleError(f"{name}: {content!r} must be a mapping of names")
    for key in content:
        _require_text(f"{name}, key", key)


def _require_choice(name: str, choice: object, choices: tuple[str, ...]) -> None:
    if choice not in choices:
        raise RuleError(f"{name}: {choice!r} is not one of {', '.join(map(repr, choices))}")
