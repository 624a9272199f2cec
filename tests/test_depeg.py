"""A recorded window of prices of one collateral asset, against the account row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.depeg import depeg_replay
from margin_widgets.account.waterfall import MODES

HOURS = pd.date_range("2023-03-10T20:00Z", periods=9, freq="6h")
PRICES = [1.0, 0.995, 0.97, 0.88, 0.9, 0.93, 0.96, 0.99, 1.0]


def pegged(held: float = 9_000.0, **more: Any) -> mw.Account:
    """A long on a dollar currency that can lose its peg, beside a little of the other."""
    return mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.005, "ETHUSDT": 0.01}),
        collateral={"USDT": 1_000, "USDC": held},
        positions=[
            mw.Position("BTCUSDT", 0.5, 100_000, 10),
            mw.Position("ETHUSDT", 5, 4_000, 10),
        ],
        marks={"BTCUSDT": 85_000, "ETHUSDT": 3_800},
        **more,
    )


@pytest.fixture
def window() -> pd.Series[float]:
    return pd.Series(PRICES, index=HOURS)


def test_a_dip_closes_and_the_recovery_does_not_open_again(window: pd.Series[float]) -> None:
    # Loss so far 7,500 + 1,000; maintenance 212.5 + 190. In cross 1,000 + 9,000 p = 8,902.5.
    trigger = (8_500 + 402.5 - 1_000) / 9_000
    assert trigger == pytest.approx(0.87806, abs=1e-5)
    replay = depeg_replay(pegged(), "USDC", window)
    assert replay.cross.events == ()
    deeper = window.copy()
    deeper.iloc[3] = 0.878
    replay = depeg_replay(pegged(), "USDC", deeper)
    (event,) = replay.cross.events
    assert (event.row, event.price, set(event.positions)) == (3, 0.878, {"BTCUSDT", "ETHUSDT"})
    assert event.balance == pytest.approx(1_000 + 9_000 * 0.878 - 8_500)
    assert np.isfinite(replay.cross.margin_ratio[:4]).all()
    assert np.isnan(replay.cross.margin_ratio[4:]).all()
    assert "cross loses the account at 2023-03-11 14:00:00+00:00 (USDC at 0.878)" in replay.text


def test_every_row_is_the_account_at_that_price(window: pd.Series[float]) -> None:
    account = mw.presets.multi_asset()
    account.collateral["USDC"] = 20_000
    replay = depeg_replay(account, "USDC", window)
    for row, price in enumerate(PRICES):
        there = account.copy()
        there.prices["USDC"] = price
        for series in replay.series:
            assert not series.events
            ratio = getattr(there, series.mode).margin_ratio
            assert series.margin_ratio[row] == pytest.approx(ratio, rel=1e-9)


def test_what_is_below_maintenance_already_is_closed_in_the_first_row(
    window: pd.Series[float],
) -> None:
    account = pegged()
    account.marks["BTCUSDT"] = 60_000
    replay = depeg_replay(account, "USDC", window)
    assert [event.row for event in replay.cross.events] == [0]
    assert replay.cross.events[0].balance < 0


def test_words_table_frame_and_picture_say_the_same(window: pd.Series[float]) -> None:
    replay = depeg_replay(pegged(), "USDC", window)
    head, rows = replay.table()
    assert head[1:] == ("price of USDC", *MODES)
    assert len(rows) == 9
    assert replay.to_frame().index.equals(pd.Index(HOURS, name="time"))
    assert replay.to_frame()["cross_margin_ratio"].max() == pytest.approx(
        402.5 / (1_000 + 9_000 * 0.88 - 8_500)
    )
    page = replay._repr_html_()
    assert replay.text.split(";")[0] in page
    assert "<svg" in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("asset", "prices", "words"),
    [
        ("USDX", [1.0, 0.9], "did you mean|no collateral"),
        ("USDT", [1.0, 0.9], "whose own price is 1"),
        ("USDC", [1.0], "two or more"),
        ("USDC", [1.0, None, 0.9], "row 2"),
        ("USDC", [1.0, 0.9, -0.1], "row 3"),
    ],
)
def test_bad_input_is_named(asset: str, prices: list[Any], words: str) -> None:
    with pytest.raises((KeyError, TraitError), match=words):
        depeg_replay(pegged(), asset, pd.Series(prices, dtype=object))


def test_every_bad_row_is_named() -> None:
    window = pd.Series([1.0, float("nan"), "x", 0.9, -1], dtype=object)
    with pytest.raises(TraitError) as refused:
        depeg_replay(pegged(), "USDC", window)
    lines = str(refused.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"prices, row {n}" for n in (2, 3, 5)]
