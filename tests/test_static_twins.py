"""What a part leaves behind without a kernel: static HTML, files of its picture, and CSV."""

from __future__ import annotations

import csv
import gc
import html
import io
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import margin_widgets as mw
from margin_widgets import widgets
from margin_widgets.account.csv_text import csv_text
from margin_widgets.widgets.data_twin import data_table
from margin_widgets.widgets.static_twin import DrawnTwin

SVG = "{http://www.w3.org/2000/svg}"
PARTS = sorted(set(widgets.__all__) - {"Selection", "Dashboard"})
DRAWN = [name for name in PARTS if issubclass(getattr(widgets, name), DrawnTwin)]
HIDDEN = [name for name in PARTS if hasattr(getattr(widgets, name), "active")]


def account() -> mw.Account:
    """REF-2 with a collateral whose price can be stressed."""
    made = mw.presets.ref2()
    made.prices["BTC"] = 100_000.0
    made.collateral["BTC"] = 0.05
    return made


def shown(part: Any) -> str:
    """The static HTML, without the ids that no two parts share."""
    page: str = part._repr_mimebundle_()["text/html"]
    return page


@pytest.mark.parametrize("name", HIDDEN)
def test_static_html_is_that_of_the_present_account_whatever_is_hidden(name: str) -> None:
    edited = account()
    part = getattr(widgets, name)(edited, active=False)
    if name == "CompareDrawer":
        part.pin()
        assert "Nothing is pinned" not in shown(part)
    never_shown = shown(part)
    part.active = True
    assert shown(part) == never_shown
    part.active = False
    edited.positions["BTCUSDT"].quantity = 0.7
    edited.collateral["USDT"] = 12_345.0
    hidden = shown(part)
    assert hidden != never_shown
    assert part.active is False  # to be read is not to be shown
    part.active = True
    assert shown(part) == hidden
    part.close()


@pytest.mark.parametrize("name", PARTS)
def test_every_part_has_static_html_without_script_or_network(name: str) -> None:
    held = account()
    held.name = "<b>X"
    part = getattr(widgets, name)(held)
    if name == "CompareDrawer":
        part.pin()
    bundle = part._repr_mimebundle_()
    page = bundle["text/html"]
    assert len(page) > 500, page
    assert "<table" in page or name == "SolvePanel"
    for forbidden in ("<script", "http:", "https:", "<b>X", "url("):
        assert forbidden not in page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"children=|layout=|Layout\(", bundle["text/plain"])
    part.close()


def test_tables_and_cards_say_what_the_account_holds() -> None:
    held = mw.presets.ref2()
    for name, words in (
        ("PositionsTable", ("Liq. cross", "90,452.26", "80,804.02", "3,636.36")),
        ("CollateralTable", ("USDT", "10,000.00")),
        ("MarksPanel", ("BTCUSDT", "100,000.00", "4,000.00")),
        ("ModeCards", ("10,000.00", "−9.09", "−13.73", "Cross (USDT)")),
    ):
        part = getattr(widgets, name)(held)
        page = shown(part)
        for one in words:
            assert one in page, (name, one)
        held.marks["BTCUSDT"] = 99_000.0
        assert shown(part) != page or name == "CollateralTable"
        held.undo()
        part.close()
    empty = mw.PositionsTable(mw.Account())
    assert "No positions" in shown(empty)
    empty.close()


# ---------------------------------------------------------------- files


