"""Damaged rule files: each message names the file, the field and, in a table, the row."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from margin_widgets import venues
from margin_widgets.venues import RuleError

FILE = "mine.json"

Change = Callable[[dict[str, Any]], Any]


def good() -> dict[str, Any]:
    """A rule file with something in every table."""
    return {
        "name": "mine",
        "date": "2026-10-01",
        "sources": {"tiers": "the venue's page"},
        "kinds": ["linear", "option"],
        "contracts": {
            "BTCUSD": {"kind": "inverse", "multiplier": 1, "base": "BTC", "quote": "USD"},
            "ETHUSD": {"kind": "quanto", "multiplier": 1e-6, "quote": "USD", "settle": "XBT"},
            "CALL": {
                "kind": "call",
                "strike": 100000,
                "expiry": "2026-12-25",
                "underlying": "BTCUSDT",
            },
        },
        "tiers": {
            "BTCUSDT": [[0, 0.004, 125, 0], [300_000, 0.005, 100, 300], [800_000, 0.01, 50, 4300]]
        },
        "initial_tiers": {"BTCUSDT": [[0, 0.008], [300_000, 0.01]]},
        "size_slopes": {"BTCUSDT": 0.00005},
        "open_interest": {"BTCUSDT": {"notional": 1, "lower_cap": 2, "upper_cap": 3}},
        "haircuts": {"BTC": [[0, 0.05], [10, 0.1]]},
        "liability_rates": {"BTC": [[0, 0.03], [10, 0.05]]},
        "imf_factors": {"BTC": 0.001},
        "liquidation": {"kind": "share", "share": 0.2},
        "option_margin": {"initial": 0.15},
        "portfolio": {
            "grid": {
                "price_moves": [-0.1, 0, 0.1],
                "extremes": [{"price": -0.5, "counted": 0.5}],
            },
            "minimum_tiers": [[0, 1], [1000, 2]],
        },
        "margin_ratio": {"numerator": "margin balance", "denominator": "maintenance margin"},
        "formulas": {"linear": "F-LIN"},
    }


def refusal(path: Path, text: str | bytes) -> str:
    path = path / FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    with pytest.raises(RuleError) as caught:
        venues.load(path)
    message = str(caught.value)
    assert FILE in message, f"the file is not named: {message}"
    return message


def test_the_undamaged_file_is_good(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(json.dumps(good()), encoding="utf-8")
    assert venues.load(path).name == "mine"


def put(*where: Any, value: Any) -> Change:
    """A change of one place in the document."""

    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in where[:-1]:
            place = place[step]
        place[where[-1]] = value

    return change


def drop(*where: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in where[:-1]:
            place = place[step]
        del place[where[-1]]

    return change


BTC = "BTCUSDT"
# kind of damage: the change, and what the message must say, in this order
DAMAGES: dict[str, tuple[Change, str]] = {
    # fields
    "unknown field": (put("taker_fees", value=0.1), "unknown field 'taker_fees'; .*'taker_fee'"),
    "missing name": (drop("name"), "'name' is missing"),
    "text for a number": (put("taker_fee", value="0.0005"), "taker_fee: '0.0005'.*number"),
    "true for a number": (put("taker_fee", value=True), "taker_fee: True.*number"),
    "number for a truth": (
        put("closing_fee_in_initial", value=1),
        "closing_fee_in_initial: 1.*True or False",
    ),
    "negative fee": (put("taker_fee", value=-0.1), "taker_fee: -0.1.*within 0 and 1"),
    "fee above 1": (put("liquidation_fee", value=1.5), "liquidation_fee: 1.5.*within 0 and 1"),
    "share above 1": (put("residual_share", value=2), "residual_share: 2.*within 0 and 1"),
    "wrong choice": (
        put("maintenance_at", value="entri"),
        "maintenance_at: 'entri' is not one of 'mark', 'entry'.*'entry'",
    ),
    "wrong choice of the fee's price": (
        put("closing_fee_at", value="bankrupt"),
        "closing_fee_at: 'bankrupt'.*'bankruptcy'",
    ),
    "wrong rank": (put("adl_rank", value="best"), "adl_rank: 'best' is not one of"),
    "trigger level of zero": (put("trigger_level", value=0), "trigger_level: 0.*> 0"),
    "negative trigger level": (put("trigger_level", value=-1.05), "trigger_level: -1.05.*> 0"),
    "jumping maintenance": (
        lambda document: document.update(tier_rate="whole", tiers={BTC: 0.01}),
        "tier_rate: 'whole'.*would jump",
    ),
    "bad date": (put("date", value="1 May 2026"), "date: '1 May 2026' is not an ISO date"),
    "text for a list": (put("not_modelled", value="funding"), "not_modelled: 'funding'.*several"),
    "object for a list": (put("cannot_express", value={"a": 1}), "cannot_express: .*several"),
    "list for a table": (put("tiers", value=[1]), r"tiers: \[1\] must be a mapping"),
    "wrong kind listed": (put("kinds", value=["perpetual"]), "kinds: 'perpetual' is not one of"),
    "wrong mode listed": (put("modes", value=["crossed"]), "modes: 'crossed'.*'cross'"),
    "source of no rule": (
        put("sources", value={"taker": "a page"}),
        "sources: 'taker' is not a rule.*'taker_fee'",
    ),
    "empty source": (put("sources", value={"tiers": " "}), "sources of tiers: ' '.*not empty"),
    "unknown base": (put("extends", value="okex"), "extends: 'okex' is not one of.*'okx'"),
    # tiers
    "floor not rising": (
        put("tiers", BTC, 2, value=[300_000, 0.01]),
        "tiers of BTCUSDT, row 3: floor 300000 does not rise",
    ),
    "first floor not 0": (
        put("tiers", BTC, 0, value=[5, 0.004]),
        "tiers of BTCUSDT, row 1: the first floor is 5",
    ),
    "rate falling": (
        put("tiers", BTC, 1, value=[300_000, 0.003]),
        "tiers of BTCUSDT, row 2: rate 0.003 falls",
    ),
    "rate above 1": (
        put("tiers", BTC, 2, value=[800_000, 1.5]),
        "tiers of BTCUSDT, row 3: rate 1.5 is not within",
    ),
    "amount with a gap": (
        put("tiers", BTC, 1, 3, value=299),
        "tiers of BTCUSDT, row 2: maintenance amount 299 leaves a gap; continuity needs 300",
    ),
    "row too short": (put("tiers", BTC, 1, value=[5]), r"tiers of BTCUSDT, row 2: \[5\]"),
    "text in a row": (put("tiers", BTC, 1, 1, value="0.5 %"), "tiers of BTCUSDT, row 2: .*number"),
    "no rows": (put("tiers", BTC, value=[]), "tiers of BTCUSDT: no rows"),
    "leverage of zero": (
        put("tiers", BTC, 2, 2, value=0),
        "tiers of BTCUSDT, row 3: max_leverage 0",
    ),
    "initial rate above 1": (
        put("initial_tiers", BTC, 1, 1, value=1.1),
        "initial_tiers of BTCUSDT, row 2: rate 1.1",
    ),
    "negative slope": (put("size_slopes", BTC, value=-1), "size_slopes of BTCUSDT: -1.*>= 0"),
    # bands
    "haircut above 1": (
        put("haircuts", "BTC", 1, 1, value=1.2),
        "haircuts of BTC, row 2: haircut 1.2 is not within",
    ),
    "bands not from 0": (
        put("haircuts", "BTC", 0, 0, value=1),
        "haircuts of BTC, row 1: the first floor is 1",
    ),
    "haircut falling": (
        put("haircuts", "BTC", 1, 1, value=0.01),
        "haircuts of BTC, row 2: haircut 0.01 falls",
    ),
    "liability rate falling": (
        put("liability_rates", "BTC", 1, 1, value=0.01),
        "liability_rates of BTC, row 2: rate 0.01 falls",
    ),
    "negative factor": (put("imf_factors", "BTC", value=-1), "imf_factors of BTC: -1.*>= 0"),
    # open interest
    "caps reversed": (
        put("open_interest", BTC, "upper_cap", value=1),
        "open_interest of BTCUSDT: .*upper_cap: 1 does not rise above the lower_cap 2",
    ),
    "cap missing": (
        drop("open_interest", BTC, "upper_cap"),
        "open_interest of BTCUSDT: .*upper_cap",
    ),
    # contracts
    "contract of unknown kind": (
        put("contracts", "BTCUSD", "kind", value="invers"),
        "contracts of BTCUSD: contract kind: 'invers'.*'inverse'",
    ),
    "unknown field of a contract": (
        put("contracts", "BTCUSD", "multiplyer", value=5),
        "contracts of BTCUSD: unknown field 'multiplyer'.*'multiplier'",
    ),
    "option without strike": (
        drop("contracts", "CALL", "strike"),
        "contracts of CALL: contract strike: None; a call needs one",
    ),
    "option without expiry": (drop("contracts", "CALL", "expiry"), "contracts of CALL: .*expiry"),
    "strike of a perpetual": (
        put("contracts", "BTCUSD", "strike", value=5),
        "contracts of BTCUSD: contract strike: 5.*inverse",
    ),
    "bad expiry": (
        put("contracts", "CALL", "expiry", value="26DEC25"),
        "contracts of CALL: contract expiry: '26DEC25'.*ISO",
    ),
    "quanto settling in its base": (
        put("contracts", "ETHUSD", "settle", value="ETH"),
        "contract ETHUSD: a quanto contract settles in neither",
    ),
    "inverse settling in dollars": (
        put("contracts", "BTCUSD", "settle", value="USD"),
        "contract BTCUSD: an inverse contract settles in its base",
    ),
    "option settling in a third asset": (
        put("contracts", "CALL", "settle", value="SOL"),
        "contract CALL: a call settles in its quote",
    ),
    # parts
    "unknown field of the liquidation": (
        put("liquidation", "shar", value=0.5),
        "liquidation: unknown field 'shar'.*'share'",
    ),
    "liquidation of unknown kind": (
        put("liquidation", "kind", value="shares"),
        "liquidation kind: 'shares'.*'share'",
    ),
    "liquidation share of zero": (put("liquidation", "share", value=0), "liquidation.*share: 0"),
    "text in the liquidation": (
        put("liquidation", "share", value="half"),
        "liquidation share: 'half' is not a number",
    ),
    "unknown field of option margin": (
        put("option_margin", "maintainance", value=0.1),
        "option_margin: unknown field 'maintainance'.*'maintenance'",
    ),
    "negative option margin": (
        put("option_margin", "maintenance", value=-0.1),
        "option_margin.*maintenance: -0.1",
    ),
    "unknown field of the grid": (
        put("portfolio", "grid", "price_move", value=[0.1]),
        "portfolio grid: unknown field 'price_move'.*'price_moves'",
    ),
    "grid without prices": (
        drop("portfolio", "grid", "price_moves"),
        "portfolio grid: .*price_moves",
    ),
    "text in the grid": (
        put("portfolio", "grid", "price_moves", 1, value="0"),
        "portfolio grid price_moves, row 2: '0' is not a number",
    ),
    "price below zero in the grid": (
        put("portfolio", "grid", "price_moves", 0, value=-1.5),
        "portfolio grid.*price_moves.*-1.5",
    ),
    "unknown field of a scenario": (
        put("portfolio", "grid", "extremes", 0, "share", value=0.5),
        "portfolio grid extremes, row 1: unknown field 'share'",
    ),
    "row of a scenario table": (
        put("portfolio", "minimum_tiers", 1, value=[1]),
        r"portfolio minimum_tiers, row 2: \[1\] must have 2 entries",
    ),
    "grid without any move": (
        put("portfolio", "grid", "price_moves", value=[]),
        "portfolio grid price_moves: no rows",
    ),
    "initial margin below maintenance under the grid": (
        put("portfolio", "initial_factor", value=0.5),
        "portfolio initial_factor: 0.5 must be >= 1",
    ),
    "more than all of a loss": (
        put("portfolio", "grid", "extremes", 0, "counted", value=7),
        "portfolio grid extremes, row 1 counted: 7 is not within 0 and 1",
    ),
    "symbol misspelt": (
        put("size_slopes", "BTCUSTD", value=0.1),
        "size_slopes of BTCUSTD: no tiers and no contract; did you mean 'BTCUSD",
    ),
    "ratio of an unknown figure": (
        put("margin_ratio", "numerator", value="margin"),
        "margin_ratio numerator: 'margin' is not one of",
    ),
    "ratio of a figure over itself": (
        put("margin_ratio", "numerator", value="maintenance margin"),
        "margin_ratio denominator: 'maintenance margin' is the numerator",
    ),
    "ratio with an unknown field": (
        put("margin_ratio", "percentage", value=True),
        "margin_ratio: unknown field 'percentage'.*'percent'",
    ),
    "formula of an unknown kind": (
        put("formulas", "perpetual", value="F-LIN"),
        "formulas, kind: 'perpetual' is not one of",
    ),
    "formula that is no text": (put("formulas", "linear", value=5), "formulas of linear: 5"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_field_is_named(tmp_path: Path, damage: str) -> None:
    change, words = DAMAGES[damage]
    document = good()
    change(document)
    message = refusal(tmp_path, json.dumps(document))
    assert re.search(words, message), message
    assert message.startswith(f"{FILE}: ")
    assert message.count(FILE) == 1


def test_there_are_many_kinds_of_damage() -> None:
    assert len(DAMAGES) > 60


# ------------------------------------------------------------------ text that is no such file


def edited(before: str, after: str) -> str:
    text = json.dumps(good(), indent=1)
    assert before in text
    return text.replace(before, after, 1)


def test_broken_json_is_named_by_line(tmp_path: Path) -> None:
    message = refusal(tmp_path, edited('"kinds": [', '"kinds" ['))
    assert re.search(r"mine\.json, line 7: not JSON", message), message


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("before", ["0.004", "300000", "0.15", "0.2"])
def test_what_json_does_not_know_as_a_number_is_refused(
    tmp_path: Path, word: str, before: str
) -> None:
    message = refusal(tmp_path, edited(before, word))
    assert re.search(rf"{word} is not a number", message), message


def test_a_number_too_large_for_any_float_is_refused(tmp_path: Path) -> None:
    assert "1e999 is too large" in refusal(tmp_path, edited("0.004", "1e999"))
    assert "not JSON" in refusal(tmp_path, edited("0.004", "1" * 5000))


@pytest.mark.parametrize(
    ("before", "name"), [('"name": "mine"', "name"), ('"linear": "F-LIN"', "linear")]
)
def test_a_field_given_twice_is_refused(tmp_path: Path, before: str, name: str) -> None:
    message = refusal(tmp_path, edited(before, f"{before}, {before}"))
    assert f"field '{name}' is given twice" in message


@pytest.mark.parametrize(("text", "found"), [("[]", "list"), ("3", "int"), ("null", "NoneType")])
def test_a_file_that_is_no_object_is_refused(tmp_path: Path, text: str, found: str) -> None:
    assert f"expected an object, found {found}" in refusal(tmp_path, text)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    text = json.dumps(good())
    assert "not JSON" in refusal(tmp_path, text[: len(text) // 2])
    assert "not JSON" in refusal(tmp_path, "")


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    assert "not UTF-8" in refusal(tmp_path, json.dumps(good()).encode("utf-16"))


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(good()).encode())
    assert venues.load(path).name == "mine"


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    assert "nested too deeply" in refusal(tmp_path, "[" * 200_000)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        venues.load(tmp_path / "none.json")


# ------------------------------------------------------------------ from Python


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tiers": {"A": [(0, math.nan)]}}, "tiers of A, row 1: .*not finite"),
        ({"trigger_level": math.inf}, "trigger_level: inf"),
        ({"trigger_level": math.nan}, "trigger_level: nan"),
        ({"haircuts": {"A": [(0, math.nan)]}}, "haircuts of A, row 1"),
        ({"size_slopes": {"A": math.inf}}, "size_slopes of A: inf"),
        ({"liquidation": 5}, "liquidation: 5 is not a LiquidationPolicy"),
        ({"portfolio": {"grid": {"price_moves": (math.nan,)}}}, "price_moves, row 1: nan"),
        ({"portfolio": {"grid": {"price_moves": 5}}}, "price_moves: 5 must be a list"),
        ({"portfolio": {}}, "portfolio: .*grid"),
        ({"option_margin": "deribit"}, "option_margin: 'deribit' is not"),
        ({"margin_ratio": "rising"}, "margin_ratio: 'rising' is not"),
    ],
)
def test_parts_given_in_python_are_checked_alike(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(RuleError, match=words):
        venues.generic(**settings)


def test_a_stated_amount_contradicts_a_rate_on_the_whole_position() -> None:
    document = good() | {"tier_rate": "whole", "maintenance_at": "entry"}
    with pytest.raises(RuleError, match=r"row 2: maintenance amount 300 with tier_rate 'whole'"):
        venues.from_mapping(document)


def test_a_changed_rule_set_is_checked_as_a_whole() -> None:
    with pytest.raises(RuleError, match="tier_rate: 'whole'"):
        venues.get("bitmex").replace(maintenance_at="mark")
    with pytest.raises(TypeError, match=r"taker_fees.*taker_fee"):
        venues.get("bitmex").replace(taker_fees=0.1)
