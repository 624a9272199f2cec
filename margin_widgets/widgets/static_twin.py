"""Parts that leave something true behind where no kernel runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any, ClassVar, Literal

from margin_widgets.account.chart_svg import static_page, static_table
from margin_widgets.account.csv_text import csv_text
from margin_widgets.account.png import png
from margin_widgets.account.svg_file import WIDTH, Theme, svg_file
from margin_widgets.widgets.lifetime import Part


def page_of(title: str, told: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Heading, sentence and table without a style sheet; no table without rows."""
    listed = list(rows)
    return static_page(title, told, "", static_table(head, listed) if listed else "")


class StaticTwin(Part):
    """A part whose ``text/html`` shows the present account without script or network.

    It does so whether the part follows edits or waits in a hidden tab.
    """

    account: Any

    def static_html(self) -> str:
        """The present state as static HTML."""
        raise NotImplementedError

    def static_text(self) -> str:
        """The present state in words."""
        return f"{type(self).__name__} of {self.account!r}"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if isinstance(bundle, dict):
            bundle["text/html"] = self.static_html()
            bundle["text/plain"] = self.static_text()
        return bundle


class DrawnTwin(StaticTwin):
    """A part that draws one computed thing, which has a static picture, a sentence and a table."""

    title: ClassVar[str]

    def _current(self) -> tuple[Any, str]:
        """What is to be drawn of the account as it is now, or None, and the sentence for it."""
        raise NotImplementedError

    def static_html(self) -> str:
        """Picture, sentence and table of the account as it is now."""
        data, words = self._current()
        page: str = f"<p>{escape(words)}</p>" if data is None else data._repr_html_()
        return page

    def static_text(self) -> str:
        """The sentence."""
        return f"{self.title}: {self._current()[1]}"

    # -- files ----------------------------------------------------------------------------------

    def to_svg(
        self,
        path: str | Path | None = None,
        *,
        theme: Theme = "auto",
        width: int = WIDTH,
        height: int | None = None,
        title: str | None = None,
    ) -> str:
        """Draw the account as it is now as a complete SVG file; no browser.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it too.
        theme : {"auto", "light", "dark"}
            ``"auto"`` is light, and dark where the reader's system is.
        width, height : int
            Pixels; without a height in the proportions of the picture.
        title : str, optional
            Heading, in place of what the picture is called.

        Raises
        ------
        ValueError
            If nothing is drawn, there is no such theme, or the size is too small.
        """
        data, words = self._current()
        if data is None:
            raise ValueError(f"nothing is drawn: {words}")
        svg = self._svg_file(data, theme, width, height, title)
        if path is not None:
            Path(path).write_text(svg, encoding="utf-8")
        return svg

    def _svg_file(
        self, data: Any, theme: Theme, width: int, height: int | None, title: str | None
    ) -> str:
        heading = self.title if title is None else title
        look: dict[str, Any] = {"theme": theme, "width": width, "height": height}
        return svg_file(data.svg(), title=heading, description=data.text, **look)

    def to_png(
        self,
        path: str | Path | None = None,
        *,
        theme: Literal["light", "dark"] = "light",
        width: int = WIDTH,
        height: int | None = None,
        title: str | None = None,
        scale: float = 2.0,
    ) -> bytes:
        """Draw the account as it is now as PNG, which has one theme; needs resvg_py.

        Parameters
        ----------
        path, theme, width, height, title
            As of `to_svg`.
        scale : float
            Pixels of the PNG per pixel of the SVG, 0.1 to 10.

        Raises
        ------
        ImportError
            If resvg_py is not installed, saying how to get it.
        ValueError
            See `to_svg`.
        """
        svg = self.to_svg(theme=theme, width=width, height=height, title=title)
        drawn = png(svg, scale=scale)
        if path is not None:
            Path(path).write_bytes(drawn)
        return drawn

    def to_csv(self, path: str | Path | None = None) -> str:
        """The table behind *Show data* as CSV, for the account as it is now.

        Numbers are not rounded and stand alone: units are in the head, and shares are fractions.

        Raises
        ------
        ValueError
            If nothing is drawn.
        """
        data, words = self._current()
        if data is None:
            raise ValueError(f"nothing is drawn: {words}")
        text = csv_text(*self._table(data))
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def _table(self, data: Any) -> tuple[Sequence[str], Iterable[Sequence[str]]]:
        """Head and rows of the table twin."""
        table: tuple[Sequence[str], Iterable[Sequence[str]]] = data.table()
        return table
