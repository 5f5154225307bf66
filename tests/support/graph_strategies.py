"""Random constants, small random graphs of all ops, and arrays for their inputs.

A graph grows one node at a time: of an op drawn from BUILDERS, on values drawn from those that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from attrs import define, field
from hypothesis import strategies as st

from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Node, Value, apply, constant
from sensenet.ir.op import Op
from sensenet.ir.ops import (
    basic,
    control,
    convolution,
    core,
    dense,
    detection,
    elementwise,
    image,
    reduction,
    shape,
    tabular,
)
from sensenet.ir.ops.windows import Padding
from sensenet.ir.region import Region
from sensenet.ir.types import DType, Tensor, TensorType, f32
from sensenet.signature import NUMERIC_INPUT, PIXEL_INPUT, Signature
from support.seeds import SEEDS, seeded

ROW_WIDTHS = st.integers(1, 5)
IMAGE = f32(None, 6, 5, 4)
"""Images of a graph: small ones, of a known size."""

NEWEST = 3
"""A node reads one of so many values that fit."""

SPECIAL = (0.0, -0.0, 0.5, -1.5, np.nan, np.inf, -np.inf, 1e-40, 3e38)


@st.composite
def tensors(draw: st.DrawFn, dtypes: Collection[DType] = DType, max_rank: int = 3) -> Tensor:
    """Constants of any shape with at most 4 entries an axis, special numbers among them."""
    dtype = draw(st.sampled_from(list(dtypes)))
    shape = draw(st.lists(st.integers(0, 4), max_size=max_rank).map(tuple))
    array = seeded(draw(SEEDS), *shape, scale=4.0)
    if dtype is DType.FLOAT32 and array.size and draw(st.booleans()):
        array.flat[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from(SPECIAL))
    return Tensor.owning(np.asarray(array > 0 if dtype is DType.BOOL else array, dtype.numpy))


@define
class Pool:
    """The values of a graph that is being made."""

    draw: st.DrawFn
    values: list[Value] = field(factory=list)

    def pick(self, accept: Callable[[TensorType], bool]) -> Value | None:
        """One of the newest values whose type is accepted: graphs shall be deep rather than wide."""
        candidates = [value for value in reversed(self.values) if accept(value.type)][:NEWEST]
        return self.draw(st.sampled_from(candidates)) if candidates else None

    def rows(self) -> Value:
        """f32[?,n], which there always is."""
        value = self.pick(is_rows)
        assert value is not None
        return value

    def like(self, value: Value) -> Value:
        """Another value of the same type, or the same."""
        other = self.pick(lambda t: t == value.type)
        assert other is not None
        return other

    def weight(self, *shape: int, scale: float = 1.0) -> Tensor:
        return Tensor.float32(seeded(self.draw(SEEDS), *shape, scale=scale))

    def count(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def activation(self) -> ActivationFunction:
        return self.draw(st.sampled_from(ActivationFunction))


def is_float(t: TensorType) -> bool:
    return t.dtype is DType.FLOAT32


def is_rows(t: TensorType) -> bool:
    return is_float(t) and t.rank == 2 and t.shape[0] is None and bool(t.shape[1])


def is_image(t: TensorType) -> bool:
    return is_float(t) and t.rank == 4 and None not in t.shape[1:] and min(t.shape[1:]) > 0


def width_of(value: Value) -> int:
    width = value.type.shape[-1]
    assert width is not None
    return width


Builder = Callable[[Pool], Node | None]
"""A node on values of the pool, or None where they do not allow one."""


def on_rows(make: Callable[[Pool, int], Op]) -> Builder:
    """A node of one input f32[?,n]; the op is made for n."""

    def build(pool: Pool) -> Node:
        x = pool.rows()
        return apply(make(pool, width_of(x)), x)

    return build


def on_images(make: Callable[[Pool, tuple[int, ...]], Op]) -> Builder:
    """A node of one input f32[?,h,w,c]; the op is made for (h, w, c)."""

    def build(pool: Pool) -> Node | None:
        x = pool.pick(is_image)
        return x and apply(make(pool, x.type.shape[1:]), x)

    return build


def binary(op_class: Callable[[], Op]) -> Builder:
    """A node of two inputs: two values of one type, or a value and a constant, on either side."""

    def build(pool: Pool) -> Node:
        first = pool.pick(lambda t: t.dtype is not DType.BOOL)
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


def build_constant(pool: Pool) -> Node:
    """f32[1,n], which stands beside rows in arithmetic but is no row itself."""
    return apply(core.Constant(value=pool.weight(1, pool.count(1, 3))))


def make_standardize(pool: Pool, n: int) -> Op:
    stdev = np.abs(seeded(pool.draw(SEEDS), n)) + 0.25
    return tabular.Standardize(mean=pool.weight(n, scale=4.0), stdev=Tensor.float32(stdev))


def make_destandardize(pool: Pool, _: int) -> Op:
    return tabular.Destandardize(mean=pool.weight(), stdev=pool.weight())


def make_one_hot(pool: Pool, n: int) -> Op:
    return tabular.OneHot(depths=tuple(pool.count(0, 3) for _ in range(n)))


def make_embedding_sum(pool: Pool, n: int) -> Op:
    depths = tuple(pool.count(1, 3) for _ in range(n))
    return tabular.EmbeddingSum(table=pool.weight(sum(depths), pool.count(1, 3)), depths=depths)


def make_forest(pool: Pool, n: int) -> Op:
    """Ragged trees, made by splitting leaves that are drawn; thresholds are simple, so that ties occur."""
    outputs, sizes = pool.count(1, 2), tuple(pool.count(1, 3) for _ in range(pool.count(1, 2)))
    roots, left, right = [], [], []
    for _ in range(sum(sizes)):
        roots.append(len(left))
        leaves = [len(left)]
        left.append(len(left))
        right.append(len(right))
        for _ in range(pool.count(0, 3)):
            node = leaves.pop(pool.count(0, len(leaves) - 1))
            left[node], right[node] = len(left), len(left) + 1
            leaves += [left[node], right[node]]
            left += leaves[-2:]
            right += leaves[-2:]
    nodes = len(left)
    thresholds = np.random.default_rng(pool.draw(SEEDS)).integers(-4, 5, nodes) / 2
    return tabular.Forest(
        feature=Tensor.int32(np.random.default_rng(pool.draw(SEEDS)).integers(0, n, nodes)),
        threshold=Tensor.float32(thresholds),
        left=Tensor.int32(left),
        right=Tensor.int32(right),
        values=pool.weight(nodes, outputs),
        roots=Tensor.int32(roots),
        sizes=sizes,
    )


def make_dense(pool: Pool, n: int) -> Op:
    units = pool.count(1, 5)
    bias = pool.weight(units) if pool.count(0, 1) else None
    kernel = pool.weight(n, units, scale=1.5 / np.sqrt(n))
    return dense.Dense(kernel=kernel, bias=bias, activation=pool.activation())


def make_batched_dense(pool: Pool, n: int) -> Op:
    networks, units = pool.count(1, 3), pool.count(1, 3)
    bias = pool.weight(networks, units) if pool.count(0, 1) else None
    kernel = pool.weight(networks, n, units, scale=1.5 / np.sqrt(n))
    return dense.BatchedDense(kernel=kernel, bias=bias, activation=pool.activation())


def is_stack(t: TensorType) -> bool:
    """Rows of some networks each."""
    return is_float(t) and t.rank == 3 and t.shape[1] is None


def build_batched_dense(pool: Pool) -> Node:
    """On rows, or on what another gives."""
    x = pool.pick(is_stack) if pool.count(0, 1) else None
    if x is None:
        return on_rows(make_batched_dense)(pool)
    networks, _, n = x.type.shape
    kernel = pool.weight(networks, n, pool.count(1, 3), scale=1.5 / np.sqrt(n))
    return apply(dense.BatchedDense(kernel=kernel, activation=pool.activation()), x)


def build_mean(pool: Pool) -> Node:
    """Of some networks' rows, or of a row."""
    x = pool.pick(is_stack)
    return apply(basic.Mean(axis=1), pool.rows()) if x is None else apply(basic.Mean(axis=0), x)


