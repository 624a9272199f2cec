"""Collateral under stress: against independent arithmetic, and honest marks."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances
from strategies import account as account_of
from strategies import books
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.collateral_stress import (
    MODES,
    collateral_stress,
    followed_symbol,
    stressed_assets,
)
from margin_widgets.widgets.collateral_stress_plot import CollateralStressPlot


def send(widget: Any, **message: Any) -> None:
    widget._handle_custom_msg(message, [])


@pytest.fixture
def pegged() -> mw.Account:
    """Long half a bitcoin on 1,000 USDT and 8,000 USDC, of which a tenth does not count."""
    return mw.Account(
        mw.venues.generic(tiers={"BTCUSDT": 0.005}),
        {"USDT": 1_000, "USDC": 8_000},
        [mw.Position("BTCUSDT", 0.5, 100_000, leverage=10)],
        {"BTCUSDT": 90_000},
        haircuts={"USDC": 0.1},
    )


class TestArithmetic:
    def test_a_de_peg_by_hand(self, pegged: mw.Account) -> None:
        stress = collateral_stress(pegged, "USDC")
        # 1,000 - 5,000 + 0.9 * 8,000 * (1 + x) = 0.005 * 45,000
        (event,) = stress.cross.events
        assert event.x == pytest.approx((225 + 4_000) / 7_200 - 1, abs=1e-12)
        assert stress.ratio_at("cross", 0.0) == pytest.approx(225 / 3_200)
        assert stress.ratio_at("cross", -0.2) == pytest.approx(225 / (7_200 * 0.8 - 4_000))
        assert stress.haircut == pytest.approx(0.1)

    def test_isolated_pools_do_not_hold_it(self, pegged: mw.Account) -> None:
        pegged.positions[0].margin = 5_300
        stress = collateral_stress(pegged, "USDC")
        assert stress.isolated.events == ()
        assert stress.isolated.margin_ratio == pytest.approx(225 / 300)
        assert "none of its pools holds it" in stress.text

    def test_prices_set_by_hand_say_the_same(self, pegged: mw.Account) -> None:
        stress = collateral_stress(pegged, "USDC")
        for x in (-0.3, -0.1, 0.02):
            other = pegged.copy()
            other.prices["USDC"] = 1 + x
            assert stress.ratio_at("cross", x) == pytest.approx(other.cross.margin_ratio)
        (event,) = stress.cross.events
        pegged.prices["USDC"] = 1 + event.x
        assert pegged.cross.margin_ratio == pytest.approx(1.0, abs=1e-9)

    def test_wrong_way_collateral_moves_with_its_mark(self) -> None:
        account = mw.presets.bitcoin_on_bitcoin()
        assert followed_symbol(account, "BTC") == "BTCUSDT"
        stress = collateral_stress(account, "BTC")
        for mode in MODES:
            (price, _) = getattr(account, mode).trigger_prices("BTCUSDT")
            (event,) = getattr(stress, mode).events
            assert event.x == pytest.approx(price / 100_000 - 1, abs=1e-12)
        # 0.95 * 0.2 * P + 0.5 (P - 100,000) = 0.004 * 0.5 P
        assert stress.cross.events[0].x == pytest.approx(0.5 / (0.19 + 0.5 - 0.002) - 1, abs=1e-9)
        alone = collateral_stress(account, "BTC", with_mark=False)
        assert alone.symbol is None
        # 0.19 * 100,000 (1 + x) = 200
        assert alone.cross.events[0].x == pytest.approx(200 / 19_000 - 1, abs=1e-12)
        assert alone.isolated.events == ()

    def test_the_account_currency_is_its_own_price(self) -> None:
        account = mw.presets.ref2()
        assert stressed_assets(account) == ()
        assert "its own price is 1" in collateral_stress(account, "USDT").text

    @pytest.mark.parametrize(
        ("asset", "arguments", "words"),
        [
            ("USDX", {}, "no collateral"),
            ("USDC", {"low": -1.0}, "low"),
            ("USDC", {"low": 0.1, "high": 0.1}, "high"),
        ],
    )
    def test_bad_input_is_named(
        self, pegged: mw.Account, asset: str, arguments: Any, words: str
    ) -> None:
        with pytest.raises((KeyError, TraitError), match=words):
            collateral_stress(pegged, asset, **arguments)


@settings(max_examples=40, deadline=None)
@given(books(), st.floats(-0.6, 0.3), st.data())
def test_agrees_with_an_account_that_has_the_price(spec: Any, x: float, data: Any) -> None:
    account = account_of(spec)
    assets = stressed_assets(account)
    assume(assets)
    asset = data.draw(st.sampled_from(assets))
    stress = collateral_stress(account, asset, with_mark=False, low=-0.7, high=0.4)
    for mode in MODES:
        report = getattr(account, mode)
        near = [event for event in getattr(stress, mode).events if 0 <= event.x / (x or 1) <= 1]
        if near or report.status != "ok" or followed_symbol(account, asset):
            continue
        other = account.copy()
        other.prices[asset] = account.asset_price(asset) * (1 + x)
        ours, theirs = stress.ratio_at(mode, x), getattr(other, mode).margin_ratio
        if ours is None or theirs is None:
            assert not account.positions or theirs is None or theirs == 0
        else:
            assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


class TestWidget:
    def test_lines_end_where_pools_die(self, pegged: mw.Account) -> None:
        plot = CollateralStressPlot(pegged)
        (event,) = plot.data.cross.events
        line = plot.cross_line
        assert np.nanmax(line.y) == pytest.approx(1.0)
        assert not np.isfinite(line.y[:-1][line.x[:-1] < event.x]).any()
        assert list(plot.ends.x) == [event.x]
        assert (plot.ends.y == 1.0).all()
        assert np.isfinite(line.y[-1])
        plot.close()

    def test_follows_edits_in_place_and_switches(self) -> None:
        account = mw.presets.multi_asset()
        plot = CollateralStressPlot(account)
        assert plot.asset == "BTC"
        line, figure = plot.cross_line, plot.figure
        before = plot.data.cross.events[0].x
        send(plot._controls, type="action", action="with_mark", value="no")
        assert plot.data.symbol is None
        send(plot._controls, type="action", action="with_mark", value="yes")
        account.haircuts["BTC"] = 0.5
        assert plot.data.cross.events[0].x > before
        send(plot._controls, type="action", action="asset", value="ETH")
        assert plot.data.asset == "ETH"
        assert plot.cross_line is line and plot.figure is figure
        del account.collateral["ETH"]
        assert plot.asset == "BTC"
        plot.close()

    def test_empty_states_are_words(self) -> None:
        plot = CollateralStressPlot(mw.presets.ref2())
        assert plot.caption.startswith("No collateral but USDT")
        assert plot.figure not in plot.children
        plot.account.collateral["USDC"] = 500
        assert plot.figure in plot.children
        assert plot.asset == "USDC"
        plot.close()

    def test_caption_and_table_tell_the_same(self, pegged: mw.Account) -> None:
        plot = CollateralStressPlot(pegged)
        assert "haircut 10.0" in plot.caption
        assert "liquidated: the account at −41.32" in plot.caption
        send(plot._controls, type="action", action="data", value=None)
        assert "liquidated here" in plot._data_box.html
        assert "4,224" in plot._data_box.html or "4,694" in plot._data_box.html
        bundle = plot._repr_mimebundle_()
        assert "<svg" in bundle["text/html"] and "−41.32" in bundle["text/html"]
        plot.close()

    def test_markup_in_an_asset_is_text(self) -> None:
        bad = "<b>X</b>"
        account = mw.Account(
            mw.venues.generic(tiers={"BTCUSDT": 0.005}),
            {"USDT": 100, bad: 5},
            [mw.Position("BTCUSDT", 0.01, 100_000)],
            prices={bad: 3.0},
        )
        plot = CollateralStressPlot(account, asset=bad)
        send(plot._controls, type="action", action="data", value=None)
        for box in (plot._controls, plot._caption_box, plot._data_box):
            assert "<b>X" not in box.html
        assert "<b>X" not in plot.data._repr_html_()
        plot.close()

    def test_fifty_leave_nothing(self) -> None:
        account = mw.presets.multi_asset()
        CollateralStressPlot(account).close()
        CollateralStressPlot(mw.presets.ref2()).close()
        gc.collect()
        widgets = len(_instances)
        for number in range(50):
            plot = CollateralStressPlot(account)
            account.positions[0].leverage = 5 + number % 3
            plot.close()
            CollateralStressPlot(mw.presets.ref2()).close()
        gc.collect()
        assert len(_instances) == widgets
        assert not any(account._trait_notifiers.get("revision", {}).values())
