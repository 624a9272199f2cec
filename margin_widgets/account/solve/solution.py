"""What to change so that a goal is met: numbers, the sentence that explains them, and the edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from margin_widgets.account.solve.change import Change, changed, write
from margin_widgets.account.solve.goals import Goal

if TYPE_CHECKING:
    from margin_widgets.account.account import Account
    from margin_widgets.account.state import AccountState

_CELL = "padding:2px 10px;border:0;"


class Edit:
    """Changes of an account that can be looked at before they are made."""

    account: Account
    state: AccountState
    changes: tuple[Change, ...]
    reason: str

    @property
    def code(self) -> str:
        """The assignments that do the same, one a line; several belong in one ``edit()``."""
        return "\n".join(change.code for change in self.changes)

    def preview(self) -> Account:
        """Return a copy of the account with the changes made.

        Raises
        ------
        ValueError
            If there is nothing to make, saying why.
        """
        from margin_widgets.account.account import Account

        self._ready()
        return Account.from_state(changed(self.state, self.changes))

    def apply(self) -> None:
        """Make the changes in the account, as one edit that `Account.undo` takes back.

        Raises
        ------
        ValueError
            If there is nothing to make, or the account has changed since.
        """
        self._ready()
        if self.account.state != self.state:
            raise ValueError("the account has changed since this was found; find it again")
        write(self.account, self.changes)

    def _ready(self) -> None:
        if self.reason:
            raise ValueError(self.reason)
        if not self.changes:
            raise ValueError("there is nothing to change")


@dataclass(frozen=True)
class Need:
    """What one pool needs of the quantity asked for.

    Attributes
    ----------
    name : str
        Key of a position, or the asset of the wallet.
    unit : str
    present, needed : float
    met : bool
        Whether the goal is met with what there is.
    """

    name: str
    unit: str
    present: float
    needed: float
    met: bool


@dataclass(frozen=True, eq=False)
class Solution(Edit):
    """What to change of one quantity, in one margin mode, so that a goal is just met.

    Attributes
    ----------
    account : Account
    goal : Survive, KeepRatio or LiquidationAt
    quantity : {"collateral", "margin", "size", "leverage"}
    mode : {"isolated", "cross"}
    needs : tuple of Need
        One per position in isolated, one per pool in cross.
    changes : tuple of Change
        Fields with what they are and what they are to be; empty if there is no solution, or
        nothing to change.
    total : float or None
        Collateral or margin needed in all, in the account's currency.
    met : bool
        Whether the goal is met as things are; the changes then go to its limit.
    text : str
        The sentence that explains it.
    reason : str
        Why there is none; empty if there is.
    """

    account: Account = field(repr=False)
    goal: Goal
    quantity: str
    mode: str
    needs: tuple[Need, ...] = ()
    changes: tuple[Change, ...] = ()
    total: float | None = None
    met: bool = False
    text: str = ""
    reason: str = ""
    state: AccountState = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", self.account.state)

    @property
    def found(self) -> bool:
        """Whether there is a solution."""
        return not self.reason

    @property
    def unit(self) -> str:
        """Unit of the quantity: an asset, a coin, contracts or ×; several where they differ."""
        return ", ".join(dict.fromkeys(need.unit for need in self.needs))

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return solution_html(self)


def solution_html(solution: Solution) -> str:
    """The sentence and the changes as plain HTML."""
    rows = "".join(
        f'<tr><th style="{_CELL}text-align:left">{escape(one.label)}</th>'
        + "".join(
            f'<td style="{_CELL}text-align:right">{escape(text)}</td>'
            for text in (one.shown(one.before), one.shown(one.after))
        )
        + f'<td style="{_CELL}">{escape("" if one.unit == "×" else one.unit)}</td></tr>'
        for one in solution.changes
    )
    head = f'<tr><th></th><th style="{_CELL}">now</th><th style="{_CELL}">needed</th><th></th></tr>'
    table = (
        f'<table style="border-collapse:collapse;font-variant-numeric:tabular-nums;color:inherit;'
        f'font-size:inherit"><thead>{head}</thead><tbody>{rows}</tbody></table>'
        if rows
        else ""
    )
    return f"<div><p><b>{solution.mode}</b>: {escape(solution.text)}</p>{table}</div>"
