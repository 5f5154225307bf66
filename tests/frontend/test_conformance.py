"""Imported documents answer as the published package did."""

from __future__ import annotations

import numpy as np
import pytest
from support.conformance import (
    as_cell,
    assert_close,
    assert_same_objects,
    is_error,
    may_be_refused,
    read_recorded,
    recorded_cases,
)
from support.feeding import feed, feed_images

from sensenet.errors import SensenetError
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate, prepare
from sensenet.ir.ops.convolution import Convolution2D
from sensenet.ir.ops.dense import BatchNormalization, Dense
from sensenet.ir.printer import tensors_of
from sensenet.ir.verify import verify
from sensenet.signature import BOXES, CLASSES, PREDICTIONS, SCORES, VALID, ModelKind

BAD_CELL = (SensenetError, ValueError, TypeError, IndexError)
"""What encoding a bad cell raises here: the messages are the runtime's business."""


@pytest.mark.parametrize("case", recorded_cases("tabular", "real", skip=["trained_images"]))
def test_tabular_answers(case):
    record = case.read()
    try:
        graph = import_graph(record["model"], record["settings"])
    except SensenetError:
        assert may_be_refused(record)
        return
    verify(graph)
    answer = evaluate(graph, feed(graph.signature, record["inputs"]))[PREDICTIONS]
    assert_close(answer, record["outputs"], record["tolerance"])


def answer_of(graph, outputs):
    """One row's answer in the form of the records."""
    if graph.signature.kind is not ModelKind.DETECTOR:
        return outputs[PREDICTIONS][0]
    count = outputs[VALID][0]
    found = zip(*(outputs[name][0][:count] for name in (BOXES, SCORES, CLASSES)), strict=True)
    return [
        {"box": box.astype(int).tolist(), "label": graph.signature.classes[label], "score": float(score)}
        for box, score, label in found
    ]


def check_rows(record, graph, check):
    program = prepare(graph)
    for row, want in zip(record["inputs"], record["outputs"], strict=True):
        try:
            outputs = program(feed_images(graph.signature, as_cell(row)))
        except BAD_CELL:
            assert is_error(want)
            continue
        if not is_error(want):
            check(outputs, want)


@pytest.mark.parametrize(
    "case",
    [*recorded_cases("image", "detector", "extractor"), *recorded_cases("real", names="trained_images")],
)
def test_image_answers(case):
    record = case.read()
    kind = record.get("kind", "model")
    settings = {
        **(record["settings"] or {}),
        **({"extract_image_features": True} if kind == "extractor" else {}),
    }
    try:
        graph = import_graph(record["model"], settings)
    except SensenetError:
        assert "construct_error" in record
        return
    assert "construct_error" not in record
    verify(graph)
    if kind == "calls":
        return

    def check(outputs, want):
        if kind == "detector":
            assert_same_objects(answer_of(graph, outputs), want)
        elif kind == "detector_raw":
            names = [BOXES, SCORES, CLASSES, VALID][: len(want)]
            for name, values in zip(names, want.values(), strict=True):
                assert_close(np.reshape(outputs[name], np.shape(values)), values, record["tolerance"])
        else:
            assert_close(answer_of(graph, outputs), want, record["tolerance"])

    check_rows(record, graph, check)


NETWORKS = ("resnet50", "resnet18", "mobilenet", "mobilenetv2", "xception", "yolov4", "tinyyolov4")


@pytest.mark.parametrize("name", NETWORKS)
def test_pretrained_networks(name):
    """The topologies have initializers for weights: the shapes follow from the layers."""
    document = read_recorded("pretrained/networks.json.gz")[name]
    summary = read_recorded("pretrained/summary.json")[name]
    graph = import_graph(document)
    verify(graph)
    weighted = [
        node for node in graph.nodes if hasattr(node.op, "kernel") or hasattr(node.op, "depth_kernel")
    ]
    normalizations = [node for node in graph.nodes if isinstance(node.op, BatchNormalization)]
    total = sum(tensor.array.size for node in [*weighted, *normalizations] for tensor in tensors_of(node.op))
    assert total == summary["total_parameters"]
    assert any(isinstance(node.op, Convolution2D) for node in weighted)
    if graph.signature.kind is ModelKind.DETECTOR:
        assert len(graph.signature.classes) == 80
        return
    assert isinstance(graph.outputs[PREDICTIONS].node.inputs[0].op, Dense) or isinstance(
        graph.outputs[PREDICTIONS].op, Dense
    )
    extractor = import_graph(document, {"extract_image_features": True})
    assert list(extractor.outputs[PREDICTIONS].type.shape) == summary["extractor_output_shape"]
    assert extractor.signature.kind is ModelKind.EXTRACTOR
