"""Futures and perpetuals: one account, isolated or cross, linear or inverse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from margin_widgets.engine import handover, rounding
from tests.conformance.cases import Case, Library
from tests.conformance.families import states
from tests.conformance.families.accounts import Form, is_inverse, one_leg, read, rule_set, scene_of
from tests.conformance.families.scene import Leg, Scene, flat_with_amount
from tests.conformance.outcome import Answer, Got, NotUnderstoodError
from tests.conformance.words import Given, figure

LINEAR = {"binance": "binance-usdm", "binance inverse": "binance-coinm"}
FEE_AT_MARK = {**LINEAR, "okx": "okx", "gate": "gate", "bitget": "bitget"}
ENTRY = {"maintenance_at": "entry"}

FORMS: dict[str, Form] = {
    "F-LIN": Form(at_venue=FEE_AT_MARK),
    "F-INV": Form(at_venue={"binance inverse": "binance-coinm"}),
    "F-UPNL": Form(),
    "F-IM": Form(),
    "F-IM-INV": Form(),
    "F-MM": Form(at_venue={"binance": "binance-usdm"}),
    "F-MM-INV": Form(at_venue={"binance inverse": "binance-coinm"}),
    "F-BANK-LIN": Form(),
    "F-BANK-INV": Form(),
    "F-LIN-ENTRYMM": Form(ENTRY, {"bitmex": "bitmex"}),
    "F-INV-ENTRYMM": Form(ENTRY),
    "F-BYBIT-LIN": Form(ENTRY, {"bybit": "bybit-unified"}),
    "F-OKX": Form(at_venue={"okx": "okx", "okx inverse": "okx"}),
    "F-GATE": Form(at_venue={"gate": "gate", "gate inverse": "gate"}),
    "F-BITGET": Form(at_venue={"bitget": "bitget"}),
    "F-HL": Form(at_venue={"hyperliquid": "hyperliquid"}),
    "F-DYDX": Form({"trigger": "<"}, {"dydx": "dydx-v4"}),
}


def solve(case: Case, library: Library) -> Answer:
    """The account of a case, and what its report says."""
    scene, given, remark = scene_of(case, library, FORMS[case.family])
    answer = read(case, scene, given, remark)
    return on_tick(answer, case, scene)


def maintenance(case: Case, library: Library) -> Answer:
    """Maintenance of a notional under a table, or of a position."""
    if {"table", "notional"} <= set(case.inputs):
        return states.maintenance(case, library)
    return solve(case, library)


def on_tick(answer: Answer, case: Case, scene: Scene) -> Answer:
    """Prices on the tick, where the case states one, rounded as the venue rounds them."""
    if not scene.tick:
        return answer
    entry = scene.legs[0].entry
    figures: dict[str, Got] = dict(answer.figures)
    for name, got in answer.figures.items():
        part = figure(name)
        if part is None or got is None or isinstance(got, bool):
            continue
        if part.kind == "liquidation_price":
            figures[name] = _rounded(got, scene.tick, "towards entry", entry)
        elif part.kind == "bankruptcy_price" and _whole_ticks(case.expected.get(name), scene.tick):
            way = scene.rules.bankruptcy_rounding
            figures[name] = got if way == "none" else _rounded(got, scene.tick, way, entry)
    return replace(answer, figures=figures, through=f"{answer.through}; engine.rounding.to_tick")


def _rounded(price: float, tick: float, way: Any, entry: float) -> float:
    return float(rounding.to_tick(price, tick, way, entry))


def _whole_ticks(printed: Any, tick: float) -> bool:
    """Whether a price was printed on the tick: some sources print it with more digits."""
    try:
        ticks = float(printed) / tick
    except (TypeError, ValueError):
        return True
    return abs(ticks - round(ticks)) < 1e-6


def bybit_unified(case: Case, library: Library) -> Answer:
    """Initial and maintenance margin that both hold the fee of closing at the bankruptcy price."""
    form = Form(
        {
            **ENTRY,
            "closing_fee_in_maintenance": True,
            "closing_fee_in_initial": True,
            "closing_fee_at": "bankruptcy",
        },
        {"bybit": "bybit-unified"},
    )
    scene, given, remark = scene_of(case, library, form)
    return on_tick(read(case, scene, given, remark), case, scene)


def bybit_inverse_cross(case: Case, library: Library) -> Answer:
    """Classic inverse cross account: the whole balance stands behind the one position.

    The fee of closing is that at the price at which the balance is gone: the bankruptcy price of a
    leverage of entry value over balance.
    """
    given = Given(case.inputs)
    leg = one_leg(given, given.need("mmr"), inverse=True)
    balance = given.need("wallet") - (given.number("order_margin") or 0.0)
    fee, tick = given.number("fee") or 0.0, given.number("tick")
    settings = {
        **ENTRY,
        "taker_fee": fee,
        "closing_fee_in_maintenance": True,
        "closing_fee_at": "bankruptcy",
    }
    alone = Scene(legs=(leg,), settings=ENTRY, wallet=balance)
    value = alone.in_settlement(alone.position().notional)
    scene = Scene(
        legs=(replace(leg, leverage=value / balance),),
        settings=settings,
        wallet=balance,
        tick=tick,
    )
    answer = read(case, scene, given)
    if "bankruptcy_price" in case.expected:  # the price from which the fee is still paid
        size = leg.size * leg.multiplier
        price = handover.bankruptcy_price(size, leg.entry, balance, fee=fee, inverse=True)
        answer = replace(
            answer,
            figures={**answer.figures, "bankruptcy_price": float(price)},
            through=f"{answer.through}; engine.handover.bankruptcy_price",
        )
    return on_tick(answer, case, scene)


def kucoin(case: Case, library: Library) -> Answer:
    """Margin, maintenance and closing fee of a position as the venue's payload names them."""
    given = Given(case.inputs)
    costs = given.raw("pos_cost", "costs")
    if isinstance(costs, list) or "pos_comm" in case.expected:
        return _kucoin_fee(case, given, costs)
    venue, settings = rule_set(Form(ENTRY, {"kucoin": "kucoin"}), case, is_inverse(case))
    settings = {**settings, "taker_fee": 0.0}  # the margins hold the fee already
    leg = one_leg(given, None, inverse=is_inverse(case))
    paid = given.raw("pos_init_plus_added", "pos_init", "pos_cross")
    margin = given.number("margin")
    margin = given.amount("pos_margin") if margin is None else margin
    maintenance = given.raw("pos_maint", "maint_margin")
    alone = Scene(legs=(leg,), venue=venue, settings=settings)
    value = alone.in_settlement(alone.position().notional)
    rate = given.number("mmr") if maintenance is None else float(maintenance) / value
    if rate is None:
        raise NotUnderstoodError("the inputs name no maintenance margin")
    leg = replace(leg, tiers=rate, margin=margin)
    scene = Scene(
        legs=(leg,), venue=venue, settings=settings, isolated=True, tick=given.number("tick")
    )
    answer = read(case, scene, given)
    if paid is not None and "bankruptcy_price" in answer.figures:  # there no fee is left to pay
        without = scene.replace(legs=(replace(leg, margin=float(paid)),))
        price = without.position().bankruptcy_price
        answer = replace(answer, figures={**answer.figures, "bankruptcy_price": price})
    return on_tick(answer, case, scene)


