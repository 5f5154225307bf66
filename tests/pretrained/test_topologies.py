"""The seven networks: their layers, their parameters, their class names."""

from __future__ import annotations

import math

import pytest

from sensenet.errors import UnknownNetworkError
from sensenet.pretrained import NETWORKS, get_pretrained_network
from sensenet.pretrained.layers import IMAGE, activation, add, document_layers, list_layers, pad

# What Keras, torchvision and the papers' authors publish, batch normalization's mean and variance included.
PARAMETERS = {
    "resnet50": 25_636_712,
    "resnet18": 11_699_112,
    "mobilenet": 4_253_864,
    "mobilenetv2": 3_538_984,
    "xception": 22_910_480,
    "yolov4": 64_429_405,
    "tinyyolov4": 6_062_814,
}


def count_channels(layer: dict, read: list[int]) -> int:
    """Channels of a layer's output, given those of its inputs."""
    match layer["type"]:
        case "convolution_2d" | "separable_convolution_2d":
            return layer["number_of_filters"]
        case "concatenate":
            return sum(read)
        case "split_channels":
            return read[0] // layer["number_of_splits"]
        case "add":
            assert len(set(read)) == 1
            return read[0]
        case _:
            return read[0]


def count_parameters(layer: dict, read: list[int]) -> int:
    window = math.prod(layer.get("kernel_dimensions", ()))
    filters = layer.get("number_of_filters", 0)
    bias = 0 if layer.get("bias") is None else filters
    match layer["type"]:
        case "convolution_2d":
            return window * read[0] * filters + bias
        case "depthwise_convolution_2d":
            return window * read[0] * layer["depth_multiplier"]
        case "separable_convolution_2d":
            return window * read[0] + read[0] * filters
        case "batch_normalization":
            return 4 * read[0]
        case _:
            return 0


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_as_many_as_published(name):
    document = get_pretrained_network(name)
    channels: list[int] = []
    parameters = 0
    for index, layer in enumerate(document["image_network"]["layers"]):
        assert all(read < index for read in layer.get("inputs", ()))
        read = [channels[i] for i in layer["inputs"]] if "inputs" in layer else [3]
        parameters += count_parameters(layer, read)
        channels.append(count_channels(layer, read))
    if document["layers"]:
        classes = document["layers"][0]["number_of_nodes"]
        assert document["image_network"]["metadata"]["outputs"] == channels[-1]
        parameters += channels[-1] * classes + classes
    assert parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_are_those_of_the_published_package(name, recorded_networks):
    expected = recorded_networks[name]["image_network"]["layers"]
    layers = get_pretrained_network(name)["image_network"]["layers"]
    for index, (layer, recorded) in enumerate(zip(layers, expected, strict=False)):
        assert layer == recorded, f"layer {index}"
    assert len(layers) == len(expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_rest_of_the_document_is_that_of_the_published_package(name, recorded_networks):
    document, recorded = get_pretrained_network(name), recorded_networks[name]
    assert document["image_network"]["metadata"] == recorded["image_network"]["metadata"]
    assert {**document, "image_network": None} == {**recorded, "image_network": None}


def test_there_are_no_other_networks(recorded_networks):
    assert set(NETWORKS) == set(recorded_networks)


def test_imagenet_classes_are_a_thousand_lists_of_lemmas():
    classes = get_pretrained_network("resnet50")["output_exposition"]["values"]
    assert len(classes) == 1000
    assert classes[0] == "tench, Tinca tinca"
    assert classes[-1] == "toilet tissue, toilet paper, bathroom tissue"
    assert not any(name != name.strip() or name.startswith("#") for name in classes)


def test_coco_classes_are_eighty_names():
    exposition = get_pretrained_network("tinyyolov4")["output_exposition"]
    assert exposition["type"] == "bounding_box"
    assert len(set(exposition["values"])) == 80
    assert exposition["values"][0] == "person"
    assert exposition["values"][-1] == "toothbrush"


@pytest.mark.parametrize("name", ["yolov4", "resnet18"])
def test_caller_may_change_a_document(name):
    first = get_pretrained_network(name)
    expected = get_pretrained_network(name)
    first["image_network"]["layers"][0].clear()
    first["image_network"]["metadata"]["input_image_shape"][0] = 1
    first["output_exposition"]["values"].clear()
    first["preprocess"][0].clear()
    assert get_pretrained_network(name) == expected


@pytest.mark.parametrize("name", ["resnet19", "", None, 5, ["resnet18"]])
def test_unknown_name_lists_the_names(name):
    with pytest.raises(UnknownNetworkError, match="resnet50, resnet18, mobilenet"):
        get_pretrained_network(name)


def test_layers_are_listed_farthest_from_the_output_first():
    trunk = activation(IMAGE, "relu")
    long = activation(pad(trunk, (1, 1)), "tanh")
    short = pad(trunk, (2, 2))
    layers = list_layers([add(short, long)])
    assert layers[0] is trunk
    assert [layer.type for layer in layers] == [
        "activation",
        "padding_2d",
        "padding_2d",
        "activation",
        "add",
    ]
    assert layers[2] is short  # as far from the output as `long`, and met first
    assert [layer.get("inputs") for layer in document_layers(layers)] == [None, [0], [0], [1], [2, 3]]
