"""Runs in the Python of the published package, with tensorflowjs: writes its TensorFlow.js models.

    python peer_tfjs.py DIRECTORY

Reads DIRECTORY/requests.json and writes each model's files and its list of input names. It imports nothing of
this repository.
"""

import json
import sys
from pathlib import Path

from sensenet.models.wrappers import create_model


def main(directory: Path) -> None:
    """Write DIRECTORY/answers.json: for each request, null or the error."""
    answers = {}
    for name, request in json.loads((directory / "requests.json").read_text()).items():
        try:
            create_model(request["document"], request["settings"]).save_tfjs(request["path"])
            answers[name] = None
        except Exception as error:
            answers[name] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    (directory / "answers.json").write_text(json.dumps(answers))


main(Path(sys.argv[1]))
