"""Liquidation price of one position against its leverage, in both margin modes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from traitlets import TraitError

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.chart_svg import (
    Axis,
    Chart,
    log_ticks,
    round_ticks,
    static_page,
    static_table,
    ticks,
)
from margin_widgets.account.checks import number
from margin_widgets.account.figures import (
    MODES,
    Column,
    KeyFigure,
    Shown,
    figure_if_same,
    figure_of,
)
from margin_widgets.account.likely_moves import LikelyMoves
from margin_widgets.account.variants import Variants, variants
from margin_widgets.engine import Book, Ledger, Partition, mark_book
from margin_widgets.engine.book import Bools, Floats
from margin_widgets.engine.liquidation import triggers_along
from margin_widgets.engine.solve import wallet_at_trigger
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

HIGHEST = 1000.0
"""Leverage that an account takes at most."""

_AWAY = ("liquidation_price", "distance")
_COPIES = 20_000
"""Positions valued at once for the curve of a pool against its effective leverage."""


@dataclass(frozen=True)
class AtLeverage:
    """One position at one leverage.

    Attributes
    ----------
    leverage : float
    margin : float
        Margin that isolates it at entry, in the settlement asset.
    isolated, cross : float or None
        Liquidation prices; None where no positive price liquidates.
    isolated_distance, cross_distance : float or None
        From the mark, as a share of it; 0 for a pool below maintenance already.
    """

    leverage: float
    margin: float
    isolated: float | None
    isolated_distance: float | None
    cross: float | None
    cross_distance: float | None


@dataclass(frozen=True, eq=False)
class LeverageCurve:
    """Where a position is liquidated at each leverage, other marks unchanged.

    Isolated: with the margin that this leverage assigns at entry. Cross: with the whole pool, of
    which the leverage setting only reserves a part.

    Attributes
    ----------
    books : Books
    key, symbol : str
    position : int
        Its number in the account.
    mark : float
    leverage : ndarray (L,)
        Ascending leverages, up to `end`.
    margin : ndarray (L,)
        Margin assigned at entry, in the settlement asset.
    isolated, cross : ndarray (L,)
        Liquidation prices; NaN where there is none.
    isolated_distance, cross_distance : ndarray (L,)
        Their distances from the mark as a share of it; 0 where the pool is below maintenance.
    effective, effective_distance : ndarray (E,)
        Notional over margin balance of the cross pool with more or less in its wallet, and the
        distance then.
    effective_now : float or None
        The pool's effective leverage; None without a positive balance.
    cap : float or None
        Highest leverage that the venue allows at the present amount.
    caps : tuple of (float, float)
        Floor and highest leverage of each tier that states one.
    end : float or None
        Leverage from which initial margin does not cover maintenance, or the position is below
        maintenance at the mark at once; None if there is none below 1,000.
    end_reason : str
        Which of both.
    tier_changes : tuple of (float, int)
        Leverages at which the isolated liquidation price lies on the floor of a tier, and the
        number of that tier (from 1).
    likely : LikelyMoves or None
        What the mark is expected to do, if somebody has said so.
    probability : float
        Of a liquidation in isolated mode, to find the largest leverage for.
    """

    books: Books
    key: str
    symbol: str
    position: int
    mark: float
    leverage: Floats
    margin: Floats
    isolated: Floats
    cross: Floats
    isolated_distance: Floats
    cross_distance: Floats
    effective: Floats
    effective_distance: Floats
    effective_now: float | None
    cap: float | None
    caps: tuple[tuple[float, float], ...]
    end: float | None
    end_reason: str
    tier_changes: tuple[tuple[float, int], ...]
    likely: LikelyMoves | None = None
    probability: float = 0.05

    # -- the position now ---------------------------------------------------------------------

    @property
    def present(self) -> float:
        """The position's leverage setting."""
        return self.books.state.positions[self.position].leverage

    @property
    def assigned(self) -> float | None:
        """Margin assigned by hand, if any: then the setting does not move isolated liquidation."""
        return self.books.state.positions[self.position].margin

    @property
    def long(self) -> bool:
        """Whether a falling mark hurts."""
        return self.books.state.positions[self.position].quantity > 0

    @property
    def follows_setting(self) -> bool:
        """Whether the margin at entry follows the leverage setting (not a schedule)."""
        return not bool(self.books.book.by_schedule[self.position])

    @cached_property
    def now(self) -> AtLeverage:
        """The position as it is: with its assigned margin, if one is assigned."""
        margin = self.assigned
        if margin is None:
            return self.at(self.present)
        ledger = self.books.ledger("isolated")
        price = float(ledger.liquidation_prices.nearest(self._marks)[self.position])
        fallen = bool(ledger.fallen[ledger.partition.pool[self.position]])
        there = self.at(self.present)
        return AtLeverage(
            self.present,
            margin,
            _optional(price),
            0.0 if fallen else _optional(abs(price - self.mark) / self.mark),
            there.cross,
            there.cross_distance,
        )

    @property
    def _marks(self) -> Floats:
        marks: Floats = self.books.marks[self.books.book.symbol]
        return marks

    def at(self, leverage: float) -> AtLeverage:
        """The position at a leverage of its own choice, with the margin that assigns at entry."""
        copies = _Copies(self.books, self.position, np.array([leverage]))
        isolated, away = copies.isolated()
        cross, cross_away = _cross(self.books, self.position, np.array([leverage]))
        return AtLeverage(
            leverage=leverage,
            margin=float(copies.book.margin[0]),
            isolated=_optional(isolated[0]),
            isolated_distance=_optional(away[0]),
            cross=_optional(cross[0]),
            cross_distance=_optional(cross_away[0]),
        )

    @cached_property
    def likely_most(self) -> float | None:
        """Largest leverage at which isolated is liquidated with less than `probability`.

        None where nobody has said what the mark is likely to do, or where no leverage on the curve
        will do. Between points of the curve it is found by halving, to four digits.
        """
        if self.likely is None or not self.likely.knows(self.symbol):
            return None
        away = self.likely.touched(self.symbol, self.probability, down=self.long)

        def safe(leverage: float) -> bool:
            distance = self.at(leverage).isolated_distance
            return distance is None or distance > away

        low, high = float(self.leverage[0]), min(float(self.leverage[-1]), self.allowed)
        if not safe(low):
            return None
        if safe(high):
            return high
        while high / low > 1.00005:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if safe(middle) else (low, middle)
        return low

    @property
    def chance(self) -> str:
        """The probability as text."""
        return f"{fmt.plain(float(f'{100 * self.probability:.6g}'))}\N{NO-BREAK SPACE}%"

    @cached_property
    def likely_words(self) -> str:
        """What `likely_most` says, in a sentence with its assumptions; empty if nobody asked."""
        if self.likely is None or not self.likely.knows(self.symbol):
            return ""
        days = self.likely.days
        given = f"{self.chance} in {'one day' if days == 1 else f'{fmt.plain(days)} days'}"
        assumed = (
            f"volatility {fmt.percent(self.likely.volatility[self.symbol], 0)} a year, no drift,"
            " no jumps"
        )
        if self.likely_most is None:
            return f"At every leverage isolated liquidation is likelier than {given} ({assumed})."
        return (
            f"Up to {_times(self.likely_most)} isolated liquidation is less likely than {given}"
            f" ({assumed})."
        )

    def price_at(self, distance: float) -> float:
        """Price at a distance from the mark, on the side that hurts the position."""
        return self.mark * (1 - distance if self.long else 1 + distance)

    # -- words --------------------------------------------------------------------------------

    @property
    def tick(self) -> float | None:
        """Price step of the contract, if known."""
        return self.books.contracts[self.books.symbols.index(self.symbol)].tick

    @cached_property
    def condition(self) -> str:
        """What the cross price takes for granted, e.g. " if ETHUSDT stays at 4,000"; "" if nothing.

        >>> import margin_widgets as mw
        >>> leverage_curve(mw.presets.ref2(), "BTCUSDT").condition
        ' if ETHUSDT stays at 4,000.00'
        """
        from margin_widgets.account.report import MarginReport

        held = MarginReport("cross", self.books).held_symbols(self.position)
        names = [
            f"{self.books.symbols[one]} at"
            f" {fmt.price(float(self.books.marks[one]), self.books.contracts[one].tick)}"
            for one in held[:3]
        ]
        if len(held) == 1:
            return " if " + names[0].replace(" at ", " stays at ")
        if len(held) > 3:
            names[2:] = [f"{len(held) - 2} more"]
        return f" if {', '.join(names[:-1])} and {names[-1]} stay" if held else ""

    @cached_property
    def text(self) -> str:
        """What is drawn, in sentences made from the data."""
        now = self.now
        first = (
            f"{self.key} at {_times(now.leverage)}: isolated liquidation"
            f" {self._said(now.isolated, now.isolated_distance)}, cross"
            f" {self._said(now.cross, now.cross_distance)}{self.condition}."
        )
        said = [first]
        if self.assigned is not None:
            said.append(
                f"{fmt.amount(self.assigned)} {self._settle} are assigned by hand, so the setting"
                " does not move isolated liquidation; on the curve is the margin at entry."
            )
        elif not self.follows_setting:
            said.append("The venue's schedule sets the initial margin, not the leverage setting.")
        elif self.cross_moves:
            said.append(
                "More leverage leaves less margin, so isolated liquidation moves to the mark; in"
                " cross the setting moves only the closing fee that maintenance holds."
            )
        else:
            said.append(
                "More leverage leaves less margin, so isolated liquidation moves to the mark; cross"
                " liquidation does not follow the setting, which only reserves initial margin."
            )
        if self.effective_now is not None:
            said.append(
                "What moves cross is the effective leverage of its pool, now"
                f" {_times(self.effective_now)} (thin line)."
            )
        if self.cap is not None:
            said.append(f"The venue allows at most {_times(self.cap)} at this size.")
        if self.end is not None:
            said.append(f"From {_times(self.end)} on {self.end_reason}.")
        if self.likely_words:
            said.append(self.likely_words)
        return " ".join(said)

    @property
    def cross_moves(self) -> bool:
        """Whether the setting moves cross liquidation: maintenance then holds a fee that it sets.

        Else the cross price is the same at every leverage.
        """
        rules = self.books.state.venue
        return rules.closing_fee_in_maintenance and rules.closing_fee_at == "bankruptcy"

    @property
    def _settle(self) -> str:
        return self.books.assets[int(self.books.book.position_settle[self.position])]

    def _said(self, price: float | None, distance: float | None) -> str:
        if distance == 0:
            return "at once (below maintenance)"
        if price is None:
            return "at no positive price"
        away = fmt.percent(price / self.mark - 1, sign=True)
        return f"at {fmt.price(price, self.tick)} ({away})"

    # -- out ----------------------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """One row per leverage."""
        import pandas as pd

        names = ("leverage", "margin", "isolated", "isolated_distance", "cross", "cross_distance")
        return pd.DataFrame({name: getattr(self, name) for name in names})

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows of a short table: round leverages and the present one."""
        low, high = float(self.leverage[0]), float(self.leverage[-1])
        shown = log_ticks(low, high)
        shown = sorted({*shown, *([self.present] if low <= self.present <= high else [])})
        head: list[str] = ["leverage", Column("margin", f"margin ({self._settle})")]
        for mode in MODES:
            head += [
                Column(f"{mode} liquidation", f"{mode} liquidation price"),
                Column("distance", f"{mode} distance (fraction)"),
            ]
        rows: list[list[str]] = []
        for one in map(self.at, shown):
            texts: list[str] = [
                Shown(fmt.amount(one.margin, 2 if one.margin >= 1 else 6), one.margin),
                Shown(fmt.price(one.isolated, self.tick), one.isolated),
                Shown(fmt.percent(one.isolated_distance), one.isolated_distance),
                Shown(fmt.price(one.cross, self.tick), one.cross),
                Shown(fmt.percent(one.cross_distance), one.cross_distance),
            ]
            now = one.leverage == self.present
            if now:
                texts = list(map(figure_if_same, texts, self._figures()))
            times = _times(one.leverage) + (" (now)" if now else "")
            rows.append([Shown(times, one.leverage), *texts])
        return head, rows

    def _figures(self) -> list[KeyFigure]:
        """What the table tells of the present leverage, as figures of the account."""
        from margin_widgets.account.report import MarginReport

        isolated, cross = (MarginReport(mode, self.books) for mode in MODES)
        both = [(one, name) for one in (isolated, cross) for name in _AWAY]
        named = [(isolated, "margin"), *both]
        return [figure_of(report, name, self.key) for report, name in named]

    @property
    def span(self) -> tuple[float, float]:
        """Leverages that a picture shows: the grey beyond cap and end included."""
        ends = [self.present, *(most for _, most in self.caps), *([self.end] if self.end else [])]
        return float(self.leverage[0]), min(HIGHEST, 1.12 * max(10.0, *ends))

    @cached_property
    def reach(self) -> float:
        """Largest distance that a picture shows."""
        known = [self.isolated_distance, self.cross_distance, self.effective_distance]
        found = max([0.05, *(float(np.nanmax(one)) for one in known if np.isfinite(one).any())])
        return min(found * 1.06, 1.0 if self.long else 1.2)

    @property
    def allowed(self) -> float:
        """Highest leverage that makes sense here: the venue's cap, and less than `end`."""
        ends = [self.cap or HIGHEST, HIGHEST]
        if self.end is not None:
            ends.append(math.nextafter(self.end, 0))
        return min(ends)

    def svg(self) -> str:
        """The static picture."""
        low, high = self.span
        x = Axis(low, high, ticks(log_ticks(low, high), _times), "leverage", log=True)
        y = Axis(
            0.0,
            self.reach,
            ticks(round_ticks(0.0, self.reach, 5), lambda v: fmt.percent(v, 0)),
            "distance from the mark to liquidation",
        )
        chart = Chart(x, y, f"Liquidation of {self.key} against leverage", self.text)
        if self.allowed < high:
            edge = max(self.allowed, low)
            chart.area(np.array([edge, high, high, edge]), _band(self.reach), "word", 0.12)
        cut = np.where(self.isolated_distance <= self.reach, self.isolated_distance, np.nan)
        chart.line(
            self.effective,
            _inside(self.effective_distance, self.reach),
            "cross",
            width=1,
            dash="2 3",
        )
        chart.line(self.leverage, _inside(self.cross_distance, self.reach), "cross")
        chart.line(self.leverage, cut, "isolated")
        if self.likely_most is not None:
            chart.line(np.full(2, self.likely_most), np.array([0.0, self.reach]), "word", width=1)
        now = self.now
        for tone, distance in (("cross", now.cross_distance), ("isolated", now.isolated_distance)):
            if distance is not None and distance <= self.reach:
                chart.point(now.leverage, distance, tone)
                chart.text(now.leverage, distance, tone)
        return chart.svg()

    def _repr_html_(self) -> str:
        title = f"Liquidation of {self.key} against leverage"
        return static_page(title, self.text, self.svg(), static_table(*self.table()))


