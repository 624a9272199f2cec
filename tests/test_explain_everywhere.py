"""Explain from every number: what a widget shows is what the explanation of it says."""

from __future__ import annotations

import html as markup
import re
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances
from recorded import depeg

import margin_widgets as mw
from margin_widgets.account.figures import MODES, KeyFigure, figure_of
from margin_widgets.account.repair import distance, repairs
from margin_widgets.widgets.collateral_stress_plot import CollateralStressPlot
from margin_widgets.widgets.dashboard import TABS
from margin_widgets.widgets.equity_plot import EquityPlot
from margin_widgets.widgets.explanation_box import ExplanationBox
from margin_widgets.widgets.frontend import Html
from margin_widgets.widgets.frontier_plot import FrontierPlot
from margin_widgets.widgets.funding_drift_plot import FundingDriftPlot
from margin_widgets.widgets.leverage_plot import LeveragePlot
from margin_widgets.widgets.lifetime import owned
from margin_widgets.widgets.ratio_plot import RatioPlot
from margin_widgets.widgets.repair_table import RepairTable
from margin_widgets.widgets.shock_map import ShockMap
from margin_widgets.widgets.solve_panel import SolvePanel
from margin_widgets.widgets.tier_plot import TierPlot

PICTURES = (
    EquityPlot,
    RatioPlot,
    LeveragePlot,
    TierPlot,
    FrontierPlot,
    ShockMap,
    CollateralStressPlot,
    FundingDriftPlot,
    depeg,
)
WORDS = {"none", "no balance", "no equity", "no maintenance", "–"}
FIGURE = re.compile(r'<button class="mw-num" data-explain="([^"]*)"[^>]*>(.*?)</button>', re.DOTALL)


def fallen() -> mw.Account:
    """One position is below maintenance, the other stands."""
    account = mw.presets.ref2()
    account.marks["ETHUSDT"] = 3_600
    return account


def assigned() -> mw.Account:
    """A margin assigned by hand: the leverage says nothing of it."""
    account = mw.presets.hedged_pair()
    account.positions["BTCUSDT"].margin = 5_000
    account.collateral["ETH"] = 1.5
    return account


ACCOUNTS = {
    "ref2": mw.presets.ref2,
    "fallen": fallen,
    "assigned": assigned,
    "coin": mw.presets.bitcoin_on_bitcoin,
    "inverse": mw.presets.inverse,
    "multi": mw.presets.multi_asset,
    "exchange": mw.presets.exchange_account,
}


def send(widget: Any, **message: Any) -> None:
    """What the browser says."""
    widget._handle_custom_msg(message, [])


def figures(source: str) -> list[tuple[str, str]]:
    """Path and text of every number that can be asked about."""
    found = []
    for path, inside in FIGURE.findall(source):
        number = re.search(r"<b>(.*?)</b>", inside)
        text = re.sub(r"<[^>]+>", "", number[1] if number else inside)
        found.append((markup.unescape(path), markup.unescape(text)))
    return found


def shown(widget: Any) -> str:
    """All HTML of a widget but that of its explanation."""
    boxes = [one for one in owned(widget) if isinstance(one, Html)]
    return "".join(one.html for one in boxes if not isinstance(one, ExplanationBox))


def check(text: str, value: float | None) -> None:
    """A text is a value, to the digits that it shows."""
    if value is None:
        assert text in WORDS, text
        return
    if text == "now":
        assert value == 0
        return
    if text.startswith(">"):
        assert text == "> +1,000\N{NO-BREAK SPACE}%" and value > 10
        return
    number = text.replace("\N{NO-BREAK SPACE}", " ").replace("−", "-").replace(",", "")
    share, number = number.endswith("%"), number.rstrip(" %×")
    digits = len(number.partition(".")[2])
    assert abs(value * (100 if share else 1) - float(number)) <= 0.5000001 * 10**-digits, text


