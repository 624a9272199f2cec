"""A recorded window of prices of one collateral asset, against the account row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.depeg import depeg_replay, row_labels
from margin_widgets.account.waterfall import MODES
from margin_widgets.widgets.depeg_plot import DepegPlot
from margin_widgets.widgets.frontend import FigureKeys
from margin_widgets.widgets.plotting import CROSS

HOURS = pd.date_range("2023-03-10T20:00Z", periods=9, freq="6h")
PRICES = [1.0, 0.995, 0.97, 0.88, 0.9, 0.93, 0.96, 0.99, 1.0]


def pegged(held: float = 9_000.0, **more: Any) -> mw.Account:
    """A long on a dollar currency that can lose its peg, beside a little of the other."""
    return mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.005, "ETHUSDT": 0.01}),
        collateral={"USDT": 1_000, "USDC": held},
        positions=[
            mw.Position("BTCUSDT", 0.5, 100_000, 10),
            mw.Position("ETHUSDT", 5, 4_000, 10),
        ],
        marks={"BTCUSDT": 85_000, "ETHUSDT": 3_800},
        **more,
    )


@pytest.fixture
def window() -> pd.Series[float]:
    return pd.Series(PRICES, index=HOURS)


def test_a_dip_closes_and_the_recovery_does_not_open_again(window: pd.Series[float]) -> None:
    # Loss so far 7,500 + 1,000; maintenance 212.5 + 190. In cross 1,000 + 9,000 p = 8,902.5.
    trigger = (8_500 + 402.5 - 1_000) / 9_000
    assert trigger == pytest.approx(0.87806, abs=1e-5)
    replay = depeg_replay(pegged(), "USDC", window)
    assert replay.cross.events == ()
    deeper = window.copy()
    deeper.iloc[3] = 0.878
    replay = depeg_replay(pegged(), "USDC", deeper)
    (event,) = replay.cross.events
    assert (event.row, event.price, set(event.positions)) == (3, 0.878, {"BTCUSDT", "ETHUSDT"})
    assert event.balance == pytest.approx(1_000 + 9_000 * 0.878 - 8_500)
    assert np.isfinite(replay.cross.margin_ratio[:4]).all()
    assert np.isnan(replay.cross.margin_ratio[4:]).all()
    assert "cross loses the account at 2023-03-11 14:00 UTC (USDC at 0.878)" in replay.text


def test_every_row_is_the_account_at_that_price(window: pd.Series[float]) -> None:
    account = mw.presets.multi_asset()
    account.collateral["USDC"] = 20_000
    replay = depeg_replay(account, "USDC", window)
    for row, price in enumerate(PRICES):
        there = account.copy()
        there.prices["USDC"] = price
        for series in replay.series:
            assert not series.events
            ratio = getattr(there, series.mode).margin_ratio
            assert series.margin_ratio[row] == pytest.approx(ratio, rel=1e-9)


def test_what_is_below_maintenance_already_is_closed_in_the_first_row(
    window: pd.Series[float],
) -> None:
    account = pegged()
    account.marks["BTCUSDT"] = 60_000
    replay = depeg_replay(account, "USDC", window)
    assert [event.row for event in replay.cross.events] == [0]
    assert replay.cross.events[0].balance < 0


def test_words_table_frame_and_picture_say_the_same(window: pd.Series[float]) -> None:
    replay = depeg_replay(pegged(), "USDC", window)
    head, rows = replay.table()
    assert head[1:] == ("price of USDC", *MODES)
    assert len(rows) == 9
    assert replay.to_frame().index.equals(pd.Index(HOURS, name="time"))
    assert replay.to_frame()["cross_margin_ratio"].max() == pytest.approx(
        402.5 / (1_000 + 9_000 * 0.88 - 8_500)
    )
    page = replay._repr_html_()
    assert replay.text.split(";")[0] in page
    assert "<svg" in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("asset", "prices", "words"),
    [
        ("USDX", [1.0, 0.9], "did you mean|no collateral"),
        ("USDT", [1.0, 0.9], "whose own price is 1"),
        ("USDC", [1.0], "two or more"),
        ("USDC", [1.0, None, 0.9], "row 2"),
        ("USDC", [1.0, 0.9, -0.1], "row 3"),
    ],
)
def test_bad_input_is_named(asset: str, prices: list[Any], words: str) -> None:
    with pytest.raises((KeyError, TraitError), match=words):
        depeg_replay(pegged(), asset, pd.Series(prices, dtype=object))


def test_every_bad_row_is_named() -> None:
    window = pd.Series([1.0, float("nan"), "x", 0.9, -1], dtype=object)
    with pytest.raises(TraitError) as refused:
        depeg_replay(pegged(), "USDC", window)
    lines = str(refused.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"prices, row {n}" for n in (2, 3, 5)]


# ---------------------------------------------------------------- labels, rows, many rows


def test_labels_lack_what_all_of_them_lack() -> None:
    days = pd.date_range("2022-12-30", periods=3)
    assert row_labels(days) == ("2022-12-30", "2022-12-31", "2023-01-01")
    assert row_labels(days[:2], short=True) == ("12-30", "12-31")
    assert row_labels(days, short=True)[0] == "2022-12-30"
    times = pd.to_datetime(["2023-03-10T02:00:30", "2023-03-10T08:00:00"])
    assert row_labels(times)[0] == "2023-03-10 02:00:30"
    assert row_labels(times, short=True)[0] == "03-10 02:00"
    assert row_labels([*times, pd.NaT])[-1] == "NaT"
    assert row_labels(["the first of all", 7], short=True) == ("the first o…", "7")


def test_a_row_says_who_stands_and_who_is_gone(window: pd.Series[float]) -> None:
    window.iloc[3] = 0.87
    replay = depeg_replay(pegged(), "USDC", window)
    (event,) = replay.cross.events
    # 1,000 + 9,000 * 0.87 - 8,500 = 330 < 402.5
    assert (event.row, event.balance) == (3, pytest.approx(330))
    assert "cross 122.0" in replay.row_text(3)
    assert replay.row_text(3).endswith("liquidated here, margin balance then 330.00 USDT.")
    assert replay.row_text(4).endswith("cross closed before.")
    assert "cross 27.7" in replay.row_text(1)  # 402.5 / (1,000 + 8,955 - 8,500)


def test_of_many_rows_no_extreme_is_left_out() -> None:
    prices = 1.0 + 0.02 * np.sin(np.arange(9_000) / 7.0)
    prices[4_321], prices[4_322] = 0.879, 1.2
    replay = depeg_replay(pegged(), "USDC", pd.Series(prices))
    assert len(replay.drawn) <= 800
    assert {0, 4_321, 4_322, 8_999} <= set(replay.drawn.tolist())
    assert replay.price_range[0] < 0.879 < 1.2 < replay.price_range[1]
    assert len(replay.table()[1]) <= 20
    deep = depeg_replay(pegged(), "USDC", pd.Series(np.where(prices < 0.9, 0.5, prices)))
    assert [event.row for event in deep.cross.events] == [4_321]
    assert {4_321, 4_322} <= set(deep.drawn.tolist())


# ---------------------------------------------------------------- the widget


def send(widget: Any, **message: Any) -> None:
    widget._handle_custom_msg(message, [])


def drag(plot: DepegPlot, x: float, *events: str) -> None:
    for event in events:
        send(plot.handle, event=event, point={"x": x, "y": 0.9}, index=0)


@pytest.fixture
def plot(window: pd.Series[float]) -> Any:
    made = DepegPlot(pegged(9_500), prices=window)
    yield made
    made.close()


def test_two_panels_in_one_figure(plot: DepegPlot) -> None:
    assert plot.row == 3  # the lowest price
    assert plot.price_line.y.tolist() == PRICES
    assert plot.cross_line.scales["x"] is plot.price_line.scales["x"]
    ratio, price = plot.cross_line.scales["y"], plot.price_line.scales["y"]
    assert ratio is plot.isolated_line.scales["y"] and ratio is not price
    share = (np.array([0.0, 1.5]) - ratio.min) / (ratio.max - ratio.min)
    np.testing.assert_allclose(share, [0.0, 0.52])
    assert (min(PRICES) - price.min) / (price.max - price.min) > 0.64
    assert max(PRICES) < price.max
    assert plot.cross_line.line_style == "solid" and plot.isolated_line.line_style == "dashed"
    expected = 402.5 / (1_000 + 9_500 * np.array(PRICES) - 8_500)
    np.testing.assert_allclose(plot.cross_line.y, expected)
    assert "liquidation at 100\N{NO-BREAK SPACE}%" in [
        *plot._labels_right.text,
        *plot._labels_left.text,
    ]


def test_the_window_follows_the_account(plot: DepegPlot) -> None:
    line = plot.cross_line
    assert plot.data is not None and plot.data.cross.events == ()
    assert not (plot.ends.visible and CROSS in plot.ends.colors)
    plot.account.collateral["USDC"] = 8_970
    (event,) = plot.data.cross.events
    assert event.row in plot.ends.x and CROSS in plot.ends.colors
    assert plot.cross_line is line
    last = np.flatnonzero(np.isfinite(line.y))
    assert line.x[last].max() == event.row  # and none after it
    assert "cross loses the account at 2023-03-11 14:00 UTC" in plot.caption
    plot.account.undo()
    assert plot.data.cross.events == ()


def test_a_row_is_chosen_by_slider_drag_and_trait(plot: DepegPlot) -> None:
    seen: list[int] = []
    plot.observe(lambda change: seen.append(change.new), "row")
    revision = plot.account.revision
    plot.row = 5
    assert "Row 6, 2023-03-12 02:00 UTC, USDC at 0.93 USDT: " in plot.caption
    assert (plot.handle.x.tolist(), plot.handle.y.tolist()) == ([5.0], [0.93])
    (shown,) = plot._slider.control.rows
    assert (shown["text"], shown["low"], shown["high"], shown["step"]) == ("6", 1, 9, 1)
    send(plot._slider.control, type="preview", value=3)
    assert "Row 3, " in plot.caption and plot.row == 5
    send(plot._slider.control, type="cancel")
    assert "Row 6, " in plot.caption
    send(plot._slider.control, type="commit", value=2)
    assert plot.row == 1
    send(plot._slider.control, type="commit_text", text="12")
    assert plot.row == 1 and "between 1 and 9" in plot._slider.control.errors[0]["message"]
    drag(plot, 4.3, "drag_start", "drag")
    assert "Row 5, " in plot.caption and plot.stem.x.tolist() == [4, 4]
    drag(plot, 4.3, "drag_end")
    assert plot.row == 4
    drag(plot, 11.0, "drag_start", "drag_end")
    assert plot.row == 8 and "the window ends there" in plot.message
    assert seen == [5, 1, 4, 8]
    assert plot.account.revision == revision
    for bad in (9, -1):
        with pytest.raises(TraitError, match="row"):
            plot.row = bad


def test_escape_takes_a_drag_back(plot: DepegPlot) -> None:
    before = plot.caption, plot.stem.x.tolist(), plot.handle.x.tolist()
    drag(plot, 6.0, "drag_start", "drag")
    assert plot.stem.x.tolist() == [6, 6]
    (keys,) = [one for one in plot.children if isinstance(one, FigureKeys)]
    send(keys, type="escape")
    drag(plot, 6.0, "drag_end")
    assert (plot.caption, plot.stem.x.tolist(), plot.handle.x.tolist()) == before
    assert plot.row == 3


def test_whose_prices_they_are(window: pd.Series[float]) -> None:
    account = pegged()
    account.collateral["DAI"] = 500
    plot = DepegPlot(account, prices=window)
    assert plot.caption == "Say with `asset` whose prices these are: one of USDC, DAI."
    assert plot.figure not in plot.children
    send(plot._controls, type="action", action="asset", value="DAI")
    assert plot.data is not None and plot.data.asset == "DAI"
    plot.asset = "USDD"
    assert "holds no USDD whose price can move; it holds USDC, DAI" in plot.caption
    plot.asset = ""
    plot.prices = window.rename("USDC")
    assert plot.data.asset == "USDC"
    del account.collateral["USDC"]
    assert plot.data.asset == "DAI"
    plot.close()


def test_it_waits_for_prices_and_takes_others(window: pd.Series[float]) -> None:
    plot = DepegPlot(pegged())
    assert plot.caption.startswith("No recorded prices yet")
    assert plot._slider.layout.display == "none"
    plot.prices = window
    assert plot.figure in plot.children and plot.row == 3
    assert plot._slider.layout.display is None
    plot.prices = window.iloc[::-1].iloc[:7]
    assert plot.row == 5 and len(plot.price_line.x) == 7
    for bad, words in (([1.0, 0.9], "pandas Series"), (window.iloc[:1], "two or more")):
        with pytest.raises(TraitError, match=words):
            plot.prices = bad
    assert len(plot.price_line.x) == 7
    plot.prices = None
    assert plot.figure not in plot.children
    plot.close()
    with pytest.raises(TraitError, match="row 2"):
        DepegPlot(pegged(), prices=pd.Series([1.0, -1.0]))


def test_the_table_and_the_page_have_the_row(plot: DepegPlot) -> None:
    plot.row = 6
    send(plot._data_box, type="action", action="data", value=None)
    assert "2023-03-12 08:00 UTC" in plot._data_box.html
    page = plot._repr_mimebundle_()["text/html"]
    assert "Row 7, 2023-03-12 08:00 UTC" in page and page.count("<path") > 10
    assert "Row 7" in plot.to_svg() and plot.to_csv().startswith("time,price of USDC (USDT),")


def test_closed_windows_leave_nothing(window: pd.Series[float]) -> None:
    account = pegged()
    DepegPlot(account, prices=window).close()
    widgets = len(_instances)
    for number in range(10):
        plot = DepegPlot(account, prices=window)
        account.positions[0].leverage = 5 + number % 3
        plot.close()
    assert len(_instances) == widgets
    assert not any(account._trait_notifiers.get("revision", {}).values())
