"""A thousand random interactions leave what is on screen equal to what a reloaded account shows.

`Monkey` does what a browser does, in the browser's own messages: it edits and pastes into tables,
moves sliders, drags handles, presses whatever button, list or field the HTML on the page offers,
opens tabs, and now and then says something late, twice or without sense. Afterwards every
synchronised trait of every widget, hidden tabs included, is compared with those of a dashboard
made from the saved document.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bqplot import Axis, GridHeatMap, Scatter
from bqplot.marks import Mark
from ipywidgets import CallbackDispatcher, VBox, Widget

import margin_widgets as mw
from margin_widgets.widgets.account_table import DRAFT
from margin_widgets.widgets.code_panels import CodeLine
from margin_widgets.widgets.dashboard import TABS, Dashboard
from margin_widgets.widgets.editing import REFUSALS
from margin_widgets.widgets.frontend import Html, Marks, Table
from margin_widgets.widgets.lifetime import owned
from margin_widgets.widgets.selection import Selection

SEEDS = {
    11: mw.presets.ref2,
    23: mw.presets.multi_asset,
    37: mw.presets.hedged_pair,
    41: mw.presets.bitcoin_on_bitcoin,
}
STEPS = 250
COMPARED_EVERY = 50
MOST_POSITIONS = 7

NUMBERS = (
    "0.5",
    "-0.7",
    "1,250.5",
    "−3",
    "12",
    "75",
    "100",
    "1e3",
    "95000",
    "3 900",
    "2.5",
    "0.01",
)
NONSENSE = ("", " ", "0", "nan", "inf", "1e308", "-1e-320", "0,5", "many", "٣", "<b>", "12x", "%")
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BTC-PERP", "XRPUSDT", "btcusdt", "", "<i>&", "BTCUSD")
BLOCKS = (
    "Symbol\tQuantity\tEntry\nETHUSDT\t-2\t4,100\nBTCUSDT\t0.25\t90,000\n",
    "5\n8",
    "0.4\t95000\t12",
    "BTCUSDT\t1\t2\t3\t4\t5\t6\t7",
    "Symbol\tQuantity\nBTCUSDT\tmuch",
    "\n\t\n",
)


class Offered(HTMLParser):
    """What a piece of HTML lets a person do, as the messages that the browser would send."""

    def __init__(self, html: str, chance: random.Random) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []
        self._chance = chance
        self._select: tuple[str, list[str]] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a control."""
        has = {name: value or "" for name, value in attrs}
        action = has.get("data-action")
        if tag == "select" and action is not None:
            self._select = (action, [])
        elif tag == "option" and self._select is not None:
            self._select[1].append(has.get("value", ""))
        elif tag == "input" and action is not None:
            self._offer(action, self._typed(has))
        elif has.get("aria-disabled") == "true":
            return
        elif action is not None:
            self._offer(action, has.get("data-value"))
        elif "data-explain" in has:
            self.messages.append({"type": "explain", "path": has["data-explain"]})

    def handle_endtag(self, tag: str) -> None:
        """End a list: one of its options can be chosen."""
        if tag == "select" and self._select is not None:
            action, values = self._select
            self._select = None
            if values:
                self._offer(action, self._chance.choice(values))

    def _typed(self, has: dict[str, str]) -> Any:
        if has.get("type") == "checkbox":
            return "checked" not in has
        if has.get("type") == "range":
            low, high = float(has["min"]), float(has["max"])
            return f"{self._chance.uniform(low, high):.12g}"
        return self._chance.choice(NUMBERS + NONSENSE + ("-30", "50 %"))

    def _offer(self, action: str, value: Any) -> None:
        self.messages.append({"type": "action", "action": action, "value": value})


