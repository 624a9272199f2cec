"""The package against the judge on generated books, and the judge against plain scanning.

`MARGIN_WIDGETS_EXAMPLES` sets the number of books; the default is 1,000 under each rule set and
always the same ones.
"""

from __future__ import annotations

import os
from decimal import Decimal

import pytest
import reference
import strategies
from agreement import (
    CLOSE,
    MODES,
    Root,
    check_curves,
    check_numbered,
    check_report,
    check_spec,
    clear_of_ties,
    same,
    same_quotient,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import Spec, account, accounts_under, books, spec_of

import margin_widgets as mw

EXAMPLES = int(os.environ.get("MARGIN_WIDGETS_EXAMPLES", "1000"))
VENUES = mw.venues.names()


def many(examples: int) -> settings:
    """Run many slow-to-draw books; the default number is reproducible."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize="MARGIN_WIDGETS_EXAMPLES" not in os.environ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.timeout(0 if "MARGIN_WIDGETS_EXAMPLES" in os.environ else 300)
@many(min(EXAMPLES, 300))
@given(books())
@reference.exact
def test_engine_agrees_with_the_judge(spec: Spec) -> None:
    """Reports, liquidation prices, shocks and curves: odd books, and small ones when it fails.

    Drawing takes far longer than comparing; the many books are those of the next test.
    """
    assume(check_spec(spec))


@pytest.mark.slow
@pytest.mark.timeout(0 if "MARGIN_WIDGETS_EXAMPLES" in os.environ else 300)
@pytest.mark.parametrize("venue", VENUES)
def test_random_accounts_agree_with_the_judge(venue: str) -> None:
    """The same many accounts under each rule set; `tests/mass.py` compares any number."""
    wrong = [what for number in range(EXAMPLES) if (what := check_numbered(venue, number))]
    assert not wrong, f"{len(wrong)} of {EXAMPLES}, the first:\n{wrong[0]}"


@pytest.mark.parametrize("venue", VENUES)
@many(30)
@given(data=st.data())
def test_drawn_accounts_agree_with_the_judge(venue: str, data: st.DataObject) -> None:
    """A few accounts under each rule set, drawn by hypothesis: a failing one is made small."""
    assume(check_spec(data.draw(accounts_under(venue))))


@pytest.mark.parametrize(
    "preset",
    ["ref2", "hedged_pair", "bitcoin_on_bitcoin", "multi_asset", "inverse", "exchange_account"],
)
@reference.exact
def test_presets_agree_with_the_judge(preset: str) -> None:
    """Accounts under real rule sets, read back from their public parts."""
    ours = getattr(mw.presets, preset)()
    book = reference.Book(spec_of(ours))
    for mode in MODES:
        check_report(book, mode, getattr(ours, mode))
    for symbol in dict.fromkeys(p.symbol for p in ours.positions):
        check_curves(book, ours, symbol)


@many(min(EXAMPLES, 50))
@given(st.data())
@reference.exact
def test_real_tiers_agree_with_the_judge(data: st.DataObject) -> None:
    """Books of binance-usdm symbols, with notionals across all tiers of their tables."""
    rules = mw.venues.get("binance-usdm")
    symbols = data.draw(st.lists(st.sampled_from(sorted(rules.tiers)), min_size=1, max_size=4))
    positions, marks = [], {}
    for symbol in dict.fromkeys(symbols):
        top = rules.tier_table(symbol)[-1][0]
        mark = marks[symbol] = data.draw(strategies.magnitudes(-3, 5))
        worth = top * data.draw(strategies.figures(1e-4, 1.5))
        side = data.draw(st.sampled_from([1, -1]))
        positions.append(
            mw.Position(symbol, quantity=side * worth / mark, entry_price=mark, leverage=2)
        )
    worth = sum(abs(p.quantity) * p.entry_price for p in positions)
    wallet = worth * data.draw(strategies.figures(0.2, 1.5))
    ours = mw.Account(venue=rules, collateral={"USDT": wallet}, positions=positions, marks=marks)
    book = reference.Book(spec_of(ours))
    assume(clear_of_ties(book))
    for mode in MODES:
        check_report(book, mode, getattr(ours, mode))
    check_curves(book, ours, positions[0].symbol)


@many(min(EXAMPLES, 100))
@given(books())
@reference.exact
def test_effective_leverage_is_notional_over_margin_balance(spec: Spec) -> None:
    """As the glossary has it: the one that moves liquidation, so after haircuts."""
    book = reference.Book(spec)
    assume(clear_of_ties(book))
    ours = account(spec)
    for mode in MODES:
        want = reference.report(book, mode).effective_leverage
        got = getattr(ours, mode).effective_leverage
        same_quotient(got, want, f"{mode}.effective_leverage")


@many(min(EXAMPLES, 100))
@given(books(), strategies.figures(-0.6, 0.6))
@reference.exact
def test_collateral_to_survive_agrees_with_the_judge(spec: Spec, move: float) -> None:
    """Wallet needed: what the move takes, counted from the entries, and maintenance there."""
    book = reference.Book(spec)
    ours = account(spec)
    size = reference.account_scale(book) * 2
    for mode in MODES:
        needed = reference.collateral_to_survive(book, mode, Decimal(move))
        got = getattr(ours, mode).collateral_to_survive(move)
        assert set(got.by_pool) == set(needed), mode
        for name, amount in needed.items():
            same(got.by_pool[name], amount, size, f"{mode} collateral to survive of {name}")
        same(got.total, sum(needed.values(), Decimal(0)), size, f"{mode} collateral to survive")


# ------------------------------------------------------------------ the judge itself


@many(min(EXAMPLES, 40))
@given(st.one_of(books(), accounts_under("generic")))
@reference.exact
def test_the_judge_misses_no_root(spec: Spec) -> None:
    """Its roots explain every change of sign on a fine grid, and are zeros."""
    book = reference.Book(spec)
    pools = {pool for mode in MODES for pool in reference.partition(book, mode)[0]}
    for pool in sorted(pools, key=lambda p: (p.name, len(p.legs)))[:3]:
        symbols = [leg.symbol for leg in pool.legs] or list(book.marks)
        paths = [reference.price_path(book, symbol) for symbol in symbols[:1]]
        for path in [*paths, reference.shock_path(book)]:
            lower, upper = reference.triggers(book, pool, path)
            # options are valued in floating point, all else in decimals
            noise = "1e-13" if reference.is_curved(pool, path) else "1e-30"
            for root in (lower, upper):
                if root is not None:
                    assert Root(book, pool, path, "trigger").residual(root) < Decimal(noise)
            start = path.start
            grid = [start * Decimal(2) ** (Decimal(i) / 20) for i in range(-120, 121)]
            inside = [
                u
                for u in grid
                if (lower is None or u > lower * (1 + CLOSE))
                and (upper is None or u < upper * (1 - CLOSE))
                and u != start
            ]
            positive = {reference.excess(book, pool, path.marks(u)) > 0 for u in inside}
            assert len(positive) <= 1, f"{pool.name} along {path.name} changes sign unseen"


def test_the_judge_on_ref2() -> None:
    """The judge itself gives the numbers of the reference account."""
    spec: Spec = {
        "currency": "USDT",
        "contracts": {
            s: {
                "kind": "linear",
                "multiplier": 1,
                "base": s[:3],
                "quote": "USDT",
                "settle": "USDT",
            }
            for s in ("BTCUSDT", "ETHUSDT")
        },
        "tiers": {"BTCUSDT": "0.005", "ETHUSDT": "0.01"},
        "positions": [
            {
                "symbol": "BTCUSDT",
                "quantity": "0.5",
                "entry_price": 100_000,
                "leverage": 10,
                "margin": None,
                "margin_mode": "cross",
            },
            {
                "symbol": "ETHUSDT",
                "quantity": 5,
                "entry_price": 4_000,
                "leverage": 10,
                "margin": None,
                "margin_mode": "cross",
            },
        ],
        "collateral": {"USDT": 10_000},
        "marks": {"BTCUSDT": 100_000, "ETHUSDT": 4_000},
        "prices": {},
        "haircuts": {},
        "order_margin": 0,
        "rules": {
            "taker_fee": 0,
            "closing_fee_in_maintenance": False,
            "maintenance_at": "mark",
            "trigger": "<=",
            "cross_pool": "account",
            "residual": "kept",
            "liquidation_fee": 0,
        },
    }
    book = reference.Book(spec)
    isolated, cross = reference.report(book, "isolated"), reference.report(book, "cross")
    prices = [
        round(figures.positions[key].liquidation_price or 0, 2)
        for figures in (isolated, cross)
        for key in ("BTCUSDT", "ETHUSDT")
    ]
    assert prices == [Decimal(x) for x in ("90452.26", "3636.36", "80804.02", "2070.71")]
    assert round(cross.liquidation_shock or 0, 4) == Decimal("-0.1373")
    assert isolated.positions["BTCUSDT"].bankruptcy_price == 90_000
    assert sum(reference.collateral_to_survive(book, "cross", Decimal("-0.3")).values()) == 21_315
    move = Decimal("0.4") * 4_000
    eth = reference.price_path(book, "ETHUSDT")
    assert reference.through(book, "isolated", eth, move).equity == 8_000
    gone = reference.through(book, "cross", eth, move)
    assert gone.equity == 0
    assert round(gone.closed[0].pool_equity, 2) == Decimal("353.54")
