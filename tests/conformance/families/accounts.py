"""From the names of inputs to an account, and from its reports to the figures that are expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.cases import Case, Library
from tests.conformance.families.scene import (
    Leg,
    Scene,
    Tiers,
    flat_with_amount,
    optional,
    tier_rows,
)
from tests.conformance.outcome import Answer, Got, NotUnderstoodError
from tests.conformance.words import DOLLAR_UNITS, Figure, Given, figure

EQUITY_OVER_MAINTENANCE = ("okx", "blofin", "nautilus_trader")
"""Venues whose margin ratio falls towards 1 as liquidation comes nearer."""


@dataclass(frozen=True)
class Form:
    """What a formula says about the rules, beyond what the inputs say.

    Parameters
    ----------
    settings : mapping
        Fields of a rule set from parts.
    at_venue : mapping of venue to rule set
        Venues whose own rule set is to give the number.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    at_venue: Mapping[str, str] = field(default_factory=dict)


def rule_set(form: Form, case: Case, inverse: bool) -> tuple[str, dict[str, Any]]:
    """Name of the rule set for a case, and the settings that its formula adds."""
    import margin_widgets as mw

    name = form.at_venue.get(f"{case.venue} inverse" if inverse else case.venue)
    if name in mw.venues.names():
        return str(name), {}
    return "generic", dict(form.settings)


def is_inverse(case: Case) -> bool:
    """Whether the contract of a case pays in its base coin."""
    return "inverse" in case.contract_type


def tiers_of(given: Given, case: Case, library: Library) -> tuple[Tiers | None, str]:
    """Maintenance of a leg, and where it was found if that was not in the case itself."""
    reference = given.raw("table", "as_")
    if reference is not None:
        there = library.inputs(str(reference))
        if there is None:
            raise NotUnderstoodError(f"it points at the case {reference!r}, which no file holds")
        found = _stated(Given(there))
        if found is None:
            raise NotUnderstoodError(f"the case {reference!r} holds no table of rates")
        return found, f"table of {reference}"
    found = _stated(given)
    if found is not None:
        return found, ""
    beside = library.beside(case, "brackets")
    if beside is not None:
        return tier_rows(beside[1]), f"brackets of {beside[0]}, which is of the same source file"
    return None, ""


def _stated(given: Given) -> Tiers | None:
    table = given.raw("brackets", "tiers", "tier_table", "leverage_brackets")
    if table is not None:
        return tier_rows(table)
    caps = given.raw("caps")
    if caps is not None:
        rates = given.find("mmr")
        if not isinstance(rates, list) or len(rates) != len(caps):
            raise NotUnderstoodError("the table has not one rate for each cap")
        return [(floor, rate) for floor, rate in zip([0.0, *caps[:-1]], rates, strict=True)]
    rate = given.number("mmr")
    if rate is None and "max_leverage" in given:
        return 0.5 / given.need("max_leverage")  # half of the initial rate at most leverage
    if rate is None:
        return None
    return flat_with_amount(rate, given.number("amount") or 0.0)


def one_leg(given: Given, tiers: Tiers | None, *, inverse: bool, symbol: str = "X") -> Leg:
    """The position that the inputs describe."""
    multiplier = (given.number("multiplier") or 1.0) if inverse else 1.0
    entry, mark = given.number("entry"), given.number("mark")
    price = given.number("price")
    raw_usd = given.amount("raw_usd") if given.raw("raw_usd") is not None else None
    size, value = given.number("contracts"), None
    if size is None:
        size = given.number("size")
    elif not inverse:
        size *= given.number("multiplier") or 1.0
    if size is None or (entry is None and price is None and mark is None):
        value = given.number("value")
    if entry is None:
        entry = price if price is not None else mark
    if entry is None and raw_usd is not None and size:
        entry = abs(raw_usd / size)  # any will do: the cash is what is left after paying it
    if entry is None and value is not None:
        entry = value / abs(size) if size else (1.0 if inverse else value)
    if entry is None:
        raise NotUnderstoodError("the inputs name no price")
    if size is None and value is not None:
        size = value * entry / multiplier if inverse else value / entry
    if size is None:
        size = 1.0 if not inverse else entry  # figures that no size enters
    if mark is None and "upnl" in given:
        mark = _mark_of_profit(given, size * multiplier, entry, inverse)
    if mark is None:
        mark = price if price is not None else entry
    # Of several names for the size of the position one was enough.
    given.find("value")
    given.find("leverage")
    return Leg(
        symbol=symbol,
        size=given.sign * abs(size),
        entry=entry,
        mark=mark,
        tiers=0.0 if tiers is None else tiers,
        leverage=given.number("leverage"),
        margin=_margin(given),
        initial=given.number("imr"),
        inverse=inverse,
        multiplier=multiplier,
    )


