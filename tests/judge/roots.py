"""Where a function of one price, or of one factor on all prices, is zero.

Along one moved `u` each amount of futures and collateral is a sum of powers of `u` between kinks:
`a + b*u + c/u`, and `u^2` and `1/u^2` too where two prices are multiplied. So the pieces are
walked outward from the present, the coefficients fitted from a few evaluations and checked on
one more, and the roots of the polynomial found. Where options are repriced there is no such form:
there the function is looked at on a fine grid, and each change of sign is halved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import pairwise

from judge.decimals import ZERO

NOISE = Decimal("1e-38")  # below this share of the largest term, a coefficient is rounding
FITS = Decimal("1e-22")  # a fit that misses by more has the wrong form
GRID = ((1, 40), (6, 8), (33, 2))  # doublings away from the present, and steps in each of them

Number = Callable[[Decimal], Decimal]
Pair = tuple[Decimal | None, Decimal | None]


@dataclass(frozen=True)
class Smooth:
    """`sum(terms[k] * u**(k - width))` with `k` from 0 to `2 * width`."""

    terms: tuple[Decimal, ...]

    @property
    def width(self) -> int:
        return len(self.terms) // 2

    def __call__(self, u: Decimal) -> Decimal:
        return polynomial(self.terms, u) / u**self.width

    def size(self, u: Decimal) -> Decimal:
        """Sum of the absolute terms at `u`."""
        return polynomial(tuple(abs(x) for x in self.terms), u) / u**self.width

    def roots(self, low: Decimal, high: Decimal, at: Decimal) -> list[Decimal]:
        """Where it is zero between `low` and `high`, ascending; `at` sets the scale of noise."""
        sizes = [abs(x) * at ** (k - self.width) for k, x in enumerate(self.terms)]
        noise = NOISE * max(sizes)
        terms = tuple(
            x if size > noise else ZERO for x, size in zip(self.terms, sizes, strict=True)
        )
        return zeros(terms, low, high)


def polynomial(terms: tuple[Decimal, ...], u: Decimal) -> Decimal:
    """`sum(terms[k] * u**k)`."""
    total = ZERO
    for term in reversed(terms):
        total = total * u + term
    return total


def zeros(terms: tuple[Decimal, ...], low: Decimal, high: Decimal) -> list[Decimal]:
    """Positive roots of a polynomial in an interval, ascending; `high` may be infinite."""
    while terms and terms[-1] == 0:
        terms = terms[:-1]
    while terms and terms[0] == 0:
        terms = terms[1:]
    if len(terms) < 2:
        return []
    if len(terms) <= 3:
        return [u for u in quadratic(terms) if low <= u <= high]
    # beyond this no root lies (Cauchy), so the interval is finite
    bound = 1 + max(abs(x / terms[-1]) for x in terms[:-1])
    high = min(high, bound)
    if high <= low:
        return []
    slope = tuple(k * x for k, x in enumerate(terms) if k)
    edges = [low, *(u for u in zeros(slope, low, high) if low < u < high), high]
    found = []
    for left, right in pairwise(edges):
        if polynomial(terms, left) == 0:
            found.append(left)
        elif polynomial(terms, left) * polynomial(terms, right) < 0:
            found.append(halve(lambda u: polynomial(terms, u), left, right, Decimal("1e-60")))
    if polynomial(terms, high) == 0:
        found.append(high)
    return [u for u in found if u > 0]


def quadratic(terms: tuple[Decimal, ...]) -> list[Decimal]:
    """Positive roots of `terms[0] + terms[1]*u (+ terms[2]*u^2)`, ascending."""
    if len(terms) == 2:
        found = [-terms[0] / terms[1]]
    else:
        c, a, b = terms
        inside = a * a - 4 * b * c
        if inside < 0:
            return []
        # the sum that does not cancel, and its partner through the product of the roots
        far = -(a + inside.sqrt().copy_sign(a)) / 2
        found = [far / b, c / far]
    return sorted(u for u in found if u > 0)


def halve(function: Number, left: Decimal, right: Decimal, share: Decimal) -> Decimal:
    """A root between two places of different sign, to a `share` of itself."""
    rising = function(right) > 0
    while right - left > share * right:
        middle = (left + right) / 2
        if not left < middle < right:
            break  # no number lies between
        if (function(middle) > 0) == rising:
            right = middle
        else:
            left = middle
    return (left + right) / 2


def fit(function: Number, low: Decimal, high: Decimal) -> Smooth:
    """Coefficients of a smooth piece from a few points, checked on one more."""
    check = (low * 7 + high * 2) / 9
    there = function(check)
    for width in (1, 2):
        found = through(function, low, high, width)
        if abs(there - found(check)) <= FITS * (found.size(check) + abs(there)):
            return found
    raise AssertionError("a kink was missed: the piece is not smooth")


def through(function: Number, low: Decimal, high: Decimal, width: int) -> Smooth:
    """`u**width * function(u)` is a polynomial: Newton's divided differences give it."""
    count = 2 * width + 1
    places = [low + (high - low) * k / (count - 1) for k in range(count)]
    table = [function(u) * u**width for u in places]
    for order in range(1, count):
        for k in range(count - 1, order - 1, -1):
            table[k] = (table[k] - table[k - 1]) / (places[k] - places[k - order])
    terms = [table[-1]]
    for k in range(count - 2, -1, -1):  # multiply by (u - place) and add the next difference
        shifted = [ZERO, *terms]
        terms = [a - places[k] * b for a, b in zip(shifted, [*terms, ZERO], strict=True)]
        terms[0] += table[k]
    return Smooth(tuple(terms))


