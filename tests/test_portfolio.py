"""Portfolio margin: published pieces, a plain second reckoning, and what must hold of any book."""

from __future__ import annotations

import json
from dataclasses import replace
from math import erf, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from margin_widgets.engine import black, portfolio
from margin_widgets.engine.portfolio import PortfolioRules, RiskGrid, RiskPositions, Scenario

STEPS = (-0.10, -0.075, -0.05, -0.025, 0.0, 0.025, 0.05, 0.075, 0.10)
DERIBIT = PortfolioRules(
    grid=RiskGrid(STEPS, (-0.38, 0.0, 0.38), volatility_power=0.30, volatility_power_beyond=0.30),
    short_option_rate=0.01,
    offset_futures_rate=0.01,
    offset_vega_rate=0.25,
    initial_factor=1.3,
    coin_profit_at="present",
)
OKX = PortfolioRules(
    grid=RiskGrid((-0.25, -0.16, -0.08, 0.0, 0.08, 0.16, 0.25), (-0.2, 0.0, 0.2)),
    grids={
        "BTC": RiskGrid(
            (-0.12, -0.08, -0.04, 0.0, 0.04, 0.08, 0.12),
            (-0.2, 0.0, 0.2),
            volatility_in="points",
            volatility_power=0.5,
            extremes=(Scenario(-0.24, counted=0.5), Scenario(0.24, counted=0.5), Scenario(days=1)),
        )
    },
    minimum_short_option_rate=0.002,
    minimum_futures_rate=0.0005,
    minimum_tiers=((0, 1), (10_000, 2), (70_000, 4)),
    initial_factor=1.3,
)
SPAN = PortfolioRules(
    grid=RiskGrid(
        tuple(
            sign * thirds * 0.06 / 3 for thirds in (0, 1, 2, 3) for sign in (1, -1)[: thirds + 1]
        ),
        (0.05, -0.05),
        volatility_in="points",
        extremes=(Scenario(0.18, counted=0.35), Scenario(-0.18, counted=0.35)),
    ),
    minimum_short_option_rate=0.001,
)
RULES = {"deribit": DERIBIT, "okx": OKX, "span": SPAN}
UNITS = ("BTC", "DOGE")
Rows = list[dict[str, Any]]


def book(rows: Rows) -> tuple[RiskPositions, np.ndarray]:
    """Arrays of positions given as rows, and their marks."""

    def column(name: str, kind: type = float) -> np.ndarray:
        return np.array([row.get(name, 0) for row in rows], dtype=kind)

    positions = RiskPositions(
        units=UNITS,
        unit=column("unit", int),
        kind=column("kind", int),
        in_coin=column("in_coin", bool),
        size=column("size"),
        strike=column("strike"),
        years=column("years"),
        volatility=column("volatility"),
    )
    return positions, column("mark")


INDEX = np.array([100_000.0, 0.25])


@st.composite
def rows(draw: st.DrawFn, most: int = 6, kinds: tuple[int, ...] = (0, 1, -1)) -> Rows:
    found: Rows = []
    for _ in range(draw(st.integers(1, most))):
        unit, kind = draw(st.integers(0, 1)), draw(st.sampled_from(kinds))
        in_coin, index = draw(st.booleans()), float(INDEX[unit])
        size = draw(st.floats(-100, 100).filter(lambda x: abs(x) > 1e-3))
        row: dict[str, Any] = {"unit": unit, "kind": kind, "in_coin": in_coin, "size": size}
        if kind == 0:
            row["mark"] = index * draw(st.floats(0.97, 1.03))
            row["size"] = size * row["mark"] if in_coin else size
        else:
            row["strike"] = index * draw(st.sampled_from([0.6, 0.9, 1.0, 1.15, 1.7]))
            row["years"] = draw(st.sampled_from([0.0, 0.5, 7.0, 30.0, 31.0, 200.0])) / 365
            row["volatility"] = draw(st.sampled_from([0.0, 0.3, 0.65, 1.4]))
            model = black.price(kind, index, row["strike"], row["years"], row["volatility"])
            value = max(float(model) + draw(st.sampled_from([0.0, 0.0, -0.01, 0.01])) * index, 0)
            row["mark"] = value / index if in_coin else value
        found.append(row)
    return found


def worst(rules: PortfolioRules, found: Rows) -> np.ndarray:
    return portfolio.worst_loss(rules, *book(found), INDEX)[0]


def rounding(found: Rows) -> float:
    """What the losses of a book may be off by rounding."""
    return 1e-13 * sum(abs(row["size"]) * max(INDEX[row["unit"]], 1.0) for row in found)


