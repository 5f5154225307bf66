"""What a target takes: ops, all nodes of them or some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from sensenet.errors import UnsupportedOpError
from sensenet.ir.graph import Graph, Node
from sensenet.ir.op import Op
from sensenet.ir.region import regions_of

Accepts = Callable[[Node], bool]

Legal = Mapping[type[Op], Accepts | Literal[True]]
"""The ops that a target takes: all nodes of an op, or those for which a function says so."""


def all_of(*classes: type[Op]) -> Legal:
    """Return every node of these ops."""
    return dict.fromkeys(classes, True)


def is_legal(node: Node, legal: Legal) -> bool:
    """Return whether a target takes a node; what its regions hold is another question."""
    accepts = legal.get(type(node.op))
    return accepts is True or (accepts is not None and accepts(node))


def illegal_nodes(graph: Graph, legal: Legal) -> Iterable[Node]:
    """Yield the nodes of a graph, and of its regions, that a target does not take."""
    for node in graph.nodes:
        if not is_legal(node, legal):
            yield node
        for region in regions_of(node.op):
            yield from illegal_nodes(region.graph, legal)


def require_legal(graph: Graph, legal: Legal, stage: str) -> None:
    """Raise UnsupportedOpError, naming op and node, unless a target takes every node of the graph."""
    for node in illegal_nodes(graph, legal):
        raise UnsupportedOpError(f"{stage} does not take {node.op.mnemonic()} (node {node.name!r})")
