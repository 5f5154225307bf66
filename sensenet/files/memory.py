"""Memory for contents whose size is not known exactly."""

from __future__ import annotations

import contextlib
import mmap


def reserve(size: int) -> mmap.mmap:
    """Return zeros, to read and to write, of which the system gives memory only to those that are used.

    `size` is positive. Large pages are used if the system has them: it takes time to get each page.
    """
    if not hasattr(mmap, "MAP_PRIVATE"):  # as on Windows
        return mmap.mmap(-1, size)
    content = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without large pages
            content.madvise(mmap.MADV_HUGEPAGE)
    return content
