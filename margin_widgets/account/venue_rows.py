"""One account under many rule sets: what each venue makes of it, or why it cannot hold it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

from traitlets import TraitError

from margin_widgets import venues
from margin_widgets.account import formatting as fmt
from margin_widgets.account.comparison import restore
from margin_widgets.account.report import MarginReport, PositionReport
from margin_widgets.account.under import CannotExpress, Reason, Tiers, restate
from margin_widgets.venues import RuleError, RuleSet

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

MODES = ("isolated", "cross")
MOST_REASONS = 3
"""Reasons that are told where there is room for a line."""


@dataclass(frozen=True, eq=False)
class VenueRow:
    """An account under one rule set, all of it held in one margin mode.

    Attributes
    ----------
    rules : RuleSet
    mode : {"isolated", "cross", "portfolio"} or "configured"
    there : Account or None
        The account under these rules; None where they cannot hold it.
    reasons : tuple of Reason
        Why they cannot.
    """

    rules: RuleSet
    mode: str
    there: Account | None
    reasons: tuple[Reason, ...] = ()

    @property
    def report(self) -> MarginReport | None:
        """The account's figures; None where there are none."""
        if self.there is None:
            return None
        found: MarginReport | None = getattr(self.there, self.mode)
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed on the way."""
        return () if self.there is None else self.there.notes

    @property
    def sense(self) -> str:
        """What the venue's own ratio is made of, which way it goes and where it liquidates."""
        ratio = self.rules.margin_ratio
        level = fmt.percent(ratio.liquidation_at, 0) if ratio.percent else f"{ratio.liquidation_at}"
        way = "falls" if ratio.falls else "rises"
        fraction = f"{ratio.numerator} ÷ {ratio.denominator}"
        return f"{ratio.name} = {fraction}; {way} to liquidation at {level}"

    @property
    def own_ratio_text(self) -> str:
        """The venue's own ratio, as it is shown there."""
        if self.report is None:
            return fmt.NO_VALUE
        reading = self.report.venue_margin_ratio
        if reading.value is None:
            return "no maintenance" if reading.falls else "no balance"
        return (
            fmt.percent(reading.value)
            if reading.convention.percent
            else fmt.plain(reading.value, 2)
        )

    @property
    def shock(self) -> float | None:
        """The common move that liquidates first; 0 if one is not needed."""
        if self.report is None:
            return None
        return 0.0 if self.report.status != "ok" else self.report.liquidation_shock

    @property
    def shock_text(self) -> str:
        """That move in words."""
        if self.report is None:
            return fmt.NO_VALUE
        if self.report.status != "ok":
            return "now"
        return "none" if self.shock is None else fmt.move(self.shock)

    def position(self, number: int) -> PositionReport | None:
        """Figures of a position, by its number in the account; its symbol there may differ."""
        return None if self.report is None else self.report.positions[number]

    def price_text(self, number: int) -> str:
        """The liquidation price of a position, by its number in the account."""
        one = self.position(number)
        if one is None:
            return fmt.NO_VALUE
        books = one.report.books
        tick = books.contracts[int(books.book.symbol[number])].tick
        price = one.liquidation_price
        return "none" if price is None else fmt.price(price, tick)


