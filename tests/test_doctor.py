"""The doctor, run for real and on made-up patients."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import margin_widgets as mw
from margin_widgets import doctor, doctor_probe
from margin_widgets.doctor import (
    EXTENSIONS,
    LAB,
    NEEDED,
    OWN,
    Examination,
    Kernel,
    judge,
    within,
)

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "margin_widgets", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=200,
        check=False,
    )


# No connection is possible, in this process and in those that it starts.
OFFLINE = """
import socket

def refuse(*_, **__):
    raise AssertionError("the doctor uses the network")

socket.socket.connect = socket.getaddrinfo = refuse
"""


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the doctor says of this environment, without network and without Node."""
    folder = tmp_path_factory.mktemp("doctor")
    (folder / "sitecustomize.py").write_text(OFFLINE)
    done = run(
        "doctor",
        "--json",
        cwd=folder,
        PYTHONPATH=os.pathsep.join([str(folder), str(ROOT)]),
        PATH=str(Path(sys.executable).parent),
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if found["problems"] else 0), done.stderr
    return found


# ------------------------------------------------------------------ for real


def test_versions(examined: dict[str, Any]) -> None:
    import anywidget
    import bqplot
    import ipywidgets
    import numpy as np

    here = examined["here"]
    assert examined["margin_widgets"] == mw.__version__
    assert here["python"] == ".".join(map(str, sys.version_info[:3]))
    for module in (np, ipywidgets, bqplot, anywidget):
        assert here["packages"][module.__name__] == module.__version__
    assert {"pandas", "traitlets", "jupyterlab", "notebook", "jupyterlab_widgets"} <= set(
        here["packages"]
    )


def test_this_environment_is_well(examined: dict[str, Any]) -> None:
    if examined["here"]["packages"]["jupyterlab"] is None:
        pytest.skip("no JupyterLab here")
    assert examined["problems"] == []
    assert examined["healthy"] is True
    (server,) = examined["servers"]
    assert server["lab"]["read"] == "by jupyterlab"
    extensions = server["lab"]["extensions"]
    assert set(EXTENSIONS) <= set(extensions)
    for name in EXTENSIONS:
        assert extensions[name]["disabled"] is False
        assert extensions[name]["clashes"] == []
        assert Path(extensions[name]["folder"]).is_dir()


def test_the_kernel_is_asked_itself(examined: dict[str, Any]) -> None:
    kernels = {one["name"]: one for one in examined["kernels"]}
    if "python3" not in kernels:
        pytest.skip("no kernel here")
    found = kernels["python3"]["found"]
    assert Path(found["executable"]).samefile(sys.executable)
    assert found["margin_widgets"]["version"] == mw.__version__


@pytest.mark.slow
def test_words(tmp_path: Path) -> None:
    done = run("doctor", cwd=tmp_path)
    assert done.stderr == ""
    assert f"margin_widgets {mw.__version__} in " in done.stdout
    assert "ipywidgets" in done.stdout and sys.executable in done.stdout
    assert done.stdout.rstrip().endswith("Nothing is wrong.") == (done.returncode == 0)


