"""The contagion graph: fixed places, widths that are amounts, dead nodes and cut links."""

from __future__ import annotations

import gc
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances
from strategies import account as account_of
from strategies import books

import margin_widgets as mw
from margin_widgets.account.contagion import (
    COLUMNS,
    THICKEST,
    box,
    contagion,
    ends_of,
    lines_of,
    width_of,
)
from margin_widgets.widgets.contagion_graph import ContagionGraph
from margin_widgets.widgets.selection import Selection


def send(widget: Any, **message: Any) -> None:
    widget._handle_custom_msg(message, [])


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


def links(graph: Any) -> dict[tuple[str, str], tuple[str, float, bool]]:
    name = {node.id: f"{node.kind} {node.label}" for node in graph.nodes}
    return {
        (name[one.source], name[one.target]): (one.kind, round(one.amount, 2), one.cut)
        for one in graph.links
    }


class TestReference:
    def test_ether_alone(self, account: mw.Account) -> None:
        graphs = contagion(account, -0.6, symbol="ETHUSDT")
        assert links(graphs.isolated) == {
            ("asset USDT", "pool BTCUSDT"): ("backs", 5_000.0, False),
            ("asset USDT", "pool ETHUSDT"): ("backs", 2_000.0, False),
            ("asset USDT", "pool idle"): ("backs", 3_000.0, False),
            ("pool BTCUSDT", "position BTCUSDT"): ("drains", 0.0, False),
            ("pool ETHUSDT", "position ETHUSDT"): ("drains", 1_818.18, True),
        }
        assert links(graphs.cross) == {
            ("asset USDT", "pool cross"): ("backs", 10_000.0, False),
            ("pool cross", "position BTCUSDT"): ("drains", 0.0, True),
            ("pool cross", "position ETHUSDT"): ("drains", 9_646.46, True),
        }
        assert graphs.dragged == ("BTCUSDT",)
        assert "BTCUSDT is sound if isolated: cross closes it too." in graphs.text

    def test_common_fall(self, account: mw.Account) -> None:
        graphs = contagion(account, -0.12)
        assert [node.dead for node in graphs.isolated.column("position")] == [True, True]
        assert [node.fate for node in graphs.isolated.column("pool")] == [
            "closed at −9.55\N{NO-BREAK SPACE}%",
            "closed at −9.09\N{NO-BREAK SPACE}%",
            "backs nothing",
        ]
        assert not any(node.dead for node in graphs.cross.nodes)
        assert "No position is closed because of another one." in graphs.text

    def test_a_winner_feeds(self) -> None:
        graphs = contagion(mw.presets.hedged_pair(), -0.05)
        found = links(graphs.cross)
        assert found["position ETHUSDT", "pool cross"] == ("feeds", 2_000.0, False)
        assert found["pool cross", "position BTCUSDT"] == ("drains", 2_000.0, False)

    def test_many_positions_are_grouped(self) -> None:
        symbols = [f"C{n}USDT" for n in range(30)]
        account = mw.Account(
            mw.venues.generic(tiers=dict.fromkeys(symbols, 0.005)),
            {"USDT": 100_000},
            [mw.Position(symbol, 1 + n, 100, 10) for n, symbol in enumerate(symbols)],
        )
        graphs = contagion(account, -0.05)
        for graph in graphs.graphs:
            assert len(graph.column("position")) == 11
            assert graph.column("position")[-1].label == "other (20)"
            drained = sum(link.amount for link in graph.links if link.kind == "drains")
            assert drained == pytest.approx(5 * sum(range(1, 31)))


@settings(max_examples=60, deadline=None)
@given(books(), st.floats(-0.9, 2.0))
def test_the_picture_is_sound_for_any_account(spec: Any, shock: float) -> None:
    account = account_of(spec)
    assume(len(account.positions))
    graphs = contagion(account, shock)
    for graph in graphs.graphs:
        nodes = graph.by_id
        assert len(nodes) == len(graph.nodes)
        for link in graph.links:
            assert link.cut == nodes[link.source].dead
            x1, _, x2, _ = ends_of(graph, link)
            assert x1 < x2
            assert width_of(graphs, link) <= THICKEST + 1e-9
        for kind in COLUMNS:
            places = [box(node)[2:] for node in graph.column(kind)]
            assert all(low[1] <= high[0] + 1e-9 for low, high in pairwise(places))
        worth = sum(link.amount for link in graph.links if link.kind == "backs")
        held = sum(a * account.asset_price(n) for n, a in account.collateral.items())
        assert worth == pytest.approx(held, rel=1e-9, abs=1e-6)
        moved = sum(
            link.amount * (1 if link.kind == "feeds" else -1)
            for link in graph.links
            if link.kind != "backs"
        )
        assert moved == pytest.approx(
            float(graphs.outcomes[graph.mode].pnl.sum()), rel=1e-9, abs=1e-6
        )
    graphs.svg()
    graphs.table()


def test_places_are_fixed_whatever_the_move(account: mw.Account) -> None:
    for first, second in zip(
        contagion(account, -0.02).graphs, contagion(account, -0.5).graphs, strict=True
    ):
        assert [(n.id, box(n)) for n in first.nodes] == [(n.id, box(n)) for n in second.nodes]


