"""What a figure takes for granted, in sentences."""

from __future__ import annotations

from collections.abc import Collection

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.explanation.leg import Leg
from margin_widgets.account.report import MarginReport
from margin_widgets.engine.options import is_option

AT_MARKS = "Present marks."

BELOW = (
    "A pool is below maintenance at the present marks and would be liquidated now; for such a pool"
    " this is where it would be back above."
)
_MOST_MARKS = 8
_BY_STANDARD = "Options by the venue's standard margin: bought ones owe nothing."


def of_margin(report: MarginReport) -> str:
    """Of a maintenance margin."""
    return f"{AT_MARKS} {_maintenance_rule(report)}"


def of_initial(report: MarginReport) -> str:
    """Of an initial margin."""
    if report.ledger.portfolio is not None:
        return f"{AT_MARKS} {_maintenance_rule(report)}"
    return f"{AT_MARKS} Isolated positions at entry price, pooled ones at mark."


def of_own_margin(leg: Leg) -> str:
    """Of the maintenance margin of one position."""
    return f"{AT_MARKS} {_BY_STANDARD}" if leg.option else of_margin(leg.report)


def of_trigger(report: MarginReport) -> str:
    """Of a comparison of margin balance with maintenance margin."""
    return f"{of_margin(report)} {_trigger_rule(report)}"


def of_haircuts(report: MarginReport) -> str:
    """Of a margin balance."""
    books = report.books
    cut = [
        asset
        for asset, steps in zip(books.assets, books.book.haircuts.steps, strict=True)
        if steps.any()
    ]
    parts = [AT_MARKS, "No haircuts."]
    if cut:
        parts[1] = (
            f"Haircut on {', '.join(cut)}: wallet and unrealised PnL netted, positive part only."
        )
    return " ".join([*parts, *_option_value(report)])


def of_price(leg: Leg, *, maintained: bool = True) -> str:
    """Of a liquidation price; of a bankruptcy price if nothing need be maintained."""
    report, books = leg.report, leg.report.books
    held = report.held_symbols(leg.index)
    stays = [
        f"{books.symbols[s]} stays at"
        f" {fmt.price(float(report.ledger.marks[s]), books.contracts[s].tick)}"
        for s in held[:_MOST_MARKS]
    ]
    if len(held) > _MOST_MARKS:
        stays.append(f"{len(held) - _MOST_MARKS} other marks stay")
    parts = [f"{'; '.join(stays)}." if stays else "It depends on no other mark."]
    parts += [
        f"{books.assets[asset]} moves with {books.symbols[leg.symbol]}."
        for asset in leg.pool.assets
        if books.book.asset_symbol[asset] == leg.symbol
    ]
    follow = options_on(books, [books.symbols[leg.symbol]])
    if follow:
        parts.append(follow)
    if maintained and report.positions[leg.index].status != "ok":
        parts.insert(0, BELOW)
    if maintained:
        parts += [_trigger_rule(report), _maintenance_rule(report)]
    else:
        parts.append("Equity at market value, no haircut, no maintenance margin.")
    return " ".join(parts)


def of_shock(report: MarginReport) -> str:
    """Of a common move of all marks."""
    books = report.books
    moving = [
        f"{asset} with {books.symbols[follows]}"
        for asset, follows in zip(books.assets, books.book.asset_symbol.tolist(), strict=True)
        if follows >= 0
    ]
    parts = ["All marks move by the same share."]
    if report.status != "ok":
        parts.insert(0, BELOW)
    if moving:
        parts.append(f"Collateral moves too: {', '.join(moving)}.")
    follow = options_on(books, books.symbols)
    if follow:
        parts.append(follow)
    return " ".join([*parts, _trigger_rule(report), _maintenance_rule(report)])


def options_on(books: Books, symbols: Collection[str]) -> str:
    """Say how the options on moving symbols follow them; nothing without any."""
    held = (books.contracts[symbol] for symbol in books.book.symbol)
    moving = dict.fromkeys(str(one.underlying) for one in held if one.underlying in symbols)
    if not moving:
        return ""
    return f"Options follow {', '.join(moving)} by Black (1976) at the volatility of their marks."


def of_asset_price(books: Books, asset: int) -> str:
    """Of the price of an asset: where it comes from."""
    name, follows = books.assets[asset], int(books.book.asset_symbol[asset])
    if name in books.state.prices:
        return f"The price of {name} is an input and does not move."
    if follows >= 0:
        return f"The price of {name} follows the mark of {books.symbols[follows]}."
    if name == books.state.venue.currency:
        return f"{name} is the account's currency."
    return f"{name} is taken as worth one {books.state.venue.currency}."


def _trigger_rule(report: MarginReport) -> str:
    book = report.books.book
    sign = "≤" if book.triggers_at_equality else "<"
    level = "" if book.trigger_level == 1 else f"{book.trigger_level:g} × "
    rule = f"Liquidated when margin balance {sign} {level}maintenance margin."
    return " ".join([rule, *_option_value(report)])


def _option_value(report: MarginReport) -> list[str]:
    """Say where options are held whose value is no margin."""
    options = report.books.book.options
    if options is None or report.ledger.portfolio or options.margin.value_in_margin_balance:
        return []
    held = is_option(report.books.book).any()
    return ["The value of options is no part of the margin balance."] if held else []


def _maintenance_rule(report: MarginReport) -> str:
    venue, book = report.books.state.venue, report.books.book
    loans = (
        "Amounts that the wallet owes have a maintenance margin too; unrealised losses have none."
    )
    lent = [loans] if book.has_loan_margin else []
    if report.ledger.portfolio is not None:
        scenarios = (
            "Portfolio margin of each underlying is its worst loss over the scenarios and the"
            " contingencies, at least the minimum charge."
        )
        return " ".join([scenarios, *lent])
    option = is_option(book)
    if len(option) and option.all():
        return " ".join([_BY_STANDARD, *lent])
    fee = "without closing fee"
    if venue.closing_fee:
        where = {
            "mark": "",
            "bankruptcy": " at the bankruptcy price",
            "worst bankruptcy": " at the bankruptcy price of a short",
        }[venue.closing_fee_at]
        fee = f"with the closing fee of {fmt.percent(venue.closing_fee, 3)}{where}"
    parts = [f"Maintenance margin on the notional at {venue.maintenance_at} price, {fee}."]
    if venue.tiers_by != "notional":
        parts.append(f"The tier is that of the size in {_SIZES[venue.tiers_by]}.")
    if venue.tier_rate == "whole":
        parts.append("Its rate holds for the whole position.")
    if option.any():
        parts.append(_BY_STANDARD)
    return " ".join([*parts, *lent])


_SIZES = {"size": "coins", "contracts": "contracts"}
