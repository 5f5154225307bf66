"""From a graph to the bytes of an ONNX model. The same graph gives the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import Factory

from sensenet.backends.onnx.emit import EMIT
from sensenet.backends.onnx.interface import Interface
from sensenet.backends.onnx.names import (
    IR_VERSIONS,
    MACHINE_LEARNING,
    MACHINE_LEARNING_VERSION,
    METADATA_KEY,
    PRODUCER,
)
from sensenet.backends.onnx.operators import CODES, TEXT, Declared, Operator, declare, integers
from sensenet.backends.unique_names import UniqueNames
from sensenet.errors import ArtifactError
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.ops.control import MOST_STEPS, While
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.types import Array
from sensenet.limits import memory_errors_reported
from sensenet.optional_packages import import_package
from sensenet.records import frozen

LARGEST_MODEL = (1 << 31) - 1
"""Bytes of a file: those of a protobuf message."""

BATCH = "batch"
"""The name of the first size of every input, if it may be any."""


STEP: Declared = (CODES[np.dtype(np.int64)], ())
TRUTH: Declared = (CODES[np.dtype(np.bool_)], ())
"""What a loop's body takes first."""


def convert(graph: Graph, interface: Interface, opset: int) -> bytes:
    """Return the file of a graph of legal nodes.

    Raises ArtifactError for a graph of 2 GiB of weights or more, MissingPackageError without onnx.
    """
    onnx = import_package("onnx", "onnx", "writing .onnx files")
    model = onnx.ModelProto(ir_version=IR_VERSIONS[opset], producer_name=PRODUCER)
    model.opset_import.add(domain="", version=opset)
    signature = json.dumps(graph.signature.to_json(), ensure_ascii=False)
    for key, value in {METADATA_KEY: signature, **interface.metadata}.items():
        model.metadata_props.add(key=key, value=value)
    Writer(onnx, model.graph).write(graph, interface)
    if any(node.domain for node in model.graph.node):
        model.opset_import.add(domain=MACHINE_LEARNING, version=MACHINE_LEARNING_VERSION)
    with memory_errors_reported():
        size = model.ByteSize()
        if size > LARGEST_MODEL:
            raise ArtifactError(
                f"an .onnx file holds less than 2 GiB, this model has {size:,} bytes: choose another target"
            )
        content: bytes = model.SerializeToString(deterministic=True)
    return content