class TestWidget:
    def test_a_position_is_selected_and_a_pool_explains(self, account: mw.Account) -> None:
        selection = Selection()
        plot = ContagionGraph(account, selection)
        send(plot.picture, type="action", action="select", value="ETHUSDT")
        assert selection.key == "ETHUSDT"
        assert plot.picture.html.count('aria-pressed="true"') == 2
        paths = set(re.findall(r'data-explain="([^"]+)"', plot.picture.html))
        assert {"collateral.USDT", "isolated.idle", "cross.pools.cross.equity"} <= paths
        for path in paths:
            account.explain(path)
        plot.close()

    def test_slider_previews_and_commits_without_editing(self, account: mw.Account) -> None:
        plot, revision = ContagionGraph(account), account.revision
        control = plot._slider.control
        name = control.rows[0]["symbol"]
        send(control, type="preview", symbol=name, value=-14.0)
        assert plot.graphs.cross.column("pool")[0].dead
        assert plot.shock == -0.12
        send(control, type="commit", symbol=name, value=-14.0)
        assert plot.shock == pytest.approx(-0.14)
        assert account.revision == revision
        plot.close()

    def test_follows_and_names_every_node(self, account: mw.Account) -> None:
        plot = ContagionGraph(account, shock=-0.6)
        send(plot._switch, type="action", action="axis", value="ETHUSDT")
        assert (
            "cross, position BTCUSDT: 0.00, closed at −48.23\N{NO-BREAK SPACE}%, sound if isolated"
            in plot.picture.html
        )
        account.positions["ETHUSDT"].quantity = 1
        assert plot.graphs.dragged == ()
        assert plot.caption == plot.graphs.text
        plot.close()

    def test_empty_and_hidden(self) -> None:
        account = mw.Account("binance-usdm", {"USDT": 5})
        plot = ContagionGraph(account, active=False)
        assert plot.caption == ""
        plot.active = True
        assert plot.caption.startswith("Add a position")
        assert plot._repr_mimebundle_()["text/html"]
        account.positions.append(mw.Position("BTCUSDT", 0.01, 100_000))
        assert "mw-graph" in plot.picture.html
        plot.close()

    def test_markup_in_a_symbol_is_text(self) -> None:
        bad = '<img src=x>"USDT'
        account = mw.Account(
            mw.venues.generic(tiers={bad: 0.005}), {"USDT": 100}, [mw.Position(bad, 1, 100)]
        )
        plot = ContagionGraph(account)
        for text in (plot._switch.html, plot.picture.html, plot._data_box.html):
            assert "<img" not in text
        assert "<img" not in plot.graphs._repr_html_()
        plot.close()

    def test_static_twin_says_the_same(self, account: mw.Account) -> None:
        plot = ContagionGraph(account, shock=-0.12)
        bundle = plot._repr_mimebundle_()
        assert "<svg" in bundle["text/html"] and "4,773.87" in bundle["text/html"]
        assert plot.caption in bundle["text/plain"]
        plot.close()

    def test_a_hundred_leave_nothing(self, account: mw.Account) -> None:
        ContagionGraph(account).close()
        gc.collect()
        widgets = len(_instances)
        for number in range(100):
            plot = ContagionGraph(account)
            account.positions[0].leverage = 5 + number % 3
            plot.close()
        gc.collect()
        assert len(_instances) == widgets
        assert not any(account._trait_notifiers.get("revision", {}).values())


# ---------------------------------------------------------------- in the order of falls


def test_what_falls_is_numbered_in_its_order(account: mw.Account) -> None:
    graphs = contagion(account, -0.2)
    # Isolated: ether at -9.09 %, bitcoin at -9.55 %; cross: both at -13.73 %.
    orders = {node.key: node.order for node in graphs.isolated.column("position")}
    assert orders == {"ETHUSDT": 1, "BTCUSDT": 2}
    assert {node.order for node in graphs.cross.column("position")} == {1}
    assert {node.order for node in contagion(account, -0.05).isolated.nodes} == {0}
    assert [round(place, 4) for place in graphs.steps] == [-0.0909, -0.0955, -0.1373]
    assert lines_of(graphs.isolated.column("position")[0])[2] == "2. −9.55\N{NO-BREAK SPACE}%"


def test_a_button_goes_from_fall_to_fall(account: mw.Account) -> None:
    plot = ContagionGraph(account, shock=0.0)

    def dead() -> list[int]:
        return [sum(node.dead for node in one.column("position")) for one in plot.graphs.graphs]

    seen = []
    for _ in range(5):
        plot._switch._handle_custom_msg({"type": "action", "action": "next"}, [])
        seen.append((plot.shock, *dead()))
    assert seen == [
        (-0.091, 1, 0),
        (-0.0955, 2, 0),
        (-0.1374, 2, 2),
        (-0.1374, 2, 2),  # nothing more falls
        (-0.1374, 2, 2),
    ]
    for shock in (-0.0955, -0.091, 0.0, 0.0):
        plot.step(back=True)
        assert plot.shock == shock
    plot.view = "ETHUSDT"
    plot.step()
    assert plot.shock == -0.091
    plot.step()
    assert 4_000 * (1 + plot.shock) < 2_070.71 < 4_000 * (1.0001 + plot.shock)
    plot.close()


def test_the_legend_says_what_a_width_is_worth(account: mw.Account) -> None:
    plot = ContagionGraph(account, shock=-0.12)
    html = plot.picture.html
    assert "width, USDT:" in html
    for amount in (plot.graphs.widest, plot.graphs.widest / 2, plot.graphs.widest / 10):
        assert f"</svg>{amount:,.0f}</span>" in html
    plot.close()
