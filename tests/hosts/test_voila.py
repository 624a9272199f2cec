"""The dashboard as a page of Voila: outputs without code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.test_stories import REF2
from tests.hosts.hosts import VoilaPage, VoilaServer, lightness
from tests.hosts.story import press_an_arrow, type_a_size


@pytest.fixture(scope="module")
def voila() -> Iterator[VoilaServer]:
    """Yield a Voila with one notebook, the dashboard."""
    with VoilaServer([REF2]) as server:
        yield server


def test_a_typed_size_and_an_arrow_key_change_everything(
    voila: VoilaServer, context: BrowserContext
) -> None:
    page = VoilaPage(context.new_page())
    page.page.goto(voila.url)
    print(f"Voila: {type_a_size(page):.0f} ms from key to curves")
    press_an_arrow(page)
    assert not page.page.locator(".jp-InputArea").count()
    assert lightness(page.page, ".mw-dashboard") > 0.9
    page.assert_clean_console()


def test_the_dark_theme_is_followed(voila: VoilaServer, context: BrowserContext) -> None:
    page = VoilaPage(context.new_page())
    page.page.goto(f"{voila.url}/?theme=dark")
    figure = page.page.locator(".mw-equity-plot .bqplot")
    figure.wait_for()
    assert lightness(page.page, ".mw-dashboard") < 0.3
    # What is written on it is light, bqplot's own words on the axes included.
    assert lightness(page.page, ".mw-card", "color") > 0.6
    assert lightness(page.page, ".mw-equity-plot .bqplot text.axislabel", "fill") > 0.6
    page.assert_clean_console()
