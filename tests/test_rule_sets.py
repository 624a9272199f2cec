"""The rule sets that come with the package: whole, sourced, dated, and written as data."""

from __future__ import annotations

import copy
import json
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import margin_widgets as mw
from margin_widgets import venues
from margin_widgets.venues.ratio import FIGURES

DATA = Path(venues.__file__).parent / "data"
SHIPPED = [
    *("binance-coinm", "binance-portfolio-margin", "binance-usdm", "bitget", "bitmex"),
    *("bybit-unified", "deribit", "drift", "dydx-v4", "gate", "generic", "hyperliquid", "kucoin"),
    "okx",
]
FILES = [name for name in SHIPPED if name != "generic"]

# What describes a rule set, but decides no number.
DESCRIPTION = {
    *("name", "title", "version", "date", "currency", "sources", "kinds", "modes", "extends"),
    *("known_symbols_only", "cannot_express", "not_modelled"),
}


def raw(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_all_venues_are_there() -> None:
    assert venues.names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
class TestShipped:
    def test_it_goes_by_its_name_and_is_dated(self, name: str) -> None:
        rules = venues.get(name)
        assert rules.name == name
        assert rules.title
        assert rules.version
        assert rules.date >= "2026-05-01"
        assert rules.currency in ("USD", "USDT", "USDC")

    def test_plain_data_make_the_same_rules(self, name: str) -> None:
        rules = venues.get(name)
        plain = json.loads(json.dumps(venues.to_mapping(rules), allow_nan=False))
        assert venues.from_mapping(plain) == rules
        assert pickle.loads(pickle.dumps(rules)) == rules
        assert copy.deepcopy(rules) is rules

    def test_it_says_what_it_leaves_out(self, name: str) -> None:
        rules = venues.get(name)
        assert rules.not_modelled
        assert all(rules.not_modelled)
        if name != "generic":
            assert rules.cannot_express
            assert all(rules.cannot_express)

    def test_its_looks_show_the_date(self, name: str) -> None:
        rules = venues.get(name)
        assert rules.date in repr(rules)
        html = rules._repr_html_()
        assert rules.date in html
        assert rules.title in html
        for line in rules.source_lines:
            assert line.split(": ", 1)[0] in html

    def test_maintenance_is_continuous_in_notional(self, name: str) -> None:
        rules = venues.get(name)
        for symbol, table in rules.tiers.items():
            amounts = rules.maintenance_amounts(symbol)
            assert table[0].floor == 0
            for (low, before), (high, after) in pairwise(zip(table, amounts, strict=True)):
                assert low.floor < high.floor
                assert low.rate <= high.rate
                if rules.tier_rate == "marginal":
                    below = high.floor * low.rate - before
                    assert high.floor * high.rate - after == pytest.approx(below, rel=1e-9)
                else:
                    assert after == 0

    def test_its_margin_ratio_is_a_fraction_of_known_figures(self, name: str) -> None:
        ratio = venues.get(name).margin_ratio
        assert {ratio.numerator, ratio.denominator} <= set(FIGURES)
        assert ratio.falls == (ratio.numerator in ("margin balance", "equity", "wallet balance"))
        assert ratio.name in venues.get(name).margin_ratio_name
        assert "liquidation at" in venues.get(name).margin_ratio_name


@pytest.mark.parametrize("name", FILES)
class TestSources:
    def test_each_rule_says_where_it_comes_from(self, name: str) -> None:
        rules = venues.get(name)
        assert isinstance(rules.sources, dict | type(rules.tiers))
        for rule in (raw(name).keys() | venues.to_mapping(rules).keys()) - DESCRIPTION:
            entries = {f"{rule} of {key}" for key in _entries(rules, rule)}
            covered = rule in rules.sources or (entries and entries <= rules.sources.keys())
            assert covered, f"{name}: {rule} has no source"

    def test_each_source_is_of_a_rule_that_is_set(self, name: str) -> None:
        rules = venues.get(name)
        given = raw(name).keys() | venues.to_mapping(rules).keys()
        for rule, source in dict(rules.sources).items():
            field, _, key = rule.partition(" of ")
            assert field in given, f"{name}: a source of {rule}, which is not set"
            assert not key or key in _entries(rules, field)
            assert len(source) > 10

    def test_it_says_what_was_checked(self, name: str) -> None:
        """Reproduced on numbers, as published, or remembered: the reader can tell."""
        said = " ".join(dict(venues.get(name).sources).values())
        assert "reproduced" in said or "check" in said
        assert "remembered" in said or "published" in said

    def test_a_rule_set_without_tiers_for_a_symbol_asks_for_them(self, name: str) -> None:
        with pytest.raises(venues.RuleError, match=r"replace\(tiers=|is not known to"):
            venues.get(name).tier_table("NOSUCHCOIN")

    def test_contracts_are_of_the_kinds_it_lists(self, name: str) -> None:
        rules = venues.get(name)
        assert rules.kinds
        assert rules.modes
        for symbol in {*rules.contracts, *rules.tiers}:
            assert rules.contract(symbol).kind in rules.kinds, symbol
        assert set(rules.formulas) <= set(rules.kinds)


def _entries(rules: venues.RuleSet, field: str) -> set[str]:
    content = getattr(rules, field, ())
    return set(content) if hasattr(content, "keys") else set()


# ------------------------------------------------------------------ what decides the numbers


def test_what_differs_between_venues_is_set() -> None:
    """The settings that decide numbers, venue by venue."""
    expected: dict[str, dict[str, Any]] = {
        "binance-usdm": {"maintenance_at": "mark", "closing_fee": 0.0, "trigger": "<="},
        "binance-portfolio-margin": {"trigger_level": 1.05, "cross_pool": "account"},
        "bybit-unified": {
            "maintenance_at": "entry",
            "closing_fee_in_maintenance": True,
            "closing_fee_in_initial": True,
            "closing_fee_at": "bankruptcy",
            "rounding": "towards entry",
            "cross_pool": "account",
        },
        "okx": {
            "tiers_by": "contracts",
            "tier_rate": "whole",
            "closing_fee": 0.0005,
            "closing_fee_at": "mark",
        },
        "hyperliquid": {"closing_fee": 0.0, "adl_rank": "hyperliquid index"},
        "deribit": {"tiers_by": "size", "cross_pool": "settlement"},
        "dydx-v4": {"trigger": "<", "closing_fee": 0.0},
        "drift": {"trigger": "<"},
        "gate": {"closing_fee": 0.00075, "closing_fee_at": "mark"},
        "bitget": {"closing_fee": 0.0006, "closing_fee_at": "mark"},
        "kucoin": {
            "maintenance_at": "entry",
            "closing_fee_in_maintenance": True,
            "closing_fee_in_initial": True,
            "closing_fee_at": "worst bankruptcy",
        },
        "bitmex": {"maintenance_at": "entry", "closing_fee_at": "worst bankruptcy"},
    }
    for name, settings in expected.items():
        rules = venues.get(name)
        assert {field: getattr(rules, field) for field in settings} == settings, name


def test_both_senses_of_the_margin_ratio_are_there() -> None:
    falls = {name for name in FILES if venues.get(name).margin_ratio.falls}
    assert {"okx", "binance-portfolio-margin"} <= falls
    assert {"binance-usdm", "bybit-unified", "hyperliquid"}.isdisjoint(falls)
    assert venues.get("binance-portfolio-margin").margin_ratio_name == (
        "uniMMR = margin balance ÷ maintenance margin, liquidation at 1.05"
    )
    assert venues.get("okx").margin_ratio_name == (
        "margin ratio = margin balance ÷ maintenance margin, liquidation at 100 %"
    )


def test_what_a_liquidation_closes_differs() -> None:
    policy = {name: venues.get(name).liquidation for name in FILES}
    assert (policy["okx"].kind, policy["okx"].tiers_down, policy["okx"].from_tier) == (
        "tiers",
        2,
        3,
    )
    assert (policy["hyperliquid"].kind, policy["hyperliquid"].share) == ("share", 0.2)
    assert policy["hyperliquid"].share_above == 100_000
    assert (policy["drift"].kind, policy["drift"].small_shortage) == ("shortage", 50)


def test_hyperliquid_charges_half_the_initial_margin_at_highest_leverage() -> None:
    for symbol, table in venues.get("hyperliquid").tiers.items():
        for tier in table:
            assert tier.max_leverage is not None
            assert tier.rate == pytest.approx(1 / (2 * tier.max_leverage), rel=1e-11), symbol


def test_bybits_own_deductions_agree_with_continuity() -> None:
    """The file states them; loading checked each. The last one is on the venue's page."""
    assert venues.get("bybit-unified").maintenance_amounts("BTCUSDT")[-1] == 1_482_000


def test_bitgets_tiers_are_those_recorded(shared_data: Path) -> None:
    recorded = json.loads((shared_data / "tiers_other.json").read_text(encoding="utf-8"))
    (rows,) = [one["tiers"] for one in recorded if one["exchange"] == "bitget"]
    table = venues.get("bitget").tiers["BTCUSDT"]
    assert [tuple(tier) for tier in table] == [
        (row["floor"], row["mmr"], row["max_leverage"]) for row in rows
    ]


def test_binances_tiers_are_those_recorded(shared_data: Path) -> None:
    recorded = json.loads((shared_data / "binance_usdm_tiers.json").read_text(encoding="utf-8"))
    text = json.dumps(recorded)
    assert "BTCUSDT" in text
    assert venues.get("binance-portfolio-margin").tiers == venues.get("binance-usdm").tiers


def test_drifts_weights_are_of_assets_that_have_both() -> None:
    rules = venues.get("drift")
    assert rules.haircuts.keys() == rules.liability_rates.keys() == rules.imf_factors.keys()
    assert rules.haircuts["SOL"] == ((0.0, 0.1),)


def test_portfolio_grids_say_what_is_exact_and_what_is_not() -> None:
    with_grid = [name for name in FILES if venues.get(name).portfolio]
    assert with_grid == ["deribit", "okx"]
    for name in with_grid:
        grid = venues.get(name).portfolio
        assert grid is not None
        assert grid.exact
        assert grid.approximate
        assert "portfolio" in venues.get(name).modes


def test_open_interest_raises_the_initial_rate_between_its_caps() -> None:
    """Straight from the base to 1; before and after the caps it is constant."""
    caps = {"lower_cap": 20e6, "upper_cap": 50e6}
    rates = [
        venues.OpenInterest(notional, **caps).initial_rate(0.1)
        for notional in (0, 20e6, 35e6, 50e6, 60e6)
    ]
    assert rates == pytest.approx([0.1, 0.1, 0.55, 1.0, 1.0])


# ------------------------------------------------------------------ a venue of one's own


MINE: dict[str, Any] = {
    "name": "my-venue",
    "title": "My venue",
    "date": "2026-10-01",
    "currency": "USDT",
    "sources": {"tiers": "the venue's page on margin", "option_margin": "the same page"},
    "kinds": ["linear", "inverse", "quanto", "option", "spot"],
    "modes": ["isolated", "cross", "portfolio"],
    "contracts": {
        "BTCUSD": {"kind": "inverse", "multiplier": 1, "base": "BTC", "quote": "USD"},
        "ETHUSD": {"kind": "quanto", "multiplier": 1e-6, "quote": "USD", "settle": "BTC"},
        "BTC-261225-100000-C": {
            "kind": "call",
            "strike": 100000,
            "expiry": "2026-12-25",
            "underlying": "BTCUSDT",
        },
    },
    "tiers": {"BTCUSDT": [[0, 0.004, 125], [300, 0.005, 100]], "BTCUSD": 0.005, "ETHUSD": 0.01},
    "tiers_by": "contracts",
    "tier_rate": "whole",
    "initial_tiers": {"BTCUSDT": [[0, 0.01], [300, 0.02]]},
    "size_slopes": {"BTCUSDT": 0.00005},
    "open_interest": {"BTCUSDT": {"notional": 1, "lower_cap": 2, "upper_cap": 3}},
    "taker_fee": 0.0006,
    "closing_fee_in_maintenance": True,
    "closing_fee_in_initial": True,
    "closing_fee_at": "worst bankruptcy",
    "trigger": "<",
    "trigger_level": 1.1,
    "cross_pool": "settlement",
    "haircuts": {"BTC": [[0, 0.05], [100, 0.1]]},
    "liability_rates": {"BTC": [[0, 0.04], [10, 0.08]], "USDT": 0.03},
    "imf_factors": {"BTC": 0.1},
    "rounding": "towards entry",
    "bankruptcy_rounding": "away from entry",
    "option_multipliers": {"BTC": 0.01},
    "liquidation": {"kind": "share", "share": 0.5, "takeover_below": 0.5},
    "liquidation_fee": 0.01,
    "residual": "split",
    "residual_share": 0.25,
    "option_margin": {"initial": 0.2, "maintenance_on_mark": "puts"},
    "portfolio": {
        "grid": {
            "price_moves": [-0.1, 0, 0.1],
            "extremes": [{"price": -0.5, "counted": 0.5}, {"price": 0.5, "counted": 0.5}],
        },
        "grids": {"BTC": {"price_moves": [-0.05, 0.05], "volatility_moves": [-0.2, 0.2]}},
        "minimum_tiers": [[0, 1], [1000, 2]],
        "exact": ["all"],
    },
    "margin_ratio": {
        "name": "health",
        "numerator": "equity",
        "denominator": "maintenance margin",
        "liquidation_at": 1.1,
        "percent": False,
    },
    "adl_rank": "profit and leverage",
    "formulas": {"linear": "F-LIN", "inverse": "F-INV"},
    "cannot_express": ["something"],
    "not_modelled": ["something else"],
}


def test_a_new_venue_needs_a_file_and_no_python(tmp_path: Path) -> None:
    path = tmp_path / "my-venue.json"
    path.write_text(json.dumps(MINE), encoding="utf-8")
    rules = venues.load(path)
    assert rules.label == "my-venue · v1 · 2026-10-01"
    assert rules.contract("ETHUSD").settle == "BTC"
    assert rules.contract("BTC-261225-100000-C").is_option
    assert rules.liquidation.share == 0.5
    assert rules.portfolio is not None
    assert rules.portfolio.grids["BTC"].price_moves == (-0.05, 0.05)
    assert rules.maintenance_amounts("BTCUSDT") == (0, 0)
    assert rules.source_lines[0] == "tiers: the venue's page on margin"
    assert rules.margin_ratio_name == "health = equity ÷ maintenance margin, liquidation at 1.1"
    again = venues.from_mapping(json.loads(json.dumps(venues.to_mapping(rules))))
    assert again == rules
    assert pickle.loads(pickle.dumps(rules)) == rules


def test_the_file_of_a_new_venue_covers_every_field() -> None:
    from dataclasses import fields

    left = {one.name for one in fields(venues.RuleSet)} - MINE.keys()
    assert left == {"version", "default_contract", "known_symbols_only", "maintenance_at"}


def test_a_file_may_extend_a_shipped_rule_set(tmp_path: Path) -> None:
    path = tmp_path / "vip.json"
    path.write_text(
        json.dumps({"extends": "bybit-unified", "name": "vip", "taker_fee": 0.0003}),
        encoding="utf-8",
    )
    rules = venues.load(path)
    assert rules == venues.get("bybit-unified").replace(name="vip", taker_fee=0.0003)


def test_an_account_of_a_loaded_venue_has_figures(tmp_path: Path) -> None:
    document = {
        "name": "plain",
        "tiers": {"BTCUSDT": [[0, 0.004], [300_000, 0.005]]},
        "taker_fee": 0.0005,
        "closing_fee_in_maintenance": True,
    }
    path = tmp_path / "plain.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    account = mw.Account(
        venue=venues.load(path),
        collateral={"USDT": 10_000},
        positions=[mw.Position("BTCUSDT", quantity=1, entry_price=60_000, leverage=10)],
        marks={"BTCUSDT": 60_000},
    )
    assert account.cross.maintenance_margin == pytest.approx(60_000 * 0.0045)


