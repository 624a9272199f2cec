"""What the venue's procedure does to the pools of an account that have fallen at given marks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.charges import Held, charges, measure
from margin_widgets.account.checks import number
from margin_widgets.engine import Ledger
from margin_widgets.engine.book import Book, Bools, Floats
from margin_widgets.engine.closing import (
    Closing,
    ClosingStep,
    Ladder,
    Resize,
    after,
    close_pool,
    closing_bankruptcy_prices,
    resized,
)
from margin_widgets.engine.options import is_option, reprice
from margin_widgets.venues import Contract
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

ACTIONS = {
    "tier": "reduced to a lower tier",
    "share": "part closed",
    "shortage": "closed as far as the shortage asks",
    "close": "closed",
    "takeover": "taken over by the venue",
    "residual": "what was left",
    "shortfall": "what was missing",
}
"""What steps of each kind are called."""

COLUMNS = (
    *("pool", "position", "action", "closed", "left", "price", "notional", "realized_pnl"),
    *("account", "fee", "liquidator", "insurance_fund", "counterparties"),
    *("equity_before", "equity_after", "margin_balance_before", "margin_balance_after"),
    *("maintenance_before", "maintenance_after", "stands"),
)
"""Columns of `Liquidation.to_frame`."""


@dataclass(frozen=True, eq=False)
class Liquidation:
    """What a liquidation does to an account under one margin mode. Amounts in `currency`.

    Attributes
    ----------
    mode : str
    books : Books
    marks : ndarray (S,)
        Marks at which it happens.
    closings : tuple of Closing
        One per pool that has fallen.
    """

    mode: str
    books: Books
    marks: Floats
    closings: tuple[Closing, ...]

    @property
    def currency(self) -> str:
        """Valuation currency of all amounts."""
        return self.books.state.venue.currency

    @property
    def policy(self) -> str:
        """What the venue does to a fallen pool, in words."""
        return self.books.state.venue.liquidation.text

    @property
    def pools(self) -> tuple[str, ...]:
        """Names of the pools that have fallen."""
        names = self.books.pool_names(self.mode)
        return tuple(names[one.pool] for one in self.closings)

    @property
    def saved(self) -> tuple[str, ...]:
        """Names of those among them that stand again with what they have left."""
        pairs = zip(self.pools, self.closings, strict=True)
        return tuple(name for name, one in pairs if one.stands)

    @cached_property
    def ledger(self) -> Ledger:
        """The engine's arrays before it."""
        return self.books.ledger(self.mode, self.marks)

    @cached_property
    def ledger_after(self) -> Ledger:
        """The engine's arrays after it, with the positions that are left."""
        return after(self.ledger, self.closings, resize=_resize(self.books))

    @property
    def equity_before(self) -> float:
        """Equity of the account at the marks."""
        return _equity(self.ledger)

    @property
    def equity_after(self) -> float:
        """Equity of the account when all is done; no pool's is below zero on its account."""
        return _equity(self.ledger_after)

    @property
    def fees(self) -> float:
        """What the venue charged."""
        return sum(one.total("fee") for one in self.closings)

    @property
    def liquidators(self) -> float:
        """What those received who took positions over."""
        return sum(one.total("liquidator") for one in self.closings)

    @property
    def fund(self) -> float:
        """What the insurance fund received; negative if it paid."""
        return sum(one.fund for one in self.closings)

    @property
    def shortfall(self) -> float:
        """Loss beyond the margin of the pools, which the insurance fund or winners bear."""
        return sum(one.shortfall for one in self.closings)

    @property
    def returned(self) -> float:
        """What came back to the account of the pools that were closed."""
        return sum(one.returned for one in self.closings)

    def bankruptcy_prices(self, *, with_fee: bool = False) -> dict[str, float | None]:
        """Price of each position at which its part of its pool's equity is used up.

        In a shared pool the equity is shared out by maintenance margin, so that closing all
        positions at these prices leaves nothing and lacks nothing.

        Parameters
        ----------
        with_fee : bool
            Whether the taker fee of closing is paid out of it too.

        Returns
        -------
        dict
            By key of the position; None where no positive price does it.
        """
        fee = self.books.state.venue.taker_fee if with_fee else 0.0
        prices = closing_bankruptcy_prices(self.ledger, fee).tolist()
        return {
            key: None if math.isnan(price) else price
            for key, price in zip(self.books.keys, prices, strict=True)
        }

    @property
    def text(self) -> str:
        """What happened, in a sentence or two."""
        start = self.mode.capitalize()
        if not self.closings:
            return f"{start}: no pool has fallen at these marks."
        count, saved = len(self.closings), len(self.saved)
        if count == 1:
            fallen = f"pool {self.pools[0]} has fallen and"
            fallen += " stands again with what it has left" if saved else " is closed"
        else:
            fallen = f"{count} pools have fallen" + (f", {saved} stand again" if saved else "")
        moved = f"{fmt.amount(self.equity_before)} to {fmt.amount(self.equity_after)}"
        told = f"{start}: {fallen}; the account's equity goes from {moved} {self.currency}."
        if self.shortfall <= 1e-12 * abs(self.equity_before):  # rounding is no loss
            return told
        return (
            f"{told} The loss is {fmt.amount(self.shortfall)} {self.currency} larger than the"
            " margin: the insurance fund pays it, or winners on the other side give it up."
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per step, in the order in which they happen.

        `account`, `fee`, `liquidator`, `insurance_fund` and `counterparties` are what each of them
        gained; they sum to zero in every row. `closed` and `left` are contracts.
        """
        import pandas as pd

        rows = [self._row(one, step) for one in self.closings for step in one.steps]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _row(self, one: Closing, step: ClosingStep) -> tuple[Any, ...]:
        closed, left = self._contracts(step)
        return (
            self.books.pool_names(self.mode)[one.pool],
            self._key(step),
            ACTIONS[step.kind],
            closed,
            left,
            step.price,
            step.notional,
            step.realized,
            step.trader,
            step.fee,
            step.liquidator,
            step.fund,
            step.taker,
            step.equity,
            step.equity_after,
            step.balance,
            step.balance_after,
            step.requirement,
            step.requirement_after,
            step.stands,
        )

    def _key(self, step: ClosingStep) -> str:
        return self.books.keys[step.position] if step.position >= 0 else ""

    def _contract(self, step: ClosingStep) -> Contract:
        return self.books.contracts[int(self.books.book.symbol[step.position])]

    def _contracts(self, step: ClosingStep) -> tuple[float, float]:
        """Contracts closed and left; NaN for the settlement of a pool."""
        if step.position < 0:
            return math.nan, math.nan
        unit = self._contract(step).multiplier
        return step.closed / unit, step.left / unit

    def _repr_html_(self) -> str:
        from margin_widgets.account.chart_svg import static_table
        from margin_widgets.account.summary import _BOX, MOST_ROWS, _note

        venue = self.books.state.venue
        head = ["step", "price", "closed", "left", "account", "fee", "liquidator", "insurance fund"]
        rows = []
        for one, name in zip(self.closings, self.pools, strict=True):
            for step in one.steps:
                tick = self._contract(step).tick if step.position >= 0 else None
                sizes = (fmt.plain(size, 8) for size in self._contracts(step))
                money = (step.trader, step.fee, step.liquidator, step.fund)
                label = f"{self._key(step) or name}: {ACTIONS[step.kind]}"
                rows.append([label, fmt.price(step.price, tick), *sizes, *map(fmt.amount, money)])
        notes = f"{self.mode} · {venue.label} · amounts in {self.currency}"
        parts = [
            f'<p style="margin:0 0 6px"><b>Liquidation</b> · {escape(notes)}</p>',
            f'<p style="{_BOX}">{escape(self.text)}</p>',
            static_table(head, rows[:MOST_ROWS]) if rows else "",
            _note(f"and {len(rows) - MOST_ROWS} more steps" if len(rows) > MOST_ROWS else ""),
            _note(f"The venue: {self.policy}."),
        ]
        return f'<div style="max-width:60rem;overflow-x:auto">{"".join(parts)}</div>'

    def __repr__(self) -> str:
        return f"Liquidation({self.text})"


def liquidate(
    books: Books,
    mode: str = "cross",
    *,
    shock: float | None = None,
    marks: Mapping[str, float] | None = None,
) -> Liquidation:
    """Close what has fallen by the venue's rules; `Account.liquidation` says what is meant."""
    if mode not in books.partitions:
        raise ValueError(f"mode: {mode!r} is not one of {', '.join(map(repr, books.partitions))}")
    moved = moved_marks(books, shock, marks)
    ledger = books.ledger(mode, moved)
    ladder, resize = _ladder(books), _resize(books)
    policy = books.state.venue.liquidation
    closings = tuple(
        close_pool(ledger, int(pool), policy, ladder=ladder, resize=resize)
        for pool in np.flatnonzero(ledger.fallen)
    )
    return Liquidation(mode, books, ledger.marks, closings)


def moved_marks(
    books: Books, shock: float | None = None, marks: Mapping[str, float] | None = None
) -> Floats:
    """Marks (S,) with some of them set, and all moved together; options follow their underlying.

    Raises
    ------
    KeyError
        If the account neither holds nor marks a symbol.
    TraitError
        For a move or a mark out of bounds.
    """
    given = {}
    for symbol, mark in (marks or {}).items():
        if symbol not in books.symbols:
            raise KeyError(
                f"marks: no {symbol!r} in this account{did_you_mean(symbol, books.symbols)}"
            )
        given[books.symbols.index(symbol)] = number(f"marks[{symbol!r}]", mark, above=0.0)
    if not given and shock is None:
        return books.marks
    factor = 1.0 if shock is None else 1.0 + number("shock", shock, above=-1.0)
    moved = books.marks.copy()
    for place, mark in given.items():
        moved[place] = mark
    if books.book.options is None:
        return moved * factor
    priced = books.book.options.kind != 0
    told = moved.copy()
    moved = reprice(books.book, books.marks, np.where(priced, moved, moved * factor))
    for place in given:
        if priced[place]:
            moved[place] = told[place]
    return moved


# -- parts --------------------------------------------------------------------------------------


def _equity(ledger: Ledger) -> float:
    figures = ledger.valuation
    return float(figures.idle + figures.equity.sum())


def _by_notional(books: Books) -> bool:
    """Whether a position's rate follows its notional alone, so that its size says nothing more."""
    rules = books.state.venue
    return rules.tiers_by == "notional" and rules.tier_rate == "marginal" and not rules.size_slopes


def _ladder(books: Books) -> Ladder | None:
    """Tiers of the positions by what the venue measures them by; None for notional at mark."""
    rules, book = books.state.venue, books.book
    if rules.tiers_by == "notional" and rules.tier_rate == "marginal":
        return None
    tables = [rules.tiers.get(row.symbol, ()) for row in books.state.positions]
    floors = np.full((len(tables), max([1, *map(len, tables)])), np.inf)
    for row, rows in enumerate(tables):
        floors[row, : len(rows)] = [tier.floor for tier in rows]
    return Ladder(floors, measure(rules, _held(books, book.size)) / np.abs(book.size))


def _resize(books: Books) -> Resize:
    """How the book changes when positions are reduced: what they owe may depend on their size."""
    if _by_notional(books):
        return resized
    rules, whole = books.state.venue, books.book
    option = is_option(whole)

    def resize(book: Book, size: Floats) -> Book:
        closed: Bools = size == 0
        held = _held(books, np.where(closed, whole.size, size))
        charged = charges(rules, held)
        smaller = resized(book, size)
        return smaller.replace(
            rate=np.where(option, smaller.rate, charged.rate),
            initial_rate=np.where(option, smaller.initial_rate, charged.initial_rate),
        )

    return resize


def _held(books: Books, size: Floats) -> Held:
    """The positions as far as charges depend on them, at other sizes (N,)."""
    book, share = books.book, np.abs(size / books.book.size)
    contracts = np.abs([row.quantity for row in books.state.positions]) * share
    at_entry = book.entry_notional * share
    inverse = book.position_inverse
    return Held(
        symbols=books.symbols,
        place=book.symbol,
        contracts=contracts,
        coins=np.where(inverse, at_entry, np.abs(size)),
        notional=at_entry,
        inverse=inverse,
        long=book.size > 0,
        leverage=book.leverage,
    )
