"""JupyterLab with the extension, and a page of it in the words of the tests."""

from __future__ import annotations

import json
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import nbformat
from playwright.sync_api import Locator, Page

import margin_widgets as mw
from margin_widgets.account.document import dumps
from tests.browser.harness import LabServer, WatchedPage

ROOT = Path(__file__).resolve().parent.parent.parent

# A kernel in whose environment the package is missing while a file named as in its arguments is
# there: what an environment without it says when it is imported.
KERNEL = """\
import sys
from pathlib import Path

absent = Path(sys.argv.pop(1))


class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "margin_widgets":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if absent.exists():
    sys.meta_path.insert(0, Absent)

from ipykernel.kernelapp import launch_new_instance

launch_new_instance()
"""

# A kernel that has died is noticed, and one that is to end does end, without waiting for seconds.
PROMPT = """
c.KernelRestarter.time_to_dead = 0.5
c.KernelManager.shutdown_wait_time = 0.2
"""

# Lets a server whose environment has the package's dependencies, but not itself, know what
# pyproject.toml says of its catalogues.
OWN_CATALOGUES = """
import importlib.metadata
if not importlib.metadata.entry_points(group="jupyterlab.locale", name="margin_widgets"):
    sys.path += [{folder!r}, {root!r}]
"""


class ExtensionServer(LabServer):
    """JupyterLab with the extension as this checkout has built it."""

    def prepare(self, base: Path) -> None:
        """Put extension and kernel where this server looks for them."""
        extensions = base / "data" / "labextensions"
        extensions.mkdir(parents=True)
        built = ROOT / "margin_widgets" / "labextension"
        assert built.is_dir(), "the extension is not built; run `make frontend` in the checkout"
        (extensions / "margin-widgets").symlink_to(built)
        self.absent = base / "package-is-absent"
        kernel = base / "data" / "kernels" / "margin"
        kernel.mkdir(parents=True)
        (kernel / "start.py").write_text(KERNEL)
        start = [sys.executable, str(kernel / "start.py"), str(self.absent)]
        spec = {
            "argv": [*start, "-f", "{connection_file}"],
            "display_name": "Margin Python",
            "language": "python",
            "env": {"PYTHONPATH": str(ROOT)},
        }
        (kernel / "kernel.json").write_text(json.dumps(spec))
        packs = base / "packs"
        add_language_pack(packs, "de_DE")
        add_catalogues(base / "catalogues")
        with (base / "config" / "jupyter_server_config.py").open("a") as config:
            config.write('c.MultiKernelManager.default_kernel_name = "margin"\n')
            config.write(PROMPT)
            config.write(f"import sys\nsys.path.append({str(packs)!r})\n")
            config.write(OWN_CATALOGUES.format(folder=str(base / "catalogues"), root=str(ROOT)))

    def sessions(self) -> list[dict[str, Any]]:
        """Sessions that run."""
        found: list[dict[str, Any]] = self.request("GET", "/api/sessions")
        return found

    def session(self, path: str) -> dict[str, Any]:
        """The session of an account's document."""
        return next(one for one in self.sessions() if one["path"] == f"{path}~desk")

    def kernel_process(self, kernel: str) -> int:
        """Return the process of a kernel."""
        name = f"kernel-{kernel}.json".encode()
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word.endswith(name) for word in words):
                return int(entry.parent.name)
        raise AssertionError(f"no process of kernel {kernel}")


def add_language_pack(folder: Path, locale: str) -> None:
    """Install a language pack without words; JupyterLab offers only languages that have one."""
    name = f"jupyterlab_language_pack_{locale}"
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").touch()
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[jupyterlab.languagepack]\n{locale} = {name}\n")


