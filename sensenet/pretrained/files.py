"""Finds and downloads the files of the pretrained networks: weights and feature extractors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sensenet.errors import ArtifactError, DocumentError, InputTypeError
from sensenet.pretrained.cache import cache_resource_path, describe_remedy
from sensenet.pretrained.networks import extractor_file_name, find_network, weights_file_name


class LoadsWeights(Protocol):
    """A model that can load weights: a `tf.keras.Model`, or one that `create_model` returns."""

    def load_weights(self, path: str) -> object:
        """Load the weights of an h5 file, matching layers by order."""


def get_weights_path(network: str | Mapping[str, Any]) -> str:
    """Return the path of the h5 file with a network's weights, which is downloaded at first use.

    `network` is a name, or a document whose image network is a pretrained one; the document's
    `metadata.version`, if any, selects the weights. Raises UnknownNetworkError, InputTypeError, DocumentError
    and DownloadError.
    """
    if isinstance(network, str):
        return cache_resource_path(weights_file_name(network))
    return cache_resource_path(_weights_of_document(network))


def get_extractor_bundle(name: str) -> str:
    """Return the path of the smbundle of a network's feature extractor, which is downloaded at first use.

    Raises UnknownNetworkError and DownloadError.
    """
    return cache_resource_path(extractor_file_name(name))


def load_pretrained_weights(model: LoadsWeights, network: str | Mapping[str, Any]) -> None:
    """Load the weights of a whole pretrained network into a model.

    `model` is a `tf.keras.Model` with the layers of the network's document, or the result of `create_model`
    for it. `network` is the argument of `get_weights_path`. Raises InputTypeError for an object without
    `load_weights`, ArtifactError if the weights do not fit the model, and what `get_weights_path` raises.
    """
    if not callable(getattr(model, "load_weights", None)):
        raise InputTypeError(
            f"an object of type {type(model).__name__} cannot load weights; expected a model of the network"
        )
    path = get_weights_path(network)
    try:
        model.load_weights(path)
    except (ArtifactError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ArtifactError(
            f"{path} is damaged or does not fit the model: {error}. {describe_remedy(path)}"
        ) from error


def _weights_of_document(document: Mapping[str, Any]) -> str:
    """Return the name of the weights' file for a document or an `image_network`."""
    if not isinstance(document, Mapping):
        raise InputTypeError(f"expected a network's name or document, found {type(document).__name__}")
    image_network = document.get("image_network", document)
    metadata = image_network.get("metadata") if isinstance(image_network, Mapping) else None
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("base_image_network"), str):
        raise DocumentError(
            "the name of a pretrained network is missing", "image_network.metadata.base_image_network"
        )
    name = metadata["base_image_network"]
    version = metadata.get("version")
    if version in (None, find_network(name).version):
        return weights_file_name(name)
    return f"{name}_weights_{version}.h5"
