"""Accounts from the unified structures that ccxt returns for every exchange.

Exchanges leave fields out or mean different things by them. What is missing is worked out from the
fields that are there; each such step is a notice, and what cannot be worked out is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from margin_widgets import venues
from margin_widgets.account import Account, Position
from margin_widgets.io.ccxt_balance import read_balance
from margin_widgets.io.ccxt_number import RowError
from margin_widgets.io.ccxt_position import PositionRow, read_position
from margin_widgets.io.ccxt_symbol import Market, read_symbol
from margin_widgets.venues import RuleError, RuleSet

AGREEMENT = 0.01
"""Relative difference above which a venue's own figure is reported as different from ours."""


class ImportNotice(UserWarning):
    """What an import assumed, worked out or left out, one line each."""


class CcxtError(ValueError):
    """Rows that cannot be imported, one line each with the reason; nothing was imported."""


@dataclass(frozen=True)
class CcxtAccount:
    """What was read, before an account is made of it.

    Attributes
    ----------
    venue : RuleSet
    positions : list of dict
        Arguments of `Position`.
    collateral : dict of asset to wallet balance
    marks : dict of symbol to mark price
    notices : tuple of str
        What was assumed, worked out or left out.
    """

    venue: RuleSet
    positions: list[dict[str, Any]]
    collateral: dict[str, float]
    marks: dict[str, float]
    notices: tuple[str, ...] = field(default=())


def from_ccxt(
    positions: Sequence[Mapping[str, Any]],
    balance: Mapping[str, Any] | None = None,
    *,
    venue: str | RuleSet | None = None,
    marks: Mapping[str, float] | None = None,
    tiers: Mapping[str, Any] | None = None,
    balance_total: Literal["wallet", "equity"] | None = None,
    **account_arguments: Any,
) -> Account:
    """Build an account from ccxt's unified positions and balance.

    Parameters
    ----------
    positions : list of dict
        As ``exchange.fetch_positions()`` returns them.
    balance : dict, optional
        As ``exchange.fetch_balance()`` returns it for the derivatives wallet.
    venue : str or RuleSet, optional
        Rules to margin the account by. If none are given, rules are put together from the
        maintenance margin that the positions themselves state: a flat rate per symbol, right at
        the present size only.
    marks : mapping of symbol to price, optional
        Used before what the positions state. Symbols are ccxt's or the venue's.
    tiers : mapping of symbol to rate or tier rows, optional
        Maintenance, used before the venue's and before what the positions state.
    balance_total : {"wallet", "equity"}, optional
        Whether the balance's total leaves out unrealised profit or includes it. By default known
        from the payload of Binance, Bybit, OKX and Hyperliquid, else "wallet".
    **account_arguments
        Of `Account`, e.g. `name`, `prices`, `haircuts`, or `collateral` in place of the balance.

    Warns
    -----
    ImportNotice
        Once, listing all that was assumed, worked out or left out.

    Raises
    ------
    CcxtError
        Listing every position that cannot be imported, with the reason.
    TraitError
        If the account as a whole is not sound, e.g. an asset without a price.

    Examples
    --------
    >>> account = from_ccxt(
    ...     [
    ...         {
    ...             "symbol": "BTC/USDT:USDT",
    ...             "side": "long",
    ...             "contracts": 0.009,
    ...             "contractSize": 1.0,
    ...             "entryPrice": 67445.9,
    ...             "markPrice": 67582.2,
    ...             "leverage": 80,
    ...             "marginMode": "cross",
    ...         }
    ...     ],
    ...     {"USDT": {"total": 25.7261006}},
    ...     venue="binance-usdm",
    ...     balance_total="wallet",
    ... )
    >>> round(account.cross.positions["BTCUSDT"].liquidation_price, 1)
    64846.8
    """
    read = read_ccxt(
        positions, balance, venue=venue, marks=marks, tiers=tiers, balance_total=balance_total
    )
    notices = read.notices
    if "collateral" in account_arguments:
        notices = tuple(one for one in notices if not one.startswith("balance: none given"))
    arguments = {
        "venue": read.venue,
        "collateral": read.collateral,
        "marks": read.marks,
        **account_arguments,
    }
    account = Account(positions=[Position(**one) for one in read.positions], **arguments)
    if notices:
        warnings.warn("\n".join(("imported with notices:", *notices)), ImportNotice, stacklevel=2)
    return account


