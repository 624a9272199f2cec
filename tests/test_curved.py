"""Books without a closed form along a moved price: options, quanto, slopes, portfolio margin."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.engine import curved, mark_book, ray
from margin_widgets.engine.liquidation import triggers_along
from margin_widgets.engine.option_margin import OptionMargin
from margin_widgets.engine.portfolio import PortfolioRules, RiskGrid

CALL = mw.Contract(
    "call", strike=100_000, expiry="2026-12-25", underlying="BTCUSDT", base="BTC", quote="USDT"
)
GRID = PortfolioRules(
    grid=RiskGrid(price_moves=(-0.1, -0.05, 0.0, 0.05, 0.1), volatility_moves=(-0.3, 0.0, 0.3))
)


def optioned(**rules: Any) -> mw.Account:
    """A short call against half a coin."""
    settings = {"option_margin": OptionMargin(), **rules}
    return mw.Account(
        venue=mw.venues.generic(
            contracts={"C": CALL, "P": replace(CALL, kind="put")},
            tiers={"BTCUSDT": 0.005},
            **settings,
        ),
        collateral={"USDT": 30_000},
        positions=[
            mw.Position("C", -1, 4_000),
            mw.Position("BTCUSDT", 0.5, 100_000, leverage=10),
        ],
        marks={"BTCUSDT": 100_000, "C": 5_000},
        as_of="2026-11-22",
    )


@pytest.mark.parametrize("mode", ["isolated", "cross"])
@pytest.mark.parametrize("preset", ["ref2", "inverse", "multi_asset", "exchange_account"])
def test_search_finds_what_the_closed_form_gives(preset: str, mode: str) -> None:
    """The two ways to a root, one exact and one by search, on books that both can do."""
    ledger = getattr(getattr(mw.presets, preset)(), mode).ledger
    exact, line = ray.by_symbol(ledger.marked, ledger.partition)
    searched, same_line = curved.by_symbol(ledger.marked, ledger.partition)
    assert np.array_equal(line, same_line)
    for one, other in (
        (exact, searched),
        (ray.together(ledger.marked, ledger.partition), ledger_search(ledger)),
    ):
        ours, theirs = (triggers_along(each, ledger.partition) for each in (one, other))
        for side in ("lower", "upper"):
            left, right = getattr(ours, side), getattr(theirs, side)
            np.testing.assert_allclose(right, left, rtol=1e-9)


def ledger_search(ledger: Any) -> curved.CurvedRay:
    return curved.together(ledger.marked, ledger.partition)


def test_quanto_pays_in_a_third_asset() -> None:
    """100 contracts of 1e-6 BTC per dollar at 3,000: 0.3 BTC of notional."""
    account = mw.Account(
        venue=mw.venues.generic(
            currency="USD",
            contracts={
                "ETHUSD": mw.Contract("quanto", multiplier=1e-6, base="ETH", settle="BTC"),
                "BTCUSD": mw.Contract("inverse", base="BTC", quote="USD"),
            },
            tiers={"ETHUSD": 0.01, "BTCUSD": 0.005},
        ),
        collateral={"BTC": 0.1},
        positions=[mw.Position("ETHUSD", 100, 3_000, leverage=5)],
        marks={"ETHUSD": 3_300, "BTCUSD": 60_000},
    )
    position = account.cross.positions["ETHUSD"]
    assert position.notional == pytest.approx(100 * 1e-6 * 3_300 * 60_000)
    assert position.unrealized_pnl == pytest.approx(100 * 1e-6 * 300 * 60_000)
    # In BTC: 0.1 + 1e-4 (P - 3000) = 0.01 * 1e-4 P, whatever a BTC is worth.
    assert position.liquidation_price == pytest.approx((0.3 - 0.1) / 1e-4 / 0.99, rel=1e-12)
    assert account.isolated.positions["ETHUSD"].liquidation_price == pytest.approx(
        (0.3 - 0.06) / 1e-4 / 0.99, rel=1e-12
    )
    # A common fall moves the price of BTC too, but the condition is in BTC.
    assert account.cross.liquidation_shock == pytest.approx(2_000 / 0.99 / 3_300 - 1, rel=1e-12)
    curve = account.curve(shock=True)
    assert curve.cross.equity[-1] > curve.cross.equity[0]


def test_rates_that_rise_with_the_coins_of_an_inverse_contract() -> None:
    """Maintenance in coin is (1 % + slope * coins) * coins, with coins = N / P."""
    slope, dollars, entry, margin = 1e-3, 1_000_000.0, 50_000.0, 4.0
    account = mw.Account(
        venue=mw.venues.generic(
            currency="USD",
            contracts={"BTCUSD": mw.Contract("inverse", base="BTC", quote="USD")},
            tiers={"BTCUSD": 0.01},
            size_slopes={"BTCUSD": slope},
        ),
        collateral={"BTC": margin},
        positions=[mw.Position("BTCUSD", dollars, entry, leverage=5)],
        marks={"BTCUSD": entry},
    )
    coins = dollars / entry
    assert account.cross.maintenance_margin == pytest.approx((0.01 + slope * coins) * coins * entry)
    # margin + N/E - c = 0.01 c + slope c^2 for the coins c = N/P at liquidation
    root = (-1.01 + math.sqrt(1.01**2 + 4 * slope * (margin + coins))) / (2 * slope)
    assert account.cross.positions[0].liquidation_price == pytest.approx(dollars / root, rel=1e-12)


def test_short_call_stands_until_its_margin_is_gone() -> None:
    account = optioned()
    call = account.isolated.positions["C"]
    assert call.maintenance_margin == pytest.approx(0.075 * 100_000 + 5_000)
    # what isolates it is the initial margin at its entry premium, not at a mark that moves on
    assert call.initial_margin == pytest.approx(0.15 * 100_000 + 5_000)
    assert call.margin == pytest.approx(0.15 * 100_000 + 4_000)
    # its own mark alone: 19,000 = 7,500 + mark
    assert call.liquidation_price == pytest.approx(11_500, rel=1e-12)
    assert call.unrealized_pnl == -1_000
    assert account.cross.equity == 30_000 - 5_000
    assert account.cross.margin_balance == 30_000


def test_options_follow_their_underlying() -> None:
    """At the price found, margin balance is maintenance margin, with the call at Black's value."""
    account = optioned()
    for price in account.cross.trigger_prices("BTCUSDT"):
        assert price is not None
        books = account.books
        moved = books.marks.copy()
        moved[books.symbols.index("BTCUSDT")] = price
        from margin_widgets.engine.options import reprice

        marks = reprice(books.book, books.marks, moved)
        again = mw.Account.from_state(
            account.state.replace(marks=dict(zip(books.symbols, map(float, marks), strict=True)))
        )
        assert again.cross.margin_ratio == pytest.approx(1.0, rel=1e-9)
    assert account.cross.positions["BTCUSDT"].condition == ""


