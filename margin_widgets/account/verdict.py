"""Isolated or cross, in a sentence written from the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.course import FARTHEST, Course, Fall, spans
from margin_widgets.account.report import MarginReport
from margin_widgets.engine.options import moves_with
from margin_widgets.engine.piecewise import evaluate

if TYPE_CHECKING:
    from margin_widgets.account.account import Account
    from margin_widgets.account.curve import Curve

Piece = tuple[str, str | None]

_NAMED = 2
"""Liquidations that are named; the others are counted."""
_SPANS = 4
"""Most changes of the lead that a sentence can carry."""


@dataclass(frozen=True)
class Verdict:
    """What a common move of all marks does to both margin modes.

    Attributes
    ----------
    parts : tuple of (text, path or None)
        The sentence in pieces; a piece with a path is a number that `Account.explain` explains.
    """

    parts: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The sentence."""
        return "".join(text for text, _ in self.parts)

    def html(self) -> str:
        """Return the sentence as HTML, its key numbers bold."""
        return "".join(
            f"<b>{escape(text)}</b>" if path else escape(text) for text, path in self.parts
        )

    def _repr_html_(self) -> str:
        return f"<p>{self.html()}</p>"

    def __str__(self) -> str:
        return self.text


def verdict(account: Account, curve: Curve | None = None) -> Verdict:
    """Say what a common move of all marks does first, and which mode it leaves ahead.

    Parameters
    ----------
    account : Account
    curve : Curve, optional
        A common-move curve of the account, if one is at hand; its range does not matter.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> words = verdict(presets.ref2()).text.split()
    >>> print(" ".join(words))  # doctest: +NORMALIZE_WHITESPACE
    If all marks fall together, isolated loses ETHUSDT at −9.09 % and BTCUSDT at −9.55 % and keeps
    3,000.00; cross stands until −13.73 % and then loses the account.
    Between −9.09 % and −10.00 % cross is ahead, beyond that isolated is.
    """
    books = account.books
    if not books.keys:
        equity = fmt.amount(account.cross.equity)
        return Verdict(((f"No positions: nothing can be liquidated, equity is {equity}.", None),))
    if curve is None or curve.symbol is not None:
        curve = account.curve(shock=True, low=-0.5, high=0.5, points=2)
    return Verdict(tuple(_sentences(curve)))


def conditions(account: Account) -> str:
    """Say which marks the cross liquidation prices take for granted; "" if none."""
    report, books = account.cross, account.books
    book, partition = books.book, report.ledger.partition
    prices = report.ledger.liquidation_prices
    below = np.array([pool.status != "ok" for pool in report.pools])
    if below.all() and len(below):
        return "Cross is below maintenance at these marks: it would be liquidated now."
    priced = ~(np.isnan(prices.lower) & np.isnan(prices.upper))
    dependent: dict[int, list[int]] = {}  # on which of the symbols held in its pool
    given: dict[int, None] = {}
    for pool in range(len(partition.wallet)):
        members = partition.pool == pool
        assets = np.flatnonzero(partition.wallet[pool])
        followed = book.asset_symbol[np.concatenate([assets, book.position_settle[members]])]
        held = list(
            dict.fromkeys([*book.symbol[members].tolist(), *followed[followed >= 0].tolist()])
        )
        alone = [
            symbol
            for symbol in dict.fromkeys(book.symbol[members & priced].tolist())
            if any(not moves_with(book, one, symbol) for one in held)
        ]
        dependent |= dict.fromkeys(alone, held)
        given |= dict.fromkeys(
            one for one in held if any(not moves_with(book, one, symbol) for symbol in alone)
        )
    if not dependent:
        return ""
    concerned = list(dict.fromkeys([*dependent, *given]))

    def at(symbol: int) -> str:
        return fmt.price(float(books.marks[symbol]), books.contracts[symbol].tick)

    if len(concerned) <= 3:
        clauses = [
            f"{books.symbols[symbol]} if "
            + " and ".join(
                f"{books.symbols[one]} is at {at(one)}"
                for one in held
                if not moves_with(book, one, symbol)
            )
            for symbol, held in dependent.items()
        ]
        return f"Cross prices hold if the other marks stay: {', '.join(clauses)}."
    named = [f"{books.symbols[symbol]} at {at(symbol)}" for symbol in concerned[:3]]
    return (
        f"Cross prices hold if the other marks stay: {', '.join(named)}"
        f" and {len(concerned) - 3} more."
    )


