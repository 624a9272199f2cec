"""An account at one moment, as plain immutable values: what is validated, undone and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from margin_widgets.venues import RuleSet


@dataclass(frozen=True)
class PositionState:
    """Fields of one position; `id` follows it through edits and undo."""

    id: str
    symbol: str
    quantity: float
    entry_price: float
    leverage: float
    margin: float | None
    margin_mode: str

    @property
    def side(self) -> str:
        """'long' or 'short'."""
        return "long" if self.quantity > 0 else "short"


@dataclass(frozen=True)
class AccountState:
    """Everything a person can edit."""

    name: str
    venue: RuleSet
    positions: tuple[PositionState, ...]
    collateral: Mapping[str, float]
    marks: Mapping[str, float]
    prices: Mapping[str, float]
    haircuts: Mapping[str, Any]
    order_margin: float

    def replace(self, **changes: Any) -> AccountState:
        """Return a copy with some parts exchanged."""
        return replace(self, **changes)
