"""Weights and margin rates that depend on size, against published cases and as functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from margin_widgets.engine.weights import (
    WEIGHT_STEP,
    asset_weight,
    counted_profit,
    liability_weight,
    margin_requirements,
    open_interest_fraction,
    scaled_weight,
)

PPM = 1e-6
AMOUNTS = st.floats(0, 1e9)
IMFS = st.floats(0, 1)


def cases(folder: Path, *formulas: str) -> list[dict[str, Any]]:
    every = json.loads((folder / "worked_examples.json").read_text(encoding="utf-8"))
    return [one for one in every if one["formula"] in formulas]


def test_drift_weights(shared_data: Path) -> None:
    """Token sizes are whole tokens; weights are rounded down to a ten thousandth."""
    found = cases(shared_data, "F-DRIFT-WEIGHT")
    assert len(found) >= 5
    for one in found:
        given_ = one["inputs"]
        if "deposits" in given_:
            weight = scaled_weight(
                given_["initial_asset_weight"],
                given_["deposits"] * given_["price"],
                given_["scale_start_usd"],
                step=WEIGHT_STEP,
            )
        else:
            rule = asset_weight if given_["kind"] == "asset" else liability_weight
            weight = rule(
                given_["base_weight"], given_["token_size"], given_["imf_factor"], step=WEIGHT_STEP
            )
        assert float(weight) == pytest.approx(one["expected"]["weight"], abs=1e-12), one["id"]


@pytest.mark.parametrize(
    ("rule", "base", "amount", "imf", "weight"),
    [  # integers of the protocol's own tests, in ten thousandths
        (asset_weight, 9000, 1e9, 1e-5, 8357),
        (asset_weight, 9000, 1000, 0.1, 2642),
        (liability_weight, 11000, 1000, 0.1, 40422),
        (liability_weight, 0, 1000, 0.1, 31622),
        (asset_weight, 4500, 1e5, 0.1, 337),
        (asset_weight, 7500, 1e5, 0.1, 337),
    ],
)
def test_to_the_protocols_integer(
    rule: Any, base: int, amount: float, imf: float, weight: int
) -> None:
    assert round(float(rule(base / 1e4, amount, imf, step=WEIGHT_STEP)) * 1e4, 9) == weight


@given(st.floats(0, 1), AMOUNTS, AMOUNTS, IMFS)
def test_weights_only_worsen_with_size(
    weight: float, first: float, second: float, imf: float
) -> None:
    small, large = sorted((first, second))
    assert asset_weight(weight, large, imf) <= asset_weight(weight, small, imf) <= weight
    owed = 1 + weight
    assert liability_weight(owed, large, imf) >= liability_weight(owed, small, imf) >= owed


def test_weights_of_arrays() -> None:
    found = asset_weight(np.array([0.9, 0.8]), np.array([0.0, 1e4]), np.array([0.01, 0.0]))
    assert found.tolist() == [0.9, 0.8]


def test_open_interest_margins(shared_data: Path) -> None:
    """Amounts are quote quantums: initial margin rounds up, maintenance is taken of it."""
    found = cases(shared_data, "F-DYDX-OIMF")
    assert len(found) >= 5
    for one in found:
        given_, wanted = one["inputs"], one["expected"]
        unit = 10.0 ** (given_["price_exponent"] + given_["atomic_resolution"] + 6)
        base = given_["initial_margin_ppm"] * PPM
        fraction = open_interest_fraction(
            base,
            given_["open_interest"] * given_["price"] * unit,
            given_["oi_lower_cap"],
            given_["oi_upper_cap"],
            step=PPM,
        )
        initial, maintenance = margin_requirements(
            given_["base_quantums"] * given_["price"] * unit,
            base,
            given_["maintenance_fraction_ppm"] * PPM,
            scaled_fraction=fraction,
            quantum=1,
        )
        assert initial == int(wanted["im_quote_quantums"]), one["id"]
        assert maintenance == int(wanted["mm_quote_quantums"]), one["id"]


@given(st.floats(0.01, 1), st.floats(0, 1e9), st.floats(0, 1e9))
def test_the_fraction_rises_from_base_to_one(base: float, lower: float, width: float) -> None:
    upper = lower + width + 1.0
    assert open_interest_fraction(base, lower, lower, upper) == base
    assert open_interest_fraction(base, upper, lower, upper) == 1.0
    assert base <= open_interest_fraction(base, (lower + upper) / 2, lower, upper) <= 1.0
    assert open_interest_fraction(base, 1e18, lower, 0) == base


@given(st.floats(-1e6, 1e6), st.floats(0, 1), st.floats(0, 1e4))
def test_losses_count_whole(profit: float, weight: float, most: float) -> None:
    counted = float(counted_profit(profit, weight=weight, most=most))
    assert counted == profit if profit <= 0 else counted == min(profit * weight, most)


def test_profit_that_counts(shared_data: Path) -> None:
    (drift,) = (one for one in cases(shared_data, "F-DRIFT-MARGIN") if "base" in one["inputs"])
    given_ = drift["inputs"]
    profit = given_["quote"] + given_["base"] * given_["oracle"]
    counted = counted_profit(profit, most=100)
    assert float(counted) == drift["expected"]["unrealized_pnl_counted"]
    (orderly,) = cases(shared_data, "F-ORDERLY")
    given_ = orderly["inputs"]
    collateral = given_["total_balance"] + counted_profit(given_["unsettled_pnl"], weight=0)
    assert float(collateral) == orderly["expected"]["total_collateral"]
