"""The page of the documentation that shows all of it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.console import worst
from tests.conformance.judge import shown
from tests.conformance.outcome import Check, Outcome
from tests.conformance.summary import Summary, grouped, places, summarize

INTRODUCTION = """\
# Conformance

What the package computes for numbers that exchanges, their documentation and other tools' tests
have published. The page is generated:

```sh
python -m tests.conformance --write-docs docs/reference/conformance.md FILE…
```

Each case is translated into an account under the venue's [rule set](rule-sets.md) (or under rules
from parts, where a formula is older than the rule set or the venue has none), or into arguments of
a function of the engine; what is compared is read from there. No formula is written in the runner.

A case passes within the tolerance that its source states. Where none is stated, a price passes
within one tick, or within 1e-6 of the distance from mark or entry to the liquidation price; a price
printed to fewer digits within a unit of its last one, as long as that is within 1e-4 of the
distance. An amount passes within 1e-6 of itself or a unit of its last digit; profits and notionals
of payloads within what the printed digits of their prices leave open.

"Outside scope" is a case whose inputs do not determine the number, or that is not understood; each
says why.
"""


def page(outcomes: list[Outcome]) -> str:
    """The page as Markdown."""
    return "\n".join([INTRODUCTION, *_body(outcomes), ""])


def _body(outcomes: list[Outcome]) -> Iterator[str]:
    yield "## By file"
    yield ""
    yield from _table(
        ("file", *_COUNTED), [(_code(one.name), *_counts(one)) for one in _files(outcomes)]
    )
    yield ""
    yield "## By venue"
    yield ""
    yield (
        "The worst price error is a share of the distance to liquidation; beside it, where the tick"
        " is known, ticks. The last number is the largest error over the error allowed."
    )
    yield ""
    yield from _table(
        ("venue", *_COUNTED, "sources"),
        [
            (one.name, *_counts(one), ", ".join(_sources(outcomes, one.name)))
            for one in grouped(outcomes, lambda outcome: outcome.venue)
        ],
    )
    yield ""
    yield "## Outside scope"
    yield ""
    left = [one for one in outcomes if one.verdict == "outside"]
    yield from _table(
        ("case", "venue", "why"), [(_code(one.id), one.venue, one.reason) for one in left]
    )
    for file in dict.fromkeys(one.file for one in outcomes):
        yield ""
        yield f"## Every case of {file}"
        yield ""
        yield from _cases([one for one in outcomes if one.file == file])


_COUNTED = ("tried", "passed", "failed", "outside", "worst price error", "of pass mark")


def _files(outcomes: list[Outcome]) -> list[Summary]:
    return [*grouped(outcomes, lambda outcome: outcome.file), summarize("all", outcomes)]


def _counts(one: Summary) -> tuple[str, ...]:
    used = "" if one.used is None else f"{one.used:.2g}"
    return (str(one.tried), str(one.passed), str(one.failed), str(one.outside), worst(one), used)


def _sources(outcomes: list[Outcome], venue: str) -> list[str]:
    return places(one.source for one in outcomes if one.venue == venue)


def _cases(outcomes: list[Outcome]) -> Iterator[str]:
    rows = []
    for one in outcomes:
        for number, check in enumerate(one.checks or (None,)):
            first = number == 0
            rows.append(
                (
                    _code(one.id) if first else "",
                    one.formula if first else "",
                    *_cells(check),
                    check.verdict if check is not None else one.verdict,
                    one.through if first else "",
                )
            )
    yield from _table(
        (
            "case",
            "formula",
            "figure",
            "computed",
            "published",
            "error",
            "ticks",
            "relative",
            "allowed",
            "",
            "through",
        ),
        rows,
    )


def _cells(check: Check | None) -> tuple[str, ...]:
    if check is None:
        return ("",) * 7
    if check.verdict == "outside":
        return (check.name, "", shown(check.expected), "", "", "", "")

    def cell(number: float | None, digits: int = 2) -> str:
        return "" if number is None else f"{number:.{digits}g}"

    # An error at the level of the doubles differs from machine to machine.
    size = abs(float(check.got)) if check.got is not None else 0.0
    exact = check.error is not None and check.error <= 1e-11 * size
    error = 0.0 if exact else check.error
    return (
        check.name,
        _rounded(check.got),
        shown(check.expected),
        cell(error),
        "" if check.in_ticks is None else cell(0.0 if exact else check.in_ticks),
        "" if check.relative is None else cell(0.0 if exact else check.relative),
        cell(check.allowed),
    )


def _rounded(got: object) -> str:
    return f"{got:.10g}" if isinstance(got, float) else shown(got)


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        yield "None."
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
