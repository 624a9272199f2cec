"""Explanations are true: what they substitute gives the figure that they explain."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator

import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

import margin_widgets as mw
from margin_widgets.account.explanation import Explanation, explain
from margin_widgets.account.explanation.path import ACCOUNT_PATHS, POSITION_PATHS

PRESETS = (
    mw.presets.ref2,
    mw.presets.hedged_pair,
    mw.presets.bitcoin_on_bitcoin,
    mw.presets.multi_asset,
    mw.presets.inverse,
    mw.presets.exchange_account,
)
MODES = ("isolated", "cross", "configured")
PAIRS = ("liquidation_prices", "liquidation_shocks")
SCRIPT = "<script>alert(1)</script>"


# ------------------------------------------------------------------ reading a substituted line


class Interval:
    """All values that numbers printed with ten digits can stand for."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    @classmethod
    def printed(cls, value: float) -> Interval:
        half = 6e-10 * abs(value) + 6e-13
        return cls(value - half, value + half)

    @classmethod
    def hull(cls, values: list[float]) -> Interval:
        if any(math.isnan(value) for value in values):
            return cls(-math.inf, math.inf)
        return cls(min(values), max(values))

    def combine(self, other: Interval, operator: ast.operator) -> Interval:
        corners = [(a, b) for a in (self.low, self.high) for b in (other.low, other.high)]
        if isinstance(operator, ast.Add):
            return Interval(self.low + other.low, self.high + other.high)
        if isinstance(operator, ast.Sub):
            return Interval(self.low - other.high, self.high - other.low)
        if isinstance(operator, ast.Mult):
            return Interval.hull([a * b for a, b in corners])
        assert isinstance(operator, ast.Div)
        if other.low <= 0 <= other.high:
            return Interval(-math.inf, math.inf)
        return Interval.hull([a / b for a, b in corners])

    def holds(self, value: float, slack: float = 1e-9) -> bool:
        spare = slack * max(abs(value), 1e-6)
        return self.low - spare <= value <= self.high + spare

    @property
    def width(self) -> float:
        return (self.high - self.low) / max(abs(self.low), abs(self.high), 1e-6)


def evaluate(line: str) -> Interval:
    """Arithmetic of a substituted line."""
    text = line.removeprefix("= ").replace("−", "-").replace("·", "*").replace("√", "sqrt")
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    return _evaluate(ast.parse(text, mode="eval").body)


def _evaluate(node: ast.expr) -> Interval:
    if isinstance(node, ast.Constant):
        return Interval.printed(float(node.value))
    if isinstance(node, ast.UnaryOp):
        inner = _evaluate(node.operand)
        assert isinstance(node.op, ast.USub)
        return Interval(-inner.high, -inner.low)
    if isinstance(node, ast.BinOp):
        return _evaluate(node.left).combine(_evaluate(node.right), node.op)
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    values = [_evaluate(one) for one in node.args]
    if node.func.id == "max":
        return Interval(max(v.low for v in values), max(v.high for v in values))
    (value,) = values
    if node.func.id == "sqrt":
        return Interval(math.sqrt(max(value.low, 0.0)), math.sqrt(max(value.high, 0.0)))
    assert node.func.id == "abs"
    low = 0.0 if value.low <= 0 <= value.high else min(abs(value.low), abs(value.high))
    return Interval(low, max(abs(value.low), abs(value.high)))


def printed_number(text: str) -> float:
    found = re.search(r"[+−]?[\d,]+(\.\d+)?", text)
    assert found, text
    return float(found[0].replace(",", "").replace("−", "-"))


