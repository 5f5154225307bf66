"""Runs in the Python of the published package: takes weights of the pretrained networks, and gives its own.

    python peer_pretrained.py DIRECTORY IMAGE NAME…

Reads DIRECTORY/ours/*.h5 as the package's cache; writes DIRECTORY/theirs/*.h5 and DIRECTORY/answers.npz. It
imports nothing of this repository.
"""

import sys
from pathlib import Path

import numpy as np

from sensenet import pretrained
from sensenet.models.wrappers import create_image_feature_extractor, create_model


def main(directory: Path, image: str, *names: str) -> None:
    """For each network: answers before and after our weights, and features by name; its own files."""
    pretrained.CACHE_DIRECTORY = str(directory / "ours")
    (directory / "theirs").mkdir()
    answers = {}
    for name in names:
        document = pretrained.get_pretrained_network(name)
        is_detector = "yolo" in name
        model = create_model(document, {"output_unfiltered_boxes": True} if is_detector else None)
        answers[f"{name}/before"] = predict(model, image, is_detector)
        pretrained.load_pretrained_weights(model._model, document["image_network"])
        answers[f"{name}/after"] = predict(model, image, is_detector)
        version = document["image_network"]["metadata"]["version"]
        model._model.save_weights(str(directory / "theirs" / f"{name}_weights_{version}.h5"))
        if not is_detector:
            extractor = create_image_feature_extractor(name, None)
            answers[f"{name}/features"] = extractor(image)
            extractor.save_bundle(str(directory / "theirs" / f"{name}_extractor_{version}.smbundle"))
    np.savez(directory / "answers.npz", **answers)


def predict(model, image: str, is_detector: bool):
    """Probabilities, or the scores of all boxes."""
    answer = model(image)
    return np.asarray(answer[1] if is_detector else answer)


main(Path(sys.argv[1]), *sys.argv[2:])
