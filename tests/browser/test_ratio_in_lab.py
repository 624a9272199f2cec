"""Margin ratio, collateral and code in a real JupyterLab: by keyboard, by mouse, by clipboard."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator

from tests.browser.harness import Lab
from tests.browser.test_stories import REF2, Desk

SPACE = "\N{NO-BREAK SPACE}"


def drag_by(
    desk: Desk, what: Locator, dx: float, dy: float, held: Callable[[], None] = lambda: None
) -> None:
    """Drag something in small steps, as a hand does; `held` happens before it is let go."""
    box = what.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    desk.page.mouse.move(x, y)
    desk.page.mouse.down()
    for step in range(1, 9):
        desk.page.mouse.move(x + dx * step / 8, y + dy * step / 8)
        desk.page.wait_for_timeout(20)
    held()
    desk.page.mouse.up()


def middle(what: Locator) -> float:
    """Height of the middle: a handle is drawn larger while it is held, and a little longer."""
    box = what.bounding_box()
    assert box is not None
    return box["y"] + box["height"] / 2


def clipboard(desk: Desk) -> str:
    found: str = desk.page.evaluate("() => navigator.clipboard.readText()")
    return found


def test_ratio_collateral_and_code(lab: Lab) -> None:
    nb = lab.open_notebook([REF2], width=1300, height=1500)
    nb.run_all()
    desk = Desk(nb)
    page, root = desk.page, desk.root

    # A cell edit shows the line that does the same, and Copy puts it on the clipboard.
    desk.type(0, "quantity", "0.6")
    line = root.locator(".mw-code-line")
    code = 'account.positions["BTCUSDT"].quantity = 0.6'
    desk.until(lambda: line.locator("code").all_text_contents() == [code], "the code hint")
    line.get_by_role("button", name="Copy").click()
    desk.until(lambda: "Copied" in line.inner_text(), "the word Copied")
    assert clipboard(desk) == code
    root.get_by_role("button", name="Undo", exact=True).click()
    desk.until(lambda: "quantity = 0.5" in line.inner_text(), "the code of what Undo did")

    # Copy as Python shows the code, and what is on the clipboard rebuilds the account.
    opener = root.get_by_role("button", name="Copy as Python")
    opener.focus()
    page.keyboard.press("Enter")
    python = root.locator(".mw-python")
    python.wait_for()
    assert opener.get_attribute("aria-expanded") == "true"
    python.get_by_role("button", name="Copy").press("Enter")
    desk.until(lambda: "Copied" in python.inner_text(), "the word Copied")
    copied = clipboard(desk)
    assert copied == python.locator("pre").text_content()
    same = f"scope = {{}}; exec({copied!r}, scope); account.to_dict() == scope['account'].to_dict()"
    assert nb.run(same) == "True"
    # Where the clipboard may not be written to, the code is copied by its selection.
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    page.evaluate("() => navigator.clipboard.write([new ClipboardItem({'text/plain': 'other'})])")
    python.get_by_role("button", name="Copy").click()
    desk.until(lambda: clipboard(desk).strip() == copied.strip(), "the code by its selection")
    opener.click()
    python.wait_for(state="detached")

    # The convention by arrow keys, the alert by drag and by typing.
    ratio = desk.open_tab("Margin ratio", ".mw-ratio-plot")
    caption = ratio.locator(".mw-caption").first
    # The dashboard has BTCUSDT selected; the axis is all marks.
    desk.until(lambda: f"your alert 80{SPACE}%" in caption.inner_text(), "the sentence")
    ratio.locator("path.line").first.wait_for(state="attached")
    handle = ratio.locator("path.element").filter(visible=True).last
    before = middle(handle)
    drag_by(desk, handle, 0, 43)  # a sixth of the height is 25 %
    desk.until(lambda: nb.run("round(dashboard.ratio.alert, 2)") == "0.55", "the alert dragged")
    desk.until(lambda: f"your alert 55{SPACE}%" in caption.inner_text(), "the sentence")
    desk.until(lambda: abs(middle(handle) - before - 43) < 2, "the handle under the pointer")
    # Escape takes a drag of it back, though the hand still holds it.
    held = nb.run("dashboard.ratio.alert")

    def escape(seen: Callable[[], bool], left: Callable[[], bool]) -> None:
        desk.until(seen, "the preview")
        page.keyboard.press("Escape")
        desk.until(left, "what was there before")

    there = f"your alert 55{SPACE}%"
    drag_by(
        desk,
        handle,
        0,
        -60,
        lambda: escape(
            lambda: there not in caption.inner_text(), lambda: there in caption.inner_text()
        ),
    )
    assert nb.run("dashboard.ratio.alert") == held
    desk.until(lambda: abs(middle(handle) - before - 43) < 2, "the handle where it was")
    ratio.get_by_role("radio", name="Maintenance ÷ balance").focus()
    page.keyboard.press("ArrowRight")
    desk.until(lambda: "it falls towards liquidation" in caption.inner_text(), "the convention")
    chosen = ratio.get_by_role("radio", name="Balance ÷ maintenance")
    desk.until(lambda: chosen.get_attribute("aria-checked") == "true", "the choice")
    axis = "Balance ÷ maintenance, liquidation at 100"
    desk.until(
        lambda: axis in " ".join(ratio.locator("svg text").all_text_contents()), "the axis title"
    )
    field = ratio.get_by_label("Alert at")
    field.fill("125")
    field.press("Enter")
    desk.until(lambda: f"your alert 125{SPACE}%" in caption.inner_text(), "the typed alert")
    assert nb.run("dashboard.ratio.alert") == "0.8"
    field.fill("-3")
    field.press("Enter")
    desk.until(lambda: "must be >=" in ratio.locator(".mw-error").inner_text(), "the refusal")
    assert nb.run("dashboard.ratio.alert") == "0.8"

    # Collateral by a slider: dragged and left by Escape, it has added nothing. Then by keyboard:
    # a number typed is one edit, with its code.
    bars = desk.open_tab("Utilisation", ".mw-utilization")
    amount = bars.get_by_role("textbox", name="Added collateral")
    added = bars.get_by_role("slider", name="Added collateral")
    box = added.bounding_box()
    assert box is not None
    drag_by(
        desk,
        added,
        box["width"] / 4,
        0,
        lambda: escape(
            lambda: "released, it is one edit" in bars.inner_text(),
            lambda: "released, it is one edit" not in bars.inner_text(),
        ),
    )
    assert desk.python("account.collateral['USDT']") == 10_000
    assert added.input_value() == "0"
    amount.fill("1000")
    amount.press("Enter")
    desk.until(lambda: desk.python("account.collateral['USDT']") == 11_000, "the collateral")
    desk.until(lambda: 'account.collateral["USDT"] = 11_000' in line.inner_text(), "its code")
    meters = bars.locator(".mw-isolated .mw-meter")
    label = f"Initial margin 7,000.00: 63.6{SPACE}% of the margin balance"
    desk.until(lambda: meters.first.get_attribute("aria-label") == label, "the bar")
    nb.assert_clean_console()
