"""The environment itself: JupyterLab, ipywidgets and bqplot work in the browser at hand."""

from __future__ import annotations

import re

import pytest

from tests.browser.harness import KernelError, Lab

BARE = """
import bqplot, ipywidgets, numpy as np
from IPython.display import display

slider = ipywidgets.IntSlider(value=10)
x = np.linspace(0, 1, 50)
scales = {"x": bqplot.LinearScale(), "y": bqplot.LinearScale(min=-1, max=101)}
line = bqplot.Lines(x=x, y=x * slider.value, scales=scales)
figure = bqplot.Figure(marks=[line], animation_duration=0)

def redraw(change):
    line.y = x * change.new

slider.observe(redraw, "value")
display(slider, figure)
"""


def test_key_press_on_a_slider_reaches_python_and_redraws_a_line(lab: Lab, theme: str) -> None:
    nb = lab.open_notebook([BARE], theme=theme)
    nb.run_all()
    path = nb.page.locator("path.line").first
    path.wait_for(state="attached")
    before = path.get_attribute("d")
    nb.ws_frames.reset()

    nb.page.locator(".noUi-handle").first.focus()
    nb.page.keyboard.press("ArrowRight")

    nb.wait_until(lambda: path.get_attribute("d") != before, message="a redrawn line")
    assert nb.run("slider.value, float(line.y[-1])") == "(11, 11.0)"
    assert nb.ws_frames.sent >= 1
    assert nb.ws_frames.received >= 1
    assert nb.ws_frames.received_bytes > 0
    nb.screenshot(f"harness-{theme}")
    nb.assert_clean_console()


def test_theme_is_as_asked(lab: Lab, theme: str) -> None:
    nb = lab.open_notebook(theme=theme)
    background = nb.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    level = sum(map(int, re.findall(r"\d+", background)[:3]))
    assert (level > 384) == (theme == "light")


def test_python_state_outputs_and_errors_are_readable(lab: Lab) -> None:
    nb = lab.open_notebook(["a = 6", "print('six', a)"])
    nb.run_all()
    assert nb.outputs()[1][0]["text"].strip() == "six 6"
    assert nb.run("a * 7") == "42"
    nb.add_cell("a = 8")
    nb.wait_until(lambda: nb.run("a") == "8")
    with pytest.raises(KernelError, match="ZeroDivisionError"):
        nb.run("1 / 0")
    nb.add_cell("1 / 0")
    with pytest.raises(KernelError, match="ZeroDivisionError"):
        nb.run_all()


def test_console_errors_are_counted(lab: Lab) -> None:
    nb = lab.open_notebook()
    nb.assert_clean_console()
    nb.page.evaluate("() => console.error('of ours')")
    with pytest.raises(AssertionError, match="of ours"):
        nb.assert_clean_console()


def test_kernel_uses_this_environment(lab: Lab) -> None:
    import sys

    nb = lab.open_notebook()
    assert nb.run("import sys; print(sys.prefix)") == sys.prefix