def _margin(given: Given) -> float | None:
    margin, extra = given.number("margin"), given.number("extra")
    return margin if extra is None or margin is None else margin + extra


def _mark_of_profit(given: Given, size: float, entry: float, inverse: bool) -> float:
    """The mark at which a position of this size has the profit that is stated."""
    profit = given.need("upnl") * given.sign / abs(size)
    return 1 / (1 / entry - profit) if inverse else entry + profit


def others(given: Given, *, at_entry: bool) -> list[Leg]:
    """The pool's other positions, of which only maintenance and profit are stated."""
    required, profit = given.number("others_mm"), given.number("others_upnl")
    if not required and not profit:
        return []
    required, profit = required or 0.0, profit or 0.0
    mark = 100.0 * required + 10.0 * abs(profit)
    entry = mark - profit
    return [Leg("OTHERS", 1.0, entry, mark, tiers=required / (entry if at_entry else mark))]


def scene_of(case: Case, library: Library, form: Form) -> tuple[Scene, Given, str]:
    """The account of a case; the reader that knows which inputs were used; a remark."""
    given = Given(case.inputs)
    inverse = is_inverse(case)
    venue, settings = rule_set(form, case, inverse)
    tiers, remark = tiers_of(given, case, library)
    legs = _legs(given, case, tiers, inverse)
    fee = given.number("fee") or 0.0
    settings["taker_fee"] = fee
    if venue == "generic" and fee:
        settings.setdefault("closing_fee_in_maintenance", True)
    scene = Scene(
        legs=tuple(legs),
        venue=venue,
        settings=settings,
        isolated=case.margin_mode.startswith("isolated"),
        tick=given.number("tick"),
        order_margin=given.number("order_margin") or 0.0,
    )
    at_entry = scene.rules.maintenance_at == "entry"
    scene = scene.replace(legs=(*legs, *others(given, at_entry=at_entry)))
    return with_collateral(scene, given, case), given, remark


def _legs(given: Given, case: Case, tiers: Tiers | None, inverse: bool) -> list[Leg]:
    rows = given.raw("positions", "legs")
    if rows is not None:
        return [_row(row, number, tiers, inverse) for number, row in enumerate(rows)]
    sizes = given.raw("sizes", "quantities")
    if sizes is not None:
        return _parallel(given, sizes, tiers)
    marks = given.raw("marks")
    if isinstance(marks, list) and marks and "mark" not in given:
        first = marks[0][0] if isinstance(marks[0], list) else marks[0]
        inputs = {**case.inputs, "mark": first}
        leg = one_leg(reader := Given(inputs), tiers, inverse=inverse)
        given.use(*(name for name in case.inputs if name not in reader.unused))
        return [leg]
    return [one_leg(given, tiers, inverse=inverse)]


def _row(row: Any, number: int, tiers: Tiers | None, inverse: bool) -> Leg:
    if isinstance(row, list):
        names = ("size", "entry", "mark")[: len(row)]
        row = dict(zip(names, row, strict=True))
    if not isinstance(row, Mapping):
        raise NotUnderstoodError(f"position {row!r} is neither a mapping nor [size, entry]")
    reader = Given(row)
    found = _stated(reader)
    name = str(row.get("symbol") or f"X{number}")
    leg = one_leg(reader, tiers if found is None else found, inverse=inverse, symbol=name)
    if reader.unused:
        raise NotUnderstoodError(f"input of position {number + 1}: {reader.unused[0]!r}")
    return leg


