"""Small documents of every kind, made afresh at each call so that a test may change them."""

from __future__ import annotations

import copy

import numpy as np


def weights(*shape, seed=0):
    """Nested lists of numbers."""
    return np.random.default_rng((seed, *shape)).normal(size=shape).round(4).tolist()


def dense(inputs, units, activation="tanh", **members):
    return {
        "type": "dense",
        "weights": weights(inputs, units),
        "offset": weights(units),
        "activation_function": activation,
        **members,
    }


def normalization(channels, **members):
    return {
        "type": "batch_normalization",
        "gamma": weights(channels),
        "beta": weights(channels, seed=1),
        "mean": weights(channels, seed=2),
        "variance": np.abs(weights(channels, seed=3)).tolist(),
        **members,
    }


def legacy(inputs, units, activation="relu", *, stdev=False, **members):
    statistics = {
        "mean": weights(units) if stdev else None,
        "stdev": (np.abs(weights(units)) + 0.1).tolist() if stdev else None,
        "scale": weights(units, seed=1) if stdev else None,
    }
    return {
        "weights": weights(units, inputs),
        "offset": weights(units, seed=2),
        "activation_function": activation,
        "residuals": False,
        **statistics,
        **members,
    }


PREPROCESS = (
    {"type": "numeric", "index": 0, "mean": 1.5, "stdev": 2.0},
    {"type": "categorical", "index": 1, "values": ["red", "green", "blue"]},
    {"type": "numeric", "index": 2, "zero_value": 0.0, "one_value": 10},
)
FEATURES = 5
CLASSES = {"type": "categorical", "values": ["yes", "no"]}
ROW = (2.5, "green", None)


def network(layers, **members):
    """A network on PREPROCESS: five features."""
    return {
        "preprocess": copy.deepcopy(list(PREPROCESS)),
        "layers": layers,
        "output_exposition": copy.deepcopy(CLASSES),
        "trees": None,
        **members,
    }


def typed():
    block = {
        "type": "dense_residual_block",
        "dense_path": [
            dense(4, 4),
            normalization(4),
            {"type": "dropout", "dropout_type": "zero", "rate": 0.5},
        ],
        "identity_path": [],
        "activation_function": "relu",
    }
    return network(
        [
            dense(FEATURES, 4),
            normalization(4, epsilon=1e-5),
            block,
            {"type": "add", "inputs": [0, -1]},
            {"type": "concatenate", "inputs": [3, 1]},
            {"type": "split_channels", "number_of_splits": 2, "group_index": 1},
            {"type": "activation", "activation_function": "selu"},
            dense(4, 2, "softmax"),
        ]
    )


def legacy_network():
    return network(
        [legacy(FEATURES, 4, stdev=True), legacy(4, 3, stdev=True, residuals=True), legacy(3, 2, "softmax")]
    )


def tree(depth, outputs=2, feature=0):
    """A full tree."""
    if depth == 0:
        return [[0.25 * (feature + 1)] * outputs, None]
    return [
        feature % 2,
        0.1 * depth,
        tree(depth - 1, outputs, feature + 1),
        tree(depth - 1, outputs, feature),
    ]


def ensemble():
    """Two networks, one of which reads trees; a regression inside a whole resource."""
    trees = [[[0, 2], [tree(2), tree(1)]], [[1, 5], [tree(0), tree(3)]]]
    networks = [
        {"layers": [dense(FEATURES + 4, 1, "linear")], "trees": True},
        {"layers": [dense(FEATURES, 3), dense(3, 1, None)], "trees": False},
    ]
    exposition = {"type": "numeric", "mean": 10.0, "stdev": 2.5}
    inner = network([], networks=networks, trees=trees, output_exposition=exposition)
    fields = {
        "000000": {"name": "width", "optype": "numeric"},
        "000001": {"name": "colour", "optype": "categorical"},
        "000002": {"name": "switch", "optype": "numeric"},
        "000003": {"name": "price", "optype": "numeric"},
    }
    return {
        "code": 200,
        "object": {
            "name": "prices",
            "description": "of things",
            "input_fields": ["000000", "000001", "000002"],
            "objective_fields": ["000003"],
            "deepnet": {"network": inner, "fields": fields},
        },
    }


def convolution(inputs, filters, size=3, **members):
    return {
        "type": "convolution_2d",
        "kernel": weights(size, size, inputs, filters),
        "bias": weights(filters),
        "strides": [1, 1],
        "padding": "same",
        "activation_function": "relu",
        **members,
    }


