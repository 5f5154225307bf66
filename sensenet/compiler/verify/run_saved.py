"""Runs a saved artifact on recorded inputs: the process that `sensenet.compiler.verify.verification` starts.

    python -m sensenet.compiler.verify.run_saved TARGET PATH DIRECTORY

reads inputs-0.npz, inputs-1.npz, … in the directory and writes outputs-0.npz, … there. Weights alone are run
with the graph imported.ir of the directory.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from sensenet.artifact import Executable
from sensenet.backends import load_backend
from sensenet.backends.interpreter.executable import make_executable
from sensenet.backends.keras.h5 import load_weights
from sensenet.errors import SensenetError


def main(target: str, path: str, directory: str) -> None:
    """Run the artifact on all inputs; raises ArtifactError where it does not run."""
    executable = _open(target, Path(path), Path(directory))
    for inputs in Path(directory).glob("inputs-*.npz"):
        with np.load(inputs) as arrays:
            outputs = executable.run(dict(arrays))
        np.savez(inputs.with_name(inputs.name.replace("inputs", "outputs")), **outputs)


def _open(target: str, path: Path, directory: Path) -> Executable:
    if target != "h5":
        return load_backend(target).open(path)
    graph = load_backend("ir").open(directory / "imported.ir").graph
    assert graph is not None
    return make_executable(load_weights(graph, path))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SensenetError as error:
        sys.exit(str(error))
