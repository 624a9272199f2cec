"""Funding drift: exact days, prices against accounts that have paid, and honest marks."""

from __future__ import annotations

import gc
import math
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
from margin_widgets.account.funding_drift import MODES, funding_drift
from margin_widgets.widgets.funding_drift_plot import FundingDriftPlot
from margin_widgets.widgets.selection import Selection


def send(widget: Any, **message: Any) -> None:
    widget._handle_custom_msg(message, [])


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


class TestArithmetic:
    @pytest.mark.parametrize(
        ("key", "isolated"),
        # (margin - maintenance) / (3 payments of 0.01 % of the notional)
        [("BTCUSDT", (5_000 - 250) / 15), ("ETHUSDT", (2_000 - 200) / 6)],
    )
    def test_reference_days(self, account: mw.Account, key: str, isolated: float) -> None:
        drift = funding_drift(account, key, 0.0001)
        assert drift.isolated.crossing == pytest.approx(isolated, abs=1e-9)
        assert drift.cross.crossing == pytest.approx((10_000 - 450) / 21, abs=1e-9)
        assert drift.isolated.payment == math.ceil(isolated * 3 - 1e-9)
        assert drift.isolated.prices[-1] == drift.mark

    def test_prices_on_the_way_by_hand(self, account: mw.Account) -> None:
        drift = funding_drift(account, "BTCUSDT", 0.0001)
        for day in (0.0, 10.0, 100.0):
            # (q E - M) / (q (1 - m)), the margin being less by what was paid.
            assert drift.price_at("isolated", day) == pytest.approx(
                (50_000 - 5_000 + 15 * day) / (0.5 * 0.995), abs=1e-8
            )
            assert drift.price_at("cross", day) == pytest.approx(
                (50_000 - 10_000 + 21 * day + 200) / (0.5 * 0.995), abs=1e-8
            )
        assert drift.price_at("isolated", 400.0) is None

    def test_an_account_that_has_paid_says_the_same(self) -> None:
        account = mw.presets.multi_asset()
        drift = funding_drift(account, "SOLUSDT", 0.0003)
        paid = sum(
            math.copysign(1, one.quantity) * abs(one.quantity) * account.mark(one.symbol)
            for one in account.positions
        )
        day = 60.0
        amount = 0.0003 * 3 * day * paid
        assert drift.cross.per_day * day == pytest.approx(amount)
        account.collateral["USDT"] -= amount
        there = account.cross.positions["SOLUSDT"].liquidation_price
        ours = drift.price_at("cross", day)
        assert ours == (None if there is None else pytest.approx(there, rel=1e-10))

    def test_inverse_contracts_pay_in_coin(self) -> None:
        account = mw.presets.inverse()
        drift = funding_drift(account, "BTCUSD_PERP", 0.0001)
        # 500 contracts of 100 USD at 100,000 are 0.5 BTC, 0.00015 of it a day
        day = drift.cross.crossing
        account.collateral["BTC"] -= 0.5 * 0.0003 * day
        assert account.cross.margin_ratio == pytest.approx(1.0, abs=1e-9)

    def test_who_receives_is_not_liquidated(self, account: mw.Account) -> None:
        drift = funding_drift(account, "BTCUSDT", -0.0001)
        assert (drift.isolated.crossing, drift.cross.crossing) == (None, None)
        assert (np.diff(drift.isolated.prices) < 0).all()
        assert "does not liquidate" in drift.text
        assert funding_drift(account, "BTCUSDT", 0.0).cross.per_day == 0

    def test_a_rate_for_each_symbol(self, account: mw.Account) -> None:
        drift = funding_drift(account, "BTCUSDT", {"ETHUSDT": 0.0002})
        assert drift.isolated.crossing is None
        assert drift.cross.crossing == pytest.approx(9_550 / 12, abs=1e-9)

    def test_below_maintenance_is_day_zero(self, account: mw.Account) -> None:
        account.marks["BTCUSDT"] = 60_000
        drift = funding_drift(account, "BTCUSDT")
        assert (drift.isolated.crossing, drift.cross.crossing) == (0.0, 0.0)
        assert "below maintenance now" in drift.text
        drift.svg()

    @pytest.mark.parametrize(
        ("key", "arguments", "words"),
        [
            ("NOPE", {}, "no position 'NOPE'"),
            ("BTCUSDT", {"rate": 2.0}, "rate: 2"),
            ("BTCUSDT", {"rate": float("nan")}, "finite"),
            ("BTCUSDT", {"rate": {"NOPE": 0.1}}, "no symbol 'NOPE'"),
            ("BTCUSDT", {"hours": 0}, "hours"),
            ("BTCUSDT", {"days": -1}, "days"),
        ],
    )
    def test_bad_input_is_named(
        self, account: mw.Account, key: str, arguments: Any, words: str
    ) -> None:
        with pytest.raises((KeyError, TraitError), match=words):
            funding_drift(account, key, **arguments)


@settings(max_examples=40, deadline=None)
@given(books(), st.sampled_from([-0.001, 0.0001, 0.005]))
def test_the_surplus_is_gone_on_the_day(spec: Any, rate: float) -> None:
    account = account_of(spec)
    assume(len(account.positions))
    from margin_widgets.account.funding_drift import _surplus

    key = account.positions[0].key
    drift = funding_drift(account, key, rate)
    for mode in MODES:
        series = getattr(drift, mode)
        if not series.crossing:
            continue
        days = np.array([0.0, 0.5, 0.999999, 1.0]) * series.crossing
        left = _surplus(account.books, key, mode, drift.rates, 8.0, days)
        scale = abs(getattr(account, mode).positions[key].in_pool.notional) + abs(left[0])
        assert left[3] == pytest.approx(0, abs=1e-9 * scale)
        assert (left[:3] > -1e-9 * scale).all()


