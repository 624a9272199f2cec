"""The packages that are published: built, installed where no Node is, and looked into."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import margin_widgets

ROOT = Path(__file__).resolve().parent.parent
STATIC = [
    f"margin_widgets/widgets/static/{name}"
    for name in ("html.js", "marks.js", "table.js", "table.css", "theme.css", "THIRD-PARTY.txt")
]
DATA = [
    path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "margin_widgets").rglob("*.json"))
    if "labextension" not in path.parts  # goes to where JupyterLab looks for it
]
CARRIED = [
    "margin_widgets/py.typed",
    "margin_widgets/account/page.css",
    *STATIC,
    *DATA,
]

EXTENSION = "share/jupyter/labextensions/margin-widgets"

pytestmark = pytest.mark.slow


def run(*command: str | Path, **environment: str) -> str:
    """Run a program from a folder outside the repository and return what it printed."""
    done = subprocess.run(
        command,
        cwd=Path(command[0]).parent,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an sdist, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    # `build` makes the wheel from the unpacked sdist, where the front end has no node_modules:
    # it succeeds without a Node, as the search path has none.
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, PATH=no_node_path())
    return folder


def no_node_path() -> str:
    """Return the search path without any folder that has a node."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(f for f in folders if not any(Path(f).glob("node*")))


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """Return the wheel."""
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def bare_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a bare environment in which only the wheel was installed."""
    folder = tmp_path_factory.mktemp("bare") / "env"
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel, PATH=no_node_path())
    return python


def test_wheel_carries_the_front_end_the_rules_and_the_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert set(CARRIED) <= names
    assert all(name.startswith(("margin_widgets/", "margin_widgets-")) for name in names)
    assert not [name for name in names if "node_modules" in name or "/." in name]


def test_wheel_puts_the_extension_where_jupyterlab_looks(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    place = f"margin_widgets-{margin_widgets.__version__}.data/data/{EXTENSION}/"
    found = {name.removeprefix(place) for name in names if name.startswith(place)}
    assert {"package.json", "install.json", "schemas/margin-widgets/plugin.json"} <= found
    assert [name for name in found if name.startswith("static/remoteEntry.")]
    size = sum(one.file_size for one in zipfile.ZipFile(wheel).infolist() if place in one.filename)
    assert size < 300_000
    assert not [name for name in names if name.startswith("margin_widgets/labextension")]


def test_jupyterlab_lists_the_extension_of_the_wheel(bare_python: Path) -> None:
    # JupyterLab itself is read from here: what counts is the prefix that the wheel was put into.
    code = """
import json, shutil, sys
assert shutil.which("node") is None
sys.path += json.loads(input())
from jupyterlab.labextensions import main
sys.argv = ["jupyter labextension", "list"]
main()
"""
    done = subprocess.run(
        [bare_python, "-c", code],
        cwd=bare_python.parent,
        env={"PATH": no_node_path(), "HOME": str(bare_python.parent)},
        input=json.dumps([path for path in sys.path if path.endswith("site-packages")]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    plain = re.sub(r"\x1b\[\d*m", "", done.stdout + done.stderr)
    listed = rf"margin-widgets v{margin_widgets.__version__} enabled OK \(python, margin-widgets\)"
    assert re.search(listed, plain), plain


def test_wheel_states_licence_and_version(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = archive.read(path).decode()
    assert f"Version: {margin_widgets.__version__}\n" in metadata
    assert "License-Expression: BSD-3-Clause\n" in metadata


def test_front_end_states_the_same_version() -> None:
    for folder in (ROOT / "frontend", ROOT / "frontend" / "lab"):
        package = json.loads((folder / "package.json").read_text())
        assert package["version"] == margin_widgets.__version__


def test_sdist_carries_the_built_front_end_and_its_sources(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {*CARRIED, "frontend/package.json", "scripts/frontend.py", "LICENSE"} <= names
    assert {"frontend/lab/package.json", "margin_widgets/labextension/package.json"} <= names
    assert not [name for name in names if "node_modules" in name]


def test_installed_wheel_works_where_no_node_is(bare_python: Path) -> None:
    code = """
import importlib.resources, json, shutil
import margin_widgets as mw
assert shutil.which("node") is None
dashboard = mw.Dashboard(mw.presets.ref2())
files = importlib.resources.files("margin_widgets")
names = json.loads(input())
print(json.dumps({
    "place": mw.__file__,
    "version": mw.__version__,
    "missing": [name for name in names if not files.joinpath(*name.split("/")[1:]).is_file()],
    "venues": mw.venues.names(),
    "price": dashboard.account.cross.positions["BTCUSDT"].liquidation_price,
}))
"""
    done = subprocess.run(
        [bare_python, "-c", code],
        cwd=bare_python.parent,
        env={"PATH": no_node_path()},
        input=json.dumps(CARRIED),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["place"].startswith(str(bare_python.parent.parent))
    assert found["version"] == margin_widgets.__version__
    assert found["missing"] == []
    assert {"binance-usdm", "binance-coinm"} <= set(found["venues"])
    assert found["price"] == pytest.approx(80_804.02, abs=0.005)
