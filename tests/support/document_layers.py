"""Random layers of BigML documents: those that work on vectors, and on the channels of images.

Weights are about 1/√inputs, statistics moderate, and layers that could make numbers large are followed by
none that would make them larger, so that float32 answers are comparable.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import define, field
from hypothesis import strategies as st

from support.seeds import SEEDS, seeded

Json = dict[str, Any]
Shape = tuple[int, ...]
"""Of one row: (width,) or (height, width, channels)."""

BOUNDED = ("tanh", "sigmoid", "softsign", "hard_sigmoid", "relu6", "softmax")
UNBOUNDED = (
    None,
    "linear",
    "identity",
    "relu",
    "leaky_relu",
    "mish",
    "softplus",
    "elu",
    "selu",
    "gelu",
    "swish",
    "silu",
)
STEEP = ("exponential",)
"""Used only on what is surely small."""

LARGE = 8.0
"""Larger numbers go through a bounded activation next."""

LARGEST_VECTOR = 64
"""Larger images are not flattened: documents shall stay readable."""


@define
class Stack:
    """A list of layers that is being made: shape and bound of the newest output, or of the input."""

    draw: st.DrawFn
    shape: Shape
    bound: float
    """How large the numbers may be."""
    layers: list[Json] = field(factory=list)
    outputs: list[tuple[Shape, float]] = field(factory=list)
    """Shape and bound of each layer's output."""

    @property
    def width(self) -> int:
        """The number of columns, or channels."""
        return self.shape[-1]

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    def add(self, layer: Json, shape: Shape, bound: float) -> None:
        self.layers.append(layer)
        self.outputs.append((shape, bound))
        self.shape, self.bound = shape, bound

    def add_channels(self, layer: Json, width: int, bound: float) -> None:
        """A layer that changes nothing but the size of the last axis."""
        self.add(layer, (*self.shape[:-1], width), bound)

    def weights(self, *shape: int, scale: float = 1.0) -> Any:
        return seeded(self.draw(SEEDS), *shape, scale=scale).tolist()

    def count(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def scale(self, inputs: int) -> tuple[float, float]:
        """How large weights are of which so many are summed, and how large the sum is then, and an offset."""
        bound = min(self.bound, LARGE)
        return 1.5 / math.sqrt(inputs) * bound / self.bound, 1.5 * bound * math.sqrt(inputs) + 0.5

    def activation(self, bound: float) -> tuple[str | None, float]:
        """A name, and how large its values are; half of them none, since linear layers are what folds."""
        if bound > LARGE:
            return self.draw(st.sampled_from(BOUNDED)), 6.0
        steep = STEEP if bound <= 2 else ()
        name = self.draw(st.none() | st.sampled_from([*UNBOUNDED, *BOUNDED, *steep]))
        return name, 6.0 if name in BOUNDED else math.exp(bound) if name in STEEP else 2 * bound + 1

    def source(self) -> Json:
        """`inputs` of a layer with one input: an earlier layer, by its number or from the end, or nothing.

        Of those whose outputs are images, or are none, as the newest is.
        """
        rank = len(self.shape)
        alike = [index for index, (shape, _) in enumerate(self.outputs) if len(shape) == rank]
        if not alike or self.count(0, 4) < 4:
            return {}
        index = self.draw(st.sampled_from(alike)) - self.draw(st.sampled_from([0, len(self.outputs)]))
        self.shape, self.bound = self.outputs[index]
        return {"inputs": [index]}


def add_dense(stack: Stack, units: int | None = None, last: str | None = "") -> None:
    """A dense layer of this many units; `last` is its activation function, if not drawn."""
    source = stack.source()
    units = units or stack.count(1, 5)
    scale, bound = stack.scale(stack.width)
    name, limit = stack.activation(bound) if last == "" else (last, bound)
    layer = {
        "type": "dense",
        **source,
        "weights": stack.weights(stack.width, units, scale=scale),
        "activation_function": name,
    }
    if stack.count(0, 2):
        layer["offset"] = stack.draw(st.sampled_from([stack.weights(units, scale=0.5), None]))
    stack.add_channels(layer, units, limit)


def add_normalization(stack: Stack) -> None:
    source = stack.source()
    width = stack.width
    layer = {
        "type": "batch_normalization",
        **source,
        **{key: stack.weights(width) for key in ("gamma", "beta", "mean")},
        "variance": (np.abs(seeded(stack.draw(SEEDS), width)) + 0.5).tolist(),
    }
    if stack.count(0, 1):
        unknown = [None] if stack.is_image else []
        layer["epsilon"] = stack.draw(st.sampled_from([1e-3, 1e-5, 0.0, 1, *unknown]))
    stack.add_channels(layer, width, 1.5 * stack.bound + 2.5)


def add_activation(stack: Stack) -> None:
    source = stack.source()
    name, bound = stack.activation(stack.bound)
    stack.add({"type": "activation", **source, "activation_function": name}, stack.shape, bound)


def add_dropout(stack: Stack) -> None:
    source = stack.source()
    kind = stack.draw(st.sampled_from(["zero", "alpha", *(["block"] if stack.is_image else [])]))
    size = {"block_size": 2} if kind == "block" else {}
    layer = {"type": "dropout", **source, "dropout_type": kind, "rate": 0.25, **size}
    stack.add(layer, stack.shape, stack.bound)


def add_flatten(stack: Stack) -> None:
    if math.prod(stack.shape) <= LARGEST_VECTOR:
        stack.add({"type": "flatten"}, (math.prod(stack.shape),), stack.bound)


def add_split(stack: Stack) -> None:
    source = stack.source()
    splits = stack.draw(st.sampled_from([n for n in range(1, stack.width + 1) if stack.width % n == 0]))
    layer = {"type": "split_channels", **source, "number_of_splits": splits}
    layer["group_index"] = stack.count(-splits, splits - 1)
    stack.add_channels(layer, stack.width // splits, stack.bound)


def add_block(stack: Stack) -> None:
    """A residual block; its paths have layers of their own, and end in equal widths."""
    source = stack.source()
    start, bound = stack.shape, stack.bound
    identity = Stack(stack.draw, start, bound)
    if stack.count(0, 1):
        add_dense(identity)
    path = Stack(stack.draw, start, bound)
    for _ in range(stack.count(0, 2)):
        stack.draw(st.sampled_from([add_dense, add_normalization, add_activation, add_dropout]))(path)
    if path.width != identity.width:
        add_dense(path, units=identity.width)
    name, limit = stack.activation(path.bound + identity.bound)
    layer = {
        "type": "dense_residual_block",
        **source,
        "dense_path": path.layers,
        "identity_path": identity.layers,
        "activation_function": name,
    }
    stack.add(layer, identity.shape, limit)


def add_sum(stack: Stack) -> None:
    """The sum of two or three earlier outputs of one shape, or of width 1."""
    shapes = (stack.shape, (*stack.shape[:-1], 1))
    fitting = [index for index, (shape, _) in enumerate(stack.outputs) if shape in shapes]
    if fitting:
        last = len(stack.outputs) - 1
        inputs = [last, *stack.draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=2))]
        bound = sum(stack.outputs[index][1] for index in inputs)
        stack.add({"type": "add", "inputs": inputs}, stack.shape, bound)


