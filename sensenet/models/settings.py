"""Names of `sensenet.published.settings`, under their path in the published package."""

from __future__ import annotations

from sensenet.published.settings import Settings, ensure_settings

__all__ = ["Settings", "ensure_settings"]
