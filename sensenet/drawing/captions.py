"""Texts of a node in drawings: short lines for its box, all details for a tooltip."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Any

import attrs

from sensenet.ir.cost import multiply_adds, parameters
from sensenet.ir.graph import Graph, Node
from sensenet.ir.op import Op
from sensenet.ir.ops.core import Constant
from sensenet.ir.printer import print_attribute, print_value
from sensenet.ir.types import Tensor
from sensenet.plain_text import cut
from sensenet.records import frozen

LONGEST_TEXT = 120
"""The most characters of an attribute in a tooltip."""

UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]"
)
"""Characters that are invalid in XML or UTF-8, control terminals, or turn the direction of a text."""


@frozen
class Caption:
    """The texts of a box: op and type on the first line, the name, the most important attributes."""

    op: str
    type: str
    name: str
    attributes: str


def make_caption(node: Node) -> Caption:
    """Return the caption of a node's box."""
    more = f" +{len(node.types) - 1}" if len(node.types) > 1 else ""
    changed = () if isinstance(node.op, Constant) else changed_attributes(node.op)
    shown = (_brief(name, value) for name, value in changed)
    return Caption(
        op=node.op.mnemonic(),
        type=f"{node.types[0]}{more}",
        name=node.name,
        attributes=" · ".join(text for text in shown if text),
    )


def make_title(graph: Graph) -> str:
    """Return the name of the model, shortened if it is long, or "Unnamed" and its kind."""
    return cut(graph.signature.name, LONGEST_TEXT) or f"Unnamed {graph.signature.kind.value}"


def family(op: Op) -> str:
    """Return the module that declares an op, such as tabular, dense, convolution or arithmetic."""
    return type(op).__module__.rpartition(".")[2]


def changed_attributes(op: Op) -> Iterator[tuple[str, Any]]:
    """Return name and value of the attributes that differ from their default."""
    for field in attrs.fields(type(op)):  # type: ignore[arg-type]
        value = getattr(op, field.name)
        if value != field.default:
            yield field.name, value


def print_briefly(value: Any, longest: int = LONGEST_TEXT) -> str:
    """Return the text of an attribute, shortened if it is long; a tensor is shown as its type."""
    return cut(str(value.type) if isinstance(value, Tensor) else print_attribute(value), longest)


def describe(node: Node) -> str:
    """Return all details, one per line: op, inputs, attributes, types of the results, costs."""
    inputs = ", ".join(map(print_value, node.inputs))
    attributes = [f"{name} = {print_briefly(value)}" for name, value in changed_attributes(node.op)]
    types = ", ".join(map(str, node.types))
    costs = [f"{parameters(node):,} parameters"] if parameters(node) else []
    costs += [f"{multiply_adds(node):,} multiply-adds"] if multiply_adds(node) else []
    return "\n".join([node.name, f"{node.op.mnemonic()}({inputs}) : {types}", *attributes, *costs])


def _brief(name: str, value: Any) -> str:
    """Return a word or two for an attribute; nothing for vectors of weights and types of inputs."""
    match value:
        case Tensor():
            return f"{name} {_sizes(value.shape)}" if len(value.shape) > 1 else ""
        case enum.Enum():
            return str(value.value)
        case int() | float() | str():
            return f"{name} {value}"
        case tuple() if value and all(isinstance(item, int) for item in value):
            return f"{name} {_sizes(value)}"
        case tuple():
            return f"{name} {print_attribute(value)}"
    return ""


def _sizes(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes))


def printable(text: str) -> str:
    """Return the text with � for each of UNPRINTABLE, which would break a file or hide a text."""
    return UNPRINTABLE.sub("�", text)
