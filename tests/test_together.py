"""One action of a person is one message to the browser, whatever it changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ipywidgets import Widget

import margin_widgets as mw
from margin_widgets.widgets.drawing import Lines
from margin_widgets.widgets.frontend import Html, Table, by_columns
from margin_widgets.widgets.together import together

Sent = list[tuple[Widget, dict[str, Any], int]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What leaves for the browser: widget, message and number of buffers."""
    messages: Sent = []

    def record(widget: Widget, msg: dict[str, Any], buffers: Any = None) -> None:
        messages.append((widget, msg, len(buffers or ())))

    monkeypatch.setattr(Widget, "_send", record)
    return messages


@pytest.fixture
def dashboard() -> Iterator[mw.Dashboard]:
    made = mw.Dashboard(mw.presets.ref2())
    yield made
    made.close()


def edit(dashboard: mw.Dashboard, text: str) -> None:
    """Type a quantity into the first row, as the browser tells of it."""
    table = dashboard.positions.table
    row = table.rows[0]["id"]
    table._handle_custom_msg({"type": "edit", "row": row, "field": "quantity", "text": text}, [])


def parts(messages: Sent) -> dict[str, dict[str, Any]]:
    """The single message there is, by the widget that each part is for."""
    ((_, message, buffers),) = messages
    assert message["content"]["type"] == "together"
    found = message["content"]["parts"]
    assert buffers == sum(part["buffers"] for part in found)
    return {part["id"]: part["data"] for part in found}


def test_an_edit_is_one_message(dashboard: mw.Dashboard, sent: Sent) -> None:
    edit(dashboard, "0.6")
    assert sent[0][0] is dashboard.positions.table
    said = parts(sent)
    for widget in (
        dashboard.positions.table,
        dashboard.equity.cross_line,
        dashboard.equity.isolated_line,
        dashboard.cards.view,
        dashboard._verdict,
    ):
        assert said[widget.model_id]["method"] == "update"
    rows = said[dashboard.positions.table.model_id]["state"]["rows"]
    assert rows["text"]["quantity"][0] == "0.6"


def test_its_curves_are_those_of_the_account(dashboard: mw.Dashboard, sent: Sent) -> None:
    edit(dashboard, "0.6")
    line = dashboard.equity.cross_line
    update = parts(sent)[line.model_id]
    assert {path[0] for path in update["buffer_paths"]} == {"x", "y"}
    assert tuple(update["state"]["y"]["shape"]) == line.y.shape


def test_code_speaks_at_once(dashboard: mw.Dashboard, sent: Sent) -> None:
    """Nothing tells where an edit by code ends, so each widget speaks for itself."""
    dashboard.account.positions[0].quantity = 0.6
    assert len(sent) > 3
    assert all(message["method"] == "update" for _, message, _ in sent)


def test_order_is_kept(sent: Sent) -> None:
    table, line = Table(), Lines(x=[0.0], y=[0.0])
    sent.clear()
    with together(table):
        table.rows = [{"id": "a", "text": {}}]
        table.send({"type": "focus", "row": "a"})
        line.x = [1.0, 2.0]
    content = sent[0][1]["content"]["parts"]
    assert [(part["id"], part["data"]["method"]) for part in content] == [
        (table.model_id, "update"),
        (table.model_id, "custom"),
        (line.model_id, "update"),
    ]


def test_an_error_does_not_keep_what_was_said(sent: Sent) -> None:
    one, other = Html(), Html()
    sent.clear()

    def fail() -> None:
        with together(one):
            one.html = other.html = "said"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(parts(sent)) == 2
    one.html = "after"
    assert len(sent) == 2, "what comes later goes at once"


def test_what_has_been_closed_is_left_out(sent: Sent) -> None:
    one, other, gone = Html(), Html(), Html()
    sent.clear()
    with together(one):
        one.html = other.html = gone.html = "said"
        gone.close()
    assert set(parts(sent)) == {one.model_id, other.model_id}


def test_without_the_one_used_each_speaks_for_itself(sent: Sent) -> None:
    one, other = Html(), Html()
    sent.clear()
    with together(one):
        one.html = other.html = "said"
        one.close()
    assert [widget for widget, *_ in sent] == [other]


def test_a_single_message_goes_as_it_is(sent: Sent) -> None:
    one, other = Html(), Html()
    sent.clear()
    with together(one):
        other.html = "said"
    assert [(widget, message["method"]) for widget, message, _ in sent] == [(other, "update")]


def test_actions_within_an_action_are_one(sent: Sent) -> None:
    one, other = Html(), Html()
    sent.clear()
    with together(one):
        one.html = "a"
        with together(other):
            other.html = "b"
    assert list(parts(sent)) == [one.model_id, other.model_id]
    assert sent[0][0] is one


def test_rows_by_columns() -> None:
    rows = [
        {"id": "a", "text": {"x": "1", "y": "2"}, "raw": {"x": "1"}, "classes": {}},
        {"id": "b", "text": {"x": "3"}, "raw": {}, "classes": {"x": "mw-auto"}, "flags": ["draft"]},
    ]
    assert by_columns(rows) == {
        "id": ["a", "b"],
        "text": {"x": ["1", "3"], "y": ["2", None]},
        "raw": {"x": ["1", None]},
        "classes": {"x": [None, "mw-auto"]},
        "flags": ["", "draft"],
    }
    assert by_columns([]) == {"id": []}


def test_a_preview_is_one_message_too(sent: Sent) -> None:
    """Those of a drag come ten times a second, at times from a timer instead of the browser."""
    plot = mw.EquityPlot(mw.presets.ref2())
    sent.clear()
    plot._preview("marks", {"BTCUSDT": 90_000.0})
    said = parts(sent)
    assert {plot.cross_line.model_id, plot.isolated_line.model_id} <= set(said)
    plot.close()
