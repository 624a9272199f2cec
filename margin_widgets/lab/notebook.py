"""Accounts that live in a notebook's kernel, for the JupyterLab extension to list and open."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ipywidgets import Widget

from margin_widgets.account import Account
from margin_widgets.lab.desk import Desk, close_desk, desk_of

_PLACE = "notebook:"
"""Keeps the paths of desks apart from those of documents."""


def _names() -> dict[str, Any]:
    """What the notebook's cells see."""
    return dict(vars(sys.modules["__main__"]))


def _found(names: dict[str, Any]) -> dict[str, Account]:
    """Each account once, by an expression: its own name, else that of a widget that shows it.

    Names with a leading underscore are left out: IPython keeps outputs under such.
    """
    shown = {name: content for name, content in names.items() if not name.startswith("_")}
    accounts = {name: one for name, one in shown.items() if isinstance(one, Account)}
    for name, one in shown.items():
        account = getattr(one, "account", None) if isinstance(one, Widget) else None
        if isinstance(account, Account):
            accounts[f"{name}.account"] = account
    once: dict[int, str] = {}
    for expression, account in accounts.items():
        once.setdefault(id(account), expression)
    return {expression: accounts[expression] for expression in once.values()}


def _account(expression: str) -> Account:
    found = _found(_names())
    if expression not in found:
        raise KeyError(f"no account {expression!r} in this notebook now")
    return found[expression]


def accounts() -> list[dict[str, str]]:
    """List the accounts that a notebook's names reach.

    Returns
    -------
    list of dict
        ``expression``, ``title`` and a ``summary`` in one line.
    """
    found = _found(_names())
    return [
        {"expression": expression, "title": str(account.name), "summary": repr(account)}
        for expression, account in found.items()
    ]


def open_account(expression: str, options: Mapping[str, Any] | None = None) -> Desk:
    """Return a desk on an account of the notebook; edits from either side show on both.

    Options are those of `Options`. How numbers are written is the notebook's own affair.

    Raises
    ------
    KeyError
        If the notebook has no such account now.
    """
    shown = {name: one for name, one in (options or {}).items() if name != "number_format"}
    return desk_of(_account(expression), _PLACE + expression, shown)


def close_account(expression: str) -> None:
    """Free the desk of an account; the account is the notebook's and stays."""
    close_desk(_PLACE + expression)


def account_code(text: str) -> str:
    """Return Python code that builds the account of a document."""
    from margin_widgets.account.document import loads

    return loads(text).to_python()


class Told:
    """Plain data on its way to the extension."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"application/json": {"value": self.value}, "text/plain": repr(self.value)}