def open_data(plot: Any) -> None:
    send(plot._data_box, type="action", action="data", value=None)


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("name", ACCOUNTS)
@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_shows_what_the_account_explains(kind: Any, name: str) -> None:
    account = ACCOUNTS[name]()
    plot = kind(account)
    open_data(plot)
    for step in range(2):
        for path, text in figures(shown(plot)):
            check(text, account.explain(path).value)
        if plot.data is not None:
            named = figures(plot._caption_box.html)
            assert 3 <= len(named) <= 6
            assert len({path for path, _ in named}) == len(named)
        if step == 0:
            position = account.positions[0]
            position.quantity = position.quantity * 0.9
    plot.close()


@pytest.mark.parametrize("kind", [EquityPlot, RatioPlot])
def test_along_each_price(kind: Any) -> None:
    account = mw.presets.multi_asset()
    plot = kind(account)
    open_data(plot)
    for symbol in plot.symbols:
        plot.view = symbol
        paths = figures(shown(plot))
        assert paths
        for path, text in paths:
            check(text, account.explain(path).value)
    plot.close()


def test_reference_numbers_and_where_they_stand() -> None:
    plot = LeveragePlot(mw.presets.ref2())
    named = dict(figures(plot._caption_box.html))
    assert named["isolated.positions.BTCUSDT.liquidation_price"] == "90,452.26"
    assert named["cross.positions.BTCUSDT.liquidation_price"] == "80,804.02"
    # The sentence is the alternative text: it stays one plain sentence, apart from the row.
    sentence, row = plot._caption_box.html.split("</p>", 1)
    assert "button" not in sentence and row.startswith('<div class="mw-row mw-figures">')
    open_data(plot)
    now = next(line for line in plot._data_box.html.split("<tr>") if "(now)" in line)
    assert [text for _, text in figures(now)][1:4:2] == ["90,452.26", "80,804.02"]
    assert len(figures(plot._data_box.html)) == len(figures(now)) == 5
    plot.close()


def test_present_places_of_the_tables_are_figures() -> None:
    account = mw.presets.bitcoin_on_bitcoin()
    for kind, least in ((EquityPlot, 2), (RatioPlot, 6), (FundingDriftPlot, 2)):
        plot = kind(account)
        open_data(plot)
        assert len(figures(plot._data_box.html)) == least, kind
        plot.close()
    stress = CollateralStressPlot(account)
    open_data(stress)
    assert dict(figures(stress._data_box.html))["collateral.BTC.counted"] == "19,000.00"
    stress.close()


def test_a_number_that_is_no_figure_is_text() -> None:
    """With a margin of its own, the curve's margin at entry is not the position's."""
    plot = LeveragePlot(assigned())
    open_data(plot)
    told = dict(figures(plot._data_box.html))
    assert "isolated.positions.BTCUSDT.margin" not in told
    assert "cross.positions.BTCUSDT.liquidation_price" in told
    plot.close()


def test_markup_in_a_symbol_stays_text() -> None:
    bad = '<b>"X'
    account = mw.Account(mw.venues.generic(tiers={bad: 0.005}), {"USDT": 100}, [])
    account.positions.append(mw.Position(bad, 1, 100))
    for kind in (LeveragePlot, TierPlot, FundingDriftPlot):
        plot = kind(account)
        open_data(plot)
        paths = figures(shown(plot))
        assert any(bad in path for path, _ in paths)
        for path, text in paths:
            check(text, account.explain(path).value)
        assert "<b>&quot;X" not in shown(plot) and bad not in shown(plot)
        plot.close()


def test_a_hidden_picture_does_nothing_and_one_edit_is_one_message() -> None:
    account = mw.presets.ref2()
    plot = LeveragePlot(account, active=False)
    assert plot._caption_box.html == ""
    account.collateral["USDT"] = 12_000
    assert plot._caption_box.html == ""
    plot.active = True
    sent: list[str] = []
    plot._caption_box.observe(lambda change: sent.append(change.new), "html")
    account.collateral["USDT"] = 13_000
    assert len(sent) == 1
    assert figure_of(account.cross, "liquidation_price", "BTCUSDT") in sent[0]
    plot.close()


