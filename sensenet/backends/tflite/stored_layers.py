"""Lists the operators of a .tflite file, with the constants that they read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from sensenet.backends.tflite.kinds import TYPES
from sensenet.backends.tflite.reading import Record, read_model
from sensenet.backends.tflite.verify import name_operator
from sensenet.files.reading import read_file
from sensenet.ir.layer_costs import LayerFacts

TYPE_NAMES = {"F": "f32", "H": "f16", "I": "i32", "L": "i64", "B": "bool", "S": "i16", "Q": "i8", "N": "i4"}

WEIGHT_TYPES = frozenset("FHSQN")
"""The types of weights; int32 are sizes, axes, and the biases of quantized layers."""


def read_layers(path: Path) -> tuple[LayerFacts, ...]:
    """Return the operators of the main graph; a constant that several read counts for the first.

    The file is one that `open_model` has opened. Raises ArtifactError.
    """
    model = read_model(read_file(path))
    graph = model["subgraphs"][0]
    counted: set[int] = set()
    return tuple(_describe(model, graph["tensors"], operator, counted) for operator in graph["operators"])


def _describe(model: Record, tensors: Any, operator: Record, counted: set[int]) -> LayerFacts:
    result = tensors[int(operator["outputs"][0])]
    parameters = size = 0
    for tensor in (tensors[int(index)] for index in operator["inputs"] if index >= 0):
        buffer = tensor["buffer"]
        content = len(model["buffers"][buffer]["data"])
        if content and buffer not in counted:
            counted.add(buffer)
            size += content
            letter, _ = TYPES[tensor["type"]]
            parameters += math.prod(map(int, tensor["shape"])) if letter in WEIGHT_TYPES else 0
    return LayerFacts(
        name=result["name"],
        op=name_operator(model["operator_codes"][operator["opcode"]]).lower(),
        result=_type_of(result),
        parameters=parameters,
        multiply_adds=None,
        size=size,
    )


def _type_of(tensor: Record) -> str:
    declared = tensor["signature"] if len(tensor["signature"]) else tensor["shape"]
    sizes = ",".join("?" if size < 0 else str(int(size)) for size in declared)
    return f"{TYPE_NAMES[TYPES[tensor['type']][0]]}[{sizes}]"
