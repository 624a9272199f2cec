"""Liquidation against leverage: its numbers, its marks, its drags, and what it leaves behind."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances as registry
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.chart_svg import log_ticks, round_ticks
from margin_widgets.account.leverage_curve import leverage_curve
from margin_widgets.account.likely_moves import LikelyMoves
from margin_widgets.widgets.leverage_plot import GUIDES, LeveragePlot
from margin_widgets.widgets.selection import Selection


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


@pytest.fixture
def plot(account: mw.Account) -> Iterator[LeveragePlot]:
    plot = LeveragePlot(account)
    yield plot
    plot.close()


def drag(plot: LeveragePlot, x: float, *, end: bool = True) -> None:
    """What the browser says of a drag of the handle."""
    mark = plot.handle
    for event in ("drag_start", "drag", "drag_end")[: 3 if end else 2]:
        mark._handle_custom_msgs(mark, {"event": event, "point": {"x": x, "y": 0.1}, "index": 0})


def act(plot: Any, action: str, value: object) -> None:
    box = plot._data_box if action == "data" else plot._controls
    box._handle_custom_msg({"type": "action", "action": action, "value": value}, [])


# ---------------------------------------------------------------- the computation


def test_reference_numbers(account: mw.Account) -> None:
    curve = leverage_curve(account, "BTCUSDT")
    assert curve.now.isolated == pytest.approx(90_452.2613, abs=1e-4)
    there = curve.at(20)
    assert there.isolated == pytest.approx(95_477.3869, abs=1e-4)
    assert there.cross == curve.now.cross == pytest.approx(80_804.0201, abs=1e-4)
    assert there.margin == 2_500
    assert curve.effective_now == pytest.approx(7.0)
    assert curve.end == pytest.approx(200.0)  # 1 / 200 = 0.5 %
    assert curve.condition == " if ETHUSDT stays at 4,000.00"


def test_curve_is_what_the_account_says_at_each_leverage(account: mw.Account) -> None:
    curve = leverage_curve(account, "ETHUSDT")
    for leverage in (1.5, 3, 12, 40, 90):
        account.positions["ETHUSDT"].leverage = leverage
        there = curve.at(leverage)
        isolated = account.isolated.positions["ETHUSDT"].liquidation_price
        assert there.isolated == pytest.approx(isolated, rel=1e-12)
        assert there.cross == account.cross.positions["ETHUSDT"].liquidation_price


@pytest.mark.parametrize("sign", [1, -1])
@given(leverage=st.floats(1.2, 90), rate=st.floats(0.001, 0.01), price=st.floats(0.01, 1e5))
@settings(max_examples=40, deadline=None)
def test_isolated_price_by_hand(sign: int, leverage: float, rate: float, price: float) -> None:
    account = mw.Account(
        venue=mw.venues.generic(tiers={"XUSDT": rate}),
        collateral={"USDT": 1e9},
        positions=[mw.Position("XUSDT", 2.0 * sign, price, leverage=10)],
    )
    # Margin E / l per coin; s P + (E / l - s E) = rate P.
    by_hand = price * (sign - 1 / leverage) / (sign - rate)
    assert leverage_curve(account).at(leverage).isolated == pytest.approx(by_hand, rel=1e-9)


def test_cross_does_not_follow_the_setting(account: mw.Account) -> None:
    curve = leverage_curve(account)
    assert np.ptp(curve.cross) == 0
    assert (np.diff(curve.isolated_distance[np.isfinite(curve.isolated_distance)]) < 0).all()


def test_a_fee_at_the_bankruptcy_price_moves_cross_a_little() -> None:
    rules = mw.venues.generic(tiers={"XUSDT": 0.01, "YUSDT": 0.02}).replace(
        taker_fee=0.001, closing_fee_in_maintenance=True, closing_fee_at="bankruptcy"
    )
    account = mw.Account(
        rules,
        {"USDT": 500},
        [mw.Position("XUSDT", 10, 100), mw.Position("YUSDT", -5, 100)],
    )
    curve = leverage_curve(account, "XUSDT")
    assert np.ptp(curve.cross) > 0
    for leverage in (2.0, 25.0):
        account.positions["XUSDT"].leverage = leverage
        assert curve.at(leverage).cross == pytest.approx(
            account.cross.positions["XUSDT"].liquidation_price, rel=1e-12
        )
    assert "closing fee" in curve.text


def test_effective_curve_is_the_pool_with_another_wallet(account: mw.Account) -> None:
    curve = leverage_curve(account, "BTCUSDT")
    for place in (0, len(curve.effective) // 2):
        leverage = curve.effective[place]
        account.collateral["USDT"] = 70_000 / leverage
        assert account.cross.effective_leverage == pytest.approx(leverage)
        found = account.cross.positions["BTCUSDT"].distance
        assert curve.effective_distance[place] == pytest.approx(
            np.nan if found is None else found, rel=1e-9, nan_ok=True
        )


def test_tier_changes_lie_on_the_curve() -> None:
    # Two tiers: the price at which the notional is 300,000 is 75,000.
    account = mw.Account(
        mw.venues.generic(tiers={"BTCUSDT": [(0, 0.004, 100), (300_000, 0.05, 50)]}),
        {"USDT": 200_000},
        [mw.Position("BTCUSDT", 4, 100_000, leverage=3)],
        {"BTCUSDT": 100_000},
    )
    curve = leverage_curve(account)
    ((leverage, tier),) = curve.tier_changes
    assert tier == 2
    assert curve.at(leverage).isolated == pytest.approx(75_000)
    # Margin with which 4 coins are at maintenance there: 4 * 25,000 + 0.004 * 300,000.
    assert leverage == pytest.approx(400_000 / 101_200)
    assert leverage in curve.leverage
    assert curve.cap == 50
    assert curve.allowed <= 50


def test_assigned_margin_stays_until_the_leverage_is_set(account: mw.Account) -> None:
    account.positions["BTCUSDT"].margin = 7_712.50
    curve = leverage_curve(account, "BTCUSDT")
    assert curve.now.isolated == pytest.approx(85_000)
    assert curve.at(10).isolated == pytest.approx(90_452.2613, abs=1e-4)
    assert "assigned by hand" in curve.text


def test_refusals_name_what_is_wrong(account: mw.Account) -> None:
    with pytest.raises(KeyError, match="no 'BTCUSD'"):
        leverage_curve(account, "BTCUSD")
    with pytest.raises(TraitError, match="positions: none"):
        leverage_curve(mw.Account(venue="binance-usdm", collateral={"USDT": 1}))


@pytest.mark.parametrize(
    "make",
    [
        mw.presets.hedged_pair,
        mw.presets.bitcoin_on_bitcoin,
        mw.presets.multi_asset,
        mw.presets.inverse,
        mw.presets.exchange_account,
    ],
)
def test_every_preset_is_drawn_and_agrees_with_its_account(make: Any) -> None:
    account = make()
    for key in account.books.keys:
        curve = leverage_curve(account, key)
        for mode in ("isolated", "cross"):
            expected = getattr(account, mode).positions[key].liquidation_price
            found = getattr(curve.now, mode)
            assert found == pytest.approx(expected, rel=1e-9) if expected else found is None
        assert np.isfinite(curve.margin).all()
        assert curve.to_frame().shape == (len(curve.leverage), 6)
        page = curve._repr_html_()
        assert page.count("<svg") == 1
        assert not re.search(r"\bnan\b", page)


def test_ticks_are_round() -> None:
    assert round_ticks(0.0, 1.0, 5) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert log_ticks(1, 224) == [1, 2, 5, 10, 20, 50, 100, 200]
    assert log_ticks(1e3, 1e9) == [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]


# ---------------------------------------------------------------- the widget


def test_marks_hold_the_curves(plot: LeveragePlot) -> None:
    data = plot.data
    known = np.isfinite(plot.isolated_line.y)
    assert plot.isolated_line.x[known].min() >= 1.0
    assert plot.isolated_line.y[known].max() <= plot._y.max
    assert np.ptp(plot.cross_line.y) == 0
    assert plot.cross_line.y[0] == pytest.approx(0.1919598)
    assert (plot.handle.x[0], plot.handle.y[0]) == (10, pytest.approx(0.0954774))
    # Greyed from where initial margin is below maintenance.
    grey = plot.guides.x[0][np.isfinite(plot.guides.x[0])]
    assert grey[:-1].min() == pytest.approx(data.allowed)
    # The price axis says what a distance means.
    assert plot.price_axis.tick_labels["0.2"] == "80,000"


def test_dragging_along_the_curve_is_one_edit(account: mw.Account, plot: LeveragePlot) -> None:
    revision = account.revision
    drag(plot, 20.2)
    assert account.revision == revision + 1
    assert account.positions["BTCUSDT"].leverage == 20
    assert account.isolated.positions["BTCUSDT"].liquidation_price == pytest.approx(
        95_477.39, abs=0.01
    )
    assert account.cross.positions["BTCUSDT"].liquidation_price == pytest.approx(
        80_804.02, abs=0.01
    )
    assert plot.handle.x[0] == 20
    account.undo()
    assert account.positions["BTCUSDT"].leverage == 10
    assert plot.handle.x[0] == 10


def test_preview_leaves_the_account_alone(account: mw.Account, plot: LeveragePlot) -> None:
    revision = account.revision
    drag(plot, 20.2, end=False)
    assert account.revision == revision
    assert "95,477.39" in plot.caption
    assert "cross 80,804.02" in plot.caption
    assert plot.trial.visible
    assert plot.trial.y[0] == pytest.approx(0.0452261)
    drag(plot, 10.0)
    assert not plot.trial.visible


def test_a_drag_into_the_grey_is_held_and_told(account: mw.Account, plot: LeveragePlot) -> None:
    drag(plot, 220.0)
    assert account.positions["BTCUSDT"].leverage == 199
    assert plot.message.startswith("held at 199×: initial margin does not cover maintenance")
    other = LeveragePlot(mw.presets.hedged_pair())
    drag(other, 200.0)
    assert other.account.positions[0].leverage == 150
    assert "the most that binance-usdm allows" in other.message
    other.close()


def test_typing_a_leverage_does_the_same(account: mw.Account, plot: LeveragePlot) -> None:
    account.positions["BTCUSDT"].margin = 6_000
    act(plot, "leverage", "20×")
    assert account.positions["BTCUSDT"].leverage == 20
    assert account.positions["BTCUSDT"].margin is None
    account.undo()
    assert account.positions["BTCUSDT"].margin == 6_000
    revision = account.revision
    for bad, words in (("0", "leverage"), ("5000", "1000"), ("much", "not a number")):
        act(plot, "leverage", bad)
        assert words in plot.message
    assert account.revision == revision


def test_position_is_the_shared_selection(account: mw.Account) -> None:
    selection = Selection(key="ETHUSDT")
    plot = LeveragePlot(account, selection)
    assert plot.data.key == "ETHUSDT"
    act(plot, "position", "BTCUSDT")
    assert selection.key == plot.data.key == "BTCUSDT"
    account.positions.remove("BTCUSDT")
    assert plot.data.key == "ETHUSDT"
    plot.close()


def test_no_positions_in_words_and_back(account: mw.Account, plot: LeveragePlot) -> None:
    with account.edit():
        del account.positions[1]
        del account.positions[0]
    assert plot.caption == "Add a position to see where leverage puts its liquidation."
    assert plot.figure not in plot.children
    account.undo()
    assert plot.figure in plot.children


def test_table_and_static_twin_say_the_same(plot: LeveragePlot) -> None:
    assert "<table" not in plot._data_box.html
    act(plot, "data", None)
    assert 'aria-expanded="true"' in plot._data_box.html
    assert "95,477.39" in plot._data_box.html
    bundle = plot._repr_mimebundle_()
    assert "95,477.39" in bundle["text/html"]
    assert plot.caption in bundle["text/html"]
    assert not re.search(r"(href|src)=", bundle["text/html"])


def test_markup_in_a_symbol_is_text() -> None:
    bad = "<img src=x>USDT"
    account = mw.Account(
        venue=mw.venues.generic(tiers={bad: 0.005}),
        collateral={"USDT": 100},
        positions=[mw.Position(bad, 1, 100), mw.Position(bad, -1, 100)],
    )
    plot = LeveragePlot(account)
    act(plot, "data", None)
    for text in (
        plot._controls.html,
        plot._caption_box.html,
        plot._repr_mimebundle_()["text/html"],
    ):
        assert "<img" not in text
    plot.close()


def test_hidden_it_waits_and_catches_up(account: mw.Account) -> None:
    plot = LeveragePlot(account, active=False)
    assert plot.data is None
    account.positions["BTCUSDT"].leverage = 25
    assert plot.data is None
    plot.active = True
    assert plot.handle.x[0] == 25
    plot.close()


def test_a_hundred_leave_nothing(account: mw.Account) -> None:
    before = len(registry)
    observers = len(account._trait_notifiers.get("revision", {}).get("change", []))
    for number in range(100):
        plot = LeveragePlot(account, active=number % 5 != 0)
        account.positions[0].leverage = 5 + number % 7
        plot.close()
        plot.close()
    assert len(registry) == before
    assert len(account._trait_notifiers.get("revision", {}).get("change", [])) == observers


# -- the largest leverage for a probability ---------------------------------------------------


WEEK = LikelyMoves({"BTCUSDT": 0.6, "ETHUSDT": 0.8}, correlation=0.85, days=7)


@pytest.mark.parametrize("down", [True, False])
@pytest.mark.parametrize("probability", [0.001, 0.05, 0.5, 0.99])
def test_a_level_is_touched_twice_as_often_as_it_is_passed(probability: float, down: bool) -> None:
    away = WEEK.touched("BTCUSDT", probability, down=down)
    deviations = abs(math.log(1 - away if down else 1 + away)) / (0.6 * math.sqrt(7 / 365))
    beyond_at_the_end = 0.5 * math.erfc(deviations / math.sqrt(2))
    assert 2 * beyond_at_the_end == pytest.approx(probability, rel=1e-9)


def test_simulated_marks_touch_it_as_often() -> None:
    away = WEEK.touched("BTCUSDT", 0.2, down=True)
    steps, paths = 2_000, 4_000
    rng = np.random.default_rng(7)
    moves = rng.standard_normal((paths, steps), dtype=np.float32) * 0.6 * math.sqrt(7 / 365 / steps)
    touched = (np.cumsum(moves, axis=1).min(axis=1) <= math.log(1 - away)).mean()
    # Between two steps a mark can touch and return unseen, so a little less.
    assert 0.17 < touched < 0.21


def test_largest_leverage_for_a_probability(account: mw.Account) -> None:
    curve = leverage_curve(account, "BTCUSDT", likely=WEEK, probability=0.05)
    away = 1 - math.exp(-1.959963985 * 0.6 * math.sqrt(7 / 365))
    # Isolated at entry 100,000 with maintenance of 0.5 %: 1 - distance = (1 - 1 / L) / 0.995.
    by_hand = 1 / (1 - 0.995 * (1 - away))
    assert curve.likely_most == pytest.approx(by_hand, rel=1e-4)
    said = curve.text.replace("\N{NO-BREAK SPACE}", " ")
    assert f"Up to {by_hand:.4g}× isolated liquidation is less likely than 5 % in 7 days" in said


def test_more_caution_is_less_leverage(account: mw.Account) -> None:
    found = [
        leverage_curve(account, likely=WEEK, probability=chance).likely_most
        for chance in (0.01, 0.05, 0.2, 0.6)
    ]
    assert all(one is not None for one in found)
    assert found == sorted(found)  # type: ignore[type-var]


def test_the_picture_marks_it(account: mw.Account) -> None:
    plot = mw.LeveragePlot(account, likely=WEEK)
    number = list(GUIDES).index("likely")
    marked = plot.guides.x[number][np.isfinite(plot.guides.x[number])][:-1]
    assert plot.data is not None
    assert marked == pytest.approx([plot.data.likely_most] * 2)
    assert "less likely than 5" in plot.caption
    before = plot.data.likely_most
    plot.probability = 0.2
    assert plot.data.likely_most > before
    with pytest.raises((ValueError, TraitError), match="probability"):
        plot.probability = 1.5
    assert plot.probability == 0.2
    plot.likely = None
    assert plot.data.likely_most is None
    assert "likely" not in plot.caption
    plot.close()
