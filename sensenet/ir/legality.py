"""Describes which nodes a target supports, and checks graphs for others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from sensenet.errors import UnsupportedOpError
from sensenet.ir.graph import Graph, Node
from sensenet.ir.op import Op
from sensenet.ir.region import regions_of

Accepts = Callable[[Node], bool]

Legal = Mapping[type[Op], Accepts | Literal[True]]
"""The ops that a target supports: all nodes of an op, or those for which the function returns true."""


def all_of(*classes: type[Op]) -> Legal:
    """Return the legality of all nodes of these ops."""
    return dict.fromkeys(classes, True)


def every_op() -> Legal:
    """Return every node of every op."""
    from sensenet.ir.ops.table import OP_CLASSES

    return all_of(*OP_CLASSES)


def is_legal(node: Node, legal: Legal) -> bool:
    """Return whether a target supports a node; the nodes of its regions are not checked."""
    accepts = legal.get(type(node.op))
    return accepts is True or (accepts is not None and accepts(node))


def illegal_nodes(graph: Graph, legal: Legal) -> Iterable[Node]:
    """Yield the nodes of a graph, and of its regions, that a target does not support."""
    for node in graph.nodes:
        if not is_legal(node, legal):
            yield node
        for region in regions_of(node.op):
            yield from illegal_nodes(region.graph, legal)


def require_legal(graph: Graph, legal: Legal, stage: str) -> None:
    """Raise UnsupportedOpError, naming op and node, unless a target supports every node of the graph."""
    for node in illegal_nodes(graph, legal):
        raise UnsupportedOpError(f"{stage} does not support {node.op.mnemonic()} (node {node.name!r})")
