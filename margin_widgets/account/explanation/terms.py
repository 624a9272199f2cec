"""Arithmetic that keeps its own text: a formula written once, with its value beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from margin_widgets.account.explanation.sheet import Sheet

_SUM, _PRODUCT, _ATOM = range(3)


@dataclass(frozen=True)
class Term:
    """An expression: a template of a `Sheet`, and what it comes to.

    Sums, differences, products and quotients of terms are terms; brackets are put where the
    written form needs them.
    """

    text: str
    value: float
    rank: int = _ATOM

    def __add__(self, other: Term) -> Term:
        return Term(f"{self.text} + {other.text}", self.value + other.value, _SUM)

    def __sub__(self, other: Term) -> Term:
        return Term(f"{self.text} − {other._at(_PRODUCT)}", self.value - other.value, _SUM)

    def __mul__(self, other: Term) -> Term:
        text = f"{self._at(_PRODUCT)}·{other._at(_PRODUCT)}"
        return Term(text, self.value * other.value, _PRODUCT)

    def __truediv__(self, other: Term) -> Term:
        by = " / " if _SUM in (self.rank, other.rank) else "/"
        try:
            value = self.value / other.value
        except ZeroDivisionError:
            value = math.nan
        return Term(f"{self._at(_PRODUCT)}{by}{other._at(_ATOM)}", value, _PRODUCT)

    def root(self) -> Term:
        """Return the square root; NaN of a negative value."""
        value = math.sqrt(self.value) if self.value >= 0 else math.nan
        return Term(f"√({self.text})", value)

    def _at(self, rank: int) -> str:
        return self.text if self.rank >= rank else f"({self.text})"


ONE = Term("1", 1.0)
TWO = Term("2", 2.0)


def let(sheet: Sheet, name: str, meaning: str, value: float, unit: str = "") -> Term:
    """Introduce a symbol on a sheet."""
    return Term(sheet.let(name, meaning, float(value), unit), float(value))
