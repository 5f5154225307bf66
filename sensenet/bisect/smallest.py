"""Names of `sensenet.compiler.bisect.smallest`, under their former path."""

from __future__ import annotations

from sensenet.compiler.bisect.smallest import Smallest, find_smallest

__all__ = ["Smallest", "find_smallest"]
