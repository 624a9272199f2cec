"""One unified position of ccxt: read what is there, work out what is not, say which is which."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from margin_widgets.io.ccxt_number import RowError, number
from margin_widgets.io.ccxt_symbol import Market

DEFAULT_LEVERAGE = 10.0
MODES = {"cross": "cross", "crossed": "cross", "isolated": "isolated"}
SIDES = {"long": 1.0, "short": -1.0}
PNL_AGREEMENT = 1e-3
"""Share of notional by which a price may miss the stated profit and still count as the mark."""


@dataclass(frozen=True)
class PositionRow:
    """A position with every field known.

    `size` is signed: coin if linear, units of quote currency if inverse. `notional` and
    `unrealized_pnl` are at `mark` and, if inverse, in coin.
    """

    size: float
    contract_size: float
    entry_price: float
    mark: float | None
    leverage: float
    margin: float | None
    margin_mode: str
    notional: float | None
    unrealized_pnl: float | None
    maintenance_margin: float | None
    maintenance_rate: float | None
    rate_from: str
    date: str
    notices: tuple[str, ...]


def read_position(
    position: Mapping[str, Any], market: Market, mark: float | None = None
) -> PositionRow | None:
    """Read one position structure; None if it holds no contracts.

    Parameters
    ----------
    position : mapping
    market : Market
    mark : float, optional
        Mark price known from elsewhere; goes before the position's own.

    Raises
    ------
    RowError
        With the reason why it cannot be imported.
    """
    try:
        return _read(position, market, mark)
    except (ZeroDivisionError, OverflowError):
        raise RowError("numbers too large or too small for a position") from None


def _read(position: Mapping[str, Any], market: Market, mark: float | None) -> PositionRow | None:
    contracts = _number(position, "contracts")
    if contracts is None and _number(position, "notional"):
        raise RowError("contracts: missing, though there is a notional")
    if not contracts:
        return None
    notices: list[str] = []
    sign = _sign(position, contracts, notices)
    figures = _Figures(position, market.inverse, notices)
    size = sign * figures.size(abs(contracts))
    if not size:
        raise OverflowError
    mark = figures.mark(size, mark)
    entry = figures.entry(size, mark)
    if mark is None:
        notices.append("no mark price and nothing to work it out from; the entry price is used")
        mark_or_entry = entry
    else:
        mark_or_entry = mark
    pnl = figures.pnl_at(size, entry, mark_or_entry)
    stated_pnl = figures.get("unrealizedPnl")
    notional = figures.value_at(abs(size), mark_or_entry)
    if stated_pnl is not None and abs(stated_pnl - pnl) > PNL_AGREEMENT * notional:
        notices.append(
            f"unrealised profit is {pnl:,.8g} by mark and entry; the exchange states"
            f" {stated_pnl:,.8g}"
        )
    mode = _mode(position, notices)
    rate, source = figures.maintenance_rate(notional)
    return PositionRow(
        size=size,
        contract_size=abs(size / contracts),
        entry_price=entry,
        mark=mark,
        leverage=figures.leverage(notional),
        margin=figures.margin(pnl) if mode == "isolated" else None,
        margin_mode=mode,
        notional=notional,
        unrealized_pnl=stated_pnl if stated_pnl is not None else pnl,
        maintenance_margin=figures.get("maintenanceMargin"),
        maintenance_rate=rate,
        rate_from=source,
        date=str(position.get("datetime") or "")[:10],
        notices=tuple(notices),
    )


@dataclass
class _Figures:
    """Figures of a position, stated or worked out."""

    position: Mapping[str, Any]
    inverse: bool
    notices: list[str]

    def get(self, name: str) -> float | None:
        return _number(self.position, name)

    def positive(self, name: str) -> float | None:
        found = self.get(name)
        return abs(found) if found else None

    def value_at(self, size: float, price: float) -> float:
        return size / price if self.inverse else size * price

    def pnl_at(self, size: float, entry: float, price: float) -> float:
        return size * (1 / entry - 1 / price) if self.inverse else size * (price - entry)

    def size(self, contracts: float) -> float:
        """Contracts times contract size; a missing size follows from profit or notional."""
        stated = self.positive("contractSize")
        if stated:
            return _product(contracts, stated)
        mark, entry = self.positive("markPrice"), self.positive("entryPrice")
        pnl, notional = self.positive("unrealizedPnl"), self.positive("notional")
        implied = None
        if mark and entry and pnl and abs(mark - entry) > 1e-3 * entry:
            implied = pnl / abs(self.pnl_at(contracts, entry, mark))
        elif notional and (mark or entry):
            implied = notional / self.value_at(contracts, mark or entry or math.nan)
        if implied is None:
            if self.inverse:
                raise RowError("contractSize: missing, and nothing to work it out from")
            self.notices.append("no contract size; 1 coin per contract is assumed")
            return contracts
        rounded = float(f"{implied:.1e}")
        implied = rounded if abs(rounded - implied) < 0.005 * implied else implied
        self.notices.append(f"contract size {implied:.8g} worked out from profit or notional")
        return _product(contracts, implied)

    def mark(self, size: float, known: float | None) -> float | None:
        """Mark price: given, stated, or from notional or profit, whichever agree."""
        stated = known or self.positive("markPrice")
        if stated:
            return stated
        notional, entry = self.positive("notional"), self.positive("entryPrice")
        pnl = self.get("unrealizedPnl")
        by_notional = by_pnl = None
        if notional:
            by_notional = abs(size) / notional if self.inverse else notional / abs(size)
        if entry and pnl is not None:
            by_pnl = self._price_after(size, entry, pnl)
        if by_notional and by_pnl and entry and notional and pnl is not None:
            missed = abs(self.pnl_at(size, entry, by_notional) - pnl)
            if missed > PNL_AGREEMENT * notional:
                self.notices.append(
                    f"mark {by_pnl:.10g} worked out from unrealised profit; the notional is not at"
                    " the mark"
                )
                return by_pnl
        if by_notional:
            self.notices.append(f"mark {by_notional:.10g} worked out from the notional")
        elif by_pnl:
            self.notices.append(f"mark {by_pnl:.10g} worked out from unrealised profit")
        return by_notional or by_pnl

    def entry(self, size: float, mark: float | None) -> float:
        """Entry price, else from mark and profit."""
        stated, pnl = self.positive("entryPrice"), self.get("unrealizedPnl")
        if stated:
            return stated
        if mark is None or pnl is None:
            raise RowError("entryPrice: missing, and no mark and profit to work it out from")
        worked_out = self._price_after(size, mark, -pnl)
        if worked_out is None:
            raise RowError("entryPrice: missing, and mark and profit give no price")
        self.notices.append(f"entry {worked_out:.10g} worked out from mark and unrealised profit")
        return worked_out

    def _price_after(self, size: float, price: float, pnl: float) -> float | None:
        """Price at which `size` has gained `pnl` since `price`."""
        if self.inverse:
            inverted = 1 / price - pnl / size
            return 1 / inverted if inverted > 0 else None
        moved = price + pnl / size
        return moved if moved > 0 else None

    def leverage(self, notional: float) -> float:
        """Leverage setting, else notional over initial margin."""
        stated = self.positive("leverage")
        if stated and stated <= 1000:
            return stated
        share = self.positive("initialMarginPercentage")
        initial = self.positive("initialMargin")
        base = self.positive("notional") or notional
        implied = 1 / share if share else base / initial if initial else None
        if implied and 0 < implied <= 1000:
            self.notices.append(f"leverage {implied:.4g} worked out from the initial margin")
            return round(implied, 4)
        self.notices.append(f"no leverage; {DEFAULT_LEVERAGE:g} is assumed")
        return DEFAULT_LEVERAGE

    def margin(self, pnl: float) -> float | None:
        """Assigned isolated margin, without unrealised profit."""
        assigned = self.get("positionMargin")
        if assigned is None:
            collateral = self.get("collateral")
            if not collateral:
                self.notices.append("no isolated margin; the initial margin at entry is assumed")
                return None
            stated = self.get("unrealizedPnl")
            assigned = collateral - (pnl if stated is None else stated)
            self.notices.append(
                f"isolated margin {assigned:,.8g} taken as collateral less unrealised profit"
            )
        if assigned < 0:
            raise RowError(f"isolated margin: {assigned:,.8g} must be at least 0")
        return assigned

    def maintenance_rate(self, notional: float) -> tuple[float | None, str]:
        """Maintenance margin over notional, and where that comes from."""
        rate = self.positive("maintenanceMarginPercentage")
        if rate and rate < 1:
            return rate, "as stated for the position"
        margin = self.positive("maintenanceMargin")
        if margin and margin < notional:
            return margin / notional, "from its maintenance margin over notional"
        return None, ""


def _number(position: Mapping[str, Any], name: str) -> float | None:
    return number(name, position.get(name))


def _product(one: float, other: float) -> float:
    """Product of two numbers as they are printed: 56.36 x 0.1 is 5.636."""
    return float(Decimal(repr(one)) * Decimal(repr(other)))


def _sign(position: Mapping[str, Any], contracts: float, notices: list[str]) -> float:
    side = position.get("side")
    if side is None:
        notional = _number(position, "notional")
        if contracts > 0 and (notional is None or notional > 0):
            raise RowError("side: missing; allowed: 'long', 'short'")
        notices.append("no side; short, as contracts or notional are negative")
        return -1.0
    sign = SIDES.get(side.lower()) if isinstance(side, str) else None
    if sign is None:
        raise RowError(f"side: {side!r} is not one of 'long', 'short'")
    if contracts < 0 < sign:
        raise RowError(f"side: 'long' disagrees with {contracts:g} contracts")
    return sign


def _mode(position: Mapping[str, Any], notices: list[str]) -> str:
    stated = position.get("marginMode")
    if stated in (None, ""):
        mode = "isolated" if position.get("isolated") is True else "cross"
        notices.append(f"no margin mode; {mode} is assumed")
        return mode
    known = MODES.get(stated.lower()) if isinstance(stated, str) else None
    if known is None:
        raise RowError(f"marginMode: {stated!r} is not one of 'cross', 'isolated'")
    return known
