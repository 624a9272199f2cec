"""What a person chose in JupyterLab's settings, as it concerns a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from margin_widgets.account import formatting
from margin_widgets.venues.rules import did_you_mean
from margin_widgets.widgets import preview


@dataclass(frozen=True)
class Options:
    """How dashboards are shown.

    Parameters
    ----------
    convention : {"rising", "falling", "venue"}
        Margin ratio that a dashboard begins with, see `RatioPlot`.
    preview_rate : float
        Previews a second while something is dragged.
    number_format : str, optional
        One of `formatting.GROUPS`; None leaves numbers as the kernel writes them.
    """

    convention: str = "rising"
    preview_rate: float = 10.0
    number_format: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """Options from plain data.

        Raises
        ------
        ValueError
            Naming an option that is not known.
        """
        known = [one.name for one in fields(cls)]
        for name in given:
            if name not in known:
                raise ValueError(f"option {name!r} is not known{did_you_mean(name, known)}")
        return cls(**given)

    def apply(self) -> None:
        """Make those hold that concern a whole process."""
        preview.set_rate(self.preview_rate)
        if self.number_format is not None:
            formatting.write_like(self.number_format)
