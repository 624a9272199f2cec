"""An account at one moment, as plain immutable values: what is validated, undone and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from margin_widgets.venues import RuleSet

MAPPINGS = ("collateral", "marks", "prices", "haircuts")


@dataclass(frozen=True)
class PositionState:
    """Fields of one position; `id` follows it through edits and undo."""

    id: str = field(compare=False)
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
    """Everything a person can edit; its mappings are read-only."""

    name: str
    venue: RuleSet
    positions: tuple[PositionState, ...]
    collateral: Mapping[str, float]
    marks: Mapping[str, float]
    prices: Mapping[str, float]
    haircuts: Mapping[str, Any]
    order_margin: float
    as_of: str = ""

    def __post_init__(self) -> None:
        for name in MAPPINGS:
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by plain parts: read-only mappings cannot be pickled themselves."""
        parts = [getattr(self, one.name) for one in fields(self)]
        return AccountState, tuple(
            dict(part) if isinstance(part, MappingProxyType) else part for part in parts
        )

    def replace(self, **changes: Any) -> AccountState:
        """Return a copy with some parts exchanged."""
        return replace(self, **changes)
