"""From a double click on an account's file to its first plot, in a real JupyterLab.

Beside it stands a bare document: a cell of a notebook that shows one bqplot figure of two series
and a slider, in a kernel of its own. Both are timed inside the page, from the call that JupyterLab
makes for a double click (or, bare, from starting the kernel) to the first path that has a shape.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path

import nbformat

from bench.browser import BARE
from bench.report import Row
from tests.browser.harness import launched_chromium
from tests.lab.lab_page import ExtensionPage, ExtensionServer, written

TIMES = 5
FILE, CELL = "bench.margin.json", "bare.ipynb"
COLD, WARM = 3.0, 0.6

# Opens the file and waits for the first curve of its tab.
OPEN = """
async path => {
    const app = window.jupyterapp, start = performance.now();
    const widget = await app.commands.execute('docmanager:open', {path});
    while (performance.now() - start < 60000) {
        await new Promise(requestAnimationFrame);
        const lines = widget.node.querySelectorAll('.mw-equity-plot path.line');
        if ([...lines].some(one => one.getAttribute('d'))) return performance.now() - start;
    }
    throw new Error('no curve after a minute');
}
"""

# Ends all kernels, as the Running panel does.
END = """
async () => {
    const { sessions } = window.jupyterapp.serviceManager;
    await sessions.refreshRunning();
    await sessions.shutdownAll();
}
"""

# The same of a cell, its kernel started before it if that is to be cold.
RUN = """
async cold => {
    const app = window.jupyterapp, panel = app.shell.currentWidget, start = performance.now();
    if (cold) await panel.sessionContext.changeKernel({name: 'margin'});
    panel.content.activeCellIndex = 0;
    app.commands.execute('notebook:run-cell');
    while (performance.now() - start < 60000) {
        await new Promise(requestAnimationFrame);
        const lines = panel.node.querySelectorAll('.bench-bare path.line');
        if ([...lines].some(one => one.getAttribute('d'))) return performance.now() - start;
    }
    throw new Error('no curve after a minute');
}
"""


def keep_kernels(server: ExtensionServer) -> None:
    """Have kernels outlive their tabs, as in the settings."""
    folder = server.root.parent / "settings" / "margin-widgets"
    folder.mkdir(parents=True)
    (folder / "plugin.jupyterlab-settings").write_text(json.dumps({"closeKernel": False}))


def write_bare(path: Path) -> None:
    """Write a notebook of one cell."""
    document = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(BARE)],
        metadata={"kernelspec": {"display_name": "M", "language": "python", "name": "margin"}},
    )
    nbformat.write(document, path)


def close_tab(lab: ExtensionPage) -> None:
    """Close the tab in front."""
    lab.page.evaluate("() => { window.jupyterapp.shell.currentWidget.close(); }")
    lab.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget?.context")


def open_document(lab: ExtensionPage, cold: bool) -> float:
    """Seconds from a double click to the first plot."""
    if cold:
        lab.page.evaluate(END)
    taken: float = lab.page.evaluate(OPEN, FILE)
    close_tab(lab)
    return taken / 1000


def run_bare(lab: ExtensionPage, cold: bool) -> float:
    """Seconds until the bare figure is drawn; the notebook is open, with a kernel and no output."""
    lab.show(CELL)
    lab.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status"
        " === 'idle'"
    )
    lab.page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    lab.page.wait_for_function("() => !document.querySelector('.bench-bare')")
    taken: float = lab.page.evaluate(RUN, cold)
    lab.page.evaluate(
        """() => {
            const widget = window.jupyterapp.shell.currentWidget;
            widget.context.model.dirty = false;
            widget.close();
        }"""
    )
    lab.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget?.context")
    return taken / 1000


def rows() -> Iterator[Row]:
    """Measure with a cold kernel and with one that was kept running, in turns with the bare one."""
    with launched_chromium() as chromium, ExtensionServer() as server:
        context = chromium.new_context(viewport={"width": 1400, "height": 1000})
        keep_kernels(server)
        lab = ExtensionPage(server, context.new_page())
        lab.open()
        written(server, FILE)
        write_bare(server.root / CELL)
        open_document(lab, True)  # files of the page and of Python come into their caches
        run_bare(lab, True)
        for cold, aim, words in ((True, COLD, "a cold"), (False, WARM, "a warm")):
            taken: list[float] = []
            beside: list[float] = []
            for _ in range(TIMES):
                taken.append(open_document(lab, cold))
                beside.append(run_bare(lab, cold))
            yield Row(
                f"double click to first plot, {words} kernel",
                statistics.median(taken),
                "s",
                aim,
                f"n={TIMES}, {min(taken):.2f} to {max(taken):.2f} s",
            )
            yield Row(
                f"a bare figure and slider, {words} kernel",
                statistics.median(beside),
                "s",
                None,
                f"n={TIMES}, {min(beside):.2f} to {max(beside):.2f} s",
            )
        context.close()
