"""The verdict: numbers of known accounts, every kind of account, and agreement with the curve."""

from __future__ import annotations

import re

import numpy as np
import pytest
import strategies
from hypothesis import given, settings

import margin_widgets as mw
from margin_widgets.account.course import Course, spans
from margin_widgets.account.verdict import Verdict, conditions, verdict

BTC, ETH = "BTCUSDT", "ETHUSDT"
SCRIPT = "<script>alert(1)</script>"


def text(account: mw.Account) -> str:
    return verdict(account).text.replace("\N{NO-BREAK SPACE}", " ")


def account_of(*rows: tuple[str, float, float], wallet: float = 10_000, **rules) -> mw.Account:
    """Positions (symbol, quantity, leverage) at 100, on USDT."""
    return mw.Account(
        venue=mw.venues.generic(tiers={symbol: 0.01 for symbol, _, _ in rows}, **rules),
        collateral={"USDT": wallet},
        positions=[mw.Position(symbol, quantity, 100, lev) for symbol, quantity, lev in rows],
    )


def test_ref2() -> None:
    assert text(mw.presets.ref2()) == (
        "If all marks fall together, isolated loses ETHUSDT at −9.09 % and BTCUSDT at −9.55 %"
        " and keeps 3,000.00; cross stands until −13.73 % and then loses the account."
        " Between −9.09 % and −10.00 % cross is ahead, beyond that isolated is."
    )


def test_numbers_can_be_explained() -> None:
    account = mw.presets.ref2()
    linked = {piece: path for piece, path in verdict(account).parts if path}
    assert len(linked) == 3
    for piece, path in linked.items():
        assert account.explain(path).text == piece


def test_html_escapes_and_marks_key_numbers() -> None:
    html = verdict(account_of((SCRIPT, 10, 10), wallet=500)).html()
    assert "<script" not in html and "&lt;script&gt;" in html
    assert html.count("<b>") == 2
    assert isinstance(verdict(account_of((SCRIPT, 10, 10))), Verdict)


def test_no_positions() -> None:
    account = mw.Account(collateral={"USDT": 50})
    assert text(account) == "No positions: nothing can be liquidated, equity is 50.00."
    assert conditions(account) == ""


def test_one_position_and_a_rise() -> None:
    # 10 short at 100, margin 100 of 400: isolated at 110/1.01, cross at 140/1.01
    said = text(account_of(("AUSDT", -10, 10), wallet=400))
    assert said == (
        "If all marks rise together, isolated loses AUSDT at +8.91 % and keeps 300.00;"
        " cross stands until +38.61 % and then loses the account."
        " Between +8.91 % and +10.00 % cross is ahead, beyond that isolated is."
    )


def test_both_modes_alike() -> None:
    said = text(account_of(("AUSDT", 10, 10), wallet=100))
    assert "isolated loses AUSDT at −9.09 %" in said
    assert said.endswith("Both modes are worth the same all the way.")


def test_cross_is_not_liquidated() -> None:
    said = text(account_of(("AUSDT", 10, 10), wallet=2_000))
    assert "cross is not liquidated by any common fall" in said


def test_isolated_is_not_liquidated() -> None:
    """More assigned than the wallet holds: only cross can fall."""
    account = account_of(("AUSDT", 10, 10), wallet=500)
    account.positions["AUSDT"].margin = 1_500
    said = text(account)
    assert "isolated loses no position; cross stands until −49.49 %" in said
    assert said.endswith(
        "Isolated needs 1,000.00 more collateral than there is: as it stands only cross can be had."
    )


def test_neither_mode_has_its_initial_margin() -> None:
    said = text(account_of(("AUSDT", 100, 10), wallet=700))
    assert said.endswith(
        "Isolated needs 300.00 more collateral than there is, cross 300.00 more for its initial"
        " margin: neither could be opened."
    )


def test_nothing_liquidates() -> None:
    account = account_of(("AUSDT", 10, 1), wallet=5_000)
    assert text(account) == (
        "No common fall of all marks, and no rise up to +1,000.00 %, liquidates a position in"
        " either mode."
    )


