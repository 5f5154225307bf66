"""What a compilation gives: files, the graph they were made from, and a report.

Saving is atomic: everything is written beside the destination under a temporary name and then renamed, so a
killed process leaves no half-written artifact, and an existing path is never replaced unless asked for.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from sensenet.errors import ArtifactError
from sensenet.ir.graph import Graph
from sensenet.ir.signature import Signature
from sensenet.ir.types import Array


@frozen(kw_only=True)
class PassRecord:
    """What one pass did: its name, time, and the number of nodes before and after."""

    name: str
    seconds: float
    nodes_before: int
    nodes_after: int
    changed: bool


@frozen(kw_only=True)
class Report:
    """How a compilation went; seconds are wall time."""

    target: str
    level: int
    frontend_seconds: float = 0.0
    passes: tuple[PassRecord, ...] = ()
    backend_seconds: float = 0.0

    def lines(self) -> list[str]:
        """A table for people, one line a stage."""
        rows = [("frontend", self.frontend_seconds, "")]
        rows += [
            (record.name, record.seconds, f"{record.nodes_before} → {record.nodes_after} nodes")
            for record in self.passes
        ]
        rows.append((f"backend {self.target}", self.backend_seconds, ""))
        return [f"{name:<40} {seconds * 1e3:10.2f} ms  {note}".rstrip() for name, seconds, note in rows]


@attrs.frozen(kw_only=True, eq=False, slots=False, repr=False)
class Artifact:
    """The result of `sensenet.compile` for one target.

    `graph` is the graph that the backend lowered; `model` is the `tf.keras.Model` for the target keras and
    None otherwise. `produce` makes the files: relative path → content; a single-file target gives one entry.
    `beside` says that several files stand side by side at the saved path with other suffixes (the target ir)
    instead of in a directory.
    """

    target: str
    graph: Graph
    report: Report
    produce: Callable[[], Mapping[str, bytes]]
    beside: bool = False
    model: Any = None

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """Relative path → content; made at first use."""
        return dict(self.produce())

    def __bytes__(self) -> bytes:
        """The content of a single-file artifact; raises ArtifactError for a target of several files."""
        if len(self.files) != 1:
            raise ArtifactError(
                f"the target {self.target} has {len(self.files)} files: save it to a path instead"
            )
        return next(iter(self.files.values()))

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the artifact to a path: a file, or a directory for a target of several files.

        Raises ArtifactError, and leaves nothing behind, where the path exists (unless `force`), its directory
        does not, or writing fails.
        """
        destination = Path(path)
        for target in self._destinations(destination):
            if target.exists() and not force:
                raise ArtifactError(f"{target} exists already: choose another path, or allow replacing it")
            if not target.parent.is_dir():
                raise ArtifactError(f"there is no directory {target.parent} to save {target.name} in")
        try:
            for target, content in self._destinations(destination).items():
                _write(target, content, force)
        except OSError as error:
            raise ArtifactError(f"{destination} cannot be written: {error.strerror or error}") from error
        return destination

    def _destinations(self, path: Path) -> dict[Path, bytes | Mapping[str, bytes]]:
        """Where each file goes, or the directory of several."""
        if self.beside:
            return {path.with_suffix(Path(name).suffix): content for name, content in self.files.items()}
        if len(self.files) == 1:
            return {path: bytes(self)}
        return {path: self.files}

    def __repr__(self) -> str:
        return f"<Artifact for {self.target} at -O{self.report.level}>"


@frozen(kw_only=True, eq=False)
class Executable:
    """An artifact in its own runtime: `run` takes and gives named arrays, any batch size.

    `model` is the `tf.keras.Model` behind it where there is one.
    """

    signature: Signature
    run: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    model: Any = None


def _write(destination: Path, content: bytes | Mapping[str, bytes], force: bool) -> None:
    temporary = destination.with_name(f".{destination.name}.{secrets.token_hex(6)}.partial")
    try:
        if isinstance(content, Mapping):
            for name, part in content.items():
                file = temporary / name
                file.parent.mkdir(parents=True, exist_ok=True)
                _write_synced(file, part)
        else:
            _write_synced(temporary, content)
        _move(temporary, destination, force)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _move(temporary: Path, destination: Path, force: bool) -> None:
    """Rename; where replacing is not allowed, a path that appeared meanwhile is an error."""
    if force and destination.is_dir():
        old = destination.with_name(f".{destination.name}.{secrets.token_hex(6)}.old")
        destination.rename(old)
        temporary.rename(destination)
        shutil.rmtree(old, ignore_errors=True)
    elif force or temporary.is_dir():
        temporary.replace(destination)  # onto a directory: only an empty one is replaced, never a file
    else:
        os.link(temporary, destination)  # unlike rename, fails where the destination exists
