"""Finds the ops of a model that are layers that may be quantized.

A layer is an op that multiplies by a constant kernel: fully connected, convolution or depthwise convolution.
Rows that are looked up in a table of weights are the answers of a layer too (see
`passes/lowering/embedding`), but the table stays as it is. It takes weights and answers of another precision
well where it reads what another layer, or an image, gives: numbers of one magnitude. It is left in float32 if
it reads

- columns: a layer that standardizes them has them side by side in any magnitudes;
- the answers of comparisons: those are the tables of forests, in which rounding sends rows another way.

Everything that is neither a layer nor between layers stays in float32 too: so do the thresholds of forests,
the decoding of boxes and suppression. Between layers, int8 is for the ops whose answers are about as large as
what they read (SMOOTH); e^x, and sums and products of it, would have most of their answers in one of the 256
steps.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from attrs import frozen

from sensenet.backends.tflite.flatbuffer import import_schema, kind_of, names_of, read_buffer
from sensenet.ir.types import Array
from sensenet.signature import NUMERIC_INPUT

KERNEL = 1
"""The position of a layer's kernel among the op's inputs."""

CHANNELS = {"FULLY_CONNECTED": 0, "CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
"""The kinds of layers, and the axis of the kernel on which their outputs lie."""

COMPARISONS = frozenset(
    {"LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL", "ARG_MAX", "ARG_MIN"}
)

SMOOTH = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONCATENATION", "GATHER", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM"}
    | {"MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PAD", "REDUCE_MAX", "RELU", "RELU6", "RESHAPE"}
    | {"RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SLICE", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE"}
)
"""The ops that are quantized to int8 between layers."""

STEEP = frozenset({"EXP", "POW"})


class Origin(enum.IntEnum):
    """What a tensor was computed from, the worst of it."""

    FREE = 0
    """Constants, shapes and images."""
    LAYER = 1
    RAW = 2
    """Columns or answers of comparisons, with no layer in between."""


@frozen
class Layer:
    """A layer whose kernel may be stored otherwise: its op, the kernel's tensor, values and channel axis."""

    operator: Any
    tensor: Any
    kernel: Array
    axis: int


def kind(tree: Any, operator: Any) -> str:
    """Return the name of an op, as the schema spells it."""
    number = kind_of(tree, operator)
    return names_of(import_schema().BuiltinOperator).get(number, str(number))


def find_layers(tree: Any) -> list[Layer]:
    """Return the layers of the main graph that may be quantized; their kernels have no other readers."""
    main = tree.subgraphs[0]
    origins = _trace(tree, main)
    readers = Counter(int(index) for each in main.operators for index in each.inputs)
    found = []
    for operator in main.operators:
        axis = CHANNELS.get(kind(tree, operator))
        if axis is None or origins[int(operator.inputs[0])] is Origin.RAW:
            continue
        tensor = main.tensors[operator.inputs[KERNEL]]
        data = read_buffer(tree.buffers[tensor.buffer])
        if not data.size or tensor.type != import_schema().TensorType.FLOAT32:
            continue
        if readers[int(operator.inputs[KERNEL])] == 1:
            kernel = data.view(np.float32).reshape([int(size) for size in tensor.shape])
            found.append(Layer(operator, tensor, kernel, axis))
    return found


def find_float_ops(tree: Any) -> list[Any]:
    """Return the ops of all graphs that must not be quantized: all but such layers and ops between them."""
    main = tree.subgraphs[0]
    layers = [layer.operator for layer in find_layers(tree)]
    below = _reached(main.operators, layers, "outputs", "inputs")
    above = _reached(reversed(main.operators), layers, "inputs", "outputs")
    between = below & above
    excepted = _steep(tree, main) | {
        index for index, origin in _trace(tree, main).items() if origin is Origin.RAW
    }
    allowed = set(map(id, layers))
    for each in main.operators:
        tensors = map(int, (*each.inputs, *each.outputs))
        if id(each) in between and kind(tree, each) in SMOOTH and excepted.isdisjoint(tensors):
            allowed.add(id(each))
    return [each for graph in tree.subgraphs for each in graph.operators if id(each) not in allowed]


def _reached(operators: Iterable[Any], layers: list[Any], give: str, take: str) -> set[int]:
    """Return the ids of ops that take something which a layer, or an op so reached, gives."""
    chosen = {id(layer) for layer in layers}
    tensors: set[int] = set()
    reached: set[int] = set()
    for each in operators:
        if not tensors.isdisjoint(map(int, getattr(each, take))):
            reached.add(id(each))
        if id(each) in chosen or id(each) in reached:
            tensors.update(map(int, getattr(each, give)))
    return reached


def _steep(tree: Any, main: Any) -> set[int]:
    """Return the outputs of STEEP ops, and sums and products of them."""
    steep: set[int] = set()
    for each in main.operators:
        name = kind(tree, each)
        if name in STEEP or (name in {"ADD", "SUB", "MUL"} and not steep.isdisjoint(map(int, each.inputs))):
            steep.update(map(int, each.outputs))
    return steep


def _trace(tree: Any, main: Any) -> dict[int, Origin]:
    """Return the origin of every tensor of a graph."""
    origins = dict.fromkeys(range(-1, len(main.tensors)), Origin.FREE)
    for index in main.inputs:
        if NUMERIC_INPUT in name_of(main.tensors[index]):
            origins[int(index)] = Origin.RAW
    for operator in main.operators:
        worst = max((origins[int(index)] for index in operator.inputs), default=Origin.FREE)
        name = kind(tree, operator)
        if name in CHANNELS or _looks_up_rows(tree, main, operator, name):
            worst = Origin.LAYER
        elif name in COMPARISONS and worst is not Origin.FREE:
            worst = Origin.RAW
        origins.update(dict.fromkeys(map(int, operator.outputs), worst))
    return origins


def _looks_up_rows(tree: Any, main: Any, operator: Any, name: str) -> bool:
    """Return whether an op picks rows of a table of weights: one row each. Forests pick one for each tree."""
    if name != "GATHER":
        return False
    table, result = main.tensors[operator.inputs[0]], main.tensors[operator.outputs[0]]
    constant = tree.buffers[table.buffer].data is not None
    return constant and table.type == import_schema().TensorType.FLOAT32 and _ranks(table, result) == (2, 2)


def _ranks(*tensors: Any) -> tuple[int, ...]:
    return tuple(len(tensor.shape) for tensor in tensors)


def name_of(tensor: Any) -> str:
    """Return the tensor's name as text."""
    return tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)