def paths(account: mw.Account) -> Iterator[tuple[str, float | None]]:
    """Every path with the figure that it should explain; pairs apart."""
    for mode in MODES:
        report = getattr(account, mode)
        for figure in ACCOUNT_PATHS:
            if figure not in PAIRS:
                value = None if figure == "status" else getattr(report, figure)
                yield f"{mode}.{figure}", value
        for key, one in report.positions.items():
            for figure in POSITION_PATHS:
                if figure not in PAIRS:
                    yield f"{mode}.positions.{key}.{figure}", getattr(one, figure)
    for symbol in account.books.symbols:
        yield f"marks.{symbol}", account.mark(symbol)
    for asset in account.books.assets:
        yield f"collateral.{asset}.price", account.asset_price(asset)
        amount = account.collateral.get(asset, 0.0)
        yield f"collateral.{asset}", amount * account.asset_price(asset)


def check(explanation: Explanation, value: float | None) -> float:
    """Compare with the figure; return how wide the substituted line leaves it open."""
    assert explanation.rules and explanation.assumes and explanation.rounding
    assert explanation.lines and explanation.text
    if value is None:
        assert explanation.value is None
        assert not re.fullmatch(r"[\d.,−–]*", explanation.text), "words, not a number"
        return 0.0
    assert explanation.value == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert explanation.lines[-1] == f"= {explanation.text}"
    assert explanation.lines[-2].startswith("= ")
    worked_out = evaluate(explanation.lines[-2])
    assert worked_out.holds(value), f"{explanation}\n{worked_out.low} {worked_out.high} {value}"
    in_percent = explanation.text.endswith("%")
    shown = printed_number(explanation.text) / (100 if in_percent else 1)
    assert shown == pytest.approx(value, rel=1e-5, abs=0.51e-4 if in_percent else 0.0051)
    return worked_out.width


def check_pair(explanation: Explanation, pair: tuple[float | None, float | None]) -> None:
    """Each side has lines of its own, under a heading."""
    assert explanation.value is None
    results = [n for n, line in enumerate(explanation.lines) if line == _result(line)]
    # every block is: formula, = substituted, = result
    solved = [evaluate(explanation.lines[n - 1]) for n in results if n]
    given_values = [value for value in pair if value is not None]
    assert len(solved) == len(given_values), str(explanation)
    for one, value in zip(solved, given_values, strict=True):
        assert one.holds(value), str(explanation)


def _result(line: str) -> str | None:
    """A result line: one number with a unit."""
    return line if re.fullmatch(r"= [+−]?[\d.,]+[ \N{NO-BREAK SPACE}]\S+", line) else None


# ------------------------------------------------------------------ truth


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.__name__)
def test_substituted_formulas_give_the_figures_of_presets(preset) -> None:
    account = preset()
    for path, value in paths(account):
        width = check(account.explain(path), value)
        assert not value or width < 1e-4, path


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.__name__)
def test_pairs_of_presets(preset) -> None:
    account = preset()
    for mode in MODES:
        report = getattr(account, mode)
        check_pair(account.explain(f"{mode}.liquidation_shocks"), report.liquidation_shocks)
        for key, one in report.positions.items():
            path = f"{mode}.positions.{key}"
            check_pair(account.explain(f"{path}.liquidation_prices"), one.liquidation_prices)
            pool = next(pool for pool in report.pools if pool.name == one.pool)
            check_pair(account.explain(f"{path}.liquidation_shocks"), pool.liquidation_shocks)


@settings(max_examples=60)
@given(strategies.books())
def test_substituted_formulas_give_the_figures_of_drawn_books(spec: strategies.Spec) -> None:
    account = strategies.account(spec)
    for path, value in paths(account):
        check(account.explain(path), value)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["BTCUSDT", "ETHUSDT"]),
            st.sampled_from(["mark", "quantity", "leverage", "wallet", "flip"]),
            st.floats(0.3, 3.0),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_explanations_follow_edits(edits: list[tuple[str, str, float]]) -> None:
    account = mw.presets.ref2()
    for symbol, what, factor in edits:
        position = account.positions[symbol]
        if what == "mark":
            account.marks[symbol] *= factor
        elif what == "wallet":
            account.collateral["USDT"] *= factor
        elif what == "leverage":
            position.leverage = min(125.0, position.leverage * factor)
        else:
            position.quantity *= -factor if what == "flip" else factor
    for path, value in paths(account):
        check(account.explain(path), value)