def leverage_curve(
    account: Account,
    key: str | None = None,
    *,
    points: int = 97,
    likely: LikelyMoves | None = None,
    probability: float = 0.05,
) -> LeverageCurve:
    """Liquidation price of a position against its leverage setting.

    Parameters
    ----------
    account : Account
    key : str, optional
        Key of the position; the first one if not given.
    points : int
        Size of the even grid (of logarithms); what is special is added.
    likely : LikelyMoves, optional
        What the mark is expected to do: with it the curve knows the largest leverage at which
        isolated is liquidated with less than `probability`.
    probability : float
        Above 0, below 1.

    Raises
    ------
    KeyError
        If there is no such position.
    TraitError
        Without positions, and for options, whose margin does not follow a leverage.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> curve = leverage_curve(mw.presets.ref2(), "BTCUSDT")
    >>> round(curve.at(20).isolated, 2), round(curve.at(20).cross, 2)
    (95477.39, 80804.02)
    """
    books = account.books
    position = place_of(books, key)
    symbol = int(books.book.symbol[position])
    if books.contracts[symbol].is_option:
        raise TraitError(f"{books.keys[position]}: an option has no leverage setting.")
    present = books.state.positions[position].leverage
    caps = _caps(books, position)
    amount = float(variants(books, position).measure[0])
    reached = [most for floor, most in caps if floor <= amount]
    cap = min(reached, default=None)
    end, reason = _end(books, position)
    top = max([present, 10.0, *(most for _, most in caps), *([] if end is None else [end])])
    top = HIGHEST if end is None and not caps else top
    top = min(HIGHEST, top * 1.12 if end is None else end)
    low = min(1.0, present)
    changes = _tier_changes(books, position, low, top)
    special = [present, *(most for _, most in caps), *(at for at, _ in changes), low, top]
    special = [at for at in special if low <= at <= top]
    if books.book.curved:
        points = min(points, 33)
    grid = np.unique(np.concatenate([np.geomspace(low, top, points), special]))
    copies = _Copies(books, position, grid)
    isolated, away = copies.isolated()
    cross, cross_away = _cross(books, position, grid)
    effective, effective_away, effective_now = _effective(books, position, low, top)
    return LeverageCurve(
        books=books,
        key=books.keys[position],
        symbol=books.symbols[symbol],
        position=position,
        mark=float(books.marks[symbol]),
        leverage=grid,
        margin=copies.book.margin,
        isolated=isolated,
        cross=cross,
        isolated_distance=away,
        cross_distance=cross_away,
        effective=effective,
        effective_distance=effective_away,
        effective_now=effective_now,
        cap=cap,
        caps=caps,
        end=end,
        end_reason=reason,
        tier_changes=changes,
        likely=likely,
        probability=number("probability", probability, above=0.0, high=1.0 - 1e-12),
    )