# ------------------------------------------------------------------ what the sources claim


def one_position(
    venue: str, symbol: str, quantity: float, entry: float, leverage: float, **change: Any
) -> Any:
    """Figures of an isolated position at its entry price."""
    rules = venues.get(venue).replace(**change)
    account = mw.Account(
        venue=rules,
        collateral={str(rules.contract(symbol).settle): 1e6},
        positions=[mw.Position(symbol, quantity, entry, leverage)],
        marks={symbol: entry},
    )
    return account.isolated.positions[symbol]


@pytest.mark.parametrize(
    ("rate", "value", "leverage", "fee", "initial", "maintenance"),
    [
        (0.01, 77.519375, 6, 0.00055, 12.95542633, 0.81072399),
        (0.01, 36.15, 10, 0.0006, 3.634521, 0.381021),
    ],
)
def test_bybits_margins_hold_the_fee_at_the_bankruptcy_price(
    rate: float, value: float, leverage: float, fee: float, initial: float, maintenance: float
) -> None:
    """Two recorded unified positions."""
    row = one_position(
        "bybit-unified", "XUSDT", value, 1.0, leverage, tiers={"XUSDT": rate}, taker_fee=fee
    )
    assert row.initial_margin == pytest.approx(initial, abs=1e-6)
    assert row.maintenance_margin == pytest.approx(maintenance, abs=1e-6)


