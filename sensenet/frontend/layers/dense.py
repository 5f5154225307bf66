"""Builds layers that apply to vectors, and to the channels of images (SPEC §4)."""

from __future__ import annotations

from sensenet.frontend.layers.builder import Layer
from sensenet.ir.graph import Value
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.dense import Activation, BatchNormalization, Dense, Dropout, DropoutKind
from sensenet.ir.ops.rearrangement import Concatenate, Flatten, Slice

EPSILON = 1e-3
"""The epsilon of a batch normalization without one."""

IMAGE_EPSILON = 1e-4
"""The epsilon of a batch normalization of images if it is null."""


def build_dense(layer: Layer) -> Value:
    """Return activation(x @ weights + offset); weights are [in, units]."""
    kernel = layer.weight("weights", lambda: (layer.channels, layer.cursor["number_of_nodes"].positive()))
    bias = layer.optional_weight("offset", kernel.shape[1])
    return layer.apply(Dense(kernel=kernel, bias=bias, activation=layer.activation()))


def build_batch_normalization(layer: Layer) -> Value:
    """Return gamma · (x - mean) / √(variance + epsilon) + beta; all four parameters are required."""
    gamma, beta, mean, variance = (
        layer.weight(key, lambda: (layer.channels,)) for key in ("gamma", "beta", "mean", "variance")
    )
    epsilon = _epsilon(layer)
    if not (variance.float64 + epsilon > 0).all():
        raise layer.cursor["variance"].error(
            f"a variance is {-epsilon} or less: variance + epsilon must be above 0"
        )
    return layer.apply(
        BatchNormalization(gamma=gamma, beta=beta, mean=mean, variance=variance, epsilon=epsilon)
    )


def _epsilon(layer: Layer) -> float:
    if "epsilon" not in layer.cursor.value:
        return EPSILON
    epsilon = layer.cursor["epsilon"]
    if not epsilon.present and layer.input.type.rank == 4:
        return IMAGE_EPSILON
    return epsilon.number()


def build_activation(layer: Layer) -> Value:
    """Return the activation function of the input."""
    return layer.apply(Activation(function=layer.activation()), layer.input)


def build_dropout(layer: Layer) -> Value:
    """Return dropout, which has an effect only in training, of the kind zero, alpha, or block for images."""
    cursor = layer.cursor
    kind = DropoutKind(cursor.require("dropout_type").choice(*(kind.value for kind in DropoutKind)))
    rate = cursor.require("rate").number()
    if not 0 <= rate <= 1:
        raise cursor["rate"].expected("a number from 0 to 1")
    if kind is not DropoutKind.BLOCK:
        return layer.apply(Dropout(kind=kind, rate=rate), layer.input)
    if layer.input.type.rank != 4:
        raise cursor.error(f"expected an image for block dropout, found {layer.input.type}")
    if rate == 0:
        raise cursor["rate"].error("expected a rate above 0 for block dropout")
    size = cursor.require("block_size").positive()
    return layer.apply(Dropout(kind=kind, rate=rate, block_size=size), layer.input)


def build_flatten(layer: Layer) -> Value:
    """Return one vector per row, with the entries in row-major order."""
    return layer.apply(Flatten(), layer.input)


def build_add(layer: Layer) -> Value:
    """Return the sum of two or more inputs, which may broadcast."""
    return layer.apply(Add())


def build_concatenate(layer: Layer) -> Value:
    """Return two or more inputs, concatenated on the last axis."""
    if len(layer.inputs) < 2:
        raise layer.cursor.error("concatenate needs two or more inputs")
    return layer.apply(Concatenate())


def build_split_channels(layer: Layer) -> Value:
    """Return one of `number_of_splits` equal groups of the last axis; `group_index` may be negative."""
    splits = layer.cursor.require("number_of_splits").positive()
    group = layer.cursor.require("group_index").integer()
    if layer.channels % splits:
        raise layer.cursor.error(f"{layer.channels} channels cannot be split into {splits} equal groups")
    if not -splits <= group < splits:
        raise layer.cursor["group_index"].error(f"there is no group {group} of {splits}")
    width = layer.channels // splits
    start = group % splits * width
    return layer.apply(Slice(start=start, stop=start + width))
