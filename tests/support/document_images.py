"""Random BigML documents about images: layers, image networks, detectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from support.document_layers import (
    ADDERS,
    LARGE,
    Json,
    Shape,
    Stack,
    add_activation,
    add_dense,
    add_dropout,
    add_flatten,
    add_normalization,
)
from support.seeds import SEEDS, seeded

LOADING_METHODS = {
    "normalizing": 1.0,
    None: 255.0,
    "centering": 1.0,
    "skewed_centering": 1.0,
    "channelwise_centering": 152.0,
    "channelwise_standardizing": 2.7,
}
"""How large pixels are behind each."""

RESCALE_TYPES = (None, "warp", "pad", "crop")

SIDES = (4, 6, 8, 12)
"""Of a detector's images: numbers that many others divide."""

MOST_FILTERS = 3


def image_arrays(height: int, width: int) -> st.SearchStrategy[np.ndarray]:
    """uint8[height, width, 3]."""
    return SEEDS.map(lambda seed: (127.5 + 127.4 * seeded(seed, height, width, 3)).astype(np.uint8))


# Layers


def window(stack: Stack, keeps_size: bool = False) -> tuple[Json, tuple[int, int], tuple[int, int]]:
    """Strides and padding, the size of the window, and of what a layer makes with it.

    One that keeps the image's size has strides of 1 and same padding.
    """
    height, width, _ = stack.shape
    size = (stack.count(1, min(height, 3)), stack.count(1, min(width, 3)))
    if keeps_size:
        return {"strides": [1, 1], "padding": "same"}, size, (height, width)
    strides = (stack.count(1, 2), stack.count(1, 2))
    padding = stack.draw(st.sampled_from(["same", "valid"]))
    result = [
        math.ceil(n / stride) if padding == "same" else (n - k) // stride + 1
        for n, k, stride in zip((height, width), size, strides, strict=True)
    ]
    written = strides[0] if strides[0] == strides[1] and stack.count(0, 1) else list(strides)
    return {"strides": written, "padding": padding}, size, (result[0], result[1])


def add_convolution(stack: Stack, filters: int = 0, keeps_size: bool = False) -> None:
    source = stack.source()
    sliding, size, result = window(stack, keeps_size)
    filters = filters or stack.count(1, MOST_FILTERS)
    scale, bound = stack.scale(math.prod(size) * stack.width)
    name, limit = stack.activation(bound)
    layer = {
        "type": "convolution_2d",
        **source,
        "kernel": stack.weights(*size, stack.width, filters, scale=scale),
        "bias": stack.draw(st.sampled_from([None, stack.weights(filters, scale=0.5)])),
        **sliding,
        "activation_function": name,
    }
    stack.add(layer, (*result, filters), limit)


def add_depthwise(stack: Stack, keeps_size: bool = False) -> None:
    source = stack.source()
    sliding, size, result = window(stack, keeps_size)
    multiplier = stack.count(1, 2) if stack.width <= MOST_FILTERS else 1
    scale, bound = stack.scale(math.prod(size))
    name, limit = stack.activation(bound)
    width = stack.width * multiplier
    layer = {
        "type": "depthwise_convolution_2d",
        **source,
        "kernel": stack.weights(*size, stack.width, multiplier, scale=scale),
        "depth_multiplier": multiplier,
        "bias": stack.draw(st.sampled_from([None, stack.weights(width, scale=0.5)])),
        **sliding,
        "activation_function": name,
    }
    stack.add(layer, (*result, width), limit)


def add_separable(stack: Stack, keeps_size: bool = False) -> None:
    source = stack.source()
    sliding, size, result = window(stack, keeps_size)
    multiplier, filters = stack.count(1, 2), stack.count(1, MOST_FILTERS)
    between = stack.width * multiplier
    scale, bound = stack.scale(math.prod(size) * between)
    name, limit = stack.activation(bound)
    layer = {
        "type": "separable_convolution_2d",
        **source,
        "depth_kernel": stack.weights(*size, stack.width, multiplier, scale=scale),
        "point_kernel": stack.weights(1, 1, between, filters),
        "depth_multiplier": multiplier,
        "bias": stack.draw(st.sampled_from([None, stack.weights(filters, scale=0.5)])),
        **sliding,
        "activation_function": name,
    }
    stack.add(layer, (*result, filters), limit)


