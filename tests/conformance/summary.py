"""Counts and worst errors of many outcomes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.conformance.judge import is_price
from tests.conformance.outcome import Check, Outcome

_REPOSITORY = re.compile(r"\bgithub(?:\.com/| fork of |\s)(?P<name>[\w.-]+/[\w.-]+)")
_HOST = re.compile(r"(?:https?://(?:www\.)?)?(?P<host>(?:[\w-]+\.)+[a-z]{2,})(?=[/\s)]|$)")


@dataclass(frozen=True)
class Summary:
    """What became of a group of cases.

    Attributes
    ----------
    name : str
    tried, passed, failed, outside : int
    price_error : Check or None
        The compared price with the largest error relative to the distance to liquidation.
    used : float
        The largest error over the error allowed.
    """

    name: str
    tried: int
    passed: int
    failed: int
    outside: int
    price_error: Check | None
    used: float | None


def summarize(name: str, outcomes: Iterable[Outcome]) -> Summary:
    """Count, and find the worst."""
    many = list(outcomes)
    checks = [
        check
        for one in many
        if one.verdict != "outside"
        for check in one.checks
        if check.verdict != "outside" and check.error is not None
    ]
    prices = [one for one in checks if is_price(one.name) and one.relative is not None]
    shares = [one.error / one.allowed for one in checks if one.allowed and one.error is not None]
    return Summary(
        name=name,
        tried=len(many),
        passed=sum(one.verdict == "pass" for one in many),
        failed=sum(one.verdict == "fail" for one in many),
        outside=sum(one.verdict == "outside" for one in many),
        price_error=max(prices, key=lambda one: one.relative or 0.0, default=None),
        used=max(shares, default=None),
    )


def grouped(outcomes: Iterable[Outcome], key: Callable[[Outcome], str]) -> list[Summary]:
    """One summary for each value of a key, by name."""
    groups: dict[str, list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(key(one), []).append(one)
    return [summarize(name, groups[name]) for name in sorted(groups)]


def places(sources: Iterable[str]) -> list[str]:
    """Where cases come from: sites and repositories, each once."""
    found: dict[str, None] = {}
    for source in sources:
        repository, host = _REPOSITORY.search(source), _HOST.search(source)
        if "documentation sample" in source or "API-documentation" in source:
            place = "the venue's API documentation"
        elif "public GitHub file" in source:
            place = "payloads in public repositories"
        elif "ccxt" in source.split("/issues/")[0] or source.startswith("ts/src/test"):
            place = "recorded accounts in ccxt"
        elif repository and "gist." not in source:
            place = f"github.com/{repository['name'].split('@')[0]}"
        elif host:
            place = host["host"]
        else:
            continue  # "the same page": named already
        found[place] = None
    return sorted(found)
