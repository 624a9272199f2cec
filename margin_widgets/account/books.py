"""From an account's state to the engine's arrays, with the names that belong to their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from traitlets import TraitError

from margin_widgets import engine
from margin_widgets.account import formatting as fmt
from margin_widgets.account.charges import Held, charges, measure
from margin_widgets.account.holdings import haircuts, loans
from margin_widgets.account.optioned import options, unusual_marks
from margin_widgets.account.positions import keys_of
from margin_widgets.account.state import AccountState
from margin_widgets.engine import Book, Ledger, MarkedBook, Partition, mark_book
from margin_widgets.engine.book import Floats, Ints, RiskUnits
from margin_widgets.engine.options import with_option_initial
from margin_widgets.venues import Contract, RuleError, RuleSet
from margin_widgets.venues.rules import DOLLARS

MODES = ("isolated", "cross", "configured")


@dataclass(frozen=True)
class Books:
    """The arrays of one account state, and who is who in them.

    Attributes
    ----------
    state : AccountState
    symbols, assets, keys : tuple of str
        Names along the S, A and N axes of the book.
    contracts : tuple of Contract
        One per symbol.
    book : Book
    marks : ndarray (S,)
    warnings : tuple of str
        What was assumed, and what is allowed but unusual.
    """

    state: AccountState
    symbols: tuple[str, ...]
    assets: tuple[str, ...]
    keys: tuple[str, ...]
    contracts: tuple[Contract, ...]
    book: Book
    marks: Floats
    warnings: tuple[str, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """Number of each position by its key."""
        return {key: number for number, key in enumerate(self.keys)}

    @cached_property
    def partitions(self) -> dict[str, Partition]:
        """The account's margin modes as partitions."""
        by_settlement = self.state.venue.cross_pool == "settlement"
        alone = engine.isolated(self.book, by_settlement=by_settlement)
        shared = engine.cross(self.book, by_settlement=by_settlement)
        if self.book.isolated.all():
            real = alone
        elif not self.book.isolated.any():
            real = shared
        else:
            real = engine.configured(self.book, by_settlement=by_settlement)
        modes = {"isolated": alone, "cross": shared, "configured": real}
        if self.state.venue.portfolio is not None:
            modes["portfolio"] = shared
        return modes

    @cached_property
    def _ledgers(self) -> dict[str, Ledger]:
        """A ledger per mode at the present marks: modes that agree share theirs."""
        marked = mark_book(self.book, self.marks)
        made = {id(one): Ledger(marked, one) for one in self.partitions.values()}
        return {
            mode: self._keep(mode, marked) if mode == "portfolio" else made[id(one)]
            for mode, one in self.partitions.items()
        }

    def _keep(self, mode: str, marked: MarkedBook) -> Ledger:
        grid = self.state.venue.portfolio if mode == "portfolio" else None
        return Ledger(marked, self.partitions[mode], grid)

    def ledger(self, mode: str, marks: Floats | None = None) -> Ledger:
        """The account under one margin mode, at its own marks if none are given."""
        if marks is None or marks is self.marks:
            return self._ledgers[mode]
        return self._keep(mode, mark_book(self.book, marks))

    def pool_names(self, mode: str) -> tuple[str, ...]:
        """Name of each pool: "cross" (or with the settlement asset), or the position's key."""
        return self._pools[mode][0]

    def pool_members(self, mode: str) -> tuple[tuple[int, ...], ...]:
        """Positions in each pool."""
        return self._pools[mode][1]

    @cached_property
    def _pools(self) -> dict[str, tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]]:
        return {mode: self._named(partition) for mode, partition in self.partitions.items()}

    def _named(self, partition: Partition) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
        members: list[list[int]] = [[] for _ in partition.own]
        for position, pool in enumerate(partition.pool.tolist()):
            members[pool].append(position)
        names = []
        for inside, own in zip(members, partition.own.tolist(), strict=True):
            if own:
                names.append(self.keys[inside[0]])
            elif not inside:
                names.append("loan")
            elif self.state.venue.cross_pool == "settlement":
                names.append(f"cross {self.assets[int(self.book.position_settle[inside[0]])]}")
            else:
                names.append("cross")
        return tuple(names), tuple(map(tuple, members))


def keep_books(state: AccountState) -> Books:
    """Check a state as a whole and lay it out in arrays.

    Raises
    ------
    TraitError
        Naming field, value and bound.
    """
    try:
        return _keep_books(state)
    except RuleError as error:
        raise TraitError(str(error)) from error


