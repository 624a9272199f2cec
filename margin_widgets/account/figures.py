"""Figures of an account as they are printed, each with the path that explains it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from margin_widgets.account import formatting as fmt

if TYPE_CHECKING:
    from margin_widgets.account.books import Books
    from margin_widgets.account.report import MarginReport

MODES = ("isolated", "cross")

Number = float | int | tuple[float | None, ...] | None


class Shown(str):
    """A number as printed; text everywhere, but it still knows the number.

    Attributes
    ----------
    number : float, tuple of float or None
        Not rounded; several where the text tells several, None for none.

    Examples
    --------
    >>> Shown("90,452.26 (now)", 90452.26130653266).number
    90452.26130653266
    """

    number: Number

    __slots__ = ("number",)

    def __new__(cls, text: str, number: Number) -> Self:
        """Join a text and what it tells."""
        made = super().__new__(cls, text)
        made.number = number
        return made


class Column(str):
    """The head of a column as printed, and what the same column is called among plain numbers.

    Attributes
    ----------
    names : tuple of str
        With the unit; several where its cells tell several numbers.
    """

    names: tuple[str, ...]

    __slots__ = ("names",)

    def __new__(cls, text: str, *names: str) -> Self:
        """Join a text and its names; without any, the text is the name."""
        made = super().__new__(cls, text)
        made.names = names or (text,)
        return made


class KeyFigure(Shown):
    """A number as printed; text everywhere, but it knows what `Account.explain` calls it.

    Attributes
    ----------
    path : str
    number : float, tuple of float or None

    Examples
    --------
    >>> KeyFigure("4.50 %", "cross.margin_ratio", 0.045).path
    'cross.margin_ratio'
    """

    path: str

    __slots__ = ("path",)

    def __new__(cls, text: str, path: str, number: Number = None) -> Self:
        """Join a text, a path and the number."""
        made = super().__new__(cls, text, number)
        made.path = path
        return made


def _move(value: float | None) -> str:
    if value is None:
        return "none"
    return "now" if value == 0 else fmt.move(value)


def _share(value: float | None) -> str:
    return "none" if value is None else fmt.percent(value)


def _multiple(value: float | None) -> str:
    return "none" if value is None else f"{fmt.amount(value)}×"


_TEXTS: dict[str, Callable[[Any], str]] = {
    "liquidation_shock": _move,
    "margin_ratio": _share,
    "distance": _share,
    "collateral_utilization": _share,
    "effective_leverage": _multiple,
}
_PRICES = ("liquidation_price", "bankruptcy_price")


def figure_of(report: MarginReport, name: str, key: str = "") -> KeyFigure:
    """One figure of an account or, with a key, of a position.

    Parameters
    ----------
    report : MarginReport
    name : str
        As in `Account.explain`.
    key : str
        Of a position; empty for the account.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> account = presets.ref2()
    >>> figure_of(account.cross, "liquidation_price", "BTCUSDT")
    '80,804.02'
    >>> figure_of(account.isolated, "margin_ratio").path
    'isolated.margin_ratio'
    """
    source: Any = report.positions[key] if key else report
    place = f"positions.{source.key}." if key else ""
    value = getattr(source, name)
    if name in _PRICES:
        books = report.books
        tick = books.contracts[books.symbols.index(source.symbol)].tick
        text = "none" if value is None else fmt.price(value, tick)
    else:
        text = _TEXTS.get(name, fmt.amount)(value)
    return KeyFigure(text, f"{report.mode}.{place}{name}", value)


def figure_of_mark(books: Books, symbol: str) -> KeyFigure:
    """The mark price of a symbol."""
    place = books.symbols.index(symbol)
    mark = float(books.marks[place])
    return KeyFigure(fmt.price(mark, books.contracts[place].tick), f"marks.{symbol}", mark)


def figure_if_same(text: str, figure: KeyFigure) -> str:
    """The text, explained as the figure if it is the same number; plain text if it is not.

    >>> figure_if_same("4.50 %", KeyFigure("4.50 %", "cross.margin_ratio")).path
    'cross.margin_ratio'
    >>> type(figure_if_same("5.00 %", KeyFigure("4.50 %", "cross.margin_ratio")))
    <class 'str'>
    """
    return figure if text == figure else text


__all__ = [
    "MODES",
    "Column",
    "KeyFigure",
    "Shown",
    "figure_if_same",
    "figure_of",
    "figure_of_mark",
]
