"""What a venue writes gives what the engine finds; where it does not hold, the condition does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import random_accounts
import strategies
import test_explain
from hypothesis import given, settings
from test_explain import check, evaluate, lines

import margin_widgets as mw
from margin_widgets.account.explanation import Explanation
from margin_widgets.account.explanation.leg import Leg
from margin_widgets.account.explanation.path import ACCOUNT_PATHS, POSITION_PATHS
from margin_widgets.account.explanation.pool_figures import POOL_PATHS
from margin_widgets.account.explanation.sheet import Sheet
from margin_widgets.account.explanation.terms import ONE, Term, let
from margin_widgets.account.explanation.venue_formulas import (
    FORMULAS,
    VenueFormula,
    venue_formula,
)
from margin_widgets.engine.option_margin import OptionMargin
from margin_widgets.engine.portfolio import Scenario

VENUES = mw.venues.names()
MODES = ("isolated", "cross", "configured")


def account_of(venue: str, number: int) -> mw.Account:
    """A random account that no one is meant to have seen, under a venue's rules."""
    account = strategies.account(random_accounts.numbered(venue, number))
    assert account.venue.formulas == mw.venues.get(venue).formulas
    return account


def written(account: mw.Account) -> Iterator[tuple[float, VenueFormula]]:
    """Every liquidation price of an account, and how its venue writes it."""
    for mode in MODES:
        report = getattr(account, mode)
        for index, one in enumerate(report.positions.values()):
            if one.liquidation_price is not None:
                yield (
                    one.liquidation_price,
                    venue_formula(Leg(report, index), one.liquidation_price),
                )


def venue_lines(account: mw.Account, path: str) -> tuple[str, ...]:
    explained = account.explain(path)
    assert explained.venue
    return explained.venue.lines


# ------------------------------------------------------------------ agreement


@pytest.mark.parametrize("venue", VENUES)
def test_formulas_give_the_engines_prices(venue: str) -> None:
    used, stated = set(), set(mw.venues.get(venue).formulas.values())
    for number in range(50):
        account = account_of(venue, number)
        scale = sum(pool.notional + abs(pool.margin_balance) for pool in account.cross.pools)
        for price, formula in written(account):
            used.add(formula.id)
            if formula.value is None:
                assert formula.note or formula.id in stated
                condition_holds(formula, scale)
            else:
                assert formula.value == pytest.approx(price, rel=1e-9), formula
                assert evaluate(formula.lines[-2]).holds(price, slack=1e-7), formula
            if formula.id not in stated and stated:
                assert " cannot be used here: " in formula.note
    assert stated <= used


def condition_holds(formula: VenueFormula, scale: float) -> None:
    """Both sides of a condition, worked out, are equal."""
    left, right = formula.lines[1].split(": ", 1)[1].split(" = ")
    one, other, spare = evaluate(left), evaluate(right), 1e-9 * scale
    assert one.low - spare <= other.high and other.low <= one.high + spare, formula


@settings(max_examples=40)
@given(strategies.books())
def test_formulas_of_drawn_books(spec: strategies.Spec) -> None:
    for price, formula in written(strategies.account(spec)):
        assert formula.value is None or formula.value == pytest.approx(price, rel=1e-9), formula


def paths(account: mw.Account) -> Iterator[tuple[str, Any]]:
    """Those of `test_explain`, and all of pools and of portfolio margin."""
    yield from test_explain.paths(account)
    for mode in (*MODES, *(["portfolio"] if account.portfolio else [])):
        report = getattr(account, mode)
        owners = [(f"{mode}.pools.{pool.name}", pool, POOL_PATHS) for pool in report.pools]
        if mode == "portfolio":
            owners.append((mode, report, ACCOUNT_PATHS))
            owners += [
                (f"{mode}.positions.{key}", one, POSITION_PATHS)
                for key, one in report.positions.items()
            ]
        for where, owner, figures in owners:
            for figure in figures:
                if figure not in test_explain.PAIRS:
                    value = None if figure == "status" else getattr(owner, figure)
                    yield f"{where}.{figure}", value


@pytest.mark.parametrize("venue", VENUES)
def test_every_explanation_is_true(venue: str) -> None:
    """Options, loans, portfolio margin, quanto, slopes and fees among them."""
    for number in range(5):
        account = account_of(venue, number)
        for path, value in paths(account):
            check(account.explain(path), value)


