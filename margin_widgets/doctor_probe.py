"""What one Python interpreter holds, as JSON on standard output; needs the standard library only.

The text of this file is run by other interpreters (a kernel's, a server's), in which
margin_widgets may be missing and which may be older: it must run on Python 3.8.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence  # noqa: UP035 - see above

Data = Dict[str, Any]  # noqa: UP006

PACKAGES = (
    "numpy",
    "pandas",
    "traitlets",
    "jsonschema",
    "ipywidgets",
    "bqplot",
    "anywidget",
    "ipykernel",
    "jupyterlab",
    "jupyterlab_widgets",
    "notebook",
    "voila",
)
BUILT = ("html.js", "html.css", "marks.js", "marks.css", "table.js", "table.css", "theme.css")
MARK = "margin_widgets doctor:"
"""Stands before the JSON: interpreters may print greetings of their own."""


def version(package: str) -> Optional[str]:  # noqa: UP045
    """Version of a package, None if it is not there; the package is not imported."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def own() -> Data:
    """Whether margin_widgets can be imported, which one it is, and what its front end lacks."""
    try:
        import margin_widgets
    except Exception as error:  # noqa: BLE001 - whatever hinders the import is what is asked for
        missing = isinstance(error, ImportError) and error.name == "margin_widgets"
        return {"version": None, "error": "" if missing else _words(error)}
    folder = Path(str(margin_widgets.__file__)).resolve().parent
    unbuilt = [name for name in BUILT if not (folder / "widgets" / "static" / name).exists()]
    found = {"version": margin_widgets.__version__, "error": "", "folder": str(folder)}
    return {**found, "unbuilt": unbuilt}


def asked_for() -> Data:
    """Which version of a browser module the Python packages here ask the page for."""
    found = {}
    try:
        from bqplot import _version as bqplot

        found["bqplot"] = str(bqplot.__frontend_version__)
    except Exception:  # noqa: BLE001, S110 - not there, or without this attribute
        pass
    try:
        from anywidget import AnyWidget

        found["anywidget"] = str(AnyWidget.class_traits()["_model_module_version"].default_value)
    except Exception:  # noqa: BLE001, S110
        pass
    return found


def lab() -> Optional[Data]:  # noqa: UP045
    """What the JupyterLab of this interpreter would load, None where there is none."""
    if version("jupyterlab") is None:
        return None
    found: Data = {"version": version("jupyterlab"), "folders": [], "read": "by jupyterlab"}
    try:
        from jupyter_core.paths import jupyter_path

        found["folders"] = list(jupyter_path("labextensions"))
        found["extensions"] = _by_jupyterlab(found["folders"])
    except Exception as error:  # noqa: BLE001 - the folders tell nearly as much
        found["read"] = f"from the folders, as jupyterlab failed: {_words(error)}"
        found["extensions"] = _by_folder(found["folders"])
    return found


def _by_jupyterlab(folders: List[str]) -> Data:  # noqa: UP006
    """Extensions as ``jupyter labextension list`` finds them; neither Node nor network."""
    from jupyterlab import commands  # type: ignore[import-untyped]

    options = commands.AppOptions(labextensions_path=folders, registry="none")
    info = commands.get_app_info(options)
    disabled = info.get("disabled") or {}
    off = [name for name in disabled if not isinstance(disabled, dict) or disabled[name]]
    check = getattr(commands, "_validate_compatibility", None)  # it has no public name
    found = {}
    for name, data in info["federated_extensions"].items():
        clashes = check(name, data.get("dependencies") or {}, info["core_data"]) if check else []
        found[name] = {
            "version": data.get("version"),
            "folder": data.get("ext_path"),
            "disabled": any(one == name or one.startswith(f"{name}:") for one in off),
            "clashes": [f"{one[0]} {one[2]} (JupyterLab has {one[1]})" for one in clashes],
        }
    return found


def _by_folder(folders: List[str]) -> Data:  # noqa: UP006
    """The same from the folders themselves, the first folder winning."""
    found: Data = {}
    for folder in map(Path, folders):
        for package in sorted([*folder.glob("*/package.json"), *folder.glob("@*/*/package.json")]):
            name = package.parent.relative_to(folder).as_posix()
            data = json.loads(package.read_text(encoding="utf-8"))
            found.setdefault(
                name,
                {
                    "version": data.get("version"),
                    "folder": str(package.parent),
                    "disabled": False,
                    "clashes": [],
                },
            )
    return found


def kernels() -> Optional[Data]:  # noqa: UP045
    """Kernels that a server of this interpreter offers, None where it cannot look."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager
    except ImportError:
        return None
    found = {}
    for name, one in sorted(KernelSpecManager().get_all_specs().items()):
        spec = one.get("spec", {})
        found[name] = {
            "title": spec.get("display_name", name),
            "language": spec.get("language", ""),
            "argv": list(spec.get("argv", [])),
            "env": dict(spec.get("env", {})),
            "folder": one.get("resource_dir", ""),
        }
    return found


def probe(parts: Sequence[str] = ("lab", "kernels")) -> Data:
    """Look at this interpreter, and at the server side of it where asked."""
    found: Data = {
        "executable": sys.executable,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version(name) for name in PACKAGES},
        "margin_widgets": own(),
        "asks": asked_for(),
    }
    if "lab" in parts:
        found["lab"] = lab()
    if "kernels" in parts:
        found["kernels"] = kernels()
    return found


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    print(MARK + json.dumps(probe(sys.argv[1:])))
