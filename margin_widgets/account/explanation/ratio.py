"""A venue's own margin ratio: which figure over which, and where it liquidates."""

from __future__ import annotations

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation.pool import Pool
from margin_widgets.account.explanation.sheet import Sheet
from margin_widgets.account.explanation.venue_formulas import VenueFormula
from margin_widgets.account.ratios import RatioReading, read
from margin_widgets.account.report import MarginReport

_SYMBOLS = {
    "maintenance margin": "MM",
    "margin balance": "MB",
    "equity": "EQ",
    "initial margin": "IM",
    "wallet balance": "WB",
}


def of_report(report: MarginReport) -> VenueFormula | None:
    """Write the ratio of the pool nearest to liquidation; None without any that can be."""
    exposed = report.ledger.exposed.any()
    return _written(report, report.venue_margin_ratio) if exposed else None


def of_pool(pool: Pool) -> VenueFormula:
    """Write the ratio of a pool."""
    figures, stand = pool.figures, pool.now
    amounts = {
        "maintenance margin": stand.requirement,
        "margin balance": stand.balance,
        "equity": figures.equity,
        "initial margin": figures.initial_margin,
        "wallet balance": stand.collateral,
    }
    books = pool.report.books
    equal, ratio = books.book.triggers_at_equality, books.state.venue.margin_ratio
    return _written(pool.report, read(ratio, pool.name, amounts, at_equality=equal))


def _written(report: MarginReport, reading: RatioReading) -> VenueFormula:
    convention, venue = reading.convention, report.books.state.venue
    sheet = Sheet()
    above, below = (
        sheet.let(_SYMBOLS[figure], f"{figure} of pool {reading.pool}", amount, report.currency)
        for figure, amount in (
            (convention.numerator, reading.numerator),
            (convention.denominator, reading.denominator),
        )
    )
    text = "none, for it is over nothing"
    if reading.value is not None:
        shown = fmt.percent if convention.percent else fmt.plain
        text = shown(reading.value, 2 if convention.percent else 4)
    derived = sheet.derive(convention.name, f"{above} / {below}", text)
    return VenueFormula(
        id="ratio",
        title=f"{venue.title or venue.name}: {convention}",
        lines=derived.lines,
        symbols=derived.symbols,
        value=reading.value,
        note=f"it {'falls' if reading.falls else 'rises'} towards liquidation",
    )
