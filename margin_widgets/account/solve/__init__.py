"""The way back: what to change so that an account stands where it is wanted.

>>> from margin_widgets import presets
>>> answer = find(presets.ref2(), Survive(-0.3))
>>> answer.cross.total, [need.needed for need in answer.isolated.needs]
(21315.0, [15175.0, 6140.0])
"""

from margin_widgets.account.solve.change import Change
from margin_widgets.account.solve.collateral import (
    apply_wallet_change,
    funding_asset,
    margin_for_liquidation,
    wallet_for_liquidation,
    wallet_for_shock,
)
from margin_widgets.account.solve.find import (
    QUANTITIES,
    Answer,
    find,
    keep_ratio,
    liquidate_at,
    solve,
    survive,
)
from margin_widgets.account.solve.goals import Goal, KeepRatio, LiquidationAt, Survive
from margin_widgets.account.solve.solution import Need, Solution

__all__ = [
    "QUANTITIES",
    "Answer",
    "Change",
    "Goal",
    "KeepRatio",
    "LiquidationAt",
    "Need",
    "Solution",
    "Survive",
    "apply_wallet_change",
    "find",
    "funding_asset",
    "keep_ratio",
    "liquidate_at",
    "margin_for_liquidation",
    "solve",
    "survive",
    "wallet_for_liquidation",
    "wallet_for_shock",
]
