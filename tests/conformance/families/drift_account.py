"""A Drift account with loans in its cross pool and an isolated position beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import margin_widgets as mw
from margin_widgets.engine import handover
from tests.conformance.outcome import Answer, Got, NotUnderstoodError
from tests.conformance.words import as_number

LOAN = "LOAN"

# What a name is about, by the first of these words in it.
MEANINGS = (
    ("buffer", "buffer"),
    ("asset_weight", "ignored"),
    ("weight", "weight"),
    ("ratio", "ratio"),
    ("imf", "ratio"),
    ("price", "price"),
    ("oracle", "price"),
    ("mark", "price"),
    ("borrow", "borrow"),
    ("loan", "borrow"),
    ("quote", "quote"),
    ("entry", "quote"),
    ("base", "base"),
    ("size", "base"),
    ("deposit", "deposit"),
    ("collateral", "deposit"),
    ("usdc", "deposit"),
    ("margin", "deposit"),
)
ISOLATED = ("iso", "perp")


def solve(inputs: Mapping[str, Any], expected: Mapping[str, Any]) -> Answer:
    """Requirements and collateral of both pools, with the buffers of a liquidation."""
    given: dict[tuple[bool, str], float] = {}
    dollars = False
    for name, content in _flat(inputs):
        meaning = next((kind for word, kind in MEANINGS if word in name), None)
        if meaning is None:
            raise NotUnderstoodError(f"input {name!r}")
        isolated = any(word in name for word in ISOLATED) or meaning in ("ratio", "base", "quote")
        number = as_number(content, name)
        if number is None or meaning == "ignored":
            continue
        if (isolated, meaning) in given:
            raise NotUnderstoodError(f"input {name!r}: a second {meaning}")
        dollars = dollars or (meaning == "borrow" and "usd" in name)
        given[isolated, meaning] = number
    return _answer(_figures(given, dollars=dollars), expected)


def _flat(inputs: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, content in inputs.items():
        if isinstance(content, Mapping):
            yield from _flat(content, f"{before}{name}_".lower())
        else:
            yield f"{before}{name}".lower(), content


def _figures(given: Mapping[tuple[bool, str], float], *, dollars: bool) -> dict[str, Got]:
    def of(isolated: bool, meaning: str, default: float | None = None) -> float:
        found = given.get((isolated, meaning), default)
        if found is None:
            where = "isolated position" if isolated else "cross pool"
            raise NotUnderstoodError(f"the inputs name no {meaning} of the {where}")
        return found

    price = given.get((False, "price"), given.get((True, "price"), 1.0))
    base, quote = of(True, "base"), of(True, "quote")
    ratio, margin = of(True, "ratio"), of(True, "deposit")
    account = mw.Account(
        venue=mw.venues.generic(
            currency="USD",
            tiers={"PERP": ratio},
            contracts={"PERP": mw.Contract(base="PERP", quote="USD", settle="USD")},
            liability_rates={LOAN: of(False, "weight") - 1},
        ),
        collateral={"USD": of(False, "deposit") + margin, LOAN: -of(False, "borrow")},
        positions=[
            mw.Position(
                "PERP", base, abs(quote / base), 1 / ratio, margin=margin, margin_mode="isolated"
            )
        ],
        marks={"PERP": given.get((True, "price"), price)},
        prices={LOAN: 1.0 if dollars else price},
    )
    alone = mw.Account(
        venue=account.venue,
        collateral={"USD": of(False, "deposit"), LOAN: -of(False, "borrow")},
        prices={LOAN: 1.0 if dollars else price},
    )
    owed = of(False, "borrow") * float(alone.asset_price(LOAN))
    position = account.isolated.positions["PERP"]
    # The chain counts a loan and its margin together as requirement, and deposits as collateral.
    requirement = float(alone.cross.maintenance_margin) + owed
    collateral = float(alone.cross.equity) + owed
    own = float(position.in_pool.maintenance_margin)
    cross_buffer, own_buffer = of(False, "buffer", 0.0), of(True, "buffer", 0.0)
    # The published figure buffers the isolated position's entry value in the cross pool too.
    buffered = requirement + abs(quote)
    return {
        "cross requirement": requirement,
        "cross collateral": collateral,
        "isolated requirement": own,
        "isolated collateral": float(position.in_pool.equity),
        "cross requirement buffer": handover.requirement_with_buffer(
            requirement, buffered, cross_buffer
        ),
        "cross collateral buffer": handover.collateral_with_buffer(
            collateral, collateral, cross_buffer
        ),
        "isolated requirement buffer": handover.requirement_with_buffer(
            own, float(position.notional), own_buffer
        ),
        "isolated collateral buffer": handover.collateral_with_buffer(
            float(position.in_pool.equity), float(position.unrealized_pnl), own_buffer
        ),
    }


def _answer(known: Mapping[str, Got], expected: Mapping[str, Any]) -> Answer:
    figures: dict[str, Got] = {}
    missing: dict[str, str] = {}
    for name in expected:
        pool = "isolated" if "iso" in name else "cross"
        what = next((word for word in ("requirement", "collateral") if word in name), None)
        if what is None:
            missing[name] = f"figure {name!r} is not understood"
            continue
        ending = " buffer" if "buffer" in name else ""
        figures[name] = known[f"{pool} {what}{ending}"]
    through = "Account under generic, isolated and cross; engine.handover"
    return Answer(figures, through, missing=missing)
