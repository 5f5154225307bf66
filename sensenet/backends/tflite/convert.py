"""Converts a graph to the object tree of a TensorFlow Lite flatbuffer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import Factory, evolve, frozen

from sensenet.backends.tflite.emit import EMIT, TYPES
from sensenet.backends.tflite.flatbuffer import import_schema
from sensenet.backends.tflite.kinds import options_of
from sensenet.backends.tflite.layer_operators import FUSED_NAMES
from sensenet.backends.tflite.operators import FUSED, Operand, Operator, integers
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.ops.basic import Add, Divide, Multiply, Subtract
from sensenet.ir.ops.convolution import AveragePool2D, MaxPool2D
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.ops.dense import Activation
from sensenet.ir.types import Array, DType, TensorType

SCHEMA_VERSION = 3

DESCRIPTION = "Made by sensenet."

ENUMERATIONS: Mapping[str, str] = {
    "fusedActivationFunction": "ActivationFunctionType",
    "padding": "Padding",
    "inDataType": "TensorType",
    "outDataType": "TensorType",
    "outputType": "TensorType",
    "outType": "TensorType",
}
"""The options that are enumerations, and the names of those."""

COMPARED = 16
"""Numbers of a constant that are compared before all are."""

ACTIVATABLE = (Add, Subtract, Multiply, Divide, MaxPool2D, AveragePool2D)
"""The ops, besides layers, whose operators may end with an activation."""


def convert(graph: Graph) -> Any:
    """Return the graph as the `ModelT` of a TensorFlow Lite model of builtin ops only, without our metadata.

    Inputs and outputs have the graph's order.
    """
    writer = Writer.create()
    writer.add_subgraph(graph, "main")
    return writer.tree


@frozen
class Writer:
    """The tree that subgraphs are added to."""

    schema: Any
    tree: Any
    codes: dict[str, int] = Factory(dict)
    buffers: dict[object, list[tuple[int, Array]]] = Factory(lambda: defaultdict(list))

    @classmethod
    def create(cls) -> Writer:
        """Return a writer of a model without subgraphs; buffer 0 means no buffer."""
        schema = import_schema()
        tree = schema.ModelT()
        tree.version, tree.description = SCHEMA_VERSION, DESCRIPTION
        tree.operatorCodes, tree.subgraphs, tree.buffers = [], [], [schema.BufferT()]
        return cls(schema, tree)

    def add_subgraph(self, graph: Graph, name: str) -> int:
        """Add a graph and the regions of its loops, and return its number."""
        number, written = len(self.tree.subgraphs), self.schema.SubGraphT()
        self.tree.subgraphs.append(written)
        written.name, written.tensors = name, []
        numbers: dict[object, int] = {}
        names: set[str] = set()

        def place(operand: Value | Array) -> int:
            if isinstance(operand, Value) and isinstance(operand.op, Constant):
                operand = operand.op.value.array
            if isinstance(operand, Value):
                key: object = operand
                name, declared, buffer = operand.node.name, operand.type, 0
            else:
                name, buffer = str(len(numbers)), self._buffer(operand)
                declared = TensorType(DType.of(operand), operand.shape)
                key = (declared, buffer)
            if key not in numbers:
                numbers[key] = len(numbers)
                unique = name if name not in names else f"{name}/{numbers[key]}"
                names.add(unique)
                written.tensors.append(self._tensor(declared, unique, buffer))
            return numbers[key]

        def places(operands: Iterable[Operand]) -> Array:
            return integers([-1 if operand is None else place(operand) for operand in operands])

        written.inputs = places(node.value for node in graph.inputs)
        written.operators = [
            self._operator(each, places(each.inputs), places(results)) for each, results in _operators(graph)
        ]
        written.outputs = places(graph.outputs.values())
        return number

    def _tensor(self, declared: TensorType, name: str, buffer: int) -> Any:
        tensor = self.schema.TensorT()
        tensor.name, tensor.hasRank = name, True
        tensor.shape = integers([1 if size is None else size for size in declared.shape])
        if None in declared.shape:
            tensor.shapeSignature = integers([-1 if size is None else size for size in declared.shape])
        tensor.type = getattr(self.schema.TensorType, TYPES[declared.dtype])
        tensor.buffer = buffer
        return tensor

    def _buffer(self, array: Array) -> int:
        """Return the number of the buffer with this content."""
        bits = array.view(f"u{array.itemsize}")
        alike = self.buffers[array.nbytes, bits.flat[:COMPARED].tobytes()]
        for number, other in alike:
            if bits.size <= COMPARED or _are_equal(bits, other):
                return number
        alike.append((len(self.tree.buffers), bits))
        buffer = self.schema.BufferT()
        buffer.data = array
        self.tree.buffers.append(buffer)
        return alike[-1][0]

    def _operator(self, operator: Operator, inputs: Array, outputs: Array) -> Any:
        written = self.schema.OperatorT()
        written.opcodeIndex = self._code(operator.kind)
        written.inputs, written.outputs = inputs, outputs
        options = {name: self._option(name, value) for name, value in operator.options.items()}
        if operator.regions:
            names = ("condSubgraphIndex", "bodySubgraphIndex")
            options |= {
                name: self.add_subgraph(region.graph, name.removesuffix("SubgraphIndex"))
                for name, region in zip(names, operator.regions, strict=True)
            }
        if options:
            table = options_of(operator.kind)
            written.builtinOptionsType = getattr(self.schema.BuiltinOptions, table)
            written.builtinOptions = getattr(self.schema, f"{table}T")()
            for name, value in options.items():
                setattr(written.builtinOptions, name, value)
        return written

    def _option(self, name: str, value: Any) -> Any:
        return getattr(getattr(self.schema, ENUMERATIONS[name]), value) if name in ENUMERATIONS else value

    def _code(self, kind: str) -> int:
        """Return the number of an operator code; `declare_versions` makes one for each version of it."""
        if kind not in self.codes:
            self.codes[kind] = len(self.codes)
            code = self.schema.OperatorCodeT()
            code.builtinCode = getattr(self.schema.BuiltinOperator, kind)
            self.tree.operatorCodes.append(code)
        return self.codes[kind]


def _operators(graph: Graph) -> Iterator[tuple[Operator, Sequence[Value]]]:
    """Yield the operators in order with their results; a relu that alone reads a sum is part of it."""
    fused = {node.inputs[0]: node for node in graph.nodes if _may_be_fused(graph, node)}
    absorbed = set(fused.values())
    for node in graph.nodes:
        if isinstance(node.op, Input | Constant) or node in absorbed:
            continue
        made = EMIT[type(node.op)](node.op, node)
        last = fused.get(node.value)
        if last is None:
            yield made, node.values
        else:
            function = FUSED_NAMES[last.op.function]  # type: ignore[attr-defined]
            yield evolve(made, options={**made.options, FUSED: function}), last.values


def _may_be_fused(graph: Graph, node: Node) -> bool:
    """Return whether a node is an activation that the operator before it can absorb."""
    if not isinstance(node.op, Activation) or node.op.function not in FUSED_NAMES:
        return False
    (x,) = node.inputs
    return graph.uses[x] == 1 and isinstance(x.op, ACTIVATABLE)


def _are_equal(first: Array, second: Array) -> bool:
    """Return whether arrays have the same numbers in C order; equal shapes need no copy."""
    if first.shape == second.shape:
        return np.array_equal(first, second)
    return np.array_equal(first.reshape(-1), second.reshape(-1))
