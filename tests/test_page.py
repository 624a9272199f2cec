"""The page of an account: everything is on it, nothing runs, nothing is fetched."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from random_accounts import numbered
from strategies import account as account_of

import margin_widgets as mw
from margin_widgets.account import formatting as fmt
from margin_widgets.account.page import page_html, write_page
from margin_widgets.account.verdict import conditions, verdict

PRESETS = (
    mw.presets.ref2,
    mw.presets.hedged_pair,
    mw.presets.bitcoin_on_bitcoin,
    mw.presets.multi_asset,
    mw.presets.inverse,
    mw.presets.exchange_account,
)
VOID = {"meta", "link", "br", "hr", "img", "input"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section"),
    *("h1", "h2", "h3", "p", "b", "ul", "li", "dl", "dt", "dd", "div", "i", "pre", "code"),
    *("figure", "figcaption", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "desc", "path", "text"),
}


class Page(HTMLParser):
    """A page read back: every element closed in order, headings, tables, ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.headings: list[tuple[int, str]] = []
        self.text: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.attributes += [(tag, name, content or "") for name, content in attrs]
        if tag in VOID:
            return
        self.open.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.headings.append((int(tag[1]), ""))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, tag  # HTML itself has no such elements
        self.tags.add(tag)
        self.attributes += [(tag, name, content or "") for name, content in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        data = data.replace("\N{NO-BREAK SPACE}", " ")
        if "style" not in self.open:
            self.text.append(data)
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            level, words = self.headings[-1]
            self.headings[-1] = level, words + data
        if {"th", "td"} & set(self.open):
            self.tables[-1][-1][-1] += data

    @property
    def words(self) -> str:
        return " ".join(self.text)

    def table(self, first: str) -> list[list[str]]:
        """The table whose first column is called so."""
        (found,) = (one for one in self.tables if one[0][0] == first)
        return found


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda one: one.__name__)
def test_pages_are_whole_and_still(preset) -> None:
    html = page_html(preset())
    page = Page(html)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert page.tags <= ALLOWED
    # nothing that runs, nothing that is fetched
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert not {"href", "src", "srcset", "action"} & {name for _, name, _ in page.attributes}
    assert re.findall(r"https?://[^\s\"<]+", html.partition("<body>")[0]) == []
    assert set(re.findall(r'https?://[^\s"<;,)]+', html)) >= {"http://www.w3.org/2000/svg"}
    assert "url(" not in html and "@import" not in html
    policy = [c for tag, name, c in page.attributes if name == "content" and "default-src" in c]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    for name in ("viewport", "description", "color-scheme"):
        assert ("meta", "name", name) in page.attributes


@pytest.mark.parametrize("preset", PRESETS, ids=lambda one: one.__name__)
def test_headings_are_in_order(preset) -> None:
    page = Page(page_html(preset()))
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(words.strip() for _, words in page.headings)
    titles = [words for level, words in page.headings if level == 2]
    assert titles[:2] == ["Verdict", "Both modes"]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda one: one.__name__)
def test_the_state_is_there_in_full(preset) -> None:
    account = preset()
    page = Page(page_html(account))
    words = plain(page.words)
    for sentence in (verdict(account).text, conditions(account), *account.warnings):
        assert plain(sentence) in "".join(page.text)
    venue = account.venue
    for text in (venue.label, venue.version, *venue.source_lines, *venue.not_modelled):
        assert text in words, text
    for text in (*venue.cannot_express, *account.warnings):
        assert text in words
    rows = page.table("Position")
    assert [row[0] for row in rows[1:]] == account.positions.keys()
    head = rows[0]
    for row, isolated, cross in zip(
        rows[1:],
        account.isolated.positions.values(),
        account.cross.positions.values(),
        strict=True,
    ):
        tick = venue.contract(isolated.symbol).tick
        for title, report in (("isolated", isolated), ("cross", cross)):
            shown = row[head.index(f"Liquidation {title}")]
            for price in report.liquidation_prices:
                assert price is None or fmt.price(price, tick) in shown
            assert (shown == "none") == (report.liquidation_price is None)
    held = page.table("Asset")
    assert {row[0]: row[1] for row in held[1:]} == {
        asset: fmt.plain(amount) for asset, amount in account.collateral.items()
    }
    counted = sum(float(row[-1].replace(",", "").replace("−", "-")) for row in held[1:])
    net = account.cross.margin_balance - account.cross.unrealized_pnl
    assert counted == pytest.approx(net, abs=0.01 * len(held))
    marks = {row[0]: row[1] for row in page.table("Symbol")[1:]}
    assert marks == {
        symbol: fmt.price(account.mark(symbol), venue.contract(symbol).tick)
        for symbol in account.books.symbols
    }
    tiers = page.table("Tiers of")[1:]
    assert {row[0] for row in tiers} == {row.symbol for row in account.positions}


