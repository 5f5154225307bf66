"""What holds for any graph: random ones of all ops, and imported documents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.graphs import BUILDERS
from support.strategies import IMAGE_OPS, TABULAR_OPS, any_of, documents, feeds, graphs, tensors

from sensenet.drawing import to_dot
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, rebuild, same_graph
from sensenet.ir.ops import core
from sensenet.ir.ops.table import OP_CLASSES
from sensenet.ir.parser import parse_graph
from sensenet.ir.printer import print_graph, weights
from sensenet.ir.types import Tensor
from sensenet.ir.verify import verify

ALL_OPS = TABULAR_OPS | IMAGE_OPS


def read_back(graph: Graph) -> Graph:
    return parse_graph(print_graph(graph), weights(graph))


def test_every_op_joins_random_graphs():
    missing = sorted(op.__name__ for op in set(OP_CLASSES) - {core.Input} - set(BUILDERS))
    assert not missing, (
        f"op, step 6: draw {missing}: TABULAR_NODES, IMAGE_NODES, BASIC_NODES or TENSOR_NODES, "
        "each in a file of tests/support/graphs/"
    )
    assert set(BUILDERS) <= set(OP_CLASSES)


@given(graphs(any_of(ALL_OPS)))
def test_random_graphs_round_trip(graph):
    verify(graph)
    assert same_graph(read_back(graph), graph)


@given(documents(), st.sampled_from([None, {"regression_normalize": True}]))
def test_imported_documents_round_trip(document, settings):
    graph = import_graph(document, settings)
    verify(graph)
    assert same_graph(read_back(graph), graph)


@given(graphs(any_of(ALL_OPS)), st.data())
def test_results_are_of_the_declared_types(graph, data):
    results = evaluate(graph, data.draw(feeds(graph)))
    for name, value in graph.outputs.items():
        assert value.type.accepts(results[name]), f"{name} is declared {value.type}"


@given(graphs(any_of(ALL_OPS)), st.data())
def test_graphs_read_back_compute_the_same(graph, data):
    feed = data.draw(feeds(graph))
    results = evaluate(read_back(graph), feed)
    for name, expected in evaluate(graph, feed).items():
        np.testing.assert_array_equal(results[name], expected)


@given(graphs(), st.data())
def test_copying_every_node_changes_nothing(graph, data):
    copied = rebuild(graph, lambda node: node.values)
    assert copied is graph
    assert to_dot(graph).count(" -> ") == sum(graph.uses.values())


@given(tensors())
def test_constants_are_what_they_are_made_of(tensor):
    twin = Tensor(tensor.array.copy())
    assert twin == tensor
    assert hash(twin) == hash(tensor)


@pytest.mark.parametrize("op_class", BUILDERS, ids=lambda op_class: op_class.mnemonic())
@given(data=st.data())
def test_each_op_among_few_others(op_class, data):
    """Every op is really reached, together with the few that give it something to read."""
    graph = data.draw(graphs(any_of({op_class, *HELPERS}, max_nodes=6)))
    verify(graph)
    assert same_graph(read_back(graph), graph)


HELPERS = {op_class for op_class in BUILDERS if op_class.mnemonic() in ("reshape", "dense", "pad_2d")}
