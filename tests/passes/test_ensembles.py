"""Ensembles at -O2: what becomes of their networks, and that the answers stay."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from support.check_pass import assert_near, random_inputs

from sensenet.backends.tflite.emit import LEGAL
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, apply
from sensenet.ir.legality import require_legal
from sensenet.ir.ops.arithmetic import Add, Average
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import BatchedDense, Dense
from sensenet.ir.ops.rearrangement import Concatenate, Slice
from sensenet.ir.ops.reduction import Mean
from sensenet.ir.ops.tabular import OneHot
from sensenet.ir.types import Tensor, f32
from sensenet.passes import PIPELINES
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.passes.lowering.legalize import legalize
from sensenet.signature import Signature

COLUMNS, DEPTH = 5, 300
RELU, LINEAR, SOFTMAX, LOG_SOFTMAX = (
    ActivationFunction(name) for name in ("relu", "linear", "softmax", "log_softmax")
)


def ensemble(hidden, last: ActivationFunction, *, residual=False, categories=False) -> Graph:
    """The average of networks, each with hidden layers of so many units; 3 answers of each."""
    rng = np.random.default_rng(7)

    def dense(x, units, activation):
        size = x.type.shape[-1]
        kernel = Tensor.float32(rng.normal(size=(size, units)) / np.sqrt(size))
        op = Dense(kernel=kernel, bias=Tensor.float32(rng.normal(size=units)), activation=activation)
        return apply(op, x).value

    x = apply(Input(type=f32(None, COLUMNS)), name="x")
    features = x.value
    if categories:
        codes = apply(Slice(start=0, stop=1), x.value).value
        numbers = apply(Slice(start=1, stop=COLUMNS), x.value).value
        features = apply(Concatenate(), numbers, apply(OneHot(depths=(DEPTH,)), codes).value).value
    answers = []
    for widths in hidden:
        value = features
        for units in widths:
            value = dense(value, units, RELU)
        if residual:
            value = apply(Add(), dense(value, value.type.shape[-1], RELU), value).value
        answers.append(dense(value, 3, last))
    return Graph.create([x], {"y": apply(Average(), *answers).value}, Signature())


CASES = {
    # graph, how often ops stand in it at -O2
    "small classification": (ensemble([(8, 8)] * 4, SOFTMAX), {Dense: 3, Mean: 1}),
    "small regression": (ensemble([(8, 8)] * 4, LINEAR), {Dense: 3}),
    "small in part": (ensemble([(40, 40), (90, 90), (40, 40), (9, 9)], SOFTMAX), {Dense: 5, Mean: 1}),
    "of other widths": (ensemble([(8, 8), (7, 5), (3, 9)], SOFTMAX), {Dense: 3, Mean: 1}),
    "wide regression": (ensemble([(200,)] * 4, LINEAR), {Dense: 2}),
    "of one layer": (ensemble([()] * 4, LINEAR), {Dense: 1}),
    "wide classification": (ensemble([(40, 40)] * 4, SOFTMAX), {BatchedDense: 3, Mean: 1}),
    "deep regression": (ensemble([(64, 64)] * 2, LINEAR), {BatchedDense: 3, Mean: 1}),
    "other answers": (ensemble([(4,)] * 3, LOG_SOFTMAX), {BatchedDense: 2, Mean: 1}),
    "partly alike": (ensemble([(50, 50), (30, 90), (50, 50)], SOFTMAX), {BatchedDense: 3, Dense: 3, Mean: 1}),
    "all different": (ensemble([(90, 90), (91, 91)], SOFTMAX), {Dense: 5, Mean: 1}),
    "residual": (ensemble([(50,)] * 2, LINEAR, residual=True), {Dense: 5}),
    "with categories": (ensemble([(40, 40)] * 4, SOFTMAX, categories=True), {BatchedDense: 3, Mean: 1}),
}


@pytest.mark.parametrize("name", CASES)
def test_networks_are_computed_together(name):
    graph, expected = CASES[name]
    after, _ = run_passes(graph, PIPELINES[2])
    counts = Counter(type(node.op) for node in after.nodes)
    assert {op: counts[op] for op in (Dense, BatchedDense, Mean) if counts[op]} == expected
    inputs = random_inputs(graph, seed=3)
    assert_near(evaluate(graph, inputs), evaluate(after, inputs))
    lowered, _ = run_passes(after, (legalize(LEGAL),))
    require_legal(lowered, LEGAL, "the lowering")
    assert_near(evaluate(graph, inputs), evaluate(lowered, inputs))


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_are_answered(rows):
    graph, _ = CASES["wide classification"]
    after, _ = run_passes(graph, PIPELINES[2])
    inputs = {"x": random_inputs(graph, seed=3)["x"][:rows]}
    assert_near(evaluate(graph, inputs), evaluate(after, inputs))


def test_a_row_alone_is_answered_as_among_others():
    """The sum over networks goes in one order, however many rows there are."""
    graph, _ = CASES["other answers"]
    after, _ = run_passes(graph, PIPELINES[2])
    rows = random_inputs(graph, seed=3)["x"]
    together = evaluate(after, {"x": rows})["y"]
    alone = np.concatenate([evaluate(after, {"x": row[None]})["y"] for row in rows])
    np.testing.assert_allclose(alone, together, atol=1e-6, rtol=1e-6)
