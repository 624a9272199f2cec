"""Every Python block of the documentation runs, and every link leads somewhere."""

from __future__ import annotations

import doctest
import io
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from margin_widgets.io import ImportNotice

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
BLOCK = re.compile(r"^```python(?P<options>[^\n]*)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)(?P<target>[^)#]+)")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run(code: str, where: str, line: int, variables: dict[str, Any]) -> None:
    """Execute a block; with prompts in it, what it prints is compared as well."""
    if ">>>" not in code:
        exec(compile("\n" * line + code, where, "exec"), variables)
        return
    test = doctest.DocTestParser().get_doctest(code, variables, where, where, line)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=report.write, clear_globs=False)
    variables.update(test.globs)
    assert not runner.failures, report.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_code_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    variables: dict[str, Any] = {"__name__": "__docs__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportNotice)
        # bqscales, at import, on newer traitlets.
        warnings.filterwarnings("ignore", "metadata .* was set from the constructor")
        for block in BLOCK.finditer(text):
            if "no-run" not in block["options"]:
                line = text.count("\n", 0, block.start("code"))
                run(block["code"], str(page), line, variables)
    for made in variables.values():
        if hasattr(made, "close") and hasattr(made, "account"):
            made.close()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    # Pictures are made from the running dashboard and may not be there in a fresh clone.
    targets = [one["target"] for one in LINK.finditer(page.read_text(encoding="utf-8"))]
    missing = [one for one in targets if "images/" not in one and not (page.parent / one).exists()]
    assert not missing


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [one for one in (ROOT / "docs").rglob("*.md") if one.name != "index.md"]
    assert [
        name(one) for one in pages if one.relative_to(ROOT / "docs").as_posix() not in index
    ] == []
