"""Documents of the size that people have: a pretrained topology with explicit weights, in pieces."""

from __future__ import annotations

import json

import numpy as np

from sensenet.frontend import import_graph
from sensenet.pretrained import get_pretrained_network

WEIGHTS = ("weights", "offset", "kernel", "bias", "depth_kernel", "point_kernel")
STATISTICS = ("gamma", "beta", "mean", "variance")
ATTRIBUTES = {"weights": "kernel", "offset": "bias"}
"""What an op calls a weight of a document, where that differs."""


def write_document(name, path, digits=6):
    """Write a pretrained network with random weights as JSON: so many digits behind the point, None for all.

    A weight takes about 9 bytes with 6 digits, 21 with all.
    """
    random = np.random.default_rng(0)
    document = get_pretrained_network(name)
    ops = {node.name: node.op for node in import_graph(document).nodes}
    tensors = {}
    _mark(document["image_network"]["layers"], "image_layer_", ops, tensors)
    _mark(document["layers"], "layer_", ops, tensors)
    with path.open("w") as stream:
        text = json.dumps(document)
        for piece in text.split('"@@'):
            marker, separator, rest = piece.partition('@@"')
            if not separator:
                stream.write(piece)
                continue
            array = _randomize(tensors[marker].array, random)
            array = array if digits is None else array.round(digits)
            stream.write(json.dumps(array.tolist(), separators=(",", ":")))
            stream.write(rest)


def _randomize(array, random):
    """Numbers of the same spread: an initializer gives layers of one shape the same ones."""
    spread = float(array.std())
    return random.normal(0, spread, array.shape) if spread else array.astype(float)


def _mark(layers, prefix, ops, tensors):
    """Put a mark in the place of each named weight, and note which tensor it stands for."""
    for number, layer in enumerate(layers):
        name = f"{prefix}{number}"
        for key in [key for key in layer if key.endswith("_path")]:
            _mark(layer[key], f"{name}_{key}_", ops, tensors)
        for key in (*WEIGHTS, *STATISTICS):
            if isinstance(layer.get(key), str):
                tensor = getattr(ops[name], ATTRIBUTES.get(key, key))
                marker = f"{name}.{key}"
                tensors[marker] = tensor
                layer[key] = f"@@{marker}@@"
