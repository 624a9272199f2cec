"""An account under harsher or milder rules of the same venue, beside the venue's own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from margin_widgets.account import formatting as fmt
from margin_widgets.account.comparison import MODES, Comparison
from margin_widgets.account.state import AccountState
from margin_widgets.engine.closing import KINDS, LiquidationPolicy
from margin_widgets.venues import RuleError, RuleSet, Tier, checks
from margin_widgets.venues.rules import CHOICES
from margin_widgets.venues.tables import Bands, TierTable, haircut_bands, tier_table

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

SCALES = (0.5, 3.0)
"""Bounds of the maintenance scale."""
HIGHEST_RATE = 0.99
"""Where scaled maintenance rates end: a rate of 1 would liquidate what has no debt."""

POLICIES: Mapping[str, str] = {
    "full": "everything at once",
    "tiers": "down the tiers until it stands",
    "share": "a fixed share first",
    "shortage": "as much as the shortage asks for",
}
"""What each kind of liquidation closes, in words."""
RESIDUALS: Mapping[str, str] = {
    "kept": "kept by the venue",
    "returned": "returned to the account",
    "split": "split between both",
}
"""What happens to what is left in a liquidated pool, in words."""


@dataclass(frozen=True)
class Stress:
    """What is changed in a venue's rules; all else stays as the venue has it.

    Parameters
    ----------
    tiers : mapping of symbol to tiers
        Maintenance tiers in place of the venue's, each a rate, or (floor, rate) or (floor, rate,
        max_leverage) rows. Without a highest leverage the venue's is kept as far as the rate
        allows; initial margin rates are raised to the maintenance rates where they are lower.
    haircuts : mapping of asset to share or (amount floor, share) bands
        In place of the venue's and of the account's own.
    maintenance_scale : float
        Factor on every maintenance rate, of contracts and of loans, from 0.5 to 3. Scaled rates end
        at 99 %. The margin of options and of portfolio margin is not scaled.
    closing_fee : bool, optional
        Whether the taker fee of closing counts as maintenance.
    taker_fee : float, optional
    liquidation : {"full", "tiers", "share", "shortage"} or LiquidationPolicy, optional
        What a liquidation closes; of a kind alone the other settings stay the venue's.
    residual : {"kept", "returned", "split"}, optional
        What happens to what is left in a liquidated pool.
    residual_share : float, optional
        Part that is returned if it is split.

    Raises
    ------
    RuleError
        Naming symbol or asset, the row (counted from 1), the value and the bound.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> found = Stress(maintenance_scale=2).compare(presets.ref2())
    >>> found.get("cross", "liquidation_price", "BTCUSDT").now_text
    '81,616.16'
    """

    tiers: Mapping[str, Any] = field(default_factory=dict)
    haircuts: Mapping[str, Any] = field(default_factory=dict)
    maintenance_scale: float = 1.0
    closing_fee: bool | None = None
    taker_fee: float | None = None
    liquidation: str | LiquidationPolicy | None = None
    residual: str | None = None
    residual_share: float | None = None

    def __post_init__(self) -> None:
        tiers = checks.mapping("tiers", self.tiers)
        cuts = checks.mapping("haircuts", self.haircuts)
        checked: dict[str, Any] = {
            "tiers": MappingProxyType({s: tier_table(s, rows) for s, rows in tiers.items()}),
            "haircuts": MappingProxyType({a: haircut_bands(a, cut) for a, cut in cuts.items()}),
            "maintenance_scale": _scale(self.maintenance_scale),
        }
        if self.closing_fee is not None:
            checks.truth("closing_fee", self.closing_fee)
        if self.taker_fee is not None:
            checked["taker_fee"] = checks.share("taker_fee", self.taker_fee)
        if self.residual_share is not None:
            checked["residual_share"] = checks.share(
                "residual_share", self.residual_share, whole=True
            )
        if not isinstance(self.liquidation, LiquidationPolicy | None):
            checks.choice("liquidation", self.liquidation, KINDS)
        if self.residual is not None:
            checks.choice("residual", self.residual, CHOICES["residual"])
        for name, part in checked.items():
            object.__setattr__(self, name, part)

    def __hash__(self) -> int:
        return hash((self.maintenance_scale, self.closing_fee, self.residual))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by plain parts: read-only mappings cannot be pickled themselves."""
        parts = [getattr(self, one.name) for one in fields(self)]
        return Stress, tuple(dict(p) if isinstance(p, MappingProxyType) else p for p in parts)

    def replace(self, **changes: Any) -> Stress:
        """Return a copy with some parts exchanged."""
        return replace(self, **changes)

    @property
    def empty(self) -> bool:
        """Whether nothing is changed."""
        return self == Stress()

    # -- what it makes of rules and accounts ------------------------------------------------

    def rules(self, base: RuleSet) -> RuleSet:
        """Return the rules with these parts exchanged; the same ones if nothing is.

        Raises
        ------
        RuleError
            If the result is not consistent.

        Examples
        --------
        >>> from margin_widgets import venues
        >>> rules = Stress(maintenance_scale=2).rules(venues.generic(tiers={"XUSDT": 0.005}))
        >>> rules.tiers["XUSDT"][0].rate, rules.version
        (0.01, '1+changed')
        """
        return _stressed(self, base)

    def state(self, state: AccountState) -> AccountState:
        """Return an account's state under these rules.

        Haircuts that the account itself sets give way to those given here.
        """
        cuts = {asset: cut for asset, cut in state.haircuts.items() if asset not in self.haircuts}
        return state.replace(venue=self.rules(state.venue), haircuts=cuts)

    def applied(self, account: Account) -> Account:
        """Return a new account under the stressed rules; the given one stays as it is.

        Raises
        ------
        RuleError
            If the rules are not consistent.
        TraitError
            If the account cannot be held under them.
        """
        return account.from_state(self.state(account.state))

    def compare(self, account: Account) -> Comparison:
        """Compare the account under its own rules with the same under the stressed ones."""
        return Comparison(account, account if self.empty else self.applied(account))

    def apply(self, account: Account) -> None:
        """Make the stressed rules the account's, as one edit that can be undone."""
        state = self.state(account.state)
        with account.edit():
            account.venue = state.venue
            account.haircuts = state.haircuts

    # -- words ------------------------------------------------------------------------------

    @property
    def parts(self) -> tuple[str, ...]:
        """What is changed, part by part, in words."""
        told = []
        if self.maintenance_scale != 1.0:
            told.append(f"maintenance × {self.maintenance_scale:g}")
        told += [f"tiers of {symbol}" for symbol in self.tiers]
        told += [f"haircut of {asset} {_shares(cut)}" for asset, cut in self.haircuts.items()]
        if self.closing_fee is not None:
            told.append(f"closing fee {'in' if self.closing_fee else 'not in'} maintenance")
        if self.taker_fee is not None:
            told.append(f"taker fee {fmt.percent(self.taker_fee, 3)}")
        if self.liquidation is not None:
            policy = self.liquidation
            kind = policy.kind if isinstance(policy, LiquidationPolicy) else policy
            told.append(f"liquidation closes {POLICIES[kind]}")
        if self.residual is not None:
            told.append(f"residual {RESIDUALS[self.residual]}")
        if self.residual_share is not None:
            told.append(f"of a split {fmt.percent(self.residual_share, 0)} returned")
        return tuple(told)

    @property
    def code(self) -> str:
        """Python that makes the same stress."""
        given, none = [], Stress()
        for one in fields(self):
            content = getattr(self, one.name)
            if content == getattr(none, one.name):
                continue
            if one.name == "tiers":
                content = {symbol: _plain_table(table) for symbol, table in content.items()}
            elif one.name == "haircuts":
                content = {a: c[0][1] if len(c) == 1 else _bands(c) for a, c in content.items()}
            given.append(f"{one.name}={_short(content)!r}")
        return f"mw.Stress({', '.join(given)})"

    def notes(self, base: RuleSet, symbols: tuple[str, ...] = ()) -> tuple[str, ...]:
        """What the stress does not do, or only in part, to some rules.

        Parameters
        ----------
        base : RuleSet
        symbols : tuple of str
            Contracts whose tables are looked at.
        """
        told = []
        if self.maintenance_scale != 1.0:
            tables = {**base.tiers, **self.tiers}
            for symbol in symbols:
                capped = _capped(tables.get(symbol, ()), self.maintenance_scale)
                if capped:
                    rows = f"row {capped[0]}" if len(capped) == 1 else f"rows from {capped[0]} on"
                    told.append(
                        f"tiers of {symbol}, {rows}: held at {fmt.percent(HIGHEST_RATE, 0)}"
                    )
            if base.option_margin is not None or base.portfolio is not None:
                told.append("the margin of options and of portfolio margin is not scaled")
        return tuple(told)


