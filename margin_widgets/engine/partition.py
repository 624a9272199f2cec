"""Who shares collateral with whom: a margin mode is a partition of the account into pools."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from margin_widgets.engine.book import Book, Bools, Floats, Ints
from margin_widgets.engine.grouping import sum_by


@dataclass(frozen=True)
class Partition:
    """Positions grouped into pools, each with collateral of its own. P pools.

    A pool is liquidated when its own margin balance no longer covers its own requirement; nothing
    outside it can help and nothing outside it is harmed.

    Attributes
    ----------
    pool : ndarray of int (N,)
        Pool of each position.
    wallet : ndarray (P, A)
        Wallet amounts that back each pool.
    idle : ndarray (A,)
        Wallet amounts that back nothing.
    own : ndarray of bool (P,)
        Pools that hold one isolated position (the others are cross pools).
    """

    pool: Ints
    wallet: Floats
    idle: Floats
    own: Bools

    @cached_property
    def members(self) -> Ints:
        """Number of positions in each pool (P,)."""
        return np.bincount(self.pool, minlength=len(self.wallet))

    @cached_property
    def occupied(self) -> Bools:
        """Pools that hold a position or owe a loan; only these can be liquidated (P,)."""
        return (self.members > 0) | (~self.own & (self.wallet < 0).any(axis=1))

    def sum_by_pool(self, amounts: Floats) -> Floats:
        """Sum amounts of positions (..., N) over each pool (..., P)."""
        return sum_by(self.pool, amounts, len(self.wallet))

    def sum_by_pool_and_asset(self, amounts: Floats, asset: Ints) -> Floats:
        """Sum amounts of positions (..., N) over pools and settlement assets (..., P, A)."""
        pools, assets = self.wallet.shape
        summed = sum_by(self.pool * assets + asset, amounts, pools * assets)
        return summed.reshape(*summed.shape[:-1], pools, assets)


def isolated(book: Book, *, by_settlement: bool = False) -> Partition:
    """Every position alone with the margin assigned to it; the rest of the wallet is idle."""
    return configured(book, np.ones(len(book.symbol), dtype=bool), by_settlement=by_settlement)


def cross(book: Book, *, by_settlement: bool = False) -> Partition:
    """All positions on all collateral (or one such pool per settlement asset)."""
    return configured(book, np.zeros(len(book.symbol), dtype=bool), by_settlement=by_settlement)


def configured(book: Book, alone: Bools | None = None, *, by_settlement: bool = False) -> Partition:
    """Positions marked `alone` in pools of their own, the others sharing what is left.

    A loan is shared too: whatever is left over backs it, also where no position does.

    Parameters
    ----------
    book : Book
    alone : ndarray of bool (N,), optional
        Which positions are isolated; the book's own margin modes if not given.
    by_settlement : bool
        Whether cross pools are kept apart by settlement asset.
    """
    alone = book.isolated if alone is None else alone
    positions, assets = len(book.symbol), len(book.wallet)
    settle = book.position_settle
    lone = np.flatnonzero(alone)
    assigned = np.bincount(settle[lone], book.margin[lone], minlength=assets)
    rest = book.wallet - assigned
    shared = ~alone
    idle = np.zeros(assets)
    borrows = bool((book.wallet < 0).any()) and not by_settlement
    if not shared.any() and not borrows:
        shared_wallet, idle = np.zeros((0, assets)), rest
        shared_pool = np.zeros(positions, dtype=np.intp)
    elif by_settlement:
        used = np.unique(settle[shared])
        shared_wallet = np.zeros((len(used), assets))
        shared_wallet[np.arange(len(used)), used] = rest[used]
        idle = rest.copy()
        idle[used] = 0.0
        shared_pool = np.searchsorted(used, settle)
    else:
        shared_wallet = rest[None, :]
        shared_pool = np.zeros(positions, dtype=np.intp)
    pool = np.where(alone, len(shared_wallet) + np.cumsum(alone) - 1, shared_pool).astype(np.intp)
    lone_wallet = np.zeros((len(lone), assets))
    lone_wallet[np.arange(len(lone)), settle[lone]] = book.margin[lone]
    own = np.arange(len(shared_wallet) + len(lone)) >= len(shared_wallet)
    return Partition(pool, np.concatenate([shared_wallet, lone_wallet]), idle, own)
