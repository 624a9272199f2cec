"""Margin ratio against price: numbers in both senses, levels from the rules, the alert."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.ratio_curve import (
    LINES_AT_MOST,
    RatioCurve,
    conventions,
    ratio_curve,
    resolved,
)
from margin_widgets.venues import RuleError
from margin_widgets.venues.ratio import RatioConvention
from margin_widgets.widgets.ratio_plot import LEVELS_AT_MOST, RatioPlot
from margin_widgets.widgets.selection import Selection

SPACE = "\N{NO-BREAK SPACE}"


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


@pytest.fixture
def plot(account: mw.Account) -> Iterator[RatioPlot]:
    made = RatioPlot(account)
    yield made
    made.close()


@pytest.fixture
def unified() -> mw.Account:
    """The account under rules that liquidate at 1.05 times maintenance and warn before."""
    return mw.Account(
        "binance-portfolio-margin",
        {"USDT": 10_000},
        [
            mw.Position("BTCUSDT", 0.5, 100_000, leverage=10),
            mw.Position("ETHUSDT", 5, 4_000, leverage=10),
        ],
    )


def send(widget: Any, **message: Any) -> None:
    """Deliver a message as the browser sends it, through what guards it."""
    for callback in widget._msg_callbacks.callbacks:
        callback(widget, message, [])


def act(plot: RatioPlot, action: str, value: str = "") -> None:
    send(plot._controls, type="action", action=action, value=value)


def drag(plot: RatioPlot, *places: float) -> None:
    handle = plot.handle
    handle._handle_custom_msgs(handle, {"event": "drag_start", "point": {"x": 0, "y": 0}})
    for y in places:
        moved = {"event": "drag", "index": 0, "point": {"x": 0, "y": y}}
        handle._handle_custom_msgs(handle, moved)
    end = {"event": "drag_end", "index": 0, "point": {"x": 0, "y": places[-1]}}
    handle._handle_custom_msgs(handle, end)


def labels(plot: RatioPlot) -> set[str]:
    return {*map(str, plot._labels_right.text), *map(str, plot._labels_left.text)}


def level_line(plot: RatioPlot, number: int) -> float:
    """Height of a drawn level: 0 is liquidation."""
    row = np.asarray(plot.levels.y)[LEVELS_AT_MOST + number]
    return float(row[0])


# ---------------------------------------------------------------- numbers


def by_hand(shock: float) -> dict[str, float]:
    """Maintenance over balance of REF-2 after a common move."""
    up = 1 + shock
    return {
        "cross": 450 * up / (10_000 + 70_000 * shock),
        "isolated ETH": 200 * up / (2_000 + 20_000 * shock),
        "isolated BTC": 250 * up / (5_000 + 50_000 * shock),
    }


@pytest.mark.parametrize(("choice", "power"), [("rising", 1), ("falling", -1)])
def test_lines_are_the_ratio_of_each_pool(account: mw.Account, choice: str, power: int) -> None:
    found = ratio_curve(account.curve(shock=True), choice)
    for line in found.lines:
        seen = np.isfinite(line.y)
        assert seen.sum() > 100
        expected = [by_hand(float(x))[line.name] ** power for x in found.curve.x[seen]]
        assert line.y[seen] == pytest.approx(expected, rel=1e-9)
        assert line.now == pytest.approx(by_hand(0.0)[line.name] ** power)


def test_the_numbers_of_the_reports(account: mw.Account) -> None:
    found = ratio_curve(account.curve(shock=True))
    assert [line.now for line in found.lines] == pytest.approx([0.045, 0.1, 0.05])
    assert found.cross[0].now == pytest.approx(account.cross.margin_ratio)
    assert found.isolated[0].now == pytest.approx(account.isolated.margin_ratio)
    rising, falling = account.cross.margin_ratios
    assert ratio_curve(found.curve, "falling").cross[0].now == pytest.approx(falling.value)
    assert found.cross[0].now == pytest.approx(rising.value)


def test_nothing_is_drawn_after_liquidation(plot: RatioPlot) -> None:
    assert plot.data is not None
    for line, end in zip(plot.data.lines, (-0.137311, -0.090909, -0.095477), strict=True):
        x = plot.data.curve.x
        assert line.liquidated[0] == pytest.approx(end, abs=1e-6)
        assert np.isnan(line.y[x < line.liquidated[0]]).all()
        assert np.isfinite(line.y[x > line.liquidated[0]]).all()
    drawn = np.atleast_2d(plot.cross_line.y)
    assert np.nanmax(drawn) == pytest.approx(1.0)
    assert np.nanmin(np.atleast_2d(plot.cross_line.x)[np.isfinite(drawn)][:-1]) == pytest.approx(
        -0.137311, abs=1e-6
    )


@pytest.mark.parametrize("choice", ["rising", "falling"])
def test_an_alert_is_reached_where_it_says(account: mw.Account, choice: str) -> None:
    found = ratio_curve(account.curve("BTCUSDT"), choice, alert=0.8)
    # 0.005 * 0.5 P + 200 = 0.8 (10,000 + 0.5 (P - 100,000)), and without ETH's 200 for isolated.
    (cross,) = found.cross
    assert cross.alerted[0] == pytest.approx(32_200 / 0.3975)
    isolated = next(line for line in found.isolated if line.key == "BTCUSDT")
    assert isolated.alerted[0] == pytest.approx(36_000 / 0.3975)
    assert found.alert_value == pytest.approx(0.8 if choice == "rising" else 1.25)
    shown = f"80{SPACE}%" if choice == "rising" else f"125{SPACE}%"
    told = f"Cross reaches your alert {shown} at 81,006.29 and is liquidated at 80,804.02."
    assert told in found.text
    assert "the other marks stay" in found.text


def test_an_alert_already_passed_or_out_of_reach(account: mw.Account) -> None:
    account.marks["ETHUSDT"] = 3_640  # 182 of 200
    found = ratio_curve(account.curve(shock=True), alert=0.8)
    assert [line.name for line in found.lines if line.beyond] == ["isolated ETH"]
    assert f"Isolated ETH is beyond your alert 80{SPACE}% at the present marks" in found.text
    account.marks["ETHUSDT"] = 3_000
    assert "Isolated ETH is below maintenance" in ratio_curve(account.curve(shock=True)).text
    hedged = mw.Account("binance-usdm", {"USDT": 1e6}, [mw.Position("BTCUSDT", 0.1, 100_000)])
    found = ratio_curve(hedged.curve("BTCUSDT"), alert=0.8)
    assert "cross never reaches your alert" in found.text.lower()


# ---------------------------------------------------------------- where it liquidates


def test_liquidation_is_where_the_rules_trigger(unified: mw.Account) -> None:
    plot = RatioPlot(unified)
    assert plot.data is not None
    assert level_line(plot, 0) == pytest.approx(1 / 1.05)
    assert np.asarray(plot.ends.y) == pytest.approx(1 / 1.05)
    assert f"liquidation at 95.24{SPACE}%" in labels(plot)
    assert f"liquidation at 95.24{SPACE}%" in plot.y_axis.label
    for line in plot.data.lines:  # the lines do end there
        assert np.nanmax(line.y) == pytest.approx(1 / 1.05)
    plot.convention = "venue"
    assert level_line(plot, 0) == pytest.approx(1.05)
    assert np.asarray(plot.ends.y) == pytest.approx(1.05)
    assert np.nanmin(plot.data.cross[0].y) == pytest.approx(1.05)
    assert "liquidation at 1.05" in labels(plot)
    assert plot.caption.startswith("uniMMR = margin balance ÷ maintenance margin")
    plot.close()


def test_bands_are_those_of_the_rule_set(unified: mw.Account, plot: RatioPlot) -> None:
    assert [one.what for one in plot.data.levels] == ["liquidation"]  # nothing known, nothing drawn
    venue = RatioPlot(unified, convention="venue")
    assert [(one.what, one.value) for one in venue.data.levels] == [
        ("notice", 1.5),
        ("reduce only", 1.2),
        ("liquidation", pytest.approx(1.05)),
    ]
    assert "5e33af8e6ac04d57a1d0a3398e0a0752" in venue.data.levels[0].source
    assert [level_line(venue, n) for n in range(3)] == pytest.approx([1.05, 1.2, 1.5])
    bands = np.asarray(venue.levels.y)[:3]
    edges = [(float(np.nanmin(row[:4])), float(np.nanmax(row[:4]))) for row in bands]
    assert np.array(edges) == pytest.approx(np.array([(0.0, 1.05), (1.05, 1.2), (1.2, 1.5)]))
    # Too thin to be named inside: together, beside the calmest of them.
    assert "notice from 1.5 · reduce only from 1.2" in labels(venue)
    venue.convention = "rising"
    assert [level_line(venue, n) for n in range(3)] == pytest.approx([1 / 1.05, 1 / 1.2, 1 / 1.5])
    assert {f"reduce only from 83.33{SPACE}%", f"notice from 66.67{SPACE}%"} <= labels(venue)
    venue.close()


def test_what_the_rules_really_do_goes_before_what_they_say() -> None:
    rules = mw.venues.generic(tiers={"XUSDT": 0.01}, trigger_level=1.25)
    account = mw.Account(rules, {"USDT": 100}, [mw.Position("XUSDT", 10, 100, leverage=10)])
    found = ratio_curve(account.curve("XUSDT"))
    assert found.level == pytest.approx(0.8)
    assert np.nanmax(found.cross[0].y) == pytest.approx(0.8)
    assert set(conventions(rules)) == {"rising", "falling"}


@pytest.mark.parametrize("name", mw.venues.names())
def test_every_rule_set_can_be_drawn(name: str) -> None:
    rules = mw.venues.get(name)
    known = conventions(rules)
    assert resolved(rules, "venue") in known
    own = known[resolved(rules, "venue")]
    fraction = (rules.margin_ratio.numerator, rules.margin_ratio.denominator)
    assert (own.numerator, own.denominator) == fraction
    level = rules.trigger_level if own.falls else 1 / rules.trigger_level
    assert own.liquidation_at == pytest.approx(level)


def test_a_ratio_of_equity_has_no_one_level_under_haircuts() -> None:
    rules = mw.venues.generic(
        tiers={"BTCUSDT": 0.01},
        haircuts={"BTC": 0.2},
        margin_ratio=RatioConvention(denominator="equity"),
    )
    account = mw.Account(
        rules,
        {"BTC": 0.1},
        [mw.Position("BTCUSDT", 0.2, 100_000, leverage=10)],
        prices={"BTC": 1e5},
    )
    found = ratio_curve(account.curve("BTCUSDT"), "venue", alert=0.5)
    assert found.level is None
    assert found.alert_value is None
    assert "Haircuts take a part of equity" in found.text
    ((x, value),) = found.ends(found.cross[0])
    requirement = 0.01 * 0.2 * x
    equity = 10_000 + 0.2 * (x - 100_000)
    assert value == pytest.approx(requirement / equity)
    assert value < 1
    plot = RatioPlot(account, convention="venue")
    assert not plot.handle.visible
    plot.close()


@pytest.mark.parametrize(
    ("bands", "words"),
    [
        ("notice", "must be a list"),
        ([("notice",)], "row 1: .* must be a name and a value"),
        ([("notice", 1.2)], "row 1: 1.2 is not before liquidation at 1"),
        ([("reduce only", 0.9), ("notice", 0.8)], "row 2: 0.8 does not come after 0.9"),
        ([("notice", math.nan)], "row 1"),
    ],
)
def test_bands_that_make_no_sense_are_refused(bands: Any, words: str) -> None:
    with pytest.raises(RuleError, match=words):
        RatioConvention(bands=bands)
    given = {"name": "margin ratio", "bands": bands}
    with pytest.raises(RuleError, match=words):
        mw.venues.generic(tiers={"X": 0.01}, margin_ratio=given)


def test_bands_travel_with_the_rules(unified: mw.Account) -> None:
    again = mw.Account.from_dict(unified.to_dict())
    assert again.venue.margin_ratio.bands == (("notice", 1.5), ("reduce only", 1.2))
    changed = unified.venue.replace(taker_fee=0.0, margin_ratio=RatioConvention(bands=[("a", 0.5)]))
    scope: dict[str, Any] = {}
    unified.venue = changed
    exec(unified.to_python(), scope)
    assert scope["account"].venue == changed


# ---------------------------------------------------------------- the alert and its handle


def test_dragging_the_alert_sets_the_trait_once(account: mw.Account, plot: RatioPlot) -> None:
    heard: list[float] = []
    plot.observe(lambda change: heard.append(change.new), "alert")
    revision = account.revision
    drag(plot, 0.75, 0.7, 0.6049)
    assert heard == [0.6]
    assert list(plot.alert_line.y) == [0.6, 0.6]
    assert list(plot.handle.y) == [0.6]
    assert account.revision == revision
    assert f"your alert 60{SPACE}%" in plot.caption
    assert 'value="60"' in plot._controls.html


def test_a_drag_shows_what_it_would_do(plot: RatioPlot) -> None:
    handle = plot.handle
    handle._handle_custom_msgs(handle, {"event": "drag_start", "point": {"x": 0, "y": 0.8}})
    moved = {"event": "drag", "index": 0, "point": {"x": 0, "y": 0.5}}
    handle._handle_custom_msgs(handle, moved)
    assert plot.alert == 0.8
    assert f"your alert 50{SPACE}%" in plot.caption
    assert plot.alert_line.y == pytest.approx([0.5, 0.5])
    assert plot.handle.y == pytest.approx([0.8])  # the browser has it under the pointer
    end = {"event": "drag_end", "index": 0, "point": {"x": 0, "y": 0.8}}
    handle._handle_custom_msgs(handle, end)
    assert f"your alert 80{SPACE}%" in plot.caption


def test_a_drag_beyond_the_frame_is_held_and_told(plot: RatioPlot) -> None:
    drag(plot, 9.0)
    assert plot.alert == 1.5
    assert plot.message == f"held at 150{SPACE}%"
    assert "at or beyond liquidation" in plot.caption
    drag(plot, -3.0)
    assert 0 < plot.alert <= 0.01
    plot.convention = "falling"
    drag(plot, 0.0)
    assert plot.alert == 1.5


def test_the_alert_can_be_typed_in_either_convention(plot: RatioPlot) -> None:
    act(plot, "alert", "65 %")
    assert plot.alert == pytest.approx(0.65)
    act(plot, "convention", "falling")
    act(plot, "alert", "160")
    assert plot.alert == pytest.approx(1 / 1.6)
    for text, words in (("0", "must be >="), ("much", "is not a number"), ("-5", "must be >=")):
        act(plot, "alert", text)
        assert words in plot.message
        assert plot.alert == pytest.approx(1 / 1.6)
    act(plot, "alert", "")
    assert plot.alert is None
    assert plot.message == ""
    assert not plot.handle.visible
    assert "alert" not in plot.caption


def test_the_trait_refuses_what_is_no_alert(plot: RatioPlot) -> None:
    for bad in (0.0, -1.0, 1.6, math.nan):
        with pytest.raises(TraitError, match=r"must be > 0 and <= 1\.5"):
            plot.alert = bad
    assert plot.alert == 0.8


# ---------------------------------------------------------------- what is on the page


def test_the_axis_says_what_is_over_what(plot: RatioPlot) -> None:
    assert plot.y_axis.label == f"Maintenance ÷ balance, liquidation at 100{SPACE}%"
    assert plot.y_axis.tick_labels["1"] == f"100{SPACE}%"
    act(plot, "convention", "falling")
    assert plot.y_axis.label == f"Balance ÷ maintenance, liquidation at 100{SPACE}%"
    assert plot._y.max == 6.0
    assert f"≫ 600{SPACE}%" in labels(plot)
    assert f"Above 600{SPACE}% nothing is drawn (≫)." in plot.caption
    drawn = np.concatenate([np.ravel(plot.cross_line.y), np.ravel(plot.isolated_lines.y)])
    assert np.nanmax(drawn) <= 6.0


def test_lines_have_names_and_the_selected_one_is_heavier(account: mw.Account) -> None:
    selection = Selection(key="ETHUSDT")
    plot = RatioPlot(account, selection)
    assert {"cross", "isolated ETH", "isolated BTC"} <= labels(plot)
    eth, btc = (line.y for line in plot.data.isolated)
    width = len(eth)
    assert np.allclose(plot.isolated_line.y[:width], eth, equal_nan=True)
    assert np.allclose(np.atleast_2d(plot.isolated_lines.y)[0][:width], btc, equal_nan=True)
    selection.key = "BTCUSDT"
    assert np.allclose(plot.isolated_line.y[:width], btc, equal_nan=True)
    selection.mode = "cross"
    assert (plot.cross_line.opacities, plot.isolated_line.opacities) == ([1.0], [0.35])
    plot.close()


def test_many_pools_become_one_line_beyond_the_first_dozen() -> None:
    count = 20
    tiers = {f"C{n}USDT": 0.01 for n in range(count)}
    account = mw.Account(
        mw.venues.generic(tiers=tiers),
        {"USDT": 100_000},
        [mw.Position(f"C{n}USDT", 10 + n, 100, leverage=2 + n) for n in range(count)],
    )
    plot = RatioPlot(account)
    drawn = plot.data.drawn
    assert len(drawn) == 1 + LINES_AT_MOST + 1
    assert drawn[-1].name == f"nearest of {count - LINES_AT_MOST} more isolated"
    rest = plot.data.isolated[LINES_AT_MOST:]
    assert np.allclose(
        drawn[-1].y, np.fmax.reduce([line.y for line in rest]), equal_nan=True, rtol=0, atol=0
    )
    shares = [line.now for line in plot.data.isolated]
    assert shares == sorted(shares, reverse=True)
    plot.close()


def test_table_twin_says_the_same(plot: RatioPlot) -> None:
    send(plot._data_box, type="action", action="data")
    page = plot._data_box.html
    for words in (f"4.50{SPACE}%", "10,000.00", "your alert", "liquidated", "isolated ETH"):
        assert words in page
    head, rows = plot.data.values_table()
    assert head == ("common move", "cross", "isolated ETH", "isolated BTC")
    texts = {row[0]: row[1:] for row in rows}
    now = texts[f"0.00{SPACE}%"]
    assert now == (f"4.5{SPACE}%", f"10.0{SPACE}%", f"5.0{SPACE}%")
    frame = plot.data.to_frame()
    assert list(frame.columns) == ["shock", *head[1:]]


def test_an_account_without_positions_is_told_in_words() -> None:
    plot = RatioPlot(mw.Account())
    assert plot.caption == "Add a position to see both modes."
    assert plot.figure not in plot.children
    assert "Add a position" in plot._repr_mimebundle_()["text/html"]
    with pytest.raises(ValueError, match="nothing is drawn: Add a position"):
        plot.to_svg()
    plot.close()


def test_files_without_a_browser(plot: RatioPlot, tmp_path: Path) -> None:
    path = tmp_path / "ratio.svg"
    text = plot.to_svg(path)
    assert path.read_text(encoding="utf-8") == text
    root = ET.fromstring(text)
    assert root.tag.endswith("svg")
    assert plot.caption in "".join(root.itertext())
    assert f"Maintenance ÷ balance, liquidation at 100{SPACE}%".lower() in text.lower()


def test_a_png_where_it_can_be_drawn(plot: RatioPlot, tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    drawn = plot.to_png(tmp_path / "ratio.png")
    assert drawn.startswith(b"\x89PNG")


def test_a_hidden_plot_waits_and_its_static_twin_does_not(account: mw.Account) -> None:
    plot = RatioPlot(account, active=False)
    assert plot.curve is None
    plot.active = True
    before = np.array(plot.cross_line.y)
    plot.active = False
    account.collateral["USDT"] = 12_000
    assert np.array_equal(plot.cross_line.y, before, equal_nan=True)
    assert f"cross 3.8{SPACE}%" in plot._repr_mimebundle_()["text/html"]
    plot.active = True
    assert not np.array_equal(plot.cross_line.y, before, equal_nan=True)
    plot.close()


def test_a_preview_of_marks_is_no_edit(account: mw.Account, plot: RatioPlot) -> None:
    before, revision = np.array(plot.cross_line.y), account.revision
    plot.preview({"BTCUSDT": 95_000})
    assert not np.array_equal(plot.cross_line.y, before, equal_nan=True)
    plot.preview({})
    assert np.array_equal(plot.cross_line.y, before, equal_nan=True)
    assert account.revision == revision


def test_closing_frees_everything(account: mw.Account) -> None:
    RatioPlot(account).close()
    before = len(_instances)
    observers = len(account._trait_notifiers["revision"]["change"])
    for number in range(30):
        plot = RatioPlot(account, active=number % 3 > 0)
        plot.alert = 0.5
        plot.convention = "falling"
        plot.close()
        plot.close()
    assert len(_instances) == before
    assert len(account._trait_notifiers["revision"]["change"]) == observers


def test_options_and_settlement_pools_have_lines() -> None:
    for preset in (mw.presets.bitcoin_on_bitcoin,):
        found: RatioCurve = ratio_curve(preset().curve(shock=True), alert=0.8)
        assert found.lines
        assert all(np.isfinite(line.y).any() for line in found.lines)
    account = mw.Account(
        mw.venues.get("binance-usdm").replace(cross_pool="settlement"),
        {"USDT": 5_000, "USDC": 5_000},
        [mw.Position("BTCUSDT", 0.1, 100_000), mw.Position("BTCUSDC", 0.1, 100_000)],
    )
    found = ratio_curve(account.curve(shock=True))
    assert [line.name for line in found.cross] == ["cross USDT", "cross USDC"]


def test_an_unknown_convention_is_refused(account: mw.Account) -> None:
    with pytest.raises(KeyError, match="did you mean 'rising'"):
        ratio_curve(account.curve(shock=True), "risign")
    with pytest.raises(TraitError):
        RatioPlot(account, convention="sideways")


def test_an_edit_sends_at_most_one_message_a_widget(
    account: mw.Account, plot: RatioPlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    def send(widget: Any, message: dict[str, Any], buffers: Any = None) -> None:
        if message.get("method") == "update":
            sent.append(id(widget))

    monkeypatch.setattr("ipywidgets.Widget._send", send)
    account.positions["BTCUSDT"].quantity = 0.501
    assert sent
    assert len(sent) == len(set(sent))
    sent.clear()
    plot.update()
    assert sent == []