def make_normalization(pool: Pool, n: int) -> Op:
    variance = np.abs(seeded(pool.draw(SEEDS), n)) + 0.25
    gamma, beta, mean = (pool.weight(n) for _ in range(3))
    return dense.BatchNormalization(gamma=gamma, beta=beta, mean=mean, variance=Tensor.float32(variance))


def make_dropout(pool: Pool, _: object) -> Op:
    return dense.Dropout(kind=pool.draw(st.sampled_from(dense.DropoutKind)), rate=0.5)


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


def window(pool: Pool, sizes: tuple[int, ...]) -> tuple[int, int]:
    return pool.count(1, min(sizes[0], 3)), pool.count(1, min(sizes[1], 3))


def sliding(pool: Pool) -> dict[str, object]:
    """The parameters that all convolutions and pools share; both strides are equal."""
    stride = pool.count(1, 2)
    return {"strides": (stride, stride), "padding": pool.draw(st.sampled_from(Padding))}


def make_convolution(pool: Pool, sizes: tuple[int, ...]) -> Op:
    height, width = window(pool, sizes)
    filters = pool.count(1, 3)
    kernel = pool.weight(height, width, sizes[2], filters, scale=0.5)
    return convolution.Convolution2D(
        kernel=kernel, bias=pool.weight(filters), activation=pool.activation(), **sliding(pool)
    )


