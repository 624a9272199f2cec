"""Accounts of any number of positions, the same in every run."""

from __future__ import annotations

import numpy as np

import margin_widgets as mw

TIERS = ((0.0, 0.005), (50_000.0, 0.01), (250_000.0, 0.025))
MARK = 100.0


def symbols(count: int) -> list[str]:
    """Return names of as many linear contracts."""
    return [f"S{i:04d}USDT" for i in range(count)]


def quantities(count: int) -> np.ndarray:
    """Return signed quantities, two long for each short, that cross the first tier's floor."""
    sizes = np.random.default_rng(2).uniform(50, 1_000, count).round(2)
    sizes[2::3] *= -1
    return sizes


def account(count: int) -> mw.Account:
    """Return a healthy account with one position in each of `count` symbols."""
    names = symbols(count)
    sizes = quantities(count)
    return mw.Account(
        venue=mw.venues.generic(tiers={name: list(TIERS) for name in names}),
        collateral={"USDT": float(np.abs(sizes).sum() * MARK / 5)},
        positions=[
            mw.Position(
                name,
                quantity=float(size),
                entry_price=MARK,
                leverage=10,
                margin_mode="isolated" if i % 2 else "cross",
            )
            for i, (name, size) in enumerate(zip(names, sizes, strict=True))
        ],
        marks=dict.fromkeys(names, MARK),
    )
