"""Forests that the target keras walks as they are, in graphs of TensorFlow's and as models."""

from __future__ import annotations

import numpy as np
import pytest
from support.lowered import assert_agrees, build, run

from sensenet.backends import keras
from sensenet.backends.keras.forests import LEVELS, order_nodes, walk_forests
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.types import Tensor, f32
from sensenet.signature import Signature

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

FEATURES, OUTPUTS = 4, 3
POINTS = np.float32([-np.inf, -1.5, -0.0, 0.0, 0.25, 1.5, 3e38, np.inf, np.nan])
"""Thresholds and cells come from here, so that they often meet exactly."""


def grow(rng: np.random.Generator, sizes: tuple[int, ...], leaves: int) -> Forest:
    """Trees that grow by splitting a random leaf; the newest one is the likeliest, so that they are deep."""
    left: list[int] = []
    roots = []
    right: list[int] = []
    for _ in range(sum(sizes)):
        roots.append(len(left))
        ends = [len(left)]
        left.append(len(left))
        right.append(len(right))
        for _ in range(int(rng.integers(leaves))):
            node = ends.pop(-1 if rng.random() < 0.7 else int(rng.integers(len(ends))))
            left[node], right[node] = (len(left), len(left) + 1)[:: int(rng.choice([-1, 1]))]
            ends += [len(left), len(left) + 1]
            left += ends[-2:]
            right += ends[-2:]
    return Forest(
        feature=Tensor.int32(rng.integers(FEATURES, size=len(left))),
        threshold=Tensor.float32(rng.choice(POINTS, size=len(left))),
        left=Tensor.int32(left),
        right=Tensor.int32(right),
        values=Tensor.float32(rng.normal(size=(len(left), OUTPUTS))),
        roots=Tensor.int32(roots),
        sizes=sizes,
    )


def graph_of(forest: Forest) -> Graph:
    x = apply(Input(type=f32(None, FEATURES)), name="x")
    return Graph.create([x], {"y": apply(forest, x.value, name="y").value}, Signature())


def walked(forest: Forest, x):
    function = tf.function(
        lambda rows: walk_forests(tf, forest, rows),
        input_signature=[tf.TensorSpec([None, FEATURES], tf.float32)],
        autograph=False,
    )
    return function(x).numpy()


@pytest.mark.parametrize("sizes", [(1,), (3,), (2, 1, 4)])
@pytest.mark.parametrize("leaves", [1, 2, 5, 60])
@pytest.mark.parametrize("rows", [0, 1, 200])
def test_every_row_goes_where_the_interpreter_sends_it(sizes, leaves, rows):
    rng = np.random.default_rng(leaves)
    forest = grow(rng, sizes, leaves)
    x = rng.choice(POINTS, size=(rows, FEATURES))
    np.testing.assert_allclose(walked(forest, x), forest.evaluate(x), rtol=1e-5, atol=1e-6)


def test_children_stand_side_by_side():
    forest = grow(np.random.default_rng(1), (2, 3), 40)
    nodes = order_nodes(forest)
    last = len(nodes.steps) - 1
    is_leaf = nodes.steps[:, 2] == np.arange(last + 1)
    assert is_leaf.sum() == forest.leaves.sum() + 1
    assert np.isnan(nodes.steps[is_leaf, 1].view(np.float32)).all()
    assert nodes.roots.shape == (2, 3)
    assert nodes.roots[0, 2] == last
    assert not nodes.values[last].any()


def test_trees_may_share_their_roots():
    forest = grow(np.random.default_rng(2), (1,), 30)
    inner = int(forest.left.array[0])
    shared = Forest(
        feature=forest.feature,
        threshold=forest.threshold,
        left=forest.left,
        right=forest.right,
        values=forest.values,
        roots=Tensor.int32([0, 0, inner]),
        sizes=(1, 2),
    )
    x = np.random.default_rng(3).choice(POINTS, size=(50, FEATURES))
    np.testing.assert_allclose(walked(shared, x), shared.evaluate(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("levels", [LEVELS, LEVELS + 1, 500])
def test_trees_of_any_depth(levels):
    """Basic ops walk 256 levels, or hold the paths of trees that are not too large."""
    split = np.arange(0, 2 * levels, 2)
    left = np.arange(2 * levels + 1)
    right = left.copy()
    left[split], right[split] = split + 1, split + 2
    rng = np.random.default_rng(levels)
    forest = Forest(
        feature=Tensor.int32(np.where(left == right, 0, left % FEATURES)),
        threshold=Tensor.float32(rng.normal(size=len(left)) - 2.5),
        left=Tensor.int32(left),
        right=Tensor.int32(right),
        values=Tensor.float32(rng.normal(size=(len(left), 1))),
        roots=Tensor.int32([0]),
        sizes=(1,),
    )
    x = rng.normal(size=(300, FEATURES)).astype(np.float32)
    np.testing.assert_array_equal(walked(forest, x), forest.evaluate(x))


def test_large_forests_are_layers_of_models_that_can_be_saved(tmp_path):
    rng = np.random.default_rng(4)
    graph = graph_of(grow(rng, (8,) * 3, 400))
    artifact = build(graph, "keras")
    assert any(isinstance(node.op, Forest) for node in artifact.graph.nodes)
    path = artifact.save(tmp_path / "model.keras")
    x = rng.normal(size=(40, FEATURES)).astype(np.float32)
    for executable in (run(graph, "keras"), keras.open(path)):
        assert_agrees(executable, graph, {"x": x})


@pytest.mark.parametrize("leaves", [5, 400])
def test_many_rows_are_answered_in_order(monkeypatch, leaves):
    monkeypatch.setattr("sensenet.backends.keras.executable.BLOCK", 16)
    rng = np.random.default_rng(5)
    graph = graph_of(grow(rng, (8, 8), leaves))
    assert_agrees(run(graph, "keras"), graph, {"x": rng.normal(size=(101, FEATURES)).astype(np.float32)})
