"""The same contributions as those of the package shap, in a Python of its own."""

from __future__ import annotations

import json
import os
import subprocess

import numpy as np
import pytest

import sensenet
from sensenet.explanation import contributions

SHAP = os.environ.get("SENSENET_SHAP_PYTHON")

pytestmark = pytest.mark.skipif(not SHAP, reason="SENSENET_SHAP_PYTHON is not set: shap is not asked")

CODE = """
import json, sys
import numpy as np
import shap

given = json.load(sys.stdin)
layers = [(np.array(layer["weights"]), np.array(layer["offset"])) for layer in given["layers"]]

def predict(x):
    x = (np.asarray(x, float) - given["mean"]) / given["stdev"]
    for weights, offset in layers[:-1]:
        x = np.tanh(x @ weights + offset)
    logits = x @ layers[-1][0] + layers[-1][1]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)

masker = shap.maskers.Independent(np.array(given["background"]), max_samples=1000)
found = shap.explainers.Exact(predict, masker)(np.array([given["row"]]))
print(json.dumps({"values": found.values[0].tolist(), "base": found.base_values[0].tolist()}))
"""


def random_network(fields, classes, seed):
    """A document of two layers on so many numbers."""
    random = np.random.default_rng(seed)
    columns = [
        {
            "type": "numeric",
            "index": index,
            "mean": float(random.normal()),
            "stdev": float(random.uniform(1, 2)),
        }
        for index in range(fields)
    ]
    sizes = [fields, 5, classes]
    layers = [
        {
            "type": "dense",
            "weights": random.normal(size=(inputs, units)).tolist(),
            "offset": random.normal(size=units).tolist(),
            "activation_function": activation,
        }
        for inputs, units, activation in zip(sizes, sizes[1:], ("tanh", "softmax"), strict=False)
    ]
    exposition = {"type": "categorical", "values": [str(number) for number in range(classes)]}
    return {"preprocess": columns, "layers": layers, "output_exposition": exposition, "trees": None}


@pytest.mark.parametrize("fields", [2, 4, 7])
def test_contributions_are_those_of_shap(fields):
    document = random_network(fields, 3, seed=fields)
    random = np.random.default_rng(fields + 1)
    row, background = random.normal(size=fields).tolist(), random.normal(size=(30, fields)).tolist()
    given = {
        "layers": document["layers"],
        "mean": [column["mean"] for column in document["preprocess"]],
        "stdev": [column["stdev"] for column in document["preprocess"]],
        "row": row,
        "background": background,
    }
    result = subprocess.run(
        [SHAP, "-c", CODE], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    wanted = json.loads(result.stdout.splitlines()[-1])
    found = contributions(sensenet.create_model(document, engine="numpy"), row, background)
    assert found.method == "exact"
    np.testing.assert_allclose(found.contributions, wanted["values"], atol=1e-5)
    np.testing.assert_allclose(found.expectation, wanted["base"], atol=1e-5)
