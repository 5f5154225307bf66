"""The whole compiler on random documents about tables: levels agree, answers are right, faults are told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.agreement import assert_close, encode, optimized, rounding
from support.document_reference import predict
from support.strategies import (
    IMAGE_OPS,
    TABULAR_OPS,
    any_of,
    documents,
    feeds,
    graphs,
    mutations,
    odd_rows,
    rows,
    tie_rows,
)

from sensenet.errors import SensenetError
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.models.wrappers import create_model
from sensenet.passes import ALL_PASSES, PIPELINES
from sensenet.signature import NUMERIC_INPUT, PREDICTIONS


@given(documents(), st.data())
def test_imported_documents_mean_what_the_json_says(document, data):
    table = data.draw(rows(document)) + tie_rows(document)
    graph = import_graph(document)
    feed = encode(graph, table)
    answer = evaluate(graph, feed)[PREDICTIONS]
    assert_close(answer, predict(document, table), rounding(graph, feed))


@given(documents(), st.data())
def test_models_answer_what_the_json_says(document, data):
    """From rows to answers through the front door, which optimizes; a single row, too."""
    table = data.draw(rows(document))
    graph = import_graph(document)
    allowed = rounding(graph, encode(graph, table))
    model = create_model(document)
    assert_close(model(table), predict(document, table), allowed)
    first = table[:1] if isinstance(table[0][0], list) else table[0]  # a list at first means several rows
    assert_close(model(first), predict(document, table[:1]), allowed[:1])


@given(documents(), st.data())
def test_level_1_answers_exactly_as_level_0(document, data):
    graph = import_graph(document)
    feed = encode(graph, data.draw(rows(document) | odd_rows(document)) + tie_rows(document))
    expected = evaluate(graph, feed)[PREDICTIONS]
    np.testing.assert_array_equal(evaluate(optimized(graph, 1), feed)[PREDICTIONS], expected)


@given(documents(), st.data())
def test_level_2_answers_as_level_0_up_to_rounding(document, data):
    graph = import_graph(document)
    feed = encode(graph, data.draw(rows(document)) + tie_rows(document))
    expected = evaluate(graph, feed)[PREDICTIONS]
    answer = evaluate(optimized(graph, 2), feed)[PREDICTIONS]
    assert_close(answer, expected, rounding(graph, feed))


@given(documents(), st.data())
def test_no_level_fails_on_odd_numbers(document, data):
    graph = import_graph(document)
    feed = encode(graph, data.draw(odd_rows(document)))
    for level in PIPELINES:
        answer = evaluate(optimized(graph, level), feed)[PREDICTIONS]
        assert answer.shape == (len(feed[NUMERIC_INPUT]), graph.outputs[PREDICTIONS].type.shape[1])


@given(graphs(any_of(TABULAR_OPS | IMAGE_OPS)), st.data())
def test_level_1_is_exact_on_any_graph(graph, data):
    feed = data.draw(feeds(graph))
    expected = evaluate(graph, feed)
    for name, answer in evaluate(optimized(graph, 1), feed).items():
        np.testing.assert_array_equal(answer, expected[name])


@pytest.mark.parametrize("each", ALL_PASSES.values(), ids=ALL_PASSES.keys())
@given(document=documents())
def test_a_pass_leaves_its_own_result_alone(each, document):
    once = each.run(optimized(import_graph(document), 0))
    assert each.run(once) is once


@given(documents().flatmap(mutations), st.data())
def test_faults_are_reported_as_ours(document, data):
    """Whatever is wrong with a document, it is imported soundly, or a SensenetError says why not."""
    try:
        graph = import_graph(document)
    except SensenetError:
        return
    for level in PIPELINES:
        result = optimized(graph, level)
        numbers = [node for node in result.inputs if node.name == NUMERIC_INPUT]
        feed = {node.name: np.zeros((2, node.types[0].shape[1] or 0), np.float32) for node in numbers}
        evaluate(result, feed)
