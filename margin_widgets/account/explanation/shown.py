"""How figures are called and printed, and what printing rounds."""

from __future__ import annotations

from typing import NamedTuple

from margin_widgets.account import formatting as fmt
from margin_widgets.venues import Contract

LABELS = {
    "equity": "equity",
    "margin_balance": "margin balance",
    "wallet_balance": "wallet balance",
    "unrealized_pnl": "unrealised PnL",
    "initial_margin": "initial margin",
    "maintenance_margin": "maintenance margin",
    "available": "available balance",
    "margin_ratio": "margin ratio",
    "effective_leverage": "effective leverage",
    "collateral_utilization": "collateral utilisation",
    "liquidation_shock": "liquidation shock",
    "liquidation_shocks": "liquidation shocks",
    "worst_loss": "worst loss",
    "status": "status",
    "notional": "notional",
    "margin": "margin",
    "liquidation_price": "liquidation price",
    "liquidation_prices": "liquidation prices",
    "bankruptcy_price": "bankruptcy price",
    "distance": "distance to liquidation",
    "mark": "mark price",
    "idle": "idle collateral",
    "pool": "pool",
    "condition": "condition of the liquidation price",
}
"""Names of figures as they are printed."""

EXACT = "every step carries about 16 digits"


class Shown(NamedTuple):
    """A value as printed, and what was rounded for it."""

    text: str
    rounding: str = EXACT


def show_amount(value: float, currency: str) -> Shown:
    """Show an amount."""
    return Shown(f"{fmt.amount(value)} {currency}", f"{EXACT}; shown to 0.01")


def show_multiple(value: float | None, *, none: str) -> Shown:
    """Show a leverage."""
    text = none if value is None else f"{fmt.amount(value)}×"
    return Shown(text, f"{EXACT}; shown to 0.01")


def show_share(value: float | None, *, none: str, sign: bool = False) -> Shown:
    """Show a fraction, or with its sign a relative move."""
    text = none if value is None else fmt.percent(value, sign=sign)
    return Shown(text, f"{EXACT}; shown to 0.01 %")


def price_unit(contract: Contract) -> str:
    """What prices of a contract are in: the quote currency, or the coin an option pays in."""
    return str(contract.settle if contract.is_option else contract.quote)


def show_price(value: float | None, contract: Contract, *, none: str) -> Shown:
    """Show a price of a contract."""
    if value is None:
        return Shown(none)
    decimals = fmt.price_decimals(value, contract.tick)
    tick = f", the decimals of the tick {fmt.plain(contract.tick)}" if contract.tick else ""
    return Shown(
        f"{fmt.price(value, contract.tick)} {price_unit(contract)}",
        f"{EXACT}; shown to the nearest {10.0**-decimals:.{decimals}f}{tick}",
    )
