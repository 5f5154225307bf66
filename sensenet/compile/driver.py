"""Names of `sensenet.compiler.driver`, at the path where they were before."""

from __future__ import annotations

from sensenet.compiler.driver import Source, compile, compile_targets

__all__ = ["Source", "compile", "compile_targets"]
