"""The loss waterfall: sums to the cent, against independent arithmetic, and what a click does."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances
from strategies import account as account_of
from strategies import books
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.outcome import move_of, outcome
from margin_widgets.account.waterfall import MODES, Waterfall, waterfall
from margin_widgets.widgets.loss_waterfall import LossWaterfall
from margin_widgets.widgets.selection import Selection

PRESETS = (
    mw.presets.ref2,
    mw.presets.hedged_pair,
    mw.presets.bitcoin_on_bitcoin,
    mw.presets.multi_asset,
    mw.presets.inverse,
    mw.presets.exchange_account,
)


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


def send(widget: Any, **message: Any) -> None:
    widget._handle_custom_msg(message, [])


def amounts(fall: Waterfall, mode: str) -> dict[str, float]:
    return {row.label: row.bars[mode].amount for row in fall.rows}


def missing(fall: Waterfall, mode: str) -> float:
    """What the steps leave unexplained, relative to the size of the account."""
    steps = sum(row.bars[mode].amount for row in fall.rows[1:-1])
    size = max(1.0, *(abs(row.bars[mode].amount) for row in fall.rows))
    return (fall.end(mode) - fall.start(mode) - steps) / size


class TestReference:
    def test_common_twelve_percent(self, account: mw.Account) -> None:
        fall = waterfall(account, -0.12)
        isolated, cross = amounts(fall, "isolated"), amounts(fall, "cross")
        # BTC falls at (q E - M) / (q (1 - m)), ETH likewise; there 5,000 and 2,000 are lost.
        bitcoin = (0.5 * 100_000 - 5_000) / (0.5 * 0.995)
        ether = (5 * 4_000 - 2_000) / (5 * 0.99)
        assert isolated["BTCUSDT price PnL"] == pytest.approx(0.5 * (bitcoin - 100_000), abs=1e-9)
        assert isolated["ETHUSDT price PnL"] == pytest.approx(5 * (ether - 4_000), abs=1e-9)
        left = 0.005 * 0.5 * bitcoin + 0.01 * 5 * ether
        assert isolated["Residual lost"] == pytest.approx(-left, abs=1e-9)
        assert fall.end("isolated") == pytest.approx(3_000, abs=1e-9)
        assert cross == pytest.approx(
            {
                "Equity now": 10_000,
                "BTCUSDT price PnL": -6_000,
                "ETHUSDT price PnL": -2_400,
                "Residual lost": 0,
                "Equity after": 1_600,
            }
        )
        assert "Isolated ends 1,400.00 USDT ahead" in fall.text

    def test_ether_alone(self, account: mw.Account) -> None:
        fall = waterfall(account, -0.6, symbol="ETHUSDT")
        assert fall.end("isolated") == pytest.approx(8_000, abs=1e-9)
        assert fall.end("cross") == pytest.approx(0, abs=1e-9)
        (closed,) = fall.outcomes["cross"].falls
        assert 4_000 * (1 + closed.place) == pytest.approx(2_070.71, abs=0.005)
        assert closed.equity == pytest.approx(353.54, abs=0.005)
        assert set(closed.positions) == {"BTCUSDT", "ETHUSDT"}
        given_mark = waterfall(account, marks={"ETHUSDT": 1_600})
        assert [row.bars for row in given_mark.rows[1:]] == [row.bars for row in fall.rows[1:]]

    def test_several_marks_on_a_straight_way(self, account: mw.Account) -> None:
        fall = waterfall(account, marks={"BTCUSDT": 85_000, "ETHUSDT": 3_200})
        (closed,) = fall.outcomes["cross"].falls
        # 10,000 - 7,500 t - 4,000 t = 0.005 (50,000 - 7,500 t) + 0.01 (20,000 - 4,000 t)
        assert closed.place == pytest.approx(9_550 / 11_422.5, rel=1e-9)
        both = waterfall(account, marks={"BTCUSDT": 88_000, "ETHUSDT": 3_520})
        common = waterfall(account, -0.12)
        for mode in MODES:
            assert amounts(both, mode) == pytest.approx(amounts(common, mode), abs=1e-6)

    def test_a_gap_below_maintenance_is_paid_by_others(self, account: mw.Account) -> None:
        account.marks["BTCUSDT"] = 5_700
        fall = waterfall(account, 0.0)
        assert amounts(fall, "cross")["Shortfall paid by others"] == pytest.approx(37_150)
        assert fall.start("cross") == pytest.approx(-37_150)
        assert fall.end("cross") == pytest.approx(0)

    def test_a_liquidation_fee_is_a_step(self) -> None:
        rules = mw.venues.generic(tiers={"XUSDT": 0.05}).replace(
            liquidation_fee=0.01, residual="returned"
        )
        account = mw.Account(
            rules, {"USDT": 100}, [mw.Position("XUSDT", 1, 100, leverage=10)], {"XUSDT": 100}
        )
        fall = waterfall(account, -0.5)
        trigger = 90 / 0.95  # 10 + P - 100 = 0.05 P
        isolated = amounts(fall, "isolated")
        assert isolated["Liquidation fee"] == pytest.approx(-0.01 * trigger)
        assert "Residual lost" not in isolated
        assert fall.end("isolated") == pytest.approx(100 + trigger - 100 - 0.01 * trigger)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("shock", [-0.6, -0.12, 0.0, 0.35, 2.0])
@pytest.mark.parametrize("measure", ["equity", "margin_balance"])
def test_steps_sum_to_the_difference(preset: Any, shock: float, measure: Any) -> None:
    account = preset()
    fall = waterfall(account, shock, measure=measure)
    low, high = min(shock, -1e-3), max(shock, 1e-3)
    curve = account.curve(shock=True, low=low, high=high, points=2)
    for mode in MODES:
        assert missing(fall, mode) == pytest.approx(0, abs=1e-12)
        printed = [round(100 * row.bars[mode].shown) for row in fall.rows]
        assert printed[0] + sum(printed[1:-1]) == printed[-1]
        for row in fall.rows:
            assert abs(row.bars[mode].shown - row.bars[mode].amount) < 0.0101
        assert fall.start(mode) == pytest.approx(getattr(getattr(account, mode), measure))
        if measure == "equity" and shock:
            swept = getattr(curve, mode).equity[0 if shock < 0 else -1]
            assert fall.end(mode) == pytest.approx(swept, abs=1e-9 * max(1, abs(swept)))


@settings(max_examples=60, deadline=None)
@given(books(), st.floats(-0.95, 3.0))
def test_steps_sum_for_any_account(spec: Any, shock: float) -> None:
    account = account_of(spec)
    for measure in ("equity", "margin_balance"):
        fall = waterfall(account, shock, measure=measure)
        for mode in MODES:
            assert missing(fall, mode) == pytest.approx(0, abs=1e-9)


def test_tiny_steps_are_grouped_and_nothing_is_lost() -> None:
    symbols = [f"C{n}USDT" for n in range(40)]
    account = mw.Account(
        mw.venues.generic(tiers=dict.fromkeys(symbols, 0.005)),
        {"USDT": 100_000},
        [mw.Position(symbol, 1 + n, 100, 10) for n, symbol in enumerate(symbols)],
    )
    fall = waterfall(account, -0.05)
    (group,) = [row for row in fall.rows if row.members > 1]
    assert group.label == f"other price PnL ({group.members})"
    assert sum(row.members for row in fall.rows if row.kind == "price") == 40
    assert len(fall.rows) <= 15
    for mode in MODES:
        assert missing(fall, mode) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"shock": -1.0}, "above|> -1"),
        ({"shock": float("nan")}, "finite"),
        ({}, "either a shock or"),
        ({"marks": {"BTCUSDT": -5}}, "> 0"),
        ({"marks": {"NOPE": 5}}, "no symbol 'NOPE'"),
        ({"shock": -0.1, "measure": "profit"}, "is not one of"),
    ],
)
def test_bad_input_is_named(account: mw.Account, arguments: Any, words: str) -> None:
    with pytest.raises((TraitError, ValueError, KeyError), match=words):
        waterfall(account, **arguments)


def test_outcome_of_what_moves_alone_leaves_the_rest(account: mw.Account) -> None:
    result = outcome(move_of(account.books, -0.6, symbol="ETHUSDT"), "isolated")
    assert result.fallen == {"ETHUSDT"}
    assert result.pnl[0] == 0


# ---------------------------------------------------------------- the widget


class TestWidget:
    def test_a_bar_explains_and_selects(self, account: mw.Account) -> None:
        selection = Selection()
        plot = LossWaterfall(account, selection)
        send(plot.picture, type="explain", path="cross.positions.ETHUSDT.unrealized_pnl")
        assert selection.explain == "cross.positions.ETHUSDT.unrealized_pnl"
        assert selection.key == "ETHUSDT"
        assert "mw-chosen" in plot.picture.html
        for row in plot.fall.rows:
            for bar in row.bars.values():
                account.explain(bar.path)
        plot.close()

    def test_slider_previews_and_commits_without_editing(self, account: mw.Account) -> None:
        plot, revision = LossWaterfall(account), account.revision
        name = plot._slider.control.rows[0]["symbol"]
        send(plot._slider.control, type="preview", symbol=name, value=-20.0)
        assert plot.shock == -0.12
        assert plot.fall.end("cross") == pytest.approx(0)
        send(plot._slider.control, type="commit", symbol=name, value=-20.0)
        assert plot.shock == -0.2
        send(plot._slider.control, type="commit_text", symbol=name, text="−5 %")
        assert plot.shock == pytest.approx(-0.05)
        assert plot._slider.control.rows[0]["text"] == "−5.00"
        send(plot._slider.control, type="commit_text", symbol=name, text="-100")
        assert "-100" in plot._slider.control.errors[0]["message"]
        assert plot.shock == pytest.approx(-0.05)
        assert account.revision == revision
        plot.close()

    def test_follows_the_account_the_view_and_the_measure(self, account: mw.Account) -> None:
        selection = Selection()
        plot = LossWaterfall(account, selection)
        selection.view = "ETHUSDT"
        assert plot.fall.move.symbol == "ETHUSDT"
        account.positions["BTCUSDT"].quantity = 0.55
        assert plot.fall.outcomes["cross"].pnl[0] == 0
        send(plot._switch, type="action", action="axis", value="all")
        assert selection.view == "all"
        assert plot.fall.outcomes["cross"].pnl[0] == pytest.approx(-6_600)
        send(plot._switch, type="action", action="measure", value="margin_balance")
        assert "Margin balance now" in plot.picture.html
        plot.marks = {"BTCUSDT": 90_000, "ETHUSDT": 3_900}
        assert "on a straight way" in plot.caption
        plot.close()

    def test_is_quiet_while_hidden(self, account: mw.Account) -> None:
        plot = LossWaterfall(account, active=False)
        assert plot.picture.html == ""
        account.positions["BTCUSDT"].quantity = 0.55
        plot.active = True
        assert "−6,600.00" in plot.picture.html
        plot.close()

    def test_no_positions_in_words(self) -> None:
        account = mw.Account("binance-usdm", {"USDT": 5})
        plot = LossWaterfall(account)
        assert plot.caption.startswith("Add a position")
        assert plot.picture.html == ""
        account.positions.append(mw.Position("BTCUSDT", 0.01, 100_000))
        assert "BTCUSDT" in plot.picture.html
        plot.close()

    def test_markup_in_a_symbol_is_text(self) -> None:
        bad = "<img src=x>USDT"
        account = mw.Account(
            mw.venues.generic(tiers={bad: 0.005}), {"USDT": 100}, [mw.Position(bad, 1, 100)]
        )
        plot = LossWaterfall(account)
        for text in (
            plot._switch.html,
            plot.picture.html,
            plot._data_box.html,
            plot._caption_box.html,
        ):
            assert "<img" not in text
        assert "<img" not in plot.fall._repr_html_()
        plot.close()

    def test_static_twin_says_the_same(self, account: mw.Account) -> None:
        plot = LossWaterfall(account)
        bundle = plot._repr_mimebundle_()
        assert "<svg" in bundle["text/html"]
        assert "−4,773.87" in bundle["text/html"]
        assert plot.caption in bundle["text/plain"]
        plot.close()

    def test_a_hundred_leave_nothing(self, account: mw.Account) -> None:
        LossWaterfall(account).close()
        gc.collect()
        widgets = len(_instances)
        selection = Selection()
        for number in range(100):
            plot = LossWaterfall(account, selection)
            account.positions[0].leverage = 5 + number % 3
            plot.close()
        gc.collect()
        assert len(_instances) == widgets
        assert not any(account._trait_notifiers.get("revision", {}).values())
