"""A book's pools as the positions that portfolio margin is found on."""

from __future__ import annotations

import numpy as np

from margin_widgets.engine import portfolio
from margin_widgets.engine.book import Book, Floats, Ints
from margin_widgets.engine.marked import MarkedBook
from margin_widgets.engine.partition import Partition
from margin_widgets.engine.portfolio import PortfolioRequirement, PortfolioRules, RiskPositions


def risk_positions(book: Book, members: Ints) -> RiskPositions:
    """Some positions of a book, by underlying."""
    assert book.units is not None
    symbol, options = book.symbol[members], book.options
    nothing = np.zeros(len(members))
    return RiskPositions(
        units=book.units.names,
        unit=book.units.of_symbol[symbol],
        kind=np.zeros(len(members), dtype=np.intp) if options is None else options.kind[symbol],
        in_coin=book.inverse[symbol] | (False if options is None else options.in_coin[symbol]),
        size=book.size[members],
        strike=nothing if options is None else np.nan_to_num(options.strike[symbol]),
        years=nothing if options is None else options.years[symbol],
        volatility=nothing if options is None else options.volatility[symbol],
    )


def pool_requirement(
    marked: MarkedBook, members: Ints, rules: PortfolioRules
) -> PortfolioRequirement:
    """Portfolio margin of some positions per underlying, in the valuation currency (..., U)."""
    book = marked.book
    assert book.units is not None
    found = portfolio.requirement(
        rules,
        risk_positions(book, members),
        marked.price[..., members],
        marked.marks[..., book.units.index],
    )
    worth = book.units.quote_price
    return PortfolioRequirement(
        maintenance=found.maintenance * worth,
        initial=found.initial * worth,
        worst=found.worst * worth,
        scenario=found.scenario,
        contingencies={name: amount * worth for name, amount in found.contingencies.items()},
        minimum=found.minimum * worth,
    )


def requirements(
    marked: MarkedBook, partition: Partition, rules: PortfolioRules
) -> tuple[Floats, Floats]:
    """Maintenance and initial margin of each pool, in the valuation currency (..., P)."""
    pools = len(partition.wallet)
    shape = (*marked.marks.shape[:-1], pools)
    maintenance, initial = np.zeros(shape), np.zeros(shape)
    for pool in range(pools):
        members = np.flatnonzero(partition.pool == pool)
        if len(members):
            found = pool_requirement(marked, members, rules)
            maintenance[..., pool] = found.maintenance.sum(axis=-1)
            initial[..., pool] = found.initial.sum(axis=-1)
    return maintenance, initial