class Monkey:
    """Somebody who tries everything on the page of a dashboard."""

    def __init__(self, dashboard: Dashboard, seed: int) -> None:
        self.dashboard, self.account = dashboard, dashboard.account
        self.chance = random.Random(seed)
        self.late: list[tuple[Widget, dict[str, Any]]] = []
        self.did: list[str] = []
        self.drags = 0
        self.kinds: list[tuple[Callable[[], None], int]] = [
            (self.press, 30),
            (self.edit_table, 24),
            (self.drag, 14),
            (self.slide, 12),
            (self.open_tab, 8),
            (self.travel, 8),
            (self.use_code, 10),
            (self.repeat_late, 3),
            (self.talk_nonsense, 1),
            (self.click_cell, 2),
        ]

    def act(self) -> None:
        """Do one thing."""
        doings, weights = zip(*self.kinds, strict=True)
        self.chance.choices(doings, weights)[0]()

    # -- what the browser sends ---------------------------------------------------------------

    def send(self, widget: Widget, message: dict[str, Any]) -> None:
        """Deliver a custom message."""
        self.did.append(f"{type(widget).__name__} {json.dumps(message)}")
        self.late = [*self.late[-20:], (widget, message)]
        widget._handle_custom_msg(message, [])

    def write(self, widget: Widget, **state: Any) -> None:
        """Deliver traits that the browser has set."""
        self.did.append(f"{type(widget).__name__} {state}")
        packed = {
            name: {"value": memoryview(one.tobytes()), "dtype": str(one.dtype), "shape": one.shape}
            if isinstance(one, np.ndarray)
            else one
            for name, one in state.items()
        }
        widget.set_state(packed)

    def on_page(self, kind: type) -> list[Any]:
        """Widgets of a kind that can be seen; half the time only those in the open tab."""
        found = [one for one in owned(self.dashboard) if isinstance(one, kind)]
        inside = [one for one in owned(self.dashboard._host) if isinstance(one, kind)]
        return inside if inside and self.chance.random() < 0.5 else found

    # -- doings -------------------------------------------------------------------------------

    def press(self) -> None:
        """Press, choose or type into something that some HTML on the page offers."""
        places = [one for one in self.on_page(Html) if one.html]
        widget = self.chance.choice(places)
        if offered := Offered(widget.html, self.chance).messages:
            self.send(widget, self.chance.choice(offered))

    def edit_table(self) -> None:
        """Do one of the things that a table can do."""
        if not len(self.account.positions):
            self.refill()
        table = self.chance.choice(self.on_page(Table))
        columns = [one for one in table.columns if one["kind"] != "readonly"]
        row = self.chance.choice(table.rows) if table.rows else None
        doing = self.chance.choices(
            ("edit", "select", "action", "paste", "cancel", "undo", "explain"),
            (60, 10, 14, 6, 6, 2, 4),
        )[0]
        if doing == "action" and table.actions:
            chosen = self.chance.choice(table.actions)
            if len(self.account.positions) < MOST_POSITIONS or chosen["action"] != "add":
                on = table.selected if chosen["needs_row"] else ""
                self.send(table, {"type": "action", "action": chosen["action"], "row": on})
        elif doing == "undo":
            self.send(table, {"type": self.chance.choice(("undo", "redo"))})
        if row is None:
            return
        fields = [one for one in columns if one["field"] in row.get("raw", row["text"])]
        if doing == "select":
            self.write(table, selected=row["id"])
        elif doing == "explain":
            shown = [one["field"] for one in table.columns if one.get("explain")]
            if shown and row["id"] != DRAFT:
                field = self.chance.choice(shown)
                self.send(table, {"type": "explain", "row": row["id"], "field": field})
        elif doing == "edit" and fields:
            one = self.chance.choice(fields)
            place = {"row": row["id"], "field": one["field"]}
            self.send(table, {"type": "edit", **place, "text": self._text(one)})
        elif doing == "paste":
            field = self.chance.choice(table.columns)["field"]
            text = self.chance.choice(BLOCKS)
            self.send(table, {"type": "paste", "row": row["id"], "field": field, "text": text})
        elif doing == "cancel" and table.errors:
            wrong = self.chance.choice(table.errors)
            self.send(table, {"type": "cancel", "row": wrong["row"], "field": wrong["field"]})

    def _text(self, column: dict[str, Any]) -> str:
        if column["kind"] == "choice":
            return str(self.chance.choice(column["choices"]))
        if column["kind"] == "text":
            return str(
                self.chance.choice((*SYMBOLS, *self.account.collateral, "USDC", "BTC", "ETH"))
            )
        return self.chance.choice(NUMBERS if self.chance.random() < 0.75 else NONSENSE)

    def slide(self) -> None:
        """Drag a slider, or type beside it."""
        marks = self.chance.choice(self.on_page(Marks))
        if not marks.rows:
            self.refill()
            return
        row = self.chance.choice(marks.rows)
        symbol = row["symbol"]
        value = row["low"] + self.chance.random() * (row["high"] - row["low"])
        doing = self.chance.random()
        if doing < 0.7:
            for share in (0.3, 0.7)[: self.chance.randint(0, 2)]:
                there = row["value"] + share * (value - row["value"])
                self.send(marks, {"type": "preview", "symbol": symbol, "value": there})
            self.send(marks, {"type": "commit", "symbol": symbol, "value": value})
        elif doing < 0.85:
            text = self.chance.choice((f"{value:,.2f}", *NONSENSE))
            self.send(marks, {"type": "commit_text", "symbol": symbol, "text": text})
        elif doing < 0.95:
            self.send(marks, {"type": "select", "symbol": symbol})
        else:
            self.send(marks, {"type": "cancel", "symbol": symbol})

    def drag(self) -> None:
        """Drag a handle as bqplot tells it; the page writes its own copy of the place too."""
        handles = [one for one in self.on_page(Scatter) if one.enable_move and one.visible]
        if not handles:
            self.refill()
            return
        mark = self.chance.choice(handles)
        index = self.chance.randrange(len(mark.x))
        x, y = mark.scales["x"], mark.scales["y"]
        start = (float(mark.x[index]), float(mark.y[index]))
        far = self.chance.choice((0.02, 0.2, 0.5, 1.2))
        end = [
            one + self.chance.uniform(-far, far) * float(scale.max - scale.min)
            for one, scale in zip(start, (x, y), strict=True)
        ]
        if mark.restrict_x:
            end[1] = start[1]
        self.send(mark, _point("drag_start", start, index))
        for share in (0.25, 0.75, 1.0)[: self.chance.randint(0, 3)]:
            there = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
            self.send(mark, {**_point("drag", there, index), "origin": _xy(start)})
        held = index < len(mark.x)  # an edit from elsewhere may have come in between
        moved = {name: np.array(getattr(mark, name), dtype=float) for name in ("x", "y")}
        if held:
            moved["x"][index], moved["y"][index] = end
        if mark.restrict_x:
            del moved["y"]
        before = self.chance.random() < 0.5
        if before:
            self.write(mark, **moved)
        self.send(mark, _point("drag_end", end, index))
        if not before:
            self.write(mark, **moved)
        self.drags += 1

    def click_cell(self) -> None:
        """Click into a heat map that is open."""
        for cells in self.on_page(GridHeatMap):
            row, column = (self.chance.choice(list(one)[:-1]) for one in (cells.row, cells.column))
            told = {"row": float(row), "column": float(column), "color": 0.0}
            self.send(cells, {"event": "element_clicked", "data": told, "id": 1})

    def open_tab(self) -> None:
        """Open a tab."""
        name = self.chance.choice(TABS)[0]
        self.send(self.dashboard._tabs, {"type": "action", "action": "tab", "value": name})

    def travel(self) -> None:
        """Undo or redo from anywhere."""
        widget = self.chance.choice([*self.on_page(Html), *self.on_page(Table)])
        self.send(widget, {"type": self.chance.choice(("undo", "undo", "redo"))})

    def use_code(self) -> None:
        """Edit the account from a cell; what the account refuses is refused there."""
        account, chance = self.account, self.chance
        doing = chance.choice((0, 1, 1, 2, 3, 4, 4, 5, 5, 6))
        self.did.append(f"code {doing}")
        try:
            if doing == 0 and len(account.positions):
                del account.positions[chance.randrange(len(account.positions))]
            elif doing == 1 and len(account.positions) < MOST_POSITIONS:
                symbol = chance.choice((*account.books.symbols, *SYMBOLS[:5]))
                price = account.marks.get(symbol, 100.0)
                account.positions.append(mw.Position(symbol, chance.choice((-2, 0.3, 4)), price))
            elif doing == 2:
                venue = chance.choice(mw.venues.names())
                with account.edit():
                    account.venue = venue
            elif doing == 3:
                account.collateral["USDT"] = account.collateral.get("USDT", 0) + 4_000
            elif doing == 4 and len(account.positions):
                one = chance.choice(list(account.positions))
                with account.edit():
                    one.quantity *= -1.1
                    one.leverage = chance.choice((2, 5, 20))
            elif doing == 5 and account.marks:
                symbol = chance.choice(list(account.marks))
                account.marks = {**account.marks, symbol: account.marks[symbol] * 0.97}
            elif doing == 6 and len(account.positions):
                self.dashboard.selection.key = chance.choice(account.positions.keys())
        except REFUSALS as error:
            self.did.append(f"refused {error}")

    def refill(self) -> None:
        """Give an account without positions its first one again."""
        self.did.append("refill")
        with self.account.edit():
            if not len(self.account.positions):
                self.account.prices, self.account.haircuts = {}, {}
                self.account.collateral = {"USDT": 9_000}
                self.account.venue = "binance-usdm"
                self.account.positions.append(mw.Position("BTCUSDT", 0.4, 90_000, leverage=8))
                self.account.positions.append(mw.Position("ETHUSDT", -3, 3_900, leverage=5))

    def repeat_late(self) -> None:
        """Press again what the page showed before: the answer to the first time is on its way."""
        late = [one for one in self.late if not isinstance(one[0], Mark)]
        if late:
            self.send(*self.chance.choice(late))

    def talk_nonsense(self) -> None:
        """Send what no module of ours sends."""
        widget = self.chance.choice([*self.on_page(Html), *self.on_page(Table)])
        self.send(widget, self.chance.choice([{}, {"type": "what"}, {"type": "tab"}]))


