"""Finds the nodes that may be computed with numbers of few bits: layers, and what is between them.

A layer multiplies by a kernel: dense, convolution or depthwise convolution. Rows that are looked up in a
table of weights are the answers of a layer too (see `passes/lowering/embedding`), but the table stays as it
is. Rounding a layer's weights and input changes its answers little if the input comes from another layer or
an image: its numbers have one magnitude. A layer stays in float32 if it reads

- columns: a layer that standardizes them has them side by side in any magnitudes;
- the answers of comparisons: those are the tables of forests, in which rounding sends rows another way;

and if another layer has the same kernel, as in a network that several images go through.

Everything that is neither a layer nor between layers stays in float32 too: so do the thresholds of forests,
the decoding of boxes and suppression. Between layers, few bits are for the ops whose answers are about as
large as what they read (SMOOTH); e^x, and sums and products of it, would have most of their answers in one
of the 256 steps.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops import (
    arithmetic,
    convolution,
    elementwise,
    image,
    pooling,
    rearrangement,
    reduction,
    shape,
)
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation, Dense
from sensenet.ir.types import DType
from sensenet.signature import NUMERIC_INPUT

LAYERS = (Dense, convolution.Convolution2D, convolution.DepthwiseConvolution2D)

COMPARISONS = (arithmetic.Equal, arithmetic.LessEqual, arithmetic.Greater, reduction.ArgMax)

MOVES: tuple[type[Op], ...] = (
    pooling.MaxPool2D,
    pooling.AveragePool2D,
    pooling.GlobalMaxPool2D,
    convolution.Pad2D,
    convolution.Upsample2D,
    shape.Resize2D,
    shape.Take,
    shape.DynamicReshape,
    image.Index,
    reduction.ReduceMax,
    arithmetic.Maximum,
    arithmetic.Minimum,
    rearrangement.Concatenate,
    rearrangement.Slice,
    rearrangement.Gather,
    rearrangement.TakeAlong,
    rearrangement.Reshape,
    rearrangement.Transpose,
)
"""The ops whose results are numbers that they read, or between those: inputs and results have one scale."""

SMOOTH: tuple[type[Op], ...] = (
    *MOVES,
    arithmetic.Add,
    arithmetic.Subtract,
    arithmetic.Multiply,
    reduction.Mean,
    pooling.GlobalAveragePool2D,
)
"""The ops that are quantized between layers, with the activation of SMOOTH_FUNCTIONS."""

SMOOTH_FUNCTIONS = frozenset(
    {
        ActivationFunction.RELU,
        ActivationFunction.RELU6,
        ActivationFunction.LEAKY_RELU,
        ActivationFunction.SIGMOID,
        ActivationFunction.TANH,
    }
)

STEEP = (elementwise.Exp,)
KEEPING_STEEP = (arithmetic.Add, arithmetic.Subtract, arithmetic.Multiply)


class Origin(enum.IntEnum):
    """What a value was computed from, the worst of it."""

    FREE = 0
    """Constants, shapes and images."""
    LAYER = 1
    RAW = 2
    """Columns or answers of comparisons, with no layer in between."""


def find_layers(graph: Graph) -> tuple[Node, ...]:
    """Return the layers that may be quantized, in the graph's order; their kernels have no other readers."""
    origins = _trace(graph)
    kernels = {node: node.op.kernel for node in graph.nodes if isinstance(node.op, LAYERS)}
    readers = Counter(kernels.values())
    return tuple(
        node
        for node, kernel in kernels.items()
        if origins[node.inputs[0]] is not Origin.RAW and readers[kernel] == 1
    )


def find_quantizable(graph: Graph, layers: Iterable[Node]) -> tuple[Node, ...]:
    """Return these layers, of `find_layers`, and the nodes between them, in the graph's order.

    Any other layer computes with float32, and so do the nodes that only it has on one side.
    """
    chosen = set(layers)
    origins, steep = _trace(graph), _find_steep(graph)
    between = _below(graph, chosen) & _above(graph, chosen)

    def is_exact(value: Value) -> bool:
        return value in steep or origins[value] is Origin.RAW

    return tuple(
        node
        for node in graph.nodes
        if node in chosen
        or (
            node in between
            and node.types[0].dtype is DType.FLOAT32
            and is_smooth(node.op)
            and not any(map(is_exact, (*node.inputs, *node.values)))
        )
    )


def is_smooth(op: Op) -> bool:
    """Return whether an op is quantized between layers."""
    return op.function in SMOOTH_FUNCTIONS if isinstance(op, Activation) else isinstance(op, SMOOTH)


def _below(graph: Graph, layers: set[Node]) -> set[Node]:
    """Return the nodes, but for layers, that read the result of a layer or of another such node."""
    reached: set[Node] = set()
    for node in graph.nodes:
        read = any(value.node in layers or value.node in reached for value in node.inputs)
        if read and not isinstance(node.op, LAYERS):
            reached.add(node)
    return reached


def _above(graph: Graph, layers: set[Node]) -> set[Node]:
    """Return the nodes, but for layers, whose results a layer or another such node reads."""
    reached: set[Node] = set()
    for node in reversed(graph.nodes):
        if node in layers or node in reached:
            sources = (value.node for value in node.inputs)
            reached.update(source for source in sources if not isinstance(source.op, LAYERS))
    return reached


def _find_steep(graph: Graph) -> set[Value]:
    """Return the results of STEEP ops, and sums and products of them."""
    steep: set[Value] = set()
    for node in graph.nodes:
        keeps = isinstance(node.op, KEEPING_STEEP) and not steep.isdisjoint(node.inputs)
        if keeps or isinstance(node.op, STEEP):
            steep.update(node.values)
    return steep


def _trace(graph: Graph) -> Mapping[Value, Origin]:
    """Return the origin of every value."""
    origins: dict[Value, Origin] = {}
    for node in graph.nodes:
        origins.update(dict.fromkeys(node.values, _origin(node, (origins[value] for value in node.inputs))))
    return origins


def _origin(node: Node, read: Iterable[Origin]) -> Origin:
    worst = max(read, default=Origin.FREE)
    if isinstance(node.op, Input):
        return Origin.RAW if NUMERIC_INPUT in node.name else Origin.FREE
    if isinstance(node.op, LAYERS) or _looks_up_rows(node):
        return Origin.LAYER
    return Origin.RAW if isinstance(node.op, COMPARISONS) and worst is not Origin.FREE else worst


def _looks_up_rows(node: Node) -> bool:
    """Return whether an op picks rows of a table of weights: one row each. Forests pick one for each tree."""
    op = node.op
    if not isinstance(op, rearrangement.Lookup) or op.table.type.dtype is not DType.FLOAT32:
        return False
    return op.table.type.rank == node.types[0].rank == 2
