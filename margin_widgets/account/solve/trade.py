"""What trading at the mark does to an account: closing a part of a position, or adding to it.

Equity stays what it was but for the taker fee: what is closed is booked to the wallet, what is
added is bought at the mark and averages the entry.
"""

from __future__ import annotations

from dataclasses import dataclass

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.solve.change import COLLATERAL, POSITION, Change, money
from margin_widgets.engine.marked import MarkedBook
from margin_widgets.engine.options import is_option


@dataclass(frozen=True)
class Trade:
    """A trade at the mark and what it changes; amounts in the account's currency.

    Attributes
    ----------
    changes : tuple of Change
    notional : float
        What is traded.
    fee : float
        Taker fee on it.
    realized : float
        Profit (or, if negative, loss) since entry that the trade realises.
    """

    changes: tuple[Change, ...]
    notional: float
    fee: float
    realized: float


def trade(books: Books, place: int, factor: float, *, in_pocket: bool) -> Trade:
    """Trade a position to `factor` times its size, at its mark.

    Parameters
    ----------
    books : Books
    place : int
        Number of the position.
    factor : float
        0 closes it, below 1 reduces it, above 1 adds to it.
    in_pocket : bool
        Whether the position has a pocket of its own (isolated): its margin then stays with what is
        left of it, and profit and fee are booked there. A position closed whole gives it back.

    Raises
    ------
    ValueError
        If the pocket does not hold what the trade would take out of it.
    """
    book, marked = books.book, books.ledger("cross").marked
    state, row = books.state, books.state.positions[place]
    asset = books.assets[int(book.position_settle[place])]
    price = float(marked.asset_prices[book.position_settle[place]])
    share = abs(1.0 - factor)
    traded = share * float(marked.notional[place])
    fee = state.venue.taker_fee * traded
    cash, realized, entry = _cash(marked, place, factor)
    changes = []

    def change(field: str, before: float | None, after: float | None, unit: str) -> None:
        if before != after:
            changes.append(Change(books.keys[place], field, before, after, unit, row.id))

    if factor == 0.0:
        change(POSITION, row.quantity, None, size_unit(books, place))
    else:
        change("quantity", row.quantity, row.quantity * factor, size_unit(books, place))
        quote = books.contracts[int(book.symbol[place])].quote
        change("entry_price", row.entry_price, entry, str(quote))
        if in_pocket:
            assigned = float(book.margin[place])
            if assigned + cash - fee < 0:
                raise ValueError(
                    f"{books.keys[place]}: its margin {money(assigned, asset)} {asset} does not"
                    f" hold what the trade takes out of it, {money(fee - cash, asset)} {asset}"
                )
            # Also where nothing is booked: what follows the leverage would shrink with the size.
            if row.margin is None or cash != fee:
                kept = assigned + cash - fee
                changes.append(Change(books.keys[place], "margin", assigned, kept, asset, row.id))
    if cash != fee:
        held = state.collateral.get(asset, 0.0)
        changes.append(Change(asset, COLLATERAL, held, held + cash - fee, asset))
    return Trade(tuple(changes), traded * price, fee * price, realized * price)


def _cash(marked: MarkedBook, place: int, factor: float) -> tuple[float, float, float]:
    """What the trade pays into the wallet, what it realises, and the entry price after it."""
    book = marked.book
    entry, mark = float(book.entry[place]), float(marked.price[place])
    closed = max(0.0, 1.0 - factor)
    realized = closed * float(marked.profit[place])
    added = max(0.0, factor - 1.0)
    if is_option(book)[place]:  # premiums are paid when they are traded
        cash = (1.0 - factor) * float(marked.worth[place])
    else:
        cash = realized
    if not added or mark == entry:
        return cash, realized, entry
    if book.position_inverse[place]:
        return cash, realized, factor / (1 / entry + added / mark)
    return cash, realized, (entry + added * mark) / factor


def size_unit(books: Books, place: int) -> str:
    """Unit of a position's quantity."""
    contract = books.contracts[int(books.book.symbol[place])]
    plain = contract.kind == "linear" and contract.multiplier == 1.0
    return str(contract.base) if plain else "contracts"


def described(traded: Trade, currency: str) -> str:
    """What a trade costs, in words; nothing where it costs nothing."""
    parts = []
    if traded.fee:
        parts.append(f"a taker fee of {fmt.amount(traded.fee)}")
    if traded.realized:
        word = "loss" if traded.realized < 0 else "profit"
        parts.append(f"a {word} of {fmt.amount(abs(traded.realized))} realised")
    return f"{' and '.join(parts)} {currency}" if parts else ""
