"""From equity now to equity after a move, step by step, in both margin modes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Literal

from margin_widgets.account import formatting as fmt
from margin_widgets.account.chart_svg import COLORS, static_page, static_table
from margin_widgets.account.figures import Column, Shown
from margin_widgets.account.outcome import Fall, Move, Outcome, move_of, outcome

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

MODES = ("isolated", "cross")
Measure = Literal["equity", "margin_balance"]
MEASURES: Mapping[Measure, str] = {"equity": "equity", "margin_balance": "margin balance"}
TOTALS = ("start", "end")
TINY = 0.01
"""Steps smaller than this share of the whole range are grouped."""
MOST = 12
"""Steps of one kind that are shown one by one; the smallest beyond are grouped."""


@dataclass(frozen=True)
class Bar:
    """One step of one mode.

    Attributes
    ----------
    amount : float
        What it adds; of a total, the total.
    begin, end : float
        Levels between which it is drawn.
    shown : float
        The amount in whole cents. Rounded so that what is printed sums as the amounts do.
    path : str
        Path of the figure that explains it.
    note : str
        What happened on the way, in words; empty if nothing did.
    """

    amount: float
    begin: float
    end: float
    shown: float
    path: str
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One step of both modes, aligned.

    Attributes
    ----------
    kind : {"start", "price", "fee", "residual", "shortfall", "collateral", "haircut", "end"}
    label : str
    key : str
        Key of the position, or the asset; empty for others.
    bars : mapping of mode to Bar
    members : int
        How many steps it groups.
    """

    kind: str
    label: str
    key: str
    bars: Mapping[str, Bar]
    members: int = 1


@dataclass(frozen=True)
class _Entry:
    """A step before it has its level."""

    kind: str
    label: str
    key: str
    amounts: Mapping[str, float]
    paths: Mapping[str, str]
    notes: Mapping[str, str] = field(default_factory=dict)
    members: int = 1

    @property
    def size(self) -> float:
        return max(abs(amount) for amount in self.amounts.values())


@dataclass(frozen=True, eq=False)
class Waterfall:
    """Both modes from the present to the end of a move; the steps sum to ``end - start``.

    Attributes
    ----------
    move : Move
    measure : {"equity", "margin_balance"}
    outcomes : mapping of mode to Outcome
    rows : tuple of Row
        The first and the last are the totals.
    """

    move: Move
    measure: Measure
    outcomes: Mapping[str, Outcome]
    rows: tuple[Row, ...]

    @property
    def currency(self) -> str:
        """Currency of all amounts."""
        return self.move.books.state.venue.currency

    def start(self, mode: str) -> float:
        """What a mode starts from."""
        return self.rows[0].bars[mode].amount

    def end(self, mode: str) -> float:
        """What it ends with."""
        return self.rows[-1].bars[mode].amount

    @cached_property
    def range(self) -> tuple[float, float]:
        """Lowest and highest level of both modes, zero included."""
        levels = [
            level
            for row in self.rows
            for bar in row.bars.values()
            for level in (bar.begin, bar.end)
        ]
        return min(0.0, *levels), max(0.0, *levels)

    @cached_property
    def text(self) -> str:
        """What is drawn, in a sentence or two."""
        told = "; ".join(self._told(mode) for mode in MODES)
        ahead = self.end("isolated") - self.end("cross")
        size = max(abs(self.end(mode)) for mode in MODES)
        if abs(ahead) <= 1e-9 * max(1.0, size):
            last = "Both end with the same."
        else:
            leader = "Isolated" if ahead > 0 else "Cross"
            last = f"{leader} ends {fmt.amount(abs(ahead))} {self.currency} ahead."
        return f"{self.move.text}: {told}. {last}"

    def _told(self, mode: str) -> str:
        result = self.outcomes[mode]
        way = f"{fmt.amount(self.start(mode))} to {fmt.amount(self.end(mode))} {self.currency}"
        of = "" if self.measure == "equity" else f"{MEASURES[self.measure]} "
        if not result.falls:
            return f"{mode} {of}goes from {way}, nothing is liquidated"
        named = [_where(self.move, fall) for fall in result.falls[:2]]
        if len(result.falls) > 2:
            named.append(f"{len(result.falls) - 2} more")
        costs = [
            f"{fmt.amount(amount)} {words}"
            for amount, words in (
                (result.fees, "liquidation fee"),
                (result.residuals, "residual lost"),
                (result.shortfalls, "shortfall paid by others"),
            )
            if amount >= 0.005
        ]
        lost = f" ({', '.join(costs)})" if costs else ""
        return f"{mode} {of}goes from {way}, liquidated: {', '.join(named)}{lost}"

    @property
    def assumptions(self) -> str:
        """What is in the steps and what is not."""
        rules = self.move.books.state.venue
        left = {
            "kept": "what is left of a closed pool goes to the insurance fund",
            "returned": "what is left of a closed pool is returned",
            "split": f"{fmt.percent(rules.residual_share, 0)} of what is left of a closed pool"
            " is returned",
        }[rules.residual]
        return (
            f"Liquidation fee {fmt.percent(rules.liquidation_fee, 2)} · {left} · funding 0, as a"
            " move takes no time · a closed pool stays closed."
        )

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the table twin, as text."""
        amounts = (Column(mode, f"{mode} ({self.currency})") for mode in MODES)
        head = ("step", *amounts, "on the way")
        rows = []
        for row in self.rows:
            notes = [f"{mode}: {row.bars[mode].note}" for mode in MODES if row.bars[mode].note]
            cells = (Shown(amount_text(row, mode), row.bars[mode].amount) for mode in MODES)
            rows.append((row.label, *cells, "; ".join(notes)))
        return head, rows

    def to_frame(self) -> pd.DataFrame:
        """One row per step: kind, label, and amount and level of both modes."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "step": row.label,
                    "kind": row.kind,
                    **{f"{mode}_amount": row.bars[mode].amount for mode in MODES},
                    **{f"{mode}_level": row.bars[mode].end for mode in MODES},
                }
                for row in self.rows
            ]
        )

    def svg(self) -> str:
        """The picture as inline SVG; words take the colour of the page."""
        return _svg(self)

    def _repr_html_(self) -> str:
        head, rows = self.table()
        head, rows = head[:-1], [row[:-1] for row in rows]  # what happened stands in the sentence
        title = f"Loss waterfall ({self.currency})"
        return static_page(
            title, f"{self.text} {self.assumptions}", self.svg(), static_table(head, rows)
        )


