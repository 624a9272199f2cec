"""The judge: one account, computed slowly and plainly in decimals.

Nothing here is shared with the package. A book is a plain dict (see `strategies.py`), every
number becomes a `Decimal`, and every figure is a loop over positions. Along one moved price
`u` (or one factor `u` on all prices) each amount is `a + b*u + c/u` between kinks, so a root
is found by walking the pieces outward from the present price, fitting the three coefficients
from three evaluations, checking them on a fourth, and solving the quadratic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from functools import wraps
from itertools import pairwise
from typing import Any

DIGITS = 90
NOISE = Decimal("1e-38")  # below this share of the largest term, a coefficient is rounding
ZERO = Decimal(0)
ONE = Decimal(1)
DOLLARS = ("USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "DAI")

Marks = dict[str, Decimal]
Number = Callable[[Decimal], Decimal]


def exact(function: Callable) -> Callable:
    """Run a function with 90 digits, without touching the caller's decimal context."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with localcontext(prec=DIGITS):
            return function(*args, **kwargs)

    return wrapper


# ------------------------------------------------------------------ the book


@dataclass(frozen=True)
class Leg:
    """One position; `size` is signed and carries the contract multiplier."""

    key: str
    symbol: str
    inverse: bool
    settle: str
    size: Decimal
    entry: Decimal
    leverage: Decimal
    assigned: Decimal | None
    isolated: bool
    tiers: tuple[tuple[Decimal, Decimal], ...]

    def profit(self, price: Decimal) -> Decimal:
        """Unrealised profit in the settlement asset."""
        if self.inverse:
            return self.size * (1 / self.entry - 1 / price)
        return self.size * (price - self.entry)

    def notional(self, price: Decimal) -> Decimal:
        """Size of the position in the settlement asset."""
        return abs(self.size) / price if self.inverse else abs(self.size) * price

    @property
    def margin(self) -> Decimal:
        """Margin that isolates the position: what is assigned, else initial margin at entry."""
        if self.assigned is not None:
            return self.assigned
        return self.notional(self.entry) / self.leverage


@dataclass(frozen=True)
class Pool:
    """Positions that share collateral."""

    name: str
    legs: tuple[Leg, ...]
    wallet: dict[str, Decimal] = field(hash=False)


