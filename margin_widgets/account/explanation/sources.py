"""Which of a venue's sources a figure rests on."""

from __future__ import annotations

from collections.abc import Mapping

from margin_widgets.account.report import MarginReport
from margin_widgets.engine.options import is_option

_BY_TIERS = (
    *("tiers", "tiers_by", "tier_rate", "size_slopes", "maintenance_at"),
    *("closing_fee_in_maintenance", "closing_fee_at"),
)
_BY_RATES = ("initial_tiers", "open_interest", "size_slopes", "closing_fee_in_initial")
_MAINTENANCE = (*_BY_TIERS, "option_margin", "liability_rates", "portfolio")
_INITIAL = (*_BY_RATES, "option_margin", "portfolio")
_BALANCE = ("haircuts", "imf_factors", "cross_pool")
_TRIGGER = (*_MAINTENANCE, *_BALANCE, "trigger", "trigger_level")
_VALUE = ("contracts", "default_contract", "option_multipliers")

_RULES: dict[str, tuple[str, ...]] = {
    "maintenance_margin": _MAINTENANCE,
    "initial_margin": _INITIAL,
    "margin": _INITIAL,
    "margin_balance": (*_BALANCE, "option_margin"),
    "available": (*_BALANCE, *_INITIAL),
    "effective_leverage": _BALANCE,
    "collateral_utilization": (*_BALANCE, *_INITIAL),
    "counted": ("haircuts", "imf_factors"),
    "margin_ratio": (*_MAINTENANCE, *_BALANCE, "margin_ratio"),
    "liquidation_price": (*_TRIGGER, "formulas"),
    "liquidation_prices": (*_TRIGGER, "formulas"),
    "distance": (*_TRIGGER, "formulas"),
    "liquidation_shock": _TRIGGER,
    "liquidation_shocks": _TRIGGER,
    "status": _TRIGGER,
    "pool": ("cross_pool",),
    "condition": ("cross_pool",),
}
"""Rules by figure; all others rest on what a contract is, and on inputs."""

_OWN = ("maintenance_margin", "initial_margin", "margin")
"""Figures that a position has by itself, whatever else is held."""


def sources_of(report: MarginReport, figure: str, *, option: bool | None = None) -> tuple[str, ...]:
    """Sources of the rules behind a figure, each with its rule; all where rules have no own.

    Parameters
    ----------
    report : MarginReport
    figure : str
    option : bool, optional
        Whether the position that the figure is of is an option; not given for other figures.
    """
    books, venue = report.books, report.books.state.venue
    if not isinstance(venue.sources, Mapping):
        return venue.source_lines
    wanted = _RULES.get(figure, _VALUE)
    options = is_option(books.book)
    portfolio = report.ledger.portfolio is not None
    futures = not options.all() or not len(options)
    optioned = bool(options.any())
    if option is not None and figure in _OWN:
        futures, optioned = not option, option
    if venue.closing_fee and "closing_fee_at" in wanted:
        wanted = (*wanted, "taker_fee")
    by_rates = {*_BY_TIERS, *_BY_RATES, "taker_fee", "formulas"}
    idle = {
        **dict.fromkeys(by_rates, portfolio or not futures),
        "portfolio": not portfolio,
        "option_margin": portfolio or not optioned,
        "option_multipliers": not optioned,
        "liability_rates": not books.book.has_loan_margin,
    }
    held = {*(row.symbol for row in books.state.positions), *books.assets}
    found = []
    for rule, source in venue.sources.items():
        name, _, entry = rule.partition(" of ")
        if name in wanted and not idle.get(name) and (not entry or entry in held):
            found.append(f"{rule}: {source}")
    return tuple(found)
