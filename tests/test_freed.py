"""A hundred of each widget, made and closed, leave nothing: no widget, no observer, no memory."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances
from traitlets import HasTraits

import margin_widgets as mw
from margin_widgets import widgets
from margin_widgets.widgets.dashboard import TABS
from margin_widgets.widgets.selection import Selection

KINDS = sorted(set(widgets.__all__) - {"Selection", "Dashboard"})
TIMES = 100
WHOLE = 6
"""Dashboards with every tab opened; those with the first tab only are counted in test_widgets."""
LEFT_AT_MOST = 50
"""Objects that caches may add meanwhile; one forgotten widget is more."""


def listening(model: HasTraits) -> int:
    """How many observers a model has."""
    return sum(len(found) for kinds in model._trait_notifiers.values() for found in kinds.values())


def whole(account: mw.Account, selection: Selection) -> Any:
    """A dashboard in which every tab has been opened."""
    dashboard = mw.Dashboard(account, selection)
    for name, _ in TABS:
        dashboard._tabs._handle_custom_msg({"type": "action", "action": "tab", "value": name}, [])
    assert len(dashboard._panels) == len(TABS)
    return dashboard


def collected() -> None:
    """Collect until nothing is left: what has a finalizer goes in a second round only."""
    while gc.collect():
        pass


def freed(make: Callable[[mw.Account, Selection], Any], times: int) -> None:
    """Make, use and close widgets of one account, and check that nothing is left of them."""
    account, selection = mw.presets.ref2(), Selection(key="ETHUSDT")
    observers = listening(account), listening(selection)

    def use(number: int) -> weakref.ref[Any]:
        widget = make(account, selection)
        if number % 10 == 0:
            account.positions[0].quantity = 0.5 + number / 1_000
            selection.key = ("BTCUSDT", "ETHUSDT")[number // 10 % 2]
            account.undo()
        widget.close()
        return weakref.ref(widget)

    for number in range(0, 41, 10):  # what is made once and shared, and caches that fill up
        use(number)
    collected()
    registered, objects = len(_instances), len(gc.get_objects())
    alive = [use(number) for number in range(times)]
    collected()
    assert len(_instances) == registered
    assert (listening(account), listening(selection)) == observers
    assert [one for one in alive if one() is not None] == []
    left = len(gc.get_objects()) - objects - times
    assert left <= LEFT_AT_MOST, f"{left} more objects"


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_of_each_widget_leave_nothing(kind: str) -> None:
    freed(getattr(mw, kind), TIMES)


def test_dashboards_with_every_tab_opened_leave_nothing() -> None:
    freed(whole, WHOLE)
