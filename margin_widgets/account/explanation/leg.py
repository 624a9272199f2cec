"""One position as formulas see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation import upkeep
from margin_widgets.account.explanation.pool import Pool
from margin_widgets.account.explanation.sheet import Sheet, grouped
from margin_widgets.account.explanation.shown import price_unit
from margin_widgets.account.explanation.upkeep import Upkeep
from margin_widgets.account.report import MarginReport, PositionReport
from margin_widgets.engine.option_margin import OptionMargin, maintenance_rate
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
    def option(self) -> bool:
        """Whether it is an option."""
        return self.contract.is_option

    @property
    def in_coin(self) -> bool:
        """Whether it is an option whose premium is in coin."""
        return self.option and self.contract.settle == self.contract.base

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
    def leverage(self) -> float:
        """Leverage setting."""
        return float(self.report.books.book.leverage[self.index])

    @property
    def contracts(self) -> float:
        """Size in contracts."""
        return abs(self.report.books.state.positions[self.index].quantity)

    @property
    def coins(self) -> float:
        """Size in coin; of an inverse contract at entry."""
        return self.notional(self.entry) if self.inverse else abs(self.size)

    @property
    def mark(self) -> float:
        """Mark price."""
        return float(self.report.ledger.marks[self.symbol])

    @property
    def quote(self) -> str:
        """Unit of its prices."""
        return price_unit(self.contract)

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

    # -- options ----------------------------------------------------------------------------

    @property
    def option_margin(self) -> OptionMargin:
        """What the venue charges for options."""
        options = self.report.books.book.options
        assert options is not None
        return options.margin

    @property
    def index_mark(self) -> float:
        """Price of the underlying."""
        return float(self.report.ledger.marks[self.report.books.book.index[self.index]])

    def index_price(self, sheet: Sheet) -> str:
        """Introduce the price of the underlying."""
        name = f"mark of {self.contract.underlying}"
        return sheet.let("I", name, self.index_mark, str(self.contract.quote))

    @property
    def option_maintenance(self) -> float:
        """Maintenance margin of one coin of the option sold, in quote currency."""
        kind = 1 if self.contract.kind == "call" else -1
        mark = self.mark * (self.index_mark if self.in_coin else 1.0)
        return float(maintenance_rate(self.option_margin, kind, self.index_mark, mark))

    # -- what it owes -----------------------------------------------------------------------

    def maintenance(self, notional: float) -> Upkeep:
        """Maintenance margin in the tier that holds at a notional."""
        return upkeep.maintenance(self, notional)

    def rate(self, sheet: Sheet, owed: Upkeep, suffix: str = "", name: str = "m") -> str:
        """Introduce a margin rate with all that is added to it."""
        word = "maintenance" if name == "m" else "initial"
        parts = []
        if owed.where:
            meaning = f"{word} margin rate, {owed.where}"
            parts.append(sheet.let(f"{name}{suffix}", meaning, owed.rate))
        if owed.slope:
            meaning = f"rate added by a size of {fmt.plain(self.coins)} {self.contract.base}"
            parts.append(sheet.let(f"k{suffix}", meaning, owed.slope))
        if owed.fee:
            parts.append(sheet.let(f"f{suffix}", f"closing fee counted as {word}", owed.fee))
        return grouped(" + ".join(parts))

    def constants(
        self, sheet: Sheet, owed: Upkeep, suffix: str = "", signs: tuple[str, str] = ("−", "+")
    ) -> list[str]:
        """Introduce what does not move of a margin, each with its sign in front."""
        parts = []
        if owed.amount is not None:
            meaning = "maintenance amount of that tier"
            parts.append(f"{signs[0]} {sheet.let(f'A{suffix}', meaning, owed.amount, self.settle)}")
        if owed.fixed:
            sign, share = upkeep.bankruptcy_share(self)
            fee = fmt.plain(self.report.books.state.venue.taker_fee)
            entry = f"{fmt.plain(self.notional(self.entry))} {self.settle}"
            meaning = (
                f"closing fee at the bankruptcy price, {fee} of {entry}·(1 {sign}"
                f" {fmt.plain(share)})"
            )
            parts.append(f"{signs[1]} {sheet.let(f'F{suffix}', meaning, owed.fixed, self.settle)}")
        return parts
