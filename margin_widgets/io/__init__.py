"""Accounts from other people's formats: ccxt's unified structures and pandas tables."""

from margin_widgets.account.frames import (
    from_frame,
    marks_from_frame,
    marks_series,
    positions_frame,
    positions_from_frame,
)
from margin_widgets.io.ccxt import CcxtAccount, CcxtError, ImportNotice, from_ccxt, read_ccxt
from margin_widgets.io.price_history import price_history
from margin_widgets.io.tiers import tiers_from_frame

__all__ = [
    "CcxtAccount",
    "CcxtError",
    "ImportNotice",
    "from_ccxt",
    "from_frame",
    "marks_from_frame",
    "marks_series",
    "positions_frame",
    "positions_from_frame",
    "price_history",
    "read_ccxt",
    "tiers_from_frame",
]
