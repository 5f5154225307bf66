"""h5 files exchanged with the published package, where there is one: see published_h5.py."""

from __future__ import annotations

import os

import pytest
from interop.published_h5 import VARIABLE, exchange, find_cases

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} is not set"),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    directory = tmp_path_factory.mktemp("exchange")
    return exchange(os.environ[VARIABLE], find_cases(directory), directory)


@pytest.mark.parametrize("name", ["typed", "legacy", "ensemble", "image", "detector"])
def test_documents_of_the_tests(outcomes, name):
    assert outcomes[name].same, outcomes[name]


def test_recorded_documents(outcomes):
    assert [name for name, outcome in outcomes.items() if not outcome.same] == []
