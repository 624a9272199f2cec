"""What a control does, as the line of Python that does the same.

>>> code_hint("positions", "BTCUSDT", "quantity", value=0.6)
'account.positions["BTCUSDT"].quantity = 0.6'
>>> code_hint("marks", "ETHUSDT", value=3_600)
'account.marks["ETHUSDT"] = 3_600'
>>> code_hint("order_margin", value=250)
'account.order_margin = 250'
>>> code_hint("prices", "BTC")
'del account.prices["BTC"]'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from margin_widgets.account.as_python import (
    Call,
    assignment,
    haircut_content,
    is_shipped,
    position_expression,
    quoted,
    rules_change,
    rules_expression,
    statement,
)
from margin_widgets.account.position import FIELDS
from margin_widgets.account.positions import keys_of
from margin_widgets.account.state import MAPPINGS, AccountState, PositionState
from margin_widgets.venues import RuleSet
from margin_widgets.venues.rules import did_you_mean

SETTINGS = ("name", "venue", "order_margin", "as_of")
_GONE: Any = object()


def code_hint(*where: str, value: Any = _GONE, name: str = "account") -> str:
    """Return the line that does what a control does.

    Parameters
    ----------
    *where : str
        What the control is for: ``"positions", key, field``; ``"marks", symbol`` (or collateral,
        prices, haircuts); or a setting of the account, e.g. ``"venue"``. ``"positions", key``
        alone is the position itself.
    value : optional
        What it is set to. Left out, the item is removed; of a position's field it is the line that
        reads it.
    name : str
        Variable of the account.

    Raises
    ------
    KeyError
        If an account has nothing of that name.
    """
    kind, *rest = where
    if kind == "positions" and len(rest) in (1, 2):
        target = f"{name}.positions[{quoted(rest[0])}]"
        if len(rest) == 1:
            return f"del {target}"
        field = rest[1]
        if field not in FIELDS:
            raise KeyError(f"a position has no {field!r}{did_you_mean(field, FIELDS)}")
        return f"{target}.{field}" if value is _GONE else assignment(f"{target}.{field}", value)
    if kind in MAPPINGS and len(rest) == 1:
        target = f"{name}.{kind}[{quoted(rest[0])}]"
        if value is _GONE:
            return f"del {target}"
        return assignment(target, _content(kind, value))
    if kind in SETTINGS and not rest and value is not _GONE:
        return assignment(f"{name}.{kind}", _content(kind, value))
    known = ("positions", *MAPPINGS, *SETTINGS)
    raise KeyError(f"{'.'.join(where)}: nothing of an account{did_you_mean(kind, known)}")


def present_code(state: AccountState, where: Sequence[str], *, name: str = "account") -> str:
    """Return the line that sets what a control is for to the value it has now; "" if it is gone.

    Parameters
    ----------
    state : AccountState
    where : sequence of str
        As `code_hint` takes it.
    name : str
        Variable of the account.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> present_code(presets.ref2().state, ("positions", "BTCUSDT", "leverage"))
    'account.positions["BTCUSDT"].leverage = 10'
    """
    kind, *rest = where
    if kind == "positions" and len(rest) == 2:
        keys = keys_of(state.positions)
        if rest[0] not in keys:
            return ""
        value = getattr(state.positions[keys.index(rest[0])], rest[1], _GONE)
    elif kind in MAPPINGS and len(rest) == 1:
        value = getattr(state, kind).get(rest[0], _GONE)
    else:
        value = getattr(state, kind, _GONE)
    return "" if value is _GONE else code_hint(*where, value=value, name=name)


def edit_code(before: AccountState, after: AccountState, *, name: str = "account") -> str:
    """Return the lines that make one state of an account out of another; "" if they are alike.

    Several lines are one edit, as they are on screen: all or none, and one step of undo.

    Parameters
    ----------
    before, after : AccountState
        ``account.state`` at two moments.
    name : str
        Variable of the account.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> account = presets.ref2()
    >>> before = account.state
    >>> account.positions["BTCUSDT"].quantity = 0.6
    >>> edit_code(before, account.state)
    'account.positions["BTCUSDT"].quantity = 0.6'
    """
    edits = [_setting_edit(before, field, one, name) for field, one in _settings(before, after)]
    edits += _position_edits(before.positions, after.positions, name)
    for field in MAPPINGS:
        edits += _item_edits(field, getattr(before, field), getattr(after, field), name)
    if len(edits) < 2:
        return "".join(edits)
    body = "\n".join(f"    {line}" for edit in edits for line in edit.split("\n"))
    return f"with {name}.edit():\n{body}"


def _settings(before: AccountState, after: AccountState) -> list[tuple[str, Any]]:
    pairs = ((field, getattr(after, field)) for field in SETTINGS)
    return [(field, one) for field, one in pairs if one != getattr(before, field)]


def _setting_edit(before: AccountState, field: str, value: Any, name: str) -> str:
    """The line that sets something of the account; rules as a change of the present ones."""
    if field == "venue" and not is_shipped(value):
        change = rules_change(value, before.venue, f"{name}.venue")
        if change is not None:
            return assignment(f"{name}.venue", change)
    return code_hint(field, value=value, name=name)


def _content(field: str, value: Any) -> Any:
    """A value as a person would give it."""
    if field == "venue" and isinstance(value, RuleSet):
        return rules_expression(value)
    if field == "haircuts" and isinstance(value, (tuple, list)):
        return haircut_content(value)
    return value


def _item_edits(
    field: str, before: Mapping[str, Any], after: Mapping[str, Any], name: str
) -> list[str]:
    gone = [key for key in before if key not in after]
    changed = [key for key, one in after.items() if key not in before or before[key] != one]
    kept = [key for key in before if key in after]
    if [*kept, *(key for key in after if key not in before)] != [*after]:  # in another order
        return [assignment(f"{name}.{field}", {k: _content(field, v) for k, v in after.items()})]
    found = [code_hint(field, key, name=name) for key in gone]
    return found + [code_hint(field, key, value=after[key], name=name) for key in changed]


def _position_edits(
    before: tuple[PositionState, ...], after: tuple[PositionState, ...], name: str
) -> list[str]:
    """Removals, then changed fields, then new positions, each by the key it has at that line."""
    staying = {row.id for row in after}
    left = [row for row in before if row.id in staying]
    then = {row.id: row for row in after}
    if [row.id for row in left] != [row.id for row in after[: len(left)]]:  # in another order
        return [assignment(f"{name}.positions", [position_expression(row) for row in after])]
    found = []
    rows = list(before)
    for row in before:
        if row.id not in staying:
            found.append(f"del {_target(rows, rows.index(row), name)}")
            rows.remove(row)
    for number, row in enumerate(left):
        for field in FIELDS:
            new = getattr(then[row.id], field)
            if new != getattr(rows[number], field):
                target = _target(rows, number, name)
                found.append(assignment(f"{target}.{field}", new))
                rows[number] = replace(rows[number], **{field: new})
    return found + [
        statement(Call(f"{name}.positions.append", (position_expression(row),), {}))
        for row in after[len(left) :]
    ]


def _target(rows: list[PositionState], number: int, name: str) -> str:
    """A position as code finds it; by its number where no key names it alone."""
    keys = keys_of(rows)
    alone = keys.count(keys[number]) == 1
    return f"{name}.positions[{quoted(keys[number]) if alone else number}]"
