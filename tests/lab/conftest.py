"""What the tests of the extension share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.lab.lab_page import ExtensionPage, ExtensionServer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep a picture and the console of the page of a test that failed."""
    report: Any = yield
    lab = getattr(item, "funcargs", {}).get("lab")
    shots = os.environ.get("MARGIN_WIDGETS_SHOTS")
    if report.when == "call" and report.failed and isinstance(lab, ExtensionPage):
        lines = list(lab.console_errors)
        if shots:
            path = f"{shots}/failed-{item.name}.png"
            lab.page.screenshot(path=path)
            lines.append(f"picture: {path}")
        report.sections.append(("page", "\n".join(lines)))
    return report


@pytest.fixture(scope="session")
def server() -> Iterator[ExtensionServer]:
    """Yield one JupyterLab for all tests."""
    with ExtensionServer() as server:
        yield server


@pytest.fixture(scope="session")
def shared(server: ExtensionServer, browser: Browser) -> Iterator[ExtensionPage]:
    """Yield one page of it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    lab = ExtensionPage(server, context.new_page())
    lab.open()
    yield lab
    context.close()


@pytest.fixture
def lab(shared: ExtensionPage) -> Iterator[ExtensionPage]:
    """Yield that page with nothing open."""
    shared.console_errors.clear()
    yield shared
    shared.close_all()