def test_value_counts_where_the_venue_says_so() -> None:
    rules = OptionMargin(value_in_margin_balance=True)
    assert optioned(option_margin=rules).cross.margin_balance == 25_000


def test_bought_options_are_never_liquidated() -> None:
    account = optioned()
    account.positions["C"].quantity = 2
    report = account.isolated
    assert report.positions["C"].liquidation_prices == (None, None)
    assert report.positions["C"].status == "ok"
    assert report.positions["C"].maintenance_margin == 0


def test_options_need_the_day_of_their_marks_and_a_rule() -> None:
    account = optioned()
    with pytest.raises(TraitError, match="as_of: '' must be an ISO date"):
        account.as_of = ""
    with pytest.raises(TraitError, match="'C' is an option, and generic has no margin rule"):
        account.venue = account.venue.replace(option_margin=None)
    assert account.cross.margin_balance == 30_000


def test_options_need_the_mark_of_their_underlying() -> None:
    account = optioned()
    del account.positions["BTCUSDT"]
    with pytest.raises(TraitError, match="marks: no mark of 'BTCUSDT', on which an option"):
        del account.marks["BTCUSDT"]
    assert account.marks["BTCUSDT"] == 100_000


def test_portfolio_margin_is_the_worst_loss_over_the_grid() -> None:
    account = optioned(portfolio=GRID)
    report = account.portfolio
    assert report is not None
    books = account.books
    losses = [
        -scenario(account, move, shift)
        for move in GRID.grid.price_moves
        for shift in GRID.grid.volatility_moves
    ]
    assert report.maintenance_margin == pytest.approx(max(losses), rel=1e-9)
    assert report.margin_balance == account.cross.equity
    low, high = report.trigger_prices("BTCUSDT")
    assert low is not None and high is not None and low < books.marks[1] < high
    assert report.positions["C"].maintenance_margin is None


def scenario(account: mw.Account, move: float, shift: float) -> float:
    """Profit of the short call and half a coin, by the textbook."""
    volatility = float(account.books.book.options.volatility[account.books.symbols.index("C")])
    years = float(account.books.book.options.years[account.books.symbols.index("C")])

    def black(forward: float, sigma: float) -> float:
        total = sigma * math.sqrt(years)
        d1 = math.log(forward / 100_000) / total + total / 2

        def normal(x: float) -> float:
            return 0.5 * math.erfc(-x / math.sqrt(2))

        return forward * normal(d1) - 100_000 * normal(d1 - total)

    moved = 100_000 * (1 + move)
    call = black(moved, volatility * (1 + shift)) - black(100_000, volatility)
    return 0.5 * (moved - 100_000) - call


def test_a_bought_option_does_not_hide_the_worst_pool() -> None:
    account = optioned()
    account.positions.append(mw.Position("P", 1, 4_000))
    assert account.isolated.margin_ratio == pytest.approx(12_500 / 19_000)
    assert account.isolated.venue_margin_ratio.pool == "C"
    assert not mw.Account().cross.margin_ratios[0].liquidates


def test_expired_options_are_refused_and_impossible_marks_told() -> None:
    account = optioned()
    with pytest.raises(TraitError, match="'C' expired on 2026-12-25, before as_of '2026-12-26'"):
        account.as_of = "2026-12-26"
    account.marks["BTCUSDT"] = 120_000
    assert "C: mark 5000 is below its intrinsic value 20000" in " ".join(account.warnings)
    account.marks["C"] = 130_000
    assert "C: mark 130000 is not below 120000" in " ".join(account.warnings)


