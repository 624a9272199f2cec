"""``python -m margin_widgets doctor``: what is installed on both sides, and what is wrong."""

from __future__ import annotations

import argparse
import sys

from margin_widgets import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m margin_widgets", description=__doc__)
    parser.add_argument("--version", action="version", version=f"margin_widgets {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    doctor = commands.add_parser(
        "doctor",
        help="print versions, extensions and kernels, and what is wrong with them",
        description="Print versions, front-end extensions and kernels, and what is wrong with them."
        " Exit code 0 if nothing is, else 1. Uses no network.",
    )
    doctor.add_argument("--json", action="store_true", help="print JSON in place of words")
    given = parser.parse_args(arguments)

    from margin_widgets.doctor import main as doctor_main

    return doctor_main(["--json"] if given.json else [])


if __name__ == "__main__":
    sys.exit(main())
