"""Traits that map names to numbers and can be edited item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Self

from traitlets import HasTraits, TraitError, TraitType, Undefined

from margin_widgets.account.strict import Strict
from margin_widgets.venues.rules import did_you_mean


class LiveMapping(MutableMapping[str, Any]):
    """The present content of a mapping trait; assigning an item edits the model.

    It always shows the model as it is now, however long a reference to it is kept.
    """

    def __init__(self, owner: Strict, name: str) -> None:
        self._owner, self._name = owner, name

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = self._owner._trait_values[self._name]
        return content

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """A copy to change, which becomes the content; all of it is one edit."""
        with self._owner._writing(self._name):
            content = self.copy()
            yield content
            setattr(self._owner, self._name, content)

    def __getitem__(self, key: str) -> Any:
        content = self._content()
        if key not in content:
            raise KeyError(f"{self._name}: no {key!r}{did_you_mean(str(key), content)}")
        return content[key]

    def __contains__(self, key: object) -> bool:
        return key in self._content()

    def get(self, key: str, default: Any = None) -> Any:
        """Return an item, or `default` where there is none."""
        return self._content().get(key, default)

    def __setitem__(self, key: str, item: Any) -> None:
        self.update({key: item})

    def __delitem__(self, key: str) -> None:
        with self._changing() as content:
            self[key]  # says what is missing
            del content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content())

    def __len__(self) -> int:
        return len(self._content())

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Assign several items as one edit."""
        items = dict(*args, **kwargs)
        with self._changing() as content:
            content.update({_stripped(key): item for key, item in items.items()})

    def pop(self, key: str, *default: Any) -> Any:
        """Take an item out and return it, or the default where there is none."""
        with self._changing() as content:
            if not default:
                self[key]  # says what is missing
            return content.pop(key, *default)

    def clear(self) -> None:
        """Take all items out as one edit."""
        with self._changing() as content:
            content.clear()

    def __ior__(self, other: Mapping[str, Any]) -> Self:
        self.update(other)
        return self

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other)

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return dict(other) | self.copy()

    def copy(self) -> dict[str, Any]:
        """Return the content as a plain dict."""
        return dict(self._content())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._content() == dict(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._content())

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)


class Keyed(TraitType[Any, Any]):
    """A mapping of names to checked items, read as a `LiveMapping`.

    Parameters
    ----------
    check : callable
        ``check(where, item)`` returns the item as kept, or raises `TraitError`.
    """

    info_text = "a mapping of names to numbers"

    def __init__(self, check: Callable[[str, Any], Any], **kwargs: Any) -> None:
        self.check = check
        super().__init__(**kwargs)

    def default(self, obj: Any = None) -> Any:
        """An empty mapping."""
        return {}

    def get(self, obj: Any, cls: Any = None) -> Any:
        """Return the live view."""
        assert self.name is not None
        if self.name not in obj._trait_values:
            obj._trait_values[self.name] = {}
        return LiveMapping(obj, self.name)

    def set(self, obj: HasTraits, content: Any) -> None:
        """Check every item, keep a copy, notify with plain dicts."""
        assert self.name is not None
        if content is None or not isinstance(content, Mapping):
            raise TraitError(f"{self.name}: {content!r} is not a mapping of names to numbers")
        new: dict[str, Any] = {}
        for key, item in content.items():
            if not isinstance(key, str) or not key.strip():
                raise TraitError(f"{self.name}: {key!r} is not a name")
            key = key.strip()
            if key in new:
                raise TraitError(f"{self.name}: {key!r} is given twice")
            new[key] = self.check(f"{self.name}[{key!r}]", item)
        old = obj._trait_values.get(self.name, Undefined)
        if old is Undefined or old != new:
            obj._trait_values[self.name] = new
            obj._notify_trait(self.name, {} if old is Undefined else dict(old), dict(new))


def _stripped(key: Any) -> Any:
    return key.strip() if isinstance(key, str) else key
