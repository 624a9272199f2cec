"""Every figure explains itself: formula, substituted values, assumptions, rules, rounding."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import MODES, Books
from margin_widgets.account.report import ACCOUNT_FIGURES, POSITION_FIGURES, MarginReport
from margin_widgets.engine.book import Floats, Ints
from margin_widgets.engine.ray import by_symbol
from margin_widgets.engine.valuation import count_as_margin
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

LABELS = {
    "equity": "equity",
    "margin_balance": "margin balance",
    "wallet_balance": "wallet balance",
    "unrealized_pnl": "unrealised PnL",
    "initial_margin": "initial margin",
    "maintenance_margin": "maintenance margin",
    "available": "available balance",
    "margin_ratio": "margin ratio",
    "effective_leverage": "effective leverage",
    "collateral_utilization": "collateral utilisation",
    "liquidation_shock": "liquidation shock",
    "liquidation_shocks": "liquidation shocks",
    "worst_loss": "worst loss",
    "status": "status",
    "notional": "notional",
    "margin": "margin",
    "liquidation_price": "liquidation price",
    "liquidation_prices": "liquidation prices",
    "bankruptcy_price": "bankruptcy price",
    "distance": "distance to liquidation",
    "mark": "mark price",
}
"""Names of figures as they are printed."""

ACCOUNT_PATHS = (*ACCOUNT_FIGURES, "status", "liquidation_shocks")
POSITION_PATHS = (*POSITION_FIGURES, "liquidation_prices", "liquidation_shocks", "mark")
COLLATERAL_PATHS = ("price", "counted")

_AT_MARKS = "Present marks."
_LONG_SUM = 8


@dataclass(frozen=True)
class Explanation:
    """Where one figure comes from.

    Attributes
    ----------
    path : str
    title : str
    value : float or None
        None where there is no such number; `text` says so in words.
    text : str
        The value as printed, with its unit.
    lines : tuple of str
        The formula with symbols, the same with values, the result. The last line but one,
        evaluated, is `value`.
    symbols : tuple of (symbol, meaning, value)
    assumes : str
        What is held, the trigger, and what maintenance margin includes.
    rules : str
        Name, version and date of the rule set.
    sources : tuple of str
    rounding : str
    """

    path: str
    title: str
    value: float | None
    text: str
    lines: tuple[str, ...]
    symbols: tuple[tuple[str, str, str], ...]
    assumes: str
    rules: str
    sources: tuple[str, ...]
    rounding: str

    def to_dict(self) -> dict[str, Any]:
        """Return the parts as plain data."""
        return {
            "path": self.path,
            "title": self.title,
            "value": self.value,
            "text": self.text,
            "lines": list(self.lines),
            "symbols": [list(row) for row in self.symbols],
            "assumes": self.assumes,
            "rules": self.rules,
            "sources": list(self.sources),
            "rounding": self.rounding,
        }

    def __str__(self) -> str:
        width = max((len(name) for name, _, _ in self.symbols), default=0)
        return "\n".join(
            [
                f"{self.title}: {self.text}",
                *(f"  {line}" for line in self.lines),
                *(
                    f"  {name:<{width}}  {meaning}: {shown}"
                    for name, meaning, shown in self.symbols
                ),
                f"Assumes: {self.assumes}",
                f"Rules: {self.rules}",
                *(f"Source: {source}" for source in self.sources),
                f"Rounding: {self.rounding}",
            ]
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left"><code>{escape(name)}</code></td>'
            f'<td style="text-align:left">{escape(meaning)}</td><td>{escape(shown)}</td></tr>'
            for name, meaning, shown in self.symbols
        )
        sources = "".join(f"<li>{escape(source)}</li>" for source in self.sources)
        return (
            f"<div><strong>{escape(self.title)}: {escape(self.text)}</strong>"
            f"<pre>{escape(chr(10).join(self.lines))}</pre>"
            + (f"<table>{rows}</table>" if rows else "")
            + f"<p>Assumes: {escape(self.assumes)}<br>Rules: {escape(self.rules)}"
            f"<br>Rounding: {escape(self.rounding)}</p>"
            + (f"<ul>{sources}</ul>" if sources else "")
            + "</div>"
        )


def explain(account: Account, path: str) -> Explanation:
    """Explain the figure at `path`.

    Parameters
    ----------
    account : Account
    path : str
        ``<mode>.<figure>``, ``<mode>.positions.<key>.<figure>``, ``marks.<symbol>``,
        ``collateral.<asset>``, ``collateral.<asset>.price`` or ``collateral.<asset>.counted``.
        Keys may contain dots.

    Raises
    ------
    KeyError
        If there is no such figure.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> explanation = explain(presets.ref2(), "cross.positions.BTCUSDT.liquidation_price")
    >>> for line in explanation.lines:
    ...     print(line)
    P = (W + ΣuPnL_other − ΣMM_other + A − q·E) / (|q|·m − q)
    = (10,000 + 0 − 200 + 0 − 0.5·100,000) / (0.5·0.005 − 0.5)
    = 80,804.02 USDT
    """
    head, _, rest = str(path).partition(".")
    if head in MODES:
        report: MarginReport = getattr(account, head)
        if rest.startswith("positions."):
            key, _, figure = rest.removeprefix("positions.").rpartition(".")
            if figure not in POSITION_PATHS:
                hint = did_you_mean(figure, POSITION_PATHS)
                raise KeyError(f"{path}: no figure {figure!r} of a position{hint}")
            return _of_position(report, report.positions[key].index, figure, path)
        if rest not in ACCOUNT_PATHS:
            hint = did_you_mean(rest, [*ACCOUNT_PATHS, "positions.<key>.<figure>"])
            raise KeyError(f"{path}: no figure {rest!r} of an account{hint}")
        return _of_account(report, rest, path)
    books = account.books
    if head == "marks":
        if rest not in books.symbols:
            raise KeyError(f"{path}: no symbol {rest!r}{did_you_mean(rest, books.symbols)}")
        return _mark(account.cross, books.symbols.index(rest), path, f"{rest}, mark price")
    if head == "collateral":
        asset, _, figure = rest.rpartition(".")
        if rest in books.assets:
            asset, figure = rest, ""
        if asset not in books.assets or figure not in ("", *COLLATERAL_PATHS):
            hint = did_you_mean(rest, books.assets)
            raise KeyError(f"{path}: no asset {rest!r}{hint}")
        return _of_collateral(account.cross, asset, figure, path)
    hint = did_you_mean(head, [*MODES, "marks", "collateral"])
    raise KeyError(f"{path}: {head!r} is not a part of an account{hint}")


def held_marks(report: MarginReport, position: int) -> list[str]:
    """Symbols, other than its own, whose marks the liquidation price of a position depends on.

    Those of the pool's other positions, and those that its collateral follows.
    """
    book, partition = report.books.book, report.ledger.partition
    pool = partition.pool[position]
    members = np.flatnonzero(partition.pool == pool)
    followed = book.asset_symbol[_assets_of(report, int(pool), members)]
    own = book.symbol[position]
    found = dict.fromkeys(int(s) for s in [*book.symbol[members], *followed[followed >= 0]])
    return [report.books.symbols[symbol] for symbol in found if symbol != own]


# -- writing ------------------------------------------------------------------------------------


class _Sheet:
    """A formula written once with symbols and once with their values.

    `let` returns a mark that stands for the symbol in templates; names may hold any text.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._values: list[float] = []
        self.symbols: list[tuple[str, str, str]] = []

    def let(self, name: str, meaning: str, value: float, unit: str = "") -> str:
        """Introduce a symbol."""
        self._names.append(name)
        self._values.append(value)
        self.symbols.append((name, meaning, f"{fmt.plain(value)} {unit}".rstrip()))
        return chr(0xE000 + len(self._names) - 1)

    def total(self, terms: Sequence[tuple[str, str, float]], unit: str, others: str) -> str:
        """Introduce a sum; the tail of a long one is taken together."""
        if len(terms) > _LONG_SUM:
            rest = terms[_LONG_SUM - 1 :]
            tail = ("others", f"{len(rest)} {others}", math.fsum(value for _, _, value in rest))
            terms = [*terms[: _LONG_SUM - 1], tail]
        return " + ".join(self.let(*term, unit) for term in terms) or "0"

    def named(self, template: str) -> str:
        """Return the template with names."""
        return "".join(self._fill(template, lambda place, _: self._names[place]))

    def valued(self, template: str) -> str:
        """Return the template with values; negative ones in brackets where they follow a sign."""

        def shown(place: int, before: str) -> str:
            text = fmt.plain(self._values[place])
            bare = not text.startswith(fmt.MINUS) or before in ("", "(")
            return text if bare else f"({text})"

        return "".join(self._fill(template, shown))

    def _fill(self, template: str, show: Callable[[int, str], str]) -> Iterable[str]:
        before = ""
        for one in template:
            place = ord(one) - 0xE000
            yield show(place, before) if 0 <= place < len(self._names) else one
            before = one


