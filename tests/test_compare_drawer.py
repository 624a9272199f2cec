"""The compare drawer: what is pinned, what has changed since, and the way back."""

from __future__ import annotations

import gc
import random
import re
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances

import margin_widgets as mw
from margin_widgets.account.comparison import Comparison, first_fall, restore
from margin_widgets.widgets.selection import Selection

HOSTILE = '<img src=x onerror="hacked()">USDT'


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


@pytest.fixture
def drawer(account: mw.Account) -> Any:
    part = mw.CompareDrawer(account, Selection(key="BTCUSDT"))
    yield part
    part.close()


def act(part: mw.CompareDrawer, action: str) -> None:
    part._head._handle_custom_msg({"type": "action", "action": action, "value": None}, [])


# ------------------------------------------------------------------ the comparison


def test_figures_before_now_and_change_by_hand(account: mw.Account) -> None:
    before = account.copy()
    account.positions["BTCUSDT"].quantity = 0.6
    account.marks["ETHUSDT"] = 3_900
    found = Comparison(before, account)
    # Equity 10,000 - 5 x 100; cross: (60,000 - 9,500 + 195) / (0.6 x 0.995).
    price = found.get("cross", "liquidation_price", "BTCUSDT")
    assert price.before == pytest.approx(80_804.02, abs=0.005)
    assert price.now == pytest.approx((60_000 - 9_500 + 195) / (0.6 * 0.995))
    assert price.change_text == "+4,112.23"
    equity = found.get("isolated", "equity")
    assert (equity.before, equity.now, equity.change) == pytest.approx((10_000, 9_500, -500))
    assert equity.change_text == "−500.00"
    ratio = found.get("cross", "margin_ratio")
    assert ratio.change == pytest.approx(495 / 9_500 - 450 / 10_000)
    assert ratio.change_text == "+0.71\N{NO-BREAK SPACE}pp"
    assert not found.get("isolated", "liquidation_price", "BTCUSDT").changed
    with pytest.raises(KeyError, match="no cross liquidation_price XUSDT"):
        found.get("cross", "liquidation_price", "XUSDT")


def test_edits_name_every_field_that_differs(account: mw.Account) -> None:
    before = account.copy()
    with account.edit():
        account.positions["BTCUSDT"].margin_mode = "isolated"
        account.positions["BTCUSDT"].margin = 6_000
        account.positions.remove("ETHUSDT")
        account.positions.append(mw.Position("BTCUSDT", -0.1, 100_000))
        account.collateral["BTC"] = 0.5
        account.haircuts["BTC"] = 0.05
        account.order_margin = 10
        account.name = "other"
        account.venue = account.venue.replace(taker_fee=0.001)
    assert Comparison(before, account).edits == (
        "rules generic · v1 · 2026-11-22 → generic · v1+changed · 2026-11-22",
        "BTCUSDT:long margin none → 6,000",
        "BTCUSDT:long margin mode cross → isolated",
        "long ETHUSDT gone",
        "short BTCUSDT of −0.1 new",
        "BTC none → 0.5",
        "haircut of BTC none → 5.0\N{NO-BREAK SPACE}%",
        "order margin 0 → 10",
        "name REF-2 → other",
    )


def test_positions_that_come_and_go_are_told(account: mw.Account) -> None:
    before = account.copy()
    account.positions.remove("ETHUSDT")
    account.positions.append(mw.Position("BTCUSDT", -0.1, 100_000))
    found = Comparison(before, account)
    gone = found.get("cross", "liquidation_price", "ETHUSDT")
    new = found.get("cross", "liquidation_price", "BTCUSDT:short")
    kept = found.get("isolated", "liquidation_price", "BTCUSDT:long")
    assert (gone.now_text, gone.change, new.before_text) == ("not held", None, "not held")
    assert kept.before_text == "90,452.26"
    # Isolated, the fall of -9.09 % has become a rise: no number says how far apart those are.
    assert found.get("isolated", "liquidation_shock").change_text == "now upward"


def test_amounts_of_two_currencies_are_not_subtracted(account: mw.Account) -> None:
    found = Comparison(account, account.under("hyperliquid"))
    assert found.get("cross", "equity").change_text == "–"
    assert found.get("cross", "liquidation_shock").changed
    assert "Amounts were in USDT and are in USDC now." in found.sentence()