def test_a_rise_beyond_reason_is_not_spoken_of() -> None:
    said = text(account_of(("AUSDT", -1, 10), wallet=100_000))
    assert "cross is not liquidated by any common rise up to +1,000.00 %" in said


def test_below_maintenance_already() -> None:
    account = mw.presets.ref2()
    account.marks[ETH] = 3_600
    said = text(account)
    assert said.startswith("Below maintenance margin at the present marks: ETHUSDT isolated. ")
    assert "isolated loses BTCUSDT at −9.55 % and keeps 3,000.00;" in said
    assert "cross stands until −11.20 %" in said
    account.marks[BTC] = 60_000
    said = text(account)
    assert "ETHUSDT and BTCUSDT isolated" in said or "BTCUSDT and ETHUSDT isolated" in said
    assert "the cross account" in said
    assert said.endswith("No common move liquidates anything else.")


def test_many_positions_are_counted() -> None:
    rows = [(f"C{n}USDT", 10.0, 20.0 - n) for n in range(8)]
    said = text(account_of(*rows))
    assert "isolated loses C0USDT at −4.04 %, C1USDT at −4.31 % and 6 more until −6.76 %" in said


def test_some_positions_stay_open() -> None:
    said = text(account_of(("AUSDT", 10, 10), ("BUSDT", -5, 5)))
    assert "with 1 position still open" in said
    assert "If they rise, BUSDT in isolated goes at +18.81 %" in said


def test_a_given_curve_is_used() -> None:
    account = mw.presets.multi_asset()
    curve = account.curve(shock=True)
    assert verdict(account, curve) == verdict(account)
    assert verdict(account, account.curve(BTC)) == verdict(account)


@pytest.mark.parametrize("residual", ["kept", "returned"])
def test_what_is_left_agrees_with_the_curve(residual: str) -> None:
    account = account_of(
        ("AUSDT", 10, 20), ("BUSDT", 20, 10), residual=residual, liquidation_fee=0.002, wallet=800
    )
    kept = account.curve(shock=True, low=-0.9, high=0.1).isolated.equity[0]
    assert f"keeps {kept:,.2f};" in text(account)
    assert (kept > 550.01) == (residual == "returned")


@settings(max_examples=80)
@given(strategies.books())
def test_the_lead_agrees_with_a_fine_curve(spec: strategies.Spec) -> None:
    account = strategies.account(spec)
    assert verdict(account).text
    curve = account.curve(shock=True, low=-0.97, high=3.0, points=700)
    scale = np.abs(curve.isolated.equity).max() + np.abs(curve.cross.equity).max() + 1e-9
    events = [event.x for mode in (curve.isolated, curve.cross) for event in mode.events]
    for side in (0, 1):
        courses = [
            Course(mode, account.books, getattr(curve, mode).series.track, side)
            for mode in ("isolated", "cross")
        ]
        for begin, end, lead in spans(*courses):
            low, high = sorted((begin - 1, end - 1))
            inside = (curve.x > low) & (curve.x < high) & ~np.isin(curve.x, events)
            ahead = curve.isolated.equity[inside] - curve.cross.equity[inside]
            assert (ahead * lead >= -1e-9 * scale).all()
            if lead == 0:
                assert (np.abs(ahead) <= 1e-9 * scale).all()


def test_conditions() -> None:
    assert conditions(mw.presets.ref2()) == (
        "Cross prices hold if the other marks stay: BTCUSDT if ETHUSDT is at 4,000.00,"
        " ETHUSDT if BTCUSDT is at 100,000.00."
    )
    assert conditions(mw.presets.bitcoin_on_bitcoin()) == ""
    assert re.fullmatch(
        r"Cross prices hold if the other marks stay: BTCUSDT at 98,500\.0+, ETHUSDT at 3,880\.0+,"
        r" .* and \d more\.",
        conditions(mw.presets.multi_asset()),
    )


def test_collateral_is_a_condition_too() -> None:
    account = account_of(("AUSDT", 10, 10), wallet=0)
    with account.edit():
        account.collateral["ETH"] = 0.1
        account.marks["ETHUSDT"] = 4_000
    assert conditions(account) == (
        "Cross prices hold if the other marks stay: AUSDT if ETHUSDT is at 4,000.00."
    )
