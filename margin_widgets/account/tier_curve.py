"""Maintenance of one position against its size: the venue's tiers as they really charge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from traitlets import TraitError

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.chart_svg import (
    Axis,
    Chart,
    log_ticks,
    round_ticks,
    static_page,
    static_table,
    ticks,
)
from margin_widgets.account.figures import Column, Shown
from margin_widgets.account.leverage_curve import place_of
from margin_widgets.account.variants import variants
from margin_widgets.engine.book import Floats
from margin_widgets.venues.tables import Tier

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

JUST_ABOVE = 1 + 1e-12
"""A floor belongs to the tier below it; this much more is in the tier above."""

LOWER_PANEL, UPPER_PANEL = (0.0, 0.5), (0.6, 1.0)
"""Shares of the frame: maintenance margin below, the rate above it."""


@dataclass(frozen=True)
class AtSize:
    """The position at one size.

    Attributes
    ----------
    amount : float
        What the venue compares with the floors of its tiers.
    quantity : float
        Signed, in contracts (coins where a contract is one coin).
    tier : int
        Number of its tier, from 1.
    rate : float
        Maintenance rate of that tier.
    maintenance : float
        Maintenance margin, in the settlement asset.
    max_leverage : float or None
    """

    amount: float
    quantity: float
    tier: int
    rate: float
    maintenance: float
    max_leverage: float | None


@dataclass(frozen=True, eq=False)
class TierCurve:
    """What the venue holds against a position of any size in one contract.

    Attributes
    ----------
    books : Books
    key, symbol : str
    position : int
        Its number in the account.
    tiers : tuple of Tier
    amount : ndarray (M,)
        Ascending amounts that the venue compares with floors: notional at mark (or at entry where
        maintenance is charged there), coins or contracts. Every floor is there twice, on the floor
        and just above it.
    quantity, notional : ndarray (M,)
        Unsigned quantity, and the notional on which maintenance is charged.
    rate : ndarray (M,)
        Maintenance rate of the tier.
    maintenance : ndarray (M,)
        Maintenance margin in the settlement asset, all that the venue adds to it included.
    per_contract : float
        Amount of one contract.
    """

    books: Books
    key: str
    symbol: str
    position: int
    tiers: tuple[Tier, ...]
    amount: Floats
    quantity: Floats
    notional: Floats
    rate: Floats
    maintenance: Floats
    per_contract: float

    # -- the position now ---------------------------------------------------------------------

    @cached_property
    def now(self) -> AtSize:
        """The position as it is."""
        held = self.books.state.positions[self.position].quantity
        return self.at(abs(held) * self.per_contract)

    def at(self, amount: float) -> AtSize:
        """The position with another amount, > 0."""
        held = self.books.state.positions[self.position].quantity
        quantity = math.copysign(amount / self.per_contract, held)
        _, maintenance = _charged(self.books, self.position, np.array([quantity]))
        tier = _tier_of(self.tiers, np.array([amount]))[0]
        return AtSize(
            amount=amount,
            quantity=quantity,
            tier=int(tier) + 1,
            rate=self.tiers[tier].rate,
            maintenance=float(maintenance[0]),
            max_leverage=self.tiers[tier].max_leverage,
        )

    @property
    def average(self) -> Floats:
        """Maintenance margin over notional (M,)."""
        return self.maintenance / self.notional

    @property
    def continuous(self) -> bool:
        """Whether maintenance margin does not jump at the floors."""
        return self.books.state.venue.tier_rate == "marginal"

    @property
    def settle(self) -> str:
        """Asset in which maintenance margin is."""
        return self.books.assets[int(self.books.book.position_settle[self.position])]

    @cached_property
    def unit(self) -> str:
        """What the amounts are, e.g. "notional (USDT)"."""
        rules, book = self.books.state.venue, self.books.book
        if rules.tiers_by == "contracts":
            return "contracts"
        if rules.tiers_by == "size":
            return f"size ({self.books.contracts[int(book.symbol[self.position])].base})"
        at = " at entry" if _at_entry(self.books) else ""
        return f"notional{at} ({self.settle})"

    # -- words --------------------------------------------------------------------------------

    @cached_property
    def text(self) -> str:
        """What is drawn, in sentences made from the data."""
        now, count = self.now, len(self.tiers)
        most = f", at most {fmt.plain(now.max_leverage)}×" if now.max_leverage else ""
        first = (
            f"{self.key}: a quantity of {fmt.plain(now.quantity, 8)}{self._measured(now.amount)} is"
            f" in tier {now.tier} of {count} (maintenance rate {rate_text(now.rate)}{most}) and"
            f" must hold {money(now.maintenance)} {self.settle} of maintenance margin."
        )
        said = [first]
        floors = [tier.floor for tier in self.tiers if tier.floor > now.amount]
        if floors:
            tier = self.tiers[now.tier]
            said.append(f"Above {_short(floors[0])} the rate is {rate_text(tier.rate)}.")
        if count > 1 and self.continuous:
            said.append(
                "A rate holds for what lies above its floor, so the rate jumps and maintenance"
                " margin does not."
            )
        elif count > 1:
            said.append(
                "A tier's rate holds for the whole position, so maintenance margin jumps too."
            )
        rules = self.books.state.venue
        if rules.closing_fee_in_maintenance:
            said.append("Maintenance margin holds the taker fee of closing as well.")
        if rules.size_slopes.get(self.symbol):
            said.append("Every coin of size raises the rate a little more.")
        return " ".join(said)

    def _measured(self, amount: float) -> str:
        """The amount that decides the tier, where it is not the quantity itself."""
        word, _, unit = self.unit.partition(" (")
        if not unit or amount == abs(self.now.quantity):
            return ""
        return f" ({word} {_short(amount)} {unit.rstrip(')')})"

    # -- out ----------------------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """One row per amount."""
        import pandas as pd

        names = ("amount", "quantity", "notional", "rate", "maintenance", "average")
        return pd.DataFrame({name: getattr(self, name) for name in names})

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows of the tiers, with what a position on their floor must hold."""
        least = "maintenance margin at the floor"
        head: list[str] = ["tier", f"above, {self.unit}", Column("rate", "rate (fraction)")]
        head += ["highest leverage", Column(least, f"{least} ({self.settle})")]
        rows: list[list[str]] = []
        for number, tier in enumerate(self.tiers, start=1):
            at_floor = self.at(tier.floor).maintenance if tier.floor > 0 else 0.0
            most = tier.max_leverage
            rows.append(
                [
                    Shown(f"{number}{' (now)' if number == self.now.tier else ''}", number),
                    Shown(fmt.plain(tier.floor), tier.floor),
                    Shown(rate_text(tier.rate), tier.rate),
                    Shown(f"{fmt.plain(most)}×" if most else fmt.NO_VALUE, most),
                    Shown(money(at_floor), at_floor),
                ]
            )
        return head, rows

    @property
    def span(self) -> tuple[float, float]:
        """Amounts that a picture shows."""
        return float(self.amount[0]), float(self.amount[-1])

    @property
    def highest(self) -> tuple[float, float]:
        """Highest maintenance margin and highest rate in the picture, > 0."""
        rate = max(float(self.rate.max()), float(self.average.max()))
        return float(self.maintenance.max()) or 1.0, rate or 0.01

    def svg(self) -> str:
        """The static picture: the rate above, maintenance margin below."""
        low, high = self.span
        most, rate = self.highest
        title = f"Maintenance tiers of {self.symbol}"
        x = Axis(low, high, ticks(log_ticks(low, high), _short), self.unit, log=True)
        y = Axis(
            0.0,
            most,
            ticks(round_ticks(0.0, most, 3), _short),
            f"maintenance margin ({self.settle})",
            span=LOWER_PANEL,
        )
        upper = Axis(
            0.0,
            rate,
            ticks(round_ticks(0.0, rate, 2), rate_text),
            "maintenance rate",
            span=UPPER_PANEL,
        )
        chart = Chart(x, y, title, self.text, panels=(upper,))
        chart.line(self.amount, self.rate, "cross", axis=upper)
        chart.line(self.amount, self.average, "word", width=1.2, axis=upper)
        chart.line(self.amount, self.gapped()[1], "cross")
        now = self.now
        if low <= now.amount <= high:
            chart.point(now.amount, now.rate, "word", axis=upper)
            chart.point(now.amount, now.maintenance, "word")
            chart.text(now.amount, now.maintenance, money(now.maintenance), anchor="end")
        return chart.svg()

    def gapped(self) -> tuple[Floats, Floats]:
        """Amounts and maintenance margin, with a gap where it jumps."""
        if self.continuous:
            return self.amount, self.maintenance
        edge = np.flatnonzero(np.diff(self.amount) <= self.amount[:-1] * 2e-12) + 1
        return (
            np.insert(self.amount, edge, self.amount[edge]),
            np.insert(self.maintenance, edge, np.nan),
        )

    def _repr_html_(self) -> str:
        title = f"Maintenance tiers of {self.symbol}"
        return static_page(title, self.text, self.svg(), static_table(*self.table()))


