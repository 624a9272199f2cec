"""Models that do not let a misspelling pass."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from traitlets import HasTraits

from margin_widgets.venues.rules import did_you_mean


class Strict(HasTraits):
    """A model on which a misspelt attribute is an error, not a new attribute."""

    def __setattr__(self, name: str, content: Any) -> None:
        if not name.startswith("_"):
            self._check_settable(name)
        with self._writing(name):
            super().__setattr__(name, content)

    def _check_settable(self, name: str) -> None:
        model = type(self)
        if not hasattr(model, name):
            known = [one for one in dir(model) if not one.startswith("_")]
            raise AttributeError(
                f"{model.__name__} has no attribute {name!r}{did_you_mean(name, known)}"
            )
        # traitlets itself replaces notify_change while it holds notifications.
        if callable(getattr(model, name)) and name != "notify_change":
            raise AttributeError(f"{model.__name__}.{name} is a method: it cannot be assigned")

    def _writing(self, name: str) -> AbstractContextManager[object]:
        """What to hold while an attribute is read, changed and written."""
        return nullcontext()
