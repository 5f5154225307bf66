"""Exchanges weights of the pretrained networks with the published package, and compares what both answer.

    SENSENET_PEER_PYTHON=/path/to/bin/python python tests/interop/published_pretrained.py [NAME…]

The variable is as for published_h5.py. For each network we draw weights and write the file that the cache
would have. The package takes it by `load_pretrained_weights`, and by name for features; then it saves its own
file, which is used here by name, and its feature extractor as a bundle, which is opened here. Classifiers are
compared by their probabilities and features, detectors by the scores of all boxes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs
import numpy as np
from attrs import frozen
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from interop.published_h5 import VARIABLE
from support.trained_networks import train

import sensenet
from sensenet.models.wrappers import create_image_feature_extractor
from sensenet.pretrained import NETWORKS, get_extractor_bundle
from sensenet.pretrained.cache import CACHE_VARIABLE
from sensenet.pretrained.networks import weights_file_name


@frozen(kw_only=True)
class Outcome:
    """Largest differences, as shares of the standard deviation of what is expected.

    `before` is that of the package's answers without our file, which must be large; `answers` and `features`
    are those with it; `returned` is that of our own answers with its file from those with ours; `bundle` that
    of the features of its bundle. There are none of detectors.
    """

    before: float
    answers: float
    returned: float
    features: float | None
    bundle: float | None

    @property
    def same(self):
        others = max(self.answers, self.features or 0, self.bundle or 0)
        return others <= 1e-3 < self.before and self.returned == 0


def exchange(python, names, directory):
    """The outcome of each network."""
    image = str(directory / "image.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(image)
    ours, theirs = directory / "ours", directory / "theirs"
    ours.mkdir()
    for name in names:
        (ours / weights_file_name(name)).write_bytes(train(name).content)
    program = Path(__file__).with_name("peer_pretrained.py")
    subprocess.run(
        [python, str(program), str(directory), image, *names],
        check=True,
        stdout=subprocess.DEVNULL,
        # oneDNN has no kernel for what TensorFlow fuses Mish to.
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONPATH": ""},
        cwd=directory,
    )
    answers = np.load(directory / "answers.npz")
    return {name: compare_network(name, image, answers, ours, theirs) for name in names}


def compare_network(name, image, answers, ours, theirs):
    os.environ[CACHE_VARIABLE] = str(ours)
    expected = predict(name, image)
    extracted = create_image_feature_extractor(name)(image)
    os.environ[CACHE_VARIABLE] = str(theirs)
    returned = predict(name, image)
    features = bundle = None
    if NETWORKS[name].kind == "classifier":
        features = compare(answers[f"{name}/features"], extracted)
        bundle = compare(create_image_feature_extractor(get_extractor_bundle(name))(image), extracted)
    return Outcome(
        before=compare(answers[f"{name}/before"], expected),
        answers=compare(answers[f"{name}/after"], expected),
        returned=compare(returned, expected),
        features=features,
        bundle=bundle,
    )


def predict(name, image):
    """Probabilities, or the scores of all boxes, with the weights of the cache."""
    if NETWORKS[name].kind == "classifier":
        return sensenet.create_model(name)(image)
    return sensenet.create_model(name, {"output_unfiltered_boxes": True})(image)["scores"]


def compare(found, expected):
    if np.size(found) != np.size(expected):
        return np.inf
    return float(np.abs(np.ravel(found) - np.ravel(expected)).max() / np.std(expected))


def main(names):
    """Print the outcomes, one line a network; the exit status is 1 where one is not the same."""
    python = os.environ.get(VARIABLE)
    if not python:
        print(f"{VARIABLE} is not set: skipped")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        outcomes = exchange(python, names or list(NETWORKS), Path(directory))
    columns = [field.name for field in attrs.fields(Outcome)]
    print(
        "network".ljust(12), *(column.rjust(8) for column in columns), " (shares of the standard deviation)"
    )
    for name, outcome in outcomes.items():
        shares = ("–" if share is None else f"{share:.1e}" for share in attrs.astuple(outcome))
        print(name.ljust(12), *(share.rjust(8) for share in shares))
    return int(not all(outcome.same for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