# A second reckoning, position by position


def plain_black(kind: int, forward: float, strike: float, years: float, sigma: float) -> float:
    total = sigma * sqrt(max(years, 0.0))
    if total == 0:
        return max(kind * (forward - strike), 0.0)
    d1 = log(forward / strike) / total + total / 2

    def normal(x: float) -> float:
        return (1 + erf(x / sqrt(2))) / 2

    return kind * (forward * normal(kind * d1) - strike * normal(kind * (d1 - total)))


def plain_pnl(rules: PortfolioRules, row: dict[str, Any], scenario: Scenario) -> float:
    grid = rules.grid_of(UNITS[row["unit"]])
    index, mark, size = float(INDEX[row["unit"]]), row["mark"], row["size"]
    moved = index * (1 + scenario.price)
    in_coin, kind = row["in_coin"], row["kind"]
    if kind == 0:
        then = mark * (1 + scenario.price)
        profit = size * ((1 / mark - 1 / then) if in_coin else then - mark)
    else:
        days = max(row["years"] * 365, grid.fewest_days)
        power = grid.volatility_power if days <= 30 else grid.volatility_power_beyond
        shift = scenario.volatility * (30 / days) ** power
        sigma = row["volatility"]
        shifted = sigma * (1 + shift) if grid.volatility_in == "relative" else sigma + shift
        value = mark * index if in_coin else mark
        new = plain_black(
            kind, moved, row["strike"], row["years"] - scenario.days / 365, max(shifted, 0.0)
        )
        new += value - plain_black(kind, index, row["strike"], row["years"], sigma)
        new = max(new, 0.0)
        profit = size * ((new / moved - mark) if in_coin else new - mark)
    if in_coin:
        profit *= moved if rules.coin_profit_at == "scenario" else index
    return profit * scenario.counted


@pytest.mark.parametrize("name", RULES)
@given(found=rows())
def test_scenarios_against_a_plain_reckoning(name: str, found: Rows) -> None:
    rules = RULES[name]
    got = portfolio.scenario_pnl(rules, *book(found), INDEX)
    for unit, coin in enumerate(UNITS):
        scenarios = rules.grid_of(coin).scenarios
        expected = [
            sum(plain_pnl(rules, row, scenario) for row in found if row["unit"] == unit)
            for scenario in scenarios
        ]
        np.testing.assert_allclose(
            got[: len(scenarios), unit], expected, rtol=1e-9, atol=10 * rounding(found)
        )
        assert not got[len(scenarios) :, unit].any()
    losses, number = portfolio.worst_loss(rules, *book(found), INDEX)
    np.testing.assert_allclose(losses, np.maximum(-got.min(axis=0), 0))
    for unit in range(2):
        if number[unit] < 0:
            assert losses[unit] == 0
        else:
            assert -got[number[unit], unit] == losses[unit]


# What venues publish


def test_published_pieces(shared_data: Path) -> None:
    cases = json.loads((shared_data / "worked_examples.json").read_text(encoding="utf-8"))
    expected = {case["id"]: case["expected"] for case in cases if case["formula"] == "F-DERIBIT-PM"}
    # Charges in coin are charges at an index of 1. Ten calls long, twenty puts short.
    option = {"strike": 1.0, "years": 0.1, "volatility": 0.5, "mark": 0.01}
    strangle = [{"kind": 1, "size": 10.0, **option}, {"kind": -1, "size": -20.0, **option}]
    on_top = portfolio.contingencies(DERIBIT, *book(strangle), np.ones(2))
    assert on_top["net short options"][0] == pytest.approx(
        expected["deribit-pm-05"]["contingency_btc"], abs=1e-12
    )
    older = PortfolioRules(RiskGrid((0.0,)), options_rate=0.01)
    both = [{"kind": 1, "size": 80.0, **option}, {"kind": -1, "size": -120.0, **option}]
    on_top = portfolio.contingencies(older, *book(both), np.ones(2))
    assert on_top["all options"][0] == pytest.approx(expected["deribit-pm-02"]["value"])
    offset = portfolio.offset_charge(0.25, [10.0, -10.0], np.zeros(2, dtype=int), 1)
    assert offset[0] == expected["deribit-pm-04"]["value"]


def test_futures_of_two_expiries_that_offset_one_another() -> None:
    both = [
        {"size": 100.0, "mark": 100_000.0},
        {"size": -60.0 * 101_000, "mark": 101_000.0, "in_coin": True},
    ]
    on_top = portfolio.contingencies(DERIBIT, *book(both), INDEX)
    np.testing.assert_allclose(on_top["offsetting futures"], [0.01 * 60 * 100_000, 0])


