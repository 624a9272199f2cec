"""Option prices against 100-digit arithmetic, and what must hold of any option price."""

from __future__ import annotations

from decimal import Decimal, getcontext, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from margin_widgets.engine import black
from tests.conftest import examples

KINDS = st.sampled_from([1, -1])
PRICES = st.floats(0.01, 1e6)
YEARS = st.floats(1e-4, 3.0)
VOLATILITIES = st.floats(0.02, 4.0)
ANY = st.floats(0, 1e12, allow_subnormal=False)


def exact_normal(x: Decimal) -> Decimal:
    """N(x) by its power series, all of whose terms have one sign."""
    density = (-x * x / 2).exp() / (2 * exact_pi()).sqrt()
    term, total, k = abs(x), Decimal(0), 1
    while term > Decimal(10) ** -getcontext().prec:
        total += term
        k += 2
        term *= x * x / k
    upper = Decimal("0.5") + density * total
    return upper if x > 0 else 1 - upper


def exact_pi() -> Decimal:
    """Machin's formula."""

    def arctan_of_inverse(n: int) -> Decimal:
        power, total, k = Decimal(1) / n, Decimal(0), 1
        while power > Decimal(10) ** -(getcontext().prec + 2):
            total += power / k if k % 4 == 1 else -power / k
            power /= n * n
            k += 2
        return total

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))


def exact_price(kind: int, F: float, K: float, years: float, sigma: float) -> Decimal:
    """Black's formula as it is written in the books; exact enough for 300 figures to cancel."""
    with localcontext() as context:
        context.prec = 300
        f, k = Decimal(F), Decimal(K)
        total = Decimal(sigma) * Decimal(years).sqrt()
        d1 = (f / k).ln() / total + total / 2
        s = Decimal(kind)
        return s * (f * exact_normal(s * d1) - k * exact_normal(s * (d1 - total)))


def test_tail_of_the_normal_distribution() -> None:
    for x in np.concatenate([np.linspace(-8, 8, 33), [-30.0, -20.0, -12.5]]):
        with localcontext() as context:
            context.prec = 300
            expected = exact_normal(Decimal(x))
        assert float(black.normal_distribution(x)) == pytest.approx(float(expected), rel=3e-13)


CASES = [
    (kind, ratio, total)
    for kind in (1, -1)
    for ratio in (0.3, 0.8, 0.97, 0.9999, 1.0, 1.0001, 1.05, 1.6, 4.0)
    for total in (1e-3, 0.01, 0.1, 0.4, 1.0, 3.0, 8.0)
    if abs(np.log(ratio)) / total < 15  # else worth less than 1e-50 of the strike
]


@pytest.mark.parametrize(("kind", "ratio", "total"), CASES)
def test_price_has_twelve_digits(kind: int, ratio: float, total: float) -> None:
    strike, years = 61_000.0, 0.37
    volatility = total / np.sqrt(years)
    got = float(black.price(kind, ratio * strike, strike, years, volatility))
    expected = float(exact_price(kind, ratio * strike, strike, years, volatility))
    assert got == pytest.approx(expected, rel=1e-12)


@given(KINDS, PRICES, PRICES, YEARS, VOLATILITIES)
def test_put_call_parity(kind: int, F: float, K: float, years: float, sigma: float) -> None:
    call, put = black.price([1, -1], F, K, years, sigma)
    assert call - put == pytest.approx(F - K, abs=4e-16 * max(F, K))
    assert black.price(kind, F, K, years, sigma) >= max(kind * (F - K), 0)
    assert call <= F and put <= K
    # A call on F struck at K is worth what a put on K struck at F is.
    assert call == black.price(-1, K, F, years, sigma)


@given(KINDS, PRICES, PRICES, YEARS, VOLATILITIES, st.floats(1.001, 3.0))
def test_more_volatility_or_time_is_never_worth_less(
    kind: int, F: float, K: float, years: float, sigma: float, more: float
) -> None:
    values = black.price(kind, F, K, [years, years * more, years], [sigma, sigma, sigma * more])
    assert values[1] >= values[0] * (1 - 1e-14) and values[2] >= values[0] * (1 - 1e-14)


def test_no_time_or_no_volatility_is_intrinsic_value() -> None:
    forward = np.array([90.0, 100.0, 110.0])
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        for years, sigma in ((0.0, 0.5), (-0.1, 0.5), (0.5, 0.0), (0.0, 0.0)):
            np.testing.assert_array_equal(black.price(1, forward, 100.0, years, sigma), [0, 0, 10])
            np.testing.assert_array_equal(black.price(-1, forward, 100.0, years, sigma), [10, 0, 0])
            np.testing.assert_array_equal(black.theta(forward, 100.0, years, sigma), 0.0)
        np.testing.assert_array_equal(black.price(1, 0.0, 100.0, 1.0, 0.5), 0.0)
        np.testing.assert_array_equal(black.price(-1, 0.0, 100.0, 1.0, 0.5), 100.0)
        np.testing.assert_array_equal(black.delta(1, forward, 100.0, 0.0, 0.5), [0, 0.5, 1])


