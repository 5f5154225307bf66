"""What several networks of one shape give, stacked: f32[n, b, units], the network before the row."""

from __future__ import annotations

from collections.abc import Sequence

from sensenet.ir.graph import Value, apply
from sensenet.ir.ops.basic import Concatenate, Reshape
from sensenet.ir.ops.image import Index
from sensenet.passes.columns import width


def stack(values: Sequence[Value], name: str) -> Value:
    """f32[n, b, units] of n values f32[b, units]; units are known."""
    stacks = [apply(_row(value), value, name=f"{value.node.name}_stacked").value for value in values]
    return join_stacks(stacks, name)


def join_stacks(stacks: Sequence[Value], name: str) -> Value:
    """The stacks one after the other."""
    return stacks[0] if len(stacks) == 1 else apply(Concatenate(axis=0), *stacks, name=name).value


def unstack(value: Value, name: str) -> list[Value]:
    """The values of a stack of known height: those that it was made of, or by position."""
    match value.op:
        case Concatenate(axis=0):
            return [each for part in value.node.inputs for each in unstack(part, name)]
        case Reshape() as op if value.node.inputs[0].type.rank == 2 and op == _row(value.node.inputs[0]):
            return [value.node.inputs[0]]
    height = value.type.shape[0] or 0
    return [apply(Index(axis=0, index=i), value, name=f"{name}_{i}").value for i in range(height)]


def _row(value: Value) -> Reshape:
    """The op that makes of f32[b, units] a stack of one."""
    return Reshape(shape=(1, None, width(value)))
