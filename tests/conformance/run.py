"""From a case to its outcome; whatever a case holds, it becomes a verdict."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from traitlets import TraitError

from margin_widgets.venues import RuleError
from tests.conformance import payloads
from tests.conformance.cases import Case, Library
from tests.conformance.families import drift, dydx, futures, options, portfolio, states
from tests.conformance.judge import judge, shown
from tests.conformance.outcome import Answer, Check, NotUnderstoodError, Outcome, Verdict

SOLVERS: Mapping[str, Any] = {
    **futures.SOLVERS,
    **states.SOLVERS,
    **dydx.SOLVERS,
    **drift.SOLVERS,
    **options.SOLVERS,
    **portfolio.SOLVERS,
}


def run(cases: Iterable[Case], library: Library) -> list[Outcome]:
    """Outcomes of all cases, in order."""
    return [run_case(case, library) for case in cases]


def run_case(case: Case, library: Library) -> Outcome:
    """Outcome of one case."""
    try:
        if case.shape == "example":
            solver = SOLVERS.get(case.family)
            if solver is None:
                return _outside(case, f"formula {case.formula!r} is not understood")
            return _judged(case, solver(case, library))
        if case.shape == "position":
            return _judged(case, payloads.solve(case))
        return _outside(case, "neither a worked example nor a position")
    except NotUnderstoodError as error:
        return _outside(case, str(error))
    except (TraitError, RuleError) as error:
        return _outside(case, f"no account or rule set holds this: {error}")
    except (ArithmeticError, RuntimeWarning) as error:  # a warning where those are errors
        return _outside(case, f"the formula has no value for these inputs ({error})")
    except Exception as error:  # noqa: BLE001 - the other cases must still be run
        reason = f"{type(error).__name__}: {error}"
        if _of_inputs(error):
            return _outside(case, f"an input cannot be read ({reason})")
        return _outcome(case, "fail", reason=f"the runner broke: {reason}")


def _of_inputs(error: Exception) -> bool:
    """Whether an error comes of reading inputs in an adapter, not of the package or its calls."""
    if not isinstance(error, (TypeError, ValueError, IndexError)) or "argument '" in str(error):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and "margin_widgets" not in Path(frames[-1].filename).parts


def _judged(case: Case, answer: Answer) -> Outcome:
    expected = answer.expected or case.expected
    checks: list[Check] = []
    for name, wanted in expected.items():
        if name in answer.missing or name not in answer.figures:
            reason = answer.missing.get(name, f"figure {name!r} is not understood")
            checks.append(Check(name, wanted, None, None, None, None, None, "outside", reason))
            continue
        got = answer.figures[name]
        if isinstance(got, float) and not math.isfinite(got):
            checks.append(Check(name, wanted, got, None, None, None, None, "fail", "not finite"))
            continue
        if isinstance(wanted, (list, dict)):
            reason = f"figure {name!r}: {wanted!r} is not a number"
            checks.append(Check(name, wanted, got, None, None, None, None, "outside", reason))
            continue
        checks.append(judge(name, wanted, answer, case.tolerance.get(name)))
    return _verdict(case, answer, checks)


def _verdict(case: Case, answer: Answer, checks: list[Check]) -> Outcome:
    failed = [one for one in checks if one.verdict == "fail"]
    left = [one for one in checks if one.verdict == "outside"]
    unknown = "not understood: input" in answer.remark
    if failed and not case.reproduced:
        got = ", ".join(f"{one.name} = {shown(one.got)}" for one in failed)
        reason = "the published number contradicts the formula that it is published with, by which"
        return _outcome(case, "outside", answer, checks, f"{reason} {got}")
    if failed and unknown:
        return _outcome(case, "outside", answer, checks, answer.remark)
    if failed:
        reason = "; ".join(f"{one.name}: {one.reason}" for one in failed if one.reason)
        return _outcome(case, "fail", answer, checks, reason)
    if case.shape == "position":
        price = next((one for one in left if one.name == "liquidation_price"), None)
        compared = len(left) < len(checks)
        stated = price is not None and price.expected is not None
        verdict: Verdict = "pass" if compared and not stated else "outside"
        reason = "; ".join(f"{one.name}: {one.reason}" for one in left)
        return _outcome(case, verdict, answer, checks, reason)
    if left or not checks:
        reasons = dict.fromkeys(one.reason for one in left) or {"no figure is expected": None}
        return _outcome(case, "outside", answer, checks, "; ".join(reasons))
    return _outcome(case, "pass", answer, checks)


def _outside(case: Case, reason: str) -> Outcome:
    return _outcome(case, "outside", reason=reason)


def _outcome(
    case: Case,
    verdict: Verdict,
    answer: Answer | None = None,
    checks: Iterable[Check] = (),
    reason: str = "",
) -> Outcome:
    return Outcome(
        id=case.id,
        file=case.file,
        shape=case.shape,
        venue=case.venue,
        formula=case.formula,
        source=case.source,
        verdict=verdict,
        checks=tuple(checks),
        reason=reason,
        through=answer.through if answer else "",
        remark=answer.remark if answer else "",
    )
