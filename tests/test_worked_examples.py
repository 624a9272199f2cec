"""Published and live numbers of real venues, from the shared list of worked examples.

A maintenance amount given without its table is put into an equal two-tier table: half the rate
up to `2 * amount / rate`, the whole rate above, which leaves `notional * rate - amount` there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import margin_widgets as mw

Case = dict[str, Any]
FORMULAS = {
    "F-LIN",
    "F-LIN with fee",
    "F-LIN with fee (cum=0)",
    "F-LIN-ENTRYMM",
    "F-INV",
    "F-INV-ENTRYMM",
    "F-MM",
    "F-MM-INV",
    "F-IM",
    "F-IM-INV",
    "F-UPNL",
    "F-CUM",
    "F-BANK-LIN",
}


def tiers(rate: float, amount: float = 0.0) -> Any:
    """A table with this rate and maintenance amount at large notionals."""
    return [(0, rate / 2), (2 * amount / rate, rate)] if amount else rate


def linear(given: Case, **position: Any) -> mw.Account:
    """One linear position of a case, alone in its account."""
    fee = given.get("taker", given.get("taker_fee", 0.0))
    rules = mw.venues.generic(
        tiers={"XUSDT": tiers(given.get("mmr", 0.01), given.get("maintenance_amount", 0.0))},
        taker_fee=fee,
        closing_fee_in_maintenance=fee > 0,
        maintenance_at=position.pop("maintenance_at", "mark"),
    )
    entry = given.get("entry_price", given.get("price"))
    size = given.get("position", given.get("quantity", given.get("size", 1.0)))
    chosen = {"leverage": given.get("leverage", 10), "margin": given.get("isolated_wallet")}
    return mw.Account(
        venue=rules,
        collateral={"USDT": given.get("wallet_balance", 1e9)},
        positions=[
            mw.Position(
                "XUSDT",
                quantity=given.get("side", 1) * size,
                entry_price=entry,
                **(chosen | position),
            )
        ],
        marks={"XUSDT": given.get("mark", entry)},
    )


def inverse(given: Case, coins: float, **rules: Any) -> mw.Account:
    """One inverse position of a case, alone in its account of coins."""
    contract = mw.Contract(
        kind="inverse",
        multiplier=given.get("multiplier", 1.0),
        base="BTC",
        quote="USD",
        settle="BTC",
    )
    return mw.Account(
        venue=mw.venues.generic(
            contracts={"BTCUSD": contract},
            tiers={"BTCUSD": tiers(given["mmr"], given.get("maintenance_amount", 0.0))},
            currency="USD",
            **rules,
        ),
        collateral={"BTC": coins},
        positions=[
            mw.Position(
                "BTCUSD",
                quantity=given.get("side", 1) * given.get("contracts", 30_000),
                entry_price=given["entry_price"],
                leverage=given.get("leverage", 10),
                margin=given.get("isolated_wallet"),
            )
        ],
        marks={"BTCUSD": given.get("mark", given["entry_price"])},
    )


def linear_liquidation(given: Case) -> Case:
    if "positions" in given:  # several positions, one shared pool
        return several(given)
    if "other_maintenance" in given:
        return beside_another(given)
    if "bankruptcy_price" in given:  # the margin follows from the bankruptcy price after its fee
        fee = given["taker"]
        margin = given["position"] * (given["entry_price"] - given["bankruptcy_price"] * (1 - fee))
        account = linear(given, margin=margin)
    else:
        account = linear(given)
    return {"liquidation_price": account.isolated.positions["XUSDT"].liquidation_price}


def several(given: Case) -> Case:
    rows = given["positions"]
    rules = mw.venues.generic(tiers={p["symbol"]: tiers(p["mmr"], p["cum"]) for p in rows})
    account = mw.Account(
        venue=rules,
        collateral={"USDT": given["wallet_balance"]},
        positions=[
            mw.Position(p["symbol"], quantity=p["side"] * p["q"], entry_price=p["EP"]) for p in rows
        ],
        marks={p["symbol"]: p["mark"] for p in rows},
    )
    return {"liquidation_price": account.cross.positions[given["target"]].liquidation_price}


def beside_another(given: Case) -> Case:
    account = mw.Account(
        venue=mw.venues.generic(tiers={"XUSDT": given["mmr"], "OTHERUSDT": 0.01}),
        collateral={"USDT": given["equity"]},
        positions=[
            mw.Position("XUSDT", quantity=given["size"], entry_price=given["mark"]),
            mw.Position(
                "OTHERUSDT", quantity=1, entry_price=given["other_maintenance"] / 0.01, leverage=10
            ),
        ],
        marks={"XUSDT": given["mark"], "OTHERUSDT": given["other_maintenance"] / 0.01},
    )
    return {"liquidation_price": account.cross.positions["XUSDT"].liquidation_price}


def linear_entry_maintenance(given: Case) -> Case:
    entry = given["entry_price"]
    size = given["value_xbt"] / entry
    case = {"mmr": given["mm_rate"], "entry_price": entry, "side": given["side"], "position": size}
    account = linear(case, margin=given["isolated_margin_xbt"], maintenance_at="entry")
    return {"liquidation_price": account.isolated.positions["XUSDT"].liquidation_price}


def inverse_liquidation(given: Case) -> Case:
    account = inverse(given, coins=given.get("wallet_balance", given.get("isolated_wallet")))
    report = account.isolated if "isolated_wallet" in given else account.cross
    position = report.positions["BTCUSD"]
    return {
        "liquidation_price": position.liquidation_price,
        "unrealized_pnl": position.unrealized_pnl / account.marks["BTCUSD"],
        "notional_btc": position.notional / account.marks["BTCUSD"],
    }


def inverse_entry_maintenance(given: Case) -> Case:
    account = inverse(given, coins=1.0, maintenance_at="entry")
    return {"liquidation_price": account.isolated.positions["BTCUSD"].liquidation_price}


def maintenance(given: Case) -> Case:
    if "brackets" in given:
        floors = [0.0, *(cap for cap, _, _ in given["brackets"][:-1])]
        table = list(zip(floors, (rate for _, rate, _ in given["brackets"]), strict=True))
        return {f"mm_{mark}": maintenance_at(table, given["qty"] * mark) for mark in given["marks"]}
    if "table" in given:
        # the rate and the amount at this notional, from the maintenance on both sides of it
        table, n = given["table"], given["notional"]
        here, above = maintenance_at(table, n), maintenance_at(table, n + 1_000)
        rate = (above - here) / 1_000
        return {"mmr": rate, "maintenance_amount": rate * n - here, "maintenance_margin": here}
    account = linear(given)
    position = account.cross.positions["XUSDT"]
    return {
        "maintenance_margin": position.maintenance_margin,
        "unrealized_pnl": position.unrealized_pnl,
    }


def maintenance_at(table: Any, notional: float) -> float:
    """Maintenance of a position of this notional under a tier table."""
    account = mw.Account(
        venue=mw.venues.generic(tiers={"XUSDT": table}),
        collateral={"USDT": 1.0},
        positions=[mw.Position("XUSDT", quantity=1, entry_price=notional)],
        marks={"XUSDT": notional},
    )
    return account.cross.maintenance_margin


def amounts(given: Case) -> Case:
    """Maintenance amounts, read back from the maintenance at the cap of each tier."""
    floors = [0.0, *given["caps"][:-1]]
    table = list(zip(floors, given["mmr"], strict=True))
    return {
        f"cum_{i + 1}": cap * rate - maintenance_at(table, cap)
        for i, (cap, rate) in enumerate(zip(given["caps"], given["mmr"], strict=True))
    }


def initial_margin(given: Case) -> Case:
    return {"initial_margin": linear(given).cross.initial_margin}


def initial_margin_inverse(given: Case) -> Case:
    case = {
        "mmr": 0.004,
        "contracts": given["contracts_usd"],
        "entry_price": given["price"],
        "leverage": given["leverage"],
    }
    account = inverse(case, coins=1.0)
    return {"initial_margin_btc": account.isolated.initial_margin / given["price"]}


def unrealized_pnl(given: Case) -> Case:
    got = {}
    for i, p in enumerate(given["positions"]):
        case = {"position": p["qty"], "entry_price": p["entry"], "mark": p["mark"]}
        got[f"upnl_{i + 1}"] = linear(case | {"side": p["side"]}).cross.unrealized_pnl
    return got


def bankruptcy(given: Case) -> Case:
    return {"bankruptcy_price": linear(given).isolated.positions["XUSDT"].bankruptcy_price}


SOLVERS: dict[str, Callable[[Case], Case]] = {
    "F-LIN": linear_liquidation,
    "F-LIN with fee": linear_liquidation,
    "F-LIN with fee (cum=0)": linear_liquidation,
    "F-LIN-ENTRYMM": linear_entry_maintenance,
    "F-INV": inverse_liquidation,
    "F-INV-ENTRYMM": inverse_entry_maintenance,
    "F-MM": maintenance,
    "F-IM": initial_margin,
    "F-IM-INV": initial_margin_inverse,
    "F-UPNL": unrealized_pnl,
    "F-CUM": amounts,
    "F-BANK-LIN": bankruptcy,
}


def load(folder: Path) -> dict[str, Case]:
    """The cases of the formulas above, by id."""
    cases = json.loads((folder / "worked_examples.json").read_text(encoding="utf-8"))
    return {case["id"]: case for case in cases if case["formula"] in FORMULAS}


IDS = [
    "binance-coinm-03",
    "binance-coinm-04",
    "binance-coinm-05",
    "binance-pm-01",
    "binance-usdm-03",
    "binance-usdm-04",
    "binance-usdm-06",
    "binance-usdm-07",
    "binance-usdm-08",
    "bitmex-02",
    "bybit-inv-01",
    "bybit-lin-02",
    "freqtrade-iso-02",
    "freqtrade-iso-03",
    "freqtrade-iso-04",
    "freqtrade-iso-05",
    "freqtrade-iso-08",
    "freqtrade-iso-10",
    "freqtrade-iso-11",
    "freqtrade-iso-13",
    "lean-bybit-01",
    "lean-bybit-02",
    "lninv-02",
    "lninv-04",
    "lninv-05",
    "lninv-06",
    "lninv-08",
    "phemex-live-01",
    "torchtrade-01",
    "vibe-01",
]


@pytest.mark.parametrize("case_id", IDS)
def test_worked_example(shared_data: Path, case_id: str) -> None:
    cases = load(shared_data)
    case = cases[case_id]
    given = case["inputs"]
    if isinstance(given.get("table"), str):  # a case that points at the table of another
        other = cases[given["table"]]["inputs"]
        floors = [0.0, *other["caps"][:-1]]
        given = given | {"table": list(zip(floors, other["mmr"], strict=True))}
    got = SOLVERS[case["formula"]](given)
    for name, expected in case["expected"].items():
        assert got[name] == pytest.approx(expected, abs=case["tolerance"][name]), name


def test_no_case_of_these_formulas_is_left_out(shared_data: Path) -> None:
    """A case added to the shared list must be added here, or left out by name with a reason."""
    assert sorted(load(shared_data)) == sorted(IDS)


def test_binance_tiers_are_the_published_ones(shared_data: Path) -> None:
    """Every symbol at the cap of each of its tiers: notional * rate - amount, as printed."""
    file = json.loads((shared_data / "binance_usdm_tiers.json").read_text(encoding="utf-8"))
    published: dict[str, Any] = file["symbols"]
    assert len(published) == 76
    for n in range(max(len(rows) for rows in published.values())):
        rows = {symbol: table[n] for symbol, table in published.items() if len(table) > n}
        account = mw.Account(
            venue="binance-usdm",
            collateral={"USDT": 1.0},
            positions=[
                mw.Position(symbol, quantity=1, entry_price=cap, leverage=1)
                for symbol, (_, cap, *_) in rows.items()
            ],
            marks={symbol: cap for symbol, (_, cap, *_) in rows.items()},
        )
        for symbol, (_, cap, rate, _, amount) in rows.items():
            got = account.cross.positions[symbol].maintenance_margin
            assert got == pytest.approx(cap * rate - amount, rel=1e-12, abs=1e-6), symbol
