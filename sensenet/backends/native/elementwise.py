"""The code of steps that compute or move each number by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sensenet.backends.native.arithmetic import formula
from sensenet.backends.native.code import Calls, Code, Rows, Strides
from sensenet.backends.native.llvm import Register
from sensenet.backends.native.plan import MapStep, MoveStep, Place
from sensenet.backends.native.vectors import Vectors
from sensenet.ir.types import Array

MOST_RUNS = 8
"""The most runs of neighbors that are moved one by one."""


def write_map(code: Code, step: MapStep) -> Calls:
    """Add the code and constants of an op on each number; rows without gaps are one long row."""
    constants = np.concatenate([np.zeros(0, np.float32), *(x for x in step.xs if not isinstance(x, Place))])
    kinds = tuple(_operand_kind(code, x, step.y) for x in step.xs)
    places = step.places
    flat = step.y.width > 0 and all(kind in ("flat", "constant") for kind in kinds) and code.is_dense(step.y)
    strides = () if flat else tuple(code.stride(place) for place in (*places, step.y))
    write = _flat_map if flat else _map_by_rows
    name = code.function(
        ("map", step.op, kinds, step.y.width, strides),
        len(places) + 1,
        lambda rows: write(rows, step.op, kinds, step.y.width, strides),
    )
    lanes = code.machine.lanes
    padded = np.concatenate([constants, np.zeros(lanes, np.float32)])
    return [(name, code.constants.add(padded), (*places, step.y))]


def _operand_kind(code: Code, x: Place | Array, y: Place) -> str:
    """Return how an operand is read: one constant, many, one number a row, many, or rows without gaps."""
    if isinstance(x, Place):
        if x.width == 1 and y.width != 1:
            return "one"
        return "flat" if code.is_dense(x) else "many"
    return "constant" if len(x) == 1 else "constants"


def _flat_map(rows: Rows, op: Any, kinds: Sequence[str], width: int, _: Sequence[int]) -> None:
    """Write a function over rows that follow each other without gaps, as one long row."""
    writer = rows.writer
    compute = formula(op)
    total = writer.times("%rows", width)

    def run(start: Register, lanes: int) -> None:
        to = Vectors(writer, lanes)
        operands = []
        place, position = 0, 0
        for kind in kinds:
            if kind == "flat":
                operands.append(writer.load(writer.address(f"%x{place}", start), lanes))
                place += 1
            else:
                number = writer.load(writer.address("%constants", position))
                operands.append(writer.broadcast(number, lanes))
                position += 1
        writer.store(compute(to, *operands), writer.address("%y", start), lanes)

    done = writer.each(0, total, rows.machine.lanes, lambda start: run(start, rows.machine.lanes))
    writer.each(done, total, 1, lambda start: run(start, 1))


def _map_by_rows(rows: Rows, op: Any, kinds: Sequence[str], width: int, strides: Sequence[int]) -> None:
    writer = rows.writer
    compute = formula(op)

    def map_row(index: Register) -> None:
        bases = [
            rows.row(f"%x{number}" if number < len(strides) - 1 else "%y", stride, index)
            for number, stride in enumerate(strides)
        ]

        def map_part(start: Register | int, count: int) -> None:
            to = rows.vectors(count)
            operands = []
            place, position = 0, 0
            for kind in kinds:
                if kind in ("constant", "one"):
                    base = bases[place] if kind == "one" else writer.address("%constants", position)
                    operands.append(writer.broadcast(writer.load(base), to.lanes))
                else:
                    base = writer.address("%constants", position) if kind == "constants" else bases[place]
                    address = writer.address(base, start)
                    operands.append(writer.load_part(address, count, to.lanes, to.number(0.0)))
                place += kind in ("one", "flat", "many")
                position += {"constant": 1, "constants": width}.get(kind, 0)
            writer.store_part(compute(to, *operands), writer.address(bases[-1], start), count, to.lanes)

        rows.chunks(width, map_part)

    rows.each_row(map_row)


def write_move(code: Code, step: MoveStep) -> Calls:
    """Add the code of a move: of a few runs of neighbors, or by a table of positions."""
    indices = step.indices
    if not len(indices):
        return []
    breaks = np.flatnonzero(np.diff(indices) != 1) + 1
    runs = tuple((int(run[0]), len(run)) for run in np.split(indices, breaks))
    strides = code.stride(step.x), code.stride(step.y)
    if len(runs) <= MOST_RUNS:
        key: tuple[Any, ...] = ("move", runs, strides)
        name = code.function(key, 2, lambda rows: _move_runs(rows, runs, strides))
        return [(name, 0, (step.x, step.y))]
    key = ("gather", len(indices), strides)
    name = code.function(key, 2, lambda rows: _move_each(rows, len(indices), strides))
    return [(name, code.constants.add(indices.astype(np.int32)), (step.x, step.y))]


def _move_runs(rows: Rows, runs: Sequence[tuple[int, int]], strides: Strides) -> None:
    writer = rows.writer

    def move_row(x: Register, y: Register) -> None:
        position = 0
        for start, count in runs:
            source, target = writer.address(x, start), writer.address(y, position)

            def move_part(
                offset: Register | int, size: int, source: Register = source, target: Register = target
            ) -> None:
                to = rows.vectors(size)
                part = writer.load_part(writer.address(source, offset), size, to.lanes, to.number(0.0))
                writer.store_part(part, writer.address(target, offset), size, to.lanes)

            rows.chunks(count, move_part)
            position += count

    rows.each_pair(strides, move_row)


def _move_each(rows: Rows, width: int, strides: Strides) -> None:
    writer = rows.writer

    def move_row(x: Register, y: Register) -> None:
        def move(column: Register) -> None:
            position = writer.load(writer.address("%constants", column, "i32"), element="i32")
            number = writer.load(writer.address(x, writer.widen(position)))
            writer.store(number, writer.address(y, column))

        writer.each(0, width, 1, move)

    rows.each_pair(strides, move_row)
