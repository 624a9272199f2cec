"""The order of all tests, and the one browser that they share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent
IN_BROWSER = (
    ROOT / "tests" / "lab",
    ROOT / "tests" / "browser",
    ROOT / "tests" / "hosts",
    ROOT / "frontend" / "tests",
)
"""The longest first, so that no worker waits long for another one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the quick tests first and those in the browser last.

    The order also keeps Playwright's event loop, which stays in the thread once it has been
    started, away from tests that run loops of their own.
    """

    def rank(item: pytest.Item) -> int:
        for place, folder in enumerate(IN_BROWSER, 2):
            if item.path.is_relative_to(folder):
                item.add_marker(pytest.mark.browser)
                return place
        return 1 if item.get_closest_marker("slow") else 0

    items.sort(key=rank)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Yield a headless Chromium; Playwright can be started only once in a thread."""
    from tests.browser.harness import launched_chromium

    with launched_chromium() as chromium:
        yield chromium
