"""Contagion graph: who backs whom, and who drains whom, in both modes side by side."""

from __future__ import annotations

import math
from html import escape
from typing import Any, ClassVar

from margin_widgets.account import formatting as fmt
from margin_widgets.account.contagion import (
    MODES,
    THICKEST,
    THINNEST,
    Contagion,
    Link,
    ModeGraph,
    Node,
    box,
    contagion,
    ends_of,
    height_of,
    lines_of,
    width_of,
)
from margin_widgets.account.outcome import move_of, outcome
from margin_widgets.widgets.markup import MODE_TITLES, button
from margin_widgets.widgets.move_picture import (
    REACH,
    MovePicture,
)
from margin_widgets.widgets.plotting import ALL

HEADS = ("Collateral", "Pools", "Positions")
KINDS = {"asset": "collateral", "pool": "pool", "position": "position"}


class ContagionGraph(MovePicture):
    """Collateral, pools and positions in fixed columns, and what moves between them in a move.

    In cross one pool stands behind everything; isolated positions have one each. What is closed
    carries a cross and its place in the order of falls, and what it gave is cut; two buttons go
    from fall to fall. A click or Enter on a position selects it; on a pool
    or an asset it explains the figure.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; ``selection.view`` is what moves.
    shock : float
        Relative move to start with.
    marks : mapping of symbol to price, optional
        Marks at the end of the move in place of a shock.
    active : bool
        Whether it follows edits.

    Attributes
    ----------
    graphs : Contagion or None
        What is drawn, None without positions.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> plot = ContagionGraph(mw.presets.ref2(), shock=-0.12)
    >>> [node.dead for node in plot.graphs.isolated.column("position")]
    [True, True]
    >>> plot.close()
    """

    title: ClassVar[str] = "Contagion graph"
    kind: ClassVar[str] = "contagion"
    remarks: ClassVar[int] = 5

    @property
    def graphs(self) -> Contagion | None:
        """What is drawn."""
        data: Contagion | None = self.data
        return data

    def _tools(self) -> str:
        back = button("◂ Back", "back", title="To the fall before, in either mode")
        on = button("Next fall ▸", "next", title="To the next liquidation, in either mode")
        return f'<span class="mw-row">{back}{on}</span>'

    def step(self, *, back: bool = False) -> None:
        """Go to the next place at which a pool of either mode falls, or to the one before.

        The shock is then the first on the slider that reaches it; before the first fall it is 0.
        Where nothing falls any more within reach it stays.
        """
        down = self.shock <= 0
        far = (-1.0 if down else 1.0) * REACH / 100.0
        move = move_of(self.account.books, far, symbol=None if self.view == ALL else self.view)
        falls = [fall.place for mode in MODES for fall in outcome(move, mode).falls]
        places = sorted({_reached(place) for place in falls}, key=abs)
        now = abs(self.shock)
        if back:
            before = [place for place in places if abs(place) < now - 1e-9]
            shock = before[-1] if before else 0.0
        else:
            shock = next((place for place in places if abs(place) > now + 1e-9), self.shock)
        with self.hold_trait_notifications():
            self.shock, self.marks = shock, {}

    def _compute(self, move: dict[str, Any]) -> Contagion:
        return contagion(self.account, **move)

    def _picture(self, data: Contagion) -> str:
        return picture(data, self.selection.key)

    def _receive(self, message: dict[str, Any]) -> None:
        if message.get("type") == "action" and message["action"] == "select":
            self.selection.key = str(message["value"])
            return
        if message.get("type") == "action" and message["action"] in ("back", "next"):
            self.step(back=message["action"] == "back")
            return
        super()._receive(message)


def _reached(place: float) -> float:
    """The first shock on the slider, in hundredths of a per cent, that is not before a place."""
    return math.copysign(math.ceil(abs(place) * 1e4 - 1e-6) / 1e4, place)


def picture(graphs: Contagion, selected: str = "") -> str:
    """Both modes side by side: lines below, buttons above."""
    modes = "".join(_mode(graphs, graph, selected) for graph in graphs.graphs)
    return (
        f'<div class="mw-graphs">{modes}</div>{_widths(graphs)}<p class="mw-caption">Grey:'
        " collateral backs a pool. Coloured: a position drains its pool (▸) or feeds it (◂). ✕ is"
        " closed, numbered in the order of falls, and what it gave is cut.</p>"
    )


