"""What the tests of the package share: strict callbacks, hypothesis settings, shared data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# An exception in a widget callback must fail the test, not only reach a log.
os.environ["MARGIN_WIDGETS_STRICT"] = "1"

settings.register_profile(
    "default",
    deadline=None,
    # The same books in every run, so that a red run can be repeated; `make reference` explores.
    derandomize="MARGIN_WIDGETS_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")


def examples(default: int) -> int:
    """Return how many examples a large property test runs; MARGIN_WIDGETS_EXAMPLES overrides."""
    return int(os.environ.get("MARGIN_WIDGETS_EXAMPLES", default))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real payloads and published cases beside the repository."""
    shared = Path(os.environ.get("MARGIN_WIDGETS_SHARED", ROOT.parent / "shared"))
    folder = shared / "data"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; MARGIN_WIDGETS_SHARED names another place")
    return folder
