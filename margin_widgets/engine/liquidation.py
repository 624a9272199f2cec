"""Where a pool reaches its trigger, on each side of the present."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from margin_widgets.engine.book import Book, Bools, Floats
from margin_widgets.engine.curved import CurvedRay
from margin_widgets.engine.partition import Partition
from margin_widgets.engine.ray import Ray

_ROUNDING = 1e-13


@dataclass(frozen=True)
class Triggers:
    """The nearest trigger below and above the present, NaN where there is none."""

    lower: Floats
    upper: Floats

    def nearest(self, present: Floats | float) -> Floats:
        """The one nearer to `present` (the lower one of two equally near)."""
        with np.errstate(invalid="ignore"):
            take_upper = np.isnan(self.lower) | (
                np.abs(self.upper - present) < np.abs(self.lower - present)
            )
        return np.where(take_upper, self.upper, self.lower)


def stands(book: Book, surplus: Floats, scale: Floats) -> Bools:
    """Whether pools with this margin balance less requirement stand, by the venue's trigger.

    A surplus that is only the rounding of amounts of size `scale` is none: at its own liquidation
    price a pool is exactly at its trigger.
    """
    level = np.where(np.abs(surplus) <= _ROUNDING * scale, 0.0, surplus)
    return level > 0 if book.triggers_at_equality else level >= 0


def triggers_along(ray: Ray | CurvedRay, partition: Partition) -> Triggers:
    """Factors u on the moved marks at which each line's pool is liquidated (L,).

    ``margin balance = maintenance margin`` is solved exactly on the piece (tiers, haircut bands)
    in which its root lies: the tier at the liquidation price, not at the mark or the entry.
    """
    lower, upper = ray.triggers()
    empty = ~partition.occupied[ray.pool]
    lower[empty], upper[empty] = np.nan, np.nan
    return Triggers(lower, upper)


def bankruptcy_along(ray: Ray | CurvedRay) -> Floats:
    """Factor u nearest to the present at which each line's pool has no equity, NaN if none (L,)."""
    return Triggers(*ray.bankruptcies()).nearest(1.0)