def make_depthwise(pool: Pool, sizes: tuple[int, ...]) -> Op:
    kernel = pool.weight(*window(pool, sizes), sizes[2], pool.count(1, 2), scale=0.5)
    return convolution.DepthwiseConvolution2D(kernel=kernel, activation=pool.activation(), **sliding(pool))


def make_separable(pool: Pool, sizes: tuple[int, ...]) -> Op:
    multiplier = pool.count(1, 2)
    return convolution.SeparableConvolution2D(
        depth_kernel=pool.weight(*window(pool, sizes), sizes[2], multiplier, scale=0.5),
        point_kernel=pool.weight(1, 1, sizes[2] * multiplier, pool.count(1, 3), scale=0.5),
        **sliding(pool),
    )


def make_pool(op_class: Callable[..., Op]) -> Callable[[Pool, tuple[int, ...]], Op]:
    return lambda pool, sizes: op_class(pool_size=window(pool, sizes), **sliding(pool))


def make_pad(pool: Pool, _: object) -> Op:
    return convolution.Pad2D(padding=((pool.count(0, 1), pool.count(0, 2)), (pool.count(0, 1), 0)))


def make_upsample(pool: Pool, _: object) -> Op:
    method = pool.draw(st.sampled_from(convolution.UpsampleMethod))
    return convolution.Upsample2D(size=(pool.count(1, 2), pool.count(1, 2)), method=method)


def make_index(pool: Pool, sizes: tuple[int, ...]) -> Op:
    return image.Index(axis=1, index=pool.count(0, sizes[0] - 1))


def make_rescale(pool: Pool, _: object) -> Op:
    method = pool.draw(st.sampled_from(image.RescaleType))
    return image.Rescale(height=pool.count(2, 6), width=pool.count(2, 6), method=method)


def decoded(pool: Pool, x: Value) -> Node:
    """The boxes that the channels of an image stand for; a convolution makes 6 channels of them."""
    channels = convolution.Convolution2D(kernel=pool.weight(1, 1, width_of(x), 6))
    op = detection.DecodeBoxes(
        anchors=Tensor.float32([[3, 4]]), stride=2, xyscale=1.1, classes=1, input_size=12
    )
    return apply(op, apply(channels, x).value)


def build_decode_boxes(pool: Pool) -> Node | None:
    x = pool.pick(is_image)
    return x and decoded(pool, x)


def build_scale_boxes(pool: Pool) -> Node | None:
    x = pool.pick(is_image)
    return x and apply(detection.ScaleBoxes(), decoded(pool, x).value, x)


def build_suppress_boxes(pool: Pool) -> Node | None:
    x = pool.pick(is_image)
    if x is None:
        return None
    op = detection.SuppressBoxes(score_threshold=0.25, iou_threshold=0.5, max_objects=3)
    return apply(op, *decoded(pool, x).values)


def build_log(pool: Pool) -> Node:
    """Of positive numbers."""
    size = apply(elementwise.Absolute(), pool.rows())
    return apply(elementwise.Log(), apply(basic.Add(), size.value, constant(Tensor.float32(0.5))).value)


def build_and(pool: Pool) -> Node:
    first = pool.rows()
    tests = (apply(op, first, pool.like(first)).value for op in (basic.LessEqual(), basic.Equal()))
    return apply(elementwise.And(), *tests)


def make_reduction(op_class: Callable[..., Op]) -> Callable[[Pool, int], Op]:
    return lambda pool, _: op_class(axes=(1,), keep_dimensions=bool(pool.count(0, 1)))


def build_reduce_any(pool: Pool) -> Node:
    first = pool.rows()
    test = apply(basic.Greater(), first, constant(Tensor.float32(0.25)))
    return apply(reduction.ReduceAny(axes=(1,)), test.value)


def row_count(x: Value) -> Value:
    """i32[1]"""
    return apply(basic.Slice(axis=0, start=0, stop=1), apply(shape.ShapeOf(), x).value).value


def sizes_of(x: Value, *others: int) -> Value:
    """i32[1 + others]: the number of rows, and numbers."""
    return apply(basic.Concatenate(axis=0), row_count(x), constant(Tensor.int32(others))).value


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


def build_resize(pool: Pool) -> Node | None:
    x = pool.pick(is_image)
    if x is None:
        return None
    size = constant(Tensor.int32([pool.count(1, 7), pool.count(1, 7)]))
    return apply(shape.Resize2D(method=pool.draw(st.sampled_from(convolution.UpsampleMethod))), x, size)


