"""Why a widget does not show: versions on both sides, kernel against server, in words.

``python -m margin_widgets doctor`` prints what `examine` finds. The page side is what JupyterLab
serves; the kernel side is the Python that a notebook runs in. Both may be other environments than
the one that asks. Nothing is installed, changed or fetched.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from margin_widgets import __version__, doctor_probe
from margin_widgets.doctor_probe import MARK, Data

NEEDED = {
    "numpy": ">=2.0",
    "pandas": ">=2.2",
    "traitlets": ">=5.14",
    "jsonschema": ">=4.17",
    "ipywidgets": ">=8.1,<9",
    "bqplot": ">=0.13.1,<0.14",
    "anywidget": ">=0.9.13",
}
"""What the Python side needs; the same as the package's own requirements."""
LAB = ">=4.4,<5"
EXTENSIONS = {
    "@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets",
    "anywidget": "anywidget",
    "bqplot": "bqplot",
    "bqscales": "bqscales",
}
"""Browser modules that the server must have, and the package that brings each."""
OWN = "margin-widgets"
"""The extension of this package; dashboards in notebooks do without it, documents do not."""
_TIMEOUT = 60.0
_PYTHON_NAMES = re.compile(r"python(\d+(\.\d+)?)?(\.exe)?")


@dataclass(frozen=True)
class Kernel:
    """A kernel that a server offers.

    Attributes
    ----------
    name, title, language : str
    server : str
        Interpreter of the server that offers it.
    command : tuple of str
        What starts its interpreter.
    found : mapping or None
        What that interpreter holds; None if it could not be asked.
    error : str
        Why it could not.
    """

    name: str
    title: str
    language: str
    server: str
    command: tuple[str, ...] = ()
    found: Data | None = None
    error: str = ""

    @property
    def version(self) -> str | None:
        """Version of margin_widgets in it."""
        return self.found["margin_widgets"]["version"] if self.found else None


@dataclass(frozen=True)
class Examination:
    """What there is, and what is wrong with it.

    Attributes
    ----------
    here : mapping
        The interpreter that asks.
    servers : tuple of mapping
        Interpreters that have a JupyterLab.
    kernels : tuple of Kernel
    problems : tuple of str
        What keeps widgets from working.
    notes : tuple of str
        What is worth knowing.
    """

    here: Data
    servers: tuple[Data, ...]
    kernels: tuple[Kernel, ...]
    problems: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_json(self) -> str:
        """Everything as JSON."""
        content = {"margin_widgets": __version__, "healthy": self.healthy, **asdict(self)}
        return json.dumps(content, indent=1, ensure_ascii=False)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def examine() -> Examination:
    """Look at this Python, at the servers in reach and at every kernel they offer."""
    here = doctor_probe.probe()
    servers = [here] if here["lab"] else []
    unreadable = []
    other = _lab_on_path()
    if other is not None:
        found, error = _ask((str(other),), parts=("lab", "kernels"))
        if found is None:
            unreadable.append(f"The jupyter-lab on the search path runs in {other}, which {error}.")
        elif found["lab"]:
            servers.append(found)
    kernels = tuple(one for server in servers or [here] for one in _kernels(server))
    problems, notes = judge(here, servers, kernels)
    return Examination(here, tuple(servers), kernels, tuple(problems), (*notes, *unreadable))


def main(arguments: Sequence[str] = ()) -> int:
    """Print an examination; 0 if nothing is wrong, else 1.

    Parameters
    ----------
    arguments : sequence of str
        ``--json`` for JSON in place of words.
    """
    found = examine()
    if hasattr(sys.stdout, "reconfigure"):  # names and folders may hold what a console cannot show
        sys.stdout.reconfigure(errors="replace")
    print(found.to_json() if "--json" in arguments else found)
    return 0 if found.healthy else 1


# -- judging ------------------------------------------------------------------------------------


