"""One position as formulas see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation.pool import Pool
from margin_widgets.account.explanation.sheet import Sheet
from margin_widgets.account.report import MarginReport, PositionReport
from margin_widgets.venues import Contract


@dataclass(frozen=True)
class Leg:
    """A position by number: what it holds, and the symbols that stand for it."""

    report: MarginReport
    index: int

    @property
    def figures(self) -> PositionReport:
        """Its figures."""
        return self.report.positions[self.index]

    @cached_property
    def pool(self) -> Pool:
        """The pool it is in."""
        return Pool(self.report, int(self.report.ledger.partition.pool[self.index]))

    @property
    def symbol(self) -> int:
        """Number of its symbol."""
        return int(self.report.books.book.symbol[self.index])

    @property
    def contract(self) -> Contract:
        """Its contract."""
        return self.report.books.contracts[self.symbol]

    @property
    def inverse(self) -> bool:
        """Whether it pays in its base coin."""
        return bool(self.report.books.book.inverse[self.symbol])

    @property
    def size(self) -> float:
        """Signed size in coin (linear) or quote units (inverse)."""
        return float(self.report.books.book.size[self.index])

    @property
    def entry(self) -> float:
        """Entry price."""
        return float(self.report.books.book.entry[self.index])

    @property
    def mark(self) -> float:
        """Mark price."""
        return float(self.report.ledger.marks[self.symbol])

    @property
    def quote(self) -> str:
        """Unit of its prices."""
        return str(self.contract.quote)

    @property
    def settle(self) -> str:
        """Asset in which it pays."""
        return self.report.books.assets[int(self.report.books.book.position_settle[self.index])]

    @property
    def settle_price(self) -> float:
        """Price of that asset in the account's currency."""
        settle = self.report.books.book.position_settle[self.index]
        return float(self.report.ledger.marked.asset_prices[settle])

    @property
    def converted(self) -> bool:
        """Whether formulas must value its amounts in the account's currency."""
        return self.settle != self.report.currency and self.settle_price != 1

    @property
    def by(self) -> str:
        """What stands between size and price in a notional."""
        return "/" if self.inverse else "·"

    def notional(self, price: float) -> float:
        """Notional at a price, in the settlement asset."""
        return abs(self.size) / price if self.inverse else abs(self.size) * price

    # -- symbols ----------------------------------------------------------------------------

    def signed(self, sheet: Sheet, suffix: str = "") -> str:
        """Introduce the signed size."""
        return self._size(sheet, f"q{suffix}", "signed size", self.size)

    def gross(self, sheet: Sheet, suffix: str = "") -> str:
        """Introduce the size."""
        return self._size(sheet, f"|q{suffix}|", "size", abs(self.size))

    def _size(self, sheet: Sheet, name: str, meaning: str, value: float) -> str:
        multiplier = self.contract.multiplier
        if multiplier != 1 or self.inverse:
            quantity = self.report.books.state.positions[self.index].quantity
            meaning += f", {fmt.plain(quantity)} contracts of {fmt.plain(multiplier)}"
        return sheet.let(
            name, meaning, value, self.quote if self.inverse else str(self.contract.base)
        )

    def price(self, sheet: Sheet, *, at_entry: bool = False) -> str:
        """Introduce the mark, or the entry price."""
        if at_entry:
            return sheet.let("E", "entry price", self.entry, self.quote)
        return sheet.let("P", "mark price", self.mark, self.quote)

    def settlement(self, sheet: Sheet) -> str:
        """Introduce the price of the settlement asset."""
        return sheet.let("S", f"price of {self.settle}", self.settle_price, self.report.currency)

    def valued(self, sheet: Sheet, template: str) -> str:
        """Value an amount of the settlement asset in the account's currency."""
        return f"{template}·{self.settlement(sheet)}" if self.converted else template

    def tier(self, sheet: Sheet, notional: float, suffix: str = "") -> tuple[str, str]:
        """Introduce rate (closing fee included) and amount of the tier that holds at a notional."""
        venue, symbol = self.report.books.state.venue, self.figures.symbol
        table, amounts = venue.tier_table(symbol), venue.maintenance_amounts(symbol)
        tier = max(n for n, row in enumerate(table) if n == 0 or row.floor < notional)
        floor = f"above a notional of {fmt.plain(table[tier].floor)} {self.settle}"
        where = f"tier {tier + 1} of {len(table)}, {floor}" if len(table) > 1 else "one tier"
        rate = sheet.let(f"m{suffix}", f"maintenance margin rate, {where}", table[tier].rate)
        amount = sheet.let(
            f"A{suffix}", "maintenance amount of that tier", amounts[tier], self.settle
        )
        if venue.closing_fee:
            fee = sheet.let(f"f{suffix}", "closing fee counted as maintenance", venue.closing_fee)
            rate = f"({rate} + {fee})"
        return rate, amount
