"""The style of random graphs that are as documents of image networks are imported."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from sensenet.frontend.images import LOADING_METHODS, repeat_on
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Graph, Value, constant
from sensenet.ir.graph import apply as apply_op
from sensenet.ir.ops.arithmetic import Add, Subtract
from sensenet.ir.ops.convolution import (
    Convolution2D,
    DepthwiseConvolution2D,
    Pad2D,
    SeparableConvolution2D,
    Upsample2D,
)
from sensenet.ir.ops.core import Input
from sensenet.ir.ops.dense import Activation, Dense, Dropout, DropoutKind
from sensenet.ir.ops.image import Index, Rescale
from sensenet.ir.ops.pooling import AveragePool2D, GlobalAveragePool2D, GlobalMaxPool2D, MaxPool2D
from sensenet.ir.ops.rearrangement import Concatenate, Flatten, Slice
from sensenet.ir.ops.tabular import Standardize
from sensenet.ir.ops.windows import Padding
from sensenet.ir.types import Tensor, f32
from sensenet.signature import PIXEL_INPUT, RescaleType, Signature
from support.graphs.growing import width_of
from support.graphs.like_tables import LayerBuilder

RAW = 128.0
"""How large pixels are that nothing was done to."""

STEPS = (
    "convolution",
    "depthwise",
    "separable",
    "single pixels",
    "padded",
    "activation",
    "activation",
    "normalization",
    "normalization",
    "normalization",
    "padding",
    "pool",
    "residual",
    "branch",
    "order",
    "part",
    "dropout",
    "upsampling",
    "pixelwise",
)
SOFT = ("linear", "relu", "relu6", "tanh", "sigmoid", "softmax", "leaky_relu")
"""Functions that make no number, and no difference, larger."""


def sizes(value: Value) -> tuple[int, int, int]:
    return value.type.shape[1:]


def fits(window: tuple[int, int], x: Value) -> bool:
    return all(size is None or length <= size for length, size in zip(window, sizes(x)[:2], strict=True))


class ImageBuilder(LayerBuilder):
    """Builds the network of one image; `magnitude` is how large the newest values are."""

    def __init__(self, draw: st.DrawFn) -> None:
        super().__init__(draw)
        self.magnitude = 1.0

    def load(self, pixels: Value) -> Value:
        """What comes before the layers: size, channels, mean image, loading method; some of it, or none."""
        value = pixels
        if self.count(0, 4):
            method = self.draw(st.sampled_from(RescaleType))
            value = self.apply(Rescale(height=self.count(3, 9), width=self.count(3, 9), method=method), value)
        if width_of(value) == 4:
            value = self.apply(Slice(start=0, stop=3), value)
        if self.flip():
            value = self.gather(value, self.rng.permutation(width_of(value)))
        self.magnitude = RAW
        if self.flip() and None not in sizes(value):
            shape = self.draw(st.sampled_from([(width_of(value),), sizes(value)]))
            mean = constant(Tensor.float32(self.rng.uniform(50, 200, size=shape)))
            value = self.apply(Subtract(), value, mean)
        name = self.draw(st.sampled_from([*LOADING_METHODS, "none"]))
        mean, stdev = map(np.asarray, LOADING_METHODS.get(name, (0, 1)))
        if name == "none" or width_of(value) not in (3, *mean.shape[:0], *([1, 2] if not mean.shape else [])):
            return value
        self.magnitude = RAW / float(np.max(stdev))
        return self.apply(Standardize(mean=Tensor.float32(mean), stdev=Tensor.float32(stdev)), value)

    def layers(self, x: Value) -> Value:
        return self.grow([x], STEPS, (3, 7), self.build_step)[-1]

    def build_step(self, step: str, values: list[Value]) -> list[Value]:
        found = self.image_step(step, values)
        return [] if found is None else [found]

    def image_step(self, step: str, values: list[Value]) -> Value | None:
        x = values[-1]
        if step in ("activation", "normalization", "pixelwise") and self.magnitude != 1:
            x = self.convolution("convolution", x)
        channels = width_of(x)
        match step:
            case "convolution" | "depthwise" | "separable":
                return self.convolution(step, x)
            case "single pixels":
                return self.convolution("convolution", x, window=(1, 1))
            case "padded":
                edges = self.draw(st.sampled_from([((1, 1), (1, 1)), ((0, 1), (0, 1)), ((0, 1), (1, 1))]))
                stride = (self.count(1, 2),) * 2
                x = self.apply(Pad2D(padding=edges), x)
                kind = self.draw(st.sampled_from(["convolution", "depthwise", "separable"]))
                return self.convolution(kind, x, window=(3, 3), strides=stride, padding=Padding.VALID)
            case "activation":
                return self.apply(Activation(function=self.soft()), x)
            case "normalization":
                return self.apply(self.normalization(channels), x)
            case "padding":
                (top, bottom), (left, right) = ((self.count(0, 2), self.count(0, 2)) for _ in "hw")
                return self.apply(Pad2D(padding=((top, bottom), (left, right))), x)
            case "pool":
                op = self.draw(st.sampled_from([MaxPool2D, AveragePool2D]))
                return self.apply(op(pool_size=self.window(x), **self.sliding()), x)
            case "residual":
                same = self.convolution(
                    "convolution", x, strides=(1, 1), padding=Padding.SAME, filters=channels
                )
                return self.apply(Add(), same, x)
            case "branch":
                same = self.convolution("separable", x, strides=(1, 1), padding=Padding.SAME)
                return self.apply(Concatenate(), same, x) if channels < 8 else same
            case "order":
                return self.gather(x, self.rng.permutation(channels))
            case "part":
                return self.apply(Slice(start=0, stop=max(1, channels - 1)), x)
            case "dropout":
                return self.apply(Dropout(kind=DropoutKind.BLOCK, rate=0.5, block_size=2), x)
            case "upsampling":
                small = None not in sizes(x) and max(sizes(x)[:2]) < 10
                return self.apply(Upsample2D(size=(self.count(1, 2), self.count(1, 2))), x) if small else None
        return self.dense(x, self.count(1, 3), self.soft())

    def soft(self) -> ActivationFunction:
        return ActivationFunction(self.draw(st.sampled_from(SOFT)))

    def window(self, x: Value) -> tuple[int, int]:
        rows, columns = (min(3, size or 3) for size in sizes(x)[:2])
        return self.count(1, rows), self.count(1, columns)

    def sliding(self) -> dict[str, object]:
        stride = self.count(1, 3)
        return {"strides": (stride, stride), "padding": self.draw(st.sampled_from(Padding))}

    def convolution(
        self,
        kind: str,
        x: Value,
        window: tuple[int, int] | None = None,
        filters: int = 0,
        **fixed: object,
    ) -> Value:
        """A layer whose results are of ordinary size; half of them are linear."""
        height, columns = window if window and fits(window, x) else self.window(x)
        channels, filters = width_of(x), filters or self.count(1, 4)
        scale = 1 / (self.magnitude * np.sqrt(height * columns))
        self.magnitude = 1.0
        activation = self.soft() if self.flip() else ActivationFunction.LINEAR
        common = {"activation": activation, **self.sliding(), **fixed}
        if kind == "convolution":
            kernel = self.normal(height, columns, channels, filters, scale=scale / np.sqrt(channels))
            return self.apply(Convolution2D(kernel=kernel, bias=self.bias(filters), **common), x)
        between = channels * self.count(1, 2)
        depth = self.normal(height, columns, channels, between // channels, scale=scale)
        if kind == "depthwise":
            return self.apply(DepthwiseConvolution2D(kernel=depth, bias=self.bias(between), **common), x)
        point = self.normal(1, 1, between, filters, scale=1 / np.sqrt(between))
        op = SeparableConvolution2D(depth_kernel=depth, point_kernel=point, bias=self.bias(filters), **common)
        return self.apply(op, x)

    def bias(self, size: int) -> Tensor | None:
        return self.normal(size, scale=0.3) if self.flip() else None


def like_images(draw: st.DrawFn) -> Graph:
    """A graph like an image model's: one image a row or two, of known or unknown size."""
    builder = ImageBuilder(draw)
    channels, images = draw(st.sampled_from([1, 2, 3, 3, 3, 4])), builder.count(1, 2)
    several = (images,) if images > 1 else ()
    node = apply_op(Input(type=f32(None, *several, None, None, channels)), name=PIXEL_INPUT)
    sources = [node.value]
    if several:
        sources = [builder.apply(Index(axis=1, index=index), node.value) for index in range(images)]
    last = builder.layers(builder.load(sources[0]))
    ends = [GlobalAveragePool2D(), GlobalMaxPool2D()] + ([] if None in sizes(last) else [Flatten()])
    features = builder.apply(draw(st.sampled_from(ends)), last)
    found = [features, *(repeat_on(features, sources[0], source, "_again") for source in sources[1:])]
    joined = builder.apply(Concatenate(), *found) if len(found) > 1 else features
    kernel = builder.normal(width_of(joined), 2, scale=1 / (builder.magnitude * np.sqrt(width_of(joined))))
    outputs = {"predictions": builder.apply(Dense(kernel=kernel, bias=builder.bias(2)), joined)}
    if builder.flip():
        outputs["features"] = last
    return Graph.create([node], outputs, Signature())
