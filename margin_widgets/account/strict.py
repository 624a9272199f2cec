"""Models that do not let a misspelling pass."""

from __future__ import annotations

from typing import Any

from traitlets import HasTraits

from margin_widgets.venues.rules import did_you_mean


class Strict(HasTraits):
    """A model on which a misspelt attribute is an error, not a new attribute."""

    def __setattr__(self, name: str, content: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name):
            known = [one for one in dir(type(self)) if not one.startswith("_")]
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}{did_you_mean(name, known)}"
            )
        super().__setattr__(name, content)
