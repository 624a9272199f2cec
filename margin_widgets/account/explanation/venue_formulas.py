"""Liquidation prices as the venues write them: a registry of formulas, each checked for its place.

A formula is written once as arithmetic on `Term`s, which gives its text, the same with values, and
its result; the result must be the engine's price. Where a venue's formula does not hold (options,
haircuts, several assets that move, ...) the pool's condition is printed with its values, and why.

Sources: Binance support, articles b3c689c1f50a44cabb3a84e663b81d93 and
ceccfcfb4e3a45e3b48b0b1bb1a8ae46; Bybit help, liquidation price of USDT contracts; OKX help, tiered
maintenance margin ratio rules; Hyperliquid documentation, liquidations; dYdX v4 documentation,
liquidations; Deribit support, article 25944738177565; KuCoin and BitMEX contract documentation;
Drift protocol v2, math/liquidation.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import add
from types import MappingProxyType

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation import condition, upkeep
from margin_widgets.account.explanation.leg import Leg
from margin_widgets.account.explanation.pool import Pool, Stand
from margin_widgets.account.explanation.sheet import Sheet
from margin_widgets.account.explanation.shown import show_price
from margin_widgets.account.explanation.terms import ONE, TWO, Term, let
from margin_widgets.account.explanation.upkeep import Upkeep
from margin_widgets.engine.book import Floats
from margin_widgets.venues import RuleSet


@dataclass(frozen=True)
class VenueFormula:
    """A figure as a venue itself writes it.

    Attributes
    ----------
    id : str
        Of the formula in the registry; "condition" where none holds.
    title : str
    lines : tuple of str
        What the symbols stand for where that takes a line, the formula, the same with values, the
        result.
    symbols : tuple of (symbol, meaning, value)
    value : float or None
        Result of the formula; None for a condition.
    note : str
        Why this form is used and not the venue's usual one; else empty.
    """

    id: str
    title: str
    lines: tuple[str, ...]
    symbols: tuple[tuple[str, str, str], ...]
    value: float | None
    note: str = ""


@dataclass
class Case:
    """A leg whose pool is at its trigger at a price, and the symbols that a formula introduces.

    Amounts are in the settlement asset.
    """

    leg: Leg
    price: float
    sheet: Sheet = field(default_factory=Sheet)
    known: dict[str, Term] = field(default_factory=dict)

    @property
    def pool(self) -> Pool:
        """The pool."""
        return self.leg.pool

    @property
    def rules(self) -> RuleSet:
        """The venue's rules."""
        return self.leg.report.books.state.venue

    @cached_property
    def legs(self) -> list[Leg]:
        """Legs of the symbol in the pool, the long one first."""
        symbols = self.leg.report.books.book.symbol
        found = [
            Leg(self.leg.report, int(n)) for n in self.pool.members if symbols[n] == self.leg.symbol
        ]
        return sorted(found, key=lambda leg: -leg.size)

    @cached_property
    def there(self) -> Stand:
        """The pool at the price."""
        factors = condition.moved(self.pool, self.leg.symbol, self.price / self.leg.mark)
        return self.pool.at(factors)

    @property
    def now(self) -> Stand:
        """The pool at the marks."""
        return self.pool.now

    def owed(self, leg: Leg) -> Upkeep:
        """What a leg owes in the tier at the price, or at entry where that is the rule."""
        at_entry = self.rules.maintenance_at == "entry"
        return leg.maintenance(leg.notional(leg.entry if at_entry else self.price))

    # -- symbols ----------------------------------------------------------------------------

    def let(self, name: str, meaning: str, value: float, unit: str = "") -> Term:
        """Introduce a symbol; one that is known already is the same."""
        if name not in self.known:
            self.known[name] = let(self.sheet, name, meaning, value, unit)
        assert self.known[name].value == value, name  # a name means one thing in a formula
        return self.known[name]

    def define(self, name: str, meaning: str, term: Term, unit: str = "") -> Term:
        """Introduce a symbol on a line of its own that says what it is made of."""
        if name not in self.known:
            written, valued = self.sheet.named(term.text), self.sheet.valued(term.text)
            shown = fmt.plain(term.value)
            same = "" if shown == valued else f" = {shown}"
            self.sheet.say(f"{name} = {written} = {valued}{same}")
        return self.let(name, meaning, term.value, unit)

    def in_settlement(self, amount: float) -> float:
        """An amount of the account's currency."""
        return amount / self.leg.settle_price

    @property
    def backing(self) -> float:
        """What backs the pool, less a haircut; that does not move wherever a formula holds."""
        return self.in_settlement(self.now.collateral - self.now.haircut)

    def wallet(self, name: str = "WB", meaning: str = "") -> Term:
        """Introduce what backs the pool."""
        own = "margin assigned to the position" if self.pool.own else "wallet balance of the pool"
        cut = " after haircut" if self.now.haircut else ""
        return self.let(name, f"{meaning or own}{cut}", self.backing, self.leg.settle)

    def _others(self, amounts: Floats) -> float:
        book = self.pool.apart.book
        return self.in_settlement(float(amounts[book.symbol != self.leg.symbol].sum()))

    def upkeep_of_others(self, name: str = "TMM") -> Term:
        """Introduce maintenance margin of the pool's other symbols."""
        total = self._others(self.now.maintenance)
        return self.let(name, "maintenance margin of the other contracts", total, self.leg.settle)

    def profit_of_others(self) -> Term:
        """Introduce unrealised PnL of the pool's other symbols."""
        total = self._others(self.now.worth)
        return self.let("UPNL", "unrealised PnL of the other contracts", total, self.leg.settle)

    def side(self, leg: Leg) -> Term:
        """Introduce the sign of a leg."""
        return self.let("s", "side: 1 long, −1 short", 1.0 if leg.size > 0 else -1.0)

    def size(self, leg: Leg, suffix: str = "") -> Term:
        """Introduce the size of a leg; in contracts times their size where those are not one."""
        unit = leg.quote if leg.inverse else str(leg.contract.base)
        name = f"{'N' if leg.inverse else 'q'}{suffix}"
        if leg.contract.kind == "quanto":
            return self.let(name, "size, contracts times multiplier", abs(leg.size), leg.settle)
        word = "value in quote currency" if leg.inverse else "size in coin"
        if leg.contract.multiplier == 1:
            return self.let(name, word, abs(leg.size), unit)
        number = self.let(f"n{suffix}", "contracts", leg.contracts)
        value = self.let("ctVal", "size of a contract", leg.contract.multiplier, unit)
        return self.define(name, word, number * value, unit)

    def entry(self, leg: Leg, suffix: str = "") -> Term:
        """Introduce the entry price of a leg."""
        return self.let(f"EP{suffix}", f"entry price of {leg.figures.key}", leg.entry, leg.quote)

    def mark(self, name: str) -> Term:
        """Introduce the mark."""
        return self.let(name, "mark price", self.leg.mark, self.leg.quote)

    def rate(self, leg: Leg, owed: Upkeep, suffix: str = "", name: str = "MMR") -> Term:
        """Introduce the maintenance rate of a leg, with the slope and the fee that are added."""
        total = self.let(f"{name}{suffix}", f"maintenance margin rate, {owed.where}", owed.rate)
        if owed.slope:
            meaning = f"rate added by a size of {fmt.plain(leg.coins)} {leg.contract.base}"
            total += self.let(f"k{suffix}", meaning, owed.slope)
        if owed.fee:
            total += self.let("f", "taker fee of closing", owed.fee)
        return total

    def amount(self, leg: Leg, owed: Upkeep, suffix: str = "") -> Term | None:
        """Introduce the maintenance amount of a leg; None where tiers have none."""
        if owed.amount is None:
            return None
        meaning = "maintenance amount of that tier"
        return self.let(f"cum{suffix}", meaning, owed.amount, leg.settle)

    def fixed_fee(self, leg: Leg, owed: Upkeep, suffix: str = "") -> Term | None:
        """Introduce the fee of closing at the bankruptcy price; None if there is none."""
        if not owed.fixed:
            return None
        fee = self.let("f", "taker fee", self.rules.taker_fee)
        sign, share = upkeep.bankruptcy_share(leg)
        if share > 1 and sign == "−":  # a position on less than no leverage: nothing to pay
            return self.let(f"fee{suffix}", "fee of closing", owed.fixed, leg.settle)
        size, entry = self.size(leg, suffix), self.entry(leg, suffix)
        part = ONE / self.let(f"L{suffix}", "leverage", leg.leverage)
        closing = ONE - part if sign == "−" else ONE + part
        notional = size / entry if leg.inverse else size * entry
        meaning = "fee of closing at the bankruptcy price"
        return self.define(f"fee{suffix}", meaning, fee * notional * closing, leg.settle)

    def owed_at_entry(self, leg: Leg, suffix: str = "", name: str = "MM") -> Term:
        """Introduce maintenance margin on the entry notional, and what it is made of."""
        owed = self.owed(leg)
        fee = self.fixed_fee(leg, owed, suffix)
        size, entry = self.size(leg, suffix), self.entry(leg, suffix)
        notional = size / entry if leg.inverse else size * entry
        due = notional * self.rate(leg, owed, suffix)
        if owed.square:
            slope = self.let("k", "rate added per coin", owed.square, f"per {leg.settle}")
            due += slope * notional * notional
        amount = self.amount(leg, owed, suffix)
        if amount is not None and amount.value:
            due -= amount
        if fee is not None:
            due += fee
        meaning = f"maintenance margin of {leg.figures.key} at entry"
        return self.define(f"{name}{suffix}", meaning, due, leg.settle)

    def standing(self) -> Term:
        """Write what the pool holds apart from the symbol's own legs."""
        return self.wallet() - self.upkeep_of_others() + self.profit_of_others()


