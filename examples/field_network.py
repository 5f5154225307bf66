"""Train a network on rows by field name, and describe it as a BigML resource.

The rows are encoded as BigML encodes them, by sensenet itself: a number that may be missing has a flag
besides, a category a feature for each value, a text a count of each term, a list a count of each item.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bigml_resource import categorical_field, deepnet_resource, dense_layer, numeric_field
from sklearn.neural_network import MLPClassifier

from sensenet import create_model

Row = dict[str, str]
Labeled = tuple[list[Row], list[str]]
"""Rows, and the class of each."""


def split_rows(path: Path, objective: str, *unread: str) -> tuple[Labeled, Labeled]:
    """Return rows of a table with their classes: to train on, and held out, which is every fourth.

    A row has its cells by field name, without the columns `unread`; a missing cell is empty.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    classes = [row.pop(objective) for row in rows]
    rows = [{name: cell for name, cell in row.items() if name not in unread} for row in rows]
    trained = [index for index in range(len(rows)) if index % 4 != 3]
    return ([rows[index] for index in trained], [classes[index] for index in trained]), (
        rows[3::4],
        classes[3::4],
    )


def number(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    values = [float(row[name]) for row in rows if row[name]]
    return _count_missing(numeric_field(name, values), len(rows) - len(values))


def category(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    values = [row[name] for row in rows if row[name]]
    return _count_missing(categorical_field(name, values), len(rows) - len(values))


def text(name: str, rows: Sequence[Row], least: int) -> dict[str, Any]:
    """Return a field of texts: its terms are the words of three letters or more in that many rows."""
    words = Counter(word for row in rows for word in set(re.findall(r"[a-z]{3,}", row[name].lower())))
    cloud = [[word, count] for word, count in sorted(words.items()) if count >= least]
    analysis = {"enabled": True, "case_sensitive": False, "token_mode": "tokens_only"}
    summary = {"tag_cloud": cloud, "term_forms": {}, "missing_count": sum(not row[name] for row in rows)}
    return {"name": name, "optype": "text", "summary": summary, "term_analysis": analysis}


def items(name: str, rows: Sequence[Row], least: int) -> dict[str, Any]:
    """Return a field of lists, of the items in at least that many rows; semicolons separate items."""
    counts = Counter(item for row in rows for item in row[name].split(";") if item)
    found = [[item, count] for item, count in sorted(counts.items()) if count >= least]
    summary = {"items": found, "missing_count": sum(not row[name] for row in rows)}
    return {"name": name, "optype": "items", "summary": summary, "item_analysis": {"separator": ";"}}


def _count_missing(field: dict[str, Any], count: int) -> dict[str, Any]:
    return field | {"summary": field["summary"] | {"missing_count": count}}


def train(
    rows: Sequence[Row],
    classes: Sequence[str],
    fields: Sequence[dict[str, Any]],
    *,
    units: int,
    penalty: float,
    **resource: Any,
) -> dict[str, Any]:
    """Return the resource of a network with one hidden layer, trained on rows of three classes or more.

    `penalty` is that on the squares of weights; `resource` has the identifier, name and description, and the
    name of the objective.
    """
    objective = categorical_field(resource.pop("objective"), classes)
    values = sorted(set(classes))
    columns = [column for field in fields for column in _columns(field)]
    width = sum(len(column.get("values", "1")) for column in columns)

    def describe(columns: Sequence[dict[str, Any]], layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
        network = {
            "preprocess": [column | {"index": index} for index, column in enumerate(columns)],
            "trees": None,
            "layers": list(layers),
            "output_exposition": {"type": "categorical", "values": values},
        }
        return deepnet_resource(inputs=fields, objective=objective, network=network, **resource)

    encoder = create_model(
        describe(columns, [dense_layer(np.zeros((width, len(values))), activation="softmax")])
    )
    cells = encoder.encode(list(rows))["numeric_inputs"]
    columns = [_standardize(column, cells[:, index]) for index, column in enumerate(columns)]
    network = MLPClassifier((units,), "tanh", alpha=penalty, solver="lbfgs", max_iter=300, random_state=0)
    network.fit(_features(cells, columns), np.searchsorted(values, classes))
    layers = [
        dense_layer(np.round(kernel, 4), np.round(offset, 4), activation)
        for kernel, offset, activation in zip(
            network.coefs_, network.intercepts_, ("tanh", "softmax"), strict=True
        )
    ]
    return describe(columns, layers)


def _columns(field: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the preprocessing of a field's cells, with any mean."""
    summary = field["summary"]
    plain = {"type": "numeric", "mean": 0.0, "stdev": 1.0}
    match field["optype"]:
        case "categorical":
            return [{"type": "categorical", "values": sorted(value for value, _ in summary["categories"])}]
        case "numeric":
            flag = {"type": "numeric", "zero_value": 0.0, "one_value": 1.0}
            return [plain, flag] if summary["missing_count"] else [plain]
        case _:
            return [plain for _ in summary.get("tag_cloud", summary.get("items"))]


def _standardize(column: dict[str, Any], cells: np.ndarray) -> dict[str, Any]:
    if "mean" not in column:
        return column
    return column | {"mean": round(float(cells.mean()), 4), "stdev": round(float(cells.std()), 4)}


def _features(cells: np.ndarray, columns: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return what the network sees of cells: numbers standardized, categories one-hot."""
    features = []
    for values, column in zip(cells.T, columns, strict=True):
        if "values" in column:
            features += [values == position for position in range(len(column["values"]))]
        elif "mean" in column:
            features.append((values - column["mean"]) / column["stdev"])
        else:
            features.append(values)
    return np.stack(features, axis=1).astype(np.float32)


def accuracy(document: Any, rows: Sequence[Row], classes: Sequence[str]) -> float:
    """Return how many of the rows a document predicts right, from 0 to 1."""
    model = create_model(document)
    best = model(list(rows)).argmax(axis=1)
    return float(np.mean(np.asarray(model.classes)[best] == np.asarray(classes)))
