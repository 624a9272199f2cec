"""The analyst's stories in a real JupyterLab: what is typed and dragged, and what follows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator

from tests.browser.harness import Lab, NotebookPage, plain

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

    # What a person reads.

    def cell(self, row: int, field: str) -> Locator:
        rows = self.positions.locator(".tabulator-row")
        return rows.nth(row).locator(f'.tabulator-cell[tabulator-field="{field}"]')

    def text(self, row: int, field: str) -> str:
        return self.cell(row, field).inner_text().strip()

    def number(self, row: int, field: str) -> float:
        return float(self.text(row, field).replace(",", ""))

    def card(self, mode: str) -> str:
        return self.root.locator(f".mw-card.mw-{mode}").first.inner_text()

    def gauges(self) -> list[str | None]:
        meters = self.root.locator(".mw-cards .mw-meter")
        return [meter.get_attribute("aria-label") for meter in meters.all()]

    def caption(self) -> str:
        return self.root.locator(".mw-equity-plot .mw-caption").last.inner_text()

    def labels(self) -> list[str]:
        return (
            self.root.locator(".mw-equity-plot text.label").filter(visible=True).all_text_contents()
        )

    def curves(self) -> list[str | None]:
        lines = self.root.locator(".mw-equity-plot path.line")
        return [lines.nth(i).get_attribute("d") for i in range(lines.count())]

    def curve(self, mode: str) -> str | None:
        line = f'.mw-equity-plot path.line[style*="stroke: var(--mw-{mode},"]'
        return self.root.locator(line).get_attribute("d")

    def marker(self, mode: str) -> Locator:
        """The LIQ marker of a mode, the first one in view."""
        handles = f'.mw-equity-plot path.element[style*="--mw-{mode}"]'
        return self.root.locator(handles).filter(visible=True).first

    def places(self, mode: str) -> list[str | None]:
        """Where the LIQ markers of a mode are."""
        handles = f'.mw-equity-plot path.element[style*="--mw-{mode}"]'
        return [
            one.evaluate("e => e.closest('[transform]')?.getAttribute('transform')")
            for one in self.root.locator(handles).filter(visible=True).all()
        ]

    def ghosts(self) -> int:
        """How many dashed curves of hypothetical accounts are on the equity plot."""
        found: int = self.root.locator(".mw-equity-plot path.line").evaluate_all(
            """lines => lines.filter(line =>
                (line.getAttribute('style') ?? '').includes('--mw-ghost-')
                && line.getClientRects().length
                && getComputedStyle(line).strokeDasharray !== 'none'
                && (line.getAttribute('d') ?? '').length > 40).length"""
        )
        return found

    # What a person does.

    def open_tab(self, name: str, selector: str) -> Locator:
        """Open a tab and wait for its panel."""
        self.root.get_by_role("tab", name=name, exact=True).click()
        panel = self.root.locator(selector)
        panel.wait_for()
        return panel

    def type(self, row: int, field: str, text: str, key: str = "Tab") -> None:
        """Click a cell, type over what is there, leave with a key."""
        self.cell(row, field).click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)
        self.page.keyboard.press(key)

    def look_along(self, axis: str) -> None:
        """Choose what moves along the axis of the equity plot."""
        self.root.locator(".mw-equity-plot").get_by_role("radio", name=axis).click()

    def mark_row(self, symbol: str) -> Locator:
        return self.root.locator(".mw-mark", has_text=symbol)

    def type_mark(self, symbol: str, text: str) -> None:
        number = self.mark_row(symbol).locator("input.mw-number")
        number.fill(text)
        number.press("Enter")

    # Behind the page.

    def python(self, expression: str) -> Any:
        """Value of an expression in the kernel."""
        return json.loads(self.nb.run(f"import json; print(json.dumps({expression}))"))

    def until(self, condition: Any, message: str) -> None:
        self.nb.wait_until(condition, message=message)

    def runs(self) -> list[int | None]:
        """How often each cell of the notebook has run, as its prompts say."""
        found: list[int | None] = self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
            ".map(cell => cell.execution_count)"
        )
        return found


@pytest.fixture(scope="module")
def lab(lab_session: Lab) -> Iterator[Lab]:
    """One page serves all tests of this file: opening one takes longer than most of them."""
    yield lab_session
    lab_session.close_notebooks()


@pytest.fixture(scope="module")
def notebook(lab: Lab) -> NotebookPage:
    """A notebook of one empty cell, whose kernel runs."""
    return lab.open_notebook(["import margin_widgets as mw"], width=1400, height=1400)


def fresh(nb: NotebookPage, code: str) -> None:
    """Clear the page but for its first cell, and run another one."""
    nb.page.evaluate(
        """() => {
            const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
            cells.deleteCellRange(1, cells.cells.length);
        }"""
    )
    nb.run("'dashboard' in globals() and dashboard.close()")
    nb.page.locator(".margin-widgets").first.wait_for(state="detached")
    nb.add_cell(code)
    errors = [one for one in nb.outputs()[-1] if one["output_type"] == "error"]
    assert not errors, plain("\n".join(errors[0]["traceback"]))


@pytest.fixture
def desk(notebook: NotebookPage) -> Desk:
    """A new dashboard of the reference account."""
    notebook.console_errors.clear()
    fresh(notebook, REF2)
    return Desk(notebook)


def test_a1_a_typed_size_changes_everything_at_once(desk: Desk) -> None:
    # With REF-2 on screen ...
    assert "initial 7,000.00" in desk.card("isolated")
    curves = {mode: desk.curve(mode) for mode in ("cross", "isolated")}
    markers = {mode: desk.places(mode) for mode in ("cross", "isolated")}
    gauges, ether, runs = desk.gauges(), desk.text(1, "cross"), desk.runs()
    calculate = re.compile("calculat|compute|refresh", re.IGNORECASE)
    assert desk.root.get_by_role("button", name=calculate).count() == 0

    # ... 0.6 is typed in the BTC size cell, and Tab.
    desk.type(0, "quantity", "0.6", key="Tab")

    # Cards, gauges, both curves, the markers and both rows of the table follow.
    desk.until(lambda: "initial 8,000.00" in desk.card("isolated"), "isolated initial margin")
    assert "initial 8,000.00" in desk.card("cross")
    for mode in ("cross", "isolated"):
        desk.until(lambda m=mode: desk.curve(m) != curves[m], f"another {mode} curve")
        desk.until(lambda m=mode: desk.places(m) != markers[m], f"other {mode} markers")
    assert all(one != other for one, other in zip(gauges, desk.gauges(), strict=True))
    assert desk.text(0, "quantity") == "0.6"
    assert desk.text(0, "cross") == "84,087.10"  # (10,000 - 200 - 60,000) / (0.6 * (0.005 - 1))
    assert desk.text(0, "isolated") == "90,452.26"  # size alone does not move it
    assert desk.text(1, "cross") != ether
    assert "−9.09" in desk.root.locator(".mw-verdict").inner_text()
    # One edit reached Python, and no cell ran again.
    assert desk.python("[account.positions['BTCUSDT'].quantity, len(heard)]") == [0.6, 1]
    assert desk.runs() == runs
    desk.nb.assert_clean_console()


def test_a2_the_cross_price_depends_on_the_other_mark(desk: Desk) -> None:
    desk.look_along("BTCUSDT")
    desk.until(lambda: any("LIQ account 80,804" in text for text in desk.labels()), "the marker")
    isolated, caption = desk.text(0, "isolated"), desk.caption()
    assert "ETHUSDT stays at 4,000" in caption

    # ETH's mark is dragged to about -10 %, in one go.
    slider = desk.mark_row("ETHUSDT").locator('input[type="range"]')
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
    assert desk.number(0, "cross") == pytest.approx(expected, abs=0.01)
    assert desk.python("len(heard)") == 1  # one edit per released drag

    # At -10 % to the cent the cross marker is where the story says; the isolated one never moved.
    desk.type_mark("ETHUSDT", "3600")
    desk.until(lambda: desk.text(0, "cross") == "84,783.92", "the price of the story")
    desk.until(lambda: any("LIQ account 84,783" in text for text in desk.labels()), "the marker")
    assert any("LIQ BTC 90,452" in text for text in desk.labels())
    assert desk.text(0, "isolated") == isolated == "90,452.26"
    desk.until(lambda: "ETHUSDT stays at 3,600" in desk.caption(), "which mark is assumed")
    desk.nb.assert_clean_console()


def test_a3_what_survives_a_fall_of_thirty_per_cent(desk: Desk) -> None:
    panel = desk.open_tab("Solve", ".mw-solve-panel")
    panel.get_by_role("radio", name="Survive a move").click()
    shock = panel.locator('[data-key="value-survive"]')
    shock.fill("-30")
    shock.press("Enter")

    isolated, cross = (panel.locator(f".mw-card.mw-{mode}") for mode in ("isolated", "cross"))
    # BTC: 0.5 x 30,000 + 0.005 x 0.5 x 70,000; ETH: 5 x 1,200 + 0.01 x 5 x 2,800.
    for text in ("15,175.00", "6,140.00", "21,315.00"):
        desk.until(lambda t=text: t in isolated.inner_text(), f"isolated {text}")
    desk.until(lambda: "21,315.00" in cross.inner_text(), "cross")
    # ... and why the totals agree.
    said = panel.inner_text()
    assert "Both modes need 21,315.00 USDT" in said
    assert "pooling saves nothing" in said
    assert desk.python("[account.revision, len(heard)]") == [1, 0]
    desk.nb.assert_clean_console()


def test_a6_what_to_cut_is_previewed_applied_and_undone(desk: Desk) -> None:
    table = desk.open_tab("Repair", ".mw-repair-table")
    # Ranked: what moves the first liquidation farthest stands first, with its cost.
    first = table.locator("tbody tr").first
    assert "Close ETHUSDT" in first.inner_text()
    assert "−19.60" in first.inner_text()
    offered = table.locator("tbody").inner_text()
    for action in ("Close", "Halve", "Isolate", "Add"):
        assert action in offered

    # One click previews: a dashed curve beside the present one, which stays as it is.
    card = desk.card("cross")
    assert desk.ghosts() == 0
    first.get_by_role("button", name="Preview").click()
    desk.until(lambda: desk.ghosts() > 0, "the dashed curve")
    assert "Previewed: Close ETHUSDT" in table.inner_text()
    assert desk.card("cross") == card
    assert any("LIQ account −13.73" in text for text in desk.labels())
    assert desk.python("[account.positions.keys(), len(heard)]") == [["BTCUSDT", "ETHUSDT"], 0]

    # Apply is one edit, which Undo takes back.
    first.get_by_role("button", name="Apply").click()
    desk.until(lambda: desk.positions.locator(".tabulator-row").count() == 1, "one position left")
    desk.until(lambda: desk.ghosts() == 0, "the preview to end")
    desk.until(lambda: any("LIQ account −19.60" in text for text in desk.labels()), "the marker")
    assert desk.python("[account.positions.keys(), len(heard)]") == [["BTCUSDT"], 1]
    desk.root.get_by_role("button", name="Undo").first.click()
    desk.until(lambda: desk.positions.locator(".tabulator-row").count() == 2, "both again")
    desk.until(lambda: desk.card("cross") == card, "the former card")
    assert desk.python("len(heard)") == 2
    desk.nb.assert_clean_console()


def test_a7_every_number_opens_its_explanation(desk: Desk) -> None:
    panel = desk.root.locator(".mw-explain")
    cards_and_verdict = ".mw-cards [data-explain], .mw-verdict [data-explain]"
    numbers = [
        (number, str(number.get_attribute("data-explain")))
        for number in desk.root.locator(cards_and_verdict).all()
    ]
    assert len(numbers) >= 11
    for row, key in enumerate(("BTCUSDT", "ETHUSDT")):
        for mode in ("isolated", "cross"):
            button = desk.cell(row, mode).locator("button")
            numbers.append((button, f"{mode}.positions.{key}.liquidation_price"))
    told = {}
    for number, path in numbers:
        expected = desk.python(f"[account.explain('{path}').title, account.explain('{path}').text]")
        number.click()
        heading = panel.locator("h3").first
        desk.until(lambda h=heading, t=expected: h.inner_text() == ": ".join(t), f"why {path}")
        told[path] = panel.inner_text()
        # The formula, the same with values in it, and the rule set with version and date.
        formula, values = told[path].split("\n")[1:3]
        assert re.match(r"\S.* = ", formula), formula
        assert re.match(r"= .*\d", values), values
        assert re.search(r"Rule set generic · v\d+ · 2026-\d\d-\d\d", told[path])
    assert (
        "= (10,000 + 0 − 200 + 0 − 0.5·100,000) / (0.5·0.005 − 0.5)"
        in told["cross.positions.BTCUSDT.liquidation_price"]
    )
    assert "ETHUSDT stays at 4,000.00" in told["cross.positions.BTCUSDT.liquidation_price"]
    assert "200" in told["isolated.margin_ratio"]
    assert "2,000" in told["isolated.margin_ratio"]
    desk.nb.assert_clean_console()


def test_a8_code_moves_the_plot_and_a_drag_moves_the_trait(desk: Desk) -> None:
    # A trait set in a cell moves the plot above it.
    before = desk.curve("isolated")
    desk.nb.add_cell("account.positions['BTCUSDT'].leverage = 20")
    desk.until(lambda: desk.text(0, "isolated") == "95,477.39", "the table to follow")
    desk.until(lambda: desk.curve("isolated") != before, "the plot to follow")
    assert desk.python("len(heard)") == 1

    # The mark is dragged in the view of one symbol: nothing is set while the hand holds it; when
    # it lets go the trait is, and an observer of the trait is told once.
    desk.nb.run("told = []\naccount.observe(lambda change: told.append(dict(change.new)), 'marks')")
    desk.look_along("BTCUSDT")
    desk.until(lambda: desk.caption().startswith("BTCUSDT moves"), "the axis of one price")
    handle = desk.root.locator(".mw-equity-plot path.element").filter(visible=True).last
    drag(desk, handle, dx=-25, release=False)
    desk.until(lambda: "Release to apply" in desk.caption(), "the preview")
    assert desk.python("[account.marks['BTCUSDT'], len(heard), len(told)]") == [100_000, 1, 0]
    desk.page.mouse.up()
    desk.until(lambda: desk.python("len(heard)") == 2, "one edit per released drag")
    marks = desk.python("account.marks.copy()")
    assert marks["BTCUSDT"] < 100_000
    assert marks["ETHUSDT"] == 4_000
    assert desk.python("len(told)") == 1

    # All marks at once are one edit too.
    desk.look_along("All marks")
    desk.until(lambda: desk.caption().startswith("All marks move"), "the axis of a common move")
    handle = desk.root.locator(".mw-equity-plot path.element").filter(visible=True).last
    drag(desk, handle, dx=-25)
    desk.until(lambda: desk.python("len(heard)") == 3, "one edit per released drag")
    moved = desk.python("account.marks.copy()")
    assert moved["BTCUSDT"] / marks["BTCUSDT"] == pytest.approx(moved["ETHUSDT"] / 4_000)
    assert desk.python("len(told)") == 2
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


OWN_DATA = """
import pandas as pd
hours = pd.date_range("2026-11-20T00:00Z", periods=4, freq="h")
prices = pd.DataFrame(
    {"BTCUSDT": [100_000, 98_500, -1, 97_000], "ETHUSDT": [4_000, None, 3_700, 3_600]}, index=hours
)
tiers = pd.DataFrame(
    [("BTCUSDT", 0, 0.005), ("BTCUSDT", 40_000, 0.004), ("ETHUSDT", 0, 0.01)],
    columns=["symbol", "floor", "rate"],
)
told = []
for read, table in ((mw.io.price_history, prices), (mw.io.tiers_from_frame, tiers)):
    try:
        read(table)
    except Exception as error:
        told.append(str(error))
