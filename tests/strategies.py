"""Books drawn by hypothesis: a plain dict for the judge and the same account for the package."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from random_accounts import Spec, contract_of, is_an_account, random_account, rules_of

import margin_widgets as mw

# symbol: (kind, multiplier, base, quote, settle, rough price); two symbols of one base on purpose
MARKETS: dict[str, tuple[str, float, str, str, str, float]] = {
    "BTCUSDT": ("linear", 1.0, "BTC", "USDT", "USDT", 6e4),
    "ETHUSDT": ("linear", 1.0, "ETH", "USDT", "USDT", 3e3),
    "XRPUSDT": ("linear", 1.0, "XRP", "USDT", "USDT", 0.5),
    "PEPEUSDT": ("linear", 1000.0, "PEPE", "USDT", "USDT", 1e-3),
    "YFIUSDT": ("linear", 1.0, "YFI", "USDT", "USDT", 4e5),
    "SOLUSDC": ("linear", 1.0, "SOL", "USDC", "USDC", 150.0),
    "BTCUSD": ("inverse", 100.0, "BTC", "USD", "BTC", 6e4),
    "ETHUSD": ("inverse", 10.0, "ETH", "USD", "ETH", 3e3),
    "LTCUSD": ("inverse", 10.0, "LTC", "USD", "LTC", 80.0),
}
ORDER = list(MARKETS)


def figures(low: float, high: float, digits: int = 4) -> st.SearchStrategy[float]:
    """Numbers with a few significant digits, as people type them."""
    return st.floats(low, high, allow_nan=False).map(lambda x: float(f"{x:.{digits}g}"))


@st.composite
def magnitudes(draw: st.DrawFn, low: int, high: int, digits: int = 4) -> float:
    """Numbers spread evenly over powers of ten."""
    power = draw(st.integers(low, high - 1))
    return float(f"{draw(figures(1.0, 9.99, digits))}e{power}")


@st.composite
def rates(draw: st.DrawFn, count: int) -> list[float]:
    """Non-decreasing maintenance rates; equal neighbours occur."""
    rate = draw(st.sampled_from([0.002, 0.004, 0.005, 0.01, 0.02]))
    rows = [rate]
    for _ in range(count - 1):
        rate = min(0.5, round(rate * draw(st.sampled_from([1.0, 1.25, 1.6, 2.0, 2.5])), 5))
        rows.append(rate)
    return rows


@st.composite
def tier_tables(draw: st.DrawFn, notional: float) -> float | list[tuple[float, float]]:
    """A flat rate, or tiers whose floors lie around the notional of the position."""
    count = draw(st.integers(1, 5))
    if count == 1 and draw(st.booleans()):
        return draw(rates(1))[0]
    floors, floor = [0.0], notional * draw(figures(0.1, 1.5, 3))
    for _ in range(count - 1):
        floors.append(float(f"{floor:.3g}"))
        floor = floors[-1] * draw(figures(1.2, 5.0, 2))
    return list(zip(floors, draw(rates(count)), strict=True))


@st.composite
def haircut_tables(draw: st.DrawFn, amount: float) -> float | list[tuple[float, float]]:
    """A flat haircut, or bands by amount around what is held."""
    share = draw(st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.25]))
    count = draw(st.integers(1, 3))
    if count == 1 and draw(st.booleans()):
        return share
    rows, floor = [(0.0, share)], max(abs(amount), 1e-6) * draw(figures(0.1, 1.2, 2))
    for _ in range(count - 1):
        share = min(0.9, round(share + draw(st.sampled_from([0.01, 0.05, 0.2])), 4))
        rows.append((float(f"{floor:.3g}"), share))
        floor = rows[-1][0] * draw(figures(1.2, 4.0, 2))
    return rows


@st.composite
def books(draw: st.DrawFn) -> Spec:
    """A whole account: 1 to 6 positions, one or two legs a symbol, several collateral assets."""
    symbols = draw(st.lists(st.sampled_from(ORDER), min_size=1, max_size=4, unique=True))
    symbols.sort(key=ORDER.index)
    contracts, marks, tiers, positions = {}, {}, {}, []
    gross: dict[str, float] = {}  # notional by settlement asset, in that asset
    currency = draw(st.sampled_from(["USDT", "USDT", "USD"]))
    by_base: dict[str, float] = {}
    for symbol in symbols:
        kind, multiplier, base, quote, settle, rough = MARKETS[symbol]
        contracts[symbol] = {
            "kind": kind,
            "multiplier": multiplier,
            "base": base,
            "quote": quote,
            "settle": settle,
        }
        near = by_base.get(base, rough * draw(figures(0.3, 3.0)))
        mark = float(f"{near * draw(figures(0.98, 1.02)):.6g}")
        by_base[base] = marks[symbol] = mark
        sides = draw(st.sampled_from([(1,), (-1,), (1, -1)]))
        if len(positions) + len(sides) > 6:
            sides = sides[:1]
        worth = draw(magnitudes(1, 7))
        tiers[symbol] = draw(tier_tables(worth if kind == "linear" else worth / mark))
        for side in sides:
            value = worth * draw(figures(0.1, 2.0, 3)) if side != sides[0] else worth
            price = mark if kind == "linear" else 1.0
            quantity = float(f"{value / price / multiplier:.4g}")
            away = draw(st.one_of(figures(0.98, 1.02), figures(0.98, 1.02), figures(0.7, 1.4)))
            entry = float(f"{mark * away:.6g}")
            leverage = draw(st.sampled_from([1, 2, 3, 5, 10, 20, 50]))
            coins = quantity * multiplier
            at_entry = coins * entry if kind == "linear" else coins / entry
            gross[settle] = gross.get(settle, 0.0) + at_entry
            extra = draw(st.one_of(st.none(), figures(0.3, 5.0, 3)))
            margin = None if extra is None else float(f"{at_entry / leverage * extra:.6g}")
            positions.append(
                {
                    "symbol": symbol,
                    "quantity": side * quantity,
                    "entry_price": entry,
                    "leverage": leverage,
                    "margin": margin,
                    "margin_mode": draw(st.sampled_from(["cross", "isolated"])),
                }
            )
    # collateral: the settlement assets, and others with their own price, fixed or followed
    worth_of = {"USDT": 1.0, "USDC": 1.0, "USD": 1.0} | by_base
    total = sum(amount * worth_of[asset] for asset, amount in gross.items())
    prices: dict[str, float] = {}
    if draw(st.booleans()):
        prices["BNB"] = draw(figures(100.0, 900.0))
        worth_of["BNB"] = prices["BNB"]
    if "SOLUSDC" in symbols and draw(st.booleans()):
        prices["USDC"] = draw(figures(0.9, 1.05))
    if "BTC" in by_base and draw(st.integers(0, 4)) == 0:
        prices["BTC"] = by_base["BTC"]
    if draw(st.integers(0, 3)) == 0:  # a symbol without position, only priced
        contracts["DOGEUSDT"] = {
            "kind": "linear",
            "multiplier": 1.0,
            "base": "DOGE",
            "quote": "USDT",
            "settle": "USDT",
        }
        tiers["DOGEUSDT"] = 0.01
        worth_of["DOGE"] = marks["DOGEUSDT"] = draw(figures(0.01, 1.0))
    if currency == "USD" and draw(st.booleans()):
        prices["USDT"] = draw(figures(0.95, 1.02))
    held = set(gross) | {currency}
    held |= set(
        draw(st.lists(st.sampled_from(sorted(set(worth_of) - held) or [currency]), max_size=2))
    )
    collateral = {}
    for asset in sorted(held):
        share = draw(figures(0.01, 1.5, 3))
        if draw(st.integers(0, 5)) == 0:
            share = -share / 4
        collateral[asset] = float(f"{total * share / len(held) / worth_of[asset]:.5g}")
    if draw(st.integers(0, 9)) == 0:
        collateral[draw(st.sampled_from(sorted(held)))] = 0.0
    haircuts = {}
    for asset in sorted(held):
        if draw(st.integers(0, 2)) == 0:
            haircuts[asset] = draw(haircut_tables(collateral[asset]))
    return {
        "currency": currency,
        "contracts": contracts,
        "tiers": tiers,
        "positions": positions,
        "collateral": collateral,
        "marks": marks,
        "prices": prices,
        "haircuts": haircuts,
        "order_margin": draw(st.sampled_from([0.0, 0.0, float(f"{total / 50:.3g}")])),
        "rules": {
            "taker_fee": draw(st.sampled_from([0.0, 0.0004, 0.00055])),
            "closing_fee_in_maintenance": draw(st.booleans()),
            "maintenance_at": draw(st.sampled_from(["mark", "mark", "entry"])),
            "trigger": draw(st.sampled_from(["<=", "<"])),
            "cross_pool": draw(st.sampled_from(["account", "account", "settlement"])),
            "residual": draw(st.sampled_from(["kept", "returned"])),
            "liquidation_fee": draw(st.sampled_from([0.0, 0.005, 0.0125])),
        },
    }


def accounts_under(venue: str) -> st.SearchStrategy[Spec]:
    """Accounts of one to four legs under a shipped rule set, drawn by hypothesis."""
    sources = st.randoms(use_true_random=False)
    return sources.map(lambda source: random_account(source, venue)).filter(is_an_account)


def account(spec: Spec) -> Any:
    """The same book as an account of the package."""
    rules = rule_set(spec)
    return mw.Account(
        venue=rules,
        collateral=spec["collateral"],
        positions=[mw.Position(**position) for position in spec["positions"]],
        marks=spec["marks"],
        prices=spec["prices"],
        # a haircut of the account stands in the place of a weight that falls with the amount
        haircuts={a: h for a, h in spec["haircuts"].items() if a not in rules.imf_factors},
        order_margin=spec["order_margin"],
        as_of=spec.get("as_of", ""),
    )


def rule_set(spec: Spec) -> mw.RuleSet:
    """The venue of a book, with the tables and settings of the book in the place of its own."""
    return mw.venues.get(spec.get("venue", "generic")).replace(
        contracts={symbol: mw.Contract(**parts) for symbol, parts in spec["contracts"].items()},
        tiers=spec["tiers"],
        currency=spec["currency"],
        **spec["rules"],
    )


def spec_of(ours: Any) -> Spec:
    """The plain dict of an account that exists, read from its public parts."""
    rules = ours.venue
    symbols = list(dict.fromkeys([*ours.marks, *(p.symbol for p in ours.positions)]))
    entries = {p.symbol: p.entry_price for p in ours.positions}
    columns = ("symbol", "quantity", "entry_price", "leverage", "margin", "margin_mode")
    return {
        "venue": rules.name,
        "currency": rules.currency,
        "as_of": ours.as_of,
        "contracts": {s: contract_of(rules.contract(s)) for s in symbols},
        "tiers": {s: [row[:2] for row in rules.tiers[s]] for s in symbols if s in rules.tiers},
        "positions": [{c: getattr(p, c) for c in columns} for p in ours.positions],
        "collateral": dict(ours.collateral),
        "marks": entries | dict(ours.marks),
        "prices": dict(ours.prices),
        "haircuts": dict(rules.haircuts) | dict(ours.haircuts),
        "order_margin": ours.order_margin,
        "rules": rules_of(rules, symbols, list(ours.collateral)),
    }
