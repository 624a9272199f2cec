"""The parts of a figure, as bqplot has them, that change together with all else on the page."""

from __future__ import annotations

import bqplot
from bqplot import interacts

from margin_widgets.widgets.together import Gathered


class LinearScale(Gathered, bqplot.LinearScale):
    """A linear scale."""


class LogScale(Gathered, bqplot.LogScale):
    """A logarithmic scale."""


class ColorScale(Gathered, bqplot.ColorScale):
    """A scale of colours."""


class Axis(Gathered, bqplot.Axis):
    """An axis."""


class Lines(Gathered, bqplot.Lines):
    """Lines."""


class Scatter(Gathered, bqplot.Scatter):
    """Points."""


class Label(Gathered, bqplot.Label):
    """Text at points."""


class GridHeatMap(Gathered, bqplot.GridHeatMap):
    """Coloured cells."""


class BrushIntervalSelector(Gathered, interacts.BrushIntervalSelector):
    """A range that is chosen by dragging."""


class Figure(Gathered, bqplot.Figure):
    """A figure."""