# ------------------------------------------------------------------ the wording, by kind of account


def lines(account: mw.Account, path: str) -> tuple[str, ...]:
    return account.explain(path).lines


def test_ref2_prices() -> None:
    account = mw.presets.ref2()
    assert lines(account, "cross.positions.BTCUSDT.liquidation_price") == (
        "P = (W + ΣuPnL_other − ΣMM_other + A − q·E) / (|q|·m − q)",
        "= (10,000 + 0 − 200 + 0 − 0.5·100,000) / (0.5·0.005 − 0.5)",
        "= 80,804.02 USDT",
    )
    assert lines(account, "isolated.positions.ETHUSDT.liquidation_price")[1] == (
        "= (2,000 + 0 − 5·4,000) / (5·0.01 − 5)"
    )
    assert lines(account, "isolated.positions.BTCUSDT.bankruptcy_price") == (
        "P_bk = E − M / q",
        "= 100,000 − 5,000 / 0.5",
        "= 90,000.00 USDT",
    )
    assert lines(account, "cross.liquidation_shock")[1:] == (
        "= (70,000 − 10,000 − 0) / (70,000 − 450) − 1",
        "= −13.73\N{NO-BREAK SPACE}%",
    )
    explained = account.explain("cross.positions.BTCUSDT.liquidation_price")
    assert explained.title == "BTCUSDT, cross liquidation price"
    assert explained.assumes.startswith("ETHUSDT stays at 4,000.00.")
    assert "margin balance ≤ maintenance" in explained.assumes
    assert "generic" in explained.rules and "v1" in explained.rules
    assert "16 digits" in explained.rounding and "0.01" in explained.rounding


def test_ref2_ratios_show_the_fraction() -> None:
    account = mw.presets.ref2()
    assert lines(account, "cross.margin_ratio") == ("R = MM / MB", "= 450 / 10,000", "= 4.50\xa0%")
    assert lines(account, "isolated.margin_ratio")[1] == "= 200 / 2,000"
    assert lines(account, "cross.collateral_utilization")[1] == "= (7,000 + 0) / 10,000"
    assert lines(account, "cross.effective_leverage")[1:] == ("= 70,000 / 10,000", "= 7.00×")
    assert lines(account, "cross.available")[1] == "= max(0, 10,000 − 7,000 − 0)"
    assert lines(account, "isolated.available")[1] == "= max(0, 3,000 − 0)"


def test_the_tier_is_the_one_at_the_liquidation_price() -> None:
    """Two tiers; at the mark the first holds, at the liquidation price of the short the second."""
    account = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": [(0, 0.004), (300_000, 0.005)]}),
        collateral={"USDT": 20_000},
        positions=[mw.Position("BTCUSDT", 4, 100_000, margin=20_000)],
    )
    explained = account.explain("isolated.positions.BTCUSDT.liquidation_price")
    assert explained.lines[1] == "= (20,000 + 300 − 4·100,000) / (4·0.005 − 4)"
    assert explained.text == "95,402.01 USDT"
    tiers = {name: meaning for name, meaning, _ in explained.symbols}
    assert tiers["m"].endswith("tier 2 of 2, above a notional of 300,000 USDT")


def test_both_legs_share_a_formula() -> None:
    account = mw.Account(
        venue=mw.venues.generic(
            tiers={"BTCUSDT": 0.005}, taker_fee=0.0005, closing_fee_in_maintenance=True
        ),
        collateral={"USDT": 5_000},
        positions=[mw.Position("BTCUSDT", 1, 100_000), mw.Position("BTCUSDT", -0.4, 101_000)],
    )
    for side in ("long", "short"):
        explained = account.explain(f"cross.positions.BTCUSDT:{side}.liquidation_price")
        assert explained.lines[0] == (
            "P = (W + A_L + A_S − q_L·E_L − q_S·E_S)"
            " / (|q_L|·(m_L + f_L) + |q_S|·(m_S + f_S) − q_L − q_S)"
        )
        assert "(−0.4)·101,000" in explained.lines[1]
        assert "closing fee of 0.050" in explained.assumes
        check(explained, account.cross.positions[f"BTCUSDT:{side}"].liquidation_price)