@given(KINDS, PRICES, PRICES, YEARS, VOLATILITIES)
def test_greeks_are_the_slopes_of_the_price(
    kind: int, F: float, K: float, years: float, sigma: float
) -> None:
    K = F * np.exp(np.clip(np.log(K / F), -1, 1))
    h = 1e-4
    total = sigma * np.sqrt(years)
    # How far the cubic term of a central difference is off, beside rounding.
    off = 50 * F * (h / total) ** 2 + 1e-11 * F / h
    up, down = black.price(kind, [F * (1 + h), F * (1 - h)], K, years, sigma)
    slope = (up - down) / (2 * h * F)
    assert black.delta(kind, F, K, years, sigma) == pytest.approx(slope, abs=off / F)
    up, down = black.price(kind, F, K, years, [sigma * (1 + h), sigma * (1 - h)])
    slope = (up - down) / (2 * h * sigma)
    assert black.vega(F, K, years, sigma) == pytest.approx(slope, abs=off / sigma)
    up, down = black.price(kind, F, K, [years * (1 + h), years * (1 - h)], sigma)
    slope = (down - up) / (2 * h * years)
    assert black.theta(F, K, years, sigma) == pytest.approx(slope, abs=off / years)


def test_implied_volatility_of_many_options() -> None:
    rng = np.random.default_rng(2026)
    n = examples(20_000)
    kind, forward = rng.choice([-1, 1], n), rng.uniform(1e4, 1e5, n)
    strike = forward * np.exp(rng.normal(0, 0.5, n))
    years, sigma = 10 ** rng.uniform(-4, 0.5, n), 10 ** rng.uniform(-1.5, 0.8, n)
    value = black.price(kind, forward, strike, years, sigma)
    solved = black.implied_volatility(kind, value, forward, strike, years)
    assert np.all(np.isfinite(solved) & (solved >= 0))
    # Where a relative change of volatility changes the value, its digits are in the value.
    tells = sigma * black.vega(forward, strike, years, sigma) > 1e-5 * value + 1e-300
    assert tells.mean() > 0.5
    np.testing.assert_allclose(solved[tells], sigma[tells], rtol=1e-9)
    again = black.price(kind, forward, strike, years, solved)
    np.testing.assert_allclose(again, value, rtol=1e-10, atol=1e-12 * forward.max())


@given(KINDS, ANY, ANY, ANY, st.floats(-1, 1e3))
def test_implied_volatility_is_always_a_number(
    kind: int, value: float, F: float, K: float, years: float
) -> None:
    with np.errstate(divide="raise", invalid="raise"):
        sigma = black.implied_volatility(kind, value, F, K, years)
    assert np.isfinite(sigma) and sigma >= 0
    if value <= max(kind * (F - K), 0) or years <= 0:
        assert sigma == 0


def test_implied_volatility_of_prices_that_none_has() -> None:
    at_most = black.MOST_TOTAL / np.sqrt(0.25)
    above = black.implied_volatility([1, 1, -1], [100.0, 130.0, 90.0], 100.0, 90.0, 0.25)
    np.testing.assert_array_equal(above, at_most)
    assert black.price(1, 100.0, 90.0, 0.25, at_most) == 100.0
    below = black.implied_volatility([1, 1, -1], [10.0, 2.0, 0.0], 100.0, 90.0, 0.25)
    np.testing.assert_array_equal(below, 0.0)


@given(
    KINDS,
    st.floats(0.5, 2.0),
    st.floats(0.5, 2.0),
    st.floats(1e-6, 1.0),
    YEARS,
    st.booleans(),
    st.lists(st.floats(0.1, 3.0), min_size=1, max_size=4),
)
def test_marks_follow_the_underlying(
    kind: int,
    index: float,
    strike: float,
    mark: float,
    years: float,
    in_coin: bool,
    moves: list[float],
) -> None:
    value = mark * index if in_coin else mark
    sigma = black.implied_volatility(kind, value, index, strike, years)

    def marks(moved: object) -> np.ndarray:
        return black.option_marks(kind, mark, index, moved, strike, years, sigma, in_coin)

    assert marks(index) == mark
    assert marks(index * (1 + 1e-15)) == pytest.approx(mark, abs=1e-9)
    moved = index * np.sort(moves)
    followed = marks(moved)
    assert followed.shape == moved.shape and np.all(followed >= 0)
    worth = followed * moved if in_coin else followed
    assert np.all(kind * np.diff(worth) >= -1e-12)  # calls gain with the underlying, puts lose
    if 0 < sigma < 5:
        expected = black.price(kind, moved, strike, years, sigma)
        np.testing.assert_allclose(worth, expected, atol=1e-12)


def test_arguments_broadcast() -> None:
    forward, strike = np.linspace(50, 150, 5)[:, None], np.linspace(80, 120, 3)
    value = black.price(1, forward, strike, 0.5, 0.6)
    assert value.shape == (5, 3)
    solved = black.implied_volatility(1, value, forward, strike, 0.5)
    np.testing.assert_allclose(solved, 0.6, rtol=1e-9)
    assert black.delta([[1], [-1]], 100.0, strike, 0.5, 0.6).shape == (2, 3)
    assert black.vega(forward, strike, 0.5, 0.6).shape == (5, 3)
