"""A venue's margin rules as one immutable value, and the checks that keep it consistent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from html import escape
from types import MappingProxyType
from typing import Any, Literal

from margin_widgets.engine.closing import LiquidationPolicy
from margin_widgets.engine.insurance import ADL_RANKS
from margin_widgets.engine.option_margin import OptionMargin
from margin_widgets.engine.portfolio import PortfolioRules
from margin_widgets.venues import checks
from margin_widgets.venues.checks import (
    LARGEST,
    SMALLEST,
    RuleError,
    did_you_mean,
    real,
)
from margin_widgets.venues.contract import (
    CONTRACT_KINDS,
    DOLLARS,
    Contract,
    as_contract,
    inferred,
)
from margin_widgets.venues.option_symbol import option_from_symbol
from margin_widgets.venues.parts import as_part, checked_part
from margin_widgets.venues.ratio import RatioConvention
from margin_widgets.venues.tables import (
    Bands,
    OpenInterest,
    Tier,
    TierTable,
    amounts_of,
    haircut_bands,
    liability_bands,
    tier_table,
)

__all__ = [
    "CHANGED",
    "DOLLARS",
    "LARGEST",
    "SMALLEST",
    "Bands",
    "Contract",
    "OpenInterest",
    "RatioConvention",
    "RuleError",
    "RuleSet",
    "Tier",
    "TierTable",
    "as_contract",
    "did_you_mean",
    "haircut_bands",
    "real",
    "tier_table",
]

CHANGED = "+changed"
"""What the version of a rule set ends in once a part of it was exchanged."""

KINDS = ("linear", "inverse", "quanto", "option", "spot")
MODES = ("isolated", "cross", "portfolio")

CHOICES: dict[str, tuple[str, ...]] = {
    "maintenance_at": ("mark", "entry"),
    "tiers_by": ("notional", "size", "contracts"),
    "tier_rate": ("marginal", "whole"),
    "closing_fee_at": ("mark", "bankruptcy", "worst bankruptcy"),
    "trigger": ("<=", "<"),
    "cross_pool": ("account", "settlement"),
    "residual": ("kept", "returned", "split"),
    "rounding": ("none", "towards entry"),
    "bankruptcy_rounding": ("none", "towards entry", "away from entry"),
    "adl_rank": tuple(ADL_RANKS),
}
"""What each field that is a choice may be."""


@dataclass(frozen=True)
class RuleSet:
    """The margin rules of one venue at one date.

    Parameters
    ----------
    name, title, version, date : str
        `date` is the ISO date at which the rules were read.
    currency : str
        Valuation currency of an account under these rules.
    sources : mapping of rule to text, or tuple of str
        Where each rule comes from, when it was read and whether it was checked on numbers. A rule
        is a field (``"taker_fee"``) or one entry of it (``"tiers of BTCUSDT"``).
    kinds : tuple of {"linear", "inverse", "quanto", "option", "spot"}
        Contract kinds that the venue lists; empty if not stated.
    modes : tuple of {"isolated", "cross", "portfolio"}
        Margin modes that the venue has; empty if not stated.
    contracts : mapping of symbol to Contract
    default_contract : Contract
        For symbols that `contracts` does not list.
    known_symbols_only : bool
        Whether symbols without a tier table are refused as unknown (else they are asked for).
    tiers : mapping of symbol to tiers
        Each a rate, or (floor, rate) or (floor, rate, max_leverage) rows. The maintenance amounts
        follow from continuity.
    tiers_by : {"notional", "size", "contracts"}
        What the floors of tiers are amounts of: notional, coins or contracts.
    tier_rate : {"marginal", "whole"}
        Whether a tier's rate holds for what is above its floor, or for the whole position.
    initial_tiers : mapping of symbol to tiers
        Initial margin rates, where they are not one over the leverage.
    size_slopes : mapping of symbol to float
        Rate that each coin of size adds to the initial and to the maintenance margin rate.
    open_interest : mapping of symbol to OpenInterest
        Raises the initial margin rate as open interest nears a cap.
    maintenance_at : {"mark", "entry"}
        Price at which maintenance is charged.
    taker_fee : float
    closing_fee_in_maintenance, closing_fee_in_initial : bool
        Whether the taker fee of closing counts as maintenance, as initial margin.
    closing_fee_at : {"mark", "bankruptcy", "worst bankruptcy"}
        Value on which that fee is charged: at mark, at the bankruptcy price, or at that of a short
        (the higher one).
    trigger : {"<=", "<"}
        Liquidated when margin balance ``<=`` (or ``<``) `trigger_level` times the requirement.
    trigger_level : float
    cross_pool : {"account", "settlement"}
        Whether cross margin pools everything, or each settlement asset apart.
    haircuts : mapping of asset to share or bands
        Share of a positive amount that does not count.
    liability_rates : mapping of asset to rate or bands
        Maintenance rate on a borrowed amount.
    imf_factors : mapping of asset to float
        By how much the weight of an asset worsens with the root of its amount.
    rounding : {"none", "towards entry"}
        How displayed liquidation prices are put on the tick.
    bankruptcy_rounding : {"none", "towards entry", "away from entry"}
        How displayed bankruptcy prices are.
    liquidation : LiquidationPolicy
        What a liquidation closes.
    liquidation_fee : float
        Fee on the notional that a liquidation closes.
    residual : {"kept", "returned", "split"}
        What happens to what is left in a liquidated pool.
    residual_share : float
        Part that is returned if it is split.
    option_multipliers : mapping of base coin to float
        Coins per option contract where a symbol names the option; 1 if not given.
    option_margin : OptionMargin, optional
        Standard margin of short options.
    portfolio : PortfolioRules, optional
        Scenario grid and add-ons of portfolio margin.
    margin_ratio : RatioConvention
        What the venue itself calls the ratio, with the fraction.
    adl_rank : str
        How winners are ranked for auto-deleveraging.
    formulas : mapping of contract kind to str
        Id of the venue's own liquidation price formula.
    cannot_express, not_modelled : tuple of str
    """

    name: str
    title: str = ""
    version: str = "1"
    date: str = ""
    currency: str = "USDT"
    sources: Mapping[str, str] | tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    default_contract: Contract = field(default_factory=Contract)
    known_symbols_only: bool = False
    tiers: Mapping[str, TierTable] = field(default_factory=dict)
    tiers_by: Literal["notional", "size", "contracts"] = "notional"
    tier_rate: Literal["marginal", "whole"] = "marginal"
    initial_tiers: Mapping[str, TierTable] = field(default_factory=dict)
    size_slopes: Mapping[str, float] = field(default_factory=dict)
    open_interest: Mapping[str, OpenInterest] = field(default_factory=dict)
    maintenance_at: Literal["mark", "entry"] = "mark"
    taker_fee: float = 0.0
    closing_fee_in_maintenance: bool = False
    closing_fee_in_initial: bool = False
    closing_fee_at: Literal["mark", "bankruptcy", "worst bankruptcy"] = "mark"
    trigger: Literal["<=", "<"] = "<="
    trigger_level: float = 1.0
    cross_pool: Literal["account", "settlement"] = "account"
    haircuts: Mapping[str, Bands] = field(default_factory=dict)
    liability_rates: Mapping[str, Bands] = field(default_factory=dict)
    imf_factors: Mapping[str, float] = field(default_factory=dict)
    rounding: Literal["none", "towards entry"] = "none"
    bankruptcy_rounding: Literal["none", "towards entry", "away from entry"] = "none"
    liquidation: LiquidationPolicy = field(default_factory=LiquidationPolicy)
    liquidation_fee: float = 0.0
    residual: Literal["kept", "returned", "split"] = "kept"
    residual_share: float = 0.5
    option_multipliers: Mapping[str, float] = field(default_factory=dict)
    option_margin: OptionMargin | None = None
    portfolio: PortfolioRules | None = None
    margin_ratio: RatioConvention = field(default_factory=RatioConvention)
    adl_rank: str = "pnl over equity"
    formulas: Mapping[str, str] = field(default_factory=dict)
    cannot_express: tuple[str, ...] = ()
    not_modelled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            checks.choice(name, getattr(self, name), choices)
        for name in ("name", "title", "version", "date"):
            checks.text(name, getattr(self, name), empty=True)
        if self.date:
            checks.iso_date("date", self.date)
        checks.text("currency", self.currency)
        for name in ("known_symbols_only", "closing_fee_in_maintenance", "closing_fee_in_initial"):
            checks.truth(name, getattr(self, name))
        checked: dict[str, Any] = {
            "taker_fee": checks.share("taker_fee", self.taker_fee),
            "liquidation_fee": checks.share("liquidation_fee", self.liquidation_fee),
            "residual_share": checks.share("residual_share", self.residual_share, whole=True),
            "trigger_level": checks.size("trigger_level", self.trigger_level),
            "sources": self._sources(),
            "kinds": checks.texts("kinds", self.kinds, choices=KINDS),
            "modes": checks.texts("modes", self.modes, choices=MODES),
            "default_contract": as_contract("default_contract", self.default_contract),
            "liquidation": checked_part("liquidation", self.liquidation, LiquidationPolicy),
            "option_margin": _option_margin(self.option_margin),
            "portfolio": _portfolio(self.portfolio),
            "margin_ratio": as_part("margin_ratio", self.margin_ratio, RatioConvention),
        }
        for name in ("cannot_express", "not_modelled"):
            checked[name] = checks.texts(name, getattr(self, name))
        for name, tables in self._tables().items():
            checked[name] = MappingProxyType(tables)
        for name, part in checked.items():
            object.__setattr__(self, name, part)
        if (self.tiers_by, self.tier_rate, self.maintenance_at) == ("notional", "whole", "mark"):
            raise RuleError(
                "tier_rate: 'whole' with tiers_by 'notional' and maintenance_at 'mark': maintenance"
                " would jump where the mark crosses a floor; use tier_rate 'marginal'"
            )
        self._check_symbols()

    def _check_symbols(self) -> None:
        """Refuse symbols that are likely misspelt: unlike all that are known, but near one."""
        known = {*self.tiers, *self.contracts}
        for name in ("initial_tiers", "size_slopes", "open_interest"):
            for symbol in getattr(self, name):
                hint = "" if symbol in known else did_you_mean(symbol, sorted(known))
                if hint:
                    raise RuleError(f"{name} of {symbol}: no tiers and no contract{hint}")

    def _sources(self) -> Mapping[str, str] | tuple[str, ...]:
        if not isinstance(self.sources, Mapping):
            return checks.texts("sources", self.sources)
        known = [one.name for one in fields(self)]
        for rule, source in checks.mapping("sources", self.sources).items():
            if rule.split(" of ")[0] not in known:
                raise RuleError(f"sources: {rule!r} is not a rule{did_you_mean(rule, known)}")
            checks.text(f"sources of {rule}", source)
        return MappingProxyType(dict(self.sources))

    def _tables(self) -> dict[str, dict[str, Any]]:
        """All that is given by symbol, asset or kind, checked entry by entry."""
        currency = self.currency
        check: dict[str, Any] = {
            "contracts": lambda symbol, one: as_contract(f"contracts of {symbol}", one).completed(
                symbol, currency
            ),
            "tiers": tier_table,
            "initial_tiers": lambda symbol, rows: tier_table(symbol, rows, field="initial_tiers"),
            "size_slopes": lambda symbol, rate: checks.amount(f"size_slopes of {symbol}", rate),
            "open_interest": lambda symbol, one: as_part(
                f"open_interest of {symbol}", one, OpenInterest
            ),
            "haircuts": haircut_bands,
            "liability_rates": liability_bands,
            "imf_factors": lambda asset, one: checks.amount(f"imf_factors of {asset}", one),
            "option_multipliers": lambda coin, one: checks.size(
                f"option_multipliers of {coin}", one
            ),
            "formulas": _formula,
        }
        return {
            name: {key: one(key, part) for key, part in entries.items()}
            for name, one in check.items()
            for entries in [checks.mapping(name, getattr(self, name))]
        }

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
        """Contract of a symbol, complete with its currencies.

        Where the venue has options, symbols such as ``BTC-25DEC26-100000-C`` are read as such.

        Raises
        ------
        RuleError
            If the symbol is an option on a coin on which there is no contract.
        """
        listed = self.contracts.get(symbol)
        if listed is None and self.option_margin is not None and symbol not in self.tiers:
            listed = option_from_symbol(
                symbol, self.contracts, self.tiers, self.currency, self.option_multipliers
            )
        return listed or inferred(self.default_contract, symbol, self.currency)

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
        lacks = f"{self.name} has no maintenance tiers for {symbol!r}"
        raise RuleError(
            f"tiers: {lacks}; give them as rules.replace(tiers={{{symbol!r}: [(0, 0.005), …]}})",
            f"{lacks}: take the rules of a venue that has them",
        )

    def maintenance_amounts(self, symbol: str) -> tuple[float, ...]:
        """Amount subtracted in each tier so that maintenance margin is continuous.

        None is where a tier's rate holds for the whole position: there all are 0.
        """
        table = self.tier_table(symbol)
        if self.tier_rate == "whole":
            return (0.0,) * len(table)
        return amounts_of(table)

    @property
    def source_lines(self) -> tuple[str, ...]:
        """Sources as lines of text, each with the rule that it is of."""
        if isinstance(self.sources, Mapping):
            return tuple(f"{rule}: {source}" for rule, source in self.sources.items())
        return self.sources

    @property
    def margin_ratio_name(self) -> str:
        """What the venue calls the margin ratio, with the fraction and where it liquidates."""
        return str(self.margin_ratio)

    @property
    def closing_fee(self) -> float:
        """Share of notional added to maintenance for the fee of closing."""
        return self.taker_fee if self.closing_fee_in_maintenance else 0.0

    @property
    def label(self) -> str:
        """Name, version and date, as printed beside results."""
        return " · ".join(part for part in (self.name, f"v{self.version}", self.date) if part)

    @property
    def _level(self) -> str:
        return "" if self.trigger_level == 1 else f"{self.trigger_level:g} × "

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
            "liquidated when": f"margin balance {self.trigger} {self._level}maintenance",
            "cross pool": self.cross_pool,
            "margin ratio": self.margin_ratio_name,
            "cannot express": "; ".join(self.cannot_express),
            "not modelled": "; ".join(self.not_modelled),
            "sources": "; ".join(self.source_lines),
        }
        cells = "".join(
            f'<tr><th style="text-align:left">{name}</th>'
            f'<td style="text-align:left">{escape(text)}</td></tr>'
            for name, text in rows.items()
        )
        return f"<table>{cells}</table>"


def _option_margin(content: object) -> OptionMargin | None:
    if content is None:
        return None
    margin = checked_part("option_margin", content, OptionMargin)
    _not_negative("option_margin", margin)
    return margin


def _portfolio(content: object) -> PortfolioRules | None:
    if content is None:
        return None
    rules = checked_part("portfolio", content, PortfolioRules)
    _not_negative("portfolio", rules)
    for where, grid in (
        ("portfolio grid", rules.grid),
        *((f"portfolio grids of {coin}", grid) for coin, grid in rules.grids.items()),
    ):
        for name in ("price_moves", "volatility_moves"):
            if not getattr(grid, name):
                raise RuleError(f"{where} {name}: no rows; without a scenario nothing is at risk")
        moves = [(f"price_moves, row {row}", move) for row, move in enumerate(grid.price_moves, 1)]
        for row, scenario in enumerate(grid.extremes, 1):
            moves.append((f"extremes, row {row} price", scenario.price))
            if not 0 <= scenario.counted <= 1:
                raise RuleError(
                    f"{where} extremes, row {row} counted: {scenario.counted:g} is not within 0"
                    " and 1"
                )
        for name, move in moves:
            if not move > -1:
                raise RuleError(f"{where} {name}: {move:g} must be > -1")
    if rules.initial_factor < 1:
        raise RuleError(
            f"portfolio initial_factor: {rules.initial_factor:g} must be >= 1; initial margin is"
            " not below maintenance"
        )
    return rules


def _not_negative(where: str, part: object) -> None:
    for one in fields(part):  # type: ignore[arg-type]
        content = getattr(part, one.name)
        if isinstance(content, float) and content < 0:
            raise RuleError(f"{where} {one.name}: {content:g} must be >= 0")


def _formula(kind: str, formula: str) -> str:
    checks.choice("formulas, kind", kind, (*CONTRACT_KINDS, "option"))
    checks.text(f"formulas of {kind}", formula)
    return formula


def _rebuild(parts: dict[str, Any]) -> RuleSet:
    return RuleSet(**parts)
