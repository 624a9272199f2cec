"""What a liquidation does to a pool that has fallen: what it closes, and to whom the money goes.

A policy is data; `close_pool` carries it out. Every step sums to zero over the trader, the fees,
the insurance fund and those who trade against the pool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from margin_widgets.engine.book import Book, Floats, Ints
from margin_widgets.engine.handover import bankruptcy_price, base_to_cover
from margin_widgets.engine.insurance import position_fund_fee
from margin_widgets.engine.ledger import Ledger
from margin_widgets.engine.marked import MarkedBook
from margin_widgets.engine.valuation import mark_book, unrealized_pnl

KINDS = ("full", "tiers", "share", "shortage")
PRICES = ("mark", "bankruptcy")

_SLACK = 1e-9
"""Relative: an amount that rounding put beside the floor of a tier is on it."""

_ROUNDING = 1e-12
"""Of the closed notional: an equity that is no larger is none."""

_MOST_ORDERS = 20
"""Orders per position after which positions are closed whole."""

_LEAST_COVERED = 0.05
"""An order is not enlarged more than twentyfold because the one before covered too little."""

Resize = Callable[[Book, Floats], Book]


@dataclass(frozen=True)
class LiquidationPolicy:
    """How a venue closes a pool that has fallen.

    Parameters
    ----------
    kind : {"full", "tiers", "share", "shortage"}
        All at once; down the tiers of a position until the pool stands; a fixed share first;
        or as much as the shortage asks for. What does not suffice is followed by all the rest.
    tiers_down : int
        "tiers": how many tiers one order goes down.
    from_tier : int
        "tiers": lowest tier (counted from 1) that is still stepped down from; a position below it
        is closed whole.
    share : float
        "share": part of a position that is closed first. "shortage": part of the shortage that one
        order covers. Above 0 and at most 1.
    share_above : float
        "share": notional (valuation currency) above which only the share is closed first.
    buffer : float
        "shortage": share of the notional added to the requirement that must be met again.
    small_shortage : float
        "shortage": amount (valuation currency) below which one order covers all of it.
    liquidator_fee : float
        Share of the closed notional that whoever takes the position over receives.
    fund_fee : float
        Most that the insurance fund receives of what is left to the trader, as a share of the
        closed notional.
    price_at : {"mark", "bankruptcy"}
        Price of the closing of all that is left: at the market, or taken over by the venue at the
        price at which the pool has nothing left. Orders that close a part are at the market.
    takeover_below : float
        Margin balance over requirement below which the venue takes the whole pool over at once,
        at its bankruptcy price, and keeps what it is worth; 0 for never.

    Raises
    ------
    ValueError
        Naming the field, the value and the bound.
    """

    kind: Literal["full", "tiers", "share", "shortage"] = "full"
    tiers_down: int = 1
    from_tier: int = 2
    share: float = 0.2
    share_above: float = 0.0
    buffer: float = 0.0
    small_shortage: float = 0.0
    liquidator_fee: float = 0.0
    fund_fee: float = 0.0
    price_at: Literal["mark", "bankruptcy"] = "mark"
    takeover_below: float = 0.0

    def __post_init__(self) -> None:
        for name, known in (("kind", KINDS), ("price_at", PRICES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not one of {known}")
        for name, least in (("tiers_down", 1), ("from_tier", 2)):
            number = getattr(self, name)
            if not isinstance(number, int) or isinstance(number, bool) or number < least:
                raise ValueError(f"{name}: {number!r} must be a whole number >= {least}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share: {self.share!r} must be above 0 and at most 1")
        for name in ("share_above", "small_shortage", "takeover_below"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name}: {getattr(self, name)!r} must be finite and at least 0")
        for name in ("buffer", "liquidator_fee", "fund_fee"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)!r} must be at least 0 and below 1")

    @property
    def text(self) -> str:
        """What it does, in words."""
        last = "at the market" if self.price_at == "mark" else "taken over at the bankruptcy price"
        tiers = "one tier" if self.tiers_down == 1 else f"{self.tiers_down} tiers"
        above = f" above a notional of {self.share_above:,.0f}" if self.share_above else ""
        first = {
            "full": "",
            "tiers": f"{tiers} down from tier {self.from_tier} or higher, until the pool stands;",
            "share": f"first {self.share:.0%} of each position{above};",
            "shortage": "as much as covers the shortage;",
        }[self.kind]
        return f"{first} {'then ' if first else ''}everything {last}".strip()


@dataclass(frozen=True)
class Ladder:
    """Tiers of positions by the amount that the venue compares with their floors.

    Attributes
    ----------
    floors : ndarray (N, tiers)
        Rising, from 0; `inf` pads short rows.
    per_size : ndarray (N,)
        That amount per unit of absolute size.
    """

    floors: Floats
    per_size: Floats

    @classmethod
    def by_notional(cls, ledger: Ledger) -> Ladder:
        """Floors of the book's own tiers, compared with notional at mark."""
        book = ledger.book
        size = np.abs(book.size)
        per_size = ledger.marked.notional / np.where(size > 0, size, 1.0)
        return cls(book.tiers.floors[book.symbol], per_size)

    def tier(self, position: int, size: float) -> int:
        """Tier in which a size lies, counted from 1; a size on a floor is in the lower tier."""
        amount = abs(size) * self.per_size[position]
        return max(1, int(np.sum(self.floors[position] * (1 + _SLACK) < amount)))

    def top(self, position: int, tier: int) -> float:
        """Largest absolute size in a tier that is not the last."""
        return float(self.floors[position, tier] / self.per_size[position])