@dataclass(frozen=True)
class _Derived:
    """A value with the lines that lead to it."""

    lines: tuple[str, ...]
    symbols: tuple[tuple[str, str, str], ...]


def _derive(sheet: _Sheet, left: str, template: str, text: str, *before: str) -> _Derived:
    lines = (
        *before,
        f"{left} = {sheet.named(template)}",
        f"= {sheet.valued(template)}",
        f"= {text}",
    )
    return _Derived(lines, tuple(sheet.symbols))


def _in_words(*lines: str) -> _Derived:
    return _Derived(lines, ())


def _explanation(
    report: MarginReport,
    path: str,
    title: str,
    value: float | None,
    shown: tuple[str, str],
    derived: _Derived,
    assumes: str = _AT_MARKS,
) -> Explanation:
    text, rounding = shown
    return Explanation(
        path=path,
        title=title,
        value=value,
        text=text,
        lines=derived.lines,
        symbols=derived.symbols,
        assumes=assumes,
        rules=report.rules,
        sources=report.books.state.venue.sources,
        rounding=rounding,
    )


_EXACT = "calculated in double precision, not rounded"


def _money(value: float | None, currency: str) -> tuple[str, str]:
    """Text and rounding of an amount."""
    if value is None:
        return "none", _EXACT
    return f"{fmt.amount(value)} {currency}", f"{_EXACT}; shown to 0.01"


def _share(value: float | None, none: str, *, sign: bool = False) -> tuple[str, str]:
    """Text and rounding of a fraction."""
    shown = fmt.percent(value, sign=sign) if value is not None else none
    return shown, f"{_EXACT}; shown to 0.01 %"


def _price(report: MarginReport, symbol: int, value: float | None, none: str) -> tuple[str, str]:
    """Text and rounding of a price of a symbol."""
    contract = report.books.contracts[symbol]
    if value is None:
        return none, _EXACT
    decimals = fmt.price_decimals(value, contract.tick)
    tick = f", the decimals of the tick {fmt.plain(contract.tick)}" if contract.tick else ""
    step = f"{10.0**-decimals:.{decimals}f}"
    return (
        f"{fmt.price(value, contract.tick)} {contract.quote}",
        f"{_EXACT}; shown to the nearest {step}{tick}",
    )


# -- accounts -----------------------------------------------------------------------------------


def _of_account(report: MarginReport, figure: str, path: str) -> Explanation:
    title = f"{report.mode.capitalize()} {LABELS[figure]}"
    if figure == "liquidation_shocks":
        shocks = report.liquidation_shocks
        return _both_shocks(report, path, title, shocks, [_first(report, side) for side in (0, 1)])
    if figure == "liquidation_shock":
        pair = report.liquidation_shocks
        value = report.liquidation_shock
        pool = None if value is None else _first(report, pair.index(value))
        return _one_shock(report, path, title, value, pool)
    if figure == "status":
        return _status(report, path, title)
    writers: dict[str, Callable[[MarginReport, _Sheet], str | _Derived]] = {
        "equity": _equity,
        "margin_balance": _margin_balance,
        "wallet_balance": _wallet_balance,
        "unrealized_pnl": _unrealized_pnl,
        "initial_margin": _initial_margin,
        "maintenance_margin": _maintenance_margin,
        "available": _available,
        "margin_ratio": _highest_ratio,
        "effective_leverage": _effective_leverage,
        "collateral_utilization": _utilization,
        "worst_loss": _worst_loss,
    }
    value = getattr(report, figure)
    if figure == "margin_ratio":
        shown = _share(value, "no positive margin balance")
    elif figure == "collateral_utilization":
        shown = _share(value, "no collateral")
    elif figure == "effective_leverage":
        shown = (
            "no equity" if value is None else f"{fmt.amount(value)}×",
            f"{_EXACT}; shown to 0.01",
        )
    else:
        shown = _money(value, report.currency)
    sheet = _Sheet()
    written = writers[figure](report, sheet)
    left = {"margin_ratio": "R", "effective_leverage": "ℓ_eff", "collateral_utilization": "CUR"}
    derived = (
        written
        if isinstance(written, _Derived)
        else _derive(sheet, left.get(figure, LABELS[figure]), written, shown[0])
    )
    assumes = {
        "maintenance_margin": f"{_AT_MARKS} {_maintenance_rule(report)}",
        "margin_ratio": f"{_AT_MARKS} {_maintenance_rule(report)} {_trigger_rule(report)}",
        "initial_margin": f"{_AT_MARKS} Isolated positions at entry price, pooled ones at mark.",
        "available": f"{_AT_MARKS} Isolated pools lend nothing.",
        "worst_loss": (
            f"{_AT_MARKS} Nothing of a liquidated pool returns, and none falls below zero."
        ),
        "margin_balance": f"{_AT_MARKS} {_haircut_rule(report)}",
    }
    return _explanation(report, path, title, value, shown, derived, assumes.get(figure, _AT_MARKS))


