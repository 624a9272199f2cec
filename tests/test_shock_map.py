"""Two shocks: equity through liquidation, the map's marks and clicks, and what it leaves behind."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances as registry
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.likely_moves import LikelyMoves
from margin_widgets.account.shock_map import border, hatched, shock_map
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.shock_map import ShockMap


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


@pytest.fixture
def plot(account: mw.Account) -> Iterator[ShockMap]:
    plot = ShockMap(account)
    yield plot
    plot.close()


def act(plot: Any, action: str, value: object) -> None:
    box = plot._data_box if action == "data" else plot._controls
    box._handle_custom_msg({"type": "action", "action": action, "value": value}, [])


def click(plot: ShockMap, column: int, row: int) -> None:
    """What the browser says of a click: the edges at which the cell begins."""
    cells = plot.cells
    told = {"column": float(cells.column[column]), "row": float(cells.row[row])}
    cells._handle_custom_msgs(cells, {"event": "element_click", "data": told})


# ---------------------------------------------------------------- the computation


def test_ether_alone_by_sixty_per_cent(account: mw.Account) -> None:
    grid = shock_map(account, "BTCUSDT", "ETHUSDT")
    column, row = 20, 0
    assert (grid.x[column], grid.y[row]) == (0, -0.6)
    assert grid.isolated[row, column] == pytest.approx(8_000)
    assert grid.cross[row, column] == 0
    assert grid.difference[row, column] == pytest.approx(-8_000)
    cell = grid.at(0.0, -0.6)
    isolated, cross = cell.events
    assert (isolated.mode, isolated.pool, cross.mode) == ("isolated", "ETHUSDT", "cross")
    assert cross.left == pytest.approx(353.5354, abs=1e-4)
    assert cross.returned == 0
    assert 4_000 * (1 - 0.6 * cross.way) == pytest.approx(2_070.7071, abs=1e-4)
    assert "353.54 left" in grid.cell_text(0.0, -0.6)


def test_nothing_moves_in_the_middle(account: mw.Account) -> None:
    grid = shock_map(account)
    assert grid.isolated[20, 20] == grid.cross[20, 20] == 10_000
    assert grid.difference.shape == (41, 41)
    assert not grid.cross_closed[20, 20]


def test_common_move_by_hand(account: mw.Account) -> None:
    # Both by -9.8 %: isolated closed both pockets, cross lost 0.098 * 70,000.
    grid = shock_map(account, x=[-0.098, 0.0], y=[-0.098, 0.0])
    assert grid.isolated[0, 0] == pytest.approx(3_000)
    assert grid.cross[0, 0] == pytest.approx(3_140)
    assert grid.difference[0, 0] == pytest.approx(140)


RESIDUALS = [
    {"residual": "kept"},
    {"residual": "returned", "liquidation_fee": 0.002},
    {"residual": "split", "residual_share": 0.3, "liquidation_fee": 0.0001},
]


@pytest.mark.parametrize("make", [mw.presets.ref2, mw.presets.hedged_pair, mw.presets.multi_asset])
@pytest.mark.parametrize("rules", RESIDUALS)
def test_one_shock_alone_is_the_accounts_own_curve(make: Any, rules: dict[str, Any]) -> None:
    account = make()
    account.venue = account.venue.replace(**rules)
    grid = shock_map(account)
    middle = len(grid.x) // 2
    for symbol, cut in (
        (grid.first, (middle, slice(None))),
        (grid.second, (slice(None), middle)),
    ):
        mark = account.mark(symbol)
        curve = account.curve(symbol, low=0.4 * mark, high=1.6 * mark, points=41)
        for mode in ("isolated", "cross"):
            equity, seen = getattr(curve, mode).equity, getattr(grid, mode)[cut]
            for shock, value in zip(grid.x, seen, strict=True):
                place = int(np.argmin(np.abs(curve.x - mark * (1 + shock))))
                if curve.x[place] == pytest.approx(mark * (1 + shock), rel=1e-12):
                    assert value == pytest.approx(equity[place], rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("rules", RESIDUALS)
def test_the_diagonal_is_the_curve_of_a_common_move(
    account: mw.Account, rules: dict[str, Any]
) -> None:
    account.venue = account.venue.replace(**rules)
    grid = shock_map(account, points=31)
    curve = account.curve(shock=True, low=-0.6, high=0.6, points=31)
    for mode in ("isolated", "cross"):
        equity, seen = getattr(curve, mode).equity, np.diagonal(getattr(grid, mode))
        for shock, value in zip(grid.x, seen, strict=True):
            place = int(np.argmin(np.abs(curve.x - shock)))
            assert value == pytest.approx(equity[place], rel=1e-9, abs=1e-6)


@given(first=st.floats(-0.9, 1.5), second=st.floats(-0.9, 1.5))
@settings(max_examples=60, deadline=None)
def test_isolated_pockets_by_hand(first: float, second: float) -> None:
    cell = shock_map(mw.presets.ref2(), points=3).at(first, second)
    total = 3_000.0
    for size, entry, margin, rate, shock in (
        (0.5, 100_000, 5_000, 0.005, first),
        (5.0, 4_000, 2_000, 0.01, second),
    ):
        held = margin + size * entry * shock
        # A long only falls: it stands at the end if it stood all along.
        total += held if held > rate * size * entry * (1 + shock) else 0.0
    assert cell.isolated == pytest.approx(total, abs=1e-6)


def test_a_pool_below_maintenance_already_is_closed_at_once(account: mw.Account) -> None:
    account.marks["BTCUSDT"] = 5_700
    grid = shock_map(account)
    assert grid.isolated_closed.all()
    assert grid.cross_closed.all()
    cell = grid.at(0.3, 0.3)
    assert cell.events[0].way == 0
    assert cell.cross == 0
    assert "at once" in grid.cell_text(0.3, 0.3)


def test_marks_of_no_position_here_stay(account: mw.Account) -> None:
    wide = mw.presets.multi_asset()
    grid = shock_map(wide, "SOLUSDT", "BNBUSDT")
    marks = dict(wide.marks) | {"SOLUSDT": 212.0 * 1.3, "BNBUSDT": 668.0 * 0.7}
    wide.marks = marks
    cell = grid.at(0.3, -0.3)
    closed = {event.pool for event in cell.events if event.mode == "isolated"}
    fallen = {pool.name for pool in wide.isolated.pools if pool.status != "ok"}
    assert closed == fallen
    if not closed:
        assert cell.isolated == pytest.approx(wide.isolated.equity)


def test_quanto_and_inverse_are_followed_along_the_way() -> None:
    account = mw.presets.inverse()
    with account.edit():
        rules = account.venue
        account.venue = rules.replace(tiers={**rules.tiers, "ETHUSD_PERP": [(0, 0.005)]})
        account.collateral["ETH"] = 2
        account.positions.append(mw.Position("ETHUSD_PERP", -300, 4_000, leverage=5))
        account.marks["ETHUSD_PERP"] = 4_000
    grid = shock_map(account)
    middle = 20
    mark = account.mark(grid.first)
    curve = account.curve(grid.first, low=0.4 * mark, high=1.6 * mark, points=41)
    for mode in ("isolated", "cross"):
        equity, seen = getattr(curve, mode).equity, getattr(grid, mode)[middle]
        for shock, value in zip(grid.x, seen, strict=True):
            place = int(np.argmin(np.abs(curve.x - mark * (1 + shock))))
            if curve.x[place] == pytest.approx(mark * (1 + shock), rel=1e-12):
                assert value == pytest.approx(equity[place], rel=1e-8, abs=1e-5)


def test_refusals_name_what_is_wrong(account: mw.Account) -> None:
    with pytest.raises(TraitError, match="two marks are needed"):
        shock_map(mw.presets.bitcoin_on_bitcoin())
    with pytest.raises(TraitError, match="reach"):
        shock_map(account, reach=1.2)
    with pytest.raises(ValueError, match="points"):
        shock_map(account, points=1)
    with pytest.raises(ValueError, match="ascending"):
        shock_map(account, x=[0.1, 0.0])
    with pytest.raises(KeyError, match="first: no 'BTC'"):
        shock_map(account, "BTC")


def test_hatches_of_neighbours_join() -> None:
    x = y = np.array([0.0, 1.0, 2.0])
    rising = hatched(x, y, np.ones((3, 3), dtype=bool), 1)
    assert len(rising[0]) == 3 * 5
    assert rising[0][:2].tolist() == [-0.5, 0.5]
    falling = hatched(x, y, np.ones((3, 3), dtype=bool), -1)
    assert (np.diff(falling[1].reshape(-1, 3)[:, :2]) == -1).all()
    assert len(hatched(x, y, np.zeros((3, 3), dtype=bool), 1)[0]) == 0
    assert len(hatched(x, y, np.ones((3, 3), dtype=bool), 1, corners=True)[0]) == 3 * 9


# ---------------------------------------------------------------- the widget


def test_marks_hold_the_map(plot: ShockMap) -> None:
    cells, data = plot.cells, plot.data
    assert np.array_equal(cells.color, data.difference)
    assert len(cells.row) == len(cells.column) == 42
    # Colours are centred on no difference.
    assert plot._color.min == -plot._color.max == -data.largest
    assert plot._color.mid == 0
    assert cells.display_format is None
    strokes = plot.cross_hatch.x[:-2] if np.isnan(plot.cross_hatch.x[-2]) else plot.cross_hatch.x
    assert 0 < np.isfinite(strokes).sum() / 2 <= data.cross_closed.sum()
    assert "cross liquidated" in plot._controls.html


def test_a_click_sets_both_marks_as_one_edit(account: mw.Account, plot: ShockMap) -> None:
    revision = account.revision
    click(plot, 17, 10)  # -9 %, -30 %
    assert account.revision == revision + 1
    assert account.mark("BTCUSDT") == pytest.approx(91_000)
    assert account.mark("ETHUSDT") == pytest.approx(2_800)
    account.undo()
    assert (account.mark("BTCUSDT"), account.mark("ETHUSDT")) == (100_000, 4_000)
    click(plot, 20, 20)
    assert account.revision == revision + 2  # the undo; no shock is no edit


def test_sliders_and_a_button_do_the_same(account: mw.Account, plot: ShockMap) -> None:
    revision = account.revision
    assert 'aria-disabled="true"' in plot._controls.html
    act(plot, "shock-second", "0")
    assert plot.cursor.visible
    assert account.revision == revision
    assert "353.54 left" in plot._controls.html
    act(plot, "shock-first", "17")
    assert plot.cell == (17, 0)
    act(plot, "apply", None)
    assert account.revision == revision + 1
    assert account.mark("BTCUSDT") == pytest.approx(91_000)
    assert account.mark("ETHUSDT") == pytest.approx(1_600)
    assert plot.cell is None


def test_few_cells_have_their_values_printed(plot: ShockMap) -> None:
    act(plot, "points", "13")
    assert plot.data.difference.shape == plot.cells.color.shape == (13, 13)
    assert plot.cells.display_format
    act(plot, "reach", "0.15")
    assert plot.data.x[-1] == 0.15
    act(plot, "points", "41")
    assert plot.cells.display_format is None
    assert len(plot.cells.column) == 42
    with pytest.raises(TraitError, match="reach"):
        ShockMap(mw.presets.ref2(), reach=2)


def test_symbols_can_be_chosen() -> None:
    selection = Selection(key="SOLUSDT")
    plot = ShockMap(mw.presets.multi_asset(), selection, second="BNBUSDT")
    assert (plot.data.first, plot.data.second) == ("SOLUSDT", "BNBUSDT")
    act(plot, "second", "ETHUSDT")
    assert plot.data.second == "ETHUSDT"
    plot.close()


def test_one_symbol_is_told_in_words() -> None:
    plot = ShockMap(mw.presets.bitcoin_on_bitcoin())
    assert plot.caption.startswith("Add positions in two symbols")
    plot.close()
    plot = ShockMap(mw.Account(venue="binance-usdm", collateral={"USDT": 1_000}))
    assert plot.caption.startswith("Add positions")
    plot.close()


def test_table_and_static_twin(plot: ShockMap) -> None:
    act(plot, "data", None)
    assert "−8,000 CI" in plot._data_box.html
    page = plot._repr_mimebundle_()["text/html"]
    assert "−8,000 CI" in page
    assert "closed there by the venue&#x27;s rule" in page
    rows = list(csv.DictReader(io.StringIO(plot.to_csv())))
    data = plot.data
    assert data is not None
    assert float(rows[-1]["-0.6"]) == data.difference[0, 0]
    for mode in ("cross", "isolated"):
        closed = getattr(data, f"{mode}_closed")
        for shock in (-0.6, 0.0):
            column = int(np.argmin(np.abs(data.x - shock)))
            told = [row[f"{shock} {mode} liquidated"] for row in rows]
            places = [
                int(np.argmin(np.abs(data.y - float(next(iter(row.values())))))) for row in rows
            ]
            assert told == [str(int(closed[place, column])) for place in places]
        assert {"0", "1"} <= set(told)
    # Every cell is drawn, neighbours of one colour together.
    assert 100 < page.count("<rect") <= 41 * 41
    assert not re.search(r"\bnan\b", page)


def test_a_hundred_leave_nothing(account: mw.Account) -> None:
    before = len(registry)
    observers = len(account._trait_notifiers.get("revision", {}).get("change", []))
    for number in range(100):
        plot = ShockMap(account, active=number % 5 != 0, points=13 if number % 2 else 41)
        account.marks["BTCUSDT"] = 100_000 + number
        plot.close()
    assert len(registry) == before
    assert len(account._trait_notifiers.get("revision", {}).get("change", [])) == observers


# ---------------------------------------------------------------- contour, and what is not likely


def strokes(line: tuple[Any, Any]) -> set[tuple[float, ...]]:
    """Edges of single cells that a NaN-separated line of strokes consists of, rounded."""
    x, y = (np.round(axis.reshape(-1, 3)[:, :2], 9) for axis in line)
    return {(*a.tolist(), *b.tolist()) for a, b in zip(x, y, strict=True)}


def test_the_contour_runs_where_the_leader_changes(account: mw.Account) -> None:
    grid = shock_map(account, "BTCUSDT", "ETHUSDT", points=5, reach=0.19)
    leader = np.sign(grid.difference)
    assert {-1.0, 0.0, 1.0} == set(leader.ravel().tolist())
    total = 0.0
    for x1, x2, y1, y2 in strokes(border(grid.x, grid.y, grid.difference)):
        assert (x1 == x2) != (y1 == y2)  # along one side of cells
        total += abs(x2 - x1) + abs(y2 - y1)
    changes = (leader[:, 1:] != leader[:, :-1]).sum() + (leader[1:] != leader[:-1]).sum()
    assert total == pytest.approx(changes * 0.095)


def test_a_map_without_a_leader_has_no_contour() -> None:
    x = np.array([-0.1, 0.0, 0.1])
    assert [len(axis) for axis in border(x, x, np.zeros((3, 3)))] == [0, 0]


def test_what_is_hardly_ever_seen_is_dotted_only_where_somebody_says_what_is_likely(
    account: mw.Account, plot: ShockMap
) -> None:
    assert not plot.dots.visible
    assert "Dotted" not in plot.caption
    plot.likely = LikelyMoves({"BTCUSDT": 0.6, "ETHUSDT": 0.8}, correlation=0.85, days=30)
    far = plot.data.far
    assert far is not None
    # Opposite corners: both down is likelier than one up and one down.
    first = plot.data.likely.distance("BTCUSDT", "ETHUSDT", np.array(-0.3), np.array(-0.36))
    other = plot.data.likely.distance("BTCUSDT", "ETHUSDT", np.array(0.3), np.array(-0.36))
    assert float(first) < 4 < float(other)
    assert far[0, -1]
    assert not far[20, 20]
    assert plot.dots.visible
    known = plot.dots.x[np.isfinite(plot.dots.x)]
    assert len(known) // 2 == pytest.approx(far.sum() / 2, rel=0.02)
    assert "Dotted is" in plot.caption
    assert "correlation 0.85" in plot.caption
    assert "Dotted is" in plot._repr_mimebundle_()["text/html"]
    plot.likely = None
    assert not plot.dots.visible
