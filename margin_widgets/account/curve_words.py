"""A curve in words: the caption of its picture, and the text of those who do not see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from margin_widgets.account.formatting import amount, move, percent, plain, price

if TYPE_CHECKING:
    from margin_widgets.account.books import Books
    from margin_widgets.account.curve import Curve, LiquidationEvent


def event_name(curve: Curve, event: LiquidationEvent) -> str:
    """What a liquidation closes, in the words of a label: a coin, or the account.

    >>> import margin_widgets as mw
    >>> curve = mw.presets.ref2().curve(shock=True)
    >>> [event_name(curve, event) for event in curve.isolated.events]
    ['ETH', 'BTC']
    """
    return pool_title(curve.books, event)


def pool_title(books: Books, event: LiquidationEvent) -> str:
    """The same, of any account's books."""
    if event.pool not in books.places:
        return "account" if event.pool == "cross" else f"{event.pool.removeprefix('cross ')} pool"
    return coin_name(books, event.pool)


def coin_name(books: Books, key: str) -> str:
    """A position in the words of a label: its coin, where no other contract is on that."""
    symbol = books.state.positions[books.places[key]].symbol
    bases = [contract.base for contract in books.contracts]
    base = bases[books.symbols.index(symbol)]
    coin = base if base and bases.count(base) == 1 else symbol
    return coin + key.removeprefix(symbol).replace(":", " ")


def jump_words(curve: Curve, event: LiquidationEvent) -> str:
    """What a jump costs or spares the account, and where it goes to or comes from."""
    if event.pool_equity < 0:
        return f"{amount(-event.pool_equity)} paid by others"
    if curve.books.state.venue.residual == "kept":
        return f"{amount(event.pool_equity)} to the insurance fund"
    kept = event.equity_before - event.equity_after
    return f"{amount(kept)} fee" if kept <= event.fee + 1e-9 else f"{amount(kept)} fee and residual"


def condition(curve: Curve) -> str:
    """What a cross liquidation price takes for granted, in a few words; empty if nothing.

    >>> import margin_widgets as mw
    >>> condition(mw.presets.ref2().curve("BTCUSDT"))
    'if ETHUSDT 4,000'
    """
    books = curve.books
    others = [one for one in books.symbols if one != curve.symbol]
    if curve.symbol is None or not others:
        return ""
    if len(others) > 1:
        return "other marks unchanged"
    return f"if {others[0]} {plain(float(curve.marks[books.symbols.index(others[0])]))}"


def place(curve: Curve, x: float) -> str:
    """A place on the x axis: a common move, or a price on its tick."""
    if curve.symbol is None:
        return move(x)
    return price(x, curve.books.contracts[curve.books.symbols.index(curve.symbol)].tick)


def describe(curve: Curve) -> str:
    """Say what moves, what each mode loses where, what is left, and what is assumed."""
    parts = [_moved(curve)]
    events = [("isolated", curve.isolated.events), ("cross", curve.cross.events)]
    if any(found for _, found in events):
        parts.append("; ".join(_fate(curve, mode, found) for mode, found in events) + ".")
    elif curve.symbol is not None and _never(curve):
        parts.append(
            "No liquidation price: this position cannot reach maintenance at any positive price."
        )
    else:
        parts.append("No liquidation in this range.")
    return " ".join([*parts, assumed(curve)])


def assumed(curve: Curve) -> str:
    """Say what is assumed of fees, of what is left, of the fill, of haircuts and of funding."""
    rules = curve.books.state.venue
    fee = rules.closing_fee_in_maintenance
    left = {
        "kept": "goes to the insurance fund",
        "returned": "is returned",
        "split": f"is returned by {percent(rules.residual_share, 0)}",
    }[rules.residual]
    parts = (
        f"Closing fee in maintenance: {percent(rules.taker_fee, 3) if fee else 'off'}",
        f"liquidation fee {percent(rules.liquidation_fee, 2)}",
        f"what is left of a liquidated pool {left}",
        "filled at the mark that triggers",
        _haircuts(curve),
        "funding not modelled",
    )
    return " · ".join(part for part in parts if part) + "."


def assumptions(curve: Curve) -> tuple[str, ...]:
    """What a picture of the curve assumes, in a few words each: fees, fill, haircuts, funding."""
    rules = curve.books.state.venue
    fee = percent(rules.taker_fee, 3) if rules.closing_fee_in_maintenance else "off"
    left = {
        "kept": "residual to insurance fund",
        "returned": "residual returned",
        "split": f"residual returned by {percent(rules.residual_share, 0)}",
    }[rules.residual]
    return (
        f"closing fee {fee}",
        f"liquidation fee {percent(rules.liquidation_fee, 2)}",
        left,
        "fill at trigger",
        _haircuts(curve) or "haircut none",
        "funding off",
    )


