"""One pool as formulas see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from margin_widgets.account.explanation.sheet import Sheet
from margin_widgets.account.report import MarginReport, PoolReport
from margin_widgets.engine.book import Ints


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
