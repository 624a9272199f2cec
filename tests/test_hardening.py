"""The models under pressure: threads, copies, stale handles, re-run cells, odd values."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import threading
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from traitlets import TraitError

import margin_widgets as mw
from margin_widgets.venues import RuleError

BTC, ETH = "BTCUSDT", "ETHUSDT"


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


def run(*works: Callable[[], Any]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


# ------------------------------------------------------------------ threads


def test_no_update_of_a_mapping_is_lost(account: mw.Account) -> None:
    def adding(worker: int) -> Callable[[], None]:
        def add() -> None:
            for number in range(60):
                account.marks[f"M{worker}X{number}USDT"] = 1 + number

        return add

    run(*(adding(worker) for worker in range(6)))
    assert len(account.marks) == 2 + 360
    assert account.revision == 361
    assert account.state.marks == account.marks


def test_no_position_is_lost() -> None:
    rules = mw.venues.generic(tiers={f"S{n}USDT": 0.01 for n in range(80)})
    account = mw.Account(venue=rules, collateral={"USDT": 1})

    def appending(worker: int) -> Callable[[], None]:
        def append() -> None:
            for number in range(20):
                account.positions.append(mw.Position(f"S{20 * worker + number}USDT", 1, 1))

        return append

    run(*(appending(worker) for worker in range(4)))
    assert len(account.positions) == 80


@pytest.mark.parametrize("kind", ["position", "mapping", "trait"])
def test_an_edit_survives_one_that_fails_in_another_thread(account: mw.Account, kind: str) -> None:
    within, tried = threading.Event(), threading.Event()

    def fails() -> None:
        with pytest.raises(ZeroDivisionError), account.edit():  # noqa: PT012 - the block is the test
            account.marks[BTC] = 1
            within.set()
            tried.wait(0.2)
            _ = 1 / 0

    def succeeds() -> None:
        within.wait(10)
        threading.Timer(0.05, tried.set).start()
        if kind == "position":
            account.positions[ETH].quantity = 7
        elif kind == "mapping":
            account.collateral["USDT"] = 7
        else:
            account.order_margin = 7

    run(fails, succeeds)
    here = (account.positions[ETH].quantity, account.collateral["USDT"], account.order_margin)
    assert 7 in here
    assert account.revision == 2
    assert account.marks[BTC] == 100_000


def test_a_refused_write_is_the_same_error_and_leaves_all_as_it_was(account: mw.Account) -> None:
    before = account.to_dict()
    for write in (
        lambda: setattr(account.positions[BTC], "quantity", 0),
        lambda: setattr(account, "order_margin", -1),
        lambda: account.marks.update({BTC: 1, ETH: -1}),
        lambda: account.positions.extend([mw.Position("XUSDT", 1, 1)]),
    ):
        with pytest.raises(TraitError):
            write()
    assert account.to_dict() == before
    assert account.revision == 1


# ------------------------------------------------------------------ copies


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_accounts_and_positions_can_be_copied(account: mw.Account, way: Any) -> None:
    account.haircuts["USDT"] = [(0, 0.0), (5_000, 0.1)]
    twin = way(account)
    assert twin is not account
    assert twin.state == account.state
    twin.positions[BTC].quantity = 3
    assert account.positions[BTC].quantity == 0.5
    alone = way(account.positions[BTC])
    assert alone.to_dict() == account.positions[BTC].to_dict()
    assert alone.id != account.positions[BTC].id
    alone.quantity = 9
    assert account.revision == 2
    assert way(account.state) == account.state


def test_an_equal_position_in_place_of_another_is_an_edit(account: mw.Account) -> None:
    former, new = account.positions[BTC], account.positions[BTC].copy()
    account.positions[BTC] = new
    assert account.revision == 2
    former.quantity = 3
    assert account.positions[BTC] is new
    assert new.quantity == 0.5
    account.undo()
    assert account.positions[BTC] is former
    assert former.quantity == 0.5


def test_a_state_cannot_be_changed(account: mw.Account) -> None:
    for name in ("marks", "collateral", "prices", "haircuts"):
        with pytest.raises(TypeError):
            getattr(account.state, name)["X"] = 1
    assert account.state.replace(name="other").marks == account.state.marks


# ------------------------------------------------------------------ edits within edits


def test_a_failed_edit_within_another_is_taken_back_alone(account: mw.Account) -> None:
    heard: list[Any] = []
    account.observe(heard.append, ["marks", "collateral", "positions"])
    ether, stranger = account.positions[ETH], mw.Position(BTC, -1, 100_000)
    with account.edit():
        account.collateral["USDT"] = 9_000
        ether.leverage = 4
        with pytest.raises(ZeroDivisionError), account.edit():  # noqa: PT012 - the block is the test
            account.marks[BTC] = 1
            ether.leverage = 2
            del account.positions[ETH]
            account.positions.append(stranger)
            _ = 1 / 0
        assert account.positions[ETH] is ether
        assert ether.leverage == 4
    assert account.marks[BTC] == 100_000
    assert account.state.positions[1].leverage == 4
    assert [change["name"] for change in heard] == ["collateral"]
    assert account.revision == 2
    mw.Account(venue=account.venue, positions=[stranger])  # it is free
    account.undo()
    assert (ether.leverage, account.collateral["USDT"]) == (10, 10_000)


def test_a_position_that_came_and_went_within_an_edit_is_free(account: mw.Account) -> None:
    position = mw.Position(BTC, -1, 100_000)
    with account.edit():
        account.positions.append(position)
        account.positions.remove(position)
    assert account.revision == 1
    mw.Account(venue=account.venue, positions=[position])


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.positions.clear(),
        lambda a: a.positions.reverse(),
        lambda a: a.positions.extend([mw.Position(s, -1, 5_000) for s in (BTC, ETH)]),
        lambda a: a.positions.__iadd__([mw.Position(s, -1, 5_000) for s in (BTC, ETH)]),
        lambda a: a.positions.pop(),
        lambda a: a.positions.pop(BTC),
        lambda a: a.marks.clear(),
        lambda a: a.marks.pop(BTC),
        lambda a: a.marks.__ior__({BTC: 5, ETH: 6}),
        lambda a: a.collateral.pop("USDT"),
    ],
)
def test_one_call_is_one_edit(account: mw.Account, change: Any) -> None:
    before = account.to_dict()
    change(account)
    assert account.revision == 2
    assert account.to_dict() != before
    account.undo()
    assert account.to_dict() == before
    assert not account.can_undo


def test_mappings_join_as_dicts_do(account: mw.Account) -> None:
    account.marks |= {BTC: 90_000, "SOLUSDT": 150}
    assert account.marks == {BTC: 90_000, ETH: 4_000, "SOLUSDT": 150}
    assert account.revision == 2
    assert account.marks | {ETH: 1} == {BTC: 90_000, ETH: 1, "SOLUSDT": 150}
    assert type({ETH: 1} | account.marks) is dict
    assert account.marks.pop("none", 3) == 3
    account.positions += [mw.Position(BTC, -1, 100_000)]
    assert account.revision == 3


# ------------------------------------------------------------------ handles


def test_a_handle_edits_the_row_that_an_undo_brought_back(account: mw.Account) -> None:
    ether, row = account.positions[ETH], account.positions[ETH].id
    del account.positions[ETH]
    ether.quantity = 3
    assert account.revision == 2
    account.undo()
    assert account.positions[ETH] is ether
    assert (ether.id, ether.quantity) == (row, 5)
    ether.quantity = 9
    assert account.cross.positions[ETH].notional == 36_000
    account.undo()
    account.redo()
    account.redo()
    assert ether.quantity == 9


def test_a_handle_that_joined_elsewhere_stays_there(account: mw.Account) -> None:
    ether = account.positions.pop(ETH)
    other = mw.Account(venue=account.venue, positions=[ether])
    account.undo()
    assert account.positions[ETH] is not ether
    assert other.positions[ETH] is ether
    account.positions[ETH].quantity = 1
    assert ether.quantity == 5


def test_a_rerun_cell_names_the_remedy() -> None:
    rules = mw.venues.generic(tiers={BTC: 0.01})
    position = mw.Position(BTC, 1, 100_000)
    account = mw.Account(venue=rules, positions=[position])
    with pytest.raises(TraitError, match=r"another account.*\.copy\(\)"):
        mw.Account(venue=rules, positions=[position])
    assert mw.Account(venue=rules, positions=[position.copy()]).positions.keys() == [BTC]
    del account
    gc.collect()
    again = mw.Account(venue=rules, positions=[position])
    position.quantity = 2
    assert again.cross.positions[BTC].notional == 200_000


# ------------------------------------------------------------------ keys and names


@pytest.mark.parametrize("symbol", ["X:long", " X:short "])
def test_a_symbol_cannot_look_like_a_leg(symbol: str) -> None:
    with pytest.raises(TraitError, match="must not end in"):
        mw.Position(symbol, 1, 1)


def test_row_ids_are_not_keys(account: mw.Account) -> None:
    row = account.positions[BTC].id
    assert row not in account.positions
    with pytest.raises(KeyError, match="no position"):
        account.positions[row]
    assert account.positions.by_id(row) is account.positions[BTC]
    assert account.positions.by_id("none") is None
    with pytest.raises(AttributeError):
        account.positions[BTC].id = "mine"


def test_names_are_stripped(account: mw.Account) -> None:
    account.marks[f" {BTC} "] = 90_000
    account.prices = {" BTC": 5}
    assert account.marks == {BTC: 90_000, ETH: 4_000}
    assert account.prices == {"BTC": 5}
    with pytest.raises(TraitError, match="given twice"):
        account.marks = {BTC: 1, f"{BTC} ": 2}


@pytest.mark.parametrize(
    ("look", "error", "words"),
    [
        (lambda a: a.marks["BTCUSTD"], KeyError, "did you mean 'BTCUSDT'"),
        (lambda a: a.marks.pop("BTCUSTD"), KeyError, "did you mean 'BTCUSDT'"),
        (lambda a: a.marks.__delitem__("BTCUSTD"), KeyError, "did you mean 'BTCUSDT'"),
        (lambda a: a.mark("BTCUSTD"), KeyError, "did you mean 'BTCUSDT'"),
        (lambda a: a.asset_price("USTD"), KeyError, "did you mean 'USDT'"),
        (lambda a: a.positions[None], TypeError, "None is not a number, a key"),
        (lambda a: a.positions[1.5], TypeError, "1.5 is not a number, a key"),
        (lambda a: a.positions.remove(mw.Position("X", 1, 1)), KeyError, "not a position of this"),
        (lambda a: a.positions.remove("X"), KeyError, "no position 'X'"),
        (lambda a: setattr(a, "save", 1), AttributeError, "save is a method"),
        (lambda a: setattr(a.positions[0], "copy", 1), AttributeError, "copy is a method"),
    ],
)
def test_what_is_not_there_is_told_in_words(
    account: mw.Account, look: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        look(account)
    assert account.revision == 1


def test_positions_by_any_whole_number(account: mw.Account) -> None:
    assert account.positions[np.int64(1)] is account.positions[1]
    assert None not in account.positions
    assert account.marks.get("none") is None


def test_notifications_can_still_be_held(account: mw.Account) -> None:
    with account.hold_trait_notifications():
        account.order_margin = 5
        account.name = "held"
    assert (account.state.order_margin, account.state.name) == (5, "held")


# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize(
    "value",
    [10**400, -(10**5000), Fraction(10**400), Decimal("sNaN"), Decimal("1e400")],
    ids=["long", "longer than text", "fraction", "signalling", "decimal"],
)
@pytest.mark.parametrize("field", ["quantity", "margin", "marks", "collateral"])
def test_numbers_no_float_can_hold(account: mw.Account, field: str, value: Any) -> None:
    model = account.positions[BTC] if field in ("quantity", "margin") else account
    with pytest.raises(TraitError, match="not finite"):
        setattr(model, field, value if model is not account else {"USDT": value})


@pytest.mark.parametrize("value", [5e-324, 1e-320, 9e-16])
def test_vanishing_amounts(account: mw.Account, value: float) -> None:
    for field in ("quantity", "entry_price", "leverage", "margin"):
        with pytest.raises(TraitError, match="at least 1e-15"):
            setattr(account.positions[BTC], field, value)
    for field in ("marks", "prices", "collateral"):
        with pytest.raises(TraitError, match="at least 1e-15"):
            setattr(account, field, {"USDT": value})
    account.collateral["USDT"] = 0
    account.marks[BTC] = 1e-15


# ------------------------------------------------------------------ rules


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"closing_fee_in_maintenance": "no"}, "closing_fee_in_maintenance: 'no' must be True"),
        ({"known_symbols_only": 1}, "known_symbols_only: 1"),
        ({"name": 5}, "name: 5"),
        ({"title": None}, "title: None"),
        ({"version": 2}, "version: 2"),
        ({"date": 20260101}, "date: 20260101"),
        ({"currency": None}, "currency: None"),
        ({"currency": " "}, "currency: ' '"),
        ({"sources": "one"}, "sources: 'one' must be several"),
        ({"not_modelled": [5]}, "not_modelled: 5"),
        ({"taker_fee": "0.1"}, "taker_fee: '0.1'"),
        ({"taker_fee": True}, "taker_fee: True"),
        ({"tiers": [1]}, r"tiers: \[1\] must be a mapping"),
        ({"tiers": {5: 0.1}}, "tiers, key: 5"),
        ({"tiers": {"A": None}}, "tiers of A: None"),
        ({"tiers": {"A": "ab"}}, "tiers of A: 'ab'"),
        ({"tiers": {"A": True}}, "tiers of A: True"),
        ({"tiers": {"A": [(0, "0.01")]}}, "tiers of A, row 1"),
        ({"haircuts": {"A": "0.1"}}, "haircuts of A: '0.1'"),
        ({"contracts": [1]}, r"contracts: \[1\]"),
        ({"contracts": {"A": 5}}, "contracts of A: 5 is not a Contract"),
        ({"contracts": {"A": {"knd": "linear"}}}, "unknown field 'knd'; did you mean 'kind'"),
        ({"default_contract": 5}, "default_contract: 5"),
    ],
)
def test_a_part_of_the_wrong_kind_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(RuleError, match=words):
        mw.venues.generic(**settings)


@pytest.mark.parametrize(
    "fields",
    [
        {"expiry": "banana"},
        {"expiry": 5},
        {"base": 5},
        {"quote": ""},
        {"multiplier": True},
        {"multiplier": "100"},
        {"multiplier": 1e300},
        {"multiplier": 1e-16},
        {"tick": 0},
        {"tick": 10**400},
    ],
)
def test_a_contract_field_of_the_wrong_kind_is_named(fields: dict[str, Any]) -> None:
    with pytest.raises(RuleError, match=f"contract {next(iter(fields))}"):
        mw.Contract(**fields)


def test_numbers_of_other_libraries_are_numbers() -> None:
    contract = mw.Contract(multiplier=np.int64(100), tick=Decimal("0.5"), expiry="2026-12-25")
    assert (contract.multiplier, contract.tick) == (100, 0.5)
    rules = mw.venues.generic(
        tiers={"A": Decimal("0.01"), "B": [(np.int64(0), np.float32(0.5))], "C": np.float64(0.1)},
        haircuts={"BTC": Fraction(1, 4)},
        taker_fee=Decimal("0.001"),
        contracts={"A": {"kind": "linear", "multiplier": 2}},
    )
    assert [rules.tiers[symbol][0].rate for symbol in "ABC"] == [0.01, 0.5, 0.1]
    assert rules.haircuts["BTC"] == ((0, 0.25),)
    assert rules.contract("A").multiplier == 2
    json.dumps(mw.venues.to_mapping(rules))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"tiers": {}}, "'name' is missing"),
        ({"name": 5}, "name: 5"),
        ({"name": "x", "tiers": 5}, "tiers: 5 must be a mapping"),
        ({"name": "x", "tiers": {"A": 5}}, "rate 5 is not within"),
        ({"name": "x", "tiers": {"A": None}}, "tiers of A: None"),
        ({"name": "x", "tiers": {"A": [[None, 0.1]]}}, "row 1.*not a number"),
        ({"name": "x", "tiers": {"A": [[0, "0.1"]]}}, "row 1.*not a number"),
        ({"name": "x", "contracts": 5}, "contracts: 5"),
        ({"name": "x", "sources": None}, "sources: None"),
        ({"name": "x", "haircuts": {"A": {}}}, "haircuts of A"),
    ],
)
def test_a_bad_rule_file_is_told_in_words(tmp_path: Path, document: Any, words: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(RuleError, match=rf"mine\.json: .*{words}"):
        mw.venues.load(path)


def test_changed_rules_do_not_keep_their_label() -> None:
    shipped = mw.venues.get("binance-usdm")
    changed = shipped.replace(taker_fee=0.001)
    assert changed.label == "binance-usdm · v1+changed · 2026-05-01"
    assert changed.replace(taker_fee=0.002).label == changed.label
    assert shipped.replace(taker_fee=shipped.taker_fee) == shipped
    assert shipped.replace(taker_fee=0.001, version="7").version == "7"
    assert shipped.replace(taker_fee=0.001, name="mine").label == "mine · v1 · 2026-05-01"
    account = mw.Account(venue=changed)
    assert mw.Account.from_dict(account.to_dict()).venue == changed


def test_rules_show_themselves_briefly() -> None:
    rules = mw.venues.generic(name="<b>", title="<i>", tiers={"A": 0.1}, date="2026-01-02")
    assert repr(rules) == "RuleSet('<b>', version '1', 2026-01-02; 1 symbol)"
    html = rules._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "<i>" not in html
