"""Who backs whom and who drains whom: collateral, pools and positions of both modes in a move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.chart_svg import COLORS, static_page, static_table
from margin_widgets.account.figures import Column, Shown
from margin_widgets.account.outcome import Fall, Move, Outcome, move_of, outcome

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

MODES = ("isolated", "cross")
COLUMNS = ("asset", "pool", "position")
MOST = 10
"""Positions of a pool that are shown one by one; the calmest beyond are grouped."""


@dataclass(frozen=True)
class Node:
    """Something that holds or moves money.

    Attributes
    ----------
    id : str
    kind : {"asset", "pool", "position"}
        Its column: collateral left, pools in the middle, positions right.
    label : str
    key : str
        Key of the position, name of the pool or the asset; empty for a group.
    path : str
        Path of the figure that explains it, empty if there is none.
    amount : float
        Worth of an asset, equity of a pool now, what a position gains in the move.
    fate : str
        What becomes of it, in words; empty if nothing does.
    dead : bool
        Whether it is closed on the way.
    dragged : bool
        Whether it is closed with its pool though it would stand if isolated.
    row, rows : float
        Middle, and how many rows it spans.
    order : int
        As the how manieth pool of its mode it, or its pool, falls; 0 if it stands.
    """

    id: str
    kind: str
    label: str
    key: str
    path: str
    amount: float
    fate: str
    dead: bool
    dragged: bool
    row: float
    rows: float = 1.0
    order: int = 0


@dataclass(frozen=True)
class Link:
    """Money from one node to another.

    Attributes
    ----------
    source, target : str
        Ids of nodes.
    kind : {"backs", "drains", "feeds"}
        Collateral backs a pool; a losing position drains its pool, a winning one feeds it.
    amount : float
        What it moves; of a loan, what is owed, negative.
    cut : bool
        Whether its source is dead: nothing more comes.
    """

    source: str
    target: str
    kind: str
    amount: float
    cut: bool


@dataclass(frozen=True, eq=False)
class ModeGraph:
    """One mode as nodes in fixed places and links."""

    mode: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Node]:
        """Nodes by id."""
        return {node.id: node for node in self.nodes}

    def column(self, kind: str) -> tuple[Node, ...]:
        """Nodes of one kind from the top."""
        return tuple(sorted((n for n in self.nodes if n.kind == kind), key=lambda n: n.row))


@dataclass(frozen=True, eq=False)
class Contagion:
    """Both modes in one move.

    Attributes
    ----------
    move : Move
    outcomes : mapping of mode to Outcome
    isolated, cross : ModeGraph
    """

    move: Move
    outcomes: Mapping[str, Outcome]
    isolated: ModeGraph
    cross: ModeGraph

    @property
    def currency(self) -> str:
        """Currency of all amounts."""
        return self.move.books.state.venue.currency

    @property
    def graphs(self) -> tuple[ModeGraph, ModeGraph]:
        """Both modes."""
        return self.isolated, self.cross

    @cached_property
    def widest(self) -> float:
        """The largest amount that a link moves."""
        amounts = [abs(link.amount) for graph in self.graphs for link in graph.links]
        return max(amounts, default=0.0)

    @cached_property
    def steps(self) -> tuple[float, ...]:
        """Places on the way at which a pool of either mode falls, the first fall first."""
        places = {fall.place for one in self.outcomes.values() for fall in one.falls}
        return tuple(sorted(places, key=abs))

    @cached_property
    def dragged(self) -> tuple[str, ...]:
        """Positions that cross closes though they would stand if isolated."""
        standing = self.outcomes["isolated"].fallen
        return tuple(
            key
            for key in self.move.books.keys
            if key in self.outcomes["cross"].fallen and key not in standing
        )

    @cached_property
    def text(self) -> str:
        """What is drawn, in a sentence or two."""
        told = "; ".join(self._told(mode) for mode in MODES)
        if not self.dragged:
            return f"{self.move.text}: {told}. No position is closed because of another one."
        names = _listed(self.dragged)
        many = len(self.dragged) > 1
        verb, them = ("are", "them") if many else ("is", "it")
        return (
            f"{self.move.text}: {told}. {names} {verb} sound if isolated: cross closes {them} too."
        )

    def _told(self, mode: str) -> str:
        result = self.outcomes[mode]
        loss = -float(result.pnl[result.pnl < 0].sum())
        drained = f"{mode}: positions drain {fmt.amount(loss)} {self.currency}"
        if not result.falls:
            return f"{drained}, no pool falls"
        pools = [
            f"{'the account' if fall.name == 'cross' else fall.name} at"
            f" {self.move.place_text(fall.place)}"
            for fall in result.falls
        ]
        if len(pools) > 1:
            pools[0] = f"first {pools[0]}"
        closed, count = len(result.fallen), len(self.move.books.keys)
        return f"{drained}, fallen: {_listed(pools)} ({closed} of {count} positions closed)"

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the table twin: one row per link."""
        amount = Column("amount", f"amount ({self.currency})")
        head = ("mode", "from", "does", "to", amount, "what becomes of them")
        rows: list[tuple[str, ...]] = []
        for graph in self.graphs:
            for link in graph.links:
                ends = [graph.by_id[link.source], graph.by_id[link.target]]
                fates = [f"{node.label} {node.fate}" for node in ends if node.fate]
                source, target = (node.label for node in ends)
                does = f"{link.kind} (cut)" if link.cut else link.kind
                fate = "; ".join(dict.fromkeys(fates))
                moved = Shown(fmt.amount(link.amount), link.amount)
                rows.append((graph.mode, source, does, target, moved, fate))
        return head, rows

    def svg(self) -> str:
        """The picture as inline SVG; words take the colour of the page."""
        return _svg(self)

    def _repr_html_(self) -> str:
        head, rows = self.table()
        title = f"Contagion ({self.currency})"
        return static_page(title, self.text, self.svg(), static_table(head, rows))