def test_far_prices_are_found() -> None:
    """An option's own liquidation price, from a mark that is next to nothing."""
    account = optioned()
    account.marks["C"] = 1e-5
    assert account.isolated.positions["C"].liquidation_price == pytest.approx(11_500, rel=1e-9)


@pytest.mark.parametrize(
    ("venue", "symbol", "underlying", "settle", "multiplier"),
    [
        ("deribit", "BTC-25DEC26-110000-C", "BTC-PERPETUAL", "BTC", 1.0),
        ("deribit", "BTC_USDC-25DEC26-110000-C", "BTC_USDC-PERPETUAL", "USDC", 1.0),
        ("okx", "BTC-USD-261225-100000-P", "BTC-USD-SWAP", "BTC", 0.01),
        ("bybit-unified", "BTC-25DEC26-100000-C-USDT", "BTCUSDT", "USDT", 1.0),
        ("bybit-unified", "BTC-25DEC26-100000-C", "BTCUSDT", "USDT", 1.0),
        ("deribit", "btc-25dec26-110000-c", "BTC-PERPETUAL", "BTC", 1.0),
    ],
)
def test_symbols_of_options(
    venue: str, symbol: str, underlying: str, settle: str, multiplier: float
) -> None:
    contract = mw.venues.get(venue).contract(symbol)
    assert contract.is_option
    assert (contract.underlying, contract.settle, contract.multiplier) == (
        underlying,
        settle,
        multiplier,
    )


def test_no_grid_no_portfolio_margin() -> None:
    assert optioned().portfolio is None


def test_a_loan_alone_can_be_called() -> None:
    """1 BTC against 50,000 borrowed at 10 % maintenance: 55,000."""
    account = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.01}, liability_rates={"USDT": 0.1}),
        collateral={"BTC": 1, "USDT": -50_000},
        marks={"BTCUSDT": 100_000},
    )
    assert account.cross.maintenance_margin == 5_000
    assert account.cross.trigger_prices("BTCUSDT") == (pytest.approx(55_000), None)
    assert account.cross.liquidation_shock == pytest.approx(-0.45)
    account.marks["BTCUSDT"] = 54_000
    assert account.cross.status == "below maintenance"


def test_an_unrealised_loss_is_no_loan() -> None:
    rules = mw.venues.generic(tiers={"BTCUSDT": 0.004}, liability_rates={"USDT": 0.1})
    account = mw.Account(
        venue=rules,
        collateral={"BTC": 1, "USDT": 1_000},
        positions=[mw.Position("BTCUSDT", 1, 95_000)],
        marks={"BTCUSDT": 90_000},
    )
    assert account.cross.maintenance_margin == pytest.approx(360)
    account.collateral["USDT"] = -20_000
    assert account.cross.maintenance_margin == pytest.approx(2_360)


def test_trigger_level_and_both_senses_of_the_ratio() -> None:
    rules = mw.venues.generic(tiers={"X": 0.01}, trigger_level=1.05)
    account = mw.Account(
        venue=rules, collateral={"USDT": 20}, positions=[mw.Position("X", 1, 100)], marks={"X": 90}
    )
    price = account.cross.positions["X"].liquidation_price
    assert price == pytest.approx(80 / (1 - 1.05 * 0.01), rel=1e-14)
    rising, falling = account.cross.margin_ratios
    assert rising.value == pytest.approx(0.9 / 10) and not rising.falls
    assert falling.value == pytest.approx(10 / 0.9) and falling.falls
    assert not rising.liquidates and not falling.liquidates
    account.marks["X"] = price * 0.999
    assert all(one.liquidates for one in account.cross.margin_ratios)
    assert account.cross.status == "below maintenance"


def test_curves_of_options_keep_their_shape() -> None:
    """Equity at the present and at the trigger, from a curve, is what reports say."""
    account = optioned()
    curve = account.curve("BTCUSDT", low=60_000, high=160_000)
    now = int(np.searchsorted(curve.x, 100_000))
    assert curve.cross.equity[now] == pytest.approx(account.cross.equity)
    (event,) = curve.cross.events
    assert event.x == pytest.approx(account.cross.trigger_prices("BTCUSDT")[1], rel=1e-12)
    assert curve.cross.equity[-1] == 0.0


def test_marks_at_any_leading_axes_agree_with_one_at_a_time() -> None:
    account = optioned(portfolio=GRID)
    ledger = account.portfolio.ledger
    marks = np.stack([account.books.marks, account.books.marks * 1.1])
    from margin_widgets.engine import value

    both = value(mark_book(ledger.book, marks), ledger.partition, GRID)
    for row in range(2):
        one = value(mark_book(ledger.book, marks[row]), ledger.partition, GRID)
        np.testing.assert_allclose(both.requirement[row], one.requirement)
        np.testing.assert_allclose(both.margin_balance[row], one.margin_balance)
