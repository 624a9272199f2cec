"""What margin is: immutable arrays and pure functions over them, NumPy only.

Read in this order: `book` (what an account holds), `partition` (who shares collateral with whom:
the whole difference between isolated and cross), `valuation` (figures at given marks), `ray` (the
same figures as exact functions of one moved price), `liquidation` (where a pool reaches its
trigger), `ledger` (all of it for one margin mode), `sweep` (the account's equity through and beyond
liquidation) and `solve` (the way back: what collateral puts a liquidation where it is wanted).
`batch` solves very many plain cross accounts at once.

What has no closed form: `black` and `option_margin` (what an option is worth and owes), `options`
(options in a book), `portfolio` and `risk_units` (the worst loss over a grid), `curved` (`ray` by
search). What a liquidation does: `closing` (policies, step by step), `handover` (sizes and prices
of forced trades), `insurance` (the fund and deleveraging), `rounding` and `weights` (grids of
prices and amounts, weights that depend on size).
"""

from margin_widgets.engine.batch import AccountBatch
from margin_widgets.engine.book import Book, Schedule
from margin_widgets.engine.ledger import (
    Ledger,
    bankruptcy_prices,
    liquidation_prices,
    liquidation_shocks,
)
from margin_widgets.engine.liquidation import Triggers
from margin_widgets.engine.marked import MarkedBook
from margin_widgets.engine.partition import Partition, configured, cross, isolated
from margin_widgets.engine.sweep import LiquidationEvent, Sweep, SweepSeries, sweep
from margin_widgets.engine.valuation import Valuation, mark_book, value

__all__ = [
    "AccountBatch",
    "Book",
    "Ledger",
    "LiquidationEvent",
    "MarkedBook",
    "Partition",
    "Schedule",
    "Sweep",
    "SweepSeries",
    "Triggers",
    "Valuation",
    "bankruptcy_prices",
    "configured",
    "cross",
    "isolated",
    "liquidation_prices",
    "liquidation_shocks",
    "mark_book",
    "sweep",
    "value",
]
