"""The code of sums along an axis: softmax, its logarithm, and reductions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from sensenet.backends.native.arithmetic import exp, formula, log
from sensenet.backends.native.code import Calls, Code, Rows, Strides
from sensenet.backends.native.llvm import Register, splat, vector_type
from sensenet.backends.native.plan import SUM_LANES, ReduceStep, SoftmaxStep
from sensenet.backends.native.vectors import Vectors
from sensenet.records import frozen


def write_softmax(code: Code, step: SoftmaxStep) -> Calls:
    """Add the code of a softmax, or its logarithm, of groups of numbers."""
    groups = step.x.width // step.width if step.width else 0
    strides = code.stride(step.x), code.stride(step.y)
    key = ("softmax", step.width, groups, step.logarithm, strides)
    name = code.function(
        key, 2, lambda rows: _softmax_function(rows, step.width, groups, step.logarithm, strides)
    )
    return [(name, 0, (step.x, step.y))]


def _softmax_function(rows: Rows, width: int, groups: int, logarithm: bool, strides: Strides) -> None:
    writer = rows.writer

    def normalize(x: Register, y: Register) -> None:
        softmax = _Softmax(rows, x, y, width)
        total = softmax.store_powers(softmax.find_largest(), logarithm)
        softmax.finish(total, logarithm)

    def normalize_row(x: Register, y: Register) -> None:
        if groups == 1:
            normalize(x, y)
        else:
            writer.each(
                0,
                groups * width,
                width,
                lambda start: normalize(writer.address(x, start), writer.address(y, start)),
            )

    rows.each_pair(strides, normalize_row)


@frozen
class _Softmax:
    """The softmax of one group of numbers. Sums are taken in `SUM_LANES` lanes, whatever the machine has."""

    rows: Rows
    x: Register
    y: Register
    width: int

    @property
    def _lanes(self) -> int:
        return min(self.rows.machine.lanes, SUM_LANES)

    @property
    def _to(self) -> Vectors:
        return Vectors(self.rows.writer, self._lanes)

    def _fold(
        self,
        initial: float,
        step: Callable[[Register | int, int, Register], Register],
        combine: Callable[[Vectors, Register, Register], Register],
    ) -> Register:
        """Return one number: `step(start, count, sum)` over parts of `SUM_LANES` numbers, lane by lane."""
        writer, lanes, to = self.rows.writer, self._lanes, self._to
        parts = SUM_LANES // lanes
        sums = [to.number(initial)] * parts
        full = self.width // SUM_LANES

        def add(start: Register | int, count: int, sums: Sequence[Register]) -> list[Register]:
            result = list(sums)
            for part in range(parts):
                size = min(lanes, count - part * lanes)
                offset = part * lanes
                if size > 0:
                    at = start + offset if isinstance(start, int) else writer.plus(start, offset)
                    result[part] = step(at, size, sums[part])
            return result

        if full > 2:
            carried = [(to.type, each) for each in sums]
            loop = writer.loop(0, full * SUM_LANES, SUM_LANES, carried, lambda i, s: add(i, SUM_LANES, s))
            sums = loop[1]
        else:
            for number in range(full):
                sums = add(number * SUM_LANES, SUM_LANES, sums)
        if self.width % SUM_LANES:
            sums = add(full * SUM_LANES, self.width % SUM_LANES, sums)
        while len(sums) > 1:
            half = len(sums) // 2
            sums = [combine(to, a, b) for a, b in zip(sums[:half], sums[half:], strict=True)]
        return self._fold_lanes(sums[0], combine)

    def _fold_lanes(
        self, value: Register, combine: Callable[[Vectors, Register, Register], Register]
    ) -> Register:
        """Return one number for the lanes of a register, whose halves are combined until one is left."""
        writer, lanes = self.rows.writer, self._lanes
        while lanes > 1:
            half = lanes // 2
            if half == 1:
                kind = vector_type(2)
                a, b = (writer.assign(f"extractelement {kind} {value}, i64 {i}") for i in (0, 1))
            else:
                a = writer.shuffle(value, "poison", lanes, range(half))
                b = writer.shuffle(value, "poison", lanes, range(half, lanes))
            value = combine(Vectors(writer, half), a, b)
            lanes = half
        return value

    def _read(self, base: Register, start: Register | int, count: int, fill: float) -> Register:
        writer = self.rows.writer
        return writer.load_part(writer.address(base, start), count, self._lanes, self._to.number(fill))

    def find_largest(self) -> Register:
        """Return the largest number; any of the others if one is NaN, which the sum is then too."""

        def larger(to: Vectors, a: Register, b: Register) -> Register:
            return to.select(to.less(a, b), b, a)

        def step(start: Register | int, count: int, largest: Register) -> Register:
            return larger(self._to, largest, self._read(self.x, start, count, -math.inf))

        return self._fold(-math.inf, step, larger)

    def store_powers(self, largest: Register, logarithm: bool) -> Register:
        """Store e^(x - largest), or for logarithms x - largest, and return the sum of the powers."""
        writer, to = self.rows.writer, self._to
        shift = writer.broadcast(largest, self._lanes)

        def step(start: Register | int, count: int, total: Register) -> Register:
            below = to.subtract(self._read(self.x, start, count, -math.inf), shift)
            power = exp(to, below)
            kept = below if logarithm else power
            writer.store_part(kept, writer.address(self.y, start), count, self._lanes)
            return to.add(total, power if count == self._lanes else self._clear(power, count))

        return self._fold(0.0, step, lambda narrow, a, b: narrow.add(a, b))

    def _clear(self, value: Register, count: int) -> Register:
        """Return a vector with 0 behind the first `count` lanes."""
        indices = [lane if lane < count else self._lanes for lane in range(self._lanes)]
        return self.rows.writer.shuffle(value, splat(self._lanes, "float", "0.0"), self._lanes, indices)

    def finish(self, total: Register, logarithm: bool) -> None:
        """Divide the stored powers by their sum, or subtract its logarithm."""
        writer = self.rows.writer
        number = log(Vectors(writer, 1), total) if logarithm else total

        def finish_part(start: Register | int, count: int) -> None:
            to = self.rows.vectors(count)
            address = writer.address(self.y, start)
            stored = writer.load_part(address, count, to.lanes, to.number(0.0))
            many = writer.broadcast(number, to.lanes)
            answer = to.subtract(stored, many) if logarithm else to.divide(stored, many)
            writer.store_part(answer, address, count, to.lanes)

        self.rows.chunks(self.width, finish_part)


def write_reduce(code: Code, step: ReduceStep) -> Calls:
    """Add the code of a reduction along one axis."""
    outer = step.x.width // (step.count * step.inner) if step.inner else 0
    strides = code.stride(step.x), code.stride(step.y)
    key = ("reduce", step.op, outer, step.count, step.inner, step.divisor, strides)
    name = code.function(key, 2, lambda rows: _reduce_function(rows, step, outer, strides))
    return [(name, 0, (step.x, step.y))]


def _reduce_function(rows: Rows, step: ReduceStep, outer: int, strides: Strides) -> None:
    writer = rows.writer
    compute = formula(step.op)

    def reduce_row(x: Register, y: Register) -> None:
        def reduce_group(group: Register) -> None:
            source = writer.address(x, writer.times(group, step.count * step.inner))
            target = writer.address(y, writer.times(group, step.inner))

            def reduce_part(start: Register | int, count: int) -> None:
                to = rows.vectors(count)
                part = writer.address(source, start)
                first = writer.load_part(part, count, to.lanes, to.number(0.0))

                def add(k: Register, totals: Sequence[Register]) -> Sequence[Register]:
                    entry = writer.address(part, writer.times(k, step.inner))
                    number = writer.load_part(entry, count, to.lanes, to.number(0.0))
                    return [compute(to, totals[0], number)]

                _, (total,) = writer.loop(1, step.count, 1, [(to.type, first)], add)
                if step.divisor != 1:
                    total = to.divide(total, to.number(step.divisor))
                writer.store_part(total, writer.address(target, start), count, to.lanes)

            rows.chunks(step.inner, reduce_part)

        writer.each(0, outer, 1, reduce_group)

    rows.each_pair(strides, reduce_row)
