"""What is selected: one object shared by every part of a dashboard."""

from __future__ import annotations

from typing import Any

from traitlets import Bool, Bunch, Enum, HasTraits, Tuple, Unicode


class Selection(HasTraits):
    """The position and the margin mode looked at, and the axis they are looked at along.

    Examples
    --------
    >>> Selection(key="BTCUSDT").view
    'all'
    """

    key = Unicode("", help="key of the selected position, empty if none")
    view = Unicode("all", help='"all" for a common move of all marks, else the symbol moved alone')
    mode: Any = Enum(("", "isolated", "cross"), "", help="margin mode looked at, empty for both")
    control = Tuple(help="what the control with the focus sets, as `code_hint` takes it")
    explain = Unicode("", help="path of the figure that is explained, empty if none")
    answered = Bool(False, help="whether a dashboard shows that explanation")
    asked_from = Unicode("", help="tab of that dashboard in which it was asked, empty if none")

    def ask(self, path: str) -> None:
        """Set what is explained; asked again for the same, whoever observes it hears again."""
        if path != self.explain:
            self.explain = path
            return
        asked = Bunch(name="explain", old=path, new=path, owner=self, type="change")
        self.notify_change(asked)
