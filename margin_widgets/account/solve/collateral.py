"""The collateral that puts a liquidation where it is wanted, as one number."""

from __future__ import annotations

from traitlets import TraitError

from margin_widgets.account.account import Account
from margin_widgets.account.checks import number
from margin_widgets.engine.book import Floats
from margin_widgets.engine.options import moved_marks, reprice
from margin_widgets.engine.solve import wallet_at_trigger
from margin_widgets.venues.rules import did_you_mean


def margin_for_liquidation(account: Account, key: str, price: float) -> float:
    """Margin to assign to a position so that it is liquidated at `price` in isolated mode.

    Parameters
    ----------
    account : Account
    key : str
        Key of the position.
    price : float
        Wanted liquidation price of its symbol, > 0.

    Returns
    -------
    float
        In the settlement asset.

    Raises
    ------
    ValueError
        If no margin >= 0 does it: the position would then stand on its profit alone.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> round(margin_for_liquidation(presets.ref2(), "BTCUSDT", 85_000), 2)
    7712.5
    """
    books = account.books
    position = account.positions.place(key)
    symbol = account.positions[position].symbol
    partition = books.partitions["isolated"]
    asset = int(books.book.position_settle[position])
    margin = float(
        wallet_at_trigger(
            books.book,
            partition,
            _moved(account, symbol, price),
            int(partition.pool[position]),
            asset,
        )
    )
    if margin < 0:
        raise ValueError(
            f"{key}: no margin is liquidated at {price:,.8g}; even without any the position would"
            f" still hold {-margin:,.8g} {books.assets[asset]} above maintenance there"
        )
    return margin


def wallet_for_liquidation(account: Account, symbol: str, price: float) -> float:
    """Change of the wallet that puts the cross liquidation price of `symbol` at `price`.

    Parameters
    ----------
    account : Account
    symbol : str
    price : float
        Wanted liquidation price, > 0, all other marks unchanged.

    Returns
    -------
    float
        In the account's currency, at present prices; made with `funding_asset`.
    """
    return _wallet_change(account, symbol, _moved(account, symbol, price))


def wallet_for_shock(account: Account, shock: float, symbol: str | None = None) -> float:
    """Change of the wallet that lets the cross pool be liquidated at a common move of all marks.

    Parameters
    ----------
    account : Account
    shock : float
        Relative move, > -1.
    symbol : str, optional
        Whose pool is meant where cross margin is pooled by settlement asset.
    """
    number("shock", shock, above=-1.0)
    books = account.books
    return _wallet_change(account, symbol, moved_marks(books.book, books.marks, 1 + shock))


def funding_asset(account: Account, symbol: str | None = None) -> str:
    """Asset in which a change of the wallet is made: settlement asset, currency, or the largest."""
    books = account.books
    if account.venue.cross_pool == "settlement" and len(books.keys):
        return str(account.venue.contract(symbol or account.positions[0].symbol).settle)
    if account.currency in account.collateral or not len(account.collateral):
        return account.currency
    worth: dict[str, float] = {
        one: held * account.asset_price(one) for one, held in account.collateral.items()
    }
    return max(worth, key=lambda asset: worth[asset])


def apply_wallet_change(account: Account, change: float, symbol: str | None = None) -> None:
    """Add `change` (in the account's currency) to the wallet as one edit."""
    asset = funding_asset(account, symbol)
    held = account.collateral.get(asset, 0.0)
    account.collateral[asset] = held + change / account.asset_price(asset)


def _moved(account: Account, symbol: str, price: float) -> Floats:
    number("price", price, above=0.0)
    if symbol not in account.books.symbols:
        hint = did_you_mean(symbol, account.books.symbols)
        raise KeyError(f"symbol: {symbol!r} is not in this account{hint}")
    books = account.books
    marks = books.marks.copy()
    marks[books.symbols.index(symbol)] = price
    return marks if books.book.options is None else reprice(books.book, books.marks, marks)


def _wallet_change(account: Account, symbol: str | None, marks: Floats) -> float:
    books = account.books
    if not books.keys:
        raise TraitError("positions: none; an account without positions is never liquidated")
    partition = books.partitions["cross"]
    member = account.positions.place(0) if symbol is None else _first_on(account, symbol)
    asset = books.assets.index(funding_asset(account, symbol))
    pool = int(partition.pool[member])
    wanted = wallet_at_trigger(books.book, partition, marks, pool, asset)
    change = wanted - float(partition.wallet[pool, asset])
    return float(change * account.asset_price(books.assets[asset]))


def _first_on(account: Account, symbol: str) -> int:
    for place, row in enumerate(account.positions):
        if row.symbol == symbol:
            return place
    raise KeyError(f"symbol: no position in {symbol!r}")
