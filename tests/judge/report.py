"""What a report says about an account, and the account after a move through liquidations."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from judge import margins
from judge.book import Amounts, Book
from judge.decimals import ONE, ZERO, exact
from judge.pools import (
    Path,
    Pool,
    bankruptcies,
    counted_value,
    equity,
    fallen,
    leg_maintenance,
    margin_balance,
    market_value,
    net_assets,
    partition,
    price_path,
    requirement,
    shock_path,
    triggers,
)
from judge.roots import Pair, nearer


@dataclass
class PositionFigures:
    """What a report says about one position."""

    pool: str
    notional: Decimal
    unrealized_pnl: Decimal
    margin: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    margin_ratio: Decimal | None
    liquidation_prices: Pair
    liquidation_price: Decimal | None
    bankruptcy_price: Decimal | None
    liquidation_shock: Decimal | None


@dataclass
class Figures:
    """What a report says about an account in one margin mode."""

    equity: Decimal
    margin_balance: Decimal
    wallet_balance: Decimal
    unrealized_pnl: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    margin_ratio: Decimal | None
    available: Decimal | None  # None: not judged, see `available`
    effective_leverage: Decimal | None
    collateral_utilization: Decimal | None
    worst_loss: Decimal
    liquidation_shocks: Pair
    liquidation_shock: Decimal | None
    below: bool
    positions: dict[str, PositionFigures]


def ratio(required: Decimal, balance: Decimal) -> Decimal | None:
    return required / balance if balance > 0 else None


def available(free: list[Decimal], order_margin: Decimal) -> Decimal | None:
    """What new positions may use; left open where one scope is short and another is not."""
    if min(free) < 0 < max(free):
        return None
    return max(ZERO, sum(free, ZERO) - order_margin)


@exact
def report(book: Book, mode: str) -> Figures:
    """All figures of one margin mode at the present marks."""
    marks = book.marks
    pools, idle = partition(book, mode)
    shock = shock_path(book)
    ratios, downs, ups, positions = [], [], [], {}
    for pool in pools:
        pool_ratio = ratio(requirement(book, pool, marks), margin_balance(book, pool, marks))
        if not pool.is_paid_for:  # those are near no liquidation
            ratios.append(pool_ratio)
        down, up = triggers(book, pool, shock)
        if fallen(book, pool):  # no move is needed
            down = up = ONE
        downs.append(down)
        ups.append(up)
        for leg in pool.legs:
            path = price_path(book, leg.symbol)
            price = book.asset_price(leg.settle, marks)
            prices = triggers(book, pool, path)
            move = nearer((down, up), ONE)
            initial = margins.initial(book, leg, marks, alone=pool.own)
            positions[leg.key] = PositionFigures(
                pool=pool.name,
                notional=leg.notional(marks) * price,
                unrealized_pnl=leg.profit(marks[leg.symbol]) * price,
                margin=(margins.assigned(book, leg) if pool.own else initial) * price,
                initial_margin=initial * price,
                maintenance_margin=leg_maintenance(book, leg, marks),
                margin_ratio=pool_ratio,
                liquidation_prices=prices,
                liquidation_price=nearer(prices, path.start),
                bankruptcy_price=nearer(bankruptcies(book, pool, path), path.start),
                liquidation_shock=None if move is None else move - 1,
            )
    wallet = market_value(book, book.collateral, marks)
    profit = sum((p.unrealized_pnl for p in positions.values()), ZERO)
    nearest_down = max((u for u in downs if u is not None), default=None)
    nearest_up = min((u for u in ups if u is not None), default=None)
    nearest = nearer((nearest_down, nearest_up), ONE)
    balances = {pool.name: margin_balance(book, pool, marks) for pool in pools}
    spare = counted_value(book, idle, marks)
    balance = spare + sum(balances.values(), ZERO)
    counted = counted_value(book, book.collateral, marks)
    notional = sum((p.notional for p in positions.values()), ZERO)
    initial_margin = sum((p.initial_margin for p in positions.values()), ZERO)
    # a pool of its own lends nothing: free is what the shared ones and the idle rest hold
    free = {"idle": spare}
    for pool in pools:
        if not pool.own:
            held = sum((positions[leg.key].initial_margin for leg in pool.legs), ZERO)
            free[pool.name] = balances[pool.name] - held
    return Figures(
        equity=market_value(book, idle, marks)
        + sum((equity(book, pool, marks) for pool in pools), ZERO),
        margin_balance=balance,
        wallet_balance=wallet,
        unrealized_pnl=profit,
        initial_margin=initial_margin,
        maintenance_margin=sum((requirement(book, pool, marks) for pool in pools), ZERO),
        margin_ratio=None if None in ratios else max(ratios, default=ZERO),
        available=available(list(free.values()), book.order_margin),
        effective_leverage=ratio(notional, balance),
        collateral_utilization=ratio(initial_margin + book.order_margin, counted),
        worst_loss=sum((equity(book, pool, marks) for pool in pools), ZERO),
        liquidation_shocks=(
            None if nearest_down is None else nearest_down - 1,
            None if nearest_up is None else nearest_up - 1,
        ),
        liquidation_shock=None if nearest is None else nearest - 1,
        below=any(fallen(book, pool) for pool in pools),
        positions={leg.key: positions[leg.key] for leg in book.legs},
    )


def named_figures(book: Book, pool: Pool) -> Amounts:
    """Figures of a pool by the names that venues' margin ratios are made of."""
    marks = book.marks
    reserved = (
        margins.initial(book, leg, marks, alone=pool.own) * book.asset_price(leg.settle, marks)
        for leg in pool.legs
    )
    return {
        "maintenance margin": requirement(book, pool, marks),
        "margin balance": margin_balance(book, pool, marks),
        "equity": equity(book, pool, marks),
        "initial margin": sum(reserved, ZERO),
        "wallet balance": market_value(book, pool.wallet, marks),
    }


