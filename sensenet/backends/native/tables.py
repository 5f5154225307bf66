"""The code of forests in tables: the cell of a grid for each row, and what the table has there.

Rows are looked up as many together as a register has lanes: each threshold is compared with a number of each
of these rows. A single row is compared with as many thresholds at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from sensenet.backends.native.code import Call, Code, Rows, Strides
from sensenet.backends.native.llvm import FunctionWriter, Register, splat, vector_type
from sensenet.backends.native.plan import Place
from sensenet.backends.native.vectors import Vectors
from sensenet.ir.forest_grids import ForestGrids
from sensenet.ir.types import Array
from sensenet.records import frozen

AXIS = ("feature", "column", "stride", "thresholds", "registers", "position")
"""What the constants have of an axis: its feature, the position of that among all features used, its stride,
how many thresholds, the registers that these fill, and where they begin."""


@frozen
class _Shape:
    """The tables of one forest: how many, their axes in all, the features used, the numbers of thresholds."""

    grids: int
    axes: int
    features: int
    thresholds: int
    outputs: int
    divisor: float


def write_tables(code: Code, grids: ForestGrids, x: Place, y: Place) -> Call:
    """Add the tables of one forest, and write the function that looks a row up in them.

    The constants are, as i32: where each table begins, and its number of axes; the axes, see `AXIS`; the
    features used. Then f32: all thresholds, each axis' padded with NaN to fill registers, and all tables.
    """
    lanes = code.machine.lanes
    features = sorted({axis.feature for grid in grids.grids for axis in grid.axes})
    heads: list[int] = []
    axes: list[int] = []
    thresholds: list[Array] = []
    cells = position = 0
    for grid in grids.grids:
        heads += [cells, len(grid.axes)]
        cells += grid.table.size
        for axis, stride in zip(grid.axes, grid.strides, strict=True):
            count = len(axis.thresholds)
            registers = math.ceil(count / lanes)
            axes += [axis.feature, features.index(axis.feature), stride, count, registers, position]
            thresholds.append(np.full(registers * lanes, np.nan, np.float32))
            thresholds[-1][:count] = axis.thresholds
            position += registers * lanes
    numbers = np.asarray(heads + axes + features, np.int32).view(np.float32)
    body = np.concatenate([numbers, *thresholds, *(grid.table.ravel() for grid in grids.grids)])
    shape = _Shape(
        len(grids.grids), len(axes) // len(AXIS), len(features), position, y.width, float(grids.divisor)
    )
    strides = code.stride(x), code.stride(y)
    name = code.function(("tables", shape, strides), 2, lambda rows: _Tables(rows, shape, strides).write())
    return name, code.constants.add(body), (x, y)


@frozen
class _Tables:
    """The sum of rows' entries in the tables of one forest."""

    rows: Rows
    shape: _Shape
    strides: Strides

    @property
    def _writer(self) -> FunctionWriter:
        return self.rows.writer

    @property
    def _lanes(self) -> int:
        return self.rows.machine.lanes

    def write(self) -> None:
        """Write the function: groups of rows, then the rest one by one."""
        writer, shape, lanes = self._writer, self.shape, self._lanes
        done: Register | int = 0
        if lanes > 1 and shape.features:
            tile = writer.assign(f"alloca [{shape.features} x {vector_type(lanes)}], align 64")
            done = writer.each(0, "%rows", lanes, lambda row: self._look_up_group(tile, row))
        writer.each(done, "%rows", 1, self._look_up_row)

    def _begin(self, part: int) -> Register:
        """Return where axes (0), features (1), thresholds (2) or tables (3) begin."""
        shape = self.shape
        sizes = (2 * shape.grids, len(AXIS) * shape.axes, shape.features, shape.thresholds)
        return self._writer.address("%constants", sum(sizes[: part + 1]))

    def _integer(self, base: Register, position: int) -> Register:
        writer = self._writer
        return writer.widen(writer.load(writer.address(base, position), element="i32"))

    def _axis(self, axis: Register, name: str) -> Register:
        return self._integer(axis, AXIS.index(name))

    def _each_grid(
        self, find: Callable[[Register], Register], kind: str, zero: Register, use: Callable[..., None]
    ) -> None:
        """Run `use(base, cell)` for each table: where it begins, and its axes' sum of `find(axis)`."""
        writer = self._writer

        def look_up(grid: Register, ends: Sequence[Register]) -> Sequence[Register]:
            header = writer.address("%constants", writer.times(grid, 2))

            def add_axis(_: Register, state: Sequence[Register]) -> Sequence[Register]:
                axis, cell = state
                total = writer.assign(f"add {kind} {cell}, {find(axis)}")
                return [writer.address(axis, len(AXIS)), total]

            carried = [("ptr", ends[0]), (kind, zero)]
            _, (axis, cell) = writer.loop(0, self._integer(header, 1), 1, carried, add_axis)
            use(writer.address(self._begin(3), self._integer(header, 0)), cell)
            return [axis]

        writer.loop(0, self.shape.grids, 1, [("ptr", self._begin(0))], look_up)

    def _each_output(self, row: Register, compute: Callable[[Register, Register], Register]) -> None:
        """Replace each number of a row's answer by `compute(output, number)`."""
        writer = self._writer
        y = self.rows.row("%y", self.strides[1], row)

        def replace(output: Register) -> None:
            address = writer.address(y, output)
            writer.store(compute(output, writer.load(address)), address)

        writer.each(0, self.shape.outputs, 1, replace)

    def _begin_row(self, row: Register) -> None:
        self._each_output(row, lambda _output, _number: "-0.0")

    def _end_row(self, row: Register) -> None:
        to = Vectors(self._writer, 1)
        if self.shape.divisor != 1:
            self._each_output(row, lambda _, number: to.divide(number, to.number(self.shape.divisor)))

    def _add_entry(self, row: Register, base: Register, cell: Register) -> None:
        """Add the entry of a cell, i64, to a row's answer."""
        writer = self._writer
        entry = writer.address(base, writer.times(cell, self.shape.outputs))
        to = Vectors(writer, 1)
        self._each_output(
            row, lambda output, number: to.add(number, writer.load(writer.address(entry, output)))
        )

    def _look_up_row(self, row: Register) -> None:
        writer, lanes = self._writer, self._lanes
        x = self.rows.row("%x0", self.strides[0], row)

        def find_bucket(axis: Register) -> Register:
            """Return the number of thresholds below the row's number, times the axis' stride."""
            number = writer.load(writer.address(x, self._axis(axis, "feature")))
            many = writer.broadcast(number, lanes)
            limits = writer.address(self._begin(2), self._axis(axis, "position"))

            def count(part: Register, totals: Sequence[Register]) -> Sequence[Register]:
                limit = writer.load(writer.address(limits, writer.times(part, lanes)), lanes)
                inside = Vectors(writer, lanes).less_equal(many, limit)
                bits = writer.assign(f"bitcast {vector_type(lanes, 'i1')} {inside} to i{lanes}")
                found = writer.intrinsic(f"llvm.ctpop.i{lanes}", f"i{lanes}", [(f"i{lanes}", bits)])
                wide = writer.assign(f"zext i{lanes} {found} to i64")
                return [writer.integer("sub", totals[0], wide)]

            above = [("i64", self._axis(axis, "thresholds"))]
            _, (bucket,) = writer.loop(0, self._axis(axis, "registers"), 1, above, count)
            return writer.integer("mul", bucket, self._axis(axis, "stride"))

        self._begin_row(row)
        self._each_grid(find_bucket, "i64", "0", lambda base, cell: self._add_entry(row, base, cell))
        self._end_row(row)

    def _look_up_group(self, tile: Register, first: Register) -> None:
        """Look up as many rows as there are lanes; `tile` has their numbers, one feature after another."""
        writer, lanes = self._writer, self._lanes
        integers = vector_type(lanes, "i32")
        rows = [writer.plus(first, lane) for lane in range(lanes)]
        xs = [self.rows.row("%x0", self.strides[0], row) for row in rows]

        def gather(column: Register) -> None:
            feature = writer.load(writer.address(self._begin(1), column), element="i32")
            position = writer.widen(feature)
            target = writer.address(tile, writer.times(column, lanes))
            for lane, x in enumerate(xs):
                writer.store(writer.load(writer.address(x, position)), writer.address(target, lane))

        def find_buckets(axis: Register) -> Register:
            column = writer.times(self._axis(axis, "column"), lanes)
            numbers = writer.load(writer.address(tile, column), lanes)
            limits = writer.address(self._begin(2), self._axis(axis, "position"))

            def count(number: Register, totals: Sequence[Register]) -> Sequence[Register]:
                limit = writer.broadcast(writer.load(writer.address(limits, number)), lanes)
                inside = Vectors(writer, lanes).less_equal(numbers, limit)
                ones = writer.assign(f"sext {vector_type(lanes, 'i1')} {inside} to {integers}")
                return [writer.assign(f"add {integers} {totals[0]}, {ones}")]

            thresholds = self._axis(axis, "thresholds")
            above = writer.broadcast(writer.assign(f"trunc i64 {thresholds} to i32"), lanes, "i32")
            _, (buckets,) = writer.loop(0, thresholds, 1, [(integers, above)], count)
            stride = writer.assign(f"trunc i64 {self._axis(axis, 'stride')} to i32")
            return writer.assign(f"mul {integers} {buckets}, {writer.broadcast(stride, lanes, 'i32')}")

        def add_entries(base: Register, cells: Register) -> None:
            for lane, row in enumerate(rows):
                cell = writer.assign(f"extractelement {integers} {cells}, i64 {lane}")
                self._add_entry(row, base, writer.widen(cell))

        writer.each(0, self.shape.features, 1, gather)
        for row in rows:
            self._begin_row(row)
        self._each_grid(find_buckets, integers, splat(lanes, "i32", "0"), add_entries)
        for row in rows:
            self._end_row(row)
