"""What an account is to withstand, and how far a pool is from that, in the account's currency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.checks import number
from margin_widgets.engine.book import Book, Floats
from margin_widgets.engine.ledger import Ledger
from margin_widgets.engine.liquidation import triggers_along
from margin_widgets.engine.options import moved_marks, moves_with, reprice
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

_INSIDE = 1e-9
"""A trigger counts as before the end of a move if it is this far from both ends."""


@dataclass(frozen=True)
class Survive:
    """No liquidation on the way of a move, which ends where the pool is just at maintenance.

    Parameters
    ----------
    shock : float
        Relative move, above -1: -0.3 is a fall of 30 %.
    symbol : str, optional
        The one whose mark moves, the others staying; all marks together if none is given.
    """

    shock: float
    symbol: str | None = None

    limit = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "shock", number("shock", self.shock, above=-1.0))

    def check(self, account: Account) -> None:
        """Raise KeyError if the account does not know the symbol."""
        known = account.books.symbols
        if self.symbol is not None and self.symbol not in known:
            hint = did_you_mean(self.symbol, known)
            raise KeyError(f"symbol: {self.symbol!r} is not in this account{hint}")

    def marks(self, books: Books, member: int) -> list[Floats]:
        """Marks at which a pool has to stand: the present ones, and those after the move."""
        if self.symbol is None:
            return [books.marks, moved_marks(books.book, books.marks, 1 + self.shock)]
        place = books.symbols.index(self.symbol)
        return [books.marks, one_moved(books, place, books.marks[place] * (1 + self.shock))]

    def level(self, book: Book) -> float:
        """How many times its maintenance a pool must hold."""
        return book.trigger_level

    def concerns(self, books: Books, mode: str, pool: int) -> bool:
        """Whether the move changes anything in a pool."""
        if self.symbol is None:
            return True
        book, partition = books.book, books.partitions[mode]
        moved = books.symbols.index(self.symbol)
        members = np.flatnonzero(partition.pool == pool)
        if any(moves_with(book, int(book.symbol[one]), moved) for one in members):
            return True
        held = partition.wallet[pool] != 0
        held[book.position_settle[members]] = True
        return bool((book.asset_symbol[held] == moved).any())

    def gap(self, books: Books, mode: str, member: int) -> float:
        """Least surplus of a member's pool; negative where it falls on the way."""
        worst = min(
            _surplus(books, mode, member, at, books.book) for at in self.marks(books, member)
        )
        if worst < 0 or self.shock == 0 or _straight(books, mode, member):
            return worst
        inside = self._first_inside(books.ledger(mode), books, member)
        return worst if inside is None else -abs(worst) - inside

    def _first_inside(self, ledger: Ledger, books: Books, member: int) -> float | None:
        """How far before the end of the move the pool falls first, if it does though it ends well.

        A pool of coins owed and owned need not be worst at either end.
        """
        along = ledger.ray_of(None if self.symbol is None else books.symbols.index(self.symbol))
        found = triggers_along(along, ledger.partition)
        pool = int(ledger.partition.pool[member])
        end = 1.0 + self.shock
        first = float((found.lower if self.shock < 0 else found.upper)[pool])
        near, far = min(end, 1.0) * (1 + _INSIDE), max(end, 1.0) * (1 - _INSIDE)
        return abs(end - first) if near < first < far else None

    @property
    def words(self) -> str:
        """The goal as the object of a sentence."""
        which = "all marks" if self.symbol is None else f"{self.symbol} alone"
        return f"survive {percent(self.shock, sign=True)} in {which}"

    @property
    def place(self) -> str:
        """Where the goal is looked at."""
        return f"at {percent(self.shock, sign=True)}"


@dataclass(frozen=True)
class KeepRatio:
    """A margin ratio (maintenance over margin balance) of at most a value, at the present marks.

    Parameters
    ----------
    ratio : float
        Above 0; at most 1, where pools are liquidated.
    """

    ratio: float

    limit = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratio", number("ratio", self.ratio, above=0.0, high=1.0))

    def check(self, account: Account) -> None:
        """Raise ValueError where the rules liquidate below the ratio."""
        most = 1.0 / account.books.book.trigger_level
        if self.ratio > most * (1 + _INSIDE):
            raise ValueError(
                f"ratio: {percent(self.ratio)} must be at most {percent(most)}, at which"
                f" {account.venue.name} liquidates"
            )

    def marks(self, books: Books, member: int) -> list[Floats]:
        """The present marks."""
        return [books.marks]

    def level(self, book: Book) -> float:
        """How many times its maintenance a pool must hold."""
        return 1.0 / self.ratio

    def concerns(self, books: Books, mode: str, pool: int) -> bool:
        """Whether the goal is about a pool: it is about all."""
        return True

    def gap(self, books: Books, mode: str, member: int) -> float:
        """Balance of a member's pool beyond what the ratio asks for."""
        held = books.book.replace(trigger_level=self.level(books.book))
        return _surplus(books, mode, member, books.marks, held)

    @property
    def words(self) -> str:
        """The goal as the object of a sentence."""
        return f"keep the margin ratio at {percent(self.ratio)} or below"

    @property
    def place(self) -> str:
        """Where the goal is looked at."""
        return "at the present marks"