# ------------------------------------------------------------------ the wording of each venue


TIERS: dict[str, dict[str, Any]] = {
    "binance-usdm": {"BTCUSDT": 0.004, "ETHUSDT": 0.004},
    "binance-portfolio-margin": {"BTCUSDT": 0.004, "ETHUSDT": 0.004},
    "bybit-unified": {"BTCUSDT": 0.005, "ETHUSDT": 0.01},
    "gate": {"BTCUSDT": 0.005, "ETHUSDT": 0.01},
    "kucoin": {"XBTUSDTM": 0.005, "ETHUSDT": 0.01},
    "drift": {"BTC-PERP": 0.03, "ETH-PERP": 0.03},
    "okx": {"BTC-USDT-SWAP": 0.004, "ETH-USDT-SWAP": 0.005},
    "hyperliquid": {"BTC": 0.0125, "ETH": 0.02},
    "dydx-v4": {"BTC-USD": 0.012, "ETH-USD": 0.012},
    "deribit": {"BTC_USDC-PERPETUAL": 0.01, "ETH_USDC-PERPETUAL": 0.01},
}
"""Tiers for the tests of wording, so that they do not follow what the data files say."""


def ref2_under(venue: str) -> mw.Account:
    account = mw.presets.ref2()
    account.positions["ETHUSDT"].margin_mode = "cross"
    rules = mw.venues.get(venue).replace(tiers=TIERS[venue], initial_tiers={})
    return account.under(rules)


def test_binance() -> None:
    account = ref2_under("binance-usdm")
    assert venue_lines(account, "cross.positions.BTCUSDT.liquidation_price") == (
        "LP = (WB − TMM + UPNL + cum − s·q·EP) / (q·MMR − s·q)",
        "= (10,000 − 80 + 0 + 0 − 1·0.5·100,000) / (0.5·0.004 − 1·0.5)",
        "= 80,481.93 USDT",
    )
    explained = account.explain("cross.positions.BTCUSDT.liquidation_price")
    assert explained.venue and explained.venue.id == "F-LIN"
    assert explained.venue.title == "Binance USD-M futures: linear contracts"
    assert explained.venue.note == ""
    meanings = {name: (meaning, value) for name, meaning, value in explained.venue.symbols}
    assert meanings["TMM"] == ("maintenance margin of the other contracts", "80 USDT")


def test_inverse() -> None:
    assert venue_lines(mw.presets.inverse(), "cross.positions.BTCUSD_PERP.liquidation_price") == (
        "N = n·ctVal = 500·100 = 50,000",
        "LP = N·(MMR + s) / (WB − TMM + UPNL + cum + s·N/EP)",
        "= 50,000·(0.004 + 1) / (0.25 − 0 + 0 + 0 + 1·50,000/95,000)",
        "= 64,664.4 USD",
    )


def test_both_legs() -> None:
    account = mw.Account(
        "binance-usdm",
        {"USDT": 5_000},
        [mw.Position("BTCUSDT", 1, 100_000), mw.Position("BTCUSDT", -0.4, 101_000)],
    )
    assert venue_lines(account, "cross.positions.BTCUSDT:short.liquidation_price")[0] == (
        "LP = (WB − TMM + UPNL + cum_L + cum_S − q_L·EP_L + q_S·EP_S)"
        " / (q_L·MMR_L + q_S·MMR_S − q_L + q_S)"
    )
    with_fee = account.under("kucoin", tiers="keep")
    explained = with_fee.explain("cross.positions.XBTUSDTM:long.liquidation_price")
    assert explained.venue and explained.venue.id == "F-HEDGE-ENTRYMM"
    assert (
        explained.venue.note
        == "the usual formula (F-KUCOIN) cannot be used here: XBTUSDTM has two legs in one pool"
    )


def test_bybit_holds_the_fee_of_closing_in_both_margins() -> None:
    account = ref2_under("bybit-unified")
    account.positions["BTCUSDT"].margin = 6_024.75
    assert venue_lines(account, "isolated.positions.BTCUSDT.liquidation_price") == (
        "fee = f·q·EP·(1 − 1/L) = 0.00055·0.5·100,000·(1 − 1/10) = 24.75",
        "MM = q·EP·MMR + fee = 0.5·100,000·0.005 + 24.75 = 274.75",
        "LP = EP − s·(IM − MM + extra)/q",
        "= 100,000 − 1·(5,024.75 − 274.75 + 1,000)/0.5",
        "= 88,500.00 USDT",
    )


