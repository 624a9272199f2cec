"""The dashboard's parts without a browser: what they show, take, refuse and leave behind."""

from __future__ import annotations

import gc
import re
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances

import margin_widgets as mw
from margin_widgets.widgets import CollateralTable, MarksPanel, ModeCards, PositionsTable
from margin_widgets.widgets.account_table import DRAFT
from margin_widgets.widgets.selection import Selection


@pytest.fixture
def account() -> mw.Account:
    return mw.presets.ref2()


def send(widget: Any, **message: Any) -> None:
    """Deliver a message as the browser sends it."""
    widget._handle_custom_msg(message, [])


def row(part: Any, number: int) -> dict[str, Any]:
    found: dict[str, Any] = part.table.rows[number]
    return found


def edit(part: Any, where: int | str, field: str, text: str) -> None:
    identity = where if isinstance(where, str) else row(part, where)["id"]
    send(part.table, type="edit", row=identity, field=field, text=text)


def listening(account: mw.Account) -> int:
    """How many observers hear of edits."""
    return sum(len(found) for found in account._trait_notifiers.get("revision", {}).values())


class TestPositionsTable:
    def test_shows_both_liquidation_prices_and_the_mode(self, account: mw.Account) -> None:
        part = PositionsTable(account)
        text = row(part, 0)["text"]
        assert (text["isolated"], text["cross"]) == ("90,452.26", "80,804.02")
        assert (text["quantity"], text["leverage"], text["margin"]) == ("0.5", "10×", "5,000")
        assert row(part, 1)["classes"]["margin_mode"] == "mw-mode-isolated"
        part.close()

    @pytest.mark.parametrize(
        ("field", "text", "attribute", "value"),
        [
            ("quantity", "−1,250.5", "quantity", -1250.5),
            ("entry_price", "99 500", "entry_price", 99_500),
            ("leverage", "20x", "leverage", 20),
            ("leverage", "20×", "leverage", 20),
            ("margin", "6000", "margin", 6_000),
            ("margin", "", "margin", None),
            ("margin_mode", "isolated", "margin_mode", "isolated"),
        ],
    )
    def test_takes_what_people_type(
        self, account: mw.Account, field: str, text: str, attribute: str, value: object
    ) -> None:
        part = PositionsTable(account)
        edit(part, 0, field, text)
        assert part.errors == []
        assert getattr(account.positions["BTCUSDT"], attribute) == value
        part.close()

    @pytest.mark.parametrize(
        ("field", "text", "words"),
        [
            ("quantity", "0", "must not be zero"),
            ("quantity", "nan", "finite"),
            ("quantity", "", "empty"),
            ("quantity", "0,5", "write a point for decimals"),
            ("entry_price", "-1", "> 0"),
            ("leverage", "1e308", "1000"),
            ("margin", "-5", ">= 0"),
            ("symbol", " ", "must be a name"),
            ("symbol", "NOPE", "no maintenance tiers"),
            ("margin_mode", "both", "'cross' or 'isolated'"),
        ],
    )
    def test_refuses_with_the_reason_and_keeps_what_was_typed(
        self, account: mw.Account, field: str, text: str, words: str
    ) -> None:
        part, before = PositionsTable(account), account.to_dict()
        edit(part, 0, field, text)
        (refused,) = part.errors
        assert (refused["field"], refused["text"]) == (field, text)
        assert words in refused["message"]
        assert account.to_dict() == before
        send(part.table, type="cancel", row=refused["row"], field=field)
        assert part.errors == []
        part.close()

    def test_a_draft_becomes_a_position_when_it_is_complete(self, account: mw.Account) -> None:
        part = PositionsTable(account)
        edit(part, 1, "symbol", "ETHUSDT")
        send(part.table, type="action", action="add", row="")
        edit(part, DRAFT, "symbol", "ETHUSDT")
        assert row(part, 2)["raw"]["entry_price"] == "4000"  # its mark is known
        assert len(account.positions) == 2
        edit(part, DRAFT, "quantity", "2")
        assert "two long legs" in part.errors[0]["message"]
        edit(part, DRAFT, "quantity", "-2")
        assert account.positions.keys() == ["BTCUSDT", "ETHUSDT:long", "ETHUSDT:short"]
        assert [one["id"] for one in part.table.rows][-1] != DRAFT
        edit(part, DRAFT, "quantity", "-3")  # already on its way when the draft was taken
        assert len(account.positions) == 3
        part.close()

    def test_pastes_positions_all_or_nothing(self, account: mw.Account) -> None:
        part, revision = PositionsTable(account), account.revision
        block = "Symbol\tQuantity\tEntry\nETHUSDT\t-2\t4,100\nBTCUSDT\t0.25\t90,000\n"
        send(part.table, type="paste", row="", field="", text=block)
        assert account.revision == revision + 1
        assert account.positions["BTCUSDT"].quantity == 0.25
        assert account.positions["ETHUSDT:short"].entry_price == 4_100
        before = account.to_dict()
        bad = "Symbol\tQuantity\nBTCUSDT\tmuch\nETHUSDT\t0\nBTCUSDT\t1"
        send(part.table, type="paste", row="", field="", text=bad)
        message = part.errors[-1]["message"]
        assert "row 2" in message
        assert "row 3" in message
        assert account.to_dict() == before
        part.close()

    def test_pastes_a_column_of_numbers_from_a_cell_down(self, account: mw.Account) -> None:
        part = PositionsTable(account)
        first = row(part, 0)["id"]
        send(part.table, type="paste", row=first, field="leverage", text="5\n8")
        assert [one.leverage for one in account.positions] == [5, 8]
        send(part.table, type="paste", row=first, field="leverage", text="5\n8\n9")
        assert "do not fit" in part.errors[-1]["message"]
        part.close()

    def test_follows_the_account_and_shares_the_selection(self, account: mw.Account) -> None:
        selection = Selection()
        part = PositionsTable(account, selection)
        selection.key = "ETHUSDT"
        assert part.table.selected == account.positions["ETHUSDT"].id
        part.table.selected = account.positions["BTCUSDT"].id
        assert selection.key == "BTCUSDT"
        account.positions.remove("BTCUSDT")
        assert len(part.table.rows) == 1
        account.undo()
        assert [one["text"]["symbol"] for one in part.table.rows] == ["BTCUSDT", "ETHUSDT"]
        part.close()


