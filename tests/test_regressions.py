"""Mistakes that other tools made, one test each, numbered as in the product's list.

T2 and T11 to T16 belong to replay, policies and stops, which the package does not have yet.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import margin_widgets as mw


def one_symbol(
    quantity: float, entry: float, wallet: float, rate: Any = 0.005, **position: Any
) -> mw.Account:
    """One linear position, marked at its entry."""
    return mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": rate}),
        collateral={"USDT": wallet},
        positions=[mw.Position("BTCUSDT", quantity=quantity, entry_price=entry, **position)],
        marks={"BTCUSDT": entry},
    )


def test_t1_the_maintenance_of_other_positions_counts() -> None:
    """1 unit long, equity 5, mark 100, rate 0.4 %, other maintenance 4: 99/0.996, not 95.40."""
    account = mw.Account(
        venue=mw.venues.generic(tiers={"AUSDT": 0.004, "BUSDT": 0.004}),
        collateral={"USDT": 5},
        positions=[
            mw.Position("AUSDT", quantity=1, entry_price=100),
            mw.Position("BUSDT", quantity=1, entry_price=1_000),
        ],
        marks={"AUSDT": 100, "BUSDT": 1_000},
    )
    price = account.cross.positions["AUSDT"].liquidation_price
    assert price == pytest.approx(99 / 0.996, rel=1e-12)
    assert price == pytest.approx(99.3976, abs=5e-5)


def test_t3_the_free_balance_moves_the_cross_price_only() -> None:
    """The stake is not the wallet: cross differs from isolated and feels the free balance."""
    account = one_symbol(1, 100, wallet=50)
    isolated = account.isolated.positions["BTCUSDT"].liquidation_price
    cross = account.cross.positions["BTCUSDT"].liquidation_price
    assert cross < isolated
    account.collateral["USDT"] = 60
    assert account.cross.positions["BTCUSDT"].liquidation_price == pytest.approx(40 / 0.995)
    assert account.cross.positions["BTCUSDT"].liquidation_price < cross
    assert account.isolated.positions["BTCUSDT"].liquidation_price == isolated


class TestT4NoAbsurdNumbers:
    """Flat, 1x, hedged and tiny-price accounts: a finite figure or None, never NaN or infinity."""

    def check(self, account: mw.Account) -> None:
        for report in (account.isolated, account.cross, account.configured):
            rows = [report, *report.positions.values()]
            for row in rows:
                for name in (
                    "equity",
                    "margin_balance",
                    "unrealized_pnl",
                    "initial_margin",
                    "maintenance_margin",
                    "margin_ratio",
                    "available",
                    "effective_leverage",
                    "collateral_utilization",
                    "liquidation_shock",
                    "liquidation_price",
                    "bankruptcy_price",
                    "distance",
                    "notional",
                ):
                    value = getattr(row, name, None)
                    assert value is None or math.isfinite(value), f"{name} {value}"
            for position in report.positions.values():
                for price in (*position.liquidation_prices, position.bankruptcy_price):
                    assert price is None or 0 < price < 1e15

    def test_flat(self) -> None:
        account = mw.Account(
            venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}), collateral={"USDT": 100}
        )
        self.check(account)
        assert account.cross.equity == account.isolated.equity == 100
        assert account.cross.margin_ratio is None or account.cross.margin_ratio == 0
        assert account.cross.liquidation_shock is None

    def test_empty_wallet_and_flat(self) -> None:
        self.check(mw.Account(venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}), collateral={}))

    def test_long_at_1x_cannot_be_liquidated(self) -> None:
        account = one_symbol(2, 100, wallet=200, leverage=1)
        self.check(account)
        for report in (account.isolated, account.cross):
            assert report.positions["BTCUSDT"].liquidation_prices == (None, None)
            assert report.positions["BTCUSDT"].liquidation_price is None
            assert report.positions["BTCUSDT"].distance is None
            assert report.liquidation_shock is None

    def test_inverse_short_at_1x_cannot_be_liquidated(self) -> None:
        account = mw.Account(
            venue=mw.venues.generic(
                contracts={
                    "BTCUSD": mw.Contract(kind="inverse", multiplier=100, base="BTC", settle="BTC")
                },
                tiers={"BTCUSD": 0.004},
                currency="USD",
            ),
            collateral={"BTC": 1.0},
            positions=[mw.Position("BTCUSD", quantity=-500, entry_price=50_000, leverage=1)],
            marks={"BTCUSD": 50_000},
        )
        self.check(account)
        assert account.isolated.positions["BTCUSD"].liquidation_prices == (None, None)
        # 50,000 USD short on 1 BTC is worth 50,000 USD at every price: it does not move
        low = account.curve("BTCUSD", low=20_000, high=90_000).cross.equity
        assert np.ptp(low) == pytest.approx(0, abs=1e-6)

    def test_perfect_hedge_at_entry_maintenance(self) -> None:
        account = mw.Account(
            venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}, maintenance_at="entry"),
            collateral={"USDT": 100},
            positions=[
                mw.Position("BTCUSDT", quantity=0.1, entry_price=1_000),
                mw.Position("BTCUSDT", quantity=-0.1, entry_price=1_000),
            ],
            marks={"BTCUSDT": 1_000},
        )
        self.check(account)
        assert account.cross.positions["BTCUSDT:long"].liquidation_prices == (None, None)

    def test_tiny_price(self) -> None:
        account = one_symbol(1e9, 1.2e-8, wallet=5)
        self.check(account)
        price = account.isolated.positions["BTCUSDT"].liquidation_price
        assert price == pytest.approx(1.2e-8 * 0.9 / 0.995, rel=1e-12)


def test_t5_a_short_loses_no_more_than_its_pool_through_a_51x_move() -> None:
    """The pool feeds a cross short until it is gone; the isolated one costs its margin."""
    account = one_symbol(-10, 100, wallet=2_000, rate=0.01, leverage=10)
    curve = account.curve("BTCUSDT", low=50, high=5_100)
    assert account.isolated.worst_loss == pytest.approx(100)
    assert account.cross.worst_loss == pytest.approx(2_000)
    assert curve.isolated.equity[-1] == pytest.approx(1_900)
    assert curve.cross.equity[-1] == 0
    assert curve.cross.equity.min() >= 0
    assert curve.isolated.equity.min() >= 1_900
    assert curve.cross.events[0].x == pytest.approx(3_000 / 10.1)


def test_t6_available_takes_initial_margin_not_maintenance() -> None:
    """Available = margin balance - initial margin - order margin."""
    account = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}),
        collateral={"USDT": 10_000},
        positions=[mw.Position("BTCUSDT", quantity=0.5, entry_price=100_000, leverage=10)],
        marks={"BTCUSDT": 99_000},
        order_margin=700.0,
    )
    # 10,000 - 500 lost - 4,950 at mark - 700
    assert account.cross.available == pytest.approx(3_850)
    account.marks["BTCUSDT"] = 82_000
    assert account.cross.available == 0


def test_t7_after_a_flip_the_side_is_the_new_one() -> None:
    """Long 50, sell 60: the short of 10 is liquidated above its entry, not below."""
    account = one_symbol(50, 100, wallet=1_000)
    assert account.cross.positions["BTCUSDT"].liquidation_price < 100
    with account.edit():
        account.positions["BTCUSDT"].quantity = 50 - 60
        account.positions["BTCUSDT"].entry_price = 104
        account.marks["BTCUSDT"] = 104
    for report in (account.isolated, account.cross):
        position = report.positions["BTCUSDT"]
        assert position.side == "short"
        assert position.liquidation_price > 104
    isolated = account.isolated.positions["BTCUSDT"].liquidation_price
    assert isolated == pytest.approx(104 * 1.1 / 1.005, rel=1e-12)


class TestT8PocketsAndPoolAreApart:
    """A mixed account: what is wiped out in one place never touches the other, to the cent."""

    @pytest.fixture
    def account(self) -> mw.Account:
        return mw.Account(
            venue=mw.venues.generic(tiers={"BTCUSDT": 0.005, "ETHUSDT": 0.01}),
            collateral={"USDT": 10_000},
            positions=[
                mw.Position("BTCUSDT", quantity=0.5, entry_price=100_000, leverage=10),
                mw.Position(
                    "ETHUSDT",
                    quantity=5,
                    entry_price=4_000,
                    margin=2_345.67,
                    margin_mode="isolated",
                ),
            ],
            marks={"BTCUSDT": 100_000, "ETHUSDT": 4_000},
        )

    def test_the_pocket_is_wiped_out_and_the_pool_untouched(self, account: mw.Account) -> None:
        pool_price = account.configured.positions["BTCUSDT"].liquidation_price
        # the pool holds 7,654.33: (50,000 - 7,654.33) / 0.4975
        assert pool_price == pytest.approx(42_345.67 / 0.4975, rel=1e-12)
        curve = account.curve("ETHUSDT", low=1_000, high=4_400)
        (event,) = curve.configured.events
        assert event.positions == ("ETHUSDT",)
        assert curve.configured.equity[0] == pytest.approx(7_654.33, abs=0.005)
        account.marks["ETHUSDT"] = 100  # far below: the pocket is bankrupt
        assert account.configured.positions["BTCUSDT"].liquidation_price == pool_price
        assert account.configured.positions["BTCUSDT"].bankruptcy_price == pytest.approx(
            42_345.67 / 0.5, rel=1e-12
        )

    def test_the_pool_is_wiped_out_and_the_pocket_untouched(self, account: mw.Account) -> None:
        pocket_price = account.configured.positions["ETHUSDT"].liquidation_price
        assert pocket_price == pytest.approx((20_000 - 2_345.67) / 4.95, rel=1e-12)
        curve = account.curve("BTCUSDT", low=50_000, high=110_000)
        (event,) = curve.configured.events
        assert event.positions == ("BTCUSDT",)
        assert curve.configured.equity[0] == pytest.approx(2_345.67, abs=0.005)
        account.marks["BTCUSDT"] = 50_000
        assert account.configured.positions["ETHUSDT"].liquidation_price == pocket_price

    def test_cross_and_isolated_do_not_look_at_the_configured_mode(
        self, account: mw.Account
    ) -> None:
        assert account.cross.positions["BTCUSDT"].liquidation_price == pytest.approx(
            40_200 / 0.4975, rel=1e-12
        )


def test_t9_delta_neutral_is_not_margin_neutral() -> None:
    """A hedged pair has a finite upper price: maintenance of both legs grows with the price."""
    account = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}),
        collateral={"USDT": 1_000},
        positions=[
            mw.Position("BTCUSDT", quantity=0.5, entry_price=100_000, leverage=50),
            mw.Position("BTCUSDT", quantity=-0.5, entry_price=100_000, leverage=50),
        ],
        marks={"BTCUSDT": 100_000},
    )
    for key in ("BTCUSDT:long", "BTCUSDT:short"):
        # 1,000 = 2 * 0.5 * 0.5 % * P
        lower, upper = account.cross.positions[key].liquidation_prices
        assert lower is None
        assert upper == pytest.approx(200_000, rel=1e-12)
        assert account.cross.positions[key].liquidation_price == upper
        assert account.cross.positions[key].bankruptcy_price is None
    assert account.isolated.positions["BTCUSDT:long"].liquidation_price < 100_000
    assert account.isolated.positions["BTCUSDT:short"].liquidation_price > 100_000


def test_t10_the_liquidation_fee_shows_in_the_event() -> None:
    """The fee is charged on the notional that is closed, at the trigger."""
    account = mw.Account(
        venue=mw.venues.generic(
            tiers={"BTCUSDT": 0.005}, liquidation_fee=0.002, residual="returned"
        ),
        collateral={"USDT": 1_000},
        positions=[mw.Position("BTCUSDT", quantity=1, entry_price=1_000, leverage=10)],
        marks={"BTCUSDT": 1_000},
    )
    curve = account.curve("BTCUSDT", low=500, high=1_200)
    (event,) = curve.isolated.events
    price = 900 / 0.995
    assert event.fee == pytest.approx(0.002 * price, rel=1e-12)
    assert event.pool_equity == pytest.approx(0.005 * price, rel=1e-12)
    assert event.equity_before - event.equity_after == pytest.approx(event.fee, rel=1e-9)
    assert curve.isolated.equity[0] == pytest.approx(900 + 0.003 * price, rel=1e-12)


def test_t10_a_real_venue_charges_the_fee_unless_told_otherwise() -> None:
    """binance-usdm carries a liquidation fee by default."""
    account = mw.Account(
        venue="binance-usdm",
        collateral={"USDT": 10_000},
        positions=[mw.Position("BTCUSDT", quantity=0.5, entry_price=100_000, leverage=10)],
        marks={"BTCUSDT": 100_000},
    )
    (event,) = account.curve("BTCUSDT", low=60_000, high=120_000).cross.events
    assert event.fee > 0


def test_t17_the_tier_is_the_one_at_the_liquidation_price() -> None:
    """Long 4 at 100,000 with margin 20,000; 0.4 %, from 300,000 0.5 % (amount 300): 95,402.01."""
    account = one_symbol(
        4, 100_000, wallet=20_000, rate=[(0, 0.004), (300_000, 0.005)], margin=20_000
    )
    for report in (account.isolated, account.cross):
        price = report.positions["BTCUSDT"].liquidation_price
        assert price == pytest.approx(379_700 / 3.98, rel=1e-12)
        assert price == pytest.approx(95_402.01, abs=0.005)
    # with 200,000 the answer falls into the lower tier: (400,000 - 200,000) / (4 - 0.016)
    account.positions["BTCUSDT"].margin = 200_000
    price = account.isolated.positions["BTCUSDT"].liquidation_price
    assert price == pytest.approx(200_000 / 3.984, rel=1e-12)


def test_t18_the_loss_of_another_short_has_the_right_sign() -> None:
    """Wallet 200,000, long 10 at 30,000, short 100 at 1,000 marked 1,500: 15,150.75."""
    account = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.005, "ETHUSDT": 0.005}),
        collateral={"USDT": 200_000},
        positions=[
            mw.Position("BTCUSDT", quantity=10, entry_price=30_000),
            mw.Position("ETHUSDT", quantity=-100, entry_price=1_000),
        ],
        marks={"BTCUSDT": 30_000, "ETHUSDT": 1_500},
    )
    price = account.cross.positions["BTCUSDT"].liquidation_price
    assert price == pytest.approx(150_750 / 9.95, rel=1e-12)
    assert price == pytest.approx(15_150.75, abs=0.005)


def test_pools_that_fall_at_one_price_fall_one_after_the_other() -> None:
    """Two alike isolated longs: each event takes what its own pool held, and they add up."""
    account = mw.Account(
        venue=mw.venues.generic(tiers={"AUSDT": 0.005, "BUSDT": 0.005}),
        collateral={"USDT": 3_000},
        positions=[mw.Position("AUSDT", 10, 1_000), mw.Position("BUSDT", 10, 1_000)],
    )
    one, two = account.curve(shock=True, low=-0.2, high=0.1).isolated.events
    assert one.x == two.x
    assert one.equity_before == pytest.approx(1_090.45, abs=0.01)
    assert one.equity_after == two.equity_before == pytest.approx(1_045.23, abs=0.01)
    assert two.equity_after == pytest.approx(1_000)


def test_a_range_that_ends_at_a_liquidation_price_shows_the_liquidation() -> None:
    account = mw.presets.ref2()
    for mark in (100_000.0, 99_999.9, 97_123.45, 103_210.7):
        account.marks["BTCUSDT"] = mark
        price = account.isolated.positions["BTCUSDT"].liquidation_price
        curve = account.curve("BTCUSDT", low=price, high=120_000)
        assert [event.x for event in curve.isolated.events] == [pytest.approx(price)]
        assert curve.isolated.equity[0] < curve.isolated.equity[1]


def test_collateral_is_priced_in_the_currency_whatever_the_order_of_marks() -> None:
    rules = mw.venues.generic(
        contracts={"ETHBTC": mw.Contract(base="ETH", quote="BTC", settle="BTC")},
        tiers={"ETHUSDT": 0.01},
    )
    for marks in ({"ETHBTC": 0.04, "ETHUSDT": 4_000}, {"ETHUSDT": 4_000, "ETHBTC": 0.04}):
        account = mw.Account(venue=rules, collateral={"ETH": 10}, marks=marks)
        assert account.cross.wallet_balance == 40_000


def test_a_pool_below_maintenance_needs_no_move() -> None:
    account = mw.Account(
        venue=mw.venues.generic(tiers={"AUSDT": 0.005, "BUSDT": 0.005}),
        collateral={"USDT": 13_000},
        positions=[mw.Position("AUSDT", 10, 1_000), mw.Position("BUSDT", 10, 1_000)],
        marks={"AUSDT": 900, "BUSDT": 1_000},
    )
    assert account.isolated.status == "below maintenance"
    assert account.isolated.liquidation_shock == 0
    assert account.isolated.positions["BUSDT"].liquidation_shock == pytest.approx(-0.0955, abs=1e-4)
    assert "below maintenance" in repr(account.isolated)
