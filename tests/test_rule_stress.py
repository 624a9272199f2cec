"""Stressed rules: numbers by hand, refusals in words, nothing lost, applied as one edit."""

from __future__ import annotations

import gc
import pickle
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances

import margin_widgets as mw
from margin_widgets.account.rule_stress import HIGHEST_RATE, stress_sentence
from margin_widgets.engine.closing import LiquidationPolicy
from margin_widgets.venues import RuleError
from margin_widgets.widgets.selection import Selection

HOSTILE = '<img src=x onerror="hacked()">USDT'


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


@pytest.fixture
def part(account: mw.Account) -> Any:
    stress = mw.RuleStress(account, Selection(key="BTCUSDT"))
    yield stress
    stress.close()


def act(part: mw.RuleStress, action: str, value: Any = None) -> None:
    part._head._handle_custom_msg({"type": "action", "action": action, "value": value}, [])


def told(widget: Any, **message: Any) -> None:
    """Deliver a message as the browser does: what goes wrong is told, not raised."""
    widget._msg_callbacks.callbacks[0](widget, message, [])


def tier(part: mw.RuleStress, row: int, field: str, text: str) -> None:
    told(part.tiers, type="edit", row=str(row), field=field, text=text)


def prices(found: Any, key: str = "BTCUSDT") -> dict[str, float]:
    return {mode: found.get(mode, "liquidation_price", key).now for mode in ("isolated", "cross")}


# ------------------------------------------------------------------ the numbers


def test_twice_the_maintenance_by_hand(account: mw.Account) -> None:
    found = mw.Stress(maintenance_scale=2).compare(account)
    now = prices(found)
    assert now["isolated"] == pytest.approx(45_000 / (0.5 * 0.99))
    assert now["cross"] == pytest.approx((50_000 - 10_000 + 400) / (0.5 * 0.99))
    # Pools at x: 2,000 + 20,000 x = 400 (1 + x); 10,000 + 70,000 x = 900 (1 + x).
    shock = {mode: found.get(mode, "liquidation_shock").now for mode in ("isolated", "cross")}
    assert shock["isolated"] == pytest.approx(-1_600 / 19_600)
    assert shock["cross"] == pytest.approx(-9_100 / 69_100)
    assert found.get("cross", "maintenance_margin").now == pytest.approx(900)
    before = {mode: found.get(mode, "liquidation_price", "BTCUSDT").before for mode in now}
    assert before["isolated"] == pytest.approx(90_452.26, abs=0.005)
    assert before["cross"] == pytest.approx(80_804.02, abs=0.005)


def test_edited_tiers_stay_continuous(account: mw.Account) -> None:
    stress = mw.Stress(tiers={"BTCUSDT": [(0, 0.005), (40_000, 0.01)]})
    # Above 40,000 of notional: 1 % less the amount 40,000 x 0.5 % = 200.
    assert prices(stress.compare(account))["isolated"] == pytest.approx(44_800 / (0.5 * 0.99))


def test_a_haircut_takes_its_share_of_the_balance() -> None:
    account = mw.presets.bitcoin_on_bitcoin()  # 0.2 BTC at 100,000, its own haircut 5 %
    found = mw.Stress(haircuts={"BTC": 0.3}).compare(account)
    balance = found.get("cross", "margin_balance")
    assert (balance.before, balance.now) == pytest.approx((19_000, 14_000))
    assert account.cross.margin_balance == pytest.approx(19_000)


def test_a_closing_fee_counts_as_maintenance(account: mw.Account) -> None:
    stress = mw.Stress(closing_fee=True, taker_fee=0.0005)
    assert prices(stress.compare(account))["isolated"] == pytest.approx(45_000 / (0.5 * 0.9945))
    off = mw.Stress(closing_fee=False).rules(stress.rules(account.venue))
    assert off.closing_fee == 0


def test_what_is_left_goes_where_the_residual_rule_says(account: mw.Account) -> None:
    # ETH falls at x = -1,800 / 19,800; its pocket then holds 200 (1 + x) = 181.82.
    left = 10_000 - 70_000 * 1_800 / 19_800
    pocket = 200 * (1 - 1_800 / 19_800)
    for residual, back in (("kept", 0.0), ("split", 0.25), ("returned", 1.0)):
        stress = mw.Stress(residual=residual, residual_share=0.25)
        after = stress.compare(account).get("isolated", "equity_after").now
        assert after == pytest.approx(left - (1 - back) * pocket, abs=0.001), residual


