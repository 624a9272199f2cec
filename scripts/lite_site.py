"""Build a JupyterLite site: margin_widgets in the browser, without any server behind it.

``python scripts/lite_site.py OUT [--pyodide URL|FOLDER] [--wheel FILE] [--notebooks FOLDER]``

The site is a folder of static files. It carries wheels of this package and of what it needs that
is pure Python, and the notebooks; NumPy and pandas come with Pyodide, from its CDN unless
``--pyodide`` says otherwise. A Pyodide folder is copied into the site, which then needs no network.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "lite"
REQUIREMENTS = ROOT / "scripts" / "lite_wheels.txt"
# In a folder of their own: installed beside JupyterLab, the kernel's extension would be loaded
# there, too, and fail.
TOOLS = ("jupyterlite-core==0.6.4", "jupyterlite-pyodide-kernel==0.6.1", "jupyter-server>=2,<3")
KERNEL = "@jupyterlite/pyodide-kernel-extension"
APPS = ["lab", "notebooks", "tree"]
INSTALL = "%pip install -q margin-widgets"


def pip(*arguments: str | Path) -> None:
    """Run pip; its warnings are shown, its progress is not."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*command, *arguments], check=True, stdin=subprocess.DEVNULL)


def tools(folder: Path) -> Path:
    """Return a folder that holds `TOOLS`, installed there unless they are."""
    stamp = folder / "installed.txt"
    wanted = "\n".join(TOOLS)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        pip("install", "--target", folder, *TOOLS)
        stamp.write_text(wanted)
    return folder


def own_wheel(folder: Path) -> Path:
    """Build the wheel of this package as it is now."""
    shutil.rmtree(folder, ignore_errors=True)
    pip("wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("margin_widgets-*.whl")
    return wheel


def needed_wheels(folder: Path) -> list[Path]:
    """Return the wheels of `REQUIREMENTS`, fetched unless they are in the folder already."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    names = [line.replace("==", "-") for line in wanted]

    def found() -> list[Path]:
        return [path for name in names for path in folder.glob(f"{name}-*.whl")]

    if len(found()) < len(wanted):
        # Only wheels that run anywhere: those are the ones that run in a browser, too.
        anywhere = ["--platform=any", "--implementation=py", "--abi=none", "--python-version=3.12"]
        options = ["--no-deps", "--only-binary=:all:", *anywhere]
        pip("download", *options, "--dest", folder, "--requirement", REQUIREMENTS)
    wheels = found()
    if len(wheels) != len(wanted):
        raise FileNotFoundError(f"{folder} has {len(wheels)} of the {len(wanted)} wheels needed")
    return wheels


def copy_notebooks(paths: Iterable[Path], folder: Path) -> None:
    """Copy notebooks, each with a first cell that installs this package from the site."""
    folder.mkdir(parents=True)
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "install",
        "metadata": {},
        "outputs": [],
        "source": [INSTALL],
    }
    for path in paths:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"].insert(0, cell)
        notebook["metadata"]["kernelspec"] = {
            "display_name": "Python (Pyodide)",
            "language": "python",
            "name": "python",
        }
        text = json.dumps(notebook, ensure_ascii=False, indent=1)
        (folder / path.name).write_text(text + "\n", encoding="utf-8")


def link(source: str, target: str) -> str:
    """Link a file, or copy it where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def build(
    out: Path,
    notebooks: Sequence[Path],
    pyodide: str = "",
    wheel: Path | None = None,
    settings: dict[str, Any] | None = None,
) -> None:
    """Write the site.

    Parameters
    ----------
    out : Path
        Folder of the site; replaced if it exists.
    notebooks : sequence of Path
        Notebooks to be in it.
    pyodide : str
        A Pyodide distribution: address of its ``pyodide.js``, or its folder, which is copied into
        the site. Empty: the kernel's own choice, at its CDN.
    wheel : Path, optional
        Wheel of this package; built if not given.
    settings : dict, optional
        More of the site's ``jupyter-config-data``.
    """
    work = CACHE / "work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)
    copy_notebooks(notebooks, work / "contents")
    wheels = [wheel or own_wheel(CACHE / "own"), *needed_wheels(CACHE / "wheels")]
    kernel: dict[str, Any] = {}
    if Path(pyodide).is_dir() and pyodide:
        shutil.copytree(pyodide, work / "static" / "pyodide", copy_function=link)
        kernel["disablePyPIFallback"] = True  # all there is, is in the site
    elif pyodide:
        kernel["pyodideUrl"] = pyodide
    data = {**(settings or {}), "litePluginSettings": {f"{KERNEL}:kernel": kernel}}
    lite = {"jupyter-lite-schema-version": 0, "jupyter-config-data": data}
    (work / "jupyter-lite.json").write_text(json.dumps(lite, indent=1))
    # Browser modules are taken from the wheels, so that both sides are of one version.
    home = tools(CACHE / "tools")
    extensions = [home / "share" / "jupyter" / "labextensions" / KERNEL, *wheels]
    config = {
        "LiteBuildConfig": {
            "apps": APPS,
            "contents": ["contents"],
            "federated_extensions": [str(path) for path in extensions],
            "ignore_sys_prefix": ["federated_extensions"],
            "no_sourcemaps": True,
            "no_unused_shared_packages": True,
            "output_dir": str(out.resolve()),
        },
        "PipliteAddon": {"piplite_urls": [str(path) for path in wheels]},
    }
    (work / "jupyter_lite_config.json").write_text(json.dumps(config, indent=1))
    subprocess.run(
        [sys.executable, "-m", "jupyterlite_core", "build"],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(home)},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a line for each file
    )


def main() -> None:
    """Build the site that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder of the site; replaced if it exists")
    parser.add_argument("--pyodide", default="", help="address of a pyodide.js, or a folder")
    parser.add_argument("--wheel", type=Path, help="wheel of this package; built if not given")
    parser.add_argument("--notebooks", type=Path, default=ROOT / "notebooks")
    chosen = parser.parse_args()
    build(chosen.out, sorted(chosen.notebooks.glob("*.ipynb")), chosen.pyodide, chosen.wheel)
    print(f"{chosen.out}: serve it with `python -m http.server --directory {chosen.out}`")


if __name__ == "__main__":
    main()
