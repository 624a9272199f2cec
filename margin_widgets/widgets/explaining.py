"""A part whose numbers explain themselves: in the dashboard that shows them, or below it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from margin_widgets.widgets.explanation_box import ExplanationBox
from margin_widgets.widgets.lifetime import Part

if TYPE_CHECKING:
    from margin_widgets.account import Account
    from margin_widgets.widgets.selection import Selection


class Explaining(Part):
    """A part that shows figures of one account, each of which can be asked about."""

    account: Account
    selection: Selection
    children: Any
    _told: ExplanationBox | None = None

    def _ask(self, path: str) -> None:
        """Explain a figure; where no dashboard does, in a box below, which asking again closes."""
        self.selection.ask(path)
        if self.selection.answered:
            return
        if self._told is None:
            # Only now: most parts stand in a dashboard or are never asked.
            self._told = ExplanationBox()
            self._told.on_msg(self._on_told)
            self.follow(self.account, self._tell_again, "revision")
            self.children = [*self.children, self._told]
        self._told.show(self.account, path)

    def _on_told(self, _box: Any, content: Any, _buffers: Any) -> None:
        if self._told is not None and content.get("action") == "hide-explanation":
            self._told.hide()

    def _tell_again(self, _change: Any) -> None:
        if self._told is not None:
            self._told.renew(self.account)