def read_ccxt(
    positions: Sequence[Mapping[str, Any]],
    balance: Mapping[str, Any] | None = None,
    *,
    venue: str | RuleSet | None = None,
    marks: Mapping[str, float] | None = None,
    tiers: Mapping[str, Any] | None = None,
    balance_total: Literal["wallet", "equity"] | None = None,
) -> CcxtAccount:
    """Read what `from_ccxt` makes an account of, with the notices as data.

    Raises
    ------
    CcxtError
        Listing every position that cannot be imported, with the reason.
    """
    given = venues.get(venue) if isinstance(venue, str) else venue
    known = given or venues.generic()
    stated = {_name(symbol, {}, known): mark for symbol, mark in (marks or {}).items()}
    notices: list[str] = []
    rows: list[tuple[str, Market, PositionRow]] = []
    problems: list[str] = []
    for number, position in enumerate(_list(positions), start=1):
        where = f"position {number}"
        try:
            if not isinstance(position, Mapping):
                raise RowError(f"{position!r} is not a position structure")
            where = f"position {number} ({position.get('symbol')})"
            market = read_symbol(position.get("symbol"), known.currency)
            symbol = _name(market.symbol, position.get("info"), known)
            row = read_position(position, market, stated.get(symbol))
            if row is None:
                notices.append(f"{where}: empty (no contracts), left out")
                continue
            rows.append((symbol, market, row))
            notices += [f"{where}: {one}" for one in row.notices]
        except RowError as error:
            problems.append(f"{where}: {error}")
    rules = given or _rules_of(rows, notices)
    rules = _with_tiers(rules, rows, tiers or {}, notices, problems)
    if problems:
        raise CcxtError("\n".join(("nothing imported:", *problems)))

    _compare_maintenance(rules, rows, notices)
    found_marks = dict(stated)
    for symbol, _, row in rows:
        if row.mark is None:
            continue
        first = found_marks.setdefault(symbol, row.mark)
        if symbol not in stated and abs(first - row.mark) > 1e-9 * row.mark:
            notices.append(
                f"{symbol}: legs state marks {first:.10g} and {row.mark:.10g}; the first is used"
            )
    return CcxtAccount(
        venue=rules,
        positions=[_arguments(symbol, row, rules) for symbol, _, row in rows],
        collateral=_collateral(balance, rows, balance_total, notices),
        marks=found_marks,
        notices=tuple(notices),
    )


def _list(positions: Iterable[Any]) -> list[Any]:
    if isinstance(positions, Mapping):
        raise CcxtError("positions: expected a list of position structures, found one mapping")
    return list(positions)


def _name(symbol: str, info: Any, rules: RuleSet) -> str:
    """Symbol under the rule set's own names, where it has one for it."""
    own = info.get("symbol") if isinstance(info, Mapping) else None
    candidates = [name for name in (symbol, own, *binance_names(symbol)) if isinstance(name, str)]
    for name in candidates:
        if name in rules.tiers or name in rules.contracts:
            return name
    return candidates[1] if rules.name.startswith("binance") and candidates[1:] else symbol


def binance_names(symbol: str) -> list[str]:
    """What Binance calls a unified symbol.

    >>> binance_names("BTC/USDT:USDT"), binance_names("BTC/USD:BTC")
    (['BTCUSDT'], ['BTCUSD_PERP'])
    >>> binance_names("BTC/USD:BTC-241227")
    ['BTCUSD_241227']
    """
    pair, _, settle = symbol.partition(":")
    base, slash, quote = pair.partition("/")
    if not slash:
        return []
    settle, _, expiry = settle.partition("-")
    ending = f"_{expiry}" if expiry else "_PERP" if settle == base else ""
    return [f"{base}{quote}{ending}"]