def test_a_drag_keeps_the_figures_of_the_account() -> None:
    plot = LeveragePlot(mw.presets.ref2())
    row = plot._caption_box.html.split("</p>", 1)[1]
    mark = plot.handle
    for event in ("drag_start", "drag"):
        mark._handle_custom_msgs(mark, {"event": event, "point": {"x": 20, "y": 0}, "index": 0})
    assert "Release to apply" in plot._caption_box.html
    assert plot._caption_box.html.split("</p>", 1)[1] == row
    plot.close()


def test_a_key_figure_is_a_text() -> None:
    one = KeyFigure("4.50 %", "cross.margin_ratio")
    assert one == "4.50 %" and f"{one}!" == "4.50 %!" and one.path == "cross.margin_ratio"


# ---------------------------------------------------------------- where it is told


@pytest.mark.parametrize(
    "kind", [*PICTURES[:6], mw.ModeCards, mw.UtilizationBars, mw.LossWaterfall, FundingDriftPlot]
)
def test_alone_it_is_told_below(kind: Any) -> None:
    account = mw.presets.ref2()
    part = kind(account)
    path = re.findall(r'data-explain="([^"]+)"', shown(part))[0]
    source = next(
        one for one in owned(part) if isinstance(one, Html) and f'data-explain="{path}"' in one.html
    )
    assert not [one for one in owned(part) if isinstance(one, ExplanationBox)]
    send(source, type="explain", path=path)
    assert part.selection.explain == path
    box = part.children[-1] if isinstance(part.children[-1], ExplanationBox) else part._told
    assert box in part.children and markup.escape(account.explain(path).text) in box.html
    account.collateral["USDT"] = 11_000
    assert markup.escape(account.explain(path).text) in box.html
    send(source, type="explain", path=path)
    assert box.html == ""
    send(source, type="explain", path=path)
    assert box.html
    send(box, type="action", action="hide-explanation", value=path)
    assert box.html == ""
    part.close()
    assert box.comm is None


def test_tables_alone_tell_it_below_too() -> None:
    account = mw.presets.ref2()
    table = mw.PositionsTable(account)
    row = account.positions[0].id
    table._receive({"type": "explain", "row": row, "field": "cross"})
    assert "80,804.02" in table.children[-1].html
    table.close()


def test_what_is_gone_is_not_explained_any_more() -> None:
    account = mw.presets.ref2()
    plot = LeveragePlot(account)
    send(plot._caption_box, type="explain", path="cross.positions.BTCUSDT.liquidation_price")
    assert plot._told is not None and plot._told.html
    del account.positions["BTCUSDT"]
    assert plot._told.html == ""
    plot.close()


def test_the_box_stays_when_the_figure_comes_and_goes() -> None:
    account = mw.presets.ref2()
    plot = EquityPlot(account)
    send(plot._caption_box, type="explain", path="cross.equity")
    account.positions = []
    assert plot._told is not None and plot._told in plot.children
    assert "10,000.00" in plot._told.html
    account.undo()
    assert plot.figure in plot.children and plot._told in plot.children
    plot.close()


def test_closing_frees_what_was_told() -> None:
    account = mw.presets.ref2()
    LeveragePlot(account).close()
    before = len(_instances)
    for _ in range(5):
        plot = LeveragePlot(account)
        send(plot._caption_box, type="explain", path="cross.equity")
        plot.close()
    assert len(_instances) == before
    assert not any(account._trait_notifiers.get("revision", {}).values())


@pytest.fixture
def dashboard() -> Any:
    made = mw.Dashboard(mw.presets.ref2())
    yield made
    made.close()


def test_in_a_dashboard_its_tab_tells_it_and_leads_back(dashboard: mw.Dashboard) -> None:
    dashboard._open_tab("leverage")
    plot = dashboard.panel("leverage")
    path = "isolated.positions.BTCUSDT.margin"
    for _ in range(2):  # asked again, it is told again
        send(plot._caption_box, type="explain", path=path)
        assert dashboard._open == "explain"
        assert "isolated margin: 5,000.00" in dashboard._explanation.html
        assert "Back to Leverage" in dashboard._explanation.html
        assert plot._told is None
        send(dashboard._explanation, type="action", action="hide-explanation", value="leverage")
        assert dashboard._open == "leverage"


