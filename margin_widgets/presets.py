"""Accounts to start from; each call gives a new one."""

from __future__ import annotations

from margin_widgets import venues
from margin_widgets.account import Account, Position
from margin_widgets.venues import Contract


def ref2() -> Account:
    """Two long perpetuals on 10,000 USDT: the reference account of the documentation.

    Examples
    --------
    >>> round(ref2().cross.positions["BTCUSDT"].liquidation_price, 2)
    80804.02
    """
    return Account(
        name="REF-2",
        venue=venues.generic(tiers={"BTCUSDT": 0.005, "ETHUSDT": 0.01}),
        collateral={"USDT": 10_000},
        positions=[
            Position("BTCUSDT", quantity=0.5, entry_price=100_000, leverage=10),
            Position("ETHUSDT", quantity=5, entry_price=4_000, leverage=10, margin_mode="isolated"),
        ],
        marks={"BTCUSDT": 100_000, "ETHUSDT": 4_000},
    )


def hedged_pair() -> Account:
    """Long bitcoin against short ether of equal notional: calm in cross, nervous when isolated."""
    return Account(
        name="Hedged pair",
        venue="binance-usdm",
        collateral={"USDT": 8_000},
        positions=[
            Position("BTCUSDT", quantity=0.4, entry_price=100_000, leverage=10),
            Position("ETHUSDT", quantity=-10, entry_price=4_000, leverage=10),
        ],
        marks={"BTCUSDT": 100_000, "ETHUSDT": 4_000},
    )


def bitcoin_on_bitcoin() -> Account:
    """A long bitcoin perpetual on bitcoin collateral: the collateral falls with the position."""
    return Account(
        name="Long BTC on BTC collateral",
        venue="binance-usdm",
        collateral={"BTC": 0.2},
        positions=[Position("BTCUSDT", quantity=0.5, entry_price=100_000, leverage=10)],
        marks={"BTCUSDT": 100_000},
        haircuts={"BTC": 0.05},
    )


def hedged_lp_token() -> Account:
    """A short that hedges an LP token: half of what a full-range pool holds is bitcoin.

    Where bitcoin goes does not matter to the two together, how far it goes does: each way the
    token falls behind what the short takes. In cross margin the token backs the short; isolated,
    the short stands alone on its dollars.

    Examples
    --------
    >>> account = hedged_lp_token()
    >>> round(account.isolated.positions["BTCUSDT"].liquidation_price)
    109562
    """
    return Account(
        name="LP token, hedged",
        venue="binance-usdm",
        collateral={"USDT": 1_000, "BTC-USDT LP": 40},
        prices={"BTC-USDT LP": 500},
        haircuts={"BTC-USDT LP": 0.5},
        positions=[Position("BTCUSDT", quantity=-0.1, entry_price=100_000, leverage=10)],
        marks={"BTCUSDT": 100_000},
    )


def multi_asset() -> Account:
    """Eight positions, long and short, on dollars, bitcoin and ether with haircuts."""
    marks = {
        "BTCUSDT": 98_500.0,
        "ETHUSDT": 3_880.0,
        "SOLUSDT": 212.0,
        "XRPUSDT": 2.31,
        "DOGEUSDT": 0.355,
        "LINKUSDT": 22.4,
        "AVAXUSDT": 41.2,
        "BNBUSDT": 668.0,
    }
    return Account(
        name="Multi-asset book",
        venue="binance-usdm",
        collateral={"USDT": 30_000, "BTC": 0.15, "ETH": 2.0},
        haircuts={"BTC": 0.05, "ETH": 0.05},
        positions=[
            Position("BTCUSDT", 1.2, 97_200, 20),
            Position("ETHUSDT", -15, 3_950, 10),
            Position("SOLUSDT", 180, 205.5, 10, margin_mode="isolated"),
            Position("XRPUSDT", 12_000, 2.4, 5),
            Position("DOGEUSDT", -60_000, 0.34, 10, margin_mode="isolated"),
            Position("LINKUSDT", 700, 23.1, 8),
            Position("AVAXUSDT", -400, 39.8, 8),
            Position("BNBUSDT", 25, 655, 15, margin_mode="isolated"),
        ],
        marks=marks,
    )


def inverse() -> Account:
    """A coin-margined long: profit, loss and collateral all in bitcoin."""
    brackets = [(0, 0.004), (5, 0.005), (10, 0.01), (20, 0.025), (50, 0.05), (100, 0.1)]
    return Account(
        name="Inverse bitcoin",
        venue=venues.get("binance-coinm").replace(
            tiers={"BTCUSD_PERP": brackets},
            contracts={"BTCUSD_PERP": Contract("inverse", 100, "BTC", "USD", "BTC", tick=0.1)},
        ),
        collateral={"BTC": 0.25},
        positions=[Position("BTCUSD_PERP", quantity=500, entry_price=95_000, leverage=5)],
        marks={"BTCUSD_PERP": 100_000},
    )


def exchange_account() -> Account:
    """A recorded Hyperliquid account: two cross longs that no fall of one price liquidates.

    Balance, sizes, entries and marks are those of the exchange's own payload of 5 March 2024, from
    the public test data of ccxt: account value 19,762.48, maintenance 141.58, and no liquidation
    price for either position. Maintenance is half the initial margin at the highest leverage.
    """
    sol, ether = "SOL/USDC:USDC", "ETH/USDC:USDC"
    # The value of the account holds the unrealised profit; the wallet is what remains without it.
    wallet = 19_762.483455 - (89.563507 + 9_734.04)
    return Account(
        name="Hyperliquid account, March 2024",
        venue=venues.generic(
            title="Hyperliquid, two markets",
            date="2024-03-05",
            currency="USDC",
            contracts={
                sol: Contract(base="SOL", quote="USDC", settle="USDC"),
                ether: Contract(base="ETH", quote="USDC", settle="USDC"),
            },
            tiers={sol: [(0, 0.01, 50)], ether: [(0, 0.01, 50)]},
            sources=("Hyperliquid: maintenance = 1 / (2 x highest leverage), 50x for both",),
        ),
        collateral={"USDC": wallet},
        positions=[
            Position(sol, quantity=3.34, entry_price=112.0945, leverage=20),
            Position(ether, quantity=3.6, entry_price=1_100, leverage=20),
        ],
        marks={sol: 138.91, ether: 3_803.9},
    )
