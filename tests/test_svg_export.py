"""Pictures as files: what the marks say against the numbers, and where the words stand."""

from __future__ import annotations

import re
import sys
from itertools import combinations
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import margin_widgets as mw
from margin_widgets.account.curve_words import describe, event_name
from margin_widgets.account.equity_picture import EquityPicture, ghost
from margin_widgets.account.labels import Placer, text_width
from margin_widgets.account.lead import lead_regions
from margin_widgets.account.palette import DARK, INLINE, LIGHT
from margin_widgets.account.png import png
from margin_widgets.account.svg import _thinned, curve_svg, equity_svg
from margin_widgets.account.svg_file import SMALLEST

SVG = "{http://www.w3.org/2000/svg}"
PRESETS = {
    one.__name__: one
    for one in (
        mw.presets.ref2,
        mw.presets.hedged_pair,
        mw.presets.bitcoin_on_bitcoin,
        mw.presets.multi_asset,
        mw.presets.inverse,
        mw.presets.exchange_account,
    )
}
PICTURES = ("equity", "margin_ratio")
MODES = ("cross", "isolated")


def plain(text: str | None) -> str:
    return (text or "").replace("\N{NO-BREAK SPACE}", " ")


class Drawn:
    """A picture read back: texts, marks by name, and what a place in it means."""

    def __init__(self, svg: str) -> None:
        self.root = ET.fromstring(svg)
        self.texts = list(self.root.iter(f"{SVG}text"))
        self.words = [plain(text.text) for text in self.texts]
        self.paths = list(self.root.iter(f"{SVG}path"))
        self.box = [float(part) for part in self.root.get("viewBox", "").split()]

    def marks(self, name: str) -> list[ET.Element]:
        return [path for path in self.paths if path.get("data-mark") == name]

    def line(self, name: str) -> list[list[tuple[float, float]]]:
        """Pieces of a line, each a list of places in pixels."""
        (path,) = self.marks(name)
        return [
            [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", piece)]
            for piece in path.get("d", "").split("M")[1:]
        ]

    def ticks(self, anchor: str) -> dict[float, float]:
        """Pixels of the ticks of an axis by value: the y axis ends its words at the frame."""
        found = {}
        for text, word in zip(self.texts, self.words, strict=True):
            digits = word.replace(",", "").replace("−", "-").replace("+", "")
            number = re.fullmatch(r"(-?[\d.]+)( %|M|bn)?", digits)
            if number and text.get("text-anchor") == anchor:
                factor = {" %": 0.01, "M": 1e6, "bn": 1e9, None: 1.0}[number[2]]
                side = "x" if anchor == "middle" else "y"
                found[float(number[1]) * factor] = float(text.get(side, "nan"))
        return found

    def scale(self, anchor: str) -> Any:
        """From pixels to values, as the ticks say."""
        ticks = self.ticks(anchor)
        values, pixels = np.array(list(ticks)), np.array(list(ticks.values()))
        slope, offset = np.polyfit(pixels, values, 1)
        # the words of the y axis stand 4 pixels below their line
        shift = 4.0 if anchor == "end" else 0.0
        return lambda at: slope * (np.asarray(at) + shift) + offset


def curves(account: mw.Account) -> list[mw.account.Curve]:
    symbols = dict.fromkeys(row.symbol for row in account.positions)
    return [account.curve(shock=True), *(account.curve(symbol) for symbol in symbols)]


# ------------------------------------------------------------------ the marks


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_lines_lie_on_the_curve(preset) -> None:
    curve = preset().curve(shock=True)
    drawn = Drawn(curve.to_svg())
    across, up = drawn.scale("middle"), drawn.scale("end")
    height = up(0.0) - up(1.0)
    for mode in (curve.isolated, curve.cross):
        for piece in drawn.line(f"line-{mode.mode}"):
            for x, y in piece:
                at, held = across(x), up(y)
                near = np.abs(curve.x - at) < 3 * (across(1.0) - across(0.0))
                # some point of the curve within three pixels across is at this height
                low, high = mode.equity[near].min(), mode.equity[near].max()
                assert low - 1.5 * abs(height) <= held <= high + 1.5 * abs(height)


def test_ref2_says_what_is_known() -> None:
    drawn = Drawn(mw.presets.ref2().curve(shock=True, low=-0.2, high=0.1).to_svg())
    wanted = ("LIQ ETH −9.09 %", "LIQ BTC −9.55 %", "LIQ account −13.73 %", "isolated ahead")
    for words in (*wanted, "account equity (USDT)", "common move of all marks", "now"):
        assert words in drawn.words, words
    # flat at 3,000 beyond both isolated liquidations, at 0 beyond that of the account
    up = drawn.scale("end")
    first = {mode: drawn.line(f"line-{mode}")[0] for mode in ("isolated", "cross")}
    for mode, left in (("isolated", 3_000.0), ("cross", 0.0)):
        heights = {y for _, y in first[mode]}
        assert len(heights) == 1
        assert up(heights.pop()) == pytest.approx(left, abs=30)
    # every jump is a gap: two isolated liquidations, one of the account
    assert len(drawn.line("line-isolated")) == 3
    assert len(drawn.line("line-cross")) == 2
    assert len(drawn.marks("liq-isolated")) == 2
    assert len(drawn.marks("liq-cross")) == 1


def test_a_price_has_a_second_axis_and_its_condition() -> None:
    drawn = Drawn(mw.presets.ref2().curve("BTCUSDT", low=70_000, high=120_000).to_svg())
    assert {"100,000", "−10 %", "+20 %", "LIQ BTC 90,452.26", "LIQ account 80,804.02"} <= set(
        drawn.words
    )
    assert "mark price of BTCUSDT, other marks unchanged" in drawn.words
    assert "ETHUSDT stays at 4,000" in plain(drawn.root.find(f"{SVG}desc").text)


def test_modes_differ_in_dash_not_in_colour_alone() -> None:
    for picture in PICTURES:
        for theme in ("light", "dark", "auto"):
            drawn = Drawn(mw.presets.ref2().curve(shock=True).to_svg(picture, theme=theme))
            (cross,), (isolated,) = drawn.marks("line-cross"), drawn.marks("line-isolated")
            assert isolated.get("stroke-dasharray")
            assert not cross.get("stroke-dasharray")
            assert {"cross", "isolated"} <= set(drawn.words)  # the legend
            (style,) = drawn.root.findall(f"{SVG}style") or [None]
            assert (style is not None) == (theme == "auto")


@pytest.mark.parametrize("level", [1.0, 1.05, 1.5])
def test_margin_ratio_ends_where_it_liquidates(level: float) -> None:
    rules = mw.venues.generic(tiers={"BTCUSDT": 0.01}, trigger_level=level)
    account = mw.Account(rules, {"USDT": 10_000}, [mw.Position("BTCUSDT", 1, 100_000, 20)])
    curve = account.curve(shock=True)
    assert np.nanmax(curve.cross.margin_ratio) == pytest.approx(1 / level)
    drawn = Drawn(curve.to_svg("margin_ratio"))
    up = drawn.scale("end")
    highest = min(y for piece in drawn.line("line-cross") for _, y in piece)
    assert up(highest) == pytest.approx(1 / level, abs=0.01)
    said = "100 %" if level == 1 else f"{100 / level:.2f} %"
    assert f"liquidation at {said}" in drawn.words
    # beyond it there is no line
    (mark,) = drawn.marks("liq-cross")
    start = float(mark.get("d", "")[1:].split()[0]) + 4.5
    assert min(x for piece in drawn.line("line-cross") for x, _ in piece) >= start - 0.2


def test_ratio_beyond_the_picture_is_said() -> None:
    rules = mw.venues.generic(tiers={"BTCUSDT": 0.01}, trigger_level=0.5)
    account = mw.Account(rules, {"USDT": 10_000}, [mw.Position("BTCUSDT", 1, 100_000, 20)])
    words = Drawn(account.curve(shock=True).to_svg("margin_ratio")).words
    assert "≫ 150 %" in words


def test_negative_equity_is_hatched_and_says_who_pays() -> None:
    rules = mw.venues.generic(tiers={"BTCUSDT": 0.005}, residual="returned")
    account = mw.Account(
        rules,
        {"USDT": 1_000},
        [mw.Position("BTCUSDT", 1, 100_000, 50)],
        marks={"BTCUSDT": 98_000},
    )
    drawn = Drawn(account.curve(shock=True).to_svg())
    (hatch,) = drawn.marks("below-zero")
    assert hatch.get("d", "").count("M") > 5
    assert any(words.startswith("below zero") for words in drawn.words)
    # hatching stays in the frame
    x = [float(one) for one in re.findall(r"[ML](-?[\d.]+) ", hatch.get("d", ""))]
    assert min(x) > 0 and max(x) <= drawn.box[2]


def test_lead_regions_of_ref2() -> None:
    curve = mw.presets.ref2().curve(shock=True, low=-0.2, high=0.1)
    regions = lead_regions(curve)
    assert [one.lead for one in regions] == [-1, 1, 0]
    assert [one.high for one in regions] == pytest.approx([-0.1, -1 / 11, 0.1])
    assert [one.low for one in regions[1:]] == [one.high for one in regions[:-1]]


# ------------------------------------------------------------------ the words


@pytest.mark.parametrize("size", [(280, 260), (340, 320), (720, 440), (1_200, 600)], ids=str)
@pytest.mark.parametrize("picture", PICTURES)
def test_words_are_inside_and_do_not_cover_each_other(picture: str, size) -> None:
    for preset in PRESETS.values():
        for curve in curves(preset()):
            drawn = Drawn(curve.to_svg(picture, width=size[0], height=size[1]))
            boxes = []
            for text, words in zip(drawn.texts, drawn.words, strict=True):
                pixels = float(text.get("font-size", 11))
                wide = text_width(words, pixels) * 0.93  # what a font takes at most
                x, y = float(text.get("x")), float(text.get("y"))
                left = {"start": x, "middle": x - wide / 2, "end": x - wide}[
                    text.get("text-anchor", "start")
                ]
                assert left >= -0.5, (curve, words)
                assert left + wide <= size[0] + 0.5, (curve, words)
                assert 8 <= y <= size[1], (curve, words)
                boxes.append((left, left + wide, y - 8, y + 1, words))
            for one, two in combinations(boxes, 2):
                apart = one[0] >= two[1] or two[0] >= one[1] or one[2] >= two[3] or two[2] >= one[3]
                named = "LIQ" in one[4] and "LIQ" in two[4]
                # Liquidations next to each other in a small frame may be crowded; all else not.
                assert apart or named, (curve, size, one, two)


def test_thinning_keeps_the_line() -> None:
    x = np.linspace(0, 600, 400)
    for y in (3 * x, 40_000 / (x + 100), np.sin(x / 30) * 100, np.where(x < 300, x, 300)):
        kept = _thinned(x, y)
        assert kept[0] == (0.0, y[0]) and kept[-1] == (600.0, y[-1])
        again = np.interp(x, *zip(*kept, strict=True))
        assert np.abs(again - y).max() <= 0.02
    assert len(_thinned(x, 3 * x)) == 2
    assert _thinned(x[:0], x[:0]) == []


def test_labels_keep_off_each_other() -> None:
    placer = Placer(0, 400, 0, 200, 11)
    for number in range(6):
        assert placer.place(200, 100, f"label {number}", "ink")
    rows = [(one.x, one.y) for one in placer.placed]
    assert len(set(rows)) == 6
    assert not placer.place(200, 100, "x" * 400, "ink", at_most=100)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_words_are_those_of_the_plot(preset) -> None:
    plot = pytest.importorskip("margin_widgets.widgets.equity_plot").EquityPlot(preset())
    assert plot.caption == plot.curve.describe() == describe(plot.curve)
    plot.close()


def test_hypothetical_accounts_are_thin_lines_of_their_own() -> None:
    account = mw.presets.ref2()
    other = account.copy()
    other.collateral["USDT"] = 12_000
    curve = account.curve(shock=True, low=-0.2, high=0.1)
    beside = ghost(account, other, "pinned", curve)
    picture = EquityPicture(curve, (beside,))
    drawn = Drawn(picture.to_svg())
    up = drawn.scale("end")
    first = drawn.line("ghost-pinned-isolated")[0]
    # 3,000 and the 2,000 more
    assert up(first[0][1]) == pytest.approx(5_000, abs=30)
    assert len(drawn.line("ghost-pinned-cross")) == 2
    assert len(drawn.marks("ghost-pinned-isolated-liq")) == 2
    dashes = {m: drawn.marks(f"ghost-pinned-{m}")[0].get("stroke-dasharray") for m in MODES}
    assert dashes == {"cross": None, "isolated": "7 4"}
    assert "pinned LIQ account −16.61 %" in drawn.words
    assert "thin: pinned" in drawn.words
    said = plain(drawn.root.find(f"{SVG}desc").text)
    assert "Pinned (thin grey): isolated LIQ ETH −9.09 %, BTC −9.55 %; cross LIQ" in said


def test_event_names() -> None:
    account = mw.presets.ref2()
    curve = account.curve(shock=True)
    assert [event_name(curve, one) for one in curve.cross.events] == ["account"]
    assert [event_name(curve, one) for one in curve.isolated.events] == ["ETH", "BTC"]


def test_symbols_stay_text() -> None:
    evil = '"><script>alert(1)</script>&USDT'
    account = mw.Account(
        mw.venues.generic(name=evil, tiers={evil: 0.01}),
        {"USDT": 1_000},
        [mw.Position(evil, 10, 100)],
        name=evil,
    )
    for curve in curves(account):
        for picture in PICTURES:
            drawn = Drawn(curve.to_svg(picture, title=evil))
            assert not list(drawn.root.iter(f"{SVG}script"))
            assert evil in drawn.root.find(f"{SVG}title").text


# ------------------------------------------------------------------ files


def test_files_need_nothing_and_are_the_same_each_time() -> None:
    account = mw.presets.multi_asset()
    for picture in PICTURES:
        first, second = (account.copy().curve(shock=True).to_svg(picture) for _ in range(2))
        assert first == second
        assert "url(" not in first and "href" not in first and "<script" not in first
        assert first.count("http") == 1  # the name space
        assert len(first) < 30_000


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"picture": "equty"}, "did you mean 'equity'"),
        ({"theme": "drak"}, "did you mean 'dark'"),
        ({"width": SMALLEST[0] - 1}, "width: 279 must be from 280"),
        ({"height": 1e9}, "height: 1000000000.0 must be"),
    ],
)
def test_what_cannot_be_drawn_is_said(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        mw.presets.ref2().curve(shock=True).to_svg(**given)


def contrast(one: str, two: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    low, high = sorted([luminance(one), luminance(two)])
    return (high + 0.05) / (low + 0.05)


def test_contrast() -> None:
    for palette in (LIGHT, DARK):
        surface = palette["surface"][0]
        for role in ("ink", "muted", "cross", "isolated", "configured", "liq"):
            assert contrast(palette[role][0], surface) >= 4.4, role  # they colour words as well
        assert contrast(palette["stem"][0], surface) >= 3
    for role in ("cross", "isolated", "configured", "liq"):
        assert min(contrast(INLINE[role][0], page) for page in ("#FFFFFF", "#000000")) >= 3


def test_inline_pictures_have_no_ground_of_their_own() -> None:
    svg = equity_svg(mw.presets.ref2().curve(shock=True, points=81))
    assert LIGHT["surface"][0] not in svg and "<style" not in svg
    assert Drawn(svg).root.find(f"{SVG}desc").text  # the sentence is there unasked


def test_png() -> None:
    pytest.importorskip("resvg_py")
    curve = mw.presets.ref2().curve(shock=True)
    for picture in PICTURES:
        image = curve.to_png(picture, theme="dark", width=400, height=300, scale=1.5)
        assert image.startswith(b"\x89PNG\r\n\x1a\n")
        assert [int.from_bytes(image[at : at + 4]) for at in (16, 20)] == [600, 450]
    light, dark = (len(curve.to_png(theme=theme)) for theme in ("light", "dark"))
    assert light > 5_000 and dark > 5_000


def test_png_without_its_library_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(ImportError, match=r"margin-widgets\[png\]"):
        png(curve_svg(mw.presets.ref2().curve(shock=True)))


def test_png_scale() -> None:
    with pytest.raises(ValueError, match=r"scale: 0 must be from 0\.1 to 10"):
        png("", scale=0)
