"""Names of `sensenet.drawing`, under their former path."""

from __future__ import annotations

from sensenet.drawing import draw

__all__ = ["draw"]