def test_equity_after_the_first_liquidation_by_hand(account: mw.Account) -> None:
    # At x = -1,800 / 19,800 ETH is closed and its pocket of 200 (1 + x) is kept by the venue.
    x = -1_800 / 19_800
    expected = 10_000 + 70_000 * x - 200 * (1 + x)
    assert first_fall(account, "isolated") == pytest.approx(expected, abs=0.001)
    assert first_fall(account, "cross") == 0
    assert first_fall(mw.Account(collateral={"USDT": 1}), "cross") is None


def test_frames_and_html_say_the_same(account: mw.Account) -> None:
    before = account.copy()
    account.positions["BTCUSDT"].leverage = 20
    found = Comparison(before, account)
    frame = found.to_frame()
    row = frame.loc[("isolated", "BTCUSDT", "liquidation_price")]
    assert row["now"] == pytest.approx(95_477.39, abs=0.005)
    assert row["change"] == pytest.approx(row["now"] - row["before"])
    assert "95,477.39" in found._repr_html_()
    assert "BTCUSDT leverage 10 → 20" in found._repr_html_()


@pytest.mark.parametrize("seed", range(20))
def test_random_edits_are_restored_as_one_step(seed: int) -> None:
    chance = random.Random(seed)
    account = mw.presets.multi_asset()
    pinned, ids = account.state, [one.id for one in account.positions]
    for _ in range(6):
        kind = chance.randrange(6)
        if kind == 0 and len(account.positions):
            account.positions.remove(chance.choice(list(account.positions)))
        elif kind == 1 and len(account.positions):
            chance.choice(list(account.positions)).leverage = chance.randint(1, 20)
        elif kind == 2:
            account.collateral["USDT"] = chance.randint(20_000, 90_000)
        elif kind == 3:
            symbol = chance.choice(list(account.marks))
            account.marks[symbol] *= chance.uniform(0.9, 1.1)
        elif kind == 4 and "ADAUSDT" not in account.positions:
            account.positions.append(mw.Position("ADAUSDT", 100, 0.5))
        else:
            account.haircuts["BTC"] = chance.choice([0.05, 0.1, 0.2])
    there, revision = account.state, account.revision
    edits = Comparison(mw.Account.from_state(pinned), account).edits
    assert bool(edits) == (there != pinned)
    restore(account, pinned)
    assert account.state == pinned
    assert [one.id for one in account.positions] == ids
    assert account.revision == revision + (there != pinned)
    if there != pinned:
        account.undo()
        assert account.state == there


def test_a_foreign_state_keeps_the_positions_that_are_the_same(account: mw.Account) -> None:
    other = account.copy()
    other.positions["BTCUSDT"].quantity = 0.7
    other.positions.append(mw.Position("BTCUSDT", -0.1, 100_000))
    kept = account.positions["BTCUSDT"]
    restore(account, other.state)
    assert account.state == other.state
    assert account.positions["BTCUSDT:long"] is kept
    assert other.positions["BTCUSDT:long"].quantity == 0.7  # and the other one is as it was


# ------------------------------------------------------------------ the widget


def test_nothing_pinned_is_told_in_words(drawer: mw.CompareDrawer) -> None:
    assert "Nothing is pinned" in drawer._sentence.html
    assert drawer.view.html == ""
    assert 'data-key="restore" aria-disabled="true"' in drawer._head.html
    assert "Nothing is pinned" in drawer._repr_mimebundle_()["text/html"]
    drawer.restore()
    assert drawer.account.revision == 1


def test_pin_edit_restore_undo(drawer: mw.CompareDrawer) -> None:
    account = drawer.account
    act(drawer, "pin")
    assert drawer.pinned is not None
    assert drawer.pinned.state == account.state
    assert "Since the pin nothing has changed." in drawer._sentence.html
    account.positions["BTCUSDT"].quantity = 0.6
    html = drawer.view.html
    assert "84,087.10" in html  # (10,000 - 200 - 60,000) / (0.6 x (0.005 - 1))
    assert "+3,283.08" in html
    assert "BTCUSDT quantity 0.5 → 0.6" in drawer._sentence.html
    assert drawer._sentence.live
    kept, revision = account.positions["BTCUSDT"], account.revision
    act(drawer, "restore")
    assert account.positions["BTCUSDT"] is kept
    assert kept.quantity == 0.5
    assert account.revision == revision + 1
    assert "Since the pin nothing has changed." in drawer._sentence.html
    act(drawer, "undo")
    assert kept.quantity == 0.6
    act(drawer, "unpin")
    assert drawer.pinned is None
    assert drawer.view.html == ""