@dataclass(frozen=True)
class Formula:
    """A formula of the registry.

    Attributes
    ----------
    id, title : str
    left : str
        Symbol of the price.
    write : callable or None
        Writes the right side; None where the venue states a condition, not a price.
    at_entry : bool or None
        Whether it takes maintenance on the entry notional; None: either.
    inverse : bool or None
        Whether it is of inverse contracts; None: either.
    legs : int
        How many legs of a symbol it can hold in one pool.
    amounts : bool
        Whether tiers may have maintenance amounts.
    loans : bool
        Whether a loan may have a maintenance margin, if that does not move with the price.
    squares : bool
        Whether rates may rise with the coins of an inverse contract.
    """

    id: str
    title: str
    left: str
    write: Callable[[Case], Term] | None
    at_entry: bool | None = False
    inverse: bool | None = False
    legs: int = 1
    amounts: bool = True
    loans: bool = False
    squares: bool = False

    def unsuited(self, case: Case) -> str:
        """Why the formula cannot be used here; empty if it can."""
        leg, at_entry = case.leg, case.rules.maintenance_at == "entry"
        if self.write is None:
            return ""
        if why := _unsuited_pool(case):
            return why
        if case.now.loans and not self.loans:
            return "what is borrowed has a maintenance margin too"
        if self.inverse is not None and self.inverse != leg.inverse:
            return f"{leg.figures.symbol} is {leg.contract.kind}"
        if self.at_entry is not None and self.at_entry != at_entry:
            return f"maintenance is on the notional at {case.rules.maintenance_at}"
        if len(case.legs) > self.legs:
            return f"{leg.figures.symbol} has two legs in one pool"
        if not self.amounts and any(case.owed(one).amount for one in case.legs):
            return "the tier at the price has a maintenance amount"
        if not self.squares and not at_entry and any(case.owed(one).square for one in case.legs):
            return "the rate rises with the coins of an inverse contract"
        return ""

    def solved(self, case: Case, note: str) -> VenueFormula:
        """Write it with the values of a case."""
        title = f"{case.rules.title or case.rules.name}: {self.title}"
        if self.write is None:
            return _condition(case, self.id, title, note)
        right = self.write(case)
        text = show_price(right.value, case.leg.contract, none="none").text
        derived = case.sheet.derive(self.left, right.text, text)
        return VenueFormula(self.id, title, derived.lines, derived.symbols, right.value, note)


