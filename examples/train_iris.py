"""Train a small classifier on Fisher's iris data (1936, public domain) and write it as a BigML deepnet.

    python examples/train_iris.py

makes examples/iris.json, examples/iris.csv (the flowers that were held out) and prints the accuracy on those.
The network is dense → batch normalization → tanh → dropout → dense → softmax, trained with plain NumPy on
the whole training set at each step, so that the result does not depend on an order of batches.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from bigml_resource import (
    categorical_field,
    deepnet_resource,
    dense_layer,
    numeric_column,
    numeric_field,
    round_to_float32,
    write_resource,
)
from sklearn.datasets import load_iris

from sensenet.models.wrappers import create_model

HERE = Path(__file__).resolve().parent
FIELDS = ("sepal length", "sepal width", "petal length", "petal width")
UNITS = 8
STEPS = 300
DROPOUT_RATE = 0.1
EPSILON = 1e-3
Parameters = dict[str, np.ndarray]


def split_iris() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Return rows to train on, rows held out (every third), their classes as numbers, and class names."""
    iris = load_iris()
    held = np.arange(len(iris.target)) % 3 == 2
    names = [str(name) for name in iris.target_names]
    return iris.data[~held], iris.data[held], iris.target[~held], iris.target[held], names


def forward(parameters: Parameters, x: np.ndarray, keep: np.ndarray) -> dict[str, np.ndarray]:
    """Return every intermediate result of a training step; `keep` is the mask of dropout."""
    hidden = x @ parameters["kernel"]
    mean, variance = hidden.mean(axis=0), hidden.var(axis=0)
    normal = (hidden - mean) / np.sqrt(variance + EPSILON)
    active = np.tanh(normal * parameters["gamma"] + parameters["beta"])
    logits = (active * keep) @ parameters["head"] + parameters["offset"]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    return {
        "mean": mean,
        "variance": variance,
        "normal": normal,
        "active": active,
        "probabilities": probabilities,
    }


def gradients(parameters: Parameters, x: np.ndarray, targets: np.ndarray, keep: np.ndarray) -> Parameters:
    """Return the gradients of the mean cross-entropy."""
    step = forward(parameters, x, keep)
    normal, active = step["normal"], step["active"]
    from_logits = (step["probabilities"] - targets) / len(x)
    from_tanh = (from_logits @ parameters["head"].T) * keep * (1 - active**2)
    from_normal = from_tanh * parameters["gamma"]
    centered = from_normal - from_normal.mean(axis=0) - normal * (from_normal * normal).mean(axis=0)
    return {
        "head": (active * keep).T @ from_logits,
        "offset": from_logits.sum(axis=0),
        "gamma": (from_tanh * normal).sum(axis=0),
        "beta": from_tanh.sum(axis=0),
        "kernel": x.T @ (centered / np.sqrt(step["variance"] + EPSILON)),
    }


def train(x: np.ndarray, targets: np.ndarray) -> Parameters:
    """Train with Adam on the whole set; the statistics of batch normalization are those of the set."""
    rng = np.random.default_rng(0)
    parameters = {
        "kernel": rng.normal(size=(x.shape[1], UNITS)) / np.sqrt(x.shape[1]),
        "gamma": np.ones(UNITS),
        "beta": np.zeros(UNITS),
        "head": rng.normal(size=(UNITS, targets.shape[1])) / np.sqrt(UNITS),
        "offset": np.zeros(targets.shape[1]),
    }
    first = {name: np.zeros_like(value) for name, value in parameters.items()}
    second = {name: np.zeros_like(value) for name, value in parameters.items()}
    for step in range(1, STEPS + 1):
        keep = (rng.random((len(x), UNITS)) >= DROPOUT_RATE) / (1 - DROPOUT_RATE)
        for name, gradient in gradients(parameters, x, targets, keep).items():
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            scale = np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8
            parameters[name] = parameters[name] - 0.02 * first[name] / (1 - 0.9**step) / scale
    statistics = forward(parameters, x, np.ones((len(x), UNITS)))
    return parameters | {"mean": statistics["mean"], "variance": statistics["variance"]}


def make_document() -> dict[str, Any]:
    """Train, and describe the result as a BigML resource."""
    rows, _, numbers, _, classes = split_iris()
    mean, stdev = rows.mean(axis=0), rows.std(axis=0)
    parameters = train((rows - mean) / stdev, np.eye(len(classes))[numbers])
    normalization = {
        name: round_to_float32(parameters[name]) for name in ("gamma", "beta", "mean", "variance")
    }
    network = {
        "preprocess": [numeric_column(index, mean[index], stdev[index]) for index in range(len(FIELDS))],
        "layers": [
            dense_layer(parameters["kernel"]),
            {"type": "batch_normalization", **normalization, "epsilon": EPSILON},
            {"type": "activation", "activation_function": "tanh"},
            {"type": "dropout", "dropout_type": "zero", "rate": DROPOUT_RATE},
            dense_layer(parameters["head"], parameters["offset"], "softmax"),
        ],
        "trees": None,
        "output_exposition": {"type": "categorical", "values": classes},
    }
    return deepnet_resource(
        identifier="000000000000000000000001",
        name="iris",
        description="Species of iris flowers by four measurements in centimeters",
        inputs=[numeric_field(name, rows[:, index]) for index, name in enumerate(FIELDS)],
        objective=categorical_field("species", [classes[number] for number in numbers]),
        network=network,
    )


def main() -> None:
    document = make_document()
    write_resource(HERE / "iris.json", document)
    _, rows, _, numbers, classes = split_iris()
    with (HERE / "iris.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*FIELDS, "species"])
        writer.writerows([*row.tolist(), classes[number]] for row, number in zip(rows, numbers, strict=True))
    predicted = create_model(document)(rows).argmax(axis=1)
    print(f"held-out accuracy {np.mean(predicted == numbers):.3f} of {len(rows)} flowers")


if __name__ == "__main__":
    main()
