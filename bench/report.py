"""How measurements are stated: one row each, with what they stand beside and what is aimed at."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measurement; `value` is held against `aim` or `at_least`, all in `unit`."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    note: str = ""
    at_least: float | None = None

    def cells(self) -> tuple[str, str, str, str]:
        """Return the row as text."""
        aim = "" if self.aim is None else f"at most {self.aim:g} {self.unit}".strip()
        if self.aim is not None:
            aim += ": met" if self.value <= self.aim else ": MISSED"
        if self.at_least is not None:
            aim = f"at least {self.at_least:g} {self.unit}".strip()
            aim += ": met" if self.value >= self.at_least else ": MISSED"
        return self.name, f"{self.value:.3g} {self.unit}".strip(), aim, self.note


def milliseconds(work: Callable[[int], object], repeats: int, warm_up: int = 3) -> float:
    """Return the median time of `work(i)` in milliseconds."""
    for i in range(warm_up):
        work(i)
    times = []
    for i in range(repeats):
        start = time.perf_counter()
        work(warm_up + i)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def spread(times: Sequence[float]) -> str:
    """Return the number of repetitions and the middle half of the times."""
    low, _, high = statistics.quantiles(times, n=4)
    return f"n={len(times)}, middle half {low:.0f} to {high:.0f} ms"


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table in columns."""
    lines = [("measure", "result", "aim", "note"), *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(3)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(w) for cell, w in zip(line, widths, strict=False)), line[3]]
        ).rstrip()
        for line in lines
    )
