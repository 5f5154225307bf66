"""Builds the Keras layer of each op, with its weights: one row per op."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sensenet.backends.keras.activation import KERAS_ACTIVATIONS
from sensenet.backends.keras.layers import make_layer_classes
from sensenet.ir.activation import ActivationFunction
from sensenet.ir.graph import Node
from sensenet.ir.op import Op
from sensenet.ir.ops import arithmetic, convolution, dense, pooling, rearrangement
from sensenet.ir.ops.dense import DropoutKind
from sensenet.ir.types import Array, DType, Tensor
from sensenet.records import frozen


@frozen(kw_only=True)
class WeightedLayer:
    """A Keras layer for a node, and the weights to set once Keras has built the layer."""

    layer: Any
    weights: Sequence[Array] = ()


LayerBuilder = Callable[[Any, Any, Node, str], WeightedLayer | None]
"""`builder(keras.layers, op, node, name)` returns a layer, or None if Keras has no equivalent one."""


def _activation_of(function: ActivationFunction) -> Any:
    """Return a layer's `activation`: Keras' name, or sensenet's function if Keras has no equivalent.

    The activation never becomes a layer of its own, because h5 files are matched with layers by depth.
    """
    return function.value if function in KERAS_ACTIVATIONS else make_layer_classes().activations[function]


def _weights(*tensors: Tensor | None) -> list[Array]:
    return [tensor.array for tensor in tensors if tensor is not None]


def _dense(layers: Any, op: Any, node: Node, name: str) -> WeightedLayer:
    """Return a dense layer, always with a bias, as in h5 files."""
    layer = layers.Dense(op.units, activation=_activation_of(op.activation), name=name)
    bias = np.zeros(op.units, np.float32) if op.bias is None else op.bias.array
    return WeightedLayer(layer=layer, weights=[op.kernel.array, bias])


def _batch_normalization(layers: Any, op: Any, node: Node, name: str) -> WeightedLayer:
    layer = make_layer_classes().batch_normalization(epsilon=op.epsilon, name=name)
    return WeightedLayer(layer=layer, weights=_weights(op.gamma, op.beta, op.mean, op.variance))


def _activation(layers: Any, op: Any, node: Node, name: str) -> WeightedLayer | None:
    if op.function not in KERAS_ACTIVATIONS:
        return None
    return WeightedLayer(layer=layers.Activation(op.function.value, name=name))


def _dropout(layers: Any, op: Any, node: Node, name: str) -> WeightedLayer | None:
    """Return the dropout layer; None for a rate that Keras rejects, which drops nothing in training."""
    if not 0 <= op.rate < 1:
        return None
    match op.kind:
        case DropoutKind.ZERO:
            return WeightedLayer(layer=layers.Dropout(op.rate, name=name))
        case DropoutKind.ALPHA:
            return WeightedLayer(layer=layers.AlphaDropout(op.rate, name=name))
        case DropoutKind.BLOCK if node.types[0].rank == 4:
            classes = make_layer_classes()
            return WeightedLayer(
                layer=classes.block_dropout(rate=op.rate, block_size=op.block_size, name=name)
            )
    return None


def _merge(layer: Any, node: Node, name: str) -> WeightedLayer | None:
    """Return a merging layer of Keras; None unless it has several float inputs of one shape."""
    one_shape = len({value.type.shape for value in node.inputs}) == 1
    return (
        WeightedLayer(layer=layer(name=name))
        if len(node.inputs) > 1 and one_shape and _is_float(node)
        else None
    )


def _is_float(node: Node) -> bool:
    return all(value.type.dtype is DType.FLOAT32 for value in node.inputs)


def _concatenate(layers: Any, op: Any, node: Node, name: str) -> WeightedLayer | None:
    if len(node.inputs) < 2 or not _is_float(node):
        return None
    return WeightedLayer(layer=layers.Concatenate(axis=op.axis, name=name))


def _convolution(layers: Any, op: Any, node: Node, name: str) -> WeightedLayer:
    layer = layers.Conv2D(op.filters, op.window, **_window_settings(op, name))
    return WeightedLayer(layer=layer, weights=_weights(op.kernel, op.bias))


def _depthwise_convolution(layers: Any, op: Any, node: Node, name: str) -> WeightedLayer:
    settings = _window_settings(op, name)
    layer = layers.DepthwiseConv2D(op.window, depth_multiplier=op.kernel.shape[3], **settings)
    return WeightedLayer(layer=layer, weights=_weights(op.kernel, op.bias))


def _separable_convolution(layers: Any, op: Any, node: Node, name: str) -> WeightedLayer:
    settings = _window_settings(op, name)
    multiplier = op.depth_kernel.shape[3]
    layer = layers.SeparableConv2D(op.filters, op.window, depth_multiplier=multiplier, **settings)
    return WeightedLayer(layer=layer, weights=_weights(op.depth_kernel, op.point_kernel, op.bias))


def _window_settings(op: Any, name: str) -> dict[str, Any]:
    return {
        "strides": op.strides,
        "padding": op.padding.value,
        "activation": _activation_of(op.activation),
        "use_bias": op.bias is not None,
        "name": name,
    }


LAYER_BUILDERS: Mapping[type[Op], LayerBuilder] = {
    dense.Dense: _dense,
    dense.BatchNormalization: _batch_normalization,
    dense.Activation: _activation,
    dense.Dropout: _dropout,
    arithmetic.Add: lambda layers, op, node, name: _merge(layers.Add, node, name),
    arithmetic.Average: lambda layers, op, node, name: _merge(layers.Average, node, name),
    rearrangement.Concatenate: _concatenate,
    rearrangement.Flatten: lambda layers, op, node, name: (
        WeightedLayer(layer=layers.Flatten(name=name)) if _is_float(node) else None
    ),
    convolution.Convolution2D: _convolution,
    convolution.DepthwiseConvolution2D: _depthwise_convolution,
    convolution.SeparableConvolution2D: _separable_convolution,
    pooling.MaxPool2D: lambda layers, op, node, name: WeightedLayer(
        layer=layers.MaxPooling2D(op.pool_size, op.strides, op.padding.value, name=name)
    ),
    pooling.AveragePool2D: lambda layers, op, node, name: WeightedLayer(
        layer=layers.AveragePooling2D(op.pool_size, op.strides, op.padding.value, name=name)
    ),
    pooling.GlobalAveragePool2D: lambda layers, op, node, name: WeightedLayer(
        layer=layers.GlobalAveragePooling2D(name=name)
    ),
    pooling.GlobalMaxPool2D: lambda layers, op, node, name: WeightedLayer(
        layer=layers.GlobalMaxPooling2D(name=name)
    ),
    convolution.Pad2D: lambda layers, op, node, name: WeightedLayer(
        layer=layers.ZeroPadding2D(op.padding, name=name)
    ),
    convolution.Upsample2D: lambda layers, op, node, name: WeightedLayer(
        layer=layers.UpSampling2D(op.size, interpolation=op.method.value, name=name)
    ),
}
"""The builders of the ops that Keras has layers for; others become Keras operations or op layers."""