def test_other_commands(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).stdout.strip() == f"margin_widgets {mw.__version__}"
    for arguments in ((), ("docter",)):
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 2 and "usage: python -m margin_widgets" in done.stderr
    assert "doctor" in run("--help", cwd=tmp_path).stdout


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A folder of kernels: one that is gone, one without this package, one in another language."""
    bare = tmp_path / "bare.py"
    bare.write_text("raise SystemExit('bash: no such thing')\n")
    commands = {
        "gone": ["/nowhere/bin/python3", "-m", "ipykernel_launcher"],
        "without": [sys.executable, "-I", "-S", "-m", "ipykernel_launcher"],
        "broken": [sys.executable, str(bare), "-m", "ipykernel_launcher"],
        "through": ["/usr/bin/env", "A=1", sys.executable, "-m", "ipykernel_launcher"],
        "odd": ["start-a-kernel", "{connection_file}"],
        "r": ["R", "--args", "{connection_file}"],
    }
    for name, command in commands.items():
        folder = tmp_path / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": command, "display_name": f"The {name} one", "language": "python"}
        spec["language"] = "R" if name == "r" else "python"
        (folder / "kernel.json").write_text(json.dumps(spec))
    return tmp_path


@pytest.mark.slow
def test_kernels_that_cannot_show_widgets(specs: Path) -> None:
    done = run("doctor", "--json", cwd=specs, JUPYTER_PATH=str(specs))
    found = json.loads(done.stdout)
    kernels = {one["name"]: one for one in found["kernels"]}
    if not kernels:
        pytest.skip("no jupyter_client here")
    assert set(kernels) >= {"gone", "without", "broken", "odd", "r"}
    notes = {name: [one for one in found["notes"] if f"'{name}'" in one] for name in kernels}
    for name, words in {
        "gone": "/nowhere/bin/python3 does not exist",
        "without": "margin_widgets is not installed there",
        "broken": "bash: no such thing",
        "odd": "its command does not name a Python interpreter",
    }.items():
        (note,) = notes[name]
        assert words in note
    assert notes["r"] == [] and kernels["r"]["found"] is None
    if Path("/usr/bin/env").exists():
        assert kernels["through"]["found"]["executable"] == sys.executable
    # a kernel that works is enough
    assert found["healthy"] is ("python3" in kernels)


@pytest.fixture
def lab_path(tmp_path: Path) -> dict[str, str]:
    """An environment for JupyterLab to look at that is not the real one."""
    if doctor_probe.version("jupyterlab") is None:
        pytest.skip("no JupyterLab here")
    return {"JUPYTER_PREFER_ENV_PATH": "0", "JUPYTER_DATA_DIR": str(tmp_path / "data")}


@pytest.mark.slow
def test_what_is_wrong_with_extensions_is_told(tmp_path: Path, lab_path: dict[str, str]) -> None:
    # What lies in the folder of the user hides what lies in that of the environment.
    folder = tmp_path / "data" / "labextensions" / "bqplot"
    folder.mkdir(parents=True)
    old = {"name": "bqplot", "version": "0.5.40", "jupyterlab": {"_build": {"load": "x.js"}}}
    (folder / "package.json").write_text(json.dumps(old))
    settings = tmp_path / "config" / "labconfig"
    settings.mkdir(parents=True)
    off = {"disabledExtensions": {"anywidget": True}}
    (settings / "page_config.json").write_text(json.dumps(off))
    done = run("doctor", cwd=tmp_path, JUPYTER_CONFIG_DIR=str(tmp_path / "config"), **lab_path)
    assert done.returncode == 1, done.stdout
    assert "asks the page for bqplot ^0.6.1, the server in" in done.stdout
    assert "has 0.5.40: install the same bqplot on both sides" in done.stdout
    assert "The extension anywidget is disabled" in done.stdout
    assert "labextension enable anywidget" in done.stdout
    assert "2 things to mend." in done.stdout


# ------------------------------------------------------------------ made-up patients


def patient() -> tuple[dict[str, Any], list[dict[str, Any]], list[Kernel]]:
    """An environment in which all is well."""
    here: dict[str, Any] = {
        "executable": "/env/bin/python",
        "python": "3.12.1",
        "platform": "Linux",
        "packages": {
            **dict.fromkeys(doctor_probe.PACKAGES, "1.0"),
            "numpy": "2.1.0",
            "pandas": "2.3",
            "traitlets": "5.14.3",
            "jsonschema": "4.25.0",
            "ipywidgets": "8.1.5",
            "bqplot": "0.13.1",
            "anywidget": "0.11.0",
        },
        "margin_widgets": {
            "version": mw.__version__,
            "error": "",
            "folder": "/env/margin_widgets",
            "unbuilt": [],
        },
        "asks": {"bqplot": "^0.6.1", "anywidget": "~0.11.*"},
        "lab": {
            "version": "4.5.0",
            "read": "by jupyterlab",
            "folders": [],
            "extensions": {
                name: {"version": version, "folder": "", "disabled": False, "clashes": []}
                for name, version in zip(
                    (*EXTENSIONS, OWN),
                    ("5.0.15", "0.11.0", "0.6.3", "0.3.7", mw.__version__),
                    strict=True,
                )
            },
        },
    }
    kernel = Kernel(
        "python3", "Python 3", "python", "/env/bin/python", ("/env/bin/python",), here, ""
    )
    return here, [here], [kernel]


def spoilt(path: str, content: Any) -> tuple[dict[str, Any], list[dict[str, Any]], list[Kernel]]:
    """The same with one thing changed, in the interpreter that is all three."""
    here, _, (kernel,) = patient()
    place: Any = here
    *way, last = path.split("/")
    for step in way:
        place = place[step]
    if path.startswith("lab/extensions/") and content is None:
        del place[last]
    else:
        place[last] = content
    own = Kernel(kernel.name, kernel.title, "python", kernel.server, kernel.command, here)
    return here, [here], [own]


def test_a_healthy_one() -> None:
    here, servers, kernels = patient()
    assert judge(here, servers, kernels) == ([], [])
    said = str(Examination(here, tuple(servers), tuple(kernels)))
    assert said.endswith("Nothing is wrong.")
    assert "Python 3: Python 3.12.1, /env/bin/python, margin_widgets" in said


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("packages/bqplot", "0.14.0", "bqplot is 0.14.0, margin_widgets needs bqplot>=0.13.1"),
        ("packages/anywidget", None, "anywidget is missing"),
        ("margin_widgets/unbuilt", ["html.js"], "front end is not built (html.js missing"),
        ("lab/version", "3.6.1", "JupyterLab is 3.6.1"),
        ("lab/extensions/bqplot", None, "does not see the extension bqplot"),
        ("lab/extensions/bqplot/disabled", True, "The extension bqplot is disabled"),
        ("lab/extensions/bqplot/clashes", ["a ^4 (JupyterLab has 5)"], "does not fit JupyterLab"),
        ("lab/extensions/bqplot/version", "0.5.1", "asks the page for bqplot ^0.6.1"),
        ("lab/extensions/anywidget/version", "0.10.2", "asks the page for anywidget ~0.11.*"),
    ],
)
def test_one_thing_wrong_is_told_once(path: str, content: Any, words: str) -> None:
    problems, notes = judge(*spoilt(path, content))
    assert len(problems) == 1 and words in problems[0]
    assert notes == []


@pytest.mark.parametrize(
    ("change", "content", "words"),
    [
        ("", None, "does not see the extension margin-widgets: *.margin.json opens as text"),
        ("/disabled", True, "labextension enable margin-widgets"),
        ("/clashes", ["a ^4 (JupyterLab has 5)"], "it needs a ^4"),
        ("/version", "0.0.1", "is 0.0.1 in /env/bin/python, this Python has margin_widgets"),
    ],
)
def test_without_its_own_extension_only_documents_suffer(
    change: str, content: Any, words: str
) -> None:
    problems, notes = judge(*spoilt(f"lab/extensions/{OWN}{change}", content))
    assert problems == []
    (note,) = notes
    assert words in note


def elsewhere(version: str | None) -> Kernel:
    """A kernel of another environment."""
    found = copy.deepcopy(patient()[0])
    found["executable"] = "/other/bin/python"
    found["margin_widgets"]["version"] = version
    return Kernel("other", "Other", "python", "/env/bin/python", ("/other/bin/python",), found)


def test_a_server_whose_kernels_lack_the_package() -> None:
    here, servers, _ = patient()
    problems, notes = judge(here, servers, [elsewhere(None)])
    assert len(problems) == 1
    assert "No kernel of the server has margin_widgets" in problems[0]
    assert notes == ["Kernel 'other' cannot show widgets: margin_widgets is not installed there."]


def test_another_version_in_the_kernel() -> None:
    here, servers, kernels = patient()
    problems, notes = judge(here, servers, [*kernels, elsewhere("0.0.1")])
    assert problems == []
    (note,) = notes
    assert f"Kernel 'other' has margin_widgets 0.0.1, this Python {mw.__version__}:" in note


def test_no_server() -> None:
    here, _, kernels = spoilt("lab", None)
    problems, notes = judge(here, [], kernels)
    assert problems == [] and "No JupyterLab in this Python" in notes[0]
    assert "Kernels:" in str(Examination(here, (), tuple(kernels), tuple(problems), tuple(notes)))


def test_a_server_of_another_environment() -> None:
    here, (server,), kernels = patient()
    other = copy.deepcopy(server)
    other["executable"] = "/other/bin/python"
    del other["lab"]["extensions"]["anywidget"]
    problems, notes = judge(here, [here, other], kernels)
    (problem,) = problems
    assert problem.startswith(
        "JupyterLab in /other/bin/python does not see the extension anywidget"
    )
    assert "`/other/bin/python -m pip install anywidget`" in problem
    assert "another environment, /other/bin/python" in notes[0]


@pytest.mark.parametrize(
    "first",
    ["#!{python}", "#!{python} -E", "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''"],
)
def test_the_interpreter_of_a_command(first: str, tmp_path: Path) -> None:
    script = tmp_path / "jupyter-lab"
    script.write_text(first.format(python="/some where/bin/python3.11") + "\nimport x\n")
    if " -E" in first or not first.startswith("#!/bin"):
        script.write_text(first.format(python="/somewhere/bin/python3.11") + "\nimport x\n")
    found = doctor._interpreter_of(script)
    assert found is not None and found.name == "python3.11"


def test_bounds() -> None:
    for version, wanted, fits in (
        ("2.0", ">=2.0", True),
        ("2.0.0", ">=2.0,<2.1", True),
        ("1.26.4", ">=2.0", False),
        ("8.1.9", ">=8.1,<9", True),
        ("9.0.0", ">=8.1,<9", False),
        ("9.0.0rc1", ">=8.1,<9", False),
        ("10.2", ">=9.9", True),
    ):
        assert within(version, wanted) is fits, (version, wanted)


def test_it_needs_what_the_package_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    written = {
        name: bound
        for line in project["dependencies"]
        for name, _, rest in [line.partition(">=")]
        for bound in [f">={rest}"]
    }
    assert written == NEEDED
    assert project["optional-dependencies"]["lab"] == [f"jupyterlab{LAB}"]


def test_the_probe_runs_on_its_own(tmp_path: Path) -> None:
    source = (ROOT / "margin_widgets" / "doctor_probe.py").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", source, "lab", "kernels"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.partition(doctor_probe.MARK)[2])
    assert found["margin_widgets"] == {"version": None, "error": ""}
    assert found["lab"] is None and found["kernels"] is None
    assert set(found["packages"].values()) == {None}
