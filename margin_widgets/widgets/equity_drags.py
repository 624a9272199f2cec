"""Drags and typed places that edit the account: the mark, entries, and liquidations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from margin_widgets.account import solve
from margin_widgets.account.curve_words import place, pool_title
from margin_widgets.account.formatting import amount, plain
from margin_widgets.widgets.editing import REFUSALS, reason
from margin_widgets.widgets.equity_canvas import EquityCanvas
from margin_widgets.widgets.equity_labels import Marker
from margin_widgets.widgets.parsing import parse_number
from margin_widgets.widgets.picture import field
from margin_widgets.widgets.plotting import assign

if TYPE_CHECKING:
    from margin_widgets.account import Account, Curve

Edit = Callable[["Account"], None]

BEYOND = "a liquidation at or beyond the present mark would close the position at once"
NOTHING_HELD = "a pool that only holds a loan has no margin to assign; change the collateral"


@dataclass(frozen=True)
class Grip:
    """What is dragged: the mark, the entry of a position, or a LIQ marker."""

    kind: str
    key: str = ""
    marker: Marker | None = None


class EquityDrags(EquityCanvas):
    """The picture of equity with handles: a drag previews, its release makes one edit.

    Whatever a drag does can be typed, and ``Escape`` ends a drag without an edit.
    """

    def _marks(self) -> tuple[list[Any], list[Any]]:
        self._grip: Grip | None = None
        self._typing = False
        made = super()._marks()
        for mark, grip in (
            (self.handle, lambda _: Grip("mark")),
            (self.entries, self._entry_grip),
            (self.liquidations, self._marker_grip),
        ):
            self._listen(mark, self._starter(grip), self._on_drag, self._on_drag_end)
        return made

    # -- a drag ---------------------------------------------------------------------------------

    def _starter(self, grip: Callable[[int], Grip | None]) -> Callable[[Any], None]:
        def start(content: Any) -> None:
            self._on_drag_start(content)
            self._grip = grip(int(content.get("index", 0)))

        return start

    def _entry_grip(self, index: int) -> Grip | None:
        return Grip("entry", key=self._entry_keys[index]) if index < len(self._entry_keys) else None

    def _marker_grip(self, index: int) -> Grip | None:
        known = index < len(self._markers)
        return Grip("liquidation", marker=self._markers[index]) if known else None

    def _on_drag(self, content: Any) -> None:
        if self._dragging and self._grip is not None:
            self._preview("drag", self._clamped(content["point"]["x"]))

    def _on_drag_end(self, content: Any) -> None:
        grip, x = self._grip, self._clamped(content["point"]["x"])
        self._let_go()
        if grip is None:  # nothing was held, or the drag was cancelled
            self._commit(lambda: None)
            return
        self._put(grip, x)
        if not float(self._x.min) <= content["point"]["x"] <= float(self._x.max):
            held = f"held at the edge of the picture: {self._at(x)}"
            self.message = f"{self.message}; {held}" if self.message else held

    def _end_preview(self) -> None:
        self._grip = None
        self._show_trials(None)

    def _clamped(self, x: float) -> float:
        """The dragged x inside the frame, on a round value no finer than a pixel."""
        low, high = float(self._x.min), float(self._x.max)
        inset = 0.005 * (high - low)
        digits = math.floor(math.log10((high - low) / 1000))
        x = round(min(max(x, low + inset), high - inset), -digits)
        return float(f"{x:.12g}")

    # -- the edit of a place --------------------------------------------------------------------

    def _put(self, grip: Grip, x: float) -> None:
        """Make the edit that puts what is held at x; a refusal is told."""
        edit: Edit | None = None
        try:
            edit = self._edit(grip, x)
            if grip.marker is not None:
                self._trial(grip.marker, edit)
        except REFUSALS as error:
            edit, self.message = None, reason(error)
        self._commit(lambda: None if edit is None else edit(self.account))

    def _edit(self, grip: Grip, x: float) -> Edit:
        if grip.marker is not None:
            return self._solved(grip.marker, x)
        if grip.kind == "entry":
            return lambda edited: setattr(edited.positions[grip.key], "entry_price", x)
        return lambda edited: self._move_marks(edited, x)

    def _move_marks(self, edited: Account, x: float) -> None:
        if x == self.present:
            return
        if self.symbol is not None:
            edited.marks[self.symbol] = x
        else:
            moved = zip(edited.books.symbols, edited.books.marks.tolist(), strict=True)
            edited.marks = {symbol: mark * (1 + x) for symbol, mark in moved}

    def _solved(self, marker: Marker, x: float) -> Edit:
        """The edit that puts the marker's liquidation at x; ValueError where none does."""
        account, symbol, present = self.account, self.symbol, self.present
        if x == present or (marker.event.x - present) * (x - present) < 0:
            raise ValueError(BEYOND)
        if not marker.event.positions:
            raise ValueError(NOTHING_HELD)
        if marker.mode == "isolated":
            key = marker.event.positions[0]
            target = x if symbol is not None else self._mark_of(key) * (1 + x)
            margin = solve.margin_for_liquidation(account, key, target)
            return lambda edited: setattr(edited.positions[key], "margin", margin)
        member = account.positions[marker.event.positions[0]].symbol
        change = (
            solve.wallet_for_shock(account, x, member)
            if symbol is None
            else solve.wallet_for_liquidation(account, symbol, x)
        )
        return lambda edited: solve.apply_wallet_change(edited, change, member)

    def _trial(self, marker: Marker, edit: Edit) -> tuple[Account, Curve]:
        """The account as edited, and its curve; ValueError if the pool could not stand."""
        account = self.account.copy()
        edit(account)
        curve = self.sweep(account)
        events = curve.cross.events if marker.mode == "cross" else curve.isolated.events
        if any(one.pool == marker.event.pool and one.x == curve.mark for one in events):
            raise ValueError(BEYOND)
        return account, curve

    def _mark_of(self, key: str) -> float:
        return self.account.mark(self.account.positions[key].symbol)

    # -- preview --------------------------------------------------------------------------------

    def preview(self, marks: Mapping[str, float]) -> None:
        """Show the curves as they would be at other marks, at most ten times a second.

        Parameters
        ----------
        marks : mapping of symbol to price
            Marks that differ from the account's; empty to show the account again.
        """
        if marks:
            self._preview("marks", dict(marks))
        else:
            self._preview.cancel()
            self.update()

    def _show_preview(self, *where: Any) -> None:
        kind, x = where
        if self._closed or self.curve is None:
            return
        if kind == "marks":
            curve = self.sweep(self.account, marks=x)
            self._draw_curves(curve)
            assign(self.stem, x=np.full(2, curve.mark))
            self._markers = self._draw_around(curve)
            self._draw_markers()
        elif self._dragging and self._grip is not None:
            self._preview_drag(self._grip, x)

    def _preview_drag(self, grip: Grip, x: float) -> None:
        if grip.kind == "mark":
            self._draw_stem(x)
            self.caption = self._reading(x)
            return
        try:
            edit = self._edit(grip, x)
            if grip.marker is not None:
                trial, curve = self._trial(grip.marker, edit)
            else:
                trial = self.account.copy()
                edit(trial)
                curve = self.sweep(trial)
        except REFUSALS as error:
            self.message = reason(error)
            return
        self.message = ""
        self._draw_curves(curve)
        markers = self._draw_around(curve)
        self._show_trials(markers, grip.marker)
        told = self._wanted(grip, trial, x)
        self.caption = f"{told} Release to apply, Escape to leave it."

    def _reading(self, x: float) -> str:
        """What both modes hold at x, read off the curve on display."""
        curve = self.data.curve
        values = (
            f"{series.mode} {amount(curve.at(series.equity, x))}"
            for series in (curve.isolated, curve.cross)
        )
        where = "All marks" if self.symbol is None else self.symbol
        told = f"{where} at {self._at(x)}: equity " + ", ".join(values) + "."
        return f"{told} Release to apply, Escape to leave it."

    def _wanted(self, grip: Grip, trial: Account, x: float) -> str:
        marker = grip.marker
        if marker is None:
            now = self.account.positions[grip.key].entry_price
            return (
                f"Entry of {grip.key} at {self._at(x)} instead of {self._at(now)}: equity"
                f" {amount(trial.cross.equity)} instead of {amount(self.account.cross.equity)}."
            )
        if marker.mode == "isolated":
            key = marker.event.positions[0]
            now = self.account.isolated.positions[key].margin
            then = trial.isolated.positions[key].margin
            return (
                f"Isolated {pool_title(self.account.books, marker.event)} liquidated at"
                f" {self._at(x)}: assigned margin {amount(then)} instead of {amount(now)}."
            )
        change = trial.cross.equity - self.account.cross.equity
        return (
            f"Cross liquidated at {self._at(x)}: wallet {'+' if change > 0 else ''}"
            f"{amount(change)} {self.account.currency}."
        )

    def _at(self, x: float) -> str:
        return place(self.data.curve, x)

    # -- the same by typing ---------------------------------------------------------------------

    def _grips(self) -> dict[str, tuple[str, float, Grip]]:
        """What can be put somewhere: its words, where it is, and what that edits."""
        found = {"mark": ("mark", self.present, Grip("mark"))}
        if self.symbol is None:
            found["mark"] = ("move of all marks", 0.0, Grip("mark"))
        for key, price in self._entries().items():
            if len(self._entry_keys) == 1 or key == self.key:
                found["entry"] = ("entry", price, Grip("entry", key=key))
        for marker in self._markers:
            name = marker.mode
            mine = self.key in marker.event.positions
            if name not in found or (name == "isolated" and mine):
                who = pool_title(self.account.books, marker.event)
                words = f"LIQ {name} {who}"
                found[name] = (words, marker.event.x, Grip("liquidation", marker=marker))
        return found

    def _typing_html(self) -> str:
        """Fields for what can be dragged."""
        fields = "".join(
            self._field(words, f"put-{name}", x) for name, (words, x, _) in self._grips().items()
        )
        return f'<div class="mw-row">{fields}</div>'

    def _field(self, words: str, action: str, x: float) -> str:
        """A place to type: a price, or a move in per cent."""
        text = plain(float(f"{100 * x:.6g}" if self.symbol is None else f"{x:.8g}"))
        unit = "%" if self.symbol is None else ""
        return field(words, action, text, width=max(8, len(text) + 2), unit=unit)

    def _typed(self, name: str, text: str) -> float:
        """A typed place; ValueError where the axis has none such."""
        value = parse_number(name, text.strip().removesuffix("%"))
        if self.symbol is None:
            if not value > -100:
                raise ValueError(f"{name}: {text} must be above −100 %")
            return value / 100
        if not 0 < value < math.inf:
            raise ValueError(f"{name}: {text} must be above 0")
        return value

    def _act(self, action: str, value: str) -> None:
        if action == "typing":
            self._typing = not self._typing
            self._fill_data()
            return
        name = action.removeprefix("put-")
        words, now, grip = self._grips()[name]
        x = self._typed(words, value)
        if x != now:
            self._put(grip, x)
