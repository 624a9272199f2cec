"""Random accounts under any rule set, as the plain dicts of the judge.

Drawn from a `random.Random`: thousands are made in a moment, and hypothesis draws from it too.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import pairwise
from random import Random
from typing import Any

from judge import options

import margin_widgets as mw
from margin_widgets.engine.option_margin import OptionMargin
from margin_widgets.engine.portfolio import PortfolioRules, RiskGrid, Scenario

Spec = dict[str, Any]

AS_OF = "2026-11-22"
EXPIRIES = {"2026-12-25": 33, "2027-03-26": 124}
DOLLARS = ("USD", "USDT", "USDC")
MOST_LEGS = 4

# base: rough price; contracts on them are made for the kinds that a rule set lists
COINS = {"BTC": 6e4, "ETH": 3e3, "SOL": 150.0, "XRP": 0.5, "PEPE": 1e-5}
ROUGH = {**COINS, "XBT": 6e4, "BNB": 600.0}

RULES = (
    "taker_fee",
    "closing_fee_in_maintenance",
    "closing_fee_in_initial",
    "closing_fee_at",
    "maintenance_at",
    "tiers_by",
    "tier_rate",
    "trigger",
    "trigger_level",
    "cross_pool",
    "residual",
    "residual_share",
    "liquidation_fee",
)
OPTION_RULES = (
    "initial",
    "initial_floor",
    "maintenance",
    "maintenance_on_mark",
    "premium_at",
    "liquidation_fee",
    "initial_not_below_maintenance",
    "value_in_margin_balance",
)
CONTRACT = ("kind", "multiplier", "base", "quote", "settle", "expiry", "strike", "underlying")


def rules_of(rules: mw.RuleSet, symbols: list[str], assets: list[str]) -> dict[str, Any]:
    """The rules of a rule set as plain data, as far as they are about these symbols and assets."""
    tables: dict[str, Any] = {
        "initial_tiers": {s: _rows(t) for s, t in rules.initial_tiers.items() if s in symbols},
        "size_slopes": {s: x for s, x in rules.size_slopes.items() if s in symbols},
        "open_interest": {s: asdict(x) for s, x in rules.open_interest.items() if s in symbols},
        "liability_rates": {a: _rows(t) for a, t in rules.liability_rates.items() if a in assets},
        "imf_factors": {a: x for a, x in rules.imf_factors.items() if a in assets},
    }
    if rules.option_margin is not None:
        tables["option_margin"] = {x: getattr(rules.option_margin, x) for x in OPTION_RULES}
    if rules.portfolio is not None:
        tables["portfolio"] = asdict(rules.portfolio)
    return {name: getattr(rules, name) for name in RULES} | tables


def contract_of(contract: mw.Contract) -> dict[str, Any]:
    """A contract as plain data, without what it does not have."""
    parts = {name: getattr(contract, name) for name in CONTRACT}
    return {name: part for name, part in parts.items() if part is not None}


def _rows(table: Any) -> list[tuple[float, float]]:
    return [(row[0], row[1]) for row in table]


# ------------------------------------------------------------------ draws


class Draw:
    """Numbers as people type them, from a source of randomness."""

    def __init__(self, source: Random) -> None:
        self.source = source

    def chance(self, share: float) -> bool:
        return self.source.random() < share

    def pick(self, things: Any) -> Any:
        return self.source.choice(list(things))

    def figure(self, low: float, high: float, digits: int = 3) -> float:
        return float(f"{self.source.uniform(low, high):.{digits}g}")

    def magnitude(self, low: float, high: float) -> float:
        return float(f"{10 ** self.source.uniform(low, high):.4g}")

    def rates(self, count: int, first: tuple[float, ...] = (0.002, 0.004, 0.01, 0.02)) -> Any:
        """Rates that never fall; equal neighbours occur."""
        rates = [self.pick(first)]
        for _ in range(count - 1):
            rates.append(min(0.5, round(rates[-1] * self.pick([1.0, 1.25, 1.6, 2.0, 2.5]), 5)))
        return rates

    def table(self, around: float, rates: list[float]) -> Any:
        """A flat rate, or bands whose floors lie around an amount."""
        if len(rates) == 1 and self.chance(0.5):
            return rates[0]
        floors, floor = [0.0], around * self.figure(0.1, 1.5)
        for _ in rates[1:]:
            floors.append(float(f"{floor:.3g}"))
            floor = floors[-1] * self.figure(1.2, 5.0, 2)
        return list(zip(floors, rates, strict=True))


# ------------------------------------------------------------------ accounts


def any_grid(draw: Draw) -> PortfolioRules:
    """Portfolio margin with every kind of scenario and charge."""
    wide, shift = draw.pick([0.1, 0.3]), draw.pick([0.0, 0.2, 0.4])
    grid = RiskGrid(
        price_moves=(-wide, -wide / 3, 0.0, wide / 2, wide),
        volatility_moves=(-shift, 0.0, shift),
        volatility_in=draw.pick(["relative", "points"]),
        volatility_power=draw.pick([0.0, 0.3]),
        volatility_power_beyond=draw.pick([0.0, 0.5]),
        extremes=(Scenario(-2 * wide, 0.1, 1.0, 0.5), Scenario(0.0, 0.0, 20.0, 1.0)),
    )
    return PortfolioRules(
        grid=grid,
        grids={"BTC": replace(grid, volatility_moves=(0.0,), extremes=())},
        short_option_rate=draw.pick([0.0, 0.01]),
        options_rate=draw.pick([0.0, 0.005]),
        offset_futures_rate=draw.pick([0.0, 0.01]),
        offset_vega_rate=draw.pick([0.0, 0.25]),
        minimum_short_option_rate=draw.pick([0.0, 0.1]),
        minimum_futures_rate=draw.pick([0.0, 0.2]),
        minimum_tiers=draw.pick([(), ((0.0, 1.0), (1e4, 1.5), (1e5, 2.0))]),
        initial_factor=draw.pick([1.0, 1.3]),
        coin_profit_at=draw.pick(["scenario", "present"]),
    )


def random_account(source: Random, venue: str) -> Spec:
    """An account of one to four legs on drawn collateral, under a shipped rule set."""
    draw = Draw(source)
    rules = any_rules(draw) if venue == "generic" else mw.venues.get(venue)
    market = _Market(draw, rules)
    spot_only = market.spot and draw.chance(0.1)
    for _ in range(0 if spot_only else draw.pick([1, 1, 1, 2, 2, 3])):
        market.add_symbol()
    market.add_collateral()
    return market.spec(venue)


def numbered(venue: str, number: int) -> Spec:
    """Account of a number under a rule set, always the same."""
    source = Random(f"{venue} {number}")
    while not is_an_account(spec := random_account(source, venue)):
        pass
    return spec


def is_an_account(spec: Spec) -> bool:
    """Whether anything in it can fall."""
    return bool(spec["positions"]) or any(amount < 0 for amount in spec["collateral"].values())


def any_rules(draw: Draw) -> mw.RuleSet:
    """Rules of every kind in any combination."""
    kinds = ("linear", "inverse", "quanto", "option", "spot")
    kinds = tuple(kind for kind in kinds if kind == "linear" or draw.chance(0.4))
    by = draw.pick(["notional", "notional", "size", "contracts"])
    at = draw.pick(["mark", "mark", "entry"])
    jumps = by == "notional" and at == "mark"
    somewhen = ("never", "puts", "always")
    coins = [coin for coin in COINS if draw.chance(0.3)]
    return mw.venues.generic(
        currency=draw.pick(["USDT", "USDT", "USD"]),
        kinds=kinds,
        taker_fee=draw.pick([0.0, 0.0004, 0.00055]),
        closing_fee_in_maintenance=draw.chance(0.5),
        closing_fee_in_initial=draw.chance(0.3),
        closing_fee_at=draw.pick(["mark", "bankruptcy", "worst bankruptcy"]),
        maintenance_at=at,
        tiers_by=by,
        tier_rate="marginal" if jumps else draw.pick(["marginal", "whole"]),
        trigger=draw.pick(["<=", "<"]),
        trigger_level=draw.pick([1.0, 1.0, 1.05, 1.5]),
        cross_pool=draw.pick(["account", "account", "settlement"]),
        residual=draw.pick(["kept", "returned", "split"]),
        residual_share=draw.pick([0.25, 0.5]),
        liquidation_fee=draw.pick([0.0, 0.005, 0.0125]),
        imf_factors={coin: draw.magnitude(-4, -1) for coin in coins},
        liability_rates={coin: draw.pick([0.05, 0.1]) for coin in coins if draw.chance(0.6)},
        # a grid says nothing of contracts that pay in a third asset
        portfolio=any_grid(draw) if "quanto" not in kinds and draw.chance(0.5) else None,
        option_margin=OptionMargin(
            initial=0.15,
            initial_floor=0.1,
            maintenance=draw.pick([0.03, 0.075]),
            maintenance_on_mark=draw.pick(somewhen),
            premium_at=draw.pick(["mark", "higher of entry and mark"]),
            liquidation_fee=draw.pick([0.0, 0.002]),
            initial_not_below_maintenance=draw.pick(somewhen),
            value_in_margin_balance=draw.chance(0.5),
        ),
    )


class _Market:
    """What has been drawn so far: contracts, their marks and tiers, positions, collateral."""

    def __init__(self, draw: Draw, rules: mw.RuleSet) -> None:
        self.draw, self.rules = draw, rules
        kinds = rules.kinds or ("linear", "inverse")
        self.futures = [kind for kind in kinds if kind in ("linear", "inverse", "quanto")]
        self.options = "option" in kinds and rules.option_margin is not None
        self.spot = "spot" in kinds
        self.dollar = rules.currency if rules.currency in DOLLARS else "USD"
        self.contracts: dict[str, dict[str, Any]] = {}
        self.marks: dict[str, float] = {}
        self.tiers: dict[str, Any] = {}
        self.prices: dict[str, float] = {}
        self.worth: dict[str, float] = {rules.currency: 1.0}  # of a unit of an asset
        if rules.currency in DOLLARS:
            self.worth |= dict.fromkeys(DOLLARS, 1.0)
        else:  # an account in coin: dollars have a price in it
            self.prices[self.dollar] = 1 / (COINS[rules.currency] * draw.figure(0.5, 2.0))
            self.worth[self.dollar] = self.prices[self.dollar]
        self.positions: list[dict[str, Any]] = []
        self.gross: dict[str, float] = {}  # notional by settlement asset, in that asset
        self.collateral: dict[str, float] = {}
        self.haircuts: dict[str, Any] = {}
        self.loans: dict[str, Any] = {}
        self.initial_tiers: dict[str, Any] = {}
        self.open_interest: dict[str, Any] = {}
        self.slopes: dict[str, float] = {}

    # -- symbols

    def add_symbol(self) -> None:
        draw = self.draw
        room = MOST_LEGS - len(self.positions)
        shipped = [s for s in self.rules.tiers if s not in self.contracts]
        if self.options and draw.chance(0.1):
            legs = draw.pick([(1,), (-1,), (-1,)])
            self.add_option(legs[0])
            return
        if shipped and draw.chance(0.7):
            symbol = draw.pick(shipped)
            contract = contract_of(self.rules.contract(symbol))
            rows = _rows(self.rules.tier_table(symbol))
        else:
            symbol, contract = self.made_up(draw.pick(self.futures))
            rows = None
        if symbol in self.contracts or contract["kind"] not in self.futures:
            return
        self.know(symbol, contract)
        sides = draw.pick([(1,), (-1,), (1,), (-1,), (1, -1)])[:room]
        amount = self.add_tiers(symbol, rows)
        for side in sides:
            self.add_position(symbol, side, amount)
            amount *= draw.figure(0.1, 2.0)

    def made_up(self, kind: str) -> tuple[str, dict[str, Any]]:
        """A contract on one of the coins, in the shape of its kind."""
        draw, dollar = self.draw, self.dollar
        base = draw.pick(COINS)
        if kind == "inverse":
            parts = {"kind": kind, "multiplier": draw.pick([1.0, 10.0, 100.0]), "settle": base}
            return f"{base}{dollar}-INV", parts | {"base": base, "quote": dollar}
        if kind == "quanto":
            base = draw.pick([coin for coin in COINS if coin != "BTC"])
            size = float(f"{10 ** draw.source.uniform(-7, -5):.1g}")
            parts = {"kind": kind, "multiplier": size, "settle": "BTC"}
            return f"{base}{dollar}-Q", parts | {"base": base, "quote": dollar}
        plain = self.rules.name != "generic" or self.rules.portfolio is not None
        if not plain and draw.chance(0.1):  # pays in a coin that moves too
            parts = {"kind": kind, "multiplier": 1.0, "settle": "BTC", "base": "ETH"}
            return "ETHBTC-LIN", parts | {"quote": "BTC"}
        parts = {"kind": kind, "multiplier": draw.pick([1.0, 1.0, 0.01, 1000.0]), "settle": dollar}
        return f"{base}{dollar}-LIN", parts | {"base": base, "quote": dollar}

    def know(self, symbol: str, contract: dict[str, Any]) -> None:
        """Give a contract its mark, and its currencies a price."""
        draw, base = self.draw, contract["base"]
        self.contracts[symbol] = contract
        if contract["quote"] in COINS:
            self.price(base)  # it cannot follow a mark that is in coin
        self.price(contract["quote"])
        unit = self.worth[contract["quote"]]
        near = ROUGH.get(base, 10 ** draw.source.uniform(-3, 4)) * draw.figure(0.5, 2.0) / unit
        if base in self.worth:
            near = self.worth[base] / unit
        self.marks[symbol] = mark = float(f"{near * draw.figure(0.99, 1.01):.6g}")
        self.worth.setdefault(base, mark * unit)
        self.price(contract["settle"])

    def price(self, asset: str) -> None:
        """Give an asset a price: one that stands still, or the mark of a contract of its own."""
        draw = self.draw
        if asset in self.worth:
            return
        price = float(f"{ROUGH.get(asset, 1.0) * draw.figure(0.5, 2.0):.5g}")
        self.worth[asset] = price
        if draw.chance(0.5):
            self.prices[asset] = price
            return
        kind = "inverse" if "inverse" in self.futures else "linear"
        own = {"kind": kind, "multiplier": 1.0, "base": asset, "quote": self.dollar}
        own["settle"] = asset if kind == "inverse" else self.dollar
        self.contracts[f"{asset}-PRICE"] = own
        self.marks[f"{asset}-PRICE"] = price
        self.tiers[f"{asset}-PRICE"] = 0.01

    def add_tiers(self, symbol: str, rows: Any) -> float:
        """Tiers of a symbol, and an amount among them: notional, coins or contracts."""
        draw, contract, mark = self.draw, self.contracts[symbol], self.marks[symbol]
        if rows is not None and len(rows) > 1:
            self.tiers[symbol] = rows
            edges = [rows[1][0] / 10, *(floor for floor, _ in rows[1:]), rows[-1][0] * 2]
            low, high = draw.pick(pairwise(edges))
            return low + (high - low) * draw.source.random()
        in_coin = contract["kind"] == "quanto" or contract["quote"] in COINS
        value = draw.magnitude(-2, 2) if in_coin else draw.magnitude(2, 6.5)
        if contract["kind"] == "inverse":
            value /= mark
        if self.rules.tiers_by != "notional":
            value = self._coins(contract, value, mark)
        if self.rules.tiers_by == "contracts":
            value /= self._coins_of_one(contract, mark)
        self.tiers[symbol] = rows or draw.table(value, draw.rates(draw.pick([1, 1, 2, 3, 4])))
        if self.rules.name == "generic":
            self.add_initial(symbol, value)
        return value

    def add_initial(self, symbol: str, amount: float) -> None:
        """Initial tiers, open interest and a rate that rises with size, each at times."""
        draw, contract = self.draw, self.contracts[symbol]
        if draw.chance(0.3):
            self.initial_tiers[symbol] = self.above(self.tiers[symbol])
            if draw.chance(0.5):
                held = draw.pick([0.0, 12e6, 17e6, 3e7])
                caps = {"lower_cap": 1e7, "upper_cap": 2e7}
                self.open_interest[symbol] = {"notional": held, **caps}
        if draw.chance(0.2) and contract["kind"] != "quanto":
            coins = max(amount, amount * self._coins_of_one(contract, self.marks[symbol]))
            self.slopes[symbol] = float(f"{draw.figure(0.0, 0.02) / coins:.3g}")

    def above(self, tiers: Any) -> Any:
        """Initial rates that are nowhere below the maintenance rates."""
        rows = tiers if isinstance(tiers, list) else [(0.0, tiers)]
        factor = self.draw.pick([1.0, 1.5, 2.0])
        if self.draw.chance(0.3):
            return round(min(1.0, rows[-1][1] * factor), 5)
        return [(floor, round(min(1.0, rate * factor), 5)) for floor, rate in rows]

    @staticmethod
    def _coins(contract: dict[str, Any], notional: float, mark: float) -> float:
        """Coins of a notional; those of an inverse contract are its notional."""
        return notional if contract["kind"] == "inverse" else notional / mark

    @staticmethod
    def _coins_of_one(contract: dict[str, Any], mark: float) -> float:
        each = contract["multiplier"]
        return float(each / mark if contract["kind"] == "inverse" else each)

    def add_position(self, symbol: str, side: int, amount: float) -> None:
        """A leg whose notional, coins or contracts (as tiers count) are an amount."""
        draw, contract, mark = self.draw, self.contracts[symbol], self.marks[symbol]
        coins = amount
        if self.rules.tiers_by == "contracts":
            coins = amount * self._coins_of_one(contract, mark)
        elif self.rules.tiers_by == "notional":
            coins = self._coins(contract, amount, mark)
        contracts = coins / self._coins_of_one(contract, mark)
        quantity = float(f"{contracts:.4g}")
        entry = float(f"{mark * self.draw.figure(*draw.pick([(0.98, 1.02), (0.7, 1.4)]), 4):.6g}")
        leverage = draw.pick([1, 2, 3, 5, 10, 20, 50])
        inverse = contract["kind"] == "inverse"
        at_entry = quantity * contract["multiplier"] * (1 / entry if inverse else entry)
        settle = contract["settle"]
        self.gross[settle] = self.gross.get(settle, 0.0) + at_entry
        margin = None
        if draw.chance(0.4):
            margin = float(f"{at_entry / leverage * draw.figure(0.3, 5.0):.6g}")
        self.positions.append(
            {
                "symbol": symbol,
                "quantity": side * quantity,
                "entry_price": entry,
                "leverage": leverage,
                "margin": margin,
                "margin_mode": draw.pick(["cross", "isolated"]),
            }
        )

    def add_option(self, side: int) -> None:
        """A call or put near the money on a future, at the mark of a drawn volatility."""
        draw = self.draw
        known = [s for s, c in self.contracts.items() if c["kind"] in ("linear", "inverse")]
        known = [s for s in known if "expiry" not in self.contracts[s]]
        if not known or draw.chance(0.3):
            kind = "linear" if "linear" in self.futures else "inverse"
            symbol, contract = self.made_up(kind)
            if symbol not in self.contracts:
                self.know(symbol, contract)
                self.tiers[symbol] = 0.01
            known = [symbol]
        index_symbol = draw.pick(known)
        of, index = self.contracts[index_symbol], self.marks[index_symbol]
        kind, expiry = draw.pick(["call", "put"]), draw.pick(EXPIRIES)
        strike = float(f"{index * draw.figure(0.75, 1.3):.3g}")
        in_coin = "inverse" in self.futures and draw.chance(0.7)
        years = EXPIRIES[expiry] / 365
        premium = options.price(kind, index, strike, years, draw.figure(0.4, 1.2))
        mark = float(f"{premium / index if in_coin else premium:.5g}")
        symbol = f"{of['base']}-{expiry}-{strike:g}-{kind[0].upper()}"
        settle = of["base"] if in_coin else of["quote"]
        if symbol in self.contracts:
            return
        self.contracts[symbol] = {
            "kind": kind,
            "multiplier": draw.pick([1.0, 0.1]),
            "base": of["base"],
            "quote": of["quote"],
            "settle": settle,
            "expiry": expiry,
            "strike": strike,
            "underlying": index_symbol,
        }
        self.marks[symbol] = mark
        coins = float(f"{draw.magnitude(2, 5) / index:.3g}")
        self.gross[settle] = self.gross.get(settle, 0.0) + coins * (1 if in_coin else index) / 4
        margin = None
        if draw.chance(0.4):
            margin = float(f"{coins * (1 if in_coin else index) * draw.figure(0.05, 0.5):.5g}")
        self.positions.append(
            {
                "symbol": symbol,
                "quantity": side * coins,
                "entry_price": float(f"{mark * draw.figure(0.5, 2.0):.4g}"),
                "leverage": 1,
                "margin": margin,
                "margin_mode": draw.pick(["cross", "isolated"]),
            }
        )

    # -- collateral

    def add_collateral(self) -> None:
        """What backs the positions, in their settlement assets and in others; loans at times."""
        draw, rules = self.draw, self.rules
        total = sum(amount * self.worth[asset] for asset, amount in self.gross.items()) or 1e4
        others = {*rules.imf_factors, *rules.liability_rates, *rules.haircuts, "BNB", *COINS}
        held = [*self.gross, rules.currency]
        held += [draw.pick(sorted(others)) for _ in range(draw.pick([0, 0, 1, 2]))]
        if self.spot or rules.imf_factors:
            held.append(draw.pick(sorted(others)))
        held = list(dict.fromkeys(held))
        for asset in held:
            if asset not in self.worth:
                price = ROUGH.get(asset, 300.0) * draw.figure(0.5, 2.0)
                self.prices[asset] = self.worth[asset] = float(f"{price:.5g}")
        for asset in held:
            share = draw.figure(0.02, 1.5)
            if draw.chance(0.25 if self.spot or rules.liability_rates else 0.08):
                share = -share / 4
            amount = total * share / len(held) / self.worth[asset]
            self.collateral[asset] = float(f"{amount:.5g}")
        # what one underlying needs in two quote currencies, a grid does not say
        mixed = (
            rules.portfolio is not None and len({c["quote"] for c in self.contracts.values()}) > 1
        )
        if "USDC" in held and rules.currency in ("USD", "USDT") and not mixed and draw.chance(0.3):
            self.prices["USDC"] = draw.figure(0.9, 1.05)
        for asset, amount in self.collateral.items():
            if asset in rules.haircuts:
                self.haircuts[asset] = _rows(rules.haircuts[asset])
            elif draw.chance(0.3) and asset not in rules.imf_factors:
                shares = draw.pick([[0.0], [0.05], [0.3], [0.0, 0.05], [0.1, 0.3]])
                self.haircuts[asset] = draw.table(max(abs(amount), 1e-6), shares)
            ruled = asset in rules.liability_rates or asset in rules.imf_factors
            if amount < 0 and not ruled and self.spot:
                rates = draw.rates(draw.pick([1, 1, 2]), (0.02, 0.05, 0.1))
                self.loans[asset] = draw.table(abs(amount), rates)

    def spec(self, venue: str) -> Spec:
        """The account as the judge reads it."""
        symbols, assets = list(self.contracts), [*self.worth, *self.collateral]
        rules = rules_of(self.rules, symbols, assets)
        rules["liability_rates"] |= self.loans
        rules["initial_tiers"] |= self.initial_tiers
        rules["open_interest"] |= self.open_interest
        rules["size_slopes"] |= self.slopes
        total = sum(amount * self.worth[asset] for asset, amount in self.gross.items())
        return {
            "venue": venue,
            "currency": self.rules.currency,
            "as_of": AS_OF,
            "contracts": self.contracts,
            "tiers": self.tiers,
            "positions": self.positions,
            "collateral": self.collateral,
            "marks": self.marks,
            "prices": self.prices,
            "haircuts": self.haircuts,
            "order_margin": self.draw.pick([0.0, 0.0, float(f"{total / 50:.3g}")]),
            "rules": rules,
        }
