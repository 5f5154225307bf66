"""Names of `sensenet.compiler.bisect.search`, under their former path."""

from __future__ import annotations

from sensenet.compiler.bisect.search import Culprit, find_culprit

__all__ = ["Culprit", "find_culprit"]
