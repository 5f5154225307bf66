"""Runs in the Python of the published package: reads exchange.json of a directory, writes answers.json there.

For each document it converts it to TensorFlow Lite, and answers for an image with its file and with ours. It
imports nothing of this repository.
"""

import json
import sys
from pathlib import Path

from sensenet.models.wrappers import convert, tflite_predict


def main(directory: Path) -> None:
    answers = {}
    for name, case in json.loads((directory / "exchange.json").read_text()).items():
        convert(case["document"], None, case["theirs"], "tflite")
        answers[name] = {
            writer: [array.tolist() for array in tflite_predict(case[writer], case["image"])]
            for writer in ("theirs", "ours")
        }
    (directory / "answers.json").write_text(json.dumps(answers))


main(Path(sys.argv[1]))
