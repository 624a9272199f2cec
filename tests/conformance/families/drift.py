"""Drift: weights that depend on size, transfers in a liquidation, fees of liquidator and fund."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import margin_widgets as mw
from margin_widgets.engine import handover, insurance, rounding, weights
from tests.conformance.cases import Case, Library
from tests.conformance.families import drift_account
from tests.conformance.families.scene import Leg, Scene
from tests.conformance.families.states import answered
from tests.conformance.outcome import Answer, Got, NotUnderstoodError
from tests.conformance.words import LABELS, Given, as_number

_SCALED = re.compile(r"(?P<stem>\w+)_1e(?P<power>\d+)$")


def plain(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Inputs with integers of the chain (`shortage_1e6`) as decimals; whether any were."""
    found: dict[str, Any] = {}
    on_chain = False
    for name, content in inputs.items():
        scaled = _SCALED.match(name)
        if scaled:
            on_chain = True
            number = as_number(content, name)
            if number is None:
                continue
            found[scaled["stem"]] = float(rounding.exact(number) / 10 ** int(scaled["power"]))
        else:
            found[name] = content
    return found, on_chain


def _maybe(given: Given, name: str, *others: str, default: float) -> float:
    content = given.raw(name, *others)
    return default if content is None else float(content)


def weight(case: Case, library: Library) -> Answer:
    """Weight of an asset or a loan by its amount, or of an asset by all deposits of it."""
    given = Given(case.inputs)
    if given.raw("scale_start_usd", "scale_start") is not None:
        price = given.number("price")
        deposits = given.amount("deposits")
        got = weights.scaled_weight(
            given.amount("initial_asset_weight", "asset_weight", "base_weight"),
            deposits if price is None else deposits * price,
            given.amount("scale_start_usd", "scale_start"),
            step=weights.WEIGHT_STEP,
        )
        return answered(case, given, {"weight": float(got)}, "engine.weights.scaled_weight")
    kind = str(given.raw("kind") or "asset")
    if kind not in ("asset", "liability", "perp"):
        raise NotUnderstoodError(f"kind {kind!r} is neither asset, liability nor perp")
    # The margin ratio of a perpetual grows with its size as the weight of a loan does.
    kind = "asset" if kind == "asset" else "liability"
    rule = weights.asset_weight if kind == "asset" else weights.liability_weight
    got = rule(
        given.amount("base_weight", "weight", "base_margin_ratio", "margin_ratio"),
        given.amount("token_size", "token_amount", "size"),
        given.amount("imf_factor", "imf"),
        step=weights.WEIGHT_STEP,
    )
    return answered(case, given, {"weight": float(got)}, f"engine.weights.{kind}_weight")


def partial(case: Case, library: Library) -> Answer:
    """Base amount of a perpetual to hand over."""
    inputs, _ = plain(case.inputs)
    given = Given(inputs)
    got = handover.base_to_cover(
        given.amount("margin_shortage", "shortage"),
        given.need("mark", "price"),
        given.amount("margin_ratio"),
        liquidator_fee=_maybe(given, "liquidator_fee", default=0.0),
        fund_fee=_maybe(given, "if_fee", "insurance_fund_fee", default=0.0),
        quote_price=_maybe(given, "quote_oracle_price", "quote_price", default=1.0),
    )
    known: dict[str, Got] = {"base_amount": got, "base_asset_amount": got}
    return answered(case, given, known, "engine.handover.base_to_cover")


def spot(case: Case, library: Library) -> Answer:
    """Loan to hand over, and the asset that goes with it."""
    inputs, on_chain = plain(case.inputs)
    given = Given(inputs)
    multipliers = {
        "asset_multiplier": _maybe(
            given, "asset_multiplier", "asset_liquidation_multiplier", default=1.0
        ),
        "liability_multiplier": _maybe(
            given, "liability_multiplier", "liability_liquidation_multiplier", default=1.0
        ),
    }
    known: dict[str, Got] = {}
    price = given.amount("liability_price")
    if given.raw("shortage", "margin_shortage") is not None:
        decimals = given.raw("liability_decimals")
        quantum = 10.0 ** -int(decimals) if on_chain and decimals is not None else 0.0
        got = handover.liability_to_cover(
            given.amount("shortage", "margin_shortage"),
            price,
            asset_weight=given.amount("asset_weight"),
            liability_weight=given.amount("liability_weight"),
            fund_fee=_maybe(given, "if_fee", default=0.0),
            quantum=quantum,
            **multipliers,
        )
        if quantum:
            got = float(rounding.exact(got) / rounding.exact(quantum))
        known["liability_transfer"] = got
        through = "engine.handover.liability_to_cover"
    elif given.raw("asset_amount") is not None:
        known["liability_transfer"] = handover.liability_for_asset(
            given.amount("asset_amount"), given.amount("asset_price"), price, **multipliers
        )
        through = "engine.handover.liability_for_asset"
    else:
        known["asset_transfer"] = handover.asset_for_liability(
            given.amount("liability_transfer", "liability_amount"),
            price,
            given.amount("asset_price"),
            **multipliers,
        )
        through = "engine.handover.asset_for_liability"
    return answered(case, given, known, through)


