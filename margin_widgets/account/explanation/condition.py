"""The condition on which a pool falls, with its values at given marks."""

from __future__ import annotations

import numpy as np

from margin_widgets.account.explanation.pool import LOANS, Pool, Stand
from margin_widgets.account.explanation.sheet import Derived, Sheet
from margin_widgets.account.explanation.terms import Term, let
from margin_widgets.engine.book import Bools, Floats
from margin_widgets.engine.options import is_option


def moved(pool: Pool, symbol: int | None, factor: float) -> Floats:
    """Factors (S,) on the marks: on one symbol's, or on all; options follow their underlying."""
    symbols = np.arange(len(pool.apart.book.inverse))
    return np.where((symbols == symbol) | (symbol is None), factor, 1.0)


def sides(pool: Pool, stand: Stand, sheet: Sheet, *, maintained: bool = True) -> tuple[Term, Term]:
    """Write margin balance and requirement of a pool; equity and nothing if not maintained."""
    if not maintained:
        return _worth(pool, stand, stand.worth, sheet), Term("0", 0.0)
    return holds(pool, stand, sheet), _requirement(pool, stand, sheet)


def holds(pool: Pool, stand: Stand, sheet: Sheet) -> Term:
    """Write the margin balance of a pool."""
    balance = _worth(pool, stand, stand.counted, sheet)
    if not stand.haircut:
        return balance
    return balance - let(sheet, "H", "haircut", stand.haircut, pool.report.currency)


def _worth(pool: Pool, stand: Stand, added: Floats, sheet: Sheet) -> Term:
    currency = pool.report.currency
    wallet = let(sheet, "W", f"collateral of pool {pool.name}", stand.collateral, currency)
    return with_positions(sheet, wallet, added, is_option(stand.ledger.book), currency)


def with_positions(sheet: Sheet, wallet: Term, added: Floats, option: Bools, currency: str) -> Term:
    """Add what positions (N,) add to a wallet: futures their profit, options their value."""
    if not option.any():
        return wallet + _sum(sheet, "ΣuPnL", "unrealised PnL", added, ~option, currency)
    if not option.all():
        meaning = "unrealised PnL of the futures"
        wallet += _sum(sheet, "ΣuPnL_fut", meaning, added, ~option, currency)
    if added[option].any():
        wallet += _sum(sheet, "ΣV", "value of the options", added, option, currency)
    return wallet


def explained(
    pool: Pool,
    factors: Floats,
    left: str,
    found: tuple[str, str, float, str],
    text: str,
    *,
    shift: str = "",
    maintained: bool = True,
) -> Derived:
    """Print the condition at marks times factors, for a value that was found by search.

    Parameters
    ----------
    pool : Pool
    factors : ndarray (S,)
    left : str
        Symbol of the figure.
    found : (name, meaning, value, unit)
        What the search found.
    text : str
        The figure as printed.
    shift : str
        What is added to what was found.
    """
    sheet = Sheet()
    solved = sheet.let(*found)
    first, second = sides(pool, pool.at(factors), sheet, maintained=maintained)
    name = "margin balance = requirement" if maintained else "equity = 0"
    condition = f"{first.text} = {second.text}"
    sheet.say(f"{name} at {found[0]}: {sheet.named(condition)}", sheet.valued(condition))
    return sheet.derive(left, solved + shift, text)


def _sum(
    sheet: Sheet, name: str, meaning: str, amounts: Floats, which: Bools, currency: str
) -> Term:
    return let(sheet, name, meaning, float(amounts[which].sum()), currency)


def _requirement(pool: Pool, stand: Stand, sheet: Sheet) -> Term:
    currency = pool.report.currency
    if stand.ledger.portfolio is not None:
        meaning = "portfolio margin: worst loss over the scenarios, and contingencies"
        owed = let(sheet, "PM", meaning, stand.requirement - stand.loans, currency)
    else:
        total = float(stand.maintenance.sum())
        owed = let(sheet, "ΣMM", "maintenance margin of the positions", total, currency)
    if stand.loans:
        owed += let(sheet, "B", LOANS, stand.loans, currency)
    if pool.level == 1:
        return owed
    return let(sheet, "λ", "level at which the venue liquidates", pool.level) * owed
