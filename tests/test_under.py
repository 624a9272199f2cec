"""An account under other rules keeps its coins, prices and collateral; what cannot be is said."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pandas as pd
import pytest
import random_accounts
import strategies
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.engine.option_margin import OptionMargin

PRESETS = (
    mw.presets.ref2,
    mw.presets.hedged_pair,
    mw.presets.bitcoin_on_bitcoin,
    mw.presets.multi_asset,
    mw.presets.inverse,
    mw.presets.exchange_account,
)
SWAPS = {
    "BTC-USDT-SWAP": mw.Contract(multiplier=0.01, base="BTC", quote="USDT"),
    "BTC-USDC-SWAP": mw.Contract(multiplier=0.01, base="BTC", quote="USDC"),
    "BTC-USD-SWAP": mw.Contract("inverse", 100, base="BTC", quote="USD"),
    "BTC-USDT-261225": mw.Contract(multiplier=0.01, base="BTC", quote="USDT", expiry="2026-12-25"),
}


def rules(name: str = "there", **settings: Any) -> mw.RuleSet:
    return mw.venues.generic(name=name, **settings)


def long(
    symbol: str = "BTCUSDT", quantity: float = 0.5, venue: Any = "binance-usdm", **more: Any
) -> mw.Account:
    """One position on dollars."""
    settings = {"collateral": {"USDT": 10_000}, "marks": {symbol: 101_000}, **more}
    return mw.Account(venue, positions=[mw.Position(symbol, quantity, 100_000)], **settings)


def refused(account: mw.Account, venue: Any, **how: Any) -> dict[str, str]:
    with pytest.raises(mw.CannotExpress) as caught:
        account.under(venue, **how)
    assert caught.value.reasons and isinstance(caught.value, TraitError)
    for where, why in caught.value.reasons:
        assert where in str(caught.value) and why in str(caught.value)
    return dict(caught.value.reasons)


def coins(account: mw.Account) -> list[float]:
    """Sizes that do not depend on how large a contract is."""
    contracts = [account.venue.contract(row.symbol) for row in account.positions]
    return [
        row.quantity * one.multiplier for row, one in zip(account.positions, contracts, strict=True)
    ]


# ------------------------------------------------------------------ contracts


@pytest.mark.parametrize(
    ("symbol", "contract", "found"),
    [
        ("BTCUSDT", mw.Contract(), "BTC-USDT-SWAP"),
        ("BTC/USDT:USDT", mw.Contract(), "BTC-USDT-SWAP"),
        ("BTCUSDC", mw.Contract(quote="USDC"), "BTC-USDC-SWAP"),
        ("BTCUSD", mw.Contract(quote="USD"), "BTC-USDT-SWAP"),  # other dollars: the first
        ("BTCUSD_PERP", mw.Contract("inverse", 10, quote="USD"), "BTC-USD-SWAP"),
        ("XBTUSD", mw.Contract("inverse", 1, base="XBT", quote="USD"), "BTC-USD-SWAP"),
        ("BTCUSDT_261225", mw.Contract(expiry="2026-12-25"), "BTC-USDT-261225"),
    ],
)
def test_contracts_are_found_by_what_they_are(
    symbol: str, contract: mw.Contract, found: str
) -> None:
    here = rules("here", contracts={symbol: contract}, tiers={symbol: 0.01}, currency="USD")
    there = rules(contracts=SWAPS, tiers=dict.fromkeys(SWAPS, 0.005), currency="USD")
    account = long(
        symbol, 3, here, collateral={"BTC": 1, "USDT": 1}, prices={"BTC": 1e5, "XBT": 1e5}
    )
    moved = account.under(there)
    assert [row.symbol for row in moved.positions] == [found]
    assert moved.marks == {found: 101_000}
    assert coins(moved) == pytest.approx(coins(account))
    assert moved.positions[0].entry_price == 100_000


def test_quantities_follow_the_size_of_a_contract() -> None:
    there = rules(contracts=SWAPS, tiers=dict.fromkeys(SWAPS, 0.005))
    account = long(quantity=0.5)
    moved = account.under(there)
    assert moved.positions[0].quantity == pytest.approx(50)
    assert moved.notes == ()
    assert moved.isolated.positions[0].notional == pytest.approx(50_500)
    odd = long(quantity=0.123456).under(there)
    assert odd.notes == ("BTCUSDT is 12.3456 contracts of BTC-USDT-SWAP, no whole number",)


def test_of_two_contracts_the_one_with_tiers_is_taken() -> None:
    there = rules(contracts=SWAPS, tiers={"BTC-USDC-SWAP": 0.005})
    moved = long().under(there)
    assert moved.positions[0].symbol == "BTC-USDC-SWAP"
    assert moved.collateral == {"USDC": 10_000}
    assert moved.notes == (
        "BTCUSDT is BTC-USDC-SWAP: prices in USDT are taken as prices in USDC",
        "USDT is held as USDC",
    )
    given = long().under(there, tiers={"BTC-USDT-SWAP": 0.01})
    assert given.positions[0].symbol == "BTC-USDT-SWAP"


def test_a_delivery_date_is_part_of_a_contract() -> None:
    here = rules(
        "here",
        contracts={"Q": mw.Contract(base="BTC", quote="USDT", expiry="2027-03-26")},
        tiers={"Q": 0.01},
    )
    reasons = refused(long("Q", venue=here), rules(contracts=SWAPS, tiers={"BTC-USDT-SWAP": 0.01}))
    assert "linear BTC/USDT contract of 2027-03-26" in reasons["Q"]


def test_a_mark_without_position_comes_along() -> None:
    account = long(collateral={"USDT": 1_000, "ETH": 1}, marks={"BTCUSDT": 1e5, "ETHUSDT": 4_000})
    moved = account.under(rules(contracts=SWAPS, tiers=dict.fromkeys(SWAPS, 0.005)))
    assert moved.marks == {"BTC-USDT-SWAP": 1e5, "ETHUSDT": 4_000}
    assert moved.asset_price("ETH") == 4_000


# ------------------------------------------------------------------ tiers


def test_the_venues_own_tiers_win() -> None:
    there = rules(tiers={"BTCUSDT": 0.02})
    for tiers in (None, "keep", {"BTCUSDT": 0.3}):
        moved = long().under(there, tiers=tiers)
        assert moved.venue is there and moved.notes == ()


def test_missing_tiers_are_asked_for() -> None:
    there = rules(contracts=SWAPS)
    with pytest.raises(
        mw.CannotExpress, match=r"give tiers={'BTCUSDT': …} or tiers='keep'"
    ) as said:
        long().under(there)
    assert said.value.reasons == (("BTCUSDT", "there has no tiers for BTC-USDT-SWAP"),)
    for name in ("BTCUSDT", "BTC-USDT-SWAP"):
        moved = long().under(there, tiers={name: [(0, 0.01), (1_000, 0.02)]})
        assert moved.venue.tier_table("BTC-USDT-SWAP")[1].rate == 0.02
        assert moved.venue.version.endswith("+changed")


def test_present_tiers_are_kept_if_wanted() -> None:
    moved = long().under(rules(contracts=SWAPS), tiers="keep")
    own = mw.venues.get("binance-usdm").tier_table("BTCUSDT")
    assert moved.venue.tier_table("BTC-USDT-SWAP") == own
    assert moved.notes == ("BTC-USDT-SWAP: tiers of binance-usdm, there has none",)
    unlisted = long().under(rules(), tiers="keep")
    assert unlisted.positions[0].symbol == "BTCUSDT"
    assert unlisted.notes[1] == "BTCUSDT: the contract of binance-usdm, there lists none"


def test_tiers_are_converted_between_contracts_and_coins() -> None:
    tables = {"X": [(0, 0.01), (100, 0.02)]}
    half = mw.Contract(multiplier=0.5, base="BTC", quote="USDT")
    for by, floor in (("size", 50), ("contracts", 50 / 0.01)):
        here = rules("here", contracts={"X": half}, tiers=tables, tiers_by="contracts")
        there = rules(contracts=SWAPS, tiers_by=by, tier_rate="whole")
        moved = long("X", venue=here).under(there, tiers="keep")
        assert moved.venue.tier_table("BTC-USDT-SWAP")[1].floor == pytest.approx(floor)
        assert moved.notes[0].endswith("there a tier's rate holds for the whole position")
    flat = long().venue.replace(tiers={"BTCUSDT": 0.004})
    moved = long(venue=flat).under(rules(contracts=SWAPS, tiers_by="contracts"), tiers="keep")
    assert moved.cross.maintenance_margin == pytest.approx(0.004 * 50_500)


def test_tiers_in_other_units_are_not_guessed() -> None:
    reasons = refused(long(), rules(contracts=SWAPS, tiers_by="contracts"), tiers="keep")
    assert reasons == {
        "BTCUSDT": "binance-usdm has tiers by notional, there by contracts",
    }


# ------------------------------------------------------------------ what cannot be


def test_reasons_are_given_position_by_position() -> None:
    account = mw.presets.multi_asset()
    with pytest.raises(mw.CannotExpress) as caught:
        account.under("binance-coinm")
    where = [reason.where for reason in caught.value.reasons]
    assert where == account.positions.keys()
    assert caught.value.venue is mw.venues.get("binance-coinm")
    assert str(caught.value).startswith("binance-coinm cannot hold this account\nBTCUSDT: ")


def test_kinds() -> None:
    assert refused(mw.presets.inverse(), rules(kinds=["linear"]), tiers="keep") == {
        "BTCUSD_PERP": "there lists no inverse contracts"
    }
    call = mw.Contract("call", 1, "BTC", "USDT", "USDT", None, "2026-12-25", 1e5, "BTCUSDT")
    here = rules(
        "here", tiers={"BTCUSDT": 0.01}, contracts={"C": call}, option_margin=OptionMargin()
    )
    account = mw.Account(
        here,
        {"USDT": 50_000},
        [mw.Position("C", -1, 3_000)],
        marks={"C": 3_000, "BTCUSDT": 1e5},
        as_of="2026-11-22",
    )
    assert "no option contracts" in refused(account, rules(kinds=["linear"]))["C"]
    assert "no margin rule for single options" in refused(account, rules())["C"]
    swaps = {"contracts": SWAPS, "tiers": dict.fromkeys(SWAPS, 0.005)}
    moved = account.under(rules(**swaps, option_margin=OptionMargin(maintenance=0.1)))
    name = "BTC-25DEC26-100000-C"
    assert moved.positions.keys() == [name] and moved.notes == ()
    assert moved.venue.contract(name).underlying == "BTC-USDT-SWAP"
    assert moved.marks == {name: 3_000, "BTC-USDT-SWAP": 1e5}
    assert moved.cross.maintenance_margin == pytest.approx(0.1 * 1e5 + 3_000)
    account.positions = []  # the mark alone needs no margin rule
    note = "C: its mark is left out, there has no margin rule for single options"
    assert account.under(rules()).notes == (note,)


def test_modes() -> None:
    account = mw.presets.ref2()
    there = rules(tiers={"BTCUSDT": 0.005, "ETHUSDT": 0.01}, modes=["cross"])
    assert refused(account, there) == {"ETHUSDT": "there offers no isolated margin"}
    account.positions["ETHUSDT"].margin_mode = "cross"
    assert account.under(there).venue is there


def test_two_legs() -> None:
    contracts = {name: mw.Contract(base="BTC", quote=name[3:]) for name in ("BTCUSDT", "BTCUSDC")}
    here = rules("here", contracts=contracts, tiers=dict.fromkeys(contracts, 0.01))
    account = mw.Account(
        here,
        {"USDT": 9_000, "USDC": 500},
        [mw.Position("BTCUSDT", 1, 1e5), mw.Position("BTCUSDC", 2, 1e5)],
        marks={"BTCUSDT": 1e5, "BTCUSDC": 1e5},
    )
    one = {"contracts": {"BTC": mw.Contract(base="BTC", quote="USDC")}, "tiers": {"BTC": 0.01}}
    assert refused(account, rules(currency="USDC", **one)) == {
        "BTCUSDC": "BTCUSDT is a long position in BTC too"
    }
    account.positions["BTCUSDC"].quantity = -2
    moved = account.under(rules(currency="USDC", **one))
    assert moved.positions.keys() == ["BTC:long", "BTC:short"]
    assert moved.collateral == {"USDC": 9_500}
    netting = rules(currency="USDC", **one, cannot_express=["hedge mode: one net position"])
    assert "no hedge mode: BTCUSDT" in refused(account, netting)["BTCUSDC"]


def test_unknown_names() -> None:
    with pytest.raises(TraitError, match="did you mean 'okx'"):
        long().under("okxx")
    with pytest.raises(TraitError, match="keep"):
        long().under("okx", tiers="kep")  # type: ignore[arg-type]


# ------------------------------------------------------------------ collateral


def test_collateral_without_haircut_is_refused_where_others_have_one() -> None:
    there = rules(tiers={"BTCUSDT": 0.01}, haircuts={"BTC": 0.05})
    account = long(collateral={"USDT": 1, "SOL": 5}, prices={"SOL": 200})
    assert refused(account, there) == {
        "collateral SOL": "there has no haircut for it; give haircuts['SOL']"
    }
    account.haircuts["SOL"] = 0.1
    assert account.under(there).haircuts == {"SOL": ((0, 0.1),)}
    account.collateral = {"BTC": 1}
    account.haircuts["BTC"] = 0.3
    moved = account.under(there)
    assert "BTC" not in moved.haircuts
    assert moved.notes == ("BTC: the haircut of there, not the account's own",)


def test_assets_that_a_venue_does_not_take() -> None:
    alone = rules(tiers={"BTCUSDT": 0.01}, cannot_express=["collateral other than USDT"])
    account = long(collateral={"USDT": 1, "BTC": 1})
    assert refused(account, alone) == {"collateral BTC": "there takes USDT only"}
    apart = account.under(rules(tiers={"BTCUSDT": 0.01}, cross_pool="settlement"))
    assert apart.notes == ("BTC backs nothing: there pools by settlement asset",)
    full = account.under(rules(tiers={"BTCUSDT": 0.01}))
    assert full.notes == ("BTC counts in full: there has no haircuts",)


def test_loans() -> None:
    account = long(collateral={"USDT": 90_000, "BTC": -0.1})
    none = rules(tiers={"BTCUSDT": 0.01}, kinds=["linear"])
    assert refused(account, none) == {"collateral BTC": "a loan; there lends none"}
    lends = none.replace(kinds=["linear", "spot"])
    assert account.under(lends).collateral["BTC"] == -0.1


def test_another_currency() -> None:
    account = long(
        collateral={"USDT": 1_000, "USDC": 500, "SOL": 2}, prices={"USDC": 0.5, "SOL": 200}
    )
    account.order_margin = 50
    moved = account.under(rules(tiers={"BTCUSDT": 0.01}, currency="USDC"))
    assert moved.currency == "USDC" and moved.order_margin == 100
    assert moved.prices == {"SOL": 400, "USDT": 2}
    assert moved.cross.equity == pytest.approx(account.cross.equity / 0.5)


def test_coins_by_other_codes() -> None:
    moved = mw.presets.inverse().under("bitmex")
    assert moved.positions[0].symbol == "XBTUSD" and moved.collateral == {"XBT": 0.25}
    assert moved.notes[0] == "BTC is held as XBT"
    assert moved.cross.equity == pytest.approx(mw.presets.inverse().cross.equity)
    idle = mw.presets.inverse()
    idle.positions = []
    assert idle.under("bitmex").collateral == {"XBT": 0.25}


# ------------------------------------------------------------------ all of them


@pytest.mark.parametrize("venue", mw.venues.names())
@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.__name__)
def test_presets_under_every_venue(preset: Any, venue: str) -> None:
    account = preset()
    before = account.to_dict()
    with contextlib.suppress(mw.CannotExpress):
        moved = account.under(venue, tiers="keep")
        assert moved.venue.name == venue
        assert coins(moved) == pytest.approx(coins(account))
        entries = [row.entry_price for row in account.positions]
        assert [row.entry_price for row in moved.positions] == entries
        assert moved.cross.equity == pytest.approx(account.cross.equity, rel=1e-12)
        assert moved.cross.unrealized_pnl == pytest.approx(account.cross.unrealized_pnl, abs=1e-6)
        assert moved.undo() is False
    assert account.to_dict() == before and account.revision == 1


@pytest.mark.parametrize("venue", mw.venues.names())
def test_the_same_rules_give_the_same_account(venue: str) -> None:
    """Also of loans, options and quanto; and the same rules under another name, without limits."""
    for number in range(12):
        account = strategies.account(random_accounts.numbered(venue, number))
        assert account.under(account.venue).to_dict() == account.to_dict()
        unlimited = {"kinds": (), "modes": (), "cannot_express": (), "known_symbols_only": False}
        twin = account.venue.replace(name="twin", **unlimited)
        with contextlib.suppress(mw.CannotExpress):  # of assets without haircut
            same = account.under(twin)
            assert same.venue is twin and list(same.positions.keys()) == account.positions.keys()
            assert same.cross.figures() == account.cross.figures()
            assert same.isolated.to_frame().equals(account.isolated.to_frame())


def test_there_and_back() -> None:
    account = mw.presets.hedged_pair()
    back = account.under("kucoin", tiers="keep").under("binance-usdm")
    assert [row.margin for row in back.positions] == [pytest.approx(4_000)] * 2  # kept on the way
    for row in back.positions:
        row.margin = None
    assert back.to_dict() == account.to_dict()


# ------------------------------------------------------------------ isolated margin


def test_isolated_margin_is_carried_over_where_the_default_differs() -> None:
    there = rules(tiers={"BTCUSDT": 0.005}, initial_tiers={"BTCUSDT": 0.02})
    account = mw.presets.ref2()
    moved = account.under(there, tiers="keep")
    assert [row.margin for row in moved.positions] == [5_000, None]
    assert moved.isolated.positions["BTCUSDT"].margin == 5_000
    assert moved.notes[-2:] == (
        "BTCUSDT: leverage has no effect, there sets the rate of initial margin",
        "BTCUSDT: its isolated margin of 5,000 USDT is kept as assigned, there would assign 1,000",
    )
    account.positions["BTCUSDT"].margin = 7_000
    moved = account.under(there, tiers="keep")
    assert moved.isolated.positions["BTCUSDT"].margin == 7_000
    assert not any("7,000" in note for note in moved.notes)


def test_isolated_margin_under_dydx() -> None:
    moved = mw.presets.ref2().under("dydx-v4")
    assert moved.isolated.positions["BTC-USD"].margin == pytest.approx(5_000)
    told = "BTCUSDT: its isolated margin of 5,000 USDC is kept as assigned, dydx-v4 would assign"
    assert any(note.startswith(told) for note in moved.notes)


def test_isolated_margin_with_the_fee_of_closing() -> None:
    fees = {"taker_fee": 0.001, "closing_fee_in_initial": True}
    there = rules(tiers={"BTCUSDT": 0.005}, **fees)
    moved = long().under(there)
    assert moved.positions[0].margin == pytest.approx(5_000)
    assert moved.notes == (
        "BTCUSDT: its isolated margin of 5,000 USDT is kept as assigned, there would assign 5,050",
    )
    back = long(venue=there).under("binance-usdm")
    assert back.positions[0].margin == pytest.approx(5_050)


@pytest.mark.parametrize("venue", mw.venues.names())
def test_isolated_margin_is_the_same_under_every_venue(venue: str) -> None:
    """In the settlement asset, so whatever that is worth there."""
    for number in range(6):
        account = strategies.account(random_accounts.numbered(venue, number))
        if {"USD", "USDT", "USDC"} & set(account.prices):
            continue  # dollars that are not worth the same
        for other in mw.venues.names():
            with contextlib.suppress(mw.CannotExpress):
                moved = account.under(other, tiers="keep")
                rows = zip(moved.positions, moved.books.book.margin, strict=True)
                for (row, margin), before in zip(rows, account.books.book.margin, strict=True):
                    if not moved.venue.contract(row.symbol).is_option:  # paid in coin or dollars
                        assert margin == pytest.approx(before, rel=1e-8)


# ------------------------------------------------------------------ options

AS_OF = "2026-11-22"
CALL = "BTC-25DEC26-110000-C"


def sold(venue: Any, symbol: str, mark: float, **more: Any) -> mw.Account:
    """Two calls sold for less than they cost now."""
    settings = {"collateral": {"BTC": 1.5}, "as_of": AS_OF, **more}
    return mw.Account(
        venue,
        positions=[mw.Position(symbol, -2, mark * 0.8), *settings.pop("beside", [])],
        marks={symbol: mark, **settings.pop("marks")},
        **settings,
    )


def on_deribit() -> mw.Account:
    beside = [mw.Position("BTC-PERPETUAL", 1_000, 1e5)]
    return sold("deribit", CALL, 0.06, beside=beside, marks={"BTC-PERPETUAL": 1e5})


def options_there(**settings: Any) -> mw.RuleSet:
    """Dollars only: options on a linear perpetual."""
    kinds = {"kinds": ["linear", "inverse", "option"], "option_margin": OptionMargin()}
    return rules(**{"tiers": {"BTCUSDT": 0.005}, **kinds, **settings})


def test_options_are_on_the_underlying_that_they_have_there() -> None:
    account = on_deribit()
    for venue in ("bybit-unified", "okx"):
        moved = account.under(venue, tiers="keep")
        symbol = moved.positions[0].symbol
        one = moved.venue.contract(symbol)
        assert one == mw.venues.get(venue).contract(symbol)
        assert (one.kind, one.strike, one.expiry) == ("call", 110_000, "2026-12-25")
        assert moved.marks[str(one.underlying)] == 1e5
        assert coins(moved)[0] == pytest.approx(-2)
        assert moved.cross.equity == pytest.approx(account.cross.equity)
        assert moved.cross.unrealized_pnl == pytest.approx(account.cross.unrealized_pnl)
        back = moved.under("deribit")
        # what pays in dollars there stays in dollars
        paid = {"okx": CALL, "bybit-unified": "BTC_USDC-25DEC26-110000-C"}[venue]
        assert back.positions[0].symbol == paid
        assert back.cross.equity == pytest.approx(account.cross.equity)


def test_premiums_in_coin_become_premiums_in_dollars() -> None:
    account = on_deribit()
    account.positions = account.positions[:1]
    moved = account.under(options_there())
    assert moved.positions[0].entry_price == pytest.approx(4_800)
    assert moved.marks == {CALL: pytest.approx(6_000), "BTC-PERPETUAL": 1e5, "BTCUSDT": 1e5}
    assert moved.notes[0] == (
        f"{CALL}: premiums in BTC are taken as premiums in USDT at the index 100,000"
    )
    assert moved.venue.contract(CALL).settle == "USDT"
    assert moved.collateral == {"BTC": 1.5}
    assert moved.cross.equity == pytest.approx(account.cross.equity)
    # a perpetual that comes along does not change what the option is
    beside = on_deribit().under(options_there(), tiers="keep")
    assert beside.venue.contract(CALL) == moved.venue.contract(CALL)
    assert beside.cross.equity == pytest.approx(on_deribit().cross.equity)


def test_premiums_in_dollars_become_premiums_in_coin() -> None:
    here = options_there()
    account = sold(here, f"{CALL}-USDT", 6_000, marks={"BTCUSDT": 1e5}, collateral={"USDT": 90_000})
    account.positions[0].margin = 30_000
    perpetual = {"P": mw.Contract("inverse", 10, "BTC", "USD", "BTC")}
    moved = account.under(options_there(contracts=perpetual, tiers={"P": 0.01}, currency="USD"))
    assert moved.positions.keys() == [CALL]
    assert moved.venue.contract(CALL).settle == "BTC"
    assert moved.marks[CALL] == pytest.approx(0.06) and moved.marks["P"] == 1e5
    assert moved.positions[0].margin == pytest.approx(0.3)
    assert moved.cross.equity == pytest.approx(account.cross.equity)
    same_dollars = account.under("deribit")  # which has options in dollars too
    assert same_dollars.positions.keys() == ["BTC_USDC-25DEC26-110000-C"]
    assert same_dollars.notes[0].endswith("prices in USDT are taken as prices in USDC")


def test_options_that_a_venue_does_not_have() -> None:
    coin = {"DOGEUSDT": 0.01}
    here = options_there(tiers=coin)
    symbol = "DOGE-25DEC26-1-C"
    account = sold(here, symbol, 0.1, marks={"DOGEUSDT": 0.9}, collateral={"USDT": 9})
    assert refused(account, "deribit") == {
        symbol: "deribit has no contract on DOGE that the option could be on"
    }
    assert refused(account, "binance-usdm")[symbol] == "binance-usdm lists no option contracts"
    kept = account.under(options_there(), tiers="keep")
    assert kept.venue.contract(symbol).underlying == "DOGEUSDT"
    assert kept.notes[-1] == f"{symbol}: the contract of there, there has none"


def test_a_reason_is_at_the_position_that_it_is_of() -> None:
    contracts = {
        "SOLUSD": mw.Contract("quanto", 1e-4, "SOL", "USD", "BTC"),
        "BTCUSD": mw.Contract("inverse", 1, "BTC", "USD", "BTC"),
    }
    settings = {"tiers": dict.fromkeys((*contracts, "ETHUSD"), 0.01), "currency": "USD"}
    account = mw.Account(
        rules("here", contracts=contracts, **settings),
        {"USD": 1_000},
        [mw.Position("SOLUSD", 10, 150), mw.Position("ETHUSD", 1, 3_000)],
        marks={"SOLUSD": 150, "ETHUSD": 3_000, "BTCUSD": 1e5},
    )
    other = {"XBTUSD": mw.Contract("inverse", 1, "XBT", "USD", "XBT")}
    reasons = refused(account, rules(contracts=other, **settings))
    assert list(reasons) == ["SOLUSD"] and "no price for 'BTC'" in reasons["SOLUSD"]
    account.collateral["BTC"] = 1  # now it is no longer the position alone
    assert list(refused(account, rules(contracts=other, **settings))) == ["account"]


def test_worked_by_hand() -> None:
    """REF-2 where maintenance is 1.25 % and 2 %: (5,000 − 50,000) / (0.5·0.0125 − 0.5)."""
    moved = mw.presets.ref2().under("hyperliquid")
    isolated = moved.isolated.positions
    assert isolated["BTC"].liquidation_price == pytest.approx(45_000 / 0.49375)
    assert isolated["ETH"].liquidation_price == pytest.approx(18_000 / 4.9)


# ------------------------------------------------------------------ one frame


def test_compare_venues() -> None:
    account = mw.presets.ref2()
    frame = mw.compare_venues(account, ["binance-usdm", "hyperliquid", "okx"])
    assert frame.index.names == ["venue", "mode"]
    labels = [mw.venues.get(name).label for name in ("binance-usdm", "hyperliquid", "okx")]
    assert list(frame.index) == [
        (label, mode) for label in labels for mode in ("isolated", "cross")
    ]
    row = frame.loc[(labels[1], "cross")]
    report = account.under("hyperliquid").cross
    assert row["currency"] == "USDC"
    for figure in ("equity", "initial_margin", "maintenance_margin", "worst_loss"):
        assert row[figure] == getattr(report, figure)
    assert row["liquidation_price BTCUSDT"] == report.positions["BTC"].liquidation_price
    assert row["liquidation_shock"] == report.liquidation_shock
    assert row["margin_ratio"] == report.margin_ratio == row["venue_ratio"]
    assert row["venue_ratio_is"].startswith("cross margin ratio = maintenance margin ÷ equity")
    assert row["cannot_express"] == "" and "USDT is held as USDC" in row["assumed"]
    empty = frame.loc[(labels[2], "isolated")]
    assert "BTCUSDT: okx has no tiers for BTC-USDT-SWAP" in empty["cannot_express"]
    numbers = frame.select_dtypes("number").columns
    assert empty[numbers].isna().all() and np.isfinite(row[numbers].astype(float)).all()


def test_both_senses_of_the_margin_ratio() -> None:
    account = mw.presets.ref2()
    tiers = {"BTCUSDT": 0.005, "ETHUSDT": 0.01}
    row = mw.compare_venues(account, ["okx"], tiers=tiers, modes=["cross"]).iloc[0]
    assert row["venue_ratio"] == pytest.approx(1 / row["margin_ratio"])
    assert "margin balance ÷ maintenance margin" in row["venue_ratio_is"]


def test_modes_that_a_venue_lacks() -> None:
    frame = mw.compare_venues(
        mw.presets.ref2(), ["deribit"], modes=["isolated", "cross", "configured", "portfolio"]
    )
    why = frame["cannot_express"].droplevel("venue")
    assert why["isolated"] == (
        "BTCUSDT: deribit offers no isolated margin; ETHUSDT: deribit offers no isolated margin"
    )
    assert why["cross"] == why["portfolio"] == ""
    assert why["configured"] == "ETHUSDT: deribit offers no isolated margin"
    equity = frame["equity"].droplevel("venue")
    assert equity["cross"] == equity["portfolio"] == 10_000
    other = mw.compare_venues(mw.presets.ref2(), ["dydx-v4"], modes=["portfolio"])
    assert "no portfolio margin" in other["cannot_express"].iloc[0]


def test_all_venues_and_the_present_one() -> None:
    account = mw.presets.ref2()
    frame = mw.compare_venues(account, tiers="keep")
    venues = frame.index.get_level_values("venue").unique()
    own = account.venue
    shipped = [mw.venues.get(name).label for name in mw.venues.names()]
    assert list(venues) == list(dict.fromkeys([own.label, *shipped]))
    assert frame.loc[(own.label, "cross"), "liquidation_price BTCUSDT"].iloc[0] == pytest.approx(
        80_804.0201005
    )
    held = frame[frame["cannot_express"] == ""]
    assert (held["equity"] == 10_000).all() and held["maintenance_margin"].gt(0).all()
    assert isinstance(frame, pd.DataFrame) and account.revision == 1


def test_frame_refuses_unknown_names() -> None:
    with pytest.raises(TraitError, match="did you mean 'cross'"):
        mw.compare_venues(mw.presets.ref2(), ["okx"], modes=["cros"])
    with pytest.raises(TraitError, match="not a rule set"):
        mw.compare_venues(mw.presets.ref2(), ["nowhere"])


def test_an_empty_account() -> None:
    frame = mw.compare_venues(mw.Account(collateral={"USDT": 5}), ["okx", "binance-usdm"])
    assert (frame["equity"] == 5).all() and (frame["cannot_express"] == "").all()
