"""What a document means: predictions straight from its JSON, one row and one layer at a time.

Independent of the frontend and of the ops: the encoding in float32, as it has to be, the layers in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from support.document_strategies import network_of
from support.image_reference import load, run_image_layer

ERF_TERMS = 60
SELU_ALPHA, SELU_SCALE = 1.67326324235437728, 1.05070098735548049


def erf(x: np.ndarray) -> np.ndarray:
    """By its series, which is exact enough up to 4; beyond, 1."""
    near = np.clip(x, -4, 4)
    term, total = near.copy(), near.copy()
    for n in range(1, ERF_TERMS):
        term = -term * near * near / n
        total = total + term / (2 * n + 1)
    return np.where(np.abs(x) < 4, 2 / np.sqrt(np.pi) * total, np.sign(x))


def softmax(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


FUNCTIONS = {
    None: lambda x: x,
    "linear": lambda x: x,
    "identity": lambda x: x,
    "relu": lambda x: np.where(x > 0, x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.1 * x),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softmax": softmax,
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))),
    "swish": lambda x: x / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "exponential": np.exp,
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
}


def encode(column: dict[str, Any], row: list[Any]) -> list[np.float32]:
    cell = row[column["index"]]
    if column["type"] == "categorical":
        values = column["values"]
        first = values.index(str(cell)) if str(cell) in values else None
        return [np.float32(position == first) for position in range(len(values))]
    if "mean" in column:
        start, spread = column["mean"], column["stdev"]
    else:
        start, spread = column["zero_value"], column["one_value"] - column["zero_value"]
    number = np.float32(start if cell is None else float(cell))
    return [(number - np.float32(start)) / np.float32(spread or 1)]


def tree_answer(tree: list[Any], features: np.ndarray) -> list[float]:
    while tree[1] is not None or not isinstance(tree[0], list):
        feature, threshold, left, right = tree
        tree = left if features[feature] <= np.float32(threshold) else right
    return tree[0]


def forest_answer(entry: list[Any], features: np.ndarray) -> np.ndarray:
    (start, end), trees = entry
    return np.mean([tree_answer(tree, features[start:end]) for tree in trees], axis=0)


def array(layer: dict[str, Any], key: str) -> np.ndarray:
    return np.asarray(layer[key], np.float32).astype(np.float64)


def epsilon_of(layer: dict[str, Any]) -> float:
    epsilon = layer.get("epsilon", 1e-3)
    return 1e-4 if epsilon is None else epsilon


def run_layer(layer: dict[str, Any], xs: list[np.ndarray]) -> np.ndarray:
    x = xs[0]
    match layer["type"]:
        case "dense":
            offset = array(layer, "offset") if layer.get("offset") is not None else 0.0
            return FUNCTIONS[layer["activation_function"]](x @ array(layer, "weights") + offset)
        case "batch_normalization":
            gamma, beta, mean, variance = (array(layer, key) for key in ("gamma", "beta", "mean", "variance"))
            return gamma * (x - mean) / np.sqrt(variance + epsilon_of(layer)) + beta
        case "activation":
            return FUNCTIONS[layer["activation_function"]](x)
        case "dropout":
            return x
        case "flatten":
            return x.ravel()
        case block if block.endswith("_block"):
            paths = (run_layers(layer[key], x) for key in layer if key.endswith("_path"))
            return FUNCTIONS[layer["activation_function"]](sum(paths))
        case "add":
            return sum(xs)
        case "concatenate":
            return np.concatenate(xs, axis=-1)
        case "split_channels":
            return np.split(x, layer["number_of_splits"], axis=-1)[layer["group_index"]]
    return FUNCTIONS[layer.get("activation_function")](run_image_layer(layer, x))


def run_layers(layers: list[dict[str, Any]], x: np.ndarray) -> np.ndarray:
    outputs: list[np.ndarray] = []
    for layer in layers:
        xs = [outputs[index] for index in layer.get("inputs", [-1])] if outputs else [x]
        outputs.append(run_layer(layer, xs))
    return outputs[-1] if outputs else x


def legacy_linear(layer: dict[str, Any], x: np.ndarray) -> np.ndarray:
    product = array(layer, "weights") @ x
    if layer["stdev"] is None:
        return product + array(layer, "offset")
    normalized = (product - array(layer, "mean")) / array(layer, "stdev")
    return normalized * array(layer, "scale") + array(layer, "offset")


def run_legacy_layers(layers: list[dict[str, Any]], x: np.ndarray) -> np.ndarray:
    index = 0
    while index < len(layers):
        source, layer = x, layers[index]
        x = FUNCTIONS[layer["activation_function"]](legacy_linear(layer, x))
        index += 1
        if index < len(layers) and layers[index]["residuals"]:
            layer = layers[index]
            linear = legacy_linear(layer, x)
            x = FUNCTIONS[layer["activation_function"]](linear + np.resize(source, len(linear)))
            index += 1
    return x


def image_features(image_network: dict[str, Any], pixels: np.ndarray) -> np.ndarray:
    """What the image network makes of an image of its own size."""
    return run_layers(image_network["layers"], load(image_network["metadata"], pixels))


def features_of(network: dict[str, Any], row: list[Any]) -> np.ndarray:
    parts = [
        image_features(network["image_network"], row[column["index"]])
        if column["type"] == "image"
        else encode(column, row)
        for column in network["preprocess"]
    ]
    return np.concatenate(parts).astype(np.float32)


def predict_row(network: dict[str, Any], row: list[Any]) -> np.ndarray:
    features = features_of(network, row)
    answers = [forest_answer(entry, features) for entry in network.get("trees") or []]
    with_trees = np.concatenate([*answers, features]).astype(np.float64)
    parts = network.get("networks") or [{"layers": network["layers"], "trees": bool(answers)}]
    exposition = network.get("output_exposition") or parts[0]["output_exposition"]
    results = []
    for part in parts:
        x = with_trees if part.get("trees") else features.astype(np.float64)
        run = run_layers if "type" in part["layers"][0] else run_legacy_layers
        y = run(part["layers"], x)
        if exposition["type"] == "numeric":
            y = y * exposition["stdev"] + exposition["mean"]
        results.append(y)
    return np.mean(results, axis=0)


def predict(document: dict[str, Any], rows: list[list[Any]]) -> np.ndarray:
    """float64[rows, outputs]."""
    with np.errstate(all="ignore"):
        return np.asarray([predict_row(network_of(document), row) for row in rows])