def _parallel(given: Given, sizes: list[float], tiers: Tiers | None) -> list[Leg]:
    entries = given.raw("open_prices", "entries", "entry_prices")
    marks = given.raw("prices", "marks", "mark_prices")
    if entries is None or marks is None or not len(sizes) == len(entries) == len(marks):
        raise NotUnderstoodError("sizes, open prices and prices are not lists of one length")
    scales = given.raw("skew_scale", "skew_scales")
    premium = [0.0] * len(sizes)
    if scales is not None:  # the price paid lies half a position's skew above the published one
        premium = [size / (2 * scale) for size, scale in zip(sizes, scales, strict=True)]
    return [
        Leg(f"X{number}", size, entry * (1 + extra), mark, tiers=0.0 if tiers is None else tiers)
        for number, (size, entry, mark, extra) in enumerate(
            zip(sizes, entries, marks, premium, strict=True)
        )
    ]


def with_collateral(scene: Scene, given: Given, case: Case) -> Scene:
    """Put the collateral in: stated, or backed out of what is stated instead."""
    first = scene.legs[0]
    raw_usd = given.raw("raw_usd")
    if raw_usd is not None:
        return _funded(scene, given.amount("raw_usd") + first.size * first.entry)
    if scene.isolated:
        if first.margin is None and "wallet" in given:
            return _funded(scene, given.need("wallet"))
        if first.margin is None and "equity" in given:
            return _funded(scene, _wallet_of_equity(scene, given, case))
        if first.margin is None and first.leverage is None:
            return backed_out(scene, given, case)
        extra = given.number("extra")
        if first.margin is None and extra:  # on top of what was assigned when it was opened
            assigned = scene.in_settlement(float(scene.position().margin))
            return _funded(scene, assigned + extra)
        return scene
    wallet = given.number("wallet")
    if wallet is None and "equity" in given:
        wallet = _wallet_of_equity(scene, given, case)
    if wallet is None and "margin_balance" in given:
        wallet = _wallet_of_equity(scene, given, case, "margin_balance")
    if wallet is None:
        wallet = first.margin
    if wallet is None:
        return backed_out(scene, given, case)
    return scene.replace(wallet=wallet)


def _funded(scene: Scene, wallet: float) -> Scene:
    if not scene.isolated:
        return scene.replace(wallet=wallet)
    first = scene.legs[0]
    legs = (Leg(**{**first.__dict__, "margin": wallet}), *scene.legs[1:])
    return scene.replace(legs=legs, wallet=wallet)


def _wallet_of_equity(scene: Scene, given: Given, case: Case, name: str = "equity") -> float:
    equity = given.need(name)
    if case.family == "F-STATE":  # there it is what the account was opened with
        return equity
    profit = scene.replace(wallet=None).account.cross.unrealized_pnl
    return equity - scene.in_settlement(profit)


def backed_out(scene: Scene, given: Given, case: Case) -> Scene:
    """Collateral backed out of a margin ratio or a bankruptcy price that the venue printed."""
    ratio, bankrupt = given.number("ratio"), given.number("bankruptcy")
    if ratio is not None:
        figures = scene.report
        required = scene.in_settlement(figures.maintenance_margin)
        equity = required * ratio if _falls(case, ratio) else required / ratio
        return _funded(scene, equity - scene.in_settlement(figures.unrealized_pnl))
    if bankrupt is not None:
        # The loss there, and the fee of closing there, have used all of it up.
        there = scene.marked(bankrupt)
        loss = -there.in_settlement(there.account.cross.unrealized_pnl)
        notional = there.in_settlement(there.position().notional)
        return _funded(scene, loss + scene.settings.get("taker_fee", 0.0) * notional)
    return scene


def _falls(case: Case, ratio: float) -> bool:
    """Whether a printed margin ratio is balance over maintenance, not the other way round."""
    return case.venue in EQUITY_OVER_MAINTENANCE or ratio > 1


