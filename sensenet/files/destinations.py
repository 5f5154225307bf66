"""Decides whether a path may be written to: it may be a foreign file, a device, or a directory in use."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from sensenet.errors import ArtifactError
from sensenet.records import frozen

MOST_LINKS = 40
"""The most symbolic links that Linux follows."""

LARGEST_MARKED = 256 << 20
"""The most bytes of a file by which an artifact is recognized."""


@frozen
class Layout:
    """How the directory of a saved artifact is recognized before it is replaced.

    `names` matches the relative path, with `/`, of every file in it, and the file `mark` exists and contains
    `content`.
    """

    names: re.Pattern[str]
    mark: str
    content: bytes = b""


def real_path(path: Path) -> Path:
    """Return the absolute path to write to: the target of a symbolic link, if the path is one."""
    return Path(os.path.realpath(path))


def is_stream(path: Path) -> bool:
    """Return whether a path is written into instead of replaced, such as a FIFO, a terminal or `/dev/stdout`.

    Raises ArtifactError for a socket or a disk.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISSOCK(mode) or stat.S_ISBLK(mode):
        kind = "a socket" if stat.S_ISSOCK(mode) else "a block device"
        raise ArtifactError(f"cannot save to {path}, which is {kind}: choose another path")
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or (stat.S_ISREG(mode) and _is_open_file(path))


def _is_open_file(path: Path) -> bool:
    """Return whether a path leads to an open file of a process, like `/dev/stdout`, through any links."""
    current = os.path.abspath(path)
    for _ in range(MOST_LINKS):
        if os.path.realpath(os.path.dirname(current)).startswith("/proc/"):
            return True
        if not os.path.islink(current):
            return False
        current = os.path.join(os.path.dirname(current), os.readlink(current))
    return False


def require_replaceable_directory(path: Path, layout: Layout | None) -> None:
    """Raise ArtifactError unless a directory contains only a saved artifact.

    The working directory, the home directory, their parents and mount points are always refused.
    """
    if use := _use_of(path):
        raise ArtifactError(f"{path} is {use}, and is never replaced: choose another path")
    if not os.path.isdir(path):
        return
    names = list(_walk(path))
    for name in names:
        if layout is None or not layout.names.fullmatch(name):
            raise ArtifactError(
                f"{path} contains {name}, which does not belong to such an artifact: choose another path"
            )
    if names and layout and not _is_marked(path, layout):
        raise ArtifactError(f"{path} was not saved by sensenet: remove it first, or choose another path")


def _use_of(path: Path) -> str | None:
    """Return the special role of a directory; None if it has none."""
    real = real_path(path)
    for use, place in (("the working directory", Path.cwd), ("the home directory", Path.home)):
        try:
            used = real_path(place())
        except (OSError, RuntimeError):  # it was deleted, or there is no home
            continue
        if real == used:
            return use
        if real in used.parents:
            return f"above {use}"
    return "a mount point" if os.path.ismount(real) else None


def _walk(path: Path) -> Iterator[str]:
    """Yield the relative name of everything in a directory except non-empty directories.

    Anything but a file or directory gets a name that no layout matches. Raises OSError.
    """

    def refuse(error: OSError) -> None:
        raise error

    for root, directories, files in os.walk(path, onerror=refuse):
        below = Path(root).relative_to(path)
        if not directories and not files and below.parts:
            yield f"{below.as_posix()}/"
        for name in directories:
            if os.path.islink(os.path.join(root, name)):
                yield f"the link {(below / name).as_posix()}"
        for name in files:
            regular = stat.S_ISREG(os.lstat(os.path.join(root, name)).st_mode)
            yield ("" if regular else "the special file ") + (below / name).as_posix()


def _is_marked(path: Path, layout: Layout) -> bool:
    mark = path / layout.mark
    if not mark.is_file() or mark.stat().st_size > LARGEST_MARKED:
        return False
    return layout.content in mark.read_bytes()
