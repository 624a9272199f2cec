"""The judge as the tests use it; see `judge/`, where each part has a file."""

from judge.book import Book, Leg, Marks
from judge.decimals import banded, exact
from judge.pools import (
    Path,
    Pool,
    account_scale,
    bankruptcies,
    equity,
    excess,
    fallen,
    is_curved,
    leg_maintenance,
    margin_balance,
    market_value,
    net_assets,
    partition,
    price_path,
    requirement,
    scale,
    shock_path,
    triggers,
)
from judge.report import (
    Figures,
    closing,
    collateral_to_survive,
    report,
    through,
)
from judge.roots import nearer

__all__ = [
    "Book",
    "Figures",
    "Leg",
    "Marks",
    "Path",
    "Pool",
    "account_scale",
    "banded",
    "bankruptcies",
    "closing",
    "collateral_to_survive",
    "equity",
    "exact",
    "excess",
    "fallen",
    "is_curved",
    "leg_maintenance",
    "margin_balance",
    "market_value",
    "nearer",
    "net_assets",
    "partition",
    "price_path",
    "report",
    "requirement",
    "scale",
    "shock_path",
    "through",
    "triggers",
]
