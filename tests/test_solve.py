"""What has to change so that a goal is met: against arithmetic of its own, and by trying it."""

from __future__ import annotations

import copy
import re
import sys
from typing import Any

import pytest
import reference
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import Spec, account, books, figures
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.account.solve import KeepRatio, LiquidationAt, Survive, find, solve
from margin_widgets.account.solve.root import crossing
from margin_widgets.account.solve.together import margins_together
from margin_widgets.widgets import Selection, SolvePanel

BTC, ETH = "BTCUSDT", "ETHUSDT"
few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def ref2() -> mw.Account:
    return mw.presets.ref2()


# -- numbers of the reference account --------------------------------------------------------------


def test_collateral_to_survive_a_common_fall(ref2: mw.Account) -> None:
    answer = mw.solve.find(ref2, Survive(-0.3))
    assert [need.needed for need in answer.isolated.needs] == [15_175, 6_140]
    assert answer.isolated.total == answer.cross.total == 21_315
    assert "15,175.00 (BTCUSDT) + 6,140.00 (ETHUSDT) = 21,315.00" in answer.isolated.text
    assert "one common shock" in answer.text
    assert "pooling saves nothing" in answer.text
    for mode in ("isolated", "cross"):
        there = getattr(answer, mode).preview()
        shocks = getattr(there, mode).liquidation_shocks
        assert shocks[0] == pytest.approx(-0.3, rel=1e-12)
    assert ref2.revision == 1


def test_the_limit_of_what_is_met_already(ref2: mw.Account) -> None:
    solution = mw.solve.survive(ref2, -0.05)
    # 0.05 * 70,000 + 0.95 * (0.005 * 50,000 + 0.01 * 20,000)
    assert solution.total == pytest.approx(3_500 + 0.95 * 450, rel=1e-14)
    assert solution.met
    assert solution.text.startswith("Met as it is.")
    assert "Only 3,000.00 USDT is available" in solution.text


def test_a_shock_of_one_symbol(ref2: mw.Account) -> None:
    answer = find(ref2, Survive(-0.3, BTC))
    assert answer.isolated.total == 15_175  # the other position is not asked
    assert answer.cross.total == pytest.approx(15_175 + 200, rel=1e-14)
    assert "1,800.00 less" in answer.text


def test_only_what_does_not_meet_the_goal_changes(ref2: mw.Account) -> None:
    solution = mw.solve.survive(ref2, -0.093, "margin", "isolated")
    assert [change.name for change in solution.changes] == [ETH]
    assert solution.changes[0].after == pytest.approx(0.093 * 20_000 + 0.01 * 20_000 * 0.907)
    assert "BTCUSDT meets it and stays" in solution.text


@pytest.mark.parametrize(
    ("quantity", "mode", "needed"),
    [
        ("margin", "isolated", [15_175.0, 6_140.0]),
        ("leverage", "isolated", [50_000 / 15_175, 20_000 / 6_140]),
        ("size", "isolated", [0.5 * 5_000 / 15_175, 5 * 2_000 / 6_140]),
        ("size", "cross", [0.5 * 10_000 / 21_315, 5 * 10_000 / 21_315]),
    ],
)
def test_every_quantity(ref2: mw.Account, quantity: str, mode: str, needed: list[float]) -> None:
    solution = mw.solve.survive(ref2, -0.3, quantity, mode)
    assert [need.needed for need in solution.needs] == pytest.approx(needed, rel=1e-12)
    there = getattr(solution.preview(), mode)
    assert there.liquidation_shocks[0] == pytest.approx(-0.3, rel=1e-11)


def test_margin_ratio_to_keep(ref2: mw.Account) -> None:
    answer = find(ref2, KeepRatio(0.03))
    assert answer.isolated.total == pytest.approx(250 / 0.03 + 200 / 0.03)
    assert answer.cross.total == pytest.approx(15_000)
    for mode in ("isolated", "cross"):
        there = getattr(getattr(answer, mode).preview(), mode)
        assert there.margin_ratio == pytest.approx(0.03, rel=1e-13)


