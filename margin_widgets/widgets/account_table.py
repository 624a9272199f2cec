"""What the editable tables of an account share: edits, drafts, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from margin_widgets.widgets.editing import REFUSALS, guarded, reason
from margin_widgets.widgets.explaining import Explaining
from margin_widgets.widgets.frontend import Styled, Table
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.static_twin import StaticTwin, page_of

if TYPE_CHECKING:
    from margin_widgets.account import Account

DRAFT = "draft"
"""Id of the row that is being added; it joins the account when it is complete and sound."""


class AccountTable(Explaining, StaticTwin):
    """A table whose accepted edits change the account at once.

    A refused edit stays in its cell with the reason, and the account stays as it was. Subclasses
    say what the rows are and what an edit means.

    Attributes
    ----------
    table : Table
        The browser side.
    """

    heading = ""
    columns: tuple[dict[str, Any], ...] = ()
    first_field = ""

    def __init__(
        self, account: Account, selection: Selection | None = None, **settings: Any
    ) -> None:
        self.account = account
        self.selection = selection or Selection()
        self._draft: dict[str, str] | None = None
        self.table = Table(
            columns=[{"align": "right", **one} for one in self.columns],
            label=self.heading,
            **settings,
        )
        heading = Styled(html=f'<h3 class="mw-heading">{self.heading}</h3>')
        super().__init__([heading, self.table])
        self.add_class("mw-panel")
        self.table.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self.update, "revision")
        self.follow(self.table, self._on_place, "place")
        self.update()

    @property
    def errors(self) -> list[dict[str, str]]:
        """Refused edits that still stand in their cells: row, field, text, message."""
        return list(self.table.errors)

    # -- what a subclass says -------------------------------------------------------------------

    def _rows(self) -> list[dict[str, Any]]:
        """Rows of the account, as text."""
        raise NotImplementedError

    def _assign(self, row: str, field: str, text: str) -> None:
        """Edit a field of a row of the account."""
        raise NotImplementedError

    def _join(self, draft: dict[str, str]) -> None:
        """Add a complete draft to the account."""
        raise NotImplementedError

    def _missing(self, draft: dict[str, str]) -> bool:
        """Whether a draft still lacks a field."""
        raise NotImplementedError

    def _explain(self, row: str, field: str) -> None:
        """Select the explanation of a figure."""
        raise NotImplementedError

    def _delete(self, row: str) -> None:
        """Take a row out of the account."""
        raise NotImplementedError

    def _sets(self, row: str, field: str) -> tuple[str, ...]:
        """What a cell sets, as `code_hint` takes it; nothing for one that is computed."""
        raise NotImplementedError

    def _paste(self, row: str, field: str, text: str) -> None:
        """Take in a pasted block."""
        raise NotImplementedError

    def _begin(self, row: str) -> dict[str, str]:
        """Fields of a new draft; of a duplicate if `row` is given."""
        raise NotImplementedError

    # -- to the browser -------------------------------------------------------------------------

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        rows = self._rows()
        if self._draft is not None:
            rows.append(self._draft_row(self._draft))
        known = {row["id"] for row in rows}
        standing = [one for one in self.table.errors if one["row"] in known]
        with self.table.hold_sync():
            self.table.rows = rows
            if len(standing) != len(self.table.errors):
                self.table.errors = standing
            if self.table.selected not in known:
                self.table.selected = ""

    def static_html(self) -> str:
        """The rows of the account as a static table; a draft is no part of it yet."""
        fields = [one["field"] for one in self.columns]
        rows = [[row["text"][field] for field in fields] for row in self._rows()]
        told = "" if rows else self.table.placeholder
        return page_of(self.heading, told, [one["title"] for one in self.columns], rows)

    def _draft_row(self, draft: dict[str, str]) -> dict[str, Any]:
        blank = dict.fromkeys((one["field"] for one in self.columns), "")
        return {
            "id": DRAFT,
            "text": {**blank, **draft},
            "raw": dict(draft),
            "classes": {},
            "flags": ["draft"],
        }

    # -- from the browser -----------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "edit":
            self._edit(message["row"], message["field"], message["text"])
        elif kind == "cancel":
            self._forget(message["row"], message["field"])
        elif kind == "paste":
            self._paste(message["row"], message["field"], message["text"])
        elif kind in ("undo", "redo"):
            getattr(self.account, kind)()
        elif kind == "explain":
            self._explain(message["row"], message["field"])
        elif kind == "action":
            self._act(message["action"], message.get("row") or "")

    def _edit(self, row: str, field: str, text: str) -> None:
        revision = self.account.revision
        try:
            if row == DRAFT:
                self._edit_draft(field, text)
            else:
                self._assign(row, field, text)
        except REFUSALS as error:
            message = reason(error)
            if row == DRAFT and self._draft is not None:  # at the field it is about
                field = next((one for one in self._draft if one in message.split(":")[0]), field)
                text = self._draft[field]
            self._refuse(row, field, text, message)
            return
        self._forget(row, field)
        if self.account.revision == revision:  # what was typed means what was there before
            self.table.send({"type": "ack", "row": row, "field": field})

    def _edit_draft(self, field: str, text: str) -> None:
        if self._draft is None:  # it joined the account while this edit was on its way
            return
        self._draft[field] = text.strip()
        draft = self._draft
        if self._missing(draft):
            self.update()
            return
        self._draft = None  # gone once the account tells of the new row
        try:
            self._join(draft)
        except REFUSALS:
            self._draft = draft
            self.update()
            raise
        self.table.errors = [one for one in self.table.errors if one["row"] != DRAFT]

    def _act(self, action: str, row: str) -> None:
        if action in ("add", "duplicate"):
            self._draft = self._begin(row if action == "duplicate" else "")
            self.table.errors = [one for one in self.table.errors if one["row"] != DRAFT]
            self.update()
            self.table.selected = DRAFT
            place = {"row": DRAFT, "field": self.first_field}
            self.table.send({"type": "focus", **place, "edit": True})
        elif action == "delete" and row == DRAFT:
            self._draft = None
            self.update()
        elif action == "delete":
            self._delete(row)

    def _on_place(self, change: Any) -> None:
        row, field = change.new or (DRAFT, "")
        try:
            self.selection.control = () if row == DRAFT else self._sets(row, field)
        except KeyError:  # a row that has just gone
            self.selection.control = ()

    # -- refusals -------------------------------------------------------------------------------

    def _refuse(self, row: str, field: str, text: str, message: str) -> None:
        self._forget(row, field)
        refused = {"row": row, "field": field, "text": text, "message": message}
        self.table.errors = [*self.table.errors, refused]

    def _forget(self, row: str, field: str) -> None:
        """Drop the refusal of a cell, and what was said of the table as a whole."""
        left = [e for e in self.table.errors if (e["row"], e["field"]) != (row, field) and e["row"]]
        if len(left) != len(self.table.errors):
            self.table.errors = left

    def _tell(self, message: str) -> None:
        self._refuse("", "", "", message)
