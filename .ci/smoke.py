"""Compile a document for targets, predict with their files, and see that other targets say what to install.

    python .ci/smoke.py examples/iris.json ir numpy tfjs onnx --unopened onnx

`--unopened` names targets whose files are written, but opened only with another package, or never.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

import sensenet
from sensenet.backends import TARGETS
from sensenet.errors import ArtifactError, MissingPackageError

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.1, 5.6, 2.4]]


def write(document, target):
    """Write the file of a target, and return its path."""
    return sensenet.compile(document, target).save(f"model-{target}", force=True)


def require_command(action, *arguments):
    """Fail unless an action says which command installs what it lacks."""
    try:
        action(*arguments)
    except (MissingPackageError, ArtifactError) as error:
        message = str(error)
    else:
        message = ""
    expected = ("pip install 'sensenet-compiler[", "compile the document with -t tflite")  # of a header
    if not any(command in message for command in expected):
        sys.exit(f"{arguments} gives {message!r}")


def main() -> None:
    """Check all targets; the exit code is 1 if one differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document")
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--unopened", nargs="*", default=())
    arguments = parser.parse_args()
    expected = sensenet.create_model(arguments.document)(ROWS)
    for target in TARGETS:
        if target not in arguments.targets:
            require_command(write, arguments.document, target)
            continue
        path = write(arguments.document, target)
        if target in arguments.unopened:
            require_command(sensenet.create_model, path)
        else:
            np.testing.assert_allclose(sensenet.create_model(path)(ROWS), expected, rtol=1e-5, atol=1e-6)
    print("wrote", *arguments.targets)


if __name__ == "__main__":
    main()
