"""A picture over one price or a common move: what moves is chosen, the range is steady."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from traitlets import Unicode

from margin_widgets.account.curve import default_range
from margin_widgets.widgets.drawing import Axis
from margin_widgets.widgets.picture import Picture, choice
from margin_widgets.widgets.plotting import (
    ALL,
    assign,
    move,
    nice_ticks,
    put_ticks,
    short,
    side_by_side,
    tick_style,
)
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.steady_range import SteadyRange

if TYPE_CHECKING:
    from margin_widgets.account import Account, Curve


class CurvePicture(Picture):
    """A figure of both modes along ``view``; ``selection.view`` is shared with other pictures.

    Attributes
    ----------
    view : str
        ``"all"`` for a common move of all marks, else the symbol whose price is moved alone.
    """

    view = Unicode(ALL, help='"all", or the symbol whose price is the x axis')

    empty: ClassVar[str] = "Add a position to see both modes."

    def __init__(
        self, account: Account, selection: Selection | None = None, *, active: bool = True
    ) -> None:
        self._steady = SteadyRange()
        self._zoom: tuple[float, float] | None = None
        self._range = (0.0, 1.0)
        self._following = False
        shared = Selection() if selection is None else selection
        self.set_trait("view", shared.view)
        super().__init__(account, shared, active=active)
        self.follow(self.selection, self._on_shared_view, "view")
        self.observe(self._on_view, "view")
        self._following = True

    def _axes(self) -> list[Axis]:
        self.percent_axis = Axis(scale=self._x, side="top", grid_lines="none", visible=False)
        return [self.x_axis, self.y_axis, self.percent_axis]

    # -- what moves -----------------------------------------------------------------------------

    @property
    def symbol(self) -> str | None:
        """The symbol on the x axis, None for a common move."""
        return None if self.view == ALL else self.view

    @property
    def symbols(self) -> list[str]:
        """Symbols of the account's positions."""
        return list(dict.fromkeys(position.symbol for position in self.account.positions))

    @property
    def present(self) -> float:
        """Where the account is now on the x axis."""
        return 0.0 if self.symbol is None else self.account.mark(self.symbol)

    def update(self) -> None:
        """Draw the account as it is now, or once the picture is active."""
        if not self._closed and self.view != ALL and self.view not in self.symbols:
            self.view = self.selection.view = ALL
            if self._following:  # the change of the view has drawn it
                return
        super().update()

    def _on_shared_view(self, change: Any) -> None:
        self.view = change.new

    def _on_view(self, change: Any) -> None:
        self._zoom = None
        self.selection.view = change.new
        self.message = ""
        self.update()

    def _view_switch(self) -> str:
        """What is moved along x: buttons for few symbols, a list for many."""
        named = [(symbol, symbol) for symbol in self.symbols] + [(ALL, "All marks")]
        return choice("Horizontal axis", "axis", named, self.view)

    # -- the curve and its frame ----------------------------------------------------------------

    def sweep(self, account: Account, **marks: Any) -> Curve:
        """The account's curve along the x axis as it stands."""
        low, high = self._range
        if self.symbol is None:
            return account.curve(shock=True, low=low, high=high, **marks)
        return account.curve(self.symbol, low=low, high=high, **marks)

    def _fit_x(self, *others: Account) -> None:
        """Choose the range: what was zoomed to, else one that shows the first liquidations."""
        low, high = default_range(self.account.books, self.symbol)
        for other in others:
            if self.symbol is None or self.symbol in other.books.symbols:
                its_low, its_high = default_range(other.books, self.symbol)
                low, high = min(low, its_low), max(high, its_high)
        fitted = self._steady.fit(self.view, (low, high), self.present)
        self._range = self._zoom or fitted

    def _frame(self, y_low: float, y_high: float) -> None:
        """Frame, ticks and names of the axes."""
        low, high = self._range
        text = move if self.symbol is None else short
        values, crowded = side_by_side(low, high, text)
        assign(self.x_axis, tick_style=tick_style(5, crowded), label=self._x_name())
        self._put_percents(low, high)
        self._set_domain(
            (low, high),
            (y_low, y_high),
            {value: text(value) for value in values},
            {value: short(value) for value in nice_ticks(y_low, y_high)},
        )

    def _x_name(self) -> str:
        if self.symbol is None:
            return "common move of all marks"
        alone = len(self.account.books.symbols) == 1
        return f"mark price of {self.symbol}" + ("" if alone else ", other marks unchanged")

    def _put_percents(self, low: float, high: float) -> None:
        """Say above the frame how far from the mark a price is."""
        if self.symbol is not None:
            mark = self.present
            moves, crowded = side_by_side(low / mark - 1, high / mark - 1, move)
            # Above the handles of entries.
            assign(self.percent_axis, tick_style=tick_style(-4, crowded))
            put_ticks(self.percent_axis, {float(f"{mark * (1 + m):.12g}"): move(m) for m in moves})
        assign(self.percent_axis, visible=self.symbol is not None)
