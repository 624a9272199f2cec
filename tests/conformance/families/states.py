"""Accounts at given marks: what they hold, what they must hold, and whether they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

import margin_widgets as mw
from margin_widgets.engine import handover, insurance, rounding
from tests.conformance.cases import Case, Library
from tests.conformance.families.accounts import Form, one_leg, read, scene_of, tiers_of
from tests.conformance.families.scene import Leg, Scene
from tests.conformance.outcome import Answer, Got, NotUnderstoodError
from tests.conformance.words import FIGURES, Given


def state(case: Case, library: Library) -> Answer:
    """Equity, requirement and status of an account."""
    scene, given, remark = scene_of(case, library, Form())
    return read(case, scene, given, remark)


def synthetix(case: Case, library: Library) -> Answer:
    """Positions opened at a price that carries their own skew premium."""
    given = Given(case.inputs)
    sizes, entries = given.raw("sizes"), given.raw("open_prices", "entries", "entry_prices")
    marks, scales = given.raw("prices", "marks"), given.raw("skew_scale", "skew_scales")
    lists = (sizes, entries, marks, scales)
    if not all(isinstance(one, list) and len(one) == len(sizes) for one in lists):
        raise NotUnderstoodError("sizes, open prices, prices and skew scales are not lists alike")
    rates = given.find("mmr")
    rates = rates if isinstance(rates, list) else [rates or 0.0] * len(sizes)
    legs = [
        Leg(
            f"M{number}",
            size,
            float(handover.skewed_price(entry, size, scale)),
            mark,
            tiers=float(rate),
        )
        for number, (size, entry, mark, scale, rate) in enumerate(
            zip(sizes, entries, marks, scales, rates, strict=True)
        )
    ]
    scene = Scene(legs=tuple(legs), wallet=given.need("wallet"))
    answer = read(case, scene, given)
    return _through(answer, "engine.handover.skewed_price")


def orderly(case: Case, library: Library) -> Answer:
    """Collateral of which unsettled profit is no part, but an unsettled loss is.

    An asset of its own, whose positive amounts are haircut whole.
    """
    given = Given(case.inputs)
    settled = given.need("wallet")
    unsettled = given.amount("unsettled_pnl", "unsettled", "total_unsettled_pnl")
    used = given.number("margin") or 0.0
    account = mw.Account(
        venue=mw.venues.generic(currency="USDC"),
        collateral={"USDC": settled, "UNSETTLED": unsettled},
        prices={"UNSETTLED": 1.0},
        haircuts={"UNSETTLED": 1.0},
        order_margin=used,
    )
    report = account.cross
    known: dict[str, Got] = {
        "total_collateral": report.margin_balance,
        "free_collateral": report.available,
    }
    return answered(case, given, known, "Account under generic, unsettled profit haircut whole")


def buffer(case: Case, library: Library) -> Answer:
    """A liquidation price moved towards the entry."""
    given = Given(case.inputs)
    price = given.amount("exchange_liquidation_price", "liquidation_price", "liq_price")
    share = given.amount("liquidation_buffer", "buffer")
    given.find("side")
    got = float(rounding.buffered(price, given.need("entry"), share))
    known = {name: got for name in case.expected if "price" in name}
    return answered(case, given, dict(known), "engine.rounding.buffered")


def fund(case: Case, library: Library) -> Answer:
    """What the insurance fund gains or pays when a position is closed at the mark."""
    given = Given(case.inputs)
    margin = given.need("equity", "margin", "wallet")
    held = given.amount("fund", "insurance_fund") if given.raw("fund", "insurance_fund") else 0.0
    fee = given.number("fee") or 0.0
    given.find("mmr")
    leg = one_leg(given, 0.0, inverse="inverse" in case.contract_type)
    account = Scene(legs=(leg,), wallet=margin)
    realized = account.in_settlement(account.account.cross.unrealized_pnl)
    delta = insurance.fund_delta(margin, realized, fee)
    known: dict[str, Got] = {
        "fund_delta": delta,
        "fund_after": max(0.0, held + delta) if held else held + delta,
        "deficit": max(0.0, -delta),
        "residual": max(0.0, delta),
        **dict.fromkeys(("uncovered", "shortfall", "deficit_left"), max(0.0, -(held + delta))),
    }
    return answered(case, given, known, "engine.insurance.fund_delta")


def deleveraging(case: Case, library: Library) -> Answer:
    """Who gives up what for a deficit that no fund covers."""
    given = Given(case.inputs)
    rows = given.raw("winners", "winner", "counterparties")
    rows = [rows] if isinstance(rows, Mapping) else rows
    if not isinstance(rows, list) or not rows:
        raise NotUnderstoodError("the inputs name no winners")
    readers = [Given(row) for row in rows]
    winners = insurance.Winners(
        size=np.array([one.sign * abs(one.need("size")) for one in readers]),
        entry=np.array([one.need("entry") for one in readers]),
        balance=np.array([one.need("equity", "wallet") for one in readers]),
        mark=given.need("mark"),
    )
    deficit = given.amount("deficit", "shortfall")
    done = insurance.deleverage(abs(deficit), winners)
    known: dict[str, Got] = {
        "winner_equity_after": float(done.equity[0]),
        "uncovered": done.uncovered,
        "first": float(done.order[0]),
    }
    for number, (equity, lost) in enumerate(zip(done.equity, done.absorbed, strict=True)):
        known[f"winner_{number}_equity_after"] = float(equity)
        known[f"winner_equity_after_{number + 1}"] = float(equity)
        known[f"absorbed_{number + 1}"] = float(lost)
    known["absorbed"] = float(done.absorbed.sum())
    return answered(case, given, known, "engine.insurance.deleverage")


def maintenance(case: Case, library: Library) -> Answer:
    """Maintenance of a notional under a table, and the row of the table that it falls in."""
    given = Given(case.inputs)
    if given.raw("table") is None or given.raw("notional") is None:
        raise NotUnderstoodError("no notional under a table")
    notional = given.amount("notional")
    table, remark = tiers_of(given, case, library)
    venue = "binance-usdm" if case.venue == "binance" else "generic"
    scene = Scene(legs=(Leg("X", 1.0, notional, notional, tiers=table or 0.0),), venue=venue)
    rules = scene.rules
    row = max(number for number, tier in enumerate(rules.tier_table("X")) if tier.floor <= notional)
    known: dict[str, Got] = {"maintenance_margin": scene.position().maintenance_margin}
    for name in FIGURES["tier_rate"]:
        known[name] = rules.tier_table("X")[row].rate
    for name in FIGURES["tier_amount"]:
        known[name] = rules.maintenance_amounts("X")[row]
    answer = answered(case, given, known, f"{scene.name}; its rule set")
    return _remarked(answer, remark)


def amounts(case: Case, library: Library) -> Answer:
    """Maintenance amounts that make a table continuous."""
    given = Given(case.inputs)
    table, remark = tiers_of(given, case, library)
    if table is None or isinstance(table, float):
        raise NotUnderstoodError("the inputs name no table")
    found = mw.venues.generic(tiers={"X": table}).maintenance_amounts("X")
    known: dict[str, Got] = {}
    for number, amount in enumerate(found, 1):
        known |= {f"{name}_{number}": amount for name in ("cum", "amount", "deduction")}
    return _remarked(answered(case, given, known, "RuleSet.maintenance_amounts"), remark)


def answered(case: Case, given: Given, known: Mapping[str, Got], through: str) -> Answer:
    """An answer of those known figures that the case expects."""
    figures = {name: known[name] for name in case.expected if name in known}
    missing = {
        name: f"figure {name!r} is not understood" for name in case.expected if name not in known
    }
    unused = ", ".join(map(repr, given.unused))
    remark = f"not understood: input {unused}" if unused else ""
    return Answer(figures, through, missing=missing, remark=remark)


def _remarked(answer: Answer, remark: str) -> Answer:
    return replace(answer, remark="; ".join(filter(None, [remark, answer.remark])))


def _through(answer: Answer, more: str) -> Answer:
    return replace(answer, through=f"{answer.through}; {more}")


SOLVERS: Mapping[str, Any] = {
    "F-STATE": state,
    "F-SNX": synthetix,
    "F-ORDERLY": orderly,
    "F-BUFFER": buffer,
    "F-IF": fund,
    "F-ADL": deleveraging,
    "F-CUM": amounts,
}
