"""What a liquidation closes and who pays: published cases, and money that sums to zero."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_accounts import numbered
from strategies import account as account_from

import margin_widgets as mw
from margin_widgets import venues
from margin_widgets.account.liquidation import Liquidation, moved_marks
from margin_widgets.engine import handover
from margin_widgets.engine.closing import (
    KINDS,
    Closing,
    ClosingStep,
    LiquidationPolicy,
    close_pool,
    closing_bankruptcy_prices,
)
from margin_widgets.engine.weights import margin_requirements
from tests.conftest import examples

USD = 10**6  # quote quantums of a dollar
BASE = {"BTC": 10**8, "ETH": 10**9}  # base quantums of a coin


def cases(folder: Path, formula: str) -> list[dict[str, Any]]:
    every = json.loads((folder / "worked_examples.json").read_text(encoding="utf-8"))
    return [one for one in every if one["formula"] == formula]


# ------------------------------------------------------------------ sizes and prices, as published


def pool_of(given_: dict[str, Any]) -> tuple[dict[str, int], dict[str, int], float]:
    """Values and maintenance margins of a dYdX pool's positions, and its net collateral."""
    price = {"BTC": given_["btc_price"], "ETH": given_["eth_price"]}
    values = {
        coin: size * price[coin] * USD // BASE[coin]
        for coin, size in given_["positions_base_quantums"]
    }
    owed = {coin: maintenance_of(value, given_) for coin, value in values.items()}
    return values, owed, given_["quote_balance_usd"] * USD + sum(values.values())


def maintenance_of(value: float, given_: dict[str, Any]) -> int:
    share = given_["mmf"] / given_["imf"]
    return int(margin_requirements(value, given_["imf"], share, quantum=1)[1])


def test_dydx_bankruptcy_quotes(shared_data: Path) -> None:
    found = cases(shared_data, "F-DYDX-BANK")
    assert len(found) >= 5
    for one in found:
        given_ = one["inputs"]
        values, owed, balance = pool_of(given_)
        coin = given_["close_market"]
        price = {"BTC": given_["btc_price"], "ETH": given_["eth_price"]}[coin]
        size = dict(given_["positions_base_quantums"])[coin]
        left = (size + given_["delta_quantums"]) * price * USD // BASE[coin]
        quote = handover.bankruptcy_quote(
            values[coin] - left,
            balance,
            owed[coin] - maintenance_of(left, given_),
            sum(owed.values()),
            quantum=1,
        )
        assert quote == one["expected"]["bankruptcy_quote_quantums"], one["id"]


def test_dydx_fillable_prices(shared_data: Path) -> None:
    found = cases(shared_data, "F-DYDX-FILL")
    assert len(found) >= 5
    for one in found:
        given_ = one["inputs"]
        _, owed, balance = pool_of(given_)
        coin = given_["market"]
        price = handover.fillable_price(
            {"BTC": given_["btc_price"], "ETH": given_["eth_price"]}[coin],
            dict(given_["positions_base_quantums"])[coin] / BASE[coin],
            owed[coin] / USD,
            balance=balance,
            requirement=sum(owed.values()),
            adjustment=given_["bankruptcy_adjustment"],
            spread=given_["spread_to_mm_ratio"],
        )
        assert price == pytest.approx(one["expected"]["fillable_price"], abs=1e-9), one["id"]


def test_drift_base_to_hand_over(shared_data: Path) -> None:
    for one in cases(shared_data, "F-DRIFT-PARTIAL"):
        given_ = one["inputs"]
        base = handover.base_to_cover(
            given_["margin_shortage"],
            given_["oracle_price"],
            given_["margin_ratio"],
            liquidator_fee=given_["liquidator_fee"],
            fund_fee=given_["if_fee"],
            quote_price=given_.get("quote_oracle_price", 1),
            quantum=1e-9,
        )
        assert base == one["expected"]["base_amount"], one["id"]
    assert handover.base_to_cover(10, 100, 0.01, liquidator_fee=0.01) == np.inf


