"""Documents without weights: initializers' names stand for the values, and sizes for the shapes (SPEC §4).

    {"type": "dense", "weights": [[…], …], "offset": [0.5, …], "activation_function": "relu"}
becomes
    {"type": "dense", "weights": "glorot_uniform", "offset": "zeros", "activation_function": "relu",
     "number_of_nodes": 32}

The weights of an h5 file give the network back. What such a file does not hold stays in the document: trees,
statistics of columns, mean images, how layers are connected.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sensenet.errors import DocumentError
from sensenet.frontend.cursor import Cursor
from sensenet.frontend.envelope import find_network, read_source
from sensenet.frontend.legacy import is_legacy
from sensenet.frontend.plain import as_plain, put

WEIGHTS: Mapping[str, Sequence[str]] = {
    "dense": ("weights", "offset"),
    "batch_normalization": ("gamma", "beta", "mean", "variance"),
    "convolution_2d": ("kernel", "bias"),
    "depthwise_convolution_2d": ("kernel", "bias"),
    "separable_convolution_2d": ("depth_kernel", "point_kernel", "bias"),
}
"""The members of each type of layer that hold weights. Other types have none of their own."""

LEGACY_WEIGHTS = ("weights", "offset", "scale", "mean", "stdev")

PATHS = (
    *("dense_path", "convolution_path", "identity_path"),
    *("separable_convolution_path", "single_convolution_path"),
)
"""The members of blocks that hold layers."""

INITIALIZERS: Mapping[str, str] = {
    **dict.fromkeys(("weights", "kernel", "depth_kernel", "point_kernel"), "glorot_uniform"),
    **dict.fromkeys(("offset", "bias", "beta", "mean"), "zeros"),
    **dict.fromkeys(("gamma", "variance", "scale", "stdev"), "ones"),
}
"""What stands for each weight."""

Shape = tuple[int, ...]
Sizes = Callable[[Shape], dict[str, Any]]

KERNELS: Mapping[str, tuple[int, Sizes]] = {
    "weights": (2, lambda shape: {"number_of_nodes": shape[1]}),
    "kernel": (4, lambda shape: {"number_of_filters": shape[3], "kernel_dimensions": list(shape[:2])}),
    "depth_kernel": (4, lambda shape: {"kernel_dimensions": list(shape[:2])}),
    "point_kernel": (4, lambda shape: {"number_of_filters": shape[3]}),
}
"""The rank of each kernel, and the members that tell its shape once it is gone."""

VECTOR: tuple[int, Sizes] = (1, lambda _: {})
"""The same for all other weights, whose size follows from the layer's kernel or its input."""


def strip_weights(source: Any) -> dict[str, Any]:
    """A document without its weights, envelope and all; a source is what `read_document` takes.

    The result is plain JSON, and the source is left as it is. A weight that is null or an initializer already
    stays. Raises DocumentError for what is no document, and for weights that are no numbers.
    """
    root = read_source(source)
    network = find_network(root).network
    stripped: dict[str, Any] = as_plain(put(root, network.path, _strip_network(network)))
    return stripped


def encode_document(document: Mapping[str, Any]) -> bytes:
    """The document as JSON text; raises DocumentError for lists nested too deep."""
    try:
        return json.dumps(document).encode()
    except RecursionError as error:
        raise DocumentError("lists and objects are nested too deep to be written as text") from error


def _strip_network(network: Cursor) -> dict[str, Any]:
    stripped = _strip_lists(network, ("layers",))
    if network["image_network"].present:
        stripped["image_network"] = _strip_lists(network["image_network"], ("layers",))
    if network["networks"].present:
        stripped["networks"] = [_strip_lists(part, ("layers",)) for part in network["networks"].items()]
    return stripped


def _strip_lists(cursor: Cursor, keys: Sequence[str]) -> dict[str, Any]:
    """The object with those of its members that are lists of layers stripped."""
    lists = {key: _strip_layers(cursor[key]) for key in keys if cursor[key].present}
    return {**cursor.value, **lists}


def _strip_layers(layers: Cursor) -> list[dict[str, Any]]:
    strip = _strip_legacy_layer if is_legacy(layers) else _strip_layer
    return [strip(layer) for layer in layers.items()]


def _strip_layer(layer: Cursor) -> dict[str, Any]:
    sizes, values = _strip_members(layer, WEIGHTS.get(layer["type"].text(), ()))
    return {**_strip_lists(layer, PATHS), **values, **sizes}


def _strip_legacy_layer(layer: Cursor) -> dict[str, Any]:
    """Its weights are the other way round."""
    sizes, values = _strip_members(layer, LEGACY_WEIGHTS)
    if sizes:
        sizes = {"number_of_nodes": len(layer["weights"].value)}
    return {**layer.value, **values, **sizes}


def _strip_members(layer: Cursor, keys: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The members that tell the shapes of a layer's weights, and those that stand for their values."""
    given = [key for key in keys if layer[key].present and not isinstance(layer[key].value, str)]
    sizes: dict[str, Any] = {}
    for key in given:
        rank, tell_sizes = KERNELS.get(key, VECTOR)
        sizes |= tell_sizes(layer[key].array(rank).shape)
    return sizes, {key: INITIALIZERS[key] for key in given}
