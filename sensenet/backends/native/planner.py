"""Makes the plan of a graph of rows: where each value lies, and the steps that compute it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sensenet.backends.native.arithmetic import FORMULAS
from sensenet.backends.native.plan import (
    INPUT,
    OUTPUT,
    Buffer,
    DenseStep,
    EmbeddingStep,
    ForestStep,
    MapStep,
    MoveStep,
    Operand,
    Place,
    Plan,
    ReduceStep,
    SoftmaxStep,
    Step,
    places_of,
)
from sensenet.errors import UnsupportedOpError
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Node, Value
from sensenet.ir.op import Op
from sensenet.ir.ops import arithmetic, dense, rearrangement, reduction, tabular
from sensenet.ir.ops.core import Constant, Input
from sensenet.ir.types import Array, DType, TensorType

MOST_NUMBERS = 1 << 20
"""The most numbers of a row in all steps: blocks of rows take 24 times as much memory for each thread."""

LARGEST_WEIGHTS = 512 << 20
"""The most bytes of kernels and of tables of embeddings, of which the code has its own copy."""

MOST_STEPS = 20_000
"""The most steps of a plan: machine code grows with them."""


REARRANGEMENTS: tuple[type[Op], ...] = (
    rearrangement.Slice,
    rearrangement.Gather,
    rearrangement.Reshape,
    rearrangement.Flatten,
    rearrangement.Transpose,
)
"""Ops whose answers are numbers of their input at other positions."""


def plan_graph(graph: Graph, *, exact: bool = False) -> Plan:
    """Return the plan of a graph; if it is `exact`, biases are added last, as the interpreter does.

    Raises UnsupportedOpError, naming the node, for a graph that is not of rows.
    """
    return _Planner(graph, exact).plan()


def row_shape(value: Value) -> tuple[int, ...]:
    """Return the shape of a value for one row: its axis of unknown size has size 1; a constant has none.

    Raises UnsupportedOpError unless exactly one size is unknown.
    """
    if isinstance(value.op, Constant):
        return value.op.value.shape
    if value.type.shape.count(None) != 1:
        raise _unsupported(value.node, f"its result {value.type} does not have one axis of rows")
    return tuple(1 if size is None else size for size in value.type.shape)


def _unsupported(node: Node, reason: str) -> UnsupportedOpError:
    return UnsupportedOpError(f"native code cannot run node {node.name!r} ({node.op.mnemonic()}): {reason}")


def _batch_axis(found: TensorType) -> int:
    """Return the position of the axis of rows, counted from the last: -1 is the last."""
    return found.shape.index(None) - found.rank


class _Planner:
    """Plans one graph: assigns places from the outputs to the input, then writes steps in order."""

    def __init__(self, graph: Graph, exact: bool) -> None:
        self._graph = graph
        self._exact = exact
        self._widths: list[int] = []
        self._places: dict[Value, Place] = {}
        self._steps: list[Step] = []

    def plan(self) -> Plan:
        columns = self._plan_ends()
        for node in reversed(self._graph.nodes):
            if isinstance(node.op, rearrangement.Concatenate):
                self._place_parts(node)
        for node in self._graph.nodes:
            if not isinstance(node.op, Input | Constant):
                self._plan_node(node)
                if len(self._steps) > MOST_STEPS:
                    raise _unsupported(node, f"the graph needs more than {MOST_STEPS} steps")
        self._require_size()
        outputs = {}
        for name, value in self._graph.outputs.items():
            self._move(self._operand(value), columns[name])
            outputs[name] = columns[name], value.type.shape
        return Plan(steps=tuple(self._steps), buffers=self._find_buffers(), outputs=outputs)

    def _require_size(self) -> None:
        """Raise UnsupportedOpError for more memory than machine code should add to that of the graph."""
        numbers = sum(self._widths)
        if numbers > MOST_NUMBERS:
            raise UnsupportedOpError(
                f"native code computes at most {MOST_NUMBERS:,} numbers of a row, not {numbers:,}"
            )
        weights = sum(
            step.kernel.nbytes if isinstance(step, DenseStep) else step.op.table.array.nbytes
            for step in self._steps
            if isinstance(step, DenseStep | EmbeddingStep)
        )
        if weights > LARGEST_WEIGHTS:
            raise UnsupportedOpError(
                f"native code has at most {LARGEST_WEIGHTS >> 20} MiB of weights, not {weights >> 20} MiB"
            )

    def _plan_ends(self) -> dict[str, Place]:
        """Place the input, and the outputs that a step can write to directly; return columns by output."""
        if len(self._graph.inputs) != 1:
            raise UnsupportedOpError("native code runs graphs of one input, f32[?,columns]")
        (node,) = self._graph.inputs
        if node.types[0].rank != 2 or node.types[0].dtype is not DType.FLOAT32:
            raise _unsupported(node, f"the input is {node.types[0]}, expected f32[?,columns]")
        width = math.prod(row_shape(node.value))
        self._widths = [width, 0]
        self._places[node.value] = Place(INPUT, 0, width)
        columns = {}
        for name, value in self._graph.outputs.items():
            if value.type.dtype is not DType.FLOAT32 or isinstance(value.op, Constant):
                raise _unsupported(value.node, "an output is not of f32 numbers of rows")
            width = math.prod(row_shape(value))
            columns[name] = Place(OUTPUT, self._widths[OUTPUT], width)
            self._widths[OUTPUT] += width
            if self._is_written(value):
                self._places.setdefault(value, columns[name])
        return columns

    def _is_written(self, value: Value) -> bool:
        """Return whether steps compute the value, instead of finding it elsewhere."""
        return not isinstance(value.op, (Input, Constant, dense.Dropout, *REARRANGEMENTS))

    def _place_parts(self, node: Node) -> None:
        """Place the parts of a concatenation where they belong, unless they are elsewhere already."""
        place = self._place(node.value)
        if math.prod(row_shape(node.value)[: self._axis(node)]) != 1:
            return
        start = place.start
        for value in node.inputs:
            width = math.prod(row_shape(value))
            if self._is_written(value):
                self._places.setdefault(value, Place(place.buffer, start, width))
            start += width

    def _axis(self, node: Node) -> int:
        """Return the axis of an op along one axis, not negative; raise UnsupportedOpError for the rows."""
        (rank,) = {value.type.rank for value in node.values}
        axis: int = node.op.axis  # type: ignore[attr-defined]
        if node.values[0].type.shape[axis % rank] is None:
            raise _unsupported(node, "it works along the axis of rows")
        return axis % rank

    def _place(self, value: Value) -> Place:
        """Return the place of a value that steps compute: a buffer of its own unless it was placed before."""
        if value not in self._places:
            self._places[value] = self._new_place(math.prod(row_shape(value)))
        return self._places[value]

    def _new_place(self, width: int) -> Place:
        self._widths.append(width)
        return Place(len(self._widths) - 1, 0, width)

    def _operand(self, value: Value) -> Place:
        """Return the place of a value that differs by row."""
        if value not in self._places:
            raise _unsupported(value.node, "an operand is a constant")
        return self._places[value]

    def _plan_node(self, node: Node) -> None:
        op = node.op
        if isinstance(op, REARRANGEMENTS):
            self._rearrange(node)
        elif isinstance(op, arithmetic.Cast):
            self._cast(node)
        elif isinstance(op, dense.Dropout):
            self._places.setdefault(node.value, self._operand(node.inputs[0]))
        elif op.mnemonic() in FORMULAS and not isinstance(op, arithmetic.Add):
            self._map(op, node, node.inputs, self._place(node.value))
        elif type(op) in RULES:
            RULES[type(op)](self, node)
        elif op.mnemonic() in REDUCTIONS:
            self._reduce_axes(node)
        else:
            raise _unsupported(node, "there is no code for it")

    def _move(self, x: Place, y: Place, indices: Array | None = None) -> None:
        """Move numbers, unless they are there already."""
        if indices is not None or x != y:
            chosen = np.arange(x.width) if indices is None else indices
            self._steps.append(MoveStep(x=x, y=y, indices=chosen.astype(np.int32)))

    def _rearrange(self, node: Node) -> None:
        (value,) = node.inputs
        x = self._operand(value)
        positions = np.arange(x.width, dtype=np.int32).reshape(row_shape(value))
        indices = np.asarray(node.op.evaluate(positions)).ravel()
        if len(indices) != math.prod(row_shape(node.value)):
            raise _unsupported(node, "it joins rows")
        if len(indices) and np.array_equal(indices, np.arange(indices[0], indices[0] + len(indices))):
            view = Place(x.buffer, x.start + int(indices[0]), len(indices))
            if node.value in self._places:
                self._move(view, self._places[node.value])
            else:
                self._places[node.value] = view
        else:
            self._move(x, self._place(node.value), indices)

    def _cast(self, node: Node) -> None:
        """Find truth values as numbers in their own place; there are no integers."""
        if {node.inputs[0].type.dtype, node.value.type.dtype} - {DType.BOOL, DType.FLOAT32}:
            raise _unsupported(node, "it converts integers")
        if node.value.type.dtype is DType.BOOL and node.inputs[0].type.dtype is DType.FLOAT32:
            raise _unsupported(node, "it converts numbers to truth values")
        self._move(self._operand(node.inputs[0]), self._place(node.value))

    def _map(self, op: Op, node: Node, inputs: Sequence[Value | Place], y: Place) -> None:
        """Apply an op to values that are broadcast to the shape of the node's result."""
        xs = tuple(x if isinstance(x, Place) else self._broadcast(node, x) for x in inputs)
        self._steps.append(MapStep(op=op, xs=xs, y=y))

    def _broadcast(self, node: Node, value: Value) -> Operand:
        """Return a value with one number for each of the node's result, or with one number for all."""
        shape = row_shape(node.value)
        if isinstance(value.op, Constant):
            array = value.op.value.array
            if array.dtype == np.int32:
                raise _unsupported(node, "an operand is of integers")
            axis = _batch_axis(node.value.type)
            if array.ndim >= -axis and array.shape[axis] != 1:
                raise _unsupported(node, "a constant differs by row")
            numbers = np.broadcast_to(array.astype(np.float32), shape).ravel()
            return numbers[:1] if np.all(numbers.view(np.int32) == numbers.view(np.int32)[:1]) else numbers
        if _batch_axis(value.type) != _batch_axis(node.value.type):
            raise _unsupported(node, "the axes of rows of its operands differ")
        x = self._operand(value)
        if x.width == 1 or x.width == math.prod(shape):
            return x
        positions = np.arange(x.width).reshape(row_shape(value))
        wide = self._new_place(math.prod(shape))
        self._move(x, wide, np.broadcast_to(positions, shape).ravel())
        return wide

    def _find_buffers(self) -> tuple[Buffer, ...]:
        first, last = dict.fromkeys(range(len(self._widths)), len(self._steps)), dict[int, int]()
        for number, step in enumerate(self._steps):
            for place in places_of(step):
                first[place.buffer] = min(first[place.buffer], number)
                last[place.buffer] = number
        return tuple(
            Buffer(width, first[number], last.get(number, first[number]))
            for number, width in enumerate(self._widths)
        )

    # the ops that are not moved or mapped; RULES has them by class

    def _concatenate(self, node: Node) -> None:
        y, shape, axis = self._place(node.value), row_shape(node.value), self._axis(node)
        inner, outer = math.prod(shape[axis + 1 :]), math.prod(shape[:axis])
        positions = np.arange(y.width).reshape(outer, -1)
        start = 0
        for value in node.inputs:
            x = self._operand(value)
            width = value.type.shape[axis]
            assert width is not None
            columns = positions[:, start : start + width * inner]
            start += width * inner
            if outer == 1:
                self._move(x, Place(y.buffer, y.start + int(columns[0, 0]), x.width))
                continue
            for part, each in zip(np.arange(x.width).reshape(outer, -1), columns, strict=True):
                source = Place(x.buffer, x.start + int(part[0]), len(part))
                self._move(source, Place(y.buffer, y.start + int(each[0]), len(part)))

    def _sum(self, node: Node) -> Value | Place:
        """Return the sum of a node's inputs, from the left: its place, or the only input."""
        y = self._place(node.value)
        total: Value | Place
        total, *others = node.inputs
        for each in others:
            self._map(arithmetic.Add(), node, (total, each), y)
            total = y
        return total

    def _average(self, node: Node) -> None:
        total = self._sum(node)
        x = self._broadcast(node, total) if isinstance(total, Value) else total
        divisor = np.full(1, len(node.inputs), np.float32)
        self._steps.append(MapStep(op=arithmetic.Divide(), xs=(x, divisor), y=self._place(node.value)))

    def _map_twice(self, node: Node, first: tuple[Op, Array], second: tuple[Op, Array]) -> None:
        """Apply two ops of a number and a constant to the node's input, one after the other."""
        x, y = self._operand(node.inputs[0]), self._place(node.value)
        for op, constant in (first, second):
            self._steps.append(MapStep(op=op, xs=(x, constant), y=y))
            x = y

    def _standardize(self, node: Node) -> None:
        op = node.op
        assert isinstance(op, tabular.Standardize)
        shape = row_shape(node.value)
        mean, stdev = (
            np.ascontiguousarray(np.broadcast_to(each.array, shape)).ravel() for each in (op.mean, op.stdev)
        )
        self._map_twice(node, (arithmetic.Subtract(), mean), (arithmetic.Divide(), stdev))

    def _destandardize(self, node: Node) -> None:
        op = node.op
        assert isinstance(op, tabular.Destandardize)
        stdev, mean = op.stdev.array.reshape(1), op.mean.array.reshape(1)
        self._map_twice(node, (arithmetic.Multiply(), stdev), (arithmetic.Add(), mean))

    def _batch_normalization(self, node: Node) -> None:
        op = node.op
        assert isinstance(op, dense.BatchNormalization)
        if node.value.type.shape[-1] is None:
            raise _unsupported(node, "it works along the axis of rows")
        groups = math.prod(row_shape(node.value)[:-1])
        scale, shift = (np.tile(each.astype(np.float32), groups) for each in op.scale_and_shift())
        self._map_twice(node, (arithmetic.Multiply(), scale), (arithmetic.Add(), shift))

    def _one_hot(self, node: Node) -> None:
        op, y = node.op, self._place(node.value)
        assert isinstance(op, tabular.OneHot)
        self._move(self._operand(node.inputs[0]), y, op.groups)
        self._steps.append(MapStep(op=arithmetic.Equal(), xs=(y, op.codes), y=y))

    def _embedding_sum(self, node: Node) -> None:
        assert isinstance(node.op, tabular.EmbeddingSum)
        x, y = self._operand(node.inputs[0]), self._place(node.value)
        self._steps.append(EmbeddingStep(x=x, y=y, op=node.op))

    def _forest(self, node: Node) -> None:
        assert isinstance(node.op, tabular.Forest)
        x, y = self._operand(node.inputs[0]), self._place(node.value)
        self._steps.append(ForestStep(x=x, y=y, op=node.op))

    def _dense(self, node: Node) -> None:
        op = node.op
        assert isinstance(op, dense.Dense)
        if node.inputs[0].type.shape[-1] is None:
            raise _unsupported(node, "it works along the axis of rows")
        self._multiply(node, op.kernel.array, None if op.bias is None else op.bias.array, op.activation)

    def _batched_dense(self, node: Node) -> None:
        op = node.op
        assert isinstance(op, dense.BatchedDense)
        shape = node.inputs[0].type.shape
        if shape[-2] is not None:
            raise _unsupported(node, f"its rows are not on the axis before the last of {shape}")
        x, y = self._operand(node.inputs[0]), self._place(node.value)
        size = op.kernel.shape[1]
        shared = len(shape) == 2
        for network in range(op.networks):
            bias = None if op.bias is None else op.bias.array[network]
            self._multiply_part(
                x if shared else Place(x.buffer, x.start + network * size, size),
                Place(y.buffer, y.start + network * op.units, op.units),
                op.kernel.array[network],
                bias,
                op.activation,
            )
        self._normalize_after(op.activation, y, op.units)

    def _multiply(
        self, node: Node, kernel: Array, bias: Array | None, activation: ActivationFunction
    ) -> None:
        x, y = self._operand(node.inputs[0]), self._place(node.value)
        size, units = kernel.shape
        for group in range(y.width // units if units else 0):
            source = Place(x.buffer, x.start + group * size, size)
            result = Place(y.buffer, y.start + group * units, units)
            self._multiply_part(source, result, kernel, bias, activation)
        self._normalize_after(activation, y, units)

    def _multiply_part(
        self, x: Place, y: Place, kernel: Array, bias: Array | None, activation: ActivationFunction
    ) -> None:
        added = np.zeros(y.width, np.float32) if bias is None else bias
        fused = activation if activation.elementwise else ActivationFunction.LINEAR
        if not self._exact:
            self._steps.append(DenseStep(x=x, y=y, kernel=kernel, bias=added, activation=fused))
            return
        linear = ActivationFunction.LINEAR
        self._steps.append(DenseStep(x=x, y=y, kernel=kernel, bias=np.zeros_like(added), activation=linear))
        self._steps.append(MapStep(op=arithmetic.Add(), xs=(y, added), y=y))
        if fused is not linear:
            self._steps.append(MapStep(op=dense.Activation(function=fused), xs=(y,), y=y))

    def _normalize_after(self, activation: ActivationFunction, y: Place, width: int) -> None:
        if not activation.elementwise:
            logarithm = activation is ActivationFunction.LOG_SOFTMAX
            self._steps.append(SoftmaxStep(x=y, y=y, width=width, logarithm=logarithm))

    def _activation(self, node: Node) -> None:
        op = node.op
        assert isinstance(op, dense.Activation)
        x, y = self._operand(node.inputs[0]), self._place(node.value)
        if op.function.elementwise:
            self._steps.append(MapStep(op=op, xs=(x,), y=y))
            return
        width = node.value.type.shape[-1]
        if width is None:
            raise _unsupported(node, "it works along the axis of rows")
        logarithm = op.function is ActivationFunction.LOG_SOFTMAX
        self._steps.append(SoftmaxStep(x=x, y=y, width=width, logarithm=logarithm))

    def _mean(self, node: Node) -> None:
        assert isinstance(node.op, reduction.Mean)
        self._reduce(node, arithmetic.Add(), node.op.axis, average=True)

    def _reduce_axes(self, node: Node) -> None:
        axes = node.op.axes  # type: ignore[attr-defined]
        if len(axes) != 1:
            raise _unsupported(node, "it works along several axes")
        self._reduce(node, REDUCTIONS[node.op.mnemonic()], axes[0], average=False)

    def _reduce(self, node: Node, op: Op, axis: int, *, average: bool) -> None:
        (value,) = node.inputs
        shape = row_shape(value)
        axis %= len(shape)
        if value.type.shape[axis] is None or not shape[axis]:
            raise _unsupported(node, "it works along the axis of rows, or along no entries")
        x, y = self._operand(value), self._place(node.value)
        divisor = float(shape[axis]) if average else 1.0
        inner = math.prod(shape[axis + 1 :])
        self._steps.append(ReduceStep(op=op, x=x, y=y, count=shape[axis], inner=inner, divisor=divisor))


REDUCTIONS: Mapping[str, Op] = {
    "reduce_sum": arithmetic.Add(),
    "reduce_max": arithmetic.Maximum(),
    "reduce_min": arithmetic.Minimum(),
}
"""The ops of two numbers to which reductions come down, by the reductions' mnemonics."""

RULES: Mapping[type[Op], Callable[[_Planner, Node], object]] = {
    rearrangement.Concatenate: _Planner._concatenate,
    arithmetic.Add: _Planner._sum,
    arithmetic.Average: _Planner._average,
    reduction.Mean: _Planner._mean,
    dense.Dense: _Planner._dense,
    dense.BatchedDense: _Planner._batched_dense,
    dense.BatchNormalization: _Planner._batch_normalization,
    dense.Activation: _Planner._activation,
    tabular.Standardize: _Planner._standardize,
    tabular.Destandardize: _Planner._destandardize,
    tabular.OneHot: _Planner._one_hot,
    tabular.EmbeddingSum: _Planner._embedding_sum,
    tabular.Forest: _Planner._forest,
}
"""How each other op is planned."""