def add_catalogues(folder: Path) -> None:
    """Write the metadata by which an installed package tells JupyterLab of its catalogues."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    metadata = folder / "margin_widgets-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: margin-widgets\nVersion: 0\n")
    entries = project["entry-points"]["jupyterlab.locale"]
    lines = ["[jupyterlab.locale]", *(f"{name} = {module}" for name, module in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")


class ExtensionPage(WatchedPage):
    """A page of JupyterLab in which accounts are opened."""

    def __init__(self, server: ExtensionServer, page: Page) -> None:
        super().__init__(page)
        self.server = server
        self.workspace = uuid.uuid4().hex

    def open(self, reset: bool = True) -> None:
        """Load JupyterLab in this page's workspace."""
        server = self.server
        query = f"?{'reset&' if reset else ''}token={server.token}"
        self.page.goto(f"{server.url}/lab/workspaces/{self.workspace}{query}")
        self.page.wait_for_function("() => window.jupyterapp?.restored", timeout=60_000)
        self.page.evaluate("() => window.jupyterapp.restored")

    def command(self, name: str, **arguments: Any) -> None:
        """Start a command as menus do; it may wait for a dialog."""
        self.page.evaluate(
            "([name, args]) => { void window.jupyterapp.commands.execute(name, args); }",
            [name, arguments],
        )

    def show(self, path: str, factory: str = "default") -> Locator:
        """Open a file as a double click does; return its tab's content."""
        self.command("docmanager:open", path=path, factory=factory)
        return self.tab(path)

    def tab(self, path: str) -> Locator:
        """The content of the tab in front, which must be that of a file."""
        self.page.wait_for_function(
            "path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=path
        )
        shown = self.page.evaluate("() => window.jupyterapp.shell.currentWidget.id")
        return self.page.locator(f"#{shown}")

    def dashboard(self, path: str) -> Dashboard:
        """Open a file that is a sound account and wait for its plot."""
        return Dashboard(self, self.show(path), path)

    def text(self, path: str) -> str:
        """Text of a document as the page has it, saved or not."""
        found: str = self.page.evaluate(
            """path => {
                for (const widget of window.jupyterapp.shell.widgets('main')) {
                    if (widget.context?.path === path) {
                        return widget.context.model.toString();
                    }
                }
                return '';
            }""",
            path,
        )
        return found

    def is_dirty(self, path: str) -> bool:
        """Whether the page has edits of a document that are not saved."""
        found: bool = self.page.evaluate(
            """path => [...window.jupyterapp.shell.widgets('main')].some(
                widget => widget.context?.path === path && widget.context.model.dirty)""",
            path,
        )
        return found

    def close_all(self) -> None:
        """Close all tabs, edits discarded, and end what still runs."""
        self.page.evaluate(
            """() => {
                for (const widget of [...window.jupyterapp.shell.widgets('main')]) {
                    if (widget.context) {
                        widget.context.model.dirty = false;
                    }
                    widget.close();
                }
            }"""
        )
        self.page.wait_for_function(
            "() => [...window.jupyterapp.shell.widgets('main')].every(one => !one.context)"
        )
        for session in self.server.sessions():
            try:
                self.server.request("DELETE", f"/api/sessions/{session['id']}")
            except HTTPError as error:
                if error.code != 404:  # the tab that was closed has ended it meanwhile
                    raise


class Dashboard:
    """A dashboard in a tab."""

    def __init__(self, lab: ExtensionPage, tab: Locator, path: str) -> None:
        self.lab, self.page, self.root, self.path = lab, lab.page, tab, path
        self.wait()

    def wait(self) -> None:
        """Wait for the plot of a dashboard that takes edits."""
        self.root.locator(".mwl-view:not([inert]) .mw-equity-plot path.line").first.wait_for(
            state="attached", timeout=30_000
        )
        self.root.locator(".tabulator-row").first.wait_for(timeout=30_000)

    def cell(self, row: int, field: str) -> Locator:
        """A cell of the positions."""
        rows = self.root.locator(".mw-table").first.locator(".tabulator-row")
        return rows.nth(row).locator(f'.tabulator-cell[tabulator-field="{field}"]')

    def edit(self, row: int, field: str, text: str) -> None:
        """Type into a cell."""
        self.cell(row, field).dblclick()
        editor = self.cell(row, field).locator("input")
        editor.fill(text)
        editor.press("Enter")

    def verdict(self) -> str:
        """The sentence."""
        return self.root.locator(".mw-verdict").inner_text()

    def document(self) -> dict[str, Any]:
        """The document as the page has it, saved or not."""
        found: dict[str, Any] = json.loads(self.lab.text(self.path))
        return found

    def wait_document(self, field: str, value: object, row: int = 0) -> None:
        """Wait until a field of a position is in the document."""
        self.lab.wait_until(
            lambda: self.document()["positions"][row][field] == value,
            message=f"{field} of the document",
        )


def written(server: ExtensionServer, name: str, account: mw.Account | None = None) -> Path:
    """Write a file in the server's folder, by default of the reference account."""
    path = server.root / name
    path.write_text(dumps((account or mw.presets.ref2()).state), encoding="utf-8")
    return path


def notebook(server: ExtensionServer, name: str, *cells: str) -> Path:
    """Write a notebook of these code cells, for the kernel that has the package."""
    path = server.root / name
    document = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code) for code in cells],
        metadata={"kernelspec": {"display_name": "M", "language": "python", "name": "margin"}},
    )
    nbformat.write(document, path)
    return path
