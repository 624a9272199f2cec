"""The style sheet: readable in both themes, whoever announces the theme, and scoped."""

from __future__ import annotations

import re
from typing import Any

import pytest
from frontend_support import STATIC, Table, ref2

PARTS = """
<div class="margin-widgets mw-dashboard"><div class="mw-bar"><h2 class="mw-name">REF-2</h2>
<span class="mw-chip">generic</span><button class="mw-button">Undo</button></div>
<div class="mw-card mw-isolated"><dl class="mw-kv"><dt>Equity</dt><dd>1</dd></dl>
<p class="mw-caption">idle</p></div><p class="mw-verdict">verdict</p>
<div class="mw-seg"><button aria-checked="true">All</button><button>BTC</button></div>
<div class="mw-tabs"><button>Ratio</button></div>
<div class="mw-explain"><section><pre><code>P = 1</code></pre><p>assumes</p></section></div>
<p class="mw-error">bad</p><p class="mw-empty">none</p><p class="mw-note-line">remark</p>
<span class="mw-chip mw-note">note</span><section class="mw-card mw-cross">
<p class="mw-error">bad in a card</p><p class="mw-note-line">remark in a card</p></section></div>
"""
# Contrast of each text with the nearest painted background, colours resolved by a canvas.
CONTRAST = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, base) => top.slice(0, 3).map((v, i) => (v * top[3] + base[i] * (255 - top[3])) / 255);
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = {};
  for (const e of document.querySelectorAll(".margin-widgets *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !e.offsetWidth || e.ariaDisabled === "true") continue;
    const layers = [];
    for (let p = e; p; p = p.parentElement) layers.unshift(rgba(getComputedStyle(p).backgroundColor));
    const back = layers.reduce((base, top) => over(top, base), [255, 255, 255]);
    const [a, b] = [light(back), light(over(rgba(getComputedStyle(e).color), back))];
    found[`${e.tagName} ${e.className} ${e.textContent.slice(0, 20)}`] =
      (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }
  return found;
}
"""  # noqa: E501
THEMES = {
    "lab light": "document.body.dataset.jpThemeLight = 'true';"
    "document.documentElement.style.cssText = '--jp-layout-color0: white;"
    "--jp-content-font-color1: rgba(0,0,0,.87); --jp-brand-color1: #1976d2'",
    "lab dark": "document.body.dataset.jpThemeLight = 'false';"
    "document.documentElement.style.cssText = '--jp-layout-color0: #111;"
    "--jp-content-font-color1: white; --jp-brand-color1: #42a5f5'",
    "plain page": "",
    "colab dark": "document.documentElement.setAttribute('theme', 'dark')",
    "vs code dark": "document.body.className = 'vscode-dark';"
    "document.documentElement.style.cssText = '--vscode-editor-background: #1e1e1e;"
    "--vscode-editor-foreground: #d4d4d4'",
}


@pytest.mark.parametrize("theme", THEMES)
def test_contrast(page: Any, theme: str) -> None:
    page.evaluate(f"() => {{ {THEMES[theme]} }}")
    page.evaluate("h => document.querySelector('#host').insertAdjacentHTML('beforeend', h)", PARTS)
    table = Table(page, ref2(), selected="p1")
    table.set(errors=[{"row": "p2", "field": "entry", "text": "x", "message": "not a number"}])
    found = page.evaluate(CONTRAST)
    assert len(found) > 30
    assert {k: round(v, 2) for k, v in found.items() if v < 4.5} == {}
    dark = "dark" in theme
    colours = page.evaluate(
        """() => {
          const box = document.querySelector(".mw-dashboard");
          const style = (v) => { box.style.borderColor = v; return getComputedStyle(box).borderColor; };
          return ["--mw-cross", "--mw-isolated"].map((n) => style(`var(${n})`));
        }"""  # noqa: E501
    )
    assert colours == (
        ["rgb(86, 180, 233)", "rgb(230, 159, 0)"]
        if dark
        else ["rgb(0, 114, 178)", "rgb(192, 78, 0)"]
    )


# What is drawn rather than written, on page and panel; lines that only divide are left out.
MARKS = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const root = document.querySelector(".mw-dashboard");
  const probe = root.appendChild(document.createElement("i"));
  const paint = (...layers) => {
    for (const one of layers) {
      probe.style.color = one;
      canvas.fillStyle = getComputedStyle(probe).color;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = {};
  for (const ground of ["--mw-bg", "--mw-panel"]) {
    for (const mark of ["cross", "isolated", "configured", "liq", "trigger", "ghost", "focus", "bad", "edge"]) {
      const back = paint("white", `var(${ground})`);
      const [a, b] = [light(back), light(paint("white", `var(${ground})`, `var(--mw-${mark})`))];
      found[`${mark} on ${ground}`] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }
  }
  probe.remove();
  return found;
}
"""  # noqa: E501


@pytest.mark.parametrize("theme", THEMES)
def test_contrast_of_marks(page: Any, theme: str) -> None:
    page.evaluate(f"() => {{ {THEMES[theme]} }}")
    page.evaluate("h => document.querySelector('#host').insertAdjacentHTML('beforeend', h)", PARTS)
    found = page.evaluate(MARKS)
    assert len(found) == 18
    assert {k: round(v, 2) for k, v in found.items() if v < 3.0} == {}
    for mode in ("cross", "isolated", "configured"):  # these colour labels of plots as well
        assert found[f"{mode} on --mw-bg"] >= 4.5, mode


def test_system_theme_decides_on_a_plain_page(page: Any) -> None:
    table = Table(page, ref2())
    colour = "() => getComputedStyle(document.querySelector('.mw-table')).backgroundColor"
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(colour) == "rgb(17, 20, 24)"
    page.emulate_media(color_scheme="light")
    assert table.sent() == []


LONG_WORDS = """
<div class="margin-widgets mw-dashboard"><div class="mw-bar"><h2 class="mw-name">NAME</h2>
<span class="mw-chip">WORD</span><span class="mw-chip mw-note">a note, WORD</span></div>
<div class="mw-cards"><section class="mw-card mw-cross"><h3>Cross</h3><dl class="mw-kv">
<div><dt>Equity</dt><dd><button class="mw-num">1,000,000,000.00</button></dd></div>
<div><dt>Available</dt><dd><button class="mw-num">1,000,000,000.00</button></dd></div></dl>
<p class="mw-caption">WORD</p><p class="mw-error">WORD</p><p class="mw-note-line">WORD</p>
</section></div><p class="mw-verdict">WORD at <button class="mw-num">-9.09 %</button>, WORD</p>
<div class="mw-seg"><button>All</button><button>WORD</button><button>WORD</button></div>
<div class="mw-segmented"><button class="widget-toggle-button">WORD</button></div>
<div class="mw-explain"><section><h3>WORD</h3><pre><code>WORD</code></pre>
<table class="mw-data"><tr><td>WORD</td><td class="mw-right">1,000,000.00</td></tr></table>
</section><section><p>WORD</p></section></div><p class="mw-empty">WORD</p></div>
""".replace("WORD", "1000000MOGCOINLONGNAME_USDT-261225" * 3).replace("NAME", "N" * 80)


@pytest.mark.parametrize("width", [256, 300, 360])
def test_long_words_stay_inside(page: Any, width: int) -> None:
    page.evaluate(f"document.querySelector('#host').style.width = '{width}px'")
    page.evaluate("h => { document.querySelector('#host').innerHTML = h; }", LONG_WORDS)
    wide = page.evaluate(
        """() => [...document.querySelectorAll("#host, #host *")].filter(e => {
             const style = getComputedStyle(e);
             return e.clientWidth && e.scrollWidth > e.clientWidth && style.display !== "inline"
               && style.overflowX === "visible";
           }).map(e => `${e.tagName} ${e.className} ${e.scrollWidth} > ${e.clientWidth}`)"""
    )
    assert wide == []
    lines = page.evaluate(
        "() => [...document.querySelectorAll('.mw-num')].map(e => e.getClientRects().length)"
    )
    assert lines == [1, 1, 1]


@pytest.mark.parametrize("width", [360, 820, 1240])
def test_nothing_is_wider_than_its_place(page: Any, width: int) -> None:
    page.evaluate(f"document.querySelector('#host').style.width = '{width}px'")
    page.evaluate("h => document.querySelector('#host').insertAdjacentHTML('beforeend', h)", PARTS)
    Table(page, ref2())
    wide = page.evaluate(
        """w => [...document.querySelectorAll("#host > *, #host > .mw-dashboard > *")]
             .filter(e => e.getBoundingClientRect().width > w + 0.5).map(e => e.className)""",
        width,
    )
    assert wide == []


def test_bqplot_labels_follow_the_theme(page: Any) -> None:
    """bqplot's own dark sheet paints axis labels orange."""
    page.evaluate(f"() => {{ {THEMES['lab dark']} }}")
    page.add_style_tag(
        content="[data-jp-theme-light='false']{--bq-content-font-color:orange;"
        "--bq-axislabel-fill:var(--bq-content-font-color)}"
        ".bqplot > svg .axis text.axislabel{fill:var(--bq-axislabel-fill)}"
    )
    page.evaluate(
        """() => { document.querySelector("#host").innerHTML =
             '<div class="margin-widgets"><div class="bqplot classic"><svg><g class="axis">' +
             '<text class="axislabel">x</text></g></svg></div></div>'; }"""
    )
    fill = page.evaluate("getComputedStyle(document.querySelector('.axislabel')).fill")
    assert "165" not in fill and "orange" not in fill


@pytest.mark.parametrize("name", ["theme", "table", "marks", "html"])
def test_every_rule_is_scoped(name: str) -> None:
    text = re.sub(r"/\*.*?\*/", "", (STATIC / f"{name}.css").read_text(), flags=re.DOTALL)
    rules = [r.strip() for r in re.findall(r"([^{}]+)\{", text)]
    assert rules
    assert [r for r in rules if not r.startswith("@") and ".margin-widgets" not in r] == []
    assert "http" not in text and "@import" not in text and "url(" not in text


@pytest.mark.parametrize("name", ["table", "marks", "html"])
def test_modules_are_small_and_stay_offline(name: str) -> None:
    text = (STATIC / f"{name}.js").read_text()
    assert len(text) < (300_000 if name == "table" else 15_000)
    addresses = set(re.findall(r"https?://[^\s\"'`]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"import\s*\(", text)
