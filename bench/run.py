"""Measure and print: ``python -m bench.run [SECTION ...]``, all sections by default."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.report import Row, table

ROOT = Path(__file__).resolve().parent.parent


def sections() -> dict[str, Callable[[], Iterable[Row]]]:
    """Return what can be measured, by name."""
    from bench import batch, browser, engine, imports, lab_document, shock_map

    return {
        "imports": imports.rows,
        "engine": engine.rows,
        "batch": batch.rows,
        "shock_map": shock_map.rows,
        "browser": lambda: browser.rows(str(ROOT)),
        "lab": lab_document.rows,
    }


def main() -> None:
    """Measure the named sections, or all, and print one table."""
    known = sections()
    names = sys.argv[1:] or list(known)
    unknown = set(names) - set(known)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    rows: list[Row] = []
    for name in names:
        print(f"Measuring {name}", file=sys.stderr, flush=True)
        rows.extend(known[name]())
    print(f"Python {platform.python_version()}, {platform.machine()}")
    print(table(rows))


if __name__ == "__main__":
    main()
