"""Names of `sensenet.compiler.bisect.smallest`, at the path where they were before."""

from __future__ import annotations

from sensenet.compiler.bisect.smallest import Smallest, find_smallest

__all__ = ["Smallest", "find_smallest"]
