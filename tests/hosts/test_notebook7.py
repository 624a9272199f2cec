"""The dashboard in Jupyter Notebook 7."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.test_stories import REF2
from tests.hosts.hosts import Notebook7
from tests.hosts.story import press_an_arrow, type_a_size


@pytest.fixture(scope="module")
def notebook7(browser: Browser) -> Iterator[Notebook7]:
    """Yield a Notebook 7 server and a browser."""
    with Notebook7(browser) as lab:
        yield lab


def test_a_typed_size_and_an_arrow_key_change_everything(notebook7: Notebook7) -> None:
    nb = notebook7.open_notebook([REF2], width=1400, height=1400)
    assert nb.page.evaluate("() => window.jupyterapp.name") == "Jupyter Notebook"
    nb.run_all()
    print(f"Notebook 7: {type_a_size(nb):.0f} ms from key to curves")
    press_an_arrow(nb)
    assert nb.run("account.positions['BTCUSDT'].quantity, len(heard)") == "(0.6, 2)"
    # What of the extension applies here is here.
    commands = nb.page.evaluate("() => window.jupyterapp.commands.listCommands()")
    assert "margin-widgets:open-notebook-account" in commands
    nb.add_cell("account.report_card()")
    card = nb.page.locator(".mwl-card")
    card.wait_for()
    assert card.locator("svg.mw-figure").count() == 2
    nb.assert_clean_console()