def test_asked_from_above_the_tabs_there_is_no_way_back(dashboard: mw.Dashboard) -> None:
    send(dashboard.cards.view, type="explain", path="cross.margin_ratio")
    assert "margin ratio: 4.50" in dashboard._explanation.html
    assert "Back to" not in dashboard._explanation.html


def test_once_the_dashboard_is_closed_a_part_tells_it_itself() -> None:
    dashboard = mw.Dashboard(mw.presets.ref2())
    selection = dashboard.selection
    assert selection.answered
    dashboard.close()
    assert not selection.answered


def test_every_tab_has_numbers_that_explain_themselves() -> None:
    account = mw.presets.multi_asset()
    dashboard = mw.Dashboard(account)
    dashboard._open_tab("compare")
    dashboard.panel("compare").pin()
    for name, _ in TABS:
        dashboard._open_tab(name)
        panel = dashboard.panel(name)
        if name != "explain":
            assert 'data-explain="' in shown(panel), name
    assert figures(shown(dashboard.equity))
    dashboard.close()


# ---------------------------------------------------------------- hypothetical accounts


GOALS: dict[str, dict[str, Any]] = {
    "survive": {"shock": -0.3},
    "alone": {"shock": -0.15, "symbol": "BTCUSDT"},
    "ratio": {"ratio": 0.25},
    "price": {},
}


def solved(name: str, goal: str, quantity: str) -> SolvePanel:
    panel = SolvePanel(ACCOUNTS[name]())
    panel.quantity = quantity
    for trait, value in GOALS[goal].items():
        setattr(panel, trait, value)
    panel.goal = "survive" if goal == "alone" else goal
    return panel


@pytest.mark.parametrize("name", ["ref2", "assigned"])
@pytest.mark.parametrize("quantity", ["collateral", "margin", "size", "leverage"])
@pytest.mark.parametrize("goal", GOALS)
def test_needs_explain_the_present_and_what_would_be(goal: str, quantity: str, name: str) -> None:
    panel = solved(name, goal, quantity)
    account = panel.account
    asked = [path for path, _ in figures(panel._cards.html)]
    assert len(set(asked)) == len(asked)
    for one in asked:
        mode, when, _, path = one.split(" ", 3)
        solution = getattr(panel.answer, mode)
        send(panel._cards, type="explain", path=one)
        told = panel.explanation.html
        if when == "now" or not solution.changes:
            assert f">Now · {markup.escape(account.explain(path).title)}" in told
            assert markup.escape(account.explain(path).text) in told
            continue
        there = solution.preview().explain(path)
        assert f"If the {mode} solution were applied" in told
        assert markup.escape(there.text) in told
    panel.close()


def test_what_is_explained_is_the_goal_reached() -> None:
    """The number that was asked for stands in the formula, and its result is the goal."""
    panel = solved("ref2", "survive", "collateral")
    asked = dict(figures(panel._cards.html))
    one = next(path for path, text in asked.items() if path.startswith("isolated then 0"))
    assert asked[one] == "15,175.00"
    send(panel._cards, type="explain", path=one)
    told = panel.explanation.html
    assert "BTCUSDT, isolated liquidation shock: −30.00" in told and "15,175 USDT" in told
    now = one.replace("then", "now")
    send(panel._cards, type="explain", path=now)
    assert "Now · BTCUSDT, isolated liquidation shock: −9.55" in panel.explanation.html
    send(panel._cards, type="explain", path=now)
    assert panel.explanation.html == ""
    send(panel._cards, type="explain", path=one)
    send(panel.explanation, type="action", action="hide-explanation", value=one)
    assert panel.explanation.html == ""
    send(panel._cards, type="explain", path=one)
    panel.account.collateral["USDT"] = 12_000
    assert panel.explanation.html == ""  # another account, another solution
    panel.close()


