"""Option contracts by their symbol: what venues write as BTC-25DEC26-100000-C."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from margin_widgets.venues.checks import RuleError
from margin_widgets.venues.contract import DOLLARS, Contract

_SYMBOL = re.compile(
    r"(?P<base>[A-Z]+)(?:[_/-](?P<quote>USDC|USDT|USD))?(?::(?P<settle>[A-Z]+))?"
    r"-(?P<expiry>\d{6}|\d{1,2}[A-Z]{3}\d{2})-(?P<strike>\d+(?:[.D]\d+)?)-(?P<side>[CP])"
    r"(?:-(?P<paid>USDC|USDT))?$"
)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def option_from_symbol(
    symbol: str,
    contracts: Mapping[str, Contract],
    tiers: Mapping[str, object],
    currency: str,
    multipliers: Mapping[str, float] = MappingProxyType({}),
) -> Contract | None:
    """Contract that a symbol of the usual forms names; None if it is none of them.

    Parameters
    ----------
    symbol : str
        ``BTC-25DEC26-100000-C`` (Deribit; ``BTC_USDC-…`` where it pays in dollars),
        ``BTC-USD-261225-100000-C`` (OKX), ``BTC-25DEC26-100000-C-USDT`` (Bybit), or
        ``BTC/USD:BTC-261225-100000-C`` (unified).
    contracts : mapping of symbol to Contract
        The rule set's own, among which the underlying is looked for.
    tiers : mapping
        Its keys are symbols that the rule set knows without describing them.
    currency : str
        What options pay in where the symbol does not say; in US dollars they pay in coin.
    multipliers : mapping of base coin to coins per contract
        1 where it is not named.

    Raises
    ------
    RuleError
        If the date does not exist, or there is no contract on the coin.

    Examples
    --------
    >>> perpetual = Contract("inverse", base="BTC", quote="USD", settle="BTC")
    >>> one = option_from_symbol("BTC-25DEC26-100000-C", {"BTC-PERPETUAL": perpetual}, {}, "USD")
    >>> one.kind, one.strike, one.expiry, one.settle, one.underlying
    ('call', 100000.0, '2026-12-25', 'BTC', 'BTC-PERPETUAL')
    """
    found = _SYMBOL.match(symbol.upper())
    if not found:
        return None
    base = found["base"]
    in_coin = not found["paid"] and (found["quote"] or currency) == "USD"
    dollars = None if in_coin else found["paid"] or found["quote"] or currency
    underlying = _underlying(base, dollars, contracts, tiers, currency)
    if underlying is None:
        raise RuleError(
            f"symbol: {symbol!r} is an option on {base}, and the rule set has no contract on it;"
            " add one with rules.replace(contracts=...)"
        )
    quote = dollars or "USD"
    return Contract(
        kind="call" if found["side"] == "C" else "put",
        multiplier=multipliers.get(base, 1.0),
        base=base,
        quote=quote,
        settle=found["settle"] or (base if in_coin else quote),
        expiry=_day(symbol, found["expiry"]),
        strike=float(found["strike"].replace("D", ".")),
        underlying=underlying,
    )


def _underlying(
    base: str,
    dollars: str | None,
    contracts: Mapping[str, Contract],
    tiers: Mapping[str, object],
    currency: str,
) -> str | None:
    """Symbol of the perpetual on a coin, that in the option's own currency first."""
    perpetuals = {
        symbol: one
        for symbol, one in contracts.items()
        if one.base == base and not one.is_option and not one.expiry
    }
    # A symbol that is known by its tiers alone is a linear perpetual, named by its currencies.
    named = [f"{base}{quote}" for quote in (dollars or currency, currency, *DOLLARS)]
    known = [name for name in named if name in tiers and name not in contracts]
    if dollars:
        own = [symbol for symbol, one in perpetuals.items() if one.settle == dollars]
        candidates = [*own, *known, *perpetuals]
    else:
        inverse = [symbol for symbol, one in perpetuals.items() if one.kind == "inverse"]
        candidates = [*inverse, *perpetuals, *known]
    return candidates[0] if candidates else None


def _day(symbol: str, text: str) -> str:
    try:
        if text.isdigit():
            return date(2000 + int(text[:2]), int(text[2:4]), int(text[4:])).isoformat()
        return date(
            2000 + int(text[-2:]), _MONTHS.index(text[-5:-2]) + 1, int(text[:-5])
        ).isoformat()
    except ValueError:
        raise RuleError(f"symbol: {symbol!r} expires on {text!r}, which is no date") from None
