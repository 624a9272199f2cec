"""An LP token as collateral: against accounts built at each price, and published losses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import account as account_of
from strategies import books
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.collateral_stress import MODES
from margin_widgets.account.lp_token import STACK, LpStress, impermanent_loss, lp_symbols
from margin_widgets.account.outcome import move_of
from margin_widgets.widgets.collateral_stress_plot import CollateralStressPlot
from margin_widgets.widgets.plotting import LabelPlacer

TOKEN, PAIR = "BTC-USDT LP", "BTCUSDT"


def send(widget: Any, **message: Any) -> None:
    widget._handle_custom_msg(message, [])


def hedged(**more: Any) -> mw.Account:
    account = mw.presets.hedged_lp_token()
    for name, value in more.items():
        setattr(account, name, value)
    return account


def moved(account: mw.Account, token: str, symbol: str, x: float) -> mw.Account:
    """The account at the marks after the move, the token at the price that it then has."""
    other = account.copy()
    marks = move_of(account.books, x, symbol=symbol).marks
    with other.edit():
        for name, mark in zip(account.books.symbols, marks.tolist(), strict=True):
            other.marks[name] = mark
        other.prices[token] = account.prices[token] * math.sqrt(1 + x)
    return other


# ---------------------------------------------------------------- impermanent loss


@pytest.mark.parametrize(
    ("r", "percent"),
    # As the literature tells them: of a move by 1.25, 1.5, 1.75, 2, 3, 4 and 5 times.
    [(1.25, 0.6), (1.5, 2.0), (1.75, 3.8), (2, 5.7), (3, 13.4), (4, 20.0), (5, 25.5)],
)
def test_published_impermanent_losses(r: float, percent: float) -> None:
    assert -100 * impermanent_loss(r) == pytest.approx(percent, abs=0.05)
    assert impermanent_loss(1 / r) == pytest.approx(impermanent_loss(r), rel=1e-12)


def test_the_formula_is_that_of_the_pool() -> None:
    coins, dollars = 3.0, 300_000.0  # a pool at 100,000; trades keep the product
    for price in (20_000.0, 100_000.0, 350_000.0):
        there = math.sqrt(coins * dollars / price)
        worth = there * price + coins * dollars / there
        held = coins * price + dollars
        assert impermanent_loss(price / 100_000) == pytest.approx(worth / held - 1, abs=1e-12)
    assert impermanent_loss(2.0) == pytest.approx(2 * math.sqrt(2) / 3 - 1, abs=1e-15)


# ---------------------------------------------------------------- both modes


def test_a_hedged_token_by_hand() -> None:
    stress = mw.lp_stress(hedged(), TOKEN, PAIR)
    # 1,000 + 10,000 s - 10,000 (s^2 - 1) = 0.004 * 10,000 s^2, where s is the root of the mark's
    # multiple and half of the 20,000 counts.
    s = (10_000 + math.sqrt(10_000**2 + 4 * 10_040 * 11_000)) / (2 * 10_040)
    (cross,) = stress.cross.events
    assert cross.x == pytest.approx(s * s - 1, abs=1e-12)
    # Alone: 1,000 - 10,000 x = 40 (1 + x).
    (alone,) = stress.isolated.events
    assert alone.x == pytest.approx(960 / 10_040, abs=1e-12)
    assert alone.positions == cross.positions == (PAIR,)
    assert stress.ratio_at("cross", 0.44) == pytest.approx(
        0.004 * 10_000 * 1.44 / (1_000 + 10_000 * 1.2 - 4_400), rel=1e-12
    )
    assert stress.ratio_at("isolated", 0.5) is None
    for x in (-0.5, -0.1, 0.3, 1.2, cross.x):
        there = moved(hedged(), TOKEN, PAIR, x)
        assert stress.ratio_at("cross", x) == pytest.approx(there.cross.margin_ratio, rel=1e-9)


def test_the_stack_sums_to_what_holding_is_worth() -> None:
    stress = mw.lp_stress(hedged(), TOKEN, PAIR)
    x = np.array([-0.5, 0.0, 1.0, 3.0])
    counted, cut, gap = stress.stack_at(x)
    np.testing.assert_allclose(counted + cut + gap, 20_000 * (1 + (1 + x)) / 2)
    np.testing.assert_allclose((counted + cut) / (counted + cut + gap) - 1, impermanent_loss(1 + x))
    np.testing.assert_allclose(counted, 0.5 * 20_000 * np.sqrt(1 + x))
    assert gap[1] == 0 and (gap[[0, 2, 3]] > 0).all()
    counts = moved(hedged(), TOKEN, PAIR, 1.0).explain(f"collateral.{TOKEN}.counted").value
    assert counted[2] == pytest.approx(counts)


def test_limits() -> None:
    # No haircut: all of the worth counts.
    whole = mw.lp_stress(hedged(haircuts={TOKEN: 0.0}), TOKEN, PAIR, low=-0.5, high=6.0)
    assert (whole.stack_at(whole.x)[1] == 0).all() and "no haircut" in whole.text
    s = (20_000 + math.sqrt(20_000**2 + 4 * 10_040 * 11_000)) / (2 * 10_040)
    assert whole.cross.events[0].x == pytest.approx(s * s - 1, abs=1e-12)
    # No position on the symbol: only the token moves, and isolated has nothing of it.
    other = hedged()
    other.positions = [mw.Position("ETHUSDT", 1, 4_000, 10)]
    stress = mw.lp_stress(other, TOKEN, PAIR)
    assert stress.isolated.events == ()
    assert np.ptp(stress.isolated.margin_ratio) == 0
    # 1,000 + 10,000 s >= maintenance all the way down, as 1,000 alone is more than that of ETH.
    assert stress.cross.events == ()
    assert np.all(np.diff(stress.cross.margin_ratio) <= 0)


def test_a_fall_takes_a_long_and_its_token() -> None:
    account = hedged(collateral={"USDT": 2_000, TOKEN: 20})
    account.positions = [mw.Position(PAIR, 0.2, 100_000, 10)]
    stress = mw.lp_stress(account, TOKEN, PAIR)
    (cross,), (alone,) = stress.cross.events, stress.isolated.events
    assert cross.x < alone.x < 0
    alone_moves = mw.account.collateral_stress.collateral_stress(account, TOKEN, with_mark=False)
    assert alone_moves.cross.events == ()
    for event, mode in ((cross, "cross"), (alone, "isolated")):
        for inward, falls in ((1e-9, False), (-1e-9, True)):
            there = moved(account, TOKEN, PAIR, event.x + inward)
            assert (getattr(there, mode).margin_ratio or 2) >= 1 if falls else True
            assert (getattr(there, mode).status == "ok") is not falls


def test_every_pool_of_several_and_what_moves_along() -> None:
    """Eight positions, bitcoin among the collateral: it goes with the mark, the token with root."""
    account = mw.presets.multi_asset()
    account.prices[TOKEN] = 400.0
    account.haircuts[TOKEN] = [(0, 0.2), (20, 0.5)]
    account.collateral[TOKEN] = 30
    stress = mw.lp_stress(account, TOKEN, PAIR, low=-0.8, high=2.0)
    for mode in MODES:
        events = [event.x for event in getattr(stress, mode).events]
        for x in (-0.04, -0.01, 0.02, 0.03):
            if not any(0 <= one / x <= 1 for one in events):
                ratio = getattr(moved(account, TOKEN, PAIR, x), mode).margin_ratio
                assert stress.ratio_at(mode, x) == pytest.approx(ratio, rel=1e-9)
    (event,) = [one for one in stress.isolated.events if PAIR in one.positions][:1]
    pool = moved(account, TOKEN, PAIR, event.x).isolated.positions[PAIR]
    assert pool.margin_ratio == pytest.approx(1.0, rel=1e-7)


def test_options_follow_their_underlying() -> None:
    call, perpetual = "BTC-25DEC26-110000-C", "BTC-PERPETUAL"
    account = mw.Account(
        "deribit",
        {"BTC": 2, "LP": 10},
        [mw.Position(call, -3, 0.05), mw.Position(perpetual, 50_000, 98_000)],
        {call: 0.05, perpetual: 100_000},
        prices={"LP": 5_000.0},
        haircuts={"LP": 0.3},
        as_of="2026-09-01",
    )
    assert lp_symbols(account, "LP") == (perpetual,)
    stress = mw.lp_stress(account, "LP", perpetual)
    for x in (-0.2, -0.05, 0.04):
        there = moved(account, "LP", perpetual, x)
        assert stress.ratio_at("cross", x) == pytest.approx(there.cross.margin_ratio, rel=1e-9)
    with pytest.raises(TraitError, match="is an option"):
        mw.lp_stress(account, "LP", call)


@pytest.mark.parametrize(
    ("asset", "symbol", "words"),
    [
        ("LPX", PAIR, "no collateral"),
        (TOKEN, "BTCUSD", "neither held nor marked"),
        ("USDT", PAIR, "own price is 1"),
        ("BTC", PAIR, "worth the mark of BTCUSDT"),
        ("ETH", "ETHUSDT", "itself a side"),
        ("OWED", PAIR, "is owed"),
    ],
)
def test_what_is_no_token_of_the_pair_is_refused(asset: str, symbol: str, words: str) -> None:
    account = hedged()
    with account.edit():
        account.collateral["BTC"] = 0.1
        account.prices["ETH"] = 4_000.0
        account.collateral["ETH"] = 1
        account.marks["ETHUSDT"] = 4_000.0
        account.prices["OWED"] = 1.0
        account.collateral["OWED"] = -5
    with pytest.raises((KeyError, TraitError), match=words):
        mw.lp_stress(account, asset, symbol)


@settings(max_examples=40, deadline=None)
@given(
    books(),
    st.floats(-0.7, 1.5),
    st.sampled_from([0.0, 0.2, 0.5, 0.9]),
    st.floats(0.01, 3.0),
    st.data(),
)
def test_agrees_with_an_account_that_has_the_prices(
    spec: Any, x: float, haircut: float, share: float, data: Any
) -> None:
    account = account_of(spec)
    assume(account.positions)
    worth = max(abs(account.cross.equity), 1.0) * share
    with account.edit():
        account.prices["LP"] = 7.0
        account.haircuts["LP"] = haircut
        account.collateral["LP"] = worth / 7.0
    symbol = data.draw(st.sampled_from(lp_symbols(account, "LP")))
    stress = mw.lp_stress(account, "LP", symbol, low=-0.8, high=2.0)
    there = moved(account, "LP", symbol, x)
    for mode in MODES:
        events = getattr(stress, mode).events
        gone = [one for one in events if x and 0 <= one.x / x <= 1]
        if gone or getattr(account, mode).status != "ok":
            continue
        ours, theirs = stress.ratio_at(mode, x), getattr(there, mode).margin_ratio
        assert getattr(there, mode).status == "ok"
        assert (ours or 0.0) == pytest.approx(theirs or 0.0, rel=1e-9, abs=1e-12)
    for event in stress.cross.events[:1]:
        if event.pool == "cross" and account.cross.status == "ok":
            at = moved(account, "LP", symbol, event.x).cross
            size = abs(at.maintenance_margin) + abs(at.equity) + worth
            assert at.margin_balance - at.maintenance_margin == pytest.approx(0, abs=1e-9 * size)


# ---------------------------------------------------------------- words, table, picture, widget


def test_words_table_frame_and_picture_say_the_same() -> None:
    stress = mw.lp_stress(hedged(), TOKEN, PAIR)
    assert "liquidated: the account at +174.62" in stress.text
    assert f"{PAIR} at 274,617.36, {TOKEN} at 828.579" in stress.text
    assert "impermanent loss is 9.6" in stress.text and "at −60" in stress.text
    head, rows = stress.table()
    assert head[1:4] == (f"price of {TOKEN}", "worth", "counts as margin")
    there = next(dict(zip(head, row, strict=True)) for row in rows if row[0].startswith("+100.00"))
    numbers = {name: cell.number for name, cell in there.items() if name not in MODES}
    assert numbers["price of " + TOKEN] == pytest.approx(500 * math.sqrt(2))
    assert numbers["holding the two coins"] == 30_000
    assert numbers["less than holding"] == pytest.approx(30_000 - 20_000 * math.sqrt(2))
    assert numbers["impermanent loss"] == pytest.approx(-0.05719, abs=1e-5)
    frame = stress.to_frame()
    assert frame["counts_as_margin"].iloc[-1] == pytest.approx(stress.stack_at(stress.x)[0][-1])
    page = stress._repr_html_()
    assert page.count("<polygon") == 1 + len(STACK)
    assert "less than holding" in page and "<script" not in page


@pytest.fixture
def plot() -> Any:
    made = CollateralStressPlot(hedged())
    yield made
    made.close()


def test_the_widget_stacks_below_what_it_compares(plot: CollateralStressPlot) -> None:
    assert not isinstance(plot.data, LpStress)
    assert not plot.stack.bands.visible
    lines, figure = plot.cross_line, plot.figure
    send(plot._controls, type="action", action="lp_of", value=PAIR)
    assert plot.lp_of == PAIR and isinstance(plot.data, LpStress)
    assert plot.cross_line is lines and plot.figure is figure
    assert plot.stack.bands.visible and plot.stack.panel.axis.visible
    edges = plot.stack.edges
    x = edges.x[0]
    np.testing.assert_allclose(edges.y[0], 10_000 * np.sqrt(1 + x))
    np.testing.assert_allclose(edges.y[-1], 20_000 * (1 + x / 2))
    # Both panels fill their part of one frame, and no line of one reaches the other.
    ratio, worth = plot._y, edges.scales["y"]
    assert (0.0 - ratio.min) / (ratio.max - ratio.min) == pytest.approx(0.5)
    assert edges.y.max() < worth.min + 0.4 * (worth.max - worth.min)
    assert figure.layout.height == "376px"
    named = [*plot._labels_right.text, *plot._labels_left.text]
    assert set(STACK) <= set(named)
    assert sorted(plot.ends.x) == sorted(event.x for s in plot.data.series for event in s.events)
    send(plot._controls, type="action", action="lp_of", value="")
    assert figure.layout.height == f"{LabelPlacer.HEIGHT:.0f}px"
    assert not plot.stack.edges.visible and plot._y.min == 0


def test_the_widget_follows_edits_and_says_what_is_wrong(plot: CollateralStressPlot) -> None:
    account = plot.account
    plot.lp_of = PAIR
    before = plot.data.cross.events[0].x
    account.haircuts[TOKEN] = 0.8
    assert plot.data.cross.events[0].x < before
    account.undo()
    plot.lp_of = "BTCUSD"
    assert "did you mean 'BTCUSDT'" in plot.caption and plot.figure not in plot.children
    send(plot._controls, type="action", action="lp_of", value=PAIR)
    assert plot.figure in plot.children
    with account.edit():
        account.collateral["BTC"] = 1
    send(plot._controls, type="action", action="asset", value="BTC")
    assert (plot.asset, plot.lp_of) == ("BTC", "") and plot.data.symbol == PAIR
