"""The operators of a quantized graph: nodes that a target computes with whole numbers, each as one."""

from __future__ import annotations

from collections.abc import Iterable

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.ops.arithmetic import Add, Divide, Multiply, Subtract
from sensenet.ir.ops.core import Constant
from sensenet.ir.ops.dense import Activation
from sensenet.ir.ops.pooling import AveragePool2D, MaxPool2D
from sensenet.ir.types import DType
from sensenet.records import frozen

ABSORBING = (Add, Subtract, Multiply, Divide, MaxPool2D, AveragePool2D)
"""The ops, besides layers, whose operators may end with one of ENDS."""

ENDS = (ActivationFunction.LINEAR, ActivationFunction.RELU, ActivationFunction.RELU6)


@frozen(kw_only=True)
class Operator:
    """A node, and the activation that alone reads it, or the node again: `last` has the result."""

    node: Node
    last: Node

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The numbers that are quantized, f32, but for constants."""
        return tuple(value for value in self._numbers if not isinstance(value.op, Constant))

    @property
    def constants(self) -> tuple[Value, ...]:
        """The constants that are quantized, for this operator alone."""
        return tuple(value for value in self._numbers if isinstance(value.op, Constant))

    @property
    def _numbers(self) -> tuple[Value, ...]:
        return tuple(value for value in self.node.inputs if value.type.dtype is DType.FLOAT32)

    @property
    def result(self) -> Value:
        return self.last.value


def find_operators(graph: Graph, nodes: Iterable[Node]) -> list[Operator]:
    """Return the operators that these nodes are, in the graph's order."""
    chosen = set(nodes)
    ends = {
        node.inputs[0].node: node for node in graph.nodes if node in chosen and may_be_absorbed(graph, node)
    }
    ends = {inner: last for inner, last in ends.items() if inner in chosen}
    absorbed = set(ends.values())
    return [
        Operator(node=node, last=ends.get(node, node))
        for node in graph.nodes
        if node in chosen and node not in absorbed
    ]


def may_be_absorbed(graph: Graph, node: Node) -> bool:
    """Return whether a node is an activation that the operator before it can absorb."""
    if not isinstance(node.op, Activation) or node.op.function not in ENDS:
        return False
    (x,) = node.inputs
    return graph.uses[x] == 1 and isinstance(x.op, ABSORBING)
