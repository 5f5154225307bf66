"""Names of `sensenet.drawing`, at the path where they were before."""

from __future__ import annotations

from sensenet.drawing import draw

__all__ = ["draw"]
