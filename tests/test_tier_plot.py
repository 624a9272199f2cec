"""The tier staircase: its numbers, its marks, its drags, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances as registry

import margin_widgets as mw
from margin_widgets.account.tier_curve import JUST_ABOVE, rate_text, tier_curve
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.tier_plot import TierPlot

# The two-tier case of T17: maintenance amount 300 in the second tier.
TIERS = [(0, 0.004, 150), (300_000, 0.005, 100), (800_000, 0.0065, 75)]


def btc(quantity: float = 4, **rules: Any) -> mw.Account:
    return mw.Account(
        mw.venues.generic(tiers={"BTCUSDT": TIERS}).replace(**rules),
        {"USDT": 1e6},
        [mw.Position("BTCUSDT", quantity, 100_000, leverage=10)],
        {"BTCUSDT": 100_000},
    )


@pytest.fixture
def account() -> mw.Account:
    return btc()


@pytest.fixture
def plot(account: mw.Account) -> Iterator[TierPlot]:
    plot = TierPlot(account)
    yield plot
    plot.close()


def drag(plot: TierPlot, x: float, *, end: bool = True) -> None:
    mark = plot.handle
    for event in ("drag_start", "drag", "drag_end")[: 3 if end else 2]:
        mark._handle_custom_msgs(mark, {"event": event, "point": {"x": x, "y": 0.1}, "index": 0})


def act(plot: Any, action: str, value: object) -> None:
    box = plot._data_box if action == "data" else plot._controls
    box._handle_custom_msg({"type": "action", "action": action, "value": value}, [])


# ---------------------------------------------------------------- the computation


def test_second_tier_by_hand(account: mw.Account) -> None:
    curve = tier_curve(account)
    assert (curve.now.tier, curve.now.rate) == (2, 0.005)
    assert curve.now.maintenance == pytest.approx(0.005 * 400_000 - 300)
    assert curve.now.maintenance == pytest.approx(account.cross.maintenance_margin)
    assert curve.unit == "notional (USDT)"
    assert curve.table()[1][1][-1] == "1,200.00"


def test_maintenance_is_continuous_at_the_floors_and_the_rate_is_not(account: mw.Account) -> None:
    curve = tier_curve(account)
    for floor, low, high in ((300_000.0, 0.004, 0.005), (800_000.0, 0.005, 0.0065)):
        place = int(np.flatnonzero(curve.amount == floor)[0])
        assert curve.amount[place + 1] == floor * JUST_ABOVE
        assert curve.maintenance[place + 1] - curve.maintenance[place] == pytest.approx(0, abs=1e-6)
        assert (curve.rate[place], curve.rate[place + 1]) == (low, high)
    assert (np.diff(curve.maintenance) >= 0).all()


@given(quantity=st.floats(0.01, 40) | st.floats(-40, -0.01))
@settings(max_examples=40, deadline=None)
def test_curve_is_what_the_account_holds_at_every_size(quantity: float) -> None:
    account = btc(3.0 if quantity > 0 else -3.0)
    there = tier_curve(account).at(abs(quantity) * 100_000)
    account.positions[0].quantity = quantity
    assert there.quantity == pytest.approx(quantity)
    assert there.maintenance == pytest.approx(account.cross.maintenance_margin, rel=1e-9)


@pytest.mark.parametrize(
    ("rules", "unit"),
    [
        ({"tiers_by": "size"}, "size (BTC)"),
        ({"tiers_by": "contracts"}, "contracts"),
        ({"tiers_by": "contracts", "tier_rate": "whole"}, "contracts"),
        ({"tier_rate": "whole", "maintenance_at": "entry"}, "notional at entry (USDT)"),
        ({"maintenance_at": "entry"}, "notional at entry (USDT)"),
        ({"taker_fee": 0.001, "closing_fee_in_maintenance": True}, "notional (USDT)"),
        ({"size_slopes": {"BTCUSDT": 0.0001}}, "notional (USDT)"),
    ],
)
def test_tiers_by_other_amounts(rules: dict[str, Any], unit: str) -> None:
    account = btc(**rules)
    if rules.get("tiers_by"):
        account.venue = account.venue.replace(
            tiers={"BTCUSDT": [(0, 0.004), (3, 0.005), (9, 0.01)]}
        )
    account.marks["BTCUSDT"] = 110_000
    curve = tier_curve(account)
    assert curve.unit == unit
    assert curve.now.maintenance == pytest.approx(account.cross.maintenance_margin, rel=1e-12)
    for quantity in (0.7, 3.5, 12.0):
        amount = quantity * curve.per_contract
        account.positions[0].quantity = quantity
        assert curve.at(amount).maintenance == pytest.approx(
            account.cross.maintenance_margin, rel=1e-12
        )


def test_a_rate_for_the_whole_position_jumps_and_says_so() -> None:
    account = btc(tiers_by="contracts", tier_rate="whole")
    account.venue = account.venue.replace(tiers={"BTCUSDT": [(0, 0.004), (3, 0.005)]})
    curve = tier_curve(account)
    assert not curve.continuous
    place = int(np.flatnonzero(curve.amount == 3)[0])
    # 3 coins at 100,000: 0.4 % of 300,000, then 0.5 %.
    assert curve.maintenance[place : place + 2] == pytest.approx([1_200, 1_500])
    assert "maintenance margin jumps too" in curve.text
    assert np.isnan(curve.gapped()[1]).sum() == 1
    plot = TierPlot(account)
    assert np.isnan(plot.margin_line.y).sum() == 1
    plot.close()


@pytest.mark.parametrize("venue", [name for name in mw.venues.names() if name != "generic"])
def test_every_venue_with_tiers_is_drawn(venue: str) -> None:
    rules = mw.venues.get(venue)
    for symbol in list(rules.tiers)[:2]:
        if rules.contract(symbol).is_option:
            continue
        account = mw.Account(
            rules,
            {rules.currency: 1e7},
            [mw.Position(symbol, 3, 50_000, leverage=2)],
            {symbol: 50_000},
            prices={"XBT": 60_000} if venue == "bitmex" else {},
        )
        curve = tier_curve(account)
        held = account.cross.ledger.marked.maintenance[0]
        assert curve.now.maintenance == pytest.approx(held, rel=1e-9)
        assert "<svg" in curve._repr_html_()


def test_rates_are_written_with_the_digits_they_need() -> None:
    assert rate_text(0.0065) == "0.65\N{NO-BREAK SPACE}%"
    assert rate_text(0.1) == "10\N{NO-BREAK SPACE}%"


# ---------------------------------------------------------------- the widget


def test_marks_hold_the_tiers(plot: TierPlot) -> None:
    data = plot.data
    assert np.array_equal(plot.margin_line.y, data.maintenance)
    assert set(plot.rate_line.y) == {0.004, 0.005, 0.0065}
    assert plot.handle.x[0] == 400_000
    assert plot.handle.y[0] == pytest.approx(1_700)
    assert plot.rate_point.y[0] == 0.005
    # Two panels in one frame: no rate is drawn below its zero, no margin above its panel.
    assert plot.data.highest[0] / plot._y.max == pytest.approx(0.5)
    assert -plot._rate.min / (plot._rate.max - plot._rate.min) == pytest.approx(0.6)


def test_dragging_sets_the_quantity_once(account: mw.Account, plot: TierPlot) -> None:
    revision, span = account.revision, plot.data.span
    drag(plot, 250_400.0, end=False)
    assert account.revision == revision
    assert "must hold 1,000.00 USDT" in plot.caption
    drag(plot, 250_400.0)
    assert account.positions[0].quantity == 2.5
    assert account.revision == revision + 1
    assert plot.handle.x[0] == 250_000
    assert plot.data.span == span
    account.undo()
    assert account.positions[0].quantity == 4


def test_a_short_stays_a_short() -> None:
    plot = TierPlot(btc(-4))
    drag(plot, 250_400.0)
    assert plot.account.positions[0].quantity == -2.5
    plot.close()


def test_a_drag_beyond_the_picture_is_held_and_told(account: mw.Account, plot: TierPlot) -> None:
    drag(plot, 1e9)
    assert plot.message.startswith("held at the edge of the picture: quantity")
    assert account.positions[0].quantity * 100_000 < 1e9


def test_typing_does_the_same(account: mw.Account, plot: TierPlot) -> None:
    act(plot, "quantity", "2.5")
    assert account.positions[0].quantity == 2.5
    for bad, words in (("0", "must not be zero"), ("two", "not a number")):
        act(plot, "quantity", bad)
        assert words in plot.message
        assert account.positions[0].quantity == 2.5


def test_table_and_static_twin(plot: TierPlot) -> None:
    act(plot, "data", None)
    assert "2 (now)" in plot._data_box.html
    page = plot._repr_mimebundle_()["text/html"]
    assert "2 (now)" in page
    assert plot.caption in page


def test_options_are_told_in_words() -> None:
    rules = mw.venues.get("deribit")
    perpetual = next(s for s in rules.tiers if "BTC" in s and "PERP" in s)
    account = mw.Account(
        rules,
        {"BTC": 1},
        [mw.Position("BTC-25DEC26-100000-C", -1, 0.05), mw.Position(perpetual, 10_000, 100_000)],
        {"BTC-25DEC26-100000-C": 0.05, perpetual: 100_000},
        as_of="2026-09-01",
    )
    selection = Selection()
    plot = TierPlot(account, selection)
    assert "no maintenance tiers" in plot.caption
    assert plot.figure not in plot.children
    selection.key = perpetual
    assert plot.figure in plot.children
    plot.close()


def test_a_hundred_leave_nothing(account: mw.Account) -> None:
    before = len(registry)
    observers = len(account._trait_notifiers.get("revision", {}).get("change", []))
    for number in range(100):
        plot = TierPlot(account, active=number % 5 != 0)
        account.positions[0].quantity = 1 + number % 7
        plot.close()
    assert len(registry) == before
    assert len(account._trait_notifiers.get("revision", {}).get("change", [])) == observers