def _xy(point: Any) -> dict[str, float]:
    return {"x": float(point[0]), "y": float(point[1])}


def _point(event: str, point: Any, index: int) -> dict[str, Any]:
    return {"event": event, "point": _xy(point), "index": index}


# -- what is on screen ----------------------------------------------------------------------------

RESULTS = {
    *VBox.class_trait_names(sync=None),
    *("active", "answer", "caption", "error", "found", "message", "preview", "previewed"),
}
"""What follows from an account; every other trait of a part is a setting of a person's."""
FRAMES = ("_range", "_steady", "_zoom", "_ranges", "_frame", "_open", "_typing", "cell", "shown")
"""Axes stay where they are while a person edits, and what is opened stays open."""
UNSEEN = {"comm", "_model_id", "_esm", "_css", "layout", "_anywidget_id"}
HISTORY = re.compile(r'(data-action="(undo|redo)" data-key="\2")( aria-disabled="true")?')
ROW = re.compile(r"\bp\d+\b")


def part(dashboard: Dashboard, name: str) -> Any:
    """A part of a dashboard by its attribute, or the panel of a tab."""
    return getattr(dashboard, name) if hasattr(dashboard, name) else dashboard.panel(name)


def settle(monkey: Monkey) -> None:
    """Leave no refusal and no draft behind, as a person does with Escape and Reset."""
    dashboard = monkey.dashboard
    rules = dashboard._panels.get("rules")
    if rules is not None and (rules._unsound or monkey.account.venue != rules.base):
        monkey.send(rules._head, {"type": "action", "action": "reset", "value": None})
    for whole in (dashboard, *dashboard._panels.values()):
        for one in owned(whole):
            _escape(monkey, one)
    # Any edit takes away what was said about the last thing that was tried.
    monkey.account.name = f"settled after {len(monkey.did)}"


