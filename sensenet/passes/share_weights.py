"""share-weights: make equal layers one, with one copy of their weights.

    %a = convolution_2d(%0) {kernel=#9f3a…, …} : f32[?,8,8,4]
    %b = convolution_2d(%1) {kernel=#9f3a…, …} : f32[?,8,8,4]
becomes
    %a = convolution_2d(%0) {kernel=#9f3a…, …} : f32[?,8,8,4] shares layer a
    %b = convolution_2d(%1) {kernel=#9f3a…, …} : f32[?,8,8,4] shares layer a

All images of a row go through one image network, whose layers share their weights when they are imported.
Passes that change weights replace equal ops by equal ops, each with its own arrays. Afterwards memory holds
them once, and a Keras layer is created once and applied several times. Other ops with tensors, which are not
layers, keep one copy of those too. Layers that are no longer equal to others share nothing.

Valid because ops never change. Must not fire for weights that differ in a single bit. They are hashed only
for ops whose first few weights are the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from sensenet.ir.graph import Graph, Node, Value, apply, rebuild
from sensenet.ir.op import Op
from sensenet.ir.printer import tensors_of
from sensenet.ir.sharing import Part, Shares
from sensenet.passes.infrastructure.rules import Pass

COMPARED = 16
"""Numbers of each weight that are compared before all are hashed."""


def share_weights(graph: Graph) -> Graph:
    """Return the graph with the first of several equal ops with weights instead of all."""
    first = _find_equal(graph)
    count = Counter(first.values())
    names = {node.name: other for node, other in first.items()}

    def share(node: Node) -> Sequence[Value]:
        if node.name not in names:
            return node.values
        other = names[node.name]
        several = other.op.trainable and count[other] > 1
        shares = Shares(Part.LAYER, other.name) if several else None
        if node.op is other.op and node.shares == shares:
            return node.values
        return apply(other.op, *node.inputs, name=node.name, shares=shares).values

    return rebuild(graph, share)


def _find_equal(graph: Graph) -> dict[Node, Node]:
    """Return the first node with an equal op for each node whose op has tensors."""
    seen: dict[object, list[Node]] = defaultdict(list)
    first: dict[Node, Node] = {}
    for node in graph.nodes:
        outline = _outline(node.op)
        if not outline:
            continue
        alike = seen[type(node.op), outline]
        first[node] = next((other for other in alike if _is_equal(other.op, node.op)), node)
        if first[node] is node:
            alike.append(node)
    return first


def _is_equal(op: Op, other: Op) -> bool:
    return op is other or op == other


def _outline(op: Op) -> tuple[object, ...]:
    """Return a key that equal ops share and different ones rarely: shape and first numbers of each weight."""
    return tuple((tensor.shape, tensor.array.reshape(-1)[:COMPARED].tobytes()) for tensor in tensors_of(op))


PASS = Pass(name="share-weights", run=share_weights)
