"""The way back: how much collateral puts a pool exactly at its trigger at given marks."""

from __future__ import annotations

import numpy as np

from margin_widgets.engine.book import Book, Floats
from margin_widgets.engine.partition import Partition
from margin_widgets.engine.valuation import mark_book, value


def amount_that_counts_as(book: Book, asset: int, counted: float) -> float:
    """Amount of an asset that counts as `counted` after its haircut (both in the asset).

    Raises
    ------
    ValueError
        If a haircut of 100 % keeps any amount from counting that much.
    """
    if counted <= 0:
        return counted
    floors, steps = book.haircuts.floors[asset], book.haircuts.steps[asset]
    weights = 1.0 - np.cumsum(steps)
    amount, left = 0.0, counted
    edges = [*floors[1:], np.inf] if len(floors) else [np.inf]
    for band, edge in enumerate(edges):
        weight = weights[band] if len(weights) else 1.0
        room = (edge - amount) * weight if weight > 0 else 0.0
        if left <= room:
            return amount + left / weight
        left -= room
        amount = edge
    msg = f"no amount counts as {counted:g}: the haircut takes everything above {amount:g}"
    raise ValueError(msg)


def wallet_at_trigger(
    book: Book, partition: Partition, marks: Floats, pool: int, asset: int
) -> float:
    """Wallet amount of `asset` with which `pool` has margin balance equal to its requirement.

    Parameters
    ----------
    book : Book
    partition : Partition
    marks : ndarray (S,)
        The marks at which the trigger is wanted.
    pool, asset : int

    Returns
    -------
    float
        In units of the asset; what is in the pool's other assets stays.
    """
    marked = mark_book(book, marks)
    figures = value(marked, partition)
    price = float(marked.asset_prices[asset])
    in_asset = (partition.pool == pool) & (book.position_settle == asset)
    profit = float(marked.counted[in_asset].sum())
    net = partition.wallet[pool, asset] + profit
    counts = net - float(book.haircuts.at(np.array([asset]), np.array([net]))[0])
    needed = book.trigger_level * figures.requirement[pool]
    missing = float(needed - figures.margin_balance[pool]) / price
    return amount_that_counts_as(book, asset, counts + missing) - profit
