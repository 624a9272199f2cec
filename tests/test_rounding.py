"""Prices on ticks and amounts on grids."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from margin_widgets.engine.rounding import buffered, exact, round_down, round_up, to_tick

TICKS = st.sampled_from([1e-8, 0.0001, 0.0025, 0.05, 0.1, 0.5, 1.0, 5.0, 25.0])


def case(folder: Path, name: str) -> dict[str, Any]:
    cases = json.loads((folder / "worked_examples.json").read_text(encoding="utf-8"))
    return next(one for one in cases if one["id"] == name)


@pytest.mark.parametrize(
    ("price", "tick", "direction", "entry", "rounded"),
    [
        (5739.08, 0.5, "towards entry", 8000, 5739.5),  # Bybit, inverse long
        (919.097, 0.05, "towards entry", 1198.45, 919.1),  # Bybit, linear long
        (1.623958, 0.0001, "towards entry", 0.7658, 1.6239),  # KuCoin, short
        (1.631616, 0.0001, "away from entry", 0.7658, 1.6317),
        (913.1047, 0.05, "up", None, 913.15),
        (0.30000000000000004, 0.1, "up", None, 0.3),
        (99999.99999999999, 0.1, "down", None, 100000.0),
    ],
)
def test_prices_on_their_tick(
    price: float, tick: float, direction: Any, entry: float | None, rounded: float
) -> None:
    assert float(to_tick(price, tick, direction, entry)) == rounded


def test_arrays_and_what_is_not_there() -> None:
    prices = np.array([1.26, np.nan, 1.26])
    ticks = np.array([0.1, 0.1, np.nan])
    found = to_tick(prices, ticks, "towards entry", np.array([1.0, 1.0, 1.0]))
    assert found[0] == 1.2 and math.isnan(found[1]) and found[2] == 1.26


def test_an_entry_is_asked_for() -> None:
    with pytest.raises(ValueError, match="entry price is missing"):
        to_tick(1.0, 0.1, "towards entry")
    with pytest.raises(ValueError, match="direction: 'sideways'"):
        to_tick(1.0, 0.1, "sideways")  # type: ignore[arg-type]


@given(st.floats(1e-3, 1e6), st.floats(1e-3, 1e6), TICKS)
def test_the_two_directions_enclose_the_price(price: float, entry: float, tick: float) -> None:
    near = float(to_tick(price, tick, "towards entry", entry))
    far = float(to_tick(price, tick, "away from entry", entry))
    assert min(near, far) <= price * (1 + 1e-12) and max(near, far) >= price * (1 - 1e-12)
    assert abs(near - far) <= tick + 1e-15 * price
    for once in (near, far):
        assert float(to_tick(once, tick, "towards entry", entry)) == once  # already on the grid


@given(st.floats(0, 1e9), st.sampled_from([1e-6, 1e-4, 0.01, 1.0]))
def test_up_and_down_agree_on_the_grid(amount: float, step: float) -> None:
    down, up = float(round_down(amount, step)), float(round_up(amount, step))
    assert down <= up <= down + step + 1e-15 * amount
    assert float(round_up(down, step)) == down
    assert float(round_down(amount, 0)) == amount


@given(st.floats(-1e12, 1e12))
def test_exact_is_the_decimal_that_is_written(amount: float) -> None:
    assert float(exact(amount)) == amount
    assert exact(0.1) * 10 == 1


def test_safety_buffer(shared_data: Path) -> None:
    one = case(shared_data, "freqtrade-buffer-01")
    given_, wanted = one["inputs"], one["expected"]["liquidation_price_with_buffer"]
    moved = buffered(
        given_["exchange_liquidation_price"], given_["entry_price"], given_["liquidation_buffer"]
    )
    assert moved == pytest.approx(wanted, abs=1e-9)
    assert buffered(110.0, 100.0, 0.1) == pytest.approx(109.0)  # a short's comes nearer too
