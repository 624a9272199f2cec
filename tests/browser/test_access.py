"""For everyone: axe-core, the keyboard alone, narrow and magnified pages, paper, chosen colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from margin_widgets import widgets
from margin_widgets.widgets.dashboard import TABS
from tests.browser.harness import Lab
from tests.browser.test_stories import REF2, Desk

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
MANY = REF2.replace("ref2", "multi_asset")
# A page of this width has a dashboard of 360 px.
NARROW, MAGNIFIED, WIDE = 464, 620, 1280
# Nothing is scrolled away on a page of this height: axe gives up on what is far above it.
TALL = 3600

# Lab's body has no height, from which axe would conclude that nothing in it can be seen.
PREPARE = "document.documentElement.style.height = document.body.style.height = '100%'; 0"
EXAMINE = """
async (asked) => {
  const [where, rules] = asked;
  const found = await axe.run({include: [[where]]}, rules ? {runOnly: rules} : {});
  const worst = found.violations.filter(({impact}) => ["serious", "critical"].includes(impact));
  return {
    violations: worst.flatMap(({id, nodes}) =>
      nodes.map((n) => `${id}: ${n.html.slice(0, 200)} ${n.failureSummary}`)),
    read: found.passes.filter(({id}) => id === "color-contrast").flatMap(({nodes}) => nodes).length,
  };
}
"""
# Boxes that are wider than their place, and what sticks out of the dashboard.
TOO_WIDE = """
root => {
  const place = root.getBoundingClientRect();
  const hides = (e) => getComputedStyle(e).overflowX !== "visible";
  const clipped = (e) => {
    for (let p = e.parentElement; p && p !== root; p = p.parentElement) if (hides(p)) return true;
    return false;
  };
  const found = [...root.querySelectorAll("*")].filter((e) => {
    if (e.closest(".mw-sr") || !e.getClientRects().length || clipped(e)) return false;
    const box = e.getBoundingClientRect();
    return box.width > 0 && (box.right > place.right + 1 || box.left < place.left - 1);
  });
  if (root.scrollWidth > root.clientWidth + 1) found.unshift(root);
  return found.map((e) => `${e.tagName} ${e.getAttribute("class")} ${e.textContent.slice(0, 40)}`);
}
"""
# Until nothing has changed for a while: axe fails on what is replaced while it looks.
QUIET = """
root => new Promise((done) => {
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { watch.disconnect(); done(); }, 150);
  };
  const watch = new MutationObserver(wait);
  watch.observe(root, {subtree: true, childList: true, attributes: true, characterData: true});
  wait();
})
"""
# Figures on the page: their role, and the sentence that they have for a name.
FIGURES = """
root => [...root.querySelectorAll(".bqplot.mw-plot")].map((figure) => [
  figure.getAttribute("role"),
  document.getElementById(figure.getAttribute("aria-labelledby"))?.textContent ?? "",
  figure.parentElement.querySelector(".mw-caption")?.textContent ?? "none",
])
"""
STOP = """
() => {
  const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return {
    inside: Boolean(e.closest(".mw-dashboard")),
    name: e.getAttribute("aria-label") || e.textContent.trim() || e.tagName,
    visible: (ring || style.boxShadow !== "none") && box.width > 0
      && box.bottom > 0 && box.top < innerHeight,
    box: [box.left, box.top + scrollY, box.right, box.bottom + scrollY],
  };
}
"""


@pytest.fixture(scope="module")
def shown(lab_session: Lab) -> Iterator[Desk]:
    """An account with collateral in several assets, the same page for several tests."""
    nb = lab_session.open_notebook([MANY], width=WIDE, height=1400)
    nb.run_all()
    desk = Desk(nb)
    nb.page.evaluate(f"{AXE.read_text()};{PREPARE}")
    yield desk
    lab_session.close_notebooks()


def settle(desk: Desk) -> None:
    """Wait until the kernel has done what was asked for, and the page shows it."""
    desk.nb.run("0")
    desk.root.evaluate(QUIET)


def open_tab(desk: Desk, name: str, title: str) -> None:
    """Open a tab, and its table where it has one, and wait until the panel is drawn."""
    desk.root.locator(f'[data-key="tab-{name}"]').click()
    panel = desk.root.get_by_role("tabpanel", name=title, exact=True)
    panel.wait_for()
    if name in ("ratio", "leverage", "tiers", "frontier", "shocks", "stress", "funding"):
        panel.locator(".mw-plot path.line").first.wait_for(state="attached")
        settle(desk)
        if name == "shocks":  # a table of 1,681 rows says no more than one of 169
            panel.get_by_role("radio", name="13 × 13").click()
            settle(desk)
        twin = panel.locator('[data-key="data"]')
        if twin.get_attribute("aria-expanded") == "false":
            twin.click()
        panel.locator("table.mw-data").first.wait_for()
    desk.until(lambda: panel.inner_text().strip(), f"the panel {title}")
    settle(desk)


@contextmanager
def media(desk: Desk, **media: Any) -> Iterator[None]:
    """The page as for a printer, for less motion, or in colours of the system's choice."""
    desk.page.emulate_media(**media)
    yield
    desk.page.emulate_media(media="screen", reduced_motion="no-preference", forced_colors="none")


