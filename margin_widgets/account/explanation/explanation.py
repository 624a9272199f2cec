"""What an explanation is made of, and how it reads as text and as HTML."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from margin_widgets.account.explanation.sheet import Derived
from margin_widgets.account.explanation.shown import Shown
from margin_widgets.account.explanation.sources import sources_of
from margin_widgets.account.explanation.venue_formulas import VenueFormula
from margin_widgets.account.report import MarginReport

Lines = tuple[str, ...]
Symbols = tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, repr=False)
class Explanation:
    """Where one figure comes from.

    Attributes
    ----------
    path : str
    title : str
    value : float or None
        None where there is no such number; `text` says so in words.
    text : str
        The value as printed, with its unit.
    lines : tuple of str
        The formula with symbols, the same with values, the result. The last line but one,
        evaluated, is `value`.
    symbols : tuple of (symbol, meaning, value)
    assumes : str
        What is held, the trigger, and what maintenance margin includes.
    rules : str
        Name, version and date of the rule set.
    sources : tuple of str
    rounding : str
    venue : VenueFormula or None
        The same figure as the venue writes it: of liquidation prices and margin ratios.
    """

    path: str
    title: str
    value: float | None
    text: str
    lines: tuple[str, ...]
    symbols: tuple[tuple[str, str, str], ...]
    assumes: str
    rules: str
    sources: tuple[str, ...]
    rounding: str
    venue: VenueFormula | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the parts as plain data."""
        return {name: _plain(part) for name, part in asdict(self).items()}

    def __repr__(self) -> str:
        # The text itself, not a constructor: it is what a console prints for a last expression.
        parts = [f"{self.title}: {self.text}", *_as_text(self.lines, self.symbols)]
        if self.venue:
            note = [f"  ({self.venue.note})"] if self.venue.note else []
            parts += [f"{self.venue.title}", *note]
            parts += _as_text(self.venue.lines, self.venue.symbols)
        return "\n".join(
            [
                *parts,
                f"Assumes: {self.assumes}",
                f"Rules: {self.rules}",
                *(f"Source: {source}" for source in self.sources),
                f"Rounding: {self.rounding}",
            ]
        )

    def _repr_html_(self) -> str:
        sources = "".join(f"<li>{escape(source)}</li>" for source in self.sources)
        venue = ""
        if self.venue:
            note = f"<p>{escape(self.venue.note)}</p>" if self.venue.note else ""
            venue = f"<p>{escape(self.venue.title)}</p>{note}"
            venue += _as_html(self.venue.lines, self.venue.symbols)
        return (
            f"<div><strong>{escape(self.title)}: {escape(self.text)}</strong>"
            + _as_html(self.lines, self.symbols)
            + venue
            + f"<p>Assumes: {escape(self.assumes)}<br>Rules: {escape(self.rules)}"
            f"<br>Rounding: {escape(self.rounding)}</p>"
            + (f"<ul>{sources}</ul>" if sources else "")
            + "</div>"
        )


def _as_text(lines: Lines, symbols: Symbols) -> list[str]:
    width = max((len(name) for name, _, _ in symbols), default=0)
    return [
        *(f"  {line}" for line in lines),
        *(f"  {name:<{width}}  {meaning}: {shown}" for name, meaning, shown in symbols),
    ]


def _as_html(lines: Lines, symbols: Symbols) -> str:
    rows = "".join(
        f'<tr><td style="text-align:left"><code>{escape(name)}</code></td>'
        f'<td style="text-align:left">{escape(meaning)}</td><td>{escape(shown)}</td></tr>'
        for name, meaning, shown in symbols
    )
    written = f"<pre>{escape(chr(10).join(lines))}</pre>"
    return written + (f"<table>{rows}</table>" if rows else "")


def _plain(part: Any) -> Any:
    """Lists for tuples, all the way down."""
    if isinstance(part, dict):
        return {name: _plain(one) for name, one in part.items()}
    return [_plain(one) for one in part] if isinstance(part, (list, tuple)) else part


@dataclass(frozen=True)
class Question:
    """A figure that is to be explained."""

    report: MarginReport
    path: str
    title: str
    option: bool | None = None
    """Whether it is of an option; None where it is of no position."""

    def answer(
        self,
        value: float | None,
        shown: Shown,
        derived: Derived,
        assumes: str,
        venue: VenueFormula | None = None,
    ) -> Explanation:
        """Put the parts together."""
        return Explanation(
            path=self.path,
            title=self.title,
            value=value,
            text=shown.text,
            lines=derived.lines,
            symbols=derived.symbols,
            assumes=assumes,
            rules=self.report.rules,
            sources=sources_of(self.report, self.path.rpartition(".")[2], option=self.option),
            rounding=shown.rounding,
            venue=venue,
        )