def scaled_table(table: TierTable, factor: float) -> TierTable:
    """Tiers with every rate times a factor, no higher than `HIGHEST_RATE`.

    The highest leverage falls as far as the rate asks.

    >>> [tuple(tier) for tier in scaled_table((Tier(0.0, 0.004, 125), Tier(5e4, 0.5)), 2.5)]
    [(0.0, 0.01, 100.0), (50000.0, 0.99, None)]
    """
    return tuple(
        Tier(tier.floor, rate, _cap(tier.max_leverage, rate))
        for tier in table
        for rate in [_times(tier.rate, factor)]
    )


def stress_sentence(found: Comparison, stress: Stress, position: str = "") -> str:
    """Say what the stressed rules do to liquidation in both modes.

    Parameters
    ----------
    found : Comparison
        Of the venue's own rules with the stressed ones.
    stress : Stress
    position : str
        Key of the position whose liquidation price is named.
    """
    if stress.empty:
        return f"These are the rules of {found.before.venue.label}; nothing is stressed."
    what = "; ".join(stress.parts)
    told = []
    names = [("liquidation_price", position)] if found.holds(position) else []
    for name, key in [*names, ("liquidation_shock", "")]:
        pair = [found.get(mode, name, key) for mode in MODES]
        subject = f"the liquidation price of {key}" if key else "the liquidation shock"
        ends = [
            f"{one.mode} {one.before_text} → {one.now_text}"
            if one.changed
            else f"{one.mode} {one.now_text} as before"
            for one in pair
        ]
        told.append(f"{subject} is {', '.join(ends)}")
    return f"With {what}: {'; '.join(told)}."