@dataclass(frozen=True)
class ClosingStep:
    """One order of a liquidation, or its settlement. Amounts in the valuation currency.

    Attributes
    ----------
    kind : {"tier", "share", "shortage", "close", "takeover", "residual", "shortfall"}
        An order down the tiers, of a share, of what the shortage asks for, of a whole position;
        a position taken over at the bankruptcy price; what was left of the pool; what it lacked.
    position : int
        Number in the book, -1 for the settlement of the pool.
    closed, left : float
        Size closed (signed as the position) and left.
    price : float
        What the position was closed at; NaN for the settlement, and where no positive price leaves
        nothing of the pool.
    notional : float
        Closed notional at mark.
    realized : float
        Profit realised on it since entry (of an option: its value), before fees.
    trader : float
        Change of the pool's equity.
    fee, liquidator : float
        What the venue and who took the position over received.
    fund : float
        What the insurance fund received; negative if it paid.
    taker : float
        What those gained who traded with the pool at another price than the mark.
    equity, balance, requirement : float
        Of the pool, before the step.
    equity_after, balance_after, requirement_after : float
    stands : bool
        Whether the pool stands with the positions it has left.
    """

    kind: str
    position: int
    closed: float
    left: float
    price: float
    notional: float
    realized: float
    trader: float
    fee: float
    liquidator: float
    fund: float
    taker: float
    equity: float
    balance: float
    requirement: float
    equity_after: float
    balance_after: float
    requirement_after: float
    stands: bool


@dataclass(frozen=True)
class Closing:
    """What a liquidation did to one pool. Amounts in the valuation currency.

    Attributes
    ----------
    pool : int
    steps : tuple of ClosingStep
    stands : bool
        Whether the pool was saved: it stands with the positions it has left.
    sizes : ndarray (N,)
        Signed sizes of all positions of the book afterwards.
    wallet : ndarray (A,)
        Wallet of the pool afterwards: realised profit less fees if it stands, else what came back.
    returned : float
        What the account got back of a pool that was closed.
    """

    pool: int
    steps: tuple[ClosingStep, ...]
    stands: bool
    sizes: Floats = field(repr=False)
    wallet: Floats = field(repr=False)
    returned: float

    def total(self, amount: str) -> float:
        """Sum of one amount over the steps: "trader", "fee", "liquidator", "fund", "taker"..."""
        return float(sum(getattr(step, amount) for step in self.steps))

    @property
    def fund(self) -> float:
        """What the insurance fund received; negative if it paid."""
        return self.total("fund")

    @property
    def shortfall(self) -> float:
        """Loss beyond the margin, which others than the trader bear."""
        return max(0.0, -self.fund)


def own_maintenance(ledger: Ledger) -> Floats:
    """Maintenance margin of each position for itself, also where its pool's is not their sum (N,).

    In the valuation currency.
    """
    marked = ledger.marked
    owed: Floats = marked.maintenance * marked.asset_prices[ledger.book.position_settle]
    return owed


def shared_equity(ledger: Ledger) -> Floats:
    """Equity of each pool, shared out to its positions by their maintenance margin (N,).

    In the valuation currency; by notional where a pool's positions owe no maintenance.
    """
    figures, partition = ledger.valuation, ledger.partition
    owed = own_maintenance(ledger)
    by_maintenance = partition.sum_by_pool(owed)[partition.pool] > 0
    weight = np.where(by_maintenance, owed, figures.notional)
    total = partition.sum_by_pool(weight)[partition.pool]
    share = np.where(total > 0, weight / np.where(total > 0, total, 1.0), 0.0)
    equity: Floats = figures.equity[partition.pool] * share
    return equity