def test_okx_counts_the_taker_fee() -> None:
    account = ref2_under("okx")
    assert venue_lines(account, "isolated.positions.BTC-USDT-SWAP.liquidation_price") == (
        "q = n·ctVal = 50·0.01 = 0.5",
        "LP = (WB − TMM + UPNL − s·q·EP) / (q·(MMR + f) − s·q)",
        "= (5,000 − 0 + 0 − 1·0.5·100,000) / (0.5·(0.004 + 0.0005) − 1·0.5)",
        "= 90,406.83 USDT",
    )


def test_hyperliquid_moves_by_what_is_available() -> None:
    account = ref2_under("hyperliquid")
    assert venue_lines(account, "cross.positions.BTC.liquidation_price") == (
        "margin_available = AV − TMM − q·P0·l = 10,000 − 400 − 0.5·100,000·0.0125 = 8,975",
        "liq_price = P0 − s·margin_available/q / (1 − l·s)",
        "= 100,000 − 1·8,975/0.5 / (1 − 0.0125·1)",
        "= 81,822.78 USDC",
    )


def test_dydx_writes_signed_sizes() -> None:
    account = ref2_under("dydx-v4")
    account.positions["ETH-USD"].quantity = -5
    assert venue_lines(account, "cross.positions.ETH-USD.liquidation_price")[:2] == (
        "p′ = (e − s·p − MMR_other) / (|s|·MMF − s)",
        "= (10,000 − (−5)·4,000 − 600) / (5·0.012 − (−5))",
    )


def test_gate_and_kucoin_start_from_the_entry_price() -> None:
    gate = ref2_under("gate")
    assert venue_lines(gate, "isolated.positions.ETHUSDT.liquidation_price")[1:3] == (
        "LP = (EP − s·margin/q) / (1 − s·(MMR + f))",
        "= (4,000 − 1·2,000/5) / (1 − 1·(0.01 + 0.00075))",
    )
    kucoin = ref2_under("kucoin")
    assert venue_lines(kucoin, "isolated.positions.ETHUSDT.liquidation_price")[2] == (
        "LP = EP − s·(posMargin − posMaint)/q"
    )


def test_deribit_states_the_condition() -> None:
    linear = ref2_under("deribit").explain("cross.positions.BTC_USDC-PERPETUAL.liquidation_price")
    assert linear.venue and linear.venue.lines[0] == (
        "equity = MM: WB − TMM + UPNL + s·q·(LP − EP) = q·LP·(MMR + k)"
    )
    inverse = mw.presets.inverse().under("deribit")
    told = inverse.explain("cross.positions.BTC-PERPETUAL.liquidation_price")
    assert told.venue and told.venue.value == pytest.approx(told.value, rel=1e-12)
    assert any("N/LP·(MMR + k·N/LP)" in line for line in told.venue.lines)
    assert told.lines[0].startswith("margin balance = requirement at P*:")


def test_drift_weighs_collateral() -> None:
    account = ref2_under("drift")
    assert venue_lines(account, "cross.positions.BTC-PERP.liquidation_price")[-3] == (
        "LP = P0 − s·FC/(q·(1 − s·mr))"
    )


def test_portfolio_margin_of_binance_is_a_condition() -> None:
    account = ref2_under("binance-portfolio-margin")
    explained = account.explain("cross.positions.BTCUSDT.liquidation_price")
    assert explained.venue and explained.venue.id == "F-BINANCE-PM"
    assert explained.venue.lines[0] == "margin balance = requirement: W + ΣuPnL = λ·ΣMM"
    assert explained.lines[0] == "margin balance = 1.05 × requirement: a + b·P = a′ + b′·P"
    assert "margin balance ≤ 1.05 × maintenance margin" in explained.assumes
    status = account.explain("cross.status")
    assert "1.05·280.00 USD" in status.lines[1]


# ------------------------------------------------------------------ where none holds


def reason(account: mw.Account, path: str) -> str:
    explained = account.explain(path)
    assert explained.venue and explained.venue.id == "condition" and explained.venue.value is None
    assert explained.venue.lines[0].startswith("margin balance = requirement: W + ΣuPnL")
    return explained.venue.note


