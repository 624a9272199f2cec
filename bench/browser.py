"""From a key press or a drag to what is redrawn, in one page of a real JupyterLab.

The yardstick is a bare ipywidgets slider whose handler only reassigns a bqplot line of two series
of 400 points. Both are timed inside the page, from the key's event to the last change of a
curve's path, and of anything at all in the dashboard, and take turns, so that whatever slows the
machine slows both.
"""

from __future__ import annotations

import statistics
import time
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

# The answer waits for a pause, so that curves which are redrawn one after another all count, and
# with them the cells, cards, words and the open tab: everything that changes below `root`.
ARM = """
([root, curve, quiet]) => {
    const watched = document.querySelector(root);
    if (!watched?.querySelector(curve)) throw new Error(`no curve at ${root} ${curve}`);
    window.elapsed = new Promise((resolve, reject) => {
        let start, lastCurve, last, timer;
        const finish = () => {
            observer.disconnect();
            resolve([lastCurve - start, last - start]);
        };
        const changed = r => r.type !== 'attributes'
            || r.oldValue !== r.target.getAttribute(r.attributeName);
        const observer = new MutationObserver(records => {
            if (start === undefined || !records.some(changed)) return;
            last = performance.now();
            const redrawn = records.some(r => r.attributeName === 'd' && r.target.matches(curve)
                && r.oldValue !== r.target.getAttribute('d'));
            if (redrawn) lastCurve = last;
            clearTimeout(timer);
            if (lastCurve !== undefined) timer = setTimeout(finish, quiet);
        });
        observer.observe(watched, {
            subtree: true, childList: true, characterData: true, attributes: true,
            attributeOldValue: true,
        });
        document.addEventListener(
            'keydown', () => { start = performance.now(); }, {capture: true, once: true});
        setTimeout(() => {
            observer.disconnect();
            reject(new Error(`no curve at ${root} ${curve} was redrawn`));
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

QUIET = 250  # ms without a change that end a measurement
SLOW_QUIET = 800  # the same where an open tab may take long over its own part
CURVE = ".mw-equity-plot path.line"
TABS = ("solve", "repair", "rules", "venues", "ratio", "frontier", "leverage", "shocks")
TAB_REPEATS = 5

Timed = tuple[float, float]
"""Ms until the last change of a curve, and until the last change of anything."""


def timed(nb: NotebookPage, root: str, curve: str, key: str, quiet: int = QUIET) -> Timed:
    """Press a key and return the ms until the curves, and everything, have been redrawn."""
    nb.page.evaluate(ARM, [root, curve, quiet])
    nb.page.keyboard.press(key)
    curves, all_of_it = nb.page.evaluate("() => window.elapsed")
    return curves, all_of_it


def bare_edit(nb: NotebookPage, turn: int) -> float:
    """Move the bare slider by one step."""
    nb.page.locator(".noUi-handle").first.focus()
    return timed(nb, ".bench-bare", "path.line", "ArrowRight" if turn % 2 else "ArrowLeft")[0]


def table_edit(nb: NotebookPage, count: int, turn: int, quiet: int = QUIET) -> Timed:
    """Type a quantity into the first row of a dashboard's positions table and press Enter."""
    cell = nb.page.locator(f".bench-{count} .tabulator-cell[tabulator-field='quantity']").first
    editor = open_editor(cell)
    editor.fill(str(600 + turn % 7))
    return timed(nb, f".bench-{count}", CURVE, "Enter", quiet)


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
    """Measure edits of 10 and 200 positions beside the slider, a drag, and the first plot."""
    with launched_chromium() as chromium, Lab(chromium) as lab:
        aims = {10: 1.5, 200: 2.0}
        cells = [BARE, *(DASHBOARD.format(root=root, count=count) for count in aims)]
        nb = lab.open_notebook(cells, width=1400, height=1000)
        nb.run_all()
        for count in aims:
            nb.page.locator(f".bench-{count} {CURVE}").first.wait_for(state="attached")
        yield from edit_rows(nb, aims, repeats)
        yield from tab_rows(nb, max(aims))
        lab.close_notebooks()
        yield from drag_rows(lab)
        lab.close_notebooks()
        yield start_row(lab)