def _equity(report: MarginReport, sheet: _Sheet) -> str:
    wallet = sheet.let("W", "wallet balance", report.wallet_balance, report.currency)
    profit = sheet.let("ΣuPnL", "unrealised PnL", report.unrealized_pnl, report.currency)
    return f"{wallet} + {profit}"


def _margin_balance(report: MarginReport, sheet: _Sheet) -> str:
    book, partition = report.books.book, report.ledger.partition
    ledger = report.ledger
    prices = book.asset_prices(ledger.marks)
    net = partition.wallet + partition.sum_by_pool_and_asset(
        ledger.valuation.unrealized_pnl / prices[book.position_settle], book.position_settle
    )
    held = np.vstack([net, partition.idle])
    cut = (held - count_as_margin(book, held)) * prices
    equity = sheet.let("equity", "market value", report.equity, report.currency)
    terms = [
        (f"H({asset})", f"haircut on {asset}", float(value))
        for asset, value in zip(report.books.assets, cut.sum(axis=0), strict=True)
        if value
    ]
    haircut = sheet.total(terms, report.currency, "assets")
    return f"{equity} − {_grouped(haircut)}" if terms else equity


def _wallet_balance(report: MarginReport, sheet: _Sheet) -> str:
    books = report.books
    prices = books.book.asset_prices(report.ledger.marks)
    held = [n for n, amount in enumerate(books.book.wallet) if amount]
    shown = held if len(held) <= _LONG_SUM else held[: _LONG_SUM - 1]
    products = []
    for n in shown:
        asset = books.assets[n]
        amount = sheet.let(asset, f"{asset} in the wallet", float(books.book.wallet[n]), asset)
        if asset == report.currency:
            products.append(amount)
        else:
            price = sheet.let(f"p({asset})", f"price of {asset}", float(prices[n]))
            products.append(f"{amount}·{price}")
    rest = held[len(shown) :]
    if rest:
        worth = float((books.book.wallet * prices)[rest].sum())
        products.append(sheet.let("others", f"{len(rest)} assets", worth, report.currency))
    return " + ".join(products) or "0"


def _sum_of_positions(report: MarginReport, sheet: _Sheet, symbol: str, figure: str) -> str:
    column = report.column(figure)
    terms = [
        (f"{symbol}({key})", f"{LABELS[figure]} of {key}", float(value))
        for key, value in zip(report.books.keys, column, strict=True)
    ]
    return sheet.total(terms, report.currency, "positions")


def _unrealized_pnl(report: MarginReport, sheet: _Sheet) -> str:
    return _sum_of_positions(report, sheet, "uPnL", "unrealized_pnl")


def _initial_margin(report: MarginReport, sheet: _Sheet) -> str:
    return _sum_of_positions(report, sheet, "IM", "initial_margin")


def _maintenance_margin(report: MarginReport, sheet: _Sheet) -> str:
    return _sum_of_positions(report, sheet, "MM", "maintenance_margin")


def _available(report: MarginReport, sheet: _Sheet) -> str:
    partition, figures = report.ledger.partition, report.ledger.valuation
    shared = ~partition.own
    parts = []
    if shared.any():
        balance = float(figures.margin_balance[shared].sum())
        reserved = float(partition.sum_by_pool(figures.initial)[shared].sum())
        parts.append(sheet.let("MB", "margin balance of shared pools", balance, report.currency))
    book = report.books.book
    idle = float(
        (count_as_margin(book, partition.idle) * book.asset_prices(report.ledger.marks)).sum()
    )
    if idle or not parts:
        parts.append(
            sheet.let("idle", "collateral that backs nothing, after haircut", idle, report.currency)
        )
    free = " + ".join(parts)
    if shared.any():
        free += " − " + sheet.let(
            "ΣIM", "initial margin in shared pools", reserved, report.currency
        )
    order = report.books.state.order_margin
    free += " − " + sheet.let("OM", "order margin", order, report.currency)
    return f"max(0, {free})"


def _highest_ratio(report: MarginReport, sheet: _Sheet) -> str | _Derived:
    if not report.pools:
        return "0"
    for pool in report.pools:
        if pool.margin_ratio is None:
            return _in_words(
                f"pool {pool.name}: margin balance {fmt.amount(pool.margin_balance)}"
                f" {report.currency} is not positive, so there is no ratio",
            )
    pool = max(report.pools, key=lambda one: one.margin_ratio or 0.0)
    name = f"of pool {pool.name}"
    return _ratio(sheet, name, pool.maintenance_margin, pool.margin_balance, report.currency)


def _ratio(sheet: _Sheet, name: str, required: float, balance: float, currency: str) -> str:
    above = sheet.let("MM", f"maintenance margin {name}", required, currency)
    below = sheet.let("MB", f"margin balance {name}", balance, currency)
    return f"{above} / {below}"


def _effective_leverage(report: MarginReport, sheet: _Sheet) -> str | _Derived:
    if report.effective_leverage is None:
        balance = f"{fmt.amount(report.margin_balance)} {report.currency}"
        return _in_words(f"margin balance {balance} is not positive")
    gross = float(report.ledger.valuation.notional.sum())
    above = sheet.let("ΣNV", "notional of all positions", gross, report.currency)
    below = sheet.let("MB", "margin balance", report.margin_balance, report.currency)
    return f"{above} / {below}"


