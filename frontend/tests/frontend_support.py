"""Data and short ways for the module tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from margin_widgets.widgets.frontend import by_columns

STATIC = Path(__file__).resolve().parents[2] / "margin_widgets" / "widgets" / "static"
COLUMNS = [
    {"field": "symbol", "title": "Symbol", "kind": "text", "hint": "Name of the contract"},
    {"field": "quantity", "title": "Quantity", "kind": "number"},
    {"field": "entry", "title": "Entry", "kind": "number"},
    {"field": "leverage", "title": "Leverage", "kind": "number"},
    {"field": "mode", "title": "Mode", "kind": "choice", "choices": ["cross", "isolated"]},
    {"field": "liq_isolated", "title": "Liq. isolated", "kind": "readonly", "explain": True},
    {
        "field": "liq_cross",
        "title": "Liq. cross",
        "kind": "readonly",
        "explain": True,
        "hide_below": 480,
    },
]
ACTIONS = [
    {"action": "add", "label": "Add position", "needs_row": False},
    {"action": "duplicate", "label": "Duplicate", "needs_row": True},
    {"action": "delete", "label": "Delete", "needs_row": True},
]


def row(
    identity: str,
    symbol: str,
    quantity: str,
    entry: str,
    mode: str = "cross",
    liq: tuple[str, str] = ("90,452.3", "80,804.0"),
) -> dict[str, Any]:
    """One position as Python sends it."""
    return {
        "id": identity,
        "text": {
            "symbol": symbol,
            "quantity": quantity,
            "entry": f"{float(entry):,.0f}",
            "leverage": "10×",
            "mode": mode,
            "liq_isolated": liq[0],
            "liq_cross": liq[1],
        },
        "raw": {
            "symbol": symbol,
            "quantity": quantity,
            "entry": entry,
            "leverage": "10",
            "mode": mode,
        },
        "classes": {"mode": f"mw-mode-{mode}"},
        "flags": [],
    }


def ref2() -> list[dict[str, Any]]:
    """Two positions."""
    return [
        row("p1", "BTCUSDT", "0.5", "100000"),
        row("p2", "ETHUSDT", "5", "4000", "isolated", ("3,636.36", "2,070.71")),
    ]


def many(count: int, shift: float = 0.0) -> list[dict[str, Any]]:
    """A long table; another `shift` changes every cell."""
    return [
        row(
            f"p{i}",
            f"C{i:03d}USDT{'x' if shift else ''}",
            f"{i + 1 + shift:.3f}",
            f"{1000 * (i + 1) + shift:.0f}",
            "isolated" if (i + int(shift)) % 2 else "cross",
            (f"{900.5 * i + shift:,.2f}", f"{800.5 * i + shift:,.2f}"),
        )
        for i in range(count)
    ]


def table_state(rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The traits of a table widget."""
    return {
        "columns": COLUMNS,
        "rows": by_columns(rows),
        "selected": "",
        "errors": [],
        "label": "Positions",
        "placeholder": "No positions yet.",
        "actions": ACTIONS,
        "max_height": 300,
        **more,
    }


class Part:
    """A mounted module and its fake model."""

    def __init__(self, page: Any, module: str, state: dict[str, Any], name: str = "m") -> None:
        self.page = page
        self.name = name
        page.evaluate("([n, m, s]) => { mount(n, m, s); }", [name, module, state])

    def set(self, **traits: Any) -> None:
        """Traits arrive from Python."""
        self.page.evaluate(
            "([n, t]) => { for (const k in t) models[n].set(k, t[k]); }", [self.name, traits]
        )

    def get(self, trait: str) -> Any:
        """A trait as the front end left it."""
        return self.page.evaluate("([n, t]) => models[n].get(t)", [self.name, trait])

    def message(self, content: dict[str, Any]) -> None:
        """A custom message arrives from Python."""
        self.page.evaluate("([n, c]) => models[n].emit('msg:custom', c)", [self.name, content])

    def sent(self) -> list[dict[str, Any]]:
        """Messages since the last call."""
        result: list[dict[str, Any]] = self.page.evaluate(
            "n => models[n].sent.splice(0)", self.name
        )
        return result


class Table(Part):
    """A mounted table."""

    def __init__(self, page: Any, rows: list[dict[str, Any]], **more: Any) -> None:
        super().__init__(page, "table", table_state(rows, **more))
        page.wait_for_selector(".tabulator-row, .mw-empty")

    def set(self, **traits: Any) -> None:
        """Traits arrive from Python, rows as it writes them."""
        if "rows" in traits:
            traits["rows"] = by_columns(traits["rows"])
        super().set(**traits)

    def cell(self, identity: str, field: str) -> Any:
        """Locator of a cell."""
        return self.page.locator(
            f'.tabulator-cell[data-row="{identity}"][data-field="{field}"]'
        ).first

    def focused(self) -> str:
        """Row and field of the focused cell or editor, "" when the focus is elsewhere."""
        return str(
            self.page.evaluate(
                """() => {
                  const c = document.activeElement.closest(".tabulator-cell");
                  return c ? `${c.dataset.row} ${c.dataset.field}` : "";
                }"""
            )
        )

    def editing(self) -> str | None:
        """Text in the open editor, None when there is none."""
        return self.page.evaluate(  # type: ignore[no-any-return]
            "() => document.querySelector('.mw-editor')?.value ?? null"
        )
