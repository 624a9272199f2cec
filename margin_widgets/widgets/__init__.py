"""What a person sees: tables, plots, cards and the dashboard. They observe and edit an account."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from margin_widgets.widgets.cards import ModeCards, UtilizationBars
    from margin_widgets.widgets.collateral_table import CollateralTable
    from margin_widgets.widgets.dashboard import Dashboard
    from margin_widgets.widgets.equity_plot import EquityPlot
    from margin_widgets.widgets.marks_panel import MarksPanel
    from margin_widgets.widgets.positions_table import PositionsTable
    from margin_widgets.widgets.ratio_plot import RatioPlot
    from margin_widgets.widgets.selection import Selection

_HOMES = {
    "CollateralTable": "collateral_table",
    "Dashboard": "dashboard",
    "EquityPlot": "equity_plot",
    "MarksPanel": "marks_panel",
    "ModeCards": "cards",
    "PositionsTable": "positions_table",
    "RatioPlot": "ratio_plot",
    "Selection": "selection",
    "UtilizationBars": "cards",
}

__all__ = [
    "CollateralTable",
    "Dashboard",
    "EquityPlot",
    "MarksPanel",
    "ModeCards",
    "PositionsTable",
    "RatioPlot",
    "Selection",
    "UtilizationBars",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
