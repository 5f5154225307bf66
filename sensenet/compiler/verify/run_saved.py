"""Runs a saved artifact on recorded inputs, in the process that `verification` starts.

    python -m sensenet.compiler.verify.run_saved MODULE PATH DIRECTORY

opens the artifact at PATH with the target in MODULE, reads inputs-0.npz, inputs-1.npz, … in the directory and
writes outputs-0.npz, … there. What cannot be opened, such as weights alone, is loaded as an artifact of
the directory's graph, imported.ir.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from sensenet.artifact import Artifact, Executable, Report
from sensenet.backends import import_target
from sensenet.backends.interpreter import ir
from sensenet.backends.target import Target
from sensenet.errors import SensenetError


def main(module: str, path: str, directory: str) -> None:
    """Run the artifact on all inputs; raises ArtifactError if it cannot run."""
    executable = _open(import_target(module), Path(path), Path(directory))
    for inputs in Path(directory).glob("inputs-*.npz"):
        with np.load(inputs) as arrays:
            outputs = executable.run(dict(arrays))
        np.savez(inputs.with_name(inputs.name.replace("inputs", "outputs")), **outputs)


def _open(target: Target[Any], path: Path, directory: Path) -> Executable:
    if target.runs:
        return target.open(path)
    graph = ir.open(directory / "imported.ir").graph
    assert graph is not None
    report = Report(target=target.name, level=0)
    files = {each.name: each.read_bytes() for each in target.list_files(path)}
    return target.load(Artifact(target=target.name, graph=graph, report=report, produce=lambda: files))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except SensenetError as error:
        sys.exit(str(error))
