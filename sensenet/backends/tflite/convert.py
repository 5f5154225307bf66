"""Converts a graph to the object tree of a TensorFlow Lite flatbuffer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from attrs import Factory, evolve

from sensenet.backends.tflite.emit import EMIT
from sensenet.backends.tflite.flatbuffer import import_schema
from sensenet.backends.tflite.kinds import options_of
from sensenet.backends.tflite.layer_operators import FUSED_NAMES
from sensenet.backends.tflite.operators import (
    FUSED,
    TYPES,
    Operand,
    Operator,
    Stored,
    TensorSteps,
    integers,
    operator,
)
from sensenet.backends.tflite.storage import Store, choose_stores
from sensenet.backends.tflite.whole_numbers import (
    emit_conversion,
    emit_whole_numbers,
    find_whole_numbers,
    steps_of,
)
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.ops.quantization import Dequantize, Quantize
from sensenet.ir.types import Array, Shape
from sensenet.passes.quantization.operators import may_be_absorbed
from sensenet.records import frozen

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


def convert(graph: Graph, mode: str = "none") -> Any:
    """Return the graph as the `ModelT` of a TensorFlow Lite model of builtin ops only, without our metadata.

    Inputs and outputs have the graph's order. Kernels are stored as `mode` says (see `storage`); what is
    between `dequantize` and `quantize` is computed with whole numbers.
    """
    writer = Writer.create()
    writer.add_subgraph(graph, "main", choose_stores(graph, mode))
    return writer.tree


NO_STORES: Mapping[Node, Store] = MappingProxyType({})
"""Of regions: there are no layers in loops."""


@frozen
class Tensor:
    """A tensor of a subgraph; `dtype` is NumPy's name, buffer 0 means that it is computed."""

    name: str
    dtype: str
    shape: Shape
    buffer: int = 0
    steps: TensorSteps | None = None


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

    def add_subgraph(self, graph: Graph, name: str, stores: Mapping[Node, Store] = NO_STORES) -> int:
        """Add a graph and the regions of its loops, and return its number."""
        number, written = len(self.tree.subgraphs), self.schema.SubGraphT()
        self.tree.subgraphs.append(written)
        written.name, written.tensors, written.operators = name, [], []
        numbers: dict[object, int] = {}
        names: set[str] = set()

        def add(key: object, tensor: Tensor) -> int:
            numbers[key] = len(written.tensors)
            unique = tensor.name if tensor.name not in names else f"{tensor.name}/{numbers[key]}"
            names.add(unique)
            written.tensors.append(self._tensor(evolve(tensor, name=unique)))
            return numbers[key]

        def place_value(value: Value) -> int:
            if value in numbers:
                return numbers[value]
            steps = steps_of(value.op) if isinstance(value.op, Quantize) else None
            dtype = f"int{value.op.bits}" if isinstance(value.op, Quantize) else value.type.dtype.numpy.name
            return add(value, Tensor(value.node.name, dtype, value.type.shape, steps=steps))

        def place_numbers(stored: Stored) -> int:
            shape, steps, buffer = stored.array.shape, stored.steps, self._buffer(stored.content)
            key = (stored.dtype, shape, buffer, steps and (steps.scale.tobytes(), steps.axis))
            if key not in numbers:
                add(key, Tensor(str(len(written.tensors)), stored.dtype, shape, buffer, steps))
            if not stored.as_float:
                return numbers[key]
            if ("float32", key) not in numbers:
                result = add(("float32", key), Tensor(str(len(written.tensors)), "float32", shape))
                read, given = integers([numbers[key]]), integers([result])
                written.operators.append(self._operator(operator("DEQUANTIZE"), read, given))
            return numbers["float32", key]

        def place(operand: Value | Array | Stored) -> int:
            if isinstance(operand, Value) and isinstance(operand.op, Constant):
                operand = operand.op.value.array
            if isinstance(operand, Value):
                return place_value(operand)
            return place_numbers(operand if isinstance(operand, Stored) else Stored(array=operand))

        def places(operands: Iterable[Operand]) -> Array:
            return integers([-1 if operand is None else place(operand) for operand in operands])

        written.inputs = places(node.value for node in graph.inputs)
        for each, results in _operators(graph, stores):
            read, given = places(each.inputs), places(results)
            written.operators.append(self._operator(each, read, given))
        written.outputs = places(graph.outputs.values())
        return number

    def _tensor(self, declared: Tensor) -> Any:
        tensor, shape, steps = self.schema.TensorT(), declared.shape, declared.steps
        tensor.name, tensor.hasRank = declared.name, True
        tensor.shape = integers([1 if size is None else size for size in shape])
        if None in shape:
            tensor.shapeSignature = integers([-1 if size is None else size for size in shape])
        tensor.type = getattr(self.schema.TensorType, TYPES[declared.dtype])
        tensor.buffer = declared.buffer
        if steps is not None:
            tensor.quantization = self.schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = steps.scale, steps.zero_point
            tensor.quantization.quantizedDimension = steps.axis
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


def _operators(graph: Graph, stores: Mapping[Node, Store]) -> Iterator[tuple[Operator, Sequence[Value]]]:
    """Yield the operators in order with their results; a relu that alone reads a sum is part of it."""
    ends = {node.inputs[0].node: node for node in graph.nodes if may_be_absorbed(graph, node)}
    whole = find_whole_numbers(graph, ends)
    absorbed = {*ends.values(), *whole.absorbed}
    for node in graph.nodes:
        if isinstance(node.op, Input | Constant) or node in absorbed:
            continue
        if isinstance(node.op, Quantize | Dequantize):
            yield emit_conversion(node), node.values
            continue
        if node in whole.results:
            made = emit_whole_numbers(node, whole.results[node].op.bits)  # type: ignore[attr-defined]
        else:
            made = EMIT[type(node.op)](node.op, node)
        if node in stores:
            made = stores[node](made)
        last = ends.get(node, node)
        if last is not node:
            function = FUSED_NAMES[last.op.function]  # type: ignore[attr-defined]
            made = evolve(made, options={**made.options, FUSED: function})
        yield made, whole.results.get(node, last).values


def _are_equal(first: Array, second: Array) -> bool:
    """Return whether arrays have the same numbers in C order; equal shapes need no copy."""
    if first.shape == second.shape:
        return np.array_equal(first, second)
    return np.array_equal(first.reshape(-1), second.reshape(-1))
