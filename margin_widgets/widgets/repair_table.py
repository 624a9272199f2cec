"""What moves the account away from liquidation, as a table to sort, look at, apply and undo."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from traitlets import Bool, Enum, Float, Instance, Unicode, observe

from margin_widgets.account import Account
from margin_widgets.account import formatting as fmt
from margin_widgets.account.checks import number
from margin_widgets.account.repair import Repair, Repairs, default_amount, repairs
from margin_widgets.widgets.editing import REFUSALS, guarded, reason
from margin_widgets.widgets.explanation_box import ExplanationBox
from margin_widgets.widgets.frontend import Styled
from margin_widgets.widgets.markup import button, figure
from margin_widgets.widgets.parsing import parse_number
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.solve_panel import APART
from margin_widgets.widgets.static_twin import StaticTwin

COLUMNS = {
    "action": "Action",
    "distance": "First liquidation",
    "own": "Its own pool",
    "added": "Adds",
    "fee": "Fee",
    "loss": "Loss realised",
    "cost": "Cost",
}
COSTS = ("added", "fee", "loss", "cost")
SORTS = ("rank", *COLUMNS)
NONE = " mw-none"
"""Of a cell that says nothing: a folded row leaves it out."""
FEW = 12
"""Rows that are listed until all are asked for."""
_EMPTY = "No positions: there is nothing to repair."


class RepairTable(StaticTwin):
    """Actions ranked by the new distance to liquidation and by cost, as the account really stands.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets: ``selection.view`` says along which price distances are measured.

    Attributes
    ----------
    amount : float
        What adding collateral or margin adds, in the account's currency; 0 for a tenth of the
        wallet.
    sort : str
        Column the rows are sorted by; "rank" for the ranking itself.
    descending : bool
    found : Repairs or None
        What can be done; None while there is an error or no position.
    preview : Account or None
        A copy of the account with the action that is looked at; for plots to draw.
    previewed : str
        What is looked at, in words; empty if nothing is.
    error : str
    active : bool
        While False (in a hidden tab) the table does not follow edits; set True it catches up.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> from margin_widgets.widgets.repair_table import RepairTable
    >>> table = RepairTable(mw.presets.ref2())
    >>> [one.title for one in table.rows][:2]
    ['Close ETHUSDT', 'Halve ETHUSDT']
    >>> table.close()
    """

    amount = Float(0.0, help="what adding adds; 0 for a tenth of the wallet")
    sort = Enum(SORTS, default_value="rank", help="column the rows are sorted by")
    descending = Bool(False, help="whether the largest comes first")
    found = Instance(Repairs, allow_none=True, help="what can be done")
    preview = Instance(Account, allow_none=True, help="the account with what is looked at")
    previewed = Unicode("", help="what is looked at, in words")
    error = Unicode("", help="what went wrong")
    active = Bool(True, help="whether the table follows edits; it catches up when set")

    def __init__(
        self, account: Account, selection: Selection | None = None, *, active: bool = True
    ) -> None:
        self.account = account
        self.selection = selection or Selection()
        self._looked = ""  # id of the repair that is previewed
        self._typed: str | None = None
        self._all = False
        self._ready = False
        self._controls = Styled(label="Repair")
        self._status = Styled(label="Repair in words", live=True)
        self._table = Styled(label="Actions by distance to liquidation and cost")
        self.explanation = ExplanationBox()
        parts = [self._controls, self._status, self._table, self.explanation]
        super().__init__(parts)
        self.add_class("mw-panel")
        self.add_class("mw-repair-table")
        self.active = active
        for one in parts:
            one.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self._on_account, "revision")
        self.follow(self.selection, self.update, "view")
        self._ready = True
        self.update()

    @property
    def symbol(self) -> str | None:
        """The symbol along whose price distances are measured; None for a common move."""
        view = self.selection.view
        return view if view in self.account.books.symbols else None

    @property
    def rows(self) -> list[Repair]:
        """The actions as they are sorted."""
        return self._sorted(self.found)

    def _sorted(self, found: Repairs | None) -> list[Repair]:
        if found is None:
            return []
        ranked = list(found)
        if self.sort == "rank":
            return ranked[::-1] if self.descending else ranked
        return sorted(ranked, key=lambda one: _sort_key(one, self.sort), reverse=self.descending)

    # -- out ----------------------------------------------------------------------------------

    def update(self, change: Any = None) -> None:
        """Find again what can be done to the account as it is now."""
        if not self._ready or not self.active:
            return
        self._look("")
        self.explanation.hide()
        self._typed = None
        self.found, self.error = self._find()
        self._show()

    def _find(self) -> tuple[Repairs | None, str]:
        """What can be done to the account as it is now, or why that cannot be said."""
        if not len(self.account.positions):
            return None, ""
        try:
            return repairs(self.account, self.amount or None, self.symbol), ""
        except REFUSALS as error:
            return None, reason(error)

    def _current(self) -> tuple[Repairs | None, str]:
        return (self.found, self.error) if self.active else self._find()

    def _on_account(self, change: Any) -> None:
        self._look("")  # also of a hidden table: others draw what is looked at
        self.update()

    @observe("amount", "active")
    def _on_question(self, change: Any) -> None:
        self.update()

    @observe("sort", "descending")
    def _on_sort(self, change: Any) -> None:
        if self._ready:
            self._show()

    def _show(self) -> None:
        self._controls.html = self._controls_html()
        self._status.html = self._status_html()
        self._table.html = self._table_html()

    def _look(self, which: str) -> None:
        self._looked = which
        if not which or self.found is None:
            self.preview, self.previewed = None, ""
            return
        one = self.found[which]
        self.previewed = one.title
        self.preview = one.preview()

    # -- in -----------------------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind in ("undo", "redo"):
            getattr(self.account, kind)()
            return
        if kind == "explain" and self.found is not None:
            which, _, action = str(message["path"]).partition(" ")
            self._explain(self.found[action], which, str(message["path"]))
        if kind != "action":
            return
        action, value = message["action"], str(message.get("value") or "")
        if action == "sort":
            self._sort_by(value)
        elif action == "amount":
            self._type(value)
        elif action == "all":
            self._all = not self._all
            self._show()
        elif action == "preview":
            self._look("" if self._looked == value else value)
            self._show()
        elif action == "apply" and self.found is not None:
            self.found[value].apply()
        elif action in ("undo", "redo"):
            getattr(self.account, action)()
        elif action == "hide-explanation":
            self.explanation.hide()

    def _explain(self, one: Repair, which: str, asked: str) -> None:
        """Explain a number of an action: before it, after it, or what it costs."""
        if which in COSTS:
            title = f"{one.title} · {COLUMNS[which]}"
            self.explanation.tell(title, one.cost_lines(which), asked)
            return
        if which == "before":
            account, whose = self.account, "Now"
        else:
            account, whose = one.preview(), f"If applied: {one.title}"
        pool = one.after.pool
        if which != "first":
            key = one.own_key(after=which == "after")
            pool = account.configured.positions[key].pool
        self.explanation.show(account, self._path(account, pool, which), whose, asked)

    def _path(self, account: Account, pool: str, which: str) -> str:
        """The figure that says how far a pool is from its liquidation."""
        if self.symbol is None and which == "first":
            return "configured.liquidation_shock"
        held = [one for one in account.configured.positions.values() if one.pool == pool]
        if self.symbol is None:
            return f"configured.positions.{held[0].key}.liquidation_shock"
        moved = [one.key for one in held if one.symbol == self.symbol]
        # A pool that a symbol moves through its collateral only has no price of its own.
        return (
            f"configured.positions.{moved[0]}.distance"
            if moved
            else f"configured.pools.{pool}.status"
        )

    def _sort_by(self, column: str) -> None:
        """The far and the cheap come first; once more turns the order round."""
        if column not in SORTS:
            raise ValueError(f"sort: no column {column!r}")
        with self.hold_trait_notifications():
            if self.sort == column:
                self.descending = not self.descending
            else:
                self.sort, self.descending = column, column in ("distance", "own")

    def _type(self, text: str) -> None:
        try:
            amount = number("amount to add", parse_number("amount to add", text), above=0.0)
        except REFUSALS as error:
            self._typed, self.error = text, reason(error)
            self._controls.html = self._controls_html()
            self._status.html = self._status_html()
            return
        self._typed, self.error = None, ""
        if amount == self.amount:
            self.update()
        else:
            self.amount = amount

    def _tell(self, message: str) -> None:
        self.error = message
        self._status.html = self._status_html()

    # -- HTML ---------------------------------------------------------------------------------

    def _controls_html(self) -> str:
        account = self.account
        amount = self.amount or default_amount(account)
        typed = fmt.plain(amount) if self._typed is None else self._typed
        wrong = "" if self._typed is None else ' aria-invalid="true"'
        along = "a common move of all marks" if self.symbol is None else f"{self.symbol} alone"
        undo = button("Undo", "undo", enabled=account.can_undo, title="Ctrl+Z")
        return (
            '<h3 class="mw-heading">Repair</h3><div class="mw-row">'
            '<label class="mw-row"><span class="mw-caption">Amount to add</span>'
            f'<input data-action="amount" data-key="amount" value="{escape(typed)}"{wrong}'
            ' inputmode="decimal" autocomplete="off" spellcheck="false"'
            f' class="mw-field" style="width:11ch"> {escape(account.currency)}</label>'
            f'<span class="mw-caption">distances along {escape(along)}</span>'
            f'<span class="mw-spacer"></span>{undo}</div>'
        )

    def _status_html(self) -> str:
        if self.error:
            return f'<p class="mw-error" style="{APART}">{escape(self.error)}</p>'
        if self.found is None:
            return f'<p class="mw-empty">{_EMPTY}</p>'
        told = self.found[self._looked].text if self._looked else self.found.text
        opening = "Previewed: " if self._looked else ""
        return f'<p class="mw-verdict" style="{APART}">{opening}{escape(told)}</p>'

    def _table_html(self) -> str:
        if self.found is None:
            return ""
        rows, heads = self.rows, [self._head(name) for name in COLUMNS]
        shown = rows if self._all else rows[:FEW]
        body = "".join(self._row(one, place) for place, one in enumerate(shown))
        notes = []
        if len(rows) > FEW:
            word = "Show fewer" if self._all else f"Show all {len(rows)}"
            notes.append(f'<div class="mw-row">{button(word, "all")}</div>')
        if self.found.hidden:
            notes.append(
                f'<p class="mw-note-line">{self.found.hidden} positions farther from liquidation'
                " are not listed.</p>"
            )
        if self.found.refused:
            items = "".join(
                f"<li>{escape(title)}: {escape(why)}</li>" for title, why in self.found.refused
            )
            notes.append(
                '<details data-key="refused"><summary class="mw-caption">'
                f"{len(self.found.refused)} not possible</summary><ul>{items}</ul></details>"
            )
        notes.append(
            '<p class="mw-caption">Cost is fresh collateral, taker fee and loss made final, in'
            f" {escape(self.account.currency)}. Trades are taken at the mark; their effect on the"
            " price is not modelled. In cross the leverage setting moves no liquidation.</p>"
        )
        return (
            f'<div style="overflow-x:auto;{APART}"><table role="table" style="--mw-fold:1"'
            ' class="mw-data mw-fold mw-titled mw-sorted"><thead role="rowgroup"><tr role="row">'
            f'{heads[0]}<th role="columnheader"><span class="mw-sr">Preview and apply</span></th>'
            f"{''.join(heads[1:])}</tr></thead>"
            f'<tbody role="rowgroup">{body}</tbody></table></div>{"".join(notes)}'
        )

    def _head(self, name: str) -> str:
        order = ""
        mark = ""
        if self.sort == name:
            order = f' aria-sort="{"descending" if self.descending else "ascending"}"'
            mark = " ↓" if self.descending else " ↑"
        side = "" if name == "action" else ' class="mw-right"'
        return (
            f'<th scope="col" role="columnheader"{side}{order}><button class="mw-num"'
            f' data-action="sort" data-value="{name}" data-key="sort-{name}" title="Sort">'
            f"{COLUMNS[name]}{mark}</button></th>"
        )

    def _row(self, one: Repair, place: int) -> str:
        figures = "".join(
            f'<td role="cell" class="mw-right{"" if amount else NONE}" data-title="{COLUMNS[name]}"'
            f">{figure(fmt.amount(amount), f'{name} {one.id}') if amount else fmt.NO_VALUE}</td>"
            for name, amount in zip(
                COSTS, (one.added, one.fee, one.realized_loss, one.cost), strict=True
            )
        )
        pressed = str(self._looked == one.id).lower()
        title, which = escape(one.title), escape(one.id)
        # Keys by place: after an action the focus stays in the table, though the action is gone.
        return (
            '<tr role="row"><th scope="row" role="rowheader"'
            f' style="min-width:9em;overflow-wrap:normal">{title}</th>'
            '<td role="cell" style="white-space:nowrap">'
            f'<button class="mw-button" data-action="preview"'
            f' data-value="{which}" data-key="preview-{place}" aria-pressed="{pressed}"'
            ' style="min-width:6.2em"'
            f' aria-label="Preview: {title}">Preview</button> '
            f'<button class="mw-button" data-action="apply" data-value="{which}"'
            f' data-key="apply-{place}" aria-label="Apply: {title}">Apply</button></td>'
            f'<td role="cell" data-title="{COLUMNS["distance"]}" class="mw-right">'
            f"<span>{_first_html(one)}</span></td>"
            f'<td role="cell" data-title="{COLUMNS["own"]}" class="mw-right">'
            f"<span>{_own_html(one)}</span></td>{figures}</tr>"
        )

    def static_text(self) -> str:
        """The actions in words."""
        found, error = self._current()
        if found is None:
            return error or _EMPTY
        return "\n".join([found.text, *(one.text for one in found)])

    def static_html(self) -> str:
        """The actions as a static table."""
        found, error = self._current()
        if found is None:
            return f"<p>{escape(error or _EMPTY)}</p>"
        cell = "padding:2px 10px;border:0;white-space:nowrap;text-align:"
        head = "".join(
            f'<th style="{cell}{"left" if name == "action" else "right"}">{title}</th>'
            for name, title in COLUMNS.items()
        )
        rows = "".join(
            f'<tr><th style="{cell}left;font-weight:inherit">{escape(one.title)}</th>'
            + "".join(
                f'<td style="{cell}right">{escape(text)}</td>'
                for text in (
                    _first_text(one),
                    _own_text(one),
                    *(fmt.amount(x) for x in (one.added, one.fee, one.realized_loss, one.cost)),
                )
            )
            + "</tr>"
            for one in self._sorted(found)
        )
        return (
            f"<div><p><b>Repair</b></p><p>{escape(found.text)}</p>"
            '<div style="overflow-x:auto"><table style="border-collapse:collapse;'
            'font-variant-numeric:tabular-nums;color:inherit;font-size:inherit">'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></div>"
        )


# -- pieces -------------------------------------------------------------------------------------


def _sort_key(one: Repair, column: str) -> Any:
    own = math.inf if one.own_after is None else abs(one.own_after)
    first = math.inf if one.after.first is None else one.after.first
    keys: dict[str, Any] = {
        "action": one.title,
        "distance": round(first, 12),
        "own": round(own, 12),
        "added": one.added,
        "fee": one.fee,
        "loss": one.realized_loss,
        "cost": one.cost,
    }
    return keys[column]


def _first_text(one: Repair) -> str:
    if one.after.move is None:
        return "none"
    return f"{_move_text(one.after.move)} {one.after.pool}"


def _first_html(one: Repair) -> str:
    """The same, the move as a button that explains it."""
    if one.after.move is None:
        return "none"
    return f"{figure(_move_text(one.after.move), f'first {one.id}')} {escape(one.after.pool)}"


def _own_text(one: Repair) -> str:
    """How the pool that the action is about fares: before and after."""
    if one.action == "close":
        return "closed"
    before, after = map(_move_text, (one.own_before, one.own_after))
    return f"{before} → {after}" if before != after else f"{after}"


def _own_html(one: Repair) -> str:
    """The same, both moves as buttons that explain them."""
    if one.action == "close":
        return "closed"
    before, after = map(_move_text, (one.own_before, one.own_after))
    shown = figure(after, f"after {one.id}")
    return f"{figure(before, f'before {one.id}')} → {shown}" if before != after else shown


def _move_text(move: float | None) -> str:
    return "none" if move is None else "now" if move == 0 else fmt.move(move)
