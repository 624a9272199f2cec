"""Tables of a rule set: tiers by notional or size, bands by amount, open-interest caps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from margin_widgets.venues import checks
from margin_widgets.venues.checks import RuleError, real


class Tier(NamedTuple):
    """One band of a tier table.

    `floor` is in notional (quote currency for linear contracts, coin for inverse ones), in coins or
    in contracts, as the rule set's `tiers_by` says; `rate` is the margin rate above it;
    `max_leverage` the leverage allowed there, if known.
    """

    floor: float
    rate: float
    max_leverage: float | None = None


TierTable = tuple[Tier, ...]
Bands = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class OpenInterest:
    """Open interest of a symbol, and the caps between which it raises the initial margin rate.

    Parameters
    ----------
    notional : float
        Open interest, in quote currency.
    lower_cap, upper_cap : float
        The rate is its base up to the lower cap, 1 from the upper cap on, straight in between.
    """

    notional: float
    lower_cap: float
    upper_cap: float

    def __post_init__(self) -> None:
        for name in ("notional", "lower_cap", "upper_cap"):
            value = checks.amount(f"open interest {name}", getattr(self, name))
            object.__setattr__(self, name, value)
        if not self.lower_cap < self.upper_cap:
            raise RuleError(
                f"open interest upper_cap: {self.upper_cap:g} does not rise above the lower_cap"
                f" {self.lower_cap:g}"
            )

    def initial_rate(self, base: float) -> float:
        """Initial margin rate at the present open interest, from the rate without any.

        Source: dYdX v4 protocol, `perpetual.go`, open interest scaled initial margin.
        """
        reached = (self.notional - self.lower_cap) / (self.upper_cap - self.lower_cap)
        return base + (1.0 - base) * min(1.0, max(0.0, reached))


def tier_table(symbol: str, rows: float | Iterable[Any], *, field: str = "tiers") -> TierTable:
    """Check tier rows: floors from 0 upward, rates within 0 and 1 that never fall.

    Parameters
    ----------
    symbol : str
    rows : number or iterable of rows
        One rate, or (floor, rate) or (floor, rate, max_leverage) rows.
    field : str
        Named in errors. A rate of 1 is allowed for `initial_tiers` only.

    Raises
    ------
    RuleError
        Naming the symbol, the row (counted from 1) and the value.
    """
    table: list[Tier] = []
    for number, row in enumerate(_rows(f"{field} of {symbol}", rows), start=1):
        where = f"{field} of {symbol}, row {number}"
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
        if not (0 <= tier.rate < 1 or (tier.rate == 1 and field == "initial_tiers")):
            raise RuleError(f"{where}: rate {tier.rate:g} is not within 0 and 1")
        if table and tier.rate < table[-1].rate:
            raise RuleError(f"{where}: rate {tier.rate:g} falls below {table[-1].rate:g}")
        if tier.max_leverage is not None and not tier.max_leverage > 0:
            raise RuleError(f"{where}: max_leverage {tier.max_leverage:g} must be > 0")
        table.append(tier)
    if not table:
        raise RuleError(f"{field} of {symbol}: no rows")
    return tuple(table)


def amounts_of(table: TierTable) -> tuple[float, ...]:
    """Amount subtracted in each tier so that ``notional * rate - amount`` is continuous.

    Source: Binance support article b3c689c1f50a44cabb3a84e663b81d93, maintenance amount.
    """
    amounts = [0.0]
    for before, tier in pairwise(table):
        amounts.append(amounts[-1] + tier.floor * (tier.rate - before.rate))
    return tuple(float(f"{amount:.12g}") for amount in amounts)


def haircut_bands(
    asset: str, rows: float | Iterable[Any], *, field: str = "haircuts", word: str = "haircut"
) -> Bands:
    """Check bands by amount: (amount floor, share) rows, floors from 0 upward, rising shares.

    Raises
    ------
    RuleError
        Naming the asset, the row (counted from 1) and the value.
    """
    bands: list[tuple[float, float]] = []
    for number, row in enumerate(_rows(f"{field} of {asset}", rows), start=1):
        where = f"{field} of {asset}, row {number}"
        try:
            floor, share = (real(cell) for cell in row)
        except (TypeError, ValueError):
            raise RuleError(f"{where}: {row!r} is not (floor, share)") from None
        if not bands and floor != 0:
            raise RuleError(f"{where}: the first floor is {floor:g}, it must be 0")
        if bands and not floor > bands[-1][0]:
            raise RuleError(f"{where}: floor {floor:g} does not rise above {bands[-1][0]:g}")
        if not (math.isfinite(floor) and 0 <= share <= 1):
            raise RuleError(f"{where}: {word} {share:g} is not within 0 and 1")
        if bands and share < bands[-1][1]:
            raise RuleError(f"{where}: {word} {share:g} falls below {bands[-1][1]:g}")
        bands.append((floor, share))
    if not bands:
        raise RuleError(f"{field} of {asset}: no rows")
    return tuple(bands)


def liability_bands(asset: str, rows: float | Iterable[Any]) -> Bands:
    """Check maintenance rates on a borrowed amount: (amount floor, rate) rows that never fall."""
    return haircut_bands(asset, rows, field="liability_rates", word="rate")


def _rows(where: str, rows: object) -> Iterable[Any]:
    """Rows of a table; a number is the rate of its only row."""
    try:
        return [(0.0, real(rows))]
    except TypeError:
        pass
    if isinstance(rows, (str, bytes, bool, Mapping)) or not isinstance(rows, Iterable):
        raise RuleError(f"{where}: {rows!r} is neither a rate nor rows of (floor, rate)")
    return rows
