"""No level turns a finite answer into another, or into none, because of how large or small weights are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.extremes import with_extremes, with_missing_cells
from support.graphs import graphs_with_inputs, like_images, like_tables
from support.profiles import examples

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, Value, apply
from sensenet.ir.op import Op
from sensenet.ir.ops.arithmetic import Average
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import BatchNormalization, Dense
from sensenet.ir.ops.tabular import Destandardize, Standardize
from sensenet.ir.types import Tensor, f32
from sensenet.passes import PIPELINES
from sensenet.passes.analysis.magnitudes import LARGEST, SMALLEST, amplifies, in_range
from sensenet.passes.analysis.sums import as_sums
from sensenet.passes.analysis.weights import LARGEST_CANCELLATION, cancels
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.signature import Signature

ROUNDING = 100
"""How many times the tolerance of -O2 an answer may move: it is for numbers of ordinary size between the
encoding and the answer, and so for less than what 1e15 times a rounding error comes to beside the answer."""


def assert_finite_answers_stay(graph, inputs):
    with np.errstate(all="ignore"):
        expected = evaluate(graph, inputs)
        for level, passes in PIPELINES.items():
            answers = evaluate(run_passes(graph, passes)[0], inputs)
            for name, want in expected.items():
                assert_row_by_row(answers[name], want, level)


def assert_row_by_row(got, want, level):
    """Rows whose answers are finite, next to the largest of each."""
    finite = np.isfinite(want.reshape(len(want), -1)).all(axis=1)
    got, want = (array.reshape(len(array), -1)[finite].astype(np.float64) for array in (got, want))
    scale = np.abs(want).max(axis=1, initial=0, keepdims=True)
    allowed = ROUNDING * (1e-6 + 1e-5 * scale) if level == 2 else 0.0
    assert np.isfinite(got).all()
    assert (np.abs(got - want) <= allowed).all()


@examples(100)
@given(drawn=graphs_with_inputs(like_tables), data=st.data())
def test_extreme_numbers_in_networks_of_columns(drawn, data):
    graph, inputs = drawn
    rows = {name: with_missing_cells(graph, array) for name, array in inputs.items()}
    assert_finite_answers_stay(data.draw(with_extremes(graph)), rows)


@examples(40)
@given(drawn=graphs_with_inputs(like_images), data=st.data())
def test_extreme_numbers_in_networks_of_images(drawn, data):
    graph, inputs = drawn
    assert_finite_answers_stay(data.draw(with_extremes(graph)), inputs)


def layer(*rows, bias=None, activation=ActivationFunction.LINEAR):
    """A dense layer whose kernel has these rows."""
    return Dense(
        kernel=Tensor.float32(rows),
        bias=None if bias is None else Tensor.float32(bias),
        activation=activation,
    )


def normalization(gamma, beta, mean):
    numbers = {"gamma": gamma, "beta": beta, "mean": mean, "variance": 1.0}
    return BatchNormalization(
        **{name: Tensor.float32([number]) for name, number in numbers.items()}, epsilon=0.0
    )


STANDARDIZE = Standardize(mean=Tensor.float32([0.3]), stdev=Tensor.float32([0.7]))

CHAINS: dict[str, tuple[Op, ...]] = {
    "a mean times a large weight": (STANDARDIZE, layer([-1e12], bias=[0.5])),
    "a mean times a huge weight": (STANDARDIZE, layer([-1e30], bias=[0.5])),
    "a rounding error times a huge weight": (
        STANDARDIZE,
        layer([0.9], activation=ActivationFunction.TANH),
        layer([-1e30]),
    ),
    "kernels that cancel": (layer([1e9, 1e9], bias=[1.0, 0.0]), layer([1.0], [-1.0])),
    "a bias that cancels the input": (layer([1e12], bias=[-0.3e12]), layer([0.7])),
    "normalizations that cancel": (normalization(1.0, 1e9, 0.5), normalization(1.0, -1e9, 0.5)),
    "a mean of a large scale": (normalization(1e12, 0.0, 0.3), layer([1.0])),
    "an objective that cancels the bias": (
        layer([1.0], bias=[3e8]),
        Destandardize(mean=Tensor.float32(-3e8), stdev=Tensor.float32(1.0)),
    ),
    "sums near the end of float32": (
        Standardize(mean=Tensor.float32([0.3]), stdev=Tensor.float32([1.2e-38])),
        layer([1.0, 1.0], activation=ActivationFunction.RELU),
        layer([1.0], [-0.9]),
        Destandardize(mean=Tensor.float32(0.0), stdev=Tensor.float32(8.0)),
    ),
    "an infinite weight": (
        layer([3e38]),
        Destandardize(mean=Tensor.float32(0.0), stdev=Tensor.float32(1e30)),
    ),
}


@pytest.mark.parametrize("case", CHAINS)
def test_chains(case):
    x = apply(Input(type=f32(None, 1)), name="x")
    value: Value = x.value
    for op in CHAINS[case]:
        value = apply(op, value).value
    rows = np.float32([[0.3], [0.0], [1.0], [-1.0], [0.29999998], [0.30000004]])
    assert_finite_answers_stay(Graph.create([x], {"y": value}, Signature()), {"x": rows})


def test_networks_that_cancel_in_an_average():
    x = apply(Input(type=f32(None, 2)), name="x")
    networks = (layer([1e9], [1.0]), layer([-1e9], [1.0]))
    answer = apply(Average(), *(apply(op, x.value).value for op in networks)).value
    graph = Graph.create([x], {"y": answer}, Signature())
    assert_finite_answers_stay(graph, {"x": np.float32([[1, 1], [3, 0.1]])})


def test_the_range_of_weights():
    assert all(in_range(Tensor.float32([0.0, -size])) for size in (0.0, SMALLEST, LARGEST))
    assert not any(in_range(Tensor.float32([0.0, -size])) for size in (SMALLEST / 2, 2 * LARGEST))
    assert not in_range(Tensor.float32([1.0, np.nan]))
    assert in_range(Tensor.float32([1e-45, 1.0]))


def test_what_amplifies():
    assert not amplifies(layer([LARGEST], bias=[-LARGEST]))
    assert amplifies(layer([1.0], bias=[-2 * LARGEST]))
    assert amplifies(layer([-2 * LARGEST]))
    assert not amplifies(Standardize(mean=Tensor.float32([1e30]), stdev=Tensor.float32([1e-30])))
    assert amplifies(Standardize(mean=Tensor.float32([0.0]), stdev=Tensor.float32([1.0, -1e-31])))
    tiny = {name: Tensor.float32([1.0]) for name in ("gamma", "beta", "mean")}
    assert amplifies(BatchNormalization(**tiny, variance=Tensor.float32([1e-44]), epsilon=0.0))


def test_sums_remember_their_terms():
    sums = as_sums([[3.0, -4.0]]) @ [[1.0], [1.0]] * 2.0 - 1.0
    assert (sums.value, sums.size, sums.rest) == (-3.0, 15.0, -3.0)
    assert ((sums / -3.0).value, (sums / -3.0).size) == (1.0, 5.0)
    moved = 1.0 + sums.moved() * 2.0
    assert (moved.value, moved.size, moved.rest) == (-5.0, 31.0, 1.0)
    assert as_sums([2.0]).terms is None


def test_what_cancels():
    limit = LARGEST_CANCELLATION
    assert not cancels(as_sums([1e30]))
    assert not cancels(as_sums([limit / 2]) - limit / 2)
    assert cancels(as_sums([limit]) - limit)
    assert not cancels(as_sums([2 * limit]) + 0.0)
    assert cancels(as_sums([2 * limit]).moved() + 0.0)
    assert not cancels(as_sums([2 * limit]).moved() + 4.0)
