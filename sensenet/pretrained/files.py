"""The files of the pretrained networks: their weights and their feature extractors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sensenet.errors import ArtifactError, DocumentError, InputTypeError
from sensenet.pretrained.cache import cache_resource_path, describe_remedy
from sensenet.pretrained.networks import extractor_file_name, find_network, weights_file_name


class LoadsWeights(Protocol):
    """What a `tf.keras.Model` and our own models can do, and all that is asked of a model here."""

    def load_weights(self, path: str) -> object:
        """Take the weights of an h5 file, by order."""


def get_weights_path(network: str | Mapping[str, Any]) -> str:
    """Return the path of the h5 file with a network's weights, downloaded on first need.

    `network` is a name, or a document whose image network is a pretrained one; the document's
    `metadata.version`, if any, selects the weights. Raises UnknownNetworkError, DocumentError and
    DownloadError.
    """
    if isinstance(network, str):
        return cache_resource_path(weights_file_name(network))
    return cache_resource_path(_weights_of_document(network))


def get_extractor_bundle(name: str) -> str:
    """Return the path of the smbundle of a network's feature extractor, downloaded on first need.

    Raises UnknownNetworkError and DownloadError.
    """
    return cache_resource_path(extractor_file_name(name))


def load_pretrained_weights(model: LoadsWeights, network: str | Mapping[str, Any]) -> None:
    """Fill a model of a whole pretrained network with its weights; `network` as in `get_weights_path`.

    `model` is a `tf.keras.Model` whose layers are those of the document, or what `create_model` makes of it.
    Raises InputTypeError for something that has no `load_weights`, what `get_weights_path` raises, and
    ArtifactError if the weights do not fit the model.
    """
    if not callable(getattr(model, "load_weights", None)):
        raise InputTypeError(
            f"a {type(model).__name__} cannot load weights; expected a model of the whole network"
        )
    path = get_weights_path(network)
    try:
        model.load_weights(path)
    except (ArtifactError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ArtifactError(
            f"{path} does not fit the model, or is damaged: {error}. {describe_remedy(path)}"
        ) from error


def _weights_of_document(document: Mapping[str, Any]) -> str:
    """Return the name of the weights' file of a document, or of an `image_network` alone."""
    if not isinstance(document, Mapping):
        raise InputTypeError(f"a network is a name or a document; found {type(document).__name__}")
    image_network = document.get("image_network", document)
    metadata = image_network.get("metadata") if isinstance(image_network, Mapping) else None
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("base_image_network"), str):
        raise DocumentError(
            "there is no name of a pretrained network", "image_network.metadata.base_image_network"
        )
    name = metadata["base_image_network"]
    version = metadata.get("version")
    if version in (None, find_network(name).version):
        return weights_file_name(name)
    return f"{name}_weights_{version}.h5"
