"""Writes files completely or not at all.

Everything is written next to its destination under a temporary name and then renamed, so a killed process
leaves no half-written file at the path itself. A replaced file exists until its replacement does: files are
renamed over, and directories exchanged in one step if the system can (Linux; elsewhere the path is missing
for an instant). Several files next to each other pass only through states that can be opened: see
`write_all`. Ctrl-C is deferred meanwhile, and sensenet's own writers to one directory wait for each other.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TextIO

from sensenet.errors import ArtifactError
from sensenet.files.destinations import Layout, is_stream, real_path, require_replaceable_directory
from sensenet.files.directories import exchange, keep_modes, locked_directories, sync_directory
from sensenet.files.interrupts import deferred_interrupts

Content = bytes | Mapping[str, bytes]
"""Content of a file, or of the files in a directory by relative path."""

Bridge = Callable[[Mapping[Path, bytes]], Mapping[Path, bytes]]
"""Returns intermediate contents for some of the related files that are being replaced."""

MOST_TRIES = 1000
"""How often other processes may create and delete a path while it is being replaced."""


def describe_os_error(error: OSError | ValueError) -> str:
    """Return the system's message for an error, without its number."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def require_free(path: Path, force: bool) -> None:
    """Raise ArtifactError unless something can be saved at a path."""
    if "\0" in str(path):
        raise ArtifactError(f"{str(path)!r} cannot be written: a path cannot contain a null character")
    if is_stream(path):
        return
    if os.path.lexists(path) and not force:
        raise ArtifactError(f"{path} already exists: replace it with -f, in Python force=True")
    parent = real_path(path).parent if os.path.islink(path) else path.parent
    if not os.path.isdir(parent):
        raise ArtifactError(f"no such directory {parent}: create it to save {path.name} in it")


def make_directory(path: Path) -> None:
    """Create a directory and its parents unless they exist; raise ArtifactError on failure."""
    with _writing(str(path)):
        path.mkdir(parents=True, exist_ok=True)


def require_replaceable(path: Path, content: Content, layout: Layout | None = None) -> None:
    """Raise ArtifactError if a file or directory must not replace a path: see `destinations`."""
    with _writing(str(path)):
        if isinstance(content, bytes):
            if os.path.isdir(path):
                raise ArtifactError(f"{path} is a directory: choose another path for the file")
        elif is_stream(path):
            raise ArtifactError(f"{path} is a device or a pipe: choose another path for a directory")
        elif os.path.isdir(path):
            _require_replaceable_directory(path, layout)


def _require_replaceable_directory(path: Path, layout: Layout | None) -> None:
    """Check a directory, again if another process has meanwhile exchanged it and deletes its files.

    One that is missing for an instant, as on systems that exchange in several steps, needs no check.
    """
    while (looked_at := _inode(path)) is not None:
        try:
            require_replaceable_directory(path, layout)
        except (ArtifactError, OSError):
            if _inode(path) != looked_at:
                continue
            raise
        return


def _inode(path: Path) -> int | None:
    """Return the number of what is at a path; None if there is nothing."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def write_all(
    contents: Mapping[Path, Content],
    force: bool,
    layout: Layout | None = None,
    bridge: Bridge | None = None,
) -> None:
    """Write files and directories: all of them, or none of those that are new.

    The first file is the one that is opened, so if nothing is replaced, it is written last. If it is
    replaced, the others are first replaced by `bridge` of the old ones, which fits both the old and the new
    first file; so a reader at any time, or after a crash, finds the old artifact or the new one.

    Raises ArtifactError if one cannot be written, or exists and may not be replaced.
    """
    with _writing(", ".join(map(str, contents))):
        if _write_into_stream(contents):
            return
        with deferred_interrupts() as handle_interrupt, _temporaries() as make_temporary:
            staged: dict[Path, Path] = {}
            for destination, content in contents.items():
                real = real_path(destination)
                staged[real] = make_temporary(real)
                _write(staged[real], content)
                keep_modes(real, staged[real])
                handle_interrupt()
            with locked_directories({path.parent for path in staged}, handle_interrupt):
                if force:
                    _replace_all(staged, layout, bridge, make_temporary)
                else:
                    _move_all(staged)
            for parent in {path.parent for path in staged}:
                sync_directory(parent)


@contextlib.contextmanager
def new_binary_file(path: Path, force: bool) -> Iterator[BinaryIO]:
    """Yield a stream to write to; the file appears at the path when the block ends, unless by an exception.

    A device or a pipe is written directly. Raises ArtifactError if it cannot be written, or exists and may
    not be replaced.
    """
    require_free(path, force)
    require_replaceable(path, b"")
    if is_stream(path):
        with _writing(str(path)), _open_stream(path) as stream:
            yield stream
        return
    destination = real_path(path)
    with _temporaries() as make_temporary, _writing(str(path)):
        temporary = make_temporary(destination)
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        keep_modes(destination, temporary)
        with deferred_interrupts():
            (_replace if force else _move)(temporary, destination)


@contextlib.contextmanager
def new_file(path: Path, force: bool) -> Iterator[TextIO]:
    """Yield a stream like `new_binary_file`, for text in UTF-8; line ends are written unchanged."""
    with new_binary_file(path, force) as binary:
        stream = io.TextIOWrapper(binary, encoding="utf-8", newline="")
        yield stream
        stream.flush()
        stream.detach()


@contextlib.contextmanager
def _writing(what: str) -> Iterator[None]:
    """Raise ArtifactError for errors of the system in the block, including names that it cannot encode."""
    try:
        yield
    except (OSError, UnicodeEncodeError) as error:
        raise ArtifactError(f"{what} cannot be written: {describe_os_error(error)}") from error


def _write_into_stream(contents: Mapping[Path, Content]) -> bool:
    """Write a single file into a device or pipe; return whether it was one."""
    streams = [path for path in contents if is_stream(path)]
    if not streams:
        return False
    (content, *others) = contents.values()
    if others or not isinstance(content, bytes):
        raise ArtifactError(f"{streams[0]} is a device or a pipe, and cannot hold several files")
    with _open_stream(streams[0]) as stream:
        stream.write(content)
    return True


def _open_stream(path: Path) -> BinaryIO:
    """Open a device or pipe without truncating it."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "wb")