def test_ref2() -> None:
    account = mw.presets.ref2()
    page = Page(page_html(account))
    figures = {row[0]: row[1:] for row in page.table("Figure")}
    assert figures["Figure"] == ["Isolated", "Cross", "As configured"]
    assert figures["equity"] == ["10,000.00"] * 3
    assert figures["worst loss"] == ["7,000.00", "10,000.00", "10,000.00"]
    rows = {row[0]: row for row in page.table("Position")}
    assert plain(" ".join(rows["BTCUSDT"])).endswith("90,452.26 (−9.5 %) 80,804.02 (−19.2 %)")
    assert plain(" ".join(rows["ETHUSDT"])).endswith("3,636.36 (−9.1 %) 2,070.71 (−48.2 %)")
    moves = {plain(row[0]): [plain(cell) for cell in row[1:]] for row in page.table("Move")}
    assert moves["−20.00 %"] == ["3,000.00", "0.00", "closed", "closed", ""]
    # just beyond the liquidation: 10,000 − 6,363.64 less the 181.82 that ETH still held
    assert moves["−9.09 %"][:2] == ["3,454.55", "3,636.36"]
    assert moves["−9.09 %"][4] == "isolated loses ETH"
    assert moves["−13.73 %"][4] == "cross loses account"
    assert moves["0.00 %"] == ["10,000.00", "10,000.00", "10.0 %", "4.5 %", "now"]
    ratios = {row[0]: row for row in page.table("Name")}
    assert plain(ratios["margin ratio"][2]) == "10.00 % (ETHUSDT)"
    assert plain(ratios["margin ratio"][3]) == "4.50 %"
    assert plain(ratios["margin ratio"][4]) == "rises to 100 %"
    assert ratios["margin level"][4].startswith("falls to")
    scope: dict[str, mw.Account] = {}
    html = page_html(account)
    exec(unescape(re.search(r"<pre[^>]*><code>(.*?)</code></pre>", html, re.DOTALL)[1]), scope)
    assert scope["account"].to_dict() == account.to_dict()


def test_pictures_come_in_two_sizes_and_both_themes() -> None:
    html = page_html(mw.presets.ref2())
    pictures = [ET.fromstring(one) for one in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]
    widths = [float(one.get("viewBox", "").split()[2]) for one in pictures]
    assert widths == [860, 330, 860, 330]
    for one in pictures:
        title, desc = (one.find(f"{{http://www.w3.org/2000/svg}}{x}") for x in ("title", "desc"))
        assert title.text and len(desc.text or "") > 80
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    assert style.count("prefers-color-scheme: dark") == 2
    # every colour of a picture has one for the dark
    roles = set(re.findall(r'class="(mw-[sf]-\w+)"', html))
    dark = style.rpartition("prefers-color-scheme: dark")[2]
    assert all(f".{role}{{" in dark for role in roles)
    assert "@media print" in style and "max-width: 680px" in style


def test_the_same_account_gives_the_same_page() -> None:
    account = mw.presets.multi_asset()
    assert page_html(account) == page_html(account.copy())


def test_symbols_stay_text() -> None:
    evil = '"></style></title><script>alert(1)</script><img src=x onerror=alert(1)>'
    account = mw.Account(
        mw.venues.generic(
            name=evil,
            title=evil,
            tiers={evil: 0.01},
            sources=(evil,),
            not_modelled=(evil,),
            cannot_express=(evil,),
        ),
        {"USDT": 1_000, evil: 1},
        [mw.Position(evil, 10, 100)],
        prices={evil: 3},
        name=evil,
    )
    html = page_html(account, title=evil, lang='en"><script>')
    assert "<script" not in html and "<img" not in html
    page = Page(html)
    assert page.tags <= ALLOWED
    assert html.count("</style>") == 1
    assert html.count("</title>") == 1 + html.count("<svg") + html.count("<path") - html.count("/>")
    assert evil in "".join(page.text)


def test_states_that_have_no_number() -> None:
    empty = Page(page_html(mw.Account()))
    assert "No positions" in empty.words and "No collateral" in empty.words
    assert "svg" not in empty.tags
    rich = mw.presets.ref2()
    rich.collateral["USDT"] = 1e6
    assert "none" in {row[-1] for row in Page(page_html(rich)).table("Position")}
    fallen = mw.presets.ref2()
    fallen.marks["BTCUSDT"] = 50_000
    assert "Below maintenance margin at these marks" in Page(page_html(fallen)).words
    for account in (mw.Account(), rich, fallen):
        assert not re.search(r"\b(nan|inf|None)\b", Page(page_html(account)).words)


def test_what_other_rules_assumed_is_told() -> None:
    there = mw.presets.ref2().under("hyperliquid")
    words = Page(page_html(there)).words
    assert all(note in words for note in there.notes)


@pytest.mark.parametrize("venue", mw.venues.names())
def test_any_account_has_a_page(venue: str) -> None:
    for number in range(8):
        account = account_of(numbered(venue, number))
        page = Page(page_html(account))
        assert not re.search(r"\b(nan|inf)\b", page.words)
        if account.positions:
            assert len(page.table("Position")) == 1 + len(account.positions)
        assert ("Portfolio margin" in page.words) >= (account.portfolio is not None)


def test_long_books_are_told_in_full() -> None:
    symbols = [f"C{n}USDT" for n in range(200)]
    account = mw.Account(
        mw.venues.generic(tiers=dict.fromkeys(symbols, 0.01)),
        {"USDT": 100_000},
        [mw.Position(symbol, n + 1, 10) for n, symbol in enumerate(symbols)],
    )
    html = page_html(account)
    assert len(Page(html).table("Position")) == 201
    assert len(html) < 900_000


# ------------------------------------------------------------------ the file


def test_the_file_is_replaced_whole(tmp_path: Path) -> None:
    account, file = mw.presets.ref2(), tmp_path / "account.html"
    file.write_text("before")
    assert account.to_html(file, title="Mine", lang="de") == file
    text = file.read_text(encoding="utf-8")
    assert '<html lang="de">' in text and "<h1>Mine</h1>" in text
    assert text == page_html(account, title="Mine", lang="de")
    assert [one.name for one in tmp_path.iterdir()] == ["account.html"]


def test_what_was_there_stays_if_writing_fails(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "account.html"
    file.write_text("before")

    def refuse(*_: object) -> None:
        raise OSError("full")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="full"):
        write_page(mw.presets.ref2(), file)
    assert file.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["account.html"]


def test_a_name_that_no_encoding_has(tmp_path: Path) -> None:
    account = mw.presets.ref2()
    account.name = "half \ud83d"
    account.to_html(tmp_path / "account.html").read_text(encoding="utf-8")