def test_bitmexs_margins_hold_the_fee_at_the_worse_bankruptcy_price() -> None:
    """A position of 2018, in satoshi: 303,200 of margin, 42,975 of maintenance."""
    row = one_position("bitmex", "XBTUSD", -500, 6725, 25)
    coin = 6725 / 1e8
    assert row.margin == pytest.approx(303_200 * coin, rel=1e-3)
    assert row.maintenance_margin == pytest.approx(42_975 * coin, rel=1e-3)


@pytest.mark.parametrize(
    ("symbol", "size", "index", "figure", "expected"),
    [
        ("BTC_USDC-PERPETUAL", 25, 100_000, "initial_margin", 53_125),
        ("SOL_USDC-PERPETUAL", 25, 200, "initial_margin", 200.625),
        ("SOL_USDC-PERPETUAL", 6_000, 200, "initial_margin", 84_000),
        ("SOL_USDC-PERPETUAL", 25, 200, "maintenance_margin", 100.625),
    ],
)
def test_deribits_rates_rise_with_size(
    symbol: str, size: float, index: float, figure: str, expected: float
) -> None:
    """Margins printed in the venue's support articles."""
    row = one_position("deribit", symbol, size, index, 50)
    assert getattr(row, figure) == pytest.approx(expected, rel=1e-12)


FIRST_LINEAR = {
    name: symbols[0]
    for name in FILES
    if (
        symbols := [
            symbol
            for symbol in venues.get(name).tiers
            if venues.get(name).contract(symbol).kind == "linear"
        ]
    )
}


def test_most_venues_have_tiers_of_a_linear_contract() -> None:
    """The others have none known, and say so."""
    without = set(FILES) - FIRST_LINEAR.keys()
    assert without == {"binance-coinm", "bitmex", "gate", "okx"}
    for name in without:
        assert any("tiers=" in line for line in venues.get(name).not_modelled)


@pytest.mark.parametrize("name", FIRST_LINEAR)
def test_a_shipped_rule_set_values_an_account(name: str) -> None:
    row = one_position(name, FIRST_LINEAR[name], 1, 100, 5)
    assert 0 < row.maintenance_margin < row.initial_margin
    assert row.liquidation_price is not None
    assert 75 < row.liquidation_price < 100
