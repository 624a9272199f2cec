"""The heat map of two shocks: every cell through liquidation on the way, in both modes."""

from __future__ import annotations

from collections.abc import Iterator

import margin_widgets as mw
from bench import books
from bench.report import Row, milliseconds
from margin_widgets.account.shock_map import shock_map

POINTS = 41


def rows() -> Iterator[Row]:
    """Measure a map of 41 x 41 cells after an edit; what is aimed at is for 50 positions."""
    for count, aim, residual in ((2, None, "kept"), (50, 15.0, "kept"), (50, None, "returned")):
        account = books.account(count)
        account.venue = account.venue.replace(residual=residual)
        symbol = account.positions[0].symbol

        def draw(i: int, account: mw.Account = account, symbol: str = symbol) -> None:
            account.marks[symbol] = books.MARK + 0.01 * (i % 5)
            grid = shock_map(account, points=POINTS)
            _ = grid.difference, grid.isolated_closed, grid.cross_closed

        def edit(i: int, account: mw.Account = account, symbol: str = symbol) -> None:
            account.marks[symbol] = books.MARK + 0.01 * (i % 5)

        both, alone = milliseconds(draw, 51), milliseconds(edit, 51)
        yield Row(
            f"heat map {POINTS} x {POINTS}, {count} positions, residual {residual}",
            both - alone,
            "ms",
            aim,
            f"computing alone; the edit before it took {alone:.2g} ms",
        )
