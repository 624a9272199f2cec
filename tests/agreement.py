"""How the package is held against the judge: every figure of an account, every curve."""

from __future__ import annotations

import math
from decimal import Decimal
from pprint import pformat
from typing import Any

import numpy as np
import pytest
import reference
from random_accounts import numbered
from strategies import Spec, account

MODES = ("isolated", "cross", "configured")
ONE = Decimal(1)
CLOSE = Decimal("1e-9")
RESIDUAL = Decimal("1e-11")


@reference.exact
def check_spec(spec: Spec, *, modes: tuple[str, ...] = MODES, curves: bool = True) -> bool:
    """Hold an account against the judge; False if it stands at a tie and was not compared."""
    book = reference.Book(spec)
    if not clear_of_ties(book):
        return False
    ours = account(spec)
    for mode in modes:
        check_report(book, mode, getattr(ours, mode))
    if curves and spec["rules"].get("portfolio"):
        check_portfolio(book, ours.portfolio)
    if curves and spec["marks"]:
        symbols = [position["symbol"] for position in spec["positions"]]
        check_curves(book, ours, symbols[-1] if symbols else next(iter(spec["marks"])))
    return True


def check_numbered(venue: str, number: int) -> str:
    """Hold one of the numbered accounts against the judge; what is wrong with it, if anything.

    The configured mode has no pools but those of the other two, and a curve costs as much as all
    reports together, so that fewer accounts do for them.
    """
    spec = numbered(venue, number)
    try:
        check_spec(spec, modes=MODES if number % 4 == 0 else MODES[:2], curves=number % 20 == 0)
    except Exception as error:  # noqa: BLE001 - an account that cannot be computed is wrong too
        what = f"{type(error).__name__}: {error}"
        return f"{venue}, account {number}: {what}\n{pformat(spec, sort_dicts=False)}"
    return ""


def same(got: float | None, expected: Decimal | None, size: Decimal, what: str) -> None:
    """A figure agrees to 1e-9, or to rounding of the terms that it is the sum of."""
    if expected is None or got is None:
        assert got is expected, f"{what}: {got}, the judge says {expected}"
        return
    assert math.isfinite(got), f"{what}: {got}"
    slack = max(CLOSE * abs(expected), Decimal("1e-13") * size)
    wrong = abs(Decimal(got) - expected)
    assert wrong <= slack, f"{what}: {got!r}, the judge says {float(expected)!r}"


class Root:
    """A function whose root was searched: how large it is at `u`, against its terms."""

    def __init__(self, book: reference.Book, pool: reference.Pool, path: reference.Path, kind: str):
        self.book, self.pool, self.path, self.kind = book, pool, path, kind

    def residual(self, u: Decimal) -> Decimal:
        marks = self.path.marks(u)
        function = reference.excess if self.kind == "trigger" else reference.equity
        value = abs(function(self.book, self.pool, marks))
        return value / reference.scale(self.book, self.pool, marks)


def same_root(got: float | None, expected: Decimal | None, root: Root, what: str) -> None:
    """A root agrees to 1e-9, or the function is rounding noise where the package sees it.

    The second half is for pools whose slope nearly cancels: there the place of the root is not
    a property of numbers with 16 digits, but the residual is.
    """
    said = f"{what}: {got!r}, the judge says {None if expected is None else float(expected)!r}"
    if got is None and expected is None:
        return
    if got is None or expected is None:
        seen = Decimal(got) if expected is None else expected
        if root.path.name is None:
            seen = seen + 1 if expected is None else seen
        far = not Decimal("1e-12") < seen / root.path.start < Decimal("1e12")
        assert far or root.residual(seen) < Decimal("1e-15"), said
        return
    u = Decimal(got) + 1 if root.path.name is None else Decimal(got)
    at = expected
    if abs(u - at) <= CLOSE * abs(at):
        return
    if root.path.name is None and abs(u - at) < Decimal("4e-16"):
        return  # a move of nearly -100 % has no digits left that say how nearly
    assert u > 0, said
    assert root.residual(u) < RESIDUAL, said


def clear_of_ties(book: reference.Book) -> bool:
    """No pool stands exactly at its trigger: which side a tie falls on is rounding."""
    for mode in MODES:
        for pool in reference.partition(book, mode)[0]:
            if pool.is_paid_for:
                continue
            terms = reference.scale(book, pool, book.marks)
            for function in (reference.excess, reference.equity, reference.margin_balance):
                if abs(function(book, pool, book.marks)) < Decimal("1e-9") * terms:
                    return False
    return True


