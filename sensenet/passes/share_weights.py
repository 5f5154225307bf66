"""share-weights: let equal layers share one copy of their weights.

    %a = convolution_2d(%0) {kernel=#9f3a…, …} : f32[?,8,8,4]
    %b = convolution_2d(%1) {kernel=#9f3a…, …} : f32[?,8,8,4]
prints the same afterwards, but both nodes hold the same op, and so the same arrays.

All images of a row go through one image network, whose nodes hold the same ops when they are imported. Passes
that change weights replace equal ops by equal ops, each with its own arrays. Afterwards memory holds them
once, and backends find equal weights by identity: a Keras layer is created once and applied several times.

Valid because ops never change. Must not fire for weights that differ in a single bit. They are hashed only
for ops whose first few weights are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sensenet.ir.graph import Graph, Node, Value, apply, rebuild
from sensenet.ir.op import Op
from sensenet.ir.printer import tensors_of
from sensenet.passes.infrastructure.rules import Pass

COMPARED = 16
"""Numbers of each weight that are compared before all are hashed."""


def share_weights(graph: Graph) -> Graph:
    """Return the graph with the first of several equal ops with weights instead of all."""
    seen: dict[object, list[Op]] = defaultdict(list)

    def share(node: Node) -> Sequence[Value]:
        outline = _outline(node.op)
        if not outline:
            return node.values
        alike = seen[type(node.op), outline]
        for op in alike:
            if op is node.op:
                return node.values
            if op == node.op:
                return apply(op, *node.inputs, name=node.name).values
        alike.append(node.op)
        return node.values

    return rebuild(graph, share)


def _outline(op: Op) -> tuple[object, ...]:
    """Return a key that equal ops share and different ones rarely: shape and first numbers of each weight."""
    return tuple((tensor.shape, tensor.array.reshape(-1)[:COMPARED].tobytes()) for tensor in tensors_of(op))


PASS = Pass(name="share-weights", run=share_weights)
