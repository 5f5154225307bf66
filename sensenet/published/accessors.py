"""Properties of a network, under the names that clients of the published package import.

A network is the part of a document that has `preprocess`. A function raises DocumentError, which is a
ValueError, if the network lacks the property.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensenet.errors import DocumentError
from sensenet.published.constants import BOUNDING_BOX, CATEGORICAL
from sensenet.settings import Settings

Json = Mapping[str, Any]

RGB = 3


def get_image_shape(anobject: Json) -> list[int | None]:
    """Return `[None, height, width, channels]` of the images that a network, or an image network, reads."""
    try:
        width, height, channels = _metadata(anobject)["input_image_shape"]
    except (KeyError, TypeError, ValueError) as error:
        keys = list(anobject)
        raise DocumentError(f"input_image_shape is missing in an object with the keys {keys}") from error
    return [None, height, width, channels]


def get_image_tensor_shape(settings: Settings) -> tuple[None, None, int]:
    """Return the shape of a caller's images: of any size, with 4 channels if one is alpha."""
    return (None, None, RGB + 1 if (settings.color_space or "").lower().endswith("a") else RGB)


def get_output_exposition(model: Json) -> dict[str, Any]:
    """Return a network's output exposition; for an ensemble without one, that of its first network."""
    networks = model.get("networks") or [{}]
    exposition = model.get("output_exposition") or networks[0].get("output_exposition")
    if not isinstance(exposition, dict):
        raise DocumentError(f"output_exposition is missing in an object with the keys {list(model)}")
    return exposition


def number_of_classes(model: Json) -> int:
    """Return the number of classes; 1 for a regression."""
    exposition = get_output_exposition(model)
    return len(exposition["values"]) if exposition.get("type") in (CATEGORICAL, BOUNDING_BOX) else 1


def is_yolo_model(network: Json) -> bool:
    """Return whether a network detects objects."""
    image_network = network.get("image_network") or {}
    return "yolo" in str(_metadata(image_network).get("base_image_network"))


def yolo_outputs(network: Json) -> list[Any]:
    """Return the output branches of a detector, or of a detector's image network."""
    outputs = _metadata(network).get("outputs")
    if not isinstance(outputs, list):
        raise DocumentError(f"a detector's outputs are missing in an object with the keys {list(network)}")
    return outputs


def _metadata(network: Json) -> Json:
    """Return the metadata of an image network, or of the one in a network."""
    found: Json = (network.get("image_network") or network).get("metadata") or {}
    return found
