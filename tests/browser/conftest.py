"""Fixtures of the browser tests: one server and browser for all, new pages for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.harness import Lab


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep a picture and the console of the pages of a test that failed."""
    report: Any = yield
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.when == "call" and report.failed and isinstance(lab, Lab):
        for number, notebook in enumerate(lab.notebooks):
            try:
                path = lab.shots / f"failed-{item.name.replace('/', '-')}-{number}.png"
                notebook.page.screenshot(path=path)
                lines = [f"picture: {path}", *notebook.console_errors]
                notebook.kept = False  # no other test gets a page in this state
            except Exception as error:  # noqa: BLE001 - the test's own failure is the news
                lines = [f"no picture: {error}"]
            report.sections.append((f"page {number}", "\n".join(lines)))
    return report


@pytest.fixture(scope="session")
def lab_session(browser: Browser) -> Iterator[Lab]:
    """Yield the server and browser of the whole session."""
    with Lab(browser, keep_pages=True) as lab:
        yield lab


@pytest.fixture
def lab(lab_session: Lab) -> Iterator[Lab]:
    """Yield the lab; notebooks opened by the test are closed after it, kernels included."""
    before = len(lab_session.notebooks)
    yield lab_session
    lab_session.close_notebooks(but=before)


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    """Return each theme in turn."""
    return request.param
