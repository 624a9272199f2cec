"""What moves an account away from liquidation: ranked, previewed, applied, undone."""

from __future__ import annotations

import gc
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from ipywidgets.widgets.widget import _instances
from strategies import Spec, account, books

import margin_widgets as mw
from margin_widgets.account.repair import ACTIONS, default_amount, distance, repairs
from margin_widgets.widgets import RepairTable, Selection, SolvePanel

BTC, ETH = "BTCUSDT", "ETHUSDT"
few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def ref2() -> mw.Account:
    return mw.presets.ref2()


def test_distances_of_the_reference_account(ref2: mw.Account) -> None:
    found = repairs(ref2)
    assert found.amount == default_amount(ref2) == 1_000
    assert found.now.move == pytest.approx(2_000 / 22_000 / -1 + 0, abs=1e-2)
    eth_alone = (20_000 - 2_000) / (5 * 0.99) / 4_000 - 1
    assert found.now.move == pytest.approx(eth_alone, rel=1e-12)
    assert found.now.pool == ETH
    expected = {
        # what is then first: the rest of the wallet behind 0.5 BTC, or ETH with another margin
        f"close:{ETH}": (50_000 - 10_000) / (0.5 * 0.995) / 100_000 - 1,
        f"halve:{ETH}": (50_000 - 8_000) / (0.5 * 0.995) / 100_000 - 1,
        f"add margin:{ETH}": (50_000 - 7_000) / (0.5 * 0.995) / 100_000 - 1,
        f"lower leverage:{ETH}": (50_000 - 6_000) / (0.5 * 0.995) / 100_000 - 1,
        f"move to cross:{ETH}": (70_000 - 10_000) / (70_000 - 450) - 1,
        f"close:{BTC}": eth_alone,
        "add collateral": eth_alone,
    }
    for which, move in expected.items():
        assert found[which].after.move == pytest.approx(move, rel=1e-12), which
    halved = found[f"halve:{ETH}"]
    # 2,000 stay with half of the position
    assert halved.own_after == pytest.approx((10_000 - 2_000) / (2.5 * 0.99) / 4_000 - 1)
    assert [one.id for one in found][:3] == [f"close:{ETH}", f"halve:{ETH}", f"move to cross:{ETH}"]
    assert "Close ETHUSDT" in found.text


def test_costs(ref2: mw.Account) -> None:
    ours = mw.Account(
        mw.venues.generic(tiers={BTC: 0.005}, taker_fee=0.0005),
        {"USDT": 10_000},
        [mw.Position(BTC, 0.5, 100_000, 10)],
        {BTC: 96_000},
    )
    found = repairs(ours, amount=2_500)
    close, halve, add = (found[one] for one in (f"close:{BTC}", f"halve:{BTC}", "add collateral"))
    assert (close.fee, close.realized_loss, close.closed) == pytest.approx((24, 2_000, 48_000))
    assert (halve.fee, halve.realized_loss, halve.added) == pytest.approx((12, 1_000, 0))
    assert (add.added, add.fee, add.cost) == (2_500, 0, 2_500)
    assert close.preview().collateral["USDT"] == pytest.approx(10_000 - 2_024)
    assert close.after.move is None
    assert close.gain == math.inf
    assert found[0] is close


def test_distances_along_one_price(ref2: mw.Account) -> None:
    found = repairs(ref2, symbol=BTC)
    # isolated ETH does not move; 8,000 behind 0.5 BTC
    assert found.now.move == pytest.approx((50_000 - 8_000) / (0.5 * 0.995) / 100_000 - 1)
    assert found.now.pool == "cross"
    with pytest.raises(KeyError, match="did you mean"):
        repairs(ref2, symbol="BTCUSD")


def test_an_account_below_maintenance(ref2: mw.Account) -> None:
    ref2.marks[ETH] = 3_600
    found = repairs(ref2)
    assert found.now.move == 0
    assert "below maintenance" in found.text
    assert found[f"add margin:{ETH}"].after.move != 0
    refused = dict(found.refused)
    assert "Halve ETHUSDT" not in refused


def test_margin_that_is_not_available_has_to_be_deposited(ref2: mw.Account) -> None:
    one = repairs(ref2, amount=5_000)[f"add margin:{ETH}"]
    assert one.added == pytest.approx(2_000)  # 3,000 is available
    there = one.preview()
    assert there.collateral["USDT"] == pytest.approx(12_000)
    assert there.positions[ETH].margin == pytest.approx(7_000)


def test_what_cannot_be_done_says_why(ref2: mw.Account) -> None:
    ref2.positions[BTC].margin = 9_000
    ref2.positions[ETH].margin = 5_000
    refused = dict(repairs(ref2).refused)
    assert "only" in refused["Isolate BTCUSDT"]
    assert "more margin than 5× asks for" in refused["Lower the leverage of ETHUSDT to 5×"]
    ref2.positions[BTC].margin_mode = "isolated"
    assert "no position is in cross" in dict(repairs(ref2).refused)["Add collateral"]


