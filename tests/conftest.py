"""Settings and fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

SHARED = Path(os.environ.get("SENSENET_SHARED", Path(__file__).parents[2] / "shared"))
"""Where recorded inputs and outputs of the published package lie: they are no part of the repository."""

settings.register_profile("default", max_examples=40, deadline=None, derandomize=True)
settings.register_profile(
    "nightly", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update` rewrites the golden files of tests/passes: look at the diff before it is committed."""
    parser.addoption("--update", action="store_true", help="rewrite the expected halves of golden files")


@pytest.fixture(scope="session")
def conformance() -> Path:
    """The directory of recorded cases; skips the test where it is absent."""
    path = SHARED / "conformance"
    if not path.is_dir():
        pytest.skip(f"there are no recorded cases at {path}: set SENSENET_SHARED")
    return path
