"""The whole account on one page: tables, both modes, their picture and every explanation."""

from __future__ import annotations

from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipywidgets import Widget

from margin_widgets.account import formatting as fmt
from margin_widgets.account.explanation import LABELS, explain
from margin_widgets.account.summary import account_html
from margin_widgets.account.verdict import conditions, verdict
from margin_widgets.venues.ratio import RatioConvention
from margin_widgets.venues.rules import did_you_mean
from margin_widgets.widgets.cards import ModeCards
from margin_widgets.widgets.code_panels import CodeLine, PythonPanel
from margin_widgets.widgets.collateral_table import CollateralTable
from margin_widgets.widgets.editing import guarded
from margin_widgets.widgets.equity_plot import EquityPlot
from margin_widgets.widgets.frontend import Styled
from margin_widgets.widgets.lifetime import Part
from margin_widgets.widgets.marks_panel import MarksPanel
from margin_widgets.widgets.markup import button, chip, figure, tabs
from margin_widgets.widgets.positions_table import PositionsTable
from margin_widgets.widgets.ratio_plot import RatioPlot
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.together import Column, Row
from margin_widgets.widgets.utilization_bars import UtilizationBars

if TYPE_CHECKING:
    from margin_widgets.account import Account

TABS = (
    ("explain", "Explain"),
    ("ratio", "Margin ratio"),
    ("utilization", "Utilisation"),
    ("solve", "Solve"),
    ("repair", "Repair"),
    ("loss", "Loss"),
    ("leverage", "Leverage"),
    ("tiers", "Tiers"),
    ("frontier", "Two marks"),
    ("shocks", "Shock map"),
    ("contagion", "Contagion"),
    ("stress", "Collateral stress"),
    ("funding", "Funding"),
    ("rules", "Rule stress"),
    ("venues", "Venues"),
    ("compare", "Compare"),
    ("data", "Show data"),
)
LATER = {
    "solve": ("solve_panel", "SolvePanel"),
    "repair": ("repair_table", "RepairTable"),
    "loss": ("loss_waterfall", "LossWaterfall"),
    "leverage": ("leverage_plot", "LeveragePlot"),
    "tiers": ("tier_plot", "TierPlot"),
    "frontier": ("frontier_plot", "FrontierPlot"),
    "shocks": ("shock_map", "ShockMap"),
    "contagion": ("contagion_graph", "ContagionGraph"),
    "stress": ("collateral_stress_plot", "CollateralStressPlot"),
    "funding": ("funding_drift_plot", "FundingDriftPlot"),
    "rules": ("rule_stress", "RuleStress"),
    "venues": ("venue_table", "VenueTable"),
    "compare": ("compare_drawer", "CompareDrawer"),
}
"""Module and class of the panels that are made when their tab is opened for the first time."""

GHOSTS = ("preview", "pinned")
"""Traits of panels that are hypothetical accounts, drawn beside the curves."""