def check_report(book: reference.Book, mode: str, got: Any) -> None:
    """Every figure of a report and of its positions."""
    want = reference.report(book, mode)
    size = reference.account_scale(book)
    for name in (
        "equity",
        "margin_balance",
        "wallet_balance",
        "unrealized_pnl",
        "maintenance_margin",
        "initial_margin",
        "worst_loss",
    ):
        same(getattr(got, name), getattr(want, name), size, f"{mode}.{name}")
    if want.available is not None:
        same(got.available, want.available, size, f"{mode}.available")
    pools, _ = reference.partition(book, mode)
    same_ratio(book, pools, got.margin_ratio, want.margin_ratio, f"{mode}.margin_ratio")
    used = want.collateral_utilization
    same_quotient(got.collateral_utilization, used, f"{mode}.collateral_utilization")
    check_pools(book, pools, got)
    check_readings(book, pools, got)
    assert got.status == ("below maintenance" if want.below else "ok"), mode
    shock = reference.shock_path(book)
    by_name = {pool.name: pool for pool in pools}
    for i, side in enumerate(("down", "up")):
        if not pools:
            assert got.liquidation_shocks[i] is None, f"{mode}: a shock without a pool"
            continue
        # the pool that is nearest is the one whose residual may be asked for
        expected = want.liquidation_shocks[i]
        nearest = nearest_pool(book, pools, shock, i)
        same_root(
            got.liquidation_shocks[i],
            None if expected is None else expected + 1,
            Root(book, nearest, shock, "trigger"),
            f"{mode}.liquidation_shocks {side}",
        )
    assert list(got.positions.keys()) == list(want.positions), mode
    for key, figures in want.positions.items():
        position = got.positions[key]
        at = f"{mode}.positions[{key}]"
        leg = next(g for g in book.legs if g.key == key)
        pool = by_name[figures.pool]
        path = reference.price_path(book, leg.symbol)
        for name in (
            "notional",
            "unrealized_pnl",
            "margin",
            "initial_margin",
            "maintenance_margin",
        ):
            same(getattr(position, name), getattr(figures, name), size, f"{at}.{name}")
        same_ratio(book, [pool], position.margin_ratio, figures.margin_ratio, f"{at}.margin_ratio")
        trigger = Root(book, pool, path, "trigger")
        for i, side in enumerate(("lower", "upper")):
            same_root(
                position.liquidation_prices[i],
                figures.liquidation_prices[i],
                trigger,
                f"{at} {side} liquidation price",
            )
        check_nearer(position, path.start, at)
        same_root(
            position.bankruptcy_price,
            figures.bankruptcy_price,
            Root(book, pool, path, "bankruptcy"),
            f"{at}.bankruptcy_price",
        )
        moved = figures.liquidation_shock
        same_root(
            position.liquidation_shock,
            None if moved is None else moved + 1,
            Root(book, pool, shock, "trigger"),
            f"{at}.liquidation_shock",
        )


def check_portfolio(book: reference.Book, got: Any) -> None:
    """What pools must hold against the scenarios of a grid, and the prices at which they fall."""
    pools, _ = reference.partition(book, "portfolio")
    check_pools(book, pools, got)
    size = reference.account_scale(book)
    maintenance = sum(reference.requirement(book, pool, book.marks) for pool in pools)
    initial = sum(reference.portfolio_initial(book, pool) for pool in pools)
    same(got.maintenance_margin, Decimal(maintenance), size, "portfolio.maintenance_margin")
    same(got.initial_margin, Decimal(initial), size, "portfolio.initial_margin")
    for pool in pools:
        for leg in pool.legs:
            path = reference.price_path(book, leg.symbol)
            want = reference.triggers(book, pool, path)
            for i, price in enumerate(got.positions[leg.key].liquidation_prices):
                root = Root(book, pool, path, "trigger")
                same_root(price, want[i], root, f"portfolio.positions[{leg.key}] {i}")


def check_pools(book: reference.Book, pools: list[reference.Pool], got: Any) -> None:
    """The pools of a report: who is in them and what they hold."""
    seen = {pool.name: pool for pool in got.pools}
    assert set(seen) == {pool.name for pool in pools}
    for pool in pools:
        one, size = seen[pool.name], reference.scale(book, pool, book.marks)
        assert tuple(one.positions) == tuple(leg.key for leg in pool.legs)
        same(one.equity, reference.equity(book, pool, book.marks), size, pool.name)
        same(one.margin_balance, reference.margin_balance(book, pool, book.marks), size, pool.name)
        same(one.maintenance_margin, reference.requirement(book, pool, book.marks), size, pool.name)