@pytest.mark.parametrize("mode", ["isolated", "cross"])
@pytest.mark.parametrize("quantity", ["collateral", "margin", "size", "leverage"])
def test_liquidation_at_a_price(ref2: mw.Account, quantity: str, mode: str) -> None:
    solution = mw.solve.liquidate_at(ref2, BTC, 85_000, quantity, mode)
    if mode == "cross" and quantity in ("margin", "leverage"):
        assert not solution.found
        assert solution.changes == ()
        return
    there = getattr(solution.preview(), mode).positions[BTC]
    assert there.liquidation_price == pytest.approx(85_000, rel=1e-12)
    if (quantity, mode) == ("margin", "isolated"):
        assert solution.changes[0].after == pytest.approx(7_712.5, rel=1e-14)
        assert solution.unit == "USDT"
    if (quantity, mode) == ("leverage", "isolated"):
        assert solution.changes[0].after == pytest.approx(50_000 / 7_712.5, rel=1e-12)


def test_pooling_saves_what_hedges_save() -> None:
    answer = find(mw.presets.hedged_pair(), Survive(-0.3))
    assert answer.isolated.needs[0].needed == pytest.approx(12_000 + 0.004 * 28_000)
    assert answer.cross.total == pytest.approx(320)
    assert "what some positions gain at −30" in answer.text


# -- reasons instead of numbers --------------------------------------------------------------------


def test_margins_in_coin_are_summed_in_the_currency_of_the_account() -> None:
    rules = mw.Account("binance-coinm").venue.replace(tiers={"BTCUSD_PERP": [(0, 0.005)]})
    account = mw.Account(
        rules,
        {"BTC": 2},
        [mw.Position("BTCUSD_PERP", 5_000, 98_000), mw.Position("BTCUSD_PERP", -200, 97_000)],
        {"BTCUSD_PERP": 100_000},
    )
    found = mw.solve.survive(account, -0.3, "margin", "isolated")
    assert found.total == pytest.approx(1e5 * sum(need.needed for need in found.needs))
    assert "(BTCUSD_PERP:short) = 208,371.62 USD." in found.text


