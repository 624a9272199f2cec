"""An account as Python code that rebuilds it, digit for digit.

>>> import margin_widgets as mw
>>> scope = {}
>>> exec(as_python(mw.presets.ref2()), scope)
>>> scope["account"].to_dict() == mw.presets.ref2().to_dict()
True
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import combining, east_asian_width

from margin_widgets import __version__, venues
from margin_widgets.account.position import FIELDS
from margin_widgets.account.state import AccountState, PositionState
from margin_widgets.venues import Contract, RuleError, RuleSet
from margin_widgets.venues.rules import CHANGED

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

WIDTH = 88
"""Longest line, as formatters have it by default."""
_INDENT = "    "
_DEFAULTS = {"margin": None, "margin_mode": "cross"}
_MOST_CHANGES = 12
"""Differences up to which rules are written as a change of others."""


def as_python(account: Account, *, name: str = "account") -> str:
    """Return code that builds the same account; it imports margin_widgets only.

    Rules that come with the package are named, changed ones are written as the change, any others
    in full. What is not part of the account's document is left out: its history, and what `under`
    assumed.

    Parameters
    ----------
    account : Account
    name : str
        Of the variable.

    Raises
    ------
    ValueError
        If `name` cannot be the name of a variable.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> account = mw.Account("binance-usdm", {"USDT": 12_000})
    >>> print(as_python(account, name="mine"))  # doctest: +ELLIPSIS
    # Rules: binance-usdm · v1 · ... (margin_widgets ...)
    import margin_widgets as mw
    <BLANKLINE>
    mine = mw.Account(venue="binance-usdm", collateral={"USDT": 12_000})
    <BLANKLINE>
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name == "mw":
        raise ValueError(f"name: {name!r} cannot be the name of a variable here")
    state = account.state
    shipped = is_shipped(state.venue)
    head = f"# Rules: {state.venue.label} (margin_widgets {__version__})\n" if shipped else ""
    body = assignment(name, account_expression(state))
    return f"{head}import margin_widgets as mw\n\n{body}\n"


def account_expression(state: AccountState) -> Call:
    """The call that builds an account."""
    arguments: dict[str, Any] = {}
    if state.name:
        arguments["name"] = state.name
    if state.venue != venues.get("generic"):
        arguments["venue"] = rules_expression(state.venue)
    if state.collateral:
        arguments["collateral"] = dict(state.collateral)
    if state.positions:
        arguments["positions"] = [position_expression(row) for row in state.positions]
    for field in ("marks", "prices"):
        if getattr(state, field):
            arguments[field] = dict(getattr(state, field))
    if state.haircuts:
        arguments["haircuts"] = {
            asset: haircut_content(bands) for asset, bands in state.haircuts.items()
        }
    if state.order_margin:
        arguments["order_margin"] = state.order_margin
    if state.as_of:
        arguments["as_of"] = state.as_of
    return Call("mw.Account", (), arguments)


def position_expression(row: PositionState) -> Call:
    """The call that builds a position, without what is at its default."""
    given = {field: getattr(row, field) for field in FIELDS[1:]}
    told = {
        field: content
        for field, content in given.items()
        if field not in _DEFAULTS or content != _DEFAULTS[field]
    }
    return Call("mw.Position", (row.symbol,), told)


def haircut_content(bands: Any) -> Any:
    """A haircut as a person would give it: one share where there is one band."""
    return bands[0][1] if len(bands) == 1 else [tuple(band) for band in bands]


# -- rules --------------------------------------------------------------------------------------


def rules_expression(rules: RuleSet) -> Any:
    """The shortest way to say a rule set that gives the very same one."""
    if is_shipped(rules):
        return rules.name
    found = []
    for base in (rules.name, *venues.names()):
        if base in venues.names():
            found += _as_change(rules, base)
    return min(found, key=lambda one: len(written(one)), default=_in_full(rules))


def is_shipped(rules: RuleSet) -> bool:
    """Whether a rule set comes with the package as it is."""
    return rules.name in venues.names() and venues.get(rules.name) == rules


