"""The venue table: the same account under many rules, what cannot be held, and taking one over."""

from __future__ import annotations

import gc
import re
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.venue_rows import use_rules, venue_rows
from margin_widgets.widgets.selection import Selection

SPACE = "\N{NO-BREAK SPACE}"
HOSTILE = '<img src=x onerror="hacked()">USDT'


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


@pytest.fixture
def table(account: mw.Account) -> Any:
    part = mw.VenueTable(account, Selection(key="BTCUSDT"))
    yield part
    part.close()


def act(part: mw.VenueTable, action: str, value: Any = None) -> None:
    part.view._handle_custom_msg({"type": "action", "action": action, "value": value}, [])


def row(part: mw.VenueTable, name: str, mode: str) -> Any:
    return next(one for one in part.rows.rows if (one.rules.name, one.mode) == (name, mode))


def test_rows_hold_the_numbers_of_independent_arithmetic(table: mw.VenueTable) -> None:
    # Binance: 0.4 % for both, so (50,000 - 5,000) / (0.5 x 0.996) and
    # (50,000 - 10,000 + 80) / (0.5 x 0.996); common move: (2,000 + 20,000 x) = 80 (1 + x).
    assert row(table, "binance-usdm", "isolated").price_text(0) == "90,361.45"
    assert row(table, "binance-usdm", "cross").price_text(0) == "80,481.93"
    shock = row(table, "binance-usdm", "isolated").shock
    assert shock == pytest.approx((80 - 2_000) / (20_000 - 80))
    for name in ("binance-usdm", "hyperliquid", "dydx-v4"):
        for mode in ("isolated", "cross"):
            there = table.account.under(name)
            one = row(table, name, mode)
            report = getattr(there, mode)
            assert one.report.equity == report.equity
            assert one.report.maintenance_margin == report.maintenance_margin
            assert one.shock == report.liquidation_shock


def test_both_senses_of_the_ratio_are_told_apart(table: mw.VenueTable) -> None:
    rising, falling = (
        row(table, "binance-usdm", "cross"),
        row(table, "binance-portfolio-margin", "cross"),
    )
    assert "maintenance margin ÷ margin balance; rises to liquidation at 100" in rising.sense
    assert "margin balance ÷ maintenance margin; falls to liquidation at 1.05" in falling.sense
    assert rising.own_ratio_text == f"2.80{SPACE}%"
    assert falling.own_ratio_text == "35.71"  # 10,000 / 280
    assert rising.sense in table.view.html
    assert falling.sense in table.view.html


def test_a_venue_that_cannot_hold_the_account_stays_with_the_reason(table: mw.VenueTable) -> None:
    html = table.view.html
    assert "binance-coinm lists no linear contracts" in html
    assert "deribit offers no isolated margin" in html
    place = list(table._choices).index("binance-coinm")
    name = "use binance-coinm"
    disabled = rf'data-action="use:{place}" data-key="{name}" aria-disabled="true" title="BTC'
    assert re.search(disabled, html)
    assert row(table, "binance-coinm", "cross").report is None
    # One reason for both modes is one row: a table row for each of the others and mode.
    groups = table.rows.by_rules
    single = sum(all(one.there is None for one in group) for group in groups)
    assert html.count('<tr role="row">') == 1 + 2 * len(groups) - single


def test_the_present_rules_come_first_and_refusals_last(table: mw.VenueTable) -> None:
    order = [group[0].rules.name for group in table.rows.by_rules]
    assert order[0] == "generic"
    holds = [any(one.report for one in group) for group in table.rows.by_rules]
    assert holds == sorted(holds, reverse=True)
    assert table.view.html.count(">In use<") == 1


def test_the_sentence_is_made_from_the_rows(table: mw.VenueTable) -> None:
    said = table.rows.sentence()
    for mode in ("isolated", "cross"):
        shocks = {
            one.rules.name: abs(one.shock)
            for one in table.rows.rows
            if one.mode == mode and one.shock is not None
        }
        first, last = min(shocks, key=shocks.__getitem__), max(shocks, key=shocks.__getitem__)
        assert f"{mode} is liquidated first by {first} (" in said
        assert f"and last by {last} (" in said
    assert said in table._sentence.html
    assert table._sentence.live
    refused = sum(all(one.report is None for one in group) for group in table.rows.by_rules)
    assert f"{refused} of {len(table.rows.by_rules)} rule sets cannot hold this account." in said


def test_checkboxes_choose_the_rule_sets(table: mw.VenueTable) -> None:
    act(table, "none")
    assert table.chosen == []
    assert [group[0].rules.name for group in table.rows.by_rules] == ["generic"]
    act(table, "venue:okx", True)
    act(table, "venue:hyperliquid", True)
    assert table.chosen == ["hyperliquid", "okx"]
    act(table, "venue:okx", False)
    assert table.chosen == ["hyperliquid"]
    assert 'data-action="venue:hyperliquid" data-key="venue:hyperliquid" checked' in (
        table._controls.html
    )
    act(table, "all")
    assert len(table.chosen) == len(mw.venues.names()) - 1  # all but the one to be filled
    with pytest.raises(TraitError, match="did you mean 'okx'"):
        table.chosen = ["okxx"]


def test_tiers_can_be_kept_where_a_rule_set_has_none(table: mw.VenueTable) -> None:
    assert row(table, "okx", "cross").report is None
    act(table, "keep-tiers", True)
    assert row(table, "okx", "cross").report is not None
    assert "tiers of generic, okx has none" in " ".join(row(table, "okx", "cross").notes)
    assert "assumption" in table.view.html


