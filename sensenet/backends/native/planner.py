"""Makes the plan of a graph of rows: where each value lies, and the steps that compute it."""

from __future__ import annotations

import math

from sensenet.backends.native.op_steps import REARRANGEMENTS, plan_node
from sensenet.backends.native.plan import (
    INPUT,
    OUTPUT,
    Buffer,
    DenseStep,
    EmbeddingStep,
    Place,
    Plan,
    places_of,
)
from sensenet.backends.native.plan_builder import PlanBuilder, axis_of, row_shape, unsupported
from sensenet.errors import UnsupportedOpError
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.ops import dense, rearrangement
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.types import DType

MOST_NUMBERS = 1 << 20
"""The most numbers of a row in all steps: blocks of rows take 24 times as much memory for each thread."""

LARGEST_WEIGHTS = 512 << 20
"""The most bytes of kernels and of tables of embeddings, of which the code has its own copy."""

MOST_STEPS = 20_000
"""The most steps of a plan: machine code grows with them."""


def plan_graph(graph: Graph, *, exact: bool = False) -> Plan:
    """Return the plan of a graph; if it is `exact`, biases are added last, as the interpreter does.

    Raises UnsupportedOpError, naming the node, for a graph that is not of rows.
    """
    builder = PlanBuilder(exact)
    columns = _place_ends(builder, graph)
    for node in reversed(graph.nodes):
        if isinstance(node.op, rearrangement.Concatenate):
            _place_parts(builder, node)
    for node in graph.nodes:
        if not isinstance(node.op, Input | Constant):
            plan_node(builder, node)
            if len(builder.steps) > MOST_STEPS:
                raise unsupported(node, f"the graph needs more than {MOST_STEPS} steps")
    _require_size(builder)
    outputs = {}
    for name, value in graph.outputs.items():
        builder.move(builder.operand(value), columns[name])
        outputs[name] = columns[name], value.type.shape
    return Plan(steps=tuple(builder.steps), buffers=_find_buffers(builder), outputs=outputs)


def _place_ends(builder: PlanBuilder, graph: Graph) -> dict[str, Place]:
    """Place the input, and the outputs that a step can write to directly; return columns by output."""
    if len(graph.inputs) != 1:
        raise UnsupportedOpError("native code runs graphs of one input, f32[?,columns]")
    (node,) = graph.inputs
    if node.types[0].rank != 2 or node.types[0].dtype is not DType.FLOAT32:
        raise unsupported(node, f"the input is {node.types[0]}, expected f32[?,columns]")
    builder.widths[INPUT] = math.prod(row_shape(node.value))
    builder.places[node.value] = Place(INPUT, 0, builder.widths[INPUT])
    columns = {}
    for name, value in graph.outputs.items():
        if value.type.dtype is not DType.FLOAT32 or isinstance(value.op, Constant):
            raise unsupported(value.node, "an output is not of f32 numbers of rows")
        width = math.prod(row_shape(value))
        columns[name] = Place(OUTPUT, builder.widths[OUTPUT], width)
        builder.widths[OUTPUT] += width
        if _is_written(value):
            builder.places.setdefault(value, columns[name])
    return columns


def _place_parts(builder: PlanBuilder, node: Node) -> None:
    """Place the parts of a concatenation where they belong, unless they are elsewhere already."""
    place = builder.place(node.value)
    if math.prod(row_shape(node.value)[: axis_of(node)]) != 1:
        return
    start = place.start
    for value in node.inputs:
        width = math.prod(row_shape(value))
        if _is_written(value):
            builder.places.setdefault(value, Place(place.buffer, start, width))
        start += width


def _is_written(value: Value) -> bool:
    """Return whether steps compute the value, instead of finding it elsewhere."""
    return not isinstance(value.op, (Input, Constant, dense.Dropout, *REARRANGEMENTS))


def _require_size(builder: PlanBuilder) -> None:
    """Raise UnsupportedOpError for more memory than machine code should add to that of the graph."""
    numbers = sum(builder.widths)
    if numbers > MOST_NUMBERS:
        raise UnsupportedOpError(
            f"native code computes at most {MOST_NUMBERS:,} numbers of a row, not {numbers:,}"
        )
    weights = sum(
        step.kernel.nbytes if isinstance(step, DenseStep) else step.op.table.array.nbytes
        for step in builder.steps
        if isinstance(step, DenseStep | EmbeddingStep)
    )
    if weights > LARGEST_WEIGHTS:
        raise UnsupportedOpError(
            f"native code has at most {LARGEST_WEIGHTS >> 20} MiB of weights, not {weights >> 20} MiB"
        )


def _find_buffers(builder: PlanBuilder) -> tuple[Buffer, ...]:
    """Return the buffers, each with the first and last step that uses it."""
    first, last = dict.fromkeys(range(len(builder.widths)), len(builder.steps)), dict[int, int]()
    for number, step in enumerate(builder.steps):
        for place in places_of(step):
            first[place.buffer] = min(first[place.buffer], number)
            last[place.buffer] = number
    return tuple(
        Buffer(width, first[number], last.get(number, first[number]))
        for number, width in enumerate(builder.widths)
    )
