"""Rules in a real JupyterLab, by keyboard: stressed, read, applied, undone; other venues beside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator

from tests.browser.harness import Lab, NotebookPage

RULES = """
from IPython.display import display
import margin_widgets as mw
account = mw.presets.ref2()
selection = mw.widgets.Selection(key="BTCUSDT")
stress = mw.RuleStress(account, selection)
table = mw.VenueTable(account, selection, venues=["binance-usdm", "binance-coinm", "hyperliquid"])
drawer = mw.CompareDrawer(account, selection)
drawer.pin()
display(stress, table, drawer)
"""


@pytest.fixture
def notebook(lab: Lab) -> NotebookPage:
    nb = lab.open_notebook([f"import margin_widgets.widgets\n{RULES}"], width=1400, height=1600)
    nb.run_all()
    nb.page.locator(".tabulator-row").first.wait_for()
    return nb


def python(nb: NotebookPage, expression: str) -> Any:
    return json.loads(nb.run(f"import json; print(json.dumps({expression}))"))


def region(nb: NotebookPage, name: str) -> Locator:
    return nb.page.locator(f'[role="region"][aria-label^="{name}"]')


def tab_to(nb: NotebookPage, target: Locator, key: str = "Tab") -> None:
    """Press a key until the focus is where it should be."""
    for _ in range(60):
        if target.evaluate("e => e === e.getRootNode().activeElement"):
            return
        nb.page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead there")


def test_rules_are_stressed_applied_and_undone_by_keyboard(notebook: NotebookPage) -> None:
    nb, keyboard = notebook, notebook.page.keyboard
    results, venues = region(nb, "Results under both"), region(nb, "The account under each")
    apply = nb.page.get_by_role("button", name="Apply")
    assert apply.get_attribute("aria-disabled") == "true"
    nb.page.get_by_role("button", name="Reset").focus()
    tab_to(nb, nb.page.get_by_role("textbox", name="maintenance scale, number"))
    keyboard.type("2")
    keyboard.press("Enter")
    # 45,000 / (0.5 x 0.99) isolated, (50,000 - 10,000 + 400) / (0.5 x 0.99) cross.
    price = results.get_by_role("row", name="BTCUSDT: liquidation price")
    nb.wait_until(lambda: "90,909.09" in price.inner_text(), message="the isolated price")
    texts = price.get_by_role("cell").all_inner_texts()
    assert texts == ["90,452.26", "90,909.09", "80,804.02", "81,616.16"]
    said = nb.page.locator('[aria-live="polite"]', has_text="maintenance × 2")
    assert "81,616.16" in said.inner_text()
    assert python(nb, "[account.revision, account.venue.version]") == [1, "1"]

    nb.wait_until(lambda: apply.get_attribute("aria-disabled") is None, message="Apply")
    tab_to(nb, apply, "Shift+Tab")
    keyboard.press("Enter")
    nb.wait_until(lambda: python(nb, "account.revision") == 2, message="the edit")
    assert python(nb, "account.venue.version") == "1+changed"
    present = venues.get_by_role("row", name="In use")
    nb.wait_until(lambda: "90,909.09" in present.inner_text(), message="the venue table")
    changed = nb.page.locator(".mw-card.mw-cross").get_by_role("row", name="BTCUSDT")
    nb.wait_until(lambda: "+812.14" in changed.inner_text(), message="the compare drawer")

    keyboard.press("Control+z")
    nb.wait_until(lambda: python(nb, "account.venue.version") == "1", message="undo")
    nb.wait_until(lambda: "90,452.26" in present.inner_text(), message="the former price")
    assert "90,909.09" in price.inner_text()  # what was stressed is still at hand
    nb.assert_clean_console()


def test_a_wrong_tier_says_why_and_keeps_what_was_typed(notebook: NotebookPage) -> None:
    nb = notebook
    tiers = nb.page.locator('.mw-table:has([role="grid"][aria-label="Tiers of BTCUSDT"])')
    tiers.get_by_role("button", name="Add tier").focus()
    nb.page.keyboard.press("Enter")
    tiers.locator(".tabulator-cell input").wait_for()
    nb.page.keyboard.press("Control+a")
    nb.page.keyboard.type("-5")
    nb.page.keyboard.press("Enter")
    alert = tiers.locator('[role="alert"]')
    nb.wait_until(lambda: "does not rise above 0" in alert.inner_text(), message="the reason")
    cell = tiers.locator('.tabulator-row:nth-child(2) .tabulator-cell[tabulator-field="floor"]')
    assert cell.inner_text() == "-5"
    assert python(nb, "account.revision") == 1
    nb.assert_clean_console()


def test_a_venue_is_chosen_and_used_by_keyboard(notebook: NotebookPage) -> None:
    nb = notebook
    venues = region(nb, "The account under each")
    assert "lists no linear contracts" in venues.inner_text()
    box = nb.page.get_by_role("checkbox", name="binance-coinm")
    box.focus()
    nb.page.keyboard.press("Space")
    nb.wait_until(
        lambda: "lists no linear contracts" not in venues.inner_text(), message="one venue less"
    )
    assert box.evaluate("e => e === e.getRootNode().activeElement")  # the focus stays
    use = venues.get_by_role("row", name="hyperliquid").get_by_role(
        "button", name="Use these rules"
    )
    tab_to(nb, use)
    nb.page.keyboard.press("Enter")
    there = ["hyperliquid", ["BTC", "ETH"], "BTC"]
    now = "[account.venue.name, account.positions.keys(), selection.key]"
    nb.wait_until(lambda: python(nb, now) == there, message="the rules")
    used = venues.get_by_role("button", name="In use")
    nb.wait_until(
        lambda: used.evaluate("e => e === e.getRootNode().activeElement"), message="the focus"
    )
    nb.page.keyboard.press("Control+z")
    nb.wait_until(lambda: python(nb, "account.venue.name") == "generic", message="undo")
    nb.assert_clean_console()


def test_they_fit_into_narrow_pages_in_both_themes(lab: Lab, theme: str) -> None:
    nb = lab.open_notebook(
        [f"import margin_widgets.widgets\n{RULES}"], theme=theme, width=464, height=1600
    )
    nb.run_all()
    nb.page.locator(".tabulator-row").first.wait_for()
    for part in nb.page.locator(".jp-OutputArea .margin-widgets.mw-panel:not(.mw-part)").all():
        assert part.evaluate("e => e.scrollWidth - e.clientWidth") <= 1
        for inner in part.locator(".mw-wide").all():
            assert inner.evaluate("e => e.scrollWidth - e.clientWidth") <= 1
    nb.assert_clean_console()