def _as_change(rules: RuleSet, base: str) -> list[Call]:
    """The rules as parts exchanged in a shipped set; nothing if they are too unlike it."""
    before = venues.get(base)
    changed = _changed(rules, before)
    if base != "generic":
        change = rules_change(rules, before, f'mw.venues.get("{base}")')
        return [] if change is None else [change]
    if len(changed) > _MOST_CHANGES:
        return []
    try:
        made = venues.generic(**{field: getattr(rules, field) for field in changed})
    except RuleError:
        return []
    return [Call("mw.venues.generic", (), _parts(rules, changed))] if made == rules else []


def rules_change(rules: RuleSet, before: RuleSet, expression: str) -> Call | None:
    """The rules as parts exchanged in others, which `expression` is; None if too unlike them."""
    changed = _changed(rules, before)
    if len(changed) > _MOST_CHANGES:
        return None
    given = {field: getattr(rules, field) for field in changed}
    try:
        made = before.replace(**given)
    except RuleError:
        return None
    if made != rules:
        return None
    told = _parts(rules, changed)
    for field in changed:
        entries = _differing(given[field], getattr(before, field))
        if entries:
            rest = {key: told[field][key] for key in entries}
            told[field] = Spread(f"{expression}.{field}", rest)
    return Call(f"{expression}.replace", (), told)


def _changed(rules: RuleSet, before: RuleSet) -> list[str]:
    """Names of the parts that have to be exchanged to make one rule set of another."""
    changed = [
        one.name for one in fields(RuleSet) if getattr(rules, one.name) != getattr(before, one.name)
    ]
    # `replace` itself says in the version that something was changed.
    says = before.version if before.version.endswith(CHANGED) else before.version + CHANGED
    if rules.version == says and "name" not in changed and "version" in changed:
        changed.remove("version")
    return changed


def _differing(content: Any, known: Any) -> list[str]:
    """Entries by which a long table differs from another; none if too many do."""
    if not isinstance(content, Mapping) or not known:
        return []
    other = {key: one for key, one in content.items() if key not in known or known[key] != one}
    # Only where the entries also come out in the same order.
    same = [*{**known, **other}] == [*content]
    return [*other] if same and len(other) < len(content) / 2 else []


def _in_full(rules: RuleSet) -> Call:
    return Call("mw.venues.from_mapping", (_tupled(venues.to_mapping(rules)),), {})


def _parts(rules: RuleSet, names: Iterable[str]) -> dict[str, Any]:
    """Parts of a rule set as arguments: plain data, contracts by their class."""
    plain = venues.to_mapping(rules)
    told: dict[str, Any] = {}
    for name in names:
        content = getattr(rules, name)
        if isinstance(content, Contract):
            told[name] = _contract(content)
        elif name == "contracts":
            told[name] = {symbol: _contract(one) for symbol, one in content.items()}
        elif name not in plain:  # at its default, which the shipped set is not
            told[name] = {} if is_dataclass(content) else content
        elif name in ("tiers", "initial_tiers", "haircuts", "liability_rates"):
            told[name] = {key: _table(rows) for key, rows in plain[name].items()}
        else:
            told[name] = _tupled(plain[name])
    return told


def _contract(one: Contract) -> Call:
    told = {
        field.name: getattr(one, field.name)
        for field in fields(Contract)
        if getattr(one, field.name) != field.default
    }
    kind = (told.pop("kind"),) if "kind" in told else ()
    return Call("mw.Contract", kind, told)


def _table(rows: Any) -> Any:
    """A table of one row from 0 on, with nothing but its rate, as the rate."""
    flat = len(rows) == 1 and len(rows[0]) == 2 and not rows[0][0]
    return rows[0][1] if flat else _tupled(rows)


def _tupled(content: Any) -> Any:
    """Plain data with rows of tables as tuples."""
    if isinstance(content, Mapping):
        return {key: _tupled(one) for key, one in content.items()}
    if isinstance(content, list):
        return [tuple(one) if isinstance(one, list) else _tupled(one) for one in content]
    return content


# -- writing code -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A call: function, arguments by place, arguments by name."""

    function: str
    places: tuple[Any, ...]
    names: Mapping[str, Any]


