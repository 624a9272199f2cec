"""What a move of one mark does where an LP token on its pair is collateral."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from traitlets import TraitError

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.chart_svg import Axis, Chart, round_ticks, ticks
from margin_widgets.account.checks import number
from margin_widgets.account.collateral_stress import (
    MODES,
    CollateralStress,
    at_twice_the_price,
    followed_symbol,
    move_range,
    ratio_axis,
)
from margin_widgets.account.figures import Column, Shown
from margin_widgets.account.outcome import move_of
from margin_widgets.account.pools_along import PoolsAlong
from margin_widgets.engine import mark_book, value
from margin_widgets.engine.book import Floats
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from margin_widgets.account.account import Account

_FAR = 3.0
"""Liquidations are looked for up to four times the present mark."""
_LOWEST, _REACH = -0.99, 0.6
_SEARCH, _ZOOM, _ZOOMS = 240, np.linspace(0.0, 1.0, 33), 4
STACK = ("counts as margin", "haircut", "less than holding")
"""Parts of what the two coins of the token would be worth, from below."""
_RATIOS, _WORTH = (0.5, 1.0), (0.0, 0.38)


def impermanent_loss(r: Any) -> Any:
    """What a full-range constant-product pool is worth less than the two coins put into it.

    Parameters
    ----------
    r : float or ndarray
        Price of the one coin in the other, over what it was.

    Returns
    -------
    float or ndarray
        ``2 sqrt(r) / (1 + r) - 1``: 0 where the price has not moved, else negative.

    Examples
    --------
    >>> round(impermanent_loss(4.0), 12)
    -0.2
    """
    return 2.0 * r**0.5 / (1.0 + r) - 1.0


@dataclass(frozen=True, eq=False)
class LpStress(CollateralStress):
    """Margin ratio of both modes against a move of a mark that an LP token's price follows.

    The token is a share of a full-range constant-product pool of the symbol's base and quote: when
    the mark is multiplied by r, its price is by the root of r. What it is worth is set against the
    two coins as they are in the pool now, held instead: ``(1 + r) / 2`` times as much.
    """

    def price_at(self, x: Any) -> Any:
        """Price of the token after a move of the mark, or after each of many."""
        return self.price * (1 + x) ** 0.5

    def holding_at(self, x: Any) -> Any:
        """What the two coins, held in place of the tokens, are worth after a move."""
        return self.held * self.price * (1 + x / 2)

    def stack_at(self, x: Any) -> tuple[Any, Any, Any]:
        """The parts of `holding_at` that `STACK` names, from below."""
        worth, counted = self.held * self.price_at(x), self.counted * self.price_at(x)
        return counted, worth - counted, self.holding_at(x) - worth

    @property
    def text(self) -> str:
        """What is drawn, in a sentence or two."""
        told = "; ".join(self._told(series) for series in self.series)
        ends = " and ".join(
            f"{fmt.percent(-impermanent_loss(1 + x), 1)} at {fmt.percent(x, 0, sign=True)}"
            for x in (float(self.x[0]), float(self.x[-1]))
        )
        return (
            f"{self.symbol} moves, and the price of {self.asset} with the root of its mark, as a"
            f" full-range constant-product pool ({self._held_text}): {told}. Against holding the"
            f" two coins the impermanent loss is {ends}."
        )

    def _prices_text(self, x: float) -> str:
        place = self.books.symbols.index(str(self.symbol))
        mark = float(self.books.marks[place]) * (1 + x)
        shown = fmt.price(mark, self.books.contracts[place].tick)
        return f"{self.symbol} at {shown}, {self.asset} at {fmt.price(self.price_at(x))}"

    # -- table ----------------------------------------------------------------------------------

    def _worth_head(self) -> list[str]:
        currency = self.books.state.venue.currency
        names = ("holding the two coins", *STACK[1:])
        return [
            *super()._worth_head(),
            *(Column(name, f"{name} ({currency})") for name in names),
            Column("impermanent loss", "impermanent loss (fraction)"),
        ]

    def _worth_cells(self, x: float) -> list[str]:
        _, cut, gap = (float(one) for one in self.stack_at(x))
        amounts = (float(self.holding_at(x)), cut, gap)
        lost = float(impermanent_loss(1 + x))
        return [
            *super()._worth_cells(x),
            *(Shown(fmt.amount(one), one) for one in amounts),
            Shown(fmt.percent(lost), lost),
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row per move: price, parts of the worth, and the margin ratio of both modes."""
        found = super().to_frame()
        for name, part in zip(STACK, self.stack_at(self.x), strict=True):
            found[name.replace(" ", "_")] = part
        found["impermanent_loss"] = impermanent_loss(1 + self.x)
        return found

    # -- picture --------------------------------------------------------------------------------

    def _chart(self) -> Chart:
        top = float(max(self.holding_at(self.x[0]), self.holding_at(self.x[-1])))
        places = round_ticks(0.0, top, 3)
        currency = self.books.state.venue.currency
        label = f"worth, {currency}: {STACK[0]} · {STACK[1]} · {STACK[2]}"
        worth = Axis(0.0, top, ticks(places, fmt.plain), label, span=_WORTH)
        title = f"Margin ratio and worth of {self.asset} against {self.symbol}"
        across = self._across(f"move of {self.symbol}")
        chart = Chart(across, ratio_axis(_RATIOS), title, self.text, panels=(worth,))
        x = np.linspace(float(self.x[0]), float(self.x[-1]), 121)
        below = np.zeros_like(x)
        tones = (("word", 0.34, ""), ("word", 0.14, ""), ("liq", 0.3, "2 3"))
        for part, (tone, opacity, dash) in zip(self.stack_at(x), tones, strict=True):
            above = below + part
            band = np.concatenate([above, below[::-1]])
            chart.area(np.concatenate([x, x[::-1]]), band, tone, opacity, axis=worth)
            chart.line(x, above, "word", width=1.2, dash=dash, axis=worth)
            below = above
        return chart