def judge(
    here: Data, servers: Sequence[Data], kernels: Sequence[Kernel]
) -> tuple[list[str], list[str]]:
    """Say what is wrong, and what is worth knowing."""
    problems = [*_wrong_in_python(here, "This Python")]
    notes = []
    if not servers:
        notes.append(
            "No JupyterLab in this Python and none on the search path: the page side cannot be"
            " looked at. Run the doctor with the Python that runs the server as well."
        )
    if len(servers) > 1 or (servers and servers[0]["executable"] != here["executable"]):
        where = servers[-1]["executable"]
        notes.append(
            f"The jupyter-lab on the search path is that of another environment, {where}: it serves"
            " its own extensions, whatever is installed here."
        )
    for server in servers:
        problems += _wrong_in_server(server)
        notes += _without_documents(server)
    python = [one for one in kernels if one.language == "python"]
    ready = [one for one in python if one.version]
    if servers and not ready:
        problems.append(
            "No kernel of the server has margin_widgets: install it into the Python of a kernel"
            f" ({here['executable']} -m ipykernel install --user --name margin-widgets makes this"
            " Python one)."
        )
    for one in ready:
        if not _same_place(one, here):  # else it was said of this Python already
            problems += _wrong_in_python(one.found or {}, f"Kernel {one.name!r}")
        problems += _out_of_step(one, servers)
        if one.version != __version__:
            notes.append(
                f"Kernel {one.name!r} has margin_widgets {one.version}, this Python {__version__}:"
                " notebooks run the kernel's."
            )
    unable = [one for one in python if not one.version]
    notes += [f"Kernel {one.name!r} cannot show widgets: {_why_not(one)}." for one in unable]
    return list(dict.fromkeys(problems)), list(dict.fromkeys(notes))


def _wrong_in_python(found: Data, who: str) -> Iterator[str]:
    for package, wanted in NEEDED.items():
        version = found["packages"][package]
        if version is None:
            yield f"{who}: {package} is missing, margin_widgets needs {package}{wanted}."
        elif not within(version, wanted):
            yield f"{who}: {package} is {version}, margin_widgets needs {package}{wanted}."
    unbuilt = found["margin_widgets"].get("unbuilt")
    if unbuilt:
        yield (
            f"{who}: the front end is not built ({', '.join(unbuilt)} missing in"
            f" {found['margin_widgets']['folder']}); run `make frontend` in the checkout."
        )


def _wrong_in_server(server: Data) -> Iterator[str]:
    lab, python = server["lab"], server["executable"]
    if not within(lab["version"], LAB):
        yield f"JupyterLab is {lab['version']} in {python}, margin_widgets needs jupyterlab{LAB}."
    for name, package in EXTENSIONS.items():
        extension = lab["extensions"].get(name)
        if extension is None:
            yield (
                f"JupyterLab in {python} does not see the extension {name}: widgets stay text. Run"
                f" `{python} -m pip install {package}` and reload the page."
            )
        elif extension["disabled"]:
            yield (
                f"The extension {name} is disabled in JupyterLab of {python}. Run"
                f" `{python} -m jupyter labextension enable {name}` and reload the page."
            )
        elif extension["clashes"]:
            yield (
                f"The extension {name} {extension['version']} does not fit JupyterLab"
                f" {lab['version']} in {python}: it needs {'; '.join(extension['clashes'])}."
            )


def _without_documents(server: Data) -> Iterator[str]:
    """Why accounts are no documents of their own in a JupyterLab."""
    lab, python = server["lab"], server["executable"]
    extension = lab["extensions"].get(OWN)
    if extension is None:
        yield (
            f"JupyterLab in {python} does not see the extension {OWN}: *.margin.json opens as text"
            f" there. Run `{python} -m pip install {OWN}` and reload the page."
        )
    elif extension["disabled"]:
        yield (
            f"The extension {OWN} is disabled in JupyterLab of {python}: *.margin.json opens as"
            f" text. Run `{python} -m jupyter labextension enable {OWN}` and reload the page."
        )
    elif extension["clashes"]:
        yield (
            f"The extension {OWN} {extension['version']} does not fit JupyterLab {lab['version']}"
            f" in {python}: it needs {'; '.join(extension['clashes'])}."
        )
    elif extension["version"] != __version__:
        yield (
            f"The extension {OWN} is {extension['version']} in {python}, this Python has"
            f" margin_widgets {__version__}: install the same on both sides."
        )


