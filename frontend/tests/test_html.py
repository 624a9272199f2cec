"""The HTML part: actions, focus kept over updates, roles."""

from __future__ import annotations

from typing import Any

from frontend_support import Part

BAR = """
<div class="mw-bar"><h2 class="mw-name">REF-2</h2>
<button class="mw-button" data-action="undo" data-key="undo">Undo</button>
<button class="mw-button" data-action="redo" data-key="redo" aria-disabled="true">Redo</button>
<button class="mw-num" data-explain="cross.margin_ratio">{ratio}</button>
<select data-action="preset" data-key="preset" aria-label="Preset"><option>a<option>b</select>
<input data-action="name" data-key="name" aria-label="Name" value="x">
<input type="checkbox" data-action="fees" data-key="fees" aria-label="Fees"></div>
"""
SEG = """
<div class="mw-seg" role="radiogroup" aria-label="Axis">
<button role="radio" aria-checked="{a}" data-action="axis" data-value="BTC">BTC</button>
<button role="radio" aria-checked="{b}" data-action="axis" data-value="all">All</button></div>
<div class="mw-tabs" role="tablist">
<button role="tab" aria-selected="true" data-action="tab" data-value="1" data-key="t1">One</button>
<button role="tab" aria-selected="false" data-action="tab" data-value="2" data-key="t2">Two</button>
</div>
"""


def mount(page: Any, html: str, **more: Any) -> Part:
    return Part(page, "html", {"html": html, "label": "", "live": False, "role": "", **more})


def test_actions(page: Any) -> None:
    part = mount(page, BAR.format(ratio="4.5 %"))
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Redo").click(force=True)
    page.get_by_role("button", name="4.5 %").press("Enter")
    page.get_by_label("Preset").select_option("b")
    page.get_by_label("Name").fill("book")
    page.get_by_label("Name").press("Enter")
    page.get_by_label("Fees").check()
    assert part.sent() == [
        {"type": "action", "action": "undo", "value": None},
        {"type": "explain", "path": "cross.margin_ratio"},
        {"type": "action", "action": "preset", "value": "b"},
        {"type": "action", "action": "name", "value": "book"},
        {"type": "action", "action": "fees", "value": True},
    ]


def test_focus_and_typed_text_survive(page: Any) -> None:
    part = mount(page, BAR.format(ratio="4.5 %"))
    page.get_by_label("Name").focus()
    page.keyboard.type("abc")
    part.set(html=BAR.format(ratio="4.6 %"))
    assert page.evaluate("document.activeElement.dataset.key") == "name"
    assert page.get_by_label("Name").input_value() == "abcx"
    page.get_by_role("button", name="4.6 %").focus()
    part.set(html=BAR.format(ratio="4.7 %"))
    assert page.evaluate("document.activeElement.textContent") == "4.7 %"


def test_click_survives_an_update_between_press_and_release(page: Any) -> None:
    part = mount(page, BAR.format(ratio="4.5 %"))
    page.get_by_role("button", name="Undo").hover()
    page.mouse.down()
    part.set(html=BAR.format(ratio="9.9 %"))
    page.mouse.up()
    assert part.sent() == [{"type": "action", "action": "undo", "value": None}]
    page.wait_for_timeout(30)
    assert page.get_by_role("button", name="9.9 %").count() == 1


def test_scroll_survives(page: Any) -> None:
    box = (
        '<div data-key="log" style="height:50px;overflow:auto"><p style="height:500px">{}</p></div>'
    )
    part = mount(page, box.format("a"))
    page.evaluate(
        """() => {
          document.querySelector('[data-key=log]').scrollTop = 120;
          return new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        }"""
    )
    part.set(html=box.format("b"))
    assert page.evaluate("document.querySelector('[data-key=log]').scrollTop") == 120


def test_scroll_survives_two_contents_at_once(page: Any) -> None:
    box = (
        '<div data-key="log" style="height:50px;overflow:auto"><p style="height:500px">{}</p></div>'
    )
    mount(page, box.format("a"))
    top = page.evaluate(
        """async (contents) => {
          document.querySelector('[data-key=log]').scrollTop = 120;
          await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          for (const html of contents) models.m.set('html', html);
          return document.querySelector('[data-key=log]').scrollTop;
        }""",
        [box.format("b"), box.format("c")],
    )
    assert top == 120


