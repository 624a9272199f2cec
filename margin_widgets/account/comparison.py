"""Two states of an account side by side: what was edited, and what it did to both margin modes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation import LABELS
from margin_widgets.account.position import FIELDS
from margin_widgets.account.positions import keys_of
from margin_widgets.account.report import MarginReport
from margin_widgets.account.state import MAPPINGS, AccountState, PositionState

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account
    from margin_widgets.account.report_card import ReportCard

MODES = ("isolated", "cross")
FIGURES: Mapping[str, str] = {
    "equity": "amount",
    "margin_balance": "amount",
    "available": "amount",
    "initial_margin": "amount",
    "maintenance_margin": "amount",
    "margin_ratio": "share",
    "effective_leverage": "multiple",
    "liquidation_shock": "move",
    "equity_after": "amount",
}
"""Figures of the account that are compared, and what kind of number each is."""

TITLES = {**LABELS, "equity_after": "equity after the first liquidation"}

MOST_ROWS = 50
"""Positions compared; a longer book says how many more there are."""
_NAMED = 3
"""Edits that the sentence names; the others are counted."""
_BEYOND = 1e-9
"""Relative: as far beyond its trigger a pool has fallen for certain."""
_POINTS = "\N{NO-BREAK SPACE}pp"


@dataclass(frozen=True)
class Compared:
    """One figure under one margin mode, before and now.

    Attributes
    ----------
    mode : {"isolated", "cross"}
    name : str
        Of the figure, e.g. ``"margin_ratio"`` or ``"liquidation_price"``.
    position : str
        Key of the position it is of; empty for one of the account.
    before, now : float or None
    before_text, now_text : str
        In words where there is no number.
    change_text : str
        Signed; empty where nothing changed, a dash where two numbers cannot be subtracted.
    """

    mode: str
    name: str
    position: str
    before: float | None
    now: float | None
    before_text: str
    now_text: str
    change_text: str

    @property
    def title(self) -> str:
        """What the figure is called."""
        label = TITLES[self.name]
        return f"{self.position}: {label}" if self.position else label

    @property
    def change(self) -> float | None:
        """Now less before; None where there is none of both."""
        return None if self.before is None or self.now is None else self.now - self.before

    @property
    def changed(self) -> bool:
        """Whether the two differ by what can be read."""
        return bool(self.change_text)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two accounts figure by figure, under both margin modes.

    Attributes
    ----------
    before, now : Account

    Examples
    --------
    >>> from margin_widgets import presets
    >>> before, now = presets.ref2(), presets.ref2()
    >>> now.positions["BTCUSDT"].leverage = 20
    >>> for line in Comparison(before, now).edits:
    ...     print(line)
    BTCUSDT leverage 10 → 20
    """

    before: Account
    now: Account

    @cached_property
    def figures(self) -> tuple[Compared, ...]:
        """Every figure of the account and the liquidation price of every position, mode by mode."""
        return tuple(one for mode in MODES for one in self._of(mode))

    def of(self, mode: str) -> tuple[Compared, ...]:
        """The figures under one margin mode."""
        return tuple(one for one in self.figures if one.mode == mode)

    def get(self, mode: str, name: str, position: str = "") -> Compared:
        """One figure.

        Raises
        ------
        KeyError
            If it is not compared.
        """
        for one in self.of(mode):
            if (one.name, one.position) == (name, position):
                return one
        raise KeyError(f"no {mode} {name} {position}".rstrip() + " among the figures compared")

    def holds(self, position: str) -> bool:
        """Whether a position is among those compared, before or now."""
        return bool(position) and any(one.position == position for one in self.figures)

    @property
    def more(self) -> int:
        """Positions beyond those that are compared."""
        return max(0, len(self._legs) - MOST_ROWS)

    @cached_property
    def edits(self) -> tuple[str, ...]:
        """What is not as it was: every field of the account in which the two differ."""
        return tuple(_edits(self.before.state, self.now.state))

    @property
    def comparable(self) -> bool:
        """Whether amounts are in the same currency."""
        return self.before.currency == self.now.currency

    def sentence(self, position: str = "", since: str = "Since then") -> str:
        """Say what was edited and what it did to liquidation, in words.

        Parameters
        ----------
        position : str
            Key of the position whose liquidation price is named; none if empty or not held.
        since : str
            How the sentence begins.
        """
        if not self.edits:
            return f"{since} nothing has changed."
        named = "; ".join(self.edits[:_NAMED])
        rest = len(self.edits) - _NAMED
        said = [f"{since}: {named}{f' and {rest} more' if rest > 0 else ''}."]
        names = [("liquidation_shock", ""), ("equity", "")]
        if self.holds(position):
            names.insert(0, ("liquidation_price", position))
        for name, key in names:
            said.append(self._moved(name, key))
        if not self.comparable:
            said.append(
                f"Amounts were in {self.before.currency} and are in {self.now.currency} now."
            )
        return " ".join(filter(None, said))

    def to_frame(self) -> pd.DataFrame:
        """One row per mode, position and figure: before, now and change."""
        import pandas as pd

        rows = [
            (one.mode, one.position, one.name, one.before, one.now, one.change)
            for one in self.figures
        ]
        index = ["mode", "position", "figure"]
        frame = pd.DataFrame(rows, columns=[*index, "before", "now", "change"]).set_index(index)
        return frame.astype(float)

    def html(self, sentence: str, before: str = "before", now: str = "now") -> str:
        """Return both modes as static HTML tables under a sentence."""
        from margin_widgets.account.chart_svg import static_table
        from margin_widgets.account.summary import _BOX, _note

        parts = [f'<p style="{_BOX}">{escape(sentence)}</p>']
        for mode in MODES:
            rows = [
                [one.title, one.before_text, one.now_text, one.change_text] for one in self.of(mode)
            ]
            parts.append(static_table([mode, before, now, "change"], rows))
        parts.append(_note(f"and {self.more} more positions" if self.more else ""))
        return f'<div style="max-width:60rem;overflow-x:auto">{"".join(parts)}</div>'

    def report_card(self) -> ReportCard:
        """Return both states as a result that stays readable in a saved notebook."""
        from margin_widgets.account.report_card import comparison_card

        return comparison_card(self)

    def _repr_html_(self) -> str:
        return self.html(self.sentence())

    # -- parts ------------------------------------------------------------------------------

    @cached_property
    def _legs(self) -> dict[tuple[str, str], tuple[str, int | None, int | None]]:
        """By symbol and side: the key, and the number of the position before and now."""
        found: dict[tuple[str, str], tuple[str, int | None, int | None]] = {}
        for rows, was in ((self.now.state.positions, False), (self.before.state.positions, True)):
            for number, (row, key) in enumerate(zip(rows, keys_of(rows), strict=True)):
                known, before, now = found.get((row.symbol, row.side), (key, None, None))
                found[row.symbol, row.side] = (
                    (known, number, now) if was else (known, before, number)
                )
        return found

    def _of(self, mode: str) -> Iterator[Compared]:
        reports: tuple[MarginReport, MarginReport] = (
            getattr(self.before, mode),
            getattr(self.now, mode),
        )
        for name, kind in FIGURES.items():
            first, second = self._pairs(reports)
            values = [_figure(*first, name)]
            values.append(values[0] if self.now is self.before else _figure(*second, name))
            texts = [
                _text(name, kind, value, report)
                for value, report in zip(values, reports, strict=True)
            ]
            yield self._compared(mode, name, "", kind, values, texts)
        for key, *numbers in list(self._legs.values())[:MOST_ROWS]:
            yield self._price(mode, key, numbers, reports)

    def _pairs(
        self, reports: tuple[MarginReport, MarginReport]
    ) -> list[tuple[MarginReport, Account]]:
        return list(zip(reports, (self.before, self.now), strict=True))

    def _price(
        self,
        mode: str,
        key: str,
        numbers: list[int | None],
        reports: tuple[MarginReport, MarginReport],
    ) -> Compared:
        values: list[float | None] = []
        texts: list[str] = []
        tick = None
        for number, report in zip(numbers, reports, strict=True):
            if number is None:
                values.append(None)
                texts.append("not held")
                continue
            one = report.positions[number]
            tick = report.books.contracts[int(report.books.book.symbol[number])].tick
            price = one.liquidation_price
            values.append(price)
            texts.append("none" if price is None else fmt.price(price, tick))
        return self._compared(mode, "liquidation_price", key, "price", values, texts, tick)

    def _compared(
        self,
        mode: str,
        name: str,
        position: str,
        kind: str,
        values: list[float | None],
        texts: list[str],
        tick: float | None = None,
    ) -> Compared:
        before, now = values
        if before is None or now is None or (kind == "amount" and not self.comparable):
            change = "" if texts[0] == texts[1] and self.comparable else fmt.NO_VALUE
        else:
            change = _signed(kind, now, before, tick)
        return Compared(mode, name, position, before, now, texts[0], texts[1], change)

    def _moved(self, name: str, position: str) -> str:
        """What became of a figure under both modes; nothing if it stayed."""
        pairs = [self.get(mode, name, position) for mode in MODES]
        if not any(one.changed for one in pairs):
            return ""
        isolated, cross = (
            f"{one.before_text} → {one.now_text}" if one.changed else f"{one.now_text} as before"
            for one in pairs
        )
        what = "First liquidation at a common move of" if name == "liquidation_shock" else ""
        what = what or pairs[0].title[:1].upper() + pairs[0].title[1:]
        if pairs[0].before_text == pairs[1].before_text and isolated == cross:
            return f"{what} {isolated} in both modes."
        return f"{what} {isolated} isolated, {cross} cross."


