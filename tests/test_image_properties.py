"""The whole compiler on random documents about images: deepnets, feature extractors, detectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from support.agreement import assert_close, encode, optimized, rounding
from support.document_reference import predict
from support.document_strategies import network_of
from support.profiles import examples
from support.strategies import (
    detector_settings,
    detectors,
    image_documents,
    mutations,
    odd_pixels,
    pixels,
    rows,
)

from sensenet.errors import InputError, SensenetError
from sensenet.frontend import import_graph
from sensenet.frontend.network import EXTRACTOR_ENDS
from sensenet.ir.evaluate import evaluate
from sensenet.models.wrappers import create_model
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.signature import (
    BOXES,
    CLASSES,
    NUMERIC_INPUT,
    PIXEL_INPUT,
    PREDICTIONS,
    SCORES,
    VALID,
)

EXTRACTING = {"extract_image_features": True}
UNFILTERED = {"output_unfiltered_boxes": True}

SCORE_MARGIN = 1e-4
"""Scores that are nearer to each other, or to a threshold, may change places by rounding."""


def numbers_for(graph, count):
    """Rows of the numbers that stand beside images: NaN, infinities, codes."""
    cells = np.array([0, 1, -1, 2.5, np.nan, np.inf], np.float32)
    return {
        node.name: np.resize(cells, (count, node.types[0].shape[1]))
        for node in graph.inputs
        if node.name == NUMERIC_INPUT
    }


def evaluate_or_skip(graph, feed):
    """The answers; skips images so thin that nothing of them is left."""
    try:
        return evaluate(graph, feed)
    except InputError:
        assume(False)


@given(image_documents(), st.data())
def test_imported_documents_mean_what_the_json_says(document, data):
    table = data.draw(rows(document, max_size=2))
    graph = import_graph(document)
    feed = encode(graph, table)
    assert_close(evaluate(graph, feed)[PREDICTIONS], predict(document, table), rounding(graph, feed))


@given(image_documents(), st.data())
def test_models_answer_what_the_json_says(document, data):
    table = data.draw(rows(document, max_size=2))
    graph = import_graph(document)
    allowed = rounding(graph, encode(graph, table))
    assert_close(create_model(document)(table), predict(document, table), allowed)


@given(image_documents(), st.sampled_from([{}, EXTRACTING]), st.data())
def test_levels_agree(document, chosen, data):
    """Exactly at -O1, for any numbers; up to rounding at -O2, where no tree can go another way."""
    layers = network_of(document)["image_network"]["layers"]
    assume(not chosen or any(layer["type"] in EXTRACTOR_ENDS for layer in layers))
    graph = import_graph(document, chosen)
    feed = {PIXEL_INPUT: data.draw(odd_pixels(graph)), **numbers_for(graph, 2)}
    expected = evaluate_or_skip(graph, feed)[PREDICTIONS]
    np.testing.assert_array_equal(evaluate(optimized(graph, 1), feed)[PREDICTIONS], expected)
    feed = {name: np.nan_to_num(array, posinf=2.0) for name, array in feed.items()}
    feed[PIXEL_INPUT] = data.draw(pixels(graph))
    expected = evaluate_or_skip(graph, feed)[PREDICTIONS].reshape(2, -1)
    answer = evaluate(optimized(graph, 2), feed)[PREDICTIONS].reshape(2, -1)
    assert_close(answer, expected, rounding(graph, feed))


@pytest.mark.parametrize("each", ALL_PASSES.values(), ids=ALL_PASSES.keys())
@given(document=image_documents() | detectors())
@examples(30)
def test_a_pass_leaves_its_own_result_alone(each, document):
    once = each.run(import_graph(document))
    assert each.run(once) is once


def decisive(answer, chosen):
    """Whether rounding cannot change which boxes are found: all scores and overlaps lie apart."""
    threshold = chosen.get("bounding_box_threshold", 0.5)
    scores = np.sort(np.append(answer[SCORES], threshold))
    return bool(np.all(np.diff(scores) > SCORE_MARGIN))


def assert_same_boxes(got, want):
    """All boxes: corners to a pixel, where one that lies between two may be rounded either way."""
    np.testing.assert_allclose(got[BOXES], want[BOXES], atol=1)
    np.testing.assert_allclose(got[SCORES], want[SCORES], atol=1e-5, rtol=1e-5)


def assert_same_detections(got, want):
    """As many boxes, in the same order, of the same classes."""
    np.testing.assert_array_equal(got[VALID], want[VALID])
    np.testing.assert_array_equal(got[CLASSES], want[CLASSES])
    assert_same_boxes(got, want)


@given(detectors(), detector_settings(), st.data())
def test_detections_are_the_same_at_all_levels(document, chosen, data):
    everything = import_graph(document, {**chosen, **UNFILTERED})
    feed = {PIXEL_INPUT: data.draw(pixels(everything))}
    boxes = evaluate_or_skip(everything, feed)
    for level in PIPELINES:
        assert_same_boxes(evaluate(optimized(everything, level), feed), boxes)
    graph = import_graph(document, chosen)
    found = evaluate(graph, feed)
    exactly = evaluate(optimized(graph, 1), feed)
    for name, expected in found.items():
        np.testing.assert_array_equal(exactly[name], expected)
    if decisive(boxes, chosen):
        assert_same_detections(evaluate(optimized(graph, 2), feed), found)


@given((image_documents() | detectors()).flatmap(mutations), st.sampled_from([{}, EXTRACTING]), st.data())
def test_faults_are_reported_as_ours(document, chosen, data):
    """Whatever is wrong with a document, it is imported soundly, or a SensenetError says why not."""
    try:
        graph = import_graph(document, chosen)
    except SensenetError:
        return
    for level in PIPELINES:
        result = optimized(graph, level)
        feed = {
            node.name: np.zeros([2, *(n or 5 for n in node.types[0].shape[1:])], np.float32)
            for node in result.inputs
        }
        try:
            evaluate(result, feed)
        except InputError:
            return


@pytest.mark.tensorflow
@pytest.mark.parametrize("target", ["tflite", "keras"])
@given(document=image_documents() | detectors(), data=st.data())
@examples(8, suppress_health_check=list(HealthCheck))
def test_targets_answer_as_the_interpreter(target, document, data):
    """Deepnets up to rounding; detectors asked for all boxes, and for the best where it is clear which."""
    pytest.importorskip("tensorflow")
    from support.lowered import run

    is_detector = not document.get("layers", True)
    graph = import_graph(document, UNFILTERED if is_detector else {})
    feed = {PIXEL_INPUT: data.draw(pixels(graph)), **numbers_for(graph, 2)}
    feed = {name: np.nan_to_num(array, posinf=2.0) for name, array in feed.items()}
    expected = evaluate_or_skip(graph, feed)
    answer = run(optimized(graph, 2), target).run(feed)
    if not is_detector:
        assert_close(answer[PREDICTIONS], expected[PREDICTIONS], 10 * rounding(graph, feed))
        return
    assert_same_boxes(answer, expected)
    if decisive(expected, {}):
        graph = import_graph(document)
        assert_same_detections(run(optimized(graph, 2), target).run(feed), evaluate(graph, feed))
