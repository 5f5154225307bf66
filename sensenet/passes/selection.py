"""Names of `sensenet.passes.infrastructure.selection`, at the path where they were before."""

from __future__ import annotations

from sensenet.passes.infrastructure.selection import select_passes

__all__ = ["select_passes"]
