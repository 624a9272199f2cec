"""An account under another venue's rules: the same coins, prices and collateral; or why not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from traitlets import TraitError

from margin_widgets import venues
from margin_widgets.account import counterpart
from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.counterpart import Counterpart, alike, pays_in_coin, same_coin
from margin_widgets.account.position import Position
from margin_widgets.account.state import AccountState
from margin_widgets.venues import Contract, RuleError, RuleSet
from margin_widgets.venues.rules import DOLLARS

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

Tiers = Mapping[str, Any] | Literal["keep"] | None

Fields = dict[str, Any]
"""A position by the names of its fields."""

_SAME = 1e-9
"""Amounts that differ by less, relative to them, are the same."""
_WHOLE = 1e-9
"""Numbers of contracts this near to a whole one, relative to it, are one."""
_ONLY = re.compile(r"collateral other than (\w+)")
"""How a rule set says that it takes one asset only, among what it cannot express."""


class Reason(NamedTuple):
    """Why a part of an account cannot be held: which part, and what is missing."""

    where: str
    why: str


class CannotExpress(TraitError):  # noqa: N818 - what a venue lacks, not what went wrong
    """An account that a rule set cannot hold.

    Attributes
    ----------
    venue : RuleSet
    reasons : tuple of Reason
        Position by position, then asset by asset.
    remedy : str
        What to give in code so that it can; "" if nothing would do.
    """

    def __init__(self, venue: RuleSet, reasons: tuple[Reason, ...], remedy: str = "") -> None:
        self.venue, self.reasons, self.remedy = venue, reasons, remedy
        lines = [f"{where}: {why}" for where, why in reasons]
        lines += [remedy] if remedy else []
        super().__init__("\n".join([f"{venue.name} cannot hold this account", *lines]))


def restate(
    account: Account, venue: str | RuleSet, *, tiers: Tiers = None, mode: str | None = None
) -> Account:
    """Return a new account with the same content under other rules.

    Parameters
    ----------
    account : Account
        Stays as it is.
    venue : str or RuleSet
    tiers : mapping of symbol to tiers, or "keep"
        For contracts that the rule set has no tiers for, by their symbol here or there; "keep"
        takes the present ones.
    mode : {"isolated", "cross", "portfolio"}, optional
        Mode in which all positions are held; their own if not given.

    Raises
    ------
    CannotExpress
        With all reasons.
    TraitError
        If there is no such rule set.

    Notes
    -----
    Isolated margin stays what it is: where the rules would assign another amount by default, that
    of here is assigned. An option is the same option on the underlying that it has there; premiums
    in coin and in dollars are converted at the index. What was assumed is in the account's notes.
    """
    if not isinstance(venue, RuleSet):
        try:
            venue = venues.get(venue)
        except RuleError as error:
            raise TraitError(str(error)) from error
    if isinstance(tiers, str) and tiers != "keep":
        raise TraitError(f"tiers: {tiers!r} is neither 'keep' nor a mapping of symbols")
    if venue == account.venue:  # they hold what they hold
        return _in_mode(account, mode)
    return _Move(account.books, venue, tiers, mode).account()


def _in_mode(account: Account, mode: str | None) -> Account:
    """Return a copy of an account with all positions in one mode."""
    if mode is None:
        return account.copy()
    state, rules = account.state, account.venue
    if rules.modes and mode not in rules.modes:
        why = f"{rules.name} offers no {mode} margin"
        raise CannotExpress(rules, tuple(Reason(key, why) for key in account.books.keys))
    rows = tuple(replace(row, margin_mode=_margin_mode(mode)) for row in state.positions)
    return account.from_state(state.replace(positions=rows))


def _positions(rows: Iterable[Fields]) -> list[Position]:
    return [Position(**row) for row in rows]


def _premium_asset(option: Contract) -> str:
    return str(option.base if pays_in_coin(option) else option.quote)


def _margin_mode(mode: str) -> str:
    """How a position is held: portfolio margin has one pool, as cross margin does."""
    return "isolated" if mode == "isolated" else "cross"


@dataclass
class _Move:
    """An account on its way from one rule set to another; gathers reasons and notes."""

    books: Books
    rules: RuleSet
    tiers: Tiers
    mode: str | None
    reasons: list[Reason] = field(default_factory=list)
    wanting: list[str] = field(default_factory=list)  # symbols that lack tiers
    notes: list[str] = field(default_factory=list)
    new_tiers: dict[str, Any] = field(default_factory=dict)
    new_contracts: dict[str, Contract] = field(default_factory=dict)

    @property
    def state(self) -> AccountState:
        """What is moved."""
        return self.books.state

    @property
    def name(self) -> str:
        """How the rules are called in sentences."""
        return self.rules.name

    def account(self) -> Account:
        """Return the account under the new rules.

        Raises
        ------
        CannotExpress
        """
        from margin_widgets.account.account import Account

        unit, listed = self._unit(), self._contracts()
        held_as = self._held_as(listed)
        rows, marks = self._positions(listed), self._marks(listed)
        collateral = self._collateral(held_as)
        haircuts = self._haircuts(collateral, held_as, listed)
        prices = self._prices(unit, held_as)
        if self.reasons:
            reasons = tuple(dict.fromkeys(self.reasons))
            raise CannotExpress(self.rules, reasons, self._remedy())
        make = partial(
            Account,
            venue=self._venue(),
            collateral=collateral,
            marks=marks,
            prices=prices,
            haircuts=haircuts,
            order_margin=self.state.order_margin / unit,
            as_of=self.state.as_of,
            name=self.state.name,
        )
        try:
            made = make(positions=_positions(rows))
            if self._keeps_margins(rows, made.books):
                made = make(positions=_positions(rows))
        except (TraitError, RuleError) as error:
            raise CannotExpress(self.rules, self._causes(make, rows, str(error))) from error
        made._notes = tuple(dict.fromkeys(self.notes))
        return made

    def _keeps_margins(self, rows: list[Fields], there: Books) -> bool:
        """Assign the isolated margins of here where they would not be the same by default."""
        changed = False
        for place, (key, row) in enumerate(zip(self.books.keys, rows, strict=True)):
            if row["symbol"] in self.rules.initial_tiers:
                self.notes.append(
                    f"{key}: leverage has no effect, {self.name} sets the rate of initial margin"
                )
            if row["margin"] is not None:
                continue
            asset = there.assets[int(there.book.position_settle[place])]
            here = self.books.assets[int(self.books.book.position_settle[place])]
            margin = float(self.books.book.margin[place]) * self._rate(here, asset)
            default = float(there.book.margin[place])
            if math.isclose(margin, default, rel_tol=_SAME):
                continue
            row["margin"], changed = margin, True
            self.notes.append(
                f"{key}: its isolated margin of {fmt.plain(margin)} {asset} is kept as assigned,"
                f" {self.name} would assign {fmt.plain(default)}"
            )
        return changed

    def _causes(
        self, make: Callable[..., Account], rows: list[Fields], why: str
    ) -> tuple[Reason, ...]:
        """Which positions cannot be held even alone; the account as a whole if none is one."""
        found = []
        for key, row in zip(self.books.keys, rows, strict=True):
            try:
                make(positions=_positions([row]))
            except (TraitError, RuleError) as error:
                found.append(Reason(key, str(error)))
        try:
            make(positions=[])
        except (TraitError, RuleError):
            found = []  # nor can the rest
        return tuple(found) or (Reason("account", why),)

    def _venue(self) -> RuleSet:
        if not self.new_tiers and not self.new_contracts:
            return self.rules
        return self.rules.replace(
            tiers={**self.rules.tiers, **self.new_tiers},
            contracts={**self.rules.contracts, **self.new_contracts},
        )

    def _refuse(self, where: str, why: str) -> None:
        self.reasons.append(Reason(where, why))

    def _remedy(self) -> str:
        """Say which tiers to give, if those are all that lacks."""
        if not self.wanting or {one.where for one in self.reasons} != set(self.wanting):
            return ""
        given = ", ".join(f"{symbol!r}: …" for symbol in dict.fromkeys(self.wanting))
        keep = " or tiers='keep'" if self.tiers != "keep" else ""
        return f"give tiers={{{given}}}{keep}"

    # -- contracts --------------------------------------------------------------------------

    def _contracts(self) -> dict[str, Counterpart]:
        """Find what each symbol is called there; without what cannot be held."""
        found: dict[str, Counterpart] = {}
        every = list(zip(self.books.symbols, self.books.contracts, strict=True))
        for symbol, contract in sorted(every, key=lambda one: one[1].is_option):
            if contract.is_option:
                one = self._option(symbol, contract, found)
            elif symbol in self._held_symbols:
                one = self._held(symbol, contract)
            else:  # it has a mark only
                one = self._listed(symbol, contract) or self._carried(symbol, contract)
            if one:
                found[symbol] = one
        return {symbol: found[symbol] for symbol in self.books.symbols if symbol in found}

    @cached_property
    def _held_symbols(self) -> set[str]:
        return {row.symbol for row in self.state.positions}

    def _held(self, symbol: str, contract: Contract) -> Counterpart | None:
        if why := self._unlisted(contract):
            self._refuse(symbol, why)
            return None
        listed = self._listed(symbol, contract)
        there = listed or Counterpart(symbol, self._in_its_dollars(symbol, contract))
        if there.symbol not in self.rules.tiers:
            table = self._table(symbol, contract, there)
            if table is None:
                return None
            self.new_tiers[there.symbol] = table
        if listed is None:
            own = self.state.venue.name
            self.notes.append(f"{symbol}: the contract of {own}, {self.name} lists none")
            return self._carried(*there)
        if contract.quote != there.contract.quote:
            self._note_prices(symbol, contract, there)
        return listed

    def _unlisted(self, contract: Contract) -> str:
        """Why contracts of a kind cannot be held; empty if they can."""
        rules, kind = self.rules, "option" if contract.is_option else contract.kind
        if rules.kinds and kind not in rules.kinds:
            return f"{self.name} lists no {kind} contracts"
        if contract.is_option and rules.option_margin is None:
            return f"{self.name} has no margin rule for single options"
        return ""

    def _option(
        self, symbol: str, contract: Contract, found: Mapping[str, Counterpart]
    ) -> Counterpart | None:
        """An option on the underlying that it has there; None, with a reason, if there is none."""
        why = self._unlisted(contract)
        there = None if why else counterpart.find_option(self.rules, symbol, contract)
        if there is None and not why:
            there, why = self._carried_option(symbol, contract, found)
        if there is None:
            if symbol in self._held_symbols:
                self._refuse(symbol, why)
            else:
                self.notes.append(f"{symbol}: its mark is left out, {why}")
            return None
        if pays_in_coin(contract) != pays_in_coin(there.contract):
            before, after = (_premium_asset(one) for one in (contract, there.contract))
            what = symbol if there.symbol == symbol else f"{symbol} is {there.symbol}"
            self.notes.append(
                f"{what}: premiums in {before} are taken as premiums in {after} at the index"
                f" {fmt.plain(self._index(contract))}"
            )
        elif not pays_in_coin(contract) and contract.quote != there.contract.quote:
            self._note_prices(symbol, contract, there)
        self._fix_meaning(there)
        return there

    def _fix_meaning(self, option: Counterpart) -> None:
        """See to it that contracts which come along do not change what an option's symbol means."""
        try:
            same = self._venue().contract(option.symbol) == option.contract
        except RuleError:
            same = False
        if not same:
            self.new_contracts[option.symbol] = option.contract

    def _carried_option(
        self, symbol: str, contract: Contract, found: Mapping[str, Counterpart]
    ) -> tuple[Counterpart | None, str]:
        """An option as it is here, on a contract that comes along; or why not."""
        index = found.get(str(contract.underlying))
        along = index is not None and (self.tiers == "keep" or index.symbol in self.new_tiers)
        if index is None or not along:
            why = f"{self.name} has no contract on {contract.base} that the option could be on"
            return None, why
        self.notes.append(
            f"{symbol}: the contract of {self.state.venue.name}, {self.name} has none"
        )
        return Counterpart(symbol, replace(contract, underlying=index.symbol)), ""

    def _price_there(self, price: float, here: Contract, there: Contract) -> float:
        """A price of a contract as it is quoted there: premiums in coin or in dollars."""
        if not here.is_option or pays_in_coin(here) == pays_in_coin(there):
            return price
        index = self._index(here)
        return price * index if pays_in_coin(here) else price / index

    def _index(self, option: Contract) -> float:
        return float(self.books.marks[self.books.symbols.index(str(option.underlying))])

    def _listed(self, symbol: str, contract: Contract) -> Counterpart | None:
        return counterpart.find(
            self.rules, symbol, contract, lambda name: self._has_tiers(symbol, name)
        )

    def _carried(self, symbol: str, contract: Contract) -> Counterpart:
        """Keep a symbol with the contract that it is here."""
        if self.rules.contract(symbol) != contract:
            self.new_contracts[symbol] = contract
        return Counterpart(symbol, contract)

    def _in_its_dollars(self, symbol: str, contract: Contract) -> Contract:
        """A linear contract as the venue settles all of its own, if that is in other dollars."""
        assets = counterpart.settlement_assets(self.rules, "linear")
        currency = self.rules.currency
        if contract.kind != "linear" or assets != {currency} or contract.settle == currency:
            return contract
        if contract.settle not in DOLLARS or currency not in DOLLARS:
            return contract
        there = replace(contract, quote=currency, settle=currency)
        self._note_prices(symbol, contract, Counterpart(symbol, there))
        return there

    def _note_prices(self, symbol: str, contract: Contract, there: Counterpart) -> None:
        name, quote = there.symbol, there.contract.quote
        what = f"{symbol} is {name}" if name != symbol else f"{symbol} settles in {quote}"
        self.notes.append(f"{what}: prices in {contract.quote} are taken as prices in {quote}")

    # -- tiers ------------------------------------------------------------------------------

    def _has_tiers(self, symbol: str, name: str) -> bool:
        return name in self.rules.tiers or self.tiers == "keep" or self._gives(symbol, name)

    def _gives(self, symbol: str, name: str) -> bool:
        """Whether the caller gives tiers for a contract, by its symbol here or there."""
        return isinstance(self.tiers, Mapping) and (symbol in self.tiers or name in self.tiers)

    def _table(self, symbol: str, here: Contract, there: Counterpart) -> Any:
        """Tiers for a contract that the rules have none for; None if there are none."""
        if self.tiers == "keep":
            return self._kept_table(symbol, here, there)
        if isinstance(self.tiers, Mapping) and self._gives(symbol, there.symbol):
            return self.tiers[there.symbol if there.symbol in self.tiers else symbol]
        lacks = f"has no tiers for {there.symbol}"
        if not counterpart.lists(self.rules, here):
            lacks = f"rule set has no {counterpart.described(here)}"
        self._refuse(symbol, f"{self.name} {lacks}")
        self.wanting.append(symbol)
        return None

    def _kept_table(self, symbol: str, here: Contract, there: Counterpart) -> Any:
        old, new = self.state.venue, self.rules
        table = counterpart.converted_tiers(old.tier_table(symbol), old, here, new, there.contract)
        if table is None:
            self._refuse(
                symbol,
                f"{old.name} has tiers by {old.tiers_by}, {self.name} by {new.tiers_by}",
            )
            self.wanting.append(symbol)
            return None
        note = f"{there.symbol}: tiers of {old.name}, {self.name} has none"
        if len(table) > 1 and new.tier_rate == "whole" != old.tier_rate:
            note += "; there a tier's rate holds for the whole position"
        self.notes.append(note)
        return table

    # -- positions and marks ----------------------------------------------------------------

    def _positions(self, listed: Mapping[str, Counterpart]) -> list[Fields]:
        made: list[Fields] = []
        legs: dict[str, dict[str, str]] = {}
        for key, row in zip(self.books.keys, self.state.positions, strict=True):
            mode = self.mode or row.margin_mode
            if self.rules.modes and mode not in self.rules.modes:
                self._refuse(key, f"{self.name} offers no {mode} margin")
            if row.symbol not in listed:
                continue
            there = listed[row.symbol]
            here = self.state.venue.contract(row.symbol)
            self._check_leg(key, row.side, there, legs.setdefault(there.symbol, {}))
            quantity, margin = row.quantity, row.margin
            if here.multiplier != there.contract.multiplier:
                quantity *= here.multiplier / there.contract.multiplier
                self._note_parts(key, quantity, there)
            if margin is not None:
                margin *= self._rate(str(here.settle), str(there.contract.settle))
            made.append(
                {
                    "symbol": there.symbol,
                    "quantity": quantity,
                    "entry_price": self._price_there(row.entry_price, here, there.contract),
                    "leverage": row.leverage,
                    "margin": margin,
                    "margin_mode": _margin_mode(mode),
                }
            )
        return made

    def _check_leg(self, key: str, side: str, there: Counterpart, legs: dict[str, str]) -> None:
        """Refuse two legs of one side, and two sides where the venue says that it nets them."""
        first = legs.setdefault(side, key)
        if first != key:
            self._refuse(key, f"{first} is a {side} position in {there.symbol} too")
        elif len(legs) > 1 and any("hedge mode" in one for one in self.rules.cannot_express):
            other = next(one for one in legs.values() if one != key)
            self._refuse(key, f"{self.name} has no hedge mode: {other} is in {there.symbol} too")

    def _note_parts(self, key: str, quantity: float, there: Counterpart) -> None:
        if abs(quantity - round(quantity)) > _WHOLE * abs(quantity):
            self.notes.append(
                f"{key} is {fmt.plain(quantity)} contracts of {there.symbol}, no whole number"
            )

    def _marks(self, listed: Mapping[str, Counterpart]) -> dict[str, float]:
        marks: dict[str, float] = {}
        for symbol, one in listed.items():
            if symbol not in self.state.marks:
                continue
            here = self.state.venue.contract(symbol)
            mark = self._price_there(self.state.marks[symbol], here, one.contract)
            if marks.setdefault(one.symbol, mark) != mark:
                self.notes.append(f"{symbol}: its mark is left out, {one.symbol} has another")
        for symbol, one in listed.items():  # an option needs the mark of its own venue's index
            index = self.state.venue.contract(symbol).underlying
            if one.contract.underlying and index in self.books.symbols:
                mark = float(self.books.marks[self.books.symbols.index(index)])
                marks.setdefault(one.contract.underlying, mark)
        return marks

    # -- collateral -------------------------------------------------------------------------

    def _unit(self) -> float:
        """Price of the new currency in the present one."""
        here, there = self.state.venue.currency, self.rules.currency
        if here == there:
            return 1.0
        if there in self.state.prices or there in self.books.assets:
            return self._price(there)
        if not (here in DOLLARS and there in DOLLARS):
            self._refuse("account", f"{self.name} counts in {there}, which has no price here")
        return 1.0

    def _price(self, asset: str) -> float:
        """Price of an asset in the present currency."""
        if asset in self.books.assets:
            place = self.books.assets.index(asset)
            return float(self.books.book.asset_prices(self.books.marks)[place])
        if asset in self.state.prices or asset in DOLLARS:
            return self.state.prices.get(asset, 1.0)
        marked = zip(self.books.contracts, self.books.marks.tolist(), strict=True)
        on_it = (mark for one, mark in marked if same_coin(one.base, asset) and not one.is_option)
        return next(on_it, 1.0)

    def _rate(self, here: str, there: str) -> float:
        """How much of one asset stands for one of another."""
        return 1.0 if same_coin(here, there) else self._price(here) / self._price(there)

    def _held_as(self, listed: Mapping[str, Counterpart]) -> dict[str, str]:
        """Assets that are others there: dollars in which positions settle, coins by other codes."""
        settles: dict[str, list[str]] = {}
        for row in self.state.positions:
            if row.symbol in listed:
                here = str(self.state.venue.contract(row.symbol).settle)
                settles.setdefault(here, []).append(str(listed[row.symbol].contract.settle))
        settles.setdefault(self.state.venue.currency, [self.rules.currency])
        for symbol, one in listed.items():
            here = str(self.state.venue.contract(symbol).base)
            if same_coin(here, one.contract.base):
                settles.setdefault(here, []).append(str(one.contract.base))
        return {
            here: next(one for one in there if alike(here, one))
            for here, there in settles.items()
            if here not in there and any(alike(here, one) for one in there)
        }

    def _collateral(self, held_as: Mapping[str, str]) -> dict[str, float]:
        collateral: dict[str, float] = {}
        only = next(
            (found[1] for one in self.rules.cannot_express if (found := _ONLY.search(one))), None
        )
        for asset, amount in self.state.collateral.items():
            there = held_as.get(asset, asset)
            collateral[there] = collateral.get(there, 0.0) + amount * self._rate(asset, there)
            if there != asset and amount:
                self.notes.append(f"{asset} is held as {there}")
            if amount and only and there != only:
                self._refuse(f"collateral {asset}", f"{self.name} takes {only} only")
        for asset, amount in collateral.items():
            if amount < 0 and asset not in DOLLARS and not self._lends(asset):
                self._refuse(f"collateral {asset}", f"a loan; {self.name} lends none")
        return collateral

    def _lends(self, asset: str) -> bool:
        rules = self.rules
        return not rules.kinds or "spot" in rules.kinds or asset in rules.liability_rates

    def _prices(self, unit: float, held_as: Mapping[str, str]) -> dict[str, float]:
        """Fixed prices in the new currency."""
        given = dict(self.state.prices)
        if unit != 1.0:
            given[self.state.venue.currency] = 1.0
        prices = {
            asset if asset in DOLLARS else held_as.get(asset, asset): price / unit
            for asset, price in given.items()
        }
        prices.pop(self.rules.currency, None)
        return prices

    def _haircuts(
        self,
        collateral: Mapping[str, float],
        held_as: Mapping[str, str],
        listed: Mapping[str, Counterpart],
    ) -> dict[str, Any]:
        """The account's own haircuts where the rules have none; and whether all are known."""
        rules = self.rules
        own = {held_as.get(asset, asset): cut for asset, cut in self.state.haircuts.items()}
        held = [listed[row.symbol] for row in self.state.positions if row.symbol in listed]
        settled = {str(one.contract.settle) for one in held}
        for asset, amount in collateral.items():
            if asset in rules.haircuts:
                if asset in own:
                    self.notes.append(f"{asset}: the haircut of {self.name}, not the account's own")
            elif amount <= 0 or asset in settled:
                continue
            elif rules.cross_pool == "settlement" and settled:
                self.notes.append(f"{asset} backs nothing: {self.name} pools by settlement asset")
            elif asset in own or asset == rules.currency:
                continue
            elif rules.haircuts or rules.imf_factors:
                why = f"{self.name} has no haircut for it; give haircuts[{asset!r}]"
                self._refuse(f"collateral {asset}", why)
            else:
                self.notes.append(f"{asset} counts in full: {self.name} has no haircuts")
        return {asset: cut for asset, cut in own.items() if asset not in rules.haircuts}
