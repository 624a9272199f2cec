"""Batches of functions ``a + b u + c / u`` with hinges: where they are zero, and their values.

Along one moved price u > 0 every amount of a linear or inverse contract, valued in one currency,
has this form between kinks; the kinks are floors of tiers and haircut bands. A kink is a *hinge*
``w * max(0, g(u))`` with an inner function g of the same form. So zeros are exact: evaluate the
piece, solve a quadratic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from margin_widgets.engine.book import Floats, Ints
from margin_widgets.engine.grouping import sum_by

# A root this far from the present price says nothing about a market: it is the rounding of a
# slope that cancels (a hedged pair, a fully funded long), so it counts as none.
SMALLEST, LARGEST = 1e-12, 1e12
_EDGE = 1e-12


def positive_roots(terms: Floats) -> tuple[Floats, Floats]:
    """Both positive zeros of ``a + b u + c / u`` for terms (..., 3); NaN where there is none."""
    a, b, c = terms[..., 0], terms[..., 1], terms[..., 2]
    with np.errstate(all="ignore"):
        q = -0.5 * (a + np.where(a < 0, -1.0, 1.0) * np.sqrt(a * a - 4 * b * c))
        first, second = q / b, c / q
    usable_first = (first > SMALLEST) & (first < LARGEST)
    usable_second = (second > SMALLEST) & (second < LARGEST)
    return np.where(usable_first, first, np.nan), np.where(usable_second, second, np.nan)


def evaluate(terms: Floats, u: Floats | float) -> Floats:
    """Values of ``a + b u + c / u`` for terms (..., 3)."""
    result: Floats = terms[..., 0] + terms[..., 1] * u + terms[..., 2] / u
    return result


@dataclass(frozen=True)
class Hinges:
    """A list of terms ``weight * max(0, inner(u))``, each belonging to one line (function).

    Attributes
    ----------
    line : ndarray of int (H,)
    weight : ndarray (H,)
    inner : ndarray (H, 3)
    """

    line: Ints
    weight: Floats
    inner: Floats

    def __neg__(self) -> Hinges:
        return Hinges(self.line, -self.weight, self.inner)

    def __add__(self, other: Hinges) -> Hinges:
        if not len(other.line):
            return self
        if not len(self.line):
            return other
        return Hinges(
            np.concatenate([self.line, other.line]),
            np.concatenate([self.weight, other.weight]),
            np.concatenate([self.inner, other.inner]),
        )


@dataclass(frozen=True)
class PiecewiseLines:
    """L functions of u > 0, each smooth terms plus hinges.

    Attributes
    ----------
    smooth : ndarray (L, 3)
        Terms (a, b, c) of the part without kinks.
    hinges : Hinges
    """

    smooth: Floats
    hinges: Hinges

    def times(self, factor: float) -> PiecewiseLines:
        """All values, multiplied."""
        if factor == 1.0:
            return self
        scaled = Hinges(self.hinges.line, self.hinges.weight * factor, self.hinges.inner)
        return PiecewiseLines(self.smooth * factor, scaled)

    @cached_property
    def _pieces(self) -> tuple[Floats, Ints, Floats, Floats]:
        """Terms before the first knot (L, 3); line, place and jump of each knot, in order."""
        hinges = self.hinges
        # Not the sign near zero: a knot below SMALLEST is no knot, so what holds above it holds
        # from the start.
        active = evaluate(hinges.inner, SMALLEST) > 0
        terms = hinges.weight[:, None] * hinges.inner
        start = self.smooth.copy()
        np.add.at(start, hinges.line[active], terms[active])
        first, second = positive_roots(hinges.inner)
        low, high = np.fmin(first, second), np.fmax(first, second)
        both = ~np.isnan(first) & ~np.isnan(second)
        touching = both & (low == high)
        once = ~np.isnan(low) & ~touching
        twice = both & ~touching
        toggled = np.where(active, -1.0, 1.0)[:, None] * terms
        line = np.concatenate([hinges.line[once], hinges.line[twice]])
        place = np.concatenate([low[once], high[twice]])
        jump = np.concatenate([toggled[once], -toggled[twice]])
        order = np.lexsort((place, line))
        return start, line[order], place[order], jump[order]

    def at(self, u: float) -> Floats:
        """Values of all lines at one u (L,)."""
        inner = np.maximum(evaluate(self.hinges.inner, u), 0.0)
        hinged = sum_by(self.hinges.line, self.hinges.weight * inner, len(self.smooth))
        result: Floats = evaluate(self.smooth, u) + hinged
        return result

    def on_grid(self, u: Floats) -> Floats:
        """Values of all lines on an ascending grid of u (G,) -> (L, G)."""
        start, line, place, jump = self._pieces
        cells = len(u) + 1
        cell = line * cells + np.searchsorted(u, place, side="left")
        result = np.zeros((len(start), len(u)))
        for term, factor in enumerate((np.ones_like(u), u, 1 / u)):
            if not start[:, term].any() and not jump[:, term].any():
                continue
            steps = sum_by(cell, jump[:, term], len(start) * cells).reshape(-1, cells)
            steps[:, 0] += start[:, term]
            result += np.cumsum(steps[:, :-1], axis=1) * factor
        return result

    def terms_at(self, line: int, u: float) -> Floats:
        """Terms (3,) of the piece of one line in which u lies."""
        mine = self.hinges.line == line
        inner = self.hinges.inner[mine]
        active = evaluate(inner, u) > 0
        terms: Floats = self.smooth[line] + self.hinges.weight[mine][active] @ inner[active]
        return terms

    def zeros_around_one(self) -> tuple[Floats, Floats]:
        """The zeros nearest to u = 1, below and above it, NaN if none (L,)."""
        start, line, place, jump = self._pieces
        lower, upper = np.full(len(start), np.nan), np.full(len(start), np.nan)
        counts = np.bincount(line, minlength=len(start))
        begin = np.cumsum(counts) - counts
        # Lines of like length are padded to one rectangle, so that a pool of a thousand
        # positions beside a thousand pools of one wastes no memory.
        size_class = np.ceil(np.log2(counts + 1.0)).astype(int)
        for group in np.unique(size_class):
            rows = np.flatnonzero(size_class == group)
            width = int(counts[rows].max())
            column = np.arange(width)
            real = column < counts[rows, None]
            index = np.where(real, begin[rows, None] + column, 0)
            knots = np.where(real, place[index], np.inf) if width else np.empty((len(rows), 0))
            terms = np.empty((len(rows), width + 1, 3))
            terms[:, 0] = start[rows]
            if width:
                steps = np.where(real[..., None], jump[index], 0.0)
                np.cumsum(steps, axis=1, out=terms[:, 1:])
                terms[:, 1:] += start[rows, None]
            from_u = np.concatenate([np.zeros((len(rows), 1)), knots], axis=1) * (1 - _EDGE)
            to_u = np.concatenate([knots, np.full((len(rows), 1), np.inf)], axis=1) * (1 + _EDGE)
            rising = terms[..., 1] - terms[..., 2]  # slope at u = 1
            for root in positive_roots(terms):
                inside = (root >= from_u) & (root <= to_u)
                # A zero at the present itself lies on the side on which the values are negative.
                here = inside & (root == 1.0)
                falls_below = here & (from_u < 1.0) & (rising > 0)
                falls_above = here & (to_u > 1.0) & (rising < 0)
                below = np.where((inside & (root < 1.0)) | falls_below, root, np.nan)
                above = np.where((inside & (root > 1.0)) | falls_above, root, np.nan)
                lower[rows] = np.fmax(lower[rows], np.fmax.reduce(below, axis=1))
                upper[rows] = np.fmin(upper[rows], np.fmin.reduce(above, axis=1))
        return lower, upper
