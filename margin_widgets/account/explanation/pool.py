"""One pool as formulas see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from margin_widgets.account.explanation.sheet import Sheet
from margin_widgets.account.report import MarginReport, PoolReport
from margin_widgets.engine import Ledger, Partition, mark_book
from margin_widgets.engine.book import Floats, Ints
from margin_widgets.engine.options import is_option, moved_marks
from margin_widgets.engine.ray import Ray, by_symbol
from margin_widgets.engine.valuation import count_as_margin, loan_margin

LOANS = "maintenance margin of the loans, which are negative amounts in the wallet"
"""What is charged beside positions; an unrealised loss is no loan."""


@dataclass(frozen=True)
class Pool:
    """Positions that stand and fall together, by number."""

    report: MarginReport
    number: int

    @property
    def figures(self) -> PoolReport:
        """Its figures."""
        return self.report.pools[self.number]

    @property
    def name(self) -> str:
        """Its name."""
        return self.figures.name

    @property
    def fallen(self) -> bool:
        """Whether it is below maintenance at the marks."""
        return bool(self.report.ledger.fallen[self.number])

    @property
    def own(self) -> bool:
        """Whether it holds one isolated position."""
        return bool(self.report.ledger.partition.own[self.number])

    @cached_property
    def members(self) -> Ints:
        """Positions in it."""
        return np.flatnonzero(self.report.ledger.partition.pool == self.number)

    @cached_property
    def apart(self) -> Ledger:
        """The pool by itself: its positions on its own collateral, nothing else of the account."""
        ledger, members = self.report.ledger, self.members
        book = ledger.book.only(members)
        if not is_option(book).any():
            book = book.replace(options=None)
        partition = ledger.partition
        alone = Partition(
            pool=np.zeros(len(members), dtype=np.intp),
            wallet=partition.wallet[self.number : self.number + 1],
            idle=np.zeros(partition.wallet.shape[1]),
            own=partition.own[self.number : self.number + 1],
        )
        return Ledger(mark_book(book, ledger.marks), alone, ledger.portfolio)

    def closed_along(self, symbol: int, *, maintained: bool = True) -> bool:
        """Whether what it holds (and must hold) has a closed form in one symbol's price."""
        book = self.apart.book
        if book.options is not None or (maintained and self.apart.portfolio is not None):
            return False
        moving = book.symbol == symbol
        paid_in_itself = ~book.position_inverse & (
            book.asset_symbol[book.position_settle] == symbol
        )
        squared = maintained and bool(book.square[moving].any())
        return not squared and not bool(paid_in_itself[moving].any())

    def place(self, position: int) -> int:
        """Number of a position among the members."""
        return int(np.searchsorted(self.members, position))

    @cached_property
    def rays(self) -> tuple[Ray, Ints]:
        """The pool along each of its symbols, where that is closed; and the line of each member."""
        return by_symbol(self.apart.marked, self.apart.partition)

    def at(self, factors: Floats) -> Stand:
        """How the pool stands with the marks (S,) times factors."""
        apart = self.apart
        marks = moved_marks(apart.book, self.report.ledger.marks, factors)
        return Stand(Ledger(mark_book(apart.book, marks), apart.partition, apart.portfolio))

    @cached_property
    def now(self) -> Stand:
        """How it stands at the marks."""
        return Stand(self.apart)

    @cached_property
    def level(self) -> float:
        """How many times its maintenance margin it must hold."""
        return self.report.ledger.book.trigger_level

    @cached_property
    def assets(self) -> list[int]:
        """Assets that it holds or settles in."""
        held = np.flatnonzero(self.report.ledger.partition.wallet[self.number])
        settled = self.report.books.book.position_settle[self.members]
        return sorted({*map(int, held), *map(int, settled)})

    def collateral(self, sheet: Sheet, unit: str, price: float = 1.0) -> str:
        """Introduce what backs it, in units worth `price`."""
        ledger = self.report.ledger
        worth = ledger.partition.wallet[self.number] * ledger.marked.asset_prices
        name, meaning = ("M", "margin assigned") if self.own else ("W", "collateral of the pool")
        return sheet.let(name, meaning, float(worth.sum()) / price, unit)

    def ratio(self, sheet: Sheet) -> str:
        """Write its margin ratio."""
        figures, currency = self.figures, self.report.currency
        required, balance = figures.maintenance_margin, figures.margin_balance
        above = sheet.let("MM", f"maintenance margin of pool {self.name}", required, currency)
        below = sheet.let("MB", f"margin balance of pool {self.name}", balance, currency)
        return f"{above} / {below}"


@dataclass(frozen=True)
class Stand:
    """One pool at given marks, in the account's currency.

    Parameters
    ----------
    ledger : Ledger
        With this pool alone.
    """

    ledger: Ledger

    @property
    def collateral(self) -> float:
        """Market value of the wallet."""
        prices = self.ledger.marked.asset_prices
        return float((self.ledger.partition.wallet[0] * prices).sum())

    @property
    def counted(self) -> Floats:
        """What each position adds to the margin balance (N,)."""
        if self.ledger.portfolio is not None:  # there the value of options counts
            return self.worth
        marked = self.ledger.marked
        return marked.counted * marked.asset_prices[marked.book.position_settle]

    @property
    def worth(self) -> Floats:
        """What each position adds to the equity (N,)."""
        marked = self.ledger.marked
        return marked.worth * marked.asset_prices[marked.book.position_settle]

    @property
    def balance(self) -> float:
        """Margin balance."""
        return float(self.ledger.valuation.margin_balance[0])

    @property
    def haircut(self) -> float:
        """What of the equity does not count."""
        marked = self.ledger.marked
        lost = (self._net - count_as_margin(marked.book, self._net)) * marked.asset_prices
        return float(lost.sum())

    @property
    def margin_value(self) -> float:
        """What of the wallet counts as margin."""
        wallet, book = self.ledger.partition.wallet, self.ledger.book
        return float((count_as_margin(book, wallet) * self.ledger.marked.asset_prices).sum())

    @property
    def requirement(self) -> float:
        """Maintenance margin of positions and loans, or the worst loss of portfolio margin."""
        return float(self.ledger.valuation.requirement[0])

    @property
    def maintenance(self) -> Floats:
        """Maintenance margin of each position (N,)."""
        return self.ledger.valuation.maintenance

    @property
    def loans(self) -> float:
        """Maintenance margin of what the wallet has borrowed."""
        marked, wallet = self.ledger.marked, self.ledger.partition.wallet[0]
        return float((loan_margin(marked.book, wallet) * marked.asset_prices).sum())

    @property
    def _net(self) -> Floats:
        """What it holds of each asset, as far as it counts (A,)."""
        marked, partition = self.ledger.marked, self.ledger.partition
        added = marked.worth if self.ledger.portfolio is not None else marked.counted
        summed = partition.sum_by_pool_and_asset(added, marked.book.position_settle)
        net: Floats = (partition.wallet + summed)[0]
        return net
