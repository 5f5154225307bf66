"""Pretrained networks with drawn weights: as a document, and as the file that a server would have."""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any

import numpy as np
from attrs import frozen

from sensenet.backends.keras.h5 import write_weights
from sensenet.frontend import import_graph
from sensenet.layer_schema import OP_WEIGHTS
from sensenet.pretrained import get_pretrained_network


@frozen(kw_only=True)
class Trained:
    """A pretrained network: its document with values, and the content of its h5 file."""

    document: dict[str, Any]
    content: bytes


@cache
def train(name: str) -> Trained:
    """The network with weights of its own, other ones in each layer."""
    document = get_pretrained_network(name)
    for node in import_graph(document).nodes:
        if type(node.op) in OP_WEIGHTS:
            section, _, index = node.name.rpartition("layer_")
            layers = document["image_network"]["layers"] if section else document["layers"]
            layers[int(index)] |= _draw(node)
    return Trained(document=document, content=write_weights(import_graph(document)))


def _draw(node: Any) -> dict[str, Any]:
    """Arrays by the names that documents have for them."""
    generator = np.random.default_rng(zlib.crc32(node.name.encode()))
    drawn = {}
    for weight in OP_WEIGHTS[type(node.op)]:
        given = getattr(node.op, weight.attribute)
        if given is not None:
            around = np.abs(given.array) if weight.attribute == "variance" else given.array
            spread = 0.3 * around + (0.05 if given.array.ndim == 1 else 0)
            drawn[weight.key] = (around + spread * generator.uniform(-1, 1, given.shape)).astype(np.float32)
    return drawn
