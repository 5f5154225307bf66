"""How nodes of the basic ops join a random graph."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from sensenet.ir.graph import Node, Value, apply, constant
from sensenet.ir.op import Op
from sensenet.ir.ops import arithmetic, dense, rearrangement, reduction
from sensenet.ir.types import DType, Tensor
from support.graphs.growing import is_float, is_rows, is_stack, width_of
from support.graphs.pool import NEWEST, Builder, Pool, on_rows


def binary(op_class: Callable[[], Op], *dtypes: DType) -> Builder:
    """A node of two inputs: two values of one type, or a value and a constant, on either side."""
    accepted = dtypes or (DType.FLOAT32, DType.INT32)

    def build(pool: Pool) -> Node:
        first = pool.pick(lambda t: t.dtype in accepted)
        assert first is not None
        if is_rows(first.type) and pool.count(0, 1):
            pair = [first, constant(pool.weight(width_of(first)))]
            return apply(op_class(), *(pair if pool.count(0, 1) else pair[::-1]))
        return apply(op_class(), first, pool.like(first))

    return build


def several(op_class: Callable[[], Op]) -> Builder:
    def build(pool: Pool) -> Node:
        first = pool.rows()
        return apply(op_class(), *(pool.like(first) for _ in range(pool.count(2, 3))))

    return build


def build_mean(pool: Pool) -> Node:
    """Of some networks' rows, or of a row."""
    x = pool.pick(is_stack)
    return apply(reduction.Mean(axis=1), pool.rows()) if x is None else apply(reduction.Mean(axis=0), x)


def make_slice(pool: Pool, n: int) -> Op:
    start = pool.count(0, n - 1)
    return rearrangement.Slice(start=start, stop=pool.count(start + 1, n))


def make_gather(pool: Pool, n: int) -> Op:
    return rearrangement.Gather(indices=Tensor.int32([pool.count(0, n - 1) for _ in range(pool.count(1, 4))]))


def build_concatenate(pool: Pool) -> Node:
    return apply(rearrangement.Concatenate(), *(pool.rows() for _ in range(pool.count(1, 3))))


def build_select(pool: Pool) -> Node:
    first = pool.rows()
    second = pool.like(first)
    condition = apply(arithmetic.LessEqual(), first, pool.like(first))
    return apply(arithmetic.Select(), condition.value, first, second)


def build_cast(pool: Pool) -> Node:
    x = pool.draw(st.sampled_from(pool.values[-NEWEST:]))
    return apply(arithmetic.Cast(dtype=pool.draw(st.sampled_from(DType))), x)


def positions(pool: Pool, size: int) -> Value:
    """i32[?,1]: positions in [0, size), made of the first column of some rows."""
    first = apply(rearrangement.Slice(start=0, stop=1), pool.rows())
    bits = apply(arithmetic.Greater(), first.value, constant(Tensor.float32([0.25])))
    limit = constant(Tensor.int32([size - 1]))
    return apply(
        arithmetic.Multiply(), apply(arithmetic.Cast(dtype=DType.INT32), bits.value).value, limit
    ).value


def build_lookup(pool: Pool) -> Node:
    entries = pool.count(1, 3)
    table = apply(rearrangement.Lookup(table=pool.weight(entries, 2)), positions(pool, entries))
    return apply(rearrangement.Flatten(), table.value)


def build_take_along(pool: Pool) -> Node:
    x = pool.rows()
    return apply(rearrangement.TakeAlong(), x, positions(pool, width_of(x)))


def build_mat_mul(pool: Pool) -> Node:
    x = pool.rows()
    return apply(dense.MatMul(), x, constant(pool.weight(width_of(x), pool.count(1, 3))))


def build_reshape(pool: Pool) -> Node:
    x = pool.rows()
    return apply(rearrangement.Reshape(shape=(None, 1, width_of(x))), x)


def build_transpose(pool: Pool) -> Node | None:
    x = pool.pick(lambda t: t.rank >= 3)
    if x is None:
        return None
    order = pool.draw(st.permutations(range(1, x.type.rank)))
    return apply(rearrangement.Transpose(permutation=(0, *order)), x)


def build_flatten(pool: Pool) -> Node | None:
    x = pool.pick(lambda t: is_float(t) and t.rank >= 3)
    return x and apply(rearrangement.Flatten(), x)


BASIC_NODES: dict[type[Op], Builder] = {
    arithmetic.Add: binary(arithmetic.Add),
    arithmetic.Average: several(arithmetic.Average),
    reduction.Mean: build_mean,
    arithmetic.Subtract: binary(arithmetic.Subtract),
    arithmetic.Multiply: binary(arithmetic.Multiply),
    arithmetic.Divide: binary(arithmetic.Divide, DType.FLOAT32),
    arithmetic.Maximum: binary(arithmetic.Maximum),
    arithmetic.Minimum: binary(arithmetic.Minimum),
    arithmetic.Equal: binary(arithmetic.Equal),
    arithmetic.LessEqual: binary(arithmetic.LessEqual),
    arithmetic.Greater: binary(arithmetic.Greater),
    arithmetic.Select: build_select,
    arithmetic.Cast: build_cast,
    rearrangement.Concatenate: build_concatenate,
    rearrangement.Slice: on_rows(make_slice),
    rearrangement.Gather: on_rows(make_gather),
    rearrangement.Lookup: build_lookup,
    rearrangement.TakeAlong: build_take_along,
    dense.MatMul: build_mat_mul,
    rearrangement.Reshape: build_reshape,
    rearrangement.Flatten: build_flatten,
    rearrangement.Transpose: build_transpose,
}
