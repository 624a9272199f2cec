"""What many isolated positions need, found in one report: their pools do not touch each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from traitlets import TraitError

from margin_widgets.account.books import Books, keep_books
from margin_widgets.account.solve.change import Change, changed
from margin_widgets.account.solve.goals import Goal, KeepRatio, Survive
from margin_widgets.engine.book import Floats

MODE = "isolated"


@dataclass(frozen=True)
class Found:
    """The margin of one isolated position, judged by an exact report.

    Attributes
    ----------
    gap, scale : float
        By how much the goal is met as things are, and the size of what that is the difference of.
    margin : float
        With which it is just met.
    parts : (float, float)
        Loss and requirement where the goal bites, in the account's currency.
    """

    gap: float
    scale: float
    margin: float
    parts: tuple[float, float]


def margins_together(
    books: Books, goal: Goal, members: list[int], close: float, rounding: float
) -> dict[int, Found]:
    """Margins of isolated positions by position; without those that are to be solved one by one.

    Parameters
    ----------
    books : Books
    goal : Survive, KeepRatio or LiquidationAt
    members : list of int
        Numbers of the positions.
    close, rounding : float
        Gaps, and amounts, no larger than this share of a position's scale are none.
    """
    book = books.book
    in_bands = bool(book.haircuts.steps.any())
    if book.curved or book.has_loan_margin or in_bands or not isinstance(goal, Survive | KeepRatio):
        return {}
    at = np.array(members, dtype=np.intp)
    pools = books.partitions[MODE].pool[at]
    level, scale = goal.level(book), _scale(books, at, pools)
    marks = goal.marks(books, members[0])  # the same for every position
    now = [_surplus(books, one, pools, level) for one in marks]
    wanted = np.max([_wanted(books, one, at, pools, level) for one in marks], axis=0)
    price = book.asset_prices(books.marks)[book.position_settle[at]]
    wanted = np.where(np.abs(wanted) * price <= rounding * scale, 0.0, np.maximum(wanted, 0.0))
    rows = books.state.positions
    tried = [
        Change(books.keys[one], "margin", float(book.margin[one]), amount, "", rows[one].id)
        for one, amount in zip(members, wanted.tolist(), strict=True)
    ]
    try:
        then = keep_books(changed(books.state, tried))
    except TraitError:
        return {}
    there = goal.marks(then, members[0])
    gap = np.min([_surplus(then, one, pools, level) for one in there], axis=0)
    sure = (np.abs(gap) <= close * scale) | ((wanted == 0.0) & (gap >= 0.0))
    losses, needed = _parts(books, marks, at, pools, level)
    least = np.min(now, axis=0)
    return {
        member: Found(
            float(least[n]), float(scale[n]), float(wanted[n]), (float(losses[n]), float(needed[n]))
        )
        for n, member in enumerate(members)
        if sure[n]
    }


def _scale(books: Books, at: np.ndarray, pools: np.ndarray) -> Floats:
    figures = books.ledger(MODE).valuation
    scale: Floats = figures.notional[at] + np.abs(figures.margin_balance[pools])
    return scale


def _surplus(books: Books, marks: Floats, pools: np.ndarray, level: float) -> Floats:
    figures = books.ledger(MODE, marks).valuation
    surplus: Floats = figures.margin_balance[pools] - level * figures.requirement[pools]
    return surplus


def _wanted(books: Books, marks: Floats, at: np.ndarray, pools: np.ndarray, level: float) -> Floats:
    """As `engine.solve.wallet_at_trigger` for pools of one position each, without haircuts."""
    ledger, settle = books.ledger(MODE, marks), books.book.position_settle[at]
    figures, marked = ledger.valuation, ledger.marked
    profit = marked.counted[at]
    net = ledger.partition.wallet[pools, settle] + profit
    missing = level * figures.requirement[pools] - figures.margin_balance[pools]
    wanted: Floats = net + missing / marked.asset_prices[settle] - profit
    return wanted


def _parts(
    books: Books, marks: list[Floats], at: np.ndarray, pools: np.ndarray, level: float
) -> tuple[Floats, Floats]:
    """Loss and requirement at the worst of some marks."""
    settle = books.book.position_settle[at]
    losses, needed = [], []
    for one in marks:
        ledger = books.ledger(MODE, one)
        losses.append(-ledger.marked.counted[at] * ledger.marked.asset_prices[settle])
        needed.append(level * ledger.valuation.requirement[pools])
    worst = np.argmax(np.add(losses, needed), axis=0)
    which = (worst, np.arange(len(at)))
    return np.array(losses)[which], np.array(needed)[which]
