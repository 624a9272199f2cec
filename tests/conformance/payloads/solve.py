"""From a payload to an account under the exchange's rules, and to the figures that it reports."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import margin_widgets as mw
from margin_widgets.engine import rounding
from tests.conformance.cases import Case
from tests.conformance.families.scene import Leg, Scene, flat_with_amount
from tests.conformance.judge import judge, unit
from tests.conformance.outcome import Answer, Got, NotUnderstoodError
from tests.conformance.payloads.reading import Payload
from tests.conformance.payloads.venues import Profile, profile

ROUND = 1e-4
"""A rate implied by an amount counts if it is this near to one of three digits."""


@dataclass
class Findings:
    """What is collected on the way."""

    figures: dict[str, Got] = field(default_factory=dict)
    expected: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    slack: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def leave(self, name: str, wanted: Any, reason: str) -> None:
        """Note a figure that is reported but not determined."""
        self.expected[name] = wanted
        self.missing[name] = reason

    def compare(self, name: str, wanted: Any, got: Got, slack: float = 0.0) -> None:
        """Note a figure to be compared."""
        self.expected[name] = wanted
        self.figures[name] = got
        self.slack[name] = slack


def solve(case: Case) -> Answer:
    """Figures of a payload."""
    payload = Payload(case)
    if payload.number("quantity") == 0:
        return _flat(payload)
    known = profile(case.venue)
    entry, mark, source = payload.prices
    if entry is None or mark is None:
        raise NotUnderstoodError("the payload has neither an entry nor a mark price")
    venue = known.inverse if payload.inverse else known.linear
    found = Findings()
    scene = _unfunded(payload, known, venue, entry, mark)
    _profit_and_value(payload, known, scene, source, found)
    scene, rate_known = _with_rate(payload, known, scene, found)
    scene, funded = _with_collateral(payload, known, scene, rate_known=rate_known, found=found)
    _initial(payload, known, scene, found)
    _maintenance(payload, known, scene, found, rate_known=rate_known)
    if not rate_known:
        lacking = "no maintenance rate follows from the payload"
        funded = f"{lacking}, and {funded}" if funded else lacking
    _prices(payload, known, scene, found, funded=funded)
    _ratio(payload, scene, found, funded=funded)
    tick = scene.tick
    return Answer(
        figures=found.figures,
        through=scene.name,
        reference=mark,
        tick=tick,
        missing=found.missing,
        slack=found.slack,
        expected=found.expected,
        remark="; ".join(found.remarks),
    )


def _flat(payload: Payload) -> Answer:
    """An empty position: an account without any."""
    account = mw.Account(collateral={"USDT": 1.0})
    report = account.cross
    names = ("initial_margin", "maintenance_margin", "unrealized_pnl")
    stated = {n: payload.number(n) for n in names if payload.number(n) is not None}
    figures: dict[str, Got] = {name: getattr(report, name) for name in stated}
    # Without a position there is no price; no common move of prices liquidates either.
    expected: dict[str, Any] = {**stated, "liquidation_price": None}
    figures["liquidation_price"] = report.liquidation_shock
    return Answer(figures, "Account under generic, cross, without positions", expected=expected)


def _unfunded(payload: Payload, known: Profile, venue: str, entry: float, mark: float) -> Scene:
    """The position under the venue's rules, without rate and collateral yet."""
    if venue not in mw.venues.names():
        venue = "generic"
    settings = dict(known.settings) if venue == "generic" else {}
    fee = payload.number("liq_fee")
    fee = known.fee if fee is None else fee
    fee = fee if payload.noted_fee is None else payload.noted_fee
    settings["taker_fee"] = fee
    tick = payload.tick or known.ticks.get(str(payload.row.get("symbol")))
    leg = Leg(
        "X",
        payload.contracts,
        entry,
        mark,
        leverage=payload.number("leverage"),
        inverse=payload.inverse,
        multiplier=payload.multiplier,
    )
    return Scene((leg,), venue=venue, settings=settings, isolated=payload.isolated, tick=tick)


