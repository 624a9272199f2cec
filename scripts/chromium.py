"""Find a Chromium for the browser tests: ``python scripts/chromium.py [--install]``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def works(path: str | Path) -> bool:
    """Whether the program starts; on some systems the name is only a stub that asks for a snap."""
    try:
        subprocess.run(
            [path, "--version"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def system() -> str | None:
    """Return the path of the system's Chromium or Chrome, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name)) and works(path)), None)


def own() -> str | None:
    """Return the path of the Chromium that Playwright downloaded, if it did."""
    code = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as p: print(p.chromium.executable_path)"
    )
    # In a process of its own: Playwright's loop would stay in this thread.
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    path = answer.stdout.strip()
    return path if path and Path(path).exists() else None


def find() -> str | None:
    """Return the path of a Chromium that starts, the system's first."""
    return system() or own()


def install() -> None:
    """Install one: the system's package as root where apt is at hand, else Playwright's."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root and shutil.which("apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        get = ["apt-get", "-q", "-y", "--no-install-recommends"]
        for arguments in (["update"], ["install", "chromium", "fonts-dejavu-core"]):
            subprocess.run([*get, *arguments], env=env, stdin=subprocess.DEVNULL, check=False)
        if system():
            return
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    if root:
        command.insert(-1, "--with-deps")
    subprocess.run(command, stdin=subprocess.DEVNULL, check=False)


def main() -> None:
    """Print the path, after an installation where that was asked for and is needed."""
    path = find()
    if path is None and "--install" in sys.argv[1:]:
        print("Chromium: none found, installing one", flush=True)
        install()
        path = find()
    if path is None:
        sys.exit("Chromium: none found. Install one, or run `playwright install chromium`.")
    print(f"Chromium: {path}")


if __name__ == "__main__":
    main()
