"""The hosts other than JupyterLab: how each is started, and what a page in it is."""

from __future__ import annotations

import functools
import http.server
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from playwright.sync_api import BrowserContext, Page

from tests.browser.harness import (
    FOREIGN_NOISE,
    Lab,
    LabPage,
    LabServer,
    NotebookPage,
    WatchedPage,
    environment,
    plain,
    wait_until,
    write_notebook,
)
from tests.lab.lab_page import ExtensionPage

ROOT = Path(__file__).resolve().parent.parent.parent


def lightness(page: Page, selector: str, part: str = "backgroundColor") -> float:
    """Return how light a colour of an element is, from 0 to 1.

    Where it has no background, that of the nearest element around it counts.
    """
    answer = page.locator(selector).first.evaluate(
        """(element, part) => {
            let colour = getComputedStyle(element)[part];
            while (part === 'backgroundColor' && /, 0\\)$/.test(colour) && element.parentElement) {
                element = element.parentElement;
                colour = getComputedStyle(element)[part];
            }
            const [red, green, blue] = colour.match(/[\\d.]+/g).map(Number);
            return (red + green + blue) / (colour.startsWith('color(') ? 3 : 765);
        }""",
        part,
    )
    return float(answer)


# -- Notebook 7 --------------------------------------------------------------------------------


class NotebookServer(LabServer):
    """Jupyter Notebook 7 on a free port, with the extension as this checkout has built it."""

    module = "notebook"

    def prepare(self, base: Path) -> None:
        """Put the extension where this server looks for it."""
        extensions = base / "data" / "labextensions"
        extensions.mkdir(parents=True)
        (extensions / "margin-widgets").symlink_to(ROOT / "margin_widgets" / "labextension")


class DocumentPage(NotebookPage):
    """A notebook in Notebook 7, which has a page for each."""

    noise: ClassVar = {
        **FOREIGN_NOISE,
        r"reading 'schema'[\s\S]*/static/notebook/notebook_core": "Notebook reads a settings"
        " schema too early, on an empty notebook as well",
    }

    def address(self) -> str:
        """Return the path of the page and its query, up to the token."""
        return f"notebooks/{self.path}?"


class Notebook7(Lab):
    """A Notebook 7 server and a browser."""

    server_type = NotebookServer
    page_type = DocumentPage


# -- Voila -------------------------------------------------------------------------------------


class VoilaServer:
    """Voila, started as its users do, on one notebook of these code cells."""

    def __init__(self, cells: Sequence[str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="voila-", ignore_cleanup_errors=True)
        base = Path(self._folder.name)
        self._log = base / "server.log"
        notebook = base / "dashboard.ipynb"
        write_notebook(notebook, cells)
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]  # Voila itself would take port 0 at its word
        options = ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "voila", notebook, *options],
                cwd=base,
                env=environment(base),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self.url = wait_until(self._find_url, 90, "start of voila", interval=0.1)
        except BaseException:
            self.close()
            raise

    def _find_url(self) -> str | None:
        if self._process.poll() is not None:
            raise RuntimeError(f"voila ended at its start:\n{self.log()}")
        found = re.search(r"http://127\.0\.0\.1:\d+", self.log())
        return found[0] if found else None

    def log(self) -> str:
        """Return what the server has printed so far."""
        return plain(self._log.read_text(errors="replace"))

    def close(self) -> None:
        """Shut kernels and server down."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class VoilaPage(WatchedPage):
    """A notebook as Voila shows it: outputs only."""

    # No template of Voila's can do without; nothing of ours has such an icon.
    foreign: ClassVar = {r"^https://cdn\.jsdelivr\.net/npm/@fortawesome/": "Voila's own icons"}
    noise: ClassVar = {
        **FOREIGN_NOISE,
        **foreign,
        r"cdn\.jsdelivr\.net/npm/@fortawesome/": "the same",
        # Voila tries all extensions of JupyterLab, and does without those that need more of it.
        r"hared module [\s\S]*/voila/labextensions/@jupyter-notebook/": "Notebook's",
        r"hared module [\s\S]*/voila/labextensions/margin-widgets/": "what only JupyterLab shows",
    }


# -- JupyterLite -------------------------------------------------------------------------------


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, in silence."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass


class StaticServer:
    """A folder served by nothing but Python's own web server."""

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(_Files, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LitePage(LabPage):
    """A notebook in JupyterLite, whose kernel runs in a worker of the page itself."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        super().__init__(context.new_page())
        self.requests: list[str] = []
        # Those of the page's workers, too: the kernel is one.
        context.on("request", lambda request: self._on_any_request(request.url))
        self._url = url

    def _on_any_request(self, url: str) -> None:
        self.requests.append(url)
        self._on_request(url)

    def open(self, notebook: str) -> None:
        """Open a notebook of the site; its kernel starts."""
        self.page.goto(f"{self._url}/lab/index.html?path={notebook}")
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel",
            timeout=60_000,
        )


class LiteAccounts(ExtensionPage):
    """A page of JupyterLite in which accounts are opened."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        WatchedPage.__init__(self, context.new_page())
        # Those of the page's workers, too: each kernel is one.
        context.on("request", lambda request: self._on_request(request.url))
        self._url = url

    def load(self) -> None:
        """Load JupyterLite, which does not keep what was open."""
        self.page.goto(f"{self._url}/lab/index.html")
        self.page.wait_for_function("() => window.jupyterapp?.restored", timeout=60_000)
        self.page.evaluate("() => window.jupyterapp.restored")

    def saved(self, path: str) -> str:
        """Text of a file in the browser's storage."""
        found: str = self.page.evaluate(
            """async path => {
                const { contents } = window.jupyterapp.serviceManager;
                return (await contents.get(path, { content: true })).content;
            }""",
            path,
        )
        return found

    def kernels(self) -> int:
        """How many kernels run."""
        found: int = self.page.evaluate(
            """async () => {
                const { sessions } = window.jupyterapp.serviceManager;
                await sessions.refreshRunning();
                return [...sessions.running()].length;
            }"""
        )
        return found
