"""What is known of how each exchange computes the figures that it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import margin_widgets as mw

ENTRY = {"maintenance_at": "entry"}
FEE_AT_MARK = {"closing_fee_in_maintenance": True}
BYBIT = {
    **ENTRY,
    "closing_fee_in_maintenance": True,
    "closing_fee_in_initial": True,
    "closing_fee_at": "bankruptcy",
}


@dataclass(frozen=True)
class Profile:
    """How an exchange reports.

    Parameters
    ----------
    linear, inverse : str
        Rule sets that are to give its figures.
    settings : mapping
        The same from parts, as long as there is no such rule set.
    fee : float
        Closing fee in maintenance where the payload states none.
    initial_at : {"mark", "entry", "mode"}, optional
        Price of the reported initial margin: "mode" is at entry if isolated, at mark if cross.
        None: not published.
    margin_with_profit : bool
        Whether the reported isolated margin holds the unrealised profit.
    margin_of : {"payload", "leverage"}
        Whether the margin of an isolated position is what is reported, or follows from the
        leverage because what is reported holds other things (MEXC: the fee of opening).
    maintenance_is_input : bool
        Whether the reported maintenance is the amount that the venue itself subtracts: it holds
        things that no rate gives (BitMEX: commission and funding).
    rounds : bool
        Whether liquidation prices are rounded to the tick towards the entry.
    bankruptcy_after_fee : bool
        Whether the collateral of a cross position pays the fee of closing at the bankruptcy price.
    whole_units : bool
        Whether each contract is worth a whole number of the smallest unit.
    cross : bool
        Whether the form of its cross liquidation price is known.
    known : bool
        Whether anything is: without, the plain form is tried.
    ticks : mapping of symbol to float
        Published price steps.
    """

    linear: str = "generic"
    inverse: str = "generic"
    settings: Mapping[str, Any] = field(default_factory=dict)
    fee: float = 0.0
    initial_at: Literal["mark", "entry", "mode"] | None = None
    margin_with_profit: bool = False
    margin_of: Literal["payload", "leverage"] = "payload"
    maintenance_is_input: bool = False
    rounds: bool = False
    bankruptcy_after_fee: bool = False
    whole_units: bool = False
    cross: bool = True
    known: bool = True
    ticks: Mapping[str, float] = field(default_factory=dict)

    @property
    def bankruptcy_towards(self) -> bool:
        """Whether its rule set rounds bankruptcy prices towards the entry; else away from it."""
        return mw.venues.get(self.linear).bankruptcy_rounding == "towards entry"


PROFILES: Mapping[str, Profile] = {
    "binance": Profile("binance-usdm", "binance-coinm", initial_at="mark"),
    "aster": Profile("binance-usdm", initial_at="mark", margin_with_profit=True),
    "okx": Profile("okx", "okx", FEE_AT_MARK, fee=0.0005, initial_at="mode"),
    "blofin": Profile(settings=FEE_AT_MARK, fee=0.0006, initial_at="mark"),
    "bybit": Profile(
        "bybit-unified",
        settings=BYBIT,
        fee=0.00055,
        initial_at="entry",
        rounds=True,
        ticks={"BTCUSD": 0.5},
    ),
    "hyperliquid": Profile("hyperliquid", initial_at="mark", margin_with_profit=True),
    "lighter": Profile(),
    "gate": Profile("gate", "gate", FEE_AT_MARK, fee=0.00075),
    "bitget": Profile("bitget", "bitget", FEE_AT_MARK, fee=0.0006, cross=False),
    "phemex": Profile(settings=FEE_AT_MARK, fee=0.0006, bankruptcy_after_fee=True),
    "coinex": Profile(),
    "mexc": Profile(margin_of="leverage"),
    "zb": Profile(),
    "edgex": Profile(),
    "dydx": Profile("dydx-v4"),
    "kucoin": Profile(
        "kucoin", "kucoin", ENTRY, maintenance_is_input=True, rounds=True, initial_at="entry"
    ),
    "bitmex": Profile(
        "bitmex",
        "bitmex",
        ENTRY,
        maintenance_is_input=True,
        rounds=True,
        whole_units=True,
        initial_at="entry",
        ticks={"XBTUSD": 0.5},
    ),
}

ALIASES = {"gateio": "gate", "kucoinfutures": "kucoin", "binanceusdm": "binance"}


def profile(exchange: str) -> Profile:
    """What is known of an exchange; nothing of one that is not listed."""
    name = exchange.lower()
    return PROFILES.get(ALIASES.get(name, name), Profile(known=False))
