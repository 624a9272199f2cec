"""Whether a document obeys its JSON Schema, at once: what is refused is explained by jsonschema.

Importing jsonschema takes two seconds where the packages for all of its formats are installed, as
they are beside JupyterLab. A document that is sound, the usual case, need not wait for that.
"""

from __future__ import annotations

import re
from typing import Any

Rule = dict[str, Any]

_SAID = frozenset({"$defs", "$id", "$schema", "description", "title"})
"""What is told to people and tools, and allows everything."""
_PLAIN = (bool, str, type(None))


def conforms(value: Any, rule: Rule | bool, schema: Rule) -> bool:
    """Whether a value surely obeys a rule of a schema; False where a keyword is not known here.

    >>> conforms({"a": 1}, {"type": "object", "required": ["a"]}, {})
    True
    >>> conforms({"a": 1}, {"type": "object", "required": ["b"]}, {})
    False
    """
    if isinstance(rule, bool):
        return rule
    for name, told in rule.items():
        if name in _SAID:
            continue
        if isinstance(value, dict) and name in _OF_OBJECTS:
            obeyed = _object(value, name, told, rule, schema)
        elif isinstance(value, list) and name in _OF_ARRAYS:
            obeyed = _array(value, name, told, rule, schema)
        elif name in _OF_NUMBERS:
            obeyed = not _is_number(value) or _number(value, name, told)
        else:
            # What is said of objects, arrays and texts allows whatever is none.
            obeyed = name in _OF_OBJECTS | _OF_ARRAYS or _any(value, name, told, schema)
        if not obeyed:
            return False
    return True


_OF_OBJECTS = frozenset({"additionalProperties", "properties", "propertyNames", "required"})
_OF_ARRAYS = frozenset({"items", "maxItems", "minItems", "prefixItems"})
_OF_NUMBERS = frozenset({"exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum"})


def _object(value: dict[str, Any], name: str, told: Any, rule: Rule, schema: Rule) -> bool:
    if name == "required":
        return all(one in value for one in told)
    if name == "propertyNames":
        return all(conforms(one, told, schema) for one in value)
    if name == "properties":
        return all(conforms(value[one], part, schema) for one, part in told.items() if one in value)
    known = rule.get("properties", {})
    return all(conforms(part, told, schema) for one, part in value.items() if one not in known)


def _array(value: list[Any], name: str, told: Any, rule: Rule, schema: Rule) -> bool:
    if name == "minItems":
        return bool(len(value) >= told)
    if name == "maxItems":
        return bool(len(value) <= told)
    if name == "prefixItems":
        return all(conforms(one, part, schema) for one, part in zip(value, told, strict=False))
    first = len(rule.get("prefixItems", ()))
    return all(conforms(one, told, schema) for one in value[first:])


def _number(value: float, name: str, told: float) -> bool:
    refused = {
        "exclusiveMaximum": value >= told,
        "exclusiveMinimum": value <= told,
        "maximum": value > told,
        "minimum": value < told,
    }
    return not refused[name]


def _any(value: Any, name: str, told: Any, schema: Rule) -> bool:
    if name == "type":
        return any(_is(value, one) for one in ([told] if isinstance(told, str) else told))
    if name == "const":
        return _same(value, told)
    if name == "enum":
        return any(_same(value, one) for one in told)
    if name == "pattern":
        return not isinstance(value, str) or re.search(told, value) is not None
    if name == "$ref":
        place, _, definition = told.rpartition("/")
        found = schema.get("$defs", {}).get(definition) if place == "#/$defs" else None
        return found is not None and conforms(value, found, schema)
    if name == "oneOf":
        return _sure(*told) and sum(conforms(value, one, schema) for one in told) == 1
    if name == "not":
        return _sure(told) and not conforms(value, told, schema)
    return False


def _is(value: Any, kind: str) -> bool:
    if kind == "number":
        return _is_number(value)
    kinds = {"array": list, "boolean": bool, "null": type(None), "object": dict, "string": str}
    return kind in kinds and isinstance(value, kinds[kind])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(value: Any, other: Any) -> bool:
    """Whether two plain values are one in JSON, where 1 is 1.0 and not true."""
    if _is_number(value) and _is_number(other):
        return bool(value == other)
    return type(value) is type(other) and isinstance(value, _PLAIN) and bool(value == other)


def _sure(*rules: Any) -> bool:
    """Whether what does not conform to one of these rules is known to be refused by it."""
    return all(
        isinstance(rule, dict)
        and set(rule) <= {"const", "required", *_SAID}
        and not isinstance(rule.get("const"), list | dict)
        for rule in rules
    )
