"""The recorded cases of rows, compiled for wasm and predicted in Node by JavaScript alone."""

from __future__ import annotations

import pytest
from support.conformance import check_record, may_be_refused, recorded_cases
from support.webassembly import WasmNode

import sensenet
from sensenet.errors import SensenetError
from sensenet.settings import ensure_settings

pytestmark = pytest.mark.slow

pytest.importorskip("llvmlite")

NUMBERS_AS_TEXT = "prep_categorical_numeric_names"
"""The case that distinguishes 1 from 1.0: JavaScript does not, so a caller gives the text."""

IMAGES = "trained_images"


@pytest.fixture(scope="module")
def node():
    process = WasmNode()
    yield process
    process.close()


def check(node, tmp_path, case, level):
    record = case.read()
    settings = ensure_settings(record["settings"])
    try:
        artifact = sensenet.compile(record["model"], "wasm", settings=settings, optimize=level)
    except SensenetError:
        if "construct_error" in record or may_be_refused(record):
            return
        raise
    directory = artifact.save(tmp_path / "model")
    as_given = as_text if case.name == NUMBERS_AS_TEXT else list
    check_record(lambda rows: node.predict(directory, [*map(as_given, rows)]), record)


def as_text(row):
    return [str(cell) if type(cell) in (int, float) else cell for cell in row]


@pytest.mark.parametrize("case", recorded_cases("tabular", "real", skip=(IMAGES,)))
def test_answers_in_node(node, tmp_path, case):
    check(node, tmp_path, case, 2)


@pytest.mark.parametrize("case", recorded_cases("tabular", names="[trlo]*"))
def test_answers_in_node_as_trained(node, tmp_path, case):
    check(node, tmp_path, case, 0)