@dataclass(frozen=True, eq=False)
class VenueRows:
    """One account under several rule sets and margin modes, row by row.

    Attributes
    ----------
    account : Account
    rows : tuple of VenueRow
        Rule set by rule set.
    tiers : mapping of symbol to tiers, or "keep"
        What was given for contracts that a rule set has no tiers for.
    blocked : mapping of RuleSet to text
        Why a rule set cannot be used as it is; empty if it can.
    """

    account: Account
    rows: tuple[VenueRow, ...]
    tiers: Tiers = None
    blocked: Mapping[RuleSet, str] = field(default_factory=dict)

    @cached_property
    def by_rules(self) -> tuple[tuple[VenueRow, ...], ...]:
        """Rows of each rule set: the present ones first, those without any numbers last."""
        groups: dict[RuleSet, list[VenueRow]] = {}
        for row in self.rows:
            groups.setdefault(row.rules, []).append(row)

        def rank(group: Sequence[VenueRow]) -> int:
            if group[0].rules == self.account.venue:
                return 0
            return 1 if any(row.report for row in group) else 2

        return tuple(tuple(group) for group in sorted(groups.values(), key=rank))

    def sentence(self) -> str:
        """Say under which rules liquidation is nearest and farthest; how many cannot hold it."""
        groups = self.by_rules
        if not groups:
            return "No rule set is chosen."
        if not self.account.books.keys:
            return "No positions: no rule set liquidates anything."
        modes = dict.fromkeys(row.mode for row in self.rows)
        told = list(filter(None, map(self._extremes, modes)))
        said = [f"If all marks move together, {'; '.join(told)}."] if told else []
        cannot = sum(all(row.report is None for row in group) for group in groups)
        if cannot:
            every = "It" if len(groups) == 1 else f"{cannot} of {len(groups)} rule sets"
            said.append(f"{every} cannot hold this account.")
        return " ".join(said)

    def called(self, rules: RuleSet) -> str:
        """A rule set in sentences: its name, where no other has the same."""
        alike = [group for group in self.by_rules if group[0].rules.name == rules.name]
        if len(alike) == 1:
            return rules.name
        return "the present rules" if rules == self.account.venue else rules.label

    def _extremes(self, mode: str) -> str:
        """The first and the last to liquidate under a common move of all marks."""
        rows = [row for row in self.rows if row.mode == mode and row.report is not None]
        shocks = [(abs(row.shock), row) for row in rows if row.shock is not None]
        if not rows:
            return ""
        if not shocks:
            return f"{mode} is not liquidated"
        first, last = (choose(shocks, key=lambda one: one[0])[1] for choose in (min, max))
        by = f"by {self.called(first.rules)} ({first.shock_text})"
        never = [self.called(row.rules) for row in rows if row.shock is None]
        if never:
            more = f" and {len(never) - 2} more" if len(never) > 2 else ""
            return f"{mode} is liquidated first {by}, never by {' and '.join(never[:2])}{more}"
        if len(rows) == 1:
            return f"{mode} is liquidated {by}"
        if first.shock_text == last.shock_text:
            return f"{mode} is liquidated at {first.shock_text} by all that can hold it"
        end = f"by {self.called(last.rules)} ({last.shock_text})"
        return f"{mode} is liquidated first {by} and last {end}"

    def html(self, position: int | None = None) -> str:
        """Return the rows as a static HTML table under their sentence.

        Parameters
        ----------
        position : int, optional
            Number of the position whose liquidation price is shown.
        """
        from margin_widgets.account.chart_svg import static_table
        from margin_widgets.account.summary import _BOX, _note

        key = None if position is None else self.account.books.keys[position]
        head = ["rules", "mode", "currency", "equity", "initial margin", "maintenance margin"]
        head += ["margin ratio", "venue's own ratio", "liquidation shock"]
        head += [] if key is None else [f"liquidation price {key}"]
        rows, notes = [], []
        for row in (one for group in self.by_rules for one in group):
            report = row.report
            if report is None:
                notes.append(f"{row.rules.label}, {row.mode}: {reasons_text(row, MOST_REASONS)}")
                continue
            amounts = (report.equity, report.initial_margin, report.maintenance_margin)
            cells = [row.rules.label, row.mode, report.currency, *map(fmt.amount, amounts)]
            cells += [ratio_text(report), f"{row.own_ratio_text} ({row.sense})", row.shock_text]
            rows.append(cells + ([] if position is None else [row.price_text(position)]))
        parts = [f'<p style="{_BOX}">{escape(self.sentence())}</p>']
        parts.append(static_table(head, rows) if rows else "")
        parts += [_note(f"Cannot hold it: {note}.") for note in notes]
        return f'<div style="max-width:80rem;overflow-x:auto">{"".join(parts)}</div>'

    def _repr_html_(self) -> str:
        return self.html()


