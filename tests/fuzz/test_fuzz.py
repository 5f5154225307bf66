"""A bounded run of each fuzzer, the same at every time; `python tests/fuzz` runs longer ones."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from fuzz.formats import FORMATS
from fuzz.runner import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux tells it")


@pytest.mark.parametrize("name", [name for name, chosen in FORMATS.items() if chosen.cases])
def test_damaged_files_are_refused_or_answered(name):
    chosen = FORMATS[name]
    for package in chosen.packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    outcome = run(name, 0, lambda number: number < chosen.cases)
    assert outcome.cases == chosen.cases
    assert not outcome.findings, "\n".join(outcome.lines())
    assert 0 < outcome.answered < outcome.cases, "all damaged, or none: the mutations are useless"
