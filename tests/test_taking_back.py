"""What was only looked at leaves nothing: Escape in a drag, previews of an account that changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import margin_widgets as mw
from margin_widgets.account.equity_picture import ghost
from margin_widgets.widgets.frontend import FigureKeys
from margin_widgets.widgets.frontier_plot import FrontierPlot
from margin_widgets.widgets.leverage_plot import LeveragePlot
from margin_widgets.widgets.loss_waterfall import LossWaterfall
from margin_widgets.widgets.picture import Picture
from margin_widgets.widgets.rule_stress import RuleStress
from margin_widgets.widgets.tier_plot import TierPlot

PICTURES: dict[str, tuple[Callable[[mw.Account], Any], dict[str, float]]] = {
    "equity": (mw.EquityPlot, {"x": -0.05, "y": 0.0}),
    "ratio": (mw.RatioPlot, {"x": 0.0, "y": 0.4}),
    "leverage": (LeveragePlot, {"x": 20.0, "y": 0.1}),
    "tier": (TierPlot, {"x": 80_000.0, "y": 0.1}),
    "frontier": (FrontierPlot, {"x": 95_000.0, "y": 3_500.0}),
    "path": (FrontierPlot, {"x": 95_000.0, "y": 3_500.0}),
}


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


def deliver(widget: Any, **message: Any) -> None:
    """A message as the browser sends it."""
    widget._handle_custom_msg(message, [])


def keys(plot: Picture) -> FigureKeys:
    """What hears Escape of a picture, on the page beside its figure."""
    (found,) = [one for one in plot.children if isinstance(one, FigureKeys)]
    return found


def drag(plot: Any, point: dict[str, float], *events: str) -> None:
    for event in events:
        deliver(plot.handle, event=event, point=point, index=0)


def drawn(plot: Any) -> dict[str, Any]:
    """Everything that is seen of a picture."""
    seen: dict[str, Any] = {"caption": plot.caption, "message": plot.message}
    for place, mark in enumerate(plot.figure.marks):
        if not mark.visible:
            continue
        for name in {"x", "y", "text", "opacities"} & set(mark.trait_names()):
            value = getattr(mark, name)
            seen[f"{place} {name}"] = value.tobytes() if hasattr(value, "tobytes") else value
    return seen


@pytest.mark.parametrize("name", PICTURES)
def test_escape_takes_a_drag_back(account: mw.Account, name: str) -> None:
    make, point = PICTURES[name]
    plot = make(account)
    if name == "path":
        plot.drags = "path"
    sent: list[Any] = []
    keys(plot).send = lambda content, **_: sent.append(content)  # type: ignore[method-assign]
    before, revision, settings = drawn(plot), account.revision, plot.trait_values()
    drag(plot, point, "drag_start", "drag")
    assert drawn(plot) != before
    deliver(keys(plot), type="escape")
    assert sent == [{"type": "escaped"}]
    assert drawn(plot) == before
    # The browser writes where the handle is, and lets it go, after it has heard the answer.
    plot.handle.set_state({one: [point[one]] for one in ("x", "y")})
    drag(plot, point, "drag", "drag_end")
    assert account.revision == revision
    assert not account.can_undo
    assert drawn(plot) == before
    for trait in ("alert", "path"):
        assert plot.trait_values().get(trait) == settings.get(trait)
    # The next drag counts again.
    drag(plot, point, "drag_start", "drag", "drag_end")
    done = plot.alert != settings["alert"] if name == "ratio" else account.revision > revision
    assert done or plot.path == [(95_000, 3_500)]
    plot.close()


def test_only_what_can_be_dragged_hears_escape(account: mw.Account) -> None:
    plot = mw.FundingDriftPlot(account)
    assert not [one for one in plot.children if isinstance(one, FigureKeys)]
    plot.close()


# ---------------------------------------------------------------- sliders


def test_escape_on_a_slider_of_a_mark(account: mw.Account) -> None:
    dashboard = mw.Dashboard(account)
    before, revision = drawn(dashboard.equity), account.revision
    slider = dashboard.marks.marks
    deliver(slider, type="preview", symbol="BTCUSDT", value=70_000.0)
    assert drawn(dashboard.equity) != before
    deliver(slider, type="cancel", symbol="BTCUSDT")
    assert drawn(dashboard.equity) == before
    assert account.revision == revision
    dashboard.close()


@pytest.mark.parametrize(
    ("make", "control", "shown", "value"),
    [
        (mw.UtilizationBars, lambda w: w.added, lambda w: (w.view.html, w._message.html), 5e3),
        (LossWaterfall, lambda w: w._slider, lambda w: (w.picture.html, w.caption), -40.0),
        (mw.FundingDriftPlot, lambda w: w._slider, drawn, 0.3),
        (RuleStress, lambda w: w.scale, lambda w: w.view.html, 1.5),
    ],
)
def test_escape_on_a_slider_of_a_number(
    account: mw.Account,
    make: Callable[[mw.Account], Any],
    control: Callable[[Any], Any],
    shown: Callable[[Any], Any],
    value: float,
) -> None:
    widget = make(account)
    before, slider = shown(widget), control(widget).control
    deliver(slider, type="preview", symbol="", value=value)
    assert shown(widget) != before
    deliver(slider, type="cancel", symbol="")
    assert shown(widget) == before
    assert not account.can_undo
    widget.close()


# ---------------------------------------------------------------- ghosts


@pytest.mark.parametrize("tab", ["solve", "repair"])
@pytest.mark.parametrize("leave", [True, False])
def test_a_preview_goes_with_the_account_it_is_of(
    account: mw.Account, tab: str, leave: bool
) -> None:
    dashboard = mw.Dashboard(account)
    dashboard._open_tab(tab)
    panel = dashboard.panel(tab)
    which = "cross" if tab == "solve" else panel.rows[0].id

    def look() -> None:
        deliver(panel._controls, type="action", action="preview", value=which)
        assert dashboard.equity.ghost_lines.visible
        assert "Preview (thin grey" in dashboard.equity.caption
        if leave:
            dashboard._open_tab("loss")
            assert dashboard.equity.ghost_lines.visible  # it still is true

    def gone() -> None:
        assert panel.preview is None
        assert panel.previewed == ""
        assert not dashboard.equity.ghost_lines.visible
        assert "Preview" not in dashboard.equity.caption
        dashboard._open_tab(tab)

    look()
    account.positions["BTCUSDT"].quantity = 1
    gone()
    look()
    account.undo()
    gone()
    dashboard.close()


def pinned_picture(account: mw.Account, view: str) -> mw.EquityPlot:
    """A dashboard's curves with the account as it is pinned."""
    plot = mw.EquityPlot(account)
    plot.ghosts = {"pinned": account.copy()}
    plot.view = view
    return plot


