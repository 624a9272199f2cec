"""Portfolio margin: the worst loss over a grid of moves, one scenario after the other.

In plain floats, because options are valued anew in each. Amounts are in quote currency.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from judge import options

if TYPE_CHECKING:
    from judge.book import Book, Leg, Marks


def required(book: Book, legs: tuple[Leg, ...], marks: Marks) -> tuple[Decimal, Decimal]:
    """Maintenance and initial margin of some positions, in the currency of the account."""
    rules = book.rules.portfolio
    total = Decimal(0)
    for coin in dict.fromkeys(base_of(book, leg) for leg in legs):
        unit = [leg for leg in legs if base_of(book, leg) == coin]
        quote = book.contracts[unit[0].symbol]["quote"]
        total += Decimal(unit_margin(book, unit, coin, marks)) * book.asset_price(quote, marks)
    return total, total * Decimal(rules["initial_factor"])


def base_of(book: Book, leg: Leg) -> str:
    return str(book.contracts[leg.symbol]["base"])


def unit_margin(book: Book, legs: list[Leg], coin: str, marks: Marks) -> float:
    """Margin of all positions on one coin."""
    rules = book.rules.portfolio
    index = float(marks[index_symbol(book, coin)])
    losses = [
        -move["counted"] * sum(gain(book, leg, index, marks, move) for leg in legs)
        for move in scenarios(grid_of(rules, coin))
    ]
    held = max(0.0, *losses) + contingencies(book, legs, index, marks)
    return max(held, minimum(rules, legs, index, marks))


def index_symbol(book: Book, coin: str) -> str:
    """The contract whose mark is the price of a coin: a perpetual before a dated future."""
    symbols = dict.fromkeys([*(leg.symbol for leg in book.legs), *book.marks])
    on_coin = [s for s in symbols if book.contracts[s]["base"] == coin]

    def rank(symbol: str) -> tuple[bool, bool]:
        contract = book.contracts[symbol]
        return contract["kind"] in ("call", "put"), "expiry" in contract

    return min(on_coin, key=rank)


def grid_of(rules: dict[str, Any], coin: str) -> dict[str, Any]:
    grid: dict[str, Any] = rules["grids"].get(coin, rules["grid"])
    return grid


def scenarios(grid: dict[str, Any]) -> list[dict[str, float]]:
    """Every price move with every volatility move, and the extreme ones."""
    found = [
        {"price": price, "volatility": shift, "days": 0.0, "counted": 1.0}
        for price in grid["price_moves"]
        for shift in grid["volatility_moves"]
    ]
    return found + list(grid["extremes"])


def gain(book: Book, leg: Leg, index: float, marks: Marks, move: dict[str, float]) -> float:
    """Profit of a position in a scenario, in quote currency."""
    rules = book.rules.portfolio
    factor = 1 + move["price"]
    # profit in coin is worth the coin's price of the scenario, or the present one
    worth = index * factor if rules["coin_profit_at"] == "scenario" else index
    size, mark = float(leg.size), float(marks[leg.symbol])
    if leg.kind == "inverse":
        return size * (1 / mark - 1 / (mark * factor)) * worth
    if not leg.is_option:
        return size * mark * move["price"]
    sigma = options.volatility(book, leg)
    grid = grid_of(rules, base_of(book, leg))
    moved = max(0.0, sigma + move["volatility"] * volatility_scale(grid, leg.years, sigma))
    years = leg.years - move["days"] / 365
    strike = float(leg.strike)
    value = mark * (index if leg.in_coin else 1.0)
    model = options.price(leg.kind, index, strike, leg.years, sigma)
    after = options.price(leg.kind, index * factor, strike, years, moved) + value - model
    after = max(0.0, after)
    if not leg.in_coin:
        return size * (after - value)
    return size * (after / (index * factor) - value / index) * worth


def volatility_scale(grid: dict[str, Any], years: float, sigma: float) -> float:
    """What a volatility move of 1 is for an option."""
    days = max(years * 365, grid["fewest_days"])
    near = days <= grid["volatility_days"]
    power = grid["volatility_power"] if near else grid["volatility_power_beyond"]
    multiple: float = (grid["volatility_days"] / days) ** power
    return multiple * (sigma if grid["volatility_in"] == "relative" else 1.0)


def coins_of(leg: Leg, marks: Marks) -> float:
    """Signed coins of a future."""
    size = float(leg.size)
    return size / float(marks[leg.symbol]) if leg.kind == "inverse" else size


def contingencies(book: Book, legs: list[Leg], index: float, marks: Marks) -> float:
    """What is charged on top of the worst loss."""
    rules = book.rules.portfolio
    held = [leg for leg in legs if leg.is_option]
    series: dict[Any, float] = {}
    vegas: dict[float, float] = {}
    for leg in held:
        key = (leg.strike, leg.years)
        series[key] = series.get(key, 0.0) + float(leg.size)
        vega = vega_of(leg, index, options.volatility(book, leg))
        vegas[leg.years] = vegas.get(leg.years, 0.0) + float(leg.size) * vega
    short = sum(max(0.0, -net) for net in series.values())
    futures = [coins_of(leg, marks) for leg in legs if not leg.is_option]
    return (
        rules["short_option_rate"] * short * index
        + rules["options_rate"] * sum(abs(float(leg.size)) for leg in held) * index
        + rules["offset_futures_rate"] * offsetting(futures) * index
        + rules["offset_vega_rate"] * offsetting(list(vegas.values()))
    )


def vega_of(leg: Leg, index: float, sigma: float) -> float:
    """Change of the value per percentage point of volatility, by a small move to both sides."""
    step = 1e-4
    up, down = (
        options.price(leg.kind, index, float(leg.strike), leg.years, sigma + move)
        for move in (step, -step)
    )
    return (up - down) / (2 * step) / 100


def offsetting(amounts: list[float]) -> float:
    """The lesser of all that is long and all that is short."""
    return min(sum(max(0.0, x) for x in amounts), sum(max(0.0, -x) for x in amounts))


def minimum(rules: dict[str, Any], legs: list[Leg], index: float, marks: Marks) -> float:
    """Least margin, whatever the scenarios say."""
    raw = index * sum(
        rules["minimum_short_option_rate"] * max(0.0, -float(leg.size))
        if leg.is_option
        else rules["minimum_futures_rate"] * abs(coins_of(leg, marks))
        for leg in legs
    )
    tiers = rules["minimum_tiers"]
    if not tiers:
        return raw
    ends = [floor for floor, _ in tiers[1:]] + [float("inf")]
    return sum(
        max(0.0, min(raw, end) - floor) * multiple
        for (floor, multiple), end in zip(tiers, ends, strict=True)
    )
