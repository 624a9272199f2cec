"""Accounts as JSON documents: written whole, checked field by field, migrated from older versions.

>>> from margin_widgets import presets
>>> account = presets.ref2()
>>> loads(dumps(account.state)).to_dict() == account.to_dict()
True
"""

from __future__ import annotations

import copy
import json
import math
import os
import re
import secrets
import shutil
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from traitlets import TraitError

from margin_widgets import __version__, venues
from margin_widgets.account.conformity import conforms
from margin_widgets.account.position import FIELDS
from margin_widgets.account.state import AccountState
from margin_widgets.venues import RuleError, RuleSet
from margin_widgets.venues.rules import LARGEST, did_you_mean

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

SCHEMA = "margin-widgets/account"
SCHEMA_VERSION = 2


class DocumentError(ValueError):
    """A document that cannot be read: names file, field, value and what is allowed.

    Attributes
    ----------
    path : str
        JSON path of the field, e.g. ``$.positions[0].quantity``; empty if the whole is meant.
    where : str
        File name, if known.
    """

    def __init__(self, message: str, path: str = "", where: str = "") -> None:
        super().__init__(": ".join(part for part in (where, path, message) if part))
        self.message, self.path, self.where = message, path, where


# -- writing -----------------------------------------------------------------------------------


def to_document(state: AccountState) -> dict[str, Any]:
    """Return the document of an account state as plain data.

    A rule set that comes with the package is named with version and date; any other is written out
    in full, so that the document stands alone.
    """
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "margin_widgets": __version__,
        "name": state.name,
    }
    rules = state.venue
    if rules.name in venues.names() and venues.get(rules.name) == rules:
        document["venue"] = {"name": rules.name, "version": rules.version, "date": rules.date}
    else:
        document["rules"] = venues.to_mapping(rules)
    document["positions"] = [
        {field: getattr(row, field) for field in FIELDS} for row in state.positions
    ]
    document["collateral"] = dict(state.collateral)
    document["marks"] = dict(state.marks)
    document["prices"] = dict(state.prices)
    document["haircuts"] = {
        asset: [list(band) for band in bands] for asset, bands in state.haircuts.items()
    }
    document["order_margin"] = state.order_margin
    if state.as_of:
        document["as_of"] = state.as_of
    return document


