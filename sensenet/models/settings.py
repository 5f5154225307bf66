"""The names of `sensenet.published.settings`, where clients of the published package look for them."""

from __future__ import annotations

from sensenet.published.settings import Settings, ensure_settings

__all__ = ["Settings", "ensure_settings"]
