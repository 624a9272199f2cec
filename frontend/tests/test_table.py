"""The table: editing, keyboard, errors, clipboard, data updates, accessibility."""

from __future__ import annotations

from typing import Any

import pytest
from frontend_support import Part, Table, many, ref2, row, table_state

from margin_widgets.widgets.frontend import by_columns


def refused(table: Table, text: str = "0") -> None:
    table.set(
        errors=[{"row": "p1", "field": "quantity", "text": text, "message": "0 must not be zero"}]
    )


def test_click_opens_editor_with_raw_text_selected(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "entry").click()
    assert table.editing() == "100000"
    assert page.evaluate("() => String(getSelection())") == "100000"
    page.keyboard.type("95000")
    page.keyboard.press("Enter")
    assert table.sent() == [{"type": "edit", "row": "p1", "field": "entry", "text": "95000"}]
    assert table.editing() is None
    assert table.focused() == "p1 entry"
    cell = table.cell("p1", "entry")
    assert cell.inner_text() == "95000"
    assert "mw-pending" in cell.get_attribute("class")


def test_accepted_edit_shows_the_new_rows(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "quantity").click()
    page.keyboard.type("0.60")
    page.keyboard.press("Tab")
    rows = ref2()
    rows[0]["text"]["quantity"] = rows[0]["raw"]["quantity"] = "0.6"
    table.set(rows=rows)
    cell = table.cell("p1", "quantity")
    assert cell.inner_text() == "0.6"
    assert "mw-pending" not in cell.get_attribute("class")
    # Tab went on to the next cell, and the answer did not disturb it.
    assert table.editing() == "100000"
    assert table.focused() == "p1 entry"


def test_acknowledged_without_new_rows(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "quantity").click()
    page.keyboard.type("0.50")
    page.keyboard.press("Enter")
    assert table.cell("p1", "quantity").inner_text() == "0.50"
    table.message({"type": "ack", "row": "p1", "field": "quantity"})
    assert table.cell("p1", "quantity").inner_text() == "0.5"


def test_unchanged_text_sends_nothing(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "quantity").click()
    page.keyboard.press("Enter")
    table.cell("p1", "quantity").click()
    table.cell("p2", "liq_cross").click(position={"x": 3, "y": 3})
    assert [m for m in table.sent() if m["type"] == "edit"] == []


def test_escape_restores(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "quantity").click()
    page.keyboard.type("7")
    page.keyboard.press("Escape")
    assert table.sent() == []
    assert table.cell("p1", "quantity").inner_text() == "0.5"
    assert table.focused() == "p1 quantity"


def test_leaving_by_mouse_commits(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "quantity").click()
    page.keyboard.type("0.7")
    page.locator("#after").click()
    assert table.sent() == [{"type": "edit", "row": "p1", "field": "quantity", "text": "0.7"}]
    assert table.editing() is None


def test_one_click_goes_from_editor_to_editor(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "quantity").click()
    page.keyboard.type("0.7")
    table.cell("p2", "entry").click()
    assert table.sent() == [{"type": "edit", "row": "p1", "field": "quantity", "text": "0.7"}]
    assert table.editing() == "4000"
    assert table.get("selected") == "p2"


def test_tab_visits_editable_cells_and_leaves_the_table(page: Any) -> None:
    table = Table(page, ref2()[:1])
    page.locator("#before").focus()
    page.keyboard.press("Tab")
    assert table.focused() == "p1 symbol"
    assert table.editing() is None
    page.keyboard.press("Enter")
    seen = [table.focused()]
    for _ in range(4):
        page.keyboard.press("Tab")
        seen.append(table.focused())
    assert seen == [f"p1 {f}" for f in ("symbol", "quantity", "entry", "leverage", "mode")]
    page.keyboard.press("Tab")
    assert table.editing() is None
    assert page.evaluate("document.activeElement.textContent") == "Add position"
    page.keyboard.press("Shift+Tab")
    assert table.focused() == "p1 mode"
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("Shift+Tab")
    assert table.focused() == "p1 symbol"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.id") == "before"
    assert table.sent() == []


def test_tab_goes_to_the_next_row(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "leverage").click()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert table.focused() == "p2 symbol"
    assert table.get("selected") == "p2"


def test_unfocused_grid_tab_leaves_without_editing(page: Any) -> None:
    table = Table(page, ref2())
    page.locator("#before").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Add position"
    assert table.sent() == []


