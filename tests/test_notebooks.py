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


def run(name: str, folder: Path) -> Any:
    """Return a notebook as it is after a run from top to bottom."""
    notebook = read(FOLDER / f"{name}.ipynb")
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return run("quickstart", tmp_path_factory.mktemp("quickstart"))


@pytest.fixture(scope="module")
def choosing(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return run("choosing_a_mode", tmp_path_factory.mktemp("choosing"))


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
    assert [path.stem for path in NOTEBOOKS] == ["choosing_a_mode", "quickstart"]


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


def test_choosing_a_mode_shows_each_picture(choosing: Any) -> None:
    shown = [
        cell.source
        for cell in choosing.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    ]
    for name in (
        "LeveragePlot",
        "TierPlot",
        "FrontierPlot",
        "ShockMap",
        "LossWaterfall",
        "ContagionGraph",
        "SolvePanel",
        "RepairTable",
        "CollateralStressPlot",
        "DepegPlot",
        "FundingDriftPlot",
        "RuleStress",
        "VenueTable",
        "Dashboard",
    ):
        assert any(f"mw.{name}(" in source for source in shown), name


def test_choosing_a_mode_says_what_leverage_decides(choosing: Any) -> None:
    printed = text_of(cell_with(choosing, "leverage = 20"))
    assert "isolated 90,452.26 -> 95,477.39" in printed
    assert "cross    80,804.02 -> 80,804.02" in printed


def test_choosing_a_mode_follows_three_falls(choosing: Any) -> None:
    printed = text_of(cell_with(choosing, "outcomes"))
    assert "'-8%': {'isolated': 4400.0, 'cross': 4400.0}" in printed
    assert "'-12%': {'isolated': 3000.0, 'cross': 1600.0}" in printed
    assert "'-15%': {'isolated': 3000.0, 'cross': 0.0}" in printed


def test_choosing_a_mode_solves_and_repairs(choosing: Any) -> None:
    assert "Both modes need 21,315.00 USDT" in text_of(cell_with(choosing, "mw.solve.Survive"))
    assert "Close ETHUSDT" in text_of(cell_with(choosing, "mw.repairs("))