def _rules_of(rows: list[tuple[str, Market, PositionRow]], notices: list[str]) -> RuleSet:
    """Rules from what the positions state of themselves."""
    markets = {symbol: market for symbol, market, _ in rows}
    linear = [market.settle for market in markets.values() if market.contract.kind == "linear"]
    inverse = [market for market in markets.values() if market.contract.kind == "inverse"]
    currency = next((one for one in linear if one), None)
    currency = currency or (str(inverse[0].contract.quote) if inverse else "USDT")
    sizes = {symbol: row.contract_size for symbol, _, row in rows}
    if rows:
        notices.append("rules: none given; generic ones without closing fee")
    if linear and inverse:
        notices.append(f"rules: linear and inverse contracts share one pool valued in {currency}")
    return venues.generic(
        title="Rules from the imported positions",
        date=max((row.date for _, _, row in rows), default=""),
        sources=("maintenance as the positions state it, or as given at import",),
        currency=currency,
        cross_pool="account" if linear else "settlement",
        contracts={
            symbol: market.sized(sizes[symbol])
            for symbol, market in markets.items()
            if market.known
        },
    )


def _with_tiers(
    rules: RuleSet,
    rows: list[tuple[str, Market, PositionRow]],
    tiers: Mapping[str, Any],
    notices: list[str],
    problems: list[str],
) -> RuleSet:
    """Add the tiers given, then flat rates of the positions for symbols without any."""
    added = {_name(symbol, {}, rules): table for symbol, table in tiers.items()}
    known = {**rules.tiers, **added}
    for symbol, _, row in rows:
        if symbol in known:
            continue
        if rules.known_symbols_only:
            try:
                rules.tier_table(symbol)
            except RuleError as error:
                problems.append(str(error))
        elif row.maintenance_rate is None:
            problems.append(
                f"{symbol}: the position states no maintenance margin; give a rate or tiers as"
                f" tiers={{{symbol!r}: 0.005}}, or a venue"
            )
        else:
            added[symbol] = max(row.maintenance_rate, added.get(symbol, 0.0))
            notices.append(
                f"{symbol}: maintenance rate {row.maintenance_rate:.6g} {row.rate_from}; flat, so"
                " right at the present size only"
            )
    if not added:
        return rules
    try:
        return rules.replace(tiers={**rules.tiers, **added})
    except RuleError as error:
        problems.append(str(error))
        return rules


def _compare_maintenance(
    rules: RuleSet, rows: list[tuple[str, Market, PositionRow]], notices: list[str]
) -> None:
    for symbol, _, row in rows:
        if row.maintenance_margin is None or row.notional is None:
            continue
        table = rules.tier_table(symbol)
        amounts = rules.maintenance_amounts(symbol)
        ours = max(
            row.notional * tier.rate - amount for tier, amount in zip(table, amounts, strict=True)
        )
        ours += row.notional * rules.closing_fee
        if abs(ours - row.maintenance_margin) > AGREEMENT * max(ours, row.maintenance_margin):
            notices.append(
                f"{symbol}: maintenance margin is {ours:,.8g} by {rules.name}; the exchange states"
                f" {row.maintenance_margin:,.8g}"
            )


def _arguments(symbol: str, row: PositionRow, rules: RuleSet) -> dict[str, Any]:
    multiplier = rules.contract(symbol).multiplier
    return {
        "symbol": symbol,
        "quantity": row.size if multiplier == 1 else row.size / multiplier,
        "entry_price": row.entry_price,
        "leverage": row.leverage,
        "margin": row.margin,
        "margin_mode": row.margin_mode,
    }


def _collateral(
    balance: Mapping[str, Any] | None,
    rows: list[tuple[str, Market, PositionRow]],
    balance_total: str | None,
    notices: list[str],
) -> dict[str, float]:
    pnl = _by_asset(rows, lambda row: row.unrealized_pnl)
    if balance is not None:
        try:
            return read_balance(balance, pnl, balance_total, notices)
        except RowError as error:
            raise CcxtError(f"balance: {error}") from None
    assigned = _by_asset(rows, lambda row: row.margin if row.margin_mode == "isolated" else None)
    held = ", ".join(f"{amount:,.8g} {asset}" for asset, amount in assigned.items())
    content = f"{held}, the isolated margins" if held else "no collateral"
    notices.append(f"balance: none given; the account holds {content}")
    return assigned


def _by_asset(
    rows: list[tuple[str, Market, PositionRow]], figure: Callable[[PositionRow], float | None]
) -> dict[str, float]:
    total: dict[str, float] = {}
    for _, market, row in rows:
        amount = figure(row)
        if amount is not None and market.settle:
            total[market.settle] = total.get(market.settle, 0.0) + amount
    return total
