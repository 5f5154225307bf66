"""Files of ONNX in onnxruntime-web, as a browser runs them, in Node."""

from __future__ import annotations

import numpy as np
import pytest
from support.conformance import recorded_cases, skip_if_refused
from support.documents import DOCUMENTS
from support.javascript import DIRECTORY, Node, decode, encode
from support.onnx_fields import feed_rows

import sensenet
from sensenet.backends.onnx.names import LABEL, LABELS, PROBABILITIES
from sensenet.compiler.verify.verification import compare, generated_checks
from sensenet.frontend import import_graph
from sensenet.models.wrappers import create_model

pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def node():
    process = Node(DIRECTORY / "onnx" / "run.mjs")
    yield process
    process.close()


def encode_input(array):
    if array.dtype != object:
        return encode(array)
    return {"dtype": "string", "shape": list(array.shape), "data": array.ravel().tolist()}


def run(node, artifact, path, inputs):
    """What the file of an artifact answers; texts as lists."""
    given = {name: encode_input(array) for name, array in inputs.items()}
    artifact.save(path, force=True)
    answer = node.ask({"model": str(path), "inputs": given})
    return {
        name: output["data"] if output["dtype"] == "string" else decode(output)
        for name, output in answer["outputs"].items()
    }


def check_document(node, document, path, settings=None, **options):
    imported = import_graph(document, settings)
    artifact = sensenet.compile(imported, "onnx", **options)
    for number, check in enumerate(generated_checks(imported)):
        found = run(node, artifact, path.with_name(f"{number}.onnx"), check.inputs)
        assert set(found) == set(check.expected)
        for name, expected in check.expected.items():
            difference, excess = compare(name, found[name], expected, check.expected)
            assert excess <= 0, f"{name} differs by {difference}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_kind_of_document(node, name, tmp_path):
    check_document(node, DOCUMENTS[name](), tmp_path / "m.onnx")


def test_the_newest_operator_set(node, tmp_path):
    check_document(node, DOCUMENTS["image"](), tmp_path / "m.onnx", opset=21)


def test_an_input_for_each_field(node, tmp_path):
    document = DOCUMENTS["typed"]()
    model = create_model(document)
    rows = [[2.5, "green", None], [None, "", 3.0], [-1.0, None, 0.0], [0.25, "blue", 10.0]]
    artifact = sensenet.compile(document, "onnx", inputs="fields")
    found = run(node, artifact, tmp_path / "m.onnx", feed_rows(model.signature, rows))
    np.testing.assert_allclose(found[PROBABILITIES], model(rows), atol=2e-6)
    assert found[LABEL] == [model.classes[best] for best in model(rows).argmax(1)]


def test_labels_of_boxes(node, tmp_path):
    document = DOCUMENTS["detector"]()
    pixels = np.random.default_rng(1).integers(0, 256, (1, 20, 30, 3), np.uint8)
    artifact = sensenet.compile(document, "onnx", inputs="fields", batch=1, image_size="20x30")
    found = run(node, artifact, tmp_path / "m.onnx", {"column_0": pixels})
    expected = create_model(document)(pixels[0])
    assert expected
    assert found[LABELS][: len(expected)] == [each["label"] for each in expected]


@pytest.mark.slow
@pytest.mark.parametrize("case", recorded_cases("tabular", "real", "image", "detector", "extractor"))
def test_recorded_documents(node, case, tmp_path):
    record = case.read()
    with skip_if_refused(record):
        check_document(node, record["model"], tmp_path / "m.onnx", record.get("settings"))
