"""Sums over groups: positions into pools, kinks into lines."""

from __future__ import annotations

import math

import numpy as np

from margin_widgets.engine.arrays import Floats, Ints


def sum_by(group: Ints, amounts: Floats, groups: int) -> Floats:
    """Sum the last axis of `amounts` (..., N) by `group` (N,) into (..., groups)."""
    if amounts.ndim == 1:
        # NumPy counts in integers where there is nothing to weigh.
        return np.bincount(group, amounts, minlength=groups).astype(float, copy=False)
    rows = amounts.reshape(math.prod(amounts.shape[:-1]), amounts.shape[-1])
    flat = (np.arange(len(rows))[:, None] * groups + group).ravel()
    summed = sum_by(flat, rows.ravel(), len(rows) * groups)
    return summed.reshape(*amounts.shape[:-1], groups)