def place_of(books: Books, key: str | None) -> int:
    """Number of a position by its key, the first one if none is given."""
    if not books.keys:
        raise TraitError("positions: none")
    if key is None:
        return 0
    if key not in books.places:
        raise KeyError(f"positions: no {key!r} in this account{did_you_mean(key, books.keys)}")
    return books.places[key]


# -- parts --------------------------------------------------------------------------------------


class _Copies:
    """A position at several leverages, each isolated with its margin at entry."""

    def __init__(self, books: Books, position: int, leverage: Floats) -> None:
        self._made: Variants = variants(books, position, leverage=leverage)
        self.book = self._made.book
        self._ledger = Ledger(mark_book(self.book, books.marks), self._made.alone)
        self._mark = float(books.marks[int(books.book.symbol[position])])
        self._symbol = int(books.book.symbol[position])

    def isolated(self) -> tuple[Floats, Floats]:
        """Liquidation price and distance of each."""
        found = triggers_along(self._ledger.ray_of(self._symbol), self._ledger.partition)
        return _prices(found.nearest(1.0), self._mark, self._ledger.fallen)

    def room(self) -> tuple[Floats, Floats]:
        """Initial less maintenance margin at entry, and balance less requirement at the mark."""
        book, figures = self.book, self._ledger.valuation
        level = book.trigger_level
        at_entry = book.margin - level * book.maintenance(book.entry_notional)
        at_mark = figures.margin_balance - level * figures.requirement
        return at_entry, at_mark


