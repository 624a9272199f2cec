"""An account as static HTML: no script, no style sheet, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from margin_widgets.account import formatting as fmt
from margin_widgets.account.chart_svg import static_table
from margin_widgets.account.explanation import LABELS
from margin_widgets.account.report import ACCOUNT_FIGURES, MarginReport, PositionReport
from margin_widgets.account.svg import equity_svg
from margin_widgets.account.verdict import conditions, verdict

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

MOST_ROWS = 50
"""Positions listed; a longer book says how many more there are."""

_SHARES = {
    "margin_ratio": "no balance",
    "collateral_utilization": "no collateral",
    "liquidation_shock": "none",
}
_BOX = "border-left:3px solid currentColor;padding:4px 10px;margin:6px 0"


def account_html(account: Account) -> str:
    """Both modes side by side, the verdict, the picture, positions, rules and limits."""
    books, venue = account.books, account.venue
    said = verdict(account)
    figures = static_table(*figure_rows(account))
    title = account.name or "Account"
    parts = [_heading(title, venue.label, venue.currency, venue.margin_ratio_name)]
    parts += [f'<p style="{_BOX}">{said.html()}</p>', figures]
    if books.keys:
        curve = account.curve(shock=True, points=81)
        parts += [
            equity_svg(curve, said.text),
            _positions(account),
            _note(conditions(account)),
        ]
    if account.warnings:
        parts.append(_listing("Warnings", account.warnings))
    if venue.cannot_express:
        parts.append(_listing("These rules cannot express", venue.cannot_express))
    if venue.not_modelled:
        parts.append(_listing("Not modelled", venue.not_modelled))
    return f'<div style="max-width:60rem;overflow-x:auto">{"".join(filter(None, parts))}</div>'


def report_html(report: MarginReport) -> str:
    """One mode: figures of the account and of its positions."""
    venue = report.books.state.venue
    figures = static_table(
        ["", report.mode], [[LABELS[name], _figure(report, name)] for name in ACCOUNT_FIGURES]
    )
    names = ["notional", "unrealized_pnl", "margin", "maintenance_margin", "margin_ratio"]
    head = ["position", "mark", *(LABELS[name] for name in names), "liquidation price", "distance"]
    rows = []
    for one in _shown(report):
        tick = _tick(one)
        cells = [
            fmt.percent(getattr(one, name))
            if name == "margin_ratio"
            else fmt.amount(getattr(one, name))
            for name in names
        ]
        price = _liquidation(one)
        rows.append([one.key, fmt.price(one.mark, tick), *cells, price, fmt.percent(one.distance)])
    parts = [
        _heading(report.mode.capitalize(), venue.label, report.currency),
        figures,
        static_table(head, rows) if rows else "",
        _more(report),
    ]
    return f'<div style="max-width:60rem;overflow-x:auto">{"".join(filter(None, parts))}</div>'


def comparison_text(account: Account) -> str:
    """Both modes side by side as plain text, with verdict, conditions and warnings."""
    modes = (account.isolated, account.cross)
    top, figures = figure_rows(account)
    rows = [top, *figures]
    for isolated, cross in zip(*map(_shown, modes), strict=True):
        label = f"{isolated.key} {LABELS['liquidation_price']}"
        rows.append([label, _liquidation(isolated), _liquidation(cross)])
    first = max(len(row[0]) for row in rows)
    others = max(len(cell) for row in rows for cell in row[1:])
    table = [
        f"{row[0]:<{first}}  " + "  ".join(f"{cell:>{others}}" for cell in row[1:]) for row in rows
    ]
    head = f"{account.name or 'Account'} · {account.venue.label} · amounts in {account.currency}"
    notes = [conditions(account), *(f"Warning: {warning}" for warning in account.warnings)]
    lines = [head, "", *table, "", verdict(account).text, *filter(None, notes)]
    return "\n".join(line.rstrip() for line in lines)


# -- parts --------------------------------------------------------------------------------------


def _heading(title: str, label: str, currency: str, *more: str) -> str:
    notes = " · ".join([label, f"amounts in {currency}", *more])
    return f'<p style="margin:0 0 6px"><b>{escape(title)}</b> · {escape(notes)}</p>'


def _figure(report: MarginReport, name: str) -> str:
    value = getattr(report, name)
    if name in _SHARES:
        if value is None:
            return _SHARES[name]
        return fmt.move(value) if name == "liquidation_shock" else fmt.percent(value)
    if name == "effective_leverage":
        return f"{fmt.amount(value)}×" if value is not None else "no equity"
    return fmt.amount(value)


def _shown(report: MarginReport) -> list[PositionReport]:
    return [report.positions[index] for index in range(min(len(report.positions), MOST_ROWS))]


def _tick(one: PositionReport) -> float | None:
    books = one.report.books
    return books.contracts[books.symbols.index(one.symbol)].tick


def _liquidation(one: PositionReport) -> str:
    """The liquidation price, or both where there are two."""
    given = [price for price in one.liquidation_prices if price is not None]
    return " / ".join(fmt.price(price, _tick(one)) for price in given) or "none"


def _positions(account: Account) -> str:
    return static_table(*position_rows(account)) + _more(account.cross)


def figure_rows(account: Account) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the account's figures in both modes."""
    modes = (account.isolated, account.cross)
    return ["", *(mode.mode for mode in modes)], [
        [LABELS[name], *(_figure(mode, name) for mode in modes)] for name in ACCOUNT_FIGURES
    ]


def position_rows(account: Account) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the positions, as many as are listed."""
    head = ["position", "mode", "quantity", "entry", "mark", "leverage"]
    head += ["liquidation isolated", "liquidation cross"]
    rows = []
    for isolated, cross in zip(_shown(account.isolated), _shown(account.cross), strict=True):
        row, tick = account.state.positions[isolated.index], _tick(isolated)
        rows.append(
            [
                isolated.key,
                row.margin_mode,
                fmt.plain(row.quantity),
                fmt.price(row.entry_price, tick),
                fmt.price(isolated.mark, tick),
                f"{fmt.plain(row.leverage)}×",
                _liquidation(isolated),
                _liquidation(cross),
            ]
        )
    return head, rows


def _more(report: MarginReport) -> str:
    return _note(more_words(report))


def more_words(report: MarginReport) -> str:
    """How many positions are not listed; nothing if all are."""
    more = len(report.positions) - MOST_ROWS
    return f"and {more} more positions" if more > 0 else ""


def _note(text: str) -> str:
    return f'<p style="margin:4px 0;opacity:.8">{escape(text)}</p>' if text else ""


def _listing(title: str, entries: Iterable[str]) -> str:
    return _note(f"{title}: {'; '.join(entries)}.")