def _widths(graphs: Contagion) -> str:
    """What a width of a line is in money."""
    if not graphs.widest:
        return ""
    samples = []
    for share in (1.0, 0.5, 0.1):
        amount = float(f"{share * graphs.widest:.2g}") if share < 1 else graphs.widest
        width = max(THINNEST, THICKEST * amount / graphs.widest)
        samples.append(
            '<span class="mw-key"><svg aria-hidden="true" width="26" height="16" style="flex:none">'
            '<line x1="0" y1="8" x2="26" y2="8" stroke="currentColor" stroke-opacity=".55"'
            f' stroke-width="{width:.1f}"/>'
            f"</svg>{escape(fmt.amount(amount, 0))}</span>"
        )
    return (
        f'<div class="mw-row mw-legend"><span>width, {escape(graphs.currency)}:</span>'
        f"{''.join(samples)}</div>"
    )


def _mode(graphs: Contagion, graph: ModeGraph, selected: str) -> str:
    height = height_of(graph)
    lines = "".join(_line(graphs, graph, link) for link in graph.links)
    heads = "".join(f"<span>{head}</span>" for head in HEADS)
    nodes = "".join(
        _node(graph, node, selected)
        for kind in ("asset", "pool", "position")
        for node in graph.column(kind)
    )
    title = MODE_TITLES[graph.mode]
    return (
        f'<section class="mw-{graph.mode}" aria-label="{title}"><h3 class="mw-graph-title">'
        f'<span class="mw-dot"></span>{title}</h3><div class="mw-graph-heads">{heads}</div>'
        f'<div class="mw-graph" style="height:{height:.0f}px">'
        f'<svg aria-hidden="true" width="100%" height="{height:.0f}">{lines}</svg>{nodes}'
        "</div></section>"
    )


def _line(graphs: Contagion, graph: ModeGraph, link: Link) -> str:
    x1, y1, x2, y2 = ends_of(graph, link)
    name = f"mw-{link.kind}{' mw-cut' if link.cut else ''}"
    width = 1.5 if link.cut else width_of(graphs, link)
    drawn = (
        f'<line class="{name}" x1="{100 * x1:.2f}%" y1="{y1:.1f}" x2="{100 * x2:.2f}%"'
        f' y2="{y2:.1f}" stroke-width="{width:.1f}"/>'
    )
    if link.cut:
        x, y, sign, anchor = (x1 + x2) / 2, (y1 + y2) / 2, "✕", "middle"
    elif link.kind == "feeds":
        x, y, sign, anchor = x1, y1, "◂", "start"
    else:
        x, y, sign, anchor = x2, y2, "▸", "end"
    return drawn + (
        f'<text class="{name}" x="{100 * x:.2f}%" y="{y + 4:.1f}" text-anchor="{anchor}">'
        f"{sign}</text>"
    )


def _node(graph: ModeGraph, node: Node, selected: str) -> str:
    left, right, top, bottom = box(node)
    label, amount, fate = lines_of(node)
    chosen = node.kind == "position" and node.key != "" and node.key == selected
    names = ["mw-node", *(["mw-dead"] if node.dead else []), *(["mw-chosen"] if chosen else [])]
    place = (
        f'class="{" ".join(names)}" style="left:{100 * left:.2f}%;'
        f'width:{100 * (right - left):.2f}%;top:{top:.1f}px;height:{bottom - top:.1f}px"'
    )
    told = f", {node.fate}" if node.fate else ""
    why = ", sound if isolated" if node.dragged else ""
    said = escape(f"{graph.mode}, {KINDS[node.kind]} {label}: {amount}{told}{why}")
    mark = '<i class="mw-closed" aria-hidden="true">✕ </i>' if node.dead else ""
    inside = (
        f'<span class="mw-sr">{graph.mode}, {KINDS[node.kind]} </span>'
        f"<b>{mark}{escape(label)}</b> <span>{escape(amount)}</span>"
        f' <span class="mw-fate">{escape(fate)}</span>'
    )
    key = escape(f"{graph.mode}-{node.id}")
    if node.kind == "position" and node.key:
        does = (
            f'data-action="select" data-value="{escape(node.key)}"'
            f' aria-pressed="{str(chosen).lower()}"'
        )
    elif node.path:
        does = f'data-explain="{escape(node.path)}"'
    else:
        return f'<div {place} title="{said}">{inside}</div>'
    return f'<button {place} {does} data-key="{key}" title="{said}">{inside}</button>'
