"""How nodes of the basic ops join a random graph."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from sensenet.ir.graph import Node, Value, apply, constant
from sensenet.ir.op import Op
from sensenet.ir.ops import basic
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
    return apply(basic.Mean(axis=1), pool.rows()) if x is None else apply(basic.Mean(axis=0), x)


def make_slice(pool: Pool, n: int) -> Op:
    start = pool.count(0, n - 1)
    return basic.Slice(start=start, stop=pool.count(start + 1, n))


def make_gather(pool: Pool, n: int) -> Op:
    return basic.Gather(indices=Tensor.int32([pool.count(0, n - 1) for _ in range(pool.count(1, 4))]))


def build_concatenate(pool: Pool) -> Node:
    return apply(basic.Concatenate(), *(pool.rows() for _ in range(pool.count(1, 3))))


def build_select(pool: Pool) -> Node:
    first = pool.rows()
    second = pool.like(first)
    condition = apply(basic.LessEqual(), first, pool.like(first))
    return apply(basic.Select(), condition.value, first, second)


def build_cast(pool: Pool) -> Node:
    x = pool.draw(st.sampled_from(pool.values[-NEWEST:]))
    return apply(basic.Cast(dtype=pool.draw(st.sampled_from(DType))), x)


def positions(pool: Pool, size: int) -> Value:
    """i32[?,1]: positions in [0, size), made of the first column of some rows."""
    first = apply(basic.Slice(start=0, stop=1), pool.rows())
    bits = apply(basic.Greater(), first.value, constant(Tensor.float32([0.25])))
    limit = constant(Tensor.int32([size - 1]))
    return apply(basic.Multiply(), apply(basic.Cast(dtype=DType.INT32), bits.value).value, limit).value


def build_lookup(pool: Pool) -> Node:
    entries = pool.count(1, 3)
    table = apply(basic.Lookup(table=pool.weight(entries, 2)), positions(pool, entries))
    return apply(basic.Flatten(), table.value)


def build_take_along(pool: Pool) -> Node:
    x = pool.rows()
    return apply(basic.TakeAlong(), x, positions(pool, width_of(x)))


def build_mat_mul(pool: Pool) -> Node:
    x = pool.rows()
    return apply(basic.MatMul(), x, constant(pool.weight(width_of(x), pool.count(1, 3))))


def build_reshape(pool: Pool) -> Node:
    x = pool.rows()
    return apply(basic.Reshape(shape=(None, 1, width_of(x))), x)


def build_transpose(pool: Pool) -> Node | None:
    x = pool.pick(lambda t: t.rank >= 3)
    if x is None:
        return None
    order = pool.draw(st.permutations(range(1, x.type.rank)))
    return apply(basic.Transpose(permutation=(0, *order)), x)


def build_flatten(pool: Pool) -> Node | None:
    x = pool.pick(lambda t: is_float(t) and t.rank >= 3)
    return x and apply(basic.Flatten(), x)


BASIC_NODES: dict[type[Op], Builder] = {
    basic.Add: binary(basic.Add),
    basic.Average: several(basic.Average),
    basic.Mean: build_mean,
    basic.Subtract: binary(basic.Subtract),
    basic.Multiply: binary(basic.Multiply),
    basic.Divide: binary(basic.Divide, DType.FLOAT32),
    basic.Maximum: binary(basic.Maximum),
    basic.Minimum: binary(basic.Minimum),
    basic.Equal: binary(basic.Equal),
    basic.LessEqual: binary(basic.LessEqual),
    basic.Greater: binary(basic.Greater),
    basic.Select: build_select,
    basic.Cast: build_cast,
    basic.Concatenate: build_concatenate,
    basic.Slice: on_rows(make_slice),
    basic.Gather: on_rows(make_gather),
    basic.Lookup: build_lookup,
    basic.TakeAlong: build_take_along,
    basic.MatMul: build_mat_mul,
    basic.Reshape: build_reshape,
    basic.Flatten: build_flatten,
    basic.Transpose: build_transpose,
}
