"""Code that rebuilds an account, and lines that do what a control does: run, and compared."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_accounts import numbered
from strategies import account as account_of
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.as_python import WIDTH, as_python, numeral, quoted, rules_expression
from margin_widgets.account.code_hint import code_hint, edit_code
from margin_widgets.account.state import MAPPINGS

EACH = 15
PRESETS = (
    mw.presets.ref2,
    mw.presets.hedged_pair,
    mw.presets.bitcoin_on_bitcoin,
    mw.presets.multi_asset,
    mw.presets.inverse,
    mw.presets.exchange_account,
)


def run(code: str, **scope: Any) -> dict[str, Any]:
    variables = {"__name__": "copied", **scope}
    exec(compile(code, "copied.py", "exec"), variables)
    return variables


def same(one: mw.Account, two: mw.Account) -> None:
    """Equal to the last digit, and in the same order."""
    assert one.state == two.state
    assert json.dumps(one.to_dict()) == json.dumps(two.to_dict())
    for mode in ("isolated", "cross", "configured"):
        assert getattr(one, mode).figures() == getattr(two, mode).figures()


def accounts(venue: str) -> list[mw.Account]:
    return [account_of(numbered(venue, number)) for number in range(EACH)]


@pytest.mark.parametrize("venue", mw.venues.names())
def test_code_rebuilds_the_account(venue: str) -> None:
    for account in accounts(venue):
        code = account.to_python()
        same(run(code)["account"], account)
        imports = [line for line in code.splitlines() if "import" in line.split()]
        assert imports == ["import margin_widgets as mw"]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda one: one.__name__)
def test_presets(preset) -> None:
    same(run(as_python(preset(), name="mine"))["mine"], preset())


@pytest.mark.parametrize("venue", mw.venues.names())
def test_shipped_rules_are_named(venue: str) -> None:
    account = mw.Account(venue)
    code = account.to_python()
    same(run(code)["account"], account)
    rules = account.venue
    assert code.startswith(f"# Rules: {rules.label} (margin_widgets {mw.__version__})\n")
    assert ("venue=" in code) == (venue != "generic")
    assert "mw.venues" not in code


def rule_sets() -> dict[str, mw.RuleSet]:
    """Rule sets that no name stands for."""
    binance, okx = mw.venues.get("binance-usdm"), mw.venues.get("okx")
    own = mw.venues.to_mapping(mw.venues.get("bybit-unified"))
    nothing_alike = mw.venues.get("deribit").replace(
        name="mine",
        title="Mine",
        version="7",
        date="2025-01-02",
        currency="USDT",
        kinds=("linear",),
        modes=("cross",),
        taker_fee=0.1,
        liquidation_fee=0.02,
        cross_pool="account",
        residual="split",
        trigger="<",
        sources={"taker_fee": "mine"},
        not_modelled=("all",),
        cannot_express=("nothing", "else"),
        formulas={},
    )
    return {
        "one part": binance.replace(taker_fee=0.0003),
        "pinned": binance.replace(name="binance, pinned"),
        "a tier more": binance.replace(tiers={**binance.tiers, "NEWUSDT": 0.02}),
        "a tier changed": binance.replace(tiers={**binance.tiers, "BTCUSDT": [(0, 0.01, 20)]}),
        "a tier less": binance.replace(
            tiers={k: v for k, v in binance.tiers.items() if k != "BTCUSDT"}
        ),
        "a part at its default": mw.venues.get("bitmex").replace(
            default_contract=mw.Contract(), cross_pool="account", formulas={}
        ),
        "no portfolio": mw.venues.get("deribit").replace(portfolio=None, option_margin=None),
        "nested parts": okx.replace(portfolio=mw.venues.get("binance-portfolio-margin").portfolio),
        "another version": okx.replace(version="99"),
        "from parts": mw.venues.generic(
            contracts={"BTCUSD": mw.Contract("inverse", 100, "BTC", "USD", "BTC")},
            tiers={"BTCUSD": [(0, 0.004), (5, 0.005)]},
            initial_tiers={"BTCUSD": [(0, 0.01), (5, 0.02)]},
            margin_ratio={"name": "level", "numerator": "equity"},
            open_interest={"BTCUSD": {"notional": 12e6, "lower_cap": 1e7, "upper_cap": 2e7}},
        ),
        "from a file": mw.venues.from_mapping({**own, "name": "mine", "title": 'A "title"\n'}),
        "like nothing": nothing_alike,
    }


@pytest.mark.parametrize("rules", rule_sets().values(), ids=rule_sets())
def test_other_rules(rules: mw.RuleSet) -> None:
    account = mw.Account(rules, {rules.currency: 1_000})
    again = run(account.to_python())["account"]
    same(again, account)
    assert again.venue == rules
    assert [*again.venue.tiers] == [*rules.tiers]


def test_a_change_is_said_as_one() -> None:
    binance = mw.venues.get("binance-usdm")
    changed = rules_expression(binance.replace(taker_fee=0.0003))
    assert changed.function == 'mw.venues.get("binance-usdm").replace'
    assert dict(changed.names) == {"taker_fee": 0.0003}
    more = binance.replace(tiers={**binance.tiers, "NEWUSDT": 0.02})
    code = mw.Account(more).to_python()
    assert '**mw.venues.get("binance-usdm").tiers' in code and '"NEWUSDT": 0.02' in code
    assert len(code) < 300


def test_ref2_reads_like_written_by_hand() -> None:
    assert mw.presets.ref2().to_python() == (
        "import margin_widgets as mw\n"
        "\n"
        "account = mw.Account(\n"
        '    name="REF-2",\n'
        '    venue=mw.venues.generic(tiers={"BTCUSDT": 0.005, "ETHUSDT": 0.01}),\n'
        '    collateral={"USDT": 10_000},\n'
        "    positions=[\n"
        '        mw.Position("BTCUSDT", quantity=0.5, entry_price=100_000, leverage=10),\n'
        "        mw.Position(\n"
        '            "ETHUSDT",\n'
        "            quantity=5,\n"
        "            entry_price=4_000,\n"
        "            leverage=10,\n"
        '            margin_mode="isolated",\n'
        "        ),\n"
        "    ],\n"
        '    marks={"BTCUSDT": 100_000, "ETHUSDT": 4_000},\n'
        ")\n"
    )


def ruff() -> str | None:
    beside = Path(sys.executable).with_name("ruff")
    return str(beside) if beside.exists() else shutil.which("ruff")


@pytest.mark.skipif(ruff() is None, reason="no ruff here")
def test_a_formatter_has_nothing_to_change(tmp_path: Path) -> None:
    codes = {preset.__name__: preset().to_python() for preset in PRESETS}
    for venue in mw.venues.names():
        for number, account in enumerate(accounts(venue)[:8]):
            codes[f"{venue}-{number}"] = account.to_python()
    for name, rules in rule_sets().items():
        codes[name] = mw.Account(rules, {rules.currency: 1}).to_python()
    for name, code in codes.items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    for command in (["format", "--diff"], ["check", "--select", "E,F,W,I,Q,UP", "--ignore=E501"]):
        done = subprocess.run(
            [str(ruff()), *command, "--isolated", f"--config=line-length={WIDTH}", tmp_path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


NASTY = (
    "quote \" and ' and \\",
    "line\nbreak",
    "\"\"\"); import os  # '''",
    "{curly} %s \x00 \x7f \u202e \U0001f600",
    "名前",
)


@pytest.mark.parametrize("text", NASTY)
def test_any_name_stays_text(text: str) -> None:
    account = mw.Account(
        mw.venues.generic(name=text, title=text, tiers={text: 0.01}, not_modelled=(text,)),
        {text: 5, "USDT": 1_000},
        [mw.Position(text, 10, 100)],
        prices={text: 3},
        name=text,
    )
    same(run(account.to_python())["account"], account)
    line = code_hint("positions", text, "quantity", value=2)
    run(line, account=account)
    assert account.positions[text].quantity == 2


@given(st.text())
def test_texts_read_back(text: str) -> None:
    assert eval(quoted(text)) == text
    assert "\n" not in quoted(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back(number: float) -> None:
    again = float(eval(numeral(number)))
    assert again == number
    assert math.copysign(1, again) == math.copysign(1, number)


@pytest.mark.parametrize("name", ["my account", "class", "mw", "", "1st"])
def test_a_name_must_be_one(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        mw.presets.ref2().to_python(name=name)


# ------------------------------------------------------------------ code hints


def test_hints_do_what_they_say() -> None:
    account = mw.presets.ref2()
    lines = {
        code_hint("positions", "BTCUSDT", "quantity", value=0.6): lambda: (
            account.positions["BTCUSDT"].quantity == 0.6
        ),
        code_hint("positions", "ETHUSDT", "margin", value=None): lambda: (
            account.positions["ETHUSDT"].margin is None
        ),
        code_hint("positions", "BTCUSDT", "margin_mode", value="isolated"): lambda: (
            account.positions["BTCUSDT"].margin_mode == "isolated"
        ),
        code_hint("marks", "ETHUSDT", value=3_600): lambda: account.marks["ETHUSDT"] == 3_600,
        code_hint("collateral", "USDT", value=12_000): lambda: account.collateral["USDT"] == 12_000,
        code_hint("haircuts", "USDT", value=0.05): lambda: (
            account.haircuts["USDT"] == ((0.0, 0.05),)
        ),
        code_hint("haircuts", "USDT"): lambda: "USDT" not in account.haircuts,
        code_hint("order_margin", value=250): lambda: account.order_margin == 250,
        code_hint("name", value="x"): lambda: account.name == "x",
        code_hint("as_of", value="2026-11-22"): lambda: account.as_of == "2026-11-22",
        code_hint("venue", value="binance-usdm"): lambda: account.venue.name == "binance-usdm",
        code_hint("venue", value=mw.venues.get("okx").replace(tiers=account.venue.tiers)): lambda: (
            account.venue.name == "okx"
        ),
        code_hint("positions", "ETHUSDT"): lambda: "ETHUSDT" not in account.positions,
    }
    for line, holds in lines.items():
        if "okx" in line:
            continue
        run(line, account=account, mw=mw)
        assert holds(), line
    assert lines.keys() >= {
        'account.positions["BTCUSDT"].quantity = 0.6',
        'account.marks["ETHUSDT"] = 3_600',
        'account.collateral["USDT"] = 12_000',
        'account.venue = "binance-usdm"',
        'del account.positions["ETHUSDT"]',
    }


def test_a_hint_can_read() -> None:
    account = mw.presets.ref2()
    line = code_hint("positions", "BTCUSDT", "leverage", name="mine")
    assert line == 'mine.positions["BTCUSDT"].leverage'
    assert eval(line, {"mine": account}) == 10


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (("mark", "BTCUSDT"), "did you mean 'marks'"),
        (("positions", "BTCUSDT", "quantty"), "did you mean 'quantity'"),
        (("venue",), "nothing of an account"),
        (("positions",), "nothing of an account"),
    ],
)
def test_a_hint_for_nothing(where: tuple[str, ...], words: str) -> None:
    with pytest.raises(KeyError, match=words):
        code_hint(*where)


def any_edit(account: mw.Account, draw: Random) -> None:
    """Something a person might do."""
    rows = account.positions
    kind = draw.choice(["field", "mark", "asset", "add", "drop", "swap", "haircut", "setting"])
    if kind == "field" and len(rows):
        row = rows[draw.randrange(len(rows))]
        field = draw.choice(["quantity", "entry_price", "leverage", "margin", "margin_mode"])
        now = getattr(row, field)
        new: Any = {"margin": draw.choice([None, 12.5]), "margin_mode": "isolated"}.get(field)
        if field not in ("margin", "margin_mode"):
            new = now * draw.choice([-1, 0.5, 1.25]) if field == "quantity" else now * 0.9
        setattr(row, field, new)
    elif kind == "mark" and len(account.marks):
        account.marks[draw.choice([*account.marks])] *= draw.choice([0.9, 1.1, 1])
    elif kind == "asset" and len(account.collateral):
        asset = draw.choice([*account.collateral])
        if draw.random() < 0.3 and len(account.collateral) > 1:
            del account.collateral[asset]
        else:
            account.collateral[asset] = round(draw.uniform(1, 1e5), 3)
    elif kind == "add" and len(rows):
        other = draw.choice(list(rows)).copy()
        other.quantity = -other.quantity
        rows.insert(draw.randrange(len(rows) + 1), other)
    elif kind == "drop" and len(rows):
        del rows[draw.randrange(len(rows))]
    elif kind == "swap":
        rows.reverse()
    elif kind == "haircut" and len(account.collateral):
        asset = draw.choice([*account.collateral])
        account.haircuts[asset] = draw.choice([0.1, [(0, 0.1), (50, 0.2)]])
    elif kind == "setting":
        account.name = draw.choice(["", "a", "b"])
        account.order_margin = draw.choice([0, 5.5])


@pytest.mark.parametrize("venue", ["generic", "binance-usdm", "bybit-unified", "binance-coinm"])
def test_lines_of_an_edit_make_the_same_edit(venue: str) -> None:
    made = 0
    for number in range(60):
        draw = Random(f"edits {venue} {number}")
        account = account_of(numbered(venue, number % EACH))
        for _ in range(3):
            before, twin = account.state, account.copy()
            try:
                with account.edit():
                    for _ in range(draw.choice([1, 1, 2, 4])):
                        any_edit(account, draw)
            except TraitError:
                continue
            code = edit_code(before, account.state)
            revision = twin.revision
            run(code, account=twin, mw=mw)
            assert twin.state == account.state, code
            assert all(
                [*getattr(twin.state, name)] == [*getattr(account.state, name)] for name in MAPPINGS
            )
            if code:
                assert twin.revision == revision + 1, code  # one step of undo
                made += 1
            else:
                assert before == account.state
    assert made > 60


def test_edits_in_words() -> None:
    account = mw.presets.ref2()
    before = account.state
    with account.edit():
        account.positions.append(mw.Position("BTCUSDT", -0.1, 101_000, 5))
        account.positions[0].quantity = 0.6
        account.marks["ETHUSDT"] = 3_900
    assert edit_code(before, account.state) == (
        "with account.edit():\n"
        '    account.positions["BTCUSDT"].quantity = 0.6\n'
        "    account.positions.append(\n"
        '        mw.Position("BTCUSDT", quantity=-0.1, entry_price=101_000, leverage=5),\n'
        "    )\n"
        '    account.marks["ETHUSDT"] = 3_900'
    )
    assert edit_code(before, before) == ""