def test_using_a_rule_set_is_one_edit_that_can_be_undone(table: mw.VenueTable) -> None:
    account = table.account
    before, revision = account.to_dict(), account.revision
    ids = [one.id for one in account.positions]
    told: list[int] = []
    account.observe(lambda change: told.append(change.new), "revision")
    act(table, f"use:{list(table._choices).index('hyperliquid')}")
    assert account.venue == mw.venues.get("hyperliquid")
    assert account.positions.keys() == ["BTC", "ETH"]
    assert [one.id for one in account.positions] == ids
    assert dict(account.collateral) == {"USDC": 10_000}
    assert account.revision == revision + 1 == told[-1]
    assert len(told) == 1
    assert table.selection.key == "BTC"
    assert "USDT is held as USDC" in table._message.html
    assert account.cross.liquidation_shock == pytest.approx(
        mw.presets.ref2().under("hyperliquid").cross.liquidation_shock
    )
    act(table, "undo")
    assert account.to_dict() == before
    assert [one.id for one in account.positions] == ids


def test_rules_that_do_not_fit_are_refused_and_nothing_changes(table: mw.VenueTable) -> None:
    before, revision = table.account.to_dict(), table.account.revision
    with pytest.raises(mw.CannotExpress):
        table.use("deribit")
    guard = table.view._msg_callbacks.callbacks[0]
    place = list(table._choices).index("deribit")
    guard(table.view, {"type": "action", "action": f"use:{place}", "value": None}, [])
    assert "offers no isolated margin" in table._message.html
    assert (table.account.to_dict(), table.account.revision) == (before, revision)


def test_the_selected_position_is_the_one_whose_price_shows(table: mw.VenueTable) -> None:
    assert "Liq. price BTCUSDT" in table.view.html
    assert "90,452.26" in table.view.html
    table.selection.key = "ETHUSDT"
    assert "Liq. price ETHUSDT" in table.view.html
    assert "3,636.36" in table.view.html
    act(table, "position", "BTCUSDT")
    assert table.selection.key == "BTCUSDT"


def test_every_number_explains_itself_under_its_own_rules(table: mw.VenueTable) -> None:
    paths = re.findall(r'data-explain="([^"]+)"', table.view.html)
    assert len(paths) > 40
    for path in paths:
        table.view._handle_custom_msg({"type": "explain", "path": path}, [])
        assert "Rule set" in table.explanation.html, path
    price = next(one for one in paths if one.endswith("positions.BTC.liquidation_price"))
    table.explanation.hide()
    table.view._handle_custom_msg({"type": "explain", "path": price}, [])
    assert "hyperliquid · " in table.explanation.html
    act(table, "hide-explanation")
    assert table.explanation.html == ""


def test_it_waits_while_inactive_and_catches_up(account: mw.Account) -> None:
    part = mw.VenueTable(account, venues=["binance-usdm"], active=False)
    assert part.view.html == ""
    part.active = True
    assert "90,361.45" in part.view.html
    part.active = False
    account.positions["BTCUSDT"].leverage = 20
    assert "90,361.45" in part.view.html
    part.active = True
    assert "90,361.45" not in part.view.html
    part.close()


def test_an_account_without_positions_is_told_in_words() -> None:
    part = mw.VenueTable(mw.Account(collateral={"USDT": 5}), venues=["okx"])
    assert "No positions" in part._sentence.html
    assert "Liq. price" in part.view.html
    part.close()


def test_symbols_are_text_everywhere() -> None:
    rules = mw.venues.generic(tiers={HOSTILE: 0.005}, name="<b>mine</b>")
    account = mw.Account(rules, {"USDT": 100}, [mw.Position(HOSTILE, 1, 50)])
    part = mw.VenueTable(account)
    bundle = part._repr_mimebundle_()
    for one in (part.view, part._controls, part._sentence):
        assert "<img" not in one.html
        assert "<b>mine" not in one.html.replace("<b>&lt;b&gt;mine", "")
    assert "<img" not in bundle["text/html"]
    part.close()


def test_the_static_page_says_the_same(table: mw.VenueTable) -> None:
    page = table._repr_mimebundle_()["text/html"]
    for words in ("90,361.45", "80,481.93", "lists no linear contracts", "rises to liquidation"):
        assert words in page
    assert "<script" not in page
    assert "http" not in page


def test_rule_sets_of_one_name_are_told_apart() -> None:
    account = mw.presets.ref2()
    harsh = account.venue.replace(tiers={"BTCUSDT": 0.02, "ETHUSDT": 0.02})
    found = venue_rows(account, [account.venue, harsh])
    assert len(found.by_rules) == 2
    assert "the present rules" in found.sentence()


def test_modes_that_are_offered_share_one_restated_account() -> None:
    found = venue_rows(mw.presets.ref2(), ["binance-usdm"])
    isolated, cross = found.rows
    assert isolated.there is cross.there


def test_rules_by_name_are_used_on_the_account() -> None:
    account = mw.presets.hedged_pair()
    notes = use_rules(account, "bitget", tiers="keep")
    assert account.venue.name == "bitget"
    assert any("tiers of binance-usdm" in note for note in notes)
    assert account.undo()
    assert account.venue.name == "binance-usdm"


def test_a_hundred_leave_nothing(account: mw.Account) -> None:
    mw.VenueTable(account, venues=["okx"]).close()
    gc.collect()
    widgets = len(_instances)
    observers = sum(map(len, account._trait_notifiers["revision"].values()))
    for number in range(100):
        part = mw.VenueTable(account, venues=["okx"])
        account.positions[0].leverage = 5 + number % 3
        part.close()
    gc.collect()
    assert len(_instances) == widgets
    assert sum(map(len, account._trait_notifiers["revision"].values())) == observers
