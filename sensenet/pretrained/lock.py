"""A lock between processes: one process holds it, and the others wait.

The operating system releases the lock when its holder ends for any reason. So a lock file that a killed
process left behind blocks no other process.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

POLL_SECONDS = 0.05

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import errno
    import fcntl

    WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL})
    """What file systems without locks answer: there nobody waits, and the last who downloads wins."""

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
        return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Return whether `path` is still the open file: the last holder may have removed it."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _acquire(path: Path, sleep: Callable[[float], object]) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if _try_lock(descriptor) and _is_still(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        sleep(POLL_SECONDS)


@contextlib.contextmanager
def file_lock(path: Path, sleep: Callable[[float], object] = time.sleep) -> Iterator[None]:
    """Hold the lock of `path`; wait while another process or thread holds it.

    The file is created, and removed afterwards. If the file system does not support locks, nothing is locked.
    """
    descriptor = _acquire(path, sleep)
    try:
        yield
    finally:
        # Removed while the lock is held. Windows does not remove an open file: it stays there, empty.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)
