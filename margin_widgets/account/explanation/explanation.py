"""What an explanation is made of, and how it reads as text and as HTML."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from margin_widgets.account.explanation.sheet import Derived
from margin_widgets.account.explanation.shown import Shown
from margin_widgets.account.report import MarginReport


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

    def to_dict(self) -> dict[str, Any]:
        """Return the parts as plain data."""
        return {
            **asdict(self),
            "lines": list(self.lines),
            "symbols": [list(row) for row in self.symbols],
            "sources": list(self.sources),
        }

    def __repr__(self) -> str:
        # The text itself, not a constructor: it is what a console prints for a last expression.
        width = max((len(name) for name, _, _ in self.symbols), default=0)
        return "\n".join(
            [
                f"{self.title}: {self.text}",
                *(f"  {line}" for line in self.lines),
                *(
                    f"  {name:<{width}}  {meaning}: {shown}"
                    for name, meaning, shown in self.symbols
                ),
                f"Assumes: {self.assumes}",
                f"Rules: {self.rules}",
                *(f"Source: {source}" for source in self.sources),
                f"Rounding: {self.rounding}",
            ]
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left"><code>{escape(name)}</code></td>'
            f'<td style="text-align:left">{escape(meaning)}</td><td>{escape(shown)}</td></tr>'
            for name, meaning, shown in self.symbols
        )
        sources = "".join(f"<li>{escape(source)}</li>" for source in self.sources)
        return (
            f"<div><strong>{escape(self.title)}: {escape(self.text)}</strong>"
            f"<pre>{escape(chr(10).join(self.lines))}</pre>"
            + (f"<table>{rows}</table>" if rows else "")
            + f"<p>Assumes: {escape(self.assumes)}<br>Rules: {escape(self.rules)}"
            f"<br>Rounding: {escape(self.rounding)}</p>"
            + (f"<ul>{sources}</ul>" if sources else "")
            + "</div>"
        )


@dataclass(frozen=True)
class Question:
    """A figure that is to be explained."""

    report: MarginReport
    path: str
    title: str

    def answer(
        self, value: float | None, shown: Shown, derived: Derived, assumes: str
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
            sources=self.report.books.state.venue.sources,
            rounding=shown.rounding,
        )