def add_concatenation(stack: Stack) -> None:
    outer = stack.shape[:-1]
    fitting = [index for index, (shape, _) in enumerate(stack.outputs) if shape[:-1] == outer]
    if fitting:
        positions = st.sampled_from([*fitting, *(index - len(stack.outputs) for index in fitting)])
        inputs = stack.draw(st.lists(positions, min_size=2, max_size=3))
        shapes, bounds = zip(*(stack.outputs[index] for index in inputs), strict=True)
        stack.add_channels({"type": "concatenate", "inputs": inputs}, sum(s[-1] for s in shapes), max(bounds))


ADDERS: tuple[Callable[[Stack], None], ...] = (
    add_dense,
    add_normalization,
    add_activation,
    add_dropout,
    add_block,
    add_sum,
    add_concatenation,
    add_split,
    add_flatten,
)
"""Of every layer type that works on vectors. Some of them do nothing where nothing fits."""


def add_typed_layers(stack: Stack, outputs: int, last: str | None) -> None:
    for _ in range(stack.count(0, 6)):  # as often six as none: lists would be short
        if stack.bound > LARGE:
            add_activation(stack)
        stack.draw(st.sampled_from(ADDERS))(stack)
    add_dense(stack, units=outputs, last=last)


def add_legacy_layers(stack: Stack, outputs: int, last: str | None) -> None:
    """Fully connected layers without a type; some with statistics, some in residual pairs."""
    for _ in range(stack.count(0, 3)):
        stack.add_channels(*legacy_layer(stack, stack.count(1, 5), *stack.activation(stack.bound)))
    stack.add_channels(*legacy_layer(stack, outputs, last, LARGE))


def legacy_layer(stack: Stack, units: int, name: str | None, bound: float) -> tuple[Json, int, float]:
    width, normalized = stack.width, stack.count(0, 1)
    layer = {
        "weights": stack.weights(units, width, scale=1.5 / math.sqrt(width)),
        "offset": stack.weights(units, scale=0.5),
        "scale": stack.weights(units) if normalized else None,
        "mean": stack.weights(units) if normalized else None,
        "stdev": (np.abs(seeded(stack.draw(SEEDS), units)) + 0.5).tolist() if normalized else None,
        "activation_function": name,
        "residuals": stack.draw(st.booleans()),
    }
    return layer, units, 4 * bound
