"""What one action changes on the page, sent as one message and so drawn in one frame.

An edit changes a dozen widgets. Of a dozen messages the browser makes several frames, in which a
new table stands beside an old curve, and each frame costs it more than the change itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ipywidgets import Box, VBox, Widget

Waiting = list[tuple[Widget, dict[str, Any], list[Any]]]
"""Messages in the order in which they were to be sent: widget, content and binary buffers."""

_now = threading.local()


class Gathered(Widget):
    """A widget whose messages wait for the end of the action that they are part of."""

    def _send(self, msg: dict[str, Any], buffers: Any = None) -> None:
        waiting: Waiting | None = getattr(_now, "waiting", None)
        if waiting is None:
            super()._send(msg, buffers)
        else:
            waiting.append((self, msg, list(buffers or ())))


@contextmanager
def together(carrier: Any) -> Iterator[None]:
    """Hold what gathered widgets say until the end, then have `carrier` say it all.

    Parameters
    ----------
    carrier : Widget
        What the person used, and so a widget that is on their page. Where it is none whose module
        takes such a message apart, every widget speaks for itself.
    """
    if not isinstance(carrier, Carrier) or getattr(_now, "waiting", None) is not None:
        yield
        return
    waiting: Waiting = []
    _now.waiting = waiting
    try:
        yield
    finally:
        _now.waiting = None
        _deliver(carrier, waiting)


def said_by(carrier: Carrier, function: Callable[..., None]) -> Callable[..., None]:
    """Return the function, all that it changes said by one widget whenever it is called."""

    def call(*args: Any) -> None:
        with together(carrier):
            function(*args)

    return call


class Carrier(Gathered):
    """A widget whose browser module hands on what others have to say (``together.ts``)."""


def _deliver(carrier: Carrier, waiting: Waiting) -> None:
    said = [one for one in waiting if one[0].comm is not None]
    if len(said) < 2 or carrier.comm is None:
        for widget, message, buffers in said:
            widget._send(message, buffers)
        return
    parts = [
        {"id": widget.model_id, "data": message, "buffers": len(buffers)}
        for widget, message, buffers in said
    ]
    carrier.send(
        {"type": "together", "parts": parts}, [one for *_, buffers in said for one in buffers]
    )


class Row(Gathered, Box):
    """Widgets side by side, as far as there is room."""


class Column(Gathered, VBox):
    """Widgets one below the other."""
