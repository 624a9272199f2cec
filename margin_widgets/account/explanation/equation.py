"""Where two sums of a constant, a multiple and an inverse meet, solved in writing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from margin_widgets.account.explanation.sheet import Derived, Sheet
from margin_widgets.engine.book import Floats


def without_rounding(terms: Floats) -> Floats:
    """Set to zero what is left of terms that cancel."""
    largest: float = np.abs(terms).max()
    return np.where(np.abs(terms) > 1e-13 * largest, terms, 0.0)


@dataclass(frozen=True)
class Equation:
    """``a + b x + c/x = a′ + b′ x + c′/x``.

    Attributes
    ----------
    unknown : str
        Symbol of x.
    meaning : str
        What x is.
    sides : (str, str)
        What the left and the right side are.
    terms : (ndarray (3,), ndarray (3,))
        a, b and c of each side.
    currency : str
        Unit of the sides.
    """

    unknown: str
    meaning: str
    sides: tuple[str, str]
    terms: tuple[Floats, Floats]
    currency: str

    def solved(self, left: str, value: float, text: str, shift: str = "") -> Derived:
        """Derive ``left = x + shift`` for the root x at `value`."""
        sheet = Sheet()
        held, required = (self._let(sheet, place) for place in (0, 1))
        condition = f"{self._sum(held)} = {self._sum(required)}"
        sheet.say(
            f"{self.sides[0]} = {self.sides[1]}: {sheet.named(condition)}", sheet.valued(condition)
        )
        return sheet.derive(left, self._root(held, required, value) + shift, text)

    def _let(self, sheet: Sheet, place: int) -> list[str]:
        """Introduce the terms of one side; an empty string for one that is zero."""
        side, dash = self.sides[place], "′" * place
        kinds = (
            ("a", "that does not move", self.currency),
            ("b", f"per {self.meaning}", ""),
            ("c", f"per inverse {self.meaning}", ""),
        )
        return [
            sheet.let(f"{name}{dash}", f"{side} {meaning}", float(term), unit) if term else ""
            for term, (name, meaning, unit) in zip(self.terms[place], kinds, strict=True)
        ]

    def _sum(self, marks: list[str]) -> str:
        factors = ("", f"·{self.unknown}", f"/{self.unknown}")
        terms = [mark + by for mark, by in zip(marks, factors, strict=True) if mark]
        return " + ".join(terms) or "0"

    def _root(self, held: list[str], required: list[str], value: float) -> str:
        """Solve ``A + B x + C/x = 0``, whose terms are the sides' differences, near `value`."""
        A, B, C = (_bracketed(_less(*pair)) for pair in zip(held, required, strict=True))
        minus_A, _, minus_C = (_less(*pair) for pair in zip(required, held, strict=True))
        a, b, c = (float(term) for term in self.terms[0] - self.terms[1])
        if not c:
            return f"{minus_A} / {B}" if a else "0"
        if not b:
            return f"{minus_C} / {A}"
        if not a:
            return f"√({minus_C} / {B})"
        # Each root has two forms; the one with the larger sum in it does not cancel.
        large = a + math.copysign(math.sqrt(max(a * a - 4 * b * c, 0.0)), a)
        written = f"({minus_A} {'−' if a > 0 else '+'} √({A}·{A} − 4·{B}·{C}))"
        over_b, over_large = -large / (2 * b), -2 * c / large
        if abs(over_b - value) <= abs(over_large - value):
            return f"{written} / (2·{B})"
        return f"2·{C} / {written}"


def _less(first: str, second: str) -> str:
    return f"({first} − {second})" if first and second else first or f"−{second}"


def _bracketed(term: str) -> str:
    return f"({term})" if term.startswith("−") else term