def examine(page: Page, theme: str, where: str = ".mw-dashboard") -> int:
    """Fail on what axe finds; return of how much text it has judged the contrast.

    What is on the page is the same in both themes, but for its colours.
    """
    rules = None if theme == "light" else ["color-contrast"]
    found = page.evaluate(EXAMINE, [where, rules])
    assert found["violations"] == [], theme
    read: int = found["read"]
    return read


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_tab(shown: Desk, theme: str) -> None:
    shown.nb.set_theme(theme)
    shown.page.set_viewport_size({"width": WIDE, "height": TALL})
    for name, title in TABS:
        open_tab(shown, name, title)
        assert examine(shown.page, theme) > 30, f"{name}: hardly any text was looked at"
        for role, told, caption in shown.root.evaluate(FIGURES):
            assert role == "img"
            assert told == caption
            assert len(told) > 40


# Every class that can be shown alone, once, each with an account that it has something to say on.
ALONE = sorted(set(widgets.__all__) - {"Dashboard", "Selection"})
SHOWN = """
import margin_widgets as mw
import pandas as pd
from IPython.display import display

dip = pd.Series([1e5, 900.0, 9e4], index=pd.date_range("2023-03-10", periods=3), name="BTC")
WITH = {"ShockMap": {"points": 13}, "DepegPlot": {"prices": dip}}
for name in ("LossWaterfall", "ContagionGraph"):
    WITH[name] = {"shock": -0.15}
display(mw.CollateralStressPlot(mw.presets.hedged_lp_token(), lp_of="BTCUSDT"))
for name in %r:
    preset = "bitcoin_on_bitcoin" if name.startswith(("Collateral", "Depeg")) else "ref2"
    display(getattr(mw, name)(getattr(mw.presets, preset)(), **WITH.get(name, {})))
"""
OUTPUTS = ".jp-OutputArea-output .margin-widgets:not(.margin-widgets *)"
STICKING_OUT = f"roots => roots.flatMap({TOO_WIDE.strip()})"


