"""From a graph to a GraphDef as JSON, whose loops are functions, and its weights. The same each time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from attrs import Factory

from sensenet.backends.tfjs.emit import EMIT
from sensenet.backends.tfjs.graph_def import RESULT_NAMES, TYPES, Json, encode_shape, make_node
from sensenet.backends.tfjs.loops import START, count_steps
from sensenet.backends.tfjs.operators import Operator
from sensenet.backends.unique_names import UniqueNames
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.ops.control import While
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.region import Region
from sensenet.ir.types import Array, DType, Tensor, TensorType
from sensenet.records import frozen

VERSIONS = {"producer": 2129}
"""The version of GraphDefs that the operators are of: that of TensorFlow 2.19."""

CONSTANT_PREFIX = "constant/"
"""How the names of constants begin, and of nothing else: they are unique in the model, with its functions."""


def allowed_name(wanted: str) -> str:
    """Return the name wanted, of characters that TensorFlow allows."""
    return re.sub(r"^[^A-Za-z0-9]+", "", re.sub(r"[^A-Za-z0-9_.-]", "_", wanted)) or "node"


@frozen
class Writer:
    """The functions, and the names of constants, that scopes add to."""

    functions: list[Json] = Factory(list)
    function_names: UniqueNames = Factory(UniqueNames)
    constants: dict[Tensor, str] = Factory(dict)

    def name_constant(self, array: Array) -> str:
        """Return the name of the weight with this content."""
        return self.constants.setdefault(Tensor(array), f"{CONSTANT_PREFIX}{len(self.constants)}")

    def write_graph(self, graph: Graph) -> Json:
        """Return the topology of a graph; its inputs and outputs keep their names."""
        scope = Scope(self)
        for node in graph.inputs:
            name = scope.names.add(allowed_name(node.name))
            scope.results[node.value] = name
            declared = node.types[0]
            attributes = {"dtype": declared.dtype, "shape": {"shape": encode_shape(declared.shape)}}
            scope.nodes.append(make_node("Placeholder", name, [], attributes))
        scope.add_nodes(graph)
        signature: Json = {"inputs": {}, "outputs": {}}
        for node in graph.inputs:
            signature["inputs"][node.name] = _describe(scope.results[node.value], node.types[0])
        for name, value in sorted(graph.outputs.items()):
            result = scope.add_node("Identity", name, [scope.results[value]], {"T": value.type.dtype})
            signature["outputs"][name] = _describe(result, value.type)
        library = {"function": self.functions} if self.functions else {}
        topology = {"node": scope.nodes, "library": library, "versions": VERSIONS}
        return {"signature": signature, "modelTopology": topology}

    def write_function(self, region: Region, wanted: str) -> str:
        """Add a function, of which an argument is `x0`, and a result `y0`; return its name."""
        scope = Scope(self, is_function=True)
        inputs, outputs = region.graph.inputs, tuple(region.graph.outputs.values())
        names = [scope.names.add(f"x{number}") for number in range(len(inputs))]
        scope.results.update(zip((node.value for node in inputs), names, strict=True))
        scope.add_nodes(region.graph)
        results = {f"y{number}": scope.results[value] for number, value in enumerate(outputs)}
        name = self.function_names.add(allowed_name(wanted))
        signature = {
            "name": name,
            "inputArg": _declare(names, region.input_types),
            "outputArg": _declare(results, region.output_types),
        }
        self.functions.append({"signature": signature, "nodeDef": scope.nodes, "ret": results})
        return name


@frozen
class Scope:
    """The nodes of the graph or of a function, and by what their values are referred to."""

    writer: Writer
    is_function: bool = False
    nodes: list[Json] = Factory(list)
    names: UniqueNames = Factory(UniqueNames)
    results: dict[Value, str] = Factory(dict)
    written: dict[str, str] = Factory(dict)

    def add_nodes(self, graph: Graph) -> None:
        """Add all nodes but the inputs."""
        for node in graph.nodes:
            if isinstance(node.op, Input):
                continue
            if isinstance(node.op, Constant):
                self.results[node.value] = self._add_constant(node.op.value.array)
            elif isinstance(node.op, While):
                self._add_loop(node, node.op)
            else:
                self.results[node.value] = self._add_operator(
                    EMIT[type(node.op)](node.op, node), node.name, {}
                )

    def add_node(self, kind: str, wanted: str, inputs: list[str], attributes: Any) -> str:
        """Add a node; return what its first result is referred to by."""
        name = self.names.add(allowed_name(wanted))
        self.nodes.append(make_node(kind, name, inputs, attributes))
        return self._refer(name, kind)

    def _refer(self, name: str, kind: str, index: int = 0) -> str:
        if self.is_function:
            return f"{name}:{RESULT_NAMES.get(kind, 'output')}:{index}"
        return f"{name}:{index}" if index else name

    def _add_operator(self, made: Operator, wanted: str, written: dict[int, str]) -> str:
        """Add an operator after those that it reads, unless it is there; return the name of its result."""
        if id(made) in written:
            return written[id(made)]
        inputs = []
        for operand in made.inputs:
            match operand:
                case Operator():
                    inputs.append(self._add_operator(operand, wanted, written))
                case Value():
                    inputs.append(self.results[operand])
                case _:
                    inputs.append(self._add_constant(operand))
        result = written[id(made)] = self.add_node(made.kind, wanted, inputs, made.attributes)
        return result

    def _add_constant(self, array: Array) -> str:
        """Add a constant without its content, unless this scope has it."""
        name = self.writer.name_constant(array)
        if name not in self.written:
            dtype = DType.of(array)
            content = {"tensor": {"dtype": TYPES[dtype], "tensorShape": encode_shape(array.shape)}}
            self.nodes.append(make_node("Const", name, [], {"dtype": dtype, "value": content}))
            self.written[name] = self._refer(name, "Const")
        return self.written[name]

    def _add_loop(self, node: Node, op: While) -> None:
        counted = count_steps(op)
        condition, body = (
            {"func": {"name": self.writer.write_function(region, f"{node.name}_{part}")}}
            for part, region in (("condition", counted.condition), ("body", counted.body))
        )
        types = {"list": {"type": [TYPES[declared.dtype] for declared in counted.body.input_types]}}
        inputs = [*(self.results[value] for value in node.inputs), self._add_constant(START.array)]
        attributes = {"T": types, "cond": condition, "body": body}
        name = self.names.add(allowed_name(node.name))
        self.nodes.append(make_node("StatelessWhile", name, inputs, attributes))
        for value in node.values:
            self.results[value] = self._refer(name, "StatelessWhile", value.index)


def _describe(result: str, declared: TensorType) -> Json:
    """Return an entry of the signature of the model."""
    return {
        "name": f"{result}:0",
        "dtype": TYPES[declared.dtype],
        "tensorShape": encode_shape(declared.shape),
    }


def _declare(names: Sequence[str] | dict[str, str], types: Sequence[TensorType]) -> list[Json]:
    return [
        {"name": name, "type": TYPES[declared.dtype]} for name, declared in zip(names, types, strict=True)
    ]
