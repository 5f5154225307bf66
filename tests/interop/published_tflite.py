"""Exchanges .tflite files with the published package bigml-sensenet, and compares what both predict.

    SENSENET_PEER_PYTHON=/path/to/bin/python python tests/interop/published_tflite.py

The variable names the Python of an environment of its own in which the package is installed; if it is not
set, nothing is done. Each document is of a model that reads one image, and is rescaled by warp, which is all
that the package converts. Both `tflite_predict` run both files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import documents
from support.conformance import DATA, read_recorded

import sensenet
from sensenet.models.wrappers import tflite_predict

VARIABLE = "SENSENET_PEER_PYTHON"
MOST = 20
"""Recorded documents of each kind."""


def find_documents():
    """Documents of models that read one image alone, by name."""
    image = documents.image()
    image["preprocess"] = image["preprocess"][:1]
    image["layers"][0]["weights"] = image["layers"][0]["weights"][:3]
    found = {"image": image, "detector": documents.detector()}
    for path in sorted((DATA / "image").glob("*.json.gz")):
        record = read_recorded(path)
        model = record["model"]
        if isinstance(model, dict) and [c["type"] for c in model.get("preprocess", ())] == ["image"]:
            found[record["name"]] = model
        if len(found) > MOST:
            break
    return found


def exchange(python, cases, directory):
    """For each document, how far the packages differ on each file, and the two files here."""
    image = str(directory / "image.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(image)
    requests = {}
    for name, document in cases.items():
        paths = {writer: str(directory / f"{name}-{writer}.tflite") for writer in ("ours", "theirs")}
        settings = {"rescale_type": "warp"}
        sensenet.compile(document, "tflite", settings=settings).save(paths["ours"])
        requests[name] = {"document": document, "image": image, **paths}
    (directory / "exchange.json").write_text(json.dumps(requests))
    program = Path(__file__).with_name("peer_tflite.py")
    subprocess.run(
        [python, "-I", str(program), str(directory)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""},
        cwd=directory,
    )
    answers = json.loads((directory / "answers.json").read_text())
    outcomes = {}
    for name, request in requests.items():
        here = {writer: tflite_predict(request[writer], image) for writer in ("ours", "theirs")}
        outcomes[name] = (
            *(compare(here[writer], answers[name][writer]) for writer in ("ours", "theirs")),
            compare(here["ours"], here["theirs"]) if len(here["ours"]) == 1 else None,
        )
    return outcomes


def compare(found, expected):
    """The largest difference of two lists of arrays; infinite if their shapes differ."""
    pairs = [
        (np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(found, expected, strict=True)
    ]
    if any(a.shape != b.shape for a, b in pairs):
        return np.inf
    return float(max(np.abs(a - b).max(initial=0) for a, b in pairs))


def main():
    """Print the outcomes, one line a document."""
    python = os.environ.get(VARIABLE)
    if not python:
        print(f"{VARIABLE} is not set: skipped")
        return
    with tempfile.TemporaryDirectory() as name:
        outcomes = exchange(python, find_documents(), Path(name))
    print(f"{'document':<40} {'our file':>10} {'their file':>10} {'both files':>10}")
    for name, found in outcomes.items():
        print(f"{name:<40}", *(f"{'–' if each is None else format(each, '.1e'):>10}" for each in found))


if __name__ == "__main__":
    main()
