"""Our bundles opened by the published package, if there is one: see published_bundles.py."""

from __future__ import annotations

import os

import pytest
from interop.published_bundles import SELECTION, VARIABLE, exchange, find_cases
from support.conformance import DATA

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} is not set"),
]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return find_cases(SELECTION, tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="module")
def outcomes(cases, tmp_path_factory):
    return exchange(os.environ[VARIABLE], cases, tmp_path_factory.mktemp("exchange"))


def test_the_package_answers_right(outcomes):
    assert {name: outcome for name, outcome in outcomes.items() if not outcome.same} == {}


def test_there_are_many_bundles(outcomes):
    assert len(outcomes) >= 40 or not DATA.is_dir()


def test_the_package_reads_the_columns_of_the_document(cases, outcomes):
    for name, case in cases.items():
        columns = outcomes[name].columns
        wanted = case.document.get("preprocess")
        if wanted and not case.is_extractor:
            assert [column.get("stdev") for column in columns] == [column.get("stdev") for column in wanted]
