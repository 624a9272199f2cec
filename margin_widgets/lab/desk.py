"""A document as a live dashboard: its text and the account behind it follow each other."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Mapping
from typing import Any

from traitlets import Dict, List, Unicode

from margin_widgets.account import Account
from margin_widgets.account.document import DocumentError, dumps, loads
from margin_widgets.account.state import AccountState
from margin_widgets.account.status_line import status_line
from margin_widgets.account.taking_over import take_over
from margin_widgets.lab.options import Options
from margin_widgets.widgets.dashboard import Dashboard
from margin_widgets.widgets.lifetime import Part


class Desk(Part):
    """The dashboard of one document.

    The front end owns the file. It sends the text whenever that changes, and is sent the text
    whenever the account changes; the kernel neither reads nor writes files.

    Parameters
    ----------
    path : str
        Names the document; two desks of one kernel have two paths.
    text : str
        The document, sound or not.
    account : Account, optional
        One that lives in the kernel already and that the text describes.
    options : mapping, optional
        How it is shown, see `Options`.

    Attributes
    ----------
    account : Account or None
        None until the text was sound for the first time.
    document : str
        The text. Text that says what the account is already is left as it was written.
    problem : dict
        Why the text is not an account: ``kind``, ``message``, ``path`` and, where known, ``line``
        and ``column``; empty if it is one.
    status : dict
        Both margin modes in a few words, see `StatusLine`.
    kept : str
        Edits that were not saved when the document was opened anew; empty if there are none.
    notes : list of str
        What was assumed when the text was read.
    options : dict
        Assigned anew, the dashboard is made anew; the account and its history stay.
    """

    path = Unicode("", help="names the document").tag(sync=True)
    document = Unicode("", help="text of the document").tag(sync=True)
    problem = Dict(help="why the text is not an account").tag(sync=True)
    status = Dict(help="both margin modes in a few words").tag(sync=True)
    kept = Unicode("", help="unsaved edits from before").tag(sync=True)
    notes = List(Unicode(), help="what was assumed when the text was read").tag(sync=True)
    options = Dict(help="how it is shown").tag(sync=True)

    def __init__(
        self,
        path: str,
        text: str,
        account: Account | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.account: Account | None = None
        self._known: tuple[AccountState, str] | None = None
        super().__init__([], path=path, options=dict(options or {}))
        self.add_class("mw-desk")
        if account is None:
            self._take(text)
        else:
            self._known = (account.state, text)
            self._show(account)
            self._tell_status()
        self.document = text
        self.observe(self._on_document, "document")
        self.observe(self._on_path, "path")
        self.observe(self._on_options, "options")

    def reopen(self, text: str, options: Mapping[str, Any] | None = None) -> None:
        """Show a text in place of the present one, which is kept if it says something else."""
        with self.hold_sync():
            self.options = dict(options or {})
            if text != self.document and not self._says(text):
                self.kept = self.document
            self.document = text

    def _says(self, text: str) -> bool:
        """Whether a text says what the account is now."""
        if self.account is None or self.problem:
            return False
        try:
            return _read(text)[0] == self.account.state
        except DocumentError:
            return False

    # -- from the text to the account ---------------------------------------------------------

    def _on_document(self, change: Any) -> None:
        if self._known is None or change["new"] != self._text():
            self._take(change["new"])

    def _take(self, text: str) -> None:
        with self.hold_sync():
            try:
                state, self.notes = _read(text)
                self._known = (state, text)
                if self.account is None:
                    self._show(Account.from_state(state))
                else:
                    take_over(self.account, state)
            except DocumentError as error:
                self._known = None
                self.problem = _problem(error)
            else:
                self.problem = {}
                self._tell_status()

    def _show(self, account: Account) -> None:
        self.account = account
        self._make_dashboard()
        self.follow(account, self._on_edit, "revision")

    def _make_dashboard(self) -> None:
        assert self.account is not None
        before = self.children
        convention = Options.of(self.options).convention
        self.set_trait("children", (Dashboard(self.account, convention=convention),))
        for one in before:
            one.close()

    def _on_options(self, change: Any) -> None:
        with self.hold_sync():
            Options.of(change["new"]).apply()
            if self.account is not None:
                self._make_dashboard()
                if not self.problem:
                    self._tell_status()

    # -- from the account to the text ---------------------------------------------------------

    def _on_edit(self, change: Any) -> None:
        # An edit from code goes on where the text is not sound; the text is the person's then.
        if self._known is None:
            return
        with self.hold_sync():
            self.document = self._text()
            self._tell_status()

    def _text(self) -> str:
        """Text of the account: as it was written where it says the same, else in our form."""
        assert self.account is not None
        assert self._known is not None
        state, written = self._known
        return written if state == self.account.state else dumps(self.account.state)

    def _tell_status(self) -> None:
        assert self.account is not None
        self.status = status_line(self.account).to_dict()

    # -- life ---------------------------------------------------------------------------------

    def _on_path(self, change: Any) -> None:
        with _LOCK:
            if _DESKS.get(change["old"]) is self:
                del _DESKS[change["old"]]
            _DESKS[change["new"]] = self

    def close(self) -> None:
        """Free the desk and its dashboard."""
        with _LOCK:
            if _DESKS.get(self.path) is self:
                del _DESKS[self.path]
        for dashboard in self.children:  # frees also what is behind its closed tabs
            dashboard.close()
        super().close()


_DESKS: dict[str, Desk] = {}
_LOCK = threading.RLock()
"""Messages of the front end may arrive in a thread beside the one that runs cells."""


def open_document(path: str, text: str, options: Mapping[str, Any] | None = None) -> Desk:
    """Return the desk of a document, the one that is there already if there is one.

    Parameters
    ----------
    path : str
        Names the document.
    text : str
        What it holds; if a desk is there and holds other text, that is kept in `Desk.kept`.
    options : mapping, optional
        How it is shown, see `Options`.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> from margin_widgets.account.document import dumps
    >>> desk = open_document("book.margin.json", dumps(presets.ref2().state))
    >>> desk.account.positions["BTCUSDT"].leverage = 20
    >>> '"leverage": 20.0' in desk.document
    True
    >>> desk.close()
    """
    with _LOCK:
        Options.of(options or {}).apply()
        desk = _DESKS.get(path)
        if desk is None:
            desk = _DESKS[path] = Desk(path, text, options=options)
        else:
            desk.reopen(text, options)
        return desk


def desk_of(account: Account, path: str, options: Mapping[str, Any] | None = None) -> Desk:
    """Return a desk on an account that lives in this kernel, the one that is there already."""
    with _LOCK:
        Options.of(options or {}).apply()
        desk = _DESKS.get(path)
        if desk is not None and desk.account is not account:  # the name was bound anew
            desk.close()
            desk = None
        if desk is None:
            desk = _DESKS[path] = Desk(path, dumps(account.state), account, options)
        else:
            desk.options = dict(options or {})
        return desk


def close_desk(path: str) -> None:
    """Free the desk at a path, if there is one."""
    with _LOCK:
        desk = _DESKS.get(path)
        if desk is not None:
            desk.close()


def _read(text: str) -> tuple[AccountState, list[str]]:
    """The state that a text describes, and what was assumed on the way."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        state = loads(text).state
    return state, [str(one.message) for one in said if one.category is UserWarning]


def _problem(error: DocumentError) -> dict[str, Any]:
    message = error.message
    if error.path == "$.schema_version" and "newer than" in message:
        kind = "newer"
    elif error.path:
        kind = "refused"
    else:
        kind = "damaged"
    told: dict[str, Any] = {"kind": kind, "message": message, "path": error.path}
    place = re.search(r"\bline (\d+), column (\d+)", message) if kind == "damaged" else None
    if place:
        told |= {"line": int(place[1]), "column": int(place[2])}
    return told
