"""How nodes of functions, reductions, shapes and loops join a random graph."""

from __future__ import annotations

from collections.abc import Callable

from sensenet.ir.graph import Node, Value, apply, constant
from sensenet.ir.op import Op
from sensenet.ir.ops import (
    arithmetic,
    control,
    core,
    elementwise,
    quantization,
    rearrangement,
    reduction,
    shape,
)
from sensenet.ir.region import Region
from sensenet.ir.types import DType, Tensor, TensorType
from support.graphs.growing import width_of
from support.graphs.pool import Builder, Pool, on_rows


def build_log(pool: Pool) -> Node:
    """Of positive numbers."""
    size = apply(elementwise.Absolute(), pool.rows())
    return apply(elementwise.Log(), apply(arithmetic.Add(), size.value, constant(Tensor.float32(0.5))).value)


def build_and(pool: Pool) -> Node:
    first = pool.rows()
    tests = (apply(op, first, pool.like(first)).value for op in (arithmetic.LessEqual(), arithmetic.Equal()))
    return apply(elementwise.And(), *tests)


def make_reduction(op_class: Callable[..., Op]) -> Callable[[Pool, int], Op]:
    return lambda pool, _: op_class(axes=(1,), keep_dimensions=bool(pool.count(0, 1)))


def build_reduce_any(pool: Pool) -> Node:
    first = pool.rows()
    test = apply(arithmetic.Greater(), first, constant(Tensor.float32(0.25)))
    return apply(reduction.ReduceAny(axes=(1,)), test.value)


def row_count(x: Value) -> Value:
    """i32[1]"""
    return apply(rearrangement.Slice(axis=0, start=0, stop=1), apply(shape.ShapeOf(), x).value).value


def sizes_of(x: Value, *others: int) -> Value:
    """i32[1 + others]: the number of rows, and numbers."""
    return apply(rearrangement.Concatenate(axis=0), row_count(x), constant(Tensor.int32(others))).value


def build_fill(pool: Pool) -> Node:
    width = pool.count(1, 3)
    return apply(shape.Fill(value=pool.weight(), shape=(None, width)), sizes_of(pool.rows(), width))


def build_dynamic_reshape(pool: Pool) -> Node:
    x = pool.rows()
    width = width_of(x)
    return apply(shape.DynamicReshape(shape=(None, 1, width)), x, sizes_of(x, 1, width))


def build_take(pool: Pool) -> Node:
    x = pool.rows()
    places = [pool.count(0, width_of(x) - 1) for _ in range(pool.count(1, 3))]
    return apply(shape.Take(axis=1), x, constant(Tensor.int32(places)))


def build_stack(pool: Pool) -> Node:
    x = pool.rows()
    return apply(shape.Stack(axis=1), x, pool.like(x))


def build_while(pool: Pool) -> Node:
    """Rows to which a weight is added some times."""
    x, steps = pool.rows(), pool.count(0, 3)
    weight = pool.weight(width_of(x))

    def region(make: Callable[[Value, Value], dict[str, Value]]) -> Region:
        rows = apply(core.Input(type=x.type), name="rows")
        left = apply(core.Input(type=TensorType(DType.INT32, ())), name="left")
        return Region.create([rows, left], make(rows.value, left.value))

    condition = region(
        lambda _, left: {"proceed": apply(arithmetic.Greater(), left, constant(Tensor.int32(0))).value}
    )
    body = region(
        lambda rows, left: {
            "rows": apply(arithmetic.Add(), rows, constant(weight)).value,
            "left": apply(arithmetic.Subtract(), left, constant(Tensor.int32(1))).value,
        }
    )
    return apply(control.While(condition=condition, body=body), x, constant(Tensor.int32(steps)))


def make_steps(pool: Pool) -> dict[str, Tensor]:
    """A scale that is a power of two, and a zero point."""
    scale = Tensor.float32(2.0 ** -pool.count(0, 6))
    return {"scale": scale, "zero_point": Tensor.int32(pool.count(0, 255) - 128)}


def build_dequantize(pool: Pool) -> Node:
    """Of rows that are quantized at another scale."""
    steps = apply(quantization.Quantize(**make_steps(pool)), pool.rows())
    return apply(quantization.Dequantize(**make_steps(pool)), steps.value)


TENSOR_NODES: dict[type[Op], Builder] = {
    elementwise.Negate: on_rows(lambda *_: elementwise.Negate()),
    elementwise.Absolute: on_rows(lambda *_: elementwise.Absolute()),
    elementwise.Exp: on_rows(lambda *_: elementwise.Exp()),
    elementwise.Log: build_log,
    elementwise.Floor: on_rows(lambda *_: elementwise.Floor()),
    elementwise.Round: on_rows(lambda *_: elementwise.Round()),
    elementwise.And: build_and,
    reduction.ReduceSum: on_rows(make_reduction(reduction.ReduceSum)),
    reduction.ReduceMax: on_rows(make_reduction(reduction.ReduceMax)),
    reduction.ReduceMin: on_rows(make_reduction(reduction.ReduceMin)),
    reduction.ReduceAny: build_reduce_any,
    reduction.ArgMax: on_rows(lambda *_: reduction.ArgMax(axis=1)),
    shape.ShapeOf: on_rows(lambda *_: shape.ShapeOf()),
    shape.Range: lambda pool: apply(shape.Range(), constant(Tensor.int32(pool.count(0, 3)))),
    shape.Fill: build_fill,
    shape.DynamicReshape: build_dynamic_reshape,
    shape.Take: build_take,
    shape.Stack: build_stack,
    control.While: build_while,
    quantization.Quantize: on_rows(lambda pool, _: quantization.Quantize(**make_steps(pool))),
    quantization.Dequantize: build_dequantize,
}