def _utilization(report: MarginReport, sheet: _Sheet) -> str | _Derived:
    if report.collateral_utilization is None:
        return _in_words("the collateral counts for nothing, so there is no ratio")
    book = report.books.book
    counted = count_as_margin(book, book.wallet) * book.asset_prices(report.ledger.marks)
    used = sheet.let("ΣIM", "initial margin", report.initial_margin, report.currency)
    orders = sheet.let("OM", "order margin", report.books.state.order_margin, report.currency)
    value = sheet.let(
        "MV", "margin value of the collateral, after haircut", float(counted.sum()), report.currency
    )
    return f"({used} + {orders}) / {value}"


def _worst_loss(report: MarginReport, sheet: _Sheet) -> str:
    terms = [
        (f"EQ({pool.name})", f"equity of pool {pool.name}", pool.equity) for pool in report.pools
    ]
    return sheet.total(terms, report.currency, "pools")


def _status(report: MarginReport, path: str, title: str) -> Explanation:
    sign = ">" if report.books.book.triggers_at_equality else "≥"
    lines = [f"ok while margin balance {sign} maintenance margin in every pool"]
    weakest = sorted(report.pools, key=lambda pool: pool.margin_balance - pool.maintenance_margin)
    for pool in weakest[:_LONG_SUM]:
        holds = sign if pool.status == "ok" else {">": "≤", "≥": "<"}[sign]
        lines.append(
            f"{pool.name}: {fmt.amount(pool.margin_balance)} {holds}"
            f" {fmt.amount(pool.maintenance_margin)} {report.currency}"
        )
    lines.append(f"= {report.status}")
    assumes = f"{_AT_MARKS} {_maintenance_rule(report)} {_trigger_rule(report)}"
    return _explanation(
        report, path, title, None, (report.status, _EXACT), _in_words(*lines), assumes
    )


# -- positions ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Leg:
    """One position as formulas see it."""

    key: str
    size: float
    entry: float
    mark: float
    leverage: float
    inverse: bool
    settle: str
    settle_price: float
    base: str
    quote: str

    @property
    def size_unit(self) -> str:
        return self.quote if self.inverse else self.base


def _leg(report: MarginReport, index: int) -> _Leg:
    books = report.books
    book, symbol = books.book, int(books.book.symbol[index])
    settle = int(book.position_settle[index])
    return _Leg(
        key=books.keys[index],
        size=float(book.size[index]),
        entry=float(book.entry[index]),
        mark=float(report.ledger.marks[symbol]),
        leverage=float(book.leverage[index]),
        inverse=bool(book.inverse[symbol]),
        settle=books.assets[settle],
        settle_price=float(book.asset_prices(report.ledger.marks)[settle]),
        base=str(books.contracts[symbol].base),
        quote=str(books.contracts[symbol].quote),
    )


def _of_position(report: MarginReport, index: int, figure: str, path: str) -> Explanation:
    one = report.positions[index]
    title = f"{one.key}, {report.mode} {LABELS[figure]}"
    symbol = int(report.books.book.symbol[index])
    pool = int(report.ledger.partition.pool[index])
    if figure == "mark":
        return _mark(report, symbol, path, f"{one.key}, {LABELS[figure]}")
    if figure == "liquidation_shock":
        return _one_shock(report, path, title, one.liquidation_shock, pool)
    if figure == "liquidation_shocks":
        shocks = report.pools[pool].liquidation_shocks
        return _both_shocks(report, path, title, shocks, [pool, pool])
    if figure in ("liquidation_price", "bankruptcy_price"):
        value = getattr(one, figure)
        none = f"no {LABELS[figure]}"
        shown = _price(report, symbol, value, none)
        derived = _root_price(report, index, value, shown[0], figure == "liquidation_price")
        return _explanation(
            report, path, title, value, shown, derived, _price_assumes(report, index, figure)
        )
    if figure == "liquidation_prices":
        return _both_prices(report, index, path, title)
    value = getattr(one, figure)
    sheet = _Sheet()
    written = _POSITION_WRITERS[figure](report, index, sheet)
    shares = {"margin_ratio": "no positive margin balance", "distance": "no liquidation price"}
    shown = _share(value, shares[figure]) if figure in shares else _money(value, report.currency)
    left = {"margin_ratio": "R", "distance": "distance", "notional": "NV", "margin": "M"}
    left |= {"initial_margin": "IM", "maintenance_margin": "MM", "unrealized_pnl": "uPnL"}
    derived = (
        written
        if isinstance(written, _Derived)
        else _derive(sheet, left[figure], written, shown[0])
    )
    assumes = {
        "maintenance_margin": f"{_AT_MARKS} {_maintenance_rule(report)}",
        "margin_ratio": f"{_AT_MARKS} {_maintenance_rule(report)} {_trigger_rule(report)}",
        "distance": _price_assumes(report, index, "liquidation_price"),
    }
    return _explanation(report, path, title, value, shown, derived, assumes.get(figure, _AT_MARKS))


def _size(report: MarginReport, index: int, sheet: _Sheet, name: str, *, signed: bool) -> str:
    """Introduce the size in coin or quote units."""
    leg, row = _leg(report, index), report.books.state.positions[index]
    multiplier = report.books.contracts[int(report.books.book.symbol[index])].multiplier
    meaning = "signed size" if signed else "size"
    if multiplier != 1 or leg.inverse:
        meaning += f", {fmt.plain(row.quantity)} contracts of {fmt.plain(multiplier)}"
    size = leg.size if signed else abs(leg.size)
    return sheet.let(name, meaning, size, leg.size_unit)


def _in_currency(report: MarginReport, leg: _Leg, sheet: _Sheet, template: str) -> str:
    """Value an amount of the settlement asset in the account's currency."""
    if leg.settle == report.currency or leg.settle_price == 1:
        return template
    price = sheet.let("S", f"price of {leg.settle}", leg.settle_price, report.currency)
    return f"{template}·{price}"


def _notional(report: MarginReport, index: int, sheet: _Sheet) -> str:
    leg = _leg(report, index)
    size = _size(report, index, sheet, "|q|", signed=False)
    mark = sheet.let("P", "mark price", leg.mark, leg.quote)
    return _in_currency(report, leg, sheet, f"{size}{'/' if leg.inverse else '·'}{mark}")


def _profit(report: MarginReport, index: int, sheet: _Sheet) -> str:
    leg = _leg(report, index)
    size = _size(report, index, sheet, "q", signed=True)
    mark = sheet.let("P", "mark price", leg.mark, leg.quote)
    entry = sheet.let("E", "entry price", leg.entry, leg.quote)
    gain = f"(1/{entry} − 1/{mark})" if leg.inverse else f"({mark} − {entry})"
    return _in_currency(report, leg, sheet, f"{size}·{gain}")


