"""How two marks move together, as far as somebody has said so: volatilities and a correlation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.checks import number
from margin_widgets.engine.book import Floats

YEAR = 365.0
"""Days over which volatilities are told."""
FAR = 4.0
"""Moves farther than this from none are hardly ever seen, in standard deviations."""


@dataclass(frozen=True)
class LikelyMoves:
    """Lognormal moves without drift of some marks, all pairs correlated alike.

    Parameters
    ----------
    volatility : mapping of symbol to float
        Yearly, e.g. 0.6.
    correlation : float
        Between -1 and 1, both excluded.
    days : float
        How long the marks move.

    Examples
    --------
    >>> moves = LikelyMoves({"BTCUSDT": 0.6, "ETHUSDT": 0.8}, correlation=0.85)
    >>> x, y = moves.ellipse("BTCUSDT", "ETHUSDT")
    >>> bool(abs(moves.distance("BTCUSDT", "ETHUSDT", x, y) - 2.4477).max() < 1e-4)
    True
    """

    volatility: Mapping[str, float]
    correlation: float
    days: float = 1.0

    def __post_init__(self) -> None:
        for symbol, volatility in self.volatility.items():
            number(f"volatility[{symbol!r}]", volatility, above=0.0)
        number("correlation", self.correlation, above=-1.0, high=1.0)
        if self.correlation == 1.0:
            raise ValueError("correlation: 1 must be below 1, or two marks are one")
        number("days", self.days, above=0.0)

    def knows(self, *symbols: str) -> bool:
        """Whether it says something of all these symbols."""
        return all(symbol in self.volatility for symbol in symbols)

    def _spread(self, symbol: str) -> float:
        """Standard deviation of the logarithm of a mark at the end."""
        return self.volatility[symbol] * math.sqrt(self.days / YEAR)

    def distance(self, first: str, second: str, x: Floats, y: Floats) -> Floats:
        """Mahalanobis distance of relative moves (above -1) of two symbols from no move."""
        u = np.log1p(x) / self._spread(first)
        v = np.log1p(y) / self._spread(second)
        rho = self.correlation
        squared: Floats = (u * u - 2.0 * rho * u * v + v * v) / (1.0 - rho * rho)
        return np.sqrt(squared)

    def ellipse(
        self, first: str, second: str, share: float = 0.95, points: int = 97
    ) -> tuple[Floats, Floats]:
        """Relative moves on the border of what holds a share of all moves."""
        reach = math.sqrt(-2.0 * math.log1p(-number("share", share, above=0.0, high=1.0 - 1e-12)))
        angle = np.linspace(0.0, 2.0 * math.pi, points)
        u, w = reach * np.cos(angle), reach * np.sin(angle)
        v = self.correlation * u + math.sqrt(1.0 - self.correlation**2) * w
        return np.expm1(self._spread(first) * u), np.expm1(self._spread(second) * v)

    def touched(self, symbol: str, probability: float, *, down: bool) -> float:
        """How far from its mark a symbol gets, at some time in these days, with a probability.

        Parameters
        ----------
        symbol : str
        probability : float
            Above 0, below 1.
        down : bool
            Whether the move is one down.

        Returns
        -------
        float
            The distance as a share of the mark. By the reflection principle a mark without drift
            touches a level some time in twice as many cases as it ends beyond it.

        Examples
        --------
        >>> moves = LikelyMoves({"BTCUSDT": 0.6}, correlation=0.0, days=7)
        >>> round(moves.touched("BTCUSDT", 0.05, down=True), 4)
        0.1503
        """
        share = number("probability", probability, above=0.0, high=1.0 - 1e-12)
        away = -NormalDist().inv_cdf(share / 2.0) * self._spread(symbol)
        return -math.expm1(-away) if down else math.expm1(away)

    def text(self, first: str, second: str) -> str:
        """What is assumed, in words."""
        days = "one day" if self.days == 1 else f"{fmt.plain(self.days)} days"
        return (
            f"{days}, volatility {fmt.percent(self.volatility[first], 0)} ({first}) and"
            f" {fmt.percent(self.volatility[second], 0)} ({second}) a year, correlation"
            f" {fmt.plain(self.correlation)}"
        )
