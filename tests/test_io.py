"""Import of real positions in ccxt's unified structures."""

from __future__ import annotations

import json
import re
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import traitlets

import margin_widgets as mw
from margin_widgets.io import CcxtError, ImportNotice

IDS = [
    "binance-usdm-01",
    "binance-usdm-02",
    "binance-usdm-03",
    "binance-coinm-01",
    "bybit-01",
    "bybit-02-empty",
    "okx-01",
    "hyperliquid-02-cross-long-a",
    "hyperliquid-02-cross-long-b",
    "lighter-01",
    "paradex-01",
    "paradex-02",
    "whitebit-01",
    "bingx-01",
    "bingx-02",
    "blofin-01",
    "dydx-01",
    "aster-01-doc",
    "hashkey-01",
    "extended-01",
    "drift-01",
    "bitmex-01",
    "x-okx-iso-lin-01",
    "x-okx-cross-bot-01",
    "x-okx-cross-02",
    "x-bitmex-iso-inv-01",
    "x-bybit-inv-01",
    "x-bybit-lin-02",
    "x-bybit-uta-solusdt",
    "x-bybit-uta-suiusdt",
    "x-bybit-uta-motherusdt",
    "x-hyperliquid-iso-01",
    "x-hyperliquid-iso-02",
    "x-mexc-iso-01",
    "x-mexc-iso-02",
    "x-mexc-iso-03",
    "x-zb-iso-01",
    "x-binance-iso-01",
    "x-binance-iso-03",
]

UNIFIED = {
    ("hyperliquid", "SOL"): "SOL/USDC:USDC",
    ("hyperliquid", "ETH"): "ETH/USDC:USDC",
    ("hyperliquid", "xyz:XYZ100"): "XYZ100/USDC:USDC",
    ("lighter", "ETH"): "ETH/USDC:USDC",
    ("paradex", "SOL-USD-PERP"): "SOL/USD:USDC",
    ("whitebit", "BTC_PERP"): "BTC/USDT:USDT",
    ("bingx", "SOL-USD"): "SOL/USD:SOL",
    ("dydx", "BTC-USD"): "BTC/USD:USDC",
    ("extended", "BTC-USD"): "BTC/USD:USD",
    ("bitmex", "XBTUSD"): "BTC/USD:BTC",
    ("bybit", "BTCUSD"): "BTC/USD:BTC",
    ("binance", "BTCUSD_PERP"): "BTC/USD:BTC",
    ("zb", "ZETH_ZUSD"): "ZETH/ZUSD:ZUSD",
}
# Positions whose payload states no maintenance margin and no rate.
WITHOUT_RATE = {
    "hyperliquid-02-cross-long-a",
    "hyperliquid-02-cross-long-b",
    "lighter-01",
    "paradex-01",
    "paradex-02",
    "whitebit-01",
    "bingx-01",
    "bingx-02",
    "dydx-01",
    "aster-01-doc",
    "hashkey-01",
    "extended-01",
    "drift-01",
    "x-bybit-inv-01",
    "x-hyperliquid-iso-01",
    "x-hyperliquid-iso-02",
    "x-mexc-iso-01",
    "x-mexc-iso-02",
    "x-mexc-iso-03",
}
# The venue's notional is at the entry price, not at the mark.
AT_ENTRY = {
    "bybit-01",
    "hashkey-01",
    "x-bybit-lin-02",
    "x-bybit-uta-solusdt",
    "x-bybit-uta-suiusdt",
    "x-bybit-uta-motherusdt",
    "x-zb-iso-01",
}
# The venue's notional is in USD and not in the quote currency, or beside its own prices.
ROUGH = {
    "okx-01": 1e-3,
    "x-okx-iso-lin-01": 1e-3,
    "x-okx-cross-bot-01": 1e-3,
    "x-okx-cross-02": 1e-3,
    "x-zb-iso-01": 2e-4,
}
SATOSHI = {"x-bitmex-iso-inv-01"}


@pytest.fixture(scope="session")
def payloads(shared_data: Path) -> dict[str, Any]:
    rows = json.loads((shared_data / "positions.json").read_text(encoding="utf-8"))
    return {row["id"]: row for row in rows}