# -- writing ------------------------------------------------------------------------------------


def _sentences(curve: Curve) -> Iterator[Piece]:
    books = curve.books
    tracks = {mode: getattr(curve, mode).series.track for mode in ("isolated", "cross")}
    courses = {
        (mode, side): Course(mode, books, track, side)
        for mode, track in tracks.items()
        for side in (0, 1)
    }
    yield from _already_below(courses["isolated", 0], courses["cross", 0])
    firsts = [
        (abs(fall.u - 1.0), side)
        for (_, side), course in courses.items()
        for fall in course.falls[:1]
    ]
    if not firsts:
        if tracks["isolated"].fallen.any() or tracks["cross"].fallen.any():
            yield "No common move liquidates anything else.", None
        else:
            yield f"No common fall of all marks, and no rise up to {_move(FARTHEST)},", None
            yield " liquidates a position in either mode.", None
        return
    side = min(firsts)[1]
    isolated, cross = courses["isolated", side], courses["cross", side]
    yield f"If all marks {('fall', 'rise')[side]} together, ", None
    yield from _what_isolated_does(isolated)
    yield "; ", None
    yield from _what_cross_does(cross)
    yield ". ", None
    yield from _who_leads(isolated, cross)
    yield from _the_other_way(courses["isolated", 1 - side], courses["cross", 1 - side])


def _already_below(isolated: Course, cross: Course) -> Iterator[Piece]:
    fallen = np.flatnonzero(isolated.track.fallen)
    named = [" and ".join(isolated.members(int(pool))) for pool in fallen]
    below = [f"{_listed(named)} isolated"] if named else []
    pools = np.flatnonzero(cross.track.fallen)
    if len(pools):
        everything = len(pools) == len(cross.track.fallen)
        of_pools = _listed([" and ".join(cross.members(int(pool))[:3]) for pool in pools])
        below.append("the cross account" if everything else f"{of_pools} in cross")
    if below:
        yield "Below maintenance margin at the present marks: ", None
        paths = [f"{c.mode}.status" for c in (isolated, cross) if c.track.fallen.any()]
        for number, (text, path) in enumerate(zip(below, paths, strict=True)):
            yield (", ", None) if number else ("", None)
            yield text, path
        yield ". ", None


def _listed(names: list[str]) -> str:
    shown = names[:_NAMED]
    if len(names) > _NAMED:
        return f"{', '.join(shown)} and {len(names) - _NAMED} more"
    return " and ".join(shown)


def _move(u: float) -> str:
    return fmt.percent(u - 1.0, sign=True)


def _number(course: Course, fall: Fall) -> Piece:
    """The move of a liquidation, with the path of the figure that explains it."""
    pools = course.track.trigger[fall.pool] - 1.0
    other = pools[1 - course.side]
    nearest = math.isnan(other) or abs(fall.u - 1.0) <= abs(other)
    figure = "liquidation_shock" if nearest else "liquidation_shocks"
    if course.mode == "cross" and len(course.track.trigger) == 1:
        return _move(fall.u), f"cross.{figure}"
    key = course.members(fall.pool)[0]
    if key not in course.books.places:
        return _move(fall.u), None
    return _move(fall.u), f"{course.mode}.positions.{key}.{figure}"


def _what_isolated_does(course: Course) -> Iterator[Piece]:
    falls = course.falls
    if not falls:
        yield "isolated loses no position", None
        return
    yield "isolated loses ", None
    for number, fall in enumerate(falls[:_NAMED]):
        if number:
            yield (" and " if len(falls) == 2 else ", "), None
        yield f"{' and '.join(course.members(fall.pool))} at ", None
        yield _number(course, fall)
    rest = falls[_NAMED:]
    if rest:
        yield f" and {len(rest)} more until ", None
        yield _number(course, rest[-1])
    *_, last = course.pieces()
    left = last.value(last.begin)
    word = "owes" if left < 0 else "keeps" if _all_gone(course) else "has"
    yield f" and {word} {fmt.amount(abs(left))}", None
    open_still = len(course.track.trigger) - len(falls) - int(course.track.fallen.sum())
    if open_still:
        standing = "position" if open_still == 1 else "positions"
        yield f" there with {open_still} {standing} still open", None
    elif last.moves:
        yield " there", None


