"""Common moves of all marks that liquidate."""

from __future__ import annotations

from margin_widgets.account.explanation import condition
from margin_widgets.account.explanation.assumptions import of_shock
from margin_widgets.account.explanation.equation import Equation, without_rounding
from margin_widgets.account.explanation.explanation import Explanation, Question
from margin_widgets.account.explanation.pool import Pool
from margin_widgets.account.explanation.sheet import Derived, Sheet, both_sides, in_words
from margin_widgets.account.explanation.shown import Shown, show_share
from margin_widgets.account.report import MarginReport
from margin_widgets.engine.ray import Ray, together

Shocks = tuple[float | None, float | None]


def first_pools(report: MarginReport) -> list[Pool | None]:
    """Pools that a common move down and one up liquidate first."""
    found: list[Pool | None] = []
    for side in (0, 1):
        shocks = [pool.liquidation_shocks[side] for pool in report.pools]
        given = [(abs(shock), pool) for pool, shock in enumerate(shocks) if shock is not None]
        found.append(Pool(report, min(given)[1]) if given else None)
    return found


def explain_shock(question: Question, value: float | None, pool: Pool | None) -> Explanation:
    """Explain the move that liquidates a pool."""
    shown = show_share(value, none="no common move", sign=True)
    if value is None or pool is None:
        derived = _no_shock(question.report, pool)
    elif pool.fallen:
        derived = _no_move_needed(pool, shown.text)
    else:
        derived = _derive(pool, value, shown.text)
    return question.answer(value, shown, derived, of_shock(question.report))


def explain_both_shocks(
    question: Question, shocks: Shocks, pools: list[Pool | None]
) -> Explanation:
    """Explain the moves down and up, each of which liquidates its pool."""
    sides = []
    for side, value, pool in zip(("down", "up"), shocks, pools, strict=True):
        shown = show_share(value, none="none", sign=True)
        derived = None
        if value is not None and pool is not None:
            derived = (
                _no_move_needed(pool, shown.text)
                if pool.fallen
                else _derive(pool, value, shown.text)
            )
        sides.append((side, shown.text, derived))
    text, both = both_sides(sides)
    if shocks == (None, None):
        both = _no_shock(question.report, pools[0])
    return question.answer(None, Shown(text, shown.rounding), both, of_shock(question.report))


def _no_shock(report: MarginReport, pool: Pool | None) -> Derived:
    if not report.pools:
        return in_words("no positions, so nothing can be liquidated")
    name = f"pool {pool.name}" if pool else "any pool"
    return in_words(f"no common move of all marks brings {name} to its maintenance margin")


def _no_move_needed(pool: Pool, text: str) -> Derived:
    sheet = Sheet()
    sheet.say(f"pool {pool.name} is below maintenance at the present marks: no move is needed")
    return sheet.derive("x", "0", text)


def _derive(pool: Pool, value: float, text: str) -> Derived:
    """Use the formula for linear contracts on fixed collateral; else an equation."""
    book = pool.report.books.book
    if pool.apart.curved:
        return _by_condition(pool, value, text)
    follows = (book.asset_symbol[pool.assets] >= 0).any()
    loans = pool.at(condition.moved(pool, None, 1 + value)).loans
    if follows or loans or pool.level != 1 or book.position_inverse[pool.members].any():
        return _by_equation(pool, value, text)
    return _by_notional(pool, value, text)


def _by_condition(pool: Pool, value: float, text: str) -> Derived:
    found = ("u*", "factor on all marks at which they are equal, found by search", 1 + value, "")
    factors = condition.moved(pool, None, 1 + value)
    return condition.explained(pool, factors, "x", found, text, shift=" − 1")


def _by_equation(pool: Pool, value: float, text: str) -> Derived:
    ray, u = _common_ray(pool), 1 + value
    required = ray.requirement.terms_at(0, u)
    balance = ray.equity[0] - ray.haircut.terms_at(0, u)
    name = "requirement" if pool.level == 1 else f"{pool.level:g} × requirement"
    equation = Equation(
        unknown="u",
        meaning="u = 1 + x on all marks",
        sides=(f"margin balance of pool {pool.name}", name),
        terms=(without_rounding(balance), without_rounding(required * pool.level)),
        currency=pool.report.currency,
    )
    return equation.solved("x", u, text, shift=" − 1")


def _common_ray(pool: Pool) -> Ray:
    return together(pool.apart.marked, pool.apart.partition)


def _by_notional(pool: Pool, value: float, text: str) -> Derived:
    """Divide what can be lost by what is lost per relative move."""
    ledger, book, currency = pool.report.ledger, pool.report.books.book, pool.report.currency
    members, ray = pool.members, _common_ray(pool)
    required = ray.requirement.terms_at(0, 1 + value)
    haircut = ray.haircut.terms_at(0, 1 + value)
    size, worth = book.size[members], ledger.marked.asset_prices[book.position_settle[members]]
    sheet = Sheet()

    def term(name: str, meaning: str, amount: float) -> str:
        return sheet.let(name, meaning, float(amount), currency)

    entry = (size * book.entry[members] * worth).sum()
    mark = (size * ledger.marked.price[members] * worth).sum()
    above = term("Σq·E", f"signed notional at entry in pool {pool.name}", entry)
    above += " − " + pool.collateral(sheet, currency)
    below = term("Σq·P", "signed notional at mark", mark)
    if haircut[0]:
        above += " + " + term("H", "haircut that does not move", haircut[0])
    if haircut[1]:
        below += " − " + term("H_u", "haircut that moves with the marks", haircut[1])
    if book.maintenance_at_entry:
        above += " + " + term("ΣMM", "maintenance margin at entry", required[0])
    else:
        fees = ", less closing fees fixed at entry" if book.fixed[members].any() else ""
        above += " − " + term(
            "ΣA", f"maintenance amounts, tiers after the move{fees}", -required[0]
        )
        below += " − " + term(
            "Σm·|q|·P",
            "notional times maintenance rate, closing fee at mark included, tiers after the move",
            required[1],
        )
    return sheet.derive("x", f"({above}) / ({below}) − 1", text)
