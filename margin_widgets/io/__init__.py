"""Accounts from other people's formats: ccxt's unified structures and pandas tables."""

from margin_widgets.account.frames import (
    from_frame,
    marks_from_frame,
    marks_series,
    positions_frame,
    positions_from_frame,
)
from margin_widgets.io.ccxt import CcxtAccount, CcxtError, ImportNotice, from_ccxt, read_ccxt

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
    "read_ccxt",
]
