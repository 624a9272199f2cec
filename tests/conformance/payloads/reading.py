"""What a payload says, by meaning: prices, size, rate, collateral, and what it says of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.conformance.cases import Case
from tests.conformance.judge import unit
from tests.conformance.words import as_side

_RATE = re.compile(
    r"(?:\bMMR|\bMMF|\bmmr|[Mm]aintenance(?: margin)?(?: rate| fraction)?)"
    r"(?: of| is|=|:)?\s+(?P<rate>\d+(?:\.\d+)?) ?%"
)
_MM_OVER = re.compile(r"\bMM/notional ?= ?(?P<rate>\d+(?:\.\d+)?) ?%")
_AMOUNT = re.compile(r"maintenance amount (?P<amount>\d+(?:\.\d+)?)")
_FEE = re.compile(r"closing fee (?P<fee>\d*\.\d+) ?%")
_TICK = re.compile(r"\btick (?P<tick>\d*\.?\d+)")
_NONE = re.compile(
    r"\bliq(?:uidation)?[_ ]?(?:Price|Px|price|px)\b[^.;()]{0,40}?(?:\bnull\b|\bempty\b|'0'|\b0\b)"
)
_RAW_PRICE = re.compile(r"liq(uidation)?_?(price|px)$", re.IGNORECASE)


@dataclass(frozen=True)
class Payload:
    """One row of positions, read by meaning."""

    case: Case

    @property
    def row(self) -> Mapping[str, Any]:
        """The row itself."""
        return self.case.row

    @cached_property
    def raw(self) -> Mapping[str, Any]:
        """Fields of the exchange that the collector kept as they were."""
        found = self.row.get("raw")
        return found if isinstance(found, dict) else {}

    @cached_property
    def account(self) -> Mapping[str, Any]:
        """Figures of the account, if the payload has them."""
        found = self.row.get("account")
        return found if isinstance(found, dict) else {}

    @property
    def notes(self) -> str:
        """What the collector noted."""
        return str(self.row.get("notes") or "")

    def number(self, name: str, place: Mapping[str, Any] | None = None) -> float | None:
        """A number of the row (or of another place), None if there is none."""
        return _number((self.row if place is None else place).get(name))

    def first(self, place: Mapping[str, Any], *names: str) -> float | None:
        """The first of these names that has a number."""
        return next((n for one in names if (n := _number(place.get(one))) is not None), None)

    # -- size and prices --------------------------------------------------------------------

    @property
    def inverse(self) -> bool:
        """Whether the contract pays in its base coin."""
        return "inverse" in self.case.contract_type

    @property
    def side(self) -> float:
        """+1 or -1."""
        return as_side(self.row.get("side"))

    @property
    def isolated(self) -> bool:
        """Whether the position has collateral of its own."""
        return self.case.margin_mode.startswith("isolated")

    @cached_property
    def contracts(self) -> float:
        """Signed contracts of an inverse position, signed coins of a linear one."""
        quantity = abs(self.number("quantity") or 0.0)
        if self.inverse:
            return self.side * quantity
        base = self.number("base_quantity_if_known")
        if base is None:
            base = quantity * (self.number("contract_size") or 1.0)
        return self.side * abs(base)

    @property
    def multiplier(self) -> float:
        """Quote units of an inverse contract."""
        return (self.number("contract_size") or 1.0) if self.inverse else 1.0

    def value(self, price: float) -> float:
        """Value of the position in the settlement asset, to find units and sources only."""
        size = abs(self.contracts) * self.multiplier
        return size / price if self.inverse else size * price

    @cached_property
    def scale(self) -> float:
        """Settlement assets in the unit of the payload's amounts: 1e-8 of satoshi."""
        price = self.number("mark_price") or self.number("entry_price")
        stated = self.number("notional") or self.first(self.raw, "posCost", "markValue")
        if not price or not stated:
            return 1.0
        power = round(math.log10(abs(stated) / self.value(price)))
        near = abs(abs(stated) / self.value(price) / 10.0**power - 1) < 0.02
        return 10.0**-power if near and power >= 3 else 1.0

    def amount(self, name: str) -> float | None:
        """An amount of the row in settlement assets."""
        found = self.number(name)
        return None if found is None else found * self.scale

    @cached_property
    def prices(self) -> tuple[float | None, float | None, str]:
        """Entry, mark, and the figure from which the mark was taken if it is not stated."""
        entry, mark = self.number("entry_price"), self.number("mark_price")
        profit, notional = self.amount("unrealized_pnl"), self.amount("notional")
        size = abs(self.contracts) * self.multiplier
        if mark is not None:
            source = ""
        elif notional is not None and not self._at_entry(notional, entry):
            mark, source = (size / notional if self.inverse else notional / size), "notional"
        elif self.first(self.account, "equity") is not None and "USDC" in self.account:
            equity, cash = self.account["equity"], self.account["USDC"]
            mark, source = (float(equity) - float(cash)) / self.contracts, "account"
        elif profit is not None and entry is not None:
            gain = self.side * profit / size
            mark = 1 / (1 / entry - gain) if self.inverse else entry + gain
            source = "unrealized_pnl"
        else:
            source = "entry_price"
        if entry is None and mark is not None and profit is not None and not self.inverse:
            return mark - self.side * profit / size, mark, "unrealized_pnl"
        return entry, mark if mark is not None else entry, source

    def _at_entry(self, notional: float, entry: float | None) -> bool:
        """Whether the reported value is that at entry: it is, to the rounding of entry prices.

        Where the profit is about nothing both are the same. A value that is neither does not say
        what the mark is.
        """
        if entry is None:
            return False
        profit = self.amount("unrealized_pnl") or 0.0
        moved = -self.side * profit if self.inverse else self.side * profit
        at_entry = abs(notional - self.value(entry))
        at_mark = abs(notional - self.value(entry) - moved)
        return at_entry <= at_mark

    # -- what the venue charges ----------------------------------------------------------------

    @property
    def noted_rate(self) -> float | None:
        """Maintenance rate in the collector's notes."""
        found = _RATE.search(self.notes) or _MM_OVER.search(self.notes)
        return float(found["rate"]) / 100 if found else None

    @property
    def noted_amount(self) -> float:
        """Maintenance amount in the collector's notes."""
        found = _AMOUNT.search(self.notes)
        return float(found["amount"]) if found else 0.0

    @property
    def stated_rate(self) -> tuple[float | None, str]:
        """Maintenance rate that the exchange states, and where."""
        best = self.first(self.raw, "maxLeverage", "max_leverage")
        if best:
            return 0.5 / best, "half of 1 / the highest leverage"
        derived = self.row.get("ccxt_derived")
        derived = derived if isinstance(derived, dict) else {}
        rate = self.number("maintenance_margin_rate")
        rate = rate if rate is not None else self.first(derived, "maintenanceMarginPercentage")
        if rate is None:
            rate = self.first(
                self.raw,
                "implied_mmr",
                "maintenance_rate",
                "keepMarginRate",
                "maintenanceMarginRate",
                "maintenMarginRate",
                "maintMarginRate",
                "maintMarginRatio",
                "maintainMarginRate",
                "mainten_margin",
                "maintain_margin_rate",
                "maintMarginReq",
                "maintenance_margin_rate",
                "mmr_rate",
            )
        if rate is not None:
            return rate, "stated"
        points = self.first(self.raw, "maintenance_margin_fraction_market")
        if points is not None:
            return points / 10_000, "stated in basis points"
        return None, ""

    @property
    def noted_fee(self) -> float | None:
        """Closing fee in the collector's notes."""
        found = _FEE.search(self.notes)
        return float(found["fee"]) / 100 if found else None

    @property
    def tick(self) -> float | None:
        """Price step, where the payload or a note states it."""
        stated = self.first(self.raw, "tick", "tick_size", "tickSize")
        found = _TICK.search(self.notes)
        return stated if stated is not None else (float(found["tick"]) if found else None)

    @property
    def states_no_price(self) -> bool:
        """Whether the exchange says that there is no liquidation price, not just nothing."""
        if any(_RAW_PRICE.search(name) and not _number(one) for name, one in self.raw.items()):
            return True
        return bool(_NONE.search(self.notes))

    def slack(self, entry: float, mark: float) -> float:
        """What the digits of the prices leave open in a profit or a value."""
        size = abs(self.contracts) * self.multiplier
        stated = [unit(n) for n in (self.number("entry_price"), self.number("mark_price")) if n]
        open_ = sum(stated)
        return size * open_ / (entry * mark) if self.inverse else size * open_


def _number(content: Any) -> float | None:
    if content is None or content == "" or isinstance(content, bool):
        return None
    try:
        return float(content)
    except (TypeError, ValueError):
        return None
