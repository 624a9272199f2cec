"""A part that leaves something true behind where no kernel runs."""

from __future__ import annotations

from typing import Any

from margin_widgets.widgets.lifetime import Part


class StaticTwin(Part):
    """A part whose ``text/html`` shows its present state without script or network."""

    def static_html(self) -> str:
        """The present state as static HTML."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if isinstance(bundle, dict):
            bundle["text/html"] = self.static_html()
            bundle["text/plain"] = f"{type(self).__name__} of {self.account!r}"
        return bundle
