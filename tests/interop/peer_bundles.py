"""Runs in the Python of the published package: opens bundles, and answers what is asked of each.

    python peer_bundles.py DIRECTORY

Reads DIRECTORY/requests.json and writes DIRECTORY/answers.json. If a request has a document, its bundle is
first written by the package itself. It imports nothing of this repository.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

from sensenet.models.wrappers import create_image_feature_extractor, create_model


def main(directory: Path) -> None:
    """For each request, the list of answers, and the columns of the opened model; or the error."""
    requests = json.loads((directory / "requests.json").read_text())
    answers = {}
    for name, request in requests.items():
        answers[name] = attempt(answer, request)
        print(name, flush=True)
    (directory / "answers.json").write_text(json.dumps(answers))


def attempt(function, *arguments):
    """What a function returns, or the error that it raised."""
    try:
        return function(*arguments)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"}


def answer(request):
    """All that is asked of a bundle."""
    if "document" in request:
        save_bundle(request)
    model = create_model(request["bundle"])
    call = model.load_and_predict if request["predicts"] else model
    return {
        "preprocessors": model._preprocessors,
        "answers": [attempt(lambda x=x: to_json(call(as_argument(x)))) for x in request["arguments"]],
    }


def save_bundle(request):
    """Write the package's own bundle of a document."""
    create = create_image_feature_extractor if request["is_extractor"] else create_model
    create(request["document"], request["settings"]).save_bundle(request["bundle"])


def as_argument(value):
    """The value that JSON cannot hold: {"array": path} is an array."""
    if isinstance(value, list):
        return [as_argument(entry) for entry in value]
    return np.load(value["array"]) if isinstance(value, dict) else value


def to_json(answer):
    """Arrays as nested lists; tuples of arrays as lists of them."""
    if isinstance(answer, np.ndarray):
        return answer.tolist()
    return [to_json(part) if isinstance(part, (list, tuple, np.ndarray)) else part for part in answer]


warnings.simplefilter("ignore")
main(Path(sys.argv[1]))
