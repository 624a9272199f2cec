"""Pools as exact functions of one moved price: the present prices times u, u > 0."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from margin_widgets.engine.book import Bools, Floats, Ints
from margin_widgets.engine.grouping import sum_by
from margin_widgets.engine.marked import MarkedBook
from margin_widgets.engine.partition import Partition
from margin_widgets.engine.piecewise import Hinges, PiecewiseLines, evaluate, positive_roots
from margin_widgets.engine.valuation import loan_margin


@dataclass(frozen=True)
class Ray:
    """L lines, each one pool seen along a move of some marks by the factor u.

    Attributes
    ----------
    pool : ndarray of int (L,)
        Pool of each line.
    equity, notional : ndarray (L, 3)
        Terms of the pool's market value and notional in ``(1, u, 1/u)``.
    haircut, requirement : PiecewiseLines
        What of the equity does not count; the maintenance margin.
    """

    pool: Ints
    equity: Floats
    notional: Floats
    haircut: PiecewiseLines
    requirement: PiecewiseLines
    trigger_level: float = 1.0

    @cached_property
    def surplus(self) -> PiecewiseLines:
        """Margin balance less what triggers: a pool falls where this is no longer positive."""
        needed = self.requirement.times(self.trigger_level)
        return PiecewiseLines(
            self.equity - self.haircut.smooth - needed.smooth,
            -(self.haircut.hinges + needed.hinges),
        )

    def triggers(self) -> tuple[Floats, Floats]:
        """Factors below and above 1 at which the surplus is zero, NaN where there is none (L,)."""
        return self.surplus.zeros_around_one()

    def bankruptcies(self) -> tuple[Floats, Floats]:
        """Factors at which there is no equity; NaN where there is none (L,)."""
        return positive_roots(self.equity)

    def equity_at(self, u: Floats) -> Floats:
        """Market value of each pool at factors of its own (L, K)."""
        return evaluate(self.equity[:, None, :], u)

    def notional_at(self, u: Floats) -> Floats:
        """Notional of each pool at factors of its own (L, K)."""
        return evaluate(self.notional[:, None, :], u)

    def requirement_on(self, u: Floats) -> Floats:
        """Maintenance margin on an ascending grid (G,) -> (L, G)."""
        return self.requirement.on_grid(u)

    def balance_on(self, u: Floats) -> Floats:
        """Margin balance on an ascending grid (G,) -> (L, G)."""
        kept = PiecewiseLines(self.equity - self.haircut.smooth, -self.haircut.hinges)
        return kept.on_grid(u)

    def equity_while_standing(self, u: Floats, begin: Ints, end: Ints) -> Floats:
        """Sum of the pools' equity on a grid (G,), each from its `begin` to before its `end`."""
        cells = len(u) + 1
        total = np.zeros(len(u))
        for term, factor in enumerate((np.ones_like(u), u, 1 / u)):
            amount = self.equity[:, term]
            if amount.any():
                steps = sum_by(begin, amount, cells) - sum_by(end, amount, cells)
                total = total + np.cumsum(steps)[:-1] * factor
        return total


def by_symbol(marked: MarkedBook, partition: Partition) -> tuple[Ray, Ints]:
    """One line per pool and symbol held in it: that symbol moves, all others stay.

    Returns
    -------
    ray : Ray
    line : ndarray of int (N,)
        The line of each position: two legs of a symbol in one pool share it.
    """
    book = marked.book
    symbols = len(book.inverse)
    pairs, line = np.unique(partition.pool * symbols + book.symbol, return_inverse=True)
    pool, symbol = pairs // max(symbols, 1), pairs % max(symbols, 1)
    asset_moves = book.asset_symbol == symbol[:, None]
    return _lines(marked, partition, pool, line.astype(np.intp), asset_moves), line


def together(marked: MarkedBook, partition: Partition, symbol: int | None = None) -> Ray:
    """One line per pool: all marks move together, or only `symbol` does."""
    book = marked.book
    pools = np.arange(len(partition.wallet), dtype=np.intp)
    if symbol is None:
        line = partition.pool
        moves = book.asset_symbol >= 0
    else:
        line = np.where(book.symbol == symbol, partition.pool, -1).astype(np.intp)
        moves = book.asset_symbol == symbol
    moves = np.broadcast_to(moves, (len(pools), len(moves)))
    return _lines(marked, partition, pools, line, moves)


