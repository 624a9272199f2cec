"""How far an account is from liquidation in both margin modes, in one short line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from margin_widgets.account import formatting as fmt
from margin_widgets.account.verdict import verdict

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

MODES = ("isolated", "cross")


@dataclass(frozen=True)
class ModeStatus:
    """One margin mode in a few words.

    Attributes
    ----------
    mode : {"isolated", "cross"}
    text : str
        Common move of all marks at which it is liquidated first, signed, or words in its place.
    state : {"stands", "below maintenance", "no liquidation", "empty"}
    """

    mode: str
    text: str
    state: str


@dataclass(frozen=True)
class StatusLine:
    """Both margin modes in a few words each, and in a sentence.

    Attributes
    ----------
    title : str
        Name of the account.
    modes : tuple of ModeStatus
    sentence : str
        The verdict.
    """

    title: str
    modes: tuple[ModeStatus, ...]
    sentence: str

    def to_dict(self) -> dict[str, object]:
        """Return plain data for a front end."""
        return {
            "title": self.title,
            "sentence": self.sentence,
            "modes": [
                {"mode": one.mode, "text": one.text, "state": one.state} for one in self.modes
            ],
        }


def status_line(account: Account) -> StatusLine:
    r"""Say how far all marks can move together before each mode is liquidated first.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> [one.text for one in status_line(presets.ref2()).modes]
    ['−9.09\xa0%', '−13.73\xa0%']
    """
    return StatusLine(
        account.name or "Margin account",
        tuple(_of(account, mode) for mode in MODES),
        verdict(account).text,
    )


def _of(account: Account, mode: str) -> ModeStatus:
    report = getattr(account, mode)
    if not len(report.positions):
        return ModeStatus(mode, "no positions", "empty")
    if report.status != "ok":
        return ModeStatus(mode, str(report.status), "below maintenance")
    shock = report.liquidation_shock
    if shock is None:
        return ModeStatus(mode, "no liquidation", "no liquidation")
    return ModeStatus(mode, fmt.move(shock), "stands")