@dataclass(frozen=True)
class LiquidationAt:
    """The liquidation price of a position at a price, all other marks unchanged.

    Parameters
    ----------
    key : str
        Key of the position.
    price : float
        > 0.
    """

    key: str
    price: float

    limit = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "price", number("price", self.price, above=0.0))

    def check(self, account: Account) -> None:
        """Raise KeyError if the account has no such position, ValueError if the mark is there."""
        mark = account.mark(account.positions[self.key].symbol)
        if self.price == mark:
            raise ValueError(
                f"price: {fmt.price(self.price)} is the present mark; the position would be"
                " liquidated now"
            )

    def marks(self, books: Books, member: int) -> list[Floats]:
        """The marks at which the pool is liquidated."""
        return [one_moved(books, int(books.book.symbol[member]), self.price)]

    def level(self, book: Book) -> float:
        """How many times its maintenance a pool must hold."""
        return book.trigger_level

    def concerns(self, books: Books, mode: str, pool: int) -> bool:
        """Whether the position is in a pool."""
        return int(books.partitions[mode].pool[books.places[self.key]]) == pool

    def gap(self, books: Books, mode: str, member: int) -> float:
        """Surplus of the pool at the price."""
        (there,) = self.marks(books, member)
        return _surplus(books, mode, member, there, books.book)

    def missed(self, books: Books, mode: str, member: int) -> str:
        """Why the pool is not liquidated first at the price, though it is at its trigger there."""
        ledger, prices = books.ledger(mode), books.ledger(mode).liquidation_prices
        mark = float(books.marks[books.book.symbol[member]])
        if ledger.fallen[ledger.partition.pool[member]]:
            return "it would be below maintenance at the present marks already"
        side = prices.lower if self.price < mark else prices.upper
        first = float(side[member])
        if math.isclose(first, self.price, rel_tol=1e-8):
            return ""
        if math.isnan(first):
            return "it would only touch its trigger there"
        return f"it would be liquidated before, at {fmt.price(first)}"

    @property
    def words(self) -> str:
        """The goal as the object of a sentence."""
        return f"have {self.key} liquidated at {fmt.price(self.price)}"

    @property
    def place(self) -> str:
        """Where the goal is looked at."""
        return f"at {fmt.price(self.price)}"


Goal = Survive | KeepRatio | LiquidationAt


def percent(share: float, *, sign: bool = False) -> str:
    r"""A share as people type it: as many decimals as it has, at most four.

    >>> percent(-0.3, sign=True), percent(0.125)
    ('−30\xa0%', '12.5\xa0%')
    """
    digits = next((n for n in range(4) if abs(share * 100 - round(share * 100, n)) < 1e-9), 4)
    return fmt.percent(share, digits, sign=sign)


def one_moved(books: Books, place: int, price: float) -> Floats:
    """The present marks with one moved, options following their underlying."""
    marks = books.marks.copy()
    marks[place] = price
    return marks if books.book.options is None else reprice(books.book, books.marks, marks)


def _straight(books: Books, mode: str, member: int) -> bool:
    """Whether a pool that stands at both ends of a move stands all the way.

    So does one position in its own asset: its surplus is concave in the price, or falls throughout.
    """
    book, partition = books.book, books.partitions[mode]
    alone = partition.members[partition.pool[member]] == 1 and bool(
        partition.own[partition.pool[member]]
    )
    return alone and not book.curved and not book.has_loan_margin


def _surplus(books: Books, mode: str, member: int, marks: Floats, book: Book) -> float:
    ledger = books.ledger(mode, marks)
    pool = int(ledger.partition.pool[member])
    figures = ledger.valuation
    needed = book.trigger_level * float(figures.requirement[pool])
    return float(figures.margin_balance[pool]) - needed
