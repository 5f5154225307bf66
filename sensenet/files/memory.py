"""Memory for contents whose size is not known exactly."""

from __future__ import annotations

import contextlib
import mmap


def reserve(size: int) -> mmap.mmap:
    """Return zeros, to read and to write, of which the system gives memory only to those that are used.

    `size` is positive. Large pages are used if the system has them: it takes time to get each page. Raises
    MemoryError if the system promises no more memory, or the process may not have so many addresses.
    """
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    try:
        content = mmap.mmap(-1, size, **private)
    except OSError as error:
        raise MemoryError(f"no memory for {size} bytes: {error.strerror}") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without large pages
            content.madvise(mmap.MADV_HUGEPAGE)
    return content
