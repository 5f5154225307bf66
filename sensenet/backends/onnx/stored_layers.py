"""Lists the nodes of an .onnx file, with the constants that they read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from sensenet.backends.onnx.tensors_form import keep_tensors
from sensenet.backends.onnx.verify import parse
from sensenet.files.reading import read_file
from sensenet.ir.layer_costs import LayerFacts

TYPE_NAMES = {1: "f32", 2: "u8", 3: "i8", 6: "i32", 7: "i64", 9: "bool", 10: "f16"}
"""The types by their numbers in ONNX."""

WEIGHT_TYPES = frozenset({1, 3, 10})


def read_layers(path: Path) -> tuple[LayerFacts, ...]:
    """Return the nodes between the graph's inputs and outputs; a constant counts for its first reader.

    The file is one that `open_model` has opened. Raises ArtifactError.
    """
    model = parse(read_file(path), str(path))
    types = {each.name: _type_of(each) for each in (*model.graph.value_info, *model.graph.output)}
    graph = keep_tensors(model).graph
    constants = {each.name: each for each in graph.initializer}
    return tuple(_describe(node, types, constants) for node in graph.node)


def _describe(node: Any, types: dict[str, str], constants: dict[str, Any]) -> LayerFacts:
    """Describe a node, and remove its constants."""
    read = [constants.pop(name) for name in node.input if name in constants]
    return LayerFacts(
        name=node.output[0],
        op=node.op_type,
        result=types.get(node.output[0], ""),
        parameters=sum(math.prod(each.dims) for each in read if each.data_type in WEIGHT_TYPES),
        multiply_adds=None,
        size=sum(len(each.raw_data) for each in read),
    )


def _type_of(declared: Any) -> str:
    tensor = declared.type.tensor_type
    sizes = ",".join(str(each.dim_value) if each.dim_value else "?" for each in tensor.shape.dim)
    return f"{TYPE_NAMES.get(tensor.elem_type, '?')}[{sizes}]"
