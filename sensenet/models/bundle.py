"""The names of `sensenet.published.bundle`, where clients of the published package look for them."""

from __future__ import annotations

from sensenet.published.bundle import BUNDLE_EXTENSION as BUNDLE_EXTENSION  # noqa: PLC0414
from sensenet.published.bundle import read_bundle, write_bundle

__all__ = ["read_bundle", "write_bundle"]
