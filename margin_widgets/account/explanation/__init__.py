"""Every figure explains itself: formula, substituted values, assumptions, rules, rounding."""

from margin_widgets.account.explanation.explanation import Explanation
from margin_widgets.account.explanation.path import explain
from margin_widgets.account.explanation.shown import LABELS

__all__ = ["LABELS", "Explanation", "explain"]
