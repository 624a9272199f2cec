"""The extension at its edges: other windows, other servers, what it asks for, its settings."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import playwright
import pytest
from playwright.sync_api import Browser, Locator, Route, expect

import margin_widgets as mw
from scripts import chromium
from tests.browser.harness import JUPYTER
from tests.lab.lab_page import ROOT, Dashboard, ExtensionPage, notebook, written

SOURCES = ROOT / "frontend" / "lab" / "src"

pytestmark = pytest.mark.long


def close_tab(lab: ExtensionPage, path: str) -> None:
    """Close the tab of a document, edits discarded."""
    lab.page.evaluate(
        """path => {
            for (const widget of [...window.jupyterapp.shell.widgets('main')]) {
                if (widget.context?.path === path) {
                    widget.context.model.dirty = false;
                    widget.close();
                }
            }
        }""",
        path,
    )


def test_two_windows_on_one_file_are_in_step(lab: ExtensionPage) -> None:
    file = written(lab.server, "windows.margin.json")
    one = lab.dashboard(file.name)
    other = ExtensionPage(lab.server, lab.page.context.new_page())
    try:
        other.open()
        two = other.dashboard(file.name)
        assert len(lab.server.sessions()) == 1  # one kernel for both
        one.edit(0, "leverage", "30")
        expect(two.cell(0, "leverage")).to_have_text("30×")
        two.edit(1, "quantity", "6")
        expect(one.cell(1, "quantity")).to_have_text("6")
        two.wait_document("quantity", 6, row=1)
        one.wait_document("quantity", 6, row=1)
        assert one.document() == two.document()
        other.page.keyboard.press("Control+s")
        other.wait_until(lambda: not other.is_dirty(file.name), message="saved")
        assert mw.load(file).to_dict() == one.document()

        # Whoever leaves first leaves the kernel, and edits that are not saved, to the other.
        one.edit(0, "leverage", "31")
        two.wait_document("leverage", 31)
        session = lab.server.session(file.name)
        close_tab(other, file.name)
        lab.wait_until(lambda: connections(lab) == [1], message="the other window has left")
        one.edit(1, "quantity", "8")
        one.wait_document("quantity", 8, row=1)
        assert one.document()["positions"][0]["leverage"] == 31
        assert lab.server.session(file.name)["kernel"]["id"] == session["kernel"]["id"]
        expect(one.root.locator(".mwl-banner")).to_have_count(0)

        # Opened again, it is in step as before. Both at once leave nothing behind.
        two = other.dashboard(file.name)
        assert connections(lab) == [2]
        two.edit(0, "leverage", "32")
        expect(one.cell(0, "leverage")).to_have_text("32×")
        close_tab(other, file.name)
        close_tab(lab, file.name)
        lab.wait_until(lambda: not lab.server.sessions(), message="end of the session")
    finally:
        other.close()


def test_a_file_that_could_not_be_read_opens_when_it_can(lab: ExtensionPage) -> None:
    file = written(lab.server, "unread.margin.json")
    reading = re.compile(r"/api/contents/unread\.margin\.json\?.*content=1")
    lab.page.route(reading, lambda route: route.fulfill(status=500, json={"message": "no disk"}))
    try:
        lab.command("docmanager:open", path=file.name)
        lab.page.locator(".jp-Dialog", has_text="no disk").locator("button").last.click()
        expect(lab.page.locator(".mwl-account")).to_have_count(0)
    finally:
        lab.page.unroute(reading)
    assert not lab.server.sessions()
    lab.dashboard(file.name)
    assert len(lab.server.sessions()) == 1


def test_a_window_that_is_loaded_anew_keeps_the_kernel(lab: ExtensionPage) -> None:
    file = written(lab.server, "away.margin.json")
    lab.dashboard(file.name)
    session = lab.server.session(file.name)
    ended: list[str] = []
    lab.page.on(
        "request", lambda request: ended.append(request.url) if request.method == "DELETE" else None
    )
    # How many pages the server counts: ours and another; ours has left, and the other is away for
    # a moment, back, and away again; then it is gone.
    counts = [2, 0, 1, 0, 0]
    told: list[int] = []

    def count(route: Route) -> None:
        told.append(counts[min(len(told), len(counts) - 1)])
        kernels = route.fetch().json()
        route.fulfill(json=[{**one, "connections": told[-1]} for one in kernels])

    kernels = re.compile(r"/api/kernels\?")
    lab.page.route(kernels, count)
    try:
        close_tab(lab, file.name)
        lab.wait_until(lambda: ended, message="end of the session")
        assert told == counts
        assert ended[0].partition("?")[0].endswith(f"/api/sessions/{session['id']}")
    finally:
        lab.page.unroute(kernels)
    lab.wait_until(lambda: not lab.server.sessions(), message="end of the session")


def connections(lab: ExtensionPage) -> list[int]:
    """How many pages are connected to each kernel that runs."""
    return [one["connections"] for one in lab.server.request("GET", "/api/kernels")]


def test_without_widgets_or_without_a_kernel_the_page_says_so(lab: ExtensionPage) -> None:
    file = written(lab.server, "bare.margin.json")
    other = ExtensionPage(lab.server, lab.page.context.new_page())
    page = other.page
    try:
        page.route("**/lab/extensions/@jupyter-widgets/**", lambda route: route.abort())
        other.open()
        tab = other.show(file.name)
        expect(tab.locator("h2")).to_have_text("JupyterLab cannot show widgets", timeout=30_000)
        expect(tab.locator(".mwl-code")).to_contain_text("pip install ipywidgets")
        assert not other.is_dirty(file.name)
        other.close_all()

        page.unroute_all()
        none = {"default": "", "kernelspecs": {}}
        page.route("**/api/kernelspecs*", lambda route: route.fulfill(json=none))
        other.open()
        tab = other.show(file.name)
        expect(tab.locator("h2")).to_have_text("There is no Python kernel", timeout=30_000)
        tab.locator("button", has_text="Open as JSON").click()
        expect(page.locator(".jp-FileEditor .cm-content")).to_contain_text("BTCUSDT")
        assert not lab.server.sessions()
        other.close_all()
    finally:
        other.close()


def setting(lab: ExtensionPage, name: str) -> Locator:
    """A field of the settings editor."""
    return lab.page.locator(f'[id="jp-SettingsEditor-margin-widgets:plugin_{name}"]')


def chosen(lab: ExtensionPage) -> str:
    """Text of the settings as they are kept."""
    kept = Path(lab.server.root).parent / "settings" / "margin-widgets"
    return "".join(one.read_text() for one in kept.iterdir())


def test_settings_hold_at_once(lab: ExtensionPage) -> None:
    file = written(lab.server, "settings.margin.json")
    desk = lab.dashboard(file.name)
    expect(desk.cell(0, "entry_price")).to_have_text("100,000")
    lab.command("settingeditor:open", query="Margin accounts")
    try:
        setting(lab, "numbers").select_option(label="1’234.56")
        setting(lab, "ratio").select_option(label="falling")
        setting(lab, "previewRate").fill("4")
        setting(lab, "autosave").select_option(label="each edit")
        lab.show(file.name)
        expect(desk.cell(0, "entry_price")).to_have_text("100’000")
        desk.wait()
        assert not lab.is_dirty(file.name)
        desk.root.locator('[role="tab"]', has_text="Margin ratio").click()
        falling = desk.root.locator('[data-action="convention"][data-value="falling"]')
        expect(falling).to_have_attribute("aria-checked", "true")
        # What is shown so is read so, and saved by itself.
        desk.edit(0, "entry_price", "99’500.5")
        desk.wait_document("entry_price", 99_500.5)
        lab.wait_until(lambda: not lab.is_dirty(file.name), message="autosave")
        assert mw.load(file).positions["BTCUSDT"].entry_price == 99_500.5

        # A kernel that is kept has nothing of edits that were given up.
        lab.command("settingeditor:open", query="Margin accounts")
        setting(lab, "autosave").select_option(label="as other documents")
        setting(lab, "closeKernel").uncheck()
        setting(lab, "venue").fill("binance-usdm")
        lab.wait_until(lambda: "binance-usdm" in chosen(lab), message="the settings")
        lab.show(file.name)
        desk.edit(0, "leverage", "33")
        desk.wait_document("leverage", 33)
        kernel = lab.server.session(file.name)["kernel"]["id"]
        lab.command("application:close")
        lab.page.locator(".jp-Dialog button", has_text="Discard").click()
        expect(lab.page.locator(".mwl-account")).to_have_count(0)
        sent = lab.ws_frames.sent
        desk = lab.dashboard(file.name)
        expect(desk.cell(0, "leverage")).to_have_text("10×")
        expect(desk.root.locator(".mwl-banner")).to_have_count(0)
        assert lab.server.session(file.name)["kernel"]["id"] == kernel
        # What the tab had is there still: nothing was asked for but the account.
        assert connections(lab) == [1]
        assert lab.ws_frames.sent - sent <= 3
        desk.edit(0, "leverage", "34")
        desk.wait_document("leverage", 34)
        # A kernel that ended while no tab was open is started anew.
        lab.command("application:close")
        lab.page.locator(".jp-Dialog button", has_text="Discard").click()
        expect(lab.page.locator(".mwl-account")).to_have_count(0)
        lab.server.request("DELETE", f"/api/sessions/{lab.server.session(file.name)['id']}")
        desk = lab.dashboard(file.name)
        expect(desk.cell(0, "leverage")).to_have_text("10×")
        expect(desk.root.locator(".mwl-banner")).to_have_count(0)
        desk.edit(0, "leverage", "35")
        desk.wait_document("leverage", 35)
        # An empty account begins at the venue that was chosen.
        (lab.server.root / "new").mkdir()
        lab.command("margin-widgets:new-account", preset="empty", cwd="new")
        empty = "new/untitled.margin.json"
        lab.tab(empty)
        text = lab.wait_until(lambda: lab.text(empty), message="the new account")
        assert json.loads(text)["venue"] == {"name": "binance-usdm"}
    finally:
        lab.command("settingeditor:open", query="Margin accounts")
        setting(lab, "closeKernel").check()
        setting(lab, "venue").fill("generic")
        setting(lab, "numbers").select_option(label="1,234.56")
        setting(lab, "ratio").select_option(label="rising")
        setting(lab, "previewRate").fill("10")
        setting(lab, "autosave").select_option(label="as other documents")
        others = ("falling", "1’234", '"closeKernel": false', "binance", "each edit")
        lab.wait_until(
            lambda: not any(one in chosen(lab) for one in others), message="the defaults"
        )
        lab.show(file.name)
        expect(desk.cell(0, "entry_price")).to_have_text("99,500.5")
    lab.assert_clean_console()


# What JupyterLab itself asks for, whatever is open: its layout, settings, lists of what runs, and
# the folder that its file browser shows.
LABS_OWN = (
    "/lab/api/",
    "/api/me",
    "/api/kernelspecs",
    "/api/terminals",
    "/lsp/status",
    "/api/events/subscribe",
    "/static/",
    "/lab/extensions/",
    "/lab/static/",
)


def test_only_the_documents_own_file_and_kernel_are_asked_for(lab: ExtensionPage) -> None:
    server = lab.server
    neighbour = written(server, "neighbour.margin.json")
    (server.root / "folder").mkdir(exist_ok=True)
    file = written(server, "folder/own.margin.json")
    own = "folder/own.margin.json"
    lab.dashboard(neighbour.name)
    foreign = server.session(neighbour.name)
    # From here on another document's kernel runs, and nothing of it may be touched.
    lab.show(neighbour.name)
    asked: list[tuple[str, str]] = []
    sockets: list[str] = []

    def heard(method: str, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"}:  # data and blobs are the page's own
            asked.append((method, unquote(parts.path)))

    lab.page.on("request", lambda request: heard(request.method, request.url))
    lab.page.on("websocket", lambda socket: sockets.append(urlsplit(socket.url).path))
    desk = lab.dashboard(own)
    desk.edit(0, "leverage", "12")
    desk.wait_document("leverage", 12)
    lab.page.keyboard.press("Control+s")
    lab.wait_until(lambda: not lab.is_dirty(own), message="saved")
    session = server.session(own)
    lab.page.evaluate("() => { window.jupyterapp.shell.currentWidget.close(); }")
    lab.wait_until(lambda: len(server.sessions()) == 1, message="end of its session")

    kernel = session["kernel"]["id"]
    allowed = {
        f"/api/contents/{own}",
        f"/api/contents/{own}/checkpoints",
        "/api/contents/folder",
        "/api/contents/",
        "/api/contents",
        "/api/sessions",
        f"/api/sessions/{session['id']}",
        "/api/kernels",
        f"/api/kernels/{kernel}",
    }
    beyond = [
        (method, path)
        for method, path in asked
        if path not in allowed and not path.startswith(LABS_OWN)
    ]
    assert not beyond
    assert ("PUT", f"/api/contents/{own}") in asked
    assert ("DELETE", f"/api/sessions/{session['id']}") in asked
    # Whatever writes, writes there and nowhere else.
    changes = {path for method, path in asked if method not in {"GET", "HEAD"}}
    changes = {path for path in changes if not path.startswith("/lab/api/")}
    own_places = (f"/api/contents/{own}", "/api/sessions", f"/api/kernels/{kernel}")
    assert all(path.startswith(own_places) for path in changes), changes
    assert sockets == [f"/api/kernels/{kernel}/channels"]
    assert [one["id"] for one in server.sessions()] == [foreign["id"]]
    assert not [path for _, path in asked if foreign["id"] in path or neighbour.name in path]
    assert mw.load(file).positions["BTCUSDT"].leverage == 12


def test_the_tab_of_a_notebooks_account_is_restored(lab: ExtensionPage) -> None:
    page = lab.page
    notebook(lab.server, "side.ipynb", "import margin_widgets as mw\nbook = mw.presets.ref2()")
    lab.show("side.ipynb")
    kernel = "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel"
    page.wait_for_function(f"() => {kernel}?.status === 'idle'", timeout=30_000)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    lab.command("margin-widgets:open-notebook-account", expression="book")
    side = page.locator(".mwl-account")
    desk = Dashboard(lab, side, "side.ipynb")
    desk.edit(0, "leverage", "40")
    expect(desk.cell(0, "leverage")).to_have_text("40×")
    running = [one["kernel"]["id"] for one in lab.server.sessions()]

    def load_again() -> None:
        lab.wait_until(
            lambda: "margin-notebook-account:side.ipynb:book" in workspace(lab),
            message="the tab in the workspace",
        )
        page.once("dialog", lambda dialog: dialog.accept())
        lab.open(reset=False)

    load_again()
    desk.wait()
    expect(desk.cell(0, "leverage")).to_have_text("40×")
    assert [one["kernel"]["id"] for one in lab.server.sessions()] == running
    boxes = [one.bounding_box() for one in (page.locator(".jp-NotebookPanel"), side)]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    # It is in step with the notebook, and the button goes to it rather than to a second one.
    lab.show("side.ipynb")
    page.evaluate(f"() => {kernel}.requestExecute({{code: 'book.positions[0].leverage = 8'}}).done")
    expect(desk.cell(0, "leverage")).to_have_text("8×")
    lab.command("margin-widgets:open-notebook-account", expression="book")
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget.title.label === 'book'")
    expect(side).to_have_count(1)

    # An account that is gone by then is said to be, with a way out.
    lab.show("side.ipynb")
    page.evaluate(f"() => {kernel}.requestExecute({{code: 'del book'}}).done")
    load_again()
    banner = side.locator(".mwl-banner")
    expect(banner).to_contain_text("The notebook has no account 'book' now", timeout=30_000)
    banner.locator("button", has_text="Close").click()
    expect(side).to_have_count(0)
    lab.assert_clean_console()


def workspace(lab: ExtensionPage) -> str:
    """What the server keeps of the page's layout, as text."""
    found = lab.server.request("GET", "/lab/api/workspaces")["workspaces"]["values"]
    return json.dumps([one for one in found if one["metadata"]["id"] == lab.workspace])


