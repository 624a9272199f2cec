"""Compare package and judge on any number of accounts under every rule set, on all processors.

python tests/mass.py 100000            # of each rule set
python tests/mass.py 5000 okx deribit  # of some
"""

from __future__ import annotations

import multiprocessing
import sys
import time
import warnings

from agreement import check_numbered

import margin_widgets as mw

CHUNK = 250


def check_chunk(task: tuple[str, int, int]) -> tuple[str, int, list[str]]:
    """Compare accounts of one rule set from one number to another."""
    warnings.simplefilter("error")
    venue, first, end = task
    wrong = [what for number in range(first, end) if (what := check_numbered(venue, number))]
    return venue, end - first, wrong


def main(examples: int, venues: list[str]) -> int:
    """Compare, with progress; the exit status."""
    tasks = [
        (venue, first, min(first + CHUNK, examples))
        for venue in venues
        for first in range(0, examples, CHUNK)
    ]
    done, failures = dict.fromkeys(venues, 0), dict.fromkeys(venues, 0)
    started = told = time.monotonic()
    first_wrong: dict[str, str] = {}
    with multiprocessing.Pool() as workers:
        for venue, count, wrong in workers.imap_unordered(check_chunk, tasks):
            done[venue] += count
            failures[venue] += len(wrong)
            if wrong:
                first_wrong.setdefault(venue, wrong[0])
            finished, now = done[venue] == examples, time.monotonic()
            if finished or now - told > 60:
                told = now
                share = sum(done.values()) / (examples * len(venues))
                left = (now - started) * (1 - share) / share
                print(
                    f"{venue:24} {done[venue]:>9,} accounts, {failures[venue]} disagree;"
                    f" {share:.1%} of all, {left / 60:.0f} minutes left",
                    flush=True,
                )
    for what in first_wrong.values():
        print(f"\n{what}")
    print(f"\n{sum(done.values()):,} accounts, {sum(failures.values())} disagree with the judge")
    return 1 if any(failures.values()) else 0


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    sys.exit(main(number, sys.argv[2:] or mw.venues.names()))
