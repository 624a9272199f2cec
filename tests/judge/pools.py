"""Positions that share collateral, what they hold and what they must hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from judge import margins, options, portfolio
from judge.book import Amounts, Book, Leg, Marks
from judge.decimals import ONE, ZERO
from judge.roots import Pair, nearest_on_grid, nearest_roots, places_where


@dataclass(frozen=True)
class Pool:
    """Positions that share collateral."""

    name: str
    legs: tuple[Leg, ...]
    wallet: Amounts = field(hash=False)
    portfolio: bool = False  # holds the worst loss of a grid in place of single margins

    @property
    def own(self) -> bool:
        """Whether it is the pool of one isolated position."""
        return len(self.legs) == 1 and self.name == self.legs[0].key

    @property
    def is_paid_for(self) -> bool:
        """Whether it holds nothing but bought options, so that it has nothing more to lose."""
        bought = all(leg.is_option and leg.size > 0 for leg in self.legs)
        return bought and all(amount >= 0 for amount in self.wallet.values())


def partition(book: Book, mode: str) -> tuple[list[Pool], Amounts]:
    """Pools of a margin mode, and the collateral that backs nothing."""
    rest = dict(book.collateral)
    pools = []
    shared = []
    for leg in book.legs:
        if mode == "isolated" or (mode == "configured" and leg.isolated):
            margin = margins.assigned(book, leg)
            pools.append(Pool(leg.key, (leg,), {leg.settle: margin}))
            rest[leg.settle] = rest.get(leg.settle, ZERO) - margin
        else:
            shared.append(leg)
    # a loan is shared like a position: what is left over backs it
    borrows = any(amount < 0 for amount in book.collateral.values())
    if book.rules.by_settlement:
        for asset in dict.fromkeys(leg.settle for leg in shared):
            legs = tuple(leg for leg in shared if leg.settle == asset)
            wallet = {asset: rest.pop(asset, ZERO)}
            pools.append(Pool(f"cross {asset}", legs, wallet, mode == "portfolio"))
    elif shared or borrows:
        name = "cross" if shared else "loan"
        pools.append(Pool(name, tuple(shared), rest, mode == "portfolio"))
        rest = {}
    return pools, rest


def net_assets(pool: Pool, marks: Marks) -> Amounts:
    """What a pool is worth, per asset: its wallet, unrealised profit and the value of options."""
    return _summed(pool, lambda leg: worth(leg, marks))


def margin_assets(book: Book, pool: Pool, marks: Marks) -> Amounts:
    """The same as far as it may be counted as margin: options only where the venue says so."""
    if pool.portfolio or book.rules.options.get("value_in_margin_balance", True):
        return net_assets(pool, marks)
    return _summed(pool, lambda leg: ZERO if leg.is_option else worth(leg, marks))


def worth(leg: Leg, marks: Marks) -> Decimal:
    """What a position adds to equity; the premium of an option has left the wallet."""
    price = marks[leg.symbol]
    return leg.size * price if leg.is_option else leg.profit(price)


def _summed(pool: Pool, amount: Callable[[Leg], Decimal]) -> Amounts:
    net = dict(pool.wallet)
    for leg in pool.legs:
        net[leg.settle] = net.get(leg.settle, ZERO) + amount(leg)
    return net


def market_value(book: Book, amounts: Amounts, marks: Marks) -> Decimal:
    """Amounts at market value, before any haircut."""
    return sum((x * book.asset_price(a, marks) for a, x in amounts.items()), ZERO)


def counted_value(book: Book, net: Amounts, marks: Marks) -> Decimal:
    """Net amounts after haircut; a debt counts in full."""
    return sum(
        (margins.counted(book, a, x) * book.asset_price(a, marks) for a, x in net.items()), ZERO
    )


def equity(book: Book, pool: Pool, marks: Marks) -> Decimal:
    return market_value(book, net_assets(pool, marks), marks)


def margin_balance(book: Book, pool: Pool, marks: Marks) -> Decimal:
    return counted_value(book, margin_assets(book, pool, marks), marks)


def leg_maintenance(book: Book, leg: Leg, marks: Marks) -> Decimal:
    """Maintenance margin of one position, in the currency of the account."""
    return margins.maintenance(book, leg, marks) * book.asset_price(leg.settle, marks)


def positions_maintenance(book: Book, pool: Pool, marks: Marks) -> Decimal:
    return sum((leg_maintenance(book, leg, marks) for leg in pool.legs), ZERO)


def requirement(book: Book, pool: Pool, marks: Marks) -> Decimal:
    """Maintenance margin of a pool: of its positions, and of what it has borrowed."""
    if pool.portfolio:
        total, _ = portfolio.required(book, pool.legs, marks)
    else:
        total = positions_maintenance(book, pool, marks)
    if book.rules.loans or book.rules.imf:
        # what the wallet has borrowed: an unrealised loss lowers the balance and is no loan
        for asset, amount in pool.wallet.items():
            total += margins.owed(book, asset, amount) * book.asset_price(asset, marks)
    return total


def portfolio_initial(book: Book, pool: Pool) -> Decimal:
    """Initial margin of a pool under portfolio margin."""
    return portfolio.required(book, pool.legs, book.marks)[1]


def excess(book: Book, pool: Pool, marks: Marks) -> Decimal:
    """Margin balance over what triggers: the pool is liquidated when it is not positive."""
    return margin_balance(book, pool, marks) - book.rules.level * requirement(book, pool, marks)


def fallen(book: Book, pool: Pool) -> bool:
    """Whether a pool is past its trigger at the present marks."""
    if pool.is_paid_for:
        return False
    over = excess(book, pool, book.marks)
    return over < 0 if book.rules.strict else over <= 0


def scale(book: Book, pool: Pool, marks: Marks) -> Decimal:
    """Sum of the absolute terms of `excess`: what rounding is measured against."""
    total = book.rules.level * requirement(book, pool, marks)
    for asset, amount in pool.wallet.items():
        total += abs(amount) * book.asset_price(asset, marks)
    for leg in pool.legs:
        terms = leg.notional_at(leg.entry) + leg.notional_at(marks[leg.symbol])
        total += terms * book.asset_price(leg.settle, marks)
    return total


def account_scale(book: Book) -> Decimal:
    """Sum of the absolute terms of the whole account."""
    return scale(book, Pool("all", book.legs, book.collateral), book.marks)


# ------------------------------------------------------------------ paths and triggers


@dataclass(frozen=True)
class Path:
    """How the marks depend on one number `u`, and where `u` stands now."""

    name: str | None
    start: Decimal
    marks: Callable[[Decimal], Marks]


def price_path(book: Book, symbol: str) -> Path:
    """The mark of one symbol moves, the others stay; options on it follow."""
    return Path(
        symbol,
        book.marks[symbol],
        lambda u: options.followed(book, {**book.marks, symbol: u}),
    )


def shock_path(book: Book) -> Path:
    """All marks are multiplied by `u`; options follow what they are on."""
    return Path(
        None,
        ONE,
        lambda u: options.followed(book, {s: p * u for s, p in book.marks.items()}),
    )


def is_curved(pool: Pool, path: Path) -> bool:
    """Whether an option of the pool is repriced along the path, or scenarios are gone through."""
    return pool.portfolio or any(
        leg.is_option and path.name in (None, leg.index) for leg in pool.legs
    )


def kinks(book: Book, pool: Pool, path: Path) -> list[Decimal]:
    """Every `u` where the margin balance or the requirement of a pool may bend."""
    points: list[Decimal] = []
    rules = book.rules
    if not rules.at_entry and rules.tiers_by == "notional":
        for leg in pool.legs:
            floors = [floor for floor, _ in leg.tiers if floor > 0]
            if floors and not leg.is_option and path.name in (None, leg.symbol):
                points += places_where(
                    lambda u, g=leg: g.notional_at(path.marks(u)[g.symbol]), floors, path.start
                )
    for leg in pool.legs:
        if leg.is_option:
            points += options.kinks(rules.options, leg, book.marks)
    for asset in margin_assets(book, pool, book.marks):
        levels = {floor for floor, _ in book.haircuts.get(asset, ())}
        if asset in rules.imf:
            levels.add(ZERO)
        if levels:
            points += places_where(
                lambda u, a=asset: margin_assets(book, pool, path.marks(u))[a],
                sorted(levels),
                path.start,
            )
    return points


def triggers(book: Book, pool: Pool, path: Path) -> Pair:
    """Where a pool meets its requirement, below and above the present `u`."""
    key = ("trigger", pool, tuple(pool.wallet.items()), path.name)
    if key not in book.cache:

        def function(u: Decimal) -> Decimal:
            return excess(book, pool, path.marks(u))

        if is_curved(pool, path):
            book.cache[key] = nearest_on_grid(function, path.start)
        else:
            book.cache[key] = nearest_roots(function, kinks(book, pool, path), path.start)
    return book.cache[key]


def bankruptcies(book: Book, pool: Pool, path: Path) -> Pair:
    """Where a pool has no equity left, below and above the present `u`."""
    key = ("bankruptcy", pool, tuple(pool.wallet.items()), path.name)
    if key not in book.cache:

        def function(u: Decimal) -> Decimal:
            return equity(book, pool, path.marks(u))

        if is_curved(pool, path):
            book.cache[key] = nearest_on_grid(function, path.start)
        else:
            book.cache[key] = nearest_roots(function, [], path.start)
    return book.cache[key]
