"""Rule sets from JSON files; what is wrong in one is named by file and row."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from margin_widgets.venues.rules import Contract, RuleError, RuleSet, did_you_mean, real

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
    """Rule set from a JSON file of your own, in the format of the files in `venues/data`."""
    path = Path(path)
    return from_json(path.read_text(encoding="utf-8"), where=path.name)


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
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise RuleError(f"{where}, line {error.lineno}: not JSON: {error.msg}") from None
    if not isinstance(document, dict):
        raise RuleError(f"{where}: expected an object, found {type(document).__name__}")
    return from_mapping(document, where=where)


def from_mapping(document: Mapping[str, Any], *, where: str = "rules") -> RuleSet:
    """Rule set from plain data, as `to_mapping` writes it."""
    known = [one.name for one in fields(RuleSet)]
    for key in document:
        if key not in known:
            raise RuleError(f"{where}: unknown field {key!r}{did_you_mean(key, known)}")
    if "name" not in document:
        raise RuleError(f"{where}: field 'name' is missing")
    parts: dict[str, Any] = dict(document)
    tiers = parts.get("tiers")
    try:
        if isinstance(tiers, Mapping):
            parts["tiers"] = {symbol: _tiers(symbol, rows) for symbol, rows in tiers.items()}
        return RuleSet(**parts)
    except RuleError as error:
        raise RuleError(f"{where}: {error}") from None


def to_mapping(rules: RuleSet) -> dict[str, Any]:
    """Plain data of a rule set, without what is at its default."""
    blank = RuleSet(name="")
    document: dict[str, Any] = {}
    for one in fields(RuleSet):
        content = getattr(rules, one.name)
        if one.name == "contracts":
            content = {symbol: _plain_contract(contract) for symbol, contract in content.items()}
        elif one.name == "default_contract":
            content = _plain_contract(content)
        elif one.name == "tiers":
            content = {
                symbol: [[*row[:2]] if row.max_leverage is None else [*row] for row in rows]
                for symbol, rows in content.items()
            }
        elif one.name == "haircuts":
            content = {asset: [[*row] for row in rows] for asset, rows in content.items()}
        elif isinstance(content, tuple):
            content = list(content)
        if one.name == "name" or getattr(rules, one.name) != getattr(blank, one.name):
            document[one.name] = content
    return document


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


def _plain_contract(contract: Contract) -> dict[str, Any]:
    blank = Contract()
    pairs = ((one.name, getattr(contract, one.name)) for one in fields(Contract))
    return {name: content for name, content in pairs if content != getattr(blank, name)}


def _tiers(symbol: str, rows: Any) -> Any:
    """Rows of a file: [floor, rate, max_leverage, maintenance_amount]; the amount is checked."""
    if not isinstance(rows, (list, tuple)):
        return rows  # a rate, or refused by the rule set
    kept: list[Any] = []
    amount, last = 0.0, (0.0, 0.0)
    for number, row in enumerate(rows, start=1):
        where = f"tiers of {symbol}, row {number}"
        if not isinstance(row, (list, tuple)) or not 2 <= len(row) <= 4:
            raise RuleError(f"{where}: {row!r} is not [floor, rate, max_leverage, amount]")
        try:
            floor, rate, *rest = (None if cell is None else real(cell) for cell in row)
        except TypeError:
            floor = rate = None
        if floor is None or rate is None:
            raise RuleError(f"{where}: {row!r} holds something that is not a number")
        amount += floor * (rate - last[1]) if kept else 0.0
        stated = rest[1] if len(row) == 4 else None
        if stated is not None and not math.isclose(
            stated, amount, rel_tol=_AMOUNT_TOLERANCE, abs_tol=_AMOUNT_TOLERANCE
        ):
            raise RuleError(
                f"{where}: maintenance amount {stated:g} leaves a gap; continuity needs {amount:g}"
            )
        last = (floor, rate)
        kept.append(row[:3])
    return kept