def _initial(report: MarginReport, index: int, sheet: _Sheet) -> str:
    leg, partition = _leg(report, index), report.ledger.partition
    size = _size(report, index, sheet, "|q|", signed=False)
    own = partition.own[partition.pool[index]]
    price = (
        sheet.let("E", "entry price", leg.entry, leg.quote)
        if own
        else sheet.let("P", "mark price", leg.mark, leg.quote)
    )
    setting = sheet.let("ℓ", "leverage setting", leg.leverage)
    return _in_currency(report, leg, sheet, f"{size}{'/' if leg.inverse else '·'}{price}/{setting}")


def _margin(report: MarginReport, index: int, sheet: _Sheet) -> str:
    leg, partition = _leg(report, index), report.ledger.partition
    own = partition.own[partition.pool[index]]
    if not own or report.books.state.positions[index].margin is None:
        return _initial(report, index, sheet)
    margin = float(report.books.book.margin[index])
    return _in_currency(report, leg, sheet, sheet.let("M", "margin assigned", margin, leg.settle))


def _maintenance(report: MarginReport, index: int, sheet: _Sheet) -> str:
    leg, book = _leg(report, index), report.books.book
    at_entry = book.maintenance_at_entry
    price = leg.entry if at_entry else leg.mark
    size = _size(report, index, sheet, "|q|", signed=False)
    name, meaning = ("E", "entry price") if at_entry else ("P", "mark price")
    shown = sheet.let(name, meaning, price, leg.quote)
    notional = abs(leg.size) / price if leg.inverse else abs(leg.size) * price
    rate, amount = _rate_and_amount(report, index, sheet, notional)
    due = f"{size}{'/' if leg.inverse else '·'}{shown}·{rate} − {amount}"
    priced = leg.settle != report.currency and leg.settle_price != 1
    return _in_currency(report, leg, sheet, f"({due})") if priced else due


def _rate_and_amount(
    report: MarginReport, index: int, sheet: _Sheet, notional: float, suffix: str = ""
) -> tuple[str, str]:
    """Introduce rate (closing fee included) and amount of the tier that holds at a notional."""
    leg, venue = _leg(report, index), report.books.state.venue
    symbol = report.books.state.positions[index].symbol
    table, amounts = venue.tier_table(symbol), venue.maintenance_amounts(symbol)
    tier = max(n for n, row in enumerate(table) if n == 0 or row.floor < notional)
    floor = f"above a notional of {fmt.plain(table[tier].floor)} {leg.settle}"
    where = f"tier {tier + 1} of {len(table)}, {floor}" if len(table) > 1 else "one tier"
    rate = sheet.let(f"m{suffix}", f"maintenance margin rate, {where}", table[tier].rate)
    amount = sheet.let(f"A{suffix}", "maintenance amount of that tier", amounts[tier], leg.settle)
    if venue.closing_fee:
        fee = sheet.let(f"f{suffix}", "closing fee counted as maintenance", venue.closing_fee)
        return f"({rate} + {fee})", amount
    return rate, amount


def _position_ratio(report: MarginReport, index: int, sheet: _Sheet) -> str | _Derived:
    pool = report.pools[int(report.ledger.partition.pool[index])]
    if pool.margin_ratio is None:
        return _in_words(
            f"margin balance {fmt.amount(pool.margin_balance)} {report.currency} of pool"
            f" {pool.name} is not positive, so there is no ratio"
        )
    return _ratio(
        sheet,
        f"of pool {pool.name}",
        pool.maintenance_margin,
        pool.margin_balance,
        report.currency,
    )


def _distance(report: MarginReport, index: int, sheet: _Sheet) -> str | _Derived:
    one, leg = report.positions[index], _leg(report, index)
    if one.liquidation_price is None:
        return _no_price(report, index, True)
    mark = sheet.let("P", "mark price", leg.mark, leg.quote)
    price = sheet.let("P_liq", "liquidation price", one.liquidation_price, leg.quote)
    return f"|{mark} − {price}| / {mark}"


_POSITION_WRITERS: dict[str, Callable[[MarginReport, int, _Sheet], str | _Derived]] = {
    "notional": _notional,
    "unrealized_pnl": _profit,
    "initial_margin": _initial,
    "margin": _margin,
    "maintenance_margin": _maintenance,
    "margin_ratio": _position_ratio,
    "distance": _distance,
}


# -- liquidation and bankruptcy prices ----------------------------------------------------------


def _both_prices(report: MarginReport, index: int, path: str, title: str) -> Explanation:
    symbol = int(report.books.book.symbol[index])
    lines: list[str] = []
    symbols: list[tuple[str, str, str]] = []
    texts = []
    pair = report.positions[index].liquidation_prices
    for side, value in zip(("below", "above"), pair, strict=True):
        text, _ = _price(report, symbol, value, "none")
        texts.append(f"{text} {side} the mark")
        lines.append(f"{side} the mark:" if value is not None else f"{side} the mark: none")
        if value is not None:
            derived = _root_price(report, index, value, text, True)
            lines += derived.lines
            symbols += [row for row in derived.symbols if row not in symbols]
    if pair == (None, None):
        lines = list(_no_price(report, index, True).lines)
    derived = _Derived(tuple(lines), tuple(symbols))
    _, rounding = _price(report, symbol, next((p for p in pair if p is not None), None), "")
    return _explanation(
        report,
        path,
        title,
        None,
        (", ".join(texts), rounding),
        derived,
        _price_assumes(report, index, "liquidation_prices"),
    )


def _root_price(
    report: MarginReport, index: int, value: float | None, text: str, maintained: bool
) -> _Derived:
    """Derive a liquidation price, or a bankruptcy price (no maintenance, no haircut)."""
    if value is None:
        return _no_price(report, index, maintained)
    return _by_field_formula(report, index, value, text, maintained) or _by_equation(
        report, index, value, text, maintained
    )


def _assets_of(report: MarginReport, pool: int, members: Ints) -> list[int]:
    """Assets that a pool holds or settles in."""
    held = np.flatnonzero(report.ledger.partition.wallet[pool])
    settled = report.books.book.position_settle[members]
    return sorted({*map(int, held), *map(int, settled)})


