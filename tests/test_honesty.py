"""What no picture may hide, read from the marks that the browser draws, for accounts of every kind.

Figures are compared with the pools of the account at other marks, valued one by one: an independent
way to what the curves are swept from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from recorded import depeg

import margin_widgets as mw
from margin_widgets.account.collateral_stress import stressed_assets
from margin_widgets.account.frontier import symbols_that_matter
from margin_widgets.account.outcome import move_of
from margin_widgets.account.waterfall import MODES
from margin_widgets.widgets.equity_plot import GUIDES
from margin_widgets.widgets.picture import Picture
from margin_widgets.widgets.selection import Selection

NEAR = 1e-9
ABSURD = re.compile(r"\b(nan|inf|None)\b|\de[+-]?\d|(?<!\d)[-−]0(\.0+)?(?![\d.])")


def account(rules: Any, collateral: Any, positions: Any, marks: Any = None, **more: Any) -> Any:
    rows = [mw.Position(*row) if isinstance(row, tuple) else row for row in positions]
    return mw.Account(rules, collateral, rows, marks or {}, **more)


def two(**rules: Any) -> mw.RuleSet:
    return mw.venues.generic(tiers={"BTCUSDT": 0.005, "ETHUSDT": 0.01}).replace(**rules)


def short() -> mw.Account:
    return account(two(), {"USDT": 4_000}, [("BTCUSDT", -0.3, 100_000, 10)])


def below_maintenance() -> mw.Account:
    fallen = mw.presets.ref2()
    fallen.marks["BTCUSDT"] = 5_700
    return fallen


def pocket_below_maintenance() -> mw.Account:
    fallen = mw.presets.ref2()
    fallen.marks["ETHUSDT"] = 3_620
    return fallen


def returned() -> mw.Account:
    """What is left comes back less a fee, and a pair is held in both directions."""
    rules = two(residual="returned", liquidation_fee=0.01)
    legs = [("BTCUSDT", 0.5, 100_000, 10), ("BTCUSDT", -0.2, 101_000, 10), ("ETHUSDT", 5, 4_000)]
    return account(rules, {"USDT": 10_000}, legs, {"BTCUSDT": 100_000, "ETHUSDT": 4_000})


def without_leverage() -> mw.Account:
    """Bought with cash alone: no price liquidates."""
    return account(two(), {"USDT": 100_000}, [("BTCUSDT", 0.5, 100_000, 1)])


def lent() -> mw.Account:
    """Margin assigned beyond the wallet."""
    position = mw.Position("BTCUSDT", 0.5, 100_000, 10, margin=12_000)
    return account(two(), {"USDT": 10_000}, [position])


def options() -> mw.Account:
    """Options beside an inverse perpetual, on coin."""
    call, put, perpetual = "BTC-25DEC26-110000-C", "BTC-25DEC26-90000-P", "BTC-PERPETUAL"
    return account(
        "deribit",
        {"BTC": 2},
        [(call, -3, 0.05), (put, 1, 0.04), (perpetual, 50_000, 98_000)],
        {call: 0.05, put: 0.045, perpetual: 100_000},
        as_of="2026-09-01",
    )


def empty() -> mw.Account:
    return mw.Account(two(), {"USDT": 10_000})


ACCOUNTS: dict[str, Callable[[], mw.Account]] = {
    "REF-2": mw.presets.ref2,
    "hedged": mw.presets.hedged_pair,
    "coin collateral": mw.presets.bitcoin_on_bitcoin,
    "eight, mixed": mw.presets.multi_asset,
    "inverse": mw.presets.inverse,
    "no liquidation": mw.presets.exchange_account,
    "short": short,
    "below maintenance": below_maintenance,
    "a pocket below": pocket_below_maintenance,
    "residual returned": returned,
    "without leverage": without_leverage,
    "margin lent": lent,
    "options, portfolio": options,
    "empty": empty,
}
HELD = [name for name in ACCOUNTS if name != "empty"]
PICTURES = (
    mw.EquityPlot,
    mw.RatioPlot,
    mw.LeveragePlot,
    mw.FrontierPlot,
    mw.ShockMap,
    mw.TierPlot,
    mw.FundingDriftPlot,
    mw.CollateralStressPlot,
    mw.LossWaterfall,
    mw.ContagionGraph,
    depeg,
)


@cache
def made(name: str) -> mw.Account:
    """An account that no test edits."""
    return ACCOUNTS[name]()


@contextmanager
def drawn(kind: Any, of: mw.Account, **arguments: Any) -> Iterator[Any]:
    picture = kind(of, Selection(), **arguments)
    try:
        yield picture
    finally:
        picture.close()


def views(of: mw.Account) -> list[str]:
    """What can move along x: everything, and up to two of the symbols held."""
    return ["all", *list(dict.fromkeys(one.symbol for one in of.positions))[:2]]


def along(line: Any) -> tuple[Any, Any]:
    """Points of a line, and gaps, as one row."""
    return np.atleast_1d(line.x), np.atleast_1d(line.y)


def each_view(kinds: Any = (mw.EquityPlot,)) -> Any:
    """Run for every view of every account that holds something."""

    def wrap(test: Callable[[Any, mw.Account], None]) -> Any:
        @pytest.mark.parametrize("name", HELD)
        @pytest.mark.parametrize("kind", kinds)
        def run(kind: Any, name: str) -> None:
            with drawn(kind, made(name)) as plot:
                for view in views(made(name)):
                    plot.view = view
                    test(plot, made(name))

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run

    return wrap


def lines_of(plot: Any) -> Iterator[tuple[str, Any]]:
    for mode in ("cross", "isolated"):
        yield mode, getattr(plot, f"{mode}_line")


def size_of(of: mw.Account) -> float:
    return max(1.0, abs(of.cross.equity), of.cross.wallet_balance)


# ---------------------------------------------------------------- 1: after liquidation it is flat


def left_at(of: mw.Account, view: str, x: float, mode: str, events: Any, present: float) -> float:
    """Equity at a place: pools that stand, what is idle, and what came back from the fallen ones.

    Every pool is valued at the marks of that place by itself; nothing is swept.
    """
    books = of.books
    symbol = None if view == "all" else view
    move = move_of(books, x if symbol is None else x / of.mark(view) - 1, symbol=symbol)
    ledger = books.ledger(mode, move.marks)
    gone = [one for one in events if min(present, x) <= one.x <= max(present, x)]
    names = {one.pool for one in gone}
    stands = [pool not in names for pool in books.pool_names(mode)]
    equity = float(ledger.valuation.equity[np.array(stands, dtype=bool)].sum())
    return equity + float(ledger.valuation.idle) + sum(one.returned for one in gone)


@each_view()
def test_nothing_is_earned_or_lost_after_liquidation(plot: Any, of: mw.Account) -> None:
    curve = plot.curve
    for mode, line in lines_of(plot):
        events = getattr(curve, mode).events
        x, y = along(line)
        known = np.flatnonzero(np.isfinite(y))
        # Not at a trigger itself: there both sides of the jump are drawn.
        jumps = {event.x for event in events}
        for place in known[:: max(1, len(known) // 23)]:
            if x[place] in jumps or (place == len(x) - 1 and not np.isfinite(y[place - 1])):
                continue
            there = left_at(of, plot.view, float(x[place]), mode, events, curve.mark)
            assert y[place] == pytest.approx(there, abs=1e-7 * size_of(of)), (mode, x[place])


@each_view()
def test_where_all_is_closed_the_line_is_level(plot: Any, of: mw.Account) -> None:
    curve = plot.curve
    for mode, line in lines_of(plot):
        series = getattr(curve, mode)
        if series.series.track.idle[1:].any():
            continue  # idle coins are still worth what they are worth
        x, y = along(line)
        for side in (-1, 1):
            events = [one for one in series.events if side * (one.x - curve.mark) >= 0]
            if {key for one in events for key in one.positions} == set(of.books.keys):
                last = max(side * one.x for one in events)
                assert spread(y[side * x > last]) <= NEAR * size_of(of)


def spread(values: Any) -> float:
    known = values[np.isfinite(values)]
    return float(np.ptp(known)) if len(known) else 0.0


# ---------------------------------------------------------------- 2: a jump is a gap


@each_view((mw.EquityPlot, mw.RatioPlot))
def test_a_jump_is_a_gap_and_never_a_slope(plot: Any, of: mw.Account) -> None:
    for mode, line in lines_of(plot):
        x, y = along(line)
        events = [e for e in getattr(plot.curve, mode).events if x[0] <= e.x <= x[-1]]
        for one, other, before, after in zip(x, x[1:], y, y[1:], strict=False):
            if one == other and np.isfinite(before) and np.isfinite(after):
                assert before == pytest.approx(after, abs=NEAR * size_of(of))
        if isinstance(plot, mw.EquityPlot):
            gaps = set(x[np.isnan(y)].tolist())
            assert gaps == {event.x for event in events}


@each_view()
def test_the_bracket_at_a_jump_is_as_high_as_the_jump(plot: Any, of: mw.Account) -> None:
    row = list(GUIDES).index("jump")
    x, y = plot.guides.x[row], plot.guides.y[row]
    ends = np.flatnonzero(np.isfinite(y[:-2]) & np.isfinite(y[1:-1]))
    jumps = {(float(x[n]), float(y[n + 1] - y[n])) for n in ends}
    low, high = float(plot._x.min), float(plot._x.max)
    for mode in MODES:
        for event in getattr(plot.curve, mode).events:
            if low <= event.x <= high:
                change = event.equity_after - event.equity_before
                found = [size for at, size in jumps if at == event.x]
                assert any(size == pytest.approx(change, abs=1e-6) for size in found)
                # What goes is what the pool held and did not come back, to the cent.
                lost = event.pool_equity - event.returned
                assert change == pytest.approx(-lost, abs=1e-6 * size_of(of))


# ---------------------------------------------------------------- 3: three prices, apart


@each_view()
def test_trigger_and_bankruptcy_are_two_ticks(plot: Any, of: mw.Account) -> None:
    low, high = float(plot._x.min), float(plot._x.max)
    for mode in MODES:
        row = list(GUIDES).index(f"bankruptcy {mode}")
        ticks = set(plot.guides.x[row][np.isfinite(plot.guides.y[row])].tolist())
        for event in getattr(plot.curve, mode).events:
            if event.bankruptcy_x is not None and low <= event.x <= high:
                assert event.bankruptcy_x in ticks
                if event.x != plot.curve.mark and event.pool_equity > 0:
                    # Bankruptcy lies beyond the trigger, seen from the present mark.
                    side = np.sign(event.x - plot.curve.mark)
                    assert side * (event.bankruptcy_x - event.x) > 0


def test_a_gap_fills_beyond_the_trigger_and_says_so() -> None:
    with drawn(mw.EquityPlot, made("below maintenance")) as plot:
        cross = plot.curve.cross.events[0]
        assert cross.x == plot.curve.mark  # at the mark of now, not at a trigger long passed
        assert cross.pool_equity == pytest.approx(10_000 - 0.5 * 94_300)
        assert "37,150.00 short, paid by others" in plot.caption


# ---------------------------------------------------------------- 4: cross is conditional

CONDITIONED = (mw.EquityPlot, mw.LeveragePlot, mw.FrontierPlot, mw.FundingDriftPlot)


@pytest.mark.parametrize("kind", CONDITIONED)
@pytest.mark.parametrize("name", HELD)
def test_a_cross_price_says_what_it_takes_for_granted(kind: Any, name: str) -> None:
    of = made(name)
    with drawn(kind, of) as plot:
        key = of.books.keys[0]
        if kind is mw.EquityPlot:
            plot.view = of.positions[0].symbol
        report = of.cross.positions[key]
        held = of.cross.held_symbols(of.books.places[key])
        if report.liquidation_price is None or not held:
            return
        if isinstance(plot, Picture) and plot.data is None:
            return
        told = plot.caption
        assert "stay" in told or " if " in told, told


# ---------------------------------------------------------------- 7: one honest y axis


@pytest.mark.parametrize("kind", PICTURES[:2] + PICTURES[2:4] + PICTURES[6:8])
@pytest.mark.parametrize("name", HELD)
def test_both_modes_share_one_axis_and_are_told_apart_in_grey(kind: Any, name: str) -> None:
    with drawn(kind, made(name)) as plot:
        cross, isolated = plot.cross_line, plot.isolated_line
        assert cross.scales["x"] is isolated.scales["x"]
        assert cross.scales["y"] is isolated.scales["y"]
        assert cross.scales["y"].__class__.__name__ == "LinearScale"
        assert cross.line_style == "solid"
        assert isolated.line_style == "dashed"


@each_view()
def test_zero_is_on_the_equity_axis(plot: Any, of: mw.Account) -> None:
    assert plot._y.min <= 0 <= plot._y.max
    for _, line in lines_of(plot):
        y = along(line)[1]
        assert np.nanmin(y) >= plot._y.min - NEAR
        assert np.nanmax(y) <= plot._y.max + NEAR


@pytest.mark.parametrize("kind", [mw.RatioPlot, mw.CollateralStressPlot])
@pytest.mark.parametrize("name", HELD)
def test_a_ratio_axis_says_over_what_and_where_it_ends(kind: Any, name: str) -> None:
    of = made(name)
    if kind is mw.CollateralStressPlot and not stressed_assets(of):
        return
    with drawn(kind, of) as plot:
        over, _, under = plot.y_axis.label.lower().partition(" ÷ ")
        assert over.startswith("maintenance")
        assert "balance" in under
        words = [*plot._labels_right.text, *plot._labels_left.text]
        assert any(word.startswith("liquidation at") for word in words)
        assert plot._y.min == 0
        for _, line in lines_of(plot):
            assert np.nanmax(along(line)[1], initial=0) <= plot._y.max


# ---------------------------------------------------------------- 10: who pays what is below zero


@each_view()
def test_below_zero_is_drawn_and_who_pays_is_told(plot: Any, of: mw.Account) -> None:
    lowest = min(
        [float(np.nanmin(along(line)[1])) for _, line in lines_of(plot)]
        + [event.equity_before for mode in MODES for event in getattr(plot.curve, mode).events]
    )
    row = list(GUIDES).index("below zero")
    band = plot.guides.y[row][:-1]
    if lowest < -0.01:
        assert np.nanmin(band) == plot._y.min <= lowest
        words = [*plot._labels_right.text, *plot._labels_left.text]
        assert any("below zero" in word for word in words)
    else:
        assert not np.isfinite(band).any() or lowest < 0


def test_a_shortfall_is_a_step_of_its_own() -> None:
    with drawn(mw.LossWaterfall, made("below maintenance"), shock=0.0) as plot:
        paid = next(row for row in plot.fall.rows if row.kind == "shortfall")
        assert paid.bars["cross"].amount == pytest.approx(37_150)
        assert "paid by others" in plot.caption
        assert "paid by others" in plot.picture.html


# ---------------------------------------------------------------- 12, 13: words from the data


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("name", list(ACCOUNTS))
def test_the_caption_is_the_alternative_text_and_the_words_of_the_table(
    kind: Any, name: str
) -> None:
    with drawn(kind, made(name)) as plot:
        told = plot.caption
        assert len(told) > 20
        assert told.endswith(".")
        assert not ABSURD.search(told), told


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("name", list(ACCOUNTS))
def test_without_a_kernel_the_same_words_stand_beside_the_picture(kind: Any, name: str) -> None:
    with drawn(kind, made(name)) as plot:
        bundle = plot._repr_mimebundle_()
        told = plot.caption
        page = bundle["text/html"]
        assert "<script" not in page
        if name == "empty":
            assert "<svg" not in page
            assert re.search("Add (a position|positions)", page)
            return
        assert escape(told.split(". ")[0])[:60] in page
        if getattr(plot, "data", True) is not None:
            assert "<svg" in page
            assert "<table" in page


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("name", list(ACCOUNTS))
def test_no_mark_holds_an_absurd_number(kind: Any, name: str) -> None:
    """No liquidation price is words and an absent line: never 0, infinity or 1e15 on an axis."""
    with drawn(kind, made(name)) as plot:
        figure = getattr(plot, "figure", None)
        if figure is None or (getattr(plot, "data", 1) is None):
            return
        for mark in figure.marks:
            for axis in ("x", "y"):
                values = np.atleast_1d(getattr(mark, axis, 0.0)).astype(float)
                assert not np.isinf(values).any()
                assert np.nanmax(np.abs(values), initial=0) < 1e12
        for axis in figure.axes:
            scale = axis.scale
            assert np.isfinite([scale.min, scale.max]).all()
            assert scale.min < scale.max


# ---------------------------------------------------------------- PLOTS.md, acceptance checks


@each_view()
def test_modes_coincide_until_the_first_trigger(plot: Any, of: mw.Account) -> None:
    curve = plot.curve
    events = [*curve.cross.events, *curve.isolated.events]
    if any(event.x == curve.mark for event in events):
        return  # one of them is closed already
    low = max([e.x for e in events if e.x < curve.mark], default=-np.inf)
    high = min([e.x for e in events if e.x > curve.mark], default=np.inf)
    (x, cross), (at, isolated) = along(plot.cross_line), along(plot.isolated_line)
    mine, other = (x > low) & (x < high), (at > low) & (at < high)
    assert x[mine].tolist() == at[other].tolist()
    np.testing.assert_allclose(cross[mine], isolated[other], atol=NEAR * size_of(of), rtol=0)


@each_view()
def test_a_marker_of_the_account_lies_on_its_maintenance_line(plot: Any, of: mw.Account) -> None:
    book = of.books.book
    plain = book.trigger_level == 1.0 and len(of.cross.pools) == 1
    counts_in_full = of.cross.margin_balance == pytest.approx(of.cross.equity, rel=1e-12)
    if not plain or not counts_in_full or not plot._markers:
        return
    x, y = (plot.guides.x, plot.guides.y)
    row = list(GUIDES).index("maintenance")
    for n, marker in enumerate(plot._markers):
        if marker.mode == "cross" and marker.event.x != plot.curve.mark:
            at = np.flatnonzero(x[row] == plot.liquidations.x[n])
            heights = y[row][at][np.isfinite(y[row][at])]
            assert len(heights)
            assert plot.liquidations.y[n] == pytest.approx(heights.max(), abs=1e-6 * size_of(of))


@pytest.mark.parametrize("name", HELD)
def test_maintenance_does_not_jump_at_tiers_though_the_rate_does(name: str) -> None:
    of = made(name)
    with drawn(mw.TierPlot, of) as plot:
        if plot.data is None or not plot.data.continuous:
            return
        x, y = along(plot.margin_line)
        rate = np.atleast_1d(plot.rate_line.y)
        assert np.isfinite(y).all()
        steps = np.flatnonzero(np.diff(x) <= x[:-1] * 1e-11)
        assert (np.diff(rate)[np.flatnonzero(np.diff(rate))] > 0).all()
        assert set(np.flatnonzero(np.diff(rate))) <= set(steps)
        np.testing.assert_allclose(y[steps], y[steps + 1], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize("shock", [-0.6, -0.1, 0.25])
def test_the_steps_of_a_waterfall_sum_to_the_cent(name: str, shock: float) -> None:
    with drawn(mw.LossWaterfall, made(name), shock=shock) as plot:
        for mode in MODES:
            bars = [row.bars[mode] for row in plot.fall.rows]
            first, *steps, last = bars
            cents = sum(round(100 * bar.shown) for bar in (first, *steps))
            assert cents == round(100 * last.shown)
            assert steps[0].begin == first.amount
            for one, other in pairwise(steps):
                assert other.begin == one.end
            assert steps[-1].end == pytest.approx(last.amount, abs=1e-7 * size_of(made(name)))


@pytest.mark.parametrize("name", HELD)
def test_no_bar_of_a_waterfall_is_truncated(name: str) -> None:
    with drawn(mw.LossWaterfall, made(name), shock=-0.3) as plot:
        low, high = plot.fall.range
        assert low <= 0 <= high
        for row in plot.fall.rows:
            for bar in row.bars.values():
                assert low <= min(bar.begin, bar.end) <= max(bar.begin, bar.end) <= high


@pytest.mark.parametrize("name", HELD)
def test_a_map_of_shocks_is_white_only_where_modes_are_equal(name: str) -> None:
    of = made(name)
    if len(symbols_that_matter(of.books)) < 2:
        return
    with drawn(mw.ShockMap, of, points=9) as plot:
        scale = plot.cells.scales["color"]
        assert scale.mid == 0
        assert scale.min == -scale.max
        lead = np.asarray(plot.cells.color)
        assert np.abs(lead).max() <= scale.max
        for row, column in ((0, 0), (4, 4), (8, 2)):
            cell = plot.data.at(float(plot.data.x[column]), float(plot.data.y[row]))
            assert lead[row, column] == pytest.approx(
                cell.cross - cell.isolated, abs=1e-6 * size_of(of)
            )


@pytest.mark.parametrize("name", HELD)
def test_what_a_graph_draws_is_what_the_modes_lose(name: str) -> None:
    with drawn(mw.ContagionGraph, made(name), shock=-0.2) as plot:
        for graph in plot.graphs.graphs:
            result = plot.graphs.outcomes[graph.mode]
            moved = [link for link in graph.links if link.kind != "backs"]
            flow = sum(link.amount * (1 if link.kind == "feeds" else -1) for link in moved)
            assert flow == pytest.approx(float(result.pnl.sum()), abs=1e-6 * size_of(made(name)))
            dead = {node.key for node in graph.column("position") if node.dead and node.key}
            assert dead <= set(result.fallen)
            for node in graph.column("position"):
                assert node.dead == bool(node.key in result.fallen) or not node.key


def drag(plot: Any, mark: Any, index: int = 0, **point: float) -> None:
    for event in ("drag_start", "drag", "drag_end"):
        mark._handle_custom_msgs(mark, {"event": event, "point": point, "index": index})


def test_an_isolated_marker_dragged_to_85_000_assigns_7_712_50() -> None:
    of = mw.presets.ref2()
    with drawn(mw.EquityPlot, of) as plot:
        plot.view = "BTCUSDT"
        place = next(n for n, one in enumerate(plot._markers) if one.mode == "isolated")
        y = float(plot.liquidations.y[place])
        drag(plot, plot.liquidations, place, x=85_000.0, y=y)
        # 0.5 x (100,000 - 85,000) + 0.005 x 0.5 x 85,000
        assert of.positions["BTCUSDT"].margin == pytest.approx(7_712.50)
        assert of.isolated.positions["BTCUSDT"].liquidation_price == pytest.approx(85_000)


@pytest.mark.parametrize("x", [-5.0, 0.0, 1e12])
@pytest.mark.parametrize("kind", [mw.EquityPlot, mw.LeveragePlot, mw.TierPlot, mw.FrontierPlot])
def test_a_drag_out_of_the_picture_is_held_with_a_message(kind: Any, x: float) -> None:
    of = mw.presets.ref2()
    with drawn(kind, of) as plot:
        if kind is mw.EquityPlot:
            plot.view = "BTCUSDT"
        drag(plot, plot.handle, x=x, y=x)
        assert "held at" in plot.message
        for mark in (of.mark("BTCUSDT"), of.mark("ETHUSDT")):
            assert 0 < mark < 1e6
        assert 0 < of.positions["BTCUSDT"].quantity < 1e6
        assert 1 <= of.positions["BTCUSDT"].leverage <= 1_000
        assert len(np.atleast_1d(plot.handle.x)) == 1
