"""The shared lowering of graphs to TensorFlow, for the targets that are made through it.

The emit functions use only ops that TFLite's builtins and TensorFlow.js have, so that no target needs custom
or Flex ops. They take the TensorFlow module as an argument: importing this package does not import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensenet.backends.lowering import basic, convolution, detection, image
from sensenet.backends.lowering.emit import Emit
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops.core import Input

EMIT: Mapping[type[Op], Emit] = {**basic.EMIT, **convolution.EMIT, **image.EMIT, **detection.EMIT}
"""Every op that the lowering takes. Forests and one-hot encodings become other ops in the IR first."""

LEGAL: frozenset[type[Op]] = frozenset(EMIT) | {Input}
"""The ops that a graph may hold when it is lowered."""


def emit(tf: Any, op: Op, *inputs: Any) -> tuple[Any, ...]:
    """The results of an op on tensors, as a tuple even where there is one."""
    results = EMIT[type(op)](tf, op, *inputs)
    return results if isinstance(results, tuple) else (results,)


def run_graph(tf: Any, graph: Graph, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The graph's named outputs for named tensors; each output is a tensor of its own."""
    tensors: dict[Value, Any] = {node.value: inputs[node.name] for node in graph.inputs}
    declared = set(graph.inputs)
    for node in graph.nodes:
        if node in declared:
            continue
        with tf.name_scope(_scope(node)):
            results = emit(tf, node.op, *(tensors[value] for value in node.inputs))
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


def make_function(tf: Any, graph: Graph) -> Any:
    """The graph as a `tf.function` of its inputs, in order, which gives a dict of its outputs."""
    names = [node.name for node in graph.inputs]

    def predict(*inputs: Any) -> dict[str, Any]:
        return run_graph(tf, graph, dict(zip(names, inputs, strict=True)))

    return tf.function(predict, input_signature=input_signature(tf, graph), autograph=False)
