"""Runs artifacts in their own runtimes, as executables that can be pickled.

The pickle contains what the runtime opens: the graph for the interpreter, else the files as opened.
Unpickling opens it again, like the artifact itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from sensenet.artifact import Artifact, Executable, Files, Remake
from sensenet.backends import get_target
from sensenet.backends.interpreter import execute
from sensenet.backends.target import Target
from sensenet.compiler.sources import open_saved
from sensenet.errors import ArtifactError
from sensenet.files.directories import temporary_directory
from sensenet.files.reading import read_file
from sensenet.ir.graph import Graph
from sensenet.models.engines import run_graph

Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and modification time of each file, which change when a file is written."""


def run_artifact(artifact: Artifact) -> Executable:
    """Run an artifact in memory, in the runtime of its target."""
    target = get_target(artifact.target)
    known = attrs.evolve(target.load(artifact), graph=artifact.graph, engine=target.name)

    def remake() -> Remake:
        if not target.runs:  # its files cannot be opened
            return run_artifact, (artifact,)
        return run_files, (target.name, dict(artifact.files), artifact.graph)

    return _with_remake(known, target, remake)


def run_saved(path: Path, target: Target[Any]) -> Executable:
    """Run a saved artifact in the runtime of its target; raises ArtifactError for one that cannot be run."""
    stamp = _stamp(_find_files(path, target))
    executable = attrs.evolve(open_saved(path, target), engine=target.name)

    def remake() -> Remake:
        files = _find_files(path, target)
        if _stamp(files) == stamp:
            contents = {name: read_file(each) for name, each in files.items()}
            return run_files, (target.name, contents, executable.graph)
        if executable.graph is None:
            raise ArtifactError(f"the model cannot be pickled: {path}, which it was opened from, has changed")
        return run_graph, (executable.graph, target.name)

    return _with_remake(executable, target, remake)


def run_files(name: str, files: Files, graph: Graph | None) -> Executable:
    """Run the files of an artifact, by relative path, in the runtime of a target; raises ArtifactError."""
    target = get_target(name)
    with temporary_directory() as directory:
        path = directory if len(files) > 1 else directory / next(iter(files))
        write_files(files, path)
        opened = open_saved(path, target)
    executable = attrs.evolve(opened, graph=graph, engine=name)
    return _with_remake(executable, target, lambda: (run_files, (name, files, graph)))


def write_files(files: Files, path: Path) -> None:
    """Write the files of an artifact to a path: one file, or several by relative path into a directory."""
    several = len(files) > 1
    for file, content in files.items():
        place = path / file if several else path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def save_opened(executable: Executable, path: Path) -> None:
    """Write the artifact that an executable was opened from to a path; raises ArtifactError if it is gone."""
    remake, arguments = executable.remake() if executable.remake else (None, ())
    if remake is run_files:
        _, files, _ = arguments
        write_files(files, path)
    elif remake is run_artifact:
        (artifact,) = arguments
        artifact.save(path)
    else:
        raise ArtifactError("the file that the model was opened from has changed: open it again")


def run_interpreted(graph: Graph, name: str) -> Executable:
    """Run a graph as it is in the interpreter, for one of its targets."""
    executable = attrs.evolve(execute(graph), engine=name)
    return attrs.evolve(executable, remake=lambda: (run_interpreted, (graph, name)))


def _with_remake(executable: Executable, target: Target[Any], remake: Callable[[], Remake]) -> Executable:
    """Return the executable with what remakes it: its graph or its runtime if that has all, else `remake`."""
    graph, copy_files = executable.graph, target.copy_files
    if target.execute is execute and graph is not None:
        return attrs.evolve(executable, remake=lambda: (run_interpreted, (graph, target.name)))
    if copy_files is not None:
        return attrs.evolve(
            executable, remake=lambda: (run_files, (target.name, copy_files(executable), graph))
        )
    return attrs.evolve(executable, remake=remake)


def _stamp(files: Mapping[str, Path]) -> Stamp:
    """Return the stamp of some files; empty if one is missing."""
    try:
        found = {name: path.stat() for name, path in files.items()}
    except OSError:
        return ()
    return tuple((name, each.st_size, each.st_mtime_ns) for name, each in found.items())


def _find_files(path: Path, target: Target[Any]) -> dict[str, Path]:
    """Return the files of a saved artifact by relative path."""
    root = path if path.is_dir() else path.parent
    return {each.relative_to(root).as_posix(): each for each in target.list_files(path)}