def _all_gone(course: Course) -> bool:
    return len(course.falls) + int(course.track.fallen.sum()) == len(course.track.trigger)


def _what_cross_does(course: Course) -> Iterator[Piece]:
    falls = course.falls
    if not falls:
        if course.track.fallen.all():
            yield "cross is gone already", None
        else:
            most = ("fall", f"rise up to {_move(FARTHEST)}")[course.side]
            yield f"cross is not liquidated by any common {most}", None
        return
    pieces = list(course.pieces())
    if len(course.track.trigger) == 1:
        yield "cross stands until ", None
        yield _number(course, falls[0])
        yield " and then ", None
    else:
        yield "cross loses ", None
        for number, fall in enumerate(falls[:_NAMED]):
            if number:
                yield (" and " if len(falls) == 2 else ", "), None
            keys = course.members(fall.pool)
            yield f"{_listed(keys)} at ", None
            yield _number(course, fall)
        if falls[_NAMED:]:
            yield f" and {len(falls) - _NAMED} more", None
        yield " and ", None
    before = pieces[-2].value(pieces[-1].begin)
    after = pieces[-1].value(pieces[-1].begin)
    if _all_gone(course) and abs(after) <= 0.005 * max(abs(before), 1e-9):
        yield "loses the account", None
    else:
        yield "keeps ", None
        yield fmt.amount(after), None


def _who_leads(isolated: Course, cross: Course) -> Iterator[Piece]:
    lent = -float(evaluate(isolated.track.idle, 1.0))
    if lent > 0:
        short = _short_of_initial(cross)
        if short > 0:
            yield f"Isolated needs {fmt.amount(lent)} more collateral than there is,", None
            yield f" cross {fmt.amount(short)} more for its initial margin:", None
            yield " neither could be opened.", None
            return
        yield f"Isolated needs {fmt.amount(lent)} more collateral than there is:", None
        yield " as it stands only cross can be had.", None
        return
    stretches = [span for span in spans(isolated, cross) if span[0] != span[1]]
    if all(lead == 0 for _, _, lead in stretches):
        yield "Both modes are worth the same all the way.", None
        return
    names = {1: "isolated is", -1: "cross is"}
    if stretches[0][2] == 0:
        stretches = stretches[1:]
    if len(stretches) > _SPANS:
        begin, _, lead = stretches[0]
        yield (
            f"From {_move(begin)} {names.get(lead, 'neither is')} ahead, then the lead changes;",
            None,
        )
        begin, _, lead = stretches[-1]
        yield f" beyond {_move(begin)} {_leader(lead)}.", None
        return
    for number, (begin, end, lead) in enumerate(stretches):
        last = number == len(stretches) - 1
        if number:
            yield ", ", None
        if last and number:
            yield f"beyond that {_leader(lead) if lead == 0 else names[lead]}", None
        elif last:
            word = "All the way" if begin == 1.0 else f"Beyond {_move(begin)}"
            yield f"{word} {_leader(lead)}", None
        elif begin == 1.0:
            yield f"Up to {_move(end)} {_leader(lead)}", None
        elif lead == 0:
            yield f"between {_move(begin)} and {_move(end)} both are equal", None
        else:
            word = "between" if number else "Between"
            yield f"{word} {_move(begin)} and {_move(end)} {_leader(lead)}", None
    yield ".", None


def _short_of_initial(cross: Course) -> float:
    """What the shared pools lack of their initial margin."""
    pools = MarginReport("cross", cross.books).pools
    return sum(max(pool.initial_margin - pool.margin_balance, 0.0) for pool in pools)


def _leader(lead: int) -> str:
    return {0: "both are worth the same", 1: "isolated is ahead", -1: "cross is ahead"}[lead]


def _the_other_way(isolated: Course, cross: Course) -> Iterator[Piece]:
    firsts = [(course, fall) for course in (isolated, cross) for fall in course.falls[:1]]
    for number, (course, fall) in enumerate(firsts):
        opening = f" If they {('fall', 'rise')[course.side]}, "
        yield (", " if number else opening), None
        whole = course.mode == "cross" and course.whole(fall.pool)
        keys = _listed(course.members(fall.pool))
        first = "" if whole else " first" if len(course.falls) > 1 else ""
        yield (
            f"{'the account in cross' if whole else f'{keys} in {course.mode}'} goes{first} at ",
            None,
        )
        yield _number(course, fall)
    if firsts:
        yield ".", None
