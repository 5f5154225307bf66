"""Gives our bundles to the published package bigml-sensenet, and compares what it answers.

    SENSENET_PEER_PYTHON=/path/to/bin/python python tests/interop/published_bundles.py [PATTERN…]

The variable is as for published_h5.py. The cases are documents of the tests, and those recorded: all whose
names match one of the patterns, else those of SELECTION. If the package answers otherwise than expected, it
is asked the same of the bundle that it writes itself.
"""

from __future__ import annotations

import fnmatch
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

from interop.published_h5 import VARIABLE, compare
from support import documents
from support.conformance import DATA, as_cell, contains_objects, is_error, may_be_refused, read_recorded

import sensenet
from sensenet.models.wrappers import create_model

SELECTION = (
    *("made/*", "real/trained_0", "real/embedding_0", "real/legacy_trained_0", "real/resource_text"),
    *(
        "tabular/act_leaky_relu",
        "tabular/act_mish",
        "tabular/act_hard_sigmoid",
        "tabular/layer_graph_branches",
    ),
    *("tabular/layer_resblock_stack", "tabular/prep_binary*", "tabular/prep_categorical_none*"),
    *("tabular/prep_index_order", "tabular/ensemble_three*", "tabular/ensemble_output_exposition_in_both"),
    *(
        "tabular/legacy_residual_widen",
        "tabular/tree_full_depth8",
        "tabular/tree_ra*",
        "image/M_two_images_numeric",
    ),
    *("image/M_categorical_numeric_image", "image/M_three_images", "image/M_zero_one_numeric*"),
    *("image/B_mobilenet_*_identity", "image/N_mini_xception", "image/L_activation_leaky_relu"),
    *("image/R_pad_24x48", "image/R_crop_24x48", "image/C_rgba_pad", "extractor/X_branches"),
    *(
        "extractor/X_simple_gap_crop",
        "extractor/X_two_images",
        "extractor/D_*",
        "detector/D_2branch_64_default",
    ),
    *("detector/D_2branch_64_crop", "detector/D_2branch_64_warp", "detector/D_2branch_64_unfiltered_warp"),
    *("detector/D_2branch_64_arrays", "detector/D_2branch_64_iou_02", "detector/D_2branch_64_max_objects_3"),
    *("detector/D_3branch_64", "detector/D_3branch_96_padded", "detector/D_iou_exact_half"),
    *("detector/D_threshold_exact", "detector/D_brightness", "detector/D_2branch_caffe_meanimage"),
)
"""The cases of the test."""

GROUPS = ("tabular", "real", "image", "detector", "extractor")

CHUNK = 60
"""Bundles that one process opens: TensorFlow keeps the memory of each."""

ROWS = [[2.5, "green", 4.0], [-1.0, "red", 10.0], [None, "white", 0.5], [0.0, None, None]]
"""Rows of `documents.PREPROCESS`."""


@frozen(kw_only=True)
class Case:
    """A document, what is asked of its model, and the right answers: None where any answer is right.

    `is_row` says that each argument is one row, whose answer is compared without the batch axis.
    """

    document: dict
    settings: dict | None = None
    is_extractor: bool = False
    is_row: bool = False
    arguments: list
    expected: list

    @property
    def predicts(self):
        """Whether arrays of the network are compared, because the package can't make an answer of them."""
        return bool((self.settings or {}).get("pad_bounding_box_output"))


@frozen(kw_only=True)
class Outcome:
    """The largest difference of the package's answers, as a share of what is tolerated, infinite for other
    boxes or shapes; or the first error that it raised; and the columns of the model that it opened."""

    difference: float = 0.0
    error: str | None = None
    columns: list | None = None

    @property
    def same(self):
        return self.error is None and self.difference <= 1


def find_cases(patterns, directory):
    """The cases whose names match, by name; images for them are made in the directory."""
    cases = {**find_recorded(patterns), **make_cases(directory)}
    return {
        name: case
        for name, case in cases.items()
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
    }


def find_recorded(patterns):
    """Recorded cases that the package answered, but for accidents of its own that are refused here."""
    cases = {}
    for path in sorted(path for group in GROUPS for path in (DATA / group).glob("*.json.gz")):
        name = f"{path.parent.name}/{path.name.removesuffix('.json.gz')}"
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            record = read_recorded(path)
            if not may_be_refused(record) and any(not is_error(want) for want in record["outputs"] or ()):
                cases[name] = read_case(record)
    return cases


