"""Exchanges h5 files with the published package bigml-sensenet, and compares what both predict.

    SENSENET_PEER_PYTHON=/path/to/bin/python python tests/interop/published_h5.py

The variable names the Python of an environment of its own in which the package is installed; where it is not
set, nothing is done. For each document, the package builds a model of the stripped document, loads our file
into it and predicts; and saves its own file, which is loaded here. The documents are those of the tests, and
those recorded with h5 files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from attrs import frozen
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import documents
from support.conformance import DATA, as_cell, read_recorded

import sensenet
from sensenet.backends.keras.h5 import load_weights
from sensenet.backends.keras.weights import get_weights, weighted_nodes
from sensenet.frontend import import_graph
from sensenet.frontend.strip import strip_weights

VARIABLE = "SENSENET_PEER_PYTHON"
ABSOLUTE, RELATIVE = 1e-5, 1e-4


@frozen(kw_only=True)
class Case:
    """A document, and rows that its model takes."""

    document: dict
    rows: list
    settings: dict | None = None

    @property
    def is_detector(self):
        return "yolo" in json.dumps((self.document.get("image_network") or {}).get("metadata"))


@frozen(kw_only=True)
class Outcome:
    """Largest differences, as shares of what is tolerated: ABSOLUTE + RELATIVE · |number|.

    `before` is that of the package's answers before our file was loaded, which must be large; `answers` that
    of those after; `weights` that of the weights in its own file. It is infinite for other boxes or labels.
    """

    before: float
    answers: float
    weights: float

    @property
    def same(self):
        return max(self.answers, self.weights) <= 1 < self.before


def find_cases(directory):
    """The cases by name; images for them are made in the directory."""
    image = str(directory / "image.png")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(image)
    tabular = [[2.5, "green", 4.0], [-1.0, "red", 10.0], [None, "white", 0.5]]
    cases = {
        "typed": Case(document=documents.typed(), rows=tabular),
        "legacy": Case(document=documents.legacy_network(), rows=tabular),
        "ensemble": Case(document=documents.ensemble(), rows=tabular),
        "image": Case(document=documents.image(), rows=[[image, 1.0], [image, None]]),
        "detector": Case(document=documents.detector(), rows=[image]),
    }
    for path in sorted((DATA / "h5").glob("*.json.gz")):
        record = read_recorded(path)
        rows = [as_cell(row) for row in record["inputs"]]
        if record["kind"] == "detector":
            rows = [row[0] for row in rows]
        cases[record["name"]] = Case(document=record["model"], rows=rows, settings=record["settings"])
    return cases


def exchange(python, cases, directory):
    """The outcome of each case."""
    requests = {}
    for name, case in cases.items():
        ours = directory / f"{name}-ours.h5"
        sensenet.compile(case.document, "h5", settings=case.settings).save(ours)
        requests[name] = {
            "document": case.document,
            "stripped": strip_weights(case.document),
            "settings": case.settings,
            "is_detector": case.is_detector,
            "rows": case.rows,
            "ours": str(ours),
            "theirs": str(directory / f"{name}-theirs.h5"),
        }
    (directory / "exchange.json").write_text(json.dumps(requests))
    program = Path(__file__).with_name("peer.py")
    subprocess.run(
        [python, str(program), str(directory)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""},
        cwd=directory,
    )
    answers = json.loads((directory / "answers.json").read_text())
    return {
        name: Outcome(
            before=compare_answers(case, answers[name]["before"]),
            answers=compare_answers(case, answers[name]["after"]),
            weights=compare_weights(case, requests[name]["theirs"]),
        )
        for name, case in cases.items()
    }


def compare_answers(case, answers):
    model = sensenet.create_model(case.document, case.settings)
    if case.is_detector:
        return max(map(compare_objects, map(model, case.rows), answers))
    return max(compare(model([row])[0], answer) for row, answer in zip(case.rows, answers, strict=True))


def compare_objects(found, expected):
    if [(each["box"], each["label"]) for each in found] != [(e["box"], e["label"]) for e in expected]:
        return np.inf
    return compare([each["score"] for each in found], [each["score"] for each in expected])


def compare_weights(case, path):
    """Between the graph of the stripped document with their file, and that of the document."""
    loaded = load_weights(import_graph(strip_weights(case.document), case.settings), Path(path))
    pairs = zip(
        weighted_nodes(loaded), weighted_nodes(import_graph(case.document, case.settings)), strict=True
    )
    return max(
        compare(get_weights(ours.op)[name].array, weight.array)
        for ours, theirs in pairs
        for name, weight in get_weights(theirs.op).items()
    )


def compare(found, expected):
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        return np.inf
    return float(np.max(np.abs(found - expected) / (ABSOLUTE + RELATIVE * np.abs(expected)), initial=0))


def main():
    """Print the outcomes, one line a document; the exit status is 1 where one is not the same."""
    python = os.environ.get(VARIABLE)
    if not python:
        print(f"{VARIABLE} is not set: skipped")
        return 0
    with tempfile.TemporaryDirectory() as name:
        outcomes = exchange(python, find_cases(Path(name)), Path(name))
    print(f"{'document':<32}      before  answers  weights   (shares of the tolerance)")
    for name, outcome in outcomes.items():
        print(f"{name:<32} {outcome.before:11.1f}  {outcome.answers:7.3f}  {outcome.weights:7.3f}")
    return int(not all(outcome.same for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
