"""Where an exact figure changes its sign: for what has no closed form."""

from __future__ import annotations

from collections.abc import Callable

_EPS = 2.0**-52


def crossing(
    gap: Callable[[float], float],
    good: tuple[float, float],
    bad: tuple[float, float],
    rounding: float = 0.0,
) -> float:
    """Argument at which `gap` goes from not negative to negative, to the last digits.

    Steps by the secant take turns with halvings: a line is met at once, a jump is closed in on.

    Parameters
    ----------
    gap : callable
    good, bad : (float, float)
        An argument and its gap, not negative and negative.
    rounding : float
        A gap no larger is the rounding of what it is made of.

    Returns
    -------
    float
        On the side where the gap is not negative, within the rounding.

    Examples
    --------
    >>> crossing(lambda x: 2 - x * x, (1.0, 1.0), (2.0, -2.0))
    1.414213562373095
    """
    (a, at_a), (b, at_b) = good, bad
    halve = False
    for _ in range(200):
        if abs(b - a) <= 2 * _EPS * max(abs(a), abs(b)) or abs(at_a) <= rounding:
            return a
        middle = a + 0.5 * (b - a)
        c = middle if halve else a + (b - a) * (at_a / (at_a - at_b))
        if not min(a, b) < c < max(a, b):
            c = middle
        halve = not halve
        at_c = gap(c)
        if abs(at_c) <= rounding:
            return c
        if at_c >= 0:
            a, at_a = c, at_c
        else:
            b, at_b = c, at_c
    return a


def outward(steps: int = 40) -> list[float]:
    """Factors above 1 at which a change of sign is looked for: doublings, then what lies between.

    >>> outward(3)[:4]
    [2.0, 4.0, 8.0, 1.189207115002721]
    """
    between = [2.0 ** (step / 4) for step in range(1, 12) if step % 4]
    return [2.0**step for step in range(1, steps + 1)] + between