def test_drift_loans_to_hand_over(shared_data: Path) -> None:
    for one in cases(shared_data, "F-DRIFT-SPOT"):
        given_, wanted = one["inputs"], one["expected"]
        if "shortage_1e6" in given_:
            found = handover.liability_to_cover(
                given_["shortage_1e6"] / 1e6,
                given_["liability_price_1e6"] / 1e6 / 10 ** given_["liability_decimals"],
                asset_weight=given_["asset_weight_1e4"] / 1e4,
                liability_weight=given_["liability_weight_1e4"] / 1e4,
                asset_multiplier=given_["asset_multiplier_1e6"] / 1e6,
                liability_multiplier=given_["liability_multiplier_1e6"] / 1e6,
                fund_fee=given_["if_fee_1e6"] / 1e6,
                quantum=1,
            )
            assert found == wanted["liability_transfer"], one["id"]
            continue
        rates = {name: given_[name] for name in given_ if name.endswith(("_price", "_multiplier"))}
        if "asset_amount" in given_:
            found = handover.liability_for_asset(given_["asset_amount"], **rates, quantum=1e-9)
            assert found == pytest.approx(wanted["liability_transfer"], abs=2e-9)
        else:
            found = handover.asset_for_liability(
                given_["liability_transfer"], **rates, quantum=1e-6
            )
            assert found == wanted["asset_transfer"]


def test_integers_of_the_protocols_own_tests() -> None:
    with_both_fees = handover.liability_to_cover(
        10,
        100e-9,
        asset_weight=0.8,
        liability_weight=1.2,
        asset_multiplier=1.1,
        liability_multiplier=0.9,
        fund_fee=0.01,
        quantum=1,
    )
    assert with_both_fees == 475_669_504
    nothing_freed = handover.liability_to_cover(
        10, 100, asset_weight=1, liability_weight=1, liability_multiplier=0.75
    )
    assert nothing_freed == np.inf


def test_drift_liquidator_fee(shared_data: Path) -> None:
    for one in cases(shared_data, "F-DRIFT-IF"):
        given_ = one["inputs"]
        if "slots_since_active" in given_:
            fee = handover.liquidator_fee_after(
                given_["base_fee"], given_["max_fee"], given_["slots_since_active"]
            )
            assert fee == one["expected"]["liquidation_fee"], one["id"]


def test_drift_buffers(shared_data: Path) -> None:
    (loan,) = (one for one in cases(shared_data, "F-DRIFT-MARGIN") if "borrow_usd" in one["inputs"])
    given_, wanted = loan["inputs"], loan["expected"]
    owed = given_["borrow_usd"] * given_["liability_weight"]
    assert owed == pytest.approx(wanted["margin_requirement"])
    buffered = handover.requirement_with_buffer(owed, owed, given_["buffer"])
    assert buffered == pytest.approx(wanted["margin_requirement_plus_buffer"], abs=1e-9)
    # An isolated position: 100 of margin, a loss of 1,000 on a notional of 10,000 at 10 %.
    assert handover.requirement_with_buffer(1_000, 10_000, 0.01) == 1_100
    assert handover.collateral_with_buffer(-900, -1_000, 0.01) == -910
    assert handover.collateral_with_buffer(20_000, 20_000, 0.1) == 20_000


def test_shortage_is_freed_with_time() -> None:
    times = {"duration": 150, "initial": 0.1}
    assert handover.share_freeable(49, elapsed=1, **times) == 1.0
    assert handover.share_freeable(100, elapsed=0, **times) == pytest.approx(0.1)
    assert handover.share_freeable(90, elapsed=15, freed=10, **times) == pytest.approx(10 / 90)
    assert handover.share_freeable(100, elapsed=150, **times) == 1.0