def unified(row: dict[str, Any]) -> dict[str, Any]:
    """The unified structure that ccxt makes of a payload."""
    exchange, symbol = row["exchange"], row["symbol"]
    if exchange == "drift":
        name = "SOL/USDC:USDC"
    elif (exchange, symbol) in UNIFIED:
        name = UNIFIED[exchange, symbol]
    else:
        found = re.match(r"([A-Z0-9]+?)[-_]?USDT", symbol)
        assert found, symbol
        name = f"{found[1]}/USDT:USDT"
    unit = 1e-8 if row["id"] in SATOSHI else 1.0

    def amount(field: str) -> float | None:
        return None if row[field] is None else row[field] * unit

    margin, pnl = amount("isolated_margin_or_collateral"), amount("unrealized_pnl")
    # These two state the margin with unrealised profit in it; so does ccxt's `collateral`.
    with_profit = exchange in ("aster", "hyperliquid")
    derived = row["ccxt_derived"] or {}
    return {
        "info": {**row["raw"], "symbol": symbol},
        "id": None,
        "symbol": name,
        "datetime": None,
        "side": row["side"],
        "hedged": False,
        "contracts": row["quantity"],
        "contractSize": row["contract_size"],
        "entryPrice": row["entry_price"],
        "markPrice": row["mark_price"],
        "notional": amount("notional"),
        "leverage": row["leverage"],
        "marginMode": row["margin_mode"],
        "positionMargin": None if with_profit or row["margin_mode"] == "cross" else margin,
        "collateral": (
            None if margin is None else margin if with_profit else margin + (pnl or 0.0)
        ),
        "initialMargin": amount("initial_margin"),
        "maintenanceMargin": amount("maintenance_margin"),
        "maintenanceMarginPercentage": (
            row["maintenance_margin_rate"] or derived.get("maintenanceMarginPercentage")
        ),
        "unrealizedPnl": pnl,
        "liquidationPrice": row["liquidation_price"],
    }