def _prices(factor: Floats, mark: float, fallen: Bools) -> tuple[Floats, Floats]:
    price = factor * mark
    return price, np.where(fallen, 0.0, np.abs(factor - 1.0))


def _cross(books: Books, position: int, leverage: Floats) -> tuple[Floats, Floats]:
    """Cross liquidation price and distance at each leverage setting of one position."""
    ledger = books.ledger("cross")
    pool = int(ledger.partition.pool[position])
    symbol = int(books.book.symbol[position])
    mark = float(books.marks[symbol])
    rules = books.state.venue
    if not (rules.closing_fee_in_maintenance and rules.closing_fee_at == "bankruptcy"):
        price = ledger.liquidation_prices.nearest(books.marks[books.book.symbol])[position]
        one = _prices(np.array([price / mark]), mark, ledger.fallen[[pool]])
        return np.repeat(one[0], len(leverage)), np.repeat(one[1], len(leverage))
    # The fee of closing at the bankruptcy price depends on the leverage of this one position.
    made = variants(books, position, leverage=leverage).book
    members = np.flatnonzero(ledger.partition.pool == pool)
    prices, away = np.empty(len(leverage)), np.empty(len(leverage))
    step = max(1, _COPIES // len(members))
    for start in range(0, len(leverage), step):
        some = slice(start, start + step)
        count = len(leverage[some])
        book = books.book.only(np.tile(members, count))
        fixed, mine = book.fixed.copy(), np.flatnonzero(np.tile(members == position, count))
        fixed[mine] = made.fixed[some]
        wallet = np.repeat(ledger.partition.wallet[[pool]], count, axis=0)
        prices[some], away[some] = _shared(books, book.replace(fixed=fixed), wallet, symbol, mark)[
            :2
        ]
    return prices, away


def _shared(
    books: Books, book: Book, wallet: Floats, symbol: int, mark: float
) -> tuple[Floats, Floats, Ledger]:
    """Liquidation price and distance of copies of one cross pool, each with a wallet of its own."""
    count = len(wallet)
    partition = Partition(
        pool=np.repeat(np.arange(count, dtype=np.intp), len(book.size) // count),
        wallet=wallet,
        idle=np.zeros(wallet.shape[1]),
        own=np.zeros(count, dtype=bool),
    )
    ledger = Ledger(mark_book(book, books.marks), partition)
    found = triggers_along(ledger.ray_of(symbol), partition)
    return *_prices(found.nearest(1.0), mark, ledger.fallen), ledger


def _effective(
    books: Books, position: int, low: float, top: float
) -> tuple[Floats, Floats, float | None]:
    """Effective leverage of the pool with other wallets, the distance there, and the present one.

    The wallet changes in the asset in which the position settles, or else in which most is held.
    """
    ledger = books.ledger("cross")
    partition, figures = ledger.partition, ledger.valuation
    pool = int(partition.pool[position])
    symbol = int(books.book.symbol[position])
    members = np.flatnonzero(partition.pool == pool)
    notional = float(figures.notional[members].sum())
    balance = float(figures.margin_balance[pool])
    now = notional / balance if balance > 0 else None
    prices = ledger.marked.asset_prices
    asset = int(books.book.position_settle[position])
    if not partition.wallet[pool, asset] > 0:
        asset = int(np.argmax(partition.wallet[pool] * prices))
    count = min(49, max(9, _COPIES // len(members))) if not ledger.curved else 9
    wanted = np.geomspace(low, top, count)
    if now is not None and low <= now <= top:
        wanted = np.unique(np.append(wanted, now))
    wallet = np.repeat(partition.wallet[[pool]], len(wanted), axis=0)
    wallet[:, asset] += (notional / wanted - balance) / prices[asset]
    usable = wallet[:, asset] >= 0
    wallet, nothing = wallet[usable], np.empty(0)
    if not len(wallet):
        return nothing, nothing, now
    book = books.book.only(np.tile(members, len(wallet)))
    mark = float(books.marks[symbol])
    _, away, copies = _shared(books, book, wallet, symbol, mark)
    of_each = copies.valuation.margin_balance
    stands = (of_each > 0) & ~copies.fallen
    leverage = notional / of_each[stands]
    order = np.argsort(leverage)
    return leverage[order], away[stands][order], now


def _caps(books: Books, position: int) -> tuple[tuple[float, float], ...]:
    table = books.state.venue.tiers.get(books.state.positions[position].symbol, ())
    return tuple((tier.floor, tier.max_leverage) for tier in table if tier.max_leverage)


def _end(books: Books, position: int) -> tuple[float | None, str]:
    """First leverage at which the position could not be opened, or not be held; and why."""
    reasons = (
        "initial margin does not cover maintenance",
        "the position is below maintenance at the present mark",
    )
    grid = np.geomspace(0.01, HIGHEST, 65)
    found: list[float] = []
    for which in range(len(reasons)):
        low, high, values = grid[0], grid[-1], grid
        for _ in range(6):
            failed = _Copies(books, position, values).room()[which] <= 0
            if not failed.any():
                low = math.inf
                break
            first = int(np.argmax(failed))
            low, high = float(values[max(first - 1, 0)]), float(values[first])
            values = np.linspace(low, high, 65)
        # What is left of the bracket is far below what anyone sees.
        found.append(math.inf if math.isinf(low) else high)
    nearest = int(np.argmin(found))
    if math.isinf(found[nearest]):
        return None, ""
    return float(f"{found[nearest]:.9g}"), reasons[nearest]


def _tier_changes(
    books: Books, position: int, low: float, high: float
) -> tuple[tuple[float, int], ...]:
    """Leverages whose isolated liquidation price lies on the floor of a tier."""
    book, rules = books.book, books.state.venue
    symbol = int(book.symbol[position])
    floors = book.tiers.floors[symbol, 1:]
    floors = floors[np.isfinite(floors)]
    moves = rules.closing_fee_in_initial and rules.closing_fee_at == "bankruptcy"
    if not len(floors) or book.maintenance_at_entry or book.by_schedule[position] or moves:
        return ()
    partition = books.partitions["isolated"]
    asset, pool = int(book.position_settle[position]), int(partition.pool[position])
    size, at_entry = abs(float(book.size[position])), float(book.entry_notional[position])
    fixed = float(book.initial_rate[position] * at_entry + book.initial_fixed[position])
    found = []
    for tier, floor in enumerate(floors, start=2):
        marks = books.marks.copy()
        marks[symbol] = size / floor if book.position_inverse[position] else floor / size
        margin = wallet_at_trigger(book, partition, marks, pool, asset) - fixed
        if margin > 0 and low < at_entry / margin < high:
            found.append((at_entry / margin, tier))
    return tuple(found)


def _optional(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _times(leverage: float) -> str:
    return f"{fmt.plain(float(f'{leverage:.4g}'))}×"


def _band(top: float) -> Floats:
    return np.array([0.0, 0.0, top, top])


def _inside(values: Floats, top: float) -> Floats:
    return np.where(values <= top, values, np.nan)