def _profit_and_value(
    payload: Payload, known: Profile, scene: Scene, source: str, found: Findings
) -> None:
    position = scene.position()
    leg = scene.legs[0]
    slack = payload.slack(leg.entry, leg.mark)
    if known.whole_units:
        slack += abs(payload.contracts) * payload.scale
    profit, notional = payload.amount("unrealized_pnl"), payload.amount("notional")
    if profit is not None and source not in ("unrealized_pnl", "entry_price"):
        got = scene.in_settlement(position.unrealized_pnl)
        more = unit(notional) if notional is not None and source == "notional" else 0.0
        found.compare("unrealized_pnl", profit, got, slack + more)
    if notional is None or source == "notional":
        return
    at_mark = scene.in_settlement(position.notional)
    entered = scene.marked(leg.entry)
    at_entry = entered.in_settlement(entered.position().notional)
    got = min((at_mark, at_entry), key=lambda one: abs(one - abs(notional)))
    in_usd = payload.first(payload.raw, "usdPx")
    if in_usd is not None:
        got *= in_usd
    name, wanted = "notional", abs(notional)
    check = judge(name, wanted, Answer({name: got}, "", slack={name: slack}))
    if check.verdict == "pass" or abs(got / wanted - 1) > 0.05:
        found.compare(name, wanted, got, slack)
    else:
        reason = f"at a price or in a currency that the payload does not state (here {got:.8g})"
        found.leave(name, wanted, reason)


def _with_rate(
    payload: Payload, known: Profile, scene: Scene, found: Findings
) -> tuple[Scene, bool]:
    """Maintenance: the rate that is stated, implied by the reported amount, or noted."""
    leg = scene.legs[0]
    maintenance = payload.amount("maintenance_margin")
    if known.maintenance_is_input and maintenance is not None:
        entered = scene.marked(leg.entry)
        value = entered.in_settlement(entered.position().notional)
        subtracted = payload.first(payload.raw, "posMaint")
        amount = maintenance if subtracted is None else subtracted * payload.scale
        found.remarks.append("maintenance is the amount that the venue reports")
        legs = (replace(leg, tiers=amount / value),)
        return scene.replace(legs=legs, settings={**scene.settings, "taker_fee": 0.0}), True
    rate, where = payload.stated_rate
    if maintenance is None and not payload.isolated:  # the only position of its account
        maintenance = payload.first(payload.account, "riskValue")
    if rate is None and maintenance is not None:
        rate, where = _implied(scene, maintenance), "implied by the reported amount"
        if rate is None:
            found.remarks.append("the reported maintenance is no round share of the value")
    if rate is None:
        rate, where = payload.noted_rate, "noted by the collector"
    if rate is None:
        return scene, False
    found.remarks.append(f"maintenance rate {rate:.6g}, {where}")
    tiers = flat_with_amount(rate, payload.noted_amount)
    return scene.replace(legs=(replace(leg, tiers=tiers),)), True


def _implied(scene: Scene, maintenance: float) -> float | None:
    """The round rate that gives a reported maintenance; None if none is near."""
    probe = scene if not scene.fee_is_apart else scene.without_fee()
    fee = probe.in_settlement(probe.position().maintenance_margin)
    leg = scene.legs[0]
    at_entry = scene.rules.maintenance_at == "entry"
    priced = scene.marked(leg.entry) if at_entry else scene
    value = priced.in_settlement(priced.position().notional)
    rate = (maintenance - fee) / value
    if rate <= 0:
        return None
    rounded = float(f"{rate:.3g}")
    # What the printed digits leave open is no reason against a rate.
    open_ = max(ROUND, unit(maintenance) / abs(maintenance - fee))
    return rounded if abs(rate / rounded - 1) <= min(open_, 10 * ROUND) else None


def _with_collateral(
    payload: Payload, known: Profile, scene: Scene, *, rate_known: bool, found: Findings
) -> tuple[Scene, str]:
    """Collateral, and why it is not known (empty if it is)."""
    leg = scene.legs[0]
    cash = payload.first(payload.raw, "rawUsd")
    if cash is not None and not payload.inverse:
        return _funded(scene, cash + leg.size * leg.entry), ""
    if payload.isolated:
        return _isolated(payload, known, scene)
    if not known.cross:
        return scene, "how the venue computes cross liquidation prices is not published"
    equity = payload.first(
        payload.account,
        "crossAccountValue",
        "accountValue",
        "total_asset_value",
        "equity",
        "totalEquity",
        *(["totalMarginBalance"] if len(payload.account.get("assets") or ()) < 2 else []),
    )
    if equity is not None:
        legs = (leg, *_others(payload, scene))
        return scene.replace(legs=legs, wallet=equity - _profit(scene)), ""
    ratio = payload.number("margin_ratio")
    if ratio is not None and rate_known:
        return _by_ratio(scene, ratio, found)
    bust = payload.number("bankruptcy_price")
    if bust:
        found.remarks.append("collateral backed out of the reported bankruptcy price")
        paying = scene if known.bankruptcy_after_fee else scene.without_fee()
        there = paying.marked(bust)
        loss = -there.in_settlement(there.position().unrealized_pnl)
        fee = there.settings["taker_fee"] * there.in_settlement(there.position().notional)
        return paying.replace(wallet=loss + fee), ""
    return scene, "the wallet behind the position is not in the payload"