def restore(account: Account, state: AccountState) -> None:
    """Make an account what a state says, as one edit that can be undone.

    Positions that the account still holds keep their identity: by their ids, or else by symbol
    and side.

    Parameters
    ----------
    account : Account
    state : AccountState
        E.g. the ``state`` of another account.
    """
    held = {(row.symbol, row.side): row.id for row in account.state.positions}
    known = {row.id for row in account.state.positions}
    rows: list[PositionState] = []
    taken = {row.id for row in state.positions} & known
    for row in state.positions:
        same = held.get((row.symbol, row.side), row.id)
        free = row.id not in known and same not in taken
        rows.append(replace(row, id=same) if free else row)
        taken.add(rows[-1].id)
    with account.edit():
        account._write(state.replace(positions=tuple(rows)))


def first_fall(account: Account, mode: str) -> float | None:
    """Equity of the account right after its first liquidation by a common move; None without one.

    The venue's procedure is carried out at its trigger: what it closes, charges and returns.
    """
    report: MarginReport = getattr(account, mode)
    shock = report.liquidation_shock
    if shock is None:
        return None
    beyond = shock + (_BEYOND if shock > 0 else -_BEYOND) if shock else None
    return account.liquidation(mode, shock=beyond).equity_after


# -- words --------------------------------------------------------------------------------------


