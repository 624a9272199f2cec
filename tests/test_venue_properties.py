"""Properties that hold under every rule set that comes with the package.

Each states in its docstring in what sense it holds where venues differ: tiers by size find one
rate for a position, so that maintenance is continuous in the mark and not in the size.
"""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_accounts import Spec
from strategies import account, accounts_under

import margin_widgets as mw
from margin_widgets import engine
from margin_widgets.engine import Ledger, mark_book

VENUES = mw.venues.names()
MODES = ("isolated", "cross", "configured")
OPTIONS = ("call", "put")

every_venue = pytest.mark.parametrize("venue", VENUES)
few = settings(
    max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def gross(spec: Spec) -> float:
    """Rough size of the terms of an account, in its currency."""
    return float(reference.account_scale(reference.Book(spec)))


def surplus(ours: mw.Account, mode: str, key: str) -> float:
    """Margin balance over what triggers, of the pool that holds a position."""
    pool = next(p for p in getattr(ours, mode).pools if key in p.positions)
    return float(pool.margin_balance - ours.venue.trigger_level * pool.maintenance_margin)


def kind_of(spec: Spec, symbol: str) -> str:
    return str(spec["contracts"][symbol]["kind"])


def flattened(spec: Spec) -> Spec:
    """The account under rates that are the same for every amount."""
    flat = copy.deepcopy(spec)
    flat["tiers"] = dict.fromkeys(spec["tiers"], 0.01)
    flat["haircuts"] = dict.fromkeys(spec["haircuts"], 0.05)
    rules = flat["rules"]
    rules["initial_tiers"] = dict.fromkeys(rules["initial_tiers"], 0.05)
    rules["liability_rates"] = dict.fromkeys(rules["liability_rates"], 0.04)
    rules["size_slopes"] = {}
    rules["imf_factors"] = {}
    return flat


def close(a: float | None, b: float | None, share: float = 1e-7) -> bool:
    """Equal but for rounding; where one lies out of sight, the other may be missing."""
    if a is None or b is None:
        return a is b or not 1e-4 < abs(a or b or 0.0) < 1e12
    return a == pytest.approx(b, rel=share, abs=1e-9)


# ------------------------------------------------------------------ maintenance


@every_venue
@few
@given(data=st.data())
def test_maintenance_is_continuous_and_never_falls_as_notional_grows(
    venue: str, data: st.DataObject
) -> None:
    """As the mark moves, across every tier floor; for options as their own premium grows.

    A floor in coins or contracts is crossed by trading, not by the mark: there nothing bends.
    """
    spec = data.draw(accounts_under(venue))
    books = account(spec).books
    for position, row in enumerate(spec["positions"]):
        symbol = row["symbol"]
        place = books.symbols.index(symbol)
        size = abs(float(books.book.size[position]))
        inverse = kind_of(spec, symbol) == "inverse"
        floors = books.state.venue.tiers.get(symbol, ())
        bends = [size / f[0] if inverse else f[0] / size for f in floors if f[0] > 0]
        grid = np.concatenate([books.marks[place] * np.geomspace(0.1, 10, 120), bends])
        grid = np.sort(np.concatenate([grid, grid * (1 + 2e-9)]))
        marks = np.tile(books.marks, (len(grid), 1))
        marks[:, place] = grid
        marked = mark_book(books.book, marks)
        notional, owed = marked.notional[:, position], marked.maintenance[:, position]
        if kind_of(spec, symbol) in OPTIONS:
            notional = grid
        order = np.argsort(notional, kind="stable")
        notional, owed = notional[order], owed[order]
        assert np.all(owed >= 0)
        assert np.all(np.diff(owed) >= -1e-12 * owed[1:]), f"{symbol}: maintenance falls"
        near = np.diff(notional) <= 1e-8 * notional[1:]
        assert near.any()
        jumps = np.diff(owed) > 1e-7 * owed[1:]
        assert not np.any(near & jumps), f"{symbol}: maintenance jumps"


@every_venue
@few
@given(data=st.data())
def test_splitting_a_position_never_raises_what_must_be_held(
    venue: str, data: st.DataObject
) -> None:
    """Two halves under two names of one contract owe no more than the whole, and hold the same.

    With rates that are the same for every amount they owe exactly as much, and are liquidated by
    the same common move; with tiers each half lies in lower ones.
    """
    spec = data.draw(accounts_under(venue))
    assume(spec["positions"])
    for whole in (spec, flattened(spec)):
        one, two = account(whole), account(halved(whole))
        size = gross(whole)
        for mode in ("isolated", "cross"):
            a, b = getattr(one, mode), getattr(two, mode)
            assert b.equity == pytest.approx(a.equity, rel=1e-12, abs=1e-12 * size)
            assert b.maintenance_margin <= a.maintenance_margin + 1e-12 * size
            if whole is spec:
                continue
            for name in ("margin_balance", "maintenance_margin", "initial_margin"):
                assert getattr(b, name) == pytest.approx(
                    getattr(a, name), rel=1e-12, abs=1e-12 * size
                ), f"{mode} {name}"
            for before, after in zip(a.liquidation_shocks, b.liquidation_shocks, strict=True):
                assert close(
                    None if after is None else 1 + after, None if before is None else 1 + before
                ), f"{mode} {before} {after}"


def halved(spec: Spec) -> Spec:
    """The account with its first position in two halves, the second under another name."""
    split = copy.deepcopy(spec)
    first = split["positions"][0]
    first["quantity"] /= 2
    if first["margin"] is not None:
        first["margin"] /= 2
    symbol = first["symbol"]
    other = f"{symbol}-HALF"
    for table in (split["contracts"], split["marks"], split["tiers"]):
        if symbol in table:
            table[other] = table[symbol]
    rules = split["rules"]
    for name in ("initial_tiers", "size_slopes", "open_interest"):
        if symbol in rules[name]:
            rules[name] = {**rules[name], other: rules[name][symbol]}
    split["positions"].insert(1, {**first, "symbol": other})
    return split


@every_venue
@few
@given(data=st.data())
def test_splitting_into_two_legs_of_one_symbol_keeps_liquidation_prices(
    venue: str, data: st.DataObject
) -> None:
    """Under flat rates: two equal legs on one symbol in one pool are the one leg they were.

    An account holds one leg per side, so this is the engine's book with a position written twice.
    """
    books = account(flattened(data.draw(accounts_under(venue)))).books
    count = len(books.keys)
    assume(count)
    rows = np.array([0, *range(count)])
    share = np.ones(count + 1)
    share[:2] = 0.5
    book = books.book.only(rows)
    halves = ("size", "margin", "fixed", "initial_fixed")
    book = book.replace(**{name: getattr(book, name) * share for name in halves})
    by_settlement = books.state.venue.cross_pool == "settlement"
    whole = Ledger(
        mark_book(books.book, books.marks),
        engine.cross(books.book, by_settlement=by_settlement),
    )
    split = Ledger(mark_book(book, books.marks), engine.cross(book, by_settlement=by_settlement))
    for side in ("lower", "upper"):
        before = getattr(whole.liquidation_prices, side)[rows]
        after = getattr(split.liquidation_prices, side)
        assert after[0] == after[1] or np.isnan(after[:2]).all()
        np.testing.assert_allclose(after, before, rtol=1e-7)
    np.testing.assert_allclose(split.valuation.requirement, whole.valuation.requirement, rtol=1e-12)


# ------------------------------------------------------------------ liquidation


@every_venue
@few
@given(data=st.data(), mode=st.sampled_from(MODES))
def test_equity_meets_the_requirement_at_the_liquidation_price(
    venue: str, data: st.DataObject, mode: str
) -> None:
    """Put the mark there: the difference is rounding, and a little aside it has the right sign.

    Options follow a moved underlying at their volatility.
    """
    spec = data.draw(accounts_under(venue))
    freeze_margins(spec)
    ours, book = account(spec), reference.Book(spec)
    for key, position in getattr(ours, mode).positions.items():
        symbol = position.symbol
        stands = surplus(ours, mode, key) > 0
        path = reference.price_path(book, symbol)
        for side, price in zip((-1, 1), position.liquidation_prices, strict=True):
            if price is None or not 1e-6 < price / spec["marks"][symbol] < 1e6:
                continue
            if min(path.marks(Decimal(price * (1 + side * 1e-6))).values()) < 1e-12:
                continue  # an option that has become worth nothing has no mark to be given
            inside, at, beyond = (
                (surplus(moved, mode, key), scale_of(spec, moved))
                for step in (-1e-6, 0.0, 1e-6)
                for moved in [moved_to(spec, path, price * (1 + side * step))]
            )
            assert abs(at[0]) <= 1e-9 * at[1], f"{mode} {key} at {price}"
            signs = (inside[0], -beyond[0]) if stands else (-inside[0], beyond[0])
            for value, (_, size) in zip(signs, (inside, beyond), strict=True):
                assert value > -1e-9 * size, f"{mode} {key} at {price}: wrong side"


def freeze_margins(spec: Spec) -> None:
    """Assign what isolates each position now: the default of an option follows its mark."""
    book = reference.Book(spec)
    pools, _ = reference.partition(book, "isolated")
    for row, pool in zip(spec["positions"], (p for p in pools if p.own), strict=True):
        row["margin"] = float(pool.wallet[pool.legs[0].settle])


def moved_to(spec: Spec, path: reference.Path, price: float) -> mw.Account:
    """The account after one mark has moved."""
    there = copy.deepcopy(spec)
    there["marks"] = {s: float(x) for s, x in path.marks(Decimal(price)).items()}
    return account(there)


def scale_of(spec: Spec, ours: mw.Account) -> float:
    """Rough size of the terms of an account at its own marks."""
    return gross({**spec, "marks": dict(ours.marks)})


@every_venue
@few
@given(data=st.data(), share=st.sampled_from([0.01, 0.2, 2.0]))
def test_more_collateral_never_brings_cross_liquidation_nearer(
    venue: str, data: st.DataObject, share: float
) -> None:
    """In the currency of the account, or in what the pool settles in where pools are apart."""
    spec = data.draw(accounts_under(venue))
    before = account(spec)
    assume(before.cross.status == "ok")
    richer = copy.deepcopy(spec)
    assets = {spec["currency"]}
    if spec["rules"]["cross_pool"] == "settlement":
        assets = {spec["contracts"][p["symbol"]]["settle"] for p in spec["positions"]}
    for asset in sorted(assets - set(spec["rules"]["imf_factors"])):
        price = float(reference.Book(spec).asset_price(asset, reference.Book(spec).marks))
        richer["collateral"].setdefault(asset, 0.0)
        richer["collateral"][asset] += share * gross(spec) / price
    after = account(richer)
    assert after.cross.status == "ok"
    for key, position in after.cross.positions.items():
        lower, upper = before.cross.positions[key].liquidation_prices
        new_lower, new_upper = position.liquidation_prices
        if new_lower is not None:
            assert lower is not None and new_lower <= lower * (1 + 1e-9), key
        if new_upper is not None:
            assert upper is not None and new_upper >= upper * (1 - 1e-9), key


@every_venue
@few
@given(data=st.data())
def test_hedge_legs_in_cross_share_one_price(venue: str, data: st.DataObject) -> None:
    spec = data.draw(accounts_under(venue))
    assume(spec["positions"])
    first = spec["positions"][0]
    spec["positions"] = [p for p in spec["positions"] if p["symbol"] != first["symbol"]]
    other = {**first, "quantity": -0.4 * first["quantity"], "margin": None, "leverage": 3}
    spec["positions"] += [first, other]
    cross = account(spec).cross.positions
    long, short = (cross[f"{first['symbol']}:{side}"] for side in ("long", "short"))
    for name in ("liquidation_prices", "bankruptcy_price", "liquidation_shock", "margin_ratio"):
        assert getattr(long, name) == getattr(short, name), name


@every_venue
@few
@given(data=st.data())
def test_a_flat_book_is_never_liquidated(venue: str, data: st.DataObject) -> None:
    """Without positions and without loans nothing moves it: no trigger, no event."""
    spec = data.draw(accounts_under(venue))
    spec["positions"] = []
    spec["collateral"] = {asset: abs(x) for asset, x in spec["collateral"].items()}
    ours = account(spec)
    for mode in MODES:
        report = getattr(ours, mode)
        assert report.status == "ok"
        assert report.liquidation_shocks == (None, None)
        assert report.maintenance_margin == 0
        assert report.margin_ratio == 0
        assert not report.pools
    if spec["marks"]:
        for symbol in (None, next(iter(spec["marks"]))):
            curve = ours.curve(symbol, shock=symbol is None, points=11)
            assert not any(getattr(curve, mode).events for mode in MODES)


# ------------------------------------------------------------------ pools


@every_venue
@few
@given(data=st.data())
def test_isolating_a_position_never_changes_another_pool(venue: str, data: st.DataObject) -> None:
    """What is isolated already keeps all its figures, to the last digit."""
    spec = data.draw(accounts_under(venue))
    assume(len(spec["positions"]) > 1)
    for row in spec["positions"][1:]:
        row["margin_mode"] = "isolated"
    spec["positions"][0]["margin_mode"] = "cross"
    ours = account(spec)
    before = ours.configured
    key = next(iter(ours.positions.keys()))
    ours.positions[key].margin_mode = "isolated"
    after = ours.configured
    for other in list(before.positions.keys())[1:]:
        assert figures_of(before.positions[other]) == figures_of(after.positions[other]), other


def figures_of(position: Any) -> dict[str, Any]:
    names = (
        "notional",
        "unrealized_pnl",
        "margin",
        "initial_margin",
        "maintenance_margin",
        "margin_ratio",
        "liquidation_prices",
        "bankruptcy_price",
        "liquidation_shock",
        "distance",
    )
    return {name: getattr(position, name) for name in names}


@every_venue
@few
@given(data=st.data(), factor=st.sampled_from([0.001, 0.5, 8.0, 100.0]))
def test_with_flat_rates_results_scale_with_the_amounts(
    venue: str, data: st.DataObject, factor: float
) -> None:
    """Twice the size and twice the money: the same prices, twice the amounts."""
    spec = flattened(data.draw(accounts_under(venue)))
    larger = copy.deepcopy(spec)
    for position in larger["positions"]:
        position["quantity"] *= factor
        if position["margin"] is not None:
            position["margin"] *= factor
    larger["collateral"] = {a: x * factor for a, x in spec["collateral"].items()}
    larger["order_margin"] *= factor
    one, many = account(spec), account(larger)
    size = gross(spec)
    for mode in MODES:
        small, big = getattr(one, mode), getattr(many, mode)
        for name in ("equity", "margin_balance", "maintenance_margin", "initial_margin"):
            assert getattr(big, name) == pytest.approx(
                factor * getattr(small, name), rel=1e-9, abs=1e-11 * size * factor
            ), f"{mode} {name}"
        for key, position in small.positions.items():
            pairs = zip(
                position.liquidation_prices, big.positions[key].liquidation_prices, strict=True
            )
            mark = spec["marks"][position.symbol]
            for a, b in pairs:
                relative = [None if x is None else x / mark for x in (a, b)]
                assert close(*relative), f"{mode} {key}: {a} and {b}"


# ------------------------------------------------------------------ display


@every_venue
@few
@given(data=st.data(), tick=st.sampled_from([1e-3, 0.01, 0.05, 0.5]))
def test_displayed_prices_are_on_the_tick_on_the_venues_side(
    venue: str, data: st.DataObject, tick: float
) -> None:
    """Towards the entry or away from it as the rule set says, by less than a tick; or as it is."""
    spec = data.draw(accounts_under(venue))
    for symbol, contract in spec["contracts"].items():
        power = 10.0 ** np.floor(np.log10(spec["marks"][symbol]))
        contract["tick"] = float(f"{tick * power:.3g}")
    ours = account(spec)
    sides = {"towards entry": 1, "away from entry": -1}
    rounding = {
        "liquidation_price": ours.venue.rounding,
        "bankruptcy_price": ours.venue.bankruptcy_rounding,
    }
    for mode in ("isolated", "cross"):
        for position in getattr(ours, mode).positions.values():
            step = spec["contracts"][position.symbol]["tick"]
            entry = ours.positions[position.key].entry_price
            for name, direction in rounding.items():
                price, shown = getattr(position, name), getattr(position, f"displayed_{name}")
                if price is None or direction == "none":
                    assert shown == price
                    continue
                assert shown == pytest.approx(round(shown / step) * step, rel=1e-12)
                moved = (shown - price) * np.sign(entry - price) * sides[direction]
                assert -1e-8 * step <= moved < step * (1 + 1e-8), f"{mode} {name} {price} {shown}"