def build_while(pool: Pool) -> Node:
    """Rows to which a weight is added some times."""
    x, steps = pool.rows(), pool.count(0, 3)
    weight = pool.weight(width_of(x))

    def region(make: Callable[[Value, Value], dict[str, Value]]) -> Region:
        rows = apply(core.Input(type=x.type), name="rows")
        left = apply(core.Input(type=TensorType(DType.INT32, ())), name="left")
        return Region.create([rows, left], make(rows.value, left.value))

    condition = region(
        lambda _, left: {"proceed": apply(basic.Greater(), left, constant(Tensor.int32(0))).value}
    )
    body = region(
        lambda rows, left: {
            "rows": apply(basic.Add(), rows, constant(weight)).value,
            "left": apply(basic.Subtract(), left, constant(Tensor.int32(1))).value,
        }
    )
    return apply(control.While(condition=condition, body=body), x, constant(Tensor.int32(steps)))


BUILDERS: dict[type[Op], Builder] = {
    core.Constant: build_constant,
    tabular.Standardize: on_rows(make_standardize),
    tabular.Destandardize: on_rows(make_destandardize),
    tabular.OneHot: on_rows(make_one_hot),
    tabular.EmbeddingSum: on_rows(make_embedding_sum),
    tabular.Forest: on_rows(make_forest),
    dense.Dense: on_rows(make_dense),
    dense.BatchedDense: build_batched_dense,
    dense.BatchNormalization: on_rows(make_normalization),
    dense.Activation: on_rows(lambda pool, _: dense.Activation(function=pool.activation())),
    dense.Dropout: on_rows(make_dropout),
    convolution.Convolution2D: on_images(make_convolution),
    convolution.DepthwiseConvolution2D: on_images(make_depthwise),
    convolution.SeparableConvolution2D: on_images(make_separable),
    convolution.MaxPool2D: on_images(make_pool(convolution.MaxPool2D)),
    convolution.AveragePool2D: on_images(make_pool(convolution.AveragePool2D)),
    convolution.GlobalAveragePool2D: on_images(lambda *_: convolution.GlobalAveragePool2D()),
    convolution.GlobalMaxPool2D: on_images(lambda *_: convolution.GlobalMaxPool2D()),
    convolution.Pad2D: on_images(make_pad),
    convolution.Upsample2D: on_images(make_upsample),
    image.Index: on_images(make_index),
    image.Rescale: on_images(make_rescale),
    detection.DecodeBoxes: build_decode_boxes,
    detection.ScaleBoxes: build_scale_boxes,
    detection.SuppressBoxes: build_suppress_boxes,
    basic.Add: binary(basic.Add),
    basic.Average: several(basic.Average),
    basic.Mean: build_mean,
    basic.Subtract: binary(basic.Subtract),
    basic.Multiply: binary(basic.Multiply),
    basic.Divide: binary(basic.Divide),
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
    shape.Resize2D: build_resize,
    control.While: build_while,
}
"""How a node of each op joins a graph. `Input` starts it."""

IMAGE_OPS = frozenset(
    op_class
    for op_class in BUILDERS
    if op_class.__module__.endswith(("convolution", "image", "detection")) or op_class is shape.Resize2D
)
TABULAR_OPS = frozenset(BUILDERS) - IMAGE_OPS


@st.composite
def graphs(draw: st.DrawFn, ops: Collection[type[Op]] = TABULAR_OPS, max_nodes: int = 10) -> Graph:
    """Graphs of four to `max_nodes` steps, each of one of these ops; well formed, with one to three outputs.

    Numbers stay within what float32 holds well, except behind divisions and exponentials.
    """
    inputs = [apply(core.Input(type=f32(None, draw(ROW_WIDTHS))), name=NUMERIC_INPUT)]
    if not IMAGE_OPS.isdisjoint(ops):
        inputs.append(apply(core.Input(type=IMAGE), name=PIXEL_INPUT))
    pool = Pool(draw, [node.value for node in inputs])
    table = [op_class for op_class in BUILDERS if op_class in ops]
    for op_class in draw(st.lists(st.sampled_from(table), min_size=4, max_size=max_nodes)):
        node = BUILDERS[op_class](pool)
        if node is not None:
            pool.values += node.values
    others = draw(st.lists(st.sampled_from(pool.values), max_size=2))
    outputs = dict.fromkeys([pool.values[-1], *others])
    return Graph.create(inputs, {f"output_{i}": value for i, value in enumerate(outputs)}, Signature())


@st.composite
def feeds(draw: st.DrawFn, graph: Graph) -> dict[str, np.ndarray]:
    """Finite arrays for the inputs of a graph, half of the numbers simple; of one batch size, 0 too."""
    batch, feed = draw(st.integers(0, 3)), {}
    for node in graph.inputs:
        shape = [batch if size is None else size for size in node.types[0].shape]
        array = seeded(draw(SEEDS), *shape, scale=4.0)
        array[array < 0] = np.round(2 * array[array < 0]) / 2
        feed[node.name] = array.astype(np.float32)
    return feed