def _figure(report: MarginReport, account: Account, name: str) -> float | None:
    if name == "equity_after":
        return first_fall(account, report.mode)
    value: float | None = getattr(report, name)
    return value


def _text(name: str, kind: str, value: float | None, report: MarginReport) -> str:
    if name == "liquidation_shock" and report.status != "ok":
        return "now"
    if value is None:
        words = {"margin_ratio": "no balance", "effective_leverage": "no balance"}
        return words.get(name, "none")
    if kind == "amount":
        return fmt.amount(value)
    if kind == "multiple":
        return f"{fmt.plain(value, 2)}×"
    return fmt.move(value) if kind == "move" else fmt.percent(value, 2)


def _signed(kind: str, now: float, before: float, tick: float | None) -> str:
    """The difference as read; nothing where it rounds away."""
    change = now - before
    if kind == "move" and now * before < 0:  # the nearer side has changed: no distance between
        return "now upward" if now > 0 else "now downward"
    if kind == "price":
        decimals = fmt.price_decimals(max(abs(now), abs(before)), tick)
        text = fmt.amount(change, decimals)
    elif kind in ("share", "move"):
        text = fmt.amount(100 * change)
    else:
        text = fmt.amount(change)
    if not text.strip("0.,"):
        return ""
    plus = "" if text.startswith(fmt.MINUS) else "+"
    return plus + text + {"share": _POINTS, "move": _POINTS, "multiple": "×"}.get(kind, "")


def _edits(before: AccountState, now: AccountState) -> Iterator[str]:
    if before.venue != now.venue:
        labels = before.venue.label, now.venue.label
        yield (
            f"rules {labels[0]} → {labels[1]}"
            if labels[0] != labels[1]
            else f"rules {labels[0]} with other parts"
        )
    yield from _position_edits(before, now)
    names = {"marks": "mark", "prices": "price", "haircuts": "haircut"}
    for field in MAPPINGS:
        old, new = getattr(before, field), getattr(now, field)
        for key in dict.fromkeys([*old, *new]):
            if old.get(key) != new.get(key):
                what = f"{names[field]} of {key}" if field in names else key
                shown = [_content(content.get(key)) for content in (old, new)]
                yield f"{what} {shown[0]} → {shown[1]}"
    for field in ("order_margin", "as_of", "name"):
        old, new = getattr(before, field), getattr(now, field)
        if old != new:
            yield f"{field.replace('_', ' ')} {_content(old)} → {_content(new)}"


def _position_edits(before: AccountState, now: AccountState) -> Iterator[str]:
    new = {(row.symbol, row.side): row for row in now.positions}
    keys = dict(zip(new, keys_of(now.positions), strict=True))
    left = {(row.symbol, row.side): row for row in before.positions}
    for leg, row in left.items():
        if leg not in new:
            yield f"{row.side} {row.symbol} gone"
            continue
        for field in FIELDS:
            old, present = getattr(row, field), getattr(new[leg], field)
            if old != present:
                name = field.replace("_", " ")
                yield f"{keys[leg]} {name} {_content(old)} → {_content(present)}"
    for leg, row in new.items():
        if leg not in left:
            yield f"{row.side} {row.symbol} of {fmt.plain(row.quantity)} new"


def _content(content: Any) -> str:
    """A value of a field in words."""
    if content is None or content == "":
        return "none"
    if isinstance(content, str):
        return content
    if isinstance(content, tuple):  # bands of a haircut
        shares = [fmt.percent(share, 1) for _, share in content]
        return shares[0] if len(shares) == 1 else f"{shares[0]} to {shares[-1]}"
    return fmt.plain(content)