class Dashboard(Part):
    """Edit an account and see isolated and cross margin side by side at once.

    Parameters
    ----------
    account : Account
        Edited in place; edits from code show here as well.
    selection : Selection, optional
        Shared with widgets outside of the dashboard.
    convention : {"rising", "falling", "venue"}
        The margin ratio that its plot begins with, see `RatioPlot`.

    Attributes
    ----------
    positions, collateral, marks : PositionsTable, CollateralTable, MarksPanel
    cards : ModeCards
    equity, ratio : EquityPlot, RatioPlot
    utilization : UtilizationBars
    code : CodeLine
        The assignment that does the same as the control used last.
    python : PythonPanel
        Code that rebuilds the account; opened by *Copy as Python*.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> dashboard = mw.Dashboard(mw.presets.ref2())
    >>> dashboard.account.positions["BTCUSDT"].quantity = 0.6
    >>> dashboard.close()
    """

    def __init__(
        self, account: Account, selection: Selection | None = None, *, convention: str = "rising"
    ) -> None:
        self.account = account
        self.selection = selection or Selection()
        if not self.selection.key and len(account.positions):
            self.selection.key = account.positions[0].key
        # The curves are what a person waits for: their plot hears of an edit first.
        self.equity = EquityPlot(account, self.selection)
        self.ratio = RatioPlot(account, self.selection, convention=convention, active=False)
        self.cards = ModeCards(account, self.selection)
        self.positions = PositionsTable(account, self.selection)
        self.collateral = CollateralTable(account, self.selection)
        self.marks = MarksPanel(account, self.selection, preview=self._preview)
        self.utilization = UtilizationBars(account, self.selection, active=False)
        self.code = CodeLine(account, self.selection)
        self.python = PythonPanel(account)
        self._header = Styled(label="Account")
        self._verdict = Styled(label="Verdict", live=True)
        self._conditions = Styled()
        self._tabs = Styled(html=tabs("Details", TABS, "explain"), names="tabpanel")
        self._explanation = Styled(label="Explanation", live=True)
        self._data = Styled(label="Data")
        self._panels: dict[str, Widget] = {
            "explain": self._explanation,
            "ratio": self.ratio,
            "utilization": self.utilization,
            "data": self._data,
        }
        left = Column([self.positions, self._conditions, self.collateral, self.marks, self.code])
        main = Row([left, self.equity])
        main.add_class("mw-main")
        # Only the open panel is on the page: a plot cannot be drawn where it is hidden.
        self._host = Column()
        super().__init__(
            [
                self._header,
                self.python,
                self.cards,
                self._verdict,
                main,
                self._tabs,
                self._host,
            ]
        )
        self.add_class("mw-dashboard")
        for one in (
            self._header,
            self._verdict,
            self._conditions,
            self._tabs,
            self._explanation,
            self._data,
        ):
            one.on_msg(guarded(self._receive, self._tell))
        self._open = ""
        self._open_tab("explain")
        self.selection.answered = True
        self.follow(account, self.update, "revision")
        self.follow(self.selection, self._explain, "explain")
        self.follow(self.selection, self._select, "key")
        self.update()

    # -- out ----------------------------------------------------------------------------------

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        account = self.account
        if self.selection.key not in account.positions:
            self.selection.key = account.positions[0].key if len(account.positions) else ""
        words = "".join(
            figure(text, path) if path else escape(text) for text, path in verdict(account).parts
        )
        self._verdict.html = f'<p class="mw-verdict">{words}</p>'
        self._conditions.html = f'<p class="mw-caption">{escape(conditions(account))}</p>'
        self._header.html = self._header_html()
        self._show_panel()

    def _header_html(self) -> str:
        account = self.account
        title = account.name or "Margin account"
        notes = "".join(chip(text, note=True) for text in account.warnings[:3])
        rest = len(account.warnings) - 3
        if rest > 0:
            notes += chip(f"and {rest} more", note=True, title="\n".join(account.warnings[3:]))
        venue = account.venue
        sources = "\n".join((*venue.source_lines, *venue.not_modelled))
        own = "" if venue.margin_ratio.like(RatioConvention()) else chip(str(venue.margin_ratio))
        return (
            f'<div class="mw-bar"><h2 class="mw-name">{escape(title)}</h2>'
            f"{chip(account.venue.label, title=sources)}"
            f"{chip('margin ratio = maintenance ÷ margin balance')}{own}{notes}"
            '<span class="mw-spacer"></span>'
            f"{button('Copy as Python', 'python', expanded=self.python.shown)}"
            f"{button('Undo', 'undo', enabled=account.can_undo, title='Ctrl+Z')}"
            f"{button('Redo', 'redo', enabled=account.can_redo, title='Ctrl+Shift+Z')}</div>"
        )

    def _show_panel(self) -> None:
        """Bring the open tab up to date; the others wait until they are opened."""
        if self._open == "explain":
            self._explain()
        elif self._open == "data":
            self._data.html = _data_html(self.account)

    def _explain(self, change: Any = None) -> None:
        path = self.selection.explain or self._default_path()
        if change is not None and path:
            if self._open != "explain":
                self.selection.asked_from = self._open
            self._open_tab("explain")
        try:
            told = _explanation_html(self.account, path)
        except KeyError:  # what was explained is gone
            told = _explanation_html(self.account, self._default_path())
        self._explanation.html = self._back_html() + told

    def _back_html(self) -> str:
        """The way back to the tab in which a figure was asked about."""
        before = self.selection.asked_from
        title = dict(TABS).get(before)
        if title is None:
            return ""
        return (
            '<div class="mw-row"><button class="mw-button" data-action="hide-explanation"'
            f' data-key="back" data-value="{before}" data-refocus>Back to {escape(title)}'
            "</button></div>"
        )

    def _default_path(self) -> str:
        key = self.selection.key
        if key in self.account.positions:
            return f"cross.positions.{key}.liquidation_price"
        return "cross.equity"

    def _select(self, change: Any) -> None:
        if not self.selection.explain:
            self._show_panel()

    def _open_tab(self, name: str) -> None:
        if name == self._open:
            return
        self._open = name
        self._tabs.html = tabs("Details", TABS, name)
        opened = self.panel(name)
        for panel in self._panels.values():
            if panel.has_trait("active"):
                panel.set_trait("active", panel is opened)
        self._host.children = (opened,)
        self._show_panel()

    def panel(self, name: str) -> Widget:
        """The widget behind a tab, made when it is first asked for.

        Raises
        ------
        KeyError
            If there is no such tab.
        """
        if name not in self._panels:
            if name not in LATER:
                known = [one for one, _ in TABS]
                raise KeyError(f"no tab {name!r}{did_you_mean(name, known)}")
            module, kind = LATER[name]
            made = getattr(import_module(f"margin_widgets.widgets.{module}"), kind)
            panel = made(self.account, self.selection, active=False)
            self._panels[name] = panel
            for ghost in GHOSTS:
                if panel.has_trait(ghost):
                    self.follow(panel, self._show_ghost, ghost)
        return self._panels[name]

    def _show_ghost(self, change: Any) -> None:
        """Draw a hypothetical account of a panel beside the curves; the latest, if of several."""
        others = (panel for panel in self._panels.values() if panel.has_trait(change.name))
        left = (getattr(panel, change.name) for panel in others)
        found = change.new or next((one for one in left if one is not None), None)
        self.equity.ghosts = {**self.equity.ghosts, change.name: found}

    def to_html(self, path: str | Path, *, title: str | None = None, lang: str = "en") -> Path:
        """Write one file that shows the present state in full; see `Account.to_html`."""
        return self.account.to_html(path, title=title, lang=lang)

    def _preview(self, marks: dict[str, float]) -> None:
        """Show the curves as they will be while a mark is dragged."""
        self.equity.preview(marks)
        self.ratio.preview(marks)

    # -- in -----------------------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "explain":
            self.selection.ask(message["path"])
        elif kind in ("undo", "redo"):
            getattr(self.account, kind)()
        elif kind == "action" and message["action"] in ("undo", "redo"):
            getattr(self.account, message["action"])()
        elif kind == "action" and message["action"] == "python":
            self.python.toggle()
            self._header.html = self._header_html()
        elif kind == "action" and message["action"] == "tab":
            self._open_tab(str(message["value"]))
        elif kind == "action" and message["action"] == "hide-explanation":
            self._open_tab(self.selection.asked_from or "explain")

    def _tell(self, message: str) -> None:
        self._verdict.html = f'<p class="mw-error" role="alert">{escape(message)}</p>'

    def close(self) -> None:
        """Free the dashboard and everything in it."""
        self.selection.answered = False
        self._host.children = tuple(self._panels.values())  # also those behind closed tabs
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if isinstance(bundle, dict):
            bundle["text/html"] = account_html(self.account)
            bundle["text/plain"] = f"Dashboard of {self.account!r}"
        return bundle


