"""Files of ONNX in OpenVINO, which reads them without conversion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.conformance import recorded_cases, skip_if_refused
from support.documents import DOCUMENTS

import sensenet
from sensenet.compiler.verify.verification import compare, generated_checks
from sensenet.frontend import import_graph

pytest.importorskip("onnx")
openvino = pytest.importorskip("openvino")

EXAMPLES = Path(__file__).parents[2] / "examples"
SOURCES = [*DOCUMENTS, "iris.json", "diabetes.json", "shapes.json.gz"]


def check_document(document, settings=None, **options):
    imported = import_graph(document, settings)
    content = bytes(sensenet.compile(imported, "onnx", **options))
    core = openvino.Core()
    run = core.compile_model(core.read_model(content), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for check in generated_checks(imported):
        found = run(dict(check.inputs))
        for name, expected in check.expected.items():
            difference, excess = compare(name, np.asarray(found[name]), expected, check.expected)
            assert excess <= 0, f"{name} differs by {difference}"


@pytest.mark.parametrize("name", SOURCES)
def test_every_kind_of_document(name):
    check_document(DOCUMENTS[name]() if name in DOCUMENTS else str(EXAMPLES / name))


@pytest.mark.slow
@pytest.mark.parametrize("case", recorded_cases("tabular", "real", "image", "detector", "extractor"))
def test_recorded_documents(case):
    record = case.read()
    with skip_if_refused(record):
        check_document(record["model"], record.get("settings"))
