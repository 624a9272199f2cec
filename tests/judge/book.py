"""A book in decimals, read from a plain dict, and what its rules are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from judge.decimals import ONE, ZERO, Bands, bands_of

DOLLARS = ("USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "DAI")

Marks = dict[str, Decimal]
Amounts = dict[str, Decimal]


@dataclass(frozen=True)
class Leg:
    """One position; `size` is signed and carries the contract multiplier."""

    key: str
    symbol: str
    kind: str
    settle: str
    size: Decimal
    contracts: Decimal
    entry: Decimal
    leverage: Decimal
    assigned: Decimal | None
    isolated: bool
    tiers: Bands
    initial_tiers: Bands
    # of options only
    index: str | None = None
    strike: Decimal = ZERO
    years: float = 0.0
    in_coin: bool = False

    @property
    def side(self) -> int:
        return 1 if self.size > 0 else -1

    @property
    def is_option(self) -> bool:
        return self.kind in ("call", "put")

    def profit(self, price: Decimal) -> Decimal:
        """Unrealised profit in the settlement asset."""
        if self.kind == "inverse":
            return self.size * (1 / self.entry - 1 / price)
        return self.size * (price - self.entry)

    def notional(self, marks: Marks) -> Decimal:
        """Size of the position in the settlement asset; of an option, that of its underlying."""
        if self.is_option:
            return abs(self.size) * (ONE if self.in_coin else marks[self.index or ""])
        return self.notional_at(marks[self.symbol])

    def notional_at(self, price: Decimal) -> Decimal:
        return abs(self.size) / price if self.kind == "inverse" else abs(self.size) * price


@dataclass(frozen=True)
class Rules:
    """The rules of a venue; what the dict leaves out changes nothing."""

    taker_fee: Decimal
    fee_inside: bool
    fee_in_initial: bool
    fee_at: str
    at_entry: bool
    tiers_by: str
    whole: bool
    level: Decimal
    strict: bool
    by_settlement: bool
    returned: Decimal
    liquidation_fee: Decimal
    slopes: dict[str, Decimal] = field(hash=False)
    open_interest: dict[str, dict[str, Decimal]] = field(hash=False)
    loans: dict[str, Bands] = field(hash=False)
    imf: dict[str, Decimal] = field(hash=False)
    options: dict[str, Any] = field(hash=False)
    portfolio: dict[str, Any] = field(hash=False)

    @classmethod
    def read(cls, rules: dict[str, Any]) -> Rules:
        share = {"kept": 0, "returned": 1, "split": rules.get("residual_share", 0.5)}
        return cls(
            taker_fee=Decimal(rules["taker_fee"]),
            fee_inside=rules["closing_fee_in_maintenance"],
            fee_in_initial=rules.get("closing_fee_in_initial", False),
            fee_at=rules.get("closing_fee_at", "mark"),
            at_entry=rules["maintenance_at"] == "entry",
            tiers_by=rules.get("tiers_by", "notional"),
            whole=rules.get("tier_rate", "marginal") == "whole",
            level=Decimal(rules.get("trigger_level", 1)),
            strict=rules["trigger"] == "<",
            by_settlement=rules["cross_pool"] == "settlement",
            returned=Decimal(share[rules["residual"]]),
            liquidation_fee=Decimal(rules["liquidation_fee"]),
            slopes=_decimals(rules.get("size_slopes", {})),
            open_interest={
                symbol: _decimals(caps) for symbol, caps in rules.get("open_interest", {}).items()
            },
            loans={a: bands_of(rows) for a, rows in rules.get("liability_rates", {}).items()},
            imf=_decimals(rules.get("imf_factors", {})),
            options=rules.get("option_margin") or {},
            portfolio=rules.get("portfolio") or {},
        )


class Book:
    """A book in decimals, read from the plain dict."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.currency: str = spec["currency"]
        self.contracts: dict[str, dict[str, Any]] = spec["contracts"]
        self.marks: Marks = _decimals(spec["marks"])
        self.prices = _decimals(spec["prices"])
        self.collateral: Amounts = _decimals(spec["collateral"])
        self.order_margin = Decimal(spec["order_margin"])
        self.haircuts = {a: bands_of(h) for a, h in spec["haircuts"].items()}
        self.rules = Rules.read(spec["rules"])
        self.as_of = spec.get("as_of")
        symbols = [p["symbol"] for p in spec["positions"]]
        self.initial_tiers = spec["rules"].get("initial_tiers", {})
        self.legs = tuple(
            self._leg(p, symbols.count(p["symbol"]) == 2, spec["tiers"].get(p["symbol"], ()))
            for p in spec["positions"]
        )
        self.cache: dict[Any, Any] = {}

    def _leg(self, position: dict[str, Any], hedged: bool, tiers: Any) -> Leg:
        symbol = position["symbol"]
        contract = self.contracts[symbol]
        quantity = Decimal(position["quantity"])
        side = "long" if quantity > 0 else "short"
        margin = position["margin"]
        initial = self.initial_tiers.get(symbol, ())
        leg = Leg(
            key=f"{symbol}:{side}" if hedged else symbol,
            symbol=symbol,
            kind=contract["kind"],
            settle=contract["settle"],
            size=quantity * Decimal(contract["multiplier"]),
            contracts=abs(quantity),
            entry=Decimal(position["entry_price"]),
            leverage=Decimal(position["leverage"]),
            assigned=None if margin is None else Decimal(margin),
            isolated=position["margin_mode"] == "isolated",
            tiers=bands_of(tiers),
            initial_tiers=bands_of(initial),
        )
        if not leg.is_option:
            return leg
        days = (date.fromisoformat(contract["expiry"]) - date.fromisoformat(self.as_of)).days
        return Leg(
            **{
                **vars(leg),
                "index": contract["underlying"],
                "strike": Decimal(contract["strike"]),
                "years": days / 365,
                "in_coin": contract["settle"] == contract["base"],
            }
        )

    def asset_price(self, asset: str, marks: Marks) -> Decimal:
        """Value of one unit of an asset in the currency of the account."""
        if asset in self.prices:
            return self.prices[asset]
        symbol, quote = self._followed(asset)
        return ONE if symbol is None else marks[symbol] * self.asset_price(quote, marks)

    def _followed(self, asset: str) -> tuple[str | None, str]:
        """The symbol whose mark is the price of an asset, and that symbol's quote currency."""
        key = ("followed", asset)
        if key not in self.cache:
            self.cache[key] = self._find_followed(asset)
        return self.cache[key]

    def _find_followed(self, asset: str) -> tuple[str | None, str]:
        if asset == self.currency or (asset in DOLLARS and self.currency in DOLLARS):
            return None, asset
        # A perpetual before a dated future, one in the account's currency before others, and
        # among equals one that is held before one that is only priced.
        best = None
        for symbol in dict.fromkeys([*(leg.symbol for leg in self.legs), *self.marks]):
            contract = self.contracts[symbol]
            quote = contract["quote"]
            known = quote in self.prices or quote == self.currency
            known = known or (quote in DOLLARS and self.currency in DOLLARS)
            known = known and contract["kind"] not in ("call", "put")
            rank = (contract.get("expiry") is not None, quote != self.currency)
            if contract["base"] == asset and known and (best is None or rank < best[0]):
                best = (rank, symbol, quote)
        if best is None:
            raise KeyError(asset)
        return best[1], best[2]


def _decimals(numbers: dict[str, Any]) -> dict[str, Decimal]:
    return {name: Decimal(number) for name, number in numbers.items()}
