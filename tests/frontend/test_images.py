"""What graphs of images and detectors look like when they are imported."""

from __future__ import annotations

import numpy as np
import pytest
from support.documents import (
    convolution,
    dense,
    detector,
    image,
    weights,
)
from support.feeding import ops_of

from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.ir.ops.convolution import DepthwiseConvolution2D
from sensenet.ir.ops.image import Rescale
from sensenet.ir.ops.rearrangement import Gather
from sensenet.ir.ops.windows import Padding, convolve, convolve_depthwise
from sensenet.signature import (
    ImageColumn,
    ModelKind,
    RescaleType,
)


def two_images():
    document = image()
    document["preprocess"].insert(1, {"type": "image", "index": 2})
    document["layers"] = [dense(7, 2)]
    return document


def test_images_of_a_row_share_the_networks_weights():
    graph = import_graph(two_images())
    assert str(graph.node("image_pixel_inputs").types[0]) == "f32[?,2,?,?,3]"
    first, second = (graph.node(name) for name in ("image_layer_1", "image_layer_1_2"))
    assert first.op == second.op
    assert first.op.kernel is second.op.kernel
    constants = [node for node in graph.nodes if node.op.mnemonic() == "constant"]
    assert len(constants) == 1
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 2, 9, 7, 3)).astype(np.float32)
    inputs = {"numeric_inputs": np.zeros((1, 3), np.float32), "image_pixel_inputs": pixels}
    swapped = {**inputs, "image_pixel_inputs": pixels[:, ::-1]}
    features, exchanged = (evaluate_node(graph, "columns", given) for given in (inputs, swapped))
    np.testing.assert_array_equal(features[0, 1:4], exchanged[0, 4:7])


def evaluate_node(graph, name, inputs):
    """A node's value."""
    from sensenet.ir.graph import Graph

    inner = Graph(graph.inputs, {name: graph.node(name).value}, graph.signature)
    return evaluate(inner, inputs)[name]


def test_steps_before_the_image_network():
    graph = import_graph(image(), {"color_space": "bgra"})
    names = [node.name for node in graph.nodes if node.name.isidentifier()]
    start = names.index("rescale")
    steps = ["rescale", "without_alpha", "bgr_to_rgb", "rgb_to_bgr", "mean_image", "minus_mean_image"]
    assert names[start : start + 7] == [*steps, "channelwise_centering"]
    assert graph.node("rescale").op == Rescale(height=6, width=8, method=RescaleType.CROP)


def test_an_extractor_stops_at_the_last_pooling_or_convolution():
    document = image()
    graph = import_graph(document, {"extract_image_features": True})
    assert graph.signature.kind is ModelKind.EXTRACTOR
    assert [node.name for node in graph.inputs] == ["image_pixel_inputs"]
    assert graph.outputs["predictions"].node.name == "image_layer_9"
    document["image_network"]["layers"].pop()
    graph = import_graph(document, {"extract_image_features": True})
    assert graph.outputs["predictions"].node.name == "image_layer_1"
    two = import_graph(two_images(), {"extract_image_features": True})
    assert two.signature.columns == (ImageColumn(index=0),)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [[2, 1], [1, 3], [3, 2]])
@pytest.mark.parametrize("size", [(9, 11), (8, 7)])
def test_depthwise_convolutions_with_unequal_strides(padding, strides, size):
    """Backends have equal strides only; the sums are the same."""
    depth, point = weights(3, 2, 3, 2), weights(1, 1, 6, 4)
    members = {"strides": strides, "padding": padding, "depth_multiplier": 2, "activation_function": "relu"}
    separable = {"type": "separable_convolution_2d", "depth_kernel": depth, "point_kernel": point, **members}
    depthwise = {"type": "depthwise_convolution_2d", "kernel": depth, **members}
    pixels = np.random.default_rng(1).uniform(-1, 1, (2, *size, 3)).astype(np.float32)
    between = convolve_depthwise(pixels, np.array(depth, np.float32), tuple(strides), Padding(padding))
    joined = convolve(between, np.array(point, np.float32), (1, 1), Padding.VALID)
    for layer, expected in ((separable, joined), (depthwise, between)):
        document = image()
        document["image_network"] = {
            "metadata": {"input_image_shape": [size[1], size[0], 3], "loading_method": None},
            "layers": [layer],
        }
        document |= {"preprocess": [{"type": "image", "index": 0}], "layers": [{"type": "activation"}]}
        graph = import_graph(document)
        assert all(op.strides == (1, 1) for op in ops_of(graph, DepthwiseConvolution2D))
        got = evaluate(graph, {"image_pixel_inputs": pixels})["predictions"]
        np.testing.assert_allclose(got, np.maximum(expected, 0), atol=1e-6)


def test_a_reversed_image_is_read_through_one_gather_each():
    gathers = [
        op.indices.array.tolist() for op in ops_of(import_graph(image(), {"color_space": "bgr"}), Gather)
    ]
    assert gathers.count([2, 1, 0]) == 2


# Detectors


def test_outputs_of_a_detector():
    graph = import_graph(detector())
    assert graph.signature.kind is ModelKind.DETECTOR
    assert graph.signature.classes == ("cup", "spoon")
    types = {name: str(value.type) for name, value in graph.outputs.items()}
    assert types == {"boxes": "f32[?,32,4]", "scores": "f32[?,32]", "classes": "i32[?,32]", "valid": "i32[?]"}
    unfiltered = import_graph(detector(), {"output_unfiltered_boxes": True})
    types = {name: str(value.type) for name, value in unfiltered.outputs.items()}
    assert types == {"boxes": "f32[?,36,4]", "scores": "f32[?,36]", "classes": "i32[?,36]"}


def test_settings_of_a_detector():
    settings = {"bounding_box_threshold": 0.25, "iou_threshold": 0.75, "max_objects": 7}
    op = import_graph(detector(), settings).outputs["boxes"].op
    assert (op.score_threshold, op.iou_threshold, op.max_objects) == (0.25, 0.75, 7)
    op = import_graph(detector(), {"max_objects": 0}).outputs["boxes"].op
    assert (op.score_threshold, op.iou_threshold, op.max_objects) == (0.5, 0.5, 32)


def test_a_detector_with_one_branch_and_more_names_than_classes():
    document = detector()
    document["image_network"]["metadata"]["outputs"].pop()
    document["output_exposition"]["values"].append("fork")
    op = import_graph(document, {"output_unfiltered_boxes": True}).outputs["scores"].op
    assert op.classes == 2


def test_a_branch_that_is_a_block():
    document = detector()
    document["image_network"]["layers"].append(
        {
            "type": "resnet_block",
            "convolution_path": [convolution(7, 7, size=1)],
            "identity_path": [],
            "activation_function": None,
        }
    )
    assert import_graph(document).outputs["boxes"].type.shape == (None, 32, 4)
