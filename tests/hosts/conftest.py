"""Fixtures of the tests in other hosts than JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Yield a browser context of the test's own."""
    made = browser.new_context(viewport={"width": 1400, "height": 1400}, device_scale_factor=1)
    yield made
    made.close()
