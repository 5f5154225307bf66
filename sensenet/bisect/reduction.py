"""Names of `sensenet.compiler.bisect.reduction`, at the path where they were before."""

from __future__ import annotations

from sensenet.compiler.bisect.reduction import reduce_graph

__all__ = ["reduce_graph"]