def _out_of_step(kernel: Kernel, servers: Sequence[Data]) -> Iterator[str]:
    """Browser modules of another version than the kernel's Python packages ask for."""
    for server in servers:
        if server["executable"] != kernel.server:
            continue
        for name, wanted in (kernel.found or {}).get("asks", {}).items():
            extension = server["lab"]["extensions"].get(name)
            if extension and not browser_fits(str(extension["version"]), wanted):
                package = EXTENSIONS[name]
                yield (
                    f"Kernel {kernel.name!r} asks the page for {name} {wanted}, the server in"
                    f" {server['executable']} has {extension['version']}: install the same"
                    f" {package} on both sides."
                )


def _why_not(kernel: Kernel) -> str:
    if kernel.found is None:
        return kernel.error
    error = kernel.found["margin_widgets"]["error"]
    return f"margin_widgets {f'fails there: {error}' if error else 'is not installed there'}"


def within(version: str, wanted: str) -> bool:
    """Whether a version is in a range.

    >>> within("0.13.1", ">=0.13.1,<0.14"), within("0.14.0", ">=0.13.1,<0.14")
    (True, False)
    """
    mine = _numbers(version)
    for bound in wanted.split(","):
        other = _numbers(bound.lstrip("<>="))
        size = max(len(mine), len(other))
        one, two = (part + (0,) * (size - len(part)) for part in (mine, other))
        if (bound.startswith(">=") and one < two) or (bound.startswith("<") and one >= two):
            return False
    return True


def browser_fits(version: str, wanted: str) -> bool:
    """Whether a browser module is of a version that a Python package asks for.

    >>> browser_fits("0.6.3", "^0.6.1"), browser_fits("0.5.9", "^0.6.1")
    (True, False)
    >>> browser_fits("0.11.4", "~0.11.*"), browser_fits("2.1.0", "^2.0.0")
    (True, True)
    """
    mine, least = _numbers(version), _numbers(wanted.lstrip("^~"))
    if not least:
        return True
    # The first number that is not 0 must agree; with a tilde the second must, too.
    fixed = 2 if wanted.startswith("~") or not least[0] else 1
    return mine[:fixed] == least[:fixed] and mine >= least


