"""From a key press to redrawn curves, in one page of a real JupyterLab.

The yardstick is a bare ipywidgets slider whose handler only reassigns a bqplot line of two series
of 400 points. Both are timed inside the page, from the key's event to the last change of a
curve's path, and take turns, so that whatever slows the machine slows both.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from playwright.sync_api import Locator

from bench.report import Row, spread
from tests.browser.harness import Lab, NotebookPage, launched_chromium

REPEATS = 40
WARM_UP = 5
STARTS = 3

BARE = """
import bqplot, ipywidgets, numpy as np
from IPython.display import display
x = np.linspace(0, 1, 400)
shape = np.stack([x, x**2])
slider = ipywidgets.IntSlider(value=10, max=1000)
scales = {"x": bqplot.LinearScale(), "y": bqplot.LinearScale(min=0, max=1000)}
line = bqplot.Lines(x=x, y=shape * slider.value, scales=scales)
figure = bqplot.Figure(marks=[line], animation_duration=0)
figure.add_class("bench-bare")
slider.observe(lambda change: setattr(line, "y", shape * change.new), "value")
display(slider, figure)
"""

DASHBOARD = """
import sys
sys.path.insert(0, {root!r})
import margin_widgets as mw
from bench import books
from IPython.display import display
dashboard_{count} = mw.Dashboard(books.account({count}))
dashboard_{count}.add_class("bench-{count}")
display(dashboard_{count})
"""

FIRST = """
import margin_widgets as mw
mw.Dashboard(mw.presets.ref2())
"""

# The answer waits for a pause, so that curves which are redrawn one after another all count.
ARM = """
([plot, quiet]) => {
    const lines = [...document.querySelectorAll(plot)];
    if (!lines.length) throw new Error(`no curve at ${plot}`);
    window.elapsed = new Promise((resolve, reject) => {
        let start, last, timer;
        const finish = () => { observer.disconnect(); resolve(last - start); };
        const observer = new MutationObserver(records => {
            const redrawn = records.some(r => r.oldValue !== r.target.getAttribute('d'));
            if (start === undefined || !redrawn) return;
            last = performance.now();
            clearTimeout(timer);
            timer = setTimeout(finish, quiet);
        });
        for (const line of lines)
            observer.observe(line, {attributeFilter: ['d'], attributeOldValue: true});
        document.addEventListener(
            'keydown', () => { start = performance.now(); }, {capture: true, once: true});
        setTimeout(() => {
            observer.disconnect();
            reject(new Error(`no curve at ${plot} was redrawn`));
        }, 20000);
    });
    window.elapsed.catch(() => {});
}
"""

RUN_TO_PLOT = """
async plot => {
    const start = performance.now();
    window.jupyterapp.commands.execute('notebook:run-all-cells');
    while (performance.now() - start < 60000) {
        await new Promise(requestAnimationFrame);
        if (document.querySelector(plot)?.getAttribute('d')) return performance.now() - start;
    }
    throw new Error(`no curve at ${plot} after a minute`);
}
"""

QUIET = 250  # ms without a redraw that end a measurement
CURVE = ".mw-equity-plot path.line"


def timed(nb: NotebookPage, plot: str, key: str) -> float:
    """Press a key and return the ms until the plot's curves have been redrawn."""
    nb.page.evaluate(ARM, [plot, QUIET])
    nb.page.keyboard.press(key)
    return nb.page.evaluate("() => window.elapsed")


def bare_edit(nb: NotebookPage, turn: int) -> float:
    """Move the bare slider by one step."""
    nb.page.locator(".noUi-handle").first.focus()
    return timed(nb, ".bench-bare path.line", "ArrowRight" if turn % 2 else "ArrowLeft")


def table_edit(nb: NotebookPage, count: int, turn: int) -> float:
    """Type a quantity into the first row of a dashboard's positions table and press Enter."""
    cell = nb.page.locator(f".bench-{count} .tabulator-cell[tabulator-field='quantity']").first
    editor = open_editor(cell)
    editor.fill(str(600 + turn % 7))
    return timed(nb, f".bench-{count} {CURVE}", "Enter")


def open_editor(cell: Locator) -> Locator:
    """Open the cell's editor by one click, or by two where the table wants that."""
    editor = cell.locator("input")
    cell.click()
    try:
        editor.wait_for(timeout=1_000)
    except Exception:  # noqa: BLE001 - Playwright's time-out; the second way decides
        cell.dblclick()
        editor.wait_for(timeout=5_000)
    return editor


def rows(root: str, repeats: int = REPEATS) -> Iterator[Row]:
    """Measure edits of 10 and 200 positions beside the slider, and the first plot."""
    with launched_chromium() as chromium, Lab(chromium) as lab:
        aims = {10: 1.5, 200: 2.5}
        cells = [BARE, *(DASHBOARD.format(root=root, count=count) for count in aims)]
        nb = lab.open_notebook(cells, width=1400, height=1000)
        nb.run_all()
        for count in aims:
            nb.page.locator(f".bench-{count} {CURVE}").first.wait_for(state="attached")

        bare: list[float] = []
        edits: dict[int, list[float]] = {count: [] for count in aims}
        for turn in range(WARM_UP + repeats):
            measured = [bare_edit(nb, turn), *(table_edit(nb, count, turn) for count in aims)]
            if turn >= WARM_UP:
                bare.append(measured[0])
                for count, time in zip(aims, measured[1:], strict=True):
                    edits[count].append(time)

        yardstick = statistics.median(bare)
        yield Row("bare slider to redrawn line", yardstick, "ms", None, spread(bare))
        for count, aim in aims.items():
            median = statistics.median(edits[count])
            yield Row(
                f"quantity cell to redrawn curves, {count}",
                median,
                "ms",
                None,
                spread(edits[count]),
            )
            yield Row(f"the same over the bare slider, {count}", median / yardstick, "", aim)
        lab.close_notebooks()

        starts = []
        for _ in range(STARTS):
            fresh = lab.open_notebook([FIRST], width=1400, height=1000)
            starts.append(fresh.page.evaluate(RUN_TO_PLOT, CURVE) / 1000)
            lab.close_notebooks()
        yield Row(
            "run to first dashboard",
            statistics.median(starts),
            "s",
            3.0,
            f"n={STARTS}, new kernels",
        )