def test_published_bankruptcy_prices(shared_data: Path) -> None:
    (one,) = cases(shared_data, "F-BANK-LIN")
    given_ = one["inputs"]
    size = given_["side"] * given_["position"]
    margin = given_["entry_price"] / given_["leverage"]
    assert float(handover.bankruptcy_price(size, given_["entry_price"], margin)) == pytest.approx(
        one["expected"]["bankruptcy_price"]
    )
    (one,) = cases(shared_data, "F-BYBIT-INV-CROSS")
    given_ = one["inputs"]
    price = handover.bankruptcy_price(
        given_["side"] * given_["contracts_usd"],
        given_["entry_price"],
        given_["account_balance_btc"],
        fee=given_["taker_fee"],
        inverse=True,
    )
    assert float(price) == pytest.approx(one["expected"]["bankruptcy_price"], abs=0.006)


def test_fill_with_skew(shared_data: Path) -> None:
    for one in cases(shared_data, "F-SNX"):
        given_, wanted = one["inputs"], one["expected"]
        size, price = np.array(given_["sizes"]), np.array(given_["prices"])
        opened = handover.skewed_price(
            np.array(given_["open_prices"]), size, np.array(given_["skew_scale"])
        )
        profit = size * (price - opened)
        assert profit == pytest.approx([wanted[f"pnl_{place}"] for place in range(5)])
        assert given_["collateral"] + profit.sum() == pytest.approx(wanted["available_margin"])


@given(
    st.floats(-100, 100).filter(lambda q: abs(q) > 0.01),
    st.floats(1, 1e5),
    st.floats(-1e4, 1e4),
    st.floats(0, 0.01),
    st.booleans(),
)
def test_nothing_is_left_at_the_bankruptcy_price(
    size: float, mark: float, equity: float, fee: float, inverse: bool
) -> None:
    if inverse:
        size, equity = size * mark, equity / mark
    price = float(handover.bankruptcy_price(size, mark, equity, fee=fee, inverse=inverse))
    assume(not np.isnan(price))
    moved = size * (1 / mark - 1 / price if inverse else price - mark)
    paid = fee * abs(size) * (1 / price if inverse else price)
    scale = abs(size) * (1 / mark + 1 / price if inverse else mark + price)
    assert equity + moved - paid == pytest.approx(0, abs=1e-9 * (scale + abs(equity)))


# ------------------------------------------------------------------ the policy


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("kind", "half"),
        ("price_at", "entry"),
        ("tiers_down", 0),
        ("tiers_down", 1.5),
        ("from_tier", 1),
        ("share", 0.0),
        ("share", 1.1),
        ("share_above", -1),
        ("small_shortage", float("nan")),
        ("takeover_below", float("inf")),
        ("buffer", -0.1),
        ("liquidator_fee", 1.0),
        ("fund_fee", -1e-9),
    ],
)
def test_a_bad_policy_is_named(field: str, content: Any) -> None:
    with pytest.raises(ValueError, match=field):
        LiquidationPolicy(**{field: content})


def test_policies_in_words() -> None:
    assert LiquidationPolicy().text == "everything at the market"
    okx = LiquidationPolicy("tiers", tiers_down=2, from_tier=3, price_at="bankruptcy")
    assert okx.text == (
        "2 tiers down from tier 3 or higher, until the pool stands;"
        " then everything taken over at the bankruptcy price"
    )
    assert "20%" in LiquidationPolicy("share", share_above=100_000).text


# ------------------------------------------------------------------ whole accounts

TIERS = {
    "XUSDT": [(0, 0.01), (1_000, 0.02), (5_000, 0.05), (20_000, 0.1)],
    "YUSDT": [(0, 0.005), (2_000, 0.025)],
    "ZUSD": 0.01,
}
CONTRACTS = {"ZUSD": {"kind": "inverse", "multiplier": 10.0, "quote": "USD", "base": "Z"}}


def account_of(
    policy: LiquidationPolicy,
    positions: list[mw.Position],
    wallet: float,
    **rules: Any,
) -> mw.Account:
    given_ = venues.generic(tiers=TIERS, contracts=CONTRACTS)
    return mw.Account(
        given_.replace(liquidation=policy, **rules),
        {"USDT": wallet},
        positions,
        marks={one.symbol: one.entry_price for one in positions},
        prices={"Z": 50.0},
    )


