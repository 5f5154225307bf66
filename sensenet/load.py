"""The names of `sensenet.published.load`, where clients of the published package look for them."""

from __future__ import annotations

from sensenet.published.load import count_types, load_points

__all__ = ["count_types", "load_points"]