def edit_rows(nb: NotebookPage, aims: dict[int, float], repeats: int) -> Iterator[Row]:
    """An edit in the default dashboard, until the curves and until everything is redrawn."""
    bare: list[float] = []
    edits: dict[int, list[Timed]] = {count: [] for count in aims}
    for turn in range(WARM_UP + repeats):
        bare_time = bare_edit(nb, turn)
        measured = {count: table_edit(nb, count, turn) for count in aims}
        if turn >= WARM_UP:
            bare.append(bare_time)
            for count, times in measured.items():
                edits[count].append(times)
    yardstick = statistics.median(bare)
    yield Row("bare slider to redrawn line", yardstick, "ms", None, spread(bare))
    for count, aim in aims.items():
        for n, what in enumerate(("curves", "all that is visible")):
            taken = [one[n] for one in edits[count]]
            median = statistics.median(taken)
            name = f"quantity cell to {what} redrawn, {count}"
            yield Row(name, median, "ms", None, spread(taken))
            limit = aim if n else None
            yield Row(f"the same over the bare slider, {count}", median / yardstick, "", limit)


def tab_rows(nb: NotebookPage, count: int) -> Iterator[Row]:
    """The same edit with a tab open that computes something of its own."""
    for tab in TABS:
        nb.run(f"dashboard_{count}._open_tab({tab!r})")
        nb.page.wait_for_timeout(1_000)
        times = [table_edit(nb, count, turn, SLOW_QUIET)[1] for turn in range(TAB_REPEATS + 1)][1:]
        yield Row(
            f"edit to all redrawn with tab {tab}, {count}",
            statistics.median(times),
            "ms",
            None,
            spread(times),
        )


DRAG_SECONDS = 2.0
MESSAGES_AT_MOST = 10.0
DRAGGED = """
import margin_widgets as mw
dashboard = mw.Dashboard(mw.presets.ref2(), mw.Selection(view="BTCUSDT"))
sent = []

def counted(line, send):
    def pass_on(message, buffers=None):
        sent.append(line)
        send(message, buffers)
    return pass_on

for name in ("cross_line", "isolated_line"):
    line = getattr(dashboard.equity, name)
    line._send = counted(name, line._send)
dashboard
"""


def drag_rows(lab: Lab) -> Iterator[Row]:
    """Drag the isolated LIQ marker for two seconds: messages, bytes, and where it ends."""
    nb = lab.open_notebook([DRAGGED], width=1400, height=1000)
    nb.run_all()
    marker = nb.page.locator('.mw-equity-plot path.element[style*="--mw-isolated"]')
    box = marker.filter(visible=True).first.bounding_box()
    frame = nb.page.locator(".mw-equity-plot .mw-plot").first.bounding_box()
    assert box is not None
    assert frame is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    low, high = (
        float(nb.run(f"print(float(dashboard.equity.x_axis.scale.{end}))"))
        for end in ("min", "max")
    )
    nb.run("sent.clear()")
    nb.ws_frames.reset()
    nb.page.mouse.move(x, y)
    nb.page.mouse.down()
    begin, step, to = time.monotonic(), 0, x
    while time.monotonic() - begin < DRAG_SECONDS:
        step += 1
        to = x - 10 - abs(step % 120 - 60)
        nb.page.mouse.move(to, y)
        nb.page.wait_for_timeout(8)
    lasted = time.monotonic() - begin
    during = int(nb.run("print(max(map(sent.count, set(sent)), default=0))"))
    traffic = nb.ws_frames.sent_bytes + nb.ws_frames.received_bytes
    frames = nb.ws_frames.sent + nb.ws_frames.received
    nb.page.mouse.up()
    revision = "print(dashboard.account.revision)"
    nb.wait_until(lambda: nb.run(revision) == "2", message="one edit")
    price = float(
        nb.run("print(dashboard.account.isolated.positions['BTCUSDT'].liquidation_price)")
    )
    shown = frame["x"] + (price - low) / (high - low) * frame["width"]
    yield Row(
        "curve messages a second while a marker is dragged",
        during / lasted,
        "",
        MESSAGES_AT_MOST,
        f"{during} in {lasted:.1f} s, {step} moves of the mouse",
    )
    yield Row(
        "bytes a second meanwhile, both ways",
        traffic / lasted / 1000,
        "kB",
        None,
        f"{frames} frames",
    )
    yield Row("marker from where it was released", abs(shown - to), "px", 2.0, "one edit")


def start_row(lab: Lab) -> Row:
    """From running a cell in a new kernel to the first plot."""
    starts = []
    for _ in range(STARTS):
        fresh = lab.open_notebook([FIRST], width=1400, height=1000)
        starts.append(fresh.page.evaluate(RUN_TO_PLOT, CURVE) / 1000)
        lab.close_notebooks()
    return Row(
        "run to first dashboard", statistics.median(starts), "s", 3.0, f"n={STARTS}, new kernels"
    )
