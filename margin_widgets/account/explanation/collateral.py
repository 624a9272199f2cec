"""Inputs and what follows from them alone: marks and collateral."""

from __future__ import annotations

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation.assumptions import of_asset_price
from margin_widgets.account.explanation.explanation import Explanation, Question
from margin_widgets.account.explanation.sheet import Sheet
from margin_widgets.account.explanation.shown import (
    EXACT,
    Shown,
    price_unit,
    show_amount,
    show_price,
)
from margin_widgets.account.report import MarginReport
from margin_widgets.engine.valuation import count_as_margin


def explain_mark(question: Question, symbol: int) -> Explanation:
    """Explain the mark of a symbol."""
    report, books = question.report, question.report.books
    contract, value = books.contracts[symbol], float(report.ledger.marks[symbol])
    if books.symbols[symbol] in books.state.marks:
        name, meaning, assumes = (
            "P",
            "mark price, as given",
            "The mark price is given, not calculated.",
        )
    else:
        name, meaning = "E", "entry price, as no mark is given"
        assumes = "Without a mark the entry price stands for it."
    sheet = Sheet()
    shown = show_price(value, contract, none="")
    template = sheet.let(name, meaning, value, price_unit(contract))
    derived = sheet.derive(f"mark of {books.symbols[symbol]}", template, shown.text)
    return question.answer(value, shown, derived, assumes)


def explain_collateral(report: MarginReport, asset: int, figure: str, path: str) -> Explanation:
    """Explain the price of an asset ("price"), or what the wallet's amount of it is worth.

    At market (""), or as far as it counts as margin ("counted").
    """
    if figure == "price":
        return _explain_price(report, asset, path)
    book, name = report.books.book, report.books.assets[asset]
    held, assumes = book.wallet, of_asset_price(report.books, asset)
    title = f"{name} collateral, market value"
    sheet = Sheet()
    template = sheet.let(name, f"{name} in the wallet", float(held[asset]), name)
    if figure == "counted":
        title = f"{name} collateral, counted as margin"
        assumes += " The wallet alone; in a pool, unrealised PnL settled in it is netted first."
        template = _less_haircut(report, asset, sheet, template)
        held = count_as_margin(book, held)
    price = float(report.ledger.marked.asset_prices[asset])
    if name != report.currency:
        template += "·" + sheet.let("p", f"price of {name}", price, report.currency)
    value = float(held[asset]) * price
    shown = show_amount(value, report.currency)
    derived = sheet.derive("value", template, shown.text)
    return Question(report, path, title).answer(value, shown, derived, assumes)


def _less_haircut(report: MarginReport, asset: int, sheet: Sheet, amount: str) -> str:
    """Write an amount less its haircut, band by band as far as the amount reaches."""
    book, name = report.books.book, report.books.assets[asset]
    bands = zip(book.haircuts.floors[asset], book.haircuts.steps[asset], strict=True)
    cuts = []
    for floor, step in bands:
        if step and book.wallet[asset] > floor:
            meaning = f"haircut added above {fmt.plain(float(floor))}"
            share, over = sheet.let("h", meaning, float(step)), amount
            if floor:
                over = f"({amount} − {sheet.let('floor', 'of the band', float(floor), name)})"
            cuts.append(f"{share}·{over}")
    return f"({amount} − {' − '.join(cuts)})" if cuts else amount


def _explain_price(report: MarginReport, asset: int, path: str) -> Explanation:
    books, book = report.books, report.books.book
    name, value = books.assets[asset], float(report.ledger.marked.asset_prices[asset])
    follows, factor = int(book.asset_symbol[asset]), float(book.asset_price[asset])
    origin = of_asset_price(books, asset)
    sheet = Sheet()
    template = sheet.let("p", origin, factor, report.currency)
    if follows >= 0:
        mark = float(report.ledger.marks[follows])
        template = sheet.let("P", f"mark of {books.symbols[follows]}", mark)
        if factor != 1:
            quote = books.contracts[follows].quote
            template += "·" + sheet.let("k", f"price of {quote}", factor, report.currency)
    shown = Shown(f"{fmt.price(value)} {report.currency}", f"{EXACT}; about six digits shown")
    derived = sheet.derive(f"price of {name}", template, shown.text)
    return Question(report, path, f"{name}, price").answer(value, shown, derived, origin)
