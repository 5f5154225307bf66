"""The weights of a graph's layers, by Keras' names and in Keras' order.

Keras orders the layers of a functional model by depth, the length of the longest path from a layer to an
output: the deepest come first, and layers of one depth in the order in which a depth-first search from the
outputs finds them. Every node of an imported graph counts as one layer, as in models of the published
package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import attrs

from sensenet.errors import ArtifactError
from sensenet.ir.graph import Graph, Node, Value, apply, rebuild
from sensenet.ir.op import Op
from sensenet.ir.ops.dense import BatchNormalization, Dense
from sensenet.ir.sharing import still_shared
from sensenet.ir.types import Tensor
from sensenet.layer_schema import OP_WEIGHTS


def weighted_nodes(graph: Graph) -> list[Node]:
    """Return the nodes that have weights, in Keras' order of layers."""
    depths, ranks = _depths(graph), _ranks(graph)
    nodes = (node for node in graph.nodes if type(node.op) in OP_WEIGHTS)
    return sorted(nodes, key=lambda node: (-depths[node], ranks[node]))


def _depths(graph: Graph) -> Counter[Node]:
    """Return the number of nodes on the longest path from each node to an output without readers."""
    depths: Counter[Node] = Counter()
    for node in reversed(graph.nodes):
        for value in node.inputs:
            depths[value.node] = max(depths[value.node], depths[node] + 1)
    return depths


def _ranks(graph: Graph) -> dict[Node, int]:
    """Return the position of each node in the search: before its inputs, and these in order."""
    ranks: dict[Node, int] = {}
    pending = [value.node for value in graph.outputs.values()][::-1]
    while pending:
        node = pending.pop()
        if node not in ranks:
            ranks[node] = len(ranks)
            pending += [value.node for value in reversed(node.inputs)]
    return ranks


def get_weights(op: Op) -> dict[str, Tensor]:
    """Return an op's weights by Keras' names; a dense layer without a bias has one of zeros."""
    weights = {weight.keras: getattr(op, weight.attribute) for weight in OP_WEIGHTS[type(op)]}
    if isinstance(op, Dense) and op.bias is None:
        weights["bias"] = Tensor.float32([0.0] * op.units)
    return {name: tensor for name, tensor in weights.items() if tensor is not None}


def set_weights(op: Op, weights: Mapping[str, Tensor]) -> Op:
    """Return the op with other weights, given by Keras' names; a bias of zeros is not added."""
    changes = {
        weight.attribute: weights[weight.keras] for weight in OP_WEIGHTS[type(op)] if weight.keras in weights
    }
    if isinstance(op, Dense) and op.bias is None and not changes["bias"].array.any():
        del changes["bias"]
    changed: Op = attrs.evolve(op, **changes)  # type: ignore[misc]  # every op is an attrs class
    return changed


def require_roots(op: Op, where: str) -> None:
    """Raise ArtifactError for a batch normalization unless variance + epsilon is positive."""
    if isinstance(op, BatchNormalization) and not (op.variance.float64 + op.epsilon > 0).all():
        raise ArtifactError(f"{where} has a variance below 0")


def replace_ops(graph: Graph, ops: Mapping[str, Op]) -> Graph:
    """Return the graph with other ops, given by node name; nodes share as long as their ops are equal."""
    chosen = {node: ops.get(node.name, node.op) for node in graph.nodes}
    sharing = still_shared(chosen)
    changed = {
        node.name: (op, sharing.get(node))
        for node, op in chosen.items()
        if op is not node.op or sharing.get(node) != node.shares
    }

    def replace(node: Node) -> tuple[Value, ...]:
        if node.name not in changed:
            return node.values
        op, shares = changed[node.name]
        return apply(op, *node.inputs, name=node.name, shares=shares).values

    return rebuild(graph, replace)
