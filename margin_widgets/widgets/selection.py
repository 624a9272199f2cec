"""What is selected: one object shared by every part of a dashboard."""

from __future__ import annotations

from traitlets import HasTraits, Unicode


class Selection(HasTraits):
    """The position looked at and the axis it is looked at along.

    Examples
    --------
    >>> Selection(key="BTCUSDT").view
    'all'
    """

    key = Unicode("", help="key of the selected position, empty if none")
    view = Unicode("all", help='"all" for a common move of all marks, else the symbol moved alone')
    explain = Unicode("", help="path of the figure that is explained, empty if none")