def _escape(monkey: Monkey, widget: Widget) -> None:
    if isinstance(widget, Table):
        for wrong in list(widget.errors):
            place = {"row": wrong["row"], "field": wrong["field"]}
            monkey.send(widget, {"type": "cancel", **place})
        if any(row["id"] == DRAFT for row in widget.rows):
            monkey.send(widget, {"type": "action", "action": "delete", "row": DRAFT})
    elif isinstance(widget, Marks):
        for wrong in list(widget.errors):
            monkey.send(widget, {"type": "cancel", "symbol": wrong["symbol"]})


def rebuilt(lived: Dashboard, names: list[str], path: Path) -> Dashboard:
    """A dashboard of the saved document, with all set as a person has set it in another."""
    chosen = {name: getattr(lived.selection, name) for name in Selection.class_trait_names()}
    made = mw.Dashboard(mw.load(lived.account.save(path)), Selection(**chosen))
    made.collateral.table.selected = lived.collateral.table.selected
    beside = [name for name in ("equity", "ratio", "marks", "python") if hasattr(lived, name)]
    for name in dict.fromkeys([*beside, *names]):
        here, there = part(lived, name), part(made, name)
        for _ in range(2):  # one setting may put another back to where it starts
            for trait in sorted(set(here.trait_names(sync=None)) - RESULTS):
                setattr(there, trait, getattr(here, trait))
        for frame in FRAMES:
            if frame in vars(here):
                setattr(there, frame, deepcopy(getattr(here, frame)))
        if name == "rules":
            there.tiers.selected = here.tiers.selected
            there.haircuts.selected = here.haircuts.selected
        if hasattr(here, "_brush"):
            there._brush.selected = here._brush.selected
        if hasattr(there, "update"):
            there.update()
    made.update()
    return made


def on_screen(widget: Widget, rows: dict[str, str]) -> Any:
    """Everything a widget shows, inside out, in words that do not tell one widget from another."""
    if isinstance(widget, (Axis, Mark)) and not widget.visible:
        return "not visible"
    if isinstance(widget, CodeLine):
        return "of the last edit"
    found = {}
    for name in widget.keys:
        if name not in UNSEEN:
            found[name] = _plain(getattr(widget, name), rows)
    return found


