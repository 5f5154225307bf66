"""Artifacts in their own runtimes, as executables that can be pickled.

The pickle of one holds what its runtime opens: the graph for the interpreter, else the files as they were
opened. It is opened anew, as the artifact itself would be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from sensenet.artifact import Artifact, Executable, Remake
from sensenet.backends import load_backend
from sensenet.backends.interpreter.executable import make_executable
from sensenet.compiler.sources import open_saved
from sensenet.errors import ArtifactError
from sensenet.files.directories import temporary_directory
from sensenet.files.reading import read_file
from sensenet.ir.graph import Graph
from sensenet.models.engines import run_graph

Files = Mapping[str, bytes]

Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and time of change of each file: the same while nobody writes to them."""

INTERPRETED = frozenset({"ir", "numpy"})
"""Targets whose runtime is the interpreter of graphs."""


def run_artifact(artifact: Artifact) -> Executable:
    """An artifact in memory, in the runtime of its target."""
    executable = load_backend(artifact.target).load(artifact)
    known = attrs.evolve(executable, graph=artifact.graph, engine=artifact.target)
    return _with_remake(known, lambda: (run_files, (artifact.target, dict(artifact.files), artifact.graph)))


def run_saved(path: Path, target: str) -> Executable:
    """A saved artifact in the runtime of its target; raises ArtifactError for one that cannot be run."""
    stamp = _stamp(_find_files(path, target))
    executable = attrs.evolve(open_saved(path, target), engine=target)

    def remake() -> Remake:
        files = _find_files(path, target)
        if _stamp(files) == stamp:
            contents = {name: read_file(each) for name, each in files.items()}
            return run_files, (target, contents, executable.graph)
        if executable.graph is None:
            raise ArtifactError(f"the model cannot be pickled: {path}, which it was opened from, has changed")
        return run_graph, (executable.graph, target)

    return _with_remake(executable, remake)


def run_files(target: str, files: Files, graph: Graph | None) -> Executable:
    """The files of an artifact, by relative path, in the runtime of its target; raises ArtifactError."""
    with temporary_directory() as directory:
        for name, content in files.items():
            place = directory / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        path = directory if len(files) > 1 else directory / next(iter(files))
        opened = open_saved(path, target)
    executable = attrs.evolve(opened, graph=graph, engine=target)
    return _with_remake(executable, lambda: (run_files, (target, files, graph)))


def run_interpreted(graph: Graph, target: str) -> Executable:
    """A graph as it is in the interpreter, for one of its targets."""
    executable = attrs.evolve(make_executable(graph), engine=target)
    return attrs.evolve(executable, remake=lambda: (run_interpreted, (graph, target)))


def _with_remake(executable: Executable, remake: Callable[[], Remake]) -> Executable:
    """The executable with what remakes it: its graph or its runtime if these have all, else `remake`."""
    graph, target = executable.graph, str(executable.engine)
    if target in INTERPRETED and graph is not None:
        return attrs.evolve(executable, remake=lambda: (run_interpreted, (graph, target)))
    if target == "tflite":
        files = {"model.tflite": executable.run.content}  # type: ignore[attr-defined]
        return attrs.evolve(executable, remake=lambda: (run_files, (target, files, graph)))
    if target == "keras":
        return attrs.evolve(executable, remake=lambda: _remake_keras(executable))
    return attrs.evolve(executable, remake=remake)


def _remake_keras(executable: Executable) -> Remake:
    """With the weights that the model has now: it may have been trained."""
    from sensenet.backends.keras import FILE_NAME, save_model

    return run_files, ("keras", {FILE_NAME: save_model(executable.model)}, executable.graph)


def _stamp(files: Mapping[str, Path]) -> Stamp:
    """The stamp of some files; empty if one is missing."""
    try:
        found = {name: path.stat() for name, path in files.items()}
    except OSError:
        return ()
    return tuple((name, each.st_size, each.st_mtime_ns) for name, each in found.items())


def _find_files(path: Path, target: str) -> dict[str, Path]:
    """The files of a saved artifact by relative path; of a model.json, those beside it that hold weights."""
    if path.is_dir():
        return {each.relative_to(path).as_posix(): each for each in sorted(path.rglob("*")) if each.is_file()}
    beside = sorted(path.parent.glob("*.bin")) if target == "tfjs" else []
    return {each.name: each for each in [path, *beside]}
