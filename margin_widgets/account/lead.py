"""Which margin mode is worth more where along a curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from margin_widgets.account.curve import Curve


@dataclass(frozen=True)
class Region:
    """A stretch of x on which one mode leads: +1 cross, -1 isolated, 0 neither."""

    low: float
    high: float
    lead: int


def lead_regions(curve: Curve) -> list[Region]:
    """Where cross or isolated holds more equity, split where the curves cross or jump.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> curve = presets.ref2().curve(shock=True, low=-0.2, high=0.1)
    >>> [(round(one.low, 4), round(one.high, 4), one.lead) for one in lead_regions(curve)]
    [(-0.2, -0.1, -1), (-0.1, -0.0909, 1), (-0.0909, 0.1, 0)]
    """
    x, lead = curve.x, curve.cross.equity - curve.isolated.equity
    size = np.maximum(np.abs(curve.cross.equity), np.abs(curve.isolated.equity)).max()
    tolerance = 1e-9 * max(1.0, float(size))
    sign = np.where(np.abs(lead) <= tolerance, 0, np.sign(lead)).astype(int)
    crossing = sign[:-1] * sign[1:] < 0
    leader = np.where(sign[:-1], sign[:-1], sign[1:])
    steps = np.flatnonzero(x[1:] > x[:-1])
    changes = np.diff(leader[steps], prepend=2) != 0
    cuts: list[tuple[float, int]] = []
    for i in steps[changes | crossing[steps]]:
        cuts.append((float(x[i]), int(leader[i])))
        if crossing[i]:
            share = float(lead[i] / (lead[i] - lead[i + 1]))
            cuts.append((float(x[i] + (x[i + 1] - x[i]) * share), int(sign[i + 1])))
    regions: list[Region] = []
    ends = [start for start, _ in cuts[1:]] + [float(x[-1])]
    for (start, leads), end in zip(cuts, ends, strict=True):
        if regions and regions[-1].lead == leads:
            regions[-1] = Region(regions[-1].low, end, leads)
        else:
            regions.append(Region(start, end, leads))
    return regions