def lp_symbols(account: Account, asset: str) -> tuple[str, ...]:
    """Symbols on whose pair an asset may be an LP token: its price is given, not that of a mark."""
    books = account.books
    if asset == account.currency or followed_symbol(account, asset) is not None:
        return ()
    pairs = zip(books.symbols, books.contracts, strict=True)
    return tuple(
        symbol
        for symbol, contract in pairs
        if not contract.is_option and asset not in (contract.base, contract.quote)
    )


def lp_stress(
    account: Account,
    asset: str,
    symbol: str,
    *,
    low: float | None = None,
    high: float | None = None,
    points: int = 400,
) -> LpStress:
    """Move one mark, and with its root the price of a collateral asset that is an LP token.

    Positions and other collateral on the symbol move along, other marks stay, haircuts apply.

    Parameters
    ----------
    account : Account
    asset : str
        The token; the account holds it, at a price of its own in ``account.prices``.
    symbol : str
        The pair of the pool: its base and quote are the two coins.
    low, high : float, optional
        Relative moves of the mark between which; above -1. By default the liquidations of both
        modes show.
    points : int
        Size of the even grid.

    Raises
    ------
    KeyError
        If the account does not hold the asset or mark the symbol.
    TraitError
        If the asset cannot be an LP token of that pair, saying why.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> stress = lp_stress(presets.hedged_lp_token(), "BTC-USDT LP", "BTCUSDT")
    >>> [round(one.events[0].x, 4) for one in stress.series]
    [0.0956, 1.7462]
    """
    books = account.books
    _check_token(account, asset, symbol)
    far = max(_FAR, 0.0 if high is None else number("high", high, above=-1.0))
    near = min(_LOWEST, 0.0 if low is None else number("low", low, above=-1.0))
    curves = LpCurves(books, asset, symbol, near, far)
    if low is None or high is None:
        moves = curves.nearest()
        fresh = move_range(moves, dollar=False)
        # A wide range upward makes steps too wide for what can only fall to zero.
        least = max(fresh[0], min([-_REACH, *(1.25 * move for move in moves)]))
        low, high = least if low is None else low, fresh[1] if high is None else high
    high = number("high", high, above=low)
    return curves.stress(low, high, points)


