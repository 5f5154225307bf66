"""Removes weights from documents: initializers' names replace the numbers, and sizes the shapes (SPEC §4).

    {"type": "dense", "weights": [[…], …], "offset": [0.5, …], "activation_function": "relu"}
becomes
    {"type": "dense", "weights": "glorot_uniform", "offset": "zeros", "activation_function": "relu",
     "number_of_nodes": 32}

With the weights of an h5 file, the network is complete again. Everything that such a file does not contain
stays in the document: trees, statistics of columns, mean images, and the connections of layers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sensenet.errors import DocumentError
from sensenet.frontend.document import errors_naming, read_document
from sensenet.frontend.json.cursor import Cursor
from sensenet.frontend.json.plain import as_plain, put
from sensenet.frontend.layers.untyped import is_legacy
from sensenet.layer_schema import PATHS, SCHEMAS, UNTYPED, WITHOUT_WEIGHTS, LayerSchema


def strip_weights(source: Any) -> dict[str, Any]:
    """Return a document without its weights, including its envelope.

    `source` is anything that `read_source` accepts, and is not changed. The result is plain JSON. Weights
    that are null or initializers stay. Raises DocumentError for an invalid document, and for weights that are
    not numbers.
    """
    document = read_document(source)
    with errors_naming(document.file):
        stripped = _strip_network(document.network)
        found: dict[str, Any] = as_plain(put(document.root, document.network.path, stripped))
    return found


def encode_document(document: Mapping[str, Any]) -> bytes:
    """Return the document as JSON text in UTF-8; raises DocumentError for lists nested too deep."""
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
    """Return the object with the weights of its lists of layers removed; `keys` are those lists."""
    lists = {key: _strip_layers(cursor[key]) for key in keys if cursor[key].present}
    return {**cursor.value, **lists}


def _strip_layers(layers: Cursor) -> list[dict[str, Any]]:
    strip = _strip_untyped_layer if is_legacy(layers) else _strip_layer
    return [strip(layer) for layer in layers.items()]


def _strip_layer(layer: Cursor) -> dict[str, Any]:
    schema = SCHEMAS.get(layer["type"].text(), WITHOUT_WEIGHTS)
    return {**_strip_lists(layer, PATHS), **_strip_members(layer, schema)}


def _strip_untyped_layer(layer: Cursor) -> dict[str, Any]:
    return {**layer.value, **_strip_members(layer, UNTYPED)}


def _strip_members(layer: Cursor, schema: LayerSchema) -> dict[str, Any]:
    """Return the initializers that replace a layer's weights, and the members that give their shapes."""
    initializers: dict[str, Any] = {}
    sizes: dict[str, Any] = {}
    for weight in schema.weights:
        member = layer[weight.key]
        if not member.present or isinstance(member.value, str):
            continue
        shape = member.array(weight.rank).shape
        initializers[weight.key] = weight.initializer
        sizes |= {key: size_of(shape) for key, size_of in weight.sizes.items()}
    return {**initializers, **sizes}
