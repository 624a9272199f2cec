"""How much of the collateral is at work: bars of margins, haircuts and what stays idle (P10)."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from traitlets import Bool, TraitError, Unicode, validate

from margin_widgets.account import formatting as fmt
from margin_widgets.account.chart_svg import round_step
from margin_widgets.account.collateral_use import (
    AssetUse,
    CollateralUse,
    add_collateral,
    collateral_use,
    with_added,
)
from margin_widgets.venues.rules import did_you_mean
from margin_widgets.widgets.data_twin import data_button, data_table
from margin_widgets.widgets.editing import guarded
from margin_widgets.widgets.explaining import Explaining
from margin_widgets.widgets.frontend import Html, Styled
from margin_widgets.widgets.markup import MODE_TITLES, figure, meter, ratio_text
from margin_widgets.widgets.number_slider import NumberSlider
from margin_widgets.widgets.picture import choice
from margin_widgets.widgets.plotting import Throttle
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.static_twin import StaticTwin

if TYPE_CHECKING:
    from margin_widgets.account import Account
    from margin_widgets.account.report import MarginReport, PoolReport

MODES = ("isolated", "cross")
POOLS_AT_MOST = 12


class UtilizationBars(Explaining, StaticTwin):
    """Margins over the balance, face value against margin value, idle collateral, pool by pool.

    More collateral can be tried and added: dragging previews, releasing is one edit.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; a click on a number sets ``selection.explain``.
    asset : str
        Currency that is added; the first of the collateral if not given.
    active : bool
        Whether it follows edits from the start.

    Attributes
    ----------
    asset : str
    added : NumberSlider
        The slider and the number of what is added.
    uses : dict of CollateralUse
        What is on display, by mode.
    caption : str
        What the bars show, made from the data.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> account = mw.presets.ref2()
    >>> bars = mw.UtilizationBars(account)
    >>> bars.add(1_000)
    >>> account.collateral["USDT"], bars.uses["isolated"].total.idle
    (11000.0, 4000.0)
    >>> bars.close()
    """

    active = Bool(True, help="whether the bars follow edits; they catch up when set")
    asset = Unicode("", help="currency of the collateral that is added")
    caption = Unicode("", help="what the bars show")

    def __init__(
        self,
        account: Account,
        selection: Selection | None = None,
        *,
        asset: str = "",
        active: bool = True,
    ) -> None:
        self.account = account
        self._preview = Throttle(self._show_preview)
        self._check(asset)  # before anything is made that would have to be closed
        self.selection = selection or Selection()
        self.uses: dict[str, CollateralUse] = {}
        self._open = False
        self._choice = Styled(label="Currency of added collateral")
        self._message = Html(live=True)
        self.view = Styled(label="Use of the collateral")
        self._caption_box = Html()
        self._data_box = Html(label="Use of the collateral: data")
        self.added = NumberSlider(
            "Added",
            "Added collateral",
            0.0,
            low=0.0,
            high=1.0,
            step=0.01,
            decimals=2,
            preview=self._preview,
            commit=self.add,
            cancel=self.update,
            history=self._travel,
        )
        parts = [self._choice, self.added, self._message, self.view]
        super().__init__([*parts, self._caption_box, self._data_box])
        self.add_class("mw-panel")
        self.add_class("mw-utilization")
        self.set_trait("asset", asset)
        self.active = active
        for one in (self._choice, self.view, self._caption_box, self._data_box):
            one.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self._on_revision, "revision")
        self.follow(self, self.update, "active")
        self.follow(self, self.update, "asset")
        self.update()

    # -- what a person does -------------------------------------------------------------------

    def add(self, amount: float) -> None:
        """Put more of the chosen currency into the wallet, as one edit; negative takes out."""
        self._preview.cancel()
        if amount:
            add_collateral(self.account, self.asset, amount)
        self.update()

    def _travel(self, way: str) -> None:
        getattr(self.account, way)()

    @validate("asset")
    def _check_asset(self, proposal: Any) -> str:
        return self._check(str(proposal.value))

    def _check(self, asset: str) -> str:
        """Refuse a currency that is not there; none stands for the first one."""
        if asset and asset not in self.assets:
            hint = did_you_mean(asset, self.assets) or f"; there is {', '.join(self.assets)}"
            raise TraitError(f"asset: {asset!r} is no collateral of this account{hint}")
        return asset

    # -- out ----------------------------------------------------------------------------------

    @property
    def assets(self) -> tuple[str, ...]:
        """Currencies that can be added."""
        return tuple(self.account.collateral) or (self.account.currency,)

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        if self.asset not in self.assets:
            self.asset = self.assets[0]  # comes back here
            return
        if not self.active:
            return
        self._preview.cancel()
        self._message.html = ""
        options = [(one, one) for one in self.assets]
        chosen = choice("Added currency", "asset", options, self.asset) if len(options) > 1 else ""
        self._choice.html = (
            f'<div class="mw-row"><h3 class="mw-heading">Add collateral</h3>{chosen}</div>'
        )
        self.added.show(0.0, f"Added {self.asset}", self._reach())
        self._show({mode: getattr(self.account, mode) for mode in MODES})
        self._fill_data()

    def _reach(self) -> tuple[float, float, float]:
        """Range of the slider in the chosen currency: as much again as all that is there."""
        account = self.account
        price = account.asset_price(self.asset)
        report = account.isolated
        worth = max(report.wallet_balance, report.initial_margin, 100.0)
        most = worth / price if price > 0 else worth
        step = round_step(most, 100)
        return 0.0, step * 100, step

    def _show_preview(self, amount: float) -> None:
        if not self.active:
            return
        self._show(with_added(self.account, self.asset, amount))
        text = f"With {fmt.plain(amount, 8)} {self.asset} added: released, it is one edit."
        self._message.html = f'<p class="mw-note-line">{escape(text)}</p>'

    def _show(self, reports: dict[str, MarginReport]) -> None:
        self.uses = {mode: collateral_use(one) for mode, one in reports.items()}
        cards = "".join(_card(use) for use in self.uses.values())
        self.view.html = f'<div class="mw-cards">{cards}</div>'
        self.caption = " ".join(use.text for use in self.uses.values())
        self._caption_box.html = f'<p class="mw-caption mw-after">{escape(self.caption)}</p>'

    def _fill_data(self) -> None:
        """The table twin; made only while it is open."""
        tables = ""
        if self._open:
            for mode, use in self.uses.items():
                tables += f"<h4>{MODE_TITLES[mode]}</h4>"
                tables += "".join(
                    data_table(*one, name=mode) for one in (use.table(), use.pools_table())
                )
        self._data_box.html = data_button(opened=self._open) + tables

    def _on_revision(self, change: Any) -> None:
        self.update()

    def _tell(self, message: str) -> None:
        self._message.html = f'<p class="mw-error">{escape(message)}</p>'

    # -- in -----------------------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> None:
        kind, action = message.get("type"), message.get("action")
        if kind == "explain":
            self._ask(message["path"])
        elif kind in ("undo", "redo"):
            self._travel(str(kind))
        elif kind == "action" and action == "data":
            self._open = not self._open
            self._fill_data()
        elif kind == "action" and action == "asset":
            self.asset = str(message["value"])

    # -- leaving nothing behind, and something true -------------------------------------------

    def unfollow(self) -> None:
        """Stop observing, and forget a preview that waits."""
        super().unfollow()
        self._preview.cancel()

    def static_html(self) -> str:
        """Bars in words, and their tables."""
        return "".join(collateral_use(getattr(self.account, mode))._repr_html_() for mode in MODES)


def _card(use: CollateralUse) -> str:
    report = use.report
    mode = report.mode
    return (
        f'<section class="mw-card mw-{mode}"><h3><span class="mw-dot"></span>'
        f"{MODE_TITLES[mode]}</h3>{_account_bars(use)}{_asset_bars(use)}{_pool_bars(use)}</section>"
    )


def _account_bars(use: CollateralUse) -> str:
    """Initial and maintenance margin over the balance, and what is idle of the collateral."""
    report = use.report
    mode = report.mode
    rows = []
    for title, share, name in (
        ("Initial margin", use.initial_share, "initial_margin"),
        ("Maintenance", use.maintenance_share, "maintenance_margin"),
    ):
        required = getattr(report, name)
        # Nothing is held against something required: the bar is full.
        shown = (1.0 if required > 0 else 0.0) if share is None else share
        told = "no balance" if share is None else fmt.percent(share, 1)
        label = f"{title} {fmt.amount(required)}: {told} of the margin balance"
        number = f"{_part(told)}{figure(fmt.amount(required), f'{mode}.{name}')}"
        rows.append(_row(title, meter((("", shown),), label), number))
    if use.total.face > 0 and use.total.idle:
        share = use.total.idle / use.total.face
        label = f"Idle {fmt.amount(use.total.idle)}: {fmt.percent(share, 1)} of the collateral"
        idle = figure(fmt.amount(use.total.idle), f"{mode}.idle")
        number = f"{_part(fmt.percent(share, 1))}{idle}"
        rows.append(_row("Idle", meter((("mw-im", share),), label), number))
    balance = figure(fmt.amount(report.margin_balance), f"{mode}.margin_balance")
    return (
        f'<div class="mw-bars">{"".join(rows)}</div><p class="mw-caption">Of the margin balance of'
        f" {balance} {escape(report.currency)}; idle is of the collateral.</p>"
    )


def _asset_bars(use: CollateralUse) -> str:
    """Each currency as a part of the whole: margin value, haircut hatched, idle light."""
    assets = [*use.assets, *([use.total] if len(use.assets) > 1 else [])]
    if not assets:
        return '<p class="mw-empty">No collateral.</p>'
    scale = sum(max(one.face, 0.0) for one in use.assets)
    rows = "".join(_asset_row(one, scale) for one in assets)
    light = ", light: idle" if any(one.idle for one in use.assets) else ""
    hatched = ", hatched: haircut" if any(one.haircut > 0.005 for one in use.assets) else ""
    return (
        f'<h4 class="mw-heading">Face value and margin value</h4><div class="mw-bars">{rows}</div>'
        f'<p class="mw-caption">Full: margin value at work{light}{hatched}.</p>'
    )


def _asset_row(one: AssetUse, scale: float) -> str:
    face, counted = max(one.face, 0.0), max(one.counted, 0.0)
    parts = (("mw-cut", face), ("mw-im", counted), ("", max(one.at_work, 0.0)))
    shares = [(name, share / scale if scale > 0 else 0.0) for name, share in parts]
    said = [f"face value {fmt.amount(one.face)}", f"margin value {fmt.amount(one.counted)}"]
    if one.haircut > 0.005:
        said.append(f"haircut {fmt.amount(one.haircut)}")
    if one.lent > 0.005:
        said.append(f"lent {fmt.amount(one.lent)}")
    elif one.idle:
        said.append(f"idle {fmt.amount(one.idle)}")
    said.append(f"at work {fmt.amount(one.at_work)}")
    if one.face < 0:
        said.append("a loan")
    text = fmt.amount(one.counted)
    number = (
        figure(text, f"collateral.{one.asset}.counted")
        if one.amount is not None
        else f"<b>{text}</b>"
    )
    if one.haircut > 0.005:
        whole = fmt.amount(one.face)
        shown = figure(whole, f"collateral.{one.asset}") if one.amount is not None else whole
        number += f" of {shown}"
    if one.lent > 0.005:
        number = f"lent <b>{fmt.amount(one.lent)}</b>"
    return _row(one.asset, meter(shares, f"{one.asset}: {', '.join(said)}"), number)


def _pool_bars(use: CollateralUse) -> str:
    """Initial and maintenance margin over the balance of each pool, where there are several."""
    pools = use.pockets
    if not pools or (len(pools) == 1 and use.report.mode != "isolated"):
        return ""
    rows = "".join(_pool_row(one, use.report.mode) for one in pools[:POOLS_AT_MOST])
    hidden = len(pools) - POOLS_AT_MOST
    more = f'<p class="mw-caption">and {hidden} calmer ones</p>' if hidden > 0 else ""
    what = "Isolated pockets" if use.report.mode == "isolated" else "Pools"
    return (
        f'<h4 class="mw-heading">{what}</h4><div class="mw-bars mw-small">{rows}</div>{more}'
        '<p class="mw-caption">Maintenance over margin balance, light: initial margin over it.</p>'
    )


def _pool_row(pool: PoolReport, mode: str) -> str:
    balance = pool.margin_balance
    required = max(pool.initial_margin, pool.maintenance_margin) > 0 or balance < 0
    # Nothing is held against something required: the bar is full.
    none = 1.0 if required else 0.0
    initial = pool.initial_margin / balance if balance > 0 else none
    ratio = none if pool.margin_ratio is None else pool.margin_ratio
    calm = pool.margin_ratio is None and not required
    told = "nothing required" if calm else ratio_text(pool.margin_ratio)
    label = f"{pool.name}: maintenance {told}, initial margin {fmt.percent(initial, 1)}"
    path = f"{mode}.pools.{pool.name}.margin_ratio"
    bar = meter((("mw-im", initial), ("", ratio)), label)
    return _row(pool.name, bar, figure(told, path))


def _row(title: str, bar: str, number: str) -> str:
    return (
        f'<div class="mw-bar-row"><span title="{escape(title)}">{escape(title)}</span>{bar}'
        f'<span class="mw-figure">{number}</span></div>'
    )


def _part(share: str) -> str:
    """A share before the amount that it is of."""
    return f'<span class="mw-share">{share}</span>'
