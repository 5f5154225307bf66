"""Files of ONNX in ONNX's own reference evaluator: what they mean, whatever onnxruntime makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from support.conformance import recorded_cases, skip_if_refused
from support.documents import DOCUMENTS
from support.onnx_fields import feed_rows

import sensenet
from sensenet.backends.onnx.names import IR_VERSIONS, LABEL, PROBABILITIES
from sensenet.compiler.verify.verification import compare, generated_checks
from sensenet.frontend import import_graph
from sensenet.models.wrappers import create_model

reference = pytest.importorskip("onnx.reference")


def evaluate(content, feed):
    evaluator = reference.ReferenceEvaluator(content)
    return dict(zip(evaluator.output_names, evaluator.run(None, feed), strict=True))


def check_document(document, settings=None, **options):
    imported = import_graph(document, settings)
    content = bytes(sensenet.compile(imported, "onnx", **options))
    for check in generated_checks(imported):
        found = evaluate(content, check.inputs)
        assert set(found) == set(check.expected)
        for name, expected in check.expected.items():
            difference, excess = compare(name, np.asarray(found[name]), expected, check.expected)
            assert excess <= 0, f"{name} differs by {difference}"


def check_recorded(record):
    with skip_if_refused(record):
        check_document(record["model"], record.get("settings"))


@pytest.mark.parametrize("opset", [min(IR_VERSIONS), max(IR_VERSIONS)])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_kind_of_document(name, opset):
    check_document(DOCUMENTS[name](), opset=opset)


@pytest.mark.parametrize("case", recorded_cases("real", "extractor"))
def test_real_documents(case):
    check_recorded(case.read())


@pytest.mark.slow
@pytest.mark.parametrize("case", recorded_cases("tabular", "image", "detector"))
def test_recorded_documents(case):
    check_recorded(case.read())


@pytest.mark.parametrize("name", ["typed", "legacy"])
def test_fields(name):
    """Categories are looked up, missing numbers replaced, and the best class named."""
    document = DOCUMENTS[name]()
    model = create_model(document)
    rows = [[2.5, "green", None], [None, "", 3.0], [-1.0, None, 0.0], [0.25, "blue", 10.0]]
    content = bytes(sensenet.compile(document, "onnx", inputs="fields"))
    found = evaluate(content, feed_rows(model.signature, rows))
    np.testing.assert_allclose(found[PROBABILITIES], model(rows), atol=2e-6)
    best = np.array(model.classes)[model(rows).argmax(1)]
    assert found[LABEL].tolist() == best.tolist()
