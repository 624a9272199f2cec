"""Bad input: the message names field, value and bound, and the former state stays whole."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
import traitlets

import margin_widgets as mw

NAN, INF, HUGE = float("nan"), float("inf"), 1e308

# field: what to try there, beside what every number refuses
REFUSED_EVERYWHERE: list[Any] = [NAN, INF, -INF, HUGE, "much", "", [1.0]]
REFUSED: dict[str, list[Any]] = {
    "quantity": [0, None],
    "entry_price": [0, -1, None],
    "leverage": [0, -10, None],
    "margin": [-1],
    "marks": [0, -1, None],
    "collateral": [None],
    "prices": [0, -1, None],
    "order_margin": [-1, None],
}
CASES = [(field, value) for field, own in REFUSED.items() for value in own + REFUSED_EVERYWHERE]

# what the message says of the bound, by the kind of value
BOUND = {
    "zero": r"zero|positive|greater than 0|above 0|> 0",
    "negative": r"negative|positive|at least 0|greater than 0|above 0|> 0|>= 0",
    "not finite": r"finite",
    "huge": r"1e\+?15|1,000,000,000,000,000|at most \d",
    "text": r"number",
}


def kind(value: Any) -> str:
    if not isinstance(value, (int, float)):
        return "text"
    if value != value or value in (INF, -INF):
        return "not finite"
    if value == HUGE:
        return "huge"
    return "zero" if value == 0 else "negative"


def name_of(case: Any) -> str | None:
    return case if isinstance(case, str) and case in REFUSED else repr(case)


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


class Unchanged:
    """Nothing of the account has moved: document, reports, revision, history."""

    def __init__(self, account: mw.Account) -> None:
        self.account = account
        self.before = self.state()

    def state(self) -> Any:
        account = self.account
        frames = [r.to_frame().to_json() for r in (account.isolated, account.cross)]
        return (
            json.dumps(account.to_dict(), sort_keys=True),
            frames,
            account.cross.equity,
            account.revision,
            account.can_undo,
            account.can_redo,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            assert self.state() == self.before


def setters(account: mw.Account, field: str, value: Any) -> list[Callable[[], Any]]:
    """The ways to bring a value into a field of an account that exists."""
    ways: list[Callable[[], Any]] = []
    if field in ("quantity", "entry_price", "leverage", "margin"):
        ways.append(lambda: setattr(account.positions["BTCUSDT"], field, value))
    elif field == "order_margin":
        ways.append(lambda: setattr(account, "order_margin", value))
    else:
        key = "BTCUSDT" if field == "marks" else "USDT"
        mapping = getattr(account, field)
        ways.append(lambda: mapping.__setitem__(key, value))
        ways.append(lambda: setattr(account, field, {**dict(mapping), key: value}))
    return ways


def names_the_value(message: str, value: Any) -> bool:
    if isinstance(value, float) and abs(value) == INF:
        return "inf" in message
    forms = {str(value), repr(value)}
    if isinstance(value, (int, float)):
        forms |= {f"{value:g}", f"{value:,}"}
    if value == "":
        forms = {"''", '""', "empty"}
    return any(form in message for form in forms)


@pytest.mark.parametrize(("field", "value"), CASES, ids=name_of)
def test_a_bad_value_is_refused_with_field_value_and_bound(
    account: mw.Account, field: str, value: Any
) -> None:
    for way in setters(account, field, value):
        with Unchanged(account):
            with pytest.raises(traitlets.TraitError) as caught:
                way()
            message = str(caught.value)
            words = field.replace("_", "[ _]").rstrip("s")
            assert re.search(words, message), f"the field is not named: {message}"
            assert names_the_value(message, value), f"the value is not named: {message}"
            assert re.search(BOUND[kind(value)], message), f"the bound is not named: {message}"


@pytest.mark.parametrize(("field", "value"), CASES, ids=name_of)
def test_a_bad_value_is_refused_by_the_constructors(field: str, value: Any) -> None:
    position: dict[str, Any] = {"quantity": 0.5, "entry_price": 100_000.0}
    account: dict[str, Any] = {"collateral": {"USDT": 1e4}, "marks": {"BTCUSDT": 1e5}}
    if field in ("quantity", "entry_price", "leverage", "margin"):
        position[field] = value
    elif field == "order_margin":
        account[field] = value
    else:
        account[field] = {"BTCUSDT" if field == "marks" else "USDT": value}
    with pytest.raises(traitlets.TraitError):
        mw.Account(
            venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}),
            positions=[mw.Position("BTCUSDT", **position)],
            **account,
        )


@pytest.mark.parametrize("value", [-5.0, 0.0])
def test_what_is_allowed(account: mw.Account, value: float) -> None:
    """A loan, an empty wallet: collateral may be zero or negative."""
    account.collateral["USDT"] = value
    assert account.cross.wallet_balance == value
    assert account.cross.status == "below maintenance"


@pytest.mark.parametrize("value", [-0.1, 1.5, NAN, "x"])
def test_a_haircut_is_a_share(account: mw.Account, value: Any) -> None:
    with Unchanged(account), pytest.raises(traitlets.TraitError, match="haircut"):
        account.haircuts["USDT"] = value


def test_the_message_names_the_position(account: mw.Account) -> None:
    with pytest.raises(traitlets.TraitError, match=r"ETHUSDT.*quantity.*0"):
        account.positions["ETHUSDT"].quantity = 0
    with pytest.raises(traitlets.TraitError, match=r"ETHUSDT"):
        account.marks["ETHUSDT"] = -3


# ------------------------------------------------------------------ names


def test_an_unknown_symbol_is_named_with_near_ones() -> None:
    account = mw.Account(venue="binance-usdm", collateral={"USDT": 1_000})
    with Unchanged(account):
        with pytest.raises(traitlets.TraitError) as caught:
            account.positions.append(mw.Position("BTCUSDTT", quantity=1, entry_price=100))
        assert "BTCUSDTT" in str(caught.value)
        assert re.search(r"BTCUSDT(?!T)", str(caught.value)), "no near symbol is suggested"


def test_an_unknown_symbol_of_the_constructor_is_named() -> None:
    with pytest.raises(traitlets.TraitError, match="NOPEUSDT"):
        mw.Account(
            venue="binance-usdm",
            collateral={"USDT": 1_000},
            positions=[mw.Position("NOPEUSDT", quantity=1, entry_price=100)],
        )


def test_an_unknown_venue_is_named() -> None:
    with pytest.raises((traitlets.TraitError, mw.venues.RuleError), match="binance-usmd"):
        mw.Account(venue="binance-usmd", collateral={"USDT": 1})


def test_an_unknown_margin_mode_is_named_with_the_known_ones(account: mw.Account) -> None:
    with Unchanged(account):
        with pytest.raises(traitlets.TraitError) as caught:
            account.positions["BTCUSDT"].margin_mode = "crossed"
        for word in ("margin", "crossed", "cross", "isolated"):
            assert word in str(caught.value)
    with pytest.raises(traitlets.TraitError, match="crossed"):
        mw.Position("BTCUSDT", quantity=1, entry_price=1, margin_mode="crossed")


def test_an_unknown_keyword_is_refused_with_a_suggestion() -> None:
    with pytest.raises(TypeError, match=r"quantty.*quantity"):
        mw.Position("BTCUSDT", quantty=1, entry_price=1)
    with pytest.raises(TypeError, match=r"leverge.*leverage"):
        mw.Position("BTCUSDT", quantity=1, entry_price=1, leverge=3)
    with pytest.raises(TypeError, match=r"colateral.*collateral"):
        mw.Account(venue="binance-usdm", colateral={"USDT": 1})
    with pytest.raises(TypeError, match=r"taker_fees.*taker_fee"):
        mw.venues.generic(tiers={"BTCUSDT": 0.005}, taker_fees=0.1)


def test_an_unknown_attribute_does_not_pass_silently(account: mw.Account) -> None:
    with Unchanged(account), pytest.raises((AttributeError, traitlets.TraitError)):
        account.positions["BTCUSDT"].quantty = 3


def test_an_asset_without_price_is_named(account: mw.Account) -> None:
    with Unchanged(account), pytest.raises(traitlets.TraitError, match="DOGE"):
        account.collateral["DOGE"] = 5


def test_two_legs_of_one_side_are_refused(account: mw.Account) -> None:
    with Unchanged(account), pytest.raises(traitlets.TraitError, match="BTCUSDT"):
        account.positions.append(mw.Position("BTCUSDT", quantity=1, entry_price=90_000))


@pytest.mark.parametrize("symbol", ["", " ", None, 5])
def test_a_symbol_is_a_text(symbol: Any) -> None:
    with pytest.raises(traitlets.TraitError, match="symbol"):
        mw.Position(symbol, quantity=1, entry_price=1)


def test_a_symbol_with_markup_is_kept_as_text() -> None:
    symbol = "<img src=x onerror=alert(1)>USDT"
    account = mw.Account(
        venue=mw.venues.generic(tiers={symbol: 0.005}),
        collateral={"USDT": 1_000},
        positions=[mw.Position(symbol, quantity=1, entry_price=100)],
        marks={symbol: 100},
    )
    again = mw.Account.from_dict(json.loads(json.dumps(account.to_dict())))
    assert again.to_dict() == account.to_dict()
    assert again.positions[0].symbol == symbol
    assert list(again.cross.positions) == [symbol]
    html = getattr(account, "_repr_html_", lambda: "")() or ""
    assert "<img" not in html


# ------------------------------------------------------------------ rules


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ([(0, 0.004), (300_000, 0.005), (200_000, 0.01)], "3"),  # floors fall
        ([(0, 0.004), (300_000, 0.005), (300_000, 0.01)], "3"),  # the same floor twice
        ([(0, 0.004), (300_000, 0.003)], "2"),  # the rate falls
        ([(100, 0.004), (300_000, 0.005)], "1"),  # nothing below 100
        ([(0, -0.004)], "1"),
        ([(0, 0.004), (300_000, NAN)], "2"),
        ([(0, 0.004), (INF, 0.005)], "2"),
        ([(0, 0.004), (300_000, "x")], "2"),
        ([(0, 0.004), (300_000,)], "2"),
    ],
)
def test_a_bad_tier_table_is_refused_by_row(table: Any, row: str) -> None:
    with pytest.raises(mw.venues.RuleError) as caught:
        mw.venues.generic(tiers={"BTCUSDT": table})
    assert "BTCUSDT" in str(caught.value)
    assert re.search(rf"row {row}\b", str(caught.value)), str(caught.value)


def test_amounts_that_leave_a_gap_are_refused_by_file_and_row(tmp_path: Path) -> None:
    """0.4 % of 300,000 and 0.5 % less the amount must meet: the amount is 300, not 299."""
    rows = [[0, 0.004, 100, 0], [300_000, 0.005, 50, 299]]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"name": "mine", "tiers": {"BTCUSDT": rows}}), encoding="utf-8")
    with pytest.raises(mw.venues.RuleError) as caught:
        mw.venues.load(path)
    for word in ("mine.json", "BTCUSDT", "row 2", "299", "300"):
        assert word in str(caught.value)
    rows[1][3] = 300
    path.write_text(json.dumps({"name": "mine", "tiers": {"BTCUSDT": rows}}), encoding="utf-8")
    assert mw.venues.load(path).maintenance_amounts("BTCUSDT") == (0, 300)


def test_an_unknown_field_of_a_rule_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"name": "mine", "taker_fees": 0.1}), encoding="utf-8")
    with pytest.raises(mw.venues.RuleError, match=r"mine\.json.*taker_fees.*taker_fee"):
        mw.venues.load(path)


def test_an_empty_tier_table_is_refused() -> None:
    with pytest.raises(mw.venues.RuleError, match="BTCUSDT"):
        mw.venues.generic(tiers={"BTCUSDT": []})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("maintenance_at", "entri"),
        ("trigger", ">"),
        ("cross_pool", "all"),
        ("residual", "keep"),
        ("taker_fee", -0.1),
        ("taker_fee", NAN),
        ("liquidation_fee", -0.1),
    ],
)
def test_a_bad_rule_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(mw.venues.RuleError, match=field):
        mw.venues.generic(tiers={"BTCUSDT": 0.005}, **{field: value})


# ------------------------------------------------------------------ documents


@pytest.fixture
def document(account: mw.Account, tmp_path: Path) -> Path:
    path = tmp_path / "book.margin.json"
    account.save(path)
    return path


def test_a_saved_book_opens_with_the_same_digits(account: mw.Account, document: Path) -> None:
    again = mw.load(document)
    assert again.to_dict() == account.to_dict()
    assert again.cross.positions["BTCUSDT"].liquidation_price == (
        account.cross.positions["BTCUSDT"].liquidation_price
    )


def test_a_truncated_document(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    document.write_text(text[: len(text) // 2], encoding="utf-8")
    with pytest.raises(mw.DocumentError, match=r"book\.margin\.json"):
        mw.load(document)


def test_an_empty_document(document: Path) -> None:
    document.write_text("", encoding="utf-8")
    with pytest.raises(mw.DocumentError):
        mw.load(document)


@pytest.mark.parametrize("text", ["[]", "null", "3", '"account"', "{}"])
def test_a_document_that_is_something_else(document: Path, text: str) -> None:
    document.write_text(text, encoding="utf-8")
    with pytest.raises(mw.DocumentError):
        mw.load(document)


def damaged(document: Path, change: Callable[[Any], None]) -> str:
    content = json.loads(document.read_text(encoding="utf-8"))
    change(content)
    document.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(mw.DocumentError) as caught:
        mw.load(document)
    return str(caught.value)


def test_a_field_of_the_wrong_type_is_named(document: Path) -> None:
    def change(content: Any) -> None:
        content["positions"][0]["quantity"] = "half"

    message = damaged(document, change)
    assert "quantity" in message
    assert "half" in message


def test_a_missing_field_is_named(document: Path) -> None:
    def change(content: Any) -> None:
        del content["positions"][1]["entry_price"]

    assert "entry_price" in damaged(document, change)


def test_a_value_out_of_bounds_is_named(document: Path) -> None:
    def change(content: Any) -> None:
        content["positions"][0]["leverage"] = -3

    message = damaged(document, change)
    assert "leverage" in message
    assert "-3" in message


def test_a_newer_document_says_which_version_is_needed(document: Path) -> None:
    def change(content: Any) -> None:
        (key,) = [k for k in content if "version" in k and isinstance(content[k], int)]
        content[key] = 999

    message = damaged(document, change)
    assert "999" in message
    assert "newer" in message


def test_a_document_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises((FileNotFoundError, mw.DocumentError), match=r"none\.margin\.json"):
        mw.load(tmp_path / "none.margin.json")


# ------------------------------------------------------------------ transactions


def test_a_failed_edit_rolls_back_as_a_whole(account: mw.Account) -> None:
    seen: list[Any] = []
    account.observe(seen.append, "revision")

    def edits() -> None:
        with account.edit():
            account.collateral["USDT"] = 1
            account.marks["ETHUSDT"] = 3_000
            account.positions["BTCUSDT"].quantity = 0.6
            account.positions.append(
                mw.Position("BTCUSDT", quantity=-0.1, entry_price=100_000, leverage=5)
            )
            account.positions["ETHUSDT"].quantity = NAN

    with Unchanged(account), pytest.raises(traitlets.TraitError, match="quantity"):
        edits()
    assert account.collateral["USDT"] == 10_000
    assert account.marks["ETHUSDT"] == 4_000
    assert account.positions["BTCUSDT"].quantity == 0.5
    assert len(account.positions) == 2
    assert not seen


def test_any_error_inside_an_edit_rolls_back(account: mw.Account) -> None:
    def edits() -> None:
        with account.edit():
            account.positions["BTCUSDT"].quantity = 0.6
            del account.positions["ETHUSDT"]
            raise RuntimeError("something else")

    with Unchanged(account), pytest.raises(RuntimeError, match="something else"):
        edits()


def test_an_edit_is_judged_by_its_end(account: mw.Account) -> None:
    """What is wrong in between and right at the end passes."""
    with account.edit():
        del account.positions["BTCUSDT"]
        account.positions.append(mw.Position("BTCUSDT", quantity=-1, entry_price=100_000))
    assert account.cross.positions["BTCUSDT"].side == "short"


def test_margin_above_the_wallet_is_allowed_and_flagged(account: mw.Account) -> None:
    assert not account.warnings
    account.positions["BTCUSDT"].margin = 50_000
    assert account.isolated.positions["BTCUSDT"].margin == 50_000
    assert any("USDT" in warning and "margin" in warning for warning in account.warnings)
    account.undo()
    assert not account.warnings


def test_a_loan_is_not_taken_for_assigned_margin() -> None:
    """Nothing is assigned in USD: its negative balance is no reason for a warning about margin."""
    account = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}, currency="USD"),
        collateral={"USD": -100, "USDT": 10_000},
        positions=[mw.Position("BTCUSDT", quantity=0.1, entry_price=60_000)],
        marks={"BTCUSDT": 60_000},
    )
    assert not any("assigned margin" in warning for warning in account.warnings)


@pytest.mark.parametrize("move", [-1, -2, NAN, INF, "x"])
def test_a_bad_shock_is_refused(account: mw.Account, move: Any) -> None:
    with pytest.raises((ValueError, traitlets.TraitError), match="shock"):
        account.cross.collateral_to_survive(move)


@pytest.mark.parametrize("price", [0, -5, NAN, INF, "x"])
def test_a_bad_price_to_solve_for_is_refused(account: mw.Account, price: Any) -> None:
    with Unchanged(account):
        with pytest.raises(traitlets.TraitError, match="price"):
            mw.solve.margin_for_liquidation(account, "BTCUSDT", price)
        with pytest.raises(traitlets.TraitError, match="price"):
            mw.solve.wallet_for_liquidation(account, "BTCUSDT", price)


def test_an_unknown_symbol_to_solve_for_is_named(account: mw.Account) -> None:
    for solver in (mw.solve.margin_for_liquidation, mw.solve.wallet_for_liquidation):
        with pytest.raises((KeyError, ValueError, traitlets.TraitError), match="NOPE"):
            solver(account, "NOPE", 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbol": "NOPE"},
        {"symbol": "BTCUSDT", "low": 5, "high": 3},
        {"symbol": "BTCUSDT", "low": 0},
        {"symbol": "BTCUSDT", "low": NAN},
        {"symbol": "BTCUSDT", "points": 1},
        {"shock": True, "low": -1.5},
        {"symbol": "BTCUSDT", "marks": {"NOPE": 1}},
        {"symbol": "BTCUSDT", "marks": {"ETHUSDT": -1}},
    ],
)
def test_a_bad_range_of_a_curve_is_refused(account: mw.Account, wrong: dict[str, Any]) -> None:
    with (
        Unchanged(account),
        pytest.raises(
            (KeyError, ValueError, traitlets.TraitError),
            match=r"NOPE|high|low|points|ETHUSDT",
        ),
    ):
        account.curve(**wrong)


def test_a_missing_mark_is_flagged() -> None:
    account = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}),
        collateral={"USDT": 1_000},
        positions=[mw.Position("BTCUSDT", quantity=0.1, entry_price=50_000)],
    )
    assert account.cross.unrealized_pnl == 0
    assert any("BTCUSDT" in warning for warning in account.warnings)
