"""What lasts in a real JupyterLab: random interactions, a new kernel, a lost connection."""

from __future__ import annotations

import random
import re
from typing import Any

from playwright.sync_api import Locator, Page, WebSocketRoute

from tests.browser.harness import Lab
from tests.browser.test_stories import REF2, Desk, drag

SEED = 5
STEPS = 24
GOOD = ("0.6", "0.45", "−0.3", "1", "95,000", "12", "8x")
BAD = ("", "0", "nan", "much", "0,5", "1e308")
FIELDS = ("quantity", "entry_price", "leverage", "margin", "symbol")
PLACE = "durable.margin"

# Axes stay where they are while a person edits; the reloaded dashboard is given the same frames.
RELOADED = f"""
account.save({PLACE!r})
seen = dashboard.selection
chosen = {{name: getattr(seen, name) for name in ("key", "view", "mode", "explain")}}
again = mw.Dashboard(mw.load({PLACE!r}), mw.Selection(**chosen))
again.add_class("reloaded")
for here, there in ((dashboard.equity, again.equity), (dashboard.marks, again.marks)):
    for name in ("_range", "_ranges", "_steady", "_zoom"):
        if hasattr(here, name):
            setattr(there, name, getattr(here, name))
    there.update()
again
"""

# Everything that a person can read or see, but for what tells of edits made before.
ON_SCREEN = """
root => {
    const shown = element => element.getClientRects().length > 0;
    const texts = selector => [...root.querySelectorAll(selector)].filter(shown)
        .map(element => (element.innerText ?? element.textContent).trim());
    return {
        cells: texts('.tabulator-cell'),
        verdict: texts('.mw-verdict'),
        cards: texts('.mw-card'),
        notes: texts('.mw-caption'),
        errors: texts('.mw-error, .mw-errors li'),
        marks: [...root.querySelectorAll('.mw-mark input.mw-number')].map(input => input.value),
        paths: [...root.querySelectorAll('path.line, path.area')].filter(shown)
            .map(path => path.getAttribute('d')),
        labels: texts('.mw-equity-plot text.label'),
    };
}
"""


class Hand:
    """Somebody who tries things on the page at random."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk, self.page = desk, desk.page
        self.chance = random.Random(seed)
        self.did: list[str] = []

    def act(self) -> None:
        """Do one thing and wait until Python has answered."""
        doing = self.chance.choices(
            (self.type, self.drag, self.slide, self.press_tab, self.travel, self.explain),
            (12, 6, 6, 7, 5, 3),
        )[0]
        doing()
        self.answered()

    def answered(self) -> None:
        """Wait until Python has handled all that the page has sent: messages keep their order."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
            ".requestKernelInfo().then(() => true)"
        )

    def note(self, *words: object) -> None:
        """Keep what is done, for the message of a failure."""
        self.did.append(" ".join(map(str, words)))

    def type(self) -> None:
        """Type into a cell; what is refused there is dropped with Escape."""
        count = self.desk.positions.locator(".tabulator-row").count()
        row, field = self.chance.randrange(count), self.chance.choice(FIELDS)
        text = self.chance.choice(GOOD if self.chance.random() < 0.6 else BAD)
        self.note("type", row, field, text)
        self.desk.type(row, field, text, key="Enter")
        self.answered()
        if self.desk.python("len(dashboard.positions.errors)"):
            self.page.keyboard.press("Escape")
            self.answered()

    def drag(self) -> None:
        """Drag the mark or a LIQ marker."""
        handles = self.desk.root.locator(".mw-equity-plot path.element").filter(visible=True)
        if not handles.count():
            return
        which, dx = self.chance.randrange(handles.count()), self.chance.choice((-70, -20, 15, 60))
        self.note("drag", which, dx)
        drag(self.desk, handles.nth(which), dx)

    def slide(self) -> None:
        """Move a mark's slider with the keys."""
        sliders = self.desk.root.locator(".mw-mark input[type=range]").filter(visible=True)
        slider = sliders.nth(self.chance.randrange(sliders.count()))
        slider.focus()
        key, times = self.chance.choice(("ArrowLeft", "ArrowRight", "PageDown")), 3
        self.note("slide", key)
        for _ in range(times):
            self.page.keyboard.press(key)
        self.page.wait_for_timeout(250)  # keys are one edit once they rest

    def press_tab(self) -> None:
        """Open a tab."""
        tabs = self.desk.root.get_by_role("tablist", name="Details").get_by_role("tab")
        tab = tabs.nth(self.chance.randrange(tabs.count()))
        self.note("tab", tab.inner_text())
        tab.click()

    def travel(self) -> None:
        """Undo or redo, if there is anything."""
        name = self.chance.choice(("Undo", "Undo", "Redo"))
        button = self.desk.root.get_by_role("button", name=name, exact=True).first
        self.note(name)
        if button.get_attribute("aria-disabled") != "true":
            button.click()

    def explain(self) -> None:
        """Ask for the explanation of a number."""
        numbers = self.desk.root.locator(".mw-card .mw-num").filter(visible=True)
        number = numbers.nth(self.chance.randrange(numbers.count()))
        self.note("explain", number.inner_text())
        number.click()


