"""What importing the package pulls in: the lower layers run where Jupyter is absent."""

from __future__ import annotations

import subprocess
import sys

import pytest

JUPYTER = ("IPython", "anywidget", "bqplot", "ipykernel", "ipywidgets", "jupyter", "traittypes")

# Raises for the named packages, and for all of theirs, as if they were not installed.
ABSENT = """
import sys

class Absent:
    def __init__(self, names):
        self.names = tuple(names)

    def find_spec(self, name, path=None, target=None):
        if name.startswith(self.names):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Absent(sys.argv[1:]))
"""


def python(code: str, *arguments: str) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        # That the engine itself has no traitlets is the import contract's matter: the package,
        # which is imported first, has them for its accounts.
        ("margin_widgets.engine", (*JUPYTER, "pandas", "jsonschema")),
        ("margin_widgets.venues", (*JUPYTER, "pandas", "jsonschema")),
        ("margin_widgets.account", (*JUPYTER, "pandas", "jsonschema")),
    ],
)
def test_lower_layers_import_without_jupyter(module: str, absent: tuple[str, ...]) -> None:
    python(f"{ABSENT}\nimport {module}", *absent)


def test_an_account_is_computed_without_jupyter() -> None:
    code = """
import margin_widgets as mw
account = mw.presets.ref2()
print(round(account.cross.positions["BTCUSDT"].liquidation_price, 2))
"""
    assert python(ABSENT + code, *JUPYTER, "pandas") == "80804.02"


def test_the_package_itself_is_light() -> None:
    heavy = ("IPython", "anywidget", "bqplot", "ipywidgets", "jsonschema", "pandas")
    code = (
        "import sys, margin_widgets; print([name for name in sys.argv[1:] if name in sys.modules])"
    )
    assert python(code, *heavy) == "[]"


def test_the_public_names_are_listed_before_they_are_loaded() -> None:
    code = """
import sys, margin_widgets as mw
missing = {"Account", "Dashboard", "Position", "load", "presets", "solve", "venues"} - set(dir(mw))
print(sorted(missing), "ipywidgets" in sys.modules)
"""
    assert python(code) == "[] False"