# ------------------------------------------------------------------ through liquidation


@dataclass
class Closing:
    """One pool closed on the way."""

    pool: str
    at: Decimal
    pool_equity: Decimal
    fee: Decimal
    left: Decimal
    bankruptcy: Decimal | None


def closing(book: Book, pool: Pool, path: Path, side: int) -> Closing | None:
    """Where a pool is closed when `u` moves from its present value to one side."""
    if fallen(book, pool):
        at: Decimal | None = path.start
    else:
        down, up = triggers(book, pool, path)
        at = down if side < 0 else up
    if at is None:
        return None
    marks = path.marks(at)
    left_over = equity(book, pool, marks)
    closed = sum(
        (leg.notional(marks) * book.asset_price(leg.settle, marks) for leg in pool.legs), ZERO
    )
    # a pool cannot pay more than it has left
    fee = min(book.rules.liquidation_fee * closed, max(ZERO, left_over))
    left = book.rules.returned * max(ZERO, left_over - fee)
    broke = bankruptcies(book, pool, path)
    return Closing(pool.name, at, left_over, fee, left, broke[0] if side < 0 else broke[1])


@dataclass
class Point:
    """The account at one point of a curve."""

    equity: Decimal
    maintenance: Decimal
    margin_ratio: Decimal | None
    closed: list[Closing]


@exact
def through(book: Book, mode: str, path: Path, u: Decimal) -> Point:
    """The account after moving from the present marks straight to `u`."""
    pools, idle = partition(book, mode)
    side = -1 if u < path.start else 1
    marks = path.marks(u)
    total, required = market_value(book, idle, marks), ZERO
    ratios: list[Decimal] = []
    closed = []
    for pool in pools:
        event = closing(book, pool, path, side)
        if event is not None and (u <= event.at if side < 0 else u >= event.at):
            closed.append(event)
            total += event.left
            continue
        total += equity(book, pool, marks)
        required += requirement(book, pool, marks)
        balance = margin_balance(book, pool, marks)
        if balance > 0:
            ratios.append(requirement(book, pool, marks) / balance)
    closed.sort(key=lambda event: abs(event.at - path.start))
    return Point(total, required, max(ratios, default=None), closed)


@exact
def collateral_to_survive(book: Book, mode: str, move: Decimal) -> Amounts:
    """Wallet each pool needs, so that after a common move its equity equals its maintenance.

    In cash of the account's currency: collateral that loses value itself is another matter.
    """
    after = shock_path(book).marks(1 + move)
    needed = {}
    for pool in partition(book, mode)[0]:
        bare = Pool(pool.name, pool.legs, {})
        gained = market_value(book, net_assets(bare, after), after)
        needed[pool.name] = book.rules.level * requirement(book, pool, after) - gained
    return needed
