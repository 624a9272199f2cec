"""Widths at which something used to be cut off, colours on a dark page, and the copied table."""

from __future__ import annotations

from typing import Any

from tests.browser.harness import Lab
from tests.browser.test_stories import REF2, Desk

FIT = """() => {
  const table = document.querySelector('.tabulator-tableholder');
  return [table.scrollWidth - table.clientWidth, table.getClientRects().length];
}"""
METERS = """() => [...document.querySelectorAll('.mw-utilization .mw-bar-row > .mw-meter')]
  .map(bar => bar.clientWidth)"""
CUT = """() => [...document.querySelectorAll('span.mw-mark-name')]
  .filter(name => name.textContent.startsWith('Maintenance'))
  .map(name => name.scrollWidth - name.clientWidth)"""
FILTERS = """() => [...document.querySelectorAll('.mw-shock-plot .heatmaprow, .mw-ramp')]
  .map(one => getComputedStyle(one).filter)"""


def test_nothing_is_cut_off_and_nothing_blinds(lab: Lab) -> None:
    nb = lab.open_notebook([REF2], width=1240, height=1700, theme="dark")
    nb.run_all()
    desk, page = Desk(nb), nb.page

    def tab(name: str) -> None:
        page.locator(f".mw-tabs [data-value='{name}']").first.click()

    def read(script: str) -> Any:
        return page.evaluate(script)

    desk.until(lambda: read(FIT) == [0, 1], "all columns of the positions")

    tab("shocks")
    desk.until(lambda: len(read(FILTERS)) > 40, "the cells of the map")
    assert all(one.startswith("invert(0.9)") for one in read(FILTERS))

    plot = page.locator(".mw-shock-plot")
    plot.get_by_text("Show data", exact=True).click()
    plot.get_by_role("button", name="Copy as CSV").click()
    desk.until(lambda: plot.locator("[data-copied]").inner_text() != "", "word of the copy")

    page.set_viewport_size({"width": 460, "height": 1700})
    tab("utilization")
    desk.until(lambda: len(read(METERS)) > 5, "the bars")
    desk.until(lambda: min(read(METERS)) > 150, "bars at the full width")
    tab("rules")
    desk.until(lambda: read(CUT) == [0], "the whole name of the slider")
    nb.assert_clean_console()