def tier_curve(account: Account, key: str | None = None, *, points: int = 121) -> TierCurve:
    """Maintenance rate and maintenance margin against the size of a position.

    Parameters
    ----------
    account : Account
    key : str, optional
        Key of the position; the first one if not given.
    points : int
        Size of the even grid (of logarithms); the floors of tiers are added.

    Raises
    ------
    KeyError
        If there is no such position.
    TraitError
        Without positions, and for contracts without tiers (options).

    Examples
    --------
    >>> import margin_widgets as mw
    >>> curve = tier_curve(mw.presets.hedged_pair(), "BTCUSDT")
    >>> curve.now.tier, curve.now.maintenance
    (1, 160.0)
    """
    books = account.books
    position = place_of(books, key)
    row = books.state.positions[position]
    tiers = books.state.venue.tiers.get(row.symbol, ())
    if not tiers:
        raise TraitError(f"{row.symbol}: the venue has no maintenance tiers for it.")
    per_contract = _per_contract(books, position)
    amount = abs(row.quantity) * per_contract
    low, high = _window(amount, [tier.floor for tier in tiers])
    floors = [tier.floor for tier in tiers if low < tier.floor < high]
    even = np.setdiff1d(np.geomspace(low, high, points), floors)
    grid = np.sort(np.concatenate([even, floors, np.array(floors) * JUST_ABOVE]))
    notional, maintenance = _charged(books, position, grid / per_contract)
    return TierCurve(
        books=books,
        key=books.keys[position],
        symbol=row.symbol,
        position=position,
        tiers=tuple(tiers),
        amount=grid,
        quantity=grid / per_contract,
        notional=notional,
        rate=np.array([tier.rate for tier in tiers])[_tier_of(tiers, grid)],
        maintenance=maintenance,
        per_contract=per_contract,
    )