def test_axe_finds_nothing_serious_in_any_widget_alone(lab: Lab) -> None:
    nb = lab.open_notebook([SHOWN % ALONE], theme="light", width=WIDE, height=20_000)
    nb.run_all()
    page, roots = nb.page, nb.page.locator(OUTPUTS)
    # One of them is there twice, as a picture of two panels.
    nb.wait_until(lambda: roots.count() == len(ALONE) + 1, message="every widget")
    plots = page.locator(".bqplot.mw-plot")
    nb.wait_until(lambda: page.locator(".mw-plot path.line").count() > plots.count(), message="all")
    data = page.locator(f'{OUTPUTS} [data-key="data"]')
    data.evaluate_all("buttons => buttons.forEach((button) => button.click())")
    nb.wait_until(lambda: page.locator("table.mw-data").count() >= data.count(), message="tables")
    page.evaluate(f"{AXE.read_text()};{PREPARE}")
    for theme in ("light", "dark"):
        nb.set_theme(theme)
        page.locator("body").evaluate(QUIET)
        assert examine(page, theme, OUTPUTS) > 400, "hardly any text was looked at"
    # Narrower than a phone: the page has 360 px, what is beside an output is taken from it.
    page.set_viewport_size({"width": 360, "height": 20_000})
    nb.wait_until(lambda: not roots.evaluate_all(STICKING_OUT), message="all to fit in")
    nb.assert_clean_console()


@pytest.mark.parametrize("width", [NARROW, MAGNIFIED])
def test_narrow_and_magnified_pages_do_not_scroll_sideways(shown: Desk, width: int) -> None:
    shown.nb.set_theme("light")
    magnify = width == MAGNIFIED
    session = shown.page.context.new_cdp_session(shown.page)
    shown.page.set_viewport_size({"width": width, "height": TALL})
    if magnify:  # 1,240 px on the screen, each of ours twice as large
        metrics = {"width": width, "height": TALL, "deviceScaleFactor": 2, "mobile": False}
        session.send("Emulation.setDeviceMetricsOverride", metrics)
    for name, title in TABS:
        open_tab(shown, name, title)
        shown.until(lambda: not shown.root.evaluate(TOO_WIDE), f"{name} to fit into its place")
        if not magnify:
            examine(shown.page, "light")
    if not magnify:
        assert shown.root.evaluate("e => e.clientWidth") == 360
    session.detach()


MOVING = """
root => [...root.querySelectorAll("*")].filter((e) => {
  const style = getComputedStyle(e);
  return style.transitionDuration !== "0s" || style.animationName !== "none";
}).map((e) => e.getAttribute("class"))
"""


def test_reduced_motion_moves_nothing(shown: Desk) -> None:
    assert shown.root.evaluate(MOVING) != []  # or the rest would prove nothing
    with media(shown, reduced_motion="reduce"):
        for name in ("explain", "shocks", "contagion"):
            shown.root.locator(f'[data-key="tab-{name}"]').click()
            assert shown.root.evaluate(MOVING) == []


PAPER = """
root => {
  const shows = (s) => [...root.querySelectorAll(s)].filter(
    (e) => e.getClientRects().length && getComputedStyle(e).visibility === "visible");
  const controls = "select, input[type=range], .mw-button, .mw-seg, [role=toolbar], summary";
  const boxes = ".mw-scroll, .tabulator-tableholder, .mw-marks, .mw-verdict, .mw-data";
  return {
    controls: shows(controls).map((e) => e.outerHTML.slice(0, 90)),
    tabs: shows("[role=tab]").map((e) => e.textContent),
    rows: shows(".tabulator-row").length,
    cards: shows(".mw-card").length,
    figures: shows(".mw-plot").length,
    captions: shows(".mw-caption").length,
    ground: getComputedStyle(root).backgroundColor,
    ink: getComputedStyle(root.querySelector(".mw-verdict")).color,
    cut: shows(boxes).filter(
        (e) => e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1
      ).map((e) => e.className),
    shortened: shows(".tabulator-cell, .tabulator-col-title").filter(
        (e) => e.scrollWidth > e.clientWidth + 1
      ).map((e) => e.textContent),
  };
}
"""


