"""What one position must hold, and what collateral is worth as margin."""

from __future__ import annotations

from decimal import Decimal

from judge import options
from judge.book import Book, Leg, Marks
from judge.decimals import ONE, ZERO, Bands, banded, clamp, rate_at

DRIFT_LARGE = Decimal("1.1")  # Drift: a large deposit weighs 1.1 / (1 + imf * sqrt(amount))
DRIFT_SMALL = Decimal("0.8")  # Drift: a large loan weighs 0.8 w + imf * sqrt(amount)


def maintenance(book: Book, leg: Leg, marks: Marks) -> Decimal:
    """Maintenance margin of a position in its settlement asset."""
    rules = book.rules
    if leg.is_option:
        return options.maintenance(rules.options, leg, marks)
    notional = leg.notional_at(leg.entry if rules.at_entry else marks[leg.symbol])
    amount = tiered(book, leg, leg.tiers, notional)
    amount += slope(book, leg, notional)
    if rules.fee_inside:
        amount += closing_fee(book, leg, notional)
    return amount


def initial(book: Book, leg: Leg, marks: Marks, *, alone: bool) -> Decimal:
    """Initial margin in the settlement asset: at entry in a pool of one's own, else at mark."""
    rules = book.rules
    if leg.is_option:
        return options.initial(rules.options, leg, marks)
    notional = leg.notional_at(leg.entry if alone else marks[leg.symbol])
    if leg.initial_tiers:
        amount = tiered(book, leg, initial_bands(book, leg), notional)
    else:
        amount = notional / leg.leverage
    amount += slope(book, leg, notional)
    if rules.fee_in_initial:
        amount += closing_fee(book, leg, notional)
    return amount


def assigned(book: Book, leg: Leg) -> Decimal:
    """Margin that isolates a position: what is assigned, else initial margin at entry.

    That of an option is at its entry premium, and at the present price of its underlying.
    """
    if leg.assigned is not None:
        return leg.assigned
    marks = {**book.marks, leg.symbol: leg.entry} if leg.is_option else book.marks
    return initial(book, leg, marks, alone=True)


def tiered(book: Book, leg: Leg, bands: Bands, notional: Decimal) -> Decimal:
    """Margin by a tier table, whose floors are notional, coins or contracts."""
    rules, at_entry = book.rules, leg.notional_at(leg.entry)
    if rules.tiers_by == "notional":
        # one rate for the whole of it is that of the notional at entry, so that it cannot jump
        return notional * rate_at(at_entry, bands) if rules.whole else banded(notional, bands)
    coins = at_entry if leg.kind == "inverse" else abs(leg.size)
    amount = leg.contracts if rules.tiers_by == "contracts" else coins
    return notional * (rate_at(amount, bands) if rules.whole else banded(amount, bands) / amount)


def initial_bands(book: Book, leg: Leg) -> Bands:
    """Initial rates, raised straight towards 1 by open interest (dYdX)."""
    if leg.symbol not in book.rules.open_interest:
        return leg.initial_tiers
    open_interest = book.rules.open_interest[leg.symbol]
    lower, upper = open_interest["lower_cap"], open_interest["upper_cap"]
    share = clamp((open_interest["notional"] - lower) / (upper - lower), ZERO, ONE)
    return tuple((floor, rate + (1 - rate) * share) for floor, rate in leg.initial_tiers)


def slope(book: Book, leg: Leg, notional: Decimal) -> Decimal:
    """What a rate that rises with every coin adds; the coins of an inverse contract move."""
    coins = notional if leg.kind == "inverse" else abs(leg.size)
    return book.rules.slopes.get(leg.symbol, ZERO) * coins * notional


def closing_fee(book: Book, leg: Leg, notional: Decimal) -> Decimal:
    """Estimated taker fee of closing the position."""
    fee, at_entry = book.rules.taker_fee, leg.notional_at(leg.entry)
    if book.rules.fee_at == "mark":
        return fee * notional
    if book.rules.fee_at == "worst bankruptcy":
        return fee * at_entry * (1 + 1 / leg.leverage)
    # at the bankruptcy price E (1 - s/L), or E L / (L + s) for an inverse contract
    side = -leg.side if leg.kind != "inverse" else leg.side
    return fee * at_entry * max(ZERO, 1 + side / leg.leverage)


def counted(book: Book, asset: str, net: Decimal) -> Decimal:
    """How much of a net amount counts as margin; a debt counts in full."""
    if net <= 0:
        return net
    kept = net - banded(net, book.haircuts.get(asset, ()))
    factor = book.rules.imf.get(asset, ZERO)
    if factor == 0:
        return kept
    # the amount that weighs is what the account's wallet holds, not what positions gained
    held = max(ZERO, book.collateral.get(asset, ZERO))
    return min(kept, net * DRIFT_LARGE / (1 + factor * held.sqrt()))


def owed(book: Book, asset: str, net: Decimal) -> Decimal:
    """Maintenance margin on a borrowed amount, in the asset."""
    if net >= 0:
        return ZERO
    required = banded(-net, book.rules.loans.get(asset, ()))
    factor = book.rules.imf.get(asset, ZERO)
    if factor == 0:
        return required
    borrowed = max(ZERO, -book.collateral.get(asset, ZERO))
    weight = 1 + required / -net
    return -net * (max(weight, DRIFT_SMALL * weight + factor * borrowed.sqrt()) - 1)
