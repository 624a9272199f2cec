"""A real JupyterLab and a real Chromium, for tests and measurements of what a person sees.

`LabServer` is a server with folders of its own; `Lab` is such a server and a browser;
`NotebookPage` is a notebook opened in it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import nbformat
import websocket
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, WebSocket, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from scripts import chromium

T = TypeVar("T")

# The Python of the environment whose JupyterLab is used; another one tests another version.
JUPYTER = os.environ.get("MARGIN_WIDGETS_TEST_JUPYTER", sys.executable)

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-lcd-text",
    "--force-color-profile=srgb",
    # Nothing but this machine can be reached, so a part that needs the network shows itself.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]

# Console errors that are not ours: a pattern of text or address, and why it may be passed over.
FOREIGN_NOISE = {
    r"favicon": "Lab asks for icons of pages that have none",
    r"/api/(contents|sessions|kernels)/?.*\b404\b": "Lab polls a notebook or kernel just closed",
}

# What Lab would otherwise fetch or ask for by itself.
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "doNotDisturbMode": True,
        "fetchNews": "false",
    },
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}

CONFIG = """\
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port = 0
c.ServerApp.open_browser = False
c.ServerApp.allow_root = True
c.ServerApp.token = {token!r}
c.ServerApp.root_dir = {root!r}
c.LabApp.expose_app_in_browser = True
c.JupyterNotebookApp.expose_app_in_browser = True
c.LabApp.extension_manager = "readonly"
c.FileContentsManager.delete_to_trash = False
"""


def wait_until(
    condition: Callable[[], T],
    timeout: float = 10.0,
    message: str = "",
    pause: Callable[[float], object] = time.sleep,
    interval: float = 0.05,
) -> T:
    """Call until the answer is true and return it; fail with the last answer after `timeout` s."""
    end = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(
                f"{message or 'condition'}: not reached in {timeout} s, last answer {answer!r}"
            )
        pause(interval)


def environment(base: Path) -> dict[str, str]:
    """Return variables with which a server and its kernels keep to a folder of their own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    return kept | {
        "HOME": str(base),
        "IPYTHONDIR": str(base / "ipython"),
        "JUPYTER_CONFIG_DIR": str(base / "config"),
        "JUPYTER_DATA_DIR": str(base / "data"),
        "JUPYTER_RUNTIME_DIR": str(base / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(base / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(base / "workspaces"),
        "MARGIN_WIDGETS_STRICT": "1",
        "PYTHONUNBUFFERED": "1",
    }


class LabServer:
    """JupyterLab on a free port; its folders, settings and kernels are its own."""

    module: ClassVar[str] = "jupyterlab"

    def __init__(self) -> None:
        self.token = uuid.uuid4().hex
        self._folder = tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True)
        base = Path(self._folder.name)
        self.root = base / "root"
        self._runtime = base / "runtime"
        self._log = base / "server.log"
        config = base / "config"
        for folder in (self.root, self._runtime, config / "labconfig"):
            folder.mkdir(parents=True)
        (config / "jupyter_server_config.py").write_text(
            CONFIG.format(token=self.token, root=str(self.root))
        )
        (config / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
        self.prepare(base)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [JUPYTER, "-m", self.module],
                cwd=self.root,
                env=environment(base),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self.url = wait_until(self._find_url, 90, f"start of {self.module}", interval=0.1)
        except BaseException:
            self.close()
            raise

    def prepare(self, base: Path) -> None:
        """Put into the server's folders, before it starts, what a subclass wants there."""

    def _find_url(self) -> str | None:
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.module} ended at its start:\n{self.log()}")
        for path in self._runtime.glob("jpserver-*.json"):
            try:
                port = json.loads(path.read_text())["port"]
                self.url = f"http://127.0.0.1:{port}"
                self.request("GET", "/api/status")
            except (OSError, ValueError):
                return None  # written at this moment, or not listening yet
            return self.url
        return None

    def log(self) -> str:
        """Return what the server has printed so far."""
        return self._log.read_text(errors="replace")

    def request(self, method: str, path: str) -> Any:
        """Call the server's REST interface and return the decoded answer."""
        request = Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urlopen(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def close(self) -> None:
        """Shut kernels and server down and remove the folders."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
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


@dataclass
class FrameCount:
    """What went over the page's websockets, in messages and bytes."""

    sent: int = 0
    received: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0

    def reset(self) -> None:
        """Start counting from zero."""
        self.sent = self.received = self.sent_bytes = self.received_bytes = 0

    def watch(self, socket: WebSocket) -> None:
        """Count the frames of this socket too."""
        socket.on("framesent", self._on_sent)
        socket.on("framereceived", self._on_received)

    def _on_sent(self, payload: str | bytes) -> None:
        self.sent += 1
        self.sent_bytes += len(payload)

    def _on_received(self, payload: str | bytes) -> None:
        self.received += 1
        self.received_bytes += len(payload)


class KernelError(AssertionError):
    """Code raised in the kernel; the text is its traceback."""


@dataclass
class KernelChannel:
    """A second client of a notebook's kernel, over the server's websocket."""

    server: LabServer
    kernel_id: str
    _session: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        address = self.server.url.replace("http", "ws", 1)
        self._socket = websocket.create_connection(
            f"{address}/api/kernels/{self.kernel_id}/channels?session_id={self._session}",
            header=[f"Authorization: token {self.server.token}"],
            timeout=30,
        )

    def run(self, code: str, timeout: float = 60) -> str:
        """Execute code; return what it printed, followed by the text of its last expression."""
        message_id = uuid.uuid4().hex
        self._socket.send(json.dumps(self._execute_request(message_id, code)))
        end = time.monotonic() + timeout
        texts: list[str] = []
        error = ""
        # The reply and the idle status come on two channels, in either order.
        missing = {"execute_reply", "idle"}
        while missing:
            self._socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                frame = self._socket.recv()
            except websocket.WebSocketTimeoutException:
                raise AssertionError(f"the kernel did not answer in {timeout} s: {code}") from None
            if isinstance(frame, bytes):  # arrays on their way to a widget
                continue
            message = json.loads(frame)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                texts.append(content["text"])
            elif kind in {"execute_result", "display_data"}:
                texts.append(content["data"].get("text/plain", ""))
            elif kind == "error":
                error = plain("\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                missing.discard("idle")
            elif kind == "execute_reply":
                missing.discard("execute_reply")
        if error:
            raise KernelError(error)
        return "".join(texts).strip()

    def _execute_request(self, message_id: str, code: str) -> dict[str, Any]:
        header = {
            "msg_id": message_id,
            "msg_type": "execute_request",
            "session": self._session,
            "username": "",
            "version": "5.3",
        }
        content = {
            "code": code,
            "silent": False,
            "store_history": False,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        return {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
            "buffers": [],
        }

    def close(self) -> None:
        """Leave the kernel to its other clients."""
        self._socket.close()


class WatchedPage:
    """A browser page whose errors and requests are kept. `page` is Playwright's."""

    noise: ClassVar[dict[str, str]] = FOREIGN_NOISE
    # Requests to elsewhere that are not ours: a pattern of addresses, and whose they are.
    foreign: ClassVar[dict[str, str]] = {}

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console_errors: list[str] = []
        self.foreign_requests: list[str] = []
        self.ws_frames = FrameCount()
        self._listeners: dict[Any, Callable[[Any], None]] = {
            "console": self._on_console,
            "pageerror": lambda error: self._add_error(f"{error}\n{error.stack}"),
            "request": lambda request: self._on_request(request.url),
            "websocket": self.ws_frames.watch,
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)

    def unwatch(self) -> None:
        """Listen to the page no more."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._add_error(f"{message.text} ({message.location.get('url', '')})")

    def _add_error(self, text: str) -> None:
        if not any(re.search(pattern, text) for pattern in self.noise):
            self.console_errors.append(text)

    def _on_request(self, url: str) -> None:
        parts = urlsplit(url)
        if (
            parts.scheme in {"http", "https"}
            and parts.hostname not in {"127.0.0.1", "localhost"}
            and not any(re.search(pattern, url) for pattern in self.foreign)
        ):
            self.foreign_requests.append(url)

    def wait_until(self, condition: Callable[[], T], timeout: float = 10.0, message: str = "") -> T:
        """Wait for a condition while the page's events are handled."""
        return wait_until(
            condition, timeout, message, lambda s: self.page.wait_for_timeout(s * 1000)
        )

    def assert_clean_console(self) -> None:
        """Fail if the page logged an error of ours or reached beyond this machine."""
        assert not self.console_errors, "console errors:\n" + "\n".join(self.console_errors)
        assert not self.foreign_requests, f"requests to other hosts: {self.foreign_requests}"

    def close(self) -> None:
        """Close the page."""
        self.page.close()


def change_theme(page: Page, theme: str) -> None:
    """Switch the JupyterLab of a page to its light or dark theme."""
    page.evaluate(
        "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
        f"JupyterLab {theme.capitalize()}",
    )
    light = "true" if theme == "light" else "false"
    page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")
    # Lab covers the page while it changes, and takes the cover of a next change away with it.
    page.wait_for_selector("#jupyterlab-splash", state="detached")


class LabPage(WatchedPage):
    """A notebook in a browser page of JupyterLab, or of an application made of its parts."""

    def set_theme(self, theme: str) -> None:
        """Switch JupyterLab to its light or dark theme."""
        change_theme(self.page, theme)

    def run_all(self, timeout: float = 120) -> None:
        """Run all cells as the menu does; fail with the traceback of a cell that raises."""
        self.start_all()
        self.finish_all(timeout)

    def start_all(self) -> None:
        """Begin to run all cells."""
        self.page.evaluate(
            """() => {
                window.allCellsRan = false;
                window.jupyterapp.commands.execute('notebook:run-all-cells')
                    .finally(() => { window.allCellsRan = true; });
            }"""
        )

    def finish_all(self, timeout: float) -> None:
        """Wait until all cells have run; fail with the traceback of a cell that raises."""
        self.page.wait_for_function(
            "() => window.allCellsRan && window.jupyterapp.shell.currentWidget"
            ".sessionContext.session.kernel.status === 'idle'",
            timeout=timeout * 1000,
        )
        for number, outputs in enumerate(self.outputs()):
            for output in outputs:
                if output["output_type"] == "error":
                    trace = plain("\n".join(output["traceback"]))
                    raise KernelError(f"cell {number} raised\n{trace}")

    def add_cell(self, code: str) -> None:
        """Append a code cell and run it as the menu does."""
        self.page.evaluate(
            """async code => {
                const panel = window.jupyterapp.shell.currentWidget;
                const cells = panel.content.model.sharedModel;
                cells.insertCell(cells.cells.length, {cell_type: 'code', source: code});
                panel.content.activeCellIndex = cells.cells.length - 1;
                panel.content.deselectAll();
                await window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            code,
        )

    def outputs(self) -> list[list[dict[str, Any]]]:
        """Return the outputs of every cell, as the notebook file would hold them."""
        cells = self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
        )
        return [cell.get("outputs", []) for cell in cells]


class NotebookPage(LabPage):
    """A notebook in a browser page, with a kernel that the server runs."""

    def __init__(self, lab: Lab, page: Page, path: str) -> None:
        super().__init__(page)
        self.lab = lab
        self.path = path
        self.kept = False
        """Whether another notebook is to be opened in the page."""
        self._channel: KernelChannel | None = None

    def open(self, theme: str) -> None:
        """Open the notebook in its page, wait for its kernel and set the theme."""
        server = self.lab.server
        if self.page.url == "about:blank":
            self.page.goto(f"{server.url}/{self.address()}token={server.token}")
        else:
            self.page.evaluate(
                "path => { jupyterapp.commands.execute('docmanager:open', {path}); }", self.path
            )
        # The notebook's widget exists before its kernel does.
        self.page.wait_for_function(
            """path => {
                const shown = window.jupyterapp?.shell.currentWidget;
                return shown?.context?.path === path
                    && shown.sessionContext?.session?.kernel?.status === "idle";
            }""",
            arg=self.path,
            timeout=60_000,
        )
        self.set_theme(theme)

    def address(self) -> str:
        """Return the path of the page and its query, up to the token."""
        return f"doc/workspaces/{uuid.uuid4().hex}/tree/{self.path}?reset&"

    def run(self, code: str, timeout: float = 60) -> str:
        """Run code in the notebook's kernel, outside the page, and return its text output."""
        if self._channel is None:
            self._channel = KernelChannel(self.lab.server, self._session()["kernel"]["id"])
        return self._channel.run(code, timeout)

    def _session(self) -> dict[str, Any]:
        sessions = self.lab.server.request("GET", "/api/sessions")
        return next(item for item in sessions if item["path"] == self.path)

    def screenshot(self, name: str, target: Locator | str | None = None) -> Path:
        """Save a picture of the page, or of one element, once two in a row are equal."""
        locator = self.page.locator(target).first if isinstance(target, str) else target
        path = self.lab.shots / f"{name}.png"
        previous = b""
        for _ in range(20):
            source = locator or self.page
            picture = source.screenshot(animations="disabled", caret="hide")
            if picture == previous:
                break
            previous = picture
            self.page.wait_for_timeout(100)
        path.write_bytes(previous)
        return path

    def leave(self) -> Page | None:
        """Close the notebook alone; return its page, or None if it cannot hold another one."""
        try:
            free = self.page.evaluate(
                """() => {
                    const shown = [...window.jupyterapp.shell.widgets("main")];
                    for (const widget of shown) widget.dispose();
                    return !document.querySelector(".jp-Dialog");
                }"""
            )
        except PlaywrightError:  # not loaded yet, or broken by what the test has done to it
            free = False
        if not free:
            self.close()
            return None
        self.unwatch()
        self._end_kernel()
        return self.page

    def close(self) -> None:
        """Close the page and shut its kernel down."""
        super().close()
        self._end_kernel()

    def _end_kernel(self) -> None:
        if self._channel is not None:
            self._channel.close()
        for session in self.lab.server.request("GET", "/api/sessions"):
            if session["path"] == self.path:
                try:
                    self.lab.server.request("DELETE", f"/api/sessions/{session['id']}")
                except HTTPError as error:
                    if error.code != 404:  # gone already
                        raise


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook of these code cells."""
    document = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code) for code in cells],
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        },
    )
    nbformat.write(document, path)


@contextmanager
def launched_chromium() -> Iterator[Browser]:
    """Yield a headless Chromium."""
    executable = chromium.find()
    if executable is None:
        raise RuntimeError("no Chromium found; `make test` installs one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


class Lab:
    """A server and a browser, in which notebooks are opened one after another.

    With `keep_pages`, a notebook is opened in the page of one that was closed: loading JupyterLab
    takes longer than most tests.
    """

    server_type: ClassVar[type[LabServer]] = LabServer
    page_type: ClassVar[type[NotebookPage]] = NotebookPage

    def __init__(self, browser: Browser, *, keep_pages: bool = False) -> None:
        self.keep_pages = keep_pages
        self._spare: list[Page] = []
        shots = os.environ.get("MARGIN_WIDGETS_SHOTS")
        self.shots = Path(shots or tempfile.mkdtemp(prefix="shots-"))
        self.shots.mkdir(parents=True, exist_ok=True)
        self.notebooks: list[NotebookPage] = []
        with ExitStack() as stack:
            self.server = stack.enter_context(self.server_type())
            # One context for all pages: Lab's own files are then loaded from its cache.
            self._context = browser.new_context(
                permissions=["clipboard-read", "clipboard-write"], device_scale_factor=1
            )
            stack.callback(self._context.close)
            self._stack = stack.pop_all()

    def open_notebook(
        self,
        cells: Sequence[str] = (),
        theme: str = "light",
        width: int = 1280,
        height: int = 900,
        prepare: Callable[[Page], None] | None = None,
    ) -> NotebookPage:
        """Write a notebook of these code cells and open it, kernel ready and no cell run.

        What is to be prepared before JupyterLab is loaded takes a page that is not kept.
        """
        path = f"{uuid.uuid4().hex}.ipynb"
        write_notebook(self.server.root / path, cells)
        own = prepare is not None or not self._spare
        page = self._context.new_page() if own else self._spare.pop()
        if prepare is not None:
            prepare(page)
        page.set_viewport_size({"width": width, "height": height})
        notebook = self.page_type(self, page, path)
        notebook.kept = self.keep_pages and prepare is None
        self.notebooks.append(notebook)
        notebook.open(theme)
        return notebook

    def close_notebooks(self, but: int = 0) -> None:
        """Close all notebooks but the first ones and shut their kernels down."""
        while len(self.notebooks) > but:
            notebook = self.notebooks.pop()
            if not notebook.kept:
                notebook.close()
            elif page := notebook.leave():
                self._spare.append(page)
        if self.notebooks:  # a page behind another one draws no frames
            self.notebooks[-1].page.bring_to_front()

    def close(self) -> None:
        """Close pages and server; the browser is its owner's."""
        try:
            self.close_notebooks()
        finally:
            self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def plain(text: str) -> str:
    """Return text without terminal colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