def closing_bankruptcy_prices(ledger: Ledger, fee: Floats | float = 0.0) -> Floats:
    """Price of each position at which its part of the pool's equity is used up (N,).

    If all positions of a pool are closed at these prices, nothing is left and nothing is missing.
    With a taker fee, the fee of closing is paid too. NaN where no positive price does it.
    """
    book, marked = ledger.book, ledger.marked
    part = shared_equity(ledger) / marked.asset_prices[book.position_settle]
    return bankruptcy_price(book.size, marked.price, part, fee=fee, inverse=book.position_inverse)


def resized(book: Book, size: Floats) -> Book:
    """Return the book with other sizes (N,), what is fixed per position scaled with them."""
    share = np.where(book.size != 0, size / np.where(book.size != 0, book.size, 1.0), 0.0)
    return book.replace(
        size=size, fixed=book.fixed * share, initial_fixed=book.initial_fixed * share
    )


def close_pool(
    ledger: Ledger,
    pool: int,
    policy: LiquidationPolicy,
    *,
    fills: Floats | None = None,
    ladder: Ladder | None = None,
    resize: Resize = resized,
) -> Closing:
    """Do to one pool what the policy says, at the marks of its ledger.

    A pool without equity cannot be saved by closing a part: it is closed whole. Where several
    positions could be next, the one with the highest maintenance margin is (the first of equals).

    Parameters
    ----------
    ledger : Ledger
        At marks (S,) at which the pool has fallen; one that stands is left as it is.
    pool : int
    policy : LiquidationPolicy
    fills : ndarray (S,), optional
        Prices at which orders are executed, and at which the venue sells what it took over; the
        marks if not given.
    ladder : Ladder, optional
        Tiers of the book's positions; by notional at mark if not given.
    resize : callable
        Makes the book with other sizes, where more depends on them than `resized` knows.

    Returns
    -------
    Closing
    """
    members = np.flatnonzero(ledger.partition.pool == pool)
    ladder = Ladder.by_notional(ledger) if ladder is None else ladder
    fills = ledger.marks if fills is None else fills
    closing = _Procedure(ledger, pool, members, policy, fills, ladder, resize)
    if ledger.fallen[pool]:
        closing.run()
    return closing.result()


