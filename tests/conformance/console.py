"""What is printed: a line for each figure, and the summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.conformance.judge import shown
from tests.conformance.outcome import Check, Outcome
from tests.conformance.summary import Summary, grouped, summarize

WORDS = {"pass": "pass", "fail": "FAIL", "outside": "outside scope"}


def lines(outcomes: Iterable[Outcome], *, brief: bool = False) -> Iterator[str]:
    """Lines of all cases; of those that do not pass only, if brief."""
    for one in outcomes:
        if not brief or one.verdict != "pass":
            yield from case_lines(one)


def case_lines(outcome: Outcome) -> Iterator[str]:
    """Lines of one case: its verdict, then each figure."""
    head = f"{WORDS[outcome.verdict]:<13} {outcome.id} ({outcome.venue}, {outcome.formula})"
    yield f"{head}: {outcome.reason}" if outcome.reason else head
    if outcome.through:
        yield f"    through {outcome.through}"
    if outcome.remark:
        yield f"    {outcome.remark}"
    for check in outcome.checks:
        yield f"    {figure_line(check)}"


def figure_line(check: Check) -> str:
    """Value, expected value, error and verdict of one figure."""
    if check.verdict == "outside":
        return f"{check.name}: expected {shown(check.expected)}; outside scope: {check.reason}"
    text = f"{check.name}: {shown(check.got)}, expected {shown(check.expected)}"
    errors = error_texts(check)
    measured = f"; error {', '.join(errors)}" if errors else ""
    why = f" ({check.reason})" if check.reason else ""
    return f"{text}{measured}: {WORDS[check.verdict]}{why}"


def error_texts(check: Check) -> list[str]:
    """The error in its unit, in ticks, as a share, and what is allowed."""
    if check.error is None:
        return []
    texts = [f"{check.error:.3g}"]
    if check.in_ticks is not None:
        texts.append(f"{check.in_ticks:.2g} ticks")
    if check.relative is not None:
        of = "of the distance to liquidation" if "price" in check.name else "of the amount"
        texts.append(f"{check.relative:.2g} {of}")
    if check.allowed is not None:
        texts.append(f"allowed {check.allowed:.3g}")
    return texts


def summary_lines(outcomes: list[Outcome]) -> Iterator[str]:
    """The summary: by file, by venue, and of everything."""
    for title, key in (("file", "file"), ("venue", "venue")):
        yield ""
        yield _row(
            title, "tried", "passed", "failed", "outside", "worst price error", "of pass mark"
        )
        for one in grouped(outcomes, lambda outcome, key=key: getattr(outcome, key)):  # type: ignore[misc]
            yield _summary(one)
    yield ""
    yield _summary(summarize("all", outcomes))


def _summary(one: Summary) -> str:
    return _row(
        one.name,
        str(one.tried),
        str(one.passed),
        str(one.failed),
        str(one.outside),
        worst(one),
        "" if one.used is None else f"{one.used:.2g}",
    )


def worst(one: Summary) -> str:
    """The worst price error of a group, relative to the distance and in ticks."""
    check = one.price_error
    if check is None or check.relative is None:
        return ""
    ticks = "" if check.in_ticks is None else f" ({check.in_ticks:.2g} ticks)"
    return f"{check.relative:.2g}{ticks}"


def _row(name: str, *cells: str) -> str:
    widths = (6, 7, 7, 8, 24, 13)
    padded = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return f"{name:<24}{''.join(padded)}"