def _lines(
    marked: MarkedBook,
    partition: Partition,
    line_pool: Ints,
    position_line: Ints,
    asset_moves: Bools,
) -> Ray:
    """Write pools as functions of u.

    Positions with a line (>= 0) have their mark moved on it; the others of the pool stay. On each
    line, `asset_moves` (L, A) says which assets' prices follow.
    """
    lines, assets = asset_moves.shape
    book, prices, mark = marked.book, marked.asset_prices, marked.price
    settle = book.position_settle

    moved = np.flatnonzero(position_line >= 0)
    line = position_line[moved]
    slot = line * assets + settle[moved]

    # Where the whole pool moves, nothing of its positions stays, to the last digit.
    some_stay = np.bincount(line, minlength=lines) < partition.members[line_pool]

    def staying(amounts: Floats) -> Floats:
        """Sums (L, A) over the pool's positions that do not move on the line."""
        if not some_stay.any():
            return np.zeros((lines, assets))
        moving = sum_by(slot, amounts[moved], lines * assets).reshape(lines, assets)
        everything = partition.sum_by_pool_and_asset(amounts, settle)[line_pool]
        return np.where(some_stay[:, None], everything - moving, 0.0)

    def terms_of(amounts: Floats) -> Floats:
        """Terms (L, A, 3) of amounts of assets whose prices stay or follow."""
        worth = amounts * prices
        terms = np.zeros((lines, assets, 3))
        terms[..., 0] = np.where(asset_moves, 0.0, worth)
        terms[..., 1] = np.where(asset_moves, worth, 0.0)
        return terms

    # The moved positions: an amount x in the settlement asset is worth x * price, or x * price * u
    # where the settlement asset follows the same mark.
    inverse = book.position_inverse[moved]
    worth = prices[settle[moved]]
    follows = asset_moves[line, settle[moved]]
    constant_term = follows.astype(np.intp)  # of an amount that does not change: 1 or u
    moving_term = np.where(inverse, np.where(follows, 0, 2), 1)  # of size * price, or size / price
    each = np.arange(len(moved))

    def moved_terms(constant: Floats, moving: Floats) -> Floats:
        """Terms (M, 3) of an amount ``constant + moving * (notional factor)`` of each position."""
        terms = np.zeros((len(moved), 3))
        terms[each, constant_term] += constant * worth
        terms[each, moving_term] += moving * worth
        return terms

    q, entry = book.size[moved], book.entry[moved]
    at_mark = q * np.where(inverse, 1 / mark[moved], mark[moved])  # signed notional
    profit_terms = moved_terms(
        q * np.where(inverse, 1 / entry, -entry), np.where(inverse, -at_mark, at_mark)
    )
    net = terms_of(partition.wallet[line_pool] + staying(marked.profit))
    _add_rows(net.reshape(-1, 3), slot, profit_terms)

    gross = np.zeros((lines, 3))
    _add_rows(gross, line, moved_terms(np.zeros(len(moved)), np.abs(at_mark)))
    gross += terms_of(staying(marked.notional)).sum(axis=1)

    requirement = terms_of(staying(marked.maintenance)).sum(axis=1)
    if book.has_loan_margin:
        requirement += terms_of(loan_margin(book, partition.wallet[line_pool])).sum(axis=1)
    nothing = np.zeros(len(moved))
    if book.maintenance_at_entry:
        _add_rows(requirement, line, moved_terms(marked.maintenance[moved], nothing))
        tiers = _no_hinges()
    else:
        rate = book.tiers.steps[book.symbol[moved], 0] + book.rate[moved]
        _add_rows(requirement, line, moved_terms(book.fixed[moved], rate * np.abs(at_mark)))
        floors = book.tiers.floors[book.symbol[moved], 1:]
        steps = book.tiers.steps[book.symbol[moved], 1:]
        position, band = np.nonzero(steps)
        over = moved_terms(nothing, np.abs(at_mark))[position]
        place = np.arange(len(position))
        over[place, constant_term[position]] -= floors[position, band] * worth[position]
        tiers = Hinges(line[position], steps[position, band], over)

    return Ray(
        pool=line_pool,
        equity=net.sum(axis=1),
        notional=gross,
        haircut=PiecewiseLines(np.zeros((lines, 3)), _haircuts(marked, net, asset_moves)),
        requirement=PiecewiseLines(requirement, tiers),
        trigger_level=book.trigger_level,
    )


def _haircuts(marked: MarkedBook, net: Floats, asset_moves: Bools) -> Hinges:
    """What does not count of the net assets (L, A, 3), band by band."""
    haircuts = marked.book.haircuts
    if not haircuts.steps.any():
        return _no_hinges()
    asset, band = np.nonzero(haircuts.steps)
    lines = len(net)
    line = np.repeat(np.arange(lines), len(asset))
    asset, band = np.tile(asset, lines), np.tile(band, lines)
    over = net[line, asset]
    floor_worth = haircuts.floors[asset, band] * marked.asset_prices[asset]
    over[np.arange(len(over)), asset_moves[line, asset].astype(np.intp)] -= floor_worth
    return Hinges(line, haircuts.steps[asset, band], over)


def _add_rows(target: Floats, row: Ints, terms: Floats) -> None:
    """Add terms (M, 3) to rows of target (R, 3), in place."""
    for term in range(3):
        target[:, term] += sum_by(row, terms[:, term], len(target))


def _no_hinges() -> Hinges:
    return Hinges(np.zeros(0, dtype=np.intp), np.zeros(0), np.zeros((0, 3)))
