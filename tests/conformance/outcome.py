"""What a family answers, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["pass", "fail", "outside"]
Got = float | bool | None


class NotUnderstoodError(Exception):
    """The inputs, the formula or a figure are not understood, or do not determine the number."""


@dataclass(frozen=True)
class Answer:
    """Figures of a case as the package computes them.

    Attributes
    ----------
    figures : mapping of name to number
        By the names under which the case expects them; None: there is no such price.
    through : str
        Where they were read: the public name, and the rule set.
    reference : float or None
        Mark or entry, from which the distance to liquidation is measured.
    tick : float or None
        Price step, where known.
    missing : mapping of name to text
        Expected figures that the inputs do not determine, with the reason.
    slack : mapping of name to amount
        What the printed digits of the inputs leave open, for payloads.
    expected : mapping
        What a payload states under those names; worked examples have theirs in the case.
    remark : str
        Anything a reader of the table must know.
    """

    figures: Mapping[str, Got]
    through: str
    reference: float | None = None
    tick: float | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    slack: Mapping[str, float] = field(default_factory=dict)
    expected: Mapping[str, Any] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True)
class Check:
    """One figure: what was wanted, what came out, and how far apart they are.

    `in_ticks` and `relative` (to the distance to liquidation) are for prices only.
    """

    name: str
    expected: Any
    got: Got
    error: float | None
    in_ticks: float | None
    relative: float | None
    allowed: float | None
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    id: str
    file: str
    shape: str
    venue: str
    formula: str
    source: str
    verdict: Verdict
    checks: tuple[Check, ...] = ()
    reason: str = ""
    through: str = ""
    remark: str = ""