def _kucoin_fee(case: Case, given: Given, costs: Any) -> Answer:
    """Closing fee reserved at the worse of the two bankruptcy prices."""
    margins, fee = given.raw("pos_init", "inits"), given.need("fee")
    if not isinstance(costs, list):
        costs, margins = [costs], [margins]
    if not isinstance(margins, list) or len(margins) != len(costs):
        raise NotUnderstoodError("pos_cost and pos_init are not lists of one length")
    found: list[float] = []
    form = Form(
        {**ENTRY, "closing_fee_in_maintenance": True, "closing_fee_at": "worst bankruptcy"},
        {"kucoin": "kucoin"},
    )
    venue, settings = rule_set(form, case, inverse=False)
    settings["taker_fee"] = fee
    for cost, margin in zip(costs, margins, strict=True):
        leg = Leg("X", 1.0, float(cost), float(cost), leverage=float(cost) / float(margin))
        scene = Scene(legs=(leg,), venue=venue, settings=settings)
        found.append(scene.position().maintenance_margin)
    figures: dict[str, Got] = {}
    missing: dict[str, str] = {}
    for name in case.expected:
        stem, _, number = name.rpartition("_")
        if name == "pos_comm":
            figures[name] = found[0]
        elif stem == "pos_comm" and number.isdigit() and 1 <= int(number) <= len(found):
            figures[name] = found[int(number) - 1]
        else:
            missing[name] = f"figure {name!r} is not understood"
    through = f"Account under {venue}, maintenance without a rate: the closing fee"
    return Answer(figures, through, missing=missing, remark=_left(given))