def _check_token(account: Account, asset: str, symbol: str) -> None:
    books = account.books
    if asset not in books.assets:
        hint = did_you_mean(str(asset), books.assets)
        raise KeyError(f"asset: {asset!r} is no collateral of this account{hint}")
    if symbol not in books.symbols:
        hint = did_you_mean(str(symbol), books.symbols)
        raise KeyError(f"symbol: {symbol!r} is neither held nor marked{hint}")
    if asset == account.currency:
        raise TraitError(f"asset: amounts are in {asset}, whose own price is 1")
    followed = followed_symbol(account, asset)
    if followed is not None:
        raise TraitError(
            f"asset: {asset} is worth the mark of {followed}, so it is no LP token; give the token"
            " a price of its own in account.prices"
        )
    contract = books.contracts[books.symbols.index(symbol)]
    if contract.is_option:
        raise TraitError(f"symbol: {symbol} is an option, and no pool holds the two sides of it")
    if asset in (contract.base, contract.quote):
        raise TraitError(
            f"symbol: {asset} is itself a side of {symbol}, so it is no LP token of it"
        )
    if account.collateral.get(asset, 0.0) < 0:
        raise TraitError(f"asset: {asset} is owed, not held")


class LpCurves(PoolsAlong):
    """Pools along one mark, while an LP token's price goes with its root.

    At given marks margin balance and requirement are straight lines in the price of one asset; two
    valuations at each set of marks, with the token at its price and at twice that, say which.
    """

    def __init__(self, books: Books, asset: str, symbol: str, near: float, far: float) -> None:
        super().__init__(books)
        self.asset, self.symbol = asset, symbol
        self._move = move_of(books, 0.0, symbol=symbol)
        self._books = books.book, at_twice_the_price(books, asset)
        out = (np.sqrt(1 + np.array([near, far])) - 1)[:, None] * np.linspace(0, 1, _SEARCH)
        self._triggers = {mode: self._found(mode, (1 + out) ** 2 - 1) for mode in MODES}

    def at(self, mode: str, x: Floats) -> tuple[Floats, Floats]:
        """Margin balance and requirement of each pool (M, P) after moves of the mark (M,)."""
        marks, ledger = self._move.marks_at(x), self.ledgers[mode]
        once, twice = (
            value(mark_book(book, marks), ledger.partition, ledger.portfolio)
            for book in self._books
        )
        more = np.sqrt(1.0 + x)[:, None] - 1.0
        return (
            once.margin_balance + more * (twice.margin_balance - once.margin_balance),
            once.requirement + more * (twice.requirement - once.requirement),
        )

    def triggers(self, mode: str) -> Floats:
        """Moves below and above zero at which each pool has no surplus, NaN if none (P, 2)."""
        return self._triggers[mode]

    def _surplus(self, mode: str, x: Floats) -> Floats:
        balance, required = self.at(mode, x)
        return balance - self.books.book.trigger_level * required

    def _found(self, mode: str, outward: Floats) -> Floats:
        """The first change of sign on each way outward (2, G), zoomed into until it is straight."""
        ledger = self.ledgers[mode]
        found = np.full((len(ledger.fallen), 2), np.nan)
        stood = ledger.partition.occupied & ~ledger.fallen
        for side, x in enumerate(outward):
            fell = (self._surplus(mode, x) <= 0) & stood
            fell[0] = False  # rounding: what is not fallen stands at the present
            pools = np.flatnonzero(fell.any(axis=0))
            if not len(pools):
                continue
            step = fell[:, pools].argmax(axis=0)
            begin, end = x[step - 1], x[step]
            row = np.arange(len(pools))
            for _ in range(_ZOOMS):
                inner = begin[:, None] + (end - begin)[:, None] * _ZOOM
                inner[:, -1] = end
                level = self._surplus(mode, inner.ravel()).reshape(*inner.shape, -1)
                level = level[row[:, None], np.arange(len(_ZOOM)), pools[:, None]]
                step = np.maximum((level <= 0).argmax(axis=1), 1)
                begin, end = inner[row, step - 1], inner[row, step]
            above, beneath = level[row, step - 1], level[row, step]
            with np.errstate(all="ignore"):
                share = above / (above - beneath)
            share = np.where(np.isfinite(share), np.clip(share, 0.0, 1.0), 1.0)
            found[pools, side] = begin + (end - begin) * share
        return found

    def stress(self, low: float, high: float, points: int) -> LpStress:
        """Both modes between two moves."""
        x = self.grid(low, high, points)
        return LpStress(
            self.books,
            self.asset,
            self.symbol,
            x,
            isolated=self.series("isolated", x),
            cross=self.series("cross", x),
            again=lambda low, high: self.stress(low, high, 2),
        )


__all__ = ["STACK", "LpCurves", "LpStress", "impermanent_loss", "lp_stress", "lp_symbols"]
