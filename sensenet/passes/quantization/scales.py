"""Chooses the scale and zero point of each input and result of operators of whole numbers.

The rules are those of TensorFlow Lite's specifications of 8 bits and of 16, which have no zero point: 0 is a
step of every scale; ops that move numbers (`selection.MOVES`) have one scale for all inputs and results; the
results of sigmoid and tanh have fixed ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Value
from sensenet.ir.op import Op
from sensenet.ir.ops.arithmetic import Add, Subtract
from sensenet.ir.ops.dense import Activation
from sensenet.passes.quantization.kernels import kernel_of, largest_step
from sensenet.passes.quantization.operators import Operator
from sensenet.passes.quantization.ranges import Range
from sensenet.passes.quantization.selection import LAYERS, MOVES
from sensenet.passes.quantization.steps import Steps, fixed_steps
from sensenet.records import frozen

FINEST_STEP = 128
"""Into how many steps of a result a step of what it is computed from may fall, at most."""

WIDENINGS = 8
"""How often the ranges are widened at most: values may share a scale with those of later operators."""

LARGEST_SPAN, SMALLEST_SPAN = 1e30, 1e-30
"""Of a range that may be quantized: products of two scales are then float32 too."""

REPEATING = frozenset({ActivationFunction.RELU, ActivationFunction.RELU6, ActivationFunction.LEAKY_RELU})
"""Functions whose results are of the magnitude of what they read, or of a part of it."""


@frozen(kw_only=True)
class Scales:
    """The steps in which values are read, and those in which operators return them if these differ."""

    read: Mapping[Value, Steps]
    given: Mapping[Value, Steps]
    bits: int

    def of_result(self, result: Value) -> Steps:
        """Return the steps in which an operator returns its result."""
        return self.given.get(result, self.read[result])

    def of_constant(self, operator: Operator, value: Value) -> Steps:
        """Return the steps of a constant that an operator reads: those of its result, if it moves numbers."""
        if isinstance(operator.node.op, MOVES):
            return self.read[operator.result]
        return steps_of(range_of_constant(value), self.bits)


def choose_scales(operators: Sequence[Operator], ranges: Mapping[Value, Range], bits: int = 8) -> Scales:
    """Return the scales for operators of so many bits whose values lie in these ranges."""
    groups = _group(operators)
    spans = _widen(operators, groups, _join(groups, ranges))
    fixed = {each.result: steps for each in operators if (steps := fixed_steps(each.last.op, bits))}
    adopted = _adopt(operators, groups, fixed)
    read = {value: adopted.get(group) or steps_of(spans[group], bits) for value, group in groups.items()}
    given = {value: each for value, each in fixed.items() if read[value] != each}
    return Scales(read=read, given=given, bits=bits)


def _adopt(
    operators: Sequence[Operator], groups: Mapping[Value, Value], fixed: Mapping[Value, Steps]
) -> dict[Value, Steps]:
    """Return the steps of groups all of whose numbers come from values of the same fixed steps."""
    moved = {each.result for each in operators if isinstance(each.node.op, MOVES)}
    sources: dict[Value, set[Steps | None]] = defaultdict(set)
    for value, group in groups.items():
        if value not in moved:
            sources[group].add(fixed.get(value))
    for each in operators:
        if each.constants and each.result in moved:
            sources[groups[each.result]].add(None)
    return {group: steps for group, (steps, *more) in sources.items() if steps and not more}


def steps_of(ends: Range, bits: int = 8) -> Steps:
    """Return the steps of a range that includes 0; of 16 bits, 0 is the middle one."""
    low, high = ends
    most = largest_step(bits)
    span = high - low if bits == 8 else 2 * max(-low, high)
    scale = float(np.float32((span if span > SMALLEST_SPAN else 1.0) / (2 * most + (bits == 8))))
    zero_point = round(-most - 1 - low / scale) if bits == 8 else 0
    return Steps(scale=scale, zero_point=int(np.clip(zero_point, -most - 1, most)), bits=bits)


def range_of_constant(value: Value) -> Range:
    """Return the least and the largest number of a constant, with 0."""
    numbers = value.op.value.array  # type: ignore[attr-defined]
    return float(numbers.min(initial=0)), float(numbers.max(initial=0))


def may_be_quantized(ends: Range) -> bool:
    """Return whether a range is finite, and of a size whose scale is a float32."""
    low, high = ends
    return bool(np.isfinite(low) and np.isfinite(high)) and max(-low, high) < LARGEST_SPAN


def _group(operators: Sequence[Operator]) -> dict[Value, Value]:
    """Return for each value another, the same for all of one scale."""
    parents: dict[Value, Value] = {}

    def root(value: Value) -> Value:
        while parents.setdefault(value, value) != value:
            parents[value] = value = parents[parents[value]]
        return value

    for each in operators:
        for value in (*each.inputs, each.result):
            root(value)
        if isinstance(each.node.op, MOVES):
            for value in each.inputs:
                parents[root(value)] = root(each.result)
    return {value: root(value) for value in parents}


def _join(groups: Mapping[Value, Value], ranges: Mapping[Value, Range]) -> dict[Value, Range]:
    """Return the range of each group: what its values need, and 0."""
    joined: dict[Value, Range] = dict.fromkeys(groups.values(), (0.0, 0.0))
    for value, group in groups.items():
        (low, high), (least, most) = joined[group], ranges[value]
        joined[group] = min(low, least), max(high, most)
    return joined


def _widen(
    operators: Sequence[Operator], groups: Mapping[Value, Value], ranges: dict[Value, Range]
) -> dict[Value, Range]:
    """Return ranges whose steps are not much finer than those that they are computed from.

    A layer whose units are all 0 on the calibration rows has no range at all; kernels refuse such scales.
    """
    for _ in range(WIDENINGS):
        before = dict(ranges)
        for each in operators:
            group = groups[each.result]
            low, high = ranges[group]
            spans = [ranges[groups[value]] for value in each.inputs]
            least = _factor(each.node.op) * max(most - less for less, most in spans) / FINEST_STEP
            if high - low < least:
                ranges[group] = low, low + least
        if ranges == before:
            break
    return ranges


def _factor(op: Op) -> float:
    """Return how much larger a result may be than what it is computed from; 0 if steps may be any finer."""
    if isinstance(op, LAYERS):
        return float(np.abs(kernel_of(op)).max(initial=0))
    repeats = isinstance(op, Add | Subtract) or (isinstance(op, Activation) and op.function in REPEATING)
    return 1.0 if repeats else 0.0
