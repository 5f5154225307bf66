"""The shared lowering of graphs to TensorFlow's ops, for the targets that are made through it.

The emit functions use only ops that TFLite's builtins and TensorFlow.js have, so that no target needs custom
or Flex ops. They take the TensorFlow module as an argument, or what has those of its ops that they use: the
target tflite gives them a recorder. Importing this package does not import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from sensenet.backends.lowering import basic, convolution, detection, image
from sensenet.backends.lowering.emit import Emit
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops import basic as basic_ops
from sensenet.ir.ops import convolution as convolution_ops
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.ops.dense import Dense
from sensenet.ir.types import Tensor

Table = Mapping[type[Op], Emit]

EMIT: Table = {**basic.EMIT, **convolution.EMIT, **image.EMIT, **detection.EMIT}
"""Every op that the lowering takes. Forests, encodings and batched layers become others in the IR first."""

LEGAL: frozenset[type[Op]] = frozenset(EMIT) | {Input}
"""The ops that a graph may hold when it is lowered."""

WEIGHTS: Mapping[type[Op], tuple[str, ...]] = {
    Constant: ("value",),
    Dense: ("kernel",),
    basic_ops.Lookup: ("table",),
    convolution_ops.Convolution2D: ("kernel",),
    convolution_ops.DepthwiseConvolution2D: ("kernel",),
    convolution_ops.SeparableConvolution2D: ("depth_kernel", "point_kernel"),
}
"""The attributes of ops that may be large."""

SMALLEST_VARIABLE = 1 << 16
"""Bytes of a weight that is worth a variable."""


@frozen
class Variables:
    """Large weights as variables, each once however many ops use it, by digest.

    TensorFlow copies a function's constants many times; with variables, a network of 100 MB is converted in
    half of the time. Whoever saves or converts a function keeps its variables alive that long.
    """

    by_digest: Mapping[str, Any]

    @classmethod
    def of(cls, tf: Any, graph: Graph) -> Variables:
        """The variables for a graph's large weights."""
        tensors = {tensor.digest: tensor for node in graph.nodes for tensor in _weights(node.op)}
        return cls(
            {
                digest: tf.Variable(tensor.array, trainable=False)
                for digest, tensor in tensors.items()
                if tensor.array.nbytes >= SMALLEST_VARIABLE
            }
        )

    def read(self, tf: Any, tensor: Tensor) -> Any:
        """A weight as TensorFlow's tensor: from its variable, or a constant where it has none."""
        variable = self.by_digest.get(tensor.digest) if self.by_digest else None
        return tf.convert_to_tensor(tensor.array if variable is None else variable)


NO_VARIABLES = Variables({})
"""All weights are constants of the function."""


def emit(
    tf: Any, op: Op, *inputs: Any, variables: Variables = NO_VARIABLES, table: Table = EMIT
) -> tuple[Any, ...]:
    """The results of an op on tensors, as a tuple even where there is one."""
    weights = [variables.read(tf, tensor) for tensor in _weights(op)]
    results = table[type(op)](tf, op, *inputs, *weights)
    return results if isinstance(results, tuple) else (results,)


def _weights(op: Op) -> Iterator[Tensor]:
    return (getattr(op, name) for name in WEIGHTS.get(type(op), ()))


def run_graph(
    tf: Any,
    graph: Graph,
    inputs: Mapping[str, Any],
    variables: Variables = NO_VARIABLES,
    table: Table = EMIT,
) -> dict[str, Any]:
    """The graph's named outputs for named tensors; each output is a tensor of its own."""
    tensors: dict[Value, Any] = {node.value: inputs[node.name] for node in graph.inputs}
    declared = set(graph.inputs)
    for node in graph.nodes:
        if node in declared:
            continue
        with tf.name_scope(_scope(node)):
            given = (tensors[value] for value in node.inputs)
            results = emit(tf, node.op, *given, variables=variables, table=table)
        tensors.update(zip(node.values, results, strict=True))
    return {name: tf.identity(tensors[value], name=name) for name, value in graph.outputs.items()}


def _scope(node: Node) -> str:
    """The node's name as a scope, which may not begin with an underscore."""
    return node.name.lstrip("_") or node.op.mnemonic()


def input_signature(tf: Any, graph: Graph) -> tuple[Any, ...]:
    """The `tf.TensorSpec` of each input, in calling order."""
    return tuple(
        tf.TensorSpec(node.types[0].shape, node.types[0].dtype.numpy, node.name) for node in graph.inputs
    )


def make_function(tf: Any, graph: Graph, variables: Variables = NO_VARIABLES, table: Table = EMIT) -> Any:
    """The graph as a `tf.function` of its inputs, in order, which gives a dict of its outputs.

    `table` is `EMIT`, or that of a target which needs other functions for some ops.
    """
    names = [node.name for node in graph.inputs]

    def predict(*inputs: Any) -> dict[str, Any]:
        return run_graph(tf, graph, dict(zip(names, inputs, strict=True)), variables, table)

    return tf.function(predict, input_signature=input_signature(tf, graph), autograph=False)
