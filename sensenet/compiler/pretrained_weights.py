"""Puts pretrained weights into documents that have none.

The file is read as the weights of its network, and every shape is checked; then each layer of the document
that lacks numbers gets those of the layer at the same position. Nothing is downloaded if all weights exist.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from sensenet.backends.keras.h5 import load_weights
from sensenet.backends.keras.weights import get_weights, weighted_nodes
from sensenet.errors import ArtifactError
from sensenet.frontend import Document, import_graph
from sensenet.frontend.json.cursor import Cursor, quote
from sensenet.ir.types import Array
from sensenet.layer_schema import PATHS, SCHEMAS, SIZE_KEYS, WITHOUT_WEIGHTS
from sensenet.pretrained import NETWORKS, get_pretrained_network, get_weights_path
from sensenet.pretrained.cache import describe_remedy

Weights = Mapping[str, Sequence[Array]]
"""The weights of each layer, by the name of its node, in the order of its schema."""


def fill_weights(document: Document) -> Document:
    """Return the document with pretrained weights in those layers of its image network that have none.

    If the rest of the document is that of the pretrained network too, its last layer gets weights as well.
    Raises as `sensenet.compiler.documents.import_document` does.
    """
    network, images = document.network, document.network["image_network"]
    if not images.present or not any(map(_lacks_weights, _all_layers(images.require("layers")))):
        return document
    base = images.require("metadata").require("base_image_network")
    name = base.text()
    if name not in NETWORKS:
        raise base.error(f"{quote(name)} has no pretrained weights; these have: {', '.join(NETWORKS)}")
    topology = Cursor(get_pretrained_network(name))
    trained_images = topology["image_network"]["layers"]
    _require_layers(images["layers"], trained_images, name)
    weights = _read_weights(topology, get_weights_path(network.value))
    layers = _fill_layers(images["layers"], trained_images, weights, "image_layer_")
    filled = {**network.value, "image_network": {**images.value, "layers": layers}}
    if _has_head_of(network, topology):
        filled["layers"] = _fill_layers(network["layers"], topology["layers"], weights, "layer_")
    return attrs.evolve(document, network=Cursor(filled, network.path))


def _all_layers(layers: Cursor) -> Iterator[Cursor]:
    """Yield the layers of a list, and those in its blocks, which are not nested."""
    for layer in layers.items():
        yield layer
        for path in PATHS:
            if layer[path].present:
                yield from layer[path].items()


def _lacks_weights(layer: Cursor) -> bool:
    """Return whether a layer has weights, and all of them are initializers."""
    return bool(_weight_keys(layer)) and not _has_values(layer)


def _has_values(layer: Cursor) -> bool:
    """Return whether any of a layer's weights is given as numbers."""
    return any(not isinstance(layer[key].value, str) for key in _weight_keys(layer))


def _weight_keys(layer: Cursor) -> list[str]:
    """Return the names of a layer's weights that are present, as numbers or initializers."""
    kind = layer["type"].value
    schema = SCHEMAS.get(kind, WITHOUT_WEIGHTS) if isinstance(kind, str) else WITHOUT_WEIGHTS
    return [weight.key for weight in schema.weights if layer[weight.key].present]


def _require_layers(layers: Cursor, trained: Cursor, name: str) -> None:
    """Raise DocumentError about the first layer that does not match the trained layer at its position."""
    found, expected = layers.items(), trained.items()
    for layer, like in zip(found, expected, strict=False):
        for key in _differences(layer, like):
            wanted = json.dumps(like[key].value) if like[key].present else "nothing"
            raise layer[key].expected(f"{wanted} as in {name}, whose weights are to be loaded")
    if len(found) != len(expected):
        raise layers.expected(f"the {len(expected)} layers of {name}, whose weights are to be loaded")


def _differences(layer: Cursor, like: Cursor) -> list[str]:
    """Return the members by which a layer differs from the trained layer."""
    if layer["type"].value != like["type"].value:
        return ["type"]
    if _has_values(layer):
        return []
    sizes = [key for key in SIZE_KEYS if like[key].present and _plain(layer[key].value) != like[key].value]
    schema = SCHEMAS.get(like["type"].value, WITHOUT_WEIGHTS)
    keys = [weight.key for weight in schema.weights]
    return sizes + [key for key in keys if layer[key].present != like[key].present]


def _plain(value: Any) -> Any:
    """Return a member as in JSON: a caller's dict may contain tuples."""
    return list(value) if isinstance(value, tuple) else value


def _read_weights(topology: Cursor, path: str) -> Weights:
    """Return the weights in a pretrained network's file; raise ArtifactError, with the remedy, if damaged."""
    try:
        graph = load_weights(import_graph(topology.value), Path(path))
    except ArtifactError as error:
        raise ArtifactError(f"{error}. {describe_remedy(path)}") from error
    return {
        node.name: [weight.array for weight in get_weights(node.op).values()]
        for node in weighted_nodes(graph)
    }


def _fill_layers(layers: Cursor, trained: Cursor, weights: Weights, prefix: str) -> list[Any]:
    """Return the layers; those without weights have the weights of the trained layer at their position."""
    return [
        {**layer.value, **dict(zip(_weight_keys(like), weights[f"{prefix}{index}"], strict=True))}
        if _lacks_weights(layer)
        else layer.value
        for index, (layer, like) in enumerate(zip(layers.items(), trained.items(), strict=True))
    ]


def _has_head_of(network: Cursor, topology: Cursor) -> bool:
    """Return whether the layers after the image network lack weights and equal the pretrained network's."""
    trained = topology["layers"].items()
    if not trained or network["networks"].present or network["trees"].value:
        return False
    layers = network["layers"].items()
    alone = len(network["preprocess"].items()) == 1
    return (
        alone
        and len(layers) == len(trained)
        and all(
            not _differences(layer, like) and _lacks_weights(layer) == _lacks_weights(like)
            for layer, like in zip(layers, trained, strict=True)
        )
    )
