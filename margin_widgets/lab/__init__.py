"""What the JupyterLab extension asks of a kernel: desks for documents, accounts of a notebook."""

from __future__ import annotations

from margin_widgets.lab.desk import Desk, open_document
from margin_widgets.lab.notebook import (
    Told,
    account_code,
    accounts,
    close_account,
    open_account,
)
from margin_widgets.lab.options import Options

__all__ = [
    "Desk",
    "Options",
    "Told",
    "account_code",
    "accounts",
    "close_account",
    "open_account",
    "open_document",
]
