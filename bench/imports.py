"""How long `import margin_widgets` takes over NumPy and traitlets, each time in a new process."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from bench.report import Row

REPEATS = 9
TIMED = """
import time, numpy, traitlets
start = time.perf_counter()
{code}
print(time.perf_counter() - start)
"""


def seconds(code: str) -> float:
    """Return the median time of the code in a process that has NumPy and traitlets."""
    command = [sys.executable, "-c", TIMED.format(code=code)]
    # The first run also writes byte code, which an installed package has.
    times = [float(subprocess.check_output(command)) for _ in range(REPEATS + 1)][1:]
    return statistics.median(times)


def rows() -> Iterator[Row]:
    """Measure the package alone, and with the first account made."""
    beside = f"over NumPy and traitlets, median of {REPEATS} processes"
    yield Row("import margin_widgets", seconds("import margin_widgets"), "s", 0.3, beside)
    first = "import margin_widgets as mw; mw.presets.ref2().cross.equity"
    yield Row("import and first account", seconds(first), "s", None, beside)