class _Procedure:
    """A liquidation while it goes on."""

    def __init__(
        self,
        ledger: Ledger,
        pool: int,
        members: Ints,
        policy: LiquidationPolicy,
        fills: Floats,
        ladder: Ladder,
        resize: Resize,
    ) -> None:
        self.ledger, self.pool, self.members, self.policy = ledger, pool, members, policy
        self.fills, self.ladder, self.resize = fills, ladder, resize
        self.steps: list[ClosingStep] = []
        self.returned = 0.0

    # -- where it stands --------------------------------------------------------------------------

    @property
    def open(self) -> Ints:
        """Positions of the pool that are not closed, the highest maintenance margin first."""
        members = self.members[self.ledger.book.size[self.members] != 0]
        owed = own_maintenance(self.ledger)[members]
        largest_first: Ints = members[np.argsort(-owed, kind="stable")]
        return largest_first

    @property
    def stands(self) -> bool:
        return not bool(self.ledger.fallen[self.pool])

    def figure(self, name: str) -> float:
        """A figure of the pool: "equity", "margin_balance" or "requirement"."""
        return float(getattr(self.ledger.valuation, name)[self.pool])

    # -- what is done -----------------------------------------------------------------------------

    def run(self) -> None:
        balance, requirement = self.figure("margin_balance"), self.figure("requirement")
        level = self.policy.takeover_below
        backstop = level > 0 and balance < level * requirement
        if min(balance, self.figure("equity")) > 0 and not backstop:
            partly: dict[str, Callable[[], None]] = {
                "tiers": self.down_the_tiers,
                "share": self.a_share_first,
                "shortage": self.as_the_shortage_asks,
            }
            if self.policy.kind in partly:
                partly[self.policy.kind]()
            if self.stands and len(self.open):
                return
        takeover = backstop or self.policy.price_at == "bankruptcy"
        for position in self.open:
            self.close(int(position), 1.0, "takeover" if takeover else "close")
        self.settle(keeps=backstop)

    def down_the_tiers(self) -> None:
        while not self.stands:
            for position in self.open:
                tier = self.ladder.tier(int(position), float(self.ledger.book.size[position]))
                if tier >= self.policy.from_tier:
                    top = self.ladder.top(int(position), max(1, tier - self.policy.tiers_down))
                    kept = top / abs(float(self.ledger.book.size[position]))
                    self.close(int(position), 1.0 - kept, "tier")
                    break
            else:
                return

    def a_share_first(self) -> None:
        for position in self.open:
            notional = float(self.ledger.valuation.notional[position])
            part = self.policy.share if notional > self.policy.share_above else 1.0
            self.close(int(position), part, "share" if part < 1 else "close")
            if self.stands:
                return

    def as_the_shortage_asks(self) -> None:
        policy, whole = self.policy, self.shortage
        # Where equality falls, a pool that is to stand must hold a hair more than what it lacks.
        hair = _SLACK * self.figure("requirement")
        # What an order covered of what it was to: not all of it where margin is no plain sum.
        covering: dict[int, float] = {}
        while len(self.open) and (self.shortage > 0 or not self.stands):
            position, shortage = int(self.open[0]), max(self.shortage, 0.0)
            wanted = shortage + hair
            if shortage >= policy.small_shortage:
                wanted = min(wanted, policy.share * whole + hair)
            notional = float(self.ledger.valuation.notional[position])
            rate = self.freed_by(position) / notional + policy.buffer
            fee = policy.liquidator_fee + self.ledger.book.liquidation_fee
            fund_fee = position_fund_fee(shortage, notional, rate, fee, policy.fund_fee)
            asked = base_to_cover(wanted, notional, rate, liquidator_fee=fee, fund_fee=fund_fee)
            part = min(1.0, asked / covering.get(position, 1.0))
            if len(self.steps) >= _MOST_ORDERS * len(self.members):
                part = 1.0
            self.close(position, part, "shortage", fund_fee=fund_fee)
            covered = (
                (shortage - self.shortage) / (part / asked * wanted) if asked < np.inf else 1.0
            )
            covering[position] = min(1.0, max(covered, _LEAST_COVERED))

    def freed_by(self, position: int) -> float:
        """Maintenance margin that a closing at mark frees, less the balance that it costs.

        Where the venue does not count the value of options, buying one back costs balance.
        """
        freed, marked = own_maintenance(self.ledger)[position], self.ledger.marked
        if self.ledger.portfolio is None:
            paid = marked.worth[position] - marked.counted[position]
            freed += paid * marked.asset_prices[self.ledger.book.position_settle[position]]
        return float(freed)

    @property
    def shortage(self) -> float:
        """What the pool lacks of its requirement and the buffer."""
        needed = self.ledger.book.trigger_level * self.figure("requirement")
        needed += self.policy.buffer * float(self.ledger.valuation.notional[self.members].sum())
        return needed - self.figure("margin_balance")

    def close(
        self, position: int, part: float, kind: str, *, fund_fee: float | None = None
    ) -> None:
        """Close a part of a position, and pay what is to be paid for it."""
        before, book, marked = self.ledger, self.ledger.book, self.ledger.marked
        figures = before.valuation
        asset = int(book.position_settle[position])
        worth_one = float(marked.asset_prices[asset])
        at_mark = float(marked.worth[position]) * part * worth_one
        # Executed at another price than the mark, it brings more or less than it was worth.
        filled = unrealized_pnl(book, self.fills[book.symbol])[position]
        slip = float(filled - unrealized_pnl(book, marked.price)[position]) * part * worth_one
        notional = float(figures.notional[position]) * part

        sizes = book.size.copy()
        sizes[position] = 0.0 if part == 1 else book.size[position] * (1 - part)
        reduced = mark_book(self.resize(book, sizes), marked.marks)
        freed = float((marked.maintenance - reduced.maintenance)[position]) * worth_one
        share = self.share_of_equity(freed, notional)

        realized = at_mark + slip
        fee = min(book.liquidation_fee * notional, max(0.0, self.figure("equity") + slip))
        liquidator = self.policy.liquidator_fee * notional
        price = float(self.fills[book.symbol[position]])
        if kind == "takeover":
            # The venue has the position at this price and sells it at the fill.
            # While the pool has anything, one position's fee is no loss of another's.
            liquidator, own = 0.0, max(share - fee, min(share, 0.0))
            realized -= own + slip
            price = float(
                bankruptcy_price(
                    book.size[position],
                    marked.price[position],
                    own / worth_one,
                    inverse=bool(book.position_inverse[position]),
                )
            )
            fund = own + slip
        elif fund_fee is not None:
            fund = fund_fee * notional
        else:
            left = max(0.0, share + slip - fee - liquidator)
            fund = min(self.policy.fund_fee * notional, left)

        paid = fee + liquidator + fund
        self.move(reduced, asset, (at_mark + slip - paid) / worth_one)
        self.note(
            before,
            kind=kind,
            position=position,
            closed=float(book.size[position] - sizes[position]),
            left=float(sizes[position]),
            price=price,
            notional=notional,
            realized=realized,
            fee=fee,
            liquidator=liquidator,
            fund=fund,
            taker=0.0 - slip,
        )

    def share_of_equity(self, freed: float, notional: float) -> float:
        """What the pool holds for the closed part, by maintenance margin."""
        figures, members = self.ledger.valuation, self.members
        owed = float(own_maintenance(self.ledger)[members].sum())
        if owed > 0:
            return self.figure("equity") * freed / owed
        return self.figure("equity") * notional / float(figures.notional[members].sum())

    def settle(self, *, keeps: bool) -> None:
        """Give the residual to whom it belongs, or let the fund pay what is missing."""
        before, book = self.ledger, self.ledger.book
        residual = self.figure("equity")
        rounding = _ROUNDING * sum(step.notional for step in self.steps)
        if abs(residual) <= rounding:
            residual = 0.0
        taken = sum(step.fund for step in self.steps if step.kind == "takeover")
        shared = 0.0 if keeps else book.residual_returned
        self.returned = shared * max(0.0, residual + taken)
        wallet, prices = before.partition.wallet.copy(), before.marked.asset_prices
        owes = (wallet[self.pool] * prices < -rounding).any()
        if residual == self.returned and not owes:
            return  # it is the trader's as it is
        asset = int(np.argmax(wallet[self.pool] * prices))
        if self.steps:
            asset = int(book.position_settle[self.steps[-1].position])
        wallet[self.pool] = 0.0
        wallet[self.pool, asset] = self.returned / float(prices[asset])
        self.ledger = replace(before, partition=replace(before.partition, wallet=wallet))
        self.note(
            before,
            kind="residual" if residual + taken >= 0 else "shortfall",
            position=-1,
            fund=residual - self.returned,
        )

    # -- the record -------------------------------------------------------------------------------

    def move(self, marked: MarkedBook, asset: int, amount: float) -> None:
        """Go on with another book, and an amount more in the pool's wallet."""
        partition = self.ledger.partition
        wallet = partition.wallet.copy()
        wallet[self.pool, asset] += amount
        self.ledger = replace(
            self.ledger, marked=marked, partition=replace(partition, wallet=wallet)
        )

    def note(self, before: Ledger, **parts: Any) -> None:
        """Write a step down, with the pool's figures before and after it."""
        was = before.valuation
        amounts = {
            **dict.fromkeys(("closed", "left", "notional", "realized", "fee"), 0.0),
            **dict.fromkeys(("liquidator", "fund", "taker"), 0.0),
            "price": np.nan,
            **parts,
        }
        equity = self.figure("equity")
        self.steps.append(
            ClosingStep(
                **amounts,
                trader=equity - float(was.equity[self.pool]),
                equity=float(was.equity[self.pool]),
                balance=float(was.margin_balance[self.pool]),
                requirement=float(was.requirement[self.pool]),
                equity_after=equity,
                balance_after=self.figure("margin_balance"),
                requirement_after=self.figure("requirement"),
                stands=bool(len(self.open)) and self.stands,
            )
        )

    def result(self) -> Closing:
        return Closing(
            pool=self.pool,
            steps=tuple(self.steps),
            stands=bool(len(self.open)) and self.stands,
            sizes=self.ledger.book.size,
            wallet=self.ledger.partition.wallet[self.pool],
            returned=self.returned,
        )


def after(ledger: Ledger, closings: Sequence[Closing], *, resize: Resize = resized) -> Ledger:
    """Return the ledger once some of its pools were closed, with the positions that are left.

    What came back of a closed pool is idle from then on.

    Parameters
    ----------
    ledger : Ledger
        The one of which the pools were closed.
    closings : sequence of Closing
        One per pool at most.
    resize : callable
        As for `close_pool`.
    """
    partition, sizes = ledger.partition, ledger.book.size.copy()
    wallet, idle = partition.wallet.copy(), partition.idle.copy()
    for one in closings:
        members = partition.pool == one.pool
        sizes[members] = one.sizes[members]
        wallet[one.pool] = one.wallet if one.stands else 0.0
        idle += 0.0 if one.stands else one.wallet
    left = np.flatnonzero(sizes)
    return replace(
        ledger,
        marked=mark_book(resize(ledger.book, sizes).only(left), ledger.marks),
        partition=replace(partition, pool=partition.pool[left], wallet=wallet, idle=idle),
    )
