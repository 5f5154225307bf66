"""Writes the graph after each stage of a compilation: 00-imported.ir, 01-<pass>.ir, …, and weights.npz.

Each of these texts can be compiled again, which makes a report of a fault reproducible.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from sensenet.backends.ir import SHARED_WEIGHTS_FILE
from sensenet.errors import ArtifactError
from sensenet.files import describe_os_error
from sensenet.ir.graph import Graph
from sensenet.ir.printer import print_graph, weights
from sensenet.ir.types import Array

_STAGE_FILE = re.compile(rf"\d\d+-.*\.ir|{re.escape(SHARED_WEIGHTS_FILE)}")


class StageWriter:
    """Writes each stage as it is observed, and at `close` the weights of all of them, each once.

    Raises ArtifactError for a directory that has anything in it; with `force`, only for one that has anything
    but the stages of another compilation, which are deleted.
    """

    def __init__(self, directory: Path, force: bool) -> None:
        self._directory = directory
        self._count = 0
        self._weights: dict[str, Array] = {}
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._clear(force)
        except OSError as error:
            raise self._failure(error) from error

    def _clear(self, force: bool) -> None:
        present = sorted(self._directory.iterdir())
        kept = [path for path in present if not (force and _STAGE_FILE.fullmatch(path.name))]
        if kept:
            raise ArtifactError(f"{self._directory} is not empty (it holds {kept[0].name}): choose another")
        for path in present:
            path.unlink()

    def __call__(self, stage: str, graph: Graph) -> None:
        self._weights |= weights(graph)
        try:
            (self._directory / f"{self._count:02d}-{stage}.ir").write_text(print_graph(graph), "utf-8")
        except OSError as error:
            raise self._failure(error) from error
        self._count += 1

    def close(self) -> None:
        """Write the weights."""
        try:
            np.savez(self._directory / SHARED_WEIGHTS_FILE, **self._weights)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> ArtifactError:
        return ArtifactError(f"{self._directory} cannot be written: {describe_os_error(error)}")
