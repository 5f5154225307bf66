"""What nodes of an ONNX graph hold and read, in their loops too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


def bodies_of(nodes: Iterable[Any]) -> Iterator[Any]:
    """Yield the graphs that nodes hold: the bodies of loops."""
    return (each.g for node in nodes for each in node.attribute if each.HasField("g"))


def read_by(node: Any) -> Iterator[str]:
    """Yield the names that a node reads, in its loops too."""
    yield from node.input
    for body in bodies_of([node]):
        for inner in body.node:
            yield from read_by(inner)
