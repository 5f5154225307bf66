"""A network of a numeric and a categorical column, and its predictions by NumPy alone."""

from __future__ import annotations

import numpy as np

from sensenet.backends import get_target
from sensenet.signature import NUMERIC_INPUT, PREDICTIONS

DOCUMENT = {
    "preprocess": [
        {"type": "numeric", "index": 0, "mean": 1.0, "stdev": 2.0},
        {"type": "categorical", "index": 1, "values": ["a", "b"]},
    ],
    "layers": [
        {
            "type": "dense",
            "weights": [[0.5, -1.0], [1.0, 0.25], [-0.5, 2.0]],
            "offset": [0.1, 0.2],
            "activation_function": "tanh",
        },
        {"type": "dropout", "dropout_type": "zero", "rate": 0.5},
        {"type": "dense", "weights": [[1.0], [-2.0]], "offset": [0.5], "activation_function": "linear"},
    ],
    "output_exposition": {"type": "numeric", "mean": 10.0, "stdev": 3.0},
}
ROWS = np.array([[3.0, 1.0], [1.0, -1.0]], np.float32)


def reference():
    x = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    hidden = np.tanh(x @ [[0.5, -1.0], [1.0, 0.25], [-0.5, 2.0]] + [0.1, 0.2])
    return (hidden @ [[1.0], [-2.0]] + 0.5) * 3.0 + 10.0


def predict(artifact):
    run = get_target(artifact.target).load(artifact).run
    return run({NUMERIC_INPUT: ROWS})[PREDICTIONS]