@pytest.mark.parametrize("view", ["all", "BTCUSDT"])
@pytest.mark.parametrize("name", ["ref2", "assigned", "multi", "coin"])
def test_each_number_of_a_repair_explains_itself(name: str, view: str) -> None:
    account = ACCOUNTS[name]()
    table = RepairTable(account)
    table.selection.view = view
    send(table._table, type="action", action="all", value=None)
    shown_numbers = figures(table._table.html)
    assert len({path for path, _ in shown_numbers}) == len(shown_numbers)
    kinds = set()
    for asked, text in shown_numbers:
        which, _, action = asked.partition(" ")
        kinds.add(which)
        assert table.found is not None
        one = table.found[action]
        send(table._table, type="explain", path=asked)
        told = table.explanation.html
        if which in ("added", "fee", "loss", "cost"):
            assert f"= {text} {account.currency}" in told and one.title in markup.unescape(told)
            continue
        there = account if which == "before" else one.preview()
        assert ("Now · " if which == "before" else "If applied: ") in told
        if which == "first":
            move = distance(there.books, table.symbol).move
            path = table._path(there, one.after.pool, which)
        else:
            key = one.own_key(after=which == "after")
            pool = there.configured.positions[key].pool
            move = distance(there.books, table.symbol).of_pool[pool]
            path = table._path(there, pool, which)
        check(text, move)
        explained = there.explain(path)
        assert markup.escape(explained.text) in told
        if path.endswith("shock"):
            check(text, explained.value)
        elif path.endswith("distance") and move:
            assert explained.value == pytest.approx(abs(move), rel=1e-9)
    assert {"first", "after", "cost"} <= kinds
    table.close()


@pytest.mark.parametrize("kind", [SolvePanel, RepairTable])
def test_an_edit_ends_what_a_hidden_panel_previews(kind: Any) -> None:
    account = mw.presets.ref2()
    panel = kind(account)
    value = "isolated" if kind is SolvePanel else "halve:ETHUSDT"
    panel._receive({"type": "action", "action": "preview", "value": value})
    panel.active = False
    assert panel.preview is not None  # it stays while others are looked at
    account.collateral["USDT"] = 12_000
    assert panel.preview is None and panel.previewed == ""
    panel.close()


def test_sums_of_costs() -> None:
    account = mw.presets.ref2()
    account.marks["BTCUSDT"] = 97_000
    found = repairs(account)
    assert any(one.realized_loss for one in found)
    for one in found:
        *_, terms, total = one.cost_lines("cost")
        amounts = [float(text.replace(",", "")) for text in terms[2:].split(" + ")]
        assert sum(amounts) == pytest.approx(one.cost, abs=0.02)
        check(total.split(" ")[1], one.cost)


@pytest.mark.parametrize("name", ["ref2", "coin", "assigned"])
def test_pinned_and_present_figures(name: str) -> None:
    account = ACCOUNTS[name]()
    drawer = mw.CompareDrawer(account)
    drawer.pin()
    account.positions[0].leverage = 7
    paths = figures(drawer.view.html)
    assert {path.split(" ")[0] for path, _ in paths} == {"pinned", "now"}
    for asked, text in paths:
        whose, path = asked.split(" ", 1)
        of = drawer.pinned if whose == "pinned" else account
        assert of is not None
        send(drawer.view, type="explain", path=asked)
        assert drawer.explanation.html.count(f'data-value="{markup.escape(asked)}"') == 1
        value = of.explain(path).value
        if value is not None:
            check(text, value)
    drawer.close()


@pytest.mark.parametrize("mode", MODES)
def test_figures_without_a_number_say_so(mode: str) -> None:
    account = mw.Account("binance-usdm", {"USDT": 10_000})
    report = getattr(account, mode)
    assert figure_of(report, "liquidation_shock") == "none"
    assert figure_of(report, "margin_ratio").path == f"{mode}.margin_ratio"
