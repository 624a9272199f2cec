"""Isolated versus cross margin, side by side: models that recompute and plots that follow.

>>> import margin_widgets as mw
>>> account = mw.presets.ref2()
>>> account.cross.liquidation_shock < account.isolated.liquidation_shock
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from margin_widgets import venues
from margin_widgets.account import Account, Position
from margin_widgets.venues import Contract, RuleError, RuleSet

if TYPE_CHECKING:
    from margin_widgets import io, presets
    from margin_widgets.account import solve
    from margin_widgets.account.depeg import depeg_replay
    from margin_widgets.account.document import DocumentError, load
    from margin_widgets.account.likely_moves import LikelyMoves
    from margin_widgets.account.lp_token import lp_stress
    from margin_widgets.account.repair import repairs
    from margin_widgets.account.rule_stress import Stress
    from margin_widgets.account.under import CannotExpress
    from margin_widgets.account.venue_frame import compare_venues
    from margin_widgets.widgets import (
        CollateralStressPlot,
        CollateralTable,
        CompareDrawer,
        ContagionGraph,
        Dashboard,
        DepegPlot,
        EquityPlot,
        FrontierPlot,
        FundingDriftPlot,
        LeveragePlot,
        LossWaterfall,
        MarksPanel,
        ModeCards,
        PositionsTable,
        RatioPlot,
        RepairTable,
        RuleStress,
        Selection,
        ShockMap,
        SolvePanel,
        TierPlot,
        UtilizationBars,
        VenueTable,
    )

__version__ = "0.1.0"

# Loaded on first use, so that importing the package does not load Jupyter.
_LATER = {
    "CannotExpress": "margin_widgets.account.under",
    "CollateralStressPlot": "margin_widgets.widgets",
    "CollateralTable": "margin_widgets.widgets",
    "CompareDrawer": "margin_widgets.widgets",
    "ContagionGraph": "margin_widgets.widgets",
    "Dashboard": "margin_widgets.widgets",
    "DepegPlot": "margin_widgets.widgets",
    "DocumentError": "margin_widgets.account.document",
    "EquityPlot": "margin_widgets.widgets",
    "FrontierPlot": "margin_widgets.widgets",
    "FundingDriftPlot": "margin_widgets.widgets",
    "LeveragePlot": "margin_widgets.widgets",
    "LikelyMoves": "margin_widgets.account.likely_moves",
    "LossWaterfall": "margin_widgets.widgets",
    "MarksPanel": "margin_widgets.widgets",
    "ModeCards": "margin_widgets.widgets",
    "PositionsTable": "margin_widgets.widgets",
    "RatioPlot": "margin_widgets.widgets",
    "RepairTable": "margin_widgets.widgets",
    "RuleStress": "margin_widgets.widgets",
    "Selection": "margin_widgets.widgets",
    "ShockMap": "margin_widgets.widgets",
    "SolvePanel": "margin_widgets.widgets",
    "Stress": "margin_widgets.account.rule_stress",
    "TierPlot": "margin_widgets.widgets",
    "UtilizationBars": "margin_widgets.widgets",
    "VenueTable": "margin_widgets.widgets",
    "compare_venues": "margin_widgets.account.venue_frame",
    "depeg_replay": "margin_widgets.account.depeg",
    "io": "margin_widgets.io",
    "load": "margin_widgets.account.document",
    "lp_stress": "margin_widgets.account.lp_token",
    "presets": "margin_widgets.presets",
    "repairs": "margin_widgets.account.repair",
    "solve": "margin_widgets.account.solve",
}

__all__ = [
    "Account",
    "CannotExpress",
    "CollateralStressPlot",
    "CollateralTable",
    "CompareDrawer",
    "ContagionGraph",
    "Contract",
    "Dashboard",
    "DepegPlot",
    "DocumentError",
    "EquityPlot",
    "FrontierPlot",
    "FundingDriftPlot",
    "LeveragePlot",
    "LikelyMoves",
    "LossWaterfall",
    "MarksPanel",
    "ModeCards",
    "Position",
    "PositionsTable",
    "RatioPlot",
    "RepairTable",
    "RuleError",
    "RuleSet",
    "RuleStress",
    "Selection",
    "ShockMap",
    "SolvePanel",
    "Stress",
    "TierPlot",
    "UtilizationBars",
    "VenueTable",
    "compare_venues",
    "depeg_replay",
    "io",
    "load",
    "lp_stress",
    "presets",
    "repairs",
    "solve",
    "venues",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_LATER[name])
    found = module if module.__name__.rpartition(".")[2] == name else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