def _numbers(version: str) -> tuple[int, ...]:
    """Leading numbers of a version."""
    found = re.match(r"\s*v?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, found[1].split("."))) if found else ()


# -- looking elsewhere --------------------------------------------------------------------------


def _ask(
    command: Sequence[str], *, parts: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> tuple[Data | None, str]:
    """What another interpreter holds, or why it could not be asked."""
    source = Path(doctor_probe.__file__).read_text(encoding="utf-8")
    # From an empty folder: what lies in the present one is not what a notebook would import.
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(  # noqa: S603 - what a server would start as well
                [*command, "-c", source, *parts],
                cwd=folder,
                env={**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except FileNotFoundError:
            return None, f"its interpreter {command[0]} does not exist"
        except subprocess.TimeoutExpired:
            return None, f"its interpreter {command[0]} did not answer within {_TIMEOUT:g} s"
        except OSError as error:
            return None, f"its interpreter {command[0]} does not start: {error.strerror}"
    answer = done.stdout.decode("utf-8", "replace").rpartition(MARK)[2].strip()
    try:
        found: Data = json.loads(answer)
    except ValueError:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return None, f"its interpreter {command[0]} fails: {said[-1] if said else 'no answer'}"
    return found, ""


def _lab_on_path() -> Path | None:
    """Interpreter of the ``jupyter-lab`` on the search path, if it is another environment's."""
    script = shutil.which("jupyter-lab")
    if script is None:
        return None
    python = _interpreter_of(Path(script))
    if python is None or not python.exists():
        return None
    # A link in one environment may lead to the interpreter of another: only folders tell.
    return None if python.parent.samefile(Path(sys.executable).parent) else python


def _interpreter_of(script: Path) -> Path | None:
    """Interpreter that runs an installed command: from its first lines, or the one beside it."""
    head = script.read_bytes()[:1024].decode("utf-8", "replace")
    if head.startswith("#!"):
        first, _, rest = head[2:].partition("\n")
        # Long paths are started through a shell: '''exec' "/long path/python" ...
        named = re.match(r"'''exec' \"?([^\"\n]+?)\"? \"\$0\"", rest)
        word = named[1] if named else first.strip().split(" ")[0]
        if _PYTHON_NAMES.fullmatch(Path(word).name):
            return Path(word)
    beside = [script.parent / name for name in ("python", "python.exe", "../python.exe")]
    return next((one for one in beside if one.exists()), None)


def _kernels(server: Data) -> Iterator[Kernel]:
    """Each kernel that a server offers, its interpreter asked."""
    for name, spec in (server.get("kernels") or {}).items():
        own = {"name": name, "title": spec["title"], "language": spec["language"]}
        own["server"] = server["executable"]
        if spec["language"] != "python":
            yield Kernel(**own)
            continue
        command = _interpreter(spec, server)
        if not command:
            yield Kernel(**own, error="its command does not name a Python interpreter")
            continue
        found, error = _ask(command, env=spec["env"])
        yield Kernel(**own, command=tuple(command), found=found, error=error)


def _interpreter(spec: Data, server: Data) -> list[str]:
    """What of a kernel's command starts its interpreter, as the server would fill it in."""
    argv = [
        one.replace("{resource_dir}", spec["folder"]).replace("{prefix}", _prefix(server))
        for one in spec["argv"]
    ]
    if "-m" in argv:  # also `conda run -n x python -m ipykernel_launcher`
        argv = argv[: argv.index("-m")]
    elif argv and _PYTHON_NAMES.fullmatch(Path(argv[0]).name):
        argv = argv[:1]
    else:
        return []
    if argv and argv[0] == Path(argv[0]).name and _PYTHON_NAMES.fullmatch(argv[0]):
        argv[0] = server["executable"]
    return argv


def _prefix(server: Data) -> str:
    return str(Path(server["executable"]).parent.parent)


def _same_place(kernel: Kernel, here: Data) -> bool:
    return bool(kernel.found and kernel.found["executable"] == here["executable"])


# -- words --------------------------------------------------------------------------------------


def _lines(one: Examination) -> Iterator[str]:
    here = one.here
    yield f"margin_widgets {__version__} in {here['margin_widgets'].get('folder', '?')}"
    yield ""
    yield f"This Python: {here['python']}, {here['executable']}"
    yield f"  {here['platform']}"
    yield from _table((name, found or "–") for name, found in here["packages"].items())
    for server in one.servers:
        lab = server["lab"]
        yield ""
        yield f"Server: JupyterLab {lab['version']}, {server['executable']}"
        yield f"  extensions read {lab['read']}"
        yield from _table(_extension_rows(lab["extensions"]))
    yield ""
    yield "Kernels:" if one.kernels else "Kernels: none found"
    yield from _table((kernel.name, _kernel_words(kernel)) for kernel in one.kernels)
    for title, texts in (("Wrong", one.problems), ("Worth knowing", one.notes)):
        if texts:
            yield ""
            yield f"{title}:"
            yield from (f"  {number}. {text}" for number, text in enumerate(texts, start=1))
    yield ""
    count = len(one.problems)
    yield "Nothing is wrong." if not count else f"{count} thing{'s' * (count > 1)} to mend."


def _extension_rows(extensions: Data) -> Iterator[tuple[str, str]]:
    for name in (*EXTENSIONS, OWN):
        extension = extensions.get(name)
        if extension is None:
            yield name, "missing"
        else:
            bad = "disabled" if extension["disabled"] else ""
            bad = bad or ("does not fit" if extension["clashes"] else "ok")
            yield name, f"{extension['version']:<10} {bad}"
    others = [name for name in extensions if name not in {*EXTENSIONS, OWN}]
    if others:
        yield "others", ", ".join(sorted(others))


def _kernel_words(kernel: Kernel) -> str:
    if kernel.language != "python":
        return f"{kernel.title}: {kernel.language or 'unknown language'}, not a Python kernel"
    if kernel.found is None:
        return f"{kernel.title}: {kernel.error}"
    python = f"Python {kernel.found['python']}, {kernel.found['executable']}"
    holds = f"margin_widgets {kernel.version}" if kernel.version else _why_not(kernel)
    return f"{kernel.title}: {python}, {holds}"


def _table(rows: Any) -> Iterator[str]:
    pairs = list(rows)
    width = max((len(name) for name, _ in pairs), default=0)
    for name, text in pairs:
        yield f"  {name:<{width}}  {text}"