def phemex(case: Case, library: Library) -> Answer:
    """Margin assigned with the fee of closing at bankruptcy; maintenance with that at mark."""
    given = Given(case.inputs)
    fee, rate = given.number("fee") or 0.0, given.need("mmr")
    if "leverage" not in given and "margin" not in given:
        return solve(_as(case, "F-LIN"), library)
    tiers = flat_with_amount(rate, given.number("amount") or 0.0)
    leg = one_leg(given, tiers, inverse=is_inverse(case))
    if leg.margin is None:
        reserving = {
            "taker_fee": fee,
            "closing_fee_in_initial": True,
            "closing_fee_at": "bankruptcy",
        }
        opened = Scene(legs=(leg,), settings=reserving, isolated=True)
        leg = replace(leg, margin=opened.in_settlement(opened.position().margin))
    scene = Scene(
        legs=(leg,),
        settings={"taker_fee": fee, "closing_fee_in_maintenance": True},
        isolated=True,
        tick=given.number("tick"),
    )
    return on_tick(read(case, scene, given), case, scene)


def bitget(case: Case, library: Library) -> Answer:
    """Equity behind printed margin ratios, and how it changes with the mark."""
    given = Given(case.inputs)
    ratios, marks = given.raw("margin_ratios"), given.raw("marks")
    if ratios is None or "equity_change" not in case.expected:
        return solve(case, library)
    if not isinstance(marks, list) or len(marks) != len(ratios) or len(marks) < 2:
        raise NotUnderstoodError("marks and margin ratios are not lists of one length")
    venue, settings = rule_set(FORMS["F-BITGET"], case, inverse=False)
    settings = {**settings, "taker_fee": given.number("fee") or 0.0}
    settings |= {"closing_fee_in_maintenance": True} if venue == "generic" else {}
    given.rename("entry", "entry_price")
    leg = one_leg(given, given.need("mmr"), inverse=False)
    states = []
    for mark, ratio in zip(marks, ratios, strict=True):
        state = Scene(
            legs=(replace(leg, mark=float(mark)),), venue=venue, settings=settings, wallet=0.0
        )
        required = state.account.cross.maintenance_margin
        profit = state.account.cross.unrealized_pnl
        states.append(state.replace(wallet=required / float(ratio) - profit))
    figures: dict[str, Got] = {
        "equity_change": states[-1].account.cross.equity - states[0].account.cross.equity
    }
    missing = {name: f"figure {name!r}" for name in case.expected if name not in figures}
    through = f"{states[0].name}: equity with the collateral that each ratio implies"
    return Answer(figures, through, missing=missing, remark=_left(given))


def deribit(case: Case, library: Library) -> Answer:
    """Rates that rise straight with the size of the position."""
    given = Given(case.inputs)
    inverse = is_inverse(case)
    slope, base = given.number("slope") or 0.0, given.number("base_rate")
    rate = base if base is not None else given.number("mmr")
    rate = given.number("imr") if rate is None else rate
    if rate is None:
        raise NotUnderstoodError("the inputs name no margin rate")
    venue, _ = rule_set(
        Form(at_venue={"deribit": "deribit", "deribit inverse": "deribit"}), case, inverse
    )
    given.rename("position_btc", "position")
    held = given.raw("position")
    if inverse and held is not None and not {"entry", "mark", "price"} & set(case.inputs):
        # Coins of an inverse contract: as many quote units at a price of one.
        leg = Leg("X", float(held), 1.0, 1.0, tiers=rate, initial=rate, slope=slope, inverse=True)
    else:
        leg = replace(one_leg(given, rate, inverse=inverse), initial=rate, slope=slope)
    scene = Scene(legs=(leg,), venue=venue, isolated=case.margin_mode.startswith("isolated"))
    return read(case, scene, given)


