"""Writes the graph after each stage of a compilation: 00-imported.ir, 01-<pass>.ir, …, and weights.npz.

Each of these texts can be compiled again, which makes bug reports reproducible.
"""

from __future__ import annotations

import re
from pathlib import Path

from sensenet.backends.formats.npz import write_npz
from sensenet.backends.interpreter.ir import SHARED_WEIGHTS_FILE
from sensenet.errors import ArtifactError
from sensenet.files.writing import describe_os_error, write_all
from sensenet.ir.graph import Graph
from sensenet.ir.printer import print_graph, weights
from sensenet.ir.types import Array

_STAGE_FILE = re.compile(rf"\d\d+-.*\.ir|{re.escape(SHARED_WEIGHTS_FILE)}")


class StageWriter:
    """Writes each stage when it is observed, and the weights of all stages, each once, at `close`.

    Raises ArtifactError for a directory that is not empty; with `force`, only for one that contains anything
    but the stages of another compilation, which are deleted. Also if a file cannot be written: files already
    written are then deleted, and `close` writes nothing.
    """

    def __init__(self, directory: Path, force: bool) -> None:
        self._directory = directory
        self._count = 0
        self._weights: dict[str, Array] = {}
        self._written: list[Path] = []
        self._failed = False
        try:
            self._made = [each for each in [directory, *directory.parents] if not each.exists()]
            directory.mkdir(parents=True, exist_ok=True)
            self._clear(force)
        except OSError as error:
            raise ArtifactError(f"{directory} cannot be written: {describe_os_error(error)}") from error

    def _clear(self, force: bool) -> None:
        present = sorted(self._directory.iterdir())
        kept = [path for path in present if not (force and _STAGE_FILE.fullmatch(path.name))]
        if kept:
            raise ArtifactError(f"{self._directory} is not empty (it holds {kept[0].name}): choose another")
        for path in present:
            path.unlink()

    def __call__(self, stage: str, graph: Graph) -> None:
        self._weights |= weights(graph)
        self._write(f"{self._count:02d}-{stage}.ir", print_graph(graph).encode())
        self._count += 1

    def close(self) -> None:
        """Write the weights."""
        if not self._failed:
            self._write(SHARED_WEIGHTS_FILE, write_npz(self._weights))

    def _write(self, name: str, content: bytes) -> None:
        path = self._directory / name
        try:
            write_all({path: content}, force=False)
        except BaseException:
            self._failed = True
            self._take_back()
            raise
        self._written.append(path)

    def _take_back(self) -> None:
        """Delete the files and directories created, unless others have written there."""
        try:
            for path in self._written:
                path.unlink(missing_ok=True)
            for made in self._made:
                made.rmdir()
        except OSError:
            return