class Book:
    """A book in decimals, read from the plain dict."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.currency: str = spec["currency"]
        self.contracts: dict[str, dict[str, Any]] = spec["contracts"]
        self.marks: Marks = {s: Decimal(p) for s, p in spec["marks"].items()}
        self.prices = {a: Decimal(p) for a, p in spec["prices"].items()}
        self.collateral = {a: Decimal(x) for a, x in spec["collateral"].items()}
        self.order_margin = Decimal(spec["order_margin"])
        self.haircuts = {a: _bands(h) for a, h in spec["haircuts"].items()}
        rules = spec["rules"]
        self.taker_fee = Decimal(rules["taker_fee"])
        self.fee_inside: bool = rules["closing_fee_in_maintenance"]
        self.at_entry: bool = rules["maintenance_at"] == "entry"
        self.by_settlement: bool = rules["cross_pool"] == "settlement"
        self.returned: bool = rules["residual"] == "returned"
        self.liquidation_fee = Decimal(rules["liquidation_fee"])
        symbols = [p["symbol"] for p in spec["positions"]]
        self.legs = tuple(
            self._leg(p, symbols.count(p["symbol"]) == 2, spec["tiers"][p["symbol"]])
            for p in spec["positions"]
        )
        self._cache: dict[Any, Any] = {}

    def _leg(self, position: dict[str, Any], hedged: bool, tiers: Any) -> Leg:
        symbol = position["symbol"]
        contract = self.contracts[symbol]
        quantity = Decimal(position["quantity"])
        side = "long" if quantity > 0 else "short"
        margin = position["margin"]
        return Leg(
            key=f"{symbol}:{side}" if hedged else symbol,
            symbol=symbol,
            inverse=contract["kind"] == "inverse",
            settle=contract["settle"],
            size=quantity * Decimal(contract["multiplier"]),
            entry=Decimal(position["entry_price"]),
            leverage=Decimal(position["leverage"]),
            assigned=None if margin is None else Decimal(margin),
            isolated=position["margin_mode"] == "isolated",
            tiers=_bands(tiers),
        )

    def asset_price(self, asset: str, marks: Marks) -> Decimal:
        """Value of one unit of an asset in the currency of the account."""
        if asset in self.prices:
            return self.prices[asset]
        if asset == self.currency or (asset in DOLLARS and self.currency in DOLLARS):
            return ONE
        # A perpetual before a dated future, one in the account's currency before others.
        best = None
        for symbol, contract in self.contracts.items():
            quote = contract["quote"]
            known = quote in self.prices or quote == self.currency
            known = known or (quote in DOLLARS and self.currency in DOLLARS)
            rank = (contract.get("expiry") is not None, quote != self.currency)
            if contract["base"] == asset and known and (best is None or rank < best[0]):
                best = (rank, symbol, quote)
        if best is None:
            raise KeyError(asset)
        return marks[best[1]] * self.asset_price(best[2], marks)


def _bands(table: Any) -> tuple[tuple[Decimal, Decimal], ...]:
    rows = table if isinstance(table, (list, tuple)) else [(0, table)]
    return tuple((Decimal(floor), Decimal(rate)) for floor, rate in rows)


def banded(amount: Decimal, bands: tuple[tuple[Decimal, Decimal], ...]) -> Decimal:
    """Charge the part of `amount` inside each band at the rate of that band."""
    total = ZERO
    for i, (floor, rate) in enumerate(bands):
        top = bands[i + 1][0] if i + 1 < len(bands) else amount
        inside = min(amount, top) - floor
        if inside > 0:
            total += inside * rate
    return total


# ------------------------------------------------------------------ pools


def partition(book: Book, mode: str) -> tuple[list[Pool], dict[str, Decimal]]:
    """Pools of a margin mode, and the collateral that backs nothing."""
    rest = dict(book.collateral)
    pools = []
    shared = []
    for leg in book.legs:
        if mode == "isolated" or (mode == "configured" and leg.isolated):
            pools.append(Pool(leg.key, (leg,), {leg.settle: leg.margin}))
            rest[leg.settle] = rest.get(leg.settle, ZERO) - leg.margin
        else:
            shared.append(leg)
    if shared and book.by_settlement:
        for asset in dict.fromkeys(leg.settle for leg in shared):
            legs = tuple(leg for leg in shared if leg.settle == asset)
            pools.append(Pool(f"cross {asset}", legs, {asset: rest.pop(asset, ZERO)}))
    elif shared:
        pools.append(Pool("cross", tuple(shared), rest))
        rest = {}
    return pools, rest


def net_assets(pool: Pool, marks: Marks) -> dict[str, Decimal]:
    """Wallet plus unrealised profit of a pool, per asset."""
    net = dict(pool.wallet)
    for leg in pool.legs:
        net[leg.settle] = net.get(leg.settle, ZERO) + leg.profit(marks[leg.symbol])
    return net


def market_value(book: Book, amounts: dict[str, Decimal], marks: Marks) -> Decimal:
    """Amounts at market value, before any haircut."""
    return sum((x * book.asset_price(a, marks) for a, x in amounts.items()), ZERO)


def counted_value(book: Book, amounts: dict[str, Decimal], marks: Marks) -> Decimal:
    """Amounts after haircut; a debt counts in full."""
    total = ZERO
    for asset, amount in amounts.items():
        counted = amount - banded(amount, book.haircuts.get(asset, ())) if amount > 0 else amount
        total += counted * book.asset_price(asset, marks)
    return total


def equity(book: Book, pool: Pool, marks: Marks) -> Decimal:
    return market_value(book, net_assets(pool, marks), marks)


def margin_balance(book: Book, pool: Pool, marks: Marks) -> Decimal:
    return counted_value(book, net_assets(pool, marks), marks)


def leg_maintenance(book: Book, leg: Leg, marks: Marks) -> Decimal:
    """Maintenance margin of one position, in the currency of the account."""
    notional = leg.notional(leg.entry if book.at_entry else marks[leg.symbol])
    amount = banded(notional, leg.tiers)
    if book.fee_inside:
        amount += book.taker_fee * notional
    return amount * book.asset_price(leg.settle, marks)


def maintenance(book: Book, pool: Pool, marks: Marks) -> Decimal:
    return sum((leg_maintenance(book, leg, marks) for leg in pool.legs), ZERO)


def excess(book: Book, pool: Pool, marks: Marks) -> Decimal:
    """Margin balance over maintenance: the pool is liquidated when it is not positive."""
    return margin_balance(book, pool, marks) - maintenance(book, pool, marks)


def scale(book: Book, pool: Pool, marks: Marks) -> Decimal:
    """Sum of the absolute terms of `excess`: what rounding is measured against."""
    total = maintenance(book, pool, marks)
    for asset, amount in pool.wallet.items():
        total += abs(amount) * book.asset_price(asset, marks)
    for leg in pool.legs:
        at_entry, at_mark = leg.notional(leg.entry), leg.notional(marks[leg.symbol])
        total += (at_entry + at_mark) * book.asset_price(leg.settle, marks)
    return total


def account_scale(book: Book) -> Decimal:
    """Sum of the absolute terms of the whole account."""
    return scale(book, Pool("all", book.legs, book.collateral), book.marks)


# ------------------------------------------------------------------ paths and roots


@dataclass(frozen=True)
class Path:
    """How the marks depend on one number `u`, and where `u` stands now."""

    name: str | None
    start: Decimal
    marks: Callable[[Decimal], Marks]


def price_path(book: Book, symbol: str) -> Path:
    """The mark of one symbol moves, the others stay."""
    return Path(symbol, book.marks[symbol], lambda u: {**book.marks, symbol: u})


def shock_path(book: Book) -> Path:
    """All marks are multiplied by `u`."""
    return Path(None, ONE, lambda u: {s: p * u for s, p in book.marks.items()})


@dataclass(frozen=True)
class Smooth:
    """`a + b*u + c/u`."""

    a: Decimal
    b: Decimal
    c: Decimal

    def roots(self, level: Decimal = ZERO, at: Decimal = ONE) -> list[Decimal]:
        """Positive `u` where the function equals `level`, ascending; `at` sets the scale."""
        a, b, c = self.a - level, self.b, self.c
        noise = NOISE * max(abs(self.a), abs(level), abs(b) * at, abs(c) / at)
        if abs(a) <= noise:
            a = ZERO
        if abs(b) * at <= noise:
            b = ZERO
        if abs(c) / at <= noise:
            c = ZERO
        if b == 0:
            found = [-c / a] if a != 0 else []
        else:
            inside = a * a - 4 * b * c
            if inside < 0:
                return []
            # the sum that does not cancel, and its partner through the product of the roots
            far = -(a + inside.sqrt().copy_sign(a)) / 2
            found = [far / b, c / far] if far != 0 else []
        return sorted(u for u in found if u > 0)


def fit(function: Number, low: Decimal, high: Decimal) -> Smooth:
    """Coefficients of a smooth piece from three points, checked on a fourth."""
    x, y, z = low, (low + high) / 2, high
    fx, fy, fz = function(x), function(y), function(z)
    # differences remove a; then 1/u has the divided differences -1/(xy), -1/(yz)
    first, second = (fy - fx) / (y - x), (fz - fy) / (z - y)
    c = (second - first) / (1 / (x * y) - 1 / (y * z))
    b = first + c / (x * y)
    a = fx - b * x - c / x
    check = (low + 3 * high) / 4
    size = abs(a) + abs(b) * check + abs(c) / check + abs(fx)
    wrong = abs(function(check) - (a + b * check + c / check))
    assert wrong <= Decimal("1e-22") * size, "a kink was missed: the piece is not smooth"
    return Smooth(a, b, c)


def kinks(book: Book, pool: Pool, path: Path) -> list[Decimal]:
    """Every `u` where the margin balance or the maintenance of a pool may bend."""
    low, high = path.start / 2, path.start * 2
    points: list[Decimal] = []
    if not book.at_entry:
        for leg in pool.legs:
            floors = [floor for floor, _ in leg.tiers if floor > 0]
            if floors and path.name in (None, leg.symbol):
                size = fit(lambda u, g=leg: g.notional(path.marks(u)[g.symbol]), low, high)
                for floor in floors:
                    points += size.roots(floor, path.start)
    for asset in net_assets(pool, book.marks):
        if asset in book.haircuts:
            net = fit(lambda u, s=asset: net_assets(pool, path.marks(u))[s], low, high)
            for floor, _ in ((ZERO, ZERO), *book.haircuts[asset]):
                points += net.roots(floor, path.start)
    return points


def pieces(points: list[Decimal], start: Decimal) -> Iterator[tuple[int, Decimal, Decimal]]:
    """Intervals between kinks, outward from `start`: first below (-1), then above (+1)."""
    edges = [start]
    for u in sorted(points):
        if all(abs(u - edge) > Decimal("1e-20") * edge for edge in edges):
            edges.append(u)
    edges.sort()
    here = edges.index(start)
    for side, outward in ((-1, edges[here::-1]), (1, edges[here:])):
        for near, far in pairwise(outward):
            yield side, min(near, far), max(near, far)
        yield (-1, ZERO, outward[-1]) if side < 0 else (1, outward[-1], Decimal("Infinity"))


def nearest_roots(
    function: Number, points: list[Decimal], start: Decimal
) -> tuple[Decimal | None, Decimal | None]:
    """Largest root below `start` and smallest above it."""
    found: dict[int, Decimal] = {}
    for side, low, high in pieces(points, start):
        if side in found:
            continue
        inner_low = high / 4 if low == 0 else low
        inner_high = low * 4 if high.is_infinite() else high
        smooth = fit(function, inner_low, inner_high)
        slack = 1 + Decimal("1e-30")
        inside = [
            u
            for u in smooth.roots(ZERO, inner_high)
            if low / slack <= u <= high * slack and u != start
        ]
        if inside:
            found[side] = inside[-1] if side < 0 else inside[0]
    return found.get(-1), found.get(1)


def triggers(book: Book, pool: Pool, path: Path) -> tuple[Decimal | None, Decimal | None]:
    """Where a pool meets its maintenance, below and above the present `u`."""
    key = ("trigger", pool.name, pool.legs, tuple(pool.wallet.items()), path.name)
    if key not in book._cache:
        book._cache[key] = nearest_roots(
            lambda u: excess(book, pool, path.marks(u)), kinks(book, pool, path), path.start
        )
    return book._cache[key]


def bankruptcies(book: Book, pool: Pool, path: Path) -> tuple[Decimal | None, Decimal | None]:
    """Where a pool has no equity left, below and above the present `u`."""
    key = ("bankruptcy", pool.name, pool.legs, tuple(pool.wallet.items()), path.name)
    if key not in book._cache:
        book._cache[key] = nearest_roots(
            lambda u: equity(book, pool, path.marks(u)), [], path.start
        )
    return book._cache[key]


def nearer(pair: tuple[Decimal | None, Decimal | None], start: Decimal) -> Decimal | None:
    """The one of two roots that is nearer to `start`."""
    there = [u for u in pair if u is not None]
    return min(there, key=lambda u: abs(u - start)) if there else None


# ------------------------------------------------------------------ reports


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
    liquidation_prices: tuple[Decimal | None, Decimal | None]
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
    liquidation_shocks: tuple[Decimal | None, Decimal | None]
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
        pool_ratio = ratio(maintenance(book, pool, marks), margin_balance(book, pool, marks))
        ratios.append(pool_ratio)
        down, up = triggers(book, pool, shock)
        if excess(book, pool, marks) <= 0:  # below maintenance already: no move is needed
            down = up = ONE
        downs.append(down)
        ups.append(up)
        for leg in pool.legs:
            path = price_path(book, leg.symbol)
            price = book.asset_price(leg.settle, marks)
            alone = pool.name == leg.key
            prices = triggers(book, pool, path)
            move = nearer((down, up), ONE)
            initial = leg.notional(leg.entry if alone else marks[leg.symbol]) / leg.leverage
            positions[leg.key] = PositionFigures(
                pool=pool.name,
                notional=leg.notional(marks[leg.symbol]) * price,
                unrealized_pnl=leg.profit(marks[leg.symbol]) * price,
                margin=(leg.margin if alone else initial) * price,
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
    balance = counted_value(book, idle, marks) + sum(balances.values(), ZERO)
    counted = counted_value(book, book.collateral, marks)
    notional = sum((p.notional for p in positions.values()), ZERO)
    initial_margin = sum((p.initial_margin for p in positions.values()), ZERO)
    # a pool of its own lends nothing: free is what the shared ones and the idle rest hold
    free = {"idle": counted_value(book, idle, marks)}
    for p in positions.values():
        if p.pool.startswith("cross"):
            free[p.pool] = free.get(p.pool, balances[p.pool]) - p.initial_margin
    return Figures(
        equity=wallet + profit,
        margin_balance=balance,
        wallet_balance=wallet,
        unrealized_pnl=profit,
        initial_margin=initial_margin,
        maintenance_margin=sum((p.maintenance_margin for p in positions.values()), ZERO),
        margin_ratio=None if None in ratios else max(ratios, default=None),
        available=available(list(free.values()), book.order_margin),
        effective_leverage=ratio(notional, balance),
        collateral_utilization=ratio(initial_margin + book.order_margin, counted),
        worst_loss=sum((equity(book, pool, marks) for pool in pools), ZERO),
        liquidation_shocks=(
            None if nearest_down is None else nearest_down - 1,
            None if nearest_up is None else nearest_up - 1,
        ),
        liquidation_shock=None if nearest is None else nearest - 1,
        below=any(excess(book, pool, marks) <= 0 for pool in pools),
        positions={leg.key: positions[leg.key] for leg in book.legs},
    )


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
    if excess(book, pool, path.marks(path.start)) <= 0:
        at: Decimal | None = path.start
    else:
        down, up = triggers(book, pool, path)
        at = down if side < 0 else up
    if at is None:
        return None
    marks = path.marks(at)
    left_over = equity(book, pool, marks)
    closed = sum(
        (g.notional(marks[g.symbol]) * book.asset_price(g.settle, marks) for g in pool.legs), ZERO
    )
    # a pool cannot pay more than it has left
    fee = min(book.liquidation_fee * closed, max(ZERO, left_over))
    left = max(ZERO, left_over - fee) if book.returned else ZERO
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
        required += maintenance(book, pool, marks)
        ratios.append(maintenance(book, pool, marks) / margin_balance(book, pool, marks))
    closed.sort(key=lambda event: abs(event.at - path.start))
    return Point(total, required, max(ratios, default=None), closed)


@exact
def collateral_to_survive(book: Book, mode: str, move: Decimal) -> dict[str, Decimal]:
    """Wallet each pool needs, so that after a common move its equity equals its maintenance.

    In cash of the account's currency: collateral that loses value itself is another matter.
    """
    after = shock_path(book).marks(1 + move)
    return {
        pool.name: maintenance(book, pool, after) - profit(book, pool, after)
        for pool in partition(book, mode)[0]
    }


def profit(book: Book, pool: Pool, marks: Marks) -> Decimal:
    """Unrealised profit of the positions of a pool, in the currency of the account."""
    return market_value(book, net_assets(Pool(pool.name, pool.legs, {}), marks), marks)
