"""Recorded prices for a widget that shows nothing without any, for tests that show every widget."""

from __future__ import annotations

from typing import Any

import pandas as pd

import margin_widgets as mw
from margin_widgets.account.collateral_stress import stressed_assets

DAYS = pd.date_range("2023-03-10", periods=6)
DIP = (1.0, 0.97, 0.86, 0.9, 0.95, 1.0)


def window(account: mw.Account) -> pd.Series[float] | None:
    """A dip of the asset that most of the account's collateral is in; None if all is cash."""
    assets = stressed_assets(account)
    if not assets:
        return None
    price = account.asset_price(assets[0])
    return pd.Series([price * share for share in DIP], index=DAYS, name=assets[0])


def depeg(account: mw.Account, selection: mw.Selection | None = None, **arguments: Any) -> Any:
    """The widget of that window."""
    return mw.DepegPlot(account, selection, prices=window(account), **arguments)
