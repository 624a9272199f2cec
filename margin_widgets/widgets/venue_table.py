"""The same account under many rule sets, as a table from which one of them can be taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from traitlets import Bool, List, TraitError, Unicode, validate

from margin_widgets import venues as rule_sets
from margin_widgets.account import formatting as fmt
from margin_widgets.account.under import Tiers
from margin_widgets.account.venue_rows import (
    MOST_REASONS,
    VenueRow,
    VenueRows,
    ratio_text,
    use_rules,
    venue_rows,
)
from margin_widgets.venues import RuleSet
from margin_widgets.venues.rules import did_you_mean
from margin_widgets.widgets.editing import guarded
from margin_widgets.widgets.explanation_box import ExplanationBox
from margin_widgets.widgets.frontend import Styled
from margin_widgets.widgets.markup import button, figure
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.static_twin import StaticTwin

if TYPE_CHECKING:
    from margin_widgets.account import Account
    from margin_widgets.account.books import Books

_BLANK = "generic"
"""The rule set that comes without any tiers, to be filled: it holds no account as it is."""
_MOST = 20
"""Reasons, and assumptions, that open on demand; of more the rest is counted."""
_COLUMNS = (
    "Rules",
    "Mode",
    "Equity",
    "Initial margin",
    "Maint. margin",
    "Margin ratio",
    "Own ratio",
    "Liq. shock",
)


class VenueTable(StaticTwin):
    """The account under several venues' rules, isolated and cross, and why where it cannot be held.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; the selected position is the one whose liquidation price shows.
    venues : iterable of str or RuleSet, optional
        What can be chosen; all that come with the package if not given.
    active : bool
        Whether it follows edits from the start.

    Attributes
    ----------
    chosen : list of str
        Names of the rule sets that are shown, beside the account's own.
    keep_tiers : bool
        Whether contracts that a rule set has no tiers for keep the present ones.
    rows : VenueRows
        What is on display.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> table = mw.VenueTable(mw.presets.ref2(), venues=["binance-usdm", "okx"])
    >>> print(" ".join(table.rows.sentence().split()))  # doctest: +NORMALIZE_WHITESPACE
    If all marks move together, isolated is liquidated first by generic (−9.09 %) and last by
    binance-usdm (−9.64 %); cross is liquidated first by generic (−13.73 %) and last by
    binance-usdm (−13.94 %). 1 of 3 rule sets cannot hold this account.
    >>> table.close()
    """

    active = Bool(True, help="whether the table follows edits; it catches up when set")
    chosen: Any = List(Unicode(), help="names of the rule sets that are shown")
    keep_tiers = Bool(False, help="whether the present tiers are kept where a rule set has none")

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        venues: Iterable[str | RuleSet] | None = None,
        active: bool = True,
    ) -> None:
        self.account = account
        self.selection = selection or Selection()
        self._choices = _choices(venues)
        self.rows = VenueRows(account, ())
        self._groups: tuple[tuple[VenueRow, ...], ...] = ()
        self._books: Books | None = None
        self._controls = Styled(label="Which rule sets are compared")
        self._message = Styled(live=True)
        self._sentence = Styled(label="What the venues make of the account", live=True)
        self.view = Styled(label="The account under each rule set")
        self.explanation = ExplanationBox()
        parts = [self._controls, self._message, self._sentence, self.view, self.explanation]
        super().__init__(parts)
        self.add_class("mw-panel")
        self.active = active
        self.chosen = list(self._choices)
        for one in parts:
            one.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self._on_revision, "revision")
        self.follow(self.selection, self._on_key, "key")
        for name in ("active", "chosen", "keep_tiers"):
            self.follow(self, self.update, name)
        self.update()

    @validate("chosen")
    def _known(self, proposal: Any) -> Any:
        for name in proposal.value:
            if name not in self._choices:
                hint = did_you_mean(name, self._choices)
                raise TraitError(f"chosen: {name!r} is not one of the rule sets here{hint}")
        return [name for name in self._choices if name in proposal.value]

    @property
    def tiers(self) -> Tiers:
        """What contracts get for which a rule set has no tiers."""
        return "keep" if self.keep_tiers else None

    # -- out ----------------------------------------------------------------------------------

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        if not self.active:
            return
        self.rows = self._under_all()
        self._groups, self._books = self.rows.by_rules, self.account.books
        self._show()

    def _under_all(self) -> VenueRows:
        own = self.account.venue
        others = [self._choices[name] for name in self.chosen]
        wanted = [own, *(rules for rules in others if rules != own)]
        return venue_rows(self.account, wanted, tiers=self.tiers)

    def _show(self) -> None:
        self._controls.html = self._controls_html()
        self._sentence.html = f'<p class="mw-caption">{escape(self.rows.sentence())}</p>'
        self.view.html = self._table_html()

    def _on_revision(self, change: Any) -> None:
        self._message.html = ""
        self.explanation.hide()
        self.update()

    def _on_key(self, change: Any) -> None:
        # Where the selection follows an edit, the rows of before the edit are not shown again.
        if self.active and self._books is self.account.books:
            self._show()

    @property
    def position(self) -> int | None:
        """Number of the position whose liquidation price is shown; None without positions."""
        places = self.account.books.places
        return places.get(self.selection.key, 0) if places else None

    def _controls_html(self) -> str:
        own = self.account.venue
        boxes = "".join(
            _checkbox(f"venue:{name}", rules.name, name in self.chosen)
            for name, rules in self._choices.items()
            if rules != own
        )
        keys = self.account.books.keys
        options = "".join(
            f'<option value="{escape(key)}"{" selected" if number == self.position else ""}>'
            f"{escape(key)}</option>"
            for number, key in enumerate(keys)
        )
        choice = (
            f'<label>Liquidation price of <select data-action="position" data-key="position">'
            f"{options}</select></label>"
            if len(keys) > 1
            else ""
        )
        keep = _checkbox(
            "keep-tiers", "Keep the present tiers where a rule set has none", self.keep_tiers
        )
        return (
            '<div class="mw-bar"><h3 class="mw-heading">The same account under other rules</h3>'
            f'<span class="mw-spacer"></span>{choice}'
            f"{button('Undo', 'undo', enabled=self.account.can_undo, title='Ctrl+Z')}</div>"
            '<fieldset class="mw-row" style="border:0;margin:8px 0 0;padding:0;min-width:0">'
            f'<legend class="mw-sr">Rule sets</legend>{boxes}'
            f"{button('All', 'all')}{button('None', 'none')}</fieldset>"
            f'<div class="mw-row">{keep}</div>'
        )

    def _table_html(self) -> str:
        head = "".join(
            f'<th scope="col" role="columnheader"{"" if n < 2 else _RIGHT}>{escape(title)}</th>'
            for n, title in enumerate(self._titles())
        )
        bodies = "".join(map(self._group_html, self._groups))
        return (
            '<div class="mw-wide" role="region" tabindex="0" data-key="scroll"'
            ' aria-label="The account under each rule set, scrolls sideways">'
            '<table class="mw-data mw-fold mw-titled" role="table" style="--mw-fold:1">'
            f'<caption class="mw-sr">{escape(self.rows.sentence())}</caption>'
            f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>{bodies}</table></div>'
        )

    def _titles(self) -> tuple[str, ...]:
        number = self.position
        key = "" if number is None else f" {self.account.books.keys[number]}"
        return (*_COLUMNS, f"Liq. price{key}")

    def _place(self, rules: RuleSet) -> int:
        """Number of a rule set, the same in every rendering; -1 for one that is no choice."""
        choices = list(self._choices.values())
        return choices.index(rules) if rules in choices else -1

    def _group_html(self, group: Sequence[VenueRow]) -> str:
        """The rows of one rule set; a reason that holds for all of them is told once."""
        place = self._place(group[0].rules)
        refused = all(row.there is None for row in group)
        same = refused and all(row.reasons == group[0].reasons for row in group)
        shown = group[:1] if same else group
        lines = []
        for n, row in enumerate(shown):
            mode = "both" if same and len(group) > 1 else _mode(row.mode)
            cells = self._cells(place, row)
            cells = (
                f'<td role="cell" class="mw-whole" style="white-space:nowrap">{mode}</td>{cells}'
            )
            if n == 0:
                span = f' rowspan="{len(shown)}"' if len(shown) > 1 else ""
                told = self._rules_html(place, group, refused=refused)
                cells = f'<th scope="rowgroup" role="rowheader"{span}>{told}</th>{cells}'
            lines.append(f'<tr role="row">{cells}</tr>')
        return f'<tbody role="rowgroup" style="vertical-align:top">{"".join(lines)}</tbody>'

    def _rules_html(self, place: int, group: Sequence[VenueRow], *, refused: bool) -> str:
        """What a rule set is: its name, version, ratio and assumptions, and how to take it."""
        rules = group[0].rules
        own = rules == self.account.venue
        label = " · ".join(part for part in (f"v{rules.version}", rules.date) if part)
        lines = [f"{escape(label)} · {escape(rules.currency)}"]
        if not refused:
            lines.append(escape(group[0].sense))
        notes = next((row.notes for row in group if row.notes), ())
        if notes:
            entries = "".join(f"<div>{escape(note)}</div>" for note in notes[:_MOST])
            entries += f"<div>and {len(notes) - _MOST} more</div>" if len(notes) > _MOST else ""
            count = f"{len(notes)} assumption{'' if len(notes) == 1 else 's'}"
            lines.append(
                f'<details data-key="notes {escape(rules.name)}"><summary>{count}</summary>'
                f"{entries}</details>"
            )
        why = "" if own else self.rows.blocked[rules]
        if why and not refused:
            lines.append(f"Not to be used as it is: {escape(why)}")
        use = self._use_html(place, rules, why)
        more = "".join(f'<div class="mw-caption">{one}</div>' for one in lines)
        return (
            '<div class="mw-rules"><div class="mw-row">'
            f'<b>{escape(rules.name)}</b><span class="mw-spacer"></span>{use}</div>{more}</div>'
        )

    def _use_html(self, place: int, rules: RuleSet, why: str) -> str:
        own, name = rules == self.account.venue, escape(rules.name)
        label = "In use" if own else "Use these rules"
        hint = escape("the present rules" if own else why or f"table.use({rules.name!r}), one edit")
        off = ' aria-disabled="true"' if own or why else ""
        # The key is the name, so that the focus finds the rules again once they are in use.
        return (
            f'<button class="mw-button" data-action="use:{place}" data-key="use {name}"{off}'
            f' title="{hint}" aria-label="{label}: {name}">{label}</button>'
        )

    def _cells(self, place: int, row: VenueRow) -> str:
        report = row.report
        if report is None:
            span = len(_COLUMNS) - 1
            return f'<td role="cell" class="mw-whole" colspan="{span}">{_reasons_html(row)}</td>'
        mode, number = row.mode, self.position
        cells = [
            _explained(place, fmt.amount(getattr(report, name)), f"{mode}.{name}")
            for name in ("equity", "initial_margin", "maintenance_margin")
        ]
        cells.append(_explained(place, ratio_text(report), f"{mode}.margin_ratio"))
        cells.append(escape(row.own_ratio_text))
        cells.append(_explained(place, row.shock_text, f"{mode}.liquidation_shock"))
        if number is None:
            cells.append(fmt.NO_VALUE)
        else:
            key = report.books.keys[number]
            path = f"{mode}.positions.{key}.liquidation_price"
            cells.append(_explained(place, row.price_text(number), path))
        return "".join(
            f'<td role="cell" class="mw-right" data-title="{escape(title)}">{one}</td>'
            for title, one in zip(self._titles()[2:], cells, strict=True)
        )

    def static_html(self) -> str:
        """The rows as a static table."""
        rows = self.rows if self.active else self._under_all()
        return rows.html(self.position)

    # -- in -----------------------------------------------------------------------------------

    def use(self, name: str | RuleSet) -> None:
        """Make a rule set the account's, as one edit that can be undone.

        Raises
        ------
        CannotExpress
            If it cannot hold the account.
        """
        rules = self._choices.get(name, name) if isinstance(name, str) else name
        key = self.selection.key
        held = self.account.positions[key].id if key in self.account.positions else ""
        notes = use_rules(self.account, rules, tiers=self.tiers)
        position = self.account.positions.by_id(held)
        if position is not None:
            self.selection.key = position.key
        label = self.account.venue.label
        more = f"; and {len(notes) - MOST_REASONS} more" if len(notes) > MOST_REASONS else ""
        told = f": {'; '.join(notes[:MOST_REASONS])}{more}" if notes else "."
        said = f"Now under {label}{told}"
        self._message.html = f'<p class="mw-note-line">{escape(said)}</p>'

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind in ("undo", "redo"):
            getattr(self.account, kind)()
        elif kind == "explain":
            place, _, path = str(message["path"]).partition(" ")
            self._explain(int(place), path)
        elif kind == "action":
            self._act(str(message["action"]), message.get("value"))

    def _explain(self, place: int, path: str) -> None:
        """Explain a figure under a rule set, if it still holds the account."""
        mode = path.partition(".")[0]
        for row in self.rows.rows:
            if row.there and row.mode == mode and self._place(row.rules) == place:
                called = self.rows.called(row.rules)
                self.explanation.show(row.there, path, called, f"{place} {path}")

    def _act(self, action: str, value: Any) -> None:
        name, _, which = action.partition(":")
        if name == "venue":
            self.chosen = [*self.chosen, which] if value else _without(self.chosen, which)
        elif name == "use":
            self.use(list(self._choices.values())[int(which)])
        elif action in ("all", "none"):
            self.chosen = list(self._choices) if action == "all" else []
        elif action == "keep-tiers":
            self.keep_tiers = bool(value)
        elif action == "position":
            self.selection.key = str(value)
        elif action == "hide-explanation":
            self.explanation.hide()
        elif action in ("undo", "redo"):
            getattr(self.account, action)()

    def _tell(self, message: str) -> None:
        self._message.html = f'<p class="mw-error">{escape(message)}</p>'


_RIGHT = ' class="mw-right"'


def _choices(venues: Iterable[str | RuleSet] | None) -> dict[str, RuleSet]:
    """Rule sets that can be chosen, by a name each."""
    if venues is None:
        venues = [name for name in rule_sets.names() if name != _BLANK]
    found: dict[str, RuleSet] = {}
    for one in venues:
        rules = one if isinstance(one, RuleSet) else rule_sets.get(one)
        found[rules.name if rules.name not in found else rules.label] = rules
    return found


def _checkbox(action: str, label: str, checked: bool) -> str:
    on = " checked" if checked else ""
    return (
        '<label style="display:inline-flex;align-items:center;gap:4px">'
        f'<input type="checkbox" data-action="{escape(action)}" data-key="{escape(action)}"{on}>'
        f"{escape(label)}</label>"
    )


def _mode(mode: str) -> str:
    return f'<span class="mw-mode-{escape(mode)}">{escape(mode)}</span>'


def _explained(place: int, text: str, path: str) -> str:
    """A number that opens its explanation, under the rules of a place."""
    return figure(text, f"{place} {path}")


def _reasons_html(row: VenueRow) -> str:
    reasons = [f"{where}: {why}" for where, why in row.reasons]
    if len(reasons) <= MOST_REASONS:
        return escape("; ".join(reasons))
    told = reasons[1 : _MOST + 1]
    entries = "".join(f"<div>{escape(one)}</div>" for one in told)
    rest = len(reasons) - 1 - len(told)
    entries += f"<div>and {rest} more</div>" if rest else ""
    return (
        f'{escape(reasons[0])}<details data-key="reasons {escape(row.rules.label)} {row.mode}">'
        f"<summary>and {len(reasons) - 1} more reasons</summary>{entries}</details>"
    )


def _without(names: Sequence[str], name: str) -> list[str]:
    return [one for one in names if one != name]
