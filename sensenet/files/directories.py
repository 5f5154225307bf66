"""Operations on directories: exchanging two, locking several, and temporary ones."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sensenet.errors import ArtifactError, SensenetError

AT_FDCWD = -100
RENAME_EXCHANGE = 2
"""Constants of Linux' fcntl.h and linux/fs.h."""

UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})
"""The error numbers of a kernel or file system without an exchange."""


LOCK_POLL_SECONDS = 0.01


def exchange(one: Path, other: Path) -> bool:
    """Exchange two paths; return False, without any change, if this system cannot.

    Linux can (`renameat2`, on its usual file systems). Raises OSError, such as FileNotFoundError if one of
    them does not exist.
    """
    import ctypes  # slow, and only needed to replace a directory

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # another system, or another C library
        return False
    if rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))


@contextlib.contextmanager
def locked_directories(directories: Iterable[Path], handle_interrupt: Callable[[], None]) -> Iterator[None]:
    """Hold file locks on directories while other sensenet writers wait.

    On Windows, and on file systems without locks, nothing is locked.
    """
    with contextlib.ExitStack() as stack:
        for directory in sorted(directories):
            with contextlib.suppress(OSError, ImportError):
                descriptor = os.open(directory, os.O_RDONLY)
                stack.callback(os.close, descriptor)
                _lock(descriptor, handle_interrupt)
        yield


def _lock(descriptor: int, handle_interrupt: Callable[[], None]) -> None:
    import fcntl

    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle_interrupt()
            time.sleep(LOCK_POLL_SECONDS)
        else:
            return


def sync_directory(path: Path) -> None:
    """Flush renames in a directory to disk, if the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def keep_modes(old: Path, new: Path) -> None:
    """Set owner and mode of new files to those of the files that they replace, as far as permitted."""
    for path in [new, *(new.rglob("*") if new.is_dir() else [])]:
        made = path.stat()
        try:
            known = (old / path.relative_to(new)).stat()
        except OSError:  # there is none, or another writer has it away for an instant
            continue
        if stat.S_ISDIR(known.st_mode) != stat.S_ISDIR(made.st_mode):
            continue
        with contextlib.suppress(OSError):
            if (known.st_uid, known.st_gid) != (made.st_uid, made.st_gid):
                os.chown(path, known.st_uid, known.st_gid)
        with contextlib.suppress(OSError):
            path.chmod(stat.S_IMODE(known.st_mode))


@contextlib.contextmanager
def temporary_directory(*others: type[Exception]) -> Iterator[Path]:
    """Yield a new directory, which is deleted at the end; raise ArtifactError if it cannot be written.

    `others` are the exceptions, besides OSError, that a library raises if it cannot write there.
    """
    faults: tuple[type[Exception], ...] = (OSError, *others)
    try:
        with tempfile.TemporaryDirectory(prefix="sensenet-", ignore_cleanup_errors=True) as directory:
            yield Path(directory)
    except SensenetError:
        raise
    except faults as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise ArtifactError(
            f"cannot write temporary files: {reason}; set TMPDIR to a directory with free space"
        ) from error