def read(case: Case, scene: Scene, given: Given, remark: str = "") -> Answer:
    """Every expected figure that the account gives, by the name under which it is expected."""
    got: dict[str, Got] = {}
    missing: dict[str, str] = {}
    target = target_leg(given, scene)
    scenes = states(given, scene)
    first = any((part := figure(name)) and part.number == 0 for name in case.expected)
    for name in case.expected:
        part = figure(name)
        if part is None:
            missing[name] = f"figure {name!r} is not understood"
            continue
        state, leg = scene, target
        many = len(scene.legs) > 1 and part.kind != "liquidation_price"
        whole = many and "target" not in case.inputs
        if part.number is not None:
            if len(scenes) > 1:
                state = _state(part.number, given, scenes)
            else:
                leg, whole = int(part.number) - (0 if first else 1), False
                if not 0 <= leg < len(scene.legs):
                    missing[name] = f"figure {name!r}: there is no position {part.number:g}"
                    continue
        try:
            got[name] = figure_of(case, state, part, leg, whole=whole)
        except NotUnderstoodError as error:
            missing[name] = str(error)
    reference = scene.legs[target].mark if scene.legs else None
    return Answer(
        figures=got,
        through=scene.name,
        reference=reference,
        tick=scene.tick,
        missing=missing,
        remark="; ".join(filter(None, [remark, _unused(given)])),
    )


def _unused(given: Given) -> str:
    return f"not understood: input {', '.join(map(repr, given.unused))}" if given.unused else ""


def target_leg(given: Given, scene: Scene) -> int:
    """The leg whose price a case asks for."""
    wanted = given.raw("target")
    names = [leg.symbol for leg in scene.legs]
    if wanted is None:
        return 0
    if wanted not in names:
        raise NotUnderstoodError(f"target {wanted!r} is none of the positions {names}")
    return names.index(str(wanted))


def states(given: Given, scene: Scene) -> list[Scene]:
    """The account at each of the marks that a case lists; or as it is."""
    marks = given.raw("marks")
    if not isinstance(marks, list) or not marks or len(scene.legs) != len(_row_of(marks[0])):
        return [scene]
    found = []
    for row in marks:
        state = scene
        for leg, mark in enumerate(_row_of(row)):
            state = state.marked(float(mark), leg)
        found.append(state)
    return found


def _row_of(content: Any) -> list[float]:
    return content if isinstance(content, list) else [content]


def _state(number: float, given: Given, scenes: list[Scene]) -> Scene:
    marks = [_row_of(row)[0] for row in given.raw("marks")]
    if number in marks:
        return scenes[marks.index(number)]
    if 1 <= number <= len(scenes):
        return scenes[int(number) - 1]
    raise NotUnderstoodError(f"there is no state {number:g} among the marks")


def figure_of(case: Case, scene: Scene, part: Figure, leg: int, *, whole: bool = False) -> Got:
    """One figure of an account.

    Parameters
    ----------
    whole : bool
        Whether the figure of the account is meant, not that of the leg.
    """
    if part.at_liquidation:
        price = scene.position(leg).liquidation_price
        if price is None:
            return None
        scene = scene.marked(price, leg)
    report = scene.report
    position = scene.position(leg) if scene.legs else report
    kind = part.kind
    if kind in ("liquidation_price", "bankruptcy_price"):
        _require_collateral(scene, leg)
        return optional(getattr(position, kind))
    if kind == "liquidated":
        return str(report.status) != "ok"
    if kind in ("margin_ratio", "effective_leverage"):
        _require_collateral(scene, leg)
        found = getattr(report if whole or kind != "margin_ratio" else position, kind)
        if found is None or kind != "margin_ratio":
            return optional(found)
        return 1 / found if case.venue in EQUITY_OVER_MAINTENANCE else float(found)
    if kind == "threshold":
        level = getattr(scene.rules, "trigger_level", 1.0)
        return scene.in_settlement(report.maintenance_margin) * float(level)
    if kind == "maintenance_margin" and scene.fee_is_apart:
        bare = scene.without_fee()
        source = bare.report if whole else bare.position(leg)
    elif kind in ("equity", "margin_balance", "available", "wallet_balance"):
        source = report
        if scene.isolated and scene.legs and kind != "wallet_balance":
            source = position.in_pool
    elif hasattr(position, kind):
        source = report if whole and hasattr(report, kind) else position
    else:
        raise NotUnderstoodError(f"figure {kind!r} is not one of this account")
    amount = float(getattr(source, kind))
    return amount if part.unit in DOLLAR_UNITS else scene.in_settlement(amount, leg)


def _require_collateral(scene: Scene, leg: int) -> None:
    one = scene.legs[leg]
    known = scene.wallet is not None
    if scene.isolated:
        known = known or one.margin is not None or one.leverage is not None
    if not known:
        raise NotUnderstoodError("the collateral is not among the inputs")