def _keep_books(state: AccountState) -> Books:
    rules = state.venue
    rows = state.positions
    _one_leg_per_side(state)
    held = {row.symbol for row in rows}
    named = dict.fromkeys([*(row.symbol for row in rows), *state.marks])
    listed = {symbol: rules.contract(symbol) for symbol in named}
    for one in listed.values():
        if one.is_option and one.underlying not in listed:
            raise TraitError(
                f"marks: no mark of {one.underlying!r}, on which an option is held or marked"
            )
    symbols, contracts = tuple(listed), tuple(listed.values())
    for symbol in held:
        if not listed[symbol].is_option:
            rules.tier_table(symbol)  # refuses what the venue does not know
    warnings: list[str] = []

    entries = {row.symbol: row.entry_price for row in reversed(rows)}
    unmarked = [symbol for symbol in symbols if symbol not in state.marks]
    if len(unmarked) > 3:
        warnings.append(f"{len(unmarked)} symbols: no mark given, their entry prices are used")
    else:
        warnings += [f"{symbol}: no mark given, its entry price is used" for symbol in unmarked]
    marks = np.array([state.marks.get(symbol, entries.get(symbol, 1.0)) for symbol in symbols])
    marks.setflags(write=False)

    settles = [str(contract.settle) for contract in contracts if contract.settle]
    settles = [s for s, symbol in zip(settles, symbols, strict=True) if symbol in held]
    assets = tuple(dict.fromkeys([rules.currency, *state.collateral, *settles]))
    follows, factors = _asset_prices(state, symbols, contracts, assets)
    place = {asset: number for number, asset in enumerate(assets)}
    settle = np.array([place.get(str(one.settle), 0) for one in contracts], dtype=np.intp)
    symbol_place = {symbol: number for number, symbol in enumerate(symbols)}
    held_symbol = np.array([symbol_place[row.symbol] for row in rows], dtype=np.intp)
    multiplier = np.array([contract.multiplier for contract in contracts])
    inverse = np.array([contract.kind == "inverse" for contract in contracts], dtype=bool)
    entry = np.array([row.entry_price for row in rows])
    leverage = np.array([row.leverage for row in rows])
    quantity = np.array([row.quantity for row in rows])
    size = quantity * multiplier[held_symbol]
    at_entry = np.abs(size) * np.where(inverse[held_symbol], 1 / entry, entry)
    positions = Held(
        symbols=symbols,
        place=held_symbol,
        contracts=np.abs(quantity),
        coins=np.where(inverse[held_symbol], at_entry, np.abs(size)),
        notional=at_entry,
        inverse=inverse[held_symbol],
        long=size > 0,
        leverage=leverage,
    )
    charged = charges(rules, positions)
    wallet = np.array([state.collateral.get(asset, 0.0) for asset in assets])
    assigned = np.array([np.nan if row.margin is None else row.margin for row in rows])
    optioned = options(state, symbols, contracts, marks)
    book = Book(
        inverse=inverse,
        settle=settle,
        tiers=charged.tiers,
        symbol=held_symbol,
        size=size,
        entry=entry,
        leverage=leverage,
        margin=assigned,
        rate=charged.rate,
        fixed=charged.fixed,
        square=charged.square,
        initial=charged.initial,
        by_schedule=charged.by_schedule,
        initial_rate=charged.initial_rate,
        initial_fixed=charged.initial_fixed,
        isolated=np.array([row.margin_mode == "isolated" for row in rows], dtype=bool),
        wallet=wallet,
        asset_symbol=follows,
        asset_price=factors,
        haircuts=haircuts(state, assets, wallet),
        loans=loans(rules, assets, wallet),
        options=optioned,
        units=_units(contracts, state.prices) if rules.portfolio else None,
        maintenance_at_entry=rules.maintenance_at == "entry",
        triggers_at_equality=rules.trigger == "<=",
        trigger_level=rules.trigger_level,
        residual_returned={"kept": 0.0, "returned": 1.0, "split": rules.residual_share}[
            rules.residual
        ],
        liquidation_fee=rules.liquidation_fee,
    )
    if np.isnan(assigned).any():
        book = book.replace(margin=np.where(np.isnan(assigned), _at_entry(book, marks), assigned))
    keys = tuple(keys_of(rows))
    if optioned is not None:
        warnings += unusual_marks(optioned, symbols, marks)
        warnings += _floating_margins(state, keys, contracts, held_symbol)
    warnings += _pegs(state, assets)
    warnings += _margins_above_wallet(book, assets)
    caps = _caps(rules, symbols)[held_symbol]
    warnings += _leverage_above_tier(state, keys, measure(rules, positions), leverage, caps)
    return Books(state, symbols, assets, keys, contracts, book, marks, tuple(warnings))


def _at_entry(book: Book, marks: Floats) -> Floats:
    """Initial margin at entry: what isolates a position to which nothing else is assigned (N,).

    That of a short option is at its entry premium and, as no other is known, the present index.
    """
    reserved = book.initial_margin(book.entry_notional)
    if book.options is None:
        return reserved
    marked = mark_book(book, marks)
    return with_option_initial(replace(marked, price=book.entry), reserved)