def test_there_is_no_server_part_and_no_request_but_jupyterlabs() -> None:
    for file in SOURCES.glob("*.ts"):
        source = file.read_text(encoding="utf-8")
        for word in ("fetch(", "ServerConnection", "XMLHttpRequest", "WebSocket", "sendBeacon"):
            assert word not in source, (file.name, word)
    for file in (ROOT / "margin_widgets").rglob("*.py"):
        assert "_jupyter_server_extension" not in file.read_text(encoding="utf-8"), file
    assert "jupyter_server_config.d" not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


# Playwright's driver as the package that JupyterLab's check asks npm for.
PLAYWRIGHT = """\
const {{ chromium }} = require({driver});
module.exports = {{
  chromium: {{
    launch: async options => {{
      const browser = await chromium.launch({{
        ...options, executablePath: {executable}, args: ["--no-sandbox", "--disable-gpu"],
      }});
      const make = browser.newContext.bind(browser);
      browser.newContext = async () => {{
        const context = await make();
        context.on("requestfinished", request => console.log(request.url()));
        return context;
      }};
      return browser;
    }},
  }},
}};
"""


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins are for a POSIX shell")
def test_jupyterlabs_own_browser_check_passes(tmp_path: Path, browser: Browser) -> None:
    """As `python -m jupyterlab.browser_check` does, but with the browser that is here."""
    app, commands, data = tmp_path / "app", tmp_path / "bin", tmp_path / "data"
    installed = Path(JUPYTER).parent.parent / "share" / "jupyter" / "lab"
    driver = Path(playwright.__file__).parent / "driver"
    packages = app / "browser_test" / "node_modules" / "playwright"
    for folder in (packages, commands, data / "labextensions", tmp_path / "root"):
        folder.mkdir(parents=True)
    for part in ("schemas", "static", "themes"):
        (app / part).symlink_to(installed / part)
    (data / "labextensions" / "margin-widgets").symlink_to(ROOT / "margin_widgets" / "labextension")
    (packages / "index.js").write_text(
        PLAYWRIGHT.format(
            driver=json.dumps(str(driver / "package")), executable=json.dumps(chromium.find())
        )
    )
    (commands / "node").symlink_to(driver / "node")
    (commands / "npx").write_text("#!/bin/sh\n")  # the browser is installed
    (commands / "npx").chmod(0o755)
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("JUPYTER")},
        "HOME": str(tmp_path),
        "JUPYTERLAB_DIR": str(app),
        "JUPYTER_PATH": str(data),
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
    }
    options = ["--ServerApp.allow_root=True", "--ServerApp.port=0"]
    done = subprocess.run(
        [JUPYTER, "-m", "jupyterlab.browser_check", *options],
        env=environment,
        cwd=tmp_path / "root",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Browser test complete" in done.stdout
    assert "/lab/extensions/margin-widgets/static/remoteEntry" in done.stdout
    shutil.rmtree(app / "browser_test")
