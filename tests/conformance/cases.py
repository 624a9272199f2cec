"""What the files hold: one `Case` per row, and the other rows that a row may point at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Shape = Literal["example", "position", "unknown"]


@dataclass(frozen=True)
class Case:
    """One row of a file.

    Attributes
    ----------
    id, venue, margin_mode, contract_type, formula, source, note : str
    shape : {"example", "position", "unknown"}
        A worked example (inputs and expected figures), or the payload of an exchange.
    inputs, expected, tolerance : mapping
        Of a worked example; empty for a payload.
    row : mapping
        The row as it is in the file.
    reproduced : bool
        Whether whoever collected the example could reproduce it by its own formula.
    file : str
        Name of the file.
    """

    id: str
    venue: str
    margin_mode: str
    contract_type: str
    formula: str
    shape: Shape
    row: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    expected: Mapping[str, Any] = field(default_factory=dict)
    tolerance: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    note: str = ""
    reproduced: bool = True
    file: str = ""

    @property
    def family(self) -> str:
        """The formula's identifier without remarks: "F-LIN" of "F-LIN with fee"."""
        words = self.formula.split()
        return words[0].upper().rstrip(",;:") if words else ""


@dataclass(frozen=True)
class Library:
    """Every row that is at hand, for rows that point at others."""

    cases: Mapping[str, Case]

    @classmethod
    def of(cls, cases: Iterable[Case]) -> Library:
        """Keep the first row of each id and shape."""
        kept: dict[str, Case] = {}
        for case in cases:
            if case.shape == "example":
                kept.setdefault(case.id, case)
        return cls(kept)

    def inputs(self, name: str) -> Mapping[str, Any] | None:
        """Inputs of the example of that id, if it is at hand."""
        case = self.cases.get(name)
        return case.inputs if case else None

    def beside(self, case: Case, name: str) -> tuple[str, Any] | None:
        """An input that another example of the same source file states, with the id of that."""
        place = _source_file(case.source)
        for other in self.cases.values():
            if name in other.inputs and _source_file(other.source) == place and place:
                return other.id, other.inputs[name]
        return None


def read(path: Path) -> list[Case]:
    """Rows of a file; anything that is not one becomes a case of unknown shape.

    Raises
    ------
    ValueError
        If the file is not JSON, or holds no list of rows.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, dict):
        lists = [part for part in content.values() if isinstance(part, list)]
        content = lists[0] if len(lists) == 1 else None
    if not isinstance(content, list):
        raise ValueError(f"{path}: expected a list of cases")
    return [_case(row, number, path.name) for number, row in enumerate(content, 1)]


def beside_files(paths: Iterable[Path]) -> list[Case]:
    """Worked examples in the folders of `paths`, that rows of those may point at."""
    found: list[Case] = []
    for folder in dict.fromkeys(path.parent for path in paths):
        for path in sorted(folder.glob("*worked_examples*.json")):
            try:
                found += read(path)
            except ValueError:
                continue
    return found


def _case(row: Any, number: int, file: str) -> Case:
    if not isinstance(row, dict):
        row = {"id": f"row {number}", "content": row}
    name = str(row.get("id") or f"row {number}")
    shape: Shape = "unknown"
    if isinstance(row.get("inputs"), dict) and isinstance(row.get("expected"), dict):
        shape = "example"
    elif "exchange" in row and {"quantity", "entry_price", "side"} & set(row):
        shape = "position"
    formula = str(row.get("formula") or ("payload" if shape == "position" else ""))
    tolerance = row.get("tolerance")
    return Case(
        id=name,
        venue=str(row.get("venue") or row.get("exchange") or "unknown").lower(),
        margin_mode=str(row.get("margin_mode") or "any").lower(),
        contract_type=str(row.get("contract_type") or "linear").lower(),
        formula=formula,
        shape=shape,
        row=row,
        inputs=row["inputs"] if shape == "example" else {},
        expected=row["expected"] if shape == "example" else {},
        tolerance=tolerance if isinstance(tolerance, dict) else {},
        source=str(row.get("source") or "; ".join(_provenance(row))),
        note=str(row.get("note") or row.get("notes") or ""),
        reproduced=row.get("reproduced") is not False,
        file=file,
    )


def _provenance(row: dict[str, Any]) -> list[str]:
    """Where a payload comes from: the file that holds it, and what was recorded there."""
    return [str(row[name]) for name in ("fixture_path", "provenance") if row.get(name)]


def _source_file(source: str) -> str:
    return source.partition("::")[0].strip() if "::" in source else ""
