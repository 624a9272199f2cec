"""Labels of pictures in a part of 256 px: whole, apart from each other, and none of a mode missing.

There the frame is 188 px wide and words are 9 px high, which is a frame of 230 px in the size that
labels are placed for.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from recorded import depeg

import margin_widgets as mw
from margin_widgets.widgets.plotting import LabelPlacer, text_px

FRAME = 188 * 11 / 9
CALL = "BTC-25DEC26-110000-C"


def options() -> mw.Account:
    """An inverse perpetual and an option, both with long names."""
    return mw.Account(
        "deribit",
        {"BTC": 1.0},
        [mw.Position("BTC-PERPETUAL", 20_000, 100_000, 10), mw.Position(CALL, -1.0, 0.05, 5)],
        {"BTC-PERPETUAL": 100_000, CALL: 0.05},
        as_of="2026-11-20",
    )


def token(account: mw.Account) -> Any:
    return mw.CollateralStressPlot(account, lp_of="BTCUSDT")


def boxes(plot: Any) -> dict[str, tuple[float, float, float]]:
    """Left, right and middle of each narrow label, in pixels of the frame."""
    found = {}
    for mark, rightward in ((plot._labels_right, True), (plot._labels_left, False)):
        for x, y, text, color in zip(mark.x, mark.y, mark.text, mark.colors, strict=True):
            if "-narrow-" not in color:
                continue
            ends = np.array([plot._x.min, plot._x.max, x])
            start, end, at = np.log(ends) if plot.log_x else ends
            across = (at - start) / (end - start) * FRAME
            left = across + LabelPlacer.GAP if rightward else across - LabelPlacer.GAP
            left -= 0 if rightward else text_px(str(text))
            up = (y - plot._y.min) / (plot._y.max - plot._y.min) * plot.height
            found[str(text)] = left, left + text_px(str(text)), up
    return found


@pytest.mark.parametrize(
    ("make", "account"),
    [
        (mw.FundingDriftPlot, mw.presets.ref2),
        (mw.FundingDriftPlot, mw.presets.inverse),
        (mw.FundingDriftPlot, mw.presets.multi_asset),
        (mw.RatioPlot, options),
        (mw.RatioPlot, mw.presets.exchange_account),
        (mw.CollateralStressPlot, mw.presets.bitcoin_on_bitcoin),
        (token, mw.presets.hedged_lp_token),
        (depeg, mw.presets.bitcoin_on_bitcoin),
    ],
)
def test_labels_are_whole_and_apart(
    make: Callable[[mw.Account], Any], account: Callable[[], mw.Account]
) -> None:
    plot = make(account())
    placed = boxes(plot)
    assert len(placed) >= 3
    for text, (left, right, _) in placed.items():
        assert left >= -1 and right <= FRAME + 1, text
    for (one, a), (other, b) in combinations(placed.items(), 2):
        beside = a[1] <= b[0] + 1 or b[1] <= a[0] + 1
        assert beside or abs(a[2] - b[2]) >= LabelPlacer.LINE - 1, (one, other)
    plot.close()


@pytest.mark.parametrize("width", ["narrow", "wide"])
def test_each_mode_is_named_where_symbols_are_long(width: str) -> None:
    for kind in (mw.RatioPlot, mw.LeveragePlot):
        plot = kind(options())
        colors = [*plot._labels_right.colors, *plot._labels_left.colors]
        for mode in ("cross", "isolated"):
            assert any(f"--mw-{width}-{mode}" in color for color in colors), (kind, mode)
        plot.close()
