"""Every number of the reference account REF-2, through the public surface.

Wallet 10,000 USDT; long 0.5 BTC at 100,000 and long 5 ETH at 4,000, both at 10x; mark = entry;
flat maintenance of 0.5 % and 1.0 %; no fees.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import margin_widgets as mw

BTC, ETH = "BTCUSDT", "ETHUSDT"
MODES = ("isolated", "cross", "configured")


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


def cents(value: float) -> Any:
    """A number as printed with two digits."""
    return pytest.approx(value, abs=0.005)


def percent(value: float) -> Any:
    """A relative number as printed in percent with two digits."""
    return pytest.approx(value / 100, abs=0.00005)


def at(x: Any, y: Any, where: float) -> float:
    """Value of a curve at one of its own points."""
    found = np.flatnonzero(np.isclose(x, where, rtol=1e-12, atol=1e-12))
    assert len(found), f"the curve has no point at {where}"
    return float(y[found[-1]])


# ------------------------------------------------------------------ the account at its marks


def test_initial_margin_and_free_balance(account: mw.Account) -> None:
    for report in (account.isolated, account.cross):
        assert report.equity == 10_000
        assert report.wallet_balance == 10_000
        assert report.unrealized_pnl == 0
        assert report.initial_margin == cents(7_000)
        assert report.positions[BTC].initial_margin == cents(5_000)
        assert report.positions[ETH].initial_margin == cents(2_000)
        assert report.available == cents(3_000)


def test_maintenance_margin_and_ratio(account: mw.Account) -> None:
    assert account.cross.positions[BTC].maintenance_margin == cents(250)
    assert account.cross.positions[ETH].maintenance_margin == cents(200)
    assert account.cross.maintenance_margin == cents(450)
    assert account.cross.margin_ratio == percent(4.5)
    assert account.isolated.positions[BTC].margin_ratio == percent(5)
    assert account.isolated.positions[ETH].margin_ratio == percent(10)
    assert account.isolated.margin_ratio == percent(10)


def test_notional_and_leverage(account: mw.Account) -> None:
    assert account.cross.positions[BTC].notional == 50_000
    assert account.cross.positions[ETH].notional == 20_000
    assert account.cross.effective_leverage == pytest.approx(7.0)
    assert account.cross.collateral_utilization == percent(70)


def test_status_is_ok(account: mw.Account) -> None:
    assert account.isolated.status == account.cross.status == "ok"


# ------------------------------------------------------------------ liquidation prices


def test_btc_liquidation_price(account: mw.Account) -> None:
    assert account.isolated.positions[BTC].liquidation_price == cents(90_452.26)
    assert account.cross.positions[BTC].liquidation_price == cents(80_804.02)


def test_btc_cross_liquidation_price_depends_on_eth(account: mw.Account) -> None:
    before = account.isolated.positions[BTC].liquidation_price
    account.marks[ETH] = 3_600
    assert account.cross.positions[BTC].liquidation_price == cents(84_783.92)
    assert account.isolated.positions[BTC].liquidation_price == before


def test_the_condition_names_the_other_mark(account: mw.Account) -> None:
    condition = account.cross.positions[BTC].condition
    assert "ETH" in condition
    assert "4,000" in condition


def test_eth_liquidation_price(account: mw.Account) -> None:
    assert account.isolated.positions[ETH].liquidation_price == cents(3_636.36)
    assert account.cross.positions[ETH].liquidation_price == cents(2_070.71)


def test_a_long_has_no_upper_liquidation_price(account: mw.Account) -> None:
    for report in (account.isolated, account.cross):
        for key in (BTC, ETH):
            lower, upper = report.positions[key].liquidation_prices
            assert lower == report.positions[key].liquidation_price
            assert upper is None


def test_bankruptcy_prices(account: mw.Account) -> None:
    assert account.isolated.positions[BTC].bankruptcy_price == cents(90_000)
    assert account.isolated.positions[ETH].bankruptcy_price == cents(3_600)
    assert account.cross.positions[BTC].bankruptcy_price == cents(80_000)
    assert account.cross.positions[ETH].bankruptcy_price == cents(2_000)


def test_distance(account: mw.Account) -> None:
    assert account.isolated.positions[BTC].distance == percent(9.55)
    assert account.isolated.positions[ETH].distance == percent(9.09)
    assert account.cross.positions[BTC].distance == percent(19.20)


# ------------------------------------------------------------------ common shocks and losses


def test_common_shock_isolated(account: mw.Account) -> None:
    assert account.isolated.positions[ETH].liquidation_shock == percent(-9.09)
    assert account.isolated.positions[BTC].liquidation_shock == percent(-9.55)
    assert account.isolated.liquidation_shock == percent(-9.09)


def test_common_shock_cross(account: mw.Account) -> None:
    assert account.cross.liquidation_shock == percent(-13.73)
    assert account.cross.positions[BTC].liquidation_shock == percent(-13.73)
    assert account.cross.positions[ETH].liquidation_shock == percent(-13.73)
    down, up = account.cross.liquidation_shocks
    assert down == percent(-13.73)
    assert up is None


def test_worst_losses(account: mw.Account) -> None:
    assert account.isolated.worst_loss == cents(7_000)
    assert account.cross.worst_loss == cents(10_000)


def test_collateral_to_survive_a_common_fall_of_30_percent(account: mw.Account) -> None:
    isolated = account.isolated.collateral_to_survive(-0.3)
    cross = account.cross.collateral_to_survive(-0.3)
    assert dict(isolated.by_pool) == {BTC: cents(15_175), ETH: cents(6_140)}
    assert isolated.total == cents(21_315)
    assert dict(cross.by_pool) == {"cross": cents(21_315)}
    assert cross.total == cents(21_315)


# ------------------------------------------------------------------ edits


def test_leverage_20_moves_only_the_isolated_price(account: mw.Account) -> None:
    before = account.cross.positions[BTC].liquidation_price
    account.positions[BTC].leverage = 20
    assert account.isolated.positions[BTC].liquidation_price == cents(95_477.39)
    assert account.cross.positions[BTC].liquidation_price == before


def test_margin_moved_to_btc_moves_only_the_isolated_price(account: mw.Account) -> None:
    before = account.cross.positions[BTC].liquidation_price
    account.positions[BTC].margin = 6_000
    assert account.isolated.positions[BTC].liquidation_price == cents(88_442.21)
    assert account.cross.positions[BTC].liquidation_price == before


def test_a_larger_quantity_shows_at_once(account: mw.Account) -> None:
    account.positions[BTC].quantity = 0.6
    assert account.isolated.initial_margin == cents(8_000)


def test_drag_to_solve_the_isolated_margin(account: mw.Account) -> None:
    margin = mw.solve.margin_for_liquidation(account, BTC, 85_000)
    assert margin == cents(7_712.50)
    account.positions[BTC].margin = margin
    assert account.isolated.positions[BTC].liquidation_price == pytest.approx(85_000, rel=1e-12)


def test_drag_to_solve_the_cross_wallet(account: mw.Account) -> None:
    # 85,000: loss of 7,500 and maintenance of 212.50 + 200, so 7,912.50 must be there
    change = mw.solve.wallet_for_liquidation(account, BTC, 85_000)
    assert change == cents(-2_087.50)
    account.collateral["USDT"] += change
    assert account.cross.positions[BTC].liquidation_price == pytest.approx(85_000, rel=1e-12)


# ------------------------------------------------------------------ curves through liquidation


def test_eth_falls_60_percent_isolated(account: mw.Account) -> None:
    curve = account.curve(ETH, low=1_600, high=4_400)
    assert curve.symbol == ETH
    assert curve.mark == 4_000
    assert at(curve.x, curve.isolated.equity, 1_600) == cents(8_000)
    (event,) = curve.isolated.events
    assert event.x == cents(3_636.36)
    assert event.positions == (ETH,)  # BTC is still open
    assert at(curve.x, curve.isolated.maintenance, 1_600) == cents(250)
    assert event.bankruptcy_x == cents(3_600)


def test_eth_falls_60_percent_cross(account: mw.Account) -> None:
    curve = account.curve(ETH, low=1_600, high=4_400)
    (event,) = curve.cross.events
    assert event.x == cents(2_070.71)
    assert event.pool == "cross"
    assert event.pool_equity == cents(353.54)
    assert event.equity_before == cents(353.54)
    assert event.equity_after == 0
    assert event.positions == (BTC, ETH)  # the healthy BTC is closed too
    assert event.bankruptcy_x == cents(2_000)
    assert event.fee == 0
    assert at(curve.x, curve.cross.equity, 1_600) == 0
    assert at(curve.x, curve.cross.maintenance, 1_600) == 0


def test_the_common_shock_of_60_percent(account: mw.Account) -> None:
    curve = account.curve(shock=True, low=-0.6, high=0.2)
    assert curve.symbol is None
    assert curve.mark == 0
    assert [event.positions for event in curve.isolated.events] == [(ETH,), (BTC,)]
    assert [event.x for event in curve.isolated.events] == [percent(-9.09), percent(-9.55)]
    assert [event.x for event in curve.cross.events] == [percent(-13.73)]
    assert at(curve.x, curve.isolated.equity, -0.6) == cents(3_000)  # 3,000 survives
    assert at(curve.x, curve.cross.equity, -0.6) == 0


def test_a_common_fall_of_12_percent(account: mw.Account) -> None:
    curve = account.curve(shock=True, low=-0.12, high=0.1)
    assert at(curve.x, curve.isolated.equity, -0.12) == cents(3_000)
    assert at(curve.x, curve.cross.equity, -0.12) == cents(1_600)


@pytest.mark.parametrize(("symbol", "low", "high"), [(BTC, 6e4, 1.3e5), (ETH, 1.6e3, 5e3)])
def test_both_modes_are_equal_until_the_first_trigger(
    account: mw.Account, symbol: str, low: float, high: float
) -> None:
    curve = account.curve(symbol, low=low, high=high)
    first = max(e.x for mode in MODES for e in getattr(curve, mode).events)
    right = curve.x > first
    assert right.sum() > 100
    difference = curve.isolated.equity[right] - curve.cross.equity[right]
    assert np.abs(difference).max() <= 1e-9 * 10_000


def test_flat_after_the_trigger_with_the_jump_apart(account: mw.Account) -> None:
    curve = account.curve(BTC, low=60_000, high=130_000)
    for mode, trigger, kept in (("isolated", 90_452.2613, 5_000.0), ("cross", 80_804.0201, 0.0)):
        line = getattr(curve, mode)
        (event,) = line.events
        assert event.x == pytest.approx(trigger, abs=1e-4)
        twice = np.flatnonzero(curve.x == event.x)
        assert len(twice) == 2  # the trigger appears twice: after (farther), then before
        after, before = twice
        assert line.equity[before] == pytest.approx(event.equity_before, rel=1e-12)
        assert line.equity[after] == pytest.approx(event.equity_after, rel=1e-12, abs=1e-9)
        assert np.ptp(line.equity[: after + 1]) <= 1e-9
        assert line.equity[0] == pytest.approx(kept, abs=1e-9)


def test_a_curve_given_other_marks(account: mw.Account) -> None:
    curve = account.curve(BTC, low=60_000, high=130_000, marks={ETH: 3_600})
    (event,) = curve.cross.events
    assert event.x == cents(84_783.92)
    assert account.marks[ETH] == 4_000


def test_the_ratio_is_one_at_the_trigger_and_absent_after_it(account: mw.Account) -> None:
    curve = account.curve(BTC, low=60_000, high=130_000)
    (event,) = curve.cross.events
    after, before = np.flatnonzero(curve.x == event.x)
    assert curve.cross.margin_ratio[before] == pytest.approx(1.0, rel=1e-12)
    assert np.isnan(curve.cross.margin_ratio[: after + 1]).all()
    assert at(curve.x, curve.cross.margin_ratio, 130_000) < 0.045
