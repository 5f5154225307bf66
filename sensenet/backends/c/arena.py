"""How much memory TensorFlow Lite Micro needs for a model: measured, or else a bound.

The arena holds the tensors that are computed, and structs for all tensors and operators. The package
tflite-micro has the real allocator for Python. Without it, tensors are counted as if none took the place of
another, and structs by what they took at most in networks that were measured, on a processor of 64 bits.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from sensenet.backends.tflite.flatbuffer import import_schema, kind_of, names_of, read_buffer
from sensenet.errors import UnsupportedOpError
from sensenet.records import frozen

PACKAGE = "tflite_micro"

ALIGNMENT = 16
"""Bytes: where a tensor of the arena may begin."""

STRUCTS = 1024
STRUCTS_OF_TENSOR = 112
STRUCTS_OF_OPERATOR = 224
STRUCTS_OF_SCALE = 16
"""Bytes of structs: of a model, and more for each tensor, operator, and scale of an int8 tensor."""

SIZES = {"FLOAT32": 4, "INT32": 4, "INT64": 8}
"""Bytes of an entry; of other types, at most 2."""

TRANSPOSING = "BATCH_MATMUL"
"""The operator that keeps copies of what it reads."""


@frozen
class Arena:
    """A number of bytes, and how it was found."""

    size: int
    origin: str


def find_arena(tree: Any, content: bytes) -> Arena:
    """Return the size of the arena for a model, given as tree and as flatbuffer.

    Raises UnsupportedOpError if TensorFlow Lite Micro is installed and refuses the model.
    """
    bound = bound_arena(tree)
    if importlib.util.find_spec(PACKAGE) is None:
        return Arena(bound, "an upper bound, computed without tflite-micro")
    version = importlib.metadata.version(PACKAGE)
    return Arena(measure_arena(content, 4 * bound), f"measured with tflite-micro {version} on 64 bits")


def measure_arena(content: bytes, most: int) -> int:
    """Return the smallest arena that a model runs in, or raise UnsupportedOpError: not even in the most."""
    command = [sys.executable, "-m", "sensenet.backends.c.measuring", str(most)]
    process = subprocess.run(command, input=content, capture_output=True, check=False)
    try:
        size: int = json.loads(process.stdout)
    except ValueError:
        reason = _reason(process.stderr.decode(errors="replace").splitlines())
        raise UnsupportedOpError(f"TensorFlow Lite Micro does not run the network: {reason}") from None
    return size


def _reason(lines: Sequence[str]) -> str:
    """Return what the allocator said first, else the exception of Python, of what a process wrote."""
    said = [line for line in lines if line.strip()] or ["it ends the process"]
    return said[-1] if said[0].startswith("Traceback") else said[0]


def bound_arena(tree: Any) -> int:
    """Return a number of bytes that is enough on a processor of 64 bits, and so on a smaller one."""
    schema = import_schema()
    types, kinds = names_of(schema.TensorType), names_of(schema.BuiltinOperator)

    def is_constant(tensor: Any) -> bool:
        return bool(read_buffer(tree.buffers[tensor.buffer]).size)

    def size_of(tensor: Any) -> int:
        count = 1 if tensor.shape is None else math.prod(map(int, tensor.shape))
        return -(-count * SIZES.get(types[tensor.type], 2) // ALIGNMENT) * ALIGNMENT

    total = STRUCTS
    for graph in tree.subgraphs:
        for tensor in graph.tensors:
            total += STRUCTS_OF_TENSOR + STRUCTS_OF_SCALE * _count_scales(tensor)
            total += 0 if is_constant(tensor) else size_of(tensor)
        for operator in graph.operators:
            total += STRUCTS_OF_OPERATOR
            if kinds[kind_of(tree, operator)] == TRANSPOSING:
                total += sum(size_of(graph.tensors[index]) for index in operator.inputs)
    return total


def _count_scales(tensor: Any) -> int:
    known = tensor.quantization is not None and tensor.quantization.scale is not None
    return len(tensor.quantization.scale) if known else 0
