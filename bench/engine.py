"""One edit, both reports with every liquidation price, both curves; beside the bare sums."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import margin_widgets as mw
from bench import books
from bench.report import Row, milliseconds
from margin_widgets.account.verdict import verdict

POINTS = 400


def recompute(account: mw.Account, quantity: float) -> None:
    """Edit the first position and read all that the dashboard shows of it."""
    position = account.positions[0]
    position.quantity = quantity
    for report in (account.isolated, account.cross):
        _ = report.equity, report.maintenance_margin, report.margin_ratio, report.available
        _ = report.column("liquidation_price")
    _ = account.isolated.liquidation_shock, account.cross.liquidation_shock
    curve = account.curve(shock=True, low=-0.5, high=0.5, points=POINTS)
    _ = curve.isolated.equity, curve.cross.equity


def sums(sizes: np.ndarray, entries: np.ndarray, marks: np.ndarray) -> None:
    """Evaluate PnL and tiered maintenance of every position at every point, as NumPy writes it."""
    grid = marks * np.linspace(0.5, 1.5, POINTS)[:, None]
    for _mode in ("isolated", "cross"):
        pnl = sizes * (grid - entries)
        notional = np.abs(sizes) * grid
        maintenance = np.zeros_like(notional)
        below = 0.0
        for floor, rate in books.TIERS:
            maintenance += (rate - below) * np.maximum(0.0, notional - floor)
            below = rate
        pnl.sum(axis=1)
        maintenance.sum(axis=1)


def rows() -> Iterator[Row]:
    """Measure 10 and 1,000 positions."""
    for count, aim, repeats in ((10, 2.0, 101), (1_000, 20.0, 31)):
        account = books.account(count)
        sizes, price = books.quantities(count), np.full(count, books.MARK)
        size = abs(float(sizes[0]))

        def edit(i: int, account: mw.Account = account, size: float = size) -> None:
            recompute(account, size + i % 7 + 1)

        def bare(_: int, sizes: np.ndarray = sizes, price: np.ndarray = price) -> None:
            sums(sizes, price, price)

        ours, plain = milliseconds(edit, repeats), milliseconds(bare, repeats)
        yield Row(
            f"edit, reports and curves, {count:,} positions",
            ours,
            "ms",
            aim,
            f"the same sums in plain NumPy: {plain:.3g} ms, ratio {ours / plain:.2f}",
        )
    for count, aim in ((10, 3.0), (200, 15.0)):
        account = books.account(count)

        def judge(i: int, account: mw.Account = account) -> None:
            account.marks[account.positions[0].symbol] = books.MARK + i % 7 + 1
            verdict(account)

        yield Row(f"edit and its verdict, {count} positions", milliseconds(judge, 31), "ms", aim)