@contextlib.contextmanager
def _temporaries() -> Iterator[Callable[[Path], Path]]:
    """Yield a function that returns new names next to paths; files with these names are deleted at the end.

    Renames then stay within a directory. The names are short, whatever the paths' names.
    """
    made: list[Path] = []

    def make(path: Path) -> Path:
        made.append(path.parent / f".sensenet-{secrets.token_hex(8)}.partial")
        return made[-1]

    try:
        yield make
    finally:
        with deferred_interrupts():
            for path in made:
                _remove(path)


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


def _move_all(staged: Mapping[Path, Path]) -> None:
    """Move new files to free paths, the first one last; undo all if one fails."""
    moved: list[Path] = []
    try:
        for destination, temporary in reversed(list(staged.items())):
            _move(temporary, destination)
            moved.append(destination)
    except BaseException:
        for destination in moved:
            _remove(destination)
        raise


def _move(temporary: Path, destination: Path) -> None:
    """Rename to a free path; raise FileExistsError if it has meanwhile been created."""
    if temporary.is_dir():
        temporary.rename(destination)  # replaces nothing but an empty directory
        return
    try:
        os.link(temporary, destination)  # unlike rename, fails if the destination exists
    except FileExistsError:
        raise
    except OSError:  # a filesystem without hard links
        destination.open("xb").close()
        temporary.replace(destination)


def _replace_all(
    staged: Mapping[Path, Path],
    layout: Layout | None,
    bridge: Bridge | None,
    make_temporary: Callable[[Path], Path],
) -> None:
    first, *others = staged
    old = {path: path.read_bytes() for path in staged if path.is_file()} if others and bridge else {}
    between = bridge(old) if bridge and first in old else {}
    for destination, content in between.items():
        temporary = make_temporary(destination)
        _write(temporary, content)
        keep_modes(destination, temporary)
        _replace(temporary, destination)
    for destination in [first, *others] if between else [*others, first]:
        temporary = staged[destination]
        _replace(temporary, destination)
        try:
            if temporary.is_dir():  # the replaced directory, which may have changed
                require_replaceable_directory(temporary, layout)
        except (ArtifactError, OSError):
            _replace(temporary, destination)
            raise


def _replace(temporary: Path, destination: Path) -> None:
    """Rename over an existing path, if any; a replaced directory then has the temporary name."""
    if not temporary.is_dir():
        temporary.replace(destination)
        return
    for _ in range(MOST_TRIES):
        try:
            if not os.path.lexists(destination):
                temporary.rename(destination)
            elif not exchange(temporary, destination):
                _rename_over(temporary, destination)
            return
        except FileNotFoundError:
            if not os.path.lexists(temporary):
                raise
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    raise ArtifactError(f"{destination} cannot be written: other processes write there too; try again")


def _rename_over(temporary: Path, destination: Path) -> None:
    """Exchange in three steps, for systems that cannot in one; undo them and raise OSError on failure."""
    old = temporary.with_name(f"{temporary.name}-old")
    destination.rename(old)
    try:
        temporary.rename(destination)
    except OSError:
        old.rename(destination)
        raise
    old.rename(temporary)


def _remove(path: Path) -> None:
    """Delete a file or directory, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
