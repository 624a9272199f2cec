"""What a person sees: tables, plots, cards and the dashboard. They observe and edit an account."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from margin_widgets.widgets.cards import ModeCards
    from margin_widgets.widgets.collateral_stress_plot import CollateralStressPlot
    from margin_widgets.widgets.collateral_table import CollateralTable
    from margin_widgets.widgets.compare_drawer import CompareDrawer
    from margin_widgets.widgets.contagion_graph import ContagionGraph
    from margin_widgets.widgets.dashboard import Dashboard
    from margin_widgets.widgets.depeg_plot import DepegPlot
    from margin_widgets.widgets.equity_plot import EquityPlot
    from margin_widgets.widgets.frontier_plot import FrontierPlot
    from margin_widgets.widgets.funding_drift_plot import FundingDriftPlot
    from margin_widgets.widgets.leverage_plot import LeveragePlot
    from margin_widgets.widgets.loss_waterfall import LossWaterfall
    from margin_widgets.widgets.marks_panel import MarksPanel
    from margin_widgets.widgets.positions_table import PositionsTable
    from margin_widgets.widgets.ratio_plot import RatioPlot
    from margin_widgets.widgets.repair_table import RepairTable
    from margin_widgets.widgets.rule_stress import RuleStress
    from margin_widgets.widgets.selection import Selection
    from margin_widgets.widgets.shock_map import ShockMap
    from margin_widgets.widgets.solve_panel import SolvePanel
    from margin_widgets.widgets.tier_plot import TierPlot
    from margin_widgets.widgets.utilization_bars import UtilizationBars
    from margin_widgets.widgets.venue_table import VenueTable

_HOMES = {
    "CollateralStressPlot": "collateral_stress_plot",
    "CollateralTable": "collateral_table",
    "CompareDrawer": "compare_drawer",
    "ContagionGraph": "contagion_graph",
    "Dashboard": "dashboard",
    "DepegPlot": "depeg_plot",
    "EquityPlot": "equity_plot",
    "FrontierPlot": "frontier_plot",
    "FundingDriftPlot": "funding_drift_plot",
    "LeveragePlot": "leverage_plot",
    "LossWaterfall": "loss_waterfall",
    "MarksPanel": "marks_panel",
    "ModeCards": "cards",
    "PositionsTable": "positions_table",
    "RatioPlot": "ratio_plot",
    "RepairTable": "repair_table",
    "RuleStress": "rule_stress",
    "Selection": "selection",
    "ShockMap": "shock_map",
    "SolvePanel": "solve_panel",
    "TierPlot": "tier_plot",
    "UtilizationBars": "utilization_bars",
    "VenueTable": "venue_table",
}

__all__ = [
    "CollateralStressPlot",
    "CollateralTable",
    "CompareDrawer",
    "ContagionGraph",
    "Dashboard",
    "DepegPlot",
    "EquityPlot",
    "FrontierPlot",
    "FundingDriftPlot",
    "LeveragePlot",
    "LossWaterfall",
    "MarksPanel",
    "ModeCards",
    "PositionsTable",
    "RatioPlot",
    "RepairTable",
    "RuleStress",
    "Selection",
    "ShockMap",
    "SolvePanel",
    "TierPlot",
    "UtilizationBars",
    "VenueTable",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
