"""Emits graphs as TensorFlow ops, for the targets that are built with TensorFlow.

The emit functions take the TensorFlow module as an argument. Importing this package does not import
TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sensenet.backends.tensorflow import basic, convolution, tensor
from sensenet.backends.tensorflow.activation import FUNCTIONS
from sensenet.backends.tensorflow.emit import Emit
from sensenet.ir.graph import Graph, Node, Value, apply
from sensenet.ir.legality import Legal, all_of
from sensenet.ir.op import Op
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.control import While
from sensenet.ir.ops.convolution import Convolution2D, DepthwiseConvolution2D, Upsample2D
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.ops.dense import Activation, Dense
from sensenet.ir.ops.rearrangement import Lookup
from sensenet.ir.region import Region
from sensenet.ir.types import DType, Tensor, TensorType
from sensenet.passes.lowering.legalize import legalize
from sensenet.records import frozen
from sensenet.signature import Signature

Table = Mapping[type[Op], Emit]

EMIT: Table = {**basic.EMIT, **convolution.EMIT, **tensor.EMIT}
"""The emit function of each op, except loops, which are emitted region by region.

Other ops are lowered to these in the IR first.
"""


def _is_activated_by_one_op(node: Node) -> bool:
    return getattr(node.op, "activation", None) in FUNCTIONS


LEGAL: Legal = {
    **all_of(Input, While, *EMIT),
    **dict.fromkeys(
        (Dense, Convolution2D, DepthwiseConvolution2D),
        _is_activated_by_one_op,
    ),
    Activation: lambda node: getattr(node.op, "function", None) in FUNCTIONS,
    Add: lambda node: len(node.inputs) == 2,
    Upsample2D: lambda node: None not in node.inputs[0].type.shape[1:3],
}
"""The ops that a graph may have when it is emitted."""

WEIGHTS: Mapping[type[Op], tuple[str, ...]] = {
    Constant: ("value",),
    Dense: ("kernel",),
    Lookup: ("table",),
    Convolution2D: ("kernel",),
    DepthwiseConvolution2D: ("kernel",),
}
"""The attributes of ops that may be large, and so become variables."""

SMALLEST_VARIABLE = 1 << 16
"""The fewest bytes of a weight that becomes a variable."""


@frozen
class Variables:
    """Large weights as TensorFlow variables, by digest; ops with equal weights share a variable.

    TensorFlow copies a function's constants many times; with variables, a network of 100 MB is converted in
    half of the time. The variables must stay alive until the function is saved or converted.
    """

    by_digest: Mapping[str, Any]

    @classmethod
    def of(cls, tf: Any, graph: Graph) -> Variables:
        """Return the variables for a graph's large weights."""
        tensors = {tensor.digest: tensor for node in graph.nodes for tensor in _weights(node.op)}
        return cls(
            {
                digest: tf.Variable(tensor.array, trainable=False)
                for digest, tensor in tensors.items()
                if tensor.array.nbytes >= SMALLEST_VARIABLE
            }
        )

    def read(self, tf: Any, tensor: Tensor) -> Any:
        """Return a weight as a TensorFlow tensor: its variable's value, or a constant if it has none."""
        variable = self.by_digest.get(tensor.digest) if self.by_digest else None
        return tf.convert_to_tensor(tensor.array if variable is None else variable)


NO_VARIABLES = Variables({})
"""No variables: all weights are constants of the function."""


def emit(
    tf: Any, op: Op, *inputs: Any, variables: Variables = NO_VARIABLES, table: Table = EMIT
) -> tuple[Any, ...]:
    """Return the results of an op on tensors, as a tuple even if there is one."""
    if isinstance(op, While):
        return _emit_loop(tf, op, inputs, variables, table)
    weights = [variables.read(tf, tensor) for tensor in _weights(op)]
    results = table[type(op)](tf, op, *inputs, *weights)
    return results if isinstance(results, tuple) else (results,)


def _emit_loop(
    tf: Any, op: While, carried: tuple[Any, ...], variables: Variables, table: Table
) -> tuple[Any, ...]:
    def run(region: Region, given: tuple[Any, ...]) -> tuple[Any, ...]:
        names = (node.name for node in region.graph.inputs)
        return tuple(
            run_graph(tf, region.graph, dict(zip(names, given, strict=True)), variables, table).values()
        )

    results = tf.while_loop(
        lambda *given: run(op.condition, given)[0],
        lambda *given: run(op.body, given),
        carried,
        shape_invariants=tuple(tf.TensorShape(declared.shape) for declared in op.body.input_types),
    )
    return tuple(results)


def emit_lowered(tf: Any, op: Op, *inputs: Any, table: Table = EMIT, legal: Legal = LEGAL) -> tuple[Any, ...]:
    """Return the results of any op on tensors, lowered to ops that are in the table."""
    if legal.get(type(op)) is True:
        return emit(tf, op, *inputs, table=table)
    types = [TensorType(DType.of(np.empty(0, x.dtype.as_numpy_dtype)), tuple(x.shape)) for x in inputs]
    nodes = [apply(Input(type=declared), name=f"x{number}") for number, declared in enumerate(types)]
    node = apply(op, *(node.value for node in nodes))
    outputs = {f"y{number}": value for number, value in enumerate(node.values)}
    graph = legalize(legal).run(Graph.create(nodes, outputs, Signature()))
    feeds = {node.name: x for node, x in zip(nodes, inputs, strict=True)}
    return tuple(run_graph(tf, graph, feeds, table=table).values())


def _weights(op: Op) -> Iterator[Tensor]:
    return (getattr(op, name) for name in WEIGHTS.get(type(op), ()))


def run_graph(
    tf: Any,
    graph: Graph,
    inputs: Mapping[str, Any],
    variables: Variables = NO_VARIABLES,
    table: Table = EMIT,
) -> dict[str, Any]:
    """Return the graph's named outputs for named input tensors; no two outputs are the same tensor."""
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
    """Return the node's name as a scope, which may not begin with an underscore."""
    return node.name.lstrip("_") or node.op.mnemonic()


def input_signature(tf: Any, graph: Graph) -> tuple[Any, ...]:
    """Return the `tf.TensorSpec` of each input, in calling order."""
    return tuple(
        tf.TensorSpec(node.types[0].shape, node.types[0].dtype.numpy, node.name) for node in graph.inputs
    )


def make_function(tf: Any, graph: Graph, variables: Variables = NO_VARIABLES) -> Any:
    """Return the graph as a `tf.function` of its inputs, in order, which returns a dict of its outputs."""
    names = [node.name for node in graph.inputs]

    def predict(*inputs: Any) -> dict[str, Any]:
        return run_graph(tf, graph, dict(zip(names, inputs, strict=True)), variables)

    return tf.function(predict, input_signature=input_signature(tf, graph), autograph=False)
