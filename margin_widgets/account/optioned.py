"""Option contracts of an account: their underlying, time to expiry and implied volatility."""

from __future__ import annotations

from datetime import date

import numpy as np
from traitlets import TraitError

from margin_widgets.account.state import AccountState
from margin_widgets.engine import black
from margin_widgets.engine.book import Floats, Options
from margin_widgets.venues import Contract

_DAYS_IN_YEAR = 365.0


def options(
    state: AccountState, symbols: tuple[str, ...], contracts: tuple[Contract, ...], marks: Floats
) -> Options | None:
    """Lay out the options among the symbols (S,); None if there is none.

    The implied volatility is the one at which Black (1976) gives the present mark.

    Raises
    ------
    TraitError
        If the venue has no margin rule for options, or the date of the marks is not known.
    """
    if not any(contract.is_option for contract in contracts):
        return None
    rules = state.venue
    if rules.option_margin is None:
        first = next(s for s, one in zip(symbols, contracts, strict=True) if one.is_option)
        raise TraitError(
            f"symbol: {first!r} is an option, and {rules.name} has no margin rule for options;"
            " give one with rules.replace(option_margin=...)"
        )
    if not state.as_of:
        raise TraitError("as_of: '' must be an ISO date: options need the day of their marks")
    for symbol, one in zip(symbols, contracts, strict=True):
        if one.is_option and str(one.expiry) < state.as_of:
            raise TraitError(
                f"symbol: {symbol!r} expired on {one.expiry}, before as_of {state.as_of!r}"
            )
    place = {symbol: number for number, symbol in enumerate(symbols)}
    kind = np.array([{"call": 1, "put": -1}.get(one.kind, 0) for one in contracts], dtype=np.intp)
    index = np.array(
        [
            place[str(one.underlying)] if one.is_option else number
            for number, one in enumerate(contracts)
        ],
        dtype=np.intp,
    )
    strike = np.array([one.strike or np.nan for one in contracts])
    years = np.array([_years(state.as_of, one.expiry) if one.is_option else 0 for one in contracts])
    in_coin = np.array([one.is_option and one.settle == one.base for one in contracts], dtype=bool)
    volatility = np.zeros(len(symbols))
    priced = np.flatnonzero(kind)
    forward = marks[index[priced]]
    volatility[priced] = black.implied_volatility(
        kind[priced],
        marks[priced] * np.where(in_coin[priced], forward, 1.0),
        forward,
        strike[priced],
        years[priced],
    )
    return Options(
        kind=kind,
        index=index,
        strike=strike,
        years=years,
        volatility=volatility,
        in_coin=in_coin,
        margin=rules.option_margin,
    )


def unusual_marks(options: Options, symbols: tuple[str, ...], marks: Floats) -> list[str]:
    """Say which option marks no volatility explains: below intrinsic value, or above the most."""
    told = []
    for symbol in np.flatnonzero(options.kind):
        forward = marks[options.index[symbol]]
        strike, kind = options.strike[symbol], options.kind[symbol]
        unit = forward if options.in_coin[symbol] else 1.0
        least = max(kind * (forward - strike), 0.0) / unit
        most = (forward if kind > 0 else strike) / unit
        mark = marks[symbol]
        if mark < least * (1 - 1e-9):
            told.append(
                f"{symbols[symbol]}: mark {mark:.8g} is below its intrinsic value {least:.8g};"
                " no volatility explains it"
            )
        elif mark >= most:
            told.append(
                f"{symbols[symbol]}: mark {mark:.8g} is not below {most:.8g}, the most that it can"
                " be worth"
            )
    return told


def _years(as_of: str, expiry: str | None) -> float:
    """Years from the day of the marks to expiry; 0 for an option that has expired."""
    days = (date.fromisoformat(str(expiry)) - date.fromisoformat(as_of)).days
    return max(days, 0) / _DAYS_IN_YEAR
