"""The JupyterLab extension in a real JupyterLab: what each of its promises looks like."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, expect

import margin_widgets as mw
from margin_widgets.account.document import dumps
from tests.lab.lab_page import Dashboard, ExtensionPage, ExtensionServer, written


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


def test_a_damaged_file_says_where_and_offers_its_text(lab: ExtensionPage) -> None:
    (lab.server.root / "damaged.margin.json").write_text(
        '{\n "schema": "margin-widgets/account",\n'
    )
    tab = lab.show("damaged.margin.json")
    problem = tab.locator(".mwl-problem")
    expect(problem).to_contain_text("damaged JSON at line 3, column 1", timeout=30_000)
    expect(tab.locator(".mwl-text")).to_contain_text('"schema"')
    tab.locator("button", has_text="Open as JSON").click()
    expect(lab.page.locator(".jp-FileEditor .cm-content")).to_contain_text("margin-widgets/account")
    # Set right in the editor, it opens.
    lab.page.evaluate(
        """text => window.jupyterapp.shell.currentWidget.context.model.fromString(text)""",
        dumps(mw.presets.ref2().state),
    )
    Dashboard(lab, tab, "damaged.margin.json")
    lab.assert_clean_console()


@pytest.mark.parametrize(
    ("change", "title", "words", "where"),
    [
        ({"schema_version": 99}, "newer version", "99 is newer than", "$.schema_version"),
        ({"order_margin": -1}, "not a valid account", "must be at least 0", "$.order_margin"),
    ],
    ids=["newer", "refused"],
)
def test_a_newer_or_refused_file_says_what_is_wrong(
    lab: ExtensionPage, change: dict[str, object], title: str, words: str, where: str
) -> None:
    text = json.dumps({**mw.presets.ref2().to_dict(), **change})
    file = lab.server.root / "refused.margin.json"
    file.write_text(text)
    tab = lab.show(file.name)
    expect(tab.locator("h2")).to_contain_text(title, timeout=30_000)
    expect(tab.locator(".mwl-problem")).to_contain_text(words)
    expect(tab.locator("p > code")).to_have_text(where)
    assert file.read_text() == text
    assert not lab.is_dirty(file.name)
    lab.assert_clean_console()


def test_a_kernel_killed_during_an_edit_loses_nothing(lab: ExtensionPage) -> None:
    file = written(lab.server, "killed.margin.json")
    desk = lab.dashboard(file.name)
    desk.edit(0, "leverage", "4")
    desk.wait_document("leverage", 4)
    kernel = lab.server.session(file.name)["kernel"]["id"]
    os.kill(lab.server.kernel_process(kernel), signal.SIGKILL)
    expect(desk.root.locator(".mwl-banner")).to_contain_text("edits are kept", timeout=20_000)
    desk.wait()
    expect(desk.root.locator(".mwl-banner")).to_have_count(0)
    expect(desk.cell(0, "leverage")).to_have_text("4×")
    assert lab.is_dirty(file.name)

    # Ended from the Running panel: the same, by a button.
    session = lab.server.session(file.name)["id"]
    lab.page.evaluate("id => window.jupyterapp.serviceManager.sessions.shutdown(id)", session)
    banner = desk.root.locator(".mwl-banner")
    expect(banner).to_contain_text("The kernel has ended")
    banner.locator("button", has_text="Start again").click()
    desk.wait()
    expect(desk.cell(0, "leverage")).to_have_text("4×")
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
    lab.assert_clean_console()


def test_reload_restores_the_layout_and_offers_unsaved_edits(lab: ExtensionPage) -> None:
    file = written(lab.server, "reload.margin.json")
    desk = lab.dashboard(file.name)
    desk.edit(0, "leverage", "7")
    desk.wait_document("leverage", 7)
    kernel = lab.server.session(file.name)["kernel"]["id"]
    # The workspace is written some time after the last change of the layout.
    lab.wait_until(
        lambda: file.name in json.dumps(workspace(lab)), message="layout in the workspace"
    )
    lab.page.once("dialog", lambda dialog: dialog.accept())
    lab.open(reset=False)
    again = Dashboard(lab, lab.tab(file.name), file.name)
    assert lab.server.session(file.name)["kernel"]["id"] == kernel
    expect(again.cell(0, "leverage")).to_have_text("10×")
    banner = again.root.locator(".mwl-banner")
    expect(banner).to_contain_text("not saved")
    banner.locator("button", has_text="Take them back").click()
    expect(again.cell(0, "leverage")).to_have_text("7×")
    expect(banner).to_have_count(0)
    assert lab.is_dirty(file.name)


def workspace(lab: ExtensionPage) -> object:
    found = lab.server.request("GET", "/lab/api/workspaces")
    return [one for one in found["workspaces"]["values"] if one["metadata"]["id"] == lab.workspace]


def notebook(server: ExtensionServer, name: str, *cells: str) -> Path:
    path = server.root / name
    document = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code) for code in cells],
        metadata={"kernelspec": {"display_name": "M", "language": "python", "name": "margin"}},
    )
    nbformat.write(document, path)
    return path


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
    banner.locator("button").click()
    expect(banner).to_contain_text("no account 'book'", timeout=20_000)
    lab.show(file.name)
    run_cells(lab)
    banner.locator("button").click()
    desk.wait()
    expect(banner).to_have_count(0)
    expect(desk.cell(0, "leverage")).to_have_text("10×")


def test_a_result_card_shows_in_a_reopened_notebook_without_a_kernel(lab: ExtensionPage) -> None:
    account = mw.presets.ref2()
    hostile = '<img src=x onerror="window.hacked=1">'
    account.name = hostile
    bundle = dict(account.report_card()._repr_mimebundle_())
    output = nbformat.v4.new_output("execute_result", bundle, execution_count=1)
    document = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("account.report_card()", outputs=[output])],
        metadata={"kernelspec": {"display_name": "?", "language": "python", "name": "gone"}},
    )
    nbformat.write(document, lab.server.root / "card.ipynb")
    lab.show("card.ipynb")
    # A kernel of that name is not here any more.
    lab.page.locator(".jp-Dialog button", has_text="No Kernel").click()
    card = lab.page.locator(".mwl-card")
    card.wait_for(timeout=20_000)
    assert not lab.server.sessions()
    expect(card.locator("h3")).to_have_text(hostile)
    assert lab.page.evaluate("() => window.hacked") is None
    assert card.locator("img").count() == 0
    assert card.locator("table").count() == 2
    assert card.locator("svg.mw-figure").count() == 2
    expect(card).to_contain_text("80,804.02")
    expect(card.locator(".mwl-sentence")).to_contain_text("−13.73\xa0%")
    box = card.locator("svg.mw-figure").first.bounding_box()
    assert box is not None
    assert box["width"] > 300
    assert box["height"] > 150


def test_the_pages_follow_the_dark_theme(lab: ExtensionPage) -> None:
    (lab.server.root / "dark.margin.json").write_text("{")
    tab = lab.show("dark.margin.json")
    tab.locator(".mwl-problem").wait_for(timeout=30_000)
    themes = {}
    for theme in ("Dark", "Light"):
        lab.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
            f"JupyterLab {theme}",
        )
        light = "true" if theme == "Light" else "false"
        lab.page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")
        themes[theme] = lab.page.evaluate(
            """() => {
                const account = getComputedStyle(document.querySelector('.mwl-account'));
                const text = getComputedStyle(document.querySelector('.mwl-text'));
                return [account.backgroundColor, account.color, text.color, text.backgroundColor]
                    .map(one => one.match(/[\\d.]+/g).slice(0, 3).map(Number)
                        .reduce((sum, part) => sum + part) / 3);
            }"""
        )
    for page, ink, text, block in (themes["Dark"],):
        assert page < 60 < 180 < ink
        assert block < 80 < 180 < text
    for page, ink, text, block in (themes["Light"],):
        assert page > 240 > 100 > ink
        assert block > 220 > 100 > text
    lab.assert_clean_console()


def test_it_speaks_german(lab: ExtensionPage, browser: Browser) -> None:
    settings = Path(lab.server.root).parent / "settings" / "@jupyterlab" / "translation-extension"
    settings.mkdir(parents=True)
    chosen = settings / "plugin.jupyterlab-settings"
    chosen.write_text('{"locale": "de_DE"}')
    (lab.server.root / "deutsch.margin.json").write_text("{")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        german = ExtensionPage(lab.server, context.new_page())
        german.open()
        tab = german.show("deutsch.margin.json")
        expect(tab.locator("h2")).to_have_text(
            "Der Text dieses Kontos ist beschädigt", timeout=30_000
        )
        expect(tab.locator(".mwl-tools button")).to_have_text("Als JSON öffnen")
        german.command("launcher:create")
        expect(card(german, "Margin-Konto")).to_be_visible()
        german.close_all()
    finally:
        chosen.unlink()
        context.close()
