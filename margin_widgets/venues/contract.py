"""What one contract of a symbol is: kind, multiplier, currencies, and for options the strike."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from margin_widgets.venues import checks
from margin_widgets.venues.checks import RuleError
from margin_widgets.venues.parts import as_part

Kind = Literal["linear", "inverse", "quanto", "call", "put"]

CONTRACT_KINDS = ("linear", "inverse", "quanto", "call", "put")
OPTION_KINDS = ("call", "put")

DOLLARS = ("USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "DAI")
"""Currencies taken as worth one another where no price says otherwise."""

_UNIFIED = re.compile(r"(?P<base>\w+)/(?P<quote>\w+)(:\w+)?(-\d+(-[\d.]+-[CP])?)?$")
"""Symbols as ccxt unifies them: BTC/USDT:USDT-261225, BTC/USD:BTC-261225-100000-C."""


@dataclass(frozen=True)
class Contract:
    """What one contract of a symbol is.

    Parameters
    ----------
    kind : {"linear", "inverse", "quanto", "call", "put"}
        Linear pays in the quote currency, inverse in the base coin, quanto in a third asset;
        calls and puts pay in the quote currency or in the base coin, as `settle` says.
    multiplier : float
        Coin per contract (linear, options), quote units per contract (inverse), or units of the
        settlement asset per quote unit (quanto).
    base, quote, settle : str, optional
        Currencies; what is missing is taken from the symbol and the rule set's currency.
    tick : float, optional
        Smallest price step; prices are displayed on it.
    expiry : str, optional
        ISO date of delivery; none for a perpetual.
    strike : float, optional
        Of an option, in quote currency.
    underlying : str, optional
        Symbol whose mark is the index of an option.

    Examples
    --------
    >>> Contract(kind="inverse", multiplier=100, base="BTC", settle="BTC").multiplier
    100.0
    >>> Contract("call", strike=100_000, expiry="2026-12-25", underlying="BTCUSDT").is_option
    True
    """

    kind: Kind = "linear"
    multiplier: float = 1.0
    base: str | None = None
    quote: str | None = None
    settle: str | None = None
    tick: float | None = None
    expiry: str | None = None
    strike: float | None = None
    underlying: str | None = None

    def __post_init__(self) -> None:
        checks.choice("contract kind", self.kind, CONTRACT_KINDS)
        for name in ("multiplier", "tick", "strike"):
            if name == "multiplier" or getattr(self, name) is not None:
                number = checks.size(f"contract {name}", getattr(self, name))
                object.__setattr__(self, name, number)
        for name in ("base", "quote", "settle", "underlying"):
            if getattr(self, name) is not None:
                checks.text(f"contract {name}", getattr(self, name))
        if self.expiry is not None:
            checks.iso_date("contract expiry", self.expiry)
        for name in ("strike", "expiry", "underlying"):
            if self.is_option and getattr(self, name) is None:
                raise RuleError(f"contract {name}: None; a {self.kind} needs one")
        if not self.is_option and self.strike is not None:
            raise RuleError(
                f"contract strike: {self.strike:g}; only a call or a put has one,"
                f" this is {self.kind}"
            )

    @property
    def is_option(self) -> bool:
        """Whether the contract is a call or a put."""
        return self.kind in OPTION_KINDS

    def completed(self, symbol: str, currency: str) -> Contract:
        """Return the contract with base, quote and settle filled in.

        Raises
        ------
        RuleError
            If its settlement asset is none that its kind can pay in.
        """
        quote = self.quote or _suffix_currency(symbol, currency)
        base = self.base or _prefix(symbol, quote)
        settle = self.settle or (base if self.kind == "inverse" else quote)
        where = f"contract {symbol}:"
        if self.kind == "inverse" and settle != base:
            raise RuleError(
                f"{where} an inverse contract settles in its base {base!r}, not {settle!r}"
            )
        if self.kind == "linear" and settle == base:
            raise RuleError(
                f"{where} a linear contract cannot settle in its base {base!r}; use kind='inverse'"
            )
        if self.kind == "quanto" and settle in (base, quote):
            raise RuleError(
                f"{where} a quanto contract settles in neither its base {base!r} nor its quote"
                f" {quote!r}; give another asset than {settle!r} as settle"
            )
        if self.is_option and settle not in (base, quote):
            raise RuleError(
                f"{where} a {self.kind} settles in its quote {quote!r} or its base {base!r},"
                f" not {settle!r}"
            )
        return replace(self, base=base, quote=quote, settle=settle)


def as_contract(where: str, content: object) -> Contract:
    """Check a contract, given as such or as a mapping of its fields."""
    return as_part(where, content, Contract)


@lru_cache(maxsize=4096)
def inferred(contract: Contract, symbol: str, currency: str) -> Contract:
    """Contract of a symbol that no rule set lists, completed from its name."""
    return contract.completed(symbol, currency)


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