def _explanation_html(account: Account, path: str) -> str:
    told = explain(account, path)
    written = ""
    if told.venue:
        note = f"<p>{escape(told.venue.note)}</p>" if told.venue.note else ""
        formula = _formula_html(told.venue.lines, told.venue.symbols)
        written = f"<h3>{escape(told.venue.title)}</h3>{note}{formula}"
    sources = "<br>".join(escape(source.replace("_", " ")) for source in told.sources)
    return (
        f'<div class="mw-explain"><section><h3>{escape(told.title)}: {escape(told.text)}</h3>'
        f"{_formula_html(told.lines, told.symbols)}</section>"
        f"<section>{written}<h3>Assumes</h3><p>{escape(told.assumes)}</p>"
        f"<p>{escape(told.rounding)}</p><p>Rule set {escape(told.rules)}.</p>"
        f'<p class="mw-caption">{sources}</p></section></div>'
    )


def _formula_html(lines: tuple[str, ...], symbols: tuple[tuple[str, str, str], ...]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(meaning)}</td>"
        f'<td class="mw-right">{escape(text)}</td></tr>'
        for name, meaning, text in symbols
    )
    table = f'<table class="mw-data"><tbody>{rows}</tbody></table>' if rows else ""
    return f"<pre><code>{escape(chr(10).join(lines))}</code></pre>{table}"


def _data_html(account: Account) -> str:
    """Both modes as tables: the twin of the plots for those who read rather than look."""
    rows = "".join(
        f"<tr><th>{escape(LABELS[name])}</th>"
        + "".join(
            f'<td class="mw-right">{figure(_text(name, content), f"{mode}.{name}")}</td>'
            for mode, content in (
                ("isolated", isolated),
                ("cross", account.cross.figures()[name]),
            )
        )
        + "</tr>"
        for name, isolated in account.isolated.figures().items()
    )
    return (
        '<table class="mw-data"><thead><tr><th>figure</th><th class="mw-right">isolated</th>'
        f'<th class="mw-right">cross</th></tr></thead><tbody>{rows}</tbody></table>'
        '<p class="mw-caption">The same from code: <code>account.compare()</code>,'
        " <code>account.cross.to_frame()</code>, <code>account.curve(shock=True).to_frame()</code>."
        "</p>"
    )


def _text(name: str, content: float | None) -> str:
    if content is None:
        return "none"
    if name in ("margin_ratio", "collateral_utilization"):
        return fmt.percent(content, 2)
    if name == "liquidation_shock":
        return fmt.move(content)
    if name == "effective_leverage":
        return f"{fmt.plain(content, 2)}×"
    return fmt.amount(content)