def _by_field_formula(
    report: MarginReport, index: int, value: float, text: str, maintained: bool
) -> _Derived | None:
    """Use the textbook formula in the tier at the price; None where other terms move too."""
    ledger, book = report.ledger, report.books.book
    pool = int(ledger.partition.pool[index])
    members = np.flatnonzero(ledger.partition.pool == pool)
    symbol = book.symbol[index]
    legs = members[book.symbol[members] == symbol]
    others = members[book.symbol[members] != symbol]
    assets = _assets_of(report, pool, members)
    leg = _leg(report, index)
    alone = len(assets) == 1
    ray, line = by_symbol(ledger.marked, ledger.partition)
    haircut = ray.haircut.terms_at(int(line[index]), value / leg.mark)
    if not maintained:
        haircut = np.zeros(3)
    if leg.inverse and not (alone and not haircut.any()):
        return None
    if not leg.inverse and (haircut[1:].any() or (book.asset_symbol[assets] == symbol).any()):
        return None

    # In one asset the settlement price drops out; else everything is valued in the currency.
    per = leg.settle_price if alone else 1.0
    unit = leg.settle if alone else report.currency
    sheet = _Sheet()
    prices = book.asset_prices(ledger.marks)
    held = float((ledger.partition.wallet[pool] * prices).sum()) / per
    figures = ledger.valuation
    if ledger.partition.own[pool]:
        balance = sheet.let("M", "margin assigned", held, unit)
    else:
        balance = sheet.let("W", "collateral of the pool", held, unit)
    if len(others):
        profit = float(figures.unrealized_pnl[others].sum()) / per
        balance += " + " + sheet.let(
            "ΣuPnL_other", "unrealised PnL of the other symbols", profit, unit
        )
    if haircut[0]:
        balance += " − " + sheet.let("H", "haircut", float(haircut[0]) / per, unit)
    if len(others) and maintained:
        upkeep = float(figures.maintenance[others].sum()) / per
        balance += " − " + sheet.let(
            "ΣMM_other", "maintenance margin of the other symbols", upkeep, unit
        )
    if not alone and leg.settle_price != 1:
        price = sheet.let("S", f"price of {leg.settle}", leg.settle_price, report.currency)
        balance = f"{_grouped(balance)}/{price}"

    amounts, sizes, rates, entries = [], [], [], []
    for member in map(int, legs):
        one = _leg(report, member)
        suffix = "" if len(legs) == 1 else "_L" if one.size > 0 else "_S"
        size = _size(report, member, sheet, f"q{suffix}", signed=True)
        entry = sheet.let(f"E{suffix}", f"entry price of {one.key}", one.entry, one.quote)
        sizes.append(size)
        entries.append(f"{size}/{entry}" if leg.inverse else f"{size}·{entry}")
        if maintained and book.maintenance_at_entry:
            upkeep = float(book.entry_maintenance[member])
            amounts.append(
                "− " + sheet.let(f"MM{suffix}", "maintenance margin at entry", upkeep, leg.settle)
            )
        elif maintained:
            notional = abs(one.size) / value if leg.inverse else abs(one.size) * value
            gross = _size(report, member, sheet, f"|q{suffix}|", signed=False)
            rate, amount = _rate_and_amount(report, member, sheet, notional, suffix)
            amounts.append(f"+ {amount}")
            rates.append(f"{gross}·{rate}")
    balance = " ".join([balance, *amounts])
    if leg.inverse:
        above, below = " + ".join([*rates, *sizes]), " + ".join([balance, *entries])
        template = f"{_grouped(above)} / {_grouped(below)}"
    elif rates:
        above = " − ".join([balance, *entries])
        template = f"({above}) / ({' + '.join(rates)} − {' − '.join(sizes)})"
    elif len(legs) == 1:
        template = f"{entry} − {_grouped(balance)} / {sizes[0]}"
    else:
        template = f"({' + '.join(entries)} − {_grouped(balance)}) / ({' + '.join(sizes)})"
    return _derive(sheet, "P" if maintained else "P_bk", template, text)


def _grouped(expression: str) -> str:
    """Put a sum in brackets."""
    return f"({expression})" if " " in expression else expression


def _terms(report: MarginReport, index: int, u: float, maintained: bool) -> tuple[Floats, Floats]:
    """Terms in ``(1, P, 1/P)`` of what a position's pool holds and must hold."""
    ledger = report.ledger
    if maintained:
        balance, required = ledger.symbol_terms(index, u)
    else:
        ray, line = by_symbol(ledger.marked, ledger.partition)
        balance, required = ray.equity[line[index]], np.zeros(3)
    mark = float(ledger.marks[report.books.book.symbol[index]])
    scale = np.array([1.0, 1.0 / mark, mark])
    return _clean(balance) * scale, _clean(required) * scale


def _clean(terms: Floats) -> Floats:
    """Without the rounding of terms that cancel."""
    largest: float = np.abs(terms).max()
    return np.where(np.abs(terms) > 1e-13 * largest, terms, 0.0)


def _by_equation(
    report: MarginReport, index: int, value: float, text: str, maintained: bool
) -> _Derived:
    """Equate the piece of margin balance with the piece of requirement that hold at a price."""
    leg = _leg(report, index)
    balance, required = _terms(report, index, value / leg.mark, maintained)
    return _solved(
        _Sheet(),
        "P" if maintained else "P_bk",
        f"price of {report.positions[index].symbol}",
        balance,
        required,
        value,
        text,
        report.currency,
        ("margin balance", "requirement") if maintained else ("equity", "nothing left"),
    )


