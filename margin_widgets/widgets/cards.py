"""Both margin modes side by side as cards, and how much of the collateral is at work."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from traitlets import Bool

from margin_widgets.account import formatting as fmt
from margin_widgets.account.report import MarginReport
from margin_widgets.widgets.editing import guarded
from margin_widgets.widgets.frontend import Styled
from margin_widgets.widgets.lifetime import Part
from margin_widgets.widgets.markup import MODE_TITLES, figure, meter, ratio_text, shock_text
from margin_widgets.widgets.selection import Selection

if TYPE_CHECKING:
    from margin_widgets.account import Account

MODES = ("isolated", "cross")


class ModeCards(Part):
    """The account under both margin modes: equity, what is free, and where it ends.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; a click on a number sets ``selection.explain``.
    """

    active = Bool(True, help="whether the cards follow edits; they catch up when set")

    def __init__(
        self, account: Account, selection: Selection | None = None, *, active: bool = True
    ) -> None:
        self.account = account
        self.selection = selection or Selection()
        self.view = Styled(label="Isolated and cross margin side by side")
        super().__init__([self.view])
        self.active = active
        self.view.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self.update, "revision")
        self.follow(self, self.update, "active")
        self.update()

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        if self.active:
            cards = "".join(self._card(getattr(self.account, mode)) for mode in MODES)
            self.view.html = f'<div class="mw-cards">{cards}</div>'

    def _tell(self, message: str) -> None:
        self.view.html = f'<p class="mw-error" role="alert">{escape(message)}</p>'

    def _card(self, report: MarginReport) -> str:
        return _card(report)

    def _receive(self, message: dict[str, Any]) -> None:
        if message.get("type") == "explain":
            self.selection.explain = message["path"]
        elif message.get("type") == "undo":
            self.account.undo()
        elif message.get("type") == "redo":
            self.account.redo()


class UtilizationBars(ModeCards):
    """Initial and maintenance margin over the balance, for the account and for each pool (P10)."""

    def _card(self, report: MarginReport) -> str:
        return _bars(report)


def _card(report: MarginReport) -> str:
    mode = report.mode
    isolated = mode == "isolated"
    rows = (
        ("Equity", fmt.amount(report.equity), "equity"),
        ("Available", fmt.amount(report.available), "available"),
        (
            "Highest ratio" if isolated else "Margin ratio",
            ratio_text(report.margin_ratio),
            "margin_ratio",
        ),
        (
            "First liquidation" if isolated else "Liquidation",
            "now" if report.status != "ok" else shock_text(report.liquidation_shock),
            "liquidation_shock",
        ),
    )
    facts = "".join(
        f"<div><dt>{escape(title)}</dt><dd>{figure(text, f'{mode}.{name}')}</dd></div>"
        for title, text, name in rows
    )
    note = ""
    if report.status != "ok":
        fallen = [pool.name for pool in report.pools if pool.status != "ok"]
        note = (
            f'<p class="mw-error" role="alert">Below maintenance at these marks:'
            f" {escape(', '.join(fallen))}</p>"
        )
    return (
        f'<section class="mw-card mw-{mode}"><h3><span class="mw-dot"></span>'
        f'{MODE_TITLES[mode]}</h3><dl class="mw-kv">{facts}</dl>{_account_meter(report)}'
        f'<p class="mw-caption">{_words(report)}</p>{note}</section>'
    )


def _account_meter(report: MarginReport) -> str:
    balance = report.margin_balance
    full = 1.0 if report.maintenance_margin > 0 else 0.0  # nothing held against something required
    initial = report.initial_margin / balance if balance > 0 else full
    maintenance = report.maintenance_margin / balance if balance > 0 else full
    label = (
        f"initial margin {fmt.percent(initial, 0)}, maintenance {fmt.percent(maintenance, 1)}"
        " of the margin balance"
    )
    return meter((("mw-im", initial), ("", maintenance)), label)


def _words(report: MarginReport) -> str:
    margins = (
        f"initial {fmt.amount(report.initial_margin)} ·"
        f" maintenance {fmt.amount(report.maintenance_margin)}"
    )
    if not report.books.keys:
        return f"{margins} · no positions"
    if report.mode == "isolated":
        if report.idle < 0:
            return f"{margins} · margins exceed the wallet by {fmt.amount(-report.idle)}"
        return f"{margins} · idle {fmt.amount(report.idle)} cannot help a position"
    if len(report.pools) > 1:
        return f"{margins} · {len(report.pools)} pools, one per settlement asset"
    return f"{margins} · all {fmt.amount(report.margin_balance)} backs everything"


def _bars(report: MarginReport) -> str:
    mode = report.mode
    utilization = report.collateral_utilization
    rows = [
        _bar(
            "Collateral in use",
            utilization,
            figure(
                "–" if utilization is None else fmt.percent(utilization, 1),
                f"{mode}.collateral_utilization",
            ),
            mode,
        )
    ]
    for pool in sorted(report.pools, key=lambda one: -(one.margin_ratio or 1e9))[:12]:
        key = pool.positions[0]
        path = f"{mode}.positions.{key}.margin_ratio"
        rows.append(
            _bar(pool.name, pool.margin_ratio, figure(ratio_text(pool.margin_ratio), path), mode)
        )
    hidden = len(report.pools) - 12
    more = f'<p class="mw-caption">and {hidden} calmer pools</p>' if hidden > 0 else ""
    haircut = report.wallet_balance - (report.margin_balance - report.unrealized_pnl)
    counted = (
        f"Collateral is worth {fmt.amount(report.wallet_balance)} {escape(report.currency)}"
        + (f", of which haircuts take {fmt.amount(haircut)}" if haircut > 0.005 else "")
        + ". Bars of pools are maintenance over margin balance: full means liquidation."
    )
    return (
        f'<section class="mw-card mw-{mode}"><h3><span class="mw-dot"></span>'
        f'{MODE_TITLES[mode]}</h3><div class="mw-bars">{"".join(rows)}</div>{more}'
        f'<p class="mw-caption">{counted}</p></section>'
    )


def _bar(title: str, share: float | None, number: str, mode: str) -> str:
    shown = 1.0 if share is None else share
    label = f"{title}: {ratio_text(share)}"
    return (
        f'<div class="mw-bar-row mw-{mode}"><span>{escape(title)}</span>'
        f'{meter((("", shown),), label)}<span class="mw-figure">{number}</span></div>'
    )
