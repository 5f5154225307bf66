"""Runs TensorFlow.js models of the published package bigml-sensenet in Node, and ours of the same.

    SENSENET_PEER_PYTHON=/path/to/bin/python python tests/interop/published_tfjs.py [PATTERN…]

The variable is as for published_bundles.py; that environment needs tensorflowjs. The answer of each to one
row is compared with that of the interpreter: the largest difference, as a share of what is tolerated.
"""

from __future__ import annotations

import fnmatch
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from attrs import frozen
from interop.published_bundles import deep_trees, leaky, two_images
from interop.published_h5 import VARIABLE, compare
from support import documents
from support.javascript import Node, decode, encode

import sensenet
from sensenet.ir.evaluate import evaluate
from sensenet.signature import PIXEL_INPUT

DOCUMENTS = {
    "typed": documents.typed,
    "legacy": documents.legacy_network,
    "leaky_relu": leaky,
    "ensemble with trees": documents.ensemble,
    "deep trees": deep_trees,
    "image": documents.image,
    "two images": two_images,
    "detector": documents.detector,
}

SIDE = 40
"""Pixels of an image's sides."""

SETTINGS = {"detector": {"bounding_box_threshold": 0.01}, "image": {"rescale_type": "pad"}}


@frozen(kw_only=True)
class Outcome:
    """The differences of both models; or the error of the package's own, written or run."""

    ours: float
    theirs: float | None = None
    error: str | None = None


def exchange(python, names, directory):
    """The outcome of each document."""
    requests = {
        name: {
            "document": DOCUMENTS[name](),
            "settings": SETTINGS.get(name),
            "path": str(directory / "theirs" / name),
        }
        for name in names
    }
    (directory / "theirs").mkdir()
    (directory / "requests.json").write_text(json.dumps(requests))
    subprocess.run(
        [python, str(Path(__file__).with_name("peer_tfjs.py")), str(directory)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""},
        cwd=directory,
    )
    errors = json.loads((directory / "answers.json").read_text())
    node = Node()
    try:
        return {name: compare_models(node, name, errors[name], directory) for name in names}
    finally:
        node.close()


def compare_models(node, name, error, directory):
    """The outcome of a document, whose models are in the directory."""
    artifact = sensenet.compile(DOCUMENTS[name](), "tfjs", settings=SETTINGS.get(name))
    inputs = make_inputs(artifact.graph)
    want = evaluate(artifact.graph, inputs)
    ours = compare_outputs(node.run(artifact.save(directory / f"ours {name}"), "cpu", inputs), want)
    if error:
        return Outcome(ours=ours, error=error)
    request = {
        "model": str(directory / "theirs" / name),
        "backend": "cpu",
        "method": "predictAsync",
        "inputs": {name: encode(array) for name, array in inputs.items()},
    }
    try:
        answer = node.ask(request)["outputs"]
    except RuntimeError as problem:
        return Outcome(ours=ours, error=str(problem).splitlines()[0])
    arrays = list(map(decode, answer.values()))
    outputs = {name: find(arrays, array) for name, array in want.items() if name != "valid"}
    return Outcome(ours=ours, theirs=compare_outputs(outputs, want))


def make_inputs(graph):
    """Numbers, categories and pixels for one row."""
    random = np.random.default_rng(0)
    inputs = {}
    for node in graph.inputs:
        shape = [1, *(size or SIDE for size in node.types[0].shape[1:])]
        if node.name == PIXEL_INPUT:
            inputs[node.name] = random.integers(0, 256, shape).astype(np.float32)
        else:
            inputs[node.name] = np.ones(shape, np.float32)
    return inputs


def find(arrays, like):
    """The one of the package's unnamed outputs that has the rank and the dtype of an array."""
    (found,) = (array for array in arrays if array.ndim == like.ndim and array.dtype == like.dtype)
    return found


def compare_outputs(found, want):
    """The largest difference; of a detector, over the boxes that count."""
    count = int(want["valid"][0]) if "valid" in want else None
    names = [name for name in want if name != "valid"]
    return max(compare(found[name][:, :count], want[name][:, :count]) for name in names)


def main(patterns):
    """Print the outcomes, one line a document; the exit status is 1 if one of ours is not as expected."""
    python = os.environ.get(VARIABLE)
    if not python:
        print(f"{VARIABLE} is not set: skipped")
        return 0
    names = [name for name in DOCUMENTS if any(fnmatch.fnmatch(name, each) for each in patterns or ["*"])]
    with tempfile.TemporaryDirectory() as directory:
        outcomes = exchange(python, names, Path(directory))
    for name, outcome in outcomes.items():
        theirs = outcome.error or f"{outcome.theirs:.3f}"
        print(f"{name:<24} ours {outcome.ours:.3f}  theirs {theirs}")
    return int(any(outcome.ours > 1 for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
