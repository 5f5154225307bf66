"""Lookups of categories: when they pay, and what they are lowered to."""

from __future__ import annotations

import numpy as np
import pytest
from support.check_pass import BASIC, assert_near

from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import BatchedDense, Dense
from sensenet.ir.ops.rearrangement import Concatenate, Lookup, Slice
from sensenet.ir.ops.tabular import EmbeddingSum, OneHot
from sensenet.ir.types import Tensor, f32
from sensenet.passes import PIPELINES
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.look_up_categories import PASS, SMALLEST_DEPTH, SMALLEST_TABLE
from sensenet.passes.lowering.legalize import legalize
from sensenet.signature import Signature

COLUMNS = SMALLEST_TABLE // SMALLEST_DEPTH
"""Columns of the fewest categories that together are just enough."""


def kernel(rng, *shape):
    return Tensor.float32(rng.normal(size=shape) / np.sqrt(shape[-2]))


def categories(depths, units=5, networks=0):
    """A layer, or that of several networks, on columns of codes and a number."""
    rng = np.random.default_rng(0)
    x = apply(Input(type=f32(None, 1 + len(depths))), name="x")
    number = apply(Slice(start=0, stop=1), x.value)
    codes = apply(Slice(start=1, stop=1 + len(depths)), x.value)
    encoded = apply(OneHot(depths=tuple(depths)), codes.value)
    columns = apply(Concatenate(), encoded.value, number.value)
    shape = (1 + sum(depths), units)
    layer = (
        BatchedDense(kernel=kernel(rng, networks, *shape)) if networks else Dense(kernel=kernel(rng, *shape))
    )
    first = apply(layer, columns.value, name="first")
    return Graph.create([x], {"y": first.value}, Signature())


def rows_of(graph, depths, count=50):
    """Numbers and codes, one in three of them no category's."""
    rng = np.random.default_rng(1)
    codes = np.stack([rng.integers(0, depth, count) for depth in depths], axis=1).astype(np.float32)
    strange = rng.choice(np.float32([np.nan, np.inf, -np.inf, -1, 0.5, 1e10, *depths]), codes.shape)
    codes = np.where(rng.random(codes.shape) < 1 / 3, strange, codes)
    return {"x": np.concatenate([rng.normal(size=(count, 1)).astype(np.float32), codes], axis=1)}


def looked_up(graph):
    """The depths of the columns that are looked up."""
    return [node.op.depths for node in graph.nodes if isinstance(node.op, EmbeddingSum)]


def encoded(graph):
    """The depths of the columns that are one-hot encoded."""
    return [node.op.depths for node in graph.nodes if isinstance(node.op, OneHot)]


@pytest.mark.parametrize(
    ("depths", "table", "rest"),
    [
        ((SMALLEST_TABLE,), [(SMALLEST_TABLE,)], []),
        ((SMALLEST_TABLE - 1,), [], [(SMALLEST_TABLE - 1,)]),
        ((SMALLEST_DEPTH,) * COLUMNS, [(SMALLEST_DEPTH,) * COLUMNS], []),
        ((SMALLEST_DEPTH,) * (COLUMNS - 1), [], [(SMALLEST_DEPTH,) * (COLUMNS - 1)]),
        ((SMALLEST_DEPTH - 1,) * 50, [], [(SMALLEST_DEPTH - 1,) * 50]),
        ((2, SMALLEST_TABLE, 0, 3), [(SMALLEST_TABLE,)], [(2, 0, 3)]),
    ],
)
def test_the_limits(depths, table, rest):
    after = PASS.run(categories(depths))
    assert (looked_up(after), encoded(after)) == (table, rest)


@pytest.mark.parametrize("networks", [0, 3])
@pytest.mark.parametrize("units", [1, 5, 70, 2000])
def test_answers_stay_for_codes_of_no_category_too(units, networks):
    depths = (40, 300, 2, 100)
    graph = categories(depths, units, networks)
    after, _ = run_passes(graph, PIPELINES[2])
    assert looked_up(after) == [(40, 300, 100)]
    again, _ = run_passes(after, PIPELINES[2])
    assert again is after
    lowered, _ = run_passes(after, (legalize(BASIC),))
    for count in (0, 1, 50):
        rows = rows_of(graph, depths, count)
        want = evaluate(graph, rows)
        assert_near(want, evaluate(after, rows))
        assert_near(want, evaluate(lowered, rows))


@pytest.mark.parametrize("columns", [1, 20, 200])
@pytest.mark.parametrize("units", [1, 64, 1000])
def test_lookups_take_no_more_memory_than_the_encoding_and_few_ops(columns, units):
    depths = (SMALLEST_TABLE,) * columns
    lowered, _ = run_passes(PASS.run(categories(depths, units)), (legalize(BASIC),))
    entries = [entries_of(node) for node in lowered.nodes if isinstance(node.op, Lookup)]
    assert sum(entries) == columns
    assert max(entries) * units <= max(2 * sum(depths), units)
    assert len(lowered.nodes) < 30 + 10 * units / SMALLEST_TABLE


def entries_of(lookup):
    """How many rows of its table a lookup picks for each row of the input."""
    (positions,) = lookup.inputs
    return positions.node.inputs[0].type.shape[1]
