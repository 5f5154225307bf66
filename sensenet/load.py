"""Names of `sensenet.published.load`, under their path in the published package."""

from __future__ import annotations

from sensenet.published.load import count_types, load_points

__all__ = ["count_types", "load_points"]