# -- parts --------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _stressed(stress: Stress, base: RuleSet) -> RuleSet:
    """The rules of a venue under a stress; kept, as every edit of an account asks for them."""
    parts: dict[str, Any] = {}
    given = {symbol: _caps_of(base, symbol, table) for symbol, table in stress.tiers.items()}
    if given:
        parts["tiers"] = {**base.tiers, **given}
    if stress.maintenance_scale != 1.0:
        parts |= _scaled(stress, base, parts.get("tiers", base.tiers))
    if "tiers" in parts:
        parts["initial_tiers"] = {
            symbol: _not_below(table, parts["tiers"].get(symbol, ()))
            for symbol, table in base.initial_tiers.items()
        }
    if stress.haircuts:
        parts["haircuts"] = {**base.haircuts, **stress.haircuts}
        # A weight that worsens with the amount would lie on top of the share that is given.
        parts["imf_factors"] = {
            asset: factor
            for asset, factor in base.imf_factors.items()
            if asset not in stress.haircuts
        }
    if stress.closing_fee is not None:
        parts["closing_fee_in_maintenance"] = stress.closing_fee
    for name in ("taker_fee", "residual", "residual_share"):
        if getattr(stress, name) is not None:
            parts[name] = getattr(stress, name)
    if isinstance(stress.liquidation, LiquidationPolicy):
        parts["liquidation"] = stress.liquidation
    elif stress.liquidation is not None:
        parts["liquidation"] = replace(base.liquidation, kind=stress.liquidation)  # type: ignore[arg-type]
    return base.replace(**parts) if parts else base