def _isolated(payload: Payload, known: Profile, scene: Scene) -> tuple[Scene, str]:
    leg = scene.legs[0]
    margin = payload.amount("isolated_margin_or_collateral")
    posted = payload.first(payload.raw, "posMargin", "isolatedWallet", "pos_margin")
    if posted:
        margin = posted * payload.scale
    if margin is None:
        return scene, "the margin of the position is not in the payload"
    if known.margin_of == "leverage":
        if leg.leverage is None:
            return scene, "the leverage is not in the payload"
        return scene, ""
    if known.margin_with_profit and not posted:
        margin -= _profit(scene)
    if leg.leverage is not None and not known.maintenance_is_input:
        free = scene.without_fee()
        assigned = free.in_settlement(free.position().margin)
        if abs(assigned - margin) <= unit(margin):  # the same, printed to fewer digits
            return scene.replace(wallet=assigned), ""
    return _funded(scene, margin), ""


def _profit(scene: Scene) -> float:
    return scene.in_settlement(scene.account.cross.unrealized_pnl)


def _funded(scene: Scene, wallet: float) -> Scene:
    first = scene.legs[0]
    if not scene.isolated:
        return scene.replace(wallet=wallet)
    return scene.replace(legs=(replace(first, margin=wallet), *scene.legs[1:]), wallet=wallet)


def _others(payload: Payload, scene: Scene) -> list[Leg]:
    """The account's other positions: their notional and maintenance, held at their marks."""
    position = scene.position()
    required = payload.first(payload.account, "crossMaintenanceMarginUsed", "totalMaintMargin")
    if required is None:
        return []
    left = required - position.maintenance_margin
    if left <= 1e-6 * required:
        return []
    gross = payload.first(payload.account, "totalNtlPos") or 0.0
    held = max(gross - position.notional, 2 * left)  # any value above what must be held for it
    return [Leg("OTHERS", 1.0, held, held, tiers=left / held)]


def _by_ratio(scene: Scene, ratio: float, found: Findings) -> tuple[Scene, str]:
    """Collateral with which the account has the printed margin ratio."""
    required = scene.in_settlement(scene.report.maintenance_margin)
    if ratio <= 0 or required <= 0:
        return scene, "the reported margin ratio is not positive"
    equity = required * ratio if ratio > 1 else required / ratio
    digits = len(f"{ratio:.17g}".replace(".", "").strip("0")) if ratio else 0
    digits = min(digits, len(repr(ratio).replace(".", "").strip("0")))
    if digits < 7:
        return scene, f"the margin ratio is printed to {digits} digits, too few for the equity"
    found.remarks.append("collateral backed out of the reported margin ratio")
    return scene.replace(wallet=equity - _profit(scene)), ""


def _initial(payload: Payload, known: Profile, scene: Scene, found: Findings) -> None:
    wanted = payload.amount("initial_margin")
    if wanted is None:
        return
    leg = scene.legs[0]
    if leg.leverage is None:
        found.leave("initial_margin", wanted, "the leverage is not in the payload")
        return
    shares = [wanted * leg.leverage / payload.value(price) for price in (leg.entry, leg.mark)]
    if not any(0.9 < share < 1.12 for share in shares):
        implied = leg.leverage / shares[0]
        reason = f"it is that of leverage {implied:.4g}, the payload says {leg.leverage:g}"
        found.leave("initial_margin", wanted, reason)
        return
    at = known.initial_at
    if at == "mode":
        at = "entry" if payload.isolated else "mark"
    if at is None:
        found.leave("initial_margin", wanted, "how the venue sets it is not published")
        return
    if at == "entry":
        scene = scene.marked(leg.entry)
    if at == "entry" and known.maintenance_is_input:
        initial = payload.first(payload.raw, "posInit")
        wanted = wanted if initial is None else initial * payload.scale
    report = scene.replace(isolated=False, wallet=None).account.cross
    got = scene.in_settlement(float(report.positions[0].initial_margin or 0.0))
    slack = payload.slack(leg.entry, leg.mark) / leg.leverage
    if known.whole_units:
        slack += abs(payload.contracts) * payload.scale / leg.leverage
    found.compare("initial_margin", wanted, got, slack)


