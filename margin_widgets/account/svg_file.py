"""An inline picture made into a complete SVG file: size, ground, heading and theme."""

from __future__ import annotations

import re
from html import escape
from typing import Literal

from margin_widgets.account.palette import DARK, THEMES, Palette
from margin_widgets.venues.rules import did_you_mean

Theme = Literal["auto", "light", "dark"]

WIDTH = 720
SMALLEST = 280, 200
LARGEST = 10_000
_HEADING = 30
_EDGE = 8


def check_look(theme: str, width: int, height: int) -> None:
    """Refuse a theme that there is not, and sizes that nothing can be read in.

    Raises
    ------
    ValueError
    """
    if theme not in THEMES:
        hint = did_you_mean(str(theme), THEMES)
        raise ValueError(f"theme: {theme!r} is not one of {', '.join(map(repr, THEMES))}{hint}")
    for name, pixels, least in zip(("width", "height"), (width, height), SMALLEST, strict=True):
        if not least <= pixels <= LARGEST:
            raise ValueError(f"{name}: {pixels!r} must be from {least} to {LARGEST:,} pixels")


def svg_file(
    svg: str,
    *,
    title: str,
    description: str,
    theme: Theme = "auto",
    width: int = WIDTH,
    height: int | None = None,
) -> str:
    """Put an inline picture on a ground of its own, below a heading.

    Parameters
    ----------
    svg : str
        An SVG element with a ``viewBox``, whose words take the colour of the page.
    title, description : str
        Heading, and the sentence that says what is drawn.
    theme : {"auto", "light", "dark"}
        ``"auto"`` is light, and dark where the reader's system is.
    width, height : int
        Pixels; without a height as high as the picture then is. In another shape the picture is
        as large as fits.

    Raises
    ------
    ValueError
        If there is no such theme, or the size is too small.
    """
    left, top, across, up = (float(one) for one in re.findall(r'viewBox="([^"]*)"', svg)[0].split())
    natural = (width - 2 * _EDGE) * up / across + _HEADING + _EDGE
    height = max(SMALLEST[1], round(natural)) if height is None else height
    check_look(theme, width, height)
    colours = THEMES[theme]
    style = ""
    if theme == "auto":
        dark = f".mw-file{{{_colours(DARK)}}}.mw-file .mw-ground{{fill:{DARK['surface'][0]}}}"
        style = f"<style>@media screen and (prefers-color-scheme:dark){{{dark}}}</style>"
    # A second name and description would be read to the listener twice.
    inside = re.sub(r"<(title|desc)>.*?</\1>", "", svg.split(">", 1)[1], count=2, flags=re.DOTALL)
    room = width - 2 * _EDGE, height - _HEADING - _EDGE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mw-file" width="{width}"'
        f' height="{height}" viewBox="0 0 {width} {height}" role="img"'
        f' color="{colours["ink"][0]}" fill="currentColor"'
        ' font-family="system-ui,sans-serif" font-size="11">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{style}"
        f'<path class="mw-ground" d="M0 0H{width}V{height}H0Z" fill="{colours["surface"][0]}"/>'
        f'<text x="{_EDGE}" y="20" font-size="13" font-weight="600">{escape(title)}</text>'
        f'<svg x="{_EDGE}" y="{_HEADING}" width="{room[0]}" height="{room[1]}"'
        f' viewBox="{left:g} {top:g} {across:g} {up:g}">{inside}</svg>\n'
    )


def _colours(palette: Palette) -> str:
    return f"color:{palette['ink'][0]}"