@dataclass(frozen=True)
class Spread:
    """A mapping that takes over another's entries: ``{**other, "X": 1}``."""

    other: str
    entries: Mapping[str, Any]


def assignment(target: str, content: Any, indent: int = 0) -> str:
    """Return an assignment, broken into lines where it is too long for one."""
    return _INDENT * indent + _written(f"{target} = ", content, indent, "")


def statement(content: Any, indent: int = 0) -> str:
    """Return an expression that stands alone."""
    return _INDENT * indent + _written("", content, indent, "")


def written(content: Any) -> str:
    """Return a value as code in one line."""
    if isinstance(content, bool) or content is None:
        return repr(content)
    if isinstance(content, (int, float)):
        return numeral(content)
    if isinstance(content, str):
        return quoted(content)
    opening, parts, closing = _pieces(content)
    comma = "," if closing == ")" and opening == "(" and len(parts) == 1 else ""
    return f"{opening}{', '.join(label + written(one) for label, one in parts)}{comma}{closing}"


def _written(label: str, content: Any, indent: int, after: str) -> str:
    """A labelled value from a column on, with what follows it in its last line."""
    flat = label + written(content)
    if _is_atom(content) or len(_INDENT) * indent + _columns(flat + after) <= WIDTH:
        return flat
    opening, parts, closing = _pieces(content)
    if not parts:
        return flat
    inner = _INDENT * (indent + 1)
    if isinstance(content, Call) and all(_is_atom(one) for _, one in parts):
        together = inner + ", ".join(name + written(one) for name, one in parts)
        if _columns(together) <= WIDTH:
            return f"{label}{opening}\n{together}\n{_INDENT * indent}{closing}"
    lines = [f"{inner}{_written(name, one, indent + 1, ',')},\n" for name, one in parts]
    return f"{label}{opening}\n{''.join(lines)}{_INDENT * indent}{closing}"


def _is_atom(content: Any) -> bool:
    return content is None or isinstance(content, (bool, int, float, str))


def _columns(text: str) -> int:
    """Columns that a text takes: characters of East Asian scripts take two."""
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def _pieces(content: Any) -> tuple[str, list[tuple[str, Any]], str]:
    """Opening, labelled parts and closing of what has parts."""
    if isinstance(content, Call):
        named = [(f"{name}=", one) for name, one in content.names.items()]
        return f"{content.function}(", [*(("", one) for one in content.places), *named], ")"
    if isinstance(content, Spread):
        entries = [(f"{quoted(key)}: ", one) for key, one in content.entries.items()]
        return "{", [("**", Name(content.other)), *entries], "}"
    if isinstance(content, Name):
        return content.text, [], ""
    if isinstance(content, Mapping):
        return "{", [(f"{quoted(key)}: ", one) for key, one in content.items()], "}"
    if isinstance(content, tuple):
        return "(", _unlabelled(content), ")"
    return "[", _unlabelled(content), "]"


@dataclass(frozen=True)
class Name:
    """An expression that is written as it stands."""

    text: str


def _unlabelled(parts: Iterable[Any]) -> list[tuple[str, Any]]:
    return [("", one) for one in parts]


def numeral(number: float) -> str:
    """Return a number that reads back as the same double, thousands set apart.

    >>> numeral(100_000.0), numeral(0.1), numeral(1234.5), numeral(1e-5), numeral(-0.0)
    ('100_000', '0.1', '1_234.5', '1e-05', '-0.0')
    """
    number = float(number)
    if number.is_integer() and abs(number) < 1e15 and str(number) != "-0.0":
        return f"{int(number):_}"
    return f"{number:_}"


def quoted(text: str) -> str:
    r"""Return a text as a literal in double quotes, or in single ones where that escapes less.

    >>> quoted("BTC"), quoted('a "b"'), quoted("x\n")
    ('"BTC"', '\'a "b"\'', '"x\\n"')
    """
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escaped(one, quote) for one in text) + quote


def _escaped(one: str, quote: str) -> str:
    if one in (quote, "\\"):
        return "\\" + one
    return one if one.isprintable() else one.encode("unicode_escape").decode("ascii")
