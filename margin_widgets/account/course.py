"""A margin mode from the present outward: what falls where, what is left, and which mode leads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from margin_widgets.account.books import Books
from margin_widgets.engine.book import Bools, Floats
from margin_widgets.engine.curved import CurvedRay
from margin_widgets.engine.piecewise import evaluate, positive_roots
from margin_widgets.engine.sweep import Track

FARTHEST = 11.0
"""Factor on the marks beyond which a rise is no longer spoken of: +1,000 %."""
_EQUAL = 1e-12
"""Equities this near, relative to the largest, are the same."""
_SAMPLES, _LOWEST_SAMPLED = 201, 1e-3


@dataclass(frozen=True)
class Fall:
    """A pool reaching its trigger."""

    u: float
    pool: int


@dataclass(frozen=True)
class Course:
    """One margin mode from the present outward in one direction."""

    mode: str
    books: Books
    track: Track
    side: int

    @cached_property
    def falls(self) -> tuple[Fall, ...]:
        """Pools that are liquidated on the way, in order."""
        reached = np.where(self.track.fallen, np.nan, self.track.trigger[:, self.side])
        pools = np.flatnonzero(reached <= FARTHEST)
        order = pools[np.argsort(np.abs(reached[pools] - 1.0), kind="stable")]
        return tuple(Fall(float(reached[pool]), int(pool)) for pool in order)

    def members(self, pool: int) -> list[str]:
        """Keys of a pool's positions; a pool without any holds a loan."""
        inside = np.flatnonzero(self.books.partitions[self.mode].pool == pool)
        return [self.books.keys[index] for index in inside] or ["what backs the loan"]

    def whole(self, pool: int) -> bool:
        """Whether the pool holds all positions."""
        return bool((self.books.partitions[self.mode].pool == pool).all())

    def left(self, pool: int, u: float) -> float:
        """What comes back to the account from a pool liquidated at u."""
        if not self.track.book.residual_returned:
            return 0.0
        at = np.full((len(self.track.trigger), 1), u)
        held = float(self.track.ray.equity_at(at)[pool, 0])
        fee = self.track.book.liquidation_fee * float(self.track.ray.notional_at(at)[pool, 0])
        left = max(held - min(max(fee, 0.0), max(held, 0.0)), 0.0)
        return self.track.book.residual_returned * left

    def pieces(self) -> Iterator[Stretch]:
        """Stretches of the account's equity, from the present outward."""
        back = sum(self.left(int(pool), 1.0) for pool in np.flatnonzero(self.track.fallen))
        standing = ~self.track.fallen
        yield Stretch(1.0, self.track, standing, back)
        for fall in self.falls:
            standing = standing.copy()
            standing[fall.pool] = False
            back += self.left(fall.pool, fall.u)
            yield Stretch(fall.u, self.track, standing, back)


@dataclass(frozen=True)
class Stretch:
    """The account's equity from one liquidation to the next.

    Standing pools are summed anew each time: nothing of a closed one remains as rounding.
    """

    begin: float
    track: Track
    standing: Bools
    back: float

    @cached_property
    def terms(self) -> Floats | None:
        """Its terms in (1, u, 1/u); None where there is no closed form."""
        if isinstance(self.track.ray, CurvedRay):
            return None
        own: Floats = self.track.idle + self.track.ray.equity[self.standing].sum(axis=0)
        own[0] += self.back
        return own

    @property
    def moves(self) -> bool:
        """Whether it depends on u."""
        return bool(self.standing.any()) if self.terms is None else bool(self.terms[1:].any())

    def at(self, u: Floats) -> Floats:
        """Equity at factors (K,)."""
        if self.terms is not None:
            return evaluate(self.terms, u)
        held: Floats = self.track.ray.equity_at(u[None, :])[self.standing].sum(axis=0)
        return held + evaluate(self.track.idle, u) + self.back

    def value(self, u: float) -> float:
        """Equity at one factor."""
        return float(self.at(np.array([u]))[0])


def spans(isolated: Course, cross: Course) -> list[tuple[float, float, int]]:
    """Stretches (from u, to u, lead) outward from the present; lead 1: isolated, -1: cross.

    Between liquidations both equities are ``a + b u + c / u``, so where they meet is exact.
    """
    down = isolated.side == 0
    end = 0.0 if down else FARTHEST
    pieces = {"isolated": list(isolated.pieces()), "cross": list(cross.pieces())}
    begins = sorted({one.begin for course in pieces.values() for one in course}, reverse=down)
    found: list[tuple[float, float, int]] = []
    places = dict.fromkeys(pieces, 0)
    for begin, until in zip(begins, [*begins[1:], end], strict=True):
        for mode, course in pieces.items():
            while places[mode] + 1 < len(course) and (
                course[places[mode] + 1].begin >= begin
                if down
                else course[places[mode] + 1].begin <= begin
            ):
                places[mode] += 1
        one, other = (pieces[mode][places[mode]] for mode in ("isolated", "cross"))
        if one.terms is None or other.terms is None:
            signs = _sampled_signs(one, other, begin, until)
        else:
            difference = one.terms - other.terms
            size = max(np.abs(one.terms).max(), np.abs(other.terms).max())
            difference = np.where(np.abs(difference) <= _EQUAL * size, 0.0, difference)
            signs = _signs(difference, begin, until)
        for start, stop, lead in signs:
            if found and found[-1][2] == lead:
                found[-1] = (found[-1][0], stop, lead)
            else:
                found.append((start, stop, lead))
    return found


def _signs(terms: Floats, begin: float, end: float) -> Iterator[tuple[float, float, int]]:
    """Split a stretch at the zeros of a difference, with the sign of each part."""
    if not terms.any():
        yield begin, end, 0
        return
    low, high = min(begin, end), max(begin, end)
    roots = [float(root) for root in positive_roots(terms)]
    inside = sorted({r for r in roots if low < r < high}, reverse=end < begin)
    for start, stop in zip([begin, *inside], [*inside, end], strict=True):
        yield start, stop, int(np.sign(evaluate(terms, (start + stop) / 2)))


def _sampled_signs(
    one: Stretch, other: Stretch, begin: float, end: float
) -> Iterator[tuple[float, float, int]]:
    """Split a stretch where a difference without closed form changes its sign."""
    u = np.linspace(begin, max(end, _LOWEST_SAMPLED), _SAMPLES)
    values, others = one.at(u), other.at(u)
    difference = values - others
    equal = np.abs(difference) <= _EQUAL * np.maximum(np.abs(values), np.abs(others)).max()
    signs = np.where(equal, 0, np.sign(difference)).astype(int)
    inner = signs[1:-1]  # at its ends a stretch may touch zero
    changes = np.flatnonzero(np.diff(inner))
    cuts = [begin, *(float(u[place + 1] + u[place + 2]) / 2 for place in changes), end]
    leads = [int(inner[0]), *(int(inner[place + 1]) for place in changes)]
    yield from zip(cuts, cuts[1:], leads, strict=False)