def test_arrow_keys_and_typing(page: Any) -> None:
    table = Table(page, ref2())
    page.locator("#before").focus()
    page.keyboard.press("Tab")
    for key in ("ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert table.focused() == "p2 quantity"
    assert table.get("selected") == "p2"
    page.keyboard.type("-3")
    assert table.editing() == "-3"
    page.keyboard.press("Enter")
    assert table.sent() == [{"type": "edit", "row": "p2", "field": "quantity", "text": "-3"}]
    page.keyboard.press("End")
    assert table.focused() == "p2 liq_cross"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    assert table.focused() == "p1 symbol"
    page.keyboard.press("F2")
    assert table.editing() == "BTCUSDT"
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Backspace")
    assert table.editing() == ""


def test_refused_edit_keeps_text_and_says_why(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "quantity").click()
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    table.sent()
    refused(table)
    cell = table.cell("p1", "quantity")
    assert cell.inner_text() == "0"
    assert "mw-invalid" in cell.get_attribute("class")
    assert cell.get_attribute("aria-invalid") == "true"
    assert table.get("selected") == "p1"
    assert "inset" in cell.evaluate("e => getComputedStyle(e).boxShadow")
    alert = page.locator("[role=alert] .mw-errors")
    assert alert.inner_text() == "BTCUSDT Quantity: 0 must not be zero"
    described = cell.get_attribute("aria-describedby")
    assert page.locator(f"#{described}").count() == 1
    # The other cells still show what Python says.
    table.set(rows=[*ref2()])
    assert cell.inner_text() == "0"


def test_message_beside_a_cell_far_from_the_list(page: Any) -> None:
    table = Table(page, many(8))
    table.cell("p1", "quantity").click()
    page.keyboard.type("0")
    page.keyboard.press("Tab")
    refused(table)
    assert table.focused() == "p1 entry"
    bubble = page.locator(".mw-bubble")
    assert bubble.inner_text() == "0 must not be zero"
    box, place = bubble.bounding_box(), table.cell("p1", "quantity").bounding_box()
    assert 0 <= box["y"] - (place["y"] + place["height"]) < 10
    # Never over the row that is edited next.
    refused(table, "00")
    page.keyboard.press("Escape")
    table.cell("p2", "quantity").click()
    table.set(errors=[])
    refused(table)
    box, edited = bubble.bounding_box(), table.cell("p2", "quantity").bounding_box()
    assert box["y"] + box["height"] <= edited["y"]
    table.set(errors=[])
    assert not bubble.is_visible()


def test_message_that_names_its_cell_is_not_doubled(page: Any) -> None:
    table = Table(page, ref2())
    message = "BTCUSDT quantity: 0 must not be zero"
    table.set(errors=[{"row": "p1", "field": "quantity", "text": "0", "message": message}])
    assert page.locator(".mw-errors").inner_text() == message
    assert page.locator(".mw-error-cell").inner_text() == "BTCUSDT quantity"


@pytest.mark.parametrize(
    ("field", "message", "shown"),
    [
        ("leverage", "leverage: 'abc' is not a number", "BTCUSDT leverage: 'abc' is not a number"),
        ("liq_cross", "liq cross: no", "BTCUSDT liq cross: no"),
        ("liq_cross", "LIQ_CROSS is fixed", "BTCUSDT LIQ_CROSS is fixed"),
        ("leverage", "btcusdt leverage: 0 is too low", "btcusdt leverage: 0 is too low"),
        ("leverage", "BTCUSDT is held already", "BTCUSDT is held already"),
        ("leverage", "BTCUSDTX is not known", "BTCUSDT Leverage: BTCUSDTX is not known"),
        ("leverage", "not a number", "BTCUSDT Leverage: not a number"),
    ],
)
def test_message_says_nothing_twice(page: Any, field: str, message: str, shown: str) -> None:
    table = Table(page, ref2())
    table.set(errors=[{"row": "p1", "field": field, "text": "x", "message": message}])
    assert page.locator(".mw-errors").inner_text() == shown
    assert page.locator(".mw-error-cell").count() == 1


def test_message_about_the_whole_table_can_be_dismissed(page: Any) -> None:
    table = Table(page, ref2())
    whole = {"row": "", "field": "", "text": "", "message": "paste: no column"}
    table.set(errors=[whole])
    assert page.locator("[role=alert] .mw-errors").inner_text() == "paste: no column"
    assert page.locator(".mw-error-cell").count() == 0
    page.get_by_role("button", name="Dismiss this message").click()
    assert table.sent() == [{"type": "cancel", "row": "", "field": ""}]
    assert page.locator(".mw-errors li").count() == 0
    assert table.focused() == "p1 symbol"
    table.set(errors=[whole])
    page.keyboard.press("Escape")
    assert table.sent() == [{"type": "cancel", "row": "", "field": ""}]


def test_bubble_does_not_cover_the_list(page: Any) -> None:
    table = Table(page, many(12), actions=[])
    near = {"row": "p7", "field": "quantity", "text": "0", "message": "0 must not be zero"}
    far = {**near, "row": "p1"}
    page.evaluate("document.querySelector('.tabulator-tableholder').scrollTop = 1000")
    table.cell("p9", "quantity").click()
    page.keyboard.press("Escape")
    table.set(errors=[{**near, "row": "p10"}, {**near, "row": "p9"}])
    assert not page.locator(".mw-bubble").is_visible()
    page.evaluate("document.querySelector('.tabulator-tableholder').scrollTop = 0")
    table.set(errors=[])
    table.set(errors=[near, far])
    page.locator(".mw-bubble").wait_for(state="visible")
    # Near, but the list is out of sight.
    table.set(errors=[])
    page.set_viewport_size({"width": 1000, "height": 200})
    page.evaluate("document.querySelector('.tabulator-tableholder').scrollTop = 1000")
    page.evaluate("scrollTo(0, 120)")
    table.set(errors=[{**near, "row": "p9"}])
    in_sight = page.evaluate(
        "document.querySelector('.mw-errors').getBoundingClientRect().top + 27 <= innerHeight"
    )
    assert page.locator(".mw-bubble").is_visible() != in_sight
    page.set_viewport_size({"width": 1000, "height": 800})


def test_escape_on_refused_cell_cancels(page: Any) -> None:
    table = Table(page, ref2())
    refused(table)
    table.cell("p1", "quantity").click()
    assert table.editing() == "0"
    page.keyboard.press("Escape")
    assert table.sent() == [{"type": "cancel", "row": "p1", "field": "quantity"}]
    cell = table.cell("p1", "quantity")
    assert cell.inner_text() == "0.5"
    assert "mw-invalid" not in cell.get_attribute("class")
    # Not editing: Escape alone cancels too.
    table.set(errors=[])
    refused(table, "1e400")
    page.keyboard.press("Escape")
    assert table.sent() == [{"type": "cancel", "row": "p1", "field": "quantity"}]
    assert page.locator(".mw-errors li").count() == 0


def test_editing_refused_cell_again(page: Any) -> None:
    table = Table(page, ref2())
    refused(table)
    table.cell("p1", "quantity").click()
    assert page.locator(".mw-editor").get_attribute("aria-invalid") == "true"
    page.keyboard.press("Enter")
    assert table.sent() == []
    assert table.cell("p1", "quantity").inner_text() == "0"
    page.keyboard.press("Enter")
    page.keyboard.type("0.9")
    page.keyboard.press("Enter")
    assert table.sent() == [
        {"type": "cancel", "row": "p1", "field": "quantity"},
        {"type": "edit", "row": "p1", "field": "quantity", "text": "0.9"},
    ]


def test_error_list_leads_to_the_cell(page: Any) -> None:
    table = Table(page, ref2())
    refused(table)
    page.locator(".mw-error-cell").click()
    assert table.focused() == "p1 quantity"
    assert table.editing() == "0"


def test_selection_goes_both_ways(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p2", "liq_cross").click(position={"x": 3, "y": 3})
    assert table.get("selected") == "p2"
    rows = page.locator(".tabulator-row")
    assert [r.get_attribute("aria-selected") for r in rows.all()] == ["false", "true"]
    table.set(selected="p1")
    assert [r.get_attribute("aria-selected") for r in rows.all()] == ["true", "false"]
    table.set(selected="")
    assert [r.get_attribute("aria-selected") for r in rows.all()] == ["false", "false"]


def test_actions(page: Any) -> None:
    table = Table(page, ref2())
    duplicate = page.get_by_role("button", name="Duplicate")
    assert duplicate.get_attribute("aria-disabled") == "true"
    duplicate.click(force=True)
    page.get_by_role("button", name="Add position").click()
    table.set(selected="p2")
    duplicate.click()
    table.cell("p1", "liq_isolated").click(position={"x": 3, "y": 3})
    page.keyboard.press("Delete")
    assert table.sent() == [
        {"type": "action", "action": "add", "row": ""},
        {"type": "action", "action": "duplicate", "row": "p2"},
        {"type": "action", "action": "delete", "row": "p1"},
    ]


def test_deleted_row_passes_focus_on(page: Any) -> None:
    table = Table(page, many(4))
    table.cell("p1", "liq_isolated").click(position={"x": 3, "y": 3})
    table.set(rows=[r for r in many(4) if r["id"] != "p1"])
    assert table.focused() == "p2 liq_isolated"
    table.set(rows=many(1))
    assert table.focused() == "p0 liq_isolated"
    table.set(rows=[])
    assert page.locator(".mw-empty").inner_text() == "No positions yet."


def test_focus_message_opens_the_new_row(page: Any) -> None:
    table = Table(page, ref2())
    page.get_by_role("button", name="Add position").click()
    table.set(rows=[*ref2(), row("p3", "SOLUSDT", "1", "150")], selected="p3")
    table.message({"type": "focus", "row": "p3", "field": "quantity", "edit": True})
    assert table.focused() == "p3 quantity"
    assert table.editing() == "1"


def test_editor_moves_to_the_row_that_replaces_a_draft(page: Any) -> None:
    table = Table(page, [*ref2(), row("draft", "SOLUSDT", "1", "150")])
    table.cell("draft", "quantity").click()
    page.keyboard.type("12")
    table.set(rows=[*ref2(), row("p3", "SOLUSDT", "1", "150")], selected="p3")
    assert table.focused() == "p3 quantity"
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    assert table.sent() == [{"type": "edit", "row": "p3", "field": "quantity", "text": "123"}]


def test_undo_and_redo(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "liq_isolated").click(position={"x": 3, "y": 3})
    for keys in ("Control+z", "Control+Shift+z", "Control+y"):
        page.keyboard.press(keys)
    assert [m["type"] for m in table.sent()] == ["undo", "redo", "redo"]
    # An editor in which nothing was typed does not stand in the way; typing does.
    table.cell("p1", "quantity").click()
    page.keyboard.press("Control+z")
    assert table.editing() is None
    assert table.sent() == [{"type": "undo"}]
    page.keyboard.type("12")
    assert table.editing() == "12"
    page.keyboard.press("Control+z")
    assert table.editing() == "0.5"
    page.keyboard.press("Control+Shift+z")
    assert table.editing() == "12"
    page.keyboard.press("Control+z")
    assert table.sent() == []
    # With no typing left to undo, the account's turn has come.
    page.keyboard.press("Control+z")
    assert table.editing() is None
    assert table.sent() == [{"type": "undo"}]
    # The same in an editor that Backspace has opened.
    page.keyboard.press("Backspace")
    assert table.editing() == ""
    page.keyboard.press("Control+z")
    assert table.editing() == "0.5"
    page.keyboard.press("Enter")
    assert table.sent() == []


def paste(page: Any, text: str) -> None:
    page.evaluate("t => navigator.clipboard.writeText(t)", text)
    page.keyboard.press("Control+v")


def test_paste_block(page: Any) -> None:
    table = Table(page, ref2())
    block = "SOLUSDT\t10\t150\nXRPUSDT\t100\t2\n"
    table.cell("p1", "liq_cross").click(position={"x": 3, "y": 3})
    paste(page, block)
    assert table.sent() == [
        {"type": "paste", "row": "p1", "field": "liq_cross", "text": block.rstrip("\n")}
    ]
    # Also with an open editor, which a click leaves behind.
    table.cell("p1", "symbol").click()
    paste(page, block)
    assert table.editing() is None
    assert table.cell("p1", "symbol").inner_text() == "BTCUSDT"
    assert [m["type"] for m in table.sent()] == ["paste"]


def test_paste_single_value(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "quantity").click()
    paste(page, "0.75")
    assert table.editing() == "0.75"
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    paste(page, "99000\n")
    assert table.sent() == [
        {"type": "edit", "row": "p1", "field": "quantity", "text": "0.75"},
        {"type": "edit", "row": "p1", "field": "entry", "text": "99000"},
    ]


def test_paste_on_cells_without_text_to_edit(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "liq_cross").click(position={"x": 3, "y": 3})
    paste(page, "5")
    table.cell("p1", "mode").focus()
    paste(page, "isolated")
    page.keyboard.press("Enter")
    paste(page, "isolated")
    assert table.editing() is None
    mode = {"type": "paste", "row": "p1", "field": "mode", "text": "isolated"}
    assert table.sent() == [
        {"type": "paste", "row": "p1", "field": "liq_cross", "text": "5"},
        mode,
        mode,
    ]


def test_copy(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p2", "liq_cross").click(position={"x": 3, "y": 3})
    page.keyboard.press("Control+c")
    line = "ETHUSDT\t5\t4000\t10\tisolated\t3,636.36\t2,070.71"
    assert page.evaluate("navigator.clipboard.readText()") == line
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+c")
    lines = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert lines[0].startswith("Symbol\tQuantity\t")
    assert lines[2] == line
    assert len(lines) == 3


def test_choice(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "mode").click()
    page.locator("select.mw-editor").select_option("isolated")
    assert table.sent() == [{"type": "edit", "row": "p1", "field": "mode", "text": "isolated"}]
    table.set(rows=[*ref2()])
    # By keyboard: arrows change, Enter commits.
    table.cell("p1", "liq_isolated").click(position={"x": 3, "y": 3})
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    assert table.sent() == []
    page.keyboard.press("Enter")
    assert table.sent() == [{"type": "edit", "row": "p1", "field": "mode", "text": "isolated"}]


def test_choice_by_open_list(page: Any) -> None:
    """A click drops the list down; arrow and Enter in it choose and commit."""
    table = Table(page, ref2())
    table.cell("p1", "mode").click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_timeout(50)
    if table.editing() is not None:
        page.keyboard.press("Enter")
    assert [(m["type"], m["text"]) for m in table.sent()] == [("edit", "isolated")]


def test_mode_has_a_mark_beside_its_colour(page: Any) -> None:
    table = Table(page, ref2())
    shape = "e => getComputedStyle(e.querySelector('.mw-text'), '::before').borderRadius"
    assert table.cell("p1", "mode").evaluate(shape) == "50%"
    assert table.cell("p2", "mode").evaluate(shape) == "0px"


def test_explain(page: Any) -> None:
    table = Table(page, ref2())
    table.cell("p1", "liq_cross").locator("button.mw-num").click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert table.sent() == [
        {"type": "explain", "row": "p1", "field": "liq_cross"},
        {"type": "explain", "row": "p2", "field": "liq_cross"},
    ]
    assert table.focused() == "p2 liq_cross"


def test_update_keeps_editor_focus_and_scroll(page: Any) -> None:
    table = Table(page, many(60))
    page.evaluate("document.querySelector('.tabulator-tableholder').scrollTop = 400")
    page.wait_for_timeout(50)
    table.cell("p18", "quantity").click()
    page.keyboard.type("12")
    scroll = "() => document.querySelector('.tabulator-tableholder').scrollTop"
    before = page.evaluate(scroll)
    table.set(rows=many(60, 0.25))
    assert table.editing() == "12"
    # Rows come and go around the editor, in another order.
    rows = [row("n1", "NEW1", "1", "1"), *many(60)[5:], row("n2", "NEW2", "2", "2")]
    rows[20], rows[3] = rows[3], rows[20]
    table.set(rows=rows)
    assert page.evaluate(scroll) == before
    assert table.editing() == "12"
    page.keyboard.type("34")
    assert table.editing() == "1234"
    page.keyboard.press("Enter")
    assert table.sent() == [{"type": "edit", "row": "p18", "field": "quantity", "text": "1234"}]


def test_order_follows_the_rows(page: Any) -> None:
    table = Table(page, many(6))
    order = "() => [...document.querySelectorAll('.tabulator-row')].map(r => r.dataset.row)"
    rows = many(8)
    for wanted in ([5, 0, 1, 2, 3, 4], [7, 1, 6, 0], [0, 1, 2, 3, 4, 5, 6, 7], [3], [6, 7], [2]):
        table.set(rows=[rows[i] for i in wanted])
        assert page.evaluate(order) == [f"p{i}" for i in wanted]
        index = "() => [...document.querySelectorAll('.tabulator-row')].map(r => r.ariaRowIndex)"
        assert page.evaluate(index) == [str(i + 2) for i in range(len(wanted))]


def test_updates_touch_only_what_changed(page: Any) -> None:
    table = Table(page, many(10))
    page.evaluate(
        """() => {
          window.touched = [];
          const note = m => `${m.type} ${m.attributeName} ${m.target.className ?? ""}`;
          new MutationObserver(l => window.touched.push(...l.map(note)))
            .observe(document.querySelector(".tabulator-table"),
              {subtree: true, childList: true, characterData: true, attributes: true});
        }"""
    )
    rows = many(10)
    rows[3]["text"]["liq_cross"] = "1.00"
    table.set(rows=rows)
    page.wait_for_timeout(20)
    assert page.evaluate("window.touched") == ["characterData null "]


def test_long_table_renders_only_rows_in_view(page: Any) -> None:
    table = Table(page, many(200))
    assert page.locator(".tabulator-row").count() < 60
    table.cell("p0", "liq_isolated").click(position={"x": 3, "y": 3})
    page.keyboard.press("Control+ArrowDown")
    assert table.focused() == "p199 liq_isolated"
    page.keyboard.press("Control+ArrowUp")
    assert table.focused() == "p0 liq_isolated"


def test_selection_from_elsewhere_scrolls_into_view(page: Any) -> None:
    table = Table(page, many(200))
    table.set(selected="p150")
    table.cell("p150", "symbol").wait_for(state="visible")


def test_scrolling_away_keeps_the_keyboard(page: Any) -> None:
    table = Table(page, many(200))
    table.cell("p2", "quantity").click()
    page.keyboard.type("9")
    page.evaluate("document.querySelector('.tabulator-tableholder').scrollTop = 4000")
    page.wait_for_function("models.m.sent.some(m => m.type === 'edit')")
    assert table.sent() == [{"type": "edit", "row": "p2", "field": "quantity", "text": "9"}]
    page.keyboard.press("ArrowDown")
    assert table.focused() == "p3 quantity"


def test_an_update_of_a_long_table_costs_what_is_in_view(page: Any) -> None:
    """Every cell of 200 rows changes; only those that are shown are written."""
    table = Table(page, many(200))
    page.evaluate(
        """() => {
          window.touched = 0;
          new MutationObserver(l => (window.touched += l.length))
            .observe(document.querySelector(".tabulator-table"),
              {subtree: true, childList: true, characterData: true, attributes: true});
        }"""
    )
    shown = page.locator(".tabulator-cell").count()
    assert shown < 60 * 7
    table.set(rows=many(200, 1.0))
    page.wait_for_function("window.touched > 0")
    assert page.evaluate("window.touched") <= 3 * shown


def test_text_is_never_markup(page: Any) -> None:
    evil = '<img src=x onerror="window.evil=1">'
    rows = ref2()
    for field in rows[0]["text"]:
        rows[0]["text"][field] = evil
    rows[0]["raw"]["symbol"] = evil
    state = table_state(rows)
    columns = [{**c, "title": evil, "hint": evil} for c in state["columns"]]
    table = Table(page, rows, columns=columns, placeholder=evil, label=evil)
    table.set(errors=[{"row": "p1", "field": "symbol", "text": evil, "message": evil}])
    table.cell("p1", "symbol").click()
    assert table.editing() == evil
    table.set(rows=[])
    page.wait_for_timeout(50)
    assert page.locator("img").count() == 0
    assert page.evaluate("window.evil") is None


def test_roles(page: Any) -> None:
    table = Table(page, ref2())
    grid = page.get_by_role("grid", name="Positions")
    assert grid.get_attribute("aria-rowcount") == "3"
    assert grid.get_attribute("aria-colcount") == "7"
    assert page.get_by_role("columnheader").count() == 7
    assert page.get_by_role("row").count() == 3
    assert page.get_by_role("gridcell").count() == 14
    assert page.get_by_role("columnheader", name="Symbol").get_attribute("title")
    assert table.cell("p1", "quantity").get_attribute("aria-readonly") == "false"
    assert table.cell("p1", "liq_cross").get_attribute("aria-readonly") == "true"
    assert page.locator('.mw-grid [tabindex="0"]').count() == 1
    assert page.locator('.mw-part[data-lm-suppress-shortcuts="true"]').count() == 1
    table.cell("p1", "quantity").click()
    assert page.get_by_role("textbox", name="BTCUSDT Quantity").count() == 1


def test_columns_give_way(page: Any) -> None:
    table = Table(page, ref2())
    assert table.cell("p1", "liq_cross").is_visible()
    page.evaluate("document.querySelector('#host').style.width = '400px'")
    table.cell("p1", "liq_cross").wait_for(state="hidden")
    page.evaluate("document.querySelector('#host').style.width = ''")
    table.cell("p1", "liq_cross").wait_for(state="visible")
    used = page.evaluate(
        """() => [document.querySelector(".tabulator-row").offsetWidth,
                  [...document.querySelectorAll(".tabulator-row:first-child .tabulator-cell")]
                    .reduce((n, c) => n + c.offsetWidth, 0)]"""
    )
    assert used[0] == used[1]


WIDE_COLUMNS = [
    {"field": "symbol", "title": "Symbol", "kind": "text"},
    {"field": "quantity", "title": "Quantity", "kind": "number"},
    {"field": "entry", "title": "Entry", "kind": "number"},
    {"field": "leverage", "title": "Leverage", "kind": "number", "hide_below": 300},
    {"field": "mode", "title": "Mode", "kind": "choice", "choices": ["cross", "isolated"]},
    {"field": "liq_isolated", "title": "Liq. isolated", "kind": "readonly", "explain": True},
    {"field": "liq_cross", "title": "Liq. cross", "kind": "readonly", "explain": True},
]
LONG = "1000000MOGCOINLONGNAME_USDT-261225"


@pytest.mark.parametrize("name", [LONG, "X" * 80])
@pytest.mark.parametrize("width", [360, 640])
def test_long_texts_hide_no_column(page: Any, width: int, name: str) -> None:
    page.evaluate(f"document.querySelector('#host').style.width = '{width}px'")
    rows = [row("p1", name, "500000000", "100000"), *ref2()[1:]]
    table = Table(page, rows, columns=WIDE_COLUMNS)
    for column in WIDE_COLUMNS:
        assert table.cell("p1", column["field"]).is_visible()
    symbol = table.cell("p1", "symbol")
    assert symbol.get_attribute("title") == name
    assert symbol.bounding_box()["width"] < 200
    holder = page.locator(".tabulator-tableholder")
    shaded = "() => document.querySelector('.mw-grid').classList.contains('mw-more')"
    wide = holder.evaluate("e => e.scrollWidth > e.clientWidth")
    assert page.evaluate(shaded) == wide
    assert wide or width > 360
    # The last column can be brought into view whole, with the name beside it.
    page.locator("#before").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    box, frame = table.cell("p1", "liq_cross").bounding_box(), holder.bounding_box()
    assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 0.5
    assert symbol.bounding_box()["x"] == frame["x"]
    assert table.cell("p1", "liq_cross").evaluate("e => e.scrollWidth <= e.clientWidth")
    page.wait_for_function("!document.querySelector('.mw-grid').classList.contains('mw-more')")
    # Coming back, a cell does not stop below the name.
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    left = table.cell("p1", "quantity").bounding_box()["x"]
    assert left >= frame["x"] + symbol.bounding_box()["width"] - 1


def test_no_figure_is_cut_in_a_narrow_table(page: Any) -> None:
    for width in (328, 224):
        page.evaluate(f"document.querySelector('#host').style.width = '{width}px'")
        Part(page, "table", table_state(ref2(), columns=WIDE_COLUMNS), f"w{width}")
        page.locator(".tabulator-row").first.wait_for()
        cut = page.evaluate(
            """() => [...document.querySelectorAll(".tabulator-cell, .tabulator-col-title")]
                 .filter(e => e.offsetWidth && e.scrollWidth > e.clientWidth)
                 .map(e => e.textContent)"""
        )
        assert cut == []
        page.evaluate("() => { views.forEach(v => v.stop()); }")


def test_words_become_smaller_before_a_column_is_out_of_sight(page: Any) -> None:
    seen = {}
    for width in range(560, 400, -20):
        page.evaluate(f"document.querySelector('#host').style.width = '{width}px'")
        Part(page, "table", table_state(ref2(), columns=WIDE_COLUMNS), f"s{width}")
        page.locator(".tabulator-row").first.wait_for()
        small, scrolls, size, cut = page.evaluate(
            """() => {
                const grid = document.querySelector(".mw-grid");
                const holder = grid.querySelector(".tabulator-tableholder");
                const cells = [...grid.querySelectorAll(".tabulator-cell")];
                return [grid.classList.contains("mw-small"),
                        holder.scrollWidth > holder.clientWidth,
                        getComputedStyle(cells[0]).fontSize,
                        cells.filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)];
            }"""
        )
        assert size == ("12px" if small else "13px")
        assert not (small and scrolls)
        assert cut == []
        seen[width] = "small" if small else "scrolls" if scrolls else "whole"
        page.evaluate("() => { views.forEach(v => v.stop()); }")
    assert list(dict.fromkeys(seen.values())) == ["whole", "small", "scrolls"], seen


def test_columns_shrink_again_when_idle(still_page: Any) -> None:
    page = still_page
    page.clock.resume()  # a table is built over some frames
    table = Table(page, ref2(), columns=WIDE_COLUMNS)
    page.clock.pause_at(2 * 3_600_000)
    width = "() => document.querySelector('[data-field=entry]').offsetWidth"
    at_first = page.evaluate(width)
    long = ref2()
    long[0]["text"]["entry"] = "100,000.12345678901234567890"
    table.set(rows=long)
    wide = page.evaluate(width)
    assert wide > at_first
    # At once after another update: no jitter. Left alone: as before.
    table.set(rows=ref2())
    assert page.evaluate(width) == wide
    page.clock.run_for(1200)
    assert page.evaluate(width) == at_first
    # Not under an open editor.
    table.set(rows=long)
    table.cell("p2", "entry").click()
    page.clock.run_for(1100)
    table.set(rows=ref2())
    page.clock.run_for(1100)
    assert page.evaluate(width) == wide
    page.keyboard.press("Escape")
    page.clock.run_for(1200)
    assert page.evaluate(width) == at_first


def test_scroll_bar_covers_no_row(page: Any) -> None:
    page.evaluate("document.querySelector('#host').style.width = '300px'")
    Table(page, many(4), columns=WIDE_COLUMNS)
    heights = page.evaluate(
        """() => { const h = document.querySelector(".tabulator-tableholder");
                   return [h.clientHeight, h.scrollHeight]; }"""
    )
    assert heights[0] == heights[1]


def test_shown_after_being_hidden(page: Any) -> None:
    page.evaluate("document.querySelector('#host').style.display = 'none'")
    page.evaluate("s => { mount('m', 'table', s); }", table_state(many(40)))
    page.wait_for_timeout(80)
    page.evaluate("rows => models.m.set('rows', rows)", by_columns(many(40)[5:]))
    page.evaluate("document.querySelector('#host').style.display = ''")
    page.locator(".tabulator-row").first.wait_for(state="visible")
    assert page.locator(".tabulator-row").first.get_attribute("data-row") == "p5"
    assert page.locator(".tabulator-cell").first.bounding_box()["width"] > 40


def test_rows_that_come_while_no_frame_sees_the_table(page: Any) -> None:
    """As while a page in the background changes its theme: hidden, emptied and shown at once."""
    Table(page, ref2(), placeholder="No positions")
    page.evaluate(
        """rows => {
          const { style } = document.querySelector("#host");
          style.display = "none";
          models.m.set("rows", rows);
          style.display = "";
        }""",
        by_columns([]),
    )
    page.get_by_text("No positions").wait_for()


def test_two_views_and_cleanup(page: Any) -> None:
    table = Table(page, ref2())
    page.evaluate("() => { mount('m', 'table', {}); }")
    page.wait_for_function("document.querySelectorAll('.tabulator-row').length === 4")
    table.cell("p1", "liq_cross").click(position={"x": 3, "y": 3})
    assert page.locator('.tabulator-row[aria-selected="true"]').count() == 2
    page.evaluate("() => { views.forEach(v => v.stop()); }")
    assert page.evaluate("models.m.listening") == 1, "what the model itself listens to"
    assert page.locator("#host .mw-part").count() == 0
    # Taken away before it was ever built.
    page.evaluate("s => { mount('n', 'table', s); views.at(-1).stop(); }", table_state(ref2()))
    page.wait_for_timeout(50)
    assert page.evaluate("models.n.listening") == 1


def test_new_columns(page: Any) -> None:
    table = Table(page, ref2())
    table.set(columns=table_state([])["columns"][:3])
    page.wait_for_function("document.querySelectorAll('.tabulator-col').length === 3")
    table.cell("p2", "entry").click()
    assert table.editing() == "4000"


ROLES = """
() => {
  const grid = document.querySelector("[role=grid]");
  const rows = [...grid.querySelectorAll("[role=row]")];
  const owner = (e) => {
    for (let p = e.parentElement; p; p = p.parentElement) {
      const role = p.getAttribute("role");
      if (role && role !== "presentation") return role;
      if (p.hasAttribute("tabindex")) return "something that can have the focus";
    }
  };
  return [...new Set(rows.map(owner))].concat(
    [...new Set([...grid.querySelectorAll("[role=gridcell]")].map(owner))]);
}
"""


def test_rows_belong_to_the_grid(page: Any) -> None:
    table = Table(page, ref2())
    assert page.evaluate(ROLES) == ["rowgroup", "row"]
    table.set(rows=[])
    page.locator(".mw-empty").wait_for()
    assert page.evaluate(ROLES) == ["rowgroup", "row"]
    assert page.get_by_role("gridcell").inner_text() == "No positions yet."


def test_all_rows_are_printed_within_the_paper(page: Any) -> None:
    table = Table(page, many(60))
    page.evaluate("document.querySelector('#host').style.width = '900px'")
    rows = page.locator(".tabulator-row")
    page.wait_for_function("document.querySelector('.mw-grid').clientWidth === 900")
    before = rows.count()
    assert before < 60
    page.emulate_media(media="print")
    page.wait_for_function("document.querySelectorAll('.tabulator-row').length === 60")
    page.evaluate("document.querySelector('#host').style.width = '600px'")
    wide = """() => [...document.querySelectorAll(".tabulator-cell, .tabulator-col")].filter(
        (e) => e.getBoundingClientRect().right > 600.5).length"""
    assert page.evaluate(wide) == 0
    holder = "() => { const h = document.querySelector('.tabulator-tableholder'); return h.%s; }"
    assert page.evaluate(holder % "offsetHeight") >= 60 * 27
    assert page.locator(".mw-actions").is_hidden()
    page.evaluate("document.querySelector('#host').style.width = '900px'")
    page.emulate_media(media="screen")
    page.wait_for_function("document.querySelector('.tabulator-tableholder').offsetHeight <= 300")
    table.cell("p0", "quantity").click()
    assert table.editing() == "1.000"


def test_ids_differ_between_tables(page: Any) -> None:
    error = {"row": "p1", "field": "quantity", "text": "0", "message": "no"}
    Table(page, ref2(), errors=[error])
    Table(page, ref2(), errors=[error], name="other")
    page.locator(".mw-error").nth(1).wait_for()
    ids = page.evaluate("() => [...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
