"""Make the pictures of README and docs: the dashboard in a real JupyterLab, light and dark."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.harness import Lab, launched_chromium  # noqa: E402

FOLDER = ROOT / "docs" / "images"
CELL = "import margin_widgets as mw\ndashboard = mw.Dashboard(mw.presets.{preset}())\ndashboard"
PICTURES = (
    ("dashboard-light", "ref2", "light", 1330),
    ("dashboard-dark", "ref2", "dark", 1330),
    ("dashboard-narrow", "ref2", "light", 520),
    ("book-light", "multi_asset", "light", 1330),
)


def main() -> None:
    """Write one PNG for each picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with launched_chromium() as chromium, Lab(chromium) as lab:
        for name, preset, theme, width in PICTURES:
            notebook = lab.open_notebook(
                [CELL.format(preset=preset)], theme=theme, width=width, height=2600
            )
            notebook.run_all()
            root = notebook.page.locator(".mw-dashboard").first
            root.locator(".mw-equity-plot path.line").first.wait_for(state="attached")
            notebook.page.wait_for_timeout(800)
            root.screenshot(path=FOLDER / f"{name}.png", animations="disabled")
            notebook.assert_clean_console()
            print(FOLDER.name, f"{name}.png")
            lab.close_notebooks()


if __name__ == "__main__":
    main()