def _units(contracts: tuple[Contract, ...], prices: Mapping[str, float]) -> RiskUnits:
    """The contracts by base coin, whose price is the mark of a perpetual on it if there is one."""
    coins = tuple(dict.fromkeys(str(contract.base) for contract in contracts))
    rank = [(one.is_option, bool(one.expiry), place) for place, one in enumerate(contracts)]
    index = [
        min(rank[place] for place, one in enumerate(contracts) if one.base == coin)[-1]
        for coin in coins
    ]
    return RiskUnits(
        names=coins,
        of_symbol=np.array([coins.index(str(one.base)) for one in contracts], dtype=np.intp),
        index=np.array(index, dtype=np.intp),
        quote_price=np.array([prices.get(str(contracts[one].quote), 1.0) for one in index]),
    )


def _one_leg_per_side(state: AccountState) -> None:
    seen: set[tuple[str, str]] = set()
    for row in state.positions:
        if (row.symbol, row.side) in seen:
            raise TraitError(
                f"positions: {row.symbol} has two {row.side} legs; a symbol holds at most one long"
                " and one short"
            )
        seen.add((row.symbol, row.side))


def _asset_prices(
    state: AccountState,
    symbols: tuple[str, ...],
    contracts: tuple[Contract, ...],
    assets: tuple[str, ...],
) -> tuple[Ints, Floats]:
    """For each asset the symbol whose mark it follows (-1: none), and its price or factor."""
    currency = state.venue.currency
    if state.prices.get(currency, 1.0) != 1.0:
        raise TraitError(
            f"prices[{currency!r}]: {state.prices[currency]:g} must be 1; amounts are in {currency}"
        )
    worth_one = {currency, *(DOLLARS if currency in DOLLARS else ())}
    follows = np.full(len(assets), -1, dtype=np.intp)
    factors = np.ones(len(assets))
    for number, asset in enumerate(assets):
        if asset in state.prices:
            factors[number] = state.prices[asset]
            continue
        if asset in worth_one:
            continue
        # A perpetual in the account's currency says best what an asset is worth.
        candidates = [
            (bool(contract.expiry), contract.quote != currency, place)
            for place, contract in enumerate(contracts)
            if contract.base == asset and contract.quote in {*worth_one, *state.prices}
        ]
        if not candidates:
            raise TraitError(
                f"prices: no price for {asset!r}; set prices[{asset!r}], or a mark of a contract"
                f" on it (marks known: {', '.join(symbols) or 'none'})"
            )
        follows[number] = min(candidates)[2]
        factors[number] = state.prices.get(str(contracts[follows[number]].quote), 1.0)
    return follows, factors


def _pegs(state: AccountState, assets: tuple[str, ...]) -> list[str]:
    currency = state.venue.currency
    return [
        f"{asset} is taken as worth one {currency}; set prices[{asset!r}] if it is not"
        for asset in assets
        if asset != currency and asset in DOLLARS and currency in DOLLARS
        if asset not in state.prices and state.collateral.get(asset)
    ]


def _margins_above_wallet(book: Book, assets: tuple[str, ...]) -> list[str]:
    assigned = np.bincount(book.position_settle, book.margin, minlength=len(assets))
    return [
        f"assigned margin {fmt.plain(assigned[number], 8)} {asset} is above the wallet"
        f" {fmt.plain(book.wallet[number], 8)} {asset}: isolated mode assumes the rest is lent"
        for number, asset in enumerate(assets)
        if assigned[number] > max(0.0, book.wallet[number]) * (1 + 1e-12)
    ]


def _floating_margins(
    state: AccountState, keys: tuple[str, ...], contracts: tuple[Contract, ...], held: Ints
) -> list[str]:
    """Say whose isolated margin moves with the index, because none is assigned."""
    return [
        f"{key}: its margin in isolated mode is the initial margin at the present index; assign one"
        " to fix it"
        for key, row, symbol in zip(keys, state.positions, held, strict=True)
        if contracts[symbol].is_option and row.margin is None and row.quantity < 0
    ]


def _leverage_above_tier(
    state: AccountState, keys: tuple[str, ...], notional: Floats, leverage: Floats, caps: Floats
) -> list[str]:
    """Warn of leverage the tier of the entry notional does not allow; `caps` is (N, bands, 2)."""
    reached = caps[..., 0] <= notional[:, None]
    allowed = np.min(np.where(reached, caps[..., 1], np.inf), axis=1, initial=np.inf)
    return [
        f"{keys[row]}: leverage {leverage[row]:g} is above {allowed[row]:g}, the most"
        f" {state.venue.name} allows at a notional of {fmt.plain(notional[row], 2)}"
        for row in np.flatnonzero(leverage > allowed)
    ]


@lru_cache(maxsize=32)
def _caps(rules: RuleSet, symbols: tuple[str, ...]) -> Floats:
    """Floor and highest leverage of each tier (S, bands, 2)."""
    tables = [rules.tiers.get(symbol, ()) for symbol in symbols]
    caps = np.full((len(symbols), max(map(len, tables), default=0), 2), np.inf)
    for number, table in enumerate(tables):
        for band, tier in enumerate(table):
            caps[number, band] = tier.floor, tier.max_leverage or np.inf
    return caps
