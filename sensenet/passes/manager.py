"""Names of `sensenet.passes.infrastructure.manager`, under their former path."""

from __future__ import annotations

from sensenet.passes.infrastructure.manager import run_passes

__all__ = ["run_passes"]