def test_vega_of_expiries_that_offset_one_another() -> None:
    option = {"kind": 1, "strike": 100_000.0, "volatility": 0.5, "mark": 5000.0}
    calendar = [
        {"size": 3.0, "years": 0.1, **option},
        {"size": -1.0, "years": 0.1, **option},
        {"size": -1.0, "years": 0.5, **option},
    ]
    near, far = black.vega(100_000, 100_000, [0.1, 0.5], 0.5) / 100
    on_top = portfolio.contingencies(DERIBIT, *book(calendar), INDEX)
    np.testing.assert_allclose(on_top["offsetting vega"], [0.25 * min(2 * near, far), 0])


def test_volatility_moves_more_for_near_expiries() -> None:
    grid = RiskGrid(STEPS, (0.38,), volatility_power=0.30, volatility_power_beyond=0.13)
    years = np.array([0.0, 0.5, 15, 30, 60]) / 365
    np.testing.assert_allclose(
        grid.volatility_multiple(years), [30**0.3, 30**0.3, 2**0.3, 1, 0.5**0.13]
    )


def test_minimum_charge_rises_by_bands() -> None:
    # OKX, announcement on the scaling of MR7: 30,000 raw is 10,000 + 20,000 x 2.
    got = portfolio.tiered(OKX.minimum_tiers, [[5_000, 30_000], [100_000, 0]])
    np.testing.assert_allclose(got, [[5_000, 50_000], [10_000 + 120_000 + 120_000, 0]])
    np.testing.assert_array_equal(portfolio.tiered((), [3.0]), [3.0])
    # A short option far out of the money loses next to nothing: the minimum is what it owes.
    far = {"kind": 1, "strike": 9e5, "years": 7 / 365, "volatility": 0.6, "mark": 0.01}
    owed = portfolio.requirement(OKX, *book([{"size": -100.0, **far}]), INDEX)
    assert owed.worst[0] < 100
    assert owed.maintenance[0] == owed.minimum[0] == 10_000 + (0.002 * 1e7 - 10_000) * 2


def test_span_has_sixteen_scenarios() -> None:
    scenarios = SPAN.grid.scenarios
    assert len(scenarios) == 16
    assert sorted({round(s.price, 6) for s in scenarios[:14]}) == [
        -0.06, -0.04, -0.02, 0.0, 0.02, 0.04, 0.06,
    ]  # fmt: skip
    long = [{"size": 1.0, "mark": 100_000.0}]
    losses, number = portfolio.worst_loss(SPAN, *book(long), INDEX)
    assert losses[0] == pytest.approx(0.18 * 0.35 * 1e5)  # more than the whole range at full cover
    assert scenarios[number[0]].counted == 0.35


def test_worst_loss_of_a_plain_long_and_of_an_inverse_short() -> None:
    long = [{"size": 2.0, "mark": 101_000.0}]
    assert worst(DERIBIT, long)[0] == pytest.approx(2 * 101_000 * 0.10)
    assert worst(OKX, long)[0] == pytest.approx(2 * 101_000 * 0.12)  # as 24 % at half
    short = [{"size": -200_000.0, "mark": 100_000.0, "in_coin": True}]
    # q (1/P - 1/P') is 2 (1 - 1/1.1) coins, at the present price.
    assert worst(DERIBIT, short)[0] == pytest.approx(2 * (1 - 1 / 1.1) * 100_000)
    assert worst(OKX, short)[0] == pytest.approx(2 * 100_000 * 0.12)


def test_hedged_pairs_owe_only_contingencies() -> None:
    pair = [{"size": 1.0, "mark": 100_000.0}, {"size": -1.0, "mark": 100_000.0}]
    owed = portfolio.requirement(DERIBIT, *book(pair), INDEX)
    assert owed.worst[0] == 0 and owed.scenario[0] == -1
    assert owed.maintenance[0] == owed.contingencies["offsetting futures"][0] == 1000
    assert owed.initial[0] == 1300
    # An inverse contract hedges a linear one where its profit is worth the scenario's price.
    mixed = [pair[0], {"size": -1e5, "mark": 1e5, "in_coin": True}]
    assert worst(OKX, mixed)[0] == pytest.approx(0, abs=1e-9)


