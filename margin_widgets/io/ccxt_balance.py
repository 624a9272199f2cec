"""The wallet in a unified balance of ccxt.

The unified total leaves out unrealised profit on some exchanges and includes it on others; where
the exchange's own payload is at hand, it tells which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from margin_widgets.io.ccxt_number import RowError, number

_NOT_ASSETS = ("info", "timestamp", "datetime", "free", "used", "total", "debt")


def read_balance(
    balance: Mapping[str, Any],
    pnl: Mapping[str, float],
    total_is: str | None,
    notices: list[str],
) -> dict[str, float]:
    """Wallet balance of each asset, loans negative.

    Parameters
    ----------
    balance : mapping
    pnl : mapping of asset to unrealised profit of the imported positions
    total_is : {"wallet", "equity"} or None
    notices : list of str
        What was assumed is added.

    Raises
    ------
    RowError
        With the reason why it cannot be read.
    """
    if total_is not in (None, "wallet", "equity"):
        raise RowError(f"balance_total: {total_is!r} is not one of 'wallet', 'equity'")
    if not isinstance(balance, Mapping):
        raise RowError(f"{balance!r} is not a balance structure")
    info = balance.get("info")
    wallet = _wallet_of(info) if total_is is None else None
    if wallet is not None:
        notices.append("balance: wallet balances read from the exchange's own payload")
    else:
        wallet = _totals(balance)
        for asset, owed in _debts(balance).items():
            wallet[asset] = wallet.get(asset, 0.0) - owed
            notices.append(f"balance: a debt of {owed:,.8g} {asset} is subtracted")
        if total_is is None:
            total_is = "equity" if _is_equity(info) else "wallet"
            if any(pnl.values()):
                verb = "includes" if total_is == "equity" else "is taken to leave out"
                notices.append(
                    f"balance: the total {verb} unrealised profit (balance_total= says otherwise)"
                )
        if total_is == "equity":
            for asset, profit in pnl.items():
                wallet[asset] = wallet.get(asset, 0.0) - profit
    empty = [asset for asset, amount in wallet.items() if amount == 0]
    if empty:
        notices.append(f"balance: {len(empty)} assets with nothing left out")
    return {asset: amount for asset, amount in wallet.items() if amount != 0}


def _totals(balance: Mapping[str, Any]) -> dict[str, float]:
    totals = balance.get("total")
    if isinstance(totals, Mapping):
        return {asset: _amount(asset, one) for asset, one in totals.items() if one is not None}
    found = {}
    for asset, one in balance.items():
        if asset in _NOT_ASSETS:
            continue
        if not isinstance(one, Mapping):
            found[asset] = _amount(asset, one)
        elif one.get("total") is not None:
            found[asset] = _amount(asset, one["total"])
        elif one.get("free") is not None and one.get("used") is not None:
            found[asset] = _amount(asset, one["free"]) + _amount(asset, one["used"])
        elif any(one.get(part) for part in ("free", "used")):
            raise RowError(f"{asset}: no total, and not both of free and used")
    return found


def _debts(balance: Mapping[str, Any]) -> dict[str, float]:
    debts = balance.get("debt")
    if not isinstance(debts, Mapping):
        parts = {asset: one for asset, one in balance.items() if isinstance(one, Mapping)}
        debts = {asset: one.get("debt") for asset, one in parts.items() if asset not in _NOT_ASSETS}
    found = {asset: _amount(asset, one) for asset, one in debts.items() if one is not None}
    return {asset: owed for asset, owed in found.items() if owed}


def _wallet_of(info: Any) -> dict[str, float] | None:
    """Wallet balances without unrealised profit, where the payload names them."""
    rows = _dig(info, "assets")  # Binance account endpoints
    if rows is None and isinstance(info, list):
        rows = info  # Binance balance endpoint
    for names in (("asset", "walletBalance"), ("asset", "balance")):
        if found := _column(rows, *names):
            return found
    accounts = _dig(info, "result", "list")  # Bybit
    coins = accounts[0].get("coin") if accounts and isinstance(accounts[0], Mapping) else None
    return _column(coins, "coin", "walletBalance")


def _is_equity(info: Any) -> bool:
    """Whether the payload is of an exchange whose unified total is the equity."""
    if _dig(info, "marginSummary", "accountValue") is not None:
        return True  # Hyperliquid
    accounts = _dig(info, "data")  # OKX
    details = _dig(accounts[0], "details") if isinstance(accounts, list) and accounts else None
    return bool(details) and isinstance(details, list) and _dig(details[0], "eq") is not None


def _column(rows: Any, name: str, figure: str) -> dict[str, float] | None:
    if not isinstance(rows, list) or not rows:
        return None
    if not all(isinstance(row, Mapping) and name in row and figure in row for row in rows):
        return None
    return {str(row[name]): _amount(str(row[name]), row[figure]) for row in rows}


def _dig(content: Any, *path: str) -> Any:
    for name in path:
        content = content.get(name) if isinstance(content, Mapping) else None
    return content


def _amount(asset: str, content: Any) -> float:
    return number(asset, content) or 0.0
