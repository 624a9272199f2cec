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
from recorded import depeg

import margin_widgets as mw
from margin_widgets import widgets
from margin_widgets.account.csv_text import csv_text
from margin_widgets.account.figures import Column, Shown
from margin_widgets.widgets.data_twin import data_table
from margin_widgets.widgets.static_twin import DrawnTwin

SVG = "{http://www.w3.org/2000/svg}"
PARTS = sorted(set(widgets.__all__) - {"Selection", "Dashboard"})
DRAWN = [name for name in PARTS if issubclass(getattr(widgets, name), DrawnTwin)]
HIDDEN = [name for name in PARTS if hasattr(getattr(widgets, name), "active")]


def part_of(name: str, account: mw.Account, **arguments: Any) -> Any:
    """A part by its name; the one that needs prices beside the account gets them."""
    make = depeg if name == "DepegPlot" else getattr(widgets, name)
    return make(account, **arguments)


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
    part = part_of(name, edited, active=False)
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
    part = part_of(name, held)
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
        part = part_of(name, held)
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
    assert len(DRAWN) == 11
    assert all(name.endswith(("Plot", "Map", "Graph", "Waterfall")) for name in DRAWN)


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_a_file_without_a_browser(name: str, tmp_path: Path) -> None:
    plot = part_of(name, account(), active=False)
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
    plot = part_of(name, account())
    drawn = plot.to_png(tmp_path / "one.png", theme="dark", width=600, height=400, scale=0.5)
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    size = int.from_bytes(drawn[16:20]), int.from_bytes(drawn[20:24])
    assert size == (300, 200)
    assert (tmp_path / "one.png").read_bytes() == drawn
    assert plot.to_png(theme="light", width=600, height=400, scale=0.5) != drawn
    plot.close()


def test_without_positions_there_is_no_file() -> None:
    for name in DRAWN:
        plot = part_of(name, mw.Account())
        for draw in (plot.to_svg, plot.to_png, plot.to_csv):
            with pytest.raises(ValueError, match="nothing is drawn: "):
                draw()
        plot.close()


# ---------------------------------------------------------------- CSV


@pytest.mark.parametrize("name", DRAWN)
def test_the_data_are_csv(name: str, tmp_path: Path) -> None:
    plot = part_of(name, account(), active=False)
    text = plot.to_csv(tmp_path / "data.csv")
    assert (tmp_path / "data.csv").read_text(encoding="utf-8") == text
    head, *rows = csv.reader(io.StringIO(text))
    shown_head, shown_rows = plot._current()[0].table()
    names = [name for one in shown_head for name in getattr(one, "names", (one,))]
    assert head == names
    assert len(set(head)) == len(head)  # no two columns of one name
    assert [len(row) for row in rows] == [len(head)] * len(list(shown_rows))
    words = {"pool", "mode", "from", "does", "to", "what becomes of them", "step"}
    words |= {"on the way", "what happens", "at the present BTCUSDT", "time"}
    for row in rows:
        for name, cell in zip(head, row, strict=True):
            if name not in words and cell:
                assert repr(float(cell)) == cell or cell.isdecimal(), name
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


def test_numbers_in_csv_are_whole_and_words_stay() -> None:
    head = ("a", "b", Column("c", "c, below", "c, above"), "d", "e", "f")
    third, same = 1 / 3, Shown("0.33", 1 / 3)
    rows = [
        ("BTCUSDT", Shown("−1,234.50", -1234.5041), Shown("5 / 7", (5.0, 7.25)), same, "1,2", "–"),
        ('=HYPERLINK("x")', Shown("none", None), "nowhere", "@sum", 'say "x"', Shown("2 (now)", 2)),
    ]
    names, first, second = csv.reader(io.StringIO(csv_text(head, rows)))
    assert names == ["a", "b", "c, below", "c, above", "d", "e", "f"]
    assert first == ["BTCUSDT", "-1234.5041", "5.0", "7.25", repr(third), "1,2", "–"]
    assert second == ['\'=HYPERLINK("x")', "", "nowhere", "", "'@sum", 'say "x"', "2"]


def read(part: Any) -> list[dict[str, str]]:
    """The rows of a part's CSV by the names of their columns; the part is closed."""
    rows = list(csv.DictReader(io.StringIO(part.to_csv())))
    part.close()
    return rows


def test_csv_holds_the_figures_of_the_account_itself() -> None:
    one = account()
    isolated, cross = one.isolated, one.cross
    now = next(row for row in read(widgets.LeveragePlot(one)) if row["leverage"] == "10.0")
    for report in (isolated, cross):
        held = report.positions["BTCUSDT"]
        assert float(now[f"{report.mode} liquidation price"]) == held.liquidation_price
        assert float(now[f"{report.mode} distance (fraction)"]) == held.distance
    assert float(now["margin (USDT)"]) == isolated.positions["BTCUSDT"].margin
    pools = {row["pool"]: row for row in read(widgets.RatioPlot(one))}
    ratio = "now, maintenance margin over margin balance (fraction)"
    assert float(pools["cross"][ratio]) == cross.margin_ratio
    assert float(pools["cross"]["margin balance (USDT)"]) == cross.margin_balance
    drop = "liquidation at, below (common move, fraction)"
    assert float(pools["cross"][drop]) == pytest.approx(cross.liquidation_shock, rel=1e-9)
    places = read(widgets.EquityPlot(one))
    present = next(row for row in places if row["what happens"] == "now")
    assert float(present["cross equity (USDT)"]) == cross.equity
    fallen = next(row for row in places if "LIQ cross" in row["what happens"])
    assert float(fallen["common move (fraction)"]) == pytest.approx(
        cross.liquidation_shock, rel=1e-9
    )
    assert float(fallen["cross equity after liquidation there (USDT)"]) == 0.0
    stressed = next(
        r for r in read(widgets.CollateralStressPlot(one)) if r["move (fraction)"] == "0.0"
    )
    assert float(stressed["price of BTC (USDT)"]) == 100_000.0
    dip = read(depeg(one))
    assert [row["time"] for row in dip][2] == "2023-03-12"
    assert float(dip[0]["price of BTC (USDT)"]) == 100_000.0
    ratio = "cross, maintenance over margin balance (fraction)"
    assert float(dip[0][ratio]) == pytest.approx(cross.margin_ratio, rel=1e-12)
    days = read(widgets.FundingDriftPlot(one, rate=0.0001))
    assert float(days[0]["cross liquidation price"]) == cross.positions["BTCUSDT"].liquidation_price
    falls = widgets.LossWaterfall(one, shock=-0.12)
    ends = {row.label: row.bars["isolated"].amount for row in falls.data.rows}
    assert {row["step"]: float(row["isolated (USDT)"]) for row in read(falls)} == ends
    grid = widgets.ShockMap(one, points=5)
    assert grid.data is not None
    corner = float(grid.data.difference[0, 0])
    *_, last = read(grid)  # the lowest shock stands below
    assert float(last["-0.6"]) == corner
    assert isolated.liquidation_shock is not None


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
