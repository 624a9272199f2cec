"""The marks: slider, number, errors."""

from __future__ import annotations

from typing import Any

from frontend_support import Part


def data(**more: Any) -> list[dict[str, Any]]:
    base = [
        {"symbol": "BTCUSDT", "text": "100,000.0", "value": 100_000, "low": 50_000,
         "high": 150_000, "step": 0.1, "selected": True},
        {"symbol": "ETHUSDT", "text": "4,000.00", "value": 4000, "low": 2000,
         "high": 6000, "step": 0.01, "selected": False},
    ]  # fmt: skip
    base[0].update(more)
    return base


def mount(page: Any) -> Part:
    return Part(page, "marks", {"rows": data(), "errors": [], "label": "Marks"})


def slider(page: Any, symbol: str = "BTCUSDT") -> Any:
    return page.get_by_role("slider", name=f"{symbol} mark price")


def number(page: Any, symbol: str = "BTCUSDT") -> Any:
    return page.get_by_role("textbox", name=f"{symbol} mark price")


def test_shows_rows(page: Any) -> None:
    mount(page)
    assert slider(page).input_value() == "500"
    assert slider(page).get_attribute("aria-valuetext") == "100,000.0"
    assert number(page, "ETHUSDT").input_value() == "4,000.00"
    assert page.get_by_role("button", name="BTCUSDT").get_attribute("aria-pressed") == "true"


def test_drag_previews_then_commits(still_page: Any) -> None:
    page, part = still_page, mount(still_page)
    box = slider(page).bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    for i in range(40):
        page.mouse.move(box["x"] + box["width"] / 2 - 3 * i, y)
        page.clock.run_for(25)
        if i == 20:
            shown = number(page).input_value()
            assert shown != "100,000.0" and shown.count(".") == 1
            at = slider(page).input_value()
            part.set(rows=data(value=140_000, text="140,000.0"))
            assert slider(page).input_value() == at
    page.mouse.up()
    sent = part.sent()
    # A second of drawing, one every 100 ms; what letting go commits makes the last one needless.
    assert [m["type"] for m in sent] == ["preview"] * 10 + ["commit"]
    value = sent[-1]["value"]
    assert value == round(value, 1) and 50_000 <= value < 100_000
    # A late answer to a preview does not pull the slider back; the answer to the commit counts.
    page.clock.run_for(10)
    at = slider(page).input_value()
    part.set(rows=data(value=93_000, text="93,000.0"))
    assert slider(page).input_value() == at
    part.set(rows=data(value=value, text=f"{value:,.1f}"))
    assert number(page).input_value() == f"{value:,.1f}"
    part.set(rows=data(value=60_000, text="60,000.0"))
    assert slider(page).input_value() == "100"


def test_escape_takes_a_drag_back(still_page: Any) -> None:
    page, part = still_page, mount(still_page)
    box = slider(page).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y)
    page.mouse.move(x + 70, y)
    assert number(page).input_value() != "100,000.0"
    page.keyboard.press("Escape")
    assert part.sent()[-1] == {"type": "cancel", "symbol": "BTCUSDT"}
    shown = [slider(page).input_value(), number(page).input_value()]
    assert shown == ["500", "100,000.0"]
    # The hand goes on: nothing of that counts, nor does letting go.
    page.mouse.move(x - 80, y)
    page.mouse.move(x - 90, y)
    assert [slider(page).input_value(), number(page).input_value()] == shown
    page.mouse.up()
    page.clock.run_for(250)  # longer than a preview or a commit may wait
    assert part.sent() == []
    assert [slider(page).input_value(), number(page).input_value()] == shown
    assert slider(page).get_attribute("aria-valuetext") == "100,000.0"
    # What Python says meanwhile is shown, and the next drag counts.
    part.set(rows=data(value=110_000, text="110,000.0"))
    assert slider(page).input_value() == "600"
    page.mouse.move(box["x"] + 0.6 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], y)
    page.mouse.up()
    last = part.sent()[-1]
    assert last["type"] == "commit"
    assert last["value"] > 110_000


def test_held_value_is_let_go(still_page: Any) -> None:
    page, part = still_page, mount(still_page)
    slider(page).fill("300")
    assert part.sent()[-1] == {"type": "commit", "symbol": "BTCUSDT", "value": 80_000}
    part.set(rows=data(value=90_000, text="90,000.0"))
    page.clock.run_for(700)
    assert slider(page).input_value() == "300"
    page.clock.run_for(300)
    assert slider(page).input_value() == "400"