def imported(position: dict[str, Any], **arguments: Any) -> mw.Account:
    """Import one position; what is noticed does not matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportNotice)
        return mw.io.from_ccxt([position], **arguments)


def last_digit(number: float) -> float:
    """One unit in the last decimal place that a payload states: venues round, or cut off."""
    exponent = Decimal(repr(float(number))).normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return 10.0**exponent


# ------------------------------------------------------------------ every real position


def test_the_list_of_payloads_is_complete(payloads: dict[str, Any]) -> None:
    assert sorted(payloads) == sorted(IDS)


@pytest.mark.parametrize("which", IDS)
def test_every_real_position_is_imported_or_refused_with_a_reason(
    payloads: dict[str, Any], which: str
) -> None:
    row = payloads[which]
    position = unified(row)
    if which == "bybit-02-empty":
        with pytest.warns(ImportNotice, match="empty"):
            account = mw.io.from_ccxt([position])
        assert not len(account.positions)
        return
    if which in WITHOUT_RATE:
        with pytest.raises(CcxtError, match=r"states no maintenance margin.*tiers=.*venue"):
            mw.io.from_ccxt([position])
        account = imported(position, tiers={position["symbol"]: 0.005})
    else:
        account = imported(position)
    (held,) = account.positions
    assert held.side == row["side"]
    assert held.margin_mode == row["margin_mode"]
    report = account.configured.positions[held.key]
    contract = account.venue.contract(held.symbol)
    scale = 1e-8 if which in SATOSHI else 1.0
    unit = account.asset_price(contract.settle) * scale

    size = abs(held.quantity * contract.multiplier)
    # What a digit of the stated prices is worth in the notional and in the profit.
    stated = [one for one in (row["entry_price"], row["mark_price"]) if one]
    per_price = size / (held.entry_price**2 if contract.kind == "inverse" else 1.0) / scale
    near = per_price * sum(map(last_digit, stated))
    if row["notional"] is not None:
        notional = report.notional / unit
        if which in AT_ENTRY:
            notional = size * held.entry_price
        near_notional = near + last_digit(row["notional"]) + ROUGH.get(which, 0.0) * notional
        assert notional == pytest.approx(row["notional"], abs=near_notional)
    if row["unrealized_pnl"] is not None:
        near_pnl = near + last_digit(row["unrealized_pnl"])
        assert report.unrealized_pnl / unit == pytest.approx(row["unrealized_pnl"], abs=near_pnl)

    again = mw.Account.from_dict(account.to_dict())
    assert again.to_dict() == account.to_dict()


# ------------------------------------------------------------------ liquidation prices


def liquidation(account: mw.Account) -> float | None:
    return account.configured.positions[account.positions[0].key].liquidation_price


def test_binance_cross_in_a_multi_assets_account(payloads: dict[str, Any]) -> None:
    account = imported(
        unified(payloads["binance-usdm-02"]),
        venue="binance-usdm",
        collateral={"USDT": 25.7261006},
    )
    assert account.positions.keys() == ["BTCUSDT"]
    assert account.positions[0].leverage == 80
    assert liquidation(account) == pytest.approx(64846.78939917, abs=0.1)


def test_binance_balances_are_read_from_the_payload(
    payloads: dict[str, Any], shared_data: Path
) -> None:
    accounts = json.loads((shared_data / "accounts.json").read_text(encoding="utf-8"))
    totals = next(one for one in accounts if one["id"] == "binance-acct-01")["totals"]
    assets = [{"asset": asset, **figures} for asset, figures in totals["assets"].items()]
    balance = {
        "info": {"assets": assets},
        # ccxt's total is the margin balance here: the wallet with unrealised profit.
        "total": {"USDT": 4.27203287, "USDC": 22.0},
    }
    # The exchange values USDT at 1.00004983 USD; the rest of the total is what USDC is worth.
    wallet = totals["totalWalletBalance"] / 1.0000498267248792
    account = imported(
        unified(payloads["binance-usdm-03"]),
        balance=balance,
        venue="binance-usdm",
        prices={"USDC": (wallet - 3.72964781) / 22.0},
    )
    assert account.collateral == {"USDT": 3.72964781, "USDC": 22.0}
    assert account.positions[0].entry_price == pytest.approx(67445.9, abs=1e-3)
    assert account.cross.maintenance_margin == pytest.approx(2.43022194, abs=1e-8)
    assert account.cross.unrealized_pnl == pytest.approx(0.54238506, abs=1e-8)
    # The sibling payload of the same account, some minutes apart.
    assert liquidation(account) == pytest.approx(64846.9875379, abs=0.1)


def test_binance_coin_margined(payloads: dict[str, Any]) -> None:
    row = payloads["binance-coinm-01"]
    account = imported(
        unified(row),
        venue="binance-coinm",
        collateral={"BTC": row["ccxt_derived"]["collateral"]},
    )
    assert account.positions.keys() == ["BTCUSD_PERP"]
    assert account.positions[0].quantity == -3
    assert liquidation(account) == pytest.approx(row["liquidation_price"], rel=1e-5)


@pytest.mark.parametrize("which", ["x-hyperliquid-iso-01", "x-hyperliquid-iso-02"])
def test_hyperliquid_isolated(payloads: dict[str, Any], which: str) -> None:
    row = payloads[which]
    position = unified(row)
    rate = 1 / (2 * row["raw"]["maxLeverage"])
    account = imported(position, tiers={position["symbol"]: rate})
    assert liquidation(account) == pytest.approx(row["liquidation_price"], rel=1e-8)


def test_hyperliquid_cross_account(payloads: dict[str, Any]) -> None:
    rows = [payloads[f"hyperliquid-02-cross-long-{leg}"] for leg in "ab"]
    balance = {
        "info": {"marginSummary": {"accountValue": "19762.483455"}},
        "USDC": {"total": 19762.483455, "used": 707.89997, "free": 19054.583485},
    }
    positions = [unified(row) for row in rows]
    with pytest.warns(ImportNotice, match="includes unrealised profit"):
        account = mw.io.from_ccxt(
            positions, balance, tiers={one["symbol"]: 0.01 for one in positions}
        )
    assert account.currency == "USDC"
    assert account.cross.equity == pytest.approx(19762.483455, abs=1e-3)
    assert account.cross.maintenance_margin == pytest.approx(141.579994, abs=1e-6)
    assert [one.liquidation_price for one in account.cross.positions.values()] == [None, None]


def test_lighter_cross(payloads: dict[str, Any]) -> None:
    row = payloads["lighter-01"]
    position = unified(row)
    account = imported(
        position,
        tiers={position["symbol"]: 0.012},
        collateral={"USDC": row["account"]["collateral"]},
    )
    assert liquidation(account) == pytest.approx(row["liquidation_price"], abs=0.01)


def test_aster_isolated(payloads: dict[str, Any]) -> None:
    row = payloads["aster-01-doc"]
    position = unified(row)
    account = imported(position, tiers={position["symbol"]: [(0, 0.004), (50_000, 0.005)]})
    assert account.positions[0].margin == pytest.approx(13200.70726908, abs=1e-8)
    assert liquidation(account) == pytest.approx(row["liquidation_price"], abs=0.01)


def okx_rules(rate: float) -> mw.RuleSet:
    return mw.venues.generic(
        tiers={"ETH/USDT:USDT": rate}, taker_fee=0.0005, closing_fee_in_maintenance=True
    )


def test_okx_isolated(payloads: dict[str, Any]) -> None:
    row = payloads["x-okx-iso-lin-01"]
    account = imported(unified(row), venue=okx_rules(0.004))
    # The venue reports one tick towards the mark.
    assert liquidation(account) == pytest.approx(row["liquidation_price"], abs=0.0101)


def test_okx_cross(payloads: dict[str, Any]) -> None:
    row = payloads["x-okx-cross-bot-01"]
    raw = row["raw"]
    notional = row["base_quantity_if_known"] * row["mark_price"]
    equity = float(raw["mgnRatio"]) * (row["maintenance_margin"] + 0.0005 * notional)
    account = imported(
        unified(row),
        venue=okx_rules(row["maintenance_margin"] / notional),
        balance={"USDT": {"total": equity}},
        balance_total="equity",
    )
    assert account.cross.equity == pytest.approx(equity, rel=1e-12)
    assert liquidation(account) == pytest.approx(row["liquidation_price"], rel=1e-9)


def test_zb_isolated_short(payloads: dict[str, Any]) -> None:
    row = payloads["x-zb-iso-01"]
    position = unified(row)
    account = imported(position, tiers={position["symbol"]: 0.005})
    assert liquidation(account) == pytest.approx(row["liquidation_price"], abs=0.01)


@pytest.mark.parametrize(
    ("which", "rate"),
    [("x-bitmex-iso-inv-01", 42975 / 7435000), ("x-bybit-inv-01", 0.005)],
)
def test_inverse_isolated_with_maintenance_at_entry(
    payloads: dict[str, Any], which: str, rate: float
) -> None:
    row = payloads[which]
    rules = mw.venues.generic(
        currency="USD",
        cross_pool="settlement",
        maintenance_at="entry",
        contracts={"BTC/USD:BTC": mw.Contract("inverse", 1, "BTC", "USD", "BTC")},
        tiers={"BTC/USD:BTC": rate},
    )
    account = imported(unified(row), venue=rules)
    assert liquidation(account) == pytest.approx(row["liquidation_price"], abs=0.5)


# ------------------------------------------------------------------ what is missing or wrong


def sample(**changes: Any) -> dict[str, Any]:
    position: dict[str, Any] = {
        "info": {"symbol": "BTCUSDT"},
        "symbol": "BTC/USDT:USDT",
        "side": "long",
        "contracts": 0.5,
        "contractSize": 1.0,
        "entryPrice": 100_000.0,
        "markPrice": 101_000.0,
        "leverage": 10,
        "marginMode": "cross",
        "maintenanceMarginPercentage": 0.005,
        "unrealizedPnl": 500.0,
        "notional": 50_500.0,
    }
    return position | changes


WALLET = {"total": {"USDT": 10_000.0}}


def test_a_complete_payload_imports_silently_under_a_venue() -> None:
    account = mw.io.from_ccxt([sample()], WALLET, venue="binance-usdm", balance_total="wallet")
    assert account.positions["BTCUSDT"].to_dict() == {
        "symbol": "BTCUSDT",
        "quantity": 0.5,
        "entry_price": 100_000.0,
        "leverage": 10.0,
        "margin": None,
        "margin_mode": "cross",
    }
    assert account.marks == {"BTCUSDT": 101_000.0}
    assert account.collateral == {"USDT": 10_000.0}


def test_numbers_may_be_text() -> None:
    text = {
        name: str(sample()[name])
        for name in ("contracts", "contractSize", "entryPrice", "markPrice", "leverage")
    }
    read = mw.io.read_ccxt([sample(**text)], {"USDT": {"free": "9000", "used": "1000.5"}})
    assert read.positions[0]["quantity"] == 0.5
    assert read.marks == {"BTC/USDT:USDT": 101_000.0}
    assert read.collateral == {"USDT": 10_000.5}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"side": "sideways"}, r"side: 'sideways' is not one of 'long', 'short'"),
        ({"side": None}, "side: missing"),
        ({"contracts": "half"}, r"contracts: 'half' is not a number"),
        ({"contracts": 10**400}, r"contracts: 10+\.\.\. is not a number"),
        ({"contracts": 1e-200, "contractSize": 1e-200}, "too large or too small"),
        ({"contracts": True}, "contracts: True is not a number"),
        ({"contracts": None}, "contracts: missing, though there is a notional"),
        ({"entryPrice": float("nan")}, "entryPrice: nan is not finite"),
        ({"entryPrice": None, "unrealizedPnl": None}, "entryPrice: missing"),
        ({"marginMode": "portfolio"}, "marginMode: 'portfolio' is not one of"),
        ({"contracts": -0.5}, "disagrees"),
        ({"symbol": None}, "symbol: None is not a name"),
        ({"symbol": "BTC/USDT"}, "spot"),
        ({"symbol": "BTC/USD:BTC-241227-100000-C"}, "options are not modelled"),
        ({"symbol": "ETH/USD:BTC"}, "settled in BTC are not modelled"),
        (
            {"marginMode": "isolated", "collateral": 100.0},
            "isolated margin: -400 must be at least 0",
        ),
    ],
)
def test_what_cannot_be_imported_is_refused_by_row(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(CcxtError, match=reason) as caught:
        mw.io.from_ccxt([sample(), sample(**changes)], WALLET)
    assert "position 2" in str(caught.value)
    assert "position 1" not in str(caught.value)


def test_all_refusals_are_listed_at_once() -> None:
    with pytest.raises(CcxtError) as caught:
        mw.io.from_ccxt([sample(side="?"), sample(contracts="x"), "BTC"], WALLET)  # type: ignore[list-item]
    assert [f"position {n}" in str(caught.value) for n in (1, 2, 3)] == [True] * 3


def test_a_mapping_is_not_a_list_of_positions() -> None:
    with pytest.raises(CcxtError, match="list"):
        mw.io.from_ccxt({"BTC": sample()})  # type: ignore[arg-type]


def test_a_symbol_that_the_venue_does_not_know() -> None:
    with pytest.raises(CcxtError, match=r"'BTX/USDT:USDT'|BTXUSDT"):
        mw.io.from_ccxt([sample(symbol="BTX/USDT:USDT", info={})], WALLET, venue="binance-usdm")


@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        ({"markPrice": None}, "mark 101000 worked out from the notional"),
        ({"markPrice": None, "notional": None}, "mark 101000 worked out from unrealised profit"),
        (
            {"markPrice": None, "notional": 50_000.0},
            "mark 101000 worked out from unrealised profit; the notional is not at the mark",
        ),
        ({"entryPrice": None}, "entry 100000 worked out"),
        ({"contractSize": None}, "contract size 1 worked out"),
        ({"leverage": None, "initialMargin": 5_050.0}, "leverage 10 worked out"),
        ({"leverage": 0, "initialMarginPercentage": 0.1}, "leverage 10 worked out"),
        ({"leverage": None}, "no leverage; 10 is assumed"),
        ({"marginMode": None}, "no margin mode; cross is assumed"),
        ({"side": None, "contracts": -0.5, "unrealizedPnl": -500.0}, "no side; short"),
        ({"unrealizedPnl": 900.0}, "the exchange states 900"),
        ({"markPrice": None, "notional": None, "unrealizedPnl": None}, "the entry price is used"),
    ],
)
def test_what_is_worked_out_is_noticed(changes: dict[str, Any], notice: str) -> None:
    read = mw.io.read_ccxt([sample(**changes)], WALLET, balance_total="wallet")
    assert any(notice in one for one in read.notices), read.notices
    with pytest.warns(ImportNotice, match=re.escape(notice)):
        account = mw.io.from_ccxt([sample(**changes)], WALLET, balance_total="wallet")
    (held,) = account.positions
    assert abs(held.quantity) == 0.5
    assert held.entry_price == pytest.approx(100_000)
    assert held.leverage == 10


def test_isolated_margin_leaves_unrealised_profit_out() -> None:
    older = sample(marginMode="isolated", collateral=5_500.0)
    newer = older | {"positionMargin": 5_200.0}
    assert mw.io.read_ccxt([older], WALLET).positions[0]["margin"] == 5_000.0
    assert mw.io.read_ccxt([newer], WALLET).positions[0]["margin"] == 5_200.0
    read = mw.io.read_ccxt([sample(marginMode="isolated")], WALLET)
    assert read.positions[0]["margin"] is None
    assert any("initial margin at entry is assumed" in one for one in read.notices)


def test_both_legs_of_a_hedge() -> None:
    short = sample(side="short", contracts=0.2, unrealizedPnl=-200.0, notional=20_200.0)
    account = imported_all([sample(), short])
    assert account.positions.keys() == ["BTCUSDT:long", "BTCUSDT:short"]
    assert account.positions["BTCUSDT:short"].quantity == -0.2


def imported_all(positions: list[dict[str, Any]], **arguments: Any) -> mw.Account:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportNotice)
        return mw.io.from_ccxt(positions, WALLET, **{"venue": "binance-usdm", **arguments})


def test_two_longs_in_one_symbol_are_refused() -> None:
    with pytest.raises(traitlets.TraitError, match="two long legs"):
        imported_all([sample(), sample()])


def test_marks_given_go_first_under_either_name() -> None:
    for name in ("BTCUSDT", "BTC/USDT:USDT"):
        account = imported_all([sample()], marks={name: 99_000.0, "ETHUSDT": 4_000.0})
        assert account.marks == {"BTCUSDT": 99_000.0, "ETHUSDT": 4_000.0}


def test_maintenance_that_differs_from_the_venues_own_is_noticed() -> None:
    position = sample(maintenanceMargin=400.0)
    read = mw.io.read_ccxt([position], WALLET, venue="binance-usdm")
    assert any("the exchange states 400" in one for one in read.notices)


def test_dated_contracts_keep_their_date() -> None:
    position = sample(symbol="BTC/USDT:USDT-251226", info={})
    account = imported_all([position], venue=None)
    assert account.venue.contract("BTC/USDT:USDT-251226").expiry == "2025-12-26"


# ------------------------------------------------------------------ the balance


def test_without_a_balance_only_isolated_margins_are_held() -> None:
    isolated = sample(marginMode="isolated", positionMargin=5_000.0)
    with pytest.warns(ImportNotice, match=r"balance: none given.*5,000 USDT"):
        account = mw.io.from_ccxt([isolated], venue="binance-usdm")
    assert account.collateral == {"USDT": 5_000.0}
    assert mw.io.from_ccxt([isolated], venue="binance-usdm", collateral={"USDT": 1}).collateral == {
        "USDT": 1
    }


@pytest.mark.parametrize(
    ("info", "total", "wallet"),
    [
        ({"assets": [{"asset": "USDT", "walletBalance": "9500"}]}, 10_000.0, 9_500.0),
        ([{"asset": "USDT", "balance": "9500", "crossUnPnl": "500"}], 10_000.0, 9_500.0),
        (
            {"result": {"list": [{"coin": [{"coin": "USDT", "walletBalance": "9500"}]}]}},
            9_500.0,
            9_500.0,
        ),
        ({"data": [{"details": [{"ccy": "USDT", "eq": "10000"}]}]}, 10_000.0, 9_500.0),
        ({"marginSummary": {"accountValue": "10000"}}, 10_000.0, 9_500.0),
        ({}, 10_000.0, 10_000.0),
    ],
)
def test_unrealised_profit_is_not_counted_twice(info: Any, total: float, wallet: float) -> None:
    read = mw.io.read_ccxt([sample()], {"info": info, "total": {"USDT": total}})
    assert read.collateral == {"USDT": wallet}
    assert any(one.startswith("balance:") for one in read.notices)


def test_debt_is_a_negative_balance_and_nothing_is_left_out_unsaid() -> None:
    balance = {"total": {"USDT": 100.0, "BNB": 0.0}, "debt": {"USDC": 40.0}}
    read = mw.io.read_ccxt([], balance)
    assert read.collateral == {"USDT": 100.0, "USDC": -40.0}
    assert any("40 USDC" in one for one in read.notices)
    assert any("1 assets" in one for one in read.notices)


@pytest.mark.parametrize(
    "balance",
    [{"total": {"USDT": "much"}}, {"USDT": {"free": 3.0, "used": None}}, [1]],
)
def test_a_balance_that_cannot_be_read(balance: Any) -> None:
    with pytest.raises(CcxtError, match="balance:"):
        mw.io.from_ccxt([sample()], balance)


def test_an_asset_without_a_price_is_named() -> None:
    with pytest.raises(traitlets.TraitError, match="ADA"):
        imported_all([sample()], collateral={"ADA": 3.0})


# ------------------------------------------------------------------ tables


def test_tables_are_reachable_from_io() -> None:
    account = mw.presets.ref2()
    again = mw.io.from_frame(
        mw.io.positions_frame(account),
        venue=account.venue,
        collateral=account.collateral,
        marks=pd.DataFrame({"BTCUSDT": [1.0, 100_000.0], "ETHUSDT": [1.0, 4_000.0]}),
        name="REF-2",
    )
    assert again.to_dict() == account.to_dict()
