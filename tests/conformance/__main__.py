"""Run every case of the files; exit with 1 if one fails."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.conformance.cases import Library, beside_files, read
from tests.conformance.console import lines, summary_lines
from tests.conformance.outcome import Outcome
from tests.conformance.page import page
from tests.conformance.run import run

ROOT = Path(__file__).resolve().parents[2]


def shared_examples() -> Path:
    """Where the shared list of examples lies beside the repository, if it is there at all."""
    shared = Path(os.environ.get("MARGIN_WIDGETS_SHARED", ROOT.parent / "shared"))
    return shared / "data" / "worked_examples.json"


def outcomes_of(files: list[Path]) -> list[Outcome]:
    """Outcomes of all cases of the files, in order.

    Raises
    ------
    ValueError, OSError
        If a file cannot be read.
    """
    cases = [case for file in files for case in read(file)]
    return run(cases, Library.of([*cases, *beside_files([*files, shared_examples()])]))


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and write the page if one is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--brief", action="store_true", help="print only what does not pass")
    parser.add_argument("--write-docs", type=Path, metavar="PAGE", help="write the page of results")
    given = parser.parse_args(arguments)
    try:
        outcomes = outcomes_of(given.files)
    except (OSError, ValueError) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    for line in lines(outcomes, brief=given.brief):
        print(line)
    for line in summary_lines(outcomes):
        print(line)
    if given.write_docs:
        given.write_docs.write_text(page(outcomes), encoding="utf-8")
    return int(any(one.verdict == "fail" for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
