"""Rule sets from JSON files; what is wrong in one is named by file and row."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from margin_widgets.venues import checks
from margin_widgets.venues.checks import RuleError, did_you_mean, real
from margin_widgets.venues.contract import Contract
from margin_widgets.venues.rules import RuleSet
from margin_widgets.venues.tables import Tier, amounts_of, tier_table

_FOLDER = resources.files("margin_widgets.venues") / "data"
_AMOUNT_TOLERANCE = 1e-6


def names() -> list[str]:
    """Names of the rule sets that come with the package, sorted."""
    stems = (entry.name.removesuffix(".json") for entry in _FOLDER.iterdir())
    return sorted([*(stem for stem in stems if not stem.startswith(("_", "."))), "generic"])


@cache
def get(name: str) -> RuleSet:
    """Rule set by name.

    Raises
    ------
    RuleError
        If there is none of that name.
    """
    if name == "generic":
        return generic()
    entry = _FOLDER / f"{name}.json"
    if name not in names():
        raise RuleError(f"venue: {name!r} is not a rule set{did_you_mean(name, names())}")
    return from_json(entry.read_text(encoding="utf-8"), where=f"{name}.json")


def load(path: str | Path) -> RuleSet:
    """Rule set from a JSON file of your own, in the format of the files in `venues/data`.

    Raises
    ------
    RuleError
        Naming the file, the field and the row.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RuleError(f"{path.name}: not UTF-8 text: byte {error.start} is damaged") from None
    return from_json(text, where=path.name)


def from_json(text: str, *, where: str = "rules") -> RuleSet:
    """Rule set from JSON text.

    Parameters
    ----------
    text : str
    where : str
        Named in errors.

    Raises
    ------
    RuleError
        Naming the file, the field and the row.
    """
    document = _parse(text, where)
    if not isinstance(document, dict):
        raise RuleError(f"{where}: expected an object, found {type(document).__name__}")
    return from_mapping(document, where=where)


def from_mapping(document: Mapping[str, Any], *, where: str = "rules") -> RuleSet:
    """Rule set from plain data, as `to_mapping` writes it.

    A field `extends` names a rule set that comes with the package: what the document leaves out is
    taken from there.

    Raises
    ------
    RuleError
        Naming the field and the row.
    """
    known = [one.name for one in fields(RuleSet)]
    for key in document:
        if key not in (*known, "extends"):
            raise RuleError(f"{where}: unknown field {key!r}{did_you_mean(str(key), known)}")
    if "name" not in document:
        raise RuleError(f"{where}: field 'name' is missing")
    parts: dict[str, Any] = dict(document)
    try:
        if "extends" in parts:
            base = parts.pop("extends")
            checks.choice("extends", base, names())
            parts = {**to_mapping(get(base)), **parts}
        if isinstance(parts.get("tiers"), Mapping):
            whole = parts.get("tier_rate") == "whole"
            tiers = parts["tiers"].items()
            parts["tiers"] = {symbol: _tiers(symbol, rows, whole) for symbol, rows in tiers}
        return RuleSet(**parts)
    except RuleError as error:
        raise RuleError(f"{where}: {error}") from None


