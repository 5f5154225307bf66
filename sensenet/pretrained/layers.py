"""Functions that describe the layers of an image network, and list them for a BigML document.

A network is written as an expression, `relu(batch_normalization(convolution(IMAGE, 64, 7)))`; each function
returns a `Layer` that has its inputs. `list_layers` then lists the layers that some outputs need, in the
order of the files of pretrained weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

from attrs import field

from sensenet.records import frozen

DEFAULT_EPSILON = 1e-3
KERNEL = "glorot_uniform"

Sides = tuple[int, int]
"""The zeros added (before, after), the same for both axes."""


@frozen(eq=False)
class Layer:
    """One layer: its BigML type, its parameters and the layers that it reads. Equality is identity."""

    type: str
    parameters: Mapping[str, Any] = field(factory=dict)
    inputs: tuple[Layer, ...] = ()


IMAGE = Layer("image")
"""The input of the first layers, which documents do not list."""


def _square(size: int) -> list[int]:
    return [size, size]


def _sampling(size: int, strides: int, padding: str) -> dict[str, Any]:
    """Return the parameters that all kinds of convolution have, next to their kernels."""
    return {
        "kernel_dimensions": _square(size),
        "strides": _square(strides),
        "padding": padding,
        "activation_function": "linear",
    }


def convolution(
    x: Layer, filters: int, size: int, strides: int = 1, padding: str = "same", *, bias: str | None = None
) -> Layer:
    """Return a `size` by `size` convolution; `bias` is None or an initializer."""
    parameters = {"kernel": KERNEL, "bias": bias, "number_of_filters": filters}
    return Layer("convolution_2d", {**parameters, **_sampling(size, strides, padding)}, (x,))


def depthwise_convolution(x: Layer, size: int, strides: int = 1, padding: str = "same") -> Layer:
    """Return a depthwise convolution: one `size` by `size` filter per channel, without bias."""
    parameters = {"kernel": KERNEL, "bias": None, "number_of_filters": 1, "depth_multiplier": 1}
    return Layer("depthwise_convolution_2d", {**parameters, **_sampling(size, strides, padding)}, (x,))


def separable_convolution(x: Layer, filters: int, size: int) -> Layer:
    """Return a depthwise `size` by `size` convolution, then 1 by 1 to `filters` channels, without bias."""
    parameters = {
        "depth_kernel": KERNEL,
        "point_kernel": KERNEL,
        "bias": None,
        "number_of_filters": filters,
        "depth_multiplier": 1,
    }
    return Layer("separable_convolution_2d", {**parameters, **_sampling(size, 1, "same")}, (x,))


def batch_normalization(x: Layer, epsilon: float = DEFAULT_EPSILON) -> Layer:
    """Return (x - mean) / √(variance + epsilon) · gamma + beta, per channel."""
    parameters = {"epsilon": epsilon, "gamma": "ones", "beta": "zeros", "mean": "zeros", "variance": "ones"}
    return Layer("batch_normalization", parameters, (x,))


def activation(x: Layer, function: str) -> Layer:
    """Return the activation function of that name, of every value."""
    return Layer("activation", {"activation_function": function}, (x,))


def pad(x: Layer, sides: Sides) -> Layer:
    """Return zero padding above and left (`sides[0]`), below and right (`sides[1]`)."""
    return Layer("padding_2d", {"padding": [list(sides), list(sides)]}, (x,))


def max_pool(x: Layer, size: int, strides: int, padding: str = "same") -> Layer:
    """Return the largest value of each `size` by `size` window."""
    parameters = {"pool_size": _square(size), "strides": _square(strides), "padding": padding}
    return Layer("max_pool_2d", parameters, (x,))


def global_average_pool(x: Layer) -> Layer:
    """Return the mean of each channel."""
    return Layer("global_average_pool_2d", {}, (x,))


def upsample(x: Layer) -> Layer:
    """Return the image in twice the height and width, interpolated bilinearly."""
    return Layer("upsampling_2d", {"method": "bilinear", "size": [2, 2]}, (x,))


def second_half(x: Layer) -> Layer:
    """Return the second half of the channels."""
    return Layer("split_channels", {"number_of_splits": 2, "group_index": 1}, (x,))


def add(*layers: Layer) -> Layer:
    """Return the sum of layers of one shape."""
    return Layer("add", {}, layers)


def concatenate(*layers: Layer) -> Layer:
    """Return the channels of all layers, in order."""
    return Layer("concatenate", {}, layers)


def list_layers(outputs: Sequence[Layer]) -> list[Layer]:
    """Return the layers that `outputs` need, without IMAGE; a layer's inputs come before it.

    Weights are loaded by order, and the files follow Keras: the layers farthest from the outputs come first,
    by the longest path; of those equally far, the one that a depth-first search from the outputs finds first.
    """
    distance: dict[Layer, int] = {}
    waiting = list(reversed(outputs))
    while waiting:
        layer = waiting.pop()
        if layer not in distance:
            distance[layer] = 0
            waiting.extend(reversed(layer.inputs))
    inputs_first = TopologicalSorter({layer: layer.inputs for layer in distance}).static_order()
    for layer in reversed(list(inputs_first)):
        for read in layer.inputs:
            distance[read] = max(distance[read], distance[layer] + 1)
    farthest_first = sorted(distance, key=lambda layer: -distance[layer])
    return [layer for layer in farthest_first if layer is not IMAGE]


def document_layers(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Return the `layers` of a BigML document; those that read only IMAGE have no member `inputs`."""
    position = {layer: index for index, layer in enumerate(layers)}
    documents = []
    for layer in layers:
        document = {"type": layer.type, **layer.parameters}
        if layer.inputs != (IMAGE,):
            document["inputs"] = [position[read] for read in layer.inputs]
        documents.append(document)
    return documents