def dumps(state: AccountState) -> str:
    """JSON text of an account state; every number reads back as the same double."""
    return json.dumps(to_document(state), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write(state: AccountState, path: str | Path) -> Path:
    """Write the document; the file is replaced whole, or left as it was.

    Returns
    -------
    Path
        The file as named by the caller.
    """
    path = Path(path)
    try:
        content = dumps(state).encode("utf-8")
    except UnicodeEncodeError as error:
        text = error.object[error.start : error.end]
        raise DocumentError(f"{text!r} cannot be written as UTF-8", where=path.name) from None
    target = Path(os.path.realpath(path))  # a link stays a link
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


# -- reading -----------------------------------------------------------------------------------


def load(path: str | Path) -> Account:
    """Open an account saved with `Account.save`.

    Raises
    ------
    DocumentError
        Naming the file, the field, its value and what is allowed.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    try:
        return _account(_parse(_decode(path.read_bytes())))
    except DocumentError as error:
        raise DocumentError(error.message, error.path, path.name) from None


def loads(text: str) -> Account:
    """Build an account from JSON text, as `dumps` writes it."""
    return _account(_parse(text))


def from_document(document: Mapping[str, Any]) -> AccountState:
    """Check a document and return the account state that it describes.

    Raises
    ------
    DocumentError
        Naming the field, its value and what is allowed.
    """
    return _account(document).state


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"not UTF-8 text: byte {error.start} is damaged") from None


def _parse(text: str) -> Any:
    """Plain data from JSON; refuses what JSON cannot say: NaN, infinity, a field given twice."""

    def constant(word: str) -> NoReturn:
        raise DocumentError(f"{word} is not a number that JSON allows")

    def finite(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            raise DocumentError(f"the number {digits} is too large")
        return number

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise DocumentError(f"field {twice!r} is given twice")
        return found

    try:
        return json.loads(
            text, parse_constant=constant, parse_float=finite, object_pairs_hook=unique
        )
    except json.JSONDecodeError as error:
        raise DocumentError(
            f"damaged JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except RecursionError:
        raise DocumentError("damaged JSON: nested too deeply") from None
    except DocumentError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise DocumentError(f"damaged JSON: {error}") from None


def _account(document: Any) -> Account:
    from margin_widgets.account.account import Account
    from margin_widgets.account.position import Position

    current = _migrated(document)
    _check(current)
    rules = _rules(current)
    try:
        return Account(
            venue=rules,
            positions=[Position(**row) for row in current["positions"]],
            collateral=current["collateral"],
            marks=current["marks"],
            prices=current.get("prices"),
            haircuts=current.get("haircuts"),
            order_margin=current.get("order_margin", 0.0),
            as_of=current.get("as_of", ""),
            name=current.get("name", ""),
        )
    except TraitError as error:
        path, message = _located(str(error), current)
        raise DocumentError(message, path) from error


def _rules(document: Mapping[str, Any]) -> RuleSet:
    if "rules" in document:
        try:
            return venues.from_mapping(document["rules"], where="rules")
        except RuleError as error:
            raise DocumentError(str(error).removeprefix("rules: "), "$.rules") from error
    stated = document["venue"]
    name = stated["name"]
    if name not in venues.names():
        raise DocumentError(
            f"{name!r} is not a rule set of this version{did_you_mean(name, venues.names())};"
            f" allowed: {', '.join(venues.names())}",
            "$.venue.name",
        )
    rules = venues.get(name)
    differs = [
        f"{field} {stated[field]} is now {getattr(rules, field)}"
        for field in ("version", "date")
        if field in stated and stated[field] != getattr(rules, field)
    ]
    if differs:
        warnings.warn(
            f"rule set {name}: {', '.join(differs)}; results follow the present rules",
            UserWarning,
            stacklevel=4,
        )
    return rules


# -- versions ----------------------------------------------------------------------------------


def _from_version_0(document: dict[str, Any]) -> dict[str, Any]:
    """Version 0 spelt the position's mode and margin as `mode` and `isolated_margin`."""
    for row in document.get("positions", ()):
        for old, new in (("mode", "margin_mode"), ("isolated_margin", "margin")):
            if isinstance(row, dict) and old in row:
                row[new] = row.pop(old)
    if isinstance(document.get("venue"), str):
        document["venue"] = {"name": document["venue"]}
    return document


def _from_version_1(document: dict[str, Any]) -> dict[str, Any]:
    """Version 1 named the venue's margin ratio in words; now it is a fraction of two figures."""
    rules = document.get("rules")
    if isinstance(rules, dict):
        rules.pop("margin_ratio_name", None)
    return document


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    0: _from_version_0,
    1: _from_version_1,
}
"""For each older schema version the step to the next one."""


def _migrated(document: Any) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise DocumentError(f"expected an object, found {_shown(document)}", "$")
    if document.get("schema") != SCHEMA:
        raise DocumentError(
            f"{_shown(document.get('schema'))} is not an account; allowed: {SCHEMA!r}", "$.schema"
        )
    version = document.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise DocumentError(
            f"{_shown(version)} is not a version; allowed: 0 to {SCHEMA_VERSION}",
            "$.schema_version",
        )
    if version > SCHEMA_VERSION:
        writer = document.get("margin_widgets")
        raise DocumentError(
            f"{_shown(version)} is newer than {SCHEMA_VERSION}, the newest that margin_widgets"
            f" {__version__} reads; upgrade margin_widgets"
            + (f" (written by {writer})" if isinstance(writer, str) else ""),
            "$.schema_version",
        )
    current: dict[str, Any] = copy.deepcopy(dict(document))
    while version < SCHEMA_VERSION:
        if version not in MIGRATIONS:
            raise DocumentError(
                f"{version} cannot be read; allowed: {min(MIGRATIONS)} to {SCHEMA_VERSION}",
                "$.schema_version",
            )
        current = MIGRATIONS[version](current)
        version += 1
        current["schema_version"] = version
    return current


