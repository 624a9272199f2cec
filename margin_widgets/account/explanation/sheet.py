"""Formulas written once with symbols and once with their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from margin_widgets.account import formatting as fmt

LONG_SUM = 8
"""Terms that a sum shows; the tail of a longer one is taken together."""

_FIRST_MARK = 0xE000  # the private use area: no formula contains these characters


@dataclass(frozen=True)
class Derived:
    """The lines that lead to a value, and the symbols in them."""

    lines: tuple[str, ...]
    symbols: tuple[tuple[str, str, str], ...] = ()


class Sheet:
    """A formula in the making.

    `let` returns a mark that stands for the symbol in templates; names may hold any text.
    """

    def __init__(self) -> None:
        self._values: list[float] = []
        self._symbols: list[tuple[str, str, str]] = []
        self._said: list[str] = []

    def say(self, *lines: str) -> None:
        """Put lines in front of the formula."""
        self._said += lines

    def let(self, name: str, meaning: str, value: float, unit: str = "") -> str:
        """Introduce a symbol."""
        self._values.append(value)
        self._symbols.append((name, meaning, f"{fmt.plain(value)} {unit}".rstrip()))
        return chr(_FIRST_MARK + len(self._values) - 1)

    def total(self, terms: Sequence[tuple[str, str, float]], unit: str, others: str) -> str:
        """Introduce a sum of (name, meaning, value); `others` names what its tail consists of."""
        if len(terms) > LONG_SUM:
            rest = terms[LONG_SUM - 1 :]
            tail = ("others", f"{len(rest)} {others}", math.fsum(value for _, _, value in rest))
            terms = [*terms[: LONG_SUM - 1], tail]
        return " + ".join(self.let(*term, unit) for term in terms) or "0"

    def named(self, template: str) -> str:
        """Return the template with names."""
        return "".join(self._fill(template, lambda place, _: self._symbols[place][0]))

    def valued(self, template: str) -> str:
        """Return the template with values; negative ones in brackets where they follow a sign."""

        def shown(place: int, before: str) -> str:
            text = fmt.plain(self._values[place])
            bare = not text.startswith(fmt.MINUS) or before in ("", "(")
            return text if bare else f"({text})"

        return "".join(self._fill(template, shown))

    @property
    def symbols(self) -> tuple[tuple[str, str, str], ...]:
        """What was introduced: name, meaning and value, each once."""
        return tuple(dict.fromkeys(self._symbols))

    def derive(self, left: str, template: str, text: str) -> Derived:
        """Close with the formula of `left`, the same with values, and the result."""
        lines = (f"{left} = {self.named(template)}", f"= {self.valued(template)}", f"= {text}")
        return Derived((*self._said, *lines), self.symbols)

    def _fill(self, template: str, show: Callable[[int, str], str]) -> Iterable[str]:
        before = ""
        for one in template:
            place = ord(one) - _FIRST_MARK
            yield show(place, before) if 0 <= place < len(self._values) else one
            before = one


def in_words(*lines: str) -> Derived:
    """Say it without a formula."""
    return Derived(lines)


def both_sides(sides: Sequence[tuple[str, str, Derived | None]]) -> tuple[str, Derived]:
    """Join (side, text, derivation or None) into one text, and blocks under the sides' names."""
    text = ", ".join(f"{text} {side}" for side, text, _ in sides)
    lines: list[str] = []
    symbols: list[tuple[str, str, str]] = []
    for side, _, derived in sides:
        lines += [f"{side}:", *derived.lines] if derived else [f"{side}: none"]
        symbols += derived.symbols if derived else ()
    return text, Derived(tuple(lines), tuple(dict.fromkeys(symbols)))


def grouped(expression: str) -> str:
    """Put a sum in brackets."""
    return f"({expression})" if " " in expression else expression
