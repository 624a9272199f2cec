"""Portfolio margin of a pool, underlying by underlying: the worst scenario, and what is added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation.pool import LOANS, Pool
from margin_widgets.account.explanation.sheet import LONG_SUM, Sheet
from margin_widgets.account.explanation.terms import Term, let
from margin_widgets.engine.options import is_option
from margin_widgets.engine.portfolio import PortfolioRequirement, PortfolioRules, RiskGrid, Scenario
from margin_widgets.engine.risk_units import pool_requirement

_SYMBOLS = {
    "net short options": "NS",
    "all options": "AO",
    "offsetting futures": "OF",
    "offsetting vega": "OV",
}
"""Contingencies as formulas write them."""


@dataclass(frozen=True)
class Unit:
    """One underlying of a pool under portfolio margin.

    Attributes
    ----------
    name : str
        Base coin; with its pool where the figure is of several.
    coin : str
    rules : PortfolioRules
    found : PortfolioRequirement
        Of all underlyings of the pool, (U,) each.
    place : int
        Number among them.
    optioned : bool
        Whether options on it are held: only they feel volatility.
    currency : str
    """

    name: str
    coin: str
    rules: PortfolioRules
    found: PortfolioRequirement
    place: int
    optioned: bool
    currency: str

    @property
    def maintenance(self) -> float:
        """What it is charged."""
        return float(self.found.maintenance[self.place])

    @property
    def scenario(self) -> Scenario | None:
        """The worst scenario; None if none loses."""
        number = int(self.found.scenario[self.place])
        return None if number < 0 else self.rules.grid_of(self.coin).scenarios[number]

    def say(self, sheet: Sheet) -> None:
        """Put its worst scenario, and what it comes to with all that is added, on lines."""
        grid, scenario = self.rules.grid_of(self.coin), self.scenario
        worst = "none loses"
        if scenario is not None:
            worst = described(scenario, grid, optioned=self.optioned)
        sheet.say(f"{self.name}, worst of {len(grid.scenarios)} scenarios: {worst}")
        due = self._loss(sheet, 1.0 if scenario is None else scenario.counted)
        for name, amounts in self.found.contingencies.items():
            if charge := float(amounts[self.place]):
                meaning = f"contingency of {self.name}: {name}"
                due += self._let(sheet, _SYMBOLS.get(name, name), meaning, charge)
        text, least = due.text, float(self.found.minimum[self.place])
        if least:
            text = f"max({text}, {self._let(sheet, 'MC', 'minimum charge', least).text})"
        total = fmt.plain(self.maintenance)
        valued = sheet.valued(text)
        same = "" if valued == total else f" = {total}"
        sheet.say(f"PM({self.name}) = {sheet.named(text)} = {valued}{same}")

    def _loss(self, sheet: Sheet, counted: float) -> Term:
        worst = float(self.found.worst[self.place])
        if counted == 1 or not worst:
            return self._let(sheet, "L", "loss in the worst scenario", worst)
        share = let(sheet, f"s({self.name})", "share of it that counts", counted)
        return share * self._let(sheet, "L", "loss in the worst scenario", worst / counted)

    def _let(self, sheet: Sheet, symbol: str, meaning: str, value: float) -> Term:
        if self.name not in meaning:
            meaning += f" of {self.name}"
        return let(sheet, f"{symbol}({self.name})", meaning, value, self.currency)


def described(scenario: Scenario, grid: RiskGrid, *, optioned: bool) -> str:
    """Say how far a scenario moves price and volatility, and what of its loss counts."""
    parts = [f"price {fmt.percent(scenario.price, sign=True)}"]
    if optioned:
        move = fmt.percent(scenario.volatility, sign=True)
        if grid.volatility_in == "points":
            move = f"{fmt.plain(100 * scenario.volatility)} points"
            move = f"+{move}" if scenario.volatility > 0 else move
        powers = grid.volatility_power, grid.volatility_power_beyond
        if scenario.volatility and any(powers):
            move += f" at {grid.volatility_days:g} days to expiry"
        parts.append(f"volatility {move}")
    if scenario.days:
        parts.append(f"{scenario.days:g} day{'' if scenario.days == 1 else 's'} later")
    whole = scenario.counted == 1
    parts.append("all of it counts" if whole else f"{fmt.percent(scenario.counted)} of it counts")
    return ", ".join(parts)


def units_of(pool: Pool, *, among_others: bool) -> Iterator[Unit]:
    """Underlyings of a pool that must hold something."""
    ledger = pool.apart
    book, rules = ledger.book, ledger.portfolio
    assert rules is not None
    assert book.units is not None
    members = np.arange(len(book.symbol), dtype=np.intp)
    if not len(members):
        return
    found = pool_requirement(ledger.marked, members, rules)
    option = is_option(book)
    for place, coin in enumerate(book.units.names):
        held = book.units.of_symbol[book.symbol] == place
        if held.any():
            name = f"{coin} in {pool.name}" if among_others else coin
            optioned = bool(option[held].any())
            yield Unit(name, coin, rules, found, place, optioned, pool.report.currency)


def maintenance(pools: Sequence[Pool], sheet: Sheet) -> str:
    """Write portfolio margin of pools, and maintenance margin of their loans."""
    loans = sum(pool.now.loans for pool in pools)
    total = _total(pools, sheet)
    if not loans:
        return total
    owed = sheet.let("B", LOANS, loans, pools[0].report.currency)
    return owed if total == "0" else f"{total} + {owed}"


def initial(pools: Sequence[Pool], sheet: Sheet) -> str:
    """Write the initial margin of pools: portfolio margin times the venue's factor."""
    total = _total(pools, sheet)
    rules = next((pool.apart.portfolio for pool in pools), None)
    if rules is None or rules.initial_factor == 1 or total == "0":
        return total
    factor = sheet.let("k", "initial over maintenance margin", rules.initial_factor)
    return f"{factor}·({total})" if " " in total else f"{factor}·{total}"


def _total(pools: Sequence[Pool], sheet: Sheet) -> str:
    """Introduce what underlyings are charged, the largest first, with lines on where it is from."""
    among_others = len(pools) > 1
    units = [unit for pool in pools for unit in units_of(pool, among_others=among_others)]
    units.sort(key=lambda unit: -unit.maintenance)
    for unit in units if len(units) <= LONG_SUM else units[: LONG_SUM - 1]:
        unit.say(sheet)
    terms = [
        (f"PM({unit.name})", f"portfolio margin of {unit.name}", unit.maintenance) for unit in units
    ]
    return sheet.total(terms, pools[0].report.currency if pools else "", "underlyings")