def test_on_paper(shown: Desk) -> None:
    shown.nb.set_theme("dark")
    shown.page.set_viewport_size({"width": 760, "height": 1400})
    open_tab(shown, "leverage", "Leverage")
    positions, assets = shown.python("[len(account.positions), len(account.collateral)]")
    with media(shown, media="print"):
        shown.until(lambda: shown.root.evaluate(PAPER)["rows"] == positions + assets, "all rows")
        told = shown.root.evaluate(PAPER)
        wide = shown.root.evaluate(TOO_WIDE)
    assert told["controls"] == []
    assert told["tabs"] == ["Leverage"]
    assert told["cards"] >= 2
    assert told["figures"] == 2
    assert told["captions"] >= 4
    assert (told["ground"], told["ink"]) == ("rgb(255, 255, 255)", "rgb(27, 31, 36)")
    assert (told["cut"], told["shortened"], wide) == ([], [], [])
    shown.root.locator(".mw-actions").first.wait_for()  # the controls are back


FORCED = """
root => {
  const ground = getComputedStyle(root).backgroundColor;
  const gone = (e) => {
    const s = getComputedStyle(e);
    const plain = s.backgroundImage === "none" && s.backgroundColor === ground;
    return plain && s.borderStyle === "none" && s.outlineStyle === "none";
  };
  const marks = [...root.querySelectorAll(".mw-dot, .mw-meter > i, .mw-meter")];
  const choices = [...root.querySelectorAll("[role=tab], [role=radio]")];
  const lines = [...root.querySelectorAll(".mw-equity-plot path.line")];
  return {
    marks: marks.length,
    gone: marks.filter(gone).map((e) => e.className),
    chosen: choices.map((e) => e.ariaSelected === "true" || e.ariaChecked === "true"),
    underlined: choices.map((e) => getComputedStyle(e).textDecorationLine === "underline"),
    lines: lines.length,
    drawn: lines.filter((e) => getComputedStyle(e).stroke !== ground).length,
  };
}
"""


def test_forced_colours_leave_everything_visible(shown: Desk) -> None:
    shown.nb.set_theme("dark")
    shown.page.set_viewport_size({"width": WIDE, "height": 1400})
    open_tab(shown, "utilization", "Utilisation")
    with media(shown, forced_colors="active"):
        told = shown.root.evaluate(FORCED)
    assert told["marks"] > 10
    assert told["gone"] == []
    assert told["chosen"] == told["underlined"]
    assert any(told["chosen"])
    assert told["lines"] == told["drawn"] > 2


def test_refusals_and_empty_places_are_accessible_too(shown: Desk) -> None:
    shown.page.set_viewport_size({"width": WIDE, "height": 1400})
    shown.root.locator('[data-key="tab-explain"]').click()
    shown.type(0, "quantity", "abc", key="Enter")
    alert = shown.positions.locator('[role="alert"]')
    shown.until(lambda: "not a number" in alert.inner_text(), "the reason")
    price = shown.root.get_by_role("textbox", name="BTCUSDT mark price, number")
    price.fill("-1")
    price.press("Enter")
    shown.root.locator(".mw-mark-error", has_text="must be").wait_for()
    for theme in ("light", "dark"):
        shown.nb.set_theme(theme)
        shown.root.evaluate(QUIET)
        examine(shown.page, theme)
    shown.nb.run("account.positions.clear(); account.collateral = {}")
    shown.until(lambda: "No positions" in shown.positions.inner_text(), "the empty table")
    for theme in ("dark", "light"):
        shown.nb.set_theme(theme)
        shown.root.evaluate(QUIET)
        assert examine(shown.page, theme) > 20
    shown.nb.assert_clean_console()


