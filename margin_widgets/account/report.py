"""What an account is worth and owes under one margin mode: an immutable report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import Books
from margin_widgets.account.checks import number
from margin_widgets.account.ratios import RatioReading, falling, read, rising
from margin_widgets.engine import Ledger
from margin_widgets.engine.book import Floats
from margin_widgets.engine.liquidation import triggers_along
from margin_widgets.engine.options import moved_marks, moves_with
from margin_widgets.engine.rounding import Direction, to_tick
from margin_widgets.engine.valuation import count_as_margin
from margin_widgets.venues.ratio import FIGURES as RATIO_FIGURES
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

POSITION_FIGURES = (
    "notional",
    "unrealized_pnl",
    "margin",
    "initial_margin",
    "maintenance_margin",
    "margin_ratio",
    "liquidation_price",
    "bankruptcy_price",
    "distance",
    "liquidation_shock",
)
ACCOUNT_FIGURES = (
    "equity",
    "margin_balance",
    "wallet_balance",
    "unrealized_pnl",
    "initial_margin",
    "maintenance_margin",
    "available",
    "margin_ratio",
    "effective_leverage",
    "collateral_utilization",
    "liquidation_shock",
    "worst_loss",
)


@dataclass(frozen=True)
class PoolReport:
    """One pool: who is in it, what it holds and what it must hold.

    Attributes
    ----------
    name : str
        "cross" (or with the settlement asset), or the key of an isolated position.
    positions : tuple of str
    notional, unrealized_pnl, initial_margin, maintenance_margin, equity, margin_balance : float
        In the account's currency.
    available : float
        Margin balance less initial margin, at least 0; an isolated pool lends nothing.
    effective_leverage : float or None
        Notional over margin balance; None if there is no positive balance.
    collateral_utilization : float or None
        Initial margin over the margin value of the pool's collateral; None without any.
    margin_ratio : float or None
        Maintenance over margin balance; None if there is no positive balance.
    liquidation_shocks : (float or None, float or None)
        Common relative moves of all marks, down and up, that liquidate it; 0 if it is below
        maintenance already.
    status : {"ok", "below maintenance"}
    """

    name: str
    positions: tuple[str, ...]
    notional: float
    unrealized_pnl: float
    initial_margin: float
    maintenance_margin: float
    equity: float
    margin_balance: float
    available: float
    margin_ratio: float | None
    effective_leverage: float | None
    collateral_utilization: float | None
    liquidation_shocks: tuple[float | None, float | None]
    status: str


@dataclass(frozen=True)
class CollateralNeed:
    """Collateral with which pools stand exactly at maintenance after a common move."""

    total: float
    by_pool: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class MarginReport:
    """One account under one margin mode at its present marks. Amounts in `currency`.

    Built by `Account`; every figure is computed when first asked for and kept.

    Attributes
    ----------
    mode : {"isolated", "cross", "configured"}
    books : Books
    """

    mode: str
    books: Books

    @cached_property
    def ledger(self) -> Ledger:
        """The engine's arrays behind the report."""
        return self.books.ledger(self.mode)

    @property
    def currency(self) -> str:
        """Valuation currency of all amounts."""
        return self.books.state.venue.currency

    @property
    def rules(self) -> str:
        """Rule set, version and date."""
        return self.books.state.venue.label

    # -- the account ------------------------------------------------------------------------

    @cached_property
    def equity(self) -> float:
        """Market value of everything: collateral and unrealised profit, before haircuts."""
        figures = self.ledger.valuation
        return float(figures.idle + figures.equity.sum())

    @cached_property
    def margin_balance(self) -> float:
        """Equity after haircuts, idle collateral included."""
        return float(self.ledger.valuation.margin_balance.sum()) + self._idle_counted

    @cached_property
    def wallet_balance(self) -> float:
        """Collateral at market value, without unrealised profit."""
        return float((self.books.book.wallet * self._asset_prices).sum())

    @cached_property
    def unrealized_pnl(self) -> float:
        """Unrealised profit of all positions."""
        return float(self.ledger.valuation.unrealized_pnl.sum())

    @cached_property
    def initial_margin(self) -> float:
        """Initial margin: at entry in isolated pools, at mark in shared ones."""
        figures = self.ledger.valuation
        reserved = figures.initial if figures.pool_initial is None else figures.pool_initial
        return float(reserved.sum())

    @cached_property
    def maintenance_margin(self) -> float:
        """Maintenance margin of all positions and loans."""
        figures = self.ledger.valuation
        if self.ledger.portfolio or self.ledger.book.has_loan_margin:
            return float(figures.requirement.sum())
        return float(figures.maintenance.sum())

    @cached_property
    def available(self) -> float:
        """What new positions may use: balance less initial margin and order margin, at least 0.

        Isolated pools lend nothing: there it is the idle collateral.
        """
        partition, figures = self.ledger.partition, self.ledger.valuation
        shared = ~partition.own
        reserved = self._pool_initial
        free = np.maximum(figures.margin_balance - reserved, 0.0)[shared].sum()  # pool by pool
        return max(0.0, float(free) + self._idle_counted - self.books.state.order_margin)

    @cached_property
    def idle(self) -> float:
        """Market value of collateral that backs no position."""
        return float(self.ledger.valuation.idle)

    @cached_property
    def margin_ratio(self) -> float | None:
        """Maintenance over margin balance of the pool nearest to liquidation (at 1).

        None if that pool has no positive balance; 0 without positions.
        """
        figures, occupied = self.ledger.valuation, self.ledger.exposed
        required, balance = figures.requirement[occupied], figures.margin_balance[occupied]
        if (balance <= 0).any():
            return None
        return float(np.max(required / balance, initial=0.0))

    @cached_property
    def margin_ratios(self) -> tuple[RatioReading, RatioReading]:
        """Both senses of the margin ratio, of the pool nearest to liquidation.

        Maintenance over balance, which rises towards liquidation; balance over maintenance, which
        falls. Each with its numerator, its denominator and the value at which pools liquidate.
        """
        level = self.ledger.book.trigger_level
        name, figures = self._nearest_pool
        equal = self.ledger.book.triggers_at_equality
        return (
            read(rising(level), name, figures, at_equality=equal),
            read(falling(level), name, figures, at_equality=equal),
        )

    @cached_property
    def venue_margin_ratio(self) -> RatioReading:
        """The margin ratio as the venue itself writes it, of the pool nearest to liquidation."""
        name, figures = self._nearest_pool
        equal = self.ledger.book.triggers_at_equality
        return read(self.books.state.venue.margin_ratio, name, figures, at_equality=equal)

    @cached_property
    def effective_leverage(self) -> float | None:
        """Notional of all positions over margin balance; None without a positive one."""
        gross = float(self.ledger.valuation.notional.sum())
        return gross / self.margin_balance if self.margin_balance > 0 else None

    @cached_property
    def collateral_utilization(self) -> float | None:
        """Initial and order margin over the margin value of the collateral; None without any."""
        counted = count_as_margin(self.books.book, self.books.book.wallet) * self._asset_prices
        used = self.initial_margin + self.books.state.order_margin
        return used / float(counted.sum()) if counted.sum() > 0 else None

    @cached_property
    def liquidation_shocks(self) -> tuple[float | None, float | None]:
        """First common relative move of all marks, down and up, that liquidates a pool.

        0 if one is below maintenance already.
        """
        shocks = self.ledger.liquidation_shocks
        return _extreme(shocks.lower, np.fmax), _extreme(shocks.upper, np.fmin)

    @cached_property
    def liquidation_shock(self) -> float | None:
        """The nearer of `liquidation_shocks`; None if no common move liquidates."""
        return _nearer(self.liquidation_shocks)

    @cached_property
    def worst_loss(self) -> float:
        """Equity of the pools that hold positions: what liquidations take if nothing returns."""
        occupied = self.ledger.partition.occupied
        return float(self.ledger.valuation.equity[occupied].sum())

    @cached_property
    def status(self) -> str:
        """'below maintenance' if any pool is, else 'ok'."""
        return "ok" if not self.ledger.fallen.any() else "below maintenance"

    @cached_property
    def pools(self) -> tuple[PoolReport, ...]:
        """Every pool with positions."""
        partition, figures = self.ledger.partition, self.ledger.valuation
        shocks, fallen = self.ledger.liquidation_shocks, self.ledger.fallen
        sums = {
            name: partition.sum_by_pool(amounts)
            for name, amounts in (
                ("notional", figures.notional),
                ("unrealized_pnl", figures.unrealized_pnl),
            )
        }
        sums["initial_margin"] = self._pool_initial
        sums["maintenance_margin"] = figures.requirement
        counted = count_as_margin(self.books.book, partition.wallet) * self._asset_prices
        collateral = counted.sum(axis=-1)
        names, members = self.books.pool_names(self.mode), self.books.pool_members(self.mode)
        found = []
        for pool, (name, inside) in enumerate(zip(names, members, strict=True)):
            balance = float(figures.margin_balance[pool])
            of = {figure: float(amounts[pool]) for figure, amounts in sums.items()}
            free = 0.0 if partition.own[pool] else max(0.0, balance - of["initial_margin"])
            found.append(
                PoolReport(
                    name=name,
                    positions=tuple(self.books.keys[member] for member in inside),
                    **of,
                    equity=float(figures.equity[pool]),
                    margin_balance=balance,
                    available=free,
                    margin_ratio=_over(of["maintenance_margin"], balance),
                    effective_leverage=_over(of["notional"], balance),
                    collateral_utilization=_over(of["initial_margin"], float(collateral[pool])),
                    liquidation_shocks=(
                        _optional(shocks.lower[pool]),
                        _optional(shocks.upper[pool]),
                    ),
                    status="below maintenance" if fallen[pool] else "ok",
                )
            )
        return tuple(found)

    # -- the positions ----------------------------------------------------------------------

    @cached_property
    def positions(self) -> PositionReports:
        """Figures of each position, keyed as `Account.positions`."""
        return PositionReports(self)

    def column(self, figure: str) -> Floats:
        """One figure of all positions (N,); NaN where there is none.

        Raises
        ------
        KeyError
            If there is no such figure.
        """
        if figure not in POSITION_FIGURES:
            raise KeyError(f"no figure {figure!r}{did_you_mean(figure, POSITION_FIGURES)}")
        if figure not in self._columns:
            column = self._column(figure)
            column.setflags(write=False)  # a report does not change
            self._columns[figure] = column
        return self._columns[figure]

    @cached_property
    def _columns(self) -> dict[str, Floats]:
        return {}

    def _column(self, figure: str) -> Floats:
        ledger, figures = self.ledger, self.ledger.valuation
        pool = ledger.partition.pool
        mark = ledger.marks[ledger.book.symbol]
        if figure == "liquidation_price":
            return ledger.liquidation_prices.nearest(mark)
        if figure == "bankruptcy_price":
            return ledger.bankruptcy_prices
        if figure == "distance":
            return np.abs(mark - ledger.liquidation_prices.nearest(mark)) / mark
        if figure == "liquidation_shock":
            return ledger.liquidation_shocks.nearest(0.0)[pool]
        if figure == "margin_ratio":
            balance = figures.margin_balance
            with np.errstate(all="ignore"):
                ratio = np.where(balance > 0, figures.requirement / balance, np.nan)
            return ratio[pool]
        if figure == "margin":
            assigned = ledger.book.margin * self._asset_prices[ledger.book.position_settle]
            return np.where(ledger.partition.own[pool], assigned, figures.initial)
        source = {
            "notional": figures.notional,
            "unrealized_pnl": figures.unrealized_pnl,
            "initial_margin": figures.initial,
            "maintenance_margin": figures.maintenance,
        }
        return source[figure]

    def held_symbols(self, position: int) -> list[int]:
        """Symbols, other than its own, whose marks a position's liquidation price takes as given.

        Those of the pool's other positions, and those that the pool's collateral follows; not those
        of options on it, which follow it.
        """
        book, partition = self.books.book, self.ledger.partition
        pool = partition.pool[position]
        members = partition.pool == pool
        held = partition.wallet[pool] != 0
        held[book.position_settle[members]] = True
        followed = book.asset_symbol[held]
        found = dict.fromkeys([*book.symbol[members].tolist(), *followed[followed >= 0].tolist()])
        return [symbol for symbol in found if not moves_with(book, symbol, book.symbol[position])]

    # -- what if ----------------------------------------------------------------------------

    def trigger_prices(self, symbol: str) -> tuple[float | None, float | None]:
        """Prices of a symbol below and above its mark at which the first pool is liquidated.

        The symbol need not be held: collateral may follow it (spot margin), and options on it do.

        Raises
        ------
        KeyError
            If the account neither holds nor marks the symbol.
        """
        if symbol not in self.books.symbols:
            hint = did_you_mean(symbol, self.books.symbols)
            raise KeyError(f"trigger_prices: no {symbol!r} in this account{hint}")
        place = self.books.symbols.index(symbol)
        found = triggers_along(self.ledger.ray_of(place), self.ledger.partition)
        mark = float(self.ledger.marks[place])
        return _extreme(found.lower * mark, np.fmax), _extreme(found.upper * mark, np.fmin)

    def collateral_to_survive(self, shock: float) -> CollateralNeed:
        """Collateral with which each pool stands exactly at maintenance after a common move.

        Parameters
        ----------
        shock : float
            Relative move of all marks, e.g. -0.3; above -1.

        Notes
        -----
        Wallet balance, to be compared with `Position.margin` or the account's collateral: loss
        since entry plus maintenance margin at the moved marks, in the account's currency, for
        collateral without haircut whose price does not move.
        """
        shock = number("shock", shock, above=-1.0)
        book, partition = self.books.book, self.ledger.partition
        marks = moved_marks(book, self.books.marks, 1 + shock)
        moved = self.books.ledger(self.mode, marks)
        settle_price = moved.marked.asset_prices[book.position_settle]
        counted = partition.sum_by_pool(moved.marked.counted * settle_price)
        needed = book.trigger_level * moved.valuation.requirement - counted
        names = self.books.pool_names(self.mode)
        by_pool = {name: float(need) for name, need in zip(names, needed, strict=True)}
        return CollateralNeed(float(needed.sum()), by_pool)

    # -- out --------------------------------------------------------------------------------

    def figures(self) -> dict[str, float | None]:
        """All figures of the account by name."""
        return {name: getattr(self, name) for name in ACCOUNT_FIGURES}

    def to_frame(self) -> pd.DataFrame:
        """One row per position (index: its key), one column per figure."""
        import pandas as pd

        state = self.books.state
        return pd.DataFrame(
            {
                "symbol": [row.symbol for row in state.positions],
                "side": [row.side for row in state.positions],
                "quantity": [row.quantity for row in state.positions],
                "entry_price": [row.entry_price for row in state.positions],
                "mark": self.ledger.marks[self.ledger.book.symbol],
                **{name: self.column(name) for name in POSITION_FIGURES},
            },
            index=pd.Index(self.books.keys, name="position"),
        )

    def _repr_html_(self) -> str:
        from margin_widgets.account.summary import report_html

        return report_html(self)

    def __repr__(self) -> str:
        shock = fmt.move(self.liquidation_shock)
        end = f"liquidation at {shock} common move" if self.status == "ok" else self.status
        return (
            f"MarginReport({self.mode}: equity {fmt.amount(self.equity)} {self.currency},"
            f" maintenance {fmt.amount(self.maintenance_margin)}, {end})"
        )

    # -- parts ------------------------------------------------------------------------------

    @cached_property
    def _asset_prices(self) -> Floats:
        return self.ledger.marked.asset_prices

    @cached_property
    def _pool_initial(self) -> Floats:
        figures = self.ledger.valuation
        if figures.pool_initial is not None:
            return figures.pool_initial
        return self.ledger.partition.sum_by_pool(figures.initial)

    @cached_property
    def _nearest_pool(self) -> tuple[str, dict[str, float]]:
        """Name and figures of the pool nearest to liquidation; all 0 without any pool."""
        figures, partition = self.ledger.valuation, self.ledger.partition
        balance, required = figures.margin_balance, figures.requirement
        pools = np.flatnonzero(self.ledger.exposed)
        if not len(pools):
            return "", dict.fromkeys(RATIO_FIGURES, 0.0)
        with np.errstate(all="ignore"):
            ratio = np.where(balance > 0, required / balance, np.inf)[pools]
        pool = pools[np.argmax(ratio)]
        wallet = (partition.wallet[pool] * self._asset_prices).sum()
        return self.books.pool_names(self.mode)[pool], {
            "maintenance margin": float(required[pool]),
            "margin balance": float(balance[pool]),
            "equity": float(figures.equity[pool]),
            "initial margin": float(self._pool_initial[pool]),
            "wallet balance": float(wallet),
        }

    @cached_property
    def _idle_counted(self) -> float:
        counted = count_as_margin(self.books.book, self.ledger.partition.idle)
        return float((counted * self._asset_prices).sum())


