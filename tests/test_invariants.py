"""Properties that hold for every book, whatever the numbers are."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import Spec, account, books, figures

import margin_widgets as mw

MODES = ("isolated", "cross", "configured")
few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def gross(spec: Spec) -> float:
    """Rough size of the terms of an account, in its currency."""
    return float(reference.account_scale(reference.Book(spec)))


def excess(ours: mw.Account, mode: str, key: str) -> float:
    """Margin balance over maintenance of the pool that holds a position."""
    report = getattr(ours, mode)
    pool = next(p for p in report.pools if key in tuple(p.positions))
    return float(pool.margin_balance - pool.maintenance_margin)


@few
@given(books(), st.sampled_from(MODES))
def test_margin_balance_meets_maintenance_at_the_liquidation_price(spec: Spec, mode: str) -> None:
    """Put the mark there: the difference is rounding; a little aside it has two signs."""
    ours = account(spec)
    terms = gross(spec)
    for key, position in getattr(ours, mode).positions.items():
        for price in position.liquidation_prices:
            if price is None or not 1e-12 < price / spec["marks"][position.symbol] < 1e6:
                continue
            values = []
            for factor in (1 - 1e-6, 1.0, 1 + 1e-6):
                moved = copy.deepcopy(spec)
                moved["marks"][position.symbol] = price * factor
                there = account(moved)
                values.append(excess(there, mode, key))
            size = terms * max(1.0, price / spec["marks"][position.symbol])
            if moved["contracts"][position.symbol]["kind"] == "inverse":
                size *= max(1.0, spec["marks"][position.symbol] / price)
            assert abs(values[1]) <= 1e-9 * size
            if min(abs(values[0]), abs(values[2])) > 1e-9 * size:
                assert values[0] * values[2] < 0, f"{mode} {key} at {price}: no change of sign"


@few
@given(books(), figures(0.5, 1.6), st.data())
def test_solving_for_a_liquidation_price_puts_it_there(
    spec: Spec, factor: float, data: st.DataObject
) -> None:
    """The margin, or the wallet, that is answered makes the pool meet its maintenance there."""
    ours = account(spec)
    key = data.draw(st.sampled_from(list(ours.positions.keys())))
    symbol = ours.positions[key].symbol
    price = spec["marks"][symbol] * factor
    assume(abs(factor - 1) > 1e-3)
    try:
        margin = mw.solve.margin_for_liquidation(ours, key, price)
    except ValueError:  # no margin of at least zero does it
        margin = None
    if margin is not None:
        moved = copy.deepcopy(spec)
        moved["marks"][symbol] = price
        there = account(moved)
        there.positions[key].margin = margin
        assert abs(excess(there, "isolated", key)) <= 1e-9 * (gross(moved) + abs(margin))
    change = mw.solve.wallet_for_liquidation(ours, symbol, price)
    mw.solve.apply_wallet_change(ours, change, symbol)
    ours.marks[symbol] = price
    assert abs(excess(ours, "cross", key)) <= 1e-9 * (gross(spec) * 2 + abs(change))


@few
@given(books(), figures(0.01, 2.0))
def test_more_collateral_never_brings_cross_liquidation_nearer(spec: Spec, share: float) -> None:
    spec["rules"]["cross_pool"] = "account"
    spec["haircuts"].pop(spec["currency"], None)
    ours = account(spec)
    assume(ours.cross.status == "ok")
    before = ours.cross.positions
    ours.collateral[spec["currency"]] += share * gross(spec)
    for key, position in ours.cross.positions.items():
        lower, upper = before[key].liquidation_prices
        new_lower, new_upper = position.liquidation_prices
        if lower is None:
            assert new_lower is None
        elif new_lower is not None:
            assert new_lower <= lower * (1 + 1e-9)
        if upper is None:
            assert new_upper is None
        elif new_upper is not None:
            assert new_upper >= upper * (1 - 1e-9)


@few
@given(books(), st.sampled_from([0.001, 0.5, 8.0, 1e4]))
def test_with_flat_tiers_results_scale_with_the_amounts(spec: Spec, factor: float) -> None:
    """Twice the size and twice the money: the same prices, twice the amounts."""
    spec["tiers"] = dict.fromkeys(spec["tiers"], 0.01)
    spec["haircuts"] = dict.fromkeys(spec["haircuts"], 0.05)
    larger = copy.deepcopy(spec)
    for position in larger["positions"]:
        position["quantity"] *= factor
        if position["margin"] is not None:
            position["margin"] *= factor
    larger["collateral"] = {a: x * factor for a, x in spec["collateral"].items()}
    larger["order_margin"] *= factor
    one, many = account(spec), account(larger)
    size = gross(spec)
    for mode in MODES:
        small, big = getattr(one, mode), getattr(many, mode)
        for name in ("equity", "margin_balance", "maintenance_margin", "initial_margin"):
            assert getattr(big, name) == pytest.approx(
                factor * getattr(small, name), rel=1e-9, abs=1e-11 * size * factor
            )
        for key, position in small.positions.items():
            for a, b in zip(
                position.liquidation_prices, big.positions[key].liquidation_prices, strict=True
            ):
                if a is not None and b is not None:
                    assert b == pytest.approx(a, rel=1e-7)
                elif (a or b or 0) < 1e9 * spec["marks"][position.symbol]:
                    assert a is b, f"{mode} {key}: {a} and {b}"


@few
@given(books())
def test_one_isolated_pool_never_touches_another(spec: Spec) -> None:
    """Whatever happens to the first position, isolated figures of the others stand."""
    assume(len(spec["positions"]) > 1)
    changed = copy.deepcopy(spec)
    first = changed["positions"][0]
    first["quantity"] *= 2
    first["leverage"] = 3
    first["margin"] = None
    first["margin_mode"] = "isolated"
    one, two = account(spec), account(changed)
    for key in list(one.isolated.positions)[1:]:
        a, b = one.isolated.positions[key], two.isolated.positions[key]
        for name in (
            "margin",
            "initial_margin",
            "maintenance_margin",
            "margin_ratio",
            "liquidation_prices",
            "bankruptcy_price",
        ):
            assert getattr(a, name) == getattr(b, name), f"{key} {name}"


@few
@given(books(), st.booleans())
def test_curves_jump_at_events_only(spec: Spec, shock: bool) -> None:
    """Between two neighbouring points equity moves no more than the book can lose there."""
    ours = account(spec)
    symbol = spec["positions"][0]["symbol"]
    if shock:
        curve = ours.curve(shock=True, low=-0.5, high=1.0, points=200)
    else:
        mark = spec["marks"][symbol]
        curve = ours.curve(symbol, low=mark / 2, high=mark * 2, points=200)
    size = gross(spec) + sum(abs(x) for x in (ours.isolated.equity, ours.isolated.worst_loss))
    for mode in MODES:
        line = getattr(curve, mode)
        x = np.asarray(line.x)
        jumps = {event.x for event in line.events} | {curve.mark}
        steps = np.abs(np.diff(line.equity))
        price = x / curve.mark if not shock else 1 + x
        # every amount is at most linear or inverse in the price; 8 covers 1/u at half the price
        allowed = 8 * size * np.diff(price) + 1e-9 * size
        for i in np.flatnonzero(steps > allowed):
            assert x[i] in jumps, f"{mode} jumps between {x[i]} and {x[i + 1]}"
            assert x[i + 1] in jumps
        for event in line.events:
            assert event.x in x


@few
@given(books(), st.lists(figures(0.1, 3.0), min_size=2, max_size=8))
def test_maintenance_grows_with_size_and_does_not_jump(spec: Spec, factors: list[float]) -> None:
    position = spec["positions"][0]
    spec["positions"] = [position]
    rows = []
    for factor in sorted(factors):
        one = copy.deepcopy(spec)
        one["positions"][0]["quantity"] = position["quantity"] * factor
        figures_of = account(one).cross.positions[position["symbol"]]
        rows.append((figures_of.notional, figures_of.maintenance_margin))
    for (n1, m1), (n2, m2) in pairwise(rows):
        assert m2 >= m1 * (1 - 1e-12)
        # 0.5 is the highest rate drawn; the closing fee comes on top; entry may lie 1.4x away
        assert m2 - m1 <= (0.5 + 0.001) * 2.1 * (n2 - n1) + 1e-9 * n2


@few
@given(books(), st.data())
def test_undo_restores_exactly_and_redo_repeats(spec: Spec, data: st.DataObject) -> None:
    ours = account(spec)
    start = ours.to_dict()
    states = [start]
    keys = list(ours.positions.keys())
    for _ in range(data.draw(st.integers(1, 4))):
        change(ours, spec, data.draw(st.sampled_from(keys)), data)
        states.append(ours.to_dict())
    for state in reversed(states[:-1]):
        assert ours.can_undo
        ours.undo()
        assert ours.to_dict() == state
    assert not ours.can_undo
    again = account(spec)
    assert ours.cross.to_frame().equals(again.cross.to_frame())
    for state in states[1:]:
        assert ours.can_redo
        ours.redo()
        assert ours.to_dict() == state
    assert not ours.can_redo


def change(ours: mw.Account, spec: Spec, key: str, data: st.DataObject) -> None:
    """One edit that really changes something."""
    factor = data.draw(figures(1.01, 1.9))
    position = ours.positions[key]
    what = data.draw(st.sampled_from(["quantity", "entry", "leverage", "mark", "wallet", "both"]))
    if what == "quantity":
        position.quantity *= factor
    elif what == "entry":
        position.entry_price *= factor
    elif what == "leverage":
        position.leverage *= factor
    elif what == "mark":
        ours.marks[position.symbol] *= factor
    elif what == "wallet":
        ours.collateral[spec["currency"]] += 1 + factor
    else:
        with ours.edit():
            position.quantity *= factor
            ours.marks[position.symbol] *= factor


@pytest.mark.parametrize(("trigger", "stands"), [("<=", False), ("<", True)])
def test_the_trigger_decides_a_tie(trigger: str, stands: bool) -> None:
    """Margin balance 50, maintenance 50; with "<" only a fall, not a rise, closes the long."""
    ours = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.5}, trigger=trigger),
        collateral={"USDT": 50},
        positions=[mw.Position("BTCUSDT", quantity=1, entry_price=100, leverage=2)],
        marks={"BTCUSDT": 100},
    )
    assert ours.cross.status == ("ok" if stands else "below maintenance")
    curve = ours.curve("BTCUSDT", low=50, high=150, points=11)
    assert curve.cross.equity[0] == 0
    assert curve.cross.equity[-1] == (100 if stands else 0)


def test_one_notification_for_one_edit() -> None:
    ours = mw.presets.ref2()
    seen: list[Any] = []
    ours.observe(seen.append, ["revision", "isolated", "cross", "configured"])
    with ours.edit():
        ours.positions["BTCUSDT"].quantity = 0.6
        ours.positions["ETHUSDT"].leverage = 5
        ours.marks["ETHUSDT"] = 3_900
        ours.collateral = {"USDT": 12_000}
    names = sorted(change["name"] for change in seen)
    assert names == ["configured", "cross", "isolated", "revision"]
    seen.clear()
    ours.marks["BTCUSDT"] = 99_000
    assert sum(change["name"] == "revision" for change in seen) == 1
    seen.clear()
    ours.undo()
    assert sum(change["name"] == "revision" for change in seen) == 1


def test_an_edit_that_changes_nothing_notifies_nobody() -> None:
    ours = mw.presets.ref2()
    seen: list[Any] = []
    ours.observe(seen.append, "revision")
    ours.marks["BTCUSDT"] = 100_000
    with ours.edit():
        ours.positions["BTCUSDT"].quantity = 0.5
    assert not seen
    assert not ours.can_undo


def test_reports_belong_to_their_moment() -> None:
    """A report is immutable: later edits do not reach into it."""
    ours = mw.presets.ref2()
    before = ours.cross
    price = before.positions["BTCUSDT"].liquidation_price
    ours.collateral["USDT"] = 20_000
    assert before.equity == 10_000
    assert before.positions["BTCUSDT"].liquidation_price == price
    assert ours.cross.equity == 20_000
    with pytest.raises((AttributeError, TypeError)):
        before.equity = 3


@few
@given(books())
def test_no_figure_is_nan_or_infinite(spec: Spec) -> None:
    ours = account(spec)
    for mode in MODES:
        frame = getattr(ours, mode).to_frame()
        numbers = frame.select_dtypes("number").to_numpy(dtype=float)
        assert not np.isinf(numbers).any()
        for position in getattr(ours, mode).positions.values():
            for price in (*position.liquidation_prices, position.bankruptcy_price):
                assert price is None or (math.isfinite(price) and price > 0)
