"""The conformance runner: over the shared files, over other numbers, and over wrong ones."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import margin_widgets as mw
from tests.conformance.__main__ import main, outcomes_of
from tests.conformance.cases import Case, Library, read
from tests.conformance.judge import judge, unit
from tests.conformance.outcome import Answer, Outcome
from tests.conformance.page import page
from tests.conformance.run import SOLVERS, run_case
from tests.conformance.words import Given, figure

ROOT = Path(__file__).resolve().parent.parent
FILES = ("worked_examples.json", "positions.json")
Row = dict[str, Any]

# What is left out, and a word of the reason.
EXAMPLES_OUTSIDE = {
    "drift-acct-04": "drift-acct-03",  # its account is another case, which the file lacks
    "vega-02": "contradicts",
    "vega-03": "contradicts",
}
POSITIONS_OUTSIDE = {
    "binance-usdm-01": "wallet",
    "binance-usdm-02": "wallet",
    "binance-coinm-01": "wallet",
    "paradex-01": "wallet",
    "paradex-02": "wallet",
    "whitebit-01": "wallet",
    "bingx-02": "wallet",
    "hashkey-01": "wallet",
    "drift-01": "maintenance rate",
    "x-okx-cross-02": "rounded",
    "x-mexc-iso-02": "maintenance rate",
    "x-mexc-iso-03": "margin of the position",
}


@pytest.fixture(scope="module")
def outcomes(shared_data: Path) -> list[Outcome]:
    return outcomes_of([shared_data / name for name in FILES])


@pytest.fixture(scope="module")
def library(shared_data: Path) -> Library:
    return Library.of(read(shared_data / FILES[0]))


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> dict[str, Row]:
    found = json.loads((shared_data / FILES[0]).read_text(encoding="utf-8"))
    return {row["id"]: row for row in found}


def as_case(row: Row) -> Case:
    """A row as the runner reads it from a file."""
    from tests.conformance.cases import _case

    return _case(row, 1, "test.json")


def computed(row: Row, library: Library | None = None) -> dict[str, Any]:
    """What the runner computes for a row, whatever it expects."""
    outcome = run_case(as_case(row), library or Library({}))
    assert outcome.checks, outcome.reason
    return {check.name: check.got for check in outcome.checks}


# ----------------------------------------------------------------------- the shared files


def test_no_case_fails(outcomes: list[Outcome]) -> None:
    assert [(one.id, one.reason) for one in outcomes if one.verdict == "fail"] == []


def test_nine_in_ten_worked_examples_pass(outcomes: list[Outcome]) -> None:
    mine = [one for one in outcomes if one.file == FILES[0]]
    passed = sum(one.verdict == "pass" for one in mine)
    assert passed >= 0.9 * len(mine)


@pytest.mark.parametrize(
    ("file", "expected"), [(FILES[0], EXAMPLES_OUTSIDE), (FILES[1], POSITIONS_OUTSIDE)]
)
def test_what_is_left_out_has_a_reason(
    outcomes: list[Outcome], file: str, expected: dict[str, str]
) -> None:
    left = {one.id: one.reason for one in outcomes if one.file == file and one.verdict == "outside"}
    assert sorted(left) == sorted(expected)
    for name, word in expected.items():
        assert word in left[name], name


def test_contradictory_examples_show_what_the_formula_gives(outcomes: list[Outcome]) -> None:
    shown = {one.id: one for one in outcomes}
    assert shown["vega-02"].checks[0].got == pytest.approx(1_591_590, rel=1e-12)
    assert shown["vega-03"].checks[0].got == pytest.approx(5_565.08, rel=1e-12)


def test_that_there_is_no_liquidation_price_is_compared(outcomes: list[Outcome]) -> None:
    none = {
        one.id
        for one in outcomes
        for check in one.checks
        if check.name == "liquidation_price" and check.expected is None
        if check.verdict == "pass"
    }
    assert {"hyperliquid-02-cross-long-a", "hyperliquid-02-cross-long-b", "okx-01"} <= none


def test_every_stated_price_of_a_position_is_compared_or_left_out(
    outcomes: list[Outcome], shared_data: Path
) -> None:
    stated = {
        row["id"]
        for row in json.loads((shared_data / FILES[1]).read_text(encoding="utf-8"))
        if row["liquidation_price"]
    }
    compared = {
        one.id
        for one in outcomes
        for check in one.checks
        if check.name == "liquidation_price" and check.verdict == "pass"
    }
    assert stated <= compared | set(POSITIONS_OUTSIDE)
    assert len(stated & compared) >= 12


def test_the_page_is_what_the_runner_writes(outcomes: list[Outcome]) -> None:
    written = (ROOT / "docs" / "reference" / "conformance.md").read_text(encoding="utf-8")
    assert written == page(outcomes), "write it again: python -m tests.conformance --write-docs …"


def test_binance_tiers_are_the_published_ones(shared_data: Path) -> None:
    """Every symbol at the cap of each of its tiers: notional * rate - amount, as printed."""
    file = json.loads((shared_data / "binance_usdm_tiers.json").read_text(encoding="utf-8"))
    published: dict[str, Any] = file["symbols"]
    assert len(published) == 76
    for n in range(max(len(table) for table in published.values())):
        tiers = {symbol: table[n] for symbol, table in published.items() if len(table) > n}
        account = mw.Account(
            venue="binance-usdm",
            collateral={"USDT": 1.0},
            positions=[
                mw.Position(symbol, quantity=1, entry_price=cap, leverage=1)
                for symbol, (_, cap, *_) in tiers.items()
            ],
            marks={symbol: cap for symbol, (_, cap, *_) in tiers.items()},
        )
        for symbol, (_, cap, rate, _, amount) in tiers.items():
            got = account.cross.positions[symbol].maintenance_margin
            assert got == pytest.approx(cap * rate - amount, rel=1e-12, abs=1e-6), symbol


# -------------------------------------------------------------------------- other numbers


def linear(i: Row) -> float:
    s, q, e = i["side"], i["position"], i["entry_price"]
    rate = i["mmr"] + i.get("taker_fee", 0)
    return (i["isolated_wallet"] + i["maintenance_amount"] - s * q * e) / (q * rate - s * q)


def linear_at_entry(i: Row) -> float:
    s, q, e = i["side"], i["position"], i["entry_price"]
    return e - s * (i["isolated_wallet"] - q * e * i["mmr"]) / q


def inverse(i: Row) -> float:
    s, n = i["side"], i["contracts"] * i["multiplier"]
    below = i["wallet_balance"] + i["maintenance_amount"] + s * n / i["entry_price"]
    return n * (i["mmr"] + s) / below


def inverse_at_entry(i: Row) -> float:
    s, leverage = i["side"], i["leverage"]
    return i["entry_price"] * leverage / (leverage + s - s * i["mmr"] * leverage)


def hyperliquid(i: Row) -> float:
    s, q, rate = i["side"], i["position"], 0.5 / i["max_leverage"]
    return (s * i["entry_price"] * q - i["isolated_margin"]) / (q * (s - rate))


def dydx(i: Row) -> float:
    e, s, p = i["equity"], i["size"], i["price"]
    return (e - s * p) / (abs(s) * i["mmf"] - s)


def deribit(i: Row) -> float:
    return i["size"] * i["index"] * (i["base_rate"] + i["slope_per_coin"] * i["size"])


def bybit_unified(i: Row) -> float:
    value, leverage, fee = i["position_value"], i["leverage"], i["taker_fee"]
    return value * i["mmr"] + value * (1 - 1 / leverage) * fee


def short_call(i: Row) -> float:
    index, mark = i["index_price"], i["option_mark"]
    per_unit = i["mm_factor"] * max(index, mark) + mark + i["liquidation_fee_rate"] * index
    return per_unit * abs(i["position"])


def drift_base(i: Row) -> float:
    freed = i["oracle_price"] * (i["margin_ratio"] - i["liquidator_fee"] - i["if_fee"])
    return i["margin_shortage"] / freed


def phemex(i: Row) -> float:
    value, leverage, fee = i["open_value"], i["leverage"], i["taker"]
    balance = value / leverage + fee * value * (1 - 1 / leverage)
    return (value - balance - i["mm_amount"]) / (1 - fee - i["mmr"]) / i["size"]


def synthetix(i: Row) -> float:
    found = i["collateral"]
    for size, scale, open_, price in zip(
        i["sizes"], i["skew_scale"], i["open_prices"], i["prices"], strict=True
    ):
        found += size * (price - open_ * (1 + size / (2 * scale)))
    return found


FORMULAS: list[tuple[str, str, Callable[[Row], float]]] = [
    ("freqtrade-iso-02", "liquidation_price", linear),
    ("freqtrade-iso-05", "liquidation_price", linear),
    ("freqtrade-iso-10", "liquidation_price", linear),
    ("freqtrade-iso-13", "liquidation_price", linear),
    ("freqtrade-iso-19", "liquidation_price", linear_at_entry),
    ("freqtrade-iso-22", "liquidation_price", linear_at_entry),
    ("binance-coinm-03", "liquidation_price", inverse),
    ("lninv-04", "liquidation_price", inverse_at_entry),
    ("hyperliquid-pos-04", "liquidation_price", hyperliquid),
    ("hyperliquid-pos-09", "liquidation_price", hyperliquid),
    ("dydx-doc-01", "liquidation_price", dydx),
    ("deribit-lin-01", "im", deribit),
    ("deribit-lin-06", "mm", deribit),
    ("bybit-uta-02", "maintenance_margin", bybit_unified),
    ("bybit-opt-01", "maintenance_margin", short_call),
    ("drift-base-05", "base_amount", drift_base),
    ("phemex-doc-01", "liquidation_price", phemex),
    ("snx-02", "available_margin", synthetix),
]
KEPT = {"side", "currency", "type", "coin", "skew_scale"}


def moved(content: Any, factor: Callable[[], float]) -> Any:
    if isinstance(content, list):
        return [moved(one, factor) for one in content]
    return content * factor() if isinstance(content, (int, float)) else content


@pytest.mark.parametrize(("name", "wanted", "formula"), FORMULAS, ids=[one[0] for one in FORMULAS])
def test_the_runner_follows_the_inputs(
    rows: dict[str, Row], name: str, wanted: str, formula: Callable[[Row], float]
) -> None:
    """Other numbers of the same shape: what comes out is the formula, typed here, of those."""
    random = np.random.default_rng(20)
    for _ in range(5):
        row = copy.deepcopy(rows[name])
        row["inputs"] = {
            key: content if key in KEPT else moved(content, lambda: random.uniform(0.97, 1.03))
            for key, content in row["inputs"].items()
        }
        expected = formula(row["inputs"])
        assert computed(row)[wanted] == pytest.approx(expected, rel=1e-9)
        assert computed(row)[wanted] != pytest.approx(rows[name]["expected"][wanted], rel=1e-9)


def test_every_input_of_a_price_changes_it(rows: dict[str, Row]) -> None:
    row = rows["freqtrade-iso-10"]
    base = computed(row)["liquidation_price"]
    for key in ("side", "entry_price", "position", "isolated_wallet", "mmr", "taker_fee"):
        other = copy.deepcopy(row)
        other["inputs"][key] *= -1 if key == "side" else 1.01
        assert computed(other)["liquidation_price"] != pytest.approx(base, rel=1e-9), key


SYNONYMS = {
    "side": ("direction", lambda side: "long" if side > 0 else "short"),
    "position": ("qty", float),
    "entry_price": ("EP", float),
    "isolated_wallet": ("isolated_margin_usdt", float),
    "mmr": ("mm_rate", str),
    "maintenance_amount": ("cum", float),
    "taker_fee": ("fee_rate", float),
}


def test_inputs_are_known_by_their_synonyms(rows: dict[str, Row]) -> None:
    row = rows["freqtrade-iso-02"]
    renamed = copy.deepcopy(row)
    renamed["inputs"] = {
        SYNONYMS[key][0] if key in SYNONYMS else key: (
            SYNONYMS[key][1](content) if key in SYNONYMS else content
        )
        for key, content in row["inputs"].items()
    }
    assert computed(renamed) == computed(row)
    signed = copy.deepcopy(row)
    signed["inputs"]["position"] *= signed["inputs"].pop("side")
    assert computed(signed) == computed(row)


@pytest.mark.parametrize(
    ("name", "kind", "currency", "number"),
    [
        ("initial_margin_btc", "initial_margin", "btc", None),
        ("upnl_2", "unrealized_pnl", None, 2),
        ("eq1", "equity", None, 1),
        ("mm_50001", "maintenance_margin", None, 50_001),
        ("liq_price", "liquidation_price", None, None),
    ],
)
def test_figures_are_known_by_their_names(
    name: str, kind: str, currency: str | None, number: float | None
) -> None:
    part = figure(name)
    assert part is not None
    assert (part.kind, part.unit, part.number) == (kind, currency, number)


def test_a_table_of_another_case_is_found(rows: dict[str, Row], library: Library) -> None:
    row = rows["binance-usdm-08"]
    assert run_case(as_case(row), library).verdict == "pass"
    alone = run_case(as_case(row), Library({}))
    assert alone.verdict == "outside"
    assert "binance-usdm-07" in alone.reason


# --------------------------------------------------------------------------- what is not known


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"formula": "F-UNHEARD"}, "F-UNHEARD"),
        ({"expected": {"sharpe": 1.0}}, "sharpe"),
        ({"inputs": {}}, "price"),
    ],
)
def test_what_is_not_understood_is_named(rows: dict[str, Row], change: Row, named: str) -> None:
    outcome = run_case(as_case({**rows["freqtrade-iso-02"], **change}), Library({}))
    assert outcome.verdict == "outside"
    assert named in outcome.reason


def test_an_unknown_input_is_named_where_the_number_is_not_met(rows: dict[str, Row]) -> None:
    row = copy.deepcopy(rows["freqtrade-iso-02"])
    row["inputs"]["moon_phase"] = 0.3
    assert run_case(as_case(row), Library({})).verdict == "pass"  # it changes nothing
    row["expected"]["liquidation_price"] += 1
    outcome = run_case(as_case(row), Library({}))
    assert outcome.verdict == "outside"
    assert "moon_phase" in outcome.reason


@pytest.mark.parametrize("damage", [None, "many", [1.0], -1, 0, 1e30], ids=str)
def test_no_damage_breaks_the_runner(shared_data: Path, library: Library, damage: Any) -> None:
    """One input of each example after another; every third of the examples, for time."""
    found = json.loads((shared_data / FILES[0]).read_text(encoding="utf-8"))
    broken = []
    for row in found[::3]:
        for key in row["inputs"]:
            other = {**row, "inputs": {**row["inputs"], key: damage}}
            outcome = run_case(as_case(other), library)
            if "broke" in outcome.reason:
                broken.append((row["id"], key, outcome.reason))
    assert broken == []


@pytest.mark.parametrize("content", ["{", '{"a": 1}', "3"])
def test_a_file_that_is_none_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "cases.json"
    path.write_text(content, encoding="utf-8")
    assert main([str(path)]) == 2
    assert "conformance:" in capsys.readouterr().err


def test_rows_of_any_kind_are_outcomes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cases.json"
    path.write_text('[1, null, {}, {"id": "x", "exchange": "okx"}]', encoding="utf-8")
    assert main([str(path)]) == 0
    assert capsys.readouterr().out.count("outside scope") >= 4


# ---------------------------------------------------------------------------------- the pass mark


def test_wrong_expectations_fail_and_are_told(
    rows: dict[str, Row], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = copy.deepcopy(rows["freqtrade-iso-02"])
    row["expected"]["liquidation_price"] *= 1 + 1e-6
    path = tmp_path / "cases.json"
    path.write_text(json.dumps([rows["freqtrade-iso-03"], row]), encoding="utf-8")
    assert main(["--brief", str(path)]) == 1
    told = capsys.readouterr().out
    assert "FAIL" in told
    assert "freqtrade-iso-02" in told
    assert "freqtrade-iso-03" not in told
    assert re.search(r"all +2 +1 +1 +0", told)


def without_amount(i: Row) -> float:
    return linear({**i, "maintenance_amount": 0.0})


def without_maintenance(i: Row) -> float:
    return linear({**i, "mmr": 0.0, "maintenance_amount": 0.0})


@pytest.mark.parametrize("wrong", [without_amount, without_maintenance, linear_at_entry])
@pytest.mark.parametrize("name", ["freqtrade-iso-02", "freqtrade-iso-04", "freqtrade-iso-08"])
def test_a_wrong_formula_does_not_pass(
    rows: dict[str, Row], name: str, wrong: Callable[[Row], float]
) -> None:
    """The right number passes and a wrong one does not, by the tolerance and by the pass mark."""
    row = rows[name]
    wanted = row["expected"]["liquidation_price"]
    entry = row["inputs"]["entry_price"]
    for tolerance in (row["tolerance"]["liquidation_price"], None):
        for price, verdict in ((linear(row["inputs"]), "pass"), (wrong(row["inputs"]), "fail")):
            answer = Answer({"liquidation_price": price}, "", reference=entry)
            assert judge("liquidation_price", wanted, answer, tolerance).verdict == verdict


def test_wrong_formulas_that_a_relative_error_would_pass() -> None:
    """Far from the mark an error of a thousandth of the price is most of the distance."""
    right = (10 * 100 - 20) / (10 * (1 - 0.005))
    for wrong in (
        (10 * 100 - 20) / 10,  # no maintenance
        100 - (20 - 10 * 100 * 0.005) / 10,  # maintenance at entry
        (10 * 100 - 20) / (10 * (1 - 0.0055)),  # a fee that the venue does not charge
    ):
        answer = Answer({"liquidation_price": wrong}, "", reference=100.0)
        assert abs(wrong / right - 1) < 6e-3
        assert judge("liquidation_price", right, answer).verdict == "fail"


@pytest.mark.parametrize(
    ("expected", "got", "tick", "verdict"),
    [
        (2722.159673530889, 2722.149673530888, 0.01, "pass"),  # a tick, and the last bits
        (2722.159673530889, 2722.1495, 0.01, "fail"),
        (90_000.0, 90_000.009, None, "pass"),  # 1e-6 of 10,000
        (90_000.0, 90_000.02, None, "fail"),
        (5930.78, 5930.784, None, "fail"),  # a unit of the last digit, but 1e-4 of the distance
        (99_000.78, 99_000.784, None, "pass"),
        (None, None, None, "pass"),
        (None, 5.0, None, "fail"),
        (5.0, None, None, "fail"),
    ],
)
def test_the_pass_mark(
    expected: float | None, got: float | None, tick: float | None, verdict: str
) -> None:
    reference = 5900.0 if expected == 5930.78 else 100_000.0
    answer = Answer({"liquidation_price": got}, "", reference=reference, tick=tick)
    assert judge("liquidation_price", expected, answer).verdict == verdict


def test_both_measures_of_an_error_are_printed(outcomes: list[Outcome]) -> None:
    tick = next(one for one in outcomes if one.id == "x-okx-iso-lin-01")
    price = next(check for check in tick.checks if check.name == "liquidation_price")
    assert price.in_ticks == pytest.approx(1, rel=1e-6)
    assert price.relative == pytest.approx(0.01 / (3010.54 - 2722.159673530889), rel=1e-6)


def test_digits() -> None:
    assert unit(5930.78) == pytest.approx(0.01)
    assert unit(97.0) == 0
    assert unit(1e-9) == pytest.approx(1e-9)


def lines_of_code() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "tests" / "conformance").rglob("*.py")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield path.name, line


def test_the_runner_knows_no_case_by_its_name(rows: dict[str, Row]) -> None:
    names = [name for name in rows if len(name) > 5]
    assert [(file, line) for file, line in lines_of_code() if any(n in line for n in names)] == []


def test_every_formula_of_the_file_has_a_family(rows: dict[str, Row]) -> None:
    assert {as_case(row).family for row in rows.values()} <= set(SOLVERS)


def test_inputs_that_nobody_asked_for_are_known() -> None:
    given = Given({"entry_price": 1.0, "wallet_balance_btc": 2.0, "coin": "BTC", "odd": 3})
    assert given.need("entry") == 1.0
    assert given.need("wallet") == 2.0
    assert given.unused == ["odd"]