# -- parts --------------------------------------------------------------------------------------


def _window(amount: float, floors: list[float]) -> tuple[float, float]:
    """Amounts around the present one, the same for amounts of like size; the next floor shows."""
    centre = 10.0 ** (round(2 * math.log10(amount)) / 2)
    low, high = centre / 20, centre * 5
    beyond = [floor for floor in floors if floor > amount]
    if beyond and high <= beyond[0] * 1.3 <= 100 * centre:
        high = beyond[0] * 1.6
    return float(f"{low:.3g}"), float(f"{high:.3g}")


def _at_entry(books: Books) -> bool:
    return books.state.venue.maintenance_at == "entry"


def _per_contract(books: Books, position: int) -> float:
    """The amount that the venue compares with floors, of one contract."""
    rules = books.state.venue
    made = variants(books, position, quantity=1.0)
    if rules.tiers_by != "notional" or _at_entry(books):
        return float(made.measure[0])
    return float(_notional(books, position, np.ones(1))[0])


def _notional(books: Books, position: int, quantity: Floats) -> Floats:
    """Notional on which maintenance is charged, in the settlement asset."""
    book, symbol = books.book, int(books.book.symbol[position])
    size = np.abs(quantity) * books.contracts[symbol].multiplier
    at = float(book.entry[position] if _at_entry(books) else books.marks[symbol])
    return size / at if book.position_inverse[position] else size * at


def _charged(books: Books, position: int, quantity: Floats) -> tuple[Floats, Floats]:
    """Notional and maintenance margin at other quantities, as the engine charges it."""
    made = variants(books, position, quantity=quantity)
    notional = _notional(books, position, quantity)
    return notional, made.book.maintenance(notional)


def _tier_of(tiers: tuple[Tier, ...], amount: Floats) -> Floats:
    """Number of the tier of each amount, from 0; an amount on a floor is in the lower one."""
    floors = np.array([tier.floor for tier in tiers])
    found: Floats = np.maximum(np.searchsorted(floors, amount, side="left") - 1, 0)
    return found


def rate_text(rate: float) -> str:
    r"""A rate with the digits it needs.

    >>> rate_text(0.005), rate_text(0.0125)
    ('0.5\xa0%', '1.25\xa0%')
    """
    return f"{fmt.plain(float(f'{100 * rate:.6g}'))}\N{NO-BREAK SPACE}%"


def money(value: float) -> str:
    """An amount in the settlement asset, which may be coin: cents, or more digits if small."""
    return fmt.amount(value, 2 if abs(value) >= 1 or value == 0 else 6)


def _short(value: float) -> str:
    for size, unit in ((1e12, "tn"), (1e9, "bn"), (1e6, "M")):
        if abs(value) >= size:
            return fmt.plain(float(f"{value / size:.5g}")) + unit
    return fmt.plain(float(f"{value:.6g}"))
