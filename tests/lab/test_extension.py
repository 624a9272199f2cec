"""The JupyterLab extension in a real JupyterLab: what each of its promises looks like."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import nbformat
from jsonschema import Draft202012Validator
from playwright.sync_api import Locator, Request, expect

import margin_widgets as mw
from margin_widgets.account.document import dumps, schema
from margin_widgets.account.report_card import MIME
from tests.browser.harness import change_theme
from tests.lab.lab_page import Dashboard, ExtensionPage, notebook, written


def card(lab: ExtensionPage, title: str) -> Locator:
    """A card of the launcher in front."""
    return lab.page.locator(".jp-LauncherCard", has_text=title).filter(visible=True)


def test_new_from_the_launcher_is_edited_and_saved(lab: ExtensionPage) -> None:
    page = lab.page
    # In the menu as well.
    page.locator(".lm-MenuBar-item", has_text="File").click()
    page.locator('.lm-Menu-item[data-type="submenu"]', has_text="New").first.click()
    page.locator(".lm-Menu-item", has_text="Margin account").click()
    page.locator(".jp-Dialog button", has_text="Cancel").click()
    assert not list(lab.server.root.glob("untitled*"))
    lab.command("launcher:create")
    card(lab, "Margin account").click()
    page.locator(".jp-Dialog select").select_option("Two long perpetuals")
    page.locator(".jp-Dialog button", has_text="Create").click()
    path = "untitled.margin.json"
    desk = Dashboard(lab, lab.tab(path), path)
    assert not lab.is_dirty(path)

    desk.edit(0, "leverage", "20")
    desk.wait_document("leverage", 20)
    assert lab.is_dirty(path)

    page.keyboard.press("Control+s")
    lab.wait_until(lambda: not lab.is_dirty(path), message="saved")
    Draft202012Validator(schema()).validate(json.loads((lab.server.root / path).read_text()))
    account = mw.load(lab.server.root / path)
    assert account.positions["BTCUSDT"].leverage == 20
    expected = mw.presets.ref2()
    expected.positions["BTCUSDT"].leverage = 20
    assert account.to_dict() == expected.to_dict()
    lab.assert_clean_console()


def test_undo_back_to_the_saved_text_is_not_dirty(lab: ExtensionPage) -> None:
    file = written(lab.server, "undo.margin.json")
    # Written by hand, in a form of its own: opening it must not touch it.
    file.write_text(json.dumps(json.loads(file.read_text())))
    text = file.read_text()
    desk = lab.dashboard(file.name)
    assert lab.text(file.name) == text
    assert not lab.is_dirty(file.name)
    desk.edit(1, "quantity", "6")
    desk.wait_document("quantity", 6, row=1)
    desk.root.locator("button", has_text="Undo").click()
    lab.wait_until(lambda: lab.text(file.name) == text, message="the text as written")
    assert not lab.is_dirty(file.name)
    lab.assert_clean_console()


def test_revert_and_the_json_editor_stay_in_step(lab: ExtensionPage) -> None:
    file = written(lab.server, "step.margin.json")
    desk = lab.dashboard(file.name)
    before = desk.verdict()
    desk.edit(0, "leverage", "5")
    desk.wait_document("leverage", 5)
    lab.command("margin-widgets:open-as-json")
    editor = lab.page.locator(".jp-FileEditor .cm-content")
    expect(editor).to_contain_text('"leverage": 5')
    # Another text from the editor reaches the dashboard; a broken one is told and takes nothing.
    change = """([path, text]) => {
        for (const widget of window.jupyterapp.shell.widgets('main')) {
            if (widget.context?.path === path) {
                widget.context.model.fromString(text);
                return;
            }
        }
    }"""
    other = mw.presets.ref2()
    other.positions["BTCUSDT"].quantity = 0.25
    lab.page.evaluate(change, [file.name, dumps(other.state)])
    expect(desk.cell(0, "quantity")).to_have_text("0.25")
    lab.page.evaluate(change, [file.name, "{"])
    expect(desk.root.locator(".mwl-problem")).to_contain_text("line 1, column 2")
    lab.page.evaluate(change, [file.name, dumps(mw.presets.ref2().state)])
    expect(desk.root.locator(".mwl-problem")).to_have_count(0)
    expect(desk.root.locator(".mw-verdict")).to_have_text(before)
    assert mw.load(file).to_dict() == mw.presets.ref2().to_dict()  # nothing was saved
    # What another program wrote meanwhile comes by a revert, in place of what was not saved.
    desk.edit(0, "leverage", "6")
    desk.wait_document("leverage", 6)
    assert lab.is_dirty(file.name)
    file.write_text(dumps(other.state))
    lab.show(file.name)
    lab.command("docmanager:reload")
    lab.page.locator(".jp-Dialog button.jp-mod-accept").click()
    expect(desk.cell(0, "quantity")).to_have_text("0.25")
    expect(desk.cell(0, "leverage")).to_have_text("10×")
    assert lab.text(file.name) == file.read_text()
    assert not lab.is_dirty(file.name)
    # And back to what had been there all along.
    desk.edit(0, "leverage", "6")
    desk.wait_document("leverage", 6)
    lab.command("docmanager:reload")
    lab.page.locator(".jp-Dialog button.jp-mod-accept").click()
    lab.wait_until(lambda: not lab.is_dirty(file.name), message="reverted")
    expect(desk.cell(0, "leverage")).to_have_text("10×")
    lab.assert_clean_console()


def test_two_tabs_on_one_file_are_in_step(lab: ExtensionPage) -> None:
    file = written(lab.server, "twice.margin.json")
    one = lab.dashboard(file.name)
    lab.command("docmanager:clone")
    lab.wait_until(lambda: lab.page.locator(".mwl-account").count() == 2, message="second tab")
    two = Dashboard(lab, lab.tab(file.name), file.name)
    assert two.root.get_attribute("id") != one.root.get_attribute("id")
    two.edit(0, "leverage", "25")
    expect(one.cell(0, "leverage")).to_have_text("25×")
    assert len(lab.server.sessions()) == 1
    lab.assert_clean_console()


def assert_follows_the_theme(lab: ExtensionPage) -> None:
    """Fail unless the page of a damaged account is light on dark in the dark theme."""
    themes = {}
    for theme in ("dark", "light"):
        change_theme(lab.page, theme)
        themes[theme] = lab.page.evaluate(
            """() => {
                const account = getComputedStyle(document.querySelector('.mwl-account'));
                const text = getComputedStyle(document.querySelector('.mwl-text'));
                return [account.backgroundColor, account.color, text.color, text.backgroundColor]
                    .map(one => one.match(/[\\d.]+/g).slice(0, 3).map(Number)
                        .reduce((sum, part) => sum + part) / 3);
            }"""
        )
    for page, ink, text, block in (themes["dark"],):
        assert page < 60 < 180 < ink
        assert block < 80 < 180 < text
    for page, ink, text, block in (themes["light"],):
        assert page > 240 > 100 > ink
        assert block > 220 > 100 > text


def test_a_damaged_file_says_where_in_both_themes_and_offers_its_text(lab: ExtensionPage) -> None:
    (lab.server.root / "damaged.margin.json").write_text(
        '{\n "schema": "margin-widgets/account",\n'
    )
    tab = lab.show("damaged.margin.json")
    problem = tab.locator(".mwl-problem")
    expect(problem).to_contain_text("damaged JSON at line 3, column 1", timeout=30_000)
    expect(tab.locator(".mwl-text")).to_contain_text('"schema"')
    assert_follows_the_theme(lab)
    tab.locator("button", has_text="Open as JSON").click()
    expect(lab.page.locator(".jp-FileEditor .cm-content")).to_contain_text("margin-widgets/account")
    # Set right in the editor, it opens.
    lab.page.evaluate(
        """text => window.jupyterapp.shell.currentWidget.context.model.fromString(text)""",
        dumps(mw.presets.ref2().state),
    )
    Dashboard(lab, tab, "damaged.margin.json")
    lab.assert_clean_console()


def test_a_newer_or_refused_file_says_what_is_wrong(lab: ExtensionPage) -> None:
    sound = mw.presets.ref2().to_dict()
    file = lab.server.root / "refused.margin.json"
    tab: Locator | None = None
    for change, title, words, where in (
        ({"schema_version": 99}, "newer version", "99 is newer than", "$.schema_version"),
        ({"order_margin": -1}, "not a valid account", "must be at least 0", "$.order_margin"),
    ):
        text = json.dumps({**sound, **change})
        file.write_text(text)
        if tab is None:
            tab = lab.show(file.name)
        else:  # the tab stays, and reads the file anew
            lab.command("docmanager:reload")
        expect(tab.locator("h2")).to_contain_text(title, timeout=30_000)
        expect(tab.locator(".mwl-problem")).to_contain_text(words)
        expect(tab.locator("p > code")).to_have_text(where)
        assert file.read_text() == text
        assert not lab.is_dirty(file.name)
    lab.assert_clean_console()


def test_a_kernel_killed_during_an_edit_loses_nothing_unsaid(lab: ExtensionPage) -> None:
    file = written(lab.server, "killed.margin.json")
    desk = lab.dashboard(file.name)
    desk.edit(0, "leverage", "4")
    desk.wait_document("leverage", 4)
    process = lab.server.kernel_process(lab.server.session(file.name)["kernel"]["id"])
    os.kill(process, signal.SIGSTOP)
    # One edit has been sent and is not taken any more, another is still being typed.
    desk.edit(1, "quantity", "7")
    desk.cell(0, "entry_price").dblclick()
    desk.cell(0, "entry_price").locator("input").fill("98765")
    assert "98765" not in lab.text(file.name)
    assert desk.document()["positions"][1]["quantity"] == 5
    os.kill(process, signal.SIGKILL)
    banners = desk.root.locator(".mwl-banner")
    expect(banners.first).to_contain_text("edits are kept", timeout=20_000)
    desk.wait()
    # What had reached the account is there, what had not is told, and nothing is told twice.
    expect(desk.cell(0, "leverage")).to_have_text("4×")
    expect(desk.cell(1, "quantity")).to_have_text("5")
    assert lab.is_dirty(file.name)
    expect(banners).to_have_count(1)
    expect(banners.locator("span")).to_have_text(
        "The kernel stopped before this edit reached the account: ETHUSDT Quantity: 7, "
        "BTCUSDT Entry: 98765. Make it again."
    )
    banners.locator("button", has_text="Close").click()
    expect(banners).to_have_count(0)
    # It takes edits as before, and those that are answered are not told.
    desk.edit(1, "quantity", "7")
    desk.wait_document("quantity", 7, row=1)

    # Ended from the Running panel: the same, by a button.
    session = lab.server.session(file.name)["id"]
    lab.page.evaluate("id => window.jupyterapp.serviceManager.sessions.shutdown(id)", session)
    expect(banners).to_contain_text("The kernel has ended")
    banners.locator("button", has_text="Start again").click()
    desk.wait()
    expect(banners).to_have_count(0)
    expect(desk.cell(1, "quantity")).to_have_text("7")
    desk.edit(0, "leverage", "3")
    desk.wait_document("leverage", 3)


def test_a_kernel_without_the_package_says_how_to_install_it(lab: ExtensionPage) -> None:
    file = written(lab.server, "missing.margin.json")
    lab.server.absent.touch()
    try:
        tab = lab.show(file.name)
        expect(tab.locator("h2")).to_have_text(
            "margin_widgets is not installed in the kernel", timeout=30_000
        )
    finally:
        lab.server.absent.unlink()
    expect(tab.locator(".mwl-code")).to_contain_text("pip install --upgrade margin-widgets")
    assert not lab.is_dirty(file.name)
    tab.locator("button", has_text="Try again").click()
    Dashboard(lab, tab, file.name)


def test_rename_keeps_session_and_edits(lab: ExtensionPage) -> None:
    file = written(lab.server, "before.margin.json")
    desk = lab.dashboard(file.name)
    kernel = lab.server.session(file.name)["kernel"]["id"]
    lab.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.context.rename('after.margin.json')"
    )
    desk.path = "after.margin.json"
    lab.wait_until(
        lambda: [one["path"] for one in lab.server.sessions()] == ["after.margin.json~desk"],
        message="path of the session",
    )
    assert lab.server.session("after.margin.json")["kernel"]["id"] == kernel
    desk.edit(0, "leverage", "2")
    desk.wait_document("leverage", 2)
    lab.page.keyboard.press("Control+s")
    lab.wait_until(lambda: not lab.is_dirty(desk.path), message="saved")
    assert mw.load(lab.server.root / desk.path).positions["BTCUSDT"].leverage == 2
    assert not file.exists()
    desk.root.locator(".jp-Toolbar").get_by_text("Open as JSON").click()
    expect(lab.page.locator(".jp-FileEditor .cm-content")).to_contain_text('"leverage": 2')
    lab.assert_clean_console()


def test_closing_the_tab_asks_for_edits_and_ends_the_kernel(lab: ExtensionPage) -> None:
    file = written(lab.server, "closed.margin.json")
    text = file.read_text()
    desk = lab.dashboard(file.name)
    desk.edit(0, "leverage", "9")
    desk.wait_document("leverage", 9)
    lab.command("application:close")
    lab.page.locator(".jp-Dialog button", has_text="Cancel").click()
    assert lab.is_dirty(file.name)
    assert len(lab.server.sessions()) == 1
    lab.command("application:close")
    lab.page.locator(".jp-Dialog button", has_text="Discard").click()
    lab.wait_until(lambda: not lab.server.sessions(), message="end of the session")
    assert file.read_text() == text

    # Closed while its kernel is being started, it leaves none behind either.
    def starts(request: Request) -> bool:
        return request.method == "POST" and "/api/sessions" in request.url

    with lab.page.expect_response(lambda answer: starts(answer.request)):
        with lab.page.expect_request(starts):
            lab.show(file.name)
        lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.close()")
    assert lab.page.locator(".mwl-account").count() == 0
    lab.wait_until(lambda: not lab.server.sessions(), message="end of the session")


def test_the_status_bar_tells_both_distances(lab: ExtensionPage) -> None:
    file = written(lab.server, "status.margin.json")
    desk = lab.dashboard(file.name)
    item = lab.page.locator(".mwl-status")
    expect(item).to_have_text("■ isolated −9.09\xa0%   ● cross −13.73\xa0%")
    desk.edit(0, "leverage", "20")
    account = mw.presets.ref2()
    account.positions["BTCUSDT"].leverage = 20
    shock = 100 * account.isolated.liquidation_shock
    expect(item).to_contain_text(f"■ isolated −{-shock:.2f}\xa0%")
    lab.command("launcher:create")
    lab.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget?.context")
    item.locator("span").click()
    lab.tab(file.name)
    # The same by the keyboard, from wherever one is.
    lab.command("launcher:create")
    lab.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget?.context")
    lab.page.keyboard.press("Alt+Shift+M")
    lab.tab(file.name)
    lab.assert_clean_console()


def test_commands_say_what_they_do_and_take(lab: ExtensionPage) -> None:
    found = lab.page.evaluate(
        """async () => {
            const { commands } = window.jupyterapp;
            const ours = commands.listCommands().filter(one => one.startsWith('margin-widgets:'));
            return Promise.all(ours.map(async id => ({
                id,
                label: commands.label(id),
                palette: commands.label(id, { isPalette: true }),
                caption: commands.caption(id),
                icon: !!commands.icon(id),
                args: (await commands.describedBy(id)).args,
                keys: commands.keyBindings.filter(one => one.command === id).map(one => one.keys),
            })));
        }"""
    )
    commands = {one.pop("id").removeprefix("margin-widgets:"): one for one in found}
    assert set(commands) == {
        "new-account",
        "open-as-json",
        "restart-kernel",
        "focus-dashboard",
        "open-notebook-account",
        "insert-as-code",
    }
    for name, one in commands.items():
        assert all(one[word] for word in ("label", "palette", "caption", "icon")), (name, one)
        Draft202012Validator.check_schema(one["args"])
        assert one["args"]["type"] == "object"
        assert all(arg["description"] for arg in one["args"]["properties"].values()), name
    assert set(commands["new-account"]["args"]["properties"]) == {"cwd", "preset", "isPalette"}
    assert commands["focus-dashboard"]["keys"] == [["Alt Shift M"]]
    lab.page.locator(".lm-MenuBar-item", has_text="View").click()
    menu = lab.page.locator(".lm-Menu-item")
    expect(menu.filter(has_text="Go to the Margin Dashboard")).to_have_count(1)
    expect(menu.filter(has_text="Open Margin Account as JSON")).to_have_count(1)
    lab.page.keyboard.press("Escape")
    lab.command("apputils:activate-command-palette")
    lab.page.locator(".lm-CommandPalette-input").fill("margin account")
    items = lab.page.locator(".lm-CommandPalette-itemLabel")
    for one in commands.values():
        expect(items.filter(has_text=one["palette"])).to_have_count(1)
    lab.page.keyboard.press("Escape")
    lab.assert_clean_console()


def test_reload_restores_the_layout_and_offers_unsaved_edits(lab: ExtensionPage) -> None:
    file = written(lab.server, "reload.margin.json")
    desk = lab.dashboard(file.name)
    desk.edit(0, "leverage", "7")
    desk.wait_document("leverage", 7)
    kernel = lab.server.session(file.name)["kernel"]["id"]
    lab.command("margin-widgets:open-as-json")
    editor = lab.page.locator(".jp-FileEditor .cm-content")
    expect(editor).to_contain_text('"leverage": 7')
    # The workspace is written some time after the last change of the layout.
    parts = ("split-area", f"margin-account:{file.name}", f"editor:{file.name}")
    lab.wait_until(
        lambda: all(part in json.dumps(workspace(lab)) for part in parts),
        message="layout in the workspace",
    )
    lab.page.once("dialog", lambda dialog: dialog.accept())
    lab.open(reset=False)
    # Dashboard and text are beside each other again.
    again = Dashboard(lab, lab.page.locator(".mwl-account"), file.name)
    expect(editor).to_contain_text('"leverage": 10')
    boxes = [one.bounding_box() for one in (again.root, editor)]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert lab.server.session(file.name)["kernel"]["id"] == kernel
    expect(again.cell(0, "leverage")).to_have_text("10×")
    banner = again.root.locator(".mwl-banner")
    expect(banner).to_contain_text("not saved")
    banner.locator("button", has_text="Take them back").click()
    expect(again.cell(0, "leverage")).to_have_text("7×")
    expect(editor).to_contain_text('"leverage": 7')
    expect(banner).to_have_count(0)
    assert lab.is_dirty(file.name)


def workspace(lab: ExtensionPage) -> object:
    found = lab.server.request("GET", "/lab/api/workspaces")
    return [one for one in found["workspaces"]["values"] if one["metadata"]["id"] == lab.workspace]


def run_cells(lab: ExtensionPage) -> None:
    lab.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status"
        " === 'idle'",
        timeout=30_000,
    )
    lab.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")


def test_an_account_of_a_notebook_is_edited_from_both_sides(lab: ExtensionPage) -> None:
    page = lab.page
    file = notebook(
        lab.server,
        "both.ipynb",
        "import margin_widgets as mw\nbook = mw.presets.ref2()\nother = mw.presets.hedged_pair()",
        "book.positions['BTCUSDT'].leverage",
    )
    lab.show(file.name)
    run_cells(lab)
    page.locator('.jp-NotebookPanel-toolbar [data-jp-item-name="margin-account"] button').click()
    choice = page.locator(".jp-Dialog select")
    expect(choice.locator("option")).to_have_count(2)
    choice.select_option(index=0)
    page.locator(".jp-Dialog button", has_text="Open").click()
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.title.label === 'book'")
    shown = page.evaluate("() => window.jupyterapp.shell.currentWidget.id")
    desk = Dashboard(lab, page.locator(f'[id="{shown}"]'), file.name)

    # From the dashboard to the notebook.
    desk.edit(0, "leverage", "40")
    expect(desk.cell(0, "leverage")).to_have_text("40×")
    expect(page.locator(".mwl-status")).to_contain_text("isolated")
    lab.show(file.name)
    run = """async code => {
        const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
        let text = '';
        const future = kernel.requestExecute({code, store_history: false});
        future.onIOPub = message => { text += message.content.data?.['text/plain'] ?? ''; };
        await future.done;
        return text;
    }"""
    assert page.evaluate(run, "book.positions['BTCUSDT'].leverage") == "40.0"
    # From the notebook to the dashboard.
    page.evaluate(run, "book.positions['BTCUSDT'].leverage = 8")
    expect(desk.cell(0, "leverage")).to_have_text("8×")

    # As code in the notebook, which builds the same account.
    page.evaluate("id => window.jupyterapp.shell.activateById(id)", shown)
    lab.command("margin-widgets:insert-as-code")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.content.model?.cells?.length === 3"
    )
    sources = page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells.map("
        "cell => cell.source)"
    )
    code = next(one for one in sources if "mw.Account(" in one)
    scope: dict[str, mw.Account] = {}
    exec(code, scope)
    expected = mw.presets.ref2()
    expected.positions["BTCUSDT"].leverage = 8
    assert scope["account"].to_dict() == expected.to_dict()
    lab.assert_clean_console()

    # Started anew, the kernel has no account until its cells have run.
    page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    banner = desk.root.locator(".mwl-banner")
    expect(banner).to_contain_text("The notebook's kernel was started anew", timeout=20_000)
    expect(page.locator(".mwl-status")).not_to_be_visible()
    again = banner.locator("button", has_text="Open again")
    again.click()
    expect(banner).to_contain_text("no account 'book' now", timeout=20_000)
    lab.show(file.name)
    run_cells(lab)
    again.click()
    desk.wait()
    expect(banner).to_have_count(0)
    expect(desk.cell(0, "leverage")).to_have_text("10×")


def test_a_result_card_shows_in_a_reopened_notebook_without_a_kernel(lab: ExtensionPage) -> None:
    account = mw.presets.ref2()
    hostile = '<img src=x onerror="window.hacked=1">'
    account.name = hostile
    symbol = f"{hostile}<svg onload=window.hacked=1>"
    account.venue = mw.venues.generic(tiers={"BTCUSDT": 0.005, "ETHUSDT": 0.01, symbol: 0.01})
    account.marks[symbol] = account.marks["ETHUSDT"]
    account.positions["ETHUSDT"].symbol = symbol
    bundle = dict(account.report_card()._repr_mimebundle_())
    # And one that was not written by the package.
    drawn = (
        '<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked=1" viewBox="0 0 9 9">'
        "<script>window.hacked=1</script>"
        '<foreignObject><img xmlns="http://www.w3.org/1999/xhtml" src="x" onerror="window.hacked=1"'
        '/></foreignObject><a href="javascript:window.hacked=1"><text>a</text></a>'
        '<image href="/hacked"/><path d="M0 0h9" fill="url(/hacked)" style="fill:url(/hacked)" '
        'onclick="window.hacked=1"/></svg>'
    )
    forged = {
        "title": hostile,
        "chips": [hostile],
        "sentence": [{"text": hostile, "key": True}],
        "tables": [{"title": hostile, "head": [hostile], "rows": [[hostile, {"html": hostile}]]}],
        "pictures": [{"title": hostile, "svg": drawn}],
        "notes": [hostile],
    }
    outputs = [
        nbformat.v4.new_output("execute_result", bundle, execution_count=1),
        nbformat.v4.new_output("display_data", {MIME: forged, "text/html": hostile}),
    ]
    document = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("account.report_card()", outputs=outputs)],
        metadata={"kernelspec": {"display_name": "?", "language": "python", "name": "gone"}},
    )
    nbformat.write(document, lab.server.root / "card.ipynb")
    lab.show("card.ipynb")
    # A kernel of that name is not here any more.
    lab.page.locator(".jp-Dialog button", has_text="No Kernel").click()
    cards = lab.page.locator(".mwl-card")
    expect(cards).to_have_count(2, timeout=20_000)
    card = cards.first
    assert not lab.server.sessions()
    expect(card.locator("h3")).to_have_text(hostile)
    expect(card.locator("table th", has_text=symbol).first).to_have_text(symbol)
    assert cards.locator("img, script, image, a, foreignObject").count() == 0
    handlers = "all => all.flatMap(one => [...one.attributes]).map(one => one.name)"
    attributes = set(cards.locator("*").evaluate_all(handlers))
    assert not {one for one in attributes if one.startswith("on") or one in {"href", "style"}}
    expect(cards.nth(1)).to_contain_text(hostile)
    assert cards.nth(1).locator("path").get_attribute("fill") is None
    assert lab.page.evaluate("() => window.hacked") is None
    assert card.locator("table").count() == 2
    assert card.locator("svg.mw-figure").count() == 2
    expect(card).to_contain_text("80,804.02")
    expect(card.locator(".mwl-sentence")).to_contain_text("−13.73\xa0%")
    box = card.locator("svg.mw-figure").first.bounding_box()
    assert box is not None
    assert box["width"] > 300
    assert box["height"] > 150


def test_it_speaks_german(lab: ExtensionPage) -> None:
    settings = Path(lab.server.root).parent / "settings" / "@jupyterlab" / "translation-extension"
    settings.mkdir(parents=True)
    chosen = settings / "plugin.jupyterlab-settings"
    chosen.write_text('{"locale": "de_DE"}')
    kept = settings.parent.parent / "margin-widgets" / "plugin.jupyterlab-settings"
    kept.unlink(missing_ok=True)  # of another test
    (lab.server.root / "deutsch.margin.json").write_text("{")
    german = ExtensionPage(lab.server, lab.page.context.new_page())
    try:
        german.open()
        tab = german.show("deutsch.margin.json")
        expect(tab.locator("h2")).to_have_text(
            "Der Text dieses Kontos ist beschädigt", timeout=30_000
        )
        expect(tab.locator(".mwl-tools button")).to_have_text("Als JSON öffnen")
        german.command("launcher:create")
        expect(card(german, "Margin-Konto")).to_be_visible()
        form = german.page.locator(".jp-SettingsPanel")
        for checked in (True, False):  # the second time fetched anew, as one was chosen
            german.command("settingeditor:open", query="Margin-Konten")
            expect(form.locator("h2", has_text="Margin-Konten")).to_be_visible()
            expect(form).to_contain_text("Kernel mit dem Tab beenden")
            expect(form).to_contain_text("Das Dezimalzeichen ist ein Punkt, wie im Code.")
            expect(form.locator("input[type=checkbox]")).to_be_checked(checked=checked)
            form.locator("input[type=checkbox]").uncheck()
            german.wait_until(kept.exists, message="the setting in its file")
            german.close_all()
    finally:
        chosen.unlink()
        kept.unlink(missing_ok=True)
        german.close()