def test_reasons() -> None:
    path = "cross.positions.BTCUSDT.liquidation_price"
    on_itself = mw.presets.bitcoin_on_bitcoin()
    assert (
        reason(on_itself, path)
        == "the usual formula (F-LIN) cannot be used here: BTC moves with BTCUSDT"
    )
    account = mw.presets.ref2()
    account.haircuts["USDT"] = 0.1
    assert (
        reason(account, path)
        == "the usual formula (F-LIN) cannot be used here: the haircut moves with the price"
    )
    account = mw.presets.ref2()
    account.venue = account.venue.replace(trigger_level=1.1)
    assert "1.1 times maintenance margin" in reason(account, path)
    account = mw.presets.ref2()
    account.collateral = {"USDT": 60_000, "BTC": -0.5}
    account.venue = account.venue.replace(liability_rates={"BTC": 0.1})
    assert "what is borrowed moves" in reason(account, path)


def test_collateral_that_is_cut_but_stays_is_no_obstacle() -> None:
    account = mw.presets.ref2()
    with account.edit():
        account.collateral["SOL"], account.prices["SOL"], account.haircuts["SOL"] = 10, 200, 0.2
    explained = account.explain("cross.positions.BTCUSDT.liquidation_price")
    assert explained.venue and explained.venue.id == "F-LIN"
    assert "(11,600 − 200" in explained.venue.lines[1]
    assert explained.venue.symbols[0][1].endswith("after haircut")


def with_a_call() -> mw.Account:
    call = mw.Contract("call", 1, "BTC", "USDT", "USDT", None, "2026-12-25", 1.1e5, "BTCUSDT")
    rules = mw.venues.generic(
        tiers={"BTCUSDT": 0.005}, contracts={"C": call}, option_margin=OptionMargin()
    )
    return mw.Account(
        rules,
        {"USDT": 30_000},
        [mw.Position("BTCUSDT", 0.5, 1e5), mw.Position("C", -1, 3_000)],
        marks={"C": 2_500, "BTCUSDT": 1e5},
        as_of="2026-11-22",
    )


def test_options() -> None:
    account = with_a_call()
    assert reason(account, "cross.positions.BTCUSDT.liquidation_price") == (
        "the usual formula (F-LIN) cannot be used here: the pool holds options"
    )
    explained = account.explain("cross.positions.BTCUSDT.liquidation_price")
    assert "Options follow BTCUSDT by Black (1976)" in explained.assumes
    assert lines(account, "cross.positions.C.maintenance_margin")[:2] == (
        "MM = |q|·(a·I + P)",
        "= 1·(0.075·100,000 + 2,500)",
    )
    assert lines(account, "cross.positions.C.initial_margin")[1] == (
        "= 1·(max(0.15·100,000 − max(110,000 − 100,000, 0), 0.1·100,000) + 2,500)"
    )
    assert lines(account, "cross.equity")[0] == "equity = W + ΣuPnL_fut + ΣV"
    assert "which does not count" in account.explain("cross.margin_balance").symbols[1][1]
    # an isolated position beside options is as simple as ever
    alone = account.explain("isolated.positions.BTCUSDT.liquidation_price")
    assert alone.venue and alone.venue.id == "F-LIN"


# ------------------------------------------------------------------ margins under the new rules


def margin(figure: str, **rules: Any) -> tuple[Explanation, mw.Account]:
    account = mw.Account(
        mw.venues.generic(**{"tiers": {"BTCUSDT": [(0, 0.01), (2, 0.02)]}, **rules}),
        {"USDT": 10_000},
        [mw.Position("BTCUSDT", -3, 100)],
        marks={"BTCUSDT": 110},
    )
    explained = account.explain(f"isolated.positions.BTCUSDT.{figure}")
    check(explained, getattr(account.isolated.positions["BTCUSDT"], figure))
    return explained, account


def test_maintenance_by_size() -> None:
    explained, _ = margin("maintenance_margin", tiers_by="contracts", tier_rate="whole")
    assert explained.lines[:2] == ("MM = |q|·P·m", "= 3·110·0.02")
    assert explained.symbols[-1][1].endswith("tier 2 of 2, above a size of 2 contracts")
    assert "The tier is that of the size in contracts." in explained.assumes
    explained, _ = margin("maintenance_margin", tiers_by="size")
    assert explained.symbols[-1][1].endswith("average over the tiers of 3 BTC")
    explained, _ = margin(
        "maintenance_margin", tiers={"BTCUSDT": 0.01}, size_slopes={"BTCUSDT": 0.1}
    )
    assert explained.lines[:2] == ("MM = |q|·P·(m + k) − A", "= 3·110·(0.01 + 0.3) − 0")