def _solved(
    sheet: _Sheet,
    left: str,
    mover: str,
    balance: Floats,
    required: Floats,
    value: float,
    text: str,
    currency: str,
    sides: tuple[str, str],
    shift: str = "",
) -> _Derived:
    """Solve ``a + b P + c/P = a′ + b′ P + c′/P`` for the root at `value`."""
    symbol = left.removesuffix("_bk") if not shift else "u"
    what = ("that does not move", f"per {mover}", f"per inverse {mover}")
    marks: list[list[str]] = []
    equation = []
    for terms, dash, side in zip((balance, required), ("", "′"), sides, strict=True):
        present = [
            sheet.let(f"{name}{dash}", f"{side} {meaning}", float(term), currency * (name == "a"))
            if term
            else ""
            for name, term, meaning in zip("abc", terms, what, strict=True)
        ]
        marks.append(present)
        factors = ("", f"·{symbol}", f"/{symbol}")
        equation.append(
            " + ".join(one + by for one, by in zip(present, factors, strict=True) if one) or "0"
        )
    condition = f"{equation[0]} = {equation[1]}"

    def difference(place: int) -> str:
        first, second = marks[0][place], marks[1][place]
        return f"({first} − {second})" if first and second else first or f"(−{second})"

    def reverse(place: int) -> str:
        first, second = marks[0][place], marks[1][place]
        return f"({second} − {first})" if first and second else second or f"−{first}"

    a, b, c = (float(term) for term in balance - required)
    if not c:
        template = f"{reverse(0)} / {difference(1)}" if a else "0"
    elif not b:
        template = f"{reverse(2)} / {difference(0)}"
    elif not a:
        template = f"√({reverse(2)} / {difference(1)})"
    else:
        product = f"{difference(1)}·{difference(2)}"
        root = f"√({difference(0)}·{difference(0)} − 4·{product})"
        half = a + math.copysign(math.sqrt(max(a * a - 4 * b * c, 0.0)), a)
        middle = f"{reverse(0)} {'−' if a > 0 else '+'} {root}"
        # Of the two forms of a root the one that does not cancel.
        by_b, by_c = -half / (2 * b), -2 * c / half
        if abs(by_b - value) <= abs(by_c - value):
            template = f"({middle}) / (2·{difference(1)})"
        else:
            template = f"2·{difference(2)} / ({middle})"
    return _derive(
        sheet,
        left,
        template + shift,
        text,
        f"{sides[0]} = {sides[1]}: {sheet.named(condition)}",
        sheet.valued(condition),
    )


def _no_price(report: MarginReport, index: int, maintained: bool) -> _Derived:
    """Say why there is no price."""
    one = report.positions[index]
    goal = "to its maintenance margin" if maintained else "to zero equity"
    lines = [f"no positive price of {one.symbol} brings pool {one.pool} {goal}"]
    balance, required = _terms(report, index, 1.0, maintained)
    if maintained and one.status != "ok":
        lines.append("it is below maintenance margin already")
    sheet = _Sheet()

    def piece(terms: Floats) -> str:
        factors = ("", "·P", "/P")
        shown = [
            sheet.let(str(place), "", float(term)) + factors[place]
            for place, term in enumerate(terms)
            if term
        ]
        return sheet.valued(" + ".join(shown) or "0")

    held = "margin balance" if maintained else "equity"
    lines.append(f"near the mark its {held} is {piece(balance)}")
    if maintained:
        lines.append(f"and its requirement {piece(required)}")
    return _in_words(*lines)


# -- common moves -------------------------------------------------------------------------------


def _first(report: MarginReport, side: int) -> int | None:
    """Pool that a common move down (0) or up (1) liquidates first."""
    shocks = [pool.liquidation_shocks[side] for pool in report.pools]
    given = [(abs(shock), pool) for pool, shock in enumerate(shocks) if shock is not None]
    return min(given)[1] if given else None


def _one_shock(
    report: MarginReport, path: str, title: str, value: float | None, pool: int | None
) -> Explanation:
    shown = _share(value, "no common move", sign=True)
    if value is None or pool is None:
        derived = _no_shock(report, pool)
    else:
        derived = _shock(report, pool, value, shown[0])
    return _explanation(report, path, title, value, shown, derived, _shock_assumes(report))


def _both_shocks(
    report: MarginReport,
    path: str,
    title: str,
    shocks: tuple[float | None, float | None],
    pools: list[int | None],
) -> Explanation:
    lines: list[str] = []
    symbols: list[tuple[str, str, str]] = []
    texts = []
    for side, value, pool in zip(("down", "up"), shocks, pools, strict=True):
        text, rounding = _share(value, "none", sign=True)
        texts.append(f"{text} {side}")
        lines.append(f"{side}:" if value is not None else f"{side}: none")
        if value is not None and pool is not None:
            derived = _shock(report, pool, value, text)
            lines += derived.lines
            symbols += [row for row in derived.symbols if row not in symbols]
    if shocks == (None, None):
        lines = list(_no_shock(report, pools[0]).lines)
    derived = _Derived(tuple(lines), tuple(symbols))
    return _explanation(
        report, path, title, None, (", ".join(texts), rounding), derived, _shock_assumes(report)
    )


def _no_shock(report: MarginReport, pool: int | None) -> _Derived:
    if not report.pools:
        return _in_words("no positions, so nothing can be liquidated")
    name = "any pool" if pool is None else f"pool {report.pools[pool].name}"
    return _in_words(f"no common move of all marks brings {name} to its maintenance margin")


def _shock(report: MarginReport, pool: int, value: float, text: str) -> _Derived:
    """Derive the common move that liquidates a pool."""
    ledger, book = report.ledger, report.books.book
    u = 1 + value
    ray = ledger.common_ray
    required = ray.requirement.terms_at(pool, u)
    balance = ray.surplus.terms_at(pool, u) + required
    members = np.flatnonzero(ledger.partition.pool == pool)
    assets = _assets_of(report, pool, members)
    name = report.pools[pool].name
    still = not (book.asset_symbol[assets] >= 0).any() and not book.position_inverse[members].any()
    if not still:
        return _solved(
            _Sheet(),
            "x",
            "u = 1 + x on all marks",
            _clean(balance),
            _clean(required),
            u,
            text,
            report.currency,
            (f"margin balance of pool {name}", "requirement"),
            shift=" − 1",
        )
    prices = book.asset_prices(ledger.marks)
    sheet = _Sheet()
    worth = prices[book.position_settle[members]]
    entry = float((book.size[members] * book.entry[members] * worth).sum())
    signed = float((book.size[members] * ledger.marks[book.symbol[members]] * worth).sum())
    own = ledger.partition.own[pool]
    cost = sheet.let("Σq·E", f"signed notional at entry in pool {name}", entry, report.currency)
    held = float((ledger.partition.wallet[pool] * prices).sum())
    wallet = (
        sheet.let("M", "margin assigned", held, report.currency)
        if own
        else sheet.let("W", "collateral of the pool", held, report.currency)
    )
    above = f"{cost} − {wallet}"
    haircut = ray.haircut.terms_at(pool, u)
    delta = sheet.let("Σq·P", "signed notional at mark", signed, report.currency)
    if haircut[0]:
        above += " + " + sheet.let(
            "H", "haircut that does not move", float(haircut[0]), report.currency
        )
    below = delta
    if haircut[1]:
        below += " − " + sheet.let(
            "H_u", "haircut that moves with the marks", float(haircut[1]), report.currency
        )
    if book.maintenance_at_entry:
        above += " + " + sheet.let(
            "ΣMM", "maintenance margin at entry", float(required[0]), report.currency
        )
    else:
        above += " − " + sheet.let(
            "ΣA", "maintenance amounts, tiers after the move", -float(required[0]), report.currency
        )
        below += " − " + sheet.let(
            "Σm·|q|·P",
            "notional times maintenance rate (closing fee included), tiers after the move",
            float(required[1]),
            report.currency,
        )
    return _derive(sheet, "x", f"({above}) / ({below}) − 1", text)