class PositionReports(Mapping[str, "PositionReport"]):
    """Reports of positions by key; a symbol alone is enough where it has one leg."""

    def __init__(self, report: MarginReport) -> None:
        self._report = report

    def __getitem__(self, key: str | int) -> PositionReport:
        keys, places = self._report.books.keys, self._report.books.places
        if isinstance(key, int):
            return PositionReport(self._report, range(len(keys))[key])
        if key in places:
            return PositionReport(self._report, places[key])
        symbol, _, side = key.rpartition(":")
        for place, row in enumerate(self._report.books.state.positions):
            if row.symbol == symbol and row.side == side:
                return PositionReport(self._report, place)
        legs = [one for one in keys if one.rpartition(":")[0] == key]
        hint = f": use {' or '.join(map(repr, legs))}" if legs else did_you_mean(key, keys)
        raise KeyError(f"no position {key!r}{hint}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._report.books.keys)

    def __len__(self) -> int:
        return len(self._report.books.keys)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{key!r}: …' for key in self)}}}"


@dataclass(frozen=True, eq=False)
class PositionReport:
    """Figures of one position; amounts in the account's currency, prices in its quote currency."""

    report: MarginReport
    index: int

    def _figure(self, name: str) -> float:
        return float(self.report.column(name)[self.index])

    @property
    def key(self) -> str:
        """Key of the position."""
        return self.report.books.keys[self.index]

    @property
    def symbol(self) -> str:
        """Contract."""
        return self.report.books.state.positions[self.index].symbol

    @property
    def side(self) -> str:
        """'long' or 'short'."""
        return self.report.books.state.positions[self.index].side

    @property
    def pool(self) -> str:
        """Name of the pool it is in."""
        pool = int(self.report.ledger.partition.pool[self.index])
        return self.report.books.pool_names(self.report.mode)[pool]

    @property
    def in_pool(self) -> PoolReport:
        """Report of that pool: equity, available, utilisation and the rest."""
        return self.report.pools[int(self.report.ledger.partition.pool[self.index])]

    @property
    def mark(self) -> float:
        """Present mark price."""
        return float(self.report.ledger.marks[self.report.books.book.symbol[self.index]])

    @property
    def notional(self) -> float:
        """Size at the mark."""
        return self._figure("notional")

    @property
    def unrealized_pnl(self) -> float:
        """Profit at the mark."""
        return self._figure("unrealized_pnl")

    @property
    def margin(self) -> float | None:
        """Margin assigned (isolated), or initial margin reserved (shared pool).

        None under portfolio margin, as the two below: only a pool has margin there.
        """
        return _optional(self._figure("margin"))

    @property
    def initial_margin(self) -> float | None:
        """Notional over leverage: at entry if isolated, at mark if shared."""
        return _optional(self._figure("initial_margin"))

    @property
    def maintenance_margin(self) -> float | None:
        """Own maintenance margin."""
        return _optional(self._figure("maintenance_margin"))

    @property
    def margin_ratio(self) -> float | None:
        """Ratio of its pool; None if the pool has no positive balance."""
        return _optional(self._figure("margin_ratio"))

    @property
    def liquidation_prices(self) -> tuple[float | None, float | None]:
        """Prices of its symbol below and above the mark at which its pool is at its trigger.

        They liquidate it; or, if it is below maintenance already, they bring it back above.
        """
        triggers = self.report.ledger.liquidation_prices
        return _optional(triggers.lower[self.index]), _optional(triggers.upper[self.index])

    @property
    def liquidation_price(self) -> float | None:
        """The nearer of `liquidation_prices`; None if no positive price liquidates."""
        return _optional(self._figure("liquidation_price"))

    @property
    def bankruptcy_price(self) -> float | None:
        """Price of its symbol at which its pool has no equity."""
        return _optional(self._figure("bankruptcy_price"))

    @property
    def displayed_liquidation_price(self) -> float | None:
        """Liquidation price on the contract's tick, rounded as the venue rounds it.

        Towards the entry where the rule set says so; else, or without a tick, as it is.
        """
        return self._displayed(self.liquidation_price, self.report.books.state.venue.rounding)

    @property
    def displayed_bankruptcy_price(self) -> float | None:
        """Bankruptcy price on the contract's tick, rounded as the venue rounds it."""
        rules = self.report.books.state.venue
        return self._displayed(self.bankruptcy_price, rules.bankruptcy_rounding)

    def _displayed(
        self, price: float | None, direction: Direction | Literal["none"]
    ) -> float | None:
        books = self.report.books
        tick = books.contracts[books.book.symbol[self.index]].tick
        if price is None or tick is None or direction == "none":
            return price
        return float(to_tick(price, tick, direction, books.book.entry[self.index]))

    @property
    def distance(self) -> float | None:
        """Relative distance from mark to liquidation price."""
        return _optional(self._figure("distance"))

    @property
    def liquidation_shock(self) -> float | None:
        """Common move of all marks that liquidates its pool."""
        return _optional(self._figure("liquidation_shock"))

    @property
    def status(self) -> str:
        """'ok' or 'below maintenance', of its pool."""
        pool = int(self.report.ledger.partition.pool[self.index])
        return "ok" if not self.report.ledger.fallen[pool] else "below maintenance"

    @property
    def condition(self) -> str:
        """What the liquidation price takes for granted: the marks of the pool's other symbols."""
        books = self.report.books
        others = self.report.held_symbols(self.index)
        if not others:
            return ""
        stays = [
            f"{books.symbols[s]} stays at"
            f" {fmt.price(float(books.marks[s]), books.contracts[s].tick)}"
            for s in others
        ]
        shown = stays if len(stays) <= 3 else [*stays[:2], f"{len(stays) - 2} other marks stay"]
        return f"if {' and '.join(shown)}"

    def __repr__(self) -> str:
        return (
            f"PositionReport({self.key} {self.report.mode}: notional {fmt.amount(self.notional)},"
            f" liquidation price {fmt.price(self.liquidation_price)})"
        )


def _over(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _optional(content: float) -> float | None:
    return None if math.isnan(content) else float(content)


def _extreme(values: Floats, choose: Any) -> float | None:
    return _optional(float(choose.reduce(values, initial=np.nan)))


def _nearer(pair: tuple[float | None, float | None]) -> float | None:
    given = [one for one in pair if one is not None]
    return min(given, key=abs) if given else None
