"""Write what the extension has from the package: ``python scripts/lab_sources.py``.

These are the documents that a new account may begin with, carried so that a file can be made before
there is a kernel, and the document's type, which follows from its JSON Schema.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from margin_widgets import Account, presets
from margin_widgets.account.document import schema

FOLDER = Path(__file__).resolve().parent.parent / "frontend" / "lab" / "src"
TITLES = {
    "empty": "Empty account",
    "ref2": "Two long perpetuals",
    "hedged_pair": "Hedged pair",
    "bitcoin_on_bitcoin": "Long bitcoin on bitcoin collateral",
    "multi_asset": "Multi-asset book",
    "inverse": "Inverse bitcoin perpetual",
}


def start_documents() -> list[dict[str, Any]]:
    """Return name, title and document of each account to start from."""
    accounts = {
        name: getattr(presets, name)() if name != "empty" else Account(collateral={"USDT": 10_000})
        for name in TITLES
    }
    return [
        {"name": name, "title": TITLES[name], "document": account.to_dict()}
        for name, account in accounts.items()
    ]


# -- types from the schema ------------------------------------------------------------------------

_PLAIN = {"string": "string", "number": "number", "boolean": "boolean", "null": "null"}


def _name(definition: str) -> str:
    return "".join(part.capitalize() for part in definition.split("_"))


def _type(rule: dict[str, Any]) -> str:
    """The TypeScript type of what a rule of the schema allows."""
    if "$ref" in rule:
        return _name(rule["$ref"].rpartition("/")[2])
    if "const" in rule:
        return json.dumps(rule["const"])
    if "enum" in rule:
        return " | ".join(json.dumps(one) for one in rule["enum"])
    kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    return " | ".join(_of_kind(kind, rule) for kind in kinds)


def _of_kind(kind: str, rule: dict[str, Any]) -> str:
    if kind == "array":
        if "prefixItems" in rule:
            least = rule.get("minItems", 0)
            parts = [
                f"({_type(one)})?" if place >= least else _type(one)
                for place, one in enumerate(rule["prefixItems"])
            ]
            return f"[{', '.join(parts)}]"
        return f"({_type(rule['items'])})[]" if "items" in rule else "unknown[]"
    if kind == "object":
        if "properties" in rule:
            return _fields(rule)
        others = rule.get("additionalProperties")
        return f"Record<string, {_type(others) if isinstance(others, dict) else 'unknown'}>"
    return _PLAIN[kind]


def _fields(rule: dict[str, Any]) -> str:
    lines = []
    for field, one in rule["properties"].items():
        if "description" in one:
            lines.append(f"  /** {one['description']} */")
        mark = "" if field in rule.get("required", ()) else "?"
        lines.append(f"  {field}{mark}: {_type(one)};")
    return "{\n" + "\n".join(lines) + "\n}"


def types() -> str:
    """Return a TypeScript module with the types of the document's schema."""
    whole = schema()
    parts = [
        f"/** The document of an account; made from {whole['$id']} by scripts/lab_sources.py. */",
        f"export interface AccountDocument {_fields(whole)}",
    ]
    for definition, rule in whole["$defs"].items():
        told = f"/** {rule['description']} */\n" if "description" in rule else ""
        parts.append(f"{told}export type {_name(definition)} = {_type(rule)};")
    return "\n\n".join(parts) + "\n"


def sources() -> dict[Path, str]:
    """Return each file with what it should hold."""
    documents = json.dumps(start_documents(), indent=1, ensure_ascii=False) + "\n"
    return {FOLDER / "presets.json": documents, FOLDER / "document.ts": types()}


if __name__ == "__main__":
    for file, content in sources().items():
        file.write_text(content, encoding="utf-8")
