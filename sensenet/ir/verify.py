"""Checks that a graph is well formed."""

from __future__ import annotations

import re
from collections.abc import Collection

from sensenet.errors import VerifyError
from sensenet.ir.graph import Graph, Node, Value, infer_types
from sensenet.ir.ops.control import While
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.ops.rearrangement import Lookup
from sensenet.ir.ops.tabular import Forest
from sensenet.ir.printer import print_node, tensors_of
from sensenet.ir.region import regions_of
from sensenet.ir.sharing import Shares, require_shareable

MAY_BE_INFINITE = (Constant, Forest, Lookup, While)
"""Ops whose tensors may be infinite, such as thresholds, because they are not multiplied.

The tensors of a region are checked with the region's nodes.
"""

_NAME = re.compile(r"[A-Za-z_][\w.]*\Z", re.ASCII)


def verify(graph: Graph, known: Collection[Node] = ()) -> None:
    """Raise VerifyError unless the graph is well formed.

    That is: stored types are those that the ops infer, every input node is declared, names are unique and
    printable, weights are finite, nodes that share have equal ops, there is an output, and regions are well
    formed. Immutable nodes cannot form a cycle. Checks of single nodes are skipped for the `known` nodes,
    which were checked before. The error shows the node's line.
    """
    _check_outputs(graph)
    declared = set(graph.inputs)
    names: set[str] = set()
    sharing: dict[Shares, Node] = {}
    for node in graph.nodes:
        if isinstance(node.op, Input) is not (node in declared):
            raise _error(node, "an Input node must be among the graph's inputs, and no other node")
        if node.name in names or not _NAME.match(node.name):
            raise _error(node, f"the name {node.name!r} is not unique, or not a valid name")
        names.add(node.name)
        if node.shares is not None:
            _check_shares(node, node.shares, sharing.setdefault(node.shares, node))
        if node not in known:
            _check_node(node)


def _check_node(node: Node) -> None:
    """Raise VerifyError unless the node is valid for its inputs, independently of the graph."""
    for value in node.inputs:
        _check_value(value)
    for region in regions_of(node.op):
        verify(region.graph)
    if not isinstance(node.op, MAY_BE_INFINITE) and not all(t.finite for t in tensors_of(node.op)):
        raise _error(node, "a weight is NaN or infinite")
    try:
        types = infer_types(node.op, node.inputs)
    except VerifyError as error:
        raise _error(node, str(error)) from error
    if types != node.types:
        raise _error(node, f"the op infers {', '.join(map(str, types))}")


def _check_shares(node: Node, shares: Shares, first: Node) -> None:
    """Raise VerifyError unless the node may share this with `first`, the first node that does."""
    if not _NAME.match(shares.name):
        raise _error(node, f"it shares {shares.name[:80]!r}, which is not a name")
    try:
        require_shareable(node.op, first)
    except VerifyError as error:
        raise _error(node, str(error)) from error


def _check_outputs(graph: Graph) -> None:
    if not graph.outputs:
        raise VerifyError("the graph has no outputs")
    for name, value in graph.outputs.items():
        if not _NAME.match(name):
            raise VerifyError(f"the output name {name!r} is not a valid name")
        _check_value(value)


def _check_value(value: Value) -> None:
    if not 0 <= value.index < len(value.node.types):
        raise _error(value.node, f"{value.node.name} has no result {value.index}")


def _error(node: Node, message: str) -> VerifyError:
    return VerifyError(f"{message}\n  {print_node(node)[:400]}")