def contagion(
    account: Account,
    shock: float | None = None,
    *,
    symbol: str | None = None,
    marks: Mapping[str, float] | None = None,
    most: int = MOST,
) -> Contagion:
    """Draw who backs and who drains whom in a move, in both modes.

    Parameters
    ----------
    account : Account
    shock : float, optional
        Relative move of all marks, or of `symbol` alone; above -1.
    symbol : str, optional
    marks : mapping of symbol to price, optional
        Where the marks end, in place of a shock.
    most : int
        Positions of a pool that are shown one by one.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> contagion(presets.ref2(), -0.6, symbol="ETHUSDT").dragged
    ('BTCUSDT',)
    """
    move = move_of(account.books, shock, symbol=symbol, marks=marks)
    outcomes = {mode: outcome(move, mode) for mode in MODES}
    slots = _slots(move.books, outcomes, most)
    graphs = [_graph(move, mode, outcomes, slots) for mode in MODES]
    return Contagion(move, outcomes, *graphs)


@dataclass(frozen=True)
class _Slot:
    """A row of the positions: one of them, or a group."""

    label: str
    places: tuple[int, ...]


def _slots(books: Books, outcomes: Mapping[str, Outcome], most: int) -> list[_Slot]:
    """Rows of the positions, the same in both modes: by cross pool, the calmest grouped."""
    size = np.max([np.abs(one.pnl) for one in outcomes.values()], axis=0, initial=0.0)
    slots = []
    for members in books.pool_members("cross"):
        ranked = sorted(members, key=lambda place: -size[place])
        calm = set(ranked[most:] if len(ranked) > most + 1 else ())
        slots += [_Slot(books.keys[n], (n,)) for n in members if n not in calm]
        if calm:
            slots.append(_Slot(f"other ({len(calm)})", tuple(n for n in members if n in calm)))
    return slots


