"""The code of sums of a table's rows, one for each category."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sensenet.backends.native.code import MOST_UNROLLED, Calls, Code, Rows, Strides
from sensenet.backends.native.llvm import Register, splat, vector_type
from sensenet.backends.native.plan import EmbeddingStep
from sensenet.backends.native.vectors import Vectors


def write_embedding(code: Code, step: EmbeddingStep) -> Calls:
    """Write the function; the table gets a row of zeros, for unknown codes, and is read past its end."""
    op, lanes = step.op, code.machine.lanes
    columns, units = len(op.depths), op.units
    if not units:
        return []
    zero = len(op.table.array)
    table = np.concatenate([op.table.array.ravel(), np.zeros(units + lanes, np.float32)])
    starts = np.asarray(op.starts, np.int32)
    strides = code.stride(step.x), code.stride(step.y)
    key = ("embedding", columns, units, zero, strides)
    name = code.function(key, 2, lambda rows: _embedding_function(rows, columns, units, zero, strides))
    parts = [starts.view(np.float32), op.limits, table]
    return [(name, code.constants.add(np.concatenate(parts)), (step.x, step.y))]


def _embedding_function(rows: Rows, columns: int, units: int, zero: int, strides: Strides) -> None:
    writer = rows.writer
    starts, limits = "%constants", writer.address("%constants", columns)
    table = writer.address("%constants", 2 * columns)

    def sum_row(x: Register, y: Register) -> None:
        def entry(column: Register) -> Register:
            """Return where the entry of a column's code begins."""
            to = Vectors(writer, 1)
            code = writer.load(writer.address(x, column))
            limit = writer.load(writer.address(limits, column))
            first = writer.load(writer.address(starts, column, "i32"), element="i32")
            known = [
                to.less_equal(to.number(0.0), code),
                to.less(code, limit),
                to.equal(to.floor(code), code),
            ]
            valid = known[0]
            for each in known[1:]:
                valid = writer.assign(f"and i1 {valid}, {each}")
            number = writer.assign(f"fptosi float {to.select(valid, code, to.number(0.0))} to i32")
            found = writer.assign(f"add i32 {number}, {first}")
            chosen = writer.widen(writer.assign(f"select i1 {valid}, i32 {found}, i32 {zero}"))
            return writer.address(table, writer.times(chosen, units))

        lanes = rows.machine.lanes
        widths = [lanes] * (units // lanes) + ([units % lanes] if units % lanes else [])
        position = 0
        for counts in _batches(widths):
            first = position

            def add(column: Register, totals: Sequence[Register], first: int = first) -> Sequence[Register]:
                row = writer.address(entry(column), first)
                return [
                    Vectors(writer, lanes).add(total, writer.load(writer.address(row, v * lanes), lanes))
                    for v, total in enumerate(totals)
                ]

            zeros = [(vector_type(lanes), splat(lanes, "float", "0.0"))] * len(counts)
            _, totals = writer.loop(0, columns, 1, zeros, add)
            for v, (total, count) in enumerate(zip(totals, counts, strict=True)):
                writer.store_part(total, writer.address(y, first + v * lanes), count, lanes)
            position += sum(counts)

    rows.each_pair(strides, sum_row)


def _batches(widths: Sequence[int]) -> Sequence[Sequence[int]]:
    return [widths[start : start + MOST_UNROLLED] for start in range(0, len(widths), MOST_UNROLLED)]