def check_readings(book: reference.Book, pools: list[reference.Pool], got: Any) -> None:
    """Both senses of the margin ratio and the venue's own: which figures of which pool."""
    level = float(book.rules.level)
    rising, falling = got.margin_ratios
    assert rising.convention.liquidation_at == pytest.approx(1 / level)
    assert falling.convention.liquidation_at == pytest.approx(level)
    assert rising.value == got.margin_ratio or (rising.value is None and got.margin_ratio == 0)
    if rising.value and falling.value:
        assert falling.value == pytest.approx(1 / rising.value)
    if all(pool.is_paid_for for pool in pools):
        assert got.venue_margin_ratio.pool == ""
        return
    pool = next(pool for pool in pools if pool.name == got.venue_margin_ratio.pool)
    size = reference.scale(book, pool, book.marks)
    figures = reference.named_figures(book, pool)
    for reading in (rising, falling, got.venue_margin_ratio):
        for part in ("numerator", "denominator"):
            name = getattr(reading.convention, part)
            same(getattr(reading, part), figures[name], size, f"{pool.name} {name}")


def nearest_pool(
    book: reference.Book, pools: list[reference.Pool], path: reference.Path, i: int
) -> reference.Pool:
    """The pool that triggers first on one side."""
    start = path.start

    def away(pool: reference.Pool) -> Decimal:
        at = reference.triggers(book, pool, path)[i]
        return Decimal("Infinity") if at is None else abs(at - start)

    return min(pools, key=away)


def same_ratio(
    book: reference.Book,
    pools: list[reference.Pool],
    got: float | None,
    expected: Decimal | None,
    what: str,
) -> None:
    """A ratio agrees to 1e-9 of itself, widened where its denominator nearly cancels."""
    if got is None or expected is None:
        assert got is expected, f"{what}: {got}, the judge says {expected}"
        return
    slack = CLOSE
    for pool in pools:
        if pool.is_paid_for:
            continue
        balance = reference.margin_balance(book, pool, book.marks)
        terms = reference.scale(book, pool, book.marks)
        slack = max(slack, Decimal("1e-14") * terms / abs(balance))
    assert abs(Decimal(got) - expected) <= slack * abs(expected), f"{what}: {got} {expected}"


def same_quotient(got: float | None, expected: Decimal | None, what: str) -> None:
    """A quotient of two sums agrees to 1e-9, widened where the lower sum nearly cancels."""
    if expected is None or got is None:
        assert got is expected, f"{what}: {got}, the judge says {expected}"
        return
    # a large quotient has a small denominator, in which rounding is that much larger
    slack = max(CLOSE, Decimal("1e-12") * abs(expected))
    assert abs(Decimal(got) - expected) <= slack * abs(expected), f"{what}: {got} {expected}"


def check_nearer(position: Any, mark: Decimal, at: str) -> None:
    """The one liquidation price is the nearer of the two, and the distance belongs to it."""
    present = [p for p in position.liquidation_prices if p is not None]
    if not present:
        assert position.liquidation_price is None, at
        assert position.distance is None, at
        return
    now = float(mark)
    nearest = min(abs(p - now) for p in present)
    assert abs(position.liquidation_price - now) <= nearest * (1 + 1e-9), at
    assert position.liquidation_price in present, at
    expected = abs(now - position.liquidation_price) / now
    assert position.distance == pytest.approx(expected, rel=1e-9, abs=1e-15), at


def check_curve(book: reference.Book, got: Any, path: reference.Path, low: float, high: float):
    """Equity, maintenance, ratio and events of the three modes along one path."""
    assert np.array_equal(got.x, got.isolated.x)
    assert np.array_equal(got.x, got.cross.x)
    shift = 1 if path.name is None else 0
    size = reference.account_scale(book)
    for mode in MODES:
        curve = getattr(got, mode)
        x = np.asarray(curve.x)
        assert np.all(np.diff(x) >= 0)
        assert x[0] == pytest.approx(low, rel=1e-12)
        assert x[-1] == pytest.approx(high, rel=1e-12)
        assert len(curve.equity) == len(curve.maintenance) == len(curve.margin_ratio) == len(x)
        for i in range(0, len(x), 3):
            u = Decimal(float(x[i])) + shift
            if any(near_event(book, m, path, u) for m in MODES):
                continue  # values at the very trigger are looked at through the events
            want = reference.through(book, mode, path, u)
            moved = size * max(ONE, u / path.start, path.start / u)
            at = f"{mode} curve {path.name or 'shock'} at {x[i]!r}"
            same(float(curve.equity[i]), want.equity, moved, f"{at} equity")
            same(float(curve.maintenance[i]), want.maintenance, moved, f"{at} maintenance")
            if want.margin_ratio is None:
                assert math.isnan(curve.margin_ratio[i]), at
            else:
                assert float(curve.margin_ratio[i]) == pytest.approx(
                    float(want.margin_ratio), rel=1e-7
                ), at
        check_events(book, mode, curve.events, path, low, high)