def read_case(record):
    kind = record.get("kind")
    rows = [as_cell(row) for row in record.get("calls") or record["inputs"]]
    if kind in ("detector", "detector_raw"):
        rows = [row[0] for row in rows]
    is_row = kind in (None, "model", "extractor")
    return Case(
        document=record["model"],
        settings=record["settings"],
        is_extractor=kind == "extractor",
        is_row=is_row,
        arguments=[[row] for row in rows] if is_row else rows,
        expected=[None if is_error(want) else want for want in record["outputs"]],
    )


def make_cases(directory):
    """Cases of the documents of the tests; the right answers are those of our models of the documents."""
    images = [str(directory / f"{number}.png") for number in range(3)]
    for number, path in enumerate(images):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    tabular = [ROWS, ROWS[0], ROWS[2]]
    mixed = [[[images[0], 1.0], [images[1], None], [None, 2.5]][:2], [images[2], -3.0]]
    pixels = np.random.default_rng(5).integers(0, 256, (30, 50, 3), np.uint8)
    cases = {
        "made/typed": make_case(documents.typed(), tabular),
        "made/legacy": make_case(documents.legacy_network(), tabular),
        "made/ensemble": make_case(documents.ensemble(), tabular),
        "made/ensemble normalized": make_case(documents.ensemble(), tabular, regression_normalize=True),
        "made/deep trees": make_case(deep_trees(), tabular),
        "made/image": make_case(documents.image(), mixed),
        "made/image bgr pad": make_case(documents.image(), mixed, color_space="bgr", rescale_type="pad"),
        "made/features": make_case(documents.image(), [images[0], pixels], extract_image_features=True),
        "made/leaky_relu": make_case(leaky(), tabular),
        "made/names": make_case(odd_names(), tabular),
        "made/two images": make_case(
            two_images(), [[images[0], images[1], 1.0], [images[2], images[0], None]]
        ),
    }
    for settings in DETECTOR_SETTINGS:
        name = " ".join(f"{key}={value}" for key, value in settings.items())
        gives_arrays = settings.keys() & {"output_unfiltered_boxes", "pad_bounding_box_output"}
        asked = [images[0], pixels, *([] if gives_arrays else [[images[1], images[2]]])]
        cases[f"made/detector {name}"] = make_case(documents.detector(), asked, **settings)
    return cases


def make_case(document, arguments, **settings):
    model = create_model(document, settings)
    return Case(
        document=document,
        settings=settings,
        is_extractor="extract_image_features" in settings,
        arguments=arguments,
        expected=[model(argument) for argument in arguments],
    )


def deep_trees():
    """Forests of depth 7 over all features."""
    trees = [[[0, 5], [documents.tree(7), documents.tree(5), documents.tree(6)]]]
    return documents.network([documents.dense(documents.FEATURES + 2, 2, "softmax")], trees=trees)


def leaky():
    """Each kind of layer with leaky_relu, whose slope is 0.1 here and 0.2 in Keras."""
    layers = [documents.dense(documents.FEATURES, 6, "leaky_relu"), documents.dense(6, 6, "linear")]
    activation = {"type": "activation", "activation_function": "leaky_relu"}
    return documents.network([*layers, activation, documents.dense(6, 2, "softmax")])


def odd_names():
    """Fields whose names are words of Python, or none."""
    document = documents.ensemble()
    fields = document["object"]["deepnet"]["fields"]
    for field, name in zip(fields.values(), ("class", "self", "", "None"), strict=True):
        field["name"] = name
    return document


def two_images():
    """Two images and a number in a row."""
    document = documents.image()
    image, number = document["preprocess"]
    document["preprocess"] = [image, {**image, "index": 1}, {**number, "index": 2}]
    document["layers"] = [documents.dense(7, 2, "softmax")]
    return document


DETECTOR_SETTINGS = (
    {"bounding_box_threshold": 0.01},
    {"bounding_box_threshold": 0.01, "iou_threshold": 0.1},
    {"bounding_box_threshold": 0.01, "max_objects": 2},
    {"bounding_box_threshold": 0.999},
    {"bounding_box_threshold": 0.01, "rescale_type": "warp"},
    {"bounding_box_threshold": 0.01, "rescale_type": "crop", "color_space": "bgr"},
    {"output_unfiltered_boxes": True},
    {"pad_bounding_box_output": True, "bounding_box_threshold": 0.01},
)