def one_long(policy: LiquidationPolicy, notional: float, wallet: float, **rules: Any) -> mw.Account:
    return account_of(policy, [mw.Position("XUSDT", notional / 100, 100)], wallet, **rules)


def steps(told: Liquidation) -> list[ClosingStep]:
    return [step for one in told.closings for step in one.steps]


def test_a_gap_through_the_margin_is_somebodys_loss() -> None:
    """Long 1 at 100 with 20x; the next print is 85."""
    long = mw.Position("YUSDT", 1, 100, leverage=20)
    for price_at, closed_at in (("mark", 85.0), ("bankruptcy", 95.0)):
        account = account_of(LiquidationPolicy(price_at=price_at), [long.copy()], 50)
        told = account.liquidation("isolated", marks={"YUSDT": 85})
        assert steps(told)[0].price == pytest.approx(closed_at)
        assert told.fund == pytest.approx(-10) and told.shortfall == pytest.approx(10)
        assert told.equity_before == pytest.approx(35)
        assert told.equity_after == pytest.approx(45)  # the margin of 5 is lost, no more
        assert "10.00 USDT larger than the margin" in told.text
        assert account.isolated.equity == 50  # nothing was done to the account


def test_nothing_falls_nothing_happens() -> None:
    account = one_long(LiquidationPolicy(), 1_000, 500)
    told = account.liquidation()
    assert told.closings == () and told.to_frame().empty
    assert told.equity_before == told.equity_after == 500
    assert "no pool has fallen" in told.text and "no pool has fallen" in told._repr_html_()


def test_down_one_tier_at_a_time_until_it_stands() -> None:
    """30,000 of notional owe 10+80+750+1,000; in tier 3 only 840, in tier 2 only 90."""
    account = one_long(LiquidationPolicy("tiers"), 30_000, 100)
    (closing,) = account.liquidation().closings
    assert [step.kind for step in closing.steps] == ["tier", "tier"]
    assert [step.left * 100 for step in closing.steps] == pytest.approx([20_000, 5_000])
    assert [step.requirement_after for step in closing.steps] == pytest.approx([840, 90])
    assert closing.stands and closing.fund == 0
    told = account.liquidation()
    assert told.saved == ("cross",)
    assert told.ledger_after.book.size.tolist() == pytest.approx([50])
    assert told.equity_after == pytest.approx(100)


def test_two_tiers_down_from_the_third() -> None:
    policy = LiquidationPolicy("tiers", tiers_down=2, from_tier=3, price_at="bankruptcy")
    (saved,) = one_long(policy, 30_000, 100).liquidation().closings
    assert [step.left * 100 for step in saved.steps] == pytest.approx([5_000])
    assert saved.stands
    (whole,) = one_long(policy, 4_000, 60).liquidation().closings  # tier 2: closed whole
    assert [step.kind for step in whole.steps] == ["takeover"]
    assert whole.steps[0].price == pytest.approx(100 - 60 / 40)
    assert whole.fund == pytest.approx(60)


def test_a_share_first_then_all() -> None:
    policy = LiquidationPolicy("share", share=0.2, share_above=10_000)
    (saved,) = one_long(policy, 30_000, 1_400).liquidation().closings
    assert [step.left * 100 for step in saved.steps] == pytest.approx([24_000])
    assert saved.stands
    account = one_long(policy, 30_000, 500, residual="returned")
    (whole,) = account.liquidation().closings
    assert [step.kind for step in whole.steps] == ["share", "close"]
    assert not whole.stands and whole.returned == pytest.approx(500)
    (small,) = one_long(policy, 9_000, 200).liquidation().closings
    assert small.steps[0].kind == "close" and small.steps[0].left == 0


def test_the_backstop_keeps_what_is_left() -> None:
    policy = LiquidationPolicy("share", takeover_below=2 / 3)
    account = one_long(policy, 1_000, 6, residual="returned")  # owes 10
    (closing,) = account.liquidation().closings
    assert [step.kind for step in closing.steps] == ["takeover"]
    assert closing.returned == 0 and closing.fund == pytest.approx(6)


