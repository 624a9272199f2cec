"""An account as one file that needs nothing: no kernel, no network, no script."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from margin_widgets import __version__
from margin_widgets.account import formatting as fmt
from margin_widgets.account.as_python import as_python
from margin_widgets.account.chart_svg import round_step
from margin_widgets.account.curve_words import describe, describe_ratio, event_name, place
from margin_widgets.account.explanation import LABELS
from margin_widgets.account.palette import DARK, LIGHT, rules
from margin_widgets.account.report import ACCOUNT_FIGURES, MarginReport, PositionReport
from margin_widgets.account.svg import Picture, inline_svg
from margin_widgets.account.verdict import conditions, verdict
from margin_widgets.engine.valuation import count_as_margin

if TYPE_CHECKING:
    from margin_widgets.account.account import Account
    from margin_widgets.account.curve import Curve
    from margin_widgets.account.ratios import RatioReading

WIDE, NARROW = (860, 400), (330, 330)
"""Sizes of each picture: words keep theirs on every screen, so there is one for small ones."""
_TITLES = {
    "isolated": "Isolated",
    "cross": "Cross",
    "configured": "As configured",
    "portfolio": "Portfolio margin",
}
_MOST_TIERS = 24
"""Rows of tiers in full; of more, the first few of each symbol."""
_FIRST_TIERS = 3

Cell = tuple[str, str]
"""Text of a cell, and its class."""


def write_page(
    account: Account,
    path: str | Path,
    *,
    title: str | None = None,
    lang: str = "en",
) -> Path:
    """Write the present state of an account as one HTML file; it replaces the file whole.

    Parameters
    ----------
    account : Account
    path : str or Path
    title : str, optional
        In place of the account's name.
    lang : str
        Language of the title, as an HTML language tag; the words of the page are English.

    Returns
    -------
    Path
        The file as named by the caller.

    Raises
    ------
    OSError
        If the file cannot be written; what was there before is then still there.
    """
    path = Path(path)
    content = page_html(account, title=title, lang=lang).encode("utf-8", "replace")
    target = Path(os.path.realpath(path))  # a link stays a link
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def page_html(account: Account, *, title: str | None = None, lang: str = "en") -> str:
    """Return the page as text; see `write_page`.

    The same account gives the same page, letter by letter: nothing in it depends on the clock.
    """
    venue = account.venue
    name = title or account.name or "Margin account"
    said = verdict(account)
    heading = f"{name}: isolated and cross margin"
    sections = [
        _header(account, name),
        _section("Verdict", f'<p class="verdict">{said.html()}</p>{_conditions(account)}'),
        _both_modes(account),
        _warnings(account),
    ]
    if account.books.keys:
        sections += [_pictures(account), _positions(account)]
    sections += [_collateral(account), _marks(account), _venue_ratio(account), _rules(account)]
    sections.append(_python(account))
    body = "\n".join(filter(None, sections))
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(lang)}">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(heading)}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="description" content="{escape(said.text)}">\n'
        f'<meta name="generator" content="margin_widgets {__version__}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        # Nothing may be fetched and nothing may run, whatever a symbol is called.
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<style>\n{_style()}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        f"<footer><p>Written by margin_widgets {__version__} under {escape(venue.label)}. A picture"
        " of one moment: nothing on this page recomputes. No advice.</p></footer>\n"
        "</body>\n</html>\n"
    )


@cache
def _style() -> str:
    sheet = resources.files("margin_widgets.account") / "page.css"
    dark = f"@media screen and (prefers-color-scheme: dark) {{\n{rules(DARK)}\n}}\n"
    return sheet.read_text(encoding="utf-8") + rules(LIGHT) + "\n" + dark


# -- the account --------------------------------------------------------------------------------


def _header(account: Account, name: str) -> str:
    venue = account.venue
    chips = [venue.label, f"amounts in {account.currency}", str(venue.margin_ratio)]
    if account.as_of:
        chips.append(f"as of {account.as_of}")
    shown = "".join(f"<li>{escape(text)}</li>" for text in chips)
    return f'<header><h1>{escape(name)}</h1><ul class="chips">{shown}</ul></header>'


def _conditions(account: Account) -> str:
    text = conditions(account)
    return f'<p class="note">{escape(text)}</p>' if text else ""


def _modes(account: Account) -> list[MarginReport]:
    """Both modes; the account as it is configured where that is neither, and portfolio margin."""
    reports = [account.isolated, account.cross]
    if len({row.margin_mode for row in account.state.positions}) > 1:
        reports.append(account.configured)
    if account.portfolio is not None:
        reports.append(account.portfolio)
    return reports


def _both_modes(account: Account) -> str:
    reports = _modes(account)
    cards = "".join(_card(report) for report in reports[:2])
    head = ["Figure", *(_TITLES[report.mode] for report in reports)]
    rows = [
        [_cell(LABELS[name]), *(_right(_figure(report, name)) for report in reports)]
        for name in ACCOUNT_FIGURES
    ]
    table = _table("All figures of both modes", head, rows)
    return _section("Both modes", f'<div class="cards">{cards}</div>{table}')


def _card(report: MarginReport) -> str:
    isolated = report.mode == "isolated"
    below = report.status != "ok"
    facts = (
        ("Equity", fmt.amount(report.equity)),
        ("Available", fmt.amount(report.available)),
        ("Highest margin ratio" if isolated else "Margin ratio", _figure(report, "margin_ratio")),
        (
            "First liquidation" if isolated else "Liquidation",
            "now" if below else _figure(report, "liquidation_shock"),
        ),
        ("Worst loss", fmt.amount(report.worst_loss)),
    )
    listed = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{escape(text)}</dd></div>" for term, text in facts
    )
    note = ""
    if below:
        fallen = [pool.name for pool in report.pools if pool.status != "ok"]
        note = (
            '<p class="alert">Below maintenance margin at these marks:'
            f" {escape(', '.join(fallen) or 'a loan')}</p>"
        )
    return (
        f'<section class="card {report.mode}"><h3>{_TITLES[report.mode]}</h3>'
        f"<dl>{listed}</dl>{_meter(report)}"
        f'<p class="note">{escape(_words(report))}</p>{note}</section>'
    )


def _meter(report: MarginReport) -> str:
    """Initial and maintenance margin as parts of the margin balance."""
    balance = report.margin_balance
    full = 1.0 if report.maintenance_margin > 0 else 0.0  # nothing held against what is required
    initial = report.initial_margin / balance if balance > 0 else full
    maintenance = report.maintenance_margin / balance if balance > 0 else full
    label = (
        f"Initial margin is {fmt.percent(initial, 0)} and maintenance margin"
        f" {fmt.percent(maintenance, 1)} of the margin balance"
    )
    bars = "".join(
        f'<i class="{name}" style="width:{100 * min(max(share, 0.0), 1.0):.2f}%"></i>'
        for name, share in (("initial", initial), ("maintenance", maintenance))
    )
    return f'<div class="meter" role="img" aria-label="{escape(label)}">{bars}</div>'


def _words(report: MarginReport) -> str:
    if not report.books.keys:
        return "No positions."
    if report.mode == "isolated":
        if report.idle < 0:
            return f"The assigned margins exceed the wallet by {fmt.amount(-report.idle)}."
        return f"Idle collateral of {fmt.amount(report.idle)} cannot help a position."
    if len(report.pools) > 1:
        return f"{len(report.pools)} pools, one per settlement asset."
    return f"All {fmt.amount(report.margin_balance)} back every position."


def _figure(report: MarginReport, name: str) -> str:
    value: float | None = getattr(report, name)
    if name == "margin_ratio":
        return "no balance" if value is None else fmt.percent(value)
    if name == "collateral_utilization":
        return "no collateral" if value is None else fmt.percent(value)
    if name == "liquidation_shock":
        return "none" if value is None else fmt.move(value)
    if name == "effective_leverage":
        return "no equity" if value is None else f"{fmt.amount(value)}×"
    return fmt.amount(value)


def _warnings(account: Account) -> str:
    parts = [_list(account.warnings)] if account.warnings else []
    if account.notes:
        parts.append(f"<h3>Taken over from other rules</h3>{_list(account.notes)}")
    return _section("Warnings", "".join(parts)) if parts else ""


# -- pictures -----------------------------------------------------------------------------------


def _pictures(account: Account) -> str:
    curve = account.curve(shock=True, points=161)
    parts = [
        _picture(curve, "equity", "Equity", describe(curve)),
        _picture(curve, "margin_ratio", "Margin ratio", describe_ratio(curve)),
        "<h3>The curves in numbers, just beyond each liquidation</h3>",
        _curve_table(account, curve),
    ]
    return _section("Against a common move of all marks", "".join(parts))


def _picture(curve: Curve, picture: Picture, title: str, said: str) -> str:
    drawn = "".join(
        f'<div class="{name}">'
        + inline_svg(curve, picture, width=size[0], height=size[1], description=said, palette=LIGHT)
        + "</div>"
        for name, size in (("wide", WIDE), ("narrow", NARROW))
    )
    return f"<h3>{title}</h3><figure>{drawn}<figcaption>{escape(said)}</figcaption></figure>"


def _curve_table(account: Account, drawn: Curve) -> str:
    """Both modes at round moves, at the present and just beyond each liquidation."""
    low, high = drawn.low, drawn.high
    parts = max(1, round((high - low) / round_step(high - low, 10)))
    curve = account.curve(shock=True, low=low, high=high, points=parts + 1)
    modes = (curve.isolated, curve.cross)
    events: dict[float, list[str]] = {curve.mark: ["now"]}
    for mode in modes:
        for event in mode.events:
            said = f"{mode.mode} loses {event_name(curve, event)}"
            events.setdefault(event.x, []).append(said)
    rows = []
    for at in dict.fromkeys(curve.x.tolist()):
        # A liquidation stands on the grid twice; outward of the present is after it.
        twice = np.flatnonzero(curve.x == at)
        index = twice[0] if at <= curve.mark else twice[-1]
        rows.append(
            [
                _cell(place(curve, at)),
                *(_right(fmt.amount(float(mode.equity[index]))) for mode in modes),
                *(_right(_ratio(float(mode.margin_ratio[index]))) for mode in modes),
                _cell("; ".join(events.get(at, []))),
            ]
        )
    head = ["Move", "Equity isolated", "Equity cross", "Ratio isolated", "Ratio cross", "Event"]
    return _table("Both modes at round moves, and just beyond each liquidation", head, rows)


def _ratio(value: float) -> str:
    if value != value:
        return "closed"
    return f"≫ {fmt.percent(9.99, 0)}" if value > 9.99 else fmt.percent(value, 1)


# -- what is held -------------------------------------------------------------------------------


def _positions(account: Account) -> str:
    head = ["Position", "Mode", "Quantity", "Entry", "Mark", "Leverage", "Assigned margin"]
    head += ["Notional", "Unrealised PnL", "Liquidation isolated", "Liquidation cross"]
    rows = []
    for row, isolated, cross in zip(
        account.state.positions,
        account.isolated.positions.values(),
        account.cross.positions.values(),
        strict=True,
    ):
        tick = _tick(isolated)
        margin = fmt.amount(isolated.margin) + ("" if row.margin is not None else " (at entry)")
        rows.append(
            [
                _cell(isolated.key),
                (row.margin_mode, row.margin_mode),
                _right(fmt.plain(row.quantity)),
                _right(fmt.price(row.entry_price, tick)),
                _right(fmt.price(isolated.mark, tick)),
                _right(f"{fmt.plain(row.leverage)}×"),
                _right(margin),
                _right(fmt.amount(isolated.notional)),
                _right(fmt.amount(isolated.unrealized_pnl)),
                _right(_liquidation(isolated)),
                _right(_liquidation(cross)),
            ]
        )
    said = (
        "Liquidation prices: isolated, if the position stands alone with its assigned margin;"
        " cross, if everything supports everything."
    )
    note = f'<p class="note">{escape(said)}</p>{_conditions(account)}'
    table = _table("Positions with both liquidation prices", head, rows, stacked=True)
    return _section("Positions", table + note)


def _liquidation(one: PositionReport) -> str:
    """The liquidation price, or both where there are two, with the way there."""
    given = [price for price in one.liquidation_prices if price is not None]
    if not given:
        return "none"
    tick = _tick(one)
    return " / ".join(
        f"{fmt.price(price, tick)} ({fmt.move(price / one.mark - 1, 1)})" for price in given
    )


def _tick(one: PositionReport) -> float | None:
    books = one.report.books
    return books.contracts[books.symbols.index(one.symbol)].tick


def _collateral(account: Account) -> str:
    state, books = account.state, account.books
    if not state.collateral:
        return _section("Collateral", '<p class="note">No collateral.</p>')
    counted = count_as_margin(books.book, books.book.wallet)
    prices = books.book.asset_prices(books.marks)
    rows = []
    for asset, held in state.collateral.items():
        at = books.assets.index(asset)
        follows = int(books.book.asset_symbol[at])
        source = "fixed" if asset in state.prices else "at par"
        if follows >= 0:
            source = f"follows {books.symbols[follows]}"
        price = float(prices[at])
        margin = float(counted[at])
        rows.append(
            [
                _cell(asset),
                _right(fmt.plain(held)),
                _right(fmt.price(price)),
                _cell(source),
                _right(fmt.amount(held * price)),
                _right(fmt.percent(1 - margin / held, 2) if held > 0 else fmt.NO_VALUE),
                _right(fmt.amount(margin * price)),
            ]
        )
    head = ["Asset", "Amount", "Price", "Price is", "Value", "Haircut", "Counts as margin"]
    table = _table(f"Collateral, valued in {account.currency}", head, rows, stacked=True)
    more = ""
    if state.order_margin:
        reserved = f"Open orders reserve {fmt.amount(state.order_margin)} {account.currency}."
        more = f'<p class="note">{escape(reserved)}</p>'
    return _section("Collateral", table + more)


def _marks(account: Account) -> str:
    books, state = account.books, account.state
    if not books.symbols:
        return ""
    held = {row.symbol for row in state.positions}
    rows = []
    for symbol, contract, mark in zip(
        books.symbols, books.contracts, books.marks.tolist(), strict=True
    ):
        kind = contract.kind + (f", expires {contract.expiry}" if contract.expiry else "")
        source = "given" if symbol in state.marks else "entry price, as no mark was given"
        rows.append(
            [
                _cell(symbol),
                _right(fmt.price(mark, contract.tick)),
                _cell(source),
                _cell(kind),
                _cell(f"{contract.quote}, settled in {contract.settle}"),
                _cell("yes" if symbol in held else "no"),
            ]
        )
    head = ["Symbol", "Mark", "Source", "Contract", "Quoted in", "Held"]
    return _section("Marks", _table("Mark prices", head, rows, stacked=True))


def _venue_ratio(account: Account) -> str:
    """Each sense of the margin ratio, with what is over what."""
    modes = (account.isolated, account.cross)
    readings = [_readings(report) for report in modes]
    rows = []
    for isolated, cross in zip(*readings, strict=True):
        rule = isolated.convention
        level = (
            fmt.percent(rule.liquidation_at, 0 if rule.liquidation_at == 1 else 2)
            if rule.percent
            else fmt.plain(rule.liquidation_at, 4)
        )
        sense = "falls to" if rule.falls else "rises to"
        rows.append(
            [
                _cell(rule.name),
                _cell(f"{rule.numerator} ÷ {rule.denominator}"),
                _right(_reading(isolated)),
                _right(_reading(cross)),
                _cell(f"{sense} {level}"),
            ]
        )
    head = ["Name", "Fraction", "Isolated", "Cross", "Liquidation when it"]
    said = (
        f"The first is how {account.venue.title or account.venue.name} writes it. Each is of the"
        " pool nearest to liquidation."
    )
    table = _table("Margin ratios in every sense", head, rows, stacked=True)
    return _section("The venue’s margin ratio", f'{table}<p class="note">{escape(said)}</p>')


def _readings(report: MarginReport) -> tuple[RatioReading, ...]:
    own = report.venue_margin_ratio
    others = (one for one in report.margin_ratios if not one.convention.like(own.convention))
    return own, *others


def _reading(one: RatioReading) -> str:
    if one.value is None:
        return "none"
    shown = fmt.percent(one.value) if one.convention.percent else fmt.plain(one.value, 4)
    return f"{shown} ({one.pool})" if one.pool not in ("", "cross") else shown


# -- rules --------------------------------------------------------------------------------------


def _rules(account: Account) -> str:
    venue = account.venue
    level = "" if venue.trigger_level == 1 else f"{venue.trigger_level:g} × "
    fee = fmt.percent(venue.taker_fee, 4)
    counts = "counts as maintenance" if venue.closing_fee_in_maintenance else "not in maintenance"
    left = {
        "kept": "goes to the insurance fund",
        "returned": "is returned",
        "split": f"is returned by {fmt.percent(venue.residual_share, 0)}",
    }[venue.residual]
    facts = {
        "Rules": venue.title or venue.name,
        "Name": venue.name,
        "Version": venue.version,
        "Date": venue.date or "not dated",
        "Currency": venue.currency,
        "Liquidated when": f"margin balance {venue.trigger} {level}maintenance margin",
        "Maintenance at": f"{venue.maintenance_at} price, tiers by {venue.tiers_by}",
        "Taker fee": f"{fee}, {counts}",
        "Liquidation fee": fmt.percent(venue.liquidation_fee, 4),
        "Residual of a liquidated pool": left,
        "Cross margin pools": {
            "account": "the whole account",
            "settlement": "each settlement asset apart",
        }[venue.cross_pool],
        "Margin ratio": str(venue.margin_ratio),
    }
    listed = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{escape(text)}</dd></div>" for term, text in facts.items()
    )
    parts = [f'<dl class="facts">{listed}</dl>', _tiers(account)]
    for title, texts in (
        ("What these rules cannot express", venue.cannot_express),
        ("What is not modelled", venue.not_modelled),
        ("Sources", venue.source_lines),
    ):
        if texts:
            parts.append(f"<h3>{title}</h3>{_list(texts)}")
    return _section("Rule set", "".join(parts))


def _tiers(account: Account) -> str:
    """Tiers of the symbols that are held."""
    venue, rows = account.venue, []
    held = dict.fromkeys(row.symbol for row in account.state.positions)
    tables = {symbol: venue.tiers[symbol] for symbol in held if symbol in venue.tiers}
    shown = _MOST_TIERS if sum(map(len, tables.values())) <= _MOST_TIERS else _FIRST_TIERS
    for symbol, table in tables.items():
        amounts = venue.maintenance_amounts(symbol)
        for tier, amount in list(zip(table, amounts, strict=True))[:shown]:
            most = "" if tier.max_leverage is None else f"{fmt.plain(tier.max_leverage)}×"
            rows.append(
                [
                    _cell(symbol),
                    _right(fmt.plain(tier.floor)),
                    _right(fmt.percent(tier.rate, 3)),
                    _right(fmt.plain(amount)),
                    _right(most or fmt.NO_VALUE),
                ]
            )
        if len(table) > shown:
            more = f"{len(table) - shown} more"
            rows.append([_cell(symbol), *[_right(text) for text in (more, "", "", "")]])
    if not rows:
        return ""
    head = ["Tiers of", f"From ({venue.tiers_by})", "Maintenance rate", "Maintenance amount"]
    head.append("Highest leverage")
    return f"<h3>Tiers of what is held</h3>{_table('Maintenance margin tiers', head, rows)}"


def _python(account: Account) -> str:
    said = "Run this to go on from here: it builds the same account, digit for digit."
    code = f'<pre tabindex="0"><code>{escape(as_python(account))}</code></pre>'
    return _section("The same account in Python", f'<p class="note">{said}</p>{code}')


# -- markup -------------------------------------------------------------------------------------


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _list(texts: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def _cell(text: str) -> Cell:
    return text, ""


def _right(text: str) -> Cell:
    return text, "figure"


def _table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], *, stacked: bool = False
) -> str:
    """A table; if `stacked`, on a small screen a list of cards, in which each cell says its column.

    The roles are those that the elements have anyway; browsers forget them when a style sheet
    lays a table out in another way.
    """
    kinds = [kind for _, kind in rows[0]] if rows else [""] * len(head)
    titles = "".join(
        f'<th scope="col" role="columnheader"{_class("figure" if kind == "figure" else "")}>'
        f"{escape(title)}</th>"
        for title, kind in zip(head, kinds, strict=True)
    )
    body = "".join(_row(head, row) for row in rows)
    return (
        f'<div class="scroll" role="group" tabindex="0" aria-label="{escape(caption)}">'
        f'<table role="table"{_class("stacked" if stacked else "")}>'
        f"<caption>{escape(caption)}</caption>"
        f'<thead role="rowgroup"><tr role="row">{titles}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table></div>'
    )


def _row(head: Sequence[str], row: Sequence[Cell]) -> str:
    first, *others = zip(head, row, strict=True)
    cells = "".join(
        f'<td role="cell" data-label="{escape(title)}"{_class(kind)}>{escape(text)}</td>'
        for title, (text, kind) in others
    )
    return f'<tr role="row"><th scope="row" role="rowheader">{escape(first[1][0])}</th>{cells}</tr>'


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
