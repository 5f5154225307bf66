"""Traces the columns of a matrix to their sources, through ops that only move columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sensenet.ir.graph import Node, Value, apply
from sensenet.ir.op import Op
from sensenet.ir.ops.rearrangement import Concatenate, Gather, Slice
from sensenet.ir.types import Array
from sensenet.passes.infrastructure.rules import Uses
from sensenet.records import frozen


def width(value: Value) -> int | None:
    """Return the size of the last axis, if it is known."""
    return value.type.shape[-1]


def starts(values: Sequence[Value]) -> Array:
    """Return int64[n]: the first column of each value when they are concatenated; all widths are known."""
    return np.cumsum([0, *(width(value) or 0 for value in values[:-1])])


def joins_columns(value: Value) -> bool:
    """Return whether a value is a concatenation, on the last axis, of values of known widths."""
    rank = value.type.rank
    return (
        isinstance(value.op, Concatenate)
        and value.op.axis % rank == rank - 1
        and all(width(part) is not None for part in value.node.inputs)
    )


def parts(value: Value) -> tuple[Value, ...]:
    """Return the values that a concatenation of columns joins, or the value alone."""
    return value.node.inputs if joins_columns(value) else (value,)


def join(values: Sequence[Value], name: str) -> Value:
    """Return the values concatenated on the last axis."""
    return values[0] if len(values) == 1 else apply(Concatenate(), *values, name=name).value


def reaches_only(value: Value, uses: Uses, accept: Callable[[Node], bool]) -> bool:
    """Return whether `accept` holds for all readers of a value, and of concatenations that contain it."""

    def reads(node: Node) -> bool:
        return accept(node) or (joins_columns(node.value) and uses.only_by(node.value, accept))

    return uses.only_by(value, reads)


def selected_positions(op: Op) -> Array | None:
    """Return the positions on its axis that a slice or gather takes, in order; None for other ops."""
    match op:
        case Slice(start=start, stop=stop):
            return np.arange(start, stop)
        case Gather(indices=indices):
            return indices.array
    return None


@frozen(kw_only=True)
class Columns:
    """Column j of a matrix is column `index[j]` of `sources[source[j]]`."""

    sources: tuple[Value, ...]
    source: Array
    index: Array


def trace(matrix: Value, columns: Array) -> Columns:
    """Return the sources of some columns of a matrix (rank 2), none of them a slice, gather or concatenation.

    The sources have the order in which concatenations name them, whatever order of columns is asked for, so
    that readers of several parts of one matrix have the same sources in the same order.
    """
    number: dict[Value, int] = {}
    source, index = np.zeros_like(columns), np.zeros_like(columns)
    pending = [(matrix, np.arange(len(columns)), columns)]
    while pending:
        value, places, wanted = pending.pop()
        if joins_columns(value):
            inputs = value.node.inputs
            begin = starts(inputs)
            owner = np.searchsorted(begin, wanted, side="right") - 1
            for k in reversed(np.unique(owner)):
                mine = owner == k
                pending.append((inputs[k], places[mine], wanted[mine] - begin[k]))
            continue
        positions = selected_positions(value.op)
        if positions is not None and value.op.axis % 2 == 1:  # type: ignore[attr-defined]
            pending.append((value.node.inputs[0], places, positions[wanted]))
            continue
        source[places] = number.setdefault(value, len(number))
        index[places] = wanted
    return Columns(sources=tuple(number), source=source, index=index)
