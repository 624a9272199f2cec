"""The account's document: exact, stable, replaced whole, and clear about what is wrong with it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import traitlets
from hypothesis import given
from hypothesis import strategies as st

import margin_widgets as mw
from margin_widgets.account import document

DATA = Path(__file__).parent / "data"


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.multi_asset()


def refused(content: Any) -> mw.DocumentError:
    with pytest.raises(mw.DocumentError) as caught:
        document.from_document(content)
    return caught.value


# ------------------------------------------------------------------ out and back


def test_a_shipped_rule_set_is_named_and_not_copied(account: mw.Account) -> None:
    content = account.to_dict()
    rules = mw.venues.get("binance-usdm")
    assert content["venue"] == {
        "name": "binance-usdm",
        "version": rules.version,
        "date": rules.date,
    }
    assert "rules" not in content
    assert content["schema"] == "margin-widgets/account"
    assert content["schema_version"] == 2
    assert content["margin_widgets"] == mw.__version__


def test_any_other_rule_set_is_written_out_in_full(account: mw.Account) -> None:
    changed = account.venue.replace(taker_fee=0.0004, trigger="<", residual="returned")
    account.venue = changed
    content = account.to_dict()
    assert "venue" not in content
    assert content["rules"]["taker_fee"] == 0.0004
    assert mw.Account.from_dict(content).venue == changed


def test_every_part_of_rules_from_parts_comes_back() -> None:
    rules = mw.venues.generic(
        contracts={
            "BTCUSD": mw.Contract("inverse", 100, "BTC", "USD", "BTC", 0.5, "2026-12-25"),
            "ETHUSDT": mw.Contract(tick=0.01),
        },
        tiers={"BTCUSD": [(0, 0.004, 125), (5, 0.005, 100)], "ETHUSDT": 0.01},
        haircuts={"BTC": [(0, 0.0), (10, 0.05)]},
        currency="USD",
        taker_fee=0.0005,
        closing_fee_in_maintenance=True,
        maintenance_at="entry",
        trigger="<",
        cross_pool="settlement",
        residual="returned",
        liquidation_fee=0.0125,
        cannot_express=("options",),
    )
    account = mw.Account(
        venue=rules,
        collateral={"BTC": 1.5},
        positions=[mw.Position("BTCUSD", 100, 90_000, margin=0.02, margin_mode="isolated")],
        marks={"BTCUSD": 95_000},
        haircuts={"BTC": [(0, 0.1), (1, 0.2)]},
        prices={"USDC": 0.999},
        order_margin=12.5,
        name='Ünïcode <b>"name"</b>',
    )
    again = document.loads(document.dumps(account.state))
    assert again.venue == rules
    assert again.to_dict() == account.to_dict()
    assert again.cross.figures() == account.cross.figures()


@given(
    quantity=st.floats(1e-12, 1e15),
    entry=st.floats(1e-12, 1e15),
    mark=st.floats(1e-12, 1e15),
    wallet=st.floats(-1e15, 1e15).filter(lambda amount: not 0 < abs(amount) < 1e-15),
)
def test_numbers_come_back_to_the_last_bit(
    quantity: float, entry: float, mark: float, wallet: float
) -> None:
    account = mw.Account(
        venue=mw.venues.generic(tiers={"X": 0.1 + 0.2 - 0.25}),
        collateral={"USDT": wallet},
        positions=[mw.Position("X", -quantity, entry, margin=abs(wallet))],
        marks={"X": mark},
    )
    assert document.loads(document.dumps(account.state)).to_dict() == account.to_dict()


def test_the_text_is_stable_and_readable(account: mw.Account, tmp_path: Path) -> None:
    path = account.save(tmp_path / "book.margin.json")
    text = path.read_text(encoding="utf-8")
    assert text == document.dumps(account.copy().state)
    assert text.endswith("}\n")
    assert text.startswith('{\n "schema": "margin-widgets/account",\n "schema_version": 2,')
    assert mw.load(path).save(tmp_path / "again.margin.json").read_text(encoding="utf-8") == text


def test_the_shipped_schema_is_sound_and_accepts_what_is_written(account: mw.Account) -> None:
    schema = document.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for name in ("ref2", "multi_asset", "inverse", "exchange_account"):
        jsonschema.validate(getattr(mw.presets, name)().to_dict(), schema)


def test_the_schema_knows_every_part_of_the_models() -> None:
    from dataclasses import fields

    from margin_widgets.account.position import FIELDS

    parts = document.schema()["$defs"]
    assert set(parts["position"]["properties"]) == set(FIELDS)
    assert set(parts["rules"]["properties"]) == {one.name for one in fields(mw.RuleSet)}
    assert set(parts["contract"]["properties"]) == {one.name for one in fields(mw.Contract)}


# ------------------------------------------------------------------ files


def test_a_file_is_replaced_whole_or_not_at_all(
    account: mw.Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = account.save(tmp_path / "book.margin.json")
    before = path.read_bytes()
    account.collateral["USDT"] = 1

    def full_disk(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(document.os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        account.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(account: mw.Account, tmp_path: Path) -> None:
    target = tmp_path / "target.margin.json"
    link = tmp_path / "link.margin.json"
    account.save(target)
    link.symlink_to(target)
    account.name = "through the link"
    account.save(link)
    assert link.is_symlink()
    assert mw.load(target).name == "through the link"


def test_text_that_is_not_unicode_is_refused_before_the_file_is_touched(
    account: mw.Account, tmp_path: Path
) -> None:
    path = account.save(tmp_path / "book.margin.json")
    before = path.read_bytes()
    account.name = "half a \ud83d"
    with pytest.raises(mw.DocumentError, match="UTF-8"):
        account.save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1, column 1"),
        (b'{"schema": "margin-widgets/account",\n "schema_version"', "line 2, column 18"),
        (b'{"a": 1, "a": 2}', "'a' is given twice"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": -Infinity}', "-Infinity is not a number"),
        (b'{"a": 1e999}', "1e999 is too large"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1, 2]", "expected an object"),
        (b'{"schema": "another"}', r"\$\.schema"),
    ],
)
def test_damaged_files_name_themselves_and_the_place(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "book.margin.json"
    path.write_bytes(content)
    with pytest.raises(mw.DocumentError, match=reason) as caught:
        mw.load(path)
    assert str(caught.value).startswith("book.margin.json: ")


def test_a_byte_order_mark_is_no_damage(account: mw.Account, tmp_path: Path) -> None:
    path = tmp_path / "book.margin.json"
    path.write_bytes(b"\xef\xbb\xbf" + document.dumps(account.state).encode())
    assert mw.load(path).to_dict() == account.to_dict()


# ------------------------------------------------------------------ fields


def change(*place: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def apply(content: Any) -> None:
        for step in place[:-1]:
            content = content[step]
        content[place[-1]] = to

    return apply


@pytest.mark.parametrize(
    ("damage", "path", "reason"),
    [
        (change("positions", 0, "quantity", to=0), "$.positions[0].quantity", "0 must not be zero"),
        (change("positions", 1, "quantity", to="5"), "$.positions[1].quantity", '"5" is not a nu'),
        (change("positions", 0, "quantity", to=1e308), "$.positions[0].quantity", "at most 1e15"),
        (
            change("positions", 0, "entry_price", to=-1),
            "$.positions[0].entry_price",
            "-1 must be >",
        ),
        (change("positions", 0, "leverage", to=5000), "$.positions[0].leverage", "at most 1000"),
        (
            change("positions", 0, "margin", to=True),
            "$.positions[0].margin",
            "true is not a number",
        ),
        (
            change("positions", 0, "margin_mode", to="crss"),
            "$.positions[0].margin_mode",
            "did you mean 'cross'",
        ),
        (change("positions", 0, "levrage", to=3), "$.positions[0]", "did you mean 'leverage'"),
        (change("positions", 0, "symbol", to=" "), "$.positions[0].symbol", "not empty"),
        (change("positions", 1, "symbol", to="BTCUSDT"), "$.positions", "two long legs"),
        (change("positions", 0, to=3), "$.positions[0]", "3 is not an object"),
        (change("collateral", to=[]), "$.collateral", "[] is not an object"),
        (change("collateral", "DOGE", to=1), "$.prices", "no price for 'DOGE'"),
        (change("marks", "BTCUSDT", to=0), "$.marks.BTCUSDT", "0 must be > 0"),
        (change("marks", "", to=1), "$.marks", "not empty"),
        (change("prices", "DOGE", to=None), "$.prices.DOGE", "null is not a number"),
        (change("haircuts", "BTC", to=1.5), "$.haircuts.BTC", "1.5 must be at most 1"),
        (
            change("haircuts", "BTC", to=[[0, 0.2], [5, 0.1]]),
            "$.haircuts['BTC']",
            "row 2: haircut 0.1 falls below 0.2",
        ),
        (change("order_margin", to=-1), "$.order_margin", "-1 must be at least 0"),
        (change("name", to=3), "$.name", "3 is not text"),
        (change("rules", "tierz", to={}), "$.rules", "did you mean 'tiers'"),
        (change("rules", "trigger", to=">"), "$.rules.trigger", "allowed: '<=', '<'"),
        (change("rules", "taker_fee", to=1), "$.rules.taker_fee", "1 must be < 1"),
        (change("rules", "tiers", "BTCUSDT", to=[[0]]), "$.rules.tiers.BTCUSDT[0]", "1 entries"),
        (change("rules", "tiers", "BTCUSDT", to=[[5, 0.1]]), "$.rules", "it must be 0"),
        (
            change("rules", "tiers", "BTCUSDT", to=[[0, 0.01, 50, 0], [100, 0.02, 20, 7]]),
            "$.rules",
            "leaves a gap",
        ),
        (change("rules", "tiers", to={}), "$.rules", "no maintenance tiers for"),
        (
            change("rules", "contracts", to={"BTCUSDT": {"settle": "BTC"}}),
            "$.rules",
            "cannot settle in its base",
        ),
        (change("venue", to={"name": "generic"}), "$", "either 'venue'"),
        (change("extra", to=1), "$", "unknown field 'extra'"),
    ],
)
def test_a_bad_field_is_named_with_its_value_and_what_is_allowed(
    damage: Callable[[Any], None], path: str, reason: str
) -> None:
    content = mw.presets.ref2().to_dict()
    damage(content)
    error = refused(content)
    assert error.path == path
    assert reason in str(error)
    assert str(error).startswith(f"{path}: ")


@pytest.mark.parametrize("field", ["positions", "collateral", "marks", "rules"])
def test_a_missing_field_is_named(field: str) -> None:
    content = mw.presets.ref2().to_dict()
    del content[field]
    assert field in str(refused(content))


def test_an_unknown_symbol_is_found_in_its_position(account: mw.Account) -> None:
    content = account.to_dict()
    content["positions"][2]["symbol"] = "SOLUSTD"
    error = refused(content)
    assert error.path == "$.positions[2].symbol"
    assert "did you mean 'SOLUSDT'" in str(error)


def test_nan_in_plain_data_is_refused_too() -> None:
    content = mw.presets.ref2().to_dict()
    content["positions"][0]["quantity"] = math.nan
    error = refused(content)
    assert error.path == "$.positions[0].quantity"
    assert "nan is not finite" in str(error)


def test_the_document_given_is_not_changed() -> None:
    content = json.loads((DATA / "version-0.margin.json").read_text(encoding="utf-8"))
    before = json.dumps(content)
    document.from_document(content)
    assert json.dumps(content) == before


# ------------------------------------------------------------------ rule sets that moved on


def test_an_unknown_rule_set_is_refused(account: mw.Account) -> None:
    content = account.to_dict()
    content["venue"]["name"] = "binance-usd"
    error = refused(content)
    assert error.path == "$.venue.name"
    assert "did you mean 'binance-usdm'" in str(error)


def test_a_rule_set_of_another_date_loads_with_a_warning_naming_both(
    account: mw.Account, tmp_path: Path
) -> None:
    content = account.to_dict()
    content["venue"] |= {"version": "0", "date": "2020-01-01"}
    path = tmp_path / "old.margin.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    rules = mw.venues.get("binance-usdm")
    expected = f"version 0 is now {rules.version}, date 2020-01-01 is now {rules.date}"
    with pytest.warns(UserWarning, match=expected) as caught:
        again = mw.load(path)
    assert caught[0].filename == __file__
    assert again.to_dict() == account.to_dict()


# ------------------------------------------------------------------ versions


def test_a_document_of_version_0_still_opens() -> None:
    account = mw.load(DATA / "version-0.margin.json")
    long, short = account.positions
    assert (long.margin_mode, long.margin) == ("isolated", 5600.25)
    assert (short.margin_mode, short.margin) == ("cross", None)
    assert account.venue == mw.venues.get("binance-usdm")
    assert account.haircuts["BTC"] == ((0.0, 0.05),)
    content = account.to_dict()
    assert content["schema_version"] == 2
    assert mw.Account.from_dict(content).to_dict() == content


def test_a_document_of_version_1_drops_the_name_of_its_margin_ratio() -> None:
    content = mw.presets.inverse().to_dict() | {"schema_version": 1}
    content["rules"] |= {"margin_ratio_name": "margin ratio = maintenance over balance"}
    assert mw.Account.from_dict(content).venue == mw.presets.inverse().venue


def test_the_day_of_the_marks_is_saved_and_checked(account: mw.Account) -> None:
    account.as_of = "2026-11-22"
    assert mw.Account.from_dict(account.to_dict()).as_of == "2026-11-22"
    with pytest.raises(traitlets.TraitError, match="as_of: '22 Nov' must be an ISO date"):
        account.as_of = "22 Nov"
    assert account.as_of == "2026-11-22"


def test_there_is_a_migration_from_every_older_version() -> None:
    assert sorted(document.MIGRATIONS) == list(range(document.SCHEMA_VERSION))


def test_migrations_run_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def step(version: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def migrate(content: dict[str, Any]) -> dict[str, Any]:
            assert content["schema_version"] == version
            steps.append(version)
            return content

        return migrate

    content = mw.presets.ref2().to_dict()
    content["schema_version"] = -2
    monkeypatch.setattr(document, "MIGRATIONS", {v: step(v) for v in (-2, -1, 0, 1)})
    document.from_document(content)
    assert steps == [-2, -1, 0, 1]


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (3, "3 is newer than 2.*upgrade margin_widgets"),
        (-1, "-1 cannot be read; allowed: 0 to 2"),
        ("1", '"1" is not a version'),
        (True, "true is not a version"),
        (None, "null is not a version"),
        (1.0, "1.0 is not a version"),
    ],
)
def test_other_versions_are_refused(version: Any, reason: str) -> None:
    content = mw.presets.ref2().to_dict() | {"schema_version": version}
    with pytest.raises(mw.DocumentError, match=reason) as caught:
        document.from_document(content)
    assert caught.value.path == "$.schema_version"