def _graph(
    move: Move, mode: str, outcomes: Mapping[str, Outcome], slots: Sequence[_Slot]
) -> ModeGraph:
    books, result = move.books, outcomes[mode]
    ledger = books.ledger(mode)
    partition, prices = ledger.partition, ledger.marked.asset_prices
    falls = {fall.pool: fall for fall in result.falls}
    groups = _pools(books, mode, slots)
    pool_nodes = [
        _pool_node(move, mode, falls, pools, label, rows) for label, pools, rows in groups
    ]
    next_row = float(len(slots) + sum(not rows for _, _, rows in groups))
    idle = partition.idle * prices
    if idle.any():
        worth = float(idle.sum())
        pool_nodes.append(
            Node(
                "idle",
                "pool",
                "idle",
                "",
                f"{mode}.idle",
                worth,
                "backs nothing",
                False,
                False,
                next_row,
            )
        )
        next_row += 1
    held = [a for a in range(len(books.assets)) if books.book.wallet[a]]
    asset_nodes = [
        Node(
            id=f"asset-{books.assets[a]}",
            kind="asset",
            label=books.assets[a],
            key=books.assets[a],
            path=f"collateral.{books.assets[a]}",
            amount=float(books.book.wallet[a] * prices[a]),
            fate=_revalued(float(result.revaluation[a])),
            dead=False,
            dragged=False,
            row=(place + 0.5) * max(next_row, len(held)) / len(held) - 0.5,
        )
        for place, a in enumerate(held)
    ]
    position_nodes = [
        _position_node(move, mode, outcomes, slot, row) for row, slot in enumerate(slots)
    ]
    nodes = (*asset_nodes, *pool_nodes, *position_nodes)
    dead = {node.id for node in nodes if node.dead}
    links = []
    for node, (_, pools, _) in zip(pool_nodes, groups, strict=False):
        backed = (partition.wallet[list(pools)].sum(axis=0) * prices).tolist()
        for a in held:
            if backed[a]:
                source = f"asset-{books.assets[a]}"
                links.append(Link(source, node.id, "backs", backed[a], cut=source in dead))
    links += [
        Link(f"asset-{books.assets[a]}", "idle", "backs", float(idle[a]), cut=False)
        for a in held
        if idle[a]
    ]
    for node, slot in zip(position_nodes, slots, strict=True):
        pool = f"pool-{_pool_of(groups, int(partition.pool[slot.places[0]]))}"
        ends = (pool, node.id) if node.amount <= 0 else (node.id, pool)
        kind = "drains" if node.amount <= 0 else "feeds"
        links.append(Link(*ends, kind, abs(node.amount), cut=ends[0] in dead))
    return ModeGraph(mode, nodes, tuple(links))


_Group = tuple[str, tuple[int, ...], tuple[int, ...]]
"""A node of the middle: its label, its pools, and the rows of their positions."""


def _pools(books: Books, mode: str, slots: Sequence[_Slot]) -> list[_Group]:
    """Pools in the order of their rows; those of grouped positions are grouped."""
    partition = books.partitions[mode]
    names = books.pool_names(mode)
    found: dict[tuple[int, ...], list[int]] = {}
    for row, slot in enumerate(slots):
        pools = tuple(dict.fromkeys(int(partition.pool[n]) for n in slot.places))
        found.setdefault(pools, []).append(row)
    groups: list[_Group] = [
        (names[pools[0]] if len(pools) == 1 else slots[rows[0]].label, pools, tuple(rows))
        for pools, rows in found.items()
    ]
    alone = [n for n in range(len(names)) if not partition.members[n]]
    return groups + [(names[n], (n,), ()) for n in alone if partition.wallet[n].any()]


def _pool_of(groups: Sequence[_Group], pool: int) -> int:
    return next(group[1][0] for group in groups if pool in group[1])


