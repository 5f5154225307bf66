"""What the tests of targets share: building and running graphs, and graphs in which optimizers go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import attrs
import numpy as np

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends import get_target
from sensenet.compiler.pipelines import lowering_passes
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import Graph, Value, apply
from sensenet.ir.op import Op
from sensenet.ir.ops import arithmetic, convolution, core, dense
from sensenet.ir.ops.windows import Padding
from sensenet.ir.types import Array, Tensor, f32
from sensenet.passes.infrastructure.manager import run_passes
from sensenet.signature import Signature
from support.op_cases import OpCase, floats, weights

ABSOLUTE, RELATIVE = 2e-6, 2e-5
"""How near a target's numbers are to the interpreter's."""

ACTIVATIONS = [function for function in ActivationFunction if function is not ActivationFunction.LINEAR]


def build(graph: Graph, target: str, **options: object) -> Artifact:
    """The graph as an artifact of a target, with the ops that the target lacks made of others."""
    backend = get_target(target)
    legal, _ = run_passes(graph, lowering_passes(backend))
    return backend.build(legal, Report(target=target, level=0), backend.read_options(options))


def run(graph: Graph, target: str) -> Executable:
    return get_target(target).load(build(graph, target))


def assert_agrees(
    executable: Executable, graph: Graph, feed: Mapping[str, Array], exactly: bool = False
) -> None:
    """The target's outputs have the types, shapes and values that the interpreter gives."""
    got, want = executable.run(feed), evaluate(graph, feed)
    assert set(got) == set(want)
    for name, expected in want.items():
        assert got[name].dtype == expected.dtype, name
        if exactly or expected.dtype != np.float32:
            np.testing.assert_array_equal(got[name], expected, err_msg=name)
        else:
            assert got[name].shape == expected.shape, name
            np.testing.assert_allclose(got[name], expected, rtol=RELATIVE, atol=ABSOLUTE, err_msg=name)


def graph_of(types: Mapping[str, object], outputs: Callable[..., Mapping[str, Value]]) -> Graph:
    """A graph whose outputs a function makes of its inputs."""
    inputs = [apply(core.Input(type=declared), name=name) for name, declared in types.items()]
    return Graph.create(inputs, outputs(*(node.value for node in inputs)), Signature())


def graph_of_op(op: Op, *types: object) -> Graph:
    """A graph of one op: inputs x0, x1, …, outputs y0, y1, …."""
    return graph_of(
        {f"x{index}": declared for index, declared in enumerate(types)},
        lambda *values: {f"y{i}": value for i, value in enumerate(apply(op, *values, name="node").values)},
    )


def has_inputs(case: OpCase) -> bool:
    """Whether a case can be run in a target: the inputs of a model have an axis of rows."""
    return bool(case.inputs) and all(x.ndim for x in case.inputs)


NORMALIZATION = dense.BatchNormalization(
    gamma=weights(3), beta=weights(3), mean=weights(3), variance=Tensor.float32([1, 2, 3])
)
CONVOLUTION = convolution.Convolution2D(
    kernel=weights(3, 3, 3, 3, scale=0.5), bias=weights(3), padding=Padding.SAME
)
DENSE = dense.Dense(kernel=weights(3, 3, scale=0.7), bias=weights(3))


def _activated(value: Value, function: ActivationFunction) -> Value:
    return apply(dense.Activation(function=function), value).value


def _surroundings(layer: Op, x: Value, function: ActivationFunction) -> Iterator[tuple[str, Value]]:
    """An activation after the things that TensorFlow fuses it with."""
    plain, bare = apply(layer, x).value, apply(attrs.evolve(layer, bias=None), x).value
    normalized = apply(NORMALIZATION, bare).value
    yield "inside", apply(attrs.evolve(layer, activation=function), x).value
    yield "inside_no_bias", apply(attrs.evolve(layer, bias=None, activation=function), x).value
    yield "after", _activated(plain, function)
    yield "normalized", _activated(normalized, function)
    yield "sum", _activated(apply(arithmetic.Add(), plain, x).value, function)
    yield "sum_of_layers", _activated(apply(arithmetic.Add(), plain, bare).value, function)
    yield "sum_normalized", _activated(apply(arithmetic.Add(), normalized, x).value, function)


def activations_in_context(layer: Op, shape: tuple[int, ...]) -> tuple[Graph, Mapping[str, Array]]:
    """A graph with an output for every activation in every surrounding, and what to feed it."""
    graph = graph_of(
        {"x": f32(None, *shape)},
        lambda x: {
            f"{function.value}_{where}": value
            for function in ACTIVATIONS
            for where, value in _surroundings(layer, x, function)
        },
    )
    return graph, {"x": floats(4, *shape, scale=3.0)}


def every_activation(shape: tuple[int, ...]) -> Graph:
    """A graph with one output for each activation function, of one input x."""
    return graph_of(
        {"x": f32(None, *shape)},
        lambda x: {function.value: _activated(x, function) for function in ActivationFunction},
    )