def nautilus(case: Case, library: Library) -> Answer:
    """Maintenance at the open price; rates divided by the leverage where the model is leveraged."""
    given = Given(case.inputs)
    leverage, rate = given.number("leverage") or 1.0, given.need("mmr", "imr")
    level = given.raw("trigger_ratio", "trigger_level")
    settings: dict[str, Any] = {**ENTRY}
    if level is not None:
        settings["trigger_level"] = float(level)
    priced = "entry" in given or "price" in given
    inverse = is_inverse(case) and priced  # a value alone is in whatever the margin is in
    leg = one_leg(given, rate / leverage, inverse=inverse)
    mark = given.number("price")
    leg = leg if mark is None else replace(leg, mark=mark)
    scene = Scene(legs=(leg,), settings=settings, wallet=given.number("wallet"))
    if "margin" in case.expected:  # one model for initial and maintenance margin
        figures: dict[str, Got] = {"margin": scene.position().maintenance_margin}
        missing = {name: f"figure {name!r}" for name in case.expected if name not in figures}
        return Answer(figures, scene.name, missing=missing, remark=_left(given))
    return read(case, scene, given)


def vega(case: Case, library: Library) -> Answer:
    """Maintenance of slippage and risk factor on the value at mark, and of a funding payment.

    An isolated position holds a share of its entry value, its margin factor.
    """
    given = Given(case.inputs)
    factor = given.raw("margin_factor", "factor", "isolated_margin_factor")
    if factor is not None:
        leg = replace(one_leg(given, None, inverse=False), leverage=1 / float(factor))
        return read(case, Scene(legs=(leg,), isolated=True), given)
    slippage = given.amount("slippage") if given.raw("slippage") is not None else 0.0
    rate = slippage + given.amount("rf", "risk_factor")
    leg = one_leg(given, rate, inverse=False)
    legs = [leg]
    payment, share = given.raw("funding_payment"), given.raw("funding_factor")
    if payment is not None:  # an obligation of its own, of which a share must be held
        due = float(payment)
        legs.append(Leg("FUNDING", 1.0, due, due, tiers=float(share if share is not None else 1)))
    if rate >= 1:
        return _steep(case, given, legs)
    scene = Scene(legs=tuple(legs), wallet=given.number("wallet"))
    return read(case, scene, given)


def _steep(case: Case, given: Given, legs: list[Leg]) -> Answer:
    """Rates above 1 are no rule set of margin; the engine's schedule takes them."""
    from margin_widgets.engine import Schedule

    rates = Schedule.from_bands([[(0.0, float(leg.tiers))] for leg in legs])  # type: ignore[arg-type]
    values = np.array([abs(leg.size) * leg.mark for leg in legs])
    amount = float(rates.at(np.arange(len(legs)), values).sum())
    known = {"maintenance_margin", "mm"}
    figures: dict[str, Got] = {name: amount for name in case.expected if name in known}
    missing = {name: f"figure {name!r}" for name in case.expected if name not in known}
    return Answer(figures, "engine.Schedule", missing=missing, remark=_left(given))


def _as(case: Case, family: str) -> Case:
    return replace(case, formula=family)


def _left(given: Given) -> str:
    return f"not understood: input {', '.join(map(repr, given.unused))}" if given.unused else ""


SOLVERS: Mapping[str, Any] = {
    **dict.fromkeys(FORMS, solve),
    "F-MM": maintenance,
    "F-BYBIT-UTA": bybit_unified,
    "F-BYBIT-INV-CROSS": bybit_inverse_cross,
    "F-KUCOIN": kucoin,
    "F-PHEMEX": phemex,
    "F-BITGET": bitget,
    "F-DERIBIT-FUT": deribit,
    "F-NAUT": nautilus,
    "F-VEGA": vega,
}
