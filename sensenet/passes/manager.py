"""Names of `sensenet.passes.infrastructure.manager`, at the path where they were before."""

from __future__ import annotations

from sensenet.passes.infrastructure.manager import run_passes

__all__ = ["run_passes"]