def test_as_much_as_the_shortage_asks() -> None:
    """1,000 owe 10 at 1 %; 1 is missing, and each unit closed costs 0.2 % and 0.1 %."""
    policy = LiquidationPolicy("shortage", share=1.0, liquidator_fee=0.002, fund_fee=0.001)
    told = one_long(policy, 1_000, 9, trigger="<").liquidation()
    (step,) = steps(told)
    assert step.kind == "shortage" and told.saved == ("cross",)
    assert step.notional == pytest.approx(1 / 0.007)
    assert step.liquidator == pytest.approx(0.002 / 0.007)
    assert step.fund == pytest.approx(0.001 / 0.007)
    assert step.balance_after == pytest.approx(step.requirement_after)
    # In five orders, it is the same; with a buffer more is closed.
    in_parts = one_long(
        LiquidationPolicy("shortage", liquidator_fee=0.002, fund_fee=0.001), 1_000, 9, trigger="<"
    ).liquidation()
    assert len(steps(in_parts)) == 5
    assert sum(one.notional for one in steps(in_parts)) == pytest.approx(1 / 0.007)
    (wider,) = steps(
        one_long(LiquidationPolicy("shortage", share=1.0, buffer=0.01), 1_000, 9).liquidation()
    )
    assert wider.left * 100 == pytest.approx(9 / 0.02)


def test_money_goes_where_the_rule_says() -> None:
    rules = {"residual_share": 0.25, "liquidation_fee": 0.002}
    for residual, back in (("kept", 0.0), ("returned", 1.0), ("split", 0.25)):
        account = one_long(LiquidationPolicy(), 1_000, 9, residual=residual, **rules)
        told = account.liquidation()
        assert told.fees == pytest.approx(2)
        assert told.returned == pytest.approx(7 * back)
        assert told.fund == pytest.approx(7 * (1 - back))
        assert told.equity_after == pytest.approx(7 * back)


def test_the_fund_takes_no_more_than_the_fee_of_what_is_left() -> None:
    account = one_long(LiquidationPolicy(fund_fee=0.005), 1_000, 9, residual="returned")
    assert account.liquidation().fund == pytest.approx(5)
    account = one_long(LiquidationPolicy(fund_fee=0.015), 1_000, 9, residual="returned")
    assert account.liquidation().fund == pytest.approx(9)


def test_orders_that_fill_beside_the_mark() -> None:
    account = one_long(LiquidationPolicy(), 1_000, 9)
    ledger = account.books.ledger("cross")
    told = close_pool(ledger, 0, LiquidationPolicy(), fills=ledger.marks * 0.98)
    assert told.steps[0].price == pytest.approx(98)
    assert told.total("taker") == pytest.approx(20)
    assert told.shortfall == pytest.approx(11)
    assert sum(map(money, told.steps)) == pytest.approx(0, abs=1e-9)


def test_equals_are_closed_in_their_order() -> None:
    policy = LiquidationPolicy("tiers")
    rows = [mw.Position("XUSDT", 60, 100), mw.Position("XUSDT", -60, 100)]
    account = account_of(policy, rows, 100)
    first = steps(account.liquidation())
    assert [step.position for step in first][:2] == [0, 1]
    assert first == steps(account.liquidation())


def test_a_pool_closed_at_its_bankruptcy_prices_holds_nothing() -> None:
    rows = [mw.Position("XUSDT", 60, 100), mw.Position("YUSDT", -30, 100)]
    account = account_of(LiquidationPolicy(), rows, 700)
    ledger = account.books.ledger("cross")
    prices = closing_bankruptcy_prices(ledger)
    lost = float((ledger.book.size * (ledger.marks[ledger.book.symbol] - prices)).sum())
    assert lost == pytest.approx(700)
    told = account.liquidation()
    assert told.bankruptcy_prices()["XUSDT"] == pytest.approx(float(prices[0]))
    isolated = account.liquidation("isolated").bankruptcy_prices()
    reports = account.isolated.positions
    assert isolated == {
        key: pytest.approx(reports[key].bankruptcy_price) for key in account.books.keys
    }


