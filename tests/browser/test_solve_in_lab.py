"""Stories A3 and A6 in a real JupyterLab, by keyboard alone: solve, look, apply, take back."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Locator

from tests.browser.harness import Lab, NotebookPage

CELL = """
import ipywidgets
import margin_widgets as mw
account = mw.presets.ref2()
heard = []
account.observe(lambda change: heard.append(account.revision), "revision")
panel, table = mw.SolvePanel(account), mw.RepairTable(account)
ipywidgets.VBox([panel, table])
"""


class Keys:
    """A page whose focus is walked with the Tab key."""

    def __init__(self, nb: NotebookPage) -> None:
        self.nb, self.page = nb, nb.page
        self.solve = nb.page.locator(".mw-solve-panel")
        self.repair = nb.page.locator(".mw-repair-table")
        self.repair.locator("table").wait_for()

    def tab_to(self, key: str) -> None:
        """Press Tab until the control with this key has the focus."""
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("() => document.activeElement?.dataset?.key ?? ''") == key:
                return
        raise AssertionError(f"Tab never reached {key}")

    def focused(self) -> str:
        """Key of the control that has the focus."""
        found: str = self.page.evaluate("() => document.activeElement?.dataset?.key ?? ''")
        return found

    def python(self, expression: str) -> Any:
        """Value of an expression in the kernel."""
        return json.loads(self.nb.run(f"import json; print(json.dumps({expression}))"))

    def until(self, where: Locator, text: str) -> None:
        """Wait for a text in a part of the page."""
        self.nb.wait_until(lambda: text in where.inner_text(), message=text)


def test_a3_and_a6_by_keyboard(lab: Lab) -> None:
    nb = lab.open_notebook([CELL], width=1280, height=1600)
    nb.run_all()
    keys = Keys(nb)

    # A3: survive -30 % in all marks.
    keys.solve.get_by_role("radio", name="Survive a move").focus()
    keys.tab_to("value-survive")
    keys.page.keyboard.press("Control+A")
    keys.page.keyboard.type("-120")
    keys.page.keyboard.press("Enter")
    keys.until(keys.solve, "above −100 %")
    assert keys.focused() == "value-survive"
    keys.page.keyboard.press("Control+A")
    keys.page.keyboard.type("-30")
    keys.page.keyboard.press("Enter")
    keys.until(keys.solve, "Both modes need 21,315.00 USDT")
    keys.until(keys.solve, "pooling saves nothing")
    isolated, cross = (keys.solve.locator(f".mw-card.mw-{m}") for m in ("isolated", "cross"))
    for text in ("15,175.00", "6,140.00", "21,315.00"):
        keys.until(isolated, text)
    keys.until(cross, "21,315.00")
    keys.tab_to("preview-cross")
    keys.page.keyboard.press("Enter")
    keys.until(keys.solve, "Previewed: USDT wallet: 10,000.00 → 21,315.00")
    assert keys.python("panel.preview.collateral['USDT']") == 21_315
    assert keys.python("[account.collateral['USDT'], account.revision]") == [10_000, 1]
    keys.page.keyboard.press("Tab")
    assert keys.focused() == "apply-cross"
    keys.page.keyboard.press("Enter")
    keys.until(cross, "Nothing to change")
    assert keys.python("[account.collateral['USDT'], len(heard)]") == [21_315, 1]
    assert keys.python("panel.preview is None")
    assert keys.focused() == "apply-cross"
    keys.page.keyboard.press("Control+z")
    keys.until(cross, "11,315.00 USDT more than there is")
    assert keys.python("account.collateral['USDT']") == 10_000

    # The goal by arrow keys: a liquidation price, by margin.
    keys.solve.get_by_role("radio", name="Survive a move").focus()
    keys.page.keyboard.press("ArrowRight")
    keys.page.keyboard.press("ArrowRight")
    keys.until(keys.solve, "liquidated at")
    keys.solve.get_by_role("radio", name="Collateral").focus()
    keys.page.keyboard.press("ArrowRight")
    keys.until(isolated, "7,712.50")

    # A6: what to cut. Sort, look, apply, take back.
    keys.repair.locator("input").focus()
    keys.tab_to("sort-distance")
    keys.page.keyboard.press("Enter")
    heading = keys.repair.locator('th[aria-sort="descending"]')
    keys.until(heading, "First liquidation")
    first = keys.repair.locator("tbody tr").first
    assert "Close ETHUSDT" in first.inner_text()
    assert "−19.60" in first.inner_text()
    keys.tab_to("preview-0")
    keys.page.keyboard.press("Space")
    keys.until(keys.repair, "Previewed: Close ETHUSDT")
    assert keys.python("table.preview.positions.keys()") == ["BTCUSDT"]
    assert keys.python("account.positions.keys()") == ["BTCUSDT", "ETHUSDT"]
    keys.page.keyboard.press("Tab")
    assert keys.focused() == "apply-0"
    keys.page.keyboard.press("Enter")
    keys.nb.wait_until(
        lambda: "ETHUSDT" not in keys.repair.locator("tbody").inner_text(), message="closed"
    )
    assert keys.python("[account.positions.keys(), len(heard)]") == [["BTCUSDT"], 3]
    assert keys.python("table.preview is None")
    keys.page.keyboard.press("Control+z")
    keys.until(keys.repair, "Close ETHUSDT")
    assert keys.python("account.positions.keys()") == ["BTCUSDT", "ETHUSDT"]
    nb.assert_clean_console()
