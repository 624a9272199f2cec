"""What collateral is worth, what of it counts, what is required of it, and what stays idle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from margin_widgets.account import formatting as fmt
from margin_widgets.account.books import keep_books
from margin_widgets.account.chart_svg import static_page, static_table
from margin_widgets.account.checks import number
from margin_widgets.account.figures import Column, Shown
from margin_widgets.account.report import MarginReport, PoolReport
from margin_widgets.engine.valuation import count_as_margin

if TYPE_CHECKING:
    from margin_widgets.account.account import Account
    from margin_widgets.account.state import AccountState


@dataclass(frozen=True)
class AssetUse:
    """One currency of the collateral, in the account's currency unless it says otherwise.

    Attributes
    ----------
    asset : str
        Its name, or "total".
    amount : float or None
        Of the asset itself; None for the total.
    face : float
        Market value; negative is a loan.
    counted : float
        Margin value: what is left of it after the haircut.
    idle : float
        What of the market value backs no position; negative where positions have more of it than
        there is, so that it counts as lent.
    at_work : float
        Margin value of what backs positions, lent amounts included.
    """

    asset: str
    amount: float | None
    face: float
    counted: float
    idle: float
    at_work: float

    @property
    def lent(self) -> float:
        """What isolated margins take of it beyond what there is."""
        return max(0.0, min(self.face, 0.0) - self.idle) if self.amount is not None else 0.0

    @property
    def haircut(self) -> float:
        """What of the market value does not count."""
        return self.face - self.counted


@dataclass(frozen=True, eq=False)
class CollateralUse:
    """The collateral of an account under one margin mode, and what it has to carry.

    Attributes
    ----------
    report : MarginReport
    assets : tuple of AssetUse
        In the order of the account.
    total : AssetUse
        Their sum.
    """

    report: MarginReport
    assets: tuple[AssetUse, ...]
    total: AssetUse

    @property
    def initial_share(self) -> float | None:
        """Initial margin over margin balance; None without a positive balance."""
        return _over(self.report.initial_margin, self.report.margin_balance)

    @property
    def maintenance_share(self) -> float | None:
        """Maintenance margin over margin balance of the account; None without a balance."""
        return _over(self.report.maintenance_margin, self.report.margin_balance)

    @cached_property
    def pockets(self) -> tuple[PoolReport, ...]:
        """Pools with positions, the one nearest to liquidation first."""
        return tuple(sorted(self.report.pools, key=lambda one: -_nearness(one)))

    @cached_property
    def text(self) -> str:
        """The bars in a sentence or two."""
        report, currency = self.report, self.report.currency
        face = f"collateral of {fmt.amount(self.total.face)} {currency}"
        parts = [f"{report.mode.capitalize()}: {face}"]
        of_it = []
        if self.total.haircut > 0.005:
            of_it.append(f"haircuts take {fmt.amount(self.total.haircut)}")
        if self.total.idle > 0.005:
            lent = [
                f"{fmt.amount(one.lent)} lent in {one.asset}"
                for one in self.assets
                if one.lent > 0.005
            ]
            made = sum(one.idle for one in self.assets if one.idle > 0)
            less = f" ({fmt.amount(made)} less {', '.join(lent)})" if lent else ""
            of_it.append(f"{fmt.amount(self.total.idle)} backs no position{less}")
        if of_it:
            parts.append(f", of which {' and '.join(of_it)}")
        if not report.books.keys:
            return f"{''.join(parts)}; no positions."
        if self.initial_share is None:
            return f"{''.join(parts)}; no margin balance is left."
        parts.append(
            f"; of the margin balance of {fmt.amount(report.margin_balance)}, initial margin takes"
            f" {fmt.percent(self.initial_share, 1)} and maintenance"
            f" {fmt.percent(self.maintenance_share, 1)}."
        )
        first = self.pockets[0] if self.pockets else None
        if first is not None and len(self.pockets) > 1 and _nearness(first) >= 0:
            ratio = first.margin_ratio
            told = "with no balance left" if ratio is None else f"at {fmt.percent(ratio, 1)}"
            parts.append(f" Nearest to liquidation: {first.name} {told}.")
        return "".join(parts)

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the collateral, as text."""
        unit = self.report.currency
        head = (
            "currency",
            Column("amount", "amount (in the currency)"),
            *(
                Column(name, f"{name} ({unit})")
                for name in ("face value", "haircut", "margin value")
            ),
            Column("idle", f"idle ({unit})"),
        )
        rows: list[tuple[str, ...]] = [
            (
                one.asset,
                Shown("" if one.amount is None else fmt.plain(one.amount, 8), one.amount),
                *(Shown(fmt.amount(x), x) for x in (one.face, one.haircut, one.counted)),
                Shown(fmt.amount(one.idle) + (" (lent)" if one.lent > 0.005 else ""), one.idle),
            )
            for one in (*self.assets, self.total)
        ]
        return head, rows

    def pools_table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the pools and of the account, as text."""
        unit = self.report.currency
        head = (
            "pool",
            Column("margin balance", f"margin balance ({unit})"),
            Column("initial margin", f"initial margin ({unit})"),
            Column("of it", "initial margin over margin balance (fraction)"),
            Column("maintenance margin", f"maintenance margin ({unit})"),
            Column("of it", "maintenance margin over margin balance (fraction)"),
        )
        report = self.report
        sums = (report.margin_balance, report.initial_margin, report.maintenance_margin)
        rows = [
            _pool_row(one.name, one.margin_balance, one.initial_margin, one.maintenance_margin)
            for one in self.pockets
        ]
        return head, [*rows, _pool_row("account", *sums)]

    def _repr_html_(self) -> str:
        tables = "".join(static_table(*table) for table in (self.table(), self.pools_table()))
        return static_page(f"Collateral, {self.report.mode}", self.text, "", tables)


def collateral_use(report: MarginReport) -> CollateralUse:
    """Read from a report what each currency is worth and counts for.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> use = collateral_use(presets.ref2().isolated)
    >>> use.total.face, use.total.idle, use.initial_share
    (10000.0, 3000.0, 0.7)
    """
    books = report.books
    book, partition = books.book, report.ledger.partition
    prices = report.ledger.marked.asset_prices
    face = book.wallet * prices
    counted = count_as_margin(book, book.wallet) * prices
    idle = partition.idle * prices
    at_work = count_as_margin(book, partition.wallet).sum(axis=0) * prices
    used = {one for one, held in enumerate(zip(book.wallet, idle, strict=True)) if any(held)} | {
        books.assets.index(asset) for asset in books.state.collateral
    }
    assets = tuple(
        AssetUse(
            books.assets[one],
            float(book.wallet[one]),
            float(face[one]),
            float(counted[one]),
            float(idle[one]),
            float(at_work[one]),
        )
        for one in sorted(used)
    )
    sums = (float(part.sum()) for part in (face, counted, idle, at_work))
    total = AssetUse("total", None, *sums)
    return CollateralUse(report, assets, total)


def with_added(account: Account, asset: str, amount: float) -> dict[str, MarginReport]:
    """Reports of both modes as they would be with more of an asset in the wallet.

    Parameters
    ----------
    account : Account
        Stays as it is.
    asset : str
    amount : float
        Of the asset; negative takes out.

    Raises
    ------
    TraitError
        If nothing says what the asset is worth.
    """
    books = keep_books(_added(account.state, asset, amount))
    return {mode: MarginReport(mode, books) for mode in ("isolated", "cross")}


def add_collateral(account: Account, asset: str, amount: float) -> None:
    """Put more of an asset into the wallet, as one edit; negative takes out.

    Raises
    ------
    TraitError
        If nothing says what the asset is worth.
    """
    account.collateral[asset] = _added(account.state, asset, amount).collateral[asset]


def _added(state: AccountState, asset: str, amount: float) -> AccountState:
    held = state.collateral.get(asset, 0.0) + number("added collateral", amount)
    # A sum as a person would write it, not one with the rounding of doubles at its end.
    return replace(state, collateral={**state.collateral, asset: float(f"{held:.12g}")})


def _nearness(pool: PoolReport) -> float:
    """Maintenance over margin balance; below 0 where nothing is required, whatever the balance."""
    if pool.margin_ratio is not None:
        return pool.margin_ratio
    return float("inf") if pool.maintenance_margin > 0 or pool.margin_balance < 0 else -1.0


def _over(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _pool_row(name: str, balance: float, initial: float, maintenance: float) -> tuple[str, ...]:
    cells = [Shown(fmt.amount(balance), balance)]
    for amount in (initial, maintenance):
        share = _over(amount, balance)
        none = "no balance" if amount > 0 or balance < 0 else "nothing required"
        told = none if share is None else fmt.percent(share, 1)
        cells += [Shown(fmt.amount(amount), amount), Shown(told, share)]
    return (name, *cells)
