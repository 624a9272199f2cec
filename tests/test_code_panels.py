"""Code on screen: the line that does what a control did, and the code of the whole account."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest

import margin_widgets as mw
from margin_widgets.account.code_hint import present_code
from margin_widgets.widgets.code_panels import CodeLine


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


def send(widget: Any, **message: Any) -> None:
    """Deliver a message as the browser sends it."""
    widget._handle_custom_msg(message, [])


def retraced(code: str, before: mw.Account) -> mw.Account:
    """A fresh account after the code on screen."""
    exec(code, {"account": before, "mw": mw})
    return before


def same(one: mw.Account, other: mw.Account) -> None:
    assert one.to_dict() == other.to_dict()


# ---------------------------------------------------------------- every control of the dashboard


def cell(field: str, text: str) -> Any:
    def act(dashboard: mw.Dashboard) -> None:
        row = dashboard.positions.table.rows[0]["id"]
        send(dashboard.positions.table, type="edit", row=row, field=field, text=text)

    return act


def asset(field: str, text: str) -> Any:
    def act(dashboard: mw.Dashboard) -> None:
        send(dashboard.collateral.table, type="edit", row="USDT", field=field, text=text)

    return act


def mark(dashboard: mw.Dashboard) -> None:
    send(dashboard.marks.marks, type="commit", symbol="ETHUSDT", value=3_600)


def delete(dashboard: mw.Dashboard) -> None:
    row = dashboard.positions.table.rows[1]["id"]
    send(dashboard.positions.table, type="action", action="delete", row=row)


def add(dashboard: mw.Dashboard) -> None:
    table = dashboard.positions.table
    send(table, type="action", action="add", row="")
    for field, text in (("symbol", "BTCUSDT"), ("quantity", "-0.25"), ("entry_price", "99000")):
        send(table, type="edit", row="draft", field=field, text=text)


def paste(dashboard: mw.Dashboard) -> None:
    row = dashboard.positions.table.rows[0]["id"]
    send(dashboard.positions.table, type="paste", row=row, field="leverage", text="5\n8")


def rules(dashboard: mw.Dashboard) -> None:
    dashboard.account.venue = dashboard.account.venue.replace(
        tiers={**dashboard.account.venue.tiers, "BTCUSDT": [(0, 0.004), (1e6, 0.01)]},
        liquidation_fee=0.01,
    )


def collateral(dashboard: mw.Dashboard) -> None:
    dashboard.panel("utilization").set_trait("active", True)
    send(dashboard.utilization.added.control, type="commit", symbol="Added USDT", value=500.0)


def solve(dashboard: mw.Dashboard) -> None:
    mw.solve.survive(dashboard.account, -0.3, "collateral", "cross").apply()


def repair(dashboard: mw.Dashboard) -> None:
    mw.repairs(dashboard.account)[0].apply()


def undo(dashboard: mw.Dashboard) -> None:
    dashboard.account.undo()


CONTROLS = {
    "quantity": (cell("quantity", "0.6"), 'account.positions["BTCUSDT"].quantity = 0.6'),
    "mode": (
        cell("margin_mode", "isolated"),
        'account.positions["BTCUSDT"].margin_mode = "isolated"',
    ),
    "margin": (cell("margin", "6000"), 'account.positions["BTCUSDT"].margin = 6_000'),
    "amount": (asset("amount", "12,000"), 'account.collateral["USDT"] = 12_000'),
    "haircut": (asset("haircut", "5"), 'account.haircuts["USDT"] = 0.05'),
    "mark": (mark, 'account.marks["ETHUSDT"] = 3_600'),
    "delete": (delete, 'del account.positions["ETHUSDT"]'),
    "add": (add, "account.positions.append(\n    mw.Position("),
    "paste": (paste, "with account.edit():\n    "),
    "rules": (rules, "account.venue = account.venue.replace("),
    "collateral": (collateral, 'account.collateral["USDT"] = 10_500'),
    "solve": (solve, 'account.collateral["USDT"] = 21_31'),
    "repair": (repair, ""),
}


@pytest.mark.parametrize("control", CONTROLS)
def test_the_line_does_what_the_control_did(control: str, account: mw.Account) -> None:
    act, starts = CONTROLS[control]
    dashboard = mw.Dashboard(account)
    act(dashboard)
    code = dashboard.code.code
    assert code
    assert code.startswith(starts)
    same(retraced(code, mw.presets.ref2()), account)
    shown = unescape(dashboard.code.view.html)
    assert code in shown
    assert "In code:" in shown
    changed = account.copy()
    undo(dashboard)
    same(retraced(dashboard.code.code, changed), account)
    dashboard.close()


def test_the_cell_with_the_focus_has_a_line_until_it_is_edited(account: mw.Account) -> None:
    dashboard = mw.Dashboard(account)
    table = dashboard.positions.table
    first, second = (row["id"] for row in table.rows)
    table.place = [first, "leverage"]
    assert dashboard.code.code == 'account.positions["BTCUSDT"].leverage = 10'
    same(retraced(dashboard.code.code, mw.presets.ref2()), account)
    cell("leverage", "20")(dashboard)
    assert dashboard.code.code == 'account.positions["BTCUSDT"].leverage = 20'
    table.place = [first, "margin"]  # Tab took the focus on: what was done is still shown
    assert dashboard.code.code == 'account.positions["BTCUSDT"].leverage = 20'
    table.place = [second, "margin_mode"]
    assert dashboard.code.code == 'account.positions["ETHUSDT"].margin_mode = "isolated"'
    table.place = [second, "cross"]  # computed, so there is nothing to set
    assert dashboard.code.code == 'account.positions["ETHUSDT"].margin_mode = "isolated"'
    dashboard.collateral.table.place = ["USDT", "amount"]
    assert dashboard.code.code == 'account.collateral["USDT"] = 10_000'
    send(dashboard.marks.marks, type="select", symbol="ETHUSDT")
    assert dashboard.code.code == 'account.marks["ETHUSDT"] = 4_000'
    table.place = ["gone", "quantity"]
    dashboard.close()


@pytest.mark.parametrize(
    ("where", "code"),
    [
        (("positions", "NOPE", "quantity"), ""),
        (("prices", "BTC"), ""),
        (("order_margin",), "account.order_margin = 0"),
        (("name",), 'account.name = "REF-2"'),
    ],
)
def test_present_values(where: tuple[str, ...], code: str) -> None:
    assert present_code(mw.presets.ref2().state, where) == code


def test_a_quiet_line_sends_nothing_for_nothing(account: mw.Account) -> None:
    line = CodeLine(account)
    assert (line.code, line.view.html) == ("", "")
    account.positions["BTCUSDT"].quantity = 0.5  # as it was
    assert line.view.html == ""
    line.close()


def test_rules_of_many_symbols_change_in_a_short_line() -> None:
    tiers = {f"C{n}USDT": [(0, 0.01), (10_000, 0.02)] for n in range(50)}
    account = mw.Account(mw.venues.generic(tiers=tiers), {"USDT": 1_000})
    fresh, line = account.copy(), CodeLine(account)
    account.venue = account.venue.replace(
        tiers={**account.venue.tiers, "C7USDT": [(0, 0.05)]}, taker_fee=0.001
    )
    assert len(line.code) < 300
    same(retraced(line.code, fresh), account)
    account.venue = "binance-usdm"
    assert line.code == 'account.venue = "binance-usdm"'
    line.close()


# ---------------------------------------------------------------- the whole account


def test_copy_as_python_opens_follows_and_closes(account: mw.Account) -> None:
    dashboard = mw.Dashboard(account)
    page = dashboard._header.html
    assert 'data-action="python"' in page
    assert 'aria-expanded="false"' in page
    assert dashboard.python.view.html == ""
    send(dashboard._header, type="action", action="python", value=None)
    assert 'aria-expanded="true"' in dashboard._header.html
    shown = unescape(dashboard.python.view.html)
    assert account.to_python() in shown
    assert 'data-copy="python"' in shown
    assert 'data-copied="python"' in shown
    account.positions["BTCUSDT"].quantity = 0.7
    assert "quantity=0.7" in unescape(dashboard.python.view.html)
    send(dashboard._header, type="action", action="python", value=None)
    assert dashboard.python.view.html == ""
    dashboard.close()


def test_code_is_escaped() -> None:
    name = '<script>alert("x")</script> & \''
    rules = mw.venues.generic(tiers={name: 0.01})
    account = mw.Account(rules, {"USDT": 100}, [mw.Position(name, 1, 100)], name=name)
    dashboard = mw.Dashboard(account)
    dashboard.python.toggle()
    account.positions[0].quantity = 2
    dashboard._header.html = dashboard._header_html()
    for box in (dashboard.python.view, dashboard.code.view, dashboard._header):
        assert "<script" not in box.html
    assert account.to_python() in unescape(dashboard.python.view.html)
    dashboard.close()


def test_the_mode_that_is_emphasised_is_shown_and_chosen_on_its_card(account: mw.Account) -> None:
    dashboard = mw.Dashboard(account)
    assert "mw-chosen" not in dashboard.cards.view.html
    send(dashboard.cards.view, type="action", action="mode", value="cross")
    assert dashboard.selection.mode == "cross"
    assert 'class="mw-card mw-cross mw-chosen"' in dashboard.cards.view.html
    send(dashboard.cards.view, type="action", action="mode", value="cross")
    assert dashboard.selection.mode == ""
    dashboard.close()