def test_arrow_keys_merge_into_one_commit(still_page: Any) -> None:
    page, part = still_page, mount(still_page)
    slider(page).focus()
    for _ in range(5):
        page.clock.run_for(100)
        page.keyboard.press("ArrowRight")
    assert slider(page).input_value() == "505"
    assert "commit" not in [m["type"] for m in part.sent()]
    page.clock.run_for(149)
    assert part.sent() == []
    page.clock.run_for(1)
    assert part.sent() == [{"type": "commit", "symbol": "BTCUSDT", "value": 100_500}]
    # After a rest the next key is a commit of its own.
    page.keyboard.press("ArrowRight")
    page.clock.run_for(150)
    assert part.sent()[-1] == {"type": "commit", "symbol": "BTCUSDT", "value": 100_600}


def test_number_commits_text(page: Any) -> None:
    part = mount(page)
    number(page).click()
    page.keyboard.type("95000")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "ETHUSDT"
    assert part.sent() == [{"type": "commit_text", "symbol": "BTCUSDT", "text": "95000"}]
    part.set(rows=data(value=95_000, text="95,000.0"))
    assert number(page).input_value() == "95,000.0"
    number(page).click()
    page.keyboard.press("Tab")
    assert part.sent() == []
    number(page).click()
    page.keyboard.type("7")
    page.keyboard.press("Escape")
    assert number(page).input_value() == "95,000.0"
    page.keyboard.press("Tab")
    assert part.sent() == []


def test_typing_is_not_overwritten(page: Any) -> None:
    part = mount(page)
    number(page).click()
    page.keyboard.type("97")
    part.set(rows=data(value=90_000, text="90,000.0"))
    assert number(page).input_value() == "97"
    page.keyboard.type("000")
    page.keyboard.press("Enter")
    assert part.sent() == [{"type": "commit_text", "symbol": "BTCUSDT", "text": "97000"}]


def test_error(page: Any) -> None:
    part = mount(page)
    number(page).click()
    page.keyboard.type("-5")
    page.keyboard.press("Tab")
    part.set(errors=[{"symbol": "BTCUSDT", "text": "-5", "message": "-5 must be above 0"}])
    assert number(page).input_value() == "-5"
    assert number(page).get_attribute("aria-invalid") == "true"
    assert page.locator("[role=alert]:visible").inner_text() == "-5 must be above 0"
    part.sent()
    number(page).click()
    page.keyboard.press("Escape")
    assert number(page).input_value() == "100,000.0"
    assert part.sent() == [{"type": "cancel", "symbol": "BTCUSDT"}]
    part.set(errors=[])
    assert number(page).get_attribute("aria-invalid") is None


def test_select_undo_and_symbols_as_text(page: Any) -> None:
    part = mount(page)
    page.get_by_role("button", name="ETHUSDT").click()
    slider(page).focus()
    page.keyboard.press("Control+z")
    assert part.sent() == [{"type": "select", "symbol": "ETHUSDT"}, {"type": "undo"}]
    part.set(rows=data(symbol="<img src=x>"))
    assert page.locator("img").count() == 0
    assert page.locator(".mw-mark").count() == 2


def test_undo_in_the_number(page: Any) -> None:
    part = mount(page)
    number(page).click()
    page.keyboard.type("97")
    page.keyboard.press("Control+z")
    assert number(page).input_value() == "100,000.0"
    page.keyboard.press("Control+y")
    assert number(page).input_value() == "97"
    page.keyboard.press("Control+z")
    assert part.sent() == []
    # Nothing typed: the account's turn.
    page.keyboard.press("Control+z")
    assert part.sent() == [{"type": "undo"}]
    page.keyboard.type("96")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Shift+z")
    assert [m["type"] for m in part.sent()] == ["commit_text", "redo"]


def test_notes_and_no_rows(page: Any) -> None:
    part = mount(page)
    part.set(rows=data(note="no position"))
    assert page.locator(".mw-mark-note:visible").inner_text() == "no position"
    assert slider(page).get_attribute("aria-description") == "no position"
    part.set(rows=data())
    assert page.locator(".mw-mark-note:visible").count() == 0
    part.set(rows=[], placeholder="No symbols yet.")
    assert page.locator(".mw-empty").inner_text() == "No symbols yet."
    part.set(rows=data())
    assert page.locator(".mw-empty").count() == 0
    assert page.locator(".mw-mark").count() == 2


def test_many_symbols_scroll_and_cleanup(page: Any) -> None:
    part = mount(page)
    part.set(rows=[{**data()[0], "symbol": f"S{i}"} for i in range(60)])
    assert page.locator(".mw-marks").bounding_box()["height"] <= 262
    page.evaluate("() => { views.forEach(v => v.stop()); }")
    assert page.evaluate("models.m.listening") == 1, "what the model itself listens to"
    assert page.locator(".mw-marks").count() == 0