def test_closing_fees() -> None:
    fees = {"taker_fee": 0.001, "closing_fee_in_maintenance": True, "closing_fee_in_initial": True}
    explained, _ = margin("maintenance_margin", **fees, closing_fee_at="bankruptcy")
    assert explained.lines[0] == "MM = |q|·P·m − A + F"
    assert explained.symbols[-1][1] == (
        "closing fee at the bankruptcy price, 0.001 of 300 USDT·(1 + 0.1)"
    )
    assert "0.100\xa0% at the bankruptcy price." in explained.assumes
    explained, _ = margin("initial_margin", **fees, closing_fee_at="worst bankruptcy")
    assert explained.lines[:2] == ("IM = |q|·E/ℓ + F", "= 3·100/10 + 0.33")
    explained, _ = margin("margin", **fees)
    assert explained.lines[:2] == ("M = |q|·E/ℓ + |q|·E·f", "= 3·100/10 + 3·100·0.001")


def test_initial_rates_and_open_interest() -> None:
    interest = mw.venues.OpenInterest(150.0, 100.0, 200.0)
    explained, _ = margin(
        "initial_margin", initial_tiers={"BTCUSDT": 0.05}, open_interest={"BTCUSDT": interest}
    )
    assert explained.lines[:2] == ("IM = |q|·E·i − A", "= 3·100·0.525 − 0")
    assert explained.symbols[-2][1].endswith("raised by open interest")


# ------------------------------------------------------------------ margin ratios


@pytest.mark.parametrize("venue", VENUES)
def test_the_venues_own_ratio(venue: str) -> None:
    for number in range(5):
        account = account_of(venue, number)
        for mode in MODES:
            report = getattr(account, mode)
            told = account.explain(f"{mode}.margin_ratio").venue
            if not report.ledger.exposed.any():
                assert told is None
                continue
            assert told is not None and told.value == report.venue_margin_ratio.value
            assert str(account.venue.margin_ratio) in told.title
            for key, one in report.positions.items():
                own = account.explain(f"{mode}.positions.{key}.margin_ratio").venue
                pool = account.explain(f"{mode}.pools.{one.pool}.margin_ratio").venue
                assert own == pool is not None
                if pool.value is not None:
                    assert evaluate(pool.lines[1]).holds(pool.value)


def test_both_senses() -> None:
    okx = ref2_under("okx").explain("cross.margin_ratio")
    assert okx.lines[:2] == ("R = MM / MB", "= 335 / 10,000")
    assert okx.venue and okx.venue.lines == (
        "margin ratio = MB / MM",
        "= 10,000 / 335",
        "= 2,985.07\xa0%",
    )
    assert okx.venue.note == "it falls towards liquidation"
    uni = ref2_under("binance-portfolio-margin").explain("cross.margin_ratio")
    assert (
        uni.venue and uni.venue.lines[0] == "uniMMR = MB / MM" and uni.venue.lines[2] == "= 35.7143"
    )
    assert "liquidation at 1.05" in uni.venue.title


# ------------------------------------------------------------------ what else is explained


def test_words() -> None:
    account = mw.presets.ref2()
    explained = account.explain("cross.positions.BTCUSDT.pool")
    assert explained.text == "cross" and explained.value is None
    assert explained.lines == (
        "positions that are not isolated share a pool",
        "in it: BTCUSDT, ETHUSDT",
        "on: 10,000 USDT",
        "= cross",
    )
    explained = account.explain("cross.positions.BTCUSDT.condition")
    assert explained.text == account.cross.positions["BTCUSDT"].condition
    assert explained.lines[0] == "ETHUSDT: mark 4,000.00, values ETHUSDT in pool cross"
    assert account.explain("isolated.positions.BTCUSDT.condition").text == "on no other mark"


