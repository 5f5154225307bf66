"""Train a regression on the diabetes data of Efron et al. (2004) and write it as a BigML deepnet.

    python examples/train_diabetes.py

makes examples/diabetes.json and prints how much of the held-out patients' variance it explains. The
document has what the iris example lacks: a categorical column, a tree embedding and a numeric objective.
Small random forests read overlapping ranges of the encoded features; a dense network reads their answers
and the features.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from bigml_resource import (
    categorical_column,
    categorical_field,
    deepnet_resource,
    dense_layer,
    numeric_column,
    numeric_field,
    round_to_float32,
    write_resource,
)
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from sensenet.models.wrappers import create_model

HERE = Path(__file__).resolve().parent
FIELDS = (
    "age",
    "sex",
    "body mass index",
    "blood pressure",
    "total cholesterol",
    "low-density lipoproteins",
    "high-density lipoproteins",
    "cholesterol ratio",
    "log triglycerides",
    "blood sugar",
)
SEX = FIELDS.index("sex")
SEXES = ("1", "2")
"""The codes in the data, which does not say which is which."""

RANGES = ((0, 5), (3, 8), (6, 11))
"""Ranges of the encoded features: ten columns, of which the sex takes two places."""


def split_diabetes() -> tuple[list[list[Any]], list[list[Any]], np.ndarray, np.ndarray]:
    """Return rows to train on, rows held out (every fourth), and the progression of both; sex is a string."""
    diabetes = load_diabetes(scaled=False)
    rows, progression = [_cells(row) for row in diabetes.data], diabetes.target
    held = np.arange(len(rows)) % 4 == 3
    train_rows = [row for row, apart in zip(rows, held, strict=True) if not apart]
    held_rows = [row for row, apart in zip(rows, held, strict=True) if apart]
    return train_rows, held_rows, progression[~held], progression[held]


def _cells(row: np.ndarray) -> list[Any]:
    return [str(int(cell)) if index == SEX else cell for index, cell in enumerate(row.tolist())]


def make_columns(rows: list[list[Any]]) -> list[dict[str, Any]]:
    """Return the preprocessing of each cell of a row."""
    cells = list(zip(*rows, strict=True))
    return [
        categorical_column(index, SEXES)
        if index == SEX
        else numeric_column(index, float(np.mean(values)), float(np.std(values)))
        for index, values in enumerate(cells)
    ]


def encode(rows: list[list[Any]], columns: list[dict[str, Any]]) -> np.ndarray:
    """Return the features that a network sees: numbers standardized, categories one-hot.

    In float32 throughout, as when the model predicts: a number halfway between two others is exactly at a
    tree's threshold, and must fall on the same side.
    """
    features: list[np.ndarray] = []
    for values, column in zip(zip(*rows, strict=True), columns, strict=True):
        if column["type"] == "categorical":
            features += [np.array([value == category for value in values]) for category in column["values"]]
        else:
            mean, stdev = np.float32(column["mean"]), np.float32(column["stdev"])
            features.append((np.array(values, np.float32) - mean) / stdev)
    return np.stack(features, axis=1).astype(np.float32)


def export_tree(tree: Any, node: int = 0) -> list[Any]:
    """`[feature, threshold, left, right]`, or `[[value], null]` for a leaf. As deep as the tree: three."""
    if tree.children_left[node] < 0:
        return [round_to_float32(tree.value[node][0]), None]
    return [
        int(tree.feature[node]),
        round_to_float32(largest_float32(tree.threshold[node])),
        export_tree(tree, tree.children_left[node]),
        export_tree(tree, tree.children_right[node]),
    ]


def largest_float32(threshold: float) -> np.float32:
    """Return the next float32 not above a threshold: float32 features then go left exactly as in training."""
    rounded = np.float32(threshold)
    return rounded if rounded <= threshold else np.nextafter(rounded, np.float32(-np.inf))


def train(features: np.ndarray, targets: np.ndarray) -> tuple[list[RandomForestRegressor], MLPRegressor]:
    """Return a forest for each range of features, and the network that reads features and forests."""
    forests = [
        RandomForestRegressor(n_estimators=8, max_depth=3, min_samples_leaf=20, random_state=0).fit(
            features[:, start:end], targets
        )
        for start, end in RANGES
    ]
    answers = [
        forest.predict(features[:, start:end]) for forest, (start, end) in zip(forests, RANGES, strict=True)
    ]
    head = MLPRegressor(
        hidden_layer_sizes=(8,),
        activation="tanh",
        alpha=5.0,
        learning_rate_init=0.005,
        max_iter=100,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is meant: it generalizes better
        head.fit(np.column_stack([*answers, features]), targets)
    return forests, head


def make_document() -> dict[str, Any]:
    """Train, and describe the result as a BigML resource."""
    rows, _, progression, _ = split_diabetes()
    columns = make_columns(rows)
    mean, stdev = float(np.mean(progression)), float(np.std(progression))
    forests, head = train(encode(rows, columns), (progression - mean) / stdev)
    network = {
        "preprocess": columns,
        "trees": [
            [[start, end], [export_tree(tree.tree_) for tree in forest.estimators_]]
            for forest, (start, end) in zip(forests, RANGES, strict=True)
        ],
        "layers": [
            dense_layer(weights, offset, activation)
            for weights, offset, activation in zip(head.coefs_, head.intercepts_, ("tanh", None), strict=True)
        ],
        "output_exposition": {
            "type": "numeric",
            "mean": round_to_float32(mean),
            "stdev": round_to_float32(stdev),
        },
    }
    cells = list(zip(*rows, strict=True))
    return deepnet_resource(
        identifier="000000000000000000000002",
        name="diabetes",
        description="Progression of diabetes after a year, by ten measurements at its start",
        inputs=[
            categorical_field(name, values) if index == SEX else numeric_field(name, values)
            for index, (name, values) in enumerate(zip(FIELDS, cells, strict=True))
        ],
        objective=numeric_field("progression", progression),
        network=network,
    )


def explained_variance(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Return R²: 1 is perfect, 0 is no better than the mean."""
    return float(1 - np.sum((actual - predicted) ** 2) / np.sum((actual - actual.mean()) ** 2))


def main() -> None:
    document = make_document()
    write_resource(HERE / "diabetes.json", document)
    _, rows, _, progression = split_diabetes()
    predicted = create_model(document)(rows)[:, 0]
    print(f"held-out R² {explained_variance(predicted, progression):.3f} of {len(rows)} patients")


if __name__ == "__main__":
    main()