def _maintenance(
    payload: Payload, known: Profile, scene: Scene, found: Findings, *, rate_known: bool
) -> None:
    wanted = payload.amount("maintenance_margin")
    if wanted is None:
        return
    if known.maintenance_is_input:
        return
    if not rate_known:
        reason = "no round rate gives it: the payload is rounded, or of different moments"
        found.leave("maintenance_margin", wanted, reason)
        return
    bust = payload.number("bankruptcy_price")
    if bust and not payload.isolated:  # a unified account charges it at the bankruptcy price
        scene = Scene(scene.legs[:1], settings={}).marked(bust)
    elif scene.fee_is_apart:
        scene = scene.without_fee()
    got = scene.in_settlement(float(scene.position().maintenance_margin or 0.0))
    leg = scene.legs[0]
    rate = got / payload.value(leg.mark)
    found.compare("maintenance_margin", wanted, got, rate * payload.slack(leg.entry, leg.mark))


def _prices(
    payload: Payload, known: Profile, scene: Scene, found: Findings, *, funded: str
) -> None:
    """Liquidation and bankruptcy price; `funded` says why they are not determined, if not."""
    wanted = payload.number("liquidation_price") or None
    stated = wanted is not None or payload.states_no_price
    if stated and funded:
        found.leave("liquidation_price", wanted, funded)
    elif stated:
        price = scene.position().liquidation_price
        price = _on_tick(price, known, scene, towards=True)
        _compare_price(known, scene, found, wanted, price)
    bust = payload.number("bankruptcy_price")
    if not bust:
        return
    if not payload.isolated:
        return  # the collateral was backed out of it
    if funded:
        found.leave("bankruptcy_price", bust, funded)
        return
    paid = payload.first(payload.raw, "posInit")
    bare = scene.without_fee()
    if paid is not None:  # the margin without the fee that it reserves
        bare = _funded(bare, paid * payload.scale)
    price = _on_tick(
        bare.position().bankruptcy_price, known, scene, towards=known.bankruptcy_towards
    )
    found.compare("bankruptcy_price", bust, price)


def _compare_price(
    known: Profile, scene: Scene, found: Findings, wanted: float | None, price: Got
) -> None:
    name = "liquidation_price"
    answer = Answer({name: price}, "", reference=scene.legs[0].mark, tick=scene.tick)
    if not known.known and judge(name, wanted, answer).verdict == "fail":
        shown = "none" if price is None else f"{price:.8g}"
        reason = f"how the venue computes it is not published (the plain form gives {shown})"
        found.leave(name, wanted, reason)
        return
    found.compare(name, wanted, price)


def _on_tick(price: Got, known: Profile, scene: Scene, *, towards: bool) -> Got:
    if price is None or not known.rounds or not scene.tick:
        return price
    way: Any = "towards entry" if towards else "away from entry"
    return float(rounding.to_tick(price, scene.tick, way, scene.legs[0].entry))


def _ratio(payload: Payload, scene: Scene, found: Findings, *, funded: str) -> None:
    """The margin ratio of an isolated position; that of a cross one was an input."""
    wanted = payload.number("margin_ratio")
    if wanted is None or not payload.isolated or wanted == 0:
        return
    if funded or not scene.legs[0].tiers:
        found.leave("margin_ratio", wanted, funded or "the maintenance rate is not known")
        return
    got = scene.position().margin_ratio
    if got is not None and wanted > 1:
        got = 1 / got
    leg = scene.legs[0]
    value, margin = payload.value(leg.mark), scene.in_settlement(scene.report.positions[0].margin)
    open_ = (payload.slack(leg.entry, leg.mark) + unit(margin)) / min(value, margin)
    found.compare("margin_ratio", wanted, got, wanted * open_)
