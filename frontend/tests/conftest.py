"""A page with the built modules in it, served from this machine and opened in Chromium."""

from __future__ import annotations

import contextlib
import functools
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
# The tests share helpers, and pytest's importlib mode adds no folder to the path by itself.
sys.path.insert(0, str(HERE))
from frontend_support import STATIC  # noqa: E402


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the harness page and, below /static/, the build output."""

    def translate_path(self, path: str) -> str:
        name = path.partition("?")[0]
        if name.startswith("/static/"):
            return str(STATIC / name.removeprefix("/static/"))
        return str(HERE / name.lstrip("/"))

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """Address of the local server."""
    if not (STATIC / "table.js").exists():
        pytest.skip("front end not built: run npm install --ignore-scripts && npm run build")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def context(browser: Any) -> Any:
    """One browser context for all tests: a new one for each would take most of their time."""
    return new_context(browser)


@pytest.fixture
def page(context: Any, origin: str) -> Iterator[Any]:
    """The harness page; the test fails when its console reports anything."""
    with opened(context, origin) as page:
        yield page


@pytest.fixture
def still_page(browser: Any, origin: str) -> Iterator[Any]:
    """The same with a clock that stands, `clock.run_for` moves it: no machine is too slow for it.

    The clock belongs to the context, so there is one for each test.
    """
    context = new_context(browser)
    context.clock.install(time=0)
    with opened(context, origin) as page:
        context.clock.pause_at(3_600_000)
        yield page
    context.close()


def new_context(browser: Any) -> Any:
    return browser.new_context(
        viewport={"width": 1000, "height": 800},
        permissions=["clipboard-read", "clipboard-write"],
    )


@contextlib.contextmanager
def opened(context: Any, origin: str) -> Iterator[Any]:
    page = context.new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "console",
        lambda entry: trouble.append(entry.text) if entry.type in ("error", "warning") else None,
    )
    page.goto(f"{origin}/harness.html")
    page.wait_for_function("window.ready")
    yield page
    page.close()
    assert not trouble, trouble
