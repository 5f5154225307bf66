"""Train a deepnet further with Keras, and write it as a BigML document again: JSON → Keras → fit → JSON.

    python examples/fine_tuning.py [trained.json]

The flowers of examples/iris.csv are measured with another caliper, which shows petals 40 % too large. The
model of examples/iris.json takes many of them for another species. It learns from half of the flowers, and
is tried on the other half. Needs TensorFlow.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

import sensenet

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "iris.json"
PETALS = ("petal length", "petal width")
TOO_LARGE = 1.4
EPOCHS, BATCH, RATE = 60, 5, 0.01
MOMENTUM = 0.9
"""Momentum of batch normalization: its statistics follow the new flowers in tens of steps, not hundreds."""


def measure() -> tuple[list[dict[str, Any]], list[str]]:
    """Return the flowers as rows by field name, and their species."""
    with (HERE / "iris.csv").open(newline="", encoding="utf-8") as stream:
        rows: list[dict[str, Any]] = [dict(row) for row in csv.DictReader(stream)]
    species = [row.pop("species") for row in rows]
    for row in rows:
        row.update({name: TOO_LARGE * float(row[name]) for name in PETALS})
    return rows, species


def fine_tune(document: Path, rows: list[dict[str, Any]], species: list[str]) -> dict[str, Any]:
    """Return the document of the network after training on these flowers."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    encoder = sensenet.create_model(document)
    inputs = encoder.encode(rows)["numeric_inputs"]
    targets = np.eye(len(encoder.classes))[[encoder.classes.index(name) for name in species]]
    network = sensenet.compile(document, target="keras", optimize=0).model
    for layer in network.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = MOMENTUM
    network.compile(tf.keras.optimizers.Adam(RATE), "categorical_crossentropy")
    network.fit(inputs, targets, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    return sensenet.decompile(network, like=document)


def accuracy(document: Any, rows: list[dict[str, Any]], species: list[str]) -> float:
    model = sensenet.create_model(document)
    best = model(rows).argmax(axis=1)
    return float(np.mean([model.classes[number] == name for number, name in zip(best, species, strict=True)]))


def main(*output: str) -> None:
    rows, species = measure()
    trained = fine_tune(SOURCE, rows[::2], species[::2])
    for path in output:
        Path(path).write_text(json.dumps(trained), encoding="utf-8")
    for when, document in (("before", SOURCE), ("after", trained)):
        print(f"accuracy {when} training {accuracy(document, rows[1::2], species[1::2]):.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