class Keys:
    """A dashboard used with the keyboard alone; remembers where the focus was."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.page = desk, desk.page
        self.stops: list[dict[str, Any]] = []

    def stop(self) -> dict[str, Any]:
        """Where the focus is; fails if that cannot be seen."""
        found: dict[str, Any] = self.page.evaluate(STOP)
        if found["inside"]:
            assert found["visible"], f"the focus on {found['name']!r} cannot be seen"
            self.stops.append(found)
        return found

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.stop()

    def walk(self, name: str, key: str = "Tab") -> None:
        """Press a key until the focus is on what has this name."""
        for _ in range(80):
            self.page.keyboard.press(key)
            if self.stop()["name"] == name:
                return
        raise AssertionError(f"{key} never leads to {name!r}")

    def fill(self, text: str, key: str) -> None:
        """Type over what is in the cell that is edited."""
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)
        self.page.keyboard.press(key)


def backward(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a stop lies before another as one reads: above it, or left of it in its line."""
    left, top, _, bottom = after["box"]
    was_left, was_top, was_right, _ = before["box"]
    beside = left >= was_right - 1  # the next column
    return not beside and (bottom <= was_top or (top < was_top and left < was_left))


def test_a_whole_what_if_by_keyboard_alone(lab: Lab) -> None:
    nb = lab.open_notebook([REF2], width=WIDE, height=1600)
    nb.run_all()
    desk = Desk(nb)
    keys = Keys(desk)
    verdict = desk.root.get_by_role("status", name="Verdict")
    assert verdict.get_attribute("aria-live") == "polite"
    first = verdict.inner_text()

    # From the cell through all of the dashboard and out at its end, in reading order.
    nb.page.locator(".jp-Notebook-cell").first.focus()
    for _ in range(60):
        nb.page.keyboard.press("Tab")
        if keys.stop()["inside"]:
            break
    while keys.stop()["inside"]:
        nb.page.keyboard.press("Tab")
        assert len(keys.stops) < 120, "the focus does not leave"
    order = [one for n, one in enumerate(keys.stops) if not n or one != keys.stops[n - 1]]
    assert len(order) > 25
    wrong = [(a["name"], b["name"]) for a, b in pairwise(order) if backward(a, b)]
    assert wrong == []

    # Add a position: the other leg of the coin that is held.
    keys.walk("Add position", "Shift+Tab")
    keys.page.keyboard.press("Enter")
    desk.positions.locator(".tabulator-cell input").wait_for()
    keys.fill("BTCUSDT", "Tab")
    keys.fill("-0.2", "Tab")
    desk.until(lambda: desk.python("len(account.positions)") == 3, "the position")
    desk.until(lambda: verdict.inner_text() != first, "another verdict")
    hedged = verdict.inner_text()

    # Change its leverage: out of the cell, along the row, into the next cell.
    keys.press("Escape", "ArrowRight")
    assert keys.stop()["name"] == "10×"
    keys.press("Enter")
    keys.fill("4", "Enter")
    desk.until(lambda: desk.python("account.positions[-1].leverage") == 4, "the leverage")
    desk.until(lambda: verdict.inner_text() != hedged, "the verdict on that")
    keys.press("Tab")  # the table lets go
    assert keys.stop()["name"] == "Add position"
    keys.press("Shift+Tab", "Shift+Tab")

    # Read another tab.
    keys.walk("Explain")
    keys.press("ArrowRight", "Enter")
    panel = desk.root.get_by_role("tabpanel", name="Margin ratio")
    desk.until(lambda: "100" in panel.inner_text(), "the ratio")
    assert keys.stop()["name"] == "Margin ratio"

    # Explain a number of the cards; the focus stays on it.
    ratio = desk.root.locator('.mw-card.mw-cross [data-explain="cross.margin_ratio"]')
    keys.walk(ratio.inner_text(), "Shift+Tab")
    keys.press("Enter")
    told = desk.root.get_by_role("status", name="Explanation")
    desk.until(lambda: "Cross margin ratio" in told.inner_text(), "the explanation")
    assert keys.stop()["name"] == ratio.inner_text()

    # Take both edits back.
    keys.press("Control+z")
    desk.until(lambda: verdict.inner_text() == hedged, "the leverage undone")
    keys.press("Control+z")
    desk.until(lambda: verdict.inner_text() == first, "the position undone")
    assert desk.python("[len(account.positions), account.can_undo]") == [2, False]
    nb.assert_clean_console()
