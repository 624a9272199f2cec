"""Standard margin of options: the numbers venues publish, and what must hold of any rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from margin_widgets.engine import option_margin
from margin_widgets.engine.option_margin import OptionMargin

DERIBIT = OptionMargin(maintenance_on_mark="puts", initial_not_below_maintenance="puts")
BYBIT = OptionMargin(
    maintenance=0.03,
    maintenance_on_mark="always",
    premium_at="higher of entry and mark",
    liquidation_fee=0.002,
    initial_not_below_maintenance="always",
    order_fee=0.0003,
    order_fee_cap=0.125,
    order_premium_credited=True,
)
BY_FORMULA = {"F-DERIBIT-OPT": DERIBIT, "F-BYBIT-OPT": BYBIT}


def of_case(rules: OptionMargin, inputs: dict[str, Any]) -> dict[str, float]:
    """Every figure that a published case may name."""
    index = inputs.get("underlying", inputs.get("index_price"))
    mark = inputs.get("mark", inputs.get("option_mark", inputs.get("mark_btc", 0) * index))
    size = inputs.get("qty", inputs.get("position"))
    kind = -1 if inputs["type"] == "put" else 1
    held = rules, kind, size, index, inputs["strike"], mark, mark
    initial = float(option_margin.initial(*held))
    owed = float(option_margin.maintenance(*held))
    return {
        "im_usd": initial,
        "im": initial,
        "im_unit": initial / abs(size),
        "position_im_usd": initial,
        "order_im_usd": float(option_margin.order_initial(*held)),
        "mm_usd": owed,
        "mm": owed,
        "mm_unit": owed / abs(size),
        "maintenance_margin": owed,
        "account_mm_rate": owed / inputs.get("margin_balance", np.nan),
    }


def test_published_cases(shared_data: Path) -> None:
    cases = json.loads((shared_data / "worked_examples.json").read_text(encoding="utf-8"))
    found = [case for case in cases if case["formula"] in BY_FORMULA]
    assert len(found) >= 4
    for case in found:
        got = of_case(BY_FORMULA[case["formula"]], case["inputs"])
        for name, expected in case["expected"].items():
            assert got[name] == pytest.approx(expected, rel=1e-12), (case["id"], name)


def test_formula_in_coin_is_the_formula_in_quote_over_the_index() -> None:
    index, strike, mark = 50_000.0, 48_000.0, 0.02  # 2000 out of the money is 0.04 of the index
    put = DERIBIT, -1, -3.0, index, strike, mark * index, mark * index
    assert option_margin.initial(*put) / index == pytest.approx(3 * (0.15 - 0.04 + 0.02))
    assert option_margin.maintenance(*put) / index == pytest.approx(3 * (0.075 + 0.02))


def test_deep_put_owes_on_its_mark() -> None:
    # Worth more than its underlying: 7.5 % of the mark is above 7.5 % of the index.
    deep = -1, -1.0, 1000.0, 3500.0, 2500.0, 2500.0
    assert option_margin.maintenance(DERIBIT, *deep) == pytest.approx(0.075 * 2500 + 2500)
    assert option_margin.initial(DERIBIT, *deep) == pytest.approx(0.075 * 2500 + 2500)
    call = 1, *deep[1:]
    assert option_margin.maintenance(DERIBIT, *call) == pytest.approx(75 + 2500)
    assert option_margin.maintenance(BYBIT, *call) == pytest.approx(75 + 2500 + 2)


def test_orders() -> None:
    index, strike, price, mark = 30_000.0, 31_000.0, 320.0, 300.0
    buy = option_margin.order_initial(BYBIT, 1, 2.0, index, strike, mark, price)
    assert buy == pytest.approx(2 * (320 + 9))
    cheap = option_margin.order_initial(BYBIT, 1, 2.0, index, strike, 8.0, 8.0)
    assert cheap == pytest.approx(2 * (8 + 1))  # the fee is at most 12.5 % of the premium
    # Selling: 15 % of the index less 1000 out of the money; the premium comes in.
    sell = option_margin.order_initial(BYBIT, 1, -2.0, index, strike, mark, price)
    assert sell == pytest.approx(2 * 3500)
    assert option_margin.order_initial(
        DERIBIT, 1, -2.0, index, strike, mark, price
    ) == pytest.approx(2 * (3500 + 300))


RULES = st.builds(
    OptionMargin,
    initial=st.floats(0.05, 0.5),
    initial_floor=st.floats(0.01, 0.3),
    maintenance=st.floats(0.01, 0.3),
    maintenance_on_mark=st.sampled_from(["never", "puts", "always"]),
    premium_at=st.sampled_from(["mark", "higher of entry and mark"]),
    liquidation_fee=st.floats(0, 0.01),
    initial_not_below_maintenance=st.sampled_from(["never", "puts", "always"]),
)
OPTION = st.tuples(  # kind, index, strike, mark, entry
    st.sampled_from([1, -1]),
    st.floats(1, 1e5),
    st.floats(1, 1e5),
    st.floats(0, 1e5),
    st.floats(0, 1e5),
)


@given(RULES, OPTION, st.floats(-1e3, 1e3), st.floats(1, 10))
def test_of_any_rule(
    rules: OptionMargin, option: tuple[Any, ...], size: float, larger: float
) -> None:
    kind, *rest = option
    for margin in (option_margin.initial, option_margin.maintenance):
        owed = margin(rules, kind, size, *rest)
        assert owed >= 0
        assert (owed > 0) == (size < 0)
        assert margin(rules, kind, size * larger, *rest) >= owed
        halves = margin(rules, kind, [size / 2, size / 2], *rest)
        assert halves.sum() == pytest.approx(float(owed), rel=1e-14)
    floored = rules.initial_not_below_maintenance
    if floored == "always" or (floored == "puts" and kind < 0):
        initial = option_margin.initial(rules, kind, size, *rest)
        assert initial >= option_margin.maintenance(rules, kind, size, *rest)


def test_arguments_broadcast() -> None:
    index = np.linspace(2e4, 4e4, 7)[:, None]
    kind, size = np.array([1, -1, 1]), np.array([-1.0, -2.0, 3.0])
    strike, mark = np.array([3e4, 2.8e4, 3.5e4]), np.array([500.0, 300.0, 100.0])
    for margin in (option_margin.initial, option_margin.maintenance, option_margin.order_initial):
        got = margin(BYBIT, kind, size, index, strike, mark, mark)
        assert got.shape == (7, 3)
        one = margin(BYBIT, -1, -2.0, index[4, 0], 2.8e4, 300.0, 300.0)
        assert got[4, 1] == pytest.approx(float(one))