def test_idle_collateral_and_pools() -> None:
    account = mw.presets.ref2()
    assert lines(account, "isolated.idle")[1:] == ("= 3,000", "= 3,000.00 USDT")
    assert lines(account, "configured.pools.cross.margin_balance")[:2] == (
        "MB = W + ΣuPnL",
        "= 8,000 + 0",
    )
    assert lines(account, "isolated.pools.BTCUSDT.available")[-1] == "= 0.00 USDT"
    shocks = account.explain("cross.pools.cross.liquidation_shocks")
    assert shocks.text == account.explain("cross.liquidation_shocks").text


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("cross.pools.crss.equity", "cross"),
        ("cross.pools.cross.equty", "equity"),
        ("cross.positions.BTCUSDT.pol", "pool"),
        ("portfolio.equity", "no portfolio margin"),
    ],
)
def test_unknown_paths(path: str, hint: str) -> None:
    with pytest.raises(KeyError, match=hint):
        mw.presets.ref2().explain(path)


def test_portfolio_margin() -> None:
    account = ref2_under("deribit")
    explained = account.explain("portfolio.positions.BTC_USDC-PERPETUAL.maintenance_margin")
    assert explained.value is None and "a position has none" in explained.lines[0]
    path = "portfolio.positions.BTC_USDC-PERPETUAL.liquidation_price"
    assert "worst loss over scenarios" in reason(account, path)
    assert "ΣuPnL = PM" in account.explain(path).lines[0]


def with_calls_in_coin(**more: Any) -> mw.Account:
    """Two calls sold on Deribit, beside a perpetual."""
    call = "BTC-25DEC26-110000-C"
    return mw.Account(
        "deribit",
        {"BTC": 1.5, **more},
        [mw.Position(call, -2, 0.05), mw.Position("BTC-PERPETUAL", 1_000, 1e5)],
        marks={call: 0.06, "BTC-PERPETUAL": 1e5},
        as_of="2026-11-22",
    )


def test_portfolio_margin_names_the_scenario_and_what_is_added() -> None:
    account = with_calls_in_coin()
    loss = account.portfolio.maintenance_margin - 2_000
    for path in ("portfolio.maintenance_margin", "portfolio.pools.cross BTC.maintenance_margin"):
        told = account.explain(path)
        assert told.lines[0] == (
            "BTC, worst of 27 scenarios: price +10.00\xa0%, volatility +38.00\xa0% at 30 days to"
            " expiry, all of it counts"
        )
        assert told.lines[1].startswith("PM(BTC) = L(BTC) + NS(BTC) = ")
        assert told.lines[2].endswith(" = PM(BTC)")
        meanings = {name: (meaning, value) for name, meaning, value in told.symbols}
        assert meanings["NS(BTC)"] == ("contingency of BTC: net short options", "2,000 USD")
        assert test_explain.printed_number(meanings["L(BTC)"][1]) == pytest.approx(loss)
        assert [source.partition(":")[0] for source in told.sources] == ["portfolio margin"]
        assert "at least the minimum charge" in told.assumes
        assert "notional" not in told.assumes
    told = account.explain("portfolio.initial_margin")
    assert told.lines[-3] == "initial margin = k·PM(BTC)"
    assert [source.partition(":")[0] for source in told.sources] == ["portfolio margin"]
    # without options volatility says nothing, and an extreme move counts in part
    account.positions = account.positions[1:]
    grid = replace(
        account.venue.portfolio.grid,
        price_moves=(-0.01, 0.01),
        extremes=(Scenario(-0.5, 0.0, 1.0, 0.3),),
    )
    rules = replace(account.venue.portfolio, grid=grid, grids={}, minimum_futures_rate=0.9)
    account.venue = account.venue.replace(portfolio=rules)
    told = account.explain("portfolio.maintenance_margin")
    assert told.lines[0].endswith(
        " scenarios: price −50.00\xa0%, 1 day later, 30.00\xa0% of it counts"
    )
    assert told.lines[1].startswith("PM(BTC) = max(s(BTC)·L(BTC), MC(BTC)) = max(0.3·")
    check(told, account.portfolio.maintenance_margin)


def test_nothing_loses() -> None:
    account = with_calls_in_coin()
    account.positions = [mw.Position("BTC-25DEC26-110000-C", 1e-9, 0.05)]
    with account.edit():
        account.marks["BTC-25DEC26-110000-C"] = 0.0000001
    told = account.explain("portfolio.maintenance_margin")
    check(told, account.portfolio.maintenance_margin)
    account.positions = []
    assert account.explain("portfolio.maintenance_margin").lines[-2] == "= 0"