def test_frames_and_pictures() -> None:
    account = one_long(LiquidationPolicy("tiers", price_at="bankruptcy"), 30_000, 5)
    told = account.liquidation()
    frame = told.to_frame()
    lower = "reduced to a lower tier"
    assert list(frame["action"]) == [lower, lower, lower, "taken over by the venue"]
    money_columns = ["account", "fee", "liquidator", "insurance_fund", "counterparties"]
    assert frame[money_columns].sum(axis=1).abs().max() < 1e-9
    assert frame["left"].iloc[-1] == 0
    html = told._repr_html_()
    assert "taken over by the venue" in html and "<script" not in html
    with pytest.raises(KeyError, match="did you mean 'XUSDT'"):
        account.liquidation(marks={"XUSD": 1})
    with pytest.raises(ValueError, match="mode: 'sideways'"):
        account.liquidation("sideways")


def test_a_common_move() -> None:
    moved = one_long(LiquidationPolicy(), 1_000, 50).liquidation(shock=-0.1)
    assert moved.marks.tolist() == [90.0]
    assert moved.shortfall == pytest.approx(50)


# ------------------------------------------------------------------ invariants


def money(step: ClosingStep) -> float:
    return step.trader + step.fee + step.liquidator + step.fund + step.taker


POLICIES = st.builds(
    LiquidationPolicy,
    kind=st.sampled_from(KINDS),
    tiers_down=st.integers(1, 3),
    from_tier=st.integers(2, 3),
    share=st.sampled_from([0.1, 0.2, 0.5, 1.0]),
    share_above=st.sampled_from([0.0, 3_000.0]),
    buffer=st.sampled_from([0.0, 0.02]),
    small_shortage=st.sampled_from([0.0, 50.0]),
    liquidator_fee=st.sampled_from([0.0, 0.001, 0.02]),
    fund_fee=st.sampled_from([0.0, 0.001, 0.02]),
    price_at=st.sampled_from(["mark", "bankruptcy"]),
    takeover_below=st.sampled_from([0.0, 0.66]),
)


@st.composite
def liquidations(draw: st.DrawFn, **fixed: Any) -> tuple[mw.Account, Liquidation]:
    """Accounts after a move that may have felled some of their pools."""
    legs = draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(TIERS)), st.booleans()),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    rows = []
    for symbol, long in legs:
        notional = draw(st.floats(50, 40_000))
        entry = draw(st.floats(40, 60)) if symbol == "ZUSD" else draw(st.floats(80, 120))
        quantity = notional / (10 if symbol == "ZUSD" else entry)
        rows.append(
            mw.Position(
                symbol, quantity if long else -quantity, entry, leverage=draw(st.integers(2, 40))
            )
        )
    rules = {
        "residual": draw(st.sampled_from(["kept", "returned", "split"])),
        "liquidation_fee": draw(st.sampled_from([0.0, 0.005])),
        "trigger": draw(st.sampled_from(["<", "<="])),
        **fixed,
    }
    policy = rules.pop("policy", None) or draw(POLICIES)
    account = account_of(policy, rows, draw(st.floats(10, 20_000)), **rules)
    mode = draw(st.sampled_from(["isolated", "cross"]))
    shock = draw(st.floats(-0.3, 0.3))
    if draw(st.booleans()):  # a little below maintenance after the move, not far
        _hold(account, shock, draw(st.floats(0.3, 1.05)))
    return account, account.liquidation(mode, shock=shock)


def _hold(account: mw.Account, shock: float, ratio: float) -> None:
    """Give the account and each position a share of what they need after a common move."""
    books = account.books
    moved = books.ledger("cross", books.marks * (1 + shock))
    needed = moved.marked.maintenance * ratio - moved.marked.profit
    with account.edit():
        for row, margin in zip(account.positions, needed.tolist(), strict=True):
            row.margin = max(margin, 1e-3)
        prices = moved.marked.asset_prices[books.book.position_settle]
        account.collateral["USDT"] = float((needed * prices).sum())