def _pool_node(
    move: Move,
    mode: str,
    falls: Mapping[int, Fall],
    pools: tuple[int, ...],
    label: str,
    rows: tuple[int, ...],
) -> Node:
    ledger = move.books.ledger(mode)
    closed = [falls[pool] for pool in pools if pool in falls]
    single = len(pools) == 1
    # A pool without positions stands below all others.
    last = float(len(move.books.keys))
    return Node(
        id=f"pool-{pools[0]}",
        kind="pool",
        label=label,
        key=label if single else "",
        path=f"{mode}.pools.{label}.equity" if single else "",
        amount=float(ledger.valuation.equity[list(pools)].sum()),
        fate=_fate(move, closed, len(pools)),
        dead=len(closed) == len(pools),
        dragged=False,
        row=(rows[0] + rows[-1]) / 2 if rows else last,
        rows=float(rows[-1] - rows[0] + 1) if rows else 1.0,
        order=_order(closed, falls.values()) if len(closed) == len(pools) else 0,
    )


def _position_node(
    move: Move, mode: str, outcomes: Mapping[str, Outcome], slot: _Slot, row: int
) -> Node:
    keys = [move.books.keys[n] for n in slot.places]
    result = outcomes[mode]
    closed = [fall for fall in result.falls if set(fall.positions) & set(keys)]
    dead = sum(key in result.fallen for key in keys)
    single = len(keys) == 1
    dragged = mode == "cross" and single and not set(keys) <= outcomes["isolated"].fallen
    return Node(
        id=f"position-{slot.places[0]}",
        kind="position",
        label=slot.label,
        key=keys[0] if single else "",
        path=f"{mode}.positions.{keys[0]}.unrealized_pnl" if single else "",
        amount=float(result.pnl[list(slot.places)].sum()),
        fate=_fate(move, closed, 1) if single else f"{dead} closed" if dead else "",
        dead=dead == len(keys),
        dragged=dragged and dead > 0,
        row=float(row),
        order=_order(closed, result.falls) if dead == len(keys) else 0,
    )


def _order(closed: Sequence[Fall], falls: Iterable[Fall]) -> int:
    """As the how manieth of all falls the last of some comes; those of one place share it."""
    if not closed:
        return 0
    last = max(abs(fall.place) for fall in closed)
    return 1 + sum(abs(fall.place) < last for fall in falls)


def _fate(move: Move, closed: Sequence[Fall], count: int) -> str:
    if not closed:
        return ""
    if count > 1:
        return f"{len(closed)} of {count} fallen"
    return (
        "closed now" if closed[0].place == 0.0 else f"closed at {move.place_text(closed[0].place)}"
    )


def _revalued(change: float) -> str:
    return f"price {'+' if change > 0 else ''}{fmt.amount(change)}" if change else ""


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:2])
    if len(names) > 2:
        return f"{', '.join(shown)} and {len(names) - 2} more"
    return " and ".join(shown)


# ---------------------------------------------------------------- geometry and the static picture

NODE, PITCH = 46, 56
"""Height of a node of one row, and distance from row to row, in pixels."""
SPANS = {"asset": (0.0, 0.28), "pool": (0.36, 0.64), "position": (0.72, 1.0)}
"""Left and right edge of each column as shares of the width."""
THICKEST, THINNEST = 14.0, 1.5


def box(node: Node) -> tuple[float, float, float, float]:
    """Left and right edge as shares of the width, top and bottom in pixels."""
    left, right = SPANS[node.kind]
    height = NODE + (node.rows - 1) * PITCH
    middle = node.row * PITCH + NODE / 2
    return left, right, middle - height / 2, middle + height / 2


def width_of(graphs: Contagion, link: Link) -> float:
    """Width of a link in pixels; the least is told apart from nothing."""
    share = abs(link.amount) / graphs.widest if graphs.widest else 0.0
    return max(THINNEST, THICKEST * share)