def add_pool(stack: Stack) -> None:
    source = stack.source()
    sliding, size, result = window(stack)
    kind = stack.draw(st.sampled_from(["max_pool_2d", "average_pool_2d"]))
    stack.add(
        {"type": kind, **source, "pool_size": list(size), **sliding}, (*result, stack.width), stack.bound
    )


def add_pool_without_strides(stack: Stack) -> None:
    """Windows side by side, which is what null strides mean."""
    source = stack.source()
    height, width, channels = stack.shape
    size = stack.count(1, min(height, width, 2))
    kind = stack.draw(st.sampled_from(["max_pool_2d", "average_pool_2d"]))
    layer = {"type": kind, **source, "pool_size": size, "strides": None, "padding": "valid"}
    stack.add(layer, (height // size, width // size, channels), stack.bound)


def add_global_pool(stack: Stack) -> None:
    kind = stack.draw(st.sampled_from(["global_average_pool_2d", "global_max_pool_2d"]))
    stack.add({"type": kind, **stack.source()}, (stack.width,), stack.bound)


def add_padding(stack: Stack) -> None:
    source = stack.source()
    height, width, channels = stack.shape
    (top, bottom), (left, right) = sides = [[stack.count(0, 2), stack.count(0, 1)] for _ in range(2)]
    layer = {"type": "padding_2d", **source, "padding": sides}
    stack.add(layer, (top + height + bottom, left + width + right, channels), stack.bound)


def add_upsampling(stack: Stack) -> None:
    source = stack.source()
    height, width, channels = stack.shape
    factors = [stack.count(1, 2) if size <= 6 else 1 for size in (height, width)]
    method = stack.draw(st.sampled_from(["nearest", "bilinear", "another", None]))
    layer = {"type": "upsampling_2d", **source, "size": factors, "method": method}
    stack.add(layer, (height * factors[0], width * factors[1], channels), stack.bound)


BLOCKS = {
    "resnet_block": ("convolution_path", "identity_path"),
    "resnet18_block": ("convolution_path", "identity_path"),
    "darknet_residual_block": ("convolution_path", "identity_path"),
    "mobilenet_residual_block": ("convolution_path", "identity_path"),
    "xception_block": ("separable_convolution_path", "single_convolution_path"),
}
"""The residual blocks of convolutions, and what their paths are called."""

KEEPING: tuple[Callable[[Stack], None], ...] = (
    lambda stack: add_convolution(stack, keeps_size=True),
    lambda stack: add_depthwise(stack, keeps_size=True),
    lambda stack: add_separable(stack, keeps_size=True),
    add_normalization,
    add_activation,
    add_dropout,
)
"""Layers that keep an image's size."""


def add_image_block(stack: Stack) -> None:
    """A residual block of layers that keep the image's size; its paths end in as many channels."""
    source = stack.source()
    start, bound = stack.shape, stack.bound
    kind = stack.draw(st.sampled_from(list(BLOCKS)))
    identity = Stack(stack.draw, start, bound)
    if stack.count(0, 1):
        add_convolution(identity, keeps_size=True)
    path = Stack(stack.draw, start, bound)
    for add in stack.draw(st.lists(st.sampled_from(KEEPING), max_size=2)):
        add(path)
    if path.width != identity.width:
        add_convolution(path, filters=identity.width, keeps_size=True)
    name, limit = stack.activation(path.bound + identity.bound)
    paths = dict(zip(BLOCKS[kind], (path.layers, identity.layers), strict=True))
    stack.add({"type": kind, **source, **paths, "activation_function": name}, identity.shape, limit)


IMAGE_ADDERS: tuple[Callable[[Stack], None], ...] = (
    add_convolution,
    add_depthwise,
    add_separable,
    add_pool,
    add_pool_without_strides,
    add_padding,
    add_upsampling,
    *(add_image_block,) * 3,
    *(add for add in ADDERS if add is not add_flatten),
)
"""Of every layer type that makes images of images; blocks are of several types."""

LAST_ADDERS = (add_global_pool, add_flatten)
"""Those that make vectors of images."""


def add_steps(stack: Stack, adders: Sequence[Callable[[Stack], None]], most: int) -> None:
    """Some layers; those of vectors, once the newest output is one."""
    for _ in range(stack.count(0, most)):
        if stack.bound > LARGE:
            add_activation(stack)
        stack.draw(st.sampled_from(adders if stack.is_image else ADDERS))(stack)


# Networks


@st.composite
def metadata(draw: st.DrawFn, height: int, width: int) -> tuple[Json, float]:
    """What is done to pixels before the layers, and how large they are then."""
    method = draw(st.sampled_from(list(LOADING_METHODS)))
    members: Json = {
        "base_image_network": draw(st.sampled_from([None, "simple", "mobilenet"])),
        "input_image_shape": [width, height, *draw(st.sampled_from([[3], []]))],
        "loading_method": method,
    }
    rescale_type = draw(st.sampled_from(RESCALE_TYPES))
    if rescale_type:
        members["rescale_type"] = rescale_type
    shape = draw(st.sampled_from([None, (3,), (height, width, 3)]))
    if shape is not None:
        members["mean_image"] = np.round(128 + 60 * seeded(draw(SEEDS), *shape)).tolist()
    return members, LOADING_METHODS[method] * (2 if shape else 1)


@st.composite
def image_networks(draw: st.DrawFn) -> tuple[Json, int]:
    """An image network that ends in a vector, and how many features that has."""
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    described, bound = draw(metadata(height, width))
    stack = Stack(draw, (height, width, 3), bound)
    add_steps(stack, (*IMAGE_ADDERS, *LAST_ADDERS), most=4)
    if stack.bound > LARGE:
        add_activation(stack)
    if stack.is_image:
        draw(st.sampled_from(LAST_ADDERS if math.prod(stack.shape) <= LARGE else LAST_ADDERS[:1]))(stack)
    if stack.width > LARGE:
        add_dense(stack)
    return {"metadata": described, "layers": stack.layers}, stack.width


# Detectors


@st.composite
def detectors(draw: st.DrawFn) -> Json:
    """A document about a detector of one or two branches."""
    side = draw(st.sampled_from(SIDES))
    described, bound = draw(metadata(side, side))
    described["base_image_network"] = draw(st.sampled_from(["yolov4", "tinyyolov4", "a yolo"]))
    stack = Stack(draw, (side, side, 3), bound)
    add_steps(stack, IMAGE_ADDERS, most=3)
    if not any(fits(shape, side) for shape, _ in stack.outputs):
        stack.shape, stack.bound, stack.layers, stack.outputs = (side, side, 3), bound, [], []
        add_convolution(stack, keeps_size=True)
    labels = draw(st.lists(st.sampled_from(["cup", "spoon", "é"]), min_size=1, max_size=3, unique=True))
    sources = [index for index, (shape, _) in enumerate(stack.outputs) if fits(shape, side)]
    described["outputs"] = [
        add_branch(stack, source, side, len(labels))
        for source in draw(st.lists(st.sampled_from(sources), min_size=1, max_size=2))
    ]
    if draw(st.booleans()):
        described["outputs"][-1]["input"] = -1
    return {
        "preprocess": [{"type": "image", "index": 0}],
        "image_network": {"metadata": described, "layers": stack.layers},
        "layers": [],
        "output_exposition": {"type": "bounding_box", "values": labels},
        "trees": None,
    }


def fits(shape: Shape, side: int) -> bool:
    """Whether a branch can come from images of this shape: a square of cells that divide the side."""
    return len(shape) == 3 and shape[0] == shape[1] and side % shape[0] == 0


def add_branch(stack: Stack, source: int, side: int, classes: int) -> Json:
    """The last layer of a branch, and what the metadata says of it."""
    (cells, _, width), bound = stack.outputs[source]
    anchors = stack.draw(st.lists(st.sampled_from([[2, 3], [4, 4], [8, 5]]), min_size=1, max_size=2))
    filters = len(anchors) * (5 + classes)
    layer = {
        "type": "convolution_2d",
        "inputs": [source],
        "kernel": stack.weights(1, 1, width, filters, scale=3 / bound / math.sqrt(width)),
        "bias": stack.weights(filters, scale=2.0),
        "strides": 1,
        "padding": "same",
        "activation_function": stack.draw(st.sampled_from([None, "linear"])),
    }
    stack.add(layer, (cells, cells, filters), LARGE)
    xyscale = stack.draw(st.sampled_from([1.0, 1.05, 1.2]))
    number = len(stack.layers) - 1
    return {"input": number, "strides": side // cells, "anchors": anchors, "xyscale": xyscale}


def detector_settings() -> st.SearchStrategy[dict[str, Any]]:
    """What a caller may set of a detector's answers."""
    return st.fixed_dictionaries(
        {},
        optional={
            "bounding_box_threshold": st.sampled_from([0.1, 0.25, 0.9]),
            "iou_threshold": st.sampled_from([0.1, 0.5, 1.0]),
            "max_objects": st.integers(1, 5),
        },
    )