def fees(case: Case, library: Library) -> Answer:
    """Fees of the liquidator and of the insurance fund."""
    inputs, _ = plain(case.inputs)
    given = Given(inputs)
    if given.raw("slots_since_active", "slots_elapsed", "slots") is not None:
        slots = int(given.amount("slots_since_active", "slots_elapsed", "slots"))
        got = handover.liquidator_fee_after(
            given.amount("base_fee", "liquidator_fee"), given.amount("max_fee"), slots
        )
        known: dict[str, Got] = {"liquidation_fee": got, "liquidator_fee": got}
        return answered(case, given, known, "engine.handover.liquidator_fee_after")
    shortage = given.amount("margin_shortage", "shortage")
    price = given.need("mark", "price")
    most = given.amount("max_if_fee", "max_fee")
    if given.raw("liability_weight") is not None:
        tokens = given.amount("token_amount")
        got = insurance.loan_fund_fee(
            shortage,
            tokens * price,
            asset_weight=given.amount("asset_weight"),
            liability_weight=given.amount("liability_weight"),
            asset_multiplier=_maybe(given, "asset_multiplier", default=1.0),
            liability_multiplier=_maybe(given, "liability_multiplier", default=1.0),
            max_fee=most,
            quantum=1e-6,
        )
        return answered(case, given, {"if_fee": got}, "engine.insurance.loan_fund_fee")
    size = abs(given.amount("base_amount", "base_asset_amount", "base"))
    got = insurance.position_fund_fee(
        shortage,
        size * price,
        given.amount("margin_ratio"),
        _maybe(given, "liquidator_fee", default=0.0),
        most,
        quantum=1e-6,
    )
    return answered(case, given, {"if_fee": got}, "engine.insurance.position_fund_fee")


def margin(case: Case, library: Library) -> Answer:
    """Requirement of loans and positions, with the buffer that a liquidation must restore."""
    given = Given(case.inputs)
    merged: Mapping[str, Any] = case.inputs
    reference = given.raw("as_")
    if reference is not None:
        other = library.inputs(str(reference))
        if other is None:
            raise NotUnderstoodError(f"it points at the case {reference!r}, which no file holds")
        merged = {**other, **{k: v for k, v in case.inputs.items() if k != "as_"}}
        given = Given(merged)
    if given.raw("borrow_usd", "borrow") is not None and given.raw("liability_weight") is not None:
        return _loan(case, given)
    if given.raw("base", "base_amount") is not None and given.raw("quote") is not None:
        return _position(case, given)
    inputs = {name: part for name, part in merged.items() if name not in LABELS}
    return drift_account.solve(inputs, case.expected)


def _loan(case: Case, given: Given) -> Answer:
    """A loan: the chain counts it and its margin together as the requirement."""
    borrowed = given.amount("borrow_usd", "borrow")
    weight = given.amount("liability_weight")
    buffer = _maybe(given, "buffer", default=0.0)
    account = mw.Account(
        venue=mw.venues.generic(
            currency="USD",
            liability_rates={"USD": float(rounding.exact(weight) - 1)},
        ),
        collateral={"USD": -borrowed},
    )
    required = account.cross.maintenance_margin - account.cross.equity
    known: dict[str, Got] = {
        "margin_requirement": required,
        "margin_requirement_plus_buffer": handover.requirement_with_buffer(
            required, required, buffer
        ),
    }
    through = "Account under generic, cross; engine.handover.requirement_with_buffer"
    return answered(case, given, known, through)


def _position(case: Case, given: Given) -> Answer:
    """A perpetual: initial margin, and the profit that counts for it."""
    base, quote = given.amount("base", "base_amount"), given.amount("quote")
    rate = given.amount("margin_ratio_initial", "margin_ratio")
    mark = given.need("mark", "price")
    leg = Leg("X", base, abs(quote / base), mark, initial=rate, tiers=rate)
    scene = Scene(legs=(leg,))
    position = scene.position()
    most = _maybe(given, "max_positive_upnl", "upnl_cap", default=100.0)
    known: dict[str, Got] = {
        "margin_requirement": position.initial_margin,
        "unrealized_pnl": position.unrealized_pnl,
        "unrealized_pnl_counted": float(weights.counted_profit(position.unrealized_pnl, most=most)),
    }
    through = f"{scene.name}; engine.weights.counted_profit"
    return answered(case, given, known, through)


SOLVERS: Mapping[str, Any] = {
    "F-DRIFT-WEIGHT": weight,
    "F-DRIFT-PARTIAL": partial,
    "F-DRIFT-SPOT": spot,
    "F-DRIFT-IF": fees,
    "F-DRIFT-MARGIN": margin,
}
