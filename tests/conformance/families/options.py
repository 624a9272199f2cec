"""Options on a venue's standard margin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import margin_widgets as mw
from margin_widgets.engine import option_margin
from margin_widgets.engine.option_margin import OptionMargin
from tests.conformance.cases import Case, Library
from tests.conformance.families.states import answered
from tests.conformance.outcome import Answer, Got, NotUnderstoodError
from tests.conformance.words import Given

# What each formula says; a venue's own rule set is taken before these.
DERIBIT = OptionMargin(maintenance_on_mark="puts", initial_not_below_maintenance="puts")
BYBIT = OptionMargin(
    maintenance=0.03,
    maintenance_on_mark="always",
    premium_at="higher of entry and mark",
    liquidation_fee=0.002,
    initial_not_below_maintenance="always",
    order_premium_credited=True,
)
VENUES = {"deribit": "deribit", "bybit": "bybit-unified"}
PARAMETERS = {
    "initial": ("im_factor", "im_rate", "initial_rate"),
    "initial_floor": ("im_floor", "min_im_factor", "initial_floor", "im_factor_min"),
    "maintenance": ("mm_factor", "mm_rate", "maintenance_rate"),
    "liquidation_fee": ("liquidation_fee_rate", "liq_fee_rate", "liquidation_fee"),
    "order_fee": ("order_fee_rate", "fee_rate", "taker_fee", "taker", "fee"),
    "order_fee_cap": ("fee_cap", "order_fee_cap", "max_fee_share"),
}


def option(case: Case, library: Library) -> Answer:
    """Margins of a position in one option, of one unit of it, and of the order that opens it."""
    given = Given(case.inputs)
    base, venue = _rules(case)
    stated: dict[str, Any] = {
        field: float(found)
        for field, names in PARAMETERS.items()
        if (found := given.raw(*names)) is not None
    }
    rules = replace(base, **stated)
    in_coin, mark = _premium(given, ("mark", "option_mark", "mark_price", "option_price", "price"))
    kind = str(given.raw("type", "option_type", "kind") or "").lower()
    right = "put" if "put" in kind and "call" not in kind else "call"
    if not kind:
        raise NotUnderstoodError("the inputs do not say whether it is a call or a put")
    index = given.amount("underlying", "index_price", "index", "underlying_price", "spot")
    strike = given.amount("strike", "K", "strike_price")
    size = given.need("size", "contracts")
    size = given.sign * abs(size)
    coin_entry, entry = _premium(given, ("entry_price", "entry", "order_price", "avg_price"))
    entry = mark if entry is None else entry
    mark = entry if mark is None else mark
    if mark is None or entry is None:
        raise NotUnderstoodError("the inputs name no price of the option")
    in_coin = in_coin or coin_entry
    balance = given.number("margin_balance")
    balance = given.number("wallet") if balance is None else balance

    def position(quantity: float) -> mw.Account:
        return _account(rules, venue, right, quantity, index, strike, mark, entry, balance, in_coin)

    held, single = position(size), position(1.0 if size > 0 else -1.0)
    report, unit = held.cross.positions["OPTION"], single.cross.positions["OPTION"]
    coins = index if in_coin else 1.0
    sign = 1 if right == "call" else -1
    reserved = option_margin.order_initial(
        rules, sign, size, index, strike, mark * coins, entry * coins
    )
    order = float(reserved)
    known: dict[str, Got] = {}
    for ending, worth in (("", 1.0), ("_usd", 1.0), ("_usdt", 1.0), ("_btc", index)):
        plain = coins if ending == "" and in_coin else worth
        for name in ("im", "initial_margin", "position_im"):
            known[name + ending] = float(report.initial_margin or 0.0) / plain
        for name in ("mm", "maintenance_margin"):
            known[name + ending] = float(report.maintenance_margin or 0.0) / plain
        known["im_unit" + ending] = float(unit.initial_margin or 0.0) / plain
        known["mm_unit" + ending] = float(unit.maintenance_margin or 0.0) / plain
        for name in ("order_im", "order_initial_margin", "order_margin", "order_cost"):
            known[name + ending] = order / plain
    if balance is not None:
        known["account_mm_rate"] = held.cross.margin_ratio
        known["margin_ratio"] = held.cross.margin_ratio
    if size > 0 and "initial_margin" in case.expected and "order_margin" not in case.expected:
        known["initial_margin"] = order / (
            coins if in_coin else 1.0
        )  # of a bought option: its order
    through = f"Account under {venue or 'generic'}, cross; engine.option_margin"
    return answered(case, given, known, through)


def _rules(case: Case) -> tuple[OptionMargin, str | None]:
    """The venue's own rules, or those that the formula describes."""
    name = VENUES.get(case.venue)
    if name in mw.venues.names():
        found = mw.venues.get(str(name)).option_margin
        if found is not None:
            return found, name
    return (BYBIT if "BYBIT" in case.family else DERIBIT), None


def _premium(given: Given, names: tuple[str, ...]) -> tuple[bool, float | None]:
    """A price of the option, and whether it is in coin."""
    for name in names:
        for ending, in_coin in (("", False), ("_usd", False), ("_btc", True), ("_eth", True)):
            found = given.raw(name + ending)
            if found is not None:
                return in_coin, float(found)
    return False, None


def _account(
    rules: OptionMargin,
    venue: str | None,
    right: Any,
    size: float,
    index: float,
    strike: float,
    mark: float,
    entry: float,
    balance: float | None,
    in_coin: bool,
) -> mw.Account:
    base = mw.venues.get(venue) if venue else mw.venues.generic(currency="USD")
    currency = base.currency
    settle = "COIN" if in_coin else currency
    parts: dict[str, Any] = {
        "contracts": {
            "INDEX": mw.Contract(base="COIN", quote=currency, settle=currency),
            "OPTION": mw.Contract(
                kind=right,
                strike=strike,
                expiry="2030-06-28",
                underlying="INDEX",
                base="COIN",
                quote=currency,
                settle=settle,
            ),
        },
        "tiers": {"INDEX": 0.01},
        "option_margin": rules,
    }
    return mw.Account(
        venue=base.replace(**parts),
        collateral={settle: 1e9 if balance is None else balance},
        positions=[mw.Position("OPTION", size, entry)],
        marks={"INDEX": index, "OPTION": mark},
        as_of="2030-01-01",  # any day before the expiry: standard margin knows no time
    )


SOLVERS: Mapping[str, Any] = {
    "F-DERIBIT-OPT": option,
    "F-BYBIT-OPT": option,
    "F-OPT": option,
    "F-AEVO-OPT": option,
}