# -- inputs -------------------------------------------------------------------------------------


def _mark(report: MarginReport, symbol: int, path: str, title: str) -> Explanation:
    books = report.books
    name, value = books.symbols[symbol], float(report.ledger.marks[symbol])
    given = name in books.state.marks
    meaning = "mark price, as given" if given else "entry price, as no mark is given"
    sheet = _Sheet()
    shown = _price(report, symbol, value, "")
    template = sheet.let("P" if given else "E", meaning, value, str(books.contracts[symbol].quote))
    assumes = "The mark is an input." if given else "Without a mark the entry price stands for it."
    derived = _derive(sheet, f"mark of {name}", template, shown[0])
    return _explanation(report, path, title, value, shown, derived, assumes)


def _of_collateral(report: MarginReport, asset: str, figure: str, path: str) -> Explanation:
    books = report.books
    book, place = books.book, books.assets.index(asset)
    price = float(book.asset_prices(report.ledger.marks)[place])
    held = float(book.wallet[place])
    sheet = _Sheet()
    if figure == "price":
        follows = int(book.asset_symbol[place])
        factor = float(book.asset_price[place])
        template = sheet.let("p", _price_origin(books, place), factor, report.currency)
        if follows >= 0:
            mark = float(report.ledger.marks[follows])
            template = sheet.let("P", f"mark of {books.symbols[follows]}", mark)
            if factor != 1:
                quote = books.contracts[follows].quote
                template += "·" + sheet.let("k", f"price of {quote}", factor, report.currency)
        shown = f"{fmt.price(price)} {report.currency}", f"{_EXACT}; about six digits shown"
        derived = _derive(sheet, f"price of {asset}", template, shown[0])
        title = f"{asset}, price"
        return _explanation(report, path, title, price, shown, derived, _price_origin(books, place))
    amount = sheet.let(asset, f"{asset} in the wallet", held, asset)
    template, value, title = amount, held * price, f"{asset} collateral, market value"
    if figure == "counted":
        title = f"{asset} collateral, counted as margin"
        floors, steps = book.haircuts.floors[place], book.haircuts.steps[place]
        cuts = []
        for floor, step in zip(floors, steps, strict=True):
            if step and held > floor:
                share = sheet.let(
                    "h", f"haircut added above {fmt.plain(float(floor))}", float(step)
                )
                over = amount
                if floor:
                    over = f"({amount} − {sheet.let('floor', 'of the band', float(floor), asset)})"
                cuts.append(f"{share}·{over}")
                value -= float(step) * (held - float(floor)) * price
        if cuts:
            template = f"({amount} − {' − '.join(cuts)})"
    if asset != report.currency:
        template += "·" + sheet.let("p", f"price of {asset}", price, report.currency)
    shown = _money(value, report.currency)
    derived = _derive(sheet, "value", template, shown[0])
    assumes = _price_origin(books, place)
    if figure == "counted":
        assumes += " The wallet alone; in a pool, unrealised PnL settled in it is netted first."
    return _explanation(report, path, title, value, shown, derived, assumes)


def _price_origin(books: Books, place: int) -> str:
    asset, follows = books.assets[place], int(books.book.asset_symbol[place])
    if asset in books.state.prices:
        return f"The price of {asset} is an input and does not move."
    if follows >= 0:
        return f"The price of {asset} follows the mark of {books.symbols[follows]}."
    if asset == books.state.venue.currency:
        return f"{asset} is the account's currency."
    return f"{asset} is taken as worth one {books.state.venue.currency}."


# -- assumptions --------------------------------------------------------------------------------


def _price_assumes(report: MarginReport, index: int, figure: str) -> str:
    books = report.books
    held = held_marks(report, index)
    stays = [
        f"{name} stays at {_bare_price(report, books.symbols.index(name))}" for name in held[:8]
    ]
    if len(held) > 8:
        stays.append(f"{len(held) - 8} other marks stay")
    parts = [f"{'; '.join(stays)}."] if stays else ["No other mark matters."]
    pool = int(report.ledger.partition.pool[index])
    members = np.flatnonzero(report.ledger.partition.pool == pool)
    symbol = int(books.book.symbol[index])
    parts += [
        f"{books.assets[asset]} moves with {books.symbols[symbol]}."
        for asset in _assets_of(report, pool, members)
        if books.book.asset_symbol[asset] == symbol
    ]
    if figure != "bankruptcy_price":
        parts += [_trigger_rule(report), _maintenance_rule(report)]
    else:
        parts.append("Equity at market value, no haircut, no maintenance margin.")
    return " ".join(parts)


def _bare_price(report: MarginReport, symbol: int) -> str:
    return fmt.price(float(report.ledger.marks[symbol]), report.books.contracts[symbol].tick)


def _shock_assumes(report: MarginReport) -> str:
    books = report.books
    moving = [
        f"{asset} with {books.symbols[int(follows)]}"
        for asset, follows in zip(books.assets, books.book.asset_symbol, strict=True)
        if follows >= 0
    ]
    parts = ["All marks move by the same share."]
    if moving:
        parts.append(f"Collateral moves too: {', '.join(moving)}.")
    return " ".join([*parts, _trigger_rule(report), _maintenance_rule(report)])


def _trigger_rule(report: MarginReport) -> str:
    sign = "≤" if report.books.book.triggers_at_equality else "<"
    return f"Liquidated when margin balance {sign} maintenance margin."


def _maintenance_rule(report: MarginReport) -> str:
    venue = report.books.state.venue
    fee = (
        f"with the closing fee of {fmt.percent(venue.closing_fee, 3)}"
        if venue.closing_fee
        else "without closing fee"
    )
    return f"Maintenance margin on the notional at {venue.maintenance_at} price, {fee}."


def _haircut_rule(report: MarginReport) -> str:
    assets = [
        asset
        for asset, steps in zip(report.books.assets, report.books.book.haircuts.steps, strict=True)
        if steps.any()
    ]
    if not assets:
        return "No haircuts."
    return f"Haircut on {', '.join(assets)}: wallet and unrealised PnL netted, positive part only."