@few
@given(books())
def test_every_repair_is_what_its_preview_is(spec: Spec) -> None:
    ours = account(spec)
    found = repairs(ours)
    assert [one.id for one in found] == [one.id for one in repairs(ours)]
    assert len({one.id for one in found}) == len(found)
    before, last = ours.state, math.inf
    for one in found:
        first = math.inf if one.after.first is None else one.after.first
        assert first <= last + 1e-11
        last = first
        assert one.action in ACTIONS
        there = one.preview()
        now = distance(there.books).first
        assert now == (None if first == math.inf else pytest.approx(first, rel=1e-12))
        # Nothing is lost or made but for the fee and what is paid in.
        assert there.cross.equity == pytest.approx(
            ours.cross.equity + one.added - one.fee,
            rel=1e-9,
            abs=1e-9 * float(ours.cross.ledger.valuation.notional.sum()),
        )
        one.apply()
        assert ours.state == there.state
        assert ours.undo()
        assert ours.state == before


# -- the table -------------------------------------------------------------------------------------


def send(widget: Any, **message: Any) -> None:
    widget._handle_custom_msg(message, [])


class TestTable:
    def test_previews_applies_and_undoes(self, ref2: mw.Account) -> None:
        table = RepairTable(ref2)
        send(table._table, type="action", action="preview", value=f"move to cross:{ETH}")
        assert table.preview is not None
        assert table.preview.configured.liquidation_shock == pytest.approx(-0.1373, abs=1e-4)
        assert 'aria-pressed="true"' in table._table.html
        assert "−13.73" in table._status.html
        send(table._table, type="action", action="preview", value=f"move to cross:{ETH}")
        assert table.preview is None
        revision = ref2.revision
        send(table._table, type="action", action="apply", value=f"move to cross:{ETH}")
        assert ref2.positions[ETH].margin_mode == "cross"
        assert ref2.revision == revision + 1
        assert f"isolate:{ETH}" in [one.id for one in table.rows]
        send(table._table, type="undo")
        assert ref2.positions[ETH].margin_mode == "isolated"
        table.close()

    def test_sorts(self, ref2: mw.Account) -> None:
        table = RepairTable(ref2)
        ranked = [one.id for one in table.rows]
        for column in ("distance", "own", "cost", "fee", "loss", "added", "action"):
            send(table._table, type="action", action="sort", value=column)
            assert f'aria-sort="{"descending" if table.descending else "ascending"}"' in (
                table._table.html
            )
            once = [one.id for one in table.rows]
            assert sorted(once) == sorted(ranked)
            send(table._table, type="action", action="sort", value=column)
        send(table._table, type="action", action="sort", value="cost")
        assert [one.cost for one in table.rows] == sorted(one.cost for one in table.rows)
        table.sort = "rank"
        table.descending = False
        assert [one.id for one in table.rows] == ranked
        table.close()

    def test_takes_an_amount_and_refuses_a_bad_one(self, ref2: mw.Account) -> None:
        table = RepairTable(ref2)
        send(table._controls, type="action", action="amount", value="2,500")
        assert table.amount == 2_500
        assert "Add 2,500.00 margin to ETHUSDT" in table._table.html
        for text, words in (("-1", "amount to add: -1 must be &gt; 0"), ("x", "is not a number")):
            send(table._controls, type="action", action="amount", value=text)
            assert words in table._status.html
            assert f'value="{text}"' in table._controls.html
            assert table.amount == 2_500
        table.close()

    def test_follows_the_axis_and_the_account(self, ref2: mw.Account) -> None:
        selection = Selection()
        table = RepairTable(ref2, selection)
        selection.view = BTC
        assert table.symbol == BTC
        assert "BTCUSDT alone" in table._controls.html
        ref2.positions.clear()
        assert "nothing to repair" in table._status.html
        assert table.rows == []
        ref2.undo()
        assert len(table.rows) > 0
        table.close()

    def test_names_from_outside_are_escaped(self) -> None:
        bad = "<b>X&\"'"
        rules = mw.venues.generic(tiers={bad: 0.01})
        ours = mw.Account(rules, {"USDT": 10}, [mw.Position(bad, 1, 100)])
        table = RepairTable(ours)
        for part in (table._controls, table._status, table._table):
            assert "<b>X" not in part.html
        assert "<b>X" not in table._repr_mimebundle_()["text/html"]
        send(table._table, type="action", action="preview", value=f"close:{bad}")
        assert table.preview is not None
        table.close()

    def test_lists_the_nearest_of_many(self) -> None:
        rules = mw.venues.generic(tiers={f"S{n}USDT": 0.01 for n in range(40)})
        rows = [mw.Position(f"S{n}USDT", 1, 100, 5 + n, margin_mode="isolated") for n in range(40)]
        table = RepairTable(mw.Account(rules, {"USDT": 1_000}, rows))
        assert table.found is not None
        assert table.found.hidden == 28
        assert {one.key for one in table.rows} == {f"S{n}USDT" for n in range(28, 40)}
        assert "28 positions farther" in table._table.html
        assert table._table.html.count('<tr role="row">') == 13
        send(table._table, type="action", action="all")
        assert table._table.html.count('<tr role="row">') == 1 + len(table.rows)
        table.close()


def test_closing_frees_everything(ref2: mw.Account) -> None:
    SolvePanel(ref2).close()
    RepairTable(ref2).close()
    gc.collect()
    widgets = len(_instances)
    observers = len(ref2._trait_notifiers.get("revision", {}).get("change", []))
    for number in range(100):
        parts = [SolvePanel(ref2), RepairTable(ref2)]
        ref2.positions[0].leverage = 5 + number % 3
        for part in parts:
            part.close()
    gc.collect()
    assert len(_instances) == widgets
    assert len(ref2._trait_notifiers.get("revision", {}).get("change", [])) == observers
