"""One account under many venues' rules, as one table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from traitlets import TraitError

from margin_widgets.account.books import MODES
from margin_widgets.account.under import Tiers
from margin_widgets.account.venue_rows import VenueRow, reasons_text, venue_rows
from margin_widgets.venues import RuleSet
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

_MODES = (*MODES, "portfolio")

FIGURES = (
    "equity",
    "margin_balance",
    "initial_margin",
    "maintenance_margin",
    "margin_ratio",
    "liquidation_shock",
    "worst_loss",
)


def compare_venues(
    account: Account,
    venues: Iterable[str | RuleSet] | None = None,
    *,
    tiers: Tiers = None,
    modes: Iterable[str] = ("isolated", "cross"),
) -> pd.DataFrame:
    """Put an account under several rule sets and every margin mode: one row each.

    Parameters
    ----------
    account : Account
        Stays as it is.
    venues : iterable of str or RuleSet, optional
        All that come with the package if not given, after the account's own rules.
    tiers : mapping of symbol to tiers, or "keep"
        For contracts that a rule set has no tiers for, as in `Account.under`.
    modes : iterable of str
        Under ``"configured"`` each position keeps its own mode, else all are held in that one.

    Returns
    -------
    DataFrame
        Index: venue (name, version, date) and mode. Amounts are in `currency`, which the rule set
        decides. `margin_ratio` is maintenance margin over margin balance for every venue;
        `venue_ratio` is the venue's own, of the pool nearest to liquidation by it, and
        `venue_ratio_is` says what it is made of. One column ``liquidation_price <key>`` per
        position of `account`. Where a venue cannot hold the account, `cannot_express` says why,
        and the numbers are NaN; `assumed` says what was assumed where it can.

    Raises
    ------
    TraitError
        If there is no such rule set or mode.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> frame = compare_venues(presets.ref2(), ["binance-usdm"])
    >>> frame.index.names, len(frame)
    (FrozenList(['venue', 'mode']), 2)
    """
    import pandas as pd

    wanted, rows, index = tuple(modes), [], []
    for mode in wanted:
        if mode not in _MODES:
            raise TraitError(f"modes: {mode!r} is not a margin mode{did_you_mean(mode, _MODES)}")
    for row in venue_rows(account, venues, tiers=tiers, modes=wanted).rows:
        index.append((row.rules.label, row.mode))
        rows.append(_row(account, row))
    keys = [f"liquidation_price {key}" for key in account.books.keys]
    columns = ["currency", *FIGURES, "venue_ratio", "venue_ratio_is", *keys]
    frame = pd.DataFrame(rows, columns=[*columns, "cannot_express", "assumed"])
    frame.index = pd.MultiIndex.from_tuples(index, names=("venue", "mode"))
    numbers = [*FIGURES, "venue_ratio", *keys]
    return frame.astype(dict.fromkeys(numbers, float))


def _row(account: Account, row: VenueRow) -> dict[str, Any]:
    rules, report = row.rules, row.report
    found: dict[str, Any] = {
        "currency": rules.currency,
        "venue_ratio_is": rules.margin_ratio_name,
        "cannot_express": reasons_text(row),
        "assumed": "; ".join(row.notes),
    }
    if report is None:
        return found
    prices = zip(account.books.keys, report.positions.values(), strict=True)
    return {
        **found,
        **{name: getattr(report, name) for name in FIGURES},
        "venue_ratio": report.venue_margin_ratio.value,
        **{f"liquidation_price {key}": one.liquidation_price for key, one in prices},
    }
