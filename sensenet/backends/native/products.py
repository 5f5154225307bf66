"""The code of layers: products of a block of rows with a kernel.

A kernel is divided into tiles, some registers wide. The sums of some rows with one tile stay in registers
while all numbers of these rows pass: each is multiplied with a row of the tile. Every sum starts with the
bias and goes on in the order of the kernel's rows, so a row's answer does not depend on the others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from sensenet.backends.native.arithmetic import formula
from sensenet.backends.native.code import Call, Calls, Code, Machine, Rows, Strides
from sensenet.backends.native.elementwise import write_map
from sensenet.backends.native.llvm import Register
from sensenet.backends.native.plan import DenseStep, MapStep
from sensenet.backends.native.vectors import Vectors
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.ops.dense import Activation
from sensenet.records import frozen

CHEAP = {
    ActivationFunction.LINEAR,
    ActivationFunction.RELU,
    ActivationFunction.RELU6,
    ActivationFunction.LEAKY_RELU,
    ActivationFunction.HARD_SIGMOID,
}
"""Activations of a few instructions, which are computed before a layer's numbers are stored."""


def write_dense(code: Code, step: DenseStep) -> Calls:
    """Add the code and constants of a layer; an activation of many instructions is a step of its own."""
    size, units = step.kernel.shape
    if not units:
        return []
    lanes = code.machine.lanes
    columns = _tile_widths(code.machine, units)
    rounded = sum(columns) * lanes
    packed = np.zeros((size + 1) * rounded, np.float32)
    start = 0
    for column in columns:  # each tile: its bias, then its kernel, row by row
        width = column * lanes
        tile = packed[start * (size + 1) :][: width * (size + 1)].reshape(size + 1, width)
        numbers = min(width, units - start)
        tile[0, :numbers] = step.bias[start : start + numbers]
        tile[1:, :numbers] = step.kernel[:, start : start + numbers]
        start += width
    cheap = step.activation in CHEAP
    fused = step.activation if cheap else ActivationFunction.LINEAR
    layer = _Layer(size, units, fused, (code.stride(step.x), code.stride(step.y)))
    name = code.function(("dense", layer), 2, lambda rows: _write_layer(rows, layer))
    calls: list[Call] = [(name, code.constants.add(packed), (step.x, step.y))]
    if not cheap:
        after = MapStep(op=Activation(function=step.activation), xs=(step.y,), y=step.y)
        calls += write_map(code, after)
    return calls


def _tile_widths(machine: Machine, units: int) -> list[int]:
    """Return the vectors of each tile of a layer's units, as even as possible."""
    vectors = math.ceil(units / machine.lanes)
    most, _ = machine.tile(vectors)
    tiles = math.ceil(vectors / most)
    return [vectors // tiles + (number < vectors % tiles) for number in range(tiles)]


@frozen
class _Layer:
    """A layer's shape, and how far the rows of its input and its result are apart."""

    size: int
    units: int
    activation: ActivationFunction
    strides: Strides


def _write_layer(rows: Rows, layer: _Layer) -> None:
    """Write the function of a layer: tile by tile, those of one width in a loop."""
    writer, lanes = rows.writer, rows.machine.lanes
    widths = _tile_widths(rows.machine, layer.units)
    constants, y = "%constants", "%y"
    for width, same in itertools.groupby(widths[:-1]):
        length, numbers = (layer.size + 1) * width * lanes, width * lanes

        def write(
            _: Register,
            ends: Sequence[Register],
            width: int = width,
            numbers: int = numbers,
            length: int = length,
        ) -> Sequence[Register]:
            _Tile(rows, layer, width, numbers).write(*ends)
            return [writer.address(end, by) for end, by in zip(ends, (length, numbers), strict=True)]

        carried = [("ptr", constants), ("ptr", y)]
        _, (constants, y) = writer.loop(0, len([*same]), 1, carried, write)
    rest = layer.units - sum(widths[:-1]) * lanes
    _Tile(rows, layer, widths[-1], rest).write(constants, y)


@frozen
class _Tile:
    """The product of all rows with a tile of a kernel: `width` registers, of which `numbers` are stored."""

    rows: Rows
    layer: _Layer
    width: int
    numbers: int

    def write(self, weights: Register, results: Register) -> None:
        """Write the product; `weights` has the tile's bias, then its part of each row of the kernel."""
        _, most = self.rows.machine.tile(self.width)
        writer = self.rows.writer
        done = writer.each(0, "%rows", most, lambda row: self._write_rows(weights, results, row, most))
        writer.each(done, "%rows", 1, lambda row: self._write_rows(weights, results, row, 1))

    def _write_rows(self, weights: Register, results: Register, first: Register, count: int) -> None:
        x_stride, y_stride = self.layer.strides
        sums = self._sum(weights, self.rows.row("%x0", x_stride, first), count)
        writer, lanes = self.rows.writer, self.rows.machine.lanes
        compute = formula(Activation(function=self.layer.activation))
        target = self.rows.row(results, y_stride, first)
        for number, total in enumerate(sums):
            row, column = divmod(number, self.width)
            address = writer.address(target, row * y_stride + column * lanes)
            value = compute(Vectors(writer, lanes), total)
            writer.store_part(value, address, min(lanes, self.numbers - column * lanes), lanes)

    def _sum(self, weights: Register, x: Register, count: int) -> Sequence[Register]:
        """Return the sums of `count` rows, each of `width` registers."""
        writer, lanes = self.rows.writer, self.rows.machine.lanes
        to = Vectors(writer, lanes)
        bias = [writer.load(writer.address(weights, column * lanes), lanes) for column in range(self.width)]
        kernel = writer.address(weights, self.width * lanes)

        def add(k: Register, sums: Sequence[Register]) -> Sequence[Register]:
            line = writer.address(kernel, writer.times(k, self.width * lanes))
            columns = [writer.load(writer.address(line, v * lanes), lanes) for v in range(self.width)]
            source = writer.address(x, k)
            totals = []
            for row in range(count):
                number = writer.load(writer.address(source, row * self.layer.strides[0]))
                many = writer.broadcast(number, lanes)
                for v, column in enumerate(columns):
                    totals.append(to.fused(many, column, sums[row * self.width + v]))
            return totals

        carried = [(to.type, start) for start in bias] * count
        _, sums = writer.loop(0, self.layer.size, 1, carried, add)
        return sums
