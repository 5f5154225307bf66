"""Writes files whole or not at all.

Everything is written beside its destination under a temporary name and then renamed, so that a killed process
leaves no half-written file at the path itself.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TextIO

from sensenet.errors import ArtifactError

Content = bytes | Mapping[str, bytes]
"""Of a file, or of the files in a directory by relative path."""


def describe_os_error(error: OSError) -> str:
    """The system's words for what went wrong, without the number."""
    return error.strerror or str(error)


def require_free(path: Path, force: bool) -> None:
    """Raise ArtifactError unless something can be saved at a path."""
    if "\0" in str(path):
        raise ArtifactError(f"{str(path)!r} cannot be written: no path holds a null character")
    if os.path.lexists(path) and not force:
        raise ArtifactError(f"{path} exists already: choose another path, or force replacing it")
    if not os.path.isdir(path.parent):
        raise ArtifactError(f"there is no directory {path.parent} to save {path.name} in")


def make_directory(path: Path) -> None:
    """Make a directory, and those above it, unless it is there; raises ArtifactError."""
    with _writing(str(path)):
        path.mkdir(parents=True, exist_ok=True)


def require_replaceable(path: Path, content: Content) -> None:
    """Refuse to delete a directory in which no such artifact was saved: it may be anything."""
    if os.path.islink(path) or not os.path.isdir(path):
        return
    if isinstance(content, bytes):
        raise ArtifactError(f"{path} is a directory; a file does not replace it")
    if any(path.iterdir()) and not any((path / name).is_file() for name in content):
        raise ArtifactError(f"{path} is a directory that holds something else; remove it first")


def write_all(contents: Mapping[Path, Content], force: bool) -> None:
    """Write files and directories: all of them, or none of those that are new.

    Raises ArtifactError where one cannot be written, or exists and may not be replaced.
    """
    temporaries: dict[Path, Path] = {}
    moved: list[Path] = []
    try:
        with _writing(", ".join(map(str, contents))):
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


@contextlib.contextmanager
def new_binary_file(path: Path, force: bool) -> Iterator[BinaryIO]:
    """A stream to write to; the file appears at the path when the block ends, unless by an exception.

    Raises ArtifactError where it cannot be written, or exists and may not be replaced.
    """
    require_free(path, force)
    require_replaceable(path, b"")
    destination = Path(os.path.abspath(path))
    temporary = _temporary_beside(destination)
    try:
        with _writing(str(path)):
            with temporary.open("wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            (_replace if force else _move)(temporary, destination)
    finally:
        _remove(temporary)


@contextlib.contextmanager
def new_file(path: Path, force: bool) -> Iterator[TextIO]:
    """As `new_binary_file`, for text in UTF-8; line ends are written as they are."""
    with new_binary_file(path, force) as binary:
        stream = io.TextIOWrapper(binary, encoding="utf-8", newline="")
        yield stream
        stream.flush()
        stream.detach()


@contextlib.contextmanager
def _writing(what: str) -> Iterator[None]:
    """Raise ArtifactError for what the system refuses meanwhile."""
    try:
        yield
    except OSError as error:
        raise ArtifactError(f"{what} cannot be written: {describe_os_error(error)}") from error


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
