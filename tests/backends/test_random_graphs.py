"""Random graphs in the targets' own runtimes: any ops in any order, any batch size, no rows too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from support.lowered import run
from support.profiles import examples
from support.strategies import IMAGE_OPS, TABULAR_OPS, any_of, feeds, graphs

from sensenet.errors import UnsupportedOpError
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph
from sensenet.ir.ops import (
    arithmetic,
    control,
    detection,
    elementwise,
    rearrangement,
    reduction,
    shape,
    tabular,
)
from sensenet.ir.types import Array, DType

JUMPING = {
    arithmetic.Equal,
    arithmetic.LessEqual,
    arithmetic.Greater,
    arithmetic.Cast,
    arithmetic.Select,
    rearrangement.Lookup,
    rearrangement.TakeAlong,
    elementwise.Floor,
    elementwise.Round,
    reduction.ArgMax,
    reduction.ReduceAny,
    control.While,
    tabular.Forest,
    tabular.OneHot,
    tabular.EmbeddingSum,
    detection.ScaleBoxes,
    detection.SuppressBoxes,
}
"""Ops for which a rounding error may become any error: the tests of each target check these one by one."""

COUNTING = {shape.Range, shape.ShapeOf}
"""Ops whose results have an axis that is not one of rows: files are asked for rows only."""

PACKAGES = {"tflite": "ai_edge_litert", "keras": "tensorflow", "wasm": "llvmlite"}

LARGEST = 1e4
"""Beyond, rounding errors say nothing."""


def magnitude(graph: Graph, feed: dict[str, Array]) -> float:
    """The largest number that the graph computes."""
    values = {f"value_{index}": node.value for index, node in enumerate(graph.nodes)}
    results = evaluate(Graph(graph.inputs, values, graph.signature), feed)
    return max(np.abs(r).max(initial=1.0) for r in results.values() if r.dtype == DType.FLOAT32.numpy)


TABLES, IMAGES = TABULAR_OPS - JUMPING - COUNTING, IMAGE_OPS - JUMPING - COUNTING


@pytest.mark.parametrize(
    ("target", "ops"),
    [
        pytest.param("tflite", TABLES, id="tflite-tables"),
        pytest.param("tflite", IMAGES, id="tflite-images"),
        pytest.param("keras", TABLES, id="keras-tables", marks=pytest.mark.tensorflow),
        pytest.param("keras", IMAGES, id="keras-images", marks=pytest.mark.tensorflow),
        pytest.param("wasm", TABLES, id="wasm-tables"),
    ],
)
@examples(12, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_graphs_agree_with_the_interpreter(target, ops, data):
    pytest.importorskip(PACKAGES[target])
    graph = data.draw(graphs(any_of(ops)))
    feed = data.draw(feeds(graph))
    size = magnitude(graph, feed)
    assume(size < LARGEST)
    try:
        executable = run(graph, target)
    except UnsupportedOpError:  # native code runs graphs of rows alone
        assume(target != "wasm")
        raise
    got, want = executable.run(feed), evaluate(graph, feed)
    for name, expected in want.items():
        assert (got[name].dtype, got[name].shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(got[name], expected, rtol=1e-3, atol=1e-4 * size, err_msg=name)