def waterfall(
    account: Account,
    shock: float | None = None,
    *,
    symbol: str | None = None,
    marks: Mapping[str, float] | None = None,
    measure: Measure = "equity",
    tiny: float = TINY,
    most: int = MOST,
) -> Waterfall:
    """Take both modes apart from the present to the end of a move.

    Parameters
    ----------
    account : Account
    shock : float, optional
        Relative move of all marks, or of `symbol` alone; above -1.
    symbol : str, optional
    marks : mapping of symbol to price, optional
        Where the marks end, in place of a shock. Several go there together on a straight way.
    measure : {"equity", "margin_balance"}
        Whether haircuts are left out or have a step of their own.
    tiny : float
        Steps below this share of the whole range are grouped.
    most : int
        Steps of one kind that are shown one by one.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> fall = waterfall(presets.ref2(), -0.12)
    >>> round(fall.end("isolated"), 2), round(fall.end("cross"), 2)
    (3000.0, 1600.0)
    """
    if measure not in MEASURES:
        raise ValueError(f"measure: {measure!r} is not one of {', '.join(map(repr, MEASURES))}")
    move = move_of(account.books, shock, symbol=symbol, marks=marks)
    outcomes = {mode: outcome(move, mode) for mode in MODES}
    entries = list(_entries(move, outcomes, measure))
    start = {mode: _total(one.start, one.haircut_start, measure) for mode, one in outcomes.items()}
    end = {mode: _total(one.end, one.haircut_end, measure) for mode, one in outcomes.items()}
    entries = _grouped(entries, tiny * _span(start, entries), most)
    return Waterfall(move, measure, outcomes, tuple(_levelled(entries, start, end, measure)))


def amount_text(row: Row, mode: str) -> str:
    """The amount of a bar as printed: steps carry their sign.

    >>> amount_text(Row("price", "", "", {"cross": Bar(5.0, 0.0, 5.0, 5.0, "")}), "cross")
    '+5.00'
    """
    shown = row.bars[mode].shown
    text = fmt.amount(shown)
    return f"+{text}" if row.kind not in TOTALS and shown > 0 else text


def _total(equity: float, haircut: float, measure: Measure) -> float:
    return equity if measure == "equity" else equity - haircut


def _where(move: Move, fall: Fall) -> str:
    name = "the account" if fall.name == "cross" else fall.name
    return f"{name} at {move.place_text(fall.place)}"


