"""Settings and fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from support import profiles
from support.conformance import DATA

import sensenet

ROOT = Path(__file__).resolve().parents[1]

TESTED = "SENSENET_TESTED"
"""The variable that names the folder of another `sensenet` to test; `tests/mutation/run.py` sets it."""

profiles.register()
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# The tests write to no cache of the user; processes that they start do not either.
os.environ.setdefault("SENSENET_NATIVE_CACHE", str(ROOT / ".pytest_cache" / "native"))

# Without it, tensorflowjs imports IPython wherever output is captured.
os.environ.setdefault("TFDF_DISABLE_WELCOME_MESSAGE", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update` rewrites the golden files of tests/passes: look at the diff before it is committed."""
    parser.addoption("--update", action="store_true", help="rewrite the expected halves of golden files")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to test another clone's package, and to rewrite a file of many cases from several processes."""
    found = Path(sensenet.__file__).resolve().parents[1]
    if found != Path(os.environ.get(TESTED, ROOT)).resolve():
        raise pytest.UsageError(
            f"the tests would import sensenet from {found}, not from {ROOT}: run "
            f"`python -m pytest` there, or `pip install -e '.[dev]'`, or set PYTHONPATH={ROOT}"
        )
    if config.getoption("--update") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--update rewrites whole files: run it without -n")


@pytest.fixture(scope="session")
def conformance() -> Path:
    """The directory of recorded cases; skips the test where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"there are no recorded cases at {DATA}: set SENSENET_SHARED")
    return DATA
