"""The account as a model: transactions, notifications, undo and redo, live parts, ownership."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traitlets import TraitError

import margin_widgets as mw

BTC, ETH = "BTCUSDT", "ETHUSDT"
EDITABLE = ("name", "venue", "positions", "collateral", "marks", "prices", "haircuts")
RESULTS = ("isolated", "cross", "configured", "warnings", "revision", "can_undo", "can_redo")


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


class Heard:
    """Counts what is told about an account and its positions."""

    def __init__(self, account: mw.Account) -> None:
        self.changes: list[Any] = []
        self.counts: Counter[str] = Counter()
        account.observe(self._hear)
        for position in account.positions:
            position.observe(self._hear)

    def _hear(self, change: Any) -> None:
        self.changes.append(change)
        owner = change["owner"]
        label = "" if isinstance(owner, mw.Account) else f"{owner.symbol}."
        self.counts[label + change["name"]] += 1


def consistent(account: mw.Account) -> None:
    """Models, state, reports and a fresh account of the same content say the same."""
    fresh = account.copy()
    assert fresh.to_dict() == account.to_dict()
    reports = [(getattr(account, mode), getattr(fresh, mode)) for mode in RESULTS[:3]]
    for mine, theirs in reports:
        assert mine.figures() == theirs.figures()
        assert mine.books.state is account.state
        assert list(mine.positions) == account.positions.keys()
    for row, kept in zip(account.positions, account.state.positions, strict=True):
        assert row._account is account
        assert row.to_dict() == {name: getattr(kept, name) for name in row.to_dict()}
    for field in ("collateral", "marks", "prices", "haircuts"):
        assert getattr(account, field) == getattr(account.state, field)
    assert account.warnings == fresh.warnings


# ------------------------------------------------------------------ one edit, one notification


def test_an_edit_is_told_once(account: mw.Account) -> None:
    heard = Heard(account)
    account.positions[BTC].quantity = 0.6
    assert heard.counts == {
        "BTCUSDT.quantity": 1,
        "isolated": 1,
        "cross": 1,
        "configured": 1,
        "revision": 1,
        "can_undo": 1,
    }
    assert heard.changes[-1]["name"] == "revision"
    assert account.isolated.initial_margin == 8_000


def test_many_changes_are_one_edit(account: mw.Account) -> None:
    heard = Heard(account)
    with account.edit():
        for step in range(5):
            account.marks[BTC] = 90_000 + step
            account.positions[ETH].quantity = 6 + step
        account.collateral["USDT"] = 11_000
        account.name = "renamed"
    counts = heard.counts
    assert counts.pop("ETHUSDT.quantity") == counts.pop("marks") == 1
    assert set(counts.values()) == {1}
    assert account.revision == 2
    told = {change["name"]: change for change in heard.changes}
    assert told["marks"]["old"][BTC] == 100_000 and told["marks"]["new"][BTC] == 90_004
    assert told["quantity"]["old"] == 5 and told["quantity"]["new"] == 10


def test_observers_hear_of_a_sound_whole(account: mw.Account) -> None:
    """Whoever is told of an input finds the reports that belong to it."""
    seen = []
    account.observe(lambda _: seen.append(account.isolated.initial_margin), "marks")
    account.positions[BTC].observe(
        lambda _: seen.append(account.isolated.initial_margin), "quantity"
    )
    with account.edit():
        account.marks[BTC] = 101_000
        account.positions[BTC].quantity = 0.6
    assert seen == [8_000, 8_000]


def test_a_report_is_never_told_before_its_companions(account: mw.Account) -> None:
    seen = []

    def hear(_: Any) -> None:
        seen.append({getattr(account, mode).books.state.marks[BTC] for mode in RESULTS[:3]})

    for mode in RESULTS[:3]:
        account.observe(hear, mode)
    account.marks[BTC] = 90_000
    assert seen == [{90_000}] * 3


def test_nothing_changed_is_not_an_edit(account: mw.Account) -> None:
    heard = Heard(account)
    account.marks[BTC] = 100_000
    account.positions[BTC].quantity = 0.5
    account.collateral = {"USDT": 10_000}
    with account.edit():
        account.marks[BTC] = 5
        account.marks[BTC] = 100_000
    with account.edit():
        pass
    assert not heard.counts
    assert account.revision == 1 and not account.can_undo


def test_nested_edits_are_one(account: mw.Account) -> None:
    heard = Heard(account)
    with account.edit():
        account.marks[BTC] = 90_000
        with account.edit():
            account.marks[ETH] = 3_900
        assert account.revision == 1 and not heard.counts
    assert account.revision == 2 and heard.counts["marks"] == 1
    account.undo()
    assert account.marks == {BTC: 100_000, ETH: 4_000}


# ------------------------------------------------------------------ rollback


def test_an_exception_takes_everything_back(account: mw.Account) -> None:
    document, rows = account.to_dict(), list(account.positions)
    reports = [getattr(account, mode) for mode in RESULTS[:3]]
    heard = Heard(account)
    stranger = mw.Position("BTCUSDT", -1, 100_000)
    with pytest.raises(ZeroDivisionError), account.edit():  # noqa: PT012 - the block is the test
        account.name = "other"
        account.venue = "binance-usdm"
        account.marks[BTC] = 1
        account.collateral.clear()
        account.prices["BTC"] = 3
        account.haircuts["USDT"] = 0.5
        account.order_margin = 3
        account.positions[BTC].quantity = 8
        account.positions[BTC].symbol = "XRPUSDT"
        del account.positions[1]
        account.positions.append(stranger)
        _ = 1 / 0
    assert account.to_dict() == document
    assert all(a is b for a, b in zip(account.positions, rows, strict=True))
    assert [getattr(account, mode) for mode in RESULTS[:3]] == reports
    assert not heard.counts and account.revision == 1 and not account.can_undo
    assert stranger._account is None
    mw.Account(venue=account.venue, positions=[stranger])  # free to be used
    consistent(account)


def test_an_unsound_whole_is_taken_back(account: mw.Account) -> None:
    document = account.to_dict()
    with pytest.raises(TraitError, match="two long legs"):
        account.positions.append(mw.Position(BTC, 1, 100_000))
    with pytest.raises(TraitError, match="XRPUSDT"):
        account.positions[BTC].symbol = "XRPUSDT"
    with pytest.raises(TraitError, match="BTC"):
        account.collateral = {"DOGE": 1}
    with pytest.raises(TraitError):
        account.positions = [account.positions[0], account.positions[0]]
    with pytest.raises(TraitError):
        account.marks.update({BTC: 90_000, ETH: -1})
    assert account.to_dict() == document and account.revision == 1
    consistent(account)


def test_a_refused_value_within_an_edit_can_be_caught(account: mw.Account) -> None:
    with account.edit():
        account.marks[BTC] = 90_000
        with pytest.raises(TraitError):
            account.marks[ETH] = -1
    assert account.marks == {BTC: 90_000, ETH: 4_000}
    assert account.revision == 2


def test_a_failed_constructor_lets_its_positions_go() -> None:
    positions = [mw.Position("AUSDT", 1, 100), mw.Position("BUSDT", 1, 100)]
    with pytest.raises(TraitError, match="BUSDT"):
        mw.Account(venue=mw.venues.generic(tiers={"AUSDT": 0.01}), positions=positions)
    with pytest.raises(TraitError):
        mw.Account(positions=positions, marks={"AUSDT": -1})
    with pytest.raises(TypeError, match="colateral"):
        mw.Account(positions=positions, colateral={})
    rules = mw.venues.generic(tiers={"AUSDT": 0.01, "BUSDT": 0.01})
    assert len(mw.Account(venue=rules, positions=positions).positions) == 2


# ------------------------------------------------------------------ observers that misbehave


@pytest.mark.parametrize("name", ["marks", *RESULTS[:3], "revision", "can_undo"])
def test_an_observer_that_raises_corrupts_nothing(account: mw.Account, name: str) -> None:
    heard = Heard(account)

    def fail(_: Any) -> None:
        raise RuntimeError("observer")

    account.observe(fail, name)
    with pytest.raises(RuntimeError, match="observer"):
        account.marks[BTC] = 90_000
    account.unobserve(fail, name)
    assert account.revision == 2 and account.can_undo
    consistent(account)
    others = {"configured", "revision", "marks"} - {name}
    assert {heard.counts[other] for other in others} == {1}, "the others hear of it all the same"
    account.undo()
    assert account.marks[BTC] == 100_000
    consistent(account)


def test_what_is_told_last_is_what_holds(account: mw.Account) -> None:
    """Changes made by an observer are told after those that it was told of."""
    told: list[float] = []

    def clamp(_: Any) -> None:
        if account.marks[BTC] < 95_000:
            account.marks[BTC] = 95_000

    account.observe(clamp, "marks")
    account.observe(lambda change: told.append(change["new"].positions[BTC].mark), "cross")
    account.marks[BTC] = 90_000
    assert told[-1] == 95_000 == account.cross.positions[BTC].mark


def test_an_observer_may_edit_during_undo(account: mw.Account) -> None:
    account.marks[BTC] = 90_000

    def follow(_: Any) -> None:
        account.name = f"at {account.marks[BTC]:.0f}"

    account.observe(follow, "marks")
    account.undo()
    assert account.name == "at 100000"
    assert account.can_undo, "the observer's edit is an edit of its own"
    account.unobserve_all()
    account.undo()
    assert account.name == "REF-2" and account.marks[BTC] == 100_000
    consistent(account)


@pytest.mark.parametrize("name", ["marks", *RESULTS[:3], "revision"])
def test_an_observer_may_edit(account: mw.Account, name: str) -> None:
    def clamp(_: Any) -> None:
        if account.marks[BTC] < 95_000:
            account.marks[BTC] = 95_000

    account.observe(clamp, name)
    account.marks[BTC] = 90_000
    assert account.marks[BTC] == 95_000
    consistent(account)
    assert account.cross.positions[BTC].mark == 95_000
    assert account.revision == 3
    account.unobserve_all()
    assert account.undo() and account.marks[BTC] == 90_000
    assert account.undo() and account.marks[BTC] == 100_000
    consistent(account)


# ------------------------------------------------------------------ undo and redo


def test_undo_and_redo(account: mw.Account) -> None:
    assert not account.undo() and not account.redo()
    before = account.to_dict()
    account.positions[BTC].quantity = 0.6
    after = account.to_dict()
    assert account.can_undo and not account.can_redo
    assert account.undo()
    assert account.to_dict() == before and account.can_redo and not account.can_undo
    assert account.redo()
    assert account.to_dict() == after
    account.undo()
    account.marks[ETH] = 3_900
    assert not account.can_redo, "a new edit ends what could be redone"
    consistent(account)


def test_undo_is_told_once(account: mw.Account) -> None:
    with account.edit():
        account.marks[BTC] = 90_000
        account.collateral["USDT"] = 5
    heard = Heard(account)
    account.undo()
    assert set(heard.counts.values()) == {1}
    assert {"marks", "collateral", "cross", "revision", "can_redo"} <= set(heard.counts)
    assert account.revision == 3


def test_positions_keep_their_identity_through_undo(account: mw.Account) -> None:
    bitcoin, ether = account.positions
    bitcoin.quantity = 0.7
    account.positions = [ether, bitcoin]
    account.undo()
    assert account.positions[0] is bitcoin and account.positions[1] is ether
    account.undo()
    assert account.positions[BTC] is bitcoin and bitcoin.quantity == 0.5


def test_a_deleted_position_comes_back(account: mw.Account) -> None:
    before = account.to_dict()
    del account.positions[BTC]
    assert account.positions.keys() == [ETH]
    account.undo()
    assert account.to_dict() == before
    account.positions[BTC].quantity = 0.8
    assert account.cross.positions[BTC].notional == 80_000
    consistent(account)


def test_a_deleted_position_may_return_beside_its_undone_self(account: mw.Account) -> None:
    deleted = account.positions[BTC]
    del account.positions[BTC]
    account.undo()
    if deleted._account is None:
        deleted.quantity = -0.3
        account.positions.append(deleted)
        assert account.positions.keys() == [f"{BTC}:long", ETH, f"{BTC}:short"]
        consistent(account)
        with pytest.raises(TraitError):
            account.positions[ETH].symbol = "XRPUSDT"
        assert account.positions.keys() == [f"{BTC}:long", ETH, f"{BTC}:short"]
        consistent(account)


def test_a_deleted_position_may_replace_its_undone_self(account: mw.Account) -> None:
    deleted = account.positions[BTC]
    del account.positions[BTC]
    account.undo()
    if deleted._account is None:
        deleted.quantity = 0.9
        account.positions[BTC] = deleted
        assert account.cross.positions[BTC].notional == 90_000
        consistent(account)


def test_undo_within_an_edit_keeps_the_history_whole(account: mw.Account) -> None:
    account.marks[BTC] = 90_000
    account.marks[BTC] = 80_000
    with pytest.raises(RuntimeError), account.edit():  # noqa: PT012 - the block is the test
        account.name = "x"
        account.undo()  # may be refused
        raise RuntimeError
    assert account.marks[BTC] == 80_000 and not account.redo()
    assert account.undo() and account.marks[BTC] == 90_000
    while account.undo():
        consistent(account)
    assert account.marks[BTC] == 100_000, "no step of the history was lost"


MOVES = ("mark", "quantity", "flip", "margin", "mode", "wallet", "haircut", "price", "order")
MOVES += ("delete", "add", "several", "rename", "venue", "swap", "bad", "undo", "redo")


def make(account: mw.Account, move: str, chance: random.Random) -> None:
    """One random edit; it may be refused."""
    rows = list(account.positions)
    row = chance.choice(rows) if rows else None
    factor = chance.uniform(0.6, 1.5)
    if move == "mark" and account.marks:
        symbol = chance.choice(list(account.marks))
        account.marks[symbol] *= factor
    elif move == "wallet":
        account.collateral["USDT"] = 10_000 * factor
    elif move == "haircut":
        account.haircuts["USDT"] = chance.choice([0.1, [(0, 0.0), (5_000, 0.1)]])
    elif move == "price":
        account.prices["BTC"] = 100_000 * factor
    elif move == "order":
        account.order_margin = 100 * factor
    elif move == "rename":
        account.name = f"n{chance.randrange(100)}"
    elif move == "venue":
        account.venue = account.venue.replace(taker_fee=chance.choice([0.0, 0.001]))
    elif move == "add":
        account.positions.append(
            mw.Position(chance.choice([BTC, ETH]), chance.choice([-1, 1]) * factor, 1_000)
        )
    elif move == "undo":
        account.undo()
    elif move == "redo":
        account.redo()
    elif row is not None:
        if move == "quantity":
            row.quantity *= factor
        elif move == "flip":
            row.quantity = -row.quantity
        elif move == "margin":
            row.margin = chance.choice([None, 100 * factor])
        elif move == "mode":
            row.margin_mode = chance.choice(["cross", "isolated"])
        elif move == "delete":
            account.positions.remove(row)
        elif move == "swap":
            account.positions = rows[::-1]
        elif move == "several":
            with account.edit():
                row.leverage = 1 + 10 * factor
                account.marks[row.symbol] = 3_000 * factor
                row.entry_price *= factor
        elif move == "bad":
            with account.edit():
                row.leverage = 3
                account.marks["ETHUSDT"] = 17
                row.symbol = "UNKNOWN"


@settings(max_examples=60)
@given(st.lists(st.sampled_from(MOVES), min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_random_edits_can_all_be_taken_back(moves: list[str], chance: random.Random) -> None:
    account = mw.presets.ref2()
    history, place = [account.to_dict()], 0
    for move in moves:
        revision = account.revision
        try:
            make(account, move, chance)
        except TraitError:
            assert account.revision == revision
        if move == "undo":
            place = max(place - 1, 0)
        elif move == "redo":
            place = min(place + 1, len(history) - 1)
        elif account.revision != revision:
            history[place + 1 :] = [account.to_dict()]
            place += 1
        assert account.to_dict() == history[place]
        assert account.can_undo == (place > 0)
        assert account.can_redo == (place < len(history) - 1)
    consistent(account)
    for document in reversed(history[:place]):
        assert account.undo()
        assert account.to_dict() == document
    assert not account.undo()
    consistent(account)
    for document in history[1:]:
        assert account.redo()
        assert account.to_dict() == document
    assert not account.redo()
    consistent(account)


# ------------------------------------------------------------------ live parts


def test_mappings_are_live(account: mw.Account) -> None:
    marks = account.marks
    marks[BTC] = 90_000
    assert account.cross.positions[BTC].mark == 90_000
    account.marks = {BTC: 80_000, ETH: 4_000}
    assert marks[BTC] == 80_000 and dict(marks) == marks.copy() and len(marks) == 2
    copied = marks.copy()
    copied[BTC] = 1
    assert account.marks[BTC] == 80_000
    marks.update({BTC: 81_000}, ETHUSDT=4_100)
    assert account.revision == 4, "an update is one edit"
    del marks[ETH]
    assert "ETHUSDT: no mark given" in account.warnings[0]
    assert account.cross.positions[ETH].mark == 4_000
    with pytest.raises(KeyError):
        del marks["nothing"]
    given = {"USDT": 5_000}
    account.collateral = given
    given["USDT"] = 1
    assert account.collateral["USDT"] == 5_000


def test_an_order_of_assets_is_content_too(account: mw.Account) -> None:
    account.collateral = {"USDT": 1, "USDC": 2}
    account.collateral = {"USDC": 2, "USDT": 1}
    consistent(account)
    assert list(account.to_dict()["collateral"]) == list(account.collateral)


def test_positions_by_key_and_leg(account: mw.Account) -> None:
    positions = account.positions
    positions.append(mw.Position(BTC, -0.2, 101_000))
    assert positions.keys() == [f"{BTC}:long", ETH, f"{BTC}:short"]
    assert positions[f"{BTC}:short"].quantity == -0.2 and positions[-1].key == f"{BTC}:short"
    assert positions[f"{ETH}:long"] is positions[ETH] is positions[1]
    with pytest.raises(KeyError, match="two legs"):
        positions[BTC]
    assert f"{BTC}:long" in positions and BTC not in positions and "X" not in positions
    positions.remove(f"{BTC}:long")
    assert positions.keys() == [ETH, BTC] and positions[BTC].side == "short"
    with pytest.raises(KeyError, match="BTCUSDT"):
        positions["BTCUSD"]
    with pytest.raises(IndexError):
        positions[5]
    popped = positions.pop(0)
    assert popped._account is None and len(positions) == 1
    positions.insert(0, popped)
    positions.extend([mw.Position(ETH, -1, 4_000)])
    assert positions.keys() == [f"{ETH}:long", BTC, f"{ETH}:short"]
    consistent(account)
    positions.clear()
    assert len(positions) == 0 and account.cross.status == "ok"
    consistent(account)


def test_flipping_a_leg_onto_the_other_is_refused(account: mw.Account) -> None:
    account.positions.append(mw.Position(BTC, -0.2, 101_000))
    with pytest.raises(TraitError, match="two short legs"):
        account.positions[f"{BTC}:long"].quantity = -1
    with account.edit():  # both at once is sound
        first, _, second = account.positions
        first.quantity, second.quantity = -1, 1
    assert account.positions[f"{BTC}:short"] is first
    consistent(account)


def test_a_position_belongs_to_one_account(account: mw.Account) -> None:
    other = mw.presets.ref2()
    bitcoin = other.positions[BTC]
    with pytest.raises(TraitError, match="another account"):
        account.positions.append(bitcoin)
    with pytest.raises(TraitError, match="another account"):
        mw.Account(venue=account.venue, positions=[bitcoin])
    other.positions.remove(bitcoin)
    bitcoin.quantity = -0.5
    assert other.revision == 2, "it is no longer heard by its former account"
    account.positions.append(bitcoin)
    bitcoin.quantity = -0.4
    assert account.cross.positions[f"{BTC}:short"].notional == 40_000
    assert other.positions.keys() == [ETH]
    other.undo()
    assert other.positions[BTC] is not bitcoin and other.positions[BTC].quantity == 0.5
    consistent(account)
    consistent(other)


def test_copies_are_independent(account: mw.Account) -> None:
    account.marks[BTC] = 99_000
    twin = account.copy()
    assert twin.to_dict() == account.to_dict()
    assert not twin.can_undo
    twin.positions[BTC].quantity = 3
    twin.marks[ETH] = 3_000
    twin.collateral["USDT"] = 1
    assert account.positions[BTC].quantity == 0.5
    assert account.marks[ETH] == 4_000 and account.collateral["USDT"] == 10_000
    assert {row.id for row in twin.positions}.isdisjoint(row.id for row in account.positions)


def test_reports_do_not_change(account: mw.Account) -> None:
    report = account.cross
    equity, price = report.equity, report.positions[BTC].liquidation_price
    account.marks[BTC] = 90_000
    assert account.cross is not report
    assert (report.equity, report.positions[BTC].liquidation_price) == (equity, price)
    with pytest.raises(TraitError):
        account.cross = report
    with pytest.raises(TraitError):
        account.revision = 7


# ------------------------------------------------------------------ threads


def test_edits_from_several_threads_are_whole(account: mw.Account) -> None:
    """Two marks always move together; no report may ever show one without the other."""
    torn: list[Any] = []
    done: list[int] = []

    def hear(change: Any) -> None:
        marks = change["new"].books.marks
        if not np.isclose(marks[0], 25 * marks[1]):
            torn.append(marks)

    account.observe(hear, "cross")

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            with account.edit():
                price = chance.uniform(3_000, 5_000)
                account.marks[ETH] = price
                account.marks[BTC] = 25 * price
        done.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 4 and not torn
    assert account.revision == 161
    consistent(account)
    while account.undo():
        pass
    assert account.marks == {BTC: 100_000, ETH: 4_000}