def test_a_policy_closes_what_it_says() -> None:
    account = mw.presets.multi_asset()
    whole = mw.Stress(liquidation=LiquidationPolicy("full")).compare(account)
    steps = mw.Stress(liquidation="tiers").compare(account)
    assert (
        whole.now.liquidation("cross", shock=-0.5).policy
        != steps.now.liquidation("cross", shock=-0.5).policy
    )
    kept = account.venue.liquidation
    assert mw.Stress(liquidation="share").rules(account.venue).liquidation.share == kept.share


@given(st.floats(0.5, 3.0))
def test_scaling_moves_both_prices_towards_the_mark(scale: float) -> None:
    account = mw.presets.ref2()
    now = prices(mw.Stress(maintenance_scale=scale).compare(account))
    rate = 0.005 * scale
    assert now["isolated"] == pytest.approx(45_000 / (0.5 * (1 - rate)))
    assert now["cross"] == pytest.approx((40_000 + 200 * scale) / (0.5 * (1 - rate)))


@pytest.mark.parametrize("name", mw.venues.names())
@pytest.mark.parametrize("scale", [0.5, 2.0, 3.0])
def test_every_shipped_rule_set_can_be_scaled(name: str, scale: float) -> None:
    base = mw.venues.get(name)
    rules = mw.Stress(maintenance_scale=scale).rules(base)
    for symbol, table in base.tiers.items():
        for own, stressed in zip(table, rules.tiers[symbol], strict=True):
            assert stressed.floor == own.floor
            assert stressed.rate == pytest.approx(
                min(own.rate * scale, max(own.rate, HIGHEST_RATE))
            )


def test_scaled_rates_end_below_one_and_say_so() -> None:
    account = mw.presets.hedged_pair()
    stress = mw.Stress(maintenance_scale=3)
    (note,) = stress.notes(account.venue, ("BTCUSDT",))
    assert re.fullmatch(r"tiers of BTCUSDT, row \d+: held at 99\W%", note)
    assert max(one.rate for one in stress.rules(account.venue).tiers["BTCUSDT"]) == HIGHEST_RATE


