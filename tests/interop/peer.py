"""Runs in the Python of the published package: reads exchange.json of a directory, writes answers.json there.

It imports nothing of this repository.
"""

import json
import sys
from pathlib import Path

import numpy as np

from sensenet.models.wrappers import create_model


def main(directory: Path) -> None:
    """Load each case's weights into the model of its stripped document, predict, and save its own weights."""
    answers = {}
    for name, case in json.loads((directory / "exchange.json").read_text()).items():
        rows = case["rows"] if case["is_detector"] else [[row] for row in case["rows"]]
        model = create_model(case["stripped"], case["settings"])
        before = [to_json(model(row)) for row in rows]
        model._model.load_weights(case["ours"])
        answers[name] = {"before": before, "after": [to_json(model(row)) for row in rows]}
        create_model(case["document"], case["settings"])._model.save_weights(case["theirs"])
    (directory / "answers.json").write_text(json.dumps(answers))


def to_json(answer):
    """Probabilities as nested lists, found objects as dicts of plain numbers."""
    if isinstance(answer, np.ndarray):
        return answer[0].tolist()
    return [
        {**found, "box": [int(side) for side in found["box"]], "score": float(found["score"])}
        for found in answer
    ]


main(Path(sys.argv[1]))