def scale(told: Liquidation) -> float:
    figures = told.ledger.valuation
    return float(figures.notional.sum() + np.abs(figures.equity).sum())


def closed_whole(closing: Closing, told: Liquidation) -> bool:
    members = told.ledger.partition.pool == closing.pool
    return bool((closing.sizes[members] == 0).all())


@given(liquidations())
def test_money_sums_to_zero(drawn: tuple[mw.Account, Liquidation]) -> None:
    _, told = drawn
    slack = 1e-9 * scale(told)
    for closing in told.closings:
        assert all(abs(money(step)) < slack for step in closing.steps)
    gained = sum(one.total("trader") for one in told.closings)
    assert told.equity_after - told.equity_before == pytest.approx(gained, abs=slack)


@given(liquidations())
def test_a_pool_stands_again_or_is_empty(drawn: tuple[mw.Account, Liquidation]) -> None:
    _, told = drawn
    for closing in told.closings:
        assert closing.stands != closed_whole(closing, told)
        for step in closing.steps:
            assert step.fee >= 0 and step.liquidator >= 0
    assert not told.ledger_after.fallen.any()
    assert told.equity_after >= -1e-9 * scale(told) or told.ledger.valuation.idle < 0


@given(liquidations())
def test_no_step_adds_to_a_position(drawn: tuple[mw.Account, Liquidation]) -> None:
    _, told = drawn
    size = told.ledger.book.size.copy()
    for step in steps(told):
        if step.position >= 0:
            assert abs(step.left) < abs(size[step.position])
            assert step.left * size[step.position] >= 0
            assert step.closed == pytest.approx(size[step.position] - step.left)
            size[step.position] = step.left


@pytest.mark.parametrize("kind", KINDS[1:])
@given(data=st.data())
def test_a_part_improves_the_ratio(kind: Any, data: st.DataObject) -> None:
    """Closed at the mark without fees, a part leaves the balance and frees requirement."""
    drawn = liquidations(policy=LiquidationPolicy(kind), liquidation_fee=0.0)
    _, told = data.draw(drawn)
    for step in steps(told):
        if step.kind in ("tier", "share", "shortage"):
            assert step.requirement_after < step.requirement
            assert step.balance_after == pytest.approx(step.balance, abs=1e-9 * scale(told))


@given(liquidations(policy=LiquidationPolicy("tiers")))
def test_every_step_down_reaches_a_lower_tier(drawn: tuple[mw.Account, Liquidation]) -> None:
    account, told = drawn
    for step in steps(told):
        if step.kind == "tier":
            symbol = account.books.state.positions[step.position].symbol
            mark = told.marks[account.books.symbols.index(symbol)]
            tops = [floor for floor, *_ in account.venue.tier_table(symbol)][1:]
            assert abs(step.left) * mark == pytest.approx(
                min(tops, key=lambda top: abs(top - abs(step.left) * mark))
            )


@given(liquidations(policy=LiquidationPolicy(price_at="bankruptcy"), residual="kept"))
def test_taken_over_whole_the_fund_gets_the_pool(drawn: tuple[mw.Account, Liquidation]) -> None:
    _, told = drawn
    slack = 1e-9 * scale(told)
    for closing in told.closings:
        equity = told.ledger.valuation.equity[closing.pool]
        assert closing.fund == pytest.approx(equity - closing.total("fee"), abs=slack)
        assert closing.shortfall == pytest.approx(max(0.0, -equity), abs=slack)


@given(liquidations(policy=LiquidationPolicy(), residual="returned"))
def test_the_fund_pays_exactly_what_is_below_zero(drawn: tuple[mw.Account, Liquidation]) -> None:
    _, told = drawn
    for closing in told.closings:
        equity = told.ledger.valuation.equity[closing.pool]
        assert closing.fund == pytest.approx(min(0.0, equity), abs=1e-9 * scale(told))