def places_where(function: Number, levels: Iterable[Decimal], start: Decimal) -> list[Decimal]:
    """Every `u` where a function without kinks equals one of some levels."""
    smooth = fit(function, start / 2, start * 2)
    middle = smooth.width
    places = []
    for level in levels:
        terms = list(smooth.terms)
        terms[middle] -= level
        places += Smooth(tuple(terms)).roots(ZERO, Decimal("Infinity"), start)
    return places


def pieces(points: list[Decimal], start: Decimal) -> Iterator[tuple[int, Decimal, Decimal]]:
    """Intervals between kinks, outward from `start`: first below (-1), then above (+1)."""
    edges = [start]
    for u in sorted(points):
        if all(abs(u - edge) > Decimal("1e-20") * edge for edge in edges):
            edges.append(u)
    edges.sort()
    here = edges.index(start)
    for side, outward in ((-1, edges[here::-1]), (1, edges[here:])):
        for near, far in pairwise(outward):
            yield side, min(near, far), max(near, far)
        yield (-1, ZERO, outward[-1]) if side < 0 else (1, outward[-1], Decimal("Infinity"))


def nearest_roots(function: Number, points: list[Decimal], start: Decimal) -> Pair:
    """Largest root below `start` and smallest above it, of a function with known kinks."""
    function = cache(function)  # neighbouring pieces share an end
    found: dict[int, Decimal] = {}
    for side, low, high in pieces(points, start):
        if side in found:
            continue
        inner_low = high / 4 if low == 0 else low
        inner_high = low * 4 if high.is_infinite() else high
        smooth = fit(function, inner_low, inner_high)
        slack = 1 + Decimal("1e-30")
        inside = [u for u in smooth.roots(low / slack, high * slack, inner_high) if u != start]
        if inside:
            found[side] = inside[-1] if side < 0 else inside[0]
    return found.get(-1), found.get(1)


def nearest_on_grid(function: Number, start: Decimal) -> Pair:
    """Nearest changes of sign on both sides of `start`, of a function of any form."""
    return _first_change(function, start, -1), _first_change(function, start, 1)


def _first_change(function: Number, start: Decimal, side: int) -> Decimal | None:
    near, positive = start, function(start) > 0
    for doublings, steps in GRID:
        factor = Decimal(2) ** (Decimal(side) / steps)
        for _ in range(doublings * steps):
            far = near * factor
            if (function(far) > 0) != positive:
                return halve(function, min(near, far), max(near, far), Decimal("1e-16"))
            near = far
    return None


def nearer(pair: Pair, start: Decimal) -> Decimal | None:
    """The one of two roots that is nearer to `start`."""
    there = [u for u in pair if u is not None]
    return min(there, key=lambda u: abs(u - start)) if there else None
