"""What tests in a browser share."""

from __future__ import annotations

import shutil

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FIREFOX = ("firefox-esr", "firefox")


@pytest.fixture(scope="session")
def chromium():
    """The path of Chromium; skips the test where there is none."""
    return find_program(CHROMIUM)


@pytest.fixture(
    scope="session",
    params=[CHROMIUM, pytest.param(FIREFOX, marks=pytest.mark.slow)],
    ids=["chromium", "firefox"],
)
def any_browser(request):
    """The path of each kind of browser; skips the test where there is none."""
    return find_program(request.param)


def find_program(names):
    found = next(filter(None, map(shutil.which, names)), None)
    return found or pytest.skip(f"no such browser is installed: none of {', '.join(names)}")