@pytest.mark.parametrize("venue", ["deribit", "okx", "generic"])
def test_portfolio_margin_adds_up(venue: str) -> None:
    """Each underlying by its line, and all of them with the loans."""
    several = 0
    for number in range(25):
        account = account_of(venue, number)
        if account.portfolio is None:
            continue
        for pool in account.portfolio.pools:
            told = account.explain(f"portfolio.pools.{pool.name}.maintenance_margin")
            check(told, pool.maintenance_margin)
            parts = [line.split(" = ") for line in told.lines if line.startswith("PM(")]
            loans = [line for line in told.symbols if line[0] == "B"]
            total = sum(test_explain.printed_number(value) for _, _, value in loans)
            for part in parts:
                charge = test_explain.printed_number(part[-1])
                assert evaluate(part[2]).holds(charge), told
                total += charge
            assert total == pytest.approx(pool.maintenance_margin, rel=1e-8, abs=1e-8)
            assert sum(" scenarios: " in line for line in told.lines) == len(parts)
            several += len(parts) > 1
            check(
                account.explain(f"portfolio.pools.{pool.name}.initial_margin"), pool.initial_margin
            )
    assert several or venue == "deribit"


def test_prices_of_options_in_coin_are_in_the_coin() -> None:
    account = with_calls_in_coin()
    call = "BTC-25DEC26-110000-C"
    where = f"cross.positions.{call}"
    for path in (f"marks.{call}", f"{where}.liquidation_price", f"{where}.liquidation_prices"):
        text = account.explain(path).text
        assert "BTC" in text
        assert "USD" not in text
    for figure in ("unrealized_pnl", "maintenance_margin", "initial_margin"):
        units = {name: value for name, _, value in account.explain(f"{where}.{figure}").symbols}
        assert units["P"] == "0.06 BTC"
        assert units.get("I", "USD").endswith("USD") and units.get("K", "USD").endswith("USD")
    entries = account.explain(f"{where}.unrealized_pnl").symbols
    assert ("E", "entry price", "0.05 BTC") in entries
    own = {one.partition(":")[0] for one in account.explain(f"{where}.maintenance_margin").sources}
    assert own == {"margin of options"}
    assert "tier" not in account.explain(f"{where}.maintenance_margin").assumes


def test_profit_of_futures_and_value_of_options() -> None:
    account = with_calls_in_coin()
    account.marks["BTC-PERPETUAL"] = 110_000
    told = account.explain("cross.equity")
    assert told.lines[0] == "equity = W + ΣuPnL_fut + ΣV"
    meanings = {name: meaning for name, meaning, _ in told.symbols}
    assert meanings["ΣuPnL_fut"] == "unrealised PnL of the futures"
    assert meanings["ΣV"] == "value of the options"
    pool = account.explain("cross.pools.cross BTC.margin_balance")
    assert pool.lines[0] == "MB = W + ΣuPnL_fut"
    assert pool.assumes.endswith("The value of options is no part of the margin balance.")
    account.positions = account.positions[:1]
    assert lines(account, "cross.equity")[0] == "equity = W + ΣV"
    assert lines(account, "cross.pools.cross BTC.margin_balance")[0] == "MB = W"


@pytest.mark.parametrize("venue", ["deribit", "bybit-unified", "okx", "generic"])
def test_each_symbol_is_listed_once(venue: str) -> None:
    for account in (with_calls_in_coin(), account_of(venue, 3), account_of(venue, 4)):
        for path, _ in paths(account):
            told = account.explain(path)
            assert len(set(told.symbols)) == len(told.symbols), path
            if told.venue:
                assert len(set(told.venue.symbols)) == len(told.venue.symbols), path


def test_loans_are_what_the_wallet_owes() -> None:
    account = mw.presets.ref2()
    account.venue = account.venue.replace(liability_rates={"USDT": 0.1, "BTC": 0.2})
    account.marks["BTCUSDT"] = 70_000  # a loss beyond the wallet is no loan
    told = account.explain("cross.maintenance_margin")
    assert told.lines[0] == "maintenance margin = MM(BTCUSDT) + MM(ETHUSDT)"
    with account.edit():
        account.collateral = {"USDT": 60_000, "BTC": -0.2}
    told = account.explain("cross.maintenance_margin")
    assert told.lines[1] == "= 175 + 200 + 2,800"
    assert told.symbols[-1] == (
        "B",
        "maintenance margin of the loans, which are negative amounts in the wallet",
        "2,800 USDT",
    )
    assert "Amounts that the wallet owes have a maintenance margin too" in told.assumes
    assert account.explain("cross.pools.cross.maintenance_margin").lines[1] == told.lines[1]


