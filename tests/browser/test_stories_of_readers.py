"""Stories B4 and B5: the page by keyboard and by reading, on paper and on a narrow screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Locator

from tests.browser.harness import Lab, NotebookPage
from tests.browser.test_stories import Desk, fresh

CELL = """
import margin_widgets as mw
account = mw.presets.multi_asset()
dashboard = mw.Dashboard(account)
dashboard
"""

FIGURES = {
    "Margin ratio": ".mw-ratio-plot",
    "Loss": ".mw-waterfall",
    "Leverage": ".mw-leverage-plot",
    "Tiers": ".mw-tier-plot",
    "Two marks": ".mw-frontier-plot",
    "Shock map": ".mw-shock-plot",
    "Contagion": ".mw-contagion",
    "Collateral stress": ".mw-collateral-stress-plot",
    "Funding": ".mw-funding-drift-plot",
}
"""Tabs that hold a picture, and where it is."""

FOCUSED = """() => {
    const focused = document.activeElement;
    const box = focused.getBoundingClientRect();
    const style = getComputedStyle(focused);
    return {
        inside: focused.closest('.mw-dashboard') !== null,
        name: focused.getAttribute('aria-label') || focused.innerText || focused.tagName,
        left: box.left, right: box.right, top: box.top, bottom: box.bottom,
        outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    };
}"""


@pytest.fixture(scope="module")
def lab(lab_session: Lab) -> Iterator[Lab]:
    """One page serves all tests of this file."""
    yield lab_session
    lab_session.close_notebooks()


@pytest.fixture(scope="module")
def page(lab: Lab) -> NotebookPage:
    """A page with one dashboard, which the tests leave as it is."""
    nb = lab.open_notebook(["import margin_widgets as mw"], width=1400, height=1600)
    fresh(nb, CELL)
    return nb


@pytest.fixture
def desk(page: NotebookPage) -> Desk:
    page.console_errors.clear()
    return Desk(page)


def focus_stops(desk: Desk) -> list[dict[str, Any]]:
    """What the Tab key comes to, one after another, from the head of the dashboard to its end."""
    desk.root.evaluate("e => { e.tabIndex = -1; e.focus(); }")
    stops = []
    for _ in range(120):
        desk.page.keyboard.press("Tab")
        stop = desk.page.evaluate(FOCUSED)
        if not stop["inside"]:
            return stops
        stops.append(stop)
    raise AssertionError("Tab never leaves the dashboard")


def test_b4_tab_order_is_reading_order_and_focus_is_seen(desk: Desk) -> None:
    stops = focus_stops(desk)
    assert len(stops) > 20
    for before, after in pairwise(stops):
        # Down, or to the right; up only to the top of a column further right.
        down = after["top"] >= before["top"] - 12 or after["bottom"] > before["bottom"]
        right = after["left"] >= before["left"]
        assert down or right, f"from {before['name']!r} up and left to {after['name']!r}"
    unseen = [stop["name"] for stop in stops if not stop["outlined"]]
    assert not unseen, f"focus is not seen on {unseen}"
    desk.nb.assert_clean_console()


def test_b4_every_slider_moves_by_arrow_keys(desk: Desk) -> None:
    moved = 0
    for tab, panel in {"Explain": ".mw-marks", **FIGURES}.items():
        desk.root.get_by_role("tab", name=tab, exact=True).click()
        shown = desk.root.locator(panel)
        shown.first.wait_for()
        for slider in shown.locator('input[type="range"]').filter(visible=True).all()[:1]:
            slider.focus()
            desk.page.keyboard.press("Tab")
            desk.page.keyboard.press("Shift+Tab")  # come by keyboard, so that focus is shown
            before, revision = slider.input_value(), desk.python("account.revision")
            assert desk.page.evaluate(FOCUSED)["outlined"], f"{tab}: a slider without focus"
            desk.page.keyboard.press("ArrowRight")
            desk.until(lambda s=slider, b=before: s.input_value() != b, f"{tab}: a slider to move")
            desk.until(
                lambda s=slider: s.evaluate("e => e === document.activeElement"),
                f"{tab}: the slider to keep the focus",
            )
            # Looked for again if the control is drawn anew at this moment.
            desk.until(
                lambda s=slider: s.evaluate("e => e.ariaLabel || e.labels.length"),
                f"{tab}: the name of the slider",
            )
            desk.page.keyboard.press("ArrowLeft")
            desk.until(lambda s=slider, b=before: s.input_value() == b, f"{tab}: back again")
            moved += 1
            if desk.python("account.revision") != revision:  # it was an edit: take it back
                desk.nb.run(f"while account.revision > {revision} and account.undo(): pass")
    assert moved >= 6
    desk.nb.assert_clean_console()


def test_b4_each_figure_has_a_sentence_and_a_table(desk: Desk) -> None:
    for tab, panel in FIGURES.items():
        desk.root.get_by_role("tab", name=tab, exact=True).click()
        figure = desk.root.locator(panel)
        figure.wait_for()
        sentence = figure.locator("p.mw-caption").filter(has_text=re.compile(r"\d.*\.")).first
        sentence.wait_for()
        control = figure.get_by_text("Show data", exact=True).first
        if not control.count():  # its table is that of the dashboard
            desk.root.get_by_role("tab", name="Show data").click()
            figure = desk.root
        else:
            control.click()
        rows = figure.locator("table.mw-data tbody tr").filter(visible=True)
        desk.until(lambda r=rows: r.count() >= 2, f"{tab}: a table of the same data")
        numbers = re.findall(r"\d", " ".join(rows.all_inner_texts()))
        assert len(numbers) > 10, f"{tab}: a table without numbers"
    desk.nb.assert_clean_console()


def test_b4_who_wants_no_motion_gets_none(desk: Desk) -> None:
    desk.page.emulate_media(reduced_motion="reduce")
    try:
        moving = desk.root.evaluate(
            """root => [...root.querySelectorAll('*')].filter(e => {
                const style = getComputedStyle(e);
                const longest = list => Math.max(...list.split(',').map(parseFloat));
                return longest(style.transitionDuration) > 0.01
                    || longest(style.animationDuration) > 0.01;
            }).map(e => e.className)"""
        )
    finally:
        desk.page.emulate_media(reduced_motion="no-preference")
    assert not moving
    assert desk.python("dashboard.equity.figure.animation_duration") == 0


def shown(part: Locator) -> bool:
    return bool(part.evaluate("e => e.getClientRects().length && getComputedStyle(e).opacity > 0"))


def test_b5_print_shows_the_present_state_with_its_caption(desk: Desk) -> None:
    desk.nb.run("account.marks['BTCUSDT'] = 97_531.5")
    caption = desk.python("dashboard.equity.caption").partition(";")[0]
    assert len(caption) > 40
    desk.page.emulate_media(media="print")
    try:
        plot = desk.root.locator(".mw-equity-plot")
        desk.until(lambda: caption in (plot.text_content() or ""), "the caption of now")
        for mode in ("cross", "isolated"):
            line = plot.locator(f'path.line[style*="stroke: var(--mw-{mode},"]')
            assert shown(line)
            assert len(line.get_attribute("d") or "") > 200
            assert shown(desk.root.locator(f".mw-card.mw-{mode}").first)
        # The figures of every position, and no controls that paper cannot use.
        texts = desk.positions.inner_text()
        for key in desk.python("account.positions.keys()"):
            assert key in texts
        assert (
            "97,531.5"
            in desk.root.locator(".mw-mark", has_text="BTCUSDT")
            .locator("input.mw-number")
            .input_value()
        )
        for name in ("Undo", "Add position"):
            assert not desk.root.get_by_role("button", name=name).filter(visible=True).count()
        colour = desk.root.evaluate("e => getComputedStyle(e).getPropertyValue('--mw-bg').trim()")
        assert colour.lower() in ("#fff", "#ffffff")
        desk.nb.screenshot("dashboard-print", desk.root)
    finally:
        desk.page.emulate_media(media="screen")
        desk.nb.run("account.undo()")
    desk.nb.assert_clean_console()


def test_b5_at_360_pixels_every_picture_stays_readable(desk: Desk) -> None:
    # JupyterLab itself takes some 104 pixels beside an output.
    desk.page.set_viewport_size({"width": 464, "height": 1600})
    try:
        desk.until(lambda: desk.root.evaluate("e => e.clientWidth") <= 360, "a narrow page")
        plots = {"Explain": ".mw-equity-plot", **FIGURES}
        for tab, panel in plots.items():
            desk.root.get_by_role("tab", name=tab, exact=True).click()
            figure = desk.root.locator(panel)
            figure.wait_for()
            desk.until(
                lambda: desk.root.evaluate("e => e.scrollWidth - e.clientWidth") <= 1,
                f"{tab}: room for everything",
            )
            if figure.locator(".mw-plot").count():
                desk.until(lambda f=figure: not hidden_or_cut(f), f"{tab}: whole labels")
                assert figure.locator(".mw-plot").first.bounding_box()["height"] >= 180
            desk.nb.screenshot(f"narrow-{panel.removeprefix('.mw-')}", figure)
    finally:
        desk.page.set_viewport_size({"width": 1400, "height": 1600})
    desk.nb.assert_clean_console()


def hidden_or_cut(figure: Locator) -> list[str]:
    """Words of a plot that are smaller than 10 px, or leave the panel they stand in."""
    found: list[str] = figure.evaluate(
        """panel => {
            const around = panel.getBoundingClientRect();
            return [...panel.querySelectorAll('.mw-plot text')].filter(text => {
                const box = text.getBoundingClientRect();
                if (!box.width || !text.textContent.trim()) return false;
                const style = getComputedStyle(text);
                const unseen = ['transparent', 'rgba(0, 0, 0, 0)'].includes(style.fill);
                if (unseen || style.visibility === 'hidden' || style.opacity === '0') return false;
                return parseFloat(style.fontSize) < 10
                    || box.left < around.left - 2 || box.right > around.right + 2;
            }).map(text => text.textContent);
        }"""
    )
    return found