def labels(plot: mw.EquityPlot) -> set[str]:
    return {*map(str, plot._labels_right.text), *map(str, plot._labels_left.text)}


def test_a_pinned_cross_price_says_what_it_takes_for_granted(account: mw.Account) -> None:
    plot = pinned_picture(account, "BTCUSDT")
    assert "Pinned (thin grey): isolated" in plot.caption
    account.marks["ETHUSDT"] = 3_600
    # (10,000 + 0.5 (P - 100,000)) = 0.5 % 0.5 P + 1 % 20,000 at ETH's 4,000
    price = (40_000 + 200) / (0.5 - 0.0025)
    assert price == pytest.approx(80_804.02, abs=0.005)
    assert "Pinned (thin grey, if ETHUSDT 4,000): " in plot.caption
    assert "cross LIQ account 80,804.02." in plot.caption
    assert "ETHUSDT stays at 3,600" in plot.caption
    assert "pinned LIQ account 80,804.02" in " ".join(labels(plot))
    account.marks["ETHUSDT"] = 4_000
    assert "if ETHUSDT 4,000)" not in plot.caption
    # A reading of a part of the axis is of the same ghost.
    account.marks["ETHUSDT"] = 3_600
    (part,) = plot.data.reading(75_000, 90_000).ghosts
    assert part.given == "if ETHUSDT 4,000"
    assert part.names("cross", part.curve.cross.events[0]) == [
        "pinned LIQ account 80,804.02 if ETHUSDT 4,000",
        "pinned LIQ account 80,804.02",
    ]
    isolated = part.curve.isolated.events[0] if part.curve.isolated.events else None
    assert isolated is None or len(part.names("isolated", isolated)) == 1
    plot.close()


def test_what_only_the_pinned_account_holds_is_its_condition_too() -> None:
    account = mw.presets.ref2()
    del account.positions["ETHUSDT"], account.marks["ETHUSDT"]
    then = mw.presets.ref2()
    assert ghost(account, then, "pinned", account.curve("BTCUSDT")).given == "if ETHUSDT 4,000"
    account = mw.presets.multi_asset()
    then, along = account.copy(), account.curve("BTCUSDT")
    for count, symbol in enumerate(account.books.symbols[1:5], start=1):
        then.marks[symbol] = 1.01 * account.mark(symbol)
        given = ghost(account, then, "pinned", along).given
        listed = "if 4 other marks as it has them" if count == 4 else f"{symbol} "
        assert listed in given
        assert given.count(", ") == (count - 1 if count < 4 else 0)


@pytest.mark.parametrize("view", ["all", "BTCUSDT"])
def test_a_ghost_below_maintenance_is_liquidated_at_its_present_marks(
    account: mw.Account, view: str
) -> None:
    account.marks["ETHUSDT"] = 3_600  # isolated 2,000 - 5 x 400 = 0
    plot = pinned_picture(account, view)
    account.marks["ETHUSDT"] = 4_000
    words = plot.data.ghosts[0].sentence
    assert "isolated LIQ ETH at its present marks, BTC" in words
    assert "ETH 0.00" not in words
    assert "pinned LIQ ETH now" in labels(plot)
    assert "pinned LIQ ETH now" in plot.to_svg()
    plot.close()
