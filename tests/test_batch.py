"""Batches of accounts against the general path, against the judge, and at their limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reference
from agreement import Root, clear_of_ties, same_root
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import figures, magnitudes, tier_tables

from margin_widgets import engine
from margin_widgets.engine import AccountBatch, Book, Ledger, Partition, Schedule, Triggers
from margin_widgets.engine import batch as batch_module

SYMBOLS = 12


# ------------------------------------------------------------------ random accounts


def random_batch(
    seed: int,
    accounts: int,
    *,
    slots: int = 5,
    tiers: int = 6,
    hedged: bool = False,
    empty: float = 0.1,
    inverse: bool = False,
    **rules: Any,
) -> tuple[AccountBatch, np.ndarray]:
    """Accounts over a few decades of size, some of them below their trigger, and marks."""
    rng = np.random.default_rng(seed)
    in_coin = np.arange(SYMBOLS) >= (SYMBOLS // 2 if inverse else SYMBOLS)
    marks = rng.lognormal(4, 2, SYMBOLS)
    shape = (accounts, slots)
    if hedged:
        symbol = rng.integers(0, SYMBOLS // 2, shape)
    else:
        symbol = np.argsort(rng.random((accounts, SYMBOLS // 2)), axis=1)[:, :slots]
    symbol = symbol + rng.choice([0, SYMBOLS // 2], (accounts, 1))  # one kind in an account
    worth = rng.choice([-1, 1], shape) * rng.lognormal(10, 2.5, shape)
    size = np.where(in_coin[symbol], worth, worth / marks[symbol])
    size[rng.random(shape) < empty] = 0.0
    entry = np.where(size == 0, np.nan, marks[symbol] * rng.uniform(0.8, 1.25, shape))
    unit = np.where(in_coin, 1 / marks, 1.0)  # of amounts in the settlement asset
    gross = np.abs(worth * unit[symbol]).sum(axis=1)
    tables = []
    for symbol_unit in unit:
        count = int(rng.integers(1, tiers + 1))
        floors = np.append(0.0, np.sort(rng.lognormal(10, 2, count - 1))) * symbol_unit
        tables.append(list(zip(floors, np.sort(rng.uniform(0.003, 0.4, count)), strict=True)))
    return AccountBatch(
        tiers=Schedule.from_bands(tables),
        symbol=symbol,
        size=size,
        entry=entry,
        wallet=gross * rng.uniform(-0.1, 1.0, accounts),
        inverse=in_coin if inverse else None,
        **rules,
    ), marks


def ledger_of(batch: AccountBatch, marks: np.ndarray) -> Ledger:
    """The accounts as pools of one book, so that the general path solves them."""
    symbols, accounts = len(batch.tiers.floors), len(batch.symbol)
    held = batch.size != 0
    symbol = batch.symbol[held]
    count = len(symbol)
    inverse = np.zeros(symbols, bool) if batch.inverse is None else batch.inverse
    fee = np.zeros(symbols) if batch.closing_fee is None else batch.closing_fee
    in_coin = np.any(held & inverse[batch.symbol], axis=1)
    wallet = np.stack([np.where(in_coin, 0, batch.wallet), np.where(in_coin, batch.wallet, 0)], 1)
    nothing = Schedule(np.full((2, 1), np.inf), np.zeros((2, 1)))
    none, never = np.zeros(count), np.zeros(count, bool)
    book = Book(
        inverse=inverse,
        settle=inverse.astype(np.intp),
        tiers=batch.tiers,
        symbol=symbol,
        size=batch.size[held],
        entry=batch.entry[held],
        leverage=np.ones(count),
        margin=none,
        rate=fee[symbol],
        fixed=none,
        square=none,
        initial=batch.tiers,
        by_schedule=never,
        initial_rate=none,
        initial_fixed=none,
        isolated=never,
        wallet=wallet.sum(axis=0),
        asset_symbol=np.array([-1, -1]),
        asset_price=np.ones(2),
        haircuts=nothing,
        loans=nothing,
        maintenance_at_entry=batch.maintenance_at_entry,
        triggers_at_equality=batch.triggers_at_equality,
        trigger_level=batch.trigger_level,
    )
    pools = Partition(np.nonzero(held)[0], wallet, np.zeros(2), np.zeros(accounts, bool))
    return Ledger(engine.mark_book(book, marks), pools)


def general(batch: AccountBatch, marks: np.ndarray) -> Triggers:
    """Triggers of the general path in the shape of the batch."""
    found = ledger_of(batch, marks).liquidation_prices
    lower, upper = np.full((2, *batch.size.shape), np.nan)
    lower[batch.size != 0], upper[batch.size != 0] = found.lower, found.upper
    return Triggers(lower, upper)


def own_marks(batch: AccountBatch, marks: np.ndarray) -> np.ndarray:
    """Mark of each position."""
    return np.take_along_axis(np.broadcast_to(marks, (len(batch.symbol), SYMBOLS)), batch.symbol, 1)


KINDS: dict[str, dict[str, Any]] = {
    "tiers": {},
    "flat tiers": {"tiers": 1},
    "hedge legs": {"hedged": True},
    "one position": {"slots": 1, "empty": 0.0},
    "many tiers": {"tiers": 40},
    "inverse": {"inverse": True},
    "inverse hedge legs": {"inverse": True, "hedged": True},
    "maintenance at entry": {"maintenance_at_entry": True, "hedged": True},
    "level and fee": {"trigger_level": 1.05, "closing_fee": np.full(SYMBOLS, 0.0005)},
    "entry, level and fee": {
        "maintenance_at_entry": True,
        "trigger_level": 1.05,
        "closing_fee": np.linspace(0, 0.001, SYMBOLS),
        "inverse": True,
    },
    "below": {"triggers_at_equality": False, "empty": 0.5},
}


@pytest.mark.parametrize("kind", KINDS)
def test_batch_is_the_general_path(kind: str) -> None:
    """Prices on both sides, the nearest price and figures of 2,500 accounts."""
    batch, marks = random_batch(7, 2_500, **KINDS[kind])
    ledger, wanted = ledger_of(batch, marks), general(batch, marks)
    found, prices = batch.triggers(marks), batch.liquidation_prices(marks)
    assert np.isfinite(wanted.lower).sum() > 400
    assert np.isfinite(wanted.upper).sum() > 400
    np.testing.assert_allclose(found.lower, wanted.lower, rtol=1e-9)
    np.testing.assert_allclose(found.upper, wanted.upper, rtol=1e-9)
    np.testing.assert_allclose(prices, wanted.nearest(own_marks(batch, marks)), rtol=1e-9)
    assert np.array_equal(batch.fallen(marks), ledger.fallen)
    assert 50 < batch.fallen(marks).sum() < 2_000
    size = ledger.partition.sum_by_pool(ledger.valuation.notional) + np.abs(batch.wallet)
    for got, want in (
        (batch.equity(marks), ledger.valuation.equity),
        (batch.maintenance(marks), ledger.valuation.requirement),
    ):
        assert np.all(np.abs(got - want) <= 1e-13 * size)


@pytest.mark.parametrize("kind", ["tiers", "inverse", "maintenance at entry"])
def test_a_price_brings_the_account_to_its_trigger(kind: str) -> None:
    """At each price the surplus is rounding; on either side of it, it has opposite signs."""
    batch, marks = random_batch(11, 400, **KINDS[kind])
    prices = batch.liquidation_prices(marks)
    account, slot = np.nonzero(np.isfinite(prices))
    one_each = batch.take(account)

    def surplus(factor: float) -> np.ndarray:
        moved = np.tile(marks, (len(account), 1))
        each = np.arange(len(account))
        moved[each, batch.symbol[account, slot]] = prices[account, slot] * factor
        level = batch.trigger_level * one_each.maintenance(moved)
        return (one_each.equity(moved) - level) / one_each._notional(moved).sum(axis=1)

    assert np.all(np.abs(surplus(1.0)) < 1e-12)
    if "hedged" not in KINDS[kind]:
        assert np.all(surplus(1 - 1e-3) * surplus(1 + 1e-3) < 0)


# ------------------------------------------------------------------ the judge


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """Accounts in one settlement asset as the judge reads them; hedge legs and loans occur."""
    inverse, many = draw(st.booleans()), draw(st.integers(1, 4))
    contracts, marks, tiers, positions = {}, {}, {}, []
    for number in range(1 if inverse else many):
        symbol, mark = f"C{number}", draw(magnitudes(-2, 5))
        kind, settle = ("inverse", "C0") if inverse else ("linear", "USDT")
        quote = "USD" if inverse else "USDT"
        contracts[symbol] = {"kind": kind, "base": symbol, "quote": quote, "settle": settle}
        contracts[symbol]["multiplier"] = 1.0
        marks[symbol] = mark
        worth = draw(magnitudes(1, 7))
        tiers[symbol] = draw(tier_tables(worth / mark if inverse else worth))
        for side in draw(st.sampled_from([(1,), (-1,), (1, -1)])):
            value = worth * draw(figures(0.1, 2.0, 3))
            positions.append(
                {
                    "symbol": symbol,
                    "quantity": side * float(f"{value if inverse else value / mark:.4g}"),
                    "entry_price": mark * draw(figures(0.7, 1.4)),
                    "leverage": 10,
                    "margin": None,
                    "margin_mode": "cross",
                }
            )
    gross = sum(
        abs(p["quantity"]) / marks[p["symbol"]]
        if inverse
        else abs(p["quantity"]) * marks[p["symbol"]]
        for p in positions
    )
    return {
        "currency": "C0" if inverse else "USDT",
        "contracts": contracts,
        "tiers": tiers,
        "positions": positions,
        "collateral": {"C0" if inverse else "USDT": gross * draw(figures(-0.05, 1.2))},
        "marks": marks,
        "prices": {},
        "haircuts": {},
        "order_margin": 0.0,
        "rules": {
            "taker_fee": draw(st.sampled_from([0.0, 0.00055])),
            "closing_fee_in_maintenance": True,
            "maintenance_at": draw(st.sampled_from(["mark", "mark", "entry"])),
            "trigger": draw(st.sampled_from(["<=", "<"])),
            "trigger_level": draw(st.sampled_from([1.0, 1.05])),
            "cross_pool": "account",
            "residual": "kept",
            "liquidation_fee": 0.0,
        },
    }


def batch_of(spec: dict[str, Any]) -> tuple[AccountBatch, np.ndarray]:
    """The one account of a spec."""
    symbols, rules = list(spec["contracts"]), spec["rules"]
    tables = [spec["tiers"][symbol] for symbol in symbols]
    return AccountBatch(
        tiers=Schedule.from_bands([t if isinstance(t, list) else [(0.0, t)] for t in tables]),
        symbol=np.array([[symbols.index(p["symbol"]) for p in spec["positions"]]]),
        size=np.array([[p["quantity"] for p in spec["positions"]]]),
        entry=np.array([[p["entry_price"] for p in spec["positions"]]]),
        wallet=np.array(list(spec["collateral"].values())),
        closing_fee=np.full(len(symbols), rules["taker_fee"]),
        inverse=np.array([spec["contracts"][s]["kind"] == "inverse" for s in symbols]),
        maintenance_at_entry=rules["maintenance_at"] == "entry",
        trigger_level=rules["trigger_level"],
        triggers_at_equality=rules["trigger"] == "<=",
    ), np.array(list(spec["marks"].values()))


@settings(max_examples=300)
@given(specs())
@reference.exact
def test_batch_agrees_with_the_judge(spec: dict[str, Any]) -> None:
    """Prices on both sides and whether the account has fallen, in decimals."""
    book = reference.Book(spec)
    assume(clear_of_ties(book))
    (pool,), _ = reference.partition(book, "cross")
    figures_of = reference.report(book, "cross")
    batch, marks = batch_of(spec)
    found = batch.triggers(marks)
    assert bool(batch.fallen(marks)[0]) == figures_of.below
    for slot, leg in enumerate(book.legs):
        path = reference.price_path(book, leg.symbol)
        root = Root(book, pool, path, "trigger")
        wanted = figures_of.positions[leg.key].liquidation_prices
        for side, got in zip(wanted, (found.lower[0, slot], found.upper[0, slot]), strict=True):
            same_root(None if np.isnan(got) else float(got), side, root, leg.key)


# ------------------------------------------------------------------ known numbers


def one_account(
    wallet: float, *positions: tuple[float, float], tiers: Any = ((0.0, 0.005),)
) -> AccountBatch:
    """An account of (size, entry) in as many symbols with the same tiers."""
    count = len(positions)
    return AccountBatch(
        tiers=Schedule.from_bands([tiers] * count),
        symbol=np.arange(count)[None],
        size=np.array([[size for size, _ in positions]]),
        entry=np.array([[entry for _, entry in positions]]),
        wallet=np.array([wallet]),
    )


def test_the_tier_at_the_liquidation_price() -> None:
    """The position has left its upper tier by the time it is liquidated."""
    tiers = ((0.0, 0.004), (300_000.0, 0.005))
    batch = one_account(20_000.0, (4.0, 100_000.0), tiers=tiers)
    expected = (4 * 100_000 - 20_000 - 300) / (4 * (1 - 0.005))  # still in the upper one
    assert batch.liquidation_prices(np.array([100_000.0]))[0, 0] == pytest.approx(
        expected, rel=1e-12
    )
    batch = one_account(120_000.0, (4.0, 100_000.0), tiers=tiers)
    expected = (4 * 100_000 - 120_000) / (4 * (1 - 0.004))  # the lower one
    assert batch.liquidation_prices(np.array([100_000.0]))[0, 0] == pytest.approx(
        expected, rel=1e-12
    )


def test_profit_and_loss_of_the_others_count() -> None:
    """A short's loss brings the long's price nearer, and so does its maintenance."""
    batch = one_account(200_000.0, (10.0, 30_000.0), (-100.0, 1_000.0))
    prices = batch.liquidation_prices(np.array([30_000.0, 1_500.0]))
    assert prices[0, 0] == pytest.approx(15_150.75, abs=0.01)


def test_no_price_where_none_liquidates() -> None:
    """A funded long has none, nor has an empty slot; nor dust in a large account."""
    funded = one_account(30_000.0, (1.0, 30_000.0), (0.0, np.nan))
    assert np.isnan(funded.liquidation_prices(np.array([20_000.0, 5.0]))).all()
    dust = one_account(1e9, (-1e-9, 1.0))
    assert np.isnan(dust.liquidation_prices(np.array([1.0]))).all()
    assert not dust.fallen(np.array([1.0])).any()


def test_an_account_at_its_trigger() -> None:
    """The price is the mark, and lies on the side on which the account falls."""
    long, short = one_account(5.0, (10.0, 10.0), tiers=((0.0, 0.25),)), -1
    batch = replace(long, wallet=np.array([25.0]))
    at = batch.triggers(np.array([10.0]))
    assert at.lower[0, 0] == 10.0
    assert np.isnan(at.upper[0, 0])
    at = replace(batch, size=short * batch.size).triggers(np.array([10.0]))
    assert at.upper[0, 0] == 10.0
    assert np.isnan(at.lower[0, 0])
    assert batch.fallen(np.array([10.0])).all()
    assert not replace(batch, triggers_at_equality=False).fallen(np.array([10.0])).any()


def test_an_account_that_owes_has_fallen_without_positions() -> None:
    batch = replace(one_account(-1.0, (1.0, 1.0)), size=np.zeros((1, 1)))
    assert batch.fallen(np.ones(1)).all()
    assert not replace(batch, wallet=np.ones(1)).fallen(np.ones(1)).any()


# ------------------------------------------------------------------ marks, chunks, memory


@pytest.mark.parametrize("kind", ["tiers", "flat tiers", "inverse hedge legs"])
def test_marks_of_each_account(kind: str) -> None:
    """Accounts at marks of their own, and one account at many sets of marks."""
    batch, marks = random_batch(3, 60, **KINDS[kind])
    each = marks * np.random.default_rng(1).uniform(0.8, 1.2, (60, SYMBOLS))
    single = [batch.take(np.array([row])) for row in range(60)]
    for figure in ("liquidation_prices", "equity", "maintenance", "fallen"):
        rows = [getattr(one, figure)(its)[0] for one, its in zip(single, each, strict=True)]
        np.testing.assert_allclose(getattr(batch, figure)(each), rows, rtol=1e-12)
        rows = [getattr(single[5], figure)(its)[0] for its in each]
        np.testing.assert_allclose(getattr(single[5], figure)(each), rows, rtol=1e-12)
    found = single[5].triggers(each)
    assert found.lower.shape == found.upper.shape == (60, 5)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", ["tiers", "flat tiers", "inverse", "hedge legs"])
def test_chunks_and_threads_change_nothing(
    kind: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, marks = random_batch(5, 333, **KINDS[kind])
    whole = batch.liquidation_prices(marks)
    for name in ("_CHUNK", "_FLAT_CHUNK"):
        monkeypatch.setattr(batch_module, name, 70)
    in_parts = batch.liquidation_prices(marks, threads=threads)
    assert np.array_equal(in_parts, whole, equal_nan=True)


def test_the_result_can_be_written_where_one_likes() -> None:
    batch, marks = random_batch(5, 200)
    for out in (np.zeros((200, 5)), np.zeros((5, 200)).T, np.zeros((400, 10))[::2, ::2]):
        assert batch.liquidation_prices(marks, out=out) is out
        assert np.array_equal(out, batch.liquidation_prices(marks), equal_nan=True)
    with pytest.raises(ValueError, match="out must be float64"):
        batch.liquidation_prices(marks, out=np.zeros((200, 5), np.float32))
    with pytest.raises(ValueError, match="shape"):
        batch.liquidation_prices(marks, out=np.zeros((5, 200)))


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
def test_nothing_to_solve(shape: tuple[int, int]) -> None:
    batch = AccountBatch(
        tiers=Schedule.from_bands([[(0.0, 0.01)]]),
        symbol=np.zeros(shape, np.intp),
        size=np.zeros(shape),
        entry=np.zeros(shape),
        wallet=np.ones(shape[0]),
    )
    assert batch.liquidation_prices(np.ones(1)).shape == shape
    assert batch.triggers(np.ones(1)).lower.shape == shape
    assert not batch.fallen(np.ones(1)).any()


def test_wrong_shapes_are_named() -> None:
    batch, _ = random_batch(5, 20)
    for name in ("size", "entry", "wallet"):
        with pytest.raises(ValueError, match=f"{name} must have the shape"):
            replace(batch, **{name: np.ones(3)})
    for name in ("closing_fee", "inverse"):
        with pytest.raises(ValueError, match=f"{name} must have the shape"):
            replace(batch, **{name: np.zeros(3)})
    with pytest.raises(ValueError, match="symbol must have the shape"):
        replace(batch, symbol=batch.symbol[0])
    for wrong in (-1, SYMBOLS):
        with pytest.raises(ValueError, match="between 0 and 11"):
            replace(batch, symbol=np.full_like(batch.symbol, wrong))
    for shape in (3, (7, SYMBOLS), (20, 3)):
        with pytest.raises(ValueError, match="marks must have the shape"):
            batch.liquidation_prices(np.ones(shape))


# ------------------------------------------------------------------ tables


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([1e-12, 1e-6, 1e-3, 0.1, 1.0, 8.0]),
    unit=st.sampled_from([1e-9, 1.0, 1e9]),
    top=st.sampled_from([0.5, 1.0, 1.5]),
    sort=st.booleans(),
)
def test_any_tiers(seed: int, spread: float, unit: float, top: float, sort: bool) -> None:
    """Floors near each other or far apart, rates beyond 100 %, and rates that fall."""
    rng = np.random.default_rng(seed)
    batch, marks = random_batch(seed, 8, slots=3)
    tables = []
    for _ in range(SYMBOLS):
        floors = np.append(0.0, np.sort(2e4 * unit * np.exp(spread * rng.normal(size=4))))
        rates = rng.uniform(0, top, 5)
        tables.append(list(zip(floors, np.sort(rates) if sort else rates, strict=True)))
    batch = replace(
        batch,
        tiers=Schedule.from_bands(tables),
        size=batch.size * unit,
        wallet=batch.wallet * unit,
    )
    found, wanted = batch.triggers(marks), general(batch, marks)
    # Beside a slope that nearly cancels, a price is as uncertain as the rounding of its terms.
    scale = batch._notional(marks).sum(axis=1) + np.abs(batch.wallet) + batch._entry_notional.sum(1)
    with np.errstate(divide="ignore"):
        slack = 1e-13 * scale[:, None] / np.abs(batch.size)
    for got, want in ((found.lower, wanted.lower), (found.upper, wanted.upper)):
        close = np.abs(got - want) <= np.maximum(1e-9 * want, slack)
        lost = np.isnan(got) & np.isnan(want)
        near_nothing = np.fmax(got, want) <= slack
        assert np.all(close | lost | near_nothing)


def test_tables_are_used_where_they_can_be() -> None:
    """Only legs of one symbol, falling rates and rates of 100 % take the general path."""
    plain = ((0.0, 0.01), (1e5, 0.1))
    tables = [plain, ((0.0, 0.02), (1e5, 0.01)), ((0.0, 0.1), (1e5, 1.0)), plain]
    batch = AccountBatch(
        tiers=Schedule.from_bands(tables),
        symbol=np.array([[0, 3], [0, 1], [2, 0], [3, 3], [1, 2]]),
        size=np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, -1.0], [0.0, 0.0]]),
        entry=np.ones((5, 2)),
        wallet=np.ones(5),
    )
    assert batch._odd.tolist() == [1, 2, 3]