class TestWidget:
    def test_lines_end_at_the_mark(self, account: mw.Account) -> None:
        plot = FundingDriftPlot(account)
        for line, series in (
            (plot.cross_line, plot.data.cross),
            (plot.isolated_line, plot.data.isolated),
        ):
            assert (line.x[-1], line.y[-1]) == (series.crossing, 100_000)
            assert (np.diff(line.y) > 0).all()
        assert sorted(plot.ends.x) == [plot.data.isolated.crossing, plot.data.cross.crossing]
        assert (plot.ends.y == 100_000).all()
        assert np.nanmin(plot.guides.y[0]) == pytest.approx(95_000)
        plot.close()

    def test_slider_previews_and_commits_without_editing(self, account: mw.Account) -> None:
        plot, revision, line = FundingDriftPlot(account), account.revision, None
        line = plot.isolated_line
        control = plot._slider.control
        name = control.rows[0]["symbol"]
        send(control, type="preview", symbol=name, value=0.02)
        assert plot.ends.x[1] == pytest.approx(4_750 / 30)
        assert plot.rate == 0.0001
        send(control, type="commit", symbol=name, value=0.02)
        assert plot.rate == pytest.approx(0.0002)
        send(control, type="commit_text", symbol=name, text="200 %")
        assert "funding rate: 200" in control.errors[0]["message"]
        assert plot.rate == pytest.approx(0.0002)
        assert plot.isolated_line is line and account.revision == revision
        plot.close()

    def test_follows_selection_and_edits(self, account: mw.Account) -> None:
        selection = Selection()
        plot = FundingDriftPlot(account, selection)
        send(plot._controls, type="action", action="position", value="ETHUSDT")
        assert selection.key == "ETHUSDT"
        assert plot.data.key == "ETHUSDT"
        account.positions["ETHUSDT"].margin = 2_600
        assert plot.data.isolated.crossing == pytest.approx(400)
        assert "400 days" in plot.caption
        assert plot._slider in plot.children
        plot.close()

    def test_empty_states_are_words(self) -> None:
        account = mw.Account("binance-usdm", {"USDT": 5})
        plot = FundingDriftPlot(account)
        assert plot.caption.startswith("Add a position")
        assert plot.figure not in plot.children
        account.positions.append(mw.Position("BTCUSDT", 0.0001, 100_000))
        assert plot.figure in plot.children
        plot.close()

    def test_caption_table_and_static_twin(self, account: mw.Account) -> None:
        plot = FundingDriftPlot(account)
        assert "funding alone liquidates it in 316.7 days (payment 950)" in plot.caption
        assert "all marks stay" in plot.caption
        send(plot._controls, type="action", action="data", value=None)
        assert "= mark: liquidated" in plot._data_box.html
        bundle = plot._repr_mimebundle_()
        assert "<svg" in bundle["text/html"] and "316.7" in bundle["text/html"]
        plot.close()

    def test_markup_in_a_symbol_is_text(self) -> None:
        bad = "<img src=x>USDT"
        account = mw.Account(
            mw.venues.generic(tiers={bad: 0.005}), {"USDT": 100}, [mw.Position(bad, 1, 100)]
        )
        plot = FundingDriftPlot(account)
        for box in (plot._controls, plot._caption_box, plot._data_box):
            assert "<img" not in box.html
        assert "<img" not in plot.data._repr_html_()
        plot.close()

    def test_fifty_leave_nothing(self, account: mw.Account) -> None:
        empty = mw.Account("binance-usdm", {"USDT": 5})
        for one in (account, empty):
            FundingDriftPlot(one).close()
        gc.collect()
        widgets = len(_instances)
        for number in range(50):
            plot = FundingDriftPlot(account)
            account.positions[0].leverage = 5 + number % 3
            plot.close()
            FundingDriftPlot(empty).close()
        gc.collect()
        assert len(_instances) == widgets
        assert not any(account._trait_notifiers.get("revision", {}).values())


def test_the_last_days_of_the_search_count() -> None:
    def drift(margin: float) -> Any:
        account = mw.Account(
            mw.venues.generic(tiers={"X": 0.01}),
            {"USDT": margin},
            [mw.Position("X", 1, 100)],
            {"X": 100},
        )
        return funding_drift(account, "X", 0.0001)

    # (balance - maintenance) / (three payments of 0.01 % of 100)
    assert drift(1_000).cross.crossing == pytest.approx((1_000 - 1) / 0.03, rel=1e-9)
    assert drift(1_095.9).cross.crossing == pytest.approx(36_496.67, abs=0.01)
    late = drift(1_200)  # day 39,967
    assert late.cross.crossing is None
    assert "The cross pool pays 0.03 USDT a day" in late.text
    assert "funding alone does not liquidate it within 100 years." in late.text


def test_who_only_receives_is_told_without_a_limit(account: mw.Account) -> None:
    text = funding_drift(account, "BTCUSDT", -0.0001).text
    assert "funding alone does not liquidate it." in text
    assert "years" not in text