def image():
    """An image and a number."""
    layers = [
        {"type": "padding_2d", "padding": [[1, 0], [0, 1]]},
        convolution(3, 4, strides=2, padding="valid"),
        normalization(4, epsilon=None),
        {
            "type": "resnet_block",
            "convolution_path": [convolution(4, 4)],
            "identity_path": [],
            "activation_function": "mish",
        },
        {
            "type": "depthwise_convolution_2d",
            "kernel": weights(2, 2, 4, 2),
            "depth_multiplier": 2,
            "bias": None,
            "strides": [1, 1],
            "padding": "same",
            "activation_function": None,
        },
        {
            "type": "separable_convolution_2d",
            "depth_kernel": weights(3, 3, 8, 1),
            "point_kernel": weights(1, 1, 8, 3),
            "depth_multiplier": 1,
            "bias": weights(3),
            "strides": [1, 1],
            "padding": "same",
            "activation_function": "relu6",
        },
        {"type": "max_pool_2d", "pool_size": [2, 2], "strides": None, "padding": "same"},
        {"type": "upsampling_2d", "size": 2, "method": "bilinear"},
        {"type": "average_pool_2d", "pool_size": 2, "strides": [1, 1], "padding": "valid"},
        {"type": "global_average_pool_2d"},
    ]
    metadata = {
        "base_image_network": "simple",
        "input_image_shape": [8, 6, 3],
        "loading_method": "channelwise_centering",
        "mean_image": [10.0, 20.0, 30.0],
        "rescale_type": "crop",
    }
    return {
        "preprocess": [{"type": "image", "index": 0}, dict(PREPROCESS[0], index=1)],
        "image_network": {"metadata": metadata, "layers": layers},
        "layers": [dense(4, 2, "softmax")],
        "output_exposition": {"type": "categorical", "values": ["cat", "dog"]},
        "trees": None,
    }


def detector():
    """Two branches, two classes."""
    pool = {"type": "average_pool_2d", "pool_size": 4, "strides": 4, "padding": "valid"}
    return {
        "preprocess": [{"type": "image", "index": 0}],
        "image_network": {
            "metadata": {
                "base_image_network": "tinyyolov4",
                "input_image_shape": [16, 16, 3],
                "loading_method": "normalizing",
                "outputs": [
                    {"input": 1, "strides": 4, "anchors": [[4, 6], [8, 8]], "xyscale": 1.05},
                    {"input": -1, "strides": 8, "anchors": [[10, 12]], "xyscale": 1.0},
                ],
            },
            "layers": [
                pool,
                convolution(3, 14, size=1, activation_function="linear"),
                {**pool, "pool_size": 2, "strides": 2, "inputs": [0]},
                convolution(3, 7, size=1, activation_function="linear"),
            ],
        },
        "layers": [],
        "output_exposition": {"type": "bounding_box", "values": ["cup", "spoon"]},
        "trees": None,
    }


def structure():
    """Layers whose weights are only named."""
    normalized = {"gamma": "ones", "beta": "zeros", "mean": "zeros", "variance": "ones"}
    nodes = {"weights": "glorot_uniform", "offset": "zeros"}
    convolutional = {"strides": [1, 1], "padding": "same", "kernel_dimensions": [3, 2], "bias": "zeros"}
    document = image()
    document["image_network"]["layers"] = [
        {
            **convolutional,
            "type": "convolution_2d",
            "kernel": "glorot_uniform",
            "number_of_filters": 4,
            "seed": 7,
        },
        {"type": "batch_normalization", **normalized},
        {
            **convolutional,
            "type": "depthwise_convolution_2d",
            "kernel": "glorot_normal",
            "depth_multiplier": 2,
        },
        {
            **convolutional,
            "type": "separable_convolution_2d",
            "depth_kernel": "glorot_uniform",
            "point_kernel": "glorot_uniform",
            "depth_multiplier": 3,
            "number_of_filters": 5,
        },
        {"type": "global_max_pool_2d"},
    ]
    document["layers"] = [
        {**nodes, "type": "dense", "number_of_nodes": 8, "activation_function": "relu", "seed": 3},
        {**nodes, "type": "dense", "number_of_nodes": 2, "activation_function": "softmax"},
    ]
    return document


DOCUMENTS = {
    "typed": typed,
    "legacy": legacy_network,
    "ensemble": ensemble,
    "image": image,
    "detector": detector,
    "structure": structure,
}