def test_arrow_keys(page: Any) -> None:
    part = mount(page, SEG.format(a="true", b="false"))
    page.locator("#before").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "BTC"
    page.keyboard.press("ArrowRight")
    assert part.sent() == [{"type": "action", "action": "axis", "value": "all"}]
    part.set(html=SEG.format(a="false", b="true"))
    assert page.evaluate("document.activeElement.textContent") == "All"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "One"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Two"
    assert part.sent() == []
    page.keyboard.press("Enter")
    assert part.sent() == [{"type": "action", "action": "tab", "value": "2"}]


def test_undo_keys(page: Any) -> None:
    part = mount(page, BAR.format(ratio="4.5 %"))
    page.get_by_role("button", name="Undo").focus()
    for keys in ("Control+z", "Control+Shift+z", "Control+y"):
        page.keyboard.press(keys)
    page.get_by_label("Name").focus()
    page.keyboard.press("Control+z")
    assert [m["type"] for m in part.sent()] == ["undo", "redo", "redo"]


def test_live_region_and_cleanup(page: Any) -> None:
    part = mount(page, "<p>ok</p>", live=True, label="Verdict")
    region = page.get_by_role("status", name="Verdict")
    assert region.get_attribute("aria-live") == "polite"
    part.set(live=False, role="region")
    assert page.get_by_role("region", name="Verdict").get_attribute("aria-live") is None
    page.evaluate("() => { views.forEach(v => v.stop()); }")
    assert page.evaluate("models.m.listening") == 1, "what the model itself listens to"
    assert page.locator(".mw-html").count() == 0


def test_a_name_comes_with_a_role(page: Any) -> None:
    mount(page, "<p>numbers</p>", label="Account")
    assert page.get_by_role("group", name="Account").inner_text() == "numbers"


def test_a_silent_region_stays_on_the_page_without_a_place(page: Any) -> None:
    part = mount(page, "", live=True)
    page.add_style_tag(url="/static/theme.css")
    page.evaluate("document.querySelector('#host').className = 'margin-widgets'")
    place = "() => getComputedStyle(document.querySelector('[role=status]').parentElement).position"
    assert page.evaluate(place) == "absolute"
    part.set(html="<p>refused</p>")
    assert page.evaluate(place) == "static"
    assert page.get_by_role("status").inner_text() == "refused"


def test_sentence_is_the_text_of_the_figure_beside_it(page: Any) -> None:
    part = mount(page, '<p class="mw-caption">Equity falls.</p><i>fees on</i>', names="figure")
    # The figure comes later, as bqplot is loaded, and may come again.
    for _ in range(2):
        page.evaluate(
            """() => {
                 document.querySelector(".bqplot")?.remove();
                 const figure = document.createElement("div");
                 figure.className = "bqplot";
                 figure.textContent = "0 5 10";
                 document.querySelector("#host").prepend(figure);
               }"""
        )
        page.get_by_role("img", name="Equity falls.", exact=True).wait_for()
    part.set(html='<p class="mw-caption">Equity rises.</p>')
    assert page.get_by_role("img", name="Equity rises.", exact=True).count() == 1


def test_panel_below_tabs_is_named_by_the_chosen_one(page: Any) -> None:
    part = mount(page, SEG.format(a="true", b="false"), names="tabpanel")
    page.evaluate(
        "() => { const p = document.createElement('div'); p.textContent = 'panel';"
        " document.querySelector('#host').append(p); }"
    )
    panel = page.get_by_role("tabpanel", name="One", exact=True)
    panel.wait_for()
    other = SEG.format(a="true", b="false").replace("selected", "was", 1)
    part.set(html=other.replace('aria-selected="false"', 'aria-selected="true"'))
    panel = page.get_by_role("tabpanel", name="Two", exact=True)
    assert panel.inner_text() == "panel"
    controls = page.get_by_role("tab", name="Two").get_attribute("aria-controls")
    assert controls == panel.get_attribute("id")