def venue_formula(leg: Leg, price: float) -> VenueFormula:
    """Write the liquidation price of a leg as its venue does.

    Parameters
    ----------
    leg : Leg
    price : float
        The engine's price: it says which tier holds there, and nothing else.
    """
    rules = leg.report.books.state.venue
    stated = rules.formulas.get(leg.contract.kind, "")
    note = ""
    for name in dict.fromkeys([stated, *_USUAL[leg.inverse, rules.maintenance_at]]):
        if name not in FORMULAS:
            continue
        why = FORMULAS[name].unsuited(Case(leg, price))
        if not why:
            return FORMULAS[name].solved(Case(leg, price), note)
        note = note or f"the usual formula ({name}) cannot be used here: {why}"
    return _condition(Case(leg, price), "condition", "When the pool is liquidated", note)


def _unsuited_pool(case: Case) -> str:
    """Why no closed formula of one price holds for the pool; empty if one does."""
    leg, pool, assets = case.leg, case.pool, case.leg.report.books.assets
    if pool.apart.portfolio is not None:
        return "portfolio margin takes the worst loss over scenarios"
    if pool.apart.book.options is not None:
        return "the pool holds options"
    if pool.level != 1:
        return f"liquidated at {pool.level:g} times maintenance margin"
    if abs(case.there.loans - case.now.loans) > 1e-12 * abs(case.now.balance):
        return "the maintenance margin of what is borrowed moves with the price"
    if leg.inverse and len(pool.assets) > 1:
        return f"the pool holds other assets than {leg.settle}"
    for asset in [] if leg.inverse else pool.assets:
        if leg.report.books.book.asset_symbol[asset] == leg.symbol:
            return f"{assets[asset]} moves with {leg.figures.symbol}"
    if abs(case.there.haircut - case.now.haircut) > 1e-12 * abs(case.now.balance):
        return "the haircut moves with the price"
    return ""


