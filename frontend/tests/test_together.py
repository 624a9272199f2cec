"""One message for many widgets: each gets its part as if it had come alone."""

from __future__ import annotations

from typing import Any

import pytest

# Two widgets that write down what they are given; the first takes its time over an update.
MADE = """
() => {
  window.log = [];
  const take = (id, wait) => async (message) => {
    const { data } = message.content;
    if (wait) await new Promise((done) => setTimeout(done, wait));
    log.push([id, data.method, message.buffers.map((one) => one.getUint8(0))]);
  };
  window.made = {
    slow: { _handle_comm_msg: take("slow", 50) },
    quick: { _handle_comm_msg: take("quick", 0) },
  };
}
"""
SAY = """
([parts, bytes]) => {
  const buffers = bytes.map((one) => new DataView(new Uint8Array([one]).buffer));
  models.m.emit("msg:custom", { type: "together", parts }, buffers);
}
"""


def part(identity: str, method: str = "update", buffers: int = 0) -> dict[str, Any]:
    """A part as Python writes it."""
    return {"id": identity, "data": {"method": method}, "buffers": buffers}


@pytest.fixture(params=["html", "table", "marks"])
def carrier(request: pytest.FixtureRequest, page: Any) -> Any:
    """A page with a widget of each module that can be what a person used."""
    page.evaluate(MADE)
    state = {"columns": [], "rows": [] if request.param == "marks" else {"id": []}, "html": ""}
    page.evaluate("([n, s]) => { mount('m', n, s); }", [request.param, state])
    return page


def test_parts_arrive_in_order_with_their_buffers(carrier: Any) -> None:
    parts = [part("slow", buffers=2), part("quick", "custom"), part("quick", buffers=1)]
    carrier.evaluate(SAY, [parts, [7, 8, 9]])
    carrier.wait_for_function("log.length === 3")
    assert carrier.evaluate("log") == [
        ["slow", "update", [7, 8]],
        ["quick", "custom", []],
        ["quick", "update", [9]],
    ]


def test_a_widget_that_is_not_on_this_page_is_passed_over(carrier: Any) -> None:
    carrier.evaluate(SAY, [[part("elsewhere", buffers=1), part("quick", buffers=1)], [1, 2]])
    carrier.wait_for_function("log.length === 1")
    assert carrier.evaluate("log") == [["quick", "update", [2]]]


def test_a_second_message_waits_for_the_first(carrier: Any) -> None:
    carrier.evaluate(SAY, [[part("slow")], []])
    carrier.evaluate(SAY, [[part("quick")], []])
    carrier.wait_for_function("log.length === 2")
    assert [one[0] for one in carrier.evaluate("log")] == ["slow", "quick"]


def test_two_views_take_it_once(carrier: Any) -> None:
    carrier.evaluate("() => { mount('m', 'html', {}); }")
    carrier.evaluate(SAY, [[part("quick")], []])
    carrier.wait_for_timeout(100)
    assert len(carrier.evaluate("log")) == 1


def test_one_that_fails_does_not_keep_the_others_from_theirs(carrier: Any) -> None:
    carrier.evaluate(
        """() => {
          made.broken = { _handle_comm_msg: () => Promise.reject(new Error("no")) };
          window.said = [];
          console.error = (...words) => said.push(words.join(" "));
        }"""
    )
    carrier.evaluate(SAY, [[part("broken"), part("quick")], []])
    carrier.wait_for_function("log.length === 1")
    assert carrier.evaluate("log") == [["quick", "update", []]]
    assert "did not take its update" in carrier.evaluate("said[0]")
