"""The insurance fund's delta and auto-deleveraging."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from margin_widgets.engine.insurance import (
    ADL_RANKS,
    Winners,
    adl_order,
    deleverage,
    fund_delta,
    fund_delta_above_bankruptcy,
    loan_fund_fee,
    position_fund_fee,
)

PPM = 1e-6


def cases(folder: Path, formula: str) -> list[dict[str, Any]]:
    every = json.loads((folder / "worked_examples.json").read_text(encoding="utf-8"))
    return [one for one in every if one["formula"] == formula]


# ------------------------------------------------------------------ the fund


def test_fund_pays_what_the_margin_does_not(shared_data: Path) -> None:
    (one,) = cases(shared_data, "F-IF")
    given_ = one["inputs"]
    delta = fund_delta(given_["equity"], given_["qty"] * (given_["mark"] - given_["entry"]))
    assert delta == one["expected"]["fund_delta"]
    assert given_["fund"] + delta == one["expected"]["fund_after"]


def test_dydx_fund_delta(shared_data: Path) -> None:
    """Alone in its pool, a position's bankruptcy quote is the quote balance turned round."""
    found = cases(shared_data, "F-DYDX-IF")
    assert len(found) >= 3
    for one in found:
        given_ = one["inputs"]
        ((_, base),) = given_["positions_base_quantums"]
        delta = fund_delta_above_bankruptcy(
            base * given_["fill_price"] / 100,  # 8 and 6 decimals
            -given_["quote_balance_usd"] * 10**6,
            given_["max_liquidation_fee"],
            quantum=1,
        )
        assert delta == one["expected"]["insurance_fund_delta_quote_quantums"], one["id"]


def test_dydx_fund_pays_below_bankruptcy() -> None:
    assert fund_delta_above_bankruptcy(5000, 5100, 0.005) == -100
    assert fund_delta_above_bankruptcy(-5000, -4900, 0.005) == -100
    assert fund_delta_above_bankruptcy(5610, 5100, 1.0) == 510  # no more than what is left


def test_drift_fund_fees(shared_data: Path) -> None:
    checked = 0
    for one in cases(shared_data, "F-DRIFT-IF"):
        given_, wanted = one["inputs"], one["expected"]
        if "base_amount" in given_:
            fee = position_fund_fee(
                given_["margin_shortage"],
                given_["base_amount"] * given_["oracle_price"],
                given_["margin_ratio"],
                given_["liquidator_fee"],
                given_["max_if_fee"],
                quantum=PPM,
            )
        elif "token_amount" in given_:
            weights = ("asset_weight", "liability_weight")
            multipliers = ("asset_multiplier", "liability_multiplier")
            fee = loan_fund_fee(
                given_["margin_shortage"],
                given_["token_amount"] * given_["oracle_price"],
                max_fee=given_["max_if_fee"],
                quantum=PPM,
                **{name: given_[name] for name in (*weights, *multipliers)},
            )
        else:
            continue
        checked += 1
        assert fee == wanted["if_fee"], one["id"]
    assert checked >= 3


@given(st.floats(0, 1e4), st.floats(1, 1e6), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_fund_fee_stays_within_its_bounds(
    shortage: float, notional: float, ratio: float, fee: float
) -> None:
    found = position_fund_fee(shortage, notional, ratio, fee, 0.02)
    assert 0 <= found <= 0.02
    assert found <= max(0.0, ratio - fee - shortage / notional)
    assert position_fund_fee(shortage + 1, notional, ratio, fee, 0.02) <= found


# ------------------------------------------------------------------ the winners


def winners_of(rows: list[tuple[float, float, float]], mark: float = 100.0) -> Winners:
    size, entry, balance = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return Winners(size, entry, balance, mark, maintenance=np.abs(size) * mark * 0.01)


ROWS = st.lists(
    st.tuples(st.floats(0.01, 100), st.floats(10, 1000), st.floats(1, 1e5)),
    min_size=1,
    max_size=8,
)


def test_winner_keeps_the_rest(shared_data: Path) -> None:
    (one,) = cases(shared_data, "F-ADL")
    given_, winner = one["inputs"], one["inputs"]["winner"]
    short = winners_of([(winner["qty"], winner["entry"], winner["equity"])], given_["mark"])
    told = deleverage(given_["deficit"], short)
    assert told.equity[0] == one["expected"]["winner_equity_after"]
    # Long 10 at 100 with 50 behind it: closed at 95, the mark is 55 below.
    by_size = deleverage(given_["deficit"], short, quantity=10)
    assert by_size.equity[0] == told.equity[0] and by_size.uncovered == told.uncovered == 0
    assert by_size.closed[0] == winner["qty"]


@pytest.mark.parametrize("rank", ADL_RANKS)
def test_more_profit_and_more_leverage_rank_higher(rank: str) -> None:
    longs = winners_of([(1, 90, 1000), (1, 50, 1000), (1, 50, 30)])
    assert adl_order(longs, rank).tolist() == [2, 1, 0]
    shorts = winners_of([(-1, 110, 1000), (-1, 150, 1000), (-1, 150, 30)])
    assert adl_order(shorts, rank).tolist() == [2, 1, 0]


@pytest.mark.parametrize("rank", ADL_RANKS)
def test_equal_ranks_keep_their_order(rank: str) -> None:
    same = winners_of([(-2, 150, 500)] * 5)
    assert adl_order(same, rank).tolist() == [0, 1, 2, 3, 4]
    told = deleverage(120, same, rank=rank)
    assert told.absorbed.tolist() == [100, 20, 0, 0, 0]


@pytest.mark.parametrize("rank", ADL_RANKS)
def test_who_has_no_equity_comes_last(rank: str) -> None:
    mixed = winners_of([(1, 50, -60), (1, 99, 1000)])
    assert adl_order(mixed, rank).tolist() == [1, 0]


@given(ROWS, st.floats(0, 1e6), st.sampled_from(sorted(ADL_RANKS)))
def test_what_winners_give_up_covers_the_deficit(
    rows: list[tuple[float, float, float]], deficit: float, rank: str
) -> None:
    winners = winners_of(rows)
    told = deleverage(deficit, winners, rank=rank)
    scale = deficit + float(np.abs(winners.profit).sum())
    assert told.absorbed.sum() + told.uncovered == pytest.approx(deficit, abs=1e-9 * scale)
    assert (told.absorbed >= 0).all()
    assert (told.absorbed <= np.maximum(winners.profit, 0) * (1 + 1e-12)).all()
    assert np.allclose(told.equity, winners.equity - told.absorbed)


@given(ROWS, st.floats(0, 1e5), st.floats(0.01, 500), st.sampled_from(sorted(ADL_RANKS)))
def test_positions_are_closed_up_to_the_fallen_size(
    rows: list[tuple[float, float, float]], deficit: float, quantity: float, rank: str
) -> None:
    winners = winners_of(rows)
    told = deleverage(deficit, winners, rank=rank, quantity=quantity)
    total = float(np.abs(winners.size).sum())
    assert abs(told.closed).sum() == pytest.approx(min(quantity, total))
    assert (np.abs(told.closed) <= np.abs(winners.size) * (1 + 1e-12)).all()
    assert told.absorbed.sum() + told.uncovered == pytest.approx(deficit)


def test_bad_arguments_are_named() -> None:
    one = winners_of([(1, 50, 100)])
    with pytest.raises(ValueError, match="rank: 'luck'"):
        adl_order(one, "luck")
    with pytest.raises(ValueError, match="deficit"):
        deleverage(-1, one)
    with pytest.raises(ValueError, match="quantity"):
        deleverage(1, one, quantity=0)
