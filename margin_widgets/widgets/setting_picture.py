"""A picture of one position in which a handle, dragged along x, sets one number of it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from margin_widgets.account.formatting import plain
from margin_widgets.widgets.drawing import Scatter
from margin_widgets.widgets.parsing import parse_number
from margin_widgets.widgets.picture import Picture, field, position_choice
from margin_widgets.widgets.plotting import STEM, assign


class SettingPicture(Picture):
    """Drag or type one number of the selected position.

    A subclass says what is set (`setting`, `_present`, `_set`) and what another value would mean
    (`_try`); `_held` keeps a drag within what is possible.

    Attributes
    ----------
    handle : bqplot.Scatter
        The position as it is.
    trial : bqplot.Scatter
        While the handle is dragged: where the position would be.
    """

    log_x = True
    setting: ClassVar[str] = "setting"
    field_width: ClassVar[int] = 9

    handle: Scatter
    trial: Scatter

    def _trial_and_handle(self) -> list[Scatter]:
        self.trial = self._points(
            marker="circle", default_size=70, stroke_width=0.0, colors=[STEM], visible=False
        )
        self.handle = self._handle(restrict_x=True)
        return [self.trial, self.handle]

    def _present(self, data: Any) -> float:
        """The number as it is."""
        raise NotImplementedError

    def _set(self, value: float) -> None:
        """Set the number, as one edit."""
        raise NotImplementedError

    def _try(self, data: Any, value: float) -> tuple[float, float, str]:
        """Where the position would be with another number, and what that means in words."""
        raise NotImplementedError

    def _controls_html(self, data: Any) -> str:
        chosen = position_choice(self.account, self.key)
        if data is None:
            return chosen
        value = plain(self._present(data))
        typed = field(self.setting.capitalize(), self.setting, value, width=self.field_width)
        return f'<div class="mw-row">{chosen}{typed}</div>'

    def _act(self, action: str, value: str) -> None:
        if action == self.setting:
            self._set(parse_number(self.setting, value))

    def _show_preview(self, *where: Any) -> None:
        if self._closed or self.data is None or not self._dragging:
            return
        x, y, words = self._try(self.data, where[0])
        assign(self.trial, x=np.array([x]), y=np.array([y]), visible=True)
        self.caption = f"{words} Release to apply, Escape to leave it."

    def _end_preview(self) -> None:
        assign(self.trial, visible=False)

    def _release(self, *where: Any) -> None:
        if self.data is not None and where[0] != self._present(self.data):
            self._set(where[0])
