"""Bars of margins, haircuts and idle collateral: sums, adding collateral, explanations."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from hypothesis import given, settings
from ipywidgets.widgets.widget import _instances
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.collateral_use import collateral_use, with_added
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.utilization_bars import UtilizationBars
from tests import strategies

SPACE = "\N{NO-BREAK SPACE}"


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


@pytest.fixture
def mixed() -> mw.Account:
    """Two currencies, a haircut, a loan, and a position in each margin mode."""
    return mw.Account(
        mw.venues.generic(tiers={"BTCUSDT": 0.005, "ETHUSDT": 0.01}),
        {"USDT": 9_000, "BTC": 0.1, "ETH": -0.5},
        [
            mw.Position("BTCUSDT", 0.5, 100_000, leverage=10),
            mw.Position("ETHUSDT", 5, 4_000, leverage=10, margin_mode="isolated"),
        ],
        haircuts={"BTC": 0.05},
    )


def send(widget: Any, **message: Any) -> None:
    """Deliver a message as the browser sends it, through what guards it."""
    for callback in widget._msg_callbacks.callbacks:
        callback(widget, message, [])


# ---------------------------------------------------------------- sums


def test_ref2(account: mw.Account) -> None:
    isolated, cross = (collateral_use(getattr(account, mode)) for mode in ("isolated", "cross"))
    assert (isolated.initial_share, isolated.maintenance_share) == (0.7, 0.045)
    assert (isolated.total.face, isolated.total.idle, cross.total.idle) == (10_000, 3_000, 0)
    assert [(one.name, one.margin_ratio) for one in isolated.pockets] == [
        ("ETHUSDT", 0.1),
        ("BTCUSDT", 0.05),
    ]
    assert len(cross.pockets) == 1
    assert "of which 3,000.00 backs no position" in isolated.text
    assert f"initial margin takes 70.0{SPACE}% and maintenance 4.5{SPACE}%" in cross.text
    assert f"Nearest to liquidation: ETHUSDT at 10.0{SPACE}%" in isolated.text


def check_sums(account: mw.Account) -> None:
    for report in (account.isolated, account.cross):
        use = collateral_use(report)
        scale = 1 + abs(report.wallet_balance)
        for name in ("face", "counted", "idle", "haircut"):
            parts = sum(getattr(one, name) for one in use.assets)
            assert getattr(use.total, name) == pytest.approx(parts, abs=1e-9 * scale)
        assert use.total.face == pytest.approx(report.wallet_balance, abs=1e-9 * scale)
        assert use.total.idle == pytest.approx(report.idle, abs=1e-9 * scale)
        for one in use.assets:
            assert one.haircut >= -1e-9 * scale
            assert one.face >= 0 or one.counted == one.face  # a loan is not cut
        pools = sum(pool.maintenance_margin for pool in use.pockets)
        assert pools == pytest.approx(report.maintenance_margin, rel=1e-9, abs=1e-9)


def test_currencies_sum_to_the_account(account: mw.Account, mixed: mw.Account) -> None:
    check_sums(account)
    check_sums(mixed)
    use = collateral_use(mixed.cross)
    assert [(one.asset, one.face, one.counted) for one in use.assets] == [
        ("USDT", 9_000, 9_000),
        ("BTC", 10_000, 9_500),
        ("ETH", -2_000, -2_000),
    ]
    assert use.total.haircut == pytest.approx(500)
    assert "haircuts take 500.00" in use.text


@settings(max_examples=40, deadline=None)
@given(strategies.books())
def test_any_account_sums(spec: strategies.Spec) -> None:
    check_sums(strategies.account(spec))


# ---------------------------------------------------------------- what is on the page


def shares(page: str, label: str) -> dict[str, float]:
    """Widths of the parts of the meter whose description begins so."""
    found = re.search(rf'aria-label="{re.escape(label)}[^"]*">(.*?)</div>', unescape(page))
    assert found, label
    parts = re.findall(r'<i class="([^"]*)" style="width:([\d.]+)%"', found[1])
    return {name: float(width) for name, width in parts}


def test_bars_are_as_long_as_they_say(account: mw.Account, mixed: mw.Account) -> None:
    bars = UtilizationBars(account)
    page = bars.view.html
    assert shares(page, "Initial margin 7,000.00") == {"": 70.0}
    assert shares(page, "Maintenance 450.00") == {"": 4.5}
    assert shares(page, "Idle 3,000.00") == {"mw-im": 30.0}
    assert shares(page, "ETHUSDT: maintenance") == {"mw-im": 100.0, "": 10.0}
    assert shares(page, "USDT: face value 10,000.00") == {"mw-cut": 100.0, "mw-im": 100.0, "": 70.0}
    bars.close()
    bars = UtilizationBars(mixed)
    cross = bars.view.html.split("<section")[2]
    # Of 19,000 in all; the loan has no bar.
    parts = shares(cross, "BTC: face value 10,000.00, margin value 9,500.00, haircut 500.00")
    assert parts == {"mw-cut": 52.63, "mw-im": 50.0, "": 50.0}
    assert set(shares(cross, "ETH: face value −2,000.00").values()) == {0.0}
    assert "hatched: haircut" in cross
    bars.close()


def test_every_number_explains_itself(mixed: mw.Account) -> None:
    selection = Selection()
    bars = UtilizationBars(mixed, selection)
    paths = {unescape(one) for one in re.findall(r'data-explain="([^"]+)"', bars.view.html)}
    assert {
        "cross.initial_margin",
        "isolated.margin_balance",
        "collateral.BTC.counted",
        "collateral.BTC",
        "isolated.pools.ETHUSDT.margin_ratio",
    } <= paths
    for path in paths:
        assert mixed.explain(path).lines
    send(bars.view, type="explain", path="isolated.margin_balance")
    assert selection.explain == "isolated.margin_balance"
    bars.close()


def test_text_and_table_say_the_same(account: mw.Account) -> None:
    bars = UtilizationBars(account)
    assert bars.caption.startswith("Isolated: collateral of 10,000.00 USDT")
    send(bars._data_box, type="action", action="data")
    for words in ("face value", "3,000.00", "ETHUSDT", f"4.5{SPACE}%"):
        assert words in bars._data_box.html
    assert "3,000.00" in bars._repr_mimebundle_()["text/html"]
    bars.close()


@pytest.mark.parametrize(
    "make",
    [
        mw.Account,
        lambda: mw.Account("binance-usdm", {"USDT": 100}),
        lambda: mw.Account("binance-usdm", {"USDT": 1}, [mw.Position("BTCUSDT", 1, 100_000)]),
        mw.presets.bitcoin_on_bitcoin,
    ],
)
def test_any_state_has_bars(make: Callable[[], mw.Account]) -> None:
    bars = UtilizationBars(make())
    assert bars.caption
    bars._show_preview(10.0)
    bars.close()


def test_names_from_outside_are_escaped() -> None:
    rules = mw.venues.generic(tiers={"<b>X": 0.01})
    account = mw.Account(
        rules, {"USDT": 500, "<i>": 3}, [mw.Position("<b>X", 1, 100)], prices={"<i>": 2}
    )
    bars = UtilizationBars(account, asset="<i>")
    bars._show_preview(1.0)
    bars._open = True
    bars.update()
    for box in (bars.view, bars._choice, bars._message, bars._caption_box, bars._data_box):
        assert "<b>X" not in box.html
        assert "<i>" not in box.html.replace('<i class="', "")
    bars.close()


# ---------------------------------------------------------------- adding collateral


def test_dragging_previews_and_releasing_is_one_edit(account: mw.Account) -> None:
    bars = UtilizationBars(account)
    control, revision = bars.added.control, account.revision
    for amount in (200.0, 900.0, 1_000.0):
        send(control, type="preview", symbol="Added USDT", value=amount)
    bars._preview.cancel()
    bars._show_preview(1_000.0)
    assert account.revision == revision
    assert bars.uses["isolated"].total.idle == 4_000
    assert shares(bars.view.html, "Initial margin") == {"": pytest.approx(63.64)}
    assert "With 1,000 USDT added" in bars._message.html
    send(control, type="commit", symbol="Added USDT", value=1_000.0)
    assert account.revision == revision + 1
    assert account.collateral["USDT"] == 11_000
    assert control.rows[0]["value"] == 0
    assert bars._message.html == ""
    send(control, type="undo")
    assert account.collateral["USDT"] == 10_000
    assert bars.uses["isolated"].total.idle == 3_000
    bars.close()


def test_a_number_can_be_typed_and_taken_out(account: mw.Account) -> None:
    bars = UtilizationBars(account)
    send(bars.added.control, type="commit_text", symbol="Added USDT", text="-2,500")
    assert account.collateral["USDT"] == 7_500
    send(bars.added.control, type="commit_text", symbol="Added USDT", text="a lot")
    assert "is not a number" in bars.added.control.errors[0]["message"]
    assert account.collateral["USDT"] == 7_500
    bars.close()


def test_the_currency_is_chosen(mixed: mw.Account) -> None:
    bars = UtilizationBars(mixed)
    send(bars._choice, type="action", action="asset", value="BTC")
    assert bars.asset == "BTC"
    row = bars.added.control.rows[0]
    assert (row["symbol"], row["low"], row["value"]) == ("Added BTC", 0.0, 0.0)
    assert 0.1 <= row["high"] <= 1
    send(bars.added.control, type="commit", symbol="Added BTC", value=0.02)
    assert mixed.collateral["BTC"] == 0.12
    assert mixed.collateral["USDT"] == 9_000
    del mixed.collateral["BTC"]
    assert bars.asset == "USDT"
    bars.close()


def test_what_is_tried_is_what_comes(mixed: mw.Account) -> None:
    tried = with_added(mixed, "BTC", 0.05)
    before = mixed.cross.margin_balance
    assert tried["cross"].margin_balance == pytest.approx(before + 0.95 * 5_000)
    assert mixed.cross.margin_balance == before
    bars = UtilizationBars(mixed, asset="BTC")
    bars.add(0.05)
    assert mixed.cross.figures() == tried["cross"].figures()
    bars.close()


def test_hidden_bars_wait_and_closing_frees_everything(account: mw.Account) -> None:
    UtilizationBars(account).close()
    before = len(_instances)
    observers = len(account._trait_notifiers["revision"]["change"])
    bars = UtilizationBars(account, active=False)
    assert bars.view.html == ""
    bars.active = True
    page = bars.view.html
    bars.active = False
    account.collateral["USDT"] = 12_000
    assert bars.view.html == page
    bars.active = True
    assert bars.view.html != page
    bars.close()
    for _ in range(30):
        UtilizationBars(account).close()
    assert len(_instances) == before
    assert len(account._trait_notifiers["revision"]["change"]) == observers


# ---------------------------------------------------------------- isolated pockets


def test_what_is_at_work_is_the_pockets_margins() -> None:
    account = mw.presets.multi_asset()
    use = collateral_use(account.isolated)
    margins = sum(one.margin for one in account.isolated.positions.values())
    assert use.total.at_work == pytest.approx(margins)
    assert use.total.at_work == pytest.approx(28_358.92, abs=0.005)
    bars = UtilizationBars(account)
    assert shares(bars.view.html.split("<section")[1], "total: face value")[""] == 53.98
    bars.close()
    assert sum(one.at_work for one in use.assets) == pytest.approx(use.total.at_work)
    cross = collateral_use(account.cross).total
    assert cross.at_work == cross.counted


def test_what_is_lent_has_a_row() -> None:
    account = mw.presets.bitcoin_on_bitcoin()
    bars = UtilizationBars(account)
    use = bars.uses["isolated"]
    head, rows = use.table()
    idle = head.index("idle")
    cells = {row[0]: row[idle] for row in rows}
    assert cells == {"USDT": "−5,000.00 (lent)", "BTC": "20,000.00", "total": "15,000.00"}
    assert [one.lent for one in use.assets] == [5_000, 0]
    assert sum(one.idle for one in use.assets) == use.total.idle == 15_000
    assert "15,000.00 backs no position (20,000.00 less 5,000.00 lent in USDT)" in use.text
    assert "lent <b>5,000.00</b>" in bars.view.html
    assert [one.asset for one in bars.uses["cross"].assets] == ["BTC"]
    for path in re.findall(r'data-explain="([^"]+)"', bars.view.html):
        assert account.explain(unescape(path)).lines
    bars.close()


def test_what_requires_nothing_is_not_near_liquidation() -> None:
    call, put, perp = "BTC-25DEC26-110000-C", "BTC-25DEC26-90000-P", "BTC-PERPETUAL"
    account = mw.Account(
        "deribit",
        {"BTC": 2},
        [
            mw.Position(call, -3, 0.05),
            mw.Position(put, 1, 0.04),
            mw.Position(perp, 50_000, 98_000),
        ],
        {call: 0.05, put: 0.045, perp: 100_000},
        as_of="2026-09-01",
    )
    bars = UtilizationBars(account)
    use = bars.uses["isolated"]
    assert [one.name for one in use.pockets] == [call, perp, put]
    assert f"Nearest to liquidation: {call} at 83.3{SPACE}%" in bars.caption
    assert shares(bars.view.html, f"{put}: maintenance nothing required") == {"mw-im": 0, "": 0}
    assert use.pools_table()[1][2][3] == "nothing required"
    bars.close()


def test_a_currency_that_is_not_there_is_refused(mixed: mw.Account) -> None:
    before = len(_instances)
    with pytest.raises(TraitError, match="'BTX' is no collateral of this account; did you mean"):
        UtilizationBars(mixed, asset="BTX")
    assert len(_instances) == before
    bars = UtilizationBars(mixed)
    with pytest.raises(TraitError, match=r"'SOL' is no collateral.*there is USDT, BTC, ETH"):
        bars.asset = "SOL"
    assert bars.asset == "USDT"
    bars.close()