@given(liquidations(policy=LiquidationPolicy()))
def test_a_full_closing_is_the_jump_of_the_curve(drawn: tuple[mw.Account, Liquidation]) -> None:
    account, _ = drawn
    shock = account.cross.liquidation_shock
    assume(shock is not None and 0.01 < abs(shock) < 0.9)
    assert shock is not None
    low, high = min(1.01 * shock, -0.001), max(1.01 * shock, 0.001)
    events = account.curve(shock=True, low=low, high=high).cross.events
    event = min(events, key=lambda one: abs(one.x - shock))
    told = account.liquidation(shock=shock * (1 + 1e-9))
    assume(told.closings)
    slack = 1e-6 * scale(told)
    assert told.fees == pytest.approx(event.fee, abs=slack)
    assert told.returned == pytest.approx(event.returned, abs=slack)
    assert told.equity_after == pytest.approx(event.equity_after, abs=slack)


@pytest.mark.parametrize(
    "rules",
    [
        {"tiers_by": "contracts", "tier_rate": "whole"},
        {"tiers_by": "size"},
        {"maintenance_at": "entry", "tier_rate": "whole"},
        {"size_slopes": {"XUSDT": 1e-4, "ZUSD": 1e-5}},
    ],
)
def test_what_is_left_owes_what_a_new_position_would(rules: dict[str, Any]) -> None:
    """Where the rate follows the size, the smaller position has the smaller rate."""
    policy = LiquidationPolicy("tiers", tiers_down=2, from_tier=3)
    tiers = {"XUSDT": [(0, 0.01), (100, 0.02), (500, 0.05), (5_000, 0.1)], "ZUSD": 0.01}
    position = mw.Position("XUSDT", 600, 100)
    account = account_of(policy, [position, mw.Position("ZUSD", 50, 50)], 0)
    account.venue = account.venue.replace(tiers=tiers, liquidation=policy, **rules)
    account.collateral["USDT"] = 0.9 * account.cross.maintenance_margin
    told = account.liquidation()
    assert told.saved == ("cross",)
    left = told.ledger_after.book.size / [1, 10]
    smaller = account.copy()
    with smaller.edit():
        for row, size in zip(smaller.positions, left, strict=True):
            row.quantity = float(size)
    assert 0 < left[0] < 600
    assert steps(told)[-1].requirement_after == pytest.approx(smaller.cross.maintenance_margin)


@pytest.mark.parametrize("name", venues.names())
def test_every_venues_own_procedure(name: str) -> None:
    """Options, loans, quanto and portfolio pools too: money sums to zero, nothing stays fallen."""
    for number in range(examples(25)):
        account = account_from(numbered(name, number))
        shock = Random(number).uniform(-0.5, 0.5)
        for mode in account.books.partitions:
            told = account.liquidation(mode, shock=shock)
            assert not told.ledger_after.fallen.any()
            slack = 1e-9 * scale(told)
            assert all(abs(money(step)) < slack for step in steps(told))
            gained = sum(one.total("trader") for one in told.closings)
            assert told.equity_after - told.equity_before == pytest.approx(gained, abs=slack)


def test_marks_of_options_follow() -> None:
    for number in range(100):
        account = account_from(numbered("deribit", number))
        options = account.books.book.options
        if options is None:
            continue
        moved = moved_marks(account.books, shock=0.1)
        calls, puts = options.kind > 0, options.kind < 0
        present = account.books.marks
        assert np.allclose(moved[~(calls | puts)], 1.1 * present[~(calls | puts)])
        in_dollars = np.where(options.in_coin, moved[options.index], 1.0)
        was = np.where(options.in_coin, present[options.index], 1.0)
        assert (moved * in_dollars >= present * was * (1 - 1e-9))[calls].all()
        assert (moved * in_dollars <= present * was * (1 + 1e-9))[puts].all()
        symbol = account.books.symbols[int(np.flatnonzero(options.kind)[0])]
        assert 0.5 in moved_marks(account.books, marks={symbol: 0.5})
        return
    pytest.fail("no account with options")
