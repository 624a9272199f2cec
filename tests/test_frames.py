"""Positions and marks as tables: nothing lost, nothing dropped, every bad row named."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import traitlets

import margin_widgets as mw
from margin_widgets.account.frames import (
    from_frame,
    marks_from_frame,
    marks_series,
    positions_frame,
    positions_from_frame,
)

PRESETS = ("ref2", "hedged_pair", "multi_asset", "inverse")


def fields(positions: Any) -> list[dict[str, Any]]:
    return [one.to_dict() for one in positions]


@pytest.mark.parametrize("name", PRESETS)
def test_positions_come_back_as_they_were(name: str) -> None:
    account = getattr(mw.presets, name)()
    account.positions[0].margin = 0.1 + 0.2
    frame = positions_frame(account)
    assert list(frame.columns) == [
        "symbol",
        "quantity",
        "entry_price",
        "leverage",
        "margin",
        "margin_mode",
    ]
    assert list(frame.index) == account.positions.keys()
    assert fields(positions_from_frame(frame)) == fields(account.positions)
    assert account.to_frame().equals(frame)


def test_both_legs_have_a_row() -> None:
    account = mw.presets.ref2()
    account.positions.append(mw.Position("BTCUSDT", -0.1, 99_000))
    frame = positions_frame(account)
    assert list(frame.index) == ["BTCUSDT:long", "ETHUSDT", "BTCUSDT:short"]
    assert fields(positions_from_frame(frame)) == fields(account.positions)


def test_an_empty_account_is_an_empty_table() -> None:
    frame = positions_frame(mw.Account())
    assert len(frame) == 0
    assert positions_from_frame(frame) == []


def test_positions_survive_csv(tmp_path: Any) -> None:
    account = mw.presets.multi_asset()
    positions_frame(account).to_csv(tmp_path / "book.csv", index=False)
    assert fields(positions_from_frame(pd.read_csv(tmp_path / "book.csv"))) == fields(
        account.positions
    )


def test_an_account_from_tables() -> None:
    account = mw.presets.ref2()
    again = from_frame(
        positions_frame(account),
        venue=account.venue,
        collateral=account.collateral,
        marks=marks_series(account),
        name=account.name,
    )
    assert again.to_dict() == account.to_dict()


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"symbol": ["A", "B"], "quantity": [1, -2], "entry_price": [10, 20]} | columns
    )


def test_left_out_and_blank_cells_are_defaults() -> None:
    (a, b) = positions_from_frame(table(leverage=[5, math.nan], margin_mode=["isolated", None]))
    assert (a.leverage, a.margin_mode, a.margin) == (5.0, "isolated", None)
    assert (b.leverage, b.margin_mode, b.margin) == (10.0, "cross", None)


@pytest.mark.parametrize(
    "column", [np.array([1, 2], dtype="int32"), pd.array([1, 2], dtype="Int64"), [1.0, 2.0]]
)
def test_number_types_of_pandas(column: Any) -> None:
    assert [one.leverage for one in positions_from_frame(table(leverage=column))] == [1.0, 2.0]


def test_every_bad_row_is_listed_by_number() -> None:
    frame = pd.DataFrame(
        {
            "symbol": ["A", "", "C", "D", "E", "F"],
            "quantity": [1, 2, 0, math.inf, 5, 6],
            "entry_price": [1, 1, 2.0, 1, "ten", 1],
            "margin_mode": ["cross", "cross", "cross", "cross", "cross", "croos"],
        }
    )
    with pytest.raises(traitlets.TraitError) as caught:
        positions_from_frame(frame)
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"row {n}" for n in (2, 3, 4, 5, 6)]
    for line, part in zip(lines, ("symbol", "quantity", "inf", "'ten'", "croos"), strict=True):
        assert part in line


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (table(leverag=[1, 2]), "unknown column 'leverag'; did you mean 'leverage'"),
        (table().drop(columns="quantity"), "column 'quantity' is missing"),
        (pd.concat([table(), table()[["symbol"]]], axis=1), "column 'symbol' is there twice"),
    ],
)
def test_columns_that_are_not_understood_are_refused(frame: pd.DataFrame, reason: str) -> None:
    with pytest.raises(traitlets.TraitError, match=reason):
        positions_from_frame(frame)


def test_a_side_must_agree_with_the_sign() -> None:
    assert len(positions_from_frame(table(side=["long", "short"]))) == 2
    with pytest.raises(traitlets.TraitError, match=r"row 2: B side: 'long' disagrees"):
        positions_from_frame(table(side=["long", "long"]))


def test_the_table_of_a_report_gives_positions() -> None:
    account = mw.presets.multi_asset()
    with pytest.warns(UserWarning, match="not read as assigned margin"):
        positions = positions_from_frame(account.cross.to_frame())
    assert [one.quantity for one in positions] == [one.quantity for one in account.positions]
    assert {one.margin for one in positions} == {None}


# ------------------------------------------------------------------ marks


def test_marks_come_back_as_they_were() -> None:
    account = mw.presets.multi_asset()
    assert marks_from_frame(marks_series(account)) == account.marks
    assert marks_from_frame(marks_series(account).reset_index()) == account.marks


def test_marks_of_a_moment_of_price_histories() -> None:
    hours = pd.date_range("2026-01-01", periods=3, freq="h", tz="UTC")
    history = pd.DataFrame({"BTCUSDT": [1.0, 2.0, 3.0], "ETHUSDT": [4, 5, 6]}, index=hours)
    assert marks_from_frame(history) == {"BTCUSDT": 3.0, "ETHUSDT": 6.0}
    assert marks_from_frame(history, at=hours[1]) == {"BTCUSDT": 2.0, "ETHUSDT": 5.0}
    with pytest.raises(traitlets.TraitError, match="no row"):
        marks_from_frame(history, at=pd.Timestamp("2020-01-01", tz="UTC"))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (pd.Series({"A": 1.0, "B": math.nan, "C": -1.0, "D": "x"}), r"(?s)row 2.*row 3.*row 4"),
        (pd.Series([1.0], index=[7]), "7 is not a symbol"),
        (pd.Series([1.0, 2.0], index=["A", "A"]), "A given twice"),
        (pd.DataFrame({"A": []}), "no rows"),
        ({"A": 1.0}, "not a pandas series or table"),
    ],
)
def test_marks_that_are_none_are_refused(given: Any, reason: str) -> None:
    with pytest.raises(traitlets.TraitError, match=reason):
        marks_from_frame(given)
