"""The seven pretrained networks: their topologies as BigML documents, and their files in a local cache.

`sensenet pretrained list` shows them.
"""

from sensenet.pretrained.cache import cache_directory, cache_resource_path
from sensenet.pretrained.files import get_extractor_bundle, get_weights_path, load_pretrained_weights
from sensenet.pretrained.networks import NETWORKS, get_pretrained_network

__all__ = [
    "NETWORKS",
    "cache_directory",
    "cache_resource_path",
    "get_extractor_bundle",
    "get_pretrained_network",
    "get_weights_path",
    "load_pretrained_weights",
]
