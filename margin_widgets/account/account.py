"""One derivatives account that recomputes both margin modes at every edit."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakValueDictionary

from traitlets import Bool, HasTraits, Instance, Int, TraitError, TraitType, Tuple, Unicode

from margin_widgets import venues
from margin_widgets.account.books import MODES, Books, keep_books
from margin_widgets.account.checks import Day, Number, number
from margin_widgets.account.curve import Curve, trace
from margin_widgets.account.mapping import Keyed
from margin_widgets.account.position import FIELDS, Position
from margin_widgets.account.positions import PositionRows, Positions
from margin_widgets.account.report import MarginReport
from margin_widgets.account.state import AccountState, PositionState
from margin_widgets.account.strict import Strict
from margin_widgets.venues import RuleError, RuleSet
from margin_widgets.venues.rules import did_you_mean, haircut_bands

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.explanation import Explanation
    from margin_widgets.account.liquidation import Liquidation
    from margin_widgets.account.report_card import ReportCard

# What follows from an edit, in the order in which it is told.
RESULTS = (*MODES, "warnings", "can_undo", "can_redo", "revision")
EDITABLE = (
    "name",
    "venue",
    "positions",
    "collateral",
    "marks",
    "prices",
    "haircuts",
    "order_margin",
    "as_of",
)


class Rules(TraitType[Any, Any]):
    """A rule set, or the name of one."""

    info_text = "a rule set or the name of one"

    def default(self, obj: Any = None) -> RuleSet:
        """Rules from parts."""
        return venues.get("generic")

    def validate(self, obj: Any, content: object) -> RuleSet:
        """Look a name up."""
        if isinstance(content, RuleSet):
            return content
        if isinstance(content, str):
            try:
                return venues.get(content)
            except RuleError as error:
                raise TraitError(str(error)) from error
        raise TraitError(f"venue: {content!r} is neither a rule set nor the name of one")


def _any_amount(where: str, content: object) -> float:
    return number(where, content)


def _positive(where: str, content: object) -> float:
    return number(where, content, above=0.0)


def _haircut(where: str, content: object) -> Any:
    if isinstance(content, (list, tuple)):
        try:
            return haircut_bands(where.partition("[")[2].rstrip("]").strip("'"), content)
        except RuleError as error:
            raise TraitError(f"{where}: {error}") from error
    return ((0.0, number(where, content, low=0.0, high=1.0)),)


def _place(where: str, name: str, known: tuple[str, ...]) -> int:
    if name not in known:
        raise KeyError(f"{where}: no {name!r} in this account{did_you_mean(str(name), known)}")
    return known.index(name)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Account(Strict):
    """Positions, collateral, marks and a venue's rules; both margin modes follow every edit.

    Parameters
    ----------
    venue : str or RuleSet
        See `margin_widgets.venues.names()`.
    collateral : mapping of asset to amount
        Wallet balances; negative is a loan.
    positions : sequence of Position
    marks : mapping of symbol to price
        A symbol without a mark is taken at its entry price, with a warning.
    prices : mapping of asset to price
        Fixed prices in the account's currency. An asset without one follows the mark of the first
        contract on it; dollar currencies count as one.
    haircuts : mapping of asset to share or (amount floor, share) bands
        Shares that do not count as margin, in place of the venue's.
    order_margin : float
        Initial margin reserved for open orders, in the account's currency.
    as_of : str
        ISO date at which the marks hold; needed for options only.
    name : str

    Attributes
    ----------
    isolated, cross, configured : MarginReport
        Immutable; replaced at every edit (observable).
    revision : int
        Counts edits; observe it to hear of each edit once.
    warnings : tuple of str
        What was assumed, and what is allowed but unusual.

    Raises
    ------
    TraitError
        For values out of bounds, naming field, value and bound; the account stays as it was.
    TypeError
        For unknown arguments.

    Examples
    --------
    >>> account = Account(
    ...     venue="binance-usdm",
    ...     collateral={"USDT": 10_000},
    ...     positions=[Position("BTCUSDT", quantity=0.5, entry_price=100_000, leverage=10)],
    ... )
    >>> round(account.isolated.positions["BTCUSDT"].liquidation_price, 2)
    90361.45
    >>> account.positions["BTCUSDT"].quantity = 0.6
    >>> account.isolated.initial_margin
    6000.0
    """

    name = Unicode("", help="name of the account")
    venue = Rules(help="margin rules")
    positions: Any = PositionRows(help="positions, keyed by symbol or symbol:side")
    collateral: Any = Keyed(_any_amount, help="wallet balance of each asset")
    marks: Any = Keyed(_positive, help="mark price of each symbol")
    prices: Any = Keyed(_positive, help="fixed prices of assets")
    haircuts: Any = Keyed(_haircut, help="shares of assets that do not count as margin")
    order_margin = Number(0.0, low=0.0, help="initial margin reserved for open orders")
    as_of = Day("", help="ISO date at which the marks hold; options need it")

    isolated = Instance(MarginReport, read_only=True, help="every position in a pool of its own")
    cross = Instance(MarginReport, read_only=True, help="all collateral behind all positions")
    configured = Instance(MarginReport, read_only=True, help="as the positions' margin modes say")
    warnings = Tuple(read_only=True, help="what was assumed, and what is unusual")
    revision = Int(0, read_only=True, help="counts edits")
    can_undo = Bool(False, read_only=True, help="whether there is an edit to take back")
    can_redo = Bool(False, read_only=True, help="whether there is an edit to make again")

    _rows: tuple[Position, ...] = ()
    _notes: tuple[str, ...] = ()

    def __init__(
        self,
        venue: str | RuleSet = "generic",
        collateral: Mapping[str, float] | None = None,
        positions: Iterable[Position] = (),
        marks: Mapping[str, float] | None = None,
        *,
        prices: Mapping[str, float] | None = None,
        haircuts: Mapping[str, Any] | None = None,
        order_margin: float = 0.0,
        as_of: str = "",
        name: str = "",
        **unknown: Any,
    ) -> None:
        for argument in unknown:
            hint = did_you_mean(argument, EDITABLE)
            raise TypeError(f"Account: unknown argument {argument!r}{hint}")
        super().__init__()
        self._lock = threading.RLock()
        self._editor: int | None = None  # the thread in whose edit we are
        self._queue: list[tuple[HasTraits, Any]] = []
        self._past: list[AccountState] = []
        self._future: list[AccountState] = []
        self._state: AccountState | None = None
        self._travelling = False
        self._former: WeakValueDictionary[str, Position] = WeakValueDictionary()
        self._untold: deque[tuple[HasTraits, Any]] = deque()
        self._telling = False
        with self.edit():
            self.name = name
            self.venue = venue
            self.collateral = {} if collateral is None else collateral
            self.marks = {} if marks is None else marks
            self.prices = {} if prices is None else prices
            self.haircuts = {} if haircuts is None else haircuts
            self.order_margin = order_margin
            self.as_of = as_of
            self.positions = positions

    # -- edits ------------------------------------------------------------------------------

    @contextmanager
    def edit(self) -> Iterator[Account]:
        """Make several changes one edit: checked, computed, notified and undone as a whole.

        If anything in the block fails, or the result is not sound, everything is as before. An edit
        within another is part of it; if it fails, it alone is taken back.

        Examples
        --------
        >>> account = Account(venue="binance-usdm", collateral={"USDT": 10_000})
        >>> with account.edit():
        ...     account.positions.append(Position("ETHUSDT", 5, 4_000))
        ...     account.marks["ETHUSDT"] = 3_900
        >>> account.revision
        2
        """
        with self._lock:
            within = self._editor is not None
            before = self._snapshot() if within else self._state
            rows, queued = self._rows, len(self._queue)
            self._editor = threading.get_ident()
            try:
                yield self
                if within:
                    return  # the edit around it is the one that is judged
                state = self._snapshot()
                changed = state != self._state or self._rows != self._known_rows
                books = keep_books(state) if changed else None
            except BaseException:
                self._restore(before, rows, queued)
                raise
            finally:
                if not within:
                    self._editor = None
            queue, self._queue = self._queue, []
            if books is not None:
                queue += self._accept(state, books)
            self._tell(queue)

    def _writing(self, name: str) -> AbstractContextManager[object]:
        if name not in EDITABLE or not hasattr(self, "_lock"):
            return nullcontext()
        # Within an edit of this thread a single write is whole in itself: it needs no way back.
        return nullcontext() if self._editor == threading.get_ident() else self.edit()

    def undo(self) -> bool:
        """Take back the last edit; False if there is none."""
        return self._travel(self._past, self._future)

    def redo(self) -> bool:
        """Make the edit again that was taken back last; False if there is none."""
        return self._travel(self._future, self._past)

    def notify_change(self, change: Any) -> None:
        """Hold changes back until the edit they belong to is sound."""
        if change["name"] in EDITABLE and hasattr(self, "_lock"):
            self._changed(self, change)
        elif change["name"] in RESULTS and self._accepted is not None:
            self._accepted.append((self, change))
        else:
            super().notify_change(change)

    def _changed(self, model: HasTraits, change: Any) -> None:
        with self._lock:
            if self._editor is not None:
                self._queue.append((model, change))
            else:
                with self.edit():
                    self._queue.append((model, change))

    def _tell(self, queue: list[tuple[HasTraits, Any]]) -> None:
        """Notify once per model and trait, with the first old and the last new value.

        What observers change meanwhile is told after all of this, so that the last is the present.
        """
        merged: dict[tuple[int, str], tuple[HasTraits, Any]] = {}
        for model, change in queue:
            known = merged.get((id(model), change["name"]))
            if known:
                known[1]["new"] = change["new"]
            else:
                merged[id(model), change["name"]] = (model, change)
        self._untold += [
            (model, change)
            for model, change in merged.values()
            if change["old"] is not change["new"] and change["old"] != change["new"]
        ]
        if self._telling:
            return
        self._telling = True
        failed: Exception | None = None
        try:
            while self._untold:
                model, change = self._untold.popleft()
                try:
                    HasTraits.notify_change(model, change)
                except Exception as error:  # noqa: BLE001 - the others must still hear
                    failed = failed or error
        finally:
            self._telling = False
        if failed:
            raise failed

    def _accept(self, state: AccountState, books: Books) -> list[tuple[HasTraits, Any]]:
        """Put everything in place that follows from a sound state; return what is to be told."""
        if self._state is not None and not self._travelling:
            self._past.append(self._state)
            self._future.clear()
        self._travelling = False
        self._state = state
        # A position taken out is free to join another account, or this one as a new row.
        mine = {id(row) for row in self._rows}
        for row in self._known_rows:
            if id(row) not in mine:
                self._former[row.id] = row
                row._leave()
        self._known_rows = self._rows
        self._accepted = []
        for mode in MODES:
            self.set_trait(mode, MarginReport(mode, books))
        self.set_trait("warnings", books.warnings)
        self.set_trait("can_undo", bool(self._past))
        self.set_trait("can_redo", bool(self._future))
        self.set_trait("revision", self.revision + 1)
        told, self._accepted = self._accepted, None
        return told

    _known_rows: tuple[Position, ...] = ()
    _portfolio: MarginReport | None = None
    _accepted: list[tuple[HasTraits, Any]] | None = None

    def _snapshot(self) -> AccountState:
        # Only positions that this edit touched are read again: a book may hold thousands.
        touched = {id(model) for model, _ in self._queue}
        known = {one.id: one for one in self._state.positions} if self._state else {}
        return AccountState(
            name=self.name,
            venue=self.venue,
            positions=tuple(
                known[row.id]
                if row.id in known and id(row) not in touched
                else PositionState(row.id, **{field: getattr(row, field) for field in FIELDS})
                for row in self._rows
            ),
            collateral=self.collateral.copy(),
            marks=self.marks.copy(),
            prices=self.prices.copy(),
            haircuts=self.haircuts.copy(),
            order_margin=self.order_margin,
            as_of=self.as_of,
        )

    def _write(self, state: AccountState, rows: tuple[Position, ...] = ()) -> None:
        """Assign a state to the models, keeping the positions that persist: `rows` among them."""
        known = {row.id: row for row in (*self._known_rows, *self._rows, *rows)}
        kept = []
        for one in state.positions:
            fields = {field: getattr(one, field) for field in FIELDS}
            row = known.get(one.id) or self._released(one.id) or Position(**fields)
            row._join(self, one.id)
            for field, content in fields.items():
                if getattr(row, field) != content:
                    setattr(row, field, content)
            kept.append(row)
        self.positions = kept
        for field in EDITABLE:
            if field != "positions":
                setattr(self, field, getattr(state, field))

    def _released(self, row: str) -> Position | None:
        """The position that was once the row of that id, if it is still about and free."""
        former = self._former.get(row)
        return former if former is not None and former._account is None else None

    def _restore(self, state: AccountState | None, rows: tuple[Position, ...], queued: int) -> None:
        """Put the models back to what they were when an edit began, unheard."""
        if len(self._queue) == queued:  # nothing was written
            return
        if state is None:
            self.positions = ()
        else:
            self._write(state, rows)
        del self._queue[queued:]

    def _travel(self, source: list[AccountState], target: list[AccountState]) -> bool:
        with self._lock:
            if self._editor is not None:
                raise RuntimeError("undo and redo: not within an edit; it is one step itself")
            if not source or self._state is None:
                return False
            here, there = self._state, source.pop()
            target.append(here)
            self._travelling = True
            try:
                with self.edit():
                    self._write(there)
            finally:
                self._travelling = False
            return True

    # -- what follows from the state ----------------------------------------------------------

    @property
    def state(self) -> AccountState:
        """The last sound state as immutable values."""
        assert self._state is not None
        return self._state

    @property
    def books(self) -> Books:
        """The engine's arrays and the names that belong to them."""
        return self.cross.books

    @property
    def currency(self) -> str:
        """Valuation currency: all amounts of reports are in it."""
        return str(self.venue.currency)

    def mark(self, symbol: str) -> float:
        """Mark of a symbol, its entry price where none is given.

        Raises
        ------
        KeyError
            If the account neither holds nor marks the symbol.
        """
        return float(self.books.marks[_place("mark", symbol, self.books.symbols)])

    def asset_price(self, asset: str) -> float:
        """Price of an asset in the account's currency at the present marks.

        Raises
        ------
        KeyError
            If the account has nothing in the asset.
        """
        place = _place("asset_price", asset, self.books.assets)
        return float(self.books.book.asset_prices(self.books.marks)[place])

    def curve(
        self,
        symbol: str | None = None,
        *,
        shock: bool = False,
        low: float | None = None,
        high: float | None = None,
        points: int = 400,
        marks: Mapping[str, float] | None = None,
    ) -> Curve:
        """Both modes against one price, or against a common relative move of all marks.

        Parameters
        ----------
        symbol : str, optional
            The symbol that moves, all others unchanged.
        shock : bool
            Whether all marks move together (the axis is then relative, e.g. -0.2 to 0.1).
        low, high : float, optional
            Range of the axis; by default it shows the first liquidations of both modes.
        points : int
            Size of the even grid, at least 2; the present and the triggers are added.
        marks : mapping, optional
            Marks to start from in place of the present ones, e.g. while one is dragged.

        Raises
        ------
        KeyError
            If the account does not hold the symbol.

        Examples
        --------
        >>> from margin_widgets import presets
        >>> curve = presets.ref2().curve(shock=True, low=-0.2, high=0.1)
        >>> float(curve.isolated.equity[0]), float(curve.cross.equity[0])
        (3000.0, 0.0)
        """
        if (symbol is None) == (not shock):
            raise TypeError("curve: give either a symbol or shock=True")
        if symbol is not None and symbol not in self.books.symbols:
            hint = did_you_mean(symbol, self.books.symbols)
            raise KeyError(f"curve: no symbol {symbol!r} in this account{hint}")
        if not isinstance(points, int) or points < 2:
            raise ValueError(f"points: {points!r} must be a whole number >= 2")
        return trace(self.books, symbol, low, high, points, marks)

    @property
    def portfolio(self) -> MarginReport | None:
        """The account under the venue's portfolio margin; None where its rules have no grid.

        One pool, as in cross margin, that must hold the worst loss of the whole book over the
        venue's scenarios instead of the sum of maintenance margins.
        """
        if self.venue.portfolio is None:
            return None
        books = self.books
        if self._portfolio is None or self._portfolio.books is not books:
            self._portfolio = MarginReport("portfolio", books)
        return self._portfolio

    def liquidation(
        self,
        mode: str = "cross",
        *,
        shock: float | None = None,
        marks: Mapping[str, float] | None = None,
    ) -> Liquidation:
        """Carry out the venue's liquidation of what has fallen, step by step; nothing is changed.

        Parameters
        ----------
        mode : {"isolated", "cross", "configured"}
        shock : float, optional
            Relative move of all marks at which it happens, e.g. -0.3; above -1.
        marks : mapping, optional
            Marks at which it happens; the present ones where none is given.

        Examples
        --------
        >>> rules = venues.generic(tiers={"XUSDT": 0.005})
        >>> account = Account(rules, {"USDT": 5}, [Position("XUSDT", 1, 100, leverage=20)])
        >>> gap = account.liquidation(marks={"XUSDT": 85})
        >>> gap.equity_before, gap.equity_after, gap.shortfall
        (-10.0, 0.0, 10.0)
        """
        from margin_widgets.account.liquidation import liquidate

        return liquidate(self.books, mode, shock=shock, marks=marks)

    def compare(self) -> pd.DataFrame:
        """Figures of both modes side by side, one row per figure."""
        import pandas as pd

        frame = pd.DataFrame({mode: getattr(self, mode).figures() for mode in MODES[:2]})
        frame.index.name = "figure"
        return frame

    def under(
        self, venue: str | RuleSet, *, tiers: Mapping[str, Any] | Literal["keep"] | None = None
    ) -> Account:
        """Return a new account with the same coins, prices and collateral under other rules.

        Contracts are found by base, quote and kind, not by spelling; quantities are converted
        between contract sizes. What was assumed on the way is in `notes` of the new account.

        Parameters
        ----------
        venue : str or RuleSet
        tiers : mapping of symbol to tiers, or "keep"
            For contracts that the rule set has no tiers for; "keep" takes the present ones.

        Raises
        ------
        CannotExpress
            Whose `reasons` say position by position what the venue does not have.
        TraitError
            If there is no such rule set.

        Examples
        --------
        >>> from margin_widgets import presets
        >>> there = presets.ref2().under("hyperliquid")
        >>> there.positions.keys(), dict(there.collateral), there.notes[-1]
        (['BTC', 'ETH'], {'USDC': 10000.0}, 'USDT is held as USDC')
        """
        from margin_widgets.account.under import restate

        return restate(self, venue, tiers=tiers)

    @property
    def notes(self) -> tuple[str, ...]:
        """What `under` assumed when it made this account; nothing for any other."""
        return self._notes

    def explain(self, path: str) -> Explanation:
        """Formula, substituted values, rules and rounding behind a figure.

        Parameters
        ----------
        path : str
            e.g. ``"cross.positions.BTCUSDT.liquidation_price"`` or ``"isolated.equity"``.

        Raises
        ------
        KeyError
            If there is no such figure.
        """
        from margin_widgets.account.explanation import explain

        return explain(self, path)

    # -- documents --------------------------------------------------------------------------

    def copy(self) -> Account:
        """Return an account of its own with the same content and no history."""
        return Account.from_state(self.state)

    def __copy__(self) -> Account:
        return self.copy()

    def __deepcopy__(self, memo: object) -> Account:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return Account.from_state, (self.state,)

    @classmethod
    def from_state(cls, state: AccountState) -> Account:
        """Build an account from immutable values."""
        return cls(
            venue=state.venue,
            collateral=state.collateral,
            positions=[
                Position(**{field: getattr(row, field) for field in FIELDS})
                for row in state.positions
            ],
            marks=state.marks,
            prices=state.prices,
            haircuts=state.haircuts,
            order_margin=state.order_margin,
            as_of=state.as_of,
            name=state.name,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the account's document as plain data."""
        from margin_widgets.account.document import to_document

        return to_document(self.state)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Account:
        """Build an account from a document.

        Raises
        ------
        DocumentError
            Naming the field.
        """
        from margin_widgets.account.document import from_document

        return cls.from_state(from_document(document))

    def save(self, path: str | Path) -> Path:
        """Write the account's document; it replaces the file whole, or not at all."""
        from margin_widgets.account.document import write

        return write(self.state, Path(path))

    def to_python(self, *, name: str = "account") -> str:
        """Return Python code that builds the same account; it imports margin_widgets only.

        Parameters
        ----------
        name : str
            Of the variable.

        Examples
        --------
        >>> scope = {}
        >>> exec(Account("binance-usdm", {"USDT": 12_000}).to_python(), scope)
        >>> dict(scope["account"].collateral)
        {'USDT': 12000.0}
        """
        from margin_widgets.account.as_python import as_python

        return as_python(self, name=name)

    def to_html(self, path: str | Path, *, title: str | None = None, lang: str = "en") -> Path:
        """Write one file that shows the account as it is now, and needs neither kernel nor network.

        Parameters
        ----------
        path : str or Path
            Replaced whole, or left as it was.
        title : str, optional
            In place of the account's name.
        lang : str
            Language of the title, as an HTML language tag.
        """
        from margin_widgets.account.page import write_page

        return write_page(self, path, title=title, lang=lang)

    def report_card(self) -> ReportCard:
        """Return both modes as a result that stays readable in a saved notebook.

        Examples
        --------
        >>> from margin_widgets import presets
        >>> card = presets.ref2().report_card()
        >>> card.title, [title for title, *_ in card.tables]
        ('REF-2', ['Both modes', 'Positions'])
        """
        from margin_widgets.account.report_card import account_card

        return account_card(self)

    def to_frame(self) -> pd.DataFrame:
        """Positions as a table that `from_frame` reads back."""
        from margin_widgets.account.frames import positions_frame

        return positions_frame(self)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, **account_arguments: Any) -> Account:
        """Build an account from a table of positions, one row each.

        Parameters
        ----------
        frame : DataFrame
            Columns as `to_frame` writes them; bad rows are all named in one error.
        **account_arguments
            The other arguments of `Account`.
        """
        from margin_widgets.account.frames import from_frame

        return from_frame(frame, **account_arguments)

    def _repr_html_(self) -> str:
        from margin_widgets.account.summary import account_html

        return account_html(self)

    def __repr__(self) -> str:
        named = f"{self.name!r}, " if self.name else ""
        collateral = ", ".join(
            f"{asset} {amount:,.8g}" for asset, amount in self.collateral.items()
        )
        return (
            f"Account({named}{self.venue.label}; {_count(len(self._rows), 'position')};"
            f" {collateral or 'no collateral'})"
        )


__all__ = ["Account", "Position", "Positions"]
