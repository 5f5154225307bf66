"""eliminate-common-subexpressions: equal ops on equal inputs are computed once.

    %1 = dense(%0) {kernel=#9f3a…:f32[64,10], …} : f32[?,10]
    %2 = dense(%0) {kernel=#9f3a…:f32[64,10], …} : f32[?,10]
    %3 = add(%1, %2) {} : f32[?,10]
becomes
    %1 = dense(%0) {kernel=#9f3a…:f32[64,10], …} : f32[?,10]
    %3 = add(%1, %1) {} : f32[?,10]

Valid because ops are pure, and weights compare by content. Must not fire for inputs of the graph, which
differ by name, nor for weights that differ in a single bit. One sweep is enough: bottom-up, the inputs of a
node are already replaced. Weights are hashed only for ops that are equal without them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sensenet.ir.graph import Graph, Node, Value, rebuild
from sensenet.ir.op import Op
from sensenet.ir.region import map_regions
from sensenet.passes.infrastructure.rules import Pass


def eliminate_common_subexpressions(graph: Graph) -> Graph:
    """Return the graph with the first of several equal nodes instead of all, in regions too."""
    graph = map_regions(graph, eliminate_common_subexpressions)
    seen: dict[tuple[type[Op], tuple[Value, ...]], list[Node]] = defaultdict(list)

    def represent(node: Node) -> Sequence[Value]:
        alike = seen[type(node.op), node.inputs]
        for earlier in alike:
            if earlier.op == node.op:
                return earlier.values
        alike.append(node)
        return node.values

    return rebuild(graph, represent)


PASS = Pass(name="eliminate-common-subexpressions", run=eliminate_common_subexpressions)
