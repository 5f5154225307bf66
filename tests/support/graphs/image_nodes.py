"""How nodes on images join a random graph."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from sensenet.ir.graph import Node, Value, apply, constant
from sensenet.ir.op import Op
from sensenet.ir.ops import convolution, detection, image, pooling, shape
from sensenet.ir.ops.windows import Padding
from sensenet.ir.types import Tensor
from support.graphs.growing import is_image, width_of
from support.graphs.pool import Builder, Pool, on_images


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


def build_resize(pool: Pool) -> Node | None:
    x = pool.pick(is_image)
    if x is None:
        return None
    size = constant(Tensor.int32([pool.count(1, 7), pool.count(1, 7)]))
    return apply(shape.Resize2D(method=pool.draw(st.sampled_from(convolution.UpsampleMethod))), x, size)


IMAGE_NODES: dict[type[Op], Builder] = {
    convolution.Convolution2D: on_images(make_convolution),
    convolution.DepthwiseConvolution2D: on_images(make_depthwise),
    convolution.SeparableConvolution2D: on_images(make_separable),
    pooling.MaxPool2D: on_images(make_pool(pooling.MaxPool2D)),
    pooling.AveragePool2D: on_images(make_pool(pooling.AveragePool2D)),
    pooling.GlobalAveragePool2D: on_images(lambda *_: pooling.GlobalAveragePool2D()),
    pooling.GlobalMaxPool2D: on_images(lambda *_: pooling.GlobalMaxPool2D()),
    convolution.Pad2D: on_images(make_pad),
    convolution.Upsample2D: on_images(make_upsample),
    image.Index: on_images(make_index),
    image.Rescale: on_images(make_rescale),
    detection.DecodeBoxes: build_decode_boxes,
    detection.ScaleBoxes: build_scale_boxes,
    detection.SuppressBoxes: build_suppress_boxes,
    shape.Resize2D: build_resize,
}
