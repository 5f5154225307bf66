"""Builds layers without a type: fully connected, in pairs if the second has `residuals` (SPEC §4)."""

from __future__ import annotations

import numpy as np

from sensenet.frontend.implied_memory import LAYER_BYTES
from sensenet.frontend.json.cursor import Cursor
from sensenet.frontend.layers.builder import Layer
from sensenet.frontend.weight_sources import SourceRecord
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Value
from sensenet.ir.ops.arithmetic import Add
from sensenet.ir.ops.dense import Activation, BatchNormalization, Dense
from sensenet.ir.ops.rearrangement import Gather
from sensenet.ir.types import Tensor
from sensenet.layer_schema import UNTYPED, UNTYPED_EPSILON


def is_legacy(layers: Cursor) -> bool:
    """Return whether the layers of a list have no type; raises DocumentError if only some have a type."""
    untyped = [not layer["type"].present for layer in layers.items()]
    if any(untyped) and not all(untyped):
        first = layers.items()[untyped.index(True)]
        raise first.error("this layer has no type, but others in the list have one")
    return all(untyped)


def build_legacy_layers(layers: Cursor, source: Value, prefix: str, sources: SourceRecord) -> Value:
    """Return the last layer's output; raise DocumentError with the JSON path of an invalid layer."""
    value = source
    pair_source: Value | None = None
    cursors = layers.items()
    for index, cursor in enumerate(cursors):
        cursor.implied.add_if_repeated(cursor.value, LAYER_BYTES)
        layer = Layer(
            cursor=cursor, inputs=(value,), name=f"{prefix}{index}", schema=UNTYPED, sources=sources
        )
        if pair_source is not None:
            value, pair_source = _build_pair_end(layer, pair_source), None
            continue
        if index + 1 < len(cursors) and cursors[index + 1]["residuals"].boolean():
            pair_source = value
        value = _build_layer(layer)
    return value


def _build_layer(layer: Layer) -> Value:
    """Return activation(x·Wᵀ + offset), or activation((x·Wᵀ - mean) / stdev · scale + offset)."""
    function = layer.activation()
    if not layer.cursor["stdev"].present:
        return _build_dense(layer, function)
    return _activate(layer, function, _build_normalized(layer))


def _build_pair_end(layer: Layer, skipped: Value) -> Value:
    """Return the second layer of a pair: the pair's input is added before the activation.

    As in the published package, a linear activation follows the normalization; it counts as a layer in the
    order of an h5 file.
    """
    linear = ActivationFunction.LINEAR
    if layer.cursor["stdev"].present:
        value = _activate(layer, linear, _build_normalized(layer), suffix="_linear")
    else:
        value = _build_dense(layer, linear, suffix="_dense")
    fitted = _fit_width(layer, skipped, value.type.shape[-1] or 0)
    return _activate(layer, layer.activation(), layer.apply(Add(), value, fitted, suffix="_add"))


def _activate(layer: Layer, function: ActivationFunction, value: Value, suffix: str = "") -> Value:
    return layer.apply(Activation(function=function), value, suffix=suffix)


def _build_dense(layer: Layer, function: ActivationFunction, suffix: str = "") -> Value:
    kernel = _kernel(layer)
    bias = layer.optional_weight("offset", kernel.shape[1])
    dense = Dense(kernel=kernel, bias=bias, activation=function)
    return layer.apply(dense, suffix=suffix, keys={"kernel": "weights", "bias": "offset"})


def _kernel(layer: Layer) -> Tensor:
    """Return the kernel f32[in, units]; documents have [units, in]."""
    nodes = layer.cursor["number_of_nodes"]
    return layer.weight("weights", lambda: (nodes.positive(), layer.channels))


def _build_normalized(layer: Layer) -> Value:
    """Return (x·Wᵀ - mean) / stdev · scale + offset, as a batch normalization."""
    kernel = _kernel(layer)
    units = kernel.shape[1]
    dense = layer.apply(Dense(kernel=kernel), suffix="_dense")
    gamma, mean = (layer.weight(key, lambda: (units,)) for key in ("scale", "mean"))
    variance = layer.weight("stdev", lambda: (units,))
    beta = layer.optional_weight("offset", units) or Tensor.float32(np.zeros(units))
    given = layer.cursor["epsilon"]
    epsilon = given.number() if given.present else UNTYPED_EPSILON
    if not (variance.finite and (variance.float64 + epsilon > 0).all()):
        raise layer.cursor["stdev"].error("a standard deviation is almost 0, or above 1e19")
    return layer.apply(
        BatchNormalization(gamma=gamma, beta=beta, mean=mean, variance=variance, epsilon=epsilon),
        dense,
        suffix="_batch_normalization",
    )


def _fit_width(layer: Layer, value: Value, width: int) -> Value:
    """Return the value with its columns repeated or cut to a width."""
    columns = value.type.shape[-1]
    if columns == width or not columns:
        return value
    indices = Tensor.int32(np.arange(width) % columns)
    return layer.apply(Gather(indices=indices), value, suffix="_skip")
