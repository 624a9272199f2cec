"""Which of a venue's sources a figure rests on."""

from __future__ import annotations

import re
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

_WORDS = {
    "closing_fee_at": "closing fee, at which price",
    "closing_fee_in_initial": "closing fee in the initial margin",
    "closing_fee_in_maintenance": "closing fee in the maintenance margin",
    "cross_pool": "what shares one pool",
    "default_contract": "contracts that are not listed",
    "imf_factors": "discount on large collateral",
    "initial_tiers": "tiers of the initial margin",
    "liability_rates": "maintenance margin of what is borrowed",
    "maintenance_at": "price that maintenance margin is taken on",
    "margin_ratio": "margin ratio",
    "open_interest": "open interest",
    "option_margin": "margin of options",
    "option_multipliers": "coins in an option",
    "portfolio": "portfolio margin",
    "size_slopes": "rates that rise with size",
    "taker_fee": "taker fee",
    "tier_rate": "how a tier's rate is used",
    "tiers_by": "what the tiers go by",
    "trigger": "when it liquidates",
    "trigger_level": "margin ratio that liquidates",
}
"""Rules whose names in a rule set are no words of the trade."""

_GIVEN = "given by the user"


def _named(rule: str) -> str:
    """A rule, and the entry of it if one is meant, in words."""
    name, of, entry = rule.partition(" of ")
    return f"{_WORDS.get(name, name)}{of}{entry}"


def _said(source: str) -> str:
    """A source whose references to other rules are words too."""
    return re.sub(r"\bas for (\w+)", lambda found: f"as for {_named(found[1])}", source)


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
        own = "put together for this account, not published by a venue"
        return tuple(own if one == _GIVEN else one for one in venue.source_lines)
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
            found.append(f"{_named(rule)}: {_said(source)}")
    return tuple(found)