def _entries(move: Move, outcomes: Mapping[str, Outcome], measure: Measure) -> Iterator[_Entry]:
    """Every step, in the order in which they are told."""
    books = move.books
    closed = {
        mode: {key: fall for fall in one.falls for key in fall.positions}
        for mode, one in outcomes.items()
    }
    for place, key in enumerate(books.keys):
        yield _Entry(
            kind="price",
            label=f"{key} price PnL",
            key=key,
            amounts={mode: float(one.pnl[place]) for mode, one in outcomes.items()},
            paths={mode: f"{mode}.positions.{key}.unrealized_pnl" for mode in MODES},
            notes={
                mode: f"closed at {move.place_text(found[key].place)}"
                for mode, found in closed.items()
                if key in found
            },
        )
    for kind, label, share in _CHARGES:
        amounts = {mode: sum(map(share, one.falls)) for mode, one in outcomes.items()}
        if any(amounts.values()):
            yield _Entry(
                kind=kind,
                label=label,
                key="",
                amounts=amounts,
                paths={mode: _path(mode, one) for mode, one in outcomes.items()},
                notes={mode: _shares(move, one, share) for mode, one in outcomes.items()},
            )
    for place, asset in enumerate(books.assets):
        changes = {mode: float(one.revaluation[place]) for mode, one in outcomes.items()}
        if any(changes.values()):
            yield _Entry(
                kind="collateral",
                label=f"{asset} collateral, price",
                key=asset,
                amounts=changes,
                paths=dict.fromkeys(MODES, f"collateral.{asset}.price"),
            )
    if measure == "margin_balance":
        changes = {m: one.haircut_start - one.haircut_end for m, one in outcomes.items()}
        if any(changes.values()):
            yield _Entry(
                kind="haircut",
                label="Collateral, haircut",
                key="",
                amounts=changes,
                paths={mode: f"{mode}.margin_balance" for mode in MODES},
            )


_CHARGES: tuple[tuple[str, str, Callable[[Fall], float]], ...] = (
    ("fee", "Liquidation fee", lambda fall: -fall.fee),
    ("residual", "Residual lost", lambda fall: -fall.residual),
    ("shortfall", "Shortfall paid by others", lambda fall: fall.shortfall),
)


def _path(mode: str, result: Outcome) -> str:
    """What explains a charge: where its first pool falls."""
    for fall in result.falls:
        if fall.positions:
            return f"{mode}.positions.{fall.positions[0]}.liquidation_shock"
    return f"{mode}.liquidation_shock"


def _shares(move: Move, result: Outcome, share: Callable[[Fall], float]) -> str:
    taken = [(fall, share(fall)) for fall in result.falls if share(fall)]
    named = [f"{fmt.amount(amount)} {_where(move, fall)}" for fall, amount in taken[:3]]
    if len(taken) > 3:
        named.append(f"{len(taken) - 3} more")
    return ", ".join(named)


def _span(start: Mapping[str, float], entries: Iterable[_Entry]) -> float:
    """Size of the whole picture."""
    span = 0.0
    for mode, level in start.items():
        low, high = min(0.0, level), max(0.0, level)
        for entry in entries:
            level += entry.amounts[mode]
            low, high = min(low, level), max(high, level)
        span = max(span, high - low)
    return span


def _grouped(entries: Sequence[_Entry], tiny: float, most: int) -> list[_Entry]:
    """Put the smallest positions, and the smallest assets, together."""
    found = list(entries)
    for kind, words in (("price", "other price PnL"), ("collateral", "other collateral, price")):
        mine = sorted((one for one in found if one.kind == kind), key=lambda one: -one.size)
        small = [one for n, one in enumerate(mine) if one.size < tiny or n >= most]
        if len(small) < 2 or (len(small) == len(mine) <= most):
            continue  # where all are tiny, none is in the way of another
        first = next(n for n, one in enumerate(found) if one.kind == kind)
        kept = [one for one in found[first:] if one.kind == kind and one not in small]
        group = _Entry(
            kind=kind,
            label=f"{words} ({len(small)})",
            key="",
            amounts={mode: sum(one.amounts[mode] for one in small) for mode in MODES},
            paths={
                mode: f"{mode}.unrealized_pnl" if kind == "price" else f"{mode}.wallet_balance"
                for mode in MODES
            },
            notes={mode: note for mode in MODES if (note := _closed_among(small, mode))},
            members=len(small),
        )
        rest = [one for one in found[first:] if one.kind != kind]
        found = [*found[:first], *kept, group, *rest]
    return found


