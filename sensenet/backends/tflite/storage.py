"""Stores the kernels of layers in fewer bits.

- float16: as float16, computed with in float32;
- weights: as int8, one scale for each channel, computed with in float32;
- weights4: the same as int4;
- dynamic: as int8; what they are multiplied with is rounded to 8 bits too, at a scale that each call chooses.

Which layers, `sensenet.passes.quantization.selection` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from attrs import evolve

from sensenet.backends.tflite.operators import Operator, Stored, TensorSteps
from sensenet.ir.graph import Graph, Node
from sensenet.ir.types import Array
from sensenet.passes.quantization.kernels import channel_scales, largest_step, nearest_scales
from sensenet.passes.quantization.selection import find_layers

KERNEL = 1
"""The position of a layer's kernel among its operator's inputs."""

CHANNELS = {"FULLY_CONNECTED": 0, "CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
"""The kinds of layers, and the axis of the kernel on which their results lie."""

SMALLEST_KERNEL = 1024
"""Fewest weights of a kernel that is stored in fewer bits: with fewer there is little to save."""

Store = Callable[[Operator], Operator]


def store_float16(layer: Operator) -> Operator:
    """Return a layer with its kernel as float16, if all weights of it are in its range."""
    kernel = _kernel_of(layer)
    if np.abs(kernel).max() > np.finfo(np.float16).max:
        return layer
    return with_kernel(layer, Stored(array=kernel.astype(np.float16), as_float=True))


def store_weights(layer: Operator) -> Operator:
    """Return a layer with its kernel as int8, which it reads as float32."""
    return with_kernel(layer, evolve(_round(layer), as_float=True))


def store_weights4(layer: Operator) -> Operator:
    """Return a layer with its kernel as int4, which it reads as float32."""
    return with_kernel(layer, evolve(_round(layer, bits=4), as_float=True, as_int4=True))


def store_dynamic(layer: Operator) -> Operator:
    """Return a layer with its kernel as int8, and its input so while it runs."""
    stored = with_kernel(layer, _round(layer))
    if layer.kind != "FULLY_CONNECTED":
        return stored
    return evolve(stored, options={**layer.options, "asymmetricQuantizeInputs": True})


STORES: Mapping[str, Store] = {
    "float16": store_float16,
    "weights": store_weights,
    "weights4": store_weights4,
    "dynamic": store_dynamic,
}


def choose_stores(graph: Graph, mode: str) -> Mapping[Node, Store]:
    """Return how each layer is stored whose kernel is in fewer bits in this mode."""
    if mode not in STORES:
        return {}
    large = [node for node in find_layers(graph) if node.op.kernel.array.size >= SMALLEST_KERNEL]  # type: ignore[attr-defined]
    return dict.fromkeys(large, STORES[mode])


def with_kernel(layer: Operator, kernel: Stored) -> Operator:
    """Return the layer with another kernel."""
    return evolve(layer, inputs=(*layer.inputs[:KERNEL], kernel, *layer.inputs[KERNEL + 1 :]))


def channel_steps(kind: str, scale: Array) -> TensorSteps:
    """Return the steps of a kernel of a kind of layer with these scales."""
    return TensorSteps(scale=scale, zero_point=np.zeros(scale.size, np.int64), axis=CHANNELS[kind])


def _kernel_of(layer: Operator) -> Array:
    kernel = layer.inputs[KERNEL]
    assert isinstance(kernel, np.ndarray)
    return kernel


def _round(layer: Operator, bits: int = 8) -> Stored:
    """Return the kernel in whole numbers, from -127 to 127 if they have 8 bits, from -7 to 7 if 4."""
    kernel = np.moveaxis(_kernel_of(layer), CHANNELS[layer.kind], -1)
    scale = channel_scales(kernel) if bits == 8 else nearest_scales(kernel)
    most = largest_step(bits)
    steps = np.clip(np.rint(kernel / scale), -most, most).astype(np.int8)
    rounded = np.moveaxis(steps, -1, CHANNELS[layer.kind])
    return Stored(array=rounded, steps=channel_steps(layer.kind, scale.astype(np.float32)))