def ask(python, requests, directory):
    """What the package answers to requests by name; raises CalledProcessError if a process ends otherwise."""
    answers = {}
    names = list(requests)
    for start in range(0, len(names), CHUNK):
        chunk = {name: requests[name] for name in names[start : start + CHUNK]}
        (directory / "requests.json").write_text(json.dumps(chunk))
        subprocess.run(
            [python, str(Path(__file__).with_name("peer_bundles.py")), str(directory)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""},
            cwd=directory,
        )
        answers |= json.loads((directory / "answers.json").read_text())
    return answers


def exchange(python, cases, directory, *, theirs=False):
    """The outcome of each case: with our bundles, or with those that the package writes itself."""
    requests = {}
    for number, (name, case) in enumerate(cases.items()):
        path = directory / f"{'theirs' if theirs else 'ours'}-{number}.smbundle"
        requests[name] = {
            "bundle": str(path),
            "is_extractor": case.is_extractor,
            "predicts": case.predicts,
            "settings": case.settings,
            "arguments": [as_request(case, argument, directory) for argument in case.arguments],
        }
        if theirs:
            requests[name]["document"] = case.document
        else:
            write_bundle(case, path)
    answers = ask(python, requests, directory)
    return {name: compare_case(case, answers[name]) for name, case in cases.items()}


def write_bundle(case, path):
    extracts = {"extract_image_features": True} if case.is_extractor else {}
    sensenet.compile(case.document, "smbundle", settings={**(case.settings or {}), **extracts}).save(path)


def as_request(case, argument, directory):
    """The argument in JSON, arrays as paths of files; as rows if the network's arrays are asked for."""
    value = without_arrays(argument, directory)
    return [[value]] if case.predicts else value


def without_arrays(value, directory):
    if isinstance(value, list):
        return [without_arrays(entry, directory) for entry in value]
    if not isinstance(value, np.ndarray):
        return value
    path = directory / f"{len(list(directory.glob('*.npy')))}.npy"
    np.save(path, value)
    return {"array": str(path)}


def compare_case(case, answer):
    """The outcome of a case for what the package answered."""
    if "error" in answer:
        return Outcome(error=answer["error"])
    differences = []
    for found, want in zip(answer["answers"], case.expected, strict=True):
        if want is None:
            continue
        if isinstance(found, dict) and "error" in found:
            return Outcome(error=found["error"], columns=answer["preprocessors"])
        differences.append(compare_answer(found[0] if case.is_row else found, want))
    return Outcome(difference=max(differences, default=0.0), columns=answer["preprocessors"])


def compare_answer(found, want):
    """Arrays; or objects, whose boxes and labels must be the same; or lists of either."""
    if isinstance(want, dict):  # the arrays of a detector, in order
        return max(map(compare, map(np.ravel, found), map(np.ravel, want.values())))
    if isinstance(want, list) and want and isinstance(want[0], dict):
        if [(each["box"], each["label"]) for each in found] != [(e["box"], e["label"]) for e in want]:
            return np.inf
        return compare([each["score"] for each in found], [each["score"] for each in want])
    if isinstance(want, list) and want and isinstance(want[0], list) and contains_objects(want):
        return max(map(compare_answer, found, want), default=0.0)
    return compare(found, want)


def main(patterns):
    """Print the outcomes, one line a case; the exit status is 1 if our bundle is at fault in one."""
    python = os.environ.get(VARIABLE)
    if not python:
        print(f"{VARIABLE} is not set: skipped")
        return 0
    with tempfile.TemporaryDirectory() as name:
        cases = find_cases(patterns or SELECTION, Path(name))
        outcomes = exchange(python, cases, Path(name))
        others = {name: case for name, case in cases.items() if not outcomes[name].same}
        theirs = exchange(python, others, Path(name), theirs=True)
    for name, outcome in outcomes.items():
        text = outcome.error or f"{outcome.difference:.3f}"
        if name in theirs:
            text += f"   its own bundle: {theirs[name].error or f'{theirs[name].difference:.3f}'}"
        print(f"{name:<50} {text}")
    print(f"{sum(outcome.same for outcome in outcomes.values())} of {len(outcomes)} answered as expected")
    return int(any(theirs[name].same for name in theirs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