class TestCollateralTable:
    def test_edits_amount_price_and_haircut(self, account: mw.Account) -> None:
        part = CollateralTable(account)
        edit(part, "USDT", "amount", "12,000")
        edit(part, "USDT", "haircut", "5 %")
        assert account.collateral["USDT"] == 12_000
        assert account.cross.margin_balance == pytest.approx(11_400)
        assert row(part, 0)["text"]["counts"] == "11,400.00"
        edit(part, "USDT", "haircut", "150")
        assert "at most 1" in part.errors[0]["message"]
        part.close()

    def test_an_asset_without_a_price_is_refused_and_stays_a_draft(
        self, account: mw.Account
    ) -> None:
        part = CollateralTable(account)
        send(part.table, type="action", action="add", row="")
        edit(part, DRAFT, "asset", "XAU")
        edit(part, DRAFT, "amount", "2")
        assert "no price for 'XAU'" in part.errors[0]["message"]
        assert list(account.collateral) == ["USDT"]
        edit(part, DRAFT, "asset", "BTC")
        assert account.collateral["BTC"] == 2  # follows the mark of BTCUSDT
        assert part.errors == []
        part.close()


def test_a_released_slider_is_one_edit_and_a_preview_is_none(account: mw.Account) -> None:
    seen: list[dict[str, float]] = []
    part, revision = MarksPanel(account, preview=seen.append), account.revision
    for price in (3_900, 3_800, 3_600):
        send(part.marks, type="preview", symbol="ETHUSDT", value=price)
    assert account.revision == revision
    send(part.marks, type="commit", symbol="ETHUSDT", value=3_600)
    assert account.revision == revision + 1
    assert account.marks["ETHUSDT"] == 3_600
    assert seen[-1] == {"ETHUSDT": 3_600}
    send(part.marks, type="commit_text", symbol="ETHUSDT", text="-1")
    assert "> 0" in part.marks.errors[0]["message"]
    assert account.marks["ETHUSDT"] == 3_600
    part.close()


def test_cards_show_the_numbers_of_the_reports(account: mw.Account) -> None:
    part = ModeCards(account)
    for words in ("10,000.00", "3,000.00", "−9.09", "−13.73", "idle 3,000.00"):
        assert words in part.view.html
    paths = set(re.findall(r'data-explain="([^"]+)"', part.view.html))
    assert {"isolated.margin_ratio", "cross.liquidation_shock"} <= paths
    for path in paths:
        account.explain(path)
    part.close()