def _condition(case: Case, name: str, title: str, note: str) -> VenueFormula:
    """Write the condition on which the pool falls, with its values at the price."""
    held, required = condition.sides(case.pool, case.there, case.sheet)
    both = f"{held.text} = {required.text}"
    at = show_price(case.price, case.leg.contract, none="").text
    lines = (
        f"margin balance = requirement: {case.sheet.named(both)}",
        f"at {at}: {case.sheet.valued(both)}",
        f"{fmt.amount(held.value)} = {fmt.amount(required.value)} {case.leg.report.currency}",
    )
    return VenueFormula(name, title, lines, case.sheet.symbols, None, note)


# -- the formulas -------------------------------------------------------------------------------


def _suffixes(case: Case) -> list[tuple[Leg, str]]:
    if len(case.legs) == 1:
        return [(case.legs[0], "")]
    return [(leg, "_L" if leg.size > 0 else "_S") for leg in case.legs]


def _linear(case: Case) -> Term:
    """F-LIN: one leg, or both legs of a symbol in hedge mode."""
    held, slope = case.standing(), []
    sizes: list[tuple[Leg, Term, Term]] = []
    for leg, suffix in _suffixes(case):
        owed = case.owed(leg)
        fee = case.fixed_fee(leg, owed, suffix)
        size, entry = case.size(leg, suffix), case.entry(leg, suffix)
        slope.append(size * case.rate(leg, owed, suffix))
        amount = case.amount(leg, owed, suffix)
        held = held + amount if amount is not None else held
        held = held - fee if fee is not None else held
        sizes.append((leg, size, entry))
    below = reduce(add, slope)
    if len(sizes) == 1:
        (leg, size, entry), s = sizes[0], case.side(case.leg)
        return (held - s * size * entry) / (below - s * size)
    for leg, size, entry in sizes:
        held = held - size * entry if leg.size > 0 else held + size * entry
        below = below - size if leg.size > 0 else below + size
    return held / below


def _inverse(case: Case) -> Term:
    """F-INV: one leg, or both legs of a symbol in hedge mode."""
    held, above = case.standing(), []
    sizes: list[tuple[Leg, Term, Term]] = []
    for leg, suffix in _suffixes(case):
        owed = case.owed(leg)
        fee = case.fixed_fee(leg, owed, suffix)
        size, entry = case.size(leg, suffix), case.entry(leg, suffix)
        rate = case.rate(leg, owed, suffix)
        if len(case.legs) == 1:
            rate += case.side(leg)
        above.append(size * rate)
        amount = case.amount(leg, owed, suffix)
        held = held + amount if amount is not None else held
        held = held - fee if fee is not None else held
        sizes.append((leg, size, entry))
    top = reduce(add, above)
    if len(sizes) == 1:
        (leg, size, entry) = sizes[0]
        return top / (held + case.side(leg) * size / entry)
    for leg, size, entry in sizes:
        held = held + size / entry if leg.size > 0 else held - size / entry
        top = top + size if leg.size > 0 else top - size
    return top / held


def _either(case: Case) -> Term:
    """F-LIN or F-INV, as the contract is."""
    return _inverse(case) if case.leg.inverse else _linear(case)


def _gate(case: Case) -> Term:
    """F-GATE: from the entry price by the margin of the position."""
    leg, owed = case.leg, case.owed(case.leg)
    held = case.standing()
    amount = case.amount(leg, owed)
    if amount is not None and amount.value:
        held = held + amount
    meaning = "margin of the position" if case.pool.own else "margin: all that the pool can spare"
    margin = case.define("margin", meaning, held, leg.settle)
    s, size, entry, rate = case.side(leg), case.size(leg), case.entry(leg), case.rate(leg, owed)
    if leg.inverse:
        return size * entry * (ONE + s * rate) / (size + s * margin * entry)
    return (entry - s * margin / size) / (ONE - s * rate)