def _scaled(stress: Stress, base: RuleSet, tiers: Mapping[str, TierTable]) -> dict[str, Any]:
    factor = stress.maintenance_scale
    return {
        "tiers": {symbol: scaled_table(table, factor) for symbol, table in tiers.items()},
        # The slope by size adds to initial margin too: the venue has one for both.
        "size_slopes": {symbol: factor * one for symbol, one in base.size_slopes.items()},
        "liability_rates": {
            asset: tuple((floor, min(factor * rate, 1.0)) for floor, rate in bands)
            for asset, bands in base.liability_rates.items()
        },
    }


def _scale(content: object) -> float:
    low, high = SCALES
    try:
        number = checks.real(content)
    except TypeError:
        number = math.nan
    if not low <= number <= high:
        raise RuleError(f"maintenance_scale: {content!r} must be a number from {low:g} to {high:g}")
    return number


def _cap(leverage: float | None, rate: float) -> float | None:
    """The highest leverage at which initial margin still covers a maintenance rate."""
    return leverage if leverage is None or not rate else min(leverage, 1.0 / rate)


def _caps_of(base: RuleSet, symbol: str, table: TierTable) -> TierTable:
    """Tiers with the highest leverages that the venue has at their floors, where none are given."""
    own = base.tiers.get(symbol, ())

    def at(floor: float) -> float | None:
        reached = [tier.max_leverage for tier in own if tier.floor <= floor]
        return reached[-1] if reached else None

    return tuple(
        tier
        if tier.max_leverage is not None
        else tier._replace(max_leverage=_cap(at(tier.floor), tier.rate))
        for tier in table
    )


def _not_below(initial: TierTable, maintenance: TierTable) -> TierTable:
    """Initial margin tiers, raised to the maintenance rates where these are higher."""
    if all(
        _rate_at(initial, floor) >= _rate_at(maintenance, floor)
        for floor in {tier.floor for tier in (*initial, *maintenance)}
    ):
        return initial
    raised = []
    for floor in sorted({tier.floor for tier in (*initial, *maintenance)}):
        reached = [tier for tier in initial if tier.floor <= floor][-1]
        rate = max(reached.rate, _rate_at(maintenance, floor))
        raised.append(Tier(floor, rate, _cap(reached.max_leverage, rate)))
    return tuple(raised)


def _rate_at(table: TierTable, floor: float) -> float:
    return max((tier.rate for tier in table if tier.floor <= floor), default=0.0)


def _times(rate: float, factor: float) -> float:
    # A rate that is higher already stays: scaling up never lowers one.
    return float(f"{min(rate * factor, max(rate, HIGHEST_RATE)):.12g}")


def _capped(table: TierTable, factor: float) -> list[int]:
    return [row for row, tier in enumerate(table, start=1) if tier.rate * factor > HIGHEST_RATE]


def _shares(bands: Bands) -> str:
    shares = [fmt.percent(share, 1) for _, share in bands]
    return shares[0] if len(shares) == 1 else f"{shares[0]} to {shares[-1]}"


def _plain_table(table: TierTable) -> Any:
    if len(table) == 1 and table[0].max_leverage is None:
        return table[0].rate
    return _bands([tuple(tier)[: 2 if tier.max_leverage is None else 3] for tier in table])


def _bands(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(map(_short, row)) for row in rows]


def _short(content: Any) -> Any:
    """A whole number without its decimals."""
    whole = isinstance(content, float) and content.is_integer()
    return int(content) if whole else content
