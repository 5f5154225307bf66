"""Stacked results of several networks of one shape: f32[n, b, units], with the network as first axis."""

from __future__ import annotations

from collections.abc import Sequence

from sensenet.ir.graph import Value, apply, constant
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.core import Constant
from sensenet.ir.ops.dense import Activation
from sensenet.ir.ops.image import Index
from sensenet.ir.ops.rearrangement import Concatenate, Reshape, Slice, Transpose
from sensenet.ir.types import Tensor
from sensenet.passes.analysis.columns import width


def stack(values: Sequence[Value], name: str) -> Value:
    """Return f32[n, b, units] of n values f32[b, units]; units are known."""
    stacks = [apply(_row(value), value, name=f"{value.node.name}_stacked").value for value in values]
    return join_stacks(stacks, name)


def join_stacks(stacks: Sequence[Value], name: str) -> Value:
    """Return the stacks concatenated on the first axis."""
    return stacks[0] if len(stacks) == 1 else apply(Concatenate(axis=0), *stacks, name=name).value


def unstack(value: Value) -> list[Value]:
    """Return the values of each network of a stack of known height, without building the stack if possible.

    They come from the inputs of the stack: rows or columns, and activations and sums of other stacks.
    """
    op, inputs, name = value.op, value.node.inputs, value.node.name
    height = value.type.shape[0] or 0
    match op:
        case Concatenate(axis=0):
            return [each for part in inputs for each in unstack(part)]
        case Reshape() if inputs[0].type.rank == 2 and op == _row(inputs[0]):
            return [inputs[0]]
        case Transpose(permutation=(1, 0, 2)) if inputs[0].op == _columns(value):
            return _cut_columns(inputs[0].node.inputs[0], height, name)
        case Constant(value=tensor):
            return [constant(Tensor(part), f"{name}_{index}") for index, part in enumerate(tensor.array)]
        case Activation() | Add() if all(_is_stack(each, height) for each in inputs):
            operands = zip(*map(unstack, inputs), strict=True)
            return [apply(op, *those, name=f"{name}_{index}").value for index, those in enumerate(operands)]
    return [apply(Index(axis=0, index=index), value, name=f"{name}_{index}").value for index in range(height)]


def _is_stack(value: Value, height: int) -> bool:
    return value.type.rank == 3 and value.type.shape[0] == height


def _row(value: Value) -> Reshape:
    """Return the op that reshapes f32[b, units] to a stack of one."""
    return Reshape(shape=(1, None, width(value)))


def _columns(stacked: Value) -> Reshape:
    """Return the op that splits f32[b, n · units] by network, before a transposition to a stack."""
    return Reshape(shape=(None, stacked.type.shape[0], width(stacked)))


def _cut_columns(value: Value, count: int, name: str) -> list[Value]:
    """Return n slices of equal width of f32[b, n · units]."""
    units = (width(value) or 0) // count
    return [
        apply(Slice(start=start, stop=start + units), value, name=f"{name}_{index}").value
        for index, start in enumerate(range(0, count * units, units))
    ]