# -- the schema --------------------------------------------------------------------------------


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document (draft 2020-12)."""
    file = resources.files("margin_widgets.account") / "margin.schema.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    # All references stay inside the schema; jsonschema 4.17 cannot join them to a urn.
    return Draft202012Validator({key: part for key, part in schema().items() if key != "$id"})


def _check(document: dict[str, Any]) -> None:
    if conforms(document, schema(), schema()):
        return
    errors = sorted(_validator().iter_errors(document), key=lambda one: list(map(str, one.path)))
    if errors:
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise DocumentError(_refusal(first) + more, str(first.json_path))


def _refusal(error: Any) -> str:
    """What is wrong with a field, in words, with its value and what is allowed."""
    rule, allowed, value = error.validator, error.validator_value, error.instance
    if rule == "additionalProperties":
        known = list(error.schema.get("properties", ()))
        names = [name for name in value if name not in known]
        return f"unknown field {names[0]!r}{did_you_mean(names[0], known)}"
    if rule == "required":
        missing = next(name for name in allowed if name not in value)
        return f"field {missing!r} is missing"
    if rule == "oneOf":
        return "give either 'venue' (a rule set by name) or 'rules' (one in full)"
    shown = _shown(value)
    if rule == "type":
        return f"{shown} is not {_kinds(allowed)}"
    if rule in ("enum", "const"):
        choices = allowed if rule == "enum" else [allowed]
        hint = did_you_mean(value, map(str, choices)) if isinstance(value, str) else ""
        return f"{shown} is not allowed{hint}; allowed: {', '.join(map(repr, choices))}"
    bounds = {
        "minimum": "must be at least",
        "exclusiveMinimum": "must be >",
        "maximum": "must be at most",
        "exclusiveMaximum": "must be <",
    }
    if rule in bounds:
        return f"{shown} {bounds[rule]} {allowed:g}".replace("e+", "e")
    if rule == "not":
        return f"{shown} must not be zero, and at most {LARGEST:g} in size".replace("e+", "e")
    if rule == "pattern":
        return f"{shown} must be a name, not empty"
    if rule in ("minItems", "maxItems"):
        least, most = error.schema.get("minItems", 0), error.schema.get("maxItems")
        if most is None:
            count = f"{least} or more"
        else:
            count = str(least) if least == most else f"{least} to {most}"
        return f"{shown} has {len(value)} entries; allowed: {count}"
    return str(error.message)


def _kinds(allowed: str | list[str]) -> str:
    words = {
        "object": "an object",
        "array": "a list",
        "string": "text",
        "number": "a number",
        "boolean": "true or false",
    }
    kinds = [allowed] if isinstance(allowed, str) else allowed
    return " or ".join(words.get(kind, kind) for kind in kinds)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "…"


def _located(refusal: str, document: Mapping[str, Any]) -> tuple[str, str]:
    """JSON path of the field that a refusal of the account begins with, and the rest of it."""
    subject, _, rest = refusal.partition(": ")
    if subject == "symbol":
        symbol = rest.partition(" ")[0].strip("'")
        for number, row in enumerate(document["positions"]):
            if row["symbol"] == symbol:
                return f"$.positions[{number}].symbol", rest
        return "$.positions", rest
    if subject == "tiers" or subject.startswith(("contract", "tiers of")):
        return "$.rules" if "rules" in document else "$.venue", refusal
    symbol, _, field = subject.rpartition(" ")
    for number, row in enumerate(document["positions"]):
        if field in FIELDS and row["symbol"] == symbol:
            return f"$.positions[{number}].{field}", rest
    if re.split(r"\W", subject)[0] in document:
        return f"$.{subject}", rest
    return "$", refusal
