"""PNG of a static picture, without a browser: resvg draws it, an optional dependency."""

from __future__ import annotations

from typing import Any

MISSING = (
    "PNG needs resvg_py, which is not installed: pip install 'margin-widgets[png]'. SVG needs"
    " nothing: to_svg()"
)


def png(svg: str, *, scale: float = 2.0) -> bytes:
    """Draw an SVG text as PNG.

    Parameters
    ----------
    svg : str
        A complete picture, as `Curve.to_svg` gives it.
    scale : float
        Pixels of the PNG per pixel of the SVG.

    Raises
    ------
    ImportError
        Without resvg_py, saying how to get it.
    ValueError
        If the scale is not between 0.1 and 10.
    """
    if not 0.1 <= scale <= 10:
        raise ValueError(f"scale: {scale!r} must be from 0.1 to 10")
    try:
        import resvg_py
    except ImportError as error:
        raise ImportError(MISSING, name="resvg_py") from error
    # The families that `system-ui` and the like stand for differ between machines: any sans serif.
    drawn: Any = resvg_py.svg_to_bytes(svg_string=svg, zoom=scale, sans_serif_family="DejaVu Sans")
    return bytes(drawn)