def test_nothing_stressed_is_the_venue_itself(account: mw.Account) -> None:
    assert mw.Stress().empty
    assert mw.Stress().rules(account.venue) is account.venue
    found = mw.Stress().compare(account)
    assert not any(one.changed for one in found.figures)
    assert "nothing is stressed" in stress_sentence(found, mw.Stress())


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"maintenance_scale": 5}, "maintenance_scale: 5 must be a number from 0.5 to 3"),
        ({"maintenance_scale": "x"}, "maintenance_scale: 'x' must be a number"),
        (
            {"tiers": {"B": [(0, 0.1), (0, 0.2)]}},
            "tiers of B, row 2: floor 0 does not rise above 0",
        ),
        ({"tiers": {"B": [(0, 0.1), (5, 1.2)]}}, "row 2: rate 1.2 is not within 0 and 1"),
        ({"tiers": {"B": [(0, 0.2), (5, 0.1)]}}, "row 2: rate 0.1 falls below 0.2"),
        ({"haircuts": {"BTC": 1.5}}, "haircuts of BTC, row 1: haircut 1.5 is not within 0 and 1"),
        ({"residual": "kep"}, "did you mean 'kept'"),
        ({"liquidation": "fulll"}, "did you mean 'full'"),
        ({"closing_fee": 1}, "closing_fee: 1 must be True or False"),
        ({"taker_fee": 1.0}, "taker_fee: 1.0 must be a number within 0 and 1"),
        ({"residual_share": 2}, "residual_share: 2 must be"),
    ],
)
def test_what_is_wrong_is_named_with_its_bound(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(RuleError, match=re.escape(words)):
        mw.Stress(**parts)


def test_its_code_makes_the_same_stress() -> None:
    stress = mw.Stress(
        tiers={"BTCUSDT": [(0, 0.005), (40_000, 0.01)], "ETHUSDT": 0.02},
        haircuts={"BTC": 0.3, "ETH": [(0, 0.1), (5, 0.2)]},
        maintenance_scale=1.5,
        closing_fee=True,
        liquidation="share",
        residual="split",
        residual_share=0.25,
    )
    assert eval(stress.code) == stress
    assert pickle.loads(pickle.dumps(stress)) == stress
    assert hash(stress) == hash(eval(stress.code))
    assert "40000.0" not in stress.code


def test_applied_rules_are_one_edit_on_any_account(account: mw.Account) -> None:
    before = account.to_dict()
    revision = account.revision
    mw.Stress(maintenance_scale=2, haircuts={"USDT": 0.1}).apply(account)
    assert account.revision == revision + 1
    assert account.cross.margin_balance == pytest.approx(9_000)
    account.undo()
    assert account.to_dict() == before


# ------------------------------------------------------------------ the widget


def test_both_results_stand_side_by_side(part: mw.RuleStress) -> None:
    told(part.scale.control, type="commit", symbol="", value=2.0)
    for text in ("90,452.26", "90,909.09", "80,804.02", "81,616.16", "−9.09", "−8.16"):
        assert text in part.view.html
    assert "maintenance × 2" in part._sentence.html
    assert part._sentence.live
    assert part.account.venue.version == "1"  # nothing of the account has changed


def test_a_drag_shows_results_and_commits_once(part: mw.RuleStress) -> None:
    said = part._sentence.html
    for value in (1.25, 1.5, 2.0):
        told(part.scale.control, type="preview", symbol="", value=value)
    assert "81,616.16" in part.view.html
    assert part.stress.empty
    assert part._sentence.html == said  # a screen reader hears of the release only
    told(part.scale.control, type="commit", symbol="", value=2.0)
    assert part.stress.maintenance_scale == 2.0
    assert part._sentence.html != said


def test_a_scale_out_of_bounds_is_refused(part: mw.RuleStress) -> None:
    told(part.scale.control, type="commit_text", symbol="", text="9")
    (refused,) = part.scale.control.errors
    assert refused["text"] == "9"
    assert "from 0.5 to 3" in refused["message"]
    assert part.stress.empty


def test_apply_is_one_edit_and_undo_returns(part: mw.RuleStress) -> None:
    account = part.account
    before, revision = account.to_dict(), account.revision
    act(part, "apply")  # nothing to apply
    assert account.revision == revision
    part.stress = mw.Stress(maintenance_scale=2)
    act(part, "apply")
    assert account.revision == revision + 1
    assert account.venue.version == "1+changed"
    assert account.isolated.positions["BTCUSDT"].liquidation_price == pytest.approx(
        90_909.09, abs=0.01
    )
    assert part.applied
    # The venue's own values stay beside the stressed ones.
    assert part.base.version == "1"
    assert part.found.get("cross", "liquidation_price", "BTCUSDT").before_text == "80,804.02"
    act(part, "undo")
    assert account.to_dict() == before
    assert not part.applied
    assert part.stress.maintenance_scale == 2  # the settings are not lost
    account.redo()
    assert part.applied
    assert part.base.version == "1"


def test_reset_returns_to_the_venues_own_rules(part: mw.RuleStress) -> None:
    account = part.account
    before = account.to_dict()
    part.stress = mw.Stress(maintenance_scale=2, haircuts={"USDT": 0.2})
    act(part, "apply")
    revision = account.revision
    act(part, "reset")
    assert account.to_dict() == before
    assert account.revision == revision + 1
    assert part.stress.empty
    account.undo()
    assert account.venue.version == "1+changed"
    assert part.base.version == "1"


def test_the_accounts_own_haircut_gives_way_and_returns() -> None:
    account = mw.presets.bitcoin_on_bitcoin()
    before = account.to_dict()
    part = mw.RuleStress(account)
    told(part.haircuts, type="edit", row="BTC", field="haircut", text="30")
    assert part.found.get("cross", "margin_balance").now == pytest.approx(14_000)
    act(part, "apply")
    assert account.cross.margin_balance == pytest.approx(14_000)
    assert part.found.get("cross", "margin_balance").before == pytest.approx(19_000)
    assert part.haircuts.rows[0]["text"]["own"] == "5 %"
    account.undo()
    assert account.to_dict() == before
    account.redo()
    act(part, "reset")
    assert account.to_dict() == before
    part.close()


def test_rules_changed_elsewhere_are_the_new_own(part: mw.RuleStress) -> None:
    part.stress = mw.Stress(maintenance_scale=2)
    part.account.venue = "binance-usdm"
    assert part.base.name == "binance-usdm"
    assert part.found.get("isolated", "liquidation_price", "BTCUSDT").before_text == "90,361.45"
    assert part.stress.maintenance_scale == 2
    assert "binance-usdm" in part._head.html


def test_other_edits_keep_the_stress(part: mw.RuleStress) -> None:
    part.stress = mw.Stress(maintenance_scale=2)
    act(part, "apply")
    part.account.positions["BTCUSDT"].leverage = 20
    assert part.applied
    assert part.found.get("isolated", "liquidation_price", "BTCUSDT").before_text == "95,477.39"


def test_tiers_are_typed_row_by_row(part: mw.RuleStress) -> None:
    told(part.tiers, type="action", action="add", row="")
    assert part.tiers.rows[1]["raw"] == {"floor": "100000", "rate": "0.5"}
    assert part.tiers.selected == "2"
    tier(part, 2, "floor", "40,000")
    tier(part, 2, "rate", "1 %")
    assert part.stress.tiers["BTCUSDT"][1][:2] == (40_000, 0.01)
    assert prices(part.found)["isolated"] == pytest.approx(44_800 / (0.5 * 0.99))
    assert part.tiers.rows[1]["text"]["own"] == "0.5 %"
    told(part.tiers, type="action", action="delete", row="2")
    assert part.stress.empty  # back to what the venue has


def test_a_tier_that_is_wrong_stays_as_typed_with_the_reason(part: mw.RuleStress) -> None:
    told(part.tiers, type="paste", row="1", field="floor", text="0\t0.5\n100,000\t1\n200,000\t2")
    sound = part.stress
    tier(part, 3, "floor", "50,000")
    (refused,) = part.tiers.errors
    assert (refused["row"], refused["field"], refused["text"]) == ("3", "floor", "50,000")
    assert "row 3: floor 50000 does not rise above 100000" in refused["message"]
    assert part.stress == sound
    assert (
        'data-key="apply" aria-disabled="true" title="refused: tiers of BTCUSDT"' in part._head.html
    )
    assert "Not in force as typed: tiers of BTCUSDT" in part._sentence.html
    tier(part, 2, "rate", "abc")
    assert {one["row"] for one in part.tiers.errors} == {"2"}  # what cannot be read comes first
    # The other symbol and back: nothing typed is lost.
    part.selection.key = "ETHUSDT"
    assert part.tiers.errors == []
    assert part.tiers.label == "Tiers of ETHUSDT"
    part.selection.key = "BTCUSDT"
    assert [one["raw"]["floor"] for one in part.tiers.rows] == ["0", "100000", "50,000"]
    tier(part, 2, "rate", "1")
    tier(part, 2, "floor", "20,000")  # now the third row rises
    assert part.tiers.errors == []
    assert [one[0] for one in part.stress.tiers["BTCUSDT"]] == [0, 20_000, 50_000]


@pytest.mark.parametrize(
    ("row", "field", "text", "words"),
    [
        (1, "floor", "5", "the first floor is 5, it must be 0"),
        (1, "rate", "120", "rate 1.2 is not within 0 and 1; here rates are in per cent"),
        (1, "rate", "", "rate: empty"),
        (1, "floor", "nan", "not finite"),
    ],
)
def test_tiers_are_refused_in_words(
    part: mw.RuleStress, row: int, field: str, text: str, words: str
) -> None:
    tier(part, row, field, text)
    (refused,) = part.tiers.errors
    assert words in refused["message"]
    assert part.stress.empty
    told(part.tiers, type="cancel", row=str(row), field=field)
    assert part.tiers.errors == []
    assert part.tiers.rows[0]["raw"] == {"floor": "0", "rate": "0.5"}


def test_the_only_row_stays(part: mw.RuleStress) -> None:
    told(part.tiers, type="action", action="delete", row="1")
    assert "one row must stay" in part._message.html
    assert len(part.tiers.rows) == 1


def test_haircuts_are_refused_in_words_and_kept(part: mw.RuleStress) -> None:
    told(part.haircuts, type="edit", row="USDT", field="haircut", text="150")
    (refused,) = part.haircuts.errors
    assert refused["text"] == "150"
    assert "haircut 1.5 is not within 0 and 1" in refused["message"]
    told(part.haircuts, type="edit", row="USDT", field="haircut", text="20")
    assert part.haircuts.errors == []
    assert part.found.get("cross", "margin_balance").now == pytest.approx(8_000)
    told(part.haircuts, type="edit", row="USDT", field="haircut", text="")
    assert part.stress.empty


def test_fees_policy_and_residual_are_controls(part: mw.RuleStress) -> None:
    act(part, "taker-fee", "0.05")
    act(part, "closing-fee", True)
    act(part, "liquidation", "share")
    act(part, "residual", "split")
    act(part, "residual-share", "25 %")
    assert part.stress == mw.Stress(
        closing_fee=True,
        taker_fee=0.0005,
        liquidation="share",
        residual="split",
        residual_share=0.25,
    )
    assert "mw.Stress(" in part._controls.html
    act(part, "closing-fee", False)
    act(part, "liquidation", "")
    act(part, "residual", "")
    act(part, "residual-share", "")
    act(part, "taker-fee", "0")
    assert part.stress.empty


def test_a_refused_fee_stays_as_typed(part: mw.RuleStress) -> None:
    told(part._controls, type="action", action="taker-fee", value="200")
    assert 'value="200"' in part._controls.html
    assert "taker_fee: 2.0 must be a number within 0 and 1" in part._message.html
    act(part, "reset")
    assert 'value="0"' in part._controls.html


def test_the_selected_symbol_is_shared(part: mw.RuleStress) -> None:
    act(part, "symbol", "ETHUSDT")
    assert part.selection.key == "ETHUSDT"
    assert part.tiers.rows[0]["text"]["rate"] == "1"
    part.stress = mw.Stress(maintenance_scale=2)
    assert "liquidation price of ETHUSDT" in part._sentence.html


def test_numbers_explain_themselves_under_both_rules(part: mw.RuleStress) -> None:
    part.stress = mw.Stress(maintenance_scale=2)
    paths = re.findall(r'data-explain="([^"]+)"', part.view.html)
    assert {path.split(" ")[0] for path in paths} == {"before", "now"}
    for path in paths:
        told(part.view, type="explain", path=path)
        assert "Rule set" in part.explanation.html, path
    part.explanation.hide()
    told(part.view, type="explain", path="now cross.positions.BTCUSDT.liquidation_price")
    assert "81,616.16" in part.explanation.html


def test_options_and_empty_accounts_are_told_in_words() -> None:
    part = mw.RuleStress(mw.Account())
    assert "Add a position" in part.view.html
    assert part.tiers.actions == []
    told(part.tiers, type="action", action="add", row="")
    part.stress = mw.Stress(maintenance_scale=2)
    act(part, "apply")
    part.close()


def test_it_waits_while_inactive_and_catches_up(account: mw.Account) -> None:
    part = mw.RuleStress(account, active=False)
    part.stress = mw.Stress(maintenance_scale=2)
    account.positions["BTCUSDT"].leverage = 20
    assert part.view.html == ""
    part.active = True
    assert "95,477.39" in part.view.html
    part.close()


def test_symbols_are_text_everywhere() -> None:
    rules = mw.venues.generic(tiers={HOSTILE: 0.005}, name="<b>mine</b>")
    account = mw.Account(rules, {"USDT": 100}, [mw.Position(HOSTILE, 1, 50)])
    part = mw.RuleStress(account)
    part.stress = mw.Stress(tiers={HOSTILE: 0.1})
    views = (part._head, part._controls, part._sentence, part.view)
    page = part._repr_mimebundle_()["text/html"]
    for text in (page, *(one.html for one in views)):
        assert "<img" not in text
        assert "<b>mine" not in text
    part.close()


def test_the_static_page_says_the_same(part: mw.RuleStress) -> None:
    part.stress = mw.Stress(maintenance_scale=2)
    page = part._repr_mimebundle_()["text/html"]
    for words in ("90,452.26", "90,909.09", "81,616.16", "maintenance × 2", "stressed rules"):
        assert words in page
    assert "<script" not in page


def test_a_hundred_leave_nothing(account: mw.Account) -> None:
    mw.RuleStress(account).close()
    gc.collect()
    widgets = len(_instances)
    observers = sum(map(len, account._trait_notifiers["revision"].values()))
    for number in range(100):
        part = mw.RuleStress(account)
        account.positions[0].leverage = 5 + number % 3
        part.close()
    gc.collect()
    assert len(_instances) == widgets
    assert sum(map(len, account._trait_notifiers["revision"].values())) == observers
