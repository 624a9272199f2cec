"""A slider and a number for something that is no part of the account: a move, a rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from margin_widgets.account import formatting as fmt
from margin_widgets.widgets.editing import REFUSALS, guarded, reason
from margin_widgets.widgets.frontend import Marks
from margin_widgets.widgets.lifetime import Part
from margin_widgets.widgets.parsing import parse_number


class NumberSlider(Part):
    """Set one number: previewed while the slider is dragged, committed when it is released.

    Parameters
    ----------
    title : str
        Visible name, with the unit.
    name : str
        Accessible name.
    value : float
    low, high, step : float
        Range of the slider; a number typed may lie outside, and widens it.
    decimals : int
        Digits shown.
    preview, commit : callable
        Called with the number; `commit` may refuse it.
    cancel : callable
        Called when a drag is taken back: what was previewed is to go.
    history : callable, optional
        Called with ``"undo"`` or ``"redo"`` for the usual keys.
    """

    def __init__(
        self,
        title: str,
        name: str,
        value: float,
        *,
        low: float,
        high: float,
        step: float,
        decimals: int,
        preview: Callable[[float], None],
        commit: Callable[[float], None],
        cancel: Callable[[], None],
        history: Callable[[str], None] | None = None,
    ) -> None:
        self._title, self._name, self._decimals = title, name, decimals
        self._range, self._step = (low, high), step
        self._preview, self._commit = preview, commit
        self._cancel, self._history = cancel, history
        self._value = value
        self.control = Marks(label=name)
        super().__init__([self.control])
        self.control.on_msg(guarded(self._receive, self._refuse))
        self.show(value)

    def show(
        self,
        value: float,
        title: str | None = None,
        reach: tuple[float, float, float] | None = None,
    ) -> None:
        """Put the slider where the number is; `reach` is another low end, high end and step."""
        self._value = value
        if reach is not None:
            self._range, self._step = reach[:2], reach[2]
            # As many digits as a step has, and one for what is typed; whole numbers stay whole.
            if self._decimals:
                self._decimals = max(2, 1 - math.floor(math.log10(self._step)))
        self._title = self._title if title is None else title
        low, high = self._range
        row = {
            "symbol": self._title,
            "name": self._name,
            "text": fmt.amount(value, self._decimals),
            "value": value,
            "low": min(low, value),
            "high": max(high, value),
            "step": self._step,
            "selected": False,
        }
        with self.control.hold_sync():
            if self.control.rows != [row]:
                self.control.rows = [row]
            if self.control.errors:
                self.control.errors = []

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "preview":
            self._preview(float(message["value"]))
        elif kind == "commit":
            self._set(str(message["value"]), float(message["value"]))
        elif kind == "commit_text":
            text = message["text"]
            try:
                number = parse_number(self._name, text.strip().removesuffix("%"))
            except ValueError as error:
                self._refuse(str(error), text)
                return
            self._set(text, number)
        elif kind == "cancel":
            self.control.errors = []
            self._cancel()
        elif kind in ("undo", "redo") and self._history is not None:
            self._history(str(kind))

    def _set(self, text: str, number: float) -> None:
        try:
            self._commit(number)
        except REFUSALS as error:
            self._refuse(reason(error), text)
            return
        self.show(self._value)
        self.control.send_state("rows")  # the browser has moved its copy

    def _refuse(self, message: str, text: str = "") -> None:
        self.control.errors = [{"symbol": self._title, "text": text, "message": message}]