def test_maintenance_at_entry() -> None:
    account = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}, maintenance_at="entry", trigger="<"),
        collateral={"USDT": 6_000},
        positions=[mw.Position("BTCUSDT", 0.5, 100_000)],
    )
    explained = account.explain("cross.positions.BTCUSDT.liquidation_price")
    assert explained.lines[:2] == (
        "P = E − (W − MM) / q",
        "= 100,000 − (6,000 − 250) / 0.5",
    )
    assert "margin balance < maintenance" in explained.assumes
    assert "at entry price" in explained.assumes


def test_inverse_contracts_in_their_coin() -> None:
    assert lines(mw.presets.inverse(), "cross.positions.BTCUSD_PERP.liquidation_price")[:2] == (
        "P = (|q|·m + q) / (W + A + q/E)",
        "= (50,000·0.004 + 50,000) / (0.25 + 0 + 50,000/95,000)",
    )


def test_moving_collateral_is_an_equation() -> None:
    account = mw.presets.bitcoin_on_bitcoin()
    explained = account.explain("cross.positions.BTCUSDT.liquidation_price")
    assert explained.lines[0] == "margin balance = requirement: a + b·P = b′·P"
    assert explained.lines[1] == "−50,000 + 0.69·P = 0.002·P"
    assert "BTC moves with BTCUSDT." in explained.assumes
    held, required = (
        evaluate(side.replace("P", str(explained.value)))
        for side in explained.lines[1].split(" = ")
    )
    assert held.low - 0.01 <= required.low <= held.high + 0.01


def test_collateral_of_another_coin_is_a_condition() -> None:
    account = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}),
        collateral={"ETH": 2},
        positions=[mw.Position("BTCUSDT", 0.5, 100_000)],
        marks={"ETHUSDT": 4_000},
    )
    explained = account.explain("cross.positions.BTCUSDT.liquidation_price")
    assert explained.assumes.startswith("ETHUSDT stays at 4,000.00.")


def test_no_price_in_words() -> None:
    account = mw.Account(
        venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}),
        collateral={"USDT": 200_000},
        positions=[mw.Position("BTCUSDT", 0.5, 100_000)],
    )
    explained = account.explain("cross.positions.BTCUSDT.liquidation_price")
    assert explained.value is None and explained.text == "no liquidation price"
    assert explained.lines[0] == (
        "no positive price of BTCUSDT brings pool cross to its maintenance margin"
    )
    assert "150,000 + 0.5·P" in explained.lines[1]
    shock = account.explain("cross.liquidation_shock")
    assert shock.value is None and shock.text == "no common move"
    empty = mw.Account(collateral={"USDT": 5})
    assert "no positions" in empty.explain("cross.liquidation_shock").lines[0]
    assert empty.explain("cross.margin_ratio").value == 0


def test_a_ratio_without_balance_in_words() -> None:
    account = mw.presets.ref2()
    account.marks["BTCUSDT"] = 60_000
    explained = account.explain("cross.margin_ratio")
    assert explained.value is None
    assert "−10,000.00 USDT is not positive" in explained.lines[0]
    assert account.explain("cross.status").text == "below maintenance"
    assert "≤" in account.explain("cross.status").lines[1]


