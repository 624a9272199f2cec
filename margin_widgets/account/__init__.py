"""What a person edits: traitlets models with transactions, undo, reports and documents."""

from margin_widgets.account.account import Account
from margin_widgets.account.curve import Curve, LiquidationEvent, ModeCurve
from margin_widgets.account.position import Position
from margin_widgets.account.report import MarginReport, PoolReport, PositionReport

__all__ = [
    "Account",
    "Curve",
    "LiquidationEvent",
    "MarginReport",
    "ModeCurve",
    "PoolReport",
    "Position",
    "PositionReport",
]
