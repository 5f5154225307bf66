"""Names of `sensenet.published.bundle`, under their path in the published package."""

from __future__ import annotations

from sensenet.published.bundle import read_bundle, write_bundle

__all__ = ["read_bundle", "write_bundle"]
