"""Names of `sensenet.compiler.bisect.search`, at the path where they were before."""

from __future__ import annotations

from sensenet.compiler.bisect.search import Culprit, find_culprit

__all__ = ["Culprit", "find_culprit"]