@frozen
class Writer:
    """The GraphProto that nodes are added to, and the names in use: each once in the whole file.

    A node is named like its first result: onnxruntime 1.18 to 1.20 gives nodes that it makes of unnamed ones
    the same name, and then refuses the file.
    """

    onnx: Any
    graph: Any
    names: UniqueNames = Factory(UniqueNames)
    constants: dict[object, str] = Factory(dict)

    def write(self, graph: Graph, interface: Interface) -> None:
        """Add a whole graph, whose inputs and outputs keep their names, and what is around it."""
        self.graph.name = "main"
        types = {node.name: declare(node.types[0]) for node in graph.inputs}
        self.names.taken.update(types, graph.outputs, interface.inputs, interface.answers)
        for name, declared in interface.inputs.items():
            self.graph.input.append(self._declared(name, declared, BATCH))
        for name, encoder in interface.encoded.items():
            self._name(self._operator(encoder, name, {}, {}, self.graph), name)
            self.graph.value_info.append(self._declared(name, types[name], BATCH))
        results = self._nodes(graph, [*types], self.graph)
        for name, result in zip(graph.outputs, results, strict=True):
            self._name(result, name)
        for name, answer in interface.answers.items():
            self._name(self._operator(answer, name, {}, {}, self.graph), name)
        for name, declared in interface.outputs.items():
            self.graph.output.append(self._declared(name, declared))

    def _name(self, result: str, name: str) -> None:
        """Give a result the name that callers know."""
        self.graph.node.add(op_type="Identity", name=name, input=[result], output=[name])

    def _declared(self, name: str, declared: Declared, first: str = "") -> Any:
        """A name with its type; `first` is what an unknown first size is called."""
        info = self.onnx.ValueInfoProto(name=name)
        tensor = info.type.tensor_type
        tensor.elem_type, shape = declared
        tensor.shape.SetInParent()  # of a scalar too
        for axis, size in enumerate(shape):
            dimension = tensor.shape.dim.add()
            if size is not None:
                dimension.dim_value = size
            elif axis == 0 and first:
                dimension.dim_param = first
        return info

    def _nodes(self, graph: Graph, inputs: Sequence[str], into: Any) -> list[str]:
        """Add the nodes of a graph, of which `inputs` are the inputs' names; return those of its outputs."""
        names: dict[Value, str] = dict(zip((node.value for node in graph.inputs), inputs, strict=True))
        for node in graph.nodes:
            if isinstance(node.op, Input):
                continue
            if isinstance(node.op, Constant):
                names[node.value] = self._constant(node.op.value.array)
            elif isinstance(node.op, While):
                names.update(zip(node.values, self._loop(node, node.op, names, into), strict=True))
            else:
                made = EMIT[type(node.op)](node.op, node)
                names[node.value] = self._operator(made, node.name, names, {}, into)
        return [names[value] for value in graph.outputs.values()]

    def _operator(
        self, made: Operator, wanted: str, names: Mapping[Value, str], written: dict[int, str], into: Any
    ) -> str:
        """Add an operator after those that it reads, unless it is there; return the name of its result."""
        if id(made) in written:
            return written[id(made)]
        inputs = []
        for operand in made.inputs:
            match operand:
                case None:
                    inputs.append("")
                case Operator():
                    inputs.append(self._operator(operand, wanted, names, written, into))
                case Value():
                    inputs.append(names[operand])
                case str():
                    inputs.append(operand)
                case tuple():
                    inputs.append(self._texts(operand))
                case _:
                    inputs.append(self._constant(operand))
        result = written[id(made)] = self.names.add(wanted)
        node = into.node.add(op_type=made.kind, name=result, input=inputs, output=[result])
        if made.domain:
            node.domain = made.domain
        for name, value in sorted(made.attributes.items()):
            node.attribute.append(self.onnx.helper.make_attribute(name, value))
        return result

    def _loop(self, node: Node, op: While, names: Mapping[Value, str], into: Any) -> list[str]:
        """Add a Loop; return the names of its results. Whether it begins is computed before it."""
        given = [names[value] for value in node.inputs]
        (begins,) = self._nodes(op.condition.graph, given, into)
        steps = self._constant(integers(MOST_STEPS))
        body = self._body(op, node.name)
        results = [self.names.add(node.name) for _ in node.values]
        loop = into.node.add(op_type="Loop", name=results[0], input=[steps, begins, *given], output=results)
        loop.attribute.append(self.onnx.helper.make_attribute("body", body))
        into.value_info.extend(map(self._declared, results, map(declare, node.types)))  # ONNX infers no shape
        return results

    def _body(self, op: While, name: str) -> Any:
        """A step as a graph: its number, whether it began, what is carried → whether to go on, and that."""
        types = op.body.input_types
        body = self.onnx.GraphProto(name=self.names.add(f"{name}_body"))
        carried = [self.names.add(f"{name}_carried") for _ in types]
        for given, declared in zip((f"{name}_step", f"{name}_begins"), (STEP, TRUTH), strict=True):
            body.input.append(self._declared(self.names.add(given), declared))
        body.input.extend(map(self._declared, carried, map(declare, types)))
        following = self._nodes(op.body.graph, carried, body)
        goes_on = self._nodes(op.condition.graph, following, body)
        for result, declared in zip([*goes_on, *following], (TRUTH, *map(declare, types)), strict=True):
            output = self.names.add(f"{name}_next")
            body.node.add(op_type="Identity", name=output, input=[result], output=[output])
            body.output.append(self._declared(output, declared))
        return body

    def _constant(self, array: Array) -> str:
        """The name of the initializer with this content."""
        content = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        key = (array.dtype.str, array.shape, hashlib.sha256(content).digest())
        if key not in self.constants:
            self.constants[key] = self.names.add("constant")
            self.graph.initializer.add(
                name=self.constants[key], data_type=CODES[array.dtype], dims=array.shape, raw_data=content
            )
        return self.constants[key]

    def _texts(self, texts: tuple[str, ...]) -> str:
        """The name of an initializer of these texts."""
        name = self.names.add("texts")
        content = [text.encode() for text in texts]
        self.graph.initializer.add(name=name, data_type=TEXT, dims=[len(texts)], string_data=content)
        return name
