"""What a venue calls its margin ratio: which figure over which, and where it liquidates."""

from __future__ import annotations

from dataclasses import dataclass

from margin_widgets.venues import checks

FIGURES = (
    "maintenance margin",
    "margin balance",
    "equity",
    "initial margin",
    "wallet balance",
)
"""Figures of a pool that a ratio may be made of."""

_REQUIREMENTS = ("maintenance margin", "initial margin")


@dataclass(frozen=True)
class RatioConvention:
    """A venue's margin ratio: numerator over denominator.

    Venues use both senses: maintenance margin over margin balance rises towards liquidation,
    margin balance over maintenance margin falls towards it.

    Parameters
    ----------
    name : str
        What the venue calls it.
    numerator, denominator : str
        Two of `FIGURES`.
    liquidation_at : float
        Value at which the venue liquidates.
    percent : bool
        Whether the venue shows it in percent.
    bands : sequence of (what, value)
        What the venue does before it liquidates, and the value of the ratio at which that begins,
        from the calmest on; empty where nothing is known.

    Examples
    --------
    >>> print(RatioConvention("uniMMR", "margin balance", "maintenance margin", 1.05, False))
    uniMMR = margin balance ÷ maintenance margin, liquidation at 1.05
    """

    name: str = "margin ratio"
    numerator: str = "maintenance margin"
    denominator: str = "margin balance"
    liquidation_at: float = 1.0
    percent: bool = True
    bands: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        checks.text("margin_ratio name", self.name)
        for field in ("numerator", "denominator"):
            checks.choice(f"margin_ratio {field}", getattr(self, field), FIGURES)
        if self.numerator == self.denominator:
            raise checks.RuleError(
                f"margin_ratio denominator: {self.denominator!r} is the numerator too"
            )
        level = checks.size("margin_ratio liquidation_at", self.liquidation_at)
        object.__setattr__(self, "liquidation_at", level)
        checks.truth("margin_ratio percent", self.percent)
        object.__setattr__(self, "bands", self._checked_bands())

    def _checked_bands(self) -> tuple[tuple[str, float], ...]:
        """Bands as pairs, each nearer to liquidation than the one before it and none beyond."""
        if not isinstance(self.bands, (list, tuple)):
            raise checks.RuleError(f"margin_ratio bands: {self.bands!r} must be a list")
        found: list[tuple[str, float]] = []
        for number, row in enumerate(self.bands, start=1):
            where = f"margin_ratio bands, row {number}"
            if not isinstance(row, (list, tuple)) or len(row) != 2:
                raise checks.RuleError(f"{where}: {row!r} must be a name and a value")
            checks.text(where, row[0])
            value = checks.size(where, row[1])
            left = 1 if self.falls else -1  # sign of what is left until liquidation
            if left * (value - self.liquidation_at) <= 0:
                raise checks.RuleError(
                    f"{where}: {value:g} is not before liquidation at {self.liquidation_at:g}"
                )
            if found and left * (found[-1][1] - value) <= 0:
                raise checks.RuleError(
                    f"{where}: {value:g} does not come after {found[-1][1]:g}, the row above"
                )
            found.append((row[0], value))
        return tuple(found)

    @property
    def falls(self) -> bool:
        """Whether the ratio falls towards liquidation (else it rises)."""
        return self.numerator not in _REQUIREMENTS

    def like(self, other: RatioConvention) -> bool:
        """Whether both are the same fraction, whatever it is called and however it is shown."""
        mine = (self.numerator, self.denominator, self.liquidation_at)
        return mine == (other.numerator, other.denominator, other.liquidation_at)

    def __str__(self) -> str:
        level = f"{100 * self.liquidation_at:g} %" if self.percent else f"{self.liquidation_at:g}"
        return f"{self.name} = {self.numerator} ÷ {self.denominator}, liquidation at {level}"