def near_event(book: reference.Book, mode: str, path: reference.Path, u: Decimal) -> bool:
    """Whether some pool of a mode is closed within rounding of `u`."""
    if abs(u - path.start) <= CLOSE * path.start:
        return True
    side = -1 if u < path.start else 1
    for pool in reference.partition(book, mode)[0]:
        event = reference.closing(book, pool, path, side)
        if event is not None and abs(event.at - u) <= Decimal("1e-7") * u:
            return True
    return False


def check_events(
    book: reference.Book, mode: str, events: Any, path: reference.Path, low: float, high: float
) -> None:
    """Each pool that is closed on the way is an event, and nothing else is."""
    shift = 1 if path.name is None else 0
    size = reference.account_scale(book)
    seen = {(event.pool, event.x < float(path.start - shift)): event for event in events}
    # what lies at an end of the curve may fall on either side of it
    first, last = Decimal(low + shift) * (1 + CLOSE), Decimal(high + shift) * (1 - CLOSE)
    lost_by_pool: dict[int, dict[str, Decimal]] = {-1: {}, 1: {}}
    for pool in reference.partition(book, mode)[0]:
        for side in (-1, 1):
            closing = reference.closing(book, pool, path, side)
            if closing is not None:
                lost_by_pool[side][pool.name] = closing.pool_equity - closing.left
    for pool in reference.partition(book, mode)[0]:
        if reference.fallen(book, pool):
            assert any(name == pool.name for name, _ in seen), f"{mode} {pool.name} not closed"
            continue
        for side in (-1, 1):
            want = reference.closing(book, pool, path, side)
            got = seen.pop((pool.name, side < 0), None)
            at = f"{mode} {path.name or 'shock'} event of {pool.name}"
            if want is None or not first < want.at < last:
                assert got is None or not first < Decimal(got.x) + shift < last, at
                continue
            assert got is not None, f"{at} missing at {float(want.at)}"
            terms = size * max(ONE, want.at / path.start, path.start / want.at)
            same_root(got.x, want.at, Root(book, pool, path, "trigger"), at)
            assert tuple(got.positions) == tuple(leg.key for leg in pool.legs), at
            near = Decimal(got.x) + shift
            if abs(near - want.at) <= CLOSE * want.at:
                loose = max(terms, abs(want.pool_equity) * 10)
                for name in ("pool_equity", "fee"):
                    wrong = abs(Decimal(getattr(got, name)) - getattr(want, name))
                    assert wrong <= CLOSE * loose, f"{at} {name}"
                broke = Root(book, pool, path, "bankruptcy")
                same_root(got.bankruptcy_x, want.bankruptcy, broke, f"{at} bankruptcy")
                # pools that are closed at one price fall one after the other
                drop = Decimal(got.equity_before) - Decimal(got.equity_after)
                lost = lost_by_pool[side][pool.name]
                assert abs(drop - lost) <= CLOSE * loose, f"{at} drop"


def check_curves(book: reference.Book, ours: Any, symbol: str) -> None:
    """The prices of every symbol, the curve against one and the one against a common shock."""
    for mode in MODES:
        pools, _ = reference.partition(book, mode)
        for name in book.marks if pools else ():
            path = reference.price_path(book, name)
            for i, price in enumerate(getattr(ours, mode).trigger_prices(name)):
                pool = nearest_pool(book, pools, path, i)
                want = reference.triggers(book, pool, path)[i]
                what = f"{mode}.trigger_prices({name}) {i}"
                same_root(price, want, Root(book, pool, path, "trigger"), what)
    mark = float(book.marks[symbol])
    low, high = mark * 0.4, mark * 2.0
    check_curve(
        book,
        ours.curve(symbol, low=low, high=high, points=13),
        reference.price_path(book, symbol),
        low,
        high,
    )
    check_curve(
        book,
        ours.curve(shock=True, low=-0.5, high=0.75, points=13),
        reference.shock_path(book),
        -0.5,
        0.75,
    )
