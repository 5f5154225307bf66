"""A graph that is an attribute of an op, such as the body of a loop."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import numpy as np

from sensenet.ir.evaluate import Program, prepare
from sensenet.ir.graph import Graph, Node, Value, apply, rebuild, same_graph
from sensenet.ir.op import Op
from sensenet.ir.types import TensorType
from sensenet.signature import Signature


class Region:
    """An immutable graph without a signature; regions with the same nodes, names and weights are equal.

    A region reads only its inputs, no values of the graph around it. Unlike other data, it is not an attrs
    class: Keras 2 searches attrs objects of its layers recursively, and would not end.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @classmethod
    def create(cls, inputs: Any, outputs: Any) -> Region:
        """Return a region of input nodes and named values."""
        return cls(Graph.create(inputs, outputs, Signature()))

    @property
    def input_types(self) -> tuple[TensorType, ...]:
        return tuple(node.types[0] for node in self.graph.inputs)

    @property
    def output_types(self) -> tuple[TensorType, ...]:
        return tuple(value.type for value in self.graph.outputs.values())

    @functools.cached_property
    def program(self) -> Program:
        """The region, prepared to run."""
        return prepare(self.graph)

    def run(self, *arrays: Any) -> tuple[Any, ...]:
        """Return the outputs, in order, for the inputs, in order."""
        names = (node.name for node in self.graph.inputs)
        inputs = {name: np.asarray(array) for name, array in zip(names, arrays, strict=True)}
        return tuple(self.program(inputs).values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Region):
            return NotImplemented
        return self is other or same_graph(self.graph, other.graph)

    def __hash__(self) -> int:
        return hash(tuple((node.name, type(node.op), node.types) for node in self.graph.nodes))

    def __repr__(self) -> str:
        return f"<Region {self.graph!r}>"


@functools.cache
def _fields_of(op_class: Any) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(op_class) if field.type in (Region, Region.__name__))


def _region_fields(op_class: type[Op]) -> tuple[str, ...]:
    """Return the names of the attributes that are regions."""
    return _fields_of(op_class)  # type: ignore[arg-type]  # mypy takes a class's hash for its instances'


def regions_of(op: Op) -> Iterator[Region]:
    """Yield the regions among an op's attributes."""
    return (getattr(op, name) for name in _region_fields(type(op)))


def map_regions(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """Return the graph with `change` applied to the regions of its ops; the same object if none changes."""

    def replace(node: Node) -> Sequence[Value]:
        changed = {
            name: Region(after)
            for name in _region_fields(type(node.op))
            if (after := change(inner := getattr(node.op, name).graph)) is not inner
        }
        if not changed:
            return node.values
        op: Op = attrs.evolve(node.op, **changed)  # type: ignore[misc]
        return apply(op, *node.inputs, name=node.name).values

    return rebuild(graph, replace) if any(_region_fields(op_class) for op_class in graph.ops) else graph
