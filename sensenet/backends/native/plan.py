"""Plans a graph of rows for machine code: steps over numbers of one row, and where each number lies.

A graph of rows reads one input, f32[rows, columns], and answers each row by itself. So each value is a list
of numbers of a row, its `Place`: some columns of a buffer, which holds a block of rows. Reshaping, slicing
and concatenating mostly move nothing: a slice is a narrower place, and the parts of a concatenation are
computed where they belong.

    %1 = dense(%0) {kernel=f32[4,8]…} ; %2 = one_hot(%0) … ; %3 = concatenate(%1, %2)
becomes
    buffer 2 of 8 + 3 numbers: dense %0 → [0:8]; move and map %0 → [8:11]

Writers of machine code and of C read the plan; none of them reads the graph.
"""

from __future__ import annotations

from collections.abc import Mapping

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.op import Op
from sensenet.ir.ops import tabular
from sensenet.ir.types import Array, Shape
from sensenet.records import frozen


@frozen
class Place:
    """The numbers [start, start + width) of each row of a buffer."""

    buffer: int
    start: int
    width: int


@frozen
class Buffer:
    """Numbers of each row in a block of rows; `first` and `last` are the steps that write and read it."""

    width: int
    first: int
    last: int


Operand = Place | Array
"""Numbers of a row, or f32[width], or f32[1], for all rows. One number counts for each of the result."""


@frozen(kw_only=True, eq=False)
class DenseStep:
    """y = activation(x @ kernel + bias): kernel is f32[in, units]; no activation of several numbers."""

    x: Place
    y: Place
    kernel: Array
    bias: Array
    activation: ActivationFunction


@frozen(kw_only=True, eq=False)
class MapStep:
    """y[i] = op(xs[0][i], xs[1][i], …) for an op that computes each number from those at its position."""

    op: Op
    xs: tuple[Operand, ...]
    y: Place

    @property
    def places(self) -> tuple[Place, ...]:
        """Return the operands that differ by row."""
        return tuple(x for x in self.xs if isinstance(x, Place))


@frozen(kw_only=True, eq=False)
class MoveStep:
    """y[i] = x[indices[i]]."""

    x: Place
    y: Place
    indices: Array


@frozen(kw_only=True, eq=False)
class SoftmaxStep:
    """Softmax, or its logarithm, of each group of `width` numbers, one after another."""

    x: Place
    y: Place
    width: int
    logarithm: bool


@frozen(kw_only=True, eq=False)
class ReduceStep:
    """y[o, i] = x[o, 0, i] ∘ x[o, 1, i] ∘ …, in order, divided by `divisor`; x is [outer, count, inner]."""

    op: Op
    x: Place
    y: Place
    count: int
    inner: int
    divisor: float


@frozen(kw_only=True, eq=False)
class EmbeddingStep:
    """y = Σ_i table[start_i + x[i]], as the op `embedding_sum`."""

    x: Place
    y: Place
    op: tabular.EmbeddingSum


@frozen(kw_only=True, eq=False)
class ForestStep:
    """y = the answers of forests, as the op `forest`."""

    x: Place
    y: Place
    op: tabular.Forest


Step = DenseStep | MapStep | MoveStep | SoftmaxStep | ReduceStep | EmbeddingStep | ForestStep


@frozen(kw_only=True, eq=False)
class Plan:
    """Steps that answer a row, in order.

    Buffer 0 is the caller's rows, buffer 1 the answers: those of all outputs, one after another. `outputs`
    are the columns of each output, and the shape of its value: the axis of rows is None.
    """

    steps: tuple[Step, ...]
    buffers: tuple[Buffer, ...]
    outputs: Mapping[str, tuple[Place, Shape]]


INPUT, OUTPUT = 0, 1

SUM_LANES = 16
"""Sums of many numbers are taken in so many lanes on every machine, so that all round alike."""


def places_of(step: Step) -> tuple[Place, ...]:
    """Return the places that a step reads and writes."""
    return (*step.places, step.y) if isinstance(step, MapStep) else (step.x, step.y)


def arrange_buffers(plan: Plan) -> tuple[Mapping[int, int], int]:
    """Return where the scratch buffers begin, in numbers a row, and the length of all.

    Buffers that are in use at different steps share numbers. Each takes the first gap that is wide enough.
    """
    starts: dict[int, int] = {}
    for number, buffer in sorted(enumerate(plan.buffers), key=lambda each: each[1].first):
        if number in (INPUT, OUTPUT):
            continue
        busy = sorted(
            (start, start + plan.buffers[other].width)
            for other, start in starts.items()
            if plan.buffers[other].last >= buffer.first
        )
        position = 0
        for start, stop in busy:
            if start - position >= buffer.width:
                break
            position = max(position, stop)
        starts[number] = position
    length = max((start + plan.buffers[number].width for number, start in starts.items()), default=0)
    return starts, length
