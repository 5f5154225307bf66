"""The lowering of sums of table rows to basic ops; a rule of the pass legalize.

    %1 = embedding_sum(%0) {table=T, depths=(30, 200)} : f32[?,8]
becomes
    code = cast(minimum(maximum(%0, 0), depths - 1))                i32[b, k]
    row = select(equal(cast(code), %0), code + starts, 230)         i32[b, k]
    %1 = Σ over the columns of T_with_zeros[row]                    f32[b, units]

A code without a category, NaN included, differs from the code that it is clipped to, and selects a last row
of zeros. The sum over some columns is one lookup, f32[b, columns, units], and one reduction. Columns are
looked up in groups whose rows take at most the memory of the one-hot encoding and of the columns that it
compares: 2 · Σ depths numbers per row. A group of one column needs no sum.

Valid because the same rows are summed; in another order, so up to rounding.
"""

from __future__ import annotations

import numpy as np

from sensenet.ir.graph import Node, Value, apply, constant
from sensenet.ir.ops.arithmetic import Add, Cast, Equal, Maximum, Minimum, Select
from sensenet.ir.ops.rearrangement import Lookup, Reshape, Slice
from sensenet.ir.ops.reduction import ReduceSum
from sensenet.ir.ops.tabular import EmbeddingSum
from sensenet.ir.types import DType, Tensor
from sensenet.passes.infrastructure.rules import Uses


def lower_embedding_sum(node: Node, _: Uses) -> Value | None:
    """Return the sum of lookups, each of as many columns as memory allows."""
    if not isinstance(node.op, EmbeddingSum):
        return None
    op, name = node.op, node.name
    rows = _find_rows(op, node.inputs[0], name)
    table = Tensor.owning(np.concatenate([op.table.array, np.zeros((1, op.units), np.float32)]))
    count = len(op.depths)
    step = max(1, 2 * sum(op.depths) // max(op.units, 1))
    if step >= count:
        return _sum_rows(table, rows, name)
    sums = []
    for start in range(0, count, step):
        columns = Slice(start=start, stop=min(start + step, count))
        part = apply(columns, rows, name=f"{name}_part_rows").value
        sums.append(_sum_rows(table, part, f"{name}_part"))
    return apply(Add(), *sums, name=name).value


def _find_rows(op: EmbeddingSum, x: Value, name: str) -> Value:
    """Return i32[b, k]: each code's row in the table; the row after its end for a code without a category."""
    last = constant(Tensor.float32(np.asarray(op.depths) - 1), f"{name}_last_codes")
    least = apply(Maximum(), x, constant(Tensor.float32(0), f"{name}_zero"), name=f"{name}_least").value
    cut = apply(Minimum(), least, last, name=f"{name}_cut").value
    codes = apply(Cast(dtype=DType.INT32), cut, name=f"{name}_codes").value
    whole = apply(Cast(dtype=DType.FLOAT32), codes, name=f"{name}_whole").value
    known = apply(Equal(), whole, x, name=f"{name}_known").value
    starts = constant(Tensor.int32(op.starts), f"{name}_starts")
    rows = apply(Add(), codes, starts, name=f"{name}_known_rows").value
    none = constant(Tensor.int32(sum(op.depths)), f"{name}_zeros")
    return apply(Select(), known, rows, none, name=f"{name}_rows").value


def _sum_rows(table: Tensor, rows: Value, name: str) -> Value:
    """Return f32[b, units]: the sum of each row's entries of the table; rows: i32[b, n].

    They are looked up as one long list, so the result has rank 2, like the results of layers.
    """
    columns, units = rows.type.shape[1], table.shape[1]
    listed = apply(Reshape(shape=(None,)), rows, name=f"{name}_list").value
    if columns == 1:
        return apply(Lookup(table=table), listed, name=name).value
    entries = apply(Lookup(table=table), listed, name=f"{name}_entries").value
    by_row = apply(Reshape(shape=(None, columns, units)), entries, name=f"{name}_by_row").value
    return apply(ReduceSum(axes=(1,)), by_row, name=name).value
