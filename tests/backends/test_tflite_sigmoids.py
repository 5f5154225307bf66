"""Sigmoids of numbers so large that XNNPACK's own is NaN: from 5e26 to 2e38."""

from __future__ import annotations

import numpy as np
import pytest
from support.lowered import build, graph_of, run

from sensenet.backends.tflite.emit import LEGAL
from sensenet.backends.tflite.sigmoids import is_bounded, is_safe_sigmoid
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import apply
from sensenet.ir.ops.arithmetic import Minimum
from sensenet.ir.ops.dense import Activation, BatchNormalization, Dense
from sensenet.ir.ops.tabular import Destandardize, Standardize
from sensenet.ir.types import Tensor, f32
from sensenet.passes.lowering.legalize import legalize

SIGMOID, SWISH = (Activation(function=f) for f in (ActivationFunction.SIGMOID, ActivationFunction.SWISH))
ONE = Tensor.float32([1.0])
ROWS = np.float32([[0], [1], [-1], [1e-30], [-1e-29], [3e-4], [-3e-4], [np.nan]])

LARGE = {
    "weight": Dense(kernel=Tensor.float32([[-1e30]])),
    "bias": Dense(kernel=Tensor.float32([[1.0]]), bias=Tensor.float32([-1e30])),
    "normalization": BatchNormalization(
        gamma=Tensor.float32([1e30]), beta=ONE, mean=Tensor.float32([0.0]), variance=ONE
    ),
    "deviation": Standardize(mean=Tensor.float32([0.0]), stdev=Tensor.float32([1e-30])),
    "objective": Destandardize(mean=Tensor.float32(0.0), stdev=Tensor.float32(1e30)),
}
ORDINARY = Dense(kernel=Tensor.float32([[2.0**64]]))


def chain(*ops):
    def outputs(x):
        for op in ops:
            x = apply(op, x).value
        return {"y": x}

    return graph_of({"x": f32(None, 1)}, outputs)


@pytest.mark.parametrize("function", [SIGMOID, SWISH], ids=["sigmoid", "swish"])
@pytest.mark.parametrize("case", LARGE)
def test_large_numbers(case, function):
    pytest.importorskip("ai_edge_litert")
    graph = chain(LARGE[case], function)
    with np.errstate(all="ignore"):
        expected = evaluate(graph, {"x": ROWS})["y"]
    assert np.isfinite(expected[:-1]).all()
    got = run(graph, "tflite").run({"x": ROWS})["y"]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("between", [SIGMOID, Activation(function=ActivationFunction.TANH)])
def test_only_sigmoids_of_large_numbers_are_bounded(between):
    ordinary = legalize(LEGAL).run(chain(ORDINARY, SIGMOID))
    assert Minimum not in ordinary.ops
    bounded = legalize(LEGAL).run(chain(LARGE["weight"], between, ORDINARY, SIGMOID))
    assert sum(isinstance(node.op, Minimum) for node in bounded.nodes) == (between is SIGMOID)
    assert all(map(is_safe_sigmoid, bounded.nodes))
    build(bounded, "tflite")


@pytest.mark.parametrize("function", ActivationFunction)
def test_functions_without_a_bound_are_known(function):
    """By their values at numbers as large as they come, either way."""
    largest = np.float32([[-3e38, 3e38], [-1e35, 1e35], [-1e15, 1e15]])
    with np.errstate(all="ignore"):
        results = np.abs(function(largest))
    assert is_bounded(function) == bool((results < 100).all())


def test_both_kinds_of_functions_are_there():
    known = ("SIGMOID", "HARD_SIGMOID", "TANH", "SOFTSIGN", "SOFTMAX", "RELU6")
    others = ("LINEAR", "RELU", "LOG_SOFTMAX", "EXPONENTIAL", "SWISH", "ELU")
    assert all(is_bounded(ActivationFunction[name]) for name in known)
    assert not any(is_bounded(ActivationFunction[name]) for name in others)
