"""Both margin modes side by side as cards."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from traitlets import Bool

from margin_widgets.account import formatting as fmt
from margin_widgets.account.report import MarginReport
from margin_widgets.widgets.editing import guarded
from margin_widgets.widgets.explaining import Explaining
from margin_widgets.widgets.frontend import Styled
from margin_widgets.widgets.markup import MODE_TITLES, figure, meter, ratio_text, shock_text
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.static_twin import StaticTwin, page_of

if TYPE_CHECKING:
    from margin_widgets.account import Account

MODES = ("isolated", "cross")


class ModeCards(Explaining, StaticTwin):
    """The account under both margin modes: equity, what is free, and where it ends.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; a click on a number sets ``selection.explain``, one on the name
        of a mode ``selection.mode``, which is emphasised everywhere.
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
        self.follow(self.selection, self.update, "mode")
        self.follow(self, self.update, "active")
        self.update()

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        if self.active:
            chosen = self.selection.mode
            cards = "".join(
                _card(getattr(self.account, mode), chosen=mode == chosen) for mode in MODES
            )
            self.view.html = f'<div class="mw-cards">{cards}</div>'

    def static_html(self) -> str:
        """Both modes in columns, and a sentence to each."""
        reports = [getattr(self.account, mode) for mode in MODES]
        columns = [[text for _, text, _ in _facts(one)] for one in reports]
        names = [title for title, _, _ in _facts(reports[1])]
        head = ["", *(f"{MODE_TITLES[one.mode]} ({one.currency})" for one in reports)]
        told = ". ".join(f"{MODE_TITLES[one.mode]}: {_words(one)}" for one in reports)
        return page_of("Margin modes", told, head, zip(names, *columns, strict=True))

    def _tell(self, message: str) -> None:
        self.view.html = f'<p class="mw-error" role="alert">{escape(message)}</p>'

    def _receive(self, message: dict[str, Any]) -> None:
        if message.get("type") == "explain":
            self._ask(message["path"])
        elif message.get("type") == "undo":
            self.account.undo()
        elif message.get("type") == "redo":
            self.account.redo()
        elif message.get("type") == "action" and message["action"] == "mode":
            mode = str(message["value"])
            self.selection.mode = "" if mode == self.selection.mode else mode


def _card(report: MarginReport, *, chosen: bool = False) -> str:
    mode = report.mode
    looked_at = " mw-chosen" if chosen else ""
    facts = "".join(
        f"<div><dt>{escape(title)}</dt><dd>{figure(text, f'{mode}.{name}')}</dd></div>"
        for title, text, name in _facts(report)
    )
    note = ""
    if report.status != "ok":
        fallen = [pool.name for pool in report.pools if pool.status != "ok"]
        note = (
            f'<p class="mw-error" role="alert">Below maintenance at these marks:'
            f" {escape(', '.join(fallen))}</p>"
        )
    return (
        f'<section class="mw-card mw-{mode}{looked_at}"><h3>'
        f'<button class="mw-mode" data-action="mode" data-value="{mode}" data-key="mode-{mode}"'
        f' aria-pressed="{str(chosen).lower()}" title="Emphasise {mode} everywhere">'
        f'<span class="mw-dot"></span>{MODE_TITLES[mode]}</button></h3>'
        f'<dl class="mw-kv">{facts}</dl>{_account_meter(report)}'
        f'<p class="mw-caption">{_words(report)}</p>{note}</section>'
    )


def _facts(report: MarginReport) -> tuple[tuple[str, str, str], ...]:
    """What a card says: title, text, and the figure behind it."""
    isolated = report.mode == "isolated"
    return (
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


def _offered(report: MarginReport) -> str:
    """Say so of a mode that the venue does not have."""
    rules = report.books.state.venue
    if not rules.modes or report.mode in rules.modes:
        return ""
    return f" · {rules.name} offers no {report.mode} margin: for comparison"


def _words(report: MarginReport) -> str:
    margins = (
        f"initial {fmt.amount(report.initial_margin)} ·"
        f" maintenance {fmt.amount(report.maintenance_margin)}"
    )
    if not report.books.keys:
        return f"{margins} · no positions"
    if report.mode == "isolated":
        if report.idle < 0:
            left = f"margins exceed the wallet by {fmt.amount(-report.idle)}"
        else:
            left = f"idle {fmt.amount(report.idle)} cannot help a position"
        return f"{margins} · {left}{_offered(report)}"
    if len(report.pools) > 1:
        return f"{margins} · {len(report.pools)} pools, one per settlement asset"
    return f"{margins} · all {fmt.amount(report.margin_balance)} backs everything"