def _at_entry(case: Case) -> Term:
    """F-LIN-ENTRYMM, F-INV-ENTRYMM: maintenance does not move, so what may be lost is known."""
    return _from_entry(case, case.standing() - case.owed_at_entry(case.leg))


def _hedged_at_entry(case: Case) -> Term:
    """Both legs of a symbol, maintenance at entry."""
    held = case.standing()
    parts = []
    for leg, suffix in _suffixes(case):
        held = held - case.owed_at_entry(leg, suffix)
        parts.append((leg, case.size(leg, suffix), case.entry(leg, suffix)))
    (_, long, long_entry), (_, short, short_entry) = parts
    if case.leg.inverse:
        return (long - short) / (held + long / long_entry - short / short_entry)
    return (held - long * long_entry + short * short_entry) / (short - long)


def _from_entry(case: Case, spare: Term) -> Term:
    """Move from the entry price by what may be lost."""
    leg = case.leg
    s, size, entry = case.side(leg), case.size(leg), case.entry(leg)
    if leg.inverse:
        return size / (size / entry + s * spare)
    return entry - s * spare / size


def _bybit(case: Case) -> Term:
    """F-BYBIT: entry price, initial and maintenance margin, both with the fee of closing."""
    leg = case.leg
    upheld = case.owed_at_entry(leg)
    if not case.pool.own:
        return _from_entry(case, case.standing() - upheld)
    frozen = case.in_settlement(float(leg.report.column("initial_margin")[leg.index]))
    initial = case.let("IM", "initial margin at entry", frozen, leg.settle)
    added = case.let("extra", "margin added to it", case.backing - frozen, leg.settle)
    return _from_entry(case, initial - upheld + added)


def _position_margin(case: Case) -> Term:
    """F-KUCOIN and F-BITMEX: position margin less maintenance margin, both fixed at entry."""
    upheld = case.owed_at_entry(case.leg, name="posMaint")
    if case.pool.own:
        margin = case.wallet("posMargin", "margin of the position")
    else:
        meaning = "margin of the position: all that the pool can spare"
        margin = case.define("posMargin", meaning, case.standing(), case.leg.settle)
    return _from_entry(case, margin - upheld)


def _hyperliquid(case: Case) -> Term:
    """F-HL: from the present price by the margin available."""
    leg, owed = case.leg, case.owed(case.leg)
    mark, size, s = case.mark("P0"), case.size(leg), case.side(leg)
    rate = case.rate(leg, owed, name="l")
    name = "isolated margin" if case.pool.own else "account value"
    balance = case.in_settlement(case.now.balance)
    value = case.let("AV", f"{name}, with unrealised PnL", balance, leg.settle)
    if not case.pool.own:
        value = value - case.upkeep_of_others()
    spare = value - size * mark * rate
    amount = case.amount(leg, owed)
    if amount is not None and amount.value:
        spare = spare + amount
    available = case.define("margin_available", "margin above maintenance", spare, leg.settle)
    return mark - s * available / size / (ONE - rate * s)


def _dydx(case: Case) -> Term:
    """F-DYDX: equity, signed size and oracle price."""
    leg, owed = case.leg, case.owed(case.leg)
    equity = case.in_settlement(case.now.balance)
    e = case.let("e", "equity of the subaccount", equity, leg.settle)
    signed = case.let("s", "signed size", leg.size, str(leg.contract.base))
    size = case.let("|s|", "size", abs(leg.size), str(leg.contract.base))
    price = case.mark("p")
    held = e - signed * price
    if not case.pool.own:
        held = held - case.upkeep_of_others("MMR_other")
    return held / (size * case.rate(leg, owed, name="MMF") - signed)


def _deribit(case: Case) -> Term:
    """F-DERIBIT: the condition, equity = maintenance margin, solved for the price."""
    leg, owed = case.leg, case.owed(case.leg)
    held, s, size, entry = case.standing(), case.side(leg), case.size(leg), case.entry(leg)
    rate = case.rate(leg, owed)
    price = Term("LP", case.price)
    if not leg.inverse:
        left = held + s * size * (price - entry)
        _state(case, left, size * price * rate)
        return (held - s * size * entry) / (size * rate - s * size)
    left = held + s * size * (ONE / entry - ONE / price)
    if not owed.square:
        _state(case, left, size / price * rate)
        return size * (rate + s) / (held + s * size / entry)
    slope = case.let("k", "rate added per coin", owed.square, f"per {leg.settle}")
    _state(case, left, size / price * (rate + slope * size / price))
    linear = case.define("b", "share of N/LP", size * (rate + s), leg.quote)
    fixed = case.define("c", "what does not move", held + s * size / entry, leg.settle)
    root = (linear * linear + Term("4", 4.0) * slope * size * size * fixed).root()
    both = [(linear + root) / (TWO * fixed), (linear - root) / (TWO * fixed)]
    return min(both, key=lambda one: abs(one.value - case.price))