def _closed_among(entries: Sequence[_Entry], mode: str) -> str:
    closed = sum(mode in one.notes for one in entries)
    return f"{closed} of them closed" if closed else ""


def _levelled(
    entries: Sequence[_Entry],
    start: Mapping[str, float],
    end: Mapping[str, float],
    measure: Measure,
) -> Iterator[Row]:
    name = MEASURES[measure]
    totals = {mode: f"{mode}.{measure}" for mode in MODES}
    first, last = ({mode: round(of[mode], 2) for mode in MODES} for of in (start, end))
    yield Row(
        "start",
        f"{name.capitalize()} now",
        "",
        {mode: Bar(start[mode], 0.0, start[mode], first[mode], totals[mode]) for mode in MODES},
    )
    level = dict(start)
    cents = {
        mode: _in_cents([one.amounts[mode] for one in entries], last[mode] - first[mode])
        for mode in MODES
    }
    for place, entry in enumerate(entries):
        bars = {}
        for mode in MODES:
            begin, amount = level[mode], entry.amounts[mode]
            level[mode] = begin + amount
            bars[mode] = Bar(
                amount=amount,
                begin=begin,
                end=level[mode],
                shown=cents[mode][place],
                path=entry.paths[mode],
                note=entry.notes.get(mode, ""),
            )
        yield Row(entry.kind, entry.label, entry.key, bars, entry.members)
    yield Row(
        "end",
        f"{name.capitalize()} after",
        "",
        {mode: Bar(end[mode], 0.0, end[mode], last[mode], totals[mode]) for mode in MODES},
    )


def _in_cents(amounts: Sequence[float], total: float) -> list[float]:
    """Amounts in cents whose sum is `total`: those nearest to the other cent give way."""
    cents = [round(100 * amount) for amount in amounts]
    missing = round(100 * total) - sum(cents)
    step = 1 if missing > 0 else -1
    # An amount of nothing stays nothing.
    order = sorted(
        (n for n, amount in enumerate(amounts) if amount),
        key=lambda n: step * (cents[n] - 100 * amounts[n]),
    )
    for place in order[: abs(missing)]:
        cents[place] += step
    return [cent / 100 for cent in cents]


# ---------------------------------------------------------------- the static picture

_ROW, _TOP, _LABEL, _WIDE, _GAP = 22, 26, 168, 226, 10


def _svg(fall: Waterfall) -> str:
    low, high = fall.range
    span = (high - low) or 1.0
    height = _TOP + _ROW * len(fall.rows) + 8
    width = _LABEL + 2 * _WIDE + 2 * _GAP
    parts = []
    for number, row in enumerate(fall.rows):
        y = _TOP + _ROW * number
        parts.append(_text(0, y + 15, row.label, "start", 26))
        for side, mode in enumerate(MODES):
            left = _LABEL + _GAP + side * (_WIDE + _GAP)
            bar = row.bars[mode]
            # The amounts stand in a column of their own right of the bars.
            scale = (_WIDE - 80) / span
            a, b = (left + (level - low) * scale for level in sorted((bar.begin, bar.end)))
            zero = left - low * scale
            parts.append(
                f'<path d="M{zero:.1f} {y}v{_ROW}" stroke="currentColor" stroke-opacity=".4"/>'
            )
            colour = COLORS["liq"] if row.kind in ("fee", "residual") else COLORS[mode]
            solid = 1.0 if row.kind in TOTALS else 0.55 if bar.amount < 0 else 0.15
            parts.append(
                f'<rect x="{a:.1f}" y="{y + 4}" width="{max(b - a, 0.8):.1f}" height="14"'
                f' fill="{colour}" fill-opacity="{solid}" stroke="{colour}"/>'
            )
            parts.append(_text(left + _WIDE, y + 15, amount_text(row, mode), "end", 20))
    for side, mode in enumerate(MODES):
        left = _LABEL + _GAP + side * (_WIDE + _GAP)
        parts.append(_text(left, 14, f"{mode} ({fall.currency})", "start", 30))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' style="width:100%;max-width:{width}px;height:auto" fill="currentColor"'
        ' font-family="system-ui,sans-serif" font-size="11">'
        f"<title>Loss waterfall of both margin modes</title><desc>{escape(fall.text)}</desc>"
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str, most: int) -> str:
    shown = text if len(text) <= most else f"{text[: most - 1]}…"
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(shown)}</text>'
