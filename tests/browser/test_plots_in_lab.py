"""The plots in a real JupyterLab: ticks after edits from the page, hidden places, and drags."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator

from tests.browser.harness import Lab
from tests.browser.test_stories import REF2, Desk, drag

MINUS, SPACE = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
SHOCKS = [f"{MINUS}{n}{SPACE}%" for n in (20, 15, 10, 5)]
SHOCKS += [f"0{SPACE}%", f"+5{SPACE}%", f"+10{SPACE}%"]
PRICES = ["70,000", "80,000", "90,000", "100,000", "110,000", "120,000"]


@pytest.fixture
def desk(lab: Lab) -> Desk:
    nb = lab.open_notebook([REF2], width=1400, height=1400)
    nb.run_all()
    return Desk(nb)


def ticks(plot: Locator) -> list[list[str]]:
    """Texts of the x, y and percent axis as they are on the page, the shown ones."""
    return plot.locator("g.axis").evaluate_all(
        """axes => axes.filter(axis => axis.getClientRects().length)
            .map(axis => [...axis.querySelectorAll('.tick text')].map(text => text.textContent))"""
    )


def all_marks_ticks(desk: Desk) -> bool:
    axes = ticks(desk.root.locator(".mw-equity-plot"))
    return SHOCKS in axes and ["0", "5,000", "10,000", "15,000"] in axes


def settle(desk: Desk) -> None:
    """Give transitions of the axes the time to spoil what was right."""
    desk.page.wait_for_timeout(600)


def choose(desk: Desk, view: str) -> None:
    desk.root.locator(".mw-equity-plot").get_by_role("radio", name=view).click()


def marker(desk: Desk, mode: str) -> Locator:
    handles = f'.mw-equity-plot path.element[style*="--mw-{mode}"]'
    return desk.root.locator(handles).filter(visible=True).first


def test_ticks_are_ours_after_every_kind_of_edit(desk: Desk) -> None:
    plot = desk.root.locator(".mw-equity-plot")
    desk.until(lambda: all_marks_ticks(desk), "ticks of a common move")
    choose(desk, "BTCUSDT")
    settle(desk)
    assert PRICES in ticks(plot)
    assert [f"{MINUS}10{SPACE}%" in axis for axis in ticks(plot)].count(True) == 1
    choose(desk, "All marks")
    settle(desk)
    assert all_marks_ticks(desk)
    desk.type(0, "quantity", "0.9")
    settle(desk)
    for axis in ticks(plot):
        assert all(text.endswith("%") or "." not in text for text in axis), axis
    desk.root.get_by_role("button", name="Undo").click()
    settle(desk)
    assert all_marks_ticks(desk)
    drag(desk, plot.locator("path.element").filter(visible=True).last, -60)
    settle(desk)
    assert desk.python("account.marks['BTCUSDT']") < 99_000
    for axis in ticks(plot):
        assert all(text.endswith("%") or "." not in text for text in axis), axis
    desk.root.get_by_role("button", name="Undo").click()
    settle(desk)
    assert all_marks_ticks(desk)
    desk.nb.assert_clean_console()


def test_a_marker_beyond_the_mark_returns_with_the_reason(desk: Desk) -> None:
    choose(desk, "BTCUSDT")
    settle(desk)
    before = marker(desk, "isolated").bounding_box()
    drag(desk, marker(desk, "isolated"), 200)
    status = desk.root.locator(".mw-equity-plot .mw-error")
    desk.until(lambda: "at or beyond the present mark" in status.inner_text(), "the reason")
    settle(desk)
    # It is drawn larger while it is held, and a little longer.
    desk.until(lambda: marker(desk, "isolated").bounding_box() == before, "the return")
    assert desk.python("[account.revision, len(heard)]") == [1, 0]
    desk.nb.assert_clean_console()


def test_picture_agrees_with_the_marker_under_the_pointer(desk: Desk) -> None:
    choose(desk, "BTCUSDT")
    settle(desk)
    labels = desk.root.locator(".mw-equity-plot text.label").filter(visible=True)
    assert any(text.startswith("LIQ BTC 90,452") for text in labels.all_text_contents())
    drag(desk, marker(desk, "isolated"), -40, release=False)
    settle(desk)
    texts = labels.all_text_contents()
    assert not any(text.startswith("LIQ BTC 90,452") for text in texts)
    assert any(text.startswith("LIQ BTC 8") for text in texts)
    desk.page.mouse.up()
    desk.until(lambda: desk.python("account.revision") == 2, "the edit")
    desk.nb.assert_clean_console()


def test_an_account_without_positions_is_told_in_words(lab: Lab) -> None:
    empty = 'mw.Dashboard(mw.Account(venue="binance-usdm", collateral={"USDT": 1000}))'
    nb = lab.open_notebook([f"import margin_widgets as mw\n{empty}"])
    nb.run_all()
    plot = nb.page.locator(".mw-equity-plot")
    nb.wait_until(lambda: "Add a position" in plot.inner_text(), message="the words")
    nb.page.wait_for_timeout(500)
    assert plot.locator("svg").count() == 0
    nb.assert_clean_console()


IN_A_TAB = """
import ipywidgets
import margin_widgets as mw
account = mw.presets.ref2()
tab = ipywidgets.Tab([ipywidgets.Label("first"), mw.Dashboard(account)], titles=["one", "two"])
tab
"""


def test_a_plot_in_a_tab_not_selected_is_right_once_it_is(lab: Lab) -> None:
    nb = lab.open_notebook([IN_A_TAB], width=1400, height=1400)
    nb.run_all()
    nb.page.locator(".mw-equity-plot path.line").first.wait_for(state="attached")
    nb.page.wait_for_timeout(800)
    nb.assert_clean_console()
    nb.page.get_by_role("tab", name="two").click()
    desk = Desk(nb)
    desk.until(lambda: all_marks_ticks(desk), "the ticks")
    frame = desk.root.locator(".mw-equity-plot .mw-plot").bounding_box()
    line = desk.root.locator('.mw-equity-plot path.line[style*="--mw-cross,"]').last
    desk.until(lambda: (line.bounding_box() or {"width": 0})["width"] > 200, "a drawn curve")
    box = line.bounding_box()
    assert frame is not None
    assert box is not None
    assert box["width"] == pytest.approx(frame["width"], abs=4)
    nb.assert_clean_console()


def test_escape_brush_and_ghosts(desk: Desk) -> None:
    """One page for what the mouse and Escape do, so that it is opened once."""
    plot = desk.root.locator(".mw-equity-plot")
    choose(desk, "BTCUSDT")
    desk.until(lambda: PRICES in ticks(plot), "the axis of prices")

    def line(mode: str) -> str | None:
        return plot.locator(f'path.line[style*="--mw-{mode},"]').last.get_attribute("d")

    # Escape during a drag: nothing is committed, the marker and the curves are back.
    before = marker(desk, "isolated").bounding_box(), line("isolated")
    drag(desk, marker(desk, "isolated"), -40, release=False)
    desk.until(lambda: line("isolated") != before[1], "the preview")
    desk.page.keyboard.press("Escape")
    desk.until(
        lambda: (marker(desk, "isolated").bounding_box(), line("isolated")) == before, "the return"
    )
    desk.page.mouse.up()
    handle = plot.locator("path.element").filter(visible=True).last
    drag(desk, handle, -50, release=False)
    desk.until(lambda: "Escape to leave it" in plot.inner_text(), "what a release would do")
    desk.page.keyboard.press("Escape")
    desk.page.mouse.up()
    desk.until(lambda: "Escape to leave it" not in plot.inner_text(), "the sentence")
    assert desk.python("[account.revision, len(heard)]") == [1, 0]

    # A click on a curve selects its mode.
    frame = plot.locator(".plotarea_background").bounding_box()
    assert frame is not None
    x, width, bottom = frame["x"], frame["width"], frame["y"] + frame["height"]
    desk.page.mouse.click(x + 0.05 * width, bottom - frame["height"] * 5_000 / 20_000)
    desk.until(lambda: desk.python("dashboard.selection.mode") == "isolated", "the mode")
    chosen = desk.root.locator(".mw-card.mw-chosen.mw-isolated")
    desk.until(lambda: chosen.count() == 1, "the card of the mode")

    # A brush reads a range; Escape leaves it.
    plot.get_by_role("radio", name="Brush").click()
    plot.locator(".brushintsel").wait_for(state="attached")
    desk.page.mouse.move(x + 0.1 * width, bottom - 100)
    desk.page.mouse.down()
    desk.page.mouse.move(x + 0.3 * width, bottom - 90, steps=4)
    desk.page.mouse.move(x + 0.5 * width, bottom - 90, steps=4)
    desk.page.mouse.up()
    table = plot.locator("table.mw-data")
    desk.until(lambda: "402.01 → 0.00" in table.inner_text(), "the table of the range")
    ends = "[dashboard.equity.reading.curve.low, dashboard.equity.reading.curve.high]"
    desk.until(lambda: desk.python(ends) == pytest.approx([75_000, 95_000], abs=300), "both ends")
    desk.page.keyboard.press("Escape")
    desk.until(lambda: not table.count() and not plot.locator(".brushintsel").count(), "the end")

    # Zoom shows the brushed range, Reset the whole.
    plot.get_by_role("radio", name="Zoom").click()
    plot.locator(".brushintsel").wait_for(state="attached")
    desk.page.mouse.move(x + 0.4 * width, bottom - 100)
    desk.page.mouse.down()
    desk.page.mouse.move(x + 0.6 * width, bottom - 90, steps=4)
    desk.page.mouse.up()
    desk.until(lambda: any("92,000" in axis for axis in ticks(plot)), "a finer axis")
    assert desk.python("dashboard.equity._x.min") == pytest.approx(90_000, abs=300)
    selection = plot.locator(".brushintsel .selection")
    desk.until(lambda: not selection.filter(visible=True).count(), "a brush that is empty again")
    plot.get_by_role("button", name="Reset").click()
    desk.until(lambda: PRICES in ticks(plot), "the whole axis")
    plot.get_by_role("radio", name="Move").click()

    # What panels pin and preview is drawn as thin lines beside the curves.
    desk.nb.run("drawer = dashboard.panel('compare'); drawer.pin()")
    desk.type(0, "quantity", "0.4")
    ghosts = plot.locator('path.line[style*="--mw-ghost-"]')
    desk.until(lambda: ghosts.filter(visible=True).count() == 2, "both lines of the ghost")
    assert "pinned LIQ" in " ".join(plot.locator("text.label").all_text_contents())
    # It takes no pointer from what can be dragged.
    drag(desk, marker(desk, "isolated"), -30)
    desk.until(lambda: desk.python("account.revision") == 3, "the edit")
    desk.nb.run("drawer.unpin()")
    desk.until(lambda: not ghosts.filter(visible=True).count(), "no ghost")
    desk.nb.assert_clean_console()
