"""What a compilation gives: files, the graph they were made from, and a report.

Saving is atomic: everything is written beside the destination under a temporary name and then renamed, so a
killed process leaves no half-written artifact at the path itself, and an existing path is never replaced
unless asked for.
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

        Returns where it is. Raises ArtifactError, and leaves nothing behind, where the path exists, its
        directory does not, or writing fails. With `force` an existing file is replaced, and a directory that
        an artifact was saved in.
        """
        chosen = Path(path)
        require_free(chosen, force)  # before the work that making the files may be
        contents = self._contents(chosen)
        for destination, content in contents.items():
            require_free(destination, force)
            if force:
                _require_replaceable(destination, content)
        try:
            _write_all(contents, force)
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            raise ArtifactError(f"{chosen} cannot be written: {describe_os_error(error)}") from error
        return next(iter(contents))

    def _contents(self, path: Path) -> dict[Path, Content]:
        """What goes where: one file, one directory, or files side by side."""
        if len(self.files) == 1:
            return {path: bytes(self)}
        if not self.beside:
            return {path: self.files}
        suffixes = [Path(name).suffix for name in self.files]
        stem = path.with_suffix("") if path.suffix in suffixes else path
        return {stem.with_name(stem.name + Path(name).suffix): part for name, part in self.files.items()}

    def __repr__(self) -> str:
        return f"<Artifact for {self.target} at -O{self.report.level}>"


@frozen(kw_only=True, eq=False)
class Executable:
    """An artifact in its own runtime: `run` takes and gives named arrays, any batch size, from any thread.

    `model` is the `tf.keras.Model` behind it where there is one, `graph` the graph where it is known.
    """

    signature: Signature
    run: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    model: Any = None
    graph: Graph | None = None


Content = bytes | Mapping[str, bytes]
"""Of a file, or of the files in a directory by relative path."""


def describe_os_error(error: Exception) -> str:
    """The system's words for what went wrong, without the number."""
    return getattr(error, "strerror", None) or str(error)


def require_free(path: Path, force: bool) -> None:
    """Raise ArtifactError unless something can be saved at a path."""
    if os.path.lexists(path) and not force:
        raise ArtifactError(f"{path} exists already: choose another path, or force replacing it")
    if not path.parent.is_dir():
        raise ArtifactError(f"there is no directory {path.parent} to save {path.name} in")


def _require_replaceable(path: Path, content: Content) -> None:
    """Refuse to delete a directory in which no such artifact was saved: it may be anything."""
    if path.is_symlink() or not path.is_dir():
        return
    if isinstance(content, bytes):
        raise ArtifactError(f"{path} is a directory; a file does not replace it")
    if any(path.iterdir()) and not any((path / name).is_file() for name in content):
        raise ArtifactError(f"{path} is a directory that holds something else; remove it first")


def _write_all(contents: Mapping[Path, Content], force: bool) -> None:
    """Write everything under temporary names, then move it; where that fails, take back what is new."""
    temporaries: dict[Path, Path] = {}
    moved: list[Path] = []
    try:
        for destination, content in contents.items():
            absolute = Path(os.path.abspath(destination))
            temporaries[absolute] = _temporary_beside(absolute)
            _write(temporaries[absolute], content)
        for destination, temporary in temporaries.items():
            (_replace if force else _move)(temporary, destination)
            moved.append(destination)
    except BaseException:
        for destination in [] if force else moved:
            _remove(destination)
        raise
    finally:
        for temporary in temporaries.values():
            _remove(temporary)


def _temporary_beside(path: Path) -> Path:
    """A new name in the same directory, so that moving is renaming; short, whatever the path's name."""
    return path.parent / f".sensenet-{secrets.token_hex(8)}.partial"


def _write(path: Path, content: Content) -> None:
    if isinstance(content, bytes):
        _write_synced(path, content)
        return
    for name, part in content.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(file, part)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _move(temporary: Path, destination: Path) -> None:
    """Rename where nothing stands; raises FileExistsError for a path that appeared meanwhile."""
    if temporary.is_dir():
        temporary.rename(destination)  # replaces nothing but an empty directory
        return
    try:
        os.link(temporary, destination)  # unlike rename, fails where the destination exists
    except FileExistsError:
        raise
    except OSError:  # a filesystem without hard links
        destination.open("xb").close()
        temporary.replace(destination)


def _replace(temporary: Path, destination: Path) -> None:
    """Rename over whatever stands there; a directory is moved away first, and back if that fails."""
    directory = destination.is_dir() and not destination.is_symlink()
    if not directory and not temporary.is_dir():
        temporary.replace(destination)
        return
    old = _temporary_beside(destination)
    if os.path.lexists(destination):
        destination.rename(old)
    try:
        temporary.rename(destination)
    except OSError:
        if os.path.lexists(old):
            old.rename(destination)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    """Delete a file or directory, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