def _plain(content: Any, rows: dict[str, str]) -> Any:
    if isinstance(content, Widget):
        return on_screen(content, rows)
    if isinstance(content, np.ndarray):
        return _plain(content.tolist(), rows)
    if isinstance(content, dict):
        return {str(name): _plain(one, rows) for name, one in content.items()}
    if isinstance(content, (list, tuple)):
        return [_plain(one, rows) for one in content]
    if isinstance(content, str):
        content = ROW.sub(lambda found: rows.get(found[0], found[0]), content)
        return HISTORY.sub(r"\1", content)
    if isinstance(content, float):
        return repr(content)
    return content


def differences(here: Any, there: Any, where: str = "") -> list[str]:
    """Where two screens differ, and how."""
    if isinstance(here, dict) and isinstance(there, dict):
        names = dict.fromkeys((*here, *there))
        pairs = [(f"{where}.{name}", here.get(name), there.get(name)) for name in names]
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        pairs = [(f"{where}[{n}]", *two) for n, two in enumerate(zip(here, there, strict=True))]
    else:
        return [] if here == there else [f"{where}: {_around(here, there)}"]
    return [found for name, a, b in pairs for found in differences(a, b, name)]


def _around(here: Any, there: Any) -> str:
    """Two contents from shortly before where they differ."""
    texts = [one if isinstance(one, str) else repr(one) for one in (here, there)]
    same = next((n for n, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), 0)
    return " against ".join(repr(one[max(0, same - 60) : same + 120]) for one in texts)


def compare(monkey: Monkey, names: list[str], path: Path) -> None:
    """Check the dashboard against one of the saved document, tab by tab."""
    settle(monkey)
    lived = monkey.dashboard
    before = lived._open
    fresh = rebuilt(lived, names, path)
    try:
        ids = [
            {row.id: f"row {n}" for n, row in enumerate(one.account.state.positions)}
            for one in (lived, fresh)
        ]
        for name in names:
            for one in (lived, fresh):
                one._open_tab(name)
            screens = [on_screen(*pair) for pair in zip((lived, fresh), ids, strict=True)]
            wrong = differences(*screens)
            assert not wrong, "\n".join([f"tab {name}", *wrong[:12], *monkey.did[-8:]])
            for widget in owned(lived):  # what a browser could not read would stop it for good
                json.dumps(_jsonable(widget), allow_nan=False)
        lived._open_tab(before)
    finally:
        fresh.close()


def _jsonable(widget: Widget) -> Any:
    def thin(content: Any) -> Any:
        if isinstance(content, (bytes, memoryview)):
            return None
        if isinstance(content, dict):
            return {name: thin(one) for name, one in content.items()}
        return [thin(one) for one in content] if isinstance(content, (list, tuple)) else content

    return thin({name: one for name, one in widget.get_state().items() if name != "layout"})


@pytest.fixture
def loud(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Errors that ipywidgets would only log are raised; those of observers are kept."""
    failures: list[BaseException] = []

    def call(self: CallbackDispatcher, *args: Any, **kwargs: Any) -> None:
        for callback in list(self.callbacks):
            callback(*args, **kwargs)

    tell = mw.Account._tell

    def noted(self: mw.Account, queue: Any) -> None:
        try:
            tell(self, queue)
        except Exception as error:
            failures.append(error)
            raise

    monkeypatch.setattr(CallbackDispatcher, "__call__", call)
    monkeypatch.setattr(mw.Account, "_tell", noted)
    return failures


@pytest.mark.parametrize("seed", SEEDS)
def test_random_interactions_leave_what_a_reloaded_account_shows(
    seed: int, tmp_path: Path, loud: list[BaseException]
) -> None:
    dashboard = mw.Dashboard(SEEDS[seed]())
    monkey = Monkey(dashboard, seed)
    revision = dashboard.account.revision
    for step in range(1, STEPS + 1):
        try:
            monkey.act()
        except Exception as error:
            raise AssertionError("\n".join([f"step {step}", *monkey.did[-6:]])) from error
        assert not loud, "\n".join([f"step {step}: {loud}", *monkey.did[-6:]])
        if step % COMPARED_EVERY == 0 and step < STEPS:
            compare(monkey, [dashboard._open], tmp_path / "account.margin")
    compare(monkey, [name for name, _ in TABS], tmp_path / "account.margin")
    assert dashboard.account.revision - revision > STEPS // 4
    assert monkey.drags > STEPS // 20
    dashboard.close()
