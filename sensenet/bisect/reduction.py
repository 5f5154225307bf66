"""Names of `sensenet.compiler.bisect.reduction`, under their former path."""

from __future__ import annotations

from sensenet.compiler.bisect.reduction import reduce_graph

__all__ = ["reduce_graph"]