def test_only_tables_that_scroll_are_stops(page: Any) -> None:
    page.add_style_tag(url="/static/theme.css")
    table = '<table class="mw-data"><tr><td>{}</td></tr></table>'
    page.evaluate("document.querySelector('#host').style.width = '300px'")
    part = mount(page, table.format("short"))
    stop = "document.querySelector('table').tabIndex === 0"
    assert not page.evaluate(stop)
    part.set(html=table.format('<span style="display:block;width:500px">wide</span>'))
    page.wait_for_function(stop)
    page.evaluate("document.querySelector('#host').style.width = '900px'")
    page.wait_for_function(f"!({stop})")


def test_chosen_tab_is_scrolled_into_view(page: Any) -> None:
    page.add_style_tag(url="/static/theme.css")
    page.evaluate("document.querySelector('#host').style.width = '200px'")
    tabs = "".join(
        f'<button role="tab" aria-selected="{str(i == 5).lower()}" data-action="tab"'
        f' data-value="{i}">Tab number {i}</button>'
        for i in range(6)
    )
    part = Part(page, "html", {"html": f'<div class="mw-tabs" role="tablist">{tabs}</div>'})
    left = "document.querySelector('.mw-tabs').scrollLeft"
    page.wait_for_function(f"() => {left} > 100")
    part.set(html=f'<div class="mw-tabs" role="tablist">{tabs.replace("true", "false")}</div>')
    assert page.evaluate(left) == 0


FIGURES = (
    '<p><button class="mw-num" data-explain="cross.equity">10,000.00</button>'
    ' <button class="mw-num" data-explain="cross.available">3,000.00</button></p>'
)
TOLD = (
    '<h3>equity</h3><button data-action="hide-explanation" data-key="hide-explanation"'
    ' data-value="cross.equity">Close</button>'
)


def test_escape_closes_an_explanation_and_leads_back_to_its_figure(page: Any) -> None:
    page.evaluate("document.querySelector('#host').classList.add('margin-widgets')")
    figures = mount(page, FIGURES)
    box = Part(page, "html", {"html": TOLD, "label": "Explanation", "live": True}, "box")
    hide = {"type": "action", "action": "hide-explanation", "value": "cross.equity"}
    page.get_by_role("button", name="10,000.00").press("Escape")
    assert box.sent() == [hide]
    page.get_by_role("button", name="Close").press("Escape")
    assert page.evaluate("document.activeElement.dataset.explain") == "cross.equity"
    page.get_by_role("button", name="Close").click()
    assert page.evaluate("document.activeElement.dataset.explain") == "cross.equity"
    assert box.sent() == [hide] * 2
    box.set(html="")
    page.get_by_role("button", name="10,000.00").press("Escape")
    assert box.sent() == [] == figures.sent()


def test_what_takes_the_place_of_the_focused_part_takes_the_focus(page: Any) -> None:
    page.evaluate("document.querySelector('#host').classList.add('margin-widgets')")
    back = '<button data-action="hide-explanation" data-value="2" data-refocus>Back</button>'
    mount(page, SEG.format(a="true", b="false"))
    page.locator("#before").focus()
    told = Part(page, "html", {"html": back, "label": ""}, "told")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert page.evaluate("document.activeElement.id") == "before"
    told.set(html="")
    page.evaluate("document.activeElement.blur()")
    told.set(html=back)
    page.wait_for_function("document.activeElement.textContent === 'Back'")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.textContent") == "Two"


def test_escape_takes_the_drag_of_a_slider_back(page: Any) -> None:
    part = mount(
        page,
        '<input type="range" data-action="mark" data-key="mark" aria-label="Mark" min="0"'
        ' max="100" step="1" value="50" style="width:200px">',
    )
    slider = page.get_by_label("Mark")
    box = slider.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y)
    assert int(slider.input_value()) > 60
    page.keyboard.press("Escape")
    assert slider.input_value() == "50"
    page.mouse.move(x - 40, y)
    assert slider.input_value() == "50"
    page.mouse.up()
    assert slider.input_value() == "50"
    assert part.sent() == []
    # The next drag counts.
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y)
    page.mouse.up()
    (sent,) = part.sent()
    assert sent == {"type": "action", "action": "mark", "value": slider.input_value()}
    assert int(sent["value"]) > 60
