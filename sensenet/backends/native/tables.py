"""The code of forests in tables: the cell of a grid for each row, and what the table has there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from attrs import frozen

from sensenet.backends.native.code import Call, Code, Rows, Strides
from sensenet.backends.native.llvm import Register, vector_type
from sensenet.backends.native.plan import Place
from sensenet.backends.native.vectors import Vectors
from sensenet.ir.forest_grids import ForestGrids
from sensenet.ir.types import Array


@frozen
class _Shape:
    """The tables of one forest: how many, their axes in all, the numbers of all thresholds, the outputs."""

    grids: int
    axes: int
    thresholds: int
    outputs: int
    divisor: float


def write_tables(code: Code, grids: ForestGrids, x: Place, y: Place) -> Call:
    """Add the tables of one forest, and write the function that looks a row up in them.

    The constants are, as i32: where each table begins, and its number of axes; of each axis, its feature, its
    stride, its thresholds, the registers that these fill, and where they begin. Then f32: all thresholds,
    each axis' padded with NaN to fill registers, and all tables.
    """
    lanes = code.machine.lanes
    heads: list[int] = []
    axes: list[int] = []
    thresholds: list[Array] = []
    cells = position = 0
    for grid in grids.grids:
        heads += [cells, len(grid.axes)]
        cells += grid.table.size
        for axis, stride in zip(grid.axes, grid.strides, strict=True):
            parts = math.ceil(len(axis.thresholds) / lanes)
            axes += [axis.feature, stride, len(axis.thresholds), parts, position]
            thresholds.append(np.full(parts * lanes, np.nan, np.float32))
            thresholds[-1][: len(axis.thresholds)] = axis.thresholds
            position += parts * lanes
    numbers = np.asarray(heads + axes, np.int32).view(np.float32)
    body = np.concatenate([numbers, *thresholds, *(grid.table.ravel() for grid in grids.grids)])
    shape = _Shape(len(grids.grids), len(axes) // 5, position, y.width, float(grids.divisor))
    strides = code.stride(x), code.stride(y)
    name = code.function(("tables", shape, strides), 2, lambda rows: _look_up(rows, shape, strides))
    return name, code.constants.add(body), (x, y)


def _look_up(rows: Rows, shape: _Shape, strides: Strides) -> None:
    """Write the sum of a row's entries in the tables of one forest."""
    writer, lanes = rows.writer, rows.machine.lanes
    first_axis = writer.address("%constants", 2 * shape.grids)
    thresholds = writer.address("%constants", 2 * shape.grids + 5 * shape.axes)
    tables = writer.address(thresholds, shape.thresholds)
    outputs, divisor = shape.outputs, shape.divisor

    def integer(base: Register, position: int) -> Register:
        return writer.widen(writer.load(writer.address(base, position), element="i32"))

    def look_up_row(x: Register, y: Register) -> None:
        def find_bucket(axis: Register) -> Register:
            """Return the number of thresholds below the row's number, times the axis' stride."""
            number = writer.load(writer.address(x, integer(axis, 0)))
            many = writer.broadcast(number, lanes)
            limits = writer.address(thresholds, integer(axis, 4))

            def count(part: Register, totals: Sequence[Register]) -> Sequence[Register]:
                limit = writer.load(writer.address(limits, writer.times(part, lanes)), lanes)
                inside = Vectors(writer, lanes).less_equal(many, limit)
                bits = writer.assign(f"bitcast {vector_type(lanes, 'i1')} {inside} to i{lanes}")
                found = writer.intrinsic(f"llvm.ctpop.i{lanes}", f"i{lanes}", [(f"i{lanes}", bits)])
                wide = writer.assign(f"zext i{lanes} {found} to i64")
                return [writer.integer("sub", totals[0], wide)]

            _, (bucket,) = writer.loop(0, integer(axis, 3), 1, [("i64", integer(axis, 2))], count)
            return writer.integer("mul", bucket, integer(axis, 1))

        def look_up(grid: Register, ends: Sequence[Register]) -> Sequence[Register]:
            header = writer.address("%constants", writer.times(grid, 2))
            base = writer.widen(writer.load(header, element="i32"))

            def add_axis(_: Register, state: Sequence[Register]) -> Sequence[Register]:
                axis, cell = state
                return [writer.address(axis, 5), writer.plus(cell, find_bucket(axis))]

            carried = [("ptr", ends[0]), ("i64", "0")]
            _, (axis, cell) = writer.loop(0, integer(header, 1), 1, carried, add_axis)
            entry = writer.address(tables, writer.plus(base, writer.times(cell, outputs)))

            def add(output: Register) -> None:
                target = writer.address(y, output)
                value = writer.load(writer.address(entry, output))
                writer.store(Vectors(writer, 1).add(writer.load(target), value), target)

            writer.each(0, outputs, 1, add)
            return [axis]

        writer.each(0, outputs, 1, lambda output: writer.store("-0.0", writer.address(y, output)))
        writer.loop(0, shape.grids, 1, [("ptr", first_axis)], look_up)
        if divisor != 1:

            def divide(output: Register) -> None:
                address = writer.address(y, output)
                to = Vectors(writer, 1)
                writer.store(to.divide(writer.load(address), to.number(divisor)), address)

            writer.each(0, outputs, 1, divide)

    rows.each_pair(strides, look_up_row)
