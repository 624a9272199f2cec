"""The analyst's stories in a real JupyterLab: what is typed and dragged, and what follows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator

from tests.browser.harness import Lab, NotebookPage

REF2 = """
import margin_widgets as mw
account = mw.presets.ref2()
heard = []
account.observe(lambda change: heard.append(account.revision), "revision")
dashboard = mw.Dashboard(account)
dashboard
"""


class Desk:
    """A dashboard on a notebook page, in the words of the stories."""

    def __init__(self, nb: NotebookPage) -> None:
        self.nb, self.page = nb, nb.page
        self.root = nb.page.locator(".mw-dashboard")
        self.root.locator(".mw-equity-plot path.line").first.wait_for(state="attached")
        self.positions = self.root.locator('.mw-table:has([role="grid"][aria-label="Positions"])')
        if not self.positions.count():
            self.positions = self.root.locator(".mw-table").first
        self.positions.locator(".tabulator-row").first.wait_for()

    def cell(self, row: int, field: str) -> Locator:
        rows = self.positions.locator(".tabulator-row")
        return rows.nth(row).locator(f'.tabulator-cell[tabulator-field="{field}"]')

    def text(self, row: int, field: str) -> str:
        return self.cell(row, field).inner_text().strip()

    def type(self, row: int, field: str, text: str, key: str = "Tab") -> None:
        """Click a cell, type over what is there, leave with a key."""
        self.cell(row, field).click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)
        self.page.keyboard.press(key)

    def curves(self) -> list[str | None]:
        lines = self.root.locator(".mw-equity-plot path.line")
        return [lines.nth(i).get_attribute("d") for i in range(lines.count())]

    def card(self, mode: str) -> str:
        return self.root.locator(f".mw-card.mw-{mode}").first.inner_text()

    def python(self, expression: str) -> Any:
        """Value of an expression in the kernel."""
        return json.loads(self.nb.run(f"import json; print(json.dumps({expression}))"))

    def until(self, condition: Any, message: str) -> None:
        self.nb.wait_until(condition, message=message)


@pytest.fixture
def desk(lab: Lab) -> Desk:
    nb = lab.open_notebook([REF2], width=1400, height=1400)
    nb.run_all()
    return Desk(nb)


def test_a1_a_typed_size_changes_everything_at_once(desk: Desk) -> None:
    before = desk.curves()
    desk.type(0, "quantity", "0.6")
    desk.until(lambda: "initial 8,000.00" in desk.card("isolated"), "the isolated card")
    assert desk.text(0, "quantity") == "0.6"
    assert "initial 8,000.00" in desk.card("cross")
    desk.until(lambda: desk.curves() != before, "redrawn curves")
    assert desk.text(0, "cross") == "84,087.10"  # (10,000 - 200 - 60,000) / (0.6 * (0.005 - 1))
    verdict = desk.root.locator(".mw-verdict").inner_text()
    assert "−9.09" in verdict
    assert desk.python("[account.positions['BTCUSDT'].quantity, len(heard)]") == [0.6, 1]
    desk.nb.assert_clean_console()


def test_a2_the_cross_price_depends_on_the_other_mark(desk: Desk) -> None:
    isolated = desk.text(0, "isolated")
    row = desk.root.locator(".mw-mark", has_text="ETHUSDT")
    slider = row.locator('input[type="range"]')
    box = slider.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    desk.page.mouse.move(box["x"] + box["width"] / 2, y)
    desk.page.mouse.down()
    for step in range(1, 11):
        desk.page.mouse.move(box["x"] + box["width"] * (0.5 - 0.01 * step), y)
    desk.page.mouse.up()
    desk.until(lambda: desk.text(0, "cross") != "80,804.02", "a new cross price")
    mark = desk.python("account.marks['ETHUSDT']")
    assert mark == pytest.approx(3_600, rel=0.01)
    expected = (10_000 + 5 * (mark - 4_000) - 0.01 * 5 * mark - 50_000) / (0.5 * (0.005 - 1))
    assert float(desk.text(0, "cross").replace(",", "")) == pytest.approx(expected, abs=0.01)
    assert desk.text(0, "isolated") == isolated
    number = row.locator("input.mw-number")
    number.fill("3600")
    number.press("Enter")
    desk.until(lambda: desk.text(0, "cross") == "84,783.92", "the price of the story")
    assert "ETHUSDT" in desk.root.locator(".mw-main .mw-caption").first.inner_text()
    assert desk.python("len(heard)") == 2  # one edit per released drag, one per typed number
    desk.nb.assert_clean_console()


def test_a7_every_number_opens_its_explanation(desk: Desk) -> None:
    desk.cell(0, "cross").locator("button").click()
    panel = desk.root.locator(".mw-explain")
    desk.until(lambda: "80,804.02" in panel.inner_text(), "the explanation")
    told = panel.inner_text()
    assert "10,000" in told
    assert "generic" in told
    assert "2026-11-22" in told
    assert "ETHUSDT" in told
    desk.root.locator('.mw-card.mw-isolated [data-explain="isolated.margin_ratio"]').click()
    desk.until(lambda: "200" in panel.inner_text() and "2,000" in panel.inner_text(), "the ratio")
    desk.nb.assert_clean_console()


def test_a8_code_moves_the_plot_and_a_drag_moves_the_trait(desk: Desk) -> None:
    before = desk.curves()
    desk.nb.run("account.positions['BTCUSDT'].leverage = 20")
    desk.until(lambda: desk.text(0, "isolated") == "95,477.39", "the table to follow")
    desk.until(lambda: desk.curves() != before, "the plot to follow")
    handle = desk.root.locator(".mw-equity-plot .dot_grp path, .mw-equity-plot .dot").last
    drag(desk, handle, dx=-60)
    desk.until(lambda: desk.python("len(heard)") == 2, "one edit per released drag")
    marks = desk.python("account.marks.copy()")
    assert marks["BTCUSDT"] < 100_000
    assert marks["BTCUSDT"] / 100_000 == pytest.approx(marks["ETHUSDT"] / 4_000)
    desk.nb.assert_clean_console()


def drag(desk: Desk, what: Locator, dx: float, *, release: bool = True) -> None:
    """Drag something along x in small steps, as a hand does."""
    box = what.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    desk.page.mouse.move(x, y)
    desk.page.mouse.down()
    for step in range(1, 13):
        desk.page.mouse.move(x + dx * step / 12, y)
        desk.page.wait_for_timeout(20)
    if release:
        desk.page.mouse.up()


def test_undo_and_redo_by_keyboard(desk: Desk) -> None:
    desk.type(0, "quantity", "0.7", key="Enter")
    desk.until(lambda: "initial 9,000.00" in desk.card("isolated"), "the edit")
    desk.page.keyboard.press("Control+z")
    desk.until(lambda: desk.text(0, "quantity") == "0.5", "undo")
    assert "initial 7,000.00" in desk.card("isolated")
    desk.page.keyboard.press("Control+Shift+z")
    desk.until(lambda: desk.text(0, "quantity") == "0.7", "redo")
    desk.root.get_by_role("button", name="Undo").click()
    desk.until(lambda: desk.text(0, "quantity") == "0.5", "undo by button")
    desk.nb.assert_clean_console()


def test_a_refused_edit_says_why_and_changes_nothing(desk: Desk) -> None:
    alert = desk.positions.locator('[role="alert"]')
    for text, words in (("0", "must not be zero"), ("abc", "is not a number"), ("1e308", "1e15")):
        desk.type(0, "quantity", text, key="Enter")
        desk.until(lambda w=words: w in alert.inner_text(), f"the reason for {text}")
        assert "quantity" in alert.inner_text().lower()
        assert desk.text(0, "quantity") == text  # what was typed is not lost
        assert desk.python("[account.positions[0].quantity, account.revision]") == [0.5, 1]
        desk.page.keyboard.press("Escape")
        desk.until(lambda: desk.text(0, "quantity") == "0.5", "the former value")
    assert desk.python("heard") == []
    desk.nb.assert_clean_console()


def test_paste_from_a_spreadsheet(desk: Desk) -> None:
    block = "Symbol\tQuantity\tEntry\tLeverage\nBTCUSDT\t0.25\t90,000\t5\nETHUSDT\t-2\t4100\t8"
    paste(desk, block)
    desk.until(lambda: desk.positions.locator(".tabulator-row").count() == 3, "three rows")
    assert desk.text(0, "quantity") == "0.25"
    assert desk.python("account.positions.keys()") == ["BTCUSDT", "ETHUSDT:long", "ETHUSDT:short"]
    assert desk.python("[account.revision, len(heard)]") == [2, 1]
    paste(desk, "Symbol\tQuantity\nBTCUSDT\tmuch\nETHUSDT\t0")
    alert = desk.positions.locator('[role="alert"]')
    desk.until(lambda: "row 2" in alert.inner_text() and "row 3" in alert.inner_text(), "reasons")
    assert desk.python("account.revision") == 2
    desk.nb.assert_clean_console()


def paste(desk: Desk, text: str) -> None:
    """Focus the first quantity cell without editing, and paste."""
    desk.cell(0, "symbol").click()
    desk.page.keyboard.press("Escape")
    desk.page.evaluate(
        """text => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            document.activeElement.dispatchEvent(
                new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})
            );
        }""",
        text,
    )


def test_add_and_delete_a_position(desk: Desk) -> None:
    desk.positions.get_by_role("button", name="Delete").click()
    desk.until(lambda: desk.positions.locator(".tabulator-row").count() == 1, "one row left")
    assert desk.python("account.positions.keys()") == ["ETHUSDT"]
    desk.positions.get_by_role("button", name="Add position").click()
    desk.positions.locator(".tabulator-cell input").wait_for()  # ready to type the symbol
    desk.page.keyboard.type("BTCUSDT")
    desk.page.keyboard.press("Tab")
    desk.page.keyboard.type("-1")
    desk.page.keyboard.press("Tab")
    desk.until(lambda: desk.python("len(account.positions)") == 2, "a position from the draft")
    assert desk.python("account.positions['BTCUSDT'].to_dict()")["entry_price"] == 100_000
    desk.root.get_by_role("button", name="Undo").click()
    desk.root.get_by_role("button", name="Undo").click()
    desk.until(lambda: desk.python("account.positions.keys()") == ["BTCUSDT", "ETHUSDT"], "undone")
    desk.nb.assert_clean_console()


HOSTILE = """
import margin_widgets as mw
symbol = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>USDT'
account = mw.Account(
    name="<b>bold</b>",
    venue=mw.venues.generic(tiers={symbol: 0.005}),
    collateral={"USDT": 1_000},
    positions=[mw.Position(symbol, 1, 5_000)],
)
dashboard = mw.Dashboard(account)
dashboard
"""


def test_a_symbol_with_markup_is_text_everywhere(lab: Lab) -> None:
    nb = lab.open_notebook([HOSTILE])
    nb.run_all()
    desk = Desk(nb)
    for tab in ("Margin ratio", "Utilisation", "Show data", "Explain"):
        desk.root.get_by_role("tab", name=tab).click()
        nb.page.wait_for_timeout(300)
    assert nb.page.evaluate("() => window.hacked") is None
    assert desk.text(0, "symbol").startswith("<img src=x")
    assert desk.root.locator("img").count() == 0
    assert "<b>bold</b>" in desk.root.inner_text()
    nb.assert_clean_console()


def test_both_themes_and_widths_show_the_whole_dashboard(lab: Lab, theme: str) -> None:
    for width in (1400, 800, 560):
        nb = lab.open_notebook([REF2], theme=theme, width=width, height=1400)
        nb.run_all()
        desk = Desk(nb)
        box = desk.root.bounding_box()
        assert box is not None
        overflow = desk.root.evaluate("e => e.scrollWidth - e.clientWidth")
        assert overflow <= 1, f"at {width} px something is {overflow} px too wide"
        desk.root.screenshot(path=nb.lab.shots / f"dashboard-{theme}-{width}.png")
        nb.assert_clean_console()
