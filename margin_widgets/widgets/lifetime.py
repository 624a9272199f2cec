"""What a widget owns and listens to, so that closing it leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ipywidgets import Widget
from traitlets import HasTraits

from margin_widgets.widgets.together import Column


def owned(root: Widget) -> list[Widget]:
    """Every widget reachable from `root` through its synchronised traits, `root` last."""
    found: dict[int, Widget] = {}

    def visit(content: Any) -> None:
        if isinstance(content, Widget):
            if id(content) not in found:
                found[id(content)] = content
                for name in content.keys:
                    visit(content._trait_values.get(name))
        elif isinstance(content, dict):
            for item in content.values():
                visit(item)
        elif isinstance(content, (list, tuple)):
            for item in content:
                visit(item)

    visit(root)
    return list(found.values())[::-1]


def close_inside(root: Widget) -> None:
    """Close all that `root` owns; ipywidgets leaves layouts, styles, scales and axes open."""
    widgets = owned(root)
    for one in widgets:
        if isinstance(one, Part):
            one.unfollow()
    for one in widgets:
        if one is not root:
            Widget.close(one)


class Part(Column):
    """A box that remembers what it observes and closes whole."""

    _begun = False

    def __init__(self, children: Sequence[Widget], **kwargs: Any) -> None:
        self._followed: list[tuple[HasTraits, Callable[[Any], None], str]] = []
        self._begun = True
        super().__init__(list(children), **kwargs)
        self.add_class("margin-widgets")

    def follow(self, model: HasTraits, handler: Callable[[Any], None], name: str) -> None:
        """Observe a trait until this part is closed."""
        model.observe(handler, name)
        self._followed.append((model, handler, name))

    def unfollow(self) -> None:
        """Stop observing, here and in every part inside."""
        followed, self._followed = self._followed, []
        for model, handler, name in followed:
            model.unobserve(handler, name)

    def __del__(self) -> None:
        # Refused by its arguments, it has nothing to free, nor the attributes that closing asks.
        if self._begun:
            super().__del__()

    def close(self) -> None:
        """Free this widget and everything it owns."""
        close_inside(self)
        super().close()