def test_reasons(ref2: mw.Account) -> None:
    for solution, words in [
        (mw.solve.survive(ref2, -0.3, "margin"), "no margin of its own"),
        (mw.solve.survive(ref2, -0.3, "leverage"), "effective leverage: 7× now, 3.28×"),
        (mw.solve.liquidate_at(ref2, BTC, 110_000), "even without any margin"),
        (mw.solve.liquidate_at(ref2, BTC, 100_400), "below maintenance at the present marks"),
        (mw.solve.survive(mw.Account("binance-usdm"), -0.3), "no positions"),
    ]:
        assert not solution.found
        assert words in solution.reason
        assert words[1:] in solution.text
        for act in (solution.preview, solution.apply):
            with pytest.raises(ValueError, match=solution.reason[:20]):
                act()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Survive(-1), TraitError, "shock: -1 must be > -1"),
        (lambda: KeepRatio(0), TraitError, "ratio: 0 must be > 0"),
        (lambda: KeepRatio(1.5), TraitError, "ratio: 1.5 .* at most 1"),
        (lambda: LiquidationAt(BTC, -5), TraitError, "price: -5 must be > 0"),
        (lambda: mw.solve.survive(mw.presets.ref2(), -0.3, "sizes"), ValueError, "quantity: 'siz"),
        (lambda: mw.solve.survive(mw.presets.ref2(), -0.3, mode="both"), ValueError, "mode: 'both"),
        (lambda: mw.solve.survive(mw.presets.ref2(), -0.3, symbol="BTCUSD"), KeyError, "did you"),
        (lambda: mw.solve.survive(mw.presets.ref2(), -0.3, key="BTCUSD"), KeyError, "did you"),
        (lambda: mw.solve.liquidate_at(mw.presets.ref2(), BTC, 1e5), ValueError, "present mark"),
    ],
)
def test_bad_goals_are_refused(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


# -- previewing and applying -----------------------------------------------------------------------


def test_apply_is_one_edit_and_equals_the_preview(ref2: mw.Account) -> None:
    before, revision = ref2.state, ref2.revision
    solution = mw.solve.survive(ref2, -0.3, "collateral", "isolated")
    there = solution.preview()
    assert ref2.state is before
    solution.apply()
    assert ref2.revision == revision + 1
    assert ref2.state == there.state
    with pytest.raises(ValueError, match="has changed since"):
        solution.apply()
    assert ref2.undo()
    assert ref2.state == before
    code = {"account": ref2}
    exec(solution.code, code)
    assert ref2.state == there.state


def test_applied_it_is_met_with_nothing_to_change(ref2: mw.Account) -> None:
    for mode in ("isolated", "cross"):
        for quantity in ("collateral", "size"):
            mw.solve.survive(ref2, -0.3, quantity, mode).apply()
            again = mw.solve.survive(ref2, -0.3, quantity, mode)
            assert again.met
            assert again.changes == ()
            ref2.undo()


def test_two_legs_keep_apart() -> None:
    ours = mw.presets.ref2()
    ours.positions.append(mw.Position(BTC, -0.2, 101_000, 10))
    solution = mw.solve.liquidate_at(ours, f"{BTC}:short", 110_000)
    solution.apply()
    there = ours.isolated.positions[f"{BTC}:short"]
    assert there.liquidation_price == pytest.approx(110_000, rel=1e-12)
    assert ours.positions[f"{BTC}:long"].margin is None


@pytest.mark.parametrize("name", ["hedged_pair", "bitcoin_on_bitcoin", "inverse", "multi_asset"])
@pytest.mark.parametrize("mode", ["isolated", "cross"])
def test_a_changed_size_keeps_equity_but_for_the_fee(name: str, mode: str) -> None:
    ours = getattr(mw.presets, name)()
    for position in ours.positions:  # away from entry, so that something is realised
        ours.marks[position.symbol] = ours.mark(position.symbol) * 1.02
    for shock in (-0.3, -0.02):
        solution = mw.solve.survive(ours, shock, "size", mode)
        there = solution.preview()
        traded = sum(
            abs(change.after - change.before)
            / abs(change.before)
            * ours.cross.positions[change.name].notional
            for change in solution.changes
            if change.field == "quantity"
        )
        fee = ours.venue.taker_fee * traded
        assert there.cross.equity == pytest.approx(ours.cross.equity - fee, rel=1e-9)


# -- any account -----------------------------------------------------------------------------------

GOALS = st.one_of(
    st.builds(Survive, figures(-0.6, 0.8).filter(bool)),
    st.builds(KeepRatio, figures(0.02, 0.9)),
)


def _at(ours: mw.Account, goal: Any) -> mw.Account:
    """The account where the goal is looked at."""
    if isinstance(goal, Survive):
        there = ours.copy()
        there.marks = {
            symbol: mark * (1 + goal.shock)
            for symbol, mark in zip(ours.books.symbols, ours.books.marks.tolist(), strict=True)
        }
        return there
    return ours


def _gap(ours: mw.Account, goal: Any, mode: str) -> dict[str, float]:
    """Balance beyond what the goal asks for, of each pool with positions."""
    level = 1.0 if isinstance(goal, Survive) else 1 / goal.ratio
    return {
        pool.name: pool.margin_balance - level * pool.maintenance_margin
        for pool in getattr(ours, mode).pools
        if pool.positions
    }


@few
@given(books(), GOALS, st.sampled_from(["isolated", "cross"]), st.data())
def test_what_is_found_meets_the_goal(
    spec: Spec, goal: Any, mode: str, data: st.DataObject
) -> None:
    """Made, and the marks moved there: every pool holds what the goal asks, one of them just so."""
    ours = account(spec)
    quantity = data.draw(st.sampled_from(mw.solve.QUANTITIES))
    solution = solve(ours, goal, quantity, mode)
    assume(solution.found)
    there = solution.preview() if solution.changes else ours
    size = 4 * float(reference.account_scale(reference.Book(copy.deepcopy(spec))))
    size += abs(solution.total or 0.0) + abs(there.cross.wallet_balance)
    gaps = [_gap(there, goal, mode)]
    if isinstance(goal, Survive):
        gaps.append(_gap(_at(there, goal), goal, mode))
        assert getattr(there, mode).status == "ok" or min(gaps[0].values()) > -1e-9 * size
    for at in gaps:
        for name, gap in at.items():
            assert gap >= -1e-8 * size, (name, gap, solution.text)
    if quantity in ("collateral", "margin") and not solution.met:
        # and no more than that, where anything is needed at all
        tight = [need for need in solution.needs if not need.met and need.needed > 0]
        names = [need.name if mode == "isolated" else pool for need in tight for pool in gaps[0]]
        for name in names:
            if mode == "isolated" or len(gaps[0]) == 1:
                assert min(at[name] for at in gaps) <= 1e-8 * size, solution.text
    if solution.changes:
        before = ours.state
        solution.apply()
        assert ours.state == there.state
        ours.undo()
        assert ours.state == before


@few
@given(books(), figures(0.4, 2.0), st.sampled_from(["isolated", "cross"]), st.data())
def test_a_liquidation_price_is_where_it_was_put(
    spec: Spec, factor: float, mode: str, data: st.DataObject
) -> None:
    ours = account(spec)
    assume(abs(factor - 1) > 1e-3)
    key = data.draw(st.sampled_from(ours.positions.keys()))
    price = ours.mark(ours.positions[key].symbol) * factor
    quantity = data.draw(st.sampled_from(mw.solve.QUANTITIES))
    solution = mw.solve.liquidate_at(ours, key, price, quantity, mode)
    assume(solution.found)
    there = solution.preview() if solution.changes else ours
    prices = getattr(there, mode).positions[key].liquidation_prices
    near = prices[0] if factor < 1 else prices[1]
    assert near == pytest.approx(price, rel=1e-7)


def test_crossing_closes_in_on_a_jump_and_a_root() -> None:
    assert crossing(lambda x: 1.0 if x <= 0.3 else -5.0, (0.0, 1.0), (1.0, -5.0)) == pytest.approx(
        0.3, rel=1e-14
    )
    assert crossing(lambda x: 3 - x**3, (1.0, 2.0), (2.0, -5.0)) == pytest.approx(3 ** (1 / 3))


# -- the panel -------------------------------------------------------------------------------------


def send(widget: Any, **message: Any) -> None:
    widget._handle_custom_msg(message, [])


class TestPanel:
    def test_answers_previews_applies_and_undoes(self, ref2: mw.Account) -> None:
        panel = SolvePanel(ref2)
        send(panel._controls, type="action", action="value", value="-30")
        assert "21,315.00 USDT" in panel._cards.html
        assert "pooling saves nothing" in panel._status.html
        send(panel._cards, type="action", action="preview", value="cross")
        assert panel.preview is not None
        assert panel.preview.collateral["USDT"] == 21_315
        assert ref2.collateral["USDT"] == 10_000
        revision = ref2.revision
        send(panel._cards, type="action", action="apply", value="cross")
        assert (ref2.collateral["USDT"], ref2.revision) == (21_315, revision + 1)
        assert panel.preview is None
        assert 'data-key="apply-cross" aria-disabled="true"' in panel._cards.html
        send(panel._controls, type="action", action="undo", value=None)
        assert ref2.collateral["USDT"] == 10_000
        panel.close()

    def test_the_headline_is_what_the_sentence_says(self) -> None:
        panel = SolvePanel(mw.presets.multi_asset())
        cross = panel._cards.html.split("<section")[2]
        headline = re.search(r"<dl.*?</dl>", cross)
        assert headline
        told = re.sub("<[^>]*>", " ", headline[0]).split()
        assert told == ["Wallet", "needed", "21,082.22", "USDT"]
        assert "needs a wallet of 21,082.22 USDT" in panel.answer.cross.text
        isolated = re.search(r"<dl.*?</dl>", panel._cards.html.split("<section")[1])
        assert isolated
        assert "65,815.29" in isolated[0]  # in all
        panel.close()

    def test_what_meets_the_goal_is_no_headline(self) -> None:
        account = mw.Account(
            "deribit",
            {"BTC": 2, "ETH": 20},
            [
                mw.Position("BTC-PERPETUAL", 50_000, 98_000),
                mw.Position("ETH-PERPETUAL", 20_000, 4_000),
            ],
            {"BTC-PERPETUAL": 100_000, "ETH-PERPETUAL": 4_000},
        )
        panel = SolvePanel(account)
        cross = panel._cards.html.split("<section")[2]
        assert re.findall(r"<dt>(.*?)</dt>", cross) == ["Wallet needed", "Wallet needed"]
        assert re.findall(r">([\d.]+)</button> (\w+)</dd>", cross) == [
            ("2.11479592", "BTC"),
            ("2.2144898", "ETH"),
        ]
        panel.quantity = "size"
        cross = panel._cards.html.split("<section")[2]
        assert "ETH-PERPETUAL meets it and stays" in cross
        assert re.findall(r"<dt>(.*?)</dt>", cross) == ["BTC-PERPETUAL"]
        panel.close()

    def test_errors_stand_beside_what_was_typed(self, ref2: mw.Account) -> None:
        panel, before = SolvePanel(ref2), ref2.state
        for goal, text, words in [
            ("survive", "-100", "above −100 %"),
            ("survive", "much", "is not a number"),
            ("ratio", "150 %", "at most 100 %"),
            ("price", "-3", "must be &gt; 0"),
            ("price", "100000", "present mark"),
            ("price", "8,5", "write a point"),
        ]:
            panel.goal = goal
            send(panel._controls, type="action", action="value", value=text)
            assert words in panel._status.html
            assert f'value="{text}"' in panel._controls.html
            assert 'aria-invalid="true"' in panel._controls.html
            assert panel._cards.html == ""
        assert ref2.state is before
        send(panel._controls, type="action", action="value", value="85,000")
        assert panel.error == ""
        panel.quantity = "margin"
        assert "7,712.50" in panel._cards.html
        panel.close()

    def test_follows_account_and_selection(self, ref2: mw.Account) -> None:
        selection = Selection(key=ETH)
        panel = SolvePanel(ref2, selection)
        panel.goal = "price"
        assert 'value="3,400"' in panel._controls.html
        selection.key = BTC
        assert 'value="85,000"' in panel._controls.html
        panel.key = ETH
        ref2.positions.remove(ETH)
        assert (panel.key, panel.position) == ("", BTC)
        ref2.positions.clear()
        assert "Add a position" in panel._status.html
        assert panel.answer is None
        ref2.undo()
        assert panel.answer is not None
        panel.close()

    def test_skips_work_while_hidden(self, ref2: mw.Account) -> None:
        panel = SolvePanel(ref2, active=False)
        assert panel.answer is None
        panel.active = True
        assert panel.answer is not None
        panel.close()

    def test_names_from_outside_are_escaped(self) -> None:
        bad = "<b>X&\"'"
        rules = mw.venues.generic(tiers={bad: 0.01})
        ours = mw.Account(rules, {"USDT": 10}, [mw.Position(bad, 1, 100)])
        panel = SolvePanel(ours)
        for part in (panel._controls, panel._status, panel._cards):
            assert "<b>X" not in part.html
        assert "<b>X" not in panel._repr_mimebundle_()["text/html"]
        panel.close()

    def test_static_twin_says_the_same(self, ref2: mw.Account) -> None:
        panel = SolvePanel(ref2)
        bundle = panel._repr_mimebundle_()
        assert "21,315.00" in bundle["text/html"]
        assert "pooling saves nothing" in bundle["text/plain"]
        assert "http" not in bundle["text/html"]
        panel.close()


@pytest.mark.parametrize("goal", [Survive(-0.3), Survive(0.2), Survive(-0.05), KeepRatio(0.5)])
@pytest.mark.parametrize("name", ["multi_asset", "exchange_account", "ref2", "inverse"])
def test_margins_found_together_are_those_found_one_by_one(
    name: str, goal: Survive | KeepRatio, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = getattr(mw.presets, name)()
    together = find(account, goal).isolated
    # The function `find` hides the module of that name.
    monkeypatch.setattr(sys.modules["margin_widgets.account.solve.find"], "found_together", list)
    alone = find(account, goal).isolated
    assert together.needs == alone.needs
    assert together.changes == alone.changes
    assert together.text == alone.text


def test_many_margins_are_found_together() -> None:
    account = mw.presets.ref2()
    found = margins_together(account.books, Survive(-0.3), [0, 1], 1e-11, 1e-14)
    assert [found[place].margin for place in (0, 1)] == [15_175, 6_140]
    assert margins_together(account.books, LiquidationAt(BTC, 85_000), [0], 1e-11, 1e-14) == {}