def test_long_sums_are_taken_together() -> None:
    symbols = [f"C{n}USDT" for n in range(30)]
    account = mw.Account(
        venue=mw.venues.generic(tiers=dict.fromkeys(symbols, 0.01)),
        collateral={"USDT": 10_000},
        positions=[mw.Position(symbol, n + 1, 10) for n, symbol in enumerate(symbols)],
    )
    explained = account.explain("cross.initial_margin")
    assert "others" in explained.lines[0] and explained.lines[1].count("+") == 7
    check(explained, account.cross.initial_margin)
    check(account.explain("isolated.worst_loss"), account.isolated.worst_loss)


def test_marks_and_collateral() -> None:
    account = mw.presets.multi_asset()
    assert account.explain("marks.BTCUSDT").value == 98_500
    explained = account.explain("collateral.BTC.counted")
    assert explained.value == pytest.approx(0.15 * 0.95 * 98_500)
    assert explained.lines[1] == "= (0.15 − 0.05·0.15)·98,500"
    assert "follows the mark of BTCUSDT" in explained.assumes
    account = mw.presets.ref2()
    account.haircuts["USDT"] = [(0, 0.0), (4_000, 0.1), (8_000, 0.2)]
    explained = account.explain("collateral.USDT.counted")
    assert explained.value == pytest.approx(10_000 - 600 - 200)
    check(explained, explained.value)
    del account.marks["ETHUSDT"]
    assert "no mark is given" in account.explain("marks.ETHUSDT").symbols[0][1]


# ------------------------------------------------------------------ paths, and text from outside


@pytest.mark.parametrize("symbol", ["BTC/USDT:USDT", "BTC.P", "A.B:long.C", "1000PEPE", SCRIPT])
def test_keys_may_hold_anything(symbol: str) -> None:
    account = mw.Account(
        venue=mw.venues.generic(
            tiers={symbol: 0.01}, contracts={symbol: mw.Contract(quote="USDT")}
        ),
        collateral={"USDT": 1_000, "x.y": 1},
        positions=[mw.Position(symbol, 1, 100), mw.Position(symbol, -2, 100)],
        marks={symbol: 101},
        prices={"x.y": 3},
    )
    for side in ("long", "short"):
        path = f"cross.positions.{symbol}:{side}.liquidation_price"
        check(account.explain(path), account.cross.positions[f"{symbol}:{side}"].liquidation_price)
    assert account.explain(f"marks.{symbol}").value == 101
    assert account.explain("collateral.x.y").value == 3
    assert account.explain("collateral.x.y.counted").value == 3


def test_script_in_a_symbol_is_text() -> None:
    account = mw.Account(
        venue=mw.venues.generic(tiers={SCRIPT: 0.01, "B": 0.01}, sources=(SCRIPT,), version=SCRIPT),
        collateral={"USDT": 1_000},
        positions=[mw.Position(SCRIPT, 1, 100), mw.Position("B", 1, 100)],
    )
    for path, _ in paths(account):
        html = account.explain(path)._repr_html_()
        assert "<script" not in html
    assert "&lt;script&gt;" in account.explain("cross.positions.B.liquidation_price")._repr_html_()


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("cross.equty", "equity"),
        ("cros.equity", "cross"),
        ("cross", "account"),
        ("", "account"),
        ("cross.positions.BTCUSD.liquidation_price", "BTCUSDT"),
        ("cross.positions.BTCUSDT.liquidation_pric", "liquidation_price"),
        ("cross.positions.BTCUSDT", "figure"),
        ("marks.BTCUSD", "BTCUSDT"),
        ("collateral.USDX", "USDT"),
        ("collateral.USDT.amount", "asset"),
    ],
)
def test_unknown_paths(path: str, hint: str) -> None:
    with pytest.raises(KeyError, match=hint):
        explain(mw.presets.ref2(), path)


def test_forms() -> None:
    explained = mw.presets.ref2().explain("cross.equity")
    assert json.loads(json.dumps(explained.to_dict()))["value"] == 10_000
    assert "Cross equity: 10,000.00 USDT" in str(explained)
    with pytest.raises(AttributeError):
        explained.value = 1.0