def venue_rows(
    account: Account,
    rule_sets: Iterable[str | RuleSet] | None = None,
    *,
    tiers: Tiers = None,
    modes: Iterable[str] = MODES,
) -> VenueRows:
    """Put an account under several rule sets and margin modes.

    Parameters
    ----------
    account : Account
        Stays as it is.
    rule_sets : iterable of str or RuleSet, optional
        All that come with the package if not given, after the account's own rules.
    tiers : mapping of symbol to tiers, or "keep"
        For contracts that a rule set has no tiers for, as in `Account.under`.
    modes : iterable of {"isolated", "cross", "portfolio", "configured"}
        Under ``"configured"`` each position keeps its own mode, else all are held in that one.

    Raises
    ------
    TraitError
        If there is no such rule set.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> found = venue_rows(presets.ref2(), ["binance-usdm", "binance-coinm"], modes=["cross"])
    >>> print(" ".join(found.sentence().split()))  # doctest: +NORMALIZE_WHITESPACE
    If all marks move together, cross is liquidated by binance-usdm (−13.94 %). 1 of 2 rule sets
    cannot hold this account.
    """
    wanted, rows = tuple(modes), []
    blocked: dict[RuleSet, str] = {}
    for rules in chosen_rules(account, rule_sets):
        held = _hold(account, rules, tiers, None)
        blocked[rules] = "" if held.there is not None else reasons_text(held, MOST_REASONS)
        rows += [_row(account, rules, tiers, mode, held) for mode in wanted]
    return VenueRows(account, tuple(rows), tiers, blocked)


def chosen_rules(
    account: Account, rule_sets: Iterable[str | RuleSet] | None = None
) -> list[RuleSet]:
    """Rule sets by name; all that come with the package, after the account's own, if none given."""
    if rule_sets is None:
        shipped = [venues.get(name) for name in venues.names()]
        own = account.venue
        return shipped if own in shipped else [own, *shipped]
    try:
        return [one if isinstance(one, RuleSet) else venues.get(one) for one in rule_sets]
    except RuleError as error:
        raise TraitError(str(error)) from error


def use_rules(account: Account, rules: str | RuleSet, *, tiers: Tiers = None) -> tuple[str, ...]:
    """Make the account one under other rules, as one edit that can be undone.

    Positions keep their identity and their margin modes; symbols, sizes and collateral become what
    they are there.

    Returns
    -------
    tuple of str
        What was assumed on the way.

    Raises
    ------
    CannotExpress
        If the rules cannot hold it; the account stays as it is.
    TraitError
        If there is no such rule set.
    """
    there = restate(account, rules, tiers=tiers)
    ids = [row.id for row in account.state.positions]
    rows = zip(there.state.positions, ids, strict=True)
    restore(
        account, there.state.replace(positions=tuple(replace(row, id=one) for row, one in rows))
    )
    return there.notes


def reasons_text(row: VenueRow, most: int | None = None) -> str:
    """Why a rule set cannot hold an account, reason by reason; how many more after `most`."""
    told = [f"{where}: {why}" for where, why in row.reasons[:most]]
    more = len(row.reasons) - len(told)
    return "; ".join(told) + (f"; and {more} more reasons" if more else "")


def ratio_text(report: MarginReport) -> str:
    """Maintenance over margin balance, in words where there is no balance."""
    return "no balance" if report.margin_ratio is None else fmt.percent(report.margin_ratio)


# -- parts --------------------------------------------------------------------------------------


def _hold(account: Account, rules: RuleSet, tiers: Tiers, mode: str | None) -> VenueRow:
    """The account under other rules, or the reasons why not."""
    try:
        same = rules == account.venue and mode is None
        there = account if same else restate(account, rules, tiers=tiers, mode=mode)
    except CannotExpress as refused:
        return VenueRow(rules, mode or "configured", None, refused.reasons)
    return VenueRow(rules, mode or "configured", there)


def _row(account: Account, rules: RuleSet, tiers: Tiers, mode: str, held: VenueRow) -> VenueRow:
    if mode == "configured":
        return held
    # A report of one mode does not ask in which mode positions are held: one account serves all.
    offered = not rules.modes or mode in rules.modes
    # Nor do reasons, unless the mode of a position is one of them.
    own = {row.margin_mode for row in account.state.positions}
    alike = held.there is not None or not rules.modes or own <= {*rules.modes}
    usable = offered and alike and mode in MODES
    row = held if usable else _hold(account, rules, tiers, mode)
    if row.there is not None and mode == "portfolio" and rules.portfolio is None:
        why = Reason("account", f"{rules.name} has no portfolio margin rules")
        return VenueRow(rules, mode, None, (why,))
    return VenueRow(rules, mode, row.there, row.reasons)