def test_prices_that_a_venue_rounds() -> None:
    account = mw.presets.inverse().under("bitmex")
    explained = account.explain("cross.positions.XBTUSD.liquidation_price")
    one = account.cross.positions["XBTUSD"]
    assert one.displayed_liquidation_price != one.liquidation_price
    shown = f"the venue shows {one.displayed_liquidation_price:,.1f}, rounded to the tick towards"
    assert shown in explained.rounding
    explained = account.explain("cross.positions.XBTUSD.bankruptcy_price")
    assert "rounded to the tick towards the entry" in explained.rounding
    plain = mw.presets.inverse().explain("cross.positions.BTCUSD_PERP.liquidation_price")
    assert "the venue shows" not in plain.rounding


def test_sources_are_those_of_the_figure() -> None:
    account = mw.presets.hedged_pair()

    def named(path: str) -> set[str]:
        return {source.partition(": ")[0] for source in account.explain(path).sources}

    assert {"formulas", "tiers", "price that maintenance margin is taken on"} <= named(
        "cross.positions.BTCUSDT.liquidation_price"
    )
    assert "formulas" not in named("cross.maintenance_margin")
    assert not {"tiers", "liquidation_fee", "adl_rank"} & named("cross.equity")
    bitmex = mw.presets.inverse().under("bitmex").explain("cross.maintenance_margin").sources
    assert any(one.startswith("tiers of XBTUSD: ") for one in bitmex)
    assert not any(one.startswith("tiers of ETHUSD: ") for one in bitmex)


def test_forms() -> None:
    explained = ref2_under("okx").explain("cross.positions.BTC-USDT-SWAP.liquidation_price")
    document = json.loads(json.dumps(explained.to_dict()))
    assert document["venue"]["lines"] == list(explained.venue.lines)
    text = str(explained)
    assert explained.venue.title in text and explained.venue.lines[1] in text
    assert "LP = (WB − TMM" in explained._repr_html_()
    assert ref2_under("okx").explain("cross.equity").to_dict()["venue"] is None


def test_script_in_a_title_is_text() -> None:
    account = mw.presets.ref2()
    account.venue = account.venue.replace(title=test_explain.SCRIPT)
    html = account.explain("cross.positions.BTCUSDT.liquidation_price")._repr_html_()
    assert "<script" not in html and "&lt;script&gt;" in html


# ------------------------------------------------------------------ the parts


def test_every_formula_that_a_rule_set_names_is_known() -> None:
    for name in VENUES:
        for kind, formula in mw.venues.get(name).formulas.items():
            assert formula in FORMULAS, (name, kind)
    assert all(re.fullmatch(r"F-[A-Z]+(-[A-Z]+)*", name) for name in FORMULAS)


def test_an_unknown_formula_falls_back() -> None:
    account = mw.presets.ref2()
    account.venue = account.venue.replace(formulas={"linear": "F-MY-OWN"})
    explained = account.explain("cross.positions.BTCUSDT.liquidation_price")
    assert explained.venue and explained.venue.id == "F-LIN"


def test_terms_keep_their_text() -> None:
    sheet = Sheet()
    a, b, c = (let(sheet, name, "", value) for name, value in (("a", 2), ("b", -3), ("c", 4)))

    def text(term: Term) -> tuple[str, str, float]:
        return sheet.named(term.text), sheet.valued(term.text), term.value

    assert text(a - (b - c)) == ("a − (b − c)", "2 − (−3 − 4)", 9)
    assert text((a + b) * c / (a / c)) == ("(a + b)·c/(a/c)", "(2 + (−3))·4/(2/4)", -8)
    assert text(a / (ONE - b * c)) == ("a / (1 − b·c)", "2 / (1 − (−3)·4)", 2 / 13)
    assert text((a * a * c).root()) == ("√(a·a·c)", "√(2·2·4)", 4)
    nothing = a / (a - a)
    assert nothing.value != nothing.value and b.root().value != b.root().value