def ends_of(graph: ModeGraph, link: Link) -> tuple[float, float, float, float]:
    """Where a link begins and ends, from left to right: share and pixel of both."""
    pair = [graph.by_id[link.source], graph.by_id[link.target]]
    first, last = sorted(pair, key=lambda node: COLUMNS.index(node.kind))
    _, x1, top1, bottom1 = box(first)
    x2, _, top2, bottom2 = box(last)
    y1, y2 = (top1 + bottom1) / 2, (top2 + bottom2) / 2
    # A link into something that spans several rows stays in its own row.
    if first.rows > 1:
        y1 = min(max(y2, top1 + NODE / 2), bottom1 - NODE / 2)
    if last.rows > 1:
        y2 = min(max(y1, top2 + NODE / 2), bottom2 - NODE / 2)
    return x1, y1, x2, y2


def height_of(graph: ModeGraph) -> float:
    """Height of the picture of one mode in pixels."""
    return max((box(node)[3] for node in graph.nodes), default=0.0)


def lines_of(node: Node) -> tuple[str, str, str]:
    """The three lines of text of a node."""
    sign = "+" if node.kind == "position" and node.amount > 0 else ""
    fate = node.fate.removeprefix("closed ").removeprefix("price ")
    fate = f"{node.order}. {fate.removeprefix('at ')}" if node.order and fate else fate
    fate = "sound alone" if node.dragged else fate
    return node.label, f"{sign}{fmt.amount(node.amount)}", fate


def _svg(graphs: Contagion) -> str:
    each, gap, top = 420.0, 36.0, 24.0
    height = max(map(height_of, graphs.graphs)) + top + 4
    width = 2 * each + gap
    parts = []
    for number, graph in enumerate(graphs.graphs):
        left = number * (each + gap)
        colour = COLORS[graph.mode]
        parts.append(f'<text x="{left}" y="14" font-weight="bold">{graph.mode}</text>')
        parts += _drawn_links(graphs, graph, left, each, top, colour)
        for node in graph.nodes:
            a, b, y1, y2 = box(node)
            x, w = left + a * each, (b - a) * each
            dash = ' stroke-dasharray="4 3"' if node.dead else ""
            parts.append(
                f'<rect x="{x:.1f}" y="{y1 + top:.1f}" width="{w:.1f}" height="{y2 - y1:.1f}"'
                f' rx="4" fill="{colour}" fill-opacity=".08" stroke="{colour}"{dash}/>'
            )
            middle = (y1 + y2) / 2 + top
            for line, text in enumerate(lines_of(node)):
                mark = "✕ " if node.dead and line == 0 else ""
                shown = f"{mark}{text}"
                shown = shown if len(shown) <= 18 else f"{shown[:17]}…"
                parts.append(
                    f'<text x="{x + 6:.1f}" y="{middle - 8 + 13 * line:.1f}">{escape(shown)}</text>'
                )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img"'
        f' style="width:100%;max-width:{width:.0f}px;height:auto" fill="currentColor"'
        ' font-family="system-ui,sans-serif" font-size="11">'
        "<title>Who backs and who drains whom in both margin modes</title>"
        f"<desc>{escape(graphs.text)}</desc>{''.join(parts)}</svg>"
    )


def _drawn_links(
    graphs: Contagion, graph: ModeGraph, left: float, each: float, top: float, colour: str
) -> Iterator[str]:
    for link in graph.links:
        x1, y1, x2, y2 = ends_of(graph, link)
        tone = "currentColor" if link.kind == "backs" else colour
        dash = ' stroke-dasharray="3 4"' if link.cut else ""
        yield (
            f'<path d="M{left + x1 * each:.1f} {y1 + top:.1f}L{left + x2 * each:.1f}'
            f' {y2 + top:.1f}" stroke="{tone}" stroke-opacity=".45"'
            f' stroke-width="{2.0 if link.cut else width_of(graphs, link):.1f}"{dash}/>'
        )
        if not link.cut:
            at, sign = (x1, "◂") if link.kind == "feeds" else (x2, "▸")
            anchor = "start" if link.kind == "feeds" else "end"
            y = (y1 if link.kind == "feeds" else y2) + top + 4
            x = left + at * each
            yield f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{sign}</text>'
        else:
            x, y = left + (x1 + x2) / 2 * each, (y1 + y2) / 2 + top + 4
            yield f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">✕</text>'
