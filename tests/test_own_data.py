"""Story A9: price histories and tier tables of one's own; bad rows are named, none is dropped."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traitlets import TraitError

import margin_widgets as mw

HOURS = pd.date_range("2026-11-22", periods=4, freq="h", tz="UTC")


def prices(**changes: Any) -> pd.DataFrame:
    columns = {
        "BTCUSDT": [100_000.0, 98_500.0, 91_000.0, 90_000.0],
        "ETHUSDT": [4_000.0, 3_900.0, 3_700.0, 3_600.0],
    }
    return pd.DataFrame({**columns, **changes}, index=HOURS)


def tiers(*rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["symbol", "floor", "rate", "max_leverage"][: len(rows[0])])


def test_a_history_is_read_whole_and_gives_the_marks_of_a_moment() -> None:
    history = mw.io.price_history(prices())
    assert history.shape == (4, 2)
    assert str(history.index.tz) == "UTC"
    account = mw.presets.ref2()
    account.marks = mw.io.marks_from_frame(history)
    # At 3,600 of ETH: (10,000 - 2,000 - 180 - 50,000) / (0.5 x (0.005 - 1))
    assert account.cross.positions["BTCUSDT"].liquidation_price == pytest.approx(
        84_783.92, abs=0.01
    )
    assert mw.io.marks_from_frame(history, HOURS[1]) == {"BTCUSDT": 98_500, "ETHUSDT": 3_900}


def test_every_bad_row_is_listed_by_its_number() -> None:
    table = prices(BTCUSDT=[100_000, "n/a", None, -1.0], ETHUSDT=[4_000, 0.0, 3_700, float("inf")])
    with pytest.raises(TraitError) as caught:
        mw.io.price_history(table)
    first, second, third = str(caught.value).split("\n")
    assert first.startswith("row 2: BTCUSDT")
    assert "ETHUSDT" in first
    assert second == "row 3: BTCUSDT: blank"
    assert third.startswith("row 4: BTCUSDT")
    assert "> 0" in third
    assert "ETHUSDT" in third


def test_bad_rows_are_left_out_only_on_demand_and_with_a_warning() -> None:
    table = prices(BTCUSDT=[100_000, np.nan, 91_000, 90_000])
    with pytest.warns(UserWarning, match=r"1 of 4 rows are left out:\nrow 2: BTCUSDT: blank"):
        history = mw.io.price_history(table, skip_bad_rows=True)
    assert history.index.tolist() == [HOURS[0], HOURS[2], HOURS[3]]


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (["2026-11-22", "x", "2026-11-24", ""], "row 2: time 'x' is not a time"),
        ([1, 2, 3, 4], "row 1: time 1 is a number"),
        (["2026-11-22T08:00Z", "20261122T0900Z", "2026-11-22 10:00+00", "22.11.2026"], "row 4: "),
        (pd.date_range("2026-11-22", periods=4), "row 1: time 2026-11-22 00:00:00 has no zone"),
        (
            [HOURS[0], HOURS[0], HOURS[1], HOURS[2]],
            "row 2: time 2026-11-22T00:00:00+00:00 is the",
        ),
        ([HOURS[1], HOURS[0], HOURS[2], HOURS[3]], "row 2: time 2026-11-22T00:00:00+00:00 is befo"),
        ([HOURS[0], pd.NaT, HOURS[2], HOURS[3]], "row 2: time: blank"),
    ],
)
def test_times_that_are_none_are_refused(index: Any, words: str) -> None:
    with pytest.raises(TraitError) as caught:
        mw.io.price_history(prices().set_axis(index))
    assert words in str(caught.value)


def test_times_that_have_to_be_guessed_at_are_listed() -> None:
    index = [
        "2026-04-02",
        "03/04/2026 10:00",
        "13/04/2026 10:00",
        "2026-04-14 10:00",
        "08:00Z",
        "today",
        "now",
        "2026",
        "Apr 15, 2026",
        np.int64(1_700_000_000),
        np.datetime64("2026-04-16T10:00"),
        dt.datetime(2026, 4, 17, 10, tzinfo=dt.UTC),
        pd.Timestamp("2026-04-18T10:00Z"),
        "2026-04-31T10:00Z",
    ]
    table = pd.DataFrame({"BTCUSDT": 100_000.0}, index=pd.Index(index, dtype=object))
    with pytest.raises(TraitError) as caught:
        mw.io.price_history(table, timezone="UTC")
    rows = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert rows == [f"row {n}" for n in (2, 3, 5, 6, 7, 8, 9, 10, 14)]
    with pytest.warns(UserWarning, match="9 of 14 rows are left out"):
        history = mw.io.price_history(table, timezone="UTC", skip_bad_rows=True)
    assert [when.day for when in history.index] == [2, 14, 16, 17, 18]


def test_a_zone_may_be_said_and_a_column_may_hold_the_times() -> None:
    naive = prices().set_axis(pd.date_range("2026-11-22", periods=4, freq="h"))
    there = mw.io.price_history(naive, timezone="Europe/Berlin")
    assert there.index[0].isoformat() == "2026-11-21T23:00:00+00:00"
    column = prices().rename_axis("when").reset_index()
    assert mw.io.price_history(column, time="when").equals(mw.io.price_history(prices()))
    with pytest.raises(TraitError, match="no column 'time'"):
        mw.io.price_history(column, time="time")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([1.0, 2.0], "is not a pandas table"),
        (prices().iloc[:0], "no rows"),
        (prices()[[]], "no columns"),
        (prices().set_axis(["BTCUSDT", 7], axis=1), "column 2: 7 is not a symbol"),
        (prices().set_axis(["BTCUSDT"] * 2, axis=1), "'BTCUSDT' is there twice"),
    ],
)
def test_tables_of_another_shape_are_refused(table: Any, words: str) -> None:
    with pytest.raises(TraitError, match=words):
        mw.io.price_history(table)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.floats(), st.none(), st.just("much")), min_size=1, max_size=8))
def test_no_row_is_lost_without_a_word(column: list[Any]) -> None:
    index = pd.date_range("2026-11-22", periods=len(column), freq="h", tz="UTC")
    table = pd.DataFrame({"BTCUSDT": pd.Series(column, index=index, dtype=object)})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            read = len(mw.io.price_history(table, skip_bad_rows=True))
        except TraitError:
            read = 0
    named = sum(str(one.message).count("\nrow ") for one in told)
    assert read + named == len(column)


def test_a_table_of_tiers_is_what_the_rules_take() -> None:
    table = tiers(
        ("BTCUSDT", 0, 0.004, 125), ("ETHUSDT", 0, 0.01, None), ("BTCUSDT", 300_000, 0.005, 100)
    )
    read = mw.io.tiers_from_frame(table)
    assert read["BTCUSDT"] == ((0.0, 0.004, 125.0), (300_000.0, 0.005, 100.0))
    assert read["ETHUSDT"][0].max_leverage is None
    account = mw.presets.ref2()
    account.venue = account.venue.replace(tiers=read)
    account.positions["BTCUSDT"].quantity = 4
    # 400,000 x 0.005 - 300 of maintenance amount, and 1 % of 20,000.
    assert account.cross.maintenance_margin == pytest.approx(1_700 + 200)


def test_every_bad_tier_is_listed_by_its_number() -> None:
    table = tiers(
        ("BTCUSDT", 0, 0.004),
        ("BTCUSDT", 0, 0.005),
        ("", 0, 0.01),
        ("ETHUSDT", 5, 0.01),
        ("BTCUSDT", 300_000, 0.003),
        ("SOLUSDT", 0, None),
        ("XRPUSDT", 0, 1.5),
    )
    with pytest.raises(TraitError) as caught:
        mw.io.tiers_from_frame(table)
    assert str(caught.value).split("\n") == [
        "row 2: BTCUSDT: floor 0 does not rise above 0",
        "row 3: symbol: blank",
        "row 4: ETHUSDT: the first floor is 5, it must be 0",
        "row 5: BTCUSDT: rate 0.003 falls below 0.004",
        "row 6: SOLUSDT rate: blank",
        "row 7: XRPUSDT: rate 1.5 is not within 0 and 1",
    ]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pd.DataFrame({"symbol": ["A"], "floor": [0]}), "column 'rate' is missing"),
        (tiers(("A", 0, 0.1, 5)).rename(columns={"floor": "flor"}), "did you mean 'floor'"),
        (tiers(("A", 0, 0.1)).iloc[:0], "no rows"),
    ],
)
def test_tier_tables_of_another_shape_are_refused(table: Any, words: str) -> None:
    with pytest.raises(TraitError, match=words):
        mw.io.tiers_from_frame(table)