print("\\n".join(told))
"""

MENDED = """
prices = prices.drop(prices.index[[1, 2]])
tiers.loc[1, "rate"] = 0.01
history = mw.io.price_history(prices)
account = mw.presets.ref2()
account.venue = account.venue.replace(tiers=mw.io.tiers_from_frame(tiers))
account.marks = mw.io.marks_from_frame(history)
dashboard = mw.Dashboard(account)
dashboard
"""


OPENED = """
import margin_widgets as mw
account = mw.load("a10.json")
dashboard = mw.Dashboard(account)
dashboard
"""


def test_a9_own_prices_and_tiers_load_and_bad_rows_are_listed(notebook: NotebookPage) -> None:
    # Both tables hold bad rows: all of them are listed by number, and nothing is loaded.
    fresh(notebook, OWN_DATA)
    printed = "".join(one.get("text", "") for one in notebook.outputs()[-1])
    no_price, negative, falling = printed.splitlines()
    assert no_price == "row 2: ETHUSDT: blank"
    assert negative.startswith("row 3: BTCUSDT: -1 must be > 0")
    assert falling == "row 2: BTCUSDT: rate 0.004 falls below 0.005"

    # Mended, they are what the engine computes with, and what the page shows.
    fresh(notebook, MENDED)
    desk = Desk(notebook)
    assert desk.python("[len(history), str(history.index.tz), list(history.columns)]") == [
        2,
        "UTC",
        ["BTCUSDT", "ETHUSDT"],
    ]
    assert desk.python("account.marks.copy()") == {"BTCUSDT": 97_000, "ETHUSDT": 3_600}
    # Two tiers: 0.5 % up to 40,000, 1 % above, so 200 less than 1 % of all.
    # (10,000 - 2,000 - 180 + 200 - 50,000) / (0.5 x (0.01 - 1))
    desk.until(lambda: desk.text(0, "cross") == "84,808.08", "the price by these tiers")
    desk.nb.assert_clean_console()


def test_a10_saved_and_opened_elsewhere_it_shows_the_same_digits(desk: Desk, lab: Lab) -> None:
    def digits(there: Desk) -> list[str]:
        """Everything that cards, verdict and table say."""
        texts = [there.card("isolated"), there.card("cross")]
        texts += [there.root.locator(".mw-verdict").inner_text()]
        fields = ("quantity", "entry_price", "leverage", "isolated", "cross")
        return texts + [there.text(row, field) for row in (0, 1) for field in fields]

    # An account with odd digits, by hand and by code.
    desk.type(0, "quantity", "0.333")
    desk.until(lambda: desk.python("account.positions[0].quantity") == 0.333, "the edit")
    desk.type_mark("ETHUSDT", "3811.17")
    desk.until(lambda: desk.python("account.marks['ETHUSDT']") == 3_811.17, "the mark")
    desk.nb.run("account.positions['ETHUSDT'].margin = 1234.56; saved = account.save('a10.json')")
    exact = desk.python(
        "[account.cross.positions['BTCUSDT'].liquidation_price, account.isolated.equity]"
    )
    # The file is small JSON that says which versions made it.
    document = json.loads(desk.nb.run("print(saved.read_text())"))
    assert len(json.dumps(document)) < 10_000
    assert {"schema_version", "margin_widgets"} <= set(document)
    assert {"name", "date"} <= set(document["rules"])

    # Opened in a kernel that has never seen the account.
    elsewhere = lab.open_notebook([OPENED], width=1400, height=1400)
    elsewhere.run_all()
    there = Desk(elsewhere)
    there.until(lambda: digits(there) == digits(desk), "the same digits")
    assert (
        there.python(
            "[account.cross.positions['BTCUSDT'].liquidation_price, account.isolated.equity]"
        )
        == exact
    )
    elsewhere.assert_clean_console()
    desk.nb.assert_clean_console()
    lab.notebooks.remove(elsewhere)
    elsewhere.close()


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


def test_a_symbol_with_markup_is_text_everywhere(notebook: NotebookPage) -> None:
    nb = notebook
    fresh(nb, HOSTILE)
    desk = Desk(nb)
    for tab in ("Margin ratio", "Utilisation", "Show data", "Explain"):
        desk.root.get_by_role("tab", name=tab).click()
        nb.page.wait_for_timeout(300)
    assert nb.page.evaluate("() => window.hacked") is None
    assert desk.text(0, "symbol").startswith("<img src=x")
    assert desk.root.locator("img").count() == 0
    assert "<b>bold</b>" in desk.root.inner_text()
    nb.assert_clean_console()


def test_both_themes_and_widths_show_the_whole_dashboard(desk: Desk, theme: str) -> None:
    desk.nb.set_theme(theme)
    try:
        for width in (1400, 800, 560):
            desk.page.set_viewport_size({"width": width, "height": 1400})
            desk.until(
                lambda: desk.root.evaluate("e => e.scrollWidth - e.clientWidth") <= 1,
                f"everything to have room at {width} px",
            )
            wide = desk.root.evaluate("e => e.getBoundingClientRect().width")
            assert 0 < wide < width
            desk.root.screenshot(path=desk.nb.lab.shots / f"dashboard-{theme}-{width}.png")
    finally:
        desk.page.set_viewport_size({"width": 1400, "height": 1400})
        desk.nb.set_theme("light")
    desk.nb.assert_clean_console()
