"""Two marks at once: the frontier's numbers, its marks, its drags, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances as registry
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.frontier import Boundary, frontier
from margin_widgets.account.likely_moves import LikelyMoves
from margin_widgets.account.two_marks import TwoMarks
from margin_widgets.widgets.frontier_plot import FrontierPlot
from margin_widgets.widgets.selection import Selection

PRESETS = [
    mw.presets.ref2,
    mw.presets.hedged_pair,
    mw.presets.multi_asset,
    mw.presets.exchange_account,
]


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


@pytest.fixture
def plot(account: mw.Account) -> Iterator[FrontierPlot]:
    plot = FrontierPlot(account)
    yield plot
    plot.close()


def drag(plot: Any, x: float, y: float, *, end: bool = True) -> None:
    mark = plot.handle
    for event in ("drag_start", "drag", "drag_end")[: 3 if end else 2]:
        mark._handle_custom_msgs(mark, {"event": event, "point": {"x": x, "y": y}, "index": 0})


def act(plot: Any, action: str, value: object) -> None:
    box = plot._data_box if action == "data" else plot._controls
    box._handle_custom_msg({"type": "action", "action": action, "value": value}, [])


def line(plane: Any, mode: str, pool: str | None = None) -> Boundary:
    return next(
        one for one in plane.boundaries if one.mode == mode and (pool is None or one.pool == pool)
    )


# ---------------------------------------------------------------- the two marks


@pytest.mark.parametrize("make", PRESETS)
@pytest.mark.parametrize("mode", ["isolated", "cross"])
def test_pools_at_two_marks_are_those_of_the_whole_account(make: Any, mode: str) -> None:
    account = make()
    books = account.books
    plane = TwoMarks(books, 0, 1)
    rng = np.random.default_rng(3)
    x, y = (books.marks[n] * rng.uniform(0.5, 1.5, 7) for n in (0, 1))
    found = plane.at(x, y)[mode]
    pools = plane.modes[mode].pool
    for n in range(len(x)):
        marks = books.marks.copy()
        marks[:2] = x[n], y[n]
        whole = books.ledger(mode, marks)
        figures = whole.valuation
        surplus = figures.margin_balance - whole.book.trigger_level * figures.requirement
        assert found.surplus[n] == pytest.approx(surplus[pools], rel=1e-9, abs=1e-6)
        assert found.equity[n] == pytest.approx(figures.equity[pools], rel=1e-9, abs=1e-6)
        assert np.array_equal(~found.stands[n], whole.fallen[pools])
        total = figures.idle + figures.equity.sum()
        assert found.rest[n] + found.equity[n].sum() == pytest.approx(total, rel=1e-9)


# ---------------------------------------------------------------- the frontier


def test_reference_numbers(account: mw.Account) -> None:
    plane = frontier(account, "BTCUSDT", "ETHUSDT")
    assert plane.cross_price(4_000) == pytest.approx((80_804.0201,), abs=1e-4)
    assert plane.cross_price(3_600) == pytest.approx((84_783.9196,), abs=1e-4)
    isolated = line(plane, "isolated", "BTCUSDT")
    assert isolated.x == pytest.approx(90_452.2613, abs=1e-4)
    flat = line(plane, "isolated", "ETHUSDT")
    assert flat.y == pytest.approx(3_636.3636, abs=1e-4)
    assert "84,783.92 if ETHUSDT is at 3,600.00" in plane.text
    # Ether at -60 % has liquidated cross at the present bitcoin: the price lies above it.
    assert plane.cross_price(1_600) == pytest.approx((104_683.4171,), abs=1e-4)


def test_the_cross_boundary_of_linear_contracts_is_straight(account: mw.Account) -> None:
    cross = line(frontier(account, "BTCUSDT", "ETHUSDT"), "cross")
    # 10,000 + 0.5 (x - 100,000) + 5 (y - 4,000) = 0.005 * 0.5 x + 0.01 * 5 y
    by_hand = (60_000 - 0.4975 * cross.x) / 4.95
    assert cross.y == pytest.approx(by_hand, abs=1e-6)
    assert cross.y.min() == pytest.approx(800, abs=1e-3)  # it reaches the edge of the picture
    assert cross.x.min() == 70_000


@pytest.mark.parametrize("make", PRESETS)
def test_every_point_of_the_boundary_is_the_engines_trigger(make: Any) -> None:
    account = make()
    plane = frontier(account)
    first, second = plane.plane.first, plane.plane.second
    books = account.books
    for boundary in plane.boundaries:
        known = np.flatnonzero(np.isfinite(boundary.y))[:: max(1, len(boundary.x) // 6)]
        for n in known:
            marks = books.marks.copy()
            marks[first], marks[second] = boundary.x[n], boundary.y[n]
            figures = books.ledger(boundary.mode, marks).valuation
            pool = books.pool_names(boundary.mode).index(boundary.pool)
            surplus = figures.margin_balance[pool] - figures.requirement[pool]
            assert surplus == pytest.approx(0, abs=1e-6 * figures.notional.sum())


@given(x=st.floats(0.75, 1.15), y=st.floats(0.3, 1.35))
@settings(max_examples=60, deadline=None)
def test_words_at_any_marks_are_what_the_account_says(x: float, y: float) -> None:
    account = mw.presets.ref2()
    plane = frontier(account)
    there = dict.fromkeys(plane.fallen(100_000 * x, 4_000 * y))
    with account.edit():
        account.marks["BTCUSDT"], account.marks["ETHUSDT"] = 100_000 * x, 4_000 * y
    for mode in ("isolated", "cross"):
        fallen = {pool.name for pool in getattr(account, mode).pools if pool.status != "ok"}
        assert fallen == {pool for found, pool in there if found == mode}


def inside(x: float, y: float, area: Any) -> bool:
    """Whether a point lies in a polygon: how often a ray to the right crosses it."""
    a, b = area.x, area.y
    c, d = np.roll(a, 1), np.roll(b, 1)
    with np.errstate(all="ignore"):
        crosses = ((b > y) != (d > y)) & (x < (c - a) * (y - b) / (d - b) + a)
    return bool(crosses.sum() % 2)


@pytest.mark.parametrize("make", PRESETS)
def test_areas_hold_the_marks_at_which_pools_are_fallen(make: Any) -> None:
    plane = frontier(make())
    rng = np.random.default_rng(5)
    for _ in range(60):
        x, y = rng.uniform(*plane.x_range), rng.uniform(*plane.y_range)
        drawn = {(one.mode, one.pool) for one in plane.areas if inside(x, y, one)}
        assert drawn == set(plane.fallen(x, y))


def test_a_pool_with_two_frontiers_is_alive_in_between() -> None:
    # Long one, short the other, thin collateral: cross dies when they part either way.
    account = mw.Account(
        mw.venues.generic(tiers={"AUSDT": 0.01, "BUSDT": 0.01}),
        {"USDT": 8},
        [mw.Position("AUSDT", 1, 100, leverage=50), mw.Position("BUSDT", 1, 100, leverage=50)],
        {"AUSDT": 100, "BUSDT": 100},
    )
    with account.edit():
        account.positions.append(mw.Position("AUSDT", -2, 100, leverage=50))
    plane = frontier(account, "AUSDT", "BUSDT", x_range=(60, 140), y_range=(60, 140))
    cross = line(plane, "cross")
    # -1 (x - 100) + (y - 100) + 8 = 0.01 (3 x + y)
    known = np.isfinite(cross.y)
    assert cross.y[known] == pytest.approx(((1.03 * cross.x - 8) / 0.99)[known], abs=1e-6)


def test_inverse_contracts_bend_the_frontier() -> None:
    tiers = {"BTCUSD_PERP": [(0, 0.004)], "ETHUSD_PERP": [(0, 0.005)]}
    account = mw.Account(
        mw.venues.get("binance-coinm").replace(tiers=tiers),
        {"BTC": 0.2, "ETH": 0.0},
        [
            mw.Position("BTCUSD_PERP", 300, 100_000, leverage=5),
            mw.Position("ETHUSD_PERP", 2_000, 4_000, leverage=5),
        ],
        {"BTCUSD_PERP": 100_000, "ETHUSD_PERP": 4_000},
    )
    plane = frontier(account)
    for boundary in plane.boundaries:
        assert np.isfinite(boundary.y).any()
    assert "<svg" in plane._repr_html_()


def test_regions_are_told_in_words(account: mw.Account) -> None:
    plane = frontier(account)
    words = {region.words for region in plane.regions}
    assert {
        "nothing liquidated",
        "isolated BTC liquidated",
        "isolated ETH liquidated",
        "cross and isolated BTC and ETH liquidated",
    } <= words
    assert sum(region.share for region in plane.regions) == pytest.approx(1)
    for region in plane.regions:
        assert plane.at(region.x, region.y) == region.words


def test_refusals_name_what_is_wrong(account: mw.Account) -> None:
    with pytest.raises(KeyError, match="second: no 'ETHUSD'"):
        frontier(account, "BTCUSDT", "ETHUSD")
    with pytest.raises(TraitError, match="is the first symbol too"):
        frontier(account, "BTCUSDT", "BTCUSDT")
    with pytest.raises(TraitError, match="two marks are needed"):
        frontier(mw.presets.bitcoin_on_bitcoin())
    with pytest.raises(TraitError, match=r"x_range\[1\]"):
        frontier(account, x_range=(5.0, 4.0))


# ---------------------------------------------------------------- the widget


def test_marks_hold_the_boundaries(plot: FrontierPlot) -> None:
    assert (plot.handle.x[0], plot.handle.y[0]) == (100_000, 4_000)
    at = int(np.flatnonzero(plot.cross_line.x == 100_000)[0])
    assert plot.cross_line.y[at] == pytest.approx((60_000 - 49_750) / 4.95)
    gaps = np.isnan(plot.isolated_line.y)
    assert gaps.sum() == 1
    for mark in (plot.cross_line, plot.isolated_line):
        assert np.nanmin(mark.y) >= plot._y.min - 1e-9
        assert np.isfinite(mark.y[-1])
    texts = [*plot._labels_right.text, *plot._labels_left.text]
    assert "nothing liquidated" in texts
    assert any(text.startswith("isolated ETH") for text in texts)
    assert plot.x_moves.tick_labels["90000"] == "−10\N{NO-BREAK SPACE}%"


def test_dragging_sets_both_marks_as_one_edit(account: mw.Account, plot: FrontierPlot) -> None:
    revision, before = account.revision, plot.cross_line.y.copy()
    drag(plot, 95_003.0, 3_600.4, end=False)
    assert account.revision == revision
    assert plot.caption.startswith("BTCUSDT at 95,000.00 and ETHUSDT at 3,600.00: isolated ETH")
    assert "84,783.92" in plot.caption
    drag(plot, 95_003.0, 3_600.4)
    assert (account.mark("BTCUSDT"), account.mark("ETHUSDT")) == (95_000, 3_600)
    assert account.revision == revision + 1
    assert (plot.handle.x[0], plot.handle.y[0]) == (95_000, 3_600)
    # The boundary belongs to prices, not to the present: only the point has moved.
    assert np.nanmin(plot.cross_line.y) == np.nanmin(before)
    account.undo()
    assert (account.mark("BTCUSDT"), account.mark("ETHUSDT")) == (100_000, 4_000)
    assert (plot.handle.x[0], plot.handle.y[0]) == (100_000, 4_000)


def test_the_conditional_price_is_that_of_the_account(
    account: mw.Account, plot: FrontierPlot
) -> None:
    drag(plot, 100_000.0, 3_600.0)
    assert account.mark("BTCUSDT") == 100_000
    found = account.cross.positions["BTCUSDT"].liquidation_price
    assert found == pytest.approx(84_783.92, abs=0.01)
    assert plot.data.cross_price(3_600)[0] == pytest.approx(found, rel=1e-12)


def test_a_drag_beyond_the_frame_is_held_and_told(account: mw.Account, plot: FrontierPlot) -> None:
    drag(plot, -5.0, 1e9)
    assert 0 < account.mark("BTCUSDT") < 75_000
    assert account.mark("ETHUSDT") < 5_600
    assert plot.message == "held at the edge of the picture"


def test_sliders_do_the_same(account: mw.Account, plot: FrontierPlot) -> None:
    revision = account.revision
    act(plot, "mark-second", "3600")
    assert account.mark("ETHUSDT") == 3_600
    assert account.revision == revision + 1
    assert 'value="3600"' in plot._controls.html
    act(plot, "mark-first", "-1")
    assert "> 0" in plot.message


def test_symbols_can_be_chosen() -> None:
    selection = Selection()
    account = mw.presets.multi_asset()
    plot = FrontierPlot(account, selection)
    assert (plot.data.first, plot.data.second) == ("BTCUSDT", "ETHUSDT")
    act(plot, "second", "SOLUSDT")
    assert (plot.data.first, plot.data.second) == ("BTCUSDT", "SOLUSDT")
    act(plot, "first", "SOLUSDT")
    assert (plot.data.first, plot.data.second) == ("SOLUSDT", "BTCUSDT")
    assert selection.key == "SOLUSDT"
    selection.key = "XRPUSDT"
    assert plot.data.first == "XRPUSDT"
    plot.close()


def test_one_symbol_is_told_in_words(account: mw.Account) -> None:
    plot = FrontierPlot(mw.presets.bitcoin_on_bitcoin())
    assert plot.caption.startswith("Add positions in two symbols")
    assert plot.figure not in plot.children
    assert plot.caption in plot._repr_mimebundle_()["text/html"]
    plot.close()
    plot = FrontierPlot(account)
    account.positions.remove("ETHUSDT")
    account.undo()
    assert plot.data is not None
    plot.close()


def test_table_and_static_twin(plot: FrontierPlot) -> None:
    act(plot, "data", None)
    assert "80,804.02" in plot._data_box.html
    page = plot._repr_mimebundle_()["text/html"]
    assert "80,804.02" in page
    assert plot.caption in page


def test_a_hundred_leave_nothing(account: mw.Account) -> None:
    before = len(registry)
    observers = len(account._trait_notifiers.get("revision", {}).get("change", []))
    for number in range(100):
        plot = FrontierPlot(account, active=number % 5 == 0)
        account.marks["BTCUSDT"] = 100_000 + number
        plot.close()
    assert len(registry) == before
    assert len(account._trait_notifiers.get("revision", {}).get("change", [])) == observers


# ---------------------------------------------------------------- a path, and what is likely


def test_a_path_tells_what_falls_on_the_way(account: mw.Account) -> None:
    plane = frontier(account, "BTCUSDT", "ETHUSDT", path=[(85_000, 3_200), (100_000, 4_000)])
    # Shares of the first leg: 9,548 of loss in 15,000 of BTC; 363.64 in 800 of ETH; and cross where
    # 10,000 - 7,500 t - 4,000 t = 0.005 (50,000 - 7,500 t) + 0.01 (20,000 - 4,000 t).
    shares = {
        "ETHUSDT": (4_000 - 18_000 / 4.95) / 800,
        "BTCUSDT": (100_000 - 45_000 / 0.4975) / 15_000,
        "cross": 9_550 / 11_422.5,
    }
    assert [event.pool for event in plane.events] == sorted(shares, key=shares.__getitem__)
    for event in plane.events:
        share = shares[event.pool]
        assert event.leg == 1
        assert event.x == pytest.approx(100_000 - 15_000 * share)
        assert event.y == pytest.approx(4_000 - 800 * share)
    assert "Path of 2 waypoints" in plane.text
    assert "cross loses the account on the way to waypoint 1" in plane.text


def test_a_path_that_turns_in_time_costs_nothing(account: mw.Account) -> None:
    plane = frontier(account, "BTCUSDT", "ETHUSDT", path=[(91_000, 3_650), (120_000, 5_000)])
    assert plane.events == ()
    assert "isolated is not liquidated; cross is not liquidated" in plane.text
    assert plane.x_range[1] >= 120_000
    assert plane.y_range[1] >= 5_000


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ([(90_000,)], "waypoint 1: .* is not a pair"),
        ([(1, 2), (-5, 3_000)], "waypoint 2, first mark: -5"),
        ([(90_000, "much")], "waypoint 1, second mark"),
    ],
)
def test_waypoints_that_are_none_are_refused(
    account: mw.Account, plot: FrontierPlot, path: Any, words: str
) -> None:
    with pytest.raises(TraitError, match=words):
        frontier(account, path=path)
    with pytest.raises(TraitError, match=words):
        plot.path = path
    assert plot.path == []


def test_a_path_is_drawn_by_dragging_and_by_typing(account: mw.Account, plot: FrontierPlot) -> None:
    act(plot, "drags", "path")
    drag(plot, 92_000.0, 3_800.0)
    assert plot.path == [(92_000.0, 3_800.0)]
    act(plot, "waypoint", "88,000 3,500")
    assert plot.path[1] == (88_000.0, 3_500.0)
    assert account.revision == 1  # a path is a question, no edit
    assert plot.path_line.x.tolist() == [100_000, 92_000, 88_000]
    assert (plot.handle.x[0], plot.handle.y[0]) == (88_000, 3_500)
    assert plot.falls.visible
    assert len(plot.falls.x) == len(plot.data.events) == 2
    act(plot, "waypoint", "88,000")
    assert "give marks of BTCUSDT and ETHUSDT" in plot.message
    act(plot, "clear", "")
    assert plot.path == []
    assert not plot.path_line.visible
    assert not plot.falls.visible
    act(plot, "drags", "marks")
    drag(plot, 95_000.0, 4_000.0)
    assert account.marks["BTCUSDT"] == 95_000


def test_a_path_may_come_from_a_table_and_goes_with_its_symbols() -> None:
    import pandas as pd

    table = pd.DataFrame({"BTCUSDT": [95_000, 90_000], "ETHUSDT": [3_900, 3_700]})
    account = mw.presets.multi_asset()
    plot = FrontierPlot(account, path=table)
    assert plot.path == [(95_000.0, 3_900.0), (90_000.0, 3_700.0)]
    plot.second = "SOLUSDT"
    assert plot.path == []
    plot.close()


def test_the_ellipse_holds_what_is_likely(account: mw.Account) -> None:
    likely = LikelyMoves({"BTCUSDT": 0.6, "ETHUSDT": 0.8}, correlation=0.0)
    plane = frontier(account, "BTCUSDT", "ETHUSDT", likely=likely)
    assert plane.ellipse is not None
    x, y = plane.ellipse
    # sqrt(chi-squared of 2 at 95 %) = 2.4477 standard deviations of a day.
    assert x.max() == pytest.approx(100_000 * np.exp(0.6 / np.sqrt(365) * 2.44775), rel=1e-5)
    assert y.min() == pytest.approx(4_000 * np.exp(-0.8 / np.sqrt(365) * 2.44775), rel=1e-3)
    assert "The dotted ellipse holds 95\N{NO-BREAK SPACE}% of all moves" in plane.text
    draws = np.random.default_rng(5).standard_normal((2, 200_000))
    rho = 0.85
    likely = LikelyMoves({"BTCUSDT": 0.6, "ETHUSDT": 0.8}, correlation=rho)
    u = 0.6 / np.sqrt(365) * draws[0]
    v = 0.8 / np.sqrt(365) * (rho * draws[0] + np.sqrt(1 - rho**2) * draws[1])
    far = likely.distance("BTCUSDT", "ETHUSDT", np.expm1(u), np.expm1(v))
    assert (far <= 2.44775).mean() == pytest.approx(0.95, abs=0.002)
    other = LikelyMoves({"SOLUSDT": 0.9}, correlation=0.5)
    assert frontier(account, likely=other).ellipse is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (({"A": -0.5}, 0.5), "volatility"),
        (({"A": 0.5}, 1.0), "correlation"),
        (({"A": 0.5}, -1.0), "correlation"),
        (({"A": 0.5}, 0.5, 0.0), "days"),
    ],
)
def test_what_is_likely_has_bounds(arguments: Any, words: str) -> None:
    with pytest.raises((TraitError, ValueError), match=words):
        LikelyMoves(*arguments)


def test_what_is_likely_is_drawn(account: mw.Account) -> None:
    likely = LikelyMoves({"BTCUSDT": 0.6, "ETHUSDT": 0.8}, correlation=0.85)
    plot = FrontierPlot(account, likely=likely)
    assert plot.ellipse.visible
    assert len(plot.ellipse.x) > 50
    plot.likely = None
    assert not plot.ellipse.visible
    plot.close()


# ---------------------------------------------------------------- a path from a table, and labels


def test_columns_of_a_path_go_by_their_names(account: mw.Account, plot: FrontierPlot) -> None:
    import pandas as pd

    table = pd.DataFrame({"ETHUSDT": [3_000.0], "BTCUSDT": [90_000.0]})
    given = FrontierPlot(account, path=table)
    assert given.path == [(90_000.0, 3_000.0)]
    given.close()
    plot.path = table
    assert plot.path == [(90_000.0, 3_000.0)]
    assert frontier(account, path=table).path == ((90_000.0, 3_000.0),)
    for columns, words in (
        (["BTCUSD", "ETHUSDT"], r"column 'BTCUSD' is neither .*did you mean 'BTCUSDT'"),
        (["BTCUSDT", "SOLUSDT"], "column 'SOLUSDT' is neither .*no column 'ETHUSDT'"),
        (["BTCUSDT", "BTCUSDT"], "'BTCUSDT' is there twice"),
    ):
        with pytest.raises(TraitError, match=words):
            plot.path = pd.DataFrame([[3_000.0, 90_000.0]], columns=columns)
    with pytest.raises(TraitError, match="path: None is not a list"):
        plot.path = None
    assert plot.path == [(90_000.0, 3_000.0)]
    plot.path = table.iloc[::-1].to_numpy()[:, ::-1]
    assert plot.path == [(90_000.0, 3_000.0)]


def test_a_path_goes_when_either_symbol_becomes_another() -> None:
    account = mw.presets.multi_asset()
    plot = FrontierPlot(account)
    plot.path = [(90_000, 3_500)]
    account.marks["SOLUSDT"] *= 1.01
    assert plot.path == [(90_000.0, 3_500.0)]
    del account.positions["ETHUSDT"]
    assert (plot.data.first, plot.data.second, plot.path) == ("BTCUSDT", "SOLUSDT", [])
    assert not plot.path_line.visible
    assert "Path of" not in plot.caption
    plot.path = [(90_000, 150)]
    plot.selection.key = "XRPUSDT"
    assert plot.data.first == "XRPUSDT"
    assert plot.path == []
    plot.close()


@pytest.mark.parametrize("make", PRESETS)
def test_no_two_regions_have_the_same_label(make: Any) -> None:
    plot = FrontierPlot(make())
    regions = plot.data.regions
    for name in ("words", "short", "brief"):
        assert len({getattr(one, name) for one in regions}) == len(regions), name
    wide = [words for _, words in plot.data.labels(lambda *_: True)]
    narrow = [words for _, words in plot.data.labels(lambda words, _: len(words) < 20)]
    assert set(wide) == {one.short for one in regions if one.share >= 0.01}
    some = [{getattr(one, name) for one in regions} for name in ("short", "brief")]
    assert any(set(narrow) <= names for names in some)
    shown = {text for text in [*plot._labels_right.text, *plot._labels_left.text] if text}
    assert shown <= some[0] | some[1]
    plot.close()


def test_labels_say_who(account: mw.Account) -> None:
    plane = frontier(account)
    assert {one.short: one.brief for one in plane.regions} == {
        "nothing liquidated": "nothing liquidated",
        "isolated BTC only": "isolated BTC",
        "isolated ETH only": "isolated ETH",
        "isolated both only": "isolated both",
        "cross + isolated BTC": "cross + BTC",
        "cross + isolated ETH": "cross + ETH",
        "cross + isolated both": "cross + both",
    }
    assert "all stands" not in plane.svg()
    assert "nothing liquidated" in plane.svg()


def test_a_narrow_picture_says_who_too(plot: FrontierPlot) -> None:
    marks = (plot._labels_right, plot._labels_left)
    told = [one for mark in marks for one in zip(mark.text, mark.colors, strict=True)]
    narrow = {str(text) for text, color in told if "-narrow-" in color}
    assert narrow == {
        "nothing liquidated",
        "isolated BTC",
        "isolated ETH",
        "cross + ETH",
        "cross + both",
    }
