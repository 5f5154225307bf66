"""Predict one row by the names of its fields, with a document or with a file compiled from one.

    python examples/predict.py iris.tflite "petal length=1.4" "petal width=0.2"

Fields that are not given are missing.
"""

from __future__ import annotations

import sys

from sensenet import SensenetError
from sensenet.models.wrappers import create_model


def main(path: str, *cells: str) -> None:
    model = create_model(path)
    answer = model(dict(cell.partition("=")[::2] for cell in cells))[0]
    if model.classes:
        best = answer.argmax()
        print(f"{model.classes[best]} ({answer[best]:.1%})")
    else:
        print(f"{answer[0]:.6g}")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except SensenetError as error:
        sys.exit(f"error: {error}")
