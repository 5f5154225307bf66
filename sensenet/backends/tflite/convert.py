"""From a graph to the tree of objects that a TensorFlow Lite flatbuffer is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from attrs import Factory, frozen

from sensenet.backends.lowering import Variables, run_graph
from sensenet.backends.tflite.flatbuffer import import_schema
from sensenet.backends.tflite.fuse import fuse
from sensenet.backends.tflite.kinds import options_of
from sensenet.backends.tflite.operators import Operator, Subgraph, Value
from sensenet.backends.tflite.recorder import Recorder
from sensenet.backends.tflite.tape import place_of
from sensenet.backends.tflite.tensors import Tensor
from sensenet.ir.graph import Graph
from sensenet.ir.types import Array

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

TYPES: Mapping[np.dtype[Any], str] = {
    np.dtype(np.float32): "FLOAT32",
    np.dtype(np.int32): "INT32",
    np.dtype(np.bool_): "BOOL",
}


def convert(graph: Graph) -> Any:
    """The graph as the `ModelT` of a TensorFlow Lite model of builtin ops only, without our metadata.

    Inputs and outputs stand in the graph's order.
    """
    return build_tree(record(graph))


def record(graph: Graph) -> Subgraph:
    """The graph as TensorFlow Lite's operators."""
    ops = Recorder()
    inputs = {
        node.name: Tensor(ops, ops.tape.input(node.types[0].dtype.numpy, node.types[0].shape, node.name))
        for node in graph.inputs
    }
    outputs = run_graph(ops, graph, inputs, Variables.of(ops, graph))
    ops.tape.give([outputs[name].value for name in graph.outputs])
    return ops.tape.main


def build_tree(graph: Subgraph) -> Any:
    """The `ModelT` of what was recorded, in as few operators as need be."""
    writer = Writer.create()
    writer.add_subgraph(fuse(graph), "main")
    return writer.tree


@frozen
class Writer:
    """The tree that subgraphs are added to."""

    schema: Any
    tree: Any
    codes: dict[str, int] = Factory(dict)
    buffers: dict[object, int] = Factory(dict)

    @classmethod
    def create(cls) -> Writer:
        """A writer of a model without subgraphs; buffer 0 stands for none."""
        schema = import_schema()
        tree = schema.ModelT()
        tree.version, tree.description = SCHEMA_VERSION, DESCRIPTION
        tree.operatorCodes, tree.subgraphs, tree.buffers = [], [], [schema.BufferT()]
        return cls(schema, tree)

    def add_subgraph(self, graph: Subgraph, name: str) -> int:
        """Add a subgraph, then those of its loops; its number."""
        number, written = len(self.tree.subgraphs), self.schema.SubGraphT()
        self.tree.subgraphs.append(written)
        written.name, written.tensors = name, []
        numbers: dict[object, int] = {}
        names: set[str] = set()

        def place(value: Value) -> int:
            buffer = 0 if value.constant is None else self._buffer(value.constant)
            key = (value.dtype, value.shape, buffer) if buffer else value
            if key not in numbers:
                numbers[key] = len(numbers)
                name = value.name or "constant"
                unique = name if name not in names else f"{name}/{numbers[key]}"
                names.add(unique)
                written.tensors.append(self._tensor(value, unique, buffer))
            return numbers[key]

        def places(values: Iterable[Value | None]) -> Array:
            return np.array([-1 if value is None else place(value) for value in values], np.int32)

        written.inputs = places(graph.inputs)
        written.operators = [
            self._operator(each, places(each.inputs), places(each.outputs)) for each in graph.operators
        ]
        written.outputs = places(graph.outputs)
        return number

    def _tensor(self, value: Value, name: str, buffer: int) -> Any:
        tensor = self.schema.TensorT()
        tensor.name, tensor.hasRank = name, True
        tensor.shape = np.array([1 if size is None else size for size in value.shape], np.int32)
        if None in value.shape:
            tensor.shapeSignature = np.array([-1 if size is None else size for size in value.shape], np.int32)
        tensor.type = getattr(self.schema.TensorType, TYPES[value.dtype])
        tensor.buffer = buffer
        return tensor

    def _buffer(self, array: Array) -> int:
        """The number of the buffer with this content."""
        key = place_of(array) or array.tobytes()
        if key not in self.buffers:
            self.buffers[key] = len(self.tree.buffers)
            buffer = self.schema.BufferT()
            buffer.data = array
            self.tree.buffers.append(buffer)
        return self.buffers[key]

    def _operator(self, operator: Operator, inputs: Array, outputs: Array) -> Any:
        written = self.schema.OperatorT()
        written.opcodeIndex = self._code(operator.kind)
        written.inputs, written.outputs = inputs, outputs
        options = {name: self._option(name, value) for name, value in operator.options.items()}
        if operator.subgraphs:
            names = ("condSubgraphIndex", "bodySubgraphIndex")
            options |= {
                name: self.add_subgraph(graph, name.removesuffix("SubgraphIndex"))
                for name, graph in zip(names, operator.subgraphs, strict=True)
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
        """The number of an operator code; `declare_versions` makes one for each version of it."""
        if kind not in self.codes:
            self.codes[kind] = len(self.codes)
            code = self.schema.OperatorCodeT()
            code.builtinCode = getattr(self.schema.BuiltinOperator, kind)
            self.tree.operatorCodes.append(code)
        return self.codes[kind]
