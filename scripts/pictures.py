"""Make the pictures of README and docs: dashboard and widgets in a real JupyterLab."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.harness import Lab, launched_chromium  # noqa: E402

FOLDER = ROOT / "docs" / "images"
HEAD = "import margin_widgets as mw\n"
WIDTH = 1330
DASHBOARDS = (
    ("dashboard-light", "ref2", "light", WIDTH),
    ("dashboard-dark", "ref2", "dark", WIDTH),
    ("dashboard-narrow", "ref2", "light", 520),
    ("book-light", "multi_asset", "light", WIDTH),
)
DEPEG = """
import pandas as pd

account = mw.Account(
    venue=mw.venues.generic(tiers={"BTCUSDT": 0.005}),
    collateral={"USDT": 2_500, "USDC": 7_200},
    positions=[mw.Position("BTCUSDT", 0.5, 100_000, leverage=20)],
    marks={"BTCUSDT": 82_000},
)
hours = pd.date_range("2023-03-10T20:00Z", periods=9, freq="6h")
prices = [1.0, 0.995, 0.97, 0.88, 0.9, 0.93, 0.96, 0.99, 1.0]
mw.DepegPlot(account, prices=pd.Series(prices, index=hours, name="USDC"))
"""
# Those of the widgets' page: what each shows of the reference account, or of one that suits it.
WIDGETS = (
    ("equity", "mw.EquityPlot(mw.presets.ref2())"),
    ("leverage", "mw.LeveragePlot(mw.presets.ref2())"),
    ("tiers", "mw.TierPlot(mw.presets.hedged_pair())"),
    ("frontier", "mw.FrontierPlot(mw.presets.ref2())"),
    ("shocks", "mw.ShockMap(mw.presets.ref2())"),
    ("loss", "mw.LossWaterfall(mw.presets.ref2(), shock=-0.12)"),
    ("contagion", "mw.ContagionGraph(mw.presets.ref2(), shock=-0.15)"),
    ("stress", "mw.CollateralStressPlot(mw.presets.bitcoin_on_bitcoin())"),
    ("lp", 'mw.CollateralStressPlot(mw.presets.hedged_lp_token(), lp_of="BTCUSDT")'),
    ("depeg", DEPEG),
    ("funding", "mw.FundingDriftPlot(mw.presets.ref2(), rate=0.0001)"),
)
SETTLED = 800  # ms that fonts and axes need after the last mark is there


def take(lab: Lab, name: str, code: str, theme: str, width: int) -> None:
    """Run a cell that ends in a widget, and write its picture."""
    notebook = lab.open_notebook([HEAD + code], theme=theme, width=width, height=2600)
    notebook.run_all()
    root = notebook.page.locator(".jp-OutputArea-output .margin-widgets").first
    root.locator(".mw-caption").first.wait_for(state="attached")
    notebook.page.wait_for_timeout(SETTLED)
    root.screenshot(path=FOLDER / f"{name}.png", animations="disabled")
    notebook.assert_clean_console()
    print(FOLDER.name, f"{name}.png")
    lab.close_notebooks()


def main() -> None:
    """Write one PNG for each picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with launched_chromium() as chromium, Lab(chromium) as lab:
        for name, preset, theme, width in DASHBOARDS:
            take(lab, name, f"mw.Dashboard(mw.presets.{preset}())", theme, width)
        for name, code in WIDGETS:
            take(lab, f"widget-{name}", code, "light", 900)


if __name__ == "__main__":
    main()