def _parse(text: str, where: str) -> Any:
    """Plain data from JSON; refuses what JSON cannot say: NaN, infinity, a field given twice."""

    def constant(word: str) -> NoReturn:
        raise RuleError(f"{where}: {word} is not a number that JSON allows")

    def finite(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            raise RuleError(f"{where}: the number {digits} is too large")
        return number

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            given = [name for name, _ in pairs]
            twice = next(name for name in given if given.count(name) > 1)
            raise RuleError(f"{where}: field {twice!r} is given twice")
        return found

    try:
        return json.loads(
            text, parse_constant=constant, parse_float=finite, object_pairs_hook=unique
        )
    except json.JSONDecodeError as error:
        raise RuleError(f"{where}, line {error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise RuleError(f"{where}: not JSON: nested too deeply") from None
    except RuleError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise RuleError(f"{where}: not JSON: {error}") from None


def to_mapping(rules: RuleSet) -> dict[str, Any]:
    """Plain data of a rule set, without what is at its default."""
    plain: dict[str, Any] = _plain(rules)
    return plain


def generic(
    *,
    contracts: Mapping[str, Contract | Mapping[str, Any]] | None = None,
    tiers: Mapping[str, Any] | None = None,
    haircuts: Mapping[str, Any] | None = None,
    currency: str = "USDT",
    **settings: Any,
) -> RuleSet:
    """Rule set from parts, for what no file covers.

    Parameters
    ----------
    contracts : mapping of symbol to Contract, or to a mapping of its fields; optional
        Symbols without one are linear and settle in `currency`.
    tiers : mapping of symbol to rate or (notional floor, maintenance rate) rows
    haircuts : mapping of asset to share or (amount floor, share) rows
    currency : str
    **settings
        Other fields of `RuleSet`.

    Examples
    --------
    >>> generic(tiers={"BTCUSDT": [(0, 0.004), (300_000, 0.005)]}).maintenance_amounts("BTCUSDT")
    (0.0, 300.0)
    """
    known = [one.name for one in fields(RuleSet)]
    for name in settings:
        if name not in known:
            raise TypeError(f"generic: unknown setting {name!r}{did_you_mean(name, known)}")
    described: dict[str, Any] = {
        "name": "generic",
        "title": "Rules from parts",
        "date": "2026-11-22",
        "sources": ("given by the user",),
        "not_modelled": ("funding", "partial liquidation", "order book depth at liquidation"),
    }
    return RuleSet(
        **{
            **described,
            "currency": currency,
            "contracts": {} if contracts is None else contracts,
            "tiers": {} if tiers is None else tiers,
            "haircuts": {} if haircuts is None else haircuts,
            **settings,
        }
    )


def _plain(content: Any) -> Any:
    """Plain data of a part: objects without what is at its default, rows as lists."""
    if isinstance(content, Tier):
        return [*content[:2]] if content.max_leverage is None else [*content]
    if isinstance(content, Mapping):
        return {name: _plain(part) for name, part in content.items()}
    if isinstance(content, (tuple, list)):
        return [_plain(part) for part in content]
    if is_dataclass(content):
        pairs = ((one, getattr(content, one.name)) for one in fields(content))
        return {one.name: _plain(part) for one, part in pairs if part != _default(one)}
    return content


def _default(one: Field[Any]) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default


def _tiers(symbol: str, rows: Any, whole: bool) -> Any:
    """Rows of a file: [floor, rate, max_leverage, maintenance_amount]; the amount is checked."""
    if not isinstance(rows, (list, tuple)):
        return rows  # a rate, or refused by the rule set
    for number, row in enumerate(rows, start=1):
        where = f"tiers of {symbol}, row {number}"
        if not isinstance(row, (list, tuple)) or not 2 <= len(row) <= 4:
            raise RuleError(f"{where}: {row!r} is not [floor, rate, max_leverage, amount]")
        try:
            floor, rate, *_ = (None if cell is None else real(cell) for cell in row)
        except TypeError:
            floor = rate = None
        if floor is None or rate is None:
            raise RuleError(f"{where}: {row!r} holds something that is not a number")
    table = tier_table(symbol, [row[:3] for row in rows])
    for number, (row, amount) in enumerate(zip(rows, amounts_of(table), strict=True), start=1):
        stated = row[3] if len(row) == 4 else None
        if stated is None:
            continue
        where = f"tiers of {symbol}, row {number}: maintenance amount {stated:g}"
        if whole and stated:
            raise RuleError(f"{where} with tier_rate 'whole', which has none")
        if not whole and not math.isclose(
            stated, amount, rel_tol=_AMOUNT_TOLERANCE, abs_tol=_AMOUNT_TOLERANCE
        ):
            raise RuleError(f"{where} leaves a gap; continuity needs {amount:g}")
    return table
