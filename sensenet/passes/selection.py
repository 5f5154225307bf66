"""Names of `sensenet.passes.infrastructure.selection`, under their former path."""

from __future__ import annotations

from sensenet.passes.infrastructure.selection import select_passes

__all__ = ["select_passes"]
