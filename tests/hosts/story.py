"""The same short story in every host: the dashboard is there, and a typed size changes it all."""

from __future__ import annotations

import pytest

from tests.browser.harness import WatchedPage
from tests.browser.test_stories import Desk

MODES = ("isolated", "cross")

# The time from a key to the last new path of a curve.
STOPWATCH = """() => {
    const root = document.querySelector('.mw-equity-plot');
    window.mwWatch = {key: NaN, drawn: NaN};
    document.addEventListener('keydown', () => { window.mwWatch.key = performance.now(); }, true);
    new MutationObserver(changes => {
        if (changes.some(change => change.target.matches('path.line')))
            window.mwWatch.drawn = performance.now();
    }).observe(root, {subtree: true, attributeFilter: ['d']});
}"""


def type_a_size(page: WatchedPage) -> float:
    """Type 0.6 over the half bitcoin of REF-2, and see cards, table and curves follow.

    Returns the milliseconds between the key that ends the typing and the last curve drawn anew.
    """
    desk = Desk(page)
    assert "initial 7,000.00" in desk.card("isolated")
    assert (desk.text(0, "quantity"), desk.text(0, "cross")) == ("0.5", "80,804.02")
    before = {mode: desk.curve(mode) for mode in MODES}
    assert all(before.values())
    page.page.evaluate(STOPWATCH)
    desk.type(0, "quantity", "0.6")
    desk.until(lambda: "initial 8,000.00" in desk.card("isolated"), "the isolated card")
    for mode in MODES:
        desk.until(lambda m=mode: desk.curve(m) not in {before[m], None}, f"a new {mode} curve")
    assert "initial 8,000.00" in desk.card("cross")
    assert desk.text(0, "quantity") == "0.6"
    assert desk.text(0, "cross") == "84,087.10"  # (10,000 - 200 - 60,000) / (0.6 * (0.005 - 1))
    watch = page.page.evaluate("() => window.mwWatch")
    return float(watch["drawn"] - watch["key"])


def press_an_arrow(page: WatchedPage) -> None:
    """Move the mark of ETHUSDT by an arrow key, which the host must leave to the slider."""
    desk = Desk(page)
    row = desk.root.locator(".mw-mark", has_text="ETHUSDT")
    slider, number = row.locator('input[type="range"]'), row.locator("input.mw-number")
    before, place = desk.text(0, "cross"), int(slider.input_value())
    assert number.input_value() == "4,000.00"
    slider.focus()
    page.page.keyboard.press("ArrowLeft")
    desk.until(lambda: desk.text(0, "cross") != before, "a new cross price")
    mark = float(number.input_value().replace(",", ""))
    assert 3_900 < mark < 4_000
    expected = (10_000 + 5 * (mark - 4_000) - 0.01 * 5 * mark - 60_000) / (0.6 * (0.005 - 1))
    assert float(desk.text(0, "cross").replace(",", "")) == pytest.approx(expected, abs=0.01)
    assert int(slider.input_value()) == place - 1
    assert slider.evaluate("one => one === document.activeElement")