def banner(root: Locator) -> str:
    """What is said above a dashboard that cannot answer; empty if nothing is."""
    return " ".join(root.locator(".mw-lost").all_inner_texts())


def test_random_interactions_and_a_restarted_kernel(lab: Lab) -> None:
    nb = lab.open_notebook([REF2], width=1400, height=1800)
    nb.run_all()
    desk = Desk(nb)
    hand = Hand(desk, SEED)
    for _ in range(STEPS):
        try:
            hand.act()
        except Exception as error:
            raise AssertionError("\n".join(["failed at", *hand.did[-6:]])) from error
    assert desk.python("account.revision") > STEPS // 4
    assert desk.python("dashboard.positions.errors") == [], "\n".join(hand.did)
    nb.run("dashboard._open_tab('explain'); account.name = 'lasting'")
    nb.add_cell(RELOADED)
    lived, again = nb.page.locator(".mw-dashboard").first, nb.page.locator(".reloaded")
    again.locator(".mw-equity-plot svg").first.wait_for(state="attached")

    def screens() -> list[Any]:
        return [one.evaluate(ON_SCREEN) for one in (lived, again)]

    def alike() -> bool:
        here, there = screens()
        return bool(here["paths"]) and here == there

    try:
        nb.wait_until(alike, message="the same on both")
    except AssertionError:
        here, there = screens()
        assert here == there, "\n".join(hand.did)
        raise
    nb.assert_clean_console()

    saved = desk.python("account.to_dict()")
    assert [banner(one) for one in (lived, again)] == ["", ""]
    nb.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    for one in (lived, again):
        nb.wait_until(lambda one=one: "kernel has gone" in banner(one), message="the banner")
        assert "account.save() is safe" in banner(one)
    nb.run(f"import margin_widgets as mw; account = mw.load({PLACE!r})")
    assert desk.python("account.to_dict()") == saved
    nb.add_cell("mw.Dashboard(account)")
    fresh = nb.page.locator(".mw-dashboard:not(.mw-dead)")
    fresh.locator(".mw-verdict").wait_for()
    assert banner(fresh) == ""
    assert fresh.locator(".mw-verdict").inner_text() == again.locator(".mw-verdict").inner_text()


def test_an_edit_made_while_the_connection_is_down_arrives(lab: Lab) -> None:
    sockets: list[WebSocketRoute] = []
    down = False

    def pass_on(socket: WebSocketRoute) -> None:
        if down:
            socket.close()
            return
        socket.connect_to_server()
        sockets.append(socket)

    def route(page: Page) -> None:
        page.route_web_socket(re.compile(r"/api/kernels/.*/channels"), pass_on)

    nb = lab.open_notebook([REF2], width=1400, height=1400, prepare=route)
    nb.run_all()
    desk = Desk(nb)
    before = desk.card("isolated")

    down = True
    for socket in sockets:
        socket.close()
    nb.wait_until(lambda: "connection to the kernel is lost" in banner(desk.root), message="lost")
    desk.type(0, "quantity", "0.6", key="Enter")
    desk.type(1, "leverage", "0", key="Enter")
    nb.page.wait_for_timeout(300)
    assert desk.python("account.positions['BTCUSDT'].quantity") == 0.5
    assert desk.card("isolated") == before

    down = False
    desk.until(lambda: "initial 8,000.00" in desk.card("isolated"), "the edit's effect")
    desk.until(lambda: banner(desk.root) == "", "no banner any more")
    assert desk.python("[account.positions['BTCUSDT'].quantity, len(heard)]") == [0.6, 1]
    errors = desk.root.locator(".mw-errors")
    desk.until(lambda: "leverage" in errors.first.inner_text().lower(), "the refusal")
    desk.type(0, "leverage", "20", key="Enter")
    desk.until(lambda: desk.python("account.positions['BTCUSDT'].leverage") == 20, "a further edit")
    theirs = [one for one in nb.console_errors if "/api/kernels/" not in one]
    assert theirs == []
