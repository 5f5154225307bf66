"""The seven pretrained networks: their names, image preparation and files.

Nothing is downloaded here; the only files that are read are this package's lists of class names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

from sensenet.errors import UnknownNetworkError
from sensenet.pretrained.layers import Layer, document_layers, list_layers
from sensenet.pretrained.mobilenet import mobilenet, mobilenetv2
from sensenet.pretrained.resnet import resnet18, resnet50
from sensenet.pretrained.xception import xception
from sensenet.pretrained.yolo import Branch, tinyyolov4, yolov4
from sensenet.records import frozen
from sensenet.suggestions import suggest


@frozen(kw_only=True)
class Classifier:
    """A network that classifies images into the 1000 classes of ImageNet."""

    version: str
    side: int
    """The height and width of the input, in pixels."""
    loading_method: str
    outputs: int
    """The number of features before the last dense layer."""
    separate_softmax: bool
    """Whether the softmax is a layer of its own, which does not change the answers."""
    features: Callable[[], Layer]

    kind = "classifier"


@frozen(kw_only=True)
class Detector:
    """A network that finds objects of the 80 classes of COCO."""

    version: str
    side: int
    loading_method: str
    branches: Callable[[], tuple[Branch, ...]]

    kind = "detector"


NETWORKS: dict[str, Classifier | Detector] = {
    "resnet50": Classifier(
        version="8705001b",
        side=224,
        loading_method="channelwise_centering",
        outputs=2048,
        separate_softmax=False,
        features=resnet50,
    ),
    "resnet18": Classifier(
        version="cb5ddcb5",
        side=224,
        loading_method="channelwise_standardizing",
        outputs=512,
        separate_softmax=True,
        features=resnet18,
    ),
    "mobilenet": Classifier(
        version="208b4ec4",
        side=224,
        loading_method="centering",
        outputs=1024,
        separate_softmax=True,
        features=mobilenet,
    ),
    "mobilenetv2": Classifier(
        version="31b538bd",
        side=224,
        loading_method="skewed_centering",
        outputs=1280,
        separate_softmax=False,
        features=mobilenetv2,
    ),
    "xception": Classifier(
        version="967071f6",
        side=299,
        loading_method="centering",
        outputs=2048,
        separate_softmax=False,
        features=xception,
    ),
    "yolov4": Detector(version="37999bf0", side=416, loading_method="normalizing", branches=yolov4),
    "tinyyolov4": Detector(version="45a05485", side=416, loading_method="normalizing", branches=tinyyolov4),
}
"""Every pretrained network by its name."""


def find_network(name: str) -> Classifier | Detector:
    """Return the network of that name; raises UnknownNetworkError, which lists the names."""
    if not isinstance(name, str) or name not in NETWORKS:
        raise UnknownNetworkError(
            f"unknown pretrained network {name!r:.60}; {suggest(name, NETWORKS)}expected one of: "
            f"{', '.join(NETWORKS)}"
        )
    return NETWORKS[name]


def weights_file_name(name: str) -> str:
    """Return the name of the h5 file of the network's weights. Raises UnknownNetworkError."""
    return f"{name}_weights_{find_network(name).version}.h5"


def extractor_file_name(name: str) -> str:
    """Return the name of the smbundle of the network's feature extractor. Raises UnknownNetworkError."""
    return f"{name}_extractor_{find_network(name).version}.smbundle"


@cache
def class_names(file_name: str) -> tuple[str, ...]:
    """Return the class names in a file of this package, one per line, without the comments at its top."""
    text = (resources.files("sensenet.pretrained") / file_name).read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


def get_pretrained_network(name: str) -> dict[str, Any]:
    """Return the BigML document of a pretrained network, with names of initializers instead of weights.

    Each call returns a new dict, which the caller may change. Raises UnknownNetworkError.
    """
    match find_network(name):
        case Classifier() as network:
            return _classifier_document(name, network)
        case Detector() as network:
            return _detector_document(name, network)


def _classifier_document(name: str, network: Classifier) -> dict[str, Any]:
    classes = class_names("imagenet_classes.txt")
    dense = {
        "type": "dense",
        "weights": "glorot_uniform",
        "offset": "zeros",
        "activation_function": "linear" if network.separate_softmax else "softmax",
        "number_of_nodes": len(classes),
    }
    softmax = {"type": "activation", "activation_function": "softmax", "inputs": [0]}
    metadata = {
        "base_image_network": name,
        "version": network.version,
        "input_image_shape": [network.side, network.side, 3],
        "loading_method": network.loading_method,
        "rescale_type": "crop",
        "outputs": network.outputs,
    }
    return {
        "preprocess": [{"type": "image", "index": 0}],
        "image_network": {
            "metadata": metadata,
            "layers": document_layers(list_layers([network.features()])),
        },
        "layers": [dense, softmax] if network.separate_softmax else [dense],
        "trees": None,
        "output_exposition": {"type": "categorical", "values": list(classes)},
    }


def _detector_document(name: str, network: Detector) -> dict[str, Any]:
    branches = network.branches()
    layers = list_layers([branch.layer for branch in branches])
    outputs = [
        {
            "input": layers.index(branch.layer),
            "strides": branch.strides,
            "anchors": [list(anchor) for anchor in branch.anchors],
            "xyscale": branch.xyscale,
        }
        for branch in branches
    ]
    metadata = {
        "base_image_network": name,
        "version": network.version,
        "input_image_shape": [network.side, network.side, 3],
        "loading_method": network.loading_method,
        "rescale_type": "pad",
        "outputs": outputs,
    }
    return {
        "preprocess": [{"type": "image", "index": 0}],
        "image_network": {"metadata": metadata, "layers": document_layers(layers)},
        "layers": [],
        "trees": None,
        "output_exposition": {"type": "bounding_box", "values": list(class_names("coco_classes.txt"))},
    }
