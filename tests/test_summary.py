"""The static summary: what it holds, that it is well formed, and that text stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

import margin_widgets as mw
from margin_widgets.account.summary import MOST_ROWS, account_html, comparison_text, report_html
from margin_widgets.account.svg import equity_svg

PRESETS = (
    mw.presets.ref2,
    mw.presets.hedged_pair,
    mw.presets.bitcoin_on_bitcoin,
    mw.presets.multi_asset,
    mw.presets.inverse,
    mw.presets.exchange_account,
)
SCRIPT = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Text and tags of a page; every opened tag must be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data.replace("\N{NO-BREAK SPACE}", " "))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.__name__)
def test_pages_are_static_and_well_formed(preset) -> None:
    account = preset()
    reports = (account.isolated, account.cross, account.configured)
    for html in (account_html(account), *map(report_html, reports)):
        page = Page(html)
        assert page.tags <= {
            *("div", "p", "b", "table", "thead", "tbody", "tr", "th", "td"),
            *("svg", "title", "desc", "path", "text"),
        }
        assert not any(name.startswith("on") or name in ("href", "src") for name in page.attributes)
        assert account.venue.label in " ".join(page.text)


def test_ref2_page() -> None:
    text = Page(account_html(mw.presets.ref2())).text
    prices = ("90,452.26", "80,804.02", "3,636.36", "2,070.71")
    for wanted in ("REF-2", *prices, "−13.73 %", "7,000.00"):
        assert wanted in text, wanted
    joined = "".join(text)
    assert "If all marks fall together, isolated loses ETHUSDT" in joined
    assert "Cross prices hold if the other marks stay" in joined
    assert "Not modelled: funding" in joined
    assert "Warnings" not in joined


def test_warnings_are_on_the_page() -> None:
    account = mw.presets.ref2()
    del account.marks["ETHUSDT"]
    assert "Warnings: ETHUSDT: no mark given" in "".join(Page(account_html(account)).text)
    assert "Warning: ETHUSDT: no mark given" in comparison_text(account)


def test_no_price_is_a_word() -> None:
    account = mw.presets.ref2()
    account.collateral["USDT"] = 1e6
    text = Page(account_html(account)).text
    assert "none" in text
    assert not re.search(r"\bnan\b", " ".join(text), re.IGNORECASE)


def test_empty_account() -> None:
    account = mw.Account()
    text = "".join(Page(account_html(account)).text)
    assert "No positions" in text
    assert "No positions" in comparison_text(account)
    Page(report_html(account.cross))


def test_script_is_text() -> None:
    account = mw.Account(
        name=SCRIPT,
        venue=mw.venues.generic(
            name=SCRIPT, tiers={SCRIPT: 0.01, '"onload="x': 0.01}, not_modelled=(SCRIPT,)
        ),
        collateral={"USDT": 1_000},
        positions=[mw.Position(SCRIPT, 10, 100), mw.Position('"onload="x', 10, 100)],
    )
    for html in (account_html(account), report_html(account.cross), account._repr_html_()):
        page = Page(html)
        assert "script" not in page.tags
        assert not any("onload" in name for name in page.attributes)
        assert SCRIPT in "".join(page.text)


def test_reports_and_accounts_use_it() -> None:
    account = mw.presets.ref2()
    assert account._repr_html_() == account_html(account)
    assert account.cross._repr_html_() == report_html(account.cross)


def test_long_books_are_cut_and_say_so() -> None:
    symbols = [f"C{n}USDT" for n in range(MOST_ROWS + 7)]
    account = mw.Account(
        venue=mw.venues.generic(tiers=dict.fromkeys(symbols, 0.01)),
        collateral={"USDT": 10_000},
        positions=[mw.Position(symbol, n + 1, 10) for n, symbol in enumerate(symbols)],
    )
    assert "and 7 more positions" in Page(account_html(account)).text
    assert "and 7 more positions" in Page(report_html(account.isolated)).text
    assert len(account_html(account)) < 100_000


def test_text_twin() -> None:
    lines = comparison_text(mw.presets.ref2()).replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert lines[0].startswith("REF-2 · generic · v1")
    assert any(re.fullmatch(r"margin ratio +10\.00 % +4\.50 %", line) for line in lines)
    assert any(re.fullmatch(r"BTCUSDT .*90,452\.26 +80,804\.02", line) for line in lines)
    assert lines[-1].startswith("Cross prices hold")


# ------------------------------------------------------------------ the picture

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.__name__)
def test_pictures_are_xml_within_their_box(preset) -> None:
    root = ET.fromstring(equity_svg(preset().curve(shock=True, points=81), "words & <b>"))
    assert root.find(f"{SVG}desc").text == "words & <b>"
    _, _, width, height = map(float, root.get("viewBox").split())
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x")) <= width
        assert 0 <= float(text.get("y")) <= height
        assert not re.search(r"\bnan\b", text.text)
    for path in root.iter(f"{SVG}path"):
        assert "nan" not in path.get("d")
    # words take the colour of the page
    assert {text.get("fill") for text in root.iter(f"{SVG}text")} >= {"currentColor"}
