"""What differs between figures that one formula explains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from margin_widgets.account.explanation.assumptions import AT_MARKS
from margin_widgets.account.explanation.explanation import Explanation, Question
from margin_widgets.account.explanation.sheet import Derived, Sheet
from margin_widgets.account.explanation.shown import Shown, show_amount
from margin_widgets.account.explanation.venue_formulas import VenueFormula

Owner = TypeVar("Owner")


@dataclass(frozen=True)
class Recipe(Generic[Owner]):
    """How to explain one figure of an owner: a report, or a position in it.

    Attributes
    ----------
    left : str
        Left side of the formula.
    write : callable
        Introduces symbols and returns the right side, or says in words why there is none.
    show : callable, optional
        Prints the value; an amount in the account's currency if not given.
    assumes : callable, optional
        Says what is assumed; the present marks if not given.
    venue : callable, optional
        Writes the figure as the venue does.
    """

    left: str
    write: Callable[[Owner, Sheet], str | Derived]
    show: Callable[[float | None], Shown] | None = None
    assumes: Callable[[Owner], str] = lambda _: AT_MARKS
    venue: Callable[[Owner], VenueFormula | None] = lambda _: None

    def explain(self, question: Question, owner: Owner, value: float | None) -> Explanation:
        """Explain the figure of `owner`."""
        if self.show:
            shown = self.show(value)
        else:
            assert value is not None  # every account and position has all its amounts
            shown = show_amount(value, question.report.currency)
        sheet = Sheet()
        written = self.write(owner, sheet)
        if isinstance(written, str):
            written = sheet.derive(self.left, written, shown.text)
        return question.answer(value, shown, written, self.assumes(owner), self.venue(owner))
