"""Parts of a rule set that are objects of their own, from plain data: checked field by field."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from margin_widgets.venues import checks
from margin_widgets.venues.checks import RuleError

Part = TypeVar("Part")


def as_part(where: str, content: object, kind: type[Part]) -> Part:
    """Build a part that checks its fields itself, from such a part or a mapping of its fields.

    Raises
    ------
    RuleError
        Naming the part, and the field that is unknown, missing or wrong.
    """
    if isinstance(content, kind):
        return content
    return _built(where, _given(where, content, kind), kind)


def checked_part(where: str, content: object, kind: type[Part]) -> Part:
    """Build a part whose class checks nothing, from such a part or plain data.

    The annotations of its fields say what they may be: numbers are finite, rows of a table are
    counted from 1.

    Raises
    ------
    RuleError
        Naming the part, the field, the row, the value and what is allowed.
    """
    if isinstance(content, kind):
        given: Mapping[str, Any] = {
            one.name: getattr(content, one.name)
            for one in fields(kind)  # type: ignore[arg-type]
        }
    else:
        given = _given(where, content, kind)
    hints = _hints(kind)  # type: ignore[arg-type]
    values = {name: _value(f"{where} {name}", one, hints[name]) for name, one in given.items()}
    return _built(where, values, kind)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _given(where: str, content: object, kind: type) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise RuleError(
            f"{where}: {content!r} is not a {kind.__name__}, nor a mapping of its fields"
        )
    known = [one.name for one in fields(kind)]
    for key in content:
        if key not in known:
            raise RuleError(f"{where}: unknown field {key!r}{checks.did_you_mean(str(key), known)}")
    return content


def _built(where: str, values: Mapping[str, Any], kind: type[Part]) -> Part:
    try:
        return kind(**values)
    except RuleError as error:
        raise RuleError(str(error) if where in str(error) else f"{where}: {error}") from None
    except (TypeError, ValueError) as error:  # a field that is missing, a check of the class
        reason = str(error).removeprefix(f"{kind.__name__}.__init__() ")
        raise RuleError(f"{where}: {reason}") from None


def _value(where: str, content: object, hint: Any) -> Any:
    """Content as what the annotation asks for."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        checks.choice(where, content, arguments)
        return content
    if origin is tuple:
        return _rows(where, content, arguments)
    if origin is not None and issubclass(origin, Mapping):
        entries = checks.mapping(where, content).items()
        return {name: _value(f"{where} of {name}", one, arguments[1]) for name, one in entries}
    if is_dataclass(hint):
        return checked_part(where, content, hint)  # type: ignore[arg-type]
    if hint is float:
        return _number(where, content)
    if hint is int:
        return _count(where, content)
    if hint is bool:
        checks.truth(where, content)
    else:
        checks.text(where, content)
    return content


def _rows(where: str, content: object, hints: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(content, (list, tuple)):
        raise RuleError(f"{where}: {content!r} must be a list")
    if hints[-1] is not ...:
        if len(content) != len(hints):
            raise RuleError(f"{where}: {content!r} must have {len(hints)} entries")
        return tuple(_value(where, one, hint) for one, hint in zip(content, hints, strict=True))
    return tuple(
        _value(f"{where}, row {number}", one, hints[0])
        for number, one in enumerate(content, start=1)
    )


def _number(where: str, content: object) -> float:
    try:
        number = checks.real(content)
    except TypeError:
        raise RuleError(f"{where}: {content!r} is not a number") from None
    if not math.isfinite(number):
        raise RuleError(f"{where}: {content!r} is not finite")
    return number


def _count(where: str, content: object) -> int:
    if not isinstance(content, int) or isinstance(content, bool) or content < 1:
        raise RuleError(f"{where}: {content!r} must be a whole number, at least 1")
    return content