def test_all_plots_are_drawn_twins() -> None:
    assert len(DRAWN) == 10
    assert all(name.endswith(("Plot", "Map", "Graph", "Waterfall")) for name in DRAWN)


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_a_file_without_a_browser(name: str, tmp_path: Path) -> None:
    plot = getattr(widgets, name)(account(), active=False)
    sentence = plot._current()[0].text
    grounds = {}
    for theme in ("auto", "light", "dark"):
        path = tmp_path / f"{theme}.svg"
        text = plot.to_svg(path, theme=theme, width=600, height=420, title="Mine & <b>")
        assert path.read_text(encoding="utf-8") == text
        root = ET.fromstring(text)
        assert (root.get("width"), root.get("height")) == ("600", "420")
        assert root.findtext(f"{SVG}title") == "Mine & <b>"
        assert root.findtext(f"{SVG}desc") == sentence
        assert len(root.findall(f".//{SVG}desc")) == 1
        assert len(list(root.iter())) > 20
        grounds[theme] = text
    assert grounds["light"] != grounds["dark"]
    assert "prefers-color-scheme:dark" in grounds["auto"]
    assert "prefers-color-scheme" not in grounds["light"] + grounds["dark"]
    for wrong in ({"theme": "drak"}, {"width": 10}, {"height": 20_000}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            plot.to_svg(**wrong)
    plot.close()


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_a_png(name: str, tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    plot = getattr(widgets, name)(account())
    drawn = plot.to_png(tmp_path / "one.png", theme="dark", width=600, height=400, scale=0.5)
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    size = int.from_bytes(drawn[16:20]), int.from_bytes(drawn[20:24])
    assert size == (300, 200)
    assert (tmp_path / "one.png").read_bytes() == drawn
    assert plot.to_png(theme="light", width=600, height=400, scale=0.5) != drawn
    plot.close()


def test_without_positions_there_is_no_file() -> None:
    for name in DRAWN:
        plot = getattr(widgets, name)(mw.Account())
        for draw in (plot.to_svg, plot.to_png, plot.to_csv):
            with pytest.raises(ValueError, match="nothing is drawn: "):
                draw()
        plot.close()


# ---------------------------------------------------------------- CSV


@pytest.mark.parametrize("name", DRAWN)
def test_the_data_are_csv(name: str, tmp_path: Path) -> None:
    plot = getattr(widgets, name)(account(), active=False)
    text = plot.to_csv(tmp_path / "data.csv")
    assert (tmp_path / "data.csv").read_text(encoding="utf-8") == text
    head, *rows = csv.reader(io.StringIO(text))
    shown_head, shown_rows = plot._current()[0].table()
    assert len(head) == len(shown_head)
    assert [len(row) for row in rows] == [len(head)] * len(list(shown_rows))
    plot.active = True
    plot._receive({"type": "action", "action": "data"})
    page = plot._data_box.html
    key = re.findall(r'data-copy="([^"]+)"', page)[0]
    assert "Copy as CSV" in page
    copied = re.findall(rf'<pre[^>]*data-key="{key}">(.*?)</pre>', page, re.DOTALL)
    assert len(copied) == 1
    assert html.unescape(copied[0]) == text
    assert ">Hide data<" in page
    plot.close()


def test_figures_in_csv_are_plain_and_words_stay() -> None:
    rows = [
        ("BTCUSDT", "−1,234.50", "+5", "−9.09\xa0%", "10×", "−17,000 CI", "–"),
        ('=HYPERLINK("x")', "1,2", "@sum", "a, b", 'say "x"', "", "2026-11-22"),
    ]
    first, second = csv.reader(io.StringIO(csv_text(("a",) * 7, rows).split("\n", 1)[1]))
    assert first == ["BTCUSDT", "-1234.50", "5", "-9.09%", "10", "-17000 CI", "–"]
    assert second == ['\'=HYPERLINK("x")', "1,2", "'@sum", "a, b", 'say "x"', "", "2026-11-22"]


def test_tables_with_one_head_are_copied_each_by_itself() -> None:
    page = "".join(data_table(("a", "b"), [(name, "1")], name=name) for name in ("<i>", "y"))
    keys = re.findall(r'data-copy="([^"]+)"', page)
    assert len(set(keys)) == 2
    assert "<i>" not in page


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize("name", [*PARTS, "Dashboard"])
def test_a_wrong_keyword_is_refused_and_no_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ignored: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    with pytest.raises(TypeError, match="activ"):
        getattr(widgets, name)(mw.presets.ref2(), activ=False)
    gc.collect()
    assert [one.exc_value for one in ignored] == []