def test_flat_book_owes_nothing() -> None:
    empty = RiskPositions((), *(np.zeros(0, dtype=t) for t in (int, int, bool, *[float] * 4)))
    owed = portfolio.requirement(DERIBIT, empty, np.zeros(0), np.zeros(0))
    assert owed.maintenance.shape == (0,) and owed.initial.sum() == 0
    assert portfolio.scenario_pnl(DERIBIT, empty, np.zeros(0), np.zeros(0)).size == 0
    flat = replace(empty, units=UNITS)
    for rules in RULES.values():
        owed = portfolio.requirement(rules, flat, np.zeros((3, 0)), np.tile(INDEX, (3, 1)))
        assert owed.maintenance.shape == (3, 2) and not owed.maintenance.any()
        assert not owed.initial.any() and (owed.scenario == -1).all()


# What must hold of any book


@pytest.mark.parametrize("name", RULES)
@given(found=rows(), scale=st.floats(0.01, 100))
def test_requirement_is_positive_and_scales(name: str, found: Rows, scale: float) -> None:
    rules = replace(RULES[name], minimum_tiers=())
    owed = portfolio.requirement(rules, *book(found), INDEX)
    assert (owed.maintenance >= 0).all() and (owed.initial >= owed.maintenance).all()
    assert all((amount >= 0).all() for amount in owed.contingencies.values())
    larger = [{**row, "size": row["size"] * scale} for row in found]
    again = portfolio.requirement(rules, *book(larger), INDEX)
    for attribute in ("maintenance", "initial", "worst", "minimum"):
        np.testing.assert_allclose(
            getattr(again, attribute),
            getattr(owed, attribute) * scale,
            rtol=1e-9,
            atol=rounding(larger) + rounding(found) * scale,
        )


@pytest.mark.parametrize("name", RULES)
@given(found=rows(), other=rows())
def test_worst_loss_is_subadditive(name: str, found: Rows, other: Rows) -> None:
    rules = RULES[name]
    together = worst(rules, found + other)
    apart = worst(rules, found) + worst(rules, other)
    assert (together <= apart + rounding(found + other)).all()


@pytest.mark.parametrize("name", RULES)
@given(found=rows(), other=rows(most=2))
def test_what_is_perfectly_offset_changes_no_worst_loss(
    name: str, found: Rows, other: Rows
) -> None:
    rules = RULES[name]
    mirror = [{**row, "size": -row["size"]} for row in found]
    assert (worst(rules, found + mirror) <= rounding(found)).all()
    neutral = [*other, *({**row, "size": -row["size"]} for row in other)]
    np.testing.assert_allclose(
        worst(rules, found + neutral), worst(rules, found), atol=rounding(found + neutral)
    )


@pytest.mark.parametrize("name", RULES)
@given(found=rows(most=1, kinds=(1, -1)))
def test_long_option_loses_at_most_its_value(name: str, found: Rows) -> None:
    rules, row = replace(RULES[name], coin_profit_at="present"), found[0]
    row["size"] = abs(row["size"])
    value = row["size"] * row["mark"] * (INDEX[row["unit"]] if row["in_coin"] else 1)
    assert worst(rules, found)[row["unit"]] <= value + rounding(found)


@given(found=rows())
def test_splitting_a_position_changes_nothing(found: Rows) -> None:
    halves = [{**row, "size": row["size"] / 2} for row in found for _ in range(2)]
    for rules in RULES.values():
        whole = portfolio.requirement(rules, *book(found), INDEX)
        split = portfolio.requirement(rules, *book(halves), INDEX)
        np.testing.assert_allclose(
            split.maintenance, whole.maintenance, rtol=1e-12, atol=rounding(found)
        )


@given(found=rows())
def test_leading_axes_are_marks_after_marks(found: Rows) -> None:
    positions, mark = book(found)
    option = positions.kind != 0
    for rules in RULES.values():
        factors = np.array([[0.7, 1.0], [1.2, 1.01]])
        index = INDEX * factors[..., None]
        marks = mark * np.where(option, 1.0, factors[..., None])
        many = portfolio.requirement(rules, positions, marks, index)
        assert many.maintenance.shape == (2, 2, 2)
        one = portfolio.requirement(rules, positions, marks[1, 0], index[1, 0])
        np.testing.assert_allclose(many.maintenance[1, 0], one.maintenance)
        np.testing.assert_array_equal(many.scenario[1, 0], one.scenario)
        pnl = portfolio.scenario_pnl(rules, positions, marks, index)
        np.testing.assert_allclose(
            pnl[1, 0], portfolio.scenario_pnl(rules, positions, marks[1, 0], index[1, 0])
        )
        # Sizes may differ along the leading axes too: one account per row.
        sized = replace(positions, size=positions.size * factors[..., None])
        scaled = portfolio.worst_loss(rules, sized, marks, index)[0]
        np.testing.assert_allclose(scaled[1, 0], many.worst[1, 0] * 1.2, atol=rounding(found) * 2)
