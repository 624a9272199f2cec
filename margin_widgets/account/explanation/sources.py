"""Which of a venue's sources a figure rests on."""

from __future__ import annotations

from collections.abc import Mapping

from margin_widgets.account.report import MarginReport

_MAINTENANCE = (
    *("tiers", "tiers_by", "tier_rate", "size_slopes", "maintenance_at", "option_margin"),
    *("closing_fee_in_maintenance", "closing_fee_at", "liability_rates", "portfolio"),
)
_INITIAL = ("initial_tiers", "open_interest", "size_slopes", "closing_fee_in_initial")
_BALANCE = ("haircuts", "imf_factors", "cross_pool")
_TRIGGER = (*_MAINTENANCE, *_BALANCE, "trigger", "trigger_level")
_VALUE = ("contracts", "default_contract")

_RULES: dict[str, tuple[str, ...]] = {
    "maintenance_margin": _MAINTENANCE,
    "initial_margin": (*_INITIAL, "option_margin"),
    "margin": (*_INITIAL, "option_margin"),
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


def sources_of(report: MarginReport, figure: str) -> tuple[str, ...]:
    """Sources of the rules behind a figure, each with its rule; all where rules have no own."""
    books, venue = report.books, report.books.state.venue
    if not isinstance(venue.sources, Mapping):
        return venue.source_lines
    wanted = _RULES.get(figure, _VALUE)
    if venue.closing_fee and "closing_fee_at" in wanted:
        wanted = (*wanted, "taker_fee")
    idle = {
        "portfolio": report.ledger.portfolio is None,
        "option_margin": books.book.options is None,
        "liability_rates": not books.book.has_loan_margin,
    }
    held = {*(row.symbol for row in books.state.positions), *books.assets}
    found = []
    for rule, source in venue.sources.items():
        name, _, entry = rule.partition(" of ")
        if name in wanted and not idle.get(name) and (not entry or entry in held):
            found.append(f"{rule}: {source}")
    return tuple(found)
