"""A result that stays readable in a saved notebook: tables and pictures as data, no kernel behind.

JupyterLab's extension draws the data; other front ends show the HTML that goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from margin_widgets.account.summary import account_html, figure_rows, more_words, position_rows
from margin_widgets.account.svg import inline_svg
from margin_widgets.account.verdict import conditions, verdict

if TYPE_CHECKING:
    from margin_widgets.account.account import Account
    from margin_widgets.account.comparison import Comparison

MIME = "application/vnd.margin-widgets.report.v1+json"

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Title, heads and rows; everything is text, never markup."""


@dataclass(frozen=True)
class ReportCard:
    """Tables, pictures and sentences of one moment.

    Attributes
    ----------
    title : str
    chips : tuple of str
        Rules and units.
    sentence : tuple of (text, whether it is a key number)
    tables : tuple of Table
    pictures : tuple of (title, SVG)
    notes : tuple of str
    html : str
        The same for front ends without the extension.
    """

    title: str
    chips: tuple[str, ...]
    sentence: tuple[tuple[str, bool], ...]
    tables: tuple[Table, ...]
    pictures: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    html: str

    @property
    def text(self) -> str:
        """The sentence."""
        return "".join(text for text, _ in self.sentence)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as the front end draws it."""
        return {
            "title": self.title,
            "chips": list(self.chips),
            "sentence": [{"text": text, "key": key} for text, key in self.sentence],
            "tables": [
                {"title": title, "head": list(head), "rows": [list(row) for row in rows]}
                for title, head, rows in self.tables
            ],
            "pictures": [{"title": title, "svg": svg} for title, svg in self.pictures],
            "notes": list(self.notes),
        }

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, Any]:
        return {
            MIME: self.to_dict(),
            "text/html": self.html,
            "text/plain": f"{self.title}\n{self.text}",
        }


def account_card(account: Account) -> ReportCard:
    """Both modes of an account at its present marks; `Account.report_card` explains."""
    venue = account.venue
    said = verdict(account)
    tables: list[Table] = [("Both modes", *figure_rows(account))]
    pictures: list[tuple[str, str]] = []
    if account.books.keys:
        tables.append(("Positions", *position_rows(account)))
        curve = account.curve(shock=True, points=81)
        pictures = [
            ("Equity against a common move of all marks", inline_svg(curve, description=said.text)),
            ("Margin ratio against a common move of all marks", inline_svg(curve, "margin_ratio")),
        ]
    notes = [more_words(account.cross), conditions(account)]
    notes += [f"Warning: {warning}" for warning in account.warnings]
    return ReportCard(
        title=account.name or "Account",
        chips=(venue.label, f"amounts in {account.currency}", str(venue.margin_ratio)),
        sentence=tuple((text, path is not None) for text, path in said.parts),
        tables=tuple(tables),
        pictures=tuple(pictures),
        notes=tuple(filter(None, notes)),
        html=account_html(account),
    )


def comparison_card(comparison: Comparison) -> ReportCard:
    """Two states of an account; `Comparison.report_card` explains."""
    from margin_widgets.account.comparison import MODES

    now = comparison.now
    sentence = comparison.sentence()
    more = f"and {comparison.more} more positions" if comparison.more else ""
    return ReportCard(
        title=now.name or "Account",
        chips=(now.venue.label, f"amounts in {now.currency}"),
        sentence=((sentence, False),),
        tables=tuple(
            (
                mode.capitalize(),
                ["", "before", "now", "change"],
                [
                    [one.title, one.before_text, one.now_text, one.change_text]
                    for one in comparison.of(mode)
                ],
            )
            for mode in MODES
        ),
        pictures=tuple(
            (
                f"Equity {when}",
                inline_svg(account.curve(shock=True, points=81)),
            )
            for when, account in (("before", comparison.before), ("now", now))
            if account.books.keys
        ),
        notes=(more,) if more else (),
        html=comparison.html(sentence),
    )
