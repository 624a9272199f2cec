"""The plots: what their marks hold, what they send, what a drag commits, and what they leave."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from ipywidgets import Widget
from ipywidgets.widgets.widget import _instances as registry
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.curve_words import describe, event_name
from margin_widgets.account.curve_words import place as place_words
from margin_widgets.account.formatting import amount
from margin_widgets.account.lead import lead_regions
from margin_widgets.widgets.editing import guarded
from margin_widgets.widgets.equity_guides import MARKED_AT_MOST
from margin_widgets.widgets.equity_plot import GUIDES, EquityPlot
from margin_widgets.widgets.plotting import (
    FRAMES,
    LabelPlacer,
    Throttle,
    nice_range,
    nice_ticks,
    text_px,
)
from margin_widgets.widgets.plotting import _javascript_number as javascript
from margin_widgets.widgets.ratio_plot import RatioPlot
from margin_widgets.widgets.selection import Selection

MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


@pytest.fixture
def plot(account: mw.Account) -> Iterator[EquityPlot]:
    plot = EquityPlot(account)
    yield plot
    plot.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Widget, list[str]]]:
    """Every state update on its way to the browser: the widget and its keys."""
    messages: list[tuple[Widget, list[str]]] = []

    def record(self: Widget, msg: dict, buffers: object = None) -> None:
        if msg.get("method") == "update":
            messages.append((self, sorted(msg["state"])))

    monkeypatch.setattr(Widget, "_send", record)
    return messages


def drag(plot: EquityPlot, what: str, x: float, index: int = 0) -> None:
    """What the browser says of a drag of the handle or of a LIQ marker."""
    point = {"x": x, "y": 0.0}
    mark = plot.handle if what == "handle" else plot.liquidations
    for event in ("drag_start", "drag", "drag_end"):
        mark._handle_custom_msgs(mark, {"event": event, "point": point, "index": index})


def value_at(line: object, x: float) -> float:
    known = np.isfinite(line.y)
    return float(np.interp(x, line.x[known], line.y[known]))


def marker(plot: EquityPlot, mode: str, key: str | None = None) -> int:
    return next(
        n
        for n, one in enumerate(plot._markers)
        if one.mode == mode and (key is None or key in one.event.positions)
    )


# ---------------------------------------------------------------- what is drawn


@pytest.mark.parametrize("view", ["all", "BTCUSDT", "ETHUSDT"])
def test_curves_coincide_until_the_first_liquidation(plot: EquityPlot, view: str) -> None:
    plot.view = view
    curve = plot.curve
    first = max(event.x for event in curve.isolated.events + curve.cross.events)
    x = curve.x[curve.x > first]
    for place in x:
        assert value_at(plot.cross_line, place) == pytest.approx(
            value_at(plot.isolated_line, place), abs=1e-9 * 10_000
        )


@pytest.mark.parametrize("view", ["all", "BTCUSDT", "ETHUSDT"])
def test_equity_is_flat_beyond_the_last_liquidation(plot: EquityPlot, view: str) -> None:
    plot.view = view
    for line, mode in ((plot.cross_line, "cross"), (plot.isolated_line, "isolated")):
        last = min(event.x for event in getattr(plot.curve, mode).events)
        assert np.ptp(line.y[line.x < last]) == pytest.approx(0.0, abs=1e-9)


def test_reference_picture(plot: EquityPlot) -> None:
    assert plot.view == "all"
    assert value_at(plot.cross_line, 0.0) == pytest.approx(10_000)
    assert value_at(plot.isolated_line, -0.2) == pytest.approx(3_000)
    assert value_at(plot.cross_line, -0.2) == pytest.approx(0)
    assert [region.lead for region in lead_regions(plot.curve)] == [-1, 1, 0]
    assert lead_regions(plot.curve)[0].high == pytest.approx(-0.1)
    texts = [*plot._labels_right.text, *plot._labels_left.text]
    for text in ("LIQ ETH −9.09", "LIQ BTC −9.55", "LIQ account −13.73"):
        assert any(label.startswith(text) for label in texts)


def test_jump_is_a_gap(plot: EquityPlot) -> None:
    for line, mode in ((plot.cross_line, "cross"), (plot.isolated_line, "isolated")):
        events = getattr(plot.curve, mode).events
        gaps = np.flatnonzero(np.isnan(line.y))
        assert sorted(line.x[gaps]) == sorted(event.x for event in events)
        for gap in gaps:
            assert line.x[gap - 1] == line.x[gap] == line.x[gap + 1]


def test_liq_marker_lies_on_the_maintenance_line(plot: EquityPlot) -> None:
    place = marker(plot, "cross")
    x, y = plot.liquidations.x[place], plot.liquidations.y[place]
    before = np.flatnonzero(plot.curve.x == x)[-1]
    assert plot.curve.cross.maintenance[before] == pytest.approx(y, rel=1e-12)
    for line, mode in ((plot.cross_line, "cross"), (plot.isolated_line, "isolated")):
        for n, one in enumerate(plot._markers):
            if one.mode == mode:
                points = line.y[line.x == plot.liquidations.x[n]]
                assert np.nanmax(points) == pytest.approx(plot.liquidations.y[n])


def test_zero_is_on_the_axis_and_points_are_few(plot: EquityPlot) -> None:
    assert plot._y.min <= 0 <= plot._y.max
    for line in (plot.cross_line, plot.isolated_line):
        assert len(line.x) <= 420
        assert line.x.dtype == line.y.dtype == np.float64


def test_axis_of_a_common_move_has_true_minus_signs(plot: EquityPlot) -> None:
    labels = plot.x_axis.tick_labels
    assert f"{MINUS}10\N{NO-BREAK SPACE}%" in labels.values()
    assert [float(key) for key in labels] == pytest.approx(list(plot.x_axis.tick_values))
    plot.view = "BTCUSDT"
    assert plot.x_axis.tick_labels["100000"] == "100,000"


def test_lines_end_in_a_point_the_browser_can_draw(account: mw.Account, plot: EquityPlot) -> None:
    ratio = RatioPlot(account)
    lines = [plot.cross_line, plot.isolated_line, plot.guides]
    for line in [*lines, ratio.cross_line, ratio.isolated_line, ratio.levels]:
        assert np.isfinite(np.atleast_2d(line.y)[:, -1]).all()
        assert np.isfinite(np.atleast_2d(line.x)[:, -1]).all()
    ratio.close()


def test_caption_says_what_is_assumed(plot: EquityPlot) -> None:
    assert "cross loses the account at −13.73" in plot.caption
    plot.view = "BTCUSDT"
    assert "if ETHUSDT stays at 4,000" in plot.caption
    assert "Closing fee in maintenance: off" in plot.caption
    assert "insurance fund" in plot.caption


def test_no_positions_in_words(account: mw.Account, plot: EquityPlot) -> None:
    with account.edit():
        del account.positions[1]
        del account.positions[0]
    assert plot.caption == "Add a position to see both modes."
    assert plot.figure not in plot.children
    account.undo()
    assert plot.figure in plot.children
    assert plot.curve is not None


def test_no_liquidation_price_in_words() -> None:
    account = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.0}),
        collateral={"USDT": 1_000_000},
        positions=[mw.Position("BTCUSDT", 0.1, 100_000, leverage=0.5)],
    )
    assert "cannot reach maintenance at any positive price" in describe(account.curve("BTCUSDT"))


def test_markup_in_a_symbol_is_text() -> None:
    bad = "<img src=x>USDT"
    account = mw.Account(
        venue=mw.venues.generic(tiers={bad: 0.005}),
        collateral={"USDT": 100},
        positions=[mw.Position(bad, 1, 100)],
    )
    plot = EquityPlot(account)
    plot.view = bad
    for box in (plot._controls, plot._data_box, plot._caption_box):
        assert "<img" not in box.html
    plot.close()


# ---------------------------------------------------------------- below zero, and what is left


@pytest.fixture
def gapped(account: mw.Account, plot: EquityPlot) -> EquityPlot:
    """The plot after the mark fell through liquidation: both modes are short of money."""
    account.marks["BTCUSDT"] = 5_700
    return plot


def labels(plot: EquityPlot | RatioPlot) -> list[str]:
    return [*plot._labels_right.text, *plot._labels_left.text]


@pytest.mark.parametrize("view", ["all", "BTCUSDT"])
def test_a_gap_through_liquidation_is_drawn_and_told(gapped: EquityPlot, view: str) -> None:
    gapped.view = view
    lowest = min(one.event.equity_before for one in gapped._markers)
    assert lowest == pytest.approx(-37_150)
    assert gapped._y.min < lowest
    band = list(GUIDES).index("below zero")
    known = np.isfinite(gapped.guides.y[band])
    assert gapped.guides.y[band][known].min() == gapped._y.min
    texts = labels(gapped)
    for words in ("LIQ account now", "LIQ BTC now", "37,150.00 paid by others"):
        assert words in texts
    assert "below zero: paid by the insurance fund or others" in texts
    assert "37,150.00 short, paid by others" in gapped.caption


def test_nothing_is_drawn_below_zero_without_need(plot: EquityPlot) -> None:
    assert plot._y.min == 0
    band = list(GUIDES).index("below zero")
    assert not np.isfinite(plot.guides.y[band][:-1]).any()
    assert not any(text.startswith("below zero") for text in labels(plot))


def test_caption_names_what_is_left_of_every_pool(plot: EquityPlot) -> None:
    for event in (*plot.curve.isolated.events, *plot.curve.cross.events):
        assert f"({amount(event.pool_equity)} left)" in plot.caption


def test_caption_says_keeps_only_of_what_no_longer_moves(plot: EquityPlot) -> None:
    assert "keeps 3,000.00" in plot.caption
    plot.view = "BTCUSDT"
    assert "keeps" not in plot.caption
    assert "has 5,000.00 there with 1 position still open" in plot.caption
    moving = mw.presets.bitcoin_on_bitcoin()
    caption = describe(moving.curve(shock=True))
    assert "keeps" not in caption
    lent = mw.presets.ref2()
    lent.collateral["USDT"] = 4_000
    assert "owes 3,000.00 (margin lent beyond the wallet)" in describe(
        lent.curve(shock=True, low=-0.2, high=0.1)
    )


def test_markers_at_one_place_share_a_label() -> None:
    symbols = [f"C{n}USDT" for n in range(40)]
    account = mw.Account(
        venue=mw.venues.generic(tiers=dict.fromkeys(symbols, 0.005)),
        collateral={"USDT": 100_000},
        positions=[mw.Position(symbol, 10, 100, leverage=10) for symbol in symbols],
    )
    plot = EquityPlot(account)
    texts = labels(plot)
    assert any(text.startswith("LIQ 40 positions") for text in texts)
    plot.close()


@pytest.mark.parametrize("make", [mw.presets.ref2, mw.presets.multi_asset, mw.presets.inverse])
def test_cross_is_never_without_its_label(make: Callable[[], mw.Account]) -> None:
    plot = EquityPlot(make())
    for width in FRAMES:
        named = [
            text
            for mark in (plot._labels_right, plot._labels_left)
            for text, color in zip(mark.text, mark.colors, strict=True)
            if text.startswith("LIQ") and f"--mw-{width}-cross" in color
        ]
        assert len(named) == 1
    plot.close()


def test_a_price_axis_says_how_far_from_the_mark(account: mw.Account, plot: EquityPlot) -> None:
    assert not plot.percent_axis.visible
    plot.view = "BTCUSDT"
    account.marks["BTCUSDT"] = 98_500
    assert plot.percent_axis.visible
    shown = plot.percent_axis.tick_labels
    assert shown["88650"] == f"{MINUS}10\N{NO-BREAK SPACE}%"
    assert shown["98500"] == "0\N{NO-BREAK SPACE}%"


# ---------------------------------------------------------------- following the account


def test_range_is_steady_while_typing_and_follows_when_it_must(
    account: mw.Account, plot: EquityPlot
) -> None:
    plot.view = "BTCUSDT"
    before = (plot._x.min, plot._x.max)
    account.positions["BTCUSDT"].quantity = 0.51
    assert (plot._x.min, plot._x.max) == before
    account.marks["BTCUSDT"] = 130_000
    low, high = plot._x.min, plot._x.max
    assert low < 130_000 < high
    for event in plot.curve.cross.events:
        assert low < event.x < high


@pytest.mark.parametrize("view", ["all", "BTCUSDT"])
def test_the_same_account_has_the_same_frame(
    account: mw.Account, plot: EquityPlot, view: str
) -> None:
    plot.view = view
    before = (plot._x.min, plot._x.max, plot._y.min, plot._y.max)
    for mark in (86_000, 130_000, 40_000):
        account.marks["BTCUSDT"] = mark
    for _ in range(3):
        account.undo()
    assert (plot._x.min, plot._x.max, plot._y.min, plot._y.max) == before


def test_view_is_shared_and_falls_back(account: mw.Account) -> None:
    selection = Selection()
    equity, ratio = EquityPlot(account, selection), RatioPlot(account, selection)
    selection.view = "ETHUSDT"
    assert equity.view == ratio.view == "ETHUSDT"
    del account.positions["ETHUSDT"]
    assert selection.view == equity.view == ratio.view == "all"
    ratio._receive({"type": "action", "action": "axis", "value": "BTCUSDT"})
    assert equity.view == "BTCUSDT"
    equity.close()
    ratio.close()


def test_an_edit_sends_the_curves_first_and_little_else(
    account: mw.Account, plot: EquityPlot, sent: list[tuple[Widget, list[str]]]
) -> None:
    account.positions["BTCUSDT"].quantity = 0.501
    widgets = [widget for widget, _ in sent]
    assert widgets[:2] == [plot.cross_line, plot.isolated_line]
    assert len(widgets) == len(set(map(id, widgets))), "at most one message a widget"
    assert len(widgets) <= 7


def test_nothing_is_sent_when_nothing_changes(
    account: mw.Account, plot: EquityPlot, sent: list[tuple[Widget, list[str]]]
) -> None:
    plot.update()
    assert sent == []


# ---------------------------------------------------------------- dragging


def test_dragging_the_mark_commits_once(account: mw.Account, plot: EquityPlot) -> None:
    plot.view = "BTCUSDT"
    revisions: list[int] = []
    account.observe(lambda change: revisions.append(change.new), "revision")
    drag(plot, "handle", 95_000.0)
    assert account.mark("BTCUSDT") == 95_000
    assert len(revisions) == 1
    assert plot.handle.x[0] == plot.stem.x[0] == 95_000
    account.undo()
    assert account.mark("BTCUSDT") == 100_000


def test_dragging_all_marks_is_one_edit(account: mw.Account, plot: EquityPlot) -> None:
    revision = account.revision
    drag(plot, "handle", -0.05)
    assert account.mark("BTCUSDT") == pytest.approx(95_000)
    assert account.mark("ETHUSDT") == pytest.approx(3_800)
    assert account.revision == revision + 1
    assert plot.handle.x[0] == 0.0


def test_dragging_an_isolated_marker_sets_its_margin(account: mw.Account, plot: EquityPlot) -> None:
    plot.view = "BTCUSDT"
    revision = account.revision
    drag(plot, "marker", 85_000.0, marker(plot, "isolated"))
    assert account.positions["BTCUSDT"].margin == pytest.approx(7_712.50)
    assert account.isolated.positions["BTCUSDT"].liquidation_price == pytest.approx(85_000)
    assert account.revision == revision + 1


def test_dragging_an_isolated_marker_in_the_common_view(
    account: mw.Account, plot: EquityPlot
) -> None:
    drag(plot, "marker", -0.15, marker(plot, "isolated", "BTCUSDT"))
    assert account.positions["BTCUSDT"].margin == pytest.approx(7_712.50)


@pytest.mark.parametrize(("view", "x"), [("BTCUSDT", 85_000.0), ("all", -0.12)])
def test_dragging_the_cross_marker_changes_the_wallet(
    account: mw.Account, plot: EquityPlot, view: str, x: float
) -> None:
    plot.view = view
    revision = account.revision
    drag(plot, "marker", x, marker(plot, "cross"))
    assert account.revision == revision + 1
    assert account.collateral["USDT"] != 10_000
    assert plot.curve.cross.events[0].x == pytest.approx(x)


def test_impossible_target_is_told_and_changes_nothing(
    account: mw.Account, plot: EquityPlot
) -> None:
    plot.view = "BTCUSDT"
    place = marker(plot, "isolated")
    revision, x = account.revision, plot.liquidations.x[place]
    drag(plot, "marker", 105_000.0, place)
    assert "at or beyond the present mark" in plot.message
    assert "mw-error" in plot._message_box.html
    assert account.revision == revision
    assert plot.liquidations.x[place] == x
    account.marks["BTCUSDT"] = 99_000
    assert plot.message == ""


def test_a_target_beyond_the_mark_is_refused_in_cross_too(
    account: mw.Account, plot: EquityPlot
) -> None:
    for view, x in (("all", 0.05), ("BTCUSDT", 100_000.0)):
        plot.view = view
        revision = account.revision
        drag(plot, "marker", x, marker(plot, "cross"))
        assert "at or beyond the present mark" in plot.message
        assert account.revision == revision
        assert plot.liquidations.opacities[0] == 1.0


def test_a_fallen_position_is_saved_by_enough_margin_only(
    account: mw.Account, gapped: EquityPlot
) -> None:
    gapped.view = "BTCUSDT"
    revision = account.revision
    drag(gapped, "marker", 8_000.0, marker(gapped, "isolated", "BTCUSDT"))
    assert "at or beyond the present mark" in gapped.message
    assert account.revision == revision
    drag(gapped, "marker", 5_000.0, marker(gapped, "isolated", "BTCUSDT"))
    assert gapped.message == ""
    assert account.isolated.positions["BTCUSDT"].liquidation_price == pytest.approx(5_000)


def test_a_drag_held_at_the_edge_says_so(account: mw.Account, plot: EquityPlot) -> None:
    plot.view = "BTCUSDT"
    drag(plot, "marker", 10_000.0, marker(plot, "isolated"))
    assert plot.message == "held at the edge of the picture: 70,250.00"
    assert account.isolated.positions["BTCUSDT"].liquidation_price == pytest.approx(70_250)
    drag(plot, "handle", 95_000.0)
    assert plot.message == ""


def test_browser_cannot_leave_a_marker_where_it_is_not(plot: EquityPlot) -> None:
    true = plot.handle.x.copy()
    plot.handle.set_state({"x": [0.03]})
    assert np.array_equal(plot.handle.x, true)


def test_drag_beyond_the_frame_is_clamped(account: mw.Account, plot: EquityPlot) -> None:
    plot.view = "BTCUSDT"
    drag(plot, "handle", -5_000.0)
    assert 0 < account.mark("BTCUSDT") < 100_000


def test_preview_of_a_drag_leaves_account_and_scales_alone(
    account: mw.Account, plot: EquityPlot
) -> None:
    plot.view = "BTCUSDT"
    domain, revision = (plot._x.min, plot._y.max), account.revision
    place = marker(plot, "isolated")
    mark = plot.liquidations
    mark._handle_custom_msgs(mark, {"event": "drag_start", "index": place, "point": {"x": 0.0}})
    mark._handle_custom_msgs(mark, {"event": "drag", "index": place, "point": {"x": 85_000.0}})
    assert "7,712.50" in plot.caption
    assert value_at(plot.isolated_line, 80_000) == pytest.approx(10_000 - 7_712.5)
    assert (plot._x.min, plot._y.max) == domain
    assert account.revision == revision
    assert any(text.startswith("LIQ BTC 85,000") for text in labels(plot))
    assert not any(text.startswith("LIQ BTC 90,452") for text in labels(plot))
    assert 85_000 in plot.trials.x.round(6)
    assert plot.trials.visible
    mark._handle_custom_msgs(mark, {"event": "drag_end", "index": place, "point": {"x": 85_000.0}})
    assert not plot.trials.visible


def test_preview_of_other_marks(account: mw.Account, plot: EquityPlot) -> None:
    before = plot.cross_line.y.copy()
    plot.preview({"BTCUSDT": 95_000.0})
    assert value_at(plot.cross_line, 0.0) == pytest.approx(7_500)
    plot.preview({})
    assert np.array_equal(plot.cross_line.y, before, equal_nan=True)


# ---------------------------------------------------------------- ending a drag, typing


def begin(plot: EquityPlot, mark: object, x: float, index: int = 0) -> None:
    """A drag that has come to x and is still held."""
    for event in ("drag_start", "drag"):
        mark._handle_custom_msgs(
            mark, {"event": event, "point": {"x": x, "y": 0.0}, "index": index}
        )


@pytest.mark.parametrize(
    ("what", "x"), [("handle", 95_000.0), ("marker", 85_000.0), ("entry", 97e3)]
)
def test_escape_ends_a_drag_without_an_edit(
    account: mw.Account, plot: EquityPlot, what: str, x: float
) -> None:
    plot.view = "BTCUSDT"
    marks = {"handle": plot.handle, "marker": plot.liquidations, "entry": plot.entries}
    mark, index = marks[what], marker(plot, "isolated") if what == "marker" else 0
    caption, revision, places = plot.caption, account.revision, mark.x.copy()
    lines = [line.y.copy() for line in (plot.cross_line, plot.isolated_line)]
    begin(plot, mark, x, index)
    assert plot.caption != caption
    plot._on_figure({"type": "escape"})
    for line, before in zip((plot.cross_line, plot.isolated_line), lines, strict=True):
        assert np.array_equal(line.y, before, equal_nan=True)
    assert (plot.caption, account.revision, plot.stem.x[0]) == (caption, revision, 100_000)
    assert not plot.trials.visible
    # The browser still says that the mark was moved, and where it was let go.
    mark.set_state({"x": [x] * len(places)})
    mark._handle_custom_msgs(mark, {"event": "drag_end", "point": {"x": x}, "index": index})
    assert account.revision == revision
    assert np.array_equal(mark.x, places)


def test_dragging_an_entry_edits_it_and_cannot_leave_the_prices(
    account: mw.Account, plot: EquityPlot
) -> None:
    assert not plot.entries.visible
    plot.view = "BTCUSDT"
    assert plot.entries.visible
    begin(plot, plot.entries, 97_000.0)
    # 0.5 x (100,000 - 97,000) more profit
    assert value_at(plot.cross_line, 100_000.0) == pytest.approx(11_500)
    assert "equity 11,500.00 instead of 10,000.00" in plot.caption
    plot.entries._handle_custom_msgs(plot.entries, {"event": "drag_end", "point": {"x": -1e6}})
    assert account.positions["BTCUSDT"].entry_price == pytest.approx(70_250)
    assert "held at the edge of the picture" in plot.message
    account.undo()
    assert plot.entries.x.tolist() == [100_000]


def test_what_is_dragged_can_be_typed(account: mw.Account, plot: EquityPlot) -> None:
    plot.view = "BTCUSDT"
    plot._receive({"type": "action", "action": "typing"})
    for name in ("mark", "entry", "isolated", "cross"):
        assert f'data-action="put-{name}"' in plot._data_box.html
    plot._receive({"type": "action", "action": "put-isolated", "value": "85,000"})
    assert account.positions["BTCUSDT"].margin == pytest.approx(7_712.50)
    plot._receive({"type": "action", "action": "put-cross", "value": "75000"})
    assert account.cross.positions["BTCUSDT"].liquidation_price == pytest.approx(75_000)
    plot._receive({"type": "action", "action": "put-entry", "value": "99000"})
    assert account.positions["BTCUSDT"].entry_price == 99_000
    plot._receive({"type": "action", "action": "put-mark", "value": "98000"})
    assert account.mark("BTCUSDT") == 98_000
    plot.view = "all"
    plot._receive({"type": "action", "action": "put-mark", "value": "\N{MINUS SIGN}50 %"})
    assert account.mark("ETHUSDT") == pytest.approx(2_000)
    assert account.mark("BTCUSDT") == pytest.approx(49_000)


@pytest.mark.parametrize(
    ("view", "action", "text", "words"),
    [
        ("BTCUSDT", "put-mark", "-5", "mark: -5 must be above 0"),
        ("all", "put-mark", "-100", "move of all marks: -100 must be above"),
        ("BTCUSDT", "put-isolated", "105000", "at or beyond the present mark"),
        ("BTCUSDT", "put-entry", "abc", "entry: 'abc' is not a number"),
    ],
)
def test_what_cannot_be_typed_is_told(
    account: mw.Account, plot: EquityPlot, view: str, action: str, text: str, words: str
) -> None:
    plot.view = view
    revision = account.revision
    tell = guarded(plot._receive, plot._tell)
    tell(None, {"type": "action", "action": action, "value": text}, None)
    assert words in plot.message
    assert account.revision == revision


# ---------------------------------------------------------------- brush and zoom


def test_one_interaction_at_a_time(plot: EquityPlot) -> None:
    assert plot.tool == "move"
    assert plot.figure.interaction is None
    for tool in ("brush", "zoom"):
        plot._receive({"type": "action", "action": "tool", "value": tool})
        assert plot.figure.interaction is plot._brush
        assert 'data-action="low"' in plot._data_box.html
    plot._on_figure({"type": "escape"})
    assert plot.tool == "move"
    assert plot.figure.interaction is None
    with pytest.raises(TraitError, match="tool"):
        plot.tool = "lasso"


def brush(plot: EquityPlot, low: float, high: float) -> None:
    """What the browser sends of a brush."""
    plot._brush.set_state({"brushing": True})
    plot._brush.set_state({"selected": [low, (low + high) / 2]})
    plot._brush.set_state({"selected": [low, high], "brushing": False})


@pytest.mark.parametrize("typed", [False, True])
def test_a_brush_reads_both_modes(plot: EquityPlot, typed: bool) -> None:
    plot.tool = "brush"
    if typed:
        plot._act("low", "-14")
        plot._act("high", "-5")
        assert plot._brush.selected.tolist() == pytest.approx([-0.14, -0.05])
    else:
        brush(plot, -0.14, -0.05)
    assert plot.reading is not None
    assert plot.reading.curve.low == pytest.approx(-0.14)
    least = plot.reading.least
    assert least["isolated"][0] == pytest.approx(3_000)
    assert least["cross"] == pytest.approx((0.0, plot.curve.cross.events[0].x))
    head, rows = plot.reading.table()
    assert head[1:3] == ["isolated equity", "cross equity"]
    figures = {row[0].replace("\N{NO-BREAK SPACE}", " "): row[1:] for row in rows}
    # 10,000 - 0.05 x 70,000 at the one end; 3,000 kept and all lost at the other
    assert figures[f"{MINUS}5.00 %"][:2] == ["6,500.00", "6,500.00"]
    assert figures[f"{MINUS}14.00 %"][:2] == ["3,000.00", "0.00"]
    assert figures[f"{MINUS}13.73 %"][1] == "388.21 → 0.00"
    assert figures[f"{MINUS}9.55 %"][0] == "3,226.13 → 3,000.00"
    for word in ("LIQ isolated ETH", "LIQ isolated BTC", "LIQ cross account", "6,500.00"):
        assert word in plot._data_box.html
    plot.tool = "move"
    assert plot.reading is None


def test_a_reading_follows_edits(account: mw.Account, plot: EquityPlot) -> None:
    plot.tool = "brush"
    brush(plot, -0.14, -0.05)
    account.collateral["USDT"] = 11_000
    assert plot.reading.least["isolated"][0] == pytest.approx(4_000)
    assert plot.reading.curve.low == pytest.approx(-0.14)


@pytest.mark.parametrize("typed", [False, True])
def test_zoom_shows_a_range_and_reset_the_whole(
    account: mw.Account, plot: EquityPlot, typed: bool
) -> None:
    plot.view = "BTCUSDT"
    whole = (plot._x.min, plot._x.max)
    plot.tool = "zoom"
    if typed:
        plot._act("high", "95000")
        plot._act("low", "85000")
    else:
        brush(plot, 85_000, 95_000)
    assert (plot._x.min, plot._x.max) == (85_000, 95_000)
    assert plot._brush.selected is None
    assert plot.cross_line.x.min() == 85_000
    assert not plot.handle.visible
    account.positions["BTCUSDT"].quantity = 0.51
    assert (plot._x.min, plot._x.max) == (85_000, 95_000)
    plot._act("reset", "")
    account.undo()
    assert (plot._x.min, plot._x.max) == whole
    assert plot.handle.visible


def test_a_range_that_is_none_is_told(plot: EquityPlot) -> None:
    plot.tool = "zoom"
    tell = guarded(plot._receive, plot._tell)
    tell(None, {"type": "action", "action": "low", "value": "30"}, None)
    assert "must be below" in plot.message
    plot.tool = "brush"
    tell(None, {"type": "action", "action": "low", "value": "-60"}, None)
    assert "must lie in the picture" in plot.message
    brush(plot, -0.1, -0.1)  # a click
    assert plot.reading is None


# ---------------------------------------------------------------- the mode looked at


def click(plot: EquityPlot, x: float, y: float) -> None:
    low, high = plot._x.min, plot._x.max
    bottom, top = plot._y.min, plot._y.max
    place = {"x": (x - low) / (high - low), "y": (top - y) / (top - bottom), "width": 500.0}
    plot._on_figure({"type": "click", **place})


def test_a_click_on_a_curve_selects_its_mode(account: mw.Account) -> None:
    selection = Selection()
    plot, cards = EquityPlot(account, selection), mw.ModeCards(account, selection)
    click(plot, -0.17, 3_000)
    assert selection.mode == "isolated"
    assert plot.isolated_line.stroke_width > plot.cross_line.stroke_width
    assert plot.cross_line.opacities[0] < plot.isolated_line.opacities[0]
    assert cards.view.html.count("mw-chosen") == 1
    click(plot, -0.17, 10_000)  # nothing is there
    assert selection.mode == "isolated"
    click(plot, -0.17, 0)
    assert selection.mode == "cross"
    click(plot, -0.17, 0)
    assert selection.mode == ""
    for wanted in ("cross", "isolated", ""):  # where both are, they take turns
        click(plot, 0.05, 13_500)
        assert selection.mode == wanted
    plot._receive({"type": "action", "action": "mode", "value": "cross"})
    assert selection.mode == "cross"
    plot.close()
    cards.close()


# ---------------------------------------------------------------- ghosts


@pytest.mark.parametrize("view", ["all", "BTCUSDT"])
def test_ghosts_are_the_curves_of_their_accounts(
    account: mw.Account, plot: EquityPlot, view: str
) -> None:
    plot.view = view
    pinned, preview = account.copy(), account.copy()
    pinned.collateral["USDT"] = 12_000
    preview.positions["BTCUSDT"].margin = 7_712.5
    plot.ghosts = {"preview": preview, "pinned": pinned}
    assert plot.ghost_lines.visible
    row = 0
    for other in (preview, pinned):
        axis = {"shock": True} if view == "all" else {"symbol": view}
        own = other.curve(low=plot._x.min, high=plot._x.max, **axis)
        for mode, dash in (("cross", "--mw-ghost-cross"), ("isolated", "--mw-ghost-isolated")):
            x, y = plot.ghost_lines.x[row], plot.ghost_lines.y[row]
            series = getattr(own, mode)
            known = np.isfinite(y[:-1])
            assert dash in plot.ghost_lines.colors[row]
            assert len(x[:-1][known]) == len(own.x)
            np.testing.assert_array_equal(y[:-1][known], series.equity)
            gaps = x[:-1][~known & np.isfinite(x[:-1])]
            assert sorted(gaps) == sorted(event.x for event in series.events)
            for event in series.events:
                assert event.x in plot.ghost_liquidations[mode].x
            row += 1
    assert plot._y.max >= np.nanmax(plot.ghost_lines.y)
    texts = labels(plot)
    assert any(text.startswith("preview LIQ BTC") for text in texts)
    assert any(text.startswith("pinned") for text in texts)
    assert "Preview (thin grey): isolated LIQ" in plot.caption
    assert "Pinned (thin grey): isolated LIQ" in plot.caption
    plot._receive({"type": "action", "action": "data"})
    for words in ("preview, isolated", "preview, cross", "pinned, isolated", "pinned, cross"):
        assert words in plot._data_box.html
    plot.ghosts = {"preview": None, "pinned": None}
    assert plot.ghosts == {}
    assert not plot.ghost_lines.visible
    assert not any(mark.visible for mark in plot.ghost_liquidations.values())
    assert "thin grey" not in plot.caption


def test_ghosts_start_from_their_own_marks_and_may_have_no_such_axis(
    account: mw.Account, plot: EquityPlot
) -> None:
    plot.ghosts = {"pinned": account.copy()}
    account.marks["BTCUSDT"] = 95_000
    assert "Pinned (thin grey, from its own marks)" in plot.caption
    other = account.copy()
    del other.positions["BTCUSDT"]
    other.marks = {"ETHUSDT": 4_000}
    plot.view = "BTCUSDT"
    plot.ghosts = {"preview": other}
    assert "Preview: nothing on this axis." in plot.caption
    assert not plot.ghost_lines.visible


def test_ghosts_are_accounts(plot: EquityPlot) -> None:
    with pytest.raises(ValueError, match="ghosts"):
        plot.ghosts = {"preview": 3}


def test_the_dashboard_draws_what_panels_look_at(account: mw.Account) -> None:
    dashboard = mw.Dashboard(account)
    drawer = dashboard.panel("compare")
    drawer.active = True
    drawer.pin()
    solve = dashboard.panel("solve")
    repair = dashboard.panel("repair")
    solve.preview, repair.preview = account.copy(), account.copy()
    assert dashboard.equity.ghosts == {"pinned": drawer.pinned, "preview": repair.preview}
    repair.preview = None
    assert dashboard.equity.ghosts["preview"] is solve.preview
    account.positions["BTCUSDT"].quantity = 0.4
    assert dashboard.equity.ghosts.get("pinned") is drawer.pinned
    solve.preview = None
    drawer.unpin()
    assert dashboard.equity.ghosts == {}
    dashboard.close()


# ---------------------------------------------------------------- what is assumed, and more lines


def test_below_zero_is_hatched(gapped: EquityPlot) -> None:
    gapped.view = "BTCUSDT"
    row = list(GUIDES).index("hatch")
    x, y = gapped.guides.x[row], gapped.guides.y[row]
    known = np.isfinite(y[:-1])
    assert known.sum() > 20
    assert y[:-1][known].min() >= gapped._y.min - 1e-6
    assert y[:-1][known].max() <= 1e-6
    assert x[:-1][known].min() >= gapped._x.min
    assert x[:-1][known].max() <= gapped._x.max + 1e-6


def test_every_jump_has_a_bracket_at_both_ends(plot: EquityPlot) -> None:
    row = list(GUIDES).index("bracket")
    y = plot.guides.y[row][:-1]
    heights = sorted(y[np.isfinite(y)].tolist())
    ends = [
        end
        for event in (*plot.curve.cross.events, *plot.curve.isolated.events)
        for end in (event.equity_before, event.equity_after)
    ]
    assert heights == pytest.approx(sorted(ends * 2))


def test_jumps_too_small_to_be_seen_have_no_brackets() -> None:
    account = mw.presets.ref2()
    account.collateral["USDT"] = 10_000_000
    plot = EquityPlot(account)
    guides = dict(zip(GUIDES, zip(plot.guides.x, plot.guides.y, strict=True), strict=True))
    assert np.isfinite(guides["jump"][1][:-1]).sum() == 2 * len(plot.curve.isolated.events)
    assert not np.isfinite(guides["bracket"][1][:-1]).any()
    plot.close()


def test_assumptions_are_chips_beside_the_picture() -> None:
    plot = EquityPlot(mw.presets.multi_asset())
    for words in ("haircut BTC 5.0", "funding off", "fill at trigger", "liquidation fee 1.25"):
        assert words in plot._caption_box.html
    for words in ("haircut BTC 5.0", "funding not modelled", "filled at the mark that triggers"):
        assert words in plot.caption
    plot.close()


def test_a_cross_price_carries_its_condition(plot: EquityPlot) -> None:
    plot.view = "BTCUSDT"
    assert "LIQ account 80,804.02 if ETHUSDT 4,000" in labels(plot)
    assert plot.x_axis.label == "mark price of BTCUSDT, other marks unchanged"


def test_equity_if_nobody_were_liquidated(plot: EquityPlot) -> None:
    plot.show_untouched = True
    assert plot.ghost_lines.visible
    x, y = plot.ghost_lines.x, plot.ghost_lines.y
    drawn = np.isfinite(y[:-1])
    # 10,000 + 70,000 x move, below zero too
    np.testing.assert_allclose(y[:-1][drawn], 10_000 + 70_000 * x[:-1][drawn], atol=1e-8)
    assert plot._y.min < np.nanmin(y[:-1])
    assert x[0] == pytest.approx(plot._x.min)
    assert "if nobody liquidated" in labels(plot)
    plot.show_untouched = False
    assert not plot.ghost_lines.visible


def test_files_of_the_picture(plot: EquityPlot, tmp_path) -> None:
    other = plot.account.copy()
    other.collateral["USDT"] = 12_000
    plot.ghosts = {"pinned": other}
    svg = plot.to_svg(tmp_path / "equity.svg", theme="dark")
    assert (tmp_path / "equity.svg").read_text(encoding="utf-8") == svg
    for words in ("thin: pinned", "pinned LIQ account", 'data-mark="ghost-pinned-cross"'):
        assert words in svg
    assert "Pinned (thin grey)" in plot._repr_mimebundle_()["text/html"]
    empty = EquityPlot(mw.Account(venue="binance-usdm", collateral={"USDT": 1_000}))
    with pytest.raises(ValueError, match="nothing is drawn: Add a position"):
        empty.to_svg()
    empty.close()


# ---------------------------------------------------------------- throttle


def test_throttle_without_a_loop_calls_at_once() -> None:
    calls: list[int] = []
    throttle = Throttle(calls.append, interval=10.0)
    for n in range(5):
        throttle(n)
    assert calls == [0, 1, 2, 3, 4]


def test_throttle_in_a_loop_keeps_first_and_last() -> None:
    calls: list[int] = []

    async def run() -> None:
        throttle = Throttle(calls.append, interval=0.05)
        for n in range(20):
            throttle(n)
        while len(calls) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.06)
        throttle(99)
        throttle(100)
        throttle.cancel()
        await asyncio.sleep(0.12)

    asyncio.run(run())
    assert calls == [0, 19, 99]


# ---------------------------------------------------------------- leaving nothing behind


@pytest.mark.parametrize("make", [EquityPlot, RatioPlot])
def test_widget_registry_returns_to_its_size(
    account: mw.Account, make: Callable[[mw.Account], EquityPlot | RatioPlot]
) -> None:
    before = len(registry)
    observers = len(account._trait_notifiers.get("revision", {}).get("change", []))
    for n in range(100):
        plot = make(account)
        if n % 10 == 0:
            plot.view = "BTCUSDT"
            account.marks["BTCUSDT"] = 100_000 + n
        plot.close()
        plot.close()
    assert len(registry) == before
    assert len(account._trait_notifiers.get("revision", {}).get("change", [])) == observers


def test_a_figure_that_is_not_on_the_page_is_freed_too() -> None:
    before = len(registry)
    EquityPlot(mw.Account(venue="binance-usdm", collateral={"USDT": 1_000})).close()
    RatioPlot(mw.presets.ref2(), active=False).close()
    assert len(registry) == before


def test_widget_count_does_not_grow_with_markers() -> None:
    small, large = EquityPlot(mw.presets.ref2()), EquityPlot(mw.presets.ref2())
    count = len(registry)
    with large.account.edit():
        large.account.positions["BTCUSDT"].quantity = 0.7
        large.account.collateral["USDT"] = 5_000
    large.view = "ETHUSDT"
    assert len(registry) == count
    small.close()
    large.close()


# ---------------------------------------------------------------- ticks and labels


@pytest.mark.parametrize(
    ("low", "high"), [(-0.2, 0.1), (0, 17_000), (70_000, 120_000), (1e-8, 5e-8), (-3e9, 1e12)]
)
def test_nice_ticks_lie_inside(low: float, high: float) -> None:
    values = nice_ticks(low, high)
    assert 2 <= len(values) <= 8
    assert all(low - 1e-9 * abs(low) <= value <= high * (1 + 1e-9) for value in values)
    start, end = nice_range(low, high)
    assert start <= low
    assert high <= end
    assert math.isfinite(start + end)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (100_000.0, "100000"),
        (-0.05, "-0.05"),
        (0.0, "0"),
        (2.5e-7, "2.5e-7"),
        (0.00001, "0.00001"),
        (0.000025, "0.000025"),
        (1e21, "1e+21"),
    ],
)
def test_tick_keys_are_what_javascript_makes_of_numbers(value: float, text: str) -> None:
    assert javascript(value) == text


@pytest.mark.parametrize("width", list(FRAMES))
def test_labels_neither_overlap_nor_leave_the_frame(width: str) -> None:
    x = np.linspace(0.0, 1.0, 100)
    placer = LabelPlacer(width, (0.0, 1.0), (0.0, 1.0), [(x, x)])
    for n in range(6):
        placer.place(0.3 + 0.01 * n, 0.3 + 0.01 * n, f"LIQ COIN{n} {MINUS}9.09 %", "cross")
    assert len(placer.placed) == 6
    for frame in FRAMES[width]:
        boxes = []
        for label in placer.placed:
            size = text_px(label.text)
            gap = LabelPlacer.GAP if label.rightward else -LabelPlacer.GAP - size
            left, middle = label.x * frame + gap, label.y * LabelPlacer.HEIGHT
            assert left >= 0
            assert left + size <= frame
            assert 0 <= middle <= LabelPlacer.HEIGHT
            boxes.append((left, left + size, middle))
        for i, (a, b, m) in enumerate(boxes):
            for c, d, o in boxes[i + 1 :]:
                assert b <= c or d <= a or abs(m - o) >= LabelPlacer.LINE - 1e-9


@pytest.mark.parametrize("preset", [mw.presets.ref2, mw.presets.multi_asset])
def test_a_liq_label_among_others_stands_at_its_marker(preset: Callable[[], mw.Account]) -> None:
    """No line leads from a label to its marker: rows away it would be read as another's."""
    plot = EquityPlot(preset())
    curve = plot.curve
    assert curve is not None
    found = [one.event for one in plot._markers if one.mode == "isolated"]
    own = {f"LIQ {event_name(curve, e)} {place_words(curve, e.x)}": e.equity_before for e in found}
    row = LabelPlacer.LINE / LabelPlacer.HEIGHT * float(plot._y.max - plot._y.min)
    away = {
        str(text): abs(float(y) - own[str(text)]) / row
        for mark in (plot._labels_right, plot._labels_left)
        for text, y in zip(mark.text, mark.y, strict=True)
        if str(text) in own
    }
    first = min(plot._markers, key=lambda one: (one.mode == "cross", abs(one.event.x)))
    assert f"LIQ {event_name(curve, first.event)} {place_words(curve, first.event.x)}" in away
    assert len(away) >= 2
    assert len(own) > 2 or set(away) == set(own)  # both of two have a name
    assert max(away.values()) <= (2.01 if len(own) > 2 else 4.01)
    plot.close()


def test_of_many_liquidations_the_nearest_are_marked() -> None:
    """Hundreds of markers would cover each other; the curve still takes every step."""
    names = [f"C{n:03d}USDT" for n in range(80)]
    account = mw.Account(
        venue=mw.venues.generic(tiers=dict.fromkeys(names, 0.005)),
        collateral={"USDT": 100_000},
        positions=[
            mw.Position(name, quantity=1, entry_price=100, leverage=8 + n / 40)
            for n, name in enumerate(names)
        ],
        marks=dict.fromkeys(names, 100.0),
    )
    plot = EquityPlot(account)
    assert plot.curve is not None
    events = plot.curve.isolated.events
    own = [one.event for one in plot._markers if one.mode == "isolated"]
    assert len(events) == 80
    assert own == list(events[:MARKED_AT_MOST])
    assert max(abs(one.x) for one in own) <= min(abs(one.x) for one in events[MARKED_AT_MOST:])
    plot.close()
