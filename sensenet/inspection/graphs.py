"""Compares two graphs, node by node, and the tensors in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np

from sensenet.inspection.records import Change
from sensenet.ir.graph import Graph, Node
from sensenet.ir.printer import print_attribute, print_value, tensors_in
from sensenet.ir.region import Region
from sensenet.ir.types import Array, Tensor, TensorType
from sensenet.records import frozen

BLOCK = 1 << 20
"""How many numbers are compared at once, which limits memory."""


@frozen(kw_only=True)
class NodeChange:
    """A node that one graph lacks (`added` to the second, or `removed`), or that is `changed`, and how."""

    name: str
    what: str
    op: str
    changes: tuple[Change, ...] = ()


@frozen(kw_only=True)
class WeightChange:
    """A tensor that differs, with its types; if they are equal, the largest absolute difference too.

    `relative` is that difference as a share of the largest number in the first tensor.
    """

    name: str
    first: str
    second: str
    absolute: float | None = None
    relative: float | None = None


def compare_nodes(first: Graph, second: Graph) -> Iterator[NodeChange]:
    """Yield the nodes that differ; nodes correspond if they have the same name."""
    mine, others = _by_name(first), _by_name(second)
    for name, node in mine.items():
        if name not in others:
            yield NodeChange(name=name, what="removed", op=node.op.mnemonic())
        elif changes := tuple(_compare_node(node, others[name])):
            yield NodeChange(name=name, what="changed", op=node.op.mnemonic(), changes=changes)
    for name, node in others.items():
        if name not in mine:
            yield NodeChange(name=name, what="added", op=node.op.mnemonic())
    outputs = [{name: print_value(value) for name, value in each.outputs.items()} for each in (first, second)]
    for name in dict.fromkeys([*outputs[0], *outputs[1]]):
        texts = [each.get(name, "") for each in outputs]
        if texts[0] != texts[1]:
            change = Change(path="value", first=texts[0], second=texts[1])
            yield NodeChange(name=name, what="changed", op="output", changes=(change,))


def compare_weights(first: Graph, second: Graph, tolerance: float) -> Iterator[WeightChange]:
    """Yield the tensors of corresponding nodes with the same op that differ by more than a tolerance."""
    others = _by_name(second)
    for name, node in _by_name(first).items():
        other = others.get(name)
        if other is None or type(other.op) is not type(node.op):
            continue
        tensors, found = _tensors(node), _tensors(other)
        for each in dict.fromkeys([*tensors, *found]):
            change = _compare_tensors(f"{name}.{each}", tensors.get(each), found.get(each))
            if change and not (change.absolute is not None and change.absolute <= tolerance):
                yield change


def _by_name(graph: Graph) -> dict[str, Node]:
    return {node.name: node for node in graph.nodes}


def _compare_node(first: Node, second: Node) -> Iterator[Change]:
    texts = [
        {
            "op": node.op.mnemonic(),
            "inputs": ", ".join(map(print_value, node.inputs)),
            "types": ", ".join(map(str, node.types)),
        }
        for node in (first, second)
    ]
    if type(first.op) is type(second.op):
        texts = [text | _attributes(node) for text, node in zip(texts, (first, second), strict=True)]
    for name in texts[0]:
        if name in texts[1] and texts[0][name] != texts[1][name]:
            yield Change(path=name, first=texts[0][name], second=texts[1][name])


def _attributes(node: Node) -> dict[str, str]:
    """Return the text of each attribute of a node but tensors, which `compare_weights` compares."""
    values = _values(node).items()
    return {name: _print_form(value) for name, value in values if not isinstance(value, Tensor)}


def _print_form(value: Any) -> str:
    """Return the text of an attribute, in which tensors are their types."""
    match value:
        case Tensor():
            return str(value.type)
        case tuple():
            return f"({', '.join(map(_print_form, value))})"
        case Region(graph=graph):
            return "; ".join(f"{node.name} = {node.op.mnemonic()}{_attributes(node)}" for node in graph.nodes)
        case _ if attrs.has(type(value)) and not isinstance(value, TensorType):
            return str(
                {each.name: _print_form(getattr(value, each.name)) for each in attrs.fields(type(value))}
            )
    return print_attribute(value)


def _values(node: Node) -> dict[str, Any]:
    op: Any = node.op
    return {field.name: getattr(op, field.name) for field in attrs.fields(type(op))}


def _tensors(node: Node) -> dict[str, Tensor]:
    """Return the tensors of a node by name of attribute, with a number if it holds several."""
    found: dict[str, Tensor] = {}
    for name, value in _values(node).items():
        tensors = list(tensors_in(value))
        single = len(tensors) == 1
        found |= {name if single else f"{name}[{n}]": tensor for n, tensor in enumerate(tensors)}
    return found


def _compare_tensors(name: str, first: Tensor | None, second: Tensor | None) -> WeightChange | None:
    """Return the difference of two tensors; None if all numbers are equal, or both NaN."""
    types = ["none" if each is None else str(each.type) for each in (first, second)]
    if first is None or second is None or first.type != second.type:
        return WeightChange(name=name, first=types[0], second=types[1])
    absolute = largest_gap(first.array, second.array)
    if absolute == 0:
        return None
    relative = absolute / first.largest if first.largest else None
    return WeightChange(name=name, first=types[0], second=types[1], absolute=absolute, relative=relative)


def largest_gap(first: Array, second: Array) -> float:
    """Return the largest absolute difference of two arrays of one shape; infinite if one alone is NaN."""
    largest = 0.0
    one, other = first.reshape(-1), second.reshape(-1)
    for start in range(0, one.size, BLOCK):
        a, b = (each[start : start + BLOCK].astype(np.float64) for each in (one, other))
        with np.errstate(invalid="ignore"):
            gaps = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        largest = max(largest, float(np.where(np.isnan(gaps), np.inf, gaps).max(initial=0.0)))
    return largest