def _state(case: Case, left: Term, right: Term) -> None:
    """Put the condition on lines of its own."""
    both = f"{left.text} = {right.text}"
    case.sheet.say(f"equity = MM: {case.sheet.named(both)}", case.sheet.valued(both))


def _drift(case: Case) -> Term:
    """F-DRIFT: free collateral over what a move of the price takes from it."""
    leg, owed = case.leg, case.owed(case.leg)
    mark, size, s = case.mark("P0"), case.size(leg), case.side(leg)
    rate = case.rate(leg, owed, name="mr")
    weighted = case.in_settlement(case.now.balance)
    meaning = "total collateral: deposits times asset weights, and unrealised PnL"
    total = case.let("TC", meaning, weighted, leg.settle)
    needed = size * mark * rate
    amount = case.amount(leg, owed)
    if amount is not None and amount.value:
        needed = needed - amount
    if not case.pool.own:
        needed = needed + case.upkeep_of_others("MR_other")
    if case.now.loans:
        meaning = "requirement of what is borrowed"
        owed_loans = case.in_settlement(case.now.loans)
        needed = needed + case.let("MR_spot", meaning, owed_loans, leg.settle)
    required = case.define("MR", "margin requirement", needed, leg.settle)
    free = case.define("FC", "free collateral", total - required, leg.settle)
    return mark - s * free / (size * (ONE - s * rate))


def _registry(*formulas: Formula) -> MappingProxyType[str, Formula]:
    return MappingProxyType({formula.id: formula for formula in formulas})


FORMULAS = _registry(
    Formula("F-LIN", "linear contracts", "LP", _linear, legs=2),
    Formula("F-INV", "inverse contracts", "LP", _inverse, inverse=True, legs=2),
    Formula("F-LIN-ENTRYMM", "maintenance on entry value", "LP", _at_entry, at_entry=True),
    Formula(
        "F-INV-ENTRYMM",
        "inverse contracts, maintenance on entry value",
        "LP",
        _at_entry,
        at_entry=True,
        inverse=True,
    ),
    Formula(
        "F-HEDGE-ENTRYMM",
        "both legs, maintenance on entry value",
        "LP",
        _hedged_at_entry,
        at_entry=True,
        inverse=None,
        legs=2,
    ),
    Formula("F-BYBIT", "from entry price, IM and MM", "LP", _bybit, at_entry=True, inverse=None),
    Formula(
        "F-OKX",
        "balance = MM and taker fee",
        "LP",
        _either,
        inverse=None,
        legs=2,
        amounts=False,
    ),
    Formula("F-BITGET", "balance = MM and taker fee", "LP", _either, inverse=None, legs=2),
    Formula("F-GATE", "from entry price and margin", "LP", _gate, inverse=None),
    Formula("F-BINANCE-PM", "uniMMR", "LP", None, inverse=None),
    Formula("F-HL", "from the margin available", "liq_price", _hyperliquid),
    Formula("F-DYDX", "from equity and oracle price", "p′", _dydx, amounts=False),
    Formula("F-DERIBIT", "equity = MM", "LP", _deribit, inverse=None, squares=True),
    Formula("F-DRIFT", "from free collateral", "LP", _drift, loans=True),
    Formula(
        "F-KUCOIN",
        "from the position margin",
        "LP",
        _position_margin,
        at_entry=True,
        inverse=None,
    ),
    Formula(
        "F-BITMEX",
        "from the position margin",
        "LP",
        _position_margin,
        at_entry=True,
        inverse=None,
    ),
)
"""Formulas by id, as `RuleSet.formulas` names them."""

_USUAL = {
    (False, "mark"): ("F-LIN",),
    (True, "mark"): ("F-INV",),
    (False, "entry"): ("F-LIN-ENTRYMM", "F-HEDGE-ENTRYMM"),
    (True, "entry"): ("F-INV-ENTRYMM", "F-HEDGE-ENTRYMM"),
}
"""What holds for a contract, inverse or not, where maintenance is at a price."""
