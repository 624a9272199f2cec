"""The margin ratio in both senses, and as the venue writes it, with what is over what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from margin_widgets.account import formatting as fmt
from margin_widgets.venues.ratio import RatioConvention


@dataclass(frozen=True)
class RatioReading:
    """One margin ratio of one pool.

    Attributes
    ----------
    convention : RatioConvention
        Its name, which figure is over which, and where it liquidates.
    pool : str
    numerator, denominator : float
        Amounts in the account's currency.
    at_equality : bool
        Whether the very value at which it liquidates already does.
    """

    convention: RatioConvention
    pool: str
    numerator: float
    denominator: float
    at_equality: bool = True

    @property
    def value(self) -> float | None:
        """The ratio; None where the denominator is not positive."""
        return self.numerator / self.denominator if self.denominator > 0 else None

    @property
    def falls(self) -> bool:
        """Whether it falls towards liquidation."""
        return self.convention.falls

    @property
    def liquidates(self) -> bool:
        """Whether it has reached the value at which the venue liquidates.

        Without a positive denominator: a balance that is gone liquidates, owing nothing does not.
        """
        if self.value is None:
            return not self.falls and (self.numerator > 0 or self.denominator < 0)
        level = self.convention.liquidation_at
        if self.value == level:
            return self.at_equality
        return self.value < level if self.falls else self.value > level

    def __str__(self) -> str:
        value = math.nan if self.value is None else self.value
        shown = fmt.percent(value) if self.convention.percent else fmt.plain(value, 4)
        return (
            f"{self.convention.name} {shown} = {self.convention.numerator}"
            f" {fmt.amount(self.numerator)} ÷ {self.convention.denominator}"
            f" {fmt.amount(self.denominator)}"
        )


def rising(level: float) -> RatioConvention:
    """Maintenance over balance: grows towards liquidation."""
    return RatioConvention(liquidation_at=1.0 / level)


def falling(level: float) -> RatioConvention:
    """Balance over maintenance: shrinks towards liquidation."""
    return RatioConvention("margin level", "margin balance", "maintenance margin", level)


def read(
    convention: RatioConvention, pool: str, figures: Mapping[str, float], *, at_equality: bool
) -> RatioReading:
    """Read a ratio from a pool's figures by name."""
    amounts = figures[convention.numerator], figures[convention.denominator]
    return RatioReading(convention, pool, *amounts, at_equality)