def _haircuts(curve: Curve) -> str:
    """Haircuts on what is held, empty if there are none."""
    books = curve.books
    cut = books.book.haircuts.at(np.arange(len(books.assets)), books.book.wallet)
    shares = [
        (asset, cut_of / held)
        for asset, held, cut_of in zip(
            books.assets, books.book.wallet.tolist(), cut.tolist(), strict=True
        )
        if held > 0 and cut_of > 0
    ]
    if len(shares) > 3:
        return f"haircut on {len(shares)} assets"
    listed = ", ".join(f"{asset} {percent(share, 1)}" for asset, share in shares)
    return f"haircut {listed}" if listed else ""


def describe_ratio(curve: Curve) -> str:
    """Say what the margin ratio is, where it liquidates, and where both modes are now."""
    level = 1.0 / curve.books.book.trigger_level
    ends = [
        f"{mode} {event_name(curve, events[0])} at {place(curve, events[0].x)}"
        for mode, events in (("isolated", curve.isolated.events), ("cross", curve.cross.events))
        if events
    ]
    first = f" First in this range: {' and '.join(ends)}." if ends else ""
    return (
        "Maintenance over margin balance, of the pool nearest to liquidation; a pool is liquidated"
        f" at {percent(level, 0 if level == 1 else 2)} and its line ends there.{first}"
    )


def _moved(curve: Curve) -> str:
    symbol, books = curve.symbol, curve.books
    if symbol is None:
        return "All marks move by the same factor:"
    others = [other for other in books.symbols if other != symbol]
    if not others:
        return f"{symbol} moves:"
    if len(others) > 3:
        return f"{symbol} moves, the other {len(others)} marks stay:"
    marks = dict(zip(books.symbols, curve.marks.tolist(), strict=True))
    held = ", ".join(f"{other} stays at {plain(marks[other])}" for other in others)
    return f"{symbol} moves, if {held}:"


def _fate(curve: Curve, mode: str, events: tuple[LiquidationEvent, ...]) -> str:
    if not events:
        return f"{mode} is not liquidated in this range"
    few = len(events) <= 2
    losses = [
        f"{event_name(curve, e)} at "
        + (place(curve, e.x) if e.x != curve.mark else "the present marks")
        + (f" ({_left([e])})" if few else "")
        for e in events[:3]
    ]
    if len(events) > 3:
        losses.append(f"{len(events) - 3} more")
    listed = " and ".join([", ".join(losses[:-1]), losses[-1]] if len(losses) > 1 else losses)
    in_all = "" if few else f" (in all {_left(events)})"
    the = "the " if events[0].pool not in curve.books.places else ""
    return f"{mode} loses {the}{listed}{in_all}{_rest(curve, mode, events)}"


def _left(events: Sequence[LiquidationEvent]) -> str:
    """What the pools held when they were closed; where the money goes is told once for all."""
    held = sum(event.pool_equity for event in events if event.pool_equity >= 0)
    short_of = sum(-event.pool_equity for event in events if event.pool_equity < 0)
    texts = [f"{amount(held)} left"] if held or not short_of else []
    if short_of:
        texts.append(f"{amount(short_of)} short, paid by others")
    return ", ".join(texts)


def _rest(curve: Curve, mode: str, events: tuple[LiquidationEvent, ...]) -> str:
    """What the mode has after the last of its liquidations, and whether that is the end of it."""
    after = events[-1].equity_after
    both_ways = any(e.x < curve.mark for e in events) and any(e.x > curve.mark for e in events)
    if both_ways or (mode == "cross" and abs(after) < 0.005):
        return ""
    open_still = len(curve.books.keys) - sum(len(event.positions) for event in events)
    if open_still:
        count = f"{open_still} position{'s' if open_still > 1 else ''}"
        return f" and has {amount(after)} there with {count} still open"
    if after < 0:
        return f" and owes {amount(-after)} (margin lent beyond the wallet)"
    moves = (curve.isolated if mode == "isolated" else curve.cross).series.track.idle[1:].any()
    return f" and {'has' if moves else 'keeps'} {amount(after)}{' there' if moves else ''}"


def _never(curve: Curve) -> bool:
    """Whether no price of the symbol liquidates a position in it, in either mode."""
    books = curve.books
    held = books.book.symbol == books.symbols.index(str(curve.symbol))
    prices = (books.ledger(mode, curve.marks).liquidation_prices for mode in ("isolated", "cross"))
    return all(
        bool((one.lower[held] != one.lower[held]).all())
        and bool((one.upper[held] != one.upper[held]).all())
        for one in prices
    )
