"""The notebooks run from top to bottom, headless, and are stored without output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the quick start as it is after a run from top to bottom."""
    notebook = read(FOLDER / "quickstart.ipynb")
    folder = str(tmp_path_factory.mktemp("quickstart"))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}}).execute()
    return notebook


def text_of(cell: Any) -> str:
    """All that a cell printed and returned as plain text."""
    parts = []
    for output in cell.outputs:
        parts.append(output.get("text", ""))
        parts.append(output.get("data", {}).get("text/plain", ""))
    return "\n".join(parts)


def cell_with(notebook: Any, code: str) -> Any:
    (found,) = (cell for cell in notebook.cells if cell.cell_type == "code" and code in cell.source)
    return found


def test_every_notebook_is_run() -> None:
    assert [FOLDER / "quickstart.ipynb"] == NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_clean(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_the_quick_start_agrees_with_the_exchange(quickstart: Any) -> None:
    printed = text_of(cell_with(quickstart, "theirs = "))
    assert "Binance 64,846.99" in printed
    assert float(printed.split("difference")[1]) < 0.1


def test_the_quick_start_shows_a_dashboard(quickstart: Any) -> None:
    (output,) = cell_with(quickstart, "mw.Dashboard").outputs
    assert "application/vnd.jupyter.widget-view+json" in output.data


def test_the_quick_start_undoes_and_refuses(quickstart: Any) -> None:
    assert "['BTCUSDT'], 3.72964781" in text_of(cell_with(quickstart, "account.undo()"))
    assert "quantity: 0 must not be zero" in text_of(cell_with(quickstart, "except TraitError"))


def test_the_quick_start_tells_the_story_of_the_reference_account(quickstart: Any) -> None:
    conditions = text_of(cell_with(quickstart, "condition"))
    assert "80,804.02 if ETHUSDT stays at 4,000" in conditions
    assert "84,783.92 if ETHUSDT stays at 3,600" in conditions
    events = text_of(cell_with(quickstart, "equity before"))
    assert "3636.36" in events
    assert "2070.70" in events


def test_the_quick_start_reopens_what_it_saved(quickstart: Any) -> None:
    assert text_of(cell_with(quickstart, "mw.load")).strip() == "True"
