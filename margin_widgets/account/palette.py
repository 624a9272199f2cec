"""Colours of static pictures: on a light page, on a dark one, and on one of unknown colour."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Palette = Mapping[str, tuple[str, float]]
"""Colour and opacity of each role."""


def _palette(**colours: str | tuple[str, float]) -> Palette:
    return MappingProxyType(
        {role: (one, 1.0) if isinstance(one, str) else one for role, one in colours.items()}
    )


LIGHT = _palette(
    surface="#FFFFFF",
    ink="#1B1F24",
    muted="#5F6368",
    grid="#E3E6EA",
    zero="#5F6368",
    stem="#80868B",
    cross="#0072B2",
    isolated="#C04E00",
    configured="#00805E",
    liq="#B5558C",
)
DARK = _palette(
    surface="#111418",
    ink="#E8ECF1",
    muted="#A9B0B8",
    grid="#2B3138",
    zero="#A9B0B8",
    stem="#8A929B",
    cross="#56B4E9",
    isolated="#E69F00",
    configured="#2BB58A",
    liq="#E39AC6",
)
# Between the two: at least 3:1 on white and on black. Words take the colour of the page.
INLINE = _palette(
    surface="none",
    ink="currentColor",
    muted="currentColor",
    grid=("currentColor", 0.14),
    zero=("currentColor", 0.5),
    stem=("currentColor", 0.55),
    cross="#1F86C4",
    isolated="#D55E00",
    configured="#009E73",
    liq="#C25A94",
)
THEMES: Mapping[str, Palette] = MappingProxyType({"light": LIGHT, "dark": DARK, "auto": LIGHT})


def rules(palette: Palette, scope: str = ".mw-figure") -> str:
    """CSS that gives a picture's roles the colours of a palette."""
    return "".join(
        f"{scope} .mw-s-{role}{{stroke:{colour}}}{scope} .mw-f-{role}{{fill:{colour}}}"
        for role, (colour, _) in palette.items()
    )