class TestDashboard:
    def test_a_click_on_a_number_opens_its_explanation(self, account: mw.Account) -> None:
        dashboard = mw.Dashboard(account)
        send(dashboard.cards.view, type="explain", path="isolated.margin_ratio")
        assert "200" in dashboard._explanation.html
        account.positions.remove("ETHUSDT")
        send(dashboard.cards.view, type="explain", path="cross.positions.ETHUSDT.notional")
        assert "Rule set" in dashboard._explanation.html  # gone, so something that exists
        dashboard.close()

    def test_survives_an_empty_account_and_comes_back(self) -> None:
        account = mw.Account(venue="binance-usdm", collateral={"USDT": 1_000})
        dashboard = mw.Dashboard(account)
        for tab in ("ratio", "utilization", "data", "explain"):
            send(dashboard._tabs, type="action", action="tab", value=tab)
        account.positions.append(mw.Position("BTCUSDT", 0.01, 100_000))
        assert dashboard.equity.curve is not None
        del account.positions[0]
        del account.collateral["USDT"]
        assert dashboard.equity.curve is None
        account.undo()
        account.undo()
        dashboard.close()

    def test_static_twin_says_the_same(self, account: mw.Account) -> None:
        dashboard = mw.Dashboard(account)
        bundle = dashboard._repr_mimebundle_()
        assert "80,804.02" in bundle["text/html"]
        assert "REF-2" in bundle["text/plain"]
        dashboard.close()

    def test_a_hundred_dashboards_leave_nothing(self, account: mw.Account) -> None:
        mw.Dashboard(account).close()  # what is made once and shared
        gc.collect()
        widgets = len(_instances)
        observers = listening(account)
        for number in range(100):
            dashboard = mw.Dashboard(account)
            account.positions[0].leverage = 5 + number % 3
            dashboard.close()
        gc.collect()
        assert len(_instances) == widgets
        assert listening(account) == observers

    def test_errors_in_callbacks_are_shown_logged_and_raised(
        self, account: mw.Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        part = PositionsTable(account)

        def fail(*_: object) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr(part, "_edit", fail)
        with pytest.raises(RuntimeError):
            part.table._msg_callbacks.callbacks[0](
                part.table, {"type": "edit", "row": "", "field": "", "text": ""}, []
            )
        assert "broken" in part.errors[-1]["message"]
        assert "a widget callback failed" in caplog.text
        part.close()


def test_a_copy_of_a_position_starts_as_its_hedge(account: mw.Account) -> None:
    part = PositionsTable(account)
    send(part.table, type="action", action="duplicate", row=row(part, 0)["id"])
    assert row(part, 2)["raw"]["quantity"] == "-0.5"
    edit(part, DRAFT, "quantity", "-0.25")
    assert account.positions["BTCUSDT:short"].quantity == -0.25
    part.close()


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("Symbol\tQuantity\tFoo\nBTCUSDT\t1\t2", "unknown column 'Foo'"),
        ("Symbol\tQuantity\nBTCUSDT\t1\nBTCUSDT\t2", "stands in row 2 already"),
        ("BTCUSDT\t5\t90000\t10\t100\tcross\tfoo", "7 cells, 6 columns"),
    ],
)
def test_nothing_pasted_is_dropped_silently(account: mw.Account, block: str, words: str) -> None:
    part, before = PositionsTable(account), account.to_dict()
    message = {"type": "paste", "row": "", "field": "", "text": block}
    part.table._msg_callbacks.callbacks[0](part.table, message, [])
    assert words in part.errors[-1]["message"]
    assert account.to_dict() == before
    part.close()


def test_a_draft_is_refused_at_the_field_it_is_about(account: mw.Account) -> None:
    part = PositionsTable(account)
    send(part.table, type="action", action="add", row="")
    for field, text in (("symbol", "NOPE"), ("quantity", "1"), ("entry_price", "5")):
        edit(part, DRAFT, field, text)
    assert part.errors[0]["message"].startswith("generic has no maintenance tiers for 'NOPE'")
    assert "replace(" not in part.errors[0]["message"]  # code is for those who write it
    send(part.table, type="action", action="add", row="")
    assert part.errors == []
    part.close()