def test_the_ghost_is_an_account_of_its_own(drawer: mw.CompareDrawer) -> None:
    seen: list[Any] = []
    drawer.observe(lambda change: seen.append(change.new), "pinned")
    drawer.pin()
    drawer.account.positions["BTCUSDT"].quantity = 0.9
    assert drawer.pinned.positions["BTCUSDT"].quantity == 0.5
    curve = drawer.pinned.curve(shock=True, low=-0.2, high=0.1)
    assert float(curve.isolated.equity[0]) == pytest.approx(3_000)
    drawer.unpin()
    assert [one is None for one in seen] == [False, True]


def test_any_account_can_be_pinned(drawer: mw.CompareDrawer) -> None:
    drawer.pinned = mw.presets.hedged_pair()
    assert "rules" in drawer._sentence.html
    before = drawer.account.to_dict()
    drawer.restore()
    assert drawer.account.venue.name == "binance-usdm"
    assert drawer.account.state == drawer.pinned.state
    drawer.account.undo()
    assert drawer.account.to_dict() == before


def test_a_pin_survives_other_rules(drawer: mw.CompareDrawer) -> None:
    table = mw.VenueTable(drawer.account, drawer.selection, venues=["hyperliquid"])
    ids = [one.id for one in drawer.account.positions]
    drawer.pin()
    table.use("hyperliquid")
    assert "Amounts were in USDT" in drawer._sentence.html
    drawer.restore()
    assert drawer.account.positions.keys() == ["BTCUSDT", "ETHUSDT"]
    assert [one.id for one in drawer.account.positions] == ids
    table.close()


def test_the_sentence_names_the_selected_position(drawer: mw.CompareDrawer) -> None:
    drawer.pin()
    drawer.account.collateral["USDT"] = 12_000
    assert "BTCUSDT: liquidation price" in drawer._sentence.html
    drawer.selection.key = "ETHUSDT"
    assert "ETHUSDT: liquidation price" in drawer._sentence.html


def test_numbers_explain_themselves_then_and_now(drawer: mw.CompareDrawer) -> None:
    drawer.pin()
    drawer.account.positions["BTCUSDT"].quantity = 0.6
    paths = re.findall(r'data-explain="([^"]+)"', drawer.view.html)
    assert {path.split(" ")[0] for path in paths} == {"pinned", "now"}
    for path in paths:
        drawer.view._handle_custom_msg({"type": "explain", "path": path}, [])
        assert "Rule set" in drawer.explanation.html, path
    drawer.explanation.hide()
    path = "pinned cross.positions.BTCUSDT.liquidation_price"
    drawer.view._handle_custom_msg({"type": "explain", "path": path}, [])
    assert "80,804.02" in drawer.explanation.html


def test_it_waits_while_inactive_and_catches_up(account: mw.Account) -> None:
    part = mw.CompareDrawer(account, active=False)
    part.pin()
    account.positions["BTCUSDT"].leverage = 20
    assert part.view.html == ""
    part.active = True
    assert "95,477.39" in part.view.html
    part.close()


def test_symbols_are_text_everywhere() -> None:
    rules = mw.venues.generic(tiers={HOSTILE: 0.005}, name="<b>mine</b>")
    account = mw.Account(rules, {"USDT": 100}, [mw.Position(HOSTILE, 1, 50)], name="<i>")
    part = mw.CompareDrawer(account)
    part.pin()
    account.positions[0].quantity = 2
    for text in (part.view.html, part._sentence.html, part._repr_mimebundle_()["text/html"]):
        assert "<img" not in text
    part.close()


def test_a_long_book_is_cut_and_says_so() -> None:
    symbols = [f"S{number}USDT" for number in range(60)]
    rules = mw.venues.generic(tiers=dict.fromkeys(symbols, 0.005))
    rows = [mw.Position(symbol, 1, 10) for symbol in symbols]
    part = mw.CompareDrawer(mw.Account(rules, {"USDT": 1_000}, rows))
    part.pin()
    assert "and 10 more positions" in part.view.html
    part.close()


def test_a_hundred_leave_nothing(account: mw.Account) -> None:
    mw.CompareDrawer(account).close()
    gc.collect()
    widgets = len(_instances)
    observers = sum(map(len, account._trait_notifiers["revision"].values()))
    for number in range(100):
        part = mw.CompareDrawer(account)
        part.pin()
        account.positions[0].leverage = 5 + number % 3
        part.close()
    gc.collect()
    assert len(_instances) == widgets
    assert sum(map(len, account._trait_notifiers["revision"].values())) == observers
